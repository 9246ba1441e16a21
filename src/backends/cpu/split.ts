// Which launches are split over threads, and where: along the outermost dimension, whose positions are independent.

import { hostMath } from '../../kernels/hostmath.ts'
import type { Kernel } from '../../kernels/kernel.ts'
import type { ImportedFunction } from './assembler.ts'
import type { Cost } from './cost.ts'
import type { Layout, Plan } from './layout.ts'
import { getNumThreads } from './thread-count.ts'
import { MOST_CHUNKS } from './threads.ts'

/** Launches that take less, in nanoseconds, stay on one thread even when workers are awake. */
export const LEAST_WORK = 20_000
/** Chunks that take less are not worth taking. */
const LEAST_CHUNK = 5_000
/** More chunks than threads even out what other processes take away from some. */
const CHUNKS_PER_THREAD = 8

/** Whether workers can run a compiled kernel: of host functions they have those of `Math` alone. */
export function runsOnWorkers(imports: readonly ImportedFunction[]): boolean {
  return imports.every(({ name }) => hostMath[name as keyof typeof hostMath] === (Math as never)[name])
}

/** Estimated nanoseconds that a launch takes. */
export function workOf({ outer, loop }: Plan, cost: Cost): number {
  let [positions, steps] = [1, 1]
  for (const n of outer) positions *= n
  for (const n of loop) steps *= n
  return positions * (cost.outer + (loop.length > 0 ? steps * cost.loop : 0))
}

/** Whether the positions of a launch's outermost dimension write different memory. */
export function isSplittable(kernel: Kernel, { outer, strides }: Plan): boolean {
  if (!kernel.parallel || outer[0] < 2) return false
  return kernel.operands.every((operand, o) => operand.access === 'read' || strides[o][0] !== 0)
}

/** How much of the outermost dimension a thread takes at a time. */
export function chunkOf(extent: number, work: number, layout: Layout): number {
  const chunks = Math.min(getNumThreads() * CHUNKS_PER_THREAD, Math.floor(work / LEAST_CHUNK), MOST_CHUNKS)
  const chunk = Math.ceil(extent / chunks)
  if (layout.outerRank > 1) return chunk
  // Lanes stay full but for the last chunk's, and in long rows threads do not share cache lines.
  const multiple = chunk >= 256 ? 64 : layout.vector === 'outer' ? layout.lanes : 1
  return Math.ceil(chunk / multiple) * multiple
}
