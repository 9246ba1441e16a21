// Similarities and distances of vectors, and the losses made of them.

import { noGrad } from '../autograd/mode.ts'
import { scalarTypeName } from '../core/dtype.ts'
import { RuntimeError, ValueError } from '../core/errors.ts'
import { promoteTypes } from '../core/promotion.ts'
import { formatSizes, wrapDim } from '../core/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { minimum } from './arithmetic.ts'
import { where } from './choices.ts'
import { broadcastTensors } from './joining.ts'
import { checkReduction, type LossReduction, type ReductionOption, reduceLoss } from './loss.ts'
import { type NormAttributes, vectorNorm, vectorNormOp } from './norms.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'

/** Options of `cosineSimilarity`. */
export interface CosineSimilarityOptions {
  /** The dimension of the vectors; default 1. */
  dim?: number
  /** The least length to divide by; default 1e-8. */
  eps?: number
}

/** The type of `cosineSimilarity`. */
export interface CosineSimilarity {
  (x1: Tensor, x2: Tensor, dim: number, options?: { eps?: number }): Tensor
  (x1: Tensor, x2: Tensor, options?: CosineSimilarityOptions): Tensor
}

/** `x1 · x2 / (|x1| |x2|)` along `dim`; the two broadcast. */
export const cosineSimilarity: CosineSimilarity & FunctionInfo = fn<CosineSimilarity>(
  'cosine_similarity',
  ['x1', 'x2'],
  ['dim', 'eps'],
  (x1: Tensor, x2: Tensor, { dim = 1, eps = 1e-8 }: CosineSimilarityOptions) => {
    checkTensor('cosine_similarity', 'x1', x1)
    checkTensor('cosine_similarity', 'x2', x2)
    const dtype = promoteTypes(x1.dtype, x2.dtype)
    if (dtype.kind !== 'float')
      throw new RuntimeError(
        `expected common dtype to be floating point, yet common dtype is ${scalarTypeName(dtype)}`,
      )
    const [a, b] = broadcastTensors(x1.to(dtype), x2.to(dtype))
    const d = wrapDim(dim, a.ndim)
    const unit = (x: Tensor): Tensor => {
      const length = vectorNorm(x, 2, { dim: d, keepdim: true }).clone()
      // As in PyTorch, the bound is not differentiated.
      noGrad(() => length.clamp_(eps))
      return x.div(length)
    }
    return unit(a).mul(unit(b)).sum(d)
  },
  { method: false },
)

/** Options of `pairwiseDistance`. */
export interface PairwiseDistanceOptions {
  /** Which norm; default 2. */
  p?: number
  /** Added to each difference, so that the norm has a derivative; default 1e-6. */
  eps?: number
  /** Keeps the last dimension, with size 1. */
  keepdim?: boolean
}

/** The type of `pairwiseDistance`. */
export interface PairwiseDistance {
  (x1: Tensor, x2: Tensor, p: number, options?: Omit<PairwiseDistanceOptions, 'p'>): Tensor
  (x1: Tensor, x2: Tensor, options?: PairwiseDistanceOptions): Tensor
}

const distanceNorm: Op<NormAttributes> = { ...vectorNormOp, node: 'NormBackward1' }

/** The p-norm of `x1 - x2 + eps` along the last dimension. */
export const pairwiseDistance: PairwiseDistance & FunctionInfo = fn<PairwiseDistance>(
  'pairwise_distance',
  ['x1', 'x2'],
  ['p', 'eps', 'keepdim'],
  (x1: Tensor, x2: Tensor, { p = 2, eps = 1e-6, keepdim = false }: PairwiseDistanceOptions) => {
    checkTensor('pairwise_distance', 'x1', x1)
    checkTensor('pairwise_distance', 'x2', x2)
    const signed = x1.sub(x2).add(eps)
    const difference = signed.dtype.isComplex ? signed.abs() : signed
    const dims = difference.ndim === 0 ? [] : [difference.ndim - 1]
    return apply(distanceNorm, [difference], { p, dims, keepdim, dtype: difference.dtype, named: true })
  },
  { method: false },
)

/** Options of `cosineEmbeddingLoss`. */
export interface CosineEmbeddingOptions extends ReductionOption {
  /** The similarity up to which different vectors cost nothing; default 0. */
  margin?: number
}

/** The type of `cosineEmbeddingLoss`. */
export type CosineEmbeddingLoss = (
  input1: Tensor,
  input2: Tensor,
  target: Tensor,
  options?: CosineEmbeddingOptions,
) => Tensor

/** `1 - cos` where the target is 1, `max(0, cos - margin)` where it is -1. */
export const cosineEmbeddingLoss: CosineEmbeddingLoss & FunctionInfo = fn<CosineEmbeddingLoss>(
  'cosine_embedding_loss',
  ['input1', 'input2', 'target'],
  ['margin', 'reduction'],
  (
    input1: Tensor,
    input2: Tensor,
    target: Tensor,
    { margin = 0, reduction = 'mean' }: CosineEmbeddingOptions,
  ) => {
    checkTensor('cosine_embedding_loss', 'input1', input1)
    checkTensor('cosine_embedding_loss', 'input2', input2)
    checkTensor('cosine_embedding_loss', 'target', target)
    checkReduction(reduction)
    const sizes = `inputs with sizes ${formatSizes(input1.sizes)} and ${formatSizes(input2.sizes)}.`
    if (target.ndim !== 0 && target.ndim !== 1)
      throw new RuntimeError('0D or 1D target tensor expected, multi-target not supported')
    if (target.ndim === 1 && input1.ndim !== 2)
      throw new RuntimeError(`1D target tensor expects 2D input tensors, but found ${sizes}`)
    if (target.ndim === 0 && input1.ndim !== 1)
      throw new RuntimeError(`0D target tensor expects 1D input tensors, but found ${sizes}`)
    const dim = target.ndim
    const product = input1.mul(input2).sum(dim)
    const square = (x: Tensor): Tensor => x.mul(x).sum(dim).add(1e-12)
    const cosine = product.div(square(input1).mul(square(input2)).sqrt())
    const positive = where(target.eq(1), cosine.rsub(1), 0)
    const negative = where(target.eq(-1), cosine.sub(margin).clampMin(0), 0)
    return reduceLoss(positive.add(negative), reduction)
  },
  { method: false },
)

/** Options of `tripletMarginLoss`. */
export interface TripletMarginOptions extends ReductionOption {
  /** How much nearer the positive example is to be; default 1. */
  margin?: number
  /** Which norm; default 2. */
  p?: number
  /** Added to each difference; default 1e-6. */
  eps?: number
  /** Whether the distance between the positive and the negative example counts where it is the smaller. */
  swap?: boolean
}

/** The type of `tripletMarginLoss`. */
export type TripletMarginLoss = (
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options?: TripletMarginOptions,
) => Tensor

function checkTriplet(anchor: Tensor, positive: Tensor, negative: Tensor, margin: number): void {
  checkTensor('triplet_margin_loss', 'anchor', anchor)
  checkTensor('triplet_margin_loss', 'positive', positive)
  checkTensor('triplet_margin_loss', 'negative', negative)
  if (!(margin > 0)) throw new ValueError(`margin must be greater than 0, got ${margin}`)
  if (anchor.ndim !== positive.ndim || anchor.ndim !== negative.ndim)
    throw new RuntimeError(
      `The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: anchor ${anchor.ndim}D, positive ${positive.ndim}D, and negative ${negative.ndim}D inputs`,
    )
}

function tripletLoss(
  distance: (a: Tensor, b: Tensor) => Tensor,
  [anchor, positive, negative]: readonly Tensor[],
  margin: number,
  swap: boolean,
  reduction: LossReduction,
): Tensor {
  checkReduction(reduction)
  const near = distance(anchor, positive)
  let far = distance(anchor, negative)
  if (swap) far = minimum(far, distance(positive, negative))
  return reduceLoss(near.sub(far).add(margin).clampMin(0), reduction)
}

/** `max(0, |anchor - positive| - |anchor - negative| + margin)`. */
export const tripletMarginLoss: TripletMarginLoss & FunctionInfo = fn<TripletMarginLoss>(
  'triplet_margin_loss',
  ['anchor', 'positive', 'negative'],
  ['margin', 'p', 'eps', 'swap', 'reduction'],
  (anchor: Tensor, positive: Tensor, negative: Tensor, options: TripletMarginOptions) => {
    const { margin = 1, p = 2, eps = 1e-6, swap = false, reduction = 'mean' } = options
    checkTriplet(anchor, positive, negative, margin)
    const distance = (a: Tensor, b: Tensor): Tensor => pairwiseDistance(a, b, { p, eps })
    return tripletLoss(distance, [anchor, positive, negative], margin, swap, reduction)
  },
  { method: false },
)

/** Options of `tripletMarginWithDistanceLoss`. */
export interface TripletMarginWithDistanceOptions extends ReductionOption {
  /** The distance of two tensors; default `pairwiseDistance`. */
  distanceFunction?: ((a: Tensor, b: Tensor) => Tensor) | null
  /** How much nearer the positive example is to be; default 1. */
  margin?: number
  /** Whether the distance between the positive and the negative example counts where it is the smaller. */
  swap?: boolean
}

/** The type of `tripletMarginWithDistanceLoss`. */
export type TripletMarginWithDistanceLoss = (
  anchor: Tensor,
  positive: Tensor,
  negative: Tensor,
  options?: TripletMarginWithDistanceOptions,
) => Tensor

/** `tripletMarginLoss` with a distance of one's own. */
export const tripletMarginWithDistanceLoss: TripletMarginWithDistanceLoss & FunctionInfo =
  fn<TripletMarginWithDistanceLoss>(
    'triplet_margin_with_distance_loss',
    ['anchor', 'positive', 'negative'],
    ['distanceFunction', 'margin', 'swap', 'reduction'],
    (anchor: Tensor, positive: Tensor, negative: Tensor, options: TripletMarginWithDistanceOptions) => {
      const { distanceFunction = null, margin = 1, swap = false, reduction = 'mean' } = options
      checkTriplet(anchor, positive, negative, margin)
      const distance = distanceFunction ?? ((a: Tensor, b: Tensor): Tensor => pairwiseDistance(a, b))
      return tripletLoss(distance, [anchor, positive, negative], margin, swap, reduction)
    },
    { method: false },
  )
