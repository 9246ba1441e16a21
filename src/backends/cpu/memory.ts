// What the CPU's memory holds, for people.

import { cpuBackend } from './cpu.ts'

/**
 * The CPU's memory as text: bytes that live tensors use (with those that are dead but not yet known to be), bytes kept
 * for new ones, the most that were in use so far, and what was reserved from the system; how often the garbage collector
 * was asked what is dead, and how often memory was moved out of the arena.
 */
export function memorySummary(): string {
  const { inUse, peak, reserved, evacuations, collections } = cpuBackend.arena.statistics()
  const mb = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
  return [
    'CPU arena',
    `  live         ${mb(inUse)}`,
    `  cached       ${mb(reserved - inUse)}`,
    `  peak         ${mb(peak)}`,
    `  reserved     ${mb(reserved)}`,
    `  collections  ${collections}`,
    `  evacuations  ${evacuations}`,
  ].join('\n')
}
