// Questions about dtypes that tensors and numbers ask together: torch.resultType, torch.canCast.

import type { DType } from '../core/dtype.ts'
import { canCast as castable, resultType as promoted } from '../core/promotion.ts'
import type { TensorOrScalar } from './pointwise.ts'

/** The dtype of an operation on these two, by the rules of type promotion. */
export function resultType(a: TensorOrScalar, b: TensorOrScalar): DType {
  return promoted([a, b])
}

/** Whether values of one dtype may be written to a tensor of another in place: never from float to int, nor to bool. */
export function canCast(from: DType, to: DType): boolean {
  return castable(from, to)
}
