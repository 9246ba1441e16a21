// Reductions over chosen dimensions: sums, means, products, extrema, variances, norms, truth.

import { bool, type DType, int64, uint8 } from '../core/dtype.ts'
import { IndexError, RuntimeError } from '../core/errors.ts'
import { sumDType } from '../core/promotion.ts'
import { numelOf, wrapDim } from '../core/shape.ts'
import * as k from '../kernels/expr.ts'
import { valueTypeOf } from '../kernels/expr.ts'
import { identityOf, type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import { type NamedResult, namedResult } from '../tensor/return-types.ts'
import { Tensor } from '../tensor/tensor.ts'
import { maximum, minimum } from './arithmetic.ts'
import { to } from './conversion.ts'
import { cat } from './joining.ts'
import { emptyTensor, launch, loopOperand, operand, splitDims } from './launch.ts'
import { apply, applyMany, checkTensor, describe, type FunctionInfo, fn, type Op } from './op.ts'
import { type Dims, dimsOf, Reducer, reducedSizes, restoreDims } from './reduce.ts'
import { expand, reshape } from './views.ts'

/** Options of a reduction. */
export interface ReduceOptions {
  /** Keep the reduced dimensions, with size 1. */
  keepdim?: boolean
}

export interface SumOptions extends ReduceOptions {
  /** The dtype to convert to before summing; integers sum in int64 unless it says otherwise. */
  dtype?: DType
}

export interface Sum {
  (x: Tensor, dim: Dims, options?: SumOptions): Tensor
  (x: Tensor, dim: Dims, keepdim: boolean, options?: SumOptions): Tensor
  (x: Tensor, options?: SumOptions & { dim?: Dims }): Tensor
}

export interface DimsAttributes {
  readonly dims: readonly number[]
  readonly keepdim: boolean
  readonly dtype: DType
  /** Whether dimensions were named: the node's name differs. */
  readonly named: boolean
}

const sumReducer = new Reducer({ name: 'sum', kernel: (b, read) => b.loop((l) => l.reduce('sum', read(l))) })

const sumOp: Op<DimsAttributes> = {
  node: ({ named }) => (named ? 'SumBackward1' : 'SumBackward0'),
  forward: ([x], { dims, keepdim, dtype }) => sumReducer.run(x, dims, keepdim, dtype, dtype),
  backward: ([g], { attributes: { dims, keepdim }, inputSizes }) => [
    expand(restoreDims(g!, inputSizes[0].length, dims, keepdim), inputSizes[0]),
  ],
}

/** Sum over `dim` (all dimensions where left out). Integers and bools sum in int64. */
export const sum: Sum & FunctionInfo = fn<Sum>(
  'sum',
  ['input'],
  ['dim', 'keepdim', 'dtype'],
  (x: Tensor, { dim, keepdim = false, dtype }: SumOptions & { dim?: Dims }) => {
    checkTensor('sum', 'input', x)
    const attributes = {
      dims: dimsOf(dim, x),
      keepdim,
      dtype: dtype ?? sumDType(x.dtype),
      named: dim !== undefined,
    }
    return apply(sumOp, [x], attributes)
  },
  { positional: 2 },
)

function checkFloatingInput(name: string, x: Tensor, dtype: DType | undefined): DType {
  const result = dtype ?? x.dtype
  if (result.kind !== 'float')
    throw new RuntimeError(
      `${name}(): could not infer output dtype. ${dtype === undefined ? 'Input' : 'Optional'} dtype must be either a floating point or complex dtype. Got: ${capital(result)}`,
    )
  return result
}

function capital(dtype: DType): string {
  const names: Record<string, string> = {
    int64: 'Long',
    int32: 'Int',
    int16: 'Short',
    int8: 'Char',
    uint8: 'Byte',
    bool: 'Bool',
  }
  return names[dtype.name] ?? dtype.name
}

const meanReducer = new Reducer({
  name: 'mean',
  kernel: (b, read, [count]) =>
    k.div(
      b.loop((l) => l.reduce('sum', read(l))),
      count,
    ),
})

const countOf = (sizes: readonly number[], dims: readonly number[]): number =>
  numelOf(dims.map((d) => sizes[d]))

const meanOp: Op<DimsAttributes> = {
  node: ({ named }) => (named ? 'MeanBackward1' : 'MeanBackward0'),
  forward: ([x], { dims, keepdim, dtype }) =>
    meanReducer.run(x, dims, keepdim, dtype, dtype, [countOf(x.sizes, dims)]),
  backward: ([g], { attributes: { dims, keepdim }, inputSizes }) => [
    expand(restoreDims(g!, inputSizes[0].length, dims, keepdim), inputSizes[0]).div(
      countOf(inputSizes[0], dims),
    ),
  ],
}

/** Mean over `dim` (all dimensions where left out). Throws for integers: name a floating dtype. */
export const mean: Sum & FunctionInfo = fn<Sum>(
  'mean',
  ['input'],
  ['dim', 'keepdim', 'dtype'],
  (x: Tensor, { dim, keepdim = false, dtype }: SumOptions & { dim?: Dims }) => {
    checkTensor('mean', 'input', x)
    const result = checkFloatingInput('mean', x, dtype)
    return apply(meanOp, [x], { dims: dimsOf(dim, x), keepdim, dtype: result, named: dim !== undefined })
  },
  { positional: 2 },
)

const prodReducer = new Reducer({
  name: 'prod',
  kernel: (b, read) => b.loop((l) => l.reduce('prod', read(l))),
})

const prodOp: Op<DimsAttributes> = {
  node: ({ named }) => (named ? 'ProdBackward1' : 'ProdBackward0'),
  forward: ([x], { dims, keepdim, dtype }) => prodReducer.run(x, dims, keepdim, dtype, dtype),
  saves: [0],
  backward: ([g], c) => {
    const x = c.input(0)
    const { dims, keepdim, named } = c.attributes
    if (!named && dims.length > 1) {
      const flat = reshape(x, [-1])
      return [reshape(othersProduct(flat, 0), x.sizes).mul(g!)]
    }
    if (x.ndim === 0) return [g]
    return [restoreDims(g!, x.ndim, dims, keepdim).mul(othersProduct(x, dims[0] ?? 0))]
  },
}

// For each element the product of all the others along a dimension: exact where elements are zero, and differentiable.
function othersProduct(x: Tensor, dim: number): Tensor {
  const n = x.sizes[dim]
  const one = x.narrow(dim, 0, Math.min(1, n)).mul(0).add(1)
  if (n <= 1) return one
  const before = cat([one, x.narrow(dim, 0, n - 1)], dim).cumprod(dim)
  const after = cat([one, x.narrow(dim, 1, n - 1).flip(dim)], dim)
    .cumprod(dim)
    .flip(dim)
  return before.mul(after)
}

export interface Prod {
  (x: Tensor, dim: number, options?: SumOptions): Tensor
  (x: Tensor, dim: number, keepdim: boolean, options?: SumOptions): Tensor
  (x: Tensor, options?: SumOptions & { dim?: number }): Tensor
}

/** Product over one dimension, or over all elements. Integers multiply in int64. */
export const prod: Prod & FunctionInfo = fn<Prod>(
  'prod',
  ['input'],
  ['dim', 'keepdim', 'dtype'],
  (x: Tensor, { dim, keepdim = false, dtype }: SumOptions & { dim?: number }) =>
    apply(prodOp, [x], {
      dims: dimsOf(dim, x),
      keepdim,
      dtype: dtype ?? sumDType(x.dtype),
      named: dim !== undefined,
    }),
  { positional: 2 },
)

// ---- extrema --------------------------------------------------------------------------------------------------------------

function checkNonEmpty(name: string, x: Tensor, dims: readonly number[]): void {
  for (const d of dims)
    if (x.sizes[d] === 0)
      throw new IndexError(`${name}(): Expected reduction dim ${d} to have non-zero size.`)
}

/** The gradient of an extremum over `dims`: the elements equal to it share it. */
export function sharedGradient(
  g: Tensor,
  x: Tensor,
  extremum: Tensor,
  dims: readonly number[],
  keepdim: boolean,
): Tensor {
  const mask = x.eq(restoreDims(extremum, x.ndim, dims, keepdim))
  const count = sum(mask, dims, { keepdim: true })
  return restoreDims(g, x.ndim, dims, keepdim).div(count).mul(mask)
}

function extremumOp(name: 'amax' | 'amin', node: string): { op: Op<DimsAttributes>; reducer: Reducer } {
  const reducer = new Reducer({
    name,
    kernel: (b, read) =>
      b.loop((l) => {
        const value = read(l)
        return l.reduce(
          value.type === 'bool' ? (name === 'amax' ? 'any' : 'all') : name === 'amax' ? 'max' : 'min',
          value,
        )
      }),
  })
  const op: Op<DimsAttributes> = {
    node,
    forward: ([x], { dims, keepdim }) => reducer.run(x, dims, keepdim, x.dtype, x.dtype),
    saves: [0],
    savesOutputs: [0],
    backward: ([g], c) => {
      const { dims, keepdim } = c.attributes
      return [sharedGradient(g!, c.input(0), c.output(), dims, keepdim)]
    },
  }
  return { op, reducer }
}

const amaxOp = extremumOp('amax', 'AmaxBackward0').op
const aminOp = extremumOp('amin', 'AminBackward0').op
const maxAllOp = extremumOp('amax', 'MaxBackward1').op
const minAllOp = extremumOp('amin', 'MinBackward1').op

function extremum(name: string, op: Op<DimsAttributes>): Sum & FunctionInfo {
  return fn<Sum>(
    name,
    ['input'],
    ['dim', 'keepdim'],
    (x: Tensor, { dim, keepdim = false }: ReduceOptions & { dim?: Dims }) => {
      const dims = dimsOf(dim, x)
      checkNonEmpty(name, x, dims)
      return apply(op, [x], { dims, keepdim, dtype: x.dtype, named: true })
    },
    { positional: 2 },
  )
}

/** The largest elements over `dim`; where several are equal, they share the gradient. */
export const amax: Sum & FunctionInfo = extremum('amax', amaxOp)
/** The smallest elements over `dim`; where several are equal, they share the gradient. */
export const amin: Sum & FunctionInfo = extremum('amin', aminOp)

const argKernels = new Map<string, Kernel>()

// Finds an extremum and where it first stands; NaN counts as the extremum, as in PyTorch.
function argKernel(dtype: DType, largest: boolean): Kernel {
  const key = `${dtype.name} ${largest}`
  let kernel = argKernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder(largest ? 'argmax' : 'argmin')
    const x = b.input(dtype)
    const values = b.output(dtype)
    const indices = b.output(int64)
    const compute = dtype === bool ? 'i32' : valueTypeOf(dtype)
    const [best, at] = b.loop((l) =>
      l.fold([identityOf(largest ? 'max' : 'min', compute), k.constant(-1, 'i32')], ([best, at]) => {
        const value = k.cast(l.read(x), compute)
        let better = largest ? k.gt(value, best) : k.lt(value, best)
        if (dtype.kind === 'float') better = k.or(better, k.and(k.isNaN_(value), k.not(k.isNaN_(best))))
        const take = k.or(better, k.lt(at, 0))
        return [k.select(take, value, best), k.select(take, l.index(0), at)]
      }),
    )
    b.write(values, k.cast(best, valueTypeOf(dtype)))
    b.write(indices, k.cast(at, 'i64'))
    kernel = b.build()
    argKernels.set(key, kernel)
  }
  return kernel
}

function runArg(x: Tensor, dim: number, keepdim: boolean, largest: boolean): [Tensor, Tensor] {
  const dims = x.ndim === 0 ? [] : [dim]
  const { outer, loop } = splitDims(x.sizes, dims)
  const values = emptyTensor(outer, x.dtype, x.device)
  const indices = emptyTensor(outer, int64, x.device)
  const still = dims.map(() => 0)
  // A tensor without dimensions still has one element to look at.
  const source = loopOperand(x, dims)
  const extent = x.ndim === 0 ? [1] : loop
  const pad = x.ndim === 0 ? [0] : []
  launch(x.device, argKernel(x.dtype, largest), outer, extent, [
    { ...source, strides: [...source.strides, ...pad] },
    operand(values, [...values.strides, ...still, ...pad]),
    operand(indices, [...indices.strides, ...still, ...pad]),
  ])
  if (!keepdim) return [values, indices]
  const sizes = reducedSizes(x.sizes, dims, true)
  return [reshape(values, sizes), reshape(indices, sizes)]
}

interface ArgAttributes {
  readonly dim: number
  readonly keepdim: boolean
}

function extremumDimOp(largest: boolean): Op<ArgAttributes> {
  return {
    node: largest ? 'MaxBackward0' : 'MinBackward0',
    forward: ([x], { dim, keepdim }) => runArg(x, dim, keepdim, largest),
    nonDifferentiable: [1],
    savesOutputs: [1],
    backward: ([g], c) => [valueGradient(g!, c.output(1), c.attributes, c.inputSizes[0])],
  }
}

/** The gradient of values picked by index along a dimension. */
export function valueGradient(
  g: Tensor,
  indices: Tensor,
  { dim, keepdim }: ArgAttributes,
  sizes: readonly number[],
): Tensor {
  if (sizes.length === 0) return g
  const expanded = keepdim ? g : g.unsqueeze(dim)
  const index = keepdim ? indices : indices.unsqueeze(dim)
  return g.newZeros(sizes).scatter(dim, index, expanded)
}

const maxDimOp = extremumDimOp(true)
const minDimOp = extremumDimOp(false)

/** Values and where they stand. */
export type ValuesIndices = NamedResult<{ values: Tensor; indices: Tensor }>

export interface Extremum {
  (x: Tensor): Tensor
  (x: Tensor, dim: number, options?: ReduceOptions): ValuesIndices
  (x: Tensor, other: Tensor): Tensor
}

interface ExtremumArguments {
  dim?: number | Tensor
  other?: Tensor
  keepdim?: boolean
}

function extremumFunction(name: 'max' | 'min'): Extremum & FunctionInfo {
  const largest = name === 'max'
  return fn<Extremum>(
    name,
    ['input'],
    ['dim', 'keepdim', 'other'],
    (x: Tensor, { dim, other, keepdim = false }: ExtremumArguments): Tensor | ValuesIndices => {
      checkTensor(name, 'input', x)
      const second = dim instanceof Tensor ? dim : other
      if (second !== undefined) return (largest ? maximum : minimum)(x, second)
      if (dim === undefined) {
        if (x.numel() === 0)
          throw new RuntimeError(
            `${name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument.`,
          )
        return apply(largest ? maxAllOp : minAllOp, [x], {
          dims: dimsOf(null, x),
          keepdim: false,
          dtype: x.dtype,
          named: false,
        })
      }
      if (typeof dim !== 'number')
        throw new RuntimeError(`${name}(): expected a dimension, got ${describe(dim)}`)
      const d = wrapDim(dim, x.ndim)
      if (x.ndim > 0) checkNonEmpty(name, x, [d])
      const [values, indices] = applyMany(largest ? maxDimOp : minDimOp, [x], { dim: d, keepdim })
      return namedResult(name, { values, indices })
    },
    { positional: 2 },
  )
}

/** The largest element; with `dim`, the largest along it and where it stands; with another tensor, as `maximum`. */
export const max: Extremum & FunctionInfo = extremumFunction('max')
/** The smallest element; with `dim`, the smallest along it and where it stands; with another tensor, as `minimum`. */
export const min: Extremum & FunctionInfo = extremumFunction('min')

export interface ArgReduction {
  (x: Tensor, dim?: number | null, options?: ReduceOptions): Tensor
  (x: Tensor, options?: ReduceOptions & { dim?: number | null }): Tensor
}

function argFunction(name: 'argmax' | 'argmin'): ArgReduction & FunctionInfo {
  return fn<ArgReduction>(
    name,
    ['input'],
    ['dim', 'keepdim'],
    (x: Tensor, { dim, keepdim = false }: ReduceOptions & { dim?: number | null }) => {
      checkTensor(name, 'input', x)
      const largest = name === 'argmax'
      if (dim === undefined || dim === null) {
        if (x.numel() === 0)
          throw new IndexError(
            `${name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument.`,
          )
        const [, indices] = runArg(reshape(x.detach(), [-1]), 0, false, largest)
        return keepdim
          ? reshape(
              indices,
              x.sizes.map(() => 1),
            )
          : indices
      }
      const d = wrapDim(dim, x.ndim)
      if (x.ndim > 0) checkNonEmpty(name, x, [d])
      return runArg(x.detach(), d, keepdim, largest)[1]
    },
    { positional: 2 },
  )
}

/** Where the largest element stands: in the flattened tensor, or along `dim`. */
export const argmax: ArgReduction & FunctionInfo = argFunction('argmax')
/** Where the smallest element stands: in the flattened tensor, or along `dim`. */
export const argmin: ArgReduction & FunctionInfo = argFunction('argmin')

// ---- truth ------------------------------------------------------------------------------------------------------------------

function truth(name: 'any' | 'all'): Sum & FunctionInfo {
  const reducer = new Reducer({ name, kernel: (b, read) => b.loop((l) => l.reduce(name, read(l))) })
  return fn<Sum>(
    name,
    ['input'],
    ['dim', 'keepdim'],
    (x: Tensor, { dim, keepdim = false }: ReduceOptions & { dim?: Dims }) =>
      // For uint8 PyTorch answers in uint8.
      reducer.run(x, dimsOf(dim, x), keepdim, bool, x.dtype === uint8 ? uint8 : bool),
    { positional: 2 },
  )
}

/** Whether any element is not zero. */
export const any: Sum & FunctionInfo = truth('any')
/** Whether no element is zero. */
export const all: Sum & FunctionInfo = truth('all')

const countReducer = new Reducer({
  name: 'count_nonzero',
  kernel: (b, read) => b.loop((l) => l.reduce('sum', k.cast(read(l), 'i64'))),
})

export interface CountNonzero {
  (x: Tensor, dim?: Dims): Tensor
  (x: Tensor, options?: { dim?: Dims }): Tensor
}

/** How many elements are not zero. */
export const countNonzero: CountNonzero & FunctionInfo = fn<CountNonzero>(
  'count_nonzero',
  ['input'],
  ['dim'],
  (x: Tensor, { dim }: { dim?: Dims }) => countReducer.run(x, dimsOf(dim, x), false, bool, int64),
)

// ---- variance ---------------------------------------------------------------------------------------------------------------

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
  return fn<Variance>(
    name,
    ['input'],
    ['dim', 'unbiased', 'keepdim', 'correction'],
    (x: Tensor, options: VarianceOptions & { dim?: Dims | boolean }) =>
      apply(op, [x], varianceAttributes(name, x, options)),
    { positional: 3 },
  )
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
    (x: Tensor, options: VarianceOptions & { dim?: Dims | boolean }) => [
      ...applyMany(op, [x], varianceAttributes(name, x, options)),
    ],
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

// ---- norms --------------------------------------------------------------------------------------------------------------------

const normReducers = new Map<number, Reducer>()

function normReducer(p: number): Reducer {
  let reducer = normReducers.get(p)
  if (reducer === undefined) {
    reducer = new Reducer({
      name: `norm${p}`,
      kernel: (b, read) => {
        if (p === Number.POSITIVE_INFINITY) return b.loop((l) => l.reduce('max', k.abs(read(l))))
        if (p === Number.NEGATIVE_INFINITY) return b.loop((l) => l.reduce('min', k.abs(read(l))))
        if (p === 0)
          return b.loop((l) => {
            const x = read(l)
            return l.reduce('sum', k.cast(k.ne(x, 0), x.type))
          })
        if (p === 1) return b.loop((l) => l.reduce('sum', k.abs(read(l))))
        const total = b.loop((l) => {
          const x = read(l)
          return l.reduce('sum', p === 2 ? k.mul(x, x) : k.pow(k.abs(x), p))
        })
        return p === 2 ? k.sqrt(total) : k.pow(total, 1 / p)
      },
    })
    normReducers.set(p, reducer)
  }
  return reducer
}

export interface NormAttributes extends DimsAttributes {
  readonly p: number
}

export const vectorNormOp: Op<NormAttributes> = {
  node: 'LinalgVectorNormBackward0',
  forward: ([x], { p, dims, keepdim, dtype }) => {
    const result = normReducer(p).run(x, dims, keepdim, dtype, dtype)
    // The largest of no numbers: PyTorch's norm of nothing is 0.
    return result
  },
  saves: [0],
  savesOutputs: [0],
  backward: ([g], c) => {
    const { p, dims, keepdim } = c.attributes
    const x = c.input(0)
    const norm = restoreDims(c.output(), x.ndim, dims, keepdim)
    const grad = restoreDims(g!, x.ndim, dims, keepdim)
    if (p === 0) return [x.mul(0)]
    if (p === 1) return [grad.mul(x.sign())]
    if (p === 2) return [grad.mul(x.div(norm).maskedFill(norm.eq(0), 0))]
    if (!Number.isFinite(p)) {
      const mask = x.abs().eq(norm)
      return [
        x
          .sign()
          .mul(grad.div(sum(mask, dims, { keepdim: true })))
          .mul(mask),
      ]
    }
    if (p < 1) {
      const self = x
        .sign()
        .mul(x.abs().pow(p - 1))
        .maskedFill(x.eq(0), 0)
      return [self.mul(grad).mul(norm.pow(1 - p))]
    }
    if (p < 2) {
      const self = x.sign().mul(x.abs().pow(p - 1))
      return [self.mul(grad.mul(norm.pow(1 - p).maskedFill(norm.eq(0), 0)))]
    }
    const self = x.mul(x.abs().pow(p - 2))
    return [self.mul(grad.mul(norm.pow(1 - p).maskedFill(norm.eq(0), 0)))]
  },
}

/** Options of `vectorNorm`. */
export interface VectorNormOptions extends ReduceOptions {
  dim?: Dims
  dtype?: DType
}

/** The p-norm of the elements along `dim` (all where left out): `(sum |x|^p)^(1/p)`. */
export function vectorNorm(
  x: Tensor,
  p = 2,
  { dim, keepdim = false, dtype }: VectorNormOptions = {},
): Tensor {
  checkTensor('linalg.vector_norm', 'input', x)
  if (x.dtype.kind !== 'float' && dtype === undefined)
    throw new RuntimeError(
      `linalg.vector_norm: Expected a floating point or complex tensor as input. Got ${capital(x.dtype)}`,
    )
  const dims = dimsOf(dim, x)
  if (!Number.isFinite(p) || p < 0)
    if (dims.some((d) => x.sizes[d] === 0))
      throw new RuntimeError(
        `linalg.vector_norm cannot compute the ${p} norm on an empty tensor because the operation does not have an identity`,
      )
  const source = dtype === undefined ? x : to(x, dtype)
  return apply(vectorNormOp, [source], { p, dims, keepdim, dtype: source.dtype, named: true })
}

export interface Norm {
  (x: Tensor, p?: number | 'fro' | 'nuc', dim?: Dims, options?: { keepdim?: boolean; dtype?: DType }): Tensor
  (x: Tensor, options?: { p?: number | 'fro' | 'nuc'; dim?: Dims; keepdim?: boolean; dtype?: DType }): Tensor
}

let nuclearNorm: ((x: Tensor, dims: readonly number[], options: VectorNormOptions) => Tensor) | null = null

/** Set by the module that has singular values. */
export function setNuclearNorm(f: NonNullable<typeof nuclearNorm>): void {
  nuclearNorm = f
}

/** The p-norm (2, or 'fro', where left out) of all elements or along `dim`; 'nuc' of a matrix or of two dimensions. */
export const norm: Norm & FunctionInfo = fn<Norm>(
  'norm',
  ['input'],
  ['p', 'dim', 'keepdim', 'dtype'],
  (
    x: Tensor,
    options: { p?: number | 'fro' | 'nuc' | null; dim?: Dims; keepdim?: boolean; dtype?: DType },
  ) => {
    const { p = 2, dim, keepdim, dtype } = options
    if (p === 'nuc') {
      if (nuclearNorm === null) throw new RuntimeError("norm(): p='nuc' needs the module linalg to be loaded")
      const dims = dim === undefined || dim === null ? [-2, -1] : typeof dim === 'number' ? [dim] : dim
      return nuclearNorm(x, dims, { keepdim, dtype })
    }
    return vectorNorm(x, p === 'fro' || p === null ? 2 : p, { dim, keepdim, dtype })
  },
)

// ---- log-sum-exp ----------------------------------------------------------------------------------------------------------------

const logsumexpReducer = new Reducer({
  name: 'logsumexp',
  kernel: (b, read) => {
    const largest = b.loop((l) => l.reduce('max', read(l)))
    // Without this, a row of infinities would subtract infinity from itself.
    const shift = b.let(
      k.select(k.eq(k.abs(largest), Number.POSITIVE_INFINITY), k.constant(0, largest.type), largest),
    )
    return k.add(k.log(b.loop((l) => l.reduce('sum', k.exp(k.sub(read(l), shift))))), shift)
  },
})

const logsumexpOp: Op<DimsAttributes> = {
  node: 'LogsumexpBackward0',
  forward: ([x], { dims, keepdim, dtype }) => logsumexpReducer.run(x, dims, keepdim, dtype, dtype),
  saves: [0],
  savesOutputs: [0],
  backward: ([g], c) => {
    const { dims, keepdim } = c.attributes
    const x = c.input(0)
    return [
      restoreDims(g!, x.ndim, dims, keepdim).mul(x.sub(restoreDims(c.output(), x.ndim, dims, keepdim)).exp()),
    ]
  },
}

export interface Logsumexp {
  (x: Tensor, dim: Dims, keepdim?: boolean): Tensor
  (x: Tensor, dim: Dims, options?: ReduceOptions): Tensor
}

/** `log(sum(exp(x)))` over `dim`, without overflow. */
export const logsumexp: Logsumexp & FunctionInfo = fn<Logsumexp>(
  'logsumexp',
  ['input', 'dim'],
  ['keepdim'],
  (x: Tensor, dim: Dims, { keepdim = false }: ReduceOptions) => {
    const source = x.dtype.kind === 'float' ? x : x.float()
    return apply(logsumexpOp, [source], {
      dims: dimsOf(dim, source),
      keepdim,
      dtype: source.dtype,
      named: true,
    })
  },
)

/** Sum over `dim`, NaN counted as 0. */
export const nansum: Sum & FunctionInfo = fn<Sum>(
  'nansum',
  ['input'],
  ['dim', 'keepdim', 'dtype'],
  (x: Tensor, options: SumOptions & { dim?: Dims }) =>
    sum(x.dtype.kind === 'float' ? x.maskedFill(x.isnan(), 0) : x, options),
  { positional: 2 },
)

/** Mean over `dim` of what is not NaN. */
export const nanmean: Sum & FunctionInfo = fn<Sum>(
  'nanmean',
  ['input'],
  ['dim', 'keepdim', 'dtype'],
  (x: Tensor, options: SumOptions & { dim?: Dims }) => {
    checkFloatingInput('nanmean', x, options.dtype)
    const { dtype: _, ...rest } = options
    return nansum(x, options).div(sum(x.isnan().logicalNot(), rest))
  },
  { positional: 2 },
)
