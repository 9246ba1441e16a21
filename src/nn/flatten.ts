// Layers that only rearrange: Flatten, Unflatten, PixelShuffle, PixelUnshuffle, ChannelShuffle, Fold, Unfold.

import { TypeError_ } from '../core/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import * as F from './functional.ts'
import { Module } from './module.ts'
import { readOptions, type SizeLike } from './options.ts'
import { typeName } from './registry.ts'
import { pySize } from './text.ts'

/** Options of `nn.Flatten`. */
export interface FlattenOptions {
  /** The first dimension that is joined; default 1. */
  startDim?: number
  /** The last one; default -1. */
  endDim?: number
}

/** Joins a range of dimensions into one: `[N, C, H, W]` to `[N, C * H * W]`. */
export class Flatten extends Module {
  startDim: number
  endDim: number

  constructor(startDim?: number, options?: FlattenOptions)
  constructor(options?: FlattenOptions)
  constructor(first?: number | FlattenOptions, rest?: FlattenOptions) {
    super()
    const options = readOptions<FlattenOptions>('Flatten', ['startDim', 'endDim'], first, rest)
    this.startDim = options.startDim ?? 1
    this.endDim = options.endDim ?? -1
  }

  override forward(input: Tensor): Tensor {
    return input.flatten(this.startDim, this.endDim)
  }

  override extraRepr(): string {
    return `start_dim=${this.startDim}, end_dim=${this.endDim}`
  }
}

/** Splits one dimension into several. */
export class Unflatten extends Module {
  dim: number
  unflattenedSize: readonly number[]

  constructor(dim: number, unflattenedSize: readonly number[]) {
    super()
    if (!Array.isArray(unflattenedSize))
      throw new TypeError_(
        `unflattened_size must be a tuple of ints, but found type ${typeName(unflattenedSize)}`,
      )
    unflattenedSize.forEach((size, i) => {
      if (!Number.isInteger(size))
        throw new TypeError_(
          `unflattened_size must be tuple of ints, but found element of type ${typeName(size)} at pos ${i}`,
        )
    })
    this.dim = dim
    this.unflattenedSize = unflattenedSize
  }

  override forward(input: Tensor): Tensor {
    return input.unflatten(this.dim, this.unflattenedSize)
  }

  override extraRepr(): string {
    return `dim=${this.dim}, unflattened_size=${pySize(this.unflattenedSize)}`
  }
}

/** Rearranges `[*, C * r², H, W]` to `[*, C, H * r, W * r]`. Shi et al. 2016. */
export class PixelShuffle extends Module {
  upscaleFactor: number

  constructor(upscaleFactor: number) {
    super()
    this.upscaleFactor = upscaleFactor
  }

  override forward(input: Tensor): Tensor {
    return F.pixelShuffle(input, this.upscaleFactor)
  }

  override extraRepr(): string {
    return `upscale_factor=${this.upscaleFactor}`
  }
}

/** The inverse of PixelShuffle. */
export class PixelUnshuffle extends Module {
  downscaleFactor: number

  constructor(downscaleFactor: number) {
    super()
    this.downscaleFactor = downscaleFactor
  }

  override forward(input: Tensor): Tensor {
    return F.pixelUnshuffle(input, this.downscaleFactor)
  }

  override extraRepr(): string {
    return `downscale_factor=${this.downscaleFactor}`
  }
}

/** Interleaves the channels of `groups` groups. */
export class ChannelShuffle extends Module {
  groups: number

  constructor(groups: number) {
    super()
    this.groups = groups
  }

  override forward(input: Tensor): Tensor {
    return F.channelShuffle(input, this.groups)
  }

  override extraRepr(): string {
    return `groups=${this.groups}`
  }
}

/** Options of `nn.Fold` and `nn.Unfold`. */
export interface FoldOptions {
  dilation?: SizeLike
  padding?: SizeLike
  stride?: SizeLike
}

const foldOptions = ['dilation', 'padding', 'stride'] as const

/** Puts sliding blocks `[N, C * kernel, L]` back into images `[N, C, *outputSize]`, summing where they overlap. */
export class Fold extends Module {
  outputSize: SizeLike
  kernelSize: SizeLike
  dilation: SizeLike
  padding: SizeLike
  stride: SizeLike

  constructor(outputSize: SizeLike, kernelSize: SizeLike, dilation?: SizeLike, options?: FoldOptions)
  constructor(outputSize: SizeLike, kernelSize: SizeLike, options?: FoldOptions)
  constructor(
    outputSize: SizeLike,
    kernelSize: SizeLike,
    first?: SizeLike | FoldOptions,
    rest?: FoldOptions,
  ) {
    super()
    const options = readOptions<FoldOptions>('Fold', foldOptions, first, rest)
    this.outputSize = outputSize
    this.kernelSize = kernelSize
    this.dilation = options.dilation ?? 1
    this.padding = options.padding ?? 0
    this.stride = options.stride ?? 1
  }

  override forward(input: Tensor): Tensor {
    const { dilation, padding, stride } = this
    return F.fold(input, this.outputSize, this.kernelSize, { dilation, padding, stride })
  }

  override extraRepr(): string {
    return `output_size=${pySize(this.outputSize)}, kernel_size=${pySize(this.kernelSize)}, dilation=${pySize(this.dilation)}, padding=${pySize(this.padding)}, stride=${pySize(this.stride)}`
  }
}

/** Extracts sliding blocks: `[N, C, *]` to `[N, C * kernel, L]`. */
export class Unfold extends Module {
  kernelSize: SizeLike
  dilation: SizeLike
  padding: SizeLike
  stride: SizeLike

  constructor(kernelSize: SizeLike, dilation?: SizeLike, options?: FoldOptions)
  constructor(kernelSize: SizeLike, options?: FoldOptions)
  constructor(kernelSize: SizeLike, first?: SizeLike | FoldOptions, rest?: FoldOptions) {
    super()
    const options = readOptions<FoldOptions>('Unfold', foldOptions, first, rest)
    this.kernelSize = kernelSize
    this.dilation = options.dilation ?? 1
    this.padding = options.padding ?? 0
    this.stride = options.stride ?? 1
  }

  override forward(input: Tensor): Tensor {
    const { dilation, padding, stride } = this
    return F.unfold(input, this.kernelSize, { dilation, padding, stride })
  }

  override extraRepr(): string {
    return `kernel_size=${pySize(this.kernelSize)}, dilation=${pySize(this.dilation)}, padding=${pySize(this.padding)}, stride=${pySize(this.stride)}`
  }
}
