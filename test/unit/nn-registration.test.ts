// What a module registers: parameters, buffers and children found among its fields, and PyTorch's rules for changing them.

import { describe, expect, it, vi } from 'vitest'
import * as torch from '../../src/index.ts'

const { nn } = torch

type Fields = Record<string, unknown>
const fields = (module: torch.nn.Module) => module as unknown as Fields
const names = (pairs: Iterable<readonly [string, unknown]>) => Array.from(pairs, ([name]) => name)

describe('registration', () => {
  it('finds parameters, buffers and children among class fields, in their order', () => {
    class Net extends nn.Module {
      second = new nn.Parameter(torch.zeros(2))
      child = new nn.Linear(1, 1)
      first = new nn.Parameter(torch.zeros(1))
      mean = new nn.Buffer(torch.zeros(3))
      plain = torch.zeros(4)
    }
    const net = new Net()
    expect(names(net.namedParameters())).toEqual(['second', 'first', 'child.weight', 'child.bias'])
    expect(names(net.namedBuffers())).toEqual(['mean'])
    expect(names(net.namedChildren())).toEqual(['child'])
    expect([...net.stateDict().keys()]).toEqual(['second', 'first', 'mean', 'child.weight', 'child.bias'])
  })

  it('refuses a tensor over a parameter, a child or a buffer, with the message of PyTorch', () => {
    const linear = new nn.Linear(2, 2)
    fields(linear).weight = torch.ones(2)
    const message =
      "cannot assign 'torch.FloatTensor' as parameter 'weight' (torch.nn.Parameter or None expected)"
    expect(() => [...linear.parameters()]).toThrow(message)
    expect(() => linear(torch.ones(1, 2))).toThrow(message)

    const model = new nn.Sequential(new nn.ReLU())
    fields(model)['0'] = torch.ones(2)
    expect(() => model.stateDict()).toThrow(
      "cannot assign 'torch.FloatTensor' as child module '0' (torch.nn.Module or None expected)",
    )

    const norm = new nn.BatchNorm1d(2)
    fields(norm).running_mean = 3
    expect(() => norm.stateDict()).toThrow(
      "cannot assign 'int' as buffer 'running_mean' (torch.nn.Buffer, torch.Tensor or None expected)",
    )
  })

  it('notices a tensor over a parameter at the next call too', () => {
    const linear = new nn.Linear(2, 2)
    linear(torch.ones(1, 2))
    fields(linear).weight = torch.ones(2, 2)
    expect(() => linear(torch.ones(1, 2))).toThrow(TypeError)
  })

  it('keeps the place of a slot set to null, which the state dict leaves out', () => {
    const linear = new nn.Linear(2, 3)
    fields(linear).weight = null
    expect([...linear.stateDict().keys()]).toEqual(['bias'])
    linear.weight = new nn.Parameter(torch.zeros(3, 2))
    expect([...linear.stateDict().keys()]).toEqual(['weight', 'bias'])
  })

  it('does not register plain tensors, and keeps a tensor over a buffer a buffer, as persistent as before', () => {
    class Net extends nn.Module {
      kept = new nn.Buffer(torch.zeros(1))
      transient: torch.Tensor = new nn.Buffer(torch.zeros(1), { persistent: false })
      plain = torch.zeros(1)
    }
    const net = new Net()
    expect(names(net.namedBuffers())).toEqual(['kept', 'transient'])
    net.transient = torch.ones(1)
    expect(names(net.namedBuffers())).toEqual(['kept', 'transient'])
    expect([...net.stateDict().keys()]).toEqual(['kept'])
    expect([...net.buffers()][1]).toBe(net.transient)
  })

  it('drops the old entry when a field changes its kind', () => {
    const net = new nn.Module()
    fields(net).a = new nn.Linear(1, 1)
    fields(net).b = new nn.Linear(1, 1)
    expect(names(net.namedChildren())).toEqual(['a', 'b'])
    fields(net).a = new nn.Parameter(torch.zeros(1))
    expect(names(net.namedChildren())).toEqual(['b'])
    expect(names(net.namedParameters())).toEqual(['a', 'b.weight', 'b.bias'])
    expect(() => {
      fields(net).a = new nn.ReLU()
      net.stateDict()
    }).toThrow("cannot assign 'ReLU' as parameter 'a' (torch.nn.Parameter or None expected)")
  })

  it('forgets a field that was deleted', () => {
    const net = new nn.Module()
    fields(net).a = new nn.Parameter(torch.zeros(1))
    fields(net).b = new nn.Parameter(torch.zeros(1))
    expect(names(net.namedParameters())).toEqual(['a', 'b'])
    delete fields(net).a
    expect(names(net.namedParameters())).toEqual(['b'])
  })

  it('refuses names that are empty, have a dot, or are taken', () => {
    const net = new nn.Module()
    const p = new nn.Parameter(torch.zeros(1))
    expect(() => net.registerParameter('a.b', p)).toThrow('parameter name can\'t contain "."')
    expect(() => net.registerParameter('', p)).toThrow('parameter name can\'t be empty string ""')
    expect(() => net.registerParameter('type', p)).toThrow("attribute 'type' already exists")
    expect(() => net.registerBuffer('a.b', torch.zeros(1))).toThrow('buffer name can\'t contain "."')
    expect(() => net.registerModule('', new nn.ReLU())).toThrow('module name can\'t be empty string ""')
    expect(() => new nn.ModuleDict({ type: new nn.ReLU() })).toThrow("attribute 'type' already exists")
    fields(net)['a.b'] = p
    expect(() => net.stateDict()).toThrow(/parameter name can't contain/)
  })

  it('refuses what is no parameter, buffer or module', () => {
    const net = new nn.Module()
    expect(() => net.registerParameter('a', torch.zeros(1) as torch.nn.Parameter)).toThrow(
      "cannot assign 'torch.FloatTensor' object to parameter 'a' (torch.nn.Parameter or None required)",
    )
    expect(() => net.registerBuffer('a', 3 as unknown as torch.Tensor)).toThrow(
      "cannot assign 'int' object to buffer 'a' (torch Tensor or None required)",
    )
    expect(() => net.registerModule('a', 3 as unknown as torch.nn.Module)).toThrow(
      'int is not a Module subclass',
    )
  })

  it('refuses a parameter that is no leaf', () => {
    const net = new nn.Module()
    const p = torch.noGrad(() => new nn.Parameter(torch.zeros(1), { requiresGrad: false }))
    p.mul_(torch.ones(1).requiresGrad_())
    expect(() => net.registerParameter('a', p)).toThrow("Cannot assign non-leaf Tensor to parameter 'a'.")
  })

  it('finds modules and parameters by dotted paths', () => {
    const net = new nn.Sequential(new nn.Linear(2, 2), new nn.Sequential(new nn.BatchNorm1d(2)))
    expect(net.getSubmodule('')).toBe(net)
    expect(net.getSubmodule('1.0')).toBeInstanceOf(nn.BatchNorm1d)
    expect(net.getParameter('0.weight')).toBe(net.at<torch.nn.Linear>(0).weight)
    expect(String(net.getBuffer('1.0.running_mean'))).toBe('tensor([0., 0.])')
    expect(() => net.getSubmodule('0.q')).toThrow('Linear has no attribute `q`')
    expect(() => net.getSubmodule('0.weight')).toThrow('`weight` is not an nn.Module')
    expect(() => net.getParameter('1.0.running_mean')).toThrow('`running_mean` is not an nn.Parameter')
    expect(() => net.getBuffer('0.weight')).toThrow('`weight` is not a buffer')
    net.setSubmodule('1.0', new nn.ReLU())
    expect(String(net.getSubmodule('1'))).toBe('Sequential(\n  (0): ReLU()\n)')
  })
})

describe('parameters', () => {
  it('require gradients inside noGrad and share the memory of their data', () => {
    const data = torch.zeros(2)
    const p = torch.noGrad(() => new nn.Parameter(data))
    expect(p.requiresGrad).toBe(true)
    expect(p.isLeaf).toBe(true)
    data.add_(1)
    expect(String(p)).toBe('Parameter containing:\ntensor([1., 1.], requires_grad=True)')
    expect(String(new nn.Parameter(data, { requiresGrad: false }))).toBe(
      'Parameter containing:\ntensor([1., 1.])',
    )
  })

  it('are leaves also when made of a result', () => {
    const w = torch.ones(2).requiresGrad_()
    expect(new nn.Parameter(w.mul(2)).isLeaf).toBe(true)
  })

  it('cannot require gradients of integers', () => {
    expect(() => new nn.Parameter(torch.tensor([1, 2]))).toThrow(/can require gradients/)
    expect(new nn.Parameter(torch.tensor([1, 2]), { requiresGrad: false }).requiresGrad).toBe(false)
  })
})

describe('a name that is registered by a call', () => {
  it('comes after the fields assigned before it', () => {
    class Mixed extends nn.Module {
      first = new nn.Parameter(torch.ones(1))
      head = new nn.ReLU()
      constructor() {
        super()
        this.registerParameter('second', new nn.Parameter(torch.ones(1)))
        this.addModule('tail', new nn.Tanh())
      }
    }
    const mixed = new Mixed()
    expect([...mixed.namedParameters()].map(([name]) => name)).toEqual(['first', 'second'])
    expect([...mixed.namedChildren()].map(([name]) => name)).toEqual(['head', 'tail'])
  })
})

describe('modules in plain collections', () => {
  it('give a warning that names class, field and cure, once', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    class HiddenLayers extends nn.Module {
      layers = [new nn.Linear(1, 1)]
      byName = { head: new nn.Linear(1, 1) }
      free = new Map([['scale', new nn.Parameter(torch.ones(1))]])
      numbers = [1, 2, 3]
    }
    const net = new HiddenLayers()
    expect([...net.parameters()]).toEqual([])
    net.stateDict()
    new HiddenLayers().stateDict()
    const texts = warn.mock.calls.map(([text]) => String(text))
    expect(texts).toHaveLength(3)
    expect(texts[0]).toContain('HiddenLayers.layers is a plain array that holds a Module')
    expect(texts[0]).toContain('this.layers = new nn.ModuleList([...])')
    expect(texts[1]).toContain('nn.ModuleDict')
    expect(texts[2]).toContain('HiddenLayers.free is a plain Map that holds a Parameter')
    expect(texts[2]).toContain('nn.ParameterDict')
    warn.mockRestore()
  })
})
