// Expressions that are one instruction of native programs instead of several: a pass over a block costs about as much as
// the arithmetic in it. What is not on this list is computed all the same, in more instructions.

import * as k from '../../kernels/expr.ts'
import { childrenOf, constant, type Expr } from '../../kernels/expr.ts'

/** An expression of up to three values, its `local`s, that one instruction computes. */
export interface Compound {
  readonly fn: string
  readonly type: 'f32' | 'f64'
  readonly arity: number
  readonly expr: Expr
}

type Build = (x: Expr, y: Expr, z: Expr) => Expr

const one = (x: Expr): Expr => constant(1, x.type)
const normalCdf = (x: Expr): Expr => k.mul(k.add(k.erf(k.mul(x, Math.SQRT1_2)), 1), 0.5)

// Larger ones first: the first that fits is taken. The activations are written as ops/ writes them.
const builders: readonly (readonly [fn: string, arity: number, build: Build, only?: 'f32'])[] = [
  ['sigmoid', 1, k.sigmoid],
  ['silu', 1, (x) => k.div(x, k.add(one(x), k.exp(k.neg(x))))],
  ['gelu', 1, (x) => k.mul(x, normalCdf(x)), 'f32'],
  ['normalCdf', 1, normalCdf, 'f32'],
  ['expOfDifference', 2, (x, y) => k.exp(k.sub(x, y))],
  ['throughSigmoid', 2, (x, y) => k.mul(x, k.mul(k.sub(one(y), y), y))],
  ['throughTanh', 2, (x, y) => k.mul(x, k.sub(one(y), k.mul(y, y)))],
  ['squaredDifference', 2, (x, y) => k.mul(k.sub(x, y), k.sub(x, y))],
  ['mulAdd', 3, (x, y, z) => k.add(k.mul(x, y), z)],
  ['mulSub', 3, (x, y, z) => k.sub(k.mul(x, y), z)],
  ['mulSubFrom', 3, (x, y, z) => k.sub(z, k.mul(x, y))],
  ['mulMul', 3, (x, y, z) => k.mul(k.mul(x, y), z)],
  ['addMul', 3, (x, y, z) => k.mul(k.add(x, y), z)],
  ['addAdd', 3, (x, y, z) => k.add(k.add(x, y), z)],
  ['subMul', 3, (x, y, z) => k.mul(k.sub(x, y), z)],
  ['subAdd', 3, (x, y, z) => k.add(k.sub(x, y), z)],
]

let made: readonly Compound[] | null = null

/** All compounds, of both types. */
export function compounds(): readonly Compound[] {
  made ??= (['f32', 'f64'] as const).flatMap((type) =>
    builders
      .filter(([, , , only]) => only === undefined || only === type)
      .map(([fn, arity, build]): Compound => {
        const [x, y, z] = [0, 1, 2].map((id): Expr => ({ kind: 'local', type, id }))
        return { fn, type, arity, expr: build(x, y, z) }
      }),
  )
  return made
}

/** How the caller sees expressions: what they stand for, and whether an inner one is of no other use. */
export interface Matching {
  expand(e: Expr): Expr
  /** Whether a part of a compound, which has it so many times, is computed only for it. */
  isOwn(e: Expr, times: number): boolean
}

/** The compound that an expression is, and the values that it is computed from; null if it is none. */
export function compoundOf(e: Expr, matching: Matching): { compound: Compound; args: Expr[] } | null {
  if (e.type !== 'f32' && e.type !== 'f64') return null
  for (const compound of compounds()) {
    if (compound.type !== e.type) continue
    const args: Expr[] = []
    if (fits(compound.expr, e, 0, args, matching)) return { compound, args }
  }
  return null
}

// `times` is how often the expression around this one has it; 0 for the outermost one.
function fits(pattern: Expr, original: Expr, times: number, args: Expr[], matching: Matching): boolean {
  const e = matching.expand(original)
  if (pattern.kind === 'local') {
    if (args[pattern.id] !== undefined) return matching.expand(args[pattern.id]) === e
    args[pattern.id] = original
    return true
  }
  if (pattern.kind === 'const')
    return e.kind === 'const' && e.type === pattern.type && Object.is(e.value, pattern.value)
  if (pattern.kind !== e.kind || pattern.type !== e.type) return false
  if ('fn' in pattern && pattern.fn !== (e as { fn: string }).fn) return false
  if (times > 0 && !matching.isOwn(e, times)) return false
  const [parts, given] = [childrenOf(pattern), childrenOf(e)]
  const inOrder = (order: readonly Expr[]) => {
    const before = [...args]
    const timesOf = (part: Expr) => order.filter((x) => matching.expand(x) === matching.expand(part)).length
    if (parts.every((part, i) => fits(part, order[i], timesOf(order[i]), args, matching))) return true
    args.length = 0
    args.push(...before)
    return false
  }
  if (inOrder(given)) return true
  const commutes = e.kind === 'binary' && (e.fn === 'add' || e.fn === 'mul')
  return commutes && inOrder([given[1], given[0]])
}
