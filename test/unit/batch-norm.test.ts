// The gradient of batch normalisation in training: two passes where nobody differentiates it again, else compositions.

import { expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

test.each([[[6, 3]], [[4, 3, 5]], [[2, 3, 4, 5]]])(
  'both ways of computing the gradients of %o agree',
  (sizes) => {
    torch.manualSeed(3)
    const make = () =>
      torch
        .randn(...sizes)
        .double()
        .mul(2)
        .add(5)
        .requiresGrad_()
    const x = make()
    const weight = torch.randn(3).double().requiresGrad_()
    const bias = torch.randn(3).double().requiresGrad_()
    const g = torch.randn(...sizes).double()
    const gradients = (createGraph: boolean) => {
      const y = torch.nn.functional.batchNorm(x, null, null, { weight, bias, training: true })
      return torch.autograd.grad(y, [x, weight, bias], { gradOutputs: g, createGraph }) as torch.Tensor[]
    }
    const composed = gradients(true)
    gradients(false).forEach((found, i) => {
      expect(torch.allclose(found, composed[i].detach(), { rtol: 1e-9, atol: 1e-11 })).toBe(true)
    })
  },
)
