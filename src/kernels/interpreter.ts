// The slow, plain meaning of a kernel: one element after the other, by walking its expressions. Renderers are tested against it.

import type { DType } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import type { Expr, ValueType } from './expr.ts'
import { hostMath } from './hostmath.ts'
import { identityOf, type Kernel, type Launch, type Reduction, type Store } from './kernel.ts'

type Value = number | bigint | boolean

/** Reads and writes single elements of an operand's memory, by element index. */
export interface ElementMemory {
  read(dtype: DType, index: number): Value
  write(dtype: DType, index: number, value: Value): void
}

const wrap32 = (x: number): number => x | 0
const wrap64 = (x: bigint): bigint => BigInt.asIntN(64, x)

function nearestEven(x: number): number {
  const floor = Math.floor(x)
  const difference = x - floor
  const up = difference > 0.5 || (difference === 0.5 && floor % 2 !== 0)
  const result = up ? floor + 1 : floor
  // What is rounded to zero keeps its sign.
  return result === 0 && (x < 0 || Object.is(x, -0)) ? -0 : result
}

function rounded(type: ValueType, value: number): number {
  return type === 'f32' ? Math.fround(value) : value
}

function compute(e: Extract<Expr, { kind: 'binary' }>, a: Value, b: Value): Value {
  if (e.type === 'bool') {
    const [x, y] = [a as boolean, b as boolean]
    return e.fn === 'and' ? x && y : e.fn === 'or' ? x || y : x !== y
  }
  if (e.type === 'i64') {
    const [x, y] = [a as bigint, b as bigint]
    switch (e.fn) {
      case 'add':
        return wrap64(x + y)
      case 'sub':
        return wrap64(x - y)
      case 'mul':
        return wrap64(x * y)
      case 'div':
        return y === 0n ? 0n : wrap64(x / y)
      case 'rem':
        return y === 0n ? 0n : x % y
      case 'min':
        return x < y ? x : y
      case 'max':
        return x > y ? x : y
      case 'and':
        return x & y
      case 'or':
        return x | y
      case 'xor':
        return x ^ y
      case 'shl':
        return wrap64(x << (y & 63n))
      case 'shr':
        return x >> (y & 63n)
      case 'shrUnsigned':
        return wrap64(BigInt.asUintN(64, x) >> (y & 63n))
    }
  }
  const [x, y] = [a as number, b as number]
  if (e.type === 'i32')
    switch (e.fn) {
      case 'add':
        return wrap32(x + y)
      case 'sub':
        return wrap32(x - y)
      case 'mul':
        return Math.imul(x, y)
      case 'div':
        return y === 0 ? 0 : wrap32(x / y)
      case 'rem':
        return y === 0 ? 0 : wrap32(x % y)
      case 'min':
        return Math.min(x, y)
      case 'max':
        return Math.max(x, y)
      case 'and':
        return x & y
      case 'or':
        return x | y
      case 'xor':
        return x ^ y
      case 'shl':
        return x << y
      case 'shr':
        return x >> y
      case 'shrUnsigned':
        return wrap32(x >>> y)
    }
  switch (e.fn) {
    case 'add':
      return rounded(e.type, x + y)
    case 'sub':
      return rounded(e.type, x - y)
    case 'mul':
      return rounded(e.type, x * y)
    case 'div':
      return rounded(e.type, x / y)
    case 'rem':
      return rounded(e.type, x % y)
    case 'min':
      return Math.min(x, y)
    case 'max':
      return Math.max(x, y)
    default:
      throw new RuntimeError(`kernel: ${e.fn} of floating numbers`)
  }
}

function convert(value: Value, to: ValueType): Value {
  switch (to) {
    case 'bool':
      return Boolean(value)
    case 'i64': {
      if (typeof value === 'bigint') return value
      const x = Number(value)
      if (Number.isNaN(x)) return 0n
      if (x >= 2 ** 63) return 2n ** 63n - 1n
      if (x <= -(2 ** 63)) return -(2n ** 63n)
      return BigInt(Math.trunc(x))
    }
    case 'i32': {
      if (typeof value === 'bigint') return Number(BigInt.asIntN(32, value))
      const x = Number(value)
      return Number.isNaN(x) ? 0 : Math.trunc(Math.min(Math.max(x, -(2 ** 31)), 2 ** 31 - 1)) + 0
    }
    default:
      return rounded(to, Number(value))
  }
}

const bits = new DataView(new ArrayBuffer(8))

function reinterpret(value: Value, to: ValueType): Value {
  switch (to) {
    case 'f32':
      bits.setInt32(0, value as number)
      return bits.getFloat32(0)
    case 'i32':
      bits.setFloat32(0, value as number)
      return bits.getInt32(0)
    case 'f64':
      bits.setBigInt64(0, value as bigint)
      return bits.getFloat64(0)
    default:
      bits.setFloat64(0, value as number)
      return bits.getBigInt64(0)
  }
}

function combine(reduction: Reduction, type: ValueType, a: Value, b: Value): Value {
  const fn = ({ sum: 'add', prod: 'mul', max: 'max', min: 'min', any: 'or', all: 'and' } as const)[reduction]
  // float32 sums are kept in float64, as the renderers do.
  if (reduction === 'sum' && type === 'f32') return (a as number) + (b as number)
  const operand: Expr = { kind: 'const', type, value: 0 }
  return compute({ kind: 'binary', type, fn, a: operand, b: operand }, a, b)
}

/** Runs a kernel over its whole space. `memories[i]` holds operand i. */
export function interpret(kernel: Kernel, launch: Launch, memories: readonly ElementMemory[]): void {
  const { outer, loop, operands, scalars } = launch
  const position: number[] = new Array(outer.length + loop.length).fill(0)
  const locals = new Map<number, Value>()

  const elementIndex = (operand: number, level: 'outer' | 'loop', at: readonly Expr[]): number => {
    const access = operands[operand]
    let index = access.offset
    const dims = level === 'outer' ? outer.length : position.length
    for (let d = 0; d < dims; d++) index += position[d] * access.strides[d]
    at.forEach((coordinate, i) => {
      index += Number(evaluate(coordinate)) * access.atStrides![i]
    })
    return index
  }

  const evaluate = (e: Expr): Value => {
    switch (e.kind) {
      case 'const':
        return e.type === 'f32' ? Math.fround(e.value as number) : e.value
      case 'scalar':
        return convert(scalars[e.slot], e.type)
      case 'index':
        return position[e.level === 'outer' ? e.dim : outer.length + e.dim]
      case 'load':
        if (e.where !== null && evaluate(e.where) === false) return convert(0, e.type)
        return memories[e.operand].read(
          kernel.operands[e.operand].dtype,
          elementIndex(e.operand, e.level, e.at),
        )
      case 'unary':
        return unary(e.fn, e.type, evaluate(e.a))
      case 'binary':
        return compute(e, evaluate(e.a), evaluate(e.b))
      case 'compare':
        return compareValues(e.fn, evaluate(e.a), evaluate(e.b))
      case 'select':
        return evaluate(e.cond) ? evaluate(e.a) : evaluate(e.b)
      case 'cast':
        return convert(evaluate(e.a), e.type)
      case 'bitcast':
        return reinterpret(evaluate(e.a), e.type)
      case 'math':
        return rounded(e.type, hostMath[e.fn](...e.args.map((a) => evaluate(a) as number)))
      case 'local':
        return locals.get(e.id)!
      default:
        e satisfies never
        throw new Error('unreachable')
    }
  }

  const store = (s: Store): void => {
    const { dtype } = kernel.operands[s.operand]
    const index = elementIndex(s.operand, s.level, s.at)
    let value = evaluate(s.value)
    if (s.mode === 'add') {
      const old = memories[s.operand].read(dtype, index)
      const operand: Expr = { kind: 'const', type: s.value.type, value: 0 }
      const fn = s.value.type === 'bool' ? 'or' : 'add'
      value = compute({ kind: 'binary', type: s.value.type, fn, a: operand, b: operand }, old, value)
    }
    memories[s.operand].write(dtype, index, value)
  }

  const forEachPosition = (extents: readonly number[], base: number, body: () => void): void => {
    if (extents.some((n) => n === 0)) return
    for (let d = 0; d < extents.length; d++) position[base + d] = 0
    for (;;) {
      body()
      let d = extents.length - 1
      for (; d >= 0; d--) {
        if (++position[base + d] < extents[d]) break
        position[base + d] = 0
      }
      if (d < 0) return
    }
  }

  forEachPosition(outer, 0, () => {
    for (const stage of kernel.stages) {
      if (stage.kind === 'let') locals.set(stage.id, evaluate(stage.value))
      else if (stage.kind === 'store') store(stage)
      else {
        const partial = new Map<number, Value>()
        for (const a of stage.accumulators)
          if (a.reduction === null) locals.set(a.id, evaluate(a.init!))
          else partial.set(a.id, evaluate(identityOf(a.reduction, a.type)))
        forEachPosition(loop, outer.length, () => {
          const next = stage.accumulators.map((a) => evaluate(a.value))
          stage.accumulators.forEach((a, i) => {
            if (a.reduction === null) locals.set(a.id, next[i])
            else partial.set(a.id, combine(a.reduction, a.type, partial.get(a.id)!, next[i]))
          })
          for (const s of stage.stores) store(s)
        })
        for (const a of stage.accumulators)
          if (a.reduction !== null)
            locals.set(a.id, a.type === 'f32' ? Math.fround(partial.get(a.id) as number) : partial.get(a.id)!)
      }
    }
  })
}

function compareValues(fn: Extract<Expr, { kind: 'compare' }>['fn'], a: Value, b: Value): boolean {
  switch (fn) {
    case 'eq':
      return a === b
    case 'ne':
      return a !== b
    case 'lt':
      return a < b
    case 'le':
      return a <= b
    case 'gt':
      return a > b
    case 'ge':
      return a >= b
    default:
      fn satisfies never
      return false
  }
}

function unary(fn: Extract<Expr, { kind: 'unary' }>['fn'], type: ValueType, a: Value): Value {
  if (fn === 'not') return typeof a === 'boolean' ? !a : typeof a === 'bigint' ? ~a : ~(a as number)
  if (typeof a === 'bigint') return wrap64(fn === 'neg' ? -a : a < 0n ? -a : a)
  const x = a as number
  if (type === 'i32') return wrap32(fn === 'neg' ? -x : Math.abs(x))
  switch (fn) {
    case 'neg':
      return -x
    case 'abs':
      return Math.abs(x)
    case 'sqrt':
      return rounded(type, Math.sqrt(x))
    case 'floor':
      return Math.floor(x)
    case 'ceil':
      return Math.ceil(x)
    case 'trunc':
      return Math.trunc(x)
    case 'nearest':
      return nearestEven(x)
    default:
      fn satisfies never
      throw new Error('unreachable')
  }
}
