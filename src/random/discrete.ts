// Samples of discrete distributions and the noise of dropout and rrelu, drawn in the order of memory into typed
// arrays, as PyTorch's CPU kernels do.

import { type DType, scalarTypeName } from '../core/dtype.ts'
import { RuntimeError, ValueError } from '../core/errors.ts'
import {
  check,
  cppNumber,
  type FloatSamples,
  floatSamples,
  notImplemented,
  requireFloating,
  roundSamples,
  roundTo,
  roundToCompute,
  type Samples,
} from './checks.ts'
import type { Generator } from './generator.ts'
import { largestIndices } from './largest.ts'

/**
 * `n` zeros and ones, each one with probability `p`, as `bernoulli_(p)` with a number.
 * @throws RuntimeError where `p` is not in [0, 1].
 */
export function bernoulli(gen: Generator, n: number, p = 0.5): Uint8Array {
  check(p >= 0 && p <= 1, () => `bernoulli_ expects p to be in [0, 1], but got p=${cppNumber(p)}`)
  const engine = gen.engine
  const out = new Uint8Array(n)
  for (let i = 0; i < n; i++) out[i] = engine.uniform53() < p ? 1 : 0
  return out
}

/**
 * Zeros and ones, one for each probability, as `torch.bernoulli(p)` and `bernoulli_(p)` with a tensor.
 * @param p probabilities in the order of the draws
 * @param dtype that of `p`, which decides how many bits a draw takes
 * @throws RuntimeError where an element of `p` is not in [0, 1], NotImplementedError where `p` is not floating.
 */
export function bernoulliFrom(gen: Generator, p: ArrayLike<number>, dtype: DType): Uint8Array {
  requireFloating(dtype, 'bernoulli_tensor_cpu_p_')
  const engine = gen.engine
  const n = p.length
  const out = new Uint8Array(n)
  const isDouble = dtype.name === 'float64'
  for (let i = 0; i < n; i++) {
    check(
      p[i] >= 0 && p[i] <= 1,
      () => `Expected p_in >= 0 && p_in <= 1 to be true, but got false: p is ${cppNumber(p[i])}`,
    )
    out[i] = (isDouble ? engine.uniform53() : engine.uniform24()) < p[i] ? 1 : 0
  }
  return out
}

/**
 * The noise of `n` elements under dropout: 0 with probability `p`, else 1 / (1 - p), in `dtype`. With p = 0 or p = 1
 * nothing is drawn.
 * @throws ValueError where `p` is not in [0, 1], NotImplementedError where the dtype is not floating.
 */
export function dropoutNoise(gen: Generator, n: number, dtype: DType, p = 0.5): FloatSamples {
  if (!(p >= 0 && p <= 1)) throw new ValueError(`dropout probability has to be between 0 and 1, but got ${p}`)
  requireFloating(dtype, 'bernoulli_scalar_cpu_')
  const out = floatSamples(n, dtype)
  if (p === 1) return out
  const kept = roundTo(1 / roundToCompute(1 - p, dtype), dtype)
  if (p === 0) return out.fill(kept) as FloatSamples
  const engine = gen.engine
  for (let i = 0; i < n; i++) if (engine.uniform53() < 1 - p) out[i] = kept
  return out
}

/**
 * The slopes of rrelu in training: 1 for each positive element of `input`, for the others a uniform sample between
 * `lower` and `upper`. NaN counts as positive.
 * @param input elements in the order of indices
 * @param dtype that of the input, to which the samples are rounded (the bounds to float32, or not at all for float64)
 * @throws RuntimeError where `lower` > `upper`, NotImplementedError for float16 and what is not floating.
 */
export function rreluSlopes(
  gen: Generator,
  input: ArrayLike<number>,
  dtype: DType,
  lower = 1 / 8,
  upper = 1 / 3,
): FloatSamples {
  check(lower <= upper, () => 'Lower bound should be less than or equal to the upper bound')
  if (!dtype.isFloatingPoint || dtype.name === 'float16')
    throw notImplemented(dtype, 'rrelu_with_noise_out_cpu')
  const low = roundToCompute(lower, dtype)
  const range = roundToCompute(upper, dtype) - low
  const engine = gen.engine
  const out = floatSamples(input.length, dtype)
  for (let i = 0; i < input.length; i++) out[i] = input[i] <= 0 ? engine.uniform53() * range + low : 1
  return roundSamples(out, dtype)
}

/**
 * `n` samples of the geometric distribution on 1, 2, ..., as `geometric_`.
 * @returns the samples of `dtype`; in integers what does not fit wraps around.
 * @throws RuntimeError where `p` is not in (0, 1), NotImplementedError for bool.
 */
export function geometric(gen: Generator, n: number, dtype: DType, p: number): Samples {
  check(p > 0 && p < 1, () => `geometric_ expects p to be in (0, 1), but got p=${cppNumber(p)}`)
  if (dtype.name === 'bool') throw notImplemented(dtype, 'geometric_cpu')
  const engine = gen.engine
  const logOfMiss = Math.log1p(-p)
  const drawn = new Float64Array(n)
  for (let i = 0; i < n; i++) drawn[i] = Math.ceil(Math.log(engine.uniform53()) / logOfMiss)
  switch (dtype.name) {
    case 'float64':
      return drawn
    case 'float16':
    case 'bfloat16':
    case 'float32':
      return roundSamples(Float32Array.from(drawn), dtype)
    case 'int64':
      return BigInt64Array.from(drawn, (x) => (Number.isFinite(x) ? BigInt(x) : -(2n ** 63n)))
    case 'uint8':
      return Int32Array.from(Uint8Array.from(drawn))
    case 'int8':
      return Int32Array.from(Int8Array.from(drawn))
    case 'int16':
      return Int32Array.from(Int16Array.from(drawn))
    default:
      return Int32Array.from(drawn)
  }
}

/**
 * A Poisson sample for each rate, as `torch.poisson`: products of uniforms below a rate of 10, the transformed
 * rejection of Hörmann (1993) from there on.
 * @param rates in the order of the draws
 * @param dtype that of the rates and the result
 * @throws RuntimeError where a rate is negative, NotImplementedError where the dtype is not floating.
 */
export function poisson(gen: Generator, rates: ArrayLike<number>, dtype: DType): FloatSamples {
  requireFloating(dtype, 'poisson_cpu')
  const out = floatSamples(rates.length, dtype)
  for (let i = 0; i < rates.length; i++) {
    const rate = rates[i]
    check(rate >= 0, () => 'invalid Poisson rate, expected rate to be non-negative')
    check(rate < 2 ** 63, () => `invalid Poisson rate ${rate}: its samples would not fit an int64`)
    out[i] = rate >= 10 ? poissonByRejection(gen, rate) : poissonByProducts(gen, rate)
  }
  return roundSamples(out, dtype)
}

/** Counts the uniforms whose running product stays above exp(-rate). */
function poissonByProducts(gen: Generator, rate: number): number {
  if (rate === 0) return 0
  const limit = Math.exp(-rate)
  let count = -1
  let product = 1
  do {
    product *= gen.engine.uniform53()
    count++
  } while (product > limit)
  return count
}

/** Hörmann's algorithm PTRS; a, b, alpha and vr are the letters of his paper. */
function poissonByRejection(gen: Generator, rate: number): number {
  const engine = gen.engine
  const logRate = Math.log(rate)
  const b = 0.931 + 2.53 * Math.sqrt(rate)
  const a = -0.059 + 0.02483 * b
  const inverseAlpha = 1.1239 + 1.1328 / (b - 3.4)
  const vr = 0.9277 - 3.6224 / (b - 2)
  for (;;) {
    const u = engine.uniform53() - 0.5
    const v = engine.uniform53()
    const us = 0.5 - Math.abs(u)
    const k = Math.floor(((2 * a) / us + b) * u + rate + 0.43)
    if (us >= 0.07 && v <= vr) return k
    if (k < 0 || (us < 0.013 && v > us)) continue
    const logAccept = Math.log(v) + Math.log(inverseAlpha) - Math.log(a / (us * us) + b)
    if (logAccept <= k * logRate - rate - logFactorial(k)) return k
  }
}

/** log k!: the sum of logarithms up to 15, Stirling's series beyond, to about 1e-15 relative. */
function logFactorial(k: number): number {
  if (k < 16) {
    let factorial = 1
    for (let i = 2; i <= k; i++) factorial *= i
    return Math.log(factorial)
  }
  const x = k + 1
  const inverse = 1 / x
  const square = inverse * inverse
  const series =
    inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))))
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series
}

export interface MultinomialOptions {
  /** Draw categories independently, so that one may come up again. */
  replacement?: boolean
  /** The weights' tensor is a transposed one, so that the exponentials are drawn column by column. */
  transposed?: boolean
}

/** Above this float32 numbers could not count the categories. */
const mostCategories = 2 ** 24

/**
 * Draws `samples` categories for each row of weights, as `torch.multinomial`.
 * @param weights `rows * categories` numbers that are not negative, row by row; they need not sum to 1
 * @param dtype that of the weights, in which their ratios and sums are rounded
 * @returns `rows * samples` categories, row by row.
 * @throws RuntimeError where the weights are no distribution, or are fewer than the samples without replacement.
 */
export function multinomial(
  gen: Generator,
  weights: ArrayLike<number>,
  dtype: DType,
  rows: number,
  categories: number,
  samples: number,
  options: MultinomialOptions = {},
): BigInt64Array {
  const { replacement = false, transposed = false } = options
  check(
    dtype.isFloatingPoint,
    () => `multinomial only supports floating-point dtypes for input, got: ${scalarTypeName(dtype)}`,
  )
  check(samples > 0, () => 'cannot sample n_sample <= 0 samples')
  check(
    replacement || samples <= categories,
    () => 'cannot sample n_sample > prob_dist.size(-1) samples without replacement',
  )
  check(categories <= mostCategories, () => 'number of categories cannot exceed 2^24')
  const out = new BigInt64Array(rows * samples)
  if (rows === 0) return out
  // Low halves are enough: categories are below 2^24.
  const low = new Int32Array(out.buffer)
  if (replacement && samples > 1) withReplacement(gen, weights, dtype, rows, categories, samples, low)
  else withoutReplacement(gen, weights, dtype, rows, categories, samples, transposed, low)
  return out
}

/** The categories with the largest quotients of weight and an exponential sample (Efraimidis and Spirakis, 2006). */
function withoutReplacement(
  gen: Generator,
  weights: ArrayLike<number>,
  dtype: DType,
  rows: number,
  categories: number,
  samples: number,
  transposed: boolean,
  out: Int32Array,
): void {
  const n = rows * categories
  for (let i = 0; i < n; i++)
    check(
      weights[i] >= 0 && weights[i] < Infinity,
      () => 'probability tensor contains either `inf`, `nan` or element < 0',
    )
  for (let row = 0; row < rows; row++) {
    let isZero = true
    for (let j = 0; j < categories && isZero; j++) isZero = weights[row * categories + j] === 0
    check(!isZero, () => 'invalid multinomial distribution (sum of probabilities <= 0)')
  }
  const drawn = floatSamples(n, dtype)
  const engine = gen.engine
  for (let i = 0; i < n; i++) drawn[i] = -Math.log1p(-engine.uniform53())
  roundSamples(drawn, dtype)
  const ratios = floatSamples(n, dtype)
  for (let row = 0; row < rows; row++)
    for (let j = 0; j < categories; j++) {
      const i = row * categories + j
      ratios[i] = weights[i] / drawn[transposed ? j * rows + row : i]
    }
  roundSamples(ratios, dtype)
  for (let row = 0; row < rows; row++) {
    const start = row * categories
    const order =
      samples === 1 ? [argmax(ratios, start, categories)] : largestIndices(ratios, start, categories, samples)
    for (let j = 0; j < samples; j++) out[2 * (row * samples + j)] = order[j]
  }
}

/** The index of the first largest of `count` elements from `start` on, where NaN exceeds all. */
function argmax(values: FloatSamples, start: number, count: number): number {
  let best = 0
  for (let i = 0; i < count; i++) {
    const value = values[start + i]
    if (Number.isNaN(value)) return i
    if (value > values[start + best]) best = i
  }
  return best
}

/** Binary search of uniform samples in the running sums of the weights. */
function withReplacement(
  gen: Generator,
  weights: ArrayLike<number>,
  dtype: DType,
  rows: number,
  categories: number,
  samples: number,
  out: Int32Array,
): void {
  const engine = gen.engine
  const sums = floatSamples(categories, dtype)
  for (let row = 0; row < rows; row++) {
    let sum = 0
    for (let j = 0; j < categories; j++) {
      const weight = weights[row * categories + j]
      check(weight >= 0, () => 'invalid multinomial distribution (encountering probability entry < 0)')
      check(
        weight < Infinity,
        () => 'invalid multinomial distribution (encountering probability entry = infinity or NaN)',
      )
      sum = roundToCompute(sum + weight, dtype)
      sums[j] = sum
    }
    if (!(sum > 0)) throw new RuntimeError('invalid multinomial distribution (sum of probabilities <= 0)')
    for (let j = 0; j < categories; j++) sums[j] /= sum
    sums[categories - 1] = 1
    for (let j = 0; j < samples; j++) {
      const target = engine.uniform53()
      let low = 0
      let high = categories
      while (low < high) {
        const middle = (low + high) >> 1
        if (sums[middle] < target) low = middle + 1
        else high = middle
      }
      out[2 * (row * samples + j)] = low
    }
  }
}
