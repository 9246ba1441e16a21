// Hooks of modules: their types, where they are kept, those common to all modules.

import { nextHookId, RemovableHandle } from '../autograd/node.ts'
import { RuntimeError } from '../core/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { IncompatibleKeys } from './load-state-dict.ts'
import type { Module } from './module.ts'
import type { LocalMetadata, StateDict } from './state-dict.ts'

/** The trailing options object of a call, empty where there is none: Python's keyword arguments. */
export type Kwargs = Record<string, unknown>

/** Called before `forward`; an array it returns replaces the arguments, any other value but null the one argument. */
export type ForwardPreHook = (module: Module, args: readonly unknown[]) => unknown

/** A pre-hook that also gets the options; it returns `[args, kwargs]` or nothing. */
export type ForwardPreHookWithKwargs = (
  module: Module,
  args: readonly unknown[],
  kwargs: Kwargs,
) => readonly [readonly unknown[], Kwargs] | null | undefined | void

/** Called after `forward`; what it returns (but null) replaces the result. */
export type ForwardHook = (module: Module, args: readonly unknown[], output: unknown) => unknown

/** A forward hook that also gets the options. */
export type ForwardHookWithKwargs = (
  module: Module,
  args: readonly unknown[],
  kwargs: Kwargs,
  output: unknown,
) => unknown

export type Gradients = readonly (Tensor | null)[]

/** Called with the gradients of a module's outputs before its backward; what it returns replaces them. */
export type BackwardPreHook = (module: Module, gradOutput: Gradients) => Gradients | null | undefined | void

/** Called with the gradients of a module's inputs and outputs; what it returns replaces those of the inputs. */
export type BackwardHook = (
  module: Module,
  gradInput: Gradients,
  gradOutput: Gradients,
) => Gradients | null | undefined | void

export type StateDictPreHook = (module: Module, prefix: string, keepVars: boolean) => void

export type StateDictPostHook = (
  module: Module,
  stateDict: StateDict,
  prefix: string,
  localMetadata: LocalMetadata,
) => void

export type LoadStateDictPreHook = (
  module: Module,
  stateDict: Map<string, unknown>,
  prefix: string,
  localMetadata: LocalMetadata,
  strict: boolean,
  missingKeys: string[],
  unexpectedKeys: string[],
  errorMessages: string[],
) => void

export type LoadStateDictPostHook = (module: Module, incompatibleKeys: IncompatibleKeys) => void

/** Options of `registerForwardPreHook`. */
export interface ForwardPreHookOptions {
  /** Run before the hooks that are already there. */
  prepend?: boolean
  withKwargs?: boolean
}

/** Options of `registerForwardHook`. */
export interface ForwardHookOptions extends ForwardPreHookOptions {
  /** Run even if `forward` or another hook throws. */
  alwaysCall?: boolean
}

/** Options that ask for the trailing options of the call, which decides the hook's parameters. */
export type WithKwargs<Options> = Options & { withKwargs: true }
export type WithoutKwargs<Options> = Options & { withKwargs?: false }

export interface ForwardPreEntry {
  readonly hook: ForwardPreHook | ForwardPreHookWithKwargs
  readonly withKwargs: boolean
}

export interface ForwardEntry {
  readonly hook: ForwardHook | ForwardHookWithKwargs
  readonly withKwargs: boolean
  readonly alwaysCall: boolean
}

/** The hooks of one module, in the order in which they run. */
export class ModuleHooks {
  readonly forwardPre: Map<number, ForwardPreEntry> = new Map()
  readonly forward: Map<number, ForwardEntry> = new Map()
  readonly backwardPre: Map<number, BackwardPreHook> = new Map()
  readonly backward: Map<number, BackwardHook> = new Map()
  readonly stateDictPre: Map<number, StateDictPreHook> = new Map()
  readonly stateDictPost: Map<number, StateDictPostHook> = new Map()
  readonly loadPre: Map<number, LoadStateDictPreHook> = new Map()
  readonly loadPost: Map<number, LoadStateDictPostHook> = new Map()

  /** Whether a call of the module has more to do than to run `forward`. */
  get concernCalls(): boolean {
    return this.forwardPre.size + this.forward.size + this.backwardPre.size + this.backward.size > 0
  }
}

/** Adds a hook at the end, or before all others. */
export function addHook<H>(hooks: Map<number, H>, hook: H, prepend = false): RemovableHandle {
  const id = nextHookId()
  const after = prepend ? [...hooks] : []
  if (prepend) hooks.clear()
  hooks.set(id, hook)
  for (const [otherId, other] of after) hooks.set(otherId, other)
  return new RemovableHandle(hooks, id)
}

/** Hooks that run for every module, before its own. */
export const globalHooks: ModuleHooks = new ModuleHooks()

/** Runs `hook(module, args)` before the forward of every module. */
export function registerModuleForwardPreHook(hook: ForwardPreHook): RemovableHandle {
  return addHook(globalHooks.forwardPre, { hook, withKwargs: false })
}

/** Runs `hook(module, args, output)` after the forward of every module. */
export function registerModuleForwardHook(
  hook: ForwardHookWithKwargs,
  options: WithKwargs<ForwardHookOptions>,
): RemovableHandle
export function registerModuleForwardHook(
  hook: ForwardHook,
  options?: WithoutKwargs<ForwardHookOptions>,
): RemovableHandle
export function registerModuleForwardHook(
  hook: ForwardHook | ForwardHookWithKwargs,
  { withKwargs = false, alwaysCall = false }: ForwardHookOptions = {},
): RemovableHandle {
  return addHook(globalHooks.forward, { hook, withKwargs, alwaysCall })
}

/** Runs `hook(module, gradOutput)` before the backward of every module. */
export function registerModuleFullBackwardPreHook(hook: BackwardPreHook): RemovableHandle {
  return addHook(globalHooks.backwardPre, hook)
}

/** Runs `hook(module, gradInput, gradOutput)` after the backward of every module. */
export function registerModuleFullBackwardHook(hook: BackwardHook): RemovableHandle {
  return addHook(globalHooks.backward, hook)
}

/** Throws PyTorch's error if a hook that must not return anything did. */
export function checkReturnsNothing(result: unknown): void {
  if (result !== null && result !== undefined) throw new RuntimeError('state_dict post-hook must return None')
}
