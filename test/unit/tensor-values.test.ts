// From tensors to JavaScript values and back: item, tolist, data, conversions, iteration, copies.
// Expected values were read off PyTorch 2.13.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

describe('item', () => {
  test('gives numbers, booleans for bool, bigints beyond 2^53 only', () => {
    expect(torch.tensor(1.5).item()).toBe(1.5)
    expect(torch.tensor(7).item()).toBe(7)
    expect(torch.tensor(true).item()).toBe(true)
    expect(torch.tensor(2 ** 53 - 1).item()).toBe(2 ** 53 - 1)
    expect(torch.tensor(2n ** 53n + 1n).item()).toBe(2n ** 53n + 1n)
    expect(torch.tensor(-(2n ** 63n)).item()).toBe(-(2n ** 63n))
    expect(torch.tensor(255, { dtype: torch.uint8 }).item()).toBe(255)
    expect(torch.tensor(-128, { dtype: torch.int8 }).item()).toBe(-128)
    expect(torch.tensor(Number.NaN).item()).toBeNaN()
    expect(torch.tensor(Number.NEGATIVE_INFINITY).item()).toBe(Number.NEGATIVE_INFINITY)
  })

  test('shows the number that the dtype holds', () => {
    expect(torch.tensor(0.1).item()).toBe(0.10000000149011612)
    expect(torch.tensor(0.1, { dtype: torch.float64 }).item()).toBe(0.1)
    expect(torch.tensor(1.1, { dtype: torch.float16 }).item()).toBe(1.099609375)
    expect(torch.tensor(1.1, { dtype: torch.bfloat16 }).item()).toBe(1.1015625)
    expect(torch.tensor(65504, { dtype: torch.float16 }).item()).toBe(65504)
  })

  test('takes tensors of any rank with one element, and no others', () => {
    expect(torch.tensor([[[3]]]).item()).toBe(3)
    expect(() => torch.ones(2).item()).toThrow('a Tensor with 2 elements cannot be converted to Scalar')
    expect(() => torch.ones(0).item()).toThrow('a Tensor with 0 elements cannot be converted to Scalar')
  })
})

describe('tolist', () => {
  test('nests by dimension, empty dimensions included', () => {
    expect(torch.tensor(5).tolist()).toBe(5)
    expect(torch.zeros(0, 2).tolist()).toEqual([])
    expect(torch.zeros(2, 0).tolist()).toEqual([[], []])
    expect(torch.tensor([[true, false]]).tolist()).toEqual([[true, false]])
    expect(torch.tensor([1n, 2n ** 60n]).tolist()).toEqual([1, 2n ** 60n])
  })

  test('reads views in their own order', () => {
    const x = torch.arange(6).view(2, 3)
    expect(x.t().tolist()).toEqual([
      [0, 3],
      [1, 4],
      [2, 5],
    ])
    expect(x.at(':', '1:').tolist()).toEqual([
      [1, 2],
      [4, 5],
    ])
    expect(x.at(0).expand(2, 3).tolist()).toEqual([
      [0, 1, 2],
      [0, 1, 2],
    ])
  })
})

describe('data', () => {
  test('is a copy in a typed array of the dtype, in C order', () => {
    const x = torch.tensor([
      [1.5, 2],
      [3, 4],
    ])
    const copy = x.t().data()
    expect(copy).toBeInstanceOf(Float32Array)
    expect([...copy]).toEqual([1.5, 3, 2, 4])
    copy[0] = 99
    expect(x.at(0, 0).item()).toBe(1.5)
    expect(torch.tensor([1]).data()).toEqual(new BigInt64Array([1n]))
    expect(torch.tensor([1, 2], { dtype: torch.uint8 }).data()).toEqual(new Uint8Array([1, 2]))
    expect(torch.tensor([true]).data()).toEqual(new Uint8Array([1]))
    expect(torch.tensor([1.5], { dtype: torch.float64 }).data()).toEqual(new Float64Array([1.5]))
    expect(torch.tensor([1.5], { dtype: torch.float16 }).data()).toEqual(new Float32Array([1.5]))
  })

  test('is there asynchronously as well', async () => {
    const x = torch.tensor([1, 2])
    expect(await x.dataAsync()).toEqual(x.data())
    expect(await x.tolistAsync()).toEqual([1, 2])
    expect(await x.at(1).itemAsync()).toBe(2)
  })
})

describe('iteration', () => {
  test('goes over rows that share memory', () => {
    const x = torch.arange(4).view(2, 2)
    expect([...x].map((row) => row.tolist())).toEqual([
      [0, 1],
      [2, 3],
    ])
    for (const row of x) row.add_(10)
    expect(x.tolist()).toEqual([
      [10, 11],
      [12, 13],
    ])
    expect([...torch.tensor([1, 2])].map((t) => t.item())).toEqual([1, 2])
    expect([...torch.zeros(0, 3)]).toEqual([])
  })

  test('is a TypeError for a tensor without dimensions', () => {
    expect(() => [...torch.tensor(5)]).toThrow(TypeError)
    expect(() => [...torch.tensor(5)]).toThrow('iteration over a 0-d tensor')
  })
})

describe('conversion', () => {
  test('cuts fractions off, wraps integers, makes everything but zero true', () => {
    expect(torch.tensor([1.9, -1.9]).to(torch.int32).tolist()).toEqual([1, -1])
    expect(torch.tensor([-1, 256, 300]).to(torch.uint8).tolist()).toEqual([255, 0, 44])
    expect(torch.tensor([0, 0.5, Number.NaN]).bool().tolist()).toEqual([false, true, true])
    expect(torch.tensor([1e5, 1e-8, 0.1], { dtype: torch.float64 }).half().tolist()).toEqual([
      Number.POSITIVE_INFINITY,
      0,
      0.0999755859375,
    ])
    expect(torch.tensor([0.1, 1.00390625]).bfloat16().tolist()).toEqual([0.10009765625, 1])
  })

  test('gives the tensor itself where nothing changes, unless a copy is asked for', () => {
    const x = torch.ones(2)
    expect(x.float() === x).toBe(true)
    expect(x.contiguous() === x).toBe(true)
    expect(x.cpu() === x).toBe(true)
    const copy = x.to(torch.float32, { copy: true })
    copy.zero_()
    expect(x.tolist()).toEqual([1, 1])
  })

  test('lets gradients through, back in the dtype of the input', () => {
    const x = torch.ones(2, { requiresGrad: true })
    x.double().mul(2).sum().backward()
    expect(x.grad?.dtype).toBe(torch.float32)
    expect(x.grad?.tolist()).toEqual([2, 2])
  })
})

describe('writing', () => {
  test('copy_ broadcasts and converts', () => {
    const x = torch.zeros(2, 2, { dtype: torch.int32 })
    x.copy_(torch.tensor([1.9, -1.9]))
    expect(x.tolist()).toEqual([
      [1, -1],
      [1, -1],
    ])
    expect(() => torch.zeros(3).copy_(torch.ones(2))).toThrow(
      'The size of tensor a (3) must match the size of tensor b (2) at non-singleton dimension 0',
    )
    expect(() => torch.zeros(3).copy_(torch.ones(2, 3))).toThrow(
      "output with shape [3] doesn't match the broadcast shape [2, 3]",
    )
  })

  test('reads all of an overlapping source before it writes', () => {
    const x = torch.arange(5)
    x.at('1:').copy_(x.at(':4'))
    expect(x.tolist()).toEqual([0, 0, 1, 2, 3])
    const square = torch.arange(4).view(2, 2)
    square.copy_(square.t())
    expect(square.tolist()).toEqual([
      [0, 2],
      [1, 3],
    ])
  })

  test('fill_ takes a number or a tensor without dimensions', () => {
    expect(torch.zeros(2).fill_(torch.tensor(3)).tolist()).toEqual([3, 3])
    expect(() => torch.zeros(2).fill_(torch.ones(1))).toThrow(
      'fill_ only supports 0-dimension value tensor but got tensor with 1 dimensions.',
    )
  })

  test('refuses memory that several elements share, where they could differ', () => {
    const x = torch.zeros(3, 1).expand(3, 2)
    expect(() => x.add_(1)).toThrow(
      'unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please clone() the tensor before performing the operation.',
    )
    expect(x.fill_(2).tolist()).toEqual([
      [2, 2],
      [2, 2],
      [2, 2],
    ])
    expect(x.zero_().sum().item()).toBe(0)
  })
})

describe('whole numbers', () => {
  test('divide and take remainders as in Python', () => {
    expect(torch.tensor(-7).floorDivide(2).item()).toBe(-4)
    expect(torch.tensor(-7).remainder(3).item()).toBe(2)
  })

  test('have no mean', () => {
    expect(() => torch.tensor([1, 2]).mean()).toThrow(
      'mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: Long',
    )
  })
})

describe('detach_', () => {
  test('makes a computed tensor a leaf without gradient', () => {
    const h = torch.ones(2, { requiresGrad: true }).mul(2)
    h.detach_()
    expect(h.requiresGrad).toBe(false)
    expect(h.isLeaf).toBe(true)
  })

  test('keeps the gradient that a leaf has, and refuses views', () => {
    const x = torch.ones(1, { requiresGrad: true })
    x.mul(2).backward()
    x.detach_()
    expect(x.requiresGrad).toBe(false)
    expect(x.grad?.tolist()).toEqual([2])
    expect(() => torch.ones(2, { requiresGrad: true }).mul(1).at(0).detach_()).toThrow(
      "Can't detach views in-place. Use detach() instead.",
    )
  })
})

describe('broadcasting', () => {
  test('stretches dimensions of size 1, also to none', () => {
    expect([...torch.zeros(0, 3).mul(torch.zeros(3)).shape]).toEqual([0, 3])
    expect([...torch.zeros(0, 1).mul(torch.zeros(1, 4)).shape]).toEqual([0, 4])
    expect([...torch.zeros(0).mul(torch.zeros(1)).shape]).toEqual([0])
    expect(() => torch.zeros(0).mul(torch.zeros(2))).toThrow(
      'The size of tensor a (0) must match the size of tensor b (2) at non-singleton dimension 0',
    )
    expect(() => torch.zeros(2, 3).add(torch.zeros(4, 3))).toThrow(
      'The size of tensor a (2) must match the size of tensor b (4) at non-singleton dimension 0',
    )
    expect(() => torch.zeros(3).add_(torch.zeros(2, 3))).toThrow(
      "output with shape [3] doesn't match the broadcast shape [2, 3]",
    )
  })

  test('keeps the memory order of the first operand of the full shape', () => {
    const across = torch.zeros(4, 3).t()
    expect(across.add(1).stride()).toEqual([1, 3])
    expect(across.add(torch.zeros(3, 4)).stride()).toEqual([1, 3])
    expect(across.clone().stride()).toEqual([1, 3])
    expect(across.contiguous().stride()).toEqual([4, 1])
    expect(torch.zeros(3, 1).expand(3, 4).clone().stride()).toEqual([4, 1])
  })
})
