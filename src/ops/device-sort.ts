// Sorting where JavaScript cannot see the values: each element counts those that come before it and is put there.

import { type DType, int64 } from '../core/dtype.ts'
import type { Expr } from '../kernels/expr.ts'
import * as k from '../kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { contiguous } from './conversion.ts'
import { emptyTensor, launch, operand } from './launch.ts'
import { narrow, reshape } from './views.ts'

const kernels = new Map<string, Kernel>()

// NaN is larger than every number.
function isLess(a: Expr, b: Expr): Expr {
  if (!k.isFloat(a.type)) return k.lt(a, b)
  return k.or(k.lt(a, b), k.and(k.isNaN_(b), k.not(k.isNaN_(a))))
}

// values[rank(p)] = x[p], positions[rank(p)] = p; the rank is how many elements of the line come before x[p].
function sortKernel(dtype: DType, dim: number, descending: boolean): Kernel {
  const key = `${dtype.name} ${dim} ${descending}`
  let kernel = kernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder('sort')
    const [x, line] = [b.input(dtype), b.input(dtype)]
    const [values, positions] = [b.output(dtype), b.output(int64)]
    const own = b.let(b.read(x))
    const place = b.index(dim)
    const rank = b.loop((loop) => {
      const other = loop.read(line)
      const [before, after] = [isLess(other, own), isLess(own, other)]
      const first = descending ? after : before
      const equal = k.not(k.or(before, after))
      const comesFirst = k.or(first, k.and(equal, k.lt(loop.index(0), place)))
      return loop.reduce('sum', k.select(comesFirst, k.constant(1, 'i32'), 0))
    })
    b.write(values, own, { at: [rank] })
    b.write(positions, k.cast(place, 'i64'), { at: [rank] })
    kernel = b.build()
    kernels.set(key, kernel)
  }
  return kernel
}

/**
 * The first `count` elements of every line along `dim` in order, and their positions (int64). Stable; the work grows with
 * the square of the line's length, all of it in parallel.
 */
export function sortOnDevice(x: Tensor, dim: number, count: number, descending: boolean): [Tensor, Tensor] {
  if (x.ndim === 0) {
    const [values, positions] = sortOnDevice(reshape(x, [1]), 0, 1, descending)
    return [reshape(values, []), reshape(positions, [])]
  }
  const values = emptyTensor(x.sizes, x.dtype, x.device)
  const positions = emptyTensor(x.sizes, int64, x.device)
  const still = (strides: readonly number[]): number[] => strides.map((s, d) => (d === dim ? 0 : s))
  const out = (t: Tensor) => operand(t, [...still(t.strides), 0], [t.strides[dim]])
  const operands = [
    operand(x, [...x.strides, 0]),
    operand(x, [...still(x.strides), x.strides[dim]]),
    out(values),
    out(positions),
  ]
  if (x.numel() > 0) launch(x.device, sortKernel(x.dtype, dim, descending), x.sizes, [x.sizes[dim]], operands)
  if (count === x.sizes[dim]) return [values, positions]
  return [contiguous(narrow(values, dim, 0, count)), contiguous(narrow(positions, dim, 0, count))]
}
