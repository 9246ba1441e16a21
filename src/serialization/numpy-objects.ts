// NumPy scalars and arrays inside pickles (a metric that is np.float64, say): numbers and tensors.

import { type DType, dtypeByName } from '../core/dtype.ts'
import { Tuple } from '../core/python.ts'
import { contiguousStrides } from '../core/shape.ts'
import { nameByCode } from './numpy-dtypes.ts'
import { BuildableObject, pythonTypeName, type UnpicklingContext } from './python-objects.ts'

type Call = (args: readonly unknown[], context: UnpicklingContext) => unknown

// NumPy 2 moved these modules.
const modules = ['numpy.core', 'numpy._core']

/** The functions and classes of NumPy that a pickle may use, by their full names. */
export const numpyGlobals: readonly {
  readonly name: string
  readonly call: Call
  readonly isClass: boolean
}[] = [
  { name: 'numpy.dtype', call: makeDtype, isClass: true },
  { name: 'numpy.ndarray', call: refuseCall, isClass: true },
  ...modules.flatMap((module) => [
    { name: `${module}.multiarray.scalar`, call: scalar, isClass: false },
    { name: `${module}.multiarray._reconstruct`, call: reconstruct, isClass: false },
    { name: `${module}.numeric._frombuffer`, call: fromBuffer, isClass: false },
  ]),
]

function refuseCall(): never {
  throw new Error('this class cannot be called')
}

/** numpy.dtype while it is unpickled; its byte order comes in the state. */
class NumpyDtype extends BuildableObject {
  constructor(readonly code: string) {
    super()
  }

  override build(state: unknown): this {
    const order = state instanceof Tuple ? state[1] : undefined
    if (order !== '<' && order !== '|')
      throw new Error(`NumPy's byte order ${String(order)} is not supported`)
    return this
  }

  get dtype(): DType {
    const dtype = dtypeByName(nameByCode.get(this.code) ?? '')
    if (dtype === undefined || dtype.kind === 'complex')
      throw new Error(`NumPy values of dtype ${this.code} are not supported`)
    return dtype
  }
}

/** numpy.ndarray while it is unpickled: its state is everything. */
class NumpyArray extends BuildableObject {
  /** (version, shape, dtype, is_fortran, data) */
  override build(state: unknown, context: UnpicklingContext): object {
    if (!(state instanceof Tuple) || state.length !== 5)
      throw new Error('the state of a NumPy array has five parts')
    const [, shape, dtype, isFortran, data] = state
    return makeArray(data, dtype, shape, isFortran === true, context)
  }
}

function makeDtype(args: readonly unknown[]): NumpyDtype {
  if (typeof args[0] !== 'string') throw new Error('numpy.dtype() needs a code')
  return new NumpyDtype(args[0])
}

function reconstruct(): NumpyArray {
  return new NumpyArray()
}

/** (dtype, bytes) */
function scalar(args: readonly unknown[]): number | bigint | boolean {
  const [type, data] = args
  if (!(type instanceof NumpyDtype) || !(data instanceof Uint8Array))
    throw new Error('a NumPy scalar needs a dtype and bytes')
  const { dtype } = type
  if (data.length !== dtype.itemsize)
    throw new Error(`a NumPy scalar of ${dtype.name} has ${dtype.itemsize} bytes, not ${data.length}`)
  const view = new DataView(data.buffer, data.byteOffset, data.length)
  switch (dtype.name) {
    case 'bool':
      return view.getUint8(0) !== 0
    case 'uint8':
      return view.getUint8(0)
    case 'int8':
      return view.getInt8(0)
    case 'int16':
      return view.getInt16(0, true)
    case 'int32':
      return view.getInt32(0, true)
    case 'int64': {
      const value = view.getBigInt64(0, true)
      return value >= -(2n ** 53n) && value <= 2n ** 53n ? Number(value) : value
    }
    case 'float32':
      return view.getFloat32(0, true)
    case 'float64':
      return view.getFloat64(0, true)
    default:
      throw new Error(`NumPy scalars of dtype ${dtype.name} are not supported`)
  }
}

/** (bytes, dtype, shape, order): how protocol 5 writes arrays */
function fromBuffer(args: readonly unknown[], context: UnpicklingContext): object {
  const [data, dtype, shape, order] = args
  return makeArray(data, dtype, shape, order === 'F', context)
}

function makeArray(
  data: unknown,
  type: unknown,
  shape: unknown,
  isFortran: boolean,
  context: UnpicklingContext,
): object {
  if (!(type instanceof NumpyDtype))
    throw new Error(`expected a NumPy dtype, but got ${pythonTypeName(type)}`)
  if (!(data instanceof Uint8Array))
    throw new Error(`only NumPy arrays of numbers are supported, but the data are ${pythonTypeName(data)}`)
  const { dtype } = type
  if (!(shape instanceof Tuple) || shape.length > 64 || context.hasWholeFloats(shape))
    throw new Error('the shape of a NumPy array must be a tuple of at most 64 ints')
  const sizes = Array.from(shape, (n) => {
    if (!Number.isSafeInteger(n) || (n as number) < 0)
      throw new Error(`a NumPy array cannot have a dimension of ${String(n)}`)
    return n as number
  })
  const expected = sizes.reduce((product, n) => product * n, dtype.itemsize)
  if (expected !== data.length)
    throw new Error(`a NumPy array of shape [${sizes}] needs ${expected} bytes, but has ${data.length}`)
  context.spend(data.length)
  const strides = isFortran ? contiguousStrides([...sizes].reverse()).reverse() : contiguousStrides(sizes)
  return context.tensors.tensor(context.copyToStorage(data), sizes, strides, 0, dtype, false)
}
