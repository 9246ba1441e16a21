// Eigenvalues of one Hermitian matrix and singular values of any complex one, on the host, with their vectors, by Jacobi's rotations.
// Matrices are row-major Float64Arrays of pairs (real and imaginary part). spectral.ts has those of real matrices, eigenvalues.ts
// those of any matrix.

import type { Singular } from './spectral.ts'

/** Rotations converge quadratically; more sweeps are never needed but for what is not finite. */
const MOST_SWEEPS = 60

/** What makes the inner product re + i im of two vectors of squared norms pp and qq vanish: a phase, then a rotation; or null. */
function rotationFor(
  pp: number,
  qq: number,
  re: number,
  im: number,
): { c: number; s: number; phaseRe: number; phaseIm: number } | null {
  const size = Math.hypot(re, im)
  if (!(size > 0)) return null
  const zeta = (qq - pp) / (2 * size)
  const t = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.hypot(1, zeta))
  const c = 1 / Math.hypot(1, t)
  return { c, s: c * t, phaseRe: re / size, phaseIm: im / size }
}

// Of vectors x and y, `count` pairs `step` apart: y is turned back by the phase, then both are rotated.
function rotate(
  a: Float64Array,
  x: number,
  y: number,
  count: number,
  step: number,
  { c, s, phaseRe, phaseIm }: { c: number; s: number; phaseRe: number; phaseIm: number },
): void {
  for (let i = 0; i < count; i++) {
    const [p, q] = [x + i * step, y + i * step]
    const [pr, pi] = [a[p], a[p + 1]]
    const qr = a[q] * phaseRe + a[q + 1] * phaseIm
    const qi = a[q + 1] * phaseRe - a[q] * phaseIm
    a[p] = c * pr - s * qr
    a[p + 1] = c * pi - s * qi
    a[q] = s * pr + c * qr
    a[q + 1] = s * pi + c * qi
  }
}

/** The identity [n, n]. */
function identity(n: number): Float64Array {
  const one = new Float64Array(2 * n * n)
  for (let i = 0; i < n; i++) one[2 * (i * n + i)] = 1
  return one
}

/** The conjugate transpose of a matrix [m, n]. */
export function complexAdjoint(a: Float64Array, m: number, n: number): Float64Array {
  const t = new Float64Array(a.length)
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      t[2 * (j * m + i)] = a[2 * (i * n + j)]
      t[2 * (j * m + i) + 1] = -a[2 * (i * n + j) + 1]
    }
  return t
}

/** Eigenvalues (ascending) and eigenvectors (columns) of a Hermitian matrix: cyclic rotations (Jacobi 1846; Golub and Van Loan, 8.5). */
export function hermitianEigen(
  matrix: Float64Array,
  n: number,
): { values: Float64Array; vectors: Float64Array } {
  const a = matrix.slice()
  const v = identity(n)
  let norm = 0
  for (const x of a) norm += x * x
  const negligible = Number.EPSILON * Math.sqrt(norm)
  for (let sweep = 0, turned = true; turned && sweep < MOST_SWEEPS; sweep++) {
    turned = false
    for (let p = 0; p < n - 1; p++)
      for (let q = p + 1; q < n; q++) {
        const at = 2 * (p * n + q)
        if (!(Math.hypot(a[at], a[at + 1]) > negligible / n)) continue
        const rotation = rotationFor(a[2 * (p * n + p)], a[2 * (q * n + q)], a[at], a[at + 1])
        if (rotation === null) continue
        turned = true
        const adjoint = { ...rotation, phaseIm: -rotation.phaseIm }
        rotate(a, 2 * p, 2 * q, n, 2 * n, rotation)
        rotate(a, 2 * p * n, 2 * q * n, n, 2, adjoint)
        rotate(v, 2 * p, 2 * q, n, 2 * n, rotation)
      }
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[2 * (i * n + i)] - a[2 * (j * n + j)])
  const vectors = new Float64Array(2 * n * n)
  for (let i = 0; i < n; i++)
    order.forEach((from, j) => {
      vectors[2 * (i * n + j)] = v[2 * (i * n + from)]
      vectors[2 * (i * n + j) + 1] = v[2 * (i * n + from) + 1]
    })
  return { values: Float64Array.from(order, (i) => a[2 * (i * n + i)]), vectors }
}

/** The singular value decomposition, by one-sided rotations as `singularValues`. `u` and `vt` (V^H) hold pairs, `s` numbers. */
export function complexSingularValues(a: Float64Array, m: number, n: number, full: boolean): Singular {
  if (m < n) {
    // A = U S V^H exactly if A^H = V S U^H.
    const { u, s, vt } = complexSingularValues(complexAdjoint(a, m, n), n, m, full)
    return { u: complexAdjoint(vt, m, m), s, vt: complexAdjoint(u, n, full ? n : m) }
  }
  // Rows of `left` are the columns of A, turned until they are orthogonal; rows of `right` those of V.
  const left = new Float64Array(a.length)
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) left.set(a.subarray(2 * (i * n + j), 2 * (i * n + j) + 2), 2 * (j * m + i))
  const right = identity(n)
  for (let sweep = 0, turned = true; turned && sweep < MOST_SWEEPS; sweep++) {
    turned = false
    for (let p = 0; p < n - 1; p++)
      for (let q = p + 1; q < n; q++) {
        const [pp, qq] = [squaredNorm(left, m, p), squaredNorm(left, m, q)]
        const [re, im] = innerProduct(rowOf(left, m, p), rowOf(left, m, q))
        if (!(Math.hypot(re, im) > Number.EPSILON * Math.sqrt(pp * qq))) continue
        const rotation = rotationFor(pp, qq, re, im)
        if (rotation === null) continue
        turned = true
        rotate(left, 2 * p * m, 2 * q * m, m, 2, rotation)
        rotate(right, 2 * p * n, 2 * q * n, n, 2, rotation)
      }
  }
  const norms = Float64Array.from({ length: n }, (_, j) => Math.sqrt(squaredNorm(left, m, j)))
  const order = Array.from({ length: n }, (_, j) => j).sort((i, j) => norms[j] - norms[i])
  const s = Float64Array.from(order, (j) => norms[j])
  const negligible = (s[0] ?? 0) * Number.EPSILON * m
  const basis: Float64Array[] = []
  for (const j of order) {
    const row = rowOf(left, m, j)
    basis.push(norms[j] > negligible ? row.map((x) => x / norms[j]) : nextUnit(basis, m))
  }
  const columns = full ? m : n
  while (basis.length < columns) basis.push(nextUnit(basis, m))
  const u = new Float64Array(2 * m * columns)
  basis.forEach((row, j) => {
    for (let i = 0; i < m; i++) u.set(row.subarray(2 * i, 2 * i + 2), 2 * (i * columns + j))
  })
  // Rows of V^H are the conjugates of V's columns.
  const vt = new Float64Array(2 * n * n)
  order.forEach((j, i) => {
    for (let k = 0; k < n; k++) {
      vt[2 * (i * n + k)] = right[2 * (j * n + k)]
      vt[2 * (i * n + k) + 1] = -right[2 * (j * n + k) + 1]
    }
  })
  return { u, s, vt }
}

function squaredNorm(rows: Float64Array, m: number, p: number): number {
  let sum = 0
  for (let i = 2 * p * m; i < 2 * (p + 1) * m; i++) sum += rows[i] * rows[i]
  return sum
}

const rowOf = (rows: Float64Array, m: number, p: number): Float64Array =>
  rows.subarray(2 * p * m, 2 * (p + 1) * m)

// The conjugate of x times y.
function innerProduct(x: Float64Array, y: Float64Array): [re: number, im: number] {
  let [re, im] = [0, 0]
  for (let i = 0; i < x.length; i += 2) {
    re += x[i] * y[i] + x[i + 1] * y[i + 1]
    im += x[i] * y[i + 1] - x[i + 1] * y[i]
  }
  return [re, im]
}

// A unit vector orthogonal to all of `basis`.
function nextUnit(basis: readonly Float64Array[], m: number): Float64Array {
  let best = new Float64Array(2 * m)
  let bestNorm = 0
  for (let axis = 0; axis < m && bestNorm < 0.5; axis++) {
    const x = new Float64Array(2 * m)
    x[2 * axis] = 1
    // Twice, against rounding.
    for (let pass = 0; pass < 2; pass++)
      for (const b of basis) {
        const [re, im] = innerProduct(b, x)
        for (let i = 0; i < 2 * m; i += 2) {
          x[i] -= re * b[i] - im * b[i + 1]
          x[i + 1] -= re * b[i + 1] + im * b[i]
        }
      }
    const norm = Math.sqrt(squaredNorm(x, m, 0))
    if (norm > bestNorm) {
      bestNorm = norm
      best = x
    }
  }
  return bestNorm === 0 ? best : best.map((x) => x / bestNorm)
}
