// Filling tensors with random numbers: how samples reach memory, and the methods uniform_, normal_, random_, ...
// Samples are drawn in the order of memory, so a transposed tensor is filled along its longest strides first.

import { hostStep } from '../backends/recording.ts'
import { cpu } from '../core/device.ts'
import { realOf } from '../core/dtype.ts'
import { TypeError_ } from '../core/errors.ts'
import { denseStridesLike, isNonOverlappingAndDense } from '../core/shape.ts'
import type { Samples } from '../random/distributions.ts'
import * as draw from '../random/distributions.ts'
import { defaultGenerator, Generator } from '../random/generator.ts'
import { data, writeData } from '../tensor/data.ts'
import { Tensor } from '../tensor/tensor.ts'
import { copyRaw, to } from './conversion.ts'
import { zerosLike } from './creation.ts'
import { emptyTensor } from './launch.ts'
import {
  applyInPlace,
  checkOptions,
  checkTensor,
  describe,
  type FunctionInfo,
  fn,
  isOptions,
  type Op,
} from './op.ts'
import { checkWritable } from './pointwise.ts'
import { expand, viewAsReal } from './views.ts'

/** Which generator to draw from. */
export interface GeneratorOption {
  /** Default: the generator that `manualSeed` seeds. */
  generator?: Generator | null
}

/** The generator of the options, or the default one. Throws a TypeError for anything else. */
export function generatorOf(name: string, { generator }: GeneratorOption): Generator {
  if (generator === undefined || generator === null) return defaultGenerator
  if (!(generator instanceof Generator))
    throw new TypeError_(
      `${name}(): argument 'generator' must be torch.Generator, not ${describe(generator)}`,
    )
  return generator
}

// ---- samples into memory --------------------------------------------------------------------------------------------

/** Writes as many samples as a tensor has elements to it, in the order of memory. */
function writeSamples(x: Tensor, samples: Samples | Uint8Array): void {
  // The half types are encoded from float32.
  const values =
    x.dtype.itemsize === 2 && samples instanceof Uint8Array ? Float32Array.from(samples) : samples
  if (x.device.type === 'cpu' && isNonOverlappingAndDense(x.sizes, x.strides)) {
    writeData(new Tensor(x.storage, [samples.length], [1], x.offset, x.dtype), values)
    return
  }
  const dense = emptyTensor(x.sizes, x.dtype, cpu, denseStridesLike(x.sizes, x.strides))
  writeSamples(dense, values)
  copyRaw(x, x.device.type === 'cpu' ? dense : to(dense, x.device))
}

/**
 * Fills a tensor with what `samples` draws, in the order of memory, without a word to autograd. On `meta` nothing is
 * drawn.
 * @param samples gets the number of elements (of a complex tensor twice as many, for its parts), and whether they lie in C order without gaps, on which PyTorch's choice
 *   of algorithm for normal samples depends.
 */
export function fillRandom(
  x: Tensor,
  samples: (n: number, contiguous: boolean) => Samples | Uint8Array,
): Tensor {
  if (x.device.type === 'meta') return x
  const parts = x.dtype.isComplex ? viewAsReal(x.detach()) : x
  hostStep(() => writeSamples(parts, samples(parts.numel(), parts.isContiguous())))
  return x
}

/** The elements of `x`, broadcast to the shape of `target`, in the order of the memory of `target`. */
function elementsInOrderOf(target: Tensor, x: Tensor): ArrayLike<number> {
  const { sizes, strides, offset, storage, dtype } = expand(x, target.sizes)
  const dense = denseStridesLike(target.sizes, target.strides)
  const order = sizes.map((_, dim) => dim).sort((a, b) => dense[b] - dense[a] || a - b)
  const permuted = new Tensor(
    storage,
    order.map((dim) => sizes[dim]),
    order.map((dim) => strides[dim]),
    offset,
    dtype,
  )
  return data(permuted) as Float64Array
}

// ---- methods --------------------------------------------------------------------------------------------------------

const ops = new Map<string, Op<null>>()

/** Replacing all elements by samples: nothing of the old contents reaches the result. */
function fillOp(node: string): Op<null> {
  let op = ops.get(node)
  if (op === undefined) {
    op = { node, forward: ([self]) => self, backward: ([g]) => [zerosLike(g!)] }
    ops.set(node, op)
  }
  return op
}

function fill(
  name: string,
  node: string,
  x: Tensor,
  samples: (n: number, contiguous: boolean) => Samples | Uint8Array,
): Tensor {
  checkTensor(name, 'input', x)
  checkWritable(x)
  return applyInPlace(fillOp(node), [x], null, () => fillRandom(x, samples))
}

/** The arguments of a fill with two parameters: by position, in the options, or mixed. */
export type TwoParameters<Options> =
  | [options?: Options & GeneratorOption]
  | [first: number, options?: Options & GeneratorOption]
  | [first: number, second: number, options?: GeneratorOption]

export interface Uniform extends FunctionInfo {
  (x: Tensor, ...args: TwoParameters<{ from?: number; to?: number }>): Tensor
}

const uniform_ = fn<Uniform>(
  'uniform_',
  ['input'],
  ['from', 'to', 'generator'],
  (x: Tensor, { from = 0, to = 1, ...rest }: { from?: number; to?: number } & GeneratorOption) => {
    const generator = generatorOf('uniform_', rest)
    return fill('uniform_', 'UniformBackward0', x, (n) =>
      draw.uniform(generator, n, realOf(x.dtype), from, to),
    )
  },
)

export interface Normal extends FunctionInfo {
  (x: Tensor, ...args: TwoParameters<{ mean?: number; std?: number }>): Tensor
}

interface MeanAndStd extends GeneratorOption {
  mean?: number
  std?: number
}

const normal_ = fn<Normal>(
  'normal_',
  ['input'],
  ['mean', 'std', 'generator'],
  (x: Tensor, { mean = 0, std = 1, ...rest }: MeanAndStd) => {
    const generator = generatorOf('normal_', rest)
    return fill('normal_', 'NormalBackward0', x, (n, contiguous) =>
      draw.normal(
        generator,
        n,
        realOf(x.dtype),
        mean,
        x.dtype.isComplex ? std / Math.SQRT2 : std,
        contiguous,
      ),
    )
  },
)

const logNormal_ = fn<Normal>(
  'log_normal_',
  ['input'],
  ['mean', 'std', 'generator'],
  (x: Tensor, { mean = 1, std = 2, ...rest }: MeanAndStd) => {
    const generator = generatorOf('log_normal_', rest)
    return fill('log_normal_', 'LogNormalBackward0', x, (n) =>
      draw.logNormal(generator, n, x.dtype, mean, std),
    )
  },
)

export interface Cauchy extends FunctionInfo {
  (x: Tensor, ...args: TwoParameters<{ median?: number; sigma?: number }>): Tensor
}

const cauchy_ = fn<Cauchy>(
  'cauchy_',
  ['input'],
  ['median', 'sigma', 'generator'],
  (x: Tensor, { median = 0, sigma = 1, ...rest }: { median?: number; sigma?: number } & GeneratorOption) => {
    const generator = generatorOf('cauchy_', rest)
    return fill('cauchy_', 'CauchyBackward0', x, (n) => draw.cauchy(generator, n, x.dtype, median, sigma))
  },
)

export interface Exponential extends FunctionInfo {
  (
    x: Tensor,
    ...args: [options?: { lambd?: number } & GeneratorOption] | [lambd: number, options?: GeneratorOption]
  ): Tensor
}

const exponential_ = fn<Exponential>(
  'exponential_',
  ['input'],
  ['lambd', 'generator'],
  (x: Tensor, { lambd = 1, ...rest }: { lambd?: number } & GeneratorOption) => {
    const generator = generatorOf('exponential_', rest)
    return fill('exponential_', 'ExponentialBackward0', x, (n) =>
      draw.exponential(generator, n, x.dtype, lambd),
    )
  },
  { positional: 1 },
)

export interface Geometric extends FunctionInfo {
  (x: Tensor, p: number, options?: GeneratorOption): Tensor
}

const geometric_ = fn<Geometric>(
  'geometric_',
  ['input', 'p'],
  ['generator'],
  (x: Tensor, p: number, options: GeneratorOption) => {
    const generator = generatorOf('geometric_', options)
    return fill('geometric_', 'GeometricBackward0', x, (n) => draw.geometric(generator, n, x.dtype, p))
  },
  { positional: 0 },
)

export interface BernoulliFill extends FunctionInfo {
  (
    x: Tensor,
    ...args:
      | [options?: { p?: number | Tensor } & GeneratorOption]
      | [p: number | Tensor, options?: GeneratorOption]
  ): Tensor
}

const bernoulli_ = fn<BernoulliFill>(
  'bernoulli_',
  ['input'],
  ['p', 'generator'],
  (x: Tensor, { p = 0.5, ...rest }: { p?: number | Tensor } & GeneratorOption) => {
    const generator = generatorOf('bernoulli_', rest)
    if (p instanceof Tensor)
      return fill('bernoulli_', 'BernoulliBackward1', x, () =>
        draw.bernoulliFrom(generator, elementsInOrderOf(x, p), p.dtype),
      )
    return fill('bernoulli_', 'BernoulliBackward2', x, (n) => draw.bernoulli(generator, n, p))
  },
  { positional: 1 },
)

type Integer = number | bigint

export interface RandomFill extends FunctionInfo {
  (
    x: Tensor,
    ...args:
      | [options?: { from?: Integer; to?: Integer | null } & GeneratorOption]
      | [to: Integer, options?: GeneratorOption]
      | [from: Integer, to: Integer | null, options?: GeneratorOption]
  ): Tensor
}

// Not by `fn`: a single number is the second parameter, not the first.
const random_: RandomFill = Object.assign(
  (x: Tensor, ...args: unknown[]) => {
    const last = args[args.length - 1]
    const options = (isOptions(last) ? last : {}) as { from?: Integer; to?: Integer | null } & GeneratorOption
    const numbers = (isOptions(last) ? args.slice(0, -1) : args) as (Integer | null)[]
    checkOptions('random_', options as Record<string, unknown>, random_.optional)
    if (numbers.length > 2)
      throw new TypeError_(`random_() takes 1 to 3 arguments but ${numbers.length + 1} were given`)
    let { from, to } = options
    if (numbers.length === 1) to = numbers[0]
    else if (numbers.length === 2) [from, to] = numbers as [Integer, Integer | null]
    const generator = generatorOf('random_', options)
    const node =
      to === undefined ? 'RandomBackward2' : from === undefined ? 'RandomBackward1' : 'RandomBackward0'
    const bounded = from !== undefined || (to !== undefined && to !== null)
    return fill('random_', node, x, (n) =>
      bounded
        ? draw.randomIntegers(generator, n, x.dtype, from ?? 0, to)
        : draw.randomIntegers(generator, n, x.dtype),
    )
  },
  { required: ['input'], optional: ['from', 'to', 'generator'], method: true },
)

/** The methods that replace a tensor's elements by random numbers; each returns the tensor. */
export const randomInPlace: {
  /** Uniform samples on [from, to), by default [0, 1). Throws for dtypes that are not floating. */
  readonly uniform_: Uniform
  /** Normal samples with `mean` (0) and `std` (1). Throws for a negative `std`, dtypes that are not floating. */
  readonly normal_: Normal
  /**
   * Integers in [from, to): `random_(to)` from 0, `random_(from, null)` up to the largest, `random_()` all that the
   * dtype holds exactly and that are not negative. Throws where the range is empty or beyond the dtype.
   */
  readonly random_: RandomFill
  /** Exponential samples of rate `lambd` (1). Throws where it is not positive, for dtypes that are not floating. */
  readonly exponential_: Exponential
  /** Samples whose logarithm is normal with `mean` (1) and `std` (2). */
  readonly logNormal_: Normal
  /** The number of trials up to the first success, of probability `p` in (0, 1). */
  readonly geometric_: Geometric
  /** Cauchy samples around `median` (0) of half width `sigma` (1). */
  readonly cauchy_: Cauchy
  /** Ones with probability `p` (0.5, or a floating tensor that broadcasts to this one), else zeros. */
  readonly bernoulli_: BernoulliFill
} = { uniform_, normal_, random_, exponential_, logNormal_, geometric_, cauchy_, bernoulli_ }
