// Mathematical functions on JavaScript numbers (doubles): the interpreter's, and those that WebAssembly kernels call.

import * as bessel from './bessel.ts'
import type { MathName } from './expr.ts'
import * as polynomials from './polynomials.ts'
import { erfcx, gammainc, gammaincc, gcd, i0, i0e, i1, i1e, logNdtr, ndtri, polygamma, zeta } from './special.ts'

// erf and erfc: Sun's fdlibm (s_erf.c), rational approximations on five intervals; below 1 ulp.
const efx = 1.28379167095512586316e-1
const pp = [-2.37630166566501626084e-5, -5.77027029648944159157e-3, -2.84817495755985104766e-2, -3.25042107247001499370e-1, 1.28379167095512558561e-1]
const qq = [-3.96022827877536812320e-6, 1.32494738004321644526e-4, 5.08130628187576562776e-3, 6.50222499887672944485e-2, 3.97917223959155352819e-1, 1]
const erx = 8.45062911510467529297e-1
const pa = [-2.16637559486879084300e-3, 3.54783043256182359371e-2, -1.10894694282396677476e-1, 3.18346619901161753674e-1, -3.72207876035701323847e-1, 4.14856118683748331666e-1, -2.36211856075265944077e-3]
const qa = [1.19844998467991074170e-2, 1.36370839120290507362e-2, 1.26171219808761642112e-1, 7.18286544141962662868e-2, 5.40397917702171048937e-1, 1.06420880400844228286e-1, 1]
const ra = [-9.81432934416914548592, -8.12874355063065934246e1, -1.84605092906711035994e2, -1.62396669462573470355e2, -6.23753324503260060396e1, -1.05586262253232909814e1, -6.93858572707181764372e-1, -9.86494403484714822705e-3]
const sa = [-6.04244152148580987438e-2, 6.57024977031928170135, 1.08635005541779435134e2, 4.29008140027567833386e2, 6.45387271733267880336e2, 4.34565877475229228821e2, 1.37657754143519042600e2, 1.96512716674392571292e1, 1]
const rb = [-4.83519191608651397019e2, -1.02509513161107724954e3, -6.37566443368389627722e2, -1.60636384855821916062e2, -1.77579549177547519889e1, -7.99283237680523006574e-1, -9.86494292470009928597e-3]
const sb = [-2.24409524465858183362e1, 4.74528541206955367215e2, 2.55305040643316442583e3, 3.19985821950859553908e3, 1.53672958608443695994e3, 3.25792512996573918826e2, 3.03380607434824582924e1, 1]

function polynomial(x: number, coefficients: readonly number[]): number {
  let result = coefficients[0]
  for (let i = 1; i < coefficients.length; i++) result = result * x + coefficients[i]
  return result
}

const parts = new DataView(new ArrayBuffer(8))

function erfcTail(a: number): number {
  const s = 1 / (a * a)
  const ratio = a < 1 / 0.35 ? polynomial(s, ra) / polynomial(s, sa) : polynomial(s, rb) / polynomial(s, sb)
  // a^2 is split so that exp(-a^2) keeps its last bits.
  parts.setFloat64(0, a)
  parts.setUint32(4, 0)
  const z = parts.getFloat64(0)
  return (Math.exp(-z * z - 0.5625) * Math.exp((z - a) * (z + a) + ratio)) / a
}

/** The error function. */
export function erf(x: number): number {
  const a = Math.abs(x)
  if (Number.isNaN(x)) return x
  if (a < 0.84375) {
    if (a < 2 ** -28) return x + efx * x
    const z = x * x
    return x + x * (polynomial(z, pp) / polynomial(z, qq))
  }
  const sign = x < 0 ? -1 : 1
  if (a < 1.25) return sign * (erx + polynomial(a - 1, pa) / polynomial(a - 1, qa))
  if (a >= 6) return sign
  return sign * (1 - erfcTail(a))
}

/** 1 - erf(x), accurate for large x. */
export function erfc(x: number): number {
  const a = Math.abs(x)
  if (Number.isNaN(x)) return x
  if (a < 0.84375) {
    const z = x * x
    const y = polynomial(z, pp) / polynomial(z, qq)
    return x < 0.25 ? 1 - (x + x * y) : 0.5 - (x - 0.5 + x * y)
  }
  if (a < 1.25) {
    const ratio = polynomial(a - 1, pa) / polynomial(a - 1, qa)
    return x >= 0 ? 1 - erx - ratio : 1 + erx + ratio
  }
  if (a >= 28) return x > 0 ? 0 : 2
  return x > 0 ? erfcTail(a) : 2 - erfcTail(a)
}

/** The inverse of erf, by a starting value (Giles 2012) and two steps of Halley's method. */
export function erfinv(y: number): number {
  if (!(Math.abs(y) < 1)) return Math.abs(y) === 1 ? y * Number.POSITIVE_INFINITY : Number.NaN
  if (y === 0) return y
  const w = -Math.log((1 - y) * (1 + y))
  let x: number
  if (w < 5)
    x = polynomial(w - 2.5, [2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503, -0.00417768164, 0.246640727, 1.50140941]) * y
  else
    x = polynomial(Math.sqrt(w) - 3, [-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047, 1.00167406, 2.83297682]) * y
  for (let i = 0; i < 2; i++) {
    const error = Math.abs(x) < 1 ? erf(x) - y : x > 0 ? 1 - y - erfc(x) : erfc(-x) - (1 + y)
    const step = error / ((2 / Math.sqrt(Math.PI)) * Math.exp(-x * x))
    x -= step / (1 + x * step)
  }
  return x
}

// Lanczos approximation (g = 7, n = 9), and Boost-like care near the zeros at 1 and 2 through log1p-sized sums.
const lanczos = [0.99999999999980993, 676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905, -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7]

// Taylor series of lgamma about 1: -gamma t + sum over n >= 2 of (-1)^n zeta(n) t^n / n.
const zetas = Array.from({ length: 40 }, (_, i) => {
  const n = i + 2
  let sum = 0
  for (let k = 1; k < 12; k++) sum += k ** -n
  // Euler-Maclaurin for the rest from 12 on.
  return sum + 12 ** (1 - n) / (n - 1) + 12 ** -n / 2 + (n * 12 ** (-n - 1)) / 12 - (n * (n + 1) * (n + 2) * 12 ** (-n - 3)) / 720 + (n * (n + 1) * (n + 2) * (n + 3) * (n + 4) * 12 ** (-n - 5)) / 30240
})

function lgammaNearOne(t: number): number {
  let sum = 0
  for (let i = zetas.length - 1; i >= 0; i--) {
    const n = i + 2
    sum = sum * t + ((n % 2 === 0 ? 1 : -1) * zetas[i]) / n
  }
  return t * (sum * t - 0.57721566490153286061)
}

/** log |gamma(x)|. */
export function lgamma(x: number): number {
  if (Number.isNaN(x)) return x
  if (!Number.isFinite(x)) return Number.POSITIVE_INFINITY
  if (x <= 0 && Number.isInteger(x)) return Number.POSITIVE_INFINITY
  if (x < 0.5) return Math.log(Math.PI / Math.abs(Math.sin(Math.PI * (x % 2)))) - lgamma(1 - x)
  if (x < 1.5) return lgammaNearOne(x - 1)
  if (x < 2.5) return lgammaNearOne(x - 2) + Math.log1p(x - 2)
  if (x > 1e7) return x * (Math.log(x) - 1) - 0.5 * Math.log(x / (2 * Math.PI))
  let sum = lanczos[0]
  for (let i = 1; i < 9; i++) sum += lanczos[i] / (x - 1 + i)
  const t = x + 6.5
  return 0.5 * Math.log(2 * Math.PI) + (x - 0.5) * Math.log(t) - t + Math.log(sum)
}

/** The derivative of lgamma: recurrence up to 10, then the asymptotic series. */
export function digamma(x: number): number {
  if (Number.isNaN(x) || x === Number.NEGATIVE_INFINITY) return Number.NaN
  if (x === 0) return Object.is(x, -0) ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
  if (x < 0) {
    if (Number.isInteger(x)) return Number.NaN
    return digamma(1 - x) - Math.PI / Math.tan(Math.PI * (x % 1))
  }
  let result = 0
  let y = x
  while (y < 10) {
    result -= 1 / y
    y += 1
  }
  const z = 1 / (y * y)
  const series = z * polynomial(z, [-1 / 12, 691 / 32760, -1 / 132, 1 / 240, -1 / 252, 1 / 120, -1 / 12])
  return result + Math.log(y) - 0.5 / y + (y === Number.POSITIVE_INFINITY ? 0 : series)
}

/** C's pow, which unlike JavaScript's gives 1 for pow(1, NaN) and pow(-1, infinity). */
function pow(x: number, y: number): number {
  if (x === 1 || (x === -1 && Math.abs(y) === Number.POSITIVE_INFINITY)) return 1
  return x ** y
}

/** Every function that a kernel may call, on doubles. */
export const hostMath: Record<MathName, (...args: number[]) => number> = {
  ...bessel,
  ...polynomials,
  exp: Math.exp,
  exp2: (x) => 2 ** x,
  expm1: Math.expm1,
  log: Math.log,
  log2: Math.log2,
  log10: Math.log10,
  log1p: Math.log1p,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  erf,
  erfc,
  erfinv,
  lgamma,
  digamma,
  polygamma,
  zeta,
  i0,
  i0e,
  i1,
  i1e,
  erfcx,
  ndtri,
  logNdtr,
  gammainc,
  gammaincc,
  gcd,
  atan2: Math.atan2,
  pow,
  fmod: (x, y) => x % y,
}
