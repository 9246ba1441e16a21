// Places in sorted boundaries where JavaScript cannot see the values: each value counts the boundaries before it.

import { type DType, int32, int64 } from '../core/dtype.ts'
import * as k from '../kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { emptyTensor, launch, operand } from './launch.ts'

const kernels = new Map<string, Kernel>()

function countKernel(dtype: DType, right: boolean, result: DType): Kernel {
  const key = `${dtype.name} ${right} ${result.name}`
  let kernel = kernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder('searchsorted')
    const [x, edges] = [b.input(dtype), b.input(dtype)]
    const out = b.output(result)
    const value = b.let(b.read(x))
    const count = b.loop((loop) => {
      const edge = loop.read(edges)
      // NaN comes after every boundary.
      const before = k.not(right ? k.gt(edge, value) : k.ge(edge, value))
      return loop.reduce('sum', k.select(before, k.constant(1, 'i32'), 0))
    })
    b.write(out, k.cast(count, result === int64 ? 'i64' : 'i32'))
    kernel = b.build()
    kernels.set(key, kernel)
  }
  return kernel
}

/**
 * How many of the sorted `boundaries` come before each value: those below it, with `right` also those equal to it.
 * @param boundaries a vector, or one line for each line of values; of the dtype of `x`
 */
export function searchOnDevice(boundaries: Tensor, x: Tensor, right: boolean, outInt32: boolean): Tensor {
  const result = emptyTensor(x.sizes, outInt32 ? int32 : int64, x.device)
  const last = boundaries.ndim - 1
  const own =
    boundaries.ndim === 1
      ? x.sizes.map(() => 0)
      : boundaries.strides.map((stride, d) => (d === last ? 0 : stride))
  const operands = [
    operand(x, [...x.strides, 0]),
    operand(boundaries, [...own, boundaries.strides[last]]),
    operand(result, [...result.strides, 0]),
  ]
  if (x.numel() > 0)
    launch(x.device, countKernel(x.dtype, right, result.dtype), x.sizes, [boundaries.sizes[last]], operands)
  return result
}
