// What the activation functions share: how one is made of its expression and its derivative, the inplace option.

import type { Expr } from '../kernels/expr.ts'
import * as k from '../kernels/expr.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type FunctionInfo, fn } from './op.ts'
import { withPartials } from './partials.ts'
import { type Pointwise, pointwise } from './pointwise.ts'

/** The option that all activations with an in-place form have. */
export interface InplaceOption {
  /** Writes the result to the input. */
  inplace?: boolean
}

/** An activation without parameters. */
export interface Activation extends FunctionInfo {
  (x: Tensor, options?: InplaceOption): Tensor
}

export const one = (x: Expr): Expr => k.constant(1, x.type)
export const zero = (x: Expr): Expr => k.constant(0, x.type)

// The logistic function in derivatives: the bound keeps exp finite, so that derivatives of it in turn are not NaN.
export const logistic = (x: Expr): Expr => k.div(one(x), k.add(one(x), k.exp(k.neg(k.max(x, -80)))))

export interface ActivationSpec {
  readonly name: string
  readonly node: string
  /** The node of the in-place form, where PyTorch gives it another name. */
  readonly inPlaceNode?: string
  /** Integers are refused unless this is set. */
  readonly integers?: boolean
  readonly kernel: (x: Expr, parameters: readonly Expr[]) => Expr
  readonly derivative: (x: Expr, parameters: readonly Expr[]) => Expr
}

export interface Runs {
  readonly run: Pointwise
  readonly runInPlace: Pointwise
}

export function runs(spec: ActivationSpec): Runs {
  const { name, node, inPlaceNode, integers, kernel, derivative } = spec
  const make = (nodeName: string): Pointwise =>
    pointwise(
      withPartials(
        {
          name,
          node: nodeName,
          refuses: integers ? ['bool'] : ['bool', 'int'],
          kernel: ([x], parameters) => kernel(x, parameters),
        },
        [([x], parameters) => derivative(x, parameters)],
      ),
    )
  const run = make(node)
  return { run, runInPlace: inPlaceNode === undefined ? run : make(inPlaceNode) }
}

export function activate(
  { run, runInPlace }: Runs,
  x: Tensor,
  parameters: readonly number[],
  inplace = false,
): Tensor {
  return inplace ? runInPlace.inPlace([x], parameters) : run([x], parameters)
}

export function plain(name: string, spec: Runs): Activation {
  return fn(
    name,
    ['input'],
    ['inplace'],
    (x: Tensor, { inplace }: InplaceOption) => activate(spec, x, [], inplace),
    {
      method: false,
    },
  )
}
