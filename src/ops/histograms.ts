// Histograms of one and of several variables, with their bins' edges.

import { scalarTypeName } from '../core/dtype.ts'
import { NotImplementedError, RuntimeError } from '../core/errors.ts'
import { contiguousStrides, formatSizes, numelOf } from '../core/shape.ts'
import { data, writeData } from '../tensor/data.ts'
import { type NamedResult, namedResult } from '../tensor/return-types.ts'
import { Tensor } from '../tensor/tensor.ts'
import { linspace } from './creation.ts'
import { areKnown, computeLater, onHost } from './host.ts'
import { emptyTensor } from './launch.ts'
import { checkTensor, type FunctionInfo, fn } from './op.ts'
import { diff } from './scan.ts'
import { reshape, select } from './views.ts'

/** Options of `histogram` and `histogramdd`. */
export interface HistogramOptions {
  /** The lower and the upper end of the bins, for each variable in turn; default: those of the elements. */
  range?: readonly number[] | null
  /** How much each element (row) counts; default 1. */
  weight?: Tensor | null
  /** Divide by the total and by the bins' sizes, so that the histogram integrates to 1. */
  density?: boolean
}

// The edges of a variable's bins: so many between two ends, or as given.
function edgesOf(
  name: string,
  values: Tensor,
  bins: number | Tensor,
  range: readonly number[] | null,
): Tensor {
  if (bins instanceof Tensor) {
    if (bins.ndim !== 1 || bins.numel() < 2)
      throw new RuntimeError(
        `${name}(): bins tensor should have one dimension and at least 2 elements, but got shape ${formatSizes(bins.sizes)}`,
      )
    if (bins.dtype !== values.dtype)
      throw new RuntimeError(`${name}(): input tensor and bins tensors should have the same dtype`)
    return bins
  }
  if (!(bins > 0)) throw new RuntimeError(`${name}(): bins must be > 0, but got ${bins} for dimension 0`)
  if (range === null && !areKnown([values]))
    return computeLater([values.detach()], [{ sizes: [bins + 1], dtype: values.dtype }], ([known]) => [
      edgesOf(name, known, bins, null),
    ])[0]
  // Of no elements PyTorch says 0 to 1.
  let [low, high] = [0, 1]
  if (range !== null) [low, high] = range
  else if (values.numel() > 0) {
    const known = onHost(values)!
    ;[low, high] = [Number(known.min().item()), Number(known.max().item())]
  }
  if (!Number.isFinite(low) || !Number.isFinite(high))
    throw new RuntimeError(`${name}(): dimension 0's range [${low}, ${high}] is not finite`)
  if (low > high)
    throw new RuntimeError(
      `${name}(): min should not exceed max, but got min ${low} max ${high} for dimension 0`,
    )
  if (low === high) [low, high] = [low - 0.5, high + 0.5]
  return linspace(low, high, bins + 1, { dtype: values.dtype, device: values.device })
}

// The bin of a value, the last one with its upper edge; -1 for those outside.
function binOf(value: number, edges: Float64Array): number {
  const last = edges.length - 1
  if (!(value >= edges[0] && value <= edges[last])) return -1
  let [low, high] = [0, last]
  while (high - low > 1) {
    const middle = (low + high) >> 1
    if (value >= edges[middle]) low = middle
    else high = middle
  }
  return low
}

const numbersOf = (x: Tensor): Float64Array => Float64Array.from(data(x.detach()) as Iterable<number>)

// Counts rows of `columns` variables.
function count(
  name: string,
  rows: Tensor,
  edges: readonly Tensor[],
  { weight, density = false }: HistogramOptions,
): Tensor {
  const columns = edges.length
  const sizes = edges.map((list) => list.sizes[0] - 1)
  const strides = contiguousStrides(sizes)
  const n = rows.sizes[0]
  if (weight && weight.numel() !== n)
    throw new RuntimeError(
      `${name}(): if weight tensor is provided it should have the same shape as the input tensor excluding its innermost dimension`,
    )
  if (weight && weight.dtype !== rows.dtype)
    throw new RuntimeError(
      `${name}(): if weight tensor is provided, input tensor and weight tensor should have the same dtype`,
    )
  const inputs = [rows, ...edges, ...(weight ? [weight] : [])].map((x) => x.detach())
  const result = areKnown(inputs)
    ? counted(inputs, columns, sizes, strides)
    : computeLater(inputs, [{ sizes, dtype: rows.dtype }], (known) => [
        counted(known, columns, sizes, strides),
      ])[0]
  if (!density) return result
  return edges.reduce(
    (histogram, list, d) =>
      histogram.div(
        reshape(
          diff(list),
          sizes.map((_, i) => (i === d ? -1 : 1)),
        ),
      ),
    result.div(result.sum()),
  )
}

// The counts themselves, of rows, edges and perhaps weights.
function counted(
  [rows, ...others]: readonly Tensor[],
  columns: number,
  sizes: readonly number[],
  strides: readonly number[],
): Tensor {
  const values = numbersOf(rows)
  const lists = others.slice(0, columns).map(numbersOf)
  const weights = others.length > columns ? numbersOf(others[columns]) : null
  const counts = new Float64Array(numelOf(sizes))
  for (let i = 0; i < rows.sizes[0]; i++) {
    let place = 0
    for (let d = 0; d < columns && place >= 0; d++) {
      const bin = binOf(values[i * columns + d], lists[d])
      place = bin < 0 ? -1 : place + bin * strides[d]
    }
    if (place >= 0) counts[place] += weights === null ? 1 : weights[i]
  }
  const result = emptyTensor(sizes, rows.dtype, rows.device)
  writeData(result, counts)
  return result
}

function checkInput(name: string, x: Tensor): void {
  checkTensor(name, 'input', x)
  if (x.dtype.kind !== 'float')
    throw new NotImplementedError(`"${name}_cpu" not implemented for '${scalarTypeName(x.dtype)}'`)
}

/** A histogram and the edges of its bins. */
export type HistogramResult = NamedResult<{ hist: Tensor; binEdges: Tensor }>

export type Histogram = (x: Tensor, bins: number | Tensor, options?: HistogramOptions) => HistogramResult

/** How many elements fall into each bin: so many bins of equal width, or bins between these edges. */
export const histogram: Histogram & FunctionInfo = fn<Histogram>(
  'histogram',
  ['input', 'bins'],
  ['range', 'weight', 'density'],
  (x: Tensor, bins: number | Tensor, options: HistogramOptions) => {
    checkInput('histogram', x)
    const rows = reshape(x, [-1, 1])
    const binEdges = edgesOf('histogram', rows, bins, options.range ?? null)
    const weight = options.weight ? reshape(options.weight, [-1]) : null
    return namedResult('histogram', {
      hist: count('histogram', rows, [binEdges], { ...options, weight }),
      binEdges,
    })
  },
  { positional: 0 },
)

/** A histogram of several variables and, for each, the edges of its bins. */
export type HistogramddResult = NamedResult<{ hist: Tensor; binEdges: Tensor[] }>

export type Histogramdd = (
  x: Tensor,
  bins: number | readonly number[] | readonly Tensor[],
  options?: HistogramOptions,
) => HistogramddResult

/** How many rows (along the last dimension, one number for each variable) fall into each cell of a grid of bins. */
export const histogramdd: Histogramdd & FunctionInfo = fn<Histogramdd>(
  'histogramdd',
  ['input', 'bins'],
  ['range', 'weight', 'density'],
  (x: Tensor, bins: number | readonly number[] | readonly Tensor[], options: HistogramOptions) => {
    checkInput('histogramdd', x)
    if (x.ndim < 2) throw new RuntimeError('histogramdd: input tensor should have at least 2 dimensions')
    const columns = x.sizes[x.ndim - 1]
    const list: readonly (number | Tensor)[] =
      typeof bins === 'number' ? new Array<number>(columns).fill(bins) : bins
    if (list.length !== columns)
      throw new RuntimeError(
        'histogramdd: The size of bins must be equal to the innermost dimension of the input.',
      )
    const rows = reshape(x, [-1, columns])
    const { range } = options
    const binEdges = list.map((each, d) =>
      edgesOf('histogramdd', select(rows, 1, d), each, range ? range.slice(2 * d, 2 * d + 2) : null),
    )
    const weight = options.weight ? reshape(options.weight, [-1]) : null
    return namedResult('histogramdd', {
      hist: count('histogramdd', rows, binEdges, { ...options, weight }),
      binEdges,
    })
  },
  { method: false, positional: 0 },
)
