// The WebGPU backend: allocations, launches and reads, in the order in which they come. Nothing here waits. What does the work
// (engine.ts) is loaded with the first of them; until it is there they wait.

import { allDTypes, type DType, uint8 } from '../../core/dtype.ts'
import { OutOfMemoryError, RuntimeError } from '../../core/errors.ts'
import { type Kernel, KernelBuilder, type Launch } from '../../kernels/kernel.ts'
import { type Allocation, type Backend, backendFor } from '../backend.ts'
import { flatLaunch } from '../launch-shape.ts'
import { recording } from '../recording.ts'
import { fail, lostCount, obstacle } from './device.ts'
import type { Engine } from './engine.ts'
import { GpuAllocation, type Memory } from './memory.ts'

/** Allocations hold at least so many bytes of ballast, so that many small ones are collected, too. */
const LEAST_BALLAST = 4096

const consecutive: readonly number[] = [1]

class WebGpuBackend implements Backend {
  readonly type = 'webgpu' as const
  /** What does the work, once it is loaded. */
  engine: Engine | null = null
  private loading: Promise<Engine> | null = null
  private waiting: ((engine: Engine) => void)[] = []
  /** Bytes that tensors hold at most. WebGPU does not tell how much memory there is. */
  limit: number = 4 * 2 ** 30
  /** Bytes that tensors hold. */
  live = 0
  /** Allocations that tensors hold. */
  count = 0
  generatedLaunches = 0
  /** Every device binds 8 buffers. */
  readonly fusion = { afterLoops: true, mostOperands: 8 } as const

  readonly ownKernels: ReadonlySet<string> = new Set([
    'attention',
    'attention_queries_backward',
    'attention_keys_backward',
  ])

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
    memory.freed = true
    memory.host = null
    // A buffer of a lost device must not serve another one.
    if (memory.era === lostCount()) this.inOrder((engine) => engine.queue.free(memory))
  }

  /** Has the engine do something after all that it was given before: at once, or when it is loaded. */
  inOrder(work: (engine: Engine) => void): void {
    if (this.engine !== null) work(this.engine)
    else {
      this.waiting.push(work)
      // Who waits for a result hears of a failure.
      this.load().catch(() => {})
    }
  }

  /**
   * Loads the engine. What waits for it runs then, in its order.
   * @throws RuntimeError where its file cannot be had.
   */
  load(): Promise<Engine> {
    this.loading ??= import('./engine.ts').then(
      ({ Engine }) => {
        this.engine = new Engine()
        const { waiting } = this
        this.waiting = []
        for (const work of waiting) work(this.engine)
        return this.engine
      },
      (error: Error) => {
        this.loading = null
        this.waiting = []
        const failure = new RuntimeError(
          `the part of the library that works on WebGPU could not be loaded (${error.message}): its file must lie beside the library's own, as the package has it`,
        )
        fail(failure)
        throw failure
      },
    )
    return this.loading
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
    const { engine } = this
    if (engine !== null) engine.launch({ kernel, launch, memories, numbers })
    else {
      for (let o = 0; o < operands.length; o++)
        if (kernel.operands[o].access !== 'read') memories[numbers[o]].host = null
      const kept = lasting(launch)
      this.inOrder((engine) => engine.launch({ kernel, launch: kept, memories, numbers }))
    }
    for (const copy of copies) this.free(copy)
  }

  compute(
    inputs: readonly Allocation[],
    outputs: readonly Allocation[],
    run: (inputs: readonly Uint8Array[]) => readonly Uint8Array[],
  ): void {
    if (recording.recorder !== null) for (const input of inputs) recording.recorder.accessed(input)
    const why = obstacle()
    if (why !== null) throw why
    const [read, written] = [inputs, outputs].map((list) => list.map((one) => memoryIn(one as GpuAllocation)))
    for (const memory of written) memory.host = null
    this.inOrder((engine) => engine.queue.compute(read, written, run))
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
      this.upload(memory, bytes.slice())
      return
    }
    const part = this.allocate(bytes.byteLength) as GpuAllocation
    this.upload(part.memory, bytes.slice())
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

  private upload(memory: Memory, bytes: Uint8Array): void {
    memory.wrote(bytes)
    this.inOrder((engine) => engine.queue.upload(memory, bytes))
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
    const memory = memoryIn(allocation as GpuAllocation)
    if (this.engine !== null) return this.engine.queue.read(memory, offset, nbytes)
    // At its place in the order, which is now.
    const bytes = new Promise<Uint8Array>((done) =>
      this.inOrder((engine) => done(engine.queue.read(memory, offset, nbytes))),
    )
    return Promise.race([bytes, this.load().then(() => bytes)])
  }
}

/** A copy of a launch that stays as it is whatever becomes of the caller's. */
function lasting({ outer, loop, operands, scalars }: Launch): Launch {
  return {
    outer: [...outer],
    loop: [...loop],
    operands: operands.map((operand) => ({ ...operand, strides: [...operand.strides] })),
    scalars: [...scalars],
  }
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
