// The results of a captured function: tensors in arrays and plain objects, detached, and copied out after a replay.

import { alias } from '../autograd/saved.ts'
import { denseStridesLike, isContiguous } from '../core/shape.ts'
import { copyRaw } from '../ops/conversion.ts'
import { emptyTensor } from '../ops/launch.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { copyBytes, mapTensors } from './arguments.ts'

/** The tensors in a result. */
export function tensorsIn(result: unknown): Tensor[] {
  const found: Tensor[] = []
  mapTensors(result, (x) => found.push(x))
  return found
}

/** A result without history: replays have none. Leaves, such as parameters, stay what they are. */
export function detachResult<R>(result: R): R {
  return mapTensors(result, (x) => (x.gradFn === null ? x : alias(x))) as R
}

/** A result in which the tensors among `copied` have memory of their own. */
export function copyResult(result: unknown, copied: ReadonlySet<Tensor>): unknown {
  return mapTensors(result, (x) => (copied.has(x) ? copyOf(x) : x))
}

function copyOf(x: Tensor): Tensor {
  const copy = emptyTensor(x.sizes, x.dtype, x.device, denseStridesLike(x.sizes, x.strides))
  if (x.device.type === 'meta' || x.numel() === 0) return copy
  if (isContiguous(x.sizes, x.strides)) copyBytes(copy, x)
  else copyRaw(copy, x)
  return copy
}
