// Element types of tensors: names, sizes, limits and the typed array that holds each.

import { TypeError_ } from './errors.ts'

export type DTypeName =
  | 'bool'
  | 'uint8'
  | 'int8'
  | 'int16'
  | 'int32'
  | 'int64'
  | 'float16'
  | 'bfloat16'
  | 'float32'
  | 'float64'
  | 'complex64'
  | 'complex128'

/** The dtypes whose elements are single numbers: what kernels load and store. */
export type RealDTypeName = Exclude<DTypeName, 'complex64' | 'complex128'>

/** `bool` < `int` < `float` < `complex`: the categories of PyTorch's type promotion. */
export type DTypeKind = 'bool' | 'int' | 'float' | 'complex'

/** The type of a tensor's elements, PyTorch's `torch.dtype`. Compare with `===`. */
export class DType {
  constructor(
    /** PyTorch's name without the module: `'float32'`. */
    readonly name: DTypeName,
    /** Bytes of one element. */
    readonly itemsize: number,
    readonly kind: DTypeKind,
    /** A small unique number, for tables indexed by dtype. */
    readonly index: number,
  ) {}

  /** True for float16, bfloat16, float32 and float64. */
  get isFloatingPoint(): boolean {
    return this.kind === 'float'
  }

  /** True for complex64 and complex128. */
  get isComplex(): boolean {
    return this.kind === 'complex'
  }

  /** True for floating and complex types: those whose numbers are not exact, and that gradients exist for. */
  get isInexact(): boolean {
    return this.kind === 'float' || this.kind === 'complex'
  }

  /** True for the integer types that can hold negative numbers and for all floating and complex types. */
  get isSigned(): boolean {
    return this.kind !== 'bool' && this.name !== 'uint8'
  }

  toString(): string {
    return `torch.${this.name}`
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

/** True or false, one byte. */
export const bool: DType = new DType('bool', 1, 'bool', 0)
/** Whole numbers from 0 to 255, one byte. */
export const uint8: DType = new DType('uint8', 1, 'int', 1)
/** Whole numbers from -128 to 127, one byte. */
export const int8: DType = new DType('int8', 1, 'int', 2)
/** Whole numbers from -2^15 to 2^15 - 1, two bytes. */
export const int16: DType = new DType('int16', 2, 'int', 3)
/** Whole numbers from -2^31 to 2^31 - 1, four bytes. */
export const int32: DType = new DType('int32', 4, 'int', 4)
/** Whole numbers from -2^63 to 2^63 - 1, eight bytes: the dtype of indices and of whole numbers. */
export const int64: DType = new DType('int64', 8, 'int', 5)
/** IEEE 754 half precision: 11 bits of precision, up to 65504. */
export const float16: DType = new DType('float16', 2, 'float', 6)
/** Brain floating point: 8 bits of precision, the range of float32. */
export const bfloat16: DType = new DType('bfloat16', 2, 'float', 7)
/** IEEE 754 single precision: 24 bits, about 7 digits; the default. */
export const float32: DType = new DType('float32', 4, 'float', 8)
/** IEEE 754 double precision: 53 bits, about 16 digits. */
export const float64: DType = new DType('float64', 8, 'float', 9)
/** Complex numbers of two float32, the real part first. */
export const complex64: DType = new DType('complex64', 8, 'complex', 10)
/** Complex numbers of two float64, the real part first. */
export const complex128: DType = new DType('complex128', 16, 'complex', 11)

/** Every dtype, in the order of `DType.index`. */
export const allDTypes: readonly DType[] = [
  bool,
  uint8,
  int8,
  int16,
  int32,
  int64,
  float16,
  bfloat16,
  float32,
  float64,
  complex64,
  complex128,
]

/** The dtype of a complex dtype's parts; any other as it is. */
export function realOf(dtype: DType): DType {
  return dtype === complex64 ? float32 : dtype === complex128 ? float64 : dtype
}

/** The complex dtype whose parts are of a dtype (complex64 for all but float64); a complex one as it is. */
export function complexOf(dtype: DType): DType {
  if (dtype.kind === 'complex') return dtype
  return dtype === float64 ? complex128 : complex64
}

const byName = new Map<string, DType>(allDTypes.map((d) => [d.name, d]))

/** The dtype called `name` (`'float32'` or `'torch.float32'`), or undefined. */
export function dtypeByName(name: string): DType | undefined {
  return byName.get(name.startsWith('torch.') ? name.slice(6) : name)
}

/** PyTorch's name of the tensor class of a dtype, as its error messages print it: `torch.FloatTensor`. */
export function legacyTensorName(dtype: DType): string {
  return `torch.${legacyNames[dtype.name]}Tensor`
}

const legacyNames: Record<DTypeName, string> = {
  bool: 'Bool',
  uint8: 'Byte',
  int8: 'Char',
  int16: 'Short',
  int32: 'Int',
  int64: 'Long',
  float16: 'Half',
  bfloat16: 'BFloat16',
  float32: 'Float',
  float64: 'Double',
  complex64: 'ComplexFloat',
  complex128: 'ComplexDouble',
}

/** PyTorch's C++ name of a dtype, which many of its messages use: `Float`, `Long`, `c10::BFloat16`. */
export function scalarTypeName(dtype: DType): string {
  return legacyNames[dtype.name]
}

export interface FloatInfo {
  readonly bits: number
  readonly eps: number
  readonly max: number
  readonly min: number
  readonly tiny: number
  readonly smallestNormal: number
}

const floatInfo: Partial<Record<DTypeName, Omit<FloatInfo, 'min' | 'smallestNormal'>>> = {
  float16: { bits: 16, eps: 2 ** -10, max: 65504, tiny: 2 ** -14 },
  bfloat16: { bits: 16, eps: 2 ** -7, max: 3.3895313892515355e38, tiny: 2 ** -126 },
  float32: { bits: 32, eps: 2 ** -23, max: 3.4028234663852886e38, tiny: 2 ** -126 },
  float64: { bits: 64, eps: 2 ** -52, max: Number.MAX_VALUE, tiny: 2 ** -1022 },
}

/** Limits of a floating dtype, as `torch.finfo`. Throws for others. */
export function finfo(dtype: DType): FloatInfo {
  const info = floatInfo[realOf(dtype).name]
  if (info === undefined)
    throw new TypeError_(
      `torch.finfo() requires a floating point input type. Use torch.iinfo to handle '${dtype}'`,
    )
  return { ...info, min: -info.max, smallestNormal: info.tiny }
}

export interface IntInfo {
  readonly bits: number
  /** A bigint for int64, whose limits no number holds. */
  readonly max: number | bigint
  readonly min: number | bigint
}

/** Limits of an integer dtype, as `torch.iinfo`. Throws for others. */
export function iinfo(dtype: DType): IntInfo {
  switch (dtype.name) {
    case 'uint8':
      return { bits: 8, min: 0, max: 255 }
    case 'int8':
      return { bits: 8, min: -128, max: 127 }
    case 'int16':
      return { bits: 16, min: -32768, max: 32767 }
    case 'int32':
      return { bits: 32, min: -2147483648, max: 2147483647 }
    case 'int64':
      return { bits: 64, min: -(2n ** 63n), max: 2n ** 63n - 1n }
    default:
      throw new TypeError_(
        `torch.iinfo() requires an integer input type. Use torch.finfo to handle '${dtype}'`,
      )
  }
}

let defaultDType: DType = float32

/** The dtype of new floating tensors where none is named; float32 unless `setDefaultDtype` said otherwise. */
export function getDefaultDtype(): DType {
  return defaultDType
}

/** Sets the dtype of new floating tensors. Throws a TypeError for a dtype that is not floating. */
export function setDefaultDtype(dtype: DType): void {
  if (!(dtype instanceof DType) || dtype.kind !== 'float')
    throw new TypeError_(`only floating-point types are supported as the default type, got ${String(dtype)}`)
  defaultDType = dtype
}
