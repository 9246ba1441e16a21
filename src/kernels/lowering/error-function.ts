// erf for float32 in arithmetic.

import type { Expr } from '../expr.ts'
import * as k from '../expr.ts'
import { horner, withSignOf } from './arithmetic.ts'
import { exp2Within } from './exponential.ts'

// erf(x) / x - 1 in x^2, below 0.92
const smallTail = [-0.000596379549, 0.00498791445, -0.0267630634, 0.112817194, -0.376124846, 0.128379148]

// log2(erfc(a)) / a on [0.9, 4]
const log2Complement = [
  -1.50518024e-5, 0.000454244239, -0.00520862243, 0.0341840328, -0.153155134, -0.916397054, -1.62827911,
]

/** erf(a) = 1 - 2^p(a), which has few right digits near 0, where a polynomial takes its place. From 4 on it is 1. */
export function erf(x: Expr): Expr {
  const a = k.min(k.abs(x), 4)
  const s = k.mul(a, a)
  const small = k.add(k.mul(horner(s, smallTail), a), a)
  const big = k.sub(k.constant(1, 'f32'), exp2Within(k.mul(horner(a, log2Complement), a)))
  return withSignOf(k.select(k.lt(a, 0.92), small, big), x)
}
