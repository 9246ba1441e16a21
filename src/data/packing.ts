// Values between threads: tensors go as their bytes, which are handed over without a copy, containers part by part.

import { dtypeByName } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { contiguousStrides } from '../core/shape.ts'
import { isOptions } from '../ops/op.ts'
import { Storage } from '../tensor/storage.ts'
import { Tensor, tensorFromStorage } from '../tensor/tensor.ts'

/** A value as it travels. */
export type Packed =
  | {
      readonly kind: 'tensor'
      readonly dtype: string
      readonly sizes: readonly number[]
      readonly bytes: Uint8Array
    }
  | { readonly kind: 'array'; readonly items: readonly Packed[] }
  | { readonly kind: 'map' | 'object'; readonly entries: readonly (readonly [unknown, Packed])[] }
  | { readonly kind: 'plain'; readonly value: unknown }

/** What a value becomes, and the memory that is handed over with it. */
export function pack(value: unknown, transfer: ArrayBuffer[]): Packed {
  if (value instanceof Tensor) {
    const dense = value.detach().contiguous()
    const from = dense.storageOffset() * dense.dtype.itemsize
    const bytes = dense.storage.bytes().slice(from, from + dense.numel() * dense.dtype.itemsize)
    transfer.push(bytes.buffer as ArrayBuffer)
    return { kind: 'tensor', dtype: value.dtype.name, sizes: [...value.sizes], bytes }
  }
  if (Array.isArray(value)) return { kind: 'array', items: value.map((item) => pack(item, transfer)) }
  if (value instanceof Map)
    return { kind: 'map', entries: Array.from(value, ([key, item]) => [key, pack(item, transfer)] as const) }
  if (isOptions(value))
    return {
      kind: 'object',
      entries: Object.entries(value).map(([key, item]) => [key, pack(item, transfer)] as const),
    }
  return { kind: 'plain', value }
}

/** The value again, its tensors in this thread's memory. */
export function unpack(packed: Packed): unknown {
  switch (packed.kind) {
    case 'tensor': {
      const dtype = dtypeByName(packed.dtype)
      if (dtype === undefined)
        throw new RuntimeError(`a tensor of the unknown dtype ${packed.dtype} came from a worker`)
      const { sizes, bytes } = packed
      return tensorFromStorage(Storage.fromBytes(bytes), sizes, contiguousStrides(sizes), 0, dtype)
    }
    case 'array':
      return packed.items.map(unpack)
    case 'map':
      return new Map(packed.entries.map(([key, item]) => [key, unpack(item)]))
    case 'object':
      return Object.fromEntries(packed.entries.map(([key, item]) => [key, unpack(item)]))
    case 'plain':
      return packed.value
  }
}
