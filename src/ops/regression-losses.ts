// Losses of nn.functional that compare numbers: squared and absolute differences and what is between the two.

import { RuntimeError, ValueError } from '../core/errors.ts'
import { sameSizes } from '../core/shape.ts'
import { sign } from '../kernels/differentiate.ts'
import type { Expr } from '../kernels/expr.ts'
import * as k from '../kernels/expr.ts'
import type { Tensor } from '../tensor/tensor.ts'
import {
  checkPair,
  checkReduction,
  elementLoss,
  type LossReduction,
  noMethod,
  pair,
  type ReductionOption,
  reduceLoss,
  type WeightedLoss,
  type WeightedOptions,
} from './loss.ts'
import { type FunctionInfo, fn } from './op.ts'

// ---- regression -----------------------------------------------------------------------------------------------------

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
