// Functions along a dimension that leave masked-out elements out of account: softmax and its kin, running totals.

import { type FunctionInfo, fn } from '../ops/op.ts'
import * as ops from '../ops/tensor-functions.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { fillMasked, type MaskOptions, type Neutral } from './mask.ts'
import { norm } from './reductions.ts'

export type MaskedAlong = (x: Tensor, dim: number, options?: MaskOptions) => Tensor

function along(
  name: string,
  neutral: Neutral,
  run: (filled: Tensor, dim: number, options: MaskOptions) => Tensor,
): MaskedAlong & FunctionInfo {
  return fn<MaskedAlong>(
    `masked.${name}`,
    ['input', 'dim'],
    ['dtype', 'mask'],
    (x: Tensor, dim: number, options: MaskOptions) => run(fillMasked(x, options.mask, neutral), dim, options),
    { method: false, positional: 0 },
  )
}

/** The running sum along `dim`, masked-out elements counted as 0. */
export const cumsum: MaskedAlong & FunctionInfo = along('cumsum', 'zero', (x, dim, { dtype }) =>
  ops.cumsum(x, dim, { dtype: dtype ?? x.dtype }),
)
/** The running product along `dim`, masked-out elements counted as 1. */
export const cumprod: MaskedAlong & FunctionInfo = along('cumprod', 'one', (x, dim, { dtype }) =>
  ops.cumprod(x, dim, { dtype: dtype ?? x.dtype }),
)
/** Softmax along `dim`, 0 for masked-out elements. */
export const softmax: MaskedAlong & FunctionInfo = along('softmax', 'lowest', (x, dim, { dtype }) =>
  ops.softmax(x, dim, { dtype: dtype ?? x.dtype }),
)
/** Log-softmax along `dim`, -infinity for masked-out elements. */
export const logSoftmax: MaskedAlong & FunctionInfo = along('log_softmax', 'lowest', (x, dim, { dtype }) =>
  ops.logSoftmax(x, dim, { dtype: dtype ?? x.dtype }),
)
/** Softmax of `-x` along `dim`, 0 for masked-out elements. */
export const softmin: MaskedAlong & FunctionInfo = along('softmin', 'highest', (x, dim, { dtype }) =>
  ops.softmax(x.neg(), dim, { dtype: dtype ?? x.dtype }),
)

/** Options of masked `normalize`. */
export interface MaskedNormalizeOptions extends MaskOptions {
  /** The least norm that is divided by; default 1e-12. */
  eps?: number
}

export type MaskedNormalize = (
  x: Tensor,
  ord: number,
  dim: number,
  options?: MaskedNormalizeOptions,
) => Tensor

/** `x / max(norm, eps)` along `dim`, the norm of what is not masked out; 0 for masked-out elements. */
export const normalize: MaskedNormalize & FunctionInfo = fn<MaskedNormalize>(
  'masked.normalize',
  ['input', 'ord', 'dim'],
  ['eps', 'dtype', 'mask'],
  (x: Tensor, ord: number, dim: number, { eps = 1e-12, dtype, mask }: MaskedNormalizeOptions) => {
    const length = norm(x, { ord, dim, keepdim: true, dtype, mask })
    return fillMasked(x, mask, 'zero').div(ops.maximum(length, length.newFull([], eps)))
  },
  { method: false, positional: 0 },
)

/** Options of masked `logaddexp`. */
export interface MaskedLogaddexpOptions {
  dtype?: MaskOptions['dtype']
  inputMask?: Tensor | null
  otherMask?: Tensor | null
}

export type MaskedLogaddexp = (x: Tensor, other: Tensor, options?: MaskedLogaddexpOptions) => Tensor

/** `log(exp(x) + exp(other))`, masked-out elements counted as log 0. */
export const logaddexp: MaskedLogaddexp & FunctionInfo = fn<MaskedLogaddexp>(
  'masked.logaddexp',
  ['input', 'other'],
  ['dtype', 'inputMask', 'otherMask'],
  (x: Tensor, other: Tensor, { dtype, inputMask, otherMask }: MaskedLogaddexpOptions) =>
    ops
      .logaddexp(fillMasked(x, inputMask, 'lowest'), fillMasked(other, otherMask, 'lowest'))
      .to(dtype ?? x.dtype),
  { method: false, positional: 0 },
)
