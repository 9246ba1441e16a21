// DataLoader: batches of a dataset, in order or shuffled, for `for` and `for await`.

import { TypeError_, ValueError } from '../core/errors.ts'
import { pyRepr } from '../core/python.ts'
import { indexVector } from '../ops/index-vector.ts'
import { checkOptions, describe, isOptions } from '../ops/op.ts'
import { defaultGenerator, type Generator } from '../random/generator.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type Collated, defaultCollate, defaultConvert } from './collate.ts'
import {
  checkDataset,
  IterableDataset,
  itemAt,
  itemsAt,
  type MapDataset,
  Subset,
  TensorDataset,
} from './dataset.ts'
import { BatchSampler, RandomSampler, SequentialSampler } from './sampler.ts'

/** Indices in some order, with their number where it is known. */
export type SamplerLike<T> = Iterable<T> & { readonly length?: number }

/** Options of `DataLoader`. */
export interface DataLoaderOptions<T, B> {
  /** How many items make a batch; default 1. With null items come one by one, uncollated. */
  batchSize?: number | null
  /** Takes the items in a random order, another one in every pass; default false. */
  shuffle?: boolean | null
  /** The order of the items, in place of `shuffle`. */
  sampler?: SamplerLike<number> | null
  /** The batches of indices, in place of `batchSize`, `shuffle`, `sampler` and `dropLast`. */
  batchSampler?: SamplerLike<readonly number[]> | null
  /** Makes a batch of a list of items (with `batchSize` null: of an item); `defaultCollate` unless given. */
  collateFn?: ((items: Awaited<T>[]) => B) | null
  /** Leaves out a last batch that is not full; default false. */
  dropLast?: boolean
  /** The source of the order; without one, the default generator. */
  generator?: Generator | null
  /** PyTorch's worker processes. Accepted, without effect: items are loaded where the loop runs. */
  numWorkers?: number
  /** For GPUs in PyTorch. Accepted, without effect. */
  pinMemory?: boolean
}

const optionNames = [
  'batchSize',
  'shuffle',
  'sampler',
  'batchSampler',
  'collateFn',
  'dropLast',
  'generator',
  'numWorkers',
  'pinMemory',
]

/** The items that one step of the loader turns into a batch: indices, or the items themselves. */
type Plan<T> = { readonly indices: readonly number[] } | { readonly items: T[] }

/**
 * Batches of a dataset:
 *
 *     const loader = new DataLoader(new TensorDataset(x, y), { batchSize: 32, shuffle: true })
 *     for (const [xb, yb] of loader) { ... }
 *
 * Each pass is an iterator of its own; making it draws a seed from the generator, as in PyTorch, so that the same seed
 * gives the same batches. A dataset whose items are promises, or that is an async iterable, wants `for await`.
 *
 * @param dataset a `Dataset`, an array, or an `IterableDataset`
 * @throws ValueError for options that exclude each other
 */
export class DataLoader<T, B = Collated<Awaited<T>>> {
  readonly dataset: MapDataset<T> | IterableDataset<T>
  readonly batchSize: number | null
  readonly sampler: SamplerLike<number> | null
  readonly batchSampler: SamplerLike<readonly number[]> | null
  readonly dropLast: boolean
  readonly generator: Generator | null
  readonly collateFn: (items: Awaited<T>[]) => B
  // Set where a batch is rows of tensors: those are taken at once.
  private readonly rows: { tensors: readonly Tensor[]; indexOf: (index: number) => number } | null = null

  constructor(dataset: MapDataset<T> | IterableDataset<T>, options?: DataLoaderOptions<T, B>)
  constructor(
    dataset: MapDataset<T> | IterableDataset<T>,
    batchSize: number | null,
    options?: Omit<DataLoaderOptions<T, B>, 'batchSize'>,
  )
  constructor(dataset: MapDataset<T> | IterableDataset<T>, ...args: unknown[]) {
    const options = readOptions<T, B>(args)
    const {
      shuffle = null,
      sampler = null,
      batchSampler = null,
      dropLast = false,
      generator = null,
    } = options
    const { batchSize = 1, numWorkers = 0, collateFn = null } = options
    if (numWorkers < 0)
      throw new ValueError(
        'num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.',
      )
    this.dataset = dataset
    const isIterable = dataset instanceof IterableDataset
    if (isIterable) {
      const given = { shuffle: shuffle || null, sampler, batch_sampler: batchSampler }
      for (const [name, value] of Object.entries(given))
        if (value !== null)
          throw new ValueError(
            `DataLoader with IterableDataset: expected unspecified ${name} option, but got ${name}=${pyRepr(value)}`,
          )
    } else checkDataset('DataLoader', dataset)
    if (sampler !== null && shuffle) throw new ValueError('sampler option is mutually exclusive with shuffle')
    if (batchSampler !== null && (batchSize !== 1 || shuffle || sampler !== null || dropLast))
      throw new ValueError(
        'batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last',
      )
    if (batchSize === null && dropLast)
      throw new ValueError(
        'batch_size=None option disables auto-batching and is mutually exclusive with drop_last',
      )
    this.batchSize = batchSampler === null ? batchSize : null
    this.dropLast = dropLast
    this.generator = generator
    this.sampler =
      sampler ??
      (isIterable
        ? null
        : shuffle
          ? new RandomSampler(dataset, { generator })
          : new SequentialSampler(dataset))
    if (batchSampler !== null) this.batchSampler = batchSampler
    else if (batchSize === null) this.batchSampler = null
    else this.batchSampler = new BatchSampler(this.sampler ?? endless, batchSize, dropLast)
    const isBatched = this.batchSampler !== null
    this.collateFn =
      collateFn ?? ((isBatched ? defaultCollate : defaultConvert) as (items: Awaited<T>[]) => B)
    if (isBatched && !isIterable && (collateFn === null || (collateFn as unknown) === defaultCollate))
      this.rows = rowsOf(dataset)
  }

  /**
   * The number of batches in a pass.
   * @throws TypeError where the dataset or the sampler doesn't know its length
   */
  get length(): number {
    const { dataset, batchSize } = this
    if (!(dataset instanceof IterableDataset))
      return known((this.batchSampler ?? this.sampler)?.length, 'sampler')
    const n = known(dataset.length, dataset.constructor.name)
    if (batchSize === null) return n
    return this.dropLast ? Math.floor(n / batchSize) : Math.ceil(n / batchSize)
  }

  [Symbol.iterator](): Generator_<B> {
    this.drawSeed()
    return this.batches()
  }

  [Symbol.asyncIterator](): AsyncGenerator<B, void, undefined> {
    this.drawSeed()
    return this.batchesAsync()
  }

  // PyTorch's seed for the workers, drawn whether there are any or not.
  private drawSeed(): void {
    ;(this.generator ?? defaultGenerator).random64()
  }

  private *batches(): Generator_<B> {
    for (const plan of this.plans()) {
      const batch = this.gather(plan)
      if (batch !== null) {
        yield batch
        continue
      }
      const items = this.load(plan)
      for (const item of items)
        if (item instanceof Promise)
          throw new TypeError_(
            'DataLoader: the items of this dataset are promises; use for await (... of loader)',
          )
      yield this.finish(items as Awaited<T>[])
    }
  }

  private async *batchesAsync(): AsyncGenerator<B, void, undefined> {
    const { dataset } = this
    if (dataset instanceof IterableDataset && dataset[Symbol.asyncIterator] !== undefined) {
      let items: Awaited<T>[] = []
      const iterable = { [Symbol.asyncIterator]: () => dataset[Symbol.asyncIterator]!() }
      for await (const item of iterable) {
        items.push(item as Awaited<T>)
        if (items.length === (this.batchSize ?? 1)) {
          yield this.finish(items)
          items = []
        }
      }
      if (items.length > 0 && !this.dropLast) yield this.finish(items)
      return
    }
    for (const plan of this.plans())
      yield this.gather(plan) ?? this.finish(await Promise.all(this.load(plan)))
  }

  // What makes up each batch, in order.
  private *plans(): Generator_<Plan<T>> {
    const { dataset, batchSampler, sampler } = this
    if (!(dataset instanceof IterableDataset)) {
      if (batchSampler !== null) for (const indices of batchSampler) yield { indices }
      else for (const index of sampler!) yield { indices: [index] }
      return
    }
    let items: T[] = []
    const size = this.batchSize ?? 1
    for (const item of { [Symbol.iterator]: () => dataset[Symbol.iterator]() }) {
      items.push(item)
      if (items.length === size) {
        yield { items }
        items = []
      }
    }
    if (items.length > 0 && !this.dropLast) yield { items }
  }

  private load(plan: Plan<T>): T[] {
    if ('items' in plan) return plan.items
    const dataset = this.dataset as MapDataset<T>
    return this.batchSampler === null ? [itemAt(dataset, plan.indices[0])] : itemsAt(dataset, plan.indices)
  }

  private finish(items: Awaited<T>[]): B {
    // Without batches the function gets the item itself, as in PyTorch.
    return this.batchSampler === null
      ? this.collateFn(items[0] as unknown as Awaited<T>[])
      : this.collateFn(items)
  }

  // The same as collating single rows, in one pass for each tensor; null where that is not possible.
  private gather(plan: Plan<T>): B | null {
    const { rows } = this
    if (rows === null || !('indices' in plan)) return null
    const n = rows.tensors[0].sizes[0]
    const positions: number[] = []
    for (const i of plan.indices) {
      const index = rows.indexOf(i)
      // Let the dataset itself complain about an index that it doesn't have.
      if (!Number.isInteger(index) || index < -n || index >= n) return null
      positions.push(index < 0 ? index + n : index)
    }
    const index = indexVector(positions)
    return rows.tensors.map((x) => x.indexSelect(0, index)) as B
  }
}

type Generator_<T> = globalThis.Generator<T, void, undefined>

/** Stands for the indices of an iterable dataset, which has none. */
const endless: SamplerLike<number> = []

function readOptions<T, B>(args: readonly unknown[]): DataLoaderOptions<T, B> {
  const positional =
    args.length > 0 && !isOptions(args[0]) && args[0] !== undefined ? { batchSize: args[0] } : {}
  const rest = 'batchSize' in positional ? args.slice(1) : args
  const options = rest[0] ?? {}
  if (rest.length > 1 || !isOptions(options))
    throw new TypeError_(
      `DataLoader takes its options as one object, but got ${describe(rest[rest.length - 1])}`,
    )
  checkOptions('DataLoader', options, optionNames)
  return { ...options, ...positional } as DataLoaderOptions<T, B>
}

function known(length: number | undefined, what: string): number {
  if (length === undefined) throw new TypeError_(`object of type '${what}' has no len()`)
  return length
}

/** The tensors of a TensorDataset, or of subsets of one, unless a class of the user's decides otherwise. */
function rowsOf(dataset: unknown): { tensors: readonly Tensor[]; indexOf: (index: number) => number } | null {
  if (
    dataset instanceof TensorDataset &&
    dataset.getItem === TensorDataset.prototype.getItem &&
    dataset.getItems === undefined
  )
    return { tensors: dataset.tensors, indexOf: (i) => i }
  if (
    dataset instanceof Subset &&
    dataset.getItem === Subset.prototype.getItem &&
    dataset.getItems === Subset.prototype.getItems
  ) {
    const whole = rowsOf(dataset.dataset)
    return whole === null ? null : { ...whole, indexOf: (i) => whole.indexOf(dataset.indexOf(i)) }
  }
  return null
}
