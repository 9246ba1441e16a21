// CRC-32 as zip archives use it, of memory and of parts that are put together.
#pragma once

#include <cstddef>
#include <cstdint>

namespace antorcha {

/** The sum of `size` bytes; `sum` is that of the bytes before them. */
uint32_t crc32(uint32_t sum, const uint8_t *bytes, size_t size);

/** What turns the sum of some bytes into their part of the sum of a longer text, `size` bytes of which follow them. */
uint32_t crc32Shift(uint64_t size);

/** The sum of two parts, `shift` being that of the size of the second. */
uint32_t crc32Combine(uint32_t first, uint32_t second, uint32_t shift);

}  // namespace antorcha
