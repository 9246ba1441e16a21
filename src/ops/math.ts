// Mathematical functions of one tensor: exponentials and logarithms, roots, trigonometry, rounding, signs.
// Functions of two or more tensors are in math-binary.ts, the rarer special functions in special-math.ts.

import { Complex } from '../core/complex.ts'
import { RuntimeError } from '../core/errors.ts'
import { angleOf } from '../kernels/complex.ts'
import { sign as signExpr } from '../kernels/differentiate.ts'
import * as k from '../kernels/expr.ts'
import { type Expr, isFloat } from '../kernels/expr.ts'
import { Tensor } from '../tensor/tensor.ts'
import { pow } from './arithmetic.ts'
import { type FunctionInfo, fn } from './op.ts'
import { withOutputPartial, withPartials, withZeroGradient } from './partials.ts'
import { type PointwiseSpec, pointwise, type Unary, type UnaryOnly, unary, withInPlace } from './pointwise.ts'

type Rule = (x: Expr) => Expr

// A function whose derivative is an expression of its operand. Integers give the default float.
function ofInput(name: string, kernel: Rule, derivative: Rule, node?: string): Unary {
  return unary(
    withPartials({ name, node, result: 'float', kernel: ([x]) => kernel(x) }, [([x]) => derivative(x)]),
  )
}

// A function whose derivative is an expression of its result.
function ofOutput(name: string, kernel: Rule, derivative: Rule): Unary {
  return unary(
    withOutputPartial({ name, result: 'float', kernel: ([x]) => kernel(x) }, ([y]) => derivative(y)),
  )
}

const one = (like: Expr): Expr => k.constant(1, like.type)
const squareOf: Rule = (x) => k.mul(x, x)
const inverse: Rule = (x) => k.div(one(x), x)

// ---- exponentials and logarithms -----------------------------------------------------------------------------------

/** `e` to the power of each element. Derivative: the result. Integers give the default float. */
export const exp: Unary = ofOutput('exp', k.exp, (y) => y)

/** 2 to the power of each element. */
export const exp2: Unary = ofOutput('exp2', k.exp2, (y) => k.mul(y, Math.LN2))

/** `exp(x) - 1`, accurate near 0. */
export const expm1: Unary = ofOutput('expm1', k.expm1, (y) => k.add(y, 1))

/** The natural logarithm; -inf at 0, NaN below. Derivative: `1 / x`. */
export const log: Unary = ofInput('log', k.log, inverse)

/** The logarithm to base 2. */
export const log2: Unary = ofInput('log2', k.log2, (x) => inverse(k.mul(x, Math.LN2)))

/** The logarithm to base 10. */
export const log10: Unary = ofInput('log10', k.log10, (x) => inverse(k.mul(x, Math.LN10)))

/** `log(1 + x)`, accurate near 0. */
export const log1p: Unary = ofInput('log1p', k.log1p, (x) => inverse(k.add(x, 1)), 'Log1PBackward0')

// ---- roots and reciprocals ------------------------------------------------------------------------------------------

/** The square root; NaN below 0. Derivative: `1 / (2 sqrt(x))`. */
export const sqrt: Unary = ofOutput('sqrt', k.sqrt, (y) => k.div(k.constant(0.5, y.type), y))

/** `1 / sqrt(x)`. */
export const rsqrt: Unary = ofOutput(
  'rsqrt',
  (x) => inverse(k.sqrt(x)),
  (y) => k.mul(k.mul(squareOf(y), y), -0.5),
)

/** `1 / x`. Derivative: minus the square of the result. */
export const reciprocal: Unary = ofOutput('reciprocal', inverse, (y) => k.neg(squareOf(y)))

/** `x` to the power 2 (bools give int64). */
export const square: Unary = Object.assign((x: Tensor) => pow(x, 2), {
  required: ['input'],
  optional: [],
  method: true,
  inPlace: (x: Tensor) => pow.inPlace(x, 2),
})

// ---- trigonometry ---------------------------------------------------------------------------------------------------

/** The sine of an angle in radians. */
export const sin: Unary = ofInput('sin', k.sin, k.cos)

/** The cosine of an angle in radians. */
export const cos: Unary = ofInput('cos', k.cos, (x) => k.neg(k.sin(x)))

/** The tangent of an angle in radians. */
export const tan: Unary = ofOutput('tan', k.tan, (y) => k.add(squareOf(y), 1))

/** The inverse sine, in radians; NaN outside [-1, 1]. */
export const asin: Unary = ofInput('asin', k.asin, (x) => inverse(k.sqrt(k.sub(one(x), squareOf(x)))))

/** The inverse cosine, in radians; NaN outside [-1, 1]. */
export const acos: Unary = ofInput('acos', k.acos, (x) => k.neg(inverse(k.sqrt(k.sub(one(x), squareOf(x))))))

/** The inverse tangent, in radians. */
export const atan: Unary = ofInput('atan', k.atan, (x) => inverse(k.add(squareOf(x), 1)))

/** The hyperbolic sine. */
export const sinh: Unary = ofInput('sinh', k.sinh, k.cosh)

/** The hyperbolic cosine. */
export const cosh: Unary = ofInput('cosh', k.cosh, k.sinh)

/** The hyperbolic tangent. Derivative: 1 minus the square of the result. */
export const tanh: Unary = ofOutput('tanh', k.tanh, (y) => k.sub(one(y), squareOf(y)))

/** The inverse hyperbolic sine. */
export const asinh: Unary = ofInput('asinh', k.asinh, (x) => inverse(k.sqrt(k.add(squareOf(x), 1))))

/** The inverse hyperbolic cosine; NaN below 1. */
export const acosh: Unary = ofInput('acosh', k.acosh, (x) => inverse(k.sqrt(k.sub(squareOf(x), 1))))

/** The inverse hyperbolic tangent; NaN outside [-1, 1]. */
export const atanh: Unary = ofInput('atanh', k.atanh, (x) => inverse(k.sub(one(x), squareOf(x))))

/** Degrees to radians. */
export const deg2rad: Unary = ofInput(
  'deg2rad',
  (x) => k.mul(x, Math.PI / 180),
  (x) => k.constant(Math.PI / 180, x.type),
  'Deg2RadBackward0',
)

/** Radians to degrees. */
export const rad2deg: Unary = ofInput(
  'rad2deg',
  (x) => k.mul(x, 180 / Math.PI),
  (x) => k.constant(180 / Math.PI, x.type),
  'Rad2DegBackward0',
)

const sincExpr: Rule = (x) => {
  const t = k.mul(x, Math.PI)
  return k.select(k.eq(x, 0), one(x), k.div(k.sin(t), t))
}

/** `sin(pi x) / (pi x)`, 1 at 0. */
export const sinc: Unary = ofInput('sinc', sincExpr, (x) => {
  const t = k.mul(x, Math.PI)
  const slope = k.div(k.sub(k.mul(t, k.cos(t)), k.sin(t)), k.mul(t, x))
  return k.select(k.eq(x, 0), k.constant(0, x.type), slope)
})

// ---- the error function and the logistic function -------------------------------------------------------------------

const gaussian = (x: Expr, factor: number): Expr => k.mul(k.exp(k.neg(squareOf(x))), factor)

/** The error function. Derivative: `2 / sqrt(pi) exp(-x^2)`. */
export const erf: Unary = ofInput('erf', k.erf, (x) => gaussian(x, 2 / Math.sqrt(Math.PI)))

/** `1 - erf(x)`, accurate for large x. */
export const erfc: Unary = ofInput('erfc', k.erfc, (x) => gaussian(x, -2 / Math.sqrt(Math.PI)))

/** The inverse of erf; infinite at -1 and 1, NaN outside. */
export const erfinv: Unary = ofOutput('erfinv', k.erfinv, (y) =>
  k.mul(k.exp(squareOf(y)), Math.sqrt(Math.PI) / 2),
)

/** The logarithm of the absolute value of the gamma function. */
export const lgamma: Unary = ofInput('lgamma', k.lgamma, k.digamma)

/** The derivative of lgamma. */
export const digamma: Unary = ofInput('digamma', k.digamma, (x) => k.polygamma(one(x), x))

/** The logistic function `1 / (1 + exp(-x))`. Derivative: `y (1 - y)` of the result y. */
export const sigmoid: Unary = ofOutput('sigmoid', k.sigmoid, (y) => k.mul(k.sub(one(y), y), y))

/** Options of `logit`. */
export interface LogitOptions {
  /** The input is clamped to [eps, 1 - eps] first; not at all where null or left out. */
  eps?: number | null
}

/** The type of `logit`. */
export interface Logit {
  (x: Tensor, eps?: number | null): Tensor
  (x: Tensor, options: LogitOptions): Tensor
}

const logitExpr: Rule = (x) => k.log(k.div(x, k.sub(one(x), x)))
const logitSlope: Rule = (x) => inverse(k.mul(x, k.sub(one(x), x)))

const logitPlain = pointwise(
  withPartials({ name: 'logit', result: 'float', kernel: ([x]) => logitExpr(x) }, [
    ([x]) => k.select(k.and(k.ge(x, 0), k.le(x, 1)), logitSlope(x), Number.NaN),
  ]),
)

const logitClamped = pointwise(
  withPartials(
    {
      name: 'logit',
      result: 'float',
      // As PyTorch compares: a bound crossed by rounding wins, and NaN stays.
      kernel: ([x], [low, high]) => logitExpr(k.select(k.lt(x, low), low, k.select(k.gt(x, high), high, x))),
    },
    [([x], [low, high]) => k.select(k.and(k.ge(x, low), k.le(x, high)), logitSlope(x), 0)],
  ),
)

const logitBounds = (eps: number): number[] => [eps, 1 - eps]

/** `log(x / (1 - x))`, the inverse of sigmoid; NaN outside [0, 1] unless `eps` clamps the input. */
export const logit: Logit & FunctionInfo & { readonly inPlace: Logit } = withInPlace(
  fn<Logit>('logit', ['input'], ['eps'], (x: Tensor, { eps = null }: LogitOptions) =>
    eps === null ? logitPlain([x]) : logitClamped([x], logitBounds(eps)),
  ),
  fn<Logit>('logit_', ['input'], ['eps'], (x: Tensor, { eps = null }: LogitOptions) =>
    eps === null ? logitPlain.inPlace([x]) : logitClamped.inPlace([x], logitBounds(eps)),
  ),
)

// ---- rounding -------------------------------------------------------------------------------------------------------

function rounding(name: string, kernel: Rule): PointwiseSpec {
  return withZeroGradient({
    name,
    refuses: ['bool'],
    kernel: ([x]) => (isFloat(x.type) ? kernel(x) : x),
  })
}

/** The largest whole number not above. Integers stay as they are. */
export const floor: Unary = unary(rounding('floor', k.floor))

/** The smallest whole number not below. Integers stay as they are. */
export const ceil: Unary = unary(rounding('ceil', k.ceil))

/** The whole number next toward zero. Integers stay as they are. */
export const trunc: Unary = unary(rounding('trunc', k.trunc))

/** `x - trunc(x)`: the part behind the point, with the sign of `x`. */
export const frac: Unary = unary({
  name: 'frac',
  refuses: ['bool', 'int'],
  kernel: ([x]) => k.sub(x, k.trunc(x)),
  backward: (g) => [g],
})

/** Options of `round`. */
export interface RoundOptions {
  /** Decimal places to keep; negative numbers round to tens, hundreds. Default 0. */
  decimals?: number
}

/** The type of `round`. */
export interface Round {
  (x: Tensor, decimals?: number): Tensor
  (x: Tensor, options: RoundOptions): Tensor
}

const roundPlain = pointwise(rounding('round', k.nearest))

const roundDecimals = pointwise(
  withZeroGradient({
    name: 'round',
    node: 'RoundBackward1',
    refuses: ['bool', 'int'],
    kernel: ([x], [power]) => k.div(k.nearest(k.mul(x, power)), power),
  }),
)

const roundTens = pointwise(
  withZeroGradient({
    name: 'round',
    node: 'RoundBackward1',
    refuses: ['bool', 'int'],
    kernel: ([x], [power]) => k.mul(k.nearest(k.div(x, power)), power),
  }),
)

function chooseRounding(decimals: number): { run: typeof roundPlain; parameters: number[] } {
  if (decimals === 0) return { run: roundPlain, parameters: [] }
  return { run: decimals > 0 ? roundDecimals : roundTens, parameters: [10 ** Math.abs(decimals)] }
}

/** Rounds to the nearest whole number, halves to even; with `decimals` to that many places. */
export const round: Round & FunctionInfo & { readonly inPlace: Round } = withInPlace(
  fn<Round>('round', ['input'], ['decimals'], (x: Tensor, { decimals = 0 }: RoundOptions) => {
    const { run, parameters } = chooseRounding(decimals)
    return run([x], parameters)
  }),
  fn<Round>('round_', ['input'], ['decimals'], (x: Tensor, { decimals = 0 }: RoundOptions) => {
    const { run, parameters } = chooseRounding(decimals)
    return run.inPlace([x], parameters)
  }),
)

// ---- signs ----------------------------------------------------------------------------------------------------------

const absReal = pointwise(
  withPartials({ name: 'abs', refuses: ['bool'], kernel: ([x]) => k.abs(x) }, [([x]) => signExpr(x)]),
)

const absComplex = pointwise({
  name: 'abs',
  result: 'real',
  kernel: ([x]) => k.abs(x),
  saves: [0],
  backward: (g, c) => [g.mul(sgn(c.input(0)))],
})

const isComplex = (x: unknown): boolean => x instanceof Tensor && x.dtype.kind === 'complex'

/** The absolute value; that of complex numbers is real. Derivative: the sign. Throws for bool, and for complex numbers in place. */
export const abs: Unary = Object.assign((x: Tensor) => (isComplex(x) ? absComplex([x]) : absReal([x])), {
  required: ['input'],
  optional: [],
  method: true,
  inPlace: (x: Tensor) => {
    if (isComplex(x)) throw new RuntimeError('In-place abs is not supported for complex tensors.')
    return absReal.inPlace([x])
  },
})

function signKernel(x: Expr): Expr {
  if (x.type === 'bool') return x
  return signExpr(x)
}

/** -1, 0 or 1; 0 for NaN. */
export const sign: Unary = unary(withZeroGradient({ name: 'sign', kernel: ([x]) => signKernel(x) }))

const sgnReal = pointwise(withZeroGradient({ name: 'sgn', kernel: ([x]) => signKernel(x) }))

const sgnComplex = pointwise({
  name: 'sgn',
  kernel: ([z]) => k.select(k.eq(z, 0), z, k.div(z, k.abs(z))),
  saves: [0],
  backward: (g, c) => {
    const z = c.input(0)
    const [length, direction] = [abs(z), sgn(z)]
    const along = g.mul(direction.conj()).real.mul(direction)
    return [g.sub(along).div(length).maskedFill(length.eq(0), 0)]
  },
})

/** The sign; of a complex number `z / |z|`, and 0 of 0. */
export const sgn: Unary = Object.assign((x: Tensor) => (isComplex(x) ? sgnComplex([x]) : sgnReal([x])), {
  required: ['input'],
  optional: [],
  method: true,
  inPlace: (x: Tensor) => (isComplex(x) ? sgnComplex : sgnReal).inPlace([x]),
})

const signbitRun = pointwise({ name: 'signbit', result: 'bool', kernel: ([x]) => k.signBit(x) })

/** Whether the sign bit is set: true for negative numbers and -0. */
export const signbit: UnaryOnly = Object.assign((x: Tensor) => signbitRun([x]), {
  required: ['input'],
  optional: [],
  method: true,
})

/** `x` itself. Throws for bool. */
export const positive: UnaryOnly = Object.assign(
  (x: Tensor) => {
    if (x.dtype.kind === 'bool')
      throw new RuntimeError('The `+` operator, on a bool tensor is not supported.')
    return x
  },
  { required: ['input'], optional: [], method: true },
)

const angleRun = pointwise({
  name: 'angle',
  result: 'float',
  kernel: ([x]) =>
    k.select(k.isNaN_(x), x, k.select(k.lt(x, 0), k.constant(Math.PI, x.type), k.constant(0, x.type))),
  backward: (g) => [g.mul(0)],
})

const angleComplex = pointwise({
  name: 'angle',
  result: 'real',
  kernel: ([z]) => angleOf(z),
  saves: [0],
  backward: (g, c) => {
    const z = c.input(0)
    const squared = z.real.square().add(z.imag.square())
    return [g.mul(z).mul(new Complex(0, 1)).div(squared).maskedFill(squared.eq(0), 0)]
  },
})

/** The angle of a number in the complex plane, in (-pi, pi]; of real numbers 0 for positive ones and 0, pi for negative ones. */
export const angle: UnaryOnly = Object.assign(
  (x: Tensor) => (isComplex(x) ? angleComplex([x]) : angleRun([x])),
  { required: ['input'], optional: [], method: true },
)

// ---- NaN and infinity -----------------------------------------------------------------------------------------------

/** Options of `nanToNum`. */
export interface NanToNumOptions {
  /** What NaN becomes; default 0. */
  nan?: number | null
  /** What positive infinity becomes; default the dtype's largest number. */
  posinf?: number | null
  /** What negative infinity becomes; default the dtype's smallest number. */
  neginf?: number | null
}

/** The type of `nanToNum`. */
export interface NanToNum {
  (x: Tensor, nan?: number | null, options?: NanToNumOptions): Tensor
  (x: Tensor, options: NanToNumOptions): Tensor
}

const nanToNumRun = pointwise({
  name: 'nan_to_num',
  node: 'NanToNumBackward0',
  kernel: ([x], [nan, posinf, neginf]) => {
    if (!isFloat(x.type)) return x
    const finite = k.select(k.eq(x, Number.NEGATIVE_INFINITY), neginf, x)
    return k.select(k.isNaN_(x), nan, k.select(k.eq(x, Number.POSITIVE_INFINITY), posinf, finite))
  },
  saves: [0],
  backward: (g, c) => [maskNonFinite([g, c.input(0)])],
})

const maskNonFinite = pointwise({
  name: 'nan_to_num_backward',
  kernel: ([g, x]) => k.select(k.lt(k.abs(x), Number.POSITIVE_INFINITY), g, 0),
  saves: [1],
  backward: (g, c) => [c.needs(0) ? maskNonFinite([g, c.input(1)]) : null, null],
})

const largestNumber: Partial<Record<string, number>> = {
  float16: 65504,
  bfloat16: 3.3895313892515355e38,
  float64: Number.MAX_VALUE,
}

function nanToNumParameters(x: Tensor, { nan, posinf, neginf }: NanToNumOptions): number[] {
  const largest = largestNumber[x.dtype.name] ?? 3.4028234663852886e38
  return [nan ?? 0, posinf ?? largest, neginf ?? -largest]
}

/** Replaces NaN and infinities by numbers. */
export const nanToNum: NanToNum & FunctionInfo & { readonly inPlace: NanToNum } = withInPlace(
  fn<NanToNum>('nan_to_num', ['input'], ['nan', 'posinf', 'neginf'], (x: Tensor, options: NanToNumOptions) =>
    nanToNumRun([x], nanToNumParameters(x, options)),
  ),
  fn<NanToNum>('nan_to_num_', ['input'], ['nan', 'posinf', 'neginf'], (x: Tensor, options: NanToNumOptions) =>
    nanToNumRun.inPlace([x], nanToNumParameters(x, options)),
  ),
)

// ---- other names ----------------------------------------------------------------------------------------------------

/** The same as `abs`. */
export const absolute: Unary = abs
/** The same as `acos`. */
export const arccos: Unary = acos
/** The same as `acosh`. */
export const arccosh: Unary = acosh
/** The same as `asin`. */
export const arcsin: Unary = asin
/** The same as `asinh`. */
export const arcsinh: Unary = asinh
/** The same as `atan`. */
export const arctan: Unary = atan
/** The same as `atanh`. */
export const arctanh: Unary = atanh
/** The same as `trunc`. */
export const fix: Unary = trunc
