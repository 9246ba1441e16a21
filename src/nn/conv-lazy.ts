// Convolutions that take their number of input channels from the first input.

import { RuntimeError, ValueError } from '../core/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { Conv1d, Conv2d, Conv3d, type ConvNd, type ConvOptions, convOptions } from './conv.ts'
import {
  ConvTranspose1d,
  ConvTranspose2d,
  ConvTranspose3d,
  type ConvTransposeOptions,
} from './conv-transpose.ts'
import { hasUninitializedParams, type LazyModule, makeLazy, materializeWeights } from './lazy.ts'
import { readOptions, type SizeLike } from './options.ts'
import { nameOf } from './registry.ts'
import { UninitializedParameter } from './uninitialized.ts'

const lazyTransposeOptions = [...convOptions, 'outputPadding'] as const

/** Makes a convolution built with no channels lazy, with this many output channels. */
function finish(
  layer: ConvNd & LazyModule,
  outChannels: number,
  options: ConvOptions | ConvTransposeOptions,
  usual: { readonly prototype: object },
): void {
  const { bias = true, device, dtype } = options
  layer.weight = new UninitializedParameter({ device, dtype })
  layer.outChannels = outChannels
  if (bias) layer.bias = new UninitializedParameter({ device, dtype })
  makeLazy(layer, usual)
}

function initialize(layer: ConvNd, input: Tensor): void {
  if (!hasUninitializedParams(layer)) return
  const unbatched = layer.kernelSize.length + 1
  if (input.ndim !== unbatched && input.ndim !== unbatched + 1)
    throw new RuntimeError(
      `Expected ${unbatched}D (unbatched) or ${unbatched + 1}D (batched) input to ${nameOf(layer)}, but got input of size: ${input.shape}`,
    )
  layer.inChannels = input.sizes[input.ndim - unbatched]
  if (layer.inChannels % layer.groups !== 0) throw new ValueError('in_channels must be divisible by groups')
  materializeWeights(layer, layer.weightSizes(), [layer.outChannels])
  layer.resetParameters()
}

/** A Conv1d that takes `inChannels` from its first input; then it is a `Conv1d`. */
export class LazyConv1d<Out extends number = number> extends Conv1d<number, Out> {
  constructor(outChannels: Out, kernelSize: SizeLike, stride?: SizeLike, options?: ConvOptions)
  constructor(outChannels: Out, kernelSize: SizeLike, options?: ConvOptions)
  constructor(outChannels: Out, kernelSize: SizeLike, first?: SizeLike | ConvOptions, rest?: ConvOptions) {
    const options = readOptions<ConvOptions>('LazyConv1d', convOptions, first, rest)
    super(0, 0 as Out, kernelSize, { ...options, bias: false })
    finish(this, outChannels, options, Conv1d)
  }

  override resetParameters(): void {
    if (!hasUninitializedParams(this) && this.inChannels !== 0) super.resetParameters()
  }

  initializeParameters(input: Tensor): void {
    initialize(this, input)
  }
}

/** A Conv2d that takes `inChannels` from its first input; then it is a `Conv2d`. */
export class LazyConv2d<Out extends number = number> extends Conv2d<number, Out> {
  constructor(outChannels: Out, kernelSize: SizeLike, stride?: SizeLike, options?: ConvOptions)
  constructor(outChannels: Out, kernelSize: SizeLike, options?: ConvOptions)
  constructor(outChannels: Out, kernelSize: SizeLike, first?: SizeLike | ConvOptions, rest?: ConvOptions) {
    const options = readOptions<ConvOptions>('LazyConv2d', convOptions, first, rest)
    super(0, 0 as Out, kernelSize, { ...options, bias: false })
    finish(this, outChannels, options, Conv2d)
  }

  override resetParameters(): void {
    if (!hasUninitializedParams(this) && this.inChannels !== 0) super.resetParameters()
  }

  initializeParameters(input: Tensor): void {
    initialize(this, input)
  }
}

/** A Conv3d that takes `inChannels` from its first input; then it is a `Conv3d`. */
export class LazyConv3d<Out extends number = number> extends Conv3d<number, Out> {
  constructor(outChannels: Out, kernelSize: SizeLike, stride?: SizeLike, options?: ConvOptions)
  constructor(outChannels: Out, kernelSize: SizeLike, options?: ConvOptions)
  constructor(outChannels: Out, kernelSize: SizeLike, first?: SizeLike | ConvOptions, rest?: ConvOptions) {
    const options = readOptions<ConvOptions>('LazyConv3d', convOptions, first, rest)
    super(0, 0 as Out, kernelSize, { ...options, bias: false })
    finish(this, outChannels, options, Conv3d)
  }

  override resetParameters(): void {
    if (!hasUninitializedParams(this) && this.inChannels !== 0) super.resetParameters()
  }

  initializeParameters(input: Tensor): void {
    initialize(this, input)
  }
}

/** A ConvTranspose1d that takes `inChannels` from its first input; then it is a `ConvTranspose1d`. */
export class LazyConvTranspose1d<Out extends number = number> extends ConvTranspose1d<number, Out> {
  constructor(outChannels: Out, kernelSize: SizeLike, stride?: SizeLike, options?: ConvTransposeOptions)
  constructor(outChannels: Out, kernelSize: SizeLike, options?: ConvTransposeOptions)
  constructor(
    outChannels: Out,
    kernelSize: SizeLike,
    first?: SizeLike | ConvTransposeOptions,
    rest?: ConvTransposeOptions,
  ) {
    const options = readOptions<ConvTransposeOptions>(
      'LazyConvTranspose1d',
      lazyTransposeOptions,
      first,
      rest,
    )
    super(0, 0 as Out, kernelSize, { ...options, bias: false })
    finish(this, outChannels, options, ConvTranspose1d)
  }

  override resetParameters(): void {
    if (!hasUninitializedParams(this) && this.inChannels !== 0) super.resetParameters()
  }

  initializeParameters(input: Tensor): void {
    initialize(this, input)
  }
}

/** A ConvTranspose2d that takes `inChannels` from its first input; then it is a `ConvTranspose2d`. */
export class LazyConvTranspose2d<Out extends number = number> extends ConvTranspose2d<number, Out> {
  constructor(outChannels: Out, kernelSize: SizeLike, stride?: SizeLike, options?: ConvTransposeOptions)
  constructor(outChannels: Out, kernelSize: SizeLike, options?: ConvTransposeOptions)
  constructor(
    outChannels: Out,
    kernelSize: SizeLike,
    first?: SizeLike | ConvTransposeOptions,
    rest?: ConvTransposeOptions,
  ) {
    const options = readOptions<ConvTransposeOptions>(
      'LazyConvTranspose2d',
      lazyTransposeOptions,
      first,
      rest,
    )
    super(0, 0 as Out, kernelSize, { ...options, bias: false })
    finish(this, outChannels, options, ConvTranspose2d)
  }

  override resetParameters(): void {
    if (!hasUninitializedParams(this) && this.inChannels !== 0) super.resetParameters()
  }

  initializeParameters(input: Tensor): void {
    initialize(this, input)
  }
}

/** A ConvTranspose3d that takes `inChannels` from its first input; then it is a `ConvTranspose3d`. */
export class LazyConvTranspose3d<Out extends number = number> extends ConvTranspose3d<number, Out> {
  constructor(outChannels: Out, kernelSize: SizeLike, stride?: SizeLike, options?: ConvTransposeOptions)
  constructor(outChannels: Out, kernelSize: SizeLike, options?: ConvTransposeOptions)
  constructor(
    outChannels: Out,
    kernelSize: SizeLike,
    first?: SizeLike | ConvTransposeOptions,
    rest?: ConvTransposeOptions,
  ) {
    const options = readOptions<ConvTransposeOptions>(
      'LazyConvTranspose3d',
      lazyTransposeOptions,
      first,
      rest,
    )
    super(0, 0 as Out, kernelSize, { ...options, bias: false })
    finish(this, outChannels, options, ConvTranspose3d)
  }

  override resetParameters(): void {
    if (!hasUninitializedParams(this) && this.inChannels !== 0) super.resetParameters()
  }

  initializeParameters(input: Tensor): void {
    initialize(this, input)
  }
}
