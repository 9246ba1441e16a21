// Layers that enlarge images and sequences.

import { pyFloat, pyRepr, Tuple } from '../core/python.ts'
import type { Tensor } from '../tensor/tensor.ts'
import * as F from './functional.ts'
import { Module } from './module.ts'
import { readOptions, type SizeLike } from './options.ts'
import type { keepsChannels } from './sequential-types.ts'
import { pySize } from './text.ts'

/** How values between the input's are found. */
export type UpsampleMode = 'nearest' | 'linear' | 'bilinear' | 'bicubic' | 'trilinear'

/** Options of `nn.Upsample`; either `size` or `scaleFactor` is needed. */
export interface UpsampleOptions {
  /** The size of the result's spatial dimensions. */
  size?: SizeLike | null
  /** How much larger the result is. */
  scaleFactor?: SizeLike | null
  /** Default `'nearest'`. */
  mode?: UpsampleMode
  /** Whether the corners of input and result are the same points. */
  alignCorners?: boolean | null
  recomputeScaleFactor?: boolean | null
}

/** Enlarges `[N, C, ...]` to a size or by a factor. */
export class Upsample extends Module {
  declare readonly [keepsChannels]?: true
  size: SizeLike | null
  scaleFactor: SizeLike | null
  mode: UpsampleMode
  alignCorners: boolean | null
  recomputeScaleFactor: boolean | null

  constructor(size?: SizeLike | null, options?: UpsampleOptions)
  constructor(options?: UpsampleOptions)
  constructor(first?: SizeLike | null | UpsampleOptions, rest?: UpsampleOptions) {
    super()
    const known = ['size', 'scaleFactor', 'mode', 'alignCorners', 'recomputeScaleFactor'] as const
    const options = readOptions<UpsampleOptions>('Upsample', known, first, rest)
    this.size = options.size ?? null
    this.scaleFactor = options.scaleFactor ?? null
    this.mode = options.mode ?? 'nearest'
    this.alignCorners = options.alignCorners ?? null
    this.recomputeScaleFactor = options.recomputeScaleFactor ?? null
  }

  override forward(input: Tensor): Tensor {
    const { size, scaleFactor, mode, alignCorners, recomputeScaleFactor } = this
    return F.interpolate(input, { size, scaleFactor, mode, alignCorners, recomputeScaleFactor })
  }

  override extraRepr(): string {
    const { scaleFactor } = this
    const what =
      scaleFactor === null
        ? `size=${pySize(this.size)}`
        : `scale_factor=${typeof scaleFactor === 'number' ? pyFloat(scaleFactor) : pyRepr(Tuple.of(...scaleFactor.map((f) => new PrintedFloat(f))))}`
    return `${what}, mode=${pyRepr(this.mode)}`
  }
}

/** A number that prints as Python's float. */
class PrintedFloat {
  constructor(private readonly value: number) {}

  repr(): string {
    return pyFloat(this.value)
  }
}

/** Options of the two layers for images. */
export type Upsampling2dOptions = Pick<UpsampleOptions, 'size' | 'scaleFactor'>

/** Upsample of images by the nearest pixel. */
export class UpsamplingNearest2d extends Upsample {
  constructor(size?: SizeLike | null, options?: Upsampling2dOptions)
  constructor(options?: Upsampling2dOptions)
  constructor(first?: SizeLike | null | Upsampling2dOptions, rest?: Upsampling2dOptions) {
    super({
      ...readOptions<Upsampling2dOptions>('UpsamplingNearest2d', ['size', 'scaleFactor'], first, rest),
      mode: 'nearest',
    })
  }
}

/** Upsample of images by bilinear interpolation with aligned corners. */
export class UpsamplingBilinear2d extends Upsample {
  constructor(size?: SizeLike | null, options?: Upsampling2dOptions)
  constructor(options?: Upsampling2dOptions)
  constructor(first?: SizeLike | null | Upsampling2dOptions, rest?: Upsampling2dOptions) {
    super({
      ...readOptions<Upsampling2dOptions>('UpsamplingBilinear2d', ['size', 'scaleFactor'], first, rest),
      mode: 'bilinear',
      alignCorners: true,
    })
  }
}
