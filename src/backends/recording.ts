// The slot through which a graph that is being captured sees what happens to memory. Empty at all other times, so that
// it costs one comparison. Who fills it: graph/.

import type { Kernel, Launch } from '../kernels/kernel.ts'
import type { Allocation, Backend } from './backend.ts'

/** What is told of the library's work while a graph is captured. Each member stands for what it is named after. */
export interface Recorder {
  launch(backend: Backend, kernel: Kernel, launch: Launch): void
  allocated(allocation: Allocation): void
  /** JavaScript is about to read or write the bytes of an allocation. Throws where that cannot be repeated. */
  accessed(allocation: Allocation): void
  /** A storage's memory is asked for. */
  used(storage: { version: number; readonly allocation: Allocation }): void
  /** A gradient is about to be added to a leaf's. */
  accumulates(leaf: { readonly grad: unknown }): void
  /** A module is called. */
  called(module: { readonly training: boolean }): void
  hostStep(run: () => void): void
  updateStep<R>(step: UpdateStep<R>): R
}

/** Work that does the same launches each time, but with other numbers: an optimizer's step. */
export interface UpdateStep<R> {
  run(): R
  /**
   * Where the numbers would be those of the last time: counts the step and returns true. Null where they change with
   * every step.
   */
  readonly repeat: (() => boolean) | null
}

/** Read by every launch. */
export const recording: { recorder: Recorder | null } = { recorder: null }

/**
 * Runs JavaScript that is part of a computation, such as drawing random numbers into a tensor or checking the values of
 * indices. A captured graph runs it again at every replay, on the same tensors.
 */
export function hostStep(run: () => void): void {
  if (recording.recorder === null) run()
  else recording.recorder.hostStep(run)
}
