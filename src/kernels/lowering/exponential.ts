// exp, exp2, expm1, sinh, cosh and tanh in arithmetic.
// x = n log 2 + r with |r| <= log(2) / 2; the polynomials in r are minimax fits of relative error.

import type { Expr } from '../expr.ts'
import * as k from '../expr.ts'
import {
  floatType,
  formats,
  horner,
  nearestWhole,
  powerOfTwo,
  scale,
  type Whole,
  withSignOf,
} from './arithmetic.ts'

// log 2 in two parts, the first with zeros at its end, so that its product with n is exact (Cody and Waite).
const log2Parts = {
  f32: [0.693359375, -2.12194440054690583e-4],
  f64: [6.9314718036912381649e-1, 1.90821492927058770002e-10],
} as const

// (exp(r) - 1 - r) / r^2
const expTail = {
  f32: [0.00138145577, 0.00836873577, 0.0416683899, 0.166665205, 0.499999934],
  f64: [
    2.5131142409145052e-8, 2.763727603640616e-7, 2.7557254460400997e-6, 2.4801472416859435e-5,
    0.00019841269788264018, 0.0013888888965602317, 0.008333333333409135, 0.04166666666643242,
    0.16666666666666416, 0.5000000000000024,
  ],
} as const

// The same, with the error measured against exp(r) - 1.
const expm1Tail = {
  f32: [0.000198458793, 0.00139406549, 0.00833338943, 0.0416663606, 0.166666664, 0.500000004],
  f64: expTail.f64,
} as const

function reduce(x: Expr, offset: number): { n: Whole; r: Expr } {
  const [high, low] = log2Parts[floatType(x)]
  const n = nearestWhole(k.mul(x, Math.LOG2E), offset)
  return { n, r: k.sub(k.sub(x, k.mul(n.float, high)), k.mul(n.float, low)) }
}

// exp(r)
function expOfRest(r: Expr): Expr {
  const tail = k.mul(k.mul(horner(r, expTail[floatType(r)]), r), r)
  return k.add(k.add(tail, r), 1)
}

// Beyond these bounds exp(x) and exp(x) / 2 are 0 or infinity in any case; NaN passes.
const expBounds = { f32: [-105, 90], f64: [-747, 711] } as const

function clampToBounds(x: Expr): Expr {
  const [low, high] = expBounds[floatType(x)]
  return k.min(k.max(x, low), high)
}

export function exp(x: Expr): Expr {
  const { n, r } = reduce(clampToBounds(x), 2 * formats[floatType(x)].bias)
  return scale(expOfRest(r), n.integer)
}

/** exp(x) for arguments whose result is known to be normal and finite. */
export function expWithin(x: Expr): Expr {
  const type = floatType(x)
  const { n, r } = reduce(x, formats[type].bias)
  return k.mul(expOfRest(r), powerOfTwo(n.integer, type))
}

/** exp(x) / 2, which is finite for a few more arguments than exp(x). */
function halfExp(x: Expr): Expr {
  const { n, r } = reduce(clampToBounds(x), 2 * formats[floatType(x)].bias - 1)
  return scale(expOfRest(r), n.integer)
}

// (2^r - 1) / r on [-1/2, 1/2]
const exp2Tail = [0.000154759275, 0.00134003098, 0.00961800531, 0.0555032768, 0.240226513, 0.693147206]

export function exp2(x: Expr): Expr {
  const clamped = k.min(k.max(x, -151), 129)
  const n = nearestWhole(clamped, 2 * formats.f32.bias)
  const r = k.sub(clamped, n.float)
  return scale(k.add(k.mul(horner(r, exp2Tail), r), 1), n.integer)
}

/** 2^x for arguments whose result is known to be normal and finite. */
export function exp2Within(x: Expr): Expr {
  const n = nearestWhole(x, formats.f32.bias)
  const r = k.sub(x, n.float)
  return k.mul(k.add(k.mul(horner(r, exp2Tail), r), 1), powerOfTwo(n.integer, 'f32'))
}

/** exp(x) - 1 = 2^n (exp(r) - 1) + (2^n - 1), in halves of 2^n so that the largest results do not overflow. */
export function expm1(x: Expr): Expr {
  const type = floatType(x)
  // One below the bound of exp: half of 2^n must still be finite there, while the result is infinite already.
  const clamped = k.min(k.max(x, type === 'f32' ? -18 : -38), expBounds[type][1] - 1)
  const { n, r } = reduce(clamped, formats[type].bias - 1)
  const tail = k.mul(k.mul(horner(r, expm1Tail[type]), r), r)
  const half = powerOfTwo(n.integer, type)
  const sum = k.add(k.add(k.mul(half, tail), k.mul(half, r)), k.sub(half, 0.5))
  return withSignOf(k.abs(k.add(sum, sum)), x)
}

// (sinh(x) / x - 1) / x^2 in x^2, below 1
const sinhTail = [2.81695137e-6, 0.000198361597, 0.00833335006, 0.166666665]

export function sinh(x: Expr): Expr {
  const a = k.abs(x)
  const s = k.mul(x, x)
  const small = k.add(k.mul(k.mul(horner(s, sinhTail), s), a), a)
  const e = halfExp(a)
  const big = k.sub(e, k.div(k.constant(0.25, x.type), e))
  return withSignOf(k.select(k.lt(a, 1), small, big), x)
}

export function cosh(x: Expr): Expr {
  const e = halfExp(k.abs(x))
  return k.add(e, k.div(k.constant(0.25, x.type), e))
}

// (tanh(x) / x - 1) / x^2 in x^2, below 0.6
const tanhTail = [-0.00589514974, 0.0207959641, -0.0537838279, 0.133319241, -0.33333298]

/** tanh(a) = 1 - 2 / (exp(2 a) + 1), which loses digits near 0, where a polynomial takes its place. */
function tanhSingle(x: Expr): Expr {
  const a = k.abs(x)
  const s = k.mul(x, x)
  const small = k.add(k.mul(k.mul(horner(s, tanhTail), s), a), a)
  const clamped = k.min(a, 10)
  const e = expWithin(k.add(clamped, clamped))
  const big = k.sub(k.constant(1, x.type), k.div(k.constant(2, x.type), k.add(e, 1)))
  return withSignOf(k.select(k.lt(a, 0.6), small, big), x)
}

/** tanh(a) = -m / (m + 2) with m = exp(-2 a) - 1, which loses no digits. */
function tanhDouble(x: Expr): Expr {
  const a = k.min(k.abs(x), 20)
  const m = expm1(k.mul(a, -2))
  return withSignOf(k.div(k.neg(m), k.add(m, 2)), x)
}

export function tanh(x: Expr): Expr {
  return floatType(x) === 'f32' ? tanhSingle(x) : tanhDouble(x)
}
