// How long a compiled kernel takes, roughly: what decides whether splitting a launch pays. Not exact, and need not be.

import { childrenOf, type Expr } from '../../kernels/expr.ts'
import type { Kernel } from '../../kernels/kernel.ts'
import type { Layout } from './layout.ts'
import { expand, storedValue } from './vectorize.ts'

/** Estimated nanoseconds for each outer position, and for each step of the loops inside it. */
export interface Cost {
  readonly outer: number
  readonly loop: number
}

/** Nanoseconds that an instruction takes, on one core of 2025. */
const INSTRUCTION = 0.28
/** Of a division or a root, and of a call to a function on doubles, in instructions. */
const DIVISION = 6
const CALL = 35

/** Estimates a kernel's cost in a layout. */
export function costOf(kernel: Kernel, layout: Layout): Cost {
  let [outer, loop] = [0, 0]
  const seen = new Set<Expr>()
  const count = (original: Expr): number => {
    const e = expand(original, kernel)
    if (seen.has(e)) return 0
    seen.add(e)
    let cost = ownCost(e)
    for (const child of childrenOf(e)) cost += count(child)
    return cost
  }
  for (const stage of kernel.stages) {
    if (stage.kind === 'let') outer += count(stage.value)
    else if (stage.kind === 'store') {
      outer += 1 + count(storedValue(stage.value, stage.operand, kernel))
      for (const at of stage.at) outer += count(at)
    } else {
      // A loop that runs has a few instructions of its own at each outer position.
      outer += 20
      // What another loop has computed is computed anew.
      seen.clear()
      for (const a of stage.accumulators) loop += 1 + count(a.value)
      for (const s of stage.stores) {
        loop += 1 + count(storedValue(s.value, s.operand, kernel))
        for (const at of s.at) loop += count(at)
      }
      seen.clear()
    }
  }
  const lanes = Math.max(layout.lanes, 1)
  const along = layout.vector
  return {
    outer: (INSTRUCTION * outer) / (along === 'outer' ? lanes : 1),
    loop: (INSTRUCTION * loop) / (along === 'none' ? 1 : lanes),
  }
}

function ownCost(e: Expr): number {
  switch (e.kind) {
    case 'const':
    case 'scalar':
    case 'local':
    case 'index':
      return 0
    case 'binary':
      return e.fn === 'div' || e.fn === 'rem' ? DIVISION : 1
    case 'unary':
      return e.fn === 'sqrt' ? DIVISION : 1
    case 'math':
      return CALL
    case 'load':
    case 'compare':
    case 'select':
    case 'cast':
    case 'bitcast':
      return 1
    default:
      e satisfies never
      return 1
  }
}
