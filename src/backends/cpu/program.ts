// Launches that always run in the same order on the same memory, as one WebAssembly module: a function for each, with
// its extents and strides as constants, and one that calls them all.

import { hostMath } from '../../kernels/hostmath.ts'
import type { Launch } from '../../kernels/kernel.ts'
import type { Program, ProgramLaunch } from '../backend.ts'
import { maximumAt } from '../launch-shape.ts'
import type { Arena, ArenaAllocation } from './arena.ts'
import { encodeModule, FunctionBuilder, type ImportedFunction } from './assembler.ts'
import { type ParameterBlock, type Plan, parameterBlock, plan } from './layout.ts'
import { renderFunction } from './render.ts'
import { putScalar } from './scalars.ts'

/** One launch in the program, its parameters `at` bytes from the start of the program's memory. */
interface Part {
  readonly launch: ProgramLaunch
  readonly block: ParameterBlock
  readonly at: number
  readonly plan: Plan
}

/** Pointers and scalars are read from memory at each run; blocks move when the arena evacuates, and scalars change. */
export class CpuProgram implements Program {
  private readonly parts: readonly Part[]
  private readonly memory: ArenaAllocation
  private readonly runAll: (params: number) => void
  /** The arena's count of moves when pointers were written. */
  private written = -1
  private base = 0

  constructor(
    private readonly arena: Arena,
    launches: readonly ProgramLaunch[],
  ) {
    let at = 0
    this.parts = launches.map((launch) => {
      const planned = plan(launch.kernel, launch)
      const block = parameterBlock(launch.kernel, planned.layout)
      const part = { launch, block, at, plan: planned }
      at += block.scalar(launch.kernel.scalars.length)
      return part
    })
    this.memory = arena.allocate(Math.max(8, at))
    this.runAll = this.compile()
  }

  private compile(): (params: number) => void {
    const imports: ImportedFunction[] = []
    const bodies = this.parts.map(({ launch, block, plan: { layout, outer, loop, strides } }) => {
      const known = new Map<number, number>()
      for (let d = 0; d < outer.length; d++) known.set(block.outerExtent(d), outer[d])
      for (let d = 0; d < loop.length; d++) known.set(block.loopExtent(d), loop[d])
      launch.operands.forEach(({ atStrides = [] }, o) => {
        for (let d = 0; d < strides[o].length; d++) known.set(block.stride(o, d), strides[o][d])
        const { itemsize } = launch.kernel.operands[o].dtype
        if (atStrides.length > maximumAt)
          throw new Error(`kernel ${launch.kernel.name}: too many coordinates`)
        for (let i = 0; i < atStrides.length; i++) known.set(block.atStride(o, i), atStrides[i] * itemsize)
      })
      return renderFunction(launch.kernel, layout, imports, known)
    })
    const all = new FunctionBuilder(['i32'])
    this.parts.forEach(({ at, plan: { outer } }, i) => {
      all.get(0)
      all.i32(at)
      all.op('i32.add')
      all.i32(0)
      all.i32(outer[0])
      all.call(imports.length + i)
    })
    const functions = bodies.map((body, i) => ({ name: `launch${i}`, body }))
    const bytes = encodeModule(imports, [...functions, { name: 'run', body: all }], this.arena)
    const env: Record<string, WebAssembly.ImportValue> = { memory: this.arena.memory }
    for (const { name } of imports) env[name] = hostMath[name as keyof typeof hostMath]
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), { env })
    return instance.exports.run as (params: number) => void
  }

  run(): void {
    const { arena } = this
    arena.clock++
    if (this.written !== arena.moves) this.locateAll()
    this.runAll(this.base)
    arena.clock++
  }

  // Brings everything into the arena and writes the pointers; where that moved other blocks, once more.
  private locateAll(): void {
    const { arena, parts, memory } = this
    const locate = () => {
      this.base = arena.locate(memory)
      for (const { launch } of parts)
        for (const { storage } of launch.operands) arena.locate(storage as ArenaAllocation)
    }
    try {
      locate()
    } catch {
      arena.startOver()
      locate()
    }
    const { i32 } = arena.heap
    const fresh = this.written < 0
    for (const { launch, block, at } of parts)
      launch.operands.forEach(({ storage, offset }, o) => {
        const pointer =
          arena.locate(storage as ArenaAllocation) + offset * launch.kernel.operands[o].dtype.itemsize
        i32[(this.base + at + block.pointer(o)) >> 2] = pointer
      })
    this.written = arena.moves
    if (fresh)
      this.parts.forEach(({ launch: { scalars } }, i) => {
        this.setScalars(i, scalars)
      })
  }

  setScalars(index: number, scalars: Launch['scalars']): void {
    const { arena } = this
    if (this.written !== arena.moves) {
      arena.clock++
      this.locateAll()
    }
    const { launch, block, at } = this.parts[index]
    const types = launch.kernel.scalars
    for (let i = 0; i < types.length; i++)
      putScalar(arena.heap, types[i], this.base + at + block.scalar(i), scalars[i])
  }
}
