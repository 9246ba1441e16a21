// Padding, resizing, sampling at a grid, blocks of images.

import { describe, expect, test } from 'vitest'
import { gradcheck, gradgradcheck } from '../../src/autograd/gradcheck.ts'
import * as torch from '../../src/index.ts'

const { functional: F } = torch.nn
const row = (...values: number[]) => torch.tensor(values, { dtype: torch.float64 }).view(1, 1, -1)
const random = (...sizes: number[]) => torch.randn(sizes, { dtype: torch.float64, requiresGrad: true })

describe('pad', () => {
  test('the four modes go on differently beyond the border', () => {
    const x = row(1, 2, 3)
    const padded = (mode: 'constant' | 'reflect' | 'replicate' | 'circular') =>
      F.pad(x, [2, 1], { mode }).view(-1).tolist()
    expect(padded('constant')).toEqual([0, 0, 1, 2, 3, 0])
    expect(padded('reflect')).toEqual([3, 2, 1, 2, 3, 2])
    expect(padded('replicate')).toEqual([1, 1, 1, 2, 3, 3])
    expect(padded('circular')).toEqual([2, 3, 1, 2, 3, 1])
  })

  test('negative amounts cut', () => {
    expect(
      F.pad(row(1, 2, 3), [-1, 1], { value: 9 })
        .view(-1)
        .tolist(),
    ).toEqual([2, 3, 9])
    expect(
      F.pad(row(1, 2, 3), [-1, 1], { mode: 'reflect' })
        .view(-1)
        .tolist(),
    ).toEqual([2, 3, 2])
  })

  test('the last dimension comes first in the amounts', () => {
    expect(F.pad(torch.ones(2, 3), [1, 2, 3, 4]).shape).toEqual(torch.Size.from([9, 6]))
  })

  test('derivatives agree with finite differences', () => {
    for (const mode of ['constant', 'reflect', 'replicate', 'circular'] as const)
      expect(gradgradcheck((x) => F.pad(x, [1, 2, -1, 1], { mode }), [random(1, 1, 3, 4)])).toBe(true)
  })

  test('reflecting further than the input reaches is an error', () => {
    expect(() => F.pad(row(1, 2, 3), [3, 0], { mode: 'reflect' })).toThrow('Padding size should be less than')
    expect(() => F.pad(row(1, 2), [1])).toThrow('Padding length must be divisible by 2')
  })
})

describe('interpolate', () => {
  test('linear interpolation, with corners or edges aligned', () => {
    const x = row(0, 4)
    expect(F.interpolate(x, 4, { mode: 'linear' }).view(-1).tolist()).toEqual([0, 1, 3, 4])
    const aligned = F.interpolate(x, 5, { mode: 'linear', alignCorners: true })
    expect(aligned.view(-1).tolist()).toEqual([0, 1, 2, 3, 4])
  })

  test('nearest looks from corners, nearest-exact from centres', () => {
    const x = row(0, 1, 2, 3, 4)
    expect(F.interpolate(x, 3).view(-1).tolist()).toEqual([0, 1, 3])
    expect(F.interpolate(x, 3, { mode: 'nearest-exact' }).view(-1).tolist()).toEqual([0, 2, 4])
  })

  test('antialiasing averages what shrinking skips', () => {
    const x = torch.zeros(1, 1, 8, 8, { dtype: torch.float64 })
    x.setAt([0, 0, 1, 1], 1)
    expect(F.interpolate(x, 2, { mode: 'bilinear' }).sum().item()).toBe(0.25)
    expect(F.interpolate(x, 2, { mode: 'bilinear', antialias: true }).at(0, 0, 0, 0).item()).toBeGreaterThan(
      0.04,
    )
  })

  test('derivatives agree with finite differences', () => {
    const cubic = (x: torch.Tensor) => F.interpolate(x, [5, 2], { mode: 'bicubic' })
    expect(gradcheck(cubic, [random(1, 1, 3, 4)])).toBe(true)
    expect(
      gradgradcheck((x) => F.interpolate(x, { scaleFactor: 1.7, mode: 'bilinear' }), [random(1, 1, 3, 3)]),
    ).toBe(true)
  })

  test('a mode that does not go with the rank is an error', () => {
    expect(() => F.interpolate(row(1, 2), 3, { mode: 'bilinear' })).toThrow(
      'Got 3D input, but bilinear mode needs 4D input',
    )
    expect(() => F.interpolate(row(1, 2))).toThrow('either size or scale_factor should be defined')
  })
})

describe('gridSample', () => {
  test('the identity map gives the image back', () => {
    const x = random(1, 2, 3, 4).detach()
    const identity = torch.tensor(
      [
        [
          [1, 0, 0],
          [0, 1, 0],
        ],
      ],
      { dtype: torch.float64 },
    )
    for (const alignCorners of [true, false]) {
      const grid = F.affineGrid(identity, [1, 2, 3, 4], { alignCorners })
      expect(F.gridSample(x, grid, { alignCorners }).sub(x).abs().max().item()).toBeLessThan(1e-12)
    }
  })

  test('beyond the border there are zeros, the border, or the mirror image', () => {
    const x = torch.tensor([[[[1, 2, 3]]]], { dtype: torch.float64 })
    const at = (place: number, paddingMode: 'zeros' | 'border' | 'reflection') =>
      F.gridSample(x, torch.tensor([[[[place, 0]]]], { dtype: torch.float64 }), {
        paddingMode,
        alignCorners: true,
      }).item()
    expect([at(2, 'zeros'), at(2, 'border'), at(2, 'reflection')]).toEqual([0, 3, 2])
  })

  test('derivatives of image and grid agree with finite differences', () => {
    const grid = torch.rand([1, 2, 2, 2], { dtype: torch.float64 }).mul(1.8).sub(0.9).requiresGrad_()
    const image = random(1, 1, 3, 4)
    expect(gradgradcheck((x, g) => F.gridSample(x, g), [image, grid])).toBe(true)
    expect(gradcheck((x, g) => F.gridSample(x, g, { mode: 'bicubic' }), [image, grid])).toBe(true)
  })
})

describe('unfold and fold', () => {
  test('columns are blocks in reading order', () => {
    const x = torch.arange(6).view(1, 1, 2, 3)
    expect(F.unfold(x.double(), 2).tolist()).toEqual([
      [
        [0, 1],
        [1, 2],
        [3, 4],
        [4, 5],
      ],
    ])
  })

  test('fold adds up overlapping blocks', () => {
    const ones = torch.ones(1, 1, 3, 3)
    expect(F.fold(F.unfold(ones, 2), 3, 2).tolist()).toEqual([
      [
        [
          [1, 2, 1],
          [2, 4, 2],
          [1, 2, 1],
        ],
      ],
    ])
  })

  test('derivatives agree with finite differences', () => {
    expect(gradgradcheck((x) => F.unfold(x, [2, 3], { padding: 1, stride: 2 }), [random(1, 2, 3, 4)])).toBe(
      true,
    )
  })
})
