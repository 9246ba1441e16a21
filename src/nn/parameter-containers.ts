// Containers of parameters: ParameterList, ParameterDict; and the old Container.

import { legacyTensorName } from '../core/dtype.ts'
import { AttributeError, RuntimeError, TypeError_ } from '../core/errors.ts'
import { Tensor } from '../tensor/tensor.ts'
import { pairsOf, slicePositions, wrapIndex } from './containers.ts'
import { Module } from './module.ts'
import { Parameter } from './parameter.ts'
import { typeName } from './registry.ts'

// A plain tensor becomes a parameter; anything else is kept as it is.
function asParameter(value: unknown): unknown {
  return value instanceof Tensor && !(value instanceof Parameter) ? new Parameter(value) : value
}

function describeEntry(key: string | number, value: unknown, tensorType: (tensor: Tensor) => string): string {
  if (!(value instanceof Tensor)) return `  (${key}): Object of type: ${typeName(value)}`
  const kind = value instanceof Parameter ? 'Parameter' : 'Tensor'
  return `  (${key}): ${kind} containing: [${tensorType(value)} of size ${value.sizes.join('x')}]`
}

/** A list of parameters that are found by `parameters()`, as those in a plain array are not. */
export class ParameterList<V = Parameter> extends Module {
  [index: number]: V
  private _size = 0

  constructor(values: Iterable<Tensor | V> = []) {
    super()
    this.extend(values)
  }

  override forward(): never {
    throw new RuntimeError('ParameterList should not be called.')
  }

  override get length(): number {
    return this._size
  }

  *[Symbol.iterator](): Generator<V> {
    for (let i = 0; i < this._size; i++) yield this.at(i)
  }

  /** The value at a position, counted from the end where negative. Throws IndexError. */
  at(index: number): V {
    return (this as unknown as Record<string, V>)[wrapIndex(index, this._size)]
  }

  /** Puts a value at a position that exists; a tensor becomes a parameter. Throws IndexError. */
  set(index: number, value: Tensor | V): void {
    ;(this as unknown as Record<string, unknown>)[wrapIndex(index, this._size)] = asParameter(value)
  }

  append(value: Tensor | V): this {
    this._size++
    this.set(this._size - 1, value)
    return this
  }

  /** Throws TypeError for what is not a list. */
  extend(values: Iterable<Tensor | V>): this {
    if (values instanceof Tensor || typeof values?.[Symbol.iterator] !== 'function')
      throw new TypeError_(
        `ParameterList.extend should be called with an iterable, but got ${typeName(values)}`,
      )
    for (const value of [...values]) this.append(value)
    return this
  }

  slice(start?: number, stop?: number, step?: number): ParameterList<V> {
    return new ParameterList<V>(slicePositions(this._size, start, stop, step).map((i) => this.at(i)))
  }

  override extraRepr(): string {
    return Array.from(this, (value, i) => describeEntry(i, value, (tensor) => String(tensor.dtype))).join(
      '\n',
    )
  }
}

/** Parameters by name, found by `parameters()`. Iterates over the names. */
export class ParameterDict<V = Parameter> extends Module {
  private _keys: string[] = []

  constructor(
    parameters: Iterable<readonly [string, Tensor | V]> | Readonly<Record<string, Tensor | V>> = [],
  ) {
    super()
    this.update(parameters)
  }

  override forward(): never {
    throw new RuntimeError('ParameterDict should not be called.')
  }

  get size(): number {
    return this._keys.length
  }

  *[Symbol.iterator](): Generator<string> {
    yield* this._keys
  }

  has(key: string): boolean {
    return this._keys.includes(key)
  }

  /** The value of a name. Throws AttributeError. */
  get(key: string): V {
    if (!this.has(key)) throw new AttributeError(`'ParameterDict' object has no attribute '${key}'`)
    return (this as unknown as Record<string, V>)[key]
  }

  /** Sets a value; a tensor becomes a parameter. Throws KeyError for the names of the class's own methods. */
  set(key: string, value: Tensor | V): this {
    const entry = asParameter(value)
    if (entry instanceof Parameter) this.registerParameter(key, entry)
    else (this as unknown as Record<string, unknown>)[key] = entry
    if (!this.has(key)) this._keys.push(key)
    return this
  }

  /** Removes a name. Throws AttributeError. */
  delete(key: string): void {
    this.get(key)
    this._keys.splice(this._keys.indexOf(key), 1)
    delete (this as unknown as Record<string, unknown>)[key]
  }

  pop(key: string): V {
    const value = this.get(key)
    this.delete(key)
    return value
  }

  clear(): void {
    for (const key of [...this._keys]) this.delete(key)
  }

  /** The value of a name, which is set to `value` where there is none yet. */
  setdefault(key: string, value: Tensor | V): V {
    if (!this.has(key)) this.set(key, value)
    return this.get(key)
  }

  copy(): ParameterDict<V> {
    return new ParameterDict<V>().update(this.items())
  }

  keys(): string[] {
    return [...this._keys]
  }

  values(): V[] {
    return this._keys.map((key) => this.get(key))
  }

  items(): [string, V][] {
    return this._keys.map((key) => [key, this.get(key)])
  }

  /** Adds the entries of a Map or plain object, sorted by name as in PyTorch, or of pairs, in their order. */
  update(
    parameters:
      | Iterable<readonly [string, Tensor | V]>
      | Readonly<Record<string, Tensor | V>>
      | ParameterDict<V>,
  ): this {
    if (parameters instanceof ParameterDict) return this.update(parameters.items())
    let pairs = [...pairsOf<Tensor | V>('ParameterDict', parameters)]
    // An ordered dictionary (any subclass of Map) keeps its order.
    if (!Array.isArray(parameters) && (!(parameters instanceof Map) || parameters.constructor === Map))
      pairs = pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    for (const [key, value] of pairs) this.set(key, value)
    return this
  }

  override extraRepr(): string {
    return this.items()
      .map(([key, value]) => describeEntry(key, value, (tensor) => typeOf(tensor)))
      .join('\n')
  }
}

function typeOf(tensor: Tensor): string {
  return legacyTensorName(tensor.dtype)
}

/** PyTorch's old container of named modules; use fields of a Module instead. */
export class Container extends Module {
  constructor(modules: Readonly<Record<string, Module>> = {}) {
    super()
    for (const [name, module] of Object.entries(modules)) this.registerModule(name, module)
  }
}
