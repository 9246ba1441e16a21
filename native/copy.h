// Copies between layouts in which different dimensions lie side by side, as of a transposed matrix: whole vectors are read along
// the one and written along the other.
#pragma once

#include <algorithm>
#include <cstdint>

#include "product_pack.h"

namespace antorcha::ANTORCHA_ISA {

/**
 * to[row * step + column] = from[column * fromStep + row]; steps in elements. A panel of columns as wide as a vector is read row
 * after row, so that each cache line is read once and written at most twice.
 */
template <class T>
void copyTransposed(T *to, intptr_t step, const T *from, intptr_t fromStep, int64_t rows, int64_t columns) {
  int64_t column = 0;
  for (; column + lanes<T> <= columns; column += lanes<T>) {
    const T *lines[lanes<T>];
    for (int i = 0; i < lanes<T>; i++) lines[i] = from + (column + i) * fromStep;
    transposeLines(to + column, step, lines, rows);
  }
  for (; column < columns; column++)
    for (int64_t row = 0; row < rows; row++) to[row * step + column] = from[column * fromStep + row];
}

}  // namespace antorcha::ANTORCHA_ISA
