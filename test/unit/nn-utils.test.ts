// torch.nn.utils: clipping gradients, parameters as one vector. Figures from PyTorch.

import { beforeEach, describe, expect, it } from 'vitest'
import * as torch from '../../src/index.ts'

const { nn } = torch
const { utils } = nn

let linear: torch.nn.Linear

beforeEach(() => {
  linear = new nn.Linear(2, 1)
  torch.noGrad(() => {
    linear.weight.copy_(torch.tensor([[3, 4]]))
    linear.bias?.fill_(1)
  })
  linear.weight.grad = torch.tensor([[3, 4]]).float()
  if (linear.bias !== null) linear.bias.grad = torch.tensor([12]).float()
})

describe('clipping', () => {
  it('scales gradients to a total norm and returns the old one', () => {
    expect(utils.clipGradNorm_(linear.parameters(), 6.5).item()).toBe(13)
    expect((linear.weight.grad!.tolist() as number[][])[0].map((v) => v.toFixed(4))).toEqual([
      '1.5000',
      '2.0000',
    ])
    expect(linear.bias?.grad?.item()).toBeCloseTo(6, 5)
    expect(utils.clipGradNorm_(linear.parameters(), 100).item()).toBeCloseTo(6.5, 5)
    expect(linear.bias?.grad?.item()).toBeCloseTo(6, 5)
  })

  it('knows other norms', () => {
    const grads = [linear.weight.grad as torch.Tensor, linear.bias?.grad as torch.Tensor]
    expect(utils.getTotalNorm(grads, Number.POSITIVE_INFINITY).item()).toBe(12)
    expect(utils.getTotalNorm(grads, 1).item()).toBe(19)
    expect(utils.getTotalNorm(grads, { normType: 3 }).item()).toBeCloseTo((27 + 64 + 1728) ** (1 / 3), 4)
    expect(utils.getTotalNorm([]).item()).toBe(0)
  })

  it('complains about a norm that is not finite where asked', () => {
    if (linear.bias !== null) linear.bias.grad = torch.tensor([Number.POSITIVE_INFINITY])
    expect(() => utils.clipGradNorm_(linear.parameters(), 1, { errorIfNonfinite: true })).toThrow(
      'The total norm of order 2.0 for gradients from `parameters` is non-finite, so it cannot be clipped.',
    )
  })

  it('cuts gradients off at a value', () => {
    utils.clipGradValue_(linear.parameters(), 3.5)
    expect(linear.weight.grad?.tolist()).toEqual([[3, 3.5]])
    expect(linear.bias?.grad?.tolist()).toEqual([3.5])
  })
})

describe('parameters as a vector', () => {
  it('go there and back', () => {
    expect(utils.parametersToVector(linear.parameters()).tolist()).toEqual([3, 4, 1])
    const { weight } = linear
    utils.vectorToParameters(torch.tensor([5, 6, 7]).float(), linear.parameters())
    expect(linear.weight === weight).toBe(true)
    expect(weight.tolist()).toEqual([[5, 6]])
    expect(linear.bias?.tolist()).toEqual([7])
    expect(weight.requiresGrad).toBe(true)
  })
})
