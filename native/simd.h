// Vectors of the widest kind that this translation unit's instruction set has: loads, stores, partial ones, fma, transposes.
// Written with the vector extensions of GCC and Clang; intrinsics only where these have no words.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace antorcha::ANTORCHA_ISA {

#if defined(__AVX512F__)
constexpr int vectorBytes = 64;
#elif defined(__AVX2__)
constexpr int vectorBytes = 32;
#else
constexpr int vectorBytes = 16;
#endif

template <class T>
struct VectorOf;
template <>
struct VectorOf<float> {
  typedef float Type __attribute__((vector_size(vectorBytes)));
  typedef float Unaligned __attribute__((vector_size(vectorBytes), aligned(4), may_alias));
  typedef int32_t Bits __attribute__((vector_size(vectorBytes)));
};
template <>
struct VectorOf<double> {
  typedef double Type __attribute__((vector_size(vectorBytes)));
  typedef double Unaligned __attribute__((vector_size(vectorBytes), aligned(8), may_alias));
  typedef int64_t Bits __attribute__((vector_size(vectorBytes)));
};
template <class T>
using Vector = typename VectorOf<T>::Type;
/** Elements of a vector. */
template <class T>
constexpr int lanes = vectorBytes / static_cast<int>(sizeof(T));

template <class T>
inline Vector<T> load(const T* from) {
  return *reinterpret_cast<const typename VectorOf<T>::Unaligned*>(from);
}

template <class T>
inline void store(T* to, Vector<T> value) {
  *reinterpret_cast<typename VectorOf<T>::Unaligned*>(to) = value;
}

// Lanes [first, last) of a vector; `at` is the place of lane 0, and nothing outside these lanes is touched.
#if defined(__AVX512F__)
template <class T>
inline uint32_t laneMask(int first, int last) {
  return ((1u << last) - 1) & ~((1u << first) - 1);
}
inline Vector<float> loadLanes(const float* at, int first, int last, Vector<float> rest = Vector<float>{}) {
  return _mm512_mask_loadu_ps(rest, static_cast<__mmask16>(laneMask<float>(first, last)), at);
}
inline Vector<double> loadLanes(const double* at, int first, int last, Vector<double> rest = Vector<double>{}) {
  return _mm512_mask_loadu_pd(rest, static_cast<__mmask8>(laneMask<double>(first, last)), at);
}
inline void storeLanes(float* at, Vector<float> value, int last) {
  _mm512_mask_storeu_ps(at, static_cast<__mmask16>(laneMask<float>(0, last)), value);
}
inline void storeLanes(double* at, Vector<double> value, int last) {
  _mm512_mask_storeu_pd(at, static_cast<__mmask8>(laneMask<double>(0, last)), value);
}
#else
template <class T>
inline Vector<T> loadLanes(const T* at, int first, int last, Vector<T> rest = Vector<T>{}) {
  for (int i = first; i < last; i++) rest[i] = at[i];
  return rest;
}
template <class T>
inline void storeLanes(T* at, Vector<T> value, int last) {
  for (int i = 0; i < last; i++) at[i] = value[i];
}
#endif

template <class T>
inline Vector<T> splat(T value) {
  return value - Vector<T>{};
}

// a * b + c, rounded once where the instruction set can.
inline Vector<float> multiplyAdd(Vector<float> a, Vector<float> b, Vector<float> c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_ps(a, b, c);
#elif defined(__FMA__)
  return _mm256_fmadd_ps(a, b, c);
#elif defined(__aarch64__)
  return vfmaq_f32(c, a, b);
#else
  return a * b + c;
#endif
}
inline Vector<double> multiplyAdd(Vector<double> a, Vector<double> b, Vector<double> c) {
#if defined(__AVX512F__)
  return _mm512_fmadd_pd(a, b, c);
#elif defined(__FMA__)
  return _mm256_fmadd_pd(a, b, c);
#elif defined(__aarch64__)
  return vfmaq_f64(c, a, b);
#else
  return a * b + c;
#endif
}

/** The sum of all lanes. */
template <class T>
inline T sumLanes(Vector<T> value) {
  T parts[lanes<T>];
  std::memcpy(parts, &value, sizeof value);
  for (int width = lanes<T> / 2; width > 0; width /= 2)
    for (int i = 0; i < width; i++) parts[i] += parts[i + width];
  return parts[0];
}

}  // namespace antorcha::ANTORCHA_ISA
