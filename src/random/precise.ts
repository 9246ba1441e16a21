// log, sin and cos of doubles to within 0.51 ulp. Engines' own functions may be off by nearly an ulp, each in its
// way; these give the same samples everywhere, and nearly always those of a good C library.

/** Bits after the point in the integers with which the tables are made. */
const fractionBits = 130
const one = 1n << BigInt(fractionBits)

/** A table of high and low doubles, whose sums are good to about 106 bits. */
interface PairTable {
  readonly high: Float64Array
  readonly low: Float64Array
}

function pairTable(length: number, value: (i: number) => bigint): PairTable {
  const high = new Float64Array(length)
  const low = new Float64Array(length)
  for (let i = 0; i < length; i++) {
    const fixed = value(i)
    high[i] = Number(fixed) * 2 ** -fractionBits
    low[i] = Number(fixed - BigInt(high[i] * 2 ** fractionBits)) * 2 ** -fractionBits
  }
  return { high, low }
}

/** sin (or cos) of i / 64 as a fixed-point number, by its Taylor series. */
function sineSeries(i: number, isCosine: boolean): bigint {
  const x = (one * BigInt(i)) / 64n
  let term = isCosine ? one : x
  let sum = term
  for (let k = isCosine ? 1n : 2n; term !== 0n; k += 2n) {
    term = -(((term * x) / one) * x) / one / (k * (k + 1n))
    sum += term
  }
  return sum
}

/** -log(i / 128) as a fixed-point number: -2 atanh((i - 128) / (i + 128)). */
function logSeries(i: number): bigint {
  const z = (one * BigInt(128 - i)) / BigInt(128 + i)
  const square = (z * z) / one
  let power = z
  let sum = z
  for (let k = 3n; power !== 0n; k += 2n) {
    power = (power * square) / one
    sum += power / k
  }
  return 2n * sum
}

// sin and cos at multiples of 1/64 up to pi/4, -log of the multiples of 1/128 from 1/sqrt(2) to sqrt(2).
const firstReciprocal = 89
let sines: PairTable | undefined
let cosines: PairTable | undefined
let logs: PairTable | undefined

const splitter = 134217729

/** What the rounding of `product = a * b` dropped (Dekker). */
function productError(a: number, b: number, product: number): number {
  const aBig = a * splitter
  const aHigh = aBig - (aBig - a)
  const aLow = a - aHigh
  const bBig = b * splitter
  const bHigh = bBig - (bBig - b)
  const bLow = b - bHigh
  return aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow
}

/** What the rounding of `sum = a + b` dropped (Knuth). */
function sumError(a: number, b: number, sum: number): number {
  const bRounded = sum - a
  return a - (sum - bRounded) + (b - bRounded)
}

// pi/2 in three parts, of which the first two have 33 bits, so that small multiples of them are exact.
const halfPi1 = 1.5707963267341256
const halfPi2 = 6.077100506303966e-11
const halfPi3 = 2.0222662487959506e-21

/** Writes sin(theta) and cos(theta) to `out[0]` and `out[1]`, for theta in [0, 2 pi]. */
export function sinCos(theta: number, out: Float64Array): void {
  sines ??= pairTable(52, (i) => sineSeries(i, false))
  cosines ??= pairTable(52, (i) => sineSeries(i, true))
  // theta = quadrant pi/2 + r, r as a sum of two doubles
  const quadrant = Math.round(theta * (2 / Math.PI))
  const r1 = theta - quadrant * halfPi1
  const r2 = -quadrant * halfPi2
  let high = r1 + r2
  let low = sumError(r1, r2, high) - quadrant * halfPi3
  const isNegative = high < 0
  if (isNegative) {
    high = -high
    low = -low
  }
  // r = i / 64 + d
  const i = Math.round(high * 64)
  const d = high - i / 64
  const s = sines.high[i]
  const c = cosines.high[i]
  const dd = d * d
  const sineOfD = d * dd * (-1 / 6 + dd * (1 / 120 - dd / 5040)) + low
  const cosineOfD = dd * (-0.5 + dd * (1 / 24 - dd / 720)) - d * low
  const cd = c * d
  const sine1 = s + cd
  const sineRest =
    sumError(s, cd, sine1) +
    productError(c, d, cd) +
    cosines.low[i] * d +
    sines.low[i] +
    c * sineOfD +
    s * cosineOfD
  const sd = -s * d
  const cosine1 = c + sd
  const cosineRest =
    sumError(c, sd, cosine1) -
    productError(s, d, -sd) -
    sines.low[i] * d +
    cosines.low[i] -
    s * sineOfD +
    c * cosineOfD
  const sine = isNegative ? -(sine1 + sineRest) : sine1 + sineRest
  const cosine = cosine1 + cosineRest
  switch (quadrant & 3) {
    case 0:
      out[0] = sine
      out[1] = cosine
      return
    case 1:
      out[0] = cosine
      out[1] = -sine
      return
    case 2:
      out[0] = -sine
      out[1] = -cosine
      return
    default:
      out[0] = -cosine
      out[1] = sine
  }
}

const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)

// log 2 in two parts, of which the first has 42 bits, so that its multiples are exact.
const ln2High = Number(BigInt(Math.round(Math.LN2 * 2 ** 42))) * 2 ** -42
let ln2Low: number | undefined

/** The natural logarithm of a positive normal double. */
export function log(x: number): number {
  logs ??= pairTable(94, (i) => logSeries(firstReciprocal + i))
  // log 2 is -log(1/2), by the same series
  ln2Low ??= Number(logSeries(64) - BigInt(ln2High * 2 ** fractionBits)) * 2 ** -fractionBits
  // x = m 2^exponent, m in [1/sqrt(2), sqrt(2))
  float[0] = x
  let exponent = (words[1] >>> 20) - 1023
  words[1] = (words[1] & 0xfffff) | 0x3ff00000
  let m = float[0]
  if (m > Math.SQRT2) {
    m *= 0.5
    exponent++
  }
  // m (i / 128) = 1 + r, r as a sum of two doubles
  const i = Math.round(128 / m)
  const reciprocal = i / 128
  const product = m * reciprocal
  const r = product - 1
  const low = productError(m, reciprocal, product)
  const scaled = exponent * ln2High
  const high1 = scaled + logs.high[i - firstReciprocal]
  const high2 = high1 + r
  const series =
    r * r * (-0.5 + r * (1 / 3 + r * (-0.25 + r * (0.2 + r * (-1 / 6 + r * (1 / 7 + r * (-0.125 + r / 9)))))))
  const rest =
    sumError(scaled, logs.high[i - firstReciprocal], high1) +
    sumError(high1, r, high2) +
    exponent * ln2Low +
    logs.low[i - firstReciprocal] +
    (low - r * low) +
    series
  return high2 + rest
}
