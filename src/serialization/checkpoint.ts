// torch.save and torch.load: .pt files as PyTorch writes and reads them. Loading never runs code of the file: its
// pickle can build tensors, parameters, containers and plain values, and nothing else.

import { Device, type DeviceLike } from '../core/device.ts'
import { TypeError_, ValueError } from '../core/errors.ts'
import { type ByteSource, MemorySource } from './byte-source.ts'
import { FileError } from './errors.ts'
import type { MapLocation } from './map-location.ts'
import { isNode, pathOfUrl, prepareNode, replaceFile, stemOf, withFile } from './node-files.ts'
import { pickle } from './pickle-writer.ts'
import { readCheckpoint } from './read-checkpoint.ts'
import { tensorBridge } from './tensor-bridge.ts'
import { type PreparedArchive, sizeOfTorchArchive, writeTorchArchive } from './torch-archive.ts'

export type { MapLocation } from './map-location.ts'

/** Options of `load` and `loadAsync`. */
export interface LoadOptions {
  /** Where storages go that were saved on another device; by default everything lands on the CPU. */
  readonly mapLocation?: MapLocation
  /** Only true, the default, is possible: no pickle ever runs code. */
  readonly weightsOnly?: true
}

/** What `load` reads: a path (in Node), a `file:` URL, or the bytes themselves. */
export type LoadSource = string | URL | ArrayBuffer | Uint8Array

/** What `loadAsync` reads besides: a `http(s):` URL, what `fetch` answered, a `File` or `Blob`, a stream of bytes. */
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

/**
 * Loads an object saved by `torch.save`, of this library or of PyTorch (zip and legacy format, pickle protocols 2 to 5).
 * Dicts come as Map, OrderedDicts as OrderedDict (a Map with `_metadata`), tuples as Tuple, sets as Set, bytes as
 * Uint8Array, ints beyond 2^53 as bigint, None as null. Tensors that shared a storage share it again.
 *
 *     const checkpoint = torch.load<Map<string, Tensor>>('mlp.pt')
 *
 * Throws UnpicklingError for files that are damaged, hostile or hold what antorcha cannot load, FileError where the file
 * cannot be read.
 */
export function load<T = unknown>(source: LoadSource, options?: LoadOptions): T
export function load<T = unknown>(source: LoadSource, mapLocation: DeviceLike, options?: LoadOptions): T
export function load(source: LoadSource, second?: DeviceLike | LoadOptions, third?: LoadOptions): unknown {
  const options = loadOptions(second, third)
  if (source instanceof Uint8Array || source instanceof ArrayBuffer)
    return readFrom(memorySource(source), options)
  if (typeof source !== 'string' && !(source instanceof URL))
    throw new TypeError_(
      `load: expected a path, a file: URL, an ArrayBuffer or a Uint8Array, but got ${nameOf(source)}; Blobs, Responses and streams are read by loadAsync`,
    )
  const path = localPath(source)
  if (path === null)
    throw new FileError(`load: '${source}' must be downloaded, which takes time: use await loadAsync(...)`)
  return withFile(path, (file) => readFrom(file, options))
}

/** `load` for everything that takes time to read: URLs, Blobs and Files, Responses, streams; also for what `load` takes. */
export function loadAsync<T = unknown>(source: AsyncLoadSource, options?: LoadOptions): Promise<T>
export function loadAsync<T = unknown>(
  source: AsyncLoadSource,
  mapLocation: DeviceLike,
  options?: LoadOptions,
): Promise<T>
export async function loadAsync(
  source: AsyncLoadSource,
  second?: DeviceLike | LoadOptions,
  third?: LoadOptions,
): Promise<unknown> {
  const options = loadOptions(second, third)
  await prepareNode()
  if (typeof source === 'string' || source instanceof URL) {
    const path = localPath(source)
    return path === null
      ? readFrom(await download(String(source)), options)
      : withFile(path, (file) => readFrom(file, options))
  }
  return readFrom(await inMemory(source), options)
}

/**
 * Saves an object as `torch.save` does, so that PyTorch loads it: tensors, parameters and state dicts, in Map, plain objects
 * (dicts), arrays, Tuple, Set; numbers (whole ones as int, others as float), bigint, strings, booleans, Uint8Array (bytes),
 * null. `target` is a path or a `file:` URL; the file is replaced as a whole or not at all.
 *
 * Throws TypeError for values that a checkpoint cannot hold, ValueError for cycles, both naming the place;
 * FileError where the file cannot be written.
 */
export function save(obj: unknown, target: string | URL): void {
  const path = typeof target === 'string' || target instanceof URL ? localPath(target) : null
  if (path === null)
    throw new TypeError_(
      `save: expected a path or a file: URL, but got ${typeof target === 'string' || target instanceof URL ? `'${target}'` : nameOf(target)}; saveToBytes gives the bytes, saveAsync writes to browser files`,
    )
  const archive = prepare(obj, stemOf(path))
  replaceFile(path, (write) => writeTorchArchive(archive, write))
}

/** Saves to a path or `file:` URL, or to a file of the browser (`FileSystemFileHandle`), which is replaced as a whole. */
export async function saveAsync(obj: unknown, target: string | URL | FileHandleLike): Promise<void> {
  await prepareNode()
  if (typeof target === 'string' || target instanceof URL) return save(obj, target)
  if (typeof target?.createWritable !== 'function')
    throw new TypeError_(
      `saveAsync: expected a path, a URL or a FileSystemFileHandle, but got ${nameOf(target)}`,
    )
  const bytes = collect(prepare(obj, stemOf(target.name)))
  // The browser swaps the file in at close.
  const writable = await target.createWritable()
  try {
    await writable.write(bytes)
    await writable.close()
  } catch (error) {
    await writable.abort(error).catch(() => {})
    throw error
  }
}

/** The bytes of the file that `save` would write, its root called `archive` as PyTorch does for streams. */
export function saveToBytes(obj: unknown): Uint8Array<ArrayBuffer> {
  return collect(prepare(obj, 'archive'))
}

/** Pickles at once, so that what cannot be saved fails before any file is touched. */
function prepare(obj: unknown, root: string): PreparedArchive {
  const pickled = pickle(obj, tensorBridge.describe)
  return {
    root,
    pickle: pickled.pickle,
    storages: pickled.storages.map((storage) => () => tensorBridge.bytes(storage)),
  }
}

function collect(archive: PreparedArchive): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(sizeOfTorchArchive(archive))
  let position = 0
  writeTorchArchive(archive, (bytes) => {
    result.set(bytes, position)
    position += bytes.byteLength
  })
  return result
}

function readFrom(source: ByteSource, options: LoadOptions): unknown {
  return readCheckpoint(source, tensorBridge, options.mapLocation)
}

const knownOptions: readonly string[] = ['mapLocation', 'weightsOnly']

function loadOptions(
  second: DeviceLike | LoadOptions | undefined,
  third: LoadOptions | undefined,
): LoadOptions {
  const isLocation = typeof second === 'string' || second instanceof Device
  const options: LoadOptions = isLocation ? { ...third, mapLocation: second } : (second ?? {})
  if (typeof options !== 'object')
    throw new TypeError_(`load: options must be an object, but got ${typeof options}`)
  for (const key of Object.keys(options))
    if (!knownOptions.includes(key))
      throw new TypeError_(`load: unknown option '${key}'; there are ${knownOptions.join(', ')}`)
  if ((options.weightsOnly as boolean | undefined) === false)
    throw new ValueError(
      'load: weightsOnly: false is not possible, since antorcha never runs the code that a pickle names. In Python, save model.state_dict() instead of the whole model',
    )
  return options
}

/** The path that a string or URL means, or null where it must be fetched. */
function localPath(source: string | URL): string | null {
  if (source instanceof URL) return source.protocol === 'file:' ? pathOfUrl(source) : null
  if (source.startsWith('file://')) return pathOfUrl(new URL(source))
  if (/^(https?|blob|data):/.test(source)) return null
  return isNode() ? source : null
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

async function inMemory(source: Exclude<AsyncLoadSource, string | URL>): Promise<ByteSource> {
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) return memorySource(source)
  if (source instanceof Blob)
    return new MemorySource(new Uint8Array(await source.arrayBuffer()), (source as File).name ?? '<blob>')
  if (source instanceof Response) return fromResponse(source, source.url || '<response>')
  if (source instanceof ReadableStream)
    return new MemorySource(new Uint8Array(await new Response(source).arrayBuffer()), '<stream>')
  if (typeof source?.getFile === 'function')
    return new MemorySource(new Uint8Array(await (await source.getFile()).arrayBuffer()), source.name)
  throw new TypeError_(
    `loadAsync: expected a path, a URL, bytes, a Blob, a Response, a stream or a file handle, but got ${nameOf(source)}`,
  )
}

function nameOf(value: unknown): string {
  if (value === null) return 'null'
  return typeof value === 'object' ? ((value as object).constructor?.name ?? 'an object') : typeof value
}
