// States of optimizers: PyTorch's layout, loading new and old ones, and what happens to bad ones.

import { describe, expect, it } from 'vitest'
import * as torch from '../../src/index.ts'

const { optim } = torch
const f64 = { dtype: torch.float64 }

function stepped<T extends { step(): unknown }>(optimizer: T, params: readonly torch.Tensor[], times = 1): T {
  for (let i = 0; i < times; i++) {
    params.forEach((p, j) => {
      p.grad = torch.full(p.sizes, 0.5 * (i + 1) * (j + 1), { dtype: p.dtype })
    })
    optimizer.step()
  }
  return optimizer
}

function parameters(dtype: torch.DType = torch.float32): torch.Tensor[] {
  return [torch.ones([2], { dtype }).requiresGrad_(), torch.ones([2, 3], { dtype }).requiresGrad_()]
}

function get(dict: unknown, ...path: (string | number)[]): unknown {
  return path.reduce(
    (value: unknown, key) => (value instanceof Map ? value.get(key) : (value as unknown[])[key as number]),
    dict,
  )
}

describe('stateDict', () => {
  it('numbers the parameters through all groups and names options as PyTorch does', () => {
    const [a, b] = parameters()
    const optimizer = stepped(new optim.Adam([{ params: [a] }, { params: [b], weightDecay: 0.5 }]), [a, b])
    const state = optimizer.stateDict()
    expect([...state.keys()]).toEqual(['state', 'param_groups'])
    expect([...(get(state, 'state') as Map<number, unknown>).keys()]).toEqual([0, 1])
    expect([...(get(state, 'state', 1) as Map<string, unknown>).keys()]).toEqual([
      'step',
      'exp_avg',
      'exp_avg_sq',
    ])
    expect(get(state, 'state', 1, 'exp_avg')).toBe(optimizer.state.get(b)?.exp_avg)
    expect([...(get(state, 'param_groups', 1) as Map<string, unknown>).entries()]).toEqual([
      ['weight_decay', 0.5],
      ['lr', 0.001],
      ['betas', torch.Tuple.of(0.9, 0.999)],
      ['eps', 1e-8],
      ['amsgrad', false],
      ['maximize', false],
      ['foreach', null],
      ['capturable', false],
      ['differentiable', false],
      ['fused', null],
      ['decoupled_weight_decay', false],
      ['params', [1]],
    ])
  })

  it('keeps the step as a float32 tensor without dimensions, whatever the parameter', () => {
    const params = parameters(torch.float64)
    const optimizer = stepped(new optim.Adam(params), params, 3)
    const { step, exp_avg } = optimizer.state.get(params[0])!
    expect([step.dtype, step.ndim, step.item()]).toEqual([torch.float32, 0, 3])
    expect(exp_avg.dtype).toBe(torch.float64)
  })

  it('has no state for plain SGD', () => {
    const params = parameters()
    expect(
      (get(stepped(new optim.SGD(params), params).stateDict(), 'state') as Map<number, unknown>).size,
    ).toBe(0)
  })
})

describe('loadStateDict', () => {
  const classes = [
    'SGD',
    'Adam',
    'AdamW',
    'Adamax',
    'NAdam',
    'RAdam',
    'RMSprop',
    'Rprop',
    'Adagrad',
    'Adadelta',
    'ASGD',
    'Adafactor',
  ] as const

  it.each(classes)('%s goes on as if it had not been interrupted', (name) => {
    const make = (params: torch.Tensor[]) =>
      new (optim[name] as new (p: torch.Tensor[], o: object) => torch.optim.Optimizer)(params, {
        lr: 0.1,
        ...(name === 'SGD' ? { momentum: 0.9 } : {}),
      })
    const through = parameters()
    stepped(stepped(make(through), through, 2), through, 2)
    const interrupted = parameters()
    const state = stepped(make(interrupted), interrupted, 2).stateDict()
    const resumed = make(interrupted)
    resumed.loadStateDict(state)
    stepped(resumed, interrupted, 2)
    expect(interrupted.map((p) => p.tolist())).toEqual(through.map((p) => p.tolist()))
  })

  it('copies: the two optimizers do not share their moments', () => {
    const params = parameters()
    const first = stepped(new optim.Adam(params), params)
    const second = new optim.Adam(params)
    second.loadStateDict(first.stateDict())
    const before = first.state.get(params[0])!.exp_avg.tolist()
    stepped(second, params, 2)
    expect(first.state.get(params[0])!.exp_avg.tolist()).toEqual(before)
    expect(first.state.get(params[0])!.step.item()).toBe(1)
  })

  it('casts moments to the dtype of their parameter, but not the step', () => {
    const params = parameters()
    const state = stepped(new optim.Adam(params), params).stateDict()
    const wide = parameters(torch.float64)
    const optimizer = new optim.Adam(wide)
    optimizer.loadStateDict(state)
    const { step, exp_avg } = optimizer.state.get(wide[1])!
    expect([step.dtype, exp_avg.dtype]).toEqual([torch.float32, torch.float64])
  })

  it('takes plain objects as well as Maps', () => {
    const p = torch.ones([1], f64).requiresGrad_()
    const optimizer = new optim.SGD([p], { momentum: 0.5 })
    optimizer.loadStateDict({
      state: { 0: { momentum_buffer: torch.ones([1]) } },
      param_groups: [{ lr: 0.5, momentum: 0.5, weight_decay: 0.25, params: [0] }],
    })
    expect(optimizer.paramGroups[0]).toMatchObject({ lr: 0.5, weightDecay: 0.25 })
    expect(optimizer.state.get(p)?.momentum_buffer?.tolist()).toEqual([1])
  })

  it('takes states of older releases: missing options, the step as a number', () => {
    const p = torch.ones([1]).requiresGrad_()
    const optimizer = new optim.AdamW([p])
    optimizer.loadStateDict({
      state: { 0: { step: 10, exp_avg: torch.ones([1]), exp_avg_sq: torch.ones([1]) } },
      param_groups: [
        { lr: 0.5, betas: [0.9, 0.999], eps: 1e-8, weight_decay: 0.5, amsgrad: false, params: [0] },
      ],
    })
    expect(optimizer.paramGroups[0]).toMatchObject({
      decoupledWeightDecay: true,
      maximize: false,
      fused: null,
    })
    const { step } = optimizer.state.get(p)!
    expect([step.dtype, step.item()]).toEqual([torch.float32, 10])
  })

  it('takes a momentum buffer of null for none', () => {
    const p = torch.ones([1]).requiresGrad_()
    const optimizer = new optim.SGD([p], { momentum: 0.9 })
    optimizer.loadStateDict({
      state: { 0: { momentum_buffer: null } },
      param_groups: [{ lr: 1, momentum: 0.9, dampening: 0, weight_decay: 0, nesterov: false, params: [0] }],
    })
    p.grad = torch.tensor([3], { dtype: torch.float32 })
    optimizer.step()
    expect(optimizer.state.get(p)?.momentum_buffer?.tolist()).toEqual([3])
  })

  it('keeps options of the user’s own and state that belongs to no parameter', () => {
    const p = torch.ones([1]).requiresGrad_()
    const optimizer = new optim.SGD([p])
    optimizer.loadStateDict({ state: { note: 'mine' }, param_groups: [{ lr: 1, lr_scale: 2, params: [0] }] })
    const state = optimizer.stateDict()
    expect(get(state, 'state', 'note')).toBe('mine')
    expect(get(state, 'param_groups', 0, 'lr_scale')).toBe(2)
    expect(optimizer.paramGroups[0].lrScale).toBe(2)
  })

  const bad: [what: string, state: Record<string, unknown>, message: string][] = [
    [
      'another number of groups',
      { state: {}, param_groups: [] },
      'loaded state dict has a different number of parameter groups',
    ],
    [
      'a group of another size',
      { state: {}, param_groups: [{ lr: 5, params: [0] }] },
      "loaded state dict contains a parameter group that doesn't match the size of optimizer's group",
    ],
    ['no groups', { state: {} }, "'param_groups'"],
    ['no state', { param_groups: [] }, "'state'"],
    [
      'a state that is no dict',
      { state: [1], param_groups: [{ lr: 5, params: [0, 1] }] },
      'must be a Map or an object',
    ],
  ]
  it.each(bad)('throws for %s, and nothing changes', (_, state, message) => {
    const params = parameters()
    const optimizer = stepped(new optim.Adam(params), params)
    const before = optimizer.state.get(params[0])
    expect(() => optimizer.loadStateDict(state)).toThrow(message)
    expect(optimizer.paramGroups[0].lr).toBe(0.001)
    expect(optimizer.state.get(params[0])).toBe(before)
  })

  it('with a moment of another shape, the step says which shapes do not fit', () => {
    const p = torch.ones([4]).requiresGrad_()
    const optimizer = new optim.SGD([p], { momentum: 0.9 })
    optimizer.loadStateDict({
      state: { 0: { momentum_buffer: torch.ones([2]) } },
      param_groups: [{ ...optimizer.defaults, params: [0] }],
    })
    p.grad = torch.ones([4])
    expect(() => optimizer.step()).toThrow(
      "sgd: the buffer of shape [2] doesn't match the param of shape [4]",
    )
    expect(p.tolist()).toEqual([1, 1, 1, 1])
  })
})
