// RAdam: Adam whose step is rectified while too few squares have been averaged.

import * as k from '../kernels/expr.ts'
import { zerosLike } from '../ops/creation.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type CapturableOptions, checkBetas, checkLr, checkValue } from './execution.ts'
import { Optimizer, type ParamGroup, type Params } from './optimizer.ts'
import { readOptions } from './options.ts'
import { nextStep, scalarState } from './state.ts'
import { addcmul, descent, isNearEnd, lerp, updateKernel, updateVariants } from './update-kernel.ts'

export interface RAdamOptions extends CapturableOptions {
  /** The learning rate; default 1e-3. */
  lr?: number
  /** How much the averages of the gradient and of its square keep; default (0.9, 0.999). */
  betas?: readonly [number, number]
  /** Added to the denominator; default 1e-8. */
  eps?: number
  /** L2 penalty, or decay of the weights themselves; default 0. */
  weightDecay?: number
  /** Decays the weights themselves instead of adding to the gradient; default false. */
  decoupledWeightDecay?: boolean
}

interface RAdamState {
  step: Tensor
  exp_avg: Tensor
  exp_avg_sq: Tensor
}

const defaults: Required<RAdamOptions> = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  maximize: false,
  foreach: null,
  capturable: false,
  decoupledWeightDecay: false,
  differentiable: false,
}

const radamUpdate = updateVariants(
  (flags: { maximize: boolean; penalty: boolean; decoupled: boolean; nearEnd: boolean; adaptive: boolean }) =>
    updateKernel({
      name: 'radam',
      reads: ['grad'],
      writes: ['param', 'expAvg', 'expAvgSq'],
      scalars: ['decay', 'weight1', 'beta2', 'weight2', 'correction1', 'root', 'eps', 'lr', 'rectification'],
      compute: (
        { param, grad, expAvg, expAvgSq },
        { decay, weight1, beta2, weight2, correction1, root, eps, lr, rectification },
        axpy,
      ) => {
        const g = descent(grad, param, flags, decay, axpy)
        const p = flags.decoupled ? k.mul(param, decay) : param
        const m = lerp(expAvg, g, weight1, flags.nearEnd)
        const v = addcmul(k.mul(expAvgSq, beta2), g, g, weight2)
        const plain = k.mul(k.div(m, correction1), lr)
        const scale = () => k.div(root, k.add(k.sqrt(v), eps))
        const step = flags.adaptive ? k.mul(k.mul(plain, scale()), rectification) : plain
        return { param: k.sub(p, step), expAvg: m, expAvgSq: v }
      },
    }),
)

/**
 * RAdam (Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", 2020). With g the gradient, t the
 * number of the step, R = 2 / (1 - beta2) - 1 and r = R - 2 t beta2^t / (1 - beta2^t):
 *
 *     m = beta1 * m + (1 - beta1) * g
 *     v = beta2 * v + (1 - beta2) * g^2
 *     p = p - lr * m / (1 - beta1^t) * c
 *     c = sqrt((r - 4)(r - 2) R / ((R - 4)(R - 2) r)) * sqrt(1 - beta2^t) / (sqrt(v) + eps)  if r > 5, else 1
 */
export class RAdam extends Optimizer<RAdamOptions, RAdamState> {
  constructor(params: Params<RAdamOptions>, options?: RAdamOptions)
  constructor(params: Params<RAdamOptions>, lr: number, options?: Omit<RAdamOptions, 'lr'>)
  constructor(params: Params<RAdamOptions>, ...args: unknown[]) {
    const options = readOptions('RAdam', defaults, 'lr', args)
    checkLr(options.lr)
    checkValue(options.eps >= 0, 'Invalid epsilon value', options.eps)
    checkBetas(options.betas)
    checkValue(options.weightDecay >= 0, 'Invalid weight_decay value', options.weightDecay)
    super(params, options, {
      floats: ['betas'],
      scalars: ['step'],
      upgrades: {
        foreach: null,
        maximize: false,
        differentiable: false,
        decoupledWeightDecay: false,
        capturable: false,
      },
    })
  }

  protected override updateGroup(group: ParamGroup<RAdamOptions>): void {
    const { lr, eps, weightDecay, maximize } = group
    const [beta1, beta2] = group.betas
    const decoupled = group.decoupledWeightDecay && weightDecay !== 0
    const penalty = !decoupled && weightDecay !== 0
    const longest = 2 / (1 - beta2) - 1
    for (const param of group.params) {
      const { grad } = param
      if (grad === null) continue
      const state = this.stateOf(param, () => ({
        step: scalarState(0),
        exp_avg: zerosLike(param),
        exp_avg_sq: zerosLike(param),
      }))
      const t = nextStep(state.step)
      const correction2 = 1 - beta2 ** t
      const length = longest - (2 * t * beta2 ** t) / correction2
      const adaptive = length > 5
      const update = radamUpdate({ maximize, penalty, decoupled, nearEnd: isNearEnd(1 - beta1), adaptive })
      update(
        { param, grad, expAvg: state.exp_avg, expAvgSq: state.exp_avg_sq },
        {
          decay: decoupled ? 1 - lr * weightDecay : weightDecay,
          weight1: 1 - beta1,
          beta2,
          weight2: 1 - beta2,
          correction1: 1 - beta1 ** t,
          root: Math.sqrt(correction2),
          eps,
          lr,
          rectification: adaptive
            ? Math.sqrt(((length - 4) * (length - 2) * longest) / ((longest - 4) * (longest - 2) * length))
            : 1,
        },
      )
    }
  }
}
