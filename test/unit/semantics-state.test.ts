// Behaviours of state dicts that ports usually get wrong, numbered 16 to 28.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

const { nn } = torch

class Net extends nn.Module {
  child = new nn.Linear(1, 1, { bias: false })
  own = new nn.Parameter(torch.zeros(1))
  kept = new nn.Buffer(torch.zeros(1))
  transient = new nn.Buffer(torch.ones(1), { persistent: false })
  override getExtraState() {
    return 7
  }
  override setExtraState() {}
}

describe('stateDict', () => {
  test('16. own parameters, buffers and extra state come before children; names stay in their order', () => {
    expect([...new Net().stateDict().keys()]).toEqual(['own', 'kept', '_extra_state', 'child.weight'])
    const numbered = new nn.Sequential([
      ['10', new nn.Linear(1, 2, { bias: false })],
      ['2', new nn.Linear(2, 1, { bias: false })],
    ])
    expect([...numbered.stateDict().keys()]).toEqual(['10.weight', '2.weight'])
  })

  test('17. its tensors are detached and share the memory; with keepVars they are the parameters', () => {
    const linear = new nn.Linear(1, 1)
    const saved = linear.stateDict().get('weight') as torch.Tensor
    expect(saved.requiresGrad).toBe(false)
    torch.noGrad(() => linear.weight.fill_(3))
    expect(saved.item()).toBe(3)
    expect(linear.stateDict({ keepVars: true }).get('weight')).toBe(linear.weight)
  })

  test('18. _metadata has the version of every module, duplicates included, and survives a file', () => {
    const norm = new nn.BatchNorm1d(2)
    const state = new nn.Sequential(new nn.Linear(2, 2), norm, norm).stateDict()
    const versions = (metadata: Map<string, Map<string, unknown>>) =>
      Array.from(metadata, ([name, entry]) => [name, entry.get('version')])
    const expected = [
      ['', 1],
      ['0', 1],
      ['1', 2],
      ['2', 2],
    ]
    expect(versions(state._metadata as never)).toEqual(expected)
    const loaded = torch.load<typeof state>(torch.saveToBytes(state))
    expect(versions(loaded._metadata as never)).toEqual(expected)
  })

  test('19. a batch norm may lack its count of batches without metadata, not at version 2', () => {
    const norm = new nn.BatchNorm1d(2)
    const state = norm.stateDict()
    state.delete('num_batches_tracked')
    expect(String(norm.loadStateDict(new Map(state)))).toBe('<All keys matched successfully>')
    expect(() => norm.loadStateDict(state)).toThrow('Missing key(s) in state_dict: "num_batches_tracked". ')
  })

  test('20. a buffer that is not persistent is a buffer, but not in the state dict, where it is unexpected', () => {
    const net = new Net()
    expect(Array.from(net.namedBuffers(), ([name]) => name)).toEqual(['kept', 'transient'])
    const state = net.stateDict()
    expect(state.has('transient')).toBe(false)
    state.set('transient', torch.zeros(1))
    expect(() => net.loadStateDict(state)).toThrow('Unexpected key(s) in state_dict: "transient". ')
  })

  test('21. a post-hook must return nothing', () => {
    const linear = new nn.Linear(1, 1)
    linear.registerStateDictPostHook((_, state) => state as unknown as undefined)
    expect(() => linear.stateDict()).toThrow('state_dict post-hook must return None')
  })
})

describe('loadStateDict', () => {
  test('22. one error lists missing keys, unexpected keys and wrong sizes', () => {
    const linear = new nn.Linear(2, 2)
    expect(() => linear.loadStateDict({ weight: torch.zeros(3, 2), x: torch.zeros(2) })).toThrow(
      new torch.RuntimeError(
        'Error(s) in loading state_dict for Linear:\n\tMissing key(s) in state_dict: "bias". \n\tUnexpected key(s) in state_dict: "x". \n\tsize mismatch for weight: copying a param with shape torch.Size([3, 2]) from checkpoint, the shape in current model is torch.Size([2, 2]).',
      ),
    )
  })

  test('23. a wrong size is an error even where not strict', () => {
    expect(() => new nn.Linear(2, 2).loadStateDict({ weight: torch.zeros(3, 2) }, { strict: false })).toThrow(
      /size mismatch for weight/,
    )
  })

  test('24. it is not atomic: what fits was copied', () => {
    const linear = new nn.Linear(2, 2)
    expect(() => linear.loadStateDict({ weight: torch.zeros(3, 2), bias: torch.full([2], 7) })).toThrow()
    expect(linear.bias?.tolist()).toEqual([7, 7])
  })

  test('25. not strict, it returns both lists; all well, it prints so', () => {
    const linear = new nn.Linear(1, 1)
    const result = linear.loadStateDict({ weight: torch.zeros(1, 1), x: torch.zeros(1) }, { strict: false })
    expect([result.missingKeys, result.unexpectedKeys]).toEqual([['bias'], ['x']])
    expect(String(linear.loadStateDict(linear.stateDict()))).toBe('<All keys matched successfully>')
  })

  test('26. it copies in place: objects and dtypes stay, float64 becomes float32 silently', () => {
    const linear = new nn.Linear(1, 1, { bias: false })
    const { weight } = linear
    linear.loadStateDict({ weight: torch.full([1, 1], 0.1, { dtype: torch.float64 }) })
    expect(linear.weight).toBe(weight)
    expect([weight.dtype, weight.item()]).toEqual([torch.float32, Math.fround(0.1)])
  })

  test("27. with assign it takes new objects with the checkpoint's dtype and the module's requiresGrad", () => {
    const linear = new nn.Linear(1, 1)
    const { weight } = linear
    linear.bias?.requiresGrad_(false)
    const source = torch.ones(1, 1, { dtype: torch.float64 })
    linear.loadStateDict({ weight: source, bias: torch.zeros(1) }, { assign: true })
    expect(linear.weight === weight).toBe(false)
    expect(linear.weight.dtype).toBe(torch.float64)
    expect([linear.weight.requiresGrad, linear.bias?.requiresGrad]).toEqual([true, false])
  })

  test('28. one element loads as a number; other values and other containers have messages of their own', () => {
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
})
