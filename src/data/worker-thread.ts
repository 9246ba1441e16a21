// What runs in a DataLoader's worker thread: makes its dataset, then loads batch after batch.

import { manualSeed } from '../random/generator.ts'
import { defaultCollate, defaultConvert } from './collate.ts'
import { type IterableDataset, itemAt, itemsAt, type MapDataset } from './dataset.ts'
import { pack, unpack } from './packing.ts'
import { makeDataset, setWorkerInfo } from './worker-dataset.ts'
import type { Answer, Task, WorkerStart } from './worker-protocol.ts'

/** Where tasks come from and answers go: a MessagePort of Node's. */
interface TaskPort {
  on(event: 'message', listener: (task: Task) => void): unknown
  postMessage(answer: Answer, transfer: ArrayBuffer[]): void
}

/** Serves a DataLoader from a thread of its own. For the library's own threads. */
export function serveDataLoader(port: TaskPort, start: WorkerStart): void {
  const { recipe, id, numWorkers, seed, signal } = start
  const made = makeDataset(recipe.module, recipe.name, unpack(recipe.args) as unknown[]).then((dataset) => {
    manualSeed(seed)
    setWorkerInfo({ id, numWorkers, seed, dataset })
    return dataset
  })
  made.catch(() => {})
  const say = (answer: Answer, transfer: ArrayBuffer[] = []) => {
    port.postMessage(answer, transfer)
    Atomics.add(signal, 0, 1)
    Atomics.notify(signal, 0)
  }
  let items: { pass: number; iterator: Iterator<unknown> | AsyncIterator<unknown> } | null = null

  // The next items of an iterable dataset, from its beginning in each pass; null where there are none.
  const next = async (dataset: IterableDataset<unknown>, pass: number): Promise<unknown[] | null> => {
    if (items?.pass !== pass)
      items = { pass, iterator: dataset[Symbol.asyncIterator]?.() ?? dataset[Symbol.iterator]() }
    const taken: unknown[] = []
    while (taken.length < start.batchSize) {
      const { done, value } = await items.iterator.next()
      if (done) break
      taken.push(await value)
    }
    const isFull = taken.length === start.batchSize
    return taken.length === 0 || (start.dropLast && !isFull) ? null : taken
  }

  const load = async (dataset: object, { pass, indices }: Task): Promise<unknown[] | null> => {
    if (indices === null) return next(dataset as IterableDataset<unknown>, pass)
    const map = dataset as MapDataset<unknown>
    return Promise.all(start.isBatched ? itemsAt(map, indices) : [itemAt(map, indices[0])])
  }

  const answer = async (task: Task): Promise<void> => {
    const { pass } = task
    try {
      const loaded = await load(await made, task)
      if (loaded === null) return say({ pass, end: true })
      const collate = start.isBatched ? defaultCollate : ([item]: unknown[]) => defaultConvert(item)
      const transfer: ArrayBuffer[] = []
      const batch = pack(start.collates ? collate(loaded) : loaded, transfer)
      say({ pass, batch }, transfer)
    } catch (error) {
      const { name = 'Error', message = String(error), stack = '' } = error as Partial<Error>
      say({ pass, error: { name, message, stack } })
    }
  }

  // One after the other, so that answers come in the order of the tasks.
  let before: Promise<void> = Promise.resolve()
  port.on('message', (task: Task) => {
    before = before.then(() => answer(task))
  })
}
