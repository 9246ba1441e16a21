// Adagrad: steps divided by the root of the sum of all squared gradients so far.

import * as k from '../kernels/expr.ts'
import { fullLike } from '../ops/creation.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkFused, checkLr, checkValue, type SharedOptions } from './execution.ts'
import { Optimizer, type ParamGroup, type Params } from './optimizer.ts'
import { readOptions } from './options.ts'
import { nextStep, scalarState } from './state.ts'
import { addcdiv, descent, updateKernel, updateVariants } from './update-kernel.ts'

export interface AdagradOptions extends SharedOptions {
  /** The learning rate; default 1e-2. */
  lr?: number
  /** How the learning rate falls: lr / (1 + (t - 1) lrDecay); default 0. */
  lrDecay?: number
  /** L2 penalty; default 0. */
  weightDecay?: number
  /** Where the sum of the squares starts; default 0. */
  initialAccumulatorValue?: number
  /** Added to the denominator; default 1e-10. */
  eps?: number
  /** As `foreach`. */
  fused?: boolean | null
}

interface AdagradState {
  step: Tensor
  sum: Tensor
}

const defaults: Required<AdagradOptions> = {
  lr: 1e-2,
  lrDecay: 0,
  eps: 1e-10,
  weightDecay: 0,
  initialAccumulatorValue: 0,
  foreach: null,
  maximize: false,
  differentiable: false,
  fused: null,
}

const adagradUpdate = updateVariants((flags: { maximize: boolean; penalty: boolean }) =>
  updateKernel({
    name: 'adagrad',
    reads: ['grad'],
    writes: ['param', 'sum'],
    scalars: ['weightDecay', 'eps', 'step'],
    compute: ({ param, grad, sum }, { weightDecay, eps, step }, axpy) => {
      const g = descent(grad, param, flags, weightDecay, axpy)
      const total = k.add(sum, k.mul(g, g))
      return { param: addcdiv(param, g, k.add(k.sqrt(total), eps), step), sum: total }
    },
  }),
)

/**
 * Adagrad (Duchi, Hazan and Singer, "Adaptive Subgradient Methods for Online Learning and Stochastic Optimization",
 * 2011). With g the gradient (plus `weightDecay` times the parameter) and t the number of the step:
 *
 *     s = s + g^2
 *     p = p - lr / (1 + (t - 1) lrDecay) * g / (sqrt(s) + eps)
 */
export class Adagrad extends Optimizer<AdagradOptions, AdagradState> {
  constructor(params: Params<AdagradOptions>, options?: AdagradOptions)
  constructor(params: Params<AdagradOptions>, lr: number, options?: Omit<AdagradOptions, 'lr'>)
  constructor(params: Params<AdagradOptions>, ...args: unknown[]) {
    const options = readOptions('Adagrad', defaults, 'lr', args)
    const { lr, lrDecay, weightDecay, initialAccumulatorValue, eps } = options
    checkLr(lr)
    checkValue(lrDecay >= 0, 'Invalid lr_decay value', lrDecay)
    checkValue(weightDecay >= 0, 'Invalid weight_decay value', weightDecay)
    checkValue(
      initialAccumulatorValue >= 0,
      'Invalid initial_accumulator_value value',
      initialAccumulatorValue,
    )
    checkValue(eps >= 0, 'Invalid epsilon value', eps)
    super(params, options, {
      scalars: ['step'],
      upgrades: { foreach: null, maximize: false, differentiable: false, fused: null },
    })
    checkFused(options)
    // The sums exist from the start, also of parameters that never get a gradient.
    for (const group of this.paramGroups) for (const p of group.params) this.sumOf(p)
  }

  private sumOf(p: Tensor): AdagradState {
    return this.stateOf(p, () => ({
      step: scalarState(0),
      sum: fullLike(p, this.defaults.initialAccumulatorValue),
    }))
  }

  protected override updateGroup(group: ParamGroup<AdagradOptions>): void {
    const { lr, lrDecay, weightDecay, eps, maximize } = group
    const update = adagradUpdate({ maximize, penalty: weightDecay !== 0 })
    for (const param of group.params) {
      const { grad } = param
      if (grad === null) continue
      const state = this.sumOf(param)
      const t = nextStep(state.step)
      update({ param, grad, sum: state.sum }, { weightDecay, eps, step: -(lr / (1 + (t - 1) * lrDecay)) })
    }
  }
}
