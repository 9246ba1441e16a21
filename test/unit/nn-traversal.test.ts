// Walking modules: shared parameters and modules, apply, modes, conversion, gradients, copies.

import { describe, expect, it } from 'vitest'
import * as torch from '../../src/index.ts'

const { nn } = torch
const names = (pairs: Iterable<readonly [string, unknown]>) => Array.from(pairs, ([name]) => name)

class Tied extends nn.Module {
  a = new nn.Linear(2, 2)
  b = new nn.Linear(2, 2)
  constructor() {
    super()
    this.b.weight = this.a.weight
  }
}

class Shared extends nn.Module {
  a = new nn.Linear(1, 1)
  b = this.a
}

describe('traversal', () => {
  it('lists a tied parameter once under its first name, all names in the state dict', () => {
    const net = new Tied()
    expect(names(net.namedParameters())).toEqual(['a.weight', 'a.bias', 'b.bias'])
    expect(names(net.namedParameters({ removeDuplicate: false }))).toEqual([
      'a.weight',
      'a.bias',
      'b.weight',
      'b.bias',
    ])
    expect([...net.stateDict().keys()]).toEqual(['a.weight', 'a.bias', 'b.weight', 'b.bias'])
  })

  it('lists a shared module once, prints and saves it twice', () => {
    const net = new Shared()
    expect(names(net.namedModules())).toEqual(['', 'a'])
    expect(names(net.namedModules({ removeDuplicate: false }))).toEqual(['', 'a', 'b'])
    expect(names(net.namedChildren())).toEqual(['a'])
    expect(String(net).match(/Linear/g)).toHaveLength(2)
    expect([...net.stateDict().keys()]).toEqual(['a.weight', 'a.bias', 'b.weight', 'b.bias'])
  })

  it('puts a prefix before names and stays at one module where asked', () => {
    const net = new nn.Sequential(new nn.Linear(1, 1))
    expect(names(net.namedParameters({ prefix: 'net' }))).toEqual(['net.0.weight', 'net.0.bias'])
    expect(names(net.namedParameters({ recurse: false }))).toEqual([])
    expect(names(net.at<torch.nn.Linear>(0).namedParameters({ recurse: false }))).toEqual(['weight', 'bias'])
  })

  it('applies a function to children first', () => {
    const order: string[] = []
    const net = new nn.Sequential(new nn.ReLU(), new nn.Sequential(new nn.Tanh()))
    expect(net.apply((module) => order.push(module.constructor.name))).toBe(net)
    expect(order).toEqual(['ReLU', 'Tanh', 'Sequential', 'Sequential'])
  })

  it('sets the mode of all modules and takes booleans only', () => {
    const net = new nn.Sequential(new nn.Dropout(0.5))
    expect(net.eval()).toBe(net)
    expect(net.at(0).training).toBe(false)
    expect(net.train()).toBe(net)
    expect(net.at(0).training).toBe(true)
    expect(() => net.train(1 as unknown as boolean)).toThrow('training mode is expected to be boolean')
  })

  it('keeps parameters the same objects when it converts them, gradients included', () => {
    const net = new nn.Sequential(new nn.Linear(2, 2), new nn.BatchNorm1d(2))
    const { weight } = net.at<torch.nn.Linear>(0)
    net(torch.randn(4, 2)).pow(2).sum().backward()
    expect(net.double()).toBe(net)
    expect(net.at<torch.nn.Linear>(0).weight).toBe(weight)
    expect(weight.dtype).toBe(torch.float64)
    expect(weight.grad?.dtype).toBe(torch.float64)
    expect(weight.requiresGrad).toBe(true)
    const norm = net.at<torch.nn.BatchNorm1d>(1)
    expect(norm.running_mean?.dtype).toBe(torch.float64)
    expect(norm.num_batches_tracked?.dtype).toBe(torch.int64)
    // Gradients have the new dtype from now on.
    net(torch.randn(4, 2, { dtype: torch.float64 }))
      .pow(2)
      .sum()
      .backward()
    expect(weight.grad?.dtype).toBe(torch.float64)
    expect(names(net.namedBuffers())).toEqual(['1.running_mean', '1.running_var', '1.num_batches_tracked'])
  })

  it('converts to floating dtypes only, by dtype, by tensor and by options', () => {
    const linear = new nn.Linear(1, 1)
    expect(() => linear.to(torch.int32)).toThrow(
      'nn.Module.to only accepts floating point or complex dtypes, but got desired dtype=torch.int32',
    )
    expect(linear.to(torch.zeros(1, { dtype: torch.float16 })).weight.dtype).toBe(torch.float16)
    expect(linear.to({ dtype: torch.bfloat16 }).weight.dtype).toBe(torch.bfloat16)
    expect(linear.float().weight.dtype).toBe(torch.float32)
    expect(linear.half().weight.dtype).toBe(torch.float16)
    expect(linear.to('cpu').weight.dtype).toBe(torch.float16)
  })

  it('drops gradients, or fills them with zeros', () => {
    const linear = new nn.Linear(2, 1)
    linear(torch.ones(1, 2)).sum().backward()
    linear.zeroGrad({ setToNone: false })
    expect(String(linear.weight.grad)).toBe('tensor([[0., 0.]])')
    linear.zeroGrad()
    expect(linear.weight.grad).toBeNull()
  })

  it('freezes and thaws parameters', () => {
    const linear = new nn.Linear(2, 1)
    expect(linear.requiresGrad_(false)).toBe(linear)
    expect([...linear.parameters()].map((p) => p.requiresGrad)).toEqual([false, false])
    expect(linear(torch.ones(1, 2)).requiresGrad).toBe(false)
    linear.requiresGrad_()
    expect(linear(torch.ones(1, 2)).requiresGrad).toBe(true)
  })
})

describe('copies', () => {
  it('share no memory and keep ties', () => {
    const net = new Tied()
    const copy = net.clone()
    expect(copy).toBeInstanceOf(Tied)
    expect(copy.a.weight === copy.b.weight).toBe(true)
    expect(copy.a.weight === net.a.weight).toBe(false)
    torch.noGrad(() => copy.a.weight.zero_())
    expect(net.a.weight.ne(0).any().item()).toBe(true)
    expect(String(copy)).toBe(String(net))
    const x = torch.randn(3, 2)
    const other = net.clone()
    expect(String(other.a(x))).toBe(String(net.a(x)))
  })

  it('keep modes, frozen parameters, hooks and plain fields', () => {
    const net = new nn.Sequential(new nn.Linear(1, 1), new nn.Dropout(0.25)).eval()
    net.requiresGrad_(false)
    let calls = 0
    net.registerForwardHook(() => {
      calls++
    })
    const copy = torch.deepcopy(net)
    copy(torch.ones(1, 1))
    expect(calls).toBe(1)
    expect(copy.at<torch.nn.Dropout>(1).p).toBe(0.25)
    expect(copy.at(1).training).toBe(false)
    expect([...copy.parameters()].every((p) => !p.requiresGrad)).toBe(true)
  })

  it('of results with a history are refused', () => {
    class Net extends nn.Module {
      result = torch.ones(2).requiresGrad_().mul(2)
    }
    expect(() => new Net().clone()).toThrow(/Only Tensors created explicitly by the user/)
  })
})
