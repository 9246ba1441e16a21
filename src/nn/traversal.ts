// Walking a tree of modules, each module's fields once. The results are lists: modules may be changed while one is read.

import { Tuple } from '../core/python.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { Module } from './module.ts'
import { slotsOf, warnAboutHidden } from './registry.ts'

/** Options of `namedParameters` and `namedBuffers`. */
export interface NamedOptions {
  /** Put before every name. */
  prefix?: string
  /** Whether those of the children are included; default true. */
  recurse?: boolean
  /** Whether what is registered under two names comes once, under the first; default true. */
  removeDuplicate?: boolean
}

type Fields = Record<string, unknown>

// Pairs are tuples, so that a list of them prints as Python's does.
function pair<T>(name: string, value: T): [string, T] {
  return Tuple.of<unknown>(name, value) as unknown as [string, T]
}

const join = (prefix: string, name: string) => (prefix === '' ? name : `${prefix}.${name}`)

/** The direct children with their names, each once. */
export function listChildren(module: Module): [string, Module][] {
  const result: [string, Module][] = []
  const seen = new Set<Module>()
  for (const [name, slot] of slotsOf(module)) {
    if (slot.kind !== 'module') continue
    const child = (module as unknown as Fields)[name] as Module | null
    if (child === null || child === undefined || seen.has(child)) continue
    seen.add(child)
    result.push(pair(name, child))
  }
  return result
}

/** A module and all below it with their dotted names, parents first. */
export function listModules(root: Module, rootPrefix: string, removeDuplicate: boolean): [string, Module][] {
  const result: [string, Module][] = []
  const seen = new Set<Module>()
  const visit = (module: Module, prefix: string): void => {
    if (seen.has(module)) return
    if (removeDuplicate) seen.add(module)
    result.push(pair(prefix, module))
    for (const [name, slot] of slotsOf(module)) {
      if (slot.kind !== 'module') continue
      const child = (module as unknown as Fields)[name] as Module | null
      if (child !== null && child !== undefined) visit(child, join(prefix, name))
    }
  }
  visit(root, rootPrefix)
  return result
}

/**
 * Calls `report` with the parameters or buffers of a module and all below it, each with the path of its module. Paths
 * are null where the first one is.
 */
function visitMembers(
  root: Module,
  kind: 'parameter' | 'buffer',
  rootPath: string | null,
  recurse: boolean,
  removeDuplicate: boolean,
  report: (path: string | null, name: string, value: Tensor) => void,
): void {
  const seenModules = new Set<Module>()
  const seen = new Set<unknown>()
  const visit = (module: Module, path: string | null): void => {
    if (removeDuplicate) {
      if (seenModules.has(module)) return
      seenModules.add(module)
    }
    if (kind === 'parameter') warnAboutHidden(module)
    const slots = slotsOf(module)
    const fields = module as unknown as Fields
    let children = false
    for (const [name, slot] of slots) {
      if (slot.kind === 'module') children = true
      if (slot.kind !== kind) continue
      const value = fields[name]
      if (value === null || value === undefined) continue
      if (removeDuplicate) {
        if (seen.has(value)) continue
        seen.add(value)
      }
      report(path, name, value as Tensor)
    }
    if (!recurse || !children) return
    for (const [name, slot] of slots) {
      const child = slot.kind === 'module' ? (fields[name] as Module | null) : null
      if (child !== null && child !== undefined) visit(child, path === null ? null : join(path, name))
    }
  }
  visit(root, rootPath)
}

/** Parameters or buffers without their names. */
export function listMembers(root: Module, kind: 'parameter' | 'buffer', recurse: boolean): Tensor[] {
  const result: Tensor[] = []
  visitMembers(root, kind, null, recurse, true, (_, __, value) => result.push(value))
  return result
}

/** Parameters or buffers with their dotted names. */
export function listNamedMembers(
  root: Module,
  kind: 'parameter' | 'buffer',
  { prefix = '', recurse = true, removeDuplicate = true }: NamedOptions,
): [string, Tensor][] {
  const result: [string, Tensor][] = []
  visitMembers(root, kind, prefix, recurse, removeDuplicate, (path, name, value) =>
    result.push(pair(join(path as string, name), value)),
  )
  return result
}
