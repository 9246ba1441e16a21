// sin, cos, tan and their inverses for float32 in arithmetic.

import type { Expr, MathName } from '../expr.ts'
import * as k from '../expr.ts'
import { changeSign, horner, isOdd, nearestWhole, negateIfOdd, withSignOf } from './arithmetic.ts'

// pi / 2 in four parts. The first three have 11 bits or fewer, so that their products with n < 2^13 are exact, and so
// is all that is subtracted before the last: arguments next to a multiple of pi / 2 keep their digits.
const halfPi = [1.5703125, 0.0004837512969970703, 7.549533620476723e-8, 2.5633440682570896e-12]
const exactBelow = 8192

interface Quadrant {
  readonly n: Expr
  readonly r: Expr
}

function reduce(x: Expr): Quadrant {
  const n = nearestWhole(k.mul(x, 2 / Math.PI))
  const part = (i: number) => k.mul(n.float, halfPi[i])
  const exact = k.sub(k.sub(x, part(0)), part(1))
  const third = part(2)
  const high = k.sub(exact, third)
  const lost = k.sub(k.sub(exact, high), third)
  return { n: n.integer, r: k.add(high, k.sub(lost, part(3))) }
}

// Larger arguments (and infinity and NaN) take the way over doubles, one by one.
function reducible(fn: MathName, x: Expr, result: Expr): Expr {
  return k.rarely(k.not(k.lt(k.abs(x), exactBelow)), k.called(fn, x), result)
}

// (sin(r) / r - 1) / r^2 and (cos(r) - 1 + r^2 / 2) / r^4 in r^2, on [-pi/4, pi/4]
const sinTail = [2.71830194e-6, -0.000198393338, 0.00833332938, -0.166666666]
const cosTail = [2.44330587e-5, -0.00138873154, 0.0416666457]

function sinOfRest(r: Expr, s: Expr): Expr {
  return k.add(k.mul(k.mul(horner(s, sinTail), s), r), r)
}

function cosOfRest(s: Expr): Expr {
  return k.add(k.sub(k.mul(k.mul(horner(s, cosTail), s), s), k.mul(s, 0.5)), 1)
}

export function sin(x: Expr): Expr {
  // Of the magnitude, so that the sine of -0 is -0.
  const { n, r } = reduce(k.abs(x))
  const s = k.mul(r, r)
  const value = k.select(isOdd(n), cosOfRest(s), sinOfRest(r, s))
  return reducible('sin', x, changeSign(negateIfOdd(value, k.shr(n, 1)), x))
}

export function cos(x: Expr): Expr {
  const { n, r } = reduce(x)
  const s = k.mul(r, r)
  const value = k.select(isOdd(n), sinOfRest(r, s), cosOfRest(s))
  return reducible('cos', x, negateIfOdd(value, k.shr(k.add(n, 1), 1)))
}

// (tan(r) / r - 1) / r^2 in r^2, on [-pi/4, pi/4]
const tanTail = [
  0.00437768211, 8.67493573e-5, 0.0108379578, 0.0212813812, 0.0540600684, 0.13332662, 0.333333498,
]

export function tan(x: Expr): Expr {
  const { n, r } = reduce(k.abs(x))
  const s = k.mul(r, r)
  const t = k.add(k.mul(k.mul(horner(s, tanTail), s), r), r)
  return reducible('tan', x, changeSign(k.select(isOdd(n), k.div(k.constant(-1, 'f32'), t), t), x))
}

/** A multiple of pi / 2 less a value, with what the multiple loses by rounding put back. */
function quarterTurnsLess(turns: 1 | 2, value: Expr): Expr {
  return k.sub(k.constant((turns * Math.PI) / 2, 'f32'), k.add(value, turns * 4.37113883e-8))
}

// (atan(t) / t - 1) / t^2 in t^2, on [0, 1]
const atanTail = [
  0.00111374278, -0.00731772696, 0.0225393801, -0.0446893702, 0.0674155663, -0.0881107364, 0.11058219,
  -0.142798323, 0.199996711, -0.333333269,
]

function atanOfFraction(t: Expr): Expr {
  const s = k.mul(t, t)
  return k.add(k.mul(k.mul(horner(s, atanTail), s), t), t)
}

export function atan(x: Expr): Expr {
  const a = k.abs(x)
  const isSteep = k.gt(a, 1)
  const value = atanOfFraction(k.select(isSteep, k.div(k.constant(1, 'f32'), a), a))
  return withSignOf(k.select(isSteep, quarterTurnsLess(1, value), value), x)
}

export function atan2(y: Expr, x: Expr): Expr {
  const [a, b] = [k.abs(y), k.abs(x)]
  const isSteep = k.gt(a, b)
  const larger = k.select(isSteep, a, b)
  const fraction = k.div(k.select(isSteep, b, a), larger)
  const first = atanOfFraction(fraction)
  const steep = k.select(isSteep, quarterTurnsLess(1, first), first)
  const value = k.select(k.lt(x, 0), quarterTurnsLess(2, steep), steep)
  // Zeros, infinities and NaN, and fractions too small to be normal, have rules of their own.
  const unusual = k.not(k.and(k.ge(fraction, 2 ** -126), k.lt(larger, Number.POSITIVE_INFINITY)))
  return k.rarely(unusual, k.called('atan2', y, x), withSignOf(value, y))
}

// (asin(x) / x - 1) / x^2 in x^2, on [0, 0.55]
const asinTail = [0.0452072377, 0.00865113303, 0.0334204955, 0.0443141924, 0.0750160755, 0.166666407]

// The polynomial at x below 0.55, at sqrt((1 - x) / 2) above, where asin x = pi / 2 - 2 asin sqrt((1 - x) / 2).
function asinParts(x: Expr): { isLarge: Expr; value: Expr } {
  const a = k.abs(x)
  const isLarge = k.gt(a, 0.55)
  const s = k.select(isLarge, k.mul(k.sub(k.constant(1, 'f32'), a), 0.5), k.mul(a, a))
  const t = k.select(isLarge, k.sqrt(s), a)
  return { isLarge, value: k.add(k.mul(k.mul(horner(s, asinTail), s), t), t) }
}

export function asin(x: Expr): Expr {
  const { isLarge, value } = asinParts(x)
  const large = quarterTurnsLess(1, k.add(value, value))
  return withSignOf(k.select(isLarge, large, value), x)
}

export function acos(x: Expr): Expr {
  const { isLarge, value } = asinParts(x)
  const twice = k.add(value, value)
  const isNegative = k.lt(x, 0)
  const large = k.select(isNegative, quarterTurnsLess(2, twice), twice)
  const small = quarterTurnsLess(1, withSignOf(value, x))
  return k.select(isLarge, large, small)
}
