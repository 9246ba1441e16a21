// What tensors hold of device memory: allocations, known before the part that gives them buffers (engine.ts) is loaded.

import type { Allocation } from '../backend.ts'
import { lostCount } from './device.ts'
import type { PooledBuffer } from './pool.ts'

/** Bytes written by JavaScript are kept, so that indices can be checked without waiting, up to so many. */
const MOST_KNOWN = 4 * 2 ** 20

/** Device memory: a place in the order of commands. It gets a buffer when the first command that uses it is encoded. */
export class Memory {
  buffer: PooledBuffer | null = null
  /** The bytes as JavaScript wrote them, as long as no kernel has written to them since. */
  host: Uint8Array | null = null
  /** No longer in use: a command that frees it is on its way. */
  freed = false
  readonly nbytes: number
  /** How many devices had been lost when it was made. */
  readonly era: number = lostCount()

  constructor(nbytes: number) {
    this.nbytes = nbytes
  }

  /** JavaScript writes all bytes: they are kept where they are few. */
  wrote(bytes: Uint8Array): void {
    this.host = bytes.byteLength > MOST_KNOWN ? null : bytes
  }
}

/** What the library holds. Once it is collected, its memory is free; memory may outlive it, commands may not. */
export class GpuAllocation implements Allocation {
  readonly nbytes: number
  readonly memory: Memory
  /** Why it must not be used any more, where its memory was given back early. */
  forgotten: string | null = null
  /** Tells the garbage collector of memory that it does not see. */
  ballast: ArrayBuffer | null = null

  constructor(nbytes: number) {
    this.nbytes = nbytes
    this.memory = new Memory(nbytes)
  }
}
