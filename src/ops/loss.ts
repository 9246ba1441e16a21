// What the loss functions share: reductions, losses that are one kernel and one node, checks of dtypes.

import { scalarTypeName } from '../core/dtype.ts'
import { NotImplementedError, ValueError } from '../core/errors.ts'
import { broadcastAll, numelOf, sameSizes } from '../core/shape.ts'
import { differentiate } from '../kernels/differentiate.ts'
import type { Expr } from '../kernels/expr.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { apply, checkTensor, type Op } from './op.ts'
import { gradientKernel, type Partial } from './partials.ts'
import { type Pointwise, pointwise } from './pointwise.ts'
import { mean, sum } from './reductions.ts'

/** How the losses of the elements become one: their mean, their sum, or not at all. */
export type LossReduction = 'mean' | 'sum' | 'none'

/** The option that all losses have. */
export interface ReductionOption {
  /** Default 'mean'. */
  reduction?: LossReduction
}

/** Throws PyTorch's error for a reduction that does not exist. */
export function checkReduction(reduction: string): void {
  if (reduction !== 'mean' && reduction !== 'sum' && reduction !== 'none')
    throw new ValueError(`${reduction} is not a valid value for reduction`)
}

/** Reduces the losses of the elements. */
export function reduceLoss(losses: Tensor, reduction: LossReduction): Tensor {
  checkReduction(reduction)
  return reduction === 'mean' ? mean(losses) : reduction === 'sum' ? sum(losses) : losses
}

/** Throws unless a tensor is floating, with advice. `kernel` is what PyTorch's message names. */
export function checkFloating(x: Tensor, kernel: string): void {
  if (x.dtype.kind !== 'float')
    throw new NotImplementedError(
      `"${kernel}" not implemented for '${scalarTypeName(x.dtype)}': a floating tensor is needed; convert it with .float(), or make it with { dtype: torch.float32 }`,
    )
}

interface LossAttributes {
  readonly reduction: LossReduction
  readonly parameters: readonly number[]
}

/** What a loss of elements is. */
export interface LossSpec {
  readonly name: string
  readonly node: string
  readonly kernel: (operands: readonly Expr[], parameters: readonly Expr[]) => Expr
  /** Per operand: the derivative, null to derive it from the kernel, 'none' where PyTorch has none. */
  readonly partials: readonly (Partial | 'none' | null)[]
}

/** A loss computed element by element and then reduced, as one node. */
export type ElementLoss = (
  inputs: readonly Tensor[],
  reduction: LossReduction,
  parameters?: readonly number[],
) => Tensor

/** Makes an elementwise loss. Operands broadcast. */
export function elementLoss(spec: LossSpec): ElementLoss {
  const losses = pointwise({ name: spec.name, refuses: ['bool', 'int'], kernel: spec.kernel })
  const gradients = spec.partials.map((partial, i): Pointwise | null => {
    if (partial === 'none') return null
    const derived: Partial = (operands, parameters) =>
      differentiate(spec.kernel(operands, parameters), operands[i])
    return gradientKernel(spec.name, partial ?? derived)
  })
  const op: Op<LossAttributes> = {
    node: spec.node,
    forward: (inputs, { reduction, parameters }) => reduceLoss(losses(inputs, parameters), reduction),
    saves: spec.partials.map((_, i) => i),
    backward: ([g], c) => {
      const { reduction, parameters } = c.attributes
      const scaled = reduction === 'mean' ? g!.div(numelOf(broadcastAll(c.inputSizes))) : g!
      const inputs = c.inputSizes.map((_, i) => c.input(i))
      return inputs.map((_, i) => {
        const gradient = gradients[i]
        return c.needs(i) && gradient !== null ? gradient([scaled, ...inputs], parameters) : null
      })
    },
  }
  return (inputs, reduction, parameters = []) => {
    checkReduction(reduction)
    return apply(op, inputs, { reduction, parameters })
  }
}

const warned = new Set<string>()

/** Checks the two tensors of a loss and warns, once per loss, where their shapes differ: broadcasting is seldom meant. */
export function checkPair(name: string, input: Tensor, target: Tensor): void {
  checkTensor(name, 'input', input)
  checkTensor(name, 'target', target)
  if (sameSizes(input.sizes, target.sizes) || warned.has(name)) return
  // What does not broadcast is an error, which says it better.
  broadcastAll([input.sizes, target.sizes])
  warned.add(name)
  console.warn(
    `${name}: Using a target size (${target.shape}) that is different to the input size (${input.shape}). This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size.`,
  )
}

/** A loss without options of its own. */
export type Loss = (input: Tensor, target: Tensor, options?: ReductionOption) => Tensor

/** Options of `mseLoss` and `l1Loss`. */
export interface WeightedOptions extends ReductionOption {
  /** A factor for each element; the mean is then over the weights. */
  weight?: Tensor | null
}

/** A loss with weights. */
export type WeightedLoss = (input: Tensor, target: Tensor, options?: WeightedOptions) => Tensor

/** The required arguments of most losses. */
export const pair: readonly string[] = ['input', 'target']

/** Losses are no methods of tensors. */
export const noMethod: { readonly method: false } = { method: false }
