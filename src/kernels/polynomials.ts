// Orthogonal polynomials on doubles, by their three-term recurrences. A degree below 0 gives 0.

// p(0), p(1), then p(k + 1) = next(k, p(k), p(k - 1)).
function recur(
  n: number,
  first: number,
  second: number,
  next: (k: number, p: number, q: number) => number,
): number {
  const degree = Math.trunc(n)
  if (degree < 0) return 0
  if (degree === 0) return first
  let [q, p] = [first, second]
  for (let k = 1; k < degree; k++) [q, p] = [p, next(k, p, q)]
  return p
}

export function chebyshevT(x: number, n: number): number {
  // The recurrence loses digits with the degree; inside [-1, 1] the cosine does not.
  if (n > 6 && Math.abs(x) < 1) return Math.cos(Math.trunc(n) * Math.acos(x))
  return recur(n, 1, x, (_, p, q) => 2 * x * p - q)
}

export function chebyshevU(x: number, n: number): number {
  return recur(n, 1, 2 * x, (_, p, q) => 2 * x * p - q)
}

export function chebyshevV(x: number, n: number): number {
  return recur(n, 1, 2 * x - 1, (_, p, q) => 2 * x * p - q)
}

export function chebyshevW(x: number, n: number): number {
  return recur(n, 1, 2 * x + 1, (_, p, q) => 2 * x * p - q)
}

export function shiftedChebyshevT(x: number, n: number): number {
  return chebyshevT(2 * x - 1, n)
}

export function shiftedChebyshevU(x: number, n: number): number {
  return chebyshevU(2 * x - 1, n)
}

export function shiftedChebyshevV(x: number, n: number): number {
  return chebyshevV(2 * x - 1, n)
}

export function shiftedChebyshevW(x: number, n: number): number {
  return chebyshevW(2 * x - 1, n)
}

/** The physicists' Hermite polynomial. */
export function hermiteH(x: number, n: number): number {
  return recur(n, 1, 2 * x, (k, p, q) => 2 * x * p - 2 * k * q)
}

/** The probabilists' Hermite polynomial. */
export function hermiteHe(x: number, n: number): number {
  return recur(n, 1, x, (k, p, q) => x * p - k * q)
}

export function laguerreL(x: number, n: number): number {
  return recur(n, 1, 1 - x, (k, p, q) => ((2 * k + 1 - x) * p - k * q) / (k + 1))
}

export function legendreP(x: number, n: number): number {
  return recur(n, 1, x, (k, p, q) => ((2 * k + 1) * x * p - k * q) / (k + 1))
}
