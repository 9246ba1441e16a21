// Values that JavaScript needs to see at once: on the CPU always, on a device that cannot be read synchronously as long as
// they are what JavaScript wrote there; and JavaScript that runs once they are known. Waiting for values: tensor/data.ts.

import { noGrad } from '../autograd/mode.ts'
import { backendFor } from '../backends/backend.ts'
import type { DType } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { Storage } from '../tensor/storage.ts'
import { Tensor } from '../tensor/tensor.ts'
import { emptyTensor } from './launch.ts'

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

/** Whether JavaScript knows the values of all these tensors at once. */
export function areKnown(tensors: readonly Tensor[]): boolean {
  return tensors.every((x) => onHost(x) !== null)
}

/** The shape and dtype of a result that is known before its values are. */
export interface ResultShape {
  readonly sizes: readonly number[]
  readonly dtype: DType
}

/**
 * Computes in JavaScript from tensors of one device whose values must be waited for: `f` gets CPU tensors when the device
 * has come that far, and gives CPU tensors of the shapes and dtypes promised. What it throws, the next awaited value rejects
 * with. `f` must not depend on anything that may change until then.
 */
export function computeLater(
  inputs: readonly Tensor[],
  results: readonly ResultShape[],
  f: (inputs: readonly Tensor[]) => readonly Tensor[],
): Tensor[] {
  const [{ device }] = inputs
  const made = results.map(({ sizes, dtype }) => emptyTensor(sizes, dtype, device))
  const layouts = inputs.map(({ sizes, strides, offset, dtype }) => ({ sizes, strides, offset, dtype }))
  backendFor(device.type).compute!(
    inputs.map((x) => x.storage.allocation),
    made.map((x) => x.storage.allocation),
    (bytes) => {
      const known = layouts.map(
        ({ sizes, strides, offset, dtype }, i) =>
          new Tensor(Storage.fromBytes(bytes[i]), sizes, strides, offset, dtype),
      )
      return noGrad(() => f(known)).map((x, i) => {
        const dense = x.to(made[i].dtype).contiguous()
        const start = dense.offset * dense.dtype.itemsize
        return dense.storage.bytes().slice(start, start + made[i].storage.nbytes)
      })
    },
  )
  return made
}
