// Convolutions through packed products, and their gradients, against the generated float64 kernel, on random geometries.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

let seed = 1
/** A whole number from `least` to `most`, the same in every run. */
function pick(least: number, most: number): number {
  seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
  return least + ((seed >>> 8) % (most - least + 1))
}

interface Case {
  rank: number
  sizes: number[]
  weightSizes: number[]
  options: { stride: number[]; padding: number[]; dilation: number[]; groups: number }
}

function randomCase(rank: number): Case {
  const each = (least: number, most: number) => Array.from({ length: rank }, () => pick(least, most))
  const groups = pick(1, 3)
  const inPerGroup = pick(1, 7)
  const kernel = each(1, 4)
  const dilation = each(1, 2)
  const extent = [0, 500, 30, 12][rank]
  return {
    rank,
    sizes: [
      pick(1, 3),
      groups * inPerGroup,
      ...kernel.map((k, i) => k * dilation[i] + pick(extent / 2, extent)),
    ],
    weightSizes: [groups * pick(4, 14), inPerGroup, ...kernel],
    options: { stride: each(1, 2), padding: each(0, 2), dilation, groups },
  }
}

function convolve({ rank, options }: Case, x: torch.Tensor, weight: torch.Tensor): torch.Tensor {
  const { conv1d, conv2d, conv3d } = torch.nn.functional
  return [conv1d, conv2d, conv3d][rank - 1](x, weight, options)
}

/** The output and both gradients; the gradient of the output is `gradient`, cast. */
function results(c: Case, x: torch.Tensor, weight: torch.Tensor, gradient?: torch.Tensor) {
  const [input, parameter] = [x, weight].map((t) => t.detach().clone().requiresGrad_())
  const output = convolve(c, input, parameter)
  output.backward(gradient === undefined ? torch.onesLike(output) : gradient.to(output.dtype))
  return [output.detach(), input.grad!, parameter.grad!]
}

describe('convolutions in float32', () => {
  for (let i = 0; i < 24; i++) {
    const c = randomCase((i % 3) + 1)
    test(`input ${c.sizes}, weight ${c.weightSizes}, ${JSON.stringify(c.options)}`, () => {
      torch.manualSeed(i)
      const [x, weight] = [torch.randn(c.sizes), torch.randn(c.weightSizes)]
      const gradient = torch.randn([...convolve(c, x, weight).sizes])
      const found = results(c, x, weight, gradient)
      const exact = results(c, x.double(), weight.double(), gradient)
      // How large the terms are that are added up.
      const scale = results(c, x.double().abs(), weight.double().abs(), gradient.abs())
      for (const [part, value] of found.entries()) {
        const error = value.double().sub(exact[part]).abs().sub(scale[part].mul(3e-6)).max().item()
        expect(error).toBeLessThanOrEqual(1e-30)
      }
    })
  }

  test('NaN reaches the outputs whose window holds it, and no others', () => {
    const x = torch.ones(1, 8, 20, 20)
    x.setAt([0, 3, 10, 7], Number.NaN)
    const out = torch.nn.functional.conv2d(x, torch.ones(8, 8, 3, 3), { padding: 1 })
    const places = out.isnan().any(1).nonzero().tolist() as number[][]
    const expected = [9, 10, 11].flatMap((row) => [6, 7, 8].map((column) => [0, row, column]))
    expect(places).toEqual(expected)
  })
})
