// Writes zip archives byte for byte as PyTorch 2.13 lays them out: entries stored, their data at multiples of 64 bytes
// (padded in the extra field of the local header), sums in data descriptors, always a zip64 end record.

import type { Summed, WriteBytes } from './byte-source.ts'
import { crc32 } from './crc32.ts'

const alignment = 64
const limit32 = 0xffffffff
// Bit 3: sums and sizes follow the data. Bit 11: names are UTF-8.
const flagsWithDescriptor = 0x0808
const flagsWithoutDescriptor = 0x0800

interface WrittenEntry {
  readonly name: Uint8Array
  /** Known once the data were written. */
  crc: number
  readonly size: number
  readonly headerOffset: number
}

/**
 * Writes an archive piece by piece: `add` each entry, then `finish`. Pieces are handed to `write` in the order of
 * the file and may be views of the caller's memory.
 */
export class ZipWriter {
  readonly #write: WriteBytes
  readonly #sum: (bytes: Uint8Array) => number
  readonly #root: string | null
  readonly #entries: WrittenEntry[] = []
  #position = 0

  /** `root` is the folder in which all entries lie, null for none. `sum` is replaced by those who only measure. */
  constructor(root: string | null, write: WriteBytes, sum: (bytes: Uint8Array) => number = crc32) {
    this.#root = root
    this.#write = write
    this.#sum = sum
  }

  /** Writes one entry, `<root>/<name>` or `<name>`. */
  add(name: string, data: Uint8Array): void {
    const entry: WrittenEntry = {
      name: encode(this.#root === null ? name : `${this.#root}/${name}`),
      crc: 0,
      size: data.byteLength,
      headerOffset: this.#position,
    }
    this.#entries.push(entry)
    this.#emit(localHeader(entry))
    // As in PyTorch, an entry without bytes has no descriptor either.
    if (entry.size === 0) return
    entry.crc = this.#emit(data) ?? this.#sum(data)
    this.#emit(dataDescriptor(entry))
  }

  /** Writes the directory and the end records. */
  finish(): void {
    const offset = this.#position
    for (const entry of this.#entries) this.#emit(directoryEntry(entry))
    const size = this.#position - offset
    this.#emit(endRecords(this.#entries.length, offset, size))
  }

  /** Forty digits that tell one checkpoint from another, made from the names and sums of the entries so far. */
  serializationId(): string {
    let names = fnvOffset
    let sums = fnvOffset
    for (const entry of this.#entries) {
      for (const byte of entry.name) names = fnv(names, byte)
      for (let shift = 0; shift < 32; shift += 8) sums = fnv(sums, (entry.crc >>> shift) & 255)
    }
    return `${names}`.padStart(20, '0') + `${sums}`.padStart(20, '0')
  }

  #emit(bytes: Uint8Array): number | undefined {
    const result = this.#write(bytes) as Partial<Summed> | undefined
    this.#position += bytes.byteLength
    return result?.crc32
  }
}

// FNV-1a, 64 bits.
const fnvOffset = 0xcbf29ce484222325n
const fnvPrime = 0x100000001b3n

function fnv(hash: bigint, byte: number): bigint {
  return BigInt.asUintN(64, (hash ^ BigInt(byte)) * fnvPrime)
}

const encoder = new TextEncoder()

function encode(text: string): Uint8Array {
  return encoder.encode(text)
}

/** The zip64 field with those numbers that do not fit into 32 bits; empty where all do. */
function zip64Field({ size, headerOffset }: WrittenEntry): Uint8Array {
  const values: number[] = []
  if (size >= limit32) values.push(size, size)
  if (headerOffset >= limit32) values.push(headerOffset)
  if (values.length === 0) return new Uint8Array(0)
  const bytes = new Uint8Array(4 + 8 * values.length)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, 1, true)
  view.setUint16(2, 8 * values.length, true)
  for (const [i, value] of values.entries()) view.setBigUint64(4 + 8 * i, BigInt(value), true)
  return bytes
}

function localHeader(entry: WrittenEntry): Uint8Array {
  const wide = zip64Field(entry)
  const unpadded = 30 + entry.name.length + wide.length + 4
  const padding = (alignment - ((entry.headerOffset + unpadded) % alignment)) % alignment
  const bytes = new Uint8Array(unpadded + padding)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 0x04034b50, true)
  view.setUint16(6, entry.size === 0 ? flagsWithoutDescriptor : flagsWithDescriptor, true)
  view.setUint16(26, entry.name.length, true)
  view.setUint16(28, wide.length + 4 + padding, true)
  bytes.set(entry.name, 30)
  bytes.set(wide, 30 + entry.name.length)
  const field = 30 + entry.name.length + wide.length
  bytes[field] = 0x46 // F
  bytes[field + 1] = 0x42 // B
  view.setUint16(field + 2, padding, true)
  bytes.fill(0x5a, field + 4) // Z
  return bytes
}

function dataDescriptor(entry: WrittenEntry): Uint8Array {
  const isWide = entry.size >= limit32 || entry.headerOffset >= limit32
  const bytes = new Uint8Array(isWide ? 24 : 16)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 0x08074b50, true)
  view.setUint32(4, entry.crc, true)
  if (isWide) {
    view.setBigUint64(8, BigInt(entry.size), true)
    view.setBigUint64(16, BigInt(entry.size), true)
  } else {
    view.setUint32(8, entry.size, true)
    view.setUint32(12, entry.size, true)
  }
  return bytes
}

function directoryEntry(entry: WrittenEntry): Uint8Array {
  const wide = zip64Field(entry)
  const bytes = new Uint8Array(46 + entry.name.length + wide.length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 0x02014b50, true)
  view.setUint16(8, entry.size === 0 ? flagsWithoutDescriptor : flagsWithDescriptor, true)
  view.setUint32(16, entry.crc, true)
  view.setUint32(20, Math.min(entry.size, limit32), true)
  view.setUint32(24, Math.min(entry.size, limit32), true)
  view.setUint16(28, entry.name.length, true)
  view.setUint16(30, wide.length, true)
  view.setUint32(42, Math.min(entry.headerOffset, limit32), true)
  bytes.set(entry.name, 46)
  bytes.set(wide, 46 + entry.name.length)
  return bytes
}

function endRecords(count: number, offset: number, size: number): Uint8Array {
  const bytes = new Uint8Array(56 + 20 + 22)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, 0x06064b50, true)
  view.setBigUint64(4, 44n, true)
  view.setUint16(12, 0x031e, true)
  view.setUint16(14, 45, true)
  view.setBigUint64(24, BigInt(count), true)
  view.setBigUint64(32, BigInt(count), true)
  view.setBigUint64(40, BigInt(size), true)
  view.setBigUint64(48, BigInt(offset), true)
  view.setUint32(56, 0x07064b50, true)
  view.setBigUint64(64, BigInt(offset + size), true)
  view.setUint32(72, 1, true)
  view.setUint32(76, 0x06054b50, true)
  view.setUint16(84, Math.min(count, 0xffff), true)
  view.setUint16(86, Math.min(count, 0xffff), true)
  view.setUint32(88, Math.min(size, limit32), true)
  view.setUint32(92, Math.min(offset, limit32), true)
  return bytes
}
