// Ops made of others but recorded as one node: the derivative runs the composition again and differentiates it.

import { grad } from '../autograd/engine.ts'
import { enableGrad, gradMode } from '../autograd/mode.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Op } from './op.ts'
import { view } from './views.ts'

/**
 * An op whose result is a composition of differentiable operations. Only its inputs are kept until the derivative;
 * that can be differentiated again.
 */
export function recomputedOp<A>(
  node: Op<A>['node'],
  inputs: number,
  compose: (inputs: readonly Tensor[], attributes: A) => Tensor,
): Op<A> {
  return {
    node,
    forward: compose,
    saves: Array.from({ length: inputs }, (_, i) => i),
    backward: ([g], c) => {
      const again = gradMode.enabled
      return enableGrad(() => {
        const xs = c.inputSizes.map((sizes, i) => {
          const x = c.input(i)
          if (!c.needs(i)) return x
          // A view of its own, so that a tensor that is two of the inputs gets two gradients.
          return again ? view(x, sizes) : x.detach().requiresGrad_()
        })
        const wanted = xs.map((_, i) => i).filter((i) => c.needs(i))
        const out = compose(xs, c.attributes)
        if (!out.requiresGrad) return xs.map((x, i) => (c.needs(i) ? x.detach().mul(0) : null))
        const inputsWanted = wanted.map((i) => xs[i])
        const grads = grad(out, inputsWanted, { gradOutputs: g, createGraph: again, allowUnused: true })
        return xs.map((x, i) => (c.needs(i) ? (grads[wanted.indexOf(i)] ?? x.detach().mul(0)) : null))
      })
    },
  }
}
