// The averages of torch.optim.swa_utils: a model whose parameters are the mean, or a moving average, of another one's.

import { noGrad } from '../autograd/mode.ts'
import type { DeviceLike } from '../core/device.ts'
import { int64 } from '../core/dtype.ts'
import { AssertionError, ValueError } from '../core/errors.ts'
import { deepcopy } from '../nn/deepcopy.ts'
import { Module } from '../nn/module.ts'
import { BatchNormBase } from '../nn/norm.ts'
import { Buffer } from '../nn/parameter.ts'
import { tensor } from '../ops/creation.ts'
import { checkOptions } from '../ops/op.ts'
import { Tensor } from '../tensor/tensor.ts'

/** The new average of one parameter, of the old one, the model's, and how many were averaged before. */
export type AvgFn = (averaged: Tensor, current: Tensor, numAveraged: Tensor) => Tensor

/** Changes the averages of many parameters in place. */
export type MultiAvgFn = (
  averaged: readonly Tensor[],
  current: readonly Tensor[],
  numAveraged: Tensor,
) => void

function checkDecay(decay: number): void {
  if (!(decay >= 0 && decay <= 1))
    throw new ValueError(`Invalid decay value ${decay} provided. Please provide a value in [0,1] range.`)
}

/** Exponential moving averages, for `avgFn`: decay times the average plus 1 - decay times the new value. */
export function getEmaAvgFn(decay = 0.999): AvgFn {
  checkDecay(decay)
  return (averaged, current) => noGrad(() => averaged.mul(decay).add(current.mul(1 - decay)))
}

/** Exponential moving averages, for `multiAvgFn`. */
export function getEmaMultiAvgFn(decay = 0.999): MultiAvgFn {
  checkDecay(decay)
  return (averaged, current) =>
    noGrad(() => {
      averaged.forEach((x, i) => {
        if (x.isFloatingPoint()) x.lerp_(current[i], 1 - decay)
        else x.copy_(x.mul(decay).add(current[i].mul(1 - decay)))
      })
    })
}

/** The mean of all values so far, for `avgFn`. */
export function getSwaAvgFn(): AvgFn {
  return (averaged, current, numAveraged) =>
    noGrad(() => averaged.add(current.sub(averaged).div(numAveraged.add(1))))
}

/** The mean of all values so far, for `multiAvgFn`. */
export function getSwaMultiAvgFn(): MultiAvgFn {
  return (averaged, current, numAveraged) =>
    noGrad(() => {
      const n = Number(numAveraged.item()) + 1
      averaged.forEach((x, i) => {
        if (x.isFloatingPoint()) x.lerp_(current[i], 1 / n)
        else x.add_(current[i].sub(x).div(n).to(x.dtype))
      })
    })
}

/** Options of `AveragedModel`. */
export interface AveragedModelOptions {
  /** Where the averages are kept; default where the model is. */
  device?: DeviceLike | null
  /** Averages one parameter; the mean unless this or `multiAvgFn` is given. */
  avgFn?: AvgFn | null
  /** Averages all parameters at once. */
  multiAvgFn?: MultiAvgFn | null
  /** Averages buffers, too, rather than copying the model's. Default false. */
  useBuffers?: boolean
}

/**
 * A copy of a model whose parameters are averages of the model's, updated by `updateParameters`: their mean (stochastic weight averaging,
 * Izmailov et al. 2018), or with `{ multiAvgFn: getEmaMultiAvgFn(0.999) }` a moving average.
 *
 *     const averaged = new AveragedModel(model)
 *     for (...) { optimizer.step(); averaged.updateParameters(model) }
 *     updateBn(loader, averaged)
 */
export class AveragedModel<M extends Module = Module> extends Module {
  module: M
  n_averaged: Buffer
  readonly avgFn: AvgFn | null
  readonly multiAvgFn: MultiAvgFn | null
  readonly useBuffers: boolean

  constructor(model: M, options: AveragedModelOptions = {}) {
    super()
    checkOptions('AveragedModel', options as Record<string, unknown>, [
      'device',
      'avgFn',
      'multiAvgFn',
      'useBuffers',
    ])
    const { device = null, avgFn = null, multiAvgFn = null, useBuffers = false } = options
    if (avgFn !== null && multiAvgFn !== null)
      throw new AssertionError('Only one of avg_fn and multi_avg_fn should be provided')
    this.module = deepcopy(model)
    if (device !== null) this.module.to(device)
    this.n_averaged = new Buffer(tensor(0, { dtype: int64, ...(device === null ? {} : { device }) }))
    this.avgFn = avgFn
    this.multiAvgFn = multiAvgFn
    this.useBuffers = useBuffers
  }

  override forward(...args: Parameters<M['forward']>): ReturnType<M['forward']> {
    return (this.module as unknown as (...values: unknown[]) => ReturnType<M['forward']>)(...args)
  }

  /** Takes the parameters of a model into the averages. The first time they are copied. */
  updateParameters(model: Module): void {
    const listOf = (source: Module) =>
      this.useBuffers ? [...source.parameters(), ...source.buffers()] : [...source.parameters()]
    const averaged = listOf(this.module).map((x) => x.detach())
    const current = listOf(model).map((x, i) => x.detach().to(averaged[i].device))
    noGrad(() => {
      if (this.n_averaged.item() === 0)
        averaged.forEach((x, i) => {
          x.copy_(current[i])
        })
      else if (this.avgFn === null) this.averageAll(averaged, current)
      else
        averaged.forEach((x, i) => {
          x.copy_(this.avgFn!(x, current[i], this.n_averaged))
        })
      if (!this.useBuffers) {
        const buffers = [...model.buffers()]
        ;[...this.module.buffers()].forEach((buffer, i) => {
          buffer.detach().copy_(buffers[i].detach())
        })
      }
      this.n_averaged.add_(1)
    })
  }

  // Functions of many tensors get those of one dtype at a time.
  private averageAll(averaged: readonly Tensor[], current: readonly Tensor[]): void {
    const average = this.multiAvgFn ?? getSwaMultiAvgFn()
    for (const dtype of new Set(averaged.map((x) => x.dtype))) {
      const members = averaged.flatMap((x, i) => (x.dtype === dtype ? [i] : []))
      average(
        members.map((i) => averaged[i]),
        members.map((i) => current[i]),
        this.n_averaged,
      )
    }
  }
}

/**
 * Computes the running statistics of a model's batch normalisations anew, as the mean over all batches of a loader; for an
 * `AveragedModel` after training. A batch that is an array gives its first element to the model.
 */
export function updateBn(
  loader: Iterable<unknown>,
  model: Module,
  { device = null }: { device?: DeviceLike | null } = {},
): void {
  const momenta = new Map<BatchNormBase, number | null>()
  for (const module of model.modules())
    if (module instanceof BatchNormBase) {
      module.resetRunningStats()
      momenta.set(module, module.momentum)
    }
  if (momenta.size === 0) return
  const { training } = model
  model.train()
  for (const module of momenta.keys()) module.momentum = null
  try {
    noGrad(() => {
      for (const batch of loader) {
        const input: unknown = Array.isArray(batch) ? batch[0] : batch
        const moved = device !== null && input instanceof Tensor ? input.to(device) : input
        ;(model as unknown as (x: unknown) => unknown)(moved)
      }
    })
  } finally {
    for (const [module, momentum] of momenta) module.momentum = momentum
    model.train(training)
  }
}
