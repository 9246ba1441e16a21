// The unpickler: a stack machine for pickle protocols 2 to 5 that knows values, containers and the names in
// pickle-globals.ts. It never calls itself, and what it does and allocates stays in proportion to the pickle's bytes.

import { TorchError } from '../core/errors.ts'
import { Tuple } from '../core/python.ts'
import { Size } from '../core/shape.ts'
import { UnpicklingError } from './errors.ts'
import { PickleCursor } from './pickle-cursor.ts'
import { type ExtraGlobals, findGlobal } from './pickle-globals.ts'
import { op, opcodeName } from './pickle-opcodes.ts'
import {
  BuildableObject,
  FrozenSet,
  OrderedDict,
  PickleGlobal,
  pythonTypeName,
  type TensorFactory,
  type UnpicklingContext,
} from './python-objects.ts'

// One byte of a pickle can make an object of 200: absolute bounds keep a large hostile file from filling the heap, which
// no catch could stop. A checkpoint of 100,000 tensors has half a million containers.
const maxContainers = 5_000_000
const maxStack = 16_000_000

/** What an unpickler needs of its surroundings. */
export interface UnpicklerOptions {
  /** What messages call the pickle: `mlp.pt: data.pkl`. */
  readonly name: string
  readonly tensors: TensorFactory
  /** Turns a persistent id, a tuple that begins with 'storage', into a TypedStorage. Throws plain Errors. */
  persistentLoad(id: Tuple): unknown
  /** A new storage with a copy of bytes that stand in the pickle itself. */
  copyToStorage(bytes: Uint8Array): object
  /** Where in the bytes the pickle begins. */
  readonly start?: number
  /** What names may be used besides those in pickle-globals.ts. */
  readonly extraGlobals?: ExtraGlobals
}

/** The object of a pickle, and where in the bytes the pickle ends. Throws UnpicklingError for whatever is wrong. */
export function unpickle(bytes: Uint8Array, options: UnpicklerOptions): { value: unknown; end: number } {
  const machine = new Unpickler(bytes, options)
  const value = machine.run()
  return { value, end: machine.position }
}

/**
 * A float such as 2.0 on the stack. It becomes a plain number in whatever takes it up, and tuples remember that they
 * did: sizes and counts must not be floats.
 */
class WholeFloat {
  constructor(readonly value: number) {}
}

function plain(value: unknown): unknown {
  return value instanceof WholeFloat ? value.value : value
}

class Unpickler implements UnpicklingContext {
  readonly tensors: TensorFactory
  readonly #cursor: PickleCursor
  readonly #options: UnpicklerOptions
  readonly #stack: unknown[] = []
  /** Heights of the stack at open marks; what lies below the last one is out of reach. */
  readonly #marks: number[] = []
  readonly #memo = new Map<number, unknown>()
  /** Tuples known to hold nothing unhashable, so that shared ones are not walked again and again. */
  readonly #hashable = new WeakSet<object>()
  readonly #memoOfBuildable = new WeakMap<BuildableObject, number>()
  readonly #tuplesWithFloats = new WeakSet<object>()
  /** Keys of dicts whose values are whole floats. */
  readonly #floatKeys = new WeakMap<object, Set<unknown>>()
  #containers = 0
  #work: number
  #opcode = 0
  #opcodePosition = 0

  constructor(bytes: Uint8Array, options: UnpicklerOptions) {
    this.#options = options
    this.tensors = options.tensors
    this.#cursor = new PickleCursor(bytes, options.start)
    this.#work = 4 * bytes.length + 100_000
  }

  get position(): number {
    return this.#cursor.position
  }

  run(): unknown {
    try {
      do {
        this.#opcodePosition = this.#cursor.position
        this.#opcode = this.#cursor.uint8()
      } while (this.#step(this.#opcode))
      return plain(this.#pop())
    } catch (error) {
      throw this.#inContext(error)
    }
  }

  spend(work: number): void {
    this.#work -= work
    if (this.#work < 0) throw new Error('the pickle asks for far more work than its size explains')
  }

  checkHashable(value: unknown): void {
    if (value === null || typeof value !== 'object') return
    const open: unknown[] = [value]
    while (open.length > 0) {
      const item = open.pop()
      if (item === null || typeof item !== 'object' || this.#hashable.has(item)) continue
      if (item instanceof Tuple) {
        this.#hashable.add(item)
        for (const inner of item) open.push(inner)
      } else if (!(item instanceof Size || item instanceof FrozenSet) && isContainer(item))
        throw new Error(`unhashable type: '${pythonTypeName(item)}'`)
    }
  }

  hasWholeFloats(tuple: unknown): boolean {
    return this.#tuplesWithFloats.has(tuple as object)
  }

  isWholeFloat(dict: object, key: unknown): boolean {
    return this.#floatKeys.get(dict)?.has(key) === true
  }

  copyToStorage(bytes: Uint8Array): object {
    return this.#options.copyToStorage(bytes)
  }

  #inContext(error: unknown): unknown {
    if (error instanceof UnpicklingError || !(error instanceof Error)) return error
    // RangeErrors are V8's word for a Map, an array or a bigint that has outgrown it.
    const isOurs = error instanceof TorchError || error.constructor === Error || error instanceof RangeError
    if (!isOurs) return error
    const where = `${this.#options.name}, byte ${this.#opcodePosition} (${opcodeName(this.#opcode)})`
    return new UnpicklingError(`${where}: ${error.message}`, { cause: error })
  }

  #push(value: unknown): void {
    if (this.#stack.length >= maxStack) throw new Error('the pickle holds too many values at once')
    this.#stack.push(value)
  }

  /** Pushes a new list, tuple, dict or set. */
  #pushContainer(value: object): void {
    if (++this.#containers > maxContainers)
      throw new Error(`the pickle holds more than ${maxContainers} containers`)
    this.#push(value)
  }

  get #base(): number {
    return this.#marks.length === 0 ? 0 : this.#marks[this.#marks.length - 1]
  }

  #pop(): unknown {
    if (this.#stack.length <= this.#base) throw new Error('the stack is empty')
    return this.#stack.pop()
  }

  #top(): unknown {
    if (this.#stack.length <= this.#base) throw new Error('the stack is empty')
    return this.#stack[this.#stack.length - 1]
  }

  /** Everything above the last mark, which is closed. */
  #popMark(): unknown[] {
    const mark = this.#marks.pop()
    if (mark === undefined) throw new Error('there is no open mark')
    return this.#stack.splice(mark)
  }

  #tuple(items: readonly unknown[]): void {
    const tuple = new Tuple()
    for (const item of items) {
      tuple.push(plain(item))
      if (item instanceof WholeFloat) this.#tuplesWithFloats.add(tuple)
    }
    this.#pushContainer(tuple)
  }

  #shortTuple(length: 1 | 2 | 3): void {
    if (this.#stack.length - this.#base < length) throw new Error('the stack is empty')
    this.#tuple(this.#stack.splice(this.#stack.length - length))
  }

  #memoize(index: number): void {
    const value = this.#top()
    this.#memo.set(index, value)
    if (value instanceof BuildableObject) this.#memoOfBuildable.set(value, index)
  }

  #recall(index: number): void {
    const value = this.#memo.get(index)
    if (value === undefined && !this.#memo.has(index)) throw new Error(`memo ${index} was never set`)
    this.#push(value)
  }

  /** Executes one opcode; false at STOP. */
  #step(code: number): boolean {
    const cursor = this.#cursor
    switch (code) {
      case op.PROTO:
        this.#protocol(cursor.uint8())
        break
      case op.FRAME:
        // Frames only help those who read from a stream.
        cursor.length64()
        break
      case op.STOP:
        return false
      case op.MARK:
        if (this.#marks.length >= maxStack) throw new Error('the pickle has too many open marks')
        this.#marks.push(this.#stack.length)
        break
      case op.POP:
        if (this.#stack.length > this.#base) this.#pop()
        else this.#popMark()
        break
      case op.POP_MARK:
        this.#popMark()
        break
      case op.NONE:
        this.#push(null)
        break
      case op.NEWTRUE:
        this.#push(true)
        break
      case op.NEWFALSE:
        this.#push(false)
        break
      case op.BININT:
        this.#push(cursor.int32())
        break
      case op.BININT1:
        this.#push(cursor.uint8())
        break
      case op.BININT2:
        this.#push(cursor.uint16())
        break
      case op.LONG1:
        this.#push(cursor.long(cursor.uint8()))
        break
      case op.LONG4:
        this.#push(cursor.long(cursor.int32()))
        break
      case op.BINFLOAT:
        this.#float(cursor.float64())
        break
      case op.BINUNICODE:
      case op.BINSTRING:
        this.#push(cursor.text(cursor.uint32()))
        break
      case op.SHORT_BINUNICODE:
      case op.SHORT_BINSTRING:
        this.#push(cursor.text(cursor.uint8()))
        break
      case op.BINUNICODE8:
        this.#push(cursor.text(cursor.length64()))
        break
      case op.BINBYTES:
        this.#pushContainer(cursor.bytes(cursor.uint32()).slice())
        break
      case op.SHORT_BINBYTES:
        this.#pushContainer(cursor.bytes(cursor.uint8()).slice())
        break
      case op.BINBYTES8:
      case op.BYTEARRAY8:
        this.#pushContainer(cursor.bytes(cursor.length64()).slice())
        break
      case op.EMPTY_TUPLE:
        this.#tuple([])
        break
      case op.TUPLE1:
        this.#shortTuple(1)
        break
      case op.TUPLE2:
        this.#shortTuple(2)
        break
      case op.TUPLE3:
        this.#shortTuple(3)
        break
      case op.TUPLE:
        this.#tuple(this.#popMark())
        break
      case op.EMPTY_LIST:
        this.#pushContainer([])
        break
      case op.EMPTY_DICT:
        this.#pushContainer(new Map())
        break
      case op.EMPTY_SET:
        this.#pushContainer(new Set())
        break
      case op.FROZENSET:
        this.#frozenSet(this.#popMark())
        break
      case op.APPEND:
        this.#append([this.#pop()])
        break
      case op.APPENDS:
        this.#append(this.#popMark())
        break
      case op.SETITEM: {
        const value = this.#pop()
        this.#setItems([this.#pop(), value])
        break
      }
      case op.SETITEMS:
        this.#setItems(this.#popMark())
        break
      case op.ADDITEMS:
        this.#addItems(this.#popMark())
        break
      case op.BINGET:
        this.#recall(cursor.uint8())
        break
      case op.LONG_BINGET:
        this.#recall(cursor.uint32())
        break
      case op.BINPUT:
        this.#memoize(cursor.uint8())
        break
      case op.LONG_BINPUT:
        this.#memoize(cursor.uint32())
        break
      case op.MEMOIZE:
        this.#memoize(this.#memo.size)
        break
      case op.GLOBAL: {
        const moduleName = cursor.line()
        this.#push(findGlobal(moduleName, cursor.line(), this.#options.extraGlobals))
        break
      }
      case op.STACK_GLOBAL:
        this.#stackGlobal()
        break
      case op.REDUCE: {
        const args = this.#pop()
        this.#call(this.#pop(), args)
        break
      }
      case op.NEWOBJ: {
        const args = this.#pop()
        this.#newObject(this.#pop(), args)
        break
      }
      case op.NEWOBJ_EX:
        this.#newObjectWithKeywords()
        break
      case op.BUILD: {
        const state = this.#pop()
        this.#build(this.#top(), state)
        break
      }
      case op.BINPERSID:
        this.#persistent(this.#pop())
        break
      default:
        throw new Error(
          `Unsupported operand ${code}: pickle protocols 2 to 5 as torch.save writes them have no ${opcodeName(code)}`,
        )
    }
    return true
  }

  #float(value: number): void {
    this.#push(Number.isInteger(value) ? new WholeFloat(value) : value)
  }

  #protocol(version: number): void {
    if (version < 2 || version > 5)
      throw new Error(`pickle protocol ${version} is not supported, only 2 to 5 are`)
  }

  #append(items: readonly unknown[]): void {
    const list = this.#top()
    if (!Array.isArray(list) || list instanceof Tuple || list instanceof Size)
      throw new Error(`Can only append to lists, but got ${pythonTypeName(list)}`)
    for (const item of items) list.push(plain(item))
  }

  #setItems(items: readonly unknown[]): void {
    const dict = this.#top()
    if (!(dict instanceof Map))
      throw new Error(`Can only set items of dict, collections.OrderedDict, but got ${pythonTypeName(dict)}`)
    if (items.length % 2 !== 0) throw new Error('a key has no value')
    for (let i = 0; i < items.length; i += 2) {
      const key = plain(items[i])
      this.checkHashable(key)
      const value = items[i + 1]
      dict.set(key, plain(value))
      if (value instanceof WholeFloat) this.#noteFloat(dict, key)
    }
  }

  #noteFloat(dict: object, key: unknown): void {
    const keys = this.#floatKeys.get(dict)
    if (keys === undefined) this.#floatKeys.set(dict, new Set([key]))
    else keys.add(key)
  }

  #addItems(items: readonly unknown[]): void {
    const set = this.#top()
    if (!(set instanceof Set) || set instanceof FrozenSet)
      throw new Error(`Can only add items to sets, but got ${pythonTypeName(set)}`)
    for (const item of items) {
      this.checkHashable(item)
      set.add(plain(item))
    }
  }

  #frozenSet(items: readonly unknown[]): void {
    items.forEach(this.checkHashable, this)
    this.#pushContainer(new FrozenSet(items.map(plain)))
  }

  #stackGlobal(): void {
    const name = this.#pop()
    const moduleName = this.#pop()
    if (typeof name !== 'string' || typeof moduleName !== 'string')
      throw new Error(
        `a global must be named by two strings, but got ${pythonTypeName(moduleName)} and ${pythonTypeName(name)}`,
      )
    this.#push(findGlobal(moduleName, name, this.#options.extraGlobals))
  }

  #call(callee: unknown, args: unknown): void {
    if (!(callee instanceof PickleGlobal))
      throw new Error(`Trying to call reduce for unrecognized function ${pythonTypeName(callee)}`)
    if (!(args instanceof Tuple))
      throw new Error(`${callee.fullName}: arguments must be a tuple, but are ${pythonTypeName(args)}`)
    let result: unknown
    try {
      result = callee.call(args, this)
    } catch (error) {
      if (!(error instanceof Error) || (error.constructor !== Error && !(error instanceof TorchError)))
        throw error
      throw new Error(`${callee.fullName}: ${error.message}`, { cause: error })
    }
    this.#pushContainer(result as object)
  }

  #newObject(cls: unknown, args: unknown): void {
    if (!(cls instanceof PickleGlobal && cls.isClass))
      throw new Error(`Can only create new objects of known classes, but got ${pythonTypeName(cls)}`)
    this.#call(cls, args)
  }

  #newObjectWithKeywords(): void {
    const keywords = this.#pop()
    const args = this.#pop()
    if (!(keywords instanceof Map) || keywords.size > 0)
      throw new Error('keyword arguments of constructors are not supported')
    this.#newObject(this.#pop(), args)
  }

  #build(target: unknown, state: unknown): void {
    if (target instanceof BuildableObject) this.#replace(target, target.build(plain(state), this))
    else if (target instanceof OrderedDict && state instanceof Map) {
      // Of an ordered dictionary's attributes only the one that PyTorch writes means anything.
      if (state.has('_metadata')) target._metadata = state.get('_metadata')
    } else
      throw new Error(
        `Can only build the state of collections.OrderedDict, but got ${pythonTypeName(target)} and a state of type ${pythonTypeName(state)}`,
      )
  }

  /** Puts what BUILD made in the place of what it was made from, on the stack and in the memo. */
  #replace(target: BuildableObject, result: object): void {
    this.#stack[this.#stack.length - 1] = result
    const index = this.#memoOfBuildable.get(target)
    if (index !== undefined && this.#memo.get(index) === target) this.#memo.set(index, result)
  }

  #persistent(id: unknown): void {
    if (!(id instanceof Tuple))
      throw new Error(`persistent_load id must be tuple, but got ${pythonTypeName(id)}`)
    // The legacy format says of each class where its source lay.
    if (id[0] === 'module' && id[1] instanceof PickleGlobal && this.#options.extraGlobals !== undefined) {
      this.#push(id[1])
      return
    }
    if (id[0] !== 'storage')
      throw new Error(
        `Only persistent_load of storage is allowed, but got ${typeof id[0] === 'string' ? `'${id[0]}'` : pythonTypeName(id[0])}`,
      )
    if (this.hasWholeFloats(id)) throw new Error('the size of a storage must be an int, but is a float')
    this.#push(this.#options.persistentLoad(id))
  }
}

function isContainer(value: object): boolean {
  return Array.isArray(value) || value instanceof Map || value instanceof Set
}
