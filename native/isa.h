// What is compiled once for each instruction set, as one table of functions per set.
#pragma once

#include <cstddef>
#include <cstdint>

namespace antorcha {

struct Program;
struct Product;

struct Functions {
  /** `avx512`, `avx2` or `baseline` (SSE2 or NEON). */
  const char *name;
  /** Runs a launch of a program (evaluate.h) with parameters at `params`, on all threads. */
  void (*evaluate)(const Program &program, uint8_t *memory, const uint8_t *params);
  /** Compute a product (product.h) on all threads. */
  void (*multiplyFloat)(const Product &product);
  void (*multiplyDouble)(const Product &product);
};

/** The table of the best instruction set that this processor has, or of the one that ANTORCHA_ISA names. */
const Functions &functions();

}  // namespace antorcha
