// What the CPU backend computes with, for people and for bug reports.

import { cpuBackend } from './cpu.ts'
import { native, nativeReason } from './native.ts'
import { getNumThreads } from './thread-count.ts'

/** How this build computes. */
export interface Config {
  /** The instruction set of the native addon (`avx512`, `avx2`, or `baseline`: SSE2 or NEON), or null without one. */
  readonly native: string | null
  /** Why there is no native addon, or null. */
  readonly nativeReason: string | null
  /** Whether the memory of tensors can be shared with other threads. */
  readonly sharedMemory: boolean
  readonly threads: number
}

/** How tensors on the CPU are computed with here: natively or in WebAssembly, on how many threads. Like `torch.__config__.show()`. */
export function config(): Config {
  const { arena } = cpuBackend
  return {
    native: native(arena)?.instructionSet() ?? null,
    nativeReason: nativeReason(arena),
    sharedMemory: arena.shared,
    threads: getNumThreads(),
  }
}
