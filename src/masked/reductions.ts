// Reductions that leave masked-out elements out of account.

import { type DType, float32, int64, realOf } from '../core/dtype.ts'
import { ValueError } from '../core/errors.ts'
import { wrapDim } from '../core/shape.ts'
import { onHost } from '../ops/host.ts'
import { vectorNorm } from '../ops/norms.ts'
import { type FunctionInfo, fn } from '../ops/op.ts'
import type { Dims } from '../ops/reduce.ts'
import * as ops from '../ops/tensor-functions.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { fillMasked, type MaskedReduceOptions, maskFor, type Neutral, sortedDims } from './mask.ts'

export interface MaskedReduction {
  (x: Tensor, dim: Dims, options?: MaskedReduceOptions): Tensor
  (x: Tensor, options?: MaskedReduceOptions & { dim?: Dims }): Tensor
}

type Options = MaskedReduceOptions & { dim?: Dims }

const names: readonly string[] = ['dim', 'keepdim', 'dtype', 'mask']

function reduction(
  name: string,
  run: (x: Tensor, options: Options) => Tensor,
): MaskedReduction & FunctionInfo {
  return fn<MaskedReduction>(`masked.${name}`, ['input'], names, run, { method: false, positional: 1 })
}

const isWide = (dtype: DType): boolean => dtype.kind === 'float' || dtype.isComplex

// Integers are summed in int64.
const widened = (dtype: DType): DType => (isWide(dtype) ? dtype : int64)

/** The sum of what is not masked out. */
export const sum: MaskedReduction & FunctionInfo = reduction('sum', (x, { dim, keepdim, dtype, mask }) =>
  ops.sum(fillMasked(x, mask, 'zero'), sortedDims(dim, x), {
    keepdim: keepdim ?? false,
    dtype: dtype ?? widened(x.dtype),
  }),
)

/** The product of what is not masked out. */
export const prod: MaskedReduction & FunctionInfo = reduction('prod', (x, { dim, keepdim, dtype, mask }) => {
  let result = fillMasked(x, mask, 'one').to(dtype ?? widened(x.dtype))
  for (const d of sortedDims(dim, x).reverse()) result = result.prod(d, { keepdim: keepdim ?? false })
  return result
})

function extremum(name: string, reduce: typeof ops.amax, neutral: Neutral): MaskedReduction & FunctionInfo {
  return reduction(name, (x, { dim, keepdim, dtype, mask }) =>
    reduce(fillMasked(x, mask, neutral), sortedDims(dim, x), { keepdim: keepdim ?? false }).to(
      dtype ?? x.dtype,
    ),
  )
}

/** The largest of what is not masked out; the dtype's lowest value where everything is. */
export const amax: MaskedReduction & FunctionInfo = extremum('amax', ops.amax, 'lowest')
/** The smallest of what is not masked out; the dtype's highest value where everything is. */
export const amin: MaskedReduction & FunctionInfo = extremum('amin', ops.amin, 'highest')

export interface MaskedArg {
  (x: Tensor, dim: number | null, options?: MaskedReduceOptions): Tensor
  (x: Tensor, options?: MaskedReduceOptions & { dim?: number | null }): Tensor
}

function position(name: string, find: typeof ops.argmax, neutral: Neutral): MaskedArg & FunctionInfo {
  const run = (
    x: Tensor,
    { dim, keepdim, dtype, mask }: MaskedReduceOptions & { dim?: number | null },
  ): Tensor =>
    find(fillMasked(x, mask, neutral), { dim: dim ?? null, keepdim: keepdim ?? false }).to(dtype ?? x.dtype)
  return fn<MaskedArg>(`masked.${name}`, ['input'], names, run, { method: false, positional: 1 })
}

/** Where the largest of what is not masked out stands, in the dtype of the input. */
export const argmax: MaskedArg & FunctionInfo = position('argmax', ops.argmax, 'lowest')
/** Where the smallest of what is not masked out stands, in the dtype of the input. */
export const argmin: MaskedArg & FunctionInfo = position('argmin', ops.argmin, 'highest')

// How many elements count along these dimensions.
function countOf(
  x: Tensor,
  mask: Tensor | null | undefined,
  dim: Dims | undefined,
  keepdim: boolean,
): Tensor {
  const counted = mask ? maskFor(x, mask) : x.newOnes(x.sizes, { dtype: int64 })
  return ops.sum(counted, sortedDims(dim, x), { keepdim })
}

/** The mean of what is not masked out; NaN where everything is. */
export const mean: MaskedReduction & FunctionInfo = reduction('mean', (x, options) => {
  const dtype = options.dtype ?? x.dtype
  if (!isWide(dtype))
    throw new ValueError(
      `mean(): Could not infer output dtype. ${options.dtype ? 'Optional' : 'Input'} dtype must be either a floating point or complex dtype. Got: ${dtype}`,
    )
  const keepdim = options.keepdim ?? false
  return sum(x, { ...options, dtype, keepdim }).div(countOf(x, options.mask, options.dim, keepdim))
})

export interface MaskedMedian {
  (x: Tensor, dim: number, options?: MaskedReduceOptions): Tensor
  (x: Tensor, options?: MaskedReduceOptions & { dim?: number }): Tensor
}

/** The median of what is not masked out along `dim` (-1); NaN where everything is. */
export const median: MaskedMedian & FunctionInfo = fn<MaskedMedian>(
  'masked.median',
  ['input'],
  names,
  (x: Tensor, { dim = -1, keepdim, dtype, mask }: MaskedReduceOptions & { dim?: number }) => {
    const isFloat = x.dtype.kind === 'float'
    const source = isFloat ? x : x.to(float32)
    const d = wrapDim(dim, x.ndim)
    const [values] = ops.nanmedian(fillMasked(source, mask, 'nan'), d, { keepdim: keepdim ?? false })
    if (isFloat) return values
    if (onHost(values)?.isnan().any().item() === true)
      throw new ValueError('masked median expects no fully masked out rows if dtype is not floating point')
    return values.to(dtype ?? x.dtype)
  },
  { method: false, positional: 1 },
)

/** `log(sum(exp(x)))` of what is not masked out. */
export const logsumexp: MaskedReduction & FunctionInfo = reduction(
  'logsumexp',
  (x, { dim, keepdim, dtype, mask }) =>
    ops
      .logsumexp(fillMasked(x, mask, 'lowest'), sortedDims(dim, x), { keepdim: keepdim ?? false })
      .to(dtype ?? x.dtype),
)

export interface MaskedNorm {
  (x: Tensor, ord: number | null, dim?: Dims, options?: MaskedReduceOptions): Tensor
  (x: Tensor, options?: MaskedReduceOptions & { ord?: number | null; dim?: Dims }): Tensor
}

/** The `ord`-norm (2) of what is not masked out. */
export const norm: MaskedNorm & FunctionInfo = fn<MaskedNorm>(
  'masked.norm',
  ['input'],
  ['ord', ...names],
  (x: Tensor, { ord, dim, keepdim, dtype, mask }: Options & { ord?: number | null }) => {
    const p = ord ?? 2
    const neutral = p === Number.NEGATIVE_INFINITY ? 'highest' : 'zero'
    return vectorNorm(fillMasked(x, mask, neutral), p, {
      dim: sortedDims(dim, x),
      keepdim: keepdim ?? false,
      dtype: dtype ?? x.dtype,
    })
  },
  { method: false, positional: 2 },
)

/** Options of masked `var` and `std`. */
export interface MaskedVarianceOptions extends MaskedReduceOptions {
  /** `true` (default) is correction 1, `false` correction 0. */
  unbiased?: boolean | null
  /** What is subtracted from the number of elements in the divisor. */
  correction?: number | null
}

export interface MaskedVariance {
  (x: Tensor, dim: Dims, options?: MaskedVarianceOptions): Tensor
  (x: Tensor, options?: MaskedVarianceOptions & { dim?: Dims }): Tensor
}

function variance(name: string, root: boolean): MaskedVariance & FunctionInfo {
  const run = (x: Tensor, options: MaskedVarianceOptions & { dim?: Dims }): Tensor => {
    const { dim, unbiased, mask } = options
    const keepdim = options.keepdim ?? false
    const correction = options.correction ?? (unbiased === false ? 0 : 1)
    const dtype = options.dtype ?? (isWide(x.dtype) ? x.dtype : float32)
    const computed = isWide(dtype) ? dtype : float32
    let count = countOf(x, mask, dim, true)
    const centred = x.sub(sum(x, { dim, keepdim: true, dtype, mask }).div(count))
    const squares = centred.dtype.isComplex ? centred.mul(centred.conj()).real : centred.mul(centred)
    const total = sum(squares, { dim, keepdim, dtype: realOf(computed), mask })
    if (!keepdim) count = count.reshape(total.sizes)
    if (correction !== 0) count = count.to(realOf(computed)).sub(correction).clamp(0)
    const result = total.div(count).to(realOf(dtype))
    return (root ? result.sqrt() : result).to(dtype)
  }
  return fn<MaskedVariance>(
    `masked.${name}`,
    ['input'],
    ['dim', 'unbiased', 'correction', 'keepdim', 'dtype', 'mask'],
    run,
    { method: false, positional: 2 },
  )
}

/** The variance of what is not masked out. (`var` is a reserved word.) */
export const var_: MaskedVariance & FunctionInfo = variance('var', false)
/** The standard deviation of what is not masked out. */
export const std: MaskedVariance & FunctionInfo = variance('std', true)
