// The zip format of torch.save (PyTorch 1.6 on): what the entries of an archive mean.

import type { ByteSource, WriteBytes } from './byte-source.ts'
import { UnpicklingError } from './errors.ts'
import { unpickle } from './pickle-reader.ts'
import { OrderedDict } from './python-objects.ts'
import type { ReadOptions } from './read-options.ts'
import { findScriptGlobal, ScriptWeights } from './script-objects.ts'
import { StorageTable } from './storage-table.ts'
import { ZipReader } from './zip-reader.ts'
import { ZipWriter } from './zip-writer.ts'

// A pickle names the tensors, it does not hold them; one of this size would be of a hundred thousand times as many as usual.
const maxPickleSize = 512 * 2 ** 20
const maxRecordSize = 1024
// PyTorch 2.13's kMaxSupportedFileFormatVersion.
const maxVersion = 10

/** Reads a checkpoint in the zip format. Throws UnpicklingError. */
export function readTorchArchive(
  source: ByteSource,
  { bridge, mapLocation, mmap, extraGlobals }: ReadOptions,
): unknown {
  const zip = new ZipReader(source)
  const root = findRoot(source, zip)
  const isScript = zip.entries.has(`${root}/constants.pkl`)
  if (isScript && extraGlobals === undefined)
    throw new UnpicklingError(
      `${source.name}: this is a TorchScript archive (torch.jit.save), a program rather than a checkpoint. Pass { weightsOnly: false } to load its tensors as a state dict, without running anything; or in Python, save model.state_dict() with torch.save`,
    )
  checkRecords(source, zip, root)
  const pickle = zip.read(`${root}/data.pkl`, maxPickleSize)
  const storages = new StorageTable(bridge, mapLocation, mmap)
  const entryName = (key: string) => `${root}/data/${key}`
  try {
    const { value } = unpickle(pickle, {
      name: `${source.name}: data.pkl`,
      tensors: bridge,
      extraGlobals: isScript ? findScriptGlobal : extraGlobals,
      copyToStorage: (bytes) => storages.copy(bytes),
      persistentLoad: (id) =>
        storages.load(
          id,
          ({ key, nbytes, size, dtypeName }) => {
            const entry = zip.entries.get(entryName(key))
            if (entry === undefined) throw new Error(`the archive has no entry data/${key}`)
            if (entry.size !== nbytes)
              throw new Error(
                `storage '${key}' should have ${nbytes} bytes (${size} elements of ${dtypeName}), but data/${key} has ${entry.size}`,
              )
          },
          ({ key }, target) => zip.readInto(entryName(key), target),
        ),
    })
    if (mmap) source.keep()
    if (!isScript) return value
    if (value instanceof ScriptWeights) return new OrderedDict(value)
    throw new UnpicklingError(`${source.name}: the TorchScript archive holds no module`)
  } catch (error) {
    storages.free()
    throw error
  }
}

/** The one folder in which all entries lie. */
function findRoot(source: ByteSource, zip: ZipReader): string {
  const fail = (message: string) => new UnpicklingError(`${source.name}: ${message}`)
  const [first] = zip.entries.keys()
  if (first === undefined) throw fail('the zip archive is empty')
  const slash = first.indexOf('/')
  const root = first.slice(0, Math.max(slash, 0))
  for (const name of zip.entries.keys())
    if (root === '' || !name.startsWith(`${root}/`))
      throw fail(
        root === ''
          ? `'${first}' is in no folder, so this zip archive is no checkpoint of torch.save`
          : `'${name}' is not in the folder '${root}/', so this zip archive is no checkpoint of torch.save`,
      )
  if (!zip.entries.has(`${root}/data.pkl`))
    throw fail(`there is no '${root}/data.pkl', so this zip archive is no checkpoint of torch.save`)
  return root
}

function checkRecords(source: ByteSource, zip: ZipReader, root: string): void {
  const record = (name: string): string | null =>
    zip.entries.has(`${root}/${name}`)
      ? new TextDecoder().decode(zip.read(`${root}/${name}`, maxRecordSize)).trim()
      : null
  const version = record('version')
  if (version !== null && !/^\d{1,3}$/.test(version))
    throw new UnpicklingError(
      `${source.name}: Couldn't parse the version ${JSON.stringify(version.slice(0, 40))}`,
    )
  if (Number(version) > maxVersion)
    throw new UnpicklingError(
      `${source.name}: Attempted to read a PyTorch file with version ${version}, but the maximum supported version for reading is ${maxVersion}`,
    )
  const byteorder = record('byteorder') ?? 'little'
  if (byteorder === 'big')
    throw new UnpicklingError(
      `${source.name}: the file was written on a big-endian machine, which is not supported`,
    )
  if (byteorder !== 'little')
    throw new UnpicklingError(
      `${source.name}: Unknown endianness type: ${JSON.stringify(byteorder.slice(0, 40))}`,
    )
}

/** A checkpoint that is ready to be written. */
export interface PreparedArchive {
  /** The folder in which all entries lie. */
  readonly root: string
  readonly pickle: Uint8Array
  /** Each gives the bytes of a storage when they are needed; they may be gone after the next one's. */
  readonly storages: readonly (() => Uint8Array)[]
}

/** Writes a checkpoint in the zip format, piece by piece; a piece must be used up before `write` returns. */
export function writeTorchArchive(archive: PreparedArchive, write: WriteBytes): void {
  writeEntries(archive, new ZipWriter(archive.root, write))
}

/** How many bytes `writeTorchArchive` will write. */
export function sizeOfTorchArchive(archive: PreparedArchive): number {
  let size = 0
  const count = (bytes: Uint8Array) => {
    size += bytes.byteLength
  }
  writeEntries(archive, new ZipWriter(archive.root, count, () => 0))
  return size
}

function writeEntries({ pickle, storages }: PreparedArchive, zip: ZipWriter): void {
  const encode = (text: string) => new TextEncoder().encode(text)
  zip.add('data.pkl', pickle)
  zip.add('.format_version', encode('1'))
  zip.add('.storage_alignment', encode('64'))
  zip.add('byteorder', encode('little'))
  for (const [key, bytes] of storages.entries()) zip.add(`data/${key}`, bytes())
  zip.add('version', encode('3\n'))
  zip.add('.data/serialization_id', encode(zip.serializationId()))
  zip.finish()
}
