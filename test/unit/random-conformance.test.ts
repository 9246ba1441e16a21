// Runs the cases recorded from PyTorch's CPU generator against the samplers themselves, below the tensors.
// The folder is not part of the repository; without it the tests are skipped.

import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type DType, dtypeByName, float32, int64 } from '../../src/core/dtype.ts'
import { decodeBfloat16, decodeHalf, encodeBfloat16, encodeHalf } from '../../src/core/half.ts'
import * as d from '../../src/random/distributions.ts'
import { Generator } from '../../src/random/generator.ts'

const folder = new URL('../../../shared/conformance/random/', import.meta.url)

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
interface Call {
  op: string
  args: Json[]
  kwargs: { [key: string]: Json }
  out: Json
}
interface Case {
  name: string
  seed: Json
  calls: Call[]
}

interface TensorValue {
  dtype: DType
  shape: number[]
  /** Elements in the order of indices. */
  values: number[] | bigint[]
  /** Two dimensions that are swapped in memory. */
  transpose: [number, number] | undefined
}

const isObject = (v: Json): v is { [key: string]: Json } =>
  typeof v === 'object' && v !== null && !Array.isArray(v)

function dtypeOf(name: Json): DType {
  const dtype = dtypeByName(String(name))
  if (dtype === undefined) throw new Error(`no dtype ${String(name)}`)
  return dtype
}

function elements(dtype: DType, bytes: Uint8Array): number[] | bigint[] {
  const buffer = Uint8Array.from(bytes).buffer
  switch (dtype.name) {
    case 'float64':
      return [...new Float64Array(buffer)]
    case 'float32':
      return [...new Float32Array(buffer)]
    case 'float16':
      return [...decodeHalf(new Uint16Array(buffer))]
    case 'bfloat16':
      return [...decodeBfloat16(new Uint16Array(buffer))]
    case 'int64':
      return [...new BigInt64Array(buffer)]
    case 'int32':
      return [...new Int32Array(buffer)]
    case 'int16':
      return [...new Int16Array(buffer)]
    case 'int8':
      return [...new Int8Array(buffer)]
    default:
      return [...new Uint8Array(buffer)]
  }
}

function bytesOf(dtype: DType, values: ArrayLike<number> | BigInt64Array): Uint8Array {
  if (values instanceof BigInt64Array) return new Uint8Array(values.buffer)
  const numbers = Array.from(values as ArrayLike<number>)
  const typed = {
    complex64: () => Float32Array.from(numbers),
    complex128: () => Float64Array.from(numbers),
    float64: () => Float64Array.from(numbers),
    float32: () => Float32Array.from(numbers),
    float16: () => encodeHalf(numbers),
    bfloat16: () => encodeBfloat16(numbers),
    int64: () => BigInt64Array.from(numbers, BigInt),
    int32: () => Int32Array.from(numbers),
    int16: () => Int16Array.from(numbers),
    int8: () => Int8Array.from(numbers),
    uint8: () => Uint8Array.from(numbers),
    bool: () => Uint8Array.from(numbers),
  }[dtype.name]()
  return new Uint8Array(typed.buffer)
}

const product = (shape: number[]): number => shape.reduce((a, b) => a * b, 1)

function tensor(v: Json): TensorValue {
  if (!isObject(v)) throw new Error('not a tensor')
  if (isObject(v.$zeros)) {
    const { dtype, shape, transpose } = v.$zeros
    const sizes = [...(shape as number[])]
    if (transpose !== undefined) {
      const [a, b] = transpose as [number, number]
      ;[sizes[a], sizes[b]] = [sizes[b], sizes[a]]
    }
    return { dtype: dtypeOf(dtype), shape: sizes, values: [], transpose: transpose as [number, number] }
  }
  const t = v.$t
  if (!isObject(t)) throw new Error('not a tensor')
  const dtype = dtypeOf(t.dtype)
  return {
    dtype,
    shape: t.shape as number[],
    values: elements(dtype, Buffer.from(String(t.data), 'base64')),
    transpose: undefined,
  }
}

function scalar(v: Json): number {
  if (isObject(v) && '$f' in v) return Number(v.$f === 'inf' ? Infinity : v.$f)
  return Number(v)
}

function integer(v: Json): bigint {
  return BigInt(isObject(v) ? String(v.$i) : String(v))
}

/** Memory order to index order for a tensor whose dimensions `[a, b]` are swapped in memory. */
function inIndexOrder(drawn: ArrayLike<number | bigint>, target: TensorValue): ArrayLike<number | bigint> {
  if (target.transpose === undefined) return drawn
  const { shape, transpose } = target
  const memoryShape = [...shape]
  ;[memoryShape[transpose[0]], memoryShape[transpose[1]]] = [
    shape[transpose[0]],
    shape[transpose[1]],
  ].reverse()
  const strides = memoryShape.map((_, i) => product(memoryShape.slice(i + 1)))
  ;[strides[transpose[0]], strides[transpose[1]]] = [strides[transpose[1]], strides[transpose[0]]]
  const out: (number | bigint)[] = []
  for (let i = 0; i < product(shape); i++) {
    let rest = i
    let at = 0
    for (let k = shape.length - 1; k >= 0; k--) {
      at += (rest % shape[k]) * strides[k]
      rest = Math.floor(rest / shape[k])
    }
    out.push(drawn[at])
  }
  return out
}

interface Drawn {
  values: ArrayLike<number> | ArrayLike<bigint>
  dtype: DType
  /** What the values are compared against where they are no exact ones: an ulp of the larger of value and scale. */
  tolerance: { ulps: number; scale: number } | 'exact'
}

/** Results that go through Math.log and the like may differ between engines in the last place. */
const transcendental = (scale = 0) => ({ ulps: 2, scale })

function draw(gen: Generator, call: Call): Drawn {
  const { op, args } = call
  const kwargDtype = call.kwargs.dtype
  const dtype = isObject(kwargDtype) ? dtypeOf(kwargDtype.$dtype) : float32
  if (op === 'randperm') {
    const type = kwargDtype === undefined ? int64 : dtype
    return { values: d.randperm(gen, scalar(args[0]), type), dtype: type, tolerance: 'exact' }
  }
  if (op === 'randint') {
    const type = kwargDtype === undefined ? int64 : dtype
    const n = product(args[2] as number[])
    const values = d.randint(gen, n, type, integer(args[0]), integer(args[1]))
    return { values, dtype: type, tolerance: 'exact' }
  }
  if (op === 'rand')
    return { values: d.uniform(gen, product(args[0] as number[]), dtype), dtype, tolerance: 'exact' }
  if (op === 'randn') {
    const n = product(args[0] as number[])
    return { values: d.normal(gen, n, dtype), dtype, tolerance: transcendental() }
  }
  if (op === 'normal') return drawNormal(gen, args)
  if (op === 'multinomial') {
    const t = tensor(args[0])
    const categories = t.shape[t.shape.length - 1]
    const rows = t.shape.length === 2 ? t.shape[0] : 1
    const values = d.multinomial(gen, t.values as number[], t.dtype, rows, categories, scalar(args[1]), {
      replacement: args[2] === true,
    })
    return { values, dtype: int64, tolerance: 'exact' }
  }
  const target = tensor(args[0])
  const drawn = drawInto(gen, op, target, args.slice(1))
  return {
    ...drawn,
    values: inIndexOrder(drawn.values, target) as ArrayLike<number>,
    dtype: target.dtype,
  }
}

function drawNormal(gen: Generator, args: Json[]): Drawn {
  if (Array.isArray(args[2])) {
    const [mean, std] = [scalar(args[0]), scalar(args[1])]
    const values = d.normal(gen, product(args[2] as number[]), float32, mean, std)
    return { values, dtype: float32, tolerance: transcendental(Math.abs(mean)) }
  }
  const mean = isObject(args[0]) && '$t' in args[0] ? tensor(args[0]) : undefined
  const std = isObject(args[1]) && '$t' in args[1] ? tensor(args[1]) : undefined
  const { dtype, shape } = (mean ?? std)!
  const values = d.normalFrom(
    gen,
    product(shape),
    dtype,
    (mean?.values as number[] | undefined) ?? scalar(args[0]),
    (std?.values as number[] | undefined) ?? scalar(args[1]),
  )
  return { values, dtype, tolerance: transcendental(4) }
}

function drawInto(
  gen: Generator,
  op: string,
  target: TensorValue,
  args: Json[],
): Pick<Drawn, 'values' | 'tolerance'> {
  const { dtype } = target
  const n = product(target.shape)
  const contiguous = target.transpose === undefined
  const number = (i: number, otherwise: number): number =>
    args[i] === undefined ? otherwise : scalar(args[i])
  switch (op) {
    case 'rand_like':
      return { values: d.uniform(gen, n, dtype), tolerance: 'exact' }
    case 'randn_like':
      return { values: d.normal(gen, n, dtype, 0, 1, contiguous), tolerance: transcendental() }
    case 'randint_like':
      return { values: d.randint(gen, n, dtype, 0, number(0, 0)), tolerance: 'exact' }
    case 'bernoulli':
      return { values: d.bernoulliFrom(gen, target.values as number[], dtype), tolerance: 'exact' }
    case 'poisson':
      return { values: d.poisson(gen, target.values as number[], dtype), tolerance: 'exact' }
    case 'Tensor.uniform_':
      return { values: d.uniform(gen, n, dtype, number(0, 0), number(1, 1)), tolerance: 'exact' }
    case 'Tensor.normal_': {
      const mean = number(0, 0)
      const values = d.normal(gen, n, dtype, mean, number(1, 1), contiguous)
      return { values, tolerance: transcendental(Math.abs(mean)) }
    }
    case 'Tensor.exponential_':
      return { values: d.exponential(gen, n, dtype, number(0, 1)), tolerance: transcendental() }
    case 'Tensor.log_normal_':
      return { values: d.logNormal(gen, n, dtype, number(0, 1), number(1, 2)), tolerance: transcendental() }
    case 'Tensor.geometric_':
      return { values: d.geometric(gen, n, dtype, number(0, 0)), tolerance: 'exact' }
    case 'Tensor.cauchy_': {
      const median = number(0, 0)
      const values = d.cauchy(gen, n, dtype, median, number(1, 1))
      return { values, tolerance: transcendental(Math.abs(median)) }
    }
    case 'Tensor.bernoulli_': {
      const p = args[0]
      if (isObject(p) && '$t' in p) {
        const t = tensor(p)
        return { values: d.bernoulliFrom(gen, t.values as number[], t.dtype), tolerance: 'exact' }
      }
      return { values: d.bernoulli(gen, n, number(0, 0.5)), tolerance: 'exact' }
    }
    case 'Tensor.random_': {
      if (args.length === 0) return { values: d.randomIntegers(gen, n, dtype), tolerance: 'exact' }
      const [from, to] = args.length === 1 ? [0n, integer(args[0])] : [integer(args[0]), args[1]]
      const end = to === null ? null : typeof to === 'bigint' ? to : integer(to)
      return { values: d.randomIntegers(gen, n, dtype, from, end), tolerance: 'exact' }
    }
    default:
      throw new Error(`unknown operation ${op}`)
  }
}

/** A float64 result within a few of its own ulps passes too; the tolerance asked for is that of float32. */
function compare(drawn: Drawn, expected: number[] | bigint[], at: number, where: string): void {
  const actual = Array.from(drawn.values as ArrayLike<number | bigint>)
  for (let i = 0; i < expected.length; i++) {
    const want = expected[i]
    const got = actual[at + i]
    if (drawn.tolerance === 'exact' || typeof want === 'bigint') {
      if (want !== got && BigInt(want) !== BigInt(got)) expect(got, `${where}, element ${at + i}`).toBe(want)
      continue
    }
    const { ulps, scale } = drawn.tolerance
    const epsilon = { float64: 2 ** -50, float32: 2 ** -23, float16: 2 ** -10, bfloat16: 2 ** -7 }
    const unit = epsilon[drawn.dtype.name as 'float32'] * Math.max(Math.abs(want), scale)
    const error = Math.abs(Number(got) - want)
    if (!(error <= ulps * unit) && want !== got) expect(got, `${where}, element ${at + i}`).toBe(want)
  }
}

function checkCall(gen: Generator, call: Call, where: string): void {
  if (call.op === 'manual_seed') {
    gen.manualSeed(integer(call.args[0]))
    return
  }
  if (call.op === 'initial_seed') {
    expect(gen.initialSeed()).toBe(call.out)
    return
  }
  const drawn = draw(gen, call)
  const out = call.out as { [key: string]: { [key: string]: Json } }
  if (out.$t_digest !== undefined) {
    const { sha256, head, tail, shape } = out.$t_digest
    expect(drawn.values.length).toBe(product(shape as number[]))
    const ends = [head, tail].map((v) => elements(drawn.dtype, Buffer.from(String(v), 'base64')))
    compare(drawn, ends[0], 0, where)
    compare(drawn, ends[1], drawn.values.length - ends[1].length, where)
    const bytes = bytesOf(drawn.dtype, drawn.values as ArrayLike<number>)
    expect(createHash('sha256').update(bytes).digest('hex'), where).toBe(sha256)
    return
  }
  const expected = tensor(call.out)
  expect(drawn.dtype, where).toBe(expected.dtype)
  expect(drawn.values.length, where).toBe(expected.values.length)
  compare(drawn, expected.values, 0, where)
}

describe.skipIf(!existsSync(folder))(
  'the samples recorded from PyTorch, drawn one call after the other',
  () => {
    test.each(['basic', 'integers', 'inplace', 'multinomial'])('%s', (file) => {
      const lines = readFileSync(new URL(`${file}.jsonl`, folder), 'utf8')
        .trim()
        .split('\n')
      expect(lines.length).toBeGreaterThan(10)
      for (const line of lines) {
        const { name, seed, calls } = JSON.parse(line) as Case
        const gen = new Generator().manualSeed(integer(seed))
        calls.forEach((call, i) => {
          checkCall(gen, call, `${name}, call ${i} (${call.op})`)
        })
      }
    })
  },
)
