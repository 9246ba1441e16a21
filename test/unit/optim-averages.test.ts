// torch.optim.swa_utils: averaged models. Figures from PyTorch 2.13.

import { describe, expect, it } from 'vitest'
import * as torch from '../../src/index.ts'

const { nn, optim } = torch
const { AveragedModel, getEmaAvgFn, getEmaMultiAvgFn, updateBn } = optim.swaUtils

function averaged(options?: torch.optim.swaUtils.AveragedModelOptions) {
  torch.manualSeed(0)
  const model = new nn.Sequential(new nn.Linear(2, 2), new nn.BatchNorm1d(2))
  const average = new AveragedModel(model, options)
  const optimizer = new optim.SGD(model.parameters(), { lr: 0.5 })
  for (let i = 0; i < 3; i++) {
    const x = torch.randn(4, 2)
    optimizer.zeroGrad()
    model(x).square().sum().mul(0.1).add(model[0](x).sum()).backward()
    optimizer.step()
    average.updateParameters(model)
  }
  return average
}

const close = (x: torch.Tensor, y: unknown) =>
  x.allclose(torch.tensor(y as number[]), { rtol: 1e-4, atol: 1e-5 })

describe('an averaged model', () => {
  const cases: [string, torch.optim.swaUtils.AveragedModelOptions, number[][], number[]][] = [
    [
      'the mean',
      {},
      [
        [0.458848, -0.369757],
        [-0.118031, -1.269491],
      ],
      [-0.618713, -0.470998],
    ],
    [
      'a moving average',
      { multiAvgFn: getEmaMultiAvgFn(0.9) },
      [
        [-0.003939, -0.12853],
        [-0.580697, -1.028131],
      ],
      [-0.618713, -0.470998],
    ],
    [
      'a moving average, one by one',
      { avgFn: getEmaAvgFn(0.9) },
      [
        [-0.003939, -0.12853],
        [-0.580697, -1.028131],
      ],
      [-0.618713, -0.470998],
    ],
    [
      'the mean of buffers, too',
      { useBuffers: true },
      [
        [0.458848, -0.369757],
        [-0.118031, -1.269491],
      ],
      [-0.293279, -0.223942],
    ],
  ]
  for (const [name, options, weight, mean] of cases)
    it(`has ${name}`, () => {
      const average = averaged(options)
      expect(average.n_averaged.item()).toBe(3)
      expect(close(average.getParameter('module.0.weight'), weight)).toBe(true)
      expect(close(average.getBuffer('module.1.running_mean'), mean)).toBe(true)
      expect([...average.stateDict().keys()]).toHaveLength(8)
      expect(average(torch.ones(2, 2)).shape.toString()).toBe('torch.Size([2, 2])')
    })

  it('gets the statistics of its batch normalisations from a loader', () => {
    const average = averaged()
    const squares = torch.arange(6).float().view(3, 2).pow(2).add(1)
    updateBn([torch.arange(8).float().view(4, 2), [squares]], average)
    expect(close(average.getBuffer('module.1.running_mean'), [-4.906463, -15.018973])).toBe(true)
    expect(close(average.getBuffer('module.1.running_var'), [0.341229, 142.417389])).toBe(true)
    expect((average.getSubmodule('module.1') as torch.nn.BatchNorm1d).momentum).toBe(0.1)
    expect(average.training).toBe(true)
  })

  it('refuses two functions and impossible decays', () => {
    const model = new nn.Linear(1, 1)
    expect(() => new AveragedModel(model, { avgFn: getEmaAvgFn(), multiAvgFn: getEmaMultiAvgFn() })).toThrow(
      'Only one of avg_fn and multi_avg_fn should be provided',
    )
    expect(() => getEmaMultiAvgFn(1.5)).toThrow('Invalid decay value 1.5 provided')
  })
})
