// Reads the numbers and texts of a pickle one after the other; nothing is read or allocated beyond the bytes that are there.

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** A position in a pickle. Its methods throw plain Errors, which the unpickler puts into context. */
export class PickleCursor {
  position: number
  readonly #bytes: Uint8Array
  readonly #view: DataView

  constructor(bytes: Uint8Array, position = 0) {
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.position = position
  }

  /** Moves on by `count` bytes and returns where they begin. */
  #advance(count: number): number {
    const start = this.position
    if (count > this.#bytes.length - start)
      throw new Error(`the pickle ends here, but ${count} bytes should follow (unexpected end of file)`)
    this.position = start + count
    return start
  }

  uint8(): number {
    return this.#bytes[this.#advance(1)]
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true)
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4), true)
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true)
  }

  /** A length of 64 bits; one that no file can have becomes a number that is larger than any. */
  length64(): number {
    return Number(this.#view.getBigUint64(this.#advance(8), true))
  }

  /** Big-endian, as BINFLOAT has it. */
  float64(): number {
    return this.#view.getFloat64(this.#advance(8), false)
  }

  /** A view of the next bytes. */
  bytes(count: number): Uint8Array {
    const start = this.#advance(count)
    return this.#bytes.subarray(start, start + count)
  }

  text(count: number): string {
    return decodeText(this.bytes(count))
  }

  /** The text up to the next line feed, which is left out. */
  line(): string {
    const end = this.#bytes.indexOf(0x0a, this.position)
    if (end < 0) throw new Error('a line has no end')
    const text = this.text(end - this.position)
    this.position++
    return text
  }

  /** A whole number of `count` bytes, little-endian two's complement: a number up to 2^53, else a bigint. */
  long(count: number): number | bigint {
    if (count < 0) throw new Error(`a number cannot have ${count} bytes`)
    const bytes = this.bytes(count)
    if (count === 0) return 0
    let hex = '0x'
    for (let i = count - 1; i >= 0; i--) hex += bytes[i].toString(16).padStart(2, '0')
    const value = BigInt.asIntN(8 * count, BigInt(hex))
    return value >= -maxExact && value <= maxExact ? Number(value) : value
  }
}

const maxExact = 2n ** 53n

/** UTF-8, in which Python also writes lone surrogates ("surrogatepass"). */
function decodeText(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes)
  } catch {
    return decodeSurrogates(bytes)
  }
}

/** Decodes the stretches between lone surrogates (ED A0..BF xx), which alone may be what UTF-8 does not allow. */
function decodeSurrogates(bytes: Uint8Array): string {
  let text = ''
  let start = 0
  const flush = (end: number) => {
    try {
      text += utf8.decode(bytes.subarray(start, end))
    } catch {
      throw new Error('a string is not valid UTF-8')
    }
  }
  for (let i = 0; i + 2 < bytes.length; i++) {
    if (bytes[i] !== 0xed || bytes[i + 1] < 0xa0 || (bytes[i + 2] & 0xc0) !== 0x80) continue
    flush(i)
    text += String.fromCharCode(0xd000 | ((bytes[i + 1] & 0x3f) << 6) | (bytes[i + 2] & 0x3f))
    i += 2
    start = i + 1
  }
  flush(bytes.length)
  return text
}
