// Moving bytes between files and memory on all threads, summing them on the way.
#pragma once

#include <cstddef>
#include <cstdint>

namespace antorcha {

/**
 * Reads `size` bytes of an open file from byte `position` on. Returns their CRC-32, or a negative number where they could
 * not all be read.
 */
int64_t readSummed(int descriptor, uint64_t position, uint8_t *target, size_t size);

/** Writes bytes to an open file at byte `position`. Returns as `readSummed`. */
int64_t writeSummed(int descriptor, uint64_t position, const uint8_t *source, size_t size);

}  // namespace antorcha
