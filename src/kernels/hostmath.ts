// Mathematical functions on JavaScript numbers (doubles): the interpreter's, and those that WebAssembly kernels call.

import * as bessel from './bessel.ts'
import { digamma, erf, erfc, erfinv, lgamma } from './erf-gamma.ts'
import type { MathName } from './expr.ts'
import * as polynomials from './polynomials.ts'
import { erfcx, gammainc, gammaincc, gcd, i0, i0e, i1, i1e, logNdtr, ndtri, polygamma } from './special.ts'
import { zeta } from './zeta.ts'

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
