// Datasets, samplers, collation and the DataLoader. Orders and seeds are PyTorch 2.13's.

import { afterEach, describe, expect, expectTypeOf, it, vi } from 'vitest'
import * as torch from '../../src/index.ts'

const {
  BatchSampler,
  ConcatDataset,
  ChainDataset,
  DataLoader,
  Dataset,
  defaultCollate,
  IterableDataset,
  RandomSampler,
  randomSplit,
  Sampler,
  SequentialSampler,
  StackDataset,
  Subset,
  SubsetRandomSampler,
  TensorDataset,
  WeightedRandomSampler,
} = torch.utils.data

type Tensor = torch.Tensor

const numbers = (n: number) => new TensorDataset(torch.arange(n))
const lists = (loader: Iterable<readonly Tensor[]>) => Array.from(loader, ([x]) => x.tolist())

afterEach(() => {
  vi.restoreAllMocks()
})

describe('DataLoader', () => {
  it('makes batches in order, the last one as it comes', () => {
    const x = torch.arange(10).reshape([5, 2])
    const loader = new DataLoader(new TensorDataset(x, torch.arange(5).neg()), { batchSize: 2 })
    expect(loader.length).toBe(3)
    const seen = Array.from(loader, ([xb, yb]) => [xb.tolist(), yb.tolist()])
    expect(seen).toEqual([
      [
        [
          [0, 1],
          [2, 3],
        ],
        [0, -1],
      ],
      [
        [
          [4, 5],
          [6, 7],
        ],
        [-2, -3],
      ],
      [[[8, 9]], [-4]],
    ])
  })

  it('leaves out a last batch that is not full where asked to', () => {
    const loader = new DataLoader(numbers(5), { batchSize: 2, dropLast: true })
    expect(loader.length).toBe(2)
    expect(lists(loader)).toEqual([
      [0, 1],
      [2, 3],
    ])
  })

  it('knows the types of what it yields', () => {
    const loader = new DataLoader(new TensorDataset(torch.ones([2]), torch.ones([2])), {
      batchSize: 2,
      shuffle: true,
    })
    for (const [xb, yb] of loader) {
      expectTypeOf(xb).toEqualTypeOf<Tensor>()
      expectTypeOf(yb).toEqualTypeOf<Tensor>()
    }
    for (const batch of new DataLoader([{ x: 1, name: 'a' }])) {
      expectTypeOf(batch).toEqualTypeOf<{ x: Tensor; name: string[] }>()
      expect(batch.name).toEqual(['a'])
    }
    for (const n of new DataLoader([1, 2], { collateFn: (items) => items.length }))
      expectTypeOf(n).toEqualTypeOf<number>()
  })

  it('shuffles as PyTorch does from the same seed, and leaves the generator where PyTorch does', () => {
    torch.manualSeed(7)
    expect(lists(new DataLoader(numbers(10), 4, { shuffle: true }))).toEqual([
      [3, 2, 7, 8],
      [6, 1, 5, 9],
      [0, 4],
    ])
    expect(torch.rand(1).item()).toBe(0.23276156187057495)
  })

  it('draws from its own generator, and once more at the end of each pass', () => {
    const generator = new torch.Generator().manualSeed(3)
    const loader = new DataLoader(numbers(10), { batchSize: 5, shuffle: true, generator })
    expect([lists(loader), lists(loader)]).toEqual([
      [
        [7, 4, 2, 9, 1],
        [5, 0, 8, 6, 3],
      ],
      [
        [1, 2, 0, 5, 9],
        [4, 8, 3, 6, 7],
      ],
    ])
  })

  it('draws its seed when the iterator is made', () => {
    torch.manualSeed(0)
    torch.defaultGenerator.random64()
    const next = torch.rand(1).item()
    torch.manualSeed(0)
    new DataLoader(numbers(3))[Symbol.iterator]()
    expect(torch.rand(1).item()).toBe(next)
  })

  it('gathers the rows of tensors as if they were stacked one by one', () => {
    const x = torch.arange(24).reshape([3, 8]).t()
    const dataset = new TensorDataset(x, torch.rand([8]))
    const slow = { collateFn: (items: readonly (readonly Tensor[])[]) => defaultCollate(items) }
    for (const make of [
      () => dataset,
      () => new Subset(dataset, [5, -1, 0, 0, 3]),
      () => new Subset(new Subset(dataset, [7, 6, 5, 4]), [0, 2, -1]),
    ]) {
      const gathered = [...new DataLoader<readonly Tensor[]>(make(), { batchSize: 3 })]
      const stacked = [
        ...new DataLoader<readonly Tensor[], unknown>(make(), { batchSize: 3, ...slow }),
      ] as Tensor[][]
      expect(gathered.map((batch) => (batch as Tensor[]).map((t) => t.tolist()))).toEqual(
        stacked.map((batch) => batch.map((t) => t.tolist())),
      )
    }
    const [batch] = new DataLoader<readonly Tensor[]>(dataset, { batchSize: 8 })
    ;(batch as Tensor[])[0].fill_(0)
    expect(x.sum().item()).toBe(276)
  })

  it('asks a subclass of TensorDataset for its own items', () => {
    class Doubled extends TensorDataset<[Tensor]> {
      override getItem(i: number): [Tensor] {
        return [super.getItem(i)[0].mul(2)]
      }
    }
    expect(lists(new DataLoader(new Doubled(torch.arange(3)), { batchSize: 3 }))).toEqual([[0, 2, 4]])
  })

  it('complains about an index out of range in the words of the dataset', () => {
    const loader = new DataLoader(numbers(3), { sampler: [0, 3] })
    expect(() => [...loader]).toThrow(/index 3 out of range|out of range/)
  })

  it('gives items one by one, uncollated, without a batch size', () => {
    expect([...new DataLoader([1, 'a', null] as unknown[], { batchSize: null })]).toEqual([1, 'a', null])
  })

  it('takes arrays, samplers and batches of indices', () => {
    const letters = ['a', 'b', 'c', 'd']
    expect([...new DataLoader(letters, { batchSize: 3 })]).toEqual([['a', 'b', 'c'], ['d']])
    expect([...new DataLoader(letters, { batchSize: 2, sampler: [3, 1, 0] })]).toEqual([['d', 'b'], ['a']])
    const loader = new DataLoader(letters, { batchSampler: [[0, 3], [1]] })
    expect([...loader]).toEqual([['a', 'd'], ['b']])
    expect(loader.length).toBe(2)
  })

  it('loads an iterable dataset in its order', () => {
    class Count extends IterableDataset<number> {
      override *[Symbol.iterator](): Iterator<number> {
        yield* [1, 2, 3, 4, 5]
      }
    }
    const loader = new DataLoader(new Count(), { batchSize: 2 })
    expect(Array.from(loader, (x) => x.tolist())).toEqual([[1, 2], [3, 4], [5]])
    expect(() => loader.length).toThrow('has no len()')
    expect(() => new DataLoader(new Count(), { shuffle: true })).toThrow(
      'DataLoader with IterableDataset: expected unspecified shuffle option, but got shuffle=True',
    )
    const dropping = new DataLoader(new ChainDataset([new Count(), new Count()]), {
      batchSize: 4,
      dropLast: true,
    })
    expect(Array.from(dropping, (x) => x.tolist())).toEqual([
      [1, 2, 3, 4],
      [5, 1, 2, 3],
    ])
  })

  it('awaits items that are promises, and streams, in for await', async () => {
    class Slow extends Dataset<Promise<number>> {
      get length() {
        return 3
      }
      getItem(i: number) {
        return Promise.resolve(i * 10)
      }
    }
    class Stream extends IterableDataset<number> {
      override async *[Symbol.asyncIterator](): AsyncGenerator<number> {
        yield 1
        yield 2
        yield 3
      }
    }
    const seen: unknown[] = []
    for await (const batch of new DataLoader(new Slow(), { batchSize: 2 })) {
      expectTypeOf(batch).toEqualTypeOf<Tensor>()
      seen.push(batch.tolist())
    }
    for await (const batch of new DataLoader(new Stream(), { batchSize: 2 })) seen.push(batch.tolist())
    for await (const [batch] of new DataLoader(numbers(2), { batchSize: 2 })) seen.push(batch.tolist())
    expect(seen).toEqual([[0, 10], [20], [1, 2], [3], [0, 1]])
    expect(() => [...new DataLoader(new Slow())]).toThrow('use for await')
  })

  const bad: [string, () => unknown, string][] = [
    [
      'sampler and shuffle',
      () => new DataLoader([1], { sampler: [0], shuffle: true }),
      'sampler option is mutually exclusive with shuffle',
    ],
    [
      'batchSampler and batchSize',
      () => new DataLoader([1], { batchSampler: [[0]], batchSize: 2 }),
      'batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last',
    ],
    [
      'dropLast without batches',
      () => new DataLoader([1], { batchSize: null, dropLast: true }),
      'batch_size=None option disables auto-batching',
    ],
    [
      'batches of 0',
      () => new DataLoader([1], { batchSize: 0 }),
      'batch_size should be a positive integer value, but got batch_size=0',
    ],
    [
      'shuffling nothing',
      () => new DataLoader([], { shuffle: true }),
      'num_samples should be a positive integer value, but got num_samples=0',
    ],
    [
      'no dataset',
      () => new DataLoader(5 as never),
      'a dataset must be a Dataset or an array, but got number 5',
    ],
    ['an unknown option', () => new DataLoader([1], { batch_size: 2 } as never), "did you mean 'batchSize'"],
    [
      'fewer than no workers',
      () => new DataLoader([1], { numWorkers: -1 }),
      'num_workers option should be non-negative',
    ],
  ]
  it.each(bad)('throws for %s', (_, make, message) => {
    expect(make).toThrow(message)
  })
})

describe('datasets', () => {
  it('of tensors need one first dimension', () => {
    expect(() => new TensorDataset(torch.ones([2]), torch.ones([3]))).toThrow('Size mismatch between tensors')
    const item = new TensorDataset(torch.arange(4).reshape([2, 2]), torch.arange(2)).getItem(-1)
    expect(item.map((x) => x.tolist())).toEqual([[2, 3], 1])
  })

  it('concatenate, and count from the end', () => {
    const all = new ConcatDataset([['a', 'b'], ['c']])
    expect(all.length).toBe(3)
    expect([0, 1, 2, -1, -3].map((i) => all.getItem(i))).toEqual(['a', 'b', 'c', 'c', 'a'])
    expect(() => all.getItem(-4)).toThrow('absolute value of index should not exceed dataset length')
    expect(() => all.getItem(3)).toThrow('list index out of range')
    expect(() => new ConcatDataset([])).toThrow('datasets should not be an empty iterable')
  })

  it('stack side by side', () => {
    const pairs = new StackDataset([
      [1, 2],
      ['a', 'b'],
    ] as [number[], string[]])
    expect(pairs.getItem(1)).toEqual([2, 'b'])
    expect(new StackDataset({ x: [1, 2], y: [3, 4] }).getItem(0)).toEqual({ x: 1, y: 3 })
    expect(() => new StackDataset([[1], [1, 2]])).toThrow('Size mismatch between datasets')
  })

  it('split at random as in PyTorch', () => {
    torch.manualSeed(2)
    const parts = randomSplit(['a', 'b', 'c', 'd', 'e', 'f', 'g'], [0.5, 0.5])
    expect(parts.map((part) => part.indices)).toEqual([
      [2, 4, 3, 0],
      [6, 1, 5],
    ])
    expect(parts[1].getItem(0)).toBe('g')
    expect(() => parts[1].getItem(3)).toThrow('list index out of range')
    const again = randomSplit(numbers(5), [3, 2], { generator: new torch.Generator().manualSeed(1) })
    expect(randomSplit(numbers(5), [3, 2], new torch.Generator().manualSeed(1))[0].indices).toEqual(
      again[0].indices,
    )
  })

  it('split into parts that add up only', () => {
    expect(() => randomSplit([1, 2, 3], [1, 1])).toThrow(
      'Sum of input lengths does not equal the length of the input dataset!',
    )
    expect(() => randomSplit([1, 2, 3], [1.5, -0.5])).toThrow('Fraction at index 0 is not between 0 and 1')
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    expect(randomSplit([1], [0.5, 0.5]).map((part) => part.length)).toEqual([1, 0])
    expect(warn.mock.calls[0][0]).toContain('Length of split at index 1 is 0.')
  })
})

describe('samplers', () => {
  it('draw as in PyTorch', () => {
    torch.manualSeed(1)
    expect([...new RandomSampler({ length: 5 }, { replacement: true, numSamples: 40 })]).toEqual([
      1, 2, 0, 4, 1, 4, 0, 0, 4, 1, 2, 1, 4, 3, 0, 2, 4, 2, 1, 4, 2, 3, 3, 0, 3, 1, 1, 3, 2, 1, 1, 4, 0, 3, 1,
      3, 2, 4, 3, 0,
    ])
    expect([...new WeightedRandomSampler([1, 2, 3], 6)]).toEqual([1, 1, 1, 2, 0, 1])
    expect([...new WeightedRandomSampler(torch.tensor([1.5, 3, 4.5]), 2, { replacement: false })]).toEqual([
      2, 1,
    ])
    torch.manualSeed(2)
    randomSplit(numbers(7), [0.5, 0.5])
    expect([...new SubsetRandomSampler([10, 20, 30, 40])]).toEqual([30, 10, 20, 40])
  })

  it('know their length', () => {
    const sequential = new SequentialSampler([1, 2, 3, 4, 5])
    expect([...sequential]).toEqual([0, 1, 2, 3, 4])
    expect(new RandomSampler([1, 2], { numSamples: 7 }).length).toBe(7)
    expect(new BatchSampler(sequential, 2, true).length).toBe(2)
    expect([...new BatchSampler(sequential, 2, false)]).toEqual([[0, 1], [2, 3], [4]])
  })

  it('may be one’s own', () => {
    class Backwards extends Sampler {
      override *[Symbol.iterator](): Iterator<number> {
        yield* [2, 1, 0]
      }
    }
    const loader = new DataLoader(['a', 'b', 'c'], { sampler: new Backwards(), batchSize: 3 })
    expect([...loader]).toEqual([['c', 'b', 'a']])
    expect(() => loader.length).toThrow('has no len()')
    expect(() => [...new Sampler()]).toThrow(torch.NotImplementedError)
  })

  it('refuse weights that are no vector, and no samples', () => {
    expect(() => new WeightedRandomSampler(torch.ones([2, 2]), 1)).toThrow('weights should be a 1d sequence')
    expect(() => new WeightedRandomSampler([1], 0)).toThrow('num_samples should be a positive integer value')
    expect(() => new BatchSampler([], 1.5, false)).toThrow(
      'batch_size should be a positive integer value, but got batch_size=1.5',
    )
  })
})

describe('defaultCollate', () => {
  it('stacks tensors and turns numbers into tensors', () => {
    expect(String(defaultCollate([torch.ones([2]), torch.zeros([2])]))).toBe(
      'tensor([[1., 1.],\n        [0., 0.]])',
    )
    expect(String(defaultCollate([1, 2]))).toBe('tensor([1, 2])')
    expect(defaultCollate([1, 2.5]).dtype).toBe(torch.float64)
    expect(defaultCollate([true, false]).dtype).toBe(torch.bool)
    expect(defaultCollate([1n, 2n]).dtype).toBe(torch.int64)
    expect(defaultCollate([Float32Array.of(1, 2), Float32Array.of(3, 4)]).sizes).toEqual([2, 2])
  })

  it('collates containers part by part', () => {
    const batch = defaultCollate([
      { x: torch.ones([1]), pair: [1, 'a'] as [number, string], m: new Map([['k', 1]]) },
      { x: torch.zeros([1]), pair: [2, 'b'] as [number, string], m: new Map([['k', 2]]) },
    ])
    expect(batch.x.tolist()).toEqual([[1], [0]])
    expect(batch.pair[0].tolist()).toEqual([1, 2])
    expect(batch.pair[1]).toEqual(['a', 'b'])
    expect(batch.m.get('k')?.tolist()).toEqual([1, 2])
  })

  it('complains about what does not fit', () => {
    expect(() => defaultCollate([[1], [1, 2]])).toThrow(
      'each element in list of batch should be of equal size',
    )
    expect(() => defaultCollate([torch.ones([1]), torch.ones([2])])).toThrow(
      'stack expects each tensor to be equal size',
    )
    expect(() => defaultCollate([null, null])).toThrow(
      'default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found null',
    )
  })
})
