// What all devices have to say of a launch: its shape (extents and strides) as a key, under which what was worked out for
// it is found again; what it may have; what a flat one stands for.

import type { Launch } from '../kernels/kernel.ts'
import type { Allocation } from './backend.ts'

/** Operands may have at most this many `at` coordinates. native/evaluate.h has the same number. */
export const maximumAt = 4

const consecutive: readonly number[] = [1]

/** What `launchFlat` is given, as a launch like any other. */
export function flatLaunch(
  n: number,
  storages: readonly Allocation[],
  offsets: readonly number[],
  scalars: Launch['scalars'],
): Launch {
  const operands = storages.map((storage, o) => ({ storage, offset: offsets[o], strides: consecutive }))
  return { outer: [n], loop: [], operands, scalars }
}

// The three functions below walk a launch in the same order.

/** A number that hardly ever is the same for launches of different shapes. */
export function hashOf({ outer, loop, operands }: Launch): number {
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

/** All extents and strides of a launch. */
export function shapeOf({ outer, loop, operands }: Launch): number[] {
  const shape = [outer.length, loop.length, ...outer, ...loop]
  for (const { strides, atStrides } of operands) shape.push(...strides, ...(atStrides ?? []))
  return shape
}

/** Whether a launch has the shape that `shapeOf` gave. */
export function hasShape({ outer, loop, operands }: Launch, shape: readonly number[]): boolean {
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
