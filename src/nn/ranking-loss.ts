// Losses that rank inputs or compare embeddings.

import { ValueError } from '../core/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { PairwiseDistance } from './distance.ts'
import * as F from './functional.ts'
import { Loss, type LossOptions, WeightedLoss } from './loss.ts'
import { readOptions } from './options.ts'

const common = ['reduction', 'sizeAverage', 'reduce'] as const

/** Options of `nn.HingeEmbeddingLoss`. */
export interface HingeEmbeddingLossOptions extends LossOptions {
  /** Default 1. */
  margin?: number
}

/** The input where the target is 1, max(0, margin - input) where it is -1. */
export class HingeEmbeddingLoss extends Loss {
  margin: number

  constructor(margin?: number, options?: HingeEmbeddingLossOptions)
  constructor(options?: HingeEmbeddingLossOptions)
  constructor(first?: number | HingeEmbeddingLossOptions, rest?: HingeEmbeddingLossOptions) {
    const options = readOptions<HingeEmbeddingLossOptions>(
      'HingeEmbeddingLoss',
      ['margin', ...common],
      first,
      rest,
    )
    super(options)
    this.margin = options.margin ?? 1
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    return F.hingeEmbeddingLoss(input, target, { margin: this.margin, reduction: this.reduction })
  }
}

/** Options of `nn.CosineEmbeddingLoss`. */
export interface CosineEmbeddingLossOptions extends LossOptions {
  /** Default 0. */
  margin?: number
}

/** 1 - cos(a, b) where the target is 1, max(0, cos(a, b) - margin) where it is -1. */
export class CosineEmbeddingLoss extends Loss {
  margin: number

  constructor(margin?: number, options?: CosineEmbeddingLossOptions)
  constructor(options?: CosineEmbeddingLossOptions)
  constructor(first?: number | CosineEmbeddingLossOptions, rest?: CosineEmbeddingLossOptions) {
    const options = readOptions<CosineEmbeddingLossOptions>(
      'CosineEmbeddingLoss',
      ['margin', ...common],
      first,
      rest,
    )
    super(options)
    this.margin = options.margin ?? 0
  }

  override forward(input1: Tensor, input2: Tensor, target: Tensor): Tensor {
    return F.cosineEmbeddingLoss(input1, input2, target, { margin: this.margin, reduction: this.reduction })
  }
}

/** Options of `nn.MarginRankingLoss`. */
export interface MarginRankingLossOptions extends LossOptions {
  /** Default 0. */
  margin?: number
}

/** max(0, -target * (input1 - input2) + margin), targets 1 and -1. */
export class MarginRankingLoss extends Loss {
  margin: number

  constructor(margin?: number, options?: MarginRankingLossOptions)
  constructor(options?: MarginRankingLossOptions)
  constructor(first?: number | MarginRankingLossOptions, rest?: MarginRankingLossOptions) {
    const options = readOptions<MarginRankingLossOptions>(
      'MarginRankingLoss',
      ['margin', ...common],
      first,
      rest,
    )
    super(options)
    this.margin = options.margin ?? 0
  }

  override forward(input1: Tensor, input2: Tensor, target: Tensor): Tensor {
    return F.marginRankingLoss(input1, input2, target, { margin: this.margin, reduction: this.reduction })
  }
}

/** Options of `nn.MultiMarginLoss`. */
export interface MultiMarginLossOptions extends LossOptions {
  /** The power of the margins, 1 (default) or 2. */
  p?: number
  /** Default 1. */
  margin?: number
  /** A weight for each class. */
  weight?: Tensor | null
}

/** The margins between the target's input and those of the other classes: `[N, C]` and `[N]`. */
export class MultiMarginLoss extends WeightedLoss {
  p: number
  margin: number

  constructor(p?: number, options?: MultiMarginLossOptions)
  constructor(options?: MultiMarginLossOptions)
  constructor(first?: number | MultiMarginLossOptions, rest?: MultiMarginLossOptions) {
    const known = ['p', 'margin', 'weight', ...common] as const
    const options = readOptions<MultiMarginLossOptions>('MultiMarginLoss', known, first, rest)
    const { p = 1, margin = 1 } = options
    super(options)
    if (p !== 1 && p !== 2) throw new ValueError('only p == 1 and p == 2 supported')
    this.p = p
    this.margin = margin
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    const { p, margin, weight, reduction } = this
    return F.multiMarginLoss(input, target, { p, margin, weight, reduction })
  }
}

/** Options of `nn.TripletMarginLoss`. */
export interface TripletMarginLossOptions extends LossOptions {
  /** Default 1. */
  margin?: number
  /** The norm of the distances; default 2. */
  p?: number
  /** Default 1e-6. */
  eps?: number
  /** Whether the nearer of anchor and positive counts as far as the negative is concerned; default false. */
  swap?: boolean
}

/** max(0, d(anchor, positive) - d(anchor, negative) + margin), with the distance of a p-norm. */
export class TripletMarginLoss extends Loss {
  margin: number
  p: number
  eps: number
  swap: boolean

  constructor(margin?: number, options?: TripletMarginLossOptions)
  constructor(options?: TripletMarginLossOptions)
  constructor(first?: number | TripletMarginLossOptions, rest?: TripletMarginLossOptions) {
    const known = ['margin', 'p', 'eps', 'swap', ...common] as const
    const options = readOptions<TripletMarginLossOptions>('TripletMarginLoss', known, first, rest)
    super(options)
    this.margin = options.margin ?? 1
    if (this.margin <= 0)
      throw new ValueError(
        `TripletMarginLoss: expected margin to be greater than 0, got ${this.margin} instead`,
      )
    this.p = options.p ?? 2
    this.eps = options.eps ?? 1e-6
    this.swap = options.swap ?? false
  }

  override forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    const { margin, p, eps, swap, reduction } = this
    return F.tripletMarginLoss(anchor, positive, negative, { margin, p, eps, swap, reduction })
  }
}

/** A distance of two tensors: a function or a module such as `nn.PairwiseDistance`. */
export type DistanceFunction = (a: Tensor, b: Tensor) => Tensor

/** Options of `nn.TripletMarginWithDistanceLoss`. */
export interface TripletMarginWithDistanceLossOptions extends Pick<LossOptions, 'reduction'> {
  /** Default `nn.PairwiseDistance()`. */
  distanceFunction?: DistanceFunction | null
  margin?: number
  swap?: boolean
}

/** TripletMarginLoss with a distance of one's own. */
export class TripletMarginWithDistanceLoss extends Loss {
  distance_function: DistanceFunction
  margin: number
  swap: boolean

  constructor(distanceFunction?: DistanceFunction | null, options?: TripletMarginWithDistanceLossOptions)
  constructor(options?: TripletMarginWithDistanceLossOptions)
  constructor(
    first?: DistanceFunction | null | TripletMarginWithDistanceLossOptions,
    rest?: TripletMarginWithDistanceLossOptions,
  ) {
    const known = ['distanceFunction', 'margin', 'swap', 'reduction'] as const
    const options = readOptions<TripletMarginWithDistanceLossOptions>(
      'TripletMarginWithDistanceLoss',
      known,
      first,
      rest,
    )
    super(options)
    this.margin = options.margin ?? 1
    if (this.margin <= 0)
      throw new ValueError(
        `TripletMarginWithDistanceLoss: expected margin to be greater than 0, got ${this.margin} instead`,
      )
    this.distance_function = options.distanceFunction ?? new PairwiseDistance()
    this.swap = options.swap ?? false
  }

  override forward(anchor: Tensor, positive: Tensor, negative: Tensor): Tensor {
    const { distance_function: distanceFunction, margin, swap, reduction } = this
    return F.tripletMarginWithDistanceLoss(anchor, positive, negative, {
      distanceFunction,
      margin,
      swap,
      reduction,
    })
  }
}
