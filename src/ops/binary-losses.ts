// Binary cross entropy of nn.functional, of probabilities and of logits.

import { noGrad } from '../autograd/mode.ts'
import { hostStep } from '../backends/recording.ts'
import { scalarTypeName } from '../core/dtype.ts'
import { RuntimeError, ValueError } from '../core/errors.ts'
import { sameSizes } from '../core/shape.ts'
import type { Expr } from '../kernels/expr.ts'
import * as k from '../kernels/expr.ts'
import type { Tensor } from '../tensor/tensor.ts'
import {
  checkFloating,
  checkReduction,
  type ElementLoss,
  elementLoss,
  noMethod,
  pair,
  type ReductionOption,
} from './loss.ts'
import { checkTensor, type FunctionInfo, fn } from './op.ts'

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
  hostStep(() => {
    const inside = noGrad(() => x.ge(0).logicalAnd(x.le(1)).all().item())
    if (inside !== true)
      throw new RuntimeError(
        'all elements of input should be between 0 and 1 (apply .sigmoid() first, or use binaryCrossEntropyWithLogits)',
      )
  })
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
