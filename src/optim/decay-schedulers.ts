// Schedulers that follow a simple law: by a function, in steps, constant, linear, exponential, polynomial.

import { TypeError_, ValueError } from '../core/errors.ts'
import { describe } from '../ops/op.ts'
import { readOptions } from './options.ts'
import { type AnyOptimizer, LRScheduler, type SchedulerOptions } from './scheduler.ts'

/** A factor for an epoch. */
export type LrLambda = (epoch: number) => number

function lambdasFor(optimizer: AnyOptimizer, lrLambda: LrLambda | readonly LrLambda[]): LrLambda[] {
  const n = optimizer.paramGroups.length
  const lambdas = Array.isArray(lrLambda)
    ? [...(lrLambda as LrLambda[])]
    : Array.from({ length: n }, () => lrLambda as LrLambda)
  if (lambdas.length !== n) throw new ValueError(`Expected ${n} lr_lambdas, but got ${lambdas.length}`)
  for (const lambda of lambdas)
    if (typeof lambda !== 'function')
      throw new TypeError_(`lr_lambda should be a function, but got ${describe(lambda)}`)
  return lambdas
}

/** The entry with which PyTorch stands for functions: they are not saved. */
const noFunctions = (lambdas: readonly LrLambda[]) => lambdas.map(() => null)

/**
 * The initial rate times a function of the epoch.
 *
 *     new optim.lrScheduler.LambdaLR(optimizer, (epoch) => 0.95 ** epoch)
 *
 * @param lrLambda a function for all parameter groups, or one for each
 */
export class LambdaLR extends LRScheduler {
  readonly lrLambdas: LrLambda[]

  constructor(optimizer: AnyOptimizer, lrLambda: LrLambda | readonly LrLambda[], options?: SchedulerOptions)
  constructor(optimizer: AnyOptimizer, lrLambda: LrLambda | readonly LrLambda[], lastEpoch: number)
  constructor(optimizer: AnyOptimizer, lrLambda: LrLambda | readonly LrLambda[], ...args: unknown[]) {
    super(optimizer, readOptions('LambdaLR', { lastEpoch: -1 }, 'lastEpoch', args).lastEpoch)
    this.lrLambdas = lambdasFor(optimizer, lrLambda)
    this.start()
  }

  protected override getLr(): number[] {
    return this.baseLrs.map((lr, i) => lr * this.lrLambdas[i](this.lastEpoch))
  }

  override stateDict(): Map<string, unknown> {
    return super.stateDict().set('lr_lambdas', noFunctions(this.lrLambdas))
  }
}

/**
 * The rate times a function of the epoch, at every epoch anew.
 * @param lrLambda a function for all parameter groups, or one for each
 */
export class MultiplicativeLR extends LRScheduler {
  readonly lrLambdas: LrLambda[]

  constructor(optimizer: AnyOptimizer, lrLambda: LrLambda | readonly LrLambda[], options?: SchedulerOptions)
  constructor(optimizer: AnyOptimizer, lrLambda: LrLambda | readonly LrLambda[], lastEpoch: number)
  constructor(optimizer: AnyOptimizer, lrLambda: LrLambda | readonly LrLambda[], ...args: unknown[]) {
    super(optimizer, readOptions('MultiplicativeLR', { lastEpoch: -1 }, 'lastEpoch', args).lastEpoch)
    this.lrLambdas = lambdasFor(optimizer, lrLambda)
    this.start()
  }

  protected override getLr(): number[] {
    const rates = this.currentLrs()
    return this.isInitial ? rates : rates.map((lr, i) => lr * this.lrLambdas[i](this.lastEpoch))
  }

  override stateDict(): Map<string, unknown> {
    return super.stateDict().set('lr_lambdas', noFunctions(this.lrLambdas))
  }
}

export interface StepLROptions extends SchedulerOptions {
  /** The factor; default 0.1. */
  gamma?: number
}

/** The rate times `gamma` every `stepSize` epochs. */
export class StepLR extends LRScheduler {
  readonly stepSize: number
  gamma: number

  constructor(optimizer: AnyOptimizer, stepSize: number, options?: StepLROptions)
  constructor(optimizer: AnyOptimizer, stepSize: number, gamma: number, options?: SchedulerOptions)
  constructor(optimizer: AnyOptimizer, stepSize: number, ...args: unknown[]) {
    const { gamma, lastEpoch } = readOptions('StepLR', { gamma: 0.1, lastEpoch: -1 }, 'gamma', args)
    super(optimizer, lastEpoch)
    if (!Number.isInteger(stepSize) || stepSize <= 0)
      throw new ValueError(`StepLR: stepSize must be a positive whole number, got ${describe(stepSize)}`)
    this.stepSize = stepSize
    this.gamma = gamma
    this.start()
  }

  protected override getLr(): number[] {
    const rates = this.currentLrs()
    return this.lastEpoch === 0 || this.lastEpoch % this.stepSize !== 0
      ? rates
      : rates.map((lr) => lr * this.gamma)
  }

  protected override closedFormLr(): number[] {
    return this.baseLrs.map((lr) => lr * this.gamma ** Math.floor(this.lastEpoch / this.stepSize))
  }

  protected override ownFields(): Record<string, string> {
    return { step_size: 'stepSize', gamma: 'gamma' }
  }
}

/** The rate times `gamma` at each of the `milestones` (epochs; one that occurs twice counts twice). */
export class MultiStepLR extends LRScheduler {
  /** How often each epoch occurs among the milestones. */
  milestones: Map<number, number>
  gamma: number

  constructor(optimizer: AnyOptimizer, milestones: Iterable<number>, options?: StepLROptions)
  constructor(
    optimizer: AnyOptimizer,
    milestones: Iterable<number>,
    gamma: number,
    options?: SchedulerOptions,
  )
  constructor(optimizer: AnyOptimizer, milestones: Iterable<number>, ...args: unknown[]) {
    const { gamma, lastEpoch } = readOptions('MultiStepLR', { gamma: 0.1, lastEpoch: -1 }, 'gamma', args)
    super(optimizer, lastEpoch)
    this.milestones = new Map()
    for (const epoch of milestones) this.milestones.set(epoch, (this.milestones.get(epoch) ?? 0) + 1)
    this.gamma = gamma
    this.start()
  }

  protected override getLr(): number[] {
    const count = this.milestones.get(this.lastEpoch)
    const rates = this.currentLrs()
    return count === undefined ? rates : rates.map((lr) => lr * this.gamma ** count)
  }

  protected override closedFormLr(): number[] {
    let passed = 0
    for (const [epoch, count] of this.milestones) if (epoch <= this.lastEpoch) passed += count
    return this.baseLrs.map((lr) => lr * this.gamma ** passed)
  }

  protected override ownFields(): Record<string, string> {
    return { milestones: 'milestones', gamma: 'gamma' }
  }
}

export interface ConstantLROptions extends SchedulerOptions {
  /** The factor until `totalIters`; default 1/3. */
  factor?: number
  /** The epoch from which the factor is 1; default 5. */
  totalIters?: number
}

/** The rate times `factor` until the epoch `totalIters`, the full rate from there on. */
export class ConstantLR extends LRScheduler {
  factor: number
  totalIters: number

  constructor(optimizer: AnyOptimizer, options?: ConstantLROptions)
  constructor(optimizer: AnyOptimizer, factor: number, options?: Omit<ConstantLROptions, 'factor'>)
  constructor(optimizer: AnyOptimizer, ...args: unknown[]) {
    const defaults = { factor: 1 / 3, totalIters: 5, lastEpoch: -1 }
    const { factor, totalIters, lastEpoch } = readOptions('ConstantLR', defaults, 'factor', args)
    super(optimizer, lastEpoch)
    if (!(factor >= 0 && factor <= 1))
      throw new ValueError('Constant multiplicative factor expected to be between 0 and 1.')
    this.factor = factor
    this.totalIters = totalIters
    this.start()
  }

  protected override getLr(): number[] {
    const rates = this.currentLrs()
    if (this.lastEpoch === 0) return rates.map((lr) => lr * this.factor)
    return this.lastEpoch === this.totalIters ? rates.map((lr) => lr * (1 / this.factor)) : rates
  }

  protected override closedFormLr(): number[] {
    const isFull = this.lastEpoch >= this.totalIters
    return this.baseLrs.map((lr) => lr * (this.factor + (isFull ? 1 - this.factor : 0)))
  }

  protected override ownFields(): Record<string, string> {
    return { factor: 'factor', total_iters: 'totalIters' }
  }
}

export interface LinearLROptions extends SchedulerOptions {
  /** The factor at the start; default 1/3. */
  startFactor?: number
  /** The factor from `totalIters` on; default 1. */
  endFactor?: number
  /** How many epochs it takes; default 5. */
  totalIters?: number
}

/** The rate times a factor that changes linearly from `startFactor` to `endFactor` within `totalIters` epochs. */
export class LinearLR extends LRScheduler {
  startFactor: number
  endFactor: number
  totalIters: number

  constructor(optimizer: AnyOptimizer, options?: LinearLROptions)
  constructor(optimizer: AnyOptimizer, startFactor: number, options?: Omit<LinearLROptions, 'startFactor'>)
  constructor(optimizer: AnyOptimizer, ...args: unknown[]) {
    const defaults = { startFactor: 1 / 3, endFactor: 1, totalIters: 5, lastEpoch: -1 }
    const options = readOptions('LinearLR', defaults, 'startFactor', args)
    super(optimizer, options.lastEpoch)
    if (!(options.startFactor > 0 && options.startFactor <= 1))
      throw new ValueError(
        'Starting multiplicative factor expected to be greater than 0 and less or equal to 1.',
      )
    if (!(options.endFactor >= 0 && options.endFactor <= 1))
      throw new ValueError('Ending multiplicative factor expected to be between 0 and 1.')
    this.startFactor = options.startFactor
    this.endFactor = options.endFactor
    this.totalIters = options.totalIters
    this.start()
  }

  protected override getLr(): number[] {
    const { startFactor, totalIters, lastEpoch } = this
    const rates = this.currentLrs()
    if (lastEpoch === 0) return rates.map((lr) => lr * startFactor)
    if (this.isInitial || lastEpoch > totalIters) return rates
    const range = this.endFactor - startFactor
    return rates.map((lr) => lr * (1 + range / (totalIters * startFactor + (lastEpoch - 1) * range)))
  }

  protected override closedFormLr(): number[] {
    const range = this.endFactor - this.startFactor
    const passed = Math.min(this.totalIters, this.lastEpoch)
    return this.baseLrs.map((lr) => lr * (this.startFactor + (range * passed) / this.totalIters))
  }

  protected override ownFields(): Record<string, string> {
    return { start_factor: 'startFactor', end_factor: 'endFactor', total_iters: 'totalIters' }
  }
}

/** The rate times `gamma` at every epoch. */
export class ExponentialLR extends LRScheduler {
  gamma: number

  constructor(optimizer: AnyOptimizer, gamma: number, options?: SchedulerOptions)
  constructor(optimizer: AnyOptimizer, gamma: number, lastEpoch: number)
  constructor(optimizer: AnyOptimizer, gamma: number, ...args: unknown[]) {
    super(optimizer, readOptions('ExponentialLR', { lastEpoch: -1 }, 'lastEpoch', args).lastEpoch)
    this.gamma = gamma
    this.start()
  }

  protected override getLr(): number[] {
    const rates = this.currentLrs()
    return this.isInitial ? rates : rates.map((lr) => lr * this.gamma)
  }

  protected override closedFormLr(): number[] {
    return this.baseLrs.map((lr) => lr * this.gamma ** this.lastEpoch)
  }

  protected override ownFields(): Record<string, string> {
    return { gamma: 'gamma' }
  }
}

export interface PolynomialLROptions extends SchedulerOptions {
  /** How many epochs it takes to reach 0; default 5. */
  totalIters?: number
  /** The power of the polynomial; default 1. */
  power?: number
}

/** The initial rate times (1 - epoch / totalIters)^power. */
export class PolynomialLR extends LRScheduler {
  totalIters: number
  power: number

  constructor(optimizer: AnyOptimizer, options?: PolynomialLROptions)
  constructor(optimizer: AnyOptimizer, totalIters: number, options?: Omit<PolynomialLROptions, 'totalIters'>)
  constructor(optimizer: AnyOptimizer, ...args: unknown[]) {
    const defaults = { totalIters: 5, power: 1, lastEpoch: -1 }
    const options = readOptions('PolynomialLR', defaults, 'totalIters', args)
    super(optimizer, options.lastEpoch)
    this.totalIters = options.totalIters
    this.power = options.power
    this.start()
  }

  protected override getLr(): number[] {
    const { totalIters, lastEpoch } = this
    const rates = this.currentLrs()
    if (this.isInitial || lastEpoch > totalIters) return rates
    const factor = ((1 - lastEpoch / totalIters) / (1 - (lastEpoch - 1) / totalIters)) ** this.power
    return rates.map((lr) => lr * factor)
  }

  protected override closedFormLr(): number[] {
    const rest = 1 - Math.min(this.totalIters, this.lastEpoch) / this.totalIters
    return this.baseLrs.map((lr) => lr * rest ** this.power)
  }

  protected override ownFields(): Record<string, string> {
    return { total_iters: 'totalIters', power: 'power' }
  }
}
