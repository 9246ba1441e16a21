// The special functions on doubles, against values of high precision (Abramowitz and Stegun, DLMF, exact sums).

import { expect, test } from 'vitest'
import * as bessel from '../../src/kernels/bessel.ts'
import { digamma, erf, erfc, erfinv, lgamma } from '../../src/kernels/erf-gamma.ts'
import * as polynomials from '../../src/kernels/polynomials.ts'
import {
  erfcx,
  gammainc,
  gammaincc,
  gcd,
  i0,
  i1,
  logNdtr,
  ndtri,
  polygamma,
} from '../../src/kernels/special.ts'
import { zeta } from '../../src/kernels/zeta.ts'

test.each<[string, number, number]>([
  ['erf(0.5)', erf(0.5), 0.5204998778130465],
  ['erfc(5)', erfc(5), 1.537459794428035e-12],
  ['erfinv(0.9)', erfinv(0.9), 1.1630871536766743],
  ['erfcx(30)', erfcx(30), 0.01879588886141675],
  ['lgamma(0.5)', lgamma(0.5), 0.5723649429247001],
  ['lgamma(1.5)', lgamma(1.5), -0.12078223763524522],
  ['lgamma(100)', lgamma(100), 359.1342053695754],
  ['digamma(1)', digamma(1), -0.5772156649015329],
  ['trigamma(1)', polygamma(1, 1), Math.PI ** 2 / 6],
  ['trigamma(-0.5)', polygamma(1, -0.5), Math.PI ** 2 / 2 + 4],
  ['zeta(2)', zeta(2, 1), Math.PI ** 2 / 6],
  ['zeta(20, 11)', zeta(20, 11), 1.8160477582516796e-21],
  ['i0(1)', i0(1), 1.2660658777520084],
  ['i1(-1)', i1(-1), -0.565159103992485],
  ['i0(50)', i0(50), 2.932553783849336e20],
  ['J0(5)', bessel.besselJ0(5), -0.1775967713143383],
  ['J1(-5)', bessel.besselJ1(-5), 0.32757913759146523],
  ['Y0(5)', bessel.besselY0(5), -0.30851762524903376],
  ['Y1(5)', bessel.besselY1(5), 0.14786314339122683],
  ['J0(100)', bessel.besselJ0(100), 0.019985850304223122],
  ['J0(1e-300)', bessel.besselJ0(1e-300), 1],
  ['K0(1)', bessel.modifiedBesselK0(1), 0.42102443824070834],
  ['K1(1)', bessel.modifiedBesselK1(1), 0.6019072301972346],
  ['Ai(1)', bessel.airyAi(1), 0.13529241631288141],
  ['Ai(-1)', bessel.airyAi(-1), 0.5355608832923521],
  ['P(50, 45)', gammainc(50, 45), 0.24680203440017026],
  ['Q(1, 30)', gammaincc(1, 30), Math.exp(-30)],
  ['ndtri(0.975)', ndtri(0.975), 1.9599639845400545],
  ['log ndtr(-40)', logNdtr(-40), -804.6084420137538],
  ['T5(0.3)', polynomials.chebyshevT(0.3, 5), 16 * 0.3 ** 5 - 20 * 0.3 ** 3 + 5 * 0.3],
  ['H4(0.5)', polynomials.hermiteH(0.5, 4), 16 * 0.5 ** 4 - 48 * 0.5 ** 2 + 12],
  ['L3(2)', polynomials.laguerreL(2, 3), (-8 + 9 * 4 - 18 * 2 + 6) / 6],
  ['P4(0.2)', polynomials.legendreP(0.2, 4), (35 * 0.2 ** 4 - 30 * 0.2 ** 2 + 3) / 8],
])('%s', (_, actual, expected) => {
  expect(Math.abs(actual - expected)).toBeLessThanOrEqual(3e-14 * Math.abs(expected))
})

test('poles and ends of the range', () => {
  expect(lgamma(-2)).toBe(Number.POSITIVE_INFINITY)
  expect(digamma(-2)).toBeNaN()
  expect(zeta(1, 1)).toBe(Number.POSITIVE_INFINITY)
  expect(zeta(0.5, 1)).toBeNaN()
  expect(ndtri(0)).toBe(Number.NEGATIVE_INFINITY)
  expect(ndtri(1.5)).toBeNaN()
  expect(bessel.besselY0(0)).toBe(Number.NEGATIVE_INFINITY)
  expect(bessel.modifiedBesselK0(-1)).toBeNaN()
  expect(polynomials.legendreP(0.3, -1)).toBe(0)
  expect(gcd(-12, 18)).toBe(6)
})
