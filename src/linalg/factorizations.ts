// Factorisations of one dense matrix on the host: LU, Cholesky, Householder QR, triangular systems.
// Matrices are row-major Float64Arrays, changed in place.

/**
 * LU with partial pivoting: A becomes L (below the diagonal, its own diagonal being 1) and U. Row i was swapped with
 * row `pivots[i]`.
 * @returns 0, or the number (from 1) of the first pivot that is exactly 0.
 */
export function luInPlace(a: Float64Array, m: number, n: number, pivots: Float64Array, pivot = true): number {
  let info = 0
  for (let j = 0; j < Math.min(m, n); j++) {
    let best = j
    if (pivot)
      for (let i = j + 1; i < m; i++) if (Math.abs(a[i * n + j]) > Math.abs(a[best * n + j])) best = i
    pivots[j] = best
    if (best !== j) swapRows(a, n, j, best)
    const head = a[j * n + j]
    if (head === 0) {
      if (info === 0) info = j + 1
      continue
    }
    for (let i = j + 1; i < m; i++) {
      const factor = a[i * n + j] / head
      a[i * n + j] = factor
      if (factor !== 0) for (let k = j + 1; k < n; k++) a[i * n + k] -= factor * a[j * n + k]
    }
  }
  return info
}

function swapRows(a: Float64Array, n: number, i: number, j: number): void {
  for (let k = 0; k < n; k++) {
    const kept = a[i * n + k]
    a[i * n + k] = a[j * n + k]
    a[j * n + k] = kept
  }
}

/** Solves L U x = P b for all columns of `b` [n, columns], given `luInPlace`'s result. */
export function luSolveInPlace(
  lu: Float64Array,
  n: number,
  pivots: Float64Array,
  b: Float64Array,
  columns: number,
): void {
  for (let i = 0; i < n; i++) if (pivots[i] !== i) swapRows(b, columns, i, pivots[i])
  solveTriangularInPlace(lu, n, b, columns, false, true)
  solveTriangularInPlace(lu, n, b, columns, true, false)
}

/** Solves A x = b for all columns of `b` [n, columns], A triangular; with `unit` its diagonal is taken to be 1. */
export function solveTriangularInPlace(
  a: Float64Array,
  n: number,
  b: Float64Array,
  columns: number,
  upper: boolean,
  unit: boolean,
): void {
  for (let step = 0; step < n; step++) {
    const i = upper ? n - 1 - step : step
    const [from, to] = upper ? [i + 1, n] : [0, i]
    for (let k = from; k < to; k++) {
      const factor = a[i * n + k]
      if (factor !== 0) for (let c = 0; c < columns; c++) b[i * columns + c] -= factor * b[k * columns + c]
    }
    if (!unit) for (let c = 0; c < columns; c++) b[i * columns + c] /= a[i * n + i]
  }
}

/**
 * The Cholesky factor L of a symmetric matrix (its lower triangle is read) takes its place, zeros above.
 * @returns 0, or the order (from 1) of the first leading minor that is not positive.
 */
export function choleskyInPlace(a: Float64Array, n: number): number {
  for (let j = 0; j < n; j++) {
    let d = a[j * n + j]
    for (let k = 0; k < j; k++) d -= a[j * n + k] ** 2
    if (!(d > 0)) return j + 1
    const root = Math.sqrt(d)
    a[j * n + j] = root
    for (let i = j + 1; i < n; i++) {
      let s = a[i * n + j]
      for (let k = 0; k < j; k++) s -= a[i * n + k] * a[j * n + k]
      a[i * n + j] = s / root
    }
    for (let k = j + 1; k < n; k++) a[j * n + k] = 0
  }
  return 0
}

/** Householder QR as LAPACK's geqrf leaves it: R on and above the diagonal, the reflections' vectors below it. */
export function householderInPlace(a: Float64Array, m: number, n: number, tau: Float64Array): void {
  for (let j = 0; j < Math.min(m, n); j++) {
    let tail = 0
    for (let i = j + 1; i < m; i++) tail = Math.hypot(tail, a[i * n + j])
    const head = a[j * n + j]
    if (tail === 0) {
      tau[j] = 0
      continue
    }
    const beta = head >= 0 ? -Math.hypot(head, tail) : Math.hypot(head, tail)
    tau[j] = (beta - head) / beta
    for (let i = j + 1; i < m; i++) a[i * n + j] /= head - beta
    a[j * n + j] = beta
    for (let k = j + 1; k < n; k++) {
      let s = a[j * n + k]
      for (let i = j + 1; i < m; i++) s += a[i * n + j] * a[i * n + k]
      s *= tau[j]
      a[j * n + k] -= s
      for (let i = j + 1; i < m; i++) a[i * n + k] -= s * a[i * n + j]
    }
  }
}

/** The first `columns` columns [m, columns] of the product of the reflections in `a` [m, n]. */
export function householderColumns(
  a: Float64Array,
  m: number,
  n: number,
  tau: Float64Array,
  columns: number,
): Float64Array {
  const q = new Float64Array(m * columns)
  for (let j = 0; j < Math.min(m, columns); j++) q[j * columns + j] = 1
  for (let j = tau.length - 1; j >= 0; j--) {
    if (tau[j] === 0) continue
    for (let c = 0; c < columns; c++) {
      let s = q[j * columns + c]
      for (let i = j + 1; i < m; i++) s += a[i * n + j] * q[i * columns + c]
      s *= tau[j]
      q[j * columns + c] -= s
      for (let i = j + 1; i < m; i++) q[i * columns + c] -= s * a[i * n + j]
    }
  }
  return q
}
