// Writing elements in order: put (at positions of the flattened tensor), maskedScatter (where a mask is true).

import { bool, int64, scalarTypeName } from '../core/dtype.ts'
import { IndexError, RuntimeError } from '../core/errors.ts'
import { broadcastSizes, numelOf } from '../core/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { applyOver, clone, contiguous } from './conversion.ts'
import { checkBounds, wrapNegative } from './index-kernels.ts'
import { scatterInto } from './indexing.ts'
import { cat } from './joining.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { withInPlace } from './pointwise.ts'
import { take, truePositions } from './selecting.ts'
import { expand, reshape } from './views.ts'

interface PutAttributes {
  /** Positions in the flattened tensor, as a vector. */
  readonly index: Tensor
  readonly accumulate: boolean
}

const putOp: Op<PutAttributes> = {
  node: 'PutBackward0',
  forward: ([x, source], { index, accumulate }) => {
    const out = clone(contiguous(x))
    const mode = accumulate ? 'add' : 'set'
    scatterInto(reshape(out, [-1]), { dim: 0, index, mode, value: null }, reshape(source, [-1]))
    return out
  },
  backward: ([g], c) => {
    const { index, accumulate } = c.attributes
    return [
      accumulate || !c.needs(0)
        ? g
        : apply(putOp, [g!, g!.newZeros(index.sizes)], { index, accumulate: false }),
      c.needs(1) ? reshape(take(g!, index), c.inputSizes[1]) : null,
    ]
  },
}

export interface Put {
  (x: Tensor, index: Tensor, source: Tensor, accumulate?: boolean): Tensor
  (x: Tensor, index: Tensor, source: Tensor, options: { accumulate?: boolean }): Tensor
}

function putAttributes(
  x: Tensor,
  index: Tensor,
  source: Tensor,
  { accumulate = false }: { accumulate?: boolean },
): PutAttributes {
  checkTensor('put_', 'input', x)
  checkTensor('put_', 'index', index)
  checkTensor('put_', 'source', source)
  if (index.dtype !== int64)
    throw new RuntimeError(`put_(): Expected a long tensor for index, but got ${scalarTypeName(index.dtype)}`)
  if (x.dtype !== source.dtype)
    throw new RuntimeError(
      `put_(): self and source expected to have the same dtype, but got self.dtype = ${scalarTypeName(x.dtype)} and source.dtype = ${scalarTypeName(source.dtype)}`,
    )
  if (index.numel() !== source.numel())
    throw new RuntimeError(
      `put_(): Expected source and index to have the same number of elements, but got source.numel() = ${source.numel()}, index.numel() = ${index.numel()}`,
    )
  if (x.numel() === 0 && index.numel() > 0)
    throw new IndexError('put_(): Tried to put elements into an empty tensor')
  checkBounds('put_', index, x.numel(), true)
  return { index: wrapNegative(reshape(index, [-1]), x.numel()), accumulate }
}

/** Writes the elements of `source` to these positions of the flattened tensor; with `accumulate` they are added. */
export const put: Put & FunctionInfo & { readonly inPlace: Put } = withInPlace(
  fn<Put>(
    'put',
    ['input', 'index', 'source'],
    ['accumulate'],
    (x: Tensor, index: Tensor, source: Tensor, options: { accumulate?: boolean }) =>
      apply(putOp, [x, source], putAttributes(x, index, source, options)),
  ),
  fn<Put>(
    'put_',
    ['input', 'index', 'source'],
    ['accumulate'],
    (x: Tensor, index: Tensor, source: Tensor, options: { accumulate?: boolean }) =>
      applyOver(putOp, [x, source], putAttributes(x, index, source, options)),
  ),
)

interface MaskedScatterAttributes {
  readonly mask: Tensor
  /** Where the mask, in the result's shape, is true. */
  readonly positions: Tensor
}

const maskedScatterOp: Op<MaskedScatterAttributes> = {
  node: 'MaskedScatterBackward0',
  forward: ([x, source], { mask, positions }) => {
    const out = clone(contiguous(expand(x, broadcastSizes(x.sizes, mask.sizes))))
    const values = reshape(source, [-1]).narrow(0, 0, positions.numel())
    scatterInto(reshape(out, [-1]), { dim: 0, index: positions, mode: 'set', value: null }, values)
    return out
  },
  backward: ([g], c) => {
    const { mask, positions } = c.attributes
    const own = c.needs(0) ? g!.maskedFill(mask, 0) : null
    if (!c.needs(1)) return [own, null]
    // Elements of the source that were not needed have no gradient.
    const used = take(g!, positions)
    const rest = numelOf(c.inputSizes[1]) - positions.numel()
    const all = rest === 0 ? used : cat([used, g!.newZeros([rest])])
    return [own, reshape(all, c.inputSizes[1])]
  },
}

export type MaskedScatter = (x: Tensor, mask: Tensor, source: Tensor) => Tensor

function maskedScatterAttributes(x: Tensor, mask: Tensor, source: Tensor): MaskedScatterAttributes {
  checkTensor('masked_scatter_', 'input', x)
  checkTensor('masked_scatter_', 'mask', mask)
  checkTensor('masked_scatter_', 'source', source)
  if (x.dtype !== source.dtype)
    throw new RuntimeError(
      `masked_scatter_: expected self and source to have same dtypes but got ${scalarTypeName(x.dtype)} and ${scalarTypeName(source.dtype)}`,
    )
  if (mask.dtype !== bool)
    throw new RuntimeError(
      `masked_scatter_ only supports boolean masks, but got mask with dtype ${scalarTypeName(mask.dtype)}`,
    )
  const positions = truePositions(expand(mask, broadcastSizes(x.sizes, mask.sizes)))
  if (positions.numel() > source.numel())
    throw new RuntimeError('Number of elements of source < number of ones in mask')
  return { mask, positions }
}

/** Writes the elements of `source`, in order, where a bool mask (broadcast) is true. */
export const maskedScatter: MaskedScatter & FunctionInfo & { readonly inPlace: MaskedScatter } = withInPlace(
  fn<MaskedScatter>(
    'masked_scatter',
    ['input', 'mask', 'source'],
    [],
    (x: Tensor, mask: Tensor, source: Tensor) =>
      apply(maskedScatterOp, [x, source], maskedScatterAttributes(x, mask, source)),
  ),
  (x, mask, source) => applyOver(maskedScatterOp, [x, source], maskedScatterAttributes(x, mask, source)),
)
