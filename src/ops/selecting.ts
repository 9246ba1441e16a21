// Elements picked by position or by mask: take, takeAlongDim, maskedSelect, nonzero.

import { bool, int64, scalarTypeName } from '../core/dtype.ts'
import { IndexError, RuntimeError } from '../core/errors.ts'
import { broadcastSizes, contiguousStrides, numelOf, wrapDim } from '../core/shape.ts'
import { data, writeData } from '../tensor/data.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { needHost } from './host.ts'
import { checkBounds, wrapNegative } from './index-kernels.ts'
import { indexVector } from './index-vector.ts'
import { gather, indexSelect } from './indexing.ts'
import { emptyTensor } from './launch.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { expand, reshape, select } from './views.ts'

const takeOp: Op<Tensor> = {
  node: 'TakeBackward0',
  forward: ([x], index) => indexSelect(reshape(x, [-1]), 0, reshape(index, [-1])).reshape(index.sizes),
  backward: ([g], { attributes: index, inputSizes }) => [
    reshape(
      g!.newZeros([numelOf(inputSizes[0])]).indexAdd(0, reshape(index, [-1]), reshape(g!, [-1])),
      inputSizes[0],
    ),
  ],
}

/** The elements at these positions of the flattened tensor, in the shape of `index`. */
export function take(x: Tensor, index: Tensor): Tensor {
  if (index.dtype !== int64)
    throw new RuntimeError(`take(): Expected a long tensor for index, but got ${index.dtype.name}`)
  if (x.numel() === 0 && index.numel() > 0) throw new IndexError('take(): tried to take from an empty tensor')
  checkBounds('take', index, x.numel(), true)
  return apply(takeOp, [x], wrapNegative(index, x.numel()))
}

export interface TakeAlongDim {
  (x: Tensor, indices: Tensor, dim?: number | null): Tensor
  (x: Tensor, indices: Tensor, options: { dim?: number | null }): Tensor
}

/**
 * Elements along `dim` at the positions that `indices` (of argsort, say) says, negative ones counted from the end;
 * flattened where `dim` is left out.
 */
export const takeAlongDim: TakeAlongDim & FunctionInfo = fn<TakeAlongDim>(
  'take_along_dim',
  ['input', 'indices'],
  ['dim'],
  (x: Tensor, indices: Tensor, { dim }: { dim?: number | null }) => {
    checkTensor('take_along_dim', 'input', x)
    checkTensor('take_along_dim', 'indices', indices)
    if (indices.dtype !== int64)
      throw new RuntimeError(
        `torch.take_along_dim(): dtype of indices should be Long but got ${scalarTypeName(indices.dtype)}`,
      )
    if (dim === undefined || dim === null)
      return gather(reshape(x, [-1]), 0, wrapNegative(reshape(indices, [-1]), x.numel()))
    if (x.ndim !== indices.ndim)
      throw new RuntimeError(
        `torch.take_along_dim(): input and indices should have the same number of dimensions, but got ${x.ndim} dimensions for input, and ${indices.ndim} dimensions for indices`,
      )
    const d = wrapDim(dim, x.ndim)
    const sizes = broadcastSizes(
      x.sizes.map((n, i) => (i === d ? 1 : n)),
      indices.sizes.map((n, i) => (i === d ? 1 : n)),
    )
    const own = sizes.map((n, i) => (i === d ? x.sizes[i] : n))
    const index = sizes.map((n, i) => (i === d ? indices.sizes[i] : n))
    return gather(expand(x, own), d, wrapNegative(expand(indices, index), x.sizes[d]))
  },
)

/** Positions (C order) at which a mask is true. */
export function truePositions(mask: Tensor): Tensor {
  const values = data(needHost('nonzero', mask)) as Uint8Array
  const found: number[] = []
  for (let i = 0; i < values.length; i++) if (values[i]) found.push(i)
  return indexVector(found)
}

const maskedSelectOp: Op<{ readonly sizes: readonly number[]; readonly positions: Tensor }> = {
  node: 'MaskedSelectBackward0',
  forward: ([x], { sizes, positions }) => indexSelect(reshape(expand(x, sizes), [-1]), 0, positions),
  backward: ([g], { attributes: { sizes, positions } }) => [
    reshape(g!.newZeros([numelOf(sizes)]).indexAdd(0, positions, g!), sizes),
  ],
}

/** The elements where a bool mask (broadcast) is true, as a vector. */
export function maskedSelect(x: Tensor, mask: Tensor): Tensor {
  checkTensor('masked_select', 'mask', mask)
  if (mask.dtype !== bool) throw new RuntimeError(`masked_select: expected BoolTensor for mask`)
  const sizes = broadcastSizes(x.sizes, mask.sizes)
  return apply(maskedSelectOp, [x], { sizes, positions: truePositions(expand(mask, sizes)) })
}

export interface Nonzero {
  (x: Tensor): Tensor
  (x: Tensor, options: { asTuple: true }): Tensor[]
}

/** The coordinates of all elements that are not zero: one row each or, with `asTuple`, one vector for each dimension. */
export const nonzero: Nonzero & FunctionInfo = fn<Nonzero>(
  'nonzero',
  ['input'],
  ['asTuple'],
  (x: Tensor, { asTuple = false }: { asTuple?: boolean }): Tensor | Tensor[] => {
    checkTensor('nonzero', 'input', x)
    if (!asTuple) return coordinatesOf(x)
    const rows = coordinatesOf(x.ndim === 0 ? reshape(x, [1]) : x)
    return Array.from({ length: rows.sizes[1] }, (_, d) => select(rows, 1, d))
  },
  { positional: 0 },
)

function coordinatesOf(x: Tensor): Tensor {
  const values = needHost('nonzero', x)
  const positions = data(truePositions(values.dtype === bool ? values : values.ne(0))) as BigInt64Array
  const strides = contiguousStrides(x.sizes)
  const result = emptyTensor([positions.length, x.ndim], int64, x.device)
  const view = new BigInt64Array(positions.length * x.ndim)
  for (let i = 0; i < positions.length; i++) {
    let rest = Number(positions[i])
    for (let d = 0; d < x.ndim; d++) {
      const c = Math.floor(rest / strides[d])
      rest -= c * strides[d]
      view[i * x.ndim + d] = BigInt(c)
    }
  }
  writeData(result, view)
  return result
}
