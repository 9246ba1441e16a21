// Parametrizations of torch.nn.utils, and the older normalisations by hooks. Figures from PyTorch 2.13.

import { describe, expect, it } from 'vitest'
import * as torch from '../../src/index.ts'

const { nn } = torch
const { utils } = nn
const { parametrize, parametrizations: P } = utils

const close = (x: torch.Tensor | null | undefined, y: readonly number[]) =>
  x?.flatten().allclose(torch.tensor(y), { rtol: 1e-4, atol: 2e-5 })

// After torch.manual_seed(0): the layer, then its input, a call and its backward from the sum of squares, a second call.
const cases: {
  name: string
  make: () => torch.nn.Linear
  input: number[]
  keys: string[]
  output: number[]
  gradient: number[]
}[] = [
  {
    name: 'weightNorm',
    make: () => P.weightNorm(new nn.Linear(3, 4)),
    input: [2, 3],
    keys: ['bias', 'parametrizations.weight.original0', 'parametrizations.weight.original1'],
    output: [-0.38987, -0.07944, -0.38384, 0.04959, -1.34067, -0.09882, -0.68863, 0.07377],
    gradient: [-3.46109, -0.35652, -2.14495, 0.24672],
  },
  {
    name: 'weightNorm of the whole weight',
    make: () => P.weightNorm(new nn.Linear(3, 4), { dim: null }),
    input: [2, 3],
    keys: ['bias', 'parametrizations.weight.original0', 'parametrizations.weight.original1'],
    output: [-0.38987, -0.07944, -0.38384, 0.04959, -1.34067, -0.09882, -0.68863, 0.07377],
    gradient: [-3.46109, -0.35652, -2.14495, 0.24672],
  },
  {
    name: 'spectralNorm',
    make: () => P.spectralNorm(new nn.Linear(3, 4)),
    input: [2, 3],
    keys: [
      'bias',
      'parametrizations.weight.original',
      'parametrizations.weight.0._u',
      'parametrizations.weight.0._v',
    ],
    output: [-1.02893, -0.20457, -0.61608, 0.12303, -1.41586, 0.66083, -1.18346, 0.13626],
    gradient: [-4.88958, 0.91251, -3.59907, 0.5186],
  },
  {
    name: 'orthogonal by the matrix exponential',
    make: () => P.orthogonal(new nn.Linear(3, 3)),
    input: [2, 3],
    keys: ['bias', 'parametrizations.weight.original', 'parametrizations.weight.0.base'],
    output: [1.21315, -0.59639, 0.16918, -0.32715, 0.2442, -0.49582],
    gradient: [0.0, 0.0, 0.0, -0.08493, 0.0, 0.0, 0.189, -0.09548, 0.0],
  },
  {
    name: 'orthogonal by reflections',
    make: () => P.orthogonal(new nn.Linear(3, 5)),
    input: [2, 3],
    keys: ['bias', 'parametrizations.weight.original', 'parametrizations.weight.0.base'],
    output: [0.08036, 0.37371, 1.59901, -1.28585, -1.1164, -0.78847, 0.24426, 0.70694, -0.80594, -1.38121],
    gradient: [-1.41622, 1.23595, 4.61191, -4.18359, -4.99522],
  },
  {
    name: 'orthogonal rows',
    make: () => P.orthogonal(new nn.Linear(5, 3)),
    input: [2, 5],
    keys: ['bias', 'parametrizations.weight.original', 'parametrizations.weight.0.base'],
    output: [0.33201, 0.04221, 1.05995, 0.64664, -0.36405, 1.75725],
    gradient: [1.95729, -0.64368, 5.6344],
  },
  {
    name: 'orthogonal by the Cayley map',
    make: () => P.orthogonal(new nn.Linear(3, 5), { orthogonalMap: 'cayley' }),
    input: [2, 3],
    keys: ['bias', 'parametrizations.weight.original', 'parametrizations.weight.0.base'],
    output: [0.08036, 0.37371, 1.59901, -1.28585, -1.1164, -0.78847, 0.24426, 0.70694, -0.80594, -1.38121],
    gradient: [-1.41622, 1.23595, 4.61191, -4.18359, -4.99522],
  },
  {
    name: 'orthogonal without trivialization',
    make: () => P.orthogonal(new nn.Linear(3, 5), { useTrivialization: false }),
    input: [2, 3],
    keys: ['bias', 'parametrizations.weight.original'],
    output: [0.72756, 0.26253, 0.33627, -0.25448, 0.52595, -0.6109, -0.39035, -0.44892, 0.23772, -1.00174],
    gradient: [0.23332, -0.25563, -0.22531, -0.03352, -0.9516],
  },
  {
    name: 'the older weightNorm',
    make: () => utils.weightNorm(new nn.Linear(3, 4)),
    input: [2, 3],
    keys: ['bias', 'weight_g', 'weight_v'],
    output: [-0.38987, -0.07944, -0.38384, 0.04959, -1.34067, -0.09882, -0.68863, 0.07377],
    gradient: [-3.46109, -0.35652, -2.14495, 0.24672],
  },
  {
    name: 'the older spectralNorm',
    make: () => utils.spectralNorm(new nn.Linear(3, 4)),
    input: [2, 3],
    keys: ['bias', 'weight_orig', 'weight_u', 'weight_v'],
    output: [-1.03911, -0.20078, -0.62414, 0.1252, -1.4343, 0.68308, -1.20362, 0.13871],
    gradient: [-5.30552, 1.29105, -4.0094, 0.58572],
  },
  {
    name: 'the older spectralNorm, removed',
    make: () => utils.removeSpectralNorm(utils.spectralNorm(new nn.Linear(3, 4))),
    input: [2, 3],
    keys: ['bias', 'weight'],
    output: [0.1099, -0.62874, 0.28591, -0.11946, 0.64608, -1.82792, 1.07212, -0.1378],
    gradient: [1.51196, -4.91333, 2.71607, -0.51452],
  },
  {
    name: 'a parametrization, removed',
    make: () => parametrize.removeParametrizations(P.spectralNorm(new nn.Linear(3, 4)), 'weight'),
    input: [2, 3],
    keys: ['bias', 'weight'],
    output: [-1.02893, -0.20457, -0.61608, 0.12303, -1.41586, 0.66083, -1.18346, 0.13626],
    gradient: [-4.88958, 0.91251, -3.59907, 0.5186],
  },
]

describe("PyTorch's numbers come out of", () => {
  for (const { name, make, input, keys, output, gradient } of cases)
    it(name, () => {
      torch.manualSeed(0)
      const layer = make()
      const x = torch.randn(input)
      layer(x).square().sum().backward()
      expect([...layer.stateDict().keys()]).toEqual(keys)
      expect(close(layer(x), output)).toBe(true)
      expect(
        [...layer.parameters()].some((p) => p.numel() === gradient.length && close(p.grad, gradient)),
      ).toBe(true)
    })
})

class Symmetric extends nn.Module {
  override forward(x: torch.Tensor) {
    return x.triu().add(x.triu(1).transpose(-1, -2))
  }
}

class Doubled extends nn.Module {
  calls = 0
  override forward(x: torch.Tensor) {
    this.calls++
    return x.mul(2)
  }
  rightInverse(x: torch.Tensor) {
    return x.div(2)
  }
}

describe('a parametrized tensor', () => {
  it('is computed from its original whenever it is read', () => {
    const layer = parametrize.registerParametrization(new nn.Linear(3, 3), 'weight', new Symmetric())
    expect(layer.weight.equal(layer.weight.t())).toBe(true)
    expect(Array.from(layer.namedParameters(), ([name]) => name)).toEqual([
      'bias',
      'parametrizations.weight.original',
    ])
    expect(layer).toBeInstanceOf(nn.Linear)
    expect(String(layer)).toBe(
      'ParametrizedLinear(\n  in_features=3, out_features=3, bias=True\n  (parametrizations): ModuleDict(\n    (weight): ParametrizationList(\n      (0): Symmetric()\n    )\n  )\n)',
    )
    expect(parametrize.isParametrized(layer)).toBe(true)
    expect(parametrize.isParametrized(layer, 'bias')).toBe(false)
    expect(parametrize.typeBeforeParametrizations(layer)).toBe(nn.Linear)
  })

  it('takes values through the inverses, the last parametrization first', () => {
    const layer = new nn.Linear(2, 2)
    const before = layer.weight.detach().clone()
    parametrize.registerParametrization(layer, 'weight', new Doubled())
    parametrize.registerParametrization(layer, 'weight', new Doubled())
    expect(layer.weight.allclose(before.mul(2))).toBe(true)
    layer.weight = torch.ones(2, 2) as torch.nn.Parameter
    const original = layer.getParameter('parametrizations.weight.original')
    expect(original.tolist()).toEqual([
      [0.25, 0.25],
      [0.25, 0.25],
    ])
    const closed = parametrize.registerParametrization(new nn.Linear(2, 2), 'weight', new Symmetric())
    expect(() => {
      closed.weight = torch.ones(2, 2) as torch.nn.Parameter
    }).toThrow('parametrization Symmetric does not implement right_inverse.')
  })

  it('is computed once inside cached', () => {
    const doubled = new Doubled()
    const layer = parametrize.registerParametrization(new nn.Linear(2, 2), 'weight', doubled)
    const before = doubled.calls
    parametrize.cached(() => {
      layer(torch.ones(2))
      layer(torch.ones(2))
    })
    expect(doubled.calls - before).toBe(1)
    layer(torch.ones(2))
    layer(torch.ones(2))
    expect(doubled.calls - before).toBe(3)
  })

  it('becomes ordinary again, with its value or the original one', () => {
    for (const leaveParametrized of [true, false]) {
      const layer = new nn.Linear(3, 3)
      const { weight } = layer
      const original = weight.detach().clone()
      parametrize.registerParametrization(layer, 'weight', new Symmetric())
      const value = layer.weight.detach().clone()
      parametrize.removeParametrizations(layer, 'weight', { leaveParametrized })
      expect(layer.weight === weight).toBe(true)
      expect(layer.weight.equal(leaveParametrized ? value : original)).toBe(true)
      expect(String(layer)).toBe('Linear(in_features=3, out_features=3, bias=True)')
      expect(Array.from(layer.namedParameters(), ([name]) => name)).toEqual(['bias', 'weight'])
    }
  })

  it('stays as it was where a parametrization is refused', () => {
    class Halves extends nn.Module {
      override forward(x: torch.Tensor) {
        return x.narrow(0, 0, 1)
      }
      rightInverse(x: torch.Tensor) {
        return x.narrow(0, 0, 1)
      }
    }
    const layer = new nn.Linear(2, 2)
    const before = layer.weight.tolist()
    expect(() => parametrize.registerParametrization(layer, 'weight', new Halves())).toThrow(
      'may not change the shape of the tensor',
    )
    expect(layer.weight.tolist()).toEqual(before)
    expect(String(layer)).toBe('Linear(in_features=2, out_features=2, bias=True)')
    expect(() => parametrize.registerParametrization(layer, 'nope', new Symmetric())).toThrow(
      "does not have a parameter, a buffer, or a parametrized element with name 'nope'",
    )
    expect(() => parametrize.removeParametrizations(layer, 'weight')).toThrow(
      'does not have a parametrization on weight',
    )
  })

  it('of a copy is its own', () => {
    const layer = P.weightNorm(new nn.Linear(2, 2))
    const copy = torch.deepcopy(layer)
    parametrize.removeParametrizations(copy, 'weight')
    expect(parametrize.isParametrized(layer, 'weight')).toBe(true)
    torch.noGrad(() => copy.weight.zero_())
    expect(layer.weight.equal(torch.zeros(2, 2))).toBe(false)
  })

  it('works in recurrent layers and trains', () => {
    const layer = P.weightNorm(new nn.LSTM(2, 3), 'weight_hh_l0')
    const optimizer = new torch.optim.SGD(layer.parameters(), { lr: 0.1 })
    const x = torch.ones(4, 1, 2)
    const loss = () => layer(x)[0].sub(1).square().sum()
    const first = loss().item() as number
    for (let i = 0; i < 10; i++) {
      optimizer.zeroGrad()
      const value = loss()
      value.backward()
      optimizer.step()
    }
    expect(loss().item()).toBeLessThan(first)
  })
})

it('weightNorm loads state dicts of the older one', () => {
  const old = utils.weightNorm(new nn.Linear(3, 2))
  const layer = P.weightNorm(new nn.Linear(3, 2))
  layer.loadStateDict(old.stateDict())
  expect(layer.weight.equal(old.weight)).toBe(true)
  expect(() => utils.weightNorm(old)).toThrow(
    'Cannot register two weight_norm hooks on the same parameter weight',
  )
  expect(() => utils.removeWeightNorm(new nn.Linear(1, 1))).toThrow("weight_norm of 'weight' not found")
})

describe('fusion', () => {
  it('gives one layer for a layer and the batch normalisation after it', () => {
    const conv = new nn.Conv2d(2, 3, 2)
    const transposed = new nn.ConvTranspose2d(2, 3, 2, { bias: false })
    const linear = new nn.Linear(4, 3)
    const [bn, bn1] = [new nn.BatchNorm2d(3), new nn.BatchNorm1d(3)]
    const x = torch.randn(4, 2, 5, 5)
    bn(conv(x))
    bn1(linear(torch.randn(6, 4)))
    for (const layer of [conv, transposed, linear, bn, bn1]) layer.eval()
    expect(
      utils
        .fuseConvBnEval(
          conv,
          bn,
        )(x)
        .allclose(bn(conv(x)), { atol: 1e-5 }),
    ).toBe(true)
    expect(
      utils
        .fuseConvBnEval(transposed, bn, { transpose: true })(x)
        .allclose(bn(transposed(x)), { atol: 1e-5 }),
    ).toBe(true)
    const rows = torch.randn(2, 4)
    expect(
      utils
        .fuseLinearBnEval(
          linear,
          bn1,
        )(rows)
        .allclose(bn1(linear(rows)), { atol: 1e-5 }),
    ).toBe(true)
    expect(() => utils.fuseConvBnEval(new nn.Conv2d(2, 3, 2), bn)).toThrow('Fusion only for eval!')
  })
})
