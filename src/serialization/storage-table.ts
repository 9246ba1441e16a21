// The storages of one checkpoint while it is read: each loaded once, under one dtype and size, and all given back when
// reading fails.

import type { Device } from '../core/device.ts'
import type { DType } from '../core/dtype.ts'
import { dtypeByName } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import type { Tuple } from '../core/python.ts'
import type { MapLocation } from './map-location.ts'
import { deviceFor } from './map-location.ts'
import type { TensorDescription } from './pickle-writer.ts'
import { PickleGlobal, pythonTypeName, type TensorFactory, TypedStorage } from './python-objects.ts'

/** Everything that serialization does with tensors and storages; the real one is in tensor-bridge.ts. */
export interface TensorBridge extends TensorFactory {
  /** A new storage with unspecified contents; on the CPU unless another device is named. */
  allocate(nbytes: number, device?: Device): object
  /** A new storage on the CPU that is filled when it is first used; what `fill` throws, that use throws. */
  defer(nbytes: number, fill: (target: Uint8Array) => void): object
  /** The bytes themselves, valid until the next allocation. */
  bytes(storage: object): Uint8Array
  /** Copies bytes into a storage of any device, from its beginning on. */
  write(storage: object, bytes: Uint8Array): void
  /** Gives back the memory of a storage that nobody uses. */
  free(storage: object): void
  /** What is to be written of a tensor; null for everything else. */
  describe(value: object): TensorDescription | null
}

/** What a persistent id asks for. */
export interface StorageRequest {
  readonly key: string
  readonly dtypeName: string
  readonly itemsize: number
  readonly dtype: DType | null
  /** The number of elements. */
  readonly size: number
  readonly nbytes: number
}

/** The storages by their keys. */
export class StorageTable {
  readonly #storages = new Map<string, TypedStorage>()
  readonly #copies: object[] = []
  readonly #bridge: TensorBridge
  readonly #mapLocation: MapLocation | undefined
  readonly #deferred: boolean

  /** With `deferred` the contents of storages are read when they are first used. */
  constructor(bridge: TensorBridge, mapLocation: MapLocation | undefined, deferred = false) {
    this.#bridge = bridge
    this.#mapLocation = mapLocation
    this.#deferred = deferred
  }

  /**
   * The storage that a persistent id ('storage', class, key, location, elements) names. The first time, `prepare`
   * checks that there can be so many bytes; memory is allocated after that, and `fill` fills it.
   */
  load(
    id: Tuple,
    prepare: (request: StorageRequest) => void,
    fill: ((request: StorageRequest, target: Uint8Array) => void) | null,
  ): TypedStorage {
    const request = parsePersistentId(id)
    const known = this.#storages.get(request.key)
    if (known !== undefined) {
      if (known.dtypeName !== request.dtypeName || known.size !== request.size)
        throw new Error(
          `storage '${request.key}' was ${known.size} elements of ${known.dtypeName} before, and is ${request.size} of ${request.dtypeName} now`,
        )
      return known
    }
    const device = deviceFor(this.#mapLocation, String(id[3]))
    prepare(request)
    const { key, dtypeName, itemsize, size, dtype } = request
    const make = (storage: object) =>
      this.#storages.set(key, new TypedStorage(storage, dtypeName, itemsize, size, dtype))
    if (device.type !== 'cpu') {
      const storage = this.#bridge.allocate(request.nbytes, device)
      make(storage)
      // On meta nothing is kept, so nothing is read.
      if (fill === null || device.type === 'meta') return this.#storages.get(key)!
      const bytes = new Uint8Array(request.nbytes)
      fill(request, bytes)
      this.#bridge.write(storage, bytes)
    } else if (this.#deferred && fill !== null)
      make(this.#bridge.defer(request.nbytes, (target) => fill(request, target)))
    else {
      const storage = this.#bridge.allocate(request.nbytes)
      make(storage)
      if (fill !== null) fill(request, this.#bridge.bytes(storage))
    }
    return this.#storages.get(key)!
  }

  /** A new storage with a copy of bytes that are no storage of the file, but stand in its pickle. */
  copy(bytes: Uint8Array): object {
    const storage = this.#bridge.allocate(bytes.length)
    this.#copies.push(storage)
    this.#bridge.bytes(storage).set(bytes)
    return storage
  }

  get(key: string): TypedStorage | undefined {
    return this.#storages.get(key)
  }

  get keys(): readonly string[] {
    return [...this.#storages.keys()]
  }

  /** Gives all memory back after a failure: what was built on it never leaves the reader. */
  free(): void {
    for (const { storage } of this.#storages.values()) this.#bridge.free(storage)
    for (const storage of this.#copies) this.#bridge.free(storage)
  }
}

function parsePersistentId(id: Tuple): StorageRequest {
  if (id.length !== 5 && id.length !== 6)
    throw new Error(`a persistent id should have 5 parts, but has ${id.length}`)
  const [, storageClass, key, location, size, view] = id
  if (!(storageClass instanceof PickleGlobal) || storageClass.storageType === null)
    throw new Error(
      `expected a storage class, but got ${storageClass instanceof PickleGlobal ? storageClass.fullName : pythonTypeName(storageClass)}`,
    )
  if (typeof key !== 'string')
    throw new Error(`the key of a storage must be str, but is ${pythonTypeName(key)}`)
  if (typeof location !== 'string')
    throw new Error(`the location of a storage must be str, but is ${pythonTypeName(location)}`)
  if (view !== undefined && view !== null)
    throw new Error('storages that are views of others are not supported')
  if (!Number.isSafeInteger(size) || (size as number) < 0)
    throw new Error(
      `a storage cannot have ${typeof size === 'bigint' ? size : pythonTypeName(size)} ${typeof size === 'number' ? size : ''} elements`,
    )
  const { dtypeName, itemsize } = storageClass.storageType
  const nbytes = (size as number) * itemsize
  if (!Number.isSafeInteger(nbytes)) throw new RuntimeError(`a storage cannot have ${nbytes} bytes`)
  return { key, dtypeName, itemsize, dtype: dtypeByName(dtypeName) ?? null, size: size as number, nbytes }
}
