// Mathematical functions on WebGPU: WGSL's own where they are exact, arithmetic where the language's are not, helpers.
// WGSL promises little of its functions (the sine has an absolute error of 2^-11), so most are written out.

import type { Expr, MathName } from '../../kernels/expr.ts'
import * as k from '../../kernels/expr.ts'
import { lowerMath } from '../../kernels/lowering.ts'

const f = (value: number): Expr => k.constant(value, 'f32')

/** The sign of x on a value that is not negative. */
const withSignOf = (x: Expr, magnitude: Expr): Expr => k.select(k.signBit(x), k.neg(magnitude), magnitude)

/** Functions as expressions of functions that are written out. */
const composed: Partial<Record<MathName, (...args: Expr[]) => Expr>> = {
  asinh: (x) => {
    const a = k.abs(x)
    const square = k.mul(a, a)
    const small = k.log1p(k.add(a, k.div(square, k.add(k.sqrt(k.add(square, 1)), 1))))
    return withSignOf(x, k.select(k.gt(a, 1e9), k.add(k.log(a), Math.LN2), small))
  },
  acosh: (x) => {
    const t = k.sub(x, 1)
    const near = k.log1p(k.add(t, k.sqrt(k.mul(t, k.add(t, 2)))))
    return k.select(k.gt(x, 1e9), k.add(k.log(x), Math.LN2), near)
  },
  atanh: (x) => {
    const a = k.abs(x)
    return withSignOf(x, k.mul(f(0.5), k.log1p(k.div(k.mul(a, 2), k.sub(f(1), a)))))
  },
}

/** Functions that helpers.ts has. */
const helperNames: Partial<Record<MathName, string>> = {
  pow: 'pow_',
  fmod: 'fmod_',
  erfc: 'erfc_',
  erfinv: 'erfinv_',
  lgamma: 'lgamma_',
  digamma: 'digamma_',
  polygamma: 'polygamma_',
  zeta: 'zeta_',
  gcd: 'gcd_',
  i0: 'i0_',
  i0e: 'i0e_',
  i1: 'i1_',
  i1e: 'i1e_',
  modifiedBesselI0: 'i0_',
  modifiedBesselI1: 'i1_',
  chebyshevT: 'chebyshevT_',
  chebyshevU: 'chebyshevU_',
  chebyshevV: 'chebyshevV_',
  chebyshevW: 'chebyshevW_',
  shiftedChebyshevT: 'shiftedChebyshevT_',
  shiftedChebyshevU: 'shiftedChebyshevU_',
  shiftedChebyshevV: 'shiftedChebyshevV_',
  shiftedChebyshevW: 'shiftedChebyshevW_',
  hermiteH: 'hermiteH_',
  hermiteHe: 'hermiteHe_',
  laguerreL: 'laguerreL_',
  legendreP: 'legendreP_',
}

/** WGSL's own, for arguments that the written-out forms leave to somebody else (angles beyond some thousand). */
const own = new Set<MathName>([
  'exp',
  'exp2',
  'log',
  'log2',
  'sin',
  'cos',
  'tan',
  'asin',
  'acos',
  'atan',
  'atan2',
  'sinh',
  'cosh',
  'tanh',
])

const known = new WeakMap<Expr, Expr>()

/** How a function is computed: as another expression, by the WGSL function of that name, or (null) not at all. */
export function functionFor(e: Extract<Expr, { kind: 'math' }>): Expr | string | null {
  // First of all: the arithmetic written for the CPU may use doubles, which no GPU has.
  const helper = helperNames[e.fn]
  if (helper !== undefined) return helper
  const lowered = lowerMath(e)
  if (lowered !== null) return lowered
  const rule = composed[e.fn]
  if (rule !== undefined) {
    let result = known.get(e)
    if (result === undefined) {
      result = rule(...e.args)
      known.set(e, result)
    }
    return result
  }
  return own.has(e.fn) ? e.fn : null
}
