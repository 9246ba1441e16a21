// torch.save and torch.load: .pt files as PyTorch writes and reads them. Loading never runs code of the file: its
// pickle can build tensors, parameters, containers and plain values, and nothing else.

import { Device, type DeviceLike } from '../core/device.ts'
import { TypeError_, ValueError } from '../core/errors.ts'
import type { ByteSource } from './byte-source.ts'
import {
  type AsyncLoadSource,
  type FileHandleLike,
  type LoadSource,
  openAsync,
  withSource,
} from './file-sources.ts'
import { collect, type PreparedFile, targetPath, writeFile, writeFileAsync } from './file-targets.ts'
import type { MapLocation } from './map-location.ts'
import { findModuleGlobal } from './module-objects.ts'
import { withFile } from './node-files.ts'
import { PartialSource, type ProgressListener } from './partial-source.ts'
import { pickle } from './pickle-writer.ts'
import { readCheckpoint } from './read-checkpoint.ts'
import type { TensorBridge } from './storage-table.ts'
import { copyOf, describeAnywhere, mustBeAwaited, tensorBridge } from './tensor-bridge.ts'
import { type PreparedArchive, sizeOfTorchArchive, writeTorchArchive } from './torch-archive.ts'

export type { MapLocation } from './map-location.ts'

/** Options of `load` and `loadAsync`. */
export interface LoadOptions {
  /** Where storages go that were saved on another device; by default everything lands on the CPU. */
  readonly mapLocation?: MapLocation
  /**
   * True, the default: only tensors, parameters and plain values are loaded. False: also whole modules of the classes of
   * `torch.nn`, which are made again by this library's own classes; `argparse.Namespace` as a `Namespace`, which is a Map;
   * and the tensors of TorchScript archives as a state dict. Neither runs code of the file: other classes are an error.
   */
  readonly weightsOnly?: boolean
  /**
   * Read each storage from the file when it is first used, so that a large file opens in milliseconds; the file stays
   * open as long as tensors need it. Damage is found, and thrown, at that first use. Default false.
   */
  readonly mmap?: boolean
  /** `loadAsync` only: hears how many bytes have been read, of how many. */
  readonly onProgress?: ProgressListener
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
  return withSource(source, 'load', (file) => readFrom(file, options))
}

/**
 * `load` for everything that takes time to read: URLs, Blobs and Files, Responses, streams; also for what `load` takes.
 * URLs (whose servers know ranges) and Blobs are read in parts: first the structure, then each storage into its memory.
 */
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
  const opened = await openAsync(source, 'load', options.onProgress)
  if (typeof opened === 'string') return withFile(opened, (file) => readFrom(file, options))
  return opened instanceof PartialSource ? readParts(opened, options) : readFrom(opened, options)
}

/**
 * Reads a checkpoint of which not all bytes are at hand: first its structure, so that what cannot be loaded is refused
 * before much was read, then the storages, straight into their memory.
 */
async function readParts(source: PartialSource, options: LoadOptions): Promise<unknown> {
  if (options.mmap)
    throw new ValueError(`load: mmap needs the path of a local file, but the source is '${source.name}'`)
  let storages: object[] = []
  const bridge: TensorBridge = {
    ...tensorBridge,
    defer(nbytes, fill) {
      const storage = tensorBridge.defer(nbytes, fill)
      storages.push(storage)
      return storage
    },
  }
  try {
    const result = await source.provide(() => {
      storages = []
      // Only archives can be read in parts.
      const isArchive = source.read(0, Math.min(source.size, 1))[0] === zipMark
      return readFrom(source, { ...options, mmap: isArchive }, bridge)
    })
    for (const storage of storages) {
      await source.provide(() => tensorBridge.bytes(storage))
      source.forgetUsed()
    }
    source.finish()
    return result
  } catch (error) {
    for (const storage of storages) tensorBridge.free(storage)
    throw error
  }
}

// The first letter of the signature of zip archives.
const zipMark = 0x50

/**
 * Saves an object as `torch.save` does, so that PyTorch loads it: tensors, parameters and state dicts, in Map, plain objects
 * (dicts), arrays, Tuple, Set; numbers (whole ones as int, others as float), bigint, strings, booleans, Uint8Array (bytes),
 * null. `target` is a path or a `file:` URL; the file is replaced as a whole or not at all.
 *
 * Throws TypeError for values that a checkpoint cannot hold, ValueError for cycles, both naming the place;
 * FileError where the file cannot be written.
 */
export function save(obj: unknown, target: string | URL): void {
  writeFile(targetPath(target, 'save', alternatives), (stem) => prepare(obj, stem))
}

/**
 * Saves to a path or `file:` URL, or to a file of the browser (`FileSystemFileHandle`), which is replaced as a whole; also
 * tensors that are on a device whose memory can only be awaited. All are saved as tensors of the CPU.
 */
export async function saveAsync(obj: unknown, target: string | URL | FileHandleLike): Promise<void> {
  const pickled = pickle(obj, describeAnywhere)
  const isAwaited = pickled.storages.some(mustBeAwaited)
  // What is at hand is copied at the same moment, if others must be waited for.
  const copies = isAwaited ? await Promise.all(pickled.storages.map(copyOf)) : []
  const storages = pickled.storages.map((storage, i) => () => copies[i] ?? tensorBridge.bytes(storage))
  await writeFileAsync(target, 'save', alternatives, (root) =>
    fileOf({ root, pickle: pickled.pickle, storages }),
  )
}

/** The bytes of the file that `save` would write, its root called `archive` as PyTorch does for streams. */
export function saveToBytes(obj: unknown): Uint8Array<ArrayBuffer> {
  return collect(prepare(obj, 'archive'))
}

const alternatives = 'saveToBytes gives the bytes, saveAsync writes to browser files'

/** Pickles at once, so that what cannot be saved fails before any file is touched. */
function prepare(obj: unknown, root: string): PreparedFile {
  const { pickle: bytes, storages } = pickle(obj, tensorBridge.describe)
  return fileOf({
    root,
    pickle: bytes,
    storages: storages.map((storage) => () => tensorBridge.bytes(storage)),
  })
}

function fileOf(archive: PreparedArchive): PreparedFile {
  return {
    get size() {
      return sizeOfTorchArchive(archive)
    },
    write: (write) => writeTorchArchive(archive, write),
  }
}

function readFrom(source: ByteSource, options: LoadOptions, bridge: TensorBridge = tensorBridge): unknown {
  const { mapLocation, mmap, weightsOnly = true } = options
  return readCheckpoint(source, {
    bridge,
    mapLocation,
    mmap,
    extraGlobals: weightsOnly ? undefined : findModuleGlobal,
  })
}

const knownOptions: readonly string[] = ['mapLocation', 'weightsOnly', 'mmap', 'onProgress']

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
  for (const key of ['weightsOnly', 'mmap'] as const)
    if (options[key] !== undefined && typeof options[key] !== 'boolean')
      throw new TypeError_(`load: ${key} must be a boolean, but is ${String(options[key])}`)
  return options
}
