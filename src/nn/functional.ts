// The namespace torch.nn.functional.

export * from '../ops/activations.ts'
export * from '../ops/convolution.ts'
export * from '../ops/distances.ts'
export * from '../ops/dropout.ts'
export * from '../ops/embedding.ts'
export { fold, unfoldBlocks as unfold } from '../ops/fold.ts'
export { affineGrid, gridSample } from '../ops/grid-sample.ts'
export { interpolate, upsample, upsampleBilinear, upsampleNearest } from '../ops/interpolation.ts'
export * from '../ops/losses.ts'
export { sigmoid, tanh } from '../ops/math.ts'
export {
  batchNorm,
  groupNorm,
  instanceNorm,
  layerNorm,
  logSoftmax,
  rmsNorm,
  softmax,
} from '../ops/normalization.ts'
export { pad } from '../ops/padding.ts'
export { pdist } from '../ops/pairwise-distances.ts'
export * from '../ops/pooling.ts'
export { multiHeadAttentionForward, scaledDotProductAttention } from './attention-functions.ts'
export { localResponseNorm, normalize } from './composed-functions.ts'
export { linearCrossEntropy } from './large-output.ts'
export { bilinear, linear } from './linear-functions.ts'
export { channelShuffle, pixelShuffle, pixelUnshuffle } from './shuffle-functions.ts'
