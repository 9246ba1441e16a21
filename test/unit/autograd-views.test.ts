// Views and in-place changes: whoever looks at the memory sees the change, and the gradient follows it.
// Expected gradients were computed with PyTorch 2.13.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

type Tensor = torch.Tensor

const double = (values: unknown): Tensor => torch.tensor(values as number[], { dtype: torch.float64 })
const leaf = (values: unknown): Tensor => double(values).requiresGrad_()
const matrix = (): Tensor =>
  leaf([
    [1, 2, 3],
    [4, 5, 6],
  ])
const lists = (x: Tensor | null): number[][] => x?.tolist() as number[][]
const near = (values: readonly number[]) => values.map((v) => expect.closeTo(v, 12))

describe('a change through a view', () => {
  test('reaches the gradient of the base', () => {
    const x = matrix()
    const h = x.mul(1)
    h.at(0).mul_(double([2, 3, 4]))
    expect(h.gradFn?.name()).toBe('torch::autograd::CopySlices')
    h.mul(h).sum().backward()
    expect(x.grad?.tolist()).toEqual([
      [8, 36, 96],
      [8, 10, 12],
    ])
  })

  test('reaches the gradients of views made before', () => {
    const x = matrix()
    const h = x.mul(1)
    const row = h.at(0)
    const column = h.at(':', 1)
    row.mul_(3)
    column
      .mul(double([10, 20]))
      .sum()
      .backward()
    expect(x.grad?.tolist()).toEqual([
      [0, 30, 0],
      [0, 20, 0],
    ])
  })

  test('of the base reaches its views', () => {
    const x = matrix()
    const h = x.mul(1)
    const row = h.at(0)
    h.mul_(h.detach().add(1).clone())
    expect(row.tolist()).toEqual([2, 6, 12])
    row.sum().backward()
    expect(x.grad?.tolist()).toEqual([
      [2, 3, 4],
      [0, 0, 0],
    ])
  })

  test('can follow others, with gradients for all operands', () => {
    const x = matrix()
    const w = leaf([2, 3])
    const h = x.mul(1)
    const column = h.at(':', 0)
    column.mul_(w)
    column.sin_()
    h.sum().backward()
    expect(lists(x.grad).map(near)).toEqual([
      [-0.8322936730942848, 1, 1],
      [2.5315618761974763, 1, 1],
    ])
    expect(w.grad?.tolist()).toEqual(near([-0.4161468365471424, 3.3754158349299686]))
  })

  test('can follow others through different views', () => {
    const x = matrix()
    const w = leaf([2, 3])
    const h = x.mul(1)
    const column = h.t().at(1)
    column.mul_(w.at(0))
    column.mul_(0.5)
    h.setAt([0, 1], 7)
    h.sum().backward()
    expect(h.tolist()).toEqual([
      [1, 7, 3],
      [4, 5, 6],
    ])
    expect(x.grad?.tolist()).toEqual([
      [1, 0, 1],
      [1, 1, 1],
    ])
    expect(w.grad?.tolist()).toEqual([2.5, 0])
  })

  test('brings a tensor without gradient into the graph', () => {
    const x = matrix()
    const z = torch.zeros(2, 3, { dtype: torch.float64 })
    const earlier = z.at(1)
    z.setAt([0], x.at(1).mul(2))
    z.at(':', 1).add_(x.at(':', 0))
    expect(z.requiresGrad).toBe(true)
    expect(earlier.requiresGrad).toBe(true)
    expect(z.tolist()).toEqual([
      [8, 11, 12],
      [0, 4, 0],
    ])
    z.mul(z).sum().backward()
    expect(x.grad?.tolist()).toEqual([
      [22, 0, 0],
      [40, 44, 48],
    ])
  })

  test('is right where the base lies in another order than C', () => {
    const x = leaf([
      [1, 2],
      [3, 4],
      [5, 6],
    ])
    const h = x.t().clone()
    expect(h.stride()).toEqual([1, 2])
    h.at(0).mul_(double([10, 20, 30]))
    h.mul(double([0, 1, 2, 3, 4, 5]).view(2, 3))
      .sum()
      .backward()
    expect(x.grad?.tolist()).toEqual([
      [0, 3],
      [20, 4],
      [60, 5],
    ])
  })

  test('is right where the base has gaps', () => {
    const x = leaf([1, 2])
    const spaced = torch.zeros(3, 4, { dtype: torch.float64 }).at('::2', '1::2').detach()
    spaced.at(1).add_(x)
    spaced
      .mul(
        double([
          [1, 2],
          [3, 4],
        ]),
      )
      .sum()
      .backward()
    expect(x.grad?.tolist()).toEqual([3, 4])
  })

  test('of a diagonal replaces it', () => {
    const x = matrix()
    const h = x.mul(1)
    h.diagonal().copy_(double([5, 6]))
    h.mul(h).sum().backward()
    expect(x.grad?.tolist()).toEqual([
      [0, 4, 6],
      [8, 0, 12],
    ])
  })

  test('by a mask stops the gradient of what was overwritten', () => {
    const x = leaf([1, 2, 3])
    const h = x.mul(1)
    h.setAt([h.detach().gt(1.5)], 0)
    h.sum().backward()
    expect(x.grad?.tolist()).toEqual([1, 0, 0])
  })

  test('has second derivatives', () => {
    const x = leaf([0.5, 1])
    const h = x.mul(1)
    h.at('0:1').mul_(x.at(1).mul(x.at(1)))
    const [g] = torch.autograd.grad(h.mul(h).sum(), x, { createGraph: true })
    expect(g?.tolist()).toEqual([1, 3])
    const [second] = torch.autograd.grad((g as Tensor).sum(), x)
    expect(second?.tolist()).toEqual([6, 9])
  })

  test('inside noGrad changes values and leaves the graph alone', () => {
    const x = leaf([1, 2])
    const h = x.mul(3)
    const v = h.at('0:1')
    torch.noGrad(() => v.zero_())
    expect(h.gradFn?.name()).toBe('MulBackward0')
    expect(v.gradFn?.name()).toBe('AsStridedBackward0')
    h.add(v).sum().backward()
    expect(x.grad?.tolist()).toEqual([9, 3])
  })
})

describe('an operation that only turns a tensor round in place', () => {
  test('is a node of its own', () => {
    const x = leaf([
      [1, 2],
      [3, 4],
    ])
    const h = x.mul(1)
    h.t_()
    expect(String(h.gradFn)).toBe('<TBackward1>')
    h.mul(
      double([
        [1, 2],
        [3, 4],
      ]),
    )
      .sum()
      .backward()
    expect(x.grad?.tolist()).toEqual([
      [1, 3],
      [2, 4],
    ])
  })

  test('may turn a view, whose changes still go to the right place', () => {
    const x = leaf([
      [0, 1, 2],
      [3, 4, 5],
    ])
    const h = x.mul(1)
    const v = h.at(':', ':2')
    v.t_()
    v.mul_(
      double([
        [1, 2],
        [3, 4],
      ]),
    )
    h.sum().backward()
    expect(x.grad?.tolist()).toEqual([
      [1, 3, 1],
      [2, 4, 1],
    ])
  })

  test('counts as a change of what was saved', () => {
    const h = torch.ones(2, 3, { requiresGrad: true }).mul(1)
    const y = h.mul(torch.ones(2, 3, { requiresGrad: true }))
    h.t_()
    expect(() => y.sum().backward()).toThrow(
      '[torch.FloatTensor [3, 2]], which is output 0 of T1, is at version 1; expected version 0 instead.',
    )
  })
})

describe('views that may not be changed in place', () => {
  const several =
    'This view is the output of a function that returns multiple views. Such functions do not allow the output views to be modified inplace. You should replace the inplace operation by an out-of-place one.'
  const ambiguous =
    'Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both the view and the inplace either both inside the no_grad block'

  test('are those of which an operation makes several', () => {
    const h = matrix().mul(1)
    expect(() => h.unbind()[0].add_(1)).toThrow(
      `Output 0 of Unbind is a view and is being modified inplace. ${several}`,
    )
    expect(() => h.split(1)[1].add_(1)).toThrow(`Output 1 of Split is a view and is being modified inplace.`)
    const [part] = h.chunk(2)
    h.mul_(2)
    expect(() => part.gradFn).toThrow(
      `Output 0 of Split is a view and its base or another view of its base has been modified inplace. ${several}`,
    )
    expect(String(part)).toContain('grad_fn=<Invalid>')
  })

  test('may be, where no gradient is involved', () => {
    const z = torch.zeros(2, 2)
    const [first] = z.unbind()
    first.add_(1)
    expect(z.tolist()).toEqual([
      [1, 1],
      [0, 0],
    ])
  })

  test('are those made inside noGrad', () => {
    const h = matrix().mul(1)
    const v = torch.noGrad(() => h.view(6))
    expect(v.requiresGrad).toBe(false)
    expect(() => v.mul_(2)).toThrow(
      `A view was created in no_grad mode and is being modified inplace with grad mode enabled. ${ambiguous}`,
    )
    h.mul_(2)
    expect(() => v.gradFn).toThrow(
      `A view was created in no_grad mode and its base or another view of its base has been modified inplace with grad mode enabled. ${ambiguous}`,
    )
  })

  test('are the results of custom Functions', () => {
    class Same extends torch.autograd.Function {
      static override forward(_context: unknown, x: Tensor): Tensor {
        return x
      }
      static override backward(_context: unknown, g: Tensor): Tensor {
        return g.mul(7)
      }
    }
    const message =
      'This view was created inside a custom Function (or because an input was returned as-is) and the autograd logic to handle view+inplace would override the custom backward associated with the custom Function, leading to incorrect gradients.'
    expect(() => Same.apply(matrix().mul(1)).mul_(2)).toThrow(
      `Output 0 of Same is a view and is being modified inplace. ${message}`,
    )
  })

  test('results that an operation built as views of memory of their own are not among them', () => {
    const x = leaf([1, 2, 3, 4])
    const taken = torch.take(
      x,
      torch.tensor([
        [0, 1],
        [2, 3],
      ]),
    )
    taken.mul_(
      double([
        [1, 2],
        [3, 4],
      ]),
    )
    taken.sum().backward()
    expect(x.grad?.tolist()).toEqual([1, 2, 3, 4])
  })
})

describe('rows by iteration', () => {
  test('carry gradients', () => {
    const x = matrix()
    let total = double(0)
    let factor = 1
    for (const row of x) total = total.add(row.sum().mul(factor++))
    total.backward()
    expect(x.grad?.tolist()).toEqual([
      [1, 1, 1],
      [2, 2, 2],
    ])
  })
})
