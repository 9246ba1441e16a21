// Arithmetic on single elements with the kernel language's meaning: integers wrap, dividing by zero gives 0, `min` and
// `max` hand NaN on and order -0 before 0, conversions to integers saturate. Written without branches where compilers
// can then use vectors.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace antorcha {
namespace ANTORCHA_ISA {

template <typename To, typename From>
static inline To bits_(From value) {
  static_assert(sizeof(To) == sizeof(From), "bits_ keeps the width");
  return __builtin_bit_cast(To, value);
}

template <typename To, typename Bits>
constexpr To fromBits(Bits bits) {
  return __builtin_bit_cast(To, bits);
}

#define INTEGERS(T, U)                                                                                 \
  static inline T add_(T a, T b) { return static_cast<T>(static_cast<U>(a) + static_cast<U>(b)); }     \
  static inline T sub_(T a, T b) { return static_cast<T>(static_cast<U>(a) - static_cast<U>(b)); }     \
  static inline T mul_(T a, T b) { return static_cast<T>(static_cast<U>(a) * static_cast<U>(b)); }     \
  static inline T neg_(T a) { return static_cast<T>(U{0} - static_cast<U>(a)); }                       \
  static inline T neg(T a) { return neg_(a); }                                                         \
  static inline T abs_(T a) { return a < 0 ? neg_(a) : a; }                                            \
  static inline T div_(T a, T b) { return b == 0 ? T{0} : b == -1 ? neg_(a) : static_cast<T>(a / b); } \
  static inline T rem_(T a, T b) { return b == 0 || b == -1 ? T{0} : static_cast<T>(a % b); }          \
  static inline T min_(T a, T b) { return a < b ? a : b; }                                             \
  static inline T max_(T a, T b) { return a > b ? a : b; }                                             \
  static inline T and_(T a, T b) { return a & b; }                                                     \
  static inline T or_(T a, T b) { return a | b; }                                                      \
  static inline T xor_(T a, T b) { return a ^ b; }                                                     \
  static inline T not_(T a) { return ~a; }                                                             \
  static inline T shl_(T a, T b) {                                                                     \
    return static_cast<T>(static_cast<U>(a) << (static_cast<U>(b) & (8 * sizeof(T) - 1)));             \
  }                                                                                                    \
  static inline T shr_(T a, T b) { return a >> (static_cast<U>(b) & (8 * sizeof(T) - 1)); }            \
  static inline T shrUnsigned_(T a, T b) {                                                             \
    return static_cast<T>(static_cast<U>(a) >> (static_cast<U>(b) & (8 * sizeof(T) - 1)));             \
  }
INTEGERS(int32_t, uint32_t)
INTEGERS(int64_t, uint64_t)
#undef INTEGERS

#define FLOATS(T, I, suffix)                                                              \
  static inline T add_(T a, T b) { return a + b; }                                        \
  static inline T sub_(T a, T b) { return a - b; }                                        \
  static inline T mul_(T a, T b) { return a * b; }                                        \
  static inline T div_(T a, T b) { return a / b; }                                        \
  static inline T neg_(T a) { return -a; }                                                \
  static inline T abs_(T a) { return __builtin_fabs##suffix(a); }                         \
  static inline T sqrt_(T a) { return __builtin_sqrt##suffix(a); }                        \
  static inline T floor_(T a) { return __builtin_floor##suffix(a); }                      \
  static inline T ceil_(T a) { return __builtin_ceil##suffix(a); }                        \
  static inline T trunc_(T a) { return __builtin_trunc##suffix(a); }                      \
  static inline T nearest_(T a) { return __builtin_rint##suffix(a); }                     \
  static inline T min_(T a, T b) {                                                        \
    const T least = a < b ? a : b;                                                        \
    const T ordered = a == b ? bits_<T>(static_cast<I>(bits_<I>(a) | bits_<I>(b))) : least; \
    return a != a ? a : ordered;                                                          \
  }                                                                                       \
  static inline T max_(T a, T b) {                                                        \
    const T most = a > b ? a : b;                                                         \
    const T ordered = a == b ? bits_<T>(static_cast<I>(bits_<I>(a) & bits_<I>(b))) : most; \
    return a != a ? a : ordered;                                                          \
  }
FLOATS(float, int32_t, f)
FLOATS(double, int64_t, )
#undef FLOATS

template <typename To, typename From>
struct Cast {
  static inline To of(From a) { return static_cast<To>(a); }
};

// What the processor makes of numbers out of range is set right afterwards; x86 gives the least integer for all of them.
#define SATURATING(From, To, above)                                                     \
  template <>                                                                           \
  struct Cast<To, From> {                                                               \
    static inline To of(From a) {                                                       \
      const To whole = static_cast<To>(a);                                              \
      const To limited = a >= (above) ? std::numeric_limits<To>::max() : whole;         \
      const To bounded = a <= -(above) ? std::numeric_limits<To>::min() : limited;      \
      return a != a ? To{0} : bounded;                                                  \
    }                                                                                   \
  };
SATURATING(float, int32_t, 2147483648.0f)
SATURATING(float, int64_t, 9223372036854775808.0f)
SATURATING(double, int32_t, 2147483648.0)
SATURATING(double, int64_t, 9223372036854775808.0)
#undef SATURATING

template <typename To, typename From>
static inline To cast_(From a) {
  return Cast<To, From>::of(a);
}

}  // namespace ANTORCHA_ISA
}  // namespace antorcha
