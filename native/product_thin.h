// Products of few rows: bound by reading b, which is therefore read once, where it lies, without packing.
#pragma once

#include <algorithm>
#include <utility>

#include "pool.h"
#include "product.h"
#include "product_kernel.h"

namespace antorcha::ANTORCHA_ISA {

/** Rows of a thin product at most. */
constexpr int thinRows = 4;
/** Elements of b that are worth a thread. */
constexpr int64_t thinElements = 1 << 16;

inline int64_t lastStep(const Space &space, int operand) {
  return space.rank == 0 ? 1 : space.steps[operand][space.rank - 1];
}

/** c^T = b^T a^T: the same product with the roles of rows and columns exchanged. */
inline void exchange(Product &p) {
  std::swap(p.a, p.b);
  std::swap(p.rows, p.columns);
  for (int d = 0; d < productRank; d++) {
    std::swap(p.batch.steps[0][d], p.batch.steps[1][d]);
    std::swap(p.depth.steps[0][d], p.depth.steps[1][d]);
    // Rows step through a and c, columns through b and c.
    std::swap(p.rows.steps[0][d], p.rows.steps[1][d]);
    std::swap(p.columns.steps[0][d], p.columns.steps[1][d]);
  }
}

/** The steps of a thin product's single dimensions. */
template <class T>
struct Thin {
  const T *a;
  const T *b;
  T *c;
  int64_t depth;
  int64_t aRow, bColumn, bDepth, aDepth, cRow, cColumn;
};

/** Columns of b that are neighbours along the depth: dot products, `columns` of them at a time. */
template <class T, int rows, int columns>
void dotProducts(const Thin<T> &p, int64_t j) {
  Vector<T> sums[rows][columns] = {};
  int64_t k = 0;
  const auto add = [&](auto &&loaded) {
    Vector<T> left[rows];
    for (int r = 0; r < rows; r++) left[r] = loaded(p.a + r * p.aRow + k);
#pragma GCC unroll 8
    for (int x = 0; x < columns; x++) {
      const Vector<T> right = loaded(p.b + (j + x) * p.bColumn + k);
#pragma GCC unroll 4
      for (int r = 0; r < rows; r++) sums[r][x] = multiplyAdd(left[r], right, sums[r][x]);
    }
  };
  for (; k + lanes<T> <= p.depth; k += lanes<T>) add([](const T *at) { return load(at); });
  const int tail = static_cast<int>(p.depth - k);
  if (tail > 0) add([tail](const T *at) { return loadLanes(at, 0, tail); });
  for (int r = 0; r < rows; r++)
    for (int x = 0; x < columns; x++) p.c[r * p.cRow + (j + x) * p.cColumn] = sumLanes<T>(sums[r][x]);
}

template <class T, int rows>
void dotRange(const Thin<T> &p, int64_t begin, int64_t end) {
  constexpr int columns = rows == 1 ? 8 : 4;
  int64_t j = begin;
  for (; j + columns <= end; j += columns) dotProducts<T, rows, columns>(p, j);
  for (; j < end; j++) dotProducts<T, rows, 1>(p, j);
}

/** Rows of b that are neighbours along the columns: multiples of them are added up, some vectors of columns at a time. */
template <class T, int rows>
void streamRange(const Thin<T> &p, int64_t begin, int64_t end) {
  constexpr int vectors = 16 / rows;
  constexpr int64_t width = vectors * lanes<T>;
  for (int64_t j = begin; j < end; j += width) {
    const int64_t count = std::min(width, end - j);
    Vector<T> sums[rows][vectors] = {};
    const T *row = p.b + j;
    for (int64_t k = 0; k < p.depth; k++, row += p.bDepth) {
      Vector<T> left[rows];
      for (int r = 0; r < rows; r++) left[r] = splat(p.a[r * p.aRow + k * p.aDepth]);
#pragma GCC unroll 16
      for (int v = 0; v < vectors; v++) {
        const int64_t rest = count - v * lanes<T>;
        if (rest <= 0) break;
        const Vector<T> right = rest >= lanes<T> ? load(row + v * lanes<T>)
                                                 : loadLanes(row + v * lanes<T>, 0, static_cast<int>(rest));
#pragma GCC unroll 4
        for (int r = 0; r < rows; r++) sums[r][v] = multiplyAdd(left[r], right, sums[r][v]);
      }
    }
    for (int r = 0; r < rows; r++)
      for (int64_t i = 0; i < count; i++)
        p.c[r * p.cRow + (j + i) * p.cColumn] = sums[r][i / lanes<T>][i % lanes<T>];
  }
}

template <class T>
using ThinRange = void (*)(const Thin<T> &, int64_t begin, int64_t end);

/** Computes a product of few rows (or columns), or returns false where this is none, or not one that lies well for it. */
template <class T>
bool multiplyThin(Product p) {
  if (p.rows.count > thinRows && p.columns.count <= thinRows) exchange(p);
  if (p.batch.count != 1 || p.rows.count > thinRows || p.rows.rank > 1 || p.columns.rank > 1 || p.depth.rank > 1)
    return false;
  const auto step = [](const Space &space, int operand) { return space.rank == 0 ? 0 : space.steps[operand][0]; };
  const Thin<T> thin{static_cast<const T *>(p.a), static_cast<const T *>(p.b), static_cast<T *>(p.c), p.depth.count,
                     step(p.rows, 0), step(p.columns, 1), step(p.depth, 1), step(p.depth, 0), step(p.rows, 2),
                     step(p.columns, 2)};
  static constexpr ThinRange<T> dots[] = {dotRange<T, 1>, dotRange<T, 2>, dotRange<T, 3>, dotRange<T, 4>};
  static constexpr ThinRange<T> streams[] = {streamRange<T, 1>, streamRange<T, 2>, streamRange<T, 3>,
                                             streamRange<T, 4>};
  ThinRange<T> range = nullptr;
  if (p.depth.count == 1 || (thin.bDepth == 1 && thin.aDepth == 1)) range = dots[p.rows.count - 1];
  if (thin.bColumn == 1 || p.columns.count == 1) range = thin.bDepth == 1 && range ? range : streams[p.rows.count - 1];
  if (range == nullptr) return false;
  const int64_t grain = std::max<int64_t>(16 * lanes<T>, thinElements / std::max<int64_t>(1, p.depth.count));
  parallelFor(p.columns.count, grain, [&](size_t begin, size_t end) {
    range(thin, static_cast<int64_t>(begin), static_cast<int64_t>(end));
  });
  return true;
}

}  // namespace antorcha::ANTORCHA_ISA
