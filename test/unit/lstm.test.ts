// An LSTM layer as one operation gives what its steps give, whichever way it is differentiated.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

const { nn } = torch
const options = { dtype: torch.float64 }

/** The same network, one `LSTMCell` step after the other. */
function steps(layer: InstanceType<typeof nn.LSTM>, x: torch.Tensor, reverse: boolean) {
  const suffix = reverse ? '_l0_reverse' : '_l0'
  const cell = new nn.LSTMCell(layer.inputSize, layer.hiddenSize, options)
  cell.weight_ih = layer[`weight_ih${suffix}`]
  cell.weight_hh = layer[`weight_hh${suffix}`]
  cell.bias_ih = layer[`bias_ih${suffix}`]
  cell.bias_hh = layer[`bias_hh${suffix}`]
  const zero = torch.zeros(x.shape[1], layer.hiddenSize, options)
  let [h, c] = [zero, zero]
  const outputs: torch.Tensor[] = []
  for (let i = 0; i < x.shape[0]; i++) {
    const t = reverse ? x.shape[0] - 1 - i : i
    const state = cell(x.select(0, t), [h, c])
    h = state[0]
    c = state[1]
    outputs[t] = h
  }
  return { output: torch.stack(outputs), h, c }
}

describe('an LSTM layer', () => {
  for (const sizes of [
    [1, 1, 1, 1],
    [4, 3, 2, 5],
    [3, 2, 4, 64],
  ]) {
    test(`has the results and gradients of its steps, both ways, for ${sizes}`, () => {
      const [length, batch, inputSize, hiddenSize] = sizes
      torch.manualSeed(1)
      const layer = new nn.LSTM(inputSize, hiddenSize, { bidirectional: true, ...options })
      const x = torch.randn(length, batch, inputSize, { ...options, requiresGrad: true })
      const [output, [h, c]] = layer(x)
      const [forward, backward] = [steps(layer, x, false), steps(layer, x, true)]
      const wanted = [
        torch.cat([forward.output, backward.output], 2),
        torch.stack([forward.h, backward.h]),
        torch.stack([forward.c, backward.c]),
      ]
      const given = [output, h, c]
      given.forEach((t, i) => {
        expect(torch.allclose(t, wanted[i], { rtol: 1e-12, atol: 1e-12 })).toBe(true)
      })
      const leaves = [x, ...layer.parameters()]
      const weights = given.map((t) => torch.randnLike(t))
      const loss = (results: torch.Tensor[]) =>
        results.map((t, i) => t.mul(weights[i]).sum()).reduce((a, b) => a.add(b))
      const found = torch.autograd.grad(loss(given), leaves)
      const expected = torch.autograd.grad(loss(wanted), leaves)
      found.forEach((g, i) => {
        expect(torch.allclose(g!, expected[i]!, { rtol: 1e-10, atol: 1e-10 })).toBe(true)
      })
    })
  }

  test('can be differentiated twice', () => {
    torch.manualSeed(2)
    const layer = new nn.LSTM(2, 3, options)
    const x = torch.randn(3, 2, 2, { ...options, requiresGrad: true })
    const [h, c] = [0, 1].map(() => torch.randn(1, 2, 3, { ...options, requiresGrad: true }))
    const run = (...[input, hidden, cell]: torch.Tensor[]) => layer(input, [hidden, cell])[0]
    expect(torch.autograd.gradcheck(run, [x, h, c])).toBe(true)
    expect(torch.autograd.gradgradcheck(run, [x, h, c])).toBe(true)
  })

  test('takes a sequence that lies in memory in another order, and states that are views', () => {
    torch.manualSeed(3)
    const layer = new nn.LSTM(4, 3, { batchFirst: true, ...options })
    const x = torch.randn(5, 4, 2, options).transpose(1, 2)
    const state = torch.randn(3, 5, 1, options).permute(2, 1, 0)
    const [output] = layer(x, [state, state])
    const [expected] = layer(x.contiguous(), [state.contiguous(), state.contiguous()])
    expect(torch.allclose(output, expected, { rtol: 1e-12, atol: 0 })).toBe(true)
  })

  test('computes gradients only where they are asked for', () => {
    const layer = new nn.LSTM(2, 3)
    layer.weight_hh_l0.requiresGrad_(false)
    layer(torch.randn(4, 1, 2))[0]
      .sum()
      .backward()
    expect(layer.weight_hh_l0.grad).toBeNull()
    expect(layer.weight_ih_l0.grad).not.toBeNull()
  })
})
