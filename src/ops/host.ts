// Values that JavaScript needs to see at once: on the CPU always, on a device that cannot be read synchronously as long as
// they are what JavaScript wrote there. Waiting for values: tensor/data.ts.

import { RuntimeError } from '../core/errors.ts'
import { Storage } from '../tensor/storage.ts'
import { Tensor } from '../tensor/tensor.ts'

/**
 * A CPU tensor with the values of `x`, which is `x` itself on the CPU; null where only the device knows them. For checks
 * that are left out where they would have to wait, as PyTorch leaves them to the GPU.
 */
export function onHost(x: Tensor): Tensor | null {
  if (!x.storage.isAsynchronous) return x
  const bytes = x.storage.knownBytes()
  return bytes === null ? null : new Tensor(Storage.fromBytes(bytes), x.sizes, x.strides, x.offset, x.dtype)
}

/**
 * A CPU tensor with the values of `x`, for what can only be computed by JavaScript.
 * @throws RuntimeError where they would have to be waited for.
 */
export function needHost(name: string, x: Tensor): Tensor {
  const host = onHost(x)
  if (host === null)
    throw new RuntimeError(
      `${name}() is computed on the CPU and needs values that are on '${x.device}', which cannot be read synchronously: call it with await x.cpu()`,
    )
  return host
}
