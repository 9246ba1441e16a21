// SummaryWriter: what a program writes down while it trains, for TensorBoard to show. The messages are in summaries.ts,
// the files in event-file.ts.

import { TypeError_, ValueError } from '../../core/errors.ts'
import { nodeModule } from '../../core/node.ts'
import type { Module } from '../../nn/module.ts'
import { checkOptions, describe } from '../../ops/op.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { EventFile } from './event-file.ts'
import { graphOf } from './graph.ts'
import { encodePng } from './png.ts'
import type { Message } from './protobuf.ts'
import {
  defaultEdges,
  equalEdges,
  type HyperParameter,
  histogramSummary,
  hyperParameterSummaries,
  imageSummary,
  scalarSummary,
  textSummary,
} from './summaries.ts'

/** Options of `SummaryWriter`. */
export interface SummaryWriterOptions {
  /** Stands behind the default folder's name. */
  comment?: string
  /** How many seconds may pass until what was added is in the file; default 120. */
  flushSecs?: number
  /** Stands behind the file's name. */
  filenameSuffix?: string
}

/** Options of the methods that add something. */
export interface AddOptions {
  /** The time of the event in seconds since 1970; default now. */
  walltime?: number
}

/** Options of `addHistogram`. */
export interface HistogramOptions extends AddOptions {
  /** `'tensorflow'` (default) for buckets that grow by 10 %, a number of equal buckets, or ascending edges. */
  bins?: 'tensorflow' | number | readonly number[]
}

/** Options of `addImage`. */
export interface ImageOptions extends AddOptions {
  /** What the dimensions are: default `'CHW'`. */
  dataformats?: 'CHW' | 'HWC' | 'HW'
}

/** Options of `addHparams`. */
export interface HparamsOptions {
  /** The folder below the writer's that this run's values are in; default the time in milliseconds. */
  runName?: string
}

const openWriters = new Set<SummaryWriter>()

/**
 * Writes event files into a folder, which TensorBoard shows while they grow (`tensorboard --logdir runs`):
 *
 *     const writer = new torch.utils.tensorboard.SummaryWriter('runs/digits')
 *     writer.addScalar('loss/train', loss, epoch)
 *     writer.close()
 *
 * It needs a file system: Node 20.16, 22.3 or later. What was added is in the file after `flush`, `close`, a while
 * (`flushSecs`), and when the program ends.
 */
export class SummaryWriter {
  /** The folder. */
  readonly logDir: string
  readonly #options: SummaryWriterOptions
  readonly #files: Map<string, EventFile> = new Map()
  #flushed = Date.now()

  /** @param logDir the folder; default `runs/`, the date, the time and the name of the computer */
  constructor(logDir?: string | null, options: SummaryWriterOptions = {}) {
    checkOptions('SummaryWriter', options as Record<string, unknown>, [
      'comment',
      'flushSecs',
      'filenameSuffix',
    ])
    if (logDir != null && typeof logDir !== 'string')
      throw new TypeError_(`SummaryWriter takes the path of a folder, but got ${describe(logDir)}`)
    this.#options = options
    this.logDir = logDir != null && logDir !== '' ? logDir : `runs/${defaultName()}${options.comment ?? ''}`
    this.#file(this.logDir)
  }

  /** Adds a number to a curve. Takes a tensor of one element, too. */
  addScalar(tag: string, value: number | Tensor, globalStep = 0, options: AddOptions = {}): void {
    this.#add(scalarSummary(tag, numberOf('addScalar', tag, value)), globalStep, options)
  }

  /** Adds numbers to several curves of one plot: each is a run of its own, in a folder below this one. */
  addScalars(
    mainTag: string,
    values: Readonly<Record<string, number | Tensor>>,
    globalStep = 0,
    options: AddOptions = {},
  ): void {
    for (const [tag, value] of Object.entries(values)) {
      const folder = `${this.logDir}/${mainTag.replaceAll('/', '_')}_${tag}`
      this.#add(scalarSummary(mainTag, numberOf('addScalars', tag, value)), globalStep, options, folder)
    }
  }

  /** Adds the distribution of a tensor's elements. Throws ValueError where there are none. */
  addHistogram(
    tag: string,
    values: Tensor | readonly number[],
    globalStep = 0,
    options: HistogramOptions = {},
  ): void {
    const numbers = values instanceof Tensor ? elementsOf(values) : values
    const { bins = 'tensorflow' } = options
    const edges =
      bins === 'tensorflow' ? defaultEdges() : typeof bins === 'number' ? equalEdges(numbers, bins) : bins
    if (edges.length < 2 || edges.some((edge, i) => i > 0 && !(edge > edges[i - 1])))
      throw new ValueError(
        `addHistogram(): bins must be 'tensorflow', a number of buckets from 1 on, or ascending edges`,
      )
    this.#add(histogramSummary(tag, numbers, edges), globalStep, options)
  }

  /** Adds a text; TensorBoard reads it as Markdown. */
  addText(tag: string, text: string, globalStep = 0, options: AddOptions = {}): void {
    this.#add(textSummary(tag, text), globalStep, options)
  }

  /**
   * Adds an image: `[channels, height, width]` with 1 (grey), 3 (RGB) or 4 (RGBA) channels. Floating values go from 0 to
   * 1, uint8 ones from 0 to 255.
   */
  addImage(tag: string, image: Tensor, globalStep = 0, options: ImageOptions = {}): void {
    const { dataformats = 'CHW' } = options
    if (image.ndim !== dataformats.length)
      throw new ValueError(
        `addImage(): dataformats '${dataformats}' wants ${dataformats.length} dimensions, but the image has the shape [${image.sizes}]`,
      )
    const pixels =
      dataformats === 'CHW' ? image.permute(1, 2, 0) : dataformats === 'HW' ? image.unsqueeze(2) : image
    const [height, width, channels] = pixels.sizes
    if (channels !== 1 && channels !== 3 && channels !== 4)
      throw new ValueError(`addImage(): an image has 1, 3 or 4 channels, but this one has ${channels}`)
    const scale = image.dtype.isFloatingPoint ? 255 : 1
    // Out of range is as dark or as bright as can be.
    const bytes = Uint8Array.from(elementsOf(pixels), (value) =>
      Math.max(0, Math.min(255, Math.trunc(value * scale))),
    )
    const png = encodePng(bytes, height, width, channels)
    this.#add(imageSummary(tag, { height, width, channels, png }), globalStep, options)
  }

  /**
   * Adds the graph of a model: the operations of one call as autograd records them, in boxes by module.
   *
   * @param model any module with a parameter that requires gradients
   * @param input what it is called with: a tensor, or an array of arguments
   */
  addGraph(model: Module, input: Tensor | readonly unknown[]): void {
    const inputs = input instanceof Tensor ? [input] : input
    this.#file(this.logDir).add('graph', graphOf(model, inputs), 0, Date.now() / 1000)
  }

  /** Adds a run to the table of hyperparameters: what it was given, and what came out. */
  addHparams(
    hyperParameters: Readonly<Record<string, HyperParameter>>,
    metrics: Readonly<Record<string, number | Tensor>>,
    { runName = String(Date.now()) }: HparamsOptions = {},
  ): void {
    const folder = `${this.logDir}/${runName}`
    const summaries = hyperParameterSummaries(hyperParameters, Object.keys(metrics))
    for (const [tag, value] of Object.entries(metrics))
      summaries.push(scalarSummary(tag, numberOf('addHparams', tag, value)))
    for (const summary of summaries) this.#add(summary, 0, {}, folder)
  }

  /** Puts everything added so far into the files. */
  flush(): void {
    for (const file of this.#files.values()) file.flush()
    this.#flushed = Date.now()
  }

  /** Flushes and closes the files. What is added afterwards begins new ones. */
  close(): void {
    for (const file of this.#files.values()) file.close()
    this.#files.clear()
    openWriters.delete(this)
    if (openWriters.size === 0) globalThis.process?.off('exit', closeAll)
  }

  #file(folder: string): EventFile {
    let file = this.#files.get(folder)
    if (file === undefined) {
      file = new EventFile(folder, this.#options.filenameSuffix ?? '')
      this.#files.set(folder, file)
      if (openWriters.size === 0) globalThis.process?.once('exit', closeAll)
      openWriters.add(this)
    }
    return file
  }

  #add(
    summary: Message,
    step: number,
    { walltime = Date.now() / 1000 }: AddOptions,
    folder = this.logDir,
  ): void {
    if (!Number.isInteger(step))
      throw new ValueError(`SummaryWriter: globalStep must be a whole number, got ${step}`)
    this.#file(folder).add('summary', summary, step, walltime)
    if (Date.now() - this.#flushed > 1000 * (this.#options.flushSecs ?? 120)) this.flush()
  }
}

function closeAll(): void {
  for (const writer of [...openWriters]) writer.close()
}

/** PyTorch's name of a run: `Nov24_05-30-12_host`. */
function defaultName(): string {
  const now = new Date()
  const month = now.toLocaleString('en-US', { month: 'short' })
  const two = (value: number) => String(value).padStart(2, '0')
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(two).join('-')
  const host = nodeModule<{ hostname(): string }>('node:os')?.hostname() ?? ''
  return `${month}${two(now.getDate())}_${time}_${host}`
}

function numberOf(method: string, tag: string, value: unknown): number {
  const number = value instanceof Tensor && value.numel() === 1 ? Number(value.item()) : value
  if (typeof number !== 'number')
    throw new TypeError_(
      `${method}(): '${tag}' must be a number or a tensor of one element, got ${describe(value)}`,
    )
  return number
}

const elementsOf = (x: Tensor): number[] =>
  (x.detach().reshape(-1).tolist() as (number | boolean)[]).map(Number)
