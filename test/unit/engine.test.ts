// Autograd as PyTorch's users know it: accumulation, modes, hooks, in-place changes, second derivatives, messages.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

const leaf = (values: number[]): torch.Tensor =>
  torch.tensor(values, { dtype: torch.float64, requiresGrad: true })

describe('backward', () => {
  test('adds to the gradients that are there', () => {
    const x = leaf([1, 2])
    x.mul(x).sum().backward()
    x.sum().backward()
    expect(x.grad?.tolist()).toEqual([3, 5])
  })

  test('gives leaves gradients that share no memory', () => {
    const a = leaf([1, 2])
    const b = leaf([3, 4])
    a.add(b).sum().backward()
    a.grad?.mul_(10)
    expect(b.grad?.tolist()).toEqual([1, 1])
  })

  test('sums the gradient of what was broadcast', () => {
    const a = leaf([1])
    torch.ones(3, 4, { dtype: torch.float64 }).mul(a).sum().backward()
    expect(a.grad?.tolist()).toEqual([12])
  })

  test('walks a chain of 100,000 operations', () => {
    const x = leaf([1])
    let y = x
    for (let i = 0; i < 100_000; i++) y = y.add(1)
    y.backward()
    expect(x.grad?.tolist()).toEqual([1])
  })

  test('refuses a second walk unless the graph is retained', () => {
    const x = leaf([2])
    const kept = x.mul(x)
    kept.backward(null, { retainGraph: true })
    kept.backward()
    expect(x.grad?.tolist()).toEqual([8])
    expect(() => kept.backward()).toThrow('Trying to backward through the graph a second time')
  })

  test('asks for a gradient where the result is no scalar', () => {
    expect(() => leaf([1, 2]).mul(2).backward()).toThrow(
      'grad can be implicitly created only for scalar outputs',
    )
  })

  test('complains about a tensor without graph', () => {
    expect(() => torch.ones(1).backward()).toThrow(
      'element 0 of tensors does not require grad and does not have a grad_fn',
    )
  })
})

describe('changes in place', () => {
  test('of a leaf, or of a view of one, are refused', () => {
    const x = leaf([1, 2])
    expect(() => x.add_(1)).toThrow(
      'a leaf Variable that requires grad is being used in an in-place operation.',
    )
    expect(() => x.at(0).add_(1)).toThrow(
      'a view of a leaf Variable that requires grad is being used in an in-place operation.',
    )
    expect(x.tolist()).toEqual([1, 2])
  })

  test('of a saved tensor are noticed in backward', () => {
    const x = leaf([1, 2])
    const y = x.mul(1)
    const z = y.mul(y)
    y.add_(1)
    expect(() => z.sum().backward()).toThrow(
      'one of the variables needed for gradient computation has been modified by an inplace operation',
    )
  })

  test('of a view differentiate its base and the other views', () => {
    const x = leaf([1, 2, 3])
    const y = x.mul(2)
    const tail = y.at('1:')
    y.at(0).mul_(5)
    tail.mul_(3)
    y.mul(torch.tensor([1, 10, 100]))
      .sum()
      .backward()
    expect(x.grad?.tolist()).toEqual([10, 60, 600])
  })

  test('under noGrad leave the graph alone', () => {
    const x = leaf([1])
    torch.noGrad(() => x.sub_(0.5))
    expect([x.tolist(), x.isLeaf]).toEqual([[0.5], true])
  })
})

describe('modes', () => {
  test('noGrad records nothing, enableGrad inside it does, and an error restores the mode', () => {
    const x = leaf([1])
    expect(torch.noGrad(() => x.mul(2).requiresGrad)).toBe(false)
    expect(torch.noGrad(() => torch.enableGrad(() => x.mul(2).requiresGrad))).toBe(true)
    expect(() =>
      torch.noGrad(() => {
        throw new Error('stop')
      }),
    ).toThrow('stop')
    expect(torch.isGradEnabled()).toBe(true)
  })

  test('detach shares memory and stops gradients', () => {
    const x = leaf([1, 2])
    const d = x.detach()
    d.setAt([0], 7)
    expect([x.tolist(), d.requiresGrad]).toEqual([[7, 2], false])
  })

  test('integers cannot require gradients', () => {
    expect(() => torch.tensor([1]).requiresGrad_()).toThrow(
      'only Tensors of floating point dtype can require gradients',
    )
  })
})

describe('hooks', () => {
  test('see and replace the gradients of leaves and of results, until removed', () => {
    const x = leaf([1, 2])
    const y = x.mul(3)
    const seen: number[][] = []
    const first = y.registerHook((g) => {
      seen.push(g.tolist() as number[])
      return g.mul(2)
    })
    x.registerHook((g) => g.add(1))
    y.sum().backward(null, { retainGraph: true })
    expect([seen, x.grad?.tolist()]).toEqual([[[1, 1]], [7, 7]])
    first.remove()
    first.remove()
    x.grad = null
    y.sum().backward()
    expect([seen.length, x.grad]).toEqual([1, expect.anything()])
    expect((x.grad as torch.Tensor | null)?.tolist()).toEqual([4, 4])
  })

  test('of nodes run before and after them', () => {
    const x = leaf([2])
    const y = x.mul(3)
    const order: string[] = []
    y.gradFn?.registerPrehook(() => {
      order.push('before')
    })
    y.gradFn?.registerHook(() => {
      order.push('after')
    })
    y.backward()
    expect(order).toEqual(['before', 'after'])
  })

  test('after accumulation get the leaf with its gradient', () => {
    const x = leaf([2])
    let seen: unknown
    x.registerPostAccumulateGradHook((t) => {
      seen = t.grad?.tolist()
    })
    x.mul(4).backward()
    expect(seen).toEqual([4])
  })

  test('retainGrad keeps the gradient of a result', () => {
    const x = leaf([2])
    const y = x.mul(3)
    y.retainGrad()
    y.mul(y).backward()
    expect(y.grad?.tolist()).toEqual([12])
  })
})

describe('autograd.grad', () => {
  test('accumulates nothing, and differentiates again with createGraph', () => {
    const x = leaf([3])
    const [first] = torch.autograd.grad(x.pow(3), x, { createGraph: true })
    const [second] = torch.autograd.grad(first!, x)
    expect([first?.tolist(), second?.tolist(), x.grad]).toEqual([[27], [18], null])
  })

  test('names inputs that were not used, or gives null', () => {
    const x = leaf([1])
    const y = leaf([1])
    expect(() => torch.autograd.grad(x.mul(2), [x, y], { retainGraph: true })).toThrow(
      'The differentiated Tensor at index 1 appears to not have been used in the graph',
    )
    expect(torch.autograd.grad(x.mul(2), [x, y], { allowUnused: true })[1]).toBeNull()
  })
})

describe('a custom Function', () => {
  class Cube extends torch.autograd.Function {
    static override forward(
      context: { saveForBackward(x: torch.Tensor): void },
      x: torch.Tensor,
    ): torch.Tensor {
      context.saveForBackward(x)
      return x.pow(3)
    }

    static override backward(
      context: { savedTensors: readonly (torch.Tensor | null)[] },
      g: torch.Tensor,
    ): torch.Tensor {
      return g.mul(context.savedTensors[0]!.pow(2).mul(3))
    }
  }

  test('has the derivative that it says, and a second one', () => {
    const x = leaf([2])
    const cube = (t: torch.Tensor) => Cube.apply(t) as torch.Tensor
    expect(torch.autograd.gradcheck(cube, [x])).toBe(true)
    expect(torch.autograd.gradgradcheck(cube, [x])).toBe(true)
    expect(cube(x).gradFn?.name()).toBe('CubeBackward')
  })

  test('with a wrong derivative is caught by gradcheck', () => {
    class Wrong extends Cube {
      static override backward(_: unknown, g: torch.Tensor): torch.Tensor {
        return g.mul(2)
      }
    }
    const x = leaf([2])
    expect(() => torch.autograd.gradcheck((t) => Wrong.apply(t) as torch.Tensor, [x])).toThrow(
      'Jacobian mismatch',
    )
  })
})

describe('memory', () => {
  test('stays bounded in a synchronous loop, and tensors that live on keep their values', () => {
    const kept = Array.from({ length: 50 }, (_, i) => torch.full([1000], i, { dtype: torch.float32 }))
    const x = torch.ones(1024, 1024)
    for (let i = 0; i < 600; i++) x.add(i)
    // 600 results of 4 MiB are 2.4 GiB: more than the arena holds at first, so it was emptied on the way.
    expect(torch.memorySummary()).toMatch(/(evacuations|collections) {2}[1-9]/)
    kept.forEach((t, i) => {
      expect(t.min().item()).toBe(i)
      expect(t.max().item()).toBe(i)
    })
  })
})
