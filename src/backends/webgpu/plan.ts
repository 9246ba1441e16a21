// How a launch is laid out on the GPU: fewest dimensions, who computes a position, the parameter block. Kept for later
// launches of the same shape.

import { RuntimeError } from '../../core/errors.ts'
import type { Kernel, Launch } from '../../kernels/kernel.ts'
import { collapse, sortByStride } from '../dimensions.ts'
import { hashOf, hasShape, shapeOf } from '../launch-shape.ts'
import { maximumAt, type WordLayout } from './parameters.ts'
import { type Pipeline, pipelineFor } from './pipelines.ts'
import { isSerial, isShareable, MOST_GROUPS, type Mode, renderWgsl, WORKGROUP } from './render.ts'

/** A launch that needs nothing but its memories, offsets and scalars any more. */
export interface Planned {
  readonly pipeline: Pipeline
  readonly layout: WordLayout
  /** The parameter block without offsets and scalars. */
  readonly words: Int32Array
  /** Workgroups along x and y. */
  readonly x: number
  readonly y: number
}

interface Known extends Planned {
  readonly shape: readonly number[]
}

/** A kernel forgets its launches when it has been used in more shapes than this. */
const mostShapes = 64
/** A workgroup shares loops of so many steps or more. */
const leastSharedSteps = 32
/** From so many positions on, each has work enough for an invocation, unless neighbours in the loop lie side by side. */
const manyPositions = 4096

/** Finds what was planned for a launch like this one, or plans it. `memories` numbers the operands' memories. */
export function planned(kernel: Kernel, launch: Launch, memories: readonly number[]): Planned {
  let sharing = 0
  for (let i = 0; i < memories.length; i++) sharing = sharing * 16 + memories[i]
  const key = `webgpu:plans:${sharing}`
  let table = kernel.compiled.get(key) as Map<number, Known> | undefined
  if (table === undefined) {
    table = new Map()
    kernel.compiled.set(key, table)
  }
  const hash = hashOf(launch)
  const known = table.get(hash)
  if (known !== undefined && hasShape(launch, known.shape)) return known
  const made = { ...plan(kernel, launch, memories), shape: shapeOf(launch) }
  if (table.size >= mostShapes) table.clear()
  table.set(hash, made)
  return made
}

function product(extents: readonly number[]): number {
  return extents.reduce((n, extent) => n * extent, 1)
}

function plan(kernel: Kernel, launch: Launch, memories: readonly number[]): Planned {
  const outerRank = launch.outer.length
  const outer = [...launch.outer]
  const loop = [...launch.loop]
  const outerStrides = launch.operands.map(({ strides }) => strides.slice(0, outerRank))
  const loopStrides = launch.operands.map(({ strides }) => strides.slice(outerRank))
  if (!kernel.usesOuterIndex) {
    if (outer.length > 1 && kernel.parallel) {
      const output = kernel.operands.findIndex(({ access }) => access !== 'read')
      sortByStride(outer, outerStrides, output < 0 ? 0 : output)
    }
    collapse(outer, outerStrides)
  }
  if (loop.length > 0 && !kernel.usesLoopIndex) collapse(loop, loopStrides)
  const positions = product(outer)
  const steps = product(loop)
  const inner = loop.length - 1
  const sideBySide = inner >= 0 && loopStrides.some((s) => s[inner] === 1)
  const mode: Mode = isSerial(kernel)
    ? 'serial'
    : isShareable(kernel) && steps >= leastSharedSteps && (positions < manyPositions || sideBySide)
      ? 'group'
      : 'each'
  const variant = { outerRank: outer.length, loopRank: loop.length, mode, memories }
  const key = `webgpu:${mode}:${outer.length}:${loop.length}:${memories.join()}`
  let shader = kernel.compiled.get(key) as { pipeline: Pipeline; layout: WordLayout } | undefined
  if (shader === undefined) {
    const { code, written, layout } = renderWgsl(kernel, variant)
    shader = { pipeline: pipelineFor(kernel.name, code, written, layout.words), layout }
    kernel.compiled.set(key, shader)
  }
  const { layout } = shader
  const words = new Int32Array(layout.words)
  outer.forEach((extent, d) => {
    words[layout.outerExtent(d)] = extent
  })
  loop.forEach((extent, d) => {
    words[layout.loopExtent(d)] = extent
  })
  launch.operands.forEach(({ atStrides = [] }, o) => {
    outerStrides[o].forEach((stride, d) => {
      words[layout.stride(o, d)] = stride
    })
    loopStrides[o].forEach((stride, d) => {
      words[layout.stride(o, outer.length + d)] = stride
    })
    if (atStrides.length > maximumAt) throw new RuntimeError(`kernel ${kernel.name}: too many coordinates`)
    atStrides.forEach((stride, i) => {
      words[layout.atStride(o, i)] = stride
    })
  })
  const groups = mode === 'serial' ? 1 : mode === 'group' ? positions : Math.ceil(positions / WORKGROUP)
  return {
    ...shader,
    words,
    x: Math.min(groups, MOST_GROUPS),
    y: Math.ceil(groups / MOST_GROUPS),
  }
}
