// Positions and selections: argwhere, isin, combinations, unravelIndex, and filling.

import { bool, int64 } from '../core/dtype.ts'
import { RuntimeError, ValueError } from '../core/errors.ts'
import { resultType } from '../core/promotion.ts'
import { formatSizes } from '../core/shape.ts'
import { data, writeData } from '../tensor/data.ts'
import { Tensor } from '../tensor/tensor.ts'
import { clone, to } from './conversion.ts'
import { fullTensor, tensor as makeTensor } from './creation.ts'
import { areKnown, computeLater, onHost } from './host.ts'
import { indexVector } from './index-vector.ts'
import { indexSelect } from './indexing.ts'
import { cat } from './joining.ts'
import { emptyTensor } from './launch.ts'
import { checkTensor, type FunctionInfo, fn } from './op.ts'
import type { Scalar, TensorOrScalar } from './pointwise.ts'
import { diag } from './rearranging.ts'
import { nonzero } from './selecting.ts'
import { narrow, reshape } from './views.ts'

/** The coordinates of all elements that are not zero, one row each. */
export const argwhere: ((x: Tensor) => Tensor) & FunctionInfo = fn<(x: Tensor) => Tensor>(
  'argwhere',
  ['input'],
  [],
  (x: Tensor) => nonzero(x),
)

export type NonzeroStatic = (x: Tensor, options: { size: number; fillValue?: number }) => Tensor

/** As `nonzero`, with exactly `size` rows: the first ones, or `fillValue` (-1) where there are too few. */
export const nonzeroStatic: NonzeroStatic & FunctionInfo = fn<NonzeroStatic>(
  'nonzero_static',
  ['input'],
  ['size', 'fillValue'],
  (x: Tensor, { size = 0, fillValue = -1 }: { size?: number; fillValue?: number }) => {
    if (size < 0) throw new RuntimeError(`nonzero_static: 'size' must be an non-negative integer`)
    const rows = nonzero(x)
    const count = Math.min(size, rows.sizes[0])
    if (count === size) return narrow(rows, 0, 0, size).clone()
    return cat(
      [narrow(rows, 0, 0, count), to(fullTensor([size - count, x.ndim], fillValue, int64), rows.device)],
      0,
    )
  },
  { positional: 0 },
)

/** Options of `isin`. */
export interface IsinOptions {
  /** A promise that neither has an element twice; not needed here. */
  assumeUnique?: boolean
  /** Whether to tell which are not in. */
  invert?: boolean
}

export type Isin = (elements: TensorOrScalar, testElements: TensorOrScalar, options?: IsinOptions) => Tensor

const asTensor = (x: TensorOrScalar): Tensor => (x instanceof Tensor ? x : makeTensor(x))

/** Which of `elements` are among `testElements`. Either may be a number. NaN is in nothing. */
export const isin: Isin & FunctionInfo = fn<Isin>(
  'isin',
  ['elements', 'testElements'],
  ['assumeUnique', 'invert'],
  (elements: TensorOrScalar, testElements: TensorOrScalar, { invert = false }: IsinOptions) => {
    const common = resultType([elements, testElements])
    const given = [elements, testElements].map((t) => asTensor(t).detach())
    const { device } = given.find((t) => t.device.type !== 'cpu') ?? given[0]
    if (!areKnown(given)) {
      const there = given.map((t) => to(t, device))
      return computeLater(there, [{ sizes: given[0].sizes, dtype: bool }], (known) => [
        isin(known[0], known[1], { invert }),
      ])[0]
    }
    const [x, among] = given.map((t) => to(onHost(t)!, common))
    const known = new Set<number | bigint>(data(among) as Iterable<number | bigint>)
    known.delete(Number.NaN)
    const values = data(x) as ArrayLike<number | bigint>
    const result = emptyTensor(x.sizes, bool, device)
    writeData(
      result,
      Array.from(values, (v) => known.has(v) !== invert),
    )
    return result
  },
  { method: false, positional: 0 },
)

export interface Combinations {
  (x: Tensor, r: number, withReplacement?: boolean): Tensor
  (x: Tensor, options?: { r?: number; withReplacement?: boolean }): Tensor
}

/** All choices of `r` (2) elements of a vector in their order, one row each; `withReplacement`: elements may recur. */
export const combinations: Combinations & FunctionInfo = fn<Combinations>(
  'combinations',
  ['input'],
  ['r', 'withReplacement'],
  (x: Tensor, { r = 2, withReplacement = false }: { r?: number; withReplacement?: boolean }) => {
    checkTensor('combinations', 'input', x)
    if (x.ndim !== 1) throw new RuntimeError(`Expect a 1D vector, but got shape ${formatSizes(x.sizes)}`)
    if (r < 0) throw new RuntimeError(`Expect a non-negative number, but got ${r}`)
    if (r === 0) return emptyTensor([0], x.dtype)
    const n = x.sizes[0]
    const rows: number[] = []
    const chosen: number[] = []
    const choose = (from: number): void => {
      if (chosen.length === r) {
        rows.push(...chosen)
        return
      }
      for (let i = from; i < n; i++) {
        chosen.push(i)
        choose(withReplacement ? i : i + 1)
        chosen.pop()
      }
    }
    choose(0)
    return reshape(indexSelect(x, 0, indexVector(rows)), [rows.length / r, r])
  },
  { method: false },
)

/** The coordinates, one tensor for each dimension, of positions in a flattened tensor of this shape. */
export function unravelIndex(indices: Tensor, shape: number | readonly (number | bigint)[]): Tensor[] {
  checkTensor('unravel_index', 'indices', indices)
  if (indices.dtype.kind !== 'int')
    throw new ValueError(`expected 'indices' to be integer dtype, but got ${indices.dtype}`)
  const sizes = (typeof shape === 'number' ? [shape] : shape).map(BigInt)
  if (sizes.some((n) => n < 0n))
    throw new ValueError(`'shape' cannot have negative values, but got (${sizes.join(', ')})`)
  let step = 1n
  const results: Tensor[] = []
  const places = to(indices, int64)
  for (const n of [...sizes].reverse()) {
    results.unshift(places.floorDivide(step).remainder(n))
    step *= n
  }
  return results
}

export interface Diagflat {
  (x: Tensor, offset?: number): Tensor
  (x: Tensor, options?: { offset?: number }): Tensor
}

/** A matrix with all elements of a tensor on a diagonal. */
export const diagflat: Diagflat & FunctionInfo = fn<Diagflat>(
  'diagflat',
  ['input'],
  ['offset'],
  (x: Tensor, { offset = 0 }: { offset?: number }) => diag(reshape(x, [-1]), offset),
)

/** A tensor of x's shape and dtype filled with a number (or a tensor without dimensions). */
export function fill(x: Tensor, value: Scalar | Tensor): Tensor {
  checkTensor('fill', 'input', x)
  return clone(x).fill_(value)
}

/** Sums a tensor over the dimensions in which these sizes would broadcast to its shape. */
export function sumToSize(x: Tensor, ...sizes: number[] | [readonly number[]]): Tensor {
  checkTensor('sum_to_size', 'input', x)
  const wanted = (Array.isArray(sizes[0]) ? sizes[0] : sizes) as number[]
  const shift = x.ndim - wanted.length
  if (shift < 0 || wanted.some((n, i) => n !== 1 && n !== x.sizes[i + shift]))
    throw new RuntimeError(
      `size {${formatSizes(wanted)}} is not expandable to size {${formatSizes(x.sizes)}}.`,
    )
  if (wanted.length === 0) return x.sum()
  const dims = x.sizes
    .map((_, d) => d)
    .filter((d) => d < shift || (wanted[d - shift] === 1 && x.sizes[d] !== 1))
  return dims.length === 0 ? x : reshape(x.sum(dims), wanted)
}
