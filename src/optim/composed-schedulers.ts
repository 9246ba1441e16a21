// Schedulers made of others: SequentialLR, one after the other, and ChainedScheduler, all at once.

import { TypeError_, ValueError } from '../core/errors.ts'
import { describe } from '../ops/op.ts'
import { entry, readOptions } from './options.ts'
import { ReduceLROnPlateau } from './reduce-on-plateau.ts'
import { type AnyOptimizer, LRScheduler, rateOf, type SchedulerOptions, setRate } from './scheduler.ts'

function checkSchedulers(name: string, schedulers: readonly LRScheduler[], optimizer: AnyOptimizer): void {
  schedulers.forEach((scheduler, i) => {
    if (!(scheduler instanceof LRScheduler))
      throw new TypeError_(
        `${name} at index ${i} should have \`optimizer\` as its attribute, got ${describe(scheduler)}.`,
      )
    if (scheduler instanceof ReduceLROnPlateau)
      throw new ValueError(
        `${name} does not support \`ReduceLROnPlateau\` scheduler as it requires additional kwargs to be specified when calling \`step\`, but got one at index ${i} in the given schedulers sequence.`,
      )
    if (scheduler.optimizer !== optimizer)
      throw new ValueError(
        `${name} expects all schedulers to belong to the same optimizer, but got scheduler ${scheduler.constructor.name} at index ${i} has ${scheduler.optimizer}, which is different from ${optimizer.constructor.name}.`,
      )
  })
}

/** A scheduler that holds others. */
abstract class ComposedScheduler extends LRScheduler {
  readonly schedulers: readonly LRScheduler[]

  constructor(optimizer: AnyOptimizer, schedulers: readonly LRScheduler[], lastEpoch: number) {
    super(optimizer, lastEpoch)
    this.schedulers = [...schedulers]
  }

  override stateDict(): Map<string, unknown> {
    return super.stateDict().set(
      '_schedulers',
      this.schedulers.map((s) => s.stateDict()),
    )
  }

  override loadStateDict(stateDict: ReadonlyMap<string, unknown> | Readonly<Record<string, unknown>>): void {
    const states = entry(stateDict, '_schedulers')
    if (!Array.isArray(states) || states.length !== this.schedulers.length)
      throw new ValueError(
        `${this.constructor.name}: the state has ${Array.isArray(states) ? states.length : 'no'} schedulers, here are ${this.schedulers.length}`,
      )
    super.loadStateDict(stateDict)
    this.schedulers.forEach((s, i) => {
      s.loadStateDict(states[i])
    })
  }

  /** Takes back the first steps that the schedulers made when they were constructed. */
  protected undoFirstSteps(): void {
    for (const s of this.schedulers)
      if (s instanceof ComposedScheduler) s.undoFirstSteps()
      else s.lastEpoch--
  }
}

/**
 * One scheduler after the other.
 * @param milestones the epochs at which the next one takes over, one fewer than the schedulers
 */
export class SequentialLR extends ComposedScheduler {
  private milestones: number[]

  constructor(
    optimizer: AnyOptimizer,
    schedulers: readonly LRScheduler[],
    milestones: readonly number[],
    options?: SchedulerOptions,
  )
  constructor(
    optimizer: AnyOptimizer,
    schedulers: readonly LRScheduler[],
    milestones: readonly number[],
    ...args: unknown[]
  ) {
    const { lastEpoch } = readOptions('SequentialLR', { lastEpoch: -1 }, 'lastEpoch', args)
    if (schedulers.length < 1)
      throw new ValueError('SequentialLR expects at least one scheduler, but got no scheduler.')
    checkSchedulers('SequentialLR', schedulers, optimizer)
    if (milestones.length !== schedulers.length - 1)
      throw new ValueError(
        `Sequential Schedulers expects number of schedulers provided to be one more than the number of milestone points, but got number of schedulers ${schedulers.length} and the number of milestones to be equal to ${milestones.length}`,
      )
    super(optimizer, schedulers, lastEpoch + 1)
    this.milestones = [...milestones]
    for (const group of this.groups()) setRate(group, group.initialLr ?? rateOf(group))
    this.undoFirstSteps()
    const first = this.schedulers[this.indexAt(0)]
    first.initialStep()
    this.lastLr = first.getLastLr()
  }

  private indexAt(epoch: number): number {
    return this.milestones.filter((milestone) => milestone <= epoch).length
  }

  protected override takeStep(): void {
    this.lastEpoch++
    const i = this.indexAt(this.lastEpoch)
    const scheduler = this.schedulers[i]
    if (i > 0 && this.milestones[i - 1] === this.lastEpoch) scheduler.update(0)
    else scheduler.step()
    this.lastLr = scheduler.getLastLr()
  }

  protected override stateFields(): Record<string, string> {
    return { _milestones: 'milestones', last_epoch: 'lastEpoch', _last_lr: 'lastLr' }
  }
}

/** All schedulers at every step, each from the rates that the one before left. */
export class ChainedScheduler extends ComposedScheduler {
  constructor(schedulers: readonly LRScheduler[], options?: { optimizer?: AnyOptimizer | null })
  constructor(schedulers: readonly LRScheduler[], optimizer: AnyOptimizer)
  constructor(schedulers: readonly LRScheduler[], ...args: unknown[]) {
    const defaults: { optimizer: AnyOptimizer | null } = { optimizer: null }
    const { optimizer: given } = readOptions('ChainedScheduler', defaults, 'optimizer', args)
    if (schedulers.length < 1)
      throw new ValueError(
        'ChainedScheduler expects at least one scheduler to be chained, but got no scheduler.',
      )
    const optimizer = given ?? schedulers[0].optimizer
    checkSchedulers('ChainedScheduler', schedulers, optimizer)
    super(optimizer, schedulers, -1)
    this.lastLr = this.currentLrs()
  }

  protected override takeStep(): void {
    for (const s of this.schedulers) s.step()
    this.lastLr = this.currentLrs()
  }

  protected override stateFields(): Record<string, string> {
    return { _last_lr: 'lastLr' }
  }
}
