// Buffers for allocations: freed ones are kept for later allocations of about the same size, up to a budget.

import { usage } from './device.ts'

/** A GPU buffer with a number that tells it from all others. */
export interface PooledBuffer {
  readonly buffer: GPUBuffer
  readonly id: number
  readonly size: number
  /** The batch of commands that used it last. */
  batch: number
}

/** Sizes are rounded up to quarters of powers of two, at least 256 bytes, so that freed buffers fit others. */
export function sizeClass(nbytes: number): number {
  if (nbytes <= 256) return 256
  const step = 2 ** Math.max(6, Math.floor(Math.log2(nbytes - 1)) - 2)
  return Math.ceil(nbytes / step) * step
}

export class BufferPool {
  /** Bytes of buffers in use. */
  used = 0
  /** Bytes of buffers kept for later. */
  kept = 0
  /** Buffers are destroyed rather than kept beyond so many bytes. */
  budget: number = 256 * 2 ** 20
  /** Buffers made so far. */
  made = 0
  private readonly free = new Map<number, PooledBuffer[]>()

  /** Told when buffers are destroyed, so that nothing refers to them any more. */
  constructor(private readonly destroyed: () => void) {}

  /** A buffer with unspecified contents; `untouchedBy` is a batch that must not have used it. */
  take(device: GPUDevice, nbytes: number, untouchedBy = -1): PooledBuffer {
    const size = sizeClass(nbytes)
    const list = this.free.get(size)
    if (list !== undefined)
      for (let i = list.length - 1; i >= 0; i--)
        if (list[i].batch !== untouchedBy) {
          const [found] = list.splice(i, 1)
          this.kept -= size
          this.used += size
          return found
        }
    const buffer = device.createBuffer({
      size,
      usage: usage.storage | usage.copySource | usage.copyDestination,
    })
    this.used += size
    return { buffer, id: ++this.made, size, batch: -1 }
  }

  give(buffer: PooledBuffer): void {
    this.used -= buffer.size
    if (this.kept + buffer.size > this.budget) {
      buffer.buffer.destroy()
      this.destroyed()
      return
    }
    this.kept += buffer.size
    const list = this.free.get(buffer.size)
    if (list === undefined) this.free.set(buffer.size, [buffer])
    else list.push(buffer)
  }

  /** Destroys all buffers that are not in use. */
  empty(): void {
    for (const list of this.free.values()) for (const { buffer } of list) buffer.destroy()
    this.free.clear()
    this.kept = 0
    this.destroyed()
  }

  /** Forgets everything, after the device was lost. */
  reset(): void {
    this.free.clear()
    this.kept = 0
    this.used = 0
  }
}
