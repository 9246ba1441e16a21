// ASGD: gradient descent that also averages the parameters over its steps.

import * as k from '../kernels/expr.ts'
import { zerosLike } from '../ops/creation.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type CapturableOptions, checkLr, checkValue } from './execution.ts'
import { Optimizer, type ParamGroup, type Params } from './optimizer.ts'
import { readOptions } from './options.ts'
import { nextStep, readScalar, scalarState, writeScalar } from './state.ts'
import { descent, updateKernel, updateVariants } from './update-kernel.ts'

export interface ASGDOptions extends CapturableOptions {
  /** The learning rate; default 1e-2. */
  lr?: number
  /** The decay term; default 1e-4. */
  lambd?: number
  /** The power with which the rate falls; default 0.75. */
  alpha?: number
  /** The step at which averaging starts; default 1e6. */
  t0?: number
  /** L2 penalty; default 0. */
  weightDecay?: number
}

interface ASGDState {
  step: Tensor
  eta: Tensor
  mu: Tensor
  ax: Tensor
}

const defaults: Required<ASGDOptions> = {
  lr: 1e-2,
  lambd: 1e-4,
  alpha: 0.75,
  t0: 1e6,
  weightDecay: 0,
  foreach: null,
  maximize: false,
  differentiable: false,
  capturable: false,
}

const asgdUpdate = updateVariants((flags: { maximize: boolean; penalty: boolean; averages: boolean }) =>
  updateKernel({
    name: 'asgd',
    reads: ['grad'],
    writes: ['param', 'ax'],
    scalars: ['weightDecay', 'kept', 'step', 'mu'],
    compute: ({ param, grad, ax }, { weightDecay, kept, step, mu }, axpy) => {
      const g = descent(grad, param, flags, weightDecay, axpy)
      const p = axpy(k.mul(param, kept), step, g)
      return { param: p, ax: flags.averages ? k.add(ax, k.mul(k.sub(p, ax), mu)) : p }
    },
  }),
)

/**
 * Averaged stochastic gradient descent (Polyak and Juditsky, "Acceleration of Stochastic Approximation by Averaging",
 * 1992). With g the gradient (plus `weightDecay` times the parameter) and t the number of the step:
 *
 *     p  = (1 - lambd * eta) p - eta * g
 *     ax = ax + mu (p - ax)                 the average, state.get(p).ax
 *     eta = lr / (1 + lambd * lr * t)^alpha
 *     mu = 1 / max(1, t - t0)
 */
export class ASGD extends Optimizer<ASGDOptions, ASGDState> {
  constructor(params: Params<ASGDOptions>, options?: ASGDOptions)
  constructor(params: Params<ASGDOptions>, lr: number, options?: Omit<ASGDOptions, 'lr'>)
  constructor(params: Params<ASGDOptions>, ...args: unknown[]) {
    const options = readOptions('ASGD', defaults, 'lr', args)
    checkLr(options.lr)
    checkValue(options.weightDecay >= 0, 'Invalid weight_decay value', options.weightDecay)
    super(params, options, {
      floats: ['t0'],
      scalars: ['step', 'eta', 'mu'],
      upgrades: { foreach: null, maximize: false, differentiable: false, capturable: false },
    })
  }

  protected override updateGroup(group: ParamGroup<ASGDOptions>): void {
    const { lr, lambd, alpha, t0, weightDecay, maximize } = group
    for (const param of group.params) {
      const { grad } = param
      if (grad === null) continue
      const state = this.stateOf(param, () => ({
        step: scalarState(0),
        eta: scalarState(lr),
        mu: scalarState(1),
        ax: zerosLike(param),
      }))
      const t = nextStep(state.step)
      const eta = readScalar(state.eta)
      const mu = readScalar(state.mu)
      const update = asgdUpdate({ maximize, penalty: weightDecay !== 0, averages: mu !== 1 })
      update({ param, grad, ax: state.ax }, { weightDecay, kept: 1 - lambd * eta, step: -eta, mu })
      writeScalar(state.eta, lr / (1 + lambd * lr * t) ** alpha)
      writeScalar(state.mu, 1 / Math.max(1, t - t0))
    }
  }
}
