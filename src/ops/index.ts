// Every function that `torch` has at its top level.

export { celu, celu_, relu_, selu, selu_, threshold, threshold_ } from './activations.ts'
export { bucketize, searchsorted } from './binning.ts'
export { conv1d, conv2d, conv3d, convTranspose1d, convTranspose2d, convTranspose3d } from './convolution.ts'
export {
  arange,
  asarray,
  asTensor,
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
  range,
  scalarTensor,
  tensor,
  zeros,
} from './creation.ts'
export { cosineSimilarity, pairwiseDistance } from './distances.ts'
export { torchVander as vander } from '../linalg/products.ts'
export { einsum } from './einsum.ts'
export { gridSampler, gridSampler2d, gridSampler3d } from './grid-sample.ts'
export * from './joining.ts'
export { chainMatmul } from './matmul.ts'
export { constantPadNd } from './padding.ts'
export { cdist } from './pairwise-distances.ts'
export * from './random.ts'
export { stdMean, varMean } from './reductions.ts'
export * from './tensor-functions.ts'
