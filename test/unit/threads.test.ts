// Worker threads: the number of threads, equal results whatever it is, and processes that end by themselves.

import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { activeWorkers } from '../../src/backends/cpu/threads.ts'
import * as torch from '../../src/index.ts'

// The addon has threads of its own and would do the work of these (native.test.ts is about them).
process.env.ANTORCHA_NATIVE = '0'

const initially = torch.getNumThreads()
afterEach(() => torch.setNumThreads(initially))

describe('the number of threads', () => {
  test('is at least one at first, and what was set after that', () => {
    expect(initially).toBeGreaterThanOrEqual(1)
    torch.setNumThreads(3)
    expect(torch.getNumThreads()).toBe(3)
  })

  test('must be a positive integer', () => {
    for (const n of [0, -1])
      expect(() => torch.setNumThreads(n)).toThrow('set_num_threads expects a positive integer')
    expect(() => torch.setNumThreads(1.5)).toThrow('set_num_threads expects an int, but got float')
    expect(() => torch.setNumThreads('2' as unknown as number)).toThrow(torch.RuntimeError)
    expect(torch.getNumThreads()).toBe(initially)
  })
})

/** Sets the number of threads and keeps them busy until all have started. */
function startThreads(n: number): void {
  torch.setNumThreads(n)
  const x = torch.ones(2 ** 20)
  const until = Date.now() + 20_000
  while (activeWorkers() < n - 1 && Date.now() < until) x.exp()
  expect(activeWorkers()).toBe(n - 1)
}

const bytesOf = (x: torch.Tensor): Uint8Array =>
  new Uint8Array(x.storage.bytes().slice(x.offset, x.offset + x.numel() * x.dtype.itemsize))

describe('results are the same bytes on one, two and three threads:', () => {
  torch.manualSeed(1)
  const matrix = torch.randn(700, 903)
  const wide = torch.randn(3, 250_001)
  const doubles = torch.randn(400, 801, { dtype: torch.float64 })
  const volume = torch.randn(40, 60, 70)
  const index = torch.randint(0, 700, [5000])
  const bigIndex = torch.randint(0, 700, [700, 903])
  const cases: Record<string, () => torch.Tensor> = {
    'a pointwise function': () => matrix.exp(),
    'an odd number of elements': () => wide.sigmoid(),
    'a function that calls Math': () => matrix.sin(),
    'a function that workers do not have': () => matrix.lgamma(),
    'a change in place': () => matrix.clone().mul_(3).add_(matrix),
    float64: () => doubles.mul(doubles).add(1),
    'a comparison': () => matrix.gt(0),
    'half precision': () => matrix.to(torch.float16).mul(2),
    broadcasting: () => volume.mul(volume.select(0, 1)).add(volume.select(2, 3).unsqueeze(2)),
    'a transposed copy': () => matrix.t().contiguous(),
    'a strided view': () =>
      wide
        .slice(1, 1, 250_001, 3)
        .exp()
        .add(wide.slice(1, 0, 250_000, 3)),
    'a sum of rows': () => matrix.sum(1),
    'a sum of columns': () => matrix.sum(0),
    'a sum of everything': () => wide.sum(),
    'a sum over the outer and the inner dimension': () => volume.sum([0, 2]),
    'a running total': () => matrix.cumsum(1),
    'the places of maxima': () => matrix.argmax(1),
    softmax: () => matrix.softmax(1),
    'softmax of columns': () => matrix.softmax(0),
    'layer normalisation': () => torch.nn.functional.layerNorm(matrix, [903]),
    'a gather of rows': () => matrix.indexSelect(0, index),
    'a scatter whose targets meet': () => torch.zeros(700, 903).scatterAdd(0, bigIndex, matrix),
    'a matrix product': () => matrix.mm(matrix.t()),
  }
  const expected = new Map<string, Uint8Array>()

  test('one', () => {
    torch.setNumThreads(1)
    for (const [name, f] of Object.entries(cases)) expected.set(name, bytesOf(f()))
    expect(activeWorkers()).toBe(0)
  })

  for (const threads of [2, 3])
    test(`${threads}`, { timeout: 60_000 }, () => {
      startThreads(threads)
      for (const [name, f] of Object.entries(cases))
        for (let repetition = 0; repetition < 3; repetition++)
          expect(Buffer.compare(bytesOf(f()), expected.get(name)!), name).toBe(0)
    })
})

describe('launches on several threads', () => {
  test('quick and slow ones in turn never miss or repeat a chunk', { timeout: 60_000 }, () => {
    startThreads(3)
    const counts = torch.zeros(2 ** 19)
    const slow = torch.full([2 ** 17], 0.5)
    for (let i = 1; i <= 3000; i++) {
      counts.add_(1)
      if (i % 7 === 0) slow.exp().sum()
      if (i % 50 !== 0) continue
      expect([counts.min().item(), counts.max().item()]).toEqual([i, i])
    }
  })

  test('go on when the memory has grown', { timeout: 60_000 }, () => {
    startThreads(2)
    const held: torch.Tensor[] = []
    for (let i = 0; i < 40; i++) {
      const x = torch.full([2 ** 20], i).add(1)
      held.push(x)
      expect(x.sum().item()).toBe((i + 1) * 2 ** 20)
    }
    for (const [i, x] of held.entries()) expect(x.max().item()).toBe(i + 1)
  })

  test('use another number of threads as soon as it is set', { timeout: 60_000 }, () => {
    for (const n of [2, 3, 1, 2]) {
      startThreads(n)
      expect(
        torch
          .ones(2 ** 20)
          .add(n)
          .sum()
          .item(),
      ).toBe((n + 1) * 2 ** 20)
    }
  })
})

describe('a process whose threads have worked', () => {
  const index = fileURLToPath(new URL('../../src/index.ts', import.meta.url))
  const run = (ending: string) => {
    const program = `
      import(${JSON.stringify(index)}).then((torch) => {
        torch.setNumThreads(3)
        const x = torch.ones(2 ** 20)
        const until = performance.now() + 500
        while (performance.now() < until) x.exp()
        ${ending}
      })`
    const options = { timeout: 30_000, env: { ...process.env, NODE_NO_WARNINGS: '1' } }
    return promisify(execFile)(process.execPath, ['--import', 'tsx', '-e', program], options)
  }

  test('ends by itself, without a word', { timeout: 60_000 }, async () => {
    expect(await run('')).toEqual({ stdout: '', stderr: '' })
  })

  test('ends with the code given to process.exit', { timeout: 60_000 }, async () => {
    await expect(run('process.exit(7)')).rejects.toMatchObject({ code: 7, stdout: '', stderr: '' })
  })

  test('ends with an error that nobody catches', { timeout: 60_000 }, async () => {
    await expect(run("throw new Error('on purpose')")).rejects.toMatchObject({
      code: 1,
      stderr: expect.stringContaining('on purpose'),
    })
  })
})
