// Repeating and rearranging one tensor: repeat, flip, roll, triangles, diagonals, splits at positions.

import type { DType } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { contiguousStrides, wrapDim, wrapDims } from '../core/shape.ts'
import * as k from '../kernels/expr.ts'
import { valueTypeOf } from '../kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import { Tensor } from '../tensor/tensor.ts'
import { applyOver, contiguous, copyRaw } from './conversion.ts'
import { fullTensor } from './creation.ts'
import { needHost } from './host.ts'
import { indexVector } from './index-vector.ts'
import { indexSelect } from './indexing.ts'
import { cat } from './joining.ts'
import { emptyTensor, launch, operand } from './launch.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { expand, flatten, narrow, reshape, slice, transpose, unsqueeze, view } from './views.ts'

const repeatOp: Op<readonly number[]> = {
  node: 'RepeatBackward0',
  forward: ([x], repeats) => {
    const shift = repeats.length - x.ndim
    const padded = reshape(x, [...new Array<number>(shift).fill(1), ...x.sizes])
    // [r0, n0, r1, n1, ...]: expanded along the r's, then merged in pairs.
    let spread = padded
    for (let d = 0; d < repeats.length; d++) spread = unsqueeze(spread, 2 * d)
    const sizes = repeats.flatMap((r, d) => [r, padded.sizes[d]])
    return reshape(
      contiguous(expand(spread, sizes)),
      repeats.map((r, d) => r * padded.sizes[d]),
    )
  },
  backward: ([g], { attributes: repeats, inputSizes }) => {
    const sizes = [...new Array<number>(repeats.length - inputSizes[0].length).fill(1), ...inputSizes[0]]
    if (repeats.some((r) => r === 0)) return [g!.newZeros(inputSizes[0])]
    const split = view(
      contiguous(g!),
      repeats.flatMap((r, d) => [r, sizes[d]]),
    )
    const summed = repeats.length === 0 ? split : split.sum(repeats.map((_, d) => 2 * d))
    return [reshape(summed, inputSizes[0])]
  },
}

export interface Repeat extends FunctionInfo {
  (x: Tensor, ...repeats: number[]): Tensor
  (x: Tensor, repeats: readonly number[]): Tensor
  readonly variadic: 'sizes'
}

/** The tensor so many times along each dimension; more numbers than dimensions add dimensions in front. */
export const repeat: Repeat = Object.assign(
  (x: Tensor, ...args: unknown[]) => {
    const repeats = (Array.isArray(args[0]) ? args[0] : args) as number[]
    if (repeats.length < x.ndim)
      throw new RuntimeError(
        'Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor',
      )
    if (repeats.some((r) => r < 0))
      throw new RuntimeError(`Trying to create tensor with negative dimension ${Math.min(...repeats)}`)
    return apply(repeatOp, [x], [...repeats])
  },
  { required: ['input', 'repeats'], optional: [], method: true, variadic: 'sizes' as const },
) as Repeat

/** As `repeat`, but fewer numbers than dimensions are taken for the last ones. */
export function tile(x: Tensor, dims: readonly number[]): Tensor {
  const pad = Math.max(x.ndim - dims.length, 0)
  return repeat(x, [...new Array<number>(pad).fill(1), ...dims])
}

export interface RepeatInterleave {
  (x: Tensor, repeats: number | Tensor, dim?: number | null): Tensor
  (x: Tensor, repeats: number | Tensor, options?: { dim?: number | null; outputSize?: number }): Tensor
}

/** Each element (slice of `dim`) so many times in a row. */
export const repeatInterleave: RepeatInterleave & FunctionInfo = fn<RepeatInterleave>(
  'repeat_interleave',
  ['input', 'repeats'],
  ['dim', 'outputSize'],
  (x: Tensor, repeats: number | Tensor, { dim }: { dim?: number | null }) => {
    const source = dim === undefined || dim === null ? reshape(x, [-1]) : x
    const d = dim === undefined || dim === null ? 0 : wrapDim(dim, x.ndim)
    const n = source.sizes[d] ?? 1
    if (typeof repeats === 'number') {
      if (repeats < 0) throw new RuntimeError('Repeats must be non-negative')
      const spread = expand(unsqueeze(source, d + 1), [
        ...source.sizes.slice(0, d + 1),
        repeats,
        ...source.sizes.slice(d + 1),
      ])
      return flatten(contiguous(spread), d, d + 1)
    }
    const counts = repeats.numel() === 1 ? expand(reshape(repeats, [1]), [n]) : repeats
    if (counts.sizes[0] !== n)
      throw new RuntimeError(
        'repeats must have the same size as input along dim, but got ' +
          `repeats.size(0) = ${counts.sizes[0]} and input.size(${d}) = ${n}`,
      )
    const index: number[] = []
    ;(needHost('repeat_interleave', counts).tolist() as number[]).forEach((count, i) => {
      if (count < 0) throw new RuntimeError('repeats can not be negative')
      for (let j = 0; j < count; j++) index.push(i)
    })
    return indexSelect(source, d, indexVector(index))
  },
)

// ---- order ------------------------------------------------------------------------------------------------------------------

const flipOp: Op<readonly number[]> = {
  node: 'FlipBackward0',
  forward: ([x], dims) => {
    const out = emptyTensor(x.sizes, x.dtype, x.device)
    if (x.numel() === 0) return out
    // Read backwards: negative strides from the last element on.
    const strides = x.strides.map((s, d) => (dims.includes(d) ? -s : s))
    const offset = x.offset + dims.reduce((sum, d) => sum + (x.sizes[d] - 1) * x.strides[d], 0)
    return copyRaw(out, new Tensor(x.storage, x.sizes, strides, offset, x.dtype))
  },
  backward: ([g], { attributes: dims }) => [flip(g!, dims)],
}

/** The elements of these dimensions in reverse order. */
export function flip(x: Tensor, ...dims: number[] | [readonly number[]]): Tensor {
  const list = (Array.isArray(dims[0]) ? dims[0] : dims) as number[]
  return apply(flipOp, [x], list.length === 0 ? [] : wrapDims(list, x.ndim))
}

/** Left and right exchanged. */
export function fliplr(x: Tensor): Tensor {
  if (x.ndim < 2) throw new RuntimeError('Input must be >= 2-d.')
  return flip(x, 1)
}

/** Up and down exchanged. */
export function flipud(x: Tensor): Tensor {
  if (x.ndim < 1) throw new RuntimeError('Input must be >= 1-d.')
  return flip(x, 0)
}

interface RollAttributes {
  readonly shifts: readonly number[]
  /** Null: as if flattened. */
  readonly dims: readonly number[] | null
}

const rollOp: Op<RollAttributes> = {
  node: 'RollBackward0',
  forward: ([x], { shifts, dims }) => {
    let result = dims === null ? reshape(x, [-1]) : x
    ;(dims ?? [0]).forEach((d, i) => {
      const n = result.sizes[d]
      const shift = n === 0 ? 0 : ((shifts[i] % n) + n) % n
      if (shift !== 0) result = cat([narrow(result, d, n - shift, shift), narrow(result, d, 0, n - shift)], d)
    })
    return result.storage === x.storage ? contiguous(x.clone()) : reshape(result, x.sizes)
  },
  backward: ([g], { attributes: { shifts, dims } }) => [
    apply(rollOp, [g!], { shifts: shifts.map((s) => -s), dims }),
  ],
}

export interface Roll {
  (x: Tensor, shifts: number | readonly number[], dims?: number | readonly number[]): Tensor
  (x: Tensor, shifts: number | readonly number[], options?: { dims?: number | readonly number[] }): Tensor
}

/** Shifts elements along dimensions, those that fall off re-entering; flattened where no dimension is named. */
export const roll: Roll & FunctionInfo = fn<Roll>(
  'roll',
  ['input', 'shifts'],
  ['dims'],
  (x: Tensor, shifts: number | readonly number[], { dims }: { dims?: number | readonly number[] }) => {
    const shiftList = typeof shifts === 'number' ? [shifts] : shifts
    const dimList = dims === undefined ? [] : typeof dims === 'number' ? [dims] : dims
    if (shiftList.length === 0) throw new RuntimeError('`shifts` required')
    if (dimList.length === 0 && shiftList.length === 1)
      return apply(rollOp, [x], { shifts: shiftList, dims: null })
    if (dimList.length !== shiftList.length)
      throw new RuntimeError(
        `shifts and dimensions must align. shifts: ${shiftList.length}, dims:${dimList.length}`,
      )
    return apply(rollOp, [x], { shifts: shiftList, dims: dimList.map((d) => wrapDim(d, x.ndim)) })
  },
)

export interface Rot90 {
  (x: Tensor, k?: number, dims?: readonly number[]): Tensor
  (x: Tensor, options: { k?: number; dims?: readonly number[] }): Tensor
}

/** Turns the plane of two dimensions (`dims`, [0, 1]) by `k` (1) right angles. */
export const rot90: Rot90 & FunctionInfo = fn<Rot90>(
  'rot90',
  ['input'],
  ['k', 'dims'],
  (x: Tensor, { k: times = 1, dims = [0, 1] }: { k?: number; dims?: readonly number[] }) => {
    if (dims.length !== 2)
      throw new RuntimeError(`expected total rotation dims == 2, but got dims = ${dims.length}`)
    if (x.ndim < 2) throw new RuntimeError(`expected total dims >= 2, but got total dims = ${x.ndim}`)
    const [a, b] = dims.map((d) => wrapDim(d, x.ndim))
    if (a === b)
      throw new RuntimeError(`expected rotation dims to be different, but got dim0 = ${a} and dim1 = ${b}`)
    switch (((times % 4) + 4) % 4) {
      case 1:
        return transpose(flip(x, b), a, b)
      case 2:
        return flip(x, [a, b])
      case 3:
        return transpose(flip(x, a), a, b)
      default:
        return x.clone()
    }
  },
)

// ---- triangles --------------------------------------------------------------------------------------------------------------

const triangleKernels = new Map<string, Kernel>()

// Keeps what lies on one side of a diagonal; the matrix is the last two of three outer dimensions.
function triangleKernel(dtype: DType, lower: boolean): Kernel {
  const key = `${dtype.name} ${lower}`
  let kernel = triangleKernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder(lower ? 'tril' : 'triu')
    const x = b.input(dtype)
    const out = b.output(dtype)
    const offset = b.scalar('i32')
    const distance = k.sub(b.index(2), b.index(1))
    const keep = lower ? k.le(distance, offset) : k.ge(distance, offset)
    b.write(out, k.select(keep, b.read(x), k.constant(0, valueTypeOf(dtype))))
    kernel = b.build()
    triangleKernels.set(key, kernel)
  }
  return kernel
}

interface TriangleAttributes {
  readonly lower: boolean
  readonly diagonal: number
}

const triangleOp: Op<TriangleAttributes> = {
  node: ({ lower }) => (lower ? 'TrilBackward0' : 'TriuBackward0'),
  forward: ([x], { lower, diagonal }) => {
    const [rows, columns] = x.sizes.slice(-2)
    const flat = reshape(x, [x.numel() === 0 ? 0 : x.numel() / (rows * columns), rows, columns])
    const out = emptyTensor(flat.sizes, x.dtype, x.device)
    launch(
      x.device,
      triangleKernel(x.dtype, lower),
      flat.sizes,
      [],
      [operand(flat), operand(out)],
      [diagonal],
    )
    return new Tensor(out.storage, x.sizes, contiguousStrides(x.sizes), 0, x.dtype)
  },
  backward: ([g], { attributes }) => [apply(triangleOp, [g!], attributes)],
}

export interface Triangle {
  (x: Tensor, diagonal?: number): Tensor
  (x: Tensor, options?: { diagonal?: number }): Tensor
}

function triangle(name: string, lower: boolean): Triangle & FunctionInfo & { readonly inPlace: Triangle } {
  const attributesOf = (x: Tensor, { diagonal = 0 }: { diagonal?: number }) => {
    checkTensor(name, 'input', x)
    if (x.ndim < 2) throw new RuntimeError(`${name}: input tensor must have at least 2 dimensions`)
    return { lower, diagonal }
  }
  const run = (x: Tensor, options: { diagonal?: number }) => apply(triangleOp, [x], attributesOf(x, options))
  return Object.assign(fn<Triangle>(name, ['input'], ['diagonal'], run), {
    inPlace: (x: Tensor, diagonal: number | { diagonal?: number } = 0) =>
      applyOver(triangleOp, [x], attributesOf(x, typeof diagonal === 'number' ? { diagonal } : diagonal)),
  })
}

/** The lower triangle of matrices, the rest zero; `diagonal` moves its border up. */
export const tril: Triangle & FunctionInfo & { readonly inPlace: Triangle } = triangle('tril', true)
/** The upper triangle of matrices, the rest zero; `diagonal` moves its border up. */
export const triu: Triangle & FunctionInfo & { readonly inPlace: Triangle } = triangle('triu', false)

const diagEmbedOp: Op<{ offset: number; dim1: number; dim2: number }> = {
  node: 'DiagEmbedBackward0',
  forward: ([x], { offset, dim1, dim2 }) => {
    const n = (x.sizes[x.ndim - 1] ?? 1) + Math.abs(offset)
    const rest = x.sizes.slice(0, -1)
    const sizes = new Array<number>(x.ndim + 1).fill(-1)
    sizes[dim1] = n
    sizes[dim2] = n
    let next = 0
    for (let d = 0; d < sizes.length; d++) if (sizes[d] < 0) sizes[d] = rest[next++]
    const out = fullTensor(sizes, 0, x.dtype, x.device)
    copyRaw(out.diagonal(offset, dim1, dim2), x)
    return out
  },
  backward: ([g], { attributes: { offset, dim1, dim2 } }) => [g!.diagonal(offset, dim1, dim2)],
}

export interface DiagEmbed {
  (x: Tensor, offset?: number, dim1?: number, dim2?: number): Tensor
  (x: Tensor, options?: { offset?: number; dim1?: number; dim2?: number }): Tensor
}

/** Matrices with the last dimension's elements on a diagonal, zero elsewhere. */
export const diagEmbed: DiagEmbed & FunctionInfo = fn<DiagEmbed>(
  'diag_embed',
  ['input'],
  ['offset', 'dim1', 'dim2'],
  (x: Tensor, { offset = 0, dim1 = -2, dim2 = -1 }: { offset?: number; dim1?: number; dim2?: number }) => {
    const a = wrapDim(dim1, x.ndim + 1)
    const b = wrapDim(dim2, x.ndim + 1)
    if (a === b) throw new RuntimeError(`diagonal dimensions cannot be identical ${dim1}, ${dim2}`)
    return apply(diagEmbedOp, [x], { offset, dim1: a, dim2: b })
  },
)

/** The diagonal of a matrix, or a matrix with a vector on its diagonal. */
export const diag: Triangle & FunctionInfo = fn<Triangle>(
  'diag',
  ['input'],
  ['diagonal'],
  (x: Tensor, { diagonal = 0 }: { diagonal?: number }) => {
    if (x.ndim === 1) return diagEmbed(x, diagonal)
    if (x.ndim === 2) return x.diagonal(diagonal).clone()
    throw new RuntimeError(`diag(): Supports 1D or 2D tensors. Got ${x.ndim}D`)
  },
)

/** The sum of the diagonal of a matrix. */
export function trace(x: Tensor): Tensor {
  if (x.ndim !== 2) throw new RuntimeError('trace: expected a matrix')
  return apply(traceOp, [x], null)
}

const traceOp: Op<null> = {
  node: 'TraceBackward0',
  forward: ([x]) => x.diagonal().sum(),
  backward: ([g], { inputSizes }) => {
    const n = Math.min(inputSizes[0][0], inputSizes[0][1])
    const eye = g!.newZeros(inputSizes[0])
    eye.diagonal().copy_(expand(g!, [n]))
    return [eye]
  },
}

/** Parts of a tensor split at positions or into equal parts along columns. */
function indexSplit(name: string, x: Tensor, sections: number | readonly number[], dim: number): Tensor[] {
  const n = x.sizes[dim]
  if (typeof sections === 'number') {
    if (sections <= 0 || n % sections !== 0)
      throw new RuntimeError(
        `torch.${name} attempted to split along dimension ${dim}, but the size of the dimension ${n} is not divisible by the split_size ${sections}!`,
      )
    return tensorSplit(x, sections, dim)
  }
  return tensorSplit(x, sections, dim)
}

export interface TensorSplit {
  (x: Tensor, indicesOrSections: number | readonly number[] | Tensor, dim?: number): Tensor[]
  (x: Tensor, indicesOrSections: number | readonly number[] | Tensor, options?: { dim?: number }): Tensor[]
}

/** Views of parts of a dimension: so many of about equal size, or cut before these positions. */
export const tensorSplit: TensorSplit & FunctionInfo = fn<TensorSplit>(
  'tensor_split',
  ['input', 'indicesOrSections'],
  ['dim'],
  (x: Tensor, given: number | readonly number[] | Tensor, { dim = 0 }: { dim?: number }) => {
    if (x.ndim === 0)
      throw new RuntimeError(
        'tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims',
      )
    const d = wrapDim(dim, x.ndim)
    const sections =
      given instanceof Tensor ? (needHost('tensor_split', given).tolist() as number | number[]) : given
    const n = x.sizes[d]
    if (typeof sections === 'number') {
      if (sections <= 0) throw new RuntimeError(`number of sections must be larger than 0, got ${sections}`)
      const small = Math.floor(n / sections)
      const larger = n % sections
      let start = 0
      return Array.from({ length: sections }, (_, i) => {
        const length = small + (i < larger ? 1 : 0)
        const part = slice(x, d, start, start + length)
        start += length
        return part
      })
    }
    const bounds = [0, ...sections]
    return bounds.map((start, i) => slice(x, d, start, i < sections.length ? sections[i] : n))
  },
)

/** Parts along columns (along the only dimension of a vector). */
export function hsplit(x: Tensor, sections: number | readonly number[]): Tensor[] {
  if (x.ndim < 1)
    throw new RuntimeError(
      'torch.hsplit requires a tensor with at least 1 dimension, but got a tensor with 0 dimensions!',
    )
  return indexSplit('hsplit', x, sections, x.ndim === 1 ? 0 : 1)
}

/** Parts along rows. */
export function vsplit(x: Tensor, sections: number | readonly number[]): Tensor[] {
  if (x.ndim < 2)
    throw new RuntimeError(
      `torch.vsplit requires a tensor with at least 2 dimension, but got a tensor with ${x.ndim} dimensions!`,
    )
  return indexSplit('vsplit', x, sections, 0)
}

/** Parts along the third dimension. */
export function dsplit(x: Tensor, sections: number | readonly number[]): Tensor[] {
  if (x.ndim < 3)
    throw new RuntimeError(
      `torch.dsplit requires a tensor with at least 3 dimension, but got a tensor with ${x.ndim} dimensions!`,
    )
  return indexSplit('dsplit', x, sections, 2)
}
