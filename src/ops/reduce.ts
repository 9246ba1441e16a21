// The reduction machinery: dimensions to reduce, result shapes, kernels that loop over them.

import { Complex } from '../core/complex.ts'
import type { DType } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { wrapDims } from '../core/shape.ts'
import * as k from '../kernels/expr.ts'
import { type Expr, valueTypeOf } from '../kernels/expr.ts'
import { type Kernel, KernelBuilder, type LoopBuilder } from '../kernels/kernel.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { emptyTensor, launch, loopOperand, operand, splitDims } from './launch.ts'
import { reshape, unsqueeze } from './views.ts'

/** Dimensions as a caller names them: one, several, or all (null or left out). */
export type Dims = number | readonly number[] | null

/** The shape of a reduction's result. */
export function reducedSizes(sizes: readonly number[], dims: readonly number[], keepdim: boolean): number[] {
  return keepdim ? sizes.map((n, d) => (dims.includes(d) ? 1 : n)) : sizes.filter((_, d) => !dims.includes(d))
}

/** Puts the reduced dimensions back as dimensions of one element, so that the result broadcasts against the input. */
export function restoreDims(x: Tensor, rank: number, dims: readonly number[], keepdim: boolean): Tensor {
  if (keepdim || rank === 0) return x
  let result = x
  for (const d of [...dims].sort((a, b) => a - b)) result = unsqueeze(result, d)
  return result
}

/** How one element of a result comes from the elements along the reduced dimensions. */
export interface ReductionSpec {
  readonly name: string
  /** The loop, given how to read an element (converted to the dtype computed in); returns what is stored. */
  readonly kernel: (
    builder: KernelBuilder,
    read: (loop: LoopBuilder) => Expr,
    scalars: readonly Expr[],
  ) => Expr
}

/** A reduction's kernels, by the dtypes read, computed in and stored. */
export class Reducer {
  private readonly kernels = new Map<string, Kernel>()

  constructor(private readonly spec: ReductionSpec) {}

  private kernelFor(from: DType, compute: DType, to: DType, scalars: number): Kernel {
    const key = `${from.name} ${compute.name} ${to.name}`
    let kernel = this.kernels.get(key)
    if (kernel === undefined) {
      const b = new KernelBuilder(this.spec.name)
      const x = b.input(from)
      const out = b.output(to)
      const type = valueTypeOf(compute)
      const parameters = Array.from({ length: scalars }, () => b.scalar(type))
      const value = this.spec.kernel(b, (loop) => k.cast(loop.read(x), type), parameters)
      b.write(out, k.cast(value, valueTypeOf(to)))
      kernel = b.build()
      this.kernels.set(key, kernel)
    }
    return kernel
  }

  /** Reduces `dims` of a tensor, computing in one dtype and storing another. */
  run(
    x: Tensor,
    dims: readonly number[],
    keepdim: boolean,
    compute: DType,
    result: DType,
    scalars: readonly number[] = [],
  ): Tensor {
    const { outer, loop } = splitDims(x.sizes, dims)
    const out = emptyTensor(outer, result, x.device)
    const kernel = this.kernelFor(x.dtype, compute, result, scalars.length)
    launch(
      x.device,
      kernel,
      outer,
      loop,
      [loopOperand(x, dims), operand(out, [...out.strides, ...dims.map(() => 0)])],
      compute.kind === 'complex' ? scalars.map((value) => Complex.of(value)) : scalars,
    )
    return keepdim ? reshape(out, reducedSizes(x.sizes, dims, true)) : out
  }
}

/** Dimensions of a call, counted from the front. */
export function dimsOf(dim: Dims | undefined, x: Tensor): number[] {
  if (x.ndim > 64) throw new RuntimeError('only tensors with up to 64 dims are supported')
  return wrapDims(dim, x.ndim)
}
