// Schedulers along a cosine: CosineAnnealingLR, and CosineAnnealingWarmRestarts, which starts over.

import { ValueError } from '../core/errors.ts'
import { pyRepr } from '../core/python.ts'
import { readOptions } from './options.ts'
import { type AnyOptimizer, LRScheduler, type SchedulerOptions } from './scheduler.ts'

export interface CosineAnnealingOptions extends SchedulerOptions {
  /** The least rate; default 0. */
  etaMin?: number
}

/**
 * Falls from the initial rate to `etaMin` along half a cosine in `TMax` epochs, and rises again in the next `TMax`
 * (Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", 2017, without the restarts).
 */
export class CosineAnnealingLR extends LRScheduler {
  TMax: number
  etaMin: number

  constructor(optimizer: AnyOptimizer, TMax: number, options?: CosineAnnealingOptions)
  constructor(optimizer: AnyOptimizer, TMax: number, etaMin: number, options?: SchedulerOptions)
  constructor(optimizer: AnyOptimizer, TMax: number, ...args: unknown[]) {
    const { etaMin, lastEpoch } = readOptions(
      'CosineAnnealingLR',
      { etaMin: 0, lastEpoch: -1 },
      'etaMin',
      args,
    )
    super(optimizer, lastEpoch)
    this.TMax = TMax
    this.etaMin = etaMin
    this.start()
  }

  protected override getLr(): number[] {
    const { TMax, etaMin, lastEpoch } = this
    const rates = this.currentLrs()
    if (this.isInitial) return rates
    const height = (epoch: number) => 1 + Math.cos((Math.PI * epoch) / TMax)
    if (this.stepCount === 1 && lastEpoch > 0)
      return this.baseLrs.map(
        (base) => etaMin + ((base - etaMin) * (1 + Math.cos((lastEpoch * Math.PI) / TMax))) / 2,
      )
    // Leaving the lowest point, where the ratio below would divide by zero.
    if ((lastEpoch - 1 - TMax) % (2 * TMax) === 0)
      return rates.map((lr, i) => lr + ((this.baseLrs[i] - etaMin) * (1 - Math.cos(Math.PI / TMax))) / 2)
    return rates.map((lr) => (height(lastEpoch) / height(lastEpoch - 1)) * (lr - etaMin) + etaMin)
  }

  protected override closedFormLr(): number[] {
    const { TMax, etaMin, lastEpoch } = this
    return this.baseLrs.map(
      (base) => etaMin + ((base - etaMin) * (1 + Math.cos((Math.PI * lastEpoch) / TMax))) / 2,
    )
  }

  protected override ownFields(): Record<string, string> {
    return { T_max: 'TMax', eta_min: 'etaMin' }
  }
}

export interface WarmRestartsOptions extends SchedulerOptions {
  /** How much longer each cycle is than the last; a whole number, default 1. */
  TMult?: number
  /** The least rate; default 0. */
  etaMin?: number
}

/**
 * Falls from the initial rate to `etaMin` along half a cosine in `T0` epochs, then starts over, each time `TMult` times
 * as slow (Loshchilov and Hutter, 2017). `step(epoch)` takes fractions, for rates that change within an epoch.
 */
export class CosineAnnealingWarmRestarts extends LRScheduler {
  T0: number
  Ti: number
  TMult: number
  etaMin: number
  TCur: number

  constructor(optimizer: AnyOptimizer, T0: number, options?: WarmRestartsOptions)
  constructor(
    optimizer: AnyOptimizer,
    T0: number,
    TMult: number,
    options?: Omit<WarmRestartsOptions, 'TMult'>,
  )
  constructor(optimizer: AnyOptimizer, T0: number, ...args: unknown[]) {
    const defaults = { TMult: 1, etaMin: 0, lastEpoch: -1 }
    const { TMult, etaMin, lastEpoch } = readOptions('CosineAnnealingWarmRestarts', defaults, 'TMult', args)
    super(optimizer, lastEpoch)
    if (!(T0 > 0) || !Number.isInteger(T0))
      throw new ValueError(`Expected positive integer T_0, but got ${pyRepr(T0)}`)
    if (!(TMult >= 1) || !Number.isInteger(TMult))
      throw new ValueError(`Expected integer T_mult >= 1, but got ${pyRepr(TMult)}`)
    if (typeof etaMin !== 'number')
      throw new ValueError(
        `Expected float or int eta_min, but got ${pyRepr(etaMin)} of type ${typeof etaMin}`,
      )
    this.T0 = T0
    this.Ti = T0
    this.TMult = TMult
    this.etaMin = etaMin
    this.TCur = lastEpoch
    this.start()
  }

  protected override getLr(): number[] {
    const { etaMin, TCur, Ti } = this
    return this.baseLrs.map((base) => etaMin + ((base - etaMin) * (1 + Math.cos((Math.PI * TCur) / Ti))) / 2)
  }

  protected override takeStep(epoch?: number | null): void {
    let at = epoch ?? (this.lastEpoch < 0 ? 0 : null)
    const { T0, TMult } = this
    if (at === null) {
      at = this.lastEpoch + 1
      this.TCur++
      if (this.TCur >= this.Ti) {
        this.TCur %= this.Ti
        this.Ti *= TMult
      }
    } else {
      if (at < 0) throw new ValueError(`Expected non-negative epoch, but got ${pyRepr(at)}`)
      if (at < T0) {
        this.Ti = T0
        this.TCur = at
      } else if (TMult === 1) this.TCur = at % T0
      else {
        const cycle = Math.trunc(Math.log((at / T0) * (TMult - 1) + 1) / Math.log(TMult))
        this.TCur = at - (T0 * (TMult ** cycle - 1)) / (TMult - 1)
        this.Ti = T0 * TMult ** cycle
      }
    }
    this.lastEpoch = Math.floor(at)
    this.setRates(this.getLr())
  }

  protected override ownFields(): Record<string, string> {
    return { T_0: 'T0', T_i: 'Ti', T_mult: 'TMult', eta_min: 'etaMin', T_cur: 'TCur' }
  }
}
