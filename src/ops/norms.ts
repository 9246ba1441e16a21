// Norms and log-sum-exp over chosen dimensions.

import type { DType } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import * as k from '../kernels/expr.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { to } from './conversion.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { type Dims, dimsOf, Reducer, restoreDims } from './reduce.ts'
import { capital, type DimsAttributes, type ReduceOptions, sum } from './reductions.ts'

const normReducers = new Map<number, Reducer>()

function normReducer(p: number): Reducer {
  let reducer = normReducers.get(p)
  if (reducer === undefined) {
    reducer = new Reducer({
      name: `norm${p}`,
      kernel: (b, read) => {
        if (p === Number.POSITIVE_INFINITY) return b.loop((l) => l.reduce('max', k.abs(read(l))))
        if (p === Number.NEGATIVE_INFINITY) return b.loop((l) => l.reduce('min', k.abs(read(l))))
        if (p === 0)
          return b.loop((l) => {
            const x = read(l)
            return l.reduce('sum', k.cast(k.ne(x, 0), x.type))
          })
        if (p === 1) return b.loop((l) => l.reduce('sum', k.abs(read(l))))
        const total = b.loop((l) => {
          const x = read(l)
          return l.reduce('sum', p === 2 ? k.mul(x, x) : k.pow(k.abs(x), p))
        })
        return p === 2 ? k.sqrt(total) : k.pow(total, 1 / p)
      },
    })
    normReducers.set(p, reducer)
  }
  return reducer
}

export interface NormAttributes extends DimsAttributes {
  readonly p: number
}

export const vectorNormOp: Op<NormAttributes> = {
  node: 'LinalgVectorNormBackward0',
  forward: ([x], { p, dims, keepdim, dtype }) => {
    const result = normReducer(p).run(x, dims, keepdim, dtype, dtype)
    // The largest of no numbers: PyTorch's norm of nothing is 0.
    return result
  },
  saves: [0],
  savesOutputs: [0],
  backward: ([g], c) => {
    const { p, dims, keepdim } = c.attributes
    const x = c.input(0)
    const norm = restoreDims(c.output(), x.ndim, dims, keepdim)
    const grad = restoreDims(g!, x.ndim, dims, keepdim)
    if (p === 0) return [x.mul(0)]
    if (p === 1) return [grad.mul(x.sign())]
    if (p === 2) return [grad.mul(x.div(norm).maskedFill(norm.eq(0), 0))]
    if (!Number.isFinite(p)) {
      const mask = x.abs().eq(norm)
      return [
        x
          .sign()
          .mul(grad.div(sum(mask, dims, { keepdim: true })))
          .mul(mask),
      ]
    }
    if (p < 1) {
      const self = x
        .sign()
        .mul(x.abs().pow(p - 1))
        .maskedFill(x.eq(0), 0)
      return [self.mul(grad).mul(norm.pow(1 - p))]
    }
    if (p < 2) {
      const self = x.sign().mul(x.abs().pow(p - 1))
      return [self.mul(grad.mul(norm.pow(1 - p).maskedFill(norm.eq(0), 0)))]
    }
    const self = x.mul(x.abs().pow(p - 2))
    return [self.mul(grad.mul(norm.pow(1 - p).maskedFill(norm.eq(0), 0)))]
  },
}

/** Options of `vectorNorm`. */
export interface VectorNormOptions extends ReduceOptions {
  dim?: Dims
  dtype?: DType
}

/** The p-norm of the elements along `dim` (all where left out): `(sum |x|^p)^(1/p)`. */
export function vectorNorm(
  x: Tensor,
  p = 2,
  { dim, keepdim = false, dtype }: VectorNormOptions = {},
): Tensor {
  checkTensor('linalg.vector_norm', 'input', x)
  // A norm sees the magnitudes only.
  if (x.dtype.isComplex || dtype?.isComplex) {
    const wide = dtype === undefined ? x : to(x, dtype)
    return vectorNorm(wide.abs(), p, { dim, keepdim })
  }
  if (x.dtype.kind !== 'float' && dtype === undefined)
    throw new RuntimeError(
      `linalg.vector_norm: Expected a floating point or complex tensor as input. Got ${capital(x.dtype)}`,
    )
  const dims = dimsOf(dim, x)
  if (!Number.isFinite(p) || p < 0)
    if (dims.some((d) => x.sizes[d] === 0))
      throw new RuntimeError(
        `linalg.vector_norm cannot compute the ${p} norm on an empty tensor because the operation does not have an identity`,
      )
  const source = dtype === undefined ? x : to(x, dtype)
  return apply(vectorNormOp, [source], { p, dims, keepdim, dtype: source.dtype, named: true })
}

export interface Norm {
  (x: Tensor, p?: number | 'fro' | 'nuc', dim?: Dims, options?: { keepdim?: boolean; dtype?: DType }): Tensor
  (x: Tensor, options?: { p?: number | 'fro' | 'nuc'; dim?: Dims; keepdim?: boolean; dtype?: DType }): Tensor
}

let nuclearNorm: ((x: Tensor, dims: readonly number[], options: VectorNormOptions) => Tensor) | null = null

/** Set by the module that has singular values. */
export function setNuclearNorm(f: NonNullable<typeof nuclearNorm>): void {
  nuclearNorm = f
}

/** The p-norm (2, or 'fro', where left out) of all elements or along `dim`; 'nuc' of a matrix or of two dimensions. */
export const norm: Norm & FunctionInfo = fn<Norm>(
  'norm',
  ['input'],
  ['p', 'dim', 'keepdim', 'dtype'],
  (
    x: Tensor,
    options: { p?: number | 'fro' | 'nuc' | null; dim?: Dims; keepdim?: boolean; dtype?: DType },
  ) => {
    const { p = 2, dim, keepdim, dtype } = options
    if (p === 'nuc') {
      if (nuclearNorm === null) throw new RuntimeError("norm(): p='nuc' needs the module linalg to be loaded")
      const dims = dim === undefined || dim === null ? [-2, -1] : typeof dim === 'number' ? [dim] : dim
      return nuclearNorm(x, dims, { keepdim, dtype })
    }
    return vectorNorm(x, p === 'fro' || p === null ? 2 : p, { dim, keepdim, dtype })
  },
)

const logsumexpReducer = new Reducer({
  name: 'logsumexp',
  kernel: (b, read) => {
    const largest = b.loop((l) => l.reduce('max', read(l)))
    // Without this, a row of infinities would subtract infinity from itself.
    const shift = b.let(
      k.select(k.eq(k.abs(largest), Number.POSITIVE_INFINITY), k.constant(0, largest.type), largest),
    )
    return k.add(k.log(b.loop((l) => l.reduce('sum', k.exp(k.sub(read(l), shift))))), shift)
  },
})

const logsumexpOp: Op<DimsAttributes> = {
  node: 'LogsumexpBackward0',
  forward: ([x], { dims, keepdim, dtype }) => logsumexpReducer.run(x, dims, keepdim, dtype, dtype),
  saves: [0],
  savesOutputs: [0],
  backward: ([g], c) => {
    const { dims, keepdim } = c.attributes
    const x = c.input(0)
    return [
      restoreDims(g!, x.ndim, dims, keepdim).mul(x.sub(restoreDims(c.output(), x.ndim, dims, keepdim)).exp()),
    ]
  },
}

export interface Logsumexp {
  (x: Tensor, dim: Dims, keepdim?: boolean): Tensor
  (x: Tensor, dim: Dims, options?: ReduceOptions): Tensor
}

/** `log(sum(exp(x)))` over `dim`, without overflow. */
export const logsumexp: Logsumexp & FunctionInfo = fn<Logsumexp>(
  'logsumexp',
  ['input', 'dim'],
  ['keepdim'],
  (x: Tensor, dim: Dims, { keepdim = false }: ReduceOptions) => {
    if (x.dtype.isComplex) {
      const dims = dimsOf(dim, x)
      const parts = x.real.detach()
      const largest = dims.reduce((t, d) => t.amax(d, { keepdim: true }), parts)
      const shift = largest.maskedFill(largest.abs().eq(Number.POSITIVE_INFINITY), 0)
      const total = sum(x.sub(shift).exp(), dims, { keepdim: true }).log().add(shift)
      return keepdim ? total : sum(total, dims)
    }
    const source = x.dtype.kind === 'float' ? x : x.float()
    return apply(logsumexpOp, [source], {
      dims: dimsOf(dim, source),
      keepdim,
      dtype: source.dtype,
      named: true,
    })
  },
)
