// Hooks on tensors, leaves and nodes: when they run, what they see, what they can replace.
// Expected numbers and texts were read off PyTorch 2.13.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

type Tensor = torch.Tensor

const leaf = (values: number[]): Tensor => torch.tensor(values, { dtype: torch.float64, requiresGrad: true })

describe('a hook on a computed tensor', () => {
  test('sees its gradient, and the gradient goes on unchanged where it returns nothing', () => {
    const x = leaf([1, 2])
    const h = x.mul(2)
    const seen: unknown[] = []
    h.registerHook((g) => {
      seen.push(g.tolist())
    })
    h.mul(3).sum().backward()
    expect(seen).toEqual([[3, 3]])
    expect(x.grad?.tolist()).toEqual([6, 6])
  })

  test('replaces the gradient by what it returns; several run in order', () => {
    const x = leaf([1])
    const h = x.mul(2)
    const seen: unknown[] = []
    h.registerHook((g) => {
      seen.push(['first', g.item()])
      return g.add(1)
    })
    h.registerHook((g) => {
      seen.push(['second', g.item()])
      return g.mul(2)
    })
    h.backward()
    expect(seen).toEqual([
      ['first', 1],
      ['second', 2],
    ])
    expect(x.grad?.tolist()).toEqual([8])
  })

  test('runs once, with the sum over all uses', () => {
    const h = leaf([1]).mul(2)
    const seen: unknown[] = []
    h.registerHook((g) => {
      seen.push(g.item())
    })
    h.mul(3).add(h.mul(4)).backward()
    expect(seen).toEqual([7])
  })

  test('no longer runs once removed, however often that is done', () => {
    const x = leaf([1])
    const h = x.mul(2)
    const handle = h.registerHook((g) => g.mul(100))
    handle.remove()
    handle.remove()
    h.backward()
    expect(x.grad?.tolist()).toEqual([2])
  })

  test('keeps the place in the graph at which it was registered when the tensor changes in place', () => {
    const h = leaf([1, 1, 1]).mul(1)
    const seen: unknown[] = []
    const record = (g: Tensor) => {
      seen.push(g.tolist())
    }
    h.registerHook(record)
    h.mul_(3)
    h.registerHook(record)
    h.sum().backward()
    expect(seen).toEqual([
      [1, 1, 1],
      [3, 3, 3],
    ])
  })

  test('may keep the gradient: nobody writes to it later', () => {
    const x = leaf([1, 2])
    const h = x.mul(2)
    const kept: Tensor[] = []
    h.registerHook((g) => {
      kept.push(g)
    })
    h.add(1).add(h).sum().backward()
    torch.noGrad(() => x.grad?.zero_())
    expect(kept[0].tolist()).toEqual([2, 2])
  })

  test('must return a tensor like the one it got', () => {
    const run = (result: unknown) => () => {
      const h = leaf([1, 2, 3]).mul(2)
      h.registerHook(function scale() {
        return result as Tensor
      })
      h.sum().backward()
    }
    expect(run(torch.ones(2, { dtype: torch.float64 }))).toThrow("hook 'scale' has changed the size of value")
    expect(run(torch.ones(3))).toThrow(
      "hook 'scale' has changed the type of value (was torch.float64 got torch.float32)",
    )
    expect(run(3)).toThrow("expected a Tensor, but hook 'scale' returned number")
  })

  test('needs a tensor that requires a gradient', () => {
    expect(() => torch.ones(1).registerHook(() => undefined)).toThrow(
      "cannot register a hook on a tensor that doesn't require gradient",
    )
  })
})

describe('a hook on a leaf', () => {
  test('replaces what is added to grad, once for the sum of all uses', () => {
    const x = leaf([1])
    let calls = 0
    x.registerHook((g) => {
      calls++
      return g.mul(10)
    })
    x.mul(2).add(x.mul(3)).backward()
    expect(calls).toBe(1)
    expect(x.grad?.tolist()).toEqual([50])
  })

  test('also works on what autograd.grad returns', () => {
    const x = leaf([1, 1])
    x.registerHook((g) => g.mul(10))
    expect(torch.autograd.grad(x.mul(2).sum(), x)[0]?.tolist()).toEqual([20, 20])
  })

  test('after the sum sees the leaf with its new grad', () => {
    const x = leaf([1])
    const seen: unknown[] = []
    x.registerHook((g) => g.mul(10))
    const handle = x.registerPostAccumulateGradHook((p) => {
      seen.push([p === x, p.grad?.item()])
    })
    x.mul(5).backward()
    handle.remove()
    x.mul(5).backward()
    expect(seen).toEqual([[true, 50]])
  })

  test('after the sum exists for leaves that require gradients only', () => {
    expect(() =>
      leaf([1])
        .mul(2)
        .registerPostAccumulateGradHook(() => undefined),
    ).toThrow('post accumulate grad hooks cannot be registered on non-leaf tensors')
    expect(() => torch.ones(1).registerPostAccumulateGradHook(() => undefined)).toThrow(
      "cannot register a hook on a tensor that doesn't require gradient",
    )
  })
})

describe('retainGrad', () => {
  test('keeps the gradient of a computed tensor, as its hooks left it', () => {
    const x = leaf([1, 2])
    const h = x.mul(2)
    h.retainGrad()
    h.registerHook((g) => g.mul(10))
    expect(h.retainsGrad).toBe(true)
    h.mul(3).sum().backward()
    expect(h.grad?.tolist()).toEqual([30, 30])
    expect(x.grad?.tolist()).toEqual([60, 60])
  })

  test('adds up over several backwards', () => {
    const h = leaf([1]).mul(2)
    h.retainGrad()
    const y = h.mul(3)
    y.backward(null, { retainGraph: true })
    y.backward()
    expect(h.grad?.tolist()).toEqual([6])
  })

  test('follows a tensor that is changed in place, and a view that is recorded anew', () => {
    const x = leaf([1, 1, 1])
    const h = x.mul(1)
    h.retainGrad()
    h.mul_(3)
    h.sum().backward()
    expect(h.grad?.tolist()).toEqual([1, 1, 1])
    expect(x.grad?.tolist()).toEqual([3, 3, 3])

    const base = x.mul(2)
    const v = base.at('0:2')
    v.retainGrad()
    base.mul_(3)
    v.mul(5).sum().backward()
    expect(v.grad?.tolist()).toEqual([5, 5])
  })

  test('gives memory of its own, also with createGraph', () => {
    for (const createGraph of [false, true]) {
      const x = leaf([1, 1])
      const y = x.add(0)
      y.retainGrad()
      const given = torch.ones(2, { dtype: torch.float64 })
      y.backward(given, { createGraph })
      torch.noGrad(() => y.grad?.zero_())
      expect(given.tolist()).toEqual([1, 1])
      expect(x.grad?.tolist()).toEqual([1, 1])
    }
  })

  test('says nothing to leaves and refuses tensors without gradient', () => {
    const x = leaf([1])
    x.retainGrad()
    expect(x.retainsGrad).toBe(false)
    expect(() => torch.ones(1).retainGrad()).toThrow(
      "can't retain_grad on Tensor that has requires_grad=False",
    )
  })
})

describe('hooks on nodes', () => {
  test('see and replace the gradients of results before, and of inputs after the node', () => {
    const x = leaf([1])
    const y = x.mul(2)
    const seen: unknown[] = []
    const node = y.gradFn
    const before = node?.registerPrehook((gradOutputs) => {
      seen.push(['before', gradOutputs[0]?.item()])
      return [(gradOutputs[0] as Tensor).mul(5)]
    })
    node?.registerHook((gradInputs, gradOutputs) => {
      seen.push(['after', gradInputs[0]?.item(), gradOutputs[0]?.item()])
      return [(gradInputs[0] as Tensor).add(1)]
    })
    y.backward(null, { retainGraph: true })
    expect(seen).toEqual([
      ['before', 1],
      ['after', 10, 5],
    ])
    expect(x.grad?.tolist()).toEqual([11])
    before?.remove()
    y.backward()
    expect(x.grad?.tolist()).toEqual([11 + 3])
  })

  test('run on the node that adds to a leaf', () => {
    const x = leaf([1, 1])
    const accumulator = x.expandAs(x).gradFn?.nextFunctions[0][0]
    const seen: unknown[] = []
    expect(accumulator?.name()).toBe('torch::autograd::AccumulateGrad')
    accumulator?.registerPrehook((gradOutputs) => [(gradOutputs[0] as Tensor).mul(2)])
    accumulator?.registerHook((gradInputs, gradOutputs) => {
      seen.push([gradInputs, gradOutputs[0]?.tolist()])
    })
    x.mul(3).sum().backward()
    expect(seen).toEqual([[[], [6, 6]]])
    expect(x.grad?.tolist()).toEqual([6, 6])
  })

  test('name their node as PyTorch does', () => {
    const x = leaf([1])
    expect(x.gradFn).toBeNull()
    expect(String(x.mul(2).gradFn)).toBe('<MulBackward0>')
    expect(x.mul(2).add(1).gradFn?.nextFunctions[0][0]?.name()).toBe('MulBackward0')
    expect(String(x.mul(2).gradFn?.nextFunctions[0][0])).toBe('<AccumulateGrad>')
  })
})
