// Copies of blocks of a product's operands into the order in which the innermost loops read them.
#pragma once

#include <algorithm>

#include "product_kernel.h"

namespace antorcha::ANTORCHA_ISA {

/** Positions of a part of a space in two operands, in elements, one after the other. */
struct Offsets {
  const int64_t *first;
  const int64_t *second;
};

/** Elements from `begin` on that are neighbours in memory. */
inline int64_t runLength(const int64_t *offsets, int64_t begin, int64_t end) {
  int64_t i = begin + 1;
  while (i < end && offsets[i] == offsets[i - 1] + 1) i++;
  return i - begin;
}

/** Whether runs of neighbours are, on average, worth copying as such. */
inline bool mostlyRuns(const int64_t *offsets, int64_t count) {
  int64_t breaks = 0;
  for (int64_t i = 1; i < count; i++) breaks += offsets[i] != offsets[i - 1] + 1;
  return 4 * (breaks + 1) <= count + 3;
}

template <class T>
inline void copyRun(T *to, const T *from, int64_t count) {
  int64_t i = 0;
  for (; i + lanes<T> <= count; i += lanes<T>) store(to + i, load(from + i));
  if (i < count) storeLanes(to + i, loadLanes(from + i, 0, static_cast<int>(count - i)), static_cast<int>(count - i));
}

/**
 * Packs rows of a: panels of `tileRows` rows. Returns whether they lie by depth (see computeTile), which is so where the
 * elements of a column are neighbours.
 */
template <class T>
bool packLeft(T *to, const T *a, const int64_t *rows, int64_t rowCount, const int64_t *depths, int64_t depth) {
  const bool byDepth = rowCount > 1 && !mostlyRuns(depths, depth) && mostlyRuns(rows, rowCount);
  for (int64_t i = 0; i < rowCount; i += tileRows, to += tileRows * packedRow<T>) {
    const int64_t height = std::min<int64_t>(tileRows, rowCount - i);
    if (byDepth) {
      for (int64_t begin = 0; begin < height;) {
        const int64_t run = runLength(rows + i, begin, height);
        const T *from = a + rows[i + begin];
        for (int64_t k = 0; k < depth; k++) copyRun(to + k * tileRows + begin, from + depths[k], run);
        begin += run;
      }
      continue;
    }
    for (int64_t begin = 0; begin < depth;) {
      const int64_t run = runLength(depths, begin, depth);
      for (int64_t r = 0; r < height; r++) {
        const T *from = a + rows[i + r] + depths[begin];
        if (run == 1)
          to[r * packedRow<T> + begin] = *from;
        else
          copyRun(to + r * packedRow<T> + begin, from, run);
      }
      begin += run;
    }
  }
  return byDepth;
}

// A square of 16 bytes by 16 bytes in every 128-bit part of its vectors, transposed.
inline void transposeParts(Vector<float> (&v)[4]) {
#if defined(__AVX512F__)
  const __m512 a = _mm512_unpacklo_ps(v[0], v[1]), b = _mm512_unpackhi_ps(v[0], v[1]);
  const __m512 c = _mm512_unpacklo_ps(v[2], v[3]), d = _mm512_unpackhi_ps(v[2], v[3]);
  v[0] = _mm512_shuffle_ps(a, c, 0x44);
  v[1] = _mm512_shuffle_ps(a, c, 0xee);
  v[2] = _mm512_shuffle_ps(b, d, 0x44);
  v[3] = _mm512_shuffle_ps(b, d, 0xee);
#elif defined(__AVX2__)
  const __m256 a = _mm256_unpacklo_ps(v[0], v[1]), b = _mm256_unpackhi_ps(v[0], v[1]);
  const __m256 c = _mm256_unpacklo_ps(v[2], v[3]), d = _mm256_unpackhi_ps(v[2], v[3]);
  v[0] = _mm256_shuffle_ps(a, c, 0x44);
  v[1] = _mm256_shuffle_ps(a, c, 0xee);
  v[2] = _mm256_shuffle_ps(b, d, 0x44);
  v[3] = _mm256_shuffle_ps(b, d, 0xee);
#else
  for (int i = 0; i < 4; i++)
    for (int j = 0; j < i; j++) {
      const float swapped = v[i][j];
      v[i][j] = v[j][i];
      v[j][i] = swapped;
    }
#endif
}
inline void transposeParts(Vector<double> (&v)[2]) {
#if defined(__AVX512F__)
  const __m512d a = v[0], b = v[1];
  v[0] = _mm512_unpacklo_pd(a, b);
  v[1] = _mm512_unpackhi_pd(a, b);
#elif defined(__AVX2__)
  const __m256d a = v[0], b = v[1];
  v[0] = _mm256_unpacklo_pd(a, b);
  v[1] = _mm256_unpackhi_pd(a, b);
#else
  const double swapped = v[0][1];
  v[0][1] = v[1][0];
  v[1][0] = swapped;
#endif
}

/** `lanes` lines of `count` neighbours each, written side by side: to[k * step + line] = lines[line][k]. */
template <class T>
inline void transposeLines(T *to, int64_t step, const T *const *lines, int64_t count) {
  constexpr int part = 16 / static_cast<int>(sizeof(T));
  constexpr int parts = lanes<T> / part;
  int64_t k = 0;
  for (; k + part <= count; k += part) {
    Vector<T> square[part];
    for (int i = 0; i < part; i++)
#if defined(__AVX512F__)
    {
      const auto quarter = [&](int p) { return _mm_loadu_si128(reinterpret_cast<const __m128i *>(lines[p * part + i] + k)); };
      __m512i whole = _mm512_castsi128_si512(quarter(0));
      whole = _mm512_mask_broadcast_i32x4(whole, 0x00f0, quarter(1));
      whole = _mm512_mask_broadcast_i32x4(whole, 0x0f00, quarter(2));
      whole = _mm512_mask_broadcast_i32x4(whole, 0xf000, quarter(3));
      std::memcpy(&square[i], &whole, sizeof whole);
    }
#else
      for (int p = 0; p < parts; p++)
        std::memcpy(reinterpret_cast<T *>(&square[i]) + p * part, lines[p * part + i] + k, 16);
#endif
    transposeParts(square);
    for (int i = 0; i < part; i++) store(to + (k + i) * step, square[i]);
  }
  for (; k < count; k++)
    for (int line = 0; line < lanes<T>; line++) to[k * step + line] = lines[line][k];
}

/** Columns of one vector that lie together: loaded at once from `offset`, which is where lane 0 would be. */
struct Segment {
  int64_t offset;
  int first;
  int last;
};

// One vector's worth of columns of b for every depth, where columns are neighbours in runs.
template <class T>
void packRuns(T *to, int64_t step, const T *b, const int64_t *columns, int width, const int64_t *depths, int64_t depth) {
  Segment segments[lanes<T>];
  int count = 0;
  for (int begin = 0; begin < width;) {
    const int run = static_cast<int>(runLength(columns, begin, width));
    segments[count++] = {columns[begin] - begin, begin, begin + run};
    begin += run;
  }
  if (count == 1 && width == lanes<T>) {
    for (int64_t k = 0; k < depth; k++) store(to + k * step, load(b + depths[k] + segments[0].offset));
    return;
  }
  for (int64_t k = 0; k < depth; k++) {
    Vector<T> value{};
    const T *from = b + depths[k];
    for (int s = 0; s < count; s++)
      value = loadLanes(from + segments[s].offset, segments[s].first, segments[s].last, value);
    store(to + k * step, value);
  }
}

/** Packs columns of b into panels of `tileColumns`, the last one of as many vectors as it needs; zeros fill the last vector. */
template <class T>
void packRight(T *to, const T *b, const int64_t *columns, int64_t columnCount, const int64_t *depths, int64_t depth) {
  const bool columnRuns = mostlyRuns(columns, columnCount);
  const bool depthRuns = !columnRuns && mostlyRuns(depths, depth);
  for (int64_t j = 0; j < columnCount; j += tileColumns<T>) {
    const int64_t panel = std::min<int64_t>(tileColumns<T>, columnCount - j);
    const int64_t vectors = (panel + lanes<T> - 1) / lanes<T>;
    const int64_t step = vectors * lanes<T>;
    for (int64_t v = 0; v < vectors; v++) {
      const int64_t *own = columns + j + v * lanes<T>;
      const int width = static_cast<int>(std::min<int64_t>(lanes<T>, panel - v * lanes<T>));
      T *out = to + v * lanes<T>;
      if (columnRuns) {
        packRuns(out, step, b, own, width, depths, depth);
        continue;
      }
      if (depthRuns) {
        const T *lines[lanes<T>];
        for (int64_t begin = 0; begin < depth;) {
          const int64_t run = runLength(depths, begin, depth);
          // Lanes past the edge repeat a line: what they compute is never stored.
          for (int i = 0; i < lanes<T>; i++) lines[i] = b + own[std::min(i, width - 1)] + depths[begin];
          transposeLines(out + begin * step, step, lines, run);
          begin += run;
        }
        continue;
      }
      for (int64_t k = 0; k < depth; k++) {
        const T *from = b + depths[k];
        for (int i = 0; i < width; i++) out[k * step + i] = from[own[i]];
        for (int i = width; i < lanes<T>; i++) out[k * step + i] = 0;
      }
    }
    to += step * depth;
  }
}

}  // namespace antorcha::ANTORCHA_ISA
