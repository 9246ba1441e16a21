// Cross entropy of nn.functional: class indices or probabilities, smoothed labels.

import { scalarTypeName } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { formatSizes, sameSizes } from '../core/shape.ts'
import * as k from '../kernels/expr.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkFloating, checkReduction, noMethod } from './loss.ts'
import { checkClassWeight, classDimOf, matchTarget, type NllLossOptions, nllLoss } from './nll-loss.ts'
import { checkTensor, type FunctionInfo, fn } from './op.ts'
import { pointwise } from './pointwise.ts'
import { logSoftmax } from './softmax.ts'

// ---- cross entropy --------------------------------------------------------------------------------------------------

/** Options of `crossEntropy`. */
export interface CrossEntropyOptions extends NllLossOptions {
  /** How much of the probability is spread evenly over all classes, between 0 and 1; default 0. */
  labelSmoothing?: number
}

/** The type of `crossEntropy`. */
export type CrossEntropy = (input: Tensor, target: Tensor, options?: CrossEntropyOptions) => Tensor

/** Weights in the shape in which they broadcast against the scores. */
function alongClasses(weight: Tensor, input: Tensor, classDim: number): Tensor {
  return weight.view(input.sizes.map((n, d) => (d === classDim ? n : 1)))
}

const dividedByNumber = pointwise({
  name: 'div',
  node: 'DivBackward1',
  kernel: ([a, b]) => k.div(a, b),
  backward: (g, { attributes }) => [g.div(attributes.operands[1] as number)],
})

function probabilityLoss(input: Tensor, target: Tensor, options: Required<CrossEntropyOptions>): Tensor {
  const { weight, reduction, labelSmoothing } = options
  const classDim = classDimOf(input.ndim)
  const classes = input.sizes[classDim]
  if (target.dtype.kind !== 'float')
    throw new RuntimeError(
      `Expected floating point type for target with class probabilities, got ${scalarTypeName(target.dtype)}. A target of the input's shape holds probabilities; class indices have shape ${formatSizes(input.sizes.filter((_, d) => d !== classDim))}.`,
    )
  const scores = logSoftmax(input, classDim)
  const goal = labelSmoothing > 0 ? target.mul(1 - labelSmoothing).add(labelSmoothing / classes) : target
  const product = scores.mul(goal)
  const losses = weight === null ? product : product.mul(alongClasses(weight, input, classDim))
  if (reduction === 'none') return losses.sum(classDim).neg()
  const total = losses.sum().neg()
  return reduction === 'sum' ? total : dividedByNumber([total, input.numel() / classes])
}

function smoothedLoss(input: Tensor, target: Tensor, options: Required<CrossEntropyOptions>): Tensor {
  const { weight, reduction, labelSmoothing, ignoreIndex } = options
  const classDim = classDimOf(input.ndim)
  const classes = input.sizes[classDim]
  const scores = logSoftmax(input, classDim)
  const nll = nllLoss(scores, target, { weight, ignoreIndex, reduction })
  const matched = matchTarget(input, target)
  const ignored = matched.eq(ignoreIndex)
  const weighted = weight === null ? scores : scores.mul(alongClasses(weight, input, classDim))
  const spread = weighted.sum(classDim).neg().maskedFill(ignored, 0)
  let smooth = spread
  if (reduction === 'sum') smooth = spread.sum()
  else if (reduction === 'mean') {
    const known = ignored.logicalNot()
    const count =
      weight === null
        ? known.sum().to(input.dtype)
        : weight.take(matched.long().maskedFill(ignored, 0)).mul(known).sum()
    smooth = spread.sum().div(count)
  }
  return nll.mul(1 - labelSmoothing).add(smooth.mul(labelSmoothing / classes))
}

/**
 * The negative log likelihood of `logSoftmax(input)` over dimension 1 (0 for one sample).
 * @param input logits: [C], [N, C] or [N, C, d1, ...].
 * @param target int64 class indices ([], [N] or [N, d1, ...]), or class probabilities of the input's shape.
 * @throws IndexError for a class that does not exist, ValueError and RuntimeError where shapes or dtypes do not fit.
 * @example F.crossEntropy(logits, torch.tensor([2, 0]), { labelSmoothing: 0.1 })
 */
export const crossEntropy: CrossEntropy & FunctionInfo = fn<CrossEntropy>(
  'cross_entropy',
  ['input', 'target'],
  ['weight', 'ignoreIndex', 'reduction', 'labelSmoothing'],
  (input: Tensor, target: Tensor, given: CrossEntropyOptions) => {
    const { weight = null, ignoreIndex = -100, reduction = 'mean', labelSmoothing = 0 } = given
    checkTensor('cross_entropy', 'input', input)
    checkTensor('cross_entropy', 'target', target)
    checkReduction(reduction)
    if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
      throw new RuntimeError(`label_smoothing must be between 0.0 and 1.0. Got: ${labelSmoothing}`)
    const options = { weight, ignoreIndex, reduction, labelSmoothing }
    checkFloating(input, 'log_softmax_lastdim_kernel_impl')
    if (weight !== null && input.ndim > 0)
      checkClassWeight(weight, input, input.sizes[classDimOf(input.ndim)])
    if (sameSizes(input.sizes, target.sizes)) return probabilityLoss(input, target, options)
    if (labelSmoothing > 0) return smoothedLoss(input, target, options)
    const scores = input.ndim === 0 ? input : logSoftmax(input, classDimOf(input.ndim))
    return nllLoss(scores, target, { weight, ignoreIndex, reduction })
  },
  noMethod,
)
