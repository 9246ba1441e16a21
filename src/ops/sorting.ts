// Sorting along a dimension, and what follows from an order: the k largest, the k-th, the median, the mode.
// Orders are the backend's (order.ts); gradients go back to where the values came from.

import { bool, type DType, int64, scalarTypeName } from '../core/dtype.ts'
import { IndexError, NotImplementedError, RuntimeError, TypeError_ } from '../core/errors.ts'
import { wrapDim } from '../core/shape.ts'
import { data, type TypedArray, writeData } from '../tensor/data.ts'
import { namedResult } from '../tensor/return-types.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { sortOnDevice } from './device-sort.ts'
import { emptyTensor } from './launch.ts'
import { apply, applyMany, checkTensor, describe, type FunctionInfo, fn, type Op } from './op.ts'
import { atPlaces } from './order.ts'
import { type ReduceOptions, sum, type ValuesIndices, valueGradient } from './reductions.ts'
import { reshape } from './views.ts'

// ---- places in the order of a line ------------------------------------------------------------------------------------

/** The first `k` elements of every sorted line, along the same dimension. */
function sortedLines(x: Tensor, dim: number, k: number, descending: boolean): [Tensor, Tensor] {
  if (x.storage.isAsynchronous) return sortOnDevice(x, dim, k, descending)
  const { values, positions } = atPlaces(x, dim, { descending, count: x.ndim === 0 ? 1 : k })
  return [values, positions]
}

/** The element of every line at a place that is worked out from the number of NaNs. */
function ranked(
  x: Tensor,
  dim: number,
  keepdim: boolean,
  rank: (n: number, nans: number) => number,
): [Tensor, Tensor] {
  const n = x.ndim === 0 ? 1 : x.sizes[dim]
  const { values, positions } = atPlaces(x, dim, { count: 1, from: (nans) => rank(n, nans) })
  if (keepdim || x.ndim === 0) return [values, positions]
  const sizes = x.sizes.filter((_, d) => d !== dim)
  return [reshape(values, sizes), reshape(positions, sizes)]
}

const medianRank = (n: number, nans: number): number => (nans > 0 ? n - nans : (n - 1) >> 1)
const nanmedianRank = (n: number, nans: number): number => (nans === n ? 0 : (n - nans - 1) >> 1)

// ---- sort ---------------------------------------------------------------------------------------------------------------

interface SortAttributes {
  readonly dim: number
  readonly k: number
  readonly descending: boolean
  readonly stable: boolean
}

function sortingOp(node: Op<SortAttributes>['node']): Op<SortAttributes> {
  return {
    node,
    forward: ([x], { dim, k, descending }) => sortedLines(x, dim, k, descending),
    nonDifferentiable: [1],
    savesOutputs: [1],
    backward: ([g], c) => [
      valueGradient(g!, c.output(1), { dim: c.attributes.dim, keepdim: true }, c.inputSizes[0]),
    ],
  }
}

const sortOp = sortingOp(({ stable }) => (stable ? 'SortBackward1' : 'SortBackward0'))
const topkOp = sortingOp('TopkBackward0')

export interface SortOptions {
  /** From the largest down. Default false. */
  descending?: boolean
  /** Whether equal elements stay in their order. They always do here. */
  stable?: boolean | null
}

export interface Sort<Result> {
  (x: Tensor, dim?: number, options?: SortOptions): Result
  (x: Tensor, dim: number, descending: boolean, options?: Omit<SortOptions, 'descending'>): Result
  (x: Tensor, options?: SortOptions & { dim?: number }): Result
}

function sorted(
  name: string,
  x: Tensor,
  { dim = -1, descending = false, stable }: SortOptions & { dim?: number },
): ValuesIndices {
  checkTensor(name, 'input', x)
  const d = wrapDim(dim, x.ndim)
  const attributes = {
    dim: d,
    k: x.ndim === 0 ? 1 : x.sizes[d],
    descending,
    stable: stable !== undefined && stable !== null,
  }
  const [values, indices] = applyMany(sortOp, [x], attributes)
  return namedResult('sort', { values, indices })
}

/**
 * The elements along `dim` (default the last) in ascending order, and where each came from. Linear time; stable; NaN is
 * larger than everything. Returns `{ values, indices }`, also as `[values, indices]`.
 */
export const sort: Sort<ValuesIndices> & FunctionInfo = fn<Sort<ValuesIndices>>(
  'sort',
  ['input'],
  ['dim', 'descending', 'stable'],
  (x: Tensor, options: SortOptions & { dim?: number }) => sorted('sort', x, options),
  { positional: 2 },
)

/** The indices that sort a tensor along `dim` (default the last); see `sort`. */
export const argsort: Sort<Tensor> & FunctionInfo = fn<Sort<Tensor>>(
  'argsort',
  ['input'],
  ['dim', 'descending', 'stable'],
  (x: Tensor, options: SortOptions & { dim?: number }) => sorted('argsort', x, options).indices,
  { positional: 2 },
)

/** The elements sorted along the first dimension. */
export function msort(x: Tensor): Tensor {
  return sorted('msort', x, { dim: 0 }).values
}

// ---- the k largest, the k-th ---------------------------------------------------------------------------------------------

export interface TopkOptions {
  /** The largest (default) or the smallest. */
  largest?: boolean
  /** Whether they must come in order. They always do here. */
  sorted?: boolean
}

export interface Topk {
  (x: Tensor, k: number, dim?: number, options?: TopkOptions): ValuesIndices
  (x: Tensor, k: number, options?: TopkOptions & { dim?: number }): ValuesIndices
}

function checkCount(name: string, k: unknown): asserts k is number {
  if (typeof k !== 'number' || !Number.isInteger(k))
    throw new TypeError_(`${name}(): argument 'k' (position 1) must be int, not ${describe(k)}`)
}

/**
 * The `k` largest (or smallest) elements along `dim` (default the last), in order, and where they stand.
 *
 * @throws RuntimeError if the dimension has fewer than `k` elements.
 */
export const topk: Topk & FunctionInfo = fn<Topk>(
  'topk',
  ['input', 'k'],
  ['dim', 'largest', 'sorted'],
  (x: Tensor, k: number, { dim = -1, largest = true }: TopkOptions & { dim?: number }) => {
    checkTensor('topk', 'input', x)
    checkCount('topk', k)
    if (x.dtype === bool) throw new RuntimeError('topk does not support bool dtypes on CPU')
    const d = wrapDim(dim, x.ndim)
    if (k < 0 || k > (x.ndim === 0 ? 1 : x.sizes[d])) throw new RuntimeError('selected index k out of range')
    const [values, indices] = applyMany(topkOp, [x], { dim: d, k, descending: largest, stable: false })
    return namedResult('topk', { values, indices })
  },
  { positional: 2 },
)

interface RankAttributes {
  readonly dim: number
  readonly keepdim: boolean
  readonly rank: (n: number, nans: number) => number
}

function rankOp(node: string): Op<RankAttributes> {
  return {
    node,
    forward: ([x], { dim, keepdim, rank }) => ranked(x, dim, keepdim, rank),
    nonDifferentiable: [1],
    savesOutputs: [1],
    backward: ([g], c) => [valueGradient(g!, c.output(1), c.attributes, c.inputSizes[0])],
  }
}

const kthvalueOp = rankOp('KthvalueBackward0')
const medianDimOp = rankOp('MedianBackward1')
const nanmedianDimOp = rankOp('NanmedianBackward1')

function checkNotEmpty(name: string, x: Tensor, dim: number): void {
  if (x.ndim > 0 && x.sizes[dim] === 0)
    throw new IndexError(`${name}(): Expected reduction dim ${dim} to have non-zero size.`)
}

function checkNumbers(name: string, dtype: DType): void {
  if (dtype === bool)
    throw new NotImplementedError(`"${name}" not implemented for '${scalarTypeName(dtype)}'`)
}

export interface Kthvalue {
  (x: Tensor, k: number, dim?: number, options?: ReduceOptions): ValuesIndices
  (x: Tensor, k: number, dim: number, keepdim: boolean): ValuesIndices
  (x: Tensor, k: number, options?: ReduceOptions & { dim?: number }): ValuesIndices
}

/**
 * The `k`-th smallest element (counted from 1) along `dim` (default the last), and where it stands.
 *
 * @throws RuntimeError if there is no such element.
 */
export const kthvalue: Kthvalue & FunctionInfo = fn<Kthvalue>(
  'kthvalue',
  ['input', 'k'],
  ['dim', 'keepdim'],
  (x: Tensor, k: number, { dim = -1, keepdim = false }: ReduceOptions & { dim?: number }) => {
    checkTensor('kthvalue', 'input', x)
    checkCount('kthvalue', k)
    checkNumbers('kthvalue_cpu', x.dtype)
    const d = wrapDim(dim, x.ndim)
    checkNotEmpty('kthvalue', x, d)
    if (k < 1 || k > (x.ndim === 0 ? 1 : x.sizes[d]))
      throw new RuntimeError(`kthvalue(): selected number k out of range for dimension ${d}`)
    const [values, indices] = applyMany(kthvalueOp, [x], { dim: d, keepdim, rank: () => k - 1 })
    return namedResult('kthvalue', { values, indices })
  },
  { positional: 2 },
)

// ---- medians ------------------------------------------------------------------------------------------------------------

interface MedianAttributes {
  readonly rank: (n: number, nans: number) => number
}

function medianOfAll(x: Tensor, rank: (n: number, nans: number) => number): Tensor {
  const n = x.numel()
  if (n > 0 || x.device.type === 'meta') return reshape(ranked(reshape(x, [-1]), 0, true, rank)[0], [])
  const result = emptyTensor([], x.dtype, x.device)
  writeData(result, [x.dtype.kind === 'float' ? NaN : medianOfNothing(x.dtype)])
  return result
}

// PyTorch converts NaN, which for the wide integers gives their lowest number.
function medianOfNothing(dtype: DType): number {
  return dtype === int64 ? -(2 ** 63) : dtype.name === 'int32' ? -(2 ** 31) : 0
}

function medianOp(node: string): Op<MedianAttributes> {
  return {
    node,
    forward: ([x], { rank }) => medianOfAll(x, rank),
    saves: [0],
    savesOutputs: [0],
    // All elements that equal the median share its gradient.
    backward: ([g], c) => {
      const x = c.input(0).detach()
      const value = c.output().detach()
      const mask = x.eq(value).logicalOr(x.isnan().logicalAnd(value.isnan()))
      return [mask.mul(g!.div(sum(mask)))]
    },
  }
}

const medianAllOp = medianOp('MedianBackward0')
const nanmedianAllOp = medianOp('NanmedianBackward0')

export interface Median {
  (x: Tensor): Tensor
  (x: Tensor, dim: number, keepdim?: boolean | ReduceOptions): ValuesIndices
  (x: Tensor, options: ReduceOptions & { dim: number }): ValuesIndices
}

function medianFunction(
  name: string,
  rank: (n: number, nans: number) => number,
  allOp: Op<MedianAttributes>,
  dimOp: Op<RankAttributes>,
): Median & FunctionInfo {
  return fn<Median>(
    name,
    ['input'],
    ['dim', 'keepdim'],
    (x: Tensor, { dim, keepdim = false }: ReduceOptions & { dim?: number }): Tensor | ValuesIndices => {
      checkTensor(name, 'input', x)
      checkNumbers('median_cpu', x.dtype)
      if (dim === undefined) return apply(allOp, [x], { rank })
      const d = wrapDim(dim, x.ndim)
      checkNotEmpty('median', x, d)
      const [values, indices] = applyMany(dimOp, [x], { dim: d, keepdim, rank })
      return namedResult(name, { values, indices })
    },
    { positional: 2 },
  )
}

/**
 * The median of all elements, or along `dim` with where it stands: of an even number the lower of the two in the
 * middle. NaN if there is one.
 */
export const median: Median & FunctionInfo = medianFunction('median', medianRank, medianAllOp, medianDimOp)

/** As `median`, of those that are not NaN. */
export const nanmedian: Median & FunctionInfo = medianFunction(
  'nanmedian',
  nanmedianRank,
  nanmedianAllOp,
  nanmedianDimOp,
)

// ---- mode ---------------------------------------------------------------------------------------------------------------

const modeOp: Op<{ readonly dim: number; readonly keepdim: boolean }> = {
  node: 'ModeBackward0',
  forward: ([x], { dim, keepdim }) => modes(x, dim, keepdim),
  nonDifferentiable: [1],
  savesOutputs: [1],
  backward: ([g], c) => [valueGradient(g!, c.output(1), c.attributes, c.inputSizes[0])],
}

// Of every line the longest run of equal elements, of several the first, and the last position in it.
function modes(x: Tensor, dim: number, keepdim: boolean): [Tensor, Tensor] {
  const n = x.ndim === 0 ? 1 : x.sizes[dim]
  const kept = x.sizes.map((size, d) => (d === dim ? 1 : size))
  const sizes = keepdim ? kept : x.sizes.filter((_, d) => d !== dim)
  const values = emptyTensor(sizes, x.dtype, x.device)
  const indices = emptyTensor(sizes, int64, x.device)
  if (x.device.type === 'meta' || values.numel() === 0) return [values, indices]
  const sorted = atPlaces(x, dim, { count: n, narrow: true })
  const [elements, order] = [data(sorted.values), data(sorted.positions)]
  const step = x.sizes.slice(dim + 1).reduce((a, b) => a * b, 1)
  const lines = values.numel()
  const modeValues = elements.slice(0, lines)
  const modePositions = new Int32Array(lines)
  for (let line = 0; line < lines; line++) {
    const base = Math.floor(line / step) * n * step + (line % step)
    const at = base + endOfLongestRun(elements, n, base, step) * step
    modeValues[line] = elements[at]
    modePositions[line] = Number(order[at])
  }
  writeData(values, modeValues)
  writeData(indices, modePositions)
  return [values, indices]
}

function endOfLongestRun(elements: TypedArray, n: number, base: number, step: number): number {
  let best = 0
  let longest = 0
  let length = 0
  for (let i = 0; i < n; i++) {
    length++
    const value = elements[base + i * step]
    const next = i + 1 < n ? elements[base + (i + 1) * step] : null
    if (next !== null && (next === value || (Number.isNaN(next) && Number.isNaN(value)))) continue
    if (length > longest) {
      best = i
      longest = length
    }
    length = 0
  }
  return best
}

export interface Mode {
  (x: Tensor, dim?: number, options?: ReduceOptions): ValuesIndices
  (x: Tensor, dim: number, keepdim: boolean): ValuesIndices
  (x: Tensor, options?: ReduceOptions & { dim?: number }): ValuesIndices
}

/** The most frequent element along `dim` (default the last), of several the smallest, and where it last stands. */
export const mode: Mode & FunctionInfo = fn<Mode>(
  'mode',
  ['input'],
  ['dim', 'keepdim'],
  (x: Tensor, { dim = -1, keepdim = false }: ReduceOptions & { dim?: number }) => {
    checkTensor('mode', 'input', x)
    const d = wrapDim(dim, x.ndim)
    checkNotEmpty('mode', x, d)
    const [values, indices] = applyMany(modeOp, [x], { dim: d, keepdim })
    return namedResult('mode', { values, indices })
  },
  { positional: 2 },
)
