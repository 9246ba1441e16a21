// NumPy's names of dtypes, as they stand in .npy files and in pickled arrays.

/** NumPy's codes without the byte order, and PyTorch's names. */
const dtypes: readonly (readonly [code: string, name: string])[] = [
  ['b1', 'bool'],
  ['u1', 'uint8'],
  ['i1', 'int8'],
  ['i2', 'int16'],
  ['i4', 'int32'],
  ['i8', 'int64'],
  ['u2', 'uint16'],
  ['u4', 'uint32'],
  ['u8', 'uint64'],
  ['f2', 'float16'],
  ['f4', 'float32'],
  ['f8', 'float64'],
  ['c8', 'complex64'],
  ['c16', 'complex128'],
]
/** From a code, as `f4`, to the name. */
export const nameByCode = new Map(dtypes)
/** The other way. */
export const codeByName = new Map(dtypes.map(([code, name]) => [name, code]))
