// What happens when a module is called: pre-hooks, forward, hooks, and the graph nodes behind backward hooks.

import { gradMode } from '../autograd/mode.ts'
import { alias } from '../autograd/saved.ts'
import { recording } from '../backends/recording.ts'
import { RuntimeError } from '../core/errors.ts'
import { pyRepr } from '../core/python.ts'
import { applyMany, isOptions, type Op } from '../ops/op.ts'
import { Tensor } from '../tensor/tensor.ts'
import {
  type BackwardHook,
  type BackwardPreHook,
  type ForwardEntry,
  type ForwardHook,
  type ForwardHookWithKwargs,
  type ForwardPreHook,
  type ForwardPreHookWithKwargs,
  type Gradients,
  globalHooks,
  type Kwargs,
  ModuleHooks,
} from './hooks.ts'
import type { Module } from './module.ts'
import { checkParameterFields, moduleState, slotsOf } from './registry.ts'

/** Calls a module: its hooks and its `forward`. */
export function callModule(module: Module, args: unknown[]): unknown {
  if (recording.recorder !== null) recording.recorder.called(module)
  const state = module[moduleState]
  if (state.scanned) checkParameterFields(module, state)
  else slotsOf(module)
  if (!(state.hooks?.concernCalls ?? false) && !globalHooks.concernCalls)
    return (module.forward as (...values: unknown[]) => unknown)(...args)
  return callWithHooks(module, args, state.hooks ?? noHooks)
}

const noHooks = new ModuleHooks()

/** A trailing plain object is what Python passes as keyword arguments. */
function splitKwargs(args: readonly unknown[]): { args: readonly unknown[]; kwargs: Kwargs; given: boolean } {
  const last = args[args.length - 1]
  return args.length > 0 && isOptions(last)
    ? { args: args.slice(0, -1), kwargs: last, given: true }
    : { args, kwargs: {}, given: false }
}

function callWithHooks(module: Module, given: unknown[], own: ModuleHooks): unknown {
  const call = splitKwargs(given)
  let result: unknown = null
  const ran = new Set<ForwardEntry>()

  const runForwardHook = (entry: ForwardEntry): void => {
    const replaced = entry.withKwargs
      ? (entry.hook as ForwardHookWithKwargs)(module, call.args, call.kwargs, result)
      : (entry.hook as ForwardHook)(module, call.args, result)
    if (replaced !== null && replaced !== undefined) result = replaced
  }

  try {
    const backwardPre = [...globalHooks.backwardPre.values(), ...own.backwardPre.values()]
    const backward = [...globalHooks.backward.values(), ...own.backward.values()]
    for (const { hook, withKwargs } of [...globalHooks.forwardPre.values(), ...own.forwardPre.values()]) {
      if (withKwargs) {
        const replaced = (hook as ForwardPreHookWithKwargs)(module, call.args, call.kwargs)
        if (replaced === null || replaced === undefined) continue
        if (!Array.isArray(replaced) || replaced.length !== 2)
          throw new RuntimeError(
            `forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got ${pyRepr(replaced)}.`,
          )
        call.args = Array.isArray(replaced[0]) ? replaced[0] : [replaced[0]]
        call.kwargs = replaced[1] as Kwargs
        call.given ||= Object.keys(call.kwargs).length > 0
      } else {
        const replaced = (hook as ForwardPreHook)(module, call.args)
        if (replaced !== null && replaced !== undefined)
          call.args = Array.isArray(replaced) ? replaced : [replaced]
      }
    }
    let gradients: GradientWatch | null = null
    if (backward.length > 0 || backwardPre.length > 0) {
      gradients = new GradientWatch(module, backward, backwardPre)
      call.args = gradients.watchInputs(call.args)
    }
    const args = call.given ? [...call.args, call.kwargs] : call.args
    result = (module.forward as (...values: unknown[]) => unknown)(...args)
    for (const entry of [...globalHooks.forward.values(), ...own.forward.values()]) {
      ran.add(entry)
      runForwardHook(entry)
    }
    return gradients === null ? result : gradients.watchOutput(result)
  } catch (error) {
    for (const entry of [...globalHooks.forward.values(), ...own.forward.values()]) {
      if (!entry.alwaysCall || ran.has(entry)) continue
      try {
        runForwardHook(entry)
      } catch (silenced) {
        console.warn(
          `module forward hook with \`\`always_call=True\`\` raised an exception that was silenced as another error was raised in forward: ${silenced instanceof Error ? silenced.message : String(silenced)}`,
        )
      }
    }
    throw error
  }
}

/** Passes its inputs on; its place in the graph is what backward hooks hang on. */
const passThrough: Op<null> = {
  node: 'BackwardHookFunctionBackward',
  forward: (inputs) => inputs.map(alias),
  backward: (grads) => grads,
}

/** Runs the backward hooks of one call of a module. */
class GradientWatch {
  private gradOutputs: Gradients | null = null
  private inputIndices: readonly number[] | null = null
  private inputCount = 0

  constructor(
    private readonly module: Module,
    private readonly hooks: readonly BackwardHook[],
    private readonly preHooks: readonly BackwardPreHook[],
  ) {}

  watchInputs(args: readonly unknown[]): readonly unknown[] {
    this.inputCount = args.length
    const watched = throughNode(args)
    if (watched === null) return args
    this.inputIndices = watched.indices
    watched.node.registerHook((gradInputs) => {
      if (this.gradOutputs === null) return
      let result: Gradients = spread(watched.indices, gradInputs, this.inputCount)
      for (const hook of this.hooks) {
        const replaced = hook(this.module, result, this.gradOutputs)
        if (replaced === null || replaced === undefined) continue
        if (replaced.length !== result.length)
          throw new RuntimeError(
            `Backward hook returned an invalid number of grad_input, got ${replaced.length}, but expected ${result.length}`,
          )
        result = replaced
      }
      this.gradOutputs = null
      return watched.indices.map((i) => result[i])
    })
    return watched.values
  }

  watchOutput(output: unknown): unknown {
    const isList = Array.isArray(output)
    const list: readonly unknown[] = isList ? output : [output]
    if (!isList && !(output instanceof Tensor))
      console.warn('For backward hooks to be called, module output should be a Tensor or a tuple of Tensors')
    const watched = throughNode(list)
    if (watched === null) return output
    watched.node.registerHook((_, gradOutputs) => {
      let grads: Gradients = spread(watched.indices, gradOutputs, list.length)
      for (const hook of this.preHooks) {
        const replaced = hook(this.module, grads)
        if (replaced === null || replaced === undefined) continue
        if (replaced.length !== grads.length)
          throw new RuntimeError(
            `Backward pre hook returned an invalid number of grad_output, got ${replaced.length}, but expected ${grads.length}`,
          )
        grads = replaced
      }
      this.gradOutputs = grads
      if (this.inputIndices === null) this.runWithoutInputs(grads)
      return watched.indices.map((i) => grads[i])
    })
    if (!isList) return watched.values[0]
    return rebuild(output, watched.values)
  }

  private runWithoutInputs(gradOutputs: Gradients): void {
    console.warn(
      'Full backward hook is firing when gradients are computed with respect to module outputs since no inputs require gradients. See https://docs.pytorch.org/docs/main/generated/torch.nn.Module.html#torch.nn.Module.register_full_backward_hook for more details.',
    )
    const none = new Array<null>(this.inputCount).fill(null)
    for (const hook of this.hooks) {
      const result = hook(this.module, none, gradOutputs)
      if (result !== null && result !== undefined && !result.every((g) => g === null))
        throw new RuntimeError(
          'Backward hook for Modules where no input requires gradient should always return None or None for all gradients.',
        )
    }
    this.gradOutputs = null
  }
}

// A list of the same class (a Tuple, a result with named fields) with other values.
function rebuild(list: readonly unknown[], values: readonly unknown[]): unknown {
  const copy = list.slice()
  Object.setPrototypeOf(copy, Object.getPrototypeOf(list))
  values.forEach((value, i) => {
    copy[i] = value
  })
  return copy
}

function throughNode(values: readonly unknown[]) {
  const indices: number[] = []
  const tensors: Tensor[] = []
  values.forEach((value, i) => {
    if (value instanceof Tensor) {
      indices.push(i)
      tensors.push(value)
    }
  })
  if (!gradMode.enabled || !tensors.some((t) => t.requiresGrad)) return null
  const passed = applyMany(passThrough, tensors, null)
  const node = passed.map((t) => t.gradFn).find((n) => n !== null)
  if (node === undefined || node === null) return null
  const result = [...values]
  indices.forEach((index, i) => {
    result[index] = passed[i]
  })
  return { node, indices, values: result }
}

function spread(indices: readonly number[], grads: Gradients, length: number): (Tensor | null)[] {
  const result = new Array<Tensor | null>(length).fill(null)
  indices.forEach((index, i) => {
    result[index] = grads[i]
  })
  return result
}
