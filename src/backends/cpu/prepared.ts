// Prepared launches: what laying out and compiling one gave, kept for later launches with the same extents and strides.

import type { Kernel, Launch } from '../../kernels/kernel.ts'
import type { Cost } from './cost.ts'
import { type Layout, maximumAt, type ParameterBlock, type Plan, plan } from './layout.ts'
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
  if (known !== undefined && isFor(known.shape, launch)) return known
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

// The three functions below walk a launch in the same order.

function hashOf({ outer, loop, operands }: Launch): number {
  let hash = outer.length * 8 + loop.length
  for (let d = 0; d < outer.length; d++) hash = (Math.imul(hash, 31) + outer[d]) | 0
  for (let d = 0; d < loop.length; d++) hash = (Math.imul(hash, 31) + loop[d]) | 0
  for (let o = 0; o < operands.length; o++) {
    const { strides, atStrides } = operands[o]
    for (let d = 0; d < strides.length; d++) hash = (Math.imul(hash, 31) + strides[d]) | 0
    if (atStrides !== undefined)
      for (let i = 0; i < atStrides.length; i++) hash = (Math.imul(hash, 31) + atStrides[i]) | 0
  }
  return hash
}

function shapeOf({ outer, loop, operands }: Launch): number[] {
  const shape = [outer.length, loop.length, ...outer, ...loop]
  for (const { strides, atStrides } of operands) shape.push(...strides, ...(atStrides ?? []))
  return shape
}

function isFor(shape: readonly number[], { outer, loop, operands }: Launch): boolean {
  if (shape[0] !== outer.length || shape[1] !== loop.length) return false
  let i = 2
  for (let d = 0; d < outer.length; d++) if (shape[i++] !== outer[d]) return false
  for (let d = 0; d < loop.length; d++) if (shape[i++] !== loop[d]) return false
  for (let o = 0; o < operands.length; o++) {
    const { strides, atStrides } = operands[o]
    for (let d = 0; d < strides.length; d++) if (shape[i++] !== strides[d]) return false
    if (atStrides !== undefined)
      for (let a = 0; a < atStrides.length; a++) if (shape[i++] !== atStrides[a]) return false
  }
  return i === shape.length
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
