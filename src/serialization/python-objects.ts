// Python objects that occur in checkpoints and that JavaScript lacks: ordered dictionaries with attributes, frozen sets,
// complex numbers, typed storages. (Tuples are in core/python.ts.)

import type { DType } from '../core/dtype.ts'
import { pyRepr, Tuple } from '../core/python.ts'
import { Size } from '../core/shape.ts'

/** Python's collections.OrderedDict, a Map that is saved as one; `_metadata` is what PyTorch hangs on a state dict. */
export class OrderedDict<K = unknown, V = unknown> extends Map<K, V> {
  /** Versions of the modules by prefix, as `state_dict()._metadata`; undefined where the file has none. */
  declare _metadata?: unknown

  /** `OrderedDict({'lr': 0.1})`. */
  override toString(): string {
    return this.size === 0 ? 'OrderedDict()' : `OrderedDict(${pyRepr(new Map(this))})`
  }

  repr(): string {
    return this.toString()
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

/** Python's frozenset. */
export class FrozenSet<T = unknown> extends Set<T> {
  repr(): string {
    return this.size === 0
      ? 'frozenset()'
      : `frozenset({${Array.from(this, (item) => pyRepr(item)).join(', ')}})`
  }
}

/** Python's argparse.Namespace, as a Map from the names of its attributes. */
export class Namespace extends Map<string, unknown> {
  repr(): string {
    return `Namespace(${Array.from(this, ([name, value]) => `${name}=${pyRepr(value)}`).join(', ')})`
  }

  override toString(): string {
    return this.repr()
  }
}

export { Complex } from '../core/complex.ts'

/** A storage saved by itself (`tensor.storage()`), or the one behind a tensor while it is being rebuilt. */
export class TypedStorage {
  constructor(
    /** The bytes: a `Storage`. */
    readonly storage: object,
    /** PyTorch's name of the dtype, `float32`; `uint8` for an untyped storage. */
    readonly dtypeName: string,
    /** Bytes of one element. */
    readonly itemsize: number,
    /** The number of elements. */
    readonly size: number,
    /** The dtype, or null where antorcha has none of that name. */
    readonly dtype: DType | null,
  ) {}
}

/** A name that a pickle may use: a function or class of Python that antorcha knows, never code of the file. */
export class PickleGlobal {
  constructor(
    /** The full name, `collections.OrderedDict`. */
    readonly fullName: string,
    /** What stands for a call of it. Throws plain Errors, whose texts the unpickler puts into context. */
    readonly call: (args: readonly unknown[], context: UnpicklingContext) => unknown,
    /** Whether it is a class, which NEWOBJ can make an instance of. */
    readonly isClass: boolean,
    /** For storage classes: the name of the dtype, and the bytes of one element. */
    readonly storageType: { readonly dtypeName: string; readonly itemsize: number } | null = null,
  ) {}

  repr(): string {
    return this.isClass ? `<class '${this.fullName}'>` : `<function ${this.fullName}>`
  }
}

/** What rebuilding functions may use of the unpickler that runs them. */
export interface UnpicklingContext {
  readonly tensors: TensorFactory
  /** Counts work that is not in proportion to the bytes read; throws when it is beyond reason. */
  spend(work: number): void
  /** Throws unless the value can be a key of a Python dict. */
  checkHashable(value: unknown): void
  /** Whether a tuple of the pickle has whole floats among its items, which have become numbers like ints. */
  hasWholeFloats(tuple: unknown): boolean
  /** Whether the value under a key of a dict of the pickle is a whole float, which has become a number like ints. */
  isWholeFloat(dict: object, key: unknown): boolean
  /** A new storage with a copy of bytes that stand in the pickle itself. */
  copyToStorage(bytes: Uint8Array): object
}

/** How tensors are made; the real one is in tensor-bridge.ts. */
export interface TensorFactory {
  /** `strides` and `offset` in elements, already checked against the storage. */
  tensor(
    storage: object,
    sizes: number[],
    strides: number[],
    offset: number,
    dtype: DType,
    requiresGrad: boolean,
  ): object
  parameter(tensor: object, requiresGrad: boolean): object
  isTensor(value: unknown): boolean
}

/** An object whose state comes in a BUILD after it was made; `build` gives what takes its place from there on. */
export abstract class BuildableObject {
  abstract build(state: unknown, context: UnpicklingContext): object
}

/** Python's name of the type that a value stands for, for messages. */
export function pythonTypeName(value: unknown): string {
  if (value === null || value === undefined) return 'NoneType'
  if (typeof value === 'boolean') return 'bool'
  if (typeof value === 'bigint') return 'int'
  if (typeof value === 'number') return Number.isInteger(value) && !Object.is(value, -0) ? 'int' : 'float'
  if (typeof value === 'string') return 'str'
  if (value instanceof Tuple) return 'tuple'
  if (value instanceof Size) return 'torch.Size'
  if (Array.isArray(value)) return 'list'
  if (value instanceof OrderedDict) return 'collections.OrderedDict'
  if (value instanceof Map) return 'dict'
  if (value instanceof FrozenSet) return 'frozenset'
  if (value instanceof Set) return 'set'
  if (value instanceof Uint8Array) return 'bytes'
  if (value instanceof PickleGlobal) return value.isClass ? 'type' : 'function'
  return (value as object).constructor?.name ?? 'object'
}
