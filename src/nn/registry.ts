// What a module registers: its fields that hold parameters, buffers and modules, found by walking them. Class fields
// are defined, not assigned, so no setter could see them; the walk happens at every traversal and at the first call.

import { legacyTensorName } from '../core/dtype.ts'
import { KeyError, TypeError_, ValueError } from '../core/errors.ts'
import { Tensor } from '../tensor/tensor.ts'
import type { ModuleHooks } from './hooks.ts'
import type { Module } from './module.ts'
import { Buffer, Parameter } from './parameter.ts'

/** Key of what the library keeps about a module; also how it recognises one. */
export const moduleState: unique symbol = Symbol('antorcha.module')

export type SlotKind = 'parameter' | 'buffer' | 'module'

/** A registered name: what it holds, and for buffers whether the state dict has it. */
export interface Slot {
  kind: SlotKind
  persistent: boolean
}

/** What the library keeps about a module besides its fields. */
export interface ModuleState {
  /** Registered names in the order of registration. */
  readonly slots: Map<string, Slot>
  /** Names of the slots that hold parameters, as of the last walk. */
  parameterNames: readonly string[]
  scanned: boolean
  /** Whether its fields were searched for modules that no walk can find. */
  searched: boolean
  hooks: ModuleHooks | null
}

export function newModuleState(): ModuleState {
  return { slots: new Map(), parameterNames: [], scanned: false, searched: false, hooks: null }
}

type Fields = Record<string, unknown>

export function isModule(value: unknown): value is Module {
  return typeof value === 'function' && moduleState in value
}

/** The class's name, as PyTorch prints it. */
export function nameOf(module: Module): string {
  return module.constructor.name
}

/** How PyTorch's messages name the type of a value. */
export function typeName(value: unknown): string {
  if (value instanceof Parameter) return 'torch.nn.parameter.Parameter'
  if (value instanceof Tensor) return legacyTensorName(value.dtype)
  if (value === null || value === undefined) return 'NoneType'
  switch (typeof value) {
    case 'number':
      return Number.isInteger(value) ? 'int' : 'float'
    case 'boolean':
      return 'bool'
    case 'string':
      return 'str'
    default:
      return Array.isArray(value) ? 'list' : ((value as object).constructor?.name ?? typeof value)
  }
}

const assignable: Record<SlotKind, (name: string, got: string) => string> = {
  parameter: (name, got) =>
    `cannot assign '${got}' as parameter '${name}' (torch.nn.Parameter or None expected)`,
  buffer: (name, got) =>
    `cannot assign '${got}' as buffer '${name}' (torch.nn.Buffer, torch.Tensor or None expected)`,
  module: (name, got) =>
    `cannot assign '${got}' as child module '${name}' (torch.nn.Module or None expected)`,
}

/** Throws PyTorch's error if a name cannot be one of a state dict, or is taken by something else. */
export function checkName(module: Module, name: string, kind: SlotKind, value: unknown): void {
  if (typeof name !== 'string') throw new TypeError_(`${kind} name should be a string. Got ${typeName(name)}`)
  const taken = () => {
    // A field that was only declared is free; so is one that holds what is being registered.
    const present = Object.hasOwn(module, name) ? (module as unknown as Fields)[name] : undefined
    const free = present === undefined || present === null || present === value
    if (
      (!free || name in Object.getPrototypeOf(module)) &&
      module[moduleState].slots.get(name)?.kind !== kind
    )
      throw new KeyError(`attribute '${name}' already exists`)
  }
  if (kind === 'module') taken()
  if (name.includes('.'))
    throw new KeyError(
      kind === 'module' ? `module name can't contain ".", got: ${name}` : `${kind} name can't contain "."`,
    )
  if (name === '') throw new KeyError(`${kind} name can't be empty string ""`)
  if (kind !== 'module') taken()
}

export function checkLeaf(name: string, parameter: Tensor): void {
  if (parameter.gradFn !== null)
    throw new ValueError(
      `Cannot assign non-leaf Tensor to parameter '${name}'. Model parameters must be created explicitly. To express '${name}' as a function of another Tensor, compute the value in the forward() method.`,
    )
}

/** Registers a name and sets the field. */
export function setSlot(module: Module, name: string, slot: Slot, value: unknown): void {
  // Fields that were assigned before come first.
  slotsOf(module)
  assignSlot(module, name, slot, value)
}

function assignSlot(module: Module, name: string, slot: Slot, value: unknown): void {
  const state = module[moduleState]
  const { slots } = state
  state.scanned = false
  const known = slots.get(name)
  if (known === undefined || known.kind !== slot.kind) {
    slots.delete(name)
    slots.set(name, slot)
  } else known.persistent = slot.persistent
  ;(module as unknown as Fields)[name] = value
}

/** Forgets a registered name and its field. */
export function removeSlot(module: Module, name: string): void {
  const state = module[moduleState]
  state.slots.delete(name)
  state.scanned = false
  delete (module as unknown as Fields)[name]
}

/** Registers a child under a name, or an empty slot for one. */
export function registerChild(module: Module, name: string, child: Module | null): void {
  registerChildren(module, [[name, child]])
}

/** Registers children one after the other. The fields are walked once, so that long lists take linear time. */
export function registerChildren(module: Module, children: Iterable<readonly [string, Module | null]>): void {
  slotsOf(module)
  for (const [name, child] of children) {
    if (child !== null && !isModule(child))
      throw new TypeError_(`${typeName(child)} is not a Module subclass`)
    checkName(module, name, 'module', child)
    assignSlot(module, name, { kind: 'module', persistent: true }, child)
  }
}

function kindOf(value: unknown): SlotKind | null {
  if (value instanceof Parameter) return 'parameter'
  if (value instanceof Buffer) return 'buffer'
  return isModule(value) ? 'module' : null
}

/**
 * Brings the registered names up to date with the fields, by PyTorch's rules of assignment: a name keeps its place
 * when its value changes, also to null; a parameter over a module or buffer, or a module over a buffer, changes the
 * kind; a plain tensor over a buffer stays a buffer.
 *
 * @throws TypeError where a field that held a parameter or module now holds something else.
 */
export function slotsOf(module: Module): ReadonlyMap<string, Slot> {
  const state = module[moduleState]
  const { slots } = state
  const fields = module as unknown as Fields
  // Slots whose fields hold objects; the others are looked at one by one below.
  let seen = 0
  let changed = !state.scanned
  for (const name of Object.keys(fields)) {
    const value = fields[name]
    if (value === null || (typeof value !== 'object' && typeof value !== 'function')) continue
    const kind = kindOf(value)
    const slot = slots.get(name)
    if (slot !== undefined) seen++
    if (kind === null) {
      if (slot !== undefined && !(slot.kind === 'buffer' && value instanceof Tensor))
        throw new TypeError_(assignable[slot.kind](name, typeName(value)))
      continue
    }
    if (slot === undefined) {
      addSlot(module, name, kind, value)
      seen++
      changed = true
    } else if (slot.kind !== kind) {
      changeKind(slots, name, slot, kind, value)
      changed = true
    } else if (kind === 'buffer') slot.persistent = (value as Buffer).persistent
    if (kind === 'parameter' && (value as Parameter).autograd?.gradFn) checkLeaf(name, value as Parameter)
  }
  if (seen < slots.size && checkEmptySlots(fields, slots)) changed = true
  if (changed) state.parameterNames = namesOf(slots, 'parameter')
  state.scanned = true
  return slots
}

/** Drops slots whose fields were deleted; returns whether there were any. Throws for slots that hold numbers and the like. */
function checkEmptySlots(fields: Fields, slots: Map<string, Slot>): boolean {
  let dropped = false
  for (const [name, slot] of slots) {
    const value = fields[name]
    if (value === null || (value !== undefined && (typeof value === 'object' || typeof value === 'function')))
      continue
    if (value !== undefined) throw new TypeError_(assignable[slot.kind](name, typeName(value)))
    if (Object.hasOwn(fields, name)) continue
    slots.delete(name)
    dropped = true
  }
  return dropped
}

const noNames: readonly string[] = []

function namesOf(slots: ReadonlyMap<string, Slot>, kind: SlotKind): readonly string[] {
  let names: string[] | null = null
  for (const [name, slot] of slots) {
    if (slot.kind !== kind) continue
    names ??= []
    names.push(name)
  }
  return names ?? noNames
}

function addSlot(module: Module, name: string, kind: SlotKind, value: object): void {
  if (name.includes('.') || name === '') checkName(module, name, kind, value)
  if (kind !== 'module' && name in Object.getPrototypeOf(module))
    throw new KeyError(`attribute '${name}' already exists`)
  module[moduleState].slots.set(name, {
    kind,
    persistent: kind === 'buffer' ? (value as Buffer).persistent : true,
  })
}

function changeKind(slots: Map<string, Slot>, name: string, slot: Slot, kind: SlotKind, value: object): void {
  const allowed = kind === 'parameter' || slot.kind === 'buffer'
  if (!allowed) throw new TypeError_(assignable[slot.kind](name, typeName(value)))
  slots.delete(name)
  slots.set(name, { kind, persistent: kind === 'buffer' ? (value as Buffer).persistent : true })
}

/** Throws if a field that held a parameter holds something else; much cheaper than a walk. */
export function checkParameterFields(module: Module, state: ModuleState): void {
  const names = state.parameterNames
  for (let i = 0; i < names.length; i++) {
    const value = (module as unknown as Fields)[names[i]]
    if (!(value instanceof Parameter) && value !== null) {
      slotsOf(module)
      return
    }
  }
}

/** The values registered under one kind, in order, null where a slot is empty. */
export function* entriesOf(module: Module, kind: SlotKind): Generator<[string, unknown]> {
  for (const [name, slot] of slotsOf(module))
    if (slot.kind === kind) yield [name, (module as unknown as Fields)[name] ?? null]
}

// ---- modules that no walk can find -----------------------------------------------------------------------------------

const warned = new WeakMap<object, Set<string>>()
// How many elements of a collection are looked at: hidden modules come first in any that matters.
const looked = 16

function hides(value: object): 'Module' | 'Parameter' | null {
  const items =
    Array.isArray(value) || value instanceof Set
      ? value
      : value instanceof Map
        ? value.values()
        : Object.getPrototypeOf(value) === Object.prototype
          ? Object.values(value)
          : null
  if (items === null) return null
  let count = 0
  for (const item of items) {
    if (isModule(item)) return 'Module'
    if (item instanceof Parameter) return 'Parameter'
    if (Array.isArray(item)) {
      const inner = hides(item.slice(0, looked))
      if (inner !== null) return inner
    }
    if (++count === looked) return null
  }
  return null
}

/**
 * At a module's first traversal warns, once for each field of each class, about modules and parameters inside plain arrays, objects, Maps and Sets:
 * they are not part of `parameters()` and of the state dict, and no optimizer would train them.
 */
export function warnAboutHidden(module: Module): void {
  const state = module[moduleState]
  if (state.searched) return
  state.searched = true
  const fields = module as unknown as Fields
  for (const name of Object.keys(fields)) {
    const value = fields[name]
    if (typeof value !== 'object' || value === null || value instanceof Tensor) continue
    const hidden = hides(value)
    if (hidden === null) continue
    const names = warned.get(module.constructor) ?? new Set()
    warned.set(module.constructor, names)
    if (names.has(name)) continue
    names.add(name)
    const list = Array.isArray(value) || value instanceof Set
    const kind = Array.isArray(value)
      ? 'array'
      : value instanceof Set
        ? 'Set'
        : value instanceof Map
          ? 'Map'
          : 'object'
    console.warn(
      `${nameOf(module)}.${name} is a plain ${kind} that holds a ${hidden}: its parameters are not found by parameters(), stateDict() and to(), and no optimizer will train them. Use nn.${hidden}${list ? 'List' : 'Dict'} instead: this.${name} = new nn.${hidden}${list ? 'List' : 'Dict'}(${list ? '[...]' : '{...}'})`,
    )
  }
}
