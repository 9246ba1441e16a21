// How Python prints values: every expectation here was read off Python 3.11.

import { expect, test } from 'vitest'
import { Device } from '../../src/core/device.ts'
import { float32 } from '../../src/core/dtype.ts'
import { pyFloat, pyRepr, Tuple } from '../../src/core/python.ts'
import { makeSize } from '../../src/core/shape.ts'

test.each([
  [0, '0.0'],
  [-0, '-0.0'],
  [1, '1.0'],
  [100, '100.0'],
  [0.5, '0.5'],
  [0.1, '0.1'],
  [0.0001, '0.0001'],
  [0.00012345, '0.00012345'],
  [0.00001, '1e-05'],
  [1.5e-7, '1.5e-07'],
  [1e-100, '1e-100'],
  [5e-324, '5e-324'],
  [123456789.123, '123456789.123'],
  [1e15, '1000000000000000.0'],
  [1234567890123456, '1234567890123456.0'],
  [1e16, '1e+16'],
  [12345678901234568, '1.2345678901234568e+16'],
  [1e22, '1e+22'],
  [-1.7976931348623157e308, '-1.7976931348623157e+308'],
  [Number.NaN, 'nan'],
  [Number.POSITIVE_INFINITY, 'inf'],
  [Number.NEGATIVE_INFINITY, '-inf'],
])('pyFloat(%d) is %s', (x, text) => {
  expect(pyFloat(x)).toBe(text)
})

test('numbers: whole ones print as ints, others as floats', () => {
  expect(pyRepr(3)).toBe('3')
  expect(pyRepr(-0)).toBe('-0.0')
  expect(pyRepr(0.5)).toBe('0.5')
  expect(pyRepr(2 ** 70)).toBe('1180591620717411303424')
  expect(pyRepr(2n ** 63n)).toBe('9223372036854775808')
  expect(pyRepr(Number.NaN)).toBe('nan')
})

test('None, True and False', () => {
  expect(pyRepr([null, undefined, true, false])).toBe('[None, None, True, False]')
})

test.each([
  ['text', "'text'"],
  ["it's", '"it\'s"'],
  ['say "x"', '\'say "x"\''],
  ['both \' and "', "'both \\' and \"'"],
  ['a\\b\n\r\t', "'a\\\\b\\n\\r\\t'"],
  ['\0\u001b\u007f', "'\\x00\\x1b\\x7f'"],
  ['inclinación ñ 日本 🔥', "'inclinación ñ 日本 🔥'"],
  ['\u00a0\u00ad', "'\\xa0\\xad'"],
  ['\u2028\u200b', "'\\u2028\\u200b'"],
  ['\u{e0001}', "'\\U000e0001'"],
  ['\ud800', "'\\ud800'"],
])('the string %j prints in Python quotes', (text, expected) => {
  expect(pyRepr(text)).toBe(expected)
})

test('containers', () => {
  expect(pyRepr([[], Tuple.of(), new Map(), new Set(), {}])).toBe('[[], (), {}, set(), {}]')
  expect(pyRepr(Tuple.of(1))).toBe('(1,)')
  expect(pyRepr(Tuple.of(1, Tuple.of(2, 'a')))).toBe("(1, (2, 'a'))")
  expect(
    pyRepr(
      new Map<unknown, unknown>([
        ['a', 1],
        [2, null],
      ]),
    ),
  ).toBe("{'a': 1, 2: None}")
  expect(pyRepr({ lr: 0.001, betas: Tuple.of(0.9, 0.999) })).toBe("{'lr': 0.001, 'betas': (0.9, 0.999)}")
  expect(pyRepr(new Set([1, 'a']))).toBe("{1, 'a'}")
})

test('bytes', () => {
  expect(pyRepr(new TextEncoder().encode('ab\n\\'))).toBe("b'ab\\n\\\\'")
  expect(pyRepr(new TextEncoder().encode("it's"))).toBe('b"it\'s"')
  expect(pyRepr(Uint8Array.of(0, 127, 255))).toBe("b'\\x00\\x7f\\xff'")
})

test('a container inside itself prints as an ellipsis, one that merely occurs twice does not', () => {
  const list: unknown[] = [1]
  list.push(list)
  expect(pyRepr(list)).toBe('[1, [...]]')
  const dict = new Map<string, unknown>()
  dict.set('self', Tuple.of(dict))
  expect(pyRepr(dict)).toBe("{'self': ({...},)}")
  const twice = [1]
  expect(pyRepr([twice, twice])).toBe('[[1], [1]]')
})

test("the library's objects print themselves", () => {
  expect(pyRepr([float32, new Device('cuda', 0), makeSize([2, 3])])).toBe(
    "[torch.float32, device(type='cuda', index=0), torch.Size([2, 3])]",
  )
  class Model {
    toString(): string {
      return 'Model()'
    }
  }
  expect(pyRepr([new Model()])).toBe('[Model()]')
})

test('a callable with a toString of its own prints through it', () => {
  class Layer {
    toString(): string {
      return 'ReLU()'
    }
  }
  const layer = Object.setPrototypeOf(() => 0, Layer.prototype)
  expect(pyRepr([layer])).toBe('[ReLU()]')
})

test('objects of unknown classes name their class', () => {
  class Thing {
    x = 1
  }
  expect(pyRepr(new Thing())).toBe('<Thing object>')
  expect(pyRepr(function activation() {})).toBe('<function activation>')
})

test('a tuple maps to a plain array and prints as a tuple', () => {
  const t = Tuple.of(1, 2)
  expect(String(t)).toBe('(1, 2)')
  expect(t).toBeInstanceOf(Array)
  expect(t.map((x) => x + 1)).not.toBeInstanceOf(Tuple)
})
