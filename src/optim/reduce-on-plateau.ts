// ReduceLROnPlateau: lowers the rate when a metric has stopped improving.

import { hostStep } from '../backends/recording.ts'
import { RuntimeError, ValueError } from '../core/errors.ts'
import { Tensor } from '../tensor/tensor.ts'
import { readOptions } from './options.ts'
import { type AnyOptimizer, LRScheduler, rateOf, setRate } from './scheduler.ts'

export interface ReduceLROnPlateauOptions {
  /** Whether the metric should fall (`'min'`, the default) or rise. */
  mode?: 'min' | 'max'
  /** The factor of a reduction; default 0.1. */
  factor?: number
  /** How many epochs without improvement are borne; default 10. */
  patience?: number
  /** What counts as an improvement; default 1e-4. */
  threshold?: number
  /** Whether `threshold` is a part of the best value (`'rel'`, the default) or a difference. */
  thresholdMode?: 'rel' | 'abs'
  /** How many epochs after a reduction are not judged; default 0. */
  cooldown?: number
  /** The least rate, or one for each group; default 0. */
  minLr?: number | readonly number[]
  /** Rates are left alone where they would change by no more; default 1e-8. */
  eps?: number
}

const defaults: Required<ReduceLROnPlateauOptions> = {
  mode: 'min',
  factor: 0.1,
  patience: 10,
  threshold: 1e-4,
  thresholdMode: 'rel',
  cooldown: 0,
  minLr: 0,
  eps: 1e-8,
}

/**
 * The rate times `factor` once a metric has not improved for more than `patience` epochs:
 *
 *     scheduler.step(validationLoss)
 */
export class ReduceLROnPlateau extends LRScheduler {
  factor: number
  defaultMinLr: number | null
  minLrs: number[]
  patience: number
  cooldown: number
  eps: number
  modeWorse: number
  mode: string
  threshold: number
  thresholdMode: string
  best: number
  cooldownCounter = 0
  numBadEpochs = 0

  constructor(optimizer: AnyOptimizer, options?: ReduceLROnPlateauOptions)
  constructor(optimizer: AnyOptimizer, mode: 'min' | 'max', options?: Omit<ReduceLROnPlateauOptions, 'mode'>)
  constructor(optimizer: AnyOptimizer, ...args: unknown[]) {
    const options = readOptions('ReduceLROnPlateau', defaults, 'mode', args)
    const { mode, factor, thresholdMode, minLr } = options
    if (!(factor < 1)) throw new ValueError('Factor should be < 1.0.')
    super(optimizer, 0)
    const n = optimizer.paramGroups.length
    if (typeof minLr === 'number') {
      this.defaultMinLr = minLr
      this.minLrs = Array.from({ length: n }, () => minLr)
    } else {
      if (minLr.length !== n) throw new ValueError(`expected ${n} min_lrs, got ${minLr.length}`)
      this.defaultMinLr = null
      this.minLrs = [...minLr]
    }
    if (mode !== 'min' && mode !== 'max') throw new ValueError(`mode ${String(mode)} is unknown!`)
    if (thresholdMode !== 'rel' && thresholdMode !== 'abs')
      throw new ValueError(`threshold mode ${String(thresholdMode)} is unknown!`)
    this.factor = factor
    this.patience = options.patience
    this.cooldown = options.cooldown
    this.eps = options.eps
    this.mode = mode
    this.threshold = options.threshold
    this.thresholdMode = thresholdMode
    this.modeWorse = mode === 'min' ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
    this.best = this.modeWorse
    this.lastLr = this.currentLrs()
  }

  get inCooldown(): boolean {
    return this.cooldownCounter > 0
  }

  /** Judges an epoch by its metric, a number or a tensor of one element. */
  override step(metric: number | Tensor | null | undefined, epoch?: number | null): void {
    hostStep(() => this.judge(metric, epoch))
  }

  private judge(metric: number | Tensor | null | undefined, epoch?: number | null): void {
    const value = metric instanceof Tensor ? Number(metric.item()) : metric
    if (typeof value !== 'number')
      throw new ValueError('ReduceLROnPlateau.step() needs the metric of the epoch')
    this.lastEpoch = epoch ?? this.lastEpoch + 1
    if (this.isBetter(value)) {
      this.best = value
      this.numBadEpochs = 0
    } else this.numBadEpochs++
    if (this.inCooldown) {
      this.cooldownCounter--
      this.numBadEpochs = 0
    }
    if (this.numBadEpochs > this.patience) {
      this.reduce()
      this.cooldownCounter = this.cooldown
      this.numBadEpochs = 0
    }
    this.lastLr = this.currentLrs()
  }

  private reduce(): void {
    const groups = this.groups()
    if (groups.length !== this.minLrs.length) {
      const { defaultMinLr } = this
      if (defaultMinLr === null)
        throw new RuntimeError(
          `The number of param groups in the \`optimizer\` (${groups.length}) differs from when \`ReduceLROnPlateau\` was initialized (${this.minLrs.length}), usually due to a new param group being added to the optimizer. Please modify the \`min_lrs\` field to match the length of the \`optimizer\` param groups.`,
        )
      this.minLrs = groups.map(() => defaultMinLr)
    }
    groups.forEach((group, i) => {
      const rate = rateOf(group)
      const lowered = Math.max(rate * this.factor, this.minLrs[i])
      if (rate - lowered > this.eps) setRate(group, lowered)
    })
  }

  private isBetter(value: number): boolean {
    const { best, threshold } = this
    if (this.mode === 'min')
      return value < (this.thresholdMode === 'rel' ? best * (1 - threshold) : best - threshold)
    return value > (this.thresholdMode === 'rel' ? best * (threshold + 1) : best + threshold)
  }

  protected override stateFields(): Record<string, string> {
    return {
      factor: 'factor',
      default_min_lr: 'defaultMinLr',
      min_lrs: 'minLrs',
      patience: 'patience',
      cooldown: 'cooldown',
      eps: 'eps',
      last_epoch: 'lastEpoch',
      _last_lr: 'lastLr',
      mode_worse: 'modeWorse',
      mode: 'mode',
      threshold: 'threshold',
      threshold_mode: 'thresholdMode',
      best: 'best',
      cooldown_counter: 'cooldownCounter',
      num_bad_epochs: 'numBadEpochs',
    }
  }
}
