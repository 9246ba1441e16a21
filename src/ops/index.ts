// Every function that `torch` has at its top level.

export { torchVander as vander } from '../linalg/products.ts'
export { celu, celu_, relu_, selu, selu_, threshold, threshold_ } from './activations.ts'
export { bucketize, searchsorted } from './binning.ts'
export { complex, polar } from './complex.ts'
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
export { cumulativeTrapezoid, gradient, trapezoid, trapz } from './differences.ts'
export { cosineSimilarity, pairwiseDistance } from './distances.ts'
export { einsum } from './einsum.ts'
export { gridSampler, gridSampler2d, gridSampler3d } from './grid-sample.ts'
export { histogramdd } from './histograms.ts'
export * from './joining.ts'
export { chainMatmul } from './matmul.ts'
export { nativeBatchNorm, nativeGroupNorm, nativeLayerNorm } from './native-normalization.ts'
export { groupNorm, layerNorm, rmsNorm } from './normalization.ts'
export { constantPadNd } from './padding.ts'
export { cdist } from './pairwise-distances.ts'
export { combinations, isin, unravelIndex } from './positions.ts'
export { isComplex, isConj, isFloatingPoint, isNeg, isSigned } from './queries.ts'
export * from './random.ts'
export { segmentReduce } from './segment-reduce.ts'
export * from './tensor-functions.ts'
export { stdMean, varMean } from './variance.ts'
export {
  aliasCopy,
  asStridedCopy,
  diagonalCopy,
  expandCopy,
  narrowCopy,
  permuteCopy,
  selectCopy,
  sliceCopy,
  splitCopy,
  splitWithSizesCopy,
  squeezeCopy,
  tCopy,
  transposeCopy,
  unbindCopy,
  unfoldCopy,
  unsqueezeCopy,
  viewCopy,
} from './view-copies.ts'
export {
  bartlettWindow,
  blackmanWindow,
  hammingWindow,
  hannWindow,
  kaiserWindow,
} from './windows.ts'
