// Loads data in threads and prints what came as JSON, a line each. Run by test/unit/dataloader-workers.test.ts, since threads
// must be able to load these sources by themselves.

import { threadId } from 'node:worker_threads'
import * as torch from '../../src/index.ts'
import type { Numbers, Squares } from './worker-datasets.ts'

const { DataLoader, Subset, workerDataset, getWorkerInfo } = torch.utils.data
const datasets = new URL('./worker-datasets.ts', import.meta.url)
const print = (name: string, value: unknown) => console.log(JSON.stringify([name, value]))
const message = async (body: () => unknown) => {
  try {
    await body()
    return 'nothing was thrown'
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`
  }
}

const shift = torch.tensor([0.5])
const squares = await workerDataset<Squares>(datasets, 'Squares', 10, shift)
const options = { batchSize: 3, numWorkers: 2 }
type Batch = [torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]
const values = ([x, square]: Batch) => [x.flatten().tolist(), square.tolist()]

torch.manualSeed(5)
print(
  'in order',
  Array.from(new DataLoader(squares, options), (b) => values(b as Batch)),
)
const asynchronous: unknown[] = []
for await (const batch of new DataLoader(squares, options)) asynchronous.push(values(batch as Batch))
print('asynchronously', asynchronous)
const threads = Array.from(
  new DataLoader(squares, options),
  (b) => (b as Batch)[2].unique().tolist() as number[],
)
print('threads', [
  threads.every(([id]) => id !== threadId),
  threads[0][0] === threads[2][0],
  threads[0][0] === threads[1][0],
])

const shuffled = (numWorkers: number) => {
  torch.manualSeed(7)
  const loader = new DataLoader(squares, { batchSize: 4, shuffle: true, numWorkers })
  return Array.from(loader, (b) => (b as Batch)[1].tolist())
}
print('shuffled alike', JSON.stringify(shuffled(0)) === JSON.stringify(shuffled(3)))

// Worker i draws from the seed base + i, where the base is the generator's next number.
torch.manualSeed(9)
const [first, second] = Array.from(new DataLoader(squares, { batchSize: 5, numWorkers: 2 }), (b) =>
  (b as Batch)[3].flatten(),
)
torch.manualSeed(9)
const base = torch.defaultGenerator.random64() & 0x7fffffffffffffffn
const drawn = (seed: bigint) => {
  torch.manualSeed(seed)
  return torch.cat(Array.from({ length: 5 }, () => torch.rand(1)))
}
print('seeds', [first.equal(drawn(base)), second.equal(drawn(base + 1n))])

const part = new Subset(squares, [9, 8, 1])
print(
  'subset',
  Array.from(new DataLoader(part, { numWorkers: 1 }), (b) => (b as Batch)[1].item()),
)

const numbers = await workerDataset<Numbers>(datasets, 'Numbers', 11)
print(
  'iterable',
  Array.from(new DataLoader(numbers, { batchSize: 3, numWorkers: 2 }), (b) => (b as torch.Tensor).tolist()),
)
print(
  'iterable, dropLast',
  Array.from(new DataLoader(numbers, { batchSize: 3, numWorkers: 2, dropLast: true }), (b) =>
    (b as torch.Tensor).tolist(),
  ),
)

const own = new DataLoader(squares, {
  batchSize: 5,
  numWorkers: 1,
  collateFn: (items) => items.map(([, square]) => square),
})
print('own collation', [...own])

const kept = new DataLoader(squares, { batchSize: 2, numWorkers: 1, persistentWorkers: true })
const passes: unknown[] = []
for (const batch of kept) {
  passes.push((batch as Batch)[2].at(0).item())
  break
}
const again = Array.from(kept, (b) => b as Batch)
print('persistent', [again.map((b) => b[1].tolist()), again[0][2].at(0).item() === passes[0]])

const many = await workerDataset<Squares>(datasets, 'Squares', 20, shift)
print('error', await message(() => [...new DataLoader(many, { batchSize: 4, numWorkers: 2 })]))
const slow = await workerDataset<never>(datasets, 'slow')
print('timeout', await message(() => [...new DataLoader(slow, { numWorkers: 1, timeout: 2 })]))
const leaving = await workerDataset<never>(datasets, 'leaving')
print(
  'exit',
  await message(async () => {
    for await (const _ of new DataLoader(leaving, { numWorkers: 1 }));
  }),
)
print('exit, blocking', await message(() => [...new DataLoader(leaving, { numWorkers: 1 })]))
print('no such export', await message(() => workerDataset(datasets, 'Nothing')))
print('main thread', getWorkerInfo())
