// Modules are functions: `model(x)` is possible because an instance is an arrow function whose prototype is the class's.

import { callModule } from './call.ts'
import type { Module } from './module.ts'
import { moduleState, newModuleState } from './registry.ts'

/**
 * A module without fields, of the class with this prototype. A Proxy would cost more with every call and could not hold
 * a class's private fields.
 */
export function createCallable(prototype: object): Module {
  const module = ((...args: unknown[]) => callModule(module, args)) as unknown as Module
  Object.setPrototypeOf(module, prototype)
  // A function's own `name` and `length` would hide a class's fields and getters of these names.
  const own = module as unknown as { name?: string; length?: number }
  delete own.name
  delete own.length
  ;(module as { [moduleState]: unknown })[moduleState] = newModuleState()
  module.training = true
  return module
}
