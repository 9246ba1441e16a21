// Statistics: covariance and correlation, quantiles, smallest and largest at once.

import type { DType } from '../core/dtype.ts'
import { int64, scalarTypeName } from '../core/dtype.ts'
import { IndexError, RuntimeError } from '../core/errors.ts'
import { wrapDim } from '../core/shape.ts'
import { type NamedResult, namedResult } from '../tensor/return-types.ts'
import { Tensor } from '../tensor/tensor.ts'
import { complex } from './complex.ts'
import { to } from './conversion.ts'
import { tensor as makeTensor } from './creation.ts'
import { onHost } from './host.ts'
import { gather } from './indexing.ts'
import { mm } from './matmul.ts'
import { applyMany, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { dimsOf } from './reduce.ts'
import { amax, amin, type ReduceOptions, sharedGradient } from './reductions.ts'
import { expand, movedim, reshape, squeeze, unsqueeze } from './views.ts'

/** The smallest and the largest elements. */
export type MinMax = NamedResult<{ min: Tensor; max: Tensor }>

export type Aminmax = (x: Tensor, options?: ReduceOptions & { dim?: number | null }) => MinMax

const aminmaxOp: Op<{ readonly dims: readonly number[]; readonly keepdim: boolean }> = {
  node: 'AminmaxBackward0',
  forward: ([x], { dims, keepdim }) => [amin(x, dims, { keepdim }), amax(x, dims, { keepdim })],
  saves: [0],
  savesOutputs: [0, 1],
  backward: ([gMin, gMax], c) => {
    const { dims, keepdim } = c.attributes
    const part = (g: Tensor | null, output: number) =>
      g === null ? null : sharedGradient(g, c.input(0), c.output(output), dims, keepdim)
    const [low, high] = [part(gMin, 0), part(gMax, 1)]
    return [low !== null && high !== null ? low.add(high) : (low ?? high)]
  },
}

/** The smallest and the largest elements, of all or along `dim`; equal ones share the gradient. */
export const aminmax: Aminmax & FunctionInfo = fn<Aminmax>(
  'aminmax',
  ['input'],
  ['dim', 'keepdim'],
  (x: Tensor, { dim, keepdim = false }: ReduceOptions & { dim?: number | null }) => {
    checkTensor('aminmax', 'input', x)
    if (dim === undefined || dim === null) {
      if (x.numel() === 0)
        throw new RuntimeError(
          'aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity.',
        )
    } else {
      const d = wrapDim(dim, x.ndim)
      if (x.ndim > 0 && x.sizes[d] === 0)
        throw new IndexError(`aminmax: Expected reduction dim ${d} to have non-zero size.`)
    }
    const [min, max] = applyMany(aminmaxOp, [x], { dims: dimsOf(dim, x), keepdim })
    return namedResult('aminmax', { min, max })
  },
  { positional: 0 },
)

/** Options of `cov`. */
export interface CovOptions {
  /** What is subtracted from the number of observations in the divisor; default 1 (Bessel). */
  correction?: number
  /** How often each observation occurs: whole numbers. */
  fweights?: Tensor | null
  /** How much each observation counts. */
  aweights?: Tensor | null
}

export type Cov = (x: Tensor, options?: CovOptions) => Tensor

function checkWeights(name: string, weights: Tensor, observations: number, kind: DType['kind']): void {
  if (weights.ndim > 1)
    throw new RuntimeError(
      `cov(): expected ${name} to have one or fewer dimensions but got ${name} with ${weights.ndim} dimensions`,
    )
  if (weights.dtype.kind !== kind)
    throw new RuntimeError(
      `cov(): expected ${name} to have ${kind === 'int' ? 'integral' : 'floating point'} dtype but got ${name} with ${scalarTypeName(weights.dtype)} dtype`,
    )
  if (weights.numel() !== observations)
    throw new RuntimeError(
      `cov(): expected ${name} to have the same numel as there are observations in the input but got ${weights.numel()} != ${observations}`,
    )
  const values = onHost(weights)
  if (observations > 0 && values !== null && Number(values.min().item()) < 0)
    throw new RuntimeError(`cov(): ${name} cannot be negative`)
}

/** The covariances of variables (rows) over observations (columns); the variance of a vector. */
export const cov: Cov & FunctionInfo = fn<Cov>(
  'cov',
  ['input'],
  ['correction', 'fweights', 'aweights'],
  (x: Tensor, { correction = 1, fweights, aweights }: CovOptions) => {
    checkTensor('cov', 'input', x)
    if (x.ndim > 2)
      throw new RuntimeError(
        `cov(): expected input to have two or fewer dimensions but got an input with ${x.ndim} dimensions`,
      )
    if (x.dtype.name === 'bool') throw new RuntimeError('cov(): bool dtype is not supported for input')
    const rows = x.ndim < 2 ? reshape(x, [1, -1]) : x
    const observations = rows.sizes[1]
    if (fweights) checkWeights('fweights', fweights, observations, 'int')
    if (aweights) checkWeights('aweights', aweights, observations, 'float')
    const weights = fweights && aweights ? fweights.mul(aweights) : (fweights ?? aweights ?? null)
    const total = weights === null ? null : weights.sum()
    const sumOfWeights = weights === null ? null : (onHost(weights)?.sum() ?? null)
    if (sumOfWeights !== null && Number(sumOfWeights.item()) === 0)
      throw new RuntimeError("cov(): weights sum to zero, can't be normalized")
    const weighted = (t: Tensor) => (weights === null ? t : t.mul(weights))
    const average = weighted(rows)
      .sum(1)
      .div(total ?? observations)
    const centred = rows.sub(unsqueeze(average, 1))
    const other = weighted(centred)
    const wide = other.dtype === centred.dtype ? centred : to(centred, other.dtype)
    const products = mm(wide, to(other, wide.dtype).conj().t())
    return squeeze(products.div(divisor()))

    function divisor(): number | Tensor {
      if (total === null) return Math.max(observations - correction, 0)
      const lost =
        aweights && correction !== 0 ? weights!.mul(aweights).sum().div(total).mul(correction) : correction
      return total.sub(lost).clamp(0)
    }
  },
  { positional: 0 },
)

/** The correlations of variables (rows) over observations (columns). */
export const corrcoef: ((x: Tensor) => Tensor) & FunctionInfo = fn<(x: Tensor) => Tensor>(
  'corrcoef',
  ['input'],
  [],
  (x: Tensor) => {
    checkTensor('corrcoef', 'input', x)
    if (x.ndim > 2)
      throw new RuntimeError(
        `corrcoef(): expected input to have two or fewer dimensions but got an input with ${x.ndim} dimensions`,
      )
    const c = cov(x)
    if (c.ndim === 0) return c.div(c)
    const deviation = (c.dtype.isComplex ? c.real : c).diag().sqrt()
    const scaled = c.div(unsqueeze(deviation, 1)).div(unsqueeze(deviation, 0))
    if (!c.dtype.isComplex) return scaled.clamp(-1, 1)
    return complex(scaled.real.clamp(-1, 1), scaled.imag.clamp(-1, 1))
  },
)

/** Where a quantile lies between two elements: between them in proportion, at one of them, or half way. */
export type Interpolation = 'linear' | 'lower' | 'higher' | 'midpoint' | 'nearest'

/** Options of `quantile`. */
export interface QuantileOptions extends ReduceOptions {
  dim?: number | null
  interpolation?: Interpolation
}

export interface Quantile {
  (x: Tensor, q: number | Tensor, dim: number | null, options?: Omit<QuantileOptions, 'dim'>): Tensor
  (x: Tensor, q: number | Tensor, options?: QuantileOptions): Tensor
}

const interpolations: readonly string[] = ['linear', 'lower', 'higher', 'midpoint', 'nearest']

function checkQuantile(x: Tensor, q: Tensor, interpolation: string): void {
  if (x.numel() === 0) throw new RuntimeError('quantile() input tensor must be non-empty')
  if (q.ndim > 1) throw new RuntimeError('quantile() q must be a scalar or 1D tensor')
  if (x.dtype.name !== 'float32' && x.dtype.name !== 'float64')
    throw new RuntimeError('quantile() input tensor must be either float or double dtype')
  if (x.dtype !== q.dtype)
    throw new RuntimeError('quantile() q tensor must be same dtype as the input tensor')
  if (!interpolations.includes(interpolation))
    throw new RuntimeError(
      `quantile() interpolation must be one of linear, lower, higher, midpoint or nearest, but got ${interpolation}`,
    )
  const values = onHost(q)
  if (values === null || q.numel() === 0) return
  if (Number(values.min().item()) < 0 || Number(values.max().item()) > 1)
    throw new RuntimeError(
      q.ndim === 0
        ? `quantile() q must be in the range [0, 1] but got ${values.item()}`
        : 'quantile() q values must be in the range [0, 1]',
    )
}

function quantileFunction(name: string, ignoreNaN: boolean): Quantile & FunctionInfo {
  return fn<Quantile>(
    name,
    ['input', 'q'],
    ['dim', 'keepdim', 'interpolation'],
    (
      x: Tensor,
      given: number | Tensor,
      { dim, keepdim = false, interpolation = 'linear' }: QuantileOptions,
    ) => {
      checkTensor(name, 'input', x)
      const q = given instanceof Tensor ? given : makeTensor(given, { dtype: x.dtype, device: x.device })
      checkQuantile(x, q, interpolation)
      const whole = dim === undefined || dim === null
      const d = whole ? 0 : wrapDim(dim, x.ndim)
      const rows = whole ? reshape(x, [-1]) : movedim(x.ndim === 0 ? reshape(x, [1]) : x, d, -1)
      const sorted = rows.sort()[0]
      // Positions in the sorted rows; NaN sorts last, so that any NaN is found there.
      const last = sorted.sizes[sorted.ndim - 1] - 1
      const missing = sorted.isnan()
      let rank = ignoreNaN
        ? missing
            .logicalNot()
            .sum(-1, { keepdim: true })
            .sub(1)
            .clamp(0)
            .mul(reshape(q, [-1]))
        : reshape(q, [-1])
            .mul(last)
            .maskedFill(missing.any(-1, { keepdim: true }), last)
      if (interpolation === 'lower') rank = rank.floor()
      else if (interpolation === 'higher') rank = rank.ceil()
      else if (interpolation === 'nearest') rank = rank.round()
      const sizes = [...sorted.sizes.slice(0, -1), q.numel()]
      const pick = (position: Tensor) => gather(sorted, -1, expand(to(position, int64), sizes))
      const below = rank.floor()
      let values = pick(below)
      if (interpolation === 'linear') values = values.lerp(pick(rank.ceil()), rank.sub(below).expand(sizes))
      else if (interpolation === 'midpoint') values = values.lerp(pick(rank.ceil()), 0.5)
      // The quantiles come first; a single one has no dimension.
      const result = q.ndim === 0 ? values.select(-1, 0) : movedim(values, -1, 0)
      if (!keepdim) return result
      if (whole) return reshape(result, [...q.sizes, ...x.sizes.map(() => 1)])
      return x.ndim === 0 ? reshape(result, [...q.sizes]) : unsqueeze(result, d + q.ndim)
    },
  )
}

/** The q-th quantiles (0 to 1) of all elements or along `dim`; NaN where there is one. */
export const quantile: Quantile & FunctionInfo = quantileFunction('quantile', false)
/** The q-th quantiles of what is not NaN. */
export const nanquantile: Quantile & FunctionInfo = quantileFunction('nanquantile', true)
