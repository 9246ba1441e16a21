// The addon's interface to JavaScript. It works on the bytes of the library's WebAssembly memory; nothing is copied.
// Finalizers run inside the garbage collector (hence the experimental interface), where they may only take notes.

#define NAPI_EXPERIMENTAL
#include <node_api.h>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>
#include <vector>

#include "evaluate.h"
#include "isa.h"
#include "pool.h"
#include "product.h"
#include "transfer.h"

namespace antorcha {
namespace {

/** What belongs to one JavaScript environment: the main thread, or a worker thread of Node's. */
struct Instance {
  /** The first byte of the library's memory, which is shared and therefore never moves. */
  uint8_t *memory = nullptr;
  std::vector<std::unique_ptr<Program>> programs;
  /** Numbers of the watched objects that were collected and not yet asked for. */
  std::vector<int32_t> collected;
};

Instance &instanceOf(napi_env env) {
  void *data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<Instance *>(data);
}

template <size_t N>
void arguments(napi_env env, napi_callback_info info, napi_value (&values)[N]) {
  size_t count = N;
  napi_get_cb_info(env, info, &count, values, nullptr, nullptr);
}

int64_t number(napi_env env, napi_value value) {
  int64_t result = 0;
  napi_get_value_int64(env, value, &result);
  return result;
}

napi_value make(napi_env env, int64_t value) {
  napi_value result;
  napi_create_int64(env, value, &result);
  return result;
}

/** The bytes of a typed array. */
struct Bytes {
  uint8_t *data = nullptr;
  size_t length = 0;
};

Bytes bytesOf(napi_env env, napi_value array) {
  napi_typedarray_type type;
  size_t length = 0;
  void *data = nullptr;
  napi_get_typedarray_info(env, array, &type, &length, &data, nullptr, nullptr);
  size_t width = 1;
  if (type == napi_int32_array || type == napi_uint32_array || type == napi_float32_array) width = 4;
  if (type == napi_float64_array || type == napi_bigint64_array) width = 8;
  return {static_cast<uint8_t *>(data), length * width};
}

/** attach(bytes: Uint8Array): the memory that all other calls mean. */
napi_value attach(napi_env env, napi_callback_info info) {
  napi_value values[1];
  arguments(env, info, values);
  const Bytes bytes = bytesOf(env, values[0]);
  instanceOf(env).memory = bytes.data;
#ifdef MADV_HUGEPAGE
  // The host reserves all that WebAssembly can address. Pages of 2 MiB are made with fewer faults, and found sooner.
  madvise(bytes.data, size_t{4} << 30, MADV_HUGEPAGE);
#endif
  return nullptr;
}

/** interface(): string. What the library it works with must have been made of, too (native-opcodes.ts). */
napi_value interfaceName(napi_env env, napi_callback_info) {
  napi_value result;
  napi_create_string_utf8(env,
#include "generated/interface.inc"
                          , NAPI_AUTO_LENGTH, &result);
  return result;
}

/** instructionSet(): string */
napi_value instructionSet(napi_env env, napi_callback_info) {
  napi_value result;
  napi_create_string_utf8(env, functions().name, NAPI_AUTO_LENGTH, &result);
  return result;
}

/** setThreads(count: number) */
napi_value setThreadCount(napi_env env, napi_callback_info info) {
  napi_value values[1];
  arguments(env, info, values);
  antorcha::setThreads(static_cast<int>(number(env, values[0])));
  return nullptr;
}

/** program(code: Int32Array, constants: Float64Array): number */
napi_value program(napi_env env, napi_callback_info info) {
  napi_value values[2];
  arguments(env, info, values);
  const Bytes code = bytesOf(env, values[0]);
  const Bytes constants = bytesOf(env, values[1]);
  auto &programs = instanceOf(env).programs;
  programs.push_back(std::make_unique<Program>(reinterpret_cast<const int32_t *>(code.data), code.length / 4,
                                               reinterpret_cast<const uint64_t *>(constants.data),
                                               constants.length / 8));
  return make(env, static_cast<int64_t>(programs.size()) - 1);
}

/** run(program: number, parameters: number): `parameters` is a byte offset in the memory. */
napi_value run(napi_env env, napi_callback_info info) {
  napi_value values[2];
  arguments(env, info, values);
  Instance &instance = instanceOf(env);
  const int64_t parameters = number(env, values[1]);
  functions().evaluate(*instance.programs[number(env, values[0])], instance.memory,
                       instance.memory + parameters);
  return nullptr;
}

/** multiply(launch: number): boolean. `launch` is the byte offset of what product.h describes. */
napi_value multiply(napi_env env, napi_callback_info info) {
  napi_value values[1];
  arguments(env, info, values);
  uint8_t *const memory = instanceOf(env).memory;
  const int32_t *const launch = reinterpret_cast<const int32_t *>(memory + number(env, values[0]));
  bool done = false;
  try {
    done = launchProduct(memory, launch, functions().multiplyFloat, functions().multiplyDouble);
  } catch (const std::bad_alloc &) {
    napi_throw_error(env, nullptr, "out of memory: no room to pack the operands of a product");
  }
  napi_value result;
  napi_get_boolean(env, done, &result);
  return result;
}

/** readSummed(descriptor: number, position: number, target: Uint8Array): number, the CRC-32, negative on failure */
napi_value readFile(napi_env env, napi_callback_info info) {
  napi_value values[3];
  arguments(env, info, values);
  const Bytes bytes = bytesOf(env, values[2]);
  return make(env, readSummed(static_cast<int>(number(env, values[0])), number(env, values[1]), bytes.data, bytes.length));
}

/** writeSummed(descriptor: number, position: number, source: Uint8Array): number, the CRC-32, negative on failure */
napi_value writeFile(napi_env env, napi_callback_info info) {
  napi_value values[3];
  arguments(env, info, values);
  const Bytes bytes = bytesOf(env, values[2]);
  return make(env, writeSummed(static_cast<int>(number(env, values[0])), number(env, values[1]), bytes.data, bytes.length));
}

void noteCollected(node_api_basic_env, void *data, void *hint) {
  static_cast<Instance *>(hint)->collected.push_back(static_cast<int32_t>(reinterpret_cast<intptr_t>(data)));
}

/** watch(object: object, id: number): `drain` tells `id` when the object has been collected. */
napi_value watch(napi_env env, napi_callback_info info) {
  napi_value values[2];
  arguments(env, info, values);
  const intptr_t id = static_cast<intptr_t>(number(env, values[1]));
  napi_wrap(env, values[0], reinterpret_cast<void *>(id), noteCollected, &instanceOf(env), nullptr);
  return nullptr;
}

/** drain(ids: Int32Array): number. Writes as many numbers as fit, and returns how many. */
napi_value drain(napi_env env, napi_callback_info info) {
  napi_value values[1];
  arguments(env, info, values);
  auto &collected = instanceOf(env).collected;
  const Bytes target = bytesOf(env, values[0]);
  const size_t count = std::min(collected.size(), target.length / 4);
  if (count > 0) {
    std::memcpy(target.data, collected.data() + collected.size() - count, 4 * count);
    collected.resize(collected.size() - count);
  }
  return make(env, static_cast<int64_t>(count));
}

void destroy(napi_env, void *data, void *) { delete static_cast<Instance *>(data); }

void define(napi_env env, napi_value exports, const char *name, napi_callback callback) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, nullptr, &function);
  napi_set_named_property(env, exports, name, function);
}

}  // namespace
}  // namespace antorcha

NAPI_MODULE_INIT() {
  using namespace antorcha;
  napi_set_instance_data(env, new Instance, destroy, nullptr);
  define(env, exports, "interface", interfaceName);
  define(env, exports, "attach", attach);
  define(env, exports, "instructionSet", instructionSet);
  define(env, exports, "setThreads", setThreadCount);
  define(env, exports, "program", program);
  define(env, exports, "run", run);
  define(env, exports, "multiply", multiply);
  define(env, exports, "readSummed", readFile);
  define(env, exports, "writeSummed", writeFile);
  define(env, exports, "watch", watch);
  define(env, exports, "drain", drain);
  return exports;
}
