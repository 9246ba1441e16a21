// Sums of products, described: c[batch, row, column] = sum over depth of a[batch, row, depth] b[batch, depth, column].
// Each of the four may be several dimensions with strides of their own, so that matrix products of any layout and batch, and
// convolutions over padded images with both of their gradients, are all of this one form.
#pragma once

#include <cstdint>

namespace antorcha {

constexpr int productRank = 8;

/** One of the four index spaces: its extents, and the steps of up to three operands, in elements. */
struct Space {
  int rank = 0;
  int64_t count = 1;
  int64_t extents[productRank];
  int64_t steps[3][productRank];
};

struct Product {
  const void *a;
  const void *b;
  void *c;
  /** Steps of a, b, c. */
  Space batch;
  /** Steps of a and c. */
  Space rows;
  /** Steps of b and c. */
  Space columns;
  /** Steps of a and b. */
  Space depth;
};

/**
 * Sorts a launch's dimensions into rows, columns, depth and batch, and computes it. `launch` is, in 32-bit words: the
 * bytes of an element (4 or 8), the ranks of the outer space and of the loop, the addresses of a, b and c, all extents,
 * and for each operand its steps along all dimensions, in elements. Returns false for more dimensions than a space has.
 */
bool launchProduct(uint8_t *memory, const int32_t *launch, void (*multiplyFloat)(const Product &),
                   void (*multiplyDouble)(const Product &));

namespace baseline {
void multiplyFloat(const Product &product);
void multiplyDouble(const Product &product);
}
namespace avx2 {
void multiplyFloat(const Product &product);
void multiplyDouble(const Product &product);
}
namespace avx512 {
void multiplyFloat(const Product &product);
void multiplyDouble(const Product &product);
}

}  // namespace antorcha
