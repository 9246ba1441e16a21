// What files are read from: paths, URLs, bytes, Blobs, Responses, streams and the browser's file handles. The formats do not
// know where their bytes come from.

import { TypeError_ } from '../core/errors.ts'
import { type ByteSource, MemorySource } from './byte-source.ts'
import { FileError } from './errors.ts'
import { isNode, pathOfUrl, prepareNode, withFile } from './node-files.ts'
import {
  bodyOf,
  collectStream,
  openUrl,
  PartialSource,
  type ProgressListener,
  rangesOfBlob,
} from './partial-source.ts'

/** What is read synchronously: a path (in Node), a `file:` URL, or the bytes themselves. */
export type LoadSource = string | URL | ArrayBuffer | Uint8Array

/** What takes time besides: a `http(s):` URL, what `fetch` answered, a `File` or `Blob`, a stream of bytes. */
export type AsyncLoadSource = LoadSource | Blob | Response | ReadableStream<Uint8Array> | FileHandleLike

/** The part of the browser's `FileSystemFileHandle` that loading and saving need (origin-private file system). */
export interface FileHandleLike {
  readonly name: string
  getFile(): Promise<Blob>
  createWritable(): Promise<WritableLike>
}

interface WritableLike {
  write(data: Uint8Array<ArrayBuffer>): Promise<void>
  close(): Promise<void>
  abort(reason?: unknown): Promise<void>
}

/** Calls `use` with the opened source; `caller` is the function that messages name. Throws FileError, TypeError. */
export function withSource<T>(source: LoadSource, caller: string, use: (source: ByteSource) => T): T {
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) return use(memorySource(source))
  if (typeof source !== 'string' && !(source instanceof URL))
    throw new TypeError_(
      `${caller}: expected a path, a file: URL, an ArrayBuffer or a Uint8Array, but got ${nameOf(source)}; Blobs, Responses and streams are read by ${caller}Async`,
    )
  const path = localPath(source)
  if (path === null)
    throw new FileError(
      `${caller}: '${source}' must be downloaded, which takes time: use await ${caller}Async(...)`,
    )
  return withFile(path, use)
}

/** `withSource` for everything that takes time to read, and for what `withSource` takes. */
export async function withSourceAsync<T>(
  source: AsyncLoadSource,
  caller: string,
  use: (source: ByteSource) => T,
  onProgress?: ProgressListener,
): Promise<T> {
  const opened = await openAsync(source, caller, onProgress)
  if (typeof opened === 'string') return withFile(opened, use)
  if (opened instanceof PartialSource) return opened.provide(() => use(opened))
  return use(opened)
}

/**
 * Opens what takes time to read: the path of a local file, a source that may lack bytes until they are provided, or
 * one that has them all. Throws FileError, TypeError.
 */
export async function openAsync(
  source: AsyncLoadSource,
  caller: string,
  onProgress?: ProgressListener,
): Promise<string | PartialSource | ByteSource> {
  await prepareNode()
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) return memorySource(source)
  if (typeof source === 'string' || source instanceof URL) {
    const path = localPath(source)
    if (path !== null) return path
    const url = String(source)
    const opened = await openUrl(url, onProgress)
    return opened instanceof Uint8Array
      ? new MemorySource(opened, url)
      : new PartialSource(opened, onProgress)
  }
  if (source instanceof Blob)
    return new PartialSource(rangesOfBlob(source, (source as File).name ?? '<blob>'), onProgress)
  if (source instanceof Response) {
    const name = source.url || '<response>'
    return new MemorySource(await bodyOf(source, name, onProgress), name)
  }
  if (source instanceof ReadableStream)
    return new MemorySource(await collectStream(source, null, onProgress), '<stream>')
  if (typeof source?.getFile === 'function')
    return new PartialSource(rangesOfBlob(await source.getFile(), source.name), onProgress)
  throw new TypeError_(
    `${caller}Async: expected a path, a URL, bytes, a Blob, a Response, a stream or a file handle, but got ${nameOf(source)}`,
  )
}

/** The path that a string or URL means, or null where it must be fetched. */
export function localPath(source: string | URL): string | null {
  if (source instanceof URL) return source.protocol === 'file:' ? pathOfUrl(source) : null
  if (source.startsWith('file://')) return pathOfUrl(new URL(source))
  if (/^(https?|blob|data):/.test(source)) return null
  return isNode() ? source : null
}

/** What a value is, for messages. */
export function nameOf(value: unknown): string {
  if (value === null) return 'null'
  return typeof value === 'object' ? ((value as object).constructor?.name ?? 'an object') : typeof value
}

function memorySource(source: ArrayBuffer | Uint8Array): ByteSource {
  return new MemorySource(source instanceof Uint8Array ? source : new Uint8Array(source))
}
