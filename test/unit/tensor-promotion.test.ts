// Type promotion: the dtype of every operation on mixed dtypes, from torch.result_type of PyTorch 2.13.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

const names = ['b1', 'u1', 'i1', 'i2', 'i4', 'i8', 'f2', 'bf', 'f4', 'f8']
const dtypes = [
  torch.bool,
  torch.uint8,
  torch.int8,
  torch.int16,
  torch.int32,
  torch.int64,
  torch.float16,
  torch.bfloat16,
  torch.float32,
  torch.float64,
]
const named = (dtype: torch.DType) => names[dtypes.indexOf(dtype)]

// Rows: the first operand's dtype in the order of `names`; columns: the second's.
const sameRank = `
b1 u1 i1 i2 i4 i8 f2 bf f4 f8
u1 u1 i2 i2 i4 i8 f2 bf f4 f8
i1 i2 i1 i2 i4 i8 f2 bf f4 f8
i2 i2 i2 i2 i4 i8 f2 bf f4 f8
i4 i4 i4 i4 i4 i8 f2 bf f4 f8
i8 i8 i8 i8 i8 i8 f2 bf f4 f8
f2 f2 f2 f2 f2 f2 f2 f4 f4 f8
bf bf bf bf bf bf f4 bf f4 f8
f4 f4 f4 f4 f4 f4 f4 f4 f4 f8
f8 f8 f8 f8 f8 f8 f8 f8 f8 f8`
// The second operand has no dimensions: it counts only where its kind (bool, integer, float) is higher.
const vectorAndScalar = `
b1 u1 i1 i2 i4 i8 f2 bf f4 f8
u1 u1 u1 u1 u1 u1 f2 bf f4 f8
i1 i1 i1 i1 i1 i1 f2 bf f4 f8
i2 i2 i2 i2 i2 i2 f2 bf f4 f8
i4 i4 i4 i4 i4 i4 f2 bf f4 f8
i8 i8 i8 i8 i8 i8 f2 bf f4 f8
f2 f2 f2 f2 f2 f2 f2 f2 f2 f2
bf bf bf bf bf bf bf bf bf bf
f4 f4 f4 f4 f4 f4 f4 f4 f4 f4
f8 f8 f8 f8 f8 f8 f8 f8 f8 f8`
const withNumbers: readonly (readonly [number | boolean, string])[] = [
  [true, 'b1 u1 i1 i2 i4 i8 f2 bf f4 f8'],
  [1, 'i8 u1 i1 i2 i4 i8 f2 bf f4 f8'],
  [1.5, 'f4 f4 f4 f4 f4 f4 f2 bf f4 f8'],
]

const rows = (table: string) =>
  table
    .trim()
    .split('\n')
    .map((row) => row.split(' '))

function table(first: readonly number[], second: readonly number[], swap = false): string[][] {
  return dtypes.map((a) =>
    dtypes.map((b) => {
      const x = torch.ones(first, { dtype: a })
      const y = torch.ones(second, { dtype: b })
      const [left, right] = swap ? [y, x] : [x, y]
      const dtype = torch.resultType(left, right)
      // What the question answers is what the operations do.
      expect(left.add(right).dtype, `${left.dtype} + ${right.dtype}`).toBe(dtype)
      expect(left.mul(right).dtype, `${left.dtype} * ${right.dtype}`).toBe(dtype)
      return named(dtype)
    }),
  )
}

describe('two tensors promote', () => {
  test('by their dtypes where both have dimensions', () => {
    expect(table([2], [2])).toEqual(rows(sameRank))
    expect(table([2, 1], [2])).toEqual(rows(sameRank))
  })

  test('by their dtypes where neither has dimensions', () => {
    expect(table([], [])).toEqual(rows(sameRank))
  })

  test('to the one with dimensions unless the other is of a higher kind, in either order', () => {
    expect(table([2], [])).toEqual(rows(vectorAndScalar))
    expect(table([2], [], true)).toEqual(rows(vectorAndScalar))
  })

  test('as promoteTypes says', () => {
    expect(dtypes.map((a) => dtypes.map((b) => named(torch.promoteTypes(a, b))))).toEqual(rows(sameRank))
  })
})

describe('a tensor and a number promote', () => {
  for (const [number, expected] of withNumbers)
    test(`to the tensor's dtype unless ${number} is of a higher kind`, () => {
      for (const sizes of [[2], []]) {
        const found = dtypes.map((dtype) => {
          const x = torch.ones(sizes, { dtype })
          expect(x.add(number).dtype).toBe(torch.resultType(x, number))
          expect(torch.resultType(number, x)).toBe(torch.resultType(x, number))
          return named(torch.resultType(x, number))
        })
        expect(found.join(' ')).toBe(expected)
      }
    })

  test('to the default dtype where a fraction meets integers', () => {
    torch.setDefaultDtype(torch.float64)
    try {
      const found = dtypes.map((dtype) => named(torch.ones(2, { dtype }).mul(1.5).dtype))
      expect(found.join(' ')).toBe('f8 f8 f8 f8 f8 f8 f2 bf f4 f8')
    } finally {
      torch.setDefaultDtype(torch.float32)
    }
  })
})

describe('results', () => {
  test('of true division are floats', () => {
    const found = dtypes.map((dtype) => named(torch.ones(2, { dtype }).div(2).dtype))
    expect(found.join(' ')).toBe('f4 f4 f4 f4 f4 f4 f2 bf f4 f8')
  })

  test('of comparisons are bool, whatever is compared', () => {
    expect(
      torch
        .tensor([1, 2])
        .eq(torch.tensor([1, 2.5]))
        .tolist(),
    ).toEqual([true, false])
  })

  test('of narrow integers are computed in the promoted dtype and wrap there', () => {
    const bytes = torch.tensor([200], { dtype: torch.uint8 })
    expect(bytes.add(100).tolist()).toEqual([44])
    expect(bytes.add(torch.tensor([100], { dtype: torch.int8 })).tolist()).toEqual([300])
    expect(
      torch
        .tensor([2n ** 63n - 1n])
        .add(1)
        .tolist(),
    ).toEqual([-(2n ** 63n)])
  })

  test('of bool sums are bool, of a bool and a number integers', () => {
    const yes = torch.tensor([true])
    expect(yes.add(yes).tolist()).toEqual([true])
    expect(yes.mul(3).tolist()).toEqual([3])
    expect(() => yes.sub(yes)).toThrow(
      'Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` operator instead.',
    )
  })

  test('of half precision overflow to infinity', () => {
    expect(torch.ones(1, { dtype: torch.float16 }).add(1e5).tolist()).toEqual([Number.POSITIVE_INFINITY])
  })
})

describe('an operation in place', () => {
  test('keeps the dtype where the kind allows it', () => {
    const x = torch.ones(2)
    x.add_(torch.ones(2, { dtype: torch.float64 }))
    expect(x.dtype).toBe(torch.float32)
    expect(x.tolist()).toEqual([2, 2])
  })

  test('refuses a result of a higher kind', () => {
    const whole = torch.tensor([1, 2])
    expect(() => whole.add_(1.5)).toThrow("result type Float can't be cast to the desired output type Long")
    expect(() => whole.add_(torch.ones(2))).toThrow(
      "result type Float can't be cast to the desired output type Long",
    )
    expect(() => torch.tensor([true]).add_(1)).toThrow(
      "result type Long can't be cast to the desired output type Bool",
    )
    expect(whole.tolist()).toEqual([1, 2])
  })

  test('may cast as canCast says', () => {
    const { canCast, float32, float64, float16, int32, int64, int8, uint8, bool } = torch
    expect([
      canCast(int64, float16),
      canCast(float64, float16),
      canCast(bool, uint8),
      canCast(int64, uint8),
    ]).toEqual([true, true, true, true])
    expect([canCast(float32, int32), canCast(int8, bool)]).toEqual([false, false])
  })
})
