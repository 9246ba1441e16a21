// Datasets: what a DataLoader loads from, by index (Dataset) or in order (IterableDataset), and how they combine.

import { AssertionError, IndexError, NotImplementedError, TypeError_, ValueError } from '../core/errors.ts'
import { describe, isOptions } from '../ops/op.ts'
import { permutation } from '../random/distributions.ts'
import { defaultGenerator, Generator } from '../random/generator.ts'
import { Tensor } from '../tensor/tensor.ts'

/**
 * Items by index. A dataset of your own says how many there are and how to get one:
 *
 *     class Squares extends Dataset<[Tensor, Tensor]> {
 *       get length() {
 *         return 100
 *       }
 *       getItem(i: number): [Tensor, Tensor] {
 *         return [torch.tensor([i / 100]), torch.tensor([(i / 100) ** 2])]
 *       }
 *     }
 *
 * An item may also be a promise; then load with `for await`.
 */
export abstract class Dataset<T> {
  /** PyTorch's `len(dataset)`. */
  abstract get length(): number
  /** PyTorch's `dataset[index]`. */
  abstract getItem(index: number): T
  /** All items of a batch at once, for datasets that can do so faster than one by one. */
  getItems?(indices: readonly number[]): T[]
}

/**
 * Items in an order of its own, as from a stream. Override `[Symbol.iterator]`, or `[Symbol.asyncIterator]` for a
 * dataset that is loaded with `for await`; `length` where it is known.
 */
export class IterableDataset<T> {
  [Symbol.iterator](): Iterator<T> {
    throw new NotImplementedError(
      `${this.constructor.name} must override [Symbol.iterator]() or be used with for await`,
    )
  }

  [Symbol.asyncIterator]?(): AsyncIterator<T>

  /** How many items there are, where that is known. */
  get length(): number | undefined {
    return undefined
  }
}

/** Items by index: a dataset, or simply an array. */
export type MapDataset<T> = Dataset<T> | readonly T[]

/** The item of a dataset or an array at an index; negative ones count from the end of an array. */
export function itemAt<T>(dataset: MapDataset<T>, index: number): T {
  if (!isArray(dataset)) return dataset.getItem(index)
  const i = index < 0 ? index + dataset.length : index
  if (!(i in dataset)) throw new IndexError('list index out of range')
  return dataset[i]
}

/** The items at several indices. */
export function itemsAt<T>(dataset: MapDataset<T>, indices: readonly number[]): T[] {
  if (!isArray(dataset) && dataset.getItems !== undefined) return dataset.getItems(indices)
  return indices.map((i) => itemAt(dataset, i))
}

function isArray<T>(dataset: MapDataset<T>): dataset is readonly T[] {
  return Array.isArray(dataset)
}

/** Throws a TypeError unless a value is a dataset of items by index. */
export function checkDataset(name: string, dataset: unknown): void {
  if (Array.isArray(dataset)) return
  if (
    typeof dataset !== 'object' ||
    dataset === null ||
    typeof (dataset as Dataset<unknown>).getItem !== 'function'
  )
    throw new TypeError_(`${name}: a dataset must be a Dataset or an array, but got ${describe(dataset)}`)
}

/**
 * The rows of tensors: item i is `[x[i], y[i], ...]`.
 *
 *     const data = new TensorDataset(images, labels)
 *
 * @throws AssertionError where the first dimensions differ
 */
export class TensorDataset<T extends readonly Tensor[] = Tensor[]> extends Dataset<T> {
  readonly tensors: T

  constructor(...tensors: T) {
    super()
    tensors.forEach((x, i) => {
      if (!(x instanceof Tensor))
        throw new TypeError_(`TensorDataset: argument ${i} must be a Tensor, not ${describe(x)}`)
    })
    if (tensors.length === 0) throw new TypeError_('TensorDataset needs at least one tensor')
    if (tensors.some((x) => x.size(0) !== tensors[0].size(0)))
      throw new AssertionError('Size mismatch between tensors')
    this.tensors = tensors
  }

  get length(): number {
    return this.tensors[0].sizes[0]
  }

  getItem(index: number): T {
    return this.tensors.map((x) => x.select(0, index)) as unknown as T
  }
}

/**
 * Items of several datasets of one length side by side: item i is an array, or an object, of their items i.
 * @throws ValueError where their lengths differ or there is none
 */
export class StackDataset<T> extends Dataset<T> {
  readonly datasets: readonly MapDataset<unknown>[] | Readonly<Record<string, MapDataset<unknown>>>

  constructor(datasets: { readonly [K in keyof T]: MapDataset<T[K]> }) {
    super()
    const all = Object.values(datasets) as MapDataset<unknown>[]
    if (all.length === 0) throw new ValueError('At least one dataset should be passed')
    for (const dataset of all) checkDataset('StackDataset', dataset)
    if (all.some((d) => d.length !== all[0].length)) throw new ValueError('Size mismatch between datasets')
    this.datasets = datasets as typeof this.datasets
  }

  get length(): number {
    return Object.values(this.datasets as Record<string, MapDataset<unknown>>)[0].length
  }

  getItem(index: number): T {
    const { datasets } = this
    if (Array.isArray(datasets)) return datasets.map((d) => itemAt(d, index)) as T
    return Object.fromEntries(Object.entries(datasets).map(([key, d]) => [key, itemAt(d, index)])) as T
  }
}

/** One dataset after the other. */
export class ConcatDataset<T> extends Dataset<T> {
  readonly datasets: readonly MapDataset<T>[]
  /** For each dataset the number of items up to its end. */
  readonly cumulativeSizes: readonly number[]

  constructor(datasets: Iterable<MapDataset<T>>) {
    super()
    this.datasets = [...datasets]
    if (this.datasets.length === 0) throw new AssertionError('datasets should not be an empty iterable')
    for (const dataset of this.datasets) {
      if (dataset instanceof IterableDataset)
        throw new AssertionError('ConcatDataset does not support IterableDataset')
      checkDataset('ConcatDataset', dataset)
    }
    let total = 0
    this.cumulativeSizes = this.datasets.map(({ length }) => {
      total += length
      return total
    })
  }

  get length(): number {
    return this.cumulativeSizes[this.cumulativeSizes.length - 1]
  }

  getItem(index: number): T {
    if (index < -this.length) throw new ValueError('absolute value of index should not exceed dataset length')
    const i = index < 0 ? index + this.length : index
    const d = this.cumulativeSizes.findIndex((end) => i < end)
    if (d < 0) throw new IndexError('list index out of range')
    return itemAt(this.datasets[d], d === 0 ? i : i - this.cumulativeSizes[d - 1])
  }
}

/** One iterable dataset after the other. */
export class ChainDataset<T> extends IterableDataset<T> {
  readonly datasets: readonly IterableDataset<T>[]

  constructor(datasets: Iterable<IterableDataset<T>>) {
    super()
    this.datasets = [...datasets]
    for (const d of this.datasets)
      if (!(d instanceof IterableDataset))
        throw new AssertionError('ChainDataset only supports IterableDataset')
  }

  override *[Symbol.iterator](): Iterator<T> {
    for (const dataset of this.datasets) yield* { [Symbol.iterator]: () => dataset[Symbol.iterator]() }
  }

  override get length(): number | undefined {
    let total = 0
    for (const { length } of this.datasets) {
      if (length === undefined) return undefined
      total += length
    }
    return total
  }
}

/** The items of a dataset at chosen indices. */
export class Subset<T> extends Dataset<T> {
  constructor(
    readonly dataset: MapDataset<T>,
    readonly indices: readonly number[],
  ) {
    super()
    checkDataset('Subset', dataset)
  }

  get length(): number {
    return this.indices.length
  }

  getItem(index: number): T {
    return itemAt(this.dataset, this.indexOf(index))
  }

  override getItems(indices: readonly number[]): T[] {
    return itemsAt(
      this.dataset,
      indices.map((i) => this.indexOf(i)),
    )
  }

  /** The index in the whole dataset of an item of this one. */
  indexOf(index: number): number {
    const i = index < 0 ? index + this.indices.length : index
    if (!(i in this.indices)) throw new IndexError('list index out of range')
    return this.indices[i]
  }
}

/** Options of `randomSplit`. */
export interface RandomSplitOptions {
  /** The source of the permutation; the default generator unless given. */
  generator?: Generator | null
}

/**
 * Splits a dataset at random into parts that do not overlap.
 *
 *     const [train, test] = randomSplit(data, [0.8, 0.2], { generator: new Generator().manualSeed(42) })
 *
 * @param lengths how many items each part gets, or which part of the whole (fractions that add up to 1; what is left
 *   over by rounding down goes to the first parts, one each)
 * @throws ValueError where the lengths do not add up
 */
export function randomSplit<T>(
  dataset: MapDataset<T>,
  lengths: readonly number[],
  options?: RandomSplitOptions | Generator,
): Subset<T>[] {
  checkDataset('random_split', dataset)
  const given = options instanceof Generator ? options : isOptions(options) ? options.generator : null
  const generator = (given as Generator | null | undefined) ?? defaultGenerator
  const n = dataset.length
  const counts = countsOf(lengths, n)
  if (sum(counts) !== n)
    throw new ValueError('Sum of input lengths does not equal the length of the input dataset!')
  const order = permutation(generator, n)
  let start = 0
  return counts.map((count) => {
    start += count
    return new Subset(dataset, Array.from(order.subarray(start - count, start)))
  })
}

const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0)

function countsOf(lengths: readonly number[], n: number): number[] {
  const total = sum(lengths)
  if (total > 1 || Math.abs(total - 1) > 1e-9) return [...lengths]
  const counts = lengths.map((part, i) => {
    if (!(part >= 0 && part <= 1)) throw new ValueError(`Fraction at index ${i} is not between 0 and 1`)
    return Math.floor(n * part)
  })
  const rest = n - sum(counts)
  for (let i = 0; i < rest; i++) counts[i % counts.length]++
  counts.forEach((count, i) => {
    if (count === 0)
      console.warn(`UserWarning: Length of split at index ${i} is 0. This might result in an empty dataset.`)
  })
  return counts
}
