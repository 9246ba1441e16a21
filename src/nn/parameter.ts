// Parameter and Buffer: tensors that a module registers when they are assigned to its fields.

import { TypeError_ } from '../core/errors.ts'
import { describe } from '../ops/op.ts'
import { formatParameter, formatParameterAsync } from '../tensor/print.ts'
import { Tensor } from '../tensor/tensor.ts'

// Keeps a plain Tensor from being assignable where a Parameter is asked for; exists in the types only.
declare const parameterBrand: unique symbol

/** Options of `new nn.Parameter`. */
export interface ParameterOptions {
  /** Whether gradients are recorded; default true, also inside `noGrad`. */
  requiresGrad?: boolean
}

/**
 * A tensor that is a parameter of the module whose field it is: `weight = new nn.Parameter(torch.randn(3, 2))`.
 * It shares the memory of `data` and is a leaf, whatever computed `data`.
 *
 * @throws RuntimeError if gradients are required of integers; TypeError if `data` is no tensor.
 */
export class Parameter extends Tensor {
  declare readonly [parameterBrand]: true

  constructor(data: Tensor, options: ParameterOptions = {}) {
    if (!(data instanceof Tensor))
      throw new TypeError_(`Parameter(): argument 'data' must be Tensor, not ${describe(data)}`)
    super(data.storage, data.sizes, data.strides, data.offset, data.dtype)
    if (options.requiresGrad ?? true) this.requiresGrad_(true)
  }

  override toString(): string {
    return formatParameter(this)
  }

  override toStringAsync(): Promise<string> {
    return formatParameterAsync(this)
  }
}

/** Options of `new nn.Buffer`. */
export interface BufferOptions {
  /** Whether it is part of the state dict; default true. */
  persistent?: boolean
}

/**
 * A tensor that belongs to a module's state without being trained, such as running statistics:
 * `mean = new nn.Buffer(torch.zeros(3))`. A plain tensor assigned to the field later on is a buffer too.
 */
export class Buffer extends Tensor {
  persistent: boolean

  constructor(data: Tensor, options: BufferOptions = {}) {
    if (!(data instanceof Tensor))
      throw new TypeError_(`Buffer(): argument 'data' must be Tensor, not ${describe(data)}`)
    super(data.storage, data.sizes, data.strides, data.offset, data.dtype)
    this.persistent = options.persistent ?? true
    if (data.requiresGrad) this.requiresGrad_(true)
  }
}
