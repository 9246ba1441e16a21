// Samplers: in which order a DataLoader takes the items. They draw from the generator exactly what PyTorch's draw.

import { float64, int64 } from '../core/dtype.ts'
import { NotImplementedError, TypeError_, ValueError } from '../core/errors.ts'
import { pyRepr } from '../core/python.ts'
import { checkOptions, describe, isOptions } from '../ops/op.ts'
import { multinomial, permutation, randint } from '../random/distributions.ts'
import { defaultGenerator, Generator } from '../random/generator.ts'
import { Tensor } from '../tensor/tensor.ts'

/** Anything that knows how many it holds. */
export interface Sized {
  readonly length: number
}

/** Options of samplers that draw. */
export interface GeneratorOptions {
  /** The source of the order; without one, the default generator. */
  generator?: Generator | null
}

/** An order of indices (or of batches of indices). Override `[Symbol.iterator]`, and `length` where it is known. */
export class Sampler<T = number> implements Iterable<T> {
  [Symbol.iterator](): Iterator<T> {
    throw new NotImplementedError(`${this.constructor.name} must override [Symbol.iterator]()`)
  }

  /** How many there will be, where that is known. */
  get length(): number | undefined {
    return undefined
  }
}

const isCount = (n: unknown): n is number => typeof n === 'number' && Number.isInteger(n) && n > 0

function checkSized(name: string, source: unknown): void {
  if (typeof (source as Sized | null)?.length !== 'number')
    throw new TypeError_(`${name}: the data source must have a length, but got ${describe(source)}`)
}

// Without an own generator the order comes from a fresh one with a seed from the default generator.
function seededGenerator(): Generator {
  return new Generator().manualSeed(BigInt.asUintN(63, defaultGenerator.random64()))
}

/** 0, 1, 2, ... */
export class SequentialSampler extends Sampler {
  constructor(readonly dataSource: Sized) {
    super()
    checkSized('SequentialSampler', dataSource)
  }

  override *[Symbol.iterator](): Iterator<number> {
    for (let i = 0; i < this.dataSource.length; i++) yield i
  }

  override get length(): number {
    return this.dataSource.length
  }
}

export interface RandomSamplerOptions extends GeneratorOptions {
  /** Draws each index anew, so that some come twice; default false. */
  replacement?: boolean
  /** How many are drawn; all by default, again from the start where there are fewer. */
  numSamples?: number | null
}

/** All indices in random order. */
export class RandomSampler extends Sampler {
  readonly replacement: boolean
  readonly generator: Generator | null
  private readonly count: number | null

  /** @throws ValueError where there is nothing to draw from, or nothing to draw. */
  constructor(
    readonly dataSource: Sized,
    options: RandomSamplerOptions = {},
  ) {
    super()
    checkSized('RandomSampler', dataSource)
    checkOptions('RandomSampler', options as Record<string, unknown>, [
      'replacement',
      'numSamples',
      'generator',
    ])
    const { replacement = false, numSamples = null, generator = null } = options
    if (typeof replacement !== 'boolean')
      throw new TypeError_(
        `replacement should be a boolean value, but got replacement=${pyRepr(replacement)}`,
      )
    this.replacement = replacement
    this.generator = generator
    this.count = numSamples
    if (!isCount(this.numSamples))
      throw new ValueError(
        `num_samples should be a positive integer value, but got num_samples=${pyRepr(this.numSamples)}`,
      )
  }

  get numSamples(): number {
    return this.count ?? this.dataSource.length
  }

  override *[Symbol.iterator](): Iterator<number> {
    const n = this.dataSource.length
    const { numSamples, replacement } = this
    const generator = this.generator ?? seededGenerator()
    if (replacement) {
      for (let drawn = 0; drawn < numSamples; drawn += 32)
        for (const i of randint(generator, Math.min(32, numSamples - drawn), int64, 0, n)) yield Number(i)
      return
    }
    for (let pass = 0; pass < Math.floor(numSamples / n); pass++) yield* permutation(generator, n)
    // Drawn also where nothing of it is needed: the next pass with the same generator depends on it.
    yield* permutation(generator, n).subarray(0, numSamples % n)
  }

  override get length(): number {
    return this.numSamples
  }
}

/** Given indices in random order. */
export class SubsetRandomSampler extends Sampler {
  readonly generator: Generator | null

  constructor(
    readonly indices: readonly number[],
    options: GeneratorOptions | Generator = {},
  ) {
    super()
    this.generator = generatorOf('SubsetRandomSampler', options)
  }

  override *[Symbol.iterator](): Iterator<number> {
    for (const i of permutation(this.generator ?? defaultGenerator, this.indices.length))
      yield this.indices[i]
  }

  override get length(): number {
    return this.indices.length
  }
}

function generatorOf(name: string, options: GeneratorOptions | Generator): Generator | null {
  if (options instanceof Generator) return options
  checkOptions(name, options as Record<string, unknown>, ['generator'])
  return options.generator ?? null
}

export interface WeightedRandomSamplerOptions extends GeneratorOptions {
  /** Whether an index may come twice; default true. */
  replacement?: boolean
}

/** Indices drawn with the given weights, which need not add up to 1. */
export class WeightedRandomSampler extends Sampler {
  readonly weights: Float64Array
  readonly numSamples: number
  readonly replacement: boolean
  readonly generator: Generator | null

  /** @throws ValueError for weights that are no vector, or nothing to draw. */
  constructor(
    weights: readonly number[] | Float32Array | Float64Array | Tensor,
    numSamples: number,
    options: WeightedRandomSamplerOptions = {},
  ) {
    super()
    if (!isOptions(options))
      throw new TypeError_(`WeightedRandomSampler: takes options as an object, but got ${describe(options)}`)
    checkOptions('WeightedRandomSampler', options, ['replacement', 'generator'])
    const { replacement = true, generator = null } = options as WeightedRandomSamplerOptions
    if (!isCount(numSamples))
      throw new ValueError(
        `num_samples should be a positive integer value, but got num_samples=${pyRepr(numSamples)}`,
      )
    if (typeof replacement !== 'boolean')
      throw new ValueError(
        `replacement should be a boolean value, but got replacement=${pyRepr(replacement)}`,
      )
    if (weights instanceof Tensor && weights.ndim !== 1)
      throw new ValueError(
        `weights should be a 1d sequence but given weights have shape ${pyRepr(weights.sizes)}`,
      )
    this.weights =
      weights instanceof Tensor ? Float64Array.from(weights.tolist() as number[]) : Float64Array.from(weights)
    this.numSamples = numSamples
    this.replacement = replacement
    this.generator = generator
  }

  override *[Symbol.iterator](): Iterator<number> {
    const { weights, numSamples, replacement } = this
    const generator = this.generator ?? defaultGenerator
    for (const i of multinomial(generator, weights, float64, 1, weights.length, numSamples, { replacement }))
      yield Number(i)
  }

  override get length(): number {
    return this.numSamples
  }
}

/**
 * Batches of what another sampler gives.
 * @param dropLast leaves out a last batch that is not full
 */
export class BatchSampler extends Sampler<number[]> {
  constructor(
    readonly sampler: Iterable<number> & { readonly length?: number },
    readonly batchSize: number,
    readonly dropLast: boolean,
  ) {
    super()
    if (!isCount(batchSize))
      throw new ValueError(
        `batch_size should be a positive integer value, but got batch_size=${pyRepr(batchSize)}`,
      )
    if (typeof dropLast !== 'boolean')
      throw new ValueError(`drop_last should be a boolean value, but got drop_last=${pyRepr(dropLast)}`)
  }

  override *[Symbol.iterator](): Iterator<number[]> {
    const { batchSize, dropLast } = this
    let batch: number[] = []
    for (const index of this.sampler) {
      batch.push(index)
      if (batch.length === batchSize) {
        yield batch
        batch = []
      }
    }
    if (batch.length > 0 && !dropLast) yield batch
  }

  override get length(): number | undefined {
    const n = this.sampler.length
    if (n === undefined) return undefined
    return this.dropLast ? Math.floor(n / this.batchSize) : Math.ceil(n / this.batchSize)
  }
}
