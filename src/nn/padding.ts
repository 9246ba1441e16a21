// Padding layers: constants, zeros, reflections, repetitions and wrapping around the border of the last dimensions.

import { pyFloat, pyRepr } from '../core/python.ts'
import type { Tensor } from '../tensor/tensor.ts'
import * as F from './functional.ts'
import { Module } from './module.ts'
import { expandSize, type SizeLike } from './options.ts'
import type { keepsChannels } from './sequential-types.ts'

/** What the padding layers have in common: amounts for both sides of each dimension, the last one first. */
export abstract class PadBase extends Module {
  declare readonly [keepsChannels]?: true
  padding: number[]

  constructor(padding: SizeLike, dimensions: number) {
    super()
    this.padding = expandSize(padding, 2 * dimensions, 'padding')
  }

  override extraRepr(): string {
    return pyRepr(this.padding)
  }

  abstract override forward(input: Tensor): Tensor
}

/** Padding with one value. */
export abstract class ConstantPadBase extends PadBase {
  value: number

  constructor(padding: SizeLike, value: number, dimensions: number) {
    super(padding, dimensions)
    this.value = value
  }

  override forward(input: Tensor): Tensor {
    return F.pad(input, this.padding, { mode: 'constant', value: this.value })
  }

  override extraRepr(): string {
    return `padding=${pyRepr(this.padding)}, value=${pyFloat(this.value)}`
  }
}

/** Pads the last dimension with `value`. */
export class ConstantPad1d extends ConstantPadBase {
  constructor(padding: SizeLike, value: number) {
    super(padding, value, 1)
  }
}

/** Pads the last dimension with zeros. */
export class ZeroPad1d extends ConstantPadBase {
  constructor(padding: SizeLike) {
    super(padding, 0, 1)
  }

  override extraRepr(): string {
    return pyRepr(this.padding)
  }
}

/** Pads the last 2 dimensions with `value`. */
export class ConstantPad2d extends ConstantPadBase {
  constructor(padding: SizeLike, value: number) {
    super(padding, value, 2)
  }
}

/** Pads the last 2 dimensions with zeros. */
export class ZeroPad2d extends ConstantPadBase {
  constructor(padding: SizeLike) {
    super(padding, 0, 2)
  }

  override extraRepr(): string {
    return pyRepr(this.padding)
  }
}

/** Pads the last 3 dimensions with `value`. */
export class ConstantPad3d extends ConstantPadBase {
  constructor(padding: SizeLike, value: number) {
    super(padding, value, 3)
  }
}

/** Pads the last 3 dimensions with zeros. */
export class ZeroPad3d extends ConstantPadBase {
  constructor(padding: SizeLike) {
    super(padding, 0, 3)
  }

  override extraRepr(): string {
    return pyRepr(this.padding)
  }
}

/** Pads the last dimension with its mirror image, the border not repeated. */
export class ReflectionPad1d extends PadBase {
  constructor(padding: SizeLike) {
    super(padding, 1)
  }

  override forward(input: Tensor): Tensor {
    return F.pad(input, this.padding, { mode: 'reflect' })
  }
}

/** Pads the last 2 dimensions with its mirror image, the border not repeated. */
export class ReflectionPad2d extends PadBase {
  constructor(padding: SizeLike) {
    super(padding, 2)
  }

  override forward(input: Tensor): Tensor {
    return F.pad(input, this.padding, { mode: 'reflect' })
  }
}

/** Pads the last 3 dimensions with its mirror image, the border not repeated. */
export class ReflectionPad3d extends PadBase {
  constructor(padding: SizeLike) {
    super(padding, 3)
  }

  override forward(input: Tensor): Tensor {
    return F.pad(input, this.padding, { mode: 'reflect' })
  }
}

/** Pads the last dimension by repeating its border. */
export class ReplicationPad1d extends PadBase {
  constructor(padding: SizeLike) {
    super(padding, 1)
  }

  override forward(input: Tensor): Tensor {
    return F.pad(input, this.padding, { mode: 'replicate' })
  }
}

/** Pads the last 2 dimensions by repeating its border. */
export class ReplicationPad2d extends PadBase {
  constructor(padding: SizeLike) {
    super(padding, 2)
  }

  override forward(input: Tensor): Tensor {
    return F.pad(input, this.padding, { mode: 'replicate' })
  }
}

/** Pads the last 3 dimensions by repeating its border. */
export class ReplicationPad3d extends PadBase {
  constructor(padding: SizeLike) {
    super(padding, 3)
  }

  override forward(input: Tensor): Tensor {
    return F.pad(input, this.padding, { mode: 'replicate' })
  }
}

/** Pads the last dimension by wrapping around. */
export class CircularPad1d extends PadBase {
  constructor(padding: SizeLike) {
    super(padding, 1)
  }

  override forward(input: Tensor): Tensor {
    return F.pad(input, this.padding, { mode: 'circular' })
  }
}

/** Pads the last 2 dimensions by wrapping around. */
export class CircularPad2d extends PadBase {
  constructor(padding: SizeLike) {
    super(padding, 2)
  }

  override forward(input: Tensor): Tensor {
    return F.pad(input, this.padding, { mode: 'circular' })
  }
}

/** Pads the last 3 dimensions by wrapping around. */
export class CircularPad3d extends PadBase {
  constructor(padding: SizeLike) {
    super(padding, 3)
  }

  override forward(input: Tensor): Tensor {
    return F.pad(input, this.padding, { mode: 'circular' })
  }
}
