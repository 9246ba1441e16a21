// pow, erfc and fmod for float32 in arithmetic on doubles, whose digits make up for what the steps on the way lose.

import type { Expr } from '../expr.ts'
import * as k from '../expr.ts'
import { horner, isWhole, nearestWhole, powerOfTwo, withSignOf } from './arithmetic.ts'
import { split } from './logarithm.ts'

// log2((1 + s) / (1 - s)) / s in s^2, for |s| <= (sqrt(2) - 1) / (sqrt(2) + 1)
const log2Series = [
  0.28288502340748236, 0.31990680380701337, 0.41220922406110435, 0.57707794266030447, 0.96179669411226483,
  2.8853900817778506,
]

// 2^r on [-1/2, 1/2]
const exp2Series = [
  1.5303700711365694e-5, 0.00015469729214118297, 0.0013333478473685415, 0.0096180256133180342,
  0.055504109063258666, 0.24022651213498093, 0.69314718055683241, 0.99999999995956175,
]

// erfc(a) exp(a^2) in (a - 3) / (a + 3), for 0 <= a <= 10.2
const erfcSeries = [
  8.8029196281036585e-6, 7.5013012923862796e-5, 3.3398389482374078e-5, -0.000608406969863976,
  0.00070918621636060288, 0.0042725295184799233, -0.024392325309482239, 0.071665425312040008,
  -0.15011597152696486, 0.2456038198481338, -0.32623355903228261, 0.17900115104692334,
]

const infinity = Number.POSITIVE_INFINITY

/** log2 of a double that is no float32's denormal or negative: those are normal here. Of 0 it is -infinity. */
function log2(a: Expr): Expr {
  const { e, f } = split(a)
  const s = k.div(f, k.add(f, 2))
  const value = k.add(k.mul(horner(k.mul(s, s), log2Series), s), e)
  return k.select(k.lt(a, infinity), k.select(k.eq(a, 0), k.constant(-infinity, 'f64'), value), a)
}

/** 2^p, as far as float32 tells it from 0 and infinity. */
function exp2(p: Expr): Expr {
  const clamped = k.min(k.max(p, -200), 200)
  const n = nearestWhole(clamped, 1023)
  return k.mul(horner(k.sub(clamped, n.float), exp2Series), powerOfTwo(n.integer, 'f64'))
}

/** |x|^y = 2^(y log2 |x|), with C's rules for signs, ones, zeros and infinities. */
export function pow(x: Expr, y: Expr): Expr {
  const a = k.abs(x)
  const wide = exp2(k.mul(k.cast(y, 'f64'), log2(k.cast(a, 'f64'))))
  const size = k.cast(wide, 'f32')
  const whole = isWhole(y)
  const odd = k.and(whole, k.not(isWhole(k.mul(y, 0.5))))
  const signed = k.select(odd, withSignOf(size, x), size)
  const below = k.and(k.lt(x, 0), k.gt(x, -infinity))
  const real = k.select(k.and(below, k.not(whole)), k.constant(Number.NaN, 'f32'), signed)
  const one = k.or(k.or(k.eq(y, 0), k.eq(x, 1)), k.and(k.eq(x, -1), k.eq(k.abs(y), infinity)))
  return k.select(one, k.constant(1, 'f32'), real)
}

/** erfc(a) = exp(-a^2) times a polynomial; erfc(-a) = 2 - erfc(a). */
export function erfc(x: Expr): Expr {
  const a = k.min(k.cast(k.abs(x), 'f64'), 10.2)
  const t = k.div(k.sub(a, 3), k.add(a, 3))
  const value = k.mul(exp2(k.mul(k.mul(a, a), -Math.LOG2E)), horner(t, erfcSeries))
  return k.cast(k.select(k.lt(x, 0), k.sub(k.constant(2, 'f64'), value), value), 'f32')
}

/** The remainder with the sign of `x`: exact, as long as the quotient and the divisor fit into a double together. */
export function fmod(x: Expr, y: Expr): Expr {
  const [a, b] = [k.cast(k.abs(x), 'f64'), k.cast(k.abs(y), 'f64')]
  const quotient = k.trunc(k.div(a, b))
  const rest = k.cast(k.sub(a, k.mul(quotient, b)), 'f32')
  const fits = k.and(k.lt(quotient, 2 ** 29), k.lt(b, infinity))
  return k.rarely(k.not(fits), k.called('fmod', x, y), withSignOf(rest, x))
}
