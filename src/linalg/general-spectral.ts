// Eigenvalues and eigenvectors of one matrix without symmetry, on the host: the complex Schur form by shifted QR steps. Matrices are
// row-major Float64Arrays of pairs (real and imaginary part). spectral.ts has symmetric matrices, complex-spectral.ts Hermitian ones.

/** Eigenvalues [n] and eigenvectors (columns of unit length) [n, n], both pairs. */
export interface GeneralEigen {
  readonly values: Float64Array
  readonly vectors: Float64Array
}

/** QR steps for one eigenvalue; about three are usual. */
const MOST_STEPS = 60

/**
 * A plane rotation [c, s; -s*, c], c real, that takes (f, g) to (r, 0). Golub and Van Loan, 5.1.13.
 */
interface Rotation {
  readonly c: number
  readonly re: number
  readonly im: number
}

function rotationOf(fr: number, fi: number, gr: number, gi: number): Rotation {
  const g = Math.hypot(gr, gi)
  if (g === 0) return { c: 1, re: 0, im: 0 }
  const f = Math.hypot(fr, fi)
  if (f === 0) return { c: 0, re: gr / g, im: -gi / g }
  const r = Math.hypot(f, g)
  // s = f / |f| times the conjugate of g, over r.
  return { c: f / r, re: (fr * gr + fi * gi) / f / r, im: (fi * gr - fr * gi) / f / r }
}

// Rows i and k from column `from` on, turned by a rotation.
function turnRows(a: Float64Array, n: number, i: number, k: number, from: number, r: Rotation): void {
  for (let j = from; j < n; j++) {
    const [p, q] = [2 * (i * n + j), 2 * (k * n + j)]
    const [x, y, z, w] = [a[p], a[p + 1], a[q], a[q + 1]]
    a[p] = r.c * x + r.re * z - r.im * w
    a[p + 1] = r.c * y + r.re * w + r.im * z
    a[q] = r.c * z - r.re * x - r.im * y
    a[q + 1] = r.c * w - r.re * y + r.im * x
  }
}

// Columns i and k up to row `to`, turned by the adjoint of a rotation.
function turnColumns(a: Float64Array, n: number, i: number, k: number, to: number, r: Rotation): void {
  for (let j = 0; j < to; j++) {
    const [p, q] = [2 * (j * n + i), 2 * (j * n + k)]
    const [x, y, z, w] = [a[p], a[p + 1], a[q], a[q + 1]]
    a[p] = r.c * x + r.re * z + r.im * w
    a[p + 1] = r.c * y + r.re * w - r.im * z
    a[q] = r.c * z - r.re * x + r.im * y
    a[q + 1] = r.c * w - r.re * y - r.im * x
  }
}

const sizeAt = (a: Float64Array, at: number): number => Math.hypot(a[at], a[at + 1])

/** A = Z T Z^H: T, upper triangular, takes the place of A. Returns Z. */
function schur(a: Float64Array, n: number): Float64Array {
  const z = new Float64Array(2 * n * n)
  for (let i = 0; i < n; i++) z[2 * (i * n + i)] = 1
  const at = (i: number, j: number) => 2 * (i * n + j)
  // Hessenberg's form: each column is cleared from below, neighbouring rows at a time.
  for (let j = 0; j < n - 2; j++)
    for (let i = n - 1; i > j + 1; i--) {
      const [f, g] = [at(i - 1, j), at(i, j)]
      const rotation = rotationOf(a[f], a[f + 1], a[g], a[g + 1])
      turnRows(a, n, i - 1, i, j, rotation)
      turnColumns(a, n, i - 1, i, n, rotation)
      turnColumns(z, n, i - 1, i, n, rotation)
      a[g] = a[g + 1] = 0
    }
  let norm = 0
  for (const x of a) norm = Math.max(norm, Math.abs(x))
  for (let high = n - 1, steps = 0; high > 0; ) {
    let low = high
    while (low > 0) {
      const neighbours = sizeAt(a, at(low, low)) + sizeAt(a, at(low - 1, low - 1))
      if (!(sizeAt(a, at(low, low - 1)) > Number.EPSILON * (neighbours || norm))) break
      low--
    }
    if (low > 0) a[at(low, low - 1)] = a[at(low, low - 1) + 1] = 0
    if (low === high) {
      high--
      steps = 0
      continue
    }
    if (++steps > MOST_STEPS) break
    const [re, im] = steps % 11 === 10 ? exceptionalShift(a, n, high) : wilkinsonShift(a, n, high)
    qrStep(a, z, n, low, high, re, im)
  }
  return z
}

// The eigenvalue of the last 2 x 2 block that is nearer to its last element.
function wilkinsonShift(a: Float64Array, n: number, high: number): [re: number, im: number] {
  const [p, q] = [2 * ((high - 1) * n + high - 1), 2 * (high * n + high - 1)]
  const [ar, ai, br, bi] = [a[p], a[p + 1], a[p + 2], a[p + 3]]
  const [cr, ci, dr, di] = [a[q], a[q + 1], a[q + 2], a[q + 3]]
  const [hr, hi] = [(ar - dr) / 2, (ai - di) / 2]
  // root = sqrt(h^2 + b c)
  const [sr, si] = [hr * hr - hi * hi + br * cr - bi * ci, 2 * hr * hi + br * ci + bi * cr]
  const size = Math.hypot(sr, si)
  let rootRe = Math.sqrt((size + sr) / 2)
  let rootIm = (si < 0 ? -1 : 1) * Math.sqrt(Math.max(0, (size - sr) / 2))
  if (hr * rootRe + hi * rootIm < 0) [rootRe, rootIm] = [-rootRe, -rootIm]
  // d - b c / (h + root)
  const [er, ei] = [hr + rootRe, hi + rootIm]
  const square = er * er + ei * ei
  if (square === 0) return [dr, di]
  const [tr, ti] = [br * cr - bi * ci, br * ci + bi * cr]
  return [dr - (tr * er + ti * ei) / square, di - (ti * er - tr * ei) / square]
}

// Against cycles.
function exceptionalShift(a: Float64Array, n: number, high: number): [re: number, im: number] {
  const size = sizeAt(a, 2 * (high * n + high - 1))
  return [a[2 * (high * n + high)] + size, a[2 * (high * n + high) + 1]]
}

// H - shift = Q R, then R Q + shift, in rows and columns low to high; the rest of H and Z follow.
function qrStep(
  a: Float64Array,
  z: Float64Array,
  n: number,
  low: number,
  high: number,
  re: number,
  im: number,
): void {
  for (let i = low; i <= high; i++) {
    a[2 * (i * n + i)] -= re
    a[2 * (i * n + i) + 1] -= im
  }
  const rotations: Rotation[] = []
  for (let i = low; i < high; i++) {
    const [f, g] = [2 * (i * n + i), 2 * ((i + 1) * n + i)]
    const rotation = rotationOf(a[f], a[f + 1], a[g], a[g + 1])
    turnRows(a, n, i, i + 1, i, rotation)
    rotations.push(rotation)
  }
  rotations.forEach((rotation, step) => {
    const i = low + step
    turnColumns(a, n, i, i + 1, Math.min(i + 2, high + 1), rotation)
    turnColumns(z, n, i, i + 1, n, rotation)
  })
  for (let i = low; i <= high; i++) {
    a[2 * (i * n + i)] += re
    a[2 * (i * n + i) + 1] += im
  }
}

/** Eigenvalues and eigenvectors of any square matrix, given as pairs. */
export function generalEigen(matrix: Float64Array, n: number): GeneralEigen {
  const t = matrix.slice()
  const z = schur(t, n)
  let norm = 0
  for (const x of t) norm = Math.max(norm, Math.abs(x))
  const least = Number.EPSILON * (norm || 1)
  const values = new Float64Array(2 * n)
  const vectors = new Float64Array(2 * n * n)
  const x = new Float64Array(2 * n)
  for (let k = 0; k < n; k++) {
    const [re, im] = t.subarray(2 * (k * n + k))
    values.set([re, im], 2 * k)
    // (T - lambda) x = 0, from the diagonal upwards.
    x.fill(0)
    x[2 * k] = 1
    for (let i = k - 1; i >= 0; i--) {
      let [sr, si] = [0, 0]
      for (let j = i + 1; j <= k; j++) {
        const [p, q] = t.subarray(2 * (i * n + j))
        sr -= p * x[2 * j] - q * x[2 * j + 1]
        si -= p * x[2 * j + 1] + q * x[2 * j]
      }
      let [dr, di] = [t[2 * (i * n + i)] - re, t[2 * (i * n + i) + 1] - im]
      // Equal eigenvalues: the vector is what it is the limit of.
      if (Math.hypot(dr, di) < least) [dr, di] = [least, 0]
      const square = dr * dr + di * di
      x[2 * i] = (sr * dr + si * di) / square
      x[2 * i + 1] = (si * dr - sr * di) / square
    }
    setUnit(vectors, z, x, n, k)
  }
  return { values, vectors }
}

// Column k becomes Z x of unit length, its largest element real, as LAPACK has it.
function setUnit(vectors: Float64Array, z: Float64Array, x: Float64Array, n: number, k: number): void {
  const v = new Float64Array(2 * n)
  let [sum, largest, at] = [0, -1, 0]
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= k; j++) {
      const [p, q] = z.subarray(2 * (i * n + j))
      v[2 * i] += p * x[2 * j] - q * x[2 * j + 1]
      v[2 * i + 1] += p * x[2 * j + 1] + q * x[2 * j]
    }
    const size = v[2 * i] ** 2 + v[2 * i + 1] ** 2
    sum += size
    if (size > largest) [largest, at] = [size, i]
  }
  const scale = Math.sqrt(largest) * Math.sqrt(sum)
  const [cr, ci] = [v[2 * at] / scale, -v[2 * at + 1] / scale]
  for (let i = 0; i < n; i++) {
    vectors[2 * (i * n + k)] = v[2 * i] * cr - v[2 * i + 1] * ci
    vectors[2 * (i * n + k) + 1] = i === at ? 0 : v[2 * i] * ci + v[2 * i + 1] * cr
  }
}

/**
 * The same for a real matrix [n, n], given as numbers: real eigenvalues have real vectors, the others come as neighbouring conjugate
 * pairs, the positive imaginary part first.
 */
export function realEigen(matrix: Float64Array, n: number): GeneralEigen {
  const pairs = new Float64Array(2 * n * n)
  let norm = 0
  matrix.forEach((x, i) => {
    pairs[2 * i] = x
    norm = Math.max(norm, Math.abs(x))
  })
  const { values: found, vectors: columns } = generalEigen(pairs, n)
  const values = new Float64Array(2 * n)
  const vectors = new Float64Array(2 * n * n)
  const rest = Array.from({ length: n }, (_, k) => k)
  // How far from its conjugate the eigenvalue nearest to that may be.
  const distance = (i: number, j: number) =>
    Math.hypot(found[2 * i] - found[2 * j], found[2 * i + 1] + found[2 * j + 1])
  let done = 0
  const put = (k: number, imaginary: number) => {
    values.set([found[2 * k], imaginary], 2 * done)
    for (let i = 0; i < n; i++) {
      vectors[2 * (i * n + done)] = columns[2 * (i * n + k)]
      vectors[2 * (i * n + done) + 1] =
        imaginary === 0 ? 0 : columns[2 * (i * n + k) + 1] * Math.sign(imaginary * found[2 * k + 1])
    }
    done++
  }
  while (rest.length > 0) {
    const k = rest.shift()!
    const partner = rest.reduce((best, j) => (best < 0 || distance(k, j) < distance(k, best) ? j : best), -1)
    const isReal = Math.abs(found[2 * k + 1]) <= 16 * n * Number.EPSILON * norm
    if (isReal || partner < 0 || distance(k, k) < distance(k, partner)) put(k, 0)
    else {
      rest.splice(rest.indexOf(partner), 1)
      const size = Math.abs(found[2 * k + 1])
      put(k, size)
      put(k, -size)
    }
  }
  return { values, vectors }
}
