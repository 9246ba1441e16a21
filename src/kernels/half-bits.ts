// Half-precision numbers as arithmetic on float32, from and to their 16 bits (held in an i32).

import type { Expr } from './expr.ts'
import * as k from './expr.ts'

const f = (value: number): Expr => k.constant(value, 'f32')

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
