// The WebGPU backend: allocations, launches and reads, in the order of the command queue. Nothing here waits.

import { allDTypes, type DType, uint8 } from '../../core/dtype.ts'
import { OutOfMemoryError, RuntimeError, UnsupportedKernelError } from '../../core/errors.ts'
import { type Kernel, KernelBuilder, type Launch } from '../../kernels/kernel.ts'
import { type Allocation, type Backend, backendFor } from '../backend.ts'
import { flatLaunch } from '../launch-shape.ts'
import { recording } from '../recording.ts'
import { lostCount, obstacle, ready } from './device.ts'
import { putScalar } from './parameters.ts'
import { type Planned, planned } from './plan.ts'
import { GpuAllocation, type Memory } from './pool.ts'
import { CommandQueue } from './queue.ts'

/** Allocations hold at least so many bytes of ballast, so that many small ones are collected, too. */
const LEAST_BALLAST = 4096
/** Bytes written by JavaScript are kept, so that indices can be checked without waiting, up to so many. */
const MOST_KNOWN = 4 * 2 ** 20

const consecutive: readonly number[] = [1]
/** Marks kernels that no shader can compute. */
const onHostKey = 'webgpu:host'

class WebGpuBackend implements Backend {
  readonly type = 'webgpu' as const
  readonly queue: CommandQueue = new CommandQueue()
  /** Bytes that tensors hold at most. WebGPU does not tell how much memory there is. */
  limit: number = 4 * 2 ** 30
  /** Bytes that tensors hold. */
  live = 0
  /** Allocations that tensors hold. */
  count = 0
  generatedLaunches = 0
  /** Every device binds 8 buffers. */
  readonly fusion = { afterLoops: true, mostOperands: 8 } as const

  // Held by the memory, not by the allocation: that one is gone by then.
  private readonly registry = new FinalizationRegistry<Memory>((memory) => this.release(memory))

  refusal(dtype: DType): string | null {
    if (dtype.name === 'float64')
      return 'float64 does not exist on WebGPU, whose shaders have no 64-bit floating numbers; use float32, or keep the tensor on the CPU'
    if (!allDTypes.includes(dtype) || dtype.itemsize > 8)
      return `${dtype.name} is not supported on WebGPU; keep the tensor on the CPU`
    return null
  }

  allocate(nbytes: number): Allocation {
    const why = obstacle()
    if (why !== null) throw why
    if (this.live + nbytes > this.limit)
      throw new OutOfMemoryError(
        `WebGPU: ${nbytes} bytes do not fit: tensors hold ${this.live} of ${this.limit} bytes (torch.webgpu.setMemoryLimit). Await something in the loop, so that tensors that nobody uses any more can be found`,
      )
    const allocation = new GpuAllocation(nbytes)
    allocation.ballast = new ArrayBuffer(Math.max(nbytes, LEAST_BALLAST))
    this.registry.register(allocation, allocation.memory, allocation)
    this.live += nbytes
    this.count++
    if (recording.recorder !== null) recording.recorder.allocated(allocation)
    return allocation
  }

  owns(allocation: Allocation): boolean {
    return allocation instanceof GpuAllocation
  }

  forget(allocation: Allocation, message: string): void {
    this.free(allocation)
    ;(allocation as GpuAllocation).forgotten = message
  }

  free(allocation: Allocation): void {
    const { memory } = allocation as GpuAllocation
    this.registry.unregister(allocation as GpuAllocation)
    ;(allocation as GpuAllocation).ballast = null
    this.release(memory)
  }

  private release(memory: Memory): void {
    if (memory.freed) return
    this.live -= memory.nbytes
    this.count--
    // A buffer of a lost device must not serve another one.
    if (memory.era === lostCount()) this.queue.free(memory)
    else memory.freed = true
  }

  launch(kernel: Kernel, launch: Launch): void {
    if (recording.recorder !== null) {
      recording.recorder.launch(this, kernel, launch)
      return
    }
    for (let d = 0; d < launch.outer.length; d++) if (launch.outer[d] === 0) return
    const why = obstacle()
    if (why !== null) throw why
    const { operands } = launch
    const memories: Memory[] = []
    const copies: GpuAllocation[] = []
    const numbers: number[] = []
    for (let o = 0; o < operands.length; o++) {
      const memory = this.memoryOf(operands[o].storage as Allocation, copies)
      let number = memories.indexOf(memory)
      if (number < 0) number = memories.push(memory) - 1
      numbers.push(number)
    }
    this.generatedLaunches++
    const plan = this.planOf(kernel, launch, numbers, memories.length)
    if (plan === null) {
      this.launchOnHost(kernel, launch, numbers, memories)
      for (const copy of copies) this.free(copy)
      return
    }
    const { pipeline, layout, words, x, y } = plan
    const block = this.queue.block(pipeline.blockSize)
    block.words.set(words, block.start)
    for (let o = 0; o < operands.length; o++) block.words[block.start + layout.offset(o)] = operands[o].offset
    for (let i = 0; i < kernel.scalars.length; i++)
      putScalar(block.words, block.start + layout.scalar(i), kernel.scalars[i], launch.scalars[i])
    this.queue.dispatch(pipeline, memories, block.start, x, y)
    for (const copy of copies) this.free(copy)
  }

  /** The plan of a launch, or null where a shader cannot do it: it needs doubles, or a function that was never written in WGSL. */
  private planOf(kernel: Kernel, launch: Launch, numbers: readonly number[], count: number): Planned | null {
    if (kernel.compiled.has(onHostKey) || !fits(count)) return null
    try {
      return planned(kernel, launch, numbers)
    } catch (error) {
      if (!(error instanceof UnsupportedKernelError)) throw error
      kernel.compiled.set(onHostKey, true)
      return null
    }
  }

  /** Has the CPU run a launch once the values are there; slow, but it works, and in the right order. */
  private launchOnHost(
    kernel: Kernel,
    { operands, scalars, ...space }: Launch,
    numbers: readonly number[],
    memories: readonly Memory[],
  ): void {
    const written = memories.filter((_, m) =>
      numbers.some((number, o) => number === m && kernel.operands[o].access !== 'read'),
    )
    const given = [...scalars]
    const accesses = operands.map((operand) => ({ ...operand }))
    this.queue.compute(memories, written, (bytes) => {
      const host = backendFor('cpu')
      const allocations = bytes.map((part) => {
        const allocation = host.allocate(part.byteLength)
        host.bytes!(allocation).set(part)
        return allocation
      })
      try {
        const moved = accesses.map((access, o) => ({ ...access, storage: allocations[numbers[o]] }))
        host.launch(kernel, { ...space, operands: moved, scalars: given })
        return written.map((memory) =>
          host.bytes!(allocations[memories.indexOf(memory)]).slice(0, memory.nbytes),
        )
      } finally {
        for (const allocation of allocations) host.free(allocation)
      }
    })
  }

  compute(
    inputs: readonly Allocation[],
    outputs: readonly Allocation[],
    run: (inputs: readonly Uint8Array[]) => readonly Uint8Array[],
  ): void {
    if (recording.recorder !== null) for (const input of inputs) recording.recorder.accessed(input)
    const why = obstacle()
    if (why !== null) throw why
    const memoriesOf = (list: readonly Allocation[]) => list.map((one) => memoryIn(one as GpuAllocation))
    this.queue.compute(memoriesOf(inputs), memoriesOf(outputs), run)
  }

  launchFlat(
    kernel: Kernel,
    n: number,
    storages: readonly Allocation[],
    offsets: readonly number[],
    scalars: readonly (number | bigint | boolean)[],
  ): void {
    this.launch(kernel, flatLaunch(n, storages, offsets, scalars))
  }

  /** The device memory of an operand. A CPU tensor without dimensions goes with any device: a copy of it is made. */
  private memoryOf(allocation: Allocation, copies: GpuAllocation[]): Memory {
    if (allocation instanceof GpuAllocation) {
      return memoryIn(allocation)
    }
    const copy = this.allocate(allocation.nbytes) as GpuAllocation
    this.write(copy, backendFor('cpu').bytes!(allocation), 0)
    copies.push(copy)
    return copy.memory
  }

  /** Writes bytes that JavaScript has, from byte `offset` on. */
  write(allocation: Allocation, bytes: Uint8Array, offset: number): void {
    if (recording.recorder !== null) recording.recorder.accessed(allocation)
    const { memory } = allocation as GpuAllocation
    if (bytes.byteLength === 0) return
    if (offset === 0 && bytes.byteLength === memory.nbytes) {
      this.queue.upload(memory, bytes.slice())
      if (memory.nbytes > MOST_KNOWN) memory.host = null
      return
    }
    const part = this.allocate(bytes.byteLength) as GpuAllocation
    this.queue.upload(part.memory, bytes.slice())
    this.launch(copyBytes(), {
      outer: [bytes.byteLength],
      loop: [],
      operands: [
        { storage: part, offset: 0, strides: consecutive },
        { storage: allocation, offset, strides: consecutive },
      ],
      scalars: [],
    })
    this.free(part)
  }

  /** The bytes, where JavaScript wrote them and no kernel has changed them since; else null. */
  known(allocation: Allocation): Uint8Array | null {
    if (recording.recorder !== null) recording.recorder.accessed(allocation)
    return (allocation as GpuAllocation).memory.host
  }

  /** A copy of bytes once all that was launched before is done. Rejects where something went wrong on the device. */
  async read(allocation: Allocation, offset: number, nbytes: number): Promise<Uint8Array> {
    const why = obstacle()
    if (why !== null) throw why
    if (recording.recorder !== null) recording.recorder.accessed(allocation)
    if (nbytes === 0) return new Uint8Array(0)
    return this.queue.read(memoryIn(allocation as GpuAllocation), offset, nbytes)
  }
}

/** Whether a shader may bind so many buffers; every device allows 8. */
function fits(count: number): boolean {
  return count <= 8 || count <= (ready()?.limits.maxStorageBuffersPerShaderStage ?? 8)
}

/** The memory of an allocation. Throws where it was given back. */
function memoryIn({ memory, forgotten }: GpuAllocation): Memory {
  if (memory.freed) throw new RuntimeError(forgotten ?? 'WebGPU: this memory was freed')
  if (memory.era !== lostCount())
    throw new RuntimeError(
      'this tensor was on a WebGPU device that was lost, and its values with it: make it again',
    )
  return memory
}

let bytesKernel: Kernel | null = null

function copyBytes(): Kernel {
  if (bytesKernel === null) {
    const b = new KernelBuilder('copyBytes')
    const x = b.input(uint8)
    const out = b.output(uint8)
    b.write(out, b.read(x))
    bytesKernel = b.build()
  }
  return bytesKernel
}

export const webgpuBackend: WebGpuBackend = new WebGpuBackend()
