// Adamax: Adam with the largest gradient of late in place of the root of the mean square.

import * as k from '../kernels/expr.ts'
import { zerosLike } from '../ops/creation.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type CapturableOptions, checkBetas, checkLr, checkValue } from './execution.ts'
import { Optimizer, type ParamGroup, type Params } from './optimizer.ts'
import { readOptions } from './options.ts'
import { nextStep, scalarState } from './state.ts'
import { addcdiv, descent, isNearEnd, lerp, updateKernel, updateVariants } from './update-kernel.ts'

export interface AdamaxOptions extends CapturableOptions {
  /** The learning rate; default 2e-3. */
  lr?: number
  /** How much the average of the gradient and the norm keep; default (0.9, 0.999). */
  betas?: readonly [number, number]
  /** Added to the size of each gradient; default 1e-8. */
  eps?: number
  /** L2 penalty; default 0. */
  weightDecay?: number
}

interface AdamaxState {
  step: Tensor
  exp_avg: Tensor
  exp_inf: Tensor
}

const defaults: Required<AdamaxOptions> = {
  lr: 2e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  foreach: null,
  maximize: false,
  differentiable: false,
  capturable: false,
}

const adamaxUpdate = updateVariants((flags: { maximize: boolean; penalty: boolean; nearEnd: boolean }) =>
  updateKernel({
    name: 'adamax',
    reads: ['grad'],
    writes: ['param', 'expAvg', 'expInf'],
    scalars: ['weightDecay', 'weight1', 'beta2', 'eps', 'step'],
    compute: ({ param, grad, expAvg, expInf }, { weightDecay, weight1, beta2, eps, step }, axpy) => {
      const g = descent(grad, param, flags, weightDecay, axpy)
      const m = lerp(expAvg, g, weight1, flags.nearEnd)
      const u = k.max(k.mul(expInf, beta2), k.add(k.abs(g), eps))
      return { param: addcdiv(param, m, u, step), expAvg: m, expInf: u }
    },
  }),
)

/**
 * Adamax (Kingma and Ba, 2015, section 7.1). With g the gradient and t the number of the step:
 *
 *     m = beta1 * m + (1 - beta1) * g
 *     u = max(beta2 * u, |g| + eps)
 *     p = p - lr / (1 - beta1^t) * m / u
 */
export class Adamax extends Optimizer<AdamaxOptions, AdamaxState> {
  constructor(params: Params<AdamaxOptions>, options?: AdamaxOptions)
  constructor(params: Params<AdamaxOptions>, lr: number, options?: Omit<AdamaxOptions, 'lr'>)
  constructor(params: Params<AdamaxOptions>, ...args: unknown[]) {
    const options = readOptions('Adamax', defaults, 'lr', args)
    checkLr(options.lr)
    checkValue(options.eps >= 0, 'Invalid epsilon value', options.eps)
    checkBetas(options.betas)
    checkValue(options.weightDecay >= 0, 'Invalid weight_decay value', options.weightDecay)
    super(params, options, {
      floats: ['betas'],
      scalars: ['step'],
      upgrades: { foreach: null, maximize: false, differentiable: false, capturable: false },
    })
  }

  protected override updateGroup(group: ParamGroup<AdamaxOptions>): void {
    const { lr, eps, weightDecay, maximize } = group
    const [beta1, beta2] = group.betas
    const update = adamaxUpdate({ maximize, penalty: weightDecay !== 0, nearEnd: isNearEnd(1 - beta1) })
    for (const param of group.params) {
      const { grad } = param
      if (grad === null) continue
      const state = this.stateOf(param, () => ({
        step: scalarState(0),
        exp_avg: zerosLike(param),
        exp_inf: zerosLike(param),
      }))
      const t = nextStep(state.step)
      update(
        { param, grad, expAvg: state.exp_avg, expInf: state.exp_inf },
        { weightDecay, weight1: 1 - beta1, beta2, eps, step: -(lr / (1 - beta1 ** t)) },
      )
    }
  }
}
