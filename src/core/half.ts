// float16 and bfloat16: rounding of numbers to them, and conversion of their bits to and from float32.
// All conversions go through float32 first, as PyTorch's do, and round to nearest, ties to even.

const scratch = new Float32Array(1)
const scratchBits = new Uint32Array(scratch.buffer)

/** The 16 bits of `value` as float16. NaN becomes 0x7e00 or 0xfe00, what is too large an infinity. */
export function halfBits(value: number): number {
  scratch[0] = value
  return halfBitsOfFloatBits(scratchBits[0])
}

/** The number whose float16 bits are given. */
export function halfFromBits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const mantissa = bits & 0x3ff
  if (exponent === 0) return sign * mantissa * 2 ** -24
  if (exponent === 31) return mantissa === 0 ? sign * Infinity : NaN
  scratchBits[0] = ((bits & 0x8000) << 16) | ((exponent + 112) << 23) | (mantissa << 13)
  return scratch[0]
}

/** The 16 bits of `value` as bfloat16: the upper half of its float32 bits, rounded. NaN becomes 0x7fc0. */
export function bfloat16Bits(value: number): number {
  scratch[0] = value
  return bfloat16BitsOfFloatBits(scratchBits[0])
}

/** The number whose bfloat16 bits are given. */
export function bfloat16FromBits(bits: number): number {
  scratchBits[0] = bits << 16
  return scratch[0]
}

/** `value` rounded to float16. */
export function roundToHalf(value: number): number {
  return halfFromBits(halfBits(value))
}

/** `value` rounded to bfloat16. */
export function roundToBfloat16(value: number): number {
  return bfloat16FromBits(bfloat16Bits(value))
}

/** Rounds each element of `values` to float16, in place, and returns it. */
export function roundArrayToHalf(values: Float32Array): Float32Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  for (let i = 0; i < values.length; i++) {
    const b = bits[i]
    const magnitude = b & 0x7fffffff
    // The normal numbers of float16 need no conversion there and back: rounding clears the low 13 bits.
    if (magnitude >= 0x38800000 && magnitude < 0x477ff000)
      bits[i] = (b + 0xfff + ((b >>> 13) & 1)) & 0xffffe000
    else values[i] = halfFromBits(halfBitsOfFloatBits(b))
  }
  return values
}

/** Rounds each element of `values` to bfloat16, in place, and returns it. */
export function roundArrayToBfloat16(values: Float32Array): Float32Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  for (let i = 0; i < values.length; i++) bits[i] = bfloat16BitsOfFloatBits(bits[i]) << 16
  return values
}

/** The float16 bits of every element of `values`, into `out` (made if absent), which is returned. */
export function encodeHalf(
  values: ArrayLike<number>,
  out: Uint16Array = new Uint16Array(values.length),
): Uint16Array {
  const bits = floatBits(values)
  for (let i = 0; i < bits.length; i++) out[i] = halfBitsOfFloatBits(bits[i])
  return out
}

/** The numbers whose float16 bits are given, into `out` (made if absent), which is returned. */
export function decodeHalf(
  bits: ArrayLike<number>,
  out: Float32Array = new Float32Array(bits.length),
): Float32Array {
  const outBits = new Uint32Array(out.buffer, out.byteOffset, out.length)
  for (let i = 0; i < bits.length; i++) {
    const b = bits[i]
    const exponent = b & 0x7c00
    if (exponent !== 0 && exponent !== 0x7c00)
      outBits[i] = ((b & 0x8000) << 16) | (((b & 0x7fff) << 13) + 0x38000000)
    else out[i] = halfFromBits(b)
  }
  return out
}

/** The bfloat16 bits of every element of `values`, into `out` (made if absent), which is returned. */
export function encodeBfloat16(
  values: ArrayLike<number>,
  out: Uint16Array = new Uint16Array(values.length),
): Uint16Array {
  const bits = floatBits(values)
  for (let i = 0; i < bits.length; i++) out[i] = bfloat16BitsOfFloatBits(bits[i])
  return out
}

/** The numbers whose bfloat16 bits are given, into `out` (made if absent), which is returned. */
export function decodeBfloat16(
  bits: ArrayLike<number>,
  out: Float32Array = new Float32Array(bits.length),
): Float32Array {
  const outBits = new Uint32Array(out.buffer, out.byteOffset, out.length)
  for (let i = 0; i < bits.length; i++) outBits[i] = bits[i] << 16
  return out
}

/** The float32 bits of `values`: a view where they are float32 already. */
function floatBits(values: ArrayLike<number>): Uint32Array {
  const floats = values instanceof Float32Array ? values : Float32Array.from(values)
  return new Uint32Array(floats.buffer, floats.byteOffset, floats.length)
}

function halfBitsOfFloatBits(b: number): number {
  const sign = (b >>> 16) & 0x8000
  const magnitude = b & 0x7fffffff
  if (magnitude >= 0x38800000) {
    // 65520 and above rounds to infinity
    if (magnitude >= 0x477ff000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00)
    return sign | ((magnitude - 0x38000000 + 0xfff + ((magnitude >>> 13) & 1)) >>> 13)
  }
  // Subnormal in float16: multiples of 2^-24. Below half of the smallest there is only zero.
  if (magnitude <= 0x33000000) return sign
  const mantissa = (magnitude & 0x7fffff) | 0x800000
  const shift = 126 - (magnitude >>> 23)
  const quotient = mantissa >>> shift
  const remainder = mantissa & ((1 << shift) - 1)
  const half = 1 << (shift - 1)
  return sign | (quotient + (remainder > half || (remainder === half && quotient & 1) ? 1 : 0))
}

function bfloat16BitsOfFloatBits(b: number): number {
  if ((b & 0x7fffffff) > 0x7f800000) return 0x7fc0
  return ((b >>> 16) + ((b & 0xffff) + ((b >>> 16) & 1) > 0x8000 ? 1 : 0)) & 0xffff
}
