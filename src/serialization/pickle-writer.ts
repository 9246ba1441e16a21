// The pickler: writes what torch.save writes, opcode by opcode (protocol 2, Python's C pickler), for tensors, parameters,
// containers and plain values. Storages are named in the pickle and written beside it.

import { Device } from '../core/device.ts'
import { DType } from '../core/dtype.ts'
import { RuntimeError, TypeError_, ValueError } from '../core/errors.ts'
import { pyRepr, Tuple } from '../core/python.ts'
import { Size } from '../core/shape.ts'
import { ByteWriter, encodeText } from './byte-writer.ts'
import { op } from './pickle-opcodes.ts'
import { Complex, FrozenSet, OrderedDict, TypedStorage } from './python-objects.ts'
import { storageClassOf } from './storage-types.ts'

// Python's own limit; deeper nesting is a mistake, and would overflow this stack at some depth too.
const maxDepth = 1000
// Items between two SETITEMS or APPENDS, as in Python.
const batchSize = 1000

/** What is written of a tensor. */
export interface TensorDescription {
  readonly storage: object
  readonly storageNbytes: number
  readonly dtype: DType
  readonly sizes: readonly number[]
  readonly strides: readonly number[]
  /** In elements. */
  readonly offset: number
  readonly requiresGrad: boolean
  readonly isParameter: boolean
}

/** A pickle and the storages that it names, in the order of their keys '0', '1', ... */
export interface PickledObject {
  readonly pickle: Uint8Array
  readonly storages: readonly object[]
}

/**
 * Pickles a value as `torch.save` does. `describe` says what a tensor is and gives null for everything else.
 * Throws TypeError for values that have no counterpart in a checkpoint and ValueError for cycles, both naming the place;
 * RuntimeError where tensors of different dtypes share a storage.
 */
export function pickle(value: unknown, describe: (value: object) => TensorDescription | null): PickledObject {
  const pickler = new Pickler(describe)
  return pickler.dump(value)
}

class Pickler {
  readonly #out = new ByteWriter()
  readonly #describe: (value: object) => TensorDescription | null
  /** Memo numbers of objects by identity and of strings by value. */
  readonly #memo = new Map<unknown, number>()
  readonly #globals = new Map<string, number>()
  #memoized = 0
  readonly #storages = new Map<object, { key: string; dtypeName: string }>()
  /** The containers around the value being written, outermost first, for cycles. */
  readonly #open = new Set<object>()
  /** How one gets from the root to the value being written. */
  readonly #path: string[] = []

  constructor(describe: (value: object) => TensorDescription | null) {
    this.#describe = describe
  }

  dump(value: unknown): PickledObject {
    this.#out.uint8(op.PROTO)
    this.#out.uint8(2)
    this.#save(value)
    this.#out.uint8(op.STOP)
    return { pickle: this.#out.bytes(), storages: [...this.#storages.keys()] }
  }

  #place(): string {
    return `obj${this.#path.join('')}`
  }

  #save(value: unknown): void {
    switch (typeof value) {
      case 'boolean':
        this.#out.uint8(value ? op.NEWTRUE : op.NEWFALSE)
        return
      case 'number':
        this.#number(value)
        return
      case 'bigint':
        this.#integer(value)
        return
      case 'string':
        this.#string(value)
        return
      case 'object':
        if (value === null) this.#out.uint8(op.NONE)
        else this.#object(value)
        return
      case 'undefined':
        throw new TypeError_(`cannot save undefined, at ${this.#place()}: None is null`)
      case 'function':
        // A module can be called, so it is a function.
        if ('stateDict' in value)
          throw new TypeError_(`cannot save ${describeUnsupported(value)}, at ${this.#place()}`)
        throw new TypeError_(`cannot save a function, at ${this.#place()}`)
      case 'symbol':
        throw new TypeError_(`cannot save a ${typeof value}, at ${this.#place()}`)
    }
  }

  #object(value: object): void {
    const known = this.#memo.get(value)
    if (this.#open.has(value)) throw new ValueError(`cannot save ${this.#place()}: it contains itself`)
    if (known !== undefined) {
      this.#get(known)
      return
    }
    const description = this.#describe(value)
    if (description !== null) {
      if (description.isParameter) this.#parameter(value, description)
      else this.#tensor(value, description)
    } else if (value instanceof Size) this.#size(value)
    else if (value instanceof Uint8Array) this.#bytes(value)
    else if (value instanceof DType) this.#global('torch', value.name)
    else if (value instanceof Device) this.#device(value)
    else if (value instanceof Complex) this.#complex(value)
    else if (value instanceof TypedStorage) this.#storage(value.storage, value.dtypeName, value.size)
    else this.#container(value)
  }

  #container(value: object): void {
    if (this.#open.size >= maxDepth)
      throw new ValueError(
        `cannot save ${this.#place().slice(0, 60)}...: nested deeper than ${maxDepth} levels`,
      )
    this.#open.add(value)
    if (value instanceof Tuple) this.#tuple(value)
    else if (Array.isArray(value)) this.#list(value)
    else if (value instanceof OrderedDict || (value instanceof Map && '_metadata' in value))
      this.#orderedDict(value)
    else if (value instanceof Map) this.#dict(value, [...value])
    else if (value instanceof Set) this.#set(value)
    else if (isPlainObject(value)) this.#dict(value, Object.entries(value))
    else throw new TypeError_(`cannot save ${describeUnsupported(value)}, at ${this.#place()}`)
    this.#open.delete(value)
  }

  #at(step: string, value: unknown): void {
    this.#path.push(step)
    this.#save(value)
    this.#path.pop()
  }

  /** Gives the value just written a number. Every call writes one, as Python does. */
  #put(value: unknown): void {
    const index = this.#memoized++
    if (value !== null) this.#memo.set(value, index)
    this.#writePut(index)
  }

  #writePut(index: number): void {
    if (index < 256) {
      this.#out.uint8(op.BINPUT)
      this.#out.uint8(index)
    } else {
      this.#out.uint8(op.LONG_BINPUT)
      this.#out.uint32(index)
    }
  }

  #get(index: number): void {
    if (index < 256) {
      this.#out.uint8(op.BINGET)
      this.#out.uint8(index)
    } else {
      this.#out.uint8(op.LONG_BINGET)
      this.#out.uint32(index)
    }
  }

  /** Whole numbers are ints. Beyond 2^53 a number cannot have been one, as larger ints are bigints, nor can -0. */
  #number(value: number): void {
    if (Number.isInteger(value) && Math.abs(value) <= 2 ** 53 && !Object.is(value, -0)) {
      this.#integer(value)
      return
    }
    this.#out.uint8(op.BINFLOAT)
    this.#out.float64(value)
  }

  #integer(value: number | bigint): void {
    if (value < -(2 ** 31) || value >= 2 ** 31) this.#long(BigInt(value))
    else if (value >= 0 && value < 256) {
      this.#out.uint8(op.BININT1)
      this.#out.uint8(Number(value))
    } else if (value >= 0 && value < 65536) {
      this.#out.uint8(op.BININT2)
      this.#out.uint16(Number(value))
    } else {
      this.#out.uint8(op.BININT)
      this.#out.int32(Number(value))
    }
  }

  #long(value: bigint): void {
    const digits = (value < 0n ? ~value : value).toString(16)
    const bits = 4 * (digits.length - 1) + (32 - Math.clz32(Number.parseInt(digits[0], 16)))
    const length = (bits >> 3) + 1
    const hex = BigInt.asUintN(8 * length, value)
      .toString(16)
      .padStart(2 * length, '0')
    if (length < 256) {
      this.#out.uint8(op.LONG1)
      this.#out.uint8(length)
    } else {
      this.#out.uint8(op.LONG4)
      this.#out.int32(length)
    }
    for (let i = length - 1; i >= 0; i--) this.#out.uint8(Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16))
  }

  #string(value: string): void {
    const known = this.#memo.get(value)
    if (known !== undefined) {
      this.#get(known)
      return
    }
    this.#unicode(encodeText(value))
    this.#put(value)
  }

  #unicode(utf8: Uint8Array): void {
    this.#out.uint8(op.BINUNICODE)
    this.#out.uint32(utf8.length)
    this.#out.append(utf8)
  }

  #global(module: string, name: string): void {
    const fullName = `${module}.${name}`
    const known = this.#globals.get(fullName)
    if (known !== undefined) {
      this.#get(known)
      return
    }
    this.#out.uint8(op.GLOBAL)
    this.#out.ascii(`${module}\n${name}\n`)
    this.#globals.set(fullName, this.#memoized)
    this.#put(null)
  }

  /** Closes a tuple whose items are written; `mark` was written before them where there are more than three. */
  #closeTuple(length: number): void {
    if (length === 0) this.#out.uint8(op.EMPTY_TUPLE)
    else this.#out.uint8([op.TUPLE1, op.TUPLE2, op.TUPLE3][length - 1] ?? op.TUPLE)
  }

  #tuple(value: Tuple): void {
    if (value.length > 3) this.#out.uint8(op.MARK)
    for (let i = 0; i < value.length; i++) this.#at(`[${i}]`, value[i])
    this.#closeTuple(value.length)
    if (value.length > 0) this.#put(value)
  }

  /** A tuple of ints that is no object of the caller's. */
  #integers(values: readonly number[]): void {
    if (values.length > 3) this.#out.uint8(op.MARK)
    for (const value of values) this.#integer(value)
    this.#closeTuple(values.length)
    if (values.length > 0) this.#put(null)
  }

  #list(value: readonly unknown[]): void {
    this.#out.uint8(op.EMPTY_LIST)
    this.#put(value)
    this.#appendAll(value, true)
  }

  #appendAll(items: readonly unknown[], named: boolean): void {
    for (let start = 0; start < items.length; start += batchSize) {
      if (items.length > 1) this.#out.uint8(op.MARK)
      const end = Math.min(start + batchSize, items.length)
      for (let i = start; i < end; i++) this.#at(named ? `[${i}]` : '{item}', items[i])
      this.#out.uint8(items.length > 1 ? op.APPENDS : op.APPEND)
    }
  }

  #dict(value: object, entries: readonly (readonly [unknown, unknown])[]): void {
    this.#out.uint8(op.EMPTY_DICT)
    this.#put(value)
    for (let start = 0; start < entries.length; start += batchSize) {
      if (entries.length > 1) this.#out.uint8(op.MARK)
      this.#entries(entries.slice(start, start + batchSize))
      this.#out.uint8(entries.length > 1 ? op.SETITEMS : op.SETITEM)
    }
  }

  #entries(entries: readonly (readonly [unknown, unknown])[]): void {
    for (const [key, value] of entries) {
      this.#checkKey(key)
      const step = `[${pyRepr(key)}]`
      this.#at(step, key)
      this.#at(step, value)
    }
  }

  #checkKey(key: unknown): void {
    const isUnhashable =
      (Array.isArray(key) && !(key instanceof Tuple || key instanceof Size)) ||
      key instanceof Map ||
      (key instanceof Set && !(key instanceof FrozenSet)) ||
      (typeof key === 'object' && key !== null && isPlainObject(key))
    if (isUnhashable)
      throw new TypeError_(
        `cannot save ${this.#place()}: its key ${pyRepr(key).slice(0, 80)} is no possible key of a Python dict (unhashable; a Tuple would be one)`,
      )
  }

  #orderedDict(value: Map<unknown, unknown>): void {
    this.#emptyOrderedDict()
    this.#put(value)
    const entries = [...value]
    for (let start = 0; start < entries.length; start += batchSize) {
      const batch = entries.slice(start, start + batchSize)
      if (batch.length > 1) this.#out.uint8(op.MARK)
      this.#entries(batch)
      this.#out.uint8(batch.length > 1 ? op.SETITEMS : op.SETITEM)
    }
    const metadata = (value as OrderedDict)._metadata
    if (metadata === undefined || metadata === null) return
    // The state of the object: {'_metadata': OrderedDict}.
    this.#out.uint8(op.EMPTY_DICT)
    this.#put(null)
    this.#string('_metadata')
    this.#at('._metadata', metadata instanceof Map ? new OrderedDict(metadata) : metadata)
    this.#out.uint8(op.SETITEM)
    this.#out.uint8(op.BUILD)
  }

  #emptyOrderedDict(): void {
    this.#global('collections', 'OrderedDict')
    this.#out.uint8(op.EMPTY_TUPLE)
    this.#out.uint8(op.REDUCE)
  }

  #set(value: ReadonlySet<unknown>): void {
    this.#global('__builtin__', value instanceof FrozenSet ? 'frozenset' : 'set')
    this.#out.uint8(op.EMPTY_LIST)
    this.#put(null)
    for (const item of value) this.#checkKey(item)
    this.#appendAll([...value], false)
    this.#out.uint8(op.TUPLE1)
    this.#put(null)
    this.#out.uint8(op.REDUCE)
    this.#put(value)
  }

  /** Protocol 2 has no bytes: they are a string of the characters 0 to 255, encoded in latin1. */
  #bytes(value: Uint8Array): void {
    if (value.length === 0) {
      this.#global('__builtin__', 'bytes')
      this.#out.uint8(op.EMPTY_TUPLE)
    } else {
      this.#global('_codecs', 'encode')
      this.#unicode(latin1AsUtf8(value))
      this.#put(null)
      this.#string('latin1')
      this.#out.uint8(op.TUPLE2)
      this.#put(null)
    }
    this.#out.uint8(op.REDUCE)
    this.#put(value)
  }

  #complex(value: Complex): void {
    this.#global('__builtin__', 'complex')
    for (const part of [value.re, value.im]) {
      this.#out.uint8(op.BINFLOAT)
      this.#out.float64(part)
    }
    this.#out.uint8(op.TUPLE2)
    this.#put(null)
    this.#out.uint8(op.REDUCE)
    this.#put(value)
  }

  #size(value: Size): void {
    this.#global('torch', 'Size')
    this.#integers(value)
    this.#out.uint8(op.TUPLE1)
    this.#put(null)
    this.#out.uint8(op.REDUCE)
    this.#put(value)
  }

  #device(value: Device): void {
    this.#global('torch', 'device')
    this.#string(value.type)
    if (value.index !== null) this.#integer(value.index)
    this.#closeTuple(value.index === null ? 1 : 2)
    this.#put(null)
    this.#out.uint8(op.REDUCE)
    this.#put(value)
  }

  #parameter(value: object, description: TensorDescription): void {
    this.#global('torch._utils', '_rebuild_parameter')
    // Its data is a tensor of its own, which never requires gradients.
    this.#tensor(null, { ...description, requiresGrad: false })
    this.#save(description.requiresGrad)
    this.#emptyOrderedDict()
    this.#put(null)
    this.#out.uint8(op.TUPLE3)
    this.#put(null)
    this.#out.uint8(op.REDUCE)
    this.#put(value)
  }

  #tensor(value: object | null, tensor: TensorDescription): void {
    this.#global('torch._utils', '_rebuild_tensor_v2')
    this.#out.uint8(op.MARK)
    this.#storage(tensor.storage, tensor.dtype.name, Math.floor(tensor.storageNbytes / tensor.dtype.itemsize))
    this.#integer(tensor.offset)
    this.#integers(tensor.sizes)
    this.#integers(tensor.strides)
    this.#save(tensor.requiresGrad)
    this.#emptyOrderedDict()
    this.#put(null)
    this.#out.uint8(op.TUPLE)
    this.#put(null)
    this.#out.uint8(op.REDUCE)
    this.#put(value)
  }

  /** The persistent id ('storage', class, key, location, elements). */
  #storage(storage: object, dtypeName: string, size: number): void {
    let entry = this.#storages.get(storage)
    if (entry === undefined) {
      entry = { key: String(this.#storages.size), dtypeName }
      this.#storages.set(storage, entry)
    } else if (entry.dtypeName !== dtypeName)
      throw new RuntimeError(
        `Cannot save multiple tensors or storages that view the same data as different types (${entry.dtypeName} and ${dtypeName}, at ${this.#place()})`,
      )
    this.#out.uint8(op.MARK)
    this.#string('storage')
    this.#global('torch', storageClassOf(dtypeName))
    this.#string(entry.key)
    this.#string('cpu')
    this.#integer(size)
    this.#out.uint8(op.TUPLE)
    this.#put(null)
    this.#out.uint8(op.BINPERSID)
  }
}

function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

/** Names a value that cannot be saved, and what to save instead. */
function describeUnsupported(value: object): string {
  const name = value.constructor?.name ?? 'object'
  if ('stateDict' in value && typeof value.stateDict === 'function')
    return `an object of class ${name}: save what its stateDict() returns`
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
    return `a ${name}: make it a tensor (torch.tensor), or a Uint8Array, which is saved as bytes`
  if (value instanceof Date) return 'a Date: save its toISOString() or getTime()'
  return `an object of class ${name}: only tensors, plain objects, Map, Set, arrays, numbers, strings, booleans, bytes and null can be saved`
}

function latin1AsUtf8(bytes: Uint8Array): Uint8Array {
  let length = bytes.length
  for (const byte of bytes) if (byte >= 0x80) length++
  const result = new Uint8Array(length)
  let i = 0
  for (const byte of bytes)
    if (byte < 0x80) result[i++] = byte
    else {
      result[i++] = 0xc0 | (byte >> 6)
      result[i++] = 0x80 | (byte & 0x3f)
    }
  return result
}
