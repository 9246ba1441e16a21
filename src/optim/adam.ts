// Adam and AdamW: steps scaled by running averages of the gradient and of its square.

import * as k from '../kernels/expr.ts'
import { zerosLike } from '../ops/creation.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type CapturableOptions, checkBetas, checkFused, checkLr, checkValue } from './execution.ts'
import { Optimizer, type ParamGroup, type Params } from './optimizer.ts'
import { readOptions } from './options.ts'
import { nextStep, scalarState } from './state.ts'
import {
  type Axpy,
  addcdiv,
  addcmul,
  descent,
  isNearEnd,
  lerp,
  updateKernel,
  updateVariants,
} from './update-kernel.ts'

export interface AdamOptions extends CapturableOptions {
  /** The learning rate; default 1e-3. */
  lr?: number
  /** How much the averages of the gradient and of its square keep; default (0.9, 0.999). */
  betas?: readonly [number, number]
  /** Added to the denominator; default 1e-8. */
  eps?: number
  /** L2 penalty, or decay of the weights themselves (AdamW); default 0, AdamW 0.01. */
  weightDecay?: number
  /** Divides by the largest average so far (Reddi et al., 2018); default false. */
  amsgrad?: boolean
  /** As `foreach`. */
  fused?: boolean | null
  /** Decays the weights themselves instead of adding to the gradient, as AdamW; default false. */
  decoupledWeightDecay?: boolean
}

export type AdamWOptions = Omit<AdamOptions, 'decoupledWeightDecay'>

interface AdamState {
  step: Tensor
  exp_avg: Tensor
  exp_avg_sq: Tensor
  max_exp_avg_sq?: Tensor
}

const defaults: Required<AdamOptions> = {
  lr: 1e-3,
  betas: [0.9, 0.999],
  eps: 1e-8,
  weightDecay: 0,
  amsgrad: false,
  maximize: false,
  foreach: null,
  capturable: false,
  differentiable: false,
  fused: null,
  decoupledWeightDecay: false,
}

interface AdamFlags extends Record<string, boolean> {
  maximize: boolean
  penalty: boolean
  decoupled: boolean
  nearEnd: boolean
}

type AdamScalar = 'decay' | 'weight1' | 'beta2' | 'weight2' | 'root' | 'eps' | 'step'
const scalars: readonly AdamScalar[] = ['decay', 'weight1', 'beta2', 'weight2', 'root', 'eps', 'step']

type Values<N extends string> = Readonly<Record<N, k.Expr>>

// The moments, and the parameter after a decay that is not part of the gradient.
function moments(
  flags: AdamFlags,
  { param, grad, expAvg, expAvgSq }: Values<'param' | 'grad' | 'expAvg' | 'expAvgSq'>,
  { decay, weight1, beta2, weight2 }: Values<AdamScalar>,
  axpy: Axpy,
): Values<'p' | 'm' | 'v'> {
  const g = descent(grad, param, flags, decay, axpy)
  return {
    p: flags.decoupled ? k.mul(param, decay) : param,
    m: lerp(expAvg, g, weight1, flags.nearEnd),
    v: addcmul(k.mul(expAvgSq, beta2), g, g, weight2),
  }
}

function moved({ p, m }: Values<'p' | 'm'>, v: k.Expr, { root, eps, step }: Values<AdamScalar>): k.Expr {
  return addcdiv(p, m, k.add(k.div(k.sqrt(v), root), eps), step)
}

const adamUpdate = updateVariants((flags: AdamFlags) =>
  updateKernel({
    name: 'adam',
    reads: ['grad'],
    writes: ['param', 'expAvg', 'expAvgSq'],
    scalars,
    compute: (tensors, numbers, axpy) => {
      const { p, m, v } = moments(flags, tensors, numbers, axpy)
      return { param: moved({ p, m }, v, numbers), expAvg: m, expAvgSq: v }
    },
  }),
)

const amsgradUpdate = updateVariants((flags: AdamFlags) =>
  updateKernel({
    name: 'adam',
    reads: ['grad'],
    writes: ['param', 'expAvg', 'expAvgSq', 'maxExpAvgSq'],
    scalars,
    compute: (tensors, numbers, axpy) => {
      const { p, m, v } = moments(flags, tensors, numbers, axpy)
      const largest = k.max(tensors.maxExpAvgSq, v)
      return { param: moved({ p, m }, largest, numbers), expAvg: m, expAvgSq: v, maxExpAvgSq: largest }
    },
  }),
)

/**
 * Adam (Kingma and Ba, "Adam: A Method for Stochastic Optimization", 2015). With g the gradient (plus `weightDecay`
 * times the parameter) and t the number of the step:
 *
 *     m = beta1 * m + (1 - beta1) * g
 *     v = beta2 * v + (1 - beta2) * g^2
 *     p = p - lr * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)
 *
 * @example new optim.Adam(model.parameters(), { lr: 1e-3 })
 * @throws ValueError for options out of range
 */
export class Adam extends Optimizer<AdamOptions, AdamState> {
  constructor(params: Params<AdamOptions>, options?: AdamOptions)
  constructor(params: Params<AdamOptions>, lr: number, options?: Omit<AdamOptions, 'lr'>)
  constructor(params: Params<AdamOptions>, ...args: unknown[]) {
    const options = readOptions('Adam', defaults, 'lr', args)
    const { lr, eps, betas, weightDecay } = options
    checkLr(lr)
    checkValue(eps >= 0, 'Invalid epsilon value', eps)
    checkBetas(betas)
    checkValue(weightDecay >= 0, 'Invalid weight_decay value', weightDecay)
    super(params, options, {
      floats: ['betas'],
      scalars: ['step'],
      upgrades: {
        amsgrad: false,
        maximize: false,
        foreach: null,
        capturable: false,
        differentiable: false,
        decoupledWeightDecay: false,
        fused: null,
      },
    })
    checkFused(options)
  }

  protected override updateGroup(group: ParamGroup<AdamOptions>): void {
    const { lr, eps, weightDecay, amsgrad, maximize } = group
    const [beta1, beta2] = group.betas
    const decoupled = group.decoupledWeightDecay && weightDecay !== 0
    const penalty = !decoupled && weightDecay !== 0
    const flags = { maximize, penalty, decoupled, nearEnd: isNearEnd(1 - beta1) }
    const decay = decoupled ? 1 - lr * weightDecay : weightDecay
    for (const param of group.params) {
      const { grad } = param
      if (grad === null) continue
      const state = this.stateOf(param, () => ({
        step: scalarState(0),
        exp_avg: zerosLike(param),
        exp_avg_sq: zerosLike(param),
        ...(amsgrad ? { max_exp_avg_sq: zerosLike(param) } : {}),
      }))
      const t = nextStep(state.step)
      const numbers = {
        decay,
        weight1: 1 - beta1,
        beta2,
        weight2: 1 - beta2,
        root: Math.sqrt(1 - beta2 ** t),
        eps,
        step: -(lr / (1 - beta1 ** t)),
      }
      const tensors = { param, grad, expAvg: state.exp_avg, expAvgSq: state.exp_avg_sq }
      if (!amsgrad) adamUpdate(flags)(tensors, numbers)
      else {
        state.max_exp_avg_sq ??= zerosLike(param)
        amsgradUpdate(flags)({ ...tensors, maxExpAvgSq: state.max_exp_avg_sq }, numbers)
      }
    }
  }
}

/**
 * AdamW (Loshchilov and Hutter, "Decoupled Weight Decay Regularization", 2019): `Adam`, but the weights themselves
 * decay, p = p (1 - lr * weightDecay), and the gradient knows nothing of it. The decay is 0.01 unless given.
 */
export class AdamW extends Adam {
  constructor(params: Params<AdamWOptions>, options?: AdamWOptions)
  constructor(params: Params<AdamWOptions>, lr: number, options?: Omit<AdamWOptions, 'lr'>)
  constructor(params: Params<AdamWOptions>, ...args: unknown[]) {
    const { decoupledWeightDecay: _, ...known } = defaults
    const options = readOptions('AdamW', { ...known, weightDecay: 0.01 }, 'lr', args)
    super(params as Params<AdamOptions>, { ...options, decoupledWeightDecay: true })
  }

  // States written before there was such an option are AdamW's all the same.
  protected override upgradeGroup(group: ParamGroup<AdamOptions>): ParamGroup<AdamOptions> {
    group.decoupledWeightDecay = true
    return group
  }
}
