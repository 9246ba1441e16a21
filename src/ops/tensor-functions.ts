// The functions of `torch` whose first argument is a tensor: methods.ts makes each of them a method.
// Modules that have other functions as well name the ones meant.

export { istft, stft } from '../fft/short-time.ts'
export * from '../linalg/tensor-functions.ts'
export { hardshrink, prelu, relu } from './activations.ts'
export * from './arithmetic.ts'
export { bincount, histc } from './binning.ts'
export { clamp, clampMax, clampMin, clip, maskedFill, where } from './choices.ts'
export * from './comparison.ts'
export { conjPhysical, imag, real, resolveConj, resolveNeg } from './complex.ts'
export {
  bfloat16,
  bool,
  byte,
  cdouble,
  cfloat,
  char,
  clone,
  contiguous,
  cpu,
  detach,
  double,
  float,
  half,
  int,
  long,
  short,
  to,
  type,
  typeAs,
} from './conversion.ts'
export { fullLike, onesLike, zerosLike } from './creation.ts'
export * from './float-parts.ts'
export { histogram } from './histograms.ts'
export { at, indexPut, setAt } from './index-expressions.ts'
export {
  gather,
  indexAdd,
  indexCopy,
  indexFill,
  indexSelect,
  scatter,
  scatterAdd,
} from './indexing.ts'
export * from './logical.ts'
export * from './math.ts'
export * from './math-binary.ts'
export {
  addbmm,
  addmm,
  addmv,
  addr,
  baddbmm,
  bmm,
  dot,
  ger,
  inner,
  kron,
  matmul,
  mm,
  mv,
  outer,
  tensordot,
  vdot,
} from './matmul.ts'
export { logsumexp, norm } from './norms.ts'
export { argwhere, diagflat, fill, nonzeroStatic, sumToSize } from './positions.ts'
export { maskedScatter, put } from './put.ts'
export { isNonzero, isSameSize } from './queries.ts'
export { bernoulli, multinomial } from './random.ts'
export * from './rearranging.ts'
export {
  all,
  amax,
  amin,
  any,
  argmax,
  argmin,
  countNonzero,
  max,
  mean,
  min,
  nanmean,
  nansum,
  prod,
  sum,
} from './reductions.ts'
export { dist, renorm } from './renorm.ts'
export * from './scan.ts'
export { indexReduce, scatterReduce } from './scatter-reduce.ts'
export { asStridedScatter, diagonalScatter, selectScatter, sliceScatter } from './scatter-views.ts'
export { maskedSelect, nonzero, take, takeAlongDim } from './selecting.ts'
export { logSoftmax, softmax } from './softmax.ts'
export * from './sorting.ts'
export { i0, igamma, igammac, mvlgamma, polygamma } from './special-math.ts'
export { aminmax, corrcoef, cov, nanquantile, quantile } from './statistics.ts'
export * from './unique.ts'
export { std, var_ as var } from './variance.ts'
export { splitWithSizes, unsafeChunk, unsafeSplit, unsafeSplitWithSizes } from './view-copies.ts'
export {
  adjoint,
  asStrided,
  broadcastTo,
  chunk,
  conj,
  diagonal,
  expand,
  expandAs,
  flatten,
  moveaxis,
  movedim,
  narrow,
  permute,
  ravel,
  reshape,
  reshapeAs,
  select,
  slice,
  split,
  squeeze,
  swapaxes,
  swapdims,
  t,
  transpose,
  unbind,
  unflatten,
  unfold,
  unsqueeze,
  view,
  viewAs,
  viewAsComplex,
  viewAsReal,
} from './views.ts'
