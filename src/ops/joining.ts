// Joining several tensors: cat, stack and their kin, grids, common shapes.

import { type DeviceLike, getDefaultDevice } from '../core/device.ts'
import { type DType, int64 } from '../core/dtype.ts'
import { RuntimeError, TypeError_ } from '../core/errors.ts'
import { resultType } from '../core/promotion.ts'
import { broadcastAll, formatSizes, wrapDim } from '../core/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { copyRaw, to } from './conversion.ts'
import { fullTensor } from './creation.ts'
import { indexVector } from './index-vector.ts'
import { commonDevice, emptyTensor } from './launch.ts'
import { apply, checkOptions, describe, type FunctionInfo, fn, isOptions, type Op } from './op.ts'
import { expand, flatten, narrow, reshape, select, slice, unsqueeze, view } from './views.ts'

interface CatAttributes {
  readonly dim: number
  readonly dtype: DType
}

// A vector without elements joins anything, as PyTorch allows for history's sake.
const isLegacyEmpty = (x: Tensor): boolean => x.ndim === 1 && x.sizes[0] === 0

const catOp: Op<CatAttributes> = {
  node: 'CatBackward0',
  forward: (xs, { dim, dtype }) => {
    const shaped = xs.find((x) => !isLegacyEmpty(x)) ?? xs[0]
    const sizes = [...shaped.sizes]
    sizes[dim] = xs.reduce((n, x) => n + (isLegacyEmpty(x) && shaped.ndim !== 1 ? 0 : x.sizes[dim]), 0)
    const out = emptyTensor(sizes, dtype, commonDevice('cat', xs))
    let start = 0
    for (const x of xs) {
      if (isLegacyEmpty(x)) continue
      const length = x.sizes[dim]
      copyRaw(slice(out, dim, start, start + length), x)
      start += length
    }
    return out
  },
  backward: ([g], { attributes: { dim }, inputSizes }) => {
    let start = 0
    return inputSizes.map((sizes) => {
      if (sizes.length === 1 && sizes[0] === 0) return g!.newZeros([0])
      const length = sizes[dim]
      const part = narrow(g!, dim, start, length)
      start += length
      return part
    })
  },
}

export interface Cat {
  (tensors: readonly Tensor[], dim?: number): Tensor
  (tensors: readonly Tensor[], options?: { dim?: number }): Tensor
}

function checkTensors(name: string, tensors: unknown): asserts tensors is readonly Tensor[] {
  if (!Array.isArray(tensors))
    throw new TypeError_(
      `${name}(): argument 'tensors' must be an array of Tensors, not ${describe(tensors)}`,
    )
  tensors.forEach((t, i) => {
    if (!(t instanceof Tensor))
      throw new TypeError_(`expected Tensor as element ${i} in argument 0, but got ${describe(t)}`)
  })
}

/** Joins tensors along an existing dimension; their other sizes must agree. Dtypes are promoted. */
export const cat: Cat & FunctionInfo = fn<Cat>(
  'cat',
  ['tensors'],
  ['dim'],
  (tensors: readonly Tensor[], { dim = 0 }: { dim?: number }) => {
    checkTensors('cat', tensors)
    if (tensors.length === 0) throw new RuntimeError('torch.cat(): expected a non-empty list of Tensors')
    tensors.forEach((t, i) => {
      if (t.ndim === 0)
        throw new RuntimeError(`zero-dimensional tensor (at position ${i}) cannot be concatenated`)
    })
    const shaped = tensors.find((x) => !isLegacyEmpty(x)) ?? tensors[0]
    const d = wrapDim(dim, shaped.ndim)
    tensors.forEach((t, i) => {
      if (isLegacyEmpty(t)) return
      if (t.ndim !== shaped.ndim)
        throw new RuntimeError(
          `Tensors must have same number of dimensions: got ${shaped.ndim} and ${t.ndim}`,
        )
      for (let k = 0; k < t.ndim; k++)
        if (k !== d && t.sizes[k] !== shaped.sizes[k])
          throw new RuntimeError(
            `Sizes of tensors must match except in dimension ${d}. Expected size ${shaped.sizes[k]} but got size ${t.sizes[k]} for tensor number ${i} in the list.`,
          )
    })
    return apply(catOp, tensors, { dim: d, dtype: resultType(tensors) })
  },
  { method: false },
)

/** The same as `cat`. */
export const concat: Cat & FunctionInfo = cat
/** The same as `cat`. */
export const concatenate: Cat & FunctionInfo = cat

const stackOp: Op<CatAttributes> = {
  node: 'StackBackward0',
  forward: (xs, { dim, dtype }) => {
    const sizes = [...xs[0].sizes.slice(0, dim), xs.length, ...xs[0].sizes.slice(dim)]
    const out = emptyTensor(sizes, dtype, commonDevice('stack', xs))
    xs.forEach((x, i) => {
      copyRaw(select(out, dim, i), x)
    })
    return out
  },
  backward: ([g], { attributes: { dim }, inputSizes }) => inputSizes.map((_, i) => select(g!, dim, i)),
}

/** Joins tensors of one shape along a new dimension. */
export const stack: Cat & FunctionInfo = fn<Cat>(
  'stack',
  ['tensors'],
  ['dim'],
  (tensors: readonly Tensor[], { dim = 0 }: { dim?: number }) => {
    checkTensors('stack', tensors)
    if (tensors.length === 0) throw new RuntimeError('stack expects a non-empty TensorList')
    const first = tensors[0]
    const d = wrapDim(dim, first.ndim + 1)
    tensors.forEach((t, i) => {
      if (t.ndim !== first.ndim || t.sizes.some((n, k) => n !== first.sizes[k]))
        throw new RuntimeError(
          `stack expects each tensor to be equal size, but got ${formatSizes(first.sizes)} at entry 0 and ${formatSizes(t.sizes)} at entry ${i}`,
        )
    })
    return apply(stackOp, tensors, { dim: d, dtype: resultType(tensors) })
  },
  { method: false },
)

/** Tensors with at least so many dimensions, as the *stack functions want them. */
function atLeast(x: Tensor, rank: 1 | 2 | 3): Tensor {
  if (x.ndim === 0) return reshape(x, new Array<number>(rank).fill(1))
  if (rank >= 2 && x.ndim === 1) return rank === 2 ? unsqueeze(x, 0) : unsqueeze(unsqueeze(x, 0), 2)
  return rank === 3 && x.ndim === 2 ? unsqueeze(x, 2) : x
}

/** Views with at least 1 dimension, of one tensor or of several. */
export function atleast1d(x: Tensor): Tensor
export function atleast1d(x: readonly Tensor[]): Tensor[]
export function atleast1d(x: Tensor | readonly Tensor[]): Tensor | Tensor[] {
  return x instanceof Tensor ? atLeast(x, 1) : x.map((t) => atLeast(t, 1))
}
/** Views with at least 2 dimensions, of one tensor or of several. */
export function atleast2d(x: Tensor): Tensor
export function atleast2d(x: readonly Tensor[]): Tensor[]
export function atleast2d(x: Tensor | readonly Tensor[]): Tensor | Tensor[] {
  return x instanceof Tensor ? atLeast(x, 2) : x.map((t) => atLeast(t, 2))
}
/** Views with at least 3 dimensions, of one tensor or of several. */
export function atleast3d(x: Tensor): Tensor
export function atleast3d(x: readonly Tensor[]): Tensor[]
export function atleast3d(x: Tensor | readonly Tensor[]): Tensor | Tensor[] {
  return x instanceof Tensor ? atLeast(x, 3) : x.map((t) => atLeast(t, 3))
}

function checkNonEmpty(name: string, tensors: unknown): asserts tensors is readonly Tensor[] {
  checkTensors(name, tensors)
  if (tensors.length === 0) throw new RuntimeError(`${name} expects a non-empty TensorList`)
}

/** Joins along columns: dimension 1, or 0 for vectors. */
export function hstack(tensors: readonly Tensor[]): Tensor {
  checkNonEmpty('hstack', tensors)
  const xs = tensors.map((x) => atLeast(x, 1))
  return cat(xs, xs[0].ndim === 1 ? 0 : 1)
}

/** Joins along rows. */
export function vstack(tensors: readonly Tensor[]): Tensor {
  checkNonEmpty('vstack', tensors)
  return cat(
    tensors.map((x) => atLeast(x, 2)),
    0,
  )
}

/** The same as `vstack`. */
export const rowStack: typeof vstack = vstack

/** Joins along the third dimension. */
export function dstack(tensors: readonly Tensor[]): Tensor {
  checkNonEmpty('dstack', tensors)
  return cat(
    tensors.map((x) => atLeast(x, 3)),
    2,
  )
}

/** Joins vectors as columns, matrices along columns. */
export function columnStack(tensors: readonly Tensor[]): Tensor {
  checkNonEmpty('column_stack', tensors)
  return hstack(tensors.map((x) => (x.ndim <= 1 ? reshape(x, [x.numel(), 1]) : x)))
}

/** Options of `meshgrid`. */
export interface MeshgridOptions {
  /** 'ij' (default): result k varies along dimension k. 'xy': the first two exchanged. */
  indexing?: 'ij' | 'xy'
}

export interface Meshgrid extends FunctionInfo {
  (...tensors: Tensor[]): Tensor[]
  (...tensorsAndOptions: [...Tensor[], MeshgridOptions]): Tensor[]
  (tensors: readonly Tensor[], options?: MeshgridOptions): Tensor[]
  readonly variadic: 'tensors'
}

/** Coordinate grids of vectors. */
export const meshgrid: Meshgrid = Object.assign(
  (...args: unknown[]): Tensor[] => {
    const last = args[args.length - 1]
    const options = isOptions(last) ? last : {}
    checkOptions('meshgrid', options, ['indexing'])
    const given = isOptions(last) ? args.slice(0, -1) : args
    return grids(given.length === 1 && Array.isArray(given[0]) ? given[0] : given, options as MeshgridOptions)
  },
  { required: ['tensors'], optional: ['indexing'], method: false, variadic: 'tensors' as const },
)

function grids(tensors: unknown, { indexing = 'ij' }: MeshgridOptions): Tensor[] {
  checkTensors('meshgrid', tensors)
  const swap = indexing === 'xy' && tensors.length >= 2
  const xs = swap ? [tensors[1], tensors[0], ...tensors.slice(2)] : [...tensors]
  const sizes = xs.map((x) => x.numel())
  const results = xs.map((x, d) =>
    expand(
      view(
        x,
        sizes.map((_, i) => (i === d ? -1 : 1)),
      ),
      sizes,
    ),
  )
  return swap ? [results[1], results[0], ...results.slice(2)] : results
}

/** Tensors stretched to their common shape. */
export function broadcastTensors(...tensors: Tensor[] | [readonly Tensor[]]): Tensor[] {
  const list = (Array.isArray(tensors[0]) ? tensors[0] : tensors) as Tensor[]
  const sizes = broadcastAll(list.map((t) => t.sizes))
  return list.map((t) => expand(t, sizes))
}

/** The common shape of shapes. */
export function broadcastShapes(...shapes: (readonly number[])[]): number[] {
  return broadcastAll(shapes)
}

/** All combinations, one element of each vector. */
export function cartesianProd(...tensors: Tensor[]): Tensor {
  if (tensors.length === 1) return tensors[0]
  return stack(
    meshgrid(tensors).map((g) => flatten(g)),
    1,
  )
}

/** Whole matrices on a diagonal, zero elsewhere. */
export function blockDiag(...tensors: Tensor[]): Tensor {
  const blocks = tensors.map((x) => {
    if (x.ndim > 2)
      throw new RuntimeError(
        `torch.block_diag: Input tensors must have 2 or fewer dimensions. Input has ${x.ndim} dimensions`,
      )
    return atLeast(x, 2)
  })
  const columns = blocks.reduce((n, x) => n + x.sizes[1], 0)
  const dtype = resultType(blocks)
  let left = 0
  const rows = blocks.map((x) => {
    const right = columns - left - x.sizes[1]
    const zero = (n: number) => fullTensor([x.sizes[0], n], 0, dtype, x.device)
    const row = cat([zero(left), to(x, dtype), zero(right)], 1)
    left += x.sizes[1]
    return row
  })
  return cat(rows, 0)
}

/** The indices of the lower (or upper) triangle of a matrix: two rows, of row and column numbers. */
function triangleIndices(name: string, lower: boolean): TriangleIndices & FunctionInfo {
  return fn<TriangleIndices>(
    name,
    ['row', 'col'],
    ['offset', 'dtype', 'device'],
    (
      rows: number,
      columns: number,
      { offset = 0, dtype = int64, device = getDefaultDevice() }: TriangleIndicesOptions,
    ) => {
      if (rows < 0) throw new RuntimeError(`row must be non-negative, got${rows}`)
      if (columns < 0) throw new RuntimeError(`col must be non-negative, got${columns}`)
      const rowList: number[] = []
      const columnList: number[] = []
      for (let i = 0; i < rows; i++)
        for (let j = 0; j < columns; j++)
          if (lower ? j - i <= offset : j - i >= offset) {
            rowList.push(i)
            columnList.push(j)
          }
      const indices = indexVector([...rowList, ...columnList])
      return to(reshape(indices, [2, rowList.length]), device, { dtype })
    },
    { method: false, positional: 1 },
  )
}

/** Options of `trilIndices` and `triuIndices`. */
export interface TriangleIndicesOptions {
  /** How far the triangle's border is moved up. */
  offset?: number
  /** Default int64. */
  dtype?: DType
  device?: DeviceLike
}

export interface TriangleIndices {
  (rows: number, columns: number, offset: number, options?: Omit<TriangleIndicesOptions, 'offset'>): Tensor
  (rows: number, columns: number, options?: TriangleIndicesOptions): Tensor
}

/** Row and column numbers of the lower triangle. */
export const trilIndices: TriangleIndices & FunctionInfo = triangleIndices('tril_indices', true)
/** Row and column numbers of the upper triangle. */
export const triuIndices: TriangleIndices & FunctionInfo = triangleIndices('triu_indices', false)
