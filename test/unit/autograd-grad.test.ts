// torch.autograd.grad, second derivatives, custom Functions, gradcheck.
// Expected numbers and texts were read off PyTorch 2.13.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

type Tensor = torch.Tensor
type Context = torch.autograd.Context

const { grad, gradcheck, gradgradcheck } = torch.autograd
const double = (values: unknown): Tensor => torch.tensor(values as number[], { dtype: torch.float64 })
const leaf = (values: unknown): Tensor => double(values).requiresGrad_()
const lists = (tensors: readonly (Tensor | null)[]) => tensors.map((t) => t?.tolist() ?? null)

describe('autograd.grad', () => {
  test('returns gradients and adds to nobody', () => {
    const x = leaf([2])
    const y = leaf([3])
    expect(lists(grad(x.mul(y), [x, y]))).toEqual([[3], [2]])
    expect(x.grad).toBeNull()
  })

  test('gives gradients of tensors on the way as well as of leaves behind them', () => {
    const x = leaf([2])
    const y = leaf([3])
    const h = x.mul(y)
    expect(lists(grad(h.mul(h).mul(x), [h, x, y]))).toEqual([[24], [108], [48]])
  })

  test('of a tensor by itself is one', () => {
    const x = leaf([2])
    expect(lists(grad(x, x))).toEqual([[1]])
  })

  test('adds up several results, each with its own gradient', () => {
    const x = leaf([1, 2])
    expect(lists(grad([x.mul(2), x.mul(x)], x, { gradOutputs: [double([1, 10]), double([1, 1])] }))).toEqual([
      [4, 24],
    ])
  })

  test('tells unused inputs from those that cannot have a gradient', () => {
    const x = leaf([1])
    const unused = leaf([1, 2])
    const y = () => x.mul(2)
    expect(() => grad(y(), [x, unused])).toThrow(
      'The differentiated Tensor at index 1 appears to not have been used in the graph. Set allow_unused=True if this is the desired behavior.',
    )
    expect(lists(grad(y(), [x, unused], { allowUnused: true }))).toEqual([[2], null])
    expect(lists(grad(y(), [x, unused], { materializeGrads: true }))).toEqual([[2], [0, 0]])
    expect(() => grad(y(), double([1]))).toThrow('One of the differentiated Tensors does not require grad')
  })

  test('frees the graph unless it is retained', () => {
    const x = leaf([2])
    const y = x.mul(x)
    expect(lists(grad(y, x, { retainGraph: true }))).toEqual([[4]])
    expect(lists(grad(y, x))).toEqual([[4]])
    expect(() => grad(y, x)).toThrow('Trying to backward through the graph a second time')
  })

  test('leaves saved tensors of other branches alone', () => {
    const x = leaf([2])
    const w = leaf([5])
    const a = x.mul(x)
    const b = w.mul(w)
    const y = a.add(b)
    grad(y, x)
    expect(lists(grad(b, w))).toEqual([[10]])
  })

  test('can be taken again and again with createGraph', () => {
    const x = leaf([2])
    const [first] = grad(x.pow(3), x, { createGraph: true }) as [Tensor]
    const [second] = grad(first, x, { createGraph: true }) as [Tensor]
    const [third] = grad(second, x) as [Tensor]
    expect(lists([first, second, third])).toEqual([[12], [12], [6]])
    expect(third.requiresGrad).toBe(false)
  })

  test('gives a gradient penalty its gradient', () => {
    const x = leaf([1, 2])
    const w = leaf([3, 4])
    const [g] = grad(x.mul(w).pow(2).sum(), x, { createGraph: true }) as [Tensor]
    g.pow(2).sum().backward()
    // g = 2 x w^2, so the penalty is 4 x^2 w^4 summed.
    expect(w.grad?.tolist()).toEqual([16 * 27, 16 * 4 * 64])
  })
})

describe('second derivatives', () => {
  const x = () =>
    leaf([
      [0.5, -1.2, 0.3],
      [1.4, 0.8, -0.6],
    ])
  const y = () =>
    leaf([
      [1.1, 0.4, -0.7],
      [0.2, -1.5, 0.9],
    ])
  const positive = () =>
    leaf([
      [0.5, 1.2, 0.3],
      [1.4, 0.8, 0.6],
    ])
  const functions: Record<string, [(...inputs: Tensor[]) => Tensor | Tensor[], () => Tensor[]]> = {
    mul: [(a, b) => a.mul(b), () => [x(), y()]],
    'div with broadcasting': [(a, b) => a.div(b), () => [x(), leaf([2, 3, 4])]],
    pow: [(a, b) => a.pow(b), () => [positive(), y()]],
    'exp, log, sqrt': [(a) => a.exp().log().sqrt().mul(a.sqrt()), () => [positive()]],
    'tanh and sigmoid': [(a) => a.tanh().mul(a.sigmoid()), () => [x()]],
    matmul: [(a, b) => a.matmul(b), () => [x(), y().detach().t().clone().requiresGrad_()]],
    softmax: [(a) => torch.softmax(a, 1).mul(a), () => [x()]],
    logSoftmax: [(a) => torch.logSoftmax(a, 1).mul(a), () => [x()]],
    'sum and mean': [(a) => a.sum(1).mul(a.mean(1)), () => [x()]],
    'var over a dimension': [(a) => a.var(1), () => [x()]],
    prod: [(a) => a.prod(1), () => [x()]],
    cumsum: [(a) => a.cumsum(1).mul(a), () => [x()]],
    'indexing by a tensor': [(a) => a.at(torch.tensor([1, 0, 1])).pow(3), () => [x()]],
    setAt: [
      (a, b) => {
        const h = a.mul(1)
        h.setAt([0], b.at(1).mul(b.at(0)))
        h.at(':', 1).mul_(a.at(':', 0))
        return h.mul(h)
      },
      () => [x(), y()],
    ],
    'where and max': [
      (a, b) => [torch.where(a.gt(0), a.mul(b), b), torch.maximum(a, b).pow(2)],
      () => [x(), y()],
    ],
    'cat and views': [
      (a, b) =>
        torch
          .cat([a.t(), b.view(3, 2)], 1)
          .pow(2)
          .unbind(0),
      () => [x(), y()],
    ],
  }
  for (const [name, [f, inputs]] of Object.entries(functions))
    test(`of ${name} agree with finite differences`, () => {
      expect(gradcheck(f, inputs())).toBe(true)
      expect(gradgradcheck(f, inputs())).toBe(true)
    })
})

describe('a custom Function', () => {
  class Cube extends torch.autograd.Function {
    static override forward(context: Context, x: Tensor): Tensor {
      context.saveForBackward(x)
      return x.pow(3)
    }
    static override backward(context: Context, g: Tensor): Tensor {
      const [x] = context.savedTensors as [Tensor]
      return g.mul(3).mul(x).mul(x)
    }
  }

  test('uses its own derivative, which can be differentiated again', () => {
    const x = leaf([2, 3])
    const y = Cube.apply(x)
    expect(y.gradFn?.name()).toBe('CubeBackward')
    const [g] = grad(y.sum(), x, { createGraph: true }) as [Tensor]
    expect(g.tolist()).toEqual([12, 27])
    expect(lists(grad(g.sum(), x))).toEqual([[12, 18]])
    expect(gradgradcheck((t) => Cube.apply(t), [leaf([2, 3])])).toBe(true)
  })

  test('records nothing inside noGrad', () => {
    expect(torch.noGrad(() => Cube.apply(leaf([1]))).requiresGrad).toBe(false)
    expect(Cube.apply(double([1])).requiresGrad).toBe(false)
  })

  test('may save its result', () => {
    class Exp extends torch.autograd.Function {
      static override forward(context: Context, x: Tensor): Tensor {
        const y = x.exp()
        context.saveForBackward(y)
        return y
      }
      static override backward(context: Context, g: Tensor): Tensor {
        return g.mul(context.savedTensors[0] as Tensor)
      }
    }
    const x = leaf([1])
    const [g] = grad(Exp.apply(x), x, { createGraph: true }) as [Tensor]
    // exp itself may differ from the host's in the last place.
    expect(grad(g, x)[0]?.item()).toBeCloseTo(Math.E, 14)
    const y = Exp.apply(x)
    y.detach().mul_(2)
    expect(() => y.backward()).toThrow(
      '[torch.DoubleTensor [1]], which is output 0 of Exp, is at version 1; expected version 0 instead.',
    )
  })

  class Pair extends torch.autograd.Function {
    static got: unknown[] = []
    static override forward(context: Context, x: Tensor, scale: number): [Tensor, Tensor] {
      context.scale = scale
      return [x.mul(scale), x.add(1)]
    }
    static override backward(context: Context, a: Tensor, b: Tensor | null): (Tensor | null)[] {
      Pair.got = [a.tolist(), b?.tolist() ?? null, context.needsInputGrad]
      const g = a.mul(context.scale as number)
      return [b === null ? g : g.add(b), null]
    }
  }

  test('with several results gets zeros for those that were not used', () => {
    const x = leaf([2, 3])
    const [a] = Pair.apply(x, 5)
    a.sum().backward()
    expect(Pair.got).toEqual([
      [1, 1],
      [0, 0],
      [true, false],
    ])
    expect(x.grad?.tolist()).toEqual([5, 5])
  })

  test('gets null for them if it says so', () => {
    class Sparse extends Pair {
      static override forward(context: Context, x: Tensor, scale: number): [Tensor, Tensor] {
        context.setMaterializeGrads(false)
        return Pair.forward(context, x, scale)
      }
    }
    const x = leaf([2])
    Sparse.apply(x, 5)[0].backward()
    expect(Pair.got).toEqual([[1], null, [true, false]])
    expect(x.grad?.tolist()).toEqual([5])
  })

  test('may have results that no gradient flows through', () => {
    class Parts extends torch.autograd.Function {
      static override forward(context: Context, x: Tensor): Tensor[] {
        const frozen = x.mul(2)
        context.markNonDifferentiable(frozen)
        return [x.mul(3), frozen, x.argmax()]
      }
      static override backward(_context: Context, g: Tensor): Tensor {
        return g.mul(3)
      }
    }
    const x = leaf([1, 2])
    const parts = Parts.apply(x)
    expect(parts.map((t) => t.requiresGrad)).toEqual([true, false, false])
    parts[0].sum().backward()
    expect(x.grad?.tolist()).toEqual([3, 3])
  })

  test('that returns too few or too many gradients says how many it should', () => {
    class Product extends torch.autograd.Function {
      static gradients: (g: Tensor) => (Tensor | null)[] = (g) => [g]
      static override forward(_context: Context, x: Tensor, factor: number): Tensor {
        return x.mul(factor)
      }
      static override backward(_context: Context, g: Tensor): (Tensor | null)[] {
        return Product.gradients(g)
      }
    }
    const run = () => {
      const x = leaf([1, 2])
      Product.apply(x, 3).sum().backward()
      return x.grad?.tolist()
    }
    const message = (n: number) =>
      `function ProductBackward returned an incorrect number of gradients (expected 2, got ${n})`
    expect(run).toThrow(message(1))
    Product.gradients = (g) => [g, null, g]
    expect(run).toThrow(message(3))
    // More of them are fine if they are null.
    Product.gradients = (g) => [g.mul(3), null, null]
    expect(run()).toEqual([3, 3])
  })

  test('may return null: no gradient', () => {
    class Stop extends torch.autograd.Function {
      static override forward(_context: Context, x: Tensor): Tensor {
        return x.mul(2)
      }
      static override backward(): null {
        return null
      }
    }
    const x = leaf([1])
    Stop.apply(x).backward()
    expect(x.grad).toBeNull()
  })

  test('can be walked twice if it saved nothing, else not', () => {
    const x = leaf([1])
    const [a] = Pair.apply(x, 5)
    a.backward()
    a.backward()
    expect(x.grad?.tolist()).toEqual([10])
    const y = Cube.apply(x)
    y.backward()
    expect(() => y.backward()).toThrow('Trying to backward through the graph a second time')
  })

  test('may hand its argument back, which then is a result of its own', () => {
    class Same extends torch.autograd.Function {
      static override forward(_context: Context, x: Tensor): Tensor {
        return x
      }
      static override backward(_context: Context, g: Tensor): Tensor {
        return g.mul(7)
      }
    }
    const x = leaf([1])
    const y = Same.apply(x)
    expect(y === x).toBe(false)
    expect(x.isLeaf).toBe(true)
    y.backward()
    expect(x.grad?.tolist()).toEqual([7])
  })

  test('without forward or backward says what is missing', () => {
    class Nothing extends torch.autograd.Function {}
    expect(() => (Nothing as unknown as typeof Cube).apply(leaf([1]))).toThrow(
      'You must implement the forward function for custom autograd.Function.',
    )
    class Forward extends torch.autograd.Function {
      static override forward(_context: Context, x: Tensor): Tensor {
        return x.mul(1)
      }
    }
    expect(() => Forward.apply(leaf([1])).backward()).toThrow(
      'You must implement either the backward or vjp method for your custom autograd.Function to use it with backward mode AD.',
    )
  })
})

describe('gradcheck', () => {
  class Wrong extends torch.autograd.Function {
    static override forward(context: Context, x: Tensor): Tensor {
      context.saveForBackward(x)
      return x.pow(3)
    }
    static override backward(context: Context, g: Tensor): Tensor {
      const [x] = context.savedTensors as [Tensor]
      return g.mul(2).mul(x).mul(x)
    }
  }

  test('finds a wrong derivative', () => {
    const f = (x: Tensor) => Wrong.apply(x)
    expect(() => gradcheck(f, [leaf([2, 3])])).toThrow(
      'Jacobian mismatch for output 0 with respect to input 0',
    )
    expect(gradcheck(f, [leaf([2, 3])], { raiseException: false })).toBe(false)
  })

  test('finds a wrong second derivative', () => {
    class Cube extends torch.autograd.Function {
      static override forward(context: Context, x: Tensor): Tensor {
        context.saveForBackward(x)
        return x.pow(3)
      }
      // Right, but as a constant: its own derivative is lost.
      static override backward(context: Context, g: Tensor): Tensor {
        return g.mul((context.savedTensors[0] as Tensor).detach().pow(2).mul(3))
      }
    }
    const f = (x: Tensor) => Cube.apply(x)
    expect(gradcheck(f, [leaf([2, 3])])).toBe(true)
    expect(gradgradcheck(f, [leaf([2, 3])], { raiseException: false })).toBe(false)
  })

  test('needs an input that requires a gradient', () => {
    expect(() => gradcheck((x) => x.mul(2), [double([1])])).toThrow(
      'gradcheck expects at least one input tensor to require gradient, but none of them have requires_grad=True.',
    )
  })
})
