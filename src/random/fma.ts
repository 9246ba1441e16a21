// Fused multiply-add in double precision, which JavaScript lacks and PyTorch's samplers use.
// (In float32 it needs no help: Math.fround(a * b + c), as the product of two float32 is exact in double.)

const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)

/** 2^27 + 1, which splits a double into two halves of 26 bits (Veltkamp). */
const splitter = 134217729

/**
 * `a * b + c` with one rounding, by error-free transformations (Boldo and Melquiond, 2008). Beyond about 1e290 or
 * below 1e-290, where those do not hold, it rounds twice.
 */
export function fma(a: number, b: number, c: number): number {
  const product = a * b
  const magnitude = Math.abs(product)
  if (
    c === 0 ||
    !(magnitude < 1e290) ||
    magnitude < 1e-290 ||
    !(Math.abs(a) < 1e290) ||
    !(Math.abs(b) < 1e290)
  )
    return product + c
  // product + productError is exactly a * b
  const aBig = a * splitter
  const aHigh = aBig - (aBig - a)
  const aLow = a - aHigh
  const bBig = b * splitter
  const bHigh = bBig - (bBig - b)
  const bLow = b - bHigh
  const productError = aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow
  if (productError === 0) return product + c
  const low = c + productError
  const lowError = sumError(c, productError, low)
  const sum = product + low
  const sumRest = sumError(product, low, sum)
  return sum + addToOdd(lowError, sumRest)
}

/** What the rounding of `sum = a + b` dropped. */
function sumError(a: number, b: number, sum: number): number {
  const bRounded = sum - a
  return a - (sum - bRounded) + (b - bRounded)
}

/** `a + b` rounded to odd: an inexact result gets an odd last bit, so that a second rounding is harmless. */
function addToOdd(a: number, b: number): number {
  const sum = a + b
  const error = sumError(a, b, sum)
  if (error === 0) return sum
  float[0] = sum
  if ((words[0] & 1) === 1) return sum
  // The exact value lies between this even neighbour and the odd one in the direction of the error.
  if (error > 0 === sum > 0) words[0] += 1
  else {
    if (words[0] === 0) words[1] -= 1
    words[0] -= 1
  }
  return float[0]
}
