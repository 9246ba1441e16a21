// Models in several .safetensors files with an index, model.safetensors.index.json, as transformers writes large ones.

import { TypeError_, ValueError } from '../core/errors.ts'
import { numelOf } from '../core/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { FormatError, SafetensorError } from './errors.ts'
import { localPath, withSource } from './file-sources.ts'
import { targetPath, writeFile } from './file-targets.ts'
import { jsonEntries } from './json-entries.ts'
import { makeFolder, siblingPath } from './node-files.ts'
import { entriesOf, loadFrom, type NamedTensors, prepare, type SaveOptions } from './safetensors-file.ts'
import { tensorBridge } from './tensor-bridge.ts'

const maxIndexSize = 100_000_000

/**
 * The tensors of a model in shards by name, in the order of the index; `index` is the path of the
 * `model.safetensors.index.json`, beside which the shards lie. Each shard is opened once.
 *
 * Throws SafetensorError where index or shards are damaged, or a shard lacks what the index says it has, FileError
 * where a file cannot be read.
 */
export function loadSharded(index: string | URL): Map<string, Tensor> {
  const path = localPath(index)
  if (path === null) throw new TypeError_(`loadSharded: expected a path or a file: URL, but got '${index}'`)
  const weightMap = withSource(path, 'loadSharded', (source) => {
    if (source.size > maxIndexSize)
      throw new SafetensorError(`${source.name}: an index of ${source.size} bytes is none`)
    return readIndex(source.name, source.read(0, source.size))
  })
  const byShard = new Map<string, Set<string>>()
  for (const [name, shard] of weightMap) {
    const names = byShard.get(shard) ?? new Set()
    byShard.set(shard, names.add(name))
  }
  const tensors = new Map<string, Tensor>()
  for (const [shard, names] of byShard) {
    const found = withSource(siblingPath(path, shard), 'loadSharded', (source) =>
      loadFrom(source, (entry) => names.has(entry.name)),
    )
    for (const name of names) {
      const tensor = found.get(name)
      if (tensor === undefined)
        throw new SafetensorError(`${path}: '${name}' should be in ${shard}, which has no such tensor`)
      tensors.set(name, tensor)
    }
  }
  return new Map([...weightMap.keys()].map((name) => [name, tensors.get(name)!]))
}

/** From the name of each tensor to its file. File names are names only: an index leads nowhere else. */
function readIndex(name: string, bytes: Uint8Array): Map<string, string> {
  const fail = (message: string, cause?: unknown) => new SafetensorError(`${name}: ${message}`, { cause })
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    const weightMap = new Map(jsonEntries(text)).get('weight_map')
    if (weightMap === null || typeof weightMap !== 'object' || Array.isArray(weightMap))
      throw fail("the index has no object 'weight_map'")
    const entries = Object.entries(weightMap as Record<string, unknown>)
    for (const [tensor, file] of entries)
      if (typeof file !== 'string' || !/^[^/\\\0]+$/.test(file) || file === '.' || file === '..')
        throw fail(
          `the file of '${tensor}' must be the name of a file beside the index, but is ${JSON.stringify(file)?.slice(0, 100)}`,
        )
    return new Map(entries as [string, string][])
  } catch (error) {
    if (error instanceof FormatError) throw error
    throw fail(`the index is no valid JSON: ${(error as Error).message.slice(0, 120)}`, error)
  }
}

/** Options of `saveSharded`. */
export interface SaveShardedOptions extends SaveOptions {
  /** The largest size of a shard in bytes; default 5 GB, as in transformers. A larger tensor has a shard of its own. */
  readonly maxShardSize?: number
  /** What the files are called, without `.safetensors`; default `model`. */
  readonly name?: string
}

/**
 * Writes tensors to `folder` in shards of at most `maxShardSize` bytes, then the index; where one file is enough, only
 * that. Returns the path of the index, or of the one file. Each file is replaced as a whole, the index last.
 *
 * Throws as `saveFile`, before any file is touched.
 */
export function saveSharded(
  tensors: NamedTensors,
  folder: string | URL,
  options: SaveShardedOptions = {},
): string {
  const { maxShardSize = 5e9, name = 'model', ...saveOptions } = options
  if (!(maxShardSize > 0)) throw new ValueError(`maxShardSize must be positive, but is ${maxShardSize}`)
  const path = targetPath(folder, 'saveSharded', 'save gives the bytes of one file')
  const entries = entriesOf(tensors)
  // Sharing between shards is checked here, within a shard it would be found anyway.
  prepare(tensors, saveOptions)
  const shards: Map<string, Tensor>[] = [new Map()]
  let size = 0
  let totalSize = 0
  for (const [key, tensor] of entries) {
    const { sizes, dtype } = tensorBridge.describe(tensor)!
    const nbytes = numelOf(sizes) * dtype.itemsize
    if (size + nbytes > maxShardSize && size > 0) {
      shards.push(new Map())
      size = 0
    }
    shards[shards.length - 1].set(key, tensor)
    size += nbytes
    totalSize += nbytes
  }
  makeFolder(path)
  const inFolder = (file: string) => siblingPath(`${path}/index`, file)
  if (shards.length === 1) {
    const target = inFolder(`${name}.safetensors`)
    writeFile(target, () => prepare(shards[0], saveOptions))
    return target
  }
  const weightMap = new Map<string, string>()
  const count = String(shards.length).padStart(5, '0')
  for (const [i, shard] of shards.entries()) {
    const file = `${name}-${String(i + 1).padStart(5, '0')}-of-${count}.safetensors`
    writeFile(inFolder(file), () => prepare(shard, saveOptions))
    for (const key of shard.keys()) weightMap.set(key, file)
  }
  const target = inFolder(`${name}.safetensors.index.json`)
  const text = new TextEncoder().encode(indexText(totalSize, weightMap))
  writeFile(target, () => ({ size: text.length, write: (write) => write(text) }))
  return target
}

/** Written by hand, as a JavaScript object would sort names such as "10". */
function indexText(totalSize: number, weightMap: ReadonlyMap<string, string>): string {
  const lines = [...weightMap].map(([name, file]) => `    ${JSON.stringify(name)}: ${JSON.stringify(file)}`)
  return `{\n  "metadata": {\n    "total_size": ${totalSize}\n  },\n  "weight_map": {\n${lines.join(',\n')}\n  }\n}\n`
}
