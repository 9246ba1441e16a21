// First and second derivatives of composed operations, against differences.

import { expect, test } from 'vitest'
import * as torch from '../../src/index.ts'
import { autograd, bool, float64, int64, type Tensor } from '../../src/index.ts'

const doubles = (values: unknown, requiresGrad = true): Tensor =>
  torch.tensor(values as number[], { dtype: float64, requiresGrad })
const ints = (values: unknown): Tensor => torch.tensor(values as number[], { dtype: int64 })
const mask = torch.tensor([true, false, true, true, false, true], { dtype: bool }).reshape([2, 3])
const index = ints([
  [0, 0, 1],
  [1, 0, 1],
])

const matrix = (): Tensor =>
  doubles([
    [0.3, -1.2, 0.8],
    [1.7, 0.4, -0.6],
  ])
const other = (): Tensor =>
  doubles([
    [0.9, 0.2, -0.7],
    [-1.1, 1.3, 0.5],
  ])

const cases: Record<string, (x: Tensor, y: Tensor) => Tensor> = {
  'scatterReduce, sum': (x, y) => x.scatterReduce(0, index, y, 'sum'),
  'scatterReduce, mean': (x, y) => x.scatterReduce(0, index, y, 'mean', { includeSelf: false }),
  'scatterReduce, prod': (x, y) => x.scatterReduce(0, index, y, 'prod'),
  'scatterReduce, amax': (x, y) => x.scatterReduce(1, index, y, 'amax'),
  'scatterReduce, amin, without self': (x, y) => x.scatterReduce(0, index, y, 'amin', { includeSelf: false }),
  'indexReduce, prod': (x, y) => x.indexReduce(0, ints([1, 1]), y, 'prod'),
  put: (x, y) => x.put(ints([0, -1]), y.at(0, '0:2')),
  'put, accumulated': (x, y) => x.put(ints([2, 2]), y.at(0, '0:2'), true),
  maskedScatter: (x, y) => x.maskedScatter(mask, y),
  indexPut: (x, y) => x.indexPut([ints([1, 0]), ints([2, 2])], y.at(0, '0:2')),
  selectScatter: (x, y) => x.selectScatter(y.at(0), 0, 1),
  sliceScatter: (x, y) => x.sliceScatter(y.at(':', '0:2'), 1, 0, 3, 2),
  diagonalScatter: (x, y) => x.diagonalScatter(y.at(0, '1:')),
  'quantile along a dimension': (x) => x.quantile(0.3, 1),
  cov: (x) => x.cov(),
  corrcoef: (x) => x.corrcoef().at(0, 1),
  aminmax: (x) => x.aminmax({ dim: 1 }).max,
  renorm: (x) => x.renorm(3, 0, 0.5),
  dist: (x, y) => torch.dist(x, y, 3),
  trapezoid: (x, y) => torch.trapezoid(x, y.exp().cumsum(1)),
  gradient: (x) => torch.gradient(x, { dim: 1, edgeOrder: 2 })[0],
  segmentReduce: (x) => torch.segmentReduce(x.t(), 'prod', { lengths: ints([2, 1]), initial: 2 }),
  'sums along masked dimensions': (x) => torch.masked.var(x, 1, { mask }),
  'masked softmax': (x) => torch.masked.softmax(x, 1, { mask }).maskedFill(mask.logicalNot(), 0),
  irfft: (x) => torch.fft.irfft(x, 5),
  irfft2: (x) => torch.fft.irfft2(x),
  'tensordot, stretched': (x, y) => torch.tensordot(x.at('0:1'), y, { dims: [[0], [0]] }),
  'cumprod, empty': (x) => x.at(':', '0:0').cumprod(1),
  nativeGroupNorm: (x) => torch.nativeGroupNorm(x, null, null, 2, 3, 1, 1, 0.1)[2],
  takeAlongDim: (x) => x.takeAlongDim(ints([[-1], [0]]), 1),
  unfold: (x) => x.unfold(1, 2, 1),
  rsub: (x, y) => torch.rsub(x, y, { alpha: 3 }),
  'addbmm, in place': (x, y) =>
    x.mul(1).addbmm_(y.reshape(2, 1, 3).transpose(1, 2).at('0:1', '0:2'), y.reshape(1, 2, 3).at(':', '0:1'), {
      beta: 2,
    }),
  'cumprod, in place': (x) => x.mul(1).cumprod_(1),
  'tril, in place': (x) => x.mul(1).tril_(),
  'put, in place': (x, y) => x.mul(1).put_(ints([0, 3]), y.at(0, '0:2')),
  'scatterReduce, in place': (x, y) => x.mul(1).scatterReduce_(0, index, y, 'prod'),
}

for (const [name, f] of Object.entries(cases))
  test(`derivatives of ${name}`, () => {
    // A function of the result's square, so that second derivatives are not all zero.
    const g = (...inputs: Tensor[]) => f(inputs[0], inputs[1]).pow(2).mul(0.5)
    expect(autograd.gradcheck(g, [matrix(), other()])).toBe(true)
    expect(autograd.gradgradcheck(g, [matrix(), other()])).toBe(true)
  })

test('gradients are zero where a distance is zero', () => {
  const x = doubles([1, 2])
  torch.dist(x, doubles([1, 2], false)).backward()
  expect(x.grad!.tolist()).toEqual([0, 0])
})

test('an in-place product that saved what it overwrites still differentiates', () => {
  const x = torch.tensor([2, 3, 4], { dtype: float64, requiresGrad: true })
  const y = x.mul(1)
  y.cumprod_(0)
  y.sum().backward()
  expect(x.grad!.tolist()).toEqual([1 + 3 + 12, 2 + 8, 6])
  expect(y.gradFn!.name()).toBe('CumprodBackward0')
})

test('names of nodes', () => {
  const [x, y] = [matrix(), other()]
  expect(x.scatterReduce(0, index, y, 'sum').gradFn!.name()).toBe('ScatterReduceBackward0')
  expect(x.put(ints([0]), y.at(0, '0:1')).gradFn!.name()).toBe('PutBackward0')
  expect(x.maskedScatter(mask, y).gradFn!.name()).toBe('MaskedScatterBackward0')
  expect(x.selectScatter(y.at(0), 0, 0).gradFn!.name()).toBe('SelectScatterBackward0')
})
