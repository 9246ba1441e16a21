// From tensors to launches: results with the right strides, operands seen along the dimensions of a kernel.

import { backendFor } from '../backends/backend.ts'
import { Complex } from '../core/complex.ts'
import { cpu, type Device } from '../core/device.ts'
import type { DType } from '../core/dtype.ts'
import { OutOfMemoryError, RuntimeError, TypeError_ } from '../core/errors.ts'
import { broadcastStrides, contiguousStrides, formatSizes } from '../core/shape.ts'
import { type Access, type Kernel, type Launch, partsOfAccess } from '../kernels/kernel.ts'
import { Storage } from '../tensor/storage.ts'
import { Tensor } from '../tensor/tensor.ts'

/**
 * A new tensor with unspecified contents.
 * @throws TypeError for sizes that are no whole numbers, OutOfMemoryError naming the shape.
 */
export function emptyTensor(
  sizes: readonly number[],
  dtype: DType,
  device: Device = cpu,
  strides: readonly number[] = contiguousStrides(sizes),
): Tensor {
  let nbytes = dtype.itemsize
  for (let i = 0; i < sizes.length; i++) {
    const n = sizes[i]
    if (typeof n !== 'number' || !(n >= 0) || !Number.isInteger(n))
      throw new TypeError_(
        `a tensor's sizes must be whole numbers, but size ${i} is ${typeof n === 'string' ? `'${n}'` : String(n)}`,
      )
    nbytes *= n
  }
  if (device.type !== 'cpu' && device.type !== 'meta') checkDType(dtype, device)
  try {
    return new Tensor(Storage.allocate(nbytes, device), sizes, strides, 0, dtype)
  } catch (error) {
    if (!(error instanceof OutOfMemoryError)) throw error
    throw new OutOfMemoryError(
      `cannot make a tensor of shape ${formatSizes(sizes)} (${dtype}): ${error.message}`,
    )
  }
}

/** Throws where a device has no tensors of a dtype. */
function checkDType(dtype: DType, device: Device): void {
  const refusal = backendFor(device.type).refusal?.(dtype) ?? null
  if (refusal !== null) throw new RuntimeError(refusal)
}

/** The one device of several tensors; a CPU tensor without dimensions goes with any. Throws PyTorch's error. */
export function commonDevice(name: string, tensors: readonly Tensor[]): Device {
  let device: Device | null = null
  for (const t of tensors) {
    if (t.ndim === 0 && t.device.type === 'cpu') continue
    if (device === null || t.device.type === 'meta') device = t.device
    else if (!device.equals(t.device) && device.type !== 'meta')
      throw new RuntimeError(
        `Expected all tensors to be on the same device, but found at least two devices, ${device} and ${t.device}! (when checking argument in method ${name})`,
      )
  }
  return device ?? cpu
}

/** A tensor as a kernel's operand, with the strides given, or its own. */
export function operand(
  x: Tensor,
  strides: readonly number[] = x.strides,
  atStrides?: readonly number[],
): Access {
  if (x.conjugated)
    throw new RuntimeError(
      'this operation works on memory as it is, and the tensor is conjugated as it is read (isConj() is true): call resolveConj() first',
    )
  return {
    storage: x.device.type === 'meta' ? null : x.storage.allocation,
    offset: x.offset,
    strides,
    atStrides,
    complex: x.dtype.kind === 'complex',
  }
}

/** A tensor as an operand over a larger outer space that it is broadcast to. */
export function broadcastOperand(x: Tensor, sizes: readonly number[]): Access {
  return operand(x, broadcastStrides(x.sizes, x.strides, sizes))
}

/** Launches a kernel on a device; on `meta` nothing runs. */
export function launch(
  device: Device,
  kernel: Kernel,
  outer: readonly number[],
  loop: readonly number[],
  operands: readonly Access[],
  scalars: readonly (number | bigint | boolean | Complex)[] = [],
): void {
  if (device.type === 'meta') return
  const request = { outer, loop, operands, scalars: scalars as Launch['scalars'] }
  backendFor(device.type).launch(kernel, kernel.complex ? apart(request) : request)
}

// Devices know real numbers only: a complex operand is two of them, a complex scalar as well.
function apart({ outer, loop, operands, scalars }: Launch): Launch {
  return {
    outer,
    loop,
    operands: operands.flatMap((access) => (access.complex ? partsOfAccess(access) : [access])),
    scalars: (scalars as readonly (number | bigint | boolean | Complex)[]).flatMap((value) =>
      value instanceof Complex ? [value.re, value.im] : [value],
    ),
  }
}

/** Splits strides into those of dimensions kept and those of dimensions looped over, the kept first. */
export function splitDims<T>(values: readonly T[], loopDims: readonly number[]): { outer: T[]; loop: T[] } {
  const outer: T[] = []
  const loop: T[] = []
  for (let d = 0; d < values.length; d++) (loopDims.includes(d) ? loop : outer).push(values[d])
  return { outer, loop }
}

/** A tensor as an operand of a kernel that loops over `loopDims` of it. */
export function loopOperand(x: Tensor, loopDims: readonly number[]): Access {
  const { outer, loop } = splitDims(x.strides, loopDims)
  return operand(x, [...outer, ...loop])
}
