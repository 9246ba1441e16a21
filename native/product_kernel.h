// The innermost loops of products: a tile of c in registers, one broadcast element of a times a vector of b at a time.
// What is packed, and in which order tiles are computed, is in product.cc.
#pragma once

#include "simd.h"

namespace antorcha::ANTORCHA_ISA {

/** Rows of the largest tile, and vectors in each of its rows: as many sums as the registers hold. */
#if defined(__AVX512F__)
constexpr int tileRows = 12;
#elif defined(__AVX2__)
constexpr int tileRows = 6;
#elif defined(__aarch64__)
constexpr int tileRows = 8;
#else
constexpr int tileRows = 6;
#endif
constexpr int tileVectors = 2;
template <class T>
constexpr int tileColumns = tileVectors * lanes<T>;

/** The most depth that is packed at a time; rows of packed a lie so far apart, plus a cache line against aliasing. */
template <class T>
constexpr int depthBlock = 2048 / static_cast<int>(sizeof(T));
template <class T>
constexpr int packedRow = depthBlock<T> + 64 / static_cast<int>(sizeof(T));

template <class T>
struct Tile {
  int64_t depth;
  const T *a;
  const T *b;
  /** Elements between rows of b, and of c. */
  int64_t bStep;
  T *c;
  int64_t cStep;
  /** Whether the sums are added to what c holds. */
  bool accumulate;
  /** Columns of the last vector. */
  int tail;
};

template <class T>
using TileFunction = void (*)(const Tile<T> &);

// Packed a: rows of `packedRow` elements (byDepth false), or for each depth `tileRows` neighbours (byDepth true).
template <class T, int rows, int vectors, bool byDepth>
void computeTile(const Tile<T> &tile) {
  constexpr int rowStep = byDepth ? 1 : packedRow<T>;
  constexpr int depthStep = byDepth ? tileRows : 1;
  constexpr int width = lanes<T>;
  Vector<T> sums[rows][vectors] = {};
  const T *a = tile.a;
  const T *b = tile.b;
  const int64_t bStep = tile.bStep;
  for (int r = 0; r < rows; r++) __builtin_prefetch(tile.c + r * tile.cStep, 1);
#pragma GCC unroll 4
  for (int64_t k = 0; k < tile.depth; k++) {
    Vector<T> right[vectors];
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) right[v] = load(b + v * width);
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
      const Vector<T> left = splat(a[r * rowStep]);
#pragma GCC unroll 4
      for (int v = 0; v < vectors; v++) sums[r][v] = multiplyAdd(left, right[v], sums[r][v]);
    }
    a += depthStep;
    b += bStep;
  }
  T *c = tile.c;
#pragma GCC unroll 16
  for (int r = 0; r < rows; r++, c += tile.cStep) {
#pragma GCC unroll 4
    for (int v = 0; v < vectors; v++) {
      T *at = c + v * width;
      if (v < vectors - 1 || tile.tail == width)
        store(at, tile.accumulate ? sums[r][v] + load(at) : sums[r][v]);
      else
        storeLanes(at, tile.accumulate ? sums[r][v] + loadLanes(at, 0, tile.tail) : sums[r][v], tile.tail);
    }
  }
}

template <class T, bool byDepth, int... index>
constexpr TileFunction<T> chooseTile(int at, std::integer_sequence<int, index...>) {
  TileFunction<T> chosen = nullptr;
  ((at == index ? (chosen = computeTile<T, index / tileVectors + 1, index % tileVectors + 1, byDepth>, 0) : 0), ...);
  return chosen;
}

template <class T>
struct TileTable {
  TileFunction<T> functions[2][tileRows][tileVectors];
  constexpr TileTable() : functions() {
    constexpr auto all = std::make_integer_sequence<int, tileRows * tileVectors>{};
    for (int r = 0; r < tileRows; r++)
      for (int v = 0; v < tileVectors; v++) {
        functions[0][r][v] = chooseTile<T, false>(r * tileVectors + v, all);
        functions[1][r][v] = chooseTile<T, true>(r * tileVectors + v, all);
      }
  }
};

/** tileTable.functions[byDepth][rows - 1][vectors - 1] */
template <class T>
inline constexpr TileTable<T> tileTable{};

}  // namespace antorcha::ANTORCHA_ISA
