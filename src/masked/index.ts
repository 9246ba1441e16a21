// The namespace torch.masked.

export type { MaskedReduceOptions, MaskOptions } from './mask.ts'
export * from './normalizations.ts'
export {
  amax,
  amin,
  argmax,
  argmin,
  logsumexp,
  mean,
  median,
  norm,
  prod,
  std,
  sum,
  var_ as var,
} from './reductions.ts'
