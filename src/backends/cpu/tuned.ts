// The short closed list of hand-written CPU kernels, each a faster form of a kernel of the same name.

import type { Kernel, Launch } from '../../kernels/kernel.ts'
import type { Arena } from './arena.ts'

type Tuned = (arena: Arena, kernel: Kernel, launch: Launch, pointers: readonly number[]) => boolean

const byName = new Map<string, Tuned[]>()

/** Runs the first hand-written form of a kernel, if there are any, that covers this launch. */
export function tuned(arena: Arena, kernel: Kernel, launch: Launch, pointers: readonly number[]): boolean {
  const forms = byName.get(kernel.name)
  if (forms === undefined) return false
  for (let i = 0; i < forms.length; i++) if (forms[i](arena, kernel, launch, pointers)) return true
  return false
}

/** Adds a form of the kernels called `name`; those added before are asked first. */
export function registerTuned(name: string, run: Tuned): void {
  const forms = byName.get(name)
  if (forms === undefined) byName.set(name, [run])
  else forms.push(run)
}
