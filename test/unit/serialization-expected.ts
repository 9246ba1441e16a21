// Compares a loaded checkpoint with the JSON beside it in ../shared/conformance/files (encoding: the README there).

import { existsSync } from 'node:fs'
import { Device } from '../../src/core/device.ts'
import { DType } from '../../src/core/dtype.ts'
import { Tuple } from '../../src/core/python.ts'
import { Size } from '../../src/core/shape.ts'
import { Complex, OrderedDict } from '../../src/serialization/python-objects.ts'
import type { TensorBridge } from '../../src/serialization/storage-table.ts'

/** The folder of the conformance data, which lies beside the repository where it is at hand. */
export const filesFolder = new URL('../../../shared/conformance/files/', import.meta.url).pathname
export const hasFiles = existsSync(filesFolder)

export interface ExpectedTensor {
  readonly path: string
  readonly dtype: string
  readonly shape: number[]
  readonly stride: number[]
  readonly offset: number
  readonly storage: number
  readonly requires_grad: boolean
  readonly parameter: boolean
}

export interface Expected {
  readonly content: unknown
  readonly tensors?: ExpectedTensor[]
  readonly metadata?: Record<string, Record<string, { version: number }>>
}

/** The elements of a tensor in C order, as bytes. */
export function elementsOf(bridge: TensorBridge, tensor: object): Uint8Array {
  const t = bridge.describe(tensor)!
  const { itemsize } = t.dtype
  const bytes = bridge.bytes(t.storage)
  const numel = t.sizes.reduce((a, b) => a * b, 1)
  const result = new Uint8Array(numel * itemsize)
  const index = t.sizes.map(() => 0)
  for (let n = 0; n < numel; n++) {
    const at = index.reduce((sum, i, d) => sum + i * t.strides[d], t.offset) * itemsize
    result.set(bytes.subarray(at, at + itemsize), n * itemsize)
    for (let d = index.length - 1; d >= 0 && ++index[d] === t.sizes[d]; d--) index[d] = 0
  }
  return result
}

/** What differs between a loaded object and what is expected, one line each; empty where nothing does. */
export function differences(bridge: TensorBridge, actual: unknown, expected: Expected): string[] {
  const problems: string[] = []
  const tensors = new Map<string, object>()
  const containers = new Map<string, unknown>()
  compare(actual, expected.content, '')
  checkTensors()
  checkMetadata()
  return problems

  function differs(path: string, message: string): void {
    problems.push(`${path || '/'}: ${message}`)
  }

  function compare(value: unknown, json: unknown, path: string): void {
    if (json === null || typeof json !== 'object') {
      if (value !== json) differs(path, `expected ${String(json)}, got ${String(value)}`)
      return
    }
    if (Array.isArray(json)) {
      if (!Array.isArray(value) || value instanceof Tuple)
        differs(path, `expected a list, got ${String(value)}`)
      else items(value, json, path)
      return
    }
    const [tag, inner] = Object.entries(json)[0] as [string, never]
    compareTagged(value, tag, inner, path)
  }

  function items(value: readonly unknown[], json: readonly unknown[], path: string): void {
    if (value.length !== json.length) differs(path, `expected ${json.length} items, got ${value.length}`)
    for (const [i, item] of json.entries()) compare(value[i], item, `${path}/${i}`)
  }

  function compareTagged(value: unknown, tag: string, inner: never, path: string): void {
    const fail = () => differs(path, `expected ${tag} ${JSON.stringify(inner)}, got ${String(value)}`)
    switch (tag) {
      case '$f':
        if (
          !Object.is(
            value,
            typeof inner === 'number' ? inner : Number(String(inner).replace('inf', 'Infinity')),
          )
        )
          fail()
        return
      case '$i':
        if (typeof value !== 'bigint' || value !== BigInt(inner)) fail()
        return
      case '$c':
        if (!(value instanceof Complex)) fail()
        else for (const [i, part] of [value.re, value.im].entries()) compareTagged(part, '$f', inner[i], path)
        return
      case '$bytes':
        if (!(value instanceof Uint8Array) || Buffer.from(value).toString('base64') !== inner) fail()
        return
      case '$size':
        if (!(value instanceof Size) || value.join() !== (inner as number[]).join()) fail()
        return
      case '$dtype':
        if (!(value instanceof DType) || value.name !== inner) fail()
        return
      case '$device':
        if (!(value instanceof Device) || value.toString() !== inner) fail()
        return
      case '$tuple':
        if (!(value instanceof Tuple)) fail()
        else items(value, inner, path)
        return
      case '$set':
        if (!(value instanceof Set)) fail()
        else
          items(
            [...value].sort(byText),
            (inner as unknown[])
              .map((v) => (typeof v === 'object' ? (v as { $f: number }).$f : v))
              .sort(byText),
            path,
          )
        return
      case '$dict':
      case '$odict':
        if (!(value instanceof Map) || value instanceof OrderedDict !== (tag === '$odict')) fail()
        else pairs(value, inner, path)
        return
      case '$t':
        compareTensor(value, inner, path, false)
        return
      case '$parameter': {
        const { value: tensor } = inner as { value: { $t: never } }
        compareTensor(value, tensor.$t, path, true)
        return
      }
      default:
        fail()
    }
  }

  function pairs(value: Map<unknown, unknown>, json: readonly [unknown, unknown][], path: string): void {
    containers.set(path, value)
    if (value.size !== json.length) differs(path, `expected ${json.length} keys, got ${value.size}`)
    for (const [i, [key, item]] of [...value].entries()) {
      if (i >= json.length) return
      compare(key, json[i][0], `${path}/{key ${i}}`)
      compare(item, json[i][1], `${path}/${String(key)}`)
    }
  }

  function compareTensor(
    value: unknown,
    json: { dtype: string; shape: number[]; data: string },
    path: string,
    isParameter: boolean,
  ): void {
    const t = bridge.isTensor(value) ? bridge.describe(value as object) : null
    if (t === null) {
      differs(path, `expected a tensor, got ${String(value)}`)
      return
    }
    tensors.set(path, value as object)
    if (t.dtype.name !== json.dtype) differs(path, `expected dtype ${json.dtype}, got ${t.dtype.name}`)
    if (t.sizes.join() !== json.shape.join())
      differs(path, `expected shape [${json.shape}], got [${t.sizes}]`)
    if (t.isParameter !== isParameter) differs(path, `parameter is ${t.isParameter}`)
    if (Buffer.from(elementsOf(bridge, value as object)).toString('base64') !== json.data)
      differs(path, 'the elements differ')
  }

  function checkTensors(): void {
    const storages = new Map<number, object>()
    for (const e of expected.tensors ?? []) {
      const tensor = tensors.get(e.path)
      if (tensor === undefined) {
        differs(e.path, 'no tensor was found here')
        continue
      }
      const t = bridge.describe(tensor)!
      if (t.strides.join() !== e.stride.join())
        differs(e.path, `expected stride [${e.stride}], got [${t.strides}]`)
      if (t.offset !== e.offset) differs(e.path, `expected offset ${e.offset}, got ${t.offset}`)
      if (t.requiresGrad !== e.requires_grad) differs(e.path, `requires_grad is ${t.requiresGrad}`)
      const known = storages.get(e.storage)
      if (known === undefined) {
        if ([...storages.values()].includes(t.storage)) differs(e.path, 'shares a storage that it should not')
        storages.set(e.storage, t.storage)
      } else if (known !== t.storage) differs(e.path, `should share storage ${e.storage}`)
    }
  }

  function checkMetadata(): void {
    for (const [path, versions] of Object.entries(expected.metadata ?? {})) {
      const metadata = (containers.get(path) as OrderedDict | undefined)?._metadata
      if (!(metadata instanceof Map)) {
        differs(path, 'has no _metadata')
        continue
      }
      // JSON.parse sorts keys such as '0' to the front, so the order of the prefixes cannot be compared.
      const found = [...metadata].map(([prefix, local]) => `${prefix}:${local.get('version')}`)
      const wanted = Object.entries(versions).map(([prefix, local]) => `${prefix}:${local.version}`)
      if (found.sort().join() !== wanted.sort().join()) differs(path, `_metadata is ${found}`)
    }
  }
}

function byText(a: unknown, b: unknown): number {
  return String(a) < String(b) ? -1 : 1
}
