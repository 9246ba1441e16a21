// The library under test, looked up by PyTorch's dotted names. A name that is not there is `Unsupported`.

import type * as torchTypes from '../../src/index.ts'
import { Unsupported } from './case.ts'

export type Torch = typeof torchTypes
export type Tensor = torchTypes.Tensor
export type DType = torchTypes.DType
export type Module = torchTypes.nn.Module

// Loaded dynamically, so that a library that cannot be loaded is one clear message from the runner.
export const torch: Torch = await import('../../src/index.ts')

/** PyTorch's name in camelCase: `zero_grad` is `zeroGrad`; underscores at the ends stay. */
export function camelCase(name: string): string {
  return name.replace(/(?<=[A-Za-z0-9])_+([A-Za-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

/** What the library has under `torch.nn.functional.max_pool2d` and the like, or undefined. */
export function find(name: string): unknown {
  let value: unknown = torch
  for (const part of name.split('.').slice(1)) {
    if (value === null || (typeof value !== 'object' && typeof value !== 'function')) return undefined
    value = (value as Record<string, unknown>)[camelCase(part)]
  }
  return value
}

export type AnyFunction = (...args: unknown[]) => unknown
export type AnyClass = new (...args: unknown[]) => unknown

/** The library's function of that name. Throws `Unsupported` if there is none. */
export function findFunction(name: string): AnyFunction {
  const value = find(name)
  if (typeof value !== 'function') throw new Unsupported(name)
  return value as AnyFunction
}

/** The library's class of that name. Throws `Unsupported` if there is none. */
export function findClass(name: string): AnyClass {
  return findFunction(name) as unknown as AnyClass
}

/** A method of an object by PyTorch's name, bound to it. Throws `Unsupported` if there is none. */
export function findMethod(object: object, name: string): AnyFunction {
  const value = (object as Record<string, unknown>)[camelCase(name)]
  if (typeof value !== 'function') throw new Unsupported(`${object.constructor.name}.${name}`)
  const method = value as AnyFunction
  return Object.assign((...args: unknown[]) => method.apply(object, args), metadataOf(method) ?? {})
}

/** What a function of the library says about its own parameters. */
export interface Metadata {
  readonly required: readonly string[]
  readonly optional: readonly string[]
  readonly variadic?: 'sizes' | 'tensors'
}

/** The metadata that a function carries, if any. */
export function metadataOf(value: unknown): Metadata | undefined {
  const candidate = value as Partial<Metadata> | undefined
  return Array.isArray(candidate?.required) && Array.isArray(candidate.optional)
    ? (candidate as Metadata)
    : undefined
}
