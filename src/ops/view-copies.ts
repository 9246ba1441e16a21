// Views with memory of their own (`viewCopy` and its kin), and splits whose parts may be changed in place (`unsafe*`).

import type { Tensor } from '../tensor/tensor.ts'
import { clone, contiguous } from './conversion.ts'
import type { FunctionInfo } from './op.ts'
import {
  asStrided,
  chunk,
  diagonal,
  expand,
  narrow,
  permute,
  type Sizes,
  select,
  slice,
  split,
  squeeze,
  t,
  transpose,
  unbind,
  unfold,
  unsqueeze,
  view,
} from './views.ts'

// A copy in C order, never the tensor itself.
const fresh = (x: Tensor): Tensor => (x.isContiguous() ? clone(x) : contiguous(x))

// The same signature as the view, whose metadata (where it has any) comes along.
function copied<F extends (...args: never[]) => Tensor>(f: F, required: readonly string[]): F & FunctionInfo {
  const call = (...args: never[]) => fresh(f(...args))
  return Object.assign(call, { required, optional: [], method: false }, f) as unknown as F & FunctionInfo
}

function copiedAll<F extends (...args: never[]) => Tensor[]>(
  f: F,
  required: readonly string[],
): F & FunctionInfo {
  const call = (...args: never[]) => f(...args).map(fresh)
  return Object.assign(call, { required, optional: [], method: false }, f) as unknown as F & FunctionInfo
}

/** A copy of the tensor, in C order. */
export const aliasCopy: ((x: Tensor) => Tensor) & FunctionInfo = copied((x: Tensor) => x, ['input'])
/** `asStrided` with memory of its own, in C order. */
export const asStridedCopy: typeof asStrided = copied(asStrided, [])
/** `diagonal` with memory of its own, in C order. */
export const diagonalCopy: typeof diagonal = copied(diagonal, [])
/** `expand` with memory of its own, in C order. */
export const expandCopy: Sizes = copied(expand, [])
/** `narrow` with memory of its own, in C order. */
export const narrowCopy: typeof narrow & FunctionInfo = copied(narrow, ['input', 'dim', 'start', 'length'])
/** `permute` with memory of its own, in C order. */
export const permuteCopy: Sizes = copied(permute, [])
/** `select` with memory of its own, in C order. */
export const selectCopy: typeof select & FunctionInfo = copied(select, ['input', 'dim', 'index'])
/** `slice` with memory of its own, in C order. */
export const sliceCopy: typeof slice & FunctionInfo = copied(slice, ['input', 'dim', 'start', 'end'])
/** `squeeze` with memory of its own, in C order. */
export const squeezeCopy: typeof squeeze = copied(squeeze, [])
/** `t` with memory of its own, in C order. */
export const tCopy: typeof t & FunctionInfo = copied(t, ['input'])
/** `transpose` with memory of its own, in C order. */
export const transposeCopy: typeof transpose & FunctionInfo = copied(transpose, ['input', 'dim0', 'dim1'])
/** `unfold` with memory of its own, in C order. */
export const unfoldCopy: typeof unfold & FunctionInfo = copied(unfold, ['input', 'dimension', 'size', 'step'])
/** `unsqueeze` with memory of its own, in C order. */
export const unsqueezeCopy: typeof unsqueeze & FunctionInfo = copied(unsqueeze, ['input', 'dim'])
/** `view` with memory of its own, in C order. */
export const viewCopy: Sizes = copied(view, [])
/** `split` with memory of its own for each part. */
export const splitCopy: typeof split = copiedAll(split, [])
/** `unbind` with memory of its own for each part. */
export const unbindCopy: typeof unbind = copiedAll(unbind, [])

/** `split` with the sizes of all parts. */
export const splitWithSizes: typeof split = split
/** The same as `splitCopy`, given sizes. */
export const splitWithSizesCopy: typeof split = splitCopy

// Parts of a tensor that nobody else sees: PyTorch leaves it to the caller not to look at the whole any more.
/** `chunk` into parts that may be changed in place: each has memory of its own. */
export const unsafeChunk: typeof chunk = copiedAll(chunk, [])
/** `split` into parts that may be changed in place: each has memory of its own. */
export const unsafeSplit: typeof split = copiedAll(split, [])
/** The same as `unsafeSplit`, given sizes. */
export const unsafeSplitWithSizes: typeof split = unsafeSplit
