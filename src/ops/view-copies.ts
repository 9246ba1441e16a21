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

export const aliasCopy: ((x: Tensor) => Tensor) & FunctionInfo = copied((x: Tensor) => x, ['input'])
export const asStridedCopy: typeof asStrided = copied(asStrided, [])
export const diagonalCopy: typeof diagonal = copied(diagonal, [])
export const expandCopy: Sizes = copied(expand, [])
export const narrowCopy: typeof narrow & FunctionInfo = copied(narrow, ['input', 'dim', 'start', 'length'])
export const permuteCopy: Sizes = copied(permute, [])
export const selectCopy: typeof select & FunctionInfo = copied(select, ['input', 'dim', 'index'])
export const sliceCopy: typeof slice & FunctionInfo = copied(slice, ['input', 'dim', 'start', 'end'])
export const squeezeCopy: typeof squeeze = copied(squeeze, [])
export const tCopy: typeof t & FunctionInfo = copied(t, ['input'])
export const transposeCopy: typeof transpose & FunctionInfo = copied(transpose, ['input', 'dim0', 'dim1'])
export const unfoldCopy: typeof unfold & FunctionInfo = copied(unfold, ['input', 'dimension', 'size', 'step'])
export const unsqueezeCopy: typeof unsqueeze & FunctionInfo = copied(unsqueeze, ['input', 'dim'])
export const viewCopy: Sizes = copied(view, [])
export const splitCopy: typeof split = copiedAll(split, [])
export const unbindCopy: typeof unbind = copiedAll(unbind, [])

/** `split` with the sizes of all parts. */
export const splitWithSizes: typeof split = split
export const splitWithSizesCopy: typeof split = splitCopy

// Parts of a tensor that nobody else sees: PyTorch leaves it to the caller not to look at the whole any more.
export const unsafeChunk: typeof chunk = copiedAll(chunk, [])
export const unsafeSplit: typeof split = copiedAll(split, [])
export const unsafeSplitWithSizes: typeof split = unsafeSplit
