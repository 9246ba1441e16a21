// Adadelta: steps as large as past steps were, for gradients as large as past gradients were.

import * as k from '../kernels/expr.ts'
import { zerosLike } from '../ops/creation.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type CapturableOptions, checkLr, checkValue } from './execution.ts'
import { Optimizer, type ParamGroup, type Params } from './optimizer.ts'
import { readOptions } from './options.ts'
import { nextStep, scalarState } from './state.ts'
import { addcmul, descent, updateKernel, updateVariants } from './update-kernel.ts'

export interface AdadeltaOptions extends CapturableOptions {
  /** Scales the step; default 1. */
  lr?: number
  /** How much the averages keep; default 0.9. */
  rho?: number
  /** Added under both roots; default 1e-6. */
  eps?: number
  /** L2 penalty; default 0. */
  weightDecay?: number
}

interface AdadeltaState {
  step: Tensor
  square_avg: Tensor
  acc_delta: Tensor
}

const defaults: Required<AdadeltaOptions> = {
  lr: 1,
  rho: 0.9,
  eps: 1e-6,
  weightDecay: 0,
  maximize: false,
  capturable: false,
  foreach: null,
  differentiable: false,
}

const adadeltaUpdate = updateVariants((flags: { maximize: boolean; penalty: boolean }) =>
  updateKernel({
    name: 'adadelta',
    reads: ['grad'],
    writes: ['param', 'squareAvg', 'accDelta'],
    scalars: ['weightDecay', 'rho', 'rest', 'eps', 'step'],
    compute: ({ param, grad, squareAvg, accDelta }, { weightDecay, rho, rest, eps, step }, axpy) => {
      const g = descent(grad, param, flags, weightDecay, axpy)
      const v = addcmul(k.mul(squareAvg, rho), g, g, rest)
      const delta = k.mul(k.div(k.sqrt(k.add(accDelta, eps)), k.sqrt(k.add(v, eps))), g)
      return {
        param: axpy(param, step, delta),
        squareAvg: v,
        accDelta: addcmul(k.mul(accDelta, rho), delta, delta, rest),
      }
    },
  }),
)

/**
 * Adadelta (Zeiler, "ADADELTA: An Adaptive Learning Rate Method", 2012). With g the gradient (plus `weightDecay`
 * times the parameter):
 *
 *     v = rho * v + (1 - rho) * g^2
 *     d = sqrt(a + eps) / sqrt(v + eps) * g
 *     a = rho * a + (1 - rho) * d^2
 *     p = p - lr * d
 */
export class Adadelta extends Optimizer<AdadeltaOptions, AdadeltaState> {
  constructor(params: Params<AdadeltaOptions>, options?: AdadeltaOptions)
  constructor(params: Params<AdadeltaOptions>, lr: number, options?: Omit<AdadeltaOptions, 'lr'>)
  constructor(params: Params<AdadeltaOptions>, ...args: unknown[]) {
    const options = readOptions('Adadelta', defaults, 'lr', args)
    checkLr(options.lr)
    checkValue(options.rho >= 0 && options.rho <= 1, 'Invalid rho value', options.rho)
    checkValue(options.eps >= 0, 'Invalid epsilon value', options.eps)
    checkValue(options.weightDecay >= 0, 'Invalid weight_decay value', options.weightDecay)
    super(params, options, {
      floats: ['lr'],
      scalars: ['step'],
      upgrades: { foreach: null, maximize: false, differentiable: false, capturable: false },
    })
  }

  protected override updateGroup(group: ParamGroup<AdadeltaOptions>): void {
    const { lr, rho, eps, weightDecay, maximize } = group
    const update = adadeltaUpdate({ maximize, penalty: weightDecay !== 0 })
    for (const param of group.params) {
      const { grad } = param
      if (grad === null) continue
      const state = this.stateOf(param, () => ({
        step: scalarState(0),
        square_avg: zerosLike(param),
        acc_delta: zerosLike(param),
      }))
      nextStep(state.step)
      update(
        { param, grad, squareAvg: state.square_avg, accDelta: state.acc_delta },
        { weightDecay, rho, rest: 1 - rho, eps, step: -lr },
      )
    }
  }
}
