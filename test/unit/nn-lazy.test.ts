// Lazy layers: parameters without a shape until the first call.

import { describe, expect, it } from 'vitest'
import * as torch from '../../src/index.ts'

const { nn } = torch

describe('lazy layers', () => {
  it('print their uninitialised parameters, and refuse shapes and operations', () => {
    const lazy = new nn.LazyLinear(3)
    expect(String(lazy)).toBe('LazyLinear(in_features=0, out_features=3, bias=True)')
    expect(String(lazy.weight)).toBe('<UninitializedParameter>')
    expect(() => lazy.weight.shape).toThrow("Can't access the shape of an uninitialized parameter or buffer.")
    expect(() => lazy.weight.add(1)).toThrow(/Attempted to use an uninitialized parameter/)
    expect(() => lazy.weight.add(1)).toThrow(expect.objectContaining({ name: 'ValueError' }))
    expect([...lazy.stateDict().values()].map(String)).toEqual([
      '<UninitializedParameter>',
      '<UninitializedParameter>',
    ])
  })

  it('become the usual layer at the first call, with the same parameters', () => {
    const lazy = new nn.LazyLinear(3)
    const { weight } = lazy
    const output = lazy(torch.ones(2, 5))
    expect(output.sizes).toEqual([2, 3])
    expect(lazy.constructor).toBe(nn.Linear)
    expect(String(lazy)).toBe('Linear(in_features=5, out_features=3, bias=True)')
    expect(lazy.weight === weight).toBe(true)
    expect(weight.constructor).toBe(nn.Parameter)
    expect(weight.sizes).toEqual([3, 5])
    output.sum().backward()
    expect(weight.grad?.sizes).toEqual([3, 5])
  })

  it('draw their weights as the usual layer does', () => {
    torch.manualSeed(3)
    const usual = new nn.Linear(5, 3)
    torch.manualSeed(3)
    const lazy = new nn.LazyLinear(3)
    lazy(torch.ones(1, 5))
    expect(String(lazy.stateDict())).toBe(String(usual.stateDict()))
  })

  it('are not initialised by forward itself', () => {
    expect(() => new nn.LazyLinear(3).forward(torch.ones(1, 2))).toThrow(/uninitialized parameter/)
  })

  it('keep the dtype that they were converted to', () => {
    const lazy = new nn.LazyLinear(2).double()
    expect(String(lazy.weight)).toBe('<UninitializedParameter>')
    lazy(torch.ones(1, 2, { dtype: torch.float64 }))
    expect(lazy.weight.dtype).toBe(torch.float64)
  })

  it('take shapes from a state dict but stay lazy until called, then check the width', () => {
    const state = new nn.Linear(1, 3).stateDict()
    const lazy = new nn.LazyLinear(3)
    expect(String(lazy.loadStateDict(state))).toBe('<All keys matched successfully>')
    expect(String(lazy)).toBe('LazyLinear(in_features=0, out_features=3, bias=True)')
    expect(() => lazy(torch.ones(1, 2))).toThrow(
      'The in_features inferred from input: 2 is not equal to in_features from self.weight: 1',
    )
    expect(lazy(torch.ones(1, 1)).sizes).toEqual([1, 3])
    expect(String(lazy)).toBe('Linear(in_features=1, out_features=3, bias=True)')
    expect(lazy.weight.equal(state.get('weight') as torch.Tensor)).toBe(true)
  })

  it('cannot be loaded into initialised ones', () => {
    const linear = new nn.Linear(1, 3)
    expect(() => linear.loadStateDict(new nn.LazyLinear(3).stateDict())).toThrow(
      "Can't access the shape of an uninitialized parameter or buffer.",
    )
  })

  it('are copied as lazy layers of their own', () => {
    const lazy = new nn.LazyLinear(3)
    const copy = lazy.clone()
    copy(torch.ones(1, 4))
    expect(copy.inFeatures).toBe(4)
    expect(lazy.inFeatures).toBe(0)
    lazy(torch.ones(1, 2))
    expect(String(lazy)).toBe('Linear(in_features=2, out_features=3, bias=True)')
  })

  it('exist for convolutions and normalisations', () => {
    const conv = new nn.LazyConv2d(4, 3)
    expect(String(conv)).toBe('LazyConv2d(0, 4, kernel_size=(3, 3), stride=(1, 1))')
    expect(conv(torch.ones(1, 2, 5, 5)).sizes).toEqual([1, 4, 3, 3])
    expect(String(conv)).toBe('Conv2d(2, 4, kernel_size=(3, 3), stride=(1, 1))')
    expect(() => new nn.LazyConv2d(4, 3)(torch.ones(5, 5))).toThrow(
      'Expected 3D (unbatched) or 4D (batched) input to LazyConv2d, but got input of size: torch.Size([5, 5])',
    )
    const norm = new nn.LazyBatchNorm1d()
    norm(torch.randn(4, 3))
    expect(String(norm)).toBe(
      'BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, bias=True, track_running_stats=True)',
    )
    expect(norm.num_batches_tracked?.item()).toBe(1)
  })

  it('of a user initialise themselves through makeLazy', () => {
    class Scale extends nn.Module {
      scale: torch.nn.Parameter = new nn.UninitializedParameter()
      override forward(x: torch.Tensor) {
        return x.mul(this.scale)
      }
    }
    class LazyScale extends Scale {
      constructor() {
        super()
        nn.makeLazy(this, Scale)
      }
      initializeParameters(x: torch.Tensor) {
        const { scale } = this
        if (scale instanceof nn.UninitializedParameter) scale.materialize([x.sizes[1]])
        scale.fill_(2)
      }
    }
    const scale = new LazyScale()
    expect(scale(torch.ones(1, 3)).tolist()).toEqual([[2, 2, 2]])
    expect(scale.constructor).toBe(Scale)
  })
})
