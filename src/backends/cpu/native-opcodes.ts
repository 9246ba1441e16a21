// The instructions of native programs (native/evaluate.cc), in the order of their numbers. native/generate.ts makes the
// C++ side's list from this one, and its functions from lowering.ts, so that both sides compute the same bits.

import type { ValueType } from '../../kernels/expr.ts'
import * as k from '../../kernels/expr.ts'
import { lowerMath, writtenOut } from '../../kernels/lowering.ts'
import { compounds } from './native-compounds.ts'

/** Bools are held as 0 or 1 in 32 bits. */
export type NumberType = Exclude<ValueType, 'bool'>

const numberTypes: readonly NumberType[] = ['i32', 'i64', 'f32', 'f64']
const isFloat = (type: NumberType) => type === 'f32' || type === 'f64'

/** Instructions that the interpreter itself carries out. */
export const controls = [
  'constant',
  'scalar',
  'index',
  'load',
  'store',
  'spread',
  'start',
  'loop',
  'end',
] as const

/** What is computed on blocks of elements: name and type of one C++ function each. */
export function operations(): string[] {
  const names: string[] = []
  for (const t of numberTypes) {
    for (const fn of ['add', 'sub', 'mul', 'div', 'min', 'max', 'neg', 'abs']) names.push(`${fn}_${t}`)
    for (const fn of ['eq', 'ne', 'lt', 'le', 'gt', 'ge']) names.push(`${fn}_${t}`)
    for (const fn of isFloat(t)
      ? ['sqrt', 'floor', 'ceil', 'trunc', 'nearest']
      : ['rem', 'and', 'or', 'xor', 'shl', 'shr', 'shrUnsigned', 'not'])
      names.push(`${fn}_${t}`)
    for (const to of numberTypes) if (to !== t) names.push(`cast_${t}_${to}`)
    // Reductions: element by element into a block (`each`), or a whole block into 32 partial results (`lanes`).
    for (const way of ['each', 'lanes', 'finish'])
      for (const fn of ['sum', 'prod', 'max', 'min']) names.push(`${way}_${fn}_${t}`)
  }
  for (const way of ['each', 'lanes', 'finish'])
    for (const fn of ['any', 'all']) names.push(`${way}_${fn}_i32`)
  names.push('narrow_sum_f32', 'not_bool', 'copy_4', 'copy_8', 'select_4', 'select_8')
  for (const { fn, type } of functions()) names.push(`${fn}_${type}`)
  return names
}

// Whether no part of a written-out function is called after all, as rare cases may be.
function isArithmetic(root: k.Expr, seen = new Set<k.Expr>()): boolean {
  if (seen.has(root)) return true
  seen.add(root)
  const e = root.kind === 'math' ? lowerMath(root) : root
  return e !== null && k.childrenOf(e).every((child) => isArithmetic(child, seen))
}

/** The functions that lowering.ts writes out, and the compounds. */
export function functions(): { fn: string; type: 'f32' | 'f64'; arity: number; expr: k.Expr }[] {
  const found: ReturnType<typeof functions> = []
  for (const type of ['f32', 'f64'] as const)
    for (const { fn, arity } of writtenOut(type)) {
      const args = Array.from({ length: arity }, (_, id): k.Expr => ({ kind: 'local', type, id }))
      const expr = lowerMath({ kind: 'math', type, fn, args })
      if (expr !== null && isArithmetic(expr)) found.push({ fn, type, arity, expr })
    }
  for (const compound of compounds()) if (isArithmetic(compound.expr)) found.push({ ...compound })
  return found
}

let numbers: Map<string, number> | null = null

/** The number of an instruction, or undefined where the addon has none of that name. */
export function opcode(name: string): number | undefined {
  numbers ??= new Map([...controls, ...operations()].map((n, i) => [n, i]))
  return numbers.get(name)
}

/** To be counted up when a function that the addon exports, or what it reads from memory, changes. */
const CALLS = 2

/** What the addon and the library must agree on, in short: its functions, and the numbers of its instructions. */
export function addonInterface(): string {
  let hash = 0
  for (const name of [...controls, ...operations()])
    for (let i = 0; i < name.length; i++) hash = (Math.imul(hash, 31) + name.charCodeAt(i)) | 0
  return `${CALLS}-${(hash >>> 0).toString(16)}`
}
