// RMSprop: steps divided by the root of a running mean of the squared gradient.

import * as k from '../kernels/expr.ts'
import { zerosLike } from '../ops/creation.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type CapturableOptions, checkLr, checkValue } from './execution.ts'
import { Optimizer, type ParamGroup, type Params } from './optimizer.ts'
import { readOptions } from './options.ts'
import { nextStep, scalarState } from './state.ts'
import { addcdiv, addcmul, descent, isNearEnd, lerp, updateKernel, updateVariants } from './update-kernel.ts'

export interface RMSpropOptions extends CapturableOptions {
  /** The learning rate; default 1e-2. */
  lr?: number
  /** How much the mean of the squares keeps; default 0.99. */
  alpha?: number
  /** Added to the denominator; default 1e-8. */
  eps?: number
  /** L2 penalty; default 0. */
  weightDecay?: number
  /** The part of the last step that is repeated; default 0. */
  momentum?: number
  /** Divides by an estimate of the variance instead of the mean square; default false. */
  centered?: boolean
}

interface RMSpropState {
  step: Tensor
  square_avg: Tensor
  momentum_buffer?: Tensor
  grad_avg?: Tensor
}

const defaults: Required<RMSpropOptions> = {
  lr: 1e-2,
  momentum: 0,
  alpha: 0.99,
  eps: 1e-8,
  centered: false,
  weightDecay: 0,
  capturable: false,
  foreach: null,
  maximize: false,
  differentiable: false,
}

interface RMSpropFlags extends Record<string, boolean> {
  maximize: boolean
  penalty: boolean
  momentum: boolean
  centered: boolean
  nearEnd: boolean
}

type Written = 'param' | 'squareAvg' | 'gradAvg' | 'buffer'

const rmspropUpdate = updateVariants((flags: RMSpropFlags) => {
  const writes: Written[] = ['param', 'squareAvg']
  if (flags.centered) writes.push('gradAvg')
  if (flags.momentum) writes.push('buffer')
  return updateKernel({
    name: 'rmsprop',
    reads: ['grad'],
    writes,
    scalars: ['weightDecay', 'alpha', 'rest', 'eps', 'momentum', 'step', 'one', 'minusOne'],
    compute: ({ param, grad, squareAvg, gradAvg, buffer }, s, axpy) => {
      const g = descent(grad, param, flags, s.weightDecay, axpy)
      const v = addcmul(k.mul(squareAvg, s.alpha), g, g, s.rest)
      const mean = flags.centered ? lerp(gradAvg, g, s.rest, flags.nearEnd) : undefined
      const variance = mean === undefined ? v : addcmul(v, mean, mean, s.minusOne)
      const root = k.add(k.sqrt(variance), s.eps)
      if (!flags.momentum) return { param: addcdiv(param, g, root, s.step), squareAvg: v, gradAvg: mean }
      const b = addcdiv(k.mul(buffer, s.momentum), g, root, s.one)
      return { param: axpy(param, s.step, b), squareAvg: v, gradAvg: mean, buffer: b }
    },
  })
})

/**
 * RMSprop (Hinton, lecture 6 of "Neural Networks for Machine Learning", 2012). With g the gradient (plus
 * `weightDecay` times the parameter):
 *
 *     v = alpha * v + (1 - alpha) * g^2
 *     p = p - lr * g / (sqrt(v) + eps)
 *
 * `centered` subtracts the square of the mean gradient from v (Graves, 2013); `momentum` repeats part of the last step.
 */
export class RMSprop extends Optimizer<RMSpropOptions, RMSpropState> {
  constructor(params: Params<RMSpropOptions>, options?: RMSpropOptions)
  constructor(params: Params<RMSpropOptions>, lr: number, options?: Omit<RMSpropOptions, 'lr'>)
  constructor(params: Params<RMSpropOptions>, ...args: unknown[]) {
    const options = readOptions('RMSprop', defaults, 'lr', args)
    checkLr(options.lr)
    checkValue(options.eps >= 0, 'Invalid epsilon value', options.eps)
    checkValue(options.momentum >= 0, 'Invalid momentum value', options.momentum)
    checkValue(options.weightDecay >= 0, 'Invalid weight_decay value', options.weightDecay)
    checkValue(options.alpha >= 0, 'Invalid alpha value', options.alpha)
    super(params, options, {
      scalars: ['step'],
      upgrades: {
        momentum: 0,
        centered: false,
        foreach: null,
        maximize: false,
        differentiable: false,
        capturable: false,
      },
    })
  }

  protected override updateGroup(group: ParamGroup<RMSpropOptions>): void {
    const { lr, alpha, eps, weightDecay, momentum, centered, maximize } = group
    const update = rmspropUpdate({
      maximize,
      penalty: weightDecay !== 0,
      momentum: momentum > 0,
      centered,
      nearEnd: isNearEnd(1 - alpha),
    })
    const numbers = { weightDecay, alpha, rest: 1 - alpha, eps, momentum, step: -lr, one: 1, minusOne: -1 }
    for (const param of group.params) {
      const { grad } = param
      if (grad === null) continue
      const state = this.stateOf(param, () => ({ step: scalarState(0), square_avg: zerosLike(param) }))
      if (momentum > 0) state.momentum_buffer ??= zerosLike(param)
      if (centered) state.grad_avg ??= zerosLike(param)
      nextStep(state.step)
      // What the variant does not use stands for nothing: `writes` does not name it.
      const buffer = state.momentum_buffer ?? param
      const gradAvg = state.grad_avg ?? param
      update({ param, grad, squareAvg: state.square_avg, gradAvg, buffer }, numbers)
    }
  }
}
