// Sorting and what follows from it: orders, ties, NaN, all dtypes, binning.

import { describe, expect, test } from 'vitest'
import { type Allocation, type Backend, registerBackend } from '../../src/backends/backend.ts'
import * as dtypes from '../../src/core/dtype.ts'
import { LineSorter } from '../../src/ops/order.ts'

const randoms = (n: number, seed: number): number[] => {
  let state = seed
  return Array.from({ length: n }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) | 0
    return state / 2 ** 31
  })
}
void dtypes
void registerBackend
type Unused = Allocation | Backend
export type { Unused }

function expectedOrder(elements: ArrayLike<number | bigint>, descending: boolean): number[] {
  const order = Array.from(elements, (_, i) => i)
  const compare = (a: number | bigint, b: number | bigint): number => {
    if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
    return a < b ? -1 : a > b ? 1 : 0
  }
  return order.sort((i, j) => (descending ? compare(elements[j], elements[i]) : compare(elements[i], elements[j])))
}

describe('the order of a line', () => {
  const specials = [NaN, Infinity, -Infinity, 0, -0, 1e-45, -1e-45, 1, 1, -1]
  for (const n of [0, 1, 2, 31, 32, 33, 500])
    for (const descending of [false, true])
      test(`of ${n} elements of every type, ${descending ? 'descending' : 'ascending'}`, () => {
        const values = randoms(n, n + 1).map((x, i) => (i % 3 === 0 ? specials[i % specials.length] : x * 1e3))
        const whole = values.map((x) => (Number.isFinite(x) ? Math.trunc(x / 4) : 0))
        const lines = [
          Float32Array.from(values),
          Float64Array.from(values),
          Float64Array.from(values, (x) => x * 1e-300),
          Int8Array.from(whole),
          Uint8Array.from(whole),
          Int16Array.from(whole, (x) => x * 100),
          Int32Array.from(whole, (x) => x * 1e7),
          BigInt64Array.from(whole, (x) => BigInt(x) * 2n ** 53n + BigInt(x % 5)),
        ]
        for (const line of lines) {
          const order = Array.from(new LineSorter(line, n, descending).sort(0, 1))
          expect(order).toEqual(expectedOrder(line, descending))
        }
      })

  test('with a step', () => {
    const sorter = new LineSorter(Float32Array.of(5, 9, 3, 8, 4, 7), 3, false)
    expect(Array.from(sorter.sort(0, 2))).toEqual([1, 2, 0])
    expect(Array.from(sorter.sort(1, 2))).toEqual([2, 1, 0])
  })
})
