// The conformance runner itself: it must not pass what is wrong, and call as the rules of the API say.

import { describe, expect, test } from 'vitest'
import { arrange } from '../conformance/adapt.ts'
import { isInternal, Mismatch, runPart, total, Unsupported } from '../conformance/case.ts'
import { close, compare, exact } from '../conformance/compare.ts'
import { decode } from '../conformance/decode.ts'
import { elementsOf } from '../conformance/elements.ts'
import { camelCase, type Tensor } from '../conformance/library.ts'
import { evaluatePython } from '../conformance/python-evaluator.ts'

test.each([
  ['zero_grad', 'zeroGrad'],
  ['conv_transpose2d', 'convTranspose2d'],
  ['atleast_1d', 'atleast1d'],
  ['index_add_', 'indexAdd_'],
  ['_random_samples', '_randomSamples'],
  ['MSELoss', 'MSELoss'],
])('%s is called %s', (python, typescript) => {
  expect(camelCase(python)).toBe(typescript)
})

describe('arranging a call', () => {
  const sum = { required: ['input'], optional: ['dim', 'keepdim', 'dtype'] }

  test('the first optional argument stays positional, the others are options', () => {
    expect(arrange(sum, ['x', 1, true])).toEqual(['x', 1, { keepdim: true }])
    expect(arrange(sum, ['x'], new Map([['keepdim', true]]))).toEqual(['x', { keepdim: true }])
  })

  test('a boolean is never positional where it is optional', () => {
    const relu = { required: ['input'], optional: ['inplace'] }
    expect(arrange(relu, ['x', true])).toEqual(['x', { inplace: true }])
  })

  test('a required argument given by name becomes positional', () => {
    const linear = { required: ['inFeatures', 'outFeatures'], optional: ['bias'] }
    const kwargs = new Map<string, unknown>([
      ['out_features', 3],
      ['in_features', 2],
      ['bias', false],
    ])
    expect(arrange(linear, [], kwargs)).toEqual([2, 3, { bias: false }])
  })

  test('sizes stay as they are', () => {
    expect(arrange({ required: ['size'], optional: [], variadic: 'sizes' }, [2, 3])).toEqual([2, 3])
  })
})

describe('reading recorded values', () => {
  test('half-precision elements', () => {
    expect(Array.from<number | bigint>(elementsOf(Uint8Array.of(0, 0x3c, 0, 0xfc, 1, 0), 'float16'))).toEqual(
      [1, -Infinity, 2 ** -24],
    )
    expect(
      Array.from<number | bigint>(elementsOf(Uint8Array.of(0x80, 0x3f, 0x20, 0xc1), 'bfloat16')),
    ).toEqual([1, -10])
  })

  test('a tensor', () => {
    const x = decode({ $t: { dtype: 'int64', shape: [2], data: 'AQAAAAAAAAD+/////////w==' } }) as Tensor
    expect(x.tolist()).toEqual([1, -2])
  })

  test('what the library cannot have is unsupported', () => {
    expect(() => decode({ $t: { dtype: 'float8_e5m2', shape: [], data: '' } })).toThrow(Unsupported)
  })

  test('complex numbers', () => {
    expect(String(decode({ $c: [1, { $f: '-inf' }] }))).toBe('(1-infj)')
  })
})

describe('comparing', () => {
  const one = { $t: { dtype: 'float32', shape: [1], data: 'AACAPw==' } }

  test('a tensor equals itself and nothing else', async () => {
    await compare(decode(one), one, exact, 'out')
    const others = [
      { $t: { dtype: 'float32', shape: [1], data: 'AACAPg==' } },
      { $t: { dtype: 'float32', shape: [], data: 'AACAPw==' } },
      { $t: { dtype: 'int32', shape: [1], data: 'AQAAAA==' } },
      { $t: { dtype: 'float32', shape: [1], data: 'AADAfw==' } },
    ]
    for (const other of others)
      await expect(compare(decode(one), other, exact, 'out')).rejects.toThrow(Mismatch)
    await expect(compare(undefined, one, exact, 'out')).rejects.toThrow(Mismatch)
  })

  test('NaN equals NaN, an infinity only itself', () => {
    const loose = { rtol: 1, atol: 1e300 }
    expect(close(Number.NaN, Number.NaN, exact)).toBe(true)
    expect(close(0, Number.NaN, loose)).toBe(false)
    expect(close(Infinity, -Infinity, loose)).toBe(false)
    expect(close(1e300, Infinity, loose)).toBe(false)
  })

  test('numbers of sequences, in their order', async () => {
    await compare([1, 2], [1, 2], exact, 'out')
    await expect(compare([2, 1], [1, 2], exact, 'out')).rejects.toThrow(Mismatch)
    await expect(compare([1], [1, 2], exact, 'out')).rejects.toThrow(Mismatch)
  })
})

test('cases are counted as passed, failed and unsupported', async () => {
  const outcomes = [
    () => {},
    () => {
      throw new Unsupported('torch.nope')
    },
    () => {
      throw new Mismatch('other')
    },
    () => Promise.reject(new Error('bad')),
  ]
  const part = {
    async *cases() {
      for (const [i, run] of outcomes.entries()) yield { name: 'op', id: String(i), run }
    },
  }
  const { passed, failed, unsupported, failures } = total(await runPart(part, '', () => true))
  expect({ passed, failed, unsupported }).toEqual({ passed: 1, failed: 2, unsupported: 1 })
  expect(failures.map(({ id }) => id)).toEqual(['2', '3'])
})

test('errors of the engine are told from those of the library', () => {
  expect(isInternal(new TypeError('undefined is not a function'))).toBe(true)
  expect(isInternal(new RangeError('Invalid array length'))).toBe(true)
  expect(isInternal(new Error('the size must match'))).toBe(false)
})

test('Python expressions', () => {
  const variables = new Map<string, unknown>([['epoch', 7]])
  expect(evaluatePython('0.5 if epoch % 10 == 0 else epoch // 2', variables)).toBe(3)
  expect(evaluatePython('-2 ** 2 + 2 * (epoch - 1)', variables)).toBe(8)
})
