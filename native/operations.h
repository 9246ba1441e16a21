// The functions behind the instructions of programs: loops over blocks of elements, which the compiler turns into vectors.
// A result may lie where an argument lies.
#pragma once

#include "evaluate.h"
#include "reductions.h"
#include "scalars.h"

#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

namespace antorcha {
namespace ANTORCHA_ISA {

#include "generated/functions.inc"

/** Computes `n` elements of `d` from those of up to three arguments. */
using Operation = void (*)(void *d, const void *a, const void *b, const void *c, int n);

#define UNARY(name, D, A, expression)                                      \
  static void name(void *d, const void *a, const void *, const void *, int n) { \
    D *const result = static_cast<D *>(d);                                 \
    const A *const first = static_cast<const A *>(a);                      \
    INDEPENDENT for (int i = 0; i < n; i++) {                              \
      const A x = first[i];                                                \
      result[i] = expression;                                              \
    }                                                                      \
  }

#define BINARY(name, D, A, expression)                                       \
  static void name(void *d, const void *a, const void *b, const void *, int n) { \
    D *const result = static_cast<D *>(d);                                   \
    const A *const first = static_cast<const A *>(a);                        \
    const A *const second = static_cast<const A *>(b);                       \
    INDEPENDENT for (int i = 0; i < n; i++) {                                \
      const A x = first[i];                                                  \
      const A y = second[i];                                                 \
      result[i] = expression;                                                \
    }                                                                        \
  }

#define TERNARY(name, T, expression)                                           \
  static void name(void *d, const void *a, const void *b, const void *c, int n) { \
    T *const result = static_cast<T *>(d);                                     \
    const T *const first = static_cast<const T *>(a);                          \
    const T *const second = static_cast<const T *>(b);                         \
    const T *const third = static_cast<const T *>(c);                          \
    INDEPENDENT for (int i = 0; i < n; i++) {                                  \
      const T x = first[i];                                                    \
      const T y = second[i];                                                   \
      const T z = third[i];                                                    \
      result[i] = expression;                                                  \
    }                                                                          \
  }

#define COMPARE(name, T, operator) BINARY(name, int32_t, T, x operator y)

// A reduction into a block of results, into 32 partial results, and of those to one (reductions.h).
#define REDUCTION(fn, t, T, W, Way, along)                                                          \
  static void each_##fn##_##t(void *d, const void *a, const void *, const void *, int n) {          \
    W *const result = static_cast<W *>(d);                                                          \
    const T *const values = static_cast<const T *>(a);                                              \
    INDEPENDENT for (int i = 0; i < n; i++) result[i] = Way::scalars(result[i], static_cast<W>(values[i])); \
  }                                                                                                 \
  static void lanes_##fn##_##t(void *d, const void *a, const void *, const void *, int n) {         \
    along(static_cast<W *>(d), static_cast<const T *>(a), n);                                       \
  }                                                                                                 \
  static void finish_##fn##_##t(void *d, const void *a, const void *, const void *, int) {          \
    *static_cast<T *>(d) = static_cast<T>(finishPartial<Way>(static_cast<const W *>(a)));           \
  }

#define NUMBERS(t, T)                                              \
  BINARY(add_##t, T, T, add_(x, y))                                \
  BINARY(sub_##t, T, T, sub_(x, y))                                \
  BINARY(mul_##t, T, T, mul_(x, y))                                \
  BINARY(div_##t, T, T, div_(x, y))                                \
  BINARY(min_##t, T, T, min_(x, y))                                \
  BINARY(max_##t, T, T, max_(x, y))                                \
  UNARY(neg_##t, T, T, neg_(x))                                    \
  UNARY(abs_##t, T, T, abs_(x))                                    \
  COMPARE(eq_##t, T, ==)                                           \
  COMPARE(ne_##t, T, !=)                                           \
  COMPARE(lt_##t, T, <)                                            \
  COMPARE(le_##t, T, <=)                                           \
  COMPARE(gt_##t, T, >)                                            \
  COMPARE(ge_##t, T, >=)                                           \
  REDUCTION(prod, t, T, T, ProductOf, reduceAlong<ProductOf>)      \
  REDUCTION(max, t, T, T, MaximumOf, reduceAlong<MaximumOf>)       \
  REDUCTION(min, t, T, T, MinimumOf, reduceAlong<MinimumOf>)

NUMBERS(i32, int32_t)
NUMBERS(i64, int64_t)
NUMBERS(f32, float)
NUMBERS(f64, double)
REDUCTION(sum, i32, int32_t, int32_t, SumOf, reduceAlong<SumOf>)
REDUCTION(sum, i64, int64_t, int64_t, SumOf, reduceAlong<SumOf>)
// Sums of float32 are accumulated in float64, so that the order of addition hardly shows.
REDUCTION(sum, f32, float, double, SumOf, sumAlong)
REDUCTION(sum, f64, double, double, SumOf, reduceAlong<SumOf>)
UNARY(narrow_sum_f32, float, double, static_cast<float>(x))
REDUCTION(any, i32, int32_t, int32_t, AnyOf, reduceAlong<AnyOf>)
REDUCTION(all, i32, int32_t, int32_t, AllOf, reduceAlong<AllOf>)

#define INTEGERS(t, T)                          \
  BINARY(rem_##t, T, T, rem_(x, y))             \
  BINARY(and_##t, T, T, and_(x, y))             \
  BINARY(or_##t, T, T, or_(x, y))               \
  BINARY(xor_##t, T, T, xor_(x, y))             \
  BINARY(shl_##t, T, T, shl_(x, y))             \
  BINARY(shr_##t, T, T, shr_(x, y))             \
  BINARY(shrUnsigned_##t, T, T, shrUnsigned_(x, y)) \
  UNARY(not_##t, T, T, not_(x))
INTEGERS(i32, int32_t)
INTEGERS(i64, int64_t)
#undef INTEGERS

#define FLOATS(t, T)                 \
  UNARY(sqrt_##t, T, T, sqrt_(x))    \
  UNARY(floor_##t, T, T, floor_(x))  \
  UNARY(ceil_##t, T, T, ceil_(x))    \
  UNARY(trunc_##t, T, T, trunc_(x))  \
  UNARY(nearest_##t, T, T, nearest_(x))
FLOATS(f32, float)
FLOATS(f64, double)
#undef FLOATS

#define CAST(from, From, to, To) UNARY(cast_##from##_##to, To, From, cast_<To>(x))
CAST(i32, int32_t, i64, int64_t)
CAST(i32, int32_t, f32, float)
CAST(i32, int32_t, f64, double)
CAST(i64, int64_t, i32, int32_t)
CAST(i64, int64_t, f32, float)
CAST(i64, int64_t, f64, double)
CAST(f32, float, i32, int32_t)
CAST(f32, float, i64, int64_t)
CAST(f32, float, f64, double)
CAST(f64, double, i32, int32_t)
CAST(f64, double, i64, int64_t)
CAST(f64, double, f32, float)
#undef CAST

UNARY(not_bool, int32_t, int32_t, x ^ 1)
UNARY(copy_4, int32_t, int32_t, x)
UNARY(copy_8, int64_t, int64_t, x)

#define SELECT(name, T)                                                         \
  static void name(void *d, const void *a, const void *b, const void *c, int n) { \
    T *const result = static_cast<T *>(d);                                      \
    const int32_t *const condition = static_cast<const int32_t *>(a);           \
    const T *const first = static_cast<const T *>(b);                           \
    const T *const second = static_cast<const T *>(c);                          \
    INDEPENDENT for (int i = 0; i < n; i++) {                                   \
      const T x = first[i];                                                     \
      const T y = second[i];                                                    \
      result[i] = condition[i] ? x : y;                                         \
    }                                                                           \
  }
SELECT(select_4, int32_t)
SELECT(select_8, int64_t)
#undef SELECT

#define FUNCTION_1(fn, type, T) UNARY(fn##_##type, T, T, math_##fn(x))
#define FUNCTION_2(fn, type, T) BINARY(fn##_##type, T, T, math_##fn(x, y))
#define FUNCTION_3(fn, type, T) TERNARY(fn##_##type, T, math_##fn(x, y, z))
#include "generated/function-list.inc"
#undef FUNCTION_1
#undef FUNCTION_2
#undef FUNCTION_3

/** By number of instruction; null where the interpreter itself acts. */
static const Operation operationTable[] = {
#define CONTROL(name) nullptr,
#define OPERATION(name) name,
#include "generated/opcodes.inc"
#undef CONTROL
#undef OPERATION
};

enum Control : int32_t {
#define CONTROL(name) control_##name,
#define OPERATION(name)
#include "generated/opcodes.inc"
#undef CONTROL
#undef OPERATION
};

}  // namespace ANTORCHA_ISA
}  // namespace antorcha
