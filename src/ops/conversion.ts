// Copies and conversions: clone, contiguous, copy_, to, detach, fill_ and zero_.

import { alias } from '../autograd/saved.ts'
import { recording } from '../backends/recording.ts'
import { Device, type DeviceLike, device as makeDevice } from '../core/device.ts'
import * as dtypes from '../core/dtype.ts'
import { DType } from '../core/dtype.ts'
import { NotImplementedError, RuntimeError, TypeError_ } from '../core/errors.ts'
import { broadcastSizes, contiguousStrides, denseStridesLike, formatSizes, sameSizes } from '../core/shape.ts'
import { conjugate } from '../kernels/complex.ts'
import * as k from '../kernels/expr.ts'
import { valueTypeOf } from '../kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import { Tensor } from '../tensor/tensor.ts'
import { fillRaw } from './creation.ts'
import { broadcastOperand, emptyTensor, launch, operand } from './launch.ts'
import {
  apply,
  applyInPlace,
  checkTensor,
  describe,
  type FunctionInfo,
  fn,
  type Op,
  setCopier,
} from './op.ts'
import { checkWritable, type Scalar } from './pointwise.ts'

const copyKernels = new Map<number, Kernel>()

function copyKernel(from: DType, to: DType, conjugated: boolean): Kernel {
  const key = from.index * 16 + to.index + (conjugated ? 256 : 0)
  let kernel = copyKernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder('copy')
    const x = b.input(from)
    const out = b.output(to)
    const value = b.read(x)
    b.write(out, k.cast(conjugated ? conjugate(value) : value, valueTypeOf(to)))
    kernel = b.build()
    copyKernels.set(key, kernel)
  }
  return kernel
}

/** Writes one tensor's values (broadcast, converted) to another's memory, without a word to autograd. */
export function copyRaw(into: Tensor, from: Tensor): Tensor {
  if (!from.device.equals(into.device) && into.device.type !== 'meta') return copyBetween(into, from)
  const conjugated = from.conjugated !== into.conjugated
  launch(
    into.device,
    copyKernel(from.dtype, into.dtype, conjugated),
    into.sizes,
    [],
    [broadcastOperand(inMemory(from), into.sizes), operand(inMemory(into))],
  )
  return into
}

/** Writes a tensor's values to one on another device. Throws where they would have to be waited for. */
function copyBetween(into: Tensor, from: Tensor): Tensor {
  if (from.device.type === 'meta') throw new NotImplementedError('Cannot copy out of meta tensor; no data!')
  const converted = from.dtype === into.dtype ? from : copyOf(from, contiguousStrides(from.sizes), into.dtype)
  // All of a storage is written as it is, and so stays known to JavaScript.
  const isWhole =
    recording.recorder === null &&
    into.storage.isAsynchronous &&
    into.isContiguous() &&
    into.numel() * into.dtype.itemsize === into.storage.nbytes &&
    sameSizes(from.sizes, into.sizes)
  if (isWhole && !from.storage.isAsynchronous) {
    const dense = copyOf(converted, contiguousStrides(from.sizes))
    into.storage.write(dense.storage.bytes().subarray(0, dense.storage.nbytes))
    dense.storage.free()
    return into
  }
  return copyRaw(into, toDevice(converted, into.device, into.dtype))
}

// The tensor of what is in memory where the elements are conjugates of that.
function inMemory(x: Tensor): Tensor {
  return x.conjugated ? new Tensor(x.storage, x.sizes, x.strides, x.offset, x.dtype) : x
}

/** A new tensor of these strides with a tensor's values, in another dtype where given. */
function copyOf(x: Tensor, strides: readonly number[], dtype: DType = x.dtype): Tensor {
  return copyRaw(emptyTensor(x.sizes, dtype, x.device, strides), x)
}

const cloneOp: Op<readonly number[]> = {
  node: 'CloneBackward0',
  readsConjugated: true,
  forward: ([x], strides) => copyOf(x, strides),
  backward: ([g]) => [g],
}

/** A copy with memory of its own, in the same layout; gradients flow through. */
export function clone(x: Tensor): Tensor {
  checkTensor('clone', 'input', x)
  return apply(cloneOp, [x], denseStridesLike(x.sizes, x.strides))
}

setCopier((x) => copyOf(x, denseStridesLike(x.sizes, x.strides)))

/** The tensor itself if its elements lie in C order, else such a copy. */
export function contiguous(x: Tensor): Tensor {
  return x.isContiguous() ? x : apply(cloneOp, [x], contiguousStrides(x.sizes))
}

/** The same memory, cut off from the graph: no gradient flows through. In-place changes show in both. */
export function detach(x: Tensor): Tensor {
  checkTensor('detach', 'input', x)
  return alias(x)
}

const toOp: Op<DType> = {
  node: 'ToCopyBackward0',
  readsConjugated: true,
  forward: ([x], dtype) => copyOf(x, denseStridesLike(x.sizes, x.strides), dtype),
  backward: ([g], { inputDTypes }) => [to(g!, inputDTypes[0])],
}

/** Options of `to`. */
export interface ToOptions {
  dtype?: DType
  device?: DeviceLike
  /** Copies even where nothing changes. */
  copy?: boolean
}

export interface To {
  (x: Tensor, target: DType | DeviceLike | Tensor, options?: ToOptions): Tensor
  (x: Tensor, options?: ToOptions): Tensor
}

/** The tensor in another dtype or on another device; itself where it is there already. */
export const to: To & FunctionInfo = fn<To>(
  'to',
  ['input'],
  ['target', 'dtype', 'device', 'copy', 'nonBlocking'],
  (x: Tensor, options: ToOptions & { target?: DType | DeviceLike | Tensor }) => {
    checkTensor('to', 'input', x)
    const { target } = options
    let { dtype } = options
    let device = options.device === undefined ? x.device : makeDevice(options.device)
    if (target instanceof DType) dtype = target
    else if (target instanceof Tensor) {
      dtype = target.dtype
      device = target.device
    } else if (typeof target === 'string' || target instanceof Device) device = makeDevice(target)
    else if (target !== undefined && target !== null)
      throw new TypeError_(`to(): expected a dtype, a device or a tensor, got ${describe(target)}`)
    dtype ??= x.dtype
    if (!(dtype instanceof DType))
      throw new TypeError_(`to(): argument 'dtype' must be torch.dtype, not ${describe(dtype)}`)
    if (!device.equals(x.device)) return toDevice(x, device, dtype)
    if (dtype === x.dtype) return options.copy ? clone(x) : x
    return apply(toOp, [x], dtype)
  },
  { positional: 2 },
)

function toDevice(x: Tensor, device: Device, dtype: DType): Tensor {
  if (device.type === 'meta') return emptyTensor(x.sizes, dtype, device, denseStridesLike(x.sizes, x.strides))
  if (x.device.type === 'meta') throw new NotImplementedError('Cannot copy out of meta tensor; no data!')
  if (x.storage.isAsynchronous)
    throw new RuntimeError(
      `a tensor on '${x.device}' cannot be read synchronously: move it with await x.cpu()`,
    )
  return apply(toDeviceOp, [x], { device, dtype })
}

const toDeviceOp: Op<{ readonly device: Device; readonly dtype: DType }> = {
  node: 'ToCopyBackward0',
  forward: ([x], { device, dtype }) => {
    const strides = denseStridesLike(x.sizes, x.strides)
    const result = emptyTensor(x.sizes, dtype, device, strides)
    const dense = copyOf(x, strides, dtype)
    result.storage.write(dense.storage.bytes().subarray(0, dense.storage.nbytes))
    dense.storage.free()
    return result
  },
  backward: ([g]) => {
    throw new RuntimeError(
      `the gradient of a tensor on the CPU is on '${g!.device}', which cannot be read synchronously: make leaves on the device, as in torch.tensor(values, { device: '${g!.device}', requiresGrad: true })`,
    )
  },
}

const fromDeviceOp: Op<{ readonly bytes: Uint8Array; readonly device: Device }> = {
  node: 'ToCopyBackward0',
  forward: ([x], { bytes }) => {
    const result = emptyTensor(x.sizes, x.dtype)
    result.storage.write(bytes)
    return result
  },
  backward: ([g], { attributes: { device } }) => [to(g!, device)],
}

async function fromDevice(x: Tensor): Promise<Tensor> {
  const dense = contiguous(x.detach())
  const bytes = await dense.storage.read(dense.offset * x.dtype.itemsize, x.numel() * x.dtype.itemsize)
  return apply(fromDeviceOp, [x], { bytes, device: x.device })
}

function converter(dtype: DType): (x: Tensor) => Tensor {
  return (x) => to(x, dtype)
}

/** The tensor converted to float32; itself where it is of that dtype. */
export const float: (x: Tensor) => Tensor = converter(dtypes.float32)
/** The tensor converted to float64; itself where it is of that dtype. */
export const double: (x: Tensor) => Tensor = converter(dtypes.float64)
/** The tensor converted to float16; itself where it is of that dtype. */
export const half: (x: Tensor) => Tensor = converter(dtypes.float16)
/** The tensor converted to bfloat16; itself where it is of that dtype. */
export const bfloat16: (x: Tensor) => Tensor = converter(dtypes.bfloat16)
/** The tensor converted to int64; itself where it is of that dtype. */
export const long: (x: Tensor) => Tensor = converter(dtypes.int64)
/** The tensor converted to int32; itself where it is of that dtype. */
export const int: (x: Tensor) => Tensor = converter(dtypes.int32)
/** The tensor converted to int16; itself where it is of that dtype. */
export const short: (x: Tensor) => Tensor = converter(dtypes.int16)
/** The tensor converted to int8; itself where it is of that dtype. */
export const char: (x: Tensor) => Tensor = converter(dtypes.int8)
/** The tensor converted to uint8; itself where it is of that dtype. */
export const byte: (x: Tensor) => Tensor = converter(dtypes.uint8)
/** The tensor converted to bool; itself where it is of that dtype. */
export const bool: (x: Tensor) => Tensor = converter(dtypes.bool)
/** The tensor converted to complex64; itself where it is of that dtype. */
export const cfloat: (x: Tensor) => Tensor = converter(dtypes.complex64)
/** The tensor converted to complex128; itself where it is of that dtype. */
export const cdouble: (x: Tensor) => Tensor = converter(dtypes.complex128)

/**
 * The tensor in CPU memory: a CPU tensor itself, or a promise of a copy where a device cannot be read synchronously, so
 * that `await x.cpu()` works everywhere. Gradients flow back through it.
 * @throws RuntimeError (or the promise rejects with it) where something went wrong on the device.
 */
export function cpu(x: Tensor): Tensor | Promise<Tensor> {
  checkTensor('cpu', 'input', x)
  return x.device.type !== 'meta' && x.storage.isAsynchronous ? fromDevice(x) : to(x, 'cpu')
}

/** The tensor's dtype as text, or (with an argument) the tensor in that dtype. */
export function type(x: Tensor, dtype: DType): Tensor {
  return to(x, dtype)
}

/** The tensor in the dtype of another. */
export function typeAs(x: Tensor, other: Tensor): Tensor {
  return to(x, other.dtype)
}

const copyOp: Op<null> = {
  node: 'torch::autograd::CopyBackwards',
  forward: ([self]) => self,
  backward: ([g], context) => [context.needs(0) ? g!.mul(0) : null, g],
}

function copyInPlace(self: Tensor, source: Tensor): Tensor {
  checkTensor('copy_', 'input', self)
  checkTensor('copy_', 'src', source)
  if (!sameSizes(broadcastSizes(self.sizes, source.sizes), self.sizes))
    throw new RuntimeError(
      `output with shape ${formatSizes(self.sizes)} doesn't match the broadcast shape ${formatSizes(broadcastSizes(self.sizes, source.sizes))}`,
    )
  checkWritable(self)
  const from =
    source !== self && source.storage === self.storage
      ? copyOf(alias(source), contiguousStrides(source.sizes))
      : source
  return applyInPlace(copyOp, [self, source], null, () => copyRaw(self, from))
}

/** Runs an operation and writes its result over its first input, recorded as one node. */
export function applyOver<A>(op: Op<A>, inputs: readonly Tensor[], attributes: A): Tensor {
  const self = inputs[0]
  checkWritable(self)
  return applyInPlace(op, inputs, attributes, () => {
    const result = op.forward(inputs, attributes)
    const first = result instanceof Tensor ? result : result[0]
    if (!sameSizes(first.sizes, self.sizes))
      throw new RuntimeError(
        `output with shape ${formatSizes(self.sizes)} doesn't match the broadcast shape ${formatSizes(first.sizes)}`,
      )
    copyRaw(self, first)
  })
}

const fillOp: Op<Scalar> = {
  node: 'FillBackward2',
  forward: ([self]) => self,
  backward: ([g]) => [g!.mul(0)],
}

const zeroOp: Op<Scalar> = { ...fillOp, node: 'ZeroBackward0' }

function fillInPlace(self: Tensor, value: Scalar | Tensor): Tensor {
  if (value instanceof Tensor) {
    if (value.ndim !== 0)
      throw new RuntimeError(
        `fill_ only supports 0-dimension value tensor but got tensor with ${value.ndim} dimensions.`,
      )
    return copyInPlace(self, value)
  }
  // Elements that share memory all get the same number.
  return applyInPlace(fillOp, [self], value, () => fillRaw(self, value))
}

function zeroInPlace(self: Tensor): Tensor {
  return applyInPlace(zeroOp, [self], 0, () => fillRaw(self, 0))
}

/** Functions that exist only in place: `copy_`, `fill_`, `zero_`. */
export const inPlaceOnly: {
  /** Writes `source`, broadcast and converted, to the tensor. */
  readonly copy_: (x: Tensor, source: Tensor) => Tensor
  /** Writes one number to every element. */
  readonly fill_: (x: Tensor, value: Scalar | Tensor) => Tensor
  /** Sets every element to zero. */
  readonly zero_: (x: Tensor) => Tensor
  /** Cuts the tensor itself off from the graph. */
  readonly detach_: (x: Tensor) => Tensor
} = {
  copy_: copyInPlace,
  fill_: fillInPlace,
  zero_: zeroInPlace,
  detach_: (x) => {
    if (x.base !== null)
      throw new RuntimeError(
        "Can't detach views in-place. Use detach() instead. If you are using DistributedDataParallel (DDP) for training, and gradient_as_bucket_view is set as True, gradients are views of DDP buckets, and hence detach_() cannot be called on these gradients.",
      )
    const grad = x.grad
    x.autograd = null
    x.grad = grad
    return x
  },
}
