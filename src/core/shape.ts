// Shapes and strides as plain arrays of numbers: sizes, contiguity, broadcasting, dimension checks.

import { IndexError, RuntimeError } from './errors.ts'

/** A tensor's shape: an array of numbers that prints as PyTorch's `torch.Size([2, 3])`. */
export class Size extends Array<number> {
  // `map` and `slice` of a shape give plain arrays.
  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }

  /** The number of elements of a tensor of this shape. */
  numel(): number {
    return numelOf(this)
  }

  override toString(): string {
    return `torch.Size([${this.join(', ')}])`
  }

  /** How containers print it. */
  repr(): string {
    return this.toString()
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

/** A `Size` of these numbers. */
export function makeSize(sizes: readonly number[]): Size {
  const size = new Size(sizes.length)
  for (let i = 0; i < sizes.length; i++) size[i] = sizes[i]
  return size
}

/** The product of `sizes`; 1 for a tensor without dimensions. */
export function numelOf(sizes: readonly number[]): number {
  let n = 1
  for (let i = 0; i < sizes.length; i++) n *= sizes[i]
  return n
}

/** Strides (in elements) of a contiguous tensor of this shape, last dimension fastest. */
export function contiguousStrides(sizes: readonly number[]): number[] {
  const strides = new Array<number>(sizes.length)
  let step = 1
  for (let i = sizes.length - 1; i >= 0; i--) {
    strides[i] = step
    step *= Math.max(sizes[i], 1)
  }
  return strides
}

/** Whether the elements lie in C order without gaps. Strides of dimensions of size 1 do not matter. */
export function isContiguous(sizes: readonly number[], strides: readonly number[]): boolean {
  let expected = 1
  for (let i = sizes.length - 1; i >= 0; i--) {
    const size = sizes[i]
    if (size === 0) return true
    if (size !== 1) {
      if (strides[i] !== expected) return false
      expected *= size
    }
  }
  return true
}

/** Whether the elements fill a block of memory exactly once, in some order of the dimensions. */
export function isNonOverlappingAndDense(sizes: readonly number[], strides: readonly number[]): boolean {
  const order = dimensionsByStride(sizes, strides)
  let expected = 1
  for (const dim of order) {
    if (sizes[dim] === 0) return true
    if (sizes[dim] === 1) continue
    if (strides[dim] !== expected) return false
    expected *= sizes[dim]
  }
  return true
}

function dimensionsByStride(sizes: readonly number[], strides: readonly number[]): number[] {
  return sizes.map((_, i) => i).sort((a, b) => strides[a] - strides[b] || b - a)
}

/**
 * Strides for a result that keeps the memory layout of a tensor of these strides (PyTorch's
 * `preserve_format`): the same ones where they are dense, else dense ones in the same order of dimensions.
 */
export function denseStridesLike(sizes: readonly number[], strides: readonly number[]): number[] {
  if (isContiguous(sizes, strides)) return contiguousStrides(sizes)
  if (isNonOverlappingAndDense(sizes, strides)) return [...strides]
  const order = sizes.map((_, i) => i)
  // Broadcast dimensions (stride 0) say nothing about order and stay where they are, as in PyTorch's TensorIterator.
  for (let i = 1; i < order.length; i++)
    for (let j = i; j > 0; j--) {
      const [outer, inner] = [order[j - 1], order[j]]
      if (strides[outer] === 0 || strides[inner] === 0 || strides[outer] >= strides[inner]) break
      order[j - 1] = inner
      order[j] = outer
    }
  const result = new Array<number>(sizes.length)
  let step = 1
  for (let i = order.length - 1; i >= 0; i--) {
    result[order[i]] = step
    step *= Math.max(sizes[order[i]], 1)
  }
  return result
}

/** Whether two shapes are the same. */
export function sameSizes(a: readonly number[], b: readonly number[]): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** `[2, 3]`, as PyTorch's messages write shapes. */
export function formatSizes(sizes: readonly number[]): string {
  return `[${sizes.join(', ')}]`
}

/**
 * The shape that two shapes broadcast to: aligned at the last dimension, a dimension of 1 stretches.
 * Throws PyTorch's message when they do not fit.
 */
export function broadcastSizes(a: readonly number[], b: readonly number[]): number[] {
  if (a.length < b.length) return broadcastSizes2(b, a, true)
  return broadcastSizes2(a, b, false)
}

function broadcastSizes2(long: readonly number[], short: readonly number[], swapped: boolean): number[] {
  const result = long.slice()
  const shift = long.length - short.length
  for (let i = 0; i < short.length; i++) {
    const x = long[i + shift]
    const y = short[i]
    if (x === y || y === 1) continue
    if (x === 1) result[i + shift] = y
    else {
      const [first, second] = swapped ? [y, x] : [x, y]
      throw new RuntimeError(
        `The size of tensor a (${first}) must match the size of tensor b (${second}) at non-singleton dimension ${i + shift}`,
      )
    }
  }
  return result
}

/** The common shape of any number of shapes. */
export function broadcastAll(shapes: readonly (readonly number[])[]): number[] {
  let result: number[] = []
  for (const shape of shapes) result = broadcastSizes(result, shape)
  return result
}

/** Strides that read a tensor of shape `sizes` as if it had the larger shape `to`; 0 where it is stretched. */
export function broadcastStrides(
  sizes: readonly number[],
  strides: readonly number[],
  to: readonly number[],
): number[] {
  const shift = to.length - sizes.length
  const result = new Array<number>(to.length)
  for (let i = 0; i < to.length; i++)
    result[i] = i < shift || (sizes[i - shift] === 1 && to[i] !== 1) ? 0 : strides[i - shift]
  return result
}

/** A dimension counted from the front: -1 is the last. Throws PyTorch's IndexError when out of range. */
export function wrapDim(dim: number, rank: number): number {
  const limit = Math.max(rank, 1)
  if (!Number.isInteger(dim) || dim < -limit || dim >= limit)
    throw new IndexError(
      `Dimension out of range (expected to be in range of [${-limit}, ${limit - 1}], but got ${dim})`,
    )
  return dim < 0 ? dim + limit : dim
}

/** Several dimensions counted from the front, each named once; all of them for null or an empty list. */
export function wrapDims(dims: number | readonly number[] | null | undefined, rank: number): number[] {
  if (dims === null || dims === undefined || (typeof dims !== 'number' && dims.length === 0))
    return Array.from({ length: rank }, (_, i) => i)
  const list = (typeof dims === 'number' ? [dims] : dims).map((d) => wrapDim(d, rank))
  for (let i = 0; i < list.length; i++)
    if (list.indexOf(list[i]) !== i)
      throw new RuntimeError(`dim ${list[i]} appears multiple times in the list of dims`)
  return rank === 0 ? [] : list
}

/** The shape given to `view` or `reshape`, its -1 filled in. Throws when it cannot hold `numel` elements. */
export function inferSize(shape: readonly number[], numel: number): number[] {
  let product = 1
  let unknown = -1
  for (let i = 0; i < shape.length; i++) {
    if (shape[i] === -1) {
      if (unknown >= 0) throw new RuntimeError('only one dimension can be inferred')
      unknown = i
    } else if (shape[i] < 0)
      throw new RuntimeError(
        `invalid shape dimension ${shape[i]} at index ${i} of shape ${formatSizes(shape)}`,
      )
    else product *= shape[i]
  }
  const invalid = () =>
    new RuntimeError(`shape '${formatSizes(shape)}' is invalid for input of size ${numel}`)
  if (unknown < 0) {
    if (product !== numel) throw invalid()
    return [...shape]
  }
  if (product === 0) {
    if (numel !== 0) throw invalid()
    throw new RuntimeError(
      `cannot reshape tensor of 0 elements into shape ${formatSizes(shape)} because the unspecified dimension size -1 can be any value and is ambiguous`,
    )
  }
  if (numel % product !== 0) throw invalid()
  const result = [...shape]
  result[unknown] = numel / product
  return result
}

/**
 * Strides with which a tensor of `sizes` and `strides` can be seen in another shape of as many
 * elements without copying, or null where it cannot (PyTorch's `computeStride`).
 */
export function viewStrides(
  sizes: readonly number[],
  strides: readonly number[],
  newSizes: readonly number[],
): number[] | null {
  if (numelOf(sizes) === 0) return sameSizes(sizes, newSizes) ? [...strides] : contiguousStrides(newSizes)
  const result = new Array<number>(newSizes.length)
  if (sizes.length === 0) return result.fill(1)
  let view = newSizes.length - 1
  let chunkStride = strides[strides.length - 1]
  let chunk = 1
  let viewed = 1
  for (let dim = sizes.length - 1; dim >= 0; dim--) {
    chunk *= sizes[dim]
    if (dim === 0 || (sizes[dim - 1] !== 1 && strides[dim - 1] !== chunk * chunkStride)) {
      while (view >= 0 && (viewed < chunk || newSizes[view] === 1)) {
        result[view] = viewed * chunkStride
        viewed *= newSizes[view]
        view--
      }
      if (viewed !== chunk) return null
      if (dim > 0) {
        chunkStride = strides[dim - 1]
        chunk = 1
        viewed = 1
      }
    }
  }
  return view === -1 ? result : null
}
