// Copies between layouts in which different dimensions lie side by side, as of a transposed matrix: whole vectors are read along
// the one and written along the other.
#pragma once

#include <algorithm>
#include <cstdint>

#include "launch.h"
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

namespace {

/** The operands of a launch that copies elements of four or eight bytes between layouts whose last two dimensions are exchanged. */
struct Transposition {
  bool found = false;
  int from = 0, to = 0, itemsize = 0;
};

Transposition transpositionOf(const Parameters &p) {
  const Program &program = p.program;
  const int last = program.outerRank - 1;
  if (program.inner || program.loopRank > 0 || program.prologue > 0 || last < 1 || program.instructions.size() != 2) return {};
  const Instruction &load = program.instructions[0], &store = program.instructions[1];
  if (load.op != control_load || store.op != control_store || store.a != load.d) return {};
  const int itemsize = itemsizes[program.dtypes[store.x]];
  const bool asItIs = program.dtypes[load.x] >= dtypeInt32 && itemsizes[program.dtypes[load.x]] == itemsize;
  if (!asItIs || p.stride(store.x, last) != itemsize || p.stride(load.x, last - 1) != itemsize) return {};
  return {true, load.x, store.x, itemsize};
}

/** One matrix of a transposition, at a position of the dimensions before. */
void transposeAt(const Parameters &p, const Transposition &t, size_t position) {
  const int last = p.program.outerRank - 1;
  const uint8_t *from = p.pointer(t.from);
  uint8_t *to = p.pointer(t.to);
  for (int dim = last - 2; dim >= 0; dim--) {
    const size_t extent = p.extents[dim];
    from += static_cast<intptr_t>(position % extent) * p.stride(t.from, dim);
    to += static_cast<intptr_t>(position % extent) * p.stride(t.to, dim);
    position /= extent;
  }
  const intptr_t step = p.stride(t.to, last - 1) / t.itemsize, fromStep = p.stride(t.from, last) / t.itemsize;
  if (t.itemsize == 4)
    copyTransposed(reinterpret_cast<float *>(to), step, reinterpret_cast<const float *>(from), fromStep, p.extents[last - 1], p.extents[last]);
  else
    copyTransposed(reinterpret_cast<double *>(to), step, reinterpret_cast<const double *>(from), fromStep, p.extents[last - 1], p.extents[last]);
}

}  // namespace
}  // namespace antorcha::ANTORCHA_ISA
