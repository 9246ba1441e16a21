// Pooling layers. Those whose result has a size of one's own (adaptive, fractional) are in adaptive-pooling.ts.

import { pyFloat } from '../core/python.ts'
import type { Tensor } from '../tensor/tensor.ts'
import * as F from './functional.ts'
import { Module } from './module.ts'
import { expandSize, readOptions, type SizeLike } from './options.ts'
import type { keepsChannels } from './sequential-types.ts'
import { pyBool, pySize } from './text.ts'

/** Options of the max pooling layers. */
export interface MaxPoolOptions {
  /** Steps of the window; default its size. */
  stride?: SizeLike | null
  /** Elements of -infinity added on both sides; default 0. */
  padding?: SizeLike
  /** Steps between the elements of the window; default 1. */
  dilation?: SizeLike
  /** Whether the call gives `[output, indices]`, for MaxUnpool; default false. */
  returnIndices?: boolean
  /** Whether windows that reach over the end count; default false. */
  ceilMode?: boolean
}

/** What the max pooling layers have in common. */
export abstract class MaxPoolBase extends Module {
  declare readonly [keepsChannels]?: true
  kernelSize: SizeLike
  stride: SizeLike
  padding: SizeLike
  dilation: SizeLike
  returnIndices: boolean
  ceilMode: boolean

  constructor(kernelSize: SizeLike, stride?: SizeLike | null, options?: MaxPoolOptions)
  constructor(kernelSize: SizeLike, options?: MaxPoolOptions)
  constructor(kernelSize: SizeLike, first?: SizeLike | null | MaxPoolOptions, rest?: MaxPoolOptions) {
    super()
    const known = ['stride', 'padding', 'dilation', 'returnIndices', 'ceilMode'] as const
    const options = readOptions<MaxPoolOptions>(new.target.name, known, first, rest)
    this.kernelSize = kernelSize
    this.stride = options.stride ?? kernelSize
    this.padding = options.padding ?? 0
    this.dilation = options.dilation ?? 1
    this.returnIndices = options.returnIndices ?? false
    this.ceilMode = options.ceilMode ?? false
  }

  protected get settings() {
    const { stride, padding, dilation, returnIndices, ceilMode } = this
    return { stride, padding, dilation, returnIndices, ceilMode }
  }

  override extraRepr(): string {
    return `kernel_size=${pySize(this.kernelSize)}, stride=${pySize(this.stride)}, padding=${pySize(this.padding)}, dilation=${pySize(this.dilation)}, ceil_mode=${pyBool(this.ceilMode)}`
  }

  abstract override forward(input: Tensor): Tensor
}

/** The largest value of each window of `[N, C, L]` (or without N). */
export class MaxPool1d extends MaxPoolBase {
  override forward(input: Tensor): Tensor {
    return F.maxPool1d(input, this.kernelSize, this.settings) as Tensor
  }
}

/** The largest value of each window of `[N, C, H, W]` (or without N). */
export class MaxPool2d extends MaxPoolBase {
  override forward(input: Tensor): Tensor {
    return F.maxPool2d(input, this.kernelSize, this.settings) as Tensor
  }
}

/** The largest value of each window of `[N, C, D, H, W]` (or without N). */
export class MaxPool3d extends MaxPoolBase {
  override forward(input: Tensor): Tensor {
    return F.maxPool3d(input, this.kernelSize, this.settings) as Tensor
  }
}

/** Options of the unpooling layers. */
export interface MaxUnpoolOptions {
  stride?: SizeLike | null
  padding?: SizeLike
}

/** Options of a call of an unpooling layer. */
export interface MaxUnpoolCall {
  /** The size of the result, where the window's leaves several open. */
  outputSize?: readonly number[] | null
}

/** What the unpooling layers have in common. */
export abstract class MaxUnpoolBase extends Module {
  declare readonly [keepsChannels]?: true
  kernelSize: number[]
  stride: number[]
  padding: number[]

  constructor(
    dimensions: number,
    kernelSize: SizeLike,
    first: SizeLike | null | MaxUnpoolOptions | undefined,
    rest?: MaxUnpoolOptions,
  ) {
    super()
    const options = readOptions<MaxUnpoolOptions>(new.target.name, ['stride', 'padding'], first, rest)
    this.kernelSize = expandSize(kernelSize, dimensions, 'kernelSize')
    this.stride = expandSize(options.stride ?? kernelSize, dimensions, 'stride')
    this.padding = expandSize(options.padding ?? 0, dimensions, 'padding')
  }

  protected settings(outputSize: readonly number[] | null | MaxUnpoolCall | undefined) {
    const call = readOptions<MaxUnpoolCall>(this.constructor.name, ['outputSize'], outputSize)
    return { stride: this.stride, padding: this.padding, outputSize: call.outputSize }
  }

  override extraRepr(): string {
    return `kernel_size=${pySize(this.kernelSize)}, stride=${pySize(this.stride)}, padding=${pySize(this.padding)}`
  }
}

/** Puts the results of a MaxPool1d back where they came from, zeros elsewhere. */
export class MaxUnpool1d extends MaxUnpoolBase {
  constructor(kernelSize: SizeLike, stride?: SizeLike | null, options?: MaxUnpoolOptions)
  constructor(kernelSize: SizeLike, options?: MaxUnpoolOptions)
  constructor(kernelSize: SizeLike, first?: SizeLike | null | MaxUnpoolOptions, rest?: MaxUnpoolOptions) {
    super(1, kernelSize, first, rest)
  }

  override forward(
    input: Tensor,
    indices: Tensor,
    outputSize?: readonly number[] | null | MaxUnpoolCall,
  ): Tensor {
    return F.maxUnpool1d(input, indices, this.kernelSize, this.settings(outputSize))
  }
}

/** Puts the results of a MaxPool2d back where they came from, zeros elsewhere. */
export class MaxUnpool2d extends MaxUnpoolBase {
  constructor(kernelSize: SizeLike, stride?: SizeLike | null, options?: MaxUnpoolOptions)
  constructor(kernelSize: SizeLike, options?: MaxUnpoolOptions)
  constructor(kernelSize: SizeLike, first?: SizeLike | null | MaxUnpoolOptions, rest?: MaxUnpoolOptions) {
    super(2, kernelSize, first, rest)
  }

  override forward(
    input: Tensor,
    indices: Tensor,
    outputSize?: readonly number[] | null | MaxUnpoolCall,
  ): Tensor {
    return F.maxUnpool2d(input, indices, this.kernelSize, this.settings(outputSize))
  }
}

/** Puts the results of a MaxPool3d back where they came from, zeros elsewhere. */
export class MaxUnpool3d extends MaxUnpoolBase {
  constructor(kernelSize: SizeLike, stride?: SizeLike | null, options?: MaxUnpoolOptions)
  constructor(kernelSize: SizeLike, options?: MaxUnpoolOptions)
  constructor(kernelSize: SizeLike, first?: SizeLike | null | MaxUnpoolOptions, rest?: MaxUnpoolOptions) {
    super(3, kernelSize, first, rest)
  }

  override forward(
    input: Tensor,
    indices: Tensor,
    outputSize?: readonly number[] | null | MaxUnpoolCall,
  ): Tensor {
    return F.maxUnpool3d(input, indices, this.kernelSize, this.settings(outputSize))
  }
}

/** Options of the average pooling layers. */
export interface AvgPoolOptions {
  /** Steps of the window; default its size. */
  stride?: SizeLike | null
  /** Zeros added on both sides; default 0. */
  padding?: SizeLike
  ceilMode?: boolean
  /** Whether the zeros of the padding count; default true. */
  countIncludePad?: boolean
}

/** Options of `nn.AvgPool2d` and `nn.AvgPool3d`. */
export interface AvgPoolNdOptions extends AvgPoolOptions {
  /** What the sums are divided by instead of the window's size. */
  divisorOverride?: number | null
}

/** What the average pooling layers have in common. */
export abstract class AvgPoolBase extends Module {
  declare readonly [keepsChannels]?: true
  kernelSize: SizeLike
  stride: SizeLike
  padding: SizeLike
  ceilMode: boolean
  countIncludePad: boolean

  constructor(kernelSize: SizeLike, options: AvgPoolOptions) {
    super()
    this.kernelSize = kernelSize
    this.stride = options.stride ?? kernelSize
    this.padding = options.padding ?? 0
    this.ceilMode = options.ceilMode ?? false
    this.countIncludePad = options.countIncludePad ?? true
  }

  override extraRepr(): string {
    return `kernel_size=${pySize(this.kernelSize)}, stride=${pySize(this.stride)}, padding=${pySize(this.padding)}`
  }

  abstract override forward(input: Tensor): Tensor
}

const avgPoolOptions = ['stride', 'padding', 'ceilMode', 'countIncludePad'] as const

/** The mean of each window of `[N, C, L]` (or without N). */
export class AvgPool1d extends AvgPoolBase {
  constructor(kernelSize: SizeLike, stride?: SizeLike | null, options?: AvgPoolOptions)
  constructor(kernelSize: SizeLike, options?: AvgPoolOptions)
  constructor(kernelSize: SizeLike, first?: SizeLike | null | AvgPoolOptions, rest?: AvgPoolOptions) {
    const { stride, padding, ...options } = readOptions<AvgPoolOptions>(
      'AvgPool1d',
      avgPoolOptions,
      first,
      rest,
    )
    super(expandSize(kernelSize, 1), {
      ...options,
      stride: expandSize(stride ?? kernelSize, 1, 'stride'),
      padding: expandSize(padding ?? 0, 1, 'padding'),
    })
  }

  override forward(input: Tensor): Tensor {
    const { stride, padding, ceilMode, countIncludePad } = this
    return F.avgPool1d(input, this.kernelSize, { stride, padding, ceilMode, countIncludePad })
  }
}

/** The mean of each window of `[N, C, H, W]` (or without N). */
export class AvgPool2d extends AvgPoolBase {
  divisorOverride: number | null

  constructor(kernelSize: SizeLike, stride?: SizeLike | null, options?: AvgPoolNdOptions)
  constructor(kernelSize: SizeLike, options?: AvgPoolNdOptions)
  constructor(kernelSize: SizeLike, first?: SizeLike | null | AvgPoolNdOptions, rest?: AvgPoolNdOptions) {
    const known = [...avgPoolOptions, 'divisorOverride'] as const
    const options = readOptions<AvgPoolNdOptions>('AvgPool2d', known, first, rest)
    super(kernelSize, options)
    this.divisorOverride = options.divisorOverride ?? null
  }

  override forward(input: Tensor): Tensor {
    const { stride, padding, ceilMode, countIncludePad, divisorOverride } = this
    return F.avgPool2d(input, this.kernelSize, {
      stride,
      padding,
      ceilMode,
      countIncludePad,
      divisorOverride,
    })
  }
}

/** The mean of each window of `[N, C, D, H, W]` (or without N). */
export class AvgPool3d extends AvgPoolBase {
  divisorOverride: number | null

  constructor(kernelSize: SizeLike, stride?: SizeLike | null, options?: AvgPoolNdOptions)
  constructor(kernelSize: SizeLike, options?: AvgPoolNdOptions)
  constructor(kernelSize: SizeLike, first?: SizeLike | null | AvgPoolNdOptions, rest?: AvgPoolNdOptions) {
    const known = [...avgPoolOptions, 'divisorOverride'] as const
    const options = readOptions<AvgPoolNdOptions>('AvgPool3d', known, first, rest)
    super(kernelSize, options)
    this.divisorOverride = options.divisorOverride ?? null
  }

  override forward(input: Tensor): Tensor {
    const { stride, padding, ceilMode, countIncludePad, divisorOverride } = this
    return F.avgPool3d(input, this.kernelSize, {
      stride,
      padding,
      ceilMode,
      countIncludePad,
      divisorOverride,
    })
  }
}

/** Options of the power-average pooling layers. */
export interface LPPoolOptions {
  stride?: SizeLike | null
  ceilMode?: boolean
}

/** What the power-average pooling layers have in common. */
export abstract class LPPoolBase extends Module {
  declare readonly [keepsChannels]?: true
  normType: number
  kernelSize: SizeLike
  stride: SizeLike | null
  ceilMode: boolean

  constructor(normType: number, kernelSize: SizeLike, stride?: SizeLike | null, options?: LPPoolOptions)
  constructor(normType: number, kernelSize: SizeLike, options?: LPPoolOptions)
  constructor(
    normType: number,
    kernelSize: SizeLike,
    first?: SizeLike | null | LPPoolOptions,
    rest?: LPPoolOptions,
  ) {
    super()
    const options = readOptions<LPPoolOptions>(new.target.name, ['stride', 'ceilMode'], first, rest)
    this.normType = normType
    this.kernelSize = kernelSize
    this.stride = options.stride ?? null
    this.ceilMode = options.ceilMode ?? false
  }

  override extraRepr(): string {
    return `norm_type=${pyFloat(this.normType)}, kernel_size=${pySize(this.kernelSize)}, stride=${pySize(this.stride)}, ceil_mode=${pyBool(this.ceilMode)}`
  }

  abstract override forward(input: Tensor): Tensor
}

/** The p-th root of the sum of p-th powers of each window of `[N, C, L]`. */
export class LPPool1d extends LPPoolBase {
  override forward(input: Tensor): Tensor {
    return F.lpPool1d(input, this.normType, this.kernelSize, { stride: this.stride, ceilMode: this.ceilMode })
  }
}

/** The p-th root of the sum of p-th powers of each window of `[N, C, H, W]`. */
export class LPPool2d extends LPPoolBase {
  override forward(input: Tensor): Tensor {
    return F.lpPool2d(input, this.normType, this.kernelSize, { stride: this.stride, ceilMode: this.ceilMode })
  }
}

/** The p-th root of the sum of p-th powers of each window of `[N, C, D, H, W]`. */
export class LPPool3d extends LPPoolBase {
  override forward(input: Tensor): Tensor {
    return F.lpPool3d(input, this.normType, this.kernelSize, { stride: this.stride, ceilMode: this.ceilMode })
  }
}
