// The one place where serialization meets tensors, storages and parameters.

import { backendFor } from '../backends/backend.ts'
import { NotImplementedError, RuntimeError, ValueError } from '../core/errors.ts'
import { Parameter } from '../nn/parameter.ts'
import { isLazy } from '../nn/uninitialized.ts'
import { Storage } from '../tensor/storage.ts'
import { Tensor, tensorFromStorage } from '../tensor/tensor.ts'
import { setFileTransfers } from './node-files.ts'
import type { TensorDescription } from './pickle-writer.ts'
import type { TensorBridge } from './storage-table.ts'

setFileTransfers(() => backendFor('cpu').fileTransfers?.() ?? null)

export const tensorBridge: TensorBridge = {
  allocate: (nbytes, device) => Storage.allocate(nbytes, device),
  write(storage, bytes) {
    if ((storage as Storage).device.type !== 'meta') (storage as Storage).write(bytes)
  },
  defer: (nbytes, fill) => Storage.deferred(nbytes, fill),
  bytes: (storage) => (storage as Storage).bytes(),
  free: (storage) => (storage as Storage).free(),

  tensor(storage, sizes, strides, offset, dtype, requiresGrad) {
    const { device } = storage as Storage
    const refusal = device.type === 'meta' ? null : backendFor(device.type).refusal?.(dtype)
    if (refusal != null) throw new RuntimeError(refusal)
    const tensor = tensorFromStorage(storage as Storage, sizes, strides, offset, dtype)
    return requiresGrad ? tensor.requiresGrad_() : tensor
  },

  parameter: (tensor, requiresGrad) => new Parameter(tensor as Tensor, { requiresGrad }),

  isTensor: (value) => value instanceof Tensor,

  describe(value) {
    const description = describeAnywhere(value)
    if (description !== null && (value as Tensor).storage.isAsynchronous)
      throw new NotImplementedError(
        `cannot save a tensor on the device '${(value as Tensor).device}' synchronously: use saveAsync, or save await x.cpu()`,
      )
    return description
  },
}

/** What is to be written of a tensor on any device with data; null for everything else. */
export function describeAnywhere(value: object): TensorDescription | null {
  if (!(value instanceof Tensor)) return null
  if (isLazy(value))
    throw new ValueError(
      'cannot save an uninitialized parameter or buffer: call the module once before, which gives it its shape',
    )
  if (value.device.type === 'meta')
    throw new NotImplementedError('cannot save a tensor on the device meta, which has no data')
  return {
    storage: value.storage,
    storageNbytes: value.storage.nbytes,
    dtype: value.dtype,
    sizes: value.sizes,
    strides: value.strides,
    offset: value.offset,
    requiresGrad: value.requiresGrad,
    isParameter: value instanceof Parameter,
  }
}

/** Whether the bytes of a storage can only be awaited. */
export function mustBeAwaited(storage: object): boolean {
  return (storage as Storage).isAsynchronous
}

/** A copy of a storage's bytes as they are now, on whichever device. */
export function copyOf(storage: object): Promise<Uint8Array> {
  return (storage as Storage).read(0, (storage as Storage).nbytes)
}
