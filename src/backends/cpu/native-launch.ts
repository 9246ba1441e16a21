// Which launches the native addon carries out: those of kernels that have a program, large enough to be worth a call.

import type { Kernel } from '../../kernels/kernel.ts'
import type { Arena } from './arena.ts'
import type { Plan } from './layout.ts'
import { native } from './native.ts'
import { type ProgramShape, programOf } from './native-program.ts'

/** Instructions times elements below which calling the addon costs more than it saves. */
const LEAST_WORK = 32768
/** Blocks shorter than this spend their time on the instructions, not on the elements; rows of a block, on copying them. */
const [LEAST_BLOCK, LEAST_ROW] = [48, 6]

interface Registered {
  readonly id: number
  readonly cost: number
}

const none: Registered = { id: -1, cost: 0 }

function registered(arena: Arena, kernel: Kernel, shape: ProgramShape): Registered {
  const key = `native ${shape.outerRank} ${shape.loopRank} ${shape.inner}`
  let found = kernel.compiled.get(key) as Registered | undefined
  if (found === undefined) {
    const addon = native(arena)
    const program = addon === null ? null : programOf(kernel, shape)
    found =
      program === null || addon === null
        ? none
        : { id: addon.program(program.code, program.constants), cost: program.cost }
    kernel.compiled.set(key, found)
  }
  return found
}

function choose(arena: Arena, kernel: Kernel, shape: ProgramShape, positions: number): number {
  // Even the costliest kernels are not worth a call, or loading the addon, for so few elements.
  if (positions * 16 < LEAST_WORK) return -1
  const { id, cost } = registered(arena, kernel, shape)
  return positions * cost < LEAST_WORK ? -1 : id
}

/** The number of the addon's program for a launch that is laid out, or -1 where WebAssembly does it. */
export function nativeProgram(arena: Arena, kernel: Kernel, { outer, loop, strides }: Plan): number {
  if (!kernel.parallel) return -1
  const positions = outer.reduce((a, b) => a * b, 1) * loop.reduce((a, b) => a * b, 1)
  const [outerRank, loopRank] = [outer.length, loop.length]
  const fits = (dim: number, extent: number, rows = 1) => {
    if (extent * rows < LEAST_BLOCK || extent < LEAST_ROW) return -1
    return strides.filter((s, o) => s[dim] === 0 || s[dim] === kernel.operands[o].dtype.itemsize).length
  }
  const alongOuter = fits(outerRank - 1, outer[outerRank - 1], outerRank > 1 ? outer[outerRank - 2] : 1)
  const rows = outerRank > 0 && loopRank === 1 ? outer[outerRank - 1] : 1
  const alongLoop = loopRank === 0 ? -1 : fits(outerRank + loopRank - 1, loop[loopRank - 1], rows)
  const ways = [
    { inner: true, fit: alongLoop },
    { inner: false, fit: alongOuter },
  ]
  for (const { inner, fit } of ways.sort((a, b) => b.fit - a.fit)) {
    if (fit < 0) continue
    const id = choose(arena, kernel, { outerRank, loopRank, inner }, positions)
    if (id >= 0) return id
  }
  return -1
}

const flat: ProgramShape = { outerRank: 1, loopRank: 0, inner: false }

/** The same for `n` consecutive elements of every operand. */
export function nativeFlatProgram(arena: Arena, kernel: Kernel, n: number): number {
  return kernel.parallel ? choose(arena, kernel, flat, n) : -1
}
