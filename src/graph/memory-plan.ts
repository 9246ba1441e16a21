// One block of memory for all that a captured call makes: what is not alive at the same time lies in the same place.

import type { Allocation } from '../backends/backend.ts'
import type { Step } from './recording.ts'

/** From the first to the last step that uses some memory. */
interface Lifetime {
  readonly allocation: Allocation
  first: number
  last: number
}

/** Where each allocation lies in a block of `nbytes` bytes. */
export interface MemoryPlan {
  readonly nbytes: number
  readonly offsets: ReadonlyMap<Allocation, number>
}

const alignment = 64

/**
 * Plans memory for `made`. What no step uses is left out, unless it is among `kept`: these are to be read after the last
 * step, and nothing else lies in their place at any time.
 */
export function planMemory(
  steps: readonly Step[],
  made: ReadonlySet<Allocation>,
  kept: ReadonlySet<Allocation>,
): MemoryPlan {
  const lifetimes = lifetimesOf(steps, made)
  for (const allocation of kept)
    if (made.has(allocation)) lifetimes.set(allocation, { allocation, first: 0, last: steps.length })
  // Large ones first: small ones fill the gaps between them.
  const order = [...lifetimes.values()].sort(
    (a, b) => b.allocation.nbytes - a.allocation.nbytes || a.first - b.first,
  )
  const offsets = new Map<Allocation, number>()
  const placed: { lifetime: Lifetime; start: number; end: number }[] = []
  let nbytes = 0
  for (const lifetime of order) {
    const size = Math.ceil(Math.max(1, lifetime.allocation.nbytes) / alignment) * alignment
    // `placed` is sorted by start: the first gap between those alive at the same time is taken.
    let start = 0
    for (const other of placed) {
      if (other.lifetime.last < lifetime.first || other.lifetime.first > lifetime.last) continue
      if (other.start >= start + size) break
      start = Math.max(start, other.end)
    }
    offsets.set(lifetime.allocation, start)
    nbytes = Math.max(nbytes, start + size)
    const at = placed.findIndex((other) => other.start > start)
    placed.splice(at < 0 ? placed.length : at, 0, { lifetime, start, end: start + size })
  }
  return { nbytes, offsets }
}

function lifetimesOf(steps: readonly Step[], made: ReadonlySet<Allocation>): Map<Allocation, Lifetime> {
  const lifetimes = new Map<Allocation, Lifetime>()
  const use = (allocation: Allocation, step: number) => {
    if (!made.has(allocation)) return
    const known = lifetimes.get(allocation)
    if (known === undefined) lifetimes.set(allocation, { allocation, first: step, last: step })
    else known.last = step
  }
  steps.forEach((step, i) => {
    if (step.kind === 'launch') for (const { storage } of step.operands) use(storage as Allocation, i)
    else if (step.kind === 'host') for (const allocation of step.touched) use(allocation, i)
    else if (step.kind === 'constant') use(step.allocation, i)
  })
  return lifetimes
}
