// Normalisation within a sample: LayerNorm, GroupNorm, RMSNorm, LocalResponseNorm.

import { ValueError } from '../core/errors.ts'
import { pyFloat, pyRepr } from '../core/python.ts'
import type { Tensor } from '../tensor/tensor.ts'
import * as F from './functional.ts'
import * as init from './init.ts'
import { Module } from './module.ts'
import { emptyParameter, type FactoryOptions, factory, readOptions, type SizeLike, tuple } from './options.ts'
import type { Parameter } from './parameter.ts'
import type { keepsWidth } from './sequential-types.ts'
import { pyBool } from './text.ts'

/** Options of `nn.LayerNorm`. */
export interface LayerNormOptions extends FactoryOptions {
  /** Added to the variance; default 1e-5. */
  eps?: number
  /** Whether the result is scaled and shifted by learned factors; default true. */
  elementwiseAffine?: boolean
  /** Whether there is a learned shift besides the factor; default true. */
  bias?: boolean
}

/** Normalises over the last dimensions, of shape `normalizedShape`, to mean 0 and variance 1. Ba et al. 2016. */
export class LayerNorm extends Module {
  declare readonly [keepsWidth]?: true
  normalizedShape: number[]
  eps: number
  elementwiseAffine: boolean
  weight: Parameter | null
  bias: Parameter | null

  constructor(normalizedShape: SizeLike, eps?: number, options?: LayerNormOptions)
  constructor(normalizedShape: SizeLike, options?: LayerNormOptions)
  constructor(normalizedShape: SizeLike, first?: number | LayerNormOptions, rest?: LayerNormOptions) {
    super()
    const known = ['eps', 'elementwiseAffine', 'bias', 'device', 'dtype'] as const
    const options = readOptions<LayerNormOptions>('LayerNorm', known, first, rest)
    const { eps = 1e-5, elementwiseAffine = true, bias = true } = options
    const made = factory(options)
    this.normalizedShape = tuple(typeof normalizedShape === 'number' ? [normalizedShape] : normalizedShape)
    this.eps = eps
    this.elementwiseAffine = elementwiseAffine
    this.weight = elementwiseAffine ? emptyParameter([...this.normalizedShape], made) : null
    this.bias = elementwiseAffine && bias ? emptyParameter([...this.normalizedShape], made) : null
    this.registerParameter('weight', this.weight)
    this.registerParameter('bias', this.bias)
    this.resetParameters()
  }

  resetParameters(): void {
    if (this.weight !== null) init.ones_(this.weight)
    if (this.bias !== null) init.zeros_(this.bias)
  }

  override forward(input: Tensor): Tensor {
    return F.layerNorm(input, this.normalizedShape, { weight: this.weight, bias: this.bias, eps: this.eps })
  }

  override extraRepr(): string {
    return `${pyRepr(this.normalizedShape)}, eps=${pyFloat(this.eps)}, elementwise_affine=${pyBool(this.elementwiseAffine)}, bias=${pyBool(this.bias !== null)}`
  }
}

/** Options of `nn.GroupNorm`. */
export interface GroupNormOptions extends FactoryOptions {
  /** Added to the variance; default 1e-5. */
  eps?: number
  /** Whether each channel is scaled and shifted by learned factors; default true. */
  affine?: boolean
  bias?: boolean
}

/** Normalises groups of channels of `[N, C, ...]`, then scales and shifts each channel. Wu and He 2018. */
export class GroupNorm extends Module {
  declare readonly [keepsWidth]?: true
  numGroups: number
  numChannels: number
  eps: number
  affine: boolean
  weight: Parameter | null
  bias: Parameter | null

  constructor(numGroups: number, numChannels: number, eps?: number, options?: GroupNormOptions)
  constructor(numGroups: number, numChannels: number, options?: GroupNormOptions)
  constructor(
    numGroups: number,
    numChannels: number,
    first?: number | GroupNormOptions,
    rest?: GroupNormOptions,
  ) {
    super()
    const known = ['eps', 'affine', 'device', 'dtype', 'bias'] as const
    const options = readOptions<GroupNormOptions>('GroupNorm', known, first, rest)
    const { eps = 1e-5, affine = true, bias = true } = options
    const made = factory(options)
    if (numChannels % numGroups !== 0)
      throw new ValueError(`num_channels (${numChannels}) must be divisible by num_groups (${numGroups})`)
    this.numGroups = numGroups
    this.numChannels = numChannels
    this.eps = eps
    this.affine = affine
    this.weight = affine ? emptyParameter([numChannels], made) : null
    this.bias = affine && bias ? emptyParameter([numChannels], made) : null
    this.registerParameter('weight', this.weight)
    this.registerParameter('bias', this.bias)
    this.resetParameters()
  }

  resetParameters(): void {
    if (this.weight !== null) init.ones_(this.weight)
    if (this.bias !== null) init.zeros_(this.bias)
  }

  override forward(input: Tensor): Tensor {
    return F.groupNorm(input, this.numGroups, { weight: this.weight, bias: this.bias, eps: this.eps })
  }

  override extraRepr(): string {
    return `${this.numGroups}, ${this.numChannels}, eps=${pyFloat(this.eps)}, affine=${pyBool(this.affine)}, bias=${pyBool(this.bias !== null)}`
  }
}

/** Options of `nn.RMSNorm`. */
export interface RMSNormOptions extends FactoryOptions {
  /** Added to the mean square; default (null) the dtype's smallest step. */
  eps?: number | null
  elementwiseAffine?: boolean
}

/** Divides by the root of the mean square over the last dimensions, then scales. Zhang and Sennrich 2019. */
export class RMSNorm extends Module {
  declare readonly [keepsWidth]?: true
  normalizedShape: number[]
  eps: number | null
  elementwiseAffine: boolean
  weight: Parameter | null

  constructor(normalizedShape: SizeLike, eps?: number | null, options?: RMSNormOptions)
  constructor(normalizedShape: SizeLike, options?: RMSNormOptions)
  constructor(normalizedShape: SizeLike, first?: number | null | RMSNormOptions, rest?: RMSNormOptions) {
    super()
    const known = ['eps', 'elementwiseAffine', 'device', 'dtype'] as const
    const options = readOptions<RMSNormOptions>('RMSNorm', known, first, rest)
    const { eps = null, elementwiseAffine = true } = options
    this.normalizedShape = tuple(typeof normalizedShape === 'number' ? [normalizedShape] : normalizedShape)
    this.eps = eps
    this.elementwiseAffine = elementwiseAffine
    this.weight = elementwiseAffine ? emptyParameter([...this.normalizedShape], factory(options)) : null
    this.registerParameter('weight', this.weight)
    this.resetParameters()
  }

  resetParameters(): void {
    if (this.weight !== null) init.ones_(this.weight)
  }

  override forward(input: Tensor): Tensor {
    return F.rmsNorm(input, this.normalizedShape, { weight: this.weight, eps: this.eps })
  }

  override extraRepr(): string {
    const eps = this.eps === null ? 'None' : pyFloat(this.eps)
    return `${pyRepr(this.normalizedShape)}, eps=${eps}, elementwise_affine=${pyBool(this.elementwiseAffine)}`
  }
}

/** Options of `nn.LocalResponseNorm`. */
export interface LocalResponseNormOptions {
  /** Default 1e-4. */
  alpha?: number
  /** Default 0.75. */
  beta?: number
  /** Default 1. */
  k?: number
}

const responseOptions = ['alpha', 'beta', 'k'] as const

/** Divides by a power of the sum of squares over `size` neighbouring channels. Krizhevsky et al. 2012. */
export class LocalResponseNorm extends Module {
  declare readonly [keepsWidth]?: true
  size: number
  alpha: number
  beta: number
  k: number

  constructor(size: number, alpha?: number, options?: LocalResponseNormOptions)
  constructor(size: number, options?: LocalResponseNormOptions)
  constructor(size: number, first?: number | LocalResponseNormOptions, rest?: LocalResponseNormOptions) {
    super()
    const options = readOptions<LocalResponseNormOptions>('LocalResponseNorm', responseOptions, first, rest)
    this.size = size
    this.alpha = options.alpha ?? 1e-4
    this.beta = options.beta ?? 0.75
    this.k = options.k ?? 1
  }

  override forward(input: Tensor): Tensor {
    const { alpha, beta, k } = this
    return F.localResponseNorm(input, this.size, { alpha, beta, k })
  }

  override extraRepr(): string {
    return `${this.size}, alpha=${pyFloat(this.alpha)}, beta=${pyFloat(this.beta)}, k=${pyFloat(this.k)}`
  }
}
