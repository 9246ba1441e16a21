// Values of composed operations, against PyTorch's: scattering with a reduction, statistics, integrals, histograms,
// masks, windows, transforms.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'
import { bool, float64, int32, int64, type Tensor } from '../../src/index.ts'

const floats = (values: unknown): Tensor => torch.tensor(values as number[], { dtype: float64 })
const ints = (values: unknown): Tensor => torch.tensor(values as number[], { dtype: int64 })
const bools = (values: unknown): Tensor => torch.tensor(values as boolean[], { dtype: bool })

function near(actual: Tensor, expected: unknown): void {
  const flat = (v: unknown): number[] => [v].flat(9) as number[]
  const [got, wanted] = [flat(actual.tolist()), flat(expected)]
  expect(got).toHaveLength(wanted.length)
  got.forEach((v, i) => {
    if (Number.isFinite(wanted[i])) expect(v).toBeCloseTo(wanted[i], 5)
    else expect(v).toBe(wanted[i])
  })
}

const x = floats([
  [1, 2, 3],
  [4, 5, 6],
])

describe('scatterReduce', () => {
  const source = floats([
    [10, 20],
    [30, 40],
  ])
  const index = ints([
    [0, 0],
    [1, 0],
  ])
  const results = {
    sum: [11, 62, 34, 10, 60, 30],
    prod: [10, 1600, 120, 10, 800, 30],
    mean: [5.5, 62 / 3, 17, 10, 30, 30],
    amax: [10, 40, 30, 10, 40, 30],
    amin: [1, 2, 4, 10, 20, 30],
  }
  for (const [reduce, [a, b, c, d, e, f]] of Object.entries(results))
    test(reduce, () => {
      const way = reduce as keyof typeof results
      near(x.scatterReduce(0, index, source, way), [
        [a, b, 3],
        [c, 5, 6],
      ])
      near(x.scatterReduce(0, index, source, way, { includeSelf: false }), [
        [d, e, 3],
        [f, 5, 6],
      ])
    })

  test('of integers divides a mean downwards', () => {
    const mean = ints([-7, 2, 3]).scatterReduce(0, ints([0, 0, 1]), ints([2, -4, 5]), 'mean')
    expect(mean.tolist()).toEqual([-3, 3, 3])
  })

  test('indexReduce takes whole slices', () => {
    near(x.indexReduce(0, ints([1, 1]), x.mul(2), 'mean'), [
      [1, 2, 3],
      [14 / 3, 19 / 3, 8],
    ])
  })

  test('changes a tensor in place', () => {
    const y = x.clone()
    expect(y.scatterReduce_(0, index, source, 'amax')).toBe(y)
    near(y, [
      [10, 40, 3],
      [30, 5, 6],
    ])
  })

  test('refuses other reductions', () => {
    expect(() => x.scatterReduce(0, index, source, 'median' as 'sum')).toThrow(/Expected reduce to be one of/)
  })
})

describe('writing elements', () => {
  test('put counts from the end and accumulates', () => {
    const y = ints([1, 2, 3, 4])
    expect(y.put(ints([1, -1]), ints([9, 8])).tolist()).toEqual([1, 9, 3, 8])
    expect(y.put(ints([1, 1]), ints([9, 8]), true).tolist()).toEqual([1, 19, 3, 4])
    expect(() => y.put(ints([4]), ints([1]))).toThrow(/out of bounds/)
  })

  test('put_ reaches a transposed tensor', () => {
    const y = torch.zeros(2, 3)
    y.t().put_(ints([1]), torch.ones(1))
    expect(y.tolist()).toEqual([
      [0, 0, 0],
      [1, 0, 0],
    ])
  })

  test('maskedScatter takes the elements of the source in order', () => {
    const mask = bools([
      [true, false, true],
      [false, true, false],
    ])
    near(torch.zeros(2, 3).maskedScatter(mask, torch.arange(1, 7).float()), [
      [1, 0, 2],
      [0, 3, 0],
    ])
    expect(() => torch.zeros(2, 3).maskedScatter(mask, torch.ones(2))).toThrow(/Number of elements of source/)
  })

  test('indexPut takes masks and null for a whole dimension', () => {
    const y = torch.zeros(2, 3)
    y.indexPut_([null, bools([true, false, true])], torch.tensor([1.5, 2.5]))
    expect(y.tolist()).toEqual([
      [1.5, 0, 2.5],
      [1.5, 0, 2.5],
    ])
    const counted = torch.zeros(3).indexPut([ints([0, 0, -1])], torch.ones(3), { accumulate: true })
    expect(counted.tolist()).toEqual([2, 0, 1])
  })

  test('scatters of a part leave the rest', () => {
    near(x.selectScatter(floats([9, 9]), 1, 0), [
      [9, 2, 3],
      [9, 5, 6],
    ])
    near(x.sliceScatter(floats([[9], [9]]), 1, 2, 3), [
      [1, 2, 9],
      [4, 5, 9],
    ])
    near(torch.zeros(2, 2).diagonalScatter(torch.tensor([1, 2]).float()), [
      [1, 0],
      [0, 2],
    ])
    expect(() => x.selectScatter(floats([9]), 1, 0)).toThrow(/expected src to have a size equal/)
  })

  test('fillDiagonal_ wraps in tall matrices', () => {
    expect(torch.zeros(5, 2).fillDiagonal_(1, { wrap: true }).tolist()).toEqual([
      [1, 0],
      [0, 1],
      [0, 0],
      [1, 0],
      [0, 1],
    ])
  })

  test('a number of any kind fills a bool tensor with true', () => {
    expect(torch.zeros(2, { dtype: bool }).fill_(2.5).sum().item()).toBe(2)
  })
})

describe('views with memory of their own', () => {
  test('do not show changes of the tensor', () => {
    const y = torch.zeros(2, 2)
    const copies = [
      torch.viewCopy(y, [4]),
      torch.tCopy(y),
      torch.expandCopy(y, [1, 2, 2]),
      torch.aliasCopy(y),
    ]
    y.fill_(1)
    for (const copy of copies) expect(copy.sum().item()).toBe(0)
  })

  test('resize_ keeps what there is', () => {
    const y = torch.arange(4)
    y.resize_(2, 3)
    expect([...y.shape]).toEqual([2, 3])
    expect((y.tolist() as number[][])[0]).toEqual([0, 1, 2])
    expect(() => torch.zeros(2).requiresGrad_().resize_(3)).toThrow(/require grad/)
  })
})

describe('statistics', () => {
  test('quantile interpolates in every way', () => {
    near(torch.quantile(floats([1, 2, 3, 4]), floats([0.25, 0.5, 0.9])), [1.75, 2.5, 3.7])
    const ways = { linear: 2.2, lower: 2, higher: 3, midpoint: 2.5, nearest: 2 } as const
    for (const [interpolation, value] of Object.entries(ways))
      near(
        torch.quantile(floats([1, 2, 3, 10]), 0.4, { interpolation: interpolation as keyof typeof ways }),
        value,
      )
  })

  test('quantile of NaN is NaN, nanquantile passes over it', () => {
    const y = floats([1, Number.NaN, 3])
    expect(y.quantile(0.5).item()).toBeNaN()
    expect(y.nanquantile(0.5).item()).toBe(2)
    expect(() => y.quantile(1.5)).toThrow(/range \[0, 1\]/)
  })

  test('quantiles come first', () => {
    const y = torch.zeros(3, 4, 5)
    expect([...torch.quantile(y, torch.tensor([0.1, 0.9]), 1).shape]).toEqual([2, 3, 5])
    expect([...torch.quantile(y, torch.tensor([0.1, 0.9]), 1, { keepdim: true }).shape]).toEqual([2, 3, 1, 5])
  })

  test('cov and corrcoef', () => {
    const y = floats([
      [1, 2, 4],
      [2, 1, 7],
    ])
    near(y.cov(), [
      [7 / 3, 13 / 3],
      [13 / 3, 31 / 3],
    ])
    near(y.corrcoef(), [
      [1, 0.88249749],
      [0.88249749, 1],
    ])
    near(y.cov({ fweights: ints([1, 2, 1]), aweights: floats([0.5, 1, 1]) }), [
      [1.5, 3.3888891],
      [3.3888891, 9.5],
    ])
  })

  test('aminmax has names', () => {
    const { min, max } = x.aminmax({ dim: 0 })
    expect([min.tolist(), max.tolist()]).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ])
  })

  test('renorm bounds norms, dist measures', () => {
    near(
      floats([
        [3, 4],
        [0.3, 0.4],
      ]).renorm(2, 0, 1),
      [
        [0.6, 0.8],
        [0.3, 0.4],
      ],
    )
    near(torch.dist(floats([1, 2]), floats([4, 6])), 5)
  })

  test('histograms count the upper edge with the last bin', () => {
    const { hist, binEdges } = floats([1, 2, 2.5, 4]).histogram(3)
    near(hist, [1, 2, 1])
    near(binEdges, [1, 2, 3, 4])
    near(
      torch.histogramdd(
        floats([
          [0, 0],
          [1, 1],
          [1, 0.2],
        ]),
        [2, 2],
      ).hist,
      [
        [1, 0],
        [1, 1],
      ],
    )
  })

  test('segmentReduce: an empty segment is the initial value', () => {
    const segments = { lengths: ints([1, 0, 3]), initial: 0 }
    near(torch.segmentReduce(floats([1, 2, 3, 4]), 'max', segments), [1, 0, 4])
  })
})

describe('sampled functions', () => {
  test('trapezoid with positions and with a distance', () => {
    near(torch.trapezoid(floats([1, 2, 4]), floats([0, 1, 3])), 7.5)
    near(torch.trapezoid(x, { dx: 2 }), [8, 20])
    near(torch.cumulativeTrapezoid(floats([1, 2, 4])), [1.5, 4.5])
  })

  test('gradient with uneven positions and at the edges', () => {
    const uneven = torch.gradient(floats([1, 2, 4, 8]), { spacing: [floats([0, 1, 3, 4])], edgeOrder: 2 })
    near(uneven[0], [1, 1, 3, 5])
    const [down, across] = torch.gradient(
      floats([
        [1, 2, 4],
        [3, 5, 9],
      ]),
    )
    near(down, [
      [2, 3, 5],
      [2, 3, 5],
    ])
    near(across, [
      [1, 1.5, 2],
      [2, 3, 4],
    ])
  })
})

describe('positions', () => {
  test('isin, combinations, unravelIndex, nonzeroStatic', () => {
    expect(torch.isin(ints([1, 2, 3]), ints([2, 5])).tolist()).toEqual([false, true, false])
    expect(torch.isin(floats([Number.NaN]), floats([Number.NaN])).tolist()).toEqual([false])
    expect(torch.combinations(ints([1, 2, 3]), 2, true).tolist()).toEqual([
      [1, 1],
      [1, 2],
      [1, 3],
      [2, 2],
      [2, 3],
      [3, 3],
    ])
    expect(torch.unravelIndex(ints([5, 11]), [3, 4]).map((t) => t.tolist())).toEqual([
      [1, 2],
      [1, 3],
    ])
    expect(ints([0, 3, 0, 4]).nonzeroStatic({ size: 3 }).tolist()).toEqual([[1], [3], [-1]])
  })

  test('takeAlongDim counts negative positions from the end', () => {
    near(x.takeAlongDim(ints([[-1], [0]]), 1), [[3], [4]])
  })
})

describe('masks', () => {
  const mask = bools([
    [true, false, true],
    [false, false, false],
  ])
  test('leave elements out; where all are out, the value is the neutral one', () => {
    near(torch.masked.mean(x, 1, { mask }), [2, Number.NaN])
    near(torch.masked.amax(x, 1, { mask }), [3, Number.NEGATIVE_INFINITY])
    near(torch.masked.softmax(x, 1, { mask }).at(0), [0.1192029, 0, 0.8807971])
    const other = bools([
      [true, true, false],
      [true, true, true],
    ])
    near(torch.masked.var(x, 1, { mask: other }), [0.5, 1])
  })
})

describe('windows and transforms', () => {
  test('windows', () => {
    near(torch.hannWindow(4), [0, 0.5, 1, 0.5])
    near(torch.signal.windows.kaiser(4, { beta: 3 }), [0.2048847, 0.8712419, 0.8712419, 0.2048847])
    near(torch.signal.windows.gaussian(3, { std: 0.5, sym: false }), [0.011109, 0.6065307, 0.6065307])
    expect(() => torch.signal.windows.hann(-1)).toThrow(/non-negative window length/)
  })

  test('transforms of half spectra', () => {
    near(torch.fft.irfft(floats([6, 1, 2])), [2.5, 1, 1.5, 1])
    near(torch.fft.hfft(floats([6, 1, 2]), 5), [12, 3.3819661, 5.6180344, 5.6180344, 3.3819661])
    near(torch.fft.irfftn(torch.arange(6).double().reshape(2, 3)), [
      [2.5, -0.5, 0, -0.5],
      [-1.5, 0, 0, 0],
    ])
  })

  test('a long transform, whose length has many factors, is that of the definition', () => {
    const n = 360
    const half = torch
      .arange(n / 2 + 1)
      .double()
      .mul(0.37)
      .sin()
    const weights = half.tolist() as number[]
    const result = torch.fft.irfft(half, { norm: 'forward' }).tolist() as number[]
    for (const j of [0, 1, 77, 359]) {
      const sum = weights.reduce(
        (total, w, k) => total + (k === 0 || k === n / 2 ? 1 : 2) * w * Math.cos((2 * Math.PI * j * k) / n),
        0,
      )
      expect(result[j]).toBeCloseTo(sum, 8)
    }
  })

  test('fftshift and fftfreq', () => {
    expect(torch.fft.fftshift(torch.arange(5)).tolist()).toEqual([3, 4, 0, 1, 2])
    expect(torch.fft.ifftshift(torch.fft.fftshift(torch.arange(5))).tolist()).toEqual([0, 1, 2, 3, 4])
    near(torch.fft.fftfreq(5), [0, 0.2, 0.4, -0.4, -0.2])
  })
})

describe('ranges', () => {
  test('of whole numbers', () => {
    expect(torch.logspace(0, 3, 4, { dtype: int64 }).tolist()).toEqual([1, 10, 100, 1000])
    expect(torch.linspace(0, 1, 1).tolist()).toEqual([0])
    expect(torch.arange(0.5, 4.6, 1.5, { dtype: int32 }).tolist()).toEqual([0, 1, 2])
    expect(torch.arange(0.5, 4.6, 1.5, { dtype: int64 }).tolist()).toEqual([0, 1, 2, 3])
  })

  test('meshgrid with columns first', () => {
    const [a, b] = torch.meshgrid(ints([1, 2, 3]), ints([4, 5]), { indexing: 'xy' })
    expect(a.tolist()).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ])
    expect(b.tolist()).toEqual([
      [4, 4, 4],
      [5, 5, 5],
    ])
  })

  test('rot90 and tensordot take options', () => {
    expect(
      torch
        .rot90(
          ints([
            [1, 2],
            [3, 4],
          ]),
          { dims: [1, 0] },
        )
        .tolist(),
    ).toEqual([
      [3, 1],
      [4, 2],
    ])
    near(
      torch.tensordot(
        torch.ones(1, 2),
        torch
          .tensor([
            [1, 2],
            [3, 4],
          ])
          .float(),
        { dims: [[0], [0]] },
      ),
      [
        [4, 6],
        [4, 6],
      ],
    )
  })
})
