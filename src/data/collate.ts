// Collation: one batch out of a list of items. Tensors are stacked, containers are collated part by part.

import { float64, int64 } from '../core/dtype.ts'
import { RuntimeError, TypeError_ } from '../core/errors.ts'
import { tensor } from '../ops/creation.ts'
import { stack } from '../ops/joining.ts'
import { describe, isOptions } from '../ops/op.ts'
import { Tensor } from '../tensor/tensor.ts'

/** What becomes of items of a type in a batch. */
export type Collated<T> = T extends Tensor | ArrayBufferView
  ? Tensor
  : T extends number | bigint | boolean
    ? Tensor
    : T extends string
      ? string[]
      : T extends Map<infer K, infer V>
        ? Map<K, Collated<V>>
        : T extends readonly unknown[]
          ? { -readonly [I in keyof T]: Collated<T[I]> }
          : T extends object
            ? { -readonly [K in keyof T]: Collated<T[K]> }
            : unknown

/**
 * A batch of items, PyTorch's `default_collate`: tensors (and typed arrays) are stacked, numbers become a tensor
 * (int64 if all are whole, else float64; booleans bool), strings stay an array; arrays, objects and Maps of these are
 * collated part by part.
 * @throws RuntimeError where arrays differ in length or tensors in shape, TypeError for anything else
 */
export function defaultCollate<T>(batch: readonly T[]): Collated<T> {
  return collate(batch) as Collated<T>
}

function collate(batch: readonly unknown[]): unknown {
  const first = batch[0]
  if (first instanceof Tensor) return stack(batch as Tensor[])
  switch (typeof first) {
    case 'number':
      return tensor(batch as number[], { dtype: batch.every((x) => Number.isInteger(x)) ? int64 : float64 })
    case 'bigint':
      return tensor(batch as bigint[], { dtype: int64 })
    case 'boolean':
      return tensor(batch as boolean[])
    case 'string':
      return [...batch]
  }
  if (ArrayBuffer.isView(first)) return stack(batch.map((x) => tensor(x as ArrayBufferView)))
  if (Array.isArray(first)) {
    const rows = batch as unknown[][]
    if (rows.some((row) => row.length !== first.length))
      throw new RuntimeError('each element in list of batch should be of equal size')
    return first.map((_, i) => collate(rows.map((row) => row[i])))
  }
  if (first instanceof Map)
    return new Map(
      Array.from(first.keys(), (key) => [
        key,
        collate(batch.map((x) => (x as Map<unknown, unknown>).get(key))),
      ]),
    )
  if (isOptions(first))
    return Object.fromEntries(
      Object.keys(first).map((key) => [key, collate(batch.map((x) => (x as Record<string, unknown>)[key]))]),
    )
  throw new TypeError_(
    `default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found ${describe(first)}`,
  )
}

/** An item that is not batched, PyTorch's `default_convert`: typed arrays in it become tensors, all else stays. */
export function defaultConvert(item: unknown): unknown {
  if (item instanceof Tensor) return item
  if (ArrayBuffer.isView(item)) return tensor(item)
  if (Array.isArray(item)) return item.map(defaultConvert)
  if (item instanceof Map) return new Map(Array.from(item, ([key, value]) => [key, defaultConvert(value)]))
  if (isOptions(item))
    return Object.fromEntries(Object.entries(item).map(([key, value]) => [key, defaultConvert(value)]))
  return item
}
