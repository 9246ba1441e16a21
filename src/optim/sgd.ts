// SGD: stochastic gradient descent, with momentum and Nesterov's variant.

import { ValueError } from '../core/errors.ts'
import * as k from '../kernels/expr.ts'
import { emptyLike } from '../ops/creation.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkFused, checkLr, checkValue, type SharedOptions } from './execution.ts'
import { Optimizer, type ParamGroup, type Params } from './optimizer.ts'
import { readOptions } from './options.ts'
import { descent, updateKernel, updateVariants } from './update-kernel.ts'

export interface SGDOptions extends SharedOptions {
  /** The learning rate; default 1e-3. */
  lr?: number
  /** The part of the last step that is repeated; default 0. */
  momentum?: number
  /** The part of the gradient that momentum does not take up; default 0. */
  dampening?: number
  /** L2 penalty; default 0. */
  weightDecay?: number
  /** Nesterov's momentum: looks ahead along the step; default false. */
  nesterov?: boolean
  /** As `foreach`. */
  fused?: boolean | null
}

interface SGDState {
  momentum_buffer: Tensor | null
}

const defaults: Required<SGDOptions> = {
  lr: 1e-3,
  momentum: 0,
  dampening: 0,
  weightDecay: 0,
  nesterov: false,
  maximize: false,
  foreach: null,
  differentiable: false,
  fused: null,
}

const plainUpdate = updateVariants((flags: { maximize: boolean; penalty: boolean }) =>
  updateKernel({
    name: 'sgd',
    reads: ['grad'],
    writes: ['param'],
    scalars: ['step', 'weightDecay'],
    compute: ({ param, grad }, { step, weightDecay }, axpy) => ({
      param: axpy(param, step, descent(grad, param, flags, weightDecay, axpy)),
    }),
  }),
)

const momentumUpdate = updateVariants(
  (flags: { maximize: boolean; penalty: boolean; isFirst: boolean; nesterov: boolean }) =>
    updateKernel({
      name: 'sgd',
      reads: ['grad'],
      writes: ['param', 'buffer'],
      scalars: ['step', 'weightDecay', 'momentum', 'kept'],
      compute: ({ param, grad, buffer }, { step, weightDecay, momentum, kept }, axpy) => {
        const g = descent(grad, param, flags, weightDecay, axpy)
        const b = flags.isFirst ? g : axpy(k.mul(buffer, momentum), kept, g)
        const direction = flags.nesterov ? axpy(g, momentum, b) : b
        return { buffer: b, param: axpy(param, step, direction) }
      },
    }),
)

/**
 * Stochastic gradient descent. With g the gradient (plus `weightDecay` times the parameter):
 *
 *     b = momentum * b + (1 - dampening) * g        (b = g at the first step)
 *     p = p - lr * b                                (nesterov: p - lr * (g + momentum * b))
 *
 * @example new optim.SGD(model.parameters(), { lr: 0.1, momentum: 0.9 })
 * @throws ValueError for negative options, and for `nesterov` without momentum or with dampening
 */
export class SGD extends Optimizer<SGDOptions, SGDState> {
  constructor(params: Params<SGDOptions>, options?: SGDOptions)
  constructor(params: Params<SGDOptions>, lr: number, options?: Omit<SGDOptions, 'lr'>)
  constructor(params: Params<SGDOptions>, ...args: unknown[]) {
    const options = readOptions('SGD', defaults, 'lr', args)
    const { lr, momentum, weightDecay, nesterov, dampening } = options
    checkLr(lr)
    checkValue(!(momentum < 0), 'Invalid momentum value', momentum)
    checkValue(!(weightDecay < 0), 'Invalid weight_decay value', weightDecay)
    if (nesterov && (momentum <= 0 || dampening !== 0))
      throw new ValueError('Nesterov momentum requires a momentum and zero dampening')
    super(params, options, {
      upgrades: { nesterov: false, maximize: false, foreach: null, differentiable: false, fused: false },
    })
    checkFused(options)
  }

  protected override readonly countsSteps = false

  protected override updateGroup(group: ParamGroup<SGDOptions>): void {
    const { momentum, weightDecay, nesterov, maximize } = group
    const flags = { maximize, penalty: weightDecay !== 0 }
    const scalars = { step: -group.lr, weightDecay, momentum, kept: 1 - group.dampening }
    if (momentum === 0) {
      const update = plainUpdate(flags)
      for (const param of group.params) {
        const { grad } = param
        if (grad !== null) update({ param, grad }, scalars)
      }
      return
    }
    const first = momentumUpdate({ ...flags, isFirst: true, nesterov })
    const later = momentumUpdate({ ...flags, isFirst: false, nesterov })
    for (const param of group.params) {
      const { grad } = param
      if (grad === null) continue
      const known = this.state.get(param)?.momentum_buffer ?? null
      const buffer = known ?? emptyLike(grad)
      const update = known === null ? first : later
      update({ param, grad, buffer }, scalars)
      if (known === null) this.state.set(param, { momentum_buffer: buffer })
    }
  }
}
