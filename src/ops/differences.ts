// Integrals and slopes of sampled functions: trapezoid, cumulativeTrapezoid, gradient.

import { RuntimeError } from '../core/errors.ts'
import { formatSizes, wrapDim, wrapDims } from '../core/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { cat } from './joining.ts'
import { checkTensor, type FunctionInfo, fn } from './op.ts'
import { diff } from './scan.ts'
import { narrow, reshape } from './views.ts'

/** Options of `trapezoid`. */
export interface TrapezoidOptions {
  /** Where the samples lie: a vector, or positions for each. */
  x?: Tensor | null
  /** How far apart they are where `x` is left out; default 1. */
  dx?: number
  /** Default -1. */
  dim?: number
}

export interface Trapezoid {
  (y: Tensor, x: Tensor, options?: Omit<TrapezoidOptions, 'x'>): Tensor
  (y: Tensor, options?: TrapezoidOptions): Tensor
}

// The areas between neighbours, twice over.
function doubledAreas(name: string, y: Tensor, { x, dx = 1, dim = -1 }: TrapezoidOptions): [Tensor, number] {
  checkTensor(name, 'y', y)
  const d = wrapDim(dim, y.ndim)
  const n = y.sizes[d] ?? 0
  if (y.dtype.name === 'bool' || x?.dtype.name === 'bool')
    throw new RuntimeError(
      `${name}: received a bool input for \`${y.dtype.name === 'bool' ? 'y' : 'x'}\`, but bool is not supported`,
    )
  const heights = narrow(y, d, 0, Math.max(n - 1, 0)).add(narrow(y, d, Math.min(1, n), Math.max(n - 1, 0)))
  if (!x) return [heights.mul(dx), d]
  if (x.ndim === 0) throw new RuntimeError(`${name}: The provided \`x\` must be at least 1-dimensional`)
  if (x.ndim === 1) {
    if (x.sizes[0] !== n)
      throw new RuntimeError(`${name}: There must be one \`x\` value for each sample point`)
    const widths = diff(x)
    return [
      heights.mul(
        reshape(
          widths,
          y.sizes.map((_, i) => (i === d ? -1 : 1)),
        ),
      ),
      d,
    ]
  }
  const padded = x.ndim < y.ndim ? reshape(x, [...new Array<number>(y.ndim - x.ndim).fill(1), ...x.sizes]) : x
  const own = wrapDim(dim, padded.ndim)
  const m = padded.sizes[own]
  const widths = narrow(padded, own, 1, m - 1).sub(narrow(padded, own, 0, m - 1))
  return [heights.mul(widths), own]
}

/** The integral of samples along `dim` by the trapezoid rule. */
export const trapezoid: Trapezoid & FunctionInfo = fn<Trapezoid>(
  'trapezoid',
  ['y'],
  ['x', 'dx', 'dim'],
  (y: Tensor, options: TrapezoidOptions) => {
    const [areas, d] = doubledAreas('trapezoid', y, options)
    return areas.sum(d).div(2)
  },
  { method: false, positional: 1 },
)

/** The same as `trapezoid`. */
export const trapz: Trapezoid & FunctionInfo = trapezoid

/** The integrals of samples along `dim` up to each by the trapezoid rule: one fewer than samples. */
export const cumulativeTrapezoid: Trapezoid & FunctionInfo = fn<Trapezoid>(
  'cumulative_trapezoid',
  ['y'],
  ['x', 'dx', 'dim'],
  (y: Tensor, options: TrapezoidOptions) => {
    const [areas, d] = doubledAreas('cumulative_trapezoid', y, options)
    return areas.cumsum(d).div(2)
  },
  { method: false, positional: 1 },
)

/** Options of `gradient`. */
export interface GradientOptions {
  /** How far samples are apart: one number, one for each dimension, or their positions along each dimension. */
  spacing?: number | readonly (number | Tensor)[] | null
  /** Dimensions to differentiate along; default: all. */
  dim?: number | readonly number[] | null
  /** The order of the estimate at both ends: 1 or 2. */
  edgeOrder?: 1 | 2
}

export type Gradient = (x: Tensor, options?: GradientOptions) => Tensor[]

// Slopes along a dimension of samples that are equally far apart.
function evenSlopes(x: Tensor, d: number, h: number, edgeOrder: number): Tensor {
  const n = x.sizes[d]
  const at = (i: number, length = 1) => narrow(x, d, i < 0 ? n + i : i, length)
  const inner = at(2, n - 2)
    .sub(at(0, n - 2))
    .div(2 * h)
  if (edgeOrder === 1) return cat([at(1).sub(at(0)).div(h), inner, at(-1).sub(at(-2)).div(h)], d)
  const first = at(0).mul(-1.5).add(at(1).mul(2)).sub(at(2).mul(0.5)).div(h)
  const last = at(-1).mul(1.5).sub(at(-2).mul(2)).add(at(-3).mul(0.5)).div(h)
  return cat([first, inner, last], d)
}

// Slopes along a dimension of samples at given positions: of the parabola through three neighbours.
function unevenSlopes(x: Tensor, d: number, positions: Tensor, edgeOrder: number): Tensor {
  const n = x.sizes[d]
  const gaps = reshape(
    diff(positions),
    x.sizes.map((_, i) => (i === d ? -1 : 1)),
  )
  const gap = (i: number, length = 1) => narrow(gaps, d, i < 0 ? n - 1 + i : i, length)
  const at = (i: number, length = 1) => narrow(x, d, i < 0 ? n + i : i, length)
  const [g1, g2] = [gap(0, n - 2), gap(1, n - 2)]
  const inner = at(0, n - 2)
    .mul(g2.neg().div(g1.mul(g1.add(g2))))
    .add(at(1, n - 2).mul(g2.sub(g1).div(g1.mul(g2))))
    .add(at(2, n - 2).mul(g1.div(g2.mul(g1.add(g2)))))
  if (edgeOrder === 1) return cat([at(1).sub(at(0)).div(gap(0)), inner, at(-1).sub(at(-2)).div(gap(-1))], d)
  const edge = (h1: Tensor, h2: Tensor, a: Tensor, b: Tensor, c: Tensor) => {
    const both = h1.add(h2)
    return a
      .mul(h1.mul(2).add(h2).neg().div(h1.mul(both)))
      .add(b.mul(both.div(h1.mul(h2))))
      .sub(c.mul(h1.div(h2.mul(both))))
  }
  const first = edge(gap(0), gap(1), at(0), at(1), at(2))
  const last = edge(gap(-1), gap(-2), at(-1), at(-2), at(-3)).neg()
  return cat([first, inner, last], d)
}

/**
 * Estimates the partial derivatives of a function sampled on a grid, one tensor for each dimension: by central
 * differences inside, one-sided ones at the ends.
 */
export const gradient: Gradient & FunctionInfo = fn<Gradient>(
  'gradient',
  ['input'],
  ['spacing', 'dim', 'edgeOrder'],
  (x: Tensor, { spacing, dim, edgeOrder = 1 }: GradientOptions) => {
    checkTensor('gradient', 'input', x)
    if (edgeOrder !== 1 && edgeOrder !== 2)
      throw new RuntimeError('torch.gradient only supports edge_order=1 and edge_order=2.')
    const dims = wrapDims(dim, x.ndim)
    const steps = Array.isArray(spacing) ? (spacing as (number | Tensor)[]) : null
    if (steps !== null && steps.length !== dims.length)
      throw new RuntimeError(
        `torch.gradient expected spacing to be unspecified, a scalar or it's spacing and dim arguments to have the same length, but got a spacing argument of length ${steps.length} and a dim argument of length ${dims.length}.`,
      )
    for (const d of dims)
      if (x.sizes[d] < edgeOrder + 1)
        throw new RuntimeError(
          `torch.gradient expected each dimension size to be at least edge_order+1, got ${formatSizes(x.sizes)}`,
        )
    return dims.map((d, i) => {
      const step = steps?.[i] ?? (spacing as number | null | undefined) ?? 1
      if (!(step instanceof Tensor)) return evenSlopes(x, d, Number(step), edgeOrder)
      if (step.ndim !== 1 || step.sizes[0] !== x.sizes[d])
        throw new RuntimeError(
          `torch.gradient expected each element in the \`spacing\` to be a vector as long as dimension ${d} (${x.sizes[d]}), but got shape ${formatSizes(step.sizes)}`,
        )
      return unevenSlopes(x, d, step, edgeOrder)
    })
  },
  { method: false, positional: 0 },
)
