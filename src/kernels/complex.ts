// Complex numbers in kernels. A complex value is a pair of real expressions, taken apart as soon as it is written down, so
// that renderers, the interpreter and the rest of the kernel language meet real expressions only.

import { Complex } from '../core/complex.ts'
import { RuntimeError } from '../core/errors.ts'
import type { BinaryName, CompareName, Expr, MathName, UnaryName, ValueType } from './expr.ts'
import * as k from './expr.ts'

/** A complex value: its real and its imaginary part, both of the type `part`. */
interface Pair {
  readonly kind: 'complex'
  readonly type: ValueType
  readonly part: 'f32' | 'f64'
  readonly re: Expr
  readonly im: Expr
}

/** The types of complex values, as kernels that are being written see them. No renderer does. */
export const c64: ValueType = 'c64' as string as ValueType
export const c128: ValueType = 'c128' as string as ValueType

/** Whether values of a type are pairs. */
export function isComplexType(type: ValueType): boolean {
  return type === c64 || type === c128
}

/** The type of a complex type's parts; a real type as it is. */
export function partType(type: ValueType): ValueType {
  return type === c64 ? 'f32' : type === c128 ? 'f64' : type
}

/** The complex type whose parts are of a real type. */
export function complexType(part: ValueType): ValueType {
  return part === 'f64' ? c128 : c64
}

/**
 * The complex value with these parts. It passes for an expression while a kernel is written: the functions of `expr.ts` take
 * and give it, `KernelBuilder` loads and stores it.
 */
export function complexOf(re: Expr, im: Expr): Expr {
  const pair: Pair = { kind: 'complex', type: complexType(re.type), part: re.type as 'f32' | 'f64', re, im }
  return pair as unknown as Expr
}

/** Whether an expression is a complex value. */
export function isComplex(e: unknown): boolean {
  return (e as { kind?: string }).kind === 'complex'
}

const pairOf = (e: Expr): Pair => e as unknown as Pair

/** The real part; a real expression as it is. */
export function realPart(e: Expr): Expr {
  return isComplex(e) ? pairOf(e).re : e
}

/** The imaginary part; 0 for a real expression. */
export function imaginaryPart(e: Expr): Expr {
  return isComplex(e) ? pairOf(e).im : k.constant(0, e.type)
}

/** The complex conjugate; a real expression as it is. */
export function conjugate(e: Expr): Expr {
  return isComplex(e) ? complexOf(pairOf(e).re, k.neg(pairOf(e).im)) : e
}

/** A number as a constant of a complex type. */
export function complexConstant(value: number | bigint | boolean | Complex, type: ValueType): Expr {
  const { re, im } = Complex.of(value)
  const part = partType(type)
  return complexOf(k.constant(re, part), k.constant(im, part))
}

/** Converts to a complex type, or a complex value to a real one (its real part; to bool: whether it is not 0). */
export function castComplex(e: Expr, type: ValueType): Expr {
  const part = partType(type)
  if (isComplexType(type)) return complexOf(k.cast(realPart(e), part), k.cast(imaginaryPart(e), part))
  const { re, im } = pairOf(e)
  return type === 'bool' ? k.or(k.ne(re, 0), k.ne(im, 0)) : k.cast(re, type)
}

/** Applies a function to both parts of two values: `select` and the like. */
export function byParts(a: Expr, b: Expr, f: (a: Expr, b: Expr) => Expr): Expr {
  return complexOf(f(realPart(a), realPart(b)), f(imaginaryPart(a), imaginaryPart(b)))
}

function undefinedFor(name: string): RuntimeError {
  return new RuntimeError(`"${name}" is not implemented for complex numbers`)
}

/** An operation on two values of which at least one is complex. */
export function complexBinary(fn: BinaryName, a: Expr, b: Expr): Expr {
  switch (fn) {
    case 'add':
      return byParts(a, b, k.add)
    case 'sub':
      return byParts(a, b, k.sub)
    case 'mul':
      return multiply(a, b)
    case 'div':
      return divide(a, b)
    default:
      throw undefinedFor(fn)
  }
}

/** Comparison of two values of which at least one is complex: only equality is defined. */
export function complexCompare(fn: CompareName, a: Expr, b: Expr): Expr {
  if (fn !== 'eq' && fn !== 'ne') throw undefinedFor(fn)
  const [join, test] = fn === 'eq' ? [k.and, k.eq] : [k.or, k.ne]
  return join(test(realPart(a), realPart(b)), test(imaginaryPart(a), imaginaryPart(b)))
}

/** An operation on a complex value. */
export function complexUnary(fn: UnaryName, e: Expr): Expr {
  const { re, im } = pairOf(e)
  switch (fn) {
    case 'neg':
      return complexOf(k.neg(re), k.neg(im))
    case 'abs':
      return magnitude(e)
    case 'sqrt':
      return precisely(e, squareRoot)
    default:
      throw undefinedFor(fn)
  }
}

function multiply(a: Expr, b: Expr): Expr {
  if (!isComplex(a)) return complexOf(k.mul(a, realPart(b)), k.mul(a, imaginaryPart(b)))
  if (!isComplex(b)) return complexOf(k.mul(realPart(a), b), k.mul(imaginaryPart(a), b))
  const [p, q] = [pairOf(a), pairOf(b)]
  return complexOf(k.sub(k.mul(p.re, q.re), k.mul(p.im, q.im)), k.add(k.mul(p.re, q.im), k.mul(p.im, q.re)))
}

// Smith's method (1962), which does not overflow where the quotient does not.
function divide(a: Expr, b: Expr): Expr {
  if (!isComplex(b)) return complexOf(k.div(realPart(a), b), k.div(imaginaryPart(a), b))
  const [ar, ai] = [realPart(a), imaginaryPart(a)]
  const { re: br, im: bi } = pairOf(b)
  const wide = k.ge(k.abs(br), k.abs(bi))
  const [large, small] = [k.select(wide, br, bi), k.select(wide, bi, br)]
  const ratio = k.div(small, large)
  const scale = k.div(k.constant(1, large.type), k.add(large, k.mul(small, ratio)))
  const [x, y] = [k.select(wide, ar, ai), k.select(wide, ai, ar)]
  const im = k.mul(k.sub(y, k.mul(x, ratio)), scale)
  const isZero = k.and(k.eq(br, 0), k.eq(bi, 0))
  return complexOf(
    k.select(isZero, k.div(ar, k.abs(br)), k.mul(k.add(x, k.mul(y, ratio)), scale)),
    k.select(isZero, k.div(ai, k.abs(br)), k.select(wide, im, k.neg(im))),
  )
}

/** The absolute value of a complex value: real. Does not overflow where the result does not. */
function magnitude(e: Expr): Expr {
  const { re, im, part } = pairOf(e)
  if (part === 'f32') {
    const [x, y] = [k.cast(re, 'f64'), k.cast(im, 'f64')]
    return k.cast(k.sqrt(k.add(k.mul(x, x), k.mul(y, y))), 'f32')
  }
  const [x, y] = [k.abs(re), k.abs(im)]
  const [large, small] = [k.max(x, y), k.min(x, y)]
  const ratio = k.div(small, large)
  const length = k.mul(large, k.sqrt(k.add(k.mul(ratio, ratio), 1)))
  const infinite = k.or(k.eq(x, Number.POSITIVE_INFINITY), k.eq(y, Number.POSITIVE_INFINITY))
  return k.select(infinite, Number.POSITIVE_INFINITY, k.select(k.eq(large, 0), 0, length))
}

/** The angle of a complex value in (-pi, pi]: real. */
export function angleOf(e: Expr): Expr {
  return k.atan2(imaginaryPart(e), realPart(e))
}

// ---- functions ------------------------------------------------------------------------------------------------------

// Computed in double precision, which keeps float32 results exact where parts cancel.
function precisely(e: Expr, f: (e: Expr) => Expr): Expr {
  return e.type === c64 ? castComplex(f(castComplex(e, c128)), c64) : f(e)
}

const times = (re: number, im: number) => (e: Expr) =>
  multiply(complexConstant(new Complex(re, im), e.type), e)
const timesI = ({ re, im }: Pair): Expr => complexOf(k.neg(im), re)
const timesMinusI = ({ re, im }: Pair): Expr => complexOf(im, k.neg(re))
const one = (like: Expr): Expr => complexConstant(1, like.type)

function squareRoot(e: Expr): Expr {
  const { re, im } = pairOf(e)
  const root = k.sqrt(k.mul(k.add(magnitude(e), k.abs(re)), 0.5))
  const other = k.div(im, k.mul(root, 2))
  const isZero = k.and(k.eq(re, 0), k.eq(im, 0))
  const right = k.ge(re, 0)
  return complexOf(
    k.select(isZero, 0, k.select(right, root, k.abs(other))),
    k.select(isZero, im, k.select(right, other, k.select(k.signBit(im), k.neg(root), root))),
  )
}

function exponential(e: Expr): Expr {
  const { re, im } = pairOf(e)
  const length = k.exp(re)
  return complexOf(
    k.select(k.eq(im, 0), length, k.mul(length, k.cos(im))),
    k.select(k.eq(im, 0), im, k.mul(length, k.sin(im))),
  )
}

function logarithm(e: Expr): Expr {
  return complexOf(k.log(magnitude(e)), angleOf(e))
}

function sine(e: Expr): Expr {
  const { re, im } = pairOf(e)
  return complexOf(k.mul(k.sin(re), k.cosh(im)), k.mul(k.cos(re), k.sinh(im)))
}

function cosine(e: Expr): Expr {
  const { re, im } = pairOf(e)
  return complexOf(k.mul(k.cos(re), k.cosh(im)), k.neg(k.mul(k.sin(re), k.sinh(im))))
}

// Kahan (1987), "Branch cuts for complex elementary functions", for this and the inverse functions.
function hyperbolicTangent(e: Expr): Expr {
  const { re, im } = pairOf(e)
  const [t, s] = [k.tan(im), k.sinh(re)]
  const beta = k.add(k.mul(t, t), 1)
  const rho = k.sqrt(k.add(k.mul(s, s), 1))
  const denominator = k.add(k.mul(beta, k.mul(s, s)), 1)
  // Beyond this the real part is 1 to the last place, and squares would overflow.
  const far = k.gt(k.abs(re), 20)
  const decay = k.mul(k.exp(k.mul(k.abs(re), -2)), 4)
  const unit = k.select(k.signBit(re), k.constant(-1, re.type), k.constant(1, re.type))
  return complexOf(
    k.select(far, unit, k.div(k.mul(beta, k.mul(rho, s)), denominator)),
    k.select(far, k.mul(k.mul(k.sin(im), k.cos(im)), decay), k.div(t, denominator)),
  )
}

function roots(e: Expr): [Pair, Pair] {
  const unit = one(e)
  return [pairOf(squareRoot(byParts(unit, e, k.sub))), pairOf(squareRoot(byParts(unit, e, k.add)))]
}

// The parts of conj(p) q.
const crossReal = (p: Pair, q: Pair): Expr => k.add(k.mul(p.re, q.re), k.mul(p.im, q.im))
const crossImaginary = (p: Pair, q: Pair): Expr => k.sub(k.mul(p.re, q.im), k.mul(p.im, q.re))

function inverseSine(e: Expr): Expr {
  const [minus, plus] = roots(e)
  const product = k.sub(k.mul(minus.re, plus.re), k.mul(minus.im, plus.im))
  return complexOf(k.atan2(pairOf(e).re, product), k.asinh(crossImaginary(minus, plus)))
}

function inverseCosine(e: Expr): Expr {
  const [minus, plus] = roots(e)
  return complexOf(k.mul(k.atan2(minus.re, plus.re), 2), k.asinh(crossImaginary(plus, minus)))
}

function inverseHyperbolicCosine(e: Expr): Expr {
  const unit = one(e)
  const minus = pairOf(squareRoot(byParts(e, unit, k.sub)))
  const plus = pairOf(squareRoot(byParts(e, unit, k.add)))
  return complexOf(k.asinh(crossReal(minus, plus)), k.mul(k.atan2(minus.im, plus.re), 2))
}

function inverseHyperbolicTangent(e: Expr): Expr {
  const { re: x, im: y } = pairOf(e)
  const unit = k.constant(1, x.type)
  const less = k.sub(unit, x)
  const distance = k.add(k.mul(less, less), k.mul(y, y))
  return complexOf(
    k.mul(k.log1p(k.div(k.mul(x, 4), distance)), 0.25),
    k.mul(k.atan2(k.mul(y, 2), k.sub(k.mul(less, k.add(unit, x)), k.mul(y, y))), 0.5),
  )
}

function power(a: Expr, b: Expr): Expr {
  const isZero = complexCompare('eq', a, complexConstant(0, a.type))
  const exponent = pairOf(b)
  const general = exponential(multiply(b, logarithm(a)))
  const positive = k.gt(exponent.re, 0)
  const ofZero = byParts(complexConstant(0, a.type), complexConstant(Number.NaN, a.type), (zero, nan) =>
    k.select(positive, zero, nan),
  )
  const trivial = k.and(k.eq(exponent.re, 0), k.eq(exponent.im, 0))
  const chosen = byParts(ofZero, general, (x, y) => k.select(isZero, x, y))
  return byParts(one(a), chosen, (x, y) => k.select(trivial, x, y))
}

const functions: Partial<Record<MathName, (e: Expr) => Expr>> = {
  exp: exponential,
  exp2: (e) => exponential(times(Math.LN2, 0)(e)),
  expm1: (e) => {
    const { re, im } = pairOf(e)
    const half = k.sin(k.mul(im, 0.5))
    return complexOf(
      k.sub(k.mul(k.expm1(re), k.cos(im)), k.mul(k.mul(half, half), 2)),
      k.mul(k.exp(re), k.sin(im)),
    )
  },
  log: logarithm,
  log2: (e) => times(Math.LOG2E, 0)(logarithm(e)),
  log10: (e) => times(Math.LOG10E, 0)(logarithm(e)),
  log1p: (e) => {
    const { re, im } = pairOf(e)
    const excess = k.add(k.mul(re, k.add(re, 2)), k.mul(im, im))
    return complexOf(k.mul(k.log1p(excess), 0.5), k.atan2(im, k.add(re, 1)))
  },
  sin: sine,
  cos: cosine,
  tan: (e) => timesMinusI(pairOf(hyperbolicTangent(timesI(pairOf(e))))),
  sinh: (e) => timesMinusI(pairOf(sine(timesI(pairOf(e))))),
  cosh: (e) => cosine(timesI(pairOf(e))),
  tanh: hyperbolicTangent,
  asin: inverseSine,
  acos: inverseCosine,
  atan: (e) => timesMinusI(pairOf(inverseHyperbolicTangent(timesI(pairOf(e))))),
  asinh: (e) => timesMinusI(pairOf(inverseSine(timesI(pairOf(e))))),
  acosh: inverseHyperbolicCosine,
  atanh: inverseHyperbolicTangent,
}

/** A function of complex values. Throws for those that are not defined for them. */
export function complexMath(fn: MathName, args: readonly Expr[]): Expr {
  const type = args.find(isComplex)!.type
  const [a, b] = args.map((x) => castComplex(x, c128))
  if (fn === 'pow') return castComplex(power(a, b), type)
  const f = functions[fn]
  if (f === undefined || args.length !== 1) throw undefinedFor(fn)
  return castComplex(f(a), type)
}
