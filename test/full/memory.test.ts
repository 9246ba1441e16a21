// Long synchronous programs in the library's own arena: no control ever goes back to the event loop, so that nothing
// but evacuation can free what has died.

import { describe, expect, test } from 'vitest'
import { cpuBackend } from '../../src/backends/cpu/cpu.ts'
import * as torch from '../../src/index.ts'

const GB = 2 ** 30

describe('memory', () => {
  test('10,000 synchronous steps of 20 MB each stay below 3 GB', () => {
    const elements = 2_500_000
    let largest = 0
    for (let i = 0; i < 10_000; i++) {
      const y = torch.ones(elements).add(i)
      if (i % 100 === 0) {
        expect(y.at(elements - 1).item()).toBe(i + 1)
        largest = Math.max(largest, process.memoryUsage().rss)
      }
    }
    const { evacuations, collections } = cpuBackend.arena.statistics()
    expect(evacuations + collections).toBeGreaterThan(100)
    expect(largest).toBeLessThan(3 * GB)
  })

  test('1,000 tensors stay as they are while others come and go', () => {
    const elements = 250_000
    const kept = Array.from({ length: 1000 }, (_, i) =>
      torch
        .arange(elements)
        .float()
        .mul(1 / 1024)
        .add(i),
    )
    const intact = () =>
      kept.every((t, i) => {
        const values = t.data()
        for (let k = 0; k < elements; k += 997)
          if (values[k] !== Math.fround(Math.fround(k / 1024) + i)) return false
        return values.length === elements
      })
    for (let round = 0; round < 4; round++) {
      for (let step = 0; step < 100; step++) torch.ones(2_500_000).add(step)
      // Some of those kept are at work, so that they come back into the arena between the others.
      for (let i = round; i < kept.length; i += 7) kept[i].add_(1).sub_(1)
      expect(intact()).toBe(true)
    }
  })

  // Without the addon evacuation moves such memory out.
  test.skipIf(torch.config().native === null)(
    'what lived long is given back as soon as it is dead, without a turn of the event loop',
    () => {
      const before = cpuBackend.arena.statistics().evacuations
      for (let round = 0; round < 12; round++) {
        const results = Array.from({ length: 10 }, () => torch.ones(2_500_000))
        expect(results.every((x) => x.at(0).item() === 1)).toBe(true)
      }
      expect(cpuBackend.arena.statistics().evacuations).toBe(before)
    },
  )
})
