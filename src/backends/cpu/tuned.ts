// The short closed list of hand-written CPU kernels, each a faster form of a kernel of the same name.

import type { Kernel, Launch } from '../../kernels/kernel.ts'
import type { Arena } from './arena.ts'

type Tuned = (arena: Arena, kernel: Kernel, launch: Launch, pointers: readonly number[]) => boolean

const byName = new Map<string, Tuned>()

/** Runs the hand-written form of a kernel, if there is one and it covers this launch. */
export function tuned(arena: Arena, kernel: Kernel, launch: Launch, pointers: readonly number[]): boolean {
  return byName.get(kernel.name)?.(arena, kernel, launch, pointers) ?? false
}

export function registerTuned(name: string, run: Tuned): void {
  byName.set(name, run)
}
