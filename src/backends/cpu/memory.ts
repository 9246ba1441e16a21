// What the CPU's memory holds, for people.

import { cpuBackend } from './cpu.ts'

/** Bytes of CPU memory in use, at most in use so far, and reserved from the system, as text. */
export function memorySummary(): string {
  const { inUse, peak, reserved, evacuations } = cpuBackend.arena.statistics()
  const mb = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
  return [
    'CPU arena',
    `  in use       ${mb(inUse)}`,
    `  peak         ${mb(peak)}`,
    `  reserved     ${mb(reserved)}`,
    `  evacuations  ${evacuations}`,
  ].join('\n')
}
