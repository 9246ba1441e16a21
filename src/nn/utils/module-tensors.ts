// A module's tensor that a pre-hook computes anew before each call: what the older weight normalisations and pruning share.

import { TypeError_ } from '../../core/errors.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { addHook, type ForwardPreHook } from '../hooks.ts'
import { hooksOf, type Module } from '../module.ts'
import { moduleState, nameOf } from '../registry.ts'

/** Computes one tensor of a module. It holds no module, so that copies of modules may share it. */
export interface TensorComputer {
  readonly tensorName: string
  /** The tensor for the call that is about to happen. */
  compute(module: Module): Tensor
}

const computers = new WeakMap<object, TensorComputer>()

/** The tensor in a field of a module. Throws TypeError if there is none. */
export function tensorOf(module: Module, name: string): Tensor {
  const value = (module as unknown as Record<string, unknown>)[name]
  if (!(value instanceof Tensor)) throw new TypeError_(`${nameOf(module)} has no tensor '${name}'`)
  return value
}

/** Puts a tensor that is no parameter into a field of a module. */
export function setTensor(module: Module, name: string, value: Tensor): void {
  ;(module as unknown as Record<string, unknown>)[name] = value
}

/** Has a tensor computed now and before each call of a module. */
export function computeBeforeCalls(module: Module, computer: TensorComputer): void {
  const hook: ForwardPreHook = (called) => {
    setTensor(called, computer.tensorName, computer.compute(called))
  }
  computers.set(hook, computer)
  addHook(hooksOf(module).forwardPre, { hook, withKwargs: false })
}

/** What computes tensors of a module, by the number of its hook. */
export function* computersOf(module: Module): Generator<[id: number, computer: TensorComputer]> {
  for (const [id, { hook }] of module[moduleState].hooks?.forwardPre ?? []) {
    const computer = computers.get(hook)
    if (computer !== undefined) yield [id, computer]
  }
}

/** What computes a tensor of a module by a method of one class, or null. */
export function findComputer<C extends TensorComputer>(
  module: Module,
  kind: abstract new (...args: never[]) => C,
  name: string,
): { id: number; computer: C } | null {
  for (const [id, computer] of computersOf(module))
    if (computer instanceof kind && computer.tensorName === name) return { id, computer }
  return null
}
