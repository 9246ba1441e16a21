// Reading and writing by index: indexSelect, gather, scatter, take, and PyTorch's x[...] as `at` and `setAt`.

import { bool, type DType, int64, scalarTypeName } from '../core/dtype.ts'
import { IndexError, RuntimeError, TypeError_, ValueError } from '../core/errors.ts'
import {
  broadcastAll,
  broadcastSizes,
  broadcastStrides,
  contiguousStrides,
  formatSizes,
  numelOf,
  sameSizes,
  wrapDim,
} from '../core/shape.ts'
import * as k from '../kernels/expr.ts'
import { type Expr, valueTypeOf } from '../kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import { data } from '../tensor/data.ts'
import { Tensor } from '../tensor/tensor.ts'
import { where } from './choices.ts'
import { clone } from './conversion.ts'
import { tensor as makeTensor } from './creation.ts'
import { asElement } from './elements.ts'
import { indexVector } from './index-vector.ts'
import { emptyTensor, launch, operand } from './launch.ts'
import { apply, applyInPlace, checkTensor, describe, type FunctionInfo, fn, type Op } from './op.ts'
import { checkWritable, type Scalar, withInPlace } from './pointwise.ts'
import { expand, reshape, select, slice, squeeze, unsqueeze } from './views.ts'

function checkIndexDType(name: string, index: Tensor): void {
  if (index.dtype.name !== 'int64' && index.dtype.name !== 'int32')
    throw new RuntimeError(`${name}(): Expected dtype int32/int64 for index but got: ${index.dtype.name}`)
}

/** Throws an IndexError unless every index lies within `size`; with `wrap`, negative ones count from the end. */
export function checkBounds(name: string, index: Tensor, size: number, wrap = false, dim = 0): void {
  if (index.device.type === 'meta' || index.numel() === 0) return
  const low = Number(index.min().item())
  const high = Number(index.max().item())
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

// ---- one kernel for reading at computed places, one for writing -------------------------------------------------------------

const gatherKernels = new Map<string, Kernel>()

// out[p] = x[p, with the coordinates of some dimensions replaced by indices[p]]
function gatherKernel(dtype: DType, indexDTypes: readonly DType[]): Kernel {
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

function scatterKernel(
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

const zeroAt = (strides: readonly number[], dim: number): number[] =>
  strides.map((s, d) => (d === dim ? 0 : s))

// ---- indexSelect ----------------------------------------------------------------------------------------------------------

interface DimIndex {
  readonly dim: number
  readonly index: Tensor
}

const indexSelectOp: Op<DimIndex> = {
  node: 'IndexSelectBackward0',
  forward: ([x], { dim, index }) => {
    const n = index.numel()
    const sizes = x.ndim === 0 ? [] : x.sizes.map((s, d) => (d === dim ? n : s))
    const out = emptyTensor(sizes, x.dtype, x.device)
    const indexStrides = sizes.map((_, d) => (d === dim ? (index.ndim === 0 ? 0 : index.strides[0]) : 0))
    launch(
      x.device,
      gatherKernel(x.dtype, [index.dtype]),
      sizes,
      [],
      [operand(x, zeroAt(x.strides, dim), [x.strides[dim] ?? 0]), operand(index, indexStrides), operand(out)],
    )
    return out
  },
  backward: ([g], { attributes: { dim, index }, inputSizes }) => [
    g!.newZeros(inputSizes[0]).indexAdd(dim, index, g!),
  ],
}

/** The slices of a dimension at these indices, in their order. */
export function indexSelect(x: Tensor, dim: number, index: Tensor): Tensor {
  checkTensor('index_select', 'input', x)
  checkTensor('index_select', 'index', index)
  const d = wrapDim(dim, x.ndim)
  if (index.ndim > 1) throw new IndexError('index_select(): Index is supposed to be a vector')
  checkIndexDType('index_select', index)
  checkBounds('index_select', index, x.ndim === 0 ? 1 : x.sizes[d])
  return apply(indexSelectOp, [x], { dim: d, index })
}

// ---- gather and scatter ---------------------------------------------------------------------------------------------------

function checkGatherShapes(name: string, x: Tensor, dim: number, index: Tensor): void {
  if (index.dtype !== int64 && index.dtype.name !== 'int32')
    throw new RuntimeError(`${name}(): Expected dtype int64 for index`)
  if (Math.max(x.ndim, 1) !== Math.max(index.ndim, 1))
    throw new RuntimeError('Index tensor must have the same number of dimensions as input tensor')
  for (let d = 0; d < x.ndim; d++)
    if (d !== dim && (index.sizes[d] ?? 1) > x.sizes[d])
      throw new RuntimeError(
        `Size does not match at dimension ${d} expected index ${formatSizes(index.sizes)} to be no larger than self ${formatSizes(x.sizes)} apart from dimension ${dim}`,
      )
}

const gatherOp: Op<DimIndex> = {
  node: 'GatherBackward0',
  forward: ([x], { dim, index }) => {
    const out = emptyTensor(index.sizes, x.dtype, x.device)
    const strides = x.ndim === index.ndim ? x.strides : index.sizes.map(() => 0)
    launch(
      x.device,
      gatherKernel(x.dtype, [index.dtype]),
      index.sizes,
      [],
      [operand(x, zeroAt(strides, dim), [x.strides[dim] ?? 0]), operand(index), operand(out)],
    )
    return out
  },
  backward: ([g], { attributes: { dim, index }, inputSizes }) => [
    g!.newZeros(inputSizes[0]).scatterAdd(dim, index, g!),
  ],
}

/** `out[i][j] = x[i][index[i][j]]` for `dim` 1, and likewise for others. `index` is of x's rank, int64. */
export function gather(x: Tensor, dim: number, index: Tensor): Tensor {
  checkTensor('gather', 'input', x)
  checkTensor('gather', 'index', index)
  const d = wrapDim(dim, x.ndim)
  if (index.numel() > 0) checkGatherShapes('gather', x, d, index)
  checkBounds('gather', index, x.ndim === 0 ? 1 : x.sizes[d], false, d)
  return apply(gatherOp, [x], { dim: d, index })
}

interface ScatterAttributes extends DimIndex {
  readonly mode: ScatterMode
  /** The number written, or null for a tensor. */
  readonly value: Scalar | null
}

export function scatterInto(
  self: Tensor,
  { dim, index, mode, value }: ScatterAttributes,
  source: Tensor | null,
): void {
  const strides = self.ndim === index.ndim ? self.strides : index.sizes.map(() => 0)
  const operands = [
    operand(self, zeroAt(strides, dim), [self.strides[dim] ?? 0]),
    operand(index),
    ...(source === null
      ? []
      : [operand(source, source.ndim === index.ndim ? source.strides : index.sizes.map(() => 0))]),
  ]
  const kernel = scatterKernel(self.dtype, [index.dtype], source === null ? null : source.dtype, mode)
  launch(self.device, kernel, index.sizes, [], operands, source === null ? [value as Scalar] : [])
}

const scatterNode = (node: string): Op<ScatterAttributes> => ({
  node,
  forward: ([x, source], a) => {
    const out = clone(x.detach())
    scatterInto(out, a, source ?? null)
    return out
  },
  backward: ([g], c) => {
    const { dim, index, mode } = c.attributes
    if (mode === 'add') return [g, c.needs(1) ? gather(g!, dim, index) : null]
    const own = g!.scatter(dim, index, 0)
    return [own, c.needs(1) ? gather(g!, dim, index) : null]
  },
})

const scatterTensorOp = scatterNode('ScatterBackward0')
const scatterNumberOp = scatterNode('ScatterBackward1')
const scatterAddOp = scatterNode('ScatterAddBackward0')

export function prepareScatter(
  name: string,
  x: Tensor,
  dim: number,
  index: Tensor,
  source: Tensor | Scalar,
  mode: ScatterMode,
): ScatterAttributes {
  checkTensor(name, 'input', x)
  checkTensor(name, 'index', index)
  const d = wrapDim(dim, x.ndim)
  // An empty index may be of any dtype.
  if (index.numel() > 0 && index.dtype !== int64 && index.dtype.name !== 'int32')
    throw new RuntimeError(`${name}(): Expected dtype int64 for index`)
  if (index.numel() > 0) {
    if (Math.max(x.ndim, 1) !== Math.max(index.ndim, 1))
      throw new RuntimeError('Index tensor must have the same number of dimensions as self tensor')
    for (let i = 0; i < x.ndim; i++) {
      const n = index.sizes[i] ?? 1
      const tooLarge = (i !== d && n > x.sizes[i]) || (source instanceof Tensor && n > (source.sizes[i] ?? 1))
      if (tooLarge)
        throw new RuntimeError(
          `Expected index ${formatSizes(index.sizes)} to be no larger than self ${formatSizes(x.sizes)} apart from dimension ${d}${source instanceof Tensor ? ` and to be no larger size than src ${formatSizes(source.sizes)}` : ''}`,
        )
    }
    if (source instanceof Tensor && Math.max(source.ndim, 1) !== Math.max(index.ndim, 1))
      throw new RuntimeError('Index tensor must have the same number of dimensions as src tensor')
  }
  if (source instanceof Tensor && source.dtype !== x.dtype)
    throw new RuntimeError(`${name}(): Expected self.dtype to be equal to src.dtype`)
  checkBounds('scatter', index, x.ndim === 0 ? 1 : x.sizes[d], false, d)
  return { dim: d, index, mode, value: source instanceof Tensor ? null : asElement(source, x.dtype) }
}

/** Options of `scatter`. */
export interface ScatterOptions {
  /** How what is written meets what is there: replaces it (default), is added, or multiplied. */
  reduce?: 'add' | 'multiply'
}

export type Scatter = (
  x: Tensor,
  dim: number,
  index: Tensor,
  source: Tensor | Scalar,
  options?: ScatterOptions,
) => Tensor

function runScatter(
  x: Tensor,
  dim: number,
  index: Tensor,
  source: Tensor | Scalar,
  { reduce }: ScatterOptions,
  inPlace: boolean,
): Tensor {
  if (reduce !== undefined && reduce !== 'add' && reduce !== 'multiply')
    throw new RuntimeError('reduce argument must be either add or multiply.')
  const a = prepareScatter('scatter', x, dim, index, source, reduce ?? 'set')
  return scatterWith(source instanceof Tensor ? scatterTensorOp : scatterNumberOp, x, source, a, inPlace)
}

function scatterWith(
  op: Op<ScatterAttributes>,
  x: Tensor,
  source: Tensor | Scalar,
  a: ScatterAttributes,
  inPlace: boolean,
): Tensor {
  const inputs = source instanceof Tensor ? [x, source] : [x]
  if (!inPlace) return apply(op, inputs, a)
  checkWritable(x)
  return applyInPlace(op, inputs, a, () => scatterInto(x, a, source instanceof Tensor ? source : null))
}

/** `out[index[i][j]][j] = source[i][j]` for `dim` 0, and likewise for others; the rest is x. `source` may be a number. */
export const scatter: Scatter & FunctionInfo & { readonly inPlace: Scatter } = withInPlace(
  fn<Scatter>(
    'scatter',
    ['input', 'dim', 'index', 'src'],
    ['reduce'],
    (x: Tensor, dim: number, index: Tensor, source: Tensor | Scalar, options: ScatterOptions) =>
      runScatter(x, dim, index, source, options, false),
    { positional: 0 },
  ),
  (x: Tensor, dim: number, index: Tensor, source: Tensor | Scalar, options: ScatterOptions = {}) =>
    runScatter(x, dim, index, source, options, true),
)

/** As `scatter`, adding to what is there. */
export const scatterAdd: ScatterAdd & FunctionInfo & { readonly inPlace: ScatterAdd } = withInPlace(
  fn<ScatterAdd>(
    'scatter_add',
    ['input', 'dim', 'index', 'src'],
    [],
    (x: Tensor, dim: number, index: Tensor, source: Tensor) =>
      scatterWith(
        scatterAddOp,
        x,
        source,
        prepareScatter('scatter_add', x, dim, index, source, 'add'),
        false,
      ),
  ),
  (x: Tensor, dim: number, index: Tensor, source: Tensor) =>
    scatterWith(scatterAddOp, x, source, prepareScatter('scatter_add', x, dim, index, source, 'add'), true),
)

export type ScatterAdd = (x: Tensor, dim: number, index: Tensor, source: Tensor) => Tensor

// ---- indexAdd, indexCopy, indexFill -----------------------------------------------------------------------------------------

interface IndexWriteAttributes extends DimIndex {
  readonly mode: ScatterMode
  readonly value: Scalar | null
  readonly alpha: number
}

function indexWrite(
  self: Tensor,
  { dim, index, mode, value }: IndexWriteAttributes,
  source: Tensor | null,
): void {
  const n = index.numel()
  const sizes = self.ndim === 0 ? [n] : self.sizes.map((s, d) => (d === dim ? n : s))
  const along = sizes.map((_, d) => (d === dim ? (index.ndim === 0 ? 0 : index.strides[0]) : 0))
  const own = self.ndim === 0 ? [0] : zeroAt(self.strides, dim)
  const operands = [operand(self, own, [self.strides[dim] ?? 0]), operand(index, along)]
  if (source !== null)
    operands.push(
      operand(
        source,
        source.ndim === sizes.length ? source.strides : broadcastStrides(source.sizes, source.strides, sizes),
      ),
    )
  launch(
    self.device,
    scatterKernel(self.dtype, [index.dtype], source?.dtype ?? null, mode),
    sizes,
    [],
    operands,
    source === null ? [value as Scalar] : [],
  )
}

function indexWriteOp(node: string): Op<IndexWriteAttributes> {
  return {
    node,
    forward: ([x, source], a) => {
      const out = clone(x.detach())
      indexWrite(out, a, source === undefined ? null : a.alpha === 1 ? source : source.mul(a.alpha))
      return out
    },
    backward: ([g], c) => {
      const { dim, index, mode, alpha } = c.attributes
      const part = c.inputSizes.length > 1 && c.needs(1) ? indexSelect(g!, dim, index) : null
      return [
        mode === 'add' ? g : c.needs(0) ? g!.indexFill(dim, index, 0) : null,
        part === null ? null : reshape(alpha === 1 ? part : part.mul(alpha), c.inputSizes[1]),
      ]
    },
  }
}

const indexAddOp = indexWriteOp('IndexAddBackward0')
const indexCopyOp = indexWriteOp('IndexCopyBackward0')
const indexFillOp = indexWriteOp('IndexFillBackward0')

export function prepareIndexWrite(
  name: string,
  x: Tensor,
  dim: number,
  index: Tensor,
  source: Tensor | Scalar,
  mode: ScatterMode,
  alpha = 1,
): IndexWriteAttributes {
  checkTensor(name, 'input', x)
  checkTensor(name, 'index', index)
  const d = wrapDim(dim, x.ndim)
  if (index.ndim > 1)
    throw new IndexError(`${name}(): Index should have dimension 1 or 0 (got ${index.ndim})`)
  checkIndexDType(name, index)
  if (source instanceof Tensor && name !== 'index_fill') {
    if (source.dtype !== x.dtype)
      throw new RuntimeError(
        `${name}(): self and source expected to have the same dtype, but got (self) ${x.dtype.name} and (source) ${source.dtype.name}`,
      )
    const expected = x.ndim === 0 ? [] : x.sizes.map((s, i) => (i === d ? index.numel() : s))
    if (x.ndim > 0 && !sameSizes(source.sizes, expected))
      throw new RuntimeError(
        `${name}(): Number of indices (${index.numel()}) should be equal to source.size(dim): (${source.sizes[d]}), for dim: ${d}; source has shape ${formatSizes(source.sizes)}, expected ${formatSizes(expected)}`,
      )
  }
  checkBounds(name, index, x.ndim === 0 ? 1 : x.sizes[d], false, d)
  return { dim: d, index, mode, value: source instanceof Tensor ? null : asElement(source, x.dtype), alpha }
}

function runIndexWrite(
  op: Op<IndexWriteAttributes>,
  x: Tensor,
  source: Tensor | Scalar,
  a: IndexWriteAttributes,
  inPlace: boolean,
): Tensor {
  const inputs = source instanceof Tensor ? [x, source] : [x]
  if (!inPlace) return apply(op, inputs, a)
  checkWritable(x)
  return applyInPlace(op, inputs, a, () =>
    indexWrite(x, a, source instanceof Tensor ? (a.alpha === 1 ? source : source.mul(a.alpha)) : null),
  )
}

export type IndexAdd = (
  x: Tensor,
  dim: number,
  index: Tensor,
  source: Tensor,
  options?: { alpha?: number },
) => Tensor

/** Adds `alpha` times the slices of `source` to the slices of x at these indices. */
export const indexAdd: IndexAdd & FunctionInfo & { readonly inPlace: IndexAdd } = withInPlace(
  fn<IndexAdd>(
    'index_add',
    ['input', 'dim', 'index', 'source'],
    ['alpha'],
    (x: Tensor, dim: number, index: Tensor, source: Tensor, { alpha = 1 }: { alpha?: number }) =>
      runIndexWrite(
        indexAddOp,
        x,
        source,
        prepareIndexWrite('index_add', x, dim, index, source, 'add', alpha),
        false,
      ),
    { positional: 0 },
  ),
  (x: Tensor, dim: number, index: Tensor, source: Tensor, { alpha = 1 }: { alpha?: number } = {}) =>
    runIndexWrite(
      indexAddOp,
      x,
      source,
      prepareIndexWrite('index_add', x, dim, index, source, 'add', alpha),
      true,
    ),
)

export type IndexCopy = (x: Tensor, dim: number, index: Tensor, source: Tensor) => Tensor

/** Replaces the slices of x at these indices by those of `source`. */
export const indexCopy: IndexCopy & FunctionInfo & { readonly inPlace: IndexCopy } = withInPlace(
  fn<IndexCopy>(
    'index_copy',
    ['input', 'dim', 'index', 'source'],
    [],
    (x: Tensor, dim: number, index: Tensor, source: Tensor) =>
      runIndexWrite(
        indexCopyOp,
        x,
        source,
        prepareIndexWrite('index_copy', x, dim, index, source, 'set'),
        false,
      ),
  ),
  (x: Tensor, dim: number, index: Tensor, source: Tensor) =>
    runIndexWrite(
      indexCopyOp,
      x,
      source,
      prepareIndexWrite('index_copy', x, dim, index, source, 'set'),
      true,
    ),
)

export type IndexFill = (x: Tensor, dim: number, index: Tensor, value: Scalar | Tensor) => Tensor

function fillSource(x: Tensor, value: Scalar | Tensor): Scalar | Tensor {
  if (!(value instanceof Tensor)) return value
  if (value.ndim !== 0)
    throw new RuntimeError(
      `index_fill_ only supports a 0-dimensional value tensor, but got tensor with ${value.ndim} dimension(s).`,
    )
  return value.requiresGrad ? value.to(x.dtype) : (value.item() as Scalar)
}

/** Fills the slices of x at these indices with a number. */
export const indexFill: IndexFill & FunctionInfo & { readonly inPlace: IndexFill } = withInPlace(
  fn<IndexFill>(
    'index_fill',
    ['input', 'dim', 'index', 'value'],
    [],
    (x: Tensor, dim: number, index: Tensor, value: Scalar | Tensor) => {
      const source = fillSource(x, value)
      const scalar = source instanceof Tensor ? (source.item() as Scalar) : source
      return runIndexWrite(
        indexFillOp,
        x,
        scalar,
        prepareIndexWrite('index_fill', x, dim, index, scalar, 'set'),
        false,
      )
    },
  ),
  (x: Tensor, dim: number, index: Tensor, value: Scalar | Tensor) => {
    const source = fillSource(x, value)
    const scalar = source instanceof Tensor ? (source.item() as Scalar) : source
    return runIndexWrite(
      indexFillOp,
      x,
      scalar,
      prepareIndexWrite('index_fill', x, dim, index, scalar, 'set'),
      true,
    )
  },
)

// ---- take, maskedSelect -------------------------------------------------------------------------------------------------------

export const wrapNegative = (index: Tensor, size: number): Tensor =>
  where(index.lt(0), index.add(size), index)

const takeOp: Op<Tensor> = {
  node: 'TakeBackward0',
  forward: ([x], index) => indexSelect(reshape(x, [-1]), 0, reshape(index, [-1])).reshape(index.sizes),
  backward: ([g], { attributes: index, inputSizes }) => [
    reshape(
      g!.newZeros([numelOf(inputSizes[0])]).indexAdd(0, reshape(index, [-1]), reshape(g!, [-1])),
      inputSizes[0],
    ),
  ],
}

/** The elements at these positions of the flattened tensor, in the shape of `index`. */
export function take(x: Tensor, index: Tensor): Tensor {
  if (index.dtype !== int64)
    throw new RuntimeError(`take(): Expected a long tensor for index, but got ${index.dtype.name}`)
  if (x.numel() === 0 && index.numel() > 0) throw new IndexError('take(): tried to take from an empty tensor')
  checkBounds('take', index, x.numel(), true)
  return apply(takeOp, [x], wrapNegative(index, x.numel()))
}

export interface TakeAlongDim {
  (x: Tensor, indices: Tensor, dim?: number | null): Tensor
  (x: Tensor, indices: Tensor, options: { dim?: number | null }): Tensor
}

/**
 * Elements along `dim` at the positions that `indices` (of argsort, say) says, negative ones counted from the end;
 * flattened where `dim` is left out.
 */
export const takeAlongDim: TakeAlongDim & FunctionInfo = fn<TakeAlongDim>(
  'take_along_dim',
  ['input', 'indices'],
  ['dim'],
  (x: Tensor, indices: Tensor, { dim }: { dim?: number | null }) => {
    checkTensor('take_along_dim', 'input', x)
    checkTensor('take_along_dim', 'indices', indices)
    if (indices.dtype !== int64)
      throw new RuntimeError(
        `torch.take_along_dim(): dtype of indices should be Long but got ${scalarTypeName(indices.dtype)}`,
      )
    if (dim === undefined || dim === null)
      return gather(reshape(x, [-1]), 0, wrapNegative(reshape(indices, [-1]), x.numel()))
    if (x.ndim !== indices.ndim)
      throw new RuntimeError(
        `torch.take_along_dim(): input and indices should have the same number of dimensions, but got ${x.ndim} dimensions for input, and ${indices.ndim} dimensions for indices`,
      )
    const d = wrapDim(dim, x.ndim)
    const sizes = broadcastSizes(
      x.sizes.map((n, i) => (i === d ? 1 : n)),
      indices.sizes.map((n, i) => (i === d ? 1 : n)),
    )
    const own = sizes.map((n, i) => (i === d ? x.sizes[i] : n))
    const index = sizes.map((n, i) => (i === d ? indices.sizes[i] : n))
    return gather(expand(x, own), d, wrapNegative(expand(indices, index), x.sizes[d]))
  },
)

/** Positions (C order) at which a mask is true. */
export function truePositions(mask: Tensor): Tensor {
  const values = data(mask) as Uint8Array
  const found: number[] = []
  for (let i = 0; i < values.length; i++) if (values[i]) found.push(i)
  return indexVector(found)
}

const maskedSelectOp: Op<{ readonly sizes: readonly number[]; readonly positions: Tensor }> = {
  node: 'MaskedSelectBackward0',
  forward: ([x], { sizes, positions }) => indexSelect(reshape(expand(x, sizes), [-1]), 0, positions),
  backward: ([g], { attributes: { sizes, positions } }) => [
    reshape(g!.newZeros([numelOf(sizes)]).indexAdd(0, positions, g!), sizes),
  ],
}

/** The elements where a bool mask (broadcast) is true, as a vector. */
export function maskedSelect(x: Tensor, mask: Tensor): Tensor {
  checkTensor('masked_select', 'mask', mask)
  if (mask.dtype !== bool) throw new RuntimeError(`masked_select: expected BoolTensor for mask`)
  const sizes = broadcastSizes(x.sizes, mask.sizes)
  return apply(maskedSelectOp, [x], { sizes, positions: truePositions(expand(mask, sizes)) })
}

export interface Nonzero {
  (x: Tensor): Tensor
  (x: Tensor, options: { asTuple: true }): Tensor[]
}

/** The coordinates of all elements that are not zero: one row each or, with `asTuple`, one vector for each dimension. */
export const nonzero: Nonzero & FunctionInfo = fn<Nonzero>(
  'nonzero',
  ['input'],
  ['asTuple'],
  (x: Tensor, { asTuple = false }: { asTuple?: boolean }): Tensor | Tensor[] => {
    checkTensor('nonzero', 'input', x)
    if (!asTuple) return coordinatesOf(x)
    const rows = coordinatesOf(x.ndim === 0 ? reshape(x, [1]) : x)
    return Array.from({ length: rows.sizes[1] }, (_, d) => select(rows, 1, d))
  },
  { positional: 0 },
)

function coordinatesOf(x: Tensor): Tensor {
  const positions = data(truePositions(x.dtype === bool ? x : x.ne(0))) as BigInt64Array
  const strides = contiguousStrides(x.sizes)
  const result = emptyTensor([positions.length, x.ndim], int64)
  const bytes = result.storage.bytes()
  const view = new BigInt64Array(bytes.buffer, bytes.byteOffset, positions.length * x.ndim)
  for (let i = 0; i < positions.length; i++) {
    let rest = Number(positions[i])
    for (let d = 0; d < x.ndim; d++) {
      const c = Math.floor(rest / strides[d])
      rest -= c * strides[d]
      view[i * x.ndim + d] = BigInt(c)
    }
  }
  return result
}

// ---- x[...] -----------------------------------------------------------------------------------------------------------------------

/** A component of an index: a number, a slice `'1:3'`, `':'`, `'...'`, null (a new dimension), a boolean, a tensor, numbers. */
export type Index = number | string | null | boolean | Tensor | readonly (number | boolean)[]

/** A slice as three numbers, for callers that have no string. */
export function parseSlice(text: string): { start: number | null; end: number | null; step: number } {
  const match = /^\s*(-?\d+)?\s*:\s*(-?\d+)?\s*(?::\s*(-?\d+)?\s*)?$/.exec(text)
  if (match === null)
    throw new IndexError(`'${text}' is no index: expected a slice such as ':', '1:3', '::2', or '...'`)
  const number = (s: string | undefined) => (s === undefined ? null : Number(s))
  return { start: number(match[1]), end: number(match[2]), step: number(match[3]) ?? 1 }
}

interface ParsedIndex {
  /** The tensor after numbers, slices and new dimensions. */
  readonly viewed: Tensor
  /** Index tensors by dimension of `viewed`, or null where there is none. */
  readonly indices: readonly (Tensor | null)[]
}

function asIndexTensor(component: Tensor | readonly (number | boolean)[]): Tensor {
  if (component instanceof Tensor) {
    if (component.dtype !== int64 && component.dtype.name !== 'int32' && !isMask(component))
      throw new IndexError('tensors used as indices must be long, int, byte or bool tensors')
    return component
  }
  return component.length === 0 ? emptyTensor([0], int64) : makeTensor(component)
}

export const isMask = (x: Tensor): boolean => x.dtype === bool || x.dtype.name === 'uint8'

function dimsUsed(component: Index): number {
  if (component === null || component === '...' || typeof component === 'boolean') return 0
  if (component instanceof Tensor && isMask(component)) return component.ndim
  return 1
}

function parseIndex(x: Tensor, components: readonly Index[]): ParsedIndex {
  const used = components.reduce<number>((n, c) => n + dimsUsed(c), 0)
  if (x.ndim === 0 && components.length === 1 && typeof components[0] === 'number')
    throw new IndexError(
      'invalid index of a 0-dim tensor. Use `tensor.item()` in Python or `tensor.item<T>()` in C++ to convert a 0-dim tensor to a number',
    )
  if (used > x.ndim) throw new IndexError(`too many indices for tensor of dimension ${x.ndim}`)
  if (components.filter((c) => c === '...').length > 1)
    throw new IndexError("an index can only have a single ellipsis ('...')")
  let viewed = x
  let dim = 0
  // Dimensions that numbers have taken away, so that messages count those of the tensor as it was indexed.
  let selected = 0
  const indices: (Tensor | null)[] = []
  const selectAt = (index: number) => {
    const size = viewed.sizes[dim]
    if (index < -size || index >= size)
      throw new IndexError(
        `index ${index} is out of bounds for dimension ${dim + selected} with size ${size}`,
      )
    viewed = select(viewed, dim, index)
    selected++
  }
  const skip = (n: number) => {
    for (let i = 0; i < n; i++) indices.push(null)
    dim += n
  }
  for (const component of components) {
    if (component === '...') skip(x.ndim - used)
    else if (component === null) {
      viewed = unsqueeze(viewed, dim)
      skip(1)
    } else if (typeof component === 'boolean') {
      viewed = unsqueeze(viewed, dim)
      indices.push(component ? indexVector([0]) : indexVector([]))
      dim++
    } else if (typeof component === 'number') {
      if (!Number.isInteger(component))
        throw new IndexError(`an index must be a whole number, got ${component}`)
      selectAt(component)
    } else if (typeof component === 'string') {
      const { start, end, step } = parseSlice(component)
      if (step <= 0) throw new ValueError('step must be greater than zero')
      const size = viewed.sizes[dim]
      if (start !== null || end !== null || step !== 1)
        viewed = slice(viewed, dim, start ?? 0, end ?? size, step)
      skip(1)
    } else if (component instanceof Tensor || Array.isArray(component)) {
      const index = asIndexTensor(component as Tensor | readonly (number | boolean)[])
      if (index.ndim === 0 && !isMask(index)) {
        // A tensor without dimensions selects, as a number does.
        selectAt(Number(index.item()))
      } else if (isMask(index)) {
        if (index.ndim === 0) {
          viewed = unsqueeze(viewed, dim)
          indices.push(index.item() ? indexVector([0]) : indexVector([]))
          dim++
          continue
        }
        for (let i = 0; i < index.ndim; i++)
          if (index.sizes[i] !== viewed.sizes[dim + i])
            throw new IndexError(
              `The shape of the mask ${formatSizes(index.sizes)} at index ${i} does not match the shape of the indexed tensor ${formatSizes(viewed.sizes)} at index ${dim + i}`,
            )
        const coordinates = nonzero(index)
        for (let i = 0; i < index.ndim; i++) indices.push(select(coordinates, 1, i))
        dim += index.ndim
      } else {
        checkBounds('index', index, viewed.sizes[dim], true, dim + selected)
        indices.push(wrapNegative(index.to(int64), viewed.sizes[dim]))
        dim++
      }
    } else throw new TypeError_(`at(): ${describe(component)} is no index`)
  }
  while (indices.length < viewed.ndim) indices.push(null)
  return { viewed, indices }
}

interface AdvancedIndex {
  readonly indices: readonly (Tensor | null)[]
}

interface AdvancedLayout {
  readonly outer: number[]
  readonly strides: number[]
  readonly atStrides: number[]
  readonly tensors: Tensor[]
  readonly indexStrides: number[][]
}

// Where the dimensions of the broadcast indices go: in place of the indexed ones if those are neighbours, else in front.
function advancedLayout(x: Tensor, indices: readonly (Tensor | null)[]): AdvancedLayout {
  const tensors = indices.filter((i): i is Tensor => i !== null)
  let shape: number[]
  try {
    shape = broadcastAll(tensors.map((t) => t.sizes))
  } catch {
    throw new IndexError(
      `shape mismatch: indexing tensors could not be broadcast together with shapes ${tensors.map((t) => formatSizes(t.sizes)).join(', ')}`,
    )
  }
  const dims = indices.map((i, d) => (i === null ? -1 : d)).filter((d) => d >= 0)
  const adjacent = dims.every((d, i) => i === 0 || d === dims[i - 1] + 1)
  const first = adjacent ? dims[0] : 0
  const outer: number[] = []
  const strides: number[] = []
  const place = (n: readonly number[], s: readonly number[]) => {
    outer.push(...n)
    strides.push(...s)
  }
  const kept = x.sizes.map((_, d) => d).filter((d) => indices[d] === null)
  const before = adjacent ? kept.filter((d) => d < first) : []
  const after = kept.filter((d) => !before.includes(d))
  place(
    before.map((d) => x.sizes[d]),
    before.map((d) => x.strides[d]),
  )
  place(
    shape,
    shape.map(() => 0),
  )
  place(
    after.map((d) => x.sizes[d]),
    after.map((d) => x.strides[d]),
  )
  const indexStrides = tensors.map((t) => [
    ...before.map(() => 0),
    ...broadcastStrides(t.sizes, t.strides, shape),
    ...after.map(() => 0),
  ])
  return { outer, strides, atStrides: dims.map((d) => x.strides[d]), tensors, indexStrides }
}

const indexOp: Op<AdvancedIndex> = {
  node: 'IndexBackward0',
  forward: ([x], { indices }) => {
    const l = advancedLayout(x, indices)
    const out = emptyTensor(l.outer, x.dtype, x.device)
    launch(
      x.device,
      gatherKernel(
        x.dtype,
        l.tensors.map((t) => t.dtype),
      ),
      l.outer,
      [],
      [
        operand(x, l.strides, l.atStrides),
        ...l.tensors.map((t, i) => operand(t, l.indexStrides[i])),
        operand(out),
      ],
    )
    return out
  },
  backward: ([g], { attributes: { indices }, inputSizes }) => [
    apply(indexPutOp, [g!.newZeros(inputSizes[0]), g!], { indices, accumulate: true }),
  ],
}

const indexPutOp: Op<AdvancedIndex & { readonly accumulate: boolean }> = {
  node: 'IndexPutBackward0',
  forward: ([x, values], { indices, accumulate }) => {
    const out = clone(x.detach())
    indexPutRaw(out, indices, values, accumulate)
    return out
  },
  backward: ([g], c) => {
    const { indices, accumulate } = c.attributes
    return [
      accumulate || !c.needs(0)
        ? g
        : apply(indexPutOp, [g!, g!.newZeros([])], { indices, accumulate: false }),
      c.needs(1) ? apply(indexOp, [g!], { indices }) : null,
    ]
  },
}

function indexPutRaw(
  self: Tensor,
  indices: readonly (Tensor | null)[],
  values: Tensor,
  accumulate: boolean,
): void {
  const l = advancedLayout(self, indices)
  let strides: number[]
  try {
    if (!sameSizes(broadcastSizes(values.sizes, l.outer), l.outer)) throw new Error()
    strides = broadcastStrides(values.sizes, values.strides, l.outer)
  } catch {
    throw new RuntimeError(
      `shape mismatch: value tensor of shape ${formatSizes(values.sizes)} cannot be broadcast to indexing result of shape ${formatSizes(l.outer)}`,
    )
  }
  const kernel = scatterKernel(
    self.dtype,
    l.tensors.map((t) => t.dtype),
    values.dtype,
    accumulate ? 'add' : 'set',
  )
  launch(
    self.device,
    kernel,
    l.outer,
    [],
    [
      operand(self, l.strides, l.atStrides),
      ...l.tensors.map((t, i) => operand(t, l.indexStrides[i])),
      operand(values, strides),
    ],
  )
}

// The index tensors of a call, one for each dimension: masks as coordinates, negative positions from the end.
function resolveIndices(x: Tensor, indices: readonly (Tensor | null)[]): (Tensor | null)[] {
  const result: (Tensor | null)[] = []
  for (const index of indices) {
    if (index === null) result.push(null)
    else if (isMask(index)) {
      const coordinates = nonzero(index)
      for (let i = 0; i < index.ndim; i++) result.push(select(coordinates, 1, i))
    } else {
      const d = result.length
      if (d >= x.ndim) throw new IndexError(`too many indices for tensor of dimension ${x.ndim}`)
      checkBounds('index', index, x.sizes[d], true, d)
      result.push(wrapNegative(index.to(int64), x.sizes[d]))
    }
  }
  if (result.length > x.ndim)
    throw new IndexError(`too many indices for tensor of dimension ${x.ndim} (got ${result.length})`)
  while (result.length < x.ndim) result.push(null)
  return result
}

/** Options of `indexPut`. */
export interface IndexPutOptions {
  /** Whether values are added to what is there (and those that meet are summed); default false. */
  accumulate?: boolean
}

export interface IndexPut {
  (x: Tensor, indices: readonly (Tensor | null)[], values: Tensor, accumulate: boolean): Tensor
  (x: Tensor, indices: readonly (Tensor | null)[], values: Tensor, options?: IndexPutOptions): Tensor
}

function prepareIndexPut(
  x: Tensor,
  indices: readonly (Tensor | null)[],
  values: Tensor,
  { accumulate = false }: IndexPutOptions,
): AdvancedIndex & { readonly accumulate: boolean } {
  checkTensor('index_put', 'input', x)
  checkTensor('index_put', 'values', values)
  if (values.dtype !== x.dtype)
    throw new RuntimeError(
      `Index put requires the source and destination dtypes match, got ${scalarTypeName(x.dtype)} for the destination and ${scalarTypeName(values.dtype)} for the source.`,
    )
  return { indices: resolveIndices(x, indices), accumulate }
}

/**
 * A copy of x with the elements at these indices (one tensor for each dimension; null: all of it) replaced by values
 * or, with `accumulate`, increased by them.
 */
export const indexPut: IndexPut & FunctionInfo & { readonly inPlace: IndexPut } = withInPlace(
  fn<IndexPut>(
    'index_put',
    ['input', 'indices', 'values'],
    ['accumulate'],
    (x: Tensor, indices: readonly (Tensor | null)[], values: Tensor, options: IndexPutOptions) =>
      apply(indexPutOp, [x, values], prepareIndexPut(x, indices, values, options)),
  ),
  fn<IndexPut>(
    'index_put_',
    ['input', 'indices', 'values'],
    ['accumulate'],
    (x: Tensor, indices: readonly (Tensor | null)[], values: Tensor, options: IndexPutOptions) => {
      const attributes = prepareIndexPut(x, indices, values, options)
      checkWritable(x)
      return applyInPlace(indexPutOp, [x, values], attributes, () =>
        indexPutRaw(x, attributes.indices, values, attributes.accumulate),
      )
    },
  ),
)

/** PyTorch's `x[...]`: see `Index` for what a component can be. Numbers and slices give views, tensors give copies. */
export function at(x: Tensor, ...components: Index[]): Tensor {
  checkTensor('at', 'input', x)
  const { viewed, indices } = parseIndex(x, components)
  if (indices.every((i) => i === null)) return viewed === x ? x.view(x.sizes) : viewed
  return apply(indexOp, [viewed], { indices })
}

/** PyTorch's `x[...] = value`: writes a number or a tensor (broadcast, converted) to the place that `at` reads. */
export function setAt(x: Tensor, components: Index | readonly Index[], value: Tensor | Scalar): Tensor {
  checkTensor('setAt', 'input', x)
  const list = Array.isArray(components) ? (components as readonly Index[]) : [components as Index]
  const { viewed, indices } = parseIndex(x, list)
  if (indices.every((i) => i === null)) {
    if (!(value instanceof Tensor)) viewed.fill_(value)
    else {
      const source = withoutLeadingOnes(value)
      viewed.copy_(sameSizes(source.sizes, viewed.sizes) ? source : expand(source, viewed.sizes))
    }
    return x
  }
  const given = value instanceof Tensor ? withoutLeadingOnes(value) : makeTensor(value)
  // What is read from the memory that is written to must be read before.
  const source = given.storage === viewed.storage ? given.clone() : given.to(x.dtype)
  checkWritable(viewed)
  applyInPlace(indexPutOp, [viewed, source], { indices, accumulate: false }, () =>
    indexPutRaw(viewed, indices, source, false),
  )
  return x
}

// PyTorch drops leading dimensions of size 1 of an assigned value.
function withoutLeadingOnes(value: Tensor): Tensor {
  let result = value
  while (result.sizes[0] === 1) result = squeeze(result, 0)
  return result
}
