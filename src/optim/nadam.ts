// NAdam: Adam with Nesterov's momentum.

import { float64 } from '../core/dtype.ts'
import * as k from '../kernels/expr.ts'
import { zerosLike } from '../ops/creation.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type CapturableOptions, checkBetas, checkLr, checkValue } from './execution.ts'
import { Optimizer, type ParamGroup, type Params } from './optimizer.ts'
import { readOptions } from './options.ts'
import { nextStep, readScalar, scalarState, writeScalar } from './state.ts'
import { addcdiv, addcmul, descent, isNearEnd, lerp, updateKernel, updateVariants } from './update-kernel.ts'

export interface NAdamOptions extends CapturableOptions {
  /** The learning rate; default 2e-3. */
  lr?: number
  /** How much the averages of the gradient and of its square keep; default (0.9, 0.999). */
  betas?: readonly [number, number]
  /** Added to the denominator; default 1e-8. */
  eps?: number
  /** L2 penalty, or decay of the weights themselves; default 0. */
  weightDecay?: number
  /** How fast the momentum approaches beta1; default 4e-3. */
  momentumDecay?: number
  /** Decays the weights themselves instead of adding to the gradient; default false. */
  decoupledWeightDecay?: boolean
}

interface NAdamState {
  step: Tensor
  mu_product: Tensor
  exp_avg: Tensor
  exp_avg_sq: Tensor
}

const defaults: Required<NAdamOptions> = {
  lr: 2e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  momentumDecay: 4e-3,
  decoupledWeightDecay: false,
  maximize: false,
  foreach: null,
  capturable: false,
  differentiable: false,
}

const nadamUpdate = updateVariants(
  (flags: { maximize: boolean; penalty: boolean; decoupled: boolean; nearEnd: boolean }) =>
    updateKernel({
      name: 'nadam',
      reads: ['grad'],
      writes: ['param', 'expAvg', 'expAvgSq'],
      scalars: ['decay', 'weight1', 'beta2', 'weight2', 'correction', 'eps', 'gradStep', 'averageStep'],
      compute: (
        { param, grad, expAvg, expAvgSq },
        { decay, weight1, beta2, weight2, correction, eps, gradStep, averageStep },
        axpy,
      ) => {
        const g = descent(grad, param, flags, decay, axpy)
        const p = flags.decoupled ? k.mul(param, decay) : param
        const m = lerp(expAvg, g, weight1, flags.nearEnd)
        const v = addcmul(k.mul(expAvgSq, beta2), g, g, weight2)
        const denominator = k.add(k.sqrt(k.div(v, correction)), eps)
        return {
          param: addcdiv(addcdiv(p, g, denominator, gradStep), m, denominator, averageStep),
          expAvg: m,
          expAvgSq: v,
        }
      },
    }),
)

/**
 * NAdam (Dozat, "Incorporating Nesterov Momentum into Adam", 2016). With g the gradient, t the number of the step and
 * mu(t) = beta1 (1 - 0.96^(t * momentumDecay) / 2), M(t) = mu(1) ... mu(t):
 *
 *     m = beta1 * m + (1 - beta1) * g
 *     v = beta2 * v + (1 - beta2) * g^2
 *     p = p - lr * (mu(t+1) m / (1 - M(t+1)) + (1 - mu(t)) g / (1 - M(t))) / (sqrt(v / (1 - beta2^t)) + eps)
 */
export class NAdam extends Optimizer<NAdamOptions, NAdamState> {
  constructor(params: Params<NAdamOptions>, options?: NAdamOptions)
  constructor(params: Params<NAdamOptions>, lr: number, options?: Omit<NAdamOptions, 'lr'>)
  constructor(params: Params<NAdamOptions>, ...args: unknown[]) {
    const options = readOptions('NAdam', defaults, 'lr', args)
    checkLr(options.lr)
    checkValue(options.eps >= 0, 'Invalid epsilon value', options.eps)
    checkBetas(options.betas)
    checkValue(options.weightDecay >= 0, 'Invalid weight_decay value', options.weightDecay)
    checkValue(options.momentumDecay >= 0, 'Invalid momentum_decay value', options.momentumDecay)
    super(params, options, {
      floats: ['betas'],
      scalars: ['step', 'mu_product'],
      upgrades: {
        maximize: false,
        foreach: null,
        capturable: false,
        differentiable: false,
        decoupledWeightDecay: false,
      },
    })
  }

  protected override updateGroup(group: ParamGroup<NAdamOptions>): void {
    const { lr, eps, weightDecay, momentumDecay, maximize } = group
    const [beta1, beta2] = group.betas
    const decoupled = group.decoupledWeightDecay && weightDecay !== 0
    const penalty = !decoupled && weightDecay !== 0
    const update = nadamUpdate({ maximize, penalty, decoupled, nearEnd: isNearEnd(1 - beta1) })
    const momentumAt = (t: number) => beta1 * (1 - 0.5 * 0.96 ** (t * momentumDecay))
    for (const param of group.params) {
      const { grad } = param
      if (grad === null) continue
      const state = this.stateOf(param, () => ({
        step: scalarState(0),
        mu_product: scalarState(1),
        exp_avg: zerosLike(param),
        exp_avg_sq: zerosLike(param),
      }))
      const t = nextStep(state.step)
      const mu = momentumAt(t)
      const muNext = momentumAt(t + 1)
      // A product of the state's own dtype: the factor is rounded to it before, the result after.
      const factor = state.mu_product.dtype === float64 ? mu : Math.fround(mu)
      writeScalar(state.mu_product, readScalar(state.mu_product) * factor)
      const product = readScalar(state.mu_product)
      update(
        { param, grad, expAvg: state.exp_avg, expAvgSq: state.exp_avg_sq },
        {
          decay: decoupled ? 1 - lr * weightDecay : weightDecay,
          weight1: 1 - beta1,
          beta2,
          weight2: 1 - beta2,
          correction: 1 - beta2 ** t,
          eps,
          gradStep: (-lr * (1 - mu)) / (1 - product),
          averageStep: (-lr * muNext) / (1 - product * muNext),
        },
      )
    }
  }
}
