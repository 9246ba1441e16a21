// What works for the WebGPU backend: shaders, pipelines, the queue of commands. Programs that never use a GPU never load it
// (webgpu.ts does, with the first allocation).

import { RuntimeError, UnsupportedKernelError } from '../../core/errors.ts'
import type { Kernel, Launch } from '../../kernels/kernel.ts'
import { backendFor } from '../backend.ts'
import { ready } from './device.ts'
import type { Memory } from './memory.ts'
import { putScalar } from './parameters.ts'
import { type Planned, planned } from './plan.ts'
import { CommandQueue } from './queue.ts'

/** Marks kernels that no shader can compute. */
const onHostKey = 'webgpu:host'

/** A launch whose operands are known by the memory they lie in: operand `o` is in `memories[numbers[o]]`. */
export interface PlacedLaunch {
  readonly kernel: Kernel
  readonly launch: Launch
  readonly memories: readonly Memory[]
  readonly numbers: readonly number[]
}

export class Engine {
  readonly queue: CommandQueue = new CommandQueue()

  launch(placed: PlacedLaunch): void {
    const { kernel, launch, memories, numbers } = placed
    const { operands } = launch
    const plan = this.planOf(kernel, launch, numbers, memories.length)
    if (plan === null) {
      this.launchOnHost(placed)
      return
    }
    const { pipeline, layout, words, x, y } = plan
    const block = this.queue.block(pipeline.blockSize)
    block.words.set(words, block.start)
    for (let o = 0; o < operands.length; o++) block.words[block.start + layout.offset(o)] = operands[o].offset
    for (let i = 0; i < kernel.scalars.length; i++)
      putScalar(block.words, block.start + layout.scalar(i), kernel.scalars[i], launch.scalars[i])
    this.queue.dispatch(pipeline, memories, block.start, x, y)
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
  private launchOnHost({ kernel, launch, memories, numbers }: PlacedLaunch): void {
    // A kernel of this device's own says nothing to the CPU, which would leave the results as they are.
    if (kernel.stages.length === 0)
      throw new RuntimeError(
        `WebGPU: this device cannot run the kernel ${kernel.name} on ${memories.length} tensors`,
      )
    const { operands, scalars, ...space } = launch
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
}

/** Whether a shader may bind so many buffers; every device allows 8. */
function fits(count: number): boolean {
  return count <= 8 || count <= (ready()?.limits.maxStorageBuffersPerShaderStage ?? 8)
}
