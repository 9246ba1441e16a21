// Reductions of consecutive segments of a dimension.

import { RuntimeError } from '../core/errors.ts'
import { formatSizes, wrapDim } from '../core/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { where } from './choices.ts'
import { needHost } from './host.ts'
import { stack } from './joining.ts'
import { checkTensor, type FunctionInfo, fn } from './op.ts'
import { narrow, reshape, select } from './views.ts'

/** How the elements of a segment are combined. */
export type SegmentReduction = 'sum' | 'mean' | 'max' | 'min' | 'prod'

/** Options of `segmentReduce`: either `lengths` or `offsets` must be given. */
export interface SegmentReduceOptions {
  /** How long each segment is; its last dimension counts the segments, those before are the data's. */
  lengths?: Tensor | null
  /** Where each segment begins, and the last one ends. */
  offsets?: Tensor | null
  indices?: null
  axis?: number
  /** Skips the check that the lengths sum to the size. */
  unsafe?: boolean
  /** What takes part in every segment, and is the result of an empty one. */
  initial?: number | null
}

export type SegmentReduce = (x: Tensor, reduce: SegmentReduction, options?: SegmentReduceOptions) => Tensor

const empties: Readonly<Record<SegmentReduction, number>> = {
  sum: 0,
  mean: Number.NaN,
  prod: 1,
  max: Number.NEGATIVE_INFINITY,
  min: Number.POSITIVE_INFINITY,
}

// One segment (along dimension 0) to one slice.
function reduceSegment(part: Tensor, reduce: SegmentReduction, initial: number | null): Tensor {
  const n = part.sizes[0]
  if (n === 0) return part.newFull(part.sizes.slice(1), initial ?? empties[reduce])
  switch (reduce) {
    case 'sum':
      return initial === null ? part.sum(0) : part.sum(0).add(initial)
    case 'mean':
      return (initial === null ? part.sum(0) : part.sum(0).add(initial)).div(n)
    case 'prod':
      return initial === null ? part.prod(0) : part.prod(0).mul(initial)
    default: {
      const extremum = reduce === 'max' ? part.amax(0) : part.amin(0)
      if (initial === null) return extremum
      return where(reduce === 'max' ? extremum.ge(initial) : extremum.le(initial), extremum, initial)
    }
  }
}

/** Reduces each segment of a dimension (0): 'sum', 'mean', 'max', 'min' or 'prod'. */
export const segmentReduce: SegmentReduce & FunctionInfo = fn<SegmentReduce>(
  'segment_reduce',
  ['data', 'reduce'],
  ['lengths', 'indices', 'offsets', 'axis', 'unsafe', 'initial'],
  (
    x: Tensor,
    reduce: SegmentReduction,
    { lengths, offsets, axis = 0, unsafe = false, initial = null }: SegmentReduceOptions,
  ) => {
    checkTensor('segment_reduce', 'data', x)
    if (!(reduce in empties)) throw new RuntimeError(`unsupported reduction: ${String(reduce)}`)
    const given = offsets ?? lengths
    if (!given) throw new RuntimeError('segment_reduce(): Either lengths or offsets must be defined.')
    const d = wrapDim(axis, x.ndim)
    if (given.ndim !== d + 1)
      throw new RuntimeError(
        `segment_reduce(): Expected lengths to have ${d + 1} dimensions, got ${formatSizes(given.sizes)}`,
      )
    const rows = d === 0 ? 1 : x.sizes.slice(0, d).reduce((a, b) => a * b, 1)
    const flat = reshape(x, [rows, ...x.sizes.slice(d)])
    const numbers = reshape(needHost('segment_reduce', given), [rows, -1]).tolist() as number[][]
    const results = numbers.map((list, row) => {
      const counts = offsets ? list.slice(1).map((n, i) => n - list[i]) : list
      let start = offsets ? list[0] : 0
      const total = counts.reduce((a, b) => a + b, start)
      if (!unsafe && (counts.some((n) => n < 0) || total !== x.sizes[d]))
        throw new RuntimeError(
          'segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1) when !unsafe.',
        )
      const slices = counts.map((n) => {
        const part = narrow(select(flat, 0, row), 0, start, n)
        start += n
        return reduceSegment(part, reduce, initial)
      })
      return stack(slices, 0)
    })
    return reshape(stack(results, 0), [
      ...x.sizes.slice(0, d),
      numbers[0]?.length - (offsets ? 1 : 0),
      ...x.sizes.slice(d + 1),
    ])
  },
  { method: false, positional: 0 },
)
