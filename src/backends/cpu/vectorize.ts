// Decides whether a kernel can run in SIMD lanes: one lane width throughout, only vector instructions, unit strides.

import { childrenOf, type Expr, type ValueType } from '../../kernels/expr.ts'
import { bfloat16ToFloat, floatToBfloat16, floatToHalf, halfToFloat } from '../../kernels/half-bits.ts'
import type { Kernel } from '../../kernels/kernel.ts'
import { lowerMath } from '../../kernels/lowering.ts'

const expanded = new WeakMap<Expr, Expr>()

function once(key: Expr, make: () => Expr): Expr {
  let result = expanded.get(key)
  if (result === undefined) {
    result = make()
    expanded.set(key, result)
  }
  return result
}

/** An expression in the renderer's own terms: functions written out, half-precision loads as bits and arithmetic. */
export function expand(e: Expr, kernel: Kernel): Expr {
  if (e.kind === 'math') return lowerMath(e) ?? e
  if (e.kind === 'load' && e.type === 'f32') {
    const dtype = kernel.operands[e.operand].dtype.name
    if (dtype === 'float16') return once(e, () => halfToFloat({ ...e, type: 'i32' }))
    if (dtype === 'bfloat16') return once(e, () => bfloat16ToFloat({ ...e, type: 'i32' }))
  }
  return e
}

const narrowed = new WeakMap<Expr, Map<string, Expr>>()

/** The value whose bits are stored for a value of an operand: half-precision numbers become their 16 bits. */
export function storedValue(value: Expr, operand: number, kernel: Kernel): Expr {
  const dtype = kernel.operands[operand].dtype.name
  if (dtype !== 'float16' && dtype !== 'bfloat16') return value
  let forms = narrowed.get(value)
  if (forms === undefined) {
    forms = new Map()
    narrowed.set(value, forms)
  }
  let result = forms.get(dtype)
  if (result === undefined) {
    result = dtype === 'float16' ? floatToHalf(value) : floatToBfloat16(value)
    forms.set(dtype, result)
  }
  return result
}

/** The roots of all expressions of a kernel, those inside loops marked. */
export function rootsOf(kernel: Kernel): { expr: Expr; inLoop: boolean }[] {
  const roots: { expr: Expr; inLoop: boolean }[] = []
  for (const stage of kernel.stages) {
    if (stage.kind === 'let') roots.push({ expr: stage.value, inLoop: false })
    else if (stage.kind === 'store') {
      for (const at of stage.at) roots.push({ expr: at, inLoop: false })
      roots.push({ expr: storedValue(stage.value, stage.operand, kernel), inLoop: false })
    } else {
      for (const a of stage.accumulators) roots.push({ expr: a.value, inLoop: true })
      for (const s of stage.stores) {
        for (const at of s.at) roots.push({ expr: at, inLoop: true })
        roots.push({ expr: storedValue(s.value, s.operand, kernel), inLoop: true })
      }
    }
  }
  return roots
}

const lanesOfType = (type: ValueType): number =>
  type === 'f32' || type === 'i32' ? 4 : type === 'bool' ? 0 : 2

/** The number of lanes in which a kernel can run along a dimension, or 0. */
export function lanesOf(kernel: Kernel, plan: 'outer' | 'inner', steps: readonly number[]): number {
  let key = plan === 'outer' ? -1 : -2
  for (const step of steps) key = key * 3 - step
  const known = kernel.compiled.get(key) as number | undefined
  if (known !== undefined) return known
  const lanes = findLanes(kernel, plan, steps)
  kernel.compiled.set(key, lanes)
  return lanes
}

function findLanes(kernel: Kernel, plan: 'outer' | 'inner', steps: readonly number[]): number {
  let lanes = 0
  const agree = (type: ValueType): boolean => {
    const wanted = lanesOfType(type)
    if (wanted === 0) return true
    if (lanes === 0) lanes = wanted
    return lanes === wanted
  }
  const seen = new Set<Expr>()
  const visit = (original: Expr, vectorAll: boolean): boolean => {
    const e = expand(original, kernel)
    // Under the inner plan only what changes inside the loop is computed in lanes; the rest is broadcast.
    if (!vectorAll && !changesInLoop(e, kernel)) return e.kind === 'const' || agree(e.type)
    if (seen.has(e)) return true
    seen.add(e)
    return instructionFits(e, kernel, steps, agree) && childrenOf(e).every((child) => visit(child, vectorAll))
  }
  for (const stage of kernel.stages) {
    if (stage.kind === 'loop') {
      for (const a of stage.accumulators) {
        if (plan === 'inner' && a.reduction === null) return 0
        // There is no instruction for the larger of two 64-bit integers.
        if (a.type === 'i64' && (a.reduction === 'max' || a.reduction === 'min')) return 0
        if (!agree(a.type) || (a.init !== null && !visit(a.init, plan === 'outer'))) return 0
      }
      for (const s of stage.stores) if (s.at.length > 0 || steps[s.operand] !== 1) return 0
    } else if (
      stage.kind === 'store' &&
      plan === 'outer' &&
      (stage.at.length > 0 || steps[stage.operand] !== 1)
    )
      return 0
  }
  for (const { expr, inLoop } of rootsOf(kernel)) {
    if (plan === 'inner' && !inLoop) continue
    if (!visit(expr, plan === 'outer')) return 0
  }
  if (lanes === 2 && kernel.operands.some((o, i) => o.dtype.itemsize !== 8 && touched(kernel, i, plan)))
    return 0
  return lanes === 0 ? 0 : lanes
}

function touched(kernel: Kernel, operand: number, plan: 'outer' | 'inner'): boolean {
  for (const { expr, inLoop } of rootsOf(kernel))
    if ((plan === 'outer' || inLoop) && some(expr, kernel, (e) => e.kind === 'load' && e.operand === operand))
      return true
  for (const stage of kernel.stages) {
    if (stage.kind === 'store' && plan === 'outer' && stage.operand === operand) return true
    if (stage.kind === 'loop' && stage.stores.some((s) => s.operand === operand)) return true
  }
  return false
}

function some(root: Expr, kernel: Kernel, test: (e: Expr) => boolean): boolean {
  const seen = new Set<Expr>()
  const visit = (original: Expr): boolean => {
    const e = expand(original, kernel)
    if (seen.has(e)) return false
    seen.add(e)
    return test(e) || childrenOf(e).some(visit)
  }
  return visit(root)
}

/** Whether an expression's value changes from step to step of the loop (accumulators aside). */
export function changesInLoop(root: Expr, kernel: Kernel): boolean {
  return some(root, kernel, (e) => (e.kind === 'load' || e.kind === 'index') && e.level === 'loop')
}

function instructionFits(
  e: Expr,
  kernel: Kernel,
  steps: readonly number[],
  agree: (type: ValueType) => boolean,
): boolean {
  if (!agree(e.type)) return false
  switch (e.kind) {
    case 'load': {
      if (e.at.length > 0 || e.where !== null || steps[e.operand] === 2) return false
      const dtype = kernel.operands[e.operand].dtype
      return dtype.itemsize !== 8 || lanesOfType(e.type) === 2
    }
    case 'binary':
      if (e.fn === 'rem' || (e.fn === 'div' && e.type !== 'f32' && e.type !== 'f64')) return false
      if (e.fn === 'shl' || e.fn === 'shr' || e.fn === 'shrUnsigned') return e.b.kind === 'const'
      return e.type !== 'i64' || (e.fn !== 'min' && e.fn !== 'max')
    case 'unary':
      return true
    case 'compare':
      return true
    case 'cast':
      return lanesOfType(e.a.type) === 0 || (lanesOfType(e.type) === 4 && lanesOfType(e.a.type) === 4)
    case 'math':
    case 'index':
      return true
    case 'const':
    case 'scalar':
    case 'local':
    case 'select':
    case 'bitcast':
      return true
    default:
      e satisfies never
      return false
  }
}
