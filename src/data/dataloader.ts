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
import { unpack } from './packing.ts'
import { BatchSampler, RandomSampler, SequentialSampler } from './sampler.ts'
import { type Recipe, recipeOf } from './worker-dataset.ts'
import { WorkerPool, workerError } from './worker-pool.ts'
import type { Answer } from './worker-protocol.ts'

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
  /**
   * Threads that load batches ahead, for a dataset made by `workerDataset` (or a part of one); default 0. Of a dataset whose items are
   * promises, in `for await`, as many times `prefetchFactor` batches are under way at once. Others are loaded where the loop runs.
   */
  numWorkers?: number
  /** Batches that each worker loads ahead; default 2. Only with `numWorkers`. */
  prefetchFactor?: number | null
  /** Keeps the threads for the next pass instead of starting new ones; default false. */
  persistentWorkers?: boolean
  /** Seconds to wait for a batch of a worker; default 0, for ever. */
  timeout?: number
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
  'prefetchFactor',
  'persistentWorkers',
  'timeout',
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
  readonly numWorkers: number
  readonly prefetchFactor: number | null
  readonly persistentWorkers: boolean
  readonly timeout: number
  private readonly collatesByDefault: boolean
  /** How worker threads load this dataset, where they can. */
  private readonly source: WorkerSource | null
  /** Workers that were kept, and passes that were begun. */
  private pool: WorkerPool | null = null
  private passes = 0
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
    const { prefetchFactor = null, persistentWorkers = false, timeout = 0 } = options
    if (timeout < 0) throw new ValueError('timeout option should be non-negative')
    if (numWorkers === 0 && prefetchFactor !== null)
      throw new ValueError(
        'prefetch_factor option could only be specified in multiprocessing.let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None.',
      )
    if (prefetchFactor !== null && prefetchFactor < 0)
      throw new ValueError('prefetch_factor option should be non-negative')
    if (persistentWorkers && numWorkers === 0)
      throw new ValueError('persistent_workers option needs num_workers > 0')
    this.numWorkers = numWorkers
    this.prefetchFactor = numWorkers > 0 ? (prefetchFactor ?? 2) : null
    this.persistentWorkers = persistentWorkers
    this.timeout = timeout
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
    this.collatesByDefault = collateFn === null || (collateFn as unknown) === defaultCollate
    if (isBatched && !isIterable && this.collatesByDefault) this.rows = rowsOf(dataset)
    this.source = numWorkers > 0 ? workerSourceOf(dataset) : null
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
    const seed = this.drawSeed()
    return this.source === null ? this.batches() : this.fromWorkers(seed)
  }

  [Symbol.asyncIterator](): AsyncGenerator<B, void, undefined> {
    const seed = this.drawSeed()
    return this.source === null ? this.batchesAsync() : this.fromWorkersAsync(seed)
  }

  // PyTorch's seed for the workers, drawn whether there are any or not.
  private drawSeed(): bigint {
    return (this.generator ?? defaultGenerator).random64() & 0x7fffffffffffffffn
  }

  private *fromWorkers(seed: bigint): Generator_<B> {
    const pool = this.workers(seed)
    const pass = this.passes
    const steps = this.workerSteps(pool, pass)
    try {
      let answer: Answer | undefined
      for (;;) {
        const { done, value } = steps.next(answer as Answer)
        if (done) return
        if ('batch' in value) yield value.batch
        else answer = pool.take(value.waitFor, pass)
      }
    } finally {
      this.leave(pool)
    }
  }

  private async *fromWorkersAsync(seed: bigint): AsyncGenerator<B, void, undefined> {
    const pool = this.workers(seed)
    const pass = this.passes
    const steps = this.workerSteps(pool, pass)
    try {
      let answer: Answer | undefined
      for (;;) {
        const { done, value } = steps.next(answer as Answer)
        if (done) return
        if ('batch' in value) yield value.batch
        else answer = await pool.takeAsync(value.waitFor, pass)
      }
    } finally {
      this.leave(pool)
    }
  }

  private workers(baseSeed: bigint): WorkerPool {
    this.passes++
    if (this.pool !== null) return this.pool
    const pool = new WorkerPool({
      recipe: this.source!.recipe,
      numWorkers: this.numWorkers,
      baseSeed,
      timeout: this.timeout,
      collates: this.collatesByDefault,
      isBatched: this.batchSampler !== null,
      batchSize: this.batchSize ?? 1,
      dropLast: this.dropLast,
    })
    if (this.persistentWorkers) this.pool = pool
    return pool
  }

  // Kept workers have answers of a loop that was left on their way: those belong to an earlier pass and are passed over.
  private leave(pool: WorkerPool): void {
    if (pool !== this.pool) pool.close()
  }

  // Tasks go to the workers in turn, and batches are taken in the order of the tasks, so that the order does not depend on
  // who is faster. Yields which worker to wait for, and is given its answer, or yields a batch.
  private *workerSteps(
    pool: WorkerPool,
    pass: number,
  ): globalThis.Generator<{ waitFor: number } | { batch: B }, void, Answer> {
    const { numWorkers, dataset, source } = this
    const isIterable = dataset instanceof IterableDataset
    const plans = isIterable ? null : this.plans()
    const active = new Set(Array.from({ length: numWorkers }, (_, id) => id))
    const queue: number[] = []
    let turn = 0
    const giveOut = () => {
      while (active.size > 0 && queue.length < Math.max(1, this.prefetchFactor!) * active.size) {
        let indices: number[] | null = null
        if (plans !== null) {
          const { done, value } = plans.next()
          if (done) return
          indices = (value as { indices: readonly number[] }).indices.map(source!.indexOf)
        }
        while (!active.has(turn % numWorkers)) turn++
        const id = turn++ % numWorkers
        pool.post(id, { pass, indices })
        queue.push(id)
      }
    }
    for (;;) {
      giveOut()
      const id = queue.shift()
      if (id === undefined) return
      const answer = yield { waitFor: id }
      if ('error' in answer) throw workerError(answer.error, id)
      if ('end' in answer) {
        active.delete(id)
        continue
      }
      const value = unpack(answer.batch)
      yield { batch: this.collatesByDefault ? (value as B) : this.finish(value as Awaited<T>[]) }
    }
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
    // Items that are promises are under way together, as many batches of them as there would be workers.
    const ahead = Math.max(1, this.numWorkers * (this.prefetchFactor ?? 0))
    const underWay: Promise<B>[] = []
    for (const plan of this.plans()) {
      const rows = this.gather(plan)
      if (rows !== null) {
        yield rows
        continue
      }
      const items = this.load(plan)
      const batch = Promise.all(items).then((all) => this.finish(all))
      // Whoever takes it is told; nobody may, where the loop is left.
      batch.catch(() => {})
      underWay.push(batch)
      const isAsynchronous = items.some((item) => item instanceof Promise)
      if (!isAsynchronous || underWay.length >= ahead) yield await underWay.shift()!
    }
    for (const batch of underWay) yield await batch
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

/** How worker threads load a dataset: which one they make, and what its indices are there. */
interface WorkerSource {
  readonly recipe: Recipe
  readonly indexOf: (index: number) => number
}

let hasWarned = false

function workerSourceOf(dataset: object): WorkerSource | null {
  const recipe = recipeOf(dataset)
  if (recipe !== undefined) return { recipe, indexOf: (i) => i }
  if (dataset instanceof Subset) {
    const whole = workerSourceOf(dataset.dataset)
    return whole === null ? null : { ...whole, indexOf: (i) => whole.indexOf(dataset.indexOf(i)) }
  }
  const isInMemory = Array.isArray(dataset) || dataset instanceof TensorDataset
  if (!isInMemory && !hasWarned) {
    hasWarned = true
    console.warn(
      'DataLoader: threads cannot make this dataset, so numWorkers only loads items that are promises ahead. ' +
        'Make the dataset with await torch.utils.data.workerDataset(new URL(...), name) to load it in threads.',
    )
  }
  return null
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
