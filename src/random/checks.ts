// What the samplers share: the arrays that hold a dtype's samples, rounding to it, and argument checks with
// PyTorch's words.

import { type DType, scalarTypeName } from '../core/dtype.ts'
import { NotImplementedError, RuntimeError } from '../core/errors.ts'
import { roundArrayToBfloat16, roundArrayToHalf, roundToBfloat16, roundToHalf } from '../core/half.ts'

/** Samples of a floating dtype: float64 in a Float64Array, the others, rounded to the dtype, in a Float32Array. */
export type FloatSamples = Float32Array | Float64Array

/** Samples of any dtype: int64 in a BigInt64Array, bool and the smaller integers in an Int32Array, else FloatSamples. */
export type Samples = FloatSamples | Int32Array | BigInt64Array

/** An array for `n` samples of a floating `dtype`. */
export function floatSamples(n: number, dtype: DType): FloatSamples {
  return dtype.name === 'float64' ? new Float64Array(n) : new Float32Array(n)
}

/** Rounds samples held as float32 to `dtype`, in place. */
export function roundSamples<T extends FloatSamples>(samples: T, dtype: DType): T {
  if (samples instanceof Float32Array) {
    if (dtype.name === 'float16') roundArrayToHalf(samples)
    else if (dtype.name === 'bfloat16') roundArrayToBfloat16(samples)
  }
  return samples
}

/** `value` rounded to a floating `dtype`. */
export function roundTo(value: number, dtype: DType): number {
  switch (dtype.name) {
    case 'float64':
      return value
    case 'float16':
      return roundToHalf(value)
    case 'bfloat16':
      return roundToBfloat16(value)
    default:
      return Math.fround(value)
  }
}

/** `value` rounded to the type in which PyTorch computes for `dtype`: double for float64, otherwise float32. */
export function roundToCompute(value: number, dtype: DType): number {
  return dtype.name === 'float64' ? value : Math.fround(value)
}

/** The largest finite number of a floating dtype. */
export function largest(dtype: DType): number {
  switch (dtype.name) {
    case 'float64':
      return Number.MAX_VALUE
    case 'float16':
      return 65504
    case 'bfloat16':
      return 3.3895313892515355e38
    default:
      return 3.4028234663852886e38
  }
}

/** Bits of a floating dtype's mantissa, with the implied one. */
export function mantissaBits(dtype: DType): number {
  switch (dtype.name) {
    case 'float64':
      return 53
    case 'float16':
      return 11
    case 'bfloat16':
      return 8
    default:
      return 24
  }
}

/** Throws NotImplementedError, naming PyTorch's `kernel`, where `dtype` is not floating. */
export function requireFloating(dtype: DType, kernel: string): void {
  if (!dtype.isFloatingPoint) throw notImplemented(dtype, kernel)
}

export function notImplemented(dtype: DType, kernel: string): NotImplementedError {
  return new NotImplementedError(`"${kernel}" not implemented for '${scalarTypeName(dtype)}'`)
}

/** Throws RuntimeError with `message` unless `condition`. */
export function check(condition: boolean, message: () => string): void {
  if (!condition) throw new RuntimeError(message())
}

/** PyTorch's C++ name of a dtype: `float`, `unsigned char`, `c10::Half`. */
export function cppTypeName(dtype: DType): string {
  switch (dtype.name) {
    case 'bool':
      return 'bool'
    case 'uint8':
      return 'unsigned char'
    case 'int8':
      return 'signed char'
    case 'int16':
      return 'short int'
    case 'int32':
      return 'int'
    case 'int64':
      return 'long int'
    case 'float16':
      return 'c10::Half'
    case 'bfloat16':
      return 'c10::BFloat16'
    case 'float32':
      return 'float'
    case 'float64':
      return 'double'
    case 'complex64':
      return 'c10::complex<float>'
    case 'complex128':
      return 'c10::complex<double>'
    default:
      return dtype.name satisfies never
  }
}

/** A number as C++ streams print it: six significant digits. */
export function cppNumber(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  if (value === 0) return Object.is(value, -0) ? '-0' : '0'
  const [digits, power] = value.toExponential(5).split('e')
  const exponent = Number(power)
  if (exponent >= -4 && exponent < 6) return String(Number(value.toPrecision(6)))
  const sign = exponent < 0 ? '-' : '+'
  return `${Number(digits)}e${sign}${String(Math.abs(exponent)).padStart(2, '0')}`
}
