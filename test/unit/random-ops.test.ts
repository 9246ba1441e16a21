// Random tensors, dropout and initialisers: PyTorch's numbers for the same seed, order of memory, gradients, errors.
// What the samplers draw is tested in random.test.ts.

import { beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { registerBackend } from '../../src/backends/backend.ts'
import { cpuBackend } from '../../src/backends/cpu/cpu.ts'
import {
  bfloat16,
  bool,
  float16,
  float32,
  float64,
  int8,
  int64,
  setDefaultDtype,
} from '../../src/core/dtype.ts'
import { NotImplementedError, RuntimeError, TypeError_, ValueError } from '../../src/core/errors.ts'
import * as init from '../../src/nn/init.ts'
import { orthonormalize } from '../../src/nn/orthonormal.ts'
import * as F from '../../src/ops/dropout.ts'
import * as torch from '../../src/ops/index.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import '../../src/tensor/methods.ts'

beforeAll(() => registerBackend(cpuBackend))
beforeEach(() => {
  torch.manualSeed(0)
})

/** The first numbers of `rand` after `manualSeed(0)`. */
const uniforms = [0.4962566, 0.7682218, 0.08847743, 0.13203049, 0.30742282, 0.6340787].map(Math.fround)

/** Elements by index, as numbers. */
function values(x: Tensor): number[] {
  return Array.from(x.data() as Float32Array, Number)
}

function f32(...numbers: number[]): number[] {
  return numbers.map(Math.fround)
}

function full(sizes: number[], value: number, dtype = float32): Tensor {
  return torch.zeros(sizes, { dtype }).fill_(value)
}

function floats(numbers: number[], sizes: number[] = [numbers.length]): Tensor {
  return torch.tensor(Float32Array.from(numbers)).view(sizes)
}

describe('creation', () => {
  test('rand and randn take sizes as numbers or as an array, and options', () => {
    expect(values(torch.rand(2, 3))).toEqual(uniforms)
    torch.manualSeed(0)
    const x = torch.rand([2, 3], { dtype: float64, requiresGrad: true })
    expect([x.dtype, x.requiresGrad, x.sizes]).toEqual([float64, true, [2, 3]])
    expect(torch.randn(3, { dtype: float16 }).dtype).toBe(float16)
    expect(torch.rand().sizes).toEqual([])
    expect(torch.randn(0, 3).sizes).toEqual([0, 3])
  })

  test('the default dtype decides where none is named', () => {
    setDefaultDtype(float64)
    try {
      expect(torch.rand(1).dtype).toBe(float64)
      expect(torch.normal(0, 1, [2]).dtype).toBe(float64)
    } finally {
      setDefaultDtype(float32)
    }
  })

  test('randint and randintLike have forms with one bound and with two', () => {
    expect(torch.randint(10, [2, 3]).tolist()).toEqual([
      [4, 9, 3],
      [0, 3, 9],
    ])
    expect(torch.randint(-5, 5, [3], { dtype: int8 }).tolist()).toEqual([2, -2, 2])
    expect(torch.randperm(5).tolist()).toEqual([3, 2, 4, 0, 1])
    const like = torch.randintLike(torch.zeros(2, 2), 3, 9)
    expect([like.dtype, like.tolist()]).toEqual([
      float32,
      [
        [6, 7],
        [5, 3],
      ],
    ])
    expect(values(torch.randint(2n ** 62n, 2n ** 62n + 1n, [2]))).toEqual([2 ** 62, 2 ** 62])
  })

  test('wrong arguments are refused', () => {
    expect(() => torch.randint(5, 3, [2])).toThrow(
      "random_ expects 'from' to be less than 'to', but got from=5 >= to=3",
    )
    expect(() => torch.randint(5, 3 as unknown as number[])).toThrow(TypeError_)
    expect(() => torch.randint(0.5, [3])).toThrow("argument 'high' must be int")
    expect(() => torch.randn(2, { dtype: int64 })).toThrow('"normal_kernel_cpu" not implemented for \'Long\'')
    expect(() => torch.rand(2, { dtype: int64 })).toThrow(NotImplementedError)
    expect(() => torch.randint(3, [2], { dtype: bool })).toThrow('to - 1 is out of bounds for bool')
    expect(() => torch.randperm(-1)).toThrow('Trying to create tensor with negative dimension -1: [-1]')
    expect(() => torch.rand(2, { generator: 5 as unknown as torch.Generator })).toThrow(
      "rand(): argument 'generator' must be torch.Generator, not number 5",
    )
    expect(() => torch.rand(2, { generatr: 5 } as object)).toThrow("did you mean 'generator'")
    expect(() => torch.randLike(full([3], 1, int64))).toThrow(NotImplementedError)
  })

  test('a generator of its own leaves the default one alone', () => {
    const generator = new torch.Generator().manualSeed(0)
    const first = values(torch.rand(6, { generator }))
    expect(first).toEqual(uniforms)
    expect(values(torch.rand(6))).toEqual(first)
    expect(values(torch.randLike(torch.zeros(3), { generator }))).not.toEqual(first.slice(0, 3))
  })

  test('nothing is drawn for meta tensors', () => {
    expect(torch.rand(2, { device: 'meta' }).device.type).toBe('meta')
    torch.zeros([3], { device: 'meta' }).normal_()
    expect(torch.multinomial(torch.rand(2, 3, { device: 'meta' }), 2).sizes).toEqual([2, 2])
    expect(values(torch.rand(6))).toEqual(uniforms)
  })

  test('the likes keep the layout and are drawn in the order of memory', () => {
    const x = torch.zeros(2, 3).t()
    const y = torch.randLike(x)
    expect(y.strides).toEqual([1, 3])
    expect(values(y.t().contiguous())).toEqual(uniforms)
    torch.manualSeed(0)
    const z = torch.randnLike(torch.zeros(4, 4).t(), { dtype: float64 })
    torch.manualSeed(0)
    // Sixteen elements, but not contiguous: drawn one by one, as for fewer than 16.
    const expected = [torch.randn(8, { dtype: float64 }), torch.randn(8, { dtype: float64 })]
    expect(values(z.t().contiguous())).toEqual(expected.flatMap(values))
  })
})

describe('state', () => {
  test('getRngState and setRngState repeat a sequence, the cached normal sample included', () => {
    torch.randn(3)
    const state = torch.getRngState()
    expect([state.dtype.name, state.sizes]).toEqual(['uint8', [5056]])
    const first = values(torch.randn(5))
    torch.setRngState(state)
    expect(values(torch.randn(5))).toEqual(first)
    const other = new torch.Generator()
    other.setState(state)
    expect(values(torch.randn(5, { generator: other }))).toEqual(first)
  })

  test('what is no state is refused', () => {
    expect(() => torch.setRngState(torch.zeros(5056))).toThrow('RNG state must be a torch.ByteTensor')
    expect(() => torch.setRngState([1] as unknown as Tensor)).toThrow(TypeError_)
    expect(() => torch.setRngState(torch.getRngState().narrow(0, 0, 3))).toThrow(
      'Expected a CPUGeneratorImplState of size 5056 but found the input RNG state size to be 3',
    )
  })

  test('forkRng puts the state back, also after an error and when a promise settles', async () => {
    expect(torch.forkRng(() => values(torch.rand(2)))).toEqual(uniforms.slice(0, 2))
    expect(() =>
      torch.forkRng(() => {
        torch.rand(2)
        throw new ValueError('stop')
      }),
    ).toThrow('stop')
    await torch.forkRng(async () => {
      torch.rand(2)
      await Promise.resolve()
      torch.rand(2)
    })
    expect(values(torch.rand(6))).toEqual(uniforms)
  })

  test('initialSeed is the seed last given', () => {
    expect(torch.initialSeed()).toBe(0)
    expect(torch.manualSeed(7)).toBe(torch.defaultGenerator)
    expect(torch.initialSeed()).toBe(7)
  })
})

describe('in place', () => {
  test('a transposed tensor is filled row by row of its memory', () => {
    const x = torch.zeros(2, 3)
    expect(x.t().uniform_().tolist()).toEqual([
      [uniforms[0], uniforms[3]],
      [uniforms[1], uniforms[4]],
      [uniforms[2], uniforms[5]],
    ])
    expect(values(x)).toEqual(uniforms)
  })

  test('a view with gaps leaves the rest alone', () => {
    const x = torch.zeros(3, 4)
    x.at(':', '::2').uniform_()
    expect(values(x.at(':', '::2').contiguous())).toEqual(uniforms)
    expect(values(x.at(':', '1::2').contiguous())).toEqual([0, 0, 0, 0, 0, 0])
    torch.manualSeed(0)
    const y = torch.zeros(2, 3, 2)
    expect(values(y.select(2, 1).t().uniform_(1, 2).contiguous())).toEqual(
      f32(1.4962566, 1.1320305, 1.7682219, 1.3074229, 1.0884774, 1.6340787),
    )
    expect(values(y.select(2, 0).contiguous())).toEqual([0, 0, 0, 0, 0, 0])
  })

  test('samples are stored in every dtype', () => {
    const half = torch.zeros([2, 3], { dtype: float16 }).t().uniform_()
    expect(values(half.contiguous())).toEqual([
      0.496337890625, 0.132080078125, 0.76806640625, 0.307373046875, 0.0885009765625, 0.63427734375,
    ])
    for (const dtype of [float16, bfloat16, float32, float64, int8, int64, bool]) {
      const ones = torch.zeros([40], { dtype }).bernoulli_(0.5)
      const sum = values(ones).reduce((a, b) => a + b, 0)
      expect(values(ones).every((v) => v === 0 || v === 1)).toBe(true)
      expect(sum).toBeGreaterThan(5)
      expect(sum).toBeLessThan(35)
    }
  })

  test('bernoulli_ takes probabilities that broadcast, in the order of its own memory', () => {
    const x = torch.zeros(2, 3).t()
    expect(x.bernoulli_(floats([0.2, 0.8])).tolist()).toEqual([
      [0, 1],
      [0, 1],
      [1, 1],
    ])
    expect(() => torch.zeros(2).bernoulli_(floats([1, 1, 1]))).toThrow(
      'The expanded size of the tensor (2) must match the existing size (3) at non-singleton dimension 0.',
    )
    expect(() => torch.zeros(2).bernoulli_(2)).toThrow('bernoulli_ expects p to be in [0, 1], but got p=2')
  })

  test('random_ has forms without, with one and with two bounds', () => {
    const bounds = (x: Tensor): boolean[] => [values(x).every((v) => v >= 3), values(x).every((v) => v < 5)]
    expect(bounds(torch.zeros(50).random_(3, 5))).toEqual([true, true])
    expect(bounds(torch.zeros(50).random_(5))).toEqual([false, true])
    const all = values(torch.zeros([50], { dtype: int8 }).random_())
    expect([Math.min(...all) >= 0, Math.max(...all) > 100]).toEqual([true, true])
    expect(bounds(torch.zeros([50], { dtype: int8 }).random_(3, null))).toEqual([true, false])
    expect(bounds(torch.zeros([50], { dtype: int8 }).random_({ from: 3 }))).toEqual([true, false])
    expect(bounds(torch.zeros(50).random_({ to: 5 }))).toEqual([false, true])
    expect(() => torch.zeros(5).random_({ too: 5 } as object)).toThrow("did you mean 'to'")
  })

  test('parameters go by position or in the options', () => {
    const generator = () => new torch.Generator().manualSeed(3)
    const expected = values(torch.zeros(5).normal_(10, 0.5, { generator: generator() }))
    expect(values(torch.zeros(5).normal_({ mean: 10, std: 0.5, generator: generator() }))).toEqual(expected)
    expect(values(torch.zeros(5).normal_(10, { std: 0.5, generator: generator() }))).toEqual(expected)
    expect(expected.every((v) => v > 5 && v < 15)).toBe(true)
    expect(values(torch.rand(6))).toEqual(uniforms)
  })

  test('a fill counts as a change, lets no gradient through and is refused where PyTorch refuses it', () => {
    const leaf = torch.ones([3], { requiresGrad: true })
    expect(() => leaf.uniform_()).toThrow(
      'a leaf Variable that requires grad is being used in an in-place operation.',
    )
    const y = leaf.mul(2)
    const before = y.version
    y.uniform_()
    expect([y.version - before, y.gradFn?.name()]).toEqual([1, 'UniformBackward0'])
    y.sum().backward()
    expect(values(leaf.grad as Tensor)).toEqual([0, 0, 0])
    const saved = leaf.mul(2)
    const z = saved.mul(saved)
    saved.normal_()
    expect(() => z.sum().backward()).toThrow('modified by an inplace operation')
    expect(() => torch.ones(1).expand(3).uniform_()).toThrow('refers to a single memory location')
  })

  test('every method has the node of PyTorch', () => {
    const leaf = torch.ones([3], { requiresGrad: true })
    const name = (fill: (x: Tensor) => Tensor) => fill(leaf.mul(1)).gradFn?.name()
    expect([
      name((x) => x.normal_()),
      name((x) => x.random_()),
      name((x) => x.random_(5)),
      name((x) => x.random_(1, 5)),
      name((x) => x.exponential_()),
      name((x) => x.logNormal_()),
      name((x) => x.geometric_(0.5)),
      name((x) => x.cauchy_()),
      name((x) => x.bernoulli_(full([3], 0.5))),
      name((x) => x.bernoulli_(0.5)),
    ]).toEqual([
      'NormalBackward0',
      'RandomBackward2',
      'RandomBackward1',
      'RandomBackward0',
      'ExponentialBackward0',
      'LogNormalBackward0',
      'GeometricBackward0',
      'CauchyBackward0',
      'BernoulliBackward1',
      'BernoulliBackward2',
    ])
  })
})

describe('from given distributions', () => {
  test('normal broadcasts tensors of means and standard deviations', () => {
    torch.manualSeed(1)
    const x = torch.normal(floats([1, 2], [2, 1]), torch.tensor(Float64Array.of(1, 2)))
    expect(x.dtype).toBe(float32)
    for (const [i, v] of [1.6613522, 1.5338483, 2.0616772, 3.2426348].entries())
      expect(values(x)[i]).toBeCloseTo(v, 6)
    expect(() => torch.normal(floats([1]), -1)).toThrow('normal expects std >= 0.0, but found std -1')
    expect(() => torch.normal(floats([1, 1]), floats([1, 1, 1]))).toThrow(
      'The size of tensor a (2) must match the size of tensor b (3) at non-singleton dimension 0',
    )
    expect(() => torch.normal(0, 1, undefined as unknown as number[])).toThrow(TypeError_)
  })

  test('bernoulli, poisson and multinomial draw what PyTorch draws', () => {
    torch.manualSeed(1)
    expect(torch.bernoulli(full([5], 0.5)).tolist()).toEqual([0, 1, 1, 0, 1])
    expect(torch.poisson(floats([1, 20])).tolist()).toEqual([1, 20])
    const weights = floats([1, 2, 3, 3, 2, 1], [2, 3]).t()
    expect(weights.multinomial(2).tolist()).toEqual([
      [1, 0],
      [1, 0],
      [1, 0],
    ])
    expect(torch.multinomial(torch.ones(0, 3), 1).sizes).toEqual([0, 1])
    expect(() => torch.multinomial(torch.ones(1, 2, 3), 1)).toThrow('prob_dist must be 1 or 2 dim')
    expect(() => torch.multinomial(torch.ones(3), 4)).toThrow(RuntimeError)
    expect(() => torch.bernoulli(full([3], 1, int64))).toThrow(NotImplementedError)
  })

  test('the gradient of the parameters is zero', () => {
    const p = full([3], 0.5).requiresGrad_()
    const scalar = full([1], 2).requiresGrad_()
    const draws = [
      torch.bernoulli(p),
      torch.poisson(p),
      torch.normal(p, 1),
      torch.normal(0, p),
      torch.normal(scalar, p),
    ]
    expect(draws.map((x) => x.gradFn?.name())).toEqual([
      'BernoulliBackward0',
      'PoissonBackward0',
      'NormalBackward1',
      'NormalBackward2',
      'NormalBackward3',
    ])
    for (const x of draws) x.sum().backward()
    expect([values(p.grad as Tensor), values(scalar.grad as Tensor)]).toEqual([[0, 0, 0], [0]])
    expect(torch.bernoulli(p, 0.5).requiresGrad).toBe(false)
  })
})

describe('dropout', () => {
  test('scales what is kept, and the gradient likewise', () => {
    torch.manualSeed(3)
    const x = floats([1, 2, 3, 4, 5, 6], [2, 3]).requiresGrad_()
    const y = F.dropout(x, 0.4)
    y.sum().backward()
    expect(values(y)).toEqual(f32(1.6666666, 3.3333333, 0, 6.6666665, 0, 0))
    expect(values(x.grad as Tensor)).toEqual(f32(1.6666666, 1.6666666, 0, 1.6666666, 0, 0))
    expect(y.gradFn?.name()).toBe('MulBackward0')
  })

  test('outside of training, and with p = 0, the input itself comes back and nothing is drawn', () => {
    const x = torch.ones(3)
    expect(F.dropout(x, { training: false })).toBe(x)
    expect(F.dropout(x, 0)).toBe(x)
    expect(F.alphaDropout(x)).toBe(x)
    expect(values(F.dropout(x, 1))).toEqual([0, 0, 0])
    expect(values(torch.rand(6))).toEqual(uniforms)
  })

  test('alphaDropout, featureAlphaDropout and dropout1d draw what PyTorch draws', () => {
    torch.manualSeed(3)
    const [kept, dropped] = f32(1.6655989, -0.77919394)
    expect(values(F.alphaDropout(torch.ones(5), 0.5, { training: true }))).toEqual([
      kept,
      kept,
      dropped,
      kept,
      dropped,
    ])
    expect(values(F.featureAlphaDropout(torch.ones(2, 2, 2), 0.5, { training: true }))).toEqual([
      dropped,
      dropped,
      kept,
      kept,
      kept,
      kept,
      kept,
      kept,
    ])
    expect(values(F.dropout1d(torch.ones(3, 2), 0.5))).toEqual([0, 0, 2, 2, 0, 0])
  })

  test('in place the input is changed and returned', () => {
    for (const f of [F.dropout, F.alphaDropout, F.dropout1d, F.featureDropout]) {
      torch.manualSeed(3)
      const expected = values(f(torch.ones(6, 2), 0.5, { training: true }))
      torch.manualSeed(3)
      const x = torch.ones(6, 2)
      expect(f(x, 0.5, { training: true, inplace: true })).toBe(x)
      expect(values(x)).toEqual(expected)
    }
  })

  test('whole channels are dropped', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    const inputs = [
      torch.ones(40, 3, 4),
      torch.ones(8, 5, 2, 2),
      torch.ones(8, 5, 1, 2, 2),
      torch.ones(40, 1, 2, 2),
    ]
    const results = [
      F.dropout1d(inputs[0]),
      F.dropout2d(inputs[1]),
      F.dropout3d(inputs[2]),
      F.dropout3d(inputs[3]),
    ]
    expect(warn).not.toHaveBeenCalled()
    for (const y of results) {
      const channels = y.dim() === 4 && y.sizes[0] === 40 ? 40 : y.sizes[0] * y.sizes[1]
      const rows = y.reshape([channels, -1]).tolist() as number[][]
      expect(rows.every((row) => row.every((v) => v === row[0]))).toBe(true)
      expect(new Set(rows.map((row) => row[0]))).toEqual(new Set([0, 2]))
    }
    F.dropout2d(torch.ones(2, 2, 2))
    expect(warn).toHaveBeenCalledOnce()
    warn.mockRestore()
  })

  test('wrong arguments are refused', () => {
    const x = torch.ones(3)
    expect(() => F.dropout(x, 2)).toThrow('dropout probability has to be between 0 and 1, but got 2')
    expect(() => F.dropout(x, { p: Number.NaN })).toThrow(ValueError)
    expect(() => F.dropout(full([3], 1, int64))).toThrow(
      "result type Float can't be cast to the desired output type Long",
    )
    expect(() => F.dropout1d(x)).toThrow('dropout1d: Expected 2D or 3D input, but received a 1D input.')
    expect(() => F.featureDropout(x)).toThrow('Feature dropout requires at least 2 dimensions in the input')
  })
})

describe('rrelu and gumbelSoftmax', () => {
  const input = () => floats([-1, 2, -3]).requiresGrad_()

  test('rrelu draws slopes in training', () => {
    torch.manualSeed(3)
    const x = input()
    const y = F.rrelu(x, { training: true })
    y.sum().backward()
    expect(values(y)).toEqual(f32(-0.13210587, 2, -0.5542126))
    expect(values(x.grad as Tensor)).toEqual(f32(0.13210587, 1, 0.18473755))
    expect(y.gradFn?.name()).toBe('RreluWithNoiseBackward0')
  })

  test('rrelu takes the middle slope otherwise', () => {
    const x = input()
    const y = F.rrelu(x)
    y.sum().backward()
    expect(values(y)).toEqual(f32(-0.22916667, 2, -0.6875))
    expect(values(x.grad as Tensor)).toEqual(f32(0.22916667, 1, 0.22916667))
  })

  test('rrelu in place has the same values and gradients', () => {
    for (const training of [true, false]) {
      torch.manualSeed(3)
      const [a, b] = [input(), input()]
      const expected = F.rrelu(a, { training })
      expected.sum().backward()
      torch.manualSeed(3)
      const y = b.mul(1)
      expect(F.rrelu(y, { training, inplace: true })).toBe(y)
      expect(y.gradFn?.name()).toBe('RreluWithNoiseBackward1')
      y.sum().backward()
      expect(values(y)).toEqual(values(expected))
      expect(values(b.grad as Tensor)).toEqual(values(a.grad as Tensor))
    }
  })

  test('rrelu refuses what PyTorch refuses', () => {
    expect(() => F.rrelu(torch.ones(3), 0.5, { upper: 0.1 })).toThrow(
      'Lower bound should be less than or equal to the upper bound',
    )
    expect(() => F.rrelu(full([3], 1, int64), { training: true })).toThrow(
      '"rrelu_with_noise_out_cpu" not implemented for \'Long\'',
    )
    expect(() => F.rrelu(full([3], 1, int64))).toThrow('"leaky_relu_cpu" not implemented for \'Long\'')
  })

  test('hard gumbelSoftmax is one-hot with the gradient of the soft one', () => {
    torch.manualSeed(3)
    const x = floats([1, 2, 0], [1, 3]).requiresGrad_()
    const y = F.gumbelSoftmax(x, 0.7, { hard: true })
    y.mul(floats([1, 2, 3]))
      .sum()
      .backward()
    for (const [i, v] of [1, 0, 0].entries()) expect(values(y)[i]).toBeCloseTo(v, 6)
    const expected = [-0.17311707, 0.17055316, 0.002563809]
    for (const [i, v] of expected.entries()) expect(values(x.grad as Tensor)[i]).toBeCloseTo(v, 5)
  })
})

describe('nn.init', () => {
  test('fills leaves that require gradients, without recording it', () => {
    const w = torch.zeros([3, 4], { requiresGrad: true })
    for (const f of [
      (x: Tensor) => init.uniform_(x),
      (x: Tensor) => init.normal_(x),
      (x: Tensor) => init.xavierUniform_(x),
      (x: Tensor) => init.kaimingNormal_(x),
      (x: Tensor) => init.orthogonal_(x),
    ]) {
      const before = [w.version, values(w)]
      expect(f(w)).toBe(w)
      expect(w.version).toBe((before[0] as number) + 1)
      expect(values(w)).not.toEqual(before[1])
    }
    expect([w.isLeaf, w.gradFn, w.requiresGrad]).toEqual([true, null, true])
  })

  test('orthogonal_ gives the matrix of PyTorch', () => {
    torch.manualSeed(3)
    const w = init.orthogonal_(torch.zeros(3, 4), 2)
    const expected = [
      1.5601373, 0.33956456, 0.17281488, -1.1919743, 0.83166993, -1.5917286, 0.5196198, 0.71043694,
      0.29914874, 1.0236742, 1.4379097, 0.89163738,
    ]
    for (const [i, v] of expected.entries()) expect(values(w)[i]).toBeCloseTo(v, 5)
    expect(() => init.orthogonal_(torch.zeros([3, 4], { dtype: float16 }))).toThrow(
      '"geqrf_cpu" not implemented for \'Half\'',
    )
    expect(() => init.orthogonal_(torch.zeros(3))).toThrow(
      'Only tensors with 2 or more dimensions are supported',
    )
  })

  test('sparse_ follows the order of memory and takes its zeros from the default generator', () => {
    torch.manualSeed(3)
    const w = init.sparse_(torch.zeros(4, 2), 0.5)
    const expected = [0.00803276, 0, 0, 0, 0.00046182, -0.01368259, 0, 0.01011116]
    for (const [i, v] of expected.entries()) expect(values(w)[i]).toBeCloseTo(v, 7)
    expect(values(torch.rand(1))).toEqual(f32(0.949305))
    const t = init.sparse_(torch.zeros(7, 5).t(), 0.6)
    for (let col = 0; col < 7; col++)
      expect(values(t.select(1, col).contiguous()).filter((v) => v === 0)).toHaveLength(3)
  })

  test('eye_ and dirac_ write ones where a channel is passed on, through any strides', () => {
    expect(init.eye_(torch.ones(2, 3)).tolist()).toEqual([
      [1, 0, 0],
      [0, 1, 0],
    ])
    expect(init.eye_(torch.ones(2, 3).t()).tolist()).toEqual([
      [1, 0],
      [0, 1],
      [0, 0],
    ])
    const w = init.dirac_(torch.ones(4, 2, 3), 2)
    expect(
      values(w)
        .map((v, i) => (v === 0 ? -1 : i))
        .filter((i) => i >= 0),
    ).toEqual([1, 10, 13, 22])
    expect(values(w).every((v) => v === 0 || v === 1)).toBe(true)
    expect(() => init.dirac_(torch.ones(4, 2))).toThrow(
      'Only tensors with 3, 4, or 5 dimensions are supported',
    )
    expect(() => init.dirac_(torch.ones(4, 2, 3), 3)).toThrow('dim 0 must be divisible by groups')
    expect(() => init.eye_(torch.ones(4))).toThrow('Only tensors with 2 dimensions are supported')
  })

  test('calculateGain knows the gains of PyTorch', () => {
    expect(init.calculateGain('conv_transpose2d')).toBe(1)
    expect(init.calculateGain('tanh')).toBe(5 / 3)
    expect(init.calculateGain('leaky_relu', 0.2)).toBe(Math.sqrt(2 / (1 + 0.2 ** 2)))
    expect(init.calculateGain('leaky_relu')).toBe(Math.sqrt(2 / (1 + 0.01 ** 2)))
    expect(() => init.calculateGain('gelu' as 'relu')).toThrow('Unsupported nonlinearity gelu')
  })

  test('fans and modes are checked', () => {
    expect(init.calculateFanInAndFanOut(torch.zeros(4, 3, 5, 5))).toEqual([75, 100])
    expect(() => init.xavierNormal_(torch.zeros(4))).toThrow(
      'Fan in and fan out can not be computed for tensor with fewer than 2 dimensions',
    )
    expect(() => init.kaimingUniform_(torch.zeros(4, 4), { mode: 'fan' as 'fan_in' })).toThrow(
      "Mode fan not supported, please use one of ['fan_in', 'fan_out']",
    )
  })

  test('truncNormal_ keeps to its bounds and warns where they are far off', () => {
    const w = init.truncNormal_(torch.zeros(500), 0, 1, -0.5, 1)
    expect(Math.min(...values(w))).toBeGreaterThanOrEqual(-0.5)
    expect(Math.max(...values(w))).toBeLessThanOrEqual(1)
    expect(new Set(values(w)).size).toBeGreaterThan(490)
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
    init.truncNormal_(torch.zeros(2), { mean: 5, a: 0, b: 1 })
    expect(warn).toHaveBeenCalledOnce()
    warn.mockRestore()
  })

  test('constants', () => {
    expect(values(init.constant_(torch.zeros(2), 0.5))).toEqual([0.5, 0.5])
    expect(values(init.zeros_(init.ones_(torch.zeros(2))))).toEqual([0, 0])
  })
})

describe('orthonormalize', () => {
  test('columns become orthonormal, and span with a non-negative diagonal what they spanned', () => {
    const [rows, cols] = [60, 40]
    const a = Float64Array.from(values(torch.randn(rows * cols, { dtype: float64 })))
    const q = orthonormalize(a.slice(), rows, cols)
    const dot = (x: Float64Array, i: number, y: Float64Array, j: number) => {
      let sum = 0
      for (let k = 0; k < rows; k++) sum += x[i * rows + k] * y[j * rows + k]
      return sum
    }
    for (let i = 0; i < cols; i++)
      for (let j = 0; j < cols; j++) {
        expect(dot(q, i, q, j)).toBeCloseTo(i === j ? 1 : 0, 12)
        // R = Q^T A is upper triangular.
        if (i > j) expect(dot(q, i, a, j)).toBeCloseTo(0, 11)
        if (i === j) expect(dot(q, i, a, j)).toBeGreaterThan(0)
      }
  })

  test('a column of zeros stays one', () => {
    const q = [...orthonormalize(Float64Array.of(3, 4, 0, 0), 2, 2)]
    for (const [i, v] of [0.6, 0.8, 0, 0].entries()) expect(q[i]).toBeCloseTo(v, 12)
  })
})
