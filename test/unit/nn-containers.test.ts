// Containers: indexing, changing, slicing, and how they print.

import { describe, expect, it } from 'vitest'
import * as torch from '../../src/index.ts'

const { nn } = torch
const types = (modules: Iterable<unknown>) => Array.from(modules, (m) => (m as object).constructor.name)
const keys = (module: torch.nn.Module) => Array.from(module.namedChildren(), ([name]) => name)

describe('Sequential', () => {
  it('runs its layers in order and is indexed from both ends', () => {
    const net = new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU(), new nn.Linear(3, 1))
    expect(net(torch.ones(4, 2)).sizes).toEqual([4, 1])
    expect(net.length).toBe(3)
    expect(types(net)).toEqual(['Linear', 'ReLU', 'Linear'])
    expect(net[1]).toBe(net.at(1))
    expect(net.at(-1)).toBe(net[2])
    expect(() => net.at(5)).toThrow('index 5 is out of range')
  })

  it('takes another layer by index, under the same name', () => {
    const net = new nn.Sequential(new nn.Linear(2, 3), new nn.ReLU())
    net[0] = new nn.Linear(2, 5)
    expect(net(torch.ones(1, 2)).sizes).toEqual([1, 5])
    net.set(-1, new nn.Tanh())
    expect(String(net)).toBe(
      'Sequential(\n  (0): Linear(in_features=2, out_features=5, bias=True)\n  (1): Tanh()\n)',
    )
    expect(() => net.set(2, new nn.Tanh())).toThrow('index 2 is out of range')
  })

  it('keeps names in a slice, renumbers after a deletion', () => {
    const named = new nn.Sequential([
      ['a', new nn.ReLU()],
      ['b', new nn.Tanh()],
      ['c', new nn.Sigmoid()],
    ])
    expect(keys(named.slice(1))).toEqual(['b', 'c'])
    expect(keys(named.slice(undefined, undefined, 2))).toEqual(['a', 'c'])
    const net = new nn.Sequential(new nn.ReLU(), new nn.Tanh(), new nn.Sigmoid())
    expect(keys(net.slice(1))).toEqual(['1', '2'])
    expect(net.slice(1)[1]).toBe(net[1])
    net.delete(0)
    expect(keys(net)).toEqual(['0', '1'])
    expect(types(net)).toEqual(['Tanh', 'Sigmoid'])
    expect(types([net.pop(-1)])).toEqual(['Sigmoid'])
    expect(keys(net)).toEqual(['0'])
  })

  it('is appended to, extended and inserted into', () => {
    const net = new nn.Sequential(new nn.ReLU())
    expect(net.append(new nn.Tanh())).toBe(net)
    net.extend([new nn.Sigmoid(), new nn.GELU()])
    net.insert(1, new nn.SiLU())
    net.insert(-1, new nn.Mish())
    expect(types(net)).toEqual(['ReLU', 'SiLU', 'Tanh', 'Sigmoid', 'Mish', 'GELU'])
    expect(keys(net)).toEqual(['0', '1', '2', '3', '4', '5'])
    expect(() => net.insert(9, new nn.ReLU())).toThrow('Index out of range: 9')
  })

  it('is added and multiplied, with the same modules', () => {
    const net = new nn.Sequential(new nn.ReLU(), new nn.Tanh())
    const twice = net.mul(2)
    expect(types(twice)).toEqual(['ReLU', 'Tanh', 'ReLU', 'Tanh'])
    expect(twice.at(2)).toBe(net.at(0))
    expect(types(net.add(twice))).toHaveLength(6)
    expect(() => net.mul(0)).toThrow('Non-positive multiplication factor 0')
    expect(() => net.add(new nn.ReLU() as unknown as torch.nn.Sequential)).toThrow(
      'add operator supports only objects of Sequential class',
    )
  })

  it('prints an empty slot as None and never collapses', () => {
    const net = new nn.Sequential(new nn.ReLU(), new nn.ReLU(), null)
    expect(String(net)).toBe('Sequential(\n  (0): ReLU()\n  (1): ReLU()\n  (2): None\n)')
    expect(() => new nn.Sequential(3 as unknown as torch.nn.Layer)).toThrow('int is not a Module subclass')
  })
})

describe('ModuleList', () => {
  it('collapses neighbours that print alike', () => {
    const relu = new nn.ReLU()
    const list = new nn.ModuleList<torch.nn.Layer>([relu, relu, relu, new nn.Tanh(), relu])
    expect(String(list)).toBe('ModuleList(\n  (0-2): 3 x ReLU()\n  (3): Tanh()\n  (4): ReLU()\n)')
    expect(String(new nn.ModuleList())).toBe('ModuleList()')
  })

  it('is indexed, changed and sliced, renumbering', () => {
    const list = new nn.ModuleList<torch.nn.Layer>([new nn.ReLU(), new nn.Tanh()])
    list.append(new nn.Sigmoid()).extend([new nn.GELU()])
    list.insert(0, new nn.Mish())
    expect(types(list)).toEqual(['Mish', 'ReLU', 'Tanh', 'Sigmoid', 'GELU'])
    expect(keys(list.slice(1, 3))).toEqual(['0', '1'])
    expect(types(list.slice(-2))).toEqual(['Sigmoid', 'GELU'])
    expect(types(list.slice(undefined, undefined, -1))).toEqual(['GELU', 'Sigmoid', 'Tanh', 'ReLU', 'Mish'])
    list.delete(-1)
    list.set(0, new nn.SELU())
    expect(types(list)).toEqual(['SELU', 'ReLU', 'Tanh', 'Sigmoid'])
    expect(types([list.pop()])).toEqual(['Sigmoid'])
    expect(types(list.add([new nn.ReLU6()]))).toEqual(['SELU', 'ReLU', 'Tanh', 'ReLU6'])
    expect(list.length).toBe(3)
    expect(() => list.at(5)).toThrow('index 5 is out of range')
    expect(() => list.extend(3 as unknown as Iterable<torch.nn.Layer>)).toThrow(
      'ModuleList.extend should be called with an iterable, but got int',
    )
  })
})

describe('ModuleDict', () => {
  it('keeps modules by name', () => {
    const dict = new nn.ModuleDict<torch.nn.Layer>({ b: new nn.ReLU(), a: new nn.Linear(1, 2) })
    expect(dict.keys()).toEqual(['b', 'a'])
    expect([...dict]).toEqual(['b', 'a'])
    dict.set('c', new nn.Tanh()).update([['d', new nn.Sigmoid()]])
    expect(types(dict.values())).toEqual(['ReLU', 'Linear', 'Tanh', 'Sigmoid'])
    expect(dict.has('c')).toBe(true)
    expect(types([dict.pop('c')])).toEqual(['Tanh'])
    expect(dict.size).toBe(3)
    expect(() => dict.get('c')).toThrow("'c'")
    expect([...dict.stateDict().keys()]).toEqual(['a.weight', 'a.bias'])
    dict.clear()
    expect(String(dict)).toBe('ModuleDict()')
    expect(() => dict.update([['x']] as never)).toThrow('sequence element #0 has length 1; 2 is required')
  })
})

describe('ParameterList and ParameterDict', () => {
  it('make parameters of tensors and print them', () => {
    const list = new nn.ParameterList<unknown>([torch.ones(2), new nn.Parameter(torch.zeros(1, 3)), 3])
    expect(String(list)).toBe(
      'ParameterList(\n    (0): Parameter containing: [torch.float32 of size 2]\n    (1): Parameter containing: [torch.float32 of size 1x3]\n    (2): Object of type: int\n)',
    )
    expect([...list.stateDict().keys()]).toEqual(['0', '1'])
    expect(list.length).toBe(3)
    expect(list.slice(1).length).toBe(2)
    expect(() => list.at(3)).toThrow('index 3 is out of range')
    expect(() => (list as unknown as () => void)()).toThrow('ParameterList should not be called.')
  })

  it('sort the entries of a dict, as PyTorch does', () => {
    const dict = new nn.ParameterDict<unknown>({
      b: torch.ones(2),
      a: new nn.Parameter(torch.zeros(1)),
      c: 3,
    })
    expect(dict.keys()).toEqual(['a', 'b', 'c'])
    expect(String(new nn.ParameterDict({ a: torch.ones(2) }))).toBe(
      'ParameterDict(  (a): Parameter containing: [torch.FloatTensor of size 2])',
    )
    expect(dict.setdefault('d', torch.ones(1))).toBeInstanceOf(nn.Parameter)
    expect([...dict.stateDict().keys()]).toEqual(['a', 'b', 'd'])
    expect(dict.pop('c')).toBe(3)
    dict.delete('a')
    expect([...dict.copy()]).toEqual(['b', 'd'])
    expect(() => dict.get('a')).toThrow("'ParameterDict' object has no attribute 'a'")
    expect(() => (dict as unknown as () => void)()).toThrow('ParameterDict should not be called.')
  })
})

describe('printing', () => {
  it('puts extraRepr on the line only without children, and shows empty slots', () => {
    class Net extends nn.Module {
      opt: torch.nn.Module | null = new nn.ReLU()
      override extraRepr() {
        return 'a=1'
      }
    }
    const net = new Net()
    expect(String(net)).toBe('Net(\n  a=1\n  (opt): ReLU()\n)')
    net.opt = null
    expect(`${net}`).toBe('Net(\n  a=1\n  (opt): None\n)')
    expect(String(new nn.Linear(1, 2, { bias: false }))).toBe(
      'Linear(in_features=1, out_features=2, bias=False)',
    )
  })
})
