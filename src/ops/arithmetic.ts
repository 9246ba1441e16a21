// The four operations and their kin: add, sub, mul, div, remainders, powers, minima and maxima.

import { Complex } from '../core/complex.ts'
import { bool } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import * as k from '../kernels/expr.ts'
import { type Expr, isFloat } from '../kernels/expr.ts'
import { Tensor } from '../tensor/tensor.ts'
import { where } from './choices.ts'
import { onHost } from './host.ts'
import { type FunctionInfo, fn } from './op.ts'
import {
  type Binary,
  binary,
  conjugateOf,
  operandOf,
  pointwise,
  type TensorOrScalar,
  type Unary,
  withInPlace,
} from './pointwise.ts'

/** Options of `add` and `sub`. */
export interface AlphaOptions {
  /** `other` is multiplied by this first; default 1. */
  alpha?: number | boolean | Complex
}

/** The type of `add` and `sub`. */
export interface AddLike extends FunctionInfo {
  (x: Tensor, other: TensorOrScalar, options?: AlphaOptions): Tensor
  readonly inPlace: (x: Tensor, other: TensorOrScalar, options?: AlphaOptions) => Tensor
}

const logicalOr = (a: Expr, b: Expr): Expr => (a.type === 'bool' ? k.or(a, b) : k.add(a, b))

const addPlain = pointwise({
  name: 'add',
  kernel: ([a, b]) => logicalOr(a, b),
  backward: (g) => [g, g],
})

const addScaled = pointwise({
  name: 'add',
  kernel: ([a, b, alpha]) => logicalOr(a, a.type === 'bool' ? k.and(b, alpha) : k.mul(b, alpha)),
  backward: (g, { attributes }) => [g, mul(g, conjugateOf(attributes.operands[2] as number))],
})

const subPlain = pointwise({
  name: 'sub',
  kernel: ([a, b]) => k.sub(a, b),
  backward: (g) => [g, neg(g)],
})

function checkAlpha(alpha: number | boolean | Complex, x: Tensor, other: TensorOrScalar): void {
  if (alpha instanceof Complex) {
    if (x.dtype.kind !== 'complex' && !(other instanceof Tensor && other.dtype.kind === 'complex'))
      throw new RuntimeError('For non-complex input tensors, argument alpha must not be a complex number.')
    return
  }
  if (
    !Number.isInteger(Number(alpha)) &&
    !x.dtype.isInexact &&
    !(other instanceof Tensor && other.dtype.isInexact)
  )
    throw new RuntimeError('For integral input tensors, argument alpha must not be a floating point number.')
}

function checkSubtract(x: TensorOrScalar, other: TensorOrScalar): void {
  const isBool = (v: TensorOrScalar) => (v instanceof Tensor ? v.dtype === bool : typeof v === 'boolean')
  if (isBool(x) && isBool(other))
    throw new RuntimeError(
      'Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` operator instead.',
    )
  if (isBool(x) || isBool(other))
    throw new RuntimeError(
      'Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, use the `~` or `logical_not()` operator instead.',
    )
}

/**
 * `x + alpha * other`, broadcast. Sum of two bool tensors: logical or.
 * @throws RuntimeError where the shapes do not broadcast.
 */
export const add: AddLike = withInPlace(
  fn<(x: Tensor, other: TensorOrScalar, options?: AlphaOptions) => Tensor>(
    'add',
    ['input', 'other'],
    ['alpha'],
    (x: Tensor, other: TensorOrScalar, { alpha = 1 }: AlphaOptions) => {
      if (alpha === 1) return addPlain([x, other])
      checkAlpha(alpha, x, other)
      return addScaled([x, other, alpha])
    },
    { positional: 0 },
  ),
  (x: Tensor, other: TensorOrScalar, { alpha = 1 }: AlphaOptions = {}) => {
    if (alpha === 1) return addPlain.inPlace([x, other])
    checkAlpha(alpha, x, other)
    return addScaled.inPlace([x, other, alpha])
  },
)

/** `x - alpha * other`, broadcast. Throws for bool tensors. */
export const sub: AddLike = withInPlace(
  fn<(x: Tensor, other: TensorOrScalar, options?: AlphaOptions) => Tensor>(
    'sub',
    ['input', 'other'],
    ['alpha'],
    (x: Tensor, other: TensorOrScalar, { alpha = 1 }: AlphaOptions) => {
      checkSubtract(x, other)
      if (alpha === 1) return subPlain([x, other])
      checkAlpha(alpha, x, other)
      return subScaled([x, other, alpha])
    },
    { positional: 0 },
  ),
  (x: Tensor, other: TensorOrScalar, { alpha = 1 }: AlphaOptions = {}) => {
    checkSubtract(x, other)
    return alpha === 1 ? subPlain.inPlace([x, other]) : subScaled.inPlace([x, other, alpha])
  },
)

const subScaled = pointwise({
  name: 'sub',
  kernel: ([a, b, alpha]) => k.sub(a, k.mul(b, alpha)),
  backward: (g, { attributes }) => [g, neg(mul(g, conjugateOf(attributes.operands[2] as number)))],
})

/** The same as `sub`. */
export const subtract: AddLike = sub

const rsubPlain = pointwise({
  name: 'rsub',
  node: ([, other]) => (other === null ? 'RsubBackward0' : 'RsubBackward1'),
  kernel: ([a, b]) => k.sub(b, a),
  backward: (g) => [neg(g), g],
})

const rsubScaled = pointwise({
  name: 'rsub',
  node: ([, other]) => (other === null ? 'RsubBackward0' : 'RsubBackward1'),
  kernel: ([a, b, alpha]) => k.sub(b, k.mul(a, alpha)),
  backward: (g, { attributes }) => [neg(mul(g, conjugateOf(attributes.operands[2] as number))), g],
})

/** `other - alpha * x`: the reflected subtraction. */
export const rsub: FunctionInfo & ((x: Tensor, other: TensorOrScalar, options?: AlphaOptions) => Tensor) = fn<
  (x: Tensor, other: TensorOrScalar, options?: AlphaOptions) => Tensor
>(
  'rsub',
  ['input', 'other'],
  ['alpha'],
  (x: Tensor, other: TensorOrScalar, { alpha = 1 }: AlphaOptions) => {
    checkSubtract(x, other)
    if (alpha === 1) return rsubPlain([x, other])
    checkAlpha(alpha, x, other)
    return rsubScaled([x, other, alpha])
  },
  { positional: 0 },
)

/** `x * other`, broadcast. Product of two bool tensors: logical and. */
export const mul: Binary = binary({
  name: 'mul',
  kernel: ([a, b]) => (a.type === 'bool' ? k.and(a, b) : k.mul(a, b)),
  saves: [0, 1],
  backward: (g, c) => [
    c.needs(0) ? mul(g, conjugateOf(operandOf(c, 1))) : null,
    c.attributes.operands[1] === null && c.needs(1) ? mul(g, conjugateOf(c.input(0))) : null,
  ],
})

/** The same as `mul`. */
export const multiply: Binary = mul

/** How `div` rounds: not at all, toward zero, or down. */
export type RoundingMode = 'trunc' | 'floor' | null

const divTrue = pointwise({
  name: 'div',
  kernel: ([a, b]) => k.div(a, b),
  result: 'float',
  saves: [0, 1],
  backward: (g, c) => {
    const b = conjugateOf(operandOf(c, 1))
    return [
      c.needs(0) ? div(g, b) : null,
      b instanceof Tensor && c.needs(1) ? neg(div(div(mul(g, conjugateOf(c.input(0))), b), b)) : null,
    ]
  },
})

function floorDivideExpr(a: Expr, b: Expr): Expr {
  if (!isFloat(a.type)) {
    const q = k.div(a, b)
    const inexact = k.ne(k.mul(q, b), a)
    return k.select(k.and(inexact, k.lt(k.xor(a, b), 0)), k.sub(q, 1), q)
  }
  // As CPython: from the exact remainder, so that the quotient is right even where a / b rounds up.
  const mod = k.fmod(a, b)
  const quotient = k.div(k.sub(a, mod), b)
  const shifted = k.select(k.and(k.ne(mod, 0), k.ne(k.lt(b, 0), k.lt(mod, 0))), k.sub(quotient, 1), quotient)
  const floor = k.floor(shifted)
  const rounded = k.select(k.gt(k.sub(shifted, floor), 0.5), k.add(floor, 1), floor)
  const result = k.select(k.eq(shifted, 0), k.mul(k.div(a, b), 0), rounded)
  return k.select(k.eq(b, 0), k.div(a, b), result)
}

const divFloor = pointwise({
  name: 'div',
  node: 'DivBackward1',
  kernel: ([a, b]) => floorDivideExpr(a, b),
  backward: (g) => [mul(g, 0), mul(g, 0)],
})
const divTrunc = pointwise({
  name: 'div',
  node: 'DivBackward1',
  kernel: ([a, b]) => (isFloat(a.type) ? k.trunc(k.div(a, b)) : k.div(a, b)),
  backward: (g) => [mul(g, 0), mul(g, 0)],
})

function checkDivisor(x: Tensor, other: TensorOrScalar): void {
  if (x.dtype.isInexact || (other instanceof Tensor && other.dtype.isInexact)) return
  if (typeof other === 'number' && !Number.isInteger(other)) return
  const zero =
    other instanceof Tensor
      ? other.device.type !== 'meta' && onHost(other)?.all().item() === false
      : Number(other) === 0
  if (zero) throw new RuntimeError('ZeroDivisionError')
}

function chooseDivision(x: Tensor, other: TensorOrScalar, roundingMode: RoundingMode): typeof divTrue {
  if (roundingMode === null) return divTrue
  if (roundingMode !== 'floor' && roundingMode !== 'trunc')
    throw new RuntimeError(
      `div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '${String(roundingMode)}'`,
    )
  checkDivisor(x, other)
  return roundingMode === 'floor' ? divFloor : divTrunc
}

/** Options of `div`. */
export interface DivOptions {
  roundingMode?: RoundingMode
}

export interface Div extends FunctionInfo {
  (x: Tensor, other: TensorOrScalar, options?: DivOptions): Tensor
  readonly inPlace: (x: Tensor, other: TensorOrScalar, options?: DivOptions) => Tensor
}

/** `x / other`, broadcast; integers give the default float. With `roundingMode` 'floor' or 'trunc' the dtype stays. */
export const div: Div = withInPlace(
  fn<(x: Tensor, other: TensorOrScalar, options?: DivOptions) => Tensor>(
    'div',
    ['input', 'other'],
    ['roundingMode'],
    (x: Tensor, other: TensorOrScalar, { roundingMode = null }: DivOptions) => {
      // Division by a number is multiplication's node in PyTorch too; its name stays DivBackward0.
      return chooseDivision(x, other, roundingMode)([x, other])
    },
    { positional: 0 },
  ),
  (x: Tensor, other: TensorOrScalar, { roundingMode = null }: DivOptions = {}) =>
    chooseDivision(x, other, roundingMode).inPlace([x, other]),
)

/** The same as `div`. */
export const divide: Div = div

/** `x / other`, as `div` without rounding. */
export const trueDivide: Binary = Object.assign((x: Tensor, other: TensorOrScalar) => divTrue([x, other]), {
  required: ['input', 'other'],
  optional: [],
  method: true,
  inPlace: (x: Tensor, other: TensorOrScalar) => divTrue.inPlace([x, other]),
})

/** The quotient rounded down, in the operands' dtype. Throws RuntimeError for an integer division by zero. */
export const floorDivide: Binary = Object.assign(
  (x: Tensor, other: TensorOrScalar) => {
    checkDivisor(x, other)
    return divFloor([x, other])
  },
  {
    required: ['input', 'other'],
    optional: [],
    method: true,
    inPlace: (x: Tensor, other: TensorOrScalar) => {
      checkDivisor(x, other)
      return divFloor.inPlace([x, other])
    },
  },
)

/** `-x`. Throws for bool. */
export const neg: Unary = makeNeg()

function makeNeg(): Unary {
  const run = pointwise({ name: 'neg', kernel: ([a]) => k.neg(a), backward: (g) => [neg(g)] })
  const check = (x: Tensor) => {
    if (x.dtype === bool)
      throw new RuntimeError(
        'Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use the `~` or `logical_not()` operator instead.',
      )
    return x
  }
  return Object.assign((x: Tensor) => run([check(x)]), {
    required: ['input'],
    optional: [],
    method: true,
    inPlace: (x: Tensor) => run.inPlace([check(x)]),
  })
}

/** The same as `neg`. */
export const negative: Unary = neg

function moduloExpr(a: Expr, b: Expr): Expr {
  if (!isFloat(a.type)) {
    const r = k.rem(a, b)
    return k.select(k.and(k.ne(r, 0), k.lt(k.xor(r, b), 0)), k.add(r, b), r)
  }
  const r = k.fmod(a, b)
  return k.select(k.and(k.ne(r, 0), k.ne(k.lt(r, 0), k.lt(b, 0))), k.add(r, b), r)
}

function checkedModulo(spec: Parameters<typeof pointwise>[0]): Binary {
  const run = pointwise(spec)
  return Object.assign(
    (x: Tensor, other: TensorOrScalar) => {
      checkDivisor(x, other)
      return run([x, other])
    },
    {
      required: ['input', 'other'],
      optional: [],
      method: true,
      inPlace: (x: Tensor, other: TensorOrScalar) => {
        checkDivisor(x, other)
        return run.inPlace([x, other])
      },
    },
  )
}

/** The remainder with the sign of the divisor, as Python's `%`. */
export const remainder: Binary = checkedModulo({
  name: 'remainder',
  node: ([, other]) => (other === null ? 'RemainderBackward1' : 'RemainderBackward0'),
  kernel: ([a, b]) => moduloExpr(a, b),
  saves: [0, 1],
  backward: (g, c) => {
    const b = operandOf(c, 1)
    return [
      g,
      b instanceof Tensor && c.needs(1) ? neg(mul(g, div(c.input(0), b, { roundingMode: 'floor' }))) : null,
    ]
  },
})

/** The remainder with the sign of the dividend, as C's `fmod`. */
export const fmod: Binary = checkedModulo({
  name: 'fmod',
  node: ([, other]) => (other === null ? 'FmodBackward1' : 'FmodBackward0'),
  kernel: ([a, b]) => (isFloat(a.type) ? k.fmod(a, b) : k.rem(a, b)),
  saves: [0, 1],
  backward: (g, c) => {
    const b = operandOf(c, 1)
    return [
      g,
      b instanceof Tensor && c.needs(1) ? neg(mul(g, div(c.input(0), b, { roundingMode: 'trunc' }))) : null,
    ]
  },
})

/** The larger of two, element by element; NaN wins. */
export const maximum: Binary = binary({
  name: 'maximum',
  kernel: ([a, b]) => (a.type === 'bool' ? k.or(a, b) : k.max(a, b)),
  saves: [0, 1],
  backward: (g, c) => extremumGradient(g, c.input(0), c.input(1), c, 'ge'),
})

/** The smaller of two, element by element; NaN wins. */
export const minimum: Binary = binary({
  name: 'minimum',
  kernel: ([a, b]) => (a.type === 'bool' ? k.and(a, b) : k.min(a, b)),
  saves: [0, 1],
  backward: (g, c) => extremumGradient(g, c.input(0), c.input(1), c, 'le'),
})

// Equal elements share the gradient.
function extremumGradient(
  g: Tensor,
  a: Tensor,
  b: Tensor,
  c: { needs(i: number): boolean },
  side: 'ge' | 'le',
): (Tensor | null)[] {
  const half = g.div(2)
  const part = (mine: Tensor, other: Tensor) =>
    where(mine.eq(other), half, g).maskedFill(side === 'ge' ? mine.lt(other) : mine.gt(other), 0)
  return [c.needs(0) ? part(a, b) : null, c.needs(1) ? part(b, a) : null]
}

// ---- powers -----------------------------------------------------------------------------------------------------------

function integerPower(a: Expr, b: Expr): Expr {
  // Binary exponentiation over the bits that an int64 result can need; negative exponents give 0, 1 or -1.
  const one = k.constant(1, a.type)
  let result: Expr = one
  let base = a
  for (let bit = 0; bit < 6; bit++) {
    const on = k.ne(k.and(k.shr(b, bit), 1), 0)
    result = k.select(on, k.mul(result, base), result)
    base = k.mul(base, base)
  }
  const odd = k.ne(k.and(b, 1), 0)
  const negative = k.select(
    k.eq(a, 1),
    one,
    k.select(k.eq(a, -1), k.select(odd, k.constant(-1, a.type), one), k.constant(0, a.type)),
  )
  return k.select(k.lt(b, 0), negative, result)
}

const powTensor = pointwise({
  name: 'pow',
  node: ([base, exponent]) =>
    exponent !== null ? 'PowBackward0' : base !== null ? 'PowBackward2' : 'PowBackward1',
  kernel: ([a, b]) =>
    isFloat(a.type) ? k.pow(a, b) : a.type === 'bool' ? k.or(a, k.not(b)) : integerPower(a, b),
  saves: [0, 1],
  savesOutput: true,
  backward: (g, c) => {
    const base = operandOf(c, 0)
    const exponent = operandOf(c, 1)
    const result: (Tensor | null)[] = []
    if (base instanceof Tensor)
      result.push(
        !c.needs(0)
          ? null
          : !(exponent instanceof Tensor)
            ? powerGradient(g, base, exponent instanceof Complex ? exponent : Number(exponent))
            : g.mul(conjugateOf(exponent.mul(base.pow(exponent.sub(1))))).maskedFill(exponent.eq(0), 0),
      )
    if (exponent instanceof Tensor) {
      const index = base instanceof Tensor ? 1 : 0
      if (!c.needs(index)) result.push(null)
      else {
        const out = c.output()
        const logBase = base instanceof Tensor ? base.log() : logarithm(base)
        const value = g.mul(conjugateOf(out.mul(logBase)))
        const isZero =
          base instanceof Tensor
            ? base.eq(0).logicalAnd(realOf(exponent).ge(0))
            : Number(base) === 0
              ? realOf(exponent).ge(0)
              : null
        result.push(isZero === null ? value : value.maskedFill(isZero, 0))
      }
    }
    return result
  },
})

const realOf = (x: Tensor): Tensor => (x.dtype.kind === 'complex' ? x.real : x)

function logarithm(x: Exclude<TensorOrScalar, Tensor>): number | Complex {
  if (!(x instanceof Complex)) return Math.log(Number(x))
  return new Complex(Math.log(Math.hypot(x.re, x.im)), Math.atan2(x.im, x.re))
}

function powerGradient(g: Tensor, base: Tensor, exponent: number | Complex): Tensor {
  if (exponent instanceof Complex) {
    const less = new Complex(exponent.re - 1, exponent.im)
    return g.mul(conjugateOf(base.pow(less).mul(exponent)))
  }
  if (exponent === 0) return g.mul(0)
  if (exponent === 1) return g
  if (exponent === 2) return g.mul(conjugateOf(base.mul(2)))
  return g.mul(conjugateOf(base.pow(exponent - 1).mul(exponent)))
}

// Small exponents without a call of pow: same results, and lanes.
const fixedPowers = new Map<number, typeof powTensor>(
  (
    [
      [2, (a: Expr) => k.mul(a, a)],
      [3, (a: Expr) => k.mul(k.mul(a, a), a)],
      [0.5, (a: Expr) => k.sqrt(a)],
      [-0.5, (a: Expr) => k.div(k.constant(1, a.type), k.sqrt(a))],
      [-1, (a: Expr) => k.div(k.constant(1, a.type), a)],
      [-2, (a: Expr) => k.div(k.constant(1, a.type), k.mul(a, a))],
    ] as const
  ).map(([exponent, kernel]) => [
    exponent,
    pointwise({
      name: 'pow',
      node: 'PowBackward0',
      kernel: ([a]) => kernel(a),
      saves: [0],
      backward: (g, c) => [powerGradient(g, c.input(0), exponent)],
    }),
  ]),
)

function runPow(x: TensorOrScalar, exponent: TensorOrScalar, inPlace: boolean): Tensor {
  if (x instanceof Tensor && typeof exponent === 'number') {
    if (!x.dtype.isInexact && Number.isInteger(exponent) && exponent < 0)
      throw new RuntimeError('Integers to negative integer powers are not allowed.')
    const fixed = x.dtype.isInexact ? fixedPowers.get(exponent) : undefined
    if (fixed !== undefined) return inPlace ? fixed.inPlace([x]) : fixed([x])
  }
  return inPlace ? powTensor.inPlace([x, exponent]) : powTensor([x, exponent])
}

/** The type of `pow`: either operand may be a number. */
export interface Pow extends FunctionInfo {
  (x: TensorOrScalar, exponent: TensorOrScalar): Tensor
  readonly inPlace: (x: Tensor, exponent: TensorOrScalar) => Tensor
}

/** `x` to the power `exponent`, broadcast. Throws RuntimeError for integers to negative integer powers. */
export const pow: Pow = Object.assign(
  (x: TensorOrScalar, exponent: TensorOrScalar) => runPow(x, exponent, false),
  {
    required: ['input', 'exponent'],
    optional: [],
    method: true,
    inPlace: (x: Tensor, exponent: TensorOrScalar) => runPow(x, exponent, true),
  },
)
