// Products of float32 and float64 (product.h): operands are packed block by block and multiplied tile by tile, after K. Goto
// and R. van de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008). Each thread packs for itself.

#include "product.h"

#include <cstdlib>
#include <new>
#include <utility>

#include "pool.h"
#include "product_pack.h"
#include "product_thin.h"

namespace antorcha::ANTORCHA_ISA {
namespace {

/** Bytes of packed a that stay in the second-level cache, and of packed b that stay near while a changes. */
constexpr int64_t leftBytes = 512 * 1024;
constexpr int64_t rightBytes = 4 * 1024 * 1024;
/** Packed b where all of a is packed: read once for each panel of rows. */
constexpr int64_t smallRightBytes = 128 * 1024;
/** Multiplications that are worth another thread. */
constexpr int64_t leastWork = 1 << 17;

/** Memory of one thread, kept from product to product; grows to what the largest block needs. */
class Scratch {
 public:
  ~Scratch() { std::free(memory_); }
  template <class T>
  T *get(int64_t count) {
    const size_t bytes = (static_cast<size_t>(count) * sizeof(T) + 127) / 64 * 64;
    if (bytes > size_) {
      std::free(memory_);
      memory_ = std::aligned_alloc(64, bytes);
      size_ = memory_ == nullptr ? 0 : bytes;
      if (memory_ == nullptr) throw std::bad_alloc();
    }
    return static_cast<T *>(memory_);
  }

 private:
  void *memory_ = nullptr;
  size_t size_ = 0;
};

struct Workspace {
  Scratch left, right, rowsA, rowsC, columnsB, columnsC, depthA, depthB;
};
thread_local Workspace workspace;

/** The positions [begin, begin + count) of a space in two of its operands. */
void fillOffsets(const Space &space, int64_t begin, int64_t count, int x, int y, int64_t *first, int64_t *second) {
  if (space.rank <= 1) {
    const int64_t p = space.rank == 0 ? 0 : space.steps[x][0];
    const int64_t q = space.rank == 0 ? 0 : space.steps[y][0];
    for (int64_t i = 0; i < count; i++) {
      first[i] = (begin + i) * p;
      second[i] = (begin + i) * q;
    }
    return;
  }
  int64_t at[productRank];
  int64_t p = 0, q = 0, rest = begin;
  for (int d = space.rank - 1; d >= 0; d--) {
    at[d] = rest % space.extents[d];
    rest /= space.extents[d];
    p += at[d] * space.steps[x][d];
    q += at[d] * space.steps[y][d];
  }
  const int inner = space.rank - 1;
  const int64_t extent = space.extents[inner], dp = space.steps[x][inner], dq = space.steps[y][inner];
  for (int64_t i = 0; i < count;) {
    const int64_t end = std::min(count, i + extent - at[inner]);
    for (; i < end; i++, p += dp, q += dq, at[inner]++) {
      first[i] = p;
      second[i] = q;
    }
    if (i == count) return;
    for (int d = inner; d >= 0; d--) {
      if (at[d] < space.extents[d]) break;
      p -= at[d] * space.steps[x][d];
      q -= at[d] * space.steps[y][d];
      at[d] = 0;
      if (d == 0) break;
      at[d - 1]++;
      p += space.steps[x][d - 1];
      q += space.steps[y][d - 1];
    }
  }
}

/** A part of the rows and columns of one matrix of the batch, or of several. */
struct Part {
  int64_t batchBegin, batchEnd;
  int64_t rowBegin, rowEnd;
  int64_t columnBegin, columnEnd;
};

// A panel of rows with a panel of columns, into c where its columns are neighbours and its rows equally far apart, else aside.
template <class T>
void computePanel(Tile<T> &tile, T *c, const int64_t *rows, int height, const int64_t *columns, int width, bool byDepth) {
  const int vectors = (width + lanes<T> - 1) / lanes<T>;
  const int64_t step = height > 1 ? rows[1] - rows[0] : 0;
  bool regular = runLength(columns, 0, width) == width;
  for (int r = 2; regular && r < height; r++) regular = rows[r] - rows[r - 1] == step;
  const TileFunction<T> compute = tileTable<T>.functions[byDepth][height - 1][vectors - 1];
  tile.tail = width - (vectors - 1) * lanes<T>;
  if (regular) {
    tile.c = c + rows[0] + columns[0];
    tile.cStep = step;
    compute(tile);
    return;
  }
  alignas(64) T aside[tileRows * tileColumns<T>];
  const bool accumulate = tile.accumulate;
  tile.c = aside;
  tile.cStep = tileColumns<T>;
  tile.accumulate = false;
  compute(tile);
  tile.accumulate = accumulate;
  for (int r = 0; r < height; r++)
    for (int j = 0; j < width; j++) {
      T &at = c[rows[r] + columns[j]];
      const T value = aside[r * tileColumns<T> + j];
      at = accumulate ? at + value : value;
    }
}

template <class T>
void multiplyPart(const Product &p, const Part &part) {
  const int64_t rowCount = part.rowEnd - part.rowBegin, columnCount = part.columnEnd - part.columnBegin;
  const int64_t depth = p.depth.count;
  const int64_t depthBlocks = std::max<int64_t>(1, (depth + depthBlock<T> - 1) / depthBlock<T>);
  const int64_t deepest = (depth + depthBlocks - 1) / depthBlocks;
  const auto panels = [](int64_t n, int64_t of) { return (n + of - 1) / of; };
  const int64_t panelBytes = tileRows * packedRow<T> * sizeof(T);
  // Where all of a fits, it is packed once, for all columns and for all matrices of the batch that share it.
  const bool whole = panels(rowCount, tileRows) * depthBlocks * panelBytes <= leftBytes;
  const int64_t rowBlock =
      whole ? rowCount : std::min(rowCount, std::max<int64_t>(1, leftBytes / panelBytes) * tileRows);
  const int64_t fitting = (whole ? smallRightBytes : rightBytes) / (std::max<int64_t>(deepest, 1) * sizeof(T));
  const int64_t columnBlock =
      std::min(columnCount, std::max<int64_t>(1, fitting / tileColumns<T>) * tileColumns<T>);

  Workspace &own = workspace;
  const int64_t leftSize = panels(rowBlock, tileRows) * tileRows * packedRow<T>;
  T *left = own.left.get<T>(leftSize * (whole ? depthBlocks : 1));
  T *right = own.right.get<T>(panels(columnBlock, lanes<T>) * lanes<T> * deepest);
  int64_t *rowsA = own.rowsA.get<int64_t>(rowBlock), *rowsC = own.rowsC.get<int64_t>(rowBlock);
  int64_t *columnsB = own.columnsB.get<int64_t>(columnBlock), *columnsC = own.columnsC.get<int64_t>(columnBlock);
  int64_t *depthA = own.depthA.get<int64_t>(deepest), *depthB = own.depthB.get<int64_t>(deepest);
  bool byDepth = false;
  int64_t packedOffset = -1;
  int64_t filledDepth = -1, filledColumns = -1, filledRows = -1;

  for (int64_t item = part.batchBegin; item < part.batchEnd; item++) {
    int64_t offsetA, offsetB, offsetC, unused;
    fillOffsets(p.batch, item, 1, 0, 1, &offsetA, &offsetB);
    fillOffsets(p.batch, item, 1, 2, 2, &offsetC, &unused);
    const T *a = static_cast<const T *>(p.a) + offsetA;
    const T *b = static_cast<const T *>(p.b) + offsetB;
    T *c = static_cast<T *>(p.c) + offsetC;
    const bool packed = whole && offsetA == packedOffset;
    packedOffset = offsetA;
    for (int64_t j = 0; j < columnCount; j += columnBlock) {
      const int64_t columns = std::min(columnBlock, columnCount - j);
      if (filledColumns != j)
        fillOffsets(p.columns, part.columnBegin + j, columns, 1, 2, columnsB, columnsC);
      filledColumns = j;
      for (int64_t block = 0; block < depthBlocks; block++) {
        const int64_t k = block * deepest, blockDepth = std::min(deepest, depth - k);
        if (filledDepth != block) fillOffsets(p.depth, k, blockDepth, 0, 1, depthA, depthB);
        filledDepth = block;
        packRight(right, b, columnsB, columns, depthB, blockDepth);
        for (int64_t i = 0; i < rowCount; i += rowBlock) {
          const int64_t rows = std::min(rowBlock, rowCount - i);
          if (filledRows != i) fillOffsets(p.rows, part.rowBegin + i, rows, 0, 2, rowsA, rowsC);
          filledRows = i;
          T *const leftBlock = left + (whole ? block * leftSize : 0);
          if (!whole || (!packed && j == 0))
            byDepth = packLeft(leftBlock, a, rowsA, rows, depthA, blockDepth);
          Tile<T> tile{};
          tile.depth = blockDepth;
          tile.accumulate = block > 0;
          tile.b = right;
          for (int64_t y = 0; y < columns; y += tileColumns<T>) {
            const int width = static_cast<int>(std::min<int64_t>(tileColumns<T>, columns - y));
            tile.bStep = panels(width, lanes<T>) * lanes<T>;
            tile.a = leftBlock;
            for (int64_t x = 0; x < rows; x += tileRows, tile.a += tileRows * packedRow<T>)
              computePanel(tile, c, rowsC + x, static_cast<int>(std::min<int64_t>(tileRows, rows - x)),
                           columnsC + y, width, byDepth);
            tile.b += tile.bStep * blockDepth;
          }
        }
      }
    }
  }
}

/** Into how many parts rows and columns are cut for `wanted` tasks, so that little is packed twice. */
std::pair<int64_t, int64_t> cut(int64_t wanted, int64_t rows, int64_t columns, int rowTile, int columnTile) {
  const int64_t mostRows = std::max<int64_t>(1, rows / rowTile), mostColumns = std::max<int64_t>(1, columns / columnTile);
  std::pair<int64_t, int64_t> best{1, 1};
  double least = 1e300;
  for (int64_t r = 1; r <= std::min(wanted, mostRows); r++) {
    const int64_t c = std::min((wanted + r - 1) / r, mostColumns);
    // What the slowest task computes, and what it packs.
    const double h = static_cast<double>((rows + r - 1) / r), w = static_cast<double>((columns + c - 1) / c);
    const double cost = h * w + 16 * (h + w);
    if (cost < least) {
      least = cost;
      best = {r, c};
    }
  }
  return best;
}

template <class T>
void multiplyAll(Product p) {
  const int64_t work = p.batch.count * p.rows.count * p.columns.count * std::max<int64_t>(p.depth.count, 1);
  if (p.batch.count * p.rows.count * p.columns.count == 0) return;
  // A c whose columns lie apart and rows together is the transpose of one that can be stored as vectors.
  if (lastStep(p.rows, 2) == 1 && lastStep(p.columns, 2) != 1) exchange(p);
  if (multiplyThin<T>(p)) return;
  const int64_t wanted = std::min<int64_t>(threads(), std::max<int64_t>(1, work / leastWork));
  if (wanted <= 1) {
    multiplyPart<T>(p, {0, p.batch.count, 0, p.rows.count, 0, p.columns.count});
    return;
  }
  if (p.batch.count >= 2 * wanted) {
    parallelFor(p.batch.count, (p.batch.count + 4 * wanted - 1) / (4 * wanted), [&](size_t begin, size_t end) {
      multiplyPart<T>(p, {static_cast<int64_t>(begin), static_cast<int64_t>(end), 0, p.rows.count, 0, p.columns.count});
    });
    return;
  }
  const auto [rowCuts, columnCuts] = cut((wanted + p.batch.count - 1) / p.batch.count, p.rows.count, p.columns.count,
                                         tileRows, tileColumns<T>);
  // Cuts lie on the borders of tiles.
  const auto border = [](int64_t i, int64_t cuts, int64_t count, int64_t tile) {
    return i == cuts ? count : (count * i / cuts + tile / 2) / tile * tile;
  };
  const int64_t each = rowCuts * columnCuts;
  parallelFor(p.batch.count * each, 1, [&, r = rowCuts, c = columnCuts](size_t begin, size_t end) {
    for (size_t task = begin; task < end; task++) {
      const int64_t item = task / each, i = task % each / c, j = task % each % c;
      multiplyPart<T>(p, {item, item + 1, border(i, r, p.rows.count, tileRows), border(i + 1, r, p.rows.count, tileRows),
                          border(j, c, p.columns.count, tileColumns<T>),
                          border(j + 1, c, p.columns.count, tileColumns<T>)});
    }
  });
}

}  // namespace

void multiplyFloat(const Product &product) { multiplyAll<float>(product); }
void multiplyDouble(const Product &product) { multiplyAll<double>(product); }

}  // namespace antorcha::ANTORCHA_ISA
