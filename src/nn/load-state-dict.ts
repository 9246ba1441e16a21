// Copying a state dict into a module, with PyTorch's checks, order of events and messages.

import { noGrad } from '../autograd/mode.ts'
import { RuntimeError, TypeError_ } from '../core/errors.ts'
import { pyRepr } from '../core/python.ts'
import { makeSize, sameSizes } from '../core/shape.ts'
import { isOptions } from '../ops/op.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { Module } from './module.ts'
import { Parameter } from './parameter.ts'
import { entriesOf, moduleState, nameOf, slotsOf, typeName } from './registry.ts'
import { extraStateKey, type LocalMetadata } from './state-dict.ts'
import { isLazy } from './uninitialized.ts'

/** The names that a state dict lacks and those that it has too many; prints as in PyTorch. */
export class IncompatibleKeys {
  constructor(
    readonly missingKeys: string[],
    readonly unexpectedKeys: string[],
  ) {}

  toString(): string {
    if (this.missingKeys.length === 0 && this.unexpectedKeys.length === 0)
      return '<All keys matched successfully>'
    return `_IncompatibleKeys(missing_keys=${pyRepr(this.missingKeys)}, unexpected_keys=${pyRepr(this.unexpectedKeys)})`
  }

  repr(): string {
    return this.toString()
  }

  /** `const [missing, unexpected] = model.loadStateDict(...)`, as in PyTorch. */
  *[Symbol.iterator](): Generator<string[]> {
    yield this.missingKeys
    yield this.unexpectedKeys
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

/** Options of `loadStateDict`. */
export interface LoadStateDictOptions {
  /** Whether missing and unexpected keys are an error; default true. Wrong sizes always are. */
  strict?: boolean
  /** Put the state dict's own tensors into the module instead of copying their values: dtype and device become theirs. */
  assign?: boolean
}

/** A state dict, or any Map or plain object from names to tensors. */
export type StateDictLike = ReadonlyMap<string, unknown> | Readonly<Record<string, unknown>>

/** What goes wrong while a state dict is loaded, collected. */
export interface LoadReport {
  readonly missingKeys: string[]
  readonly unexpectedKeys: string[]
  readonly errorMessages: string[]
}

/** `local_metadata['assign_to_params_buffers']` */
const assignKey = 'assign_to_params_buffers'

export function loadStateDictInto(
  module: Module,
  given: StateDictLike,
  { strict = true, assign = false }: LoadStateDictOptions,
): IncompatibleKeys {
  if (!(given instanceof Map) && !isOptions(given))
    throw new TypeError_(`Expected state_dict to be dict-like, got ${typeName(given)}.`)
  const stateDict = new Map<string, unknown>(given instanceof Map ? given : Object.entries(given))
  const metadata = (given as { _metadata?: unknown })._metadata
  const report: LoadReport = { missingKeys: [], unexpectedKeys: [], errorMessages: [] }

  const load = (target: Module, state: Map<string, unknown>, prefix: string): void => {
    const local = localMetadata(metadata, prefix.slice(0, -1))
    if (assign) local.set(assignKey, true)
    target._loadFromStateDict(state, prefix, local, true, report)
    for (const [name, child] of entriesOf(target, 'module')) {
      if (child === null) continue
      const childPrefix = `${prefix}${name}.`
      const part = new Map([...state].filter(([key]) => key.startsWith(childPrefix)))
      load(child as Module, part, childPrefix)
    }
    const { hooks } = target[moduleState]
    if (hooks === null) return
    const keys = new IncompatibleKeys(report.missingKeys, report.unexpectedKeys)
    for (const hook of hooks.loadPost.values()) hook(target, keys)
  }
  load(module, stateDict, '')

  const { missingKeys, unexpectedKeys, errorMessages } = report
  const quoted = (keys: readonly string[]) => keys.map((key) => `"${key}"`).join(', ')
  if (strict && unexpectedKeys.length > 0)
    errorMessages.unshift(`Unexpected key(s) in state_dict: ${quoted(unexpectedKeys)}. `)
  if (strict && missingKeys.length > 0)
    errorMessages.unshift(`Missing key(s) in state_dict: ${quoted(missingKeys)}. `)
  if (errorMessages.length > 0)
    throw new RuntimeError(
      `Error(s) in loading state_dict for ${nameOf(module)}:\n\t${errorMessages.join('\n\t')}`,
    )
  return new IncompatibleKeys(missingKeys, unexpectedKeys)
}

function localMetadata(metadata: unknown, prefix: string): LocalMetadata {
  const local =
    metadata instanceof Map
      ? metadata.get(prefix)
      : (metadata as Record<string, unknown> | undefined)?.[prefix]
  if (local instanceof Map) return new Map(local)
  return new Map(typeof local === 'object' && local !== null ? Object.entries(local) : [])
}

/** A module's own part of loading. Tensors that fit are copied even if others do not. */
export function loadOwnState(
  module: Module,
  stateDict: Map<string, unknown>,
  prefix: string,
  local: LocalMetadata,
  strict: boolean,
  report: LoadReport,
): void {
  const { hooks } = module[moduleState]
  if (hooks !== null)
    for (const hook of [...hooks.loadPre.values()])
      hook(
        module,
        stateDict,
        prefix,
        local,
        strict,
        report.missingKeys,
        report.unexpectedKeys,
        report.errorMessages,
      )

  const assign = local.get(assignKey) === true
  const own = ownState(module)
  for (const [name, target] of own) {
    const key = prefix + name
    if (stateDict.has(key)) loadTensor(module, name, key, target, stateDict.get(key), assign, report)
    else if (strict) report.missingKeys.push(key)
  }

  const extraKey = prefix + extraStateKey
  if (module.setExtraState !== undefined) {
    if (stateDict.has(extraKey)) module.setExtraState(stateDict.get(extraKey))
    else if (strict) report.missingKeys.push(extraKey)
  } else if (strict && stateDict.has(extraKey)) report.unexpectedKeys.push(extraKey)

  if (!strict) return
  const slots = slotsOf(module)
  for (const key of stateDict.keys()) {
    if (!key.startsWith(prefix) || key === extraKey) continue
    const rest = key.slice(prefix.length)
    const dot = rest.indexOf('.')
    const known = dot < 0 ? own.has(rest) : slots.get(rest.slice(0, dot))?.kind === 'module'
    if (!known) report.unexpectedKeys.push(key)
  }
}

/** A module's own parameters and persistent buffers, by name. */
function ownState(module: Module): Map<string, Tensor> {
  const own = new Map<string, Tensor>()
  for (const [name, parameter] of entriesOf(module, 'parameter'))
    if (parameter !== null) own.set(name, parameter as Tensor)
  const slots = slotsOf(module)
  for (const [name, buffer] of entriesOf(module, 'buffer'))
    if (buffer !== null && slots.get(name)!.persistent) own.set(name, buffer as Tensor)
  return own
}

function loadTensor(
  module: Module,
  name: string,
  key: string,
  target: Tensor,
  value: unknown,
  assign: boolean,
  { errorMessages }: LoadReport,
): void {
  if (!(value instanceof Tensor)) {
    errorMessages.push(
      `While copying the parameter named "${key}", expected torch.Tensor or Tensor-like object from checkpoint but received <class '${typeName(value)}'>`,
    )
    return
  }
  let source: Tensor = value
  const lazy = isLazy(target)
  // Old checkpoints keep numbers in tensors of one element.
  if (!lazy && target.ndim === 0 && source.shape.length === 1 && source.sizes[0] === 1)
    source = source.select(0, 0)
  if (!lazy && !sameSizes(source.shape, target.sizes)) {
    errorMessages.push(
      `size mismatch for ${key}: copying a param with shape ${source.shape} from checkpoint, the shape in current model is ${target.shape}.`,
    )
    return
  }
  if (target.device.type === 'meta' && source.device.type !== 'meta' && !assign)
    console.warn(
      `for ${key}: copying from a non-meta parameter in the checkpoint to a meta parameter in the current model, which is a no-op. (Did you mean to pass \`assign=True\` to assign items in the state dictionary to their corresponding key in the module instead of copying them in place?)`,
    )
  try {
    noGrad(() => {
      if (assign) assignTensor(module, name, target, source)
      else if (!isLazy(source) || !lazy) target.copy_(source)
    })
  } catch (error) {
    errorMessages.push(
      `While copying the parameter named "${key}", whose dimensions in the model are ${lazy ? makeSize([0]) : target.shape} and whose dimensions in the checkpoint are ${source.shape}, an exception occurred : ('${error instanceof Error ? error.message : String(error)}',).`,
    )
  }
}

function assignTensor(module: Module, name: string, target: Tensor, source: Tensor): void {
  const fields = module as unknown as Record<string, unknown>
  if (!(target instanceof Parameter)) {
    fields[name] = source
    return
  }
  const { requiresGrad } = target
  fields[name] =
    source instanceof Parameter ? source.requiresGrad_(requiresGrad) : new Parameter(source, { requiresGrad })
}
