// Losses over classes: negative log likelihood, cross entropy, margins between the right class and the others.
// Scores have shape [C], [N, C] or [N, C, d1, ...]; targets have the same shape without the class dimension.

import { bool as boolDType, type DType, int64, scalarTypeName, uint8 } from '../core/dtype.ts'
import { IndexError, RuntimeError, ValueError } from '../core/errors.ts'
import { formatSizes, sameSizes } from '../core/shape.ts'
import * as k from '../kernels/expr.ts'
import { type Expr, type ValueType, valueTypeOf } from '../kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { emptyTensor, launch, operand } from './launch.ts'
import {
  checkFloating,
  checkReduction,
  type LossReduction,
  type ReductionOption,
  reduceLoss,
} from './loss.ts'
import { logSoftmax } from './normalization.ts'
import { applyMany, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { pointwise } from './pointwise.ts'

const noMethod = { method: false } as const

// ---- negative log likelihood ----------------------------------------------------------------------------------------

interface NllAttributes {
  readonly reduction: LossReduction
  readonly ignoreIndex: number
}

const classDimOf = (rank: number): number => (rank === 1 ? 0 : 1)

const kernels = new Map<string, Kernel>()

function cached(key: string, build: () => Kernel): Kernel {
  let kernel = kernels.get(key)
  if (kernel === undefined) {
    kernel = build()
    kernels.set(key, kernel)
  }
  return kernel
}

function inRange(target: Expr, classes: Expr, ignored: Expr): Expr {
  return k.and(k.ne(target, ignored), k.and(k.ge(target, 0), k.lt(target, classes)))
}

/** For each position the loss, or the sum of the losses (divided by the sum of the weights for a mean) and that sum. */
function nllKernel(scores: DType, target: DType, weighted: boolean, reduction: LossReduction): Kernel {
  return cached(`forward ${scores.name} ${target.name} ${weighted} ${reduction}`, () => {
    const b = new KernelBuilder('nll_loss')
    const operands = { x: b.input(scores), target: b.input(target), weight: weighted ? b.input(scores) : -1 }
    const out = b.output(scores)
    const total = reduction === 'none' ? -1 : b.output(scores)
    const type = valueTypeOf(scores)
    const index: ValueType = valueTypeOf(target)
    const [classes, ignored] = [b.scalar(index), b.scalar(index)]
    const terms = (reader: Pick<KernelBuilder, 'read'>): { loss: Expr; weight: Expr } => {
      const t = reader.read(operands.target)
      const options = { at: [t], where: inRange(t, classes, ignored) }
      const weight = weighted
        ? reader.read(operands.weight, options)
        : k.select(options.where, k.constant(1, type), k.constant(0, type))
      const score = reader.read(operands.x, options)
      return { loss: k.neg(weighted ? k.mul(score, weight) : score), weight }
    }
    if (reduction === 'none') b.write(out, terms(b).loss)
    else {
      const sums = b.loop((l) => {
        const { loss, weight } = terms(l)
        return { loss: l.reduce('sum', loss), weight: l.reduce('sum', weight) }
      })
      b.write(out, reduction === 'mean' ? k.div(sums.loss, sums.weight) : sums.loss)
      b.write(total, sums.weight)
    }
    return b.build()
  })
}

/** The gradient for every score: minus the weight (divided by their sum for a mean) at the target, 0 elsewhere. */
function nllGradientKernel(
  scores: DType,
  target: DType,
  weighted: boolean,
  reduction: LossReduction,
  classDim: number,
): Kernel {
  return cached(`backward ${scores.name} ${target.name} ${weighted} ${reduction} ${classDim}`, () => {
    const b = new KernelBuilder('nll_loss_backward')
    const g = b.read(b.input(scores))
    const t = b.read(b.input(target))
    const weight = weighted ? b.read(b.input(scores)) : null
    const total = reduction === 'mean' ? b.read(b.input(scores)) : null
    const out = b.output(scores)
    const ignored = b.scalar(t.type)
    const isTarget = k.and(k.eq(k.cast(t, 'i32'), b.index(classDim)), k.ne(t, ignored))
    const scaled = weight === null ? g : k.mul(g, weight)
    const value = k.neg(total === null ? scaled : k.div(scaled, total))
    b.write(out, k.select(isTarget, value, k.constant(0, value.type)))
    return b.build()
  })
}

// The inputs are scores, targets and, where there are any, weights. Targets have the scores' shape without classes.
function runNll(
  [x, target, weight]: readonly Tensor[],
  { reduction, ignoreIndex }: NllAttributes,
): readonly Tensor[] {
  const classDim = classDimOf(x.ndim)
  const kernel = nllKernel(x.dtype, target.dtype, weight !== undefined, reduction)
  const scalars = [x.sizes[classDim], ignoreIndex]
  const strides = x.strides.filter((_, d) => d !== classDim)
  const still = strides.map(() => 0)
  const inputs = [operand(x, strides, [x.strides[classDim]]), operand(target)]
  if (weight !== undefined) inputs.push(operand(weight, still, [weight.strides[0] ?? 0]))
  if (reduction === 'none') {
    const out = emptyTensor(target.sizes, x.dtype, x.device)
    launch(x.device, kernel, target.sizes, [], [...inputs, operand(out)], scalars)
    return [out]
  }
  const [out, total] = [emptyTensor([], x.dtype, x.device), emptyTensor([], x.dtype, x.device)]
  launch(x.device, kernel, [], target.sizes, [...inputs, operand(out, still), operand(total, still)], scalars)
  return [out, total]
}

const nllOp: Op<NllAttributes> = {
  node: 'NllLossBackward0',
  forward: runNll,
  saves: [1, 2],
  savesOutputs: [1],
  nonDifferentiable: [1],
  backward: ([g], c) => {
    const { reduction } = c.attributes
    const inputs = [g!, c.input(1)]
    if (c.inputSizes.length > 2) inputs.push(c.input(2))
    if (reduction === 'mean') inputs.push(c.output(1))
    return [applyMany(nllGradientOp, inputs, { ...c.attributes, sizes: c.inputSizes[0] })[0], null, null]
  },
}

const nll2dOp: Op<NllAttributes> = { ...nllOp, node: 'NllLoss2DBackward0' }

const nllGradientOp: Op<NllAttributes & { readonly sizes: readonly number[] }> = {
  node: 'NllLossBackwardBackward0',
  forward: (inputs, { reduction, ignoreIndex, sizes }) => {
    const mean = reduction === 'mean'
    const [g, target] = inputs
    const weight = inputs.length > (mean ? 3 : 2) ? inputs[2] : undefined
    const classDim = classDimOf(sizes.length)
    const kernel = nllGradientKernel(g.dtype, target.dtype, weight !== undefined, reduction, classDim)
    const out = emptyTensor(sizes, g.dtype, g.device)
    const still = sizes.map(() => 0)
    // Seen along the classes, targets and gradients stand still.
    const spread = (strides: readonly number[]): number[] => [
      ...strides.slice(0, classDim),
      0,
      ...strides.slice(classDim),
    ]
    const operands = [
      operand(g, reduction === 'none' ? spread(g.strides) : still),
      operand(target, spread(target.strides)),
    ]
    if (weight !== undefined)
      operands.push(
        operand(
          weight,
          sizes.map((_, d) => (d === classDim ? weight.strides[0] : 0)),
        ),
      )
    if (mean) operands.push(operand(inputs[inputs.length - 1], still))
    launch(g.device, kernel, sizes, [], [...operands, operand(out)], [ignoreIndex])
    return out
  },
  saves: [1, 2],
  // The gradient is linear in what flows in, by the same weights as the loss is in the scores.
  backward: ([g], c) => {
    const weighted = c.inputSizes.length > (c.attributes.reduction === 'mean' ? 3 : 2)
    const inputs = weighted ? [g!, c.input(1), c.input(2)] : [g!, c.input(1)]
    return [applyMany(nllOp, inputs, c.attributes)[0], null, null, null]
  },
}

const outside = pointwise({
  name: 'nll_loss',
  result: 'bool',
  kernel: ([t, classes, ignored]) => k.and(k.ne(t, ignored), k.or(k.lt(t, 0), k.ge(t, classes))),
})

function checkTargetRange(target: Tensor, classes: number, ignoreIndex: number): void {
  if (target.device.type !== 'cpu' || target.numel() === 0) return
  const bad = outside([target, classes, ignoreIndex])
  if (bad.any().item() !== true) return
  throw new IndexError(`Target ${String(target.maskedSelect(bad).at(0).item())} is out of bounds.`)
}

function checkTargetDType(target: Tensor): void {
  if (target.dtype !== int64 && target.dtype !== uint8)
    throw new RuntimeError(
      `expected target dtype to be Long or Byte, but got ${scalarTypeName(target.dtype)}: class indices are int64, convert them with .long()`,
    )
}

// The target in the shape that the scores ask for. Throws PyTorch's errors.
function matchTarget(input: Tensor, target: Tensor): Tensor {
  if (input.ndim === 0) throw new ValueError('Expected 1 or more dimensions (got 0)')
  if (input.ndim === 1) {
    if (target.ndim > 1) throw new RuntimeError('0D or 1D target tensor expected, multi-target not supported')
    if (target.ndim === 1 && target.sizes[0] !== 1)
      throw new ValueError(
        `For 1D input, 1D target must have size 1, but got target size: ${target.sizes[0]}`,
      )
    return target.ndim === 1 ? target.squeeze(0) : target
  }
  if (input.sizes[0] !== (target.ndim === 0 ? 0 : target.sizes[0]))
    throw new ValueError(
      `Expected input batch_size (${input.sizes[0]}) to match target batch_size (${target.ndim === 0 ? 0 : target.sizes[0]}).`,
    )
  if (input.ndim === 2) {
    if (target.ndim > 1) throw new RuntimeError('0D or 1D target tensor expected, multi-target not supported')
    return target
  }
  const expected = [input.sizes[0], ...input.sizes.slice(2)]
  if (sameSizes(target.sizes, expected)) return target
  if (input.ndim === 4 && target.ndim === 3)
    throw new RuntimeError(
      `size mismatch (got input: ${formatSizes(input.sizes)} , target: ${formatSizes(target.sizes)}`,
    )
  throw new RuntimeError(`Expected target size ${formatSizes(expected)}, got ${formatSizes(target.sizes)}`)
}

function checkClassWeight(weight: Tensor, input: Tensor, classes: number): void {
  checkTensor('nll_loss', 'weight', weight)
  if (weight.ndim !== 1 || weight.sizes[0] !== classes)
    throw new RuntimeError(
      `weight tensor should be defined either for all ${classes} classes or no classes but got weight tensor of shape: ${formatSizes(weight.sizes)}`,
    )
  if (weight.dtype !== input.dtype)
    throw new RuntimeError(
      `expected scalar type ${scalarTypeName(input.dtype)} but found ${scalarTypeName(weight.dtype)}`,
    )
}

/** Options of `nllLoss`. */
export interface NllLossOptions extends ReductionOption {
  /** A factor for each class, shape [C]; the mean is then over the weights. */
  weight?: Tensor | null
  /** Targets of this value cost nothing and do not count in the mean; default -100. */
  ignoreIndex?: number
}

/** The type of `nllLoss`. */
export type NllLoss = (input: Tensor, target: Tensor, options?: NllLossOptions) => Tensor

/**
 * Minus the logarithm of the probability of the right class.
 * @param input log-probabilities: [C], [N, C] or [N, C, d1, ...].
 * @param target int64 class indices: [], [N] or [N, d1, ...].
 * @throws IndexError for a class that does not exist, ValueError and RuntimeError where shapes or dtypes do not fit.
 */
export const nllLoss: NllLoss & FunctionInfo = fn<NllLoss>(
  'nll_loss',
  ['input', 'target'],
  ['weight', 'ignoreIndex', 'reduction'],
  (
    input: Tensor,
    target: Tensor,
    { weight = null, ignoreIndex = -100, reduction = 'mean' }: NllLossOptions,
  ) => {
    checkTensor('nll_loss', 'input', input)
    checkTensor('nll_loss', 'target', target)
    checkReduction(reduction)
    const matched = matchTarget(input, target)
    checkFloating(input, 'nll_loss_out_frame')
    checkTargetDType(matched)
    const classes = input.sizes[classDimOf(input.ndim)]
    if (weight !== null) checkClassWeight(weight, input, classes)
    checkTargetRange(matched, classes, ignoreIndex)
    const inputs = weight === null ? [input, matched] : [input, matched, weight]
    return applyMany(input.ndim > 2 ? nll2dOp : nllOp, inputs, { reduction, ignoreIndex })[0]
  },
  noMethod,
)

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
  if (target.device.type !== 'cpu' || target.numel() === 0) return
  if (target.lt(low).logicalOr(target.ge(high)).any().item() === true) throw new RuntimeError(message)
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

// ---- cross entropy of a linear layer --------------------------------------------------------------------------------

/** Options of `linearCrossEntropy`. */
export interface LinearCrossEntropyOptions extends Omit<CrossEntropyOptions, 'ignoreIndex'> {
  /** Added to the logits, shape [C] or [C, d1, ...]. */
  linearBias?: Tensor | null
  /** Targets of this value cost nothing; default -100. */
  ignoreIndex?: number | null
}

/** The type of `linearCrossEntropy`. */
export type LinearCrossEntropy = (
  input: Tensor,
  linearWeight: Tensor,
  target: Tensor,
  options?: LinearCrossEntropyOptions,
) => Tensor

/**
 * `crossEntropy(linear(input, linearWeight, linearBias), target)`.
 * @param input shape [inFeatures] or [N, inFeatures].
 * @param linearWeight shape [C, inFeatures], or [C, d1, ..., inFeatures] for a loss at each of several positions.
 */
export const linearCrossEntropy: LinearCrossEntropy & FunctionInfo = fn<LinearCrossEntropy>(
  'linear_cross_entropy',
  ['input', 'linearWeight', 'target'],
  ['linearBias', 'weight', 'reduction', 'ignoreIndex', 'labelSmoothing'],
  (input: Tensor, linearWeight: Tensor, target: Tensor, options: LinearCrossEntropyOptions) => {
    const { linearBias = null, ignoreIndex, ...rest } = options
    checkTensor('linear_cross_entropy', 'input', input)
    checkTensor('linear_cross_entropy', 'linear_weight', linearWeight)
    if (input.ndim !== 1 && input.ndim !== 2)
      throw new ValueError(`expected input with dimensionality 1 or 2, got ${input.ndim}`)
    const features = linearWeight.sizes[linearWeight.ndim - 1]
    if (input.sizes[input.ndim - 1] !== features)
      throw new ValueError(
        `expected equal input and linear_weight last dimensions (in_features), got ${input.sizes[input.ndim - 1]} and ${features}, respectively`,
      )
    const outputs = linearWeight.sizes.slice(0, -1)
    if (outputs.length > 1 && input.ndim === 1)
      throw new ValueError(
        `K-dimensional loss defined by linear_weight shape (${linearWeight.sizes.join(', ')}) requires batched input, (N, ${features}), got unbatched`,
      )
    const flat = input.matmul(linearWeight.reshape(-1, features).t())
    const logits = outputs.length > 1 ? flat.reshape(input.sizes[0], ...outputs) : flat
    const biased = linearBias === null ? logits : logits.add(linearBias)
    return crossEntropy(biased, target, ignoreIndex == null ? rest : { ...rest, ignoreIndex })
  },
  noMethod,
)
