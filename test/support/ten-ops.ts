// Ten unlike operations, each with random shapes, strides and dtypes: what the kernel language must be able to say.

import type { DType, Tensor } from '../../src/index.ts'
import * as torch from '../../src/index.ts'

/** A source of random numbers that tests can repeat. */
export class Random {
  constructor(private state: number) {}

  next(): number {
    // xorshift32
    this.state ^= this.state << 13
    this.state ^= this.state >>> 17
    this.state ^= this.state << 5
    return (this.state >>> 0) / 2 ** 32
  }

  int(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  pick<T>(items: readonly T[]): T {
    return items[this.int(0, items.length - 1)]
  }
}

export const special: readonly number[] = [
  0,
  -0,
  1,
  -1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  1e-40,
  3e38,
  -5.5,
]

/** A tensor of random values, contiguous, transposed, sliced or stretched. */
export function randomTensor(
  r: Random,
  sizes: readonly number[],
  dtype: DType,
  options: { special?: boolean } = {},
): Tensor {
  const value = (): number => {
    if (dtype === torch.bool) return r.int(0, 1)
    if (dtype.kind === 'int') return r.int(dtype === torch.uint8 ? 0 : -100, 100)
    if (options.special && r.next() < 0.2) return r.pick(special)
    return (r.next() - 0.5) * 8
  }
  const make = (s: readonly number[]): Tensor => {
    const n = s.reduce((a, b) => a * b, 1)
    return torch
      .tensor(Array.from({ length: n }, value), { dtype: torch.float64 })
      .to(dtype)
      .view(s)
  }
  const form = r.int(0, 3)
  if (form === 1 && sizes.length >= 2)
    return make([...sizes].reverse()).permute(sizes.map((_, i) => sizes.length - 1 - i))
  if (form === 2 && sizes.length >= 1) {
    const wide = sizes.map((n, i) => (i === sizes.length - 1 ? 2 * n + 1 : n))
    return make(wide).slice(sizes.length - 1, 1, 2 * sizes[sizes.length - 1] + 1, 2)
  }
  if (form === 3 && sizes.length >= 1) return make([1, ...sizes.slice(1)]).expand(sizes)
  return make(sizes)
}

const floats = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
const all = [...floats, torch.int8, torch.int16, torch.int32, torch.int64, torch.uint8, torch.bool]

/** Each operation runs once on what `r` and the dtypes allowed make up. */
export const tenOps: Readonly<Record<string, (r: Random, dtypes: readonly DType[]) => Tensor>> = {
  add: (r, dtypes) => {
    const sizes = [r.int(1, 5), r.int(1, 9)]
    const other = r.pick([sizes, [1, sizes[1]], [sizes[0], 1], [sizes[1]], []])
    return randomTensor(r, sizes, r.pick(dtypes), { special: true }).add(
      randomTensor(r, other, r.pick(dtypes)),
    )
  },
  where: (r, dtypes) => {
    const sizes = [r.int(1, 5), r.int(1, 9)]
    const dtype = r.pick(dtypes)
    return torch.where(
      randomTensor(r, sizes, torch.bool),
      randomTensor(r, sizes, dtype),
      randomTensor(r, [sizes[1]], dtype),
    )
  },
  sum: (r, dtypes) => {
    const x = randomTensor(r, [r.int(0, 4), r.int(1, 5), r.int(1, 17)], r.pick(dtypes))
    return x.sum(r.pick([0, 1, 2, [0, 2], [0, 1], [1, 2], [0, 1, 2]]), { keepdim: r.next() < 0.5 })
  },
  softmax: (r, dtypes) => {
    const floating = dtypes.filter((d) => d.kind === 'float')
    return randomTensor(r, [r.int(1, 6), r.int(1, 19)], r.pick(floating)).softmax(r.int(0, 1))
  },
  layerNorm: (r, dtypes) => {
    const dtype = r.pick(dtypes.filter((d) => d === torch.float32 || d === torch.float64))
    const n = r.int(2, 19)
    const x = randomTensor(r, [r.int(1, 6), n], dtype)
    return torch.nn.functional.layerNorm(x, [n], {
      weight: randomTensor(r, [n], dtype),
      bias: randomTensor(r, [n], dtype),
    })
  },
  cumsum: (r, dtypes) => randomTensor(r, [r.int(1, 6), r.int(1, 19)], r.pick(dtypes)).cumsum(r.int(0, 1)),
  indexSelect: (r, dtypes) => {
    const x = randomTensor(r, [r.int(1, 6), r.int(1, 9)], r.pick(dtypes), { special: true })
    const dim = r.int(0, 1)
    const index = Array.from({ length: r.int(1, 7) }, () => r.int(0, x.sizes[dim] - 1))
    return x.indexSelect(dim, torch.tensor(index))
  },
  dropout: (r, dtypes) => {
    const x = randomTensor(r, [r.int(1, 6), r.int(1, 19)], r.pick(dtypes.filter((d) => d.kind === 'float')))
    return torch.nn.functional.dropout(x, 0.4, { training: true })
  },
  matmul: (r, dtypes) => {
    const dtype = r.pick(dtypes.filter((d) => d.kind === 'float'))
    const [n, k, m] = [r.int(1, 9), r.int(0, 9), r.int(1, 17)]
    return randomTensor(r, [n, k], dtype).matmul(randomTensor(r, [k, m], dtype))
  },
  conv2d: (r, dtypes) => {
    const dtype = r.pick(dtypes.filter((d) => d === torch.float32 || d === torch.float64))
    const groups = r.int(1, 2)
    const x = randomTensor(r, [r.int(1, 2), 2 * groups, r.int(4, 9), r.int(4, 9)], dtype)
    const weight = randomTensor(r, [3 * groups, 2, r.int(1, 3), r.int(1, 3)], dtype)
    return torch.nn.functional.conv2d(x, weight, null, { stride: r.int(1, 2), padding: r.int(0, 2), groups })
  },
}

export const everyDType: readonly DType[] = all
