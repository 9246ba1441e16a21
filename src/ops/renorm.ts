// The norm of a difference (dist), and renorm, which bounds norms.

import { RuntimeError } from '../core/errors.ts'
import { wrapDim } from '../core/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { where } from './choices.ts'
import { applyOver, to } from './conversion.ts'
import { vectorNorm } from './norms.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { withInPlace } from './pointwise.ts'

export interface Dist {
  (x: Tensor, other: Tensor, p?: number): Tensor
  (x: Tensor, other: Tensor, options: { p?: number }): Tensor
}

/** The p-norm (2) of `x - other`, broadcast. */
export const dist: Dist & FunctionInfo = fn<Dist>(
  'dist',
  ['input', 'other'],
  ['p'],
  (x: Tensor, other: Tensor, { p = 2 }: { p?: number }) => {
    checkTensor('dist', 'input', x)
    checkTensor('dist', 'other', other)
    return vectorNorm(x.sub(other), p)
  },
)

interface RenormAttributes {
  readonly p: number
  readonly dim: number
  readonly maxnorm: number
}

function renormed(x: Tensor, { p, dim, maxnorm }: RenormAttributes): Tensor {
  const dims = x.sizes.map((_, d) => d).filter((d) => d !== dim)
  const norm = vectorNorm(x.dtype.itemsize === 2 ? x.float() : x, p, {
    dim: dims,
    keepdim: true,
  })
  const factor = where(norm.gt(maxnorm), norm.add(1e-7).reciprocal().mul(maxnorm), 1)
  return to(x.mul(to(factor, x.dtype)), x.dtype)
}

const renormOp: Op<RenormAttributes> = {
  node: 'RenormBackward0',
  forward: ([x], attributes) => renormed(x, attributes),
  saves: [0],
  backward: ([g], c) => {
    const x = c.input(0)
    const { p, dim, maxnorm } = c.attributes
    const dims = x.sizes.map((_, d) => d).filter((d) => d !== dim)
    const sumOf = (t: Tensor) => t.sum(dims, { keepdim: true })
    const norm = vectorNorm(x, p, { dim: dims, keepdim: true })
    const inverse = norm.add(1e-7).reciprocal()
    const large = norm.gt(maxnorm)
    const factor = where(large, inverse.mul(maxnorm), 1)
    // Of the factor: through the norm, whose gradient is that of the p-norm.
    const gradNorm = sumOf(g!.mul(x)).mul(inverse).mul(inverse).mul(-maxnorm)
    const power = x
      .sign()
      .mul(x.abs().pow(p - 1))
      .mul(norm.pow(1 - p))
      .maskedFill(norm.eq(0), 0)
    const slope = Number.isFinite(p)
      ? power
      : x
          .sign()
          .mul(x.abs().eq(norm))
          .div(sumOf(x.abs().eq(norm)))
    return [g!.mul(factor).add(slope.mul(gradNorm.maskedFill(large.logicalNot(), 0)))]
  },
}

function renormAttributes(x: Tensor, p: number, dim: number, maxnorm: number): RenormAttributes {
  checkTensor('renorm', 'input', x)
  if (p <= 0) throw new RuntimeError('renorm: non-positive-norm not supported')
  if (maxnorm < 0) throw new RuntimeError(`renorm: expected maxnorm to be >= 0 but got ${maxnorm}`)
  if (x.ndim < 2)
    throw new RuntimeError(`renorm: input needs at least 2 dimensions, got ${x.ndim} dimensions`)
  return { p, dim: wrapDim(dim, x.ndim), maxnorm }
}

function complexRenormed(x: Tensor, { p, dim, maxnorm }: RenormAttributes): Tensor {
  const dims = x.sizes.map((_, d) => d).filter((d) => d !== dim)
  const norm = vectorNorm(x, p, { dim: dims, keepdim: true })
  return x.mul(where(norm.gt(maxnorm), norm.add(1e-7).reciprocal().mul(maxnorm), 1))
}

export type Renorm = (x: Tensor, p: number, dim: number, maxnorm: number) => Tensor

/** Scales down each slice of a dimension whose p-norm exceeds `maxnorm` to that norm. */
export const renorm: Renorm & FunctionInfo & { readonly inPlace: Renorm } = withInPlace(
  fn<Renorm>(
    'renorm',
    ['input', 'p', 'dim', 'maxnorm'],
    [],
    (x: Tensor, p: number, dim: number, maxnorm: number) => {
      const attributes = renormAttributes(x, p, dim, maxnorm)
      return x.dtype.isComplex ? complexRenormed(x, attributes) : apply(renormOp, [x], attributes)
    },
  ),
  (x, p, dim, maxnorm) => {
    const attributes = renormAttributes(x, p, dim, maxnorm)
    return x.dtype.isComplex
      ? x.copy_(complexRenormed(x.clone(), attributes))
      : applyOver(renormOp, [x], attributes)
  },
)
