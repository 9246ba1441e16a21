// torch.utils.progress: the same items with a bar around them, drawn for people only.

import { PassThrough } from 'node:stream'
import { afterEach, expect, test, vi } from 'vitest'
import * as torch from '../../src/index.ts'

const { progress } = torch.utils
afterEach(() => vi.restoreAllMocks())

/** A stream that remembers what was written to it. */
function recorder(isTTY: boolean): { stream: NodeJS.WritableStream; text: () => string } {
  const parts: string[] = []
  const stream = Object.assign(new PassThrough(), {
    isTTY,
    columns: 200,
    cursorTo: () => true,
    clearLine: () => true,
  })
  stream.on('data', (part) => parts.push(String(part)))
  return { stream, text: () => parts.join('') }
}

test('a loop gets every item, and a terminal the bar, the counts and the values', () => {
  const { stream, text } = recorder(true)
  const items = progress(['a', 'b', 'c', 'd'], { description: 'epoch 1', stream })
  const seen: string[] = []
  for (const item of items) {
    seen.push(item)
    items.set({ loss: 0.123456 })
  }
  expect(seen).toEqual(['a', 'b', 'c', 'd'])
  expect(text()).toMatch(/epoch 1 .*0\/4/s)
  expect(text()).toMatch(/100% 4\/4 .*loss 0\.1235/s)
})

test('nothing is written where nobody is looking, unless asked for', () => {
  const silent = recorder(false)
  for (const _ of progress([1, 2], { stream: silent.stream }));
  expect(silent.text()).toBe('')
  const disabled = recorder(true)
  for (const _ of progress([1, 2], { stream: disabled.stream, enabled: false }));
  expect(disabled.text()).toBe('')
  const asked = recorder(false)
  for (const _ of progress([1, 2], { stream: asked.stream, enabled: true }));
  expect(asked.text()).toContain('2/2')
})

test('a DataLoader keeps the types of its batches and tells its length', () => {
  const dataset = new torch.utils.data.TensorDataset(torch.rand(10, 2), torch.rand(10))
  const loader = new torch.utils.data.DataLoader(dataset, { batchSize: 4 })
  const batches = progress(loader)
  expect(batches.length).toBe(3)
  expect(Array.from(batches, ([x]) => x.size(0))).toEqual([4, 4, 2])
})

test('asynchronous iterables are awaited, and those of promises too', async () => {
  async function* letters() {
    yield 'a'
    yield 'b'
  }
  const seen: string[] = []
  for await (const letter of progress(letters())) seen.push(letter)
  for await (const letter of progress([Promise.resolve('c')])) seen.push(letter)
  expect(seen).toEqual(['a', 'b', 'c'])
  expect(() => [...(progress(letters()) as unknown as Iterable<string>)]).toThrow(/use for await/)
})

test('leaving the loop early closes the source and the bar', () => {
  let isClosed = false
  function* source() {
    try {
      yield 1
      yield 2
    } finally {
      isClosed = true
    }
  }
  const { stream, text } = recorder(true)
  for (const _ of progress(source(), { stream, total: 2 })) break
  expect(isClosed).toBe(true)
  const length = text().length
  expect(text().endsWith('\n')).toBe(true)
  expect(length).toBeGreaterThan(0)
})

test('what cannot be looped over is refused', () => {
  // @ts-expect-error a number is not iterable
  expect(() => progress(3)).toThrow(/takes an iterable/)
  // @ts-expect-error there is no such option
  expect(() => progress([], { desc: 'x' })).toThrow(/unexpected option 'desc'/)
  expect(() => progress([], { total: -1 })).toThrow(/whole number/)
})
