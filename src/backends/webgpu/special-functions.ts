// Special functions as WGSL: Hurwitz' zeta and polygamma, modified Bessel functions of the first kind, orthogonal
// polynomials, greatest common divisors. In float32; formulas as in kernels/zeta.ts, special.ts and polynomials.ts.

import type { Helper } from './helpers.ts'

const text = (...lines: string[]): string => lines.join('\n')

/** p(0) = 1, p(1), and p(k + 1) from p(k) and p(k - 1). */
function polynomial(name: string, second: string, next: string): Helper {
  return {
    name,
    text: text(
      `fn ${name}(x: f32, degree: f32) -> f32 {`,
      '  let n = trunc(degree);',
      '  if (n < 0.0) { return 0.0; }',
      '  if (n == 0.0) { return 1.0; }',
      '  var q = 1.0;',
      `  var p = ${second};`,
      '  for (var k = 1.0; k < n; k += 1.0) {',
      `    let following = ${next};`,
      '    q = p;',
      '    p = following;',
      '  }',
      '  return p;',
      '}',
    ),
  }
}

function shifted(kind: 'T' | 'U' | 'V' | 'W'): Helper {
  return {
    name: `shiftedChebyshev${kind}_`,
    needs: [`chebyshev${kind}_`],
    text: `fn shiftedChebyshev${kind}_(x: f32, n: f32) -> f32 { return chebyshev${kind}_(2.0 * x - 1.0, n); }`,
  }
}

const twice = '2.0 * x * p - q'

export const specialHelpers: readonly Helper[] = [
  polynomial('chebyshevT_', 'x', twice),
  polynomial('chebyshevU_', '2.0 * x', twice),
  polynomial('chebyshevV_', '2.0 * x - 1.0', twice),
  polynomial('chebyshevW_', '2.0 * x + 1.0', twice),
  shifted('T'),
  shifted('U'),
  shifted('V'),
  shifted('W'),
  polynomial('hermiteH_', '2.0 * x', '2.0 * x * p - 2.0 * k * q'),
  polynomial('hermiteHe_', 'x', 'x * p - k * q'),
  polynomial('laguerreL_', '1.0 - x', '((2.0 * k + 1.0 - x) * p - k * q) / (k + 1.0)'),
  polynomial('legendreP_', 'x', '((2.0 * k + 1.0) * x * p - k * q) / (k + 1.0)'),
  {
    name: 'gcd_',
    text: text(
      'fn gcd_(x: f32, y: f32) -> f32 {',
      '  var a = u32(abs(x));',
      '  var b = u32(abs(y));',
      '  while (b != 0u) { let rest = a % b; a = b; b = rest; }',
      '  return f32(a);',
      '}',
    ),
  },
  {
    name: 'zeta_',
    needs: ['inf_', 'nan_', 'pow_'],
    text: text(
      'fn zeta_(x: f32, q: f32) -> f32 {',
      '  if (x == 1.0) { return inf_(); }',
      '  if (!(x > 1.0)) { return nan_(); }',
      '  if (q <= 0.0) {',
      '    if (q == floor(q)) { return inf_(); }',
      '    if (x != floor(x)) { return nan_(); }',
      '  }',
      '  var sum = 0.0;',
      '  var a = q;',
      '  while (a < 8.0 + x) {',
      '    let term = pow_(a, -x);',
      '    if (a > 0.0 && term < sum * 1e-9) { return sum; }',
      '    sum += term;',
      '    a += 1.0;',
      '  }',
      '  var result = sum + pow_(a, 1.0 - x) / (x - 1.0) + 0.5 * pow_(a, -x);',
      '  var factor = x * pow_(a, -x - 1.0);',
      '  result += factor * 0.083333336;',
      '  factor *= (x + 1.0) * (x + 2.0) / (a * a);',
      '  result -= factor * 0.0013888889;',
      '  factor *= (x + 3.0) * (x + 4.0) / (a * a);',
      '  result += factor * 0.000033068783;',
      '  return result;',
      '}',
    ),
  },
  {
    // (-1)^(n + 1) n! zeta(n + 1, x)
    name: 'polygamma_',
    needs: ['zeta_', 'digamma_'],
    text: text(
      'fn polygamma_(n: f32, x: f32) -> f32 {',
      '  if (n == 0.0) { return digamma_(x); }',
      '  var factor = 1.0;',
      '  for (var k = 2.0; k <= n; k += 1.0) { factor *= k; }',
      '  if (n - 2.0 * floor(n * 0.5) == 0.0) { factor = -factor; }',
      '  return factor * zeta_(n + 1.0, x);',
      '}',
    ),
  },
  {
    // exp(-|x|) I0(x): the power series, whose terms are all positive; from 12 on the asymptotic one.
    name: 'i0e_',
    text: text(
      'fn i0e_(x: f32) -> f32 {',
      '  let a = abs(x);',
      '  if (a < 12.0) {',
      '    let z = a * a * 0.25;',
      '    var term = exp(-a);',
      '    var sum = term;',
      '    for (var k = 1.0; k < 40.0; k += 1.0) { term *= z / (k * k); sum += term; }',
      '    return sum;',
      '  }',
      '  var term = 1.0;',
      '  var sum = 1.0;',
      '  for (var k = 1.0; k < 9.0; k += 1.0) {',
      '    term *= (2.0 * k - 1.0) * (2.0 * k - 1.0) / (8.0 * a * k);',
      '    sum += term;',
      '  }',
      '  return sum / sqrt(6.2831855 * a);',
      '}',
    ),
  },
  {
    name: 'i1e_',
    text: text(
      'fn i1e_(x: f32) -> f32 {',
      '  let a = abs(x);',
      '  var sum = 0.0;',
      '  if (a < 12.0) {',
      '    let z = a * a * 0.25;',
      '    var term = exp(-a) * a * 0.5;',
      '    sum = term;',
      '    for (var k = 1.0; k < 40.0; k += 1.0) { term *= z / (k * (k + 1.0)); sum += term; }',
      '  } else {',
      '    var term = 1.0;',
      '    sum = 1.0;',
      '    for (var k = 1.0; k < 9.0; k += 1.0) {',
      '      term *= -(4.0 - (2.0 * k - 1.0) * (2.0 * k - 1.0)) / (8.0 * a * k);',
      '      sum += term;',
      '    }',
      '    sum = sum / sqrt(6.2831855 * a);',
      '  }',
      '  return select(sum, -sum, x < 0.0);',
      '}',
    ),
  },
  { name: 'i0_', needs: ['i0e_'], text: 'fn i0_(x: f32) -> f32 { return i0e_(x) * exp(abs(x)); }' },
  { name: 'i1_', needs: ['i1e_'], text: 'fn i1_(x: f32) -> f32 { return i1e_(x) * exp(abs(x)); }' },
]
