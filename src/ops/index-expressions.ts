// PyTorch's x[...] as `at` and `setAt`, and indexPut: numbers, slices, masks and index tensors together.

import { bool, int64, scalarTypeName } from '../core/dtype.ts'
import { IndexError, RuntimeError, TypeError_, ValueError } from '../core/errors.ts'
import { broadcastAll, broadcastSizes, broadcastStrides, formatSizes, sameSizes } from '../core/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { clone } from './conversion.ts'
import { tensor as makeTensor } from './creation.ts'
import { needHost } from './host.ts'
import { checkBounds, gatherKernel, scatterKernel, wrapNegative } from './index-kernels.ts'
import { indexVector } from './index-vector.ts'
import { emptyTensor, launch, operand } from './launch.ts'
import { apply, applyInPlace, checkTensor, describe, type FunctionInfo, fn, type Op } from './op.ts'
import { checkWritable, type Scalar, withInPlace } from './pointwise.ts'
import { nonzero } from './selecting.ts'
import { expand, select, slice, squeeze, unsqueeze } from './views.ts'

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
        selectAt(Number(needHost('at', index).item()))
      } else if (isMask(index)) {
        if (index.ndim === 0) {
          viewed = unsqueeze(viewed, dim)
          indices.push(needHost('at', index).item() ? indexVector([0]) : indexVector([]))
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
