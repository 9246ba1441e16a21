// WGSL functions that rendered kernels use: what the language lacks. Only those used are put into a shader.

import { type Features, noFeatures } from './device.ts'
import { int64Helpers } from './int64.ts'
import { specialHelpers } from './special-functions.ts'

export interface Helper {
  readonly name: string
  readonly needs?: readonly string[]
  readonly text: string
}

const helpers: readonly Helper[] = [
  // Made from bits at run time: the compiler refuses infinities and NaN as constants.
  { name: 'bits_', text: 'fn bits_(pattern: u32) -> f32 { var bits = pattern; return bitcast<f32>(bits); }' },
  { name: 'inf_', text: 'fn inf_() -> f32 { var bits = 0x7f800000u; return bitcast<f32>(bits); }' },
  { name: 'nan_', text: 'fn nan_() -> f32 { var bits = 0x7fc00000u; return bitcast<f32>(bits); }' },
  {
    name: 'isNan',
    text: 'fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u; }',
  },
  {
    name: 'maxNan',
    needs: ['isNan'],
    text: 'fn maxNan(a: f32, b: f32) -> f32 { if (isNan(a)) { return a; } if (isNan(b)) { return b; } return max(a, b); }',
  },
  {
    name: 'minNan',
    needs: ['isNan'],
    text: 'fn minNan(a: f32, b: f32) -> f32 { if (isNan(a)) { return a; } if (isNan(b)) { return b; } return min(a, b); }',
  },
  // Division may be off by 2.5 units in the last place; one step of Newton's method makes it right.
  {
    name: 'quotient',
    needs: ['isNan'],
    text: [
      'fn quotient(a: f32, b: f32) -> f32 {',
      '  let q = a / b;',
      '  let rest = fma(-q, b, a);',
      '  let better = q + rest / b;',
      '  return select(better, q, isNan(better) || abs(q) > 1e37 || abs(q) < 1e-30);',
      '}',
    ].join('\n'),
  },
  { name: 'divide', text: 'fn divide(a: i32, b: i32) -> i32 { if (b == 0) { return 0; } return a / b; }' },
  { name: 'remain', text: 'fn remain(a: i32, b: i32) -> i32 { if (b == 0) { return 0; } return a % b; }' },
  {
    name: 'putBits',
    text: [
      'fn putBits(word: ptr<storage, atomic<u32>, read_write>, shift: u32, width: u32, bits: u32) {',
      '  atomicAnd(word, ~(((1u << width) - 1u) << shift));',
      '  atomicOr(word, bits << shift);',
      '}',
    ].join('\n'),
  },
  {
    name: 'addFloat',
    text: [
      'fn addFloat(cell: ptr<storage, atomic<u32>, read_write>, value: f32) {',
      '  var old = atomicLoad(cell);',
      '  loop {',
      '    let result = atomicCompareExchangeWeak(cell, old, bitcast<u32>(bitcast<f32>(old) + value));',
      '    if (result.exchanged) { break; }',
      '    old = result.old_value;',
      '  }',
      '}',
    ].join('\n'),
  },
  {
    name: 'floatToBfloat16',
    text: [
      'fn floatToBfloat16(x: f32) -> u32 {',
      '  let bits = bitcast<u32>(x);',
      '  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0x7fc0u; }',
      '  return (bits + ((bits >> 16u) & 1u) + 0x7fffu) >> 16u;',
      '}',
    ].join('\n'),
  },
  // By hand: pack2x16float says nothing of numbers beyond the range, and denormal floats may be lost on the way.
  {
    name: 'halfToFloat',
    text: [
      'fn halfToFloat(bits: u32) -> f32 {',
      '  let sign = (bits & 0x8000u) << 16u;',
      '  let exponent = (bits >> 10u) & 31u;',
      '  let fraction = bits & 1023u;',
      '  if (exponent == 0u) { return bitcast<f32>(bitcast<u32>(f32(fraction) * 5.9604644775390625e-8f) | sign); }',
      '  if (exponent == 31u) { return bitcast<f32>(sign | 0x7f800000u | (fraction << 13u)); }',
      '  return bitcast<f32>(sign | ((exponent + 112u) << 23u) | (fraction << 13u));',
      '}',
    ].join('\n'),
  },
  {
    name: 'floatToHalf',
    text: [
      'fn floatToHalf(x: f32) -> u32 {',
      '  let sign = (bitcast<u32>(x) >> 16u) & 0x8000u;',
      '  let magnitude = bitcast<u32>(x) & 0x7fffffffu;',
      '  if (magnitude > 0x7f800000u) { return sign | 0x7e00u; }',
      '  if (magnitude >= 0x477ff000u) { return sign | 0x7c00u; }',
      '  if (magnitude < 0x38800000u) { return sign | (bitcast<u32>(bitcast<f32>(magnitude) + 0.5) - 0x3f000000u); }',
      '  return sign | ((magnitude - 0x38000000u + 0x0fffu + ((magnitude >> 13u) & 1u)) >> 13u);',
      '}',
    ].join('\n'),
  },
  {
    name: 'pow_',
    needs: ['nan_'],
    text: [
      'fn pow_(x: f32, y: f32) -> f32 {',
      '  if (y == 0.0 || x == 1.0) { return 1.0; }',
      '  if (x >= 0.0) { return pow(x, y); }',
      '  if (y != floor(y)) { return nan_(); }',
      '  let magnitude = pow(-x, y);',
      '  if (y - 2.0 * floor(y * 0.5) == 1.0) { return -magnitude; }',
      '  return magnitude;',
      '}',
    ].join('\n'),
  },
  // The remainder is exact: a multiple of |y| scaled by powers of two is taken away until less than |y| is left.
  {
    name: 'fmod_',
    needs: ['isNan', 'nan_', 'inf_'],
    text: [
      'fn fmod_(x: f32, y: f32) -> f32 {',
      '  let divisor = abs(y);',
      '  var rest = abs(x);',
      '  if (isNan(x) || isNan(y) || rest >= inf_() || divisor == 0.0) { return nan_(); }',
      '  if (divisor >= inf_()) { return x; }',
      '  for (var i = 0; i < 300 && rest >= divisor; i++) {',
      '    let exponent = i32(bitcast<u32>(rest) >> 23u) - i32(bitcast<u32>(divisor) >> 23u);',
      '    var part = ldexp(divisor, exponent);',
      '    if (part > rest) { part = part * 0.5; }',
      '    rest = rest - part;',
      '  }',
      '  return bitcast<f32>(bitcast<u32>(rest) | (bitcast<u32>(x) & 0x80000000u));',
      '}',
    ].join('\n'),
  },
  // Abramowitz and Stegun 7.1.26 has 1.5e-7; near zero the series keeps relative accuracy.
  {
    name: 'erf_',
    text: [
      'fn erf_(x: f32) -> f32 {',
      '  let a = abs(x);',
      '  if (a < 0.5) { let z = x * x; return x * (1.1283792 + z * (-0.37612638 + z * (0.11283792 + z * (-0.026866171 + z * 0.0052239776)))); }',
      '  let t = 1.0 / (1.0 + 0.3275911 * a);',
      '  let y = 1.0 - ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t * exp(-a * a);',
      '  return sign(x) * y;',
      '}',
    ].join('\n'),
  },
  { name: 'erfc_', needs: ['erf_'], text: 'fn erfc_(x: f32) -> f32 { return 1.0 - erf_(x); }' },
  {
    name: 'erfinv_',
    needs: ['inf_', 'nan_'],
    text: [
      'fn erfinv_(x: f32) -> f32 {',
      '  if (abs(x) >= 1.0) { return select(nan_(), x * inf_(), abs(x) == 1.0); }',
      '  var w = -log((1.0 - x) * (1.0 + x));',
      '  if (w < 5.0) {',
      '    w = w - 2.5;',
      '    return x * (((((((((2.81022636e-8 * w + 3.43273939e-7) * w - 3.5233877e-6) * w - 4.39150654e-6) * w + 0.00021858087) * w - 0.00125372503) * w - 0.00417768164) * w + 0.246640727) * w) + 1.50140941);',
      '  }',
      '  w = sqrt(w) - 3.0;',
      '  return x * (((((((((-0.000200214257 * w + 0.000100950558) * w + 0.00134934322) * w - 0.00367342844) * w + 0.00573950773) * w - 0.0076224613) * w + 0.00943887047) * w + 1.00167406) * w) + 2.83297682);',
      '}',
    ].join('\n'),
  },
  // The sine of pi x, for x from 0 to 0.5: WGSL's own may be off by 2^-11.
  {
    name: 'sinPi_',
    text: [
      'fn sinPi_(x: f32) -> f32 {',
      '  let y = 3.1415926536f * x;',
      '  let z = y * y;',
      '  return y * (1.0 - z * (0.16666667 - z * (0.008333334 - z * (0.00019841270 - z * (0.0000027557319 - z * 0.000000025052108)))));',
      '}',
    ].join('\n'),
  },
  // Stirling's series, from 8 on; smaller arguments are moved there, negative ones reflected.
  {
    name: 'lgamma_',
    needs: ['inf_', 'sinPi_'],
    text: [
      'fn lgamma_(value: f32) -> f32 {',
      '  if (value <= 0.0 && value == floor(value)) { return inf_(); }',
      '  let mirror = value < 0.0;',
      '  var x = select(value, 1.0 - value, mirror);',
      '  var moved = 1.0;',
      '  for (var i = 0; i < 8; i++) { if (x < 8.0) { moved = moved * x; x = x + 1.0; } }',
      '  let z = 1.0 / (x * x);',
      '  let series = (0.083333336 - z * (0.0027777778 - z * 0.0007936508)) / x;',
      '  let result = (x - 0.5) * log(x) - x + 0.9189385332f + series - log(moved);',
      '  // Only the distance from a whole number counts, which is exact.',
      '  let part = value - floor(value);',
      '  let reflected = log(3.1415926536f / sinPi_(min(part, 1.0 - part))) - result;',
      '  return select(result, reflected, mirror);',
      '}',
    ].join('\n'),
  },
  {
    name: 'digamma_',
    needs: ['inf_', 'nan_', 'sinPi_'],
    text: [
      'fn digamma_(value: f32) -> f32 {',
      '  if (value == 0.0) { return select(-inf_(), inf_(), bitcast<u32>(value) >> 31u == 1u); }',
      '  if (value < 0.0 && value == floor(value)) { return nan_(); }',
      '  var x = value;',
      '  var result = 0.0;',
      '  if (x < 0.0) {',
      '    let part = x - floor(x);',
      '    let near = min(part, 1.0 - part);',
      '    let cotangent = 3.1415926536f * sinPi_(0.5 - near) / sinPi_(near);',
      '    result = select(-cotangent, cotangent, part > 0.5);',
      '    x = 1.0 - x;',
      '  }',
      '  for (var i = 0; i < 10; i++) { if (x < 10.0) { result = result - 1.0 / x; x = x + 1.0; } }',
      '  let z = 1.0 / (x * x);',
      '  return result + log(x) - 0.5 / x - z * (0.083333336 - z * (0.008333334 - z * 0.003968254));',
      '}',
    ].join('\n'),
  },
]

const all: readonly Helper[] = [...helpers, ...int64Helpers, ...specialHelpers]

// Denormal numbers by hand here, too: devices may take them for 0.
const halfToFloatWithF16: Helper = {
  name: 'halfToFloat',
  text: [
    'fn halfToFloat(bits: u32) -> f32 {',
    '  if ((bits & 0x7c00u) == 0u) { return bitcast<f32>(bitcast<u32>(f32(bits & 1023u) * 5.9604644775390625e-8f) | ((bits & 0x8000u) << 16u)); }',
    '  return f32(bitcast<vec2<f16>>(bits & 0xffffu).x);',
    '}',
  ].join('\n'),
}

/** Whether a shader with this body uses the type f16. */
export function usesHalves(body: string, { f16 }: Features): boolean {
  return f16 && calls(body, halfToFloatWithF16.name)
}

/** The helper functions that a shader's body calls, and those that they call. */
export function helpersFor(body: string, features: Features = noFeatures): string[] {
  const wanted = new Set<string>()
  const want = (helper: Helper): void => {
    if (wanted.has(helper.name)) return
    wanted.add(helper.name)
    for (const name of helper.needs ?? []) want(all.find((h) => h.name === name)!)
  }
  for (const helper of all) if (calls(body, helper.name)) want(helper)
  return all
    .filter((h) => wanted.has(h.name))
    .map((h) => (h.name === 'halfToFloat' && usesHalves(body, features) ? halfToFloatWithF16 : h).text)
}

function calls(text: string, name: string): boolean {
  return new RegExp(`\\b${name}\\(`).test(text)
}
