// Optimizer: what all optimizers share. Parameter groups, state by parameter, checkpoints in PyTorch's layout, printing.

import { enableGrad, gradMode } from '../autograd/mode.ts'
import { nextHookId, RemovableHandle } from '../autograd/node.ts'
import { recording } from '../backends/recording.ts'
import { cpu } from '../core/device.ts'
import { legacyTensorName } from '../core/dtype.ts'
import { KeyError, NotImplementedError, TypeError_, ValueError } from '../core/errors.ts'
import { pyFloat, pyRepr, Tuple } from '../core/python.ts'
import { fillRaw } from '../ops/creation.ts'
import { needHost } from '../ops/host.ts'
import { describe } from '../ops/op.ts'
import { Tensor } from '../tensor/tensor.ts'
import { camelCase, entriesOf, entry, snakeCase } from './options.ts'
import { scalarState } from './state.ts'
import { StepConditions } from './step-conditions.ts'

/** What every optimizer's options have. */
export interface CommonOptions {
  /** The learning rate. A tensor of one element, which PyTorch takes for compiled steps, is accepted for a number. */
  lr?: number
}

/** A parameter group as given: parameters and the options in which they differ from the others. */
export type GroupInput<O extends object> = Partial<O> & {
  params: Tensor | Iterable<Tensor> | Iterable<readonly [string, Tensor]>
  /** A name of your own for the group; kept, saved and printed. */
  name?: string
}

/** What an optimizer optimizes: parameters, named parameters, or parameter groups. */
export type Params<O extends object> =
  | Iterable<Tensor>
  | Iterable<readonly [string, Tensor]>
  | Iterable<GroupInput<O>>

/** A parameter group as an optimizer keeps it. Options may be changed between steps: `group.lr = 1e-4`. */
export type ParamGroup<O extends object> = Required<O> & {
  params: Tensor[]
  paramNames?: string[]
  /** The learning rate that a scheduler started from. */
  initialLr?: number
} & Record<string, unknown>

/** A dict as checkpoints hold it, in PyTorch's names. */
export type OptimizerStateDict = Map<string, unknown>

/** What a step returns: that which the closure returned. */
export type Closure<R> = () => R

/** How an optimizer differs from others where its checkpoints and its text are concerned. */
export interface OptimizerFormat {
  /** Options that are floats in Python, so that they print with a point even where they are whole. */
  readonly floats?: readonly string[]
  /** What loaded groups get where they lack it: options that older releases of PyTorch did not have, in its order. */
  readonly upgrades?: Readonly<Record<string, unknown>>
  /** Entries of the state that older releases of PyTorch kept as numbers, tensors without dimensions now. */
  readonly scalars?: readonly string[]
}

type StepHook = (optimizer: Optimizer) => void

/**
 * Base of all optimizers.
 *
 * An optimizer of your own extends it and overrides `step`:
 *
 *     class PlainDescent extends optim.Optimizer<{ lr?: number }> {
 *       constructor(params: Iterable<Tensor>, lr = 0.01) {
 *         super(params, { lr })
 *       }
 *       override step(): null {
 *         torch.noGrad(() => {
 *           for (const { params, lr } of this.paramGroups)
 *             for (const p of params) if (p.grad !== null) p.sub_(p.grad.mul(lr))
 *         })
 *         return null
 *       }
 *     }
 */
export class Optimizer<O extends object = CommonOptions, S extends object = object> {
  /** The options of groups that do not name them. */
  readonly defaults: Required<O>
  paramGroups: ParamGroup<O>[] = []
  /** What is remembered of each parameter, under PyTorch's own keys: `state.get(weight)?.exp_avg`. */
  state: Map<Tensor, S> = new Map()
  /** How often `step` ran; schedulers warn where it did not. */
  stepsTaken = 0
  // State of a loaded checkpoint that belongs to none of the parameters; it is saved again.
  private unclaimedState: Map<unknown, unknown> = new Map()
  private readonly preHooks: Map<number, StepHook> = new Map()
  private readonly postHooks: Map<number, StepHook> = new Map()
  private readonly format: OptimizerFormat

  /**
   * @param params parameters, `[name, parameter]` pairs, or groups `{ params, ...options }`
   * @param defaults the value of every option, where a group does not give its own
   * @throws ValueError for an empty list, parameters in more than one group, or tensors that are no leaves;
   *   TypeError for anything that is no tensor.
   */
  constructor(params: Params<NoInfer<O>>, defaults: Required<O>, format: OptimizerFormat = {}) {
    this.defaults = Object.fromEntries(
      Object.entries(defaults).map(([key, value]) => [key, asOption(value)]),
    ) as Required<O>
    this.format = format
    if (params instanceof Tensor)
      throw new TypeError_(
        `params argument given to the optimizer should be an iterable of Tensors or dicts, but got ${legacyTensorName(params.dtype)}`,
      )
    if (typeof params !== 'object' || params === null || !(Symbol.iterator in params))
      throw new TypeError_(
        `params argument given to the optimizer should be an iterable of Tensors or dicts, but got ${describe(params)}`,
      )
    const given: unknown[] = [...(params as Iterable<unknown>)]
    if (given.length === 0) throw new ValueError('optimizer got an empty parameter list')
    const groups = isGroup(given[0]) ? given : [{ params: given }]
    for (const group of groups) this.addParamGroup(group as GroupInput<O>)
  }

  /** Adds a group of further parameters, as for layers that thaw during fine-tuning. See the constructor for errors. */
  addParamGroup(group: GroupInput<O>): void {
    if (!isGroup(group)) throw new TypeError_(`param_group must be a dict, but got ${describe(group)}`)
    this.checkNames(group)
    const { params: given, ...options } = group
    const { params, names } = readParams(given)
    for (const p of params) {
      if (!(p instanceof Tensor))
        throw new TypeError_(`optimizer can only optimize Tensors, but one of the params is ${describe(p)}`)
      if (!p.isLeaf && !p.retainsGrad) throw new ValueError("can't optimize a non-leaf Tensor")
    }
    const known = new Set(this.paramGroups.flatMap((g) => g.params))
    if (new Set(params).size !== params.length)
      console.warn(
        'UserWarning: optimizer contains a parameter group with duplicate parameters; in future, this will cause an error; see github.com/pytorch/pytorch/issues/40967 for more information',
      )
    if (this.paramGroups.some((g) => (g.paramNames !== undefined) !== (names !== null)))
      throw new ValueError(
        `all optimizer param groups should be with/without names. cannot add param group ${names === null ? 'without names' : 'with names'} to the optimizer`,
      )
    if (params.some((p) => known.has(p)))
      throw new ValueError('some parameters appear in more than one parameter group')
    const result: Record<string, unknown> = { params }
    for (const [key, value] of Object.entries(options)) if (value !== undefined) result[key] = asOption(value)
    if (names !== null) result.paramNames = names
    for (const [key, value] of Object.entries(this.defaults)) if (!(key in result)) result[key] = value
    this.paramGroups.push(result as ParamGroup<O>)
  }

  // A group may have entries of its own, as in PyTorch, but none that is an option misspelt.
  private checkNames(group: object): void {
    const options = new Map(Object.keys(this.defaults).map((key) => [key.toLowerCase(), key]))
    for (const key of Object.keys(group)) {
      const meant = options.get(key.replaceAll('_', '').toLowerCase())
      if (meant !== undefined && meant !== key)
        throw new TypeError_(
          `${this.constructor.name}: a parameter group has the unknown option '${key}'; did you mean '${meant}'?`,
        )
    }
  }

  /** Removes the gradients of all parameters; with `setToNone` false it fills them with zeros. */
  zeroGrad(options: boolean | { setToNone?: boolean } = true): void {
    const setToNone = typeof options === 'boolean' ? options : (options.setToNone ?? true)
    for (const { params } of this.paramGroups)
      for (const p of params) {
        const { grad } = p
        if (grad === null) continue
        if (setToNone) {
          p.grad = null
          continue
        }
        // A gradient with a history of its own would take it along.
        if (grad.requiresGrad) p.grad = grad.detach()
        fillRaw(grad, 0)
        grad.storage.version++
      }
  }

  /**
   * One step: changes the parameters by their gradients. Parameters without a gradient stay as they are.
   * @param closure computes the loss anew (and its gradients); needed by LBFGS only
   * @returns what the closure returned, null without one
   */
  step(): null
  step<R>(closure: Closure<R>): R
  step<R>(closure?: Closure<R> | null): R | null
  step<R>(closure?: Closure<R> | null): R | null {
    const { recorder } = recording
    if (recorder === null) return this.takeStep(closure)
    return recorder.updateStep({
      run: () => this.takeStep(closure),
      repeat: this.countsSteps ? null : this.repetition(),
    })
  }

  private takeStep<R>(closure?: Closure<R> | null): R | null {
    for (const hook of this.preHooks.values()) hook(this as unknown as Optimizer)
    this.stepsTaken++
    const before = gradMode.enabled
    gradMode.enabled = false
    let loss: R | null
    try {
      loss = this.run(closure ?? null)
    } finally {
      gradMode.enabled = before
    }
    for (const hook of this.postHooks.values()) hook(this as unknown as Optimizer)
    return loss
  }

  /** Whether the numbers of a step depend on how many steps there were, and not on the options alone. */
  protected readonly countsSteps: boolean = true

  // For a captured graph: counts a step whose numbers would be those of the last one, else returns false.
  private repetition(): () => boolean {
    let last = new StepConditions(this)
    return () => {
      if (this.preHooks.size > 0 || this.postHooks.size > 0 || !last.hold(this)) {
        last = new StepConditions(this)
        return false
      }
      this.stepsTaken++
      return true
    }
  }

  /** The work of a step, without recording and without hooks. */
  protected run<R>(closure: Closure<R> | null): R | null {
    const loss = closure === null ? null : enableGrad(closure)
    for (const group of this.paramGroups) {
      if (group.differentiable === true)
        throw new NotImplementedError(
          `${this.constructor.name}: a step that can itself be differentiated (differentiable=True) does not exist here`,
        )
      const { lr } = group as { lr?: unknown }
      this.updateGroup(
        lr instanceof Tensor ? { ...group, lr: Number(needHost('optimizer', lr).item()) } : group,
      )
    }
    return loss
  }

  /** Changes the parameters of one group by their gradients; nothing is recorded meanwhile. */
  protected updateGroup(_group: ParamGroup<O>): void {
    throw new NotImplementedError(`${this.constructor.name} must override step()`)
  }

  /** The state of a parameter, made by `init` where there is none. */
  protected stateOf(p: Tensor, init: () => S): S {
    let state = this.state.get(p)
    if (state === undefined) {
      state = init()
      this.state.set(p, state)
    }
    return state
  }

  /** Calls `hook(optimizer)` before each step. */
  registerStepPreHook(hook: (optimizer: Optimizer) => void): RemovableHandle {
    return addHook(this.preHooks, hook)
  }

  /** Calls `hook(optimizer)` after each step. */
  registerStepPostHook(hook: (optimizer: Optimizer) => void): RemovableHandle {
    return addHook(this.postHooks, hook)
  }

  /**
   * The state as PyTorch saves it: `state` by the number of the parameter, `param_groups` with PyTorch's names of the
   * options and the numbers of the parameters. Tensors in it are those of the optimizer, not copies.
   */
  stateDict(): OptimizerStateDict {
    const numbers = new Map<Tensor, number>()
    let next = 0
    const groups = this.paramGroups.map((group) => {
      const packed = new Map<string, unknown>()
      for (const [key, value] of Object.entries(group))
        if (key !== 'params') packed.set(snakeCase(key), value)
      group.params.forEach((p, i) => {
        if (!numbers.has(p)) numbers.set(p, next + i)
      })
      next += group.params.length
      packed.set(
        'params',
        group.params.map((p) => numbers.get(p)),
      )
      return packed
    })
    const state = new Map<unknown, unknown>()
    for (const [p, entries] of this.state) {
      const number = numbers.get(p)
      if (number !== undefined) state.set(number, new Map(Object.entries(entries)))
    }
    for (const [key, value] of this.unclaimedState) state.set(key, value)
    return new Map<string, unknown>([
      ['state', state],
      ['param_groups', groups],
    ])
  }

  /**
   * Takes up a state saved by `stateDict`, here or in Python, also by older releases. Tensors are copied, and cast to
   * the dtype of their parameter (`step` is not). Nothing changes where an error is thrown.
   * @throws ValueError where the groups do not correspond, KeyError where a part is missing.
   */
  loadStateDict(stateDict: ReadonlyMap<string, unknown> | Readonly<Record<string, unknown>>): void {
    const savedGroups = entry(stateDict, 'param_groups')
    const savedState = entry(stateDict, 'state')
    if (!Array.isArray(savedGroups)) throw new KeyError("'param_groups'")
    if (savedState === undefined) throw new KeyError("'state'")
    if (savedGroups.length !== this.paramGroups.length)
      throw new ValueError('loaded state dict has a different number of parameter groups')
    const byNumber = new Map<unknown, Tensor>()
    this.paramGroups.forEach(({ params }, i) => {
      const numbers = entry(savedGroups[i], 'params')
      if (!Array.isArray(numbers)) throw new KeyError("'params'")
      if (numbers.length !== params.length)
        throw new ValueError(
          "loaded state dict contains a parameter group that doesn't match the size of optimizer's group",
        )
      params.forEach((p, j) => {
        byNumber.set(String(numbers[j]), p)
      })
    })

    const groups = this.paramGroups.map((group, i) => this.unpackGroup(group, savedGroups[i]))
    const state = new Map<Tensor, S>()
    const unclaimed = new Map<unknown, unknown>()
    for (const [key, value] of entriesOf(savedState, "the entry 'state' of an optimizer's state dict")) {
      const p = byNumber.get(String(key))
      if (p === undefined) unclaimed.set(key, value)
      else state.set(p, this.unpackState(p, value))
    }
    this.paramGroups = groups
    this.state = state
    this.unclaimedState = unclaimed
  }

  private unpackGroup(group: ParamGroup<O>, saved: unknown): ParamGroup<O> {
    const result: Record<string, unknown> = {}
    for (const [key, value] of entriesOf(saved, 'a saved parameter group'))
      result[camelCase(String(key))] =
        key === 'params' ? group.params : value instanceof Tensor ? value.clone() : asOption(value)
    if (group.paramNames !== undefined) result.paramNames ??= group.paramNames
    for (const defaults of [this.format.upgrades ?? {}, this.defaults])
      for (const [key, value] of Object.entries(defaults)) if (!(key in result)) result[key] = value
    return this.upgradeGroup(result as ParamGroup<O>)
  }

  /** The last word on a loaded group. */
  protected upgradeGroup(group: ParamGroup<O>): ParamGroup<O> {
    return group
  }

  private unpackState(p: Tensor, saved: unknown): S {
    const result: Record<string, unknown> = {}
    for (const [key, value] of entriesOf(saved, 'the state of a parameter')) {
      const name = String(key)
      if (this.format.scalars?.includes(name) && !(value instanceof Tensor))
        result[name] = scalarState(Number(value))
      else if (this.format.scalars?.includes(name) && value instanceof Tensor && !p.device.equals(cpu))
        // Numbers that JavaScript counts stay where it can read them.
        result[name] = castState(p, 'step', needHost('loadStateDict', value))
      else result[name] = castState(p, name, value)
    }
    return result as S
  }

  /** PyTorch's text: the class, then each group with its options in alphabetical order. */
  toString(): string {
    let text = `${this.constructor.name} (`
    this.paramGroups.forEach((group, i) => {
      text += `\nParameter Group ${i}\n`
      const names = new Map(Object.keys(group).map((key) => [snakeCase(key), key]))
      for (const name of [...names.keys()].sort())
        if (name !== 'params')
          text += `    ${name}: ${this.optionText(names.get(name)!, group[names.get(name)!])}\n`
    })
    return `${text})`
  }

  private optionText(key: string, value: unknown): string {
    if (typeof value === 'string') return value
    if (value instanceof Tensor && value.ndim === 0) return pyFloat(Number(value.item()))
    if (this.format.floats?.includes(key)) {
      if (typeof value === 'number') return pyFloat(value)
      if (Array.isArray(value))
        return `(${value.map((x) => (typeof x === 'number' ? pyFloat(x) : pyRepr(x))).join(', ')})`
    }
    return pyRepr(value)
  }

  repr(): string {
    return this.toString()
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

function addHook(hooks: Map<number, StepHook>, hook: StepHook): RemovableHandle {
  const id = nextHookId()
  hooks.set(id, hook)
  return new RemovableHandle(hooks, id)
}

function isGroup(value: unknown): value is { params: unknown } {
  return typeof value === 'object' && value !== null && !(value instanceof Tensor) && 'params' in value
}

/** The tensors of a group and, where all have one, their names. */
function readParams(given: unknown): { params: Tensor[]; names: string[] | null } {
  if (given instanceof Tensor) return { params: [given], names: null }
  if (given instanceof Set)
    throw new TypeError_(
      'optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets will change between runs. Please use a list instead.',
    )
  if (typeof given !== 'object' || given === null || !(Symbol.iterator in given))
    throw new TypeError_(`the params of a parameter group must be tensors, but got ${describe(given)}`)
  const params: Tensor[] = []
  const names: string[] = []
  for (const item of given as Iterable<Tensor | readonly [string, Tensor]>)
    if (Array.isArray(item) && typeof item[0] === 'string') {
      names.push(item[0])
      params.push(item[1])
    } else params.push(item as Tensor)
  if (names.length !== 0 && names.length !== params.length)
    throw new ValueError('all optimizer params should be with/without names. Some param names are missing')
  return { params, names: names.length === 0 ? null : names }
}

/** An option as groups keep it: what is a pair in Python becomes a tuple. */
function asOption(value: unknown): unknown {
  return Array.isArray(value) ? Tuple.of(...value) : value
}

/** A value of a loaded state: tensors are copied and cast as their parameter is. */
function castState(p: Tensor, name: string, value: unknown): unknown {
  if (value instanceof Tensor) {
    const x = value.detach()
    if (name === 'step') return x.clone()
    const cast = p.dtype.kind === 'float' && x.dtype !== p.dtype ? x.to(p.dtype) : x.clone()
    return cast.device.equals(p.device) ? cast : cast.to(p.device)
  }
  if (value instanceof Map) return new Map(Array.from(value, ([k, v]) => [k, castState(p, String(k), v)]))
  if (value instanceof Tuple) return Tuple.of(...Array.from(value, (v) => castState(p, '', v)))
  if (Array.isArray(value)) return value.map((v) => castState(p, '', v))
  return value
}
