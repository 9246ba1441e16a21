// From tensors to sort requests: the elements that have certain places in the order of every line along a dimension.
// How lines are sorted is the backend's.

import { backendFor } from '../backends/backend.ts'
import { hostStep } from '../backends/recording.ts'
import { int32, int64 } from '../core/dtype.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { contiguous, to } from './conversion.ts'
import { areKnown, computeLater, needHost } from './host.ts'
import { emptyTensor } from './launch.ts'

/** Which places of the sorted order are wanted. */
export interface Places {
  readonly descending?: boolean
  /** How many, of every line. */
  readonly count: number
  /** The first of them, given how many elements of the line are NaN; by default 0. */
  readonly from?: (nans: number) => number
  /** Positions as int32 numbers, which JavaScript reads faster than the default, int64. */
  readonly narrow?: boolean
}

/**
 * The elements that have these places in the order of every line of `x` along `dim`, and their positions in the line: both
 * have the shape of `x` with `count` along `dim`. Equal elements stay in their order; NaN is the largest, -0 equals 0.
 */
export function atPlaces(
  x: Tensor,
  dim: number,
  { descending = false, count, from = () => 0, narrow = false }: Places,
): { values: Tensor; positions: Tensor } {
  const sizes = x.sizes.map((size, d) => (d === dim ? count : size))
  if (x.device.type !== 'meta' && !areKnown([x])) {
    const shapes = [x.dtype, narrow ? int32 : int64].map((dtype) => ({ sizes, dtype }))
    const [values, positions] = computeLater([x], shapes, ([known]) => {
      const found = atPlaces(known, dim, { descending, count, from, narrow })
      return [found.values, found.positions]
    })
    return { values, positions }
  }
  const source = x.device.type === 'meta' ? x : contiguous(needHost('sort', x))
  const values = emptyTensor(sizes, x.dtype, source.device)
  const positions = emptyTensor(sizes, narrow ? int32 : int64, source.device)
  if (x.device.type === 'meta' || values.numel() === 0) return onDevice()
  const extent = (from: number, to: number) => x.sizes.slice(from, to).reduce((a, b) => a * b, 1)
  // Not launched: a captured graph sorts again at every replay.
  hostStep(() =>
    backendFor(source.device.type).sort!({
      dtype: x.dtype,
      source: source.storage.allocation,
      offset: source.offset,
      outer: extent(0, dim),
      n: extent(dim, dim + 1),
      step: extent(dim + 1, x.ndim),
      descending,
      count,
      from,
      values: values.storage.allocation,
      positions: positions.storage.allocation,
      narrow,
    }),
  )
  return onDevice()

  function onDevice() {
    if (source.device.equals(x.device)) return { values, positions }
    return { values: to(values, x.device), positions: to(positions, x.device) }
  }
}
