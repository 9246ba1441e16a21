// Distinct elements, or slices, of a tensor: unique and uniqueConsecutive, with inverse indices and counts.

import { int64 } from '../core/dtype.ts'
import { IndexError, NotImplementedError, RuntimeError } from '../core/errors.ts'
import { numelOf, wrapDim } from '../core/shape.ts'
import { data, type TypedArray, writeData } from '../tensor/data.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { to } from './conversion.ts'
import { needHost } from './host.ts'
import { emptyTensor } from './launch.ts'
import { applyMany, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { atPlaces } from './order.ts'
import { reshape } from './views.ts'

export interface UniqueOptions {
  /** Also give, for every element, where its value stands in the result. */
  returnInverse?: boolean
  /** Also give how often each occurs. */
  returnCounts?: boolean
  /** Compare the slices along this dimension; null or left out: single elements of the flattened tensor. */
  dim?: number | null
}

interface Attributes {
  readonly dim: number | null
  readonly consecutive: boolean
}

/** Which elements or slices are the first of their kind, and for each of all which kind it is. */
interface Groups {
  readonly firsts: number[]
  readonly inverse: Int32Array
  readonly counts: number[]
}

/** Groups neighbours in `order` that are equal. */
function group(order: ArrayLike<number>, equal: (a: number, b: number) => boolean): Groups {
  const firsts: number[] = []
  const counts: number[] = []
  const inverse = new Int32Array(order.length)
  for (let i = 0; i < order.length; i++) {
    if (i === 0 || !equal(order[i - 1], order[i])) {
      firsts.push(order[i])
      counts.push(0)
    }
    inverse[order[i]] = firsts.length - 1
    counts[counts.length - 1]++
  }
  return { firsts, inverse, counts }
}

function inOrder(n: number): Int32Array {
  return Int32Array.from({ length: n }, (_, i) => i)
}

/** NaN equals nothing, not even itself: every NaN is one of its own. */
function groupElements(x: Tensor, elements: TypedArray, consecutive: boolean): Groups {
  const n = elements.length
  const order = consecutive
    ? inOrder(n)
    : (data(atPlaces(reshape(x, [-1]), 0, { count: n, narrow: true }).positions) as Int32Array)
  return group(order, (a, b) => elements[a] === elements[b])
}

/** The slices along a dimension of elements in C order. */
class Slices {
  readonly n: number
  private readonly inner: number
  private readonly outer: number

  constructor(
    private readonly elements: TypedArray,
    sizes: readonly number[],
    dim: number,
  ) {
    this.n = sizes[dim]
    this.inner = numelOf(sizes.slice(dim + 1))
    this.outer = numelOf(sizes.slice(0, dim))
  }

  /** Lexicographic, NaN last, as when elements are sorted. */
  compare(a: number, b: number): number {
    const { elements, n, inner, outer } = this
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < inner; i++) {
        const first = elements[(o * n + a) * inner + i]
        const second = elements[(o * n + b) * inner + i]
        if (first < second) return -1
        if (first > second) return 1
        if (Number.isNaN(first) !== Number.isNaN(second)) return Number.isNaN(first) ? 1 : -1
      }
    return 0
  }

  equal(a: number, b: number): boolean {
    const { elements, n, inner, outer } = this
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < inner; i++)
        if (elements[(o * n + a) * inner + i] !== elements[(o * n + b) * inner + i]) return false
    return true
  }

  /** The elements of some of the slices, in C order. */
  pick(positions: readonly number[]): TypedArray {
    const { elements, n, inner, outer } = this
    const result = elements.slice(0, outer * positions.length * inner)
    for (let o = 0, at = 0; o < outer; o++)
      for (const position of positions)
        for (let i = 0; i < inner; i++) result[at++] = elements[(o * n + position) * inner + i]
    return result
  }
}

function tensorOf(values: ArrayLike<number>, sizes: readonly number[]): Tensor {
  const result = emptyTensor(sizes, int64)
  writeData(result, values)
  return result
}

function run(x: Tensor, attributes: Attributes): Tensor[] {
  const host = needHost(attributes.consecutive ? 'unique_consecutive' : 'unique', x)
  return runOnHost(host, attributes).map((result) => to(result, x.device))
}

function runOnHost(x: Tensor, { dim, consecutive }: Attributes): Tensor[] {
  if (dim === null) {
    const elements = data(x)
    const { firsts, inverse, counts } = groupElements(x, elements, consecutive)
    const output = emptyTensor([firsts.length], x.dtype)
    const picked = elements.slice(0, firsts.length)
    for (let i = 0; i < firsts.length; i++) picked[i] = elements[firsts[i]]
    writeData(output, picked)
    return [output, tensorOf(inverse, x.sizes), tensorOf(counts, [counts.length])]
  }
  const slices = new Slices(data(x), x.sizes, dim)
  const order = inOrder(slices.n)
  if (!consecutive) order.sort((a, b) => slices.compare(a, b))
  const { firsts, inverse, counts } = group(order, (a, b) => slices.equal(a, b))
  const output = emptyTensor(
    x.sizes.map((size, d) => (d === dim ? firsts.length : size)),
    x.dtype,
  )
  writeData(output, slices.pick(firsts))
  return [output, tensorOf(inverse, [inverse.length]), tensorOf(counts, [counts.length])]
}

const uniqueOp: Op<Attributes> = {
  node: ({ dim, consecutive }) =>
    consecutive ? 'UniqueConsecutiveBackward0' : dim === null ? 'Unique2Backward0' : 'UniqueDimBackward0',
  forward: ([x], attributes) => run(x, attributes),
  nonDifferentiable: [1, 2],
  backward: (_, { attributes: { dim, consecutive } }) => {
    const name = consecutive ? 'unique_consecutive' : dim === null ? '_unique2' : 'unique_dim'
    throw new NotImplementedError(`the derivative for '${name}' is not implemented.`)
  },
}

function distinct(name: string, x: Tensor, options: UniqueOptions, consecutive: boolean): Tensor | Tensor[] {
  checkTensor(name, 'input', x)
  let dim: number | null = null
  if (options.dim !== undefined && options.dim !== null) {
    dim = wrapDim(options.dim, x.ndim)
    if (x.ndim === 0) throw new IndexError(`Dimension specified as ${dim} but tensor has no dimensions`)
    if (x.sizes.some((size, d) => size === 0 && d !== dim))
      throw new RuntimeError(
        "There are 0 sized dimensions, and they aren't selected, so unique cannot be applied",
      )
  }
  const [output, inverse, counts] = applyMany(uniqueOp, [x], { dim, consecutive })
  if (!options.returnInverse && !options.returnCounts) return output
  return [output, ...(options.returnInverse ? [inverse] : []), ...(options.returnCounts ? [counts] : [])]
}

/** The distinct elements alone, or followed by the inverse, by the counts, or by both. */
export interface Unique<Options extends UniqueOptions> {
  (x: Tensor, options: Options & { returnInverse: true; returnCounts: true }): [Tensor, Tensor, Tensor]
  (
    x: Tensor,
    options: Options &
      ({ returnInverse: true; returnCounts?: false } | { returnInverse?: false; returnCounts: true }),
  ): [Tensor, Tensor]
  (x: Tensor, options?: Options & { returnInverse?: false; returnCounts?: false }): Tensor
}

export interface SortedUniqueOptions extends UniqueOptions {
  /** Whether the result must be sorted. It always is here. */
  sorted?: boolean
}

/**
 * The distinct elements of a tensor in ascending order, or with `dim` its distinct slices in lexicographic order. Every NaN
 * counts as distinct.
 */
export const unique: Unique<SortedUniqueOptions> & FunctionInfo = fn<Unique<SortedUniqueOptions>>(
  'unique',
  ['input'],
  ['sorted', 'returnInverse', 'returnCounts', 'dim'],
  (x: Tensor, options: UniqueOptions) => distinct('unique', x, options, false),
  { positional: 0 },
)

/** The elements (with `dim` the slices) without those that equal the one before. */
export const uniqueConsecutive: Unique<UniqueOptions> & FunctionInfo = fn<Unique<UniqueOptions>>(
  'unique_consecutive',
  ['input'],
  ['returnInverse', 'returnCounts', 'dim'],
  (x: Tensor, options: UniqueOptions) => distinct('unique_consecutive', x, options, true),
  { positional: 0 },
)
