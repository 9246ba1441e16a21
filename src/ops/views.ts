// Views: the same memory in another shape. Each differentiates by the opposite view.

import { gradMode } from '../autograd/mode.ts'
import { Node } from '../autograd/node.ts'
import { markView, setViewNodeMaker } from '../autograd/view-edge.ts'
import { complexOf, type DType, float32, float64, int64, realOf, scalarTypeName } from '../core/dtype.ts'
import { IndexError, RuntimeError, TypeError_ } from '../core/errors.ts'
import {
  contiguousStrides,
  formatSizes,
  inferSize,
  isContiguous,
  numelOf,
  viewStrides,
  wrapDim,
} from '../core/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { clone, contiguous } from './conversion.ts'
import { arange, fullTensor } from './creation.ts'
import { needHost } from './host.ts'
import {
  anyRequiresGrad,
  checkTensor,
  describe,
  type FunctionInfo,
  fn,
  gradientEdge,
  type Op,
  record,
  setCopySlicesMaker,
} from './op.ts'

/** A view operation: where the elements lie, and the gradient's way back. */
interface ViewOp<A> extends Op<A> {}

/** Makes a view of `x` and records it. */
export function makeView<A>(
  op: ViewOp<A>,
  x: Tensor,
  sizes: readonly number[],
  strides: readonly number[],
  offset: number,
  attributes: A,
): Tensor {
  const result = new Tensor(x.storage, sizes, strides, offset, x.dtype, x.conjugated)
  markView(result, x)
  if (gradMode.enabled && anyRequiresGrad([x])) record(op, [x], attributes, [result])
  return result
}

export function viewOp<A>(
  node: string,
  backward: (g: Tensor, attributes: A, sizes: readonly number[]) => Tensor,
): ViewOp<A> {
  return {
    node,
    forward: () => {
      throw new Error('views are made by makeView')
    },
    backward: ([g], { attributes, inputSizes }) => [backward(g!, attributes, inputSizes[0])],
  }
}

// ---- shape ------------------------------------------------------------------------------------------------------------

const viewShape = viewOp<null>('ViewBackward0', (g, _, sizes) => reshape(g, sizes))
const unsafeViewShape = viewOp<null>('UnsafeViewBackward0', (g, _, sizes) => reshape(g, sizes))

/** Functions that take sizes as numbers or as one array. */
export interface Sizes extends FunctionInfo {
  (x: Tensor, ...sizes: number[]): Tensor
  (x: Tensor, sizes: readonly number[]): Tensor
  readonly variadic: 'sizes'
}

function sizesOf(name: string, args: readonly unknown[]): number[] {
  const list = args.length === 1 && Array.isArray(args[0]) ? (args[0] as unknown[]) : args
  for (const n of list)
    if (typeof n !== 'number' || !Number.isInteger(n))
      throw new TypeError_(
        `${name}(): argument 'size' must be tuple of ints, but found element of type ${describe(n)}`,
      )
  return [...(list as number[])]
}

function sizesMethod(name: string, run: (x: Tensor, sizes: number[]) => Tensor, argument = 'size'): Sizes {
  return Object.assign((x: Tensor, ...args: unknown[]) => run(x, sizesOf(name, args)), {
    required: ['input', argument],
    optional: [],
    method: true,
    variadic: 'sizes' as const,
  }) as Sizes
}

/**
 * The same memory in another shape; one size may be -1.
 * @throws RuntimeError where the strides do not allow it: use `reshape`.
 */
export const view: Sizes = sizesMethod('view', (x, shape) => {
  const sizes = inferSize(shape, x.numel())
  const strides = viewStrides(x.sizes, x.strides, sizes)
  if (strides === null)
    throw new RuntimeError(
      "view size is not compatible with input tensor's size and stride (at least one dimension spans across two contiguous subspaces). Use .reshape(...) instead.",
    )
  return makeView(viewShape, x, sizes, strides, x.offset, null)
})

/** A view in another shape where the strides allow it, else a copy. */
export const reshape: Sizes = sizesMethod(
  'reshape',
  (x, shape) => {
    const sizes = inferSize(shape, x.numel())
    const strides = viewStrides(x.sizes, x.strides, sizes)
    if (strides !== null) return makeView(viewShape, x, sizes, strides, x.offset, null)
    return unsafeView(clone2(x), sizes)
  },
  'shape',
)

function clone2(x: Tensor): Tensor {
  return x.isContiguous() ? clone(x) : contiguous(x)
}

/** A new tensor in another shape: no view, as nothing else holds its memory. */
export function unsafeView(x: Tensor, shape: readonly number[]): Tensor {
  const sizes = inferSize(shape, x.numel())
  const result = new Tensor(x.storage, sizes, contiguousStrides(sizes), x.offset, x.dtype, x.conjugated)
  if (gradMode.enabled && anyRequiresGrad([x])) record(unsafeViewShape, [x], null, [result])
  return result
}

/** The tensor in the shape of another, as a view. */
export function viewAs(x: Tensor, other: Tensor): Tensor {
  return view(x, other.sizes)
}

/** The tensor in the shape of another. */
export function reshapeAs(x: Tensor, other: Tensor): Tensor {
  return reshape(x, other.sizes)
}

export interface Flatten {
  (x: Tensor, startDim?: number, endDim?: number): Tensor
  (x: Tensor, options?: { startDim?: number; endDim?: number }): Tensor
}

/** Merges the dimensions from `startDim` (0) to `endDim` (-1) into one. */
export const flatten: Flatten & FunctionInfo = fn<Flatten>(
  'flatten',
  ['input'],
  ['startDim', 'endDim'],
  (x: Tensor, { startDim = 0, endDim = -1 }: { startDim?: number; endDim?: number }) => {
    checkTensor('flatten', 'input', x)
    const start = wrapDim(startDim, x.ndim)
    const end = wrapDim(endDim, x.ndim)
    if (start > end) throw new RuntimeError('flatten() has invalid args: start_dim cannot come after end_dim')
    if (x.ndim === 0) return reshape(x, [1])
    if (start === end) return x
    return reshape(x, [
      ...x.sizes.slice(0, start),
      numelOf(x.sizes.slice(start, end + 1)),
      ...x.sizes.slice(end + 1),
    ])
  },
)

/** All elements in one dimension. */
export function ravel(x: Tensor): Tensor {
  return reshape(contiguous(x), [-1])
}

/** Splits dimension `dim` into several of these sizes, one of which may be -1. */
export function unflatten(x: Tensor, dim: number, sizes: readonly number[]): Tensor {
  const d = wrapDim(dim, x.ndim)
  if (sizes.length === 0) throw new RuntimeError('unflatten: sizes must be non-empty')
  let inner: number[]
  try {
    inner = inferSize(sizes, x.sizes[d])
  } catch {
    throw new RuntimeError(
      `unflatten: Provided sizes ${formatSizes(sizes)} don't multiply up to the size of dim ${d} (${x.sizes[d]}) in the input tensor`,
    )
  }
  return view(x, [...x.sizes.slice(0, d), ...inner, ...x.sizes.slice(d + 1)])
}

// ---- order of dimensions ----------------------------------------------------------------------------------------------

const transposeOp = viewOp<readonly [number, number]>('TransposeBackward0', (g, [a, b]) => transpose(g, a, b))
const tOp = viewOp<null>('TBackward0', (g) => t(g))
const permuteOp = viewOp<readonly number[]>('PermuteBackward0', (g, dims) => {
  const inverse = new Array<number>(dims.length)
  dims.forEach((from, position) => {
    inverse[from] = position
  })
  return permute(g, inverse)
})

function swapped<T>(values: readonly T[], a: number, b: number): T[] {
  const result = [...values]
  ;[result[a], result[b]] = [values[b], values[a]]
  return result
}

/** Swaps two dimensions. */
export function transpose(x: Tensor, dim0: number, dim1: number): Tensor {
  checkTensor('transpose', 'input', x)
  const a = wrapDim(dim0, x.ndim)
  const b = wrapDim(dim1, x.ndim)
  if (x.ndim === 0) return makeView(transposeOp, x, [], [], x.offset, [0, 0] as const)
  return makeView(transposeOp, x, swapped(x.sizes, a, b), swapped(x.strides, a, b), x.offset, [a, b] as const)
}

/** The same as `transpose`. */
export const swapaxes: typeof transpose = transpose
/** The same as `transpose`. */
export const swapdims: typeof transpose = transpose

/** The transpose of a matrix; vectors and scalars stay. */
export function t(x: Tensor): Tensor {
  if (x.ndim > 2) throw new RuntimeError(`t() expects a tensor with <= 2 dimensions, but self is ${x.ndim}D`)
  if (x.ndim < 2) return makeView(tOp, x, x.sizes, x.strides, x.offset, null)
  return makeView(tOp, x, swapped(x.sizes, 0, 1), swapped(x.strides, 0, 1), x.offset, null)
}

/** The dimensions in another order. */
export const permute: Sizes = sizesMethod(
  'permute',
  (x, dims) => {
    if (dims.length !== x.ndim)
      throw new RuntimeError(
        `permute(sparse_coo): number of dimensions in the tensor input does not match the length of the desired ordering of dimensions i.e. input.dim() = ${x.ndim} is not equal to len(dims) = ${dims.length}`,
      )
    const order = dims.map((d) => wrapDim(d, x.ndim))
    if (new Set(order).size !== order.length)
      throw new RuntimeError('permute(): duplicate dims are not allowed.')
    return makeView(
      permuteOp,
      x,
      order.map((d) => x.sizes[d]),
      order.map((d) => x.strides[d]),
      x.offset,
      order,
    )
  },
  'dims',
)

function listOf(dims: number | readonly number[]): readonly number[] {
  return typeof dims === 'number' ? [dims] : dims
}

/** Moves dimensions to other positions, the rest keeping their order. */
export function movedim(
  x: Tensor,
  source: number | readonly number[],
  destination: number | readonly number[],
): Tensor {
  const from = listOf(source).map((d) => wrapDim(d, x.ndim))
  const into = listOf(destination).map((d) => wrapDim(d, x.ndim))
  if (from.length !== into.length)
    throw new RuntimeError(
      `movedim: Invalid source or destination dims: source (${formatSizes(from)} dims) should contain the same number of dims as destination (${formatSizes(into)} dims)`,
    )
  if (new Set(from).size !== from.length)
    throw new RuntimeError(`movedim: repeated dim in \`source\` (${formatSizes(from)})`)
  if (new Set(into).size !== into.length)
    throw new RuntimeError(`movedim: repeated dim in \`destination\` (${formatSizes(into)})`)
  const order = new Array<number>(x.ndim).fill(-1)
  from.forEach((f, i) => {
    order[into[i]] = f
  })
  const rest = x.sizes.map((_, d) => d).filter((d) => !from.includes(d))
  for (let d = 0; d < order.length; d++) if (order[d] < 0) order[d] = rest.shift()!
  return permute(x, order)
}

/** The same as `movedim`. */
export const moveaxis: typeof movedim = movedim

/** The last two dimensions swapped. */
export function matrixTranspose(x: Tensor): Tensor {
  if (x.ndim < 2)
    throw new RuntimeError(
      `tensor.mT is only supported on matrices or batches of matrices. Got ${x.ndim}-D tensor.`,
    )
  return transpose(x, -2, -1)
}

/** The conjugate transpose: of real numbers, the last two dimensions swapped. */
export function adjoint(x: Tensor): Tensor {
  return conj(matrixTranspose(x))
}

/** The transpose of a matrix, conjugated if complex: `H`. */
export function conjugateTranspose(x: Tensor): Tensor {
  return conj(t(x))
}

/** All dimensions in reverse order. */
export function reversed(x: Tensor): Tensor {
  return permute(
    x,
    x.sizes.map((_, d) => x.ndim - 1 - d),
  )
}

// ---- dimensions of one element ------------------------------------------------------------------------------------------

const unsqueezeOp = viewOp<number>('UnsqueezeBackward0', (g, dim) => squeezeDims(g, [dim]))
const squeezeOp = (node: string) => viewOp<null>(node, (g, _, sizes) => reshape(g, sizes))
const squeezeAll = squeezeOp('SqueezeBackward0')
const squeezeOne = squeezeOp('SqueezeBackward1')
const squeezeSeveral = squeezeOp('SqueezeBackward2')

/** Inserts a dimension of size 1 at `dim`. */
export function unsqueeze(x: Tensor, dim: number): Tensor {
  checkTensor('unsqueeze', 'input', x)
  const d = wrapDim(dim, x.ndim + 1)
  const stride = d < x.ndim ? x.sizes[d] * x.strides[d] : 1
  const sizes = [...x.sizes.slice(0, d), 1, ...x.sizes.slice(d)]
  return makeView(
    unsqueezeOp,
    x,
    sizes,
    [...x.strides.slice(0, d), stride, ...x.strides.slice(d)],
    x.offset,
    d,
  )
}

function squeezeDims(x: Tensor, dims: readonly number[], op: ViewOp<null> = squeezeOne): Tensor {
  const keep = x.sizes.map((n, d) => !(n === 1 && dims.includes(d)))
  return makeView(
    op,
    x,
    x.sizes.filter((_, d) => keep[d]),
    x.strides.filter((_, d) => keep[d]),
    x.offset,
    null,
  )
}

export interface Squeeze {
  (x: Tensor, dim?: number | readonly number[]): Tensor
  (x: Tensor, options?: { dim?: number | readonly number[] }): Tensor
}

/** Removes dimensions of size 1: all of them, or those named (others named are left alone). */
export const squeeze: Squeeze & FunctionInfo = fn<Squeeze>(
  'squeeze',
  ['input'],
  ['dim'],
  (x: Tensor, { dim }: { dim?: number | readonly number[] }) => {
    if (dim === undefined)
      return squeezeDims(
        x,
        x.sizes.map((_, d) => d),
        squeezeAll,
      )
    const dims = listOf(dim).map((d) => wrapDim(d, x.ndim))
    return squeezeDims(x, dims, typeof dim === 'number' ? squeezeOne : squeezeSeveral)
  },
)

const expandOp = viewOp<null>('ExpandBackward0', (g) => g)

/** Stretches dimensions of size 1 (and adds new ones in front) without copying; -1 keeps a size. */
export const expand: Sizes = sizesMethod('expand', (x, shape) => {
  const shift = shape.length - x.ndim
  if (shift < 0)
    throw new RuntimeError(
      `expand(torch.${scalarTypeName(x.dtype)}Tensor{${formatSizes(x.sizes)}}, size=${formatSizes(shape)}): the number of sizes provided (${shape.length}) must be greater or equal to the number of dimensions in the tensor (${x.ndim})`,
    )
  const strides = new Array<number>(shape.length)
  const sizes = [...shape]
  // From the last dimension on, as PyTorch finds what does not fit.
  for (let d = shape.length - 1; d >= 0; d--) {
    const n = shape[d]
    const own = d < shift ? 1 : x.sizes[d - shift]
    if (n === -1 && d < shift)
      throw new RuntimeError(
        `The expanded size of the tensor (-1) isn't allowed in a leading, non-existing dimension ${d}`,
      )
    const size = n === -1 ? own : n
    strides[d] = d < shift ? 0 : x.strides[d - shift]
    if (size !== own) {
      if (own !== 1)
        throw new RuntimeError(
          `The expanded size of the tensor (${size}) must match the existing size (${own}) at non-singleton dimension ${d}.  Target sizes: ${formatSizes(shape)}.  Tensor sizes: ${formatSizes(x.sizes)}`,
        )
      strides[d] = 0
    }
    sizes[d] = size
  }
  return makeView(expandOp, x, sizes, strides, x.offset, null)
})

/** The tensor stretched to the shape of another. */
export function expandAs(x: Tensor, other: Tensor): Tensor {
  return expand(x, other.sizes)
}

/** Stretches a tensor to a shape by the rules of broadcasting. */
export function broadcastTo(x: Tensor, sizes: readonly number[]): Tensor {
  return expand(x, sizes)
}

// ---- parts --------------------------------------------------------------------------------------------------------------

const selectOp = viewOp<readonly [number, number]>('SelectBackward0', (g, [dim, index], sizes) =>
  embed(g, sizes, (z) => select(z, dim, index)),
)
const sliceOp = viewOp<readonly [number, number, number, number]>(
  'SliceBackward0',
  (g, [dim, start, end, step], sizes) => embed(g, sizes, (z) => slice(z, dim, start, end, step)),
)

// The gradient of a part: zeros with the part's gradient in its place.
function embed(g: Tensor, sizes: readonly number[], part: (zeros: Tensor) => Tensor): Tensor {
  const zeros = fullTensor(sizes, 0, g.dtype, g.device)
  part(zeros).copy_(g)
  return zeros
}

/** The slice at `index` of a dimension, without that dimension. */
export function select(x: Tensor, dim: number, index: number): Tensor {
  checkTensor('select', 'input', x)
  if (x.ndim === 0) throw new IndexError('select() cannot be applied to a 0-dim tensor.')
  const d = wrapDim(dim, x.ndim)
  const size = x.sizes[d]
  if (!Number.isInteger(index) || index < -size || index >= size)
    throw new IndexError(
      `select(): index ${index} out of range for tensor of size ${formatSizes(x.sizes)} at dimension ${d}`,
    )
  const i = index < 0 ? index + size : index
  return makeView(
    selectOp,
    x,
    x.sizes.filter((_, k) => k !== d),
    x.strides.filter((_, k) => k !== d),
    x.offset + i * x.strides[d],
    [d, i] as const,
  )
}

/** Elements `start` to `end` (excluded) of a dimension, every `step`-th; bounds are clamped as in Python. */
export function slice(x: Tensor, dim: number, start: number, end: number, step = 1): Tensor {
  const d = wrapDim(dim, x.ndim)
  if (step <= 0) throw new RuntimeError('slice step must be positive')
  const size = x.sizes[d]
  const clamp = (n: number) => Math.min(Math.max(n < 0 ? n + size : n, 0), size)
  const from = clamp(start)
  const until = Math.max(clamp(end), from)
  const sizes = [...x.sizes]
  const strides = [...x.strides]
  sizes[d] = Math.ceil((until - from) / step)
  strides[d] *= step
  return makeView(sliceOp, x, sizes, strides, x.offset + from * x.strides[d], [d, from, until, step] as const)
}

/** `length` elements of a dimension from `start` (a number, or a tensor without dimensions) on. */
export function narrow(x: Tensor, dim: number, start: number | Tensor, length: number): Tensor {
  if (start instanceof Tensor) {
    if (start.ndim !== 0 || start.dtype.kind !== 'int')
      throw new RuntimeError('start must be an 0-dim integral Tensor.')
    return narrow(x, dim, Number(needHost('narrow', start).item()), length)
  }
  if (x.ndim === 0) throw new RuntimeError('narrow() cannot be applied to a 0-dim tensor.')
  const d = wrapDim(dim, x.ndim)
  const size = x.sizes[d]
  if (length < 0) throw new RuntimeError('narrow(): length must be non-negative.')
  if (start < -size || start > size)
    throw new IndexError(
      `start out of range (expected to be in range of [${-size}, ${size}], but got ${start})`,
    )
  const from = start < 0 ? start + size : start
  if (from + length > size)
    throw new RuntimeError(`start (${from}) + length (${length}) exceeds dimension size (${size}).`)
  return slice(x, d, from, from + length)
}

const splitNode = (node: string): Op<readonly [number, readonly number[]]> => ({
  node,
  forward: () => {
    throw new Error('views are made by makeView')
  },
  backward: (grads, { attributes: [dim, lengths], inputSizes }) => {
    const g = grads.find((x) => x !== null)!
    const zeros = fullTensor(inputSizes[0], 0, g.dtype, g.device)
    let start = 0
    lengths.forEach((length, i) => {
      const part = grads[i]
      if (part !== null) slice(zeros, dim, start, start + length).copy_(part)
      start += length
    })
    return [zeros]
  },
})

const splitOp = splitNode('SplitBackward0')
const splitSizesOp = splitNode('SplitWithSizesBackward0')

function splitInto(
  op: Op<readonly [number, readonly number[]]>,
  x: Tensor,
  dim: number,
  lengths: readonly number[],
): Tensor[] {
  let start = 0
  const parts = lengths.map((length) => {
    const sizes = [...x.sizes]
    sizes[dim] = length
    const part = new Tensor(
      x.storage,
      sizes,
      x.strides,
      x.offset + start * x.strides[dim],
      x.dtype,
      x.conjugated,
    )
    markView(part, x, 'several')
    start += length
    return part
  })
  if (gradMode.enabled && anyRequiresGrad([x])) record(op, [x], [dim, lengths] as const, parts)
  return parts
}

export interface Split {
  (x: Tensor, splitSizeOrSections: number | readonly number[], dim?: number): Tensor[]
  (x: Tensor, splitSizeOrSections: number | readonly number[], options?: { dim?: number }): Tensor[]
}

/** Views of consecutive parts of a dimension: each of a size (the last may be smaller), or of the sizes given. */
export const split: Split & FunctionInfo = fn<Split>(
  'split',
  ['input', 'splitSizeOrSections'],
  ['dim'],
  (x: Tensor, sections: number | readonly number[], { dim = 0 }: { dim?: number }) => {
    if (x.ndim === 0) throw new RuntimeError('split expects at least a 1-dimensional tensor')
    const d = wrapDim(dim, x.ndim)
    const size = x.sizes[d]
    if (typeof sections !== 'number') {
      if (sections.reduce((a, b) => a + b, 0) !== size)
        throw new RuntimeError(
          `split_with_sizes expects split_sizes to sum exactly to ${size} (input tensor's size at dimension ${d}), but got split_sizes=${formatSizes(sections)}`,
        )
      return splitInto(splitSizesOp, x, d, sections)
    }
    if (sections < 0)
      throw new RuntimeError(`split expects split_size be non-negative, but got split_size=${sections}`)
    if (sections === 0 && size !== 0)
      throw new RuntimeError(
        `split_size can only be 0 if dimension size is 0, but got dimension size of ${size}`,
      )
    const count = sections === 0 ? 1 : Math.max(Math.ceil(size / sections), 1)
    const lengths = Array.from({ length: count }, (_, i) =>
      i < count - 1 ? sections : size - sections * (count - 1),
    )
    return splitInto(splitOp, x, d, lengths)
  },
)

export interface Chunk {
  (x: Tensor, chunks: number, dim?: number): Tensor[]
  (x: Tensor, chunks: number, options?: { dim?: number }): Tensor[]
}

/** At most `chunks` views of about equal size. */
export const chunk: Chunk & FunctionInfo = fn<Chunk>(
  'chunk',
  ['input', 'chunks'],
  ['dim'],
  (x: Tensor, chunks: number, { dim = 0 }: { dim?: number }) => {
    if (x.ndim === 0) throw new RuntimeError('chunk expects at least a 1-dimensional tensor')
    if (chunks <= 0) throw new RuntimeError(`chunk expects \`chunks\` to be greater than 0, got: ${chunks}`)
    const size = x.sizes[wrapDim(dim, x.ndim)]
    const each = Math.ceil(size / chunks)
    return each === 0 ? split(x, new Array<number>(chunks).fill(0), dim) : split(x, each, dim)
  },
)

const unbindOp: Op<number> = {
  node: 'UnbindBackward0',
  forward: () => {
    throw new Error('views are made by makeView')
  },
  backward: (grads, { attributes: dim, inputSizes }) => {
    const g = grads.find((x) => x !== null)!
    const zeros = fullTensor(inputSizes[0], 0, g.dtype, g.device)
    grads.forEach((part, i) => {
      if (part !== null) select(zeros, dim, i).copy_(part)
    })
    return [zeros]
  },
}

export interface Unbind {
  (x: Tensor, dim?: number): Tensor[]
  (x: Tensor, options?: { dim?: number }): Tensor[]
}

/** Views of the slices along a dimension, without that dimension. */
export const unbind: Unbind & FunctionInfo = fn<Unbind>(
  'unbind',
  ['input'],
  ['dim'],
  (x: Tensor, { dim = 0 }: { dim?: number }) => {
    if (x.ndim === 0) throw new RuntimeError('Dimension specified as 0 but tensor has no dimensions')
    const d = wrapDim(dim, x.ndim)
    const sizes = x.sizes.filter((_, k) => k !== d)
    const strides = x.strides.filter((_, k) => k !== d)
    const parts = Array.from({ length: x.sizes[d] }, (_, i) => {
      const part = new Tensor(x.storage, sizes, strides, x.offset + i * x.strides[d], x.dtype, x.conjugated)
      markView(part, x, 'several')
      return part
    })
    if (gradMode.enabled && anyRequiresGrad([x])) record(unbindOp, [x], d, parts)
    return parts
  },
)

const diagonalOp = viewOp<readonly [number, number, number]>(
  'DiagonalBackward0',
  (g, [offset, dim1, dim2], sizes) => embed(g, sizes, (z) => diagonal(z, offset, dim1, dim2)),
)

export interface Diagonal {
  (x: Tensor, offset?: number, dim1?: number, dim2?: number): Tensor
  (x: Tensor, options?: { offset?: number; dim1?: number; dim2?: number }): Tensor
}

/** A view of a diagonal of the matrices spanned by two dimensions; it becomes the last dimension. */
export const diagonal: Diagonal & FunctionInfo = fn<Diagonal>(
  'diagonal',
  ['input'],
  ['offset', 'dim1', 'dim2'],
  (x: Tensor, { offset = 0, dim1 = 0, dim2 = 1 }: { offset?: number; dim1?: number; dim2?: number }) => {
    const a = wrapDim(dim1, x.ndim)
    const b = wrapDim(dim2, x.ndim)
    if (a === b) throw new RuntimeError(`diagonal dimensions cannot be identical ${dim1}, ${dim2}`)
    const length = Math.max(
      offset >= 0 ? Math.min(x.sizes[a], x.sizes[b] - offset) : Math.min(x.sizes[a] + offset, x.sizes[b]),
      0,
    )
    const start = length === 0 ? 0 : offset >= 0 ? offset * x.strides[b] : -offset * x.strides[a]
    const keep = (_: number, d: number) => d !== a && d !== b
    return makeView(
      diagonalOp,
      x,
      [...x.sizes.filter(keep), length],
      [...x.strides.filter(keep), x.strides[a] + x.strides[b]],
      x.offset + start,
      [offset, a, b] as const,
    )
  },
)

const unfoldOp = viewOp<readonly [number, number, number]>(
  'UnfoldBackward0',
  (g, [dim, size, step], sizes) => {
    if (sizes.length === 0) return size === 0 ? g.newZeros([]) : reshape(g, [])
    // Windows that do not meet are put back at once.
    const apart = step >= size
    const count = g.sizes[dim]
    let total = fullTensor(sizes, 0, g.dtype, g.device)
    if (apart) {
      unfold(total, dim, size, step).copy_(g)
      return total
    }
    for (let i = 0; i < count; i++) {
      const part = fullTensor(sizes, 0, g.dtype, g.device)
      slice(part, dim, i * step, i * step + size).copy_(movedim(select(g, dim, i), -1, dim))
      total = total.add(part)
    }
    return total
  },
)

/** All windows of `size` elements along a dimension, every `step`; the window becomes the last dimension. */
export function unfold(x: Tensor, dimension: number, size: number, step: number): Tensor {
  const d = wrapDim(dimension, x.ndim)
  const length = x.ndim === 0 ? 1 : x.sizes[d]
  if (size < 0) throw new RuntimeError(`size is ${size} but must be >= 0`)
  if (size > length)
    throw new RuntimeError(`maximum size for tensor at dimension ${d} is ${length} but size is ${size}`)
  if (step <= 0) throw new RuntimeError(`step is ${step} but must be > 0`)
  const sizes = [...x.sizes]
  const strides = [...x.strides]
  const stride = x.ndim === 0 ? 1 : x.strides[d]
  if (x.ndim > 0) {
    sizes[d] = Math.floor((length - size) / step) + 1
    strides[d] = stride * step
  }
  return makeView(unfoldOp, x, [...sizes, size], [...strides, stride], x.offset, [d, size, step] as const)
}

// ---- any strides ----------------------------------------------------------------------------------------------------------

/** Where the elements of a tensor lie in its storage. */
interface Place {
  readonly sizes: readonly number[]
  readonly strides: readonly number[]
  /** Position in the storage, in elements. */
  readonly offset: number
}

interface Geometry extends Place {
  /** The tensor that the view is taken from. */
  readonly from: Place
}

const placeOf = ({ sizes, strides, offset }: Tensor): Place => ({ sizes, strides, offset })

/** Zeros for the stretch of a storage that two places span, and that stretch's beginning in the storage. */
function commonMemory(a: Place, b: Place, like: Tensor): { flat: Tensor; origin: number } {
  const origin = Math.min(a.offset, b.offset)
  let length = 1
  for (const { sizes, strides, offset } of [a, b])
    if (numelOf(sizes) > 0)
      length = Math.max(
        length,
        sizes.reduce((last, n, d) => last + (n - 1) * strides[d], offset - origin) + 1,
      )
  return { flat: fullTensor([length], 0, like.dtype, like.device), origin }
}

/** The view of a stretch of memory that begins at `origin` which shows a place. */
function within(flat: Tensor, { sizes, strides, offset }: Place, origin: number): Tensor {
  return asStrided(flat, sizes, strides, offset - origin)
}

/** Adds the gradient of a strided view into the place that the view looks at. */
function stridedGradient(g: Tensor, geometry: Geometry): Tensor {
  const { sizes, strides, offset, from } = geometry
  const { flat, origin } = commonMemory(from, geometry, g)
  if (injective(sizes, strides)) {
    within(flat, geometry, origin).copy_(g)
    return within(flat, from, origin)
  }
  return within(flat.indexAdd(0, positions(sizes, strides, offset - origin), reshape(g, [-1])), from, origin)
}

function injective(sizes: readonly number[], strides: readonly number[]): boolean {
  const dims = sizes
    .map((n, d) => [n, strides[d]] as const)
    .filter(([n]) => n > 1)
    .sort((a, b) => a[1] - b[1])
  let reach = 0
  for (const [n, stride] of dims) {
    if (stride <= reach) return false
    reach += (n - 1) * stride
  }
  return true
}

function positions(sizes: readonly number[], strides: readonly number[], offset: number): Tensor {
  let index: Tensor = fullTensor([], offset, int64)
  sizes.forEach((n, d) => {
    index = index.unsqueeze(-1).add(arange(n).mul(strides[d]))
  })
  return reshape(index, [-1])
}

const asStridedOp = viewOp<Geometry>('AsStridedBackward0', (g, geometry) => stridedGradient(g, geometry))

export interface AsStrided {
  (x: Tensor, size: readonly number[], stride: readonly number[], storageOffset?: number | null): Tensor
  (
    x: Tensor,
    size: readonly number[],
    stride: readonly number[],
    options: { storageOffset?: number | null },
  ): Tensor
}

/** A view with these sizes and strides, starting `storageOffset` elements into the storage. */
export const asStrided: AsStrided & FunctionInfo = fn<AsStrided>(
  'as_strided',
  ['input', 'size', 'stride'],
  ['storageOffset'],
  (
    x: Tensor,
    size: readonly number[],
    stride: readonly number[],
    options: { storageOffset?: number | null },
  ) => {
    const storageOffset = options.storageOffset ?? x.offset
    if (size.length !== stride.length) throw new RuntimeError('mismatch in length of strides and shape')
    if (stride.some((s) => s < 0))
      throw new RuntimeError(
        `as_strided: Negative strides are not supported at the moment, got strides: ${formatSizes(stride)}`,
      )
    if (storageOffset < 0) throw new RuntimeError(`Tensor: invalid storage offset ${storageOffset}`)
    const last =
      numelOf(size) === 0 ? 0 : storageOffset + size.reduce((sum, n, d) => sum + (n - 1) * stride[d], 0) + 1
    if (last * x.dtype.itemsize > x.storage.nbytes)
      throw new RuntimeError(
        `setStorage: sizes ${formatSizes(size)}, strides ${formatSizes(stride)}, storage offset ${storageOffset}, and itemsize ${x.dtype.itemsize} requiring a storage size of ${last * x.dtype.itemsize} are out of bounds for storage of size ${x.storage.nbytes}`,
      )
    return makeView(asStridedOp, x, size, stride, storageOffset, geometryOf(x, size, stride, storageOffset))
  },
)

function geometryOf(
  x: Tensor,
  sizes: readonly number[],
  strides: readonly number[],
  offset: number,
): Geometry {
  return { sizes, strides, offset, from: placeOf(x) }
}

// ---- parts of complex numbers -------------------------------------------------------------------------------------------

const viewAsRealOp = viewOp<null>('ViewAsRealBackward0', (g) => joined(g))
const viewAsComplexOp = viewOp<null>('ViewAsComplexBackward0', (g) => viewAsReal(g.conjugated ? clone(g) : g))
const conjOp = viewOp<null>('ConjBackward0', (g) => conj(g))

// Parts along the last dimension as complex numbers, copied where their layout does not allow a view.
function joined(parts: Tensor): Tensor {
  return viewAsComplex(isJoinable(parts) ? parts : clone2(parts))
}

function isJoinable({ strides, offset, ndim }: Tensor): boolean {
  return strides[ndim - 1] === 1 && offset % 2 === 0 && strides.slice(0, -1).every((s) => s % 2 === 0)
}

/**
 * The memory of a complex tensor as real numbers: one more dimension of size 2 holds real and imaginary parts. A view.
 * @throws RuntimeError for real tensors, and for conjugated ones, whose memory holds something else.
 */
export function viewAsReal(x: Tensor): Tensor {
  checkTensor('view_as_real', 'input', x)
  if (x.dtype.kind !== 'complex') throw new RuntimeError('view_as_real is only supported for complex tensors')
  if (x.conjugated)
    throw new RuntimeError(
      "view_as_real doesn't work on unresolved conjugated tensors.  To resolve the conjugate tensor so you can view it as real, use self.resolve_conj(); however, be warned that the resulting tensor will NOT alias the original.",
    )
  return makeViewOf(viewAsRealOp, x, realPlace(x), realOf(x.dtype), false)
}

/**
 * The memory of a real tensor, whose last dimension has size 2 and step 1, as complex numbers. A view.
 * @throws RuntimeError for other dtypes than float32 and float64, and other layouts.
 */
export function viewAsComplex(x: Tensor): Tensor {
  checkTensor('view_as_complex', 'input', x)
  if (x.dtype !== float32 && x.dtype !== float64)
    throw new RuntimeError(
      `view_as_complex is only supported for half, float and double tensors, but got a tensor of scalar type: ${scalarTypeName(x.dtype)}`,
    )
  if (x.ndim === 0) throw new RuntimeError('Input tensor must have one or more dimensions')
  if (x.sizes[x.ndim - 1] !== 2) throw new RuntimeError('Tensor must have a last dimension of size 2')
  if (x.strides[x.ndim - 1] !== 1) throw new RuntimeError('Tensor must have a last dimension with stride 1')
  if (x.strides.slice(0, -1).some((s) => s % 2 !== 0))
    throw new RuntimeError('Tensor must have a stride divisible by 2 for all but last dimension')
  if (x.offset % 2 !== 0) throw new RuntimeError('Tensor must have a storage_offset divisible by 2')
  const place = {
    sizes: x.sizes.slice(0, -1),
    strides: x.strides.slice(0, -1).map((s) => s / 2),
    offset: x.offset / 2,
  }
  return makeViewOf(viewAsComplexOp, x, place, complexOf(x.dtype), false)
}

/** The complex conjugate, as a view that conjugates what is read and written; a real tensor as it is. */
export function conj(x: Tensor): Tensor {
  checkTensor('conj', 'input', x)
  return x.dtype.kind === 'complex' ? makeViewOf(conjOp, x, placeOf(x), x.dtype, !x.conjugated) : x
}

// Where the parts of a tensor's elements lie: in the real numbers of its storage.
function realPlace(x: Place): Place {
  return {
    sizes: [...x.sizes, 2],
    strides: [...x.strides.map((s) => 2 * s), 1],
    offset: 2 * x.offset,
  }
}

function makeViewOf(
  op: ViewOp<null>,
  x: Tensor,
  { sizes, strides, offset }: Place,
  dtype: DType,
  conjugated: boolean,
): Tensor {
  const result = new Tensor(x.storage, sizes, strides, offset, dtype, conjugated)
  markView(result, x)
  if (gradMode.enabled && anyRequiresGrad([x])) record(op, [x], null, [result])
  return result
}

/** What else a view may be than a part of its base: of its parts, or conjugated. */
interface Seen {
  readonly dtype: DType
  readonly conjugated: boolean
}

// A view of `base`, whose memory begins at `origin`, that shows a place as it was seen. Recorded.
function seenWithin(base: Tensor, place: Place, origin: number, { dtype, conjugated }: Seen): Tensor {
  const each = base.dtype.kind === 'complex' ? (dtype.kind === 'complex' ? 1 : 2) : 1
  const source = each === 2 ? viewAsReal(base) : base
  const joins = base.dtype.kind !== 'complex' && dtype.kind === 'complex'
  const { sizes, strides, offset } = joins ? realPlace(place) : place
  const strided = asStrided(source, sizes, strides, offset - each * origin)
  const result = joins ? viewAsComplex(strided) : strided
  return result.conjugated === conjugated ? result : conj(result)
}

// A view whose memory was changed in place is recorded anew as a strided view of its base.
setViewNodeMaker((base, viewed) => {
  const plain = viewed.dtype === base.dtype && viewed.conjugated === base.conjugated
  if (!plain) return seenWithin(base, placeOf(viewed), 0, viewed).autograd!.gradFn!
  const probe = new Tensor(base.storage, viewed.sizes, viewed.strides, viewed.offset, viewed.dtype)
  record(asStridedOp, [base], geometryOf(base, viewed.sizes, viewed.strides, viewed.offset), [probe])
  return probe.autograd!.gradFn!
})

/** A change of a view, as a change of its base: the gradient of the part goes through `inner`, the rest passes. */
export class CopySlices extends Node {
  private readonly whole: Place
  private readonly part: Place
  private readonly seen: Seen
  private readonly plain: boolean

  constructor(
    base: Tensor,
    view: Tensor,
    private readonly inner: Node,
  ) {
    super('torch::autograd::CopySlices')
    this.whole = placeOf(base)
    this.part = placeOf(view)
    this.seen = { dtype: view.dtype, conjugated: view.conjugated }
    this.plain = view.dtype === base.dtype && view.conjugated === base.conjugated
    this.edges = [gradientEdge(base), ...inner.edges.slice(1)]
  }

  override apply(grads: readonly (Tensor | null)[]): readonly (Tensor | null)[] {
    const grad = grads[0]
    if (grad === null) return this.edges.map(() => null)
    const { result, part } = this.copyOf(grad)
    const inner = this.inner.apply([clone(part)])
    const own = inner[0]
    if (own === null || own === undefined) part.zero_()
    else part.copy_(own)
    return [result, ...inner.slice(1)]
  }

  // A copy in the base's own layout, and the part of it that was changed.
  private copyOf(grad: Tensor): { result: Tensor; part: Tensor } {
    const { whole, part } = this
    if (isContiguous(whole.sizes, whole.strides)) {
      const result = clone(contiguous(grad))
      return { result, part: this.partOf(result, whole.offset) }
    }
    // Where both do not count in the same elements, the whole memory of the base is taken.
    const span = this.plain ? part : whole
    const { flat, origin } = commonMemory(whole, span, grad)
    const result = within(flat, whole, origin)
    result.copy_(grad)
    return { result, part: this.partOf(flat, origin) }
  }

  private partOf(memory: Tensor, origin: number): Tensor {
    return this.plain ? within(memory, this.part, origin) : seenWithin(memory, this.part, origin, this.seen)
  }

  override release(): void {
    this.inner.release()
  }
}

setCopySlicesMaker((base, view, inner) => new CopySlices(base, view, inner))
