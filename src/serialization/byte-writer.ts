// A growing buffer for the bytes of a pickle.

const encoder = new TextEncoder()
// With the u flag this matches only surrogates that are not half of a pair.
const loneSurrogate = /[\ud800-\udfff]/u

export class ByteWriter {
  #bytes = new Uint8Array(1024)
  #view = new DataView(this.#bytes.buffer)
  #length = 0

  /** What was written so far; a view, valid until the next write. */
  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  /** Makes room for `count` more bytes, which may replace the buffer, and returns where they go. */
  #reserve(count: number): number {
    const start = this.#length
    const needed = start + count
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length))
      larger.set(this.#bytes.subarray(0, start))
      this.#bytes = larger
      this.#view = new DataView(larger.buffer)
    }
    this.#length = needed
    return start
  }

  uint8(value: number): void {
    const start = this.#reserve(1)
    this.#bytes[start] = value
  }

  uint16(value: number): void {
    const start = this.#reserve(2)
    this.#view.setUint16(start, value, true)
  }

  int32(value: number): void {
    const start = this.#reserve(4)
    this.#view.setInt32(start, value, true)
  }

  uint32(value: number): void {
    const start = this.#reserve(4)
    this.#view.setUint32(start, value, true)
  }

  /** Big-endian, as pickles have it. */
  float64(value: number): void {
    const start = this.#reserve(8)
    this.#view.setFloat64(start, value, false)
  }

  append(bytes: Uint8Array): void {
    const start = this.#reserve(bytes.length)
    this.#bytes.set(bytes, start)
  }

  ascii(text: string): void {
    const start = this.#reserve(text.length)
    for (let i = 0; i < text.length; i++) this.#bytes[start + i] = text.charCodeAt(i)
  }
}

/** UTF-8, lone surrogates too, as Python's "surrogatepass" writes them. */
export function encodeText(text: string): Uint8Array {
  if (!loneSurrogate.test(text)) return encoder.encode(text)
  const parts = new ByteWriter()
  for (const char of text) {
    const code = char.codePointAt(0)!
    if (code >= 0xd800 && code < 0xe000) {
      parts.uint8(0xe0 | (code >> 12))
      parts.uint8(0x80 | ((code >> 6) & 0x3f))
      parts.uint8(0x80 | (code & 0x3f))
    } else parts.append(encoder.encode(char))
  }
  return parts.bytes().slice()
}
