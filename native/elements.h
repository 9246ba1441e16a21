// Elements of every dtype between memory, with any step, and blocks of values that instructions compute with.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "operations.h"

namespace antorcha {
namespace ANTORCHA_ISA {
namespace {

/** As core/dtype.ts has them; half-precision numbers are loaded and stored as their bits. */
enum DType : int32_t { dtypeBool, dtypeUint8, dtypeInt8, dtypeInt16, dtypeBits16, dtypeInt32, dtypeInt64, dtypeFloat32, dtypeFloat64 };

/** Bytes of the form in which a dtype is computed with. */
constexpr int valueBytes(DType dtype) { return dtype == dtypeInt64 || dtype == dtypeFloat64 ? 8 : 4; }
constexpr int itemsizes[] = {1, 1, 1, 2, 2, 4, 8, 4, 8};

template <typename Memory, typename Value>
void loadStrided(Value *target, const uint8_t *source, intptr_t step, int n) {
  if (step == sizeof(Memory)) {
    const Memory *const values = reinterpret_cast<const Memory *>(source);
    INDEPENDENT for (int i = 0; i < n; i++) target[i] = static_cast<Value>(values[i]);
    return;
  }
  if (step == 0) {
    Memory value;
    std::memcpy(&value, source, sizeof value);
    std::fill_n(target, n, static_cast<Value>(value));
    return;
  }
  for (int i = 0; i < n; i++) {
    Memory value;
    std::memcpy(&value, source + i * step, sizeof value);
    target[i] = static_cast<Value>(value);
  }
}

template <typename Memory, typename Value>
void storeStrided(uint8_t *target, const Value *source, intptr_t step, int n) {
  if (step == sizeof(Memory)) {
    Memory *const values = reinterpret_cast<Memory *>(target);
    INDEPENDENT for (int i = 0; i < n; i++) values[i] = static_cast<Memory>(source[i]);
    return;
  }
  for (int i = 0; i < n; i++) {
    const Memory value = static_cast<Memory>(source[i]);
    std::memcpy(target + i * step, &value, sizeof value);
  }
}

void load(DType dtype, void *target, const uint8_t *source, intptr_t step, int n) {
  int32_t *const i32 = static_cast<int32_t *>(target);
  switch (dtype) {
    case dtypeBool:
      loadStrided<uint8_t>(i32, source, step, n);
      INDEPENDENT for (int i = 0; i < n; i++) i32[i] = i32[i] != 0;
      return;
    case dtypeUint8: return loadStrided<uint8_t>(i32, source, step, n);
    case dtypeInt8: return loadStrided<int8_t>(i32, source, step, n);
    case dtypeInt16: return loadStrided<int16_t>(i32, source, step, n);
    case dtypeBits16: return loadStrided<uint16_t>(i32, source, step, n);
    case dtypeInt32:
    case dtypeFloat32: return loadStrided<int32_t>(i32, source, step, n);
    case dtypeInt64:
    case dtypeFloat64: return loadStrided<int64_t>(static_cast<int64_t *>(target), source, step, n);
  }
}

void store(DType dtype, uint8_t *target, const void *source, intptr_t step, int n) {
  const int32_t *const i32 = static_cast<const int32_t *>(source);
  switch (dtype) {
    case dtypeBool:
    case dtypeUint8:
    case dtypeInt8: return storeStrided<uint8_t>(target, i32, step, n);
    case dtypeInt16:
    case dtypeBits16: return storeStrided<uint16_t>(target, i32, step, n);
    case dtypeInt32:
    case dtypeFloat32: return storeStrided<int32_t>(target, i32, step, n);
    case dtypeInt64:
    case dtypeFloat64: return storeStrided<int64_t>(target, static_cast<const int64_t *>(source), step, n);
  }
}

}  // namespace
}  // namespace ANTORCHA_ISA
}  // namespace antorcha
