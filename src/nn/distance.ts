// Distances and similarities of pairs of vectors.

import type { Tensor } from '../tensor/tensor.ts'
import * as F from './functional.ts'
import { Module } from './module.ts'
import { readOptions } from './options.ts'

/** Options of `nn.CosineSimilarity`. */
export interface CosineSimilarityOptions {
  /** The dimension that holds the vectors; default 1. */
  dim?: number
  /** The smallest norm; default 1e-8. */
  eps?: number
}

/** The cosine of the angle between vectors along `dim`. */
export class CosineSimilarity extends Module {
  dim: number
  eps: number

  constructor(dim?: number, options?: CosineSimilarityOptions)
  constructor(options?: CosineSimilarityOptions)
  constructor(first?: number | CosineSimilarityOptions, rest?: CosineSimilarityOptions) {
    super()
    const options = readOptions<CosineSimilarityOptions>('CosineSimilarity', ['dim', 'eps'], first, rest)
    this.dim = options.dim ?? 1
    this.eps = options.eps ?? 1e-8
  }

  override forward(x1: Tensor, x2: Tensor): Tensor {
    return F.cosineSimilarity(x1, x2, { dim: this.dim, eps: this.eps })
  }
}

/** Options of `nn.PairwiseDistance`. */
export interface PairwiseDistanceOptions {
  /** Of the norm; default 2. */
  p?: number
  /** Added to the differences; default 1e-6. */
  eps?: number
  keepdim?: boolean
}

/** The p-norm of the difference of vectors along the last dimension. */
export class PairwiseDistance extends Module {
  norm: number
  eps: number
  keepdim: boolean

  constructor(p?: number, options?: PairwiseDistanceOptions)
  constructor(options?: PairwiseDistanceOptions)
  constructor(first?: number | PairwiseDistanceOptions, rest?: PairwiseDistanceOptions) {
    super()
    const options = readOptions<PairwiseDistanceOptions>(
      'PairwiseDistance',
      ['p', 'eps', 'keepdim'],
      first,
      rest,
    )
    this.norm = options.p ?? 2
    this.eps = options.eps ?? 1e-6
    this.keepdim = options.keepdim ?? false
  }

  override forward(x1: Tensor, x2: Tensor): Tensor {
    return F.pairwiseDistance(x1, x2, { p: this.norm, eps: this.eps, keepdim: this.keepdim })
  }
}
