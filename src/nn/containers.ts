// Containers of modules: Sequential, ModuleList, ModuleDict. Those of parameters are in parameter-containers.ts.

import { AssertionError, IndexError, KeyError, TypeError_, ValueError } from '../core/errors.ts'
import { isOptions } from '../ops/op.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type Layer, Module } from './module.ts'
import { entriesOf, isModule, nameOf, registerChildren, removeSlot, setSlot, typeName } from './registry.ts'
import type { Fitting, Layers } from './sequential-types.ts'
import { assemble, indentRest } from './text.ts'

type Entries<M> = ReadonlyMap<string, M> | readonly (readonly [string, M])[]

/** An index, counted from the end where negative. Throws IndexError. */
export function wrapIndex(index: number, length: number): number {
  if (!Number.isInteger(index)) throw new TypeError_(`indices must be integers, not ${index}`)
  if (index < -length || index >= length) throw new IndexError(`index ${index} is out of range`)
  return index < 0 ? index + length : index
}

/** The positions of Python's slice `[start:stop:step]`. */
export function slicePositions(length: number, start?: number, stop?: number, step = 1): number[] {
  const clip = (i: number | undefined, fallback: number) =>
    i === undefined
      ? fallback
      : Math.min(Math.max(i < 0 ? i + length : i, step > 0 ? 0 : -1), step > 0 ? length : length - 1)
  const from = clip(start, step > 0 ? 0 : length - 1)
  const to = clip(stop, step > 0 ? length : -1)
  const result: number[] = []
  for (let i = from; step > 0 ? i < to : i > to; i += step) result.push(i)
  return result
}

function childrenOf(module: Module): (Module | null)[] {
  return Array.from(entriesOf(module, 'module'), ([, child]) => child as Module | null)
}

/** Makes these the only children, under these names, in this order. */
function setChildren(module: Module, entries: readonly (readonly [string, Module | null])[]): void {
  for (const [name] of [...entriesOf(module, 'module')]) removeSlot(module, name)
  registerChildren(module, entries)
}

function numbered<M>(modules: readonly M[]): [string, M][] {
  return modules.map((module, i) => [String(i), module])
}

function checkIsModule(value: unknown): void {
  if (value !== null && !isModule(value)) throw new TypeError_(`${typeName(value)} is not a Module subclass`)
}

/**
 * Layers that run one after the other. `new nn.Sequential(a, b)` numbers them; a Map, or `[name, layer]` pairs in an
 * array, names them. Layers whose numbers of features or channels do not fit do not compile.
 *
 * `model[0]`, `model[0] = layer`, `model.at(-1)`, `model.slice(0, 2)`, `for (const layer of model)`.
 */
export class Sequential<L extends Layers = Layers> extends Module {
  [index: number]: Layer

  constructor(layers: Entries<Layer | null>)
  constructor(...layers: L & Fitting<L>)
  constructor(...layers: readonly unknown[]) {
    super()
    const [only] = layers
    if (layers.length === 1 && (only instanceof Map || (Array.isArray(only) && only.every(Array.isArray))))
      registerChildren(this, only as Iterable<[string, Module | null]>)
    else registerChildren(this, numbered(layers as readonly (Module | null)[]))
  }

  override forward(input: Tensor): Tensor {
    let value = input
    for (const layer of this) value = layer(value)
    return value
  }

  override get length(): number {
    return childrenOf(this).length
  }

  *[Symbol.iterator](): Generator<Layer> {
    yield* childrenOf(this) as Layer[]
  }

  /** The layer at a position, counted from the end where negative. Throws IndexError. */
  at<T extends Module = Layer>(index: number): T {
    return childrenOf(this)[wrapIndex(index, this.length)] as T
  }

  /** Puts a layer at a position that exists, under the name there. Throws IndexError. */
  set(index: number, layer: Module): void {
    checkIsModule(layer)
    const names = Array.from(entriesOf(this, 'module'), ([name]) => name)
    setSlot(this, names[wrapIndex(index, names.length)], { kind: 'module', persistent: true }, layer)
  }

  /** A Sequential of the layers `start` to `stop` (not included), which keep their names. */
  slice(start?: number, stop?: number, step?: number): Sequential {
    const entries = [...entriesOf(this, 'module')] as [string, Layer][]
    const part = slicePositions(entries.length, start, stop, step).map((i) => entries[i])
    const Class = this.constructor as new (layers: ReadonlyMap<string, Layer>) => Sequential
    return new Class(new Map(part))
  }

  /** Removes the layer at a position; those after it move up. Throws IndexError. */
  delete(index: number): void {
    const children = childrenOf(this)
    children.splice(wrapIndex(index, children.length), 1)
    setChildren(this, numbered(children))
  }

  /** Removes the layer at a position and returns it. */
  pop(index = -1): Layer {
    const layer = this.at(index)
    this.delete(index)
    return layer
  }

  append(layer: Module): this {
    this.registerModule(String(this.length), layer)
    return this
  }

  /** Appends the layers of a list or of another Sequential. */
  extend(layers: Iterable<Module>): this {
    for (const layer of [...layers]) this.append(layer)
    return this
  }

  /** Puts a layer before the one at `index`. Throws IndexError. */
  insert(index: number, layer: Module): this {
    if (!isModule(layer))
      throw new AssertionError("module should be of type: <class 'torch.nn.modules.module.Module'>")
    const children = childrenOf(this)
    const n = children.length
    if (index < -n || index > n) throw new IndexError(`Index out of range: ${index}`)
    children.splice(index < 0 ? index + n : index, 0, layer)
    setChildren(this, numbered(children))
    return this
  }

  /** PyTorch's `a + b`: a new Sequential of the layers of both. */
  add(other: Sequential): Sequential {
    if (!(other instanceof Sequential))
      throw new ValueError(
        `add operator supports only objects of Sequential class, but <class '${typeName(other)}'> is given.`,
      )
    return new Sequential().extend(this).extend(other)
  }

  /** PyTorch's `seq * n`: a new Sequential with the same layers (not copies) `n` times. */
  mul(times: number): Sequential {
    if (!Number.isInteger(times))
      throw new TypeError_(`unsupported operand type(s) for *: Sequential and ${typeName(times)}`)
    if (times <= 0) throw new ValueError(`Non-positive multiplication factor ${times} for ${nameOf(this)}`)
    const result = new Sequential()
    for (let i = 0; i < times; i++) result.extend(this)
    return result
  }
}

/**
 * A list of modules that are found by `parameters()` and the like, as those in a plain array are not. It is not called
 * itself: its owner calls the modules in it. Prints equal neighbours once, `(0-2): 3 x ReLU()`.
 */
export class ModuleList<M extends Module = Layer> extends Module {
  [index: number]: M

  constructor(modules: Iterable<M> = []) {
    super()
    this.extend(modules)
  }

  override get length(): number {
    return childrenOf(this).length
  }

  *[Symbol.iterator](): Generator<M> {
    yield* childrenOf(this) as M[]
  }

  /** The module at a position, counted from the end where negative. Throws IndexError. */
  at(index: number): M {
    return childrenOf(this)[wrapIndex(index, this.length)] as M
  }

  /** Puts a module at a position that exists. Throws IndexError. */
  set(index: number, module: M): void {
    checkIsModule(module)
    setSlot(this, String(wrapIndex(index, this.length)), { kind: 'module', persistent: true }, module)
  }

  append(module: M): this {
    this.registerModule(String(this.length), module)
    return this
  }

  /** Throws TypeError for what is not iterable. */
  extend(modules: Iterable<M>): this {
    if (modules === null || modules === undefined || typeof modules[Symbol.iterator] !== 'function')
      throw new TypeError_(
        `ModuleList.extend should be called with an iterable, but got ${typeName(modules)}`,
      )
    const start = this.length
    registerChildren(
      this,
      Array.from(modules, (module, i) => [String(start + i), module] as const),
    )
    return this
  }

  /** Puts a module before the one at `index`. */
  insert(index: number, module: M): void {
    const children = childrenOf(this)
    children.splice(index, 0, module)
    setChildren(this, numbered(children))
  }

  /** Removes the module at a position; those after it move up. Throws IndexError. */
  delete(index: number): void {
    const children = childrenOf(this)
    children.splice(wrapIndex(index, children.length), 1)
    setChildren(this, numbered(children))
  }

  /** Removes the module at a position and returns it. */
  pop(index = -1): M {
    const module = this.at(index)
    this.delete(index)
    return module
  }

  /** A ModuleList of the modules `start` to `stop` (not included), numbered from 0. */
  slice(start?: number, stop?: number, step?: number): ModuleList<M> {
    const modules = childrenOf(this) as M[]
    const Class = this.constructor as new (modules: Iterable<M>) => ModuleList<M>
    return new Class(slicePositions(modules.length, start, stop, step).map((i) => modules[i]))
  }

  /** PyTorch's `a + b`: a new list of the modules of both. */
  add(other: Iterable<M>): ModuleList<M> {
    return new ModuleList<M>([...this, ...other])
  }

  override toString(): string {
    const texts = childrenOf(this).map((child) => (child === null ? 'None' : String(child)))
    const lines: string[] = []
    for (let start = 0; start < texts.length; ) {
      let end = start
      while (end + 1 < texts.length && texts[end + 1] === texts[start]) end++
      const label = start === end ? `(${start}): ` : `(${start}-${end}): ${end - start + 1} x `
      lines.push(indentRest(label + texts[start]))
      start = end + 1
    }
    return assemble(nameOf(this), [], lines)
  }
}

/** Modules by name, in the order in which they were added; found by `parameters()` and the like. */
export class ModuleDict<M extends Module = Layer> extends Module {
  constructor(modules: Entries<M> | Readonly<Record<string, M>> = []) {
    super()
    this.update(modules)
  }

  get size(): number {
    return childrenOf(this).length
  }

  /** The module of a name. Throws KeyError. */
  get(key: string): M {
    if (!this.has(key)) throw new KeyError(`'${key}'`)
    return (this as unknown as Record<string, M>)[key]
  }

  /** Adds or replaces a module. Throws KeyError for the names of the class's own methods. */
  set(key: string, module: M): this {
    this.registerModule(key, module)
    return this
  }

  has(key: string): boolean {
    return this.keys().includes(key)
  }

  /** Removes a module. Throws KeyError. */
  delete(key: string): void {
    this.get(key)
    removeSlot(this, key)
  }

  /** Removes a module and returns it. Throws KeyError. */
  pop(key: string): M {
    const module = this.get(key)
    removeSlot(this, key)
    return module
  }

  clear(): void {
    setChildren(this, [])
  }

  keys(): string[] {
    return Array.from(entriesOf(this, 'module'), ([name]) => name)
  }

  values(): M[] {
    return childrenOf(this) as M[]
  }

  items(): [string, M][] {
    return [...entriesOf(this, 'module')] as [string, M][]
  }

  /** Iterates over the names, as in Python. */
  *[Symbol.iterator](): Generator<string> {
    yield* this.keys()
  }

  /** Adds the modules of a Map, a plain object, `[name, module]` pairs or another ModuleDict. */
  update(modules: Entries<M> | Readonly<Record<string, M>> | ModuleDict<M>): this {
    for (const [key, module] of pairsOf<M>('ModuleDict', modules)) this.set(key, module)
    return this
  }
}

/** The pairs of whatever may stand for a dict. */
export function pairsOf<V>(name: string, source: unknown): Iterable<readonly [string, V]> {
  if (source instanceof Map) return source
  if (source instanceof ModuleDict) return source.items() as unknown as [string, V][]
  if (isOptions(source)) return Object.entries(source) as [string, V][]
  if (
    source === null ||
    source === undefined ||
    typeof (source as Iterable<unknown>)[Symbol.iterator] !== 'function'
  )
    throw new TypeError_(
      `${name}.update should be called with an iterable of key/value pairs, but got ${typeName(source)}`,
    )
  const pairs = [...(source as Iterable<readonly [string, V]>)]
  pairs.forEach((pair, i) => {
    if (!Array.isArray(pair))
      throw new TypeError_(`${name} update sequence element #${i} should be Iterable; is ${typeName(pair)}`)
    if (pair.length !== 2)
      throw new ValueError(`${name} update sequence element #${i} has length ${pair.length}; 2 is required`)
  })
  return pairs
}
