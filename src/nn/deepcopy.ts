// Deep copies of modules and what they hold; ties between parameters survive.

import { noGrad } from '../autograd/mode.ts'
import { RuntimeError } from '../core/errors.ts'
import { Tensor } from '../tensor/tensor.ts'
import { createCallable } from './callable.ts'
import { ModuleHooks } from './hooks.ts'
import type { Module } from './module.ts'
import { Buffer, Parameter } from './parameter.ts'
import { isModule, moduleState, type Slot } from './registry.ts'
import { isLazy, UninitializedBuffer, UninitializedParameter } from './uninitialized.ts'

/**
 * A copy that shares nothing with `value`, as Python's `copy.deepcopy`: of modules, tensors, arrays, plain objects, Maps
 * and Sets. What occurs twice in `value` (a tied parameter) occurs twice in the copy. Functions, dtypes, devices and
 * instances of other classes are shared. Private `#fields` of a module's class are not copied; nothing outside can read them.
 *
 * @throws RuntimeError for tensors that are results of recorded operations.
 */
export function deepcopy<T>(value: T): T {
  return copy(value, new Map()) as T
}

type Memo = Map<object, unknown>

function copy(value: unknown, memo: Memo): unknown {
  if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return value
  const done = memo.get(value)
  if (done !== undefined) return done
  if (value instanceof Tensor) return remember(memo, value, copyTensor(value))
  if (isModule(value)) return copyModule(value, memo)
  if (typeof value === 'function') return value
  if (Array.isArray(value)) {
    const list = remember(memo, value, value.slice() as unknown[])
    Object.setPrototypeOf(list, Object.getPrototypeOf(value))
    for (let i = 0; i < value.length; i++) list[i] = copy(value[i], memo)
    return list
  }
  if (value instanceof Map && value.constructor === Map) {
    const map = remember(memo, value, new Map())
    for (const [key, item] of value) map.set(copy(key, memo), copy(item, memo))
    return map
  }
  if (value instanceof Set && value.constructor === Set) {
    const set = remember(memo, value, new Set())
    for (const item of value) set.add(copy(item, memo))
    return set
  }
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return value
  const object: Record<string, unknown> = remember(memo, value, Object.create(prototype))
  for (const [key, item] of Object.entries(value)) object[key] = copy(item, memo)
  return object
}

function remember<R>(memo: Memo, original: object, result: R): R {
  memo.set(original, result)
  return result
}

function copyTensor(tensor: Tensor): Tensor {
  if (isLazy(tensor)) {
    const { device, dtype } = tensor
    return tensor instanceof UninitializedParameter
      ? new UninitializedParameter({ device, dtype, requiresGrad: tensor.requiresGrad })
      : new UninitializedBuffer({ device, dtype, persistent: tensor.persistent })
  }
  if (!tensor.isLeaf)
    throw new RuntimeError(
      'Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol at the moment.  If you were attempting to deepcopy a module, this may be because of a torch.nn.utils.weight_norm usage, see https://github.com/pytorch/pytorch/pull/103001',
    )
  const data = noGrad(() => tensor.detach().clone())
  if (tensor instanceof Parameter) return new Parameter(data, { requiresGrad: tensor.requiresGrad })
  const result = tensor instanceof Buffer ? new Buffer(data, { persistent: tensor.persistent }) : data
  if (tensor.requiresGrad) result.requiresGrad_()
  if (tensor.grad !== null) result.grad = copyTensor(tensor.grad)
  return result
}

function copyModule(module: Module, memo: Memo): Module {
  const result = remember(memo, module, createCallable(Object.getPrototypeOf(module)))
  const state = module[moduleState]
  const copied = result[moduleState]
  for (const [name, slot] of state.slots) copied.slots.set(name, { ...slot } satisfies Slot)
  const fields = result as unknown as Record<string, unknown>
  for (const [name, field] of Object.entries(module)) fields[name] = copy(field, memo)
  if (state.hooks !== null) copied.hooks = copyHooks(state.hooks)
  return result
}

function copyHooks(hooks: ModuleHooks): ModuleHooks {
  const result = new ModuleHooks()
  for (const kind of Object.keys(hooks) as (keyof ModuleHooks)[]) {
    const from = hooks[kind] as unknown as Map<number, unknown>
    const into = result[kind] as unknown as Map<number, unknown>
    for (const [id, hook] of from) into.set(id, hook)
  }
  return result
}
