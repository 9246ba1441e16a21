// Random integers and permutations, drawn in the order of memory, as PyTorch's CPU kernels do.

import { type DType, scalarTypeName } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import {
  check,
  cppTypeName,
  largest,
  mantissaBits,
  notImplemented,
  roundSamples,
  roundTo,
  type Samples,
} from './checks.ts'
import type { Generator } from './generator.ts'
import type { Mt19937 } from './mt19937.ts'

/** Ranges from here on take two outputs for a sample. */
const wideRange = 2 ** 28

const minInt64 = -(2n ** 63n)
const maxInt64 = 2n ** 63n - 1n

/** An array for `n` samples of `dtype`. */
function samplesOf(n: number, dtype: DType): Samples {
  switch (dtype.name) {
    case 'int64':
      return new BigInt64Array(n)
    case 'float64':
      return new Float64Array(n)
    case 'float16':
    case 'bfloat16':
    case 'float32':
      return new Float32Array(n)
    default:
      return new Int32Array(n)
  }
}

/**
 * `n` integers in [from, to), as `torch.randint(from, to)` and `random_(from, to)`.
 * @throws RuntimeError where the range is empty or beyond the dtype.
 */
export function randint(
  gen: Generator,
  n: number,
  dtype: DType,
  from: number | bigint,
  to: number | bigint,
): Samples {
  return randomIntegers(gen, n, dtype, from, to)
}

/**
 * `n` integers as `random_` draws them. Without bounds: all that the dtype holds exactly and that are not negative.
 * With `from` and `to` null: from there to the largest.
 * @param from inclusive
 * @param to exclusive, or null for the largest value of the dtype (of a floating one: the last of the consecutive
 *   integers)
 * @throws RuntimeError where the range is empty or beyond the dtype.
 */
export function randomIntegers(
  gen: Generator,
  n: number,
  dtype: DType,
  from?: number | bigint,
  to?: number | bigint | null,
): Samples {
  if (from === undefined) return randomOfDtype(gen, n, dtype)
  let first = BigInt(from)
  if (to !== undefined && to !== null) {
    let end = BigInt(to)
    check(
      first < end,
      () => `random_ expects 'from' to be less than 'to', but got from=${first} >= to=${end}`,
    )
    if (dtype.isFloatingPoint) {
      first = firstRepresentable(first, dtype)
      end = endRepresentable(end, dtype)
      check(
        first < end,
        () =>
          "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, " +
          `but got from=${first} >= to=${end}`,
      )
    }
    checkBounds(first, end - 1n, dtype)
    return randomInRange(gen, n, dtype, first, end - first)
  }
  if (first === minInt64) return randomFull64(gen, n, dtype)
  const last = largestInteger(dtype)
  if (dtype.isFloatingPoint) {
    first = firstRepresentable(first, dtype)
    check(
      first < last,
      () =>
        "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' casted to dtype, " +
        `but got from=${first} > to_inc=${last}`,
    )
  }
  checkBounds(first, last, dtype)
  return randomInRange(gen, n, dtype, first, last - first + 1n)
}

/** The largest integer of the dtype; of a floating one, the last of the consecutive integers. */
function largestInteger(dtype: DType): bigint {
  if (dtype.isFloatingPoint) return 1n << BigInt(mantissaBits(dtype))
  return integerLimits(dtype)[1]
}

function integerLimits(dtype: DType): readonly [bigint, bigint] {
  switch (dtype.name) {
    case 'bool':
      return [0n, 1n]
    case 'uint8':
      return [0n, 255n]
    case 'int8':
      return [-128n, 127n]
    case 'int16':
      return [-32768n, 32767n]
    case 'int32':
      return [-2147483648n, 2147483647n]
    default:
      return [minInt64, maxInt64]
  }
}

function checkBounds(first: bigint, last: bigint, dtype: DType): void {
  const [min, max] = dtype.isFloatingPoint ? [-largest(dtype), largest(dtype)] : integerLimits(dtype)
  check(first >= min && first <= max, () => `from is out of bounds for ${cppTypeName(dtype)}`)
  check(last >= min && last <= max, () => `to - 1 is out of bounds for ${cppTypeName(dtype)}`)
}

/** The smallest bound from `from` on that stays one when an integer is rounded to `dtype`. */
function firstRepresentable(from: bigint, dtype: DType): bigint {
  const next = integerTo(from + 1n, dtype)
  if (next >= from) return from
  return next + (1n << BigInt(bitLength(from + 1n) - mantissaBits(dtype)))
}

/** The largest exclusive bound up to `to` that no smaller integer reaches when it is rounded to `dtype`. */
function endRepresentable(to: bigint, dtype: DType): bigint {
  const last = integerTo(to - 1n, dtype)
  if (last < to) return to
  return last - (1n << BigInt(bitLength(to - 1n) - mantissaBits(dtype)))
}

/** `value` rounded to a floating dtype and back to an int64; what is too large becomes the smallest, as on x86. */
function integerTo(value: bigint, dtype: DType): bigint {
  const rounded = roundTo(int64ToFloat(value, dtype), dtype)
  return Math.abs(rounded) < 2 ** 63 ? BigInt(rounded) : minInt64
}

function bitLength(value: bigint): number {
  return (value < 0n ? -value : value).toString(2).length
}

/** An int64 as a number rounded once to float32, or to double for float64. */
function int64ToFloat(value: bigint, dtype: DType): number {
  if (dtype.name === 'float64') return Number(value)
  const magnitude = value < 0n ? -value : value
  if (magnitude < 2n ** 53n) return Math.fround(Number(value))
  // Beyond 2^53 the way through double could round twice: a last bit that stands for all lower ones prevents it.
  const sticky = (magnitude & 0x7ffn) === 0n ? 0n : 1n
  const rounded = Math.fround(Number((magnitude >> 11n) | sticky) * 2048)
  return value < 0n ? -rounded : rounded
}

/** `x % range + base` for 32 or 64 random bits x. */
function randomInRange(gen: Generator, n: number, dtype: DType, base: bigint, range: bigint): Samples {
  const out = samplesOf(n, dtype)
  const baseIsSmall =
    base >= BigInt(Number.MIN_SAFE_INTEGER) && base + range <= BigInt(Number.MAX_SAFE_INTEGER)
  if (range <= 2n ** 37n && baseIsSmall) fillSmallRange(gen.engine, out, Number(base), Number(range))
  else {
    const draw = range < BigInt(wideRange) ? () => BigInt(gen.engine.random()) : () => gen.engine.random64()
    for (let i = 0; i < n; i++) {
      const value = BigInt.asIntN(64, (draw() % range) + base)
      if (out instanceof BigInt64Array) out[i] = value
      else out[i] = dtype.isFloatingPoint ? int64ToFloat(value, dtype) : Number(value)
    }
  }
  return out instanceof Float32Array ? roundSamples(out, dtype) : out
}

function fillSmallRange(engine: Mt19937, out: Samples, base: number, range: number): void {
  const n = out.length
  if (out instanceof BigInt64Array) {
    const words = new Int32Array(out.buffer)
    for (let i = 0; i < n; i++) setInt64(words, i, remainder(engine, range) + base)
  } else if (out instanceof Int32Array) for (let i = 0; i < n; i++) out[i] = remainder(engine, range) + base
  else for (let i = 0; i < n; i++) out[i] = remainder(engine, range) + base
}

/** One sample of 32 or 64 bits modulo `range`, at most 2^37. */
function remainder(engine: Mt19937, range: number): number {
  return range < wideRange ? engine.random() % range : remainder64(engine, range)
}

/** 64 bits modulo `range`, at most 2^37, in steps whose products stay below 2^53. */
function remainder64(engine: Mt19937, range: number): number {
  const high = engine.random()
  const low = engine.random()
  const upper = ((high % range) * 0x10000 + (low >>> 16)) % range
  return (upper * 0x10000 + (low & 0xffff)) % range
}

/** Writes a whole number to element `i` of an int64 array seen as (little-endian) halves. */
function setInt64(halves: Int32Array, i: number, value: number): void {
  halves[2 * i] = value
  halves[2 * i + 1] = Math.floor(value / 2 ** 32)
}

/** `random_` without bounds. */
function randomOfDtype(gen: Generator, n: number, dtype: DType): Samples {
  const engine = gen.engine
  const out = samplesOf(n, dtype)
  if (out instanceof BigInt64Array) {
    const halves = new Int32Array(out.buffer)
    for (let i = 0; i < n; i++) {
      halves[2 * i + 1] = engine.random() & 0x7fffffff
      halves[2 * i] = engine.random()
    }
  } else if (out instanceof Float64Array) {
    const modulus = 2 ** 53 + 2
    for (let i = 0; i < n; i++) {
      // x = q 2^53 + r is r - q modulo 2^53 + 1
      const high = engine.random()
      const difference = (high & 0x1fffff) * 2 ** 32 + engine.random() - (high >>> 21)
      out[i] = difference < 0 ? modulus + (difference - 1) : difference
    }
  } else if (dtype.name === 'bool') for (let i = 0; i < n; i++) out[i] = engine.random() & 1
  else {
    const range = Number(largestInteger(dtype)) + 1
    for (let i = 0; i < n; i++) out[i] = engine.random() % range
  }
  return out instanceof Float32Array ? roundSamples(out, dtype) : out
}

/** `random_(-2^63, None)`: all 64 bits. */
function randomFull64(gen: Generator, n: number, dtype: DType): Samples {
  const kernel = 'random_full_64_bits_range_kernel_cpu'
  if (dtype.name === 'bool' || dtype.name === 'float16') throw notImplemented(dtype, kernel)
  const out = samplesOf(n, dtype)
  if (out instanceof Int32Array)
    throw new RuntimeError(`${kernel} handles only int64, double, float and bfloat16`)
  for (let i = 0; i < n; i++) {
    const value = BigInt.asIntN(64, gen.random64())
    if (out instanceof BigInt64Array) out[i] = value
    else out[i] = int64ToFloat(value, dtype)
  }
  return out instanceof Float32Array ? roundSamples(out, dtype) : out
}

/**
 * A random permutation of 0 to n - 1, as `torch.randperm`.
 * @returns the samples of `dtype`: a BigInt64Array for int64.
 * @throws RuntimeError where `n` is negative or the dtype cannot hold n - 1, NotImplementedError for bool.
 */
export function randperm(gen: Generator, n: number, dtype: DType): Samples {
  check(n >= 0, () => `Trying to create tensor with negative dimension ${n}: [${n}]`)
  if (dtype.name === 'bool') throw notImplemented(dtype, 'randperm')
  checkPermutationFits(n, dtype)
  const order = permutation(gen, n)
  const out = samplesOf(n, dtype)
  if (out instanceof BigInt64Array) {
    const halves = new Int32Array(out.buffer)
    for (let i = 0; i < n; i++) setInt64(halves, i, order[i])
  } else out.set(order)
  return out instanceof Float32Array ? roundSamples(out, dtype) : out
}

/** PyTorch's limits, which for bfloat16 are none. */
function checkPermutationFits(n: number, dtype: DType): void {
  if (dtype.kind === 'int')
    check(
      BigInt(n) <= integerLimits(dtype)[1] + 1n,
      () => `value cannot be converted to type ${dtype.name}_t without overflow`,
    )
  else if (dtype.name !== 'bfloat16') {
    const bits = mantissaBits(dtype)
    check(
      n <= 2 ** bits + 1,
      () =>
        `n cannot be greater than ${bits === 11 ? 2049 : `2^${bits}+1`} for ${scalarTypeName(dtype)} type.`,
    )
  }
}

/**
 * A random permutation of 0 to n - 1, the numbers of `randperm` in a Uint32Array: for index orders.
 * @throws RuntimeError where `n` is negative.
 */
export function permutation(gen: Generator, n: number): Uint32Array {
  check(n >= 0, () => `Trying to create tensor with negative dimension ${n}: [${n}]`)
  const engine = gen.engine
  const order = new Uint32Array(n)
  for (let i = 0; i < n; i++) order[i] = i
  // Long permutations take 64 bits for each element, so that the remainders stay nearly uniform.
  const isLong = n >= Math.floor(0xffffffff / 20)
  for (let i = 0; i < n - 1; i++) {
    const left = n - i
    const j = i + (isLong ? remainder64(engine, left) : engine.random() % left)
    const moved = order[i]
    order[i] = order[j]
    order[j] = moved
  }
  return order
}
