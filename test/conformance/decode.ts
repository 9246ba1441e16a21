// Recorded values to values of the library: tensors, dtypes, slices, containers, modules.

import { backendFor } from '../../src/backends/backend.ts'
import { Complex } from '../../src/core/complex.ts'
import { Tuple } from '../../src/core/python.ts'
import { contiguousStrides, makeSize } from '../../src/core/shape.ts'
import { Storage } from '../../src/tensor/storage.ts'
import { Unsupported } from './case.ts'
import { bytesOfBase64, itemSize, type RecordedTensor } from './elements.ts'
import { type DType, find, findFunction, type Tensor, torch } from './library.ts'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** A recorded value that is an object with a marker such as `$t`: the marker and what stands under it. */
export function marker(json: Json): [string, Json] | null {
  if (json === null || typeof json !== 'object' || Array.isArray(json)) return null
  for (const key in json) if (key.startsWith('$')) return [key, json[key]]
  return null
}

/** The number in `{"$f": ...}`. */
export function decodeFloat(json: Json): number {
  if (typeof json === 'number') return json
  if (json === 'nan') return Number.NaN
  if (json === 'inf') return Number.POSITIVE_INFINITY
  if (json === '-inf') return Number.NEGATIVE_INFINITY
  throw new Error(`not a recorded float: ${JSON.stringify(json)}`)
}

/** The number in `{"$c": [re, im]}`. */
export function decodeComplex(json: Json): Complex {
  const [re, im] = (json as Json[]).map((part) => decodeFloat(marker(part)?.[1] ?? part))
  return new Complex(re, im)
}

/** The device on which tensors are made; `cpu` unless the runner was told otherwise. */
export const target = { device: 'cpu' }

/** Makes the recorded tensor, on the target device. */
export function decodeTensor(recorded: RecordedTensor): Tensor {
  const { shape } = recorded
  const dtype = decodeDType(recorded.dtype)
  const { type } = torch.device(target.device)
  if (type !== 'cpu' && (backendFor(type).refusal?.(dtype) ?? null) !== null)
    throw new Unsupported(`${recorded.dtype} on ${target.device}`)
  const storage = Storage.fromBytes(bytesOfBase64(recorded.data))
  const tensor = new torch.Tensor(storage, shape, contiguousStrides(shape), 0, dtype)
  return target.device === 'cpu' ? tensor : tensor.to(target.device)
}

/** The library's dtype of that name. Throws `Unsupported` if there is none. */
export function decodeDType(name: string): DType {
  itemSize(name)
  const dtype = find(`torch.${name}`)
  if (dtype === undefined) throw new Unsupported(`dtype ${name}`)
  return dtype as DType
}

/** How values are decoded where a part of the data has its own kinds or conventions. */
export interface Decoding {
  /** What stands for a Python float; the number itself unless given. */
  readonly float?: (value: number) => unknown
  /** Kinds that only this part of the data has: marker (`$gen`) to decoder. */
  readonly kinds?: Readonly<Record<string, (content: Json) => unknown>>
}

/** Decodes any recorded value. Lists and tuples without a marker become arrays, dicts Maps. */
export function decode(json: Json, options: Decoding = {}): unknown {
  if (Array.isArray(json)) return json.map((item) => decode(item, options))
  const marked = marker(json)
  if (marked === null) {
    if (json === null || typeof json !== 'object') return json
    return new Map(Object.entries(json).map(([k, v]) => [k, decode(v, options)]))
  }
  const [kind, content] = marked
  const special = options.kinds?.[kind]
  if (special !== undefined) return special(content)
  const items = () => (content as Json[]).map((item) => decode(item, options))
  switch (kind) {
    case '$t':
      return decodeTensor(content as unknown as RecordedTensor)
    case '$f':
      return (options.float ?? ((x: number) => x))(decodeFloat(content))
    case '$i':
      return BigInt(content as string)
    case '$c':
      return decodeComplex(content)
    case '$dtype':
      return decodeDType(content as string)
    case '$device':
      return torch.device(content as string)
    case '$size':
      return makeSize(content as number[])
    case '$ellipsis':
      return '...'
    case '$slice':
      return decodeSlice(content as (number | null)[])
    case '$tuple': {
      const tuple = new Tuple()
      tuple.push(...items())
      return tuple
    }
    case '$set':
      return new Set(items())
    case '$bytes':
      return bytesOfBase64(content as string)
    case '$odict':
    case '$dict':
      return decodeDict(content, options)
    case '$fn':
      return findFunction(content as string)
    case '$zeros': {
      const { dtype, shape, transpose } = content as { dtype: string; shape: number[]; transpose?: number[] }
      const zeros = torch.zeros(shape, { dtype: decodeDType(dtype) })
      return transpose === undefined ? zeros : zeros.transpose(transpose[0], transpose[1])
    }
    case '$transposed': {
      const [value, [a, b]] = content as [Json, [number, number]]
      return (decode(value, options) as Tensor).transpose(a, b)
    }
    default:
      throw new Error(`unknown kind of recorded value: ${kind}`)
  }
}

/** A dict, recorded as an object or, where keys need not be strings, as pairs. */
export function decodeDict(content: Json, options: Decoding = {}): Map<unknown, unknown> {
  const pairs = Array.isArray(content) ? (content as [Json, Json][]) : Object.entries(content as object)
  return new Map(pairs.map(([k, v]) => [decode(k, options), decode(v, options)]))
}

function decodeSlice([start, stop, step]: readonly (number | null)[]): string {
  const part = (n: number | null | undefined) => (n === null || n === undefined ? '' : String(n))
  return `${part(start)}:${part(stop)}${step === null || step === undefined ? '' : `:${step}`}`
}
