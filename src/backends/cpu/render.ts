// Renders a kernel to a WebAssembly module for one layout: loop nests, pointers, accumulators. Expressions: emit.ts.

import { childrenOf, constant, type Expr } from '../../kernels/expr.ts'
import {
  type Accumulator,
  identityOf,
  type Kernel,
  type Reduction,
  type Stage,
  type Store,
} from '../../kernels/kernel.ts'
import { encodeModule, FunctionBuilder, type ImportedFunction } from './assembler.ts'
import { ExpressionEmitter, type Mode, type Scope } from './emit.ts'
import { type Layout, type ParameterBlock, parameterBlock } from './layout.ts'
import { expand, storedValue } from './vectorize.ts'

/** The module's bytes and the host functions that it imports. Its export `run(params, start, end)` covers that part of the outermost dimension. */
export interface Rendered {
  readonly bytes: Uint8Array<ArrayBuffer>
  readonly imports: readonly ImportedFunction[]
}

export function render(
  kernel: Kernel,
  layout: Layout,
  memory: { readonly shared: boolean; readonly maximumPages: number },
): Rendered {
  const imports: ImportedFunction[] = []
  const body = renderFunction(kernel, layout, imports)
  return { bytes: encodeModule(imports, [{ name: 'run', body }], memory), imports }
}

/**
 * The function `run(params, start, end)` alone, for a module with more functions.
 * @param imports the module's host functions; those that are called here are added
 * @param known launch parameters that are the same at every launch, by their place in the block
 */
export function renderFunction(
  kernel: Kernel,
  layout: Layout,
  imports: ImportedFunction[],
  known: ReadonlyMap<number, number> | null = null,
): FunctionBuilder {
  const renderer = new Renderer(kernel, layout, imports, known)
  renderer.renderOuter(0)
  return renderer.fn
}

const PARAMS = 0
const START = 1
const END = 2

// float32 sums are accumulated in float64: a vector of four is then two of two.
const isWide = (a: Accumulator): boolean => a.reduction === 'sum' && a.type === 'f32'

interface AccumulatorLocals {
  readonly scalar: number
  readonly vector: number
  readonly vectorHigh: number
}

class Renderer {
  readonly fn = new FunctionBuilder(['i32', 'i32', 'i32'])
  readonly emitter: ExpressionEmitter
  private readonly block: ParameterBlock
  private readonly used: number[]
  private readonly usedInLoop: number[]

  constructor(
    private readonly kernel: Kernel,
    private readonly layout: Layout,
    imports: ImportedFunction[],
    known: ReadonlyMap<number, number> | null,
  ) {
    this.block = parameterBlock(kernel, layout)
    this.emitter = new ExpressionEmitter(kernel, layout, this.fn, this.block, PARAMS, imports, known)
    this.used = kernel.operands.map((_, i) => i)
    this.usedInLoop = this.used.filter((o) => this.operandInLoop(o))
    for (const o of this.used) this.emitter.pointers[o] = this.emitter.parameter('i32', this.block.pointer(o))
  }

  private operandInLoop(operand: number): boolean {
    const inExpr = (e: Expr, seen = new Set<Expr>()): boolean => {
      const x = expand(e, this.kernel)
      if (seen.has(x)) return false
      seen.add(x)
      if (x.kind === 'load') {
        if (x.level === 'loop' && x.operand === operand) return true
      }
      return childrenOf(x).some((c) => inExpr(c, seen))
    }
    return this.kernel.stages.some(
      (s) =>
        s.kind === 'loop' &&
        (s.accumulators.some((a) => inExpr(a.value)) ||
          s.stores.some((t) => t.operand === operand || inExpr(t.value) || t.at.some((x) => inExpr(x)))),
    )
  }

  private stride(operand: number, dim: number): number {
    return this.emitter.parameter('i32', this.block.stride(operand, dim))
  }

  /** `local += value of another local`, or a constant. */
  private advance(local: number, by: { local: number } | { bytes: number }): void {
    if ('bytes' in by && by.bytes === 0) return
    this.fn.get(local)
    if ('local' in by) this.fn.get(by.local)
    else this.fn.i32(by.bytes)
    this.fn.op('i32.add')
    this.fn.set(local)
  }

  private while(counter: number, end: () => void, step: number, body: () => void): void {
    const { fn } = this
    fn.while(
      () => {
        fn.get(counter)
        if (step > 1) {
          fn.i32(step)
          fn.op('i32.add')
        }
        end()
        fn.op(step > 1 ? 'i32.le_s' : 'i32.lt_s')
      },
      () => {
        body()
        this.advance(counter, { bytes: step })
      },
    )
  }

  /** The loop over outer dimension `dim` and, inside it, the rest. */
  renderOuter(dim: number): void {
    const { fn, layout, emitter } = this
    const innermost = dim === layout.outerRank - 1
    const outside = [...emitter.pointers]
    const counter = fn.local('i32')
    emitter.outerIndex[dim] = counter
    for (const o of this.used) {
      const p = fn.local('i32')
      fn.get(outside[o])
      if (dim === 0) {
        fn.get(START)
        fn.get(this.stride(o, 0))
        fn.op('i32.mul')
        fn.op('i32.add')
      }
      fn.set(p)
      emitter.pointers[o] = p
    }
    if (dim === 0) fn.get(START)
    else fn.i32(0)
    fn.set(counter)
    const end =
      dim === 0 ? () => fn.get(END) : () => fn.get(emitter.parameter('i32', this.block.outerExtent(dim)))
    if (innermost && layout.vector === 'outer')
      this.while(counter, end, layout.lanes, () => {
        this.renderBody('vector')
        for (const o of this.used) this.advance(emitter.pointers[o], { bytes: this.vectorStep(o) })
      })
    this.while(counter, end, 1, () => {
      if (innermost) this.renderBody('scalar')
      else this.renderOuter(dim + 1)
      for (const o of this.used) this.advance(emitter.pointers[o], { local: this.stride(o, dim) })
    })
    emitter.pointers.splice(0, outside.length, ...outside)
  }

  private vectorStep(operand: number): number {
    return this.layout.steps[operand] === 1
      ? this.layout.lanes * this.kernel.operands[operand].dtype.itemsize
      : 0
  }

  private renderBody(mode: Mode): void {
    const { emitter } = this
    emitter.locals.clear()
    const scope = emitter.scope(mode, 'outer', this.outerRoots())
    for (const stage of this.kernel.stages) {
      if (stage.kind === 'let') emitter.define(stage.id, stage.value, scope)
      else if (stage.kind === 'store') this.renderStore(stage, scope)
      else this.renderLoopStage(stage, scope)
    }
  }

  private outerRoots(): Expr[] {
    const roots: Expr[] = []
    for (const stage of this.kernel.stages) {
      if (stage.kind === 'let') roots.push(stage.value)
      else if (stage.kind === 'store')
        roots.push(...stage.at, storedValue(stage.value, stage.operand, this.kernel))
    }
    return roots
  }

  private renderStore(store: Store, scope: Scope): void {
    const value =
      store.mode === 'add' ? addTo(store, this.kernel) : storedValue(store.value, store.operand, this.kernel)
    this.emitter.store(store.operand, store.at, value, scope)
  }

  private renderLoopStage(stage: Extract<Stage, { kind: 'loop' }>, outerScope: Scope): void {
    const { fn, layout, emitter } = this
    const vectorLoop = layout.vector === 'inner'
    const mode = outerScope.mode
    const accumulators = stage.accumulators.map((a) => this.initialise(a, mode, vectorLoop, outerScope))
    const roots = [
      ...stage.accumulators.map((a) => a.value),
      ...stage.stores.flatMap((s) => [...s.at, storedValue(s.value, s.operand, this.kernel)]),
    ]
    // What does not change in the loop is computed before it.
    const own = new Set(stage.accumulators.filter((a) => a.reduction === null).map((a) => a.id))
    emitter.hoist(roots, outerScope, own)
    const splats = vectorLoop ? emitter.broadcastHoisted(roots, outerScope, own) : null

    const outside = [...emitter.pointers]
    const nest = (dim: number): void => {
      const before = [...emitter.pointers]
      const innermost = dim === layout.loopRank - 1
      const counter = fn.local('i32')
      emitter.loopIndex[dim] = counter
      for (const o of this.usedInLoop) {
        const p = fn.local('i32')
        fn.get(before[o])
        fn.set(p)
        emitter.pointers[o] = p
      }
      fn.i32(0)
      fn.set(counter)
      const extent = emitter.parameter('i32', this.block.loopExtent(dim))
      const end = () => fn.get(extent)
      if (innermost && vectorLoop)
        this.while(counter, end, layout.lanes, () => {
          this.renderStep(stage, accumulators, emitter.loopScope('vector', outerScope, roots, splats))
          for (const o of this.usedInLoop) this.advance(emitter.pointers[o], { bytes: this.vectorStep(o) })
        })
      this.while(counter, end, 1, () => {
        if (innermost) this.renderStep(stage, accumulators, emitter.loopScope(mode, outerScope, roots, null))
        else nest(dim + 1)
        for (const o of this.usedInLoop)
          this.advance(emitter.pointers[o], { local: this.stride(o, layout.outerRank + dim) })
      })
      emitter.pointers.splice(0, before.length, ...before)
    }
    nest(0)
    emitter.pointers.splice(0, outside.length, ...outside)
    stage.accumulators.forEach((a, i) => {
      this.finish(a, accumulators[i], mode, vectorLoop)
    })
  }

  private initialise(a: Accumulator, mode: Mode, vectorLoop: boolean, outerScope: Scope): AccumulatorLocals {
    const { fn, emitter } = this
    const wide = isWide(a)
    const identity = a.reduction === null ? a.init! : identityOf(a.reduction, a.type)
    const locals: { scalar: number; vector: number; vectorHigh: number } = {
      scalar: -1,
      vector: -1,
      vectorHigh: -1,
    }
    if (mode === 'scalar') {
      locals.scalar = fn.local(wide ? 'f64' : emitter.wasmType(a.type))
      if (wide) fn.f64(0)
      else emitter.emit(identity, outerScope)
      fn.set(locals.scalar)
    }
    if (mode === 'vector' || vectorLoop) {
      locals.vector = fn.local('v128')
      const value = mode === 'vector' && a.reduction === null ? identity : null
      if (value !== null) emitter.emit(value, outerScope)
      else emitter.splatConstant(wide ? constant(0, 'f64') : identity)
      fn.set(locals.vector)
      if (wide) {
        locals.vectorHigh = fn.local('v128')
        emitter.splatConstant(constant(0, 'f64'))
        fn.set(locals.vectorHigh)
      }
    }
    if (a.reduction === null) emitter.locals.set(a.id, mode === 'scalar' ? locals.scalar : locals.vector)
    return locals
  }

  private renderStep(
    stage: Extract<Stage, { kind: 'loop' }>,
    accumulators: readonly AccumulatorLocals[],
    scope: Scope,
  ): void {
    const { fn, emitter } = this
    const next: { local: number; value: number }[] = []
    stage.accumulators.forEach((a, i) => {
      const locals = accumulators[i]
      if (a.reduction !== null) this.combine(a, a.reduction, locals, scope)
      else {
        const value = fn.local(scope.mode === 'vector' ? 'v128' : emitter.wasmType(a.type))
        emitter.emit(a.value, scope)
        fn.set(value)
        next.push({ local: scope.mode === 'vector' ? locals.vector : locals.scalar, value })
      }
    })
    for (const { local, value } of next) {
      fn.get(value)
      fn.set(local)
    }
    if (stage.stores.length === 0) return
    // Stores see the new values of what is folded, so nothing computed from the old ones is reused.
    const after = next.length === 0 ? scope : emitter.fresh(scope)
    for (const store of stage.stores) this.renderStore(store, after)
  }

  private combine(a: Accumulator, reduction: Reduction, locals: AccumulatorLocals, scope: Scope): void {
    const { fn, emitter } = this
    if (scope.mode === 'scalar') {
      fn.get(locals.scalar)
      emitter.emit(a.value, scope)
      if (isWide(a)) {
        fn.op('f64.promote_f32')
        fn.op('f64.add')
      } else emitter.combineScalar(reduction, a.type)
      fn.set(locals.scalar)
      return
    }
    if (!isWide(a)) {
      fn.get(locals.vector)
      emitter.emit(a.value, scope)
      emitter.combineVector(reduction, a.type)
      fn.set(locals.vector)
      return
    }
    const value = fn.local('v128')
    emitter.emit(a.value, scope)
    fn.tee(value)
    fn.op('f64x2.promote_low_f32x4')
    fn.get(locals.vector)
    fn.op('f64x2.add')
    fn.set(locals.vector)
    fn.get(value)
    fn.get(value)
    fn.shuffle(highHalf)
    fn.op('f64x2.promote_low_f32x4')
    fn.get(locals.vectorHigh)
    fn.op('f64x2.add')
    fn.set(locals.vectorHigh)
  }

  /** After the loop: partial results of the lanes come together, and the accumulator's name stands for the total. */
  private finish(a: Accumulator, locals: AccumulatorLocals, mode: Mode, vectorLoop: boolean): void {
    const { fn, emitter } = this
    if (a.reduction === null) return
    if (vectorLoop) {
      const lanes = this.layout.lanes
      if (isWide(a)) {
        fn.get(locals.vector)
        fn.get(locals.vectorHigh)
        fn.op('f64x2.add')
        fn.set(locals.vector)
        for (const lane of [0, 1]) {
          fn.get(locals.scalar)
          fn.get(locals.vector)
          fn.lane('f64x2.extract_lane', lane)
          fn.op('f64.add')
          fn.set(locals.scalar)
        }
      } else
        for (let lane = 0; lane < lanes; lane++) {
          fn.get(locals.scalar)
          fn.get(locals.vector)
          emitter.extractLane(a.type, lane)
          emitter.combineScalar(a.reduction, a.type)
          fn.set(locals.scalar)
        }
    }
    let result = mode === 'scalar' ? locals.scalar : locals.vector
    if (isWide(a)) {
      result = fn.local(mode === 'scalar' ? 'f32' : 'v128')
      if (mode === 'scalar') {
        fn.get(locals.scalar)
        fn.op('f32.demote_f64')
      } else {
        for (const half of [locals.vector, locals.vectorHigh]) {
          fn.get(half)
          fn.op('f32x4.demote_f64x2_zero')
        }
        fn.shuffle(lowHalves)
      }
      fn.set(result)
    }
    emitter.locals.set(a.id, result)
  }
}

const highHalf = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]
const lowHalves = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]

const additions = new WeakMap<Store, Expr>()

// A store that adds is a load, an addition and a store: one thread runs such kernels.
function addTo(store: Store, kernel: Kernel): Expr {
  let result = additions.get(store)
  if (result === undefined) {
    const old: Expr = {
      kind: 'load',
      type: store.value.type,
      operand: store.operand,
      level: store.level,
      at: store.at,
      where: null,
    }
    const type = store.value.type
    const sum: Expr =
      type === 'bool'
        ? { kind: 'binary', type, fn: 'or', a: old, b: store.value }
        : { kind: 'binary', type, fn: 'add', a: old, b: store.value }
    result = storedValue(sum, store.operand, kernel)
    additions.set(store, result)
  }
  return result
}
