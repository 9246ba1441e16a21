// Convolution layers: Conv1d, Conv2d, Conv3d. The transposed ones are in conv-transpose.ts, lazy ones in conv-lazy.ts.

import { ValueError } from '../core/errors.ts'
import { pyRepr } from '../core/python.ts'
import type { Tensor } from '../tensor/tensor.ts'
import * as F from './functional.ts'
import * as init from './init.ts'
import { initializeBias } from './linear.ts'
import { Module } from './module.ts'
import {
  emptyParameter,
  expandSize,
  type FactoryOptions,
  factory,
  readOptions,
  repeatEach,
  type SizeLike,
  tuple,
} from './options.ts'
import type { Parameter } from './parameter.ts'

/** What is beyond the border of the input. */
export type PaddingMode = 'zeros' | 'reflect' | 'replicate' | 'circular'

/** Options of the convolution layers. */
export interface ConvOptions extends FactoryOptions {
  /** Steps of the kernel over the input; default 1. */
  stride?: SizeLike
  /** Elements added on both sides of each dimension (default 0), or `'same'` for a result of the input's size. */
  padding?: SizeLike | 'same' | 'valid'
  /** Steps between the elements of the kernel; default 1. */
  dilation?: SizeLike
  /** Into how many groups the channels are divided, each convolved by itself; default 1. */
  groups?: number
  /** Whether a bias is added; default true. */
  bias?: boolean
  paddingMode?: PaddingMode
}

export const convOptions = [
  'stride',
  'padding',
  'dilation',
  'groups',
  'bias',
  'paddingMode',
  'device',
  'dtype',
] as const

/** All of a convolution's settings, sizes expanded to one number a dimension. */
export interface ConvSettings {
  readonly kernelSize: number[]
  readonly stride: number[]
  readonly padding: number[] | 'same' | 'valid'
  readonly dilation: number[]
  readonly outputPadding: number[]
  readonly groups: number
  readonly bias: boolean
  readonly paddingMode: PaddingMode
  readonly where: FactoryOptions
}

const paddingModes = ['zeros', 'reflect', 'replicate', 'circular']

function check(
  { groups, padding, stride, paddingMode }: ConvSettings,
  inChannels: number,
  outChannels: number,
): void {
  if (groups <= 0) throw new ValueError('groups must be a positive integer')
  if (inChannels % groups !== 0) throw new ValueError('in_channels must be divisible by groups')
  if (outChannels % groups !== 0) throw new ValueError('out_channels must be divisible by groups')
  if (typeof padding === 'string') {
    if (padding !== 'same' && padding !== 'valid')
      throw new ValueError(`Invalid padding string ${pyRepr(padding)}, should be one of {'same', 'valid'}`)
    if (padding === 'same' && stride.some((s) => s !== 1))
      throw new ValueError("padding='same' is not supported for strided convolutions")
  }
  if (!paddingModes.includes(paddingMode))
    throw new ValueError(
      `padding_mode must be one of {${paddingModes.map((m) => `'${m}'`).join(', ')}}, but got padding_mode='${paddingMode}'`,
    )
}

/** The amounts for `F.pad`, last dimension first. */
function amountsToPad({ padding, kernelSize, dilation }: ConvSettings): number[] {
  if (Array.isArray(padding)) return repeatEach([...padding].reverse(), 2)
  const amounts = new Array<number>(2 * kernelSize.length).fill(0)
  if (padding === 'same')
    kernelSize.forEach((k, d) => {
      const total = dilation[d] * (k - 1)
      const at = 2 * (kernelSize.length - 1 - d)
      amounts[at] = Math.floor(total / 2)
      amounts[at + 1] = total - amounts[at]
    })
  return tuple(amounts)
}

/** What all convolutions have: weight, bias, settings, their text. */
export abstract class ConvNd extends Module {
  inChannels: number
  outChannels: number
  kernelSize: number[]
  stride: number[]
  padding: number[] | 'same' | 'valid'
  dilation: number[]
  transposed: boolean
  outputPadding: number[]
  groups: number
  paddingMode: PaddingMode
  weight: Parameter
  bias: Parameter | null
  protected amountsToPad: number[]

  constructor(inChannels: number, outChannels: number, transposed: boolean, settings: ConvSettings) {
    super()
    check(settings, inChannels, outChannels)
    const made = factory(settings.where)
    const { kernelSize, groups } = settings
    this.inChannels = inChannels
    this.outChannels = outChannels
    this.kernelSize = kernelSize
    this.stride = settings.stride
    this.padding = settings.padding
    this.dilation = settings.dilation
    this.transposed = transposed
    this.outputPadding = settings.outputPadding
    this.groups = groups
    this.paddingMode = settings.paddingMode
    this.amountsToPad = amountsToPad(settings)
    this.weight = emptyParameter(this.weightSizes(), made)
    this.bias = null
    this.registerParameter('weight', this.weight)
    this.registerParameter('bias', settings.bias ? emptyParameter([outChannels], made) : null)
    this.resetParameters()
  }

  /** `[out, in / groups, ...kernel]`, for transposed convolutions `[in, out / groups, ...kernel]`. */
  weightSizes(): number[] {
    const { inChannels, outChannels, groups } = this
    return this.transposed
      ? [inChannels, outChannels / groups, ...this.kernelSize]
      : [outChannels, inChannels / groups, ...this.kernelSize]
  }

  resetParameters(): void {
    init.kaimingUniform_(this.weight, { a: Math.sqrt(5) })
    if (this.bias !== null)
      initializeBias(
        this.bias,
        this.weight.sizes.slice(1).reduce((a, b) => a * b, 1),
      )
  }

  /** Pads the input where that is not with zeros, and says how much padding is left for the convolution. */
  protected padded(input: Tensor): { input: Tensor; padding: number[] | 'same' | 'valid' } {
    if (this.paddingMode === 'zeros') return { input, padding: this.padding }
    return {
      input: F.pad(input, this.amountsToPad, { mode: this.paddingMode }),
      padding: this.kernelSize.map(() => 0),
    }
  }

  override extraRepr(): string {
    const { padding, dilation, outputPadding } = this
    let text = `${this.inChannels}, ${this.outChannels}, kernel_size=${pyRepr(this.kernelSize)}, stride=${pyRepr(this.stride)}`
    if (typeof padding === 'string') text += `, padding=${padding}`
    else if (padding.some((p) => p !== 0)) text += `, padding=${pyRepr(padding)}`
    if (dilation.some((d) => d !== 1)) text += `, dilation=${pyRepr(dilation)}`
    if (outputPadding.some((p) => p !== 0)) text += `, output_padding=${pyRepr(outputPadding)}`
    if (this.groups !== 1) text += `, groups=${this.groups}`
    if (this.bias === null) text += ', bias=False'
    if (this.paddingMode !== 'zeros') text += `, padding_mode=${this.paddingMode}`
    return text
  }
}

/** The settings of an n-dimensional convolution from its arguments. */
export function convSettings(
  layer: string,
  n: number,
  kernelSize: SizeLike,
  first: SizeLike | ConvOptions | undefined,
  rest: ConvOptions | undefined,
): ConvSettings {
  const options = readOptions<ConvOptions>(layer, convOptions, first, rest)
  const {
    stride = 1,
    padding = 0,
    dilation = 1,
    groups = 1,
    bias = true,
    paddingMode = 'zeros',
    device,
    dtype,
  } = options
  return {
    kernelSize: expandSize(kernelSize, n, 'kernelSize'),
    stride: expandSize(stride, n, 'stride'),
    padding: typeof padding === 'string' ? padding : expandSize(padding, n, 'padding'),
    dilation: expandSize(dilation, n, 'dilation'),
    outputPadding: expandSize(0, n),
    groups,
    bias,
    paddingMode,
    where: { device, dtype },
  }
}

/** Convolves `[N, inChannels, L]` (or without N) with kernels of length `kernelSize`. */
export class Conv1d<In extends number = number, Out extends number = number> extends ConvNd {
  constructor(
    inChannels: In,
    outChannels: Out,
    kernelSize: SizeLike,
    stride?: SizeLike,
    options?: ConvOptions,
  )
  constructor(inChannels: In, outChannels: Out, kernelSize: SizeLike, options?: ConvOptions)
  constructor(
    inChannels: In,
    outChannels: Out,
    kernelSize: SizeLike,
    first?: SizeLike | ConvOptions,
    rest?: ConvOptions,
  ) {
    super(inChannels, outChannels, false, convSettings('Conv1d', 1, kernelSize, first, rest))
  }

  override forward(input: Tensor): Tensor {
    const { stride, dilation, groups } = this
    const ready = this.padded(input)
    return F.conv1d(ready.input, this.weight, {
      bias: this.bias,
      stride,
      padding: ready.padding,
      dilation,
      groups,
    })
  }
}

/** Convolves `[N, inChannels, H, W]` (or without N) with kernels of `kernelSize`, a number or `[height, width]`. */
export class Conv2d<In extends number = number, Out extends number = number> extends ConvNd {
  constructor(
    inChannels: In,
    outChannels: Out,
    kernelSize: SizeLike,
    stride?: SizeLike,
    options?: ConvOptions,
  )
  constructor(inChannels: In, outChannels: Out, kernelSize: SizeLike, options?: ConvOptions)
  constructor(
    inChannels: In,
    outChannels: Out,
    kernelSize: SizeLike,
    first?: SizeLike | ConvOptions,
    rest?: ConvOptions,
  ) {
    super(inChannels, outChannels, false, convSettings('Conv2d', 2, kernelSize, first, rest))
  }

  override forward(input: Tensor): Tensor {
    const { stride, dilation, groups } = this
    const ready = this.padded(input)
    return F.conv2d(ready.input, this.weight, {
      bias: this.bias,
      stride,
      padding: ready.padding,
      dilation,
      groups,
    })
  }
}

/** Convolves `[N, inChannels, D, H, W]` (or without N) with kernels of `kernelSize`. */
export class Conv3d<In extends number = number, Out extends number = number> extends ConvNd {
  constructor(
    inChannels: In,
    outChannels: Out,
    kernelSize: SizeLike,
    stride?: SizeLike,
    options?: ConvOptions,
  )
  constructor(inChannels: In, outChannels: Out, kernelSize: SizeLike, options?: ConvOptions)
  constructor(
    inChannels: In,
    outChannels: Out,
    kernelSize: SizeLike,
    first?: SizeLike | ConvOptions,
    rest?: ConvOptions,
  ) {
    super(inChannels, outChannels, false, convSettings('Conv3d', 3, kernelSize, first, rest))
  }

  override forward(input: Tensor): Tensor {
    const { stride, dilation, groups } = this
    const ready = this.padded(input)
    return F.conv3d(ready.input, this.weight, {
      bias: this.bias,
      stride,
      padding: ready.padding,
      dilation,
      groups,
    })
  }
}
