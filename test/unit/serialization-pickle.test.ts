// The unpickler and the pickler on values: what survives a round trip, what is refused, and how much work a file may cause.

import { describe, expect, it } from 'vitest'
import { Device } from '../../src/core/device.ts'
import { float16, float32, int32 } from '../../src/core/dtype.ts'
import { Tuple } from '../../src/core/python.ts'
import { makeSize } from '../../src/core/shape.ts'
import { UnpicklingError } from '../../src/serialization/errors.ts'
import { unpickle } from '../../src/serialization/pickle-reader.ts'
import { pickle } from '../../src/serialization/pickle-writer.ts'
import { Complex, FrozenSet, OrderedDict } from '../../src/serialization/python-objects.ts'
import { PlainStorage, PlainTensor, plainBridge } from './serialization-plain-tensors.ts'

const dump = (value: unknown) => pickle(value, plainBridge.describe).pickle

const read = (bytes: Uint8Array) =>
  unpickle(bytes, {
    name: 'test',
    tensors: plainBridge,
    copyToStorage: (bytes) => new PlainStorage(bytes.slice()),
    persistentLoad: () => {
      throw new Error('no storage here')
    },
  }).value

const roundTrip = (value: unknown) => read(dump(value))

/** A pickle from opcodes: strings are ASCII, numbers bytes. */
function code(...parts: (string | number | number[])[]): Uint8Array {
  return Buffer.concat(
    parts.map((part) =>
      typeof part === 'string' ? Buffer.from(part, 'latin1') : Buffer.from([part].flat()),
    ),
  )
}

const bytes4 = (n: number) => [n & 255, (n >> 8) & 255, (n >> 16) & 255, (n >>> 24) & 255]

describe('round trips', () => {
  it.each([
    0,
    1,
    -1,
    127,
    128,
    255,
    256,
    65535,
    65536,
    2147483647,
    2147483648,
    -2147483648,
    -2147483649,
    2 ** 40,
    2 ** 53,
    -(2 ** 53),
    0.5,
    -0,
    1e300,
    5e-324,
    Number.NaN,
    Infinity,
    -Infinity,
  ])('number %s', (x) => {
    expect(roundTrip(x)).toBe(x)
  })

  it.each([
    2n ** 53n + 1n,
    -(2n ** 53n) - 1n,
    2n ** 63n,
    -(2n ** 63n),
    2n ** 64n,
    2n ** 2040n,
    -(2n ** 2047n),
    10n ** 900n,
  ])('bigint %s', (x) => {
    expect(roundTrip(x)).toBe(x)
  })

  it('bigints that fit become numbers', () => {
    expect(roundTrip(5n)).toBe(5)
    expect(roundTrip(-(2n ** 40n))).toBe(-(2 ** 40))
  })

  it.each([
    '',
    'a',
    'ñandú',
    '日本語',
    '𝄞',
    '\0',
    '\ufeffx',
    '__proto__',
    'x'.repeat(70000),
    '\ud800',
    'a\udfff\u{1f600}b',
  ])('string %j', (s) => {
    expect(roundTrip(s)).toBe(s)
  })

  it('booleans, null and bytes', () => {
    const every = Uint8Array.from({ length: 256 }, (_, i) => i)
    expect(roundTrip([true, false, null, every, new Uint8Array(0)])).toEqual([
      true,
      false,
      null,
      every,
      new Uint8Array(0),
    ])
  })

  it('lists, tuples of every length, dicts with odd keys, sets', () => {
    const value = [
      [],
      [1],
      Tuple.of(),
      Tuple.of(1),
      Tuple.of(1, 2),
      Tuple.of(1, 2, 3),
      Tuple.of(1, 2, 3, 4),
      new Map<unknown, unknown>([
        [1, 'int'],
        [2.5, 'float'],
        [null, 'none'],
        [Tuple.of(1, 2), 'tuple'],
      ]),
      new Set([1, 'a']),
      new FrozenSet([2]),
      new Map(),
      new Set(),
    ]
    expect(roundTrip(value)).toEqual(value)
  })

  it('keeps the order of keys that a JavaScript object would sort', () => {
    const keys = ['10', '2', 'b', '1', 'a']
    const result = roundTrip(new Map(keys.map((k, i) => [k, i]))) as Map<string, number>
    expect([...result.keys()]).toEqual(keys)
  })

  it.each([0, 1, 2, 999, 1000, 1001, 2500])('containers of %i items, in batches', (n) => {
    const list = Array.from({ length: n }, (_, i) => i)
    const map = new Map(list.map((i) => [`k${i}`, i]))
    expect(roundTrip(list)).toEqual(list)
    expect(roundTrip(map)).toEqual(map)
    expect(roundTrip(new OrderedDict(map))).toEqual(new OrderedDict(map))
    expect(roundTrip(new Set(list))).toEqual(new Set(list))
  })

  it('a plain object becomes a dict', () => {
    expect(roundTrip({ epoch: 3, nested: { lr: 0.1 } })).toEqual(
      new Map<string, unknown>([
        ['epoch', 3],
        ['nested', new Map([['lr', 0.1]])],
      ]),
    )
  })

  it('an ordered dict keeps its class and _metadata', () => {
    const dict = new OrderedDict([['w', 1]])
    dict._metadata = new OrderedDict([['', new Map([['version', 1]])]])
    const result = roundTrip(dict) as OrderedDict
    expect(result).toBeInstanceOf(OrderedDict)
    expect(result._metadata).toEqual(dict._metadata)
  })

  it('sizes, dtypes, devices and complex numbers', () => {
    const result = roundTrip([
      makeSize([2, 3]),
      float16,
      new Device('cuda', 1),
      new Complex(1.5, -0),
    ]) as unknown[]
    expect(String(result[0])).toBe('torch.Size([2, 3])')
    expect(result[1]).toBe(float16)
    expect(String(result[2])).toBe('cuda:1')
    expect(result[3]).toEqual(new Complex(1.5, -0))
  })

  it('an object met twice is one object again', () => {
    const shared = [1]
    const [a, b, c] = roundTrip([shared, shared, new Map([['x', shared]])]) as [
      unknown,
      unknown,
      Map<string, unknown>,
    ]
    expect(a).toBe(b)
    expect(c.get('x')).toBe(a)
  })

  it('more than 256 memoized objects', () => {
    const shared = Array.from({ length: 400 }, (_, i) => [`s${i}`])
    const result = roundTrip([...shared, ...shared]) as unknown[]
    for (let i = 0; i < 400; i++) expect(result[i]).toBe(result[i + 400])
  })
})

describe('the pickler refuses', () => {
  it.each([
    ['undefined', { a: [undefined] }, "cannot save undefined, at obj['a'][0]: None is null"],
    ['functions', { f: () => 1 }, "cannot save a function, at obj['f']"],
    ['symbols', [Symbol('x')], 'cannot save a symbol, at obj[0]'],
    ['class instances', { d: new Date(0) }, 'cannot save a Date'],
    ['other typed arrays', [new Float32Array(2)], 'a Float32Array: make it a tensor'],
    [
      'modules',
      { model: { __proto__: { stateDict() {}, constructor: class Net {} } } },
      'save what its stateDict() returns',
    ],
    ['lists as keys', new Map([[[1], 2]]), 'no possible key of a Python dict'],
  ])('%s', (_, value, message) => {
    expect(() => dump(value)).toThrow(TypeError)
    expect(() => dump(value)).toThrow(message)
  })

  it('cycles, naming the place', () => {
    const list: unknown[] = [1]
    list.push({ again: list })
    expect(() => dump(list)).toThrow("cannot save obj[1]['again']: it contains itself")
  })

  it('nesting beyond the limit, without overflowing the stack', () => {
    let deep: unknown = 1
    for (let i = 0; i < 100_000; i++) deep = [deep]
    expect(() => dump(deep)).toThrow('nested deeper than 1000 levels')
  })

  it('one storage under two dtypes', () => {
    const storage = new PlainStorage(new Uint8Array(16))
    const view = (dtype: typeof float32) =>
      new PlainTensor({
        storage,
        storageNbytes: 16,
        dtype,
        sizes: [4],
        strides: [1],
        offset: 0,
        requiresGrad: false,
        isParameter: false,
      })
    expect(() => dump([view(float32), view(int32)])).toThrow(
      'Cannot save multiple tensors or storages that view the same data as different types',
    )
  })
})

describe('the unpickler', () => {
  const refuses = (bytes: Uint8Array, message: string | RegExp) => {
    expect(() => read(bytes)).toThrow(UnpicklingError)
    expect(() => read(bytes)).toThrow(message)
  }

  it('says where it stopped, and at what', () => {
    refuses(code(0x80, 2, 'N0', 'a.'), 'test, byte 4 (APPEND): the stack is empty')
  })

  it.each([
    ['os', 'system'],
    ['posix', 'system'],
    ['nt', 'system'],
    ['sys', 'exit'],
  ])('blocks %s.%s outright', (module, name) => {
    refuses(
      code(0x80, 2, `c${module}\n${name}\n.`),
      `Trying to load unsupported GLOBAL ${module}.${name} whose module ${module} is blocked`,
    )
  })

  it.each([
    ['__main__', 'Net', '__main__.Net'],
    ['__builtin__', 'eval', 'eval'],
    ['builtins', 'getattr', 'getattr'],
    ['constructor', 'constructor', 'constructor.constructor'],
    ['__proto__', 'toString', '__proto__.toString'],
    ['torch', '__proto__', 'torch.__proto__'],
    ['torch', 'constructor', 'torch.constructor'],
    ['collections', 'hasOwnProperty', 'collections.hasOwnProperty'],
  ])('knows no %s.%s', (module, name, shown) => {
    const message = `Unsupported global: GLOBAL ${shown} was not an allowed global by default`
    refuses(code(0x80, 2, `c${module}\n${name}\n.`), message)
    const stackGlobal = code(0x80, 4, 0x8c, module.length, module, 0x8c, name.length, name, 0x93, '.')
    refuses(stackGlobal, message)
  })

  it('calls only what it knows', () => {
    refuses(code(0x80, 2, 'N)R.'), 'Trying to call reduce for unrecognized function NoneType')
    refuses(code(0x80, 2, 'ctorch\nFloatStorage\n)R.'), 'this class cannot be called')
    refuses(code(0x80, 2, 'ccollections\nOrderedDict\nNR.'), 'arguments must be a tuple, but are NoneType')
  })

  it.each([
    ['a text opcode', code(0x80, 2, 'I1\n.'), 'have no INT'],
    ['the extension registry', code(0x80, 2, 0x82, 1, '.'), 'have no EXT1'],
    ['an instance of protocol 0', code(0x80, 2, '(ios\nsystem\n.'), 'have no INST'],
    ['a byte that is no opcode', code(0x80, 2, 0xf3), 'have no 0xf3'],
    ['a pickle without end', code(0x80, 2, 'N'), 'unexpected end of file'],
    [
      'a string longer than the file',
      code(0x80, 2, 'X', bytes4(0x7fffffff), 'a'),
      '2147483647 bytes should follow',
    ],
    ['bytes of 2^62', code(0x80, 4, 0x8e, [0, 0, 0, 0, 0, 0, 0, 0x40]), 'should follow'],
    ['a number of negative length', code(0x80, 2, 0x8b, [255, 255, 255, 255], '.'), 'cannot have -1 bytes'],
    ['invalid UTF-8', code(0x80, 2, 'X', bytes4(1), 0xff, '.'), 'not valid UTF-8'],
    ['an unset memo', code(0x80, 2, 'h', 7, '.'), 'memo 7 was never set'],
    ['a key without value', code(0x80, 2, '}(NNNu.'), 'a key has no value'],
    ['a list as key', code(0x80, 2, '}(]Nu.'), "unhashable type: 'list'"],
    ['a list in a tuple as key', code(0x80, 2, '}(]', 0x85, 'Nu.'), "unhashable type: 'list'"],
    ['items for a tuple', code(0x80, 2, ')Na.'), 'Can only append to lists, but got tuple'],
    ['items below a mark', code(0x80, 2, ']N(a.'), 'the stack is empty'],
    [
      'a state for a dict',
      code(0x80, 2, '}}b.'),
      'Can only build the state of collections.OrderedDict, but got dict',
    ],
    [
      'a persistent id that is no tuple',
      code(0x80, 2, 'NQ.'),
      'persistent_load id must be tuple, but got NoneType',
    ],
    ['a persistent id of a module', code(0x80, 2, 'X', bytes4(6), 'module', 0x85, 'Q.'), "but got 'module'"],
    ['protocol 1', code(0x80, 1, 'N.'), 'pickle protocol 1 is not supported'],
  ])('refuses %s', (_, bytes, message) => {
    refuses(bytes, message)
  })

  it('does not walk shared tuples over and over (2^60 paths)', () => {
    const parts: (string | number)[] = ['}', '(', ')', 'q', 0]
    for (let i = 0; i < 60; i++) parts.push('h', i, 0x86, 'q', i + 1)
    const bytes = code(0x80, 2, ...parts, 'Nu.')
    expect((read(bytes) as Map<unknown, unknown>).size).toBe(1)
  })

  it('bounds work that a short pickle repeats', () => {
    const text = 'x'.repeat(20_000)
    const once = dump([new Uint8Array(20_000).fill(120)])
    expect(read(once)).toBeInstanceOf(Array)
    const head = code(
      0x80,
      2,
      ']q',
      0,
      'X',
      bytes4(text.length),
      text,
      'q',
      1,
      '0',
      'X',
      bytes4(6),
      'latin1q',
      2,
      '0',
    )
    const again = Buffer.concat(
      Array.from({ length: 2000 }, () => code('(c_codecs\nencode\n', 'h', 1, 'h', 2, 0x86, 'Re')),
    )
    refuses(Buffer.concat([head, again, code('.')]), 'far more work than its size explains')
  })

  it('reads 100,000 nested lists without overflowing the stack', () => {
    const depth = 100_000
    let value = read(code(0x80, 2, ']'.repeat(depth), 'a'.repeat(depth - 1), '.')) as unknown[]
    let levels = 1
    while (value.length > 0) {
      value = value[0] as unknown[]
      levels++
    }
    expect(levels).toBe(depth)
  })

  it('puts keys that mean something to JavaScript into a Map, and nothing into Object.prototype', () => {
    const value = roundTrip(new Map([['__proto__', new Map([['polluted', 1]])]])) as Map<string, unknown>
    expect(value.get('__proto__')).toEqual(new Map([['polluted', 1]]))
    expect(Object.keys(Object.prototype)).toEqual([])
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
  })

  it('accepts what later protocols write: frames, memoize, sets, short strings and bytes', () => {
    const bytes = code(
      [0x80, 4, 0x95, 99, 0, 0, 0, 0, 0, 0, 0],
      [0x8f, 0x94],
      '(K',
      1,
      [0x8c, 1],
      'a',
      0x94,
      [0x90],
      '(C',
      [2, 0, 255],
      0x94,
      'K',
      [7, 0x91],
      'h',
      0,
      0x87,
      '.',
    )
    expect(read(bytes)).toEqual(
      Tuple.of(new Set([1, 'a']), new FrozenSet([new Uint8Array([0, 255]), 7]), new Set([1, 'a'])),
    )
  })

  it('reads pickle after pickle from one buffer', () => {
    const both = code(0x80, 2, 'K', 5, '.', 0x80, 2, 'N.')
    const options = {
      name: 'test',
      tensors: plainBridge,
      copyToStorage: () => ({}),
      persistentLoad: () => null,
    }
    const first = unpickle(both, options)
    expect(first).toEqual({ value: 5, end: 5 })
    expect(unpickle(both, { ...options, start: first.end })).toEqual({ value: null, end: 9 })
  })
})
