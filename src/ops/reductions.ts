// Reductions over chosen dimensions: sums, means, products, extrema, variances, norms, truth.

import { bool, type DType, int64, uint8 } from '../core/dtype.ts'
import { IndexError, RuntimeError } from '../core/errors.ts'
import { sumDType } from '../core/promotion.ts'
import { numelOf, wrapDim } from '../core/shape.ts'
import * as k from '../kernels/expr.ts'
import { valueTypeOf } from '../kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import { type NamedResult, namedResult } from '../tensor/return-types.ts'
import { Tensor } from '../tensor/tensor.ts'
import { maximum, minimum } from './arithmetic.ts'
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

/** A dtype as PyTorch's messages about reductions name it. */
export function capital(dtype: DType): string {
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

/** Means, given the number of elements. */
export const meanReducer = new Reducer({
  name: 'mean',
  kernel: (b, read, [count]) =>
    k.div(
      b.loop((l) => l.reduce('sum', read(l))),
      count,
    ),
})

/** How many elements are reduced to one. */
export const countOf = (sizes: readonly number[], dims: readonly number[]): number =>
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
    if (x.dtype.isComplex || dtype?.isComplex)
      return sum(x, dim ?? null, { keepdim, dtype }).div(countOf(x.sizes, dimsOf(dim, x)))
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
      return [reshape(othersProduct(flat, 0).conj(), x.sizes).mul(g!)]
    }
    if (x.ndim === 0) return [g]
    return [restoreDims(g!, x.ndim, dims, keepdim).mul(othersProduct(x, dims[0] ?? 0).conj())]
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

// Finds an extremum, then where it first stands: two reductions, which run in lanes, where carrying the place along
// would not. NaN counts as the extremum, as in PyTorch.
function argKernel(dtype: DType, largest: boolean): Kernel {
  const key = `${dtype.name} ${largest}`
  let kernel = argKernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder(largest ? 'argmax' : 'argmin')
    const x = b.input(dtype)
    const values = b.output(dtype)
    const indices = b.output(int64)
    const compute = dtype === bool ? 'i32' : valueTypeOf(dtype)
    const best = b.loop((l) => l.reduce(largest ? 'max' : 'min', k.cast(l.read(x), compute)))
    const at = b.loop((l) => {
      const value = k.cast(l.read(x), compute)
      let found = k.eq(value, best)
      if (dtype.kind === 'float') found = k.or(found, k.isNaN_(value))
      return l.reduce('min', k.select(found, l.index(0), 2 ** 31 - 1))
    })
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

// ---- NaN left out ----------------------------------------------------------------------------------------------------

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
