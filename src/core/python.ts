// How Python prints values: `repr` of numbers, strings, bytes and containers, and the tuple that JavaScript lacks.
// Tensors, dtypes, devices and modules print themselves; this file only finds their `repr` or `toString`.

/**
 * Python's tuple: an array that is saved as a tuple and prints as one, `(1, 2)` or `(1,)`.
 * Make one with `Tuple.of(1, 2)`; `map`, `filter` and `slice` of it give plain arrays.
 */
export class Tuple<T = unknown> extends Array<T> {
  static override get [Symbol.species](): ArrayConstructor {
    return Array
  }

  /** A tuple of these items (`new Tuple(3)` would be three holes, as with every array). */
  static override of<T>(...items: T[]): Tuple<T>
  static override of(...items: unknown[]): Tuple
  static override of(...items: unknown[]): Tuple {
    const tuple = new Tuple()
    for (const item of items) tuple.push(item)
    return tuple
  }

  override toString(): string {
    return pyRepr(this)
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return pyRepr(this)
  }
}

/**
 * A number as Python prints a float: `1` is `'1.0'`, `1e-5` is `'1e-05'`, `1e16` is `'1e+16'`, NaN is `'nan'`.
 */
export function pyFloat(x: number): string {
  if (Number.isNaN(x)) return 'nan'
  if (!Number.isFinite(x)) return x > 0 ? 'inf' : '-inf'
  // Without an argument toExponential gives the shortest digits that read back as x, which are Python's.
  const [mantissa, exponentText] = Math.abs(x).toExponential().split('e')
  const digits = mantissa.replace('.', '')
  const exponent = Number(exponentText)
  const sign = x < 0 || Object.is(x, -0) ? '-' : ''
  if (exponent < -4 || exponent >= 16) {
    const magnitude = String(Math.abs(exponent)).padStart(2, '0')
    return `${sign}${mantissa}e${exponent < 0 ? '-' : '+'}${magnitude}`
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, '0')
  return `${sign}${whole}.${digits.slice(exponent + 1) || '0'}`
}

/**
 * What Python's `repr` prints for the value that a JavaScript value stands for: `null` and `undefined` are None, whole
 * numbers ints (`-0` the float `-0.0`), other numbers floats, a Map or a plain object a dict, an array a list, a `Tuple` a
 * tuple, a Set a set, a Uint8Array bytes. An object with a `repr()` method prints through it, any other
 * object with a `toString` of its own through that. A container inside itself prints as `[...]`.
 */
export function pyRepr(value: unknown): string {
  return repr(value, [])
}

function repr(value: unknown, enclosing: readonly object[]): string {
  switch (typeof value) {
    case 'undefined':
      return 'None'
    case 'boolean':
      return value ? 'True' : 'False'
    case 'number':
      return Number.isInteger(value) && !Object.is(value, -0) ? BigInt(value).toString() : pyFloat(value)
    case 'bigint':
      return value.toString()
    case 'string':
      return quote(value)
    case 'symbol':
      return value.toString()
    case 'function':
    case 'object':
      return value === null ? 'None' : reprObject(value, enclosing)
  }
}

function reprObject(value: object, enclosing: readonly object[]): string {
  if ('repr' in value && typeof value.repr === 'function') return String(value.repr())
  const seen = enclosing.includes(value)
  const inside = [...enclosing, value]
  const list = (items: Iterable<unknown>) => Array.from(items, (item) => repr(item, inside)).join(', ')
  const pairs = (entries: Iterable<[unknown, unknown]>) =>
    `{${Array.from(entries, ([k, v]) => `${repr(k, inside)}: ${repr(v, inside)}`).join(', ')}}`

  if (value instanceof Tuple) {
    if (seen) return '(...)'
    return value.length === 1 ? `(${repr(value[0], inside)},)` : `(${list(value)})`
  }
  if (printsItself(value)) return String(value)
  if (Array.isArray(value)) return seen ? '[...]' : `[${list(value)}]`
  if (value instanceof Uint8Array) return quoteBytes(value)
  if (ArrayBuffer.isView(value) && Symbol.iterator in value)
    return `[${list(value as unknown as Iterable<unknown>)}]`
  if (value instanceof Map) return seen ? '{...}' : pairs(value)
  if (value instanceof Set) return seen ? 'set(...)' : value.size === 0 ? 'set()' : `{${list(value)}}`
  if (typeof value === 'function') return `<function ${value.name}>`
  const prototype = Object.getPrototypeOf(value)
  if (prototype === null || prototype === Object.prototype)
    return seen ? '{...}' : pairs(Object.entries(value))
  return `<${value.constructor.name} object>`
}

const plainToStrings: readonly unknown[] = [
  Object.prototype.toString,
  Array.prototype.toString,
  Uint8Array.prototype.toString,
  Function.prototype.toString,
  undefined,
]

/** Whether an object brings a `toString` that is not the one every object of its kind has. */
function printsItself(value: object): boolean {
  return !plainToStrings.includes((value as { toString?: unknown }).toString)
}

const simpleEscapes: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}

// What Python's str.isprintable refuses: control, format, surrogate, private and unassigned characters,
// and all separators but the space.
const unprintable = /[\p{C}\p{Z}]/u

/** A string in Python's quotes: single ones, unless it holds a single and no double quote. */
function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'"
  let result = mark
  for (const char of text) {
    const code = char.codePointAt(0)!
    if (char === mark) result += `\\${char}`
    else if (char in simpleEscapes) result += simpleEscapes[char]
    else if (char === ' ' || !unprintable.test(char)) result += char
    else if (code < 0x100) result += `\\x${hex(code, 2)}`
    else if (code < 0x10000) result += `\\u${hex(code, 4)}`
    else result += `\\U${hex(code, 8)}`
  }
  return result + mark
}

function quoteBytes(bytes: Uint8Array): string {
  const mark = bytes.includes(39) && !bytes.includes(34) ? '"' : "'"
  let result = `b${mark}`
  for (const byte of bytes) {
    const char = String.fromCharCode(byte)
    if (char === mark) result += `\\${char}`
    else if (char in simpleEscapes) result += simpleEscapes[char]
    else result += byte >= 0x20 && byte < 0x7f ? char : `\\x${hex(byte, 2)}`
  }
  return result + mark
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
