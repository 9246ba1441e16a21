// What a captured call consists of: launches, host code, constants, in order. Data only; recorder.ts collects it.

import type { Allocation, Backend, ProgramLaunch } from '../backends/backend.ts'
import type { UpdateStep } from '../backends/recording.ts'
import type { Storage } from '../tensor/storage.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** A kernel was launched. */
export interface LaunchStep extends ProgramLaunch {
  readonly kind: 'launch'
  readonly backend: Backend
  /** Whether the code that ran was generated from the kernel, so that it may be generated anew. */
  readonly generated: boolean
  /** The update step whose JavaScript gave the scalars. */
  readonly update: UpdateStep<unknown> | null
}

/** JavaScript ran that is run again at each replay, and touched this memory. */
export interface HostStep {
  readonly kind: 'host'
  readonly run: () => void
  readonly touched: ReadonlySet<Allocation>
}

/** An update step begins: its launches follow, and their scalars are to be found out anew at each replay. */
export interface UpdateMark {
  readonly kind: 'update'
  readonly update: UpdateStep<unknown>
}

/** JavaScript wrote values into new memory. */
export interface ConstantStep {
  readonly kind: 'constant'
  readonly allocation: Allocation
  /** What was written; null until it is known to be complete. */
  bytes: Uint8Array | null
}

export type Step = LaunchStep | HostStep | UpdateMark | ConstantStep

/** All that one call did. */
export interface Recording {
  readonly steps: readonly Step[]
  /** Memory made during the call, which nothing outside knows unless it is returned or a leaf's gradient. */
  readonly made: ReadonlySet<Allocation>
  /** Storages from before the call that it used, and by how much it raised their versions. */
  readonly outside: ReadonlyMap<Storage, number>
  /** Leaves to which gradients were added, with the gradient before the first addition and the one at the end. */
  readonly leaves: ReadonlyMap<Tensor, { readonly before: Tensor | null; readonly after: Tensor | null }>
  /** Modules that were called, with the mode in which they were. */
  readonly modules: ReadonlyMap<{ readonly training: boolean }, boolean>
}
