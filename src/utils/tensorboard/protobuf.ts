// Writing Protocol Buffers messages, as much of the format as event files need
// (https://protobuf.dev/programming-guides/encoding/). What the messages mean is in summaries.ts and graph.ts.

const encoder = new TextEncoder()

/** A message under construction: fields by number, in the order of the calls. All methods return the message. */
export class Message {
  readonly #parts: Uint8Array[] = []
  #length = 0

  #add(part: Uint8Array): this {
    this.#parts.push(part)
    this.#length += part.length
    return this
  }

  #key(field: number, wireType: 0 | 1 | 2 | 5): this {
    return this.#add(varint((field << 3) | wireType))
  }

  /** An int32, int64, enum or bool. Throws RangeError for what is not a whole number. */
  integer(field: number, value: number | bigint): this {
    return this.#key(field, 0).#add(varint(value))
  }

  double(field: number, value: number): this {
    return this.#key(field, 1).#add(
      new Uint8Array(littleEndian(8, (view) => view.setFloat64(0, value, true))),
    )
  }

  float(field: number, value: number): this {
    return this.#key(field, 5).#add(
      new Uint8Array(littleEndian(4, (view) => view.setFloat32(0, value, true))),
    )
  }

  /** Repeated doubles, packed. */
  doubles(field: number, values: readonly number[]): this {
    const bytes = littleEndian(8 * values.length, (view) => {
      values.forEach((value, i) => {
        view.setFloat64(8 * i, value, true)
      })
    })
    return this.bytes(field, new Uint8Array(bytes))
  }

  bytes(field: number, value: Uint8Array): this {
    return this.#key(field, 2).#add(varint(value.length)).#add(value)
  }

  string(field: number, value: string): this {
    return this.bytes(field, encoder.encode(value))
  }

  /** A message inside this one. */
  message(field: number, value: Message): this {
    return this.bytes(field, value.encode())
  }

  encode(): Uint8Array {
    const result = new Uint8Array(this.#length)
    let offset = 0
    for (const part of this.#parts) {
      result.set(part, offset)
      offset += part.length
    }
    return result
  }
}

function littleEndian(length: number, write: (view: DataView) => void): ArrayBuffer {
  const buffer = new ArrayBuffer(length)
  write(new DataView(buffer))
  return buffer
}

/** Seven bits a byte, lowest first; negative numbers are those of 64 bits. */
function varint(value: number | bigint): Uint8Array {
  let rest = BigInt.asUintN(64, BigInt(value))
  const bytes: number[] = []
  do {
    const low = Number(rest & 0x7fn)
    rest >>= 7n
    bytes.push(rest === 0n ? low : low | 0x80)
  } while (rest !== 0n)
  return Uint8Array.from(bytes)
}
