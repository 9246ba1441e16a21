// Reading and writing by index along a dimension: indexSelect, gather, scatter, indexAdd and their kin.

import { int64 } from '../core/dtype.ts'
import { IndexError, RuntimeError } from '../core/errors.ts'
import { broadcastStrides, formatSizes, sameSizes, wrapDim } from '../core/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { clone } from './conversion.ts'
import { asElement } from './elements.ts'
import { needHost } from './host.ts'
import {
  checkBounds,
  checkIndexDType,
  type DimIndex,
  gatherKernel,
  type ScatterMode,
  scatterKernel,
  zeroAt,
} from './index-kernels.ts'
import { emptyTensor, launch, operand } from './launch.ts'
import { apply, applyInPlace, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { checkWritable, type Scalar, withInPlace } from './pointwise.ts'
import { reshape } from './views.ts'

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
  return value.requiresGrad ? value.to(x.dtype) : (needHost('index_fill', value).item() as Scalar)
}

/** Fills the slices of x at these indices with a number. */
export const indexFill: IndexFill & FunctionInfo & { readonly inPlace: IndexFill } = withInPlace(
  fn<IndexFill>(
    'index_fill',
    ['input', 'dim', 'index', 'value'],
    [],
    (x: Tensor, dim: number, index: Tensor, value: Scalar | Tensor) => {
      const source = fillSource(x, value)
      const scalar = source instanceof Tensor ? (needHost('index_fill', source).item() as Scalar) : source
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
    const scalar = source instanceof Tensor ? (needHost('index_fill', source).item() as Scalar) : source
    return runIndexWrite(
      indexFillOp,
      x,
      scalar,
      prepareIndexWrite('index_fill', x, dim, index, scalar, 'set'),
      true,
    )
  },
)
