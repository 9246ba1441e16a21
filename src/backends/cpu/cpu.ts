// The CPU backend: compiles kernels to WebAssembly when first launched in a layout, and launches them over the arena.

import { OutOfMemoryError } from '../../core/errors.ts'
import { hostMath } from '../../kernels/hostmath.ts'
import type { Kernel, Launch } from '../../kernels/kernel.ts'
import type { Allocation, Backend, FileTransfers, Program, ProgramLaunch, SortRequest } from '../backend.ts'
import { flatLaunch } from '../launch-shape.ts'
import { recording } from '../recording.ts'
import { Arena, type ArenaAllocation } from './arena.ts'
import { costOf } from './cost.ts'
import { type Layout, type ParameterBlock, parameterBlock } from './layout.ts'
import { native } from './native.ts'
import { nativeFlatProgram, nativeProgram } from './native-launch.ts'
import { type Compiled, prepare } from './prepared.ts'
import { CpuProgram } from './program.ts'
import { render } from './render.ts'
import { putScalar } from './scalars.ts'
import './native-product.ts'
import './gemm.ts'
import './small-product.ts'
import { sortLines } from './sort.ts'
import { chunkOf, LEAST_WORK, runsOnWorkers } from './split.ts'
import { runOnThreads } from './threads.ts'
import { tuned } from './tuned.ts'
import { lanesOf } from './vectorize.ts'

/** Where launch parameters are written. */
const PARAMS = 64

class CpuBackend implements Backend {
  readonly type = 'cpu' as const
  readonly arena: Arena = new Arena()
  generatedLaunches = 0

  private untilNative = 16 * 2 ** 20

  allocate(nbytes: number): Allocation {
    // Who allocates much gets the addon's word on what the garbage collector found dead.
    if (this.untilNative > 0) {
      this.untilNative -= nbytes
      if (this.untilNative <= 0) native(this.arena)
    }
    let allocation: Allocation
    try {
      allocation = this.arena.allocate(nbytes)
    } catch (error) {
      this.makeRoom(nbytes, error)
      allocation = this.arena.allocate(nbytes)
    }
    if (recording.recorder !== null) recording.recorder.allocated(allocation)
    return allocation
  }

  // Between launches everything may be moved out, also what was just read or what a failed launch would have used.
  private makeRoom(nbytes: number, error: unknown): void {
    if (!(error instanceof OutOfMemoryError) || nbytes > this.arena.maximumBytes) throw error
    this.arena.startOver()
  }

  free(allocation: Allocation): void {
    this.arena.free(allocation as ArenaAllocation)
  }

  program(launches: readonly ProgramLaunch[]): Program {
    return new CpuProgram(this.arena, launches)
  }

  embed(allocation: Allocation, within: Allocation, offset: number): void {
    this.arena.embed(allocation as ArenaAllocation, within as ArenaAllocation, offset)
  }

  forget(allocation: Allocation, message: string): void {
    this.arena.forget(allocation as ArenaAllocation, message)
  }

  bytes(allocation: Allocation): Uint8Array {
    if (recording.recorder !== null) recording.recorder.accessed(allocation)
    let pointer: number
    try {
      pointer = this.arena.locate(allocation as ArenaAllocation)
    } catch (error) {
      this.makeRoom(allocation.nbytes, error)
      pointer = this.arena.locate(allocation as ArenaAllocation)
    }
    return this.arena.heap.u8.subarray(pointer, pointer + allocation.nbytes)
  }

  sort(request: SortRequest): void {
    const { arena } = this
    const { source, values, positions, dtype } = request
    for (const allocation of [source, values, positions])
      if (allocation !== null) recording.recorder?.accessed(allocation)
    arena.clock++
    const locate = (allocation: Allocation) => arena.locate(allocation as ArenaAllocation)
    const run = () =>
      sortLines(
        arena,
        request,
        locate(source) + request.offset * dtype.itemsize,
        values === null ? 0 : locate(values),
        locate(positions),
      )
    try {
      run()
    } catch {
      arena.startOver()
      run()
    }
    arena.clock++
  }

  private readonly compile = (kernel: Kernel, layout: Layout): Compiled => {
    const known = kernel.compiled.get(layout.key) as Compiled | undefined
    if (known !== undefined) return known
    const { bytes, imports } = render(kernel, layout, this.arena)
    const env: Record<string, WebAssembly.ImportValue> = { memory: this.arena.memory }
    for (const { name } of imports) env[name] = hostMath[name as keyof typeof hostMath]
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env })
    const compiled: Compiled = {
      run: instance.exports.run as Compiled['run'],
      block: parameterBlock(kernel, layout),
      layout,
      cost: costOf(kernel, layout),
      shareable: runsOnWorkers(imports),
      bytes,
    }
    kernel.compiled.set(layout.key, compiled)
    return compiled
  }

  launch(kernel: Kernel, launch: Launch): void {
    if (recording.recorder !== null) {
      recording.recorder.launch(this, kernel, launch)
      return
    }
    for (let d = 0; d < launch.outer.length; d++) if (launch.outer[d] === 0) return
    const { arena } = this
    arena.clock++
    const pointers: number[] = []
    try {
      this.locateOperands(kernel, launch, pointers)
    } catch {
      arena.startOver()
      this.locateOperands(kernel, launch, pointers)
    }
    if (tuned(this.arena, kernel, launch, pointers)) {
      arena.clock++
      return
    }
    const prepared = prepare(kernel, launch, this.compile)
    const { block, words, outer, sharedWork } = prepared
    const { i32 } = arena.heap
    for (let o = 0; o < pointers.length; o++) i32[(PARAMS + block.pointer(o)) >> 2] = pointers[o]
    for (let i = pointers.length; i < words.length; i++) i32[(PARAMS >> 2) + i] = words[i]
    this.putScalars(kernel, block, launch.scalars)
    this.generatedLaunches++
    prepared.program ??= nativeProgram(arena, kernel, prepared)
    if (prepared.program >= 0) native(arena)!.run(prepared.program, PARAMS)
    else if (sharedWork === 0) prepared.run(PARAMS, 0, outer[0], 0)
    else this.share(prepared, outer[0], sharedWork)
    arena.clock++
  }

  private locateOperands(kernel: Kernel, launch: Launch, pointers: number[]): void {
    for (let o = 0; o < kernel.operands.length; o++) {
      const { storage, offset } = launch.operands[o]
      pointers[o] = this.arena.locate(storage as ArenaAllocation) + offset * kernel.operands[o].dtype.itemsize
    }
  }

  launchFlat(
    kernel: Kernel,
    n: number,
    storages: readonly Allocation[],
    offsets: readonly number[],
    scalars: readonly (number | bigint | boolean)[],
  ): void {
    if (n === 0) return
    if (recording.recorder !== null) {
      recording.recorder.launch(this, kernel, flatLaunch(n, storages, offsets, scalars))
      return
    }
    const { arena } = this
    arena.clock++
    let compiled = kernel.compiled.get(n < 4 ? 'flat1' : 'flat') as Compiled | undefined
    if (compiled === undefined) {
      compiled = this.compile(kernel, flatLayout(kernel, n >= 4))
      kernel.compiled.set(n < 4 ? 'flat1' : 'flat', compiled)
    }
    const { block } = compiled
    try {
      this.putFlat(kernel, block, storages, offsets)
    } catch {
      arena.startOver()
      this.putFlat(kernel, block, storages, offsets)
    }
    if (scalars.length > 0) this.putScalars(kernel, block, scalars)
    this.generatedLaunches++
    const work = n * compiled.cost.outer
    const program = n < 2048 ? -1 : nativeFlatProgram(arena, kernel, n)
    if (program >= 0) {
      arena.heap.i32[(PARAMS + block.outerExtent(0)) >> 2] = n
      native(arena)!.run(program, PARAMS)
    } else if (work < LEAST_WORK || !compiled.shareable || !kernel.parallel) compiled.run(PARAMS, 0, n, 0)
    else this.share(compiled, n, work)
    arena.clock++
  }

  fileTransfers(): FileTransfers | null {
    return native(this.arena)
  }

  private share(compiled: Compiled, extent: number, work: number): void {
    runOnThreads(this.arena, compiled, PARAMS, extent, chunkOf(extent, work, compiled.layout), work)
  }

  private putFlat(
    { operands }: Kernel,
    block: ParameterBlock,
    storages: readonly Allocation[],
    offsets: readonly number[],
  ): void {
    const { arena } = this
    for (let o = 0; o < operands.length; o++) {
      const pointer = arena.locate(storages[o] as ArenaAllocation) + offsets[o] * operands[o].dtype.itemsize
      // Read the views after locating: that may have grown the memory.
      const { i32 } = arena.heap
      i32[(PARAMS + block.pointer(o)) >> 2] = pointer
      i32[(PARAMS + block.stride(o, 0)) >> 2] = operands[o].dtype.itemsize
    }
  }

  private putScalars(
    kernel: Kernel,
    block: ParameterBlock,
    scalars: readonly (number | bigint | boolean)[],
  ): void {
    for (let i = 0; i < kernel.scalars.length; i++)
      putScalar(this.arena.heap, kernel.scalars[i], PARAMS + block.scalar(i), scalars[i])
  }
}

function flatLayout(kernel: Kernel, vector: boolean): Layout {
  const steps = kernel.operands.map(() => 1)
  const lanes = vector ? lanesOf(kernel, 'outer', steps) : 0
  let key = 1
  if (lanes > 0) key += 256 + steps.reduce((sum, step, o) => sum + 1024 * 3 ** o * step, 0)
  return {
    outerRank: 1,
    loopRank: 0,
    vector: lanes > 0 ? 'outer' : 'none',
    lanes,
    steps: lanes > 0 ? steps : [],
    key,
  }
}

export const cpuBackend: CpuBackend = new CpuBackend()
