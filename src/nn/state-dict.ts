// The state dict: an ordered map from names to tensors, and how a module's is collected.

import { pyRepr } from '../core/python.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkReturnsNothing } from './hooks.ts'
import type { Module } from './module.ts'
import { entriesOf, moduleState, slotsOf, warnAboutHidden } from './registry.ts'
import { isLazy } from './uninitialized.ts'

/** What a module notes about its part of a state dict: `version`. */
export type LocalMetadata = Map<string, unknown>

/**
 * Names and tensors in the order of registration, PyTorch's `OrderedDict` with `_metadata`. A Map, so that keys such
 * as '10' and '2' keep their order.
 */
export class StateDict extends Map<string, Tensor> {
  /** By prefix (without the dot at its end): the version of each module. */
  _metadata: Map<string, LocalMetadata> = new Map()

  /** `OrderedDict({'weight': tensor([1.])})`. */
  override toString(): string {
    return this.size === 0 ? 'OrderedDict()' : `OrderedDict(${pyRepr(new Map(this))})`
  }

  repr(): string {
    return this.toString()
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

/** Options of `stateDict`. */
export interface StateDictOptions {
  /** The Map to fill; default a new one. */
  destination?: StateDict
  /** Put before every name. */
  prefix?: string
  /** Give the parameters themselves rather than detached tensors of the same memory. */
  keepVars?: boolean
}

export const extraStateKey = '_extra_state'

export function collectStateDict(module: Module, options: StateDictOptions): StateDict {
  const { destination = new StateDict(), prefix = '', keepVars = false } = options
  const metadata: LocalMetadata = new Map([['version', (module.constructor as typeof Module)._version]])
  destination._metadata?.set(prefix.slice(0, -1), metadata)
  warnAboutHidden(module)
  const { hooks } = module[moduleState]
  if (hooks !== null) for (const hook of hooks.stateDictPre.values()) hook(module, prefix, keepVars)
  module._saveToStateDict(destination, prefix, keepVars)
  for (const [name, child] of entriesOf(module, 'module'))
    if (child !== null) (child as Module).stateDict({ destination, prefix: `${prefix}${name}.`, keepVars })
  if (hooks !== null)
    for (const hook of hooks.stateDictPost.values())
      checkReturnsNothing(hook(module, destination, prefix, metadata))
  return destination
}

/** Adds a module's own parameters, persistent buffers and extra state. */
export function saveOwnState(
  module: Module,
  destination: StateDict,
  prefix: string,
  keepVars: boolean,
): void {
  const shown = (tensor: Tensor) => (keepVars || isLazy(tensor) ? tensor : tensor.detach())
  for (const [name, parameter] of entriesOf(module, 'parameter'))
    if (parameter !== null) destination.set(prefix + name, shown(parameter as Tensor))
  const slots = slotsOf(module)
  for (const [name, buffer] of entriesOf(module, 'buffer'))
    if (buffer !== null && slots.get(name)!.persistent)
      destination.set(prefix + name, shown(buffer as Tensor))
  if (module.getExtraState !== undefined)
    destination.set(prefix + extraStateKey, module.getExtraState() as Tensor)
}
