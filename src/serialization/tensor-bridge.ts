// The one place where serialization meets tensors, storages and parameters.

import { backendFor } from '../backends/backend.ts'
import { NotImplementedError, ValueError } from '../core/errors.ts'
import { Parameter } from '../nn/parameter.ts'
import { isLazy } from '../nn/uninitialized.ts'
import { Storage } from '../tensor/storage.ts'
import { Tensor, tensorFromStorage } from '../tensor/tensor.ts'
import { setFileTransfers } from './node-files.ts'
import type { TensorBridge } from './storage-table.ts'

setFileTransfers(() => backendFor('cpu').fileTransfers?.() ?? null)

export const tensorBridge: TensorBridge = {
  allocate: (nbytes) => Storage.allocate(nbytes),
  defer: (nbytes, fill) => Storage.deferred(nbytes, fill),
  bytes: (storage) => (storage as Storage).bytes(),
  free: (storage) => (storage as Storage).free(),

  tensor(storage, sizes, strides, offset, dtype, requiresGrad) {
    const tensor = tensorFromStorage(storage as Storage, sizes, strides, offset, dtype)
    return requiresGrad ? tensor.requiresGrad_() : tensor
  },

  parameter: (tensor, requiresGrad) => new Parameter(tensor as Tensor, { requiresGrad }),

  isTensor: (value) => value instanceof Tensor,

  describe(value) {
    if (!(value instanceof Tensor)) return null
    if (isLazy(value))
      throw new ValueError(
        'cannot save an uninitialized parameter or buffer: call the module once before, which gives it its shape',
      )
    if (value.device.type !== 'cpu')
      throw new NotImplementedError(
        value.device.type === 'meta'
          ? 'cannot save a tensor on the device meta, which has no data'
          : `cannot save a tensor on the device '${value.device}': save await x.cpu() instead`,
      )
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
  },
}
