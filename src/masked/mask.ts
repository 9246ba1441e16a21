// Masks of the functions in torch.masked: true where an element counts, replaced by a neutral value where not.

import { type DType, iinfo } from '../core/dtype.ts'
import { IndexError, NotImplementedError, RuntimeError } from '../core/errors.ts'
import { wrapDims } from '../core/shape.ts'
import { where } from '../ops/choices.ts'
import type { Dims } from '../ops/reduce.ts'
import { expand } from '../ops/views.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** Options of every masked function. */
export interface MaskOptions {
  /** The dtype of the result. */
  dtype?: DType | null
  /** True where an element takes part; broadcast to the input's shape. Without it all do. */
  mask?: Tensor | null
}

/** Options of masked reductions. */
export interface MaskedReduceOptions extends MaskOptions {
  /** Keep the reduced dimensions, with size 1. */
  keepdim?: boolean | null
}

/** What a masked-out element is taken for: the value that changes nothing. */
export type Neutral = 'zero' | 'one' | 'lowest' | 'highest' | 'nan'

/** That value for a dtype. Throws where there is none. */
export function neutralValue(neutral: Neutral, dtype: DType): number | bigint {
  if (neutral === 'zero') return 0
  if (neutral === 'one') return 1
  if (neutral === 'nan') return Number.NaN
  if (dtype.kind === 'float' || dtype.isComplex)
    return neutral === 'lowest' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  if (dtype.kind === 'bool') throw new NotImplementedError(`identity of a masked extremum on ${dtype} input`)
  return neutral === 'lowest' ? iinfo(dtype).min : iinfo(dtype).max
}

/** A mask as booleans in the shape of the input. */
export function maskFor(x: Tensor, mask: Tensor): Tensor {
  if (mask.ndim > x.ndim)
    throw new IndexError(
      '_input_mask expected broadcastable mask (got mask dimensionality higher than of the input)',
    )
  return expand(mask, x.sizes).bool()
}

/** The input with masked-out elements replaced. */
export function fillMasked(x: Tensor, mask: Tensor | null | undefined, neutral: Neutral): Tensor {
  if (!mask) return x
  return where(maskFor(x, mask), x, x.newFull([], neutralValue(neutral, x.dtype)))
}

/** Dimensions of a call, counted from the front, in order; all of them for null or an empty list. */
export function sortedDims(dim: Dims | undefined, x: Tensor): number[] {
  if (x.ndim > 64) throw new RuntimeError('only tensors with up to 64 dims are supported')
  return wrapDims(dim, x.ndim).sort((a, b) => a - b)
}
