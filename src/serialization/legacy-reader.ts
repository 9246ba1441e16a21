// The format of torch.save before 1.6 (and with _use_new_zipfile_serialization=False): five pickles one after the
// other, then the bytes of each storage after its number of elements.

import { RuntimeError } from '../core/errors.ts'
import type { ByteSource } from './byte-source.ts'
import { UnpicklingError } from './errors.ts'
import { unpickle } from './pickle-reader.ts'
import type { ReadOptions } from './read-options.ts'
import { StorageTable, type TensorBridge } from './storage-table.ts'

const magicNumber = 0x1950a86a20f9469cfc6cn
const protocolVersion = 1001

/** Reads a checkpoint in the legacy format. Throws UnpicklingError. */
export function readLegacyCheckpoint(
  source: ByteSource,
  { bridge, mapLocation, mmap, extraGlobals }: ReadOptions,
): unknown {
  if (mmap)
    throw new RuntimeError(
      `${source.name}: mmap can only be used with files in the zip format of torch.save; this one is in the legacy format, whose storages cannot be found without reading it`,
    )
  const bytes = source.read(0, source.size)
  const fail = (message: string) => new UnpicklingError(`${source.name}: ${message}`)
  let position = 0
  const storages = new StorageTable(bridge, mapLocation)
  const next = (what: string, persistentLoad?: Parameters<typeof unpickle>[1]['persistentLoad']): unknown => {
    const { value, end } = unpickle(bytes, {
      name: `${source.name}: ${what}`,
      tensors: bridge,
      copyToStorage: (copied) => storages.copy(copied),
      start: position,
      extraGlobals,
      persistentLoad:
        persistentLoad ??
        (() => {
          throw new Error('there can be no storage here')
        }),
    })
    position = end
    return value
  }

  try {
    if (next('the magic number') !== magicNumber)
      throw fail('Invalid magic number; corrupt file? (A pickle, but not one that torch.save wrote.)')
    const version = next('the protocol version')
    if (version !== protocolVersion) throw fail(`Invalid protocol version: ${String(version)}`)
    const systemInfo = next('the system information')
    if (systemInfo instanceof Map && systemInfo.get('little_endian') === false)
      throw fail('the file was written on a big-endian machine, which is not supported')

    // The bytes come after the pickle, so memory is allocated for what the file may still hold, and filled later.
    let claimed = 0
    const result = next('the pickle', (id) =>
      storages.load(
        id,
        ({ key, nbytes }) => {
          claimed += nbytes
          if (claimed > bytes.length)
            throw new Error(`storage '${key}' should have ${nbytes} bytes, more than the file holds`)
        },
        null,
      ),
    )
    const keys = next('the list of storage keys')
    if (!Array.isArray(keys)) throw fail('the list of storage keys is no list')
    readStorages(bytes, position, keys, storages, bridge, fail)
    return result
  } catch (error) {
    storages.free()
    throw error
  }
}

function readStorages(
  bytes: Uint8Array,
  start: number,
  keys: readonly unknown[],
  storages: StorageTable,
  bridge: TensorBridge,
  fail: (message: string) => UnpicklingError,
): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const missing = new Set(storages.keys)
  let position = start
  for (const key of keys) {
    const typed = typeof key === 'string' ? storages.get(key) : undefined
    if (typed === undefined || !missing.delete(key as string))
      throw fail(
        `there are data for storage ${JSON.stringify(String(key))}, which the pickle does not name, or twice`,
      )
    if (position + 8 > bytes.length) throw fail(`unexpected EOF in storage '${key}': the file is truncated`)
    const size = view.getBigInt64(position, true)
    if (size !== BigInt(typed.size))
      throw fail(`storage '${key}' has ${size} elements, but the pickle says ${typed.size}`)
    position += 8
    const nbytes = typed.size * typed.itemsize
    if (position + nbytes > bytes.length)
      throw fail(
        `unexpected EOF, expected ${position + nbytes - bytes.length} more bytes in storage '${key}': the file is truncated`,
      )
    bridge.write(typed.storage, bytes.subarray(position, position + nbytes))
    position += nbytes
  }
  for (const key of missing)
    throw fail(`there are no data for storage '${key}': the file is truncated or damaged`)
}
