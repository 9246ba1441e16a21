// Reads TensorBoard's event files without the library: records with bitwise checksums, and Protocol Buffers messages by
// field number.

import { expect } from 'vitest'

/** CRC-32C, one bit after the other, masked as TFRecord asks for. */
function maskedChecksum(bytes: Uint8Array): number {
  let remainder = 0xffffffffn
  for (const byte of bytes) {
    remainder ^= BigInt(byte)
    for (let k = 0; k < 8; k++) remainder = remainder & 1n ? (remainder >> 1n) ^ 0x82f63b78n : remainder >> 1n
  }
  const sum = remainder ^ 0xffffffffn
  const rotated = ((sum >> 15n) | (sum << 17n)) & 0xffffffffn
  return Number((rotated + 0xa282ead8n) & 0xffffffffn)
}

/** The data of each record of a file; every checksum is compared. */
export function readRecords(file: Uint8Array): Uint8Array[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const records: Uint8Array[] = []
  for (let offset = 0; offset < file.length; ) {
    const length = Number(view.getBigUint64(offset, true))
    expect(view.getUint32(offset + 8, true)).toBe(maskedChecksum(file.subarray(offset, offset + 8)))
    const data = file.subarray(offset + 12, offset + 12 + length)
    expect(data.length).toBe(length)
    expect(view.getUint32(offset + 12 + length, true)).toBe(maskedChecksum(data))
    records.push(data)
    offset += 16 + length
  }
  return records
}

/** A message read field by field. A field that is missing is an error, unless asked for with `all`. */
export class Fields {
  private readonly values = new Map<number, (bigint | Uint8Array)[]>()

  constructor(bytes: Uint8Array) {
    let offset = 0
    const varint = (): bigint => {
      let value = 0n
      for (let shift = 0n; ; shift += 7n) {
        const byte = bytes[offset++]
        value |= BigInt(byte & 127) << shift
        if (byte < 128) return value
      }
    }
    while (offset < bytes.length) {
      const key = Number(varint())
      const wireType = key & 7
      const size = wireType === 1 ? 8 : wireType === 5 ? 4 : wireType === 2 ? Number(varint()) : 0
      const value = wireType === 0 ? varint() : bytes.subarray(offset, offset + size)
      offset += size
      const list = this.values.get(key >> 3) ?? []
      list.push(value)
      this.values.set(key >> 3, list)
    }
  }

  private one(field: number): bigint | Uint8Array {
    const values = this.values.get(field) ?? []
    expect(values, `field ${field}`).toHaveLength(1)
    return values[0]
  }

  private view(field: number): DataView {
    const bytes = this.one(field) as Uint8Array
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  has(field: number): boolean {
    return this.values.has(field)
  }
  integer(field: number): number {
    return Number(BigInt.asIntN(64, this.one(field) as bigint))
  }
  float(field: number): number {
    return this.view(field).getFloat32(0, true)
  }
  double(field: number): number {
    return this.view(field).getFloat64(0, true)
  }
  doubles(field: number): number[] {
    const view = this.view(field)
    return Array.from({ length: view.byteLength / 8 }, (_, i) => view.getFloat64(8 * i, true))
  }
  bytes(field: number): Uint8Array {
    return this.one(field) as Uint8Array
  }
  text(field: number): string {
    return new TextDecoder().decode(this.bytes(field))
  }
  message(field: number): Fields {
    return new Fields(this.bytes(field))
  }
  all(field: number): Uint8Array[] {
    return (this.values.get(field) ?? []) as Uint8Array[]
  }
}
