// Which functions are written out in arithmetic, so that every lane of a SIMD register computes them (lowering/ has them).
// The others are called, one element at a time (hostmath.ts).

import type { Expr, MathName } from './expr.ts'
import type { Rule } from './lowering/arithmetic.ts'
import { erf } from './lowering/error-function.ts'
import { cosh, exp, exp2, expm1, sinh, tanh } from './lowering/exponential.ts'
import { log, log1p, log2, log10 } from './lowering/logarithm.ts'
import { acos, asin, atan, atan2, cos, sin, tan } from './lowering/trigonometric.ts'
import { erfc, fmod, pow } from './lowering/wide.ts'

const single = new Map<MathName, Rule>(
  Object.entries({
    acos,
    asin,
    atan,
    atan2,
    cos,
    cosh,
    erf,
    erfc,
    exp,
    exp2,
    expm1,
    fmod,
    log,
    log10,
    log1p,
    log2,
    pow,
    sin,
    sinh,
    tan,
    tanh,
  }) as [MathName, Rule][],
)

const double = new Map<MathName, Rule>(Object.entries({ exp, expm1, log, log1p, tanh }) as [MathName, Rule][])

const lowered = new WeakMap<Expr, Expr>()

/** The arithmetic form of a function, or null where there is none. */
export function lowerMath(e: Extract<Expr, { kind: 'math' }>): Expr | null {
  if (e.called) return null
  const rule = (e.type === 'f32' ? single : double).get(e.fn)
  if (rule === undefined) return null
  let result = lowered.get(e)
  if (result === undefined) {
    result = rule(...e.args)
    lowered.set(e, result)
  }
  return result
}

/** The names of the functions of a type that have one, and how many arguments each takes. */
export function writtenOut(type: 'f32' | 'f64'): { fn: MathName; arity: number }[] {
  return [...(type === 'f32' ? single : double)].map(([fn, rule]) => ({ fn, arity: rule.length }))
}
