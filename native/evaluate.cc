// Runs programs (evaluate.h): walks the loops of a kernel, and at each place carries out its instructions on a block of
// elements. A kernel so passes over memory once, and its intermediate values stay in the first-level cache.

#include "evaluate.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "copy.h"
#include "elements.h"
#include "launch.h"
#include "operations.h"
#include "pool.h"

namespace antorcha {
namespace ANTORCHA_ISA {
namespace {

/** Bytes between the blocks of two slots: not a multiple of 4096, so that they do not compete for the same cache lines. */
constexpr size_t slotBytesOf(int block) { return 8 * static_cast<size_t>(block) + 192; }

/** Elements, weighted with the cost of one, that are worth giving to a thread. */
constexpr size_t workPerRange = 1 << 17;

/** One thread's evaluation of a part of a launch. */
class Evaluation {
 public:
  explicit Evaluation(const Parameters &parameters)
      : p_(parameters),
        program_(parameters.program),
        code_(program_.instructions.data()),
        block_(program_.block),
        slotBytes_(slotBytesOf(block_)) {
    const size_t slots = program_.slots;
    const size_t operands = program_.operands;
    static thread_local std::unique_ptr<uint8_t[]> scratch;
    static thread_local size_t reserved = 0;
    const size_t wanted = slots * (slotBytes_ + sizeof(uint8_t *)) + 2 * operands * sizeof(uint8_t *) +
                          2 * operands * sizeof(intptr_t) + program_.loopRank * sizeof(int) + 128;
    if (wanted > reserved) {
      scratch.reset(new uint8_t[wanted]);
      reserved = wanted;
    }
    auto at = reinterpret_cast<uintptr_t>(scratch.get());
    blocks_ = reinterpret_cast<uint8_t *>((at + 63) / 64 * 64);
    slot_ = reinterpret_cast<uint8_t **>(blocks_ + slots * slotBytes_);
    outer_ = slot_ + slots;
    inLoop_ = outer_ + operands;
    steps_ = reinterpret_cast<intptr_t *>(inLoop_ + operands);
    index_ = reinterpret_cast<int *>(steps_ + 2 * operands);
    rowDimension_ = program_.outerRank - (program_.inner ? 1 : 2);
    columnDimension_ = program_.inner ? p_.rank - 1 : program_.outerRank - 1;
    const int outermostOfBlock = program_.outerRank - 1;
    for (int o = 0; o < program_.operands; o++) {
      steps_[2 * o] = outermostOfBlock < 0 ? 0 : p_.stride(o, outermostOfBlock);
      steps_[2 * o + 1] = p_.stride(o, columnDimension_);
    }
    for (size_t s = 0; s < slots; s++) slot_[s] = blocks_ + s * slotBytes_;
    run(0, program_.prologue, block_);
  }

  /**
   * Block by block along the innermost outer dimension. A task is a block at one position of the others, or, where blocks are
   * short because some operand's elements lie apart (see `tileOf`), at all positions of the dimension before it.
   */
  void along(size_t begin, size_t end, const Tiling &tiling) {
    const int last = program_.outerRank - 1;
    const int extent = p_.extents[last];
    for (size_t task = begin; task < end; task++) {
      const int start = static_cast<int>(task % tiling.blocksPerRow) * tiling.block;
      place(task / tiling.blocksPerRow, tiling.rows > 1 ? last - 1 : last);
      for (int o = 0; o < program_.operands; o++) outer_[o] += start * p_.stride(o, last);
      outerStart_ = start;
      for (int row = 0; row < tiling.rows; row++) {
        if (tiling.rows > 1) outerIndex_[last - 1] = row;
        run(program_.prologue, static_cast<int>(program_.instructions.size()), std::min(tiling.block, extent - start));
        if (tiling.rows > 1)
          for (int o = 0; o < program_.operands; o++) outer_[o] += p_.stride(o, last - 1);
      }
    }
  }

  /** Blocks of several whole rows: the positions of `rowDimension_`, and in each those of `columnDimension_`. */
  void joined(size_t begin, size_t end, int together) {
    const int rows = p_.extents[rowDimension_];
    const size_t groups = groupsOf(rows, together);
    rowLength_ = p_.extents[columnDimension_];
    outerStart_ = 0;
    for (size_t task = begin; task < end; task++) {
      const int start = static_cast<int>(task % groups) * together;
      place(task / groups, rowDimension_);
      for (int o = 0; o < program_.operands; o++) outer_[o] += start * p_.stride(o, rowDimension_);
      outerIndex_[rowDimension_] = start;
      rows_ = std::min(together, rows - start);
      run(program_.prologue, static_cast<int>(program_.instructions.size()), program_.inner ? rows_ : rows_ * rowLength_);
    }
    rows_ = 1;
  }

  /** One outer position after the other, in blocks along the loop. */
  void across(size_t begin, size_t end) {
    place(begin, program_.outerRank);
    for (size_t position = begin; position < end; position++) {
      run(program_.prologue, static_cast<int>(program_.instructions.size()), 1);
      advance();
    }
  }

 private:
  // The operands' addresses at a position in the first `rank` outer dimensions.
  void place(size_t position, int rank) {
    for (int o = 0; o < program_.operands; o++) outer_[o] = p_.pointer(o);
    for (int dim = rank - 1; dim >= 0; dim--) {
      const size_t extent = p_.extents[dim];
      const intptr_t index = position % extent;
      position /= extent;
      outerIndex_[dim] = static_cast<int>(index);
      for (int o = 0; o < program_.operands; o++) outer_[o] += index * p_.stride(o, dim);
    }
  }

  // From one outer position to the next.
  void advance() {
    for (int dim = program_.outerRank - 1; dim >= 0; dim--) {
      for (int o = 0; o < program_.operands; o++) outer_[o] += p_.stride(o, dim);
      if (++outerIndex_[dim] < p_.extents[dim]) return;
      for (int o = 0; o < program_.operands; o++) outer_[o] -= p_.extents[dim] * p_.stride(o, dim);
      outerIndex_[dim] = 0;
    }
  }

  /** Whether an operand's elements of a block are equally far apart: those of several rows may not be. */
  bool isOneRow(int operand, bool loop) const {
    if (rows_ == 1 || loop != program_.inner) return rows_ == 1 || program_.inner;
    return p_.stride(operand, rowDimension_) == rowLength_ * p_.stride(operand, columnDimension_);
  }

  /** Bytes from one element of a block to the next. */
  intptr_t step(int operand, bool loop) const { return steps_[2 * operand + loop]; }

  void run(int from, int to, int n) {
    for (int i = from; i < to; i++) {
      const Instruction &in = code_[i];
      const Operation operation = operationTable[in.op];
      if (operation != nullptr && in.x >= reductionOfRows) {
        reduceRows(in, operation, n);
        continue;
      }
      if (operation != nullptr) {
        // The last operation of a value that is stored as it is writes it to where it belongs.
        uint8_t *d = blocks_ + in.d * slotBytes_;
        if (in.x != 0) {
          const int operand = std::abs(in.x) - 1;
          if (step(operand, in.x < 0) == itemsizes[program_.dtypes[operand]] && isOneRow(operand, in.x < 0))
            d = in.x < 0 ? inLoop_[operand] : outer_[operand];
        }
        operation(d, slot_[in.a], slot_[in.b], slot_[in.c], n);
        slot_[in.d] = d;
        continue;
      }
      if (in.op == control_loop) {
        loop(i, n);
        i = in.x;
      } else
        control(in, n);
    }
  }

  // One value for each row, to all places of its row.
  template <class T>
  void spread(uint8_t *to, const uint8_t *from) const {
    const int length = rows_ == 1 ? std::min(block_, p_.extents[p_.rank - 1]) : rowLength_;
    for (int row = 0; row < rows_; row++)
      std::fill_n(reinterpret_cast<T *>(to) + row * length, length, reinterpret_cast<const T *>(from)[row]);
  }

  // A reduction along the block, of each of its rows for itself.
  void reduceRows(const Instruction &in, Operation operation, int n) {
    uint8_t *const d = blocks_ + in.d * slotBytes_;
    const bool finishes = (in.x & finishesRows) != 0;
    const int from = in.x >> 4 & 15, to = in.x & 15;
    const int length = rows_ == 1 ? n : rowLength_;
    const size_t step = (finishes ? reductionLanes : length) * from, resultStep = (finishes ? 1 : reductionLanes) * to;
    for (int row = 0; row < rows_; row++)
      operation(d + row * resultStep, slot_[in.a] + row * step, nullptr, nullptr, length);
    slot_[in.d] = d;
  }

  void control(const Instruction &in, int n) {
    uint8_t *const d = blocks_ + in.d * slotBytes_;
    switch (in.op) {
      case control_constant:
      case control_scalar: {
        uint64_t bits;
        if (in.op == control_constant) bits = program_.constants[in.x];
        else std::memcpy(&bits, p_.scalars + 8 * in.x, 8);
        if (in.a == 8) std::fill_n(reinterpret_cast<uint64_t *>(d), block_, bits);
        else std::fill_n(reinterpret_cast<uint32_t *>(d), block_, static_cast<uint32_t>(bits));
        return;
      }
      case control_index: {
        const bool inLoop = in.a != 0;
        const bool along = in.x == (inLoop ? program_.loopRank : program_.outerRank) - 1 && (program_.inner || !inLoop);
        int32_t *const target = reinterpret_cast<int32_t *>(d);
        slot_[in.d] = d;
        if (rows_ > 1 && inLoop == program_.inner) {
          const int dimension = inLoop ? program_.outerRank + in.x : in.x;
          if (dimension == columnDimension_ || dimension == rowDimension_) {
            const int start = dimension == rowDimension_ ? outerIndex_[rowDimension_] : 0;
            for (int row = 0, i = 0; row < rows_; row++)
              for (int column = 0; column < rowLength_; column++)
                target[i++] = start + (dimension == rowDimension_ ? row : column);
            return;
          }
        }
        const int base = inLoop ? (along ? loopStart_ : index_[in.x]) : along && !program_.inner ? outerStart_ : outerIndex_[in.x];
        for (int i = 0; i < n; i++) target[i] = base + (along ? i : 0);
        return;
      }
      case control_load: {
        const bool inLoop = in.a != 0;
        const auto dtype = static_cast<DType>(program_.dtypes[in.x]);
        uint8_t *const source = inLoop ? inLoop_[in.x] : outer_[in.x];
        const intptr_t bytes = step(in.x, inLoop);
        const bool oneRow = isOneRow(in.x, inLoop);
        const bool asItIs = dtype >= dtypeInt32 && bytes == itemsizes[dtype] && in.b == 0 && oneRow;
        slot_[in.d] = asItIs ? source : d;
        if (asItIs) return;
        if (oneRow) return load(dtype, d, source, bytes, n);
        const intptr_t rowStep = p_.stride(in.x, rowDimension_);
        for (int row = 0; row < rows_; row++)
          load(dtype, d + row * rowLength_ * valueBytes(dtype), source + row * rowStep, bytes, rowLength_);
        return;
      }
      case control_store: {
        const bool inLoop = in.b != 0;
        uint8_t *const target = inLoop ? inLoop_[in.x] : outer_[in.x];
        const auto dtype = static_cast<DType>(program_.dtypes[in.x]);
        const intptr_t bytes = step(in.x, inLoop);
        if (isOneRow(in.x, inLoop)) {
          if (slot_[in.a] != target || bytes != itemsizes[dtype]) store(dtype, target, slot_[in.a], bytes, n);
          return;
        }
        const intptr_t rowStep = p_.stride(in.x, rowDimension_);
        for (int row = 0; row < rows_; row++)
          store(dtype, target + row * rowStep, slot_[in.a] + row * rowLength_ * valueBytes(dtype), bytes, rowLength_);
        return;
      }
      case control_spread:
        if (in.b == 8) spread<uint64_t>(d, slot_[in.a]);
        else spread<uint32_t>(d, slot_[in.a]);
        slot_[in.d] = d;
        return;
      case control_start: {
        const int count = in.c != 0 ? reductionLanes * rows_ : n;
        std::memcpy(d, slot_[in.a], static_cast<size_t>(count) * in.b);
        slot_[in.d] = d;
        return;
      }
      default:
        return;
    }
  }

  /** Whether a loop adds up float32 rows of neighbours and does nothing else: these are added several at a time. */
  bool isRowSum(int at) const {
    if (program_.inner || rows_ > 1 || code_[at].x != at + 3 || code_[at + 1].op != control_load) return false;
    const int operand = code_[at + 1].x;
    return operationTable[code_[at + 2].op] == each_sum_f32 && code_[at + 2].a == code_[at + 1].d &&
           code_[at + 1].a != 0 && program_.dtypes[operand] == dtypeFloat32 && step(operand, true) == sizeof(float);
  }

  /** The instructions after a `loop` up to its `end`, at every place of the loop space. */
  void loop(int at, int n) {
    const int end = code_[at].x;
    const int rank = program_.loopRank;
    const int innermost = rank - 1;
    const int32_t *const extents = p_.extents + program_.outerRank;
    for (int d = 0; d < rank; d++) {
      if (extents[d] == 0) return;
      index_[d] = 0;
    }
    for (int o = 0; o < program_.operands; o++) inLoop_[o] = outer_[o];
    const bool plainSum = isRowSum(at);
    for (;;) {
      if (plainSum) {
        const int operand = code_[at + 1].x;
        sumRows(reinterpret_cast<double *>(slot_[code_[at + 2].d]), inLoop_[operand], p_.stride(operand, p_.rank - 1),
                extents[innermost], n);
      } else if (program_.inner) {
        const int extent = extents[innermost];
        for (int start = 0; start < extent; start += block_) {
          const int count = std::min(block_, extent - start);
          loopStart_ = start;
          run(at + 1, end, rows_ * count);
          for (int o = 0; o < program_.operands; o++) inLoop_[o] += count * step(o, true);
        }
        for (int o = 0; o < program_.operands; o++) inLoop_[o] -= extent * step(o, true);
      } else
        run(at + 1, end, n);
      int d = program_.inner || plainSum ? innermost - 1 : innermost;
      for (; d >= 0; d--) {
        const int dim = program_.outerRank + d;
        index_[d]++;
        for (int o = 0; o < program_.operands; o++) inLoop_[o] += p_.stride(o, dim);
        if (index_[d] < extents[d]) break;
        for (int o = 0; o < program_.operands; o++) inLoop_[o] -= extents[d] * p_.stride(o, dim);
        index_[d] = 0;
      }
      if (d < 0) return;
    }
  }

  const Parameters &p_;
  const Program &program_;
  const Instruction *const code_;
  const int block_;
  const size_t slotBytes_;
  uint8_t *blocks_;
  /** Where each slot's elements lie: in its block, or in an operand's memory. */
  uint8_t **slot_;
  /** The operands' addresses at this outer position, and at this place of the loop. */
  uint8_t **outer_;
  uint8_t **inLoop_;
  /** Bytes from one element of a block to the next, of each operand outside and inside of the loop. */
  intptr_t *steps_;
  int *index_;
  int outerIndex_[32];
  int outerStart_ = 0;
  int loopStart_ = 0;
  /** Rows of the block, and elements of each, where it has several. */
  int rows_ = 1;
  int rowLength_ = 0;
  int rowDimension_ = 0;
  int columnDimension_ = 0;
};

}  // namespace

void evaluate(const Program &program, uint8_t *memory, const uint8_t *params) {
  const Parameters parameters(program, memory, params);
  size_t positions = 1;
  for (int d = 0; d < program.outerRank - (program.inner ? 0 : 1); d++) positions *= parameters.extents[d];
  size_t loop = 1;
  for (int d = 0; d < program.loopRank; d++) loop *= parameters.extents[program.outerRank + d];
  const size_t cost = std::max<size_t>(1, loop) * program.cost;
  const auto inGroups = [&](int dimension, int together, size_t rowCost) {
    const size_t before = positions / parameters.extents[dimension];
    parallelFor(before * groupsOf(parameters.extents[dimension], together),
                std::max<size_t>(1, workPerRange / (rowCost * together)),
                [&](size_t begin, size_t end) { Evaluation(parameters).joined(begin, end, together); });
  };
  if (program.inner) {
    if (const int together = rowsTogether(parameters); together > 1) return inGroups(program.outerRank - 1, together, cost);
    parallelFor(positions, std::max<size_t>(1, workPerRange / cost), [&](size_t begin, size_t end) {
      Evaluation(parameters).across(begin, end);
    });
    return;
  }
  if (const Transposition transposition = transpositionOf(parameters); transposition.found) {
    const size_t each = static_cast<size_t>(parameters.extents[program.outerRank - 2]) * parameters.extents[program.outerRank - 1];
    parallelFor(positions / parameters.extents[program.outerRank - 2], std::max<size_t>(1, workPerRange / each),
                [&](size_t begin, size_t end) {
                  for (size_t i = begin; i < end; i++) transposeAt(parameters, transposition, i);
                });
    return;
  }
  const Tiling tiling = tilingOf(parameters);
  if (tiling.joined > 1)
    return inGroups(program.outerRank - 2, tiling.joined, cost * parameters.extents[program.outerRank - 1]);
  const size_t extent = std::min(parameters.extents[program.outerRank - 1], tiling.block);
  parallelFor(positions / tiling.rows * tiling.blocksPerRow, std::max<size_t>(1, workPerRange / (cost * tiling.rows * extent)),
              [&](size_t begin, size_t end) { Evaluation(parameters).along(begin, end, tiling); });
}

}  // namespace ANTORCHA_ISA
}  // namespace antorcha
