// Pruning. Masks from PyTorch 2.13 after torch.manual_seed(0).

import { describe, expect, it } from 'vitest'
import * as torch from '../../src/index.ts'

const { nn } = torch
const { prune } = nn.utils

function pruned(how: (layer: torch.nn.Linear) => unknown): unknown {
  torch.manualSeed(0)
  const layer = new nn.Linear(4, 3)
  how(layer)
  return layer.getBuffer('weight_mask').tolist()
}

describe('pruning', () => {
  it('takes the smallest elements, or those of the lowest importance', () => {
    expect(pruned((layer) => prune.l1Unstructured(layer, 'weight', 0.3))).toEqual([
      [0, 1, 1, 1],
      [1, 1, 0, 1],
      [0, 1, 1, 0],
    ])
    const importanceScores = torch.arange(12).float().view(3, 4)
    expect(pruned((layer) => prune.l1Unstructured(layer, 'weight', 3, { importanceScores }))).toEqual([
      [0, 0, 0, 1],
      [1, 1, 1, 1],
      [1, 1, 1, 1],
    ])
  })

  it('takes elements and channels at random', () => {
    expect(pruned((layer) => prune.randomUnstructured(layer, 'weight', 5))).toEqual([
      [1, 0, 0, 1],
      [1, 1, 0, 1],
      [0, 1, 1, 0],
    ])
    expect(pruned((layer) => prune.randomStructured(layer, 'weight', 2, 1))).toEqual([
      [0, 1, 1, 0],
      [0, 1, 1, 0],
      [0, 1, 1, 0],
    ])
  })

  it('takes the channels with the smallest norm', () => {
    expect(pruned((layer) => prune.lnStructured(layer, 'weight', 0.5, 2, 1))).toEqual([
      [0, 0, 1, 1],
      [0, 0, 1, 1],
      [0, 0, 1, 1],
    ])
  })

  it('goes on with what is left', () => {
    const both = pruned((layer) => {
      prune.lnStructured(layer, 'weight', 1, 2, 0)
      prune.l1Unstructured(layer, 'weight', 0.5)
    })
    expect(both).toEqual([
      [0, 1, 1, 1],
      [0, 0, 0, 1],
      [0, 0, 0, 0],
    ])
    const two = pruned((layer) => {
      prune.l1Unstructured(layer, 'weight', 2)
      prune.lnStructured(layer, 'weight', 1, 1, 1)
    })
    expect(two).toEqual([
      [0, 1, 1, 1],
      [0, 1, 0, 1],
      [0, 1, 1, 1],
    ])
  })

  it('takes the smallest elements of several parameters together', () => {
    torch.manualSeed(0)
    const [a, b] = [new nn.Linear(4, 3), new nn.Linear(3, 2)]
    const net = new nn.Sequential(a, b)
    prune.globalUnstructured(
      [
        [a, 'weight'],
        [b, 'weight'],
      ],
      prune.L1Unstructured,
      { amount: 6 },
    )
    expect([a, b].map((layer) => layer.getBuffer('weight_mask').tolist())).toEqual([
      [
        [0, 1, 1, 1],
        [1, 1, 0, 1],
        [0, 0, 1, 0],
      ],
      [
        [0, 1, 1],
        [1, 1, 1],
      ],
    ])
    expect([...net.stateDict().keys()]).toEqual([
      '0.bias',
      '0.weight_orig',
      '0.weight_mask',
      '1.bias',
      '1.weight_orig',
      '1.weight_mask',
    ])
    expect(prune.isPruned(net)).toBe(true)
    expect(() =>
      prune.globalUnstructured([[a, 'weight']], prune.LnStructured as never, { amount: 1 }),
    ).toThrow('Only "unstructured" PRUNING_TYPE supported')
  })

  it('keeps pruned elements at zero while training, and for good once removed', () => {
    const layer = prune.customFromMask(new nn.Linear(2, 2), 'weight', torch.eye(2))
    const optimizer = new torch.optim.SGD(layer.parameters(), { lr: 0.1 })
    for (let i = 0; i < 3; i++) {
      optimizer.zeroGrad()
      layer(torch.ones(3, 2)).square().sum().backward()
      optimizer.step()
    }
    layer(torch.ones(3, 2))
    expect(Math.abs(layer.weight.at(0, 1).item() as number)).toBe(0)
    const value = layer.weight.tolist()
    prune.remove(layer, 'weight')
    expect(layer.weight).toBeInstanceOf(nn.Parameter)
    expect(layer.weight.tolist()).toEqual(value)
    expect([...layer.stateDict().keys()]).toEqual(['bias', 'weight'])
    expect(prune.isPruned(layer)).toBe(false)
  })

  it('refuses amounts and dimensions that do not fit, and leaves the layer as it was', () => {
    const layer = new nn.Linear(2, 2)
    expect(() => prune.l1Unstructured(layer, 'weight', 5)).toThrow(
      'amount=5 should be smaller than the number of parameters to prune=4',
    )
    expect(() => prune.l1Unstructured(layer, 'weight', 1.5)).toThrow(
      'should either be a float in the range [0, 1]',
    )
    expect(() => prune.lnStructured(layer, 'bias', 1, 2, 0)).toThrow(
      'can only be applied to multidimensional tensors',
    )
    expect(() => prune.remove(layer, 'weight')).toThrow('has to be pruned before pruning can be removed')
    expect([...layer.stateDict().keys()]).toEqual(['weight', 'bias'])
  })
})
