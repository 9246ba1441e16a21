// Loss layers over a criterion of inputs and targets. Those that compare embeddings or rank are in ranking-loss.ts. Each is its function in
// nn.functional with its settings kept.

import type { Tensor } from '../tensor/tensor.ts'
import * as F from './functional.ts'
import { Module } from './module.ts'
import { readOptions } from './options.ts'

/** How the losses of the elements become the result: their mean, their sum, or each by itself. */
export type Reduction = 'none' | 'mean' | 'sum'

/** Options of every loss. */
export interface LossOptions<R extends string = Reduction> {
  /** Default `'mean'`. */
  reduction?: R
  /** PyTorch's old way to say `reduction`; with `reduce`. */
  sizeAverage?: boolean | null
  reduce?: boolean | null
}

const common = ['reduction', 'sizeAverage', 'reduce'] as const

/** The reduction that options ask for, in the new way or the old. */
export function reductionOf<R extends string>({ reduction, sizeAverage, reduce }: LossOptions<R>): R {
  if (sizeAverage == null && reduce == null) return reduction ?? ('mean' as R)
  console.warn(
    `size_average and reduce args will be deprecated, please use reduction='${!(reduce ?? true) ? 'none' : (sizeAverage ?? true) ? 'mean' : 'sum'}' instead.`,
  )
  if (!(reduce ?? true)) return 'none' as R
  return ((sizeAverage ?? true) ? 'mean' : 'sum') as R
}

/** What losses have in common: how they reduce. */
export abstract class Loss<R extends string = Reduction> extends Module {
  reduction: R

  constructor(options: LossOptions<R>) {
    super()
    this.reduction = reductionOf(options)
  }
}

/** A loss with a weight for each class or element, kept as a buffer. */
export abstract class WeightedLoss extends Loss {
  weight: Tensor | null

  constructor(options: LossOptions & { weight?: Tensor | null }) {
    super(options)
    this.weight = options.weight ?? null
    this.registerBuffer('weight', this.weight)
  }
}

function read<O extends LossOptions<string>>(
  layer: string,
  own: readonly (keyof O & string)[],
  first?: unknown,
  rest?: O,
): O {
  return readOptions<O>(layer, [...own, ...common], first, rest)
}

/** |input - target|. */
export class L1Loss extends Loss {
  constructor(options: LossOptions = {}) {
    super(read<LossOptions>('L1Loss', [], undefined, options))
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    return F.l1Loss(input, target, { reduction: this.reduction })
  }
}

/** (input - target)². */
export class MSELoss extends Loss {
  constructor(options: LossOptions = {}) {
    super(read<LossOptions>('MSELoss', [], undefined, options))
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    return F.mseLoss(input, target, { reduction: this.reduction })
  }
}

/** log(1 + exp(-target * input)), targets 1 and -1. */
export class SoftMarginLoss extends Loss {
  constructor(options: LossOptions = {}) {
    super(read<LossOptions>('SoftMarginLoss', [], undefined, options))
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    return F.softMarginLoss(input, target, { reduction: this.reduction })
  }
}

/** The margin between the classes listed in `target` (ended by -1) and the others. */
export class MultiLabelMarginLoss extends Loss {
  constructor(options: LossOptions = {}) {
    super(read<LossOptions>('MultiLabelMarginLoss', [], undefined, options))
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    return F.multilabelMarginLoss(input, target, { reduction: this.reduction })
  }
}

/** Options of `nn.NLLLoss`. */
export interface NLLLossOptions extends LossOptions {
  /** A weight for each class. */
  weight?: Tensor | null
  /** A target that counts for nothing; default -100. */
  ignoreIndex?: number
}

/** -input[target]: `input` are log-probabilities `[N, C]`, `[C]` or `[N, C, ...]`, `target` classes `[N]`, `[]` or `[N, ...]`. */
export class NLLLoss extends WeightedLoss {
  ignoreIndex: number

  constructor(weight?: Tensor | null, options?: NLLLossOptions)
  constructor(options?: NLLLossOptions)
  constructor(first?: Tensor | null | NLLLossOptions, rest?: NLLLossOptions) {
    const options = read<NLLLossOptions>('NLLLoss', ['weight', 'ignoreIndex'], first, rest)
    super(options)
    this.ignoreIndex = options.ignoreIndex ?? -100
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    const { weight, ignoreIndex, reduction } = this
    return F.nllLoss(input, target, { weight, ignoreIndex, reduction })
  }
}

/** The same as NLLLoss, under its old name for images. */
export class NLLLoss2d extends NLLLoss {}

/** Options of `nn.CrossEntropyLoss`. */
export interface CrossEntropyLossOptions extends LossOptions {
  /** A weight for each class. */
  weight?: Tensor | null
  /** A target that counts for nothing; default -100. */
  ignoreIndex?: number
  /** How much of each target goes to all classes alike, 0 (default) to 1. */
  labelSmoothing?: number
}

/**
 * -log softmax(input)[target]: `input` are logits `[N, C]`, `[C]` or `[N, C, ...]`; `target` are classes `[N]`, `[]`,
 * `[N, ...]`, or probabilities of the shape of `input`.
 */
export class CrossEntropyLoss extends WeightedLoss {
  ignoreIndex: number
  labelSmoothing: number

  constructor(weight?: Tensor | null, options?: CrossEntropyLossOptions)
  constructor(options?: CrossEntropyLossOptions)
  constructor(first?: Tensor | null | CrossEntropyLossOptions, rest?: CrossEntropyLossOptions) {
    const known = ['weight', 'ignoreIndex', 'labelSmoothing'] as const
    const options = read<CrossEntropyLossOptions>('CrossEntropyLoss', known, first, rest)
    super(options)
    this.ignoreIndex = options.ignoreIndex ?? -100
    this.labelSmoothing = options.labelSmoothing ?? 0
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    const { weight, ignoreIndex, reduction, labelSmoothing } = this
    return F.crossEntropy(input, target, { weight, ignoreIndex, reduction, labelSmoothing })
  }
}

/** Options of `nn.BCELoss`. */
export interface BCELossOptions extends LossOptions {
  /** A weight for each element. */
  weight?: Tensor | null
}

/** Binary cross entropy between probabilities and targets, both of one shape. */
export class BCELoss extends WeightedLoss {
  constructor(weight?: Tensor | null, options?: BCELossOptions)
  constructor(options?: BCELossOptions)
  constructor(first?: Tensor | null | BCELossOptions, rest?: BCELossOptions) {
    super(read<BCELossOptions>('BCELoss', ['weight'], first, rest))
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    return F.binaryCrossEntropy(input, target, { weight: this.weight, reduction: this.reduction })
  }
}

/** Options of `nn.BCEWithLogitsLoss`. */
export interface BCEWithLogitsLossOptions extends LossOptions {
  /** A weight for each element. */
  weight?: Tensor | null
  /** A factor for the positive targets of each class. */
  posWeight?: Tensor | null
}

/** Binary cross entropy between logits and targets, both of one shape; stabler than a Sigmoid and BCELoss. */
export class BCEWithLogitsLoss extends WeightedLoss {
  pos_weight: Tensor | null

  constructor(weight?: Tensor | null, options?: BCEWithLogitsLossOptions)
  constructor(options?: BCEWithLogitsLossOptions)
  constructor(first?: Tensor | null | BCEWithLogitsLossOptions, rest?: BCEWithLogitsLossOptions) {
    const options = read<BCEWithLogitsLossOptions>('BCEWithLogitsLoss', ['weight', 'posWeight'], first, rest)
    super(options)
    this.pos_weight = options.posWeight ?? null
    this.registerBuffer('pos_weight', this.pos_weight)
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    const { weight, pos_weight: posWeight, reduction } = this
    return F.binaryCrossEntropyWithLogits(input, target, { weight, posWeight, reduction })
  }
}

/** Options of `nn.MultiLabelSoftMarginLoss`. */
export interface MultiLabelSoftMarginLossOptions extends LossOptions {
  /** A weight for each class. */
  weight?: Tensor | null
}

/** The mean of the binary cross entropies of all classes: logits and targets `[N, C]`. */
export class MultiLabelSoftMarginLoss extends WeightedLoss {
  constructor(weight?: Tensor | null, options?: MultiLabelSoftMarginLossOptions)
  constructor(options?: MultiLabelSoftMarginLossOptions)
  constructor(
    first?: Tensor | null | MultiLabelSoftMarginLossOptions,
    rest?: MultiLabelSoftMarginLossOptions,
  ) {
    super(read<MultiLabelSoftMarginLossOptions>('MultiLabelSoftMarginLoss', ['weight'], first, rest))
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    return F.multilabelSoftMarginLoss(input, target, { weight: this.weight, reduction: this.reduction })
  }
}

/** Options of `nn.PoissonNLLLoss`. */
export interface PoissonNLLLossOptions extends LossOptions {
  /** Whether the input is the logarithm of the rate; default true. */
  logInput?: boolean
  /** Whether the Stirling term is added; default false. */
  full?: boolean
  /** Keeps the logarithm finite; default 1e-8. */
  eps?: number
}

/** The negative log-likelihood of counts under Poisson distributions. */
export class PoissonNLLLoss extends Loss {
  logInput: boolean
  full: boolean
  eps: number

  constructor(options: PoissonNLLLossOptions = {}) {
    super(read<PoissonNLLLossOptions>('PoissonNLLLoss', ['logInput', 'full', 'eps'], undefined, options))
    this.logInput = options.logInput ?? true
    this.full = options.full ?? false
    this.eps = options.eps ?? 1e-8
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    const { logInput, full, eps, reduction } = this
    return F.poissonNllLoss(input, target, { logInput, full, eps, reduction })
  }
}

/** Options of `nn.GaussianNLLLoss`. */
export interface GaussianNLLLossOptions extends Pick<LossOptions, 'reduction'> {
  /** Whether the constant term is added; default false. */
  full?: boolean
  /** The smallest variance; default 1e-6. */
  eps?: number
}

/** The negative log-likelihood of targets under normal distributions of mean `input` and variance `variance`. */
export class GaussianNLLLoss extends Loss {
  full: boolean
  eps: number

  constructor(options: GaussianNLLLossOptions = {}) {
    super(
      readOptions<GaussianNLLLossOptions>(
        'GaussianNLLLoss',
        ['full', 'eps', 'reduction'],
        undefined,
        options,
      ),
    )
    this.full = options.full ?? false
    this.eps = options.eps ?? 1e-6
  }

  override forward(input: Tensor, target: Tensor, variance: Tensor | number): Tensor {
    const { full, eps, reduction } = this
    return F.gaussianNllLoss(input, target, variance, { full, eps, reduction })
  }
}

/** Options of `nn.KLDivLoss`. */
export interface KLDivLossOptions extends LossOptions<Reduction | 'batchmean'> {
  /** Whether the target is a logarithm too; default false. */
  logTarget?: boolean
}

/** The Kullback-Leibler divergence of log-probabilities `input` from probabilities `target`. */
export class KLDivLoss extends Loss<Reduction | 'batchmean'> {
  logTarget: boolean

  constructor(options: KLDivLossOptions = {}) {
    super(read<KLDivLossOptions>('KLDivLoss', ['logTarget'], undefined, options))
    this.logTarget = options.logTarget ?? false
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    return F.klDiv(input, target, { reduction: this.reduction, logTarget: this.logTarget })
  }
}

/** Options of `nn.SmoothL1Loss`. */
export interface SmoothL1LossOptions extends LossOptions {
  /** Where the square ends; default 1. */
  beta?: number
}

/** Half the square below `beta`, the absolute difference above it. Girshick 2015. */
export class SmoothL1Loss extends Loss {
  beta: number

  constructor(options: SmoothL1LossOptions = {}) {
    super(read<SmoothL1LossOptions>('SmoothL1Loss', ['beta'], undefined, options))
    this.beta = options.beta ?? 1
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    return F.smoothL1Loss(input, target, { reduction: this.reduction, beta: this.beta })
  }
}

/** Options of `nn.HuberLoss`. */
export interface HuberLossOptions extends LossOptions {
  /** Where the square ends; default 1. */
  delta?: number
}

/** Half the square below `delta`, linear above it. Huber 1964. */
export class HuberLoss extends Loss {
  delta: number

  constructor(reduction?: Reduction, options?: HuberLossOptions)
  constructor(options?: HuberLossOptions)
  constructor(first?: Reduction | HuberLossOptions, rest?: HuberLossOptions) {
    const options = readOptions<HuberLossOptions>('HuberLoss', [...common, 'delta'], first, rest)
    super(options)
    this.delta = options.delta ?? 1
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    return F.huberLoss(input, target, { reduction: this.reduction, delta: this.delta })
  }
}

/** Options of `nn.CTCLoss`. */
export interface CTCLossOptions extends Pick<LossOptions, 'reduction'> {
  /** The class that stands for nothing; default 0. */
  blank?: number
  /** Whether infinite losses count as 0; default false. */
  zeroInfinity?: boolean
}

/** Connectionist temporal classification: log-probabilities `[T, N, C]` against sequences of classes. Graves et al. 2006. */
export class CTCLoss extends Loss {
  blank: number
  zeroInfinity: boolean

  constructor(blank?: number, options?: CTCLossOptions)
  constructor(options?: CTCLossOptions)
  constructor(first?: number | CTCLossOptions, rest?: CTCLossOptions) {
    const options = readOptions<CTCLossOptions>(
      'CTCLoss',
      ['blank', 'reduction', 'zeroInfinity'],
      first,
      rest,
    )
    super(options)
    this.blank = options.blank ?? 0
    this.zeroInfinity = options.zeroInfinity ?? false
  }

  override forward(
    logProbs: Tensor,
    targets: Tensor,
    inputLengths: Tensor | readonly number[],
    targetLengths: Tensor | readonly number[],
  ): Tensor {
    const { blank, reduction, zeroInfinity } = this
    return F.ctcLoss(logProbs, targets, inputLengths, targetLengths, { blank, reduction, zeroInfinity })
  }
}
