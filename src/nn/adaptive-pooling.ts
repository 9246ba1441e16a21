// Pooling layers whose result has a given size: adaptive and fractional ones.

import { ValueError } from '../core/errors.ts'
import { pyRepr } from '../core/python.ts'
import type { Tensor } from '../tensor/tensor.ts'
import * as F from './functional.ts'
import { Module } from './module.ts'
import { expandSize, readOptions, type SizeLike } from './options.ts'
import type { keepsChannels } from './sequential-types.ts'
import { pySize } from './text.ts'

/** A size of which some numbers may be null: as in the input. */
export type OutputSize = number | null | readonly (number | null)[]

/** What the adaptive pooling layers have in common. */
export abstract class AdaptivePoolBase extends Module {
  declare readonly [keepsChannels]?: true
  outputSize: OutputSize

  constructor(outputSize: OutputSize) {
    super()
    this.outputSize = outputSize
  }

  override extraRepr(): string {
    return `output_size=${pySize(this.outputSize)}`
  }

  abstract override forward(input: Tensor): Tensor
}

/** Options of the adaptive max pooling layers. */
export interface AdaptiveMaxPoolOptions {
  /** Whether the call gives `[output, indices]`; default false. */
  returnIndices?: boolean
}

/** The means of windows of `[N, C, L]` (or without N), as many as `outputSize` says. */
export class AdaptiveAvgPool1d extends AdaptivePoolBase {
  override forward(input: Tensor): Tensor {
    return F.adaptiveAvgPool1d(input, this.outputSize)
  }
}

/** The largest values of windows of `[N, C, L]` (or without N), as many as `outputSize` says. */
export class AdaptiveMaxPool1d extends AdaptivePoolBase {
  returnIndices: boolean

  constructor(outputSize: OutputSize, options: AdaptiveMaxPoolOptions = {}) {
    super(outputSize)
    const known = ['returnIndices'] as const
    this.returnIndices =
      readOptions<AdaptiveMaxPoolOptions>('AdaptiveMaxPool1d', known, undefined, options).returnIndices ??
      false
  }

  override forward(input: Tensor): Tensor {
    return F.adaptiveMaxPool1d(input, this.outputSize, { returnIndices: this.returnIndices }) as Tensor
  }
}

/** The means of windows of `[N, C, H, W]` (or without N), as many as `outputSize` says. */
export class AdaptiveAvgPool2d extends AdaptivePoolBase {
  override forward(input: Tensor): Tensor {
    return F.adaptiveAvgPool2d(input, this.outputSize)
  }
}

/** The largest values of windows of `[N, C, H, W]` (or without N), as many as `outputSize` says. */
export class AdaptiveMaxPool2d extends AdaptivePoolBase {
  returnIndices: boolean

  constructor(outputSize: OutputSize, options: AdaptiveMaxPoolOptions = {}) {
    super(outputSize)
    const known = ['returnIndices'] as const
    this.returnIndices =
      readOptions<AdaptiveMaxPoolOptions>('AdaptiveMaxPool2d', known, undefined, options).returnIndices ??
      false
  }

  override forward(input: Tensor): Tensor {
    return F.adaptiveMaxPool2d(input, this.outputSize, { returnIndices: this.returnIndices }) as Tensor
  }
}

/** The means of windows of `[N, C, D, H, W]` (or without N), as many as `outputSize` says. */
export class AdaptiveAvgPool3d extends AdaptivePoolBase {
  override forward(input: Tensor): Tensor {
    return F.adaptiveAvgPool3d(input, this.outputSize)
  }
}

/** The largest values of windows of `[N, C, D, H, W]` (or without N), as many as `outputSize` says. */
export class AdaptiveMaxPool3d extends AdaptivePoolBase {
  returnIndices: boolean

  constructor(outputSize: OutputSize, options: AdaptiveMaxPoolOptions = {}) {
    super(outputSize)
    const known = ['returnIndices'] as const
    this.returnIndices =
      readOptions<AdaptiveMaxPoolOptions>('AdaptiveMaxPool3d', known, undefined, options).returnIndices ??
      false
  }

  override forward(input: Tensor): Tensor {
    return F.adaptiveMaxPool3d(input, this.outputSize, { returnIndices: this.returnIndices }) as Tensor
  }
}

/** Options of the fractional max pooling layers; either `outputSize` or `outputRatio` is needed. */
export interface FractionalMaxPoolOptions {
  outputSize?: SizeLike | null
  /** The size of the result as fractions of the input's. */
  outputRatio?: SizeLike | null
  returnIndices?: boolean
  /** The random numbers that place the windows, instead of drawn ones. */
  _randomSamples?: Tensor | null
}

/** What the fractional max pooling layers have in common. */
export abstract class FractionalMaxPoolBase extends Module {
  declare readonly [keepsChannels]?: true
  kernelSize: number[]
  returnIndices: boolean
  _random_samples: Tensor | null
  outputSize: number[] | null
  outputRatio: number[] | null

  constructor(
    dimensions: number,
    kernelSize: SizeLike,
    first: SizeLike | null | FractionalMaxPoolOptions | undefined,
    rest?: FractionalMaxPoolOptions,
  ) {
    super()
    const name = new.target.name
    const known = ['outputSize', 'outputRatio', 'returnIndices', '_randomSamples'] as const
    const {
      outputSize,
      outputRatio,
      returnIndices = false,
      _randomSamples = null,
    } = readOptions<FractionalMaxPoolOptions>(name, known, first, rest)
    this.kernelSize = expandSize(kernelSize, dimensions, 'kernelSize')
    if (this.kernelSize.some((k) => k <= 0))
      throw new ValueError(`kernel_size must be greater than 0, but got ${pySize(kernelSize)}`)
    this.returnIndices = returnIndices
    this._random_samples = _randomSamples
    this.registerBuffer('_random_samples', _randomSamples)
    this.outputSize = outputSize == null ? null : expandSize(outputSize, dimensions, 'outputSize')
    this.outputRatio = outputRatio == null ? null : expandSize(outputRatio, dimensions, 'outputRatio')
    if (this.outputSize === null && this.outputRatio === null)
      throw new ValueError(`${name} requires specifying either an output size, or a pooling ratio`)
    if (this.outputSize !== null && this.outputRatio !== null)
      throw new ValueError('only one of output_size and output_ratio may be specified')
    if (this.outputRatio?.some((ratio) => !(ratio > 0 && ratio < 1)))
      throw new ValueError(`output_ratio must be between 0 and 1 (got ${pyRepr(outputRatio)})`)
  }

  protected get settings() {
    const { outputSize, outputRatio, returnIndices, _random_samples: _randomSamples } = this
    return { outputSize, outputRatio, returnIndices, _randomSamples }
  }
}

/** The largest values of windows at random places of `[N, C, H, W]` (or without N). Graham 2014. */
export class FractionalMaxPool2d extends FractionalMaxPoolBase {
  constructor(kernelSize: SizeLike, outputSize?: SizeLike | null, options?: FractionalMaxPoolOptions)
  constructor(kernelSize: SizeLike, options?: FractionalMaxPoolOptions)
  constructor(
    kernelSize: SizeLike,
    first?: SizeLike | null | FractionalMaxPoolOptions,
    rest?: FractionalMaxPoolOptions,
  ) {
    super(2, kernelSize, first, rest)
  }

  override forward(input: Tensor): Tensor {
    return F.fractionalMaxPool2d(input, this.kernelSize, this.settings) as Tensor
  }
}

/** The largest values of windows at random places of `[N, C, D, H, W]` (or without N). Graham 2014. */
export class FractionalMaxPool3d extends FractionalMaxPoolBase {
  constructor(kernelSize: SizeLike, outputSize?: SizeLike | null, options?: FractionalMaxPoolOptions)
  constructor(kernelSize: SizeLike, options?: FractionalMaxPoolOptions)
  constructor(
    kernelSize: SizeLike,
    first?: SizeLike | null | FractionalMaxPoolOptions,
    rest?: FractionalMaxPoolOptions,
  ) {
    super(3, kernelSize, first, rest)
  }

  override forward(input: Tensor): Tensor {
    return F.fractionalMaxPool3d(input, this.kernelSize, this.settings) as Tensor
  }
}
