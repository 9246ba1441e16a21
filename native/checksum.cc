// CRC-32 by carry-less multiplication where the processor has it (Gopal et al., "Fast CRC Computation for Generic
// Polynomials Using PCLMULQDQ Instruction", Intel 2009), by the instructions of ARM, else by tables.

#include "checksum.h"

#include <array>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace antorcha {
namespace {

// Bits are reflected: the highest stands for the lowest power of x.
constexpr uint32_t polynomial = 0xedb88320;

using Tables = std::array<std::array<uint32_t, 256>, 8>;

constexpr Tables makeTables() {
  Tables tables{};
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t value = i;
    for (int bit = 0; bit < 8; bit++) value = value & 1 ? (value >> 1) ^ polynomial : value >> 1;
    tables[0][i] = value;
  }
  for (size_t t = 1; t < tables.size(); t++)
    for (uint32_t i = 0; i < 256; i++)
      tables[t][i] = (tables[t - 1][i] >> 8) ^ tables[0][tables[t - 1][i] & 255];
  return tables;
}

constexpr Tables tables = makeTables();

/** Eight bytes a step. Here and below `state` is the sum with all bits turned over. */
uint32_t updateByTables(uint32_t state, const uint8_t *bytes, size_t size) {
  for (; size >= 8; size -= 8, bytes += 8) {
    state ^= static_cast<uint32_t>(bytes[0]) | static_cast<uint32_t>(bytes[1]) << 8 |
             static_cast<uint32_t>(bytes[2]) << 16 | static_cast<uint32_t>(bytes[3]) << 24;
    state = tables[7][state & 255] ^ tables[6][(state >> 8) & 255] ^ tables[5][(state >> 16) & 255] ^
            tables[4][state >> 24] ^ tables[3][bytes[4]] ^ tables[2][bytes[5]] ^ tables[1][bytes[6]] ^
            tables[0][bytes[7]];
  }
  for (; size > 0; size--, bytes++) state = tables[0][(state ^ *bytes) & 255] ^ (state >> 8);
  return state;
}

#if defined(__x86_64__)

#define FOLDING __attribute__((target("pclmul,sse4.1")))

FOLDING inline __m128i load(const uint8_t *bytes) {
  return _mm_loadu_si128(reinterpret_cast<const __m128i *>(bytes));
}

/** `value` moved on by the distance that the two constants of `by` stand for. */
FOLDING inline __m128i fold(__m128i value, __m128i by) {
  return _mm_xor_si128(_mm_clmulepi64_si128(value, by, 0x00), _mm_clmulepi64_si128(value, by, 0x11));
}

/** For sizes that are multiples of 16, from 64 on. The constants are powers of x modulo the polynomial. */
FOLDING uint32_t updateByFolding(uint32_t state, const uint8_t *bytes, size_t size) {
  const __m128i by64 = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
  const __m128i by16 = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
  __m128i a = _mm_xor_si128(load(bytes), _mm_cvtsi32_si128(static_cast<int>(state)));
  __m128i b = load(bytes + 16);
  __m128i c = load(bytes + 32);
  __m128i d = load(bytes + 48);
  for (bytes += 64, size -= 64; size >= 64; bytes += 64, size -= 64) {
    a = _mm_xor_si128(fold(a, by64), load(bytes));
    b = _mm_xor_si128(fold(b, by64), load(bytes + 16));
    c = _mm_xor_si128(fold(c, by64), load(bytes + 32));
    d = _mm_xor_si128(fold(d, by64), load(bytes + 48));
  }
  a = _mm_xor_si128(fold(a, by16), b);
  a = _mm_xor_si128(fold(a, by16), c);
  a = _mm_xor_si128(fold(a, by16), d);
  for (; size >= 16; bytes += 16, size -= 16) a = _mm_xor_si128(fold(a, by16), load(bytes));

  // 128 bits to 64, then to the 32 that remain when the polynomial is divided out (Barrett).
  const __m128i low32 = _mm_setr_epi32(~0, 0, ~0, 0);
  a = _mm_xor_si128(_mm_srli_si128(a, 8), _mm_clmulepi64_si128(a, by16, 0x10));
  const __m128i by4 = _mm_set_epi64x(0, 0x0163cd6124);
  a = _mm_xor_si128(_mm_srli_si128(a, 4), _mm_clmulepi64_si128(_mm_and_si128(a, low32), by4, 0x00));
  const __m128i quotient = _mm_set_epi64x(0x01f7011641, 0x01db710641);
  __m128i q = _mm_clmulepi64_si128(_mm_and_si128(a, low32), quotient, 0x10);
  q = _mm_clmulepi64_si128(_mm_and_si128(q, low32), quotient, 0x00);
  return static_cast<uint32_t>(_mm_extract_epi32(_mm_xor_si128(a, q), 1));
}

uint32_t update(uint32_t state, const uint8_t *bytes, size_t size) {
  static const bool folds = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
  if (folds && size >= 64) {
    const size_t whole = size & ~size_t{15};
    state = updateByFolding(state, bytes, whole);
    bytes += whole;
    size -= whole;
  }
  return updateByTables(state, bytes, size);
}

#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)

uint32_t update(uint32_t state, const uint8_t *bytes, size_t size) {
  for (; size >= 8; size -= 8, bytes += 8) {
    uint64_t word;
    std::memcpy(&word, bytes, 8);
    state = __builtin_aarch64_crc32x(state, word);
  }
  return updateByTables(state, bytes, size);
}

#else

uint32_t update(uint32_t state, const uint8_t *bytes, size_t size) { return updateByTables(state, bytes, size); }

#endif

/** The product of two polynomials modulo that of the sum. */
uint32_t multiply(uint32_t a, uint32_t b) {
  uint32_t product = 0;
  for (uint32_t bit = 0x80000000; bit != 0; bit >>= 1) {
    if (a & bit) product ^= b;
    b = b & 1 ? (b >> 1) ^ polynomial : b >> 1;
  }
  return product;
}

}  // namespace

uint32_t crc32(uint32_t sum, const uint8_t *bytes, size_t size) { return ~update(~sum, bytes, size); }

uint32_t crc32Shift(uint64_t size) {
  // x to the power of eight times the size, by squaring; the highest bit alone is 1.
  uint32_t result = 0x80000000;
  uint32_t square = 0x00800000;
  for (; size > 0; size >>= 1) {
    if (size & 1) result = multiply(result, square);
    square = multiply(square, square);
  }
  return result;
}

uint32_t crc32Combine(uint32_t first, uint32_t second, uint32_t shift) { return multiply(shift, first) ^ second; }

}  // namespace antorcha
