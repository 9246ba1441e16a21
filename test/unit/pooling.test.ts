// Pooling: which windows there are, what they give, where gradients go.

import { describe, expect, test } from 'vitest'
import { gradcheck, gradgradcheck } from '../../src/autograd/gradcheck.ts'
import * as torch from '../../src/index.ts'

const { functional: F } = torch.nn
const image = (h: number, w: number) => torch.arange(h * w, { dtype: torch.float64 }).view(1, 1, h, w)
const random = (...sizes: number[]) => torch.randn(sizes, { dtype: torch.float64, requiresGrad: true })

describe('max pooling', () => {
  test('a window that begins inside counts in ceil mode', () => {
    expect(F.maxPool2d(image(3, 3), 2).tolist()).toEqual([[[[4]]]])
    expect(F.maxPool2d(image(3, 3), 2, { ceilMode: true }).tolist()).toEqual([
      [
        [
          [4, 5],
          [7, 8],
        ],
      ],
    ])
  })

  test('padding never wins, even over negative numbers', () => {
    expect(F.maxPool1d(torch.tensor([[-3.5, -2, -1]]), 2, { padding: 1 }).tolist()).toEqual([[-3.5, -1]])
  })

  test('indices are flat in each plane, and unpooling puts values back', () => {
    const [values, indices] = F.maxPool2d(image(4, 4), 2, { returnIndices: true })
    expect(indices.tolist()).toEqual([
      [
        [
          [5, 7],
          [13, 15],
        ],
      ],
    ])
    expect(F.maxUnpool2d(values, indices, 2).sum().item()).toBe(5 + 7 + 13 + 15)
    expect(F.maxUnpool2d(values, indices, 2).at(0, 0, 3, 1).item()).toBe(13)
  })

  test('NaN wins', () => {
    expect(F.maxPool1d(torch.tensor([[1.5, Number.NaN, 2]]), 3).item()).toBeNaN()
  })

  test('overlapping windows add up their gradients', () => {
    const x = image(1, 3).requiresGrad_()
    F.maxPool2d(x, [1, 2], { stride: 1 }).sum().backward()
    expect(x.grad?.tolist()).toEqual([[[[0, 1, 1]]]])
  })

  test('derivatives agree with finite differences', () => {
    const pool = (x: torch.Tensor) =>
      F.maxPool2d(x, 3, { stride: 2, padding: 1, dilation: 2, ceilMode: true })
    expect(gradcheck(pool, [random(1, 2, 5, 6)])).toBe(true)
    expect(gradgradcheck((x) => F.adaptiveMaxPool2d(x, [2, 3]), [random(1, 1, 3, 5)])).toBe(true)
  })

  test('too small an input is an error with both sizes', () => {
    expect(() => F.maxPool2d(torch.ones(1, 2, 3, 3), 5)).toThrow(
      'Given input size: (2x3x3). Calculated output size: (2x0x0). Output size is too small',
    )
    expect(() => F.maxPool2d(torch.ones(1, 2, 3, 3), 2, { padding: 2 })).toThrow('pad should be at most half')
  })
})

describe('average pooling', () => {
  test('zeros of the padding count unless told otherwise', () => {
    const x = torch.tensor([[2, 4.5]])
    expect(F.avgPool1d(x, 2, { padding: 1 }).tolist()).toEqual([[1, 2.25]])
    expect(F.avgPool1d(x, 2, { padding: 1, countIncludePad: false }).tolist()).toEqual([[2, 4.5]])
  })

  test('adaptive windows overlap where sizes do not divide', () => {
    expect(F.adaptiveAvgPool1d(torch.tensor([[1, 2, 3, 4, 5.5]]), 3).tolist()).toEqual([[1.5, 3, 4.75]])
    expect(F.adaptiveAvgPool2d(image(2, 4), [null, 1]).tolist()).toEqual([[[[1.5], [5.5]]]])
  })

  test('pooling to one element is a mean', () => {
    expect(F.adaptiveAvgPool2d(random(1, 2, 3, 3), 1).gradFn?.name()).toBe('MeanBackward1')
  })

  test('derivatives agree with finite differences', () => {
    const pool = (x: torch.Tensor) => F.avgPool2d(x, [3, 2], { stride: 2, padding: 1, ceilMode: true })
    expect(gradcheck(pool, [random(1, 2, 5, 6)])).toBe(true)
    expect(gradgradcheck((x) => F.adaptiveAvgPool2d(x, [3, 4]), [random(1, 1, 5, 6)])).toBe(true)
  })

  test('lpPool with p = 2 is the root of the sum of squares', () => {
    expect(F.lpPool1d(torch.tensor([[3, 4.0001]]), 2, 2).item()).toBeCloseTo(5, 3)
  })
})

test('fractional windows follow the samples given', () => {
  const samples = torch.tensor([[[0.5, 0.25]]], { dtype: torch.float64 })
  const out = F.fractionalMaxPool2d(image(5, 5), 2, { outputSize: 3, _randomSamples: samples })
  // PyTorch 2.13's result for the same samples.
  expect(out.tolist()).toEqual([
    [
      [
        [6, 8, 9],
        [11, 13, 14],
        [21, 23, 24],
      ],
    ],
  ])
})
