// Tensors kept for backward, with the version at which they were saved.

import { scalarTypeName } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { formatSizes } from '../core/shape.ts'
import { Storage } from '../tensor/storage.ts'
import { type AutogradState, Tensor } from '../tensor/tensor.ts'
import { noGrad } from './mode.ts'
import { type Node, operationName } from './node.ts'

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
  private readonly tensor: Tensor | null
  private readonly hooks: SavedTensorHooks | null
  private readonly packed: unknown
  /** What autograd knew about a tensor that hooks have packed. */
  private readonly history: AutogradState | null = null

  constructor(
    tensor: Tensor,
    private readonly isOutput: boolean,
  ) {
    this.version = tensor.storage.version
    this.hooks = hookStack.length > 0 ? hookStack[hookStack.length - 1] : null
    if (this.hooks === null) this.tensor = tensor
    else {
      this.tensor = null
      if (tensor.autograd !== null) this.history = { ...tensor.autograd, grad: null }
      const { hooks } = this
      this.packed = noGrad(() => hooks.pack(tensor))
    }
  }

  /** The tensor, if its memory is as it was when saved; else PyTorch's error. */
  unpack(node: Node): Tensor {
    if (this.hooks !== null) return this.unpackHooked(this.hooks)
    const tensor = this.tensor!
    checkVersion(tensor, this.version, node, this.isOutput)
    return tensor
  }

  private unpackHooked(hooks: SavedTensorHooks): Tensor {
    // What the user's code makes here is the user's, whatever the engine does with memory of its own.
    const { made } = Storage
    Storage.made = null
    try {
      const given = hooks.unpack(this.packed)
      if (this.history === null) return given
      const tensor = alias(given)
      tensor.autograd = { ...this.history }
      return tensor
    } finally {
      Storage.made = made
    }
  }
}

/** Throws PyTorch's error if the memory of a tensor that `node` needs was changed in place since `version`. */
export function checkVersion(tensor: Tensor, version: number, node: Node, isOutput = false): void {
  if (tensor.storage.version === version) return
  const source = isOutput ? node : (tensor.autograd?.gradFn ?? null)
  const what =
    source === null
      ? ''
      : `, which is output ${tensor.autograd?.outputNumber ?? 0} of ${operationName(source)},`
  throw new RuntimeError(
    `one of the variables needed for gradient computation has been modified by an inplace operation: [torch.${scalarTypeName(tensor.dtype)}Tensor ${formatSizes(tensor.sizes)}]${what} is at version ${tensor.storage.version}; expected version ${version} instead. Hint: enable anomaly detection to find the operation that failed to compute its gradient, with torch.autograd.set_detect_anomaly(True, check_nan=False).`,
  )
}

/** A tensor over the same memory that autograd knows nothing of. */
export function alias(tensor: Tensor): Tensor {
  return new Tensor(
    tensor.storage,
    tensor.sizes,
    tensor.strides,
    tensor.offset,
    tensor.dtype,
    tensor.conjugated,
  )
}
