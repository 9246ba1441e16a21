// From launches of the library's `matmul` kernel to products: which dimension is what.

#include <algorithm>
#include <cstdlib>

#include "product.h"

namespace antorcha {
namespace {

/** Adds a dimension in order of size of the steps of `by`, the smallest last, so that neighbours come together. */
bool insert(Space &space, int64_t extent, const int64_t (&steps)[3], int by, int otherwise) {
  if (extent == 1) return true;
  if (space.rank == productRank) return false;
  const auto key = [&](int64_t first, int64_t second) { return std::abs(first != 0 ? first : second); };
  int at = space.rank++;
  for (; at > 0 && key(space.steps[by][at - 1], space.steps[otherwise][at - 1]) < key(steps[by], steps[otherwise]); at--) {
    space.extents[at] = space.extents[at - 1];
    for (auto &operand : space.steps) operand[at] = operand[at - 1];
  }
  space.extents[at] = extent;
  for (int o = 0; o < 3; o++) space.steps[o][at] = steps[o];
  space.count *= extent;
  return true;
}

/** Neighbouring dimensions that all operands walk as one become one. */
void merge(Space &space) {
  int kept = 0;
  for (int d = 1; d < space.rank; d++) {
    bool one = true;
    for (auto &operand : space.steps) one = one && operand[kept] == operand[d] * space.extents[d];
    if (one) {
      space.extents[kept] *= space.extents[d];
      for (auto &operand : space.steps) operand[kept] = operand[d];
      continue;
    }
    kept++;
    space.extents[kept] = space.extents[d];
    for (auto &operand : space.steps) operand[kept] = operand[d];
  }
  if (space.rank > 0) space.rank = kept + 1;
}

}  // namespace

bool launchProduct(uint8_t *memory, const int32_t *launch, void (*multiplyFloat)(const Product &),
                   void (*multiplyDouble)(const Product &)) {
  const int itemsize = launch[0], outerRank = launch[1], rank = launch[1] + launch[2];
  const int32_t *const extents = launch + 6;
  const int32_t *const strides = extents + rank;
  Product p{};
  const auto address = [&](int operand) { return memory + static_cast<uint32_t>(launch[3 + operand]); };
  p.a = address(0);
  p.b = address(1);
  p.c = address(2);
  for (int d = 0; d < rank; d++) {
    int64_t steps[3];
    for (int o = 0; o < 3; o++) steps[o] = strides[o * rank + d];
    bool fits = true;
    if (extents[d] == 0) return false;
    if (d >= outerRank) fits = insert(p.depth, extents[d], steps, 1, 0);
    else if (steps[0] != 0 && steps[1] == 0) fits = insert(p.rows, extents[d], steps, 2, 0);
    else if (steps[0] == 0) fits = insert(p.columns, extents[d], steps, 2, 1);
    else fits = insert(p.batch, extents[d], steps, 2, 0);
    if (!fits) return false;
  }
  for (Space *space : {&p.batch, &p.rows, &p.columns, &p.depth}) merge(*space);
  (itemsize == 8 ? multiplyDouble : multiplyFloat)(p);
  return true;
}

}  // namespace antorcha
