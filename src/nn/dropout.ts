// Dropout layers: while training they zero elements or channels at random; in evaluation they do nothing.

import { ValueError } from '../core/errors.ts'
import { pyFloat } from '../core/python.ts'
import type { Tensor } from '../tensor/tensor.ts'
import * as F from './functional.ts'
import { Module } from './module.ts'
import { readOptions } from './options.ts'
import type { keepsWidth } from './sequential-types.ts'
import { pyBool } from './text.ts'

/** Options of the dropout layers. */
export interface DropoutOptions {
  /** The probability of an element to be zeroed; default 0.5. */
  p?: number
  /** Write the result into the input's memory; default false. */
  inplace?: boolean
}

/** What the dropout layers have in common. Throws ValueError for a probability outside [0, 1]. */
export abstract class DropoutBase extends Module {
  declare readonly [keepsWidth]?: true
  p: number
  inplace: boolean

  constructor(p?: number, options?: DropoutOptions)
  constructor(options?: DropoutOptions)
  constructor(first?: number | DropoutOptions, rest?: DropoutOptions) {
    super()
    const options = readOptions<DropoutOptions>(new.target.name, ['p', 'inplace'], first, rest)
    const { p = 0.5, inplace = false } = options
    if (!(p >= 0 && p <= 1))
      throw new ValueError(`dropout probability has to be between 0 and 1, but got ${pyFloat(p)}`)
    this.p = p
    this.inplace = inplace
  }

  override extraRepr(): string {
    return `p=${pyFloat(this.p)}, inplace=${pyBool(this.inplace)}`
  }

  abstract override forward(input: Tensor): Tensor
}

/** Zeroes each element with probability `p` and multiplies the others by 1 / (1 - p). Hinton et al. 2012. */
export class Dropout extends DropoutBase {
  override forward(input: Tensor): Tensor {
    const { p, training, inplace } = this
    return F.dropout(input, { p, training, inplace })
  }
}

/** Zeroes whole channels of `[N, C, L]` or `[C, L]`. */
export class Dropout1d extends DropoutBase {
  override forward(input: Tensor): Tensor {
    const { p, training, inplace } = this
    return F.dropout1d(input, { p, training, inplace })
  }
}

/** Zeroes whole channels of `[N, C, H, W]`. */
export class Dropout2d extends DropoutBase {
  override forward(input: Tensor): Tensor {
    const { p, training, inplace } = this
    return F.dropout2d(input, { p, training, inplace })
  }
}

/** Zeroes whole channels of `[N, C, D, H, W]` or `[C, D, H, W]`. */
export class Dropout3d extends DropoutBase {
  override forward(input: Tensor): Tensor {
    const { p, training, inplace } = this
    return F.dropout3d(input, { p, training, inplace })
  }
}

/** Sets elements to the value at which SELU saturates, keeping mean and variance. Klambauer et al. 2017. */
export class AlphaDropout extends DropoutBase {
  override forward(input: Tensor): Tensor {
    const { p, training, inplace } = this
    return F.alphaDropout(input, { p, training, inplace })
  }
}

/** AlphaDropout of whole channels. */
export class FeatureAlphaDropout extends DropoutBase {
  override forward(input: Tensor): Tensor {
    const { p, training, inplace } = this
    return F.featureAlphaDropout(input, { p, training, inplace })
  }
}
