// Functions of two complex values in kernels, made of those in expr.ts.

import { complexOf, imaginaryPart, realPart } from './complex.ts'
import type { Expr } from './expr.ts'
import * as k from './expr.ts'

/**
 * log(exp(base a) + exp(base b)) / base, without overflow: the value with the larger real part stands outside. Where that is -inf, so is
 * the result, with an angle that means nothing.
 */
export function complexLogaddexp(a: Expr, b: Expr, base = 1): Expr {
  const isLess = k.lt(realPart(a), realPart(b))
  const low = k.select(isLess, a, b)
  const high = k.select(isLess, b, a)
  const sum = k.add(high, scaled(k.log1p(k.exp(scaled(k.sub(low, high), base))), 1 / base))
  const isEmpty = k.eq(realPart(high), Number.NEGATIVE_INFINITY)
  return k.select(isEmpty, low, sum)
}

// A product with a complex constant would make NaN of infinite parts.
function scaled(e: Expr, factor: number): Expr {
  return complexOf(k.mul(realPart(e), factor), k.mul(imaginaryPart(e), factor))
}
