// The gradients of layer norm: the kernels that compute them at once against the form that can be differentiated again.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

const F = torch.nn.functional

/** The gradients of input, weight and bias, those that there are, once by each of the two ways. */
function gradients(sizes: number[], rank: number, dtype: torch.DType, affine: [boolean, boolean]) {
  torch.manualSeed(1)
  const shape = sizes.slice(sizes.length - rank)
  const leaf = (of: number[]) => torch.randn(of).to(dtype).requiresGrad_()
  const x = leaf(sizes)
  const weight = affine[0] ? leaf(shape) : null
  const bias = affine[1] ? leaf(shape) : null
  const inputs = [x, weight, bias].filter((t): t is torch.Tensor => t !== null)
  const scale = torch.randn(sizes).to(dtype)
  return [false, true].map((createGraph) => {
    const loss = F.layerNorm(x, shape, { weight, bias }).mul(scale).sum()
    return torch.autograd.grad(loss, inputs, { createGraph }).map((g) => g!.detach())
  })
}

describe('the gradients of layer norm', () => {
  test.each([
    [[5, 16], 1, [true, true]],
    [[3, 4, 7], 1, [true, false]],
    [[3, 4, 7], 2, [true, true]],
    [[2, 9], 1, [false, true]],
    [[6], 1, [true, true]],
    [[2, 300], 1, [false, false]],
  ] as [number[], number, [boolean, boolean]][])(
    'are the same at once and differentiably: %j, %d',
    (...args) => {
      const [sizes, rank, affine] = args
      const [atOnce, composed] = gradients(sizes, rank, torch.float64, affine)
      expect(atOnce).toHaveLength(composed.length)
      atOnce.forEach((g, i) => {
        expect(g.shape).toEqual(composed[i].shape)
        expect(torch.allclose(g, composed[i], { rtol: 1e-10, atol: 1e-10 })).toBe(true)
      })
    },
  )

  test('have the dtypes of what they belong to', () => {
    for (const dtype of [torch.float32, torch.bfloat16])
      for (const g of gradients([4, 8], 1, dtype, [true, true])[0]) expect(g.dtype).toBe(dtype)
  })
})
