// Derivatives of pointwise operations, each computed by one kernel: gradient times partial derivative. A partial is an
// expression; those of higher orders follow from it by the chain rule.

import { complexOf, conjugate, imaginaryPart, isComplex, realPart } from '../kernels/complex.ts'
import { differentiate, scale } from '../kernels/differentiate.ts'
import { type Expr, mul } from '../kernels/expr.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { BackwardContext } from './op.ts'
import {
  conjugateOf,
  type Pointwise,
  type PointwiseAttributes,
  type PointwiseSpec,
  pointwise,
  type TensorOrScalar,
} from './pointwise.ts'

/** A partial derivative: of the same operands (or of the result) and parameters as the operation's kernel. */
export type Partial = (operands: readonly Expr[], parameters: readonly Expr[]) => Expr

/** A specification whose derivative is to be added. */
export type Differentiable = Omit<PointwiseSpec, 'saves' | 'savesOutput' | 'backward'>

// The derivative of an expression. That of a complex one, which is holomorphic, follows from the real part of its variable.
function derivative(e: Expr, variable: Expr): Expr {
  if (!isComplex(e)) return differentiate(e, variable)
  const x = realPart(variable)
  return complexOf(differentiate(realPart(e), x), differentiate(imaginaryPart(e), x))
}

// For complex numbers gradients are conjugated, as PyTorch's are.
function gradientTimes(g: Expr, partial: Expr): Expr {
  return isComplex(g) || isComplex(partial) ? mul(g, conjugate(partial)) : scale(g, partial)
}

/** `gradient * partial(...operands)` as an operation of its own, which can be differentiated again any number of times. */
export function gradientKernel(name: string, partial: Partial): Pointwise {
  const higher = new Map<number, Pointwise>()
  const derivativeBy = (index: number): Pointwise => {
    let result = higher.get(index)
    if (result === undefined) {
      result = gradientKernel(name, (operands, parameters) =>
        derivative(partial(operands, parameters), operands[index]),
      )
      higher.set(index, result)
    }
    return result
  }
  const run: Pointwise = pointwise({
    name: `${name}Backward`,
    kernel: ([g, ...operands], parameters) => gradientTimes(g, partial(operands, parameters)),
    saves: [0, 1, 2, 3, 4, 5],
    backward: (g, c) => {
      const all = operandsOf(c)
      const [inner, ...operands] = all
      const { parameters } = c.attributes
      const conjugated = conjugateOf(g)
      const result: (Tensor | null)[] = [
        c.needs(0) ? conjugateOf(run([conjugated, ...operands], parameters)) : null,
      ]
      let t = 1
      operands.forEach((operand, i) => {
        if (!(operand instanceof Tensor)) return
        result.push(
          c.needs(t++) ? derivativeBy(i)([conjugated.mul(inner as Tensor), ...operands], parameters) : null,
        )
      })
      return result
    },
  })
  return run
}

/** The operands of a pointwise operation that saves all of them: tensors and numbers as they were given. */
export function operandsOf(c: BackwardContext<PointwiseAttributes>): TensorOrScalar[] {
  let t = 0
  return c.attributes.operands.map((o) => (o === null ? c.input(t++) : o))
}

/**
 * Adds the derivative by each operand. A partial that is left out (null) is derived from the kernel; `'none'` says
 * that PyTorch has no derivative by that operand.
 */
export function withPartials(
  spec: Differentiable,
  partials: readonly (Partial | 'none' | null)[],
): PointwiseSpec {
  const gradients = partials.map((partial, i) =>
    partial === 'none'
      ? null
      : gradientKernel(
          spec.name,
          partial ?? ((operands, parameters) => derivative(spec.kernel(operands, parameters), operands[i])),
        ),
  )
  return {
    ...spec,
    saves: partials.map((_, i) => i),
    backward: (g, c) => {
      const operands = operandsOf(c)
      const result: (Tensor | null)[] = []
      let t = 0
      operands.forEach((operand, i) => {
        if (!(operand instanceof Tensor)) return
        const gradient = gradients[i]
        const wanted = c.needs(t++)
        result.push(wanted && gradient !== null ? gradient([g, ...operands], c.attributes.parameters) : null)
      })
      return result
    },
  }
}

/** Adds the derivative of a function of one operand, given in terms of its result, which is then all that is saved. */
export function withOutputPartial(spec: Differentiable, partial: Partial): PointwiseSpec {
  const gradient = gradientKernel(spec.name, partial)
  return {
    ...spec,
    savesOutput: true,
    backward: (g, c) => [gradient([g, c.output()], c.attributes.parameters)],
  }
}

/** Adds the derivative 0 of a function that is constant between its steps. */
export function withZeroGradient(spec: Differentiable): PointwiseSpec {
  return { ...spec, backward: (g, c) => c.inputSizes.map((_, i) => (c.needs(i) ? g.mul(0) : null)) }
}
