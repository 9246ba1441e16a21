// Transposed convolutions: the gradients of convolutions with respect to their input, as layers.

import { ValueError } from '../core/errors.ts'
import { pyRepr } from '../core/python.ts'
import { isOptions } from '../ops/op.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { ConvNd, type ConvOptions, type ConvSettings, convOptions, convSettings } from './conv.ts'
import * as F from './functional.ts'
import { expandSize, readOptions, type SizeLike } from './options.ts'

/** Options of the transposed convolutions. */
export interface ConvTransposeOptions extends Omit<ConvOptions, 'padding'> {
  padding?: SizeLike
  /** Elements added to one side of each dimension of the result; default 0. */
  outputPadding?: SizeLike
}

/** Options of a call of a transposed convolution. */
export interface ConvTransposeCall {
  /** The size of the result's spatial dimensions, among those that the strides leave open. */
  outputSize?: readonly number[] | null
}

const transposeOptions = [...convOptions, 'outputPadding'] as const

/** The settings of an n-dimensional transposed convolution from its arguments. */
export function transposeSettings(
  layer: string,
  n: number,
  kernelSize: SizeLike,
  first: SizeLike | ConvTransposeOptions | undefined,
  rest: ConvTransposeOptions | undefined,
): ConvSettings {
  const { outputPadding = 0, ...options } = readOptions<ConvTransposeOptions>(
    layer,
    transposeOptions,
    first,
    rest,
  )
  return {
    ...convSettings(layer, n, kernelSize, options, undefined),
    outputPadding: expandSize(outputPadding, n, 'outputPadding'),
  }
}

/** What the transposed convolutions share. */
export abstract class ConvTransposeNd extends ConvNd {
  constructor(inChannels: number, outChannels: number, settings: ConvSettings) {
    super(inChannels, outChannels, true, settings)
    if (settings.paddingMode !== 'zeros')
      throw new ValueError(`Only "zeros" padding mode is supported for ${this.constructor.name}`)
  }

  /** The call's arguments for the functional form. */
  protected settingsFor(input: Tensor, call?: readonly number[] | ConvTransposeCall | null) {
    const outputSize = isOptions(call)
      ? (call as ConvTransposeCall).outputSize
      : (call as readonly number[] | null | undefined)
    const { bias, stride, dilation, groups } = this
    const padding = this.padding as number[]
    return {
      bias,
      stride,
      padding,
      outputPadding: this.outputPaddingFor(input, outputSize),
      groups,
      dilation,
    }
  }

  private outputPaddingFor(input: Tensor, outputSize: readonly number[] | null | undefined): number[] {
    if (outputSize === null || outputSize === undefined) return this.outputPadding
    const n = this.kernelSize.length
    const batched = input.ndim === n + 2
    const wanted =
      outputSize.length === n + (batched ? 2 : 1) ? outputSize.slice(batched ? 2 : 1) : outputSize
    if (wanted.length !== n)
      throw new ValueError(
        `ConvTranspose${n}D: for ${input.ndim}D input, output_size must have ${n} or ${n + (batched ? 2 : 1)} elements (got ${outputSize.length})`,
      )
    const padding = this.padding as number[]
    const smallest = wanted.map(
      (_, d) =>
        (input.sizes[d + (batched ? 2 : 1)] - 1) * this.stride[d] -
        2 * padding[d] +
        this.dilation[d] * (this.kernelSize[d] - 1) +
        1,
    )
    const largest = smallest.map((size, d) => size + this.stride[d] - 1)
    if (wanted.some((size, d) => size < smallest[d] || size > largest[d]))
      throw new ValueError(
        `requested an output size of ${pyRepr([...wanted])}, but valid sizes range from ${pyRepr(smallest)} to ${pyRepr(largest)} (for an input of ${input.shape})`,
      )
    return wanted.map((size, d) => size - smallest[d])
  }
}

/** A transposed convolution over one dimension: `[N, inChannels, L]` or without N. */
export class ConvTranspose1d<
  In extends number = number,
  Out extends number = number,
> extends ConvTransposeNd {
  constructor(
    inChannels: In,
    outChannels: Out,
    kernelSize: SizeLike,
    stride?: SizeLike,
    options?: ConvTransposeOptions,
  )
  constructor(inChannels: In, outChannels: Out, kernelSize: SizeLike, options?: ConvTransposeOptions)
  constructor(
    inChannels: In,
    outChannels: Out,
    kernelSize: SizeLike,
    first?: SizeLike | ConvTransposeOptions,
    rest?: ConvTransposeOptions,
  ) {
    super(inChannels, outChannels, transposeSettings('ConvTranspose1d', 1, kernelSize, first, rest))
  }

  override forward(input: Tensor, call?: readonly number[] | ConvTransposeCall | null): Tensor {
    return F.convTranspose1d(input, this.weight, this.settingsFor(input, call))
  }
}

/** A transposed convolution over two dimensions: `[N, inChannels, H, W]` or without N. */
export class ConvTranspose2d<
  In extends number = number,
  Out extends number = number,
> extends ConvTransposeNd {
  constructor(
    inChannels: In,
    outChannels: Out,
    kernelSize: SizeLike,
    stride?: SizeLike,
    options?: ConvTransposeOptions,
  )
  constructor(inChannels: In, outChannels: Out, kernelSize: SizeLike, options?: ConvTransposeOptions)
  constructor(
    inChannels: In,
    outChannels: Out,
    kernelSize: SizeLike,
    first?: SizeLike | ConvTransposeOptions,
    rest?: ConvTransposeOptions,
  ) {
    super(inChannels, outChannels, transposeSettings('ConvTranspose2d', 2, kernelSize, first, rest))
  }

  override forward(input: Tensor, call?: readonly number[] | ConvTransposeCall | null): Tensor {
    return F.convTranspose2d(input, this.weight, this.settingsFor(input, call))
  }
}

/** A transposed convolution over three dimensions: `[N, inChannels, D, H, W]` or without N. */
export class ConvTranspose3d<
  In extends number = number,
  Out extends number = number,
> extends ConvTransposeNd {
  constructor(
    inChannels: In,
    outChannels: Out,
    kernelSize: SizeLike,
    stride?: SizeLike,
    options?: ConvTransposeOptions,
  )
  constructor(inChannels: In, outChannels: Out, kernelSize: SizeLike, options?: ConvTransposeOptions)
  constructor(
    inChannels: In,
    outChannels: Out,
    kernelSize: SizeLike,
    first?: SizeLike | ConvTransposeOptions,
    rest?: ConvTransposeOptions,
  ) {
    super(inChannels, outChannels, transposeSettings('ConvTranspose3d', 3, kernelSize, first, rest))
  }

  override forward(input: Tensor, call?: readonly number[] | ConvTransposeCall | null): Tensor {
    return F.convTranspose3d(input, this.weight, this.settingsFor(input, call))
  }
}
