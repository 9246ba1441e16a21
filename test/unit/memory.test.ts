// The CPU's memory: an arena that moves cold blocks out instead of growing, and says so when nothing helps.
// Small arenas show at once what the library's own, of up to 4 GiB, shows after gigabytes: see test/full/memory.test.ts.

import { setTimeout as wait } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { beforeAll, describe, expect, test } from 'vitest'
import { Arena, type ArenaAllocation } from '../../src/backends/cpu/arena.ts'
import { cpuBackend } from '../../src/backends/cpu/cpu.ts'
import * as torch from '../../src/index.ts'

const KB = 1024
const MB = 1024 * KB
/** 4 MiB of memory, of which 1 MiB may be in use before cold blocks are moved out. */
const small = () => new Arena({ maximumPages: 64, softLimit: MB })

// One launch each, as kernels do it.
function write(arena: Arena, allocation: ArenaAllocation, value: number): void {
  arena.clock++
  const at = arena.locate(allocation)
  arena.heap.u8.fill(value, at, at + allocation.nbytes)
  arena.clock++
}

function holds(arena: Arena, allocation: ArenaAllocation, value: number): boolean {
  arena.clock++
  const at = arena.locate(allocation)
  const found = arena.heap.u8.subarray(at, at + allocation.nbytes).every((byte) => byte === value)
  arena.clock++
  return found
}

describe('the arena', () => {
  test('keeps the contents of more blocks than it has room for', () => {
    const arena = small()
    const blocks = Array.from({ length: 40 }, (_, i) => {
      const block = arena.allocate(200 * KB)
      write(arena, block, i + 1)
      return block
    })
    expect(arena.statistics().evacuations).toBeGreaterThan(0)
    expect(arena.statistics().reserved).toBeLessThanOrEqual(4 * MB)
    expect(blocks.map((block, i) => holds(arena, block, i + 1))).toEqual(blocks.map(() => true))
    expect(blocks.map((block, i) => holds(arena, block, i + 1))).toEqual(blocks.map(() => true))
  })

  test('keeps small allocations that share a block, too', () => {
    const arena = small()
    const pieces = Array.from({ length: 3000 }, (_, i) => {
      const piece = arena.allocate(100)
      write(arena, piece, i % 251)
      if (i % 50 === 0) arena.allocate(100 * KB)
      return piece
    })
    expect(arena.statistics().evacuations).toBeGreaterThan(0)
    expect(pieces.every((piece, i) => holds(arena, piece, i % 251))).toBe(true)
  })

  test('does not move what the current launch uses', () => {
    const arena = small()
    const [a, b] = [arena.allocate(600 * KB), arena.allocate(600 * KB)]
    write(arena, a, 1)
    write(arena, b, 2)
    arena.clock++
    const at = arena.locate(a)
    const evacuations = arena.statistics().evacuations
    // Bringing b back, or making room for another, would move a out if it were not in use.
    arena.locate(b)
    arena.allocate(600 * KB)
    expect(arena.statistics().evacuations).toBeGreaterThan(evacuations)
    expect(arena.locate(a)).toBe(at)
    expect(arena.heap.u8[at]).toBe(1)
    expect(holds(arena, b, 2)).toBe(true)
  })

  test('gives freed memory out again in other sizes', () => {
    const arena = new Arena({ maximumPages: 64, softLimit: 100 * MB })
    for (let round = 0; round < 20; round++) {
      const size = (60 + 37 * round) * KB
      const blocks = Array.from({ length: Math.floor((3 * MB) / (size * 1.25)) }, () => arena.allocate(size))
      for (const block of blocks) arena.free(block)
      expect(arena.statistics().inUse).toBe(0)
    }
    const kept = arena.allocate(100 * KB)
    write(arena, kept, 9)
    arena.free(arena.allocate(2.5 * MB))
    arena.free(arena.allocate(3 * MB))
    expect(holds(arena, kept, 9)).toBe(true)
  })

  test('puts the operands of a launch side by side where they do not fit as they lie', () => {
    const arena = new Arena({ maximumPages: 64, softLimit: 100 * MB })
    const [gap, middle, large] = [1.25 * MB, 512 * KB, 2 * MB].map((size, i) => {
      const block = arena.allocate(size)
      write(arena, block, i + 1)
      return block
    })
    arena.free(gap)
    // In use, `middle` leaves 1.25 and 2 MiB: no room for 2.5.
    const next = () => [middle, arena.allocate(2.5 * MB)].map((block) => arena.locate(block))
    arena.clock++
    arena.locate(middle)
    expect(next).toThrow(torch.OutOfMemoryError)
    arena.startOver()
    const [first, second] = next()
    expect(Math.abs(first - second)).toBeGreaterThanOrEqual(512 * KB)
    expect(holds(arena, middle, 2)).toBe(true)
    expect(holds(arena, large, 3)).toBe(true)
  })

  test('uses the place of a freed block for the next of its size', () => {
    const arena = small()
    const first = arena.allocate(100 * KB)
    const at = arena.locate(first)
    arena.free(first)
    arena.free(first)
    const second = arena.allocate(100 * KB)
    const third = arena.allocate(100 * KB)
    expect(arena.locate(second)).toBe(at)
    expect(arena.locate(third)).not.toBe(at)
  })

  test('grows in steps, and old contents stay readable', () => {
    const arena = new Arena({ softLimit: 100 * MB })
    const before = arena.statistics().reserved
    const first = arena.allocate(MB)
    write(arena, first, 7)
    const blocks = Array.from({ length: 24 }, () => arena.allocate(MB))
    expect(arena.statistics().reserved).toBeGreaterThan(before)
    expect(arena.statistics().inUse).toBe(25 * MB)
    expect(holds(arena, first, 7)).toBe(true)
    for (const block of blocks) arena.free(block)
    expect(arena.statistics().inUse).toBe(MB)
    expect(arena.statistics().peak).toBe(25 * MB)
  })
})

describe('out of memory', () => {
  test('is an error that names the bytes asked for and the limit', () => {
    const arena = small()
    expect(() => arena.allocate(5 * MB + 1)).toThrow(torch.OutOfMemoryError)
    expect(() => arena.allocate(5 * MB + 1)).toThrow(
      /tried to allocate 5242881 bytes; 0 bytes of the CPU arena are in use \(limit 4128768\)/,
    )
  })

  test('leaves what was there as it was, and smaller requests possible', () => {
    const arena = small()
    const kept = [1, 2, 3].map((value) => {
      const block = arena.allocate(300 * KB)
      write(arena, block, value)
      return block
    })
    expect(() => arena.allocate(100 * MB)).toThrow('tried to allocate 104857600 bytes')
    // Moving blocks out would not have helped.
    expect(arena.statistics().evacuations).toBe(0)
    expect(kept.map((block, i) => holds(arena, block, i + 1))).toEqual([true, true, true])
    const next = arena.allocate(2 * MB)
    write(arena, next, 4)
    expect(holds(arena, next, 4)).toBe(true)
  })

  test('in the middle of a launch that needs more than there is leaves all operands as they were', () => {
    const arena = small()
    const operands = [1, 2, 3].map((value) => {
      const block = arena.allocate(1.5 * MB)
      write(arena, block, value)
      return block
    })
    arena.clock++
    expect(() => operands.map((block) => arena.locate(block))).toThrow(torch.OutOfMemoryError)
    expect(operands.map((block, i) => holds(arena, block, i + 1))).toEqual([true, true, true])
  })

  test('of a tensor leaves other tensors valid', () => {
    const x = torch.arange(5)
    expect(() => torch.zeros(2 ** 40)).toThrow(torch.OutOfMemoryError)
    expect(() => torch.zeros(2 ** 40)).toThrow(`tried to allocate ${4 * 2 ** 40} bytes`)
    expect(() => x.expand(2 ** 31, 5).add(1)).toThrow(torch.OutOfMemoryError)
    expect(x.add(1).tolist()).toEqual([1, 2, 3, 4, 5])
  })
})

describe('a program that never gives control back', () => {
  test('runs thousands of steps in bounded memory, and keeps what it holds', () => {
    const { arena } = cpuBackend
    const before = arena.statistics()
    const kept = Array.from({ length: 50 }, (_, i) => torch.full([25_000], i))
    const elements = 150_000
    const steps = 2500
    for (let i = 0; i < steps; i++) {
      // Two tensors of 600 kB each, garbage at once: 3 GB in all.
      const y = torch.ones(elements).add(i)
      if (i % 250 === 0) expect(y.at(elements - 1).item()).toBe(i + 1)
    }
    const after = arena.statistics()
    // With the native addon the garbage collector tells what is dead, before anything must be moved out.
    const rounds = ({ evacuations, collections }: typeof after) => evacuations + collections
    expect(rounds(after)).toBeGreaterThan(rounds(before))
    expect(after.peak).toBeLessThanOrEqual(Math.max(before.peak, 512 * MB))
    expect(after.reserved).toBeLessThan(Math.max(before.reserved, 700 * MB))
    expect(kept.map((t) => [t.min().item(), t.max().item()])).toEqual(kept.map((_, i) => [i, i]))
  })
})

describe('backward', () => {
  let collect: () => Promise<void>
  beforeAll(() => {
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    // Finalizers run between tasks, some of them only after a second collection.
    collect = async () => {
      for (let i = 0; i < 3; i++) {
        gc()
        await wait(5)
      }
    }
  })
  const inUse = () => cpuBackend.arena.statistics().inUse

  test('lets saved tensors go while the result is still held', async () => {
    const bytes = 4 * MB
    const x = torch.ones(bytes / 4, { requiresGrad: true })
    await collect()
    const start = inUse()
    let h: torch.Tensor = x
    for (let i = 0; i < 8; i++) h = h.sin()
    const loss = h.sum()
    h = loss
    await collect()
    // Each sine saved its input; the first of them is x itself.
    expect(inUse() - start).toBeGreaterThanOrEqual(7 * bytes)
    loss.backward()
    await collect()
    // What is left is the gradient, and the scalar results.
    expect(inUse() - start).toBeLessThan(2 * bytes)
    expect(x.grad?.at(0).item()).toBeLessThan(1)
    expect(loss.requiresGrad).toBe(true)
  })

  test('lets indices and masks go as well', async () => {
    const n = MB / 2
    const x = torch.ones(n, { requiresGrad: true })
    await collect()
    const start = inUse()
    const loss = torch.indexSelect(x, 0, torch.arange(n)).sum()
    await collect()
    expect(inUse() - start).toBeGreaterThanOrEqual(8 * n)
    loss.backward()
    await collect()
    expect(inUse() - start).toBeLessThan(8 * n)
    expect(loss.item()).toBe(n)
  })

  test('gives back at once the gradients that it passes on', () => {
    const bytes = 4 * MB
    const x = torch.ones(bytes / 4, { requiresGrad: true })
    let h: torch.Tensor = x
    for (let i = 0; i < 10; i++) h = h.mul(1.5)
    const start = inUse()
    h.sum().backward()
    // Without that, each of the ten gradients would stay until the garbage collector runs.
    expect(inUse() - start).toBeLessThan(4 * bytes)
    expect(x.grad?.at(0).item()).toBeCloseTo(1.5 ** 10, 4)
  })
})
