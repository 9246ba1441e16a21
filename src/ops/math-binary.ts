// Mathematical functions of two or more tensors: atan2, hypot, interpolation, fused products, logarithms of sums.

import { Complex } from '../core/complex.ts'
import * as dtypes from '../core/dtype.ts'
import { scalarTypeName } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { isComplexType } from '../kernels/complex.ts'
import { complexLogaddexp } from '../kernels/complex-functions.ts'
import * as k from '../kernels/expr.ts'
import { type Expr, isFloat } from '../kernels/expr.ts'
import { Tensor } from '../tensor/tensor.ts'
import { pow } from './arithmetic.ts'
import { where } from './choices.ts'
import { tensor } from './creation.ts'
import { checkTensor, type FunctionInfo, fn } from './op.ts'
import { withPartials } from './partials.ts'
import {
  type Binary,
  type BinaryOfEither,
  binary,
  binaryOfEither,
  type Pointwise,
  pointwise,
  type TensorOrScalar,
  withInPlace,
} from './pointwise.ts'

/** A function of two tensors without an in-place form. */
export interface BinaryOnly extends FunctionInfo {
  (x: Tensor, other: TensorOrScalar): Tensor
}

function binaryOnly(run: Pointwise): BinaryOnly {
  return Object.assign((x: Tensor, other: TensorOrScalar) => run([x, other]), {
    required: ['input', 'other'],
    optional: [],
    method: true,
  })
}

/** The angle of the point (other, x) in radians, from -pi to pi. */
export const atan2: Binary = binary(
  withPartials({ name: 'atan2', result: 'float', kernel: ([y, x]) => k.atan2(y, x) }, [
    ([y, x]) => k.div(x, k.add(k.mul(x, x), k.mul(y, y))),
    ([y, x]) => k.div(k.neg(y), k.add(k.mul(x, x), k.mul(y, y))),
  ]),
)

/** The same as `atan2`. */
export const arctan2: Binary = atan2

function hypotExpr(a: Expr, b: Expr): Expr {
  const [x, y] = [k.abs(a), k.abs(b)]
  const [large, small] = [k.max(x, y), k.min(x, y)]
  // Scaled by the larger, so that squares neither overflow nor vanish.
  const ratio = k.div(small, large)
  const length = k.mul(large, k.sqrt(k.add(k.mul(ratio, ratio), 1)))
  const infinite = k.or(k.eq(x, Number.POSITIVE_INFINITY), k.eq(y, Number.POSITIVE_INFINITY))
  return k.select(k.eq(large, 0), large, k.select(infinite, Number.POSITIVE_INFINITY, length))
}

/** `sqrt(x^2 + other^2)`, without overflow on the way. Floats only. */
export const hypot: Binary = binary(
  withPartials({ name: 'hypot', refuses: ['bool', 'int'], kernel: ([a, b]) => hypotExpr(a, b) }, [
    ([a, b]) => k.div(a, hypotExpr(a, b)),
    ([a, b]) => k.div(b, hypotExpr(a, b)),
  ]),
)

function copysignExpr(a: Expr, b: Expr): Expr {
  return k.select(k.signBit(b), k.neg(k.abs(a)), k.abs(a))
}

/** The magnitude of `x` with the sign of `other` (also that of -0). */
export const copysign: Binary = binary(
  withPartials(
    {
      name: 'copysign',
      node: ([, other]) => (other === null ? 'CopysignBackward0' : 'CopysignBackward1'),
      result: 'float',
      kernel: ([a, b]) => copysignExpr(a, b),
    },
    [
      // PyTorch's derivative at 0 is 0.
      ([a, b]) => k.select(k.eq(a, 0), k.constant(0, a.type), k.div(copysignExpr(a, b), a)),
      ([a]) => k.constant(0, a.type),
    ],
  ),
)

function xlogyExpr(x: Expr, log: Expr, isNaN_: Expr): Expr {
  return k.select(isNaN_, Number.NaN, k.select(k.eq(x, 0), k.constant(0, x.type), k.mul(x, log)))
}

const xlogyRun = pointwise(
  withPartials(
    {
      name: 'xlogy',
      node: ([x, other]) =>
        x !== null ? 'XlogyBackward1' : other !== null ? 'XlogyBackward2' : 'XlogyBackward0',
      result: 'float',
      kernel: ([x, y]) => xlogyExpr(x, k.log(y), k.isNaN_(y)),
    },
    [
      ([x, y]) => k.select(k.and(k.eq(x, 0), k.le(y, 0)), k.constant(0, x.type), k.log(y)),
      ([x, y]) => k.div(x, y),
    ],
  ),
)

/** `x log(other)`, 0 where `x` is 0. */
export const xlogy: BinaryOfEither = binaryOfEither(xlogyRun)

// max + log(1 + exp(-|a - b|)); equal infinities would give NaN.
function logaddexpExpr(a: Expr, b: Expr, base: number): Expr {
  if (isComplexType(a.type)) return complexLogaddexp(a, b, base)
  const difference = k.mul(k.neg(k.abs(k.sub(a, b))), base)
  const sum = k.add(k.max(a, b), k.div(k.log1p(k.exp(difference)), k.constant(base, a.type)))
  return k.select(k.and(k.eq(k.abs(a), Number.POSITIVE_INFINITY), k.eq(a, b)), a, sum)
}

function logaddexpOf(name: string, base: number): BinaryOnly {
  return binaryOnly(
    pointwise(
      withPartials({ name, refuses: ['bool', 'int'], kernel: ([a, b]) => logaddexpExpr(a, b, base) }, [
        ([a, b]) => k.sigmoid(k.mul(k.sub(a, b), base)),
        ([a, b]) => k.sigmoid(k.mul(k.sub(b, a), base)),
      ]),
    ),
  )
}

/** `log(exp(x) + exp(other))`, computed without overflow. Floats and complex numbers only. */
export const logaddexp: BinaryOnly = logaddexpOf('logaddexp', 1)

/** `log2(2^x + 2^other)`, computed without overflow. Floats only. */
export const logaddexp2: BinaryOnly = logaddexpOf('logaddexp2', Math.LN2)

const heavisideRun = pointwise({
  name: 'heaviside',
  kernel: ([x, values]) => {
    if (x.type === 'bool') return k.or(x, values)
    return k.select(k.eq(x, 0), values, k.select(k.lt(x, 0), k.constant(0, x.type), k.constant(1, x.type)))
  },
})

function checkHeaviside(x: Tensor, values: Tensor): void {
  checkTensor('heaviside', 'input', x)
  checkTensor('heaviside', 'values', values)
  if (x.dtype !== values.dtype)
    throw new RuntimeError('heaviside is not yet implemented for tensors with different dtypes.')
}

/** The type of `heaviside`. */
export interface Heaviside extends FunctionInfo {
  (x: Tensor, values: Tensor): Tensor
  readonly inPlace: (x: Tensor, values: Tensor) => Tensor
}

/** 0 for negative elements, 1 for positive ones, and `values` where `x` is 0. Both must have one dtype. */
export const heaviside: Heaviside = Object.assign(
  (x: Tensor, values: Tensor) => {
    checkHeaviside(x, values)
    return heavisideRun([x, values])
  },
  {
    required: ['input', 'values'],
    optional: [],
    method: true,
    inPlace: (x: Tensor, values: Tensor) => {
      checkHeaviside(x, values)
      return heavisideRun.inPlace([x, values])
    },
  },
)

// Where one operand is NaN the other counts.
function fextremum(name: 'fmax' | 'fmin'): BinaryOnly {
  const isMax = name === 'fmax'
  const takesFirst = (a: Expr, b: Expr): Expr =>
    k.or(isMax ? k.ge(a, b) : k.le(a, b), isFloat(a.type) ? k.isNaN_(b) : k.constant(false, 'bool'))
  return binaryOnly(
    pointwise(
      withPartials(
        {
          name,
          kernel: ([a, b]) => {
            if (a.type === 'bool') return isMax ? k.or(a, b) : k.and(a, b)
            return k.select(takesFirst(a, b), a, b)
          },
        },
        [
          ([a, b]) => k.select(takesFirst(a, b), k.constant(1, a.type), k.constant(0, a.type)),
          ([a, b]) => k.select(takesFirst(a, b), k.constant(0, a.type), k.constant(1, a.type)),
        ],
      ),
    ),
  )
}

/** The larger of two; where one is NaN, the other. */
export const fmax: BinaryOnly = fextremum('fmax')

/** The smaller of two; where one is NaN, the other. */
export const fmin: BinaryOnly = fextremum('fmin')

// ---- linear interpolation and fused products ------------------------------------------------------------------------

const lerpRun = pointwise({
  name: 'lerp',
  node: ([, , weight]) => (weight === null ? 'LerpBackward1' : 'LerpBackward0'),
  refuses: ['bool', 'int'],
  // From the nearer end, so that a weight of 1 gives `end` exactly.
  kernel: ([a, b, w]) => {
    const difference = k.sub(b, a)
    return k.select(
      k.lt(k.abs(w), 0.5),
      k.add(a, k.mul(w, difference)),
      k.sub(b, k.mul(difference, k.sub(k.constant(1, w.type), w))),
    )
  },
  saves: [0, 1, 2],
  backward: (g, c) => {
    const number = c.attributes.operands[2]
    if (number !== null) {
      const w = Number(number)
      return [c.needs(0) ? g.mul(1 - w) : null, c.needs(1) ? g.mul(w) : null]
    }
    const w = c.input(2)
    return [
      c.needs(0) ? g.mul(w.rsub(1)) : null,
      c.needs(1) ? g.mul(w) : null,
      c.needs(2) ? g.mul(c.input(1).sub(c.input(0))) : null,
    ]
  },
})

function checkLerp(x: Tensor, end: Tensor, weight: TensorOrScalar): void {
  checkTensor('lerp', 'input', x)
  checkTensor('lerp', 'end', end)
  const name = (t: Tensor) =>
    t.dtype.name === 'float32' ? 'float' : t.dtype.name === 'float64' ? 'double' : t.dtype.name
  if (x.dtype !== end.dtype)
    throw new RuntimeError(`expected dtype ${name(x)} for \`end\` but got dtype ${name(end)}`)
  if (weight instanceof Tensor && weight.ndim > 0 && weight.dtype !== x.dtype)
    throw new RuntimeError(`expected dtype ${name(x)} for \`weight\` but got dtype ${name(weight)}`)
}

// The same of complex numbers, of whose weights the magnitudes are compared.
function lerpComplex(x: Tensor, end: Tensor, weight: TensorOrScalar): Tensor {
  const difference = end.sub(x)
  const w = weight instanceof Tensor ? weight : tensor(weight, { dtype: x.dtype })
  const near = x.add(w.mul(difference))
  return where(w.detach().abs().lt(0.5), near, end.sub(difference.mul(w.rsub(1))))
}

/** The type of `lerp`. */
export interface Lerp extends FunctionInfo {
  (x: Tensor, end: Tensor, weight: TensorOrScalar): Tensor
  readonly inPlace: (x: Tensor, end: Tensor, weight: TensorOrScalar) => Tensor
}

/** `x + weight (end - x)`: linear interpolation. Floats only. */
export const lerp: Lerp = Object.assign(
  (x: Tensor, end: Tensor, weight: TensorOrScalar) => {
    checkLerp(x, end, weight)
    if (x.dtype.isComplex) return lerpComplex(x, end, weight)
    return lerpRun([x, end, weight])
  },
  {
    required: ['input', 'end', 'weight'],
    optional: [],
    method: true,
    inPlace: (x: Tensor, end: Tensor, weight: TensorOrScalar) => {
      checkLerp(x, end, weight)
      if (x.dtype.isComplex) return x.copy_(lerpComplex(x.clone(), end, weight))
      return lerpRun.inPlace([x, end, weight])
    },
  },
)

/** Options of `addcmul` and `addcdiv`. */
export interface ValueOptions {
  /** The factor of the product or quotient; default 1. */
  value?: number
}

/** The type of `addcmul` and `addcdiv`. */
export type AddFused = (x: Tensor, tensor1: Tensor, tensor2: Tensor, options?: ValueOptions) => Tensor

type Fused = AddFused & FunctionInfo & { readonly inPlace: AddFused }

function addFused(name: string, run: Pointwise, check: (tensors: readonly Tensor[]) => void): Fused {
  const names = ['input', 'tensor1', 'tensor2']
  const operands = (x: Tensor, tensor1: Tensor, tensor2: Tensor, value: number): TensorOrScalar[] => {
    const tensors = [x, tensor1, tensor2]
    tensors.forEach((t, i) => {
      checkTensor(name, names[i], t)
    })
    check(tensors)
    // The factor does not take part in promotion.
    const integers = tensors.every((t) => t.dtype.kind !== 'float' && !t.dtype.isComplex)
    return [x, tensor1, tensor2, integers ? Math.trunc(value) : value]
  }
  return withInPlace(
    fn<AddFused>(
      name,
      names,
      ['value'],
      (x: Tensor, tensor1: Tensor, tensor2: Tensor, { value = 1 }: ValueOptions) =>
        run(operands(x, tensor1, tensor2, value)),
    ),
    fn<AddFused>(
      `${name}_`,
      names,
      ['value'],
      (x: Tensor, tensor1: Tensor, tensor2: Tensor, { value = 1 }: ValueOptions) =>
        run.inPlace(operands(x, tensor1, tensor2, value)),
    ),
  )
}

const addcmulRun = pointwise({
  name: 'addcmul',
  kernel: ([x, a, b, value]) => k.add(x, k.mul(k.mul(value, a), b)),
  saves: [1, 2],
  backward: (g, c) => {
    const scaled = scaledBy(g, Number(c.attributes.operands[3]))
    return [
      c.needs(0) ? g : null,
      c.needs(1) ? scaled.mul(c.input(2).conj()) : null,
      c.needs(2) ? scaled.mul(c.input(1).conj()) : null,
    ]
  },
})

function scaledBy(g: Tensor, value: number): Tensor {
  return value === 1 ? g : g.mul(value)
}

/** `x + value tensor1 tensor2`, broadcast. */
export const addcmul: Fused = addFused('addcmul', addcmulRun, () => {})

const addcdivRun = pointwise({
  name: 'addcdiv',
  kernel: ([x, a, b, value]) => k.add(x, k.div(k.mul(value, a), b)),
  saves: [1, 2],
  backward: (g, c) => {
    const scaled = scaledBy(g, Number(c.attributes.operands[3]))
    const b = c.input(2).conj()
    return [
      c.needs(0) ? g : null,
      c.needs(1) ? scaled.div(b) : null,
      c.needs(2) ? scaled.mul(c.input(1).conj()).div(b.mul(b)).neg() : null,
    ]
  },
})

/** `x + value tensor1 / tensor2`, broadcast. Throws where tensor1 and tensor2 are both integers. */
export const addcdiv: Fused = addFused('addcdiv', addcdivRun, ([, a, b]) => {
  const isInteger = ({ dtype }: Tensor) => dtype.kind !== 'float' && !dtype.isComplex
  if (isInteger(a) && isInteger(b))
    throw new RuntimeError(
      'Integer division with addcdiv is no longer supported, and in a future  release addcdiv will perform a true division of tensor1 and tensor2. The historic addcdiv behavior can be implemented as (input + value * torch.trunc(tensor1 / tensor2)).to(input.dtype) for integer inputs and as (input + value * tensor1 / tensor2) for float inputs. The future addcdiv behavior is just the latter implementation: (input + value * tensor1 / tensor2), for all dtypes.',
    )
})

// ---- powers in double precision, scaling by powers of two -----------------------------------------------------------

/** The type of `floatPower`. */
export interface FloatPower extends FunctionInfo {
  (x: TensorOrScalar, exponent: TensorOrScalar): Tensor
  readonly inPlace: (x: Tensor, exponent: TensorOrScalar) => Tensor
}

const toDouble = (x: TensorOrScalar): TensorOrScalar => (x instanceof Tensor ? x.to(dtypes.float64) : x)

const isComplexNumber = (x: TensorOrScalar): boolean =>
  x instanceof Tensor ? x.dtype.isComplex : (x as unknown) instanceof Complex

/** `x` to the power `exponent`, computed and returned in float64. In place only for float64 tensors. */
export const floatPower: FloatPower = Object.assign(
  (x: TensorOrScalar, exponent: TensorOrScalar) => {
    const wide = [x, exponent].some(isComplexNumber) ? dtypes.complex128 : dtypes.float64
    const to = (value: TensorOrScalar) => (value instanceof Tensor ? value.to(wide) : value)
    return pow(to(x) as Tensor, to(exponent))
  },
  {
    required: ['input', 'exponent'],
    optional: [],
    method: true,
    inPlace: (x: Tensor, exponent: TensorOrScalar) => {
      if (x.dtype !== dtypes.float64)
        throw new RuntimeError(
          `the base given to float_power_ has dtype ${scalarTypeName(x.dtype)} but the operation's result requires dtype Double`,
        )
      return pow.inPlace(x, toDouble(exponent))
    },
  },
)

const ldexpRun = pointwise(
  withPartials({ name: 'ldexp', result: 'float', kernel: ([x, e]) => k.mul(x, k.exp2(e)) }, [
    ([, e]) => k.exp2(e),
    ([x, e]) => k.mul(k.mul(x, k.exp2(e)), Math.LN2),
  ]),
)

/** `x` times 2 to the power `other`. */
export const ldexp: Binary = Object.assign((x: Tensor, other: TensorOrScalar) => ldexpRun([x, other]), {
  required: ['input', 'other'],
  optional: [],
  method: true,
  inPlace: (x: Tensor, other: TensorOrScalar) => ldexpRun.inPlace([x, other]),
})

// ---- whole numbers --------------------------------------------------------------------------------------------------

function gcdExpr(a: Expr, b: Expr): Expr {
  return k.cast(k.gcd(k.cast(a, 'f64'), k.cast(b, 'f64')), a.type)
}

/** The greatest common divisor of integers, never negative. Exact up to 2^53. */
export const gcd: Binary = binary({
  name: 'gcd',
  refuses: ['bool', 'float'],
  kernel: ([a, b]) => gcdExpr(a, b),
})

/** The least common multiple of integers, never negative. The common divisor is exact up to 2^53. */
export const lcm: Binary = binary({
  name: 'lcm',
  refuses: ['bool', 'float'],
  // Division by a zero divisor gives 0 in kernels, which is the multiple wanted.
  kernel: ([a, b]) => k.abs(k.mul(k.div(a, gcdExpr(a, b)), b)),
})
