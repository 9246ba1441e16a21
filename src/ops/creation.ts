// Making tensors: from values, filled, ranges, and like others.

import { Complex } from '../core/complex.ts'
import { cpu, type Device, type DeviceLike, getDefaultDevice, device as makeDevice } from '../core/device.ts'
import { bool, complexOf, DType, dtypeByName, getDefaultDtype, int64, realOf } from '../core/dtype.ts'
import { RuntimeError, TypeError_ } from '../core/errors.ts'
import { denseStridesLike, formatSizes, numelOf } from '../core/shape.ts'
import * as k from '../kernels/expr.ts'
import { valueTypeOf } from '../kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import { inferNested, item, writeData } from '../tensor/data.ts'
import { Tensor } from '../tensor/tensor.ts'
import { pow } from './arithmetic.ts'
import { complex } from './complex.ts'
import { asElement } from './elements.ts'
import { emptyTensor, launch, operand } from './launch.ts'
import { checkOptions, checkTensor, describe, type FunctionInfo, fn, isOptions } from './op.ts'
import type { Scalar } from './pointwise.ts'

/** Options of every function that makes a tensor. */
export interface TensorOptions {
  /** Element type; default: the default dtype, or that of the values. */
  dtype?: DType
  device?: DeviceLike
  /** Whether gradients are recorded for the new tensor. */
  requiresGrad?: boolean
}

export const tensorOptionNames: readonly string[] = ['dtype', 'device', 'requiresGrad']

/** Checks the options of a creation function and fills the gaps. Throws a TypeError for wrong types. */
export function resolveOptions(
  name: string,
  options: TensorOptions,
  defaultDType: DType,
): { dtype: DType; device: Device; requiresGrad: boolean } {
  const { dtype = defaultDType, requiresGrad = false } = options
  if (!(dtype instanceof DType))
    throw new TypeError_(
      `${name}(): argument 'dtype' must be torch.dtype, not ${describe(dtype)}${typeof dtype === 'string' && dtypeByName(dtype) ? `; write torch.${dtype}` : ''}`,
    )
  const device = options.device === undefined ? getDefaultDevice() : makeDevice(options.device)
  return { dtype, device, requiresGrad }
}

/** Sizes given as numbers or as one array. Throws for what is no size. */
export function checkSizes(name: string, sizes: readonly unknown[]): number[] {
  const list = sizes.length === 1 && Array.isArray(sizes[0]) ? (sizes[0] as unknown[]) : sizes
  return list.map((n) => {
    const size = n instanceof Tensor ? Number(item(n)) : n
    if (typeof size !== 'number' || !Number.isInteger(size))
      throw new TypeError_(`${name}(): argument 'size' must be integers, but found ${describe(n)}`)
    if (size < 0)
      throw new RuntimeError(
        `Trying to create tensor with negative dimension ${size}: ${formatSizes(list as number[])}`,
      )
    return size
  })
}

const fillKernels = new Map<DType, Kernel>()

function fillKernel(dtype: DType): Kernel {
  let kernel = fillKernels.get(dtype)
  if (kernel === undefined) {
    const b = new KernelBuilder('fill')
    const out = b.output(dtype)
    b.write(out, b.scalar(valueTypeOf(dtype)))
    kernel = b.build()
    fillKernels.set(dtype, kernel)
  }
  return kernel
}

/** Writes a number to every element, without a word to autograd. */
export function fillRaw(x: Tensor, value: Scalar): Tensor {
  const element = x.dtype.kind === 'float' && !(value instanceof Complex) ? value : asElement(value, x.dtype)
  if (x.conjugated && element instanceof Complex)
    return fillRaw(
      new Tensor(x.storage, x.sizes, x.strides, x.offset, x.dtype),
      new Complex(element.re, -element.im),
    )
  launch(x.device, fillKernel(x.dtype), x.sizes, [], [operand(x)], [element])
  return x
}

/** A new tensor filled with a number; the form that the library uses inside. */
export function fullTensor(
  sizes: readonly number[],
  value: Scalar,
  dtype: DType,
  device: Device = cpu,
): Tensor {
  return fillRaw(emptyTensor(sizes, dtype, device), value)
}

/** A creation function of sizes: `zeros(2, 3)`, `zeros([2, 3])`, each with options. */
export interface SizesFunction {
  (...sizes: number[]): Tensor
  (...sizesAndOptions: [...number[], TensorOptions]): Tensor
  (sizes: readonly number[], options?: TensorOptions): Tensor
  readonly variadic: 'sizes'
  readonly required: readonly string[]
  readonly optional: readonly string[]
  readonly method: boolean
}

/** Makes a creation function of sizes; `extra` names further options that `make` understands. */
export function sizesFunction<O extends TensorOptions>(
  name: string,
  make: (sizes: number[], options: O) => Tensor,
  extra: readonly string[] = [],
): SizesFunction {
  const optional = [...tensorOptionNames, ...extra]
  const call = (...args: unknown[]): Tensor => {
    const last = args[args.length - 1]
    const hasOptions = isOptions(last)
    if (hasOptions) checkOptions(name, last, optional)
    const sizes = checkSizes(name, hasOptions ? args.slice(0, -1) : args)
    return make(sizes, (hasOptions ? last : {}) as O)
  }
  return Object.assign(call, {
    variadic: 'sizes' as const,
    required: ['size'],
    optional,
    method: false,
  }) as SizesFunction
}

function filled(name: string, value: Scalar): SizesFunction {
  return sizesFunction(name, (sizes, options) => {
    const { dtype, device, requiresGrad } = resolveOptions(name, options, getDefaultDtype())
    return fullTensor(sizes, value, dtype, device).requiresGrad_(requiresGrad)
  })
}

/** A tensor of zeros: `torch.zeros(2, 3)`. */
export const zeros: SizesFunction = filled('zeros', 0)
/** A tensor of ones. */
export const ones: SizesFunction = filled('ones', 1)
/** A tensor with unspecified contents (zeros here: they come cheap, and no memory of others shows). */
export const empty: SizesFunction = filled('empty', 0)

/** Element type of a bare number: bool, int64, or the default float. */
export function scalarDType(value: Scalar): DType {
  if (typeof value === 'boolean') return bool
  if (value instanceof Complex) return complexOf(getDefaultDtype())
  return typeof value === 'bigint' || Number.isInteger(value) ? int64 : getDefaultDtype()
}

export type Full = (sizes: readonly number[] | number, fillValue: Scalar, options?: TensorOptions) => Tensor

/** A tensor of `sizes` filled with `fillValue`, of whose kind the dtype is unless given. */
export const full: Full & FunctionInfo = fn<Full>(
  'full',
  ['size', 'fillValue'],
  tensorOptionNames,
  (sizes: readonly number[] | number, value: Scalar | Tensor, options: TensorOptions) => {
    const number = value instanceof Tensor ? (item(value) as Scalar) : value
    const fallback = value instanceof Tensor ? value.dtype : scalarDType(number)
    const { dtype, device, requiresGrad } = resolveOptions('full', options, fallback)
    const list = checkSizes('full', typeof sizes === 'number' ? [sizes] : sizes)
    return fullTensor(list, number, dtype, device).requiresGrad_(requiresGrad)
  },
  { method: false, positional: 0 },
)

export interface Like extends FunctionInfo {
  (x: Tensor, options?: TensorOptions): Tensor
}

function like(name: string, value: Scalar): Like {
  return fn<(x: Tensor, options?: TensorOptions) => Tensor>(
    name,
    ['input'],
    tensorOptionNames,
    (x: Tensor, options: TensorOptions) => {
      checkTensor(name, 'input', x)
      const { dtype, device, requiresGrad } = resolveOptions(name, { device: x.device, ...options }, x.dtype)
      return fillRaw(
        emptyTensor(x.sizes, dtype, device, denseStridesLike(x.sizes, x.strides)),
        value,
      ).requiresGrad_(requiresGrad)
    },
    { positional: 0 },
  )
}

/** Zeros in the shape, dtype and memory layout of a tensor. */
export const zerosLike: Like = like('zeros_like', 0)
/** Ones in the shape, dtype and memory layout of a tensor. */
export const onesLike: Like = like('ones_like', 1)
/** A tensor of unspecified contents in the shape, dtype and memory layout of another. */
export const emptyLike: Like = like('empty_like', 0)

export type FullLike = (x: Tensor, fillValue: Scalar, options?: TensorOptions) => Tensor

/** A number in the shape, dtype and memory layout of a tensor. */
export const fullLike: FullLike & FunctionInfo = fn<FullLike>(
  'full_like',
  ['input', 'fillValue'],
  tensorOptionNames,
  (x: Tensor, value: Scalar, options: TensorOptions) => {
    const { dtype, device, requiresGrad } = resolveOptions(
      'full_like',
      { device: x.device, ...options },
      x.dtype,
    )
    return fillRaw(
      emptyTensor(x.sizes, dtype, device, denseStridesLike(x.sizes, x.strides)),
      value,
    ).requiresGrad_(requiresGrad)
  },
  { positional: 0 },
)

/** What `torch.tensor` takes: numbers, nested arrays, typed arrays, tensors of one element in arrays, a tensor. */
export type TensorData = Scalar | Tensor | ArrayBufferView | readonly TensorData[]

export type TensorFunction = (data: TensorData, options?: TensorOptions) => Tensor

/**
 * A new tensor with these values. Whole numbers give int64, any fraction the default float dtype, booleans bool,
 * bigints int64; typed arrays keep their dtype.
 * @throws ValueError for ragged arrays, TypeError for values that are no numbers.
 */
export const tensor: TensorFunction & FunctionInfo = fn<TensorFunction>(
  'tensor',
  ['data'],
  tensorOptionNames,
  (data: TensorData, options: TensorOptions) => {
    if (data instanceof Tensor) {
      const copy = data.detach().clone()
      const converted = options.dtype === undefined ? copy : copy.to(options.dtype)
      return converted.requiresGrad_(options.requiresGrad ?? false)
    }
    const { sizes, values, dtype: inferred } = inferNested(data)
    const { dtype, device, requiresGrad } = resolveOptions('tensor', options, inferred)
    const result = emptyTensor(sizes, dtype, device.type === 'meta' ? device : cpu)
    if (device.type !== 'meta') writeData(result, values)
    return (device.type === 'cpu' || device.type === 'meta' ? result : result.to(device)).requiresGrad_(
      requiresGrad,
    )
  },
  { method: false, positional: 0 },
)

/** A tensor of these values, or the tensor itself where it already is one of that dtype. */
export const asTensor: TensorFunction & FunctionInfo = fn<TensorFunction>(
  'as_tensor',
  ['data'],
  tensorOptionNames,
  (data: TensorData, options: TensorOptions) =>
    data instanceof Tensor
      ? options.dtype === undefined
        ? data
        : data.to(options.dtype)
      : tensor(data, options),
  { method: false, positional: 0 },
)

/** As `asTensor`. */
export const asarray: TensorFunction & FunctionInfo = asTensor

/** The values of an Array or typed array, as `torch.from_numpy`; the memory is copied. */
export function fromArray(data: ArrayBufferView | readonly TensorData[]): Tensor {
  return tensor(data)
}

/** Whether a value is a tensor. */
export function isTensor(value: unknown): value is Tensor {
  return value instanceof Tensor
}

// ---- ranges -----------------------------------------------------------------------------------------------------------

const rangeKernels = new Map<string, Kernel>()

// start + i * step, computed in float64 for floats (as PyTorch accumulates) and in int64 for integers.
function rangeKernel(dtype: DType, mirrored: boolean): Kernel {
  const key = `${dtype.name}${mirrored}`
  let kernel = rangeKernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder('range')
    const out = b.output(dtype)
    const type = dtype.kind === 'float' ? 'f64' : 'i64'
    const start = b.scalar(type)
    const step = b.scalar(type)
    const index = k.cast(b.index(0), type)
    let value = k.add(start, k.mul(index, step))
    if (mirrored) {
      // The second half counts back from the end, so that the end is exact (PyTorch's linspace).
      const end = b.scalar(type)
      const last = b.scalar(type)
      const half = b.scalar(type)
      value = k.select(k.lt(index, half), value, k.sub(end, k.mul(k.sub(last, index), step)))
    }
    b.write(out, k.cast(value, valueTypeOf(dtype)))
    kernel = b.build()
    rangeKernels.set(key, kernel)
  }
  return kernel
}

export interface Arange {
  (end: number, options?: TensorOptions): Tensor
  (start: number, end: number, options?: TensorOptions): Tensor
  (start: number, end: number, step: number, options?: TensorOptions): Tensor
}

/** Numbers from `start` (0) up to `end`, `end` excluded, in steps of `step` (1); int64 where all are whole. */
export const arange: Arange & FunctionInfo = fn<Arange>(
  'arange',
  ['start'],
  ['end', 'step', ...tensorOptionNames],
  (first: number, options: TensorOptions & { end?: number; step?: number }) => {
    const given = [options.end === undefined ? 0 : first, options.end ?? first, options.step ?? 1]
    const numbers = given.map((n: unknown) => {
      if (typeof n !== 'number' && typeof n !== 'boolean' && typeof n !== 'bigint' && !(n instanceof Tensor))
        throw new TypeError_(`arange(): expected numbers, got ${describe(n)}`)
      return Number(n instanceof Tensor ? item(n) : n)
    })
    const whole = numbers.every(Number.isInteger)
    const { dtype, device, requiresGrad } = resolveOptions(
      'arange',
      options,
      whole ? int64 : getDefaultDtype(),
    )
    // For int64 the bounds count as whole numbers; for other dtypes the number of elements follows from them as they are.
    const [start, end, step] = dtype === int64 ? numbers.map(Math.trunc) : numbers
    if (step === 0) throw new RuntimeError('step must be nonzero')
    if (!Number.isFinite(start) || !Number.isFinite(end))
      throw new RuntimeError(`unsupported range: ${start} -> ${end}`)
    if (step > 0 ? start > end : start < end)
      throw new RuntimeError('upper bound and lower bound inconsistent with step sign')
    const n = Math.ceil((end - start) / step)
    const result = emptyTensor([n], dtype, device)
    const scalars = dtype.kind === 'float' ? [start, step] : [Math.trunc(start), Math.trunc(step)]
    launch(device, rangeKernel(dtype, false), [n], [], [operand(result)], scalars)
    return result.requiresGrad_(requiresGrad)
  },
  { method: false, positional: 2 },
)

export type Linspace = (
  start: number | Tensor,
  end: number | Tensor,
  steps: number,
  options?: TensorOptions,
) => Tensor

function checkRange(name: string, ends: readonly (number | Tensor)[], steps: number): number[] {
  const [start, end] = ends
  if ((start instanceof Tensor && start.ndim !== 0) || (end instanceof Tensor && end.ndim !== 0)) {
    const each = ends.map((v, i) =>
      v instanceof Tensor ? `${['start', 'end'][i]} with ${v.ndim} dimension(s)` : '',
    )
    throw new RuntimeError(
      `${name} only supports 0-dimensional start and end tensors, but got ${each.filter(Boolean).join(' and ')}.`,
    )
  }
  if (!(steps >= 0)) throw new RuntimeError('number of steps must be non-negative')
  return ends.map((v) => Number(v instanceof Tensor ? item(v) : v))
}

/** The ends of a range of complex numbers as those of its parts, real ones first, or null where all is real. */
function complexEnds(
  name: string,
  ends: readonly (number | Complex | Tensor)[],
  steps: number,
  options: TensorOptions,
): { ends: [number, number][]; options: TensorOptions } | null {
  const isComplex = (x: unknown) => x instanceof Complex || (x instanceof Tensor && x.dtype.isComplex)
  if (!ends.some(isComplex) && !options.dtype?.isComplex) return null
  const isKnownToFit = (x: unknown) => !(x instanceof Tensor) || x.ndim === 0
  checkRange(
    name,
    ends.map((x) => (isKnownToFit(x) ? 0 : (x as Tensor))),
    steps,
  )
  const numbers = ends.map((x) => Complex.of((x instanceof Tensor ? item(x) : x) as number | Complex))
  const { dtype } = resolveOptions(name, options, complexOf(getDefaultDtype()))
  const part = (of: (x: Complex) => number): [number, number] => [of(numbers[0]), of(numbers[1])]
  return { ends: [part((x) => x.re), part((x) => x.im)], options: { ...options, dtype: realOf(dtype) } }
}

// Evenly spaced numbers, the second half counted back from the end. Bounds of integer dtypes are whole.
function evenlySpaced(start: number, end: number, steps: number, dtype: DType): number[] {
  const [from, until] = dtype.kind === 'float' ? [start, end] : [Math.trunc(start), Math.trunc(end)]
  if (steps === 1) return [start]
  const step = (until - from) / (steps - 1)
  const half = Math.floor(steps / 2)
  return Array.from({ length: steps }, (_, i) =>
    i < half ? from + step * i : until - step * (steps - 1 - i),
  )
}

/** `steps` numbers from `start` to `end`, both included, evenly spaced. */
export const linspace: Linspace & FunctionInfo = fn<Linspace>(
  'linspace',
  ['start', 'end', 'steps'],
  tensorOptionNames,
  (start: number | Tensor, end: number | Tensor, steps: number, options: TensorOptions) => {
    const parts = complexEnds('linspace', [start, end], steps, options)
    if (parts !== null) {
      const { requiresGrad, ...rest } = parts.options
      const [re, im] = parts.ends.map(([from, until]) => linspace(from, until, steps, rest))
      return complex(re, im).requiresGrad_(requiresGrad ?? false)
    }
    const [from, until] = checkRange('linspace', [start, end], steps)
    const { dtype, device, requiresGrad } = resolveOptions('linspace', options, getDefaultDtype())
    const result = emptyTensor([steps], dtype, device)
    if (dtype.kind !== 'float') {
      writeData(result, evenlySpaced(from, until, steps, dtype).map(Math.trunc))
      return result
    }
    let step = steps > 1 ? (until - from) / (steps - 1) : 0
    if (dtype.itemsize === 4 && steps > 1) step = Math.fround(Math.fround(until - from) / (steps - 1))
    // A single number is the start.
    const scalars = [from, step, steps === 1 ? from : until, steps - 1, Math.floor(steps / 2)]
    launch(device, rangeKernel(dtype, true), [steps], [], [operand(result)], scalars)
    return result.requiresGrad_(requiresGrad)
  },
  { method: false, positional: 0 },
)

export type Logspace = (
  start: number | Tensor,
  end: number | Tensor,
  steps: number,
  options?: TensorOptions & { base?: number },
) => Tensor

/** `steps` powers of `base` (10), their exponents evenly spaced from `start` to `end`. */
export const logspace: Logspace & FunctionInfo = fn<Logspace>(
  'logspace',
  ['start', 'end', 'steps'],
  ['base', ...tensorOptionNames],
  (
    start: number | Tensor,
    end: number | Tensor,
    steps: number,
    { base = 10, ...options }: TensorOptions & { base?: number },
  ) => {
    const parts = complexEnds('logspace', [start, end], steps, options)
    if (parts !== null) {
      const { requiresGrad, ...rest } = parts.options
      const [re, im] = parts.ends.map(([from, until]) => linspace(from, until, steps, rest))
      return pow(tensor(base, { dtype: complexOf(re.dtype) }), complex(re, im)).requiresGrad_(
        requiresGrad ?? false,
      )
    }
    const [from, until] = checkRange('logspace', [start, end], steps)
    const { dtype, device, requiresGrad } = resolveOptions('logspace', options, getDefaultDtype())
    const result = emptyTensor([steps], dtype, device)
    const values = evenlySpaced(from, until, steps, dtype).map((exponent) => base ** exponent)
    writeData(result, dtype.kind === 'float' ? values : values.map(Math.trunc))
    return result.requiresGrad_(requiresGrad)
  },
  { method: false, positional: 1 },
)

/** Numbers from `start` (0) to `end`, `end` included, in steps of `step` (1), in the default dtype. */
export const range: Arange & FunctionInfo = fn<Arange>(
  'range',
  ['start'],
  ['end', 'step', ...tensorOptionNames],
  (first: number, options: TensorOptions & { end?: number; step?: number }) => {
    const [start, end] = options.end === undefined ? [0, first] : [first, options.end]
    const step = options.step ?? 1
    const { dtype, device, requiresGrad } = resolveOptions('range', options, getDefaultDtype())
    if (step === 0) throw new RuntimeError('step must be nonzero')
    if (step > 0 ? start > end : start < end)
      throw new RuntimeError('upper bound and larger bound inconsistent with step sign')
    const n = Math.floor((end - start) / step) + 1
    const result = emptyTensor([n], dtype, device)
    const scalars = dtype.kind === 'float' ? [start, step] : [Math.trunc(start), Math.trunc(step)]
    launch(device, rangeKernel(dtype, false), [n], [], [operand(result)], scalars)
    return result.requiresGrad_(requiresGrad)
  },
  { method: false, positional: 2 },
)

/** A tensor without dimensions that holds a number, in the default dtype unless given. */
export const scalarTensor: ((value: Scalar, options?: TensorOptions) => Tensor) & FunctionInfo = fn<
  (value: Scalar, options?: TensorOptions) => Tensor
>(
  'scalar_tensor',
  ['s'],
  tensorOptionNames,
  (value: Scalar, options: TensorOptions) => {
    const { dtype, device, requiresGrad } = resolveOptions('scalar_tensor', options, getDefaultDtype())
    return fullTensor([], asElement(value, dtype), dtype, device).requiresGrad_(requiresGrad)
  },
  { method: false, positional: 0 },
)

export interface Eye {
  (n: number, m?: number, options?: TensorOptions): Tensor
  (n: number, options?: TensorOptions): Tensor
}

/** The identity matrix of n rows and m (n) columns. */
export const eye: Eye & FunctionInfo = fn<Eye>(
  'eye',
  ['n'],
  ['m', ...tensorOptionNames],
  (n: number, { m = n, ...options }: TensorOptions & { m?: number }) => {
    const { dtype, device, requiresGrad } = resolveOptions('eye', options, getDefaultDtype())
    const result = fullTensor(checkSizes('eye', [n, m]), 0, dtype, device)
    const diagonal = new Tensor(result.storage, [Math.min(n, m)], [m + 1], 0, dtype)
    fillRaw(diagonal, 1)
    return result.requiresGrad_(requiresGrad)
  },
  { method: false, positional: 1 },
)

/** The number of elements that a shape holds. */
export function numel(x: Tensor): number {
  return numelOf(x.sizes)
}
