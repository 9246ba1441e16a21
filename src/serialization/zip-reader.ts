// Reads zip archives that may be damaged or hostile. The central directory is what counts; every offset and size is
// checked against the bytes that are there before anything is allocated, and every entry that is read against its CRC.

import { Inflate } from 'fflate'
import { type ByteSource, checkRange } from './byte-source.ts'
import { crc32 } from './crc32.ts'
import { UnpicklingError } from './errors.ts'

const localHeaderSignature = 0x04034b50
const directorySignature = 0x02014b50
const endSignature = 0x06054b50
const end64Signature = 0x06064b50
const end64LocatorSignature = 0x07064b50

const localHeaderLength = 30
const directoryEntryLength = 46
const endLength = 22
const end64LocatorLength = 20
const end64Length = 56

const stored = 0
const deflated = 8

// Deflate cannot do better than 1032 to 1; a little is added for tiny entries.
const maxDeflateRatio = 1040
// How much compressed data is inflated between two looks at the size reached so far.
const inflateStep = 1 << 14

/** One file of an archive, as the central directory describes it. */
export interface ZipEntry {
  readonly name: string
  readonly method: 'stored' | 'deflated'
  readonly crc32: number
  readonly compressedSize: number
  readonly size: number
  readonly headerOffset: number
  /** Where the next entry or the directory begins: the data must end before. */
  readonly limit: number
}

/** A zip archive opened for reading. Throws UnpicklingError for whatever is wrong with it. */
export class ZipReader {
  /** The entries by name, in the order of the directory. */
  readonly entries: ReadonlyMap<string, ZipEntry>
  readonly #source: ByteSource
  // set_crc32_options(False) makes PyTorch write 0 for every entry; a lone 0 among sums is a sum like any other.
  readonly #hasSums: boolean

  constructor(source: ByteSource) {
    this.#source = source
    this.entries = readDirectory(source)
    this.#hasSums = [...this.entries.values()].some((entry) => entry.crc32 !== 0)
  }

  /**
   * The bytes of an entry, inflated and checked. A view of the source where it is in memory, so not to be written to.
   * `maxSize` bounds what may be allocated.
   */
  read(name: string, maxSize: number = Number.MAX_SAFE_INTEGER): Uint8Array {
    const entry = this.#entry(name)
    if (entry.size > maxSize)
      throw this.#error(`entry '${name}' has ${entry.size} bytes, more than the ${maxSize} that it may have`)
    const offset = this.#dataOffset(entry)
    const raw = this.#source.read(offset, entry.compressedSize)
    const bytes = entry.method === 'stored' ? raw : this.#inflate(entry, raw, new Uint8Array(entry.size))
    this.#checkSum(entry, bytes)
    return bytes
  }

  /** Reads an entry into `target`, which must have exactly its size. */
  readInto(name: string, target: Uint8Array): void {
    const entry = this.#entry(name)
    if (entry.size !== target.byteLength)
      throw this.#error(`entry '${name}' has ${entry.size} bytes, not ${target.byteLength}`)
    const offset = this.#dataOffset(entry)
    let sum: number | undefined
    if (entry.method === 'stored') sum = this.#source.readInto(offset, target)
    else this.#inflate(entry, this.#source.read(offset, entry.compressedSize), target)
    this.#checkSum(entry, target, sum)
  }

  #entry(name: string): ZipEntry {
    const entry = this.entries.get(name)
    if (entry === undefined) throw this.#error(`there is no entry '${name}'`)
    return entry
  }

  /** Where the entry's data begin. Throws where the local header is not the one that the directory describes. */
  #dataOffset(entry: ZipEntry): number {
    const start = entry.headerOffset
    checkRange(this.#source, start, localHeaderLength, `the header of entry '${entry.name}'`)
    const header = viewOf(this.#source.read(start, localHeaderLength))
    if (header.getUint32(0, true) !== localHeaderSignature)
      throw this.#error(`entry '${entry.name}' has no header at byte ${start}`)
    if (header.getUint16(6, true) & 1) throw this.#error(`entry '${entry.name}' is encrypted`)
    const method = entry.method === 'stored' ? stored : deflated
    if (header.getUint16(8, true) !== method)
      throw this.#error(
        `entry '${entry.name}' is ${entry.method} by the directory, but not by its own header`,
      )
    const nameLength = header.getUint16(26, true)
    const extraLength = header.getUint16(28, true)
    const data = start + localHeaderLength + nameLength + extraLength
    if (data + entry.compressedSize > entry.limit)
      throw this.#error(
        `entry '${entry.name}' would take bytes ${start} to ${data + entry.compressedSize}, but the next one begins at ${entry.limit}: entries must not overlap`,
      )
    const localName = decodeName(this.#source.read(start + localHeaderLength, nameLength))
    if (localName !== entry.name)
      throw this.#error(`entry '${entry.name}' is called '${localName}' in its own header`)
    return data
  }

  /** Inflates step by step, so that an entry stops at the size it claims whatever it holds. */
  #inflate(entry: ZipEntry, raw: Uint8Array, target: Uint8Array): Uint8Array {
    let size = 0
    const inflate = new Inflate((chunk) => {
      if (size + chunk.length > target.length)
        throw this.#error(
          `entry '${entry.name}' inflates to more than the ${target.length} bytes that it claims`,
        )
      target.set(chunk, size)
      size += chunk.length
    })
    try {
      for (let i = 0; i < raw.length; i += inflateStep)
        inflate.push(raw.subarray(i, i + inflateStep), i + inflateStep >= raw.length)
    } catch (error) {
      if (error instanceof UnpicklingError) throw error
      throw this.#error(`entry '${entry.name}' is not valid deflate data (${(error as Error).message})`)
    }
    if (size !== target.length)
      throw this.#error(
        `entry '${entry.name}' inflates to ${size} bytes, not to the ${target.length} it claims`,
      )
    return target
  }

  #checkSum(entry: ZipEntry, bytes: Uint8Array, known?: number): void {
    if (!this.#hasSums) return
    const sum = known ?? crc32(bytes)
    if (sum !== entry.crc32)
      throw this.#error(
        `entry '${entry.name}' is damaged: its CRC-32 is ${hex(sum)}, the archive says ${hex(entry.crc32)}`,
      )
  }

  #error(message: string): UnpicklingError {
    return archiveError(this.#source, message)
  }
}

function archiveError(source: ByteSource, message: string): UnpicklingError {
  return new UnpicklingError(`${source.name}: ${message}`)
}

function hex(sum: number): string {
  return sum.toString(16).padStart(8, '0')
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodeName(bytes: Uint8Array): string | null {
  try {
    return utf8.decode(bytes)
  } catch {
    return null
  }
}

interface DirectoryLocation {
  readonly count: number
  readonly offset: number
  readonly size: number
}

/** Finds the end record, which is the last thing in the file but for a comment or padding with zeros. */
function findEnd(source: ByteSource): number {
  const searched = Math.min(source.size, endLength + 0xffff)
  const base = source.size - searched
  const tail = source.read(base, searched)
  const view = viewOf(tail)
  for (let i = searched - endLength; i >= 0; i--) {
    if (view.getUint32(i, true) !== endSignature) continue
    const end = i + endLength + view.getUint16(i + 20, true)
    if (end <= searched && tail.subarray(end).every((byte) => byte === 0)) return base + i
  }
  throw archiveError(
    source,
    'the zip archive has no end record: the file is truncated or damaged (failed finding central directory)',
  )
}

function locateDirectory(source: ByteSource): DirectoryLocation {
  const endOffset = findEnd(source)
  const end = viewOf(source.read(endOffset, endLength))
  const short = {
    disk: end.getUint16(4, true),
    directoryDisk: end.getUint16(6, true),
    countHere: end.getUint16(8, true),
    count: end.getUint16(10, true),
    size: end.getUint32(12, true),
    offset: end.getUint32(16, true),
  }
  let limit = endOffset
  let location: DirectoryLocation = short
  const long = readEnd64(source, endOffset)
  if (long !== null) {
    limit = long.recordOffset
    // Two records that disagree are two archives in one file, and every reader picks another.
    const agree = (narrow: number, wide: number, all: number) => narrow === wide || narrow === all
    if (
      !agree(short.count, long.count, 0xffff) ||
      !agree(short.size, long.size, 0xffffffff) ||
      !agree(short.offset, long.offset, 0xffffffff)
    )
      throw archiveError(source, 'the two end records of the zip archive disagree')
    location = long
  } else if (short.disk !== 0 || short.directoryDisk !== 0 || short.countHere !== short.count)
    throw archiveError(source, 'the zip archive is split over several disks')
  if (location.offset + location.size > limit)
    throw archiveError(
      source,
      `the zip directory would lie at bytes ${location.offset} to ${location.offset + location.size}, beyond the end record at ${limit}`,
    )
  if (location.count * directoryEntryLength > location.size)
    throw archiveError(
      source,
      `the zip directory claims ${location.count} entries in ${location.size} bytes, which cannot be`,
    )
  return location
}

/** The zip64 end record, which PyTorch always writes, or null where there is none. */
function readEnd64(
  source: ByteSource,
  endOffset: number,
): (DirectoryLocation & { recordOffset: number }) | null {
  const locatorOffset = endOffset - end64LocatorLength
  if (locatorOffset < 0) return null
  const locator = viewOf(source.read(locatorOffset, end64LocatorLength))
  if (locator.getUint32(0, true) !== end64LocatorSignature) return null
  const recordOffset = wide(source, locator, 8, 'the offset of the zip64 end record')
  if (recordOffset + end64Length > locatorOffset)
    throw archiveError(source, `there is no zip64 end record at byte ${recordOffset}`)
  const record = viewOf(source.read(recordOffset, end64Length))
  if (record.getUint32(0, true) !== end64Signature)
    throw archiveError(source, `there is no zip64 end record at byte ${recordOffset}`)
  if (record.getUint32(16, true) !== 0 || record.getUint32(20, true) !== 0)
    throw archiveError(source, 'the zip archive is split over several disks')
  return {
    recordOffset,
    count: wide(source, record, 32, 'the number of entries'),
    size: wide(source, record, 40, 'the size of the directory'),
    offset: wide(source, record, 48, 'the offset of the directory'),
  }
}

/** A 64-bit field that must not exceed the size of the file, whatever it counts. */
function wide(source: ByteSource, view: DataView, position: number, what: string): number {
  const value = view.getBigUint64(position, true)
  if (value > BigInt(source.size))
    throw archiveError(source, `${what} is ${value}, but the file has only ${source.size} bytes`)
  return Number(value)
}

function readDirectory(source: ByteSource): Map<string, ZipEntry> {
  if (source.size < endLength) throw archiveError(source, 'the file is too short for a zip archive')
  const { count, offset, size } = locateDirectory(source)
  const bytes = source.read(offset, size)
  const view = viewOf(bytes)
  const found: Omit<ZipEntry, 'limit'>[] = []
  let position = 0
  for (let i = 0; i < count; i++) {
    if (position + directoryEntryLength > size || view.getUint32(position, true) !== directorySignature)
      throw archiveError(source, `entry ${i} of the zip directory is damaged`)
    const nameLength = view.getUint16(position + 28, true)
    const extraLength = view.getUint16(position + 30, true)
    const commentLength = view.getUint16(position + 32, true)
    const next = position + directoryEntryLength + nameLength + extraLength + commentLength
    if (next > size)
      throw archiveError(source, `entry ${i} of the zip directory goes beyond the end of the directory`)
    found.push(parseEntry(source, view, bytes, position, i))
    position = next
  }
  if (position !== size)
    throw archiveError(source, `the zip directory has ${size - position} bytes that belong to no entry`)
  return withLimits(source, found, offset)
}

function parseEntry(
  source: ByteSource,
  view: DataView,
  bytes: Uint8Array,
  position: number,
  index: number,
): Omit<ZipEntry, 'limit'> {
  const nameLength = view.getUint16(position + 28, true)
  const nameStart = position + directoryEntryLength
  const name = decodeName(bytes.subarray(nameStart, nameStart + nameLength))
  if (name === null || name === '' || name.includes('\0'))
    throw archiveError(source, `entry ${index} of the zip directory has no valid name`)
  if (view.getUint16(position + 8, true) & 0x41) throw archiveError(source, `entry '${name}' is encrypted`)
  if (view.getUint16(position + 34, true) !== 0)
    throw archiveError(source, `entry '${name}' lies on another disk`)
  const method = view.getUint16(position + 10, true)
  if (method !== stored && method !== deflated)
    throw archiveError(
      source,
      `entry '${name}' is compressed by method ${method}; only stored and deflated entries can be read`,
    )
  const sizes = {
    size: view.getUint32(position + 24, true),
    compressedSize: view.getUint32(position + 20, true),
    headerOffset: view.getUint32(position + 42, true),
  }
  const extraStart = nameStart + nameLength
  readZip64Field(source, view, extraStart, extraStart + view.getUint16(position + 30, true), sizes, name)
  checkRange(
    source,
    sizes.headerOffset,
    localHeaderLength + nameLength + sizes.compressedSize,
    `entry '${name}'`,
  )
  if (method === stored && sizes.size !== sizes.compressedSize)
    throw archiveError(
      source,
      `entry '${name}' is stored, but has ${sizes.size} bytes in ${sizes.compressedSize}`,
    )
  if (method === deflated && sizes.size > sizes.compressedSize * maxDeflateRatio)
    throw archiveError(
      source,
      `entry '${name}' claims to inflate from ${sizes.compressedSize} to ${sizes.size} bytes, which cannot be`,
    )
  return {
    name,
    method: method === stored ? 'stored' : 'deflated',
    crc32: view.getUint32(position + 16, true),
    ...sizes,
  }
}

/** Replaces the fields that are all ones by those of the zip64 extra field. */
function readZip64Field(
  source: ByteSource,
  view: DataView,
  start: number,
  end: number,
  sizes: { size: number; compressedSize: number; headerOffset: number },
  name: string,
): void {
  const missing = (['size', 'compressedSize', 'headerOffset'] as const).filter((k) => sizes[k] === 0xffffffff)
  if (missing.length === 0) return
  for (let p = start; p + 4 <= end; ) {
    const id = view.getUint16(p, true)
    const fieldEnd = p + 4 + view.getUint16(p + 2, true)
    if (fieldEnd > end) break
    if (id === 1) {
      if (p + 4 + 8 * missing.length > fieldEnd) break
      for (const [i, key] of missing.entries())
        sizes[key] = wide(source, view, p + 4 + 8 * i, `the ${key} of entry '${name}'`)
      return
    }
    p = fieldEnd
  }
  throw archiveError(source, `entry '${name}' needs a zip64 field, which it does not have`)
}

/** Gives every entry the place where it must end, and refuses entries that share a name or bytes. */
function withLimits(
  source: ByteSource,
  found: readonly Omit<ZipEntry, 'limit'>[],
  directoryOffset: number,
): Map<string, ZipEntry> {
  const byOffset = [...found].sort((a, b) => a.headerOffset - b.headerOffset)
  const limits = new Map<string, number>()
  for (let i = 0; i < byOffset.length; i++) {
    const { name, headerOffset, compressedSize } = byOffset[i]
    const limit = i + 1 < byOffset.length ? byOffset[i + 1].headerOffset : directoryOffset
    if (limits.has(name)) throw archiveError(source, `two entries are called '${name}'`)
    if (headerOffset + localHeaderLength + compressedSize > limit)
      throw archiveError(source, `entry '${name}' overlaps what follows it at byte ${limit}`)
    limits.set(name, limit)
  }
  const entries = new Map<string, ZipEntry>()
  for (const entry of found) entries.set(entry.name, { ...entry, limit: limits.get(entry.name)! })
  return entries
}
