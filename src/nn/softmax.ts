// The softmax layers: numbers along a dimension as probabilities.

import { ValueError } from '../core/errors.ts'
import { pyRepr } from '../core/python.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Activation } from './activation.ts'
import * as F from './functional.ts'
import { readOptions } from './options.ts'

/** Options of the softmax layers. */
export interface SoftmaxOptions {
  /** The dimension along which the results sum to 1. */
  dim?: number | null
}

abstract class SoftmaxBase extends Activation {
  dim: number | null

  constructor(dim: number | null | SoftmaxOptions = null) {
    super()
    this.dim = readOptions<SoftmaxOptions>(new.target.name, ['dim'], dim).dim ?? null
  }

  /** The dimension; without one PyTorch guesses, the first for 0, 1 and 3 dimensions, else the second. */
  protected dimFor(input: Tensor): number {
    return this.dim ?? (input.ndim === 0 || input.ndim === 1 || input.ndim === 3 ? 0 : 1)
  }

  override extraRepr(): string {
    return `dim=${pyRepr(this.dim)}`
  }
}

/** exp(x) divided by its sum along `dim`. */
export class Softmax extends SoftmaxBase {
  override forward(input: Tensor): Tensor {
    return F.softmax(input, this.dimFor(input))
  }
}

/** The softmax of -x. */
export class Softmin extends SoftmaxBase {
  override forward(input: Tensor): Tensor {
    return F.softmin(input, this.dimFor(input))
  }
}

/** The logarithm of the softmax along `dim`. */
export class LogSoftmax extends SoftmaxBase {
  override forward(input: Tensor): Tensor {
    return F.logSoftmax(input, this.dimFor(input))
  }
}

/** The softmax over the channels of `[N, C, H, W]` or `[C, H, W]`. */
export class Softmax2d extends Activation {
  override forward(input: Tensor): Tensor {
    if (input.ndim !== 3 && input.ndim !== 4)
      throw new ValueError(`Softmax2d: expected input to be 3D or 4D, got ${input.ndim}D instead`)
    return F.softmax(input, -3)
  }
}
