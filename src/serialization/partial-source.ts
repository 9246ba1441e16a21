// Files that can be read by ranges, but only by awaiting them: URLs and Blobs. Readers stay synchronous: what they miss is
// fetched, and they begin again; the contents of storages come last, each by itself.

import { type ByteSource, checkRange } from './byte-source.ts'
import { FileError } from './errors.ts'

/** A file that is read by ranges. */
export interface RangeReader {
  readonly name: string
  readonly size: number
  /** Exactly these bytes. */
  read(offset: number, length: number): Promise<Uint8Array>
}

/** Hears how much has been read; `total` is null where nobody knows. */
export type ProgressListener = (progress: { readonly loaded: number; readonly total: number | null }) => void

/** Thrown by a PartialSource for bytes that it does not have yet. */
class MissingBytes extends Error {
  override name = 'MissingBytes'

  constructor(
    readonly offset: number,
    readonly length: number,
  ) {
    super(`bytes ${offset} to ${offset + length} were not read yet`)
  }
}

interface Part {
  readonly start: number
  readonly bytes: Uint8Array
}

// Small pieces that lie side by side come in one request.
const leastRequest = 2 ** 20

/** The bytes of a file that have been read so far. */
export class PartialSource implements ByteSource {
  readonly name: string
  readonly size: number
  readonly #reader: RangeReader
  readonly #onProgress: ProgressListener | undefined
  /** In order, without overlaps. */
  #parts: Part[] = []
  #loaded = 0
  #used = 0

  constructor(reader: RangeReader, onProgress?: ProgressListener) {
    this.name = reader.name
    this.size = reader.size
    this.#reader = reader
    this.#onProgress = onProgress
  }

  read(offset: number, length: number): Uint8Array {
    checkRange(this, offset, length, 'a read')
    const whole = this.#parts.find((part) => part.start <= offset && offset + length <= endOf(part))
    if (whole !== undefined) return whole.bytes.subarray(offset - whole.start, offset - whole.start + length)
    this.#require(offset, length)
    const bytes = new Uint8Array(length)
    this.#copy(offset, bytes)
    return bytes
  }

  readInto(offset: number, target: Uint8Array): undefined {
    checkRange(this, offset, target.byteLength, 'a read')
    this.#require(offset, target.byteLength)
    this.#copy(offset, target)
    this.#used = offset + target.byteLength
  }

  keep(): void {}

  /** Throws MissingBytes for the first gap in a range. */
  #require(offset: number, length: number): void {
    let position = offset
    const end = offset + length
    for (const part of this.#parts) {
      if (position >= end || part.start >= end) break
      if (part.start > position) throw new MissingBytes(position, part.start - position)
      position = Math.max(position, endOf(part))
    }
    if (position < end) throw new MissingBytes(position, end - position)
  }

  #copy(offset: number, target: Uint8Array): void {
    const end = offset + target.byteLength
    for (const { start, bytes } of this.#parts) {
      const from = Math.max(start, offset)
      const to = Math.min(start + bytes.byteLength, end)
      if (from < to) target.set(bytes.subarray(from - start, to - start), from - offset)
    }
  }

  /** Calls `use`, which reads from this source, as often as bytes are missing, and fetches these in between. */
  async provide<T>(use: () => T): Promise<T> {
    for (;;)
      try {
        return use()
      } catch (error) {
        if (!(error instanceof MissingBytes)) throw error
        await this.#fetch(error)
      }
  }

  async #fetch({ offset, length }: MissingBytes): Promise<void> {
    const next = this.#parts.find(({ start }) => start > offset)?.start ?? this.size
    const wanted = Math.min(Math.max(length, leastRequest), next - offset)
    const bytes = await this.#reader.read(offset, wanted)
    if (bytes.byteLength !== wanted)
      throw new FileError(
        `'${this.name}': asked for ${wanted} bytes from byte ${offset} on, but got ${bytes.byteLength}`,
      )
    this.#parts.push({ start: offset, bytes })
    this.#parts.sort((a, b) => a.start - b.start)
    this.#loaded = Math.min(this.#loaded + wanted, this.size)
    this.#onProgress?.({ loaded: this.#loaded, total: this.size })
  }

  /** Nothing more will be read: what is left belongs to nothing. */
  finish(): void {
    if (this.#loaded < this.size) this.#onProgress?.({ loaded: this.size, total: this.size })
    this.#loaded = this.size
  }

  /** Forgets what lies before the end of what was last copied out: of a large file only a part is in memory twice. */
  forgetUsed(): void {
    this.#parts = this.#parts.filter((part) => endOf(part) > this.#used)
  }
}

function endOf({ start, bytes }: Part): number {
  return start + bytes.byteLength
}

/** A Blob or File. */
export function rangesOfBlob(blob: Blob, name: string): RangeReader {
  return {
    name,
    size: blob.size,
    read: async (offset, length) => new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer()),
  }
}

/**
 * A URL: ranges of it where its server gives them, else the whole file as bytes. Throws FileError where it
 * cannot be had.
 */
export async function openUrl(url: string, onProgress?: ProgressListener): Promise<RangeReader | Uint8Array> {
  if (!/^https?:/.test(url)) return bodyOf(await request(url), url, onProgress)
  const response = await request(url, { Range: `bytes=0-${leastRequest - 1}` })
  const range = /^bytes 0-(\d+)\/(\d+)$/.exec(response.headers.get('content-range') ?? '')
  // 200 is the whole file: this server knows no ranges.
  if (response.status === 200) return bodyOf(response, url, onProgress)
  // Ranges of what travels compressed are of no use.
  if (range === null || response.headers.get('content-encoding') !== null) {
    await response.body?.cancel()
    return bodyOf(await request(url), url, onProgress)
  }
  const first = new Uint8Array(await response.arrayBuffer())
  const size = Number(range[2])
  if (first.byteLength === size) {
    onProgress?.({ loaded: size, total: size })
    return first
  }
  // A file that changes between two requests would be put together from two.
  const tag = response.headers.get('etag')
  const condition: Record<string, string> = tag !== null && !tag.startsWith('W/') ? { 'If-Range': tag } : {}
  return {
    name: url,
    size,
    async read(offset, length) {
      if (offset + length <= first.byteLength) return first.subarray(offset, offset + length)
      const part = await request(url, { Range: `bytes=${offset}-${offset + length - 1}`, ...condition })
      if (part.status !== 206) throw new FileError(`'${url}' changed while it was read`)
      return new Uint8Array(await part.arrayBuffer())
    },
  }
}

async function request(url: string, headers: Record<string, string> = {}): Promise<Response> {
  let response: Response
  try {
    response = await fetch(url, { headers })
  } catch (error) {
    throw new FileError(`cannot fetch '${url}': ${(error as Error).message}`, null, { cause: error })
  }
  // An empty file has no ranges at all.
  if (response.status === 416) return request(url)
  checkStatus(response, url)
  return response
}

/** Throws FileError unless a server answered with what it was asked for. */
export function checkStatus(response: Response, url: string): void {
  if (!response.ok)
    throw new FileError(
      `cannot fetch '${url}': the server answered ${response.status} ${response.statusText}`,
    )
}

/** The whole body of an answer. */
export async function bodyOf(
  response: Response,
  name: string,
  onProgress?: ProgressListener,
): Promise<Uint8Array> {
  checkStatus(response, name)
  if (onProgress === undefined || response.body === null) return new Uint8Array(await response.arrayBuffer())
  // Of a compressed answer the length is that of what travels, not of what arrives here.
  const length =
    response.headers.get('content-encoding') === null ? response.headers.get('content-length') : null
  return collectStream(response.body, length === null ? null : Number(length), onProgress)
}

/** All bytes of a stream. */
export async function collectStream(
  stream: ReadableStream<Uint8Array>,
  total: number | null,
  onProgress?: ProgressListener,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let loaded = 0
  const reader = stream.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    chunks.push(value)
    loaded += value.byteLength
    onProgress?.({ loaded, total })
  }
  const result = new Uint8Array(loaded)
  let position = 0
  for (const chunk of chunks) {
    result.set(chunk, position)
    position += chunk.byteLength
  }
  return result
}
