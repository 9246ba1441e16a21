// Negative log likelihood over classes. Scores have shape [C], [N, C] or [N, C, d1, ...]; targets have the same shape
// without the class dimension.

import { hostStep } from '../backends/recording.ts'
import { type DType, int64, scalarTypeName, uint8 } from '../core/dtype.ts'
import { IndexError, RuntimeError, ValueError } from '../core/errors.ts'
import { formatSizes, sameSizes } from '../core/shape.ts'
import * as k from '../kernels/expr.ts'
import { type Expr, type ValueType, valueTypeOf } from '../kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { onHost } from './host.ts'
import { emptyTensor, launch, operand } from './launch.ts'
import { checkFloating, checkReduction, type LossReduction, noMethod, type ReductionOption } from './loss.ts'
import { applyMany, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { pointwise } from './pointwise.ts'

// ---- negative log likelihood ----------------------------------------------------------------------------------------

interface NllAttributes {
  readonly reduction: LossReduction
  readonly ignoreIndex: number
}

/** The dimension of the classes: 0 for one sample, else 1. */
export const classDimOf = (rank: number): number => (rank === 1 ? 0 : 1)

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
  if (target.device.type === 'meta' || target.numel() === 0) return
  hostStep(() => {
    const values = onHost(target)
    if (values === null) return
    const bad = outside([values, classes, ignoreIndex])
    if (bad.any().item() !== true) return
    throw new IndexError(`Target ${String(values.maskedSelect(bad).at(0).item())} is out of bounds.`)
  })
}

function checkTargetDType(target: Tensor): void {
  if (target.dtype !== int64 && target.dtype !== uint8)
    throw new RuntimeError(
      `expected target dtype to be Long or Byte, but got ${scalarTypeName(target.dtype)}: class indices are int64, convert them with .long()`,
    )
}

/** The target in the shape that the scores ask for. Throws PyTorch's errors. */
export function matchTarget(input: Tensor, target: Tensor): Tensor {
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

/** Throws PyTorch's errors unless `weight` has one number for each class, in the input's dtype. */
export function checkClassWeight(weight: Tensor, input: Tensor, classes: number): void {
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
