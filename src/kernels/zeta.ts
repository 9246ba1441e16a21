// Hurwitz' zeta function.

// B(2k) / (2k)!, for Euler-Maclaurin sums.
const bernoulli = [
  1 / 12,
  -1 / 720,
  1 / 30240,
  -1 / 1209600,
  1 / 47900160,
  -691 / 1307674368000,
  1 / 74724249600,
  -3617 / 10670622842880000,
]

/** Hurwitz' zeta function: the sum of (q + k)^-x over k >= 0. Infinite at x = 1 and where q + k is 0; NaN for x < 1. */
export function zeta(x: number, q: number): number {
  if (x === 1) return Number.POSITIVE_INFINITY
  if (!(x > 1)) return Number.NaN
  if (q <= 0) {
    if (Math.floor(q) === q) return Number.POSITIVE_INFINITY
    if (!Number.isInteger(x)) return Number.NaN
  }
  // All terms but that of 1 vanish or grow without bound; JavaScript's 1 ** -Infinity is NaN.
  if (x === Number.POSITIVE_INFINITY)
    return q > 1 ? 0 : q === 1 ? 1 : q > 0 ? Number.POSITIVE_INFINITY : Number.NaN
  let sum = 0
  let a = q
  // Far enough from 0 for the terms below to fall off, or until nothing is added any more.
  while (a < 12 + x) {
    const term = a ** -x
    if (a > 0 && !(term > Math.abs(sum) * 1e-18)) return sum + term
    sum += term
    a += 1
  }
  // The rest by Euler and Maclaurin.
  let result = sum + a ** (1 - x) / (x - 1) + 0.5 * a ** -x
  let factor = x * a ** (-x - 1)
  for (let k = 0; k < bernoulli.length; k++) {
    result += bernoulli[k] * factor
    factor *= ((x + 2 * k + 1) * (x + 2 * k + 2)) / (a * a)
  }
  return result
}
