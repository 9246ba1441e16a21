// Files are read and written in chunks that fit into a core's cache, so that summing a chunk costs no way to memory, and on
// several threads, so that the system's work of copying and of making fresh pages is divided, too.

#include "transfer.h"

#include <algorithm>
#include <atomic>
#include <vector>
#if !defined(_WIN32)
#include <cerrno>
#include <unistd.h>
#endif

#include "checksum.h"
#include "pool.h"

namespace antorcha {

#if defined(_WIN32)

// Node's own calls do it there.
int64_t readSummed(int, uint64_t, uint8_t *, size_t) { return -1; }
int64_t writeSummed(int, uint64_t, const uint8_t *, size_t) { return -1; }

#else

namespace {

constexpr size_t chunk = 512 * 1024;

/** Calls `move` for each chunk until all of it is moved; the sums are put together in the order of the file. */
template <typename Byte, typename Move>
int64_t transfer(uint64_t position, Byte *bytes, size_t size, Move move) {
  const size_t count = (size + chunk - 1) / chunk;
  std::vector<uint32_t> sums(count);
  std::atomic<bool> failed{false};
  parallelFor(count, 1, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; i++) {
      const size_t start = i * chunk;
      const size_t length = std::min(chunk, size - start);
      for (size_t done = 0; done < length && !failed.load(std::memory_order_relaxed);) {
        const ssize_t moved = move(bytes + start + done, length - done, static_cast<off_t>(position + start + done));
        if (moved > 0) done += static_cast<size_t>(moved);
        else if (moved == 0 || errno != EINTR) failed.store(true);
      }
      sums[i] = crc32(0, bytes + start, length);
    }
  });
  if (failed.load()) return -1;
  const uint32_t shift = crc32Shift(chunk);
  uint32_t sum = 0;
  for (size_t i = 0; i < count; i++)
    sum = crc32Combine(sum, sums[i], i + 1 < count ? shift : crc32Shift(size - i * chunk));
  return sum;
}

}  // namespace

int64_t readSummed(int descriptor, uint64_t position, uint8_t *target, size_t size) {
  return transfer(position, target, size, [&](uint8_t *bytes, size_t length, off_t at) {
    return pread(descriptor, bytes, length, at);
  });
}

int64_t writeSummed(int descriptor, uint64_t position, const uint8_t *source, size_t size) {
  return transfer(position, source, size, [&](const uint8_t *bytes, size_t length, off_t at) {
    return pwrite(descriptor, bytes, length, at);
  });
}

#endif

}  // namespace antorcha
