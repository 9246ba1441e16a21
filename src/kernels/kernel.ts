// Kernels: loops around scalar expressions. An outer space of independent positions; at each, a list of stages.
// Pointwise ops, reductions, scans, gathers, scatters and products are all of this one shape.

import type { DType } from '../core/dtype.ts'
import { constant, type Expr, type Level, type ValueType, valueTypeOf } from './expr.ts'

/** How the values of a reduction are combined. Renderers may do it in any order, with as many partial results. */
export type Reduction = 'sum' | 'prod' | 'max' | 'min' | 'any' | 'all'

export interface Accumulator {
  readonly id: number
  readonly type: ValueType
  /** With a reduction, `value` is combined into it; without, `value` is the next value and `init` the first. */
  readonly reduction: Reduction | null
  readonly init: Expr | null
  value: Expr
}

export interface Store {
  readonly kind: 'store'
  readonly operand: number
  readonly level: Level
  readonly value: Expr
  /** Further coordinates (a scatter). Scatters may meet, so such kernels never run in parallel. */
  readonly at: readonly Expr[]
  readonly mode: 'set' | 'add'
}

export type Stage =
  | Store
  | { readonly kind: 'let'; readonly id: number; readonly value: Expr }
  /** Runs over the loop space: all `value`s are computed from the old accumulators, then the stores see the new ones. */
  | {
      readonly kind: 'loop'
      readonly accumulators: readonly Accumulator[]
      readonly stores: readonly Store[]
    }

export interface Operand {
  readonly dtype: DType
  readonly access: 'read' | 'write' | 'readwrite'
}

export interface Kernel {
  readonly name: string
  readonly operands: readonly Operand[]
  /** Numbers given at each launch. */
  readonly scalars: readonly ValueType[]
  readonly stages: readonly Stage[]
  /** Whether coordinates of the outer or loop space are used as values; then that space keeps its dimensions. */
  readonly usesOuterIndex: boolean
  readonly usesLoopIndex: boolean
  /** False where stores may meet. */
  readonly parallel: boolean
  /** What backends have compiled it to; each uses a key of its own. */
  readonly compiled: Map<string | number, unknown>
}

/** Collects a kernel. Operands are numbered in the order in which they are declared. */
export class KernelBuilder {
  private readonly operands: Operand[] = []
  private readonly scalars: ValueType[] = []
  private readonly stages: Stage[] = []
  private nextId = 0
  private usesOuterIndex = false
  private usesLoopIndex = false
  private parallel = true

  constructor(private readonly name: string) {}

  input(dtype: DType): number {
    return this.operands.push({ dtype, access: 'read' }) - 1
  }

  output(dtype: DType, access: 'write' | 'readwrite' = 'write'): number {
    return this.operands.push({ dtype, access }) - 1
  }

  /** A number that each launch gives. */
  scalar(type: ValueType): Expr {
    return { kind: 'scalar', type, slot: this.scalars.push(type) - 1 }
  }

  /** The coordinate along a dimension of the outer space. */
  index(dim: number): Expr {
    this.usesOuterIndex = true
    return { kind: 'index', type: 'i32', level: 'outer', dim }
  }

  /** An operand's element at this outer position. */
  read(operand: number, options: { at?: readonly Expr[]; where?: Expr } = {}): Expr {
    return this.load(operand, 'outer', options)
  }

  private load(operand: number, level: Level, options: { at?: readonly Expr[]; where?: Expr }): Expr {
    const type = valueTypeOf(this.operands[operand].dtype)
    return { kind: 'load', type, operand, level, at: options.at ?? [], where: options.where ?? null }
  }

  /** Names a value, computed once per outer position. */
  let(value: Expr): Expr {
    const id = this.nextId++
    this.stages.push({ kind: 'let', id, value })
    return { kind: 'local', type: value.type, id }
  }

  write(operand: number, value: Expr, options: { at?: readonly Expr[]; mode?: 'set' | 'add' } = {}): void {
    this.stages.push(this.store(operand, 'outer', value, options))
  }

  private store(
    operand: number,
    level: Level,
    value: Expr,
    options: { at?: readonly Expr[]; mode?: 'set' | 'add' },
  ): Store {
    const type = valueTypeOf(this.operands[operand].dtype)
    if (value.type !== type)
      throw new Error(`kernel ${this.name}: stores ${value.type} to an operand of ${type}`)
    if (options.at !== undefined) this.parallel = false
    return { kind: 'store', operand, level, value, at: options.at ?? [], mode: options.mode ?? 'set' }
  }

  /** One pass over the loop space; returns what `define` returns, for use after the loop. */
  loop<T>(define: (loop: LoopBuilder) => T): T {
    const accumulators: Accumulator[] = []
    const stores: Store[] = []
    const result = define({
      index: (dim) => {
        this.usesLoopIndex = true
        return { kind: 'index', type: 'i32', level: 'loop', dim }
      },
      read: (operand, options = {}) => this.load(operand, 'loop', options),
      reduce: (reduction, value) => {
        const id = this.nextId++
        accumulators.push({ id, type: value.type, reduction, init: null, value })
        return { kind: 'local', type: value.type, id }
      },
      fold: (inits, step) => {
        const locals = inits.map((init): Expr => ({ kind: 'local', type: init.type, id: this.nextId++ }))
        const next = step(locals)
        for (let i = 0; i < inits.length; i++) {
          const { id } = locals[i] as { id: number }
          accumulators.push({ id, type: inits[i].type, reduction: null, init: inits[i], value: next[i] })
        }
        return locals
      },
      write: (operand, value, options = {}) => {
        stores.push(this.store(operand, 'loop', value, options))
      },
    })
    this.stages.push({ kind: 'loop', accumulators, stores })
    return result
  }

  build(): Kernel {
    return {
      name: this.name,
      operands: this.operands,
      scalars: this.scalars,
      stages: this.stages,
      usesOuterIndex: this.usesOuterIndex,
      usesLoopIndex: this.usesLoopIndex,
      parallel: this.parallel,
      compiled: new Map(),
    }
  }
}

export interface LoopBuilder {
  /** The coordinate along a dimension of the loop space. */
  index(dim: number): Expr
  /** An operand's element at this position of the outer and the loop space. */
  read(operand: number, options?: { at?: readonly Expr[]; where?: Expr }): Expr
  /** Combines `value` over the loop space, in any order; the result may be used after the loop. */
  reduce(reduction: Reduction, value: Expr): Expr
  /** Carries values from step to step, in order. In a store of the same loop they are the new ones. */
  fold(inits: readonly Expr[], step: (previous: readonly Expr[]) => readonly Expr[]): readonly Expr[]
  write(operand: number, value: Expr, options?: { at?: readonly Expr[]; mode?: 'set' | 'add' }): void
}

/** The value that leaves a reduction unchanged. */
export function identityOf(reduction: Reduction, type: ValueType): Expr {
  const float = type === 'f32' || type === 'f64'
  switch (reduction) {
    case 'sum':
      return constant(0, type)
    case 'prod':
      return constant(1, type)
    case 'max':
      return constant(
        float ? -Infinity : type === 'i64' ? -(2n ** 63n) : type === 'bool' ? false : -(2 ** 31),
        type,
      )
    case 'min':
      return constant(
        float ? Infinity : type === 'i64' ? 2n ** 63n - 1n : type === 'bool' ? true : 2 ** 31 - 1,
        type,
      )
    case 'any':
      return constant(false, type)
    case 'all':
      return constant(true, type)
    default:
      reduction satisfies never
      throw new Error('unreachable')
  }
}

/** One operand of one launch: where it lies and how far each dimension steps, in elements. */
export interface Access {
  /** Bytes from the start of the device's memory (or buffer) to the element at position 0. */
  readonly storage: unknown
  readonly offset: number
  /** One stride per dimension of the outer space, then of the loop space; 0 where it does not move. */
  readonly strides: readonly number[]
  /** One stride for each `at` coordinate. */
  readonly atStrides?: readonly number[]
}

export interface Launch {
  readonly outer: readonly number[]
  readonly loop: readonly number[]
  readonly operands: readonly Access[]
  readonly scalars: readonly (number | bigint | boolean)[]
}
