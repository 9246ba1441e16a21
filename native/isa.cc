// Chooses the instruction set, once.

#include "isa.h"

#include <cstdlib>
#include <cstring>

#include "evaluate.h"
#include "product.h"

namespace antorcha {

#define ANTORCHA_TABLE(isa) {#isa, isa::evaluate, isa::multiplyFloat, isa::multiplyDouble}

namespace {

bool allowed(const char *name) {
  const char *wanted = std::getenv("ANTORCHA_ISA");
  return wanted == nullptr || std::strcmp(wanted, name) == 0;
}

Functions choose() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (allowed("avx512") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    return ANTORCHA_TABLE(avx512);
  if ((allowed("avx2") || allowed("avx512")) && __builtin_cpu_supports("avx2") &&
      __builtin_cpu_supports("fma"))
    return ANTORCHA_TABLE(avx2);
#endif
  return ANTORCHA_TABLE(baseline);
}

}  // namespace

const Functions &functions() {
  static const Functions chosen = choose();
  return chosen;
}

}  // namespace antorcha
