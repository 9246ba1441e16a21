// Fusion: pointwise launches that follow each other over the same positions become one kernel, and what only the next one
// reads is never stored. On devices that allow it, they may follow a product or a reduction in its kernel, too. Every position is computed by the same operations as before, so the values stay the same.

import type { Allocation } from '../backends/backend.ts'
import { contiguousStrides, numelOf, sameSizes } from '../core/shape.ts'
import { childrenOf, type Expr } from '../kernels/expr.ts'
import type { Access, Kernel, Operand, Stage } from '../kernels/kernel.ts'
import type { LaunchStep, Step } from './recording.ts'

/** Kernels with more operands than this need too many registers. */
const mostOperands = 10

/** Dtypes whose values are the same after they were stored and loaded. */
const exact: ReadonlySet<string> = new Set(['bool', 'int32', 'int64', 'float32', 'float64'])

/** The steps with neighbouring pointwise launches put together. `isPrivate`: nothing but launches sees this memory. */
export function fuse(steps: readonly Step[], isPrivate: (allocation: Allocation) => boolean): Step[] {
  const users = countUsers(steps)
  const result: Step[] = []
  for (const step of steps) {
    const last = result[result.length - 1]
    const fused =
      step.kind === 'launch' &&
      last?.kind === 'launch' &&
      isPointwise(step) &&
      (isPointwise(last) || mayBeFollowed(last))
        ? fusePair(last, step, (allocation) => isPrivate(allocation) && users.get(allocation) === 2)
        : null
    if (fused === null) {
      result.push(step)
      continue
    }
    // What both used is used by one launch now.
    for (const allocation of storagesOf(last as LaunchStep))
      if (storagesOf(step as LaunchStep).has(allocation))
        users.set(allocation, (users.get(allocation) ?? 1) - 1)
    result[result.length - 1] = fused
  }
  return result
}

function storagesOf({ operands }: LaunchStep): Set<Allocation> {
  return new Set(operands.map(({ storage }) => storage as Allocation))
}

function countUsers(steps: readonly Step[]): Map<Allocation, number> {
  const users = new Map<Allocation, number>()
  const use = (allocation: Allocation) => users.set(allocation, (users.get(allocation) ?? 0) + 1)
  for (const step of steps) {
    if (step.kind === 'launch') for (const allocation of storagesOf(step)) use(allocation)
    else if (step.kind === 'host') for (const allocation of step.touched) use(allocation)
    else if (step.kind === 'constant') use(step.allocation)
  }
  return users
}

function isPointwise({ kernel, loop, operands, generated, update }: LaunchStep): boolean {
  return (
    generated &&
    update === null &&
    loop.length === 0 &&
    kernel.parallel &&
    !kernel.usesOuterIndex &&
    kernel.operands.every(({ dtype }) => exact.has(dtype.name)) &&
    operands.every(({ atStrides }) => atStrides === undefined || atStrides.length === 0) &&
    kernel.stages.every(
      (s) => s.kind === 'let' || (s.kind === 'store' && s.mode === 'set' && s.at.length === 0),
    ) &&
    kernel.stages.every((s) => s.kind === 'loop' || loadsArePlain(s.value))
  )
}

// Whether pointwise work may go on in a launch's kernel: it stores its results once its loops are done.
function mayBeFollowed({ backend, kernel, operands, generated, update }: LaunchStep): boolean {
  return (
    backend.fusion?.afterLoops === true &&
    generated &&
    update === null &&
    kernel.parallel &&
    !kernel.usesOuterIndex &&
    !kernel.usesLoopIndex &&
    kernel.operands.every(({ dtype }) => exact.has(dtype.name)) &&
    operands.every(({ atStrides }) => atStrides === undefined || atStrides.length === 0) &&
    kernel.stages.every((s) =>
      s.kind === 'loop'
        ? s.stores.length === 0 && s.accumulators.every((a) => a.init === null && loadsArePlain(a.value))
        : loadsArePlain(s.value) && (s.kind === 'let' || (s.mode === 'set' && s.at.length === 0)),
    )
  )
}

function loadsArePlain(e: Expr, seen: Set<Expr> = new Set()): boolean {
  if (seen.has(e)) return true
  seen.add(e)
  if (e.kind === 'load' && (e.at.length > 0 || e.where !== null)) return false
  return childrenOf(e).every((child) => loadsArePlain(child, seen))
}

// The operands of a launch over the positions of another one of as many, which may have a loop of its own; null where they
// do not correspond.
function spread(
  step: LaunchStep,
  outer: readonly number[],
  loop: readonly number[],
): readonly Access[] | null {
  const more = step.loop.length === loop.length ? [] : loop.map(() => 0)
  const accesses = spreadOuter(step, outer)
  // Along a single position no stride counts: without them, equal accesses look equal.
  return (
    accesses?.map((o) => ({
      ...o,
      strides: [...o.strides.map((s, d) => (outer[d] === 1 ? 0 : s)), ...more],
    })) ?? null
  )
}

function spreadOuter(step: LaunchStep, outer: readonly number[]): readonly Access[] | null {
  if (sameSizes(step.outer, outer)) return step.operands
  if (step.outer.length !== 1 || numelOf(outer) !== step.outer[0]) return null
  const steps = contiguousStrides(outer)
  return step.operands.map((o) => ({ ...o, strides: steps.map((s) => s * o.strides[0]) }))
}

function sameAccess(a: Access, b: Access, a0: Operand, b0: Operand): boolean {
  return (
    a.storage === b.storage &&
    a.offset === b.offset &&
    a0.dtype === b0.dtype &&
    sameSizes(a.strides, b.strides)
  )
}

/** One launch that does what two do, or null where that could change a value or would not pay. */
function fusePair(
  a: LaunchStep,
  b: LaunchStep,
  endsHere: (allocation: Allocation) => boolean,
): LaunchStep | null {
  const hasLoop = a.loop.length > 0
  const outer = hasLoop || a.outer.length >= b.outer.length ? a.outer : b.outer
  const aAccess = spread(a, outer, a.loop)
  const bAccess = spread(b, outer, a.loop)
  if (a.backend !== b.backend || aAccess === null || bAccess === null) return null
  // In lanes of one width, or not in lanes at all.
  const width = (k: Kernel) => k.operands.filter((o) => o.dtype.name !== 'bool').map((o) => o.dtype.itemsize)
  if (new Set([...width(a.kernel), ...width(b.kernel)]).size > 1) return null
  // Small elements share words, which tiled products do not write.
  if (hasLoop && b.kernel.operands.some((o) => o.access !== 'read' && o.dtype.itemsize < 4)) return null
  let connected = false
  for (let i = 0; i < aAccess.length; i++)
    for (let j = 0; j < bAccess.length; j++) {
      if (aAccess[i].storage !== bAccess[j].storage) continue
      const [x, y] = [a.kernel.operands[i], b.kernel.operands[j]]
      const same = sameAccess(aAccess[i], bAccess[j], x, y)
      // Elsewhere in memory that the other one changes: the order of positions would matter.
      if (!same && (x.access !== 'read' || y.access !== 'read')) return null
      if (same && x.access !== 'read' && y.access !== 'write') connected = true
    }
  if (!connected) return null
  const builder = new Fusion(outer)
  builder.add(a, aAccess)
  builder.add(b, bAccess)
  if (builder.operands.length > (a.backend.fusion?.mostOperands ?? mostOperands)) return null
  return builder.finish(a, b, endsHere)
}

class Fusion {
  readonly operands: Operand[] = []
  private readonly accesses: Access[] = []
  private readonly stages: Stage[] = []
  private readonly scalarTypes: Kernel['scalars'][number][] = []
  private readonly scalars: LaunchStep['scalars'][number][] = []
  /** Per operand, the value stored last. */
  private readonly stored = new Map<number, Expr>()
  private nextId = 0

  constructor(private readonly outer: readonly number[]) {}

  add({ kernel, scalars }: LaunchStep, accesses: readonly Access[]): void {
    const numbers = kernel.operands.map((operand, o) => this.operandFor(operand, accesses[o]))
    const firstScalar = this.scalars.length
    this.scalars.push(...scalars)
    this.scalarTypes.push(...kernel.scalars)
    const ids = new Map<number, number>()
    // A launch sees what the one before stored, but of its own stores only what its own loads would.
    const before = new Map(this.stored)
    const rewritten = new Map<Expr, Expr>()
    const rewrite = (e: Expr): Expr => {
      const known = rewritten.get(e)
      if (known !== undefined) return known
      const result = this.rewriteOne(e, rewrite, numbers, firstScalar, ids, before)
      rewritten.set(e, result)
      return result
    }
    for (const stage of kernel.stages) {
      if (stage.kind === 'let') {
        const value = rewrite(stage.value)
        ids.set(stage.id, this.nextId)
        this.stages.push({ kind: 'let', id: this.nextId++, value })
      } else if (stage.kind === 'store') {
        const id = this.nextId++
        const value: Expr = { kind: 'local', type: stage.value.type, id }
        this.stages.push({ kind: 'let', id, value: rewrite(stage.value) })
        this.stages.push({ ...stage, operand: numbers[stage.operand], value })
        this.stored.set(numbers[stage.operand], value)
      } else {
        // Named first: what is carried from step to step is used by its own next value.
        const named = stage.accumulators.map(({ id }) => [id, this.nextId++] as const)
        for (const [old, id] of named) ids.set(old, id)
        const accumulators = stage.accumulators.map((accumulator, i) => ({
          ...accumulator,
          id: named[i][1],
          value: rewrite(accumulator.value),
        }))
        this.stages.push({ ...stage, accumulators })
      }
    }
  }

  private operandFor(operand: Operand, access: Access): number {
    const known = this.accesses.findIndex((other, o) => sameAccess(other, access, this.operands[o], operand))
    if (known < 0) {
      this.accesses.push(access)
      return this.operands.push(operand) - 1
    }
    if (this.operands[known].access !== operand.access)
      this.operands[known] = { dtype: operand.dtype, access: 'readwrite' }
    return known
  }

  private rewriteOne(
    e: Expr,
    rewrite: (e: Expr) => Expr,
    numbers: readonly number[],
    firstScalar: number,
    ids: ReadonlyMap<number, number>,
    before: ReadonlyMap<number, Expr>,
  ): Expr {
    switch (e.kind) {
      case 'load':
        return before.get(numbers[e.operand]) ?? { ...e, operand: numbers[e.operand] }
      case 'scalar':
        return { ...e, slot: firstScalar + e.slot }
      case 'local':
        return { ...e, id: ids.get(e.id)! }
      case 'unary':
      case 'cast':
      case 'bitcast':
        return { ...e, a: rewrite(e.a) }
      case 'binary':
      case 'compare':
        return { ...e, a: rewrite(e.a), b: rewrite(e.b) }
      case 'select':
        return { ...e, cond: rewrite(e.cond), a: rewrite(e.a), b: rewrite(e.b) }
      case 'math':
        return { ...e, args: e.args.map(rewrite) }
      case 'const':
      case 'index':
        return e
      default:
        return e satisfies never
    }
  }

  finish(a: LaunchStep, b: LaunchStep, endsHere: (allocation: Allocation) => boolean): LaunchStep {
    const inA = storagesOf(a)
    const inB = storagesOf(b)
    const read = new Set<number>()
    const visit = (e: Expr, seen: Set<Expr>): void => {
      if (seen.has(e)) return
      seen.add(e)
      if (e.kind === 'load') read.add(e.operand)
      for (const child of childrenOf(e)) visit(child, seen)
    }
    const seen = new Set<Expr>()
    for (const stage of this.stages)
      if (stage.kind === 'loop') for (const { value } of stage.accumulators) visit(value, seen)
      else visit(stage.value, seen)
    // Written by one, read by the other, and by nobody else: it need not exist.
    const dropped = this.accesses.map(({ storage }, o) => {
      const allocation = storage as Allocation
      return !read.has(o) && inA.has(allocation) && inB.has(allocation) && endsHere(allocation)
    })
    const places: number[] = []
    let kept = 0
    for (let o = 0; o < dropped.length; o++) places.push(dropped[o] ? -1 : kept++)
    const renumbered = new Map<Expr, Expr>()
    const renumber = (e: Expr): Expr => {
      let result = renumbered.get(e)
      if (result === undefined) {
        result = this.rewriteOne(e, renumber, places, 0, identity, nothingStored)
        renumbered.set(e, result)
      }
      return result
    }
    const stages = this.stages.flatMap((stage): Stage[] => {
      if (stage.kind === 'let') return [{ ...stage, value: renumber(stage.value) }]
      if (stage.kind === 'store')
        return dropped[stage.operand]
          ? []
          : [{ ...stage, operand: places[stage.operand], value: renumber(stage.value) }]
      return [{ ...stage, accumulators: stage.accumulators.map((a) => ({ ...a, value: renumber(a.value) })) }]
    })
    const kernel: Kernel = {
      name: `${a.kernel.name}+${b.kernel.name}`,
      operands: this.operands.filter((_, o) => !dropped[o]),
      scalars: this.scalarTypes,
      stages,
      usesOuterIndex: false,
      usesLoopIndex: false,
      complex: false,
      parallel: true,
      compiled: new Map(),
    }
    const operands = this.accesses.filter((_, o) => !dropped[o])
    return { ...a, kernel, outer: this.outer, operands, scalars: this.scalars }
  }
}

const identity: ReadonlyMap<number, number> = { get: (id: number) => id } as ReadonlyMap<number, number>
const nothingStored: ReadonlyMap<number, Expr> = new Map()
