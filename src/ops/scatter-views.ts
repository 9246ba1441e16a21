// Copies of a tensor with a part replaced: what writing to a view would do, out of place.

import { RuntimeError } from '../core/errors.ts'
import { formatSizes, sameSizes } from '../core/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { clone, contiguous, copyRaw } from './conversion.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { asStrided, diagonal, select, slice } from './views.ts'

type Part = (x: Tensor) => Tensor

// The attribute is the view itself: of the copy going forward, of the gradient going back.
function scatterOp(node: string, copy: (x: Tensor) => Tensor = clone): Op<Part> {
  const op: Op<Part> = {
    node,
    forward: ([x, source], part) => {
      const out = copy(x)
      copyRaw(part(out), source)
      return out
    },
    backward: ([g], c) => {
      const part = c.attributes
      return [
        c.needs(0) ? apply(op, [g!, g!.newZeros(c.inputSizes[1])], part) : null,
        c.needs(1) ? part(copy(g!)) : null,
      ]
    },
  }
  return op
}

function run(name: string, op: Op<Part>, x: Tensor, source: Tensor, part: Part): Tensor {
  checkTensor(name, 'input', x)
  checkTensor(name, 'src', source)
  const place = part(x.detach())
  if (!sameSizes(place.sizes, source.sizes))
    throw new RuntimeError(
      `expected src to have a size equal to the ${name.split('_')[0]} of self. src size = ${formatSizes(source.sizes)}, ${name.split('_')[0]} size = ${formatSizes(place.sizes)}`,
    )
  return apply(op, [x, source], part)
}

const selectScatterOp = scatterOp('SelectScatterBackward0')

/** A copy of x whose slice at `index` of a dimension is `source`. */
export const selectScatter: ((x: Tensor, source: Tensor, dim: number, index: number) => Tensor) &
  FunctionInfo = fn<(x: Tensor, source: Tensor, dim: number, index: number) => Tensor>(
  'select_scatter',
  ['input', 'src', 'dim', 'index'],
  [],
  (x: Tensor, source: Tensor, dim: number, index: number) =>
    run('select_scatter', selectScatterOp, x, source, (t) => select(t, dim, index)),
)

/** Options of `sliceScatter`: the slice, as in Python. */
export interface SliceScatterOptions {
  dim?: number
  start?: number | null
  end?: number | null
  step?: number
}

export interface SliceScatter {
  (x: Tensor, source: Tensor, dim?: number, start?: number | null, end?: number | null, step?: number): Tensor
  (x: Tensor, source: Tensor, options: SliceScatterOptions): Tensor
}

const sliceScatterOp = scatterOp('SliceScatterBackward0')

/** A copy of x whose elements `start` to `end` (excluded) of a dimension are `source`. */
export const sliceScatter: SliceScatter & FunctionInfo = fn<SliceScatter>(
  'slice_scatter',
  ['input', 'src'],
  ['dim', 'start', 'end', 'step'],
  (x: Tensor, source: Tensor, { dim = 0, start, end, step = 1 }: SliceScatterOptions) =>
    run('slice_scatter', sliceScatterOp, x, source, (t) =>
      slice(t, dim, start ?? 0, end ?? Number.MAX_SAFE_INTEGER, step),
    ),
)

/** Options of `diagonalScatter`. */
export interface DiagonalScatterOptions {
  offset?: number
  dim1?: number
  dim2?: number
}

export interface DiagonalScatter {
  (x: Tensor, source: Tensor, offset?: number, dim1?: number, dim2?: number): Tensor
  (x: Tensor, source: Tensor, options: DiagonalScatterOptions): Tensor
}

const diagonalScatterOp = scatterOp('DiagonalScatterBackward0')

/** A copy of x whose diagonal is `source`. */
export const diagonalScatter: DiagonalScatter & FunctionInfo = fn<DiagonalScatter>(
  'diagonal_scatter',
  ['input', 'src'],
  ['offset', 'dim1', 'dim2'],
  (x: Tensor, source: Tensor, { offset = 0, dim1 = 0, dim2 = 1 }: DiagonalScatterOptions) =>
    run('diagonal_scatter', diagonalScatterOp, x, source, (t) => diagonal(t, offset, dim1, dim2)),
)

export interface AsStridedScatter {
  (
    x: Tensor,
    source: Tensor,
    size: readonly number[],
    stride: readonly number[],
    storageOffset?: number | null,
  ): Tensor
  (
    x: Tensor,
    source: Tensor,
    size: readonly number[],
    stride: readonly number[],
    options: { storageOffset?: number | null },
  ): Tensor
}

// Strides name places in memory, so copies are dense ones in C order.
const dense = (x: Tensor): Tensor => (x.isContiguous() ? clone(x) : contiguous(x))

const asStridedScatterOp: Op<Part> = {
  ...scatterOp('AsStridedScatterBackward0', dense),
  // The gradient of x is PyTorch's (as_strided_scatter_backward): that of the replaced elements, zero elsewhere.
  backward: ([g], c) => {
    const part = c.attributes(dense(g!))
    const zeros = g!.newZeros(c.inputSizes[0])
    return [
      c.needs(0) ? apply(asStridedScatterOp, [zeros, part], c.attributes) : null,
      c.needs(1) ? part : null,
    ]
  },
}

/** A copy of x (in C order) whose elements at these sizes and strides are `source`. */
export const asStridedScatter: AsStridedScatter & FunctionInfo = fn<AsStridedScatter>(
  'as_strided_scatter',
  ['input', 'src', 'size', 'stride'],
  ['storageOffset'],
  (
    x: Tensor,
    source: Tensor,
    size: readonly number[],
    stride: readonly number[],
    { storageOffset }: { storageOffset?: number | null },
  ) =>
    run('as_strided_scatter', asStridedScatterOp, x, source, (t) =>
      asStrided(t, size, stride, storageOffset ?? 0),
    ),
)
