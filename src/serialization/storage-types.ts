// The storage classes of PyTorch's pickles and the dtypes behind them, also those that antorcha does not have.

import { type DType, type DTypeName, dtypeByName } from '../core/dtype.ts'
import { TypeError_ } from '../core/errors.ts'

interface StorageType {
  readonly className: string
  readonly dtypeName: string
  readonly itemsize: number
}

const storageTypes: readonly StorageType[] = [
  ['DoubleStorage', 'float64', 8],
  ['FloatStorage', 'float32', 4],
  ['HalfStorage', 'float16', 2],
  ['BFloat16Storage', 'bfloat16', 2],
  ['LongStorage', 'int64', 8],
  ['IntStorage', 'int32', 4],
  ['ShortStorage', 'int16', 2],
  ['CharStorage', 'int8', 1],
  ['ByteStorage', 'uint8', 1],
  ['BoolStorage', 'bool', 1],
  ['ComplexDoubleStorage', 'complex128', 16],
  ['ComplexFloatStorage', 'complex64', 8],
  ['QInt8Storage', 'qint8', 1],
  ['QInt32Storage', 'qint32', 4],
  ['QUInt8Storage', 'quint8', 1],
  ['QUInt4x2Storage', 'quint4x2', 1],
  ['QUInt2x4Storage', 'quint2x4', 1],
].map(([className, dtypeName, itemsize]) => ({ className, dtypeName, itemsize }) as StorageType)

/** Every storage class by its name in the module torch. */
export const storageTypesByClass: ReadonlyMap<string, StorageType> = new Map(
  storageTypes.map((type) => [type.className, type]),
)

const classByDtype = new Map(storageTypes.map((type) => [type.dtypeName, type.className]))

/** The storage class in which tensors of the dtype called `name` are saved: `FloatStorage`. */
export function storageClassOf(name: string): string {
  const className = classByDtype.get(name)
  if (className === undefined) throw new TypeError_(`tensors of dtype torch.${name} cannot be saved`)
  return className
}

/** The names of all dtypes that PyTorch 2.13 can pickle. */
export const pytorchDtypeNames: readonly string[] = [
  ...storageTypes.map((type) => type.dtypeName),
  ...['uint16', 'uint32', 'uint64', 'complex32'],
  ...[
    'float8_e5m2',
    'float8_e4m3fn',
    'float8_e5m2fnuz',
    'float8_e4m3fnuz',
    'float8_e8m0fnu',
    'float4_e2m1fn_x2',
  ],
  ...[1, 2, 3, 4, 5, 6, 7].flatMap((n) => [`uint${n}`, `int${n}`]),
  ...['bits8', 'bits16', 'bits1x8', 'bits2x4', 'bits4x2'],
]

/** The dtype of that name. Throws an Error that names it where antorcha has none. */
export function supportedDtype(name: string): DType {
  const dtype = dtypeByName(name)
  if (dtype !== undefined) return dtype
  if (/^qu?int/.test(name))
    throw new Error(
      `quantized tensors (dtype torch.${name}) are not supported: save tensor.dequantize() instead`,
    )
  throw new Error(
    `tensors of dtype torch.${name} are not supported: convert them in Python before saving, for example to torch.${substitutes.get(name) ?? 'float32'}`,
  )
}

const substitutes = new Map<string, DTypeName>([
  ['uint16', 'int32'],
  ['uint32', 'int64'],
  ['uint64', 'int64'],
  ['complex32', 'complex64'],
])
