// Long synchronous programs: no control ever goes back to the event loop, so that what has died must be found without it. Those of
// test/support/memory-programs.ts run in processes of their own, with the native addon and without.

import { spawnSync } from 'node:child_process'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, test } from 'vitest'
import { cpuBackend } from '../../src/backends/cpu/cpu.ts'
import * as torch from '../../src/index.ts'
import type { MemoryReport } from '../support/memory-programs.ts'

const [MB, GB] = [2 ** 20, 2 ** 30]
const root = resolve(import.meta.dirname, '../..')
const tsx = pathToFileURL(join(root, 'node_modules/tsx/dist/loader.mjs')).href

function run(program: string, native: boolean): MemoryReport {
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--import', tsx, join(root, 'test/support/memory-programs.ts'), program],
    { encoding: 'utf8', env: { ...process.env, ANTORCHA_NATIVE: native ? '1' : '0' } },
  )
  if (status !== 0) throw new Error(stderr)
  return JSON.parse(stdout) as MemoryReport
}

const hasAddon = torch.config().native !== null
if (!hasAddon) console.log(`memory is not tested with the addon: ${torch.config().nativeReason}`)

describe.each(hasAddon ? [true, false] : [false])('memory (native addon: %s)', (native) => {
  const steps = native || !hasAddon ? 10_000 : 2_000

  test(`${steps} training steps of 20 MB each stay bounded`, () => {
    const { wrong, rounds, resident } = run(`train-${steps}`, native)
    expect(wrong).toEqual([])
    expect(rounds).toBeGreaterThan(Math.max(50, steps / 100))
    expect(resident).toBeLessThan(3 * GB)
  })

  test('a graph of 500 MB has the right gradients, four times, and goes', () => {
    const { wrong, inUse, resident } = run('big-graph', native)
    expect(wrong).toEqual([])
    expect(inUse.built).toBeGreaterThan(500 * MB)
    expect(inUse.after - inUse.before).toBeLessThan(50 * MB)
    expect(resident).toBeLessThan(4 * GB)
  })

  test('1,000 tensors stay as they are, to the last element, while others come and go', () => {
    const { wrong, resident } = run('keep', native)
    expect(wrong).toEqual([])
    expect(resident).toBeLessThan(5 * GB)
  })

  test('where memory runs out there is an error that can be caught, and every tensor stays valid', () => {
    expect(run('exhaust', native).wrong).toEqual([])
  })
})

describe('memory', () => {
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
