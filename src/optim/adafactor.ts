// Adafactor: an adaptive method that keeps only the row and column sums of the squared gradient.

import { finfo } from '../core/dtype.ts'
import { ValueError } from '../core/errors.ts'
import { pyRepr } from '../core/python.ts'
import * as k from '../kernels/expr.ts'
import { zeros, zerosLike } from '../ops/creation.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkLr } from './execution.ts'
import { Optimizer, type ParamGroup, type Params } from './optimizer.ts'
import { readOptions } from './options.ts'
import { nextStep, scalarState } from './state.ts'
import { isNearEnd, lerp, updateKernel, updateVariants } from './update-kernel.ts'

export interface AdafactorOptions {
  /** The largest learning rate; it falls as 1 / sqrt(t) where that is less. Default 1e-2. */
  lr?: number
  /** The exponent of the decay of the averages; default -0.8. */
  beta2Decay?: number
  /** Least size of the update's denominator (null: the dtype's epsilon) and of the parameter's scale; default (null, 1e-3). */
  eps?: readonly [number | null, number]
  /** Updates whose root mean square is larger are scaled down to it; default 1. */
  d?: number
  /** Decay of the weights themselves; default 0. */
  weightDecay?: number
  /** How PyTorch runs the step on a GPU. Kept, printed and saved, without effect here. */
  foreach?: boolean | null
  /** Climbs instead of descending; default false. */
  maximize?: boolean
}

interface AdafactorState {
  step: Tensor
  row_var?: Tensor
  col_var?: Tensor
  variance?: Tensor
}

const defaults: Required<AdafactorOptions> = {
  lr: 1e-2,
  beta2Decay: -0.8,
  eps: [null, 1e-3],
  d: 1,
  weightDecay: 0,
  foreach: null,
  maximize: false,
}

const average = updateVariants(({ nearEnd }: { nearEnd: boolean }) =>
  updateKernel({
    name: 'adafactor',
    reads: ['next'],
    writes: ['mean'],
    scalars: ['weight'],
    compute: ({ mean, next }, { weight }) => ({ mean: lerp(mean, next, weight, nearEnd) }),
  }),
)

// The gradient over the root of the estimated mean square of each element.
const scaledByMatrix = updateKernel({
  name: 'adafactor',
  reads: ['grad', 'rows', 'columns', 'rowMean'],
  writes: ['update'],
  scalars: ['eps'],
  compute: ({ grad, rows, columns, rowMean }, { eps }) => {
    const variance = k.div(k.mul(rows, columns), k.max(rowMean, eps))
    return { update: k.mul(k.div(1, k.sqrt(k.max(variance, k.mul(eps, eps)))), grad) }
  },
})

const scaledByVector = updateKernel({
  name: 'adafactor',
  reads: ['grad', 'variance'],
  writes: ['update'],
  scalars: ['eps'],
  compute: ({ grad, variance }, { eps }) => ({
    update: k.mul(k.div(1, k.sqrt(k.max(variance, k.mul(eps, eps)))), grad),
  }),
})

const move = updateKernel({
  name: 'adafactor',
  reads: ['update'],
  writes: ['param'],
  scalars: ['kept', 'step'],
  compute: ({ param, update }, { kept, step }, axpy) => ({ param: axpy(k.mul(param, kept), step, update) }),
})

function rootMeanSquare(x: Tensor): number {
  return Math.sqrt(Number(x.mul(x).sum().item())) / Math.sqrt(x.numel())
}

/**
 * Adafactor (Shazeer and Stern, "Adafactor: Adaptive Learning Rates with Sublinear Memory Cost", 2018). For a matrix
 * with gradient G, t the number of the step, e1 and e2 of `eps`:
 *
 *     R = lerp(R, mean of G^2 along rows, t^beta2Decay)        C likewise along columns
 *     U = G / sqrt(R C / mean(R))
 *     p = p - max(e2, rms(p)) min(lr, 1 / sqrt(t)) U / max(1, rms(U) / d)
 *
 * A vector keeps the mean of each element's square instead. A tensor of more dimensions is a batch of matrices.
 */
export class Adafactor extends Optimizer<AdafactorOptions, AdafactorState> {
  constructor(params: Params<AdafactorOptions>, options?: AdafactorOptions)
  constructor(params: Params<AdafactorOptions>, lr: number, options?: Omit<AdafactorOptions, 'lr'>)
  constructor(params: Params<AdafactorOptions>, ...args: unknown[]) {
    const options = readOptions('Adafactor', defaults, 'lr', args)
    const { lr, beta2Decay, eps, d, weightDecay } = options
    checkLr(lr, 'Learning rate should be >= 0 but is')
    if (!(beta2Decay <= 0)) throw new ValueError(`beta2_decay should be <= 0 but is: ${pyRepr(beta2Decay)}`)
    if (eps[0] !== null && !(eps[0] >= 0))
      throw new ValueError(`epsilon1 should be >= 0 but is: ${pyRepr(eps[0])}`)
    if (!(eps[1] >= 0)) throw new ValueError(`epsilon2 should be >= 0 but is: ${pyRepr(eps[1])}`)
    if (!(d >= 1)) throw new ValueError(`Clipping threshold d should be >= 1 but is: ${pyRepr(d)}`)
    if (!(weightDecay >= 0))
      throw new ValueError(`weight_decay should be >= 0 but is: ${pyRepr(weightDecay)}`)
    super(params, options, { floats: ['d', 'weightDecay'], scalars: ['step'], upgrades: { foreach: null } })
  }

  protected override updateGroup(group: ParamGroup<AdafactorOptions>): void {
    const { lr, beta2Decay, d, weightDecay, maximize } = group
    for (const param of group.params) {
      const { grad } = param
      if (grad === null) continue
      const eps = group.eps[0] ?? finfo(param.dtype).eps
      const state = this.stateOf(param, () => initialState(grad))
      const t = nextStep(state.step)
      const weight = t ** beta2Decay
      const update = zerosLike(grad)
      const averageInto = average({ nearEnd: isNearEnd(weight) })
      const { row_var: rows, col_var: columns, variance } = state
      if (rows !== undefined && columns !== undefined) {
        const squares = grad.mul(grad)
        averageInto({ mean: rows, next: squares.mean(-1, { keepdim: true }) }, { weight })
        averageInto({ mean: columns, next: squares.mean(-2, { keepdim: true }) }, { weight })
        scaledByMatrix({ update, grad, rows, columns, rowMean: rows.mean(-2, { keepdim: true }) }, { eps })
      } else if (variance !== undefined) {
        averageInto({ mean: variance, next: grad.mul(grad) }, { weight })
        scaledByVector({ update, grad, variance }, { eps })
      }
      if (param.storage.isAsynchronous) {
        moveOnDevice(param, update, group, t)
        continue
      }
      const rate = Math.max(group.eps[1], rootMeanSquare(param)) * Math.min(lr, 1 / Math.sqrt(t))
      const step = -rate / Math.max(1, rootMeanSquare(update) / d)
      move({ param, update }, { kept: 1 - lr * weightDecay, step: maximize ? -step : step })
    }
  }
}

/** The last part of a step where the norms are only known to the device. */
function moveOnDevice(param: Tensor, update: Tensor, group: ParamGroup<AdafactorOptions>, t: number): void {
  const { lr, eps, d, weightDecay, maximize } = group
  const root = (x: Tensor): Tensor => x.mul(x).mean().sqrt()
  const rate = root(param.detach())
    .clamp({ min: eps[1] })
    .mul(Math.min(lr, 1 / Math.sqrt(t)))
  const change = update.mul(rate.div(root(update).div(d).clamp({ min: 1 })))
  param.mul_(1 - lr * weightDecay).sub_(maximize ? change.neg() : change)
}

function initialState(grad: Tensor): AdafactorState {
  const step = scalarState(0)
  if (grad.ndim <= 1) return { step, variance: zerosLike(grad) }
  const { dtype, device } = grad
  const without = (dim: number) => grad.sizes.map((n, i) => (i === grad.ndim + dim ? 1 : n))
  return {
    step,
    row_var: zeros(without(-1), { dtype, device }),
    col_var: zeros(without(-2), { dtype, device }),
  }
}
