// Systems with triangular matrices, and what Cholesky factors are made of and good for.

import { RuntimeError } from '../core/errors.ts'
import { eye } from '../ops/creation.ts'
import { matmul } from '../ops/matmul.ts'
import { apply, applyMany, checkTensor, type FunctionInfo, fn, type Op } from '../ops/op.ts'
import { recomputedOp } from '../ops/recomputed.ts'
import { expand, transpose } from '../ops/views.ts'
import { type NamedResult, namedResult } from '../tensor/return-types.ts'
import type { Tensor } from '../tensor/tensor.ts'
import {
  broadcastBatches,
  checkInfo,
  checkMatrices,
  checkSameDtype,
  checkSquare,
  eachItem,
  info,
} from './batches.ts'
import { deinterleaved, interleaved } from './complex-matrices.ts'
import { choleskyInPlace, solveTriangularInPlace } from './factorizations.ts'
import { transposed } from './spectral.ts'
import { solve } from './systems.ts'

/** The transposes of a batch of matrices. */
export const adjointOf = (x: Tensor): Tensor =>
  x.dtype.isComplex ? transpose(x, -2, -1).conj() : transpose(x, -2, -1)

interface TriangularAttributes {
  readonly upper: boolean
  readonly left: boolean
  readonly unit: boolean
}

const solveTriangularOp: Op<TriangularAttributes> = {
  node: 'LinalgSolveTriangularBackward0',
  forward: ([a, b], { upper, left, unit }) => {
    const n = a.sizes[a.ndim - 1]
    const [rows, columns] = b.sizes.slice(-2)
    const output = { sizes: [rows, columns], dtype: b.dtype }
    return eachItem([a, b], [2, 2], [output], ([matrix, right], [x]) => {
      if (left) {
        solveTriangularInPlace(matrix, n, right, columns, upper, unit)
        x.set(right)
      } else {
        // X A = B exactly if At Xt = Bt.
        const turned = transposed(right, rows, columns)
        solveTriangularInPlace(transposed(matrix, n, n), n, turned, rows, !upper, unit)
        x.set(transposed(turned, columns, rows))
      }
    })
  },
  saves: [0],
  savesOutputs: [0],
  backward: ([g], c) => {
    const { upper, left, unit } = c.attributes
    const a = c.input(0)
    const gradB = apply(solveTriangularOp, [adjointOf(a), g!], { upper: !upper, left, unit })
    if (!c.needs(0)) return [null, gradB]
    const x = c.output()
    const full = left ? matmul(gradB, adjointOf(x)).neg() : matmul(adjointOf(x), gradB).neg()
    const offset = unit ? 1 : 0
    return [upper ? full.triu(offset) : full.tril(-offset), c.needs(1) ? gradB : null]
  },
}

/** `solveTriangular` of batches of the same shape, without checks. */
export function triangularSystem(a: Tensor, b: Tensor, upper: boolean, left = true, unit = false): Tensor {
  if (a.dtype.isComplex) {
    // Rows and columns of a complex matrix are not next to each other in the real one, which is no triangle.
    const triangle = upper ? a.triu(unit ? 1 : 0) : a.tril(unit ? -1 : 0)
    const identity = () => eye(a.sizes[a.ndim - 1], { dtype: a.dtype, device: a.device })
    return solve(unit ? triangle.add(identity()) : triangle, b, { left })
  }
  return apply(solveTriangularOp, [a, b], { upper, left, unit })
}

/** Throws unless `b` has as many rows (or columns) as the equation needs. */
export function checkEquation(name: string, a: Tensor, b: Tensor, left: boolean): void {
  const n = a.sizes[a.ndim - 1]
  const [rows, columns] = b.sizes.slice(-2)
  if ((left ? rows : columns) !== n)
    throw new RuntimeError(
      `${name}: Incompatible shapes of A and B for the equation ${left ? 'AX = B' : 'XA = B'} (${a.sizes[a.ndim - 2]}x${n} and ${rows}x${columns})`,
    )
}

/** Options of `solveTriangular`. */
export interface SolveTriangularOptions {
  /** Whether A is upper triangular; what is on its other side is ignored. */
  upper: boolean
  /** Solve AX = B (default) rather than XA = B. */
  left?: boolean
  /** Take A's diagonal to be 1. */
  unitriangular?: boolean
}

/** The type of `solveTriangular`. */
export type SolveTriangular = (a: Tensor, b: Tensor, options: SolveTriangularOptions) => Tensor

/** Solves AX = B for triangular matrices A [..., n, n] and B [..., n, k]; batches broadcast. */
export const solveTriangular: SolveTriangular & FunctionInfo = fn<SolveTriangular>(
  'linalg.solve_triangular',
  ['A', 'B'],
  ['upper', 'left', 'unitriangular'],
  (a: Tensor, b: Tensor, { upper, left = true, unitriangular = false }: SolveTriangularOptions) => {
    const name = 'linalg.solve_triangular'
    checkSquare(name, a)
    checkMatrices(name, b, 'B')
    checkSameDtype(name, a, b)
    checkEquation(name, a, b, left)
    const [matrix, right] = broadcastBatches(a, b)
    return triangularSystem(matrix, right, upper, left, unitriangular)
  },
  { method: false, positional: 0 },
)

/** Options of `triangularSolve`. */
export interface TriangularSolveOptions {
  /** Default true. */
  upper?: boolean
  /** Solve with the transpose of A. */
  transpose?: boolean
  unitriangular?: boolean
}

/** The type of `triangularSolve`. */
export type TriangularSolve = (
  b: Tensor,
  a: Tensor,
  options?: TriangularSolveOptions,
) => NamedResult<{ solution: Tensor; clonedCoefficient: Tensor }>

interface TransposedAttributes {
  readonly upper: boolean
  readonly transpose: boolean
  readonly unit: boolean
}

const triangularSolveOp = recomputedOp<TransposedAttributes>(
  'TriangularSolveBackward0',
  2,
  ([b, a], { upper, transpose, unit }) =>
    transpose
      ? triangularSystem(adjointOf(a), b, !upper, true, unit)
      : triangularSystem(a, b, upper, true, unit),
)

/** The older form of `linalg.solveTriangular`: b first, A upper unless told otherwise; also gives a copy of A. */
export const triangularSolve: TriangularSolve & FunctionInfo = fn<TriangularSolve>(
  'triangular_solve',
  ['b', 'A'],
  ['upper', 'transpose', 'unitriangular'],
  (b: Tensor, a: Tensor, options: TriangularSolveOptions) => {
    checkSquare('triangular_solve', a)
    checkMatrices('triangular_solve', b, 'b')
    checkEquation('triangular_solve', a, b, true)
    const [matrix, right] = broadcastBatches(a, b)
    const attributes = {
      upper: options.upper ?? true,
      transpose: options.transpose ?? false,
      unit: options.unitriangular ?? false,
    }
    const { upper, transpose: turned, unit } = attributes
    const solution = a.dtype.isComplex
      ? triangularSystem(turned ? transpose(matrix, -2, -1) : matrix, right, upper !== turned, true, unit)
      : apply(triangularSolveOp, [right, matrix], attributes)
    return namedResult('triangular_solve', { solution, clonedCoefficient: matrix.clone() })
  },
  { positional: 0 },
)

// ---- Cholesky -------------------------------------------------------------------------------------------------------

interface CholeskyAttributes {
  readonly node: string
  readonly upper: boolean
}

const choleskyOp: Op<CholeskyAttributes> = {
  node: ({ node }) => node,
  forward: ([a], attributes) => {
    if (a.dtype.isComplex) {
      const [factor, infos] = choleskyOp.forward([interleaved(a)], attributes) as Tensor[]
      return [deinterleaved(factor), infos.add(1).floorDivide(2).to(infos.dtype)]
    }
    const { upper } = attributes
    const n = a.sizes[a.ndim - 1]
    return eachItem([a], [2], [{ sizes: [n, n], dtype: a.dtype }, info], ([matrix], [factor, code]) => {
      // The triangle that is read is the one asked for.
      const lower = upper ? transposed(matrix, n, n) : matrix
      code[0] = choleskyInPlace(lower, n)
      factor.set(upper ? transposed(lower, n, n) : lower)
    })
  },
  nonDifferentiable: [1],
  savesOutputs: [0],
  backward: ([g], c) => {
    const { upper } = c.attributes
    const factor = upper ? adjointOf(c.output()) : c.output()
    const gradient = upper ? adjointOf(g!) : g!
    const product = matmul(adjointOf(factor), gradient)
    // What is imaginary on the diagonal stays, as in PyTorch.
    const symmetric = product.tril().add(adjointOf(product.tril(-1)))
    const half = triangularSystem(adjointOf(factor), symmetric, true)
    return [triangularSystem(factor, half, false, false).mul(0.5)]
  },
}

const notPositive = (name: string) => (code: number) =>
  `${name}: The factorization could not be completed because the input is not positive-definite (the leading minor of order ${code} is not positive-definite).`

/** Options of the Cholesky functions. */
export interface CholeskyOptions {
  /** Give the upper factor U = Lt. */
  upper?: boolean
}

/** The type of `cholesky`. */
export type Cholesky = (a: Tensor, options?: CholeskyOptions) => Tensor

function choleskyFunction(name: string, node: string, method: boolean): Cholesky & FunctionInfo {
  return fn<Cholesky>(
    name,
    [method ? 'input' : 'A'],
    ['upper'],
    (a: Tensor, { upper = false }: CholeskyOptions) => {
      checkSquare(name, a)
      const [factor, infos] = applyMany(choleskyOp, [a], { node, upper })
      checkInfo(infos, notPositive(name))
      return factor
    },
    { method, positional: 0 },
  )
}

/** L with A = L Lt, L lower triangular; A [..., n, n] symmetric and positive definite. Throws LinAlgError if it is not. */
export const cholesky: Cholesky & FunctionInfo = choleskyFunction(
  'linalg.cholesky',
  'LinalgCholeskyExBackward0',
  false,
)

/** The older name of `linalg.cholesky`. */
export const torchCholesky: Cholesky & FunctionInfo = choleskyFunction('cholesky', 'CholeskyBackward0', true)

/** The type of `choleskyEx`. */
export type CholeskyEx = (
  a: Tensor,
  options?: CholeskyOptions & { checkErrors?: boolean },
) => NamedResult<{ L: Tensor; info: Tensor }>

/** `cholesky` that says in `info` where it failed: 0, or the order of the first minor that is not positive. */
export const choleskyEx: CholeskyEx & FunctionInfo = fn<CholeskyEx>(
  'linalg.cholesky_ex',
  ['A'],
  ['upper', 'checkErrors'],
  (a: Tensor, { upper = false, checkErrors = false }: CholeskyOptions & { checkErrors?: boolean }) => {
    checkSquare('linalg.cholesky_ex', a)
    const [L, infos] = applyMany(choleskyOp, [a], { node: 'LinalgCholeskyExBackward0', upper })
    if (checkErrors) checkInfo(infos, notPositive('linalg.cholesky_ex'))
    return namedResult('linalg_cholesky_ex', { L, info: infos })
  },
  { method: false, positional: 0 },
)

function factorSystem(factor: Tensor, b: Tensor, upper: boolean): Tensor {
  const lower = upper ? adjointOf(factor) : factor
  return triangularSystem(adjointOf(lower), triangularSystem(lower, b, false), true)
}

// The gradient of a factor from that of A, which both of its triangles get as in PyTorch.
function factorGradient(gradA: Tensor, factor: Tensor, upper: boolean): Tensor {
  const both = gradA.add(adjointOf(gradA))
  return upper ? matmul(factor, both) : matmul(both, factor)
}

const choleskySolveOp: Op<boolean> = {
  node: 'CholeskySolveBackward0',
  forward: ([b, factor], upper) => factorSystem(factor, b, upper),
  saves: [1],
  savesOutputs: [0],
  backward: ([g], c) => {
    const [factor, upper] = [c.input(1), c.attributes]
    const gradB = apply(choleskySolveOp, [g!, factor], upper)
    if (!c.needs(1)) return [gradB, null]
    const gradA = matmul(gradB, adjointOf(c.output())).neg()
    return [gradB, factorGradient(gradA, factor, upper)]
  },
}

const choleskyInverseOp: Op<boolean> = {
  node: 'CholeskyInverseBackward0',
  forward: ([factor], upper) => {
    const n = factor.sizes[factor.ndim - 1]
    return factorSystem(
      factor,
      expand(eye(n, { dtype: factor.dtype, device: factor.device }), factor.sizes),
      upper,
    )
  },
  saves: [0],
  savesOutputs: [0],
  backward: ([g], c) => {
    const inverse = c.output()
    return [factorGradient(matmul(matmul(inverse, g!), inverse).neg(), c.input(0), c.attributes)]
  },
}

/** The type of `choleskySolve`. */
export type CholeskySolve = (b: Tensor, factor: Tensor, options?: CholeskyOptions) => Tensor

/** Solves A X = B [..., n, k], given the Cholesky factor of A (lower, or upper if it says so). */
export const choleskySolve: CholeskySolve & FunctionInfo = fn<CholeskySolve>(
  'cholesky_solve',
  ['B', 'L'],
  ['upper'],
  (b: Tensor, factor: Tensor, { upper = false }: CholeskyOptions) => {
    checkTensor('cholesky_solve', 'B', b)
    if (b.ndim < 2)
      throw new RuntimeError(`b should have at least 2 dimensions, but has ${b.ndim} dimensions instead`)
    checkSquare('cholesky_solve', factor)
    checkEquation('cholesky_solve', factor, b, true)
    const [right, matrix] = broadcastBatches(b, factor)
    return apply(choleskySolveOp, [right, matrix], upper)
  },
  { positional: 0 },
)

/** The type of `choleskyInverse`. */
export type CholeskyInverse = (factor: Tensor, options?: CholeskyOptions) => Tensor

/** The inverse of A, given its Cholesky factor. */
export const choleskyInverse: CholeskyInverse & FunctionInfo = fn<CholeskyInverse>(
  'cholesky_inverse',
  ['L'],
  ['upper'],
  (factor: Tensor, { upper = false }: CholeskyOptions) => {
    checkSquare('cholesky_inverse', factor)
    return apply(choleskyInverseOp, [factor], upper)
  },
  { positional: 0 },
)
