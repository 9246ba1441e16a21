// The order of work: commands are gathered, then encoded into one submission. Commands may come before there is a device;
// they wait. Memory gets its buffer, and gives it back, at its place in this order.

import { RuntimeError } from '../../core/errors.ts'
import { lostCount, obstacle, onLost, ready, start, usage } from './device.ts'
import type { Memory } from './memory.ts'
import { type Dispatch, Run } from './merging.ts'
import { type Pipeline, PipelineLayouts } from './pipelines.ts'
import { BufferPool, type PooledBuffer, sizeClass } from './pool.ts'
import { BLOCK_ALIGNMENT } from './shader-text.ts'

/** JavaScript at its place in the order of work. */
interface Computation {
  readonly kind: 'compute'
  readonly inputs: readonly Memory[]
  readonly outputs: readonly Memory[]
  readonly run: (inputs: readonly Uint8Array[]) => readonly Uint8Array[]
}

type Command =
  | Dispatch
  | { readonly kind: 'upload'; readonly memory: Memory; readonly bytes: Uint8Array }
  | { readonly kind: 'free'; readonly memory: Memory }
  | Computation
  | {
      readonly kind: 'read'
      readonly memory: Memory
      /** Both multiples of 4. */
      readonly start: number
      readonly nbytes: number
      readonly done: (bytes: Uint8Array) => void
      readonly failed: (error: Error) => void
    }

/** Dispatches after which commands are submitted even if nobody waits for them. */
const MOST_DISPATCHES = 512
/** Counts of what was done so far. */
export interface QueueCounts {
  dispatches: number
  submissions: number
}

export class CommandQueue {
  readonly pool: BufferPool
  readonly counts: QueueCounts = { dispatches: 0, submissions: 0 }
  private commands: Command[] = []
  private dispatches = 0
  private words = new Int32Array(4096)
  private usedBytes = 0
  private batch = 0
  private generation = 0
  private layouts: PipelineLayouts | null = null
  private parameters: PooledBuffer | null = null
  private readonly staging = new Map<number, GPUBuffer[]>()
  private scheduled = false
  private failure: Error | null = null
  /** Commands wait for JavaScript that is between them. */
  private computing = false

  constructor() {
    this.pool = new BufferPool(() => this.generation++)
    onLost(() => this.lose())
  }

  /** Room for a parameter block: the words, and where they start. Fill it before the next call. */
  block(nbytes: number): { words: Int32Array; start: number } {
    const start = this.usedBytes >> 2
    this.usedBytes = Math.ceil((this.usedBytes + nbytes) / BLOCK_ALIGNMENT) * BLOCK_ALIGNMENT
    while (this.usedBytes > this.words.byteLength) {
      const larger = new Int32Array(this.words.length * 2)
      larger.set(this.words)
      this.words = larger
    }
    return { words: this.words, start }
  }

  /** Runs a shader whose parameter block starts at word `start`. */
  dispatch(pipeline: Pipeline, memories: readonly Memory[], start: number, x: number, y: number): void {
    for (let i = 0; i < memories.length; i++) if (pipeline.written[i]) memories[i].host = null
    this.push({ kind: 'dispatch', pipeline, memories, offset: start * 4, x, y })
    if (++this.dispatches >= MOST_DISPATCHES) this.flush()
  }

  /** Writes all bytes of a memory; they are not copied. */
  upload(memory: Memory, bytes: Uint8Array): void {
    memory.wrote(bytes)
    this.push({ kind: 'upload', memory, bytes })
  }

  /** Gives memory, already marked as freed, back at its place in the order. */
  free(memory: Memory): void {
    this.push({ kind: 'free', memory })
  }

  /** A copy of some bytes, once everything before is done. Rejects with what went wrong on the device since. */
  read(memory: Memory, startByte: number, nbytes: number): Promise<Uint8Array> {
    return new Promise((done, failed) => {
      const first = Math.floor(startByte / 4) * 4
      const last = Math.ceil((startByte + nbytes) / 4) * 4
      this.push({
        kind: 'read',
        memory,
        start: first,
        nbytes: last - first,
        done: (bytes) => done(bytes.slice(startByte - first, startByte - first + nbytes)),
        failed,
      })
      this.flush()
    })
  }

  /** Runs JavaScript once everything before is done; everything after waits for it. Of outputs it gives all bytes. */
  compute(inputs: readonly Memory[], outputs: readonly Memory[], run: Computation['run']): void {
    for (const output of outputs) output.host = null
    this.push({ kind: 'compute', inputs, outputs, run })
  }

  private push(command: Command): void {
    this.commands.push(command)
    if (this.scheduled) return
    this.scheduled = true
    // When the program next waits for something, the device starts on what there is.
    queueMicrotask(() => {
      this.scheduled = false
      this.flush()
    })
  }

  /** Submits what was gathered; where there is no device yet, when it is there. */
  flush(): void {
    if (this.commands.length === 0 || this.computing) return
    const device = ready()
    if (device === null) {
      const why = obstacle()
      if (why !== null) this.drop(why)
      else
        start().then(
          () => this.flush(),
          (error: Error) => this.drop(error),
        )
      return
    }
    if (this.layouts?.device !== device) this.adopt(device)
    this.encode(device)
  }

  private adopt(device: GPUDevice): void {
    this.layouts = new PipelineLayouts(device)
    this.generation++
    this.parameters = null
    this.failure = null
    this.pool.reset()
    this.staging.clear()
    device.addEventListener('uncapturederror', (event) => {
      this.failure ??= new RuntimeError(`WebGPU: ${event.error.message}`)
    })
  }

  private drop(error: Error): void {
    const { commands } = this
    this.forgetCommands()
    for (const command of commands) if (command.kind === 'read') command.failed(error)
  }

  private lose(): void {
    const why = obstacle()
    if (why !== null) this.drop(why)
    this.pool.reset()
  }

  private forgetCommands(): void {
    this.commands = []
    this.dispatches = 0
    this.usedBytes = 0
  }

  private encode(device: GPUDevice): void {
    const { pool } = this
    // What follows JavaScript waits for it.
    const stop = this.commands.findIndex(({ kind }) => kind === 'compute')
    const computation = stop < 0 ? null : (this.commands[stop] as Computation)
    const commands = (stop < 0 ? this.commands : this.commands.slice(0, stop)) as Exclude<
      Command,
      Computation
    >[]
    const layouts = this.layouts!
    const batch = ++this.batch
    const parameters = this.parameterBuffer(device)
    const buffersOf = (memory: Memory): PooledBuffer => {
      memory.buffer ??= pool.take(device, memory.nbytes)
      memory.buffer.batch = batch
      return memory.buffer
    }
    if (this.usedBytes > 0) device.queue.writeBuffer(parameters.buffer, 0, this.words, 0, this.usedBytes >> 2)
    const encoder = device.createCommandEncoder()
    const reads: { command: Extract<Command, { kind: 'read' }>; buffer: GPUBuffer }[] = []
    let pass: GPUComputePassEncoder | null = null
    let last: GPUComputePipeline | null = null
    const dispatch = ({ pipeline, memories, offset, x, y }: Dispatch, pieces = 1): void => {
      if (pass === null) {
        pass = encoder.beginComputePass()
        last = null
      }
      const compiled = pipeline.pipeline(device, layouts)
      if (compiled !== last) pass.setPipeline(compiled)
      last = compiled
      const buffers = memories.map(buffersOf)
      pass.setBindGroup(0, pipeline.bindGroup(layouts, parameters, buffers, this.generation), [offset])
      pass.dispatchWorkgroups(x, y, pieces)
      this.counts.dispatches++
    }
    const endPass = (): void => {
      pass?.end()
      pass = null
    }
    // Neighbours that may become one dispatch, and memory that is given back once they are encoded.
    const run = new Run(device.limits.maxStorageBuffersPerShaderStage)
    let freed: Memory[] = []
    const endRun = (): void => {
      const merged = run.merged()
      if (merged !== null) dispatch(merged, run.dispatches.length)
      else for (const one of run.dispatches) dispatch(one)
      run.clear()
      for (const memory of freed) {
        if (memory.buffer !== null) pool.give(memory.buffer)
        memory.buffer = null
      }
      freed = []
    }
    for (const command of commands) {
      if (command.kind === 'free') {
        freed.push(command.memory)
        continue
      }
      if (command.kind !== 'dispatch' || !run.takes(command)) endRun()
      switch (command.kind) {
        case 'dispatch':
          run.add(command)
          break
        case 'upload': {
          // Written before the whole batch runs, so it must not go where an earlier command of the batch works.
          const { memory, bytes } = command
          if (memory.buffer !== null && memory.buffer.batch === batch) {
            pool.give(memory.buffer)
            memory.buffer = null
          }
          memory.buffer ??= pool.take(device, memory.nbytes, batch)
          memory.buffer.batch = batch
          writePadded(device, memory.buffer.buffer, bytes)
          break
        }
        case 'read': {
          endPass()
          const buffer = this.takeStaging(device, command.nbytes)
          const source = buffersOf(command.memory).buffer
          encoder.copyBufferToBuffer(source, command.start, buffer, 0, command.nbytes)
          reads.push({ command, buffer })
          break
        }
        default:
          command satisfies never
      }
    }
    endRun()
    endPass()
    const inputs = (computation?.inputs ?? []).map((memory) => {
      const nbytes = Math.ceil(memory.nbytes / 4) * 4
      const buffer = this.takeStaging(device, nbytes)
      encoder.copyBufferToBuffer(buffersOf(memory).buffer, 0, buffer, 0, nbytes)
      return buffer
    })
    device.queue.submit([encoder.finish()])
    this.counts.submissions++
    if (computation === null) this.forgetCommands()
    else {
      // Parameter blocks of what follows stay where they are.
      this.commands = this.commands.slice(stop + 1)
      this.computing = true
      void this.continueAfter(computation, inputs)
    }
    for (const read of reads) void this.finish(read.command, read.buffer)
  }

  /** Runs JavaScript between commands, then goes on with those that wait for it. */
  private async continueAfter(
    { inputs, outputs, run }: Computation,
    buffers: readonly GPUBuffer[],
  ): Promise<void> {
    const era = lostCount()
    try {
      const bytes = await Promise.all(buffers.map((buffer, i) => this.take(buffer, inputs[i].nbytes)))
      const results = run(bytes)
      const uploads = outputs.map((memory, i) => ({ kind: 'upload' as const, memory, bytes: results[i] }))
      // Of a lost device nothing is left to go on with.
      if (era === lostCount()) this.commands = [...uploads, ...this.commands]
    } catch (error) {
      this.failure ??= error as Error
    }
    this.computing = false
    this.flush()
  }

  /** The bytes that were copied to a staging buffer, which is kept for later. */
  private async take(buffer: GPUBuffer, nbytes: number): Promise<Uint8Array> {
    const whole = Math.ceil(nbytes / 4) * 4
    await buffer.mapAsync(1, 0, whole)
    const bytes = new Uint8Array(buffer.getMappedRange(0, whole)).slice(0, nbytes)
    buffer.unmap()
    const list = this.staging.get(buffer.size)
    if (list === undefined) this.staging.set(buffer.size, [buffer])
    else if (list.length < 4) list.push(buffer)
    else buffer.destroy()
    return bytes
  }

  private async finish(command: Extract<Command, { kind: 'read' }>, buffer: GPUBuffer): Promise<void> {
    try {
      const bytes = await this.take(buffer, command.nbytes)
      const { failure } = this
      this.failure = null
      if (failure !== null) command.failed(failure)
      else command.done(bytes)
    } catch (error) {
      command.failed(obstacle() ?? (error as Error))
    }
  }

  private takeStaging(device: GPUDevice, nbytes: number): GPUBuffer {
    const size = sizeClass(nbytes)
    return (
      this.staging.get(size)?.pop() ??
      device.createBuffer({ size, usage: usage.mapRead | usage.copyDestination })
    )
  }

  private parameterBuffer(device: GPUDevice): PooledBuffer {
    if (this.parameters === null || this.parameters.size < this.words.byteLength) {
      this.parameters?.buffer.destroy()
      const size = Math.max(this.words.byteLength, 2 ** 18)
      const buffer = device.createBuffer({ size, usage: usage.uniform | usage.copyDestination })
      this.parameters = { buffer, id: --this.parameterId, size, batch: 0 }
    }
    return this.parameters
  }

  private parameterId = 0
}

/** Writes bytes whose number may be no multiple of 4; the rest of the last word becomes 0. */
function writePadded(device: GPUDevice, buffer: GPUBuffer, bytes: Uint8Array): void {
  const whole = bytes.byteLength - (bytes.byteLength % 4)
  if (whole > 0) device.queue.writeBuffer(buffer, 0, bytes as Uint8Array<ArrayBuffer>, 0, whole)
  if (whole === bytes.byteLength) return
  const rest = new Uint8Array(4)
  rest.set(bytes.subarray(whole))
  device.queue.writeBuffer(buffer, whole, rest)
}
