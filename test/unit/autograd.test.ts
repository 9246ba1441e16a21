// What backward promises: accumulation, modes, whose memory gradients have, what is freed, PyTorch's messages.
// Expected numbers and texts were read off PyTorch 2.13.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

type Tensor = torch.Tensor

const leaf = (values: number | number[] | number[][]): Tensor =>
  torch.tensor(values, { dtype: torch.float64, requiresGrad: true })

const freed = 'Trying to backward through the graph a second time'

describe('gradients of leaves', () => {
  test('are null before backward and added up by each backward', () => {
    const x = leaf([1, 2])
    expect(x.grad).toBeNull()
    x.mul(3).sum().backward()
    x.mul(x).sum().backward()
    expect(x.grad?.tolist()).toEqual([5, 7])
  })

  test('are summed over the dimensions in which the leaf was broadcast', () => {
    const scalar = leaf(2)
    const row = leaf([1, 2, 3])
    const column = leaf([[1], [2]])
    row.mul(column).mul(scalar).sum().backward()
    expect(scalar.grad?.tolist()).toBe(18)
    expect(row.grad?.tolist()).toEqual([6, 6, 6])
    expect(column.grad?.tolist()).toEqual([[12], [12]])
  })

  test('have the dtype of the leaf, whatever the gradient that arrives', () => {
    const x = torch.tensor([1, 2], { dtype: torch.float32, requiresGrad: true })
    x.to(torch.float64).mul(2).sum().backward()
    expect(x.grad?.dtype).toBe(torch.float32)
    const y = leaf([1, 2])
    y.mul(2).backward(torch.ones(2))
    expect(y.grad?.dtype).toBe(torch.float64)
  })

  test('share memory neither with each other nor with what the user gave', () => {
    for (const createGraph of [false, true]) {
      const a = leaf([1, 2])
      const b = leaf([3, 4])
      const given = torch.tensor([5, 6], { dtype: torch.float64 })
      a.add(b).backward(given, { createGraph })
      torch.noGrad(() => a.grad?.mul_(10))
      expect(a.grad?.tolist()).toEqual([50, 60])
      expect(b.grad?.tolist()).toEqual([5, 6])
      torch.noGrad(() => b.grad?.zero_())
      expect(given.tolist()).toEqual([5, 6])
    }
  })

  test('are exact where several gradients, one of them stretched, meet in one tensor', () => {
    // The mean's gradient is one number seen three times: nothing may be added to it in place.
    const x = leaf([1, 2, 3])
    const h = x.mul(1)
    const powers = h.pow(2).sum()
    powers.add(h.mean()).add(h.mean(0)).backward()
    expect(x.grad?.tolist()).toEqual([2, 4, 6].map((g) => expect.closeTo(g + 2 / 3, 12)))
  })

  test('are added to in place, so that a tensor that a user assigned is the one that grows', () => {
    const x = leaf([1, 2])
    const mine = torch.tensor([10, 20], { dtype: torch.float64 })
    x.grad = mine
    x.sum().backward()
    expect(x.grad).toBe(mine)
    expect(mine.tolist()).toEqual([11, 21])
  })

  test('can be assigned only in the shape and dtype of the leaf', () => {
    const x = leaf([1, 2])
    expect(() => {
      x.grad = torch.ones(3, { dtype: torch.float64 })
    }).toThrow(
      "attempting to assign a gradient of size '[3]' to a tensor of size '[2]'. Please ensure that the gradient and the tensor are the same size",
    )
    expect(() => {
      x.grad = torch.ones(2)
    }).toThrow(/attempting to assign a gradient with dtype .*float32.* to a tensor with grad_dtype/)
    expect(() => {
      x.grad = 3 as unknown as Tensor
    }).toThrow('assigned grad expected to be a Tensor or null but got grad of type number')
    expect(() => {
      x.grad = x
    }).toThrow("can't assign Variable as its own grad")
    x.grad = null
    expect(x.grad).toBeNull()
  })

  test('are recorded with createGraph, and can be differentiated', () => {
    const x = leaf([3])
    x.pow(3).backward(null, { createGraph: true })
    expect(x.grad?.tolist()).toEqual([27])
    expect(x.grad?.requiresGrad).toBe(true)
    x.grad?.mul(1).sum().backward()
    expect(x.grad?.tolist()).toEqual([45])
  })
})

describe('modes', () => {
  test('nest, and each restores the mode that it found', () => {
    const x = leaf([1])
    expect(torch.isGradEnabled()).toBe(true)
    torch.noGrad(() => {
      expect(torch.isGradEnabled()).toBe(false)
      expect(x.mul(2).requiresGrad).toBe(false)
      torch.enableGrad(() => {
        expect(x.mul(2).requiresGrad).toBe(true)
        torch.noGrad(() => expect(x.mul(2).requiresGrad).toBe(false))
        expect(torch.isGradEnabled()).toBe(true)
      })
      expect(torch.isGradEnabled()).toBe(false)
    })
    expect(x.mul(2).requiresGrad).toBe(true)
  })

  test('are restored when the body throws, and hand its value on', () => {
    expect(() =>
      torch.noGrad(() => {
        throw new Error('inside')
      }),
    ).toThrow('inside')
    expect(torch.isGradEnabled()).toBe(true)
    expect(torch.noGrad(() => 7)).toBe(7)
  })

  test('setGradEnabled switches from here on and says what was before', () => {
    const x = leaf([1])
    try {
      expect(torch.setGradEnabled(false)).toBe(true)
      expect(x.mul(2).requiresGrad).toBe(false)
      expect(torch.setGradEnabled(true)).toBe(false)
      expect(x.mul(2).requiresGrad).toBe(true)
    } finally {
      torch.setGradEnabled(true)
    }
  })

  test('backward inside noGrad still computes gradients', () => {
    const x = leaf([2])
    const y = x.mul(x)
    torch.noGrad(() => y.backward())
    expect(x.grad?.tolist()).toEqual([4])
    expect(torch.isGradEnabled()).toBe(true)
  })

  test('a leaf made inside noGrad keeps its flag', () => {
    expect(torch.noGrad(() => torch.ones(1, { requiresGrad: true })).requiresGrad).toBe(true)
  })
})

describe('detach', () => {
  test('cuts off the graph and shares the memory', () => {
    const x = leaf([1, 2])
    const h = x.mul(2)
    const d = h.detach()
    expect(d.requiresGrad).toBe(false)
    expect(d.isLeaf).toBe(true)
    d.setAt([0], 100)
    expect(h.tolist()).toEqual([100, 4])
    h.add(d).sum().backward()
    expect(x.grad?.tolist()).toEqual([2, 2])
  })

  test('shares the version: a change through it spoils what backward saved', () => {
    const h = leaf([1, 2, 3]).mul(2)
    const y = h.mul(h)
    h.detach().mul_(2)
    expect(() => y.sum().backward()).toThrow('which is output 0 of Mul, is at version 1; expected version 0')
  })
})

describe('what may require gradients', () => {
  test('are floating tensors only', () => {
    const message = 'nly Tensors of floating point dtype can require gradients'
    const whole = torch.tensor([1, 2])
    expect(() => whole.requiresGrad_()).toThrow(message)
    expect(() => {
      whole.requiresGrad = true
    }).toThrow(message)
    expect(() => torch.tensor([1, 2], { requiresGrad: true })).toThrow(message)
    expect(() => torch.ones(2, { dtype: torch.bool, requiresGrad: true })).toThrow(message)
    expect(whole.requiresGrad).toBe(false)
    expect(leaf([1]).gt(0).requiresGrad).toBe(false)
  })

  test('cannot be switched off for computed tensors', () => {
    expect(() => leaf([1]).mul(2).requiresGrad_(false)).toThrow(
      "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a subgraph that doesn't require differentiation use var_no_grad = var.detach().",
    )
  })

  test('a frozen leaf gets no gradient', () => {
    const a = leaf([1])
    const b = leaf([2]).requiresGrad_(false)
    a.mul(b).backward()
    expect(a.grad?.tolist()).toEqual([2])
    expect(b.grad).toBeNull()
  })
})

describe('backward refuses', () => {
  test('a tensor that nothing was recorded for', () => {
    expect(() => torch.ones(1).backward()).toThrow(
      'element 0 of tensors does not require grad and does not have a grad_fn',
    )
  })

  test('a tensor of several elements without a gradient', () => {
    expect(() => leaf([1, 2]).mul(2).backward()).toThrow(
      'grad can be implicitly created only for scalar outputs',
    )
  })

  test('a gradient of another shape', () => {
    expect(() => leaf([1, 2]).mul(2).backward(torch.ones(3))).toThrow(
      'Mismatch in shape: grad_output[0] has a shape of torch.Size([3]) and output[0] has a shape of torch.Size([2]).',
    )
  })

  test('as many gradients as there are not tensors', () => {
    const y = leaf([1]).mul(2)
    expect(() => torch.autograd.backward([y, y], [torch.ones(1)])).toThrow('got 2 tensors and 1 gradients')
  })

  test('an empty list of inputs', () => {
    expect(() => leaf([1]).mul(2).backward(null, { inputs: [] })).toThrow(
      '`inputs` argument to `backward()` cannot be empty.',
    )
  })
})

describe('backward with inputs', () => {
  test('adds to those leaves only', () => {
    const a = leaf([2])
    const b = leaf([3])
    a.mul(b).backward(null, { inputs: a })
    expect(a.grad?.tolist()).toEqual([3])
    expect(b.grad).toBeNull()
  })

  test('keeps the gradient of a computed tensor among them', () => {
    const x = leaf([2])
    const h = x.mul(2)
    h.mul(3).backward(null, { inputs: [h] })
    expect(h.grad?.tolist()).toEqual([3])
    expect(x.grad).toBeNull()
  })
})

describe('saved tensors', () => {
  test('are gone after backward: a second one says how to keep them', () => {
    const x = leaf([2])
    const y = x.mul(x).exp()
    y.backward()
    expect(() => y.backward()).toThrow(freed)
    expect(() => y.backward()).toThrow('Specify retain_graph=True if you need to backward')
  })

  test('stay with retainGraph, until a backward without it', () => {
    const x = leaf([2])
    const y = x.mul(x)
    y.backward(null, { retainGraph: true })
    y.backward()
    expect(x.grad?.tolist()).toEqual([8])
    expect(() => y.backward()).toThrow(freed)
  })

  test('do not hinder a second backward where nothing was saved', () => {
    const x = leaf([2])
    const y = x.add(1).sum()
    y.backward()
    y.backward()
    expect(x.grad?.tolist()).toEqual([2])
  })

  test('are freed node by node: a part shared by two results is gone after the first', () => {
    const x = leaf([2])
    const shared = x.mul(x)
    const first = shared.add(1)
    const second = shared.add(2)
    first.backward()
    expect(() => second.backward()).toThrow(freed)
  })

  test('include the index of a selection', () => {
    const y = torch.indexSelect(leaf([1, 2, 3]), 0, torch.tensor([0, 2])).sum()
    y.backward()
    expect(() => y.backward()).toThrow(freed)
  })

  test('go through the hooks that pack and unpack them, second derivatives included', () => {
    const packed: Tensor[] = []
    const unpacked: Tensor[] = []
    const x = leaf([2])
    const y = torch.autograd.savedTensorsHooks(
      {
        pack: (t) => packed.push(t.clone()) - 1,
        unpack: (i) => {
          const copy = packed[i as number].clone()
          unpacked.push(copy)
          return copy
        },
      },
      () => x.mul(x),
    )
    torch.autograd.grad(y, x, { retainGraph: true })
    // What the hooks made stays the user's.
    expect(unpacked.map((t) => t.tolist())).toEqual([[2], [2]])
    const [g] = torch.autograd.grad(y, x, { createGraph: true })
    expect(g?.tolist()).toEqual([4])
    const [second] = torch.autograd.grad(g as Tensor, x)
    expect(second?.tolist()).toEqual([2])
    expect(packed.length).toBe(2)
  })
})

describe('a change in place', () => {
  const hint =
    ' Hint: enable anomaly detection to find the operation that failed to compute its gradient, with torch.autograd.set_detect_anomaly(True, check_nan=False).'
  const modified = (what: string) =>
    `one of the variables needed for gradient computation has been modified by an inplace operation: ${what} instead.${hint}`

  test('of a leaf, or of a view of one, is refused', () => {
    const x = leaf([1, 2, 3])
    expect(() => x.add_(1)).toThrow(
      'a leaf Variable that requires grad is being used in an in-place operation.',
    )
    const view = 'a view of a leaf Variable that requires grad is being used in an in-place operation.'
    expect(() => x.setAt([0], 1)).toThrow(view)
    expect(() => x.view(3, 1).at(0).zero_()).toThrow(view)
    expect(() => torch.noGrad(() => x.view(3, 1)).zero_()).toThrow('A view was created in no_grad mode')
    expect(x.tolist()).toEqual([1, 2, 3])
  })

  test('of a leaf is allowed inside noGrad', () => {
    const x = leaf([1, 2, 3])
    torch.noGrad(() => {
      x.add_(1)
      x.at(0).zero_()
    })
    expect(x.tolist()).toEqual([0, 3, 4])
    expect(x.requiresGrad).toBe(true)
    expect(x.isLeaf).toBe(true)
  })

  test('of a saved input is found by its version', () => {
    const h = torch.ones(3, { requiresGrad: true }).mul(2)
    const y = h.mul(h)
    h.add_(1)
    expect(() => y.sum().backward()).toThrow(
      modified('[torch.FloatTensor [3]], which is output 0 of Add, is at version 1; expected version 0'),
    )
  })

  test('of a saved leaf is found', () => {
    const x = torch.ones(3, { requiresGrad: true })
    const y = x.mul(x)
    torch.noGrad(() => x.add_(1))
    expect(() => y.sum().backward()).toThrow(
      modified('[torch.FloatTensor [3]] is at version 1; expected version 0'),
    )
  })

  test('of a saved result is found, through any view of it', () => {
    const y = torch.ones(2, 3, { dtype: torch.float64, requiresGrad: true }).exp()
    y.t().at(0).add_(1)
    y.zero_()
    expect(() => y.sum().backward()).toThrow(
      modified('[torch.DoubleTensor [2, 3]], which is output 0 of Exp, is at version 2; expected version 0'),
    )
  })

  test('of an index is found', () => {
    const index = torch.tensor([0, 1])
    const y = torch.indexSelect(leaf([1, 2, 3]), 0, index).sum()
    index.add_(1)
    expect(() => y.backward()).toThrow(modified('[torch.LongTensor [2]] is at version 1; expected version 0'))
  })

  test('of its own operand cannot be differentiated', () => {
    const h = leaf([1, 2]).mul(1)
    h.mul_(h)
    expect(() => h.sum().backward()).toThrow('is at version 1; expected version 0')
  })

  test('is fine where the derivative does not need the old value', () => {
    const x = leaf([1, 2])
    const h = x.mul(2)
    const y = h.add(1)
    h.mul_(5)
    y.sum().backward()
    expect(x.grad?.tolist()).toEqual([2, 2])
  })
})

describe('the engine', () => {
  test('walks a chain of 100,000 operations that save tensors', () => {
    const x = leaf([1])
    const factor = torch.tensor([1], { dtype: torch.float64 })
    let y = x
    for (let i = 0; i < 100_000; i++) y = y.mul(factor)
    y.backward()
    expect(x.grad?.tolist()).toEqual([1])
  })

  test('visits a node once, after all its users', () => {
    // 2^40 paths lead from the last of these to x.
    const x = leaf([1])
    let y = x
    for (let i = 0; i < 40; i++) y = y.add(y)
    y.backward()
    expect(x.grad?.tolist()).toEqual([2 ** 40])
  })

  test('takes later operations first, in whatever order they were used', () => {
    const x = leaf([1])
    const order: number[] = []
    const branches = Array.from({ length: 7 }, (_, i) => {
      const branch = x.mul(i)
      branch.registerHook(() => {
        order.push(i)
      })
      return branch
    })
    torch
      .stack([3, 0, 6, 1, 5, 2, 4].map((i) => branches[i]))
      .sum()
      .backward()
    expect(order).toEqual([6, 5, 4, 3, 2, 1, 0])
  })

  test('adds to a leaf as soon as its gradient is complete', () => {
    const order: string[] = []
    const named = (name: string) => {
      const x = leaf([1])
      x.registerPostAccumulateGradHook(() => {
        order.push(name)
      })
      return x
    }
    const [x, w1, w2] = ['x', 'w1', 'w2'].map(named)
    // In the second round the leaves' nodes are older than all others.
    for (let round = 0; round < 2; round++) {
      const h = x.mul(1)
      h.registerHook(() => {
        order.push('h')
      })
      const a = h.mul(w1)
      a.registerHook(() => {
        order.push('a')
      })
      a.mul(w2).backward()
      expect(order.splice(0)).toEqual(['w2', 'a', 'w1', 'h', 'x'])
    }
  })

  test('names the node and its gradient where the shape is wrong', () => {
    class Wrong extends torch.autograd.Function {
      static override forward(_context: unknown, x: Tensor): Tensor {
        return x.mul(2)
      }
      static override backward(): Tensor {
        return torch.ones(3)
      }
    }
    expect(() =>
      Wrong.apply(leaf([1, 2]))
        .sum()
        .backward(),
    ).toThrow(
      'Function WrongBackward returned an invalid gradient at index 0 - got [3] but expected shape compatible with [2]',
    )
  })
})
