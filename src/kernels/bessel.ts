// Bessel functions and Airy's function on doubles, by methods that keep full precision: Miller's recurrence, integral
// representations summed by the trapezoidal rule, asymptotic series for large arguments.

import { i0, i1 } from './special.ts'

const euler = 0.5772156649015329

// J0, J1, Y0, Y1 at x > 25 by Hankel's asymptotic series: amplitude and phase of a cosine.
function hankel(order: 0 | 1, x: number): { j: number; y: number } {
  const mu = 4 * order
  let p = 1
  let q = 0
  let term = 1
  for (let k = 1; k < 40; k++) {
    const next = (term * (mu - (2 * k - 1) ** 2)) / (k * 8 * x)
    if (Math.abs(next) > Math.abs(term) || Math.abs(next) < 1e-17) break
    term = next
    // The terms go in turn to q, -p, -q, p.
    if (k % 2 === 1) q += (k % 4 === 1 ? 1 : -1) * term
    else p += (k % 4 === 0 ? 1 : -1) * term
  }
  const phase = x - order * (Math.PI / 2) - Math.PI / 4
  const amplitude = Math.sqrt(2 / (Math.PI * x))
  const [c, s] = [Math.cos(phase), Math.sin(phase)]
  return { j: amplitude * (p * c - q * s), y: amplitude * (p * s + q * c) }
}

// J of every order up to a limit at 0 < x <= 25: Miller's backward recurrence, normalised by J0 + 2 (J2 + J4 + ...) = 1.
function allBesselJ(x: number): number[] {
  // The recurrence would overflow on so long a way down; the first terms of the power series are exact here.
  if (x < 1e-4) return [1 - (x * x) / 4, (x / 2) * (1 - (x * x) / 8), (x * x) / 8, 0]
  const start = 2 * Math.ceil((x + 40) / 2)
  const values = new Array<number>(start + 2).fill(0)
  values[start] = 1e-280
  let sum = 0
  for (let n = start; n > 0; n--) {
    values[n - 1] = ((2 * n) / x) * values[n] - values[n + 1]
    if (Math.abs(values[n - 1]) > 1e200) {
      for (let i = n - 1; i <= start; i++) values[i] *= 1e-300
      sum *= 1e-300
    }
    if (n % 2 === 1) sum += (n === 1 ? 1 : 2) * values[n - 1]
  }
  return values.map((v) => v / sum)
}

export function besselJ0(x: number): number {
  const a = Math.abs(x)
  if (a === Number.POSITIVE_INFINITY) return 0
  if (a === 0) return 1
  return a > 25 ? hankel(0, a).j : allBesselJ(a)[0]
}

export function besselJ1(x: number): number {
  const a = Math.abs(x)
  if (a === Number.POSITIVE_INFINITY || a === 0) return 0
  return Math.sign(x) * (a > 25 ? hankel(1, a).j : allBesselJ(a)[1])
}

// Neumann's series of Y0 in J, and minus its derivative.
export function besselY0(x: number): number {
  if (Number.isNaN(x) || x < 0) return Number.NaN
  if (x === 0) return Number.NEGATIVE_INFINITY
  if (x === Number.POSITIVE_INFINITY) return 0
  if (x > 25) return hankel(0, x).y
  const j = allBesselJ(x)
  let sum = 0
  for (let k = 1; 2 * k < j.length; k++) sum += ((k % 2 === 0 ? 1 : -1) * j[2 * k]) / k
  return (2 / Math.PI) * ((Math.log(x / 2) + euler) * j[0] - 2 * sum)
}

export function besselY1(x: number): number {
  if (Number.isNaN(x) || x < 0) return Number.NaN
  if (x === 0) return Number.NEGATIVE_INFINITY
  if (x === Number.POSITIVE_INFINITY) return 0
  if (x > 25) return hankel(1, x).y
  const j = allBesselJ(x)
  let sum = 0
  for (let k = 1; 2 * k + 1 < j.length; k++)
    sum += ((k % 2 === 0 ? 1 : -1) * (j[2 * k - 1] - j[2 * k + 1])) / (2 * k)
  return (2 / Math.PI) * ((Math.log(x / 2) + euler) * j[1] - j[0] / x + 2 * sum)
}

// exp(x) K_order(x) for x > 0: the integral of exp(-x (cosh t - 1)) cosh(order t) over t > 0, by the trapezoidal rule.
function scaledBesselK(order: number, x: number): number {
  const step = 0.1 / Math.max(1, Math.sqrt(x / 8))
  let sum = 0.5
  for (let i = 1; ; i++) {
    const t = i * step
    // cosh t - 1 without cancellation
    const exponent = -2 * x * Math.sinh(t / 2) ** 2
    const term = Math.exp(exponent) * Math.cosh(order * t)
    sum += term
    if (term < sum * 1e-17 && exponent < -1) break
  }
  return sum * step
}

function besselK(order: 0 | 1, x: number, scaled: boolean): number {
  if (Number.isNaN(x) || x < 0) return Number.NaN
  if (x === 0) return Number.POSITIVE_INFINITY
  if (x === Number.POSITIVE_INFINITY) return 0
  // So near 0 that the integral is long, the first terms of the series are exact.
  if (x < 1e-8) return (order === 0 ? -Math.log(x / 2) - euler : 1 / x) * (scaled ? 1 + x : 1)
  return scaledBesselK(order, x) * (scaled ? 1 : Math.exp(-x))
}

export const modifiedBesselI0: (x: number) => number = i0
export const modifiedBesselI1: (x: number) => number = i1

export function modifiedBesselK0(x: number): number {
  return besselK(0, x, false)
}

export function modifiedBesselK1(x: number): number {
  return besselK(1, x, false)
}

/** exp(x) K0(x). */
export function scaledModifiedBesselK0(x: number): number {
  return besselK(0, x, true)
}

/** exp(x) K1(x). */
export function scaledModifiedBesselK1(x: number): number {
  return besselK(1, x, true)
}

/** sin(x) / x. */
export function sphericalBesselJ0(x: number): number {
  if (Math.abs(x) === Number.POSITIVE_INFINITY) return 0
  return Math.abs(x) < 1e-8 ? 1 : Math.sin(x) / x
}

/** Airy's function Ai. */
export function airyAi(x: number): number {
  if (Number.isNaN(x) || x === Number.NEGATIVE_INFINITY) return Number.NaN
  if (x > 103.892) return 0
  const zeta = (2 / 3) * Math.abs(x) ** 1.5
  if (x > 1) return (Math.sqrt(x / 3) / Math.PI) * scaledBesselK(1 / 3, zeta) * Math.exp(-zeta)
  if (x < -8) {
    // The asymptotic series: an oscillation of slowly falling amplitude.
    let p = 1
    let q = 0
    let term = 1
    for (let k = 1; k < 30; k++) {
      const next = (term * (6 * k - 5) * (6 * k - 3) * (6 * k - 1)) / (216 * k * (2 * k - 1) * zeta)
      if (next > term || next < 1e-17) break
      term = next
      if (k % 2 === 1) q += (k % 4 === 1 ? 1 : -1) * term
      else p += (k % 4 === 0 ? 1 : -1) * term
    }
    const phase = zeta - Math.PI / 4
    return (p * Math.cos(phase) + q * Math.sin(phase)) / (Math.sqrt(Math.PI) * Math.abs(x) ** 0.25)
  }
  // Maclaurin's series of the two solutions of y'' = x y.
  const cube = x * x * x
  let [f, g, termF, termG] = [1, x, 1, x]
  for (let k = 1; k < 200; k++) {
    termF *= cube / ((3 * k - 1) * (3 * k))
    termG *= cube / (3 * k * (3 * k + 1))
    f += termF
    g += termG
    if (Math.abs(termF) + Math.abs(termG) < 1e-18) break
  }
  return 0.3550280538878172 * f - 0.2588194037928068 * g
}
