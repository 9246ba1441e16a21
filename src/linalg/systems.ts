// Square systems: solve, inverse, determinants.

import { realOf } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { where } from '../ops/choices.ts'
import { complex, imag } from '../ops/complex.ts'
import { onHost } from '../ops/host.ts'
import { indexVector } from '../ops/index-vector.ts'
import { stack } from '../ops/joining.ts'
import { matmul } from '../ops/matmul.ts'
import { apply, applyMany, type FunctionInfo, fn, type Op } from '../ops/op.ts'
import { squeeze, unsqueeze } from '../ops/views.ts'
import { type NamedResult, namedResult } from '../tensor/return-types.ts'
import type { Tensor } from '../tensor/tensor.ts'
import {
  broadcastBatches,
  checkInfo,
  checkPrecision,
  checkSameDtype,
  checkSquare,
  eachItem,
  info,
} from './batches.ts'
import { complexLuInPlace } from './complex-factorizations.ts'
import { embedded, extracted, ofEmbedded } from './complex-matrices.ts'
import { luInPlace, luSolveInPlace } from './factorizations.ts'
import { singularVectors } from './singular.ts'
import { transposed } from './spectral.ts'
import { adjointOf, checkEquation } from './triangular.ts'

// ---- solve ------------------------------------------------------------------------------------------------------------

interface SolveAttributes {
  readonly left: boolean
  /** Whether the right side holds vectors rather than matrices. */
  readonly vector: boolean
}

const solveOp: Op<SolveAttributes> = {
  node: 'LinalgSolveExBackward0',
  forward: ([a, b], { left, vector }) => {
    const n = a.sizes[a.ndim - 1]
    const own = b.sizes.slice(vector ? -1 : -2)
    const outputs = [{ sizes: own, dtype: b.dtype }, info]
    return eachItem([a, b], [2, vector ? 1 : 2], outputs, ([matrix, right], [x, code]) => {
      const pivots = new Float64Array(n)
      const count = n === 0 ? 0 : right.length / n
      const turned = left ? matrix : transposed(matrix, n, n)
      code[0] = luInPlace(turned, n, n, pivots)
      if (left) {
        luSolveInPlace(turned, n, pivots, right, count)
        x.set(right)
      } else {
        const columns = transposed(right, count, n)
        luSolveInPlace(turned, n, pivots, columns, count)
        x.set(transposed(columns, n, count))
      }
    })
  },
  nonDifferentiable: [1],
  saves: [0],
  savesOutputs: [0],
  backward: ([g], c) => {
    const { left, vector } = c.attributes
    const gradB = applyMany(solveOp, [adjointOf(c.input(0)), g!], c.attributes)[0]
    if (!c.needs(0)) return [null, gradB]
    const x = c.output(0)
    const gradA = vector
      ? matmul(unsqueeze(gradB, -1), unsqueeze(x, -2))
      : left
        ? matmul(gradB, adjointOf(x))
        : matmul(adjointOf(x), gradB)
    return [gradA.neg(), c.needs(1) ? gradB : null]
  },
}

/** Options of `solve`. */
export interface SolveOptions {
  /** Solve AX = B (default) rather than XA = B. */
  left?: boolean
}

function runSolve(name: string, a: Tensor, b: Tensor, left: boolean): readonly Tensor[] {
  checkSquare(name, a)
  checkPrecision(name, b)
  checkSameDtype(name, a, b)
  // A batch of vectors, by NumPy's rule: of A's shape without its last dimension.
  const vector = b.ndim === 1 || (a.ndim - 1 === b.ndim && b.sizes.every((n, d) => n === a.sizes[d]))
  if (vector && !left)
    throw new RuntimeError(
      `${name}: Vector broadcasting of the left hand side is not supported for left=False. In this case linalg.solve is equivalent to B / A.squeeze(-1)`,
    )
  if (!vector) checkEquation(name, a, b, left)
  else checkEquation(name, a, unsqueeze(b, -1), left)
  if (a.dtype.isComplex) {
    const [x, infos] = runSolve(name, embedded(a), embedded(vector ? unsqueeze(b, -1) : b), left)
    return [vector ? squeeze(extracted(x), -1) : extracted(x), infos]
  }
  const [matrix, right] = broadcastBatches(a, b, [2, vector ? 1 : 2])
  return applyMany(solveOp, [matrix, right], { left, vector })
}

/** The type of `solve`. */
export type Solve = (a: Tensor, b: Tensor, options?: SolveOptions) => Tensor

/**
 * Solves AX = B: A [..., n, n], B [..., n, k] or vectors [..., n]; batches broadcast.
 * @throws LinAlgError where a matrix is singular; RuntimeError for shapes that do not fit.
 */
export const solve: Solve & FunctionInfo = fn<Solve>(
  'linalg.solve',
  ['A', 'B'],
  ['left'],
  (a: Tensor, b: Tensor, { left = true }: SolveOptions) => {
    const [x, infos] = runSolve('linalg.solve', a, b, left)
    checkInfo(infos, () => 'torch.linalg.solve: The solver failed because the input matrix is singular.')
    return x
  },
  { method: false, positional: 0 },
)

/** The type of `solveEx`. */
export type SolveEx = (
  a: Tensor,
  b: Tensor,
  options?: SolveOptions & { checkErrors?: boolean },
) => NamedResult<{ result: Tensor; info: Tensor }>

/** `solve` that says in `info` which pivot (from 1) is zero, or 0. */
export const solveEx: SolveEx & FunctionInfo = fn<SolveEx>(
  'linalg.solve_ex',
  ['A', 'B'],
  ['left', 'checkErrors'],
  (a: Tensor, b: Tensor, { left = true, checkErrors = false }: SolveOptions & { checkErrors?: boolean }) => {
    const [x, infos] = runSolve('linalg.solve_ex', a, b, left)
    if (checkErrors)
      checkInfo(infos, () => 'torch.linalg.solve_ex: The solver failed because the input matrix is singular.')
    return namedResult('linalg_solve_ex', { result: x, info: infos })
  },
  { method: false, positional: 0 },
)

// ---- inverse ----------------------------------------------------------------------------------------------------------

const inverseOp: Op<null> = {
  node: 'LinalgInvExBackward0',
  forward: ([a]) => {
    const n = a.sizes[a.ndim - 1]
    return eachItem([a], [2], [{ sizes: [n, n], dtype: a.dtype }, info], ([matrix], [x, code]) => {
      const pivots = new Float64Array(n)
      code[0] = luInPlace(matrix, n, n, pivots)
      for (let i = 0; i < n; i++) x[i * n + i] = 1
      luSolveInPlace(matrix, n, pivots, x, n)
    })
  },
  nonDifferentiable: [1],
  savesOutputs: [0],
  backward: ([g], c) => {
    const turned = adjointOf(c.output(0))
    return [matmul(matmul(turned, g!), turned).neg()]
  },
}

const singular = (name: string) => (code: number) =>
  `${name}: The diagonal element ${code} is zero, the inversion could not be completed because the input matrix is singular.`

/** The type of `inv`. */
export type Inverse = (a: Tensor) => Tensor

function inverseFunction(argument: string, method: boolean): Inverse & FunctionInfo {
  return fn<Inverse>(
    'linalg.inv',
    [argument],
    [],
    (a: Tensor) => {
      checkSquare('linalg.inv', a)
      return ofEmbedded(a, (matrix) => {
        const [x, infos] = applyMany(inverseOp, [matrix], null)
        checkInfo(infos, singular('linalg.inv'))
        return x
      })
    },
    { method },
  )
}

/** The inverses of square matrices [..., n, n]. Throws LinAlgError where one is singular. */
export const inv: Inverse & FunctionInfo = inverseFunction('A', false)
/** The inverses of square matrices [..., n, n]. Throws LinAlgError where one is singular. */
export const inverse: Inverse & FunctionInfo = inverseFunction('input', true)

/** The type of `invEx`. */
export type InverseEx = (
  a: Tensor,
  options?: { checkErrors?: boolean },
) => NamedResult<{ inverse: Tensor; info: Tensor }>

/** `inv` that says in `info` which pivot (from 1) is zero, or 0. */
export const invEx: InverseEx & FunctionInfo = fn<InverseEx>(
  'linalg.inv_ex',
  ['A'],
  ['checkErrors'],
  (a: Tensor, { checkErrors = false }: { checkErrors?: boolean }) => {
    checkSquare('linalg.inv_ex', a)
    const [x, infos] = applyMany(inverseOp, [a.dtype.isComplex ? embedded(a) : a], null)
    if (checkErrors) checkInfo(infos, singular('linalg.inv_ex'))
    return namedResult('linalg_inv_ex', { inverse: a.dtype.isComplex ? extracted(x) : x, info: infos })
  },
  { method: false, positional: 0 },
)

/** The inverses of matrices already checked; of singular ones what the division by 0 makes of them. */
function inverted(a: Tensor): Tensor {
  return ofEmbedded(a, (matrix) => applyMany(inverseOp, [matrix], null)[0])
}

const conjugate = (x: Tensor): Tensor => (x.dtype.isComplex ? x.conj() : x)

// ---- determinants -----------------------------------------------------------------------------------------------------

// Sign and logarithm of the determinant's size, from the LU factors.
function signAndLog(matrix: Float64Array, n: number): [sign: number, log: number] {
  const pivots = new Float64Array(n)
  luInPlace(matrix, n, n, pivots)
  let [sign, log] = [1, 0]
  for (let i = 0; i < n; i++) {
    const head = matrix[i * n + i]
    if (pivots[i] !== i) sign = -sign
    sign *= Math.sign(head)
    log += Math.log(Math.abs(head))
  }
  return [sign, log]
}

// The pairs of sign, a complex number of modulus 1, and of the determinant.
function complexDeterminant(matrix: Float64Array, n: number): { det: number[]; sign: number[]; log: number } {
  const pivots = new Float64Array(n)
  complexLuInPlace(matrix, n, n, pivots)
  let [det, sign, log] = [[1, 0], [1, 0], 0]
  for (let i = 0; i < n; i++) {
    const swap = pivots[i] === i ? 1 : -1
    const [re, im] = [swap * matrix[2 * (i * n + i)], swap * matrix[2 * (i * n + i) + 1]]
    const size = Math.hypot(re, im)
    det = [det[0] * re - det[1] * im, det[0] * im + det[1] * re]
    const [x, y] = size === 0 ? [0, 0] : [re / size, im / size]
    sign = [sign[0] * x - sign[1] * y, sign[0] * y + sign[1] * x]
    log += Math.log(size)
  }
  return { det, sign, log }
}

function determinant(matrix: Float64Array, n: number): number {
  const pivots = new Float64Array(n)
  luInPlace(matrix, n, n, pivots)
  let product = 1
  for (let i = 0; i < n; i++) product *= pivots[i] === i ? matrix[i * n + i] : -matrix[i * n + i]
  return product
}

// The matrices of cofactors by singular values: finite where a matrix is singular.
function cofactors(a: Tensor): Tensor {
  const { U, S, Vh } = singularVectors(a)
  const n = a.sizes[a.ndim - 1]
  const others = Array.from({ length: n }, (_, i) => {
    const rest = Array.from({ length: n }, (_, j) => j).filter((j) => j !== i)
    return S.indexSelect(-1, indexVector(rest)).prod(-1)
  })
  const scaled = U.mul(unsqueeze(stack(others, -1), -2))
  const orientation = conjugate(determinants(U.detach()).mul(determinants(Vh.detach())))
  return matmul(scaled, Vh).mul(unsqueeze(unsqueeze(orientation, -1), -1))
}

const detOp: Op<null> = {
  node: 'LinalgDetBackward0',
  forward: ([a]) => {
    const n = a.sizes[a.ndim - 1]
    return eachItem([a], [2], [{ sizes: [], dtype: a.dtype }], ([matrix], [out]) => {
      if (a.dtype.isComplex) out.set(complexDeterminant(matrix, n).det)
      else out[0] = determinant(matrix, n)
    })
  },
  saves: [0],
  savesOutputs: [0],
  backward: ([g], c) => {
    const a = c.input(0)
    if (a.numel() === 0) return [a.mul(0)]
    const det = c.output()
    const factor = unsqueeze(unsqueeze(g!, -1), -1)
    if (onHost(det.detach())?.eq(0).any().item() !== false) return [cofactors(a).mul(factor)]
    return [adjointOf(inverted(a)).mul(factor.mul(conjugate(unsqueeze(unsqueeze(det, -1), -1))))]
  },
}

function determinants(a: Tensor): Tensor {
  return apply(detOp, [a], null)
}

/** The type of `det`. */
export type Determinant = (a: Tensor) => Tensor

function detFunction(argument: string, method: boolean): Determinant & FunctionInfo {
  return fn<Determinant>(
    'linalg.det',
    [argument],
    [],
    (a: Tensor) => {
      checkSquare('linalg.det', a)
      return determinants(a)
    },
    { method },
  )
}

/** The determinants of square matrices [..., n, n]. */
export const det: Determinant & FunctionInfo = detFunction('A', false)
/** The determinants of square matrices [..., n, n]. */
export const torchDet: Determinant & FunctionInfo = detFunction('input', true)

const slogdetOp: Op<null> = {
  node: 'LinalgSlogdetBackward0',
  forward: ([a]) => {
    const n = a.sizes[a.ndim - 1]
    const outputs = [a.dtype, realOf(a.dtype)].map((dtype) => ({ sizes: [], dtype }))
    return eachItem([a], [2], outputs, ([matrix], [sign, log]) => {
      if (a.dtype.isComplex) {
        const found = complexDeterminant(matrix, n)
        sign.set(found.sign)
        log[0] = found.log
      } else [sign[0], log[0]] = signAndLog(matrix, n)
    })
  },
  saves: [0],
  savesOutputs: [0],
  backward: ([gradSign, gradLog], c) => {
    const a = c.input(0)
    // A real sign does not change; a complex one turns with the imaginary part of the determinant's logarithm.
    const turn = a.dtype.isComplex && gradSign !== null ? imag(c.output(0).mul(gradSign.conj())).neg() : null
    if (gradLog === null && turn === null) return [a.detach().mul(0)]
    const factor = turn === null ? gradLog! : complex(gradLog ?? turn.mul(0), turn)
    return [adjointOf(inverted(a)).mul(unsqueeze(unsqueeze(factor, -1), -1))]
  },
}

/** Sign and logarithm of a determinant's absolute value. */
export type SignedLog = NamedResult<{ sign: Tensor; logabsdet: Tensor }>
/** The type of `slogdet`. */
export type Slogdet = (a: Tensor) => SignedLog

function slogdetFunction(name: string, argument: string, method: boolean): Slogdet & FunctionInfo {
  return fn<Slogdet>(
    name,
    [argument],
    [],
    (a: Tensor) => {
      checkSquare('linalg.slogdet', a)
      const [sign, logabsdet] = applyMany(slogdetOp, [a], null)
      return namedResult(name, { sign, logabsdet })
    },
    { method },
  )
}

/** Signs and logarithms of the absolute values of determinants; of a singular matrix 0 and -inf. */
export const slogdet: Slogdet & FunctionInfo = slogdetFunction('linalg_slogdet', 'A', false)
/** Signs and logarithms of the absolute values of determinants; of a singular matrix 0 and -inf. */
export const torchSlogdet: Slogdet & FunctionInfo = slogdetFunction('slogdet', 'input', true)

/** The logarithms of determinants; NaN where a real one is negative. */
export const logdet: Determinant & FunctionInfo = fn<Determinant>('logdet', ['input'], [], (a: Tensor) => {
  checkSquare('linalg.slogdet', a)
  const [sign, log] = applyMany(slogdetOp, [a], null)
  if (a.dtype.isComplex) return sign.log().add(log)
  return where(sign.eq(-1), log.newFull([], Number.NaN), log)
})
