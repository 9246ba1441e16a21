// Every function that `torch` has at its top level.

export * from './tensor-functions.ts'
export { celu, celu_, relu_, selu, selu_, threshold, threshold_ } from './activations.ts'
export { cosineSimilarity, pairwiseDistance } from './distances.ts'
export * from './joining.ts'
export {
  arange,
  asTensor,
  asarray,
  empty,
  emptyLike,
  eye,
  fromArray,
  full,
  isTensor,
  linspace,
  logspace,
  numel,
  ones,
  tensor,
  zeros,
} from './creation.ts'
export { bucketize, searchsorted } from './binning.ts'
export { chainMatmul } from './matmul.ts'
export { stdMean, varMean } from './reductions.ts'
export * from './random.ts'
