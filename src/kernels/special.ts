// Special functions on doubles, beyond those of erf-gamma.ts: polygamma, modified Bessel functions of the first
// kind, incomplete gamma functions, the normal distribution's functions. Algorithms are named where they are used.

import { digamma, erfc, lgamma } from './erf-gamma.ts'
import { zeta } from './zeta.ts'

/** The n-th derivative of digamma: (-1)^(n + 1) n! zeta(n + 1, x). */
export function polygamma(n: number, x: number): number {
  if (n === 0) return digamma(x)
  // The reflection of trigamma stays accurate for negative x.
  if (n === 1 && x < 0.5 && !Number.isInteger(x)) {
    const s = Math.sin(Math.PI * (x % 2))
    return (Math.PI / s) ** 2 - zeta(2, 1 - x)
  }
  let factorial = 1
  for (let i = 2; i <= n; i++) factorial *= i
  return (n % 2 === 0 ? -1 : 1) * factorial * zeta(n + 1, x)
}

// exp(-|x|) I_order(x) for order 0 and 1, x >= 0.
function scaledBesselI(order: 0 | 1, x: number): number {
  if (x === Number.POSITIVE_INFINITY) return 0
  if (x < 30) {
    // The power series, all of whose terms are positive.
    const z = (x * x) / 4
    let term = order === 0 ? 1 : x / 2
    let sum = term
    for (let k = 1; term > sum * 1e-17; k++) {
      term *= z / (k * (k + order))
      sum += term
    }
    return sum * Math.exp(-x)
  }
  // Hankel's asymptotic series.
  const mu = 4 * order
  let term = 1
  let sum = 1
  for (let k = 1; k < 30; k++) {
    term *= -(mu - (2 * k - 1) ** 2) / (k * 8 * x)
    sum += term
    if (Math.abs(term) < 1e-17) break
  }
  return sum / Math.sqrt(2 * Math.PI * x)
}

/** The modified Bessel function of the first kind, order 0. */
export function i0(x: number): number {
  const a = Math.abs(x)
  // In two factors, so that the result overflows only where it must.
  return scaledBesselI(0, a) * Math.exp(a / 2) * Math.exp(a / 2)
}

/** exp(-|x|) i0(x). */
export function i0e(x: number): number {
  return scaledBesselI(0, Math.abs(x))
}

/** The modified Bessel function of the first kind, order 1. */
export function i1(x: number): number {
  const a = Math.abs(x)
  return Math.sign(x) * scaledBesselI(1, a) * Math.exp(a / 2) * Math.exp(a / 2)
}

/** exp(-|x|) i1(x). */
export function i1e(x: number): number {
  return Math.sign(x) * scaledBesselI(1, Math.abs(x))
}

/** exp(x^2) erfc(x), which neither overflows nor vanishes for large x. */
export function erfcx(x: number): number {
  if (Number.isNaN(x)) return x
  if (x < 0) {
    const e = Math.exp(x * x)
    return e === Number.POSITIVE_INFINITY ? e : 2 * e - erfcx(-x)
  }
  if (x < 8) return Math.exp(x * x) * erfc(x)
  const z = 1 / (2 * x * x)
  let term = 1
  let sum = 1
  for (let k = 1; k < 20; k++) {
    term *= -(2 * k - 1) * z
    sum += term
    if (Math.abs(term) < 1e-17) break
  }
  return sum / (x * Math.sqrt(Math.PI))
}

/** The standard normal distribution's function: the probability of a value below x. */
function ndtr(x: number): number {
  return 0.5 * erfc(-x * Math.SQRT1_2)
}

/** The logarithm of the standard normal distribution's function. */
export function logNdtr(x: number): number {
  if (x < -1) return Math.log(erfcx(-x * Math.SQRT1_2) / 2) - (x * x) / 2
  return Math.log1p(-erfc(x * Math.SQRT1_2) / 2)
}

/** The inverse of the standard normal distribution's function. */
export function ndtri(p: number): number {
  if (p === 0) return Number.NEGATIVE_INFINITY
  if (p === 1) return Number.POSITIVE_INFINITY
  if (!(p > 0 && p < 1)) return Number.NaN
  if (p > 0.5) return p === 1 ? Number.POSITIVE_INFINITY : -ndtriLower(1 - p)
  return ndtriLower(p)
}

function ndtriLower(p: number): number {
  if (p === 0.5) return 0
  // Abramowitz and Stegun 26.2.23 to start with, then Halley's method on log ndtr, which is nearly a parabola.
  const t = Math.sqrt(-2 * Math.log(p))
  let x = -(
    t -
    (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)))
  )
  for (let i = 0; i < 4; i++) {
    const f = ndtr(x)
    // On the ratio, so that tiny probabilities lose nothing.
    const density = Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI)
    const step = (f - p) / density
    const change = step / (1 + (x * step) / 2)
    x -= change
    if (Math.abs(change) < 1e-16 * Math.abs(x)) break
  }
  return x
}

const iterations = 20000

// x^a e^-x / gamma(a)
function gammaFactor(a: number, x: number): number {
  return Math.exp(a * Math.log(x) - x - lgamma(a))
}

// The lower function by its series, for x < a + 1.
function gammaSeries(a: number, x: number): number {
  let term = 1 / a
  let sum = term
  for (let k = 1; k < iterations; k++) {
    term *= x / (a + k)
    sum += term
    if (term < sum * 1e-17) break
  }
  return sum * gammaFactor(a, x)
}

// The upper function by Legendre's continued fraction (Lentz' method), for x > a + 1.
function gammaFraction(a: number, x: number): number {
  const tiny = 1e-300
  let b = x + 1 - a
  let c = 1 / tiny
  let d = 1 / b
  let h = d
  for (let k = 1; k < iterations; k++) {
    const an = -k * (k - a)
    b += 2
    d = an * d + b
    if (Math.abs(d) < tiny) d = tiny
    c = b + an / c
    if (Math.abs(c) < tiny) c = tiny
    d = 1 / d
    h *= d * c
    if (Math.abs(d * c - 1) < 1e-16) break
  }
  return h * gammaFactor(a, x)
}

/** The regularised lower incomplete gamma function. */
export function gammainc(a: number, x: number): number {
  if (!(a >= 0 && x >= 0) || (a === 0 && x === 0)) return Number.NaN
  if (a === 0) return 1
  if (x === 0) return 0
  if (a === Number.POSITIVE_INFINITY) return x === Number.POSITIVE_INFINITY ? Number.NaN : 0
  if (x === Number.POSITIVE_INFINITY) return 1
  return x < a + 1 ? gammaSeries(a, x) : 1 - gammaFraction(a, x)
}

/** The regularised upper incomplete gamma function. */
export function gammaincc(a: number, x: number): number {
  if (!(a >= 0 && x >= 0) || (a === 0 && x === 0)) return Number.NaN
  if (a === 0) return 0
  if (x === 0) return 1
  if (a === Number.POSITIVE_INFINITY) return x === Number.POSITIVE_INFINITY ? Number.NaN : 1
  if (x === Number.POSITIVE_INFINITY) return 0
  return x < a + 1 ? 1 - gammaSeries(a, x) : gammaFraction(a, x)
}

/** The greatest common divisor of two whole numbers, never negative. */
export function gcd(a: number, b: number): number {
  let x = Math.abs(a)
  let y = Math.abs(b)
  while (y !== 0) [x, y] = [y, x % y]
  return x
}
