// Normal samples: the Box-Muller pairs of small fills, and the blocks of 16 of large contiguous ones, where float32
// follows the single-precision polynomials of Cephes (S. Moshier) that PyTorch's vector code evaluates.

import { fma } from './fma.ts'
import type { Generator } from './generator.ts'
import { log, sinCos } from './precise.ts'

const { fround, sqrt } = Math

const sineAndCosine = new Float64Array(2)

/**
 * One standard normal double: the sample cached by the last call, or else the first of a new pair, whose second is
 * cached.
 */
export function standardNormal(gen: Generator): number {
  if (gen.hasCachedNormal) {
    gen.hasCachedNormal = false
    return gen.cachedNormal
  }
  const u1 = gen.engine.uniform53()
  const u2 = gen.engine.uniform53()
  const radius = sqrt(-2 * Math.log1p(-u2))
  const theta = 2 * Math.PI * u1
  sinCos(theta, sineAndCosine)
  gen.cachedNormal = radius * sineAndCosine[0]
  gen.hasCachedNormal = true
  return radius * sineAndCosine[1]
}

/** Fills `out` one sample after the other, each computed in double: fewer than 16 elements, or a strided tensor. */
export function fillNormalOneByOne(
  gen: Generator,
  out: Float32Array | Float64Array,
  mean: number,
  std: number,
): void {
  for (let i = 0; i < out.length; i++) out[i] = fma(standardNormal(gen), std, mean)
}

/** Fills `out`, of 16 or more elements, block by block in double precision. */
export function fillNormalBlocks64(gen: Generator, out: Float64Array, mean: number, std: number): void {
  const n = out.length
  const engine = gen.engine
  for (let i = 0; i < n; i++) out[i] = engine.uniform53()
  for (let i = 0; i + 16 <= n; i += 16) boxMuller64(out, i, mean, std)
  if (n % 16 !== 0) {
    for (let i = n - 16; i < n; i++) out[i] = engine.uniform53()
    boxMuller64(out, n - 16, mean, std)
  }
}

/** Turns the 16 uniforms at `at` into 16 normal samples; elements j and j + 8 are a pair. */
function boxMuller64(data: Float64Array, at: number, mean: number, std: number): void {
  for (let j = at; j < at + 8; j++) {
    const radius = sqrt(-2 * log(1 - data[j]))
    sinCos(2 * Math.PI * data[j + 8], sineAndCosine)
    data[j] = fma(radius * sineAndCosine[1], std, mean)
    data[j + 8] = fma(radius * sineAndCosine[0], std, mean)
  }
}

/**
 * Fills `out`, of 16 or more elements, block by block in single precision. A tail that is no whole block makes the
 * last 16 elements be drawn anew; `tailDrawn` tells whether one uniform for each of its elements was drawn before
 * (float32), or not (float16 and bfloat16).
 */
export function fillNormalBlocks32(
  gen: Generator,
  out: Float32Array,
  mean: number,
  std: number,
  tailDrawn: boolean,
): void {
  const n = out.length
  const engine = gen.engine
  const mean32 = fround(mean)
  const std32 = fround(std)
  const block = new Uint32Array(16)
  let i = 0
  while (i + 16 <= n) {
    if (engine.next === engine.end) engine.refill()
    const blocks = Math.min((n - i) >> 4, (engine.end - engine.next) >> 4)
    if (blocks > 0) {
      boxMuller32(engine.outputs, engine.next, out, i, blocks, mean32, std32)
      engine.next += 16 * blocks
      i += 16 * blocks
    } else {
      for (let j = 0; j < 16; j++) block[j] = engine.random()
      boxMuller32(block, 0, out, i, 1, mean32, std32)
      i += 16
    }
  }
  if (i < n) {
    if (tailDrawn) for (; i < n; i++) engine.random()
    for (let j = 0; j < 16; j++) block[j] = engine.random()
    boxMuller32(block, 0, out, n - 16, 1, mean32, std32)
  }
}

// Cephes' single-precision constants.
/** sqrt(1/2) in units of 2^-24. */
const sqrtHalfMantissa = 11863283
const log0 = fround(7.0376836292e-2)
const log1 = fround(-1.151461031e-1)
const log2 = fround(1.167699874e-1)
const log3 = fround(-1.2420140846e-1)
const log4 = fround(1.4249322787e-1)
const log5 = fround(-1.6668057665e-1)
const log6 = fround(2.0000714765e-1)
const log7 = fround(-2.4999993993e-1)
const log8 = fround(3.3333331174e-1)
const ln2Low = fround(-2.1219444e-4)
const ln2High = fround(0.693359375)
const twoPi = fround(2 * Math.PI)
const fourOverPi = fround(4 / Math.PI)
const quarterPi1 = fround(-0.78515625)
const quarterPi2 = fround(-2.4187564849853516e-4)
const quarterPi3 = fround(-3.774894977445941e-8)
const sin0 = fround(-1.9515295891e-4)
const sin1 = fround(8.3321608736e-3)
const sin2 = fround(-1.6666654611e-1)
const cos0 = fround(2.443315711809948e-5)
const cos1 = fround(-1.388731625493765e-3)
const cos2 = fround(4.166664568298827e-2)

// In octant o (even) the sine of theta is sineOfSine[o] sin(t) + sineOfCosine[o] cos(t), and the cosine the same two
// steps on: it is the sine of theta + pi/2.
const sineOfSine = Float64Array.of(1, 0, 0, 0, -1, 0, 0, 0, 1, 0, 0)
const sineOfCosine = Float64Array.of(0, 0, 1, 0, 0, 0, -1, 0, 0, 0, 1)

/**
 * Box-Muller on `blocks` blocks of 16 random words, from `words[at]` to `out[outAt]`, in float32: words j and j + 8 of
 * a block make samples j and j + 8. Every step rounds where the vector code rounds; `fround(a * b + c)` is its fma.
 */
function boxMuller32(
  words: Uint32Array,
  at: number,
  out: Float32Array,
  outAt: number,
  blocks: number,
  mean: number,
  std: number,
): void {
  for (let block = 0; block < blocks; block++, at += 16, outAt += 16) {
    for (let j = 0; j < 8; j++) {
      // log(u1) for u1 = m / 2^24 = (1 + x) 2^exponent with 1 + x in [sqrt(1/2), sqrt(2)), a polynomial in x.
      // No branches here or below: they would be taken at random.
      const m = 0x1000000 - (words[at + j] & 0xffffff)
      const zeros = Math.clz32(m) - 8
      const mantissa = m << zeros
      const isLow = (mantissa - sqrtHalfMantissa) >>> 31
      const exponent = -zeros - isLow
      const x = ((mantissa << isLow) - 0x1000000) * 2 ** -24
      const xx = fround(x * x)
      let p = fround(log0 * x + log1)
      p = fround(p * x + log2)
      p = fround(p * x + log3)
      p = fround(p * x + log4)
      p = fround(p * x + log5)
      p = fround(p * x + log6)
      p = fround(p * x + log7)
      p = fround(p * x + log8)
      p = fround(p * x)
      p = fround(p * xx + fround(exponent * ln2Low))
      p = fround(p - 0.5 * xx)
      const logOfU = fround(fround(x + p) + exponent * ln2High)
      const radius = fround(sqrt(-2 * logOfU))

      // sin and cos of theta, reduced to [-pi/4, pi/4] around a multiple of pi/2
      const theta = fround(twoPi * ((words[at + j + 8] & 0xffffff) * 2 ** -24))
      const octant = (fround(theta * fourOverPi) + 1) & ~1
      let t = fround(octant * quarterPi1 + theta)
      t = fround(octant * quarterPi2 + t)
      t = fround(octant * quarterPi3 + t)
      const tt = fround(t * t)
      let c = fround(cos0 * tt + cos1)
      c = fround(c * tt + cos2)
      c = fround(c * tt)
      c = fround(c * tt - 0.5 * tt)
      c = fround(c + 1)
      let s = fround(sin0 * tt + sin1)
      s = fround(s * tt + sin2)
      s = fround(s * tt)
      s = fround(s * t + t)
      const sine = s * sineOfSine[octant] + c * sineOfCosine[octant]
      const cosine = s * sineOfSine[octant + 2] + c * sineOfCosine[octant + 2]
      out[outAt + j] = fround(radius * cosine) * std + mean
      out[outAt + j + 8] = fround(radius * sine) * std + mean
    }
  }
}
