// What files are read from: paths, URLs, bytes, Blobs, Responses, streams and the browser's file handles. The formats do not
// know where their bytes come from.

import { TypeError_ } from '../core/errors.ts'
import { type ByteSource, MemorySource } from './byte-source.ts'
import { FileError } from './errors.ts'
import { isNode, pathOfUrl, prepareNode, withFile } from './node-files.ts'

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
): Promise<T> {
  await prepareNode()
  if (typeof source === 'string' || source instanceof URL) {
    const path = localPath(source)
    return path === null ? use(await download(String(source))) : withFile(path, use)
  }
  return use(await inMemory(source, caller))
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

async function download(url: string): Promise<ByteSource> {
  let response: Response
  try {
    response = await fetch(url)
  } catch (error) {
    throw new FileError(`cannot fetch '${url}': ${(error as Error).message}`, null, { cause: error })
  }
  return fromResponse(response, url)
}

async function fromResponse(response: Response, url: string): Promise<ByteSource> {
  if (!response.ok)
    throw new FileError(
      `cannot fetch '${url}': the server answered ${response.status} ${response.statusText}`,
    )
  return new MemorySource(new Uint8Array(await response.arrayBuffer()), url)
}

function memorySource(source: ArrayBuffer | Uint8Array): ByteSource {
  return new MemorySource(source instanceof Uint8Array ? source : new Uint8Array(source))
}

async function inMemory(source: Exclude<AsyncLoadSource, string | URL>, caller: string): Promise<ByteSource> {
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) return memorySource(source)
  if (source instanceof Blob)
    return new MemorySource(new Uint8Array(await source.arrayBuffer()), (source as File).name ?? '<blob>')
  if (source instanceof Response) return fromResponse(source, source.url || '<response>')
  if (source instanceof ReadableStream)
    return new MemorySource(new Uint8Array(await new Response(source).arrayBuffer()), '<stream>')
  if (typeof source?.getFile === 'function')
    return new MemorySource(new Uint8Array(await (await source.getFile()).arrayBuffer()), source.name)
  throw new TypeError_(
    `${caller}Async: expected a path, a URL, bytes, a Blob, a Response, a stream or a file handle, but got ${nameOf(source)}`,
  )
}
