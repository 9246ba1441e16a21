// Programs: kernels of the library's kernel language as lists of instructions, made by src/backends/cpu/native-program.ts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace antorcha {

/** Partial results of a reduction along a block. */
constexpr int reductionLanes = 32;
/** Coordinates that an operand may have in the parameter block (layout.ts). */
constexpr int maximumAt = 4;

/** In `x` of reductions along a block: bytes of an element (times 16) and of a partial result, or the other way round at the end. */
constexpr int reductionOfRows = 0x10000, finishesRows = 0x100;

struct Instruction {
  int32_t op;
  /** Slots: of the result, and of up to three arguments. */
  int32_t d, a, b, c;
  /** One more number: an operand, a dimension, an index of a constant. */
  int32_t x;
};

struct Program {
  int operands;
  int outerRank;
  int loopRank;
  /** Whether blocks run along the innermost loop dimension, or along the innermost outer one. */
  bool inner;
  int slots;
  /** Elements that one instruction computes at a time: blocks of intermediate values stay in the first-level cache. */
  int block;
  /** Instructions that are carried out once per launch: constants and scalars. */
  int prologue;
  /** About how many instructions an element costs, for sharing work out. */
  int cost;
  std::vector<int32_t> dtypes;
  std::vector<Instruction> instructions;
  std::vector<uint64_t> constants;

  Program(const int32_t *code, size_t length, const uint64_t *values, size_t count) {
    const int32_t *at = code;
    operands = *at++;
    outerRank = *at++;
    loopRank = *at++;
    inner = *at++ != 0;
    slots = *at++;
    block = *at++;
    prologue = *at++;
    cost = *at++;
    dtypes.assign(at, at + operands);
    at += operands;
    for (; at + 6 <= code + length; at += 6) instructions.push_back({at[0], at[1], at[2], at[3], at[4], at[5]});
    constants.assign(values, values + count);
  }
};

namespace baseline {
void evaluate(const Program &program, uint8_t *memory, const uint8_t *params);
}
namespace avx2 {
void evaluate(const Program &program, uint8_t *memory, const uint8_t *params);
}
namespace avx512 {
void evaluate(const Program &program, uint8_t *memory, const uint8_t *params);
}

}  // namespace antorcha
