// torch.nn.utils.rnn and recurrent layers on packed sequences. Figures from PyTorch 2.13.

import { describe, expect, it } from 'vitest'
import * as torch from '../../src/index.ts'

const { nn } = torch
const { packPaddedSequence, packSequence, padPackedSequence, padSequence, unpackSequence, unpadSequence } =
  nn.utils.rnn

const padded = torch.arange(12).view(3, 2, 2).float()

/** Weights that PyTorch was given, too: half the sine of 0.7 i + k for the k-th parameter. */
function fill<M extends torch.nn.Module>(module: M): M {
  torch.noGrad(() => {
    let k = 0
    for (const p of module.parameters()) {
      const steps = torch.arange(p.numel(), { dtype: torch.float64 }).mul(0.7).add(k)
      p.copy_(steps.sin().mul(0.5).view(p.sizes))
      k++
    }
  })
  return module
}

function sequences(): torch.Tensor[] {
  return [2, 4, 1].map((n) =>
    torch
      .arange(n * 2)
      .float()
      .add(n)
      .cos()
      .view(n, 2)
      .requiresGrad_(),
  )
}

describe('packed sequences', () => {
  it('hold the steps of all sequences, longest first, and remember the order', () => {
    const packed = packPaddedSequence(padded, [1, 3], { enforceSorted: false })
    expect(packed.data.tolist()).toEqual([
      [2, 3],
      [0, 1],
      [6, 7],
      [10, 11],
    ])
    expect(packed.batchSizes.tolist()).toEqual([2, 1, 1])
    expect(packed.sortedIndices?.tolist()).toEqual([1, 0])
    expect(packed.unsortedIndices?.tolist()).toEqual([1, 0])
    expect(String(packPaddedSequence(padded, [2, 1]))).toBe(
      'PackedSequence(data=tensor([[0., 1.],\n        [2., 3.],\n        [4., 5.]]), batch_sizes=tensor([2, 1]), sorted_indices=None, unsorted_indices=None)',
    )
  })

  it('go back to padded ones in their own order, of any length and padding', () => {
    const packed = packPaddedSequence(padded, [1, 3], { enforceSorted: false })
    const [back, lengths] = padPackedSequence(packed, { batchFirst: true, paddingValue: -1, totalLength: 4 })
    expect(lengths.tolist()).toEqual([1, 3])
    expect(back.select(2, 0).tolist()).toEqual([
      [0, -1, -1, -1],
      [2, 6, 10, -1],
    ])
    expect(unpackSequence(packed).map((x) => x.size(0))).toEqual([1, 3])
  })

  it('refuse lengths that do not fit', () => {
    expect(() => packPaddedSequence(padded, [1, 3])).toThrow('must be sorted in decreasing order')
    expect(() => packPaddedSequence(padded, [3, 0])).toThrow('has to be greater than 0')
    expect(() => packPaddedSequence(padded, [4, 1])).toThrow('at most the length of the padded sequences, 3')
    expect(() => packPaddedSequence(padded, [3, 2, 1])).toThrow('but got 3 (batch_size=2)')
    expect(() => padPackedSequence(packPaddedSequence(padded, [3, 1]), { totalLength: 2 })).toThrow(
      'Expected total_length to be at least the length of the longest sequence',
    )
  })
})

describe('padSequence', () => {
  it('fills up on either side, with any value, and unpadSequence takes it off again', () => {
    const list = [torch.tensor([1, 2, 3]), torch.tensor([4])]
    expect(padSequence(list).tolist()).toEqual([
      [1, 4],
      [2, 0],
      [3, 0],
    ])
    const left = padSequence(list, { batchFirst: true, paddingSide: 'left', paddingValue: 9 })
    expect(left.tolist()).toEqual([
      [1, 2, 3],
      [9, 9, 4],
    ])
    expect(unpadSequence(padSequence(list), [3, 1]).map((x) => x.tolist())).toEqual([[1, 2, 3], [4]])
    expect(() => padSequence([])).toThrow('received an empty list of sequences')
  })

  it('hands gradients to each sequence', () => {
    const [a, b] = [torch.ones(2).requiresGrad_(), torch.ones(1).requiresGrad_()]
    padSequence([a, b]).mul(3).sum().backward()
    expect([a.grad?.tolist(), b.grad?.tolist()]).toEqual([[3, 3], [3]])
  })
})

describe('a recurrent layer on packed sequences', () => {
  it('gives what it gives for each sequence alone, states and gradients included', () => {
    const layers = [
      new nn.LSTM(2, 3, { bidirectional: true, numLayers: 2 }),
      new nn.LSTM(2, 3, { projSize: 2, bidirectional: true }),
      new nn.GRU(2, 3, { bidirectional: true }),
      new nn.RNN(2, 3, 2),
    ]
    type Run = <X>(x: X) => [output: X, state: torch.Tensor | readonly torch.Tensor[]]
    for (const each of layers) {
      const layer = fill(each) as unknown as Run
      const [together, alone] = [sequences(), sequences()]
      const [packed, state] = layer(packSequence(together, { enforceSorted: false }))
      const states = state instanceof torch.Tensor ? [state] : state
      const outputs = unpackSequence(packed)
      alone.forEach((x, i) => {
        const [output, last] = layer(x)
        expect(outputs[i].allclose(output, { atol: 1e-6 })).toBe(true)
        const lasts = last instanceof torch.Tensor ? [last] : last
        lasts.forEach((s, k) => {
          expect(states[k].select(1, i).allclose(s, { atol: 1e-6 })).toBe(true)
        })
        output.sum().backward()
      })
      packed.data.sum().backward()
      alone.forEach((x, i) => {
        expect(together[i].grad?.allclose(x.grad!, { atol: 1e-6 })).toBe(true)
      })
    }
  })

  it("gives PyTorch's numbers", () => {
    const gru = fill(new nn.GRU(2, 3, { bidirectional: true }))
    const [output, state] = gru(packSequence(sequences(), { enforceSorted: false }))
    const [back] = padPackedSequence(output, { batchFirst: true, paddingValue: -1 })
    const expected = [
      [-0.086598, 0.484231, 0.572303, -0.38467, -0.609334, -0.286683],
      [0.133686, 0.348501, 0.64077, -0.18588, -0.346641, -0.297268],
      [-1.0, -1.0, -1.0, -1.0, -1.0, -1.0],
      [-1.0, -1.0, -1.0, -1.0, -1.0, -1.0],
    ]
    expect(back.select(0, 0).allclose(torch.tensor(expected), { atol: 1e-5 })).toBe(true)
    const last = [
      [
        [0.133686, 0.348501, 0.64077],
        [0.367622, 0.44377, 0.684707],
        [0.245439, 0.395982, 0.258806],
      ],
      [
        [-0.38467, -0.609334, -0.286683],
        [-0.371655, -0.541895, -0.313806],
        [-0.201122, -0.248673, -0.144542],
      ],
    ]
    expect(state.allclose(torch.tensor(last), { atol: 1e-5 })).toBe(true)
  })

  it('takes initial states in the order of the sequences', () => {
    const rnn = fill(new nn.RNN(2, 3))
    const h0 = torch.arange(9).float().div(10).view(1, 3, 3)
    const [, state] = rnn(packSequence(sequences(), { enforceSorted: false }), h0)
    sequences().forEach((x, i) => {
      const [, alone] = rnn(x, h0.select(1, i))
      expect(state.select(1, i).allclose(alone, { atol: 1e-6 })).toBe(true)
    })
    expect(() => rnn(packSequence(sequences(), { enforceSorted: false }), torch.zeros(1, 2, 3))).toThrow(
      'Expected hidden size (1, 3, 3), got [1, 2, 3]',
    )
  })
})
