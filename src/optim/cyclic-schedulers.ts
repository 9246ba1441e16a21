// Schedulers that move the rate and, against it, the momentum: CyclicLR to and fro, OneCycleLR once.

import { ValueError } from '../core/errors.ts'
import { pyRepr } from '../core/python.ts'
import { camelCase, readOptions } from './options.ts'
import {
  type AnyOptimizer,
  forEachGroup,
  LRScheduler,
  type SchedulerOptions,
  setMomentum,
  setRate,
  usesBeta1,
} from './scheduler.ts'

export interface CyclicLROptions extends SchedulerOptions {
  /** Steps from the base to the maximum; default 2000. */
  stepSizeUp?: number
  /** Steps back; as many as up by default. */
  stepSizeDown?: number | null
  /** Whether and how the height of the cycles falls: by half each (`triangular2`), by `gamma` each step (`exp_range`). */
  mode?: 'triangular' | 'triangular2' | 'exp_range'
  /** The factor of `exp_range`; default 1. */
  gamma?: number
  /** The height as a function of the cycle or of the step, in place of `mode`. */
  scaleFn?: ((x: number) => number) | null
  /** What `scaleFn` is a function of; default `'cycle'`. */
  scaleMode?: 'cycle' | 'iterations'
  /** Moves the momentum (or beta1) against the rate; default true. */
  cycleMomentum?: boolean
  /** The momentum at the maximum of the rate; default 0.8. */
  baseMomentum?: number | readonly number[]
  /** The momentum at the base of the rate; default 0.9. */
  maxMomentum?: number | readonly number[]
}

const cyclicDefaults: Required<CyclicLROptions> = {
  stepSizeUp: 2000,
  stepSizeDown: null,
  mode: 'triangular',
  gamma: 1,
  scaleFn: null,
  scaleMode: 'cycle',
  cycleMomentum: true,
  baseMomentum: 0.8,
  maxMomentum: 0.9,
  lastEpoch: -1,
}

/**
 * To and fro between two rates (Smith, "Cyclical Learning Rates for Training Neural Networks", 2017). Step it after
 * every batch.
 * @param baseLr the lower rate, or one for each group
 * @param maxLr the upper rate, or one for each group
 */
export class CyclicLR extends LRScheduler {
  maxLrs: number[]
  totalSize: number
  stepRatio: number
  mode: string
  gamma: number
  scaleMode: string
  cycleMomentum: boolean
  useBeta1?: boolean
  baseMomentums?: number[]
  maxMomentums?: number[]
  private readonly scaleFn: ((x: number) => number) | null

  constructor(
    optimizer: AnyOptimizer,
    baseLr: number | readonly number[],
    maxLr: number | readonly number[],
    options?: CyclicLROptions,
  )
  constructor(
    optimizer: AnyOptimizer,
    baseLr: number | readonly number[],
    maxLr: number | readonly number[],
    stepSizeUp: number,
    options?: Omit<CyclicLROptions, 'stepSizeUp'>,
  )
  constructor(
    optimizer: AnyOptimizer,
    baseLr: number | readonly number[],
    maxLr: number | readonly number[],
    ...args: unknown[]
  ) {
    const options = readOptions('CyclicLR', cyclicDefaults, 'stepSizeUp', args)
    const { stepSizeUp, mode, scaleFn, lastEpoch } = options
    super(optimizer, lastEpoch)
    const baseLrs = forEachGroup('base_lr', optimizer, baseLr)
    this.maxLrs = forEachGroup('max_lr', optimizer, maxLr)
    if (!['triangular', 'triangular2', 'exp_range'].includes(mode) && scaleFn === null)
      throw new ValueError('mode is invalid and scale_fn is None')
    const groups = this.groups()
    if (lastEpoch === -1)
      groups.forEach((group, i) => {
        setRate(group, baseLrs[i])
      })
    this.totalSize = stepSizeUp + (options.stepSizeDown ?? stepSizeUp)
    this.stepRatio = stepSizeUp / this.totalSize
    this.mode = mode
    this.gamma = options.gamma
    this.scaleFn = scaleFn
    this.scaleMode = scaleFn !== null ? options.scaleMode : mode === 'exp_range' ? 'iterations' : 'cycle'
    this.cycleMomentum = options.cycleMomentum
    if (this.cycleMomentum) {
      const useBeta1 = usesBeta1(optimizer)
      const baseMomentums = forEachGroup('base_momentum', optimizer, options.baseMomentum)
      const maxMomentums = forEachGroup('max_momentum', optimizer, options.maxMomentum)
      if (lastEpoch === -1)
        groups.forEach((group, i) => {
          setMomentum(group, useBeta1, maxMomentums[i])
          const extra: Record<string, unknown> = group
          extra.maxMomentum = maxMomentums[i]
          extra.baseMomentum = baseMomentums[i]
        })
      this.useBeta1 = useBeta1
      this.baseMomentums = baseMomentums
      this.maxMomentums = maxMomentums
    }
    this.start()
    this.baseLrs = baseLrs
  }

  /** How high a cycle (or, by `scaleMode`, a step) is, 1 for full height. */
  private scale(x: number): number {
    if (this.scaleFn !== null) return this.scaleFn(x)
    if (this.mode === 'triangular') return 1
    return this.mode === 'triangular2' ? 1 / 2 ** (x - 1) : this.gamma ** x
  }

  protected override getLr(): number[] {
    const position = this.lastEpoch / this.totalSize
    const cycle = Math.floor(1 + position)
    const x = 1 + position - cycle
    const height = x <= this.stepRatio ? x / this.stepRatio : (x - 1) / (this.stepRatio - 1)
    const scale = this.scale(this.scaleMode === 'cycle' ? cycle : this.lastEpoch)
    if (this.cycleMomentum)
      this.groups().forEach((group, i) => {
        const top = this.maxMomentums![i]
        setMomentum(group, this.useBeta1!, top - (top - this.baseMomentums![i]) * height * scale)
      })
    return this.baseLrs.map((base, i) => base + (this.maxLrs[i] - base) * height * scale)
  }

  protected override ownFields(): Record<string, string> {
    return {
      max_lrs: 'maxLrs',
      total_size: 'totalSize',
      step_ratio: 'stepRatio',
      mode: 'mode',
      gamma: 'gamma',
      scale_mode: 'scaleMode',
      cycle_momentum: 'cycleMomentum',
      use_beta1: 'useBeta1',
      base_momentums: 'baseMomentums',
      max_momentums: 'maxMomentums',
    }
  }

  /** As PyTorch, with the entry that stands for a function. */
  override stateDict(): Map<string, unknown> {
    return super.stateDict().set('_scale_fn_custom', null)
  }
}

export interface OneCycleLROptions extends SchedulerOptions {
  /** The number of steps; or give `epochs` and `stepsPerEpoch`. */
  totalSteps?: number | null
  epochs?: number | null
  stepsPerEpoch?: number | null
  /** The part of the steps in which the rate rises; default 0.3. */
  pctStart?: number
  /** The form of rise and fall; default `'cos'`. */
  annealStrategy?: 'cos' | 'linear'
  /** Moves the momentum (or beta1) against the rate; default true. */
  cycleMomentum?: boolean
  /** The least momentum; default 0.85. */
  baseMomentum?: number | readonly number[]
  /** The largest momentum; default 0.95. */
  maxMomentum?: number | readonly number[]
  /** The first rate is `maxLr` divided by this; default 25. */
  divFactor?: number
  /** The last rate is the first divided by this; default 1e4. */
  finalDivFactor?: number
  /** Falls to the first rate as it rose, and to the last in a third phase; default false. */
  threePhase?: boolean
}

const oneCycleDefaults: Required<OneCycleLROptions> = {
  totalSteps: null,
  epochs: null,
  stepsPerEpoch: null,
  pctStart: 0.3,
  annealStrategy: 'cos',
  cycleMomentum: true,
  baseMomentum: 0.85,
  maxMomentum: 0.95,
  divFactor: 25,
  finalDivFactor: 1e4,
  threePhase: false,
  lastEpoch: -1,
}

/** A stretch of the schedule, under PyTorch's names: values are looked up in the group under those given. */
type Phase = Map<string, unknown>

function phase(endStep: number, lrs: readonly [string, string], momentums: readonly [string, string]): Phase {
  return new Map<string, unknown>([
    ['end_step', endStep],
    ['start_lr', lrs[0]],
    ['end_lr', lrs[1]],
    ['start_momentum', momentums[0]],
    ['end_momentum', momentums[1]],
  ])
}

const anneal: Readonly<Record<string, (start: number, end: number, part: number) => number>> = {
  cos: (start, end, part) => end + ((start - end) / 2) * (Math.cos(Math.PI * part) + 1),
  linear: (start, end, part) => (end - start) * part + start,
}

/**
 * Up to `maxLr` and down to far below the start, once (Smith and Topin, "Super-Convergence", 2018). Step it after every
 * batch.
 * @param maxLr the upper rate, or one for each group
 * @throws ValueError for options out of range, and by a step beyond the last
 */
export class OneCycleLR extends LRScheduler {
  totalSteps: number
  cycleMomentum: boolean
  useBeta1?: boolean
  private schedulePhases: Phase[]
  private annealStrategy: string

  constructor(optimizer: AnyOptimizer, maxLr: number | readonly number[], options?: OneCycleLROptions)
  constructor(
    optimizer: AnyOptimizer,
    maxLr: number | readonly number[],
    totalSteps: number,
    options?: Omit<OneCycleLROptions, 'totalSteps'>,
  )
  constructor(optimizer: AnyOptimizer, maxLr: number | readonly number[], ...args: unknown[]) {
    const options = readOptions('OneCycleLR', oneCycleDefaults, 'totalSteps', args)
    const { pctStart, annealStrategy, divFactor, finalDivFactor, threePhase, lastEpoch } = options
    super(optimizer, lastEpoch)
    this.totalSteps = countSteps(options)
    if (typeof pctStart !== 'number' || !(pctStart >= 0 && pctStart <= 1))
      throw new ValueError(`Expected float between 0 and 1 pct_start, but got ${pyRepr(pctStart)}`)
    if (!(annealStrategy in anneal))
      throw new ValueError(
        `anneal_strategy must be one of 'cos' or 'linear', instead got ${String(annealStrategy)}`,
      )
    const rise = phase(
      pctStart * this.totalSteps - 1,
      ['initial_lr', 'max_lr'],
      ['max_momentum', 'base_momentum'],
    )
    const last = this.totalSteps - 1
    this.schedulePhases = threePhase
      ? [
          rise,
          phase(
            2 * pctStart * this.totalSteps - 2,
            ['max_lr', 'initial_lr'],
            ['base_momentum', 'max_momentum'],
          ),
          phase(last, ['initial_lr', 'min_lr'], ['max_momentum', 'max_momentum']),
        ]
      : [rise, phase(last, ['max_lr', 'min_lr'], ['base_momentum', 'max_momentum'])]
    this.annealStrategy = annealStrategy
    const maxLrs = forEachGroup('max_lr', optimizer, maxLr)
    const groups: Record<string, unknown>[] = this.groups()
    if (lastEpoch === -1)
      groups.forEach((group, i) => {
        group.initialLr = maxLrs[i] / divFactor
        group.maxLr = maxLrs[i]
        group.minLr = maxLrs[i] / divFactor / finalDivFactor
      })
    this.cycleMomentum = options.cycleMomentum
    if (this.cycleMomentum) {
      const useBeta1 = usesBeta1(optimizer)
      const maxMomentums = forEachGroup('max_momentum', optimizer, options.maxMomentum)
      const baseMomentums = forEachGroup('base_momentum', optimizer, options.baseMomentum)
      if (lastEpoch === -1)
        groups.forEach((group, i) => {
          setMomentum(group, useBeta1, maxMomentums[i])
          group.maxMomentum = maxMomentums[i]
          group.baseMomentum = baseMomentums[i]
        })
      this.useBeta1 = useBeta1
    }
    this.start()
  }

  protected override getLr(): number[] {
    const step = this.lastEpoch
    if (step > this.totalSteps)
      throw new ValueError(
        `Tried to step ${step} times. The specified number of total steps is ${this.totalSteps}`,
      )
    const phases = this.schedulePhases
    let i = 0
    let startStep = 0
    while (i < phases.length - 1 && step > (phases[i].get('end_step') as number))
      startStep = phases[i++].get('end_step') as number
    const current = phases[i]
    const part = (step - startStep) / ((current.get('end_step') as number) - startStep)
    return this.groups().map((group) => {
      const between = (what: string) =>
        anneal[this.annealStrategy](
          group[camelCase(current.get(`start_${what}`) as string)] as number,
          group[camelCase(current.get(`end_${what}`) as string)] as number,
          part,
        )
      const rate = between('lr')
      if (this.cycleMomentum) setMomentum(group, this.useBeta1!, between('momentum'))
      return rate
    })
  }

  protected override ownFields(): Record<string, string> {
    return {
      total_steps: 'totalSteps',
      _schedule_phases: 'schedulePhases',
      _anneal_func_type: 'annealStrategy',
      cycle_momentum: 'cycleMomentum',
      use_beta1: 'useBeta1',
    }
  }
}

function countSteps({ totalSteps, epochs, stepsPerEpoch }: Required<OneCycleLROptions>): number {
  const isCount = (n: number) => Number.isInteger(n) && n > 0
  if (totalSteps !== null) {
    if (!isCount(totalSteps))
      throw new ValueError(`Expected positive integer total_steps, but got ${pyRepr(totalSteps)}`)
    return totalSteps
  }
  if (epochs === null || stepsPerEpoch === null)
    throw new ValueError('You must define either total_steps OR (epochs AND steps_per_epoch)')
  if (!isCount(epochs)) throw new ValueError(`Expected positive integer epochs, but got ${pyRepr(epochs)}`)
  if (!isCount(stepsPerEpoch))
    throw new ValueError(`Expected positive integer steps_per_epoch, but got ${pyRepr(stepsPerEpoch)}`)
  return epochs * stepsPerEpoch
}
