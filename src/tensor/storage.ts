// A tensor's memory: bytes on a device that several tensors may share, with a count of changes made in place.

import { type Allocation, type Backend, backendFor } from '../backends/backend.ts'
import { recording } from '../backends/recording.ts'
import { cpu, type Device } from '../core/device.ts'
import { NotImplementedError, RuntimeError } from '../core/errors.ts'

/** A tensor's memory: `nbytes` bytes on a device, which several tensors may share. */
export class Storage {
  readonly device: Device
  readonly nbytes: number
  /** Counts changes in place, by whichever tensor; autograd compares it with what it was when a tensor was saved. */
  version = 0
  /** How many storages were made so far. */
  static created = 0
  /** Storages are numbered as they are made. */
  readonly id: number = ++Storage.created
  private readonly backend: Backend | null
  private memory: Allocation | null
  /** Writes the contents, once they are asked for; null where they are in memory. */
  private fill: ((target: Uint8Array) => void) | null = null

  private constructor(device: Device, nbytes: number, backend: Backend | null, memory: Allocation | null) {
    this.device = device
    this.nbytes = nbytes
    this.backend = backend
    this.memory = memory
  }

  /** Memory with unspecified contents (none at all on `meta`). Throws OutOfMemoryError. */
  static allocate(nbytes: number, device: Device = cpu): Storage {
    if (device.type === 'meta') return new Storage(device, nbytes, null, null)
    const backend = backendFor(device.type)
    const storage = new Storage(device, nbytes, backend, backend.allocate(nbytes))
    Storage.made?.push(storage)
    return storage
  }

  /**
   * CPU memory that is allocated when it is first used, and then filled by `fill`. What `fill` throws, that first use
   * throws, and so does every later one that fails again.
   */
  static deferred(nbytes: number, fill: (target: Uint8Array) => void): Storage {
    const storage = new Storage(cpu, nbytes, backendFor('cpu'), null)
    storage.fill = fill
    Storage.made?.push(storage)
    return storage
  }

  /** While not null, collects every storage that is made: for code that knows which of them outlive it. */
  static made: Storage[] | null = null

  /** CPU memory with a copy of these bytes. */
  static fromBytes(bytes: Uint8Array): Storage {
    const storage = Storage.allocate(bytes.byteLength)
    storage.bytes().set(bytes)
    return storage
  }

  /** The device's handle of the memory. Throws for tensors without data. */
  get allocation(): Allocation {
    if (this.memory === null) this.memory = this.fillMemory()
    if (recording.recorder !== null) recording.recorder.used(this)
    return this.memory
  }

  private fillMemory(): Allocation {
    const { backend, fill } = this
    if (fill === null || backend?.bytes === undefined)
      throw new NotImplementedError(
        this.device.type === 'meta' ? 'Cannot copy out of meta tensor; no data!' : 'the storage was freed',
      )
    const memory = backend.allocate(this.nbytes)
    try {
      fill(backend.bytes(memory))
    } catch (error) {
      backend.free(memory)
      throw error
    }
    this.fill = null
    return memory
  }

  /** Whether values can be read only by awaiting them. */
  get isAsynchronous(): boolean {
    return this.backend !== null && this.backend.bytes === undefined
  }

  /** The bytes themselves, valid until the next allocation. Throws where the device cannot be read synchronously. */
  bytes(): Uint8Array {
    const { allocation } = this
    if (this.backend?.bytes === undefined) throw this.unreadable()
    return this.backend.bytes(allocation)
  }

  /**
   * The bytes, to be read only: on a device that cannot be read synchronously those that JavaScript wrote, as long as no
   * kernel has changed them. Throws where they are not known.
   */
  hostBytes(): Uint8Array {
    if (!this.isAsynchronous) return this.bytes()
    const known = this.knownBytes()
    if (known === null) throw this.unreadable()
    return known
  }

  /** As `hostBytes`, or null where they are not known. */
  knownBytes(): Uint8Array | null {
    const { allocation } = this
    return this.backend?.known === undefined ? this.bytes() : this.backend.known(allocation)
  }

  /** Writes bytes from byte `offset` on. They are copied. */
  write(bytes: Uint8Array, offset = 0): void {
    const { allocation } = this
    if (this.backend?.write === undefined) this.bytes().set(bytes, offset)
    else this.backend.write(allocation, bytes, offset)
  }

  /** A copy of some bytes, on every device. */
  async read(offset: number, nbytes: number): Promise<Uint8Array> {
    const { allocation } = this
    return this.backend?.read === undefined
      ? this.bytes().slice(offset, offset + nbytes)
      : this.backend.read(allocation, offset, nbytes)
  }

  private unreadable(): RuntimeError {
    return new RuntimeError(
      `a tensor on '${this.device}' cannot be read synchronously; use await x.cpu(), x.itemAsync(), x.tolistAsync() or x.dataAsync()`,
    )
  }

  /** Gives the memory back at once. Only for memory that nothing else can reach. */
  free(): void {
    this.fill = null
    // A graph that is being captured may still use it.
    if (this.memory === null || this.backend === null || recording.recorder !== null) return
    this.backend.free(this.memory)
    this.memory = null
  }
}
