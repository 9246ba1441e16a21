// The packed matrix product against products computed in float64, over sizes around its block and tile borders.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

function reference(a: torch.Tensor, b: torch.Tensor): torch.Tensor {
  return a.double().matmul(b.double())
}

describe('the packed float32 matrix product', () => {
  const sizes = [
    [32, 32, 32],
    [6, 512, 8],
    [97, 257, 513],
    [100, 300, 41],
    [4, 4096, 4],
    [65, 33, 30],
  ]
  for (const [n, k, m] of sizes)
    test(`${n} x ${k} x ${m}, all transposes`, () => {
      torch.manualSeed(n + k + m)
      const rounding = 1e-6 * k
      for (const left of [torch.randn(n, k), torch.randn(k, n).t(), torch.randn(n, 2 * k).at(':', '::2')])
        for (const right of [
          torch.randn(k, m),
          torch.randn(m, k).t(),
          torch.randn(k, 2 * m).at(':', '::2'),
        ]) {
          const error = left.matmul(right).double().sub(reference(left, right)).abs().max().item()
          expect(error).toBeLessThan(rounding)
        }
    })

  test('batches, one side shared', () => {
    torch.manualSeed(1)
    const a = torch.randn(3, 40, 50)
    const b = torch.randn(50, 60).expand(3, 50, 60)
    expect(a.bmm(b).double().sub(reference(a, b)).abs().max().item()).toBeLessThan(1e-4)
  })

  test('NaN and infinity reach the elements that they belong to, and no others', () => {
    const a = torch.ones(40, 40)
    a.setAt([3, 5], Number.NaN)
    a.setAt([7, 0], Number.POSITIVE_INFINITY)
    const product = a.matmul(torch.ones(40, 40))
    expect(product.isnan().any(1).nonzero().tolist()).toEqual([[3]])
    expect(product.isinf().all(1).nonzero().tolist()).toEqual([[7]])
  })
})

describe('small and narrow float32 products', () => {
  const sizes = [
    [100, 5, 5],
    [100, 1, 5],
    [5, 100, 5],
    [1, 784, 130],
    [130, 784, 1],
    [1, 37, 1],
    [2, 40, 77],
    [77, 40, 3],
    [3, 2, 33],
    [7, 0, 3],
    [9, 19, 11],
  ]
  for (const [n, k, m] of sizes)
    test(`${n} x ${k} x ${m}, all transposes, with and without an addend`, () => {
      torch.manualSeed(n + k + m)
      const rounding = 1e-6 * (k + 4)
      const addends = [
        torch.randn(m),
        torch.randn(n, m),
        torch.randn(m, n).t(),
        torch.randn(n, 1),
        torch.randn(1),
      ]
      for (const left of [torch.randn(n, k), torch.randn(k, n).t(), torch.randn(n, 2 * k).at(':', '::2')])
        for (const right of [
          torch.randn(k, m),
          torch.randn(m, k).t(),
          torch.randn(k, 2 * m).at(':', '::2'),
        ]) {
          const expected = reference(left, right)
          const largest = (x: torch.Tensor) => x.double().abs().max().item()
          expect(largest(left.mm(right).double().sub(expected))).toBeLessThan(rounding)
          for (const addend of addends)
            expect(largest(addend.addmm(left, right).double().sub(expected).sub(addend))).toBeLessThan(
              rounding,
            )
        }
    })

  test('batches of small matrices, one side shared', () => {
    torch.manualSeed(2)
    const a = torch.randn(6, 5, 7)
    for (const b of [
      torch.randn(6, 7, 3),
      torch.randn(7, 3).expand(6, 7, 3),
      torch.randn(6, 3, 7).transpose(1, 2),
    ])
      expect(a.bmm(b).double().sub(reference(a, b)).abs().max().item()).toBeLessThan(1e-5)
  })

  test('the gradient of a weight lies in memory as the weight does', () => {
    const weight = torch.randn(3, 4).requiresGrad_()
    torch.nn.functional.linear(torch.randn(6, 4), weight).sum().backward()
    expect(weight.grad!.isContiguous()).toBe(true)
  })
})
