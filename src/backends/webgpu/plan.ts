// How a launch is laid out on the GPU: fewest dimensions, who computes a position, the parameter block. Kept for later
// launches of the same shape.

import { RuntimeError } from '../../core/errors.ts'
import type { Kernel, Launch } from '../../kernels/kernel.ts'
import { collapse, sortByStride } from '../dimensions.ts'
import { hashOf, hasShape, maximumAt, shapeOf } from '../launch-shape.ts'
import { planAttention, renderAttention } from './attention.ts'
import { features } from './device.ts'
import type { WordLayout } from './parameters.ts'
import { type Pipeline, pipelineFor } from './pipelines.ts'
import { planProduct, renderProduct } from './product.ts'
import {
  isSerial,
  isShareable,
  MOST_GROUPS,
  type Mode,
  renderWgsl,
  type Shader,
  WORKGROUP,
} from './render.ts'

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
/** From so many positions on there is work for all of a GPU; a workgroup then shares a loop only to read side by side. */
const manyPositions = 1024

/** Finds what was planned for a launch like this one, or plans it. `memories` numbers the operands' memories. */
export function planned(kernel: Kernel, launch: Launch, memories: readonly number[]): Planned {
  let sharing = 0
  for (let i = 0; i < memories.length; i++) sharing = sharing * 16 + memories[i]
  const key = `webgpu:plans:${featureKey()}:${sharing}`
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

// Shaders that use what a device has are kept apart from those that run everywhere.
function featureKey(): number {
  const { subgroups, f16 } = features()
  return (subgroups ? 1 : 0) + (f16 ? 2 : 0)
}

function product(extents: readonly number[]): number {
  return extents.reduce((n, extent) => n * extent, 1)
}

function plan(kernel: Kernel, launch: Launch, memories: readonly number[]): Planned {
  const attention = planAttention(kernel, launch, memories)
  if (attention !== null) {
    const { variant, groups } = attention
    const shader = shaderOf(kernel, `webgpu:${JSON.stringify(variant)}`, () =>
      renderAttention(kernel, variant),
    )
    const { outer, loop, operands } = launch
    return finish(
      kernel,
      launch,
      shader,
      outer,
      loop,
      operands.map(({ strides }) => strides),
      groups,
    )
  }
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
  const tiled = planProduct(kernel, launch, outer, outerStrides, loop, loopStrides, memories)
  if (tiled !== null) {
    const { variant } = tiled
    const key = `webgpu:product:${JSON.stringify(variant)}`
    const shader = shaderOf(kernel, key, () => renderProduct(kernel, variant))
    return finish(kernel, launch, shader, tiled.outer, tiled.loop, tiled.strides, tiled.groups)
  }
  const positions = product(outer)
  const steps = product(loop)
  const inner = loop.length - 1
  const sideBySide = inner >= 0 && loopStrides.some((s) => s[inner] === 1)
  const mode: Mode = isSerial(kernel)
    ? 'serial'
    : isShareable(kernel) && (positions < manyPositions ? steps >= 64 : sideBySide && steps >= 128)
      ? 'group'
      : 'each'
  const variant = { outerRank: outer.length, loopRank: loop.length, mode, memories, features: features() }
  const key = `webgpu:${featureKey()}:${mode}:${outer.length}:${loop.length}:${memories.join()}`
  const shader = shaderOf(kernel, key, () => renderWgsl(kernel, variant))
  const strides = outerStrides.map((s, o) => [...s, ...loopStrides[o]])
  const groups = mode === 'serial' ? 1 : mode === 'group' ? positions : Math.ceil(positions / WORKGROUP)
  return finish(kernel, launch, shader, outer, loop, strides, groups)
}

interface Compiled {
  readonly pipeline: Pipeline
  readonly layout: WordLayout
}

function shaderOf(kernel: Kernel, key: string, render: () => Shader): Compiled {
  let shader = kernel.compiled.get(key) as Compiled | undefined
  if (shader === undefined) {
    const { code, written, layout, text } = render()
    shader = { pipeline: pipelineFor(kernel.name, code, written, layout.words, text), layout }
    kernel.compiled.set(key, shader)
  }
  return shader
}

function finish(
  kernel: Kernel,
  launch: Launch,
  shader: Compiled,
  outer: readonly number[],
  loop: readonly number[],
  strides: readonly (readonly number[])[],
  groups: number,
): Planned {
  const { layout } = shader
  const words = new Int32Array(layout.words)
  outer.forEach((extent, d) => {
    words[layout.outerExtent(d)] = extent
  })
  loop.forEach((extent, d) => {
    words[layout.loopExtent(d)] = extent
  })
  launch.operands.forEach(({ atStrides = [] }, o) => {
    strides[o].forEach((stride, d) => {
      words[layout.stride(o, d)] = stride
    })
    if (atStrides.length > maximumAt) throw new RuntimeError(`kernel ${kernel.name}: too many coordinates`)
    atStrides.forEach((stride, i) => {
      words[layout.atStride(o, i)] = stride
    })
  })
  return { ...shader, words, x: Math.min(groups, MOST_GROUPS), y: Math.ceil(groups / MOST_GROUPS) }
}
