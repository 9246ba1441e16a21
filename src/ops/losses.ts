// Losses of nn.functional that compare element by element: regression, binary cross entropy, likelihoods.
// Those over classes are in class-losses.ts, those over distances in distances.ts.

import { noGrad } from '../autograd/mode.ts'
import { scalarTypeName } from '../core/dtype.ts'
import { RuntimeError, ValueError } from '../core/errors.ts'
import { sameSizes } from '../core/shape.ts'
import { sign } from '../kernels/differentiate.ts'
import type { Expr } from '../kernels/expr.ts'
import * as k from '../kernels/expr.ts'
import { Tensor } from '../tensor/tensor.ts'
import { logsigmoid } from './activations.ts'
import {
  checkFloating,
  checkPair,
  checkReduction,
  type ElementLoss,
  elementLoss,
  type LossReduction,
  type ReductionOption,
  reduceLoss,
} from './loss.ts'
import { xlogy } from './math-binary.ts'
import { checkTensor, type FunctionInfo, fn } from './op.ts'

export type { LossReduction, ReductionOption }

/** A loss without options of its own. */
export type Loss = (input: Tensor, target: Tensor, options?: ReductionOption) => Tensor

const pair = ['input', 'target'] as const
const noMethod = { method: false } as const

// ---- regression -----------------------------------------------------------------------------------------------------

/** Options of `mseLoss` and `l1Loss`. */
export interface WeightedOptions extends ReductionOption {
  /** A factor for each element; the mean is then over the weights. */
  weight?: Tensor | null
}

/** A loss with weights. */
export type WeightedLoss = (input: Tensor, target: Tensor, options?: WeightedOptions) => Tensor

const twice = (x: Expr): Expr => k.add(x, x)

const mse = elementLoss({
  name: 'mse',
  node: 'MseLossBackward0',
  kernel: ([x, y]) => {
    const d = k.sub(x, y)
    return k.mul(d, d)
  },
  partials: [([x, y]) => twice(k.sub(x, y)), ([x, y]) => twice(k.sub(y, x))],
})

// As PyTorch: the mean of weighted losses is divided by the sum of the weights.
function reduceWeighted(losses: Tensor, weight: Tensor, reduction: LossReduction): Tensor {
  checkReduction(reduction)
  const weighted = losses.mul(weight)
  if (reduction === 'none') return weighted
  return reduction === 'sum' ? weighted.sum() : weighted.sum().div(weight.sum())
}

function checkWeight(weight: Tensor, input: Tensor): void {
  if (!sameSizes(weight.sizes, input.sizes))
    throw new ValueError('Weights and input must have the same size.')
}

/** The squared difference `(input - target)^2`. Both broadcast, with a warning. */
export const mseLoss: WeightedLoss & FunctionInfo = fn<WeightedLoss>(
  'mse_loss',
  pair,
  ['reduction', 'weight'],
  (input: Tensor, target: Tensor, { reduction = 'mean', weight = null }: WeightedOptions) => {
    checkPair('mse_loss', input, target)
    if (weight === null) return mse([input, target], reduction)
    checkWeight(weight, input)
    return reduceWeighted(mse([input, target], 'none'), weight, reduction)
  },
  noMethod,
)

/** The absolute difference `|input - target|`. */
export const l1Loss: WeightedLoss & FunctionInfo = fn<WeightedLoss>(
  'l1_loss',
  pair,
  ['reduction', 'weight'],
  (input: Tensor, target: Tensor, { reduction = 'mean', weight = null }: WeightedOptions) => {
    checkPair('l1_loss', input, target)
    checkReduction(reduction)
    const losses = input.sub(target).abs()
    if (weight === null) return reduceLoss(losses, reduction)
    checkWeight(weight, input)
    return reduceWeighted(losses, weight, reduction)
  },
  noMethod,
)

/** Options of `smoothL1Loss`. */
export interface SmoothL1Options extends ReductionOption {
  /** Where the loss goes over from squares to absolute values; default 1. */
  beta?: number
}

/** The type of `smoothL1Loss`. */
export type SmoothL1Loss = (input: Tensor, target: Tensor, options?: SmoothL1Options) => Tensor

const smoothL1Slope = (d: Expr, beta: Expr): Expr => k.select(k.lt(k.abs(d), beta), k.div(d, beta), sign(d))

const smoothL1 = elementLoss({
  name: 'smooth_l1',
  node: 'SmoothL1LossBackward0',
  kernel: ([x, y], [beta]) => {
    const d = k.abs(k.sub(x, y))
    return k.select(k.lt(d, beta), k.div(k.mul(k.mul(d, d), 0.5), beta), k.sub(d, k.mul(beta, 0.5)))
  },
  partials: [
    ([x, y], [beta]) => smoothL1Slope(k.sub(x, y), beta),
    ([x, y], [beta]) => smoothL1Slope(k.sub(y, x), beta),
  ],
})

/** Squares below `beta`, absolute values above: `d^2 / (2 beta)` or `|d| - beta / 2`. */
export const smoothL1Loss: SmoothL1Loss & FunctionInfo = fn<SmoothL1Loss>(
  'smooth_l1_loss',
  pair,
  ['reduction', 'beta'],
  (input: Tensor, target: Tensor, { reduction = 'mean', beta = 1 }: SmoothL1Options) => {
    checkPair('smooth_l1_loss', input, target)
    if (beta < 0) throw new RuntimeError('smooth_l1_loss does not support negative values for beta.')
    return beta === 0 ? l1Loss(input, target, { reduction }) : smoothL1([input, target], reduction, [beta])
  },
  noMethod,
)

/** Options of `huberLoss`. */
export interface HuberOptions extends WeightedOptions {
  /** Where the loss goes over from squares to absolute values; default 1. */
  delta?: number
}

/** The type of `huberLoss`. */
export type HuberLoss = (input: Tensor, target: Tensor, options?: HuberOptions) => Tensor

const huberSlope = (d: Expr, delta: Expr): Expr => k.select(k.lt(k.abs(d), delta), d, k.mul(sign(d), delta))

const huber = elementLoss({
  name: 'huber',
  node: 'HuberLossBackward0',
  kernel: ([x, y], [delta]) => {
    const d = k.abs(k.sub(x, y))
    return k.select(k.lt(d, delta), k.mul(k.mul(d, d), 0.5), k.mul(delta, k.sub(d, k.mul(delta, 0.5))))
  },
  partials: [
    ([x, y], [delta]) => huberSlope(k.sub(x, y), delta),
    ([x, y], [delta]) => huberSlope(k.sub(y, x), delta),
  ],
})

/** `d^2 / 2` below `delta`, `delta (|d| - delta / 2)` above. */
export const huberLoss: HuberLoss & FunctionInfo = fn<HuberLoss>(
  'huber_loss',
  pair,
  ['reduction', 'delta', 'weight'],
  (input: Tensor, target: Tensor, { reduction = 'mean', delta = 1, weight = null }: HuberOptions) => {
    checkPair('huber_loss', input, target)
    checkReduction(reduction)
    if (!(delta > 0)) throw new RuntimeError('huber_loss does not support non-positive values for delta.')
    if (weight === null) return huber([input, target], reduction, [delta])
    checkWeight(weight, input)
    return reduceWeighted(huber([input, target], 'none', [delta]), weight, reduction)
  },
  noMethod,
)

// ---- binary cross entropy -------------------------------------------------------------------------------------------

const entropyExpr = ([x, y, weight]: readonly Expr[]): Expr => {
  const one = k.constant(1, x.type)
  // Logarithms are bounded, so that a certain and wrong answer costs 100 instead of infinity.
  const logX = k.max(k.log(x), -100)
  const logRest = k.max(k.log1p(k.neg(x)), -100)
  const loss = k.sub(k.mul(k.sub(y, one), logRest), k.mul(y, logX))
  return weight === undefined ? loss : k.mul(loss, weight)
}

const entropySlope = ([x, y, weight]: readonly Expr[]): Expr => {
  const one = k.constant(1, x.type)
  const slope = k.div(k.sub(x, y), k.max(k.mul(k.sub(one, x), x), 1e-12))
  return weight === undefined ? slope : k.mul(slope, weight)
}

const entropyTargetSlope = ([x, , weight]: readonly Expr[]): Expr => {
  const slope = k.sub(k.log1p(k.neg(x)), k.log(x))
  return weight === undefined ? slope : k.mul(slope, weight)
}

const entropy = [0, 1].map((weights) =>
  elementLoss({
    name: 'binary_cross_entropy',
    node: 'BinaryCrossEntropyBackward0',
    kernel: entropyExpr,
    partials: [entropySlope, entropyTargetSlope, ...(weights === 1 ? (['none'] as const) : [])],
  }),
)

/** Options of `binaryCrossEntropy`. */
export interface BinaryCrossEntropyOptions extends ReductionOption {
  /** A factor for each element, broadcast. */
  weight?: Tensor | null
}

/** The type of `binaryCrossEntropy`. */
export type BinaryCrossEntropy = (
  input: Tensor,
  target: Tensor,
  options?: BinaryCrossEntropyOptions,
) => Tensor

function checkProbabilities(x: Tensor): void {
  if (x.device.type !== 'cpu' || x.numel() === 0) return
  const inside = noGrad(() => x.ge(0).logicalAnd(x.le(1)).all().item())
  if (inside !== true)
    throw new RuntimeError(
      'all elements of input should be between 0 and 1 (apply .sigmoid() first, or use binaryCrossEntropyWithLogits)',
    )
}

/**
 * `-(target log(input) + (1 - target) log(1 - input))` for probabilities. Logarithms are at least -100.
 * @throws RuntimeError where a probability is not between 0 and 1, ValueError where the shapes differ.
 */
export const binaryCrossEntropy: BinaryCrossEntropy & FunctionInfo = fn<BinaryCrossEntropy>(
  'binary_cross_entropy',
  pair,
  ['weight', 'reduction'],
  (input: Tensor, target: Tensor, { weight = null, reduction = 'mean' }: BinaryCrossEntropyOptions) => {
    checkTensor('binary_cross_entropy', 'input', input)
    checkTensor('binary_cross_entropy', 'target', target)
    checkReduction(reduction)
    if (!sameSizes(input.sizes, target.sizes))
      throw new ValueError(
        `Using a target size (${target.shape}) that is different to the input size (${input.shape}) is deprecated. Please ensure they have the same size.`,
      )
    checkFloating(input, 'binary_cross_entropy')
    if (input.dtype !== target.dtype)
      throw new RuntimeError(
        `Found dtype ${scalarTypeName(target.dtype)} but expected ${scalarTypeName(input.dtype)}: convert the target with .to(input.dtype)`,
      )
    checkProbabilities(input)
    return weight === null
      ? entropy[0]([input, target], reduction)
      : entropy[1]([input, target, weight.to(input.dtype)], reduction)
  },
  noMethod,
)

/** Options of `binaryCrossEntropyWithLogits`. */
export interface BinaryCrossEntropyWithLogitsOptions extends BinaryCrossEntropyOptions {
  /** A factor for the positive answers, broadcast: above 1 for more recall. */
  posWeight?: Tensor | null
}

/** The type of `binaryCrossEntropyWithLogits`. */
export type BinaryCrossEntropyWithLogits = (
  input: Tensor,
  target: Tensor,
  options?: BinaryCrossEntropyWithLogitsOptions,
) => Tensor

const logitsLosses = new Map<string, ElementLoss>()

// Operands: logits, targets, then the weights that are given.
function logitsLoss(hasWeight: boolean, hasPosWeight: boolean): ElementLoss {
  const key = `${hasWeight} ${hasPosWeight}`
  let loss = logitsLosses.get(key)
  if (loss === undefined) {
    const weightOf = (operands: readonly Expr[]): Expr | null => (hasWeight ? operands[2] : null)
    const posWeightOf = (operands: readonly Expr[]): Expr | null =>
      hasPosWeight ? operands[hasWeight ? 3 : 2] : null
    const weighted = (e: Expr, operands: readonly Expr[]): Expr => {
      const weight = weightOf(operands)
      return weight === null ? e : k.mul(e, weight)
    }
    // log(1 + exp(-x)), the loss of a positive answer.
    const missed = (x: Expr): Expr =>
      k.add(k.log1p(k.exp(k.neg(k.abs(x)))), k.max(k.neg(x), k.constant(0, x.type)))
    loss = elementLoss({
      name: 'binary_cross_entropy_with_logits',
      node: 'BinaryCrossEntropyWithLogitsBackward0',
      kernel: (operands) => {
        const [x, y] = operands
        const posWeight = posWeightOf(operands)
        const one = k.constant(1, x.type)
        const positive = missed(x)
        const factor =
          posWeight === null ? positive : k.mul(k.add(k.mul(k.sub(posWeight, one), y), 1), positive)
        return weighted(k.add(k.mul(k.sub(one, y), x), factor), operands)
      },
      partials: [
        (operands) => {
          const [x, y] = operands
          const one = k.constant(1, x.type)
          const posWeight = posWeightOf(operands)
          const probability = k.div(one, k.add(one, k.exp(k.neg(k.max(x, -80)))))
          if (posWeight === null) return weighted(k.sub(probability, y), operands)
          const t = k.mul(posWeight, y)
          return weighted(k.sub(k.mul(k.sub(k.add(t, one), y), probability), t), operands)
        },
        (operands) => {
          const [x] = operands
          const posWeight = posWeightOf(operands)
          const slope = k.neg(x)
          if (posWeight === null) return weighted(slope, operands)
          return weighted(k.add(slope, k.mul(k.sub(posWeight, 1), missed(x))), operands)
        },
        ...(hasWeight ? [null] : []),
        ...(hasPosWeight ? [null] : []),
      ],
    })
    logitsLosses.set(key, loss)
  }
  return loss
}

/**
 * Binary cross entropy of `sigmoid(input)`, computed without overflow.
 * @throws ValueError where the shapes differ.
 */
export const binaryCrossEntropyWithLogits: BinaryCrossEntropyWithLogits & FunctionInfo =
  fn<BinaryCrossEntropyWithLogits>(
    'binary_cross_entropy_with_logits',
    pair,
    ['weight', 'reduction', 'posWeight'],
    (
      input: Tensor,
      target: Tensor,
      { weight = null, reduction = 'mean', posWeight = null }: BinaryCrossEntropyWithLogitsOptions,
    ) => {
      checkTensor('binary_cross_entropy_with_logits', 'input', input)
      checkTensor('binary_cross_entropy_with_logits', 'target', target)
      checkReduction(reduction)
      if (!sameSizes(input.sizes, target.sizes))
        throw new ValueError(`Target size (${target.shape}) must be the same as input size (${input.shape})`)
      checkFloating(input, 'log_sigmoid_cpu')
      if (target.dtype.kind !== 'float')
        throw new RuntimeError(
          `result type ${scalarTypeName(input.dtype)} can't be cast to the desired output type ${scalarTypeName(target.dtype)}: convert the target with .to(input.dtype)`,
        )
      const inputs = [input, target]
      if (weight !== null) inputs.push(weight)
      if (posWeight !== null) inputs.push(posWeight)
      return logitsLoss(weight !== null, posWeight !== null)(inputs, reduction)
    },
    noMethod,
  )

// ---- divergences and likelihoods ------------------------------------------------------------------------------------

/** Options of `klDiv`. */
export interface KlDivOptions {
  /** 'batchmean' divides the sum by the batch size, which is what the divergence means; default 'mean'. */
  reduction?: LossReduction | 'batchmean'
  /** Whether the target holds logarithms; default false. */
  logTarget?: boolean
}

/** The type of `klDiv`. */
export type KlDiv = (input: Tensor, target: Tensor, options?: KlDivOptions) => Tensor

/** `target (log(target) - input)`: the Kullback-Leibler divergence, the input in logarithms. */
export const klDiv: KlDiv & FunctionInfo = fn<KlDiv>(
  'kl_div',
  pair,
  ['reduction', 'logTarget'],
  (input: Tensor, target: Tensor, { reduction = 'mean', logTarget = false }: KlDivOptions) => {
    checkTensor('kl_div', 'input', input)
    checkTensor('kl_div', 'target', target)
    if (reduction !== 'batchmean') checkReduction(reduction)
    if (input.dtype.kind !== 'float' || target.dtype.kind !== 'float')
      throw new RuntimeError('kl_div: Integral inputs not supported. Convert them with .float().')
    const losses = logTarget
      ? target.exp().mul(target.sub(input))
      : xlogy(target, target).sub(target.mul(input))
    if (reduction !== 'batchmean') return reduceLoss(losses, reduction)
    return input.ndim === 0 ? losses.sum() : losses.sum().div(input.sizes[0])
  },
  noMethod,
)

/** Options of `poissonNllLoss`. */
export interface PoissonNllOptions extends ReductionOption {
  /** Whether the input is the logarithm of the rate; default true. */
  logInput?: boolean
  /** Whether to add Stirling's approximation of the constant term; default false. */
  full?: boolean
  /** Keeps the logarithm of a rate of 0 finite; default 1e-8. */
  eps?: number
}

/** The type of `poissonNllLoss`. */
export type PoissonNllLoss = (input: Tensor, target: Tensor, options?: PoissonNllOptions) => Tensor

/** The negative log likelihood of counts under a Poisson distribution: `exp(input) - target input`. */
export const poissonNllLoss: PoissonNllLoss & FunctionInfo = fn<PoissonNllLoss>(
  'poisson_nll_loss',
  pair,
  ['logInput', 'full', 'eps', 'reduction'],
  (
    input: Tensor,
    target: Tensor,
    { logInput = true, full = false, eps = 1e-8, reduction = 'mean' }: PoissonNllOptions,
  ) => {
    checkTensor('poisson_nll_loss', 'input', input)
    checkTensor('poisson_nll_loss', 'target', target)
    checkReduction(reduction)
    let losses = logInput ? input.exp().sub(target.mul(input)) : input.sub(target.mul(input.add(eps).log()))
    if (full) {
      const stirling = target
        .mul(target.log())
        .sub(target)
        .add(
          target
            .mul(2 * Math.PI)
            .log()
            .mul(0.5),
        )
      losses = losses.add(stirling.maskedFill(target.le(1), 0))
    }
    return reduceLoss(losses, reduction)
  },
  noMethod,
)

/** Options of `gaussianNllLoss`. */
export interface GaussianNllOptions extends ReductionOption {
  /** Whether to add the constant term; default false. */
  full?: boolean
  /** The least variance; default 1e-6. */
  eps?: number
}

/** The type of `gaussianNllLoss`. */
export type GaussianNllLoss = (
  input: Tensor,
  target: Tensor,
  variance: Tensor | number,
  options?: GaussianNllOptions,
) => Tensor

/**
 * The negative log likelihood under a normal distribution: `(log(var) + (input - target)^2 / var) / 2`.
 * @param variance of the input's shape, with a last dimension of 1 or none, or one number for all.
 */
export const gaussianNllLoss: GaussianNllLoss & FunctionInfo = fn<GaussianNllLoss>(
  'gaussian_nll_loss',
  ['input', 'target', 'var'],
  ['full', 'eps', 'reduction'],
  (
    input: Tensor,
    target: Tensor,
    variance: Tensor | number,
    { full = false, eps = 1e-6, reduction = 'mean' }: GaussianNllOptions,
  ) => {
    checkTensor('gaussian_nll_loss', 'input', input)
    checkTensor('gaussian_nll_loss', 'target', target)
    let spread = variance instanceof Tensor ? variance : input.detach().mul(0).add(1).mul(variance)
    const negative =
      variance instanceof Tensor
        ? variance.device.type === 'cpu' && variance.lt(0).any().item() === true
        : variance < 0
    if (negative) throw new ValueError('var has negative entry/entries')
    // One variance for each row: its last dimension may be missing, or one of its dimensions may be 1.
    if (!sameSizes(spread.sizes, input.sizes)) {
      const differing = spread.sizes.filter((n, d) => n !== input.sizes[d])
      if (input.ndim > 0 && sameSizes(input.sizes.slice(0, -1), spread.sizes)) spread = spread.unsqueeze(-1)
      else if (spread.ndim !== input.ndim || differing.length !== 1 || differing[0] !== 1)
        throw new ValueError('var is of incorrect size')
    }
    if (!['none', 'mean', 'sum'].includes(reduction))
      throw new ValueError(`${String(reduction)} is not valid`)
    // The bound is not differentiated: the gradient reaches small variances too.
    const bounded = spread.clone()
    noGrad(() => bounded.clamp_(eps))
    const losses = bounded.log().add(input.sub(target).pow(2).div(bounded)).mul(0.5)
    return reduceLoss(full ? losses.add(0.5 * Math.log(2 * Math.PI)) : losses, reduction)
  },
  noMethod,
)

// ---- margins of single scores ---------------------------------------------------------------------------------------

/** Options of losses with a margin. */
export interface MarginOptions extends ReductionOption {
  /** How far apart scores are to be. */
  margin?: number
}

/** The type of `hingeEmbeddingLoss`. */
export type MarginLoss = (input: Tensor, target: Tensor, options?: MarginOptions) => Tensor

/** `input` where the target is 1, `max(0, margin - input)` where it is -1. Default margin 1. */
export const hingeEmbeddingLoss: MarginLoss & FunctionInfo = fn<MarginLoss>(
  'hinge_embedding_loss',
  pair,
  ['margin', 'reduction'],
  (input: Tensor, target: Tensor, { margin = 1, reduction = 'mean' }: MarginOptions) => {
    checkTensor('hinge_embedding_loss', 'input', input)
    checkTensor('hinge_embedding_loss', 'target', target)
    checkReduction(reduction)
    const apart = input.rsub(margin).clampMin(0)
    const negative = apart.where(target.ne(1), 0)
    const positive = input.where(target.ne(-1), 0)
    return reduceLoss(negative.add(positive), reduction)
  },
  noMethod,
)

const softMargin = elementLoss({
  name: 'soft_margin_loss',
  node: 'SoftMarginLossBackward0',
  kernel: ([x, y]) => k.log1p(k.exp(k.neg(k.mul(x, y)))),
  partials: [
    ([x, y]) => {
      const z = k.exp(k.min(k.neg(k.mul(x, y)), 80))
      return k.div(k.neg(k.mul(y, z)), k.add(z, 1))
    },
    'none',
  ],
})

/** `log(1 + exp(-target input))`, the target 1 or -1. */
export const softMarginLoss: Loss & FunctionInfo = fn<Loss>(
  'soft_margin_loss',
  pair,
  ['reduction'],
  (input: Tensor, target: Tensor, { reduction = 'mean' }: ReductionOption) => {
    checkTensor('soft_margin_loss', 'input', input)
    checkTensor('soft_margin_loss', 'target', target)
    return softMargin([input, target], reduction)
  },
  noMethod,
)

/** The type of `marginRankingLoss`. */
export type MarginRankingLoss = (
  input1: Tensor,
  input2: Tensor,
  target: Tensor,
  options?: MarginOptions,
) => Tensor

/** `max(0, -target (input1 - input2) + margin)`: a target of 1 says that the first is to rank higher. Default margin 0. */
export const marginRankingLoss: MarginRankingLoss & FunctionInfo = fn<MarginRankingLoss>(
  'margin_ranking_loss',
  ['input1', 'input2', 'target'],
  ['margin', 'reduction'],
  (input1: Tensor, input2: Tensor, target: Tensor, { margin = 0, reduction = 'mean' }: MarginOptions) => {
    checkTensor('margin_ranking_loss', 'input1', input1)
    checkTensor('margin_ranking_loss', 'input2', input2)
    checkTensor('margin_ranking_loss', 'target', target)
    checkReduction(reduction)
    if (input1.ndim !== input2.ndim || input1.ndim !== target.ndim)
      throw new RuntimeError(
        `margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: ${input1.shape}, input2: ${input2.shape}, target: ${target.shape} `,
      )
    return reduceLoss(target.neg().mul(input1.sub(input2)).add(margin).clampMin(0), reduction)
  },
  noMethod,
)

/** The type of `multilabelSoftMarginLoss`. */
export type MultilabelSoftMarginLoss = (input: Tensor, target: Tensor, options?: WeightedOptions) => Tensor

/** Binary cross entropy of each class's logit, the mean over the classes (the last dimension). */
export const multilabelSoftMarginLoss: MultilabelSoftMarginLoss & FunctionInfo = fn<MultilabelSoftMarginLoss>(
  'multilabel_soft_margin_loss',
  pair,
  ['weight', 'reduction'],
  (input: Tensor, target: Tensor, { weight = null, reduction = 'mean' }: WeightedOptions) => {
    checkTensor('multilabel_soft_margin_loss', 'input', input)
    checkTensor('multilabel_soft_margin_loss', 'target', target)
    const positive = target.mul(logsigmoid(input))
    const negative = target.rsub(1).mul(logsigmoid(input.neg()))
    const losses = positive.add(negative).neg()
    const weighted = weight === null ? losses : losses.mul(weight)
    return reduceLoss(weighted.sum(-1).div(input.sizes[input.ndim - 1]), reduction)
  },
  noMethod,
)
