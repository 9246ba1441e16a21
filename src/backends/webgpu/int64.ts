// 64-bit integers for WGSL, which has none: two u32 words, the lower first, with all of the arithmetic of the kernel
// language. Exact, wrapping around as two's complement does.

import type { BinaryName } from '../../kernels/expr.ts'
import type { Helper } from './helpers.ts'

const names: Partial<Record<BinaryName, string>> = {
  add: 'add64',
  sub: 'sub64',
  mul: 'mul64',
  div: 'div64',
  rem: 'rem64',
  min: 'min64',
  max: 'max64',
}

/** The text of an operation on two 64-bit integers. */
export function int64Binary(fn: BinaryName, a: string, b: string): string {
  switch (fn) {
    case 'and':
      return `(${a} & ${b})`
    case 'or':
      return `(${a} | ${b})`
    case 'xor':
      return `(${a} ^ ${b})`
    case 'shl':
    case 'shr':
    case 'shrUnsigned':
      return `${fn}64(${a}, ${b}.x & 63u)`
    default:
      return `${names[fn]}(${a}, ${b})`
  }
}

/** The text of a comparison of two 64-bit integers. */
export function int64Compare(fn: 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge', a: string, b: string): string {
  switch (fn) {
    case 'eq':
      return `all(${a} == ${b})`
    case 'ne':
      return `any(${a} != ${b})`
    case 'lt':
      return `less64(${a}, ${b})`
    case 'gt':
      return `less64(${b}, ${a})`
    case 'le':
      return `(!less64(${b}, ${a}))`
    default:
      return `(!less64(${a}, ${b}))`
  }
}

/** A constant. */
export function int64Text(value: bigint): string {
  const bits = BigInt.asUintN(64, value)
  return `vec2<u32>(${bits & 0xffffffffn}u, ${bits >> 32n}u)`
}

const text = (...lines: string[]): string => lines.join('\n')

export const int64Helpers: readonly Helper[] = [
  {
    name: 'widen',
    text: 'fn widen(x: i32) -> vec2<u32> { return vec2<u32>(bitcast<u32>(x), bitcast<u32>(x >> 31u)); }',
  },
  {
    name: 'add64',
    text: 'fn add64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { let low = a.x + b.x; return vec2<u32>(low, a.y + b.y + select(0u, 1u, low < a.x)); }',
  },
  {
    name: 'sub64',
    text: 'fn sub64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return vec2<u32>(a.x - b.x, a.y - b.y - select(0u, 1u, a.x < b.x)); }',
  },
  {
    name: 'neg64',
    needs: ['sub64'],
    text: 'fn neg64(a: vec2<u32>) -> vec2<u32> { return sub64(vec2<u32>(0u, 0u), a); }',
  },
  {
    name: 'abs64',
    needs: ['neg64'],
    text: 'fn abs64(a: vec2<u32>) -> vec2<u32> { return select(a, neg64(a), (a.y >> 31u) == 1u); }',
  },
  {
    name: 'less64',
    text: 'fn less64(a: vec2<u32>, b: vec2<u32>) -> bool { return select(bitcast<i32>(a.y) < bitcast<i32>(b.y), a.x < b.x, a.y == b.y); }',
  },
  {
    name: 'min64',
    needs: ['less64'],
    text: 'fn min64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return select(a, b, less64(b, a)); }',
  },
  {
    name: 'max64',
    needs: ['less64'],
    text: 'fn max64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> { return select(a, b, less64(a, b)); }',
  },
  {
    name: 'mul64',
    text: text(
      'fn mul64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {',
      '  let a0 = a.x & 0xffffu; let a1 = a.x >> 16u;',
      '  let b0 = b.x & 0xffffu; let b1 = b.x >> 16u;',
      '  let low = a0 * b0;',
      '  let first = a1 * b0 + (low >> 16u);',
      '  let second = a0 * b1 + (first & 0xffffu);',
      '  let high = a1 * b1 + (first >> 16u) + (second >> 16u);',
      '  return vec2<u32>((second << 16u) | (low & 0xffffu), high + a.x * b.y + a.y * b.x);',
      '}',
    ),
  },
  {
    name: 'shl64',
    text: text(
      'fn shl64(a: vec2<u32>, n: u32) -> vec2<u32> {',
      '  if (n == 0u) { return a; }',
      '  if (n >= 32u) { return vec2<u32>(0u, a.x << (n - 32u)); }',
      '  return vec2<u32>(a.x << n, (a.y << n) | (a.x >> (32u - n)));',
      '}',
    ),
  },
  {
    name: 'shrUnsigned64',
    text: text(
      'fn shrUnsigned64(a: vec2<u32>, n: u32) -> vec2<u32> {',
      '  if (n == 0u) { return a; }',
      '  if (n >= 32u) { return vec2<u32>(a.y >> (n - 32u), 0u); }',
      '  return vec2<u32>((a.x >> n) | (a.y << (32u - n)), a.y >> n);',
      '}',
    ),
  },
  {
    name: 'shr64',
    text: text(
      'fn shr64(a: vec2<u32>, n: u32) -> vec2<u32> {',
      '  let high = bitcast<i32>(a.y);',
      '  if (n == 0u) { return a; }',
      '  if (n >= 32u) { return vec2<u32>(bitcast<u32>(high >> (n - 32u)), bitcast<u32>(high >> 31u)); }',
      '  return vec2<u32>((a.x >> n) | (a.y << (32u - n)), bitcast<u32>(high >> n));',
      '}',
    ),
  },
  {
    // Bit by bit, as on paper; numbers of one word are divided by the device.
    name: 'divideUnsigned64',
    needs: ['sub64'],
    text: text(
      'fn divideUnsigned64(a: vec2<u32>, b: vec2<u32>) -> vec4<u32> {',
      '  if (a.y == 0u && b.y == 0u) { return vec4<u32>(a.x / b.x, 0u, a.x % b.x, 0u); }',
      '  var quotient = vec2<u32>(0u, 0u);',
      '  var rest = vec2<u32>(0u, 0u);',
      '  for (var i = 63; i >= 0; i--) {',
      '    let bit = select((a.x >> u32(i & 31)) & 1u, (a.y >> u32(i & 31)) & 1u, i >= 32);',
      '    let carry = rest.y >> 31u;',
      '    rest = vec2<u32>((rest.x << 1u) | bit, (rest.y << 1u) | (rest.x >> 31u));',
      '    if (carry == 1u || rest.y > b.y || (rest.y == b.y && rest.x >= b.x)) {',
      '      rest = sub64(rest, b);',
      '      if (i >= 32) { quotient.y |= 1u << u32(i & 31); } else { quotient.x |= 1u << u32(i & 31); }',
      '    }',
      '  }',
      '  return vec4<u32>(quotient, rest);',
      '}',
    ),
  },
  {
    name: 'div64',
    needs: ['divideUnsigned64', 'abs64', 'neg64'],
    text: text(
      'fn div64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {',
      '  if (all(b == vec2<u32>(0u, 0u))) { return vec2<u32>(0u, 0u); }',
      '  let quotient = divideUnsigned64(abs64(a), abs64(b)).xy;',
      '  return select(quotient, neg64(quotient), ((a.y ^ b.y) >> 31u) == 1u);',
      '}',
    ),
  },
  {
    name: 'rem64',
    needs: ['divideUnsigned64', 'abs64', 'neg64'],
    text: text(
      'fn rem64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {',
      '  if (all(b == vec2<u32>(0u, 0u))) { return vec2<u32>(0u, 0u); }',
      '  let rest = divideUnsigned64(abs64(a), abs64(b)).zw;',
      '  return select(rest, neg64(rest), (a.y >> 31u) == 1u);',
      '}',
    ),
  },
  {
    name: 'floatOf64',
    needs: ['abs64'],
    text: text(
      'fn floatOf64(a: vec2<u32>) -> f32 {',
      '  let magnitude = abs64(a);',
      '  let value = f32(magnitude.y) * 4294967296.0 + f32(magnitude.x);',
      '  return select(value, -value, (a.y >> 31u) == 1u);',
      '}',
    ),
  },
  {
    // Cut off towards zero; what does not fit is the nearest that does, and NaN is 0.
    name: 'int64Of',
    needs: ['isNan', 'neg64'],
    text: text(
      'fn int64Of(x: f32) -> vec2<u32> {',
      '  if (isNan(x)) { return vec2<u32>(0u, 0u); }',
      '  if (x >= 9223372036854775808.0) { return vec2<u32>(0xffffffffu, 0x7fffffffu); }',
      '  if (x <= -9223372036854775808.0) { return vec2<u32>(0u, 0x80000000u); }',
      '  let whole = trunc(abs(x));',
      '  let high = floor(whole / 4294967296.0);',
      '  let magnitude = vec2<u32>(u32(whole - high * 4294967296.0), u32(high));',
      '  return select(magnitude, neg64(magnitude), x < 0.0);',
      '}',
    ),
  },
  {
    // What is beyond 32 bits keeps its lowest 32, as a conversion by way of int64 does.
    name: 'int32Of',
    needs: ['int64Of'],
    text: 'fn int32Of(x: f32) -> i32 { if (abs(x) < 2147483648.0) { return i32(x); } return bitcast<i32>(int64Of(x).x); }',
  },
]
