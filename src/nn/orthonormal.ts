// An orthonormal basis of a matrix's columns, by Householder reflections in double precision.

/**
 * The factor Q of the QR factorisation in which the diagonal of R is not negative: unique where the columns are
 * independent. A column that depends on those before it becomes zero.
 * @param a `rows * cols` elements, column by column, rows >= cols; overwritten
 * @returns Q, column by column.
 */
export function orthonormalize(a: Float64Array, rows: number, cols: number): Float64Array {
  const signs = new Float64Array(cols)
  // The vectors of the reflections take the place of the columns, from the diagonal on.
  for (let k = 0; k < cols; k++) {
    const v = k * rows + k
    signs[k] = makeReflection(a, v, rows - k)
    for (let j = k + 1; j < cols; j++) reflect(a, v, a, j * rows + k, rows - k)
  }
  const q = new Float64Array(rows * cols)
  for (let k = cols - 1; k >= 0; k--) {
    q[k * rows + k] = 1
    for (let j = k; j < cols; j++) reflect(a, k * rows + k, q, j * rows + k, rows - k)
  }
  for (let k = 0; k < cols; k++) for (let i = k * rows; i < (k + 1) * rows; i++) q[i] *= signs[k]
  return q
}

/**
 * Replaces the `n` elements x at `at` by the vector v of the reflection I - v v^T that takes x to a multiple of the
 * first unit vector. Returns that multiple's sign.
 */
function makeReflection(a: Float64Array, at: number, n: number): number {
  let largest = 0
  for (let i = 0; i < n; i++) largest = Math.max(largest, Math.abs(a[at + i]))
  if (largest === 0) return 0
  let sum = 0
  for (let i = 0; i < n; i++) sum += (a[at + i] / largest) ** 2
  const norm = Math.sqrt(sum) * largest
  // Away from zero, so that nothing cancels in the first element.
  const target = a[at] > 0 ? -norm : norm
  const scale = 1 / Math.sqrt(norm * (norm + Math.abs(a[at])))
  a[at] -= target
  for (let i = 0; i < n; i++) a[at + i] *= scale
  return Math.sign(target)
}

/** Applies the reflection whose vector is at `v` to the `n` elements of `target` from `at` on. */
function reflect(vectors: Float64Array, v: number, target: Float64Array, at: number, n: number): void {
  let dot = 0
  for (let i = 0; i < n; i++) dot += vectors[v + i] * target[at + i]
  if (dot === 0) return
  for (let i = 0; i < n; i++) target[at + i] -= dot * vectors[v + i]
}
