// Random tensors: rand, randn, randint, randperm and their kin, sampling from given distributions, and the state of
// the default generator. The same seed and the same calls give PyTorch's numbers.

import { cpu, type Device } from '../core/device.ts'
import { type DType, getDefaultDtype, int64, realOf } from '../core/dtype.ts'
import { RuntimeError, TypeError_ } from '../core/errors.ts'
import { broadcastSizes, contiguousStrides, denseStridesLike, isContiguous } from '../core/shape.ts'
import type { Samples } from '../random/distributions.ts'
import * as draw from '../random/distributions.ts'
import { defaultGenerator, type Generator } from '../random/generator.ts'
import { data, writeData } from '../tensor/data.ts'
import { Tensor } from '../tensor/tensor.ts'
import { to } from './conversion.ts'
import {
  checkSizes,
  fullTensor,
  resolveOptions,
  type SizesFunction,
  sizesFunction,
  type TensorOptions,
  tensorOptionNames,
} from './creation.ts'
import { needHost } from './host.ts'
import { emptyTensor } from './launch.ts'
import {
  apply,
  checkOptions,
  checkTensor,
  describe,
  type FunctionInfo,
  fn,
  isOptions,
  type Op,
} from './op.ts'
import { fillRandom, type GeneratorOption, generatorOf } from './random-in-place.ts'
import { expand } from './views.ts'

export { defaultGenerator, Generator, initialSeed, manualSeed, seed } from '../random/generator.ts'
export type { GeneratorOption } from './random-in-place.ts'

// ---- the default generator ------------------------------------------------------------------------------------------

/** The default generator's state, a uint8 tensor of 5056 elements that PyTorch's `set_rng_state` takes too. */
export function getRngState(): Tensor {
  return defaultGenerator.getState()
}

/**
 * Puts the default generator back into a state from `getRngState`, here or in PyTorch.
 * @throws TypeError where `state` is no uint8 tensor, RuntimeError where it holds no state.
 */
export function setRngState(state: Tensor | Uint8Array): void {
  defaultGenerator.setState(state)
}

/**
 * Runs `body` and puts the default generator back into the state from before; where `body` returns a promise, when
 * that settles. Returns what `body` returns.
 */
export function forkRng<R>(body: () => R): R {
  const state = defaultGenerator.stateBytes()
  const restore = () => {
    defaultGenerator.setState(state)
  }
  let result: R
  try {
    result = body()
  } catch (error) {
    restore()
    throw error
  }
  if (result instanceof Promise) return result.finally(restore) as R
  restore()
  return result
}

// ---- by size --------------------------------------------------------------------------------------------------------

/** Options of a function that makes a random tensor. */
export interface RandomOptions extends TensorOptions, GeneratorOption {}

const randomOptionNames: readonly string[] = [...tensorOptionNames, 'generator']

/** `rand(2, 3)`, `rand([2, 3])`, each with options. */
export interface RandomSizesFunction
  extends Pick<SizesFunction, 'variadic' | 'required' | 'optional' | 'method'> {
  (...sizes: number[]): Tensor
  (...sizesAndOptions: [...number[], RandomOptions]): Tensor
  (sizes: readonly number[], options?: RandomOptions): Tensor
}

/** A new tensor filled with what `samples` draws. */
function filled(
  sizes: readonly number[],
  dtype: DType,
  device: Device,
  requiresGrad: boolean,
  samples: (n: number, contiguous: boolean) => Samples | Uint8Array,
  strides: readonly number[] = contiguousStrides(sizes),
): Tensor {
  return fillRandom(emptyTensor(sizes, dtype, device, strides), samples).requiresGrad_(requiresGrad)
}

type Sampler = (generator: Generator, n: number, dtype: DType, contiguous: boolean) => Samples

const uniformSamples: Sampler = (generator, n, dtype) => draw.uniform(generator, n, realOf(dtype))
// Of a complex number each part has half of the variance.
const normalSamples: Sampler = (generator, n, dtype, contiguous) =>
  draw.normal(generator, n, realOf(dtype), 0, dtype.isComplex ? 1 / Math.SQRT2 : 1, contiguous)

function bySize(name: string, sampler: Sampler): RandomSizesFunction {
  return sizesFunction<RandomOptions>(
    name,
    (sizes, options) => {
      const { dtype, device, requiresGrad } = resolveOptions(name, options, getDefaultDtype())
      const generator = generatorOf(name, options)
      return filled(sizes, dtype, device, requiresGrad, (n, contiguous) =>
        sampler(generator, n, dtype, contiguous),
      )
    },
    ['generator'],
  ) as RandomSizesFunction
}

/** Uniform samples on [0, 1): `torch.rand(2, 3)`. Throws NotImplementedError for dtypes that are not floating. */
export const rand: RandomSizesFunction = bySize('rand', uniformSamples)
/** Standard normal samples. Throws NotImplementedError for dtypes that are not floating. */
export const randn: RandomSizesFunction = bySize('randn', normalSamples)

/** A bound of random integers; a bigint where no number holds it. */
type Bound = number | bigint

/** `randint(high, sizes)` and `randint(low, high, sizes)`, with options. */
export interface Randint extends FunctionInfo {
  (high: Bound, sizes: readonly number[], options?: RandomOptions): Tensor
  (low: Bound, high: Bound, sizes: readonly number[], options?: RandomOptions): Tensor
}

/**
 * Integers in [low, high), int64 unless `dtype` says otherwise: `torch.randint(0, 10, [2, 3])`; `low` is 0 if left out.
 * @throws RuntimeError where the range is empty or beyond the dtype, TypeError where there are no sizes.
 */
export const randint: Randint = Object.assign(
  (...args: unknown[]): Tensor => {
    const { numbers, options } = splitArguments('randint', args)
    const sizes = numbers.pop()
    if (!Array.isArray(sizes))
      throw new TypeError_(
        `randint(): argument 'size' must be an array of integers, not ${describe(sizes)}; ` +
          'write randint(low, high, [2, 3])',
      )
    const [low, high] = integerBounds('randint', numbers)
    const { dtype, device, requiresGrad } = resolveOptions('randint', options, int64)
    const generator = generatorOf('randint', options)
    return filled(checkSizes('randint', [sizes]), dtype, device, requiresGrad, (n) =>
      draw.randint(generator, n, dtype, low, high),
    )
  },
  { required: ['low', 'high', 'size'], optional: randomOptionNames, method: false },
)

function splitArguments(
  name: string,
  args: readonly unknown[],
): { numbers: unknown[]; options: RandomOptions } {
  const last = args[args.length - 1]
  if (!isOptions(last)) return { numbers: [...args], options: {} }
  checkOptions(name, last, randomOptionNames)
  return { numbers: args.slice(0, -1), options: last }
}

/** `low` and `high` of one or two arguments. */
function integerBounds(name: string, args: readonly unknown[]): [Bound, Bound] {
  if (args.length < 1 || args.length > 2)
    throw new TypeError_(`${name}() takes one or two bounds, ${args.length} were given`)
  const bounds = args.map((bound) => {
    if (typeof bound === 'bigint' || (typeof bound === 'number' && Number.isInteger(bound))) return bound
    throw new TypeError_(
      `${name}(): argument '${args.length === 2 && bound === args[0] ? 'low' : 'high'}' must be int, not ${describe(bound)}`,
    )
  })
  return bounds.length === 1 ? [0, bounds[0]] : [bounds[0], bounds[1]]
}

/** `randperm(n)`, with options. */
export interface Randperm extends FunctionInfo {
  (n: number, options?: RandomOptions): Tensor
}

/**
 * A random permutation of 0 to n - 1, int64 unless `dtype` says otherwise.
 * @throws RuntimeError where `n` is negative or the dtype cannot hold n - 1.
 */
export const randperm: Randperm = fn<Randperm>(
  'randperm',
  ['n'],
  randomOptionNames,
  (n: number, options: RandomOptions) => {
    if (!Number.isInteger(n)) throw new TypeError_(`randperm(): argument 'n' must be int, not ${describe(n)}`)
    const { dtype, device, requiresGrad } = resolveOptions('randperm', options, int64)
    const generator = generatorOf('randperm', options)
    if (n < 0) throw new RuntimeError(`Trying to create tensor with negative dimension ${n}: [${n}]`)
    return filled([n], dtype, device, requiresGrad, () => draw.randperm(generator, n, dtype))
  },
  { method: false, positional: 0 },
)

// ---- like others ----------------------------------------------------------------------------------------------------

/** `randLike(x)`, with options. */
export interface RandomLike extends FunctionInfo {
  (x: Tensor, options?: RandomOptions): Tensor
}

function filledLike(name: string, x: Tensor, options: RandomOptions, sampler: Sampler): Tensor {
  checkTensor(name, 'input', x)
  const { dtype, device, requiresGrad } = resolveOptions(name, { device: x.device, ...options }, x.dtype)
  const generator = generatorOf(name, options)
  return filled(
    x.sizes,
    dtype,
    device,
    requiresGrad,
    (n, contiguous) => sampler(generator, n, dtype, contiguous),
    denseStridesLike(x.sizes, x.strides),
  )
}

function like(name: string, sampler: Sampler): RandomLike {
  return fn<RandomLike>(
    name,
    ['input'],
    randomOptionNames,
    (x: Tensor, options: RandomOptions) => filledLike(name, x, options, sampler),
    { method: false, positional: 0 },
  )
}

/** Uniform samples on [0, 1) in the shape, dtype and memory layout of a tensor. */
export const randLike: RandomLike = like('rand_like', uniformSamples)
/** Standard normal samples in the shape, dtype and memory layout of a tensor. */
export const randnLike: RandomLike = like('randn_like', normalSamples)

/** `randintLike(x, high)` and `randintLike(x, low, high)`, with options. */
export interface RandintLike extends FunctionInfo {
  (x: Tensor, high: Bound, options?: RandomOptions): Tensor
  (x: Tensor, low: Bound, high: Bound, options?: RandomOptions): Tensor
}

/**
 * Integers in [low, high), in the shape, dtype and memory layout of a tensor.
 * @throws RuntimeError where the range is empty or beyond the dtype.
 */
export const randintLike: RandintLike = Object.assign(
  (x: Tensor, ...args: unknown[]): Tensor => {
    const { numbers, options } = splitArguments('randint_like', args)
    const [low, high] = integerBounds('randint_like', numbers)
    return filledLike('randint_like', x, options, (generator, n, dtype) =>
      draw.randint(generator, n, dtype, low, high),
    )
  },
  { required: ['input', 'low', 'high'], optional: randomOptionNames, method: false },
)

// ---- from given distributions ---------------------------------------------------------------------------------------

const noGradient: Op<{ node: string; run: () => Tensor }> = {
  node: ({ node }) => node,
  forward: (_, { run }) => run(),
  // Samples do not depend smoothly on the parameters; PyTorch lets zeros flow.
  backward: ([g], { inputSizes, inputDTypes }) =>
    inputSizes.map((sizes, i) => fullTensor(sizes, 0, inputDTypes[i], g!.device)),
}

/** Samples whose distribution is given by tensors, from `samples`; index by index, whatever the tensors' layouts. */
function sampled(
  node: string,
  inputs: readonly Tensor[],
  sizes: readonly number[],
  dtype: DType,
  samples: (n: number) => Samples | Uint8Array,
): Tensor {
  const run = () => fillRandom(emptyTensor(sizes, dtype, inputs[0].device), samples)
  return apply(noGradient, inputs, { node, run })
}

/** Elements of a floating tensor, broadcast to `sizes`, in C order. */
function elements(x: Tensor, sizes: readonly number[] = x.sizes): ArrayLike<number> {
  return data(expand(needHost('random', x), sizes)) as Float64Array
}

/** The forms of `torch.normal`. */
export interface Normal extends FunctionInfo {
  (mean: Tensor, std?: Tensor | number, options?: GeneratorOption): Tensor
  (mean: number, std: Tensor, options?: GeneratorOption): Tensor
  (mean: number, std: number, sizes: readonly number[], options?: RandomOptions): Tensor
}

/**
 * Normal samples: with the mean and standard deviation of each element given by tensors (broadcast against each
 * other), or one for all and sizes: `torch.normal(0, 0.02, [3, 4])`.
 * @throws RuntimeError for a negative standard deviation, TypeError where sizes are missing or one too many.
 */
export const normal: Normal = Object.assign(
  (mean: Tensor | number, ...args: unknown[]): Tensor => {
    const { numbers, options } = splitArguments('normal', args)
    const std = (numbers[0] ?? 1) as Tensor | number
    for (const [what, value] of [
      ['mean', mean],
      ['std', std],
    ] as const)
      if (typeof value !== 'number') checkTensor('normal', what, value)
    const generator = generatorOf('normal', options)
    if (typeof mean === 'number' && typeof std === 'number') {
      if (!Array.isArray(numbers[1]))
        throw new TypeError_('normal(): two numbers need sizes: normal(mean, std, [2, 3])')
      const { dtype, device, requiresGrad } = resolveOptions('normal', options, getDefaultDtype())
      return filled(checkSizes('normal', [numbers[1]]), dtype, device, requiresGrad, (n, contiguous) =>
        draw.normal(generator, n, dtype, mean, std, contiguous),
      )
    }
    if (numbers.length > 1)
      throw new TypeError_('normal(): a tensor as mean or std has sizes of its own; leave the argument out')
    return normalFrom(generator, mean, std)
  },
  { required: ['mean', 'std', 'size'], optional: randomOptionNames, method: false },
)

function normalFrom(generator: Generator, mean: Tensor | number, std: Tensor | number): Tensor {
  const tensors = [mean, std].filter((x) => x instanceof Tensor)
  const sizes = tensors.map((x) => x.sizes).reduce(broadcastSizes)
  const { dtype } = tensors[0]
  const node =
    tensors.length === 2 ? 'NormalBackward3' : mean instanceof Tensor ? 'NormalBackward1' : 'NormalBackward2'
  const values = (x: Tensor | number) => (x instanceof Tensor ? elements(x, sizes) : x)
  return sampled(node, tensors, sizes, dtype, (n) =>
    draw.normalFrom(generator, n, dtype, values(mean), values(std)),
  )
}

/** `bernoulli(probabilities)`, with options. */
export interface Bernoulli extends FunctionInfo {
  (x: Tensor, options?: { p?: number } & GeneratorOption): Tensor
  (x: Tensor, p: number, options?: GeneratorOption): Tensor
}

/**
 * Ones and zeros in the dtype of a tensor that holds the probability of a one for each element. With `p` that is the
 * probability for all, and only the tensor's shape and dtype count.
 * @throws RuntimeError for what is no probability, NotImplementedError for dtypes that are not floating.
 */
export const bernoulli: Bernoulli = fn<Bernoulli>(
  'bernoulli',
  ['input'],
  ['p', 'generator'],
  (x: Tensor, { p, ...rest }: { p?: number } & GeneratorOption) => {
    checkTensor('bernoulli', 'input', x)
    const generator = generatorOf('bernoulli', rest)
    if (p !== undefined)
      return filled(x.sizes, x.dtype, x.device, false, (n) => draw.bernoulli(generator, n, p))
    return sampled('BernoulliBackward0', [x], x.sizes, x.dtype, () =>
      draw.bernoulliFrom(generator, elements(x), x.dtype),
    )
  },
  { positional: 1 },
)

/** `poisson(rates)`, with options. */
export interface Poisson extends FunctionInfo {
  (x: Tensor, options?: GeneratorOption): Tensor
}

/**
 * A Poisson sample for each rate, in its dtype.
 * @throws RuntimeError for a negative rate, NotImplementedError for dtypes that are not floating.
 */
export const poisson: Poisson = fn<Poisson>(
  'poisson',
  ['input'],
  ['generator'],
  (x: Tensor, options: GeneratorOption) => {
    checkTensor('poisson', 'input', x)
    const generator = generatorOf('poisson', options)
    return sampled('PoissonBackward0', [x], x.sizes, x.dtype, () =>
      draw.poisson(generator, elements(x), x.dtype),
    )
  },
  { method: false, positional: 0 },
)

/** Options of `multinomial`. */
export interface MultinomialOptions extends GeneratorOption {
  /** Whether a category may come up again; default false. */
  replacement?: boolean
}

/** `multinomial(weights, samples)`, with options. */
export interface Multinomial extends FunctionInfo {
  (x: Tensor, numSamples: number, options?: MultinomialOptions): Tensor
}

/**
 * Draws categories with probabilities in proportion to weights: a tensor of `categories` weights, or of `rows` times
 * `categories`, which need not sum to 1.
 * @returns int64 category numbers, `numSamples` of them (for each row).
 * @throws RuntimeError where the weights are no distribution, or are fewer than the samples without replacement.
 */
export const multinomial: Multinomial = fn<Multinomial>(
  'multinomial',
  ['input', 'numSamples'],
  ['replacement', 'generator'],
  (x: Tensor, numSamples: number, { replacement = false, ...rest }: MultinomialOptions) => {
    checkTensor('multinomial', 'input', x)
    if (!Number.isInteger(numSamples))
      throw new TypeError_(`multinomial(): argument 'num_samples' must be int, not ${describe(numSamples)}`)
    const generator = generatorOf('multinomial', rest)
    if (x.ndim !== 1 && x.ndim !== 2) throw new RuntimeError('prob_dist must be 1 or 2 dim')
    const rows = x.ndim === 2 ? x.sizes[0] : 1
    const categories = x.sizes[x.ndim - 1]
    const sizes = x.ndim === 2 ? [rows, numSamples] : [numSamples]
    if (x.device.type === 'meta') return emptyTensor(sizes, int64, x.device)
    const drawn = draw.multinomial(
      generator,
      data(needHost('multinomial', x)) as Float64Array,
      x.dtype,
      rows,
      categories,
      numSamples,
      {
        replacement,
        transposed: !isContiguous(x.sizes, denseStridesLike(x.sizes, x.strides)),
      },
    )
    const result = emptyTensor(sizes, int64, cpu)
    writeData(result, drawn)
    return x.device.type === 'cpu' ? result : to(result, x.device)
  },
  { positional: 0 },
)
