// The header of a .npy file: magic bytes, a version, and a Python dictionary of dtype, order and shape.
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)

import { type DType, dtypeByName } from '../core/dtype.ts'
import { ValueError } from '../core/errors.ts'
import { numelOf } from '../core/shape.ts'
import type { ByteSource } from './byte-source.ts'
import { NpyError } from './errors.ts'
import { codeByName, nameByCode } from './numpy-dtypes.ts'

const magic = '\x93NUMPY'
const maxRank = 64
// A header of a number array takes a hundred bytes; version 1 allows 64 KiB.
const maxHeaderSize = 1 << 16
// NumPy pads so that the data begin at a multiple of this.
const alignment = 64

/** An array, as its header describes it. */
export interface NpyHeader {
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly isFortran: boolean
  /** How many bytes are to be swapped with each other; 1 where none are. */
  readonly swapped: number
  readonly dataStart: number
  readonly nbytes: number
}

/** Reads and checks a header; the data must be there. Throws NpyError. */
export function readNpyHeader(source: ByteSource): NpyHeader {
  const fail = (message: string) => new NpyError(`${source.name}: ${message}`)
  if (source.size < 10) throw fail('the file is too short for a NumPy file')
  const start = source.read(0, Math.min(12, source.size))
  if (!isNpy(start)) throw fail('the magic string is not correct: a .npy file begins with \\x93NUMPY')
  const [major, minor] = start.subarray(6)
  if (major < 1 || major > 3 || minor !== 0)
    throw fail(`version ${major}.${minor} of the format is not supported, only 1.0, 2.0 and 3.0 are`)
  const view = new DataView(start.buffer, start.byteOffset, start.length)
  const headerStart = major === 1 ? 10 : 12
  if (source.size < headerStart) throw fail('the file is truncated')
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true)
  if (length > maxHeaderSize) throw fail(`a header of ${length} bytes is not that of an array of numbers`)
  const dataStart = headerStart + length
  if (dataStart > source.size)
    throw fail(`the header should have ${length} bytes, but the file ends before: it is truncated`)
  const text = String.fromCharCode(...source.read(headerStart, Math.min(length, 4096)))
  const { descr, fortran_order: order, shape: dimensions } = parseDictionary(text, fail)
  const { dtype, swapped } = parseDtype(descr, fail)
  const shape = parseShape(dimensions, fail)
  const nbytes = numelOf(shape) * dtype.itemsize
  if (!Number.isSafeInteger(nbytes)) throw fail(`an array of shape (${shape}) has too many elements`)
  if (dataStart + nbytes > source.size)
    throw fail(
      `an array of shape (${shape}) and dtype ${dtype} needs ${nbytes} bytes, but ${source.size - dataStart} follow: the file is truncated`,
    )
  return { dtype, shape, isFortran: order === 'True', swapped, dataStart, nbytes }
}

/** Whether bytes begin as a .npy file does. */
export function isNpy(start: Uint8Array): boolean {
  return String.fromCharCode(...start.subarray(0, magic.length)) === magic
}

type Fail = (message: string) => NpyError
type Dictionary = Record<'descr' | 'fortran_order' | 'shape', string>

// One item of the dictionary as NumPy writes it; a dtype that is no string belongs to records.
const item = /\s*'(descr|fortran_order|shape)'\s*:\s*('[^']*'|True|False|\([\d\s,L]*\)|\[)\s*(,|(?=\}))/y

function parseDictionary(text: string, fail: Fail): Dictionary {
  const found = new Map<string, string>()
  const open = /^\s*\{/.exec(text)
  const wrong = () => fail(`the header is not a dictionary of descr, fortran_order and shape: ${shown(text)}`)
  if (open === null) throw wrong()
  item.lastIndex = open[0].length
  for (let end = item.lastIndex; ; end = item.lastIndex) {
    const match = item.exec(text)
    if (match === null) {
      if (/'descr'\s*:\s*[[(]/.test(text)) throw structured(fail)
      if (!/^\s*\}\s*$/.test(text.slice(end))) throw wrong()
      break
    }
    const [, key, value] = match
    if (found.has(key)) throw fail(`the header has '${key}' twice`)
    found.set(key, value)
  }
  const [descr, order, shape] = ['descr', 'fortran_order', 'shape'].map((key) => found.get(key))
  if (descr === undefined || order === undefined || shape === undefined)
    throw fail(`the header lacks descr, fortran_order or shape: ${shown(text)}`)
  if (descr[0] !== "'") throw structured(fail)
  if (order !== 'True' && order !== 'False')
    throw fail(`fortran_order must be True or False, but is ${order}`)
  if (shape[0] !== '(') throw fail(`shape must be a tuple, but is ${shown(shape)}`)
  return { descr: descr.slice(1, -1), fortran_order: order, shape }
}

function structured(fail: Fail): NpyError {
  return fail('arrays of records (structured dtypes) are not supported: save each field by itself')
}

function shown(text: string): string {
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}...` : text)
}

function parseDtype(descr: string, fail: Fail): { dtype: DType; swapped: number } {
  const match = /^([<>=|])([a-zA-Z]\d*)$/.exec(descr)
  if (match?.[2][0] === 'O')
    throw fail(
      'arrays of Python objects are not supported: they hold a pickle, which may run code in NumPy; save numbers instead',
    )
  const [, order, code] = match ?? []
  const name = nameByCode.get(code ?? '')
  const dtype = name === undefined ? undefined : dtypeByName(name)
  if (dtype === undefined)
    throw fail(
      `the dtype ${shown(descr)} is not supported${name === undefined ? ', only numbers and bools are' : `: antorcha has no ${name}`}`,
    )
  // The parts of a complex number are swapped each by itself.
  const size = code[0] === 'c' ? dtype.itemsize / 2 : dtype.itemsize
  return { dtype, swapped: order === '>' ? size : 1 }
}

function parseShape(text: string, fail: Fail): number[] {
  const inner = text.slice(1, -1).trim()
  if (inner === '') return []
  // A tuple of one has its comma.
  const isTuple = /^\d+L?(\s*,\s*\d+L?)*(\s*,)?$/.test(inner) && inner.includes(',')
  if (!isTuple) throw fail(`shape must be a tuple of whole numbers, but is ${shown(text)}`)
  const sizes = inner
    .replace(/,$/, '')
    .split(',')
    .map((size) => Number.parseInt(size, 10))
  if (sizes.length > maxRank)
    throw fail(`shape has ${sizes.length} dimensions; at most ${maxRank} are supported`)
  if (!sizes.every(Number.isSafeInteger)) throw fail(`the shape ${shown(text)} is too large`)
  return sizes
}

/** The beginning of a .npy file, up to the data, as NumPy writes it. Throws ValueError for dtypes that NumPy lacks. */
export function writeNpyHeader(dtype: DType, shape: readonly number[]): Uint8Array {
  const code = codeByName.get(dtype.name)
  if (code === undefined)
    throw new ValueError(`NumPy has no ${dtype.name}: convert the tensor first, for example with float()`)
  const order = dtype.itemsize === 1 ? '|' : '<'
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(', ')})`
  const text = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': ${tuple}, }`
  // NumPy leaves room for the first number to grow in place.
  const growth = 21 - (shape.length === 0 ? 0 : String(shape[0]).length)
  const spaces = shape.length === 0 ? 0 : growth
  const unpadded = 10 + text.length + spaces + 1
  const total = Math.ceil(unpadded / alignment) * alignment
  const bytes = new Uint8Array(total).fill(0x20)
  for (let i = 0; i < magic.length; i++) bytes[i] = magic.charCodeAt(i)
  bytes[6] = 1
  bytes[7] = 0
  new DataView(bytes.buffer).setUint16(8, total - 10, true)
  for (let i = 0; i < text.length; i++) bytes[10 + i] = text.charCodeAt(i)
  bytes[total - 1] = 0x0a
  return bytes
}
