// Reading and writing one .safetensors file, with the functions of the Python package safetensors.torch. The header is in
// safetensors-header.ts, models in safetensors-model.ts and in safetensors-shards.ts.

import { TypeError_, ValueError } from '../core/errors.ts'
import { contiguousStrides, isContiguous, numelOf } from '../core/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { ByteSource } from './byte-source.ts'
import {
  type AsyncLoadSource,
  type FileHandleLike,
  type LoadSource,
  nameOf,
  withSource,
  withSourceAsync,
} from './file-sources.ts'
import { collect, type PreparedFile, targetPath, writeFile, writeFileAsync } from './file-targets.ts'
import type { TensorDescription } from './pickle-writer.ts'
import {
  compareItems,
  dtypeOfEntry,
  hasCode,
  readHeader,
  type SafetensorsEntry,
  type SafetensorsHeader,
  type SafetensorsItem,
  writableDtypes,
  writeHeader,
} from './safetensors-header.ts'
import { tensorBridge } from './tensor-bridge.ts'

/** Tensors by name: a Map, such as a state dict, or a plain object. */
export type NamedTensors = ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>

/** Options of `saveFile` and `save`. */
export interface SaveOptions {
  /** Texts to be kept in the file; `{ format: 'pt' }` is what transformers writes. */
  readonly metadata?: ReadonlyMap<string, string> | Readonly<Record<string, string>>
}

/**
 * The tensors of a `.safetensors` file by name, in the order of its header; every tensor has a storage of its own.
 * A path, a `file:` URL or the bytes.
 *
 *     const weights = torch.safetensors.loadFile('model.safetensors')
 *
 * Throws SafetensorError for files that are damaged or hold a dtype that antorcha lacks, FileError where the file
 * cannot be read.
 */
export function loadFile(source: LoadSource): Map<string, Tensor> {
  return withSource(source, 'loadFile', loadFrom)
}

/** `loadFile` for what takes time to read: URLs, Blobs and Files, Responses, streams. */
export function loadFileAsync(source: AsyncLoadSource): Promise<Map<string, Tensor>> {
  return withSourceAsync(source, 'loadFile', loadFrom)
}

/** The tensors of a `.safetensors` file that is in memory. Throws SafetensorError. */
export function load(data: ArrayBuffer | Uint8Array): Map<string, Tensor> {
  if (!(data instanceof Uint8Array || data instanceof ArrayBuffer))
    throw new TypeError_(`load: expected bytes, but got ${nameOf(data)}; loadFile takes a path`)
  return loadFile(data)
}

/**
 * Writes tensors to a `.safetensors` file, byte for byte as the Python package does; the file is replaced as a whole or
 * not at all. `tensors` must be contiguous and share no memory, as there are no views in this format.
 *
 * Throws ValueError for tensors that cannot be written so, TypeError for what is no tensor, FileError where the
 * file cannot be written.
 */
export function saveFile(tensors: NamedTensors, target: string | URL, options: SaveOptions = {}): void {
  writeFile(targetPath(target, 'saveFile', alternatives), () => prepare(tensors, options))
}

/** Saves to a path or `file:` URL, or to a file of the browser (`FileSystemFileHandle`), which is replaced as a whole. */
export function saveFileAsync(
  tensors: NamedTensors,
  target: string | URL | FileHandleLike,
  options: SaveOptions = {},
): Promise<void> {
  return writeFileAsync(target, 'saveFile', alternatives, () => prepare(tensors, options))
}

/** The bytes of the file that `saveFile` would write. */
export function save(tensors: NamedTensors, options: SaveOptions = {}): Uint8Array<ArrayBuffer> {
  return collect(prepare(tensors, options))
}

const alternatives = 'save gives the bytes, saveFileAsync writes to browser files'

/**
 * Opens a file of which only the header is read at once, and each tensor when it is asked for:
 *
 *     const file = torch.safetensors.safeOpen('model.safetensors')
 *     for (const name of file.keys()) console.log(name, file.shape(name))
 *     const weight = file.getTensor('lm_head.weight')
 *
 * The path is opened anew for each tensor, so nothing has to be closed. Throws as `loadFile` does.
 */
export function safeOpen(source: LoadSource): SafeOpen {
  return new SafeOpen(source)
}

/** A `.safetensors` file whose tensors are read one at a time; made by `safeOpen`. */
export class SafeOpen {
  readonly #source: LoadSource
  readonly #entries: ReadonlyMap<string, SafetensorsEntry>
  readonly #metadata: ReadonlyMap<string, string> | null

  constructor(source: LoadSource) {
    const { entries, metadata } = withSource(source, 'safeOpen', readHeader)
    this.#source = source
    this.#entries = new Map(entries.map((entry) => [entry.name, entry]))
    this.#metadata = metadata
  }

  /** The names of the tensors, in the order of the header. */
  keys(): string[] {
    return [...this.#entries.keys()]
  }

  /** What the file says of itself; null where it says nothing. */
  metadata(): Map<string, string> | null {
    return this.#metadata === null ? null : new Map(this.#metadata)
  }

  /** The shape of a tensor, which is not read for that. Throws ValueError for an unknown name. */
  shape(name: string): readonly number[] {
    return this.#entry(name).shape
  }

  /** The dtype of a tensor as the file calls it, `BF16`. Throws ValueError for an unknown name. */
  dtype(name: string): string {
    return this.#entry(name).code
  }

  /** Reads a tensor. Throws ValueError for an unknown name, SafetensorError where the file has changed since. */
  getTensor(name: string): Tensor {
    this.#entry(name)
    return withSource(this.#source, 'safeOpen', (source) => {
      // The file may have been replaced: its header is what counts.
      const entry = readHeader(source).entries.find((candidate) => candidate.name === name)
      if (entry === undefined) throw this.#unknown(name)
      return readTensor(source, entry)
    })
  }

  #entry(name: string): SafetensorsEntry {
    const entry = this.#entries.get(name)
    if (entry === undefined) throw this.#unknown(name)
    return entry
  }

  #unknown(name: string): ValueError {
    return new ValueError(`the file has no tensor '${name}'`)
  }
}

/** The tensors that `select` wants, by name. */
export function loadFrom(
  source: ByteSource,
  select: (entry: SafetensorsEntry, header: SafetensorsHeader) => boolean = () => true,
): Map<string, Tensor> {
  const header = readHeader(source)
  const entries = header.entries.filter((entry) => select(entry, header))
  // Before anything is read: a dtype that is missing concerns the whole file.
  for (const entry of entries) dtypeOfEntry(entry, source.name)
  return new Map(entries.map((entry) => [entry.name, readTensor(source, entry)]))
}

function readTensor(source: ByteSource, entry: SafetensorsEntry): Tensor {
  const dtype = dtypeOfEntry(entry, source.name)
  const storage = tensorBridge.allocate(entry.nbytes)
  try {
    source.readInto(entry.start, tensorBridge.bytes(storage))
  } catch (error) {
    tensorBridge.free(storage)
    throw error
  }
  const { shape } = entry
  return tensorBridge.tensor(storage, [...shape], contiguousStrides(shape), 0, dtype, false) as Tensor
}

interface Item extends SafetensorsItem {
  readonly tensor: TensorDescription
}

/** A file with these tensors. Everything is checked before anything is written. */
export function prepare(tensors: NamedTensors, { metadata }: SaveOptions): PreparedFile {
  const items = describeAll(tensors).sort(compareItems)
  checkSharing(items)
  const header = writeHeader(items, metadataOf(metadata))
  return {
    size: items.reduce((sum, { nbytes }) => sum + nbytes, header.byteLength),
    write(write) {
      write(header)
      for (const { tensor, nbytes } of items) {
        const start = tensor.offset * tensor.dtype.itemsize
        write(tensorBridge.bytes(tensor.storage).subarray(start, start + nbytes))
      }
    },
  }
}

/** Names and tensors of a Map or plain object. Throws a TypeError for everything else. */
export function entriesOf(tensors: NamedTensors): [string, Tensor][] {
  if (tensors instanceof Map) return [...(tensors as ReadonlyMap<string, Tensor>)]
  const prototype =
    typeof tensors === 'object' && tensors !== null ? Object.getPrototypeOf(tensors) : undefined
  if (prototype === Object.prototype || prototype === null) return Object.entries(tensors)
  throw new TypeError_(`expected a Map or object of names and tensors, but got ${nameOf(tensors)}`)
}

const loneSurrogate = /[\ud800-\udfff]/u

function describeAll(tensors: NamedTensors): Item[] {
  return entriesOf(tensors).map(([name, value]) => {
    if (typeof name !== 'string') throw new TypeError_(`names must be strings, but one is ${nameOf(name)}`)
    if (name === '__metadata__' || loneSurrogate.test(name))
      throw new ValueError(`${JSON.stringify(name)} cannot be the name of a tensor in a safetensors file`)
    const tensor = typeof value === 'object' && value !== null ? tensorBridge.describe(value) : null
    if (tensor === null)
      throw new TypeError_(`Key \`${name}\` is invalid, expected a Tensor but received ${nameOf(value)}`)
    if (!hasCode(tensor.dtype))
      throw new ValueError(
        `tensor \`${name}\` has dtype ${tensor.dtype}, which safetensors files do not have; they have ${writableDtypes()}`,
      )
    const { dtype, sizes, strides } = tensor
    if (!isContiguous(sizes, strides))
      throw new ValueError(
        `You are trying to save a non contiguous tensor: \`${name}\` which is not allowed: there are no strides in this format. Call .contiguous() on it before saving`,
      )
    const nbytes = numelOf(sizes) * dtype.itemsize
    return { name, dtype, shape: sizes, nbytes, tensor }
  })
}

/** Throws where two tensors have memory in common, which the format would double. */
function checkSharing(items: readonly Item[]): void {
  const byStorage = new Map<object, Item[]>()
  for (const item of items) {
    if (item.nbytes === 0) continue
    const group = byStorage.get(item.tensor.storage)
    if (group === undefined) byStorage.set(item.tensor.storage, [item])
    else group.push(item)
  }
  for (const group of byStorage.values()) {
    const start = ({ tensor }: Item) => tensor.offset * tensor.dtype.itemsize
    group.sort((a, b) => start(a) - start(b))
    for (let i = 1; i < group.length; i++)
      if (start(group[i]) < start(group[i - 1]) + group[i - 1].nbytes)
        throw new ValueError(
          `Some tensors share memory, this will lead to duplicate memory on disk and potential differences when loading them again: \`${group[i - 1].name}\` and \`${group[i].name}\`. saveModel writes such tensors once; or save clone() of one of them`,
        )
  }
}

function metadataOf(metadata: SaveOptions['metadata']): ReadonlyMap<string, string> | null {
  if (metadata === undefined) return null
  const entries = metadata instanceof Map ? [...metadata] : Object.entries(metadata)
  for (const [key, value] of entries)
    if (typeof key !== 'string' || typeof value !== 'string')
      throw new TypeError_(`metadata must be texts by name, but '${String(key)}' is ${nameOf(value)}`)
  return new Map(entries)
}
