// A progress bar around anything that can be looped over. The bar itself is in progress-bar.ts.

import { TypeError_, ValueError } from '../core/errors.ts'
import { checkOptions, describe } from '../ops/op.ts'
import { type Bar, startBar } from './progress-bar.ts'

/** Options of `progress`. */
export interface ProgressOptions {
  /** Stands before the bar, for example `'epoch 3'`. */
  description?: string
  /** How many items there will be; default the `length` or `size` of the iterable, where it has one. */
  total?: number | null
  /** Shows the bar (true) or not (false); by default where the output is a terminal. */
  enabled?: boolean | null
  /** Leaves the finished bar on the screen; default true. */
  leave?: boolean
  /** Where the bar is drawn; default standard error, so that the program's own output can go on to a file. */
  stream?: OutputStream
}

/** What text can be written to: `process.stderr`, for example. */
export interface OutputStream {
  write(text: string): unknown
  /** Whether it is a terminal. */
  readonly isTTY?: boolean
}

const optionNames = ['description', 'total', 'enabled', 'leave', 'stream']

type Shown = string | number

/**
 * An iterable with a progress bar: each pass over it draws one. Made by `progress`.
 */
export class Progress<I extends Iterable<unknown> | AsyncIterable<unknown>> {
  readonly #source: I
  readonly #options: ProgressOptions
  #values: Readonly<Record<string, Shown>> = {}
  #bar: Bar | null = null

  constructor(source: I, options: ProgressOptions) {
    this.#source = source
    this.#options = options
  }

  /** The number of items, where it is known. */
  get length(): number | undefined {
    return this.#options.total ?? lengthOf(this.#source)
  }

  /** Shows values behind the bar, such as the loss; numbers with four significant digits. */
  set(values: Readonly<Record<string, Shown>>): void {
    this.#values = values
    this.#bar?.update({ values: this.#text() })
  }

  #text(): string {
    return Object.entries(this.#values)
      .map(([name, value]) => `${name} ${typeof value === 'number' ? formatNumber(value) : value}`)
      .join('  ')
  }

  #start(): Bar | null {
    this.#values = {}
    return startBar(this.#options, this.length)
  }

  #stop(bar: Bar | null): void {
    bar?.update({ values: this.#text() })
    bar?.stop()
    if (this.#bar === bar) this.#bar = null
  }

  *[Symbol.iterator](): Generator<I extends Iterable<infer T> ? T : never, void, undefined> {
    const source = this.#source as Iterable<I extends Iterable<infer T> ? T : never>
    if (typeof source[Symbol.iterator] !== 'function')
      throw new TypeError_('progress(): this iterable is asynchronous; use for await (... of progress(...))')
    const bar = this.#start()
    this.#bar = bar
    try {
      for (const item of source) {
        yield item
        bar?.increment()
      }
    } finally {
      this.#stop(bar)
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ItemOf<I>, void, undefined> {
    const source = this.#source as AsyncIterable<ItemOf<I>>
    const bar = this.#start()
    this.#bar = bar
    try {
      // Also takes what is iterable without being asynchronous.
      for await (const item of source) {
        yield item
        bar?.increment()
      }
    } finally {
      this.#stop(bar)
    }
  }
}

type ItemOf<I> = I extends AsyncIterable<infer T> ? T : I extends Iterable<infer T> ? Awaited<T> : never

/**
 * Loops over anything with a progress bar, as Python's tqdm does:
 *
 *     const batches = torch.utils.progress(loader, { description: `epoch ${epoch}` })
 *     for (const [x, y] of batches) {
 *       ...
 *       batches.set({ loss: loss.item() })
 *     }
 *
 * The bar is drawn in terminals, by the package `cli-progress` (`npm install cli-progress`). In files, pipes and
 * browsers, and where that package is not installed, the loop runs without one.
 *
 * @param iterable a DataLoader, an array, a generator; asynchronous ones for `for await`
 * @returns an iterable of the same items; its `set` shows values behind the bar
 * @throws TypeError for what cannot be looped over
 */
export function progress<I extends Iterable<unknown> | AsyncIterable<unknown>>(
  iterable: I,
  options: ProgressOptions = {},
): Progress<I> {
  const methods = iterable as Partial<Iterable<unknown> & AsyncIterable<unknown>> | null | undefined
  if (
    typeof methods?.[Symbol.iterator] !== 'function' &&
    typeof methods?.[Symbol.asyncIterator] !== 'function'
  )
    throw new TypeError_(`progress() takes an iterable, but got ${describe(iterable)}`)
  checkOptions('progress', options as Record<string, unknown>, optionNames)
  const { total } = options
  if (total != null && !(Number.isInteger(total) && total >= 0))
    throw new ValueError(`progress(): total must be a whole number of items, got ${total}`)
  return new Progress(iterable, options)
}

/** The number of items of an iterable that knows it. */
function lengthOf(source: unknown): number | undefined {
  try {
    const { length, size } = source as { length?: unknown; size?: unknown }
    return typeof length === 'number' ? length : typeof size === 'number' ? size : undefined
  } catch {
    // A DataLoader over a dataset that does not know its length throws.
    return undefined
  }
}

const formatNumber = (value: number): string =>
  Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)))
