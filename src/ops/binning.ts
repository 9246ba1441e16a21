// Numbers into bins: searchsorted, bucketize, histc, bincount.

import { bool, type DType, float32, float64, int32, int64, scalarTypeName } from '../core/dtype.ts'
import { NotImplementedError, RuntimeError } from '../core/errors.ts'
import { roundToBfloat16, roundToHalf } from '../core/half.ts'
import { promoteTypes } from '../core/promotion.ts'
import { pyFloat } from '../core/python.ts'
import { formatSizes, numelOf } from '../core/shape.ts'
import { data, writeData } from '../tensor/data.ts'
import { Tensor } from '../tensor/tensor.ts'
import { to } from './conversion.ts'
import { fullTensor } from './creation.ts'
import { searchOnDevice } from './device-search.ts'
import { areKnown, computeLater, needHost } from './host.ts'
import { gather } from './indexing.ts'
import { emptyTensor } from './launch.ts'
import { checkTensor, type FunctionInfo, fn } from './op.ts'

// ---- searching -----------------------------------------------------------------------------------------------------------

export interface BucketizeOptions {
  /** Give int32 instead of int64 indices. */
  outInt32?: boolean
  /** Where a value equals a boundary, give the place after it instead of before. Default false. */
  right?: boolean
}

export interface SearchsortedOptions extends BucketizeOptions {
  /** `'left'` (default) or `'right'`, the same as `right`. */
  side?: 'left' | 'right' | null
  /** Indices that sort an unsorted sequence along its last dimension, from `argsort`. */
  sorter?: Tensor | null
}

type Elements = ArrayLike<number | bigint>

/** How many of `n` sorted boundaries lie before a value; `at` gives the position of each in `boundaries`. */
function insertionPoint(
  boundaries: Elements,
  n: number,
  at: (i: number) => number,
  value: number | bigint,
  right: boolean,
): number {
  let start = 0
  let end = n
  while (start < end) {
    const middle = (start + end) >> 1
    const boundary = boundaries[at(middle)]
    // Written so that NaN comes after everything.
    if (right ? !(boundary > value) : !(boundary >= value)) start = middle + 1
    else end = middle
  }
  return start
}

function search(
  boundaries: Tensor,
  input: Tensor | number,
  right: boolean,
  outInt32: boolean,
  sorter: Tensor | null,
): Tensor {
  if (boundaries.storage.isAsynchronous) {
    const x = input instanceof Tensor ? input : fullTensor([], input, boundaries.dtype, boundaries.device)
    const common = promoteTypes(boundaries.dtype, x.dtype)
    const sorted = sorter === null ? boundaries : gather(boundaries, -1, sorter)
    return searchOnDevice(to(sorted.detach(), common), to(x.detach(), common), right, outInt32)
  }
  const sizes = input instanceof Tensor ? input.sizes : []
  const result = emptyTensor(sizes, outInt32 ? int32 : int64, boundaries.device)
  const n = boundaries.sizes[boundaries.ndim - 1] ?? 1
  const values: Elements = input instanceof Tensor ? data(input) : [input]
  const edges = data(boundaries)
  const order = sorter === null ? null : data(sorter)
  if (order !== null)
    for (let i = 0; i < order.length; i++)
      if (order[i] < 0 || order[i] >= n)
        throw new RuntimeError('torch.searchsorted(): sorter index out of range')
  const places = new Int32Array(values.length)
  // Boundaries of one dimension serve all values; else each line of values has its own.
  const perLine = boundaries.ndim === 1 ? values.length : (sizes[sizes.length - 1] ?? 1)
  for (let i = 0; i < places.length; i++) {
    const base = Math.floor(i / perLine) * n
    const at = order === null ? (j: number) => base + j : (j: number) => base + Number(order[base + j])
    places[i] = insertionPoint(edges, n, at, values[i], right)
  }
  writeData(result, places)
  return result
}

export type Searchsorted = (
  sortedSequence: Tensor,
  input: Tensor | number,
  options?: SearchsortedOptions,
) => Tensor

/**
 * Where each value of `input` would be inserted into the sorted last dimension of `sortedSequence`: before equal ones, with
 * `right` after them. Their other dimensions must agree, unless the sequence has only one.
 *
 * @throws RuntimeError where the shapes do not fit.
 */
export const searchsorted: Searchsorted & FunctionInfo = fn<Searchsorted>(
  'searchsorted',
  ['sortedSequence', 'input'],
  ['outInt32', 'right', 'side', 'sorter'],
  (
    sequence: Tensor,
    input: Tensor | number,
    { outInt32 = false, right = false, side, sorter }: SearchsortedOptions,
  ) => {
    checkTensor('searchsorted', 'sorted_sequence', sequence)
    const fail = (message: string) => new RuntimeError(`torch.searchsorted(): ${message}`)
    if (side !== undefined && side !== null) {
      if (side !== 'left' && side !== 'right')
        throw fail(`side can only be 'left' or 'right' but got ${side}`)
      if (side === 'left' && right)
        throw fail("side and right can't be set to opposites, got side of left while right was True")
    }
    const sizes = input instanceof Tensor ? input.sizes : []
    if (sizes.length === 0 && sequence.ndim !== 1)
      throw fail(
        `input value can be a scalar only when boundaries tensor dimension is 1, but we got boundaries tensor dim(${sequence.ndim}) and input value's dim(0) numel(1)`,
      )
    if (sequence.ndim === 0)
      throw fail('boundaries tensor should have positive dimension, but got 0 dimension')
    if (
      sequence.ndim !== 1 &&
      (sequence.ndim !== sizes.length ||
        sequence.sizes.some((n, d) => d < sizes.length - 1 && n !== sizes[d]))
    )
      throw fail(
        `boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries tensor and input value tensor must match, but we got boundaries tensor ${formatSizes(sequence.sizes)} and input value tensor ${formatSizes(sizes)}`,
      )
    if (sorter !== undefined && sorter !== null) {
      if (formatSizes(sorter.sizes) !== formatSizes(sequence.sizes))
        throw fail(
          `boundary and sorter must have the same size, but got boundary tensor ${formatSizes(sequence.sizes)}and got sorter tensor ${formatSizes(sorter.sizes)}`,
        )
      if (sorter.dtype !== int64)
        throw fail(`sorter must be a tensor of long dtype but got dtype ${scalarTypeName(sorter.dtype)}`)
    }
    return search(sequence, input, right || side === 'right', outInt32, sorter ?? null)
  },
  { method: false, positional: 0 },
)

export type Bucketize = (input: Tensor | number, boundaries: Tensor, options?: BucketizeOptions) => Tensor

/**
 * Into which of the bins between sorted `boundaries` (one dimension) each value falls: 0 below the first, their number above
 * the last. A value that equals a boundary goes below it, with `right` above.
 */
export const bucketize: Bucketize & FunctionInfo = fn<Bucketize>(
  'bucketize',
  ['input', 'boundaries'],
  ['outInt32', 'right'],
  (input: Tensor | number, boundaries: Tensor, { outInt32 = false, right = false }: BucketizeOptions) => {
    checkTensor('bucketize', 'boundaries', boundaries)
    if (boundaries.ndim !== 1)
      throw new RuntimeError(`boundaries tensor must be 1 dimension, but got dim(${boundaries.ndim})`)
    return search(boundaries, input, right, outInt32, null)
  },
  { method: false, positional: 0 },
)

// ---- counting ------------------------------------------------------------------------------------------------------------

export interface HistcOptions {
  /** The range's lower end. With `min` and `max` both 0 the range is that of the elements. */
  min?: number
  max?: number
}

export interface Histc {
  (x: Tensor, bins?: number, options?: HistcOptions): Tensor
  (x: Tensor, options?: HistcOptions & { bins?: number }): Tensor
}

/** Rounds to a floating dtype. */
function rounderOf(dtype: DType): (value: number) => number {
  if (dtype === float64) return (value) => value
  if (dtype === float32) return Math.fround
  return dtype.name === 'float16' ? roundToHalf : roundToBfloat16
}

/**
 * How many elements fall into each of `bins` (100) bins of equal width between `min` and `max`, in the dtype of `x`.
 * Elements outside are not counted; the last bin includes `max`.
 */
export const histc: Histc & FunctionInfo = fn<Histc>(
  'histc',
  ['input'],
  ['bins', 'min', 'max'],
  (x: Tensor, { bins = 100, min = 0, max = 0 }: HistcOptions & { bins?: number }) => {
    checkTensor('histc', 'input', x)
    if (x.dtype.kind !== 'float')
      throw new NotImplementedError(`"histogram_cpu" not implemented for '${scalarTypeName(x.dtype)}'`)
    if (bins <= 0)
      throw new RuntimeError(`torch.histogram(): bins must be > 0, but got ${bins} for dimension 0`)
    if (min > max) throw new RuntimeError('torch.histc: max must be larger than min')
    if (!areKnown([x]))
      return computeLater([x.detach()], [{ sizes: [bins], dtype: x.dtype }], ([known]) => [
        histc(known, { bins, min, max }),
      ])[0]
    const elements = data(x)
    let [low, high] = min === max && elements.length > 0 ? extent(elements as Float64Array) : [min, max]
    if (!Number.isFinite(low) || !Number.isFinite(high))
      throw new RuntimeError(`torch.histc: range of [${boundText(low)}, ${boundText(high)}] is not finite`)
    if (low === high) {
      low -= 1
      high += 1
    }
    const round = rounderOf(x.dtype)
    low = round(low)
    high = round(high)
    const width = round(high - low)
    const counts = new Float64Array(bins)
    for (let i = 0; i < elements.length; i++) {
      const value = Number(elements[i])
      if (!(value >= low && value <= high)) continue
      // Each step is rounded as PyTorch's arithmetic in the element's dtype is.
      const place = Math.trunc(round(round(round(value - low) * bins) / width))
      counts[Math.min(place, bins - 1)]++
    }
    const result = emptyTensor([bins], x.dtype, x.device)
    writeData(result, counts)
    return result
  },
  { positional: 1 },
)

function boundText(bound: number): string {
  return Number.isFinite(bound) ? String(bound) : pyFloat(bound)
}

function extent(elements: ArrayLike<number>): [number, number] {
  let low = elements[0]
  let high = elements[0]
  for (let i = 0; i < elements.length; i++) {
    // NaN spreads, as in aminmax.
    low = Math.min(low, elements[i])
    high = Math.max(high, elements[i])
  }
  return [low, high]
}

export interface BincountOptions {
  /** The result has at least so many elements. Default 0. */
  minlength?: number
}

export interface Bincount {
  (x: Tensor, weights?: Tensor | null, options?: BincountOptions): Tensor
  (x: Tensor, options?: BincountOptions & { weights?: Tensor | null }): Tensor
}

/**
 * How often each number from 0 up occurs in a tensor of non-negative integers of one dimension; with `weights` the sums of
 * these instead (float32, for other dtypes float64).
 */
export const bincount: Bincount & FunctionInfo = fn<Bincount>(
  'bincount',
  ['input'],
  ['weights', 'minlength'],
  (x: Tensor, { weights = null, minlength = 0 }: BincountOptions & { weights?: Tensor | null }) => {
    checkTensor('bincount', 'input', x)
    if (x.dtype.kind === 'float' || x.dtype === bool)
      throw new NotImplementedError(`"bincount_cpu" not implemented for '${scalarTypeName(x.dtype)}'`)
    if (minlength < 0) throw new RuntimeError('minlength should be >= 0')
    const places = numbersOf(data(needHost('bincount', x)))
    if (x.ndim === 1 && places.length === 0) return integers(new Float64Array(minlength))
    if (x.ndim !== 1 || places.some((n) => n < 0))
      throw new RuntimeError('bincount only supports 1-d non-negative integral inputs.')
    if (weights !== null && (weights.ndim !== 1 || numelOf(weights.sizes) !== places.length))
      throw new RuntimeError('weights should be 1-d and have the same length as input')
    let bins = minlength
    for (let i = 0; i < places.length; i++) bins = Math.max(bins, places[i] + 1)
    if (weights === null) {
      const counts = new Float64Array(bins)
      for (let i = 0; i < places.length; i++) counts[places[i]]++
      return integers(counts)
    }
    const single = weights.dtype === float32
    const sums = single ? new Float32Array(bins) : new Float64Array(bins)
    const amounts = data(weights)
    for (let i = 0; i < places.length; i++) sums[places[i]] += Number(amounts[i])
    const result = emptyTensor([bins], single ? float32 : float64)
    writeData(result, sums)
    return result
  },
  { positional: 1 },
)

function numbersOf(elements: Elements): Float64Array {
  const result = new Float64Array(elements.length)
  for (let i = 0; i < result.length; i++) result[i] = Number(elements[i])
  return result
}

function integers(values: ArrayLike<number>): Tensor {
  const result = emptyTensor([values.length], int64)
  writeData(result, values)
  return result
}
