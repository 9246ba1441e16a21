// New tensors with the dtype and device of another: newZeros, newOnes, newFull, newEmpty, newTensor.

import type { Tensor } from '../tensor/tensor.ts'
import { checkSizes, full, resolveOptions, type TensorData, type TensorOptions, tensor } from './creation.ts'
import { isOptions } from './op.ts'
import type { Scalar } from './pointwise.ts'

export interface NewSizes {
  (x: Tensor, ...sizes: number[]): Tensor
  (x: Tensor, sizes: readonly number[], options?: TensorOptions): Tensor
}

function newFilled(name: string, value: Scalar): NewSizes {
  return (x: Tensor, ...args: unknown[]) => {
    const last = args[args.length - 1]
    const options: TensorOptions = isOptions(last) ? last : {}
    const sizes = checkSizes(name, isOptions(last) ? args.slice(0, -1) : args)
    return full(sizes, value, resolveOptions(name, { device: x.device, ...options }, x.dtype))
  }
}

/** Zeros of x's dtype, on its device. */
export const newZeros: NewSizes = newFilled('new_zeros', 0)
/** Ones of x's dtype, on its device. */
export const newOnes: NewSizes = newFilled('new_ones', 1)
/** A tensor of x's dtype, on its device, of unspecified contents. */
export const newEmpty: NewSizes = newFilled('new_empty', 0)

/** A number in a shape, in x's dtype, on its device. */
export function newFull(
  x: Tensor,
  sizes: readonly number[],
  value: Scalar,
  options: TensorOptions = {},
): Tensor {
  return full(sizes, value, resolveOptions('new_full', { device: x.device, ...options }, x.dtype))
}

/** Values in x's dtype, on its device. */
export function newTensor(x: Tensor, data: TensorData, options: TensorOptions = {}): Tensor {
  return tensor(data, { dtype: x.dtype, device: x.device, ...options })
}
