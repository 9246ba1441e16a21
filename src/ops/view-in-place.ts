// Views that change a tensor itself: t_, transpose_, squeeze_, unsqueeze_, detach_ of shape only.

import { gradMode } from '../autograd/mode.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkInPlace, rebaseHistory } from './op.ts'
import { squeeze, t, transpose, unsqueeze } from './views.ts'

/** Takes over the shape and the history of a view of the same tensor; PyTorch numbers these nodes 1. */
export function become(x: Tensor, viewed: Tensor): Tensor {
  if (gradMode.enabled && x.requiresGrad) checkInPlace(x)
  x.sizes = viewed.sizes
  x.strides = viewed.strides
  x.offset = viewed.offset
  x.storage.version++
  const node = viewed.autograd?.gradFn
  // A view is recorded anew when it is next asked, with its new shape; the memory of its base did not change.
  if (node && x.base === null) {
    node.rename(node.name().replace(/\d+$/, '1'))
    rebaseHistory(x, node)
  }
  return x
}

export const transposeInPlace: {
  /** Transposes the matrix itself. */
  readonly t_: (x: Tensor) => Tensor
  /** Swaps two dimensions of the tensor itself. */
  readonly transpose_: (x: Tensor, dim0: number, dim1: number) => Tensor
  /** Removes dimensions of size 1 from the tensor itself. */
  readonly squeeze_: (x: Tensor, dim?: number | readonly number[]) => Tensor
  /** Inserts a dimension of size 1 into the tensor itself. */
  readonly unsqueeze_: (x: Tensor, dim: number) => Tensor
} = {
  t_: (x) => become(x, t(x)),
  transpose_: (x, dim0, dim1) => become(x, transpose(x, dim0, dim1)),
  squeeze_: (x, dim) => become(x, dim === undefined ? squeeze(x) : squeeze(x, dim)),
  unsqueeze_: (x, dim) => become(x, unsqueeze(x, dim)),
}
