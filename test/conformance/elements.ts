// The elements of recorded tensors: base64 to numbers, dtype by dtype, independent of the library's own conversions.

import { Unsupported } from './case.ts'

/** A tensor as the data have it: `data` is the base64 of its little-endian elements in C order. */
export interface RecordedTensor {
  readonly dtype: string
  readonly shape: readonly number[]
  readonly data: string
}

const itemSizes: Readonly<Record<string, number>> = {
  bool: 1,
  uint8: 1,
  int8: 1,
  int16: 2,
  int32: 4,
  int64: 8,
  float16: 2,
  bfloat16: 2,
  float32: 4,
  float64: 8,
  complex64: 8,
  complex128: 16,
}

/** Bytes of an element. Throws `Unsupported` for dtypes that the library lacks. */
export function itemSize(dtype: string): number {
  const size = itemSizes[dtype]
  if (size === undefined) throw new Unsupported(`dtype ${dtype}`)
  return size
}

export function bytesOfBase64(text: string): Uint8Array {
  // A copy of its own: small Buffers share a pool, whose offsets need not be aligned.
  return new Uint8Array(Buffer.from(text, 'base64'))
}

/** The elements as numbers, or as bigints for int64; of complex numbers the real and imaginary parts in turn. */
export function elementsOf(bytes: Uint8Array, dtype: string): ArrayLike<number> | ArrayLike<bigint> {
  const n = bytes.length / itemSize(dtype)
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice()
  const { buffer, byteOffset } = aligned
  switch (dtype) {
    case 'bool':
    case 'uint8':
      return aligned
    case 'int8':
      return new Int8Array(buffer, byteOffset, n)
    case 'int16':
      return new Int16Array(buffer, byteOffset, n)
    case 'int32':
      return new Int32Array(buffer, byteOffset, n)
    case 'int64':
      return new BigInt64Array(buffer, byteOffset, n)
    case 'float16':
      return Float64Array.from(new Uint16Array(buffer, byteOffset, n), float16ToNumber)
    case 'bfloat16': {
      const words = Uint32Array.from(new Uint16Array(buffer, byteOffset, n), (bits) => bits << 16)
      return new Float32Array(words.buffer)
    }
    case 'complex64':
      return new Float32Array(buffer, byteOffset, 2 * n)
    case 'complex128':
      return new Float64Array(buffer, byteOffset, 2 * n)
    case 'float32':
      return new Float32Array(buffer, byteOffset, n)
    case 'float64':
      return new Float64Array(buffer, byteOffset, n)
    default:
      throw new Unsupported(`dtype ${dtype}`)
  }
}

function float16ToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
