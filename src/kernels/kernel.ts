// Kernels: loops around scalar expressions. An outer space of independent positions; at each, a list of stages.
// Pointwise ops, reductions, scans, gathers, scatters and products are all of this one shape.

import { type DType, realOf } from '../core/dtype.ts'
import {
  castComplex,
  complexOf,
  imaginaryPart,
  isComplex,
  isComplexType,
  partType,
  realPart,
} from './complex.ts'
import { constant, type Expr, isFloat, type Level, mul, type ValueType, valueTypeOf } from './expr.ts'

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
  /** Whether launches give complex operands or scalars, each as one, of what are two real ones here. */
  readonly complex: boolean
  /** False where stores may meet. */
  readonly parallel: boolean
  /** What backends have compiled it to; each uses a key of its own. */
  readonly compiled: Map<string | number, unknown>
}

/**
 * Collects a kernel. Operands are numbered in the order in which they are declared. A complex operand becomes two real
 * ones, and what is done with its elements is done with their parts; launches give it as one (`Access.complex`).
 */
export class KernelBuilder {
  private readonly operands: Operand[] = []
  /** The dtypes of complex operands, by the number of the real part. */
  private readonly complex = new Map<number, DType>()
  private complexScalars = false
  private readonly scalars: ValueType[] = []
  private readonly stages: Stage[] = []
  private nextId = 0
  private usesOuterIndex = false
  private usesLoopIndex = false
  private parallel = true

  constructor(private readonly name: string) {}

  input(dtype: DType): number {
    return this.operand(dtype, 'read')
  }

  output(dtype: DType, access: 'write' | 'readwrite' = 'write'): number {
    return this.operand(dtype, access)
  }

  private operand(dtype: DType, access: Operand['access']): number {
    if (dtype.kind !== 'complex') return this.operands.push({ dtype, access }) - 1
    const part = { dtype: realOf(dtype), access }
    const number = this.operands.push(part, part) - 2
    this.complex.set(number, dtype)
    return number
  }

  private typeOf(operand: number): ValueType {
    return valueTypeOf(this.complex.get(operand) ?? this.operands[operand].dtype)
  }

  /** A number that each launch gives. */
  scalar(type: ValueType): Expr {
    if (isComplexType(type)) {
      this.complexScalars = true
      return complexOf(this.scalar(partType(type)), this.scalar(partType(type)))
    }
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
    const load = (number: number): Expr => ({
      kind: 'load',
      type: valueTypeOf(this.operands[number].dtype),
      operand: number,
      level,
      at: options.at ?? [],
      where: options.where ?? null,
    })
    return this.complex.has(operand) ? complexOf(load(operand), load(operand + 1)) : load(operand)
  }

  /** Names a value, computed once per outer position. */
  let(value: Expr): Expr {
    if (isComplex(value)) return complexOf(this.let(realPart(value)), this.let(imaginaryPart(value)))
    const id = this.nextId++
    this.stages.push({ kind: 'let', id, value })
    return { kind: 'local', type: value.type, id }
  }

  write(operand: number, value: Expr, options: { at?: readonly Expr[]; mode?: 'set' | 'add' } = {}): void {
    this.stages.push(...this.store(operand, 'outer', value, options))
  }

  private store(
    operand: number,
    level: Level,
    value: Expr,
    options: { at?: readonly Expr[]; mode?: 'set' | 'add' },
  ): Store[] {
    const type = this.typeOf(operand)
    if (value.type !== type)
      throw new Error(`kernel ${this.name}: stores ${value.type} to an operand of ${type}`)
    if (options.at !== undefined) this.parallel = false
    const one = (number: number, part: Expr): Store => ({
      kind: 'store',
      operand: number,
      level,
      value: part,
      at: options.at ?? [],
      mode: options.mode ?? 'set',
    })
    return isComplex(value)
      ? [one(operand, realPart(value)), one(operand + 1, imaginaryPart(value))]
      : [one(operand, value)]
  }

  /** One pass over the loop space; returns what `define` returns, for use after the loop. */
  loop<T>(define: (loop: LoopBuilder) => T): T {
    const accumulators: Accumulator[] = []
    const stores: Store[] = []
    const reduce = (reduction: Reduction, value: Expr): Expr => {
      const id = this.nextId++
      accumulators.push({ id, type: value.type, reduction, init: null, value })
      return { kind: 'local', type: value.type, id }
    }
    const fold = (inits: readonly Expr[], step: (previous: readonly Expr[]) => readonly Expr[]): Expr[] => {
      const locals = inits.map((init): Expr => ({ kind: 'local', type: init.type, id: this.nextId++ }))
      const next = step(locals)
      for (let i = 0; i < inits.length; i++) {
        const { id } = locals[i] as { id: number }
        accumulators.push({ id, type: inits[i].type, reduction: null, init: inits[i], value: next[i] })
      }
      return locals
    }
    const result = define({
      index: (dim) => {
        this.usesLoopIndex = true
        return { kind: 'index', type: 'i32', level: 'loop', dim }
      },
      read: (operand, options = {}) => this.load(operand, 'loop', options),
      reduce: (reduction, value) =>
        isComplex(value) ? reducePair(reduction, value, reduce, fold) : reduce(reduction, value),
      fold: (inits, step) => (inits.some(isComplex) ? foldPairs(inits, step, fold) : fold(inits, step)),
      write: (operand, value, options = {}) => {
        stores.push(...this.store(operand, 'loop', value, options))
      },
    })
    this.stages.push({ kind: 'loop', accumulators, stores })
    return result
  }

  build(): Kernel {
    return {
      // Devices look for their own forms of a kernel by its name: those are of real numbers.
      name: this.complex.size > 0 ? `complex ${this.name}` : this.name,
      operands: this.operands,
      scalars: this.scalars,
      stages: this.stages,
      usesOuterIndex: this.usesOuterIndex,
      usesLoopIndex: this.usesLoopIndex,
      complex: this.complex.size > 0 || this.complexScalars,
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

type Fold = (inits: readonly Expr[], step: (previous: readonly Expr[]) => readonly Expr[]) => readonly Expr[]

function reducePair(
  reduction: Reduction,
  value: Expr,
  reduce: (reduction: Reduction, value: Expr) => Expr,
  fold: Fold,
): Expr {
  if (reduction === 'sum')
    return complexOf(reduce('sum', realPart(value)), reduce('sum', imaginaryPart(value)))
  if (reduction !== 'prod') return reduce(reduction, castComplex(value, 'bool'))
  return foldPairs([constant(1, value.type)], ([previous]) => [mul(previous, value)], fold)[0]
}

// Carries the parts of complex values along.
function foldPairs(
  inits: readonly Expr[],
  step: (previous: readonly Expr[]) => readonly Expr[],
  fold: Fold,
): readonly Expr[] {
  const apart = (values: readonly Expr[]): Expr[] =>
    values.flatMap((e) => (isComplex(e) ? [realPart(e), imaginaryPart(e)] : [e]))
  const together = (parts: readonly Expr[]): Expr[] => {
    let at = 0
    return inits.map((init) => (isComplex(init) ? complexOf(parts[at++], parts[at++]) : parts[at++]))
  }
  return together(fold(apart(inits), (previous) => apart(step(together(previous)))))
}

/** The value that leaves a reduction unchanged. */
export function identityOf(reduction: Reduction, type: ValueType): Expr {
  const float = isFloat(type)
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
  /** Elements are complex numbers: offset and strides count pairs of real ones, and the kernel has two operands. */
  readonly complex?: boolean
}

/** A complex operand as the two real ones that a kernel knows: its real and its imaginary parts. */
export function partsOfAccess(access: Access): readonly Access[] {
  const twice = (strides: readonly number[]): number[] => strides.map((s) => 2 * s)
  const part = (which: number): Access => ({
    storage: access.storage,
    offset: 2 * access.offset + which,
    strides: twice(access.strides),
    ...(access.atStrides === undefined ? {} : { atStrides: twice(access.atStrides) }),
  })
  return [part(0), part(1)]
}

export interface Launch {
  readonly outer: readonly number[]
  readonly loop: readonly number[]
  readonly operands: readonly Access[]
  readonly scalars: readonly (number | bigint | boolean)[]
}
