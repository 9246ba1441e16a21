// Eigenvalues of one symmetric matrix and singular values of any, on the host, with their vectors.
// Matrices are row-major Float64Arrays.

/**
 * Eigenvalues (ascending) and eigenvectors (columns) of a symmetric matrix: Householder's reduction to tridiagonal form
 * and implicit QL iterations (Bowdler, Martin, Reinsch and Wilkinson: EISPACK's tred2 and tql2).
 */
export function symmetricEigen(
  matrix: Float64Array,
  n: number,
): { values: Float64Array; vectors: Float64Array } {
  const v = matrix.slice()
  const d = new Float64Array(n)
  const e = new Float64Array(n)
  tridiagonalise(v, n, d, e)
  iterateQl(v, n, d, e)
  return sorted(v, n, d)
}

function tridiagonalise(v: Float64Array, n: number, d: Float64Array, e: Float64Array): void {
  for (let j = 0; j < n; j++) d[j] = v[(n - 1) * n + j]
  for (let i = n - 1; i > 0; i--) {
    let scale = 0
    let h = 0
    for (let k = 0; k < i; k++) scale += Math.abs(d[k])
    if (scale === 0) {
      e[i] = d[i - 1]
      for (let j = 0; j < i; j++) {
        d[j] = v[(i - 1) * n + j]
        v[i * n + j] = 0
        v[j * n + i] = 0
      }
    } else {
      for (let k = 0; k < i; k++) {
        d[k] /= scale
        h += d[k] * d[k]
      }
      let f = d[i - 1]
      let g = f > 0 ? -Math.sqrt(h) : Math.sqrt(h)
      e[i] = scale * g
      h -= f * g
      d[i - 1] = f - g
      for (let j = 0; j < i; j++) e[j] = 0
      for (let j = 0; j < i; j++) {
        f = d[j]
        v[j * n + i] = f
        g = e[j] + v[j * n + j] * f
        for (let k = j + 1; k <= i - 1; k++) {
          g += v[k * n + j] * d[k]
          e[k] += v[k * n + j] * f
        }
        e[j] = g
      }
      f = 0
      for (let j = 0; j < i; j++) {
        e[j] /= h
        f += e[j] * d[j]
      }
      const hh = f / (h + h)
      for (let j = 0; j < i; j++) e[j] -= hh * d[j]
      for (let j = 0; j < i; j++) {
        f = d[j]
        g = e[j]
        for (let k = j; k <= i - 1; k++) v[k * n + j] -= f * e[k] + g * d[k]
        d[j] = v[(i - 1) * n + j]
        v[i * n + j] = 0
      }
    }
    d[i] = h
  }
  for (let i = 0; i < n - 1; i++) {
    v[(n - 1) * n + i] = v[i * n + i]
    v[i * n + i] = 1
    const h = d[i + 1]
    if (h !== 0) {
      for (let k = 0; k <= i; k++) d[k] = v[k * n + i + 1] / h
      for (let j = 0; j <= i; j++) {
        let g = 0
        for (let k = 0; k <= i; k++) g += v[k * n + i + 1] * v[k * n + j]
        for (let k = 0; k <= i; k++) v[k * n + j] -= g * d[k]
      }
    }
    for (let k = 0; k <= i; k++) v[k * n + i + 1] = 0
  }
  for (let j = 0; j < n; j++) {
    d[j] = v[(n - 1) * n + j]
    v[(n - 1) * n + j] = 0
  }
  if (n > 0) v[n * n - 1] = 1
  e[0] = 0
}

function iterateQl(v: Float64Array, n: number, d: Float64Array, e: Float64Array): void {
  for (let i = 1; i < n; i++) e[i - 1] = e[i]
  if (n > 0) e[n - 1] = 0
  let f = 0
  let largest = 0
  for (let l = 0; l < n; l++) {
    largest = Math.max(largest, Math.abs(d[l]) + Math.abs(e[l]))
    let m = l
    while (m < n - 1 && Math.abs(e[m]) > Number.EPSILON * largest) m++
    if (m > l)
      for (let iteration = 0; iteration < 100; iteration++) {
        let g = d[l]
        let p = (d[l + 1] - g) / (2 * e[l])
        let r = p < 0 ? -Math.hypot(p, 1) : Math.hypot(p, 1)
        d[l] = e[l] / (p + r)
        d[l + 1] = e[l] * (p + r)
        const dl1 = d[l + 1]
        let h = g - d[l]
        for (let i = l + 2; i < n; i++) d[i] -= h
        f += h
        p = d[m]
        let c = 1
        let c2 = c
        let c3 = c
        const el1 = e[l + 1]
        let s = 0
        let s2 = 0
        for (let i = m - 1; i >= l; i--) {
          c3 = c2
          c2 = c
          s2 = s
          g = c * e[i]
          h = c * p
          r = Math.hypot(p, e[i])
          e[i + 1] = s * r
          s = e[i] / r
          c = p / r
          p = c * d[i] - s * g
          d[i + 1] = h + s * (c * g + s * d[i])
          for (let k = 0; k < n; k++) {
            h = v[k * n + i + 1]
            v[k * n + i + 1] = s * v[k * n + i] + c * h
            v[k * n + i] = c * v[k * n + i] - s * h
          }
        }
        p = (-s * s2 * c3 * el1 * e[l]) / dl1
        e[l] = s * p
        d[l] = c * p
        if (!(Math.abs(e[l]) > Number.EPSILON * largest)) break
      }
    d[l] += f
    e[l] = 0
  }
}

function sorted(
  v: Float64Array,
  n: number,
  d: Float64Array,
): { values: Float64Array; vectors: Float64Array } {
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => d[i] - d[j])
  const vectors = new Float64Array(n * n)
  for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) vectors[i * n + j] = v[i * n + order[j]]
  return { values: Float64Array.from(order, (i) => d[i]), vectors }
}

/** A = U diag(S) Vt: U [m, m], S descending, Vt [n, n]. Unless `full`, only the first min(m, n) of U's columns and Vt's rows. */
export interface Singular {
  readonly u: Float64Array
  readonly s: Float64Array
  readonly vt: Float64Array
}

/** The singular value decomposition, by one-sided Jacobi rotations (Hestenes 1958; Demmel and Veselić 1992). */
export function singularValues(a: Float64Array, m: number, n: number, full: boolean): Singular {
  if (m < n) {
    // A = U S Vt exactly if At = V S Ut.
    const { u, s, vt } = singularValues(transposed(a, m, n), n, m, full)
    return { u: transposed(vt, m, m), s, vt: transposed(u, n, full ? n : m) }
  }
  // Rows of `left` are the columns of A, turned until they are orthogonal; rows of `right` those of V.
  const left = transposed(a, m, n)
  const right = new Float64Array(n * n)
  for (let i = 0; i < n; i++) right[i * n + i] = 1
  for (let sweep = 0, turned = true; turned && sweep < 60; sweep++) {
    turned = false
    for (let p = 0; p < n - 1; p++)
      for (let q = p + 1; q < n; q++) turned = orthogonalise(left, right, m, n, p, q) || turned
  }
  const norms = Float64Array.from({ length: n }, (_, j) => normOfRow(left, m, j))
  const order = Array.from({ length: n }, (_, j) => j).sort((i, j) => norms[j] - norms[i])
  const s = Float64Array.from(order, (j) => norms[j])
  const columns = full ? m : n
  const basis: Float64Array[] = []
  const negligible = (s[0] ?? 0) * Number.EPSILON * m
  order.forEach((j) => {
    const row = left.slice(j * m, (j + 1) * m)
    basis.push(norms[j] > negligible ? row.map((x) => x / norms[j]) : nextUnit(basis, m))
  })
  while (basis.length < columns) basis.push(nextUnit(basis, m))
  const u = new Float64Array(m * columns)
  basis.forEach((row, j) => {
    for (let i = 0; i < m; i++) u[i * columns + j] = row[i]
  })
  const vt = new Float64Array(n * n)
  order.forEach((j, i) => {
    vt.set(right.subarray(j * n, (j + 1) * n), i * n)
  })
  return { u, s, vt }
}

/** The transpose of a matrix [m, n]. */
export function transposed(a: Float64Array, m: number, n: number): Float64Array {
  const t = new Float64Array(a.length)
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) t[j * m + i] = a[i * n + j]
  return t
}

// Turns rows p and q so that they are orthogonal, and says whether that was needed.
function orthogonalise(
  left: Float64Array,
  right: Float64Array,
  m: number,
  n: number,
  p: number,
  q: number,
): boolean {
  let [pp, qq, pq] = [0, 0, 0]
  for (let i = 0; i < m; i++) {
    const [x, y] = [left[p * m + i], left[q * m + i]]
    pp += x * x
    qq += y * y
    pq += x * y
  }
  if (!(Math.abs(pq) > Number.EPSILON * Math.sqrt(pp * qq)) || pq === 0) return false
  const zeta = (qq - pp) / (2 * pq)
  const t = (zeta >= 0 ? 1 : -1) / (Math.abs(zeta) + Math.hypot(1, zeta))
  const c = 1 / Math.hypot(1, t)
  rotate(left, m, p, q, c, c * t)
  rotate(right, n, p, q, c, c * t)
  return true
}

function rotate(a: Float64Array, m: number, p: number, q: number, c: number, s: number): void {
  for (let i = 0; i < m; i++) {
    const [x, y] = [a[p * m + i], a[q * m + i]]
    a[p * m + i] = c * x - s * y
    a[q * m + i] = s * x + c * y
  }
}

function normOfRow(a: Float64Array, m: number, j: number): number {
  let largest = 0
  for (let i = 0; i < m; i++) largest = Math.max(largest, Math.abs(a[j * m + i]))
  if (largest === 0 || !Number.isFinite(largest)) return largest
  let sum = 0
  for (let i = 0; i < m; i++) sum += (a[j * m + i] / largest) ** 2
  return largest * Math.sqrt(sum)
}

// A unit vector orthogonal to all of `basis`.
function nextUnit(basis: readonly Float64Array[], m: number): Float64Array {
  let best = new Float64Array(m)
  let bestNorm = 0
  for (let axis = 0; axis < m && bestNorm < 0.5; axis++) {
    const x = new Float64Array(m)
    x[axis] = 1
    // Twice, against rounding.
    for (let pass = 0; pass < 2; pass++)
      for (const b of basis) {
        let product = 0
        for (let i = 0; i < m; i++) product += b[i] * x[i]
        for (let i = 0; i < m; i++) x[i] -= product * b[i]
      }
    const norm = normOfRow(x, m, 0)
    if (norm > bestNorm) {
      bestNorm = norm
      best = x
    }
  }
  return bestNorm === 0 ? best : best.map((x) => x / bestNorm)
}
