// Comparisons, choices, rounding, logic and activations: the cases in which PyTorch's behaviour is easy to miss.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'
import { bool, float16, float32, float64, int8, int64, nn, tensor, uint8, where } from '../../src/index.ts'

const F = nn.functional

describe('comparisons', () => {
  test('a number is compared in the precision of a half tensor', () => {
    expect(tensor([0.1], { dtype: float16 }).eq(0.1).tolist()).toEqual([true])
    expect(tensor([0.1], { dtype: float32 }).eq(0.1).tolist()).toEqual([true])
  })

  test('an integer number wraps to the dtype of the tensor', () => {
    expect(tensor([255, 1], { dtype: uint8 }).eq(-1).tolist()).toEqual([true, false])
  })

  test('large int64 numbers are compared exactly', () => {
    expect(
      tensor([2n ** 62n])
        .eq(tensor([2n ** 62n + 1n]))
        .tolist(),
    ).toEqual([false])
  })

  test('NaN equals nothing, and is close to NaN only on request', () => {
    const x = tensor([Number.NaN, 1])
    expect(x.eq(x).tolist()).toEqual([false, true])
    expect(torch.allclose(x, x)).toBe(false)
    expect(torch.allclose(x, x, { equalNan: true })).toBe(true)
  })

  test('written in place a comparison keeps the dtype', () => {
    const x = tensor([1, 2, 3])
    expect(x.gt_(1).dtype).toBe(int64)
    expect(x.tolist()).toEqual([0, 1, 1])
  })

  test('equal wants the same shape', () => {
    expect(torch.equal(tensor([1, 1]), tensor([1]))).toBe(false)
    expect(torch.equal(tensor([1, 2]), tensor([1, 2]))).toBe(true)
  })
})

describe('choices', () => {
  test('where promotes its values and broadcasts all three', () => {
    const condition = tensor([true, false])
    expect(where(condition, 1, 2).dtype).toBe(int64)
    expect(where(condition, 1, 2.5).tolist()).toEqual([1, 2.5])
    const result = where(condition, tensor([[1], [2]]), tensor([0.5], { dtype: float64 }))
    expect(result.dtype).toBe(float64)
    expect(result.tolist()).toEqual([
      [1, 0.5],
      [2, 0.5],
    ])
  })

  test('the method where keeps the elements at which the condition holds', () => {
    const x = tensor([1, -2, 3])
    expect(x.where(x.gt(0), 0).tolist()).toEqual([1, 0, 3])
  })

  test('where with a condition alone gives indices', () => {
    const [rows, columns] = where(
      tensor([
        [false, true],
        [true, false],
      ]),
    )
    expect([rows.tolist(), columns.tolist()]).toEqual([
      [0, 1],
      [1, 0],
    ])
  })

  test('where refuses a condition that is not bool', () => {
    expect(() => where(tensor([1.5]), 1, 2)).toThrow(
      'where expected condition to be a boolean tensor, but got a tensor with dtype Float',
    )
  })

  test('clamp takes numbers, tensors, null and options', () => {
    const x = tensor([-1.5, 0.5, 2])
    expect(x.clamp(0, 1).tolist()).toEqual([0, 0.5, 1])
    expect(x.clamp(0).tolist()).toEqual([0, 0.5, 2])
    expect(x.clamp(null, 1).tolist()).toEqual([-1.5, 0.5, 1])
    expect(x.clamp({ max: tensor([0, 0, 3]) }).tolist()).toEqual([-1.5, 0, 2])
    expect(() => x.clamp({})).toThrow("At least one of 'min' or 'max' must not be None")
    expect(tensor([1, 2]).clamp(1.5).dtype).toBe(float32)
    expect(tensor([Number.NaN]).clamp(0, 1).item()).toBeNaN()
  })

  test('maskedFill keeps the dtype and refuses what it cannot hold', () => {
    const mask = tensor([true, false])
    expect(tensor([1, 2]).maskedFill(mask, 2.5).tolist()).toEqual([2, 2])
    expect(() => tensor([1, 2], { dtype: int8 }).maskedFill(mask, 300)).toThrow(
      'value cannot be converted to type int8_t without overflow',
    )
    expect(() => tensor([1, 2]).maskedFill(tensor([1, 0]), 3)).toThrow(
      'masked_fill_ only supports boolean masks',
    )
    expect(tensor(1.5).maskedFill(mask, 0).tolist()).toEqual([0, 1.5])
  })
})

describe('rounding and signs', () => {
  test('halves go to the even neighbour, also behind the point', () => {
    expect(tensor([0.5, 1.5, -2.5]).round().tolist()).toEqual([0, 2, -2])
    expect(tensor([0.125, 15], { dtype: float64 }).round(2).tolist()).toEqual([0.12, 15])
    expect(tensor([15, 25], { dtype: float64 }).round({ decimals: -1 }).tolist()).toEqual([20, 20])
  })

  test('rounding leaves integers alone, exponentials make floats of them', () => {
    expect(tensor([3]).floor().dtype).toBe(int64)
    expect(tensor([3]).exp().dtype).toBe(float32)
    expect(() => tensor([true]).floor()).toThrow("not implemented for 'Bool'")
  })

  test('a float result cannot be written to an integer tensor', () => {
    expect(() => tensor([1, 2]).exp_()).toThrow(
      "result type Float can't be cast to the desired output type Long",
    )
  })

  test('the sign bit of -0 is seen', () => {
    expect(tensor([-0, 0.5]).signbit().tolist()).toEqual([true, false])
    expect(
      tensor([1.5])
        .copysign(tensor([-0], { dtype: float32 }))
        .item(),
    ).toBe(-1.5)
  })

  test('frexp takes a number apart', () => {
    const { mantissa, exponent } = torch.frexp(tensor([12.5, 0, 2 ** -1060], { dtype: float64 }))
    expect(mantissa.tolist()).toEqual([0.78125, 0, 0.5])
    expect(exponent.tolist()).toEqual([4, 0, -1059])
  })
})

describe('logic and bits', () => {
  test('logical functions see truth in every dtype', () => {
    expect(
      tensor([0.5, 0])
        .logicalAnd(tensor([2, 1]))
        .tolist(),
    ).toEqual([true, false])
    expect(tensor([0.5, 0]).logicalNot().dtype).toBe(bool)
  })

  test('shifts by more than the width leave nothing but the sign', () => {
    expect(tensor([1, -1]).bitwiseLeftShift(64).tolist()).toEqual([0, 0])
    expect(tensor([5, -5]).bitwiseRightShift(70).tolist()).toEqual([0, -1])
    expect(tensor([1], { dtype: uint8 }).bitwiseLeftShift(7).tolist()).toEqual([128])
  })

  test('bits of floats are refused', () => {
    expect(() => tensor([0.5]).bitwiseAnd(1)).toThrow('not implemented for')
  })

  test('gcd and lcm of zero', () => {
    expect(torch.gcd(tensor([12, 0, -4]), tensor([18, 5, 6])).tolist()).toEqual([6, 5, 2])
    expect(torch.lcm(tensor([12, 0]), tensor([18, 0])).tolist()).toEqual([36, 0])
  })
})

describe('activations', () => {
  test('the inplace option writes to the input', () => {
    const x = tensor([-1.5, 2])
    expect(F.relu(x, { inplace: true })).toBe(x)
    expect(x.tolist()).toEqual([0, 2])
  })

  test('relu saves its result, so that its input may change afterwards', () => {
    const x = tensor([-1.5, 2], { requiresGrad: true })
    const y = x.mul(1)
    const z = F.relu(y)
    y.add_(1)
    z.sum().backward()
    expect(x.grad!.tolist()).toEqual([0, 1])
  })

  test('a saved input that was changed is noticed', () => {
    const x = tensor([-1.5, 2], { requiresGrad: true })
    const y = x.mul(1)
    const z = F.silu(y)
    y.add_(1)
    expect(() => z.sum().backward()).toThrow('modified by an inplace operation')
  })

  test('in-place forms have the names of their own that PyTorch gives them', () => {
    const x = tensor([0.5], { requiresGrad: true })
    expect(F.elu(x).gradFn!.name()).toBe('EluBackward0')
    expect(F.elu(x.mul(1), { inplace: true }).gradFn!.name()).toBe('EluBackward1')
  })

  test('softplus is linear above its threshold', () => {
    expect(F.softplus(tensor([50.5]), 1, { threshold: 20 }).item()).toBe(50.5)
  })

  test('arguments that make no sense are refused', () => {
    expect(() => F.glu(torch.zeros(3))).toThrow('Halving dimension must be even, but dimension 0 is size 3')
    expect(() => F.hardtanh(torch.zeros(1), 3, { maxVal: 1 })).toThrow(
      'min_val cannot be greater than max_val',
    )
    expect(() => F.gelu(tensor([1]))).toThrow('convert it with .float()')
    expect(() => F.prelu(torch.zeros(2, 8), torch.zeros(9))).toThrow(
      'Found parameter numbers = 9 and channel size = 8.',
    )
  })
})
