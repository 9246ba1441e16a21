// The error function, its inverse, and the gamma function's logarithm with its derivative, on doubles.

import { zeta } from './zeta.ts'

// erf and erfc: Sun's fdlibm (s_erf.c), rational approximations on five intervals; below 1 ulp.
const efx = 0.1283791670955126
const pp = [
  -2.3763016656650163e-5, -0.005770270296489442, -0.02848174957559851, -0.3250421072470015,
  0.12837916709551256,
]
const qq = [
  -3.960228278775368e-6, 0.00013249473800432164, 0.005081306281875766, 0.0650222499887673,
  0.39791722395915535, 1,
]
const erx = 0.8450629115104675
const pa = [
  -0.002166375594868791, 0.035478304325618236, -0.11089469428239668, 0.31834661990116175, -0.3722078760357013,
  0.41485611868374833, -0.0023621185607526594,
]
const qa = [
  0.011984499846799107, 0.01363708391202905, 0.12617121980876164, 0.07182865441419627, 0.540397917702171,
  0.10642088040084423, 1,
]
const ra = [
  -9.814329344169145, -81.2874355063066, -184.60509290671104, -162.39666946257347, -62.375332450326006,
  -10.558626225323291, -0.6938585727071818, -0.009864944034847148,
]
const sa = [
  -0.0604244152148581, 6.570249770319282, 108.63500554177944, 429.00814002756783, 645.3872717332679,
  434.56587747522923, 137.65775414351904, 19.651271667439257, 1,
]
const rb = [
  -483.5191916086514, -1025.0951316110772, -637.5664433683896, -160.63638485582192, -17.757954917754752,
  -0.799283237680523, -0.0098649429247001,
]
const sb = [
  -22.44095244658582, 474.52854120695537, 2553.0504064331644, 3199.8582195085955, 1536.729586084437,
  325.7925129965739, 30.33806074348246, 1,
]

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
    x =
      polynomial(
        w - 2.5,
        [
          2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503,
          -0.00417768164, 0.246640727, 1.50140941,
        ],
      ) * y
  else
    x =
      polynomial(
        Math.sqrt(w) - 3,
        [
          -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
          0.00943887047, 1.00167406, 2.83297682,
        ],
      ) * y
  for (let i = 0; i < 2; i++) {
    const error = Math.abs(x) < 1 ? erf(x) - y : x > 0 ? 1 - y - erfc(x) : erfc(-x) - (1 + y)
    const step = error / ((2 / Math.sqrt(Math.PI)) * Math.exp(-x * x))
    x -= step / (1 + x * step)
  }
  return x
}

// Lanczos approximation (g = 7, n = 9), and Boost-like care near the zeros at 1 and 2 through log1p-sized sums.
const lanczos = [
  0.9999999999998099, 676.5203681218851, -1259.1392167224028, 771.3234287776531, -176.6150291621406,
  12.507343278686905, -0.13857109526572012, 9.984369578019572e-6, 1.5056327351493116e-7,
]

// Taylor series of lgamma about 1: -gamma t + sum over n >= 2 of (-1)^n zeta(n) t^n / n.
const zetas = Array.from({ length: 52 }, (_, i) => zeta(i + 2, 1))

function lgammaNearOne(t: number): number {
  let sum = 0
  for (let i = zetas.length - 1; i >= 0; i--) {
    const n = i + 2
    sum = sum * t + ((n % 2 === 0 ? 1 : -1) * zetas[i]) / n
  }
  return t * (sum * t - 0.5772156649015329)
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
