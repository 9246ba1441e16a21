// Sorting and what follows from it: orders, ties, NaN, gradients, distinct elements, bins.

import { describe, expect, test } from 'vitest'
import { registerBackend } from '../../src/backends/backend.ts'
import { cpuBackend } from '../../src/backends/cpu/cpu.ts'
import * as torch from '../../src/ops/index.ts'
import '../../src/tensor/methods.ts'
import { bfloat16, bool, float16, float32, float64, int32, int64, uint8 } from '../../src/core/dtype.ts'
import { capture } from '../../src/graph/capture.ts'
import { atPlaces } from '../../src/ops/order.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'

registerBackend(cpuBackend)

function randoms(n: number, seed: number): number[] {
  let state = seed
  return Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return state / 2 ** 31
  })
}

function expectedOrder(elements: ArrayLike<number | bigint>, descending: boolean): number[] {
  const order = Array.from(elements, (_, i) => i)
  const compare = (a: number | bigint, b: number | bigint): number => {
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
    return a < b ? -1 : a > b ? 1 : 0
  }
  return order.sort((i, j) =>
    descending ? compare(elements[j], elements[i]) : compare(elements[i], elements[j]),
  )
}

const floats = (values: unknown, requiresGrad = false): Tensor =>
  torch.tensor(values as number[], { dtype: float32, requiresGrad })

describe('the order of a line', () => {
  const specials = [NaN, Infinity, -Infinity, 0, -0, 1e-45, -1e-45, 1, 1, -1]
  for (const n of [0, 1, 2, 31, 32, 33, 500])
    for (const descending of [false, true])
      test(`of ${n} elements of every type, ${descending ? 'descending' : 'ascending'}`, () => {
        const values = randoms(n, n + 1).map((x, i) =>
          i % 3 === 0 ? specials[i % specials.length] : x * 1e3,
        )
        const whole = values.map((x) => (Number.isFinite(x) ? Math.trunc(x / 4) : 0))
        const lines = [
          Float32Array.from(values),
          Float64Array.from(values),
          Float64Array.from(values, (x) => x * 1e-300),
          Int8Array.from(whole),
          Uint8Array.from(whole),
          Int16Array.from(whole, (x) => x * 100),
          Int32Array.from(whole, (x) => x * 1e7),
          BigInt64Array.from(whole, (x) => BigInt(x) * 2n ** 53n + BigInt(x % 5)),
        ]
        for (const line of lines) {
          const expected = expectedOrder(line, descending)
          const x = torch.tensor(line)
          const places = (from: number, count: number): unknown =>
            atPlaces(x, 0, { descending, count, from: () => from }).positions.tolist()
          expect(places(0, n)).toEqual(expected)
          for (const k of [1, 7, 400]) {
            if (k > n) continue
            expect(places(0, k)).toEqual(expected.slice(0, k))
            expect(places(k - 1, 1)).toEqual(expected.slice(k - 1, k))
            expect(places(n - k, k)).toEqual(expected.slice(n - k))
          }
        }
      })

  // Long lines have larger digits; 64-bit keys are moved by half.
  for (const dtype of [float16, bfloat16, float32, float64, int64])
    test(`of 20,000 elements of ${dtype.name}, along the first dimension`, () => {
      const x = torch.tensor(randoms(20000, 3).map((v) => v * 2 ** 40)).to(dtype)
      const pairs = x.reshape(10000, 2)
      const { values, indices } = pairs.sort(0)
      for (const column of [0, 1]) {
        const line = pairs.select(1, column)
        const expected = expectedOrder(line.data(), false)
        expect(indices.select(1, column).tolist()).toEqual(expected)
        expect(values.select(1, column).tolist()).toEqual(line.at(torch.tensor(expected)).tolist())
      }
      expect(x.sort({ descending: true }).indices.tolist()).toEqual(expectedOrder(x.data(), true))
      expect(x.kthvalue(12345).indices.item()).toBe(expectedOrder(x.data(), false)[12344])
    })

  test('equal keys need no digits', () => {
    expect(torch.zeros(100).argsort().tolist()).toEqual(Array.from({ length: 100 }, (_, i) => i))
    expect(torch.zeros(100).topk(3).indices.tolist()).toEqual([0, 1, 2])
    expect(torch.full([100], NaN).median().item()).toBeNaN()
  })

  test('integers at both ends of their range', () => {
    const ends = [2n ** 63n - 1n, -(2n ** 63n), 0n, -1n, 1n]
    const x = torch.tensor(
      BigInt64Array.from([...ends, ...ends, ...ends, ...ends, ...ends, ...ends, ...ends]),
    )
    expect(x.argsort().tolist()).toEqual(expectedOrder(x.data(), false))
    expect(x.sort().values.data()[0]).toBe(-(2n ** 63n))
  })

  test('a captured graph sorts what it is given', () => {
    const run = capture((x: Tensor) => x.mul(2).sort().values)
    for (const values of [
      [3, 1, 2],
      [5, 9, 7],
      [4, 6, 1],
      [0, -1, 8],
    ])
      expect(run(floats(values)).tolist()).toEqual([...values].sort((a, b) => a - b).map((v) => 2 * v))
  })
})

describe('sort and topk', () => {
  test('a sorted tensor names its values and indices and destructures', () => {
    const result = torch.tensor([3, 1, 2]).sort()
    const [values, indices] = result
    expect(values).toBe(result.values)
    expect(indices.tolist()).toEqual([1, 2, 0])
    expect(String(result)).toBe(
      'torch.return_types.sort(\nvalues=tensor([1, 2, 3]),\nindices=tensor([1, 2, 0]))',
    )
  })

  test('equal elements stay in their order, upwards and downwards', () => {
    const x = torch.tensor([2, 1, 1, 2, 1, 1])
    expect(x.argsort().tolist()).toEqual([1, 2, 4, 5, 0, 3])
    expect(x.argsort({ descending: true }).tolist()).toEqual([0, 3, 1, 2, 4, 5])
  })

  test('NaN is the largest and -0 equals 0', () => {
    const x = floats([3, NaN, 0, -0, Infinity])
    expect(x.argsort().tolist()).toEqual([2, 3, 0, 4, 1])
    expect(x.topk(2).indices.tolist()).toEqual([1, 4])
  })

  test('any dimension of a view, in any dtype', () => {
    const x = torch
      .tensor(
        [
          [3, 1],
          [2, 5],
          [1, 4],
        ],
        { dtype: float16 },
      )
      .t()
    expect(x.sort(0).values.tolist()).toEqual([
      [1, 2, 1],
      [3, 5, 4],
    ])
    expect(x.sort(-1, true).values.tolist()).toEqual([
      [3, 2, 1],
      [5, 4, 1],
    ])
    expect(torch.tensor([true, false]).sort().values.dtype).toBe(bool)
  })

  test('gradients go where the values came from', () => {
    const x = floats(
      [
        [3, 1, 2],
        [4, 6, 5],
      ],
      true,
    )
    const { values } = x.sort(1)
    expect(values.gradFn!.name()).toBe('SortBackward0')
    values
      .mul(
        floats([
          [1, 2, 3],
          [4, 5, 6],
        ]),
      )
      .sum()
      .backward()
    expect(x.grad!.tolist()).toEqual([
      [3, 1, 2],
      [4, 6, 5],
    ])
    x.grad = null
    x.topk(1, 0).values.sum().backward()
    expect(x.grad!.tolist()).toEqual([
      [0, 0, 0],
      [1, 1, 1],
    ])
  })

  test('too large a k is refused', () => {
    expect(() => torch.tensor([1, 2]).topk(3)).toThrow('selected index k out of range')
    expect(() => torch.tensor([1, 2]).kthvalue(3)).toThrow(
      'kthvalue(): selected number k out of range for dimension 0',
    )
  })
})

describe('medians and modes', () => {
  test('the median is the lower of two, NaN if there is one', () => {
    expect(torch.tensor([4, 1, 3, 2]).median().item()).toBe(2)
    expect(floats([1, NaN, 0]).median().item()).toBeNaN()
    expect(floats([1, NaN, 0]).nanmedian().item()).toBe(0)
    expect(
      floats([
        [1, NaN],
        [5, 2],
      ])
        .median(1)
        .indices.tolist(),
    ).toEqual([1, 1])
    expect(torch.zeros(0).median().item()).toBeNaN()
    expect(() => torch.zeros(0).median(0)).toThrow('Expected reduction dim 0 to have non-zero size')
  })

  test('all elements that equal the median of the whole share its gradient', () => {
    const x = floats([1, 2, 2, 3], true)
    x.median().backward()
    expect(x.grad!.tolist()).toEqual([0, 0.5, 0.5, 0])
  })

  test('the mode is the smallest of the most frequent, where it last stands', () => {
    const { values, indices } = torch
      .tensor([
        [3, 1, 3, 1],
        [7, 8, 9, 9],
      ])
      .mode()
    expect(values.tolist()).toEqual([1, 9])
    expect(indices.tolist()).toEqual([3, 3])
  })
})

describe('distinct elements', () => {
  test('come sorted, with inverse and counts where asked for', () => {
    const x = torch.tensor([
      [3, 1],
      [2, 1],
    ])
    expect(x.unique().tolist()).toEqual([1, 2, 3])
    const [values, inverse, counts] = x.unique({ returnInverse: true, returnCounts: true })
    expect([values, inverse, counts].map((t) => t.tolist())).toEqual([
      [1, 2, 3],
      [
        [2, 0],
        [1, 0],
      ],
      [2, 1, 1],
    ])
  })

  test('slices are compared in lexicographic order', () => {
    const x = torch.tensor([
      [1, 2],
      [1, 2],
      [0, 5],
    ])
    const [rows, counts] = x.unique({ dim: 0, returnCounts: true })
    expect(rows.tolist()).toEqual([
      [0, 5],
      [1, 2],
    ])
    expect(counts.tolist()).toEqual([1, 2])
    expect(x.unique({ dim: 1 }).tolist()).toEqual([
      [1, 2],
      [1, 2],
      [0, 5],
    ])
  })

  test('consecutive ones only', () => {
    const [values, inverse] = torch.tensor([1, 1, 2, 1]).uniqueConsecutive({ returnInverse: true })
    expect(values.tolist()).toEqual([1, 2, 1])
    expect(inverse.tolist()).toEqual([0, 0, 1, 2])
  })

  test('every NaN is distinct', () => {
    expect(floats([NaN, 1, NaN]).unique().numel()).toBe(3)
  })

  test('have no derivative', () => {
    const y = floats([1, 2], true).unique()
    expect(y.gradFn!.name()).toBe('Unique2Backward0')
    expect(() => y.sum().backward()).toThrow("the derivative for '_unique2' is not implemented.")
  })
})

describe('bins', () => {
  test('searchsorted finds the place before or after equal boundaries', () => {
    const edges = torch.tensor([1, 3, 3, 5])
    expect(torch.searchsorted(edges, torch.tensor([3, 6, 0])).tolist()).toEqual([1, 4, 0])
    expect(torch.searchsorted(edges, 3, { side: 'right' }).tolist()).toEqual(3)
    expect(torch.searchsorted(edges, 2.5, { outInt32: true }).dtype).toBe(int32)
    expect(torch.bucketize(floats([3, NaN]), edges, { right: true }).tolist()).toEqual([3, 4])
  })

  test('every line of boundaries serves its own line of values', () => {
    const edges = torch.tensor([
      [1, 3, 5],
      [2, 4, 6],
    ])
    expect(
      torch
        .searchsorted(
          edges,
          torch.tensor([
            [3, 6],
            [3, 6],
          ]),
        )
        .tolist(),
    ).toEqual([
      [1, 3],
      [1, 2],
    ])
    expect(() => torch.searchsorted(edges, torch.tensor([3]))).toThrow(/first N-1 dimensions/)
  })

  test('histc counts within the range, the upper end included', () => {
    expect(floats([1, 2, 1]).histc(4, { max: 3 }).tolist()).toEqual([0, 2, 1, 0])
    expect(floats([1, 2, 1]).histc(4).tolist()).toEqual([2, 0, 0, 1])
    expect(floats([1, NaN, 5, -1]).histc(2, { min: 0, max: 1 }).tolist()).toEqual([0, 1])
    expect(() => floats([1, Infinity]).histc(4)).toThrow('torch.histc: range of [1, inf] is not finite')
    expect(() => floats([1]).histc(4, { min: 3, max: 1 })).toThrow('torch.histc: max must be larger than min')
  })

  test('bincount counts or adds weights', () => {
    const x = torch.tensor([1, 1, 3])
    expect(x.bincount().tolist()).toEqual([0, 2, 0, 1])
    expect(x.bincount(floats([1, 2, 3]), { minlength: 6 }).tolist()).toEqual([0, 3, 0, 3, 0, 0])
    expect(torch.tensor([1], { dtype: uint8 }).bincount(torch.tensor([2])).dtype).toBe(float64)
    expect(x.bincount().dtype).toBe(int64)
    expect(() => torch.tensor([-1]).bincount()).toThrow(
      'bincount only supports 1-d non-negative integral inputs',
    )
  })
})
