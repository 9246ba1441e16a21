// The one interface between the library and a device: allocate, launch, read, write.

import type { DeviceType } from '../core/device.ts'
import type { DType } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import type { Kernel, Launch } from '../kernels/kernel.ts'

/** A stretch of device memory. Only its own backend knows more. */
export interface Allocation {
  readonly nbytes: number
}

export interface Backend {
  readonly type: DeviceType
  /** Memory with unspecified contents. Throws OutOfMemoryError. */
  allocate(nbytes: number): Allocation
  /** Gives memory back at once; the allocation must not be used again. */
  free(allocation: Allocation): void
  /** Runs a kernel. `Access.storage` holds an Allocation, offsets and strides count elements. */
  launch(kernel: Kernel, launch: Launch): void
  /**
   * Runs a kernel without loops over `n` consecutive elements of every operand: what `launch` would do, with
   * less to work out. `offsets` are element indices.
   */
  launchFlat(
    kernel: Kernel,
    n: number,
    storages: readonly Allocation[],
    offsets: readonly number[],
    scalars: readonly (number | bigint | boolean)[],
  ): void
  /**
   * Prepares launches that will run many times, in this order, on the memory that they name. Without it a graph
   * launches one after the other.
   */
  program?(launches: readonly ProgramLaunch[]): Program
  /**
   * Makes an allocation a part of another one, `offset` bytes from its start, without its contents. Its own memory is
   * given back; from now on it lives as long as the other.
   */
  embed?(allocation: Allocation, within: Allocation, offset: number): void
  /** Gives memory back; whoever uses the allocation all the same gets a RuntimeError with this message. */
  forget?(allocation: Allocation, message: string): void
  /** Sorts lines in linear time. Elsewhere sorting is made of kernels. */
  sort?(request: SortRequest): void
  /**
   * What a captured graph may make of this backend's kernels, where it differs from the usual: whether pointwise work may follow in
   * a kernel with loops, and how many operands a kernel may have.
   */
  readonly fusion?: { readonly afterLoops: boolean; readonly mostOperands: number }
  /** Names of kernels without stages that this backend has code of its own for. Elsewhere they are compositions. */
  readonly ownKernels?: ReadonlySet<string>
  /** How many launches ran code generated from their kernel so far, and not a hand-written form of it. */
  readonly generatedLaunches?: number
  /**
   * The bytes themselves, where the device can be read synchronously; valid until the next allocation or launch, and until
   * other bytes are asked for that do not fit beside them.
   */
  bytes?(allocation: Allocation): Uint8Array
  // What devices have that cannot be read synchronously:
  /** Whether an allocation is this backend's. */
  owns?(allocation: Allocation): boolean
  /** Writes bytes from byte `offset` on. They are copied. */
  write?(allocation: Allocation, bytes: Uint8Array, offset: number): void
  /** A copy of some bytes, once all work given to the device before is done. */
  read?(allocation: Allocation, offset: number, nbytes: number): Promise<Uint8Array>
  /** The bytes, where JavaScript wrote them and no kernel has changed them since; else null. Not to be written to. */
  known?(allocation: Allocation): Uint8Array | null
  /**
   * Computes in JavaScript, at its place in the order of work: `run` gets the bytes of the inputs and gives all bytes of the
   * outputs. What it throws, the next read rejects with.
   */
  compute?(
    inputs: readonly Allocation[],
    outputs: readonly Allocation[],
    run: (inputs: readonly Uint8Array[]) => readonly Uint8Array[],
  ): void
  /** A faster way between open files and this device's memory than Node's own; null where there is none. */
  fileTransfers?(): FileTransfers | null
  /** Why there can be no tensors of a dtype, or null where there can. */
  refusal?(dtype: DType): string | null
}

/** Lines of numbers to be sorted: `outer` times `step` lines of `n` elements lie side by side, `step` apart, in C order. */
export interface SortRequest {
  readonly dtype: DType
  readonly source: Allocation
  /** The element at which the first line starts. */
  readonly offset: number
  readonly outer: number
  readonly n: number
  readonly step: number
  /** From the largest down. Equal elements stay in their order; NaN is the largest, -0 equals 0. */
  readonly descending: boolean
  /** How many places of the sorted order are wanted, and the first of them, given how many elements of the line are NaN. */
  readonly count: number
  from(nans: number): number
  /** Take the elements at these places and their positions in the line, laid out as the lines are. */
  readonly values: Allocation | null
  readonly positions: Allocation
  /** Positions are int32 numbers, not int64. */
  readonly narrow: boolean
}

/** Moves bytes between open files and memory. Both return the CRC-32 of the bytes, or a negative number on failure. */
export interface FileTransfers {
  readSummed(descriptor: number, position: number, target: Uint8Array): number
  writeSummed(descriptor: number, position: number, source: Uint8Array): number
}

/** A kernel with all that a launch of it needs. */
export interface ProgramLaunch extends Launch {
  readonly kernel: Kernel
}

/** Launches prepared by `Backend.program`. */
export interface Program {
  run(): void
  /** Changes the numbers given to one of the launches. */
  setScalars(index: number, scalars: Launch['scalars']): void
}

const backends = new Map<DeviceType, Backend>()

export function registerBackend(backend: Backend): void {
  backends.set(backend.type, backend)
}

/** The backend of a device type. Throws RuntimeError where there is none. */
export function backendFor(type: DeviceType): Backend {
  const backend = backends.get(type)
  if (backend === undefined)
    throw new RuntimeError(
      `no backend for device '${type}' in this build; available: ${[...backends.keys()].join(', ')}`,
    )
  return backend
}

/** The backend that made an allocation. */
export function backendOf(allocation: Allocation): Backend {
  for (const backend of backends.values()) if (backend.owns?.(allocation)) return backend
  return backendFor('cpu')
}
