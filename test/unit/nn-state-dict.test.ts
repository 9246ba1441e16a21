// State dicts: what is in them, in which order, and how they are loaded, with PyTorch's messages.

import { describe, expect, it } from 'vitest'
import * as torch from '../../src/index.ts'

const { nn } = torch

function caught(body: () => unknown): Error {
  try {
    body()
  } catch (error) {
    return error as Error
  }
  throw new Error('nothing was thrown')
}

class Everything extends nn.Module {
  child = new nn.Linear(1, 1, { bias: false })
  own = new nn.Parameter(torch.zeros(1))
  kept = new nn.Buffer(torch.zeros(1))
  transient = new nn.Buffer(torch.ones(1), { persistent: false })
  extra: unknown = torch.tensor(7)
  override getExtraState() {
    return this.extra
  }
  override setExtraState(state: unknown) {
    this.extra = state
  }
}

describe('stateDict', () => {
  it('has parameters, buffers, extra state, then children', () => {
    expect([...new Everything().stateDict().keys()]).toEqual(['own', 'kept', '_extra_state', 'child.weight'])
  })

  it('keeps the order of numeric names', () => {
    const net = new nn.Sequential(
      new Map([
        ['10', new nn.Linear(1, 2)],
        ['2', new nn.Linear(2, 1)],
      ]),
    )
    expect([...net.stateDict().keys()]).toEqual(['10.weight', '10.bias', '2.weight', '2.bias'])
    expect(String(net)).toMatch(/\(10\)[\s\S]*\(2\)/)
    expect(net(torch.ones(1, 1)).sizes).toEqual([1, 1])
  })

  it('gives detached tensors of the same memory, the parameters themselves with keepVars', () => {
    const linear = new nn.Linear(2, 1)
    const saved = linear.stateDict().get('weight') as torch.Tensor
    expect(saved.requiresGrad).toBe(false)
    torch.noGrad(() => linear.weight.fill_(3))
    expect(String(saved)).toBe('tensor([[3., 3.]])')
    expect(linear.stateDict({ keepVars: true }).get('weight')).toBe(linear.weight)
    expect([...linear.stateDict({ prefix: 'a.' }).keys()]).toEqual(['a.weight', 'a.bias'])
  })

  it('carries the version of every module, duplicates included', () => {
    const norm = new nn.BatchNorm1d(2)
    const net = new nn.Sequential(new nn.Linear(2, 2), norm, norm)
    const metadata = net.stateDict()._metadata
    expect([...metadata.keys()]).toEqual(['', '0', '1', '2'])
    expect([...metadata.values()].map((m) => m.get('version'))).toEqual([1, 1, 2, 2])
  })

  it('prints as an OrderedDict', () => {
    const linear = new nn.Linear(1, 1)
    torch.noGrad(() => {
      for (const p of linear.parameters()) p.fill_(0.5)
    })
    expect(String(linear.stateDict())).toBe(
      "OrderedDict({'weight': tensor([[0.5000]]), 'bias': tensor([0.5000])})",
    )
    expect(String(new nn.ReLU().stateDict())).toBe('OrderedDict()')
  })

  it('is changed by hooks, which return nothing', () => {
    const linear = new nn.Linear(1, 1)
    const seen: unknown[] = []
    linear.registerStateDictPreHook((_, prefix, keepVars) => seen.push(prefix, keepVars))
    const handle = linear.registerStateDictPostHook((_, state, prefix) => {
      state.set(`${prefix}more`, torch.zeros(1))
    })
    expect([...linear.stateDict().keys()]).toEqual(['weight', 'bias', 'more'])
    expect(seen).toEqual(['', false])
    handle.remove()
    handle.remove()
    linear.registerStateDictPostHook((_, state) => state as unknown as undefined)
    expect(() => linear.stateDict()).toThrow('state_dict post-hook must return None')
  })
})

describe('loadStateDict', () => {
  it('says that all keys matched', () => {
    const [a, b] = [new nn.Linear(2, 2), new nn.Linear(2, 2)]
    expect(String(a.loadStateDict(b.stateDict()))).toBe('<All keys matched successfully>')
    expect(String(a.weight.eq(b.weight).all().item())).toBe('true')
  })

  it('lists missing keys, unexpected keys and wrong sizes', () => {
    const linear = new nn.Linear(2, 2)
    const error = caught(() => linear.loadStateDict({ weight: torch.zeros(3, 2), x: torch.zeros(2) }))
    expect(error.name).toBe('RuntimeError')
    expect(error.message).toBe(
      'Error(s) in loading state_dict for Linear:\n\tMissing key(s) in state_dict: "bias". \n\tUnexpected key(s) in state_dict: "x". \n\tsize mismatch for weight: copying a param with shape torch.Size([3, 2]) from checkpoint, the shape in current model is torch.Size([2, 2]).',
    )
  })

  it('complains about sizes even if not strict, and has copied what fits', () => {
    const linear = new nn.Linear(2, 2)
    const state = { weight: torch.zeros(3, 2), bias: torch.full([2], 7) }
    expect(() => linear.loadStateDict(state, { strict: false })).toThrow(/size mismatch for weight/)
    expect(linear.bias?.tolist()).toEqual([7, 7])
  })

  it('returns both lists if not strict', () => {
    const linear = new nn.Linear(2, 2)
    const result = linear.loadStateDict({ weight: torch.zeros(2, 2), x: torch.zeros(1) }, { strict: false })
    expect(result.missingKeys).toEqual(['bias'])
    expect(result.unexpectedKeys).toEqual(['x'])
    expect(String(result)).toBe("_IncompatibleKeys(missing_keys=['bias'], unexpected_keys=['x'])")
  })

  it('copies in place: objects and dtypes stay', () => {
    const linear = new nn.Linear(1, 1)
    const { weight } = linear
    linear.loadStateDict({ weight: torch.full([1, 1], 0.1, { dtype: torch.float64 }), bias: torch.zeros(1) })
    expect(linear.weight).toBe(weight)
    expect(weight.dtype).toBe(torch.float32)
    expect(weight.item()).toBe(Math.fround(0.1))
  })

  it('with assign takes the tensors of the state dict, and requiresGrad of the module', () => {
    const linear = new nn.Linear(1, 1)
    const { weight } = linear
    linear.bias?.requiresGrad_(false)
    const source = torch.full([1, 1], 0.5, { dtype: torch.float64 })
    linear.loadStateDict({ weight: source, bias: torch.zeros(1) }, { assign: true })
    expect(linear.weight === weight).toBe(false)
    expect(linear.weight).toBeInstanceOf(nn.Parameter)
    expect(linear.weight.dtype).toBe(torch.float64)
    expect(linear.weight.storage).toBe(source.storage)
    expect([linear.weight.requiresGrad, linear.bias?.requiresGrad]).toEqual([true, false])
  })

  it('takes one element for a number, and has messages for other values', () => {
    class Scale extends nn.Module {
      scale = new nn.Parameter(torch.tensor(1.5))
    }
    const net = new Scale()
    net.loadStateDict({ scale: torch.tensor([2.5]) })
    expect(net.scale.item()).toBe(2.5)
    expect(() => net.loadStateDict({ scale: 3 })).toThrow(
      `While copying the parameter named "scale", expected torch.Tensor or Tensor-like object from checkpoint but received <class 'int'>`,
    )
    expect(() => net.loadStateDict(3 as unknown as Map<string, unknown>)).toThrow(
      'Expected state_dict to be dict-like, got int.',
    )
  })

  it('does not expect buffers that are not persistent, nor children that are not there', () => {
    const net = new Everything()
    const state = net.stateDict()
    expect(() => net.loadStateDict(new Map([...state, ['transient', torch.zeros(1)]]))).toThrow(
      'Unexpected key(s) in state_dict: "transient". ',
    )
    expect(() => net.loadStateDict(new Map([...state, ['other.weight', torch.zeros(1)]]))).toThrow(
      'Unexpected key(s) in state_dict: "other.weight". ',
    )
  })

  it('loads extra state', () => {
    const net = new Everything()
    const state = net.stateDict()
    state.set('_extra_state', torch.tensor(9))
    net.loadStateDict(state)
    expect((net.extra as torch.Tensor).item()).toBe(9)
    state.delete('_extra_state')
    expect(() => net.loadStateDict(state)).toThrow('Missing key(s) in state_dict: "_extra_state". ')
  })

  it('lets a batch norm lack its count of batches without metadata, not at version 2', () => {
    const norm = new nn.BatchNorm1d(2)
    const state = norm.stateDict()
    state.delete('num_batches_tracked')
    expect(String(norm.loadStateDict(new Map(state)))).toBe('<All keys matched successfully>')
    expect(() => norm.loadStateDict(state)).toThrow(
      'Error(s) in loading state_dict for BatchNorm1d:\n\tMissing key(s) in state_dict: "num_batches_tracked". ',
    )
  })

  it('runs hooks before and after', () => {
    const linear = new nn.Linear(1, 1)
    linear.registerLoadStateDictPreHook((_, state, prefix) => {
      state.set(`${prefix}weight`, state.get(`${prefix}kernel`))
      state.delete(`${prefix}kernel`)
    })
    const seen: string[] = []
    linear.registerLoadStateDictPostHook((_, keys) => {
      seen.push(String(keys))
    })
    linear.loadStateDict({ kernel: torch.full([1, 1], 4), bias: torch.zeros(1) })
    expect(linear.weight.item()).toBe(4)
    expect(seen).toEqual(['<All keys matched successfully>'])
  })
})
