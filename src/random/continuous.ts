// Samples of continuous distributions, drawn in the order of memory into typed arrays, as PyTorch's CPU kernels do.

import { type DType, scalarTypeName } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import {
  check,
  cppNumber,
  cppTypeName,
  type FloatSamples,
  floatSamples,
  largest,
  requireFloating,
  roundSamples,
  roundTo,
  roundToCompute,
} from './checks.ts'
import { fma } from './fma.ts'
import type { Generator } from './generator.ts'
import { fillNormalBlocks32, fillNormalBlocks64, fillNormalOneByOne, standardNormal } from './normal.ts'

/**
 * `n` samples of the uniform distribution on [from, to), as `uniform_`.
 * @throws RuntimeError where the bounds are not in order or beyond the dtype, NotImplementedError where the dtype is
 *   not floating.
 */
export function uniform(gen: Generator, n: number, dtype: DType, from = 0, to = 1): FloatSamples {
  requireFloating(dtype, 'check_uniform_bounds')
  const max = largest(dtype)
  check(from >= -max && from <= max, () => `from is out of bounds for ${cppTypeName(dtype)}`)
  check(to >= -max && to <= max, () => `to is out of bounds for ${cppTypeName(dtype)}`)
  check(
    from <= to,
    () =>
      `uniform_ expects to return a [from, to) range, but found from=${cppNumber(from)} > to=${cppNumber(to)}`,
  )
  check(
    to - from <= max,
    () =>
      `uniform_ expects to-from <= std::numeric_limits<${scalarTypeName(dtype)}>::max(), but found ` +
      `to=${cppNumber(to)} and from=${cppNumber(from)} which result in to-from to exceed the limit`,
  )
  if (dtype.name === 'float64') {
    const out = new Float64Array(n)
    fillUniform64(gen, out, from, to)
    return out
  }
  const out = new Float32Array(n)
  fillUniform32(gen, out, Math.fround(from), Math.fround(to))
  roundSamples(out, dtype)
  // Rounding may reach the upper bound, which is not in the range.
  const first = roundTo(from, dtype)
  const last = roundTo(to, dtype)
  if (first !== 0 || last !== 1 || dtype.name !== 'float32')
    for (let i = 0; i < n; i++) if (out[i] === last) out[i] = first
  return out
}

function fillUniform32(gen: Generator, out: Float32Array, from: number, to: number): void {
  const engine = gen.engine
  const words = engine.outputs
  const scale = Math.fround(to - from) * 2 ** -24
  const n = out.length
  let i = 0
  while (i < n) {
    if (engine.next === engine.end) engine.refill()
    let next = engine.next
    const stop = Math.min(n, i + engine.end - next)
    while (i < stop) out[i++] = (words[next++] & 0xffffff) * scale + from
    engine.next = next
  }
}

function fillUniform64(gen: Generator, out: Float64Array, from: number, to: number): void {
  const engine = gen.engine
  const range = to - from
  if (from === 0) for (let i = 0; i < out.length; i++) out[i] = engine.uniform53() * range
  else for (let i = 0; i < out.length; i++) out[i] = fma(engine.uniform53(), range, from)
  if (from !== 0 || to !== 1) for (let i = 0; i < out.length; i++) if (out[i] === to) out[i] = from
}

/**
 * `n` samples of the normal distribution, as `normal_`.
 * @param contiguous whether the tensor they are for is contiguous: from 16 elements on it decides the algorithm.
 * @throws RuntimeError where `std` is negative, NotImplementedError where the dtype is not floating.
 */
export function normal(
  gen: Generator,
  n: number,
  dtype: DType,
  mean = 0,
  std = 1,
  contiguous = true,
): FloatSamples {
  check(std >= 0, () => `normal expects std >= 0.0, but found std ${cppNumber(std)}`)
  if (n === 0) return floatSamples(0, dtype)
  requireFloating(dtype, 'normal_kernel_cpu')
  const out = floatSamples(n, dtype)
  if (n < 16 || !contiguous) fillNormalOneByOne(gen, out, mean, std)
  else if (out instanceof Float64Array) fillNormalBlocks64(gen, out, mean, std)
  else fillNormalBlocks32(gen, out, mean, std, dtype.name === 'float32')
  return roundSamples(out, dtype)
}

/**
 * `n` normal samples, each with its own mean or standard deviation, as `torch.normal` with tensors: standard samples,
 * then multiplied and shifted with a rounding each.
 * @param mean one number for all, or `n` of them in the order of the result
 * @param std likewise
 * @throws RuntimeError where an element of `std` is negative.
 */
export function normalFrom(
  gen: Generator,
  n: number,
  dtype: DType,
  mean: number | ArrayLike<number>,
  std: number | ArrayLike<number>,
): FloatSamples {
  if (typeof std !== 'number')
    for (let i = 0; i < std.length; i++) check(std[i] >= 0, () => 'normal expects all elements of std >= 0.0')
  const out = normal(gen, n, dtype, 0, typeof std === 'number' ? std : 1)
  if (typeof std !== 'number') {
    for (let i = 0; i < n; i++) out[i] *= std[i]
    roundSamples(out, dtype)
  }
  if (typeof mean === 'number') {
    const shift = roundTo(mean, dtype)
    for (let i = 0; i < n; i++) out[i] += shift
  } else for (let i = 0; i < n; i++) out[i] += mean[i]
  return roundSamples(out, dtype)
}

/**
 * `n` samples of the exponential distribution with rate `lambda`, as `exponential_`.
 * @throws RuntimeError where `lambda` is not positive or the dtype is not floating.
 */
export function exponential(gen: Generator, n: number, dtype: DType, lambda = 1): FloatSamples {
  check(lambda > 0, () => `exponential_ expects lambda > 0.0, but found lambda=${cppNumber(lambda)}`)
  requireContinuous(dtype, 'Exponential', scalarTypeName(dtype))
  const out = floatSamples(n, dtype)
  const engine = gen.engine
  const factor = -1 / lambda
  for (let i = 0; i < n; i++) out[i] = factor * Math.log1p(-engine.uniform53())
  return roundSamples(out, dtype)
}

/**
 * `n` samples of the standard Gumbel distribution, -log of exponential samples with a rounding each, as
 * `gumbel_softmax` draws them.
 */
export function gumbel(gen: Generator, n: number, dtype: DType): FloatSamples {
  const out = exponential(gen, n, dtype)
  for (let i = 0; i < n; i++) out[i] = -Math.log(out[i])
  return roundSamples(out, dtype)
}

/**
 * `n` samples whose logarithm is normal with `mean` and `std`, as `log_normal_`.
 * @throws RuntimeError where `std` is not positive, NotImplementedError where the dtype is not floating.
 */
export function logNormal(gen: Generator, n: number, dtype: DType, mean = 1, std = 2): FloatSamples {
  check(std > 0, () => `log_normal_ expects std > 0.0, but found std=${cppNumber(std)}`)
  requireFloating(dtype, 'log_normal_cpu')
  const out = floatSamples(n, dtype)
  for (let i = 0; i < n; i++) out[i] = Math.exp(fma(standardNormal(gen), std, mean))
  return roundSamples(out, dtype)
}

/**
 * `n` samples of the Cauchy distribution, as `cauchy_`.
 * @throws RuntimeError where `sigma` is not positive or the dtype is not floating.
 */
export function cauchy(gen: Generator, n: number, dtype: DType, median = 0, sigma = 1): FloatSamples {
  check(sigma > 0, () => `cauchy_ expects sigma > 0.0, but found sigma=${cppNumber(sigma)}`)
  requireContinuous(dtype, 'Cauchy', cppTypeName(dtype))
  const out = floatSamples(n, dtype)
  const engine = gen.engine
  for (let i = 0; i < n; i++) out[i] = fma(sigma, Math.tan(Math.PI * (engine.uniform53() - 0.5)), median)
  return roundSamples(out, dtype)
}

function requireContinuous(dtype: DType, distribution: string, typeName: string): void {
  check(
    dtype.isFloatingPoint,
    () =>
      `${distribution} distribution is a continuous probability distribution. ` +
      `dtype must be a floating point but you specified ${typeName}`,
  )
}

/**
 * `n` samples of the normal distribution cut to [a, b], as `nn.init.trunc_normal_`: by rejection, whole tensors at a
 * time. Where [a, b] holds more than 0.3 of the mass the candidates are normal, otherwise uniform.
 * @param contiguous see `normal`
 * @throws RuntimeError where `std` is zero or negative or `a` > `b`. (PyTorch fails only later on some of these.)
 */
export function truncNormal(
  gen: Generator,
  n: number,
  dtype: DType,
  mean = 0,
  std = 1,
  a = -2,
  b = 2,
  contiguous = true,
): FloatSamples {
  requireFloating(dtype, 'normal_kernel_cpu')
  if (!(std > 0)) throw new RuntimeError(`trunc_normal_ expects std > 0, but found std=${cppNumber(std)}`)
  const mass = normalCdf((b - mean) / std) - normalCdf((a - mean) / std)
  return mass > 0.3
    ? truncNormalByNormal(gen, n, dtype, mean, std, a, b, contiguous)
    : truncNormalByUniform(gen, n, dtype, mean, std, a, b)
}

function truncNormalByNormal(
  gen: Generator,
  n: number,
  dtype: DType,
  mean: number,
  std: number,
  a: number,
  b: number,
  contiguous: boolean,
): FloatSamples {
  const low = roundTo(a, dtype)
  const high = roundTo(b, dtype)
  const out = normal(gen, n, dtype, mean, std, contiguous)
  for (;;) {
    let outside = 0
    for (let i = 0; i < n; i++) if (out[i] < low || out[i] > high) outside++
    if (outside === 0) return out
    const fresh = normal(gen, n, dtype, mean, std, contiguous)
    for (let i = 0; i < n; i++) if (out[i] < low || out[i] > high) out[i] = fresh[i]
  }
}

function truncNormalByUniform(
  gen: Generator,
  n: number,
  dtype: DType,
  mean: number,
  std: number,
  a: number,
  b: number,
): FloatSamples {
  const mode = Math.max(a, Math.min(mean, b))
  // As PyTorch's operators take numbers: a term is rounded to the dtype first, a divisor only to float32.
  const logPeak = roundTo(-0.5 * ((mode - mean) / std) ** 2, dtype)
  const shift = roundTo(mean, dtype)
  const scale = roundToCompute(std, dtype)
  const out = floatSamples(n, dtype)
  const pending = new Uint8Array(n).fill(1)
  let left = n
  while (left > 0) {
    const candidates = uniform(gen, n, dtype, a, b)
    const accept = uniform(gen, n, dtype)
    for (let i = 0; i < n; i++) {
      if (pending[i] === 0) continue
      out[i] = candidates[i]
      let density = roundTo(candidates[i] - shift, dtype)
      density = roundTo(density / scale, dtype)
      density = roundTo(density * density, dtype)
      density = roundTo(density * -0.5, dtype)
      density = roundTo(density - logPeak, dtype)
      if (roundTo(Math.log(accept[i]), dtype) > density) continue
      pending[i] = 0
      left--
    }
  }
  return out
}

/** The standard normal distribution function. */
function normalCdf(x: number): number {
  return (1 + erf(x / Math.SQRT2)) / 2
}

/** The error function, to about 1e-15: its Taylor series up to 3, the continued fraction of erfc beyond. */
function erf(x: number): number {
  const z = Math.abs(x)
  if (Number.isNaN(z)) return NaN
  if (z > 6) return Math.sign(x)
  if (z < 3) {
    // erf z = 2/sqrt(pi) exp(-z^2) sum over k of 2^k z^(2k+1) / (1 3 5 ... (2k+1)), all terms positive
    let term = z
    let sum = z
    for (let k = 1; term > sum * 1e-17; k++) {
      term *= (2 * z * z) / (2 * k + 1)
      sum += term
    }
    return ((Math.sign(x) * 2) / Math.sqrt(Math.PI)) * Math.exp(-z * z) * sum
  }
  // erfc z = exp(-z^2)/sqrt(pi) / (z + (1/2)/(z + 1/(z + (3/2)/(z + ...))))
  let fraction = z
  for (let k = 60; k > 0; k--) fraction = z + k / 2 / fraction
  return Math.sign(x) * (1 - Math.exp(-z * z) / Math.sqrt(Math.PI) / fraction)
}
