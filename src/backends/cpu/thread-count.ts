// How many threads a CPU operation may use: torch.setNumThreads and getNumThreads. Who runs on them is in threads.ts.

import { RuntimeError } from '../../core/errors.ts'
import { nodeModule } from '../../core/node.ts'

/** More threads than this are used only when asked for: what they add is small, and each takes megabytes. */
const MOST_BY_DEFAULT = 16

let count = 0
const listeners: (() => void)[] = []

function availableCores(): number {
  const { process, navigator } = globalThis as {
    process?: { env?: Record<string, string | undefined> }
    navigator?: { hardwareConcurrency?: number }
  }
  const asked = Number(process?.env?.OMP_NUM_THREADS)
  if (Number.isInteger(asked) && asked > 0) return asked
  const os = nodeModule<{ availableParallelism?: () => number }>('node:os')
  const cores = os?.availableParallelism?.() ?? navigator?.hardwareConcurrency ?? 1
  return Math.max(1, Math.min(cores, MOST_BY_DEFAULT))
}

/**
 * The number of threads that a CPU operation may use, the calling one included. At first it is the environment variable
 * `OMP_NUM_THREADS`, as in PyTorch, else the number of cores that this process may use, at most 16. Where threads cannot
 * share memory (a page that is not cross-origin isolated), operations run on one thread whatever the number.
 */
export function getNumThreads(): number {
  if (count === 0) count = availableCores()
  return count
}

/**
 * Sets the number of threads that a CPU operation may use, the calling one included; with 1, no other thread takes part.
 * Results do not depend on it. Threads are started by the first operation that is large enough to gain by them.
 *
 * @throws RuntimeError if `n` is not a positive integer.
 */
export function setNumThreads(n: number): void {
  if (typeof n !== 'number' || !Number.isInteger(n))
    throw new RuntimeError(
      `set_num_threads expects an int, but got ${typeof n === 'number' ? 'float' : n === null ? 'null' : typeof n}`,
    )
  if (n <= 0) throw new RuntimeError('set_num_threads expects a positive integer')
  if (n === getNumThreads()) return
  count = n
  for (const listener of listeners) listener()
}

/** Calls `listener` after each change of the number of threads. */
export function onThreadCountChange(listener: () => void): void {
  listeners.push(listener)
}
