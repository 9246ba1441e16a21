// Activation layers: one class for each pointwise non-linearity, its function in nn.functional with its settings kept.
// Those along a dimension are in softmax.ts.

import { ValueError } from '../core/errors.ts'
import { pyFloat, pyRepr } from '../core/python.ts'
import { fullTensor } from '../ops/creation.ts'
import type { Tensor } from '../tensor/tensor.ts'
import * as F from './functional.ts'
import { Module } from './module.ts'
import { type FactoryOptions, factory, readOptions } from './options.ts'
import { Parameter } from './parameter.ts'
import type { keepsWidth } from './sequential-types.ts'

/** What activations have in common: features and channels go through, and most can write into their input. */
export abstract class Activation extends Module {
  declare readonly [keepsWidth]?: true

  abstract override forward(input: Tensor): Tensor
}

/** Options of activations that have no other. */
export interface InplaceOptions {
  /** Write the result into the input's memory; default false. */
  inplace?: boolean
}

// The settings as text, with the in-place flag where it is set.
function settings(inplace: boolean, ...parts: readonly string[]): string {
  return [...parts, ...(inplace ? ['inplace=True'] : [])].join(', ')
}

/** An activation whose only setting is `inplace`. */
abstract class InplaceActivation extends Activation {
  inplace: boolean

  constructor(options: InplaceOptions = {}) {
    super()
    this.inplace =
      readOptions<InplaceOptions>(new.target.name, ['inplace'], undefined, options).inplace ?? false
  }

  override extraRepr(): string {
    return settings(this.inplace)
  }
}

/** 1 / (1 + exp(-x)). */
export class Sigmoid extends Activation {
  override forward(input: Tensor): Tensor {
    return input.sigmoid()
  }
}

/** The hyperbolic tangent. */
export class Tanh extends Activation {
  override forward(input: Tensor): Tensor {
    return input.tanh()
  }
}

/** log(1 / (1 + exp(-x))). */
export class LogSigmoid extends Activation {
  override forward(input: Tensor): Tensor {
    return F.logsigmoid(input)
  }
}

/** x / (1 + |x|). */
export class Softsign extends Activation {
  override forward(input: Tensor): Tensor {
    return F.softsign(input)
  }
}

/** x - tanh(x). */
export class Tanhshrink extends Activation {
  override forward(input: Tensor): Tensor {
    return F.tanhshrink(input)
  }
}

/** max(0, x). */
export class ReLU extends InplaceActivation {
  override forward(input: Tensor): Tensor {
    return F.relu(input, { inplace: this.inplace })
  }
}

/** x * sigmoid(x), also known as swish. */
export class SiLU extends InplaceActivation {
  override forward(input: Tensor): Tensor {
    return F.silu(input, { inplace: this.inplace })
  }
}

/** x * tanh(softplus(x)). Misra 2019. */
export class Mish extends InplaceActivation {
  override forward(input: Tensor): Tensor {
    return F.mish(input, { inplace: this.inplace })
  }
}

/** Scaled ELU, which keeps mean 0 and variance 1. Klambauer et al. 2017. */
export class SELU extends InplaceActivation {
  override forward(input: Tensor): Tensor {
    return F.selu(input, { inplace: this.inplace })
  }
}

/** A piecewise linear sigmoid: relu6(x + 3) / 6. */
export class Hardsigmoid extends InplaceActivation {
  override forward(input: Tensor): Tensor {
    return F.hardsigmoid(input, { inplace: this.inplace })
  }

  // PyTorch prints no settings here.
  override extraRepr(): string {
    return ''
  }
}

/** x * relu6(x + 3) / 6. */
export class Hardswish extends InplaceActivation {
  override forward(input: Tensor): Tensor {
    return F.hardswish(input, { inplace: this.inplace })
  }

  // PyTorch prints no settings here.
  override extraRepr(): string {
    return ''
  }
}

/** Options of `nn.ELU`. */
export interface ELUOptions extends InplaceOptions {
  /** Default 1. */
  alpha?: number
}

/** x where positive, alpha * (exp(x) - 1) elsewhere. Clevert et al. 2016. */
export class ELU extends Activation {
  alpha: number
  inplace: boolean

  constructor(alpha?: number, options?: ELUOptions)
  constructor(options?: ELUOptions)
  constructor(first?: number | ELUOptions, rest?: ELUOptions) {
    super()
    const options = readOptions<ELUOptions>('ELU', ['alpha', 'inplace'], first, rest)
    this.alpha = options.alpha ?? 1
    this.inplace = options.inplace ?? false
  }

  override forward(input: Tensor): Tensor {
    return F.elu(input, { alpha: this.alpha, inplace: this.inplace })
  }

  override extraRepr(): string {
    return settings(this.inplace, `alpha=${pyFloat(this.alpha)}`)
  }
}

/** Options of `nn.CELU`. */
export interface CELUOptions extends InplaceOptions {
  /** Default 1. */
  alpha?: number
}

/** max(0, x) + min(0, alpha * (exp(x / alpha) - 1)). Barron 2017. */
export class CELU extends Activation {
  alpha: number
  inplace: boolean

  constructor(alpha?: number, options?: CELUOptions)
  constructor(options?: CELUOptions)
  constructor(first?: number | CELUOptions, rest?: CELUOptions) {
    super()
    const options = readOptions<CELUOptions>('CELU', ['alpha', 'inplace'], first, rest)
    this.alpha = options.alpha ?? 1
    this.inplace = options.inplace ?? false
  }

  override forward(input: Tensor): Tensor {
    return F.celu(input, { alpha: this.alpha, inplace: this.inplace })
  }

  override extraRepr(): string {
    return settings(this.inplace, `alpha=${pyFloat(this.alpha)}`)
  }
}

/** Options of `nn.LeakyReLU`. */
export interface LeakyReLUOptions extends InplaceOptions {
  /** Default 0.01. */
  negativeSlope?: number
}

/** x where positive, negativeSlope * x elsewhere. */
export class LeakyReLU extends Activation {
  negativeSlope: number
  inplace: boolean

  constructor(negativeSlope?: number, options?: LeakyReLUOptions)
  constructor(options?: LeakyReLUOptions)
  constructor(first?: number | LeakyReLUOptions, rest?: LeakyReLUOptions) {
    super()
    const options = readOptions<LeakyReLUOptions>('LeakyReLU', ['negativeSlope', 'inplace'], first, rest)
    this.negativeSlope = options.negativeSlope ?? 0.01
    this.inplace = options.inplace ?? false
  }

  override forward(input: Tensor): Tensor {
    return F.leakyRelu(input, { negativeSlope: this.negativeSlope, inplace: this.inplace })
  }

  override extraRepr(): string {
    return settings(this.inplace, `negative_slope=${pyFloat(this.negativeSlope)}`)
  }
}

/** x where above `threshold`, `value` elsewhere. */
export class Threshold extends Activation {
  threshold: number
  value: number
  inplace: boolean

  constructor(threshold: number, value: number, options: InplaceOptions = {}) {
    super()
    this.threshold = threshold
    this.value = value
    this.inplace = readOptions<InplaceOptions>('Threshold', ['inplace'], undefined, options).inplace ?? false
  }

  override forward(input: Tensor): Tensor {
    return F.threshold(input, this.threshold, this.value, { inplace: this.inplace })
  }

  override extraRepr(): string {
    return settings(this.inplace, `threshold=${pyFloat(this.threshold)}`, `value=${pyFloat(this.value)}`)
  }
}

/** Options of `nn.RReLU`. */
export interface RReLUOptions extends InplaceOptions {
  /** Bounds of the slope; default 1/8 and 1/3. */
  lower?: number
  upper?: number
}

/** LeakyReLU with a slope drawn for each element while training, and the mean of the bounds in evaluation. Xu et al. 2015. */
export class RReLU extends Activation {
  lower: number
  upper: number
  inplace: boolean

  constructor(lower?: number, options?: RReLUOptions)
  constructor(options?: RReLUOptions)
  constructor(first?: number | RReLUOptions, rest?: RReLUOptions) {
    super()
    const options = readOptions<RReLUOptions>('RReLU', ['lower', 'upper', 'inplace'], first, rest)
    this.lower = options.lower ?? 1 / 8
    this.upper = options.upper ?? 1 / 3
    this.inplace = options.inplace ?? false
  }

  override forward(input: Tensor): Tensor {
    const { lower, upper, training, inplace } = this
    return F.rrelu(input, { lower, upper, training, inplace })
  }

  override extraRepr(): string {
    return settings(this.inplace, `lower=${pyFloat(this.lower)}`, `upper=${pyFloat(this.upper)}`)
  }
}

/** Options of `nn.Hardtanh`. */
export interface HardtanhOptions extends InplaceOptions {
  /** Bounds of the result; default -1 and 1. */
  minVal?: number
  maxVal?: number
}

/** x, cut off at `minVal` and `maxVal`. Throws ValueError unless the first is the smaller. */
export class Hardtanh extends Activation {
  minVal: number
  maxVal: number
  inplace: boolean

  constructor(minVal?: number, options?: HardtanhOptions)
  constructor(options?: HardtanhOptions)
  constructor(first?: number | HardtanhOptions, rest?: HardtanhOptions) {
    super()
    const options = readOptions<HardtanhOptions>('Hardtanh', ['minVal', 'maxVal', 'inplace'], first, rest)
    this.minVal = options.minVal ?? -1
    this.maxVal = options.maxVal ?? 1
    this.inplace = options.inplace ?? false
    if (this.maxVal <= this.minVal) throw new ValueError('max_val must be larger than min_val')
  }

  override forward(input: Tensor): Tensor {
    const { minVal, maxVal, inplace } = this
    return F.hardtanh(input, { minVal, maxVal, inplace })
  }

  override extraRepr(): string {
    return settings(this.inplace, `min_val=${pyFloat(this.minVal)}`, `max_val=${pyFloat(this.maxVal)}`)
  }
}

/** min(max(0, x), 6). */
export class ReLU6 extends InplaceActivation {
  override forward(input: Tensor): Tensor {
    return F.relu6(input, { inplace: this.inplace })
  }
}

/** Options of `nn.GLU`. */
export interface GLUOptions {
  /** The dimension that is halved; default the last. */
  dim?: number
}

/** a * sigmoid(b), where a and b are the halves of the input along `dim`. Dauphin et al. 2017. */
export class GLU extends Module {
  dim: number

  constructor(dim: number | GLUOptions = -1) {
    super()
    this.dim = readOptions<GLUOptions>('GLU', ['dim'], dim).dim ?? -1
  }

  override forward(input: Tensor): Tensor {
    return F.glu(input, this.dim)
  }

  override extraRepr(): string {
    return `dim=${this.dim}`
  }
}

/** Options of `nn.GELU`. */
export interface GELUOptions {
  /** `'none'` (default) for the exact function, `'tanh'` for an approximation. */
  approximate?: 'none' | 'tanh'
}

/** x times the standard normal distribution function of x. Hendrycks and Gimpel 2016. */
export class GELU extends Activation {
  approximate: 'none' | 'tanh'

  constructor(approximate: 'none' | 'tanh' | GELUOptions = 'none') {
    super()
    this.approximate = readOptions<GELUOptions>('GELU', ['approximate'], approximate).approximate ?? 'none'
  }

  override forward(input: Tensor): Tensor {
    return F.gelu(input, { approximate: this.approximate })
  }

  override extraRepr(): string {
    return `approximate=${pyRepr(this.approximate)}`
  }
}

/** Options of `nn.Hardshrink` and `nn.Softshrink`. */
export interface ShrinkOptions {
  /** Default 0.5. */
  lambd?: number
}

/** x where |x| is above `lambd`, 0 elsewhere. */
export class Hardshrink extends Activation {
  lambd: number

  constructor(lambd: number | ShrinkOptions = 0.5) {
    super()
    this.lambd = readOptions<ShrinkOptions>('Hardshrink', ['lambd'], lambd).lambd ?? 0.5
  }

  override forward(input: Tensor): Tensor {
    return F.hardshrink(input, this.lambd)
  }

  override extraRepr(): string {
    return pyFloat(this.lambd)
  }
}

/** x moved toward 0 by `lambd`, 0 where |x| is below it. */
export class Softshrink extends Activation {
  lambd: number

  constructor(lambd: number | ShrinkOptions = 0.5) {
    super()
    this.lambd = readOptions<ShrinkOptions>('Softshrink', ['lambd'], lambd).lambd ?? 0.5
  }

  override forward(input: Tensor): Tensor {
    return F.softshrink(input, this.lambd)
  }

  override extraRepr(): string {
    return pyFloat(this.lambd)
  }
}

/** Options of `nn.Softplus`. */
export interface SoftplusOptions {
  /** Default 1. */
  beta?: number
  /** Where beta * x is above this, the result is x; default 20. */
  threshold?: number
}

/** log(1 + exp(beta * x)) / beta. */
export class Softplus extends Activation {
  beta: number
  threshold: number

  constructor(beta?: number, options?: SoftplusOptions)
  constructor(options?: SoftplusOptions)
  constructor(first?: number | SoftplusOptions, rest?: SoftplusOptions) {
    super()
    const options = readOptions<SoftplusOptions>('Softplus', ['beta', 'threshold'], first, rest)
    this.beta = options.beta ?? 1
    this.threshold = options.threshold ?? 20
  }

  override forward(input: Tensor): Tensor {
    return F.softplus(input, { beta: this.beta, threshold: this.threshold })
  }

  override extraRepr(): string {
    return `beta=${pyFloat(this.beta)}, threshold=${pyFloat(this.threshold)}`
  }
}

/** Options of `nn.PReLU`. */
export interface PReLUOptions extends FactoryOptions {
  /** How many slopes are learned: one, or one for each channel. */
  numParameters?: number
  /** Their value at first; default 0.25. */
  init?: number
}

/** x where positive, a learned slope times x elsewhere. He et al. 2015. */
export class PReLU extends Activation {
  numParameters: number
  init: number
  weight: Parameter

  constructor(numParameters?: number, options?: PReLUOptions)
  constructor(options?: PReLUOptions)
  constructor(first?: number | PReLUOptions, rest?: PReLUOptions) {
    super()
    const options = readOptions<PReLUOptions>(
      'PReLU',
      ['numParameters', 'init', 'device', 'dtype'],
      first,
      rest,
    )
    const { device, dtype } = factory(options)
    this.numParameters = options.numParameters ?? 1
    this.init = options.init ?? 0.25
    this.weight = new Parameter(fullTensor([this.numParameters], this.init, dtype, device))
  }

  override forward(input: Tensor): Tensor {
    return F.prelu(input, this.weight)
  }

  override extraRepr(): string {
    return `num_parameters=${this.numParameters}`
  }
}
