// The functions of tensors that most programs call as methods; `antorcha/core` installs these alone. What only some programs
// need (sorting, linear algebra, statistics, ...) is in tensor-functions.ts.

export { hardshrink, prelu, relu } from './activations.ts'
export * from './arithmetic.ts'
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
export { isNonzero, isSameSize } from './queries.ts'
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
export { logSoftmax, softmax } from './softmax.ts'
export { std, var_ as var } from './variance.ts'
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
