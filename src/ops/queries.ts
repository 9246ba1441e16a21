// Questions about one tensor (or two) whose answers are JavaScript booleans.

import { Complex } from '../core/complex.ts'
import { RuntimeError } from '../core/errors.ts'
import { sameSizes } from '../core/shape.ts'
import { item } from '../tensor/data.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkTensor } from './op.ts'

/** Whether a tensor's dtype is a floating one. */
export function isFloatingPoint(x: Tensor): boolean {
  checkTensor('is_floating_point', 'input', x)
  return x.dtype.kind === 'float'
}

/** Whether a tensor's dtype is complex. */
export function isComplex(x: Tensor): boolean {
  checkTensor('is_complex', 'input', x)
  return x.isComplex()
}

/** Whether a tensor shows the conjugates of what is in memory, as `conj` gives it. */
export function isConj(x: Tensor): boolean {
  checkTensor('is_conj', 'input', x)
  return x.isConj()
}

/** Whether a tensor shows the negatives of what is in memory: never here. */
export function isNeg(x: Tensor): boolean {
  checkTensor('is_neg', 'input', x)
  return x.isNeg()
}

/** Whether a tensor's dtype has a sign. */
export function isSigned(x: Tensor): boolean {
  checkTensor('is_signed', 'input', x)
  return x.isSigned()
}

/** Whether the one element of a tensor is not zero. Throws for tensors of more or fewer elements. */
export function isNonzero(x: Tensor): boolean {
  checkTensor('is_nonzero', 'input', x)
  const n = x.numel()
  if (n === 0) throw new RuntimeError('Boolean value of Tensor with no values is ambiguous')
  if (n > 1) throw new RuntimeError('Boolean value of Tensor with more than one value is ambiguous')
  const value = item(x)
  return value instanceof Complex ? !value.equals(new Complex(0)) : Boolean(Number(value))
}

/** Whether two tensors have the same shape. */
export function isSameSize(x: Tensor, other: Tensor): boolean {
  checkTensor('is_same_size', 'input', x)
  checkTensor('is_same_size', 'other', other)
  return sameSizes(x.sizes, other.sizes)
}
