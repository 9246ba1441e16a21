// Kernels for devices without float64: the same computation with every f64 value computed as f32.

import { UnsupportedKernelError } from '../core/errors.ts'
import { type Expr, isFloat, type ValueType } from './expr.ts'
import type { Kernel, Stage, Store } from './kernel.ts'

const narrowType = (type: ValueType): ValueType => (type === 'f64' ? 'f32' : type)

/**
 * A kernel's stages with f32 in place of f64. Operands stay as they are.
 * @throws RuntimeError where the bits of a float64 are looked at: a float32 has others.
 */
export function singlePrecision(kernel: Kernel): readonly Stage[] {
  const known = new Map<Expr, Expr>()

  const narrow = (e: Expr): Expr => {
    let result = known.get(e)
    if (result === undefined) {
      result = compute(e)
      known.set(e, result)
    }
    return result
  }

  const compute = (e: Expr): Expr => {
    switch (e.kind) {
      case 'const':
        return e.type === 'f64' ? { ...e, type: 'f32', value: Math.fround(Number(e.value)) } : e
      case 'index':
        return e
      case 'scalar':
      case 'local':
        return e.type === 'f64' ? { ...e, type: 'f32' } : e
      case 'load':
        return {
          ...e,
          type: narrowType(e.type),
          at: e.at.map(narrow),
          where: e.where === null ? null : narrow(e.where),
        }
      case 'unary':
        return { ...e, type: narrowType(e.type), a: narrow(e.a) }
      case 'binary':
        return { ...e, type: narrowType(e.type), a: narrow(e.a), b: narrow(e.b) }
      case 'compare':
        return { ...e, a: narrow(e.a), b: narrow(e.b) }
      case 'select':
        return { ...e, type: narrowType(e.type), cond: narrow(e.cond), a: narrow(e.a), b: narrow(e.b) }
      case 'cast': {
        const a = narrow(e.a)
        return isFloat(e.type) && a.type === 'f32' ? a : { ...e, type: narrowType(e.type), a }
      }
      case 'bitcast':
        if (e.type === 'f64' || e.a.type === 'f64')
          throw new UnsupportedKernelError(
            `${kernel.name}: this computation looks at the bits of float64 numbers, which this device does not have; do it on the CPU`,
          )
        return { ...e, a: narrow(e.a) }
      case 'math':
        return { ...e, type: narrowType(e.type), args: e.args.map(narrow) }
      default:
        e satisfies never
        return e
    }
  }

  const store = (s: Store): Store => ({ ...s, value: narrow(s.value), at: s.at.map(narrow) })

  return kernel.stages.map((stage): Stage => {
    switch (stage.kind) {
      case 'store':
        return store(stage)
      case 'let':
        return { ...stage, value: narrow(stage.value) }
      case 'loop':
        return {
          ...stage,
          accumulators: stage.accumulators.map((a) => ({
            ...a,
            type: narrowType(a.type),
            init: a.init === null ? null : narrow(a.init),
            value: narrow(a.value),
          })),
          stores: stage.stores.map(store),
        }
      default:
        return stage satisfies never
    }
  })
}
