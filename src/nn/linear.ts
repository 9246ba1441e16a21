// Affine layers: Linear, Bilinear, Identity, LazyLinear.

import { AssertionError, ValueError } from '../core/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import * as F from './functional.ts'
import * as init from './init.ts'
import { hasUninitializedParams, makeLazy, materializeWeights } from './lazy.ts'
import { Module } from './module.ts'
import { emptyParameter, type FactoryOptions, factory, readOptions } from './options.ts'
import type { Parameter } from './parameter.ts'
import type { keepsWidth } from './sequential-types.ts'
import { pyBool } from './text.ts'
import { UninitializedParameter } from './uninitialized.ts'

/** Gives back what it is given; takes any constructor arguments. */
export class Identity extends Module {
  declare readonly [keepsWidth]?: true

  constructor(...ignored: readonly unknown[]) {
    super()
    void ignored
  }

  override forward(input: Tensor): Tensor {
    return input
  }
}

/** Options of `nn.Linear`. */
export interface LinearOptions extends FactoryOptions {
  /** Whether a bias is added; default true. */
  bias?: boolean
}

const linearOptions = ['bias', 'device', 'dtype'] as const

/** Initialises a bias uniformly within 1 / sqrt(fan in) of the weight. */
export function initializeBias(bias: Tensor, fanIn: number): void {
  const bound = fanIn > 0 ? 1 / Math.sqrt(fanIn) : 0
  init.uniform_(bias, { a: -bound, b: bound })
}

/**
 * y = x Wᵀ + b over the last dimension: `[..., inFeatures]` to `[..., outFeatures]`. `weight` is
 * `[outFeatures, inFeatures]`, `bias` `[outFeatures]`, both uniform within 1 / sqrt(inFeatures) at first.
 *
 * The type's numbers say what it takes and gives where the compiler knows; `nn.Sequential` compares them. They are in the
 * constructor's type only, so that a Linear of another width can take its place.
 */
export class Linear<In extends number = number, Out extends number = number> extends Module {
  inFeatures: number
  outFeatures: number
  weight: Parameter
  bias: Parameter | null

  constructor(inFeatures: In, outFeatures: Out, options: LinearOptions = {}) {
    super()
    const { bias = true, ...where } = readOptions<LinearOptions>('Linear', linearOptions, undefined, options)
    const made = factory(where)
    this.inFeatures = inFeatures
    this.outFeatures = outFeatures
    this.weight = emptyParameter([outFeatures, inFeatures], made)
    this.bias = null
    this.registerParameter('weight', this.weight)
    this.registerParameter('bias', bias ? emptyParameter([outFeatures], made) : null)
    this.resetParameters()
  }

  /** Draws new weights. */
  resetParameters(): void {
    init.kaimingUniform_(this.weight, { a: Math.sqrt(5) })
    if (this.bias !== null) initializeBias(this.bias, this.weight.sizes[1])
  }

  override forward(input: Tensor): Tensor {
    return F.linear(input, this.weight, this.bias)
  }

  override extraRepr(): string {
    return `in_features=${this.inFeatures}, out_features=${this.outFeatures}, bias=${pyBool(this.bias !== null)}`
  }
}

/** A Linear that quantisation leaves alone; MultiheadAttention has one. */
export class NonDynamicallyQuantizableLinear extends Linear {}

/** y = x₁ᵀ A x₂ + b: `[..., in1Features]` and `[..., in2Features]` to `[..., outFeatures]`. */
export class Bilinear extends Module {
  in1Features: number
  in2Features: number
  outFeatures: number
  weight: Parameter
  bias: Parameter | null

  constructor(in1Features: number, in2Features: number, outFeatures: number, options: LinearOptions = {}) {
    super()
    const { bias = true, ...where } = readOptions<LinearOptions>(
      'Bilinear',
      linearOptions,
      undefined,
      options,
    )
    const made = factory(where)
    if (in1Features <= 0)
      throw new ValueError(`in1_features must be > 0, but got (in1_features=${in1Features})`)
    this.in1Features = in1Features
    this.in2Features = in2Features
    this.outFeatures = outFeatures
    this.weight = emptyParameter([outFeatures, in1Features, in2Features], made)
    this.bias = null
    this.registerParameter('weight', this.weight)
    this.registerParameter('bias', bias ? emptyParameter([outFeatures], made) : null)
    this.resetParameters()
  }

  resetParameters(): void {
    const bound = 1 / Math.sqrt(this.weight.sizes[1])
    init.uniform_(this.weight, { a: -bound, b: bound })
    if (this.bias !== null) init.uniform_(this.bias, { a: -bound, b: bound })
  }

  override forward(input1: Tensor, input2: Tensor): Tensor {
    return F.bilinear(input1, input2, this.weight, { bias: this.bias })
  }

  override extraRepr(): string {
    return `in1_features=${this.in1Features}, in2_features=${this.in2Features}, out_features=${this.outFeatures}, bias=${pyBool(this.bias !== null)}`
  }
}

/** A Linear that takes `inFeatures` from its first input; then it is a `Linear`. */
export class LazyLinear<Out extends number = number> extends Linear<number, Out> {
  constructor(outFeatures: Out, options: LinearOptions = {}) {
    const { bias = true, ...where } = readOptions<LinearOptions>(
      'LazyLinear',
      linearOptions,
      undefined,
      options,
    )
    super(0, 0 as Out, { bias: false })
    this.weight = new UninitializedParameter(where)
    this.outFeatures = outFeatures
    if (bias) this.bias = new UninitializedParameter(where)
    makeLazy(this, Linear)
  }

  override resetParameters(): void {
    if (!hasUninitializedParams(this) && this.inFeatures !== 0) super.resetParameters()
  }

  initializeParameters(input: Tensor): void {
    const width = input.sizes[input.ndim - 1]
    if (hasUninitializedParams(this)) {
      this.inFeatures = width
      materializeWeights(this, [this.outFeatures, width], [this.outFeatures])
      this.resetParameters()
    }
    if (this.inFeatures === 0) {
      // The parameters came from a state dict.
      const own = this.weight.sizes[1]
      if (width !== own)
        throw new AssertionError(
          `The in_features inferred from input: ${width} is not equal to in_features from self.weight: ${own}`,
        )
      this.inFeatures = width
    }
  }
}
