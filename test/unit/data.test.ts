// Elements of tensors as JavaScript values, and what torch.tensor makes of nested arrays.

import { describe, expect, test } from 'vitest'
import { type Allocation, type Backend, registerBackend } from '../../src/backends/backend.ts'
import { meta } from '../../src/core/device.ts'
import {
  bfloat16,
  bool,
  type DType,
  float16,
  float32,
  float64,
  int8,
  int16,
  int32,
  int64,
  uint8,
} from '../../src/core/dtype.ts'
import { contiguousStrides, numelOf } from '../../src/core/shape.ts'
import {
  data,
  dataAt,
  inferNested,
  item,
  itemAsync,
  type Scalar,
  tolist,
  tolistAsync,
  writeData,
} from '../../src/tensor/data.ts'
import { Storage } from '../../src/tensor/storage.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

registerBackend({
  type: 'cpu',
  allocate: (nbytes: number): Allocation => Object.assign(new Uint8Array(nbytes), { nbytes }),
  bytes: (allocation: Allocation): Uint8Array => allocation as Allocation & Uint8Array,
} as unknown as Backend)

function make(values: ArrayLike<Scalar>, dtype: DType, sizes: readonly number[] = [values.length]): Tensor {
  const storage = Storage.allocate(numelOf(sizes) * dtype.itemsize)
  const x = new Tensor(storage, sizes, contiguousStrides(sizes), 0, dtype)
  writeData(x, values)
  return x
}

describe('reading', () => {
  test('each dtype comes in its typed array', () => {
    expect(data(make([1.5, -2], float32))).toEqual(Float32Array.of(1.5, -2))
    expect(data(make([1.5, 65520], float16))).toEqual(Float32Array.of(1.5, Infinity))
    expect(data(make([1.5, 3.1401], bfloat16))).toEqual(Float32Array.of(1.5, 3.140625))
    expect(data(make([0.1], float64))).toEqual(Float64Array.of(0.1))
    expect(data(make([-1, 2 ** 40], int64))).toEqual(BigInt64Array.of(-1n, 2n ** 40n))
    expect(data(make([-5], int32))).toEqual(Int32Array.of(-5))
    expect(data(make([-5], int16))).toEqual(Int16Array.of(-5))
    expect(data(make([-5], int8))).toEqual(Int8Array.of(-5))
    expect(data(make([200, -1], uint8))).toEqual(Uint8Array.of(200, 255))
    expect(data(make([true, 0, NaN], bool))).toEqual(Uint8Array.of(1, 0, 1))
  })

  test('the copy is in C order whatever the strides', () => {
    const x = make([0, 1, 2, 3, 4, 5], int32, [2, 3])
    expect(data(new Tensor(x.storage, [3, 2], [1, 3], 0, int32))).toEqual(Int32Array.of(0, 3, 1, 4, 2, 5))
    expect(data(new Tensor(x.storage, [2, 2], [0, 2], 1, int32))).toEqual(Int32Array.of(1, 3, 1, 3))
    data(x)[0] = 9
    expect(item(new Tensor(x.storage, [], [], 0, int32))).toBe(0)
  })

  test('a part is read by position', () => {
    const x = make(
      Float32Array.from({ length: 12 }, (_, i) => i),
      float32,
      [3, 4],
    )
    expect(dataAt(x, [[0, 2], [3]])).toEqual(Float32Array.of(3, 11))
  })

  test('nested lists follow the shape', () => {
    expect(tolist(make([1, 2, 3, 4], int64, [2, 2]))).toEqual([
      [1, 2],
      [3, 4],
    ])
    expect(tolist(make([], float32, [2, 0]))).toEqual([[], []])
    expect(tolist(make([true], bool, []))).toBe(true)
  })

  test('int64 beyond 2^53 comes as a bigint', () => {
    expect(tolist(make([2 ** 53 - 1, 2n ** 53n, -(2n ** 63n)], int64))).toEqual([
      2 ** 53 - 1,
      2n ** 53n,
      -(2n ** 63n),
    ])
  })

  test('item takes exactly one element', async () => {
    expect(item(make([2.5], float32, [1, 1]))).toBe(2.5)
    expect(() => item(make([1, 2, 3], float32))).toThrow(
      'a Tensor with 3 elements cannot be converted to Scalar',
    )
    expect(await itemAsync(make([3], int64))).toBe(3)
    expect(await tolistAsync(make([3], int64))).toEqual([3])
  })

  test('tensors without data say so', () => {
    const x = new Tensor(Storage.allocate(4, meta), [1], [1], 0, float32)
    expect(() => item(x)).toThrow('Tensor.item() cannot be called on meta tensors')
    expect(() => tolist(x)).toThrow('Cannot copy out of meta tensor; no data!')
  })
})

describe('writing', () => {
  test('fractions are cut off for integers', () => {
    expect(tolist(make([1.7, -1.7, 5e9], int64))).toEqual([1, -1, 5e9])
    expect(tolist(make([1.7, -1.7], int8))).toEqual([1, -1])
  })

  test('numbers that do not fit are refused in arrays and wrap around in typed arrays', () => {
    const message = 'value cannot be converted to type int8 without overflow'
    for (const value of [128, -129, NaN, 5e9, 127.9]) expect(() => make([value], int8)).toThrow(message)
    expect(() => make([256], uint8)).toThrow('type uint8 without overflow')
    expect(() => make([Infinity], int64)).toThrow('type int64 without overflow')
    expect(() => make([2n ** 63n], int64)).toThrow('Overflow when unpacking long long')
    expect(tolist(make(Int32Array.of(300, -129), int8))).toEqual([44, 127])
    expect(tolist(make(BigInt64Array.of(2n ** 40n + 300n), uint8))).toEqual([44])
  })

  test('int64 takes every whole number that is a double', () => {
    const values = [2 ** 62, -(2 ** 63), -(2 ** 53) - 2, -1, -(2 ** 32), 2 ** 31]
    expect(data(make(values, int64))).toEqual(BigInt64Array.from(values, BigInt))
  })
})

describe('nested arrays', () => {
  const seen = (value: unknown) => {
    const { sizes, values, dtype } = inferNested(value)
    return [sizes, Array.from(values), dtype]
  }

  test('the dtype follows from the elements', () => {
    expect(seen([1, 2])).toEqual([[2], [1, 2], int64])
    expect(seen([1, 2.5])).toEqual([[2], [1, 2.5], float32])
    expect(seen([true, false])).toEqual([[2], [true, false], bool])
    expect(seen([true, 2])).toEqual([[2], [true, 2], int64])
    expect(seen(7n)).toEqual([[], [7n], int64])
    expect(seen([])).toEqual([[0], [], float32])
    expect(seen([[], []])).toEqual([[2, 0], [], float32])
    expect(seen([1e300, 1])).toEqual([[2], [1e300, 1], float32])
  })

  test('typed arrays and tensors keep theirs', () => {
    expect(seen(Float64Array.of(1))).toEqual([[1], [1], float64])
    expect(seen([Int8Array.of(1, 2), Int8Array.of(3, 4)])).toEqual([[2, 2], [1, 2, 3, 4], int8])
    expect(seen([make([1.5], float64, []), 2])).toEqual([[2], [1.5, 2], float64])
  })

  test('lists of different lengths and things that are no numbers are refused', () => {
    expect(() =>
      inferNested([
        [1, 2, 3],
        [1, 2],
      ]),
    ).toThrow('expected sequence of length 3 at dim 1 (got 2)')
    expect(() => inferNested([[1], 2])).toThrow('not a sequence')
    expect(() => inferNested([1, [2]])).toThrow("'list' object cannot be interpreted as an integer")
    expect(() => inferNested(['a'])).toThrow("too many dimensions 'str'")
    expect(() => inferNested(null)).toThrow('Could not infer dtype of NoneType')
  })
})
