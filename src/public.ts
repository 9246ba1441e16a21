// The public names of the library: what `antorcha` and `antorcha/core` both export.

export * as autograd from './autograd/index.ts'
export {
  enableGrad,
  inferenceMode,
  isGradEnabled,
  noGrad,
  setGradEnabled,
} from './autograd/mode.ts'
export { type Config, config } from './backends/cpu/config.ts'
export { memorySummary } from './backends/cpu/memory.ts'
export { getNumThreads, setNumThreads } from './backends/cpu/thread-count.ts'
export { Device, type DeviceLike, device, getDefaultDevice, setDefaultDevice } from './core/device.ts'
export {
  bfloat16,
  bool,
  complex64,
  complex64 as cfloat,
  complex128,
  complex128 as cdouble,
  DType,
  finfo,
  float16,
  float16 as half,
  float32,
  float32 as float,
  float64,
  float64 as double,
  getDefaultDtype,
  iinfo,
  int8,
  int16,
  int16 as short,
  int32,
  int32 as int,
  int64,
  int64 as long,
  setDefaultDtype,
  uint8,
} from './core/dtype.ts'
export * from './core/errors.ts'
export { promoteTypes } from './core/promotion.ts'
export { Tuple } from './core/python.ts'
export { Size } from './core/shape.ts'
export * as fft from './fft/index.ts'
export type { Istft, IstftOptions, Stft, StftOptions } from './fft/short-time.ts'
export * as graph from './graph/index.ts'
export * as linalg from './linalg/index.ts'
export * as masked from './masked/index.ts'
export { deepcopy } from './nn/deepcopy.ts'
export * as nn from './nn/index.ts'
export { channelShuffle, pixelShuffle, pixelUnshuffle } from './nn/shuffle-functions.ts'
export { type SummaryOptions, summary } from './nn/summary.ts'
export type { LayerSummary, ModelStatistics } from './nn/summary-table.ts'
export * from './ops/index.ts'
export type { Index } from './ops/index-expressions.ts'
export { canCast, resultType } from './ops/types.ts'
export * as optim from './optim/index.ts'
export * from './serialization/index.ts'
export * as signal from './signal/index.ts'
export * as special from './special.ts'
export { getPrintoptions, printoptions, setPrintoptions } from './tensor/print-options.ts'
export { Storage } from './tensor/storage.ts'
export { Tensor } from './tensor/tensor.ts'
export * as utils from './utils/index.ts'
export * as webgpu from './webgpu.ts'
