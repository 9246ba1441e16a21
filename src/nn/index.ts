// The namespace torch.nn.

export * from './activation.ts'
export * from './adaptive-pooling.ts'
export * from './containers.ts'
export * from './conv.ts'
export * from './conv-lazy.ts'
export * from './conv-transpose.ts'
export { CrossMapLRN2d } from './cross-map-lrn.ts'
export * from './data-parallel.ts'
export * from './distance.ts'
export * from './dropout.ts'
export * from './flatten.ts'
export * as functional from './functional.ts'
export * as modules from './global-hooks.ts'
export * as init from './init.ts'
export * from './instance-norm.ts'
export * from './large-output.ts'
export * from './layer-norm.ts'
export { makeLazy } from './lazy.ts'
export * from './linear.ts'
export { IncompatibleKeys } from './load-state-dict.ts'
export * from './loss.ts'
export * from './module.ts'
export * from './multihead-attention.ts'
export {
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  LazyBatchNorm1d,
  LazyBatchNorm2d,
  LazyBatchNorm3d,
  type NormOptions,
  SyncBatchNorm,
} from './norm.ts'
export * from './padding.ts'
export * from './parameter.ts'
export * from './parameter-containers.ts'
export * as parameter from './parameter-namespace.ts'
export * from './pooling.ts'
export * from './ranking-loss.ts'
export * from './rnn.ts'
export * from './rnn-cells.ts'
export type { CellWeights } from './rnn-functions.ts'
export * from './softmax.ts'
export * from './sparse.ts'
export { StateDict, type StateDictOptions } from './state-dict.ts'
export * from './transformer.ts'
export * from './transformer-layers.ts'
export type { NamedOptions } from './traversal.ts'
export { isLazy, UninitializedBuffer, UninitializedParameter } from './uninitialized.ts'
export * from './upsampling.ts'
export * as utils from './utils.ts'
