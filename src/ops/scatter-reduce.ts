// Scattering with a reduction: scatterReduce, indexReduce.

import { bool, type DType, iinfo } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { wrapDim } from '../core/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { where } from './choices.ts'
import { applyOver, clone } from './conversion.ts'
import type { ScatterMode } from './index-kernels.ts'
import { gather, prepareIndexWrite, prepareScatter, scatter, scatterInto } from './indexing.ts'
import { apply, type BackwardContext, type FunctionInfo, fn, type Op } from './op.ts'
import { type Scalar, withInPlace } from './pointwise.ts'
import { expand, reshape } from './views.ts'

/** How values that meet are combined. */
export type ScatterReduction = 'sum' | 'prod' | 'mean' | 'amax' | 'amin'

interface Attributes {
  readonly node: string
  readonly dim: number
  readonly index: Tensor
  readonly reduce: ScatterReduction
  readonly includeSelf: boolean
}

const modes: Readonly<Record<ScatterReduction, ScatterMode>> = {
  sum: 'add',
  mean: 'add',
  prod: 'multiply',
  amax: 'amax',
  amin: 'amin',
}

// The value that changes nothing, which replaces what is there where it is not to count.
function neutral(reduce: ScatterReduction, dtype: DType): Scalar {
  if (reduce === 'sum' || reduce === 'mean') return 0
  if (reduce === 'prod') return 1
  if (dtype === bool) return reduce === 'amin'
  if (dtype.kind === 'float') return reduce === 'amax' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY
  return reduce === 'amax' ? iinfo(dtype).min : iinfo(dtype).max
}

const scatterReduceOp: Op<Attributes> = {
  node: ({ node }) => node,
  forward: ([x, source], { dim, index, reduce, includeSelf }) => {
    const out = clone(x)
    const write = (mode: ScatterMode, from: Tensor | null, value: Scalar | null = null) =>
      scatterInto(out, { dim, index, mode, value }, from)
    if (!includeSelf) write('set', null, neutral(reduce, x.dtype))
    write(modes[reduce], source)
    if (reduce !== 'mean') return out
    const counts = countsOf(x, dim, index, source, includeSelf)
    return out.div_(counts, { roundingMode: x.dtype.kind === 'float' ? null : 'floor' })
  },
  saves: [0, 1],
  savesOutputs: [0],
  backward: ([g], c) => scatterReduceGradients(g!, c),
}

// How many values met at each place, at least 1.
function countsOf(x: Tensor, dim: number, index: Tensor, source: Tensor, includeSelf: boolean): Tensor {
  const start = includeSelf ? x.newOnes(x.sizes) : x.newZeros(x.sizes)
  const counts = start.scatterAdd(dim, index, source.newOnes(source.sizes))
  return includeSelf ? counts : counts.maskedFill(counts.eq(0), 1)
}

function scatterReduceGradients(g: Tensor, c: BackwardContext<Attributes>): (Tensor | null)[] {
  const { dim, index, reduce, includeSelf } = c.attributes
  const [x, source] = [c.input(0), c.input(1)]
  const out = c.output()
  const pick = (t: Tensor) => gather(t, dim, index)
  let own: Tensor
  let given: Tensor
  switch (reduce) {
    case 'sum':
      own = g
      given = pick(g)
      break
    case 'mean': {
      const counts = countsOf(x, dim, index, source, includeSelf)
      own = g.div(counts)
      given = pick(own)
      break
    }
    case 'prod': {
      // A zero's gradient is the product of all the others; that of the rest, the product over the value.
      const others = x.maskedFill(x.eq(0), 1)
      const again = (a: Tensor, b: Tensor) => apply(scatterReduceOp, [a, b], c.attributes)
      own = g.mul(again(others, source)).div(others)
      const zero = source.eq(0)
      const zeros = pick(x.newZeros(x.sizes).scatterAdd(dim, index, zero.to(x.dtype)))
      const lone = zero.logicalAnd(zeros.eq(1))
      const withoutLone = again(x, source.maskedFill(lone, 1))
      given = where(lone, pick(g.mul(withoutLone)), pick(g.mul(out)).div(source.maskedFill(zero, 1)))
      break
    }
    default: {
      // Equal extrema share the gradient.
      const mine = x.eq(out).to(x.dtype)
      const theirs = source.eq(pick(out)).to(x.dtype)
      const shared = g.div(mine.scatterAdd(dim, index, theirs))
      own = mine.mul(shared)
      given = theirs.mul(pick(shared))
    }
  }
  if (!includeSelf) own = scatter(own, dim, index, 0)
  return [c.needs(0) ? own : null, c.needs(1) ? given : null]
}

/** Options of `scatterReduce` and `indexReduce`. */
export interface ScatterReduceOptions {
  /** Whether the tensor's own elements take part; default true. */
  includeSelf?: boolean
}

export type ScatterReduce = (
  x: Tensor,
  dim: number,
  index: Tensor,
  source: Tensor,
  reduce: ScatterReduction,
  options?: ScatterReduceOptions,
) => Tensor

function checkReduction(name: string, reduce: unknown, allowed: readonly string[]): void {
  if (!allowed.includes(reduce as string))
    throw new RuntimeError(
      `${name}(): Expected reduce to be one of ${allowed.map((r) => `'${r}'`).join(', ')} but got ${String(reduce)}`,
    )
}

function scatterReduceAttributes(
  x: Tensor,
  dim: number,
  index: Tensor,
  source: Tensor,
  reduce: ScatterReduction,
  { includeSelf = true }: ScatterReduceOptions,
): Attributes {
  checkReduction('scatter_reduce', reduce, ['sum', 'prod', 'mean', 'amax', 'amin'])
  const { dim: d } = prepareScatter('scatter_reduce', x, dim, index, source, 'set')
  return { node: 'ScatterReduceBackward0', dim: d, index, reduce, includeSelf }
}

const scatterReduceArguments = ['input', 'dim', 'index', 'src', 'reduce']

/**
 * Reduces the elements of `source` that `index` sends to one place, together with what is there: `reduce` is 'sum',
 * 'prod', 'mean', 'amax' or 'amin'.
 */
export const scatterReduce: ScatterReduce & FunctionInfo & { readonly inPlace: ScatterReduce } = withInPlace(
  fn<ScatterReduce>(
    'scatter_reduce',
    scatterReduceArguments,
    ['includeSelf'],
    (
      x: Tensor,
      dim: number,
      index: Tensor,
      source: Tensor,
      reduce: ScatterReduction,
      options: ScatterReduceOptions,
    ) => apply(scatterReduceOp, [x, source], scatterReduceAttributes(x, dim, index, source, reduce, options)),
    { positional: 0 },
  ),
  (x, dim, index, source, reduce, options = {}) =>
    applyOver(scatterReduceOp, [x, source], scatterReduceAttributes(x, dim, index, source, reduce, options)),
)

function indexReduceAttributes(
  x: Tensor,
  dim: number,
  index: Tensor,
  source: Tensor,
  reduce: ScatterReduction,
  { includeSelf = true }: ScatterReduceOptions,
): Attributes {
  checkReduction('index_reduce', reduce, ['prod', 'mean', 'amax', 'amin'])
  prepareIndexWrite('index_reduce', x, dim, index, source, 'set')
  const d = wrapDim(dim, x.ndim)
  // One position for each slice, seen as one for each element.
  const along = source.sizes.map((_, i) => (i === d ? -1 : 1))
  const spread = x.ndim === 0 ? reshape(index, []) : expand(reshape(index, along), source.sizes)
  return { node: 'IndexReduceBackward0', dim: d, index: spread, reduce, includeSelf }
}

/** Reduces the slices of `source` into the slices of x at these indices: 'prod', 'mean', 'amax' or 'amin'. */
export const indexReduce: ScatterReduce & FunctionInfo & { readonly inPlace: ScatterReduce } = withInPlace(
  fn<ScatterReduce>(
    'index_reduce',
    ['input', 'dim', 'index', 'source', 'reduce'],
    ['includeSelf'],
    (
      x: Tensor,
      dim: number,
      index: Tensor,
      source: Tensor,
      reduce: ScatterReduction,
      options: ScatterReduceOptions,
    ) => apply(scatterReduceOp, [x, source], indexReduceAttributes(x, dim, index, source, reduce, options)),
    { positional: 0 },
  ),
  (x, dim, index, source, reduce, options = {}) =>
    applyOver(scatterReduceOp, [x, source], indexReduceAttributes(x, dim, index, source, reduce, options)),
)
