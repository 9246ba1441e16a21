// The namespace torch.optim.swa_utils, and the scheduler in it. The averages are in averaged-model.ts.

import { ValueError } from '../core/errors.ts'
import { pyRepr } from '../core/python.ts'
import { readOptions } from './options.ts'
import { type AnyOptimizer, forEachGroup, LRScheduler, rateOf, type SchedulerOptions } from './scheduler.ts'

export {
  AveragedModel,
  type AveragedModelOptions,
  type AvgFn,
  getEmaAvgFn,
  getEmaMultiAvgFn,
  getSwaAvgFn,
  getSwaMultiAvgFn,
  type MultiAvgFn,
  updateBn,
} from './averaged-model.ts'

export interface SWALROptions extends SchedulerOptions {
  /** How many epochs it takes; default 10. */
  annealEpochs?: number
  /** The form of the way; default `'cos'`. */
  annealStrategy?: 'cos' | 'linear'
}

/**
 * Moves from the current rate to `swaLr` and stays there, for averaging the weights of the epochs that follow
 * (Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", 2018).
 * @param swaLr the rate to reach, or one for each group
 */
export class SWALR extends LRScheduler {
  annealEpochs: number
  private annealStrategy: string

  constructor(optimizer: AnyOptimizer, swaLr: number | readonly number[], options?: SWALROptions)
  constructor(
    optimizer: AnyOptimizer,
    swaLr: number | readonly number[],
    annealEpochs: number,
    options?: Omit<SWALROptions, 'annealEpochs'>,
  )
  constructor(optimizer: AnyOptimizer, swaLr: number | readonly number[], ...args: unknown[]) {
    const defaults: Required<SWALROptions> = { annealEpochs: 10, annealStrategy: 'cos', lastEpoch: -1 }
    const { annealEpochs, annealStrategy, lastEpoch } = readOptions('SWALR', defaults, 'annealEpochs', args)
    super(optimizer, lastEpoch)
    const rates = forEachGroup('swa_lr', optimizer, swaLr)
    if (annealStrategy !== 'cos' && annealStrategy !== 'linear')
      throw new ValueError(
        `anneal_strategy must be one of 'cos' or 'linear', instead got ${String(annealStrategy)}`,
      )
    if (!Number.isInteger(annealEpochs) || annealEpochs < 0)
      throw new ValueError(`anneal_epochs must be equal or greater than 0, got ${pyRepr(annealEpochs)}`)
    this.groups().forEach((group, i) => {
      const extra: Record<string, unknown> = group
      extra.swaLr = rates[i]
    })
    this.annealStrategy = annealStrategy
    this.annealEpochs = annealEpochs
    this.start()
  }

  private share(t: number): number {
    return this.annealStrategy === 'cos' ? (1 - Math.cos(Math.PI * t)) / 2 : t
  }

  protected override getLr(): number[] {
    const step = this.annealEpochs === 0 ? Math.max(1, this.stepCount - 1) : this.stepCount - 1
    const part = (n: number) => Math.max(0, Math.min(1, n / Math.max(1, this.annealEpochs)))
    const before = this.share(part(step - 1))
    const now = this.share(part(step))
    return this.groups().map((group) => {
      const swaLr = group.swaLr as number
      // The rate from which the way started, from where it has come to.
      const initial = before === 1 ? swaLr : (rateOf(group) - before * swaLr) / (1 - before)
      return swaLr * now + initial * (1 - now)
    })
  }

  protected override ownFields(): Record<string, string> {
    return { _anneal_strategy: 'annealStrategy', anneal_epochs: 'annealEpochs' }
  }
}
