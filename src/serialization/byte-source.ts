// Where the bytes of a checkpoint come from: memory here, open files in node-files.ts. Readers see only ByteSource.

import { UnpicklingError } from './errors.ts'

/** Random access to the bytes of a file. Every read is checked against `size` before anything is allocated. */
export interface ByteSource {
  /** What messages call it: the path, or `<bytes>`. */
  readonly name: string
  readonly size: number
  /** The bytes from `offset` on; a view where they are in memory, so not to be written to. */
  read(offset: number, length: number): Uint8Array
  /** Copies as many bytes as `target` holds; returns their CRC-32 where it was computed on the way. */
  readInto(offset: number, target: Uint8Array): number | undefined
  /** Stays readable as long as something refers to it, rather than until its user returns. */
  keep(): void
}

/** The CRC-32 of bytes that was computed while they were moved. */
export interface Summed {
  readonly crc32: number
}

/** Takes the bytes of a file piece after piece; may return what it summed. */
export type WriteBytes = (bytes: Uint8Array) => unknown

/** Throws unless the range lies within the source. */
export function checkRange(source: ByteSource, offset: number, length: number, what: string): void {
  const valid = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0
  if (!valid || offset + length > source.size)
    throw new UnpicklingError(
      `${source.name}: ${what} would lie at bytes ${offset} to ${offset + length}, but the file has ${source.size} bytes: it is truncated or damaged`,
    )
}

/** A file that is wholly in memory. */
export class MemorySource implements ByteSource {
  readonly name: string
  readonly size: number
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array, name = '<bytes>') {
    // A Buffer's slice() would be a view.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.name = name
    this.size = bytes.byteLength
  }

  read(offset: number, length: number): Uint8Array {
    checkRange(this, offset, length, 'a read')
    return this.#bytes.subarray(offset, offset + length)
  }

  readInto(offset: number, target: Uint8Array): undefined {
    target.set(this.read(offset, target.byteLength))
  }

  keep(): void {}
}
