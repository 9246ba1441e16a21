// The block of launch parameters: a uniform array of vec4<i32> with offsets, extents, strides and scalars.

import type { Kernel } from '../../kernels/kernel.ts'
import { maximumAt } from '../launch-shape.ts'

/** Where each launch parameter lies in the block, in 32-bit words. */
export interface WordLayout {
  readonly offset: (operand: number) => number
  readonly outerExtent: (dim: number) => number
  readonly loopExtent: (dim: number) => number
  /** Dimensions of the loop space follow those of the outer one. */
  readonly stride: (operand: number, dim: number) => number
  readonly atStride: (operand: number, coordinate: number) => number
  readonly scalar: (slot: number) => number
  readonly words: number
}

/** The parameter block of a kernel for so many dimensions; strides are in elements, scalars take two words. */
export function wordLayout(kernel: Kernel, outerRank: number, loopRank: number): WordLayout {
  const n = kernel.operands.length
  const rank = outerRank + loopRank
  const strides = n + rank
  const at = strides + n * rank
  const scalars = at + n * maximumAt
  return {
    offset: (operand) => operand,
    outerExtent: (dim) => n + dim,
    loopExtent: (dim) => n + outerRank + dim,
    stride: (operand, dim) => strides + operand * rank + dim,
    atStride: (operand, coordinate) => at + operand * maximumAt + coordinate,
    scalar: (slot) => scalars + 2 * slot,
    words: scalars + 2 * kernel.scalars.length,
  }
}

/** The text of a word of the block, an i32. */
export function wordText(word: number): string {
  return `params[${word >> 2}].${'xyzw'[word & 3]}`
}

const one = new DataView(new ArrayBuffer(8))

/** Writes a launch's scalar as its two words. */
export function putScalar(
  words: Int32Array,
  at: number,
  type: Kernel['scalars'][number],
  value: number | bigint | boolean,
): void {
  switch (type) {
    case 'f32':
    case 'f64':
      one.setFloat32(0, Number(value))
      words[at] = one.getInt32(0)
      return
    case 'i64':
      one.setBigInt64(0, typeof value === 'bigint' ? value : BigInt(Math.trunc(Number(value))))
      words[at] = one.getInt32(4)
      words[at + 1] = one.getInt32(0)
      return
    default:
      words[at] = Number(value)
  }
}
