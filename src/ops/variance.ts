import { RuntimeError } from '../core/errors.ts'
import * as k from '../kernels/expr.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { apply, applyMany, type FunctionInfo, fn, type Op } from './op.ts'
import { type Dims, dimsOf, Reducer, restoreDims } from './reduce.ts'
import { countOf, type DimsAttributes, mean, meanReducer, type ReduceOptions } from './reductions.ts'
import { expand } from './views.ts'

// Two passes: the mean, then the squared differences, both accumulated in float64.
const varianceReducer = (root: boolean) =>
  new Reducer({
    name: root ? 'std' : 'var',
    kernel: (b, read, [count, degrees]) => {
      const average = b.let(
        k.div(
          b.loop((l) => l.reduce('sum', read(l))),
          count,
        ),
      )
      const squares = b.loop((l) => {
        const d = k.sub(read(l), average)
        return l.reduce('sum', k.mul(d, d))
      })
      const variance = k.div(squares, degrees)
      return root ? k.sqrt(variance) : variance
    },
  })

interface VarianceAttributes extends DimsAttributes {
  readonly correction: number
}

const degreesOf = (sizes: readonly number[], { dims, correction }: VarianceAttributes): number =>
  Math.max(countOf(sizes, dims) - correction, 0)

function varianceGradient(x: Tensor, g: Tensor, a: VarianceAttributes): Tensor {
  const degrees = degreesOf(x.sizes, a)
  const centred = x.sub(mean(x, a.dims, { keepdim: true }))
  return restoreDims(g, x.ndim, a.dims, a.keepdim)
    .mul(2 / degrees)
    .mul(centred)
}

const varReducer = varianceReducer(false)
const stdReducer = varianceReducer(true)

const varOp: Op<VarianceAttributes> = {
  node: 'VarBackward0',
  forward: ([x], a) =>
    varReducer.run(x, a.dims, a.keepdim, x.dtype, x.dtype, [countOf(x.sizes, a.dims), degreesOf(x.sizes, a)]),
  saves: [0],
  backward: ([g], c) => [varianceGradient(c.input(0), g!, c.attributes)],
}

const stdOp: Op<VarianceAttributes> = {
  node: 'StdBackward0',
  forward: ([x], a) =>
    stdReducer.run(x, a.dims, a.keepdim, x.dtype, x.dtype, [countOf(x.sizes, a.dims), degreesOf(x.sizes, a)]),
  saves: [0],
  savesOutputs: [0],
  backward: ([g], c) => {
    const out = c.output()
    return [varianceGradient(c.input(0), g!.div(out.mul(2)).maskedFill(out.eq(0), 0), c.attributes)]
  },
}

/** Options of `var` and `std`. */
export interface VarianceOptions extends ReduceOptions {
  /** What is subtracted from the number of elements in the divisor; default 1 (Bessel). */
  correction?: number
  /** `true` is correction 1, `false` correction 0. */
  unbiased?: boolean
}

export interface Variance {
  (x: Tensor, dim: Dims, options?: VarianceOptions): Tensor
  (x: Tensor, options?: VarianceOptions & { dim?: Dims }): Tensor
}

function varianceAttributes(
  name: string,
  x: Tensor,
  options: VarianceOptions & { dim?: Dims | boolean },
): VarianceAttributes {
  if (x.dtype.kind !== 'float')
    throw new RuntimeError(`${name} only support floating point and complex dtypes`)
  // x.var(False) in PyTorch names `unbiased`.
  const unbiased = typeof options.dim === 'boolean' ? options.dim : options.unbiased
  const dim = typeof options.dim === 'boolean' ? undefined : options.dim
  const correction = options.correction ?? (unbiased === false ? 0 : 1)
  return { dims: dimsOf(dim, x), keepdim: options.keepdim ?? false, dtype: x.dtype, named: true, correction }
}

function variance(name: string, op: Op<VarianceAttributes>): Variance & FunctionInfo {
  // Of complex numbers the variances of both parts together.
  const run = (x: Tensor, options: VarianceOptions & { dim?: Dims | boolean }): Tensor => {
    if (!x.dtype.isComplex) return apply(op, [x], varianceAttributes(name, x, options))
    const [re, im] = [x.real, x.imag].map((part) =>
      apply(varOp, [part], varianceAttributes(name, part, options)),
    )
    return op === varOp ? re.add(im) : re.add(im).sqrt()
  }
  return fn<Variance>(name, ['input'], ['dim', 'unbiased', 'keepdim', 'correction'], run, { positional: 3 })
}

/** Variance over `dim`, with Bessel's correction unless `correction` says otherwise. (`var` is a reserved word.) */
export const var_: Variance & FunctionInfo = variance('var', varOp)
/** Standard deviation over `dim`, with Bessel's correction unless `correction` says otherwise. */
export const std: Variance & FunctionInfo = variance('std', stdOp)

export interface VarianceMean {
  (x: Tensor, dim: Dims, options?: VarianceOptions): Tensor[]
  (x: Tensor, options?: VarianceOptions & { dim?: Dims }): Tensor[]
}

function varianceMeanOp(node: string, reducer: Reducer, one: Op<VarianceAttributes>): Op<VarianceAttributes> {
  return {
    node,
    forward: ([x], a) => [
      one.forward([x], a) as Tensor,
      meanReducer.run(x, a.dims, a.keepdim, x.dtype, x.dtype, [countOf(x.sizes, a.dims)]),
    ],
    saves: [0],
    savesOutputs: [0],
    backward: ([g, gMean], c) => {
      const x = c.input(0)
      const a = c.attributes
      const root = reducer === stdReducer
      const out = c.output()
      const scaled = g === null ? null : root ? g.div(out.mul(2)).maskedFill(out.eq(0), 0) : g
      const spread = scaled === null ? null : varianceGradient(x, scaled, a)
      const flat =
        gMean === null
          ? null
          : expand(restoreDims(gMean, x.ndim, a.dims, a.keepdim), x.sizes).div(countOf(x.sizes, a.dims))
      return [spread === null ? flat : flat === null ? spread : spread.add(flat)]
    },
  }
}

function varianceMean(name: string, op: Op<VarianceAttributes>): VarianceMean & FunctionInfo {
  return fn<VarianceMean>(
    name,
    ['input'],
    ['dim', 'unbiased', 'keepdim', 'correction'],
    (x: Tensor, options: VarianceOptions & { dim?: Dims | boolean }) => {
      if (!x.dtype.isComplex) return [...applyMany(op, [x], varianceAttributes(name, x, options))]
      const { dims, keepdim } = varianceAttributes(name, x.real, options)
      return [(name === 'var_mean' ? var_ : std)(x, options as VarianceOptions), x.mean(dims, { keepdim })]
    },
    { positional: 3 },
  )
}

/** Variance and mean. */
export const varMean: VarianceMean & FunctionInfo = varianceMean(
  'var_mean',
  varianceMeanOp('VarMeanBackward0', varReducer, varOp),
)
/** Standard deviation and mean. */
export const stdMean: VarianceMean & FunctionInfo = varianceMean(
  'std_mean',
  varianceMeanOp('StdMeanBackward0', stdReducer, stdOp),
)
