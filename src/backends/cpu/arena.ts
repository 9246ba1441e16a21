// The CPU's memory: one WebAssembly memory, an allocator in it, and the ladder that reclaims it without dispose().
// Known-dead memory is freed at once; the rest when the garbage collector says so, or by evacuation under pressure.

import { OutOfMemoryError, RuntimeError } from '../../core/errors.ts'
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
  /** What whoever uses it is told when there is neither memory nor buffer any more. */
  message = 'arena: a freed block was used'
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
    public handle: Handle,
    public offset: number,
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

/** Limits of an arena, for tests: small ones show at once what large ones show after gigabytes. */
export interface ArenaOptions {
  /** Size that the arena may have, in pages of 64 KiB; by default all that WebAssembly can address, 4 GiB. */
  maximumPages?: number
  /** Bytes in use at which cold blocks are evacuated; by default 512 MiB. */
  softLimit?: number
}

/** The garbage collector's word on which handles are dead, had at once: without one the event loop must turn first. */
export interface Collector {
  /** From now on `drain` tells `id` once `handle` has been collected. */
  watch(handle: object, id: number): void
  collect(kind: 'minor' | 'major'): void
  drain(released: (id: number) => void): void
}

/**
 * Bytes allocated after which a collector is asked what is dead. Where most of it is (results that a loop drops), few
 * bytes, so that they stay in the processor's caches. Where most is alive (a graph that is being built), more: what
 * survives two collections is no longer young, and costs a slow collection later.
 */
const [SMALLEST_NURSERY, LARGEST_NURSERY] = [8 * MB, 64 * MB]
/** Bytes in use below which only young objects are collected. */
const LEAST_MAJOR = 256 * MB

export class Arena {
  readonly memory: WebAssembly.Memory
  readonly shared: boolean
  readonly maximumPages: number
  heap!: Heap
  /** Counts beginnings and ends of launches, to know what the current one uses. */
  clock = 1

  private top = RESERVED
  private readonly freeLists = new Map<number, number[]>()
  private gaps: { start: number; end: number }[] = []
  private readonly resident = new Map<number, Block>()
  private nextId = 1
  private slab: Handle | null = null
  private slabTop = 0
  private residentBytes = 0
  private peakBytes = 0
  private evacuations = 0
  /** Bytes in use at which cold blocks are evacuated. */
  private softLimit: number
  private returnedBytes = 0
  collector: Collector | null = null
  /** Bytes allocated since the collector last ran, after how many it runs again, and bytes in use at which it must look at old objects, too. */
  private uncollected = 0
  private nursery = 2 * SMALLEST_NURSERY
  private majorLimit = LEAST_MAJOR
  private collections = 0
  private readonly registry = new FinalizationRegistry<number>((id) => this.collected(id))

  constructor({ maximumPages = MAXIMUM_PAGES, softLimit = 512 * MB }: ArenaOptions = {}) {
    const pages = Math.min(256, maximumPages)
    this.maximumPages = maximumPages
    this.softLimit = softLimit
    let memory: WebAssembly.Memory
    let shared = false
    try {
      memory = new WebAssembly.Memory({ initial: pages, maximum: maximumPages, shared: true })
      shared = true
    } catch {
      memory = new WebAssembly.Memory({ initial: pages, maximum: maximumPages })
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

  /** The most that can be in use at once. */
  get maximumBytes(): number {
    return this.maximumPages * PAGE - RESERVED
  }

  /**
   * Room for `nbytes` bytes of unspecified contents.
   * @throws OutOfMemoryError if there is none; everything allocated before stays as it is.
   */
  allocate(nbytes: number): ArenaAllocation {
    if (nbytes <= SMALL) return this.allocateSmall(nbytes)
    return new ArenaAllocation(this.newHandle(sizeClass(nbytes), nbytes), 0, nbytes)
  }

  private newHandle(size: number, requested = size): Handle {
    const handle = new Handle(this.newBlock(size, requested))
    if (this.collector !== null) this.collector.watch(handle, handle.block.id)
    else this.registry.register(handle, handle.block.id)
    return handle
  }

  private readonly collected = (id: number): void => {
    const block = this.resident.get(id)
    if (block !== undefined) this.release(block)
  }

  // The dead among what was made since the last time are young objects, cheap to collect; their memory is still in
  // the caches. Old objects are collected when the memory in use has doubled.
  private collectGarbage(collector: Collector): void {
    const [allocated, before] = [this.uncollected, this.residentBytes]
    this.uncollected = 0
    this.collections++
    collector.collect('minor')
    collector.drain(this.collected)
    const freed = before - this.residentBytes
    if (freed < allocated / 2) this.nursery = Math.min(2 * this.nursery, LARGEST_NURSERY)
    else if (freed > 0.75 * allocated) this.nursery = Math.max(this.nursery / 2, SMALLEST_NURSERY)
    if (this.residentBytes < this.majorLimit) return
    collector.collect('major')
    collector.drain(this.collected)
    this.majorLimit = Math.max(LEAST_MAJOR, 2 * this.residentBytes)
  }

  private allocateSmall(nbytes: number): ArenaAllocation {
    const size = Math.max(16, Math.ceil(nbytes / 16) * 16)
    if (this.slab === null || this.slab.block.pointer < 0 || this.slabTop + size > SLAB) {
      if (this.slab !== null && this.slab.block.live === 0) this.release(this.slab.block)
      this.slab = this.newHandle(SLAB)
      this.slabTop = 0
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

  private newBlock(size: number, requested = size): Block {
    this.uncollected += size
    if (this.uncollected >= this.nursery && this.collector !== null) this.collectGarbage(this.collector)
    const block = new Block(this.nextId++, this.place(size, requested), size)
    block.lastUse = this.clock
    this.resident.set(block.id, block)
    this.residentBytes += size
    if (this.residentBytes > this.peakBytes) this.peakBytes = this.residentBytes
    return block
  }

  /** Finds room for a block: a free piece, fresh memory, or what evacuation makes free. */
  private place(size: number, requested = size): number {
    if (size > this.maximumBytes) throw this.outOfMemory(requested)
    if (this.residentBytes + size > this.softLimit) this.evacuate()
    const pointer = this.find(size)
    if (pointer !== null) return pointer
    this.evacuate()
    const afterwards = this.find(size)
    if (afterwards === null) throw this.outOfMemory(requested)
    return afterwards
  }

  private outOfMemory(requested: number): OutOfMemoryError {
    return new OutOfMemoryError(
      `out of memory: tried to allocate ${requested} bytes; ${this.residentBytes} bytes of the CPU arena are in use (limit ${this.maximumBytes})`,
    )
  }

  private find(size: number): number | null {
    const free = this.freeLists.get(size)?.pop() ?? this.carve(size)
    if (free !== null) return free
    // Before the memory grows, pieces that were freed in other sizes are put together, if they are most of it.
    const grows = this.top + size > this.memory.buffer.byteLength
    if (grows && this.residentBytes < (this.top - RESERVED) / 2) {
      this.joinFreePieces()
      const joined = this.carve(size)
      if (joined !== null) return joined
    }
    if (!this.grow(this.top + size)) return null
    const pointer = this.top
    this.top += size
    return pointer
  }

  // Takes a piece from the first gap that has room for it.
  private carve(size: number): number | null {
    const gap = this.gaps.find(({ start, end }) => end - start >= size)
    if (gap === undefined) return null
    const pointer = gap.start
    gap.start += size
    return pointer
  }

  /** Forgets in which sizes memory was freed: all that lies between the blocks can be given out in any size. */
  private joinFreePieces(): void {
    this.freeLists.clear()
    this.gaps = []
    let end = RESERVED
    for (const { pointer, size } of [...this.resident.values()].sort((a, b) => a.pointer - b.pointer)) {
      if (pointer > end) this.gaps.push({ start: end, end: pointer })
      end = pointer + size
    }
    this.top = end
  }

  private grow(needed: number): boolean {
    const pages = Math.ceil(needed / PAGE)
    const current = this.memory.buffer.byteLength / PAGE
    if (pages <= current) return true
    if (pages > this.maximumPages) return false
    // Grow by a quarter at a time, so that growing stays rare.
    for (const target of [Math.min(this.maximumPages, Math.max(pages, Math.ceil(current * 1.25))), pages])
      try {
        this.memory.grow(target - current)
        this.refreshViews()
        return true
      } catch {
        // The system refused; the smaller step may still fit.
      }
    return false
  }

  /**
   * Moves everything out, for a launch that begins again: so its operands come to lie side by side. What was located
   * before must not be used.
   */
  startOver(): void {
    this.clock++
    this.evacuate()
  }

  /** Counts how often blocks were moved: what was located at the same count is still there. */
  get moves(): number {
    return this.evacuations
  }

  /**
   * Makes an allocation a part of another one, `offset` bytes from its start, without its contents. Its own memory is
   * given back; from now on it lives as long as the other.
   */
  embed(allocation: ArenaAllocation, within: ArenaAllocation, offset: number): void {
    this.free(allocation)
    allocation.handle = within.handle
    allocation.offset = within.offset + offset
  }

  /** Gives an allocation's memory back; from now on locating it throws a RuntimeError with this message. */
  forget(allocation: ArenaAllocation, message: string): void {
    this.free(allocation)
    const nothing = new Block(-1, -1, 0)
    nothing.message = message
    allocation.handle = new Handle(nothing)
  }

  /** Moves every block that the current launch does not use out of the arena, to buffers that V8 can collect. */
  private evacuate(): void {
    // When much of what was moved out last time came back, the working set is larger than the limit allows.
    if (this.returnedBytes > this.softLimit / 2)
      this.softLimit = Math.min(this.softLimit * 2, this.maximumBytes * 0.875)
    this.returnedBytes = 0
    this.evacuations++
    for (const block of this.resident.values()) {
      if (block.lastUse >= this.clock) continue
      try {
        block.buffer = this.heap.u8.slice(block.pointer, block.pointer + block.size).buffer as ArrayBuffer
      } catch {
        // The system has no memory for it: the block stays where it is.
        break
      }
      this.resident.delete(block.id)
      this.residentBytes -= block.size
      block.pointer = -1
    }
    this.joinFreePieces()
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
    if (source === null) throw new RuntimeError(block.message)
    const pointer = this.place(block.size)
    this.heap.u8.set(new Uint8Array(source), pointer)
    block.pointer = pointer
    block.buffer = null
    this.resident.set(block.id, block)
    this.residentBytes += block.size
    this.returnedBytes += block.size
    if (this.residentBytes > this.peakBytes) this.peakBytes = this.residentBytes
  }

  /** Bytes in use, reserved and at most in use so far; how often memory was evacuated and the collector called. */
  statistics(): Record<'inUse' | 'reserved' | 'peak' | 'evacuations' | 'collections', number> {
    this.collector?.drain(this.collected)
    return {
      inUse: this.residentBytes,
      reserved: this.memory.buffer.byteLength,
      peak: this.peakBytes,
      evacuations: this.evacuations,
      collections: this.collections,
    }
  }
}
