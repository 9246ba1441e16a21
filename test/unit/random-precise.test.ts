// The double-precision functions behind normal samples, against values of a correctly rounding library.

import { expect, test } from 'vitest'
import { Generator } from '../../src/random/generator.ts'
import { log, sinCos } from '../../src/random/precise.ts'

test('sinCos gives the exactly rounded doubles, also near multiples of pi / 2', () => {
  // [theta, sin, cos] rounded from 60 digits
  const cases = [
    [0.0, 0.0, 1.0],
    [1e-9, 1e-9, 1.0],
    [0.0078125, 0.0078124205273828315, 0.9999694825770951],
    [0.3, 0.29552020666133955, 0.955336489125606],
    [0.785398163397448, 0.7071067811865472, 0.7071067811865478],
    [0.7853981633974484, Math.SQRT1_2, 0.7071067811865475],
    [1.0, 0.8414709848078965, 0.5403023058681398],
    [1.5707963267948966, 1.0, 6.123233995736766e-17],
    [1.5, 0.9974949866040544, 0.0707372016677029],
    [2.356194490192345, Math.SQRT1_2, -0.7071067811865475],
    [3.0, 0.1411200080598672, -0.9899924966004454],
    [Math.PI, 1.2246467991473532e-16, -1.0],
    [3.5, -0.35078322768961984, -0.9364566872907963],
    [4.0, -0.7568024953079282, -0.6536436208636119],
    [4.71238898038469, -1.0, -1.8369701987210297e-16],
    [4.72, -0.9999710363300245, 0.007610946134147902],
    [5.5, -0.7055403255703919, 0.70866977429126],
    [6.2, -0.0830894028174964, 0.9965420970232175],
    [6.283185307179586, -2.4492935982947064e-16, 1.0],
  ]
  const out = new Float64Array(2)
  for (const [theta, sine, cosine] of cases) {
    sinCos(theta, out)
    expect([...out]).toEqual([sine, cosine])
  }
})

test('log gives the exactly rounded doubles, also near 1', () => {
  const cases = [
    [1.0, 0.0],
    [0.9999999999999999, -1.1102230246251565e-16],
    [0.999, -0.0010005003335835344],
    [0.99, -0.01005033585350145],
    [0.9, -0.10536051565782628],
    [0.75, -0.2876820724517809],
    [Math.SQRT1_2, -0.3465735902799726],
    [0.7071067811865475, -0.34657359027997275],
    [0.5, -Math.LN2],
    [0.3, -1.2039728043259361],
    [0.2, -1.6094379124341003],
    [0.001, -6.907755278982137],
    [1.1102230246251565e-16, -36.7368005696771],
  ]
  for (const [x, expected] of cases) expect(log(x)).toBe(expected)
})

test('both stay within an ulp or two of the functions of the engine', () => {
  const { engine } = new Generator().manualSeed(1)
  const out = new Float64Array(2)
  for (let i = 0; i < 5000; i++) {
    const x = 1 - engine.uniform53()
    expect(Math.abs(log(x) / Math.log(x) - 1 || 0)).toBeLessThan(2 ** -51)
    const theta = 2 * Math.PI * engine.uniform53()
    sinCos(theta, out)
    expect(Math.abs(out[0] / Math.sin(theta) - 1 || 0)).toBeLessThan(2 ** -50)
    expect(Math.abs(out[1] / Math.cos(theta) - 1 || 0)).toBeLessThan(2 ** -50)
  }
})
