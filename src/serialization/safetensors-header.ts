// The header of a .safetensors file: 8 bytes of length, then JSON with dtype, shape and place of every tensor.
// (https://github.com/huggingface/safetensors#format)

import { allDTypes, type DType, dtypeByName } from '../core/dtype.ts'
import { ValueError } from '../core/errors.ts'
import type { ByteSource } from './byte-source.ts'
import { SafetensorError } from './errors.ts'
import { jsonEntries } from './json-entries.ts'

// The package's own limit.
const maxHeaderSize = 100_000_000
const lengthSize = 8
const maxRank = 64

/**
 * The dtypes in the package's order, which is the order of tensors in a file read backwards: name in the file, name
 * in PyTorch (empty where it has none), bits of an element.
 */
const dtypes: readonly (readonly [code: string, name: string, bits: number])[] = [
  ['BOOL', 'bool', 8],
  ['F4', '', 4],
  ['F6_E2M3', '', 6],
  ['F6_E3M2', '', 6],
  ['U8', 'uint8', 8],
  ['I8', 'int8', 8],
  ['F8_E5M2', 'float8_e5m2', 8],
  ['F8_E4M3', 'float8_e4m3fn', 8],
  ['F8_E8M0', 'float8_e8m0fnu', 8],
  ['F8_E4M3FNUZ', 'float8_e4m3fnuz', 8],
  ['F8_E5M2FNUZ', 'float8_e5m2fnuz', 8],
  ['I16', 'int16', 16],
  ['U16', 'uint16', 16],
  ['F16', 'float16', 16],
  ['BF16', 'bfloat16', 16],
  ['I32', 'int32', 32],
  ['U32', 'uint32', 32],
  ['F32', 'float32', 32],
  ['C64', 'complex64', 64],
  ['F64', 'float64', 64],
  ['I64', 'int64', 64],
  ['U64', 'uint64', 64],
]

const byCode = new Map(dtypes.map(([code, name, bits]) => [code, { name, bits }]))
const codes = new Map(
  dtypes.filter(([, name]) => name !== '').map(([code, name], rank) => [name, { code, rank }]),
)

/** One tensor of a file, as its header describes it. */
export interface SafetensorsEntry {
  readonly name: string
  /** The dtype as the file calls it: `F32`. */
  readonly code: string
  readonly shape: readonly number[]
  /** Where in the file its bytes begin. */
  readonly start: number
  readonly nbytes: number
}

export interface SafetensorsHeader {
  /** In the order of the header. */
  readonly entries: readonly SafetensorsEntry[]
  /** What the file says of itself, null where it says nothing. */
  readonly metadata: ReadonlyMap<string, string> | null
}

/** Reads and checks a header: the tensors must fill the file without holes or overlaps. Throws SafetensorError. */
export function readHeader(source: ByteSource): SafetensorsHeader {
  const fail = (message: string, cause?: unknown) =>
    new SafetensorError(`${source.name}: ${message}`, { cause })
  if (source.size < lengthSize)
    throw fail(`header too small: a safetensors file begins with 8 bytes of length, this has ${source.size}`)
  const first = source.read(0, lengthSize)
  const length = new DataView(first.buffer, first.byteOffset, lengthSize).getBigUint64(0, true)
  if (length > BigInt(maxHeaderSize))
    throw fail(`header too large: ${length} bytes, more than ${maxHeaderSize}; is it a safetensors file?`)
  const dataStart = lengthSize + Number(length)
  if (dataStart > source.size)
    throw fail(`invalid header length: ${length} bytes, but the file has ${source.size}: it is truncated`)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
      source.read(lengthSize, Number(length)),
    )
  } catch (error) {
    throw fail('invalid UTF-8 in header', error)
  }
  let pairs: [string, unknown][]
  try {
    pairs = jsonEntries(text)
  } catch (error) {
    throw fail(`invalid JSON in header: ${(error as Error).message.slice(0, 120)}`, error)
  }
  return checkHeader(pairs, dataStart, source.size, fail)
}

type Fail = (message: string) => SafetensorError

function checkHeader(
  pairs: readonly (readonly [string, unknown])[],
  dataStart: number,
  fileSize: number,
  fail: Fail,
): SafetensorsHeader {
  const entries: SafetensorsEntry[] = []
  const names = new Set<string>()
  let metadata: Map<string, string> | null = null
  for (const [name, value] of pairs) {
    if (names.has(name)) throw fail(`duplicate key ${JSON.stringify(name)} in header`)
    names.add(name)
    if (name === '__metadata__') metadata = readMetadata(value, fail)
    else entries.push(readEntry(name, value, dataStart, fail))
  }
  let position = dataStart
  for (const entry of [...entries].sort((a, b) => a.start - b.start || a.nbytes - b.nbytes)) {
    if (entry.start !== position)
      throw fail(
        `invalid offset for tensor ${shown(entry.name)}: it begins at byte ${entry.start - dataStart} of the data, but the one before ends at ${position - dataStart}; tensors must follow each other without holes or overlaps`,
      )
    position += entry.nbytes
  }
  if (position !== fileSize)
    throw fail(
      `incomplete metadata, file not fully covered: the tensors end at byte ${position}, the file at ${fileSize}${position > fileSize ? ': it is truncated' : ''}`,
    )
  return { entries, metadata }
}

function shown(name: string): string {
  return `'${name.length > 100 ? `${name.slice(0, 100)}...` : name}'`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value)
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0)
}

function readMetadata(value: unknown, fail: Fail): Map<string, string> {
  const entries = isObject(value) ? Object.entries(value) : null
  if (entries === null || !entries.every((entry): entry is [string, string] => typeof entry[1] === 'string'))
    throw fail('__metadata__ must be an object of strings')
  return new Map(entries)
}

function readEntry(name: string, value: unknown, dataStart: number, fail: Fail): SafetensorsEntry {
  const invalid = (message: string) => fail(`tensor ${shown(name)}: ${message}`)
  if (!isObject(value)) throw invalid('its description must be an object with dtype, shape and data_offsets')
  const keys = ['dtype', 'shape', 'data_offsets']
  for (const key of keys) if (!Object.hasOwn(value, key)) throw invalid(`missing field '${key}'`)
  for (const key of Object.keys(value)) if (!keys.includes(key)) throw invalid(`unknown field ${shown(key)}`)
  const { dtype, shape, data_offsets: offsets } = value
  const type = typeof dtype === 'string' ? byCode.get(dtype) : undefined
  if (type === undefined)
    throw invalid(
      `unknown dtype ${JSON.stringify(dtype)?.slice(0, 40)}, expected one of ${[...byCode.keys()].join(', ')}`,
    )
  if (!Array.isArray(shape) || !shape.every(isCount))
    throw invalid('shape must be a list of whole numbers from 0 on')
  if (shape.length > maxRank)
    throw invalid(`shape has ${shape.length} dimensions; at most ${maxRank} are supported`)
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount))
    throw invalid('data_offsets must be two whole numbers from 0 on')
  const [begin, end] = offsets as [number, number]
  if (begin > end) throw invalid(`invalid data_offsets [${begin}, ${end}]: they are reversed`)
  const bits = shape.reduce<number>((product, size) => product * size, type.bits)
  if (!Number.isSafeInteger(bits)) throw invalid(`overflow computing buffer size from shape [${shape}]`)
  if (bits !== 8 * (end - begin))
    throw invalid(
      `invalid shape, data type, or offset: ${dtype} of shape [${shape}] needs ${bits / 8} bytes, but data_offsets give ${end - begin}`,
    )
  return { name, code: dtype as string, shape, start: dataStart + begin, nbytes: end - begin }
}

/** The dtype that a file calls `code`. Throws a SafetensorError that names tensor and dtype where antorcha has none. */
export function dtypeOfEntry(entry: SafetensorsEntry, sourceName: string): DType {
  const { name } = byCode.get(entry.code)!
  const dtype = name === '' ? undefined : dtypeByName(name)
  if (dtype !== undefined) return dtype
  throw new SafetensorError(
    `${sourceName}: tensor ${shown(entry.name)} has dtype ${entry.code}${name === '' ? '' : ` (torch.${name})`}, which is not supported; convert it in Python before saving, for example to torch.float32`,
  )
}

/** A tensor to be written. */
export interface SafetensorsItem {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly nbytes: number
}

/** Whether tensors of a dtype have a name in the format. */
export function hasCode(dtype: DType): boolean {
  return codes.has(dtype.name)
}

const utf8 = new TextEncoder()

/** Orders as the package does: by dtype, larger alignment first, then by the bytes of the name. */
export function compareItems(a: SafetensorsItem, b: SafetensorsItem): number {
  return codes.get(b.dtype.name)!.rank - codes.get(a.dtype.name)!.rank || compareBytes(a.name, b.name)
}

function compareBytes(a: string, b: string): number {
  if (a === b) return 0
  const [x, y] = [utf8.encode(a), utf8.encode(b)]
  for (let i = 0; i < Math.min(x.length, y.length); i++) if (x[i] !== y[i]) return x[i] - y[i]
  return x.length - y.length
}

/** The length and the header of a file with these tensors in this order, padded with spaces to a multiple of 8. */
export function writeHeader(
  items: readonly SafetensorsItem[],
  metadata: ReadonlyMap<string, string> | null,
): Uint8Array {
  const parts: string[] = []
  if (metadata !== null) {
    const pairs = [...metadata].map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)
    parts.push(`"__metadata__":{${pairs.join(',')}}`)
  }
  let position = 0
  for (const { name, dtype, shape, nbytes } of items) {
    const { code } = codes.get(dtype.name)!
    parts.push(
      `${JSON.stringify(name)}:{"dtype":"${code}","shape":[${shape}],"data_offsets":[${position},${position + nbytes}]}`,
    )
    position += nbytes
  }
  const text = utf8.encode(`{${parts.join(',')}}`)
  const length = Math.ceil(text.length / 8) * 8
  if (length > maxHeaderSize)
    throw new ValueError(
      `the header would have ${length} bytes, more than the ${maxHeaderSize} of the format`,
    )
  const result = new Uint8Array(lengthSize + length).fill(0x20)
  new DataView(result.buffer).setBigUint64(0, BigInt(length), true)
  result.set(text, lengthSize)
  return result
}

/** The names of the dtypes that can be written, for messages. */
export function writableDtypes(): string {
  return allDTypes.filter(hasCode).join(', ')
}
