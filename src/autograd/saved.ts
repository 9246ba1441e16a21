// Tensors kept for backward, with the version at which they were saved.

import { RuntimeError } from '../core/errors.ts'
import { formatSizes } from '../core/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { gradMode } from './mode.ts'
import type { Node } from './node.ts'

/** Replaces saved tensors by something else and back, as `torch.autograd.graph.savedTensorsHooks`. */
export interface SavedTensorHooks {
  pack(tensor: Tensor): unknown
  unpack(packed: unknown): Tensor
}

const hookStack: SavedTensorHooks[] = []

/** Runs `body` with hooks that pack what is saved and unpack it in backward. */
export function savedTensorsHooks<R>(hooks: SavedTensorHooks, body: () => R): R {
  hookStack.push(hooks)
  try {
    return body()
  } finally {
    hookStack.pop()
  }
}

export class SavedTensor {
  private readonly version: number
  private tensor: Tensor | null
  private readonly hooks: SavedTensorHooks | null
  private readonly packed: unknown

  constructor(
    tensor: Tensor,
    private readonly isOutput: boolean,
  ) {
    this.version = tensor.storage.version
    this.hooks = hookStack.length > 0 ? hookStack[hookStack.length - 1] : null
    if (this.hooks === null) this.tensor = tensor
    else {
      this.tensor = null
      const before = gradMode.enabled
      gradMode.enabled = false
      this.packed = this.hooks.pack(tensor)
      gradMode.enabled = before
    }
  }

  /** The tensor, if its memory is as it was when saved; else PyTorch's error. */
  unpack(node: Node): Tensor {
    if (this.hooks !== null) return this.hooks.unpack(this.packed)
    const tensor = this.tensor!
    if (tensor.storage.version !== this.version) {
      const what = this.isOutput
        ? `, which is output ${tensor.autograd?.outputNumber ?? 0} of ${node.name()}`
        : describeSource(tensor)
      throw new RuntimeError(
        `one of the variables needed for gradient computation has been modified by an inplace operation: [${tensorClass(tensor)} ${formatSizes(tensor.sizes)}]${what}, is at version ${tensor.storage.version}; expected version ${this.version} instead. Hint: enable anomaly detection to find the operation that failed to compute its gradient, with torch.autograd.set_detect_anomaly(True).`,
      )
    }
    return tensor
  }
}

function describeSource(tensor: Tensor): string {
  const node = tensor.autograd?.gradFn
  return node ? `, which is output ${tensor.autograd!.outputNumber} of ${node.name()}` : ''
}

function tensorClass(tensor: Tensor): string {
  const names: Record<string, string> = {
    float32: 'Float',
    float64: 'Double',
    float16: 'Half',
    bfloat16: 'BFloat16',
  }
  return `torch.${names[tensor.dtype.name] ?? 'Long'}Tensor`
}

/** A tensor over the same memory that autograd knows nothing of. */
export function alias(tensor: Tensor): Tensor {
  return new Tensor(tensor.storage, tensor.sizes, tensor.strides, tensor.offset, tensor.dtype)
}
