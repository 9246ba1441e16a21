// log, log2, log10 and log1p in arithmetic: x = 2^e m with m in [sqrt(1/2), sqrt(2)); log x = e log 2 + log m.

import type { Expr } from '../expr.ts'
import * as k from '../expr.ts'
import { floatType, horner, withSignOf } from './arithmetic.ts'

export interface Parts {
  /** The exponent, as a float. */
  readonly e: Expr
  /** The significand less one. */
  readonly f: Expr
}

/**
 * Takes a normal positive number apart. Subtracting the bits of sqrt(1/2) leaves the exponent that puts the significand
 * between its two roots.
 */
export function split(x: Expr): Parts {
  if (floatType(x) === 'f32') {
    const bits = k.bitcast(x, 'i32')
    const above = k.sub(bits, 0x3f3504f3)
    const e = k.cast(k.shr(above, 23), 'f32')
    const m = k.bitcast(k.sub(bits, k.and(above, -(2 ** 23))), 'f32')
    return { e, f: k.sub(m, 1) }
  }
  // Lanes of 64 bits have no conversion from integers: the exponent becomes the last bits of 2^52.
  const bits = k.bitcast(x, 'i64')
  const above = k.sub(bits, 0x3fe6a09e667f3bcdn)
  const biased = k.shrUnsigned(k.add(above, 1024n << 52n), 52)
  const e = k.sub(k.bitcast(k.or(biased, 0x4330000000000000n), 'f64'), 2 ** 52 + 1024)
  const m = k.bitcast(k.sub(bits, k.and(above, -(2n ** 52n))), 'f64')
  return { e, f: k.sub(m, 1) }
}

/** Whether a number is anything but normal, positive and finite: one comparison of its bits. */
function isUnusual(x: Expr): Expr {
  if (floatType(x) === 'f32') return k.ge(k.add(k.bitcast(x, 'i32'), 0x7f800000), -0x01000000)
  return k.ge(k.add(k.bitcast(x, 'i64'), 0x7ff0000000000000n), -0x0020000000000000n)
}

// What logarithms of any base are of denormal numbers, zero, negative numbers, infinity and NaN.
function unusual(x: Expr, normal: (x: Expr) => Expr, ofScale: number): Expr {
  const type = floatType(x)
  const bits = type === 'f32' ? 24 : 53
  const denormal = k.sub(normal(k.mul(x, 2 ** bits)), bits * ofScale)
  const positive = k.select(k.eq(x, Number.POSITIVE_INFINITY), x, denormal)
  const rest = k.select(k.eq(x, 0), k.constant(Number.NEGATIVE_INFINITY, type), Number.NaN)
  return k.select(k.gt(x, 0), positive, rest)
}

function logarithm(x: Expr, ofTwo: number, ofParts: (parts: Parts) => Expr): Expr {
  const normal = (y: Expr) => ofParts(split(y))
  return k.rarely(isUnusual(x), unusual(x, normal, ofTwo), normal(x))
}

// (log(1 + f) - f + f^2 / 2) / f^3
const logTail = [
  -0.0763220883, 0.127608306, -0.131606477, 0.142018873, -0.166233264, 0.200012205, -0.250008217, 0.333333318,
]

function logSingle({ e, f }: Parts): Expr {
  const z = k.mul(f, f)
  const tail = k.mul(k.mul(horner(f, logTail), f), z)
  const low = k.add(k.sub(tail, k.mul(z, 0.5)), k.mul(e, -2.12194440054690583e-4))
  return k.add(k.add(f, low), k.mul(e, 0.693359375))
}

// Sun's fdlibm (e_log.c): with s = f / (2 + f), log(1 + f) = f - s (f - R(s^2)); below 1 ulp.
const evenTail = [0.15313837699209373, 0.22222198432149784, 0.3999999999940942]
const oddTail = [0.14798198605116586, 0.1818357216161805, 0.2857142874366239, 0.6666666666666735]

function logDouble({ e, f }: Parts): Expr {
  const s = k.div(f, k.add(f, 2))
  const z = k.mul(s, s)
  const w = k.mul(z, z)
  const tail = k.add(k.mul(horner(w, evenTail), w), k.mul(horner(w, oddTail), z))
  const halfSquare = k.mul(k.mul(f, f), 0.5)
  const low = k.add(k.mul(s, k.add(halfSquare, tail)), k.mul(e, 1.90821492927058770002e-10))
  return k.sub(k.mul(e, 6.9314718036912381649e-1), k.sub(k.sub(halfSquare, low), f))
}

function logOfParts(type: 'f32' | 'f64'): (parts: Parts) => Expr {
  return type === 'f32' ? logSingle : logDouble
}

export function log(x: Expr): Expr {
  return logarithm(x, Math.LN2, logOfParts(floatType(x)))
}

// The tail over log 2.
const log2Tail = [
  -0.110109498, 0.18409987, -0.189868012, 0.204889924, -0.239823905, 0.288556616, -0.360685615, 0.480898325,
]

export function log2(x: Expr): Expr {
  return logarithm(x, 1, ({ e, f }) => {
    const z = k.mul(f, f)
    const tail = k.mul(k.mul(horner(f, log2Tail), f), z)
    // log2(e) in two parts, the first short.
    const low = k.add(k.sub(tail, k.mul(z, Math.LOG2E / 2)), k.mul(f, 0.44269504088896341))
    return k.add(k.add(low, f), e)
  })
}

// The tail over log 10.
const log10Tail = [
  -0.0331462618, 0.055419583, -0.0571559667, 0.061678013, -0.0721941891, 0.0868641969, -0.108577189,
  0.144764821,
]

export function log10(x: Expr): Expr {
  return logarithm(x, Math.log10(2), ({ e, f }) => {
    const z = k.mul(f, f)
    const tail = k.mul(k.mul(horner(f, log10Tail), f), z)
    const low = k.add(k.sub(tail, k.mul(z, Math.LOG10E / 2)), k.mul(e, 4.60503898119521e-6))
    return k.add(k.add(k.mul(f, Math.LOG10E), low), k.mul(e, 0.301025390625))
  })
}

/** log(1 + x): what 1 + x rounds away is put back after its exponent has been taken off. */
export function log1p(x: Expr): Expr {
  const type = floatType(x)
  const u = k.add(x, 1)
  const { e, f } = split(u)
  const lost = k.sub(x, k.sub(u, 1))
  // 2^-e, from the bits of u. Of large numbers nothing was lost, and 2^-e would not be normal.
  const bounded = k.bitcast(k.min(u, 2 ** 60), type === 'f32' ? 'i32' : 'i64')
  const scale =
    type === 'f32'
      ? k.sub(k.constant(0x3f800000, 'i32'), k.and(k.sub(bounded, 0x3f3504f3), -(2 ** 23)))
      : k.sub(
          k.constant(0x3ff0000000000000n, 'i64'),
          k.and(k.sub(bounded, 0x3fe6a09e667f3bcdn), -(2n ** 52n)),
        )
  const exact = k.add(f, k.mul(lost, k.bitcast(scale, type)))
  const result = withSignOf(k.abs(logOfParts(type)({ e, f: exact })), x)
  const edge = k.select(k.eq(x, -1), k.constant(Number.NEGATIVE_INFINITY, type), Number.NaN)
  return k.rarely(isUnusual(u), k.select(k.eq(x, Number.POSITIVE_INFINITY), x, edge), result)
}
