// Looking up rows: embedding, bags of rows, one-hot rows.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

const { functional: F } = torch.nn
const table = () =>
  torch
    .tensor([
      [1.5, 2],
      [3, 4.5],
      [-5, 6],
    ])
    .requiresGrad_()
const numbers = (...values: number[]) => torch.tensor(values)

describe('embedding', () => {
  test('gives one row per index, in the shape of the indices', () => {
    const out = F.embedding(
      torch.tensor([
        [2, 0],
        [1, 1],
      ]),
      table(),
    )
    expect(out.shape).toEqual(torch.Size.from([2, 2, 2]))
    expect(out.tolist()).toEqual([
      [
        [-5, 6],
        [1.5, 2],
      ],
      [
        [3, 4.5],
        [3, 4.5],
      ],
    ])
    expect(out.gradFn?.name()).toBe('EmbeddingBackward0')
  })

  test('a row looked up twice gets the sum of both gradients, the padding row none', () => {
    const w = table()
    F.embedding(numbers(2, 1, 1, 0), w, { paddingIdx: -1 })
      .sum()
      .backward()
    expect(w.grad?.tolist()).toEqual([
      [1, 1],
      [2, 2],
      [0, 0],
    ])
  })

  test('scaleGradByFreq divides by how often a row occurs', () => {
    const w = table()
    F.embedding(numbers(1, 1, 0), w, { scaleGradByFreq: true })
      .sum()
      .backward()
    expect(w.grad?.tolist()).toEqual([
      [1, 1],
      [1, 1],
      [0, 0],
    ])
  })

  test('maxNorm scales long rows down in the table itself', () => {
    const w = torch.tensor([
      [3, 4.5],
      [0.3, 0.4],
    ])
    F.embedding(numbers(1, 0), w, { maxNorm: 1 })
    expect(w.at(0).norm().item()).toBeCloseTo(1, 5)
    expect(w.at(1).norm().item()).toBeCloseTo(0.5, 5)
  })

  test('an index outside the table is an error', () => {
    expect(() => F.embedding(numbers(3), table())).toThrow('index out of range in self')
    expect(() => F.embedding(numbers(-1), table())).toThrow('index out of range in self')
    expect(() => F.embedding(torch.tensor([0.5]), table())).toThrow(
      /scalar types: Long, Int; but got torch.FloatTensor/,
    )
  })
})

describe('embeddingBag', () => {
  test('offsets cut the input into bags; an empty bag gives zeros', () => {
    const bags = (mode: 'sum' | 'mean' | 'max') =>
      F.embeddingBag(numbers(0, 1, 2), table(), numbers(0, 2, 2), { mode }).tolist()
    expect(bags('sum')).toEqual([
      [4.5, 6.5],
      [0, 0],
      [-5, 6],
    ])
    expect(bags('mean')).toEqual([
      [2.25, 3.25],
      [0, 0],
      [-5, 6],
    ])
    expect(bags('max')).toEqual([
      [3, 4.5],
      [0, 0],
      [-5, 6],
    ])
  })

  test('the largest element of a bag gets the whole gradient', () => {
    const w = table()
    F.embeddingBag(torch.tensor([[0, 2]]), w, { mode: 'max' })
      .sum()
      .backward()
    expect(w.grad?.tolist()).toEqual([
      [1, 0],
      [0, 0],
      [0, 1],
    ])
  })

  test('perSampleWeights scale rows and get gradients themselves', () => {
    const factors = torch.tensor([[0.5, 2.5]]).requiresGrad_()
    const out = F.embeddingBag(torch.tensor([[0, 1]]), table(), { mode: 'sum', perSampleWeights: factors })
    expect(out.tolist()).toEqual([[8.25, 12.25]])
    out.sum().backward()
    expect(factors.grad?.tolist()).toEqual([[3.5, 7.5]])
  })

  test('bags that do not begin at 0 are an error', () => {
    expect(() => F.embeddingBag(numbers(0, 1), table(), numbers(1))).toThrow('offsets[0] has to be 0')
  })
})

test('oneHot counts the classes where it is not told', () => {
  expect(F.oneHot(torch.tensor([2, 0])).tolist()).toEqual([
    [0, 0, 1],
    [1, 0, 0],
  ])
  expect(F.oneHot(torch.tensor([1]), 4).tolist()).toEqual([[0, 1, 0, 0]])
  expect(() => F.oneHot(torch.tensor([4]), 4)).toThrow('Class values must be smaller than num_classes.')
})
