// Factorisations of one dense complex matrix on the host: LU, Householder QR. Matrices are row-major Float64Arrays of pairs (real and
// imaginary part), changed in place. factorizations.ts has those of real matrices.

/** LU with partial pivoting, as `luInPlace`; pivots are the largest by |Re| + |Im|, as in LAPACK. */
export function complexLuInPlace(a: Float64Array, m: number, n: number, pivots: Float64Array): number {
  let info = 0
  const size = (i: number, j: number) => Math.abs(a[2 * (i * n + j)]) + Math.abs(a[2 * (i * n + j) + 1])
  for (let j = 0; j < Math.min(m, n); j++) {
    let best = j
    for (let i = j + 1; i < m; i++) if (size(i, j) > size(best, j)) best = i
    pivots[j] = best
    if (best !== j) swapRows(a, n, j, best)
    const [re, im] = a.subarray(2 * (j * n + j))
    const square = re * re + im * im
    if (square === 0) {
      if (info === 0) info = j + 1
      continue
    }
    for (let i = j + 1; i < m; i++) {
      const at = 2 * (i * n + j)
      const [x, y] = [a[at], a[at + 1]]
      a[at] = (x * re + y * im) / square
      a[at + 1] = (y * re - x * im) / square
      subtractScaled(a, 2 * (i * n + j + 1), 2 * (j * n + j + 1), n - j - 1, a[at], a[at + 1])
    }
  }
  return info
}

function swapRows(a: Float64Array, n: number, i: number, j: number): void {
  const kept = a.slice(2 * i * n, 2 * (i + 1) * n)
  a.copyWithin(2 * i * n, 2 * j * n, 2 * (j + 1) * n)
  a.set(kept, 2 * j * n)
}

// row at `target` -= (re + i im) * row at `source`, `count` elements.
function subtractScaled(
  a: Float64Array,
  target: number,
  source: number,
  count: number,
  re: number,
  im: number,
): void {
  for (let k = 0; k < 2 * count; k += 2) {
    const [x, y] = [a[source + k], a[source + k + 1]]
    a[target + k] -= re * x - im * y
    a[target + k + 1] -= re * y + im * x
  }
}

/**
 * Householder QR as LAPACK's zgeqrf leaves it: R, whose diagonal is real, on and above the diagonal, the vectors of the reflections
 * I - tau v v^H below it.
 */
export function complexHouseholderInPlace(a: Float64Array, m: number, n: number, tau: Float64Array): void {
  for (let j = 0; j < Math.min(m, n); j++) {
    let tail = 0
    for (let i = j + 1; i < m; i++) tail = Math.hypot(tail, a[2 * (i * n + j)], a[2 * (i * n + j) + 1])
    const head = 2 * (j * n + j)
    const [re, im] = [a[head], a[head + 1]]
    tau[2 * j] = 0
    tau[2 * j + 1] = 0
    if (tail === 0 && im === 0) continue
    const beta = re >= 0 ? -Math.hypot(re, im, tail) : Math.hypot(re, im, tail)
    tau[2 * j] = (beta - re) / beta
    tau[2 * j + 1] = -im / beta
    // v = x / (head - beta)
    const square = (re - beta) ** 2 + im ** 2
    for (let i = j + 1; i < m; i++) {
      const at = 2 * (i * n + j)
      const [x, y] = [a[at], a[at + 1]]
      a[at] = (x * (re - beta) + y * im) / square
      a[at + 1] = (y * (re - beta) - x * im) / square
    }
    a[head] = beta
    a[head + 1] = 0
    // The adjoint of the reflection makes the column R's.
    for (let k = j + 1; k < n; k++) reflectColumn(a, n, m, j, tau[2 * j], -tau[2 * j + 1], a, n, k)
  }
}

/** The first `columns` columns [m, columns] of the product of the reflections in `a` [m, n]. */
export function complexHouseholderColumns(
  a: Float64Array,
  m: number,
  n: number,
  tau: Float64Array,
  columns: number,
): Float64Array {
  const q = new Float64Array(2 * m * columns)
  for (let j = 0; j < Math.min(m, columns); j++) q[2 * (j * columns + j)] = 1
  for (let j = tau.length / 2 - 1; j >= 0; j--)
    for (let c = 0; c < columns; c++) reflectColumn(a, n, m, j, tau[2 * j], tau[2 * j + 1], q, columns, c)
  return q
}

// Column `k` of `x` [m, width] -= tau v v^H times it, with the vector v in column `j` of `a` [m, n], whose head is 1.
function reflectColumn(
  a: Float64Array,
  n: number,
  m: number,
  j: number,
  tauRe: number,
  tauIm: number,
  x: Float64Array,
  width: number,
  k: number,
): void {
  let [re, im] = [x[2 * (j * width + k)], x[2 * (j * width + k) + 1]]
  for (let i = j + 1; i < m; i++) {
    const [v, w] = [a[2 * (i * n + j)], a[2 * (i * n + j) + 1]]
    const [p, q] = [x[2 * (i * width + k)], x[2 * (i * width + k) + 1]]
    re += v * p + w * q
    im += v * q - w * p
  }
  const [s, t] = [tauRe * re - tauIm * im, tauRe * im + tauIm * re]
  x[2 * (j * width + k)] -= s
  x[2 * (j * width + k) + 1] -= t
  for (let i = j + 1; i < m; i++) {
    const [v, w] = [a[2 * (i * n + j)], a[2 * (i * n + j) + 1]]
    x[2 * (i * width + k)] -= s * v - t * w
    x[2 * (i * width + k) + 1] -= s * w + t * v
  }
}
