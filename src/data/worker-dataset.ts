// Datasets that worker threads can make for themselves: a module, the name of what it exports, and arguments. JavaScript
// cannot send an object with its class to another thread, so a thread is told how to make one of its own.

import { AttributeError, TypeError_ } from '../core/errors.ts'
import type { IterableDataset, MapDataset } from './dataset.ts'
import { type Packed, pack } from './packing.ts'

/** How a thread makes a dataset. */
export interface Recipe {
  readonly module: string
  readonly name: string
  readonly args: Packed
}

const recipes = new WeakMap<object, Recipe>()

/** How worker threads make a dataset, if it came from `workerDataset`. */
export function recipeOf(dataset: object): Recipe | undefined {
  return recipes.get(dataset)
}

/** What a module exports under a name, called: a class or a function that makes a dataset, or the dataset itself. */
export async function makeDataset(module: string, name: string, args: readonly unknown[]): Promise<object> {
  const exported = ((await import(module)) as Record<string, unknown>)[name]
  if (typeof exported === 'object' && exported !== null) return exported
  if (typeof exported !== 'function')
    throw new AttributeError(`workerDataset(): the module ${module} exports no dataset called '${name}'`)
  const isClass = /^class\b/.test(Function.prototype.toString.call(exported))
  const dataset: unknown = isClass
    ? new (exported as new (...args: readonly unknown[]) => unknown)(...args)
    : await (exported as (...args: readonly unknown[]) => unknown)(...args)
  if (typeof dataset !== 'object' || dataset === null)
    throw new TypeError_(`workerDataset(): '${name}' of ${module} made no dataset`)
  return dataset
}

/**
 * A dataset that a `DataLoader` with `numWorkers` loads in threads, each of which makes one of its own:
 *
 *     // squares.ts
 *     export class Squares extends torch.utils.data.Dataset<torch.Tensor> { ... }
 *
 *     // train.ts
 *     const squares = await workerDataset<Squares>(new URL('./squares.ts', import.meta.url), 'Squares', 1000)
 *     for (const batch of new DataLoader(squares, { batchSize: 32, numWorkers: 2 })) ...
 *
 * The dataset returned is an ordinary one: it may be indexed, split, and loaded without workers. The module runs once
 * in each thread, so it should only define things.
 *
 * @param module the module's address, as a URL
 * @param name what it exports: a class or function that makes the dataset, or the dataset itself
 * @param args given to the class or function: plain values, arrays, Maps and tensors
 * @throws AttributeError where the module has no such export
 */
export async function workerDataset<D extends MapDataset<unknown> | IterableDataset<unknown>>(
  module: URL | string,
  name: string,
  ...args: readonly unknown[]
): Promise<D> {
  const address = String(module)
  const dataset = await makeDataset(address, name, args)
  recipes.set(dataset, { module: address, name, args: pack(args, []) })
  return dataset as D
}

/** What a worker thread knows of itself. */
export interface WorkerInfo {
  /** 0 to `numWorkers - 1`. */
  readonly id: number
  readonly numWorkers: number
  /** The seed of this thread's generator. */
  readonly seed: bigint
  /** This thread's dataset. */
  readonly dataset: object
}

let info: WorkerInfo | null = null

/** In a DataLoader's worker thread what it is, so that an `IterableDataset` can give its share; else null. */
export function getWorkerInfo(): WorkerInfo | null {
  return info
}

export function setWorkerInfo(own: WorkerInfo): void {
  info = own
}
