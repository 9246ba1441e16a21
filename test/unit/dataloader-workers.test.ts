// DataLoader with numWorkers: threads that load the same batches in the same order, and items that are promises, ahead.

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test, vi } from 'vitest'
import * as torch from '../../src/index.ts'

const { DataLoader } = torch.utils.data
const script = fileURLToPath(new URL('../support/worker-loading.ts', import.meta.url))

describe('worker threads', () => {
  // That this returns shows that the program ends by itself, too.
  const output = execFileSync(process.execPath, ['--import', 'tsx', script], {
    encoding: 'utf8',
    timeout: 60_000,
  })
  const printed = new Map(
    output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as [string, unknown]),
  )
  const all = [
    [
      [0.5, 1.5, 2.5],
      [0, 1, 4],
    ],
    [
      [3.5, 4.5, 5.5],
      [9, 16, 25],
    ],
    [
      [6.5, 7.5, 8.5],
      [36, 49, 64],
    ],
    [[9.5], [81]],
  ]

  test.each([
    ['in order', all],
    ['asynchronously', all],
    ['threads', [true, true, false]],
    ['shuffled alike', true],
    ['seeds', [true, true]],
    ['subset', [81, 64, 1]],
    // Batches of the two workers in turn, until each has no more.
    [
      'iterable',
      [
        [0, 2, 4],
        [1, 3, 5],
        [6, 8, 10],
        [7, 9],
      ],
    ],
    [
      'iterable, dropLast',
      [
        [0, 2, 4],
        [1, 3, 5],
        [6, 8, 10],
      ],
    ],
    [
      'own collation',
      [
        [0, 1, 4, 9, 16],
        [25, 36, 49, 64, 81],
      ],
    ],
    [
      'persistent',
      [
        [
          [0, 1],
          [4, 9],
          [16, 25],
          [36, 49],
          [64, 81],
        ],
        true,
      ],
    ],
    ['timeout', 'RuntimeError: DataLoader timed out after 2 seconds'],
    ['exit', 'RuntimeError: DataLoader worker 0 exited unexpectedly: exit code 3'],
    ['exit, blocking', 'RuntimeError: DataLoader worker 0 exited unexpectedly: exit code 3'],
    ['main thread', null],
  ])('%s', (name, expected) => {
    expect(printed.get(name)).toEqual(expected)
  })

  test('errors come to the caller with the worker and its trace', () => {
    expect(printed.get('error')).toMatch(
      /^RuntimeError: Caught RangeError in DataLoader worker process 1\.\nOriginal Traceback \(most recent call last\):\nRangeError: thirteen\n +at .*worker-datasets/,
    )
    expect(printed.get('no such export')).toMatch(
      /^AttributeError: workerDataset\(\): the module .* exports no dataset called 'Nothing'/,
    )
  })
})

test('items that are promises are under way together, and come in order', async () => {
  let [now, most] = [0, 0]
  class Remote extends torch.utils.data.Dataset<Promise<number>> {
    override get length() {
      return 12
    }
    override async getItem(i: number) {
      most = Math.max(most, ++now)
      await new Promise((resolve) => setTimeout(resolve, 12 - i))
      now--
      return i
    }
  }
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const seen: unknown[] = []
  for await (const batch of new DataLoader(new Remote(), { batchSize: 2, numWorkers: 2, prefetchFactor: 2 }))
    seen.push(batch.tolist())
  expect(seen).toEqual([
    [0, 1],
    [2, 3],
    [4, 5],
    [6, 7],
    [8, 9],
    [10, 11],
  ])
  expect(most).toBe(8)
  expect(warn.mock.calls.flat().join()).toContain('workerDataset')
  warn.mockRestore()
})

test.each([
  [{ prefetchFactor: 2 }, /prefetch_factor option could only be specified in multiprocessing/],
  [{ persistentWorkers: true }, 'persistent_workers option needs num_workers > 0'],
  [{ timeout: -1 }, 'timeout option should be non-negative'],
  [{ numWorkers: 1, prefetchFactor: -1 }, 'prefetch_factor option should be non-negative'],
] as const)('%o is refused', (options, message) => {
  expect(() => new DataLoader([1], options)).toThrow(message)
})
