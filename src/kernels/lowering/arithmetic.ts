// What the written-out functions share: polynomials, rounding to whole numbers, signs, powers of two made from bits.

import * as k from '../expr.ts'
import { type Expr, isFloat, type ValueType } from '../expr.ts'

/** A function of a floating type that is written out in arithmetic. */
export type Rule = (...args: Expr[]) => Expr

/** The floating type of an expression that is known to have one. */
export function floatType(x: Expr): 'f32' | 'f64' {
  if (!isFloat(x.type)) throw new Error(`kernel: a floating value was expected, got ${x.type}`)
  return x.type as 'f32' | 'f64'
}

/** A polynomial in `x`, the coefficient of the highest power first. */
export function horner(x: Expr, coefficients: readonly number[]): Expr {
  let result = k.constant(coefficients[0], x.type)
  for (let i = 1; i < coefficients.length; i++)
    result = k.add(k.mul(result, x), k.constant(coefficients[i], x.type))
  return result
}

/** How the two floating types are laid out. */
export const formats = {
  f32: { bits: 'i32', mantissa: 23, bias: 127, rounder: 1.5 * 2 ** 23, rounderBits: 0x4b400000 },
  f64: { bits: 'i64', mantissa: 52, bias: 1023, rounder: 1.5 * 2 ** 52, rounderBits: 0x4338000000000000n },
} as const

/** A whole number, as a float and as an integer of the float's width. */
export interface Whole {
  readonly float: Expr
  readonly integer: Expr
}

/**
 * The whole number nearest to a small float: added to 1.5 * 2^23 (2^52), it stands in the lowest bits of the sum. No
 * instruction that converts lanes is as cheap. `offset` is added to the integer.
 */
export function nearestWhole(x: Expr, offset = 0): Whole {
  const { bits, rounder, rounderBits } = formats[floatType(x)]
  const shifted = k.add(x, rounder)
  const zero = typeof rounderBits === 'bigint' ? rounderBits - BigInt(offset) : rounderBits - offset
  return { float: k.sub(shifted, rounder), integer: k.sub(k.bitcast(shifted, bits), zero) }
}

/** 2^n made from its exponent bits, which are n plus the bias. */
export function powerOfTwo(biased: Expr, type: 'f32' | 'f64'): Expr {
  return k.bitcast(k.shl(biased, formats[type].mantissa), type)
}

/**
 * `x` times 2^n for `x` near 1, right where the result is denormal or overflows: the scale is applied in halves.
 * `n` comes with twice the bias added.
 */
export function scale(x: Expr, biasedTwice: Expr): Expr {
  const type = floatType(x)
  const half = k.shr(biasedTwice, 1)
  return k.mul(k.mul(x, powerOfTwo(half, type)), powerOfTwo(k.sub(biasedTwice, half), type))
}

function signMask(type: ValueType): number | bigint {
  return type === 'f32' ? -(2 ** 31) : -(2n ** 63n)
}

/** A magnitude (its sign bit clear) with the sign of `x`. */
export function withSignOf(magnitude: Expr, x: Expr): Expr {
  const { bits } = formats[floatType(x)]
  return k.bitcast(k.or(k.bitcast(magnitude, bits), k.and(k.bitcast(x, bits), signMask(x.type))), x.type)
}

/** `x`, negated where `sign` is negative. */
export function changeSign(x: Expr, sign: Expr): Expr {
  const { bits } = formats[floatType(x)]
  const flip = k.and(k.bitcast(sign, bits), signMask(x.type))
  return k.bitcast(k.xor(k.bitcast(x, bits), flip), x.type)
}

/** `x`, negated where the lowest bit of a whole number is set. */
export function negateIfOdd(x: Expr, n: Expr): Expr {
  const { bits } = formats[floatType(x)]
  const flip = k.shl(n, x.type === 'f32' ? 31 : 63)
  return k.bitcast(k.xor(k.bitcast(x, bits), flip), x.type)
}

/** Whether the lowest bit of a whole number is set. */
export function isOdd(n: Expr): Expr {
  return k.ne(k.and(n, 1), 0)
}

/** Whether a float is a whole number or infinite. */
export function isWhole(x: Expr): Expr {
  return k.eq(k.trunc(x), x)
}
