// Prepared launches: what laying out and compiling one gave, kept for later launches with the same extents and strides.

import type { Kernel, Launch } from '../../kernels/kernel.ts'
import { hashOf, hasShape, maximumAt, shapeOf } from '../launch-shape.ts'
import type { Cost } from './cost.ts'
import { type Layout, type ParameterBlock, type Plan, plan } from './layout.ts'
import { isSplittable, LEAST_WORK, workOf } from './split.ts'
import type { Task } from './threads.ts'

/** A compiled kernel: `run(parameters, start, end)` covers that part of the outermost dimension. */
export interface Compiled extends Task {
  readonly block: ParameterBlock
  readonly layout: Layout
  readonly cost: Cost
  /** Whether other threads can run it, too. */
  readonly shareable: boolean
}

/** A launch that needs nothing but its pointers and scalars any more. */
export interface Prepared extends Plan, Compiled {
  /** The parameter block in 32-bit words: extents and strides; the pointers, which come first, are left to the launch. */
  readonly words: readonly number[]
  /** All extents and strides of the launch, by which it is found. */
  readonly shape: readonly number[]
  /** Estimated nanoseconds where the launch is worth splitting over threads, else 0. */
  readonly sharedWork: number
  /** The native addon's program for it, -1 where there is none; not looked for yet while undefined. */
  program?: number
}

/** A kernel forgets its launches when it has been used in more shapes than this. */
const mostShapes = 64

/** Finds what was prepared for a launch like this one, or prepares it. */
export function prepare(
  kernel: Kernel,
  launch: Launch,
  compile: (kernel: Kernel, layout: Layout) => Compiled,
): Prepared {
  let table = kernel.compiled.get('prepared') as Map<number, Prepared> | undefined
  if (table === undefined) {
    table = new Map()
    kernel.compiled.set('prepared', table)
  }
  const hash = hashOf(launch)
  const known = table.get(hash)
  if (known !== undefined && hasShape(launch, known.shape)) return known
  const planned = plan(kernel, launch)
  const compiled = compile(kernel, planned.layout)
  const words = wordsOf(kernel, launch, planned, compiled.block)
  const work = compiled.shareable && isSplittable(kernel, planned) ? workOf(planned, compiled.cost) : 0
  const sharedWork = work >= LEAST_WORK ? work : 0
  const prepared = { ...planned, ...compiled, words, shape: shapeOf(launch), sharedWork }
  if (table.size >= mostShapes) table.clear()
  table.set(hash, prepared)
  return prepared
}

function wordsOf(kernel: Kernel, launch: Launch, planned: Plan, block: ParameterBlock): number[] {
  const words: number[] = []
  const put = (offset: number, value: number) => {
    words[offset >> 2] = value
  }
  const { outer, loop, strides } = planned
  for (let o = 0; o < kernel.operands.length; o++) {
    put(block.pointer(o), 0)
    const { atStrides = [] } = launch.operands[o]
    for (let d = 0; d < strides[o].length; d++) put(block.stride(o, d), strides[o][d])
    if (atStrides.length > maximumAt) throw new Error(`kernel ${kernel.name}: too many coordinates`)
    for (let i = 0; i < atStrides.length; i++)
      put(block.atStride(o, i), atStrides[i] * kernel.operands[o].dtype.itemsize)
  }
  for (let d = 0; d < outer.length; d++) put(block.outerExtent(d), outer[d])
  for (let d = 0; d < loop.length; d++) put(block.loopExtent(d), loop[d])
  return Array.from(words, (word) => word ?? 0)
}
