// LRScheduler: what all learning rate schedulers share. When rates change, and how a scheduler is saved.

import { hostStep } from '../backends/recording.ts'
import { KeyError, NotImplementedError, TypeError_, ValueError } from '../core/errors.ts'
import { Tuple } from '../core/python.ts'
import { describe } from '../ops/op.ts'
import { Tensor } from '../tensor/tensor.ts'
import { Optimizer, type ParamGroup } from './optimizer.ts'
import { entriesOf } from './options.ts'

/** An optimizer of any class. */
export type AnyOptimizer = Optimizer<{ lr?: number }, object>

/** Options of most schedulers. */
export interface SchedulerOptions {
  /** The epoch at which to resume; -1 (the default) starts anew. */
  lastEpoch?: number
}

/** A dict as checkpoints hold it, in PyTorch's names. */
export type SchedulerStateDict = Map<string, unknown>

const orderMessage =
  'Detected call of `lr_scheduler.step()` before `optimizer.step()`. In PyTorch 1.1.0 and later, you should call them in the opposite order: `optimizer.step()` before `lr_scheduler.step()`.  Failure to do this will result in PyTorch skipping the first value of the learning rate schedule. See more details at https://pytorch.org/docs/stable/optim.html#how-to-adjust-learning-rate'

const epochMessage =
  'The epoch parameter in `scheduler.step()` was not necessary and is being deprecated where possible. Please use `scheduler.step()` to step the scheduler. During the deprecation, if epoch is different from None, the closed form is used instead of the new chainable form, where available. Please open an issue if you are unable to replicate your use case: https://github.com/pytorch/pytorch/issues/new/choose.'

/**
 * Base of the learning rate schedulers. A subclass sets its fields, overrides `getLr` and calls `this.start()` at the
 * end of its constructor, which sets the first rates:
 *
 *     class Warmup extends optim.lrScheduler.LRScheduler {
 *       constructor(optimizer: Optimizer, readonly steps: number) {
 *         super(optimizer)
 *         this.start()
 *       }
 *       override getLr() {
 *         return this.baseLrs.map((lr) => lr * Math.min(1, (this.lastEpoch + 1) / this.steps))
 *       }
 *     }
 */
export class LRScheduler {
  readonly optimizer: AnyOptimizer
  /** The rates of the groups from which the schedule starts. */
  baseLrs: number[] = []
  lastEpoch: number
  protected lastLr: number[] = []
  protected stepCount = 0
  protected isInitial = false

  /** @throws TypeError where `optimizer` is none. */
  constructor(optimizer: AnyOptimizer, lastEpoch = -1) {
    if (!(optimizer instanceof Optimizer)) throw new TypeError_(`${describe(optimizer)} is not an Optimizer`)
    if (!Number.isInteger(lastEpoch))
      throw new TypeError_(
        `${this.constructor.name}: lastEpoch must be a whole number, got ${describe(lastEpoch)}`,
      )
    this.optimizer = optimizer
    this.lastEpoch = lastEpoch
  }

  /**
   * Notes the rates that the schedule starts from and sets the first ones.
   * @throws KeyError when resuming with an optimizer that has not been under a scheduler before.
   */
  protected start(): void {
    const groups = this.groups()
    if (this.lastEpoch === -1) for (const group of groups) group.initialLr ??= rateOf(group)
    else
      groups.forEach((group, i) => {
        if (group.initialLr === undefined)
          throw new KeyError(
            `param 'initial_lr' is not specified in param_groups[${i}] when resuming scheduler with last_epoch >= 0.\nThis typically happens when:\n1. You're trying to resume training from a checkpoint but haven't properly loaded the optimizer state\n2. You're using last_epoch >= 0 for a fresh training run (not recommended)`,
          )
      })
    this.baseLrs = groups.map((group) => group.initialLr as number)
    this.initialStep()
  }

  /** The first step, which sets the rates of epoch 0. */
  initialStep(): void {
    this.stepCount = 0
    this.isInitial = true
    try {
      this.step()
    } finally {
      this.isInitial = false
    }
  }

  /** The optimizer's parameter groups. */
  protected groups(): ParamGroup<{ lr?: number }>[] {
    return this.optimizer.paramGroups
  }

  /** The current rates of the groups. */
  protected currentLrs(): number[] {
    return this.groups().map(rateOf)
  }

  /** The rates of the groups at `lastEpoch`; most schedules compute them from the current ones. */
  protected getLr(): number[] {
    throw new NotImplementedError(`${this.constructor.name} must override getLr()`)
  }

  /** The rates at `lastEpoch` from `baseLrs` alone, for schedules that have such a form. */
  protected closedFormLr?(): number[]

  /** The rates that the last step set. */
  getLastLr(): number[] {
    return [...this.lastLr]
  }

  /**
   * Goes on to the next epoch and sets its rates. Call it after `optimizer.step()`.
   * @param epoch deprecated, as in PyTorch: jumps to that epoch
   */
  step(epoch?: number | null): void {
    // In a captured step the schedule goes on at each replay.
    hostStep(() => this.takeStep(epoch))
  }

  protected takeStep(epoch?: number | null): void {
    if (
      this.stepCount === 1 &&
      this.optimizer.stepsTaken === 0 &&
      this.optimizer.step === Optimizer.prototype.step
    )
      console.warn(`UserWarning: ${orderMessage}`)
    this.stepCount++
    if (epoch !== undefined && epoch !== null) console.warn(`UserWarning: ${epochMessage}`)
    this.update(epoch ?? null)
  }

  /** Sets the rates of an epoch, null for the next one. */
  update(epoch: number | null): void {
    this.lastEpoch = epoch ?? this.lastEpoch + 1
    const rates = epoch !== null && this.closedFormLr !== undefined ? this.closedFormLr() : this.getLr()
    this.setRates(rates)
  }

  protected setRates(rates: readonly number[]): void {
    this.groups().forEach((group, i) => {
      setRate(group, rates[i])
    })
    this.lastLr = this.currentLrs()
  }

  /** The fields that are saved, by PyTorch's name, in its order. */
  protected stateFields(): Readonly<Record<string, string>> {
    return { ...this.ownFields(), ...baseFields }
  }

  /** The fields that this class adds to the state, by PyTorch's name, in its order. */
  protected ownFields(): Readonly<Record<string, string>> {
    return {}
  }

  /** The state under PyTorch's names; functions and the optimizer are not part of it. */
  stateDict(): SchedulerStateDict {
    const state: SchedulerStateDict = new Map()
    const fields = this as unknown as Record<string, unknown>
    for (const [key, field] of Object.entries(this.stateFields())) {
      const value = field === '' ? false : fields[field]
      if (value !== undefined) state.set(key, copyOf(value))
    }
    return state
  }

  /**
   * Takes up a state saved by `stateDict`, here or in Python. What it lacks stays as it is, what it has beyond is
   * ignored. The optimizer has a state of its own, which holds the rates.
   */
  loadStateDict(stateDict: ReadonlyMap<string, unknown> | Readonly<Record<string, unknown>>): void {
    const fields = this as unknown as Record<string, unknown>
    const known = this.stateFields()
    for (const [key, value] of entriesOf(stateDict, "a scheduler's state dict")) {
      const field = known[String(key)]
      if (field !== undefined && field !== '') fields[field] = copyOf(value)
    }
  }
}

// An empty field stands for False: entries that mean something only while PyTorch's own code runs.
const baseFields: Readonly<Record<string, string>> = {
  base_lrs: 'baseLrs',
  last_epoch: 'lastEpoch',
  _step_count: 'stepCount',
  _is_initial: '',
  _get_lr_called_within_step: '',
  _last_lr: 'lastLr',
}

/** A group's learning rate as a number, also where a tensor holds it. */
export function rateOf(group: { lr: unknown }): number {
  return group.lr instanceof Tensor ? Number(group.lr.item()) : (group.lr as number)
}

/** Sets a group's learning rate, in the tensor that holds it where one does. */
export function setRate(group: { lr: unknown }, rate: number): void {
  if (group.lr instanceof Tensor) group.lr.fill_(rate)
  else group.lr = rate
}

function copyOf(value: unknown): unknown {
  if (value instanceof Map) return new Map(Array.from(value, ([k, v]) => [k, copyOf(v)]))
  if (value instanceof Tuple) return Tuple.of(...Array.from(value, copyOf))
  return Array.isArray(value) ? value.map(copyOf) : value
}

/**
 * One value for each parameter group: given as such, or one for all.
 * @throws ValueError where their number is not that of the groups.
 */
export function forEachGroup<T>(name: string, optimizer: AnyOptimizer, value: T | readonly T[]): T[] {
  const n = optimizer.paramGroups.length
  if (!Array.isArray(value)) return Array.from({ length: n }, () => value as T)
  if (value.length !== n)
    throw new ValueError(
      `${name} must have the same length as optimizer.param_groups. ${name} has ${value.length} values, param_groups has ${n}.`,
    )
  return [...value]
}

/**
 * The optimizer's momentum as a schedule cycles it: the option `momentum`, or the first of `betas`.
 * @throws ValueError where the optimizer has neither.
 */
export function usesBeta1(optimizer: AnyOptimizer): boolean {
  const { defaults } = optimizer
  if (!('momentum' in defaults) && !('betas' in defaults))
    throw new ValueError('optimizer must support momentum or beta1 with `cycle_momentum` option enabled')
  return 'betas' in defaults
}

/** Sets the momentum, or the first of `betas`, of a group. */
export function setMomentum(group: Record<string, unknown>, useBeta1: boolean, momentum: number): void {
  if (useBeta1) group.betas = Tuple.of(momentum, ...(group.betas as number[]).slice(1))
  else group.momentum = momentum
}
