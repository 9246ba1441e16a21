// Small dispatches of one shader that follow each other and do not need each other's results become one dispatch: the updates
// of an optimizer, for example. The shader that does them all: shader-text.ts.

import type { Memory } from './memory.ts'
import type { Pipeline } from './pipelines.ts'

/** Workgroups of dispatches that become one with others: larger ones keep the GPU busy by themselves. */
const MOST_MERGED_GROUPS = 4096
/** Dispatches that become one. Each number of them is a shader of its own. */
const MOST_PIECES = 4

/** A shader's work on some memories. */
export interface Dispatch {
  readonly kind: 'dispatch'
  readonly pipeline: Pipeline
  readonly memories: readonly Memory[]
  /** Bytes from the start of the parameters. */
  readonly offset: number
  readonly x: number
  readonly y: number
}

/** Dispatches of one shader that follow each other, and of which none needs what another one does. */
export class Run {
  readonly dispatches: Dispatch[] = []
  private readonly used = new Set<Memory>()
  private readonly written = new Set<Memory>()

  constructor(
    /** How many memories a shader may use on this device. */
    private readonly mostMemories: number,
  ) {}

  /** Whether a dispatch may become one with those that are there. */
  takes({ pipeline, memories, offset, x, y }: Dispatch): boolean {
    const { dispatches, used, written } = this
    const n = dispatches.length
    if (n === 0 || n === MOST_PIECES || dispatches[0].pipeline !== pipeline) return false
    if ((n + 1) * memories.length > this.mostMemories || !pipeline.isMergeable) return false
    if (offset !== dispatches[0].offset + n * pipeline.dispatchSize || x * y > MOST_MERGED_GROUPS)
      return false
    return memories.every((memory, i) => (pipeline.written[i] ? !used.has(memory) : !written.has(memory)))
  }

  add(dispatch: Dispatch): void {
    this.dispatches.push(dispatch)
    dispatch.memories.forEach((memory, i) => {
      this.used.add(memory)
      if (dispatch.pipeline.written[i]) this.written.add(memory)
    })
  }

  /** All of them as one, or null where they stay as they are. */
  merged(): Dispatch | null {
    const { dispatches } = this
    if (dispatches.length < 2) return null
    const [first] = dispatches
    const pipeline = first.pipeline.merged(dispatches.length)
    if (pipeline === null || first.x * first.y > MOST_MERGED_GROUPS) return null
    return {
      ...first,
      pipeline,
      memories: dispatches.flatMap(({ memories }) => memories),
      x: Math.max(...dispatches.map(({ x }) => x)),
      y: Math.max(...dispatches.map(({ y }) => y)),
    }
  }

  clear(): void {
    this.dispatches.length = 0
    this.used.clear()
    this.written.clear()
  }
}
