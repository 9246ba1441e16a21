// Behaviours of torch.nn.Module that ports usually get wrong, numbered 1 to 15 and 29 to 42: registration, traversal, calls,
// printing, containers, lazy layers. semantics.test.ts counts that none is missing.

import { describe, expect, test, vi } from 'vitest'
import * as torch from '../../src/index.ts'
import { registerModuleForwardHook, registerModuleForwardPreHook } from '../../src/nn/hooks.ts'

const { nn } = torch
const fields = (module: torch.nn.Module) => module as unknown as Record<string, unknown>
const names = (pairs: Iterable<readonly [string, unknown]>) => Array.from(pairs, ([name]) => name)
const types = (modules: Iterable<unknown>) => Array.from(modules, (m) => (m as object).constructor.name)

class Twice extends nn.Module {
  override forward(x: torch.Tensor) {
    return x.mul(2)
  }
}

describe('registration', () => {
  test('1. nothing can be assigned before super(): the language itself refuses it', () => {
    // As a text, since compiler and linter refuse it, too.
    const define = new Function(
      'Module',
      'return class extends Module { constructor() { this.weight = 1; super() } }',
    )
    const Early = define(nn.Module) as new () => torch.nn.Module
    expect(() => new Early()).toThrow(ReferenceError)
  })

  test('2. a tensor over a parameter, a child or a buffer is a TypeError', () => {
    const linear = new nn.Linear(2, 2)
    fields(linear).weight = torch.ones(2)
    const assigned =
      "cannot assign 'torch.FloatTensor' as parameter 'weight' (torch.nn.Parameter or None expected)"
    expect(() => [...linear.parameters()]).toThrow(assigned)
    expect(() => linear.stateDict()).toThrow(TypeError)
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

  test('3. null keeps the slot, is absent from the state dict, and a refill keeps the position', () => {
    const linear = new nn.Linear(2, 3)
    fields(linear).weight = null
    expect([...linear.stateDict().keys()]).toEqual(['bias'])
    linear.weight = new nn.Parameter(torch.zeros(3, 2))
    expect([...linear.stateDict().keys()]).toEqual(['weight', 'bias'])
  })

  test('4. plain tensors do not register; a tensor over a buffer stays a buffer, as persistent as it was', () => {
    class Net extends nn.Module {
      kept = new nn.Buffer(torch.zeros(1))
      transient: torch.Tensor = new nn.Buffer(torch.zeros(1), { persistent: false })
      plain = torch.zeros(1)
    }
    const net = new Net()
    expect(names(net.namedBuffers())).toEqual(['kept', 'transient'])
    net.transient = torch.ones(1)
    expect([...net.buffers()][1]).toBe(net.transient)
    expect([...net.stateDict().keys()]).toEqual(['kept'])
  })

  test('5. a field that changes its kind leaves its old place', () => {
    const net = new nn.Module()
    fields(net).a = new nn.Linear(1, 1)
    fields(net).b = new nn.ReLU()
    expect(names(net.namedChildren())).toEqual(['a', 'b'])
    fields(net).a = new nn.Parameter(torch.zeros(1))
    expect(names(net.namedChildren())).toEqual(['b'])
    expect(names(net.namedParameters())).toEqual(['a'])
  })

  test('6. names that are empty, have a dot, or are taken are refused', () => {
    const net = new nn.Module()
    const p = new nn.Parameter(torch.zeros(1))
    expect(() => net.registerParameter('a.b', p)).toThrow('parameter name can\'t contain "."')
    expect(() => net.registerParameter('', p)).toThrow('parameter name can\'t be empty string ""')
    expect(() => new nn.ModuleDict({ type: new nn.ReLU() })).toThrow("attribute 'type' already exists")
    expect(() => net.registerBuffer('a.b', torch.zeros(1))).toThrow(
      expect.objectContaining({ name: 'KeyError' }),
    )
  })

  test('7. a parameter that is no leaf is refused; parameters require gradients inside noGrad', () => {
    const p = new nn.Parameter(torch.zeros(1), { requiresGrad: false })
    p.mul_(torch.ones(1).requiresGrad_())
    expect(() => new nn.Module().registerParameter('a', p)).toThrow(
      "Cannot assign non-leaf Tensor to parameter 'a'.",
    )
    expect(torch.noGrad(() => new nn.Parameter(torch.zeros(1))).requiresGrad).toBe(true)
  })

  test('8. paths that lead nowhere say at which module; the empty path is the module itself', () => {
    const net = new nn.Sequential(new nn.Linear(2, 2))
    expect(net.getSubmodule('')).toBe(net)
    expect(() => net.getSubmodule('0.q')).toThrow('Linear has no attribute `q`')
    expect(() => net.getSubmodule('0.weight')).toThrow('`weight` is not an nn.Module')
    expect(() => net.getParameter('0.nope')).toThrow(/has no attribute/)
  })

  test('9. a class without forward says so when it is called, ModuleList too', () => {
    class N extends nn.Module {}
    expect(() => new N()()).toThrow('Module [N] is missing the required "forward" function')
    expect(() => new nn.ModuleList()()).toThrow(
      'Module [ModuleList] is missing the required "forward" function',
    )
  })

  test('10. class fields, which no setter sees, are found all the same, in their order', () => {
    class Net extends nn.Module {
      second = new nn.Parameter(torch.zeros(2))
      child = new nn.Linear(1, 1, { bias: false })
      first = new nn.Parameter(torch.zeros(1))
    }
    expect(Object.getOwnPropertyDescriptor(new Net(), 'child')?.set).toBeUndefined()
    expect(names(new Net().namedParameters())).toEqual(['second', 'first', 'child.weight'])
  })
})

describe('traversal', () => {
  class Tied extends nn.Module {
    a = new nn.Linear(2, 2, { bias: false })
    b = new nn.Linear(2, 2, { bias: false })
    constructor() {
      super()
      this.b.weight = this.a.weight
    }
  }

  test('11. a tied parameter is listed once under its first name; all names are in the state dict', () => {
    const net = new Tied()
    expect(names(net.namedParameters())).toEqual(['a.weight'])
    expect(names(net.namedParameters({ removeDuplicate: false }))).toEqual(['a.weight', 'b.weight'])
    expect([...net.stateDict().keys()]).toEqual(['a.weight', 'b.weight'])
  })

  test('12. a shared module is listed once, printed and saved twice', () => {
    class Shared extends nn.Module {
      a = new nn.Linear(1, 1, { bias: false })
      b = this.a
    }
    const net = new Shared()
    expect(names(net.namedModules())).toEqual(['', 'a'])
    expect(names(net.namedChildren())).toEqual(['a'])
    expect(String(net).match(/Linear/g)).toHaveLength(2)
    expect([...net.stateDict().keys()]).toEqual(['a.weight', 'b.weight'])
  })

  test('13. apply takes children first; train and eval return the module and take booleans only', () => {
    const order: string[] = []
    const net = new nn.Sequential(new nn.ReLU(), new nn.Sequential(new nn.Tanh()))
    expect(net.apply((module) => order.push(module.constructor.name))).toBe(net)
    expect(order).toEqual(['ReLU', 'Tanh', 'Sequential', 'Sequential'])
    expect(net.eval()).toBe(net)
    expect(net.train()).toBe(net)
    expect(() => net.train(1 as unknown as boolean)).toThrow(
      expect.objectContaining({ name: 'ValueError', message: 'training mode is expected to be boolean' }),
    )
  })

  test('14. double() keeps the parameters the same objects and leaves integer buffers; to(int32) is a TypeError', () => {
    const norm = new nn.BatchNorm1d(2)
    const { weight } = norm
    norm.double()
    expect(norm.weight).toBe(weight)
    expect(weight?.dtype).toBe(torch.float64)
    expect(norm.num_batches_tracked?.dtype).toBe(torch.int64)
    expect(() => norm.to(torch.int32)).toThrow(TypeError)
    expect(() => norm.to(torch.int32)).toThrow(
      'nn.Module.to only accepts floating point or complex dtypes, but got desired dtype=torch.int32',
    )
  })

  test('15. zeroGrad drops gradients; a copy keeps ties and shares nothing', () => {
    const net = new Tied()
    net.a(torch.ones(1, 2)).sum().backward()
    expect(net.a.weight.grad).not.toBeNull()
    net.zeroGrad()
    expect(net.a.weight.grad).toBeNull()
    const copy = net.clone()
    expect(copy.a.weight).toBe(copy.b.weight)
    torch.noGrad(() => copy.a.weight.zero_())
    expect(net.a.weight.ne(0).any().item()).toBe(true)
  })
})

describe('calls', () => {
  test('29. hooks run global first, before and after; they may be prepended and replace arguments and results', () => {
    const order: string[] = []
    const note = (name: string) => () => {
      order.push(name)
    }
    const net = new Twice()
    const handles = [
      net.registerForwardPreHook(note('pre')),
      net.registerForwardPreHook(note('pre, prepended'), { prepend: true }),
      net.registerForwardHook(note('post')),
      registerModuleForwardPreHook(note('global pre')),
      registerModuleForwardHook(note('global post')),
    ]
    net(torch.ones(1))
    for (const handle of handles) handle.remove()
    expect(order).toEqual(['global pre', 'pre, prepended', 'pre', 'global post', 'post'])
    // What is no list of arguments is the one argument.
    net.registerForwardPreHook((_, [x]) => (x as torch.Tensor).add(1))
    net.registerForwardHook((_, __, output) => (output as torch.Tensor).neg())
    expect(net(torch.zeros(1)).item()).toBe(-2)
  })

  test('30. a pre-hook with kwargs returns both arguments and options, or it is a RuntimeError', () => {
    const net = new Twice()
    const handle = net.registerForwardPreHook(
      (_, [x], kwargs) => [[(x as torch.Tensor).add(1)], kwargs] as never,
      {
        withKwargs: true,
      },
    )
    expect(net(torch.zeros(1)).item()).toBe(2)
    handle.remove()
    net.registerForwardPreHook((() => [1]) as never, { withKwargs: true })
    expect(() => net(torch.zeros(1))).toThrow(
      'forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got [1].',
    )
  })

  test('31. forward() itself skips hooks and the initialisation of lazy layers', () => {
    const net = new Twice()
    net.registerForwardHook(() => torch.zeros(1))
    expect(net.forward(torch.ones(1)).item()).toBe(2)
    expect(() => new nn.LazyLinear(3).forward(torch.ones(1, 2))).toThrow(/uninitialized parameter/)
  })

  test('32. alwaysCall hooks run when forward throws; removing a hook twice does nothing', () => {
    class Fails extends nn.Module {
      override forward(): torch.Tensor {
        throw new Error('no')
      }
    }
    const net = new Fails()
    let calls = 0
    const handle = net.registerForwardHook(
      () => {
        calls++
      },
      { alwaysCall: true },
    )
    expect(() => net()).toThrow('no')
    expect(calls).toBe(1)
    handle.remove()
    handle.remove()
    expect(() => net()).toThrow('no')
    expect(calls).toBe(1)
  })

  test('33. the backward pre-hook runs before the backward hook', () => {
    const order: string[] = []
    const net = new Twice()
    net.registerFullBackwardHook((_, gradInput, gradOutput) => {
      order.push(`hook ${gradInput[0]?.item()} ${gradOutput[0]?.item()}`)
    })
    net.registerFullBackwardPreHook((_, gradOutput) => {
      order.push('pre')
      return [gradOutput[0]?.mul(3) ?? null]
    })
    net(torch.ones(1).requiresGrad_()).sum().backward()
    expect(order).toEqual(['pre', 'hook 6 3'])
  })
})

describe('printing', () => {
  test('34. neighbours that print alike collapse in a ModuleList, never in a Sequential', () => {
    const relus = () => [new nn.ReLU(), new nn.ReLU(), new nn.ReLU()]
    expect(String(new nn.ModuleList<torch.nn.Layer>([...relus(), new nn.Tanh(), new nn.ReLU()]))).toBe(
      'ModuleList(\n  (0-2): 3 x ReLU()\n  (3): Tanh()\n  (4): ReLU()\n)',
    )
    expect(String(new nn.Sequential(...relus()))).toBe(
      'Sequential(\n  (0): ReLU()\n  (1): ReLU()\n  (2): ReLU()\n)',
    )
    expect(String(new nn.ModuleList())).toBe('ModuleList()')
  })

  test('35. extraRepr stands inline only without children; an empty child prints as None', () => {
    class Net extends nn.Module {
      opt: torch.nn.Module | null = null
      constructor(child: boolean) {
        super()
        if (child) this.registerModule('opt', null)
      }
      override extraRepr() {
        return 'scale=2'
      }
    }
    expect(String(new Net(false))).toBe('Net(scale=2)')
    expect(String(new Net(true))).toBe('Net(\n  scale=2\n  (opt): None\n)')
  })

  test('36. layers print as in 2.13: tuples, without defaults, norms with bias=', () => {
    expect(String(new nn.Conv2d(1, 2, 3))).toBe('Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1))')
    expect(String(new nn.Conv2d(1, 2, 3, { padding: 1 }))).toBe(
      'Conv2d(1, 2, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))',
    )
    expect(String(new nn.ReLU())).toBe('ReLU()')
    expect(String(new nn.ReLU({ inplace: true }))).toBe('ReLU(inplace=True)')
    expect(String(new nn.BatchNorm1d(3))).toContain('bias=True')
    expect(String(new nn.GroupNorm(1, 2))).toContain('bias=True')
  })

  test('37. a ParameterDict prints in its odd form', () => {
    expect(String(new nn.ParameterDict({ a: torch.ones(2) }))).toBe(
      'ParameterDict(  (a): Parameter containing: [torch.FloatTensor of size 2])',
    )
  })
})

describe('containers', () => {
  test('38. deleting renumbers; a slice of a Sequential keeps names, one of a ModuleList renumbers', () => {
    const net = new nn.Sequential(new nn.ReLU(), new nn.Tanh(), new nn.Sigmoid())
    expect(names(net.slice(1).namedChildren())).toEqual(['1', '2'])
    net.delete(0)
    expect(names(net.namedChildren())).toEqual(['0', '1'])
    expect(types(net)).toEqual(['Tanh', 'Sigmoid'])
    const list = new nn.ModuleList<torch.nn.Layer>([new nn.ReLU(), new nn.Tanh(), new nn.Sigmoid()])
    expect(names(list.slice(1).namedChildren())).toEqual(['0', '1'])
    expect(() => net.at(5)).toThrow('index 5 is out of range')
  })

  test('39. a Sequential times two shares its modules, plus a module is a ValueError, and it takes null', () => {
    const net = new nn.Sequential(new nn.ReLU(), new nn.Tanh())
    expect(net.mul(2).at(2)).toBe(net.at(0))
    expect(() => net.add(new nn.ReLU() as unknown as torch.nn.Sequential)).toThrow(
      expect.objectContaining({ name: 'ValueError' }),
    )
    net.append(null as unknown as torch.nn.Layer)
    expect(String(net)).toContain('(2): None')
  })
})

describe('lazy layers', () => {
  test('40. they print without widths, refuse shapes and operations, and suit optimizers before they have a shape', () => {
    const lazy = new nn.LazyLinear(3)
    const { weight } = lazy
    expect(String(lazy)).toBe('LazyLinear(in_features=0, out_features=3, bias=True)')
    expect(String(weight)).toBe('<UninitializedParameter>')
    expect(() => weight.shape).toThrow("Can't access the shape of an uninitialized parameter or buffer.")
    expect(() => weight.add(1)).toThrow(expect.objectContaining({ name: 'ValueError' }))
    const optimizer = new torch.optim.SGD(lazy.parameters(), { lr: 1 })
    lazy(torch.ones(1, 2)).sum().backward()
    expect(lazy.weight).toBe(weight)
    const before = weight.detach().clone()
    optimizer.step()
    expect(before.sub(weight).sub(1).abs().max().item()).toBeLessThan(1e-6)
  })

  test('41. the first call initialises them in the order of draws of the usual layer, which they become', () => {
    torch.manualSeed(3)
    const usual = new nn.Linear(5, 3)
    torch.manualSeed(3)
    const lazy = new nn.LazyLinear(3)
    lazy(torch.ones(1, 5))
    expect(lazy.constructor).toBe(nn.Linear)
    expect(lazy.weight.equal(usual.weight)).toBe(true)
    // Nothing of the initialisation is left to run again.
    const { weight } = lazy
    lazy(torch.ones(1, 5))
    expect(lazy.weight).toBe(weight)
  })

  test('42. loading gives them shapes but not their class; uninitialised parameters cannot be loaded into others', () => {
    const state = new nn.Linear(1, 3).stateDict()
    const lazy = new nn.LazyLinear(3)
    lazy.loadStateDict(state)
    expect(String(lazy)).toBe('LazyLinear(in_features=0, out_features=3, bias=True)')
    expect(lazy.weight.sizes).toEqual([3, 1])
    expect(() => new nn.Linear(1, 3).loadStateDict(new nn.LazyLinear(3).stateDict())).toThrow(
      "Can't access the shape of an uninitialized parameter or buffer.",
    )
  })
})

vi.spyOn(console, 'warn').mockImplementation(() => {})
