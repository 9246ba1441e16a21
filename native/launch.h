// The parameters of a launch of a program, and in which blocks its outer dimensions are walked.
#pragma once

#include <algorithm>
#include <cstdlib>

#include "elements.h"
#include "evaluate.h"

namespace antorcha {
namespace ANTORCHA_ISA {
namespace {

/** A launch's parameters, where layout.ts puts them. */
struct Parameters {
  const Program &program;
  uint8_t *memory;
  const uint8_t *block;
  const int32_t *extents;
  const int32_t *strides;
  const uint8_t *scalars;
  int rank;

  Parameters(const Program &p, uint8_t *bytes, const uint8_t *params) : program(p), memory(bytes), block(params) {
    rank = p.outerRank + p.loopRank;
    extents = reinterpret_cast<const int32_t *>(params + 4 * p.operands);
    strides = extents + rank;
    const size_t end = 4 * (p.operands + rank + p.operands * rank + p.operands * maximumAt);
    scalars = params + (end + 7) / 8 * 8;
  }

  uint8_t *pointer(int operand) const {
    return memory + reinterpret_cast<const uint32_t *>(block)[operand];
  }
  intptr_t stride(int operand, int dim) const { return strides[operand * rank + dim]; }
};

/** In which blocks the innermost outer dimension is walked. */
struct Tiling {
  int block = 0;
  size_t blocksPerRow = 1;
  /** Positions of the dimension before it that belong to a task, one block after the other. */
  int rows = 1;
  /** How many whole rows, positions of the dimension before, one block has; above 1 only where rows are short. */
  int joined = 1;
};

/**
 * Blocks as long as the program likes, of several rows where these are short; but where an operand's neighbours lie along the dimension before the innermost one (a
 * transpose), so short that the cache lines they touch are still in the first-level cache at the next position of that one.
 */
Tiling tilingOf(const Parameters &p) {
  constexpr int linesHeld = 256;
  const int last = p.program.outerRank - 1;
  int block = p.program.block, rows = 1;
  if (last > 0 && p.extents[last] <= block / 4)
    return {block, 1, 1, std::min(p.extents[last - 1], block / p.extents[last])};
  if (last > 0 && p.program.loopRank == 0)
    for (int o = 0; o < p.program.operands; o++) {
      const int itemsize = itemsizes[p.program.dtypes[o]];
      if (std::abs(p.stride(o, last)) <= 64 || std::abs(p.stride(o, last - 1)) != itemsize) continue;
      block = std::min(block, linesHeld);
      rows = p.extents[last - 1];
    }
  return {block, (static_cast<size_t>(p.extents[last]) + block - 1) / block, rows, 1};
}

/** How many rows along the loop, positions of the last outer dimension, one block has: above 1 where rows are short. */
int rowsTogether(const Parameters &p) {
  if (p.program.outerRank == 0 || p.program.loopRank != 1) return 1;
  const int length = p.extents[p.rank - 1], block = p.program.block;
  if (length == 0 || length > block / 4) return 1;
  // Each row has its partial results, too.
  return std::min(p.extents[p.program.outerRank - 1], block / std::max(length, reductionLanes));
}

/** In how many groups of up to `size` the rows of a dimension are taken. */
size_t groupsOf(int rows, int size) { return (static_cast<size_t>(rows) + size - 1) / size; }

}  // namespace
}  // namespace ANTORCHA_ISA
}  // namespace antorcha
