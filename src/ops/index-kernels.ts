// What reading and writing by index share: checks, one kernel for reading at computed places, one for writing.

import { hostStep } from '../backends/recording.ts'
import type { DType } from '../core/dtype.ts'
import { IndexError, RuntimeError } from '../core/errors.ts'
import * as k from '../kernels/expr.ts'
import { type Expr, valueTypeOf } from '../kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { where } from './choices.ts'
import { onHost } from './host.ts'

/** Throws unless an index is of int32 or int64. */
export function checkIndexDType(name: string, index: Tensor): void {
  if (index.dtype.name !== 'int64' && index.dtype.name !== 'int32')
    throw new RuntimeError(`${name}(): Expected dtype int32/int64 for index but got: ${index.dtype.name}`)
}

/** Throws an IndexError unless every index lies within `size`; with `wrap`, negative ones count from the end. */
export function checkBounds(name: string, index: Tensor, size: number, wrap = false, dim = 0): void {
  if (index.device.type === 'meta' || index.numel() === 0) return
  hostStep(() => checkValues(name, index, size, wrap, dim))
}

function checkValues(name: string, index: Tensor, size: number, wrap: boolean, dim: number): void {
  const values = onHost(index)
  if (values === null) return
  const low = Number(values.min().item())
  const high = Number(values.max().item())
  const worst = high >= size ? high : low < (wrap ? -size : 0) ? low : null
  if (worst === null) return
  throw wrap
    ? new IndexError(`index ${worst} is out of bounds for dimension ${dim} with size ${size}`)
    : name === 'gather' || name === 'scatter'
      ? new RuntimeError(`index ${worst} is out of bounds for dimension ${dim} with size ${size}`)
      : new IndexError(
          name === 'index_select'
            ? 'index out of range in self'
            : `index ${worst} is out of bounds for dimension ${dim} with size ${size}`,
        )
}

const gatherKernels = new Map<string, Kernel>()

// out[p] = x[p, with the coordinates of some dimensions replaced by indices[p]]
export function gatherKernel(dtype: DType, indexDTypes: readonly DType[]): Kernel {
  const key = `${dtype.name} ${indexDTypes.map((d) => d.name)}`
  let kernel = gatherKernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder('gather')
    const x = b.input(dtype)
    const indices = indexDTypes.map((d) => b.input(d))
    const out = b.output(dtype)
    b.write(out, b.read(x, { at: indices.map((i) => b.read(i)) }))
    kernel = b.build()
    gatherKernels.set(key, kernel)
  }
  return kernel
}

const scatterKernels = new Map<string, Kernel>()

export type ScatterMode = 'set' | 'add' | 'multiply' | 'amax' | 'amin'

// What is there and what is written, together. Booleans are or'ed where numbers are added.
function combined(mode: ScatterMode, old: Expr, value: Expr): Expr {
  const isBool = old.type === 'bool'
  if (mode === 'amax' || mode === 'add') return isBool ? k.or(old, value) : k.max(old, value)
  if (isBool) return k.and(old, value)
  return mode === 'multiply' ? k.mul(old, value) : k.min(old, value)
}

export function scatterKernel(
  dtype: DType,
  indexDTypes: readonly DType[],
  source: DType | null,
  mode: ScatterMode,
): Kernel {
  const key = `${dtype.name} ${indexDTypes.map((d) => d.name)} ${source?.name} ${mode}`
  let kernel = scatterKernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder(`scatter_${mode}`)
    const out = b.output(dtype, 'readwrite')
    const indices = indexDTypes.map((d) => b.input(d))
    const type = valueTypeOf(dtype)
    const value = source === null ? b.scalar(type) : k.cast(b.read(b.input(source)), type)
    const at = indices.map((i) => b.read(i))
    if (mode === 'set' || (mode === 'add' && type !== 'bool')) b.write(out, value, { at, mode })
    else b.write(out, combined(mode, b.read(out, { at }), value), { at })
    kernel = b.build()
    scatterKernels.set(key, kernel)
  }
  return kernel
}

/** Strides that stand still along a dimension. */
export const zeroAt = (strides: readonly number[], dim: number): number[] =>
  strides.map((s, d) => (d === dim ? 0 : s))

/** Positions with negative ones counted from the end. */
export const wrapNegative = (index: Tensor, size: number): Tensor =>
  where(index.lt(0), index.add(size), index)

/** An index into a dimension. */
export interface DimIndex {
  readonly dim: number
  readonly index: Tensor
}
