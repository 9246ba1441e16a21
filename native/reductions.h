// Reductions of blocks of elements: along a block into 32 partial results and from these to one, or block after block into a
// block of results. Partial results stay in registers while a block is read.
#pragma once

#include "evaluate.h"
#include "scalars.h"
#include "simd.h"

namespace antorcha {
namespace ANTORCHA_ISA {

/** Vectors of every type that is reduced; `Unaligned` is how they lie in memory, `Half` has the elements for one of twice the width. */
template <class T>
struct Wide;
#define WIDE(T)                                                                                      \
  template <>                                                                                        \
  struct Wide<T> {                                                                                   \
    typedef T Type __attribute__((vector_size(vectorBytes)));                                        \
    typedef T Unaligned __attribute__((vector_size(vectorBytes), aligned(sizeof(T)), may_alias));    \
    typedef T Half __attribute__((vector_size(vectorBytes / 2)));                                    \
    typedef T UnalignedHalf __attribute__((vector_size(vectorBytes / 2), aligned(sizeof(T)), may_alias)); \
  };
WIDE(int32_t)
WIDE(int64_t)
WIDE(float)
WIDE(double)
#undef WIDE

// How two values become one: of vectors, and of single elements.
struct SumOf {
  template <class V>
  static inline V vectors(V a, V b) { return a + b; }
  template <class T>
  static inline T scalars(T a, T b) { return add_(a, b); }
};
struct ProductOf {
  template <class V>
  static inline V vectors(V a, V b) { return a * b; }
  template <class T>
  static inline T scalars(T a, T b) { return mul_(a, b); }
};
// Zeros are ordered by their signs, and what is not a number wins.
struct MaximumOf {
  template <class V>
  static inline V vectors(V a, V b) {
    using Bits = decltype(a == b);
    const V most = a > b ? a : b;
    const V ordered = a == b ? reinterpret_cast<V>(reinterpret_cast<Bits>(a) & reinterpret_cast<Bits>(b)) : most;
    return a != a ? a : ordered;
  }
  template <class T>
  static inline T scalars(T a, T b) { return max_(a, b); }
};
struct MinimumOf {
  template <class V>
  static inline V vectors(V a, V b) {
    using Bits = decltype(a == b);
    const V least = a < b ? a : b;
    const V ordered = a == b ? reinterpret_cast<V>(reinterpret_cast<Bits>(a) | reinterpret_cast<Bits>(b)) : least;
    return a != a ? a : ordered;
  }
  template <class T>
  static inline T scalars(T a, T b) { return min_(a, b); }
};
struct AnyOf {
  template <class V>
  static inline V vectors(V a, V b) { return a | b; }
  template <class T>
  static inline T scalars(T a, T b) { return a | b; }
};
struct AllOf {
  template <class V>
  static inline V vectors(V a, V b) { return a & b; }
  template <class T>
  static inline T scalars(T a, T b) { return a & b; }
};

template <class T>
inline typename Wide<T>::Type loadWide(const T *from) {
  return *reinterpret_cast<const typename Wide<T>::Unaligned *>(from);
}

template <class T>
inline void storeWide(T *to, typename Wide<T>::Type value) {
  *reinterpret_cast<typename Wide<T>::Unaligned *>(to) = value;
}

/** What is left of a block after whole groups of `reductionLanes`. */
template <class Way, class T, class W>
inline void reduceRest(W *partial, const T *values, int n) {
  for (int i = 0; i < n; i++) partial[i] = Way::scalars(partial[i], static_cast<W>(values[i]));
}

/** Reduces a block into partial results. Four groups of vectors at a time, since each step waits for the one before. */
template <class Way, class T>
inline void reduceAlong(T *partial, const T *values, int n) {
  using V = typename Wide<T>::Type;
  constexpr int width = vectorBytes / static_cast<int>(sizeof(T));
  constexpr int count = reductionLanes / width;
  constexpr int groups = count >= 8 ? 1 : 4;
  V sums[groups][count];
#pragma GCC unroll 16
  for (int v = 0; v < count; v++) sums[0][v] = loadWide(partial + v * width);
  int at = 0;
  if (groups > 1 && n >= groups * reductionLanes) {
#pragma GCC unroll 16
    for (int g = 1; g < groups; g++)
#pragma GCC unroll 16
      for (int v = 0; v < count; v++) sums[g][v] = loadWide(values + g * reductionLanes + v * width);
#pragma GCC unroll 16
    for (int v = 0; v < count; v++) sums[0][v] = Way::vectors(sums[0][v], loadWide(values + v * width));
    for (at = groups * reductionLanes; at + groups * reductionLanes <= n; at += groups * reductionLanes)
#pragma GCC unroll 16
      for (int g = 0; g < groups; g++)
#pragma GCC unroll 16
        for (int v = 0; v < count; v++)
          sums[g][v] = Way::vectors(sums[g][v], loadWide(values + at + g * reductionLanes + v * width));
#pragma GCC unroll 16
    for (int g = 1; g < groups; g++)
#pragma GCC unroll 16
      for (int v = 0; v < count; v++) sums[0][v] = Way::vectors(sums[0][v], sums[g][v]);
  }
  for (; at + reductionLanes <= n; at += reductionLanes)
#pragma GCC unroll 16
    for (int v = 0; v < count; v++) sums[0][v] = Way::vectors(sums[0][v], loadWide(values + at + v * width));
#pragma GCC unroll 16
  for (int v = 0; v < count; v++) storeWide(partial + v * width, sums[0][v]);
  reduceRest<Way>(partial, values + at, n - at);
}

/** Half a vector of float32 as a vector of float64. The compilers convert whole vectors by parts. */
inline Wide<double>::Type widened(Wide<float>::Half x) {
#if defined(__AVX512F__)
  return _mm512_cvtps_pd(x);
#elif defined(__AVX2__)
  return _mm256_cvtps_pd(x);
#else
  return __builtin_convertvector(x, Wide<double>::Type);
#endif
}

inline Wide<float>::Half loadHalf(const float *from) {
  return *reinterpret_cast<const Wide<float>::UnalignedHalf *>(from);
}

// float32 is summed up in float64, four neighbouring groups at a time in float32 first: converting costs more than adding.
template <>
inline void reduceRest<SumOf, float, double>(double *partial, const float *values, int n) {
  for (int i = 0; i < n; i++) partial[i] += static_cast<double>(values[i]);
}
inline void sumAlong(double *partial, const float *values, int n) {
  constexpr int width = vectorBytes / static_cast<int>(sizeof(double));
  constexpr int count = reductionLanes / width;
  Wide<double>::Type sums[count];
#pragma GCC unroll 16
  for (int v = 0; v < count; v++) sums[v] = loadWide(partial + v * width);
  int at = 0;
  for (; at + 4 * reductionLanes <= n; at += 4 * reductionLanes)
#pragma GCC unroll 16
    for (int v = 0; v < count; v++) {
      const float *const from = values + at + v * width;
      sums[v] += widened((loadHalf(from) + loadHalf(from + reductionLanes)) +
                         (loadHalf(from + 2 * reductionLanes) + loadHalf(from + 3 * reductionLanes)));
    }
  for (; at + reductionLanes <= n; at += reductionLanes)
#pragma GCC unroll 16
    for (int v = 0; v < count; v++) sums[v] += widened(loadHalf(values + at + v * width));
#pragma GCC unroll 16
  for (int v = 0; v < count; v++) storeWide(partial + v * width, sums[v]);
  reduceRest<SumOf>(partial, values + at, n - at);
}

/** Adds `rows` rows of `n` neighbours, `step` bytes apart, to `sums`: four at a time in float32 first. */
inline void sumRows(double *sums, const uint8_t *from, intptr_t step, int rows, int n) {
  constexpr int width = vectorBytes / static_cast<int>(sizeof(double));
  const auto row = [&](int r) { return reinterpret_cast<const float *>(from + r * step); };
  int r = 0;
  for (; r + 4 <= rows; r += 4) {
    const float *const a = row(r), *const b = row(r + 1), *const c = row(r + 2), *const d = row(r + 3);
    int i = 0;
    for (; i + width <= n; i += width)
      storeWide(sums + i, loadWide(sums + i) + widened((loadHalf(a + i) + loadHalf(b + i)) + (loadHalf(c + i) + loadHalf(d + i))));
    for (; i < n; i++) sums[i] += static_cast<double>((a[i] + b[i]) + (c[i] + d[i]));
  }
  for (; r < rows; r++) {
    const float *const a = row(r);
    int i = 0;
    for (; i + width <= n; i += width) storeWide(sums + i, loadWide(sums + i) + widened(loadHalf(a + i)));
    for (; i < n; i++) sums[i] += static_cast<double>(a[i]);
  }
}

/** Partial results to one. */
template <class Way, class W>
inline W finishPartial(const W *partial) {
  constexpr int width = vectorBytes / static_cast<int>(sizeof(W));
  typename Wide<W>::Type value = loadWide(partial);
#pragma GCC unroll 16
  for (int at = width; at < reductionLanes; at += width) value = Way::vectors(value, loadWide(partial + at));
  W parts[width];
  storeWide(parts, value);
#pragma GCC unroll 8
  for (int half = width / 2; half > 0; half /= 2)
#pragma GCC unroll 8
    for (int i = 0; i < half; i++) parts[i] = Way::scalars(parts[i], parts[i + half]);
  return parts[0];
}

}  // namespace ANTORCHA_ISA
}  // namespace antorcha
