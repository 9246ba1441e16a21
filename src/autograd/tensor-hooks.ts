// Hooks on tensors: called with a tensor's gradient when backward has computed it.

import { RuntimeError } from '../core/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type GradientHook, nextHookId, RemovableHandle } from './node.ts'

/**
 * Calls `hook(grad)` whenever the gradient of this tensor is computed; what it returns, if anything, replaces it.
 * @throws RuntimeError for a tensor that requires no gradient.
 */
export function registerHook(x: Tensor, hook: GradientHook): RemovableHandle {
  if (!x.requiresGrad)
    throw new RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
  const node = x.gradFn
  const id = nextHookId()
  if (node === null) {
    const state = x.ensureAutograd()
    state.hooks ??= new Map()
    state.hooks.set(id, hook)
    return new RemovableHandle(state.hooks, id)
  }
  node.tensorHooks ??= new Map()
  const output = x.autograd!.outputNumber
  let hooks = node.tensorHooks.get(output)
  if (hooks === undefined) {
    hooks = new Map()
    node.tensorHooks.set(output, hooks)
  }
  hooks.set(id, hook)
  return new RemovableHandle(hooks, id)
}

/** Calls `hook(tensor)` after a gradient was added to this leaf's `grad`. Throws for tensors that are no leaves. */
export function registerPostAccumulateGradHook(x: Tensor, hook: (tensor: Tensor) => void): RemovableHandle {
  if (!x.requiresGrad)
    throw new RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
  if (!x.isLeaf) throw new RuntimeError('post accumulate grad hooks cannot be registered on non-leaf tensors')
  const state = x.ensureAutograd()
  state.postAccumulateHooks ??= new Map()
  const id = nextHookId()
  state.postAccumulateHooks.set(id, hook)
  return new RemovableHandle(state.postAccumulateHooks, id)
}
