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
