// Lazy layers: parameters without a shape until the first call, which makes them and turns the layer into its usual class.

import { noGrad } from '../autograd/mode.ts'
import { RuntimeError } from '../core/errors.ts'
import type { ForwardPreEntry, LoadStateDictPreHook } from './hooks.ts'
import { addHook } from './hooks.ts'
import { hooksOf, type Module } from './module.ts'
import { entriesOf, nameOf } from './registry.ts'
import { isLazy, type UninitializedParameter } from './uninitialized.ts'

/** A module that can make its parameters once it sees the arguments of its first call. */
export interface LazyModule extends Module {
  initializeParameters(...args: never[]): void
}

/** Whether some of a module's own parameters or buffers have no shape yet. */
export function hasUninitializedParams(module: Module): boolean {
  for (const kind of ['parameter', 'buffer'] as const)
    for (const [, value] of entriesOf(module, kind)) if (isLazy(value)) return true
  return false
}

/**
 * Makes a module lazy: before its first call `initializeParameters` gets the arguments, and then the module becomes an
 * instance of `usual`. A state dict loaded before that gives the parameters their shapes; the class stays until the call.
 *
 * To be called at the end of the constructor of a lazy layer.
 */
export function makeLazy(module: LazyModule, usual: { readonly prototype: object }): void {
  const hooks = hooksOf(module)
  const loadHandle = addHook<LoadStateDictPreHook>(hooks.loadPre, materializeForLoading)
  const callHandle = addHook<ForwardPreEntry>(hooks.forwardPre, {
    withKwargs: true,
    hook: (target: Module, args: readonly unknown[], kwargs: Record<string, unknown>) => {
      const values = Object.keys(kwargs).length > 0 ? [...args, kwargs] : args
      noGrad(() => ((target as LazyModule).initializeParameters as (...all: unknown[]) => void)(...values))
      if (hasUninitializedParams(target))
        throw new RuntimeError(`module ${nameOf(target)} has not been fully initialized`)
      // By number, as the target may be a copy of the module that the handles belong to.
      const own = hooksOf(target)
      own.forwardPre.delete(callHandle.id)
      own.loadPre.delete(loadHandle.id)
      Object.setPrototypeOf(target, usual.prototype)
    },
  })
}

const materializeForLoading: LoadStateDictPreHook = (module, stateDict, prefix) => {
  for (const kind of ['parameter', 'buffer'] as const)
    for (const [name, value] of entriesOf(module, kind)) {
      const source = stateDict.get(prefix + name)
      if (isLazy(value) && source !== undefined && !isLazy(source))
        value.materialize((source as { sizes: readonly number[] }).sizes)
    }
}

/** Gives a lazy layer's weight, and its bias where it has one, their shapes. */
export function materializeWeights(
  layer: { weight: unknown; bias: unknown },
  weightSizes: readonly number[],
  biasSizes: readonly number[],
): void {
  ;(layer.weight as UninitializedParameter).materialize(weightSizes)
  if (layer.bias !== null) (layer.bias as UninitializedParameter).materialize(biasSizes)
}
