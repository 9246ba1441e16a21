// Compiled shaders: one pipeline for each text, made when first encoded, with the bind groups that it was used with.

import type { PooledBuffer } from './pool.ts'
import { assemble, BLOCK_ALIGNMENT, blockBytes, type ShaderText } from './shader-text.ts'

/** A shader that can be dispatched. Known before there is a device; compiled when first encoded. */
export class Pipeline {
  private compiled: GPUComputePipeline | null = null
  private groups = new Map<string, GPUBindGroup>()
  private generation = -1
  /** Bytes of its parameter block, and from its start to that of the next one. */
  readonly blockSize: number
  readonly dispatchSize: number
  /** How often so many dispatches could have been one, and the shaders for it. */
  private readonly seen: number[] = []
  private readonly several: Pipeline[] = []

  constructor(
    readonly label: string,
    readonly code: string,
    /** For each memory whether it is written to. */
    readonly written: readonly boolean[],
    words: number,
    private readonly text: ShaderText | null = null,
    pieces = 1,
  ) {
    this.blockSize = blockBytes(words, pieces)
    this.dispatchSize = Math.ceil(this.blockSize / BLOCK_ALIGNMENT) * BLOCK_ALIGNMENT
  }

  /** The shader that does the work of so many dispatches of this one, or null as long as that is not worth compiling it. */
  merged(pieces: number): Pipeline | null {
    const { text } = this
    if (text === null) return null
    const seen = this.seen[pieces] ?? 0
    if (seen < worthMerging) {
      this.seen[pieces] = seen + 1
      return null
    }
    let pipeline = this.several[pieces]
    if (pipeline === undefined) {
      const written = Array.from({ length: pieces }, () => this.written).flat()
      pipeline = new Pipeline(this.label, assemble(text, pieces), written, text.words, null, pieces)
      this.several[pieces] = pipeline
    }
    return pipeline
  }

  get isMergeable(): boolean {
    return this.text !== null
  }

  /** `generation` counts the devices, and the times that buffers were destroyed. */
  pipeline(device: GPUDevice, layouts: PipelineLayouts): GPUComputePipeline {
    if (this.compiled === null || layouts.device !== this.device) {
      this.device = layouts.device
      this.compiled = device.createComputePipeline({
        label: this.label,
        layout: layouts.pipeline(this.written),
        compute: {
          module: device.createShaderModule({ label: this.label, code: this.code }),
          entryPoint: 'main',
        },
      })
    }
    return this.compiled
  }

  private device: GPUDevice | null = null

  bindGroup(
    layouts: PipelineLayouts,
    parameters: PooledBuffer,
    buffers: readonly PooledBuffer[],
    generation: number,
  ): GPUBindGroup {
    if (generation !== this.generation) {
      this.groups.clear()
      this.generation = generation
    }
    let key = String(parameters.id)
    for (const { id } of buffers) key += `,${id}`
    let group = this.groups.get(key)
    if (group === undefined) {
      if (this.groups.size >= mostGroups) this.groups.clear()
      group = layouts.device.createBindGroup({
        layout: layouts.group(this.written),
        entries: [
          { binding: 0, resource: { buffer: parameters.buffer, size: this.blockSize } },
          ...buffers.map(({ buffer }, i) => ({ binding: i + 1, resource: { buffer } })),
        ],
      })
      this.groups.set(key, group)
    }
    return group
  }
}

/** Dispatches that could be one are, once that has come up so often: a shader takes longer to compile than to run. */
const worthMerging = 2
/** Bind groups kept for each pipeline. */
const mostGroups = 256

const pipelines = new Map<string, Pipeline>()

/** The pipeline of a shader; the same one for the same text. */
export function pipelineFor(
  label: string,
  code: string,
  written: readonly boolean[],
  words: number,
  text: ShaderText | null,
): Pipeline {
  let pipeline = pipelines.get(code)
  if (pipeline === undefined) {
    pipeline = new Pipeline(label, code, written, words, text)
    pipelines.set(code, pipeline)
  }
  return pipeline
}

/** How many different shaders there are. */
export const pipelineCount = (): number => pipelines.size

/** The layouts of bind groups, by which of the memories are written to. */
export class PipelineLayouts {
  private readonly groups = new Map<string, GPUBindGroupLayout>()
  private readonly layouts = new Map<string, GPUPipelineLayout>()

  constructor(readonly device: GPUDevice) {}

  group(written: readonly boolean[]): GPUBindGroupLayout {
    const key = written.join()
    let layout = this.groups.get(key)
    if (layout === undefined) {
      const visibility = 4 // compute
      layout = this.device.createBindGroupLayout({
        entries: [
          { binding: 0, visibility, buffer: { type: 'uniform', hasDynamicOffset: true } },
          ...written.map((isWritten, i) => ({
            binding: i + 1,
            visibility,
            buffer: { type: isWritten ? ('storage' as const) : ('read-only-storage' as const) },
          })),
        ],
      })
      this.groups.set(key, layout)
    }
    return layout
  }

  pipeline(written: readonly boolean[]): GPUPipelineLayout {
    const key = written.join()
    let layout = this.layouts.get(key)
    if (layout === undefined) {
      layout = this.device.createPipelineLayout({ bindGroupLayouts: [this.group(written)] })
      this.layouts.set(key, layout)
    }
    return layout
  }
}
