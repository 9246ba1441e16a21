// Methods that change a tensor's shape or part of it in place: resize_, as_strided_, swapaxes_, fill_diagonal_.

import { uint8 } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { contiguousStrides, formatSizes, numelOf } from '../core/shape.ts'
import { Storage } from '../tensor/storage.ts'
import { Tensor } from '../tensor/tensor.ts'
import { copyRaw } from './conversion.ts'
import { checkTensor } from './op.ts'
import type { Scalar } from './pointwise.ts'
import { become } from './view-in-place.ts'
import { asStrided, transpose } from './views.ts'

function resize(x: Tensor, sizes: readonly number[]): Tensor {
  if (x.requiresGrad) throw new RuntimeError('cannot resize variables that require grad')
  if (sizes.some((n) => n < 0))
    throw new RuntimeError(`requested resize to ${formatSizes(sizes)} has a negative size`)
  const needed = (x.offset + numelOf(sizes)) * x.dtype.itemsize
  if (needed > x.storage.nbytes) {
    if (x.base !== null) throw new RuntimeError('Trying to resize storage that is not resizable')
    const storage = Storage.allocate(needed, x.device)
    if (x.device.type !== 'meta') {
      const old = new Tensor(x.storage, [x.storage.nbytes], [1], 0, uint8)
      copyRaw(new Tensor(storage, old.sizes, old.strides, 0, uint8), old)
    }
    ;(x as { storage: Storage }).storage = storage
  }
  x.sizes = [...sizes]
  x.strides = contiguousStrides(sizes)
  return x
}

interface InPlaceShapes {
  /**
   * Gives the tensor itself another shape, contiguous; elements that it did not have are unspecified.
   * @throws RuntimeError for views that would need more memory, and for tensors that require a gradient.
   */
  readonly resize_: (x: Tensor, ...sizes: number[] | [readonly number[]]) => Tensor
  /** Gives the tensor itself the shape of another. */
  readonly resizeAs_: (x: Tensor, other: Tensor) => Tensor
  /** Makes the tensor itself a view with these sizes and strides. */
  readonly asStrided_: (
    x: Tensor,
    size: readonly number[],
    stride: readonly number[],
    storageOffset?: number | null | { storageOffset?: number | null },
  ) => Tensor
  /** Swaps two dimensions of the tensor itself. */
  readonly swapaxes_: (x: Tensor, axis0: number, axis1: number) => Tensor
  /** Swaps two dimensions of the tensor itself. */
  readonly swapdims_: (x: Tensor, dim0: number, dim1: number) => Tensor
  /** Writes a number to the main diagonal; `wrap`: again below it in tall matrices. */
  readonly fillDiagonal_: (x: Tensor, value: Scalar, options?: boolean | { wrap?: boolean }) => Tensor
}

export const inPlaceShapes: InPlaceShapes = {
  resize_: (x, ...sizes) => resize(x, (Array.isArray(sizes[0]) ? sizes[0] : sizes) as number[]),
  resizeAs_: (x, other) => {
    checkTensor('resize_as_', 'the_template', other)
    return resize(x, other.sizes)
  },
  asStrided_: (x, size, stride, offset) => {
    const storageOffset = typeof offset === 'object' && offset !== null ? offset.storageOffset : offset
    return become(x, asStrided(x, size, stride, storageOffset ?? x.offset))
  },
  swapaxes_: (x, axis0, axis1) => become(x, transpose(x, axis0, axis1)),
  swapdims_: (x, dim0, dim1) => become(x, transpose(x, dim0, dim1)),
  fillDiagonal_: (x, value, options = {}) => {
    const wrap = typeof options === 'boolean' ? options : (options.wrap ?? false)
    if (x.ndim < 2) throw new RuntimeError('dimensions must larger than 1')
    if (x.ndim > 2 && x.sizes.some((n) => n !== x.sizes[0]))
      throw new RuntimeError('all dimensions of input must be of equal length')
    const step = x.strides.reduce((sum, s) => sum + s, 0)
    const [rows, columns] = x.sizes
    asStrided(x, [Math.min(...x.sizes)], [step]).fill_(value)
    // Below the first square and an empty row the next diagonal begins.
    if (wrap && x.ndim === 2 && rows > columns + 1)
      for (let top = columns + 1; top < rows; top += columns + 1)
        asStrided(x, [Math.min(columns, rows - top)], [step], x.offset + top * x.strides[0]).fill_(value)
    return x
  },
}
