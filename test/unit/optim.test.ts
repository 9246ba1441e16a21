// Optimizers: the steps they take (against PyTorch 2.13), parameter groups, hooks, errors, printing.

import { afterEach, describe, expect, it, vi } from 'vitest'
import * as torch from '../../src/index.ts'

const { optim } = torch
const f64 = { dtype: torch.float64 }

function parameter(values: number[], dtype: torch.DType = torch.float64): torch.Tensor {
  return torch.tensor(values, { dtype }).requiresGrad_()
}

function expectClose(actual: unknown, expected: readonly number[], relative = 1e-12): void {
  const values = actual as number[]
  expect(values).toHaveLength(expected.length)
  expected.forEach((x, i) => {
    expect(Math.abs(values[i] - x)).toBeLessThanOrEqual(relative * Math.abs(x))
  })
}

afterEach(() => {
  vi.restoreAllMocks()
})

const gradients = [
  [0.5, -1, 2, 0.25],
  [-0.5, 0.75, 1.5, 0],
  [1, 0.5, -2.5, -0.125],
  [0.25, -0.5, 1, 1],
]

// The parameter [1, -2, 3, 0.5] in float64 after a step with each of the gradients, from PyTorch.
const recorded: [name: string, options: Record<string, unknown>, after: number[]][] = [
  ['SGD', { lr: 0.1 }, [0.875, -1.9749999999999999, 2.8, 0.38749999999999996]],
  [
    'SGD',
    { lr: 0.1, momentum: 0.9, dampening: 0.5, weightDecay: 0.01 },
    [0.782264898456375, -1.76811604378775, 2.2787178366253755, 0.3728905711031875],
  ],
  [
    'SGD',
    { lr: 0.1, momentum: 0.9, nesterov: true, maximize: true },
    [1.351305, -2.1110849999999997, 3.84737, 0.7585025],
  ],
  ['Adam', { lr: 0.1 }, [0.8038208315901695, -1.9014519162567776, 2.7707212871515337, 0.2553903747004106]],
  [
    'Adam',
    { lr: 0.1, weightDecay: 0.1, amsgrad: true, betas: [0.4, 0.9] },
    [0.7729602873265624, -1.8881088743012706, 2.81314705040095, 0.24741003149104263],
  ],
  [
    'AdamW',
    { lr: 0.1, weightDecay: 0.1 },
    [0.7677804468276617, -1.825618478408298, 2.657519697735366, 0.24016916261898516],
  ],
  ['Adamax', { lr: 0.1 }, [0.8377287279380413, -1.9005910684114184, 2.789565806408538, 0.31001571650686305]],
  ['NAdam', { lr: 0.1 }, [0.840857757743313, -1.9521329410590615, 2.8648343048683333, 0.3128715976921834]],
  [
    'RAdam',
    { lr: 0.1, betas: [0.9, 0.5] },
    [0.8851294410007199, -1.9005869830434274, 2.567594308394378, 0.4291916898523449],
  ],
  [
    'RMSprop',
    { lr: 0.1, momentum: 0.5, centered: true },
    [-1.078258458114956, -1.3783575666678691, 0.8422949603924903, -1.677229204016402],
  ],
  ['Rprop', { lr: 0.1 }, [0.79, -1.95, 2.7199999999999998, 0.5]],
  [
    'Adagrad',
    { lr: 0.1, lrDecay: 0.1 },
    [0.8808564375424253, -1.958713499740827, 2.8834443007921315, 0.36318419775986316],
  ],
  ['Adadelta', { lr: 1.0 }, [0.994038060767411, -1.9995750507955983, 2.996005839336081, 0.49433853282892865]],
  [
    'ASGD',
    { lr: 0.1, t0: 1, weightDecay: 0.1 },
    [0.8370508218506173, -1.8970936484955845, 2.6881039987904, 0.36839900692333827],
  ],
  [
    'Adafactor',
    { lr: 0.1 },
    [0.6911405700497396, -1.9368898841783442, 2.7586119811813785, 0.14025954969418666],
  ],
]

describe('four steps end where they do in PyTorch', () => {
  it.each(recorded)('%s %o', (name, options, after) => {
    const Class = optim[name as 'SGD'] as new (
      params: torch.Tensor[],
      options: object,
    ) => torch.optim.Optimizer
    const p = parameter([1, -2, 3, 0.5])
    const optimizer = new Class([p], options)
    for (const g of gradients) {
      p.grad = torch.tensor(g, f64)
      expect(optimizer.step()).toBeNull()
    }
    expectClose(p.tolist(), after)
  })
})

describe('a step', () => {
  it('changes every element, whatever the number of elements and the layout', () => {
    for (const n of [1, 2, 3, 4, 5, 7, 8, 31])
      for (const transposed of [false, true]) {
        const values = Array.from({ length: 2 * n }, (_, i) => i / 4)
        const plain = torch.tensor(values, { dtype: torch.float32 }).reshape([2, n])
        const p = (transposed ? plain.t().contiguous().t() : plain).requiresGrad_()
        p.grad = torch.ones([2, n])
        new optim.SGD([p], { lr: 0.25 }).step()
        expect(p.flatten().tolist()).toEqual(values.map((x) => x - 0.25))
        new optim.Adam([p], { lr: 0.5, eps: 0 }).step()
        expectClose(
          p.detach().flatten().add(1).tolist(),
          values.map((x) => x + 0.25),
          1e-6,
        )
      }
  })

  it('leaves parameters without a gradient alone and gives them no state', () => {
    const [a, b] = [parameter([1]), parameter([2])]
    a.grad = torch.tensor([1], f64)
    const optimizer = new optim.Adam([a, b])
    optimizer.step()
    expect(b.tolist()).toEqual([2])
    expect(optimizer.state.size).toBe(1)
    expect(optimizer.state.has(a)).toBe(true)
  })

  it('starts the momentum of SGD with the raw gradient, without dampening', () => {
    const p = parameter([1])
    p.grad = torch.tensor([2], f64)
    const optimizer = new optim.SGD([p], { lr: 1, momentum: 0.9, dampening: 0.5 })
    optimizer.step()
    expect(optimizer.state.get(p)?.momentum_buffer?.tolist()).toEqual([2])
    optimizer.step()
    expectClose(optimizer.state.get(p)?.momentum_buffer?.tolist(), [0.9 * 2 + 0.5 * 2])
  })

  it('keeps the gradient apart from the momentum made of it', () => {
    const p = parameter([1])
    p.grad = torch.tensor([2], f64)
    const optimizer = new optim.SGD([p], { lr: 1, momentum: 0.9 })
    optimizer.step()
    p.grad.fill_(7)
    expect(optimizer.state.get(p)?.momentum_buffer?.tolist()).toEqual([2])
  })

  it('counts as a change in place: backward through what it overwrote is an error', () => {
    const p = parameter([1, 2])
    const loss = p.mul(p).sum()
    p.grad = torch.ones([2], f64)
    new optim.SGD([p], { lr: 0.1 }).step()
    expect(() => loss.backward()).toThrow(/modified by an inplace operation/)
  })

  it('records nothing, and leaves recording as it was', () => {
    const p = parameter([1])
    p.grad = torch.tensor([1], f64)
    new optim.AdamW([p]).step()
    expect(p.isLeaf).toBe(true)
    expect(p.requiresGrad).toBe(true)
    expect(torch.isGradEnabled()).toBe(true)
  })

  it('calls the closure with recording on, also inside noGrad, and returns what it returned', () => {
    const p = parameter([3])
    const optimizer = new optim.SGD([p], { lr: 0.5 })
    const loss = torch.noGrad(() =>
      optimizer.step(() => {
        optimizer.zeroGrad()
        const value = p.mul(p).sum()
        value.backward()
        return value
      }),
    )
    expect(loss.item()).toBe(9)
    expect(p.tolist()).toEqual([0])
  })

  it('computes half-precision parameters in float32', () => {
    const p = parameter([1, 2, 3, 4, 5], torch.float16)
    p.grad = torch.ones([5], { dtype: torch.float16 })
    new optim.SGD([p], { lr: 0.5 }).step()
    expect(p.dtype).toBe(torch.float16)
    expect(p.tolist()).toEqual([0.5, 1.5, 2.5, 3.5, 4.5])
  })

  it('says so where it would have to be differentiable', () => {
    const p = parameter([1])
    expect(() => new optim.SGD([p], { differentiable: true }).step()).toThrow(torch.NotImplementedError)
  })
})

describe('parameter groups', () => {
  it('have options of their own, which may change between steps', () => {
    const [a, b] = [parameter([1]), parameter([1])]
    const optimizer = new optim.SGD([{ params: [a] }, { params: b, lr: 0.5 }], { lr: 0.25, momentum: 0 })
    for (const p of [a, b]) p.grad = torch.tensor([1], f64)
    optimizer.step()
    expect([a.item(), b.item()]).toEqual([0.75, 0.5])
    optimizer.paramGroups[1].lr = 0.125
    optimizer.step()
    expect([a.item(), b.item()]).toEqual([0.5, 0.375])
    expect(optimizer.paramGroups[0].weightDecay).toBe(0)
  })

  it('can be added later', () => {
    const [a, b] = [parameter([1]), parameter([1])]
    const optimizer = new optim.Adam([a], 0.1)
    optimizer.addParamGroup({ params: [b], lr: 0.2, name: 'head' })
    expect(optimizer.paramGroups.map((g) => [g.lr, g.name])).toEqual([
      [0.1, undefined],
      [0.2, 'head'],
    ])
  })

  it('take named parameters', () => {
    const p = parameter([1])
    const optimizer = new optim.SGD([['weight', p]] as const, { lr: 0.1 })
    expect(optimizer.paramGroups[0].params[0]).toBe(p)
    expect(optimizer.paramGroups[0].paramNames).toEqual(['weight'])
    expect(() => optimizer.addParamGroup({ params: [parameter([2])] })).toThrow(
      'all optimizer param groups should be with/without names. cannot add param group without names to the optimizer',
    )
  })

  it('accept a parameter whose shape is not known yet', () => {
    const lazy = new torch.nn.LazyLinear(2)
    const optimizer = new optim.Adam(lazy.parameters())
    const before = optimizer.paramGroups[0].params[0]
    lazy(torch.ones([1, 3]))
      .sum()
      .backward()
    optimizer.step()
    expect(optimizer.paramGroups[0].params[0]).toBe(before)
    expect([...before.shape]).toEqual([2, 3])
    expect(optimizer.state.get(before)?.exp_avg.sizes).toEqual([2, 3])
  })
})

describe('errors', () => {
  const p = parameter([1])
  const cases: [what: string, make: () => unknown, message: string | RegExp][] = [
    ['no parameters', () => new optim.SGD([]), 'optimizer got an empty parameter list'],
    ['a negative rate', () => new optim.SGD([p], { lr: -1 }), 'Invalid learning rate: -1'],
    [
      'a rate that is no number',
      () => new optim.Adam([p], { lr: '1' as never }),
      'the learning rate must be a number',
    ],
    ['negative momentum', () => new optim.SGD([p], { momentum: -0.5 }), 'Invalid momentum value: -0.5'],
    [
      'a beta of 1',
      () => new optim.Adam([p], { betas: [1.5, 0.9] }),
      'Invalid beta parameter at index 0: 1.5',
    ],
    ['a negative eps', () => new optim.Adam([p], { eps: -1 }), 'Invalid epsilon value: -1'],
    [
      'nesterov alone',
      () => new optim.SGD([p], { nesterov: true }),
      'Nesterov momentum requires a momentum and zero dampening',
    ],
    ['etas', () => new optim.Rprop([p], { etas: [2.5, 3.5] }), 'Invalid eta values: 2.5, 3.5'],
    [
      'a vector for Muon',
      () => new optim.Muon([p]),
      'Muon only supports 2D parameters whereas we found a parameter with size: torch.Size([1])',
    ],
    [
      'a tensor for a list',
      () => new optim.SGD(p),
      'params argument given to the optimizer should be an iterable of Tensors or dicts, but got torch.DoubleTensor',
    ],
    [
      'a number for a tensor',
      () => new optim.SGD([1] as never),
      'optimizer can only optimize Tensors, but one of the params is number 1',
    ],
    ['no leaf', () => new optim.SGD([p.mul(2)]), "can't optimize a non-leaf Tensor"],
    [
      'a parameter twice',
      () => new optim.SGD([{ params: [p] }, { params: [p] }]),
      'some parameters appear in more than one parameter group',
    ],
    ['a set', () => new optim.SGD([{ params: new Set([p]) }]), /ordered collections/],
    [
      'groups for LBFGS',
      () => new optim.LBFGS([{ params: [p] }, { params: [parameter([2])] }]),
      "LBFGS doesn't support per-parameter options (parameter groups)",
    ],
    [
      'an unknown option',
      () => new optim.Adam([p], { weightdecay: 1 } as never),
      /unexpected option 'weightdecay'; did you mean 'weightDecay'/,
    ],
    [
      'an option in Python spelling',
      () => new optim.Adam([{ params: [p], weight_decay: 1 } as never]),
      /unknown option 'weight_decay'; did you mean 'weightDecay'/,
    ],
    [
      'fused and differentiable',
      () => new optim.Adam([p], { fused: true, differentiable: true }),
      '`fused` does not support `differentiable`',
    ],
  ]
  it.each(cases)('%s', (_, make, message) => {
    expect(make).toThrow(message)
  })

  it('a parameter twice in one group only warns', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    new optim.SGD([p, p])
    expect(warn.mock.calls[0][0]).toContain('duplicate parameters')
  })

  it('SparseAdam takes no dense gradient', () => {
    const x = parameter([1])
    x.grad = torch.ones([1], f64)
    expect(() => new optim.SparseAdam([x]).step()).toThrow('SparseAdam does not support dense gradients')
  })

  it('LBFGS needs a closure', () => {
    expect(() => new optim.LBFGS([p]).step()).toThrow("missing 1 required positional argument: 'closure'")
  })

  it('an optimizer without a step of its own says so', () => {
    expect(() => new optim.Optimizer([p], { lr: 1 }).step()).toThrow(torch.NotImplementedError)
  })
})

describe('options', () => {
  it('may have the learning rate by position', () => {
    const p = parameter([1])
    expect(new optim.SGD([p], 0.5, { momentum: 0.9 }).paramGroups[0]).toMatchObject({
      lr: 0.5,
      momentum: 0.9,
    })
    expect(new optim.SGD([p], undefined).paramGroups[0].lr).toBe(1e-3)
    expect(() => new optim.SGD([p], 0.5, { lr: 1 } as never)).toThrow("multiple values for argument 'lr'")
  })

  it('are not the caller’s object', () => {
    const p = parameter([1])
    const options = { lr: 0.5 }
    const group = { params: [p] }
    const optimizer = new optim.SGD([group], options)
    optimizer.paramGroups[0].lr = 1
    expect(options).toEqual({ lr: 0.5 })
    expect(Object.keys(group)).toEqual(['params'])
  })
})

describe('zeroGrad', () => {
  it('removes gradients, or fills them with zeros', () => {
    const p = parameter([1, 2])
    const optimizer = new optim.SGD([p])
    p.grad = torch.ones([2], f64)
    const { grad } = p
    optimizer.zeroGrad({ setToNone: false })
    expect(p.grad).toBe(grad)
    expect(p.grad?.tolist()).toEqual([0, 0])
    optimizer.zeroGrad()
    expect(p.grad).toBeNull()
  })
})

describe('hooks', () => {
  it('run before and after each step until they are removed', () => {
    const p = parameter([1])
    p.grad = torch.ones([1], f64)
    const optimizer = new optim.SGD([p], { lr: 1 })
    const seen: string[] = []
    const before = optimizer.registerStepPreHook(() => seen.push(`before ${p.item()}`))
    optimizer.registerStepPostHook((o) => seen.push(`after ${p.item()} ${o === (optimizer as unknown)}`))
    optimizer.step()
    before.remove()
    optimizer.step()
    expect(seen).toEqual(['before 1', 'after 0 true', 'after -1 true'])
  })
})

describe('LBFGS', () => {
  it.each([null, 'strong_wolfe'] as const)(
    'finds the minimum of a quadratic, line search %s',
    (lineSearchFn) => {
      const [a, b] = [parameter([1, 2]), parameter([3, 4])]
      const optimizer = new optim.LBFGS([a, b], {
        lr: lineSearchFn === null ? 0.5 : 1,
        maxIter: 50,
        lineSearchFn,
      })
      const loss = () => a.sub(1.5).square().sum().add(b.mul(2).add(1).square().sum())
      optimizer.step(() => {
        optimizer.zeroGrad()
        const value = loss()
        value.backward()
        return value
      })
      expect(Number(loss().item())).toBeLessThan(1e-8)
      const state = optimizer.state.get(a)!
      expect(state.func_evals).toBeGreaterThan(1)
      expect(optimizer.state.has(b)).toBe(false)
    },
  )

  it('goes on after a checkpoint as if nothing had happened', () => {
    const run = (resume: boolean): number[] => {
      const p = parameter([-1.5, 2])
      let optimizer = new optim.LBFGS([p], { maxIter: 4, lineSearchFn: 'strong_wolfe' })
      for (let i = 0; i < 4; i++) {
        if (resume && i === 2) {
          const state = optimizer.stateDict()
          optimizer = new optim.LBFGS([p], { maxIter: 4, lineSearchFn: 'strong_wolfe' })
          optimizer.loadStateDict(state)
        }
        optimizer.step(() => {
          optimizer.zeroGrad()
          const [x, y] = p.unbind()
          const value = y.sub(x.square()).square().mul(100).add(x.neg().add(1).square())
          value.backward()
          return value
        })
      }
      return p.tolist() as number[]
    }
    expect(run(true)).toEqual(run(false))
  })
})

describe('Muon', () => {
  it('steps along a nearly orthogonal matrix', () => {
    const p = torch.zeros([3, 2], f64).requiresGrad_()
    p.grad = torch.tensor([1, 2, -3, 4, 0.5, -1], f64).reshape([3, 2])
    new optim.Muon([p], { lr: 1, weightDecay: 0, adjustLrFn: 'original' }).step()
    const step = p.detach().div(Math.sqrt(1.5))
    const gram = step.t().matmul(step).tolist() as number[][]
    // Five iterations bring singular values between about 0.7 and 1.2.
    expect(gram[0][0]).toBeGreaterThan(0.4)
    expect(gram[0][0]).toBeLessThan(1.5)
    expect(Math.abs(gram[0][1])).toBeLessThan(0.4)
  })
})

describe('printing', () => {
  it('is PyTorch’s', () => {
    const p = parameter([1])
    expect(String(new optim.Adam([p], { betas: [0, 0.5] }))).toBe(
      'Adam (\nParameter Group 0\n    amsgrad: False\n    betas: (0.0, 0.5)\n    capturable: False\n    decoupled_weight_decay: False\n    differentiable: False\n    eps: 1e-08\n    foreach: None\n    fused: None\n    lr: 0.001\n    maximize: False\n    weight_decay: 0\n)',
    )
    expect(String(new optim.Adadelta([p]))).toContain('\n    lr: 1.0\n')
    expect(
      String(new optim.Muon([parameter([1]).reshape([1, 1]).detach()], { adjustLrFn: 'original' })),
    ).toContain('    adjust_lr_fn: original\n    eps: 1e-07\n')
  })

  it('has a part for each group, and what a scheduler added', () => {
    const optimizer = new optim.SGD(
      [{ params: [parameter([1])] }, { params: [parameter([2])], lr: 0.001 }],
      0.1,
    )
    new optim.lrScheduler.StepLR(optimizer, 5)
    expect(String(optimizer)).toBe(
      'SGD (\nParameter Group 0\n    dampening: 0\n    differentiable: False\n    foreach: None\n    fused: None\n    initial_lr: 0.1\n    lr: 0.1\n    maximize: False\n    momentum: 0\n    nesterov: False\n    weight_decay: 0\n\nParameter Group 1\n    dampening: 0\n    differentiable: False\n    foreach: None\n    fused: None\n    initial_lr: 0.001\n    lr: 0.001\n    maximize: False\n    momentum: 0\n    nesterov: False\n    weight_decay: 0\n)',
    )
  })
})

describe('an optimizer of one’s own', () => {
  it('overrides step', () => {
    class PlainDescent extends optim.Optimizer<{ lr?: number }> {
      override step(): null {
        torch.noGrad(() => {
          for (const { params, lr } of this.paramGroups)
            for (const q of params) if (q.grad) q.sub_(q.grad.mul(lr))
        })
        return null
      }
    }
    const p = parameter([1])
    p.grad = torch.ones([1], f64)
    new PlainDescent([p], { lr: 0.25 }).step()
    expect(p.item()).toBe(0.75)
  })
})
