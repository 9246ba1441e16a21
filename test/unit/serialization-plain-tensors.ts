// Tensors that are only descriptions, so that the readers and writers of files can be tested without the tensor library.

import type { TensorDescription } from '../../src/serialization/pickle-writer.ts'
import type { TensorBridge } from '../../src/serialization/storage-table.ts'

export class PlainStorage {
  freed = false
  constructor(readonly bytes: Uint8Array) {}
}

export class PlainTensor {
  constructor(readonly description: TensorDescription) {}
}

export const plainBridge: TensorBridge = {
  allocate: (nbytes) => new PlainStorage(new Uint8Array(nbytes)),
  defer: (nbytes, fill) => {
    const bytes = new Uint8Array(nbytes)
    fill(bytes)
    return new PlainStorage(bytes)
  },
  write: (storage, bytes) => (storage as PlainStorage).bytes.set(bytes),
  bytes: (storage) => (storage as PlainStorage).bytes,
  free: (storage) => {
    ;(storage as PlainStorage).freed = true
  },
  tensor: (storage, sizes, strides, offset, dtype, requiresGrad) =>
    new PlainTensor({
      storage,
      storageNbytes: (storage as PlainStorage).bytes.length,
      dtype,
      sizes,
      strides,
      offset,
      requiresGrad,
      isParameter: false,
    }),
  parameter: (tensor, requiresGrad) =>
    new PlainTensor({ ...(tensor as PlainTensor).description, requiresGrad, isParameter: true }),
  isTensor: (value) => value instanceof PlainTensor,
  describe: (value) => (value instanceof PlainTensor ? value.description : null),
}
