// Kernels made up from a seed, run compiled and interpreted: every kind of loop, every expression, any strides and dtypes.

import type { Allocation } from '../../src/backends/backend.ts'
import { cpuBackend } from '../../src/backends/cpu/cpu.ts'
import type { DType } from '../../src/core/dtype.ts'
import {
  bfloat16,
  bool,
  float16,
  float32,
  float64,
  int8,
  int16,
  int32,
  int64,
  uint8,
} from '../../src/core/dtype.ts'
import type { Expr, ValueType } from '../../src/kernels/expr.ts'
import * as k from '../../src/kernels/expr.ts'
import { interpret } from '../../src/kernels/interpreter.ts'
import { type Access, type Kernel, KernelBuilder, type Launch } from '../../src/kernels/kernel.ts'
import { ByteMemory, closeEnough, differences } from './checking-backend.ts'
import { Random, special } from './ten-ops.ts'

const dtypes = [float32, float32, float64, float16, bfloat16, int8, int16, int32, int64, uint8, bool] as const

/** Values for whose sums and products the order does not matter. */
const exactNumbers = [0, 1, -1, 2, -2, 3, -0, 0.5]
const factors = [1, -1, 1, -1, 1, 1, 2, 0.5]

// ---- expressions ----------------------------------------------------------------------------------------------------

const isInteger = (type: ValueType): boolean => type === 'i32' || type === 'i64'

/** An expression of a type whose result is determined to the last bit. */
function exact(r: Random, type: ValueType, leaves: readonly Expr[], depth: number): Expr {
  const again = (t: ValueType = type): Expr => exact(r, t, leaves, depth - 1)
  if (depth === 0 || r.next() < 0.1) {
    const leaf = r.pick(leaves)
    if (leaf.type !== type) return k.cast(leaf, type)
    return r.next() < 0.1 ? k.constant(type === 'bool' ? true : r.int(0, 3), type) : leaf
  }
  if (r.next() < 0.15) return k.select(again('bool'), again(), again())
  if (r.next() < 0.1) return k.cast(again(r.pick(['bool', 'i32', 'i64', 'f32', 'f64'] as const)), type)
  if (type === 'bool') {
    const kind = r.int(0, 4)
    if (kind === 0) return k.not(again())
    if (kind === 1) return r.pick([k.and, k.or, k.xor])(again(), again())
    const operand = r.pick(['i32', 'i64', 'f32', 'f64', 'bool'] as const)
    if (kind === 2 && k.isFloat(operand)) return r.pick([k.isNaN_, k.signBit])(again(operand))
    return r.pick([k.eq, k.ne, k.lt, k.le, k.gt, k.ge])(again(operand), again(operand))
  }
  if (isInteger(type)) {
    const kind = r.int(0, 3)
    if (kind === 0) return r.pick([k.neg, k.abs])(again())
    if (kind === 1)
      return r.pick([k.shl, k.shr, k.shrUnsigned])(again(), k.and(again(), k.constant(31, type)))
    return r.pick([k.add, k.sub, k.mul, k.div, k.rem, k.min, k.max, k.and, k.or, k.xor])(again(), again())
  }
  if (r.next() < 0.4) return r.pick([k.neg, k.abs, k.sqrt, k.floor, k.ceil, k.trunc, k.nearest])(again())
  return r.pick([k.add, k.sub, k.mul, k.div, k.min, k.max])(again(), again())
}

const functions = [
  ...[k.exp, k.exp2, k.expm1, k.log, k.log2, k.log10, k.log1p, k.sin, k.cos, k.tan, k.asin, k.acos, k.atan],
  ...[k.sinh, k.cosh, k.tanh, k.asinh, k.acosh, k.atanh, k.erf, k.erfc, k.erfinv, k.lgamma, k.digamma],
  ...[k.i0, k.i0e, k.i1, k.i1e, k.erfcx, k.ndtri, k.logNdtr, k.sigmoid],
]
const functionsOfTwo = [k.pow, k.atan2, k.fmod, k.gammainc, k.gammaincc, k.zeta]

/** One function of floats, at loaded values as they are: errors of functions of functions would add up. */
function inexact(r: Random, type: ValueType, leaves: readonly Expr[]): Expr {
  const argument = (): Expr => {
    const leaf = r.pick(leaves)
    return leaf.type === type ? leaf : k.cast(leaf, type)
  }
  return r.next() < 0.8 ? r.pick(functions)(argument()) : r.pick(functionsOfTwo)(argument(), argument())
}

// ---- kernels --------------------------------------------------------------------------------------------------------

interface Made {
  readonly kernel: Kernel
  readonly form: string
  /** Whether both runs must agree to the last bit. */
  readonly exact: boolean
  readonly values: 'any' | 'small' | 'factors'
  /** How many dimensions the spaces have. */
  readonly outerRank: number
  readonly loopRank: number
  /** Operands that an index moves, with the number of places along it. */
  readonly indexed: ReadonlyMap<number, number>
  /** Operands that step along the loop. */
  readonly alongLoop: ReadonlySet<number>
}

const places = 7

export function makeKernel(r: Random): Made {
  const outerRank = r.int(0, 3)
  const form = r.pick([
    'pointwise',
    'pointwise',
    'function',
    'function',
    'reduction',
    'place of the largest',
    'scan',
    'normalisation',
    'gather',
    'scatter',
    'padding',
  ] as const)
  const builder = new KernelBuilder(form)
  const inputs = Array.from({ length: r.int(1, 3) }, () => builder.input(r.pick(dtypes)))
  const out = r.pick(dtypes)
  const type = k.valueTypeOf(out)
  const indexed = new Map<number, number>()
  const alongLoop = new Set<number>(inputs)
  const result = (rest: Partial<Made> = {}): Made => ({
    kernel: builder.build(),
    form,
    exact: true,
    values: 'any',
    outerRank,
    loopRank: 0,
    indexed,
    alongLoop,
    ...rest,
  })
  const loaded = (): Expr[] => inputs.map((input) => builder.read(input))
  const position = (e: Expr): Expr =>
    k.rem(k.abs(k.rem(k.cast(e, 'i32'), k.constant(places, 'i32'))), k.constant(places, 'i32'))
  switch (form) {
    case 'pointwise': {
      const leaves = loaded()
      if (r.next() < 0.2 && outerRank > 0) leaves.push(builder.index(r.int(0, outerRank - 1)))
      builder.write(builder.output(out), exact(r, type, leaves, r.int(1, 4)))
      return result()
    }
    case 'function': {
      const float = k.isFloat(type) ? type : 'f64'
      const value = inexact(r, float, loaded())
      builder.write(builder.output(k.isFloat(type) ? out : float64), value)
      return result({ exact: false })
    }
    case 'reduction': {
      const kind = r.pick(['sum', 'prod', 'max', 'min', 'any', 'all'] as const)
      const inner: ValueType = kind === 'any' || kind === 'all' ? 'bool' : type === 'bool' ? 'i32' : type
      const total = builder.loop((l) => {
        const leaf = l.read(inputs[0])
        return l.reduce(kind, leaf.type === inner ? leaf : k.cast(leaf, inner))
      })
      builder.write(builder.output(out), total.type === type ? total : k.cast(total, type))
      return result({ loopRank: r.int(1, 2), values: kind === 'prod' ? 'factors' : 'small' })
    }
    case 'place of the largest': {
      const [, index] = builder.loop((l) => {
        const value = l.read(inputs[0])
        const first = k.constant(value.type === 'bool' ? false : 0, value.type)
        return l.fold([first, k.constant(-1, 'i32')], ([best, place]) => {
          const better = k.or(k.lt(place, k.constant(0, 'i32')), k.gt(value, best))
          return [k.select(better, value, best), k.select(better, l.index(0), place)]
        })
      })
      builder.write(builder.output(int64), k.cast(index, 'i64'))
      return result({ loopRank: 1 })
    }
    case 'scan': {
      const target = builder.output(out)
      alongLoop.add(target)
      const inner: ValueType = type === 'bool' ? 'i32' : type
      builder.loop((l) => {
        const step = r.pick([k.add, k.mul, k.max, k.min])
        const leaf = l.read(inputs[0])
        const value = leaf.type === inner ? leaf : k.cast(leaf, inner)
        const [total] = l.fold([k.constant(1, inner)], ([previous]) => [step(previous, value)])
        l.write(target, total.type === type ? total : k.cast(total, type))
      })
      return result({ loopRank: 1, values: 'small' })
    }
    case 'normalisation': {
      const target = builder.output(float64)
      alongLoop.add(target)
      const largest = builder.loop((l) => l.reduce('max', k.cast(l.read(inputs[0]), 'f64')))
      const scaled = builder.let(k.mul(largest, 0.5))
      const total = builder.loop((l) => l.reduce('sum', k.sub(k.cast(l.read(inputs[0]), 'f64'), scaled)))
      builder.loop((l) => l.write(target, k.div(k.sub(k.cast(l.read(inputs[0]), 'f64'), scaled), total)))
      return result({ loopRank: r.int(1, 2), values: 'small' })
    }
    case 'gather': {
      const table = builder.input(r.pick(dtypes))
      indexed.set(table, places)
      const value = builder.read(table, { at: [position(builder.read(inputs[0]))] })
      builder.write(builder.output(out), value.type === type ? value : k.cast(value, type))
      return result({ values: 'small' })
    }
    case 'scatter': {
      const target = builder.output(out, 'readwrite')
      indexed.set(target, places)
      const at = [position(builder.read(inputs[0]))]
      const value = builder.read(r.pick(inputs))
      const mode = type === 'bool' ? 'set' : r.pick(['set', 'add'] as const)
      builder.write(target, value.type === type ? value : k.cast(value, type), { at, mode })
      return result({ values: 'small' })
    }
    case 'padding': {
      const inside = exact(r, 'bool', loaded(), 2)
      const value = builder.read(inputs[0], { where: inside })
      builder.write(builder.output(out), value.type === type ? value : k.cast(value, type))
      return result()
    }
    default:
      form satisfies never
      throw new Error('unreachable')
  }
}

// ---- launches -------------------------------------------------------------------------------------------------------

function extents(r: Random, rank: number, large: boolean): number[] {
  const sizes = Array.from({ length: rank }, () => (r.next() < 0.04 ? 0 : r.int(1, 6)))
  if (rank > 0 && large) sizes[r.next() < 0.7 ? rank - 1 : 0] = r.int(700, 4200)
  else if (rank > 0 && r.next() < 0.4) sizes[rank - 1] = r.int(7, 40)
  return sizes
}

/** Takes dimensions away, the small ones first, until there are at most `most` positions: interpreting takes its time. */
function limit(spaces: readonly number[][], most: number): void {
  const positions = () => spaces.flat().reduce((a, b) => a * b, 1)
  while (positions() > most) {
    const smallest = Math.min(...spaces.flat().filter((n) => n > 1))
    const space = spaces.find((sizes) => sizes.includes(smallest))!
    space[space.indexOf(smallest)] = 1
  }
}

/** Strides in any order of the dimensions, with gaps; and, for what is only read, standing still or going backwards. */
function layout(
  r: Random,
  sizes: readonly number[],
  readOnly: boolean,
): { strides: number[]; offset: number; extent: number } {
  const strides = sizes.map(() => 0)
  const order = sizes.map((_, d) => d).reverse()
  if (r.next() < 0.4) order.sort(() => r.next() - 0.5)
  let step = r.next() < 0.2 ? r.int(2, 3) : 1
  let offset = r.next() < 0.3 ? r.int(1, 3) : 0
  for (const d of order) {
    if (readOnly && r.next() < 0.15) continue
    strides[d] = step
    step *= Math.max(sizes[d], 1)
    if (readOnly && r.next() < 0.05) {
      offset += strides[d] * Math.max(sizes[d] - 1, 0)
      strides[d] = -strides[d]
    }
  }
  return { strides, offset, extent: step + offset + 4 }
}

function fill(r: Random, memory: ByteMemory, dtype: DType, values: Made['values']): void {
  const isFloat = dtype.kind === 'float'
  const n = Math.floor(memory.bytes.byteLength / dtype.itemsize)
  for (let i = 0; i < n; i++) {
    let value: number
    if (dtype === bool) value = r.int(0, 1)
    else if (values === 'factors')
      value = isFloat ? r.pick(factors) : r.pick(dtype === uint8 ? [1, 2] : [1, -1, 1, 2])
    else if (values === 'small')
      value = isFloat && r.next() < 0.02 ? r.pick([Number.NaN, Infinity, -Infinity]) : r.pick(exactNumbers)
    else if (isFloat) value = r.next() < 0.2 ? r.pick(special) : (r.next() - 0.5) * 8
    else value = r.next() < 0.1 ? r.pick([2 ** 31 - 1, -(2 ** 31), 255, -128]) : r.int(-9, 9)
    if (dtype.kind === 'int') value = Math.trunc(value)
    memory.write(dtype, i, dtype === int64 ? BigInt(value) : value)
  }
}

function launchOf(r: Random, made: Made, large: boolean): { launch: Launch; memories: ByteMemory[] } {
  const { kernel } = made
  const wideLoop = large && made.loopRank > 0 && r.next() < 0.5
  const outer = extents(r, made.outerRank, large && !wideLoop)
  const loop = extents(r, made.loopRank, wideLoop)
  limit([outer, loop], 12_000)
  const memories: ByteMemory[] = []
  const operands = kernel.operands.map(({ dtype, access }, o): Access => {
    const own = made.alongLoop.has(o) ? [...outer, ...loop] : outer
    const extra = made.indexed.get(o)
    const dims = extra === undefined ? own : [...own, extra]
    const { strides, offset, extent } = layout(r, dims, access === 'read')
    const memory = new ByteMemory(new Uint8Array(extent * dtype.itemsize))
    fill(r, memory, dtype, made.values)
    memories.push(memory)
    const still = made.alongLoop.has(o) ? [] : loop.map(() => 0)
    return {
      storage: null,
      offset,
      strides: [...strides.slice(0, own.length), ...still],
      ...(extra === undefined ? {} : { atStrides: [strides[own.length]] }),
    }
  })
  return { launch: { outer, loop, operands, scalars: [] }, memories }
}

const sameBits = (_dtype: DType, a: number | bigint | boolean, b: number | bigint | boolean): boolean =>
  Object.is(a, b)

/** What a run of made-up kernels found. */
export interface Findings {
  readonly kernels: number
  readonly launches: number
  readonly forms: ReadonlyMap<string, number>
  readonly differences: readonly string[]
}

/** Makes `count` kernels from a seed and launches each three times, on layouts and sizes of its own. */
export function compareRandomKernels(seed: number, count: number): Findings {
  const forms = new Map<string, number>()
  const found: string[] = []
  let launches = 0
  for (let i = 0; i < count; i++) {
    // Each kernel can be made again by itself.
    const own = (seed * 100_003 + i * 7919 + 1) | 1
    const r = new Random(own)
    for (let skip = 0; skip < 5; skip++) r.next()
    const made = makeKernel(r)
    forms.set(made.form, (forms.get(made.form) ?? 0) + 1)
    for (let time = 0; time < 3; time++) {
      const { launch, memories } = launchOf(r, made, r.next() < 0.06)
      const storages: Allocation[] = memories.map(({ bytes }) => {
        const storage = cpuBackend.allocate(bytes.byteLength)
        cpuBackend.bytes(storage).set(bytes)
        return storage
      })
      cpuBackend.launch(made.kernel, {
        ...launch,
        operands: launch.operands.map((operand, o) => ({ ...operand, storage: storages[o] })),
      })
      const compiled = storages.map((s, o) =>
        Uint8Array.from(cpuBackend.bytes(s).subarray(0, memories[o].bytes.byteLength)),
      )
      for (const storage of storages) cpuBackend.free(storage)
      interpret(made.kernel, launch, memories)
      launches++
      const different = differences(
        made.kernel,
        compiled,
        memories.map(({ bytes }) => bytes),
        made.exact ? sameBits : closeEnough,
      )
      if (different.length > 0)
        found.push(
          `kernel ${i} of seed ${seed}, launch ${time}, sizes [${launch.outer}] [${launch.loop}]: ${different[0]}`,
        )
    }
  }
  return { kernels: count, launches, forms, differences: found }
}
