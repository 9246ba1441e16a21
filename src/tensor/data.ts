// Elements of CPU tensors as JavaScript values, in both directions: data, item, tolist, writing values into a
// tensor, and what shape and dtype nested arrays have. Reads the fields of a tensor only; knows no operation.

import { Complex } from '../core/complex.ts'
import {
  bool,
  complexOf,
  type DType,
  float32,
  float64,
  getDefaultDtype,
  iinfo,
  int8,
  int16,
  int32,
  int64,
  realOf,
  uint8,
} from '../core/dtype.ts'
import { NotImplementedError, RuntimeError, TypeError_, ValueError } from '../core/errors.ts'
import { decodeBfloat16, decodeHalf, encodeBfloat16, encodeHalf } from '../core/half.ts'
import { promoteTypes } from '../core/promotion.ts'
import { isContiguous, numelOf } from '../core/shape.ts'
import type { Tensor } from './tensor.ts'

/**
 * The typed arrays that hold elements: float16 and bfloat16 come as float32, bool as 0 and 1, complex numbers as their real
 * and imaginary parts in turn.
 */
export type TypedArray =
  | Float32Array
  | Float64Array
  | BigInt64Array
  | Int32Array
  | Int16Array
  | Int8Array
  | Uint8Array

/** One element as `item` gives it: a bigint only for int64 beyond 2^53, a boolean for bool, a `Complex` for complex dtypes. */
export type Scalar = number | bigint | boolean | Complex

/** What `tolist` gives: nested arrays, or the element of a tensor without dimensions. */
export type NestedList = Scalar | NestedList[]

/** What `torch.tensor` takes: a number, boolean, bigint or `Complex`, a typed array, or (nested) arrays of these. */
export type NestedValues = Scalar | ArrayBufferView | Tensor | readonly NestedValues[]

type RawArray = TypedArray | Uint16Array

// ---- reading --------------------------------------------------------------------------------------------------------

/**
 * The storage of a tensor as elements of its dtype; for the half types their bits. The library itself may look at what
 * JavaScript wrote to a device that cannot be read synchronously; users always wait.
 */
function rawElements(x: Elements): RawArray {
  return viewAs(x.dtype, x.storage.hostBytes())
}

function viewAs(dtype: DType, given: Uint8Array): RawArray {
  const bytes = given.byteOffset % dtype.itemsize === 0 ? given : given.slice()
  const { buffer, byteOffset } = bytes
  const length = Math.floor(bytes.byteLength / dtype.itemsize)
  switch (dtype.name) {
    case 'bool':
    case 'uint8':
      return bytes
    case 'int8':
      return new Int8Array(buffer, byteOffset, length)
    case 'int16':
      return new Int16Array(buffer, byteOffset, length)
    case 'int32':
      return new Int32Array(buffer, byteOffset, length)
    case 'int64':
      return new BigInt64Array(buffer, byteOffset, length)
    case 'float16':
    case 'bfloat16':
      return new Uint16Array(buffer, byteOffset, length)
    case 'float32':
      return new Float32Array(buffer, byteOffset, length)
    case 'float64':
      return new Float64Array(buffer, byteOffset, length)
    case 'complex64':
      return new Float32Array(buffer, byteOffset, 2 * length)
    case 'complex128':
      return new Float64Array(buffer, byteOffset, 2 * length)
    default:
      return dtype.name satisfies never
  }
}

function makeRaw(dtype: DType, length: number): RawArray {
  return viewAs(dtype, new Uint8Array(length * dtype.itemsize))
}

function decode(raw: RawArray, dtype: DType): TypedArray {
  if (!(raw instanceof Uint16Array)) return raw
  return dtype.name === 'float16' ? decodeHalf(raw) : decodeBfloat16(raw)
}

type Elements = Pick<Tensor, 'storage' | 'dtype' | 'sizes' | 'strides' | 'offset'>

// The parts of complex elements, as real elements along one more dimension.
function partsOf(x: Tensor): Elements {
  return {
    storage: x.storage,
    dtype: realOf(x.dtype),
    sizes: [...x.sizes, 2],
    strides: [...x.strides.map((s) => 2 * s), 1],
    offset: 2 * x.offset,
  }
}

// A tensor that is lazily conjugated has the opposite imaginary parts in memory.
function conjugateParts(x: Tensor, parts: TypedArray): TypedArray {
  if (x.conjugated) for (let i = 1; i < parts.length; i += 2) parts[i] = -parts[i]
  return parts
}

/** Copies the elements of a strided view, in C order, to the front of `out`. */
function gather(raw: RawArray, x: Pick<Tensor, 'sizes' | 'strides' | 'offset'>, out: RawArray): void {
  const { sizes, strides } = x
  const last = sizes.length - 1
  const source = raw as Float64Array
  const target = out as Float64Array
  if (last < 0) {
    target[0] = source[x.offset]
    return
  }
  const inner = sizes[last]
  const step = strides[last]
  let at = 0
  const walk = (dim: number, offset: number): void => {
    if (dim === last) {
      for (let i = 0, p = offset; i < inner; i++, p += step) target[at++] = source[p]
      return
    }
    for (let i = 0; i < sizes[dim]; i++) walk(dim + 1, offset + i * strides[dim])
  }
  walk(0, x.offset)
}

/**
 * A copy of the elements in C order: Float32Array for float32, float16 and bfloat16, Float64Array, BigInt64Array for
 * int64, Int32Array, Int16Array, Int8Array, and Uint8Array for uint8 and bool; for complex64 and complex128 a Float32Array or
 * Float64Array of twice as many numbers, real and imaginary parts in turn.
 *
 * @throws RuntimeError on a device that cannot be read synchronously, NotImplementedError on `meta`.
 */
export function data(x: Tensor): TypedArray {
  if (x.dtype.kind === 'complex') return conjugateParts(x, realData(partsOf(x)))
  return realData(x)
}

function realData(x: Elements): TypedArray {
  const n = numelOf(x.sizes)
  const raw = rawElements(x)
  if (isContiguous(x.sizes, x.strides)) return decode(raw.slice(x.offset, x.offset + n), x.dtype)
  const out = makeRaw(x.dtype, n)
  if (n > 0) gather(raw, x, out)
  return decode(out, x.dtype)
}

/**
 * A part of a tensor by position: the elements at every combination of `positions[dim]`, in C order, as `data` gives
 * them. Reads nothing else, so that a huge tensor can be looked at.
 */
export function dataAt(x: Tensor, positions: readonly (readonly number[])[]): TypedArray {
  if (x.dtype.kind === 'complex') return conjugateParts(x, realDataAt(partsOf(x), [...positions, [0, 1]]))
  return realDataAt(x, positions)
}

function realDataAt(x: Elements, positions: readonly (readonly number[])[]): TypedArray {
  const n = positions.reduce((product, list) => product * list.length, 1)
  const out = makeRaw(x.dtype, n)
  if (n > 0) {
    const source = rawElements(x) as Float64Array
    const target = out as Float64Array
    let at = 0
    const walk = (dim: number, offset: number): void => {
      if (dim === positions.length) target[at++] = source[offset]
      else for (const i of positions[dim]) walk(dim + 1, offset + i * x.strides[dim])
    }
    walk(0, x.offset)
  }
  return decode(out, x.dtype)
}

/** Element number `index` in C order, as `item` gives it. */
export function readElement(x: Tensor, index: number): Scalar {
  let offset = x.offset
  let rest = index
  for (let dim = x.sizes.length - 1; dim >= 0; dim--) {
    offset += (rest % x.sizes[dim]) * x.strides[dim]
    rest = Math.floor(rest / x.sizes[dim])
  }
  const raw = rawElements(x)
  if (x.dtype.kind === 'complex') {
    const im = Number(raw[2 * offset + 1])
    return new Complex(Number(raw[2 * offset]), x.conjugated ? -im : im)
  }
  return toScalar(decode(raw.subarray(offset, offset + 1), x.dtype)[0], x.dtype)
}

/** Element number `index` of what `data` gave. */
export function scalarAt(elements: TypedArray, index: number, dtype: DType): Scalar {
  return dtype.kind === 'complex'
    ? new Complex(Number(elements[2 * index]), Number(elements[2 * index + 1]))
    : toScalar(elements[index], dtype)
}

/** An element of a typed array as `item` gives it. */
export function toScalar(element: number | bigint, dtype: DType): number | bigint | boolean {
  if (typeof element === 'bigint') {
    const number = Number(element)
    return Number.isSafeInteger(number) ? number : element
  }
  return dtype === bool ? element !== 0 : element
}

/**
 * The only element of a tensor: a number (for int64 beyond 2^53 a bigint), for bool a boolean.
 *
 * @throws RuntimeError if the tensor has not exactly one element.
 */
export function item(x: Tensor): Scalar {
  checkOneElement(x)
  return readElement(x, 0)
}

function checkOneElement(x: Tensor): void {
  const n = numelOf(x.sizes)
  if (n !== 1) throw new RuntimeError(`a Tensor with ${n} elements cannot be converted to Scalar`)
  if (x.device.type === 'meta') throw new RuntimeError('Tensor.item() cannot be called on meta tensors')
}

/** The elements as nested arrays, one level a dimension; for a tensor without dimensions what `item` gives. */
export function tolist(x: Tensor): NestedList {
  return nest(data(x), x.sizes, x.dtype)
}

/** Elements in C order as nested arrays. */
function nest(elements: TypedArray, sizes: readonly number[], dtype: DType): NestedList {
  if (sizes.length === 0) return scalarAt(elements, 0, dtype)
  let at = 0
  const level = (dim: number): NestedList[] => {
    const list = new Array<NestedList>(sizes[dim])
    if (dim === sizes.length - 1)
      for (let i = 0; i < list.length; i++) list[i] = scalarAt(elements, at++, dtype)
    else for (let i = 0; i < list.length; i++) list[i] = level(dim + 1)
    return list
  }
  return level(0)
}

/**
 * `data` on every device, once everything that was asked for before is computed.
 * @throws RuntimeError where something went wrong on the device, or the device was lost.
 */
export async function dataAsync(x: Tensor): Promise<TypedArray> {
  if (!x.storage.isAsynchronous) return data(x)
  const { itemsize } = x.dtype
  const n = numelOf(x.sizes)
  // A dense copy is made on the device; that way nothing but the elements travels.
  const dense = isContiguous(x.sizes, x.strides) ? x : x.detach().contiguous()
  return decode(viewAs(x.dtype, await dense.storage.read(dense.offset * itemsize, n * itemsize)), x.dtype)
}

/** `item` on every device. */
export async function itemAsync(x: Tensor): Promise<Scalar> {
  checkOneElement(x)
  return scalarAt(await dataAsync(x), 0, x.dtype)
}

/** `tolist` on every device. */
export async function tolistAsync(x: Tensor): Promise<NestedList> {
  return nest(await dataAsync(x), x.sizes, x.dtype)
}

// ---- writing --------------------------------------------------------------------------------------------------------

/**
 * Fills a contiguous tensor with `values` (as many as it has elements, in C order), converted to its dtype.
 * Fractions are cut off for integers; a plain array's numbers must fit, those of a typed array wrap around as with `to`.
 *
 * @throws RuntimeError for a number that an integer dtype cannot hold, PyTorch's `value cannot be converted to type
 * int8 without overflow`.
 */
export function writeData(x: Tensor, values: ArrayLike<Scalar>): void {
  const n = numelOf(x.sizes)
  if (values.length !== n)
    throw new RuntimeError(`${values.length} values given for a tensor of ${n} elements`)
  if (!isContiguous(x.sizes, x.strides)) throw new RuntimeError('writeData needs a contiguous tensor')
  if (n === 0) return
  if (x.storage.isAsynchronous) {
    x.storage.write(encodeValues(values, x.dtype), x.offset * x.dtype.itemsize)
    return
  }
  const each = x.dtype.kind === 'complex' ? 2 : 1
  const elements = viewAs(x.dtype, x.storage.bytes())
  convertInto(elements.subarray(each * x.offset, each * (x.offset + n)), x.dtype, values)
}

/** Elements of `dtype` in its storage form (bits for the half types), converted from JavaScript values. */
export function encodeValues(values: ArrayLike<Scalar>, dtype: DType): Uint8Array {
  const raw = makeRaw(dtype, values.length)
  convertInto(raw, dtype, values)
  return new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength)
}

function convertInto(out: RawArray, dtype: DType, values: ArrayLike<Scalar>): void {
  const n = values.length
  if (dtype.kind !== 'complex' && !ArrayBuffer.isView(values)) checkReal(values, dtype)
  switch (dtype.name) {
    case 'bool':
      for (let i = 0; i < n; i++) out[i] = isTrue(values[i]) ? 1 : 0
      return
    case 'float16':
    case 'bfloat16': {
      const numbers =
        values instanceof Float32Array
          ? values
          : Float32Array.from(values as ArrayLike<number>, (value) => Number(realNumber(value)))
      if (dtype.name === 'float16') encodeHalf(numbers, out as Uint16Array)
      else encodeBfloat16(numbers, out as Uint16Array)
      return
    }
    case 'float32':
    case 'float64':
      if (isNumberArray(values)) (out as Float64Array).set(values)
      else for (let i = 0; i < n; i++) out[i] = Number(realNumber(values[i]))
      return
    case 'int64':
      if (values instanceof BigInt64Array) (out as BigInt64Array).set(values)
      else intoInt64(out as BigInt64Array, values)
      return
    case 'complex64':
    case 'complex128':
      for (let i = 0; i < n; i++) {
        const { re, im } = Complex.of(values[i])
        out[2 * i] = re
        out[2 * i + 1] = im
      }
      return
    case 'uint8':
    case 'int8':
    case 'int16':
    case 'int32':
      intoIntegers(out as Int32Array, dtype, values)
      return
    default:
      dtype.name satisfies never
  }
}

// PyTorch converts a complex number to a real dtype only where its imaginary part is 0.
function checkReal(values: ArrayLike<Scalar>, dtype: DType): void {
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    if (value instanceof Complex && dtype !== bool && value.im !== 0) throw overflow(dtype)
  }
}

function isTrue(value: Scalar): boolean {
  // NaN is true here, unlike in JavaScript.
  if (value instanceof Complex) return value.re !== 0 || value.im !== 0
  return typeof value === 'number' ? value !== 0 : Boolean(value)
}

function isNumberArray(values: ArrayLike<Scalar>): values is Exclude<TypedArray, BigInt64Array> {
  return (
    ArrayBuffer.isView(values) && !(values instanceof BigInt64Array) && !(values instanceof BigUint64Array)
  )
}

const realNumber = (value: Scalar): number | bigint | boolean => (value instanceof Complex ? value.re : value)

function overflow(dtype: DType): RuntimeError {
  return new RuntimeError(`value cannot be converted to type ${dtype.name} without overflow`)
}

function intoIntegers(out: Int32Array, dtype: DType, values: ArrayLike<Scalar>): void {
  const wraps = ArrayBuffer.isView(values)
  const max = Number(iinfo(dtype).max)
  // PyTorch lets -255 to -1 through for uint8, as C does.
  const min = dtype === uint8 ? -255 : Number(iinfo(dtype).min)
  for (let i = 0; i < values.length; i++) {
    const given = realNumber(values[i])
    const value = typeof given === 'bigint' && wraps ? Number(BigInt.asIntN(32, given)) : Number(given)
    if (!wraps && !(value >= min && value <= max)) throw overflow(dtype)
    // A typed array keeps the low bits of the whole part.
    out[i] = value
  }
}

function intoInt64(out: BigInt64Array, values: ArrayLike<Scalar>): void {
  const checked = !ArrayBuffer.isView(values)
  const words = new Int32Array(out.buffer, out.byteOffset, out.length * 2)
  for (let i = 0; i < values.length; i++) {
    const value = realNumber(values[i])
    if (typeof value === 'bigint') {
      if (checked && BigInt.asIntN(64, value) !== value)
        throw new ValueError('Overflow when unpacking long long')
      out[i] = value
      continue
    }
    const whole = Math.trunc(Number(value))
    if (!(whole >= -(2 ** 63) && whole < 2 ** 63)) {
      if (checked) throw overflow(int64)
      // What C gives for a conversion that does not fit.
      out[i] = -(2n ** 63n)
      continue
    }
    // Two halves instead of a BigInt for each element: every supported machine is little-endian.
    words[2 * i] = whole
    words[2 * i + 1] = Math.floor(whole / 2 ** 32)
  }
}

// ---- nested arrays --------------------------------------------------------------------------------------------------

/** What nested arrays hold: the shape, the elements in C order, and the dtype that PyTorch infers. */
export interface Nested {
  readonly sizes: number[]
  readonly values: ArrayLike<Scalar>
  readonly dtype: DType
}

/**
 * The shape, elements and dtype of a value given to `torch.tensor`: whole numbers and bigints int64, other numbers
 * the default dtype, booleans bool, `Complex` values complex64, typed arrays and tensors their own, the highest of these where they are mixed, and
 * the default dtype where there are no elements.
 *
 * @throws ValueError where lists of different lengths meet (`expected sequence of length 3 at dim 1 (got 2)`), TypeError
 * for values that no tensor holds.
 */
export function inferNested(value: unknown): Nested {
  if (ArrayBuffer.isView(value)) {
    const array = typedArray(value)
    return { sizes: [array.length], values: array, dtype: dtypeOfTypedArray(array) }
  }
  if (isTensor(value)) return { sizes: [...value.sizes], values: scalars(value), dtype: value.dtype }
  if (!Array.isArray(value)) return { sizes: [], values: [value as Scalar], dtype: dtypeOfScalar(value) }
  const sizes = shapeOf(value)
  const values: Scalar[] = []
  let dtype: DType | null = null
  const add = (found: DType): void => {
    if (found !== dtype) dtype = dtype === null ? found : promoteTypes(dtype, found)
  }
  const walk = (level: unknown, dim: number): void => {
    if (dim === sizes.length) {
      add(addScalar(level, values))
      return
    }
    if (isTensor(level)) {
      checkLength(level.sizes[0], sizes, dim)
      add(level.dtype)
      for (const element of scalars(level)) values.push(element)
      return
    }
    if (ArrayBuffer.isView(level)) {
      const array = typedArray(level)
      checkLength(array.length, sizes, dim)
      add(dtypeOfTypedArray(array))
      for (let i = 0; i < array.length; i++) values.push(array[i])
      return
    }
    if (typeof level === 'string') throw new TypeError_("new(): invalid data type 'str'")
    if (!Array.isArray(level)) throw new TypeError_('not a sequence')
    checkLength(level.length, sizes, dim)
    for (let i = 0; i < level.length; i++) walk(level[i], dim + 1)
  }
  walk(value, 0)
  return { sizes, values, dtype: dtype ?? getDefaultDtype() }
}

function checkLength(length: number, sizes: readonly number[], dim: number): void {
  if (length !== sizes[dim] && sizes[dim] !== 0)
    throw new ValueError(`expected sequence of length ${sizes[dim]} at dim ${dim} (got ${length})`)
}

/** The lengths of the first list, of its first list, and so on. */
function shapeOf(value: unknown): number[] {
  const sizes: number[] = []
  let level: unknown = value
  for (;;) {
    if (isTensor(level)) return [...sizes, ...level.sizes]
    if (typeof level === 'string') throw new ValueError("too many dimensions 'str'")
    if (ArrayBuffer.isView(level)) return [...sizes, typedArray(level).length]
    if (!Array.isArray(level)) return sizes
    sizes.push(level.length)
    if (level.length === 0) return sizes
    if (sizes.length > 128) throw new ValueError("too many dimensions 'list'")
    level = level[0]
  }
}

function addScalar(value: unknown, values: Scalar[]): DType {
  if (isTensor(value)) {
    if (numelOf(value.sizes) !== 1)
      throw new ValueError('only one element tensors can be converted to Python scalars')
    values.push(readElement(value, 0))
    return value.dtype
  }
  if (Array.isArray(value)) throw new TypeError_("'list' object cannot be interpreted as an integer")
  const dtype = dtypeOfScalar(value)
  values.push(value as Scalar)
  return dtype
}

function dtypeOfScalar(value: unknown): DType {
  if (value instanceof Complex) return complexOf(getDefaultDtype())
  switch (typeof value) {
    case 'boolean':
      return bool
    case 'bigint':
      return int64
    case 'number':
      // A whole number that no int64 holds can only be meant as a float.
      return Number.isInteger(value) && Math.abs(value) <= 2 ** 63 ? int64 : getDefaultDtype()
    case 'string':
      throw new TypeError_("new(): invalid data type 'str'")
    case 'undefined':
    case 'object':
    case 'function':
    case 'symbol':
      throw new RuntimeError(`Could not infer dtype of ${describe(value)}`)
  }
}

function describe(value: unknown): string {
  if (value === null || value === undefined) return 'NoneType'
  if (typeof value === 'function') return 'function'
  if (typeof value === 'symbol') return 'symbol'
  return Object.getPrototypeOf(value) === Object.prototype ? 'dict' : (value.constructor?.name ?? 'object')
}

function isTensor(value: unknown): value is Tensor {
  // By its fields: this file must not load the class, which loads this file.
  return (
    typeof value === 'object' && value !== null && 'storage' in value && 'sizes' in value && 'dtype' in value
  )
}

function scalars(x: Tensor): Scalar[] {
  const elements = data(x)
  return Array.from({ length: numelOf(x.sizes) }, (_, i) => scalarAt(elements, i, x.dtype))
}

/** A view given by a user as one of the typed arrays here. Unsigned 16 and 32 bits come as the next signed type. */
function typedArray(view: ArrayBufferView): TypedArray {
  if (
    view instanceof Float32Array ||
    view instanceof Float64Array ||
    view instanceof BigInt64Array ||
    view instanceof Int32Array ||
    view instanceof Int16Array ||
    view instanceof Int8Array ||
    view instanceof Uint8Array
  )
    return view
  if (view instanceof Uint8ClampedArray) return new Uint8Array(view.buffer, view.byteOffset, view.length)
  if (view instanceof Uint16Array) return Int32Array.from(view)
  if (view instanceof Uint32Array) return BigInt64Array.from(view as ArrayLike<number>, BigInt)
  throw new NotImplementedError(
    `a tensor cannot be made from a ${view.constructor.name}: there is no dtype for its elements`,
  )
}

function dtypeOfTypedArray(array: TypedArray): DType {
  if (array instanceof Float32Array) return float32
  if (array instanceof Float64Array) return float64
  if (array instanceof BigInt64Array) return int64
  if (array instanceof Int32Array) return int32
  if (array instanceof Int16Array) return int16
  return array instanceof Int8Array ? int8 : uint8
}
