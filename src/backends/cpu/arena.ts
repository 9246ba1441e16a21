// The CPU's memory: one WebAssembly memory, an allocator in it, and the ladder that reclaims it without dispose().
// Known-dead memory is freed at once; the rest when the garbage collector says so, or by evacuation under pressure.

import { OutOfMemoryError } from '../../core/errors.ts'
import type { Allocation } from '../backend.ts'

const PAGE = 65536
const MAXIMUM_PAGES = 65536
/** The first bytes hold launch parameters. */
const RESERVED = PAGE
/** Allocations up to this size share slabs. */
const SMALL = 2048
const SLAB = 65536
const MB = 1024 * 1024

/**
 * A stretch of the arena that moves as one. While it lies in the arena, the arena holds it; once evacuated to
 * `buffer`, only the allocations in it do, so that V8 collects buffer and block together when they are dead.
 */
class Block {
  /** Byte offset in the arena, or -1 when evacuated. */
  pointer: number
  readonly size: number
  buffer: ArrayBuffer | null = null
  /** The launch that last used it. */
  lastUse = 0
  readonly id: number
  /** Explicitly freed allocations of a slab; -1 for a block of its own. */
  live = 0

  constructor(id: number, pointer: number, size: number) {
    this.id = id
    this.pointer = pointer
    this.size = size
  }
}

/** What keeps a block's memory reserved: unreachable once all its allocations are. */
class Handle {
  constructor(readonly block: Block) {}
}

/** A storage's place in the arena. */
export class ArenaAllocation implements Allocation {
  freed = false
  constructor(
    readonly handle: Handle,
    readonly offset: number,
    readonly nbytes: number,
  ) {}
}

/** Views of the arena's bytes in every width. Replaced when the memory grows. */
export interface Heap {
  u8: Uint8Array
  i32: Int32Array
  i64: BigInt64Array
  f32: Float32Array
  f64: Float64Array
}

// Sizes are rounded up to a class: multiples of a quarter of the power of two below, at least 64 bytes apart.
function sizeClass(nbytes: number): number {
  if (nbytes <= 256) return Math.max(64, Math.ceil(nbytes / 64) * 64)
  const quarter = 2 ** (Math.floor(Math.log2(nbytes - 1)) - 2)
  return Math.ceil(nbytes / quarter) * quarter
}

export class Arena {
  readonly memory: WebAssembly.Memory
  readonly shared: boolean
  readonly maximumPages: number = MAXIMUM_PAGES
  heap!: Heap
  /** Counts launches, to know what the current one uses. */
  clock = 1

  private top = RESERVED
  private readonly freeLists = new Map<number, number[]>()
  private readonly resident = new Map<number, Block>()
  private nextId = 1
  private slab: Handle | null = null
  private slabTop = 0
  private residentBytes = 0
  private peakBytes = 0
  private evacuations = 0
  /** Bytes in use at which cold blocks are evacuated. */
  private softLimit = 512 * MB
  private returnedBytes = 0
  private readonly registry = new FinalizationRegistry<number>((id) => {
    const block = this.resident.get(id)
    if (block !== undefined) this.release(block)
  })

  constructor() {
    const pages = 256
    let memory: WebAssembly.Memory
    let shared = false
    try {
      memory = new WebAssembly.Memory({ initial: pages, maximum: MAXIMUM_PAGES, shared: true })
      shared = true
    } catch {
      memory = new WebAssembly.Memory({ initial: pages, maximum: MAXIMUM_PAGES })
    }
    this.memory = memory
    this.shared = shared
    this.refreshViews()
  }

  private refreshViews(): void {
    const { buffer } = this.memory
    this.heap = {
      u8: new Uint8Array(buffer),
      i32: new Int32Array(buffer),
      i64: new BigInt64Array(buffer),
      f32: new Float32Array(buffer),
      f64: new Float64Array(buffer),
    }
  }

  allocate(nbytes: number): ArenaAllocation {
    if (nbytes <= SMALL) return this.allocateSmall(nbytes)
    const handle = new Handle(this.newBlock(sizeClass(nbytes)))
    this.registry.register(handle, handle.block.id)
    return new ArenaAllocation(handle, 0, nbytes)
  }

  private allocateSmall(nbytes: number): ArenaAllocation {
    const size = Math.max(16, Math.ceil(nbytes / 16) * 16)
    if (this.slab === null || this.slab.block.pointer < 0 || this.slabTop + size > SLAB) {
      if (this.slab !== null && this.slab.block.live === 0) this.release(this.slab.block)
      this.slab = new Handle(this.newBlock(SLAB))
      this.slabTop = 0
      this.registry.register(this.slab, this.slab.block.id)
    }
    const allocation = new ArenaAllocation(this.slab, this.slabTop, nbytes)
    this.slabTop += size
    this.slab.block.live++
    return allocation
  }

  /** Gives an allocation back at once. */
  free(allocation: ArenaAllocation): void {
    if (allocation.freed) return
    allocation.freed = true
    const { block } = allocation.handle
    if (allocation.handle === this.slab) {
      block.live--
      if (allocation.offset + Math.max(16, Math.ceil(allocation.nbytes / 16) * 16) === this.slabTop)
        this.slabTop = allocation.offset
      return
    }
    if (block.size === SLAB && block.live > 0 && --block.live > 0) return
    this.release(block)
  }

  private release(block: Block): void {
    if (!this.resident.delete(block.id)) {
      block.buffer = null
      return
    }
    this.residentBytes -= block.size
    this.freeList(block.size).push(block.pointer)
  }

  private freeList(size: number): number[] {
    let list = this.freeLists.get(size)
    if (list === undefined) {
      list = []
      this.freeLists.set(size, list)
    }
    return list
  }

  private newBlock(size: number): Block {
    const block = new Block(this.nextId++, this.place(size), size)
    block.lastUse = this.clock
    this.resident.set(block.id, block)
    this.residentBytes += size
    if (this.residentBytes > this.peakBytes) this.peakBytes = this.residentBytes
    return block
  }

  /** Finds room for `size` bytes: a free piece, fresh memory, or what evacuation makes free. */
  private place(size: number): number {
    if (this.residentBytes + size > this.softLimit) this.evacuate()
    const free = this.freeLists.get(size)?.pop()
    if (free !== undefined) return free
    if (this.grow(this.top + size)) {
      const pointer = this.top
      this.top += size
      return pointer
    }
    this.evacuate()
    const afterwards = this.freeLists.get(size)?.pop()
    if (afterwards !== undefined) return afterwards
    if (this.grow(this.top + size)) {
      const pointer = this.top
      this.top += size
      return pointer
    }
    throw new OutOfMemoryError(
      `out of memory: tried to allocate ${size} bytes; ${this.residentBytes} bytes of the CPU arena are in use (limit ${MAXIMUM_PAGES * PAGE})`,
    )
  }

  private grow(needed: number): boolean {
    const pages = Math.ceil(needed / PAGE)
    const current = this.memory.buffer.byteLength / PAGE
    if (pages <= current) return true
    if (pages > MAXIMUM_PAGES) return false
    // Grow by a quarter at a time, so that growing stays rare.
    for (const target of [Math.min(MAXIMUM_PAGES, Math.max(pages, Math.ceil(current * 1.25))), pages])
      try {
        this.memory.grow(target - current)
        this.refreshViews()
        return true
      } catch {
        // The system refused; the smaller step may still fit.
      }
    return false
  }

  /** Moves every block that the current launch does not use out of the arena, to buffers that V8 can collect. */
  private evacuate(): void {
    // When much of what was moved out last time came back, the working set is larger than the limit allows.
    if (this.returnedBytes > this.softLimit / 2) this.softLimit = Math.min(this.softLimit * 2, 3584 * MB)
    this.returnedBytes = 0
    this.evacuations++
    for (const block of this.resident.values()) {
      if (block.lastUse >= this.clock) continue
      block.buffer = this.heap.u8.slice(block.pointer, block.pointer + block.size).buffer as ArrayBuffer
      this.resident.delete(block.id)
      this.residentBytes -= block.size
      this.freeList(block.size).push(block.pointer)
      block.pointer = -1
    }
    if (this.resident.size === 0) {
      this.freeLists.clear()
      this.top = RESERVED
    }
  }

  /** An allocation's byte offset in the arena, brought back there where it was evacuated; it stays during this launch. */
  locate(allocation: ArenaAllocation): number {
    const { block } = allocation.handle
    block.lastUse = this.clock
    if (block.pointer < 0) this.bringBack(block)
    return block.pointer + allocation.offset
  }

  private bringBack(block: Block): void {
    const source = block.buffer
    if (source === null) throw new Error('arena: a freed block was used')
    const pointer = this.place(block.size)
    this.heap.u8.set(new Uint8Array(source), pointer)
    block.pointer = pointer
    block.buffer = null
    this.resident.set(block.id, block)
    this.residentBytes += block.size
    this.returnedBytes += block.size
    if (this.residentBytes > this.peakBytes) this.peakBytes = this.residentBytes
  }

  /** Bytes in use, reserved and at most in use so far, and how often memory was evacuated. */
  statistics(): { inUse: number; reserved: number; peak: number; evacuations: number } {
    return {
      inUse: this.residentBytes,
      reserved: this.memory.buffer.byteLength,
      peak: this.peakBytes,
      evacuations: this.evacuations,
    }
  }
}
