// Datasets for the threads of test/unit/dataloader-workers.test.ts.

import { threadId } from 'node:worker_threads'
import * as torch from '../../src/index.ts'

const { Dataset, IterableDataset, getWorkerInfo } = torch.utils.data

/** Item i is [i, i squared, the thread, a random number]. */
export class Squares extends Dataset<[torch.Tensor, number, number, torch.Tensor]> {
  constructor(
    readonly length: number,
    readonly shift: torch.Tensor,
  ) {
    super()
  }
  override getItem(i: number): [torch.Tensor, number, number, torch.Tensor] {
    if (i === 13) throw new RangeError('thirteen')
    return [this.shift.add(i), i * i, threadId, torch.rand(1)]
  }
}

/** The numbers below n, each worker its share of them. */
export class Numbers extends IterableDataset<number> {
  constructor(readonly n: number) {
    super()
  }
  override *[Symbol.iterator](): Iterator<number> {
    const { id, numWorkers } = getWorkerInfo() ?? { id: 0, numWorkers: 1 }
    for (let i = id; i < this.n; i += numWorkers) yield i
  }
}

/** A dataset whose thread ends while it loads. */
export const leaving = { length: 4, getItem: () => process.exit(3) }

/** A dataset that takes its time. */
export const slow = {
  length: 4,
  getItem: (i: number) => new Promise<number>((resolve) => setTimeout(() => resolve(i), 60_000).unref()),
}
