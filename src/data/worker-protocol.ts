// What a DataLoader and its worker threads say to each other.

import type { Packed } from './packing.ts'
import type { Recipe } from './worker-dataset.ts'

/** What a worker is started with. `port` carries tasks and answers; `signal` counts the answers, for who
 * waits on it, and then holds the exit code plus one. */
export interface WorkerStart {
  readonly recipe: Recipe
  readonly id: number
  readonly numWorkers: number
  readonly seed: bigint
  /** Whether items are collated in the worker; a function of the user's stays with the user. */
  readonly collates: boolean
  readonly isBatched: boolean
  readonly batchSize: number
  readonly dropLast: boolean
  readonly signal: Int32Array
}

/** A batch to load: of items by index, or the next ones of an iterable dataset (null). */
export interface Task {
  readonly pass: number
  readonly indices: readonly number[] | null
}

/** A batch, or the items of one; that there are no more; or what went wrong. */
export type Answer = { readonly pass: number } & (
  | { readonly batch: Packed }
  | { readonly end: true }
  | { readonly error: { readonly name: string; readonly message: string; readonly stack: string } }
)
