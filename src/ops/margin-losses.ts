// Losses of nn.functional with a margin: of single scores, and between the right class and the others.

import { bool as boolDType, int64, scalarTypeName } from '../core/dtype.ts'
import { RuntimeError, ValueError } from '../core/errors.ts'
import { formatSizes, sameSizes } from '../core/shape.ts'
import * as k from '../kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { onHost } from './host.ts'
import { emptyTensor, launch, operand } from './launch.ts'
import {
  checkFloating,
  checkReduction,
  elementLoss,
  type Loss,
  noMethod,
  pair,
  type ReductionOption,
  reduceLoss,
  type WeightedOptions,
} from './loss.ts'
import { checkTensor, type FunctionInfo, fn } from './op.ts'
import { logsigmoid } from './smooth-activations.ts'

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

// ---- margins --------------------------------------------------------------------------------------------------------

/** Options of `multiMarginLoss`. */
export interface MultiMarginOptions extends ReductionOption {
  /** The power of the margins, 1 or 2; default 1. */
  p?: number
  /** By how much the right class is to lead; default 1. */
  margin?: number
  /** A factor for each class. */
  weight?: Tensor | null
}

/** The type of `multiMarginLoss`. */
export type MultiMarginLoss = (input: Tensor, target: Tensor, options?: MultiMarginOptions) => Tensor

function checkVectorOrMatrix(input: Tensor): void {
  const fits =
    (input.ndim === 2 && input.sizes[1] !== 0) ||
    (input.ndim === 1 && input.sizes[0] !== 0) ||
    input.ndim === 0
  if (!fits)
    throw new RuntimeError(
      `Expected non-empty vector or matrix with optional 0-dim batch size, but got: ${formatSizes(input.sizes)}`,
    )
}

function checkLong(target: Tensor): void {
  if (target.dtype !== int64)
    throw new RuntimeError(`expected scalar type Long but found ${scalarTypeName(target.dtype)}`)
}

function checkAllInRange(target: Tensor, low: number, high: number, message: string): void {
  if (target.device.type === 'meta' || target.numel() === 0) return
  const values = onHost(target)
  if (values?.lt(low).logicalOr(values.ge(high)).any().item() === true) throw new RuntimeError(message)
}

/** The mean over the wrong classes of `max(0, margin - score of the right class + score)^p`. */
export const multiMarginLoss: MultiMarginLoss & FunctionInfo = fn<MultiMarginLoss>(
  'multi_margin_loss',
  ['input', 'target'],
  ['p', 'margin', 'weight', 'reduction'],
  (
    input: Tensor,
    target: Tensor,
    { p = 1, margin = 1, weight = null, reduction = 'mean' }: MultiMarginOptions,
  ) => {
    checkTensor('multi_margin_loss', 'input', input)
    checkTensor('multi_margin_loss', 'target', target)
    checkReduction(reduction)
    if (p !== 1 && p !== 2) throw new ValueError('only p == 1 and p == 2 supported')
    if (weight !== null && weight.ndim !== 1) throw new ValueError('weight must be one-dimensional')
    checkVectorOrMatrix(input)
    const scores = input.ndim === 2 ? input : input.reshape(1, -1)
    const [batch, classes] = scores.sizes
    if (target.ndim > 1 || target.numel() !== batch)
      throw new RuntimeError(
        `multi_margin_loss: target tensor should be 1-D with size equal to the number of input samples (batch size). Expected target size [${batch}], but got ${formatSizes(target.sizes)}. Input has shape ${formatSizes(input.sizes)}.`,
      )
    if (weight !== null && weight.numel() !== classes)
      throw new RuntimeError(
        `inconsistent weight size, expected ${classes} but got ${formatSizes(weight.sizes)}`,
      )
    checkLong(target)
    checkFloating(input, 'multi_margin_loss')
    checkAllInRange(target, 0, classes, 'target out of range')
    const index = target.reshape(batch, 1)
    const excess = scores.sub(scores.gather(1, index)).add(margin).clampMin(0)
    const powered = p === 1 ? excess : excess.mul(excess)
    const wrong = powered.maskedFill(oneHot(index, classes), 0)
    const weighted = weight === null ? wrong : wrong.mul(weight.take(index))
    const losses = weighted.sum(1).div(classes)
    return reduceLoss(target.ndim === 0 ? losses.squeeze(0) : losses, reduction)
  },
  noMethod,
)

const isClass = (() => {
  let kernel: Kernel | null = null
  return (): Kernel => {
    if (kernel === null) {
      const b = new KernelBuilder('one_hot')
      const index = b.read(b.input(int64))
      b.write(b.output(boolDType), k.eq(k.cast(index, 'i32'), b.index(1)))
      kernel = b.build()
    }
    return kernel
  }
})()

/** A bool matrix that is true at the column that `index`, shape [N, 1], names. */
function oneHot(index: Tensor, classes: number): Tensor {
  const sizes = [index.sizes[0], classes]
  const out = emptyTensor(sizes, boolDType, index.device)
  launch(index.device, isClass(), sizes, [], [operand(index, [index.strides[0], 0]), operand(out)])
  return out
}

/** The type of `multilabelMarginLoss`. */
export type MultilabelMarginLoss = (input: Tensor, target: Tensor, options?: ReductionOption) => Tensor

/**
 * The sum over pairs of a right and a wrong class of `max(0, 1 - (score of the right - score of the wrong))`, divided
 * by the number of classes.
 * @param target int64, of the input's shape: the right classes, ended by -1.
 */
export const multilabelMarginLoss: MultilabelMarginLoss & FunctionInfo = fn<MultilabelMarginLoss>(
  'multilabel_margin_loss',
  ['input', 'target'],
  ['reduction'],
  (input: Tensor, target: Tensor, { reduction = 'mean' }: ReductionOption) => {
    checkTensor('multilabel_margin_loss', 'input', input)
    checkTensor('multilabel_margin_loss', 'target', target)
    checkReduction(reduction)
    checkVectorOrMatrix(input)
    if (!sameSizes(input.sizes, target.sizes))
      throw new RuntimeError(
        `inconsistent target size: ${formatSizes(target.sizes)} for input of size: ${formatSizes(input.sizes)}`,
      )
    checkLong(target)
    checkFloating(input, 'multilabel_margin_loss')
    const scores = input.ndim === 2 ? input : input.reshape(1, -1)
    const labels = target.reshape(scores.sizes)
    const classes = scores.sizes[1]
    checkAllInRange(target, -1, classes, "argument #2 'target' is out of range")
    // Labels count up to the first -1.
    const counts = labels.lt(0).cumsum(1).eq(0)
    const index = labels.clampMin(0)
    const isRight = counts.long().mul(0).scatterAdd(1, index, counts.long()).gt(0)
    const right = scores.gather(1, index).unsqueeze(2)
    const excess = scores.unsqueeze(1).sub(right).add(1).clampMin(0)
    const pairs = counts.unsqueeze(2).logicalAnd(isRight.logicalNot().unsqueeze(1))
    const losses = excess.maskedFill(pairs.logicalNot(), 0).sum([1, 2]).div(classes)
    return reduceLoss(input.ndim === 2 ? losses : losses.squeeze(0), reduction)
  },
  noMethod,
)
