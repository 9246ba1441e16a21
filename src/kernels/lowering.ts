// Transcendental functions of float32 written out in arithmetic, so that every lane of a SIMD register computes them.
// The polynomials are S. Moshier's Cephes (single precision): expf, logf, tanhf, and W. Cody's range reductions.

import type { Expr, MathName } from './expr.ts'
import * as k from './expr.ts'

const f = (value: number): Expr => k.constant(value, 'f32')

function horner(x: Expr, coefficients: readonly number[]): Expr {
  let result: Expr = f(coefficients[0])
  for (let i = 1; i < coefficients.length; i++) result = k.add(k.mul(result, x), f(coefficients[i]))
  return result
}

const expCoefficients = [
  1.98756915e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1,
]

/** 2^n for a whole number n between -126 and 127, made from its bits. */
function powerOfTwo(n: Expr): Expr {
  return k.bitcast(k.shl(k.add(k.cast(n, 'i32'), 127), 23), 'f32')
}

/** exp: x = n log 2 + r, exp x = 2^n (1 + r + r^2 P(r)). The scale is applied in halves so that denormals come out right. */
function exp(x: Expr): Expr {
  const clamped = k.min(k.max(x, f(-104)), f(89))
  const n = k.nearest(k.mul(clamped, f(1.44269504088896341)))
  const r = k.sub(k.sub(clamped, k.mul(n, f(0.693359375))), k.mul(n, f(-2.1219444e-4)))
  const p = k.add(k.add(k.mul(k.mul(horner(r, expCoefficients), r), r), r), f(1))
  const half = k.floor(k.mul(n, f(0.5)))
  return k.mul(k.mul(p, powerOfTwo(half)), powerOfTwo(k.sub(n, half)))
}

const logCoefficients = [
  7.0376836292e-2, -1.151461031e-1, 1.167699874e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1,
  2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
]

/** log: x = 2^e m with m in [sqrt(1/2), sqrt 2); log x = e log 2 + log m. */
function log(x: Expr): Expr {
  const denormal = k.lt(x, f(2 ** -126))
  const scaled = k.select(denormal, k.mul(x, f(2 ** 24)), x)
  const bits = k.bitcast(scaled, 'i32')
  const biased = k.sub(k.shrUnsigned(bits, 23), 126)
  const mantissa = k.bitcast(k.or(k.and(bits, 0x007fffff), 0x3f000000), 'f32')
  const small = k.lt(mantissa, f(Math.SQRT1_2))
  const m = k.sub(k.select(small, k.add(mantissa, mantissa), mantissa), f(1))
  const e0 = k.cast(biased, 'f32')
  const e1 = k.select(small, k.sub(e0, f(1)), e0)
  const e = k.select(denormal, k.sub(e1, f(24)), e1)
  const z = k.mul(m, m)
  const y = k.sub(
    k.add(k.mul(k.mul(horner(m, logCoefficients), m), z), k.mul(e, f(-2.1219444e-4))),
    k.mul(z, f(0.5)),
  )
  const result = k.add(k.add(m, y), k.mul(e, f(0.693359375)))
  // log of 0, of infinity, of a negative number or NaN
  const special = k.select(
    k.eq(x, f(0)),
    f(-Infinity),
    k.select(k.eq(x, f(Infinity)), f(Infinity), f(Number.NaN)),
  )
  return k.select(k.and(k.gt(x, f(0)), k.lt(x, f(Infinity))), result, special)
}

const tanhCoefficients = [
  -5.70498872745e-3, 2.06390887954e-2, -5.37397155531e-2, 1.33314422036e-1, -3.33332819422e-1,
]

function tanh(x: Expr): Expr {
  const a = k.abs(x)
  const s = k.mul(x, x)
  const small = k.add(k.mul(k.mul(horner(s, tanhCoefficients), s), x), x)
  const big = k.sub(f(1), k.div(f(2), k.add(exp(k.add(a, a)), f(1))))
  const signed = k.select(k.lt(x, f(0)), k.neg(big), big)
  return k.select(k.lt(a, f(0.625)), small, signed)
}

const table = new Map<MathName, (x: Expr) => Expr>([
  ['exp', exp],
  ['log', log],
  ['tanh', tanh],
])

const lowered = new WeakMap<Expr, Expr>()

/** The arithmetic form of a float32 function, or null where there is none. */
export function lowerMath(e: Extract<Expr, { kind: 'math' }>): Expr | null {
  if (e.type !== 'f32') return null
  const rule = table.get(e.fn)
  if (rule === undefined) return null
  let result = lowered.get(e)
  if (result === undefined) {
    result = rule(e.args[0])
    lowered.set(e, result)
  }
  return result
}

// Half-precision numbers, from and to their 16 bits (held in an i32).

/** The float32 of float16 bits. */
export function halfToFloat(bits: Expr): Expr {
  const sign = k.shl(k.and(bits, 0x8000), 16)
  const rest = k.shl(k.and(bits, 0x7fff), 13)
  // Exponent and mantissa moved into place are 2^-112 of the value; multiplying also normalises denormals.
  const scaled = k.bitcast(k.mul(k.bitcast(rest, 'f32'), f(2 ** 112)), 'i32')
  const isSpecial = k.ge(rest, 0x0f800000)
  const special = k.or(rest, 0x7f800000)
  return k.bitcast(k.or(sign, k.select(isSpecial, special, scaled)), 'f32')
}

/** The float16 bits nearest to a float32, ties to even. */
export function floatToHalf(x: Expr): Expr {
  const bits = k.bitcast(x, 'i32')
  const sign = k.and(k.shrUnsigned(bits, 16), 0x8000)
  const magnitude = k.and(bits, 0x7fffffff)
  const odd = k.and(k.shrUnsigned(magnitude, 13), 1)
  const normal = k.shrUnsigned(k.add(k.sub(magnitude, 112 << 23), k.add(odd, 0x0fff)), 13)
  // Adding 0.5 puts a denormal's bits at the low end of the mantissa, rounded by the addition itself.
  const denormal = k.sub(k.bitcast(k.add(k.bitcast(magnitude, 'f32'), f(0.5)), 'i32'), 0x3f000000)
  const finite = k.select(k.lt(magnitude, 113 << 23), denormal, normal)
  const isNaN_ = k.gt(magnitude, 0x7f800000)
  const overflow = k.select(isNaN_, k.constant(0x7e00, 'i32'), k.constant(0x7c00, 'i32'))
  return k.or(sign, k.select(k.ge(magnitude, 0x477ff000), overflow, finite))
}

/** The float32 of bfloat16 bits. */
export function bfloat16ToFloat(bits: Expr): Expr {
  return k.bitcast(k.shl(bits, 16), 'f32')
}

/** The bfloat16 bits nearest to a float32, ties to even. */
export function floatToBfloat16(x: Expr): Expr {
  const bits = k.bitcast(x, 'i32')
  const odd = k.and(k.shrUnsigned(bits, 16), 1)
  const rounded = k.shrUnsigned(k.add(bits, k.add(odd, 0x7fff)), 16)
  return k.select(k.gt(k.and(bits, 0x7fffffff), 0x7f800000), k.constant(0x7fc0, 'i32'), rounded)
}
