// How one launch is laid out: fewest dimensions, whether and where lanes of SIMD registers run, the parameter block.

import type { Kernel, Launch } from '../../kernels/kernel.ts'
import { collapse, sortByStride } from '../dimensions.ts'
import { maximumAt } from '../launch-shape.ts'
import { lanesOf } from './vectorize.ts'

/** Where four (or two) neighbours are computed at once: along the innermost outer dimension or the innermost loop dimension. */
export type VectorPlan = 'none' | 'outer' | 'inner'

/** What a compiled kernel is specialised on. */
export interface Layout {
  readonly outerRank: number
  readonly loopRank: number
  readonly vector: VectorPlan
  readonly lanes: number
  /** Per operand, along the vectorised dimension: 0 stays, 1 consecutive elements, 2 anything else. */
  readonly steps: readonly number[]
  /** A number that tells layouts of one kernel apart. */
  readonly key: number
}

/** A launch with its dimensions merged; strides are in bytes. */
export interface Plan {
  readonly layout: Layout
  readonly outer: readonly number[]
  readonly loop: readonly number[]
  readonly strides: readonly (readonly number[])[]
}

/** Lays a launch out. */
export function plan(kernel: Kernel, launch: Launch): Plan {
  const outerRank = launch.outer.length
  const outer = [...launch.outer]
  const loop = [...launch.loop]
  const outerStrides: number[][] = []
  const loopStrides: number[][] = []
  for (let o = 0; o < kernel.operands.length; o++) {
    const size = kernel.operands[o].dtype.itemsize
    const bytes = launch.operands[o].strides.map((s) => s * size)
    outerStrides.push(bytes.slice(0, outerRank))
    loopStrides.push(bytes.slice(outerRank))
  }
  if (!kernel.usesOuterIndex) {
    if (outer.length > 1 && kernel.parallel) {
      const output = kernel.operands.findIndex((x) => x.access !== 'read')
      sortByStride(outer, outerStrides, output < 0 ? 0 : output)
    }
    collapse(outer, outerStrides)
  } else if (outer.length === 0) {
    outer.push(1)
    for (const s of outerStrides) s.push(0)
  }
  if (loop.length === 0) {
    // A loop over no dimensions, as over a tensor without any, runs once.
    if (kernel.stages.some((stage) => stage.kind === 'loop')) {
      loop.push(1)
      for (const s of loopStrides) s.push(0)
    }
  } else if (!kernel.usesLoopIndex) collapse(loop, loopStrides)
  const strides = outerStrides.map((s, o) => [...s, ...loopStrides[o]])
  return { layout: layoutOf(kernel, outer, loop, strides), outer, loop, strides }
}

function layoutOf(
  kernel: Kernel,
  outer: readonly number[],
  loop: readonly number[],
  strides: readonly (readonly number[])[],
): Layout {
  const stepsAlong = (dim: number) =>
    strides.map((s, o) => (s[dim] === 0 ? 0 : s[dim] === kernel.operands[o].dtype.itemsize ? 1 : 2))
  const innermostOuter = outer.length - 1
  let vector: VectorPlan = 'none'
  let steps: number[] = []
  let lanes = 0
  if (loop.length > 0) {
    steps = stepsAlong(outer.length + loop.length - 1)
    lanes = loop[loop.length - 1] < 4 ? 0 : lanesOf(kernel, 'inner', steps)
    if (lanes > 0) vector = 'inner'
  }
  if (vector === 'none') {
    const outerSteps = stepsAlong(innermostOuter)
    lanes = outer[innermostOuter] < 4 ? 0 : lanesOf(kernel, 'outer', outerSteps)
    if (lanes > 0) {
      vector = 'outer'
      steps = outerSteps
    }
  }
  let key = outer.length + 16 * loop.length + 256 * (vector === 'none' ? 0 : vector === 'outer' ? 1 : 2)
  if (vector !== 'none') for (let o = 0; o < steps.length; o++) key += 1024 * 3 ** o * steps[o]
  return { outerRank: outer.length, loopRank: loop.length, vector, lanes, steps, key }
}

/** Where each launch parameter lies in the block, in bytes from its start. */
export interface ParameterBlock {
  readonly pointer: (operand: number) => number
  readonly outerExtent: (dim: number) => number
  readonly loopExtent: (dim: number) => number
  readonly stride: (operand: number, dim: number) => number
  readonly atStride: (operand: number, coordinate: number) => number
  readonly scalar: (slot: number) => number
}

export function parameterBlock(
  kernel: Kernel,
  layout: { outerRank: number; loopRank: number },
): ParameterBlock {
  const n = kernel.operands.length
  const rank = layout.outerRank + layout.loopRank
  const extents = 4 * n
  const strides = extents + 4 * rank
  const at = strides + 4 * n * rank
  const scalars = Math.ceil((at + 4 * n * maximumAt) / 8) * 8
  return {
    pointer: (operand) => 4 * operand,
    outerExtent: (dim) => extents + 4 * dim,
    loopExtent: (dim) => extents + 4 * (layout.outerRank + dim),
    stride: (operand, dim) => strides + 4 * (operand * rank + dim),
    atStride: (operand, coordinate) => at + 4 * (operand * maximumAt + coordinate),
    scalar: (slot) => scalars + 8 * slot,
  }
}
