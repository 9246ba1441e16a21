// The singular value decomposition and what follows from it: pseudo-inverses, ranks, condition numbers, least squares.

import { type DType, int64, realOf } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { maximum } from '../ops/arithmetic.ts'
import { imag } from '../ops/complex.ts'
import { matmul } from '../ops/matmul.ts'
import { apply, applyMany, type FunctionInfo, fn, type Op } from '../ops/op.ts'
import { recomputedOp } from '../ops/recomputed.ts'
import { narrow, unsqueeze } from '../ops/views.ts'
import { type NamedResult, namedResult } from '../tensor/return-types.ts'
import { Tensor } from '../tensor/tensor.ts'
import { broadcastBatches, checkMatrices, checkPhases, checkSameDtype, eachItem } from './batches.ts'
import { complexSingularValues } from './complex-spectral.ts'
import { fromTriangle, symmetricEigenvalues } from './eigen.ts'
import { singularValues } from './spectral.ts'
import { adjointOf } from './triangular.ts'

const svdOp: Op<{ readonly full: boolean }> = {
  node: 'LinalgSvdBackward0',
  forward: ([a], { full }) => {
    const [m, n] = a.sizes.slice(-2)
    const k = Math.min(m, n)
    const outputs = [
      { sizes: [m, full ? m : k], dtype: a.dtype },
      { sizes: [k], dtype: realOf(a.dtype) },
      { sizes: [full ? n : k, n], dtype: a.dtype },
    ]
    const decompose = a.dtype.isComplex ? complexSingularValues : singularValues
    return eachItem([a], [2], outputs, ([matrix], [u, s, vt]) => {
      const found = decompose(matrix, m, n, full)
      u.set(found.u)
      s.set(found.s)
      vt.set(found.vt)
    })
  },
  savesOutputs: [0, 1, 2],
  backward: ([gradU, gradS, gradVt], c) => {
    const s = c.output(1)
    const k = s.sizes[s.ndim - 1]
    const [m, n] = c.inputSizes[0].slice(-2)
    const u = narrow(c.output(0), -1, 0, k)
    const vt = narrow(c.output(2), -2, 0, k)
    if (gradU === null && gradVt === null) return [matmul(u.mul(unsqueeze(gradS!, -2)), vt)]
    // Differences of squared singular values, 1 on the diagonal, which never counts.
    const squares = s.mul(s)
    const gaps = unsqueeze(squares, -2).sub(unsqueeze(squares, -1)).add(s.detach().mul(0).add(1).diagEmbed())
    const skew = (x: Tensor): Tensor => x.sub(adjointOf(x))
    let inner: Tensor | null = gradS === null ? null : gradS.diagEmbed()
    const add = (x: Tensor): void => {
      inner = inner === null ? x : inner.add(x)
    }
    const gu = gradU === null ? null : narrow(gradU, -1, 0, k)
    const gvt = gradVt === null ? null : narrow(gradVt, -2, 0, k)
    const ofU = gu === null ? null : skew(matmul(adjointOf(u), gu))
    const ofV = gvt === null ? null : skew(matmul(vt, adjointOf(gvt)))
    if (u.dtype.isComplex) {
      // A multiple of both vectors by e^(i phi) would be another decomposition.
      const both = ofU === null ? ofV! : ofV === null ? ofU : ofU.add(ofV)
      checkPhases(imag(both.diagonal(0, -2, -1)), illDefined)
    }
    if (ofU !== null) add(ofU.div(gaps).mul(unsqueeze(s, -2)))
    if (ofV !== null) add(ofV.div(gaps).mul(unsqueeze(s, -1)))
    // A phase that U and V share changes nothing; what it adds on the diagonal is halved.
    if (u.dtype.isComplex && ofU !== null && ofV !== null) {
      const diagonal = ofU.diagonal(0, -2, -1)
      add(
        diagonal
          .div(s.mul(2))
          .sub(diagonal.mul(s))
          .sub(ofV.diagonal(0, -2, -1).mul(s))
          .diagEmbed(),
      )
    }
    let result = matmul(matmul(u, inner! as Tensor), vt)
    if (gu !== null && m > k) {
      const outside = gu.sub(matmul(u, matmul(adjointOf(u), gu))).div(unsqueeze(s, -2))
      result = result.add(matmul(outside, vt))
    }
    if (gvt !== null && n > k) {
      const outside = gvt.sub(matmul(matmul(gvt, adjointOf(vt)), vt)).div(unsqueeze(s, -1))
      result = result.add(matmul(u, outside))
    }
    return [result]
  },
}

/** A = U diag(S) Vh. */
export type SingularResult = NamedResult<{ U: Tensor; S: Tensor; Vh: Tensor }>

/** `svd` of matrices already checked. */
export function singularVectors(a: Tensor, full = false): SingularResult {
  const [U, S, Vh] = applyMany(svdOp, [a], { full })
  return namedResult('linalg_svd', { U, S, Vh })
}

const illDefined =
  'svd_backward: The singular vectors in the complex case are specified up to multiplication by e^{i phi}. The specified loss function depends on this phase term, making it ill-defined.'

/** Options of `svd`. */
export interface SvdOptions {
  /** Whether U and Vh are square (default) or have only the vectors of singular values. */
  fullMatrices?: boolean
  /** PyTorch's choice of a CUDA routine; there is one here. */
  driver?: string | null
}

/** The type of `linalg.svd`. */
export type Svd = (a: Tensor, options?: SvdOptions) => SingularResult

/**
 * A = U diag(S) Vh for matrices [..., m, n]: S descending, U and Vh orthogonal. Signs of vectors are arbitrary, and
 * their gradients exist only where singular values differ.
 */
export const svd: Svd & FunctionInfo = fn<Svd>(
  'linalg.svd',
  ['A'],
  ['fullMatrices', 'driver'],
  (a: Tensor, { fullMatrices = true }: SvdOptions) => {
    checkMatrices('linalg.svd', a)
    return singularVectors(a, fullMatrices)
  },
  { method: false, positional: 0 },
)

/** Options of `torch.svd`. */
export interface TorchSvdOptions {
  /** Whether U and V have only the vectors of singular values (default). */
  some?: boolean
  /** Zeros for U and V where false. */
  computeUv?: boolean
}

/** The type of `torch.svd`. */
export type TorchSvd = (
  a: Tensor,
  options?: TorchSvdOptions,
) => NamedResult<{ U: Tensor; S: Tensor; V: Tensor }>

/** The older form of `linalg.svd`, with V rather than its transpose. */
export const torchSvd: TorchSvd & FunctionInfo = fn<TorchSvd>(
  'svd',
  ['input'],
  ['some', 'computeUv'],
  (a: Tensor, { some = true, computeUv = true }: TorchSvdOptions) => {
    checkMatrices('linalg.svd', a)
    const { U, S, Vh } = singularVectors(a, computeUv && !some)
    if (computeUv) return namedResult('svd', { U, S, V: adjointOf(Vh) })
    const [m, n] = a.sizes.slice(-2)
    const zeros = (size: number) => a.newZeros([...a.sizes.slice(0, -2), size, size])
    return namedResult('svd', { U: zeros(m), S, V: zeros(n) })
  },
  { positional: 0 },
)

/** The type of `svdvals`. */
export type Svdvals = (a: Tensor, options?: { driver?: string | null }) => Tensor

/** The singular values of matrices [..., m, n], descending. */
export const svdvals: Svdvals & FunctionInfo = fn<Svdvals>(
  'linalg.svdvals',
  ['A'],
  ['driver'],
  (a: Tensor) => {
    checkMatrices('linalg.svdvals', a)
    return singularVectors(a).S
  },
  { method: false, positional: 0 },
)

// ---- tolerances -----------------------------------------------------------------------------------------------------

/** A bound below which singular values count as 0: numbers, or tensors of the batch's shape. */
export interface Tolerances {
  atol?: number | Tensor | null
  rtol?: number | Tensor | null
}

const epsilonOf = (dtype: DType): number => (realOf(dtype).name === 'float64' ? 2 ** -52 : 2 ** -23)

/** The larger of `atol` and `rtol` times the largest singular value; without either, PyTorch's default for the shape. */
function tolerance(a: Tensor, largest: Tensor, { atol, rtol }: Tolerances): Tensor {
  const [m, n] = a.sizes.slice(-2)
  const given = (x: number | Tensor | null | undefined): x is number | Tensor => x !== undefined && x !== null
  const relative = given(rtol)
    ? rtol
    : given(atol) && !(typeof atol === 'number' && atol <= 0) && !(atol instanceof Tensor)
      ? 0
      : epsilonOf(a.dtype) * Math.max(m, n)
  const scaled = largest.mul(relative as number)
  if (!given(atol)) return scaled
  const absolute = atol instanceof Tensor ? atol.to(scaled.dtype) : scaled.newFull([], atol)
  return maximum(scaled, absolute.to(scaled.dtype))
}

const magnitudes = (a: Tensor, hermitian: boolean): Tensor =>
  hermitian ? symmetricEigenvalues(a).abs() : singularVectors(a).S

/** Options of `matrixRank` and `pinv`. */
export interface ToleranceOptions extends Tolerances {
  /** Whether A is symmetric: eigenvalues are used. */
  hermitian?: boolean
}

/** The type of `matrixRank`. */
export interface MatrixRank {
  (a: Tensor, tol: number | Tensor, options?: { hermitian?: boolean }): Tensor
  (a: Tensor, options?: ToleranceOptions & { tol?: number | Tensor }): Tensor
}

/** How many singular values of matrices [..., m, n] are above a tolerance: int64 [...]. */
export const matrixRank: MatrixRank & FunctionInfo = fn<MatrixRank>(
  'linalg.matrix_rank',
  ['A'],
  ['tol', 'hermitian', 'atol', 'rtol'],
  (a: Tensor, { tol, hermitian = false, atol, rtol }: ToleranceOptions & { tol?: number | Tensor }) => {
    checkMatrices('linalg.matrix_rank', a)
    if (a.numel() === 0) return a.newZeros(a.sizes.slice(0, -2), { dtype: int64 })
    const s = magnitudes(a.detach(), hermitian)
    const bounds = tol === undefined ? { atol, rtol } : { atol: tol, rtol: 0 }
    return s.gt(unsqueeze(tolerance(a, s.amax(-1), bounds), -1)).sum(-1)
  },
  { method: false, positional: 1 },
)

// ---- pseudo-inverse ---------------------------------------------------------------------------------------------------

interface PinvAttributes extends Tolerances {
  readonly hermitian: boolean
}

const pinvOp: Op<PinvAttributes> = {
  node: 'LinalgPinvBackward0',
  forward: ([a], { atol, rtol, hermitian }) => {
    const { U, S, Vh } = singularVectors(hermitian ? fromTriangle(a) : a)
    const bound = unsqueeze(tolerance(a, S.amax(-1), { atol, rtol }), -1)
    const inverted = S.reciprocal().maskedFill(S.le(bound), 0)
    return matmul(adjointOf(Vh).mul(unsqueeze(inverted, -2)), adjointOf(U))
  },
  saves: [0],
  savesOutputs: [0],
  backward: ([g], c) => {
    // Golub and Pereyra 1973.
    const [a, p] = [c.input(0), c.output()]
    const [m, n] = a.sizes.slice(-2)
    const [gt, pt] = [adjointOf(g!), adjointOf(p)]
    if (m <= n) {
      const k = matmul(gt, p)
      const kp = matmul(k, pt)
      return [
        adjointOf(matmul(p, k))
          .neg()
          .add(kp)
          .sub(matmul(matmul(a, p), kp))
          .add(matmul(matmul(pt, p), gt.sub(matmul(k, a)))),
      ]
    }
    const k = matmul(p, gt)
    const pk = matmul(pt, k)
    return [
      adjointOf(matmul(k, p))
        .neg()
        .add(matmul(matmul(gt.sub(matmul(a, k)), p), pt))
        .add(pk)
        .sub(matmul(matmul(pk, p), a)),
    ]
  },
}

function pseudoInverse(a: Tensor, attributes: PinvAttributes): Tensor {
  if (a.numel() === 0) return adjointOf(a).clone()
  return apply(pinvOp, [a], attributes)
}

/** The type of `pinv`. */
export interface Pinv {
  (a: Tensor, rcond: number | Tensor, options?: { hermitian?: boolean }): Tensor
  (a: Tensor, options?: ToleranceOptions & { rcond?: number | Tensor }): Tensor
}

/** The pseudo-inverses (Moore and Penrose) of matrices [..., m, n]: [..., n, m]. Small singular values count as 0. */
export const pinv: Pinv & FunctionInfo = fn<Pinv>(
  'linalg.pinv',
  ['A'],
  ['rcond', 'hermitian', 'atol', 'rtol'],
  (a: Tensor, { rcond, hermitian = false, atol, rtol }: ToleranceOptions & { rcond?: number | Tensor }) => {
    checkMatrices('linalg.pinv', a)
    return pseudoInverse(a, { atol, rtol: rtol ?? rcond, hermitian })
  },
  { method: false, positional: 1 },
)

/** The type of `pinverse`. */
export interface Pinverse {
  (a: Tensor, rcond?: number): Tensor
  (a: Tensor, options?: { rcond?: number }): Tensor
}

/** The older form of `linalg.pinv`; `rcond` is relative to the largest singular value, default 1e-15. */
export const pinverse: Pinverse & FunctionInfo = fn<Pinverse>(
  'pinverse',
  ['input'],
  ['rcond'],
  (a: Tensor, { rcond = 1e-15 }: { rcond?: number }) => {
    checkMatrices('linalg.pinv', a)
    return pseudoInverse(a, { rtol: rcond, hermitian: false })
  },
  { positional: 1 },
)

// ---- least squares ------------------------------------------------------------------------------------------------------

const lstsqOp = recomputedOp<number | null>('LinalgLstsqBackward0', 2, ([a, b], rtol) =>
  matmul(pseudoInverse(a, { rtol, hermitian: false }), b),
)

/** Options of `lstsq`. */
export interface LstsqOptions {
  /** Singular values below this times the largest count as 0. */
  rcond?: number | null
  /** LAPACK's routine, which here only says what else is given: 'gelsy' (default), 'gels', 'gelsd', 'gelss'. */
  driver?: 'gels' | 'gelsy' | 'gelsd' | 'gelss' | null
}

/** What `lstsq` gives; tensors without elements for what the driver does not compute. */
export type LstsqResult = NamedResult<{
  solution: Tensor
  residuals: Tensor
  rank: Tensor
  singularValues: Tensor
}>

/** The type of `lstsq`. */
export interface Lstsq {
  (a: Tensor, b: Tensor, rcond?: number | null, options?: Omit<LstsqOptions, 'rcond'>): LstsqResult
  (a: Tensor, b: Tensor, options?: LstsqOptions): LstsqResult
}

/** The X [..., n, k] for which AX comes nearest to B [..., m, k]; of several, the shortest. */
export const lstsq: Lstsq & FunctionInfo = fn<Lstsq>(
  'linalg.lstsq',
  ['A', 'B'],
  ['rcond', 'driver'],
  (a: Tensor, b: Tensor, { rcond, driver }: LstsqOptions) => {
    const name = 'torch.linalg.lstsq'
    checkMatrices(name, a, 'input')
    const which = driver ?? 'gelsy'
    if (!['gels', 'gelsy', 'gelsd', 'gelss'].includes(which))
      throw new RuntimeError(`${name}: parameter \`driver\` should be one of (gels, gelsy, gelsd, gelss)`)
    if (b.ndim < 1) throw new RuntimeError(`${name}: other must have at least 1 dimension.`)
    checkSameDtype(name, a, b, ['input', 'other'])
    const vector = a.ndim - 1 === b.ndim && b.sizes.every((n, d) => n === a.sizes[d])
    const columns = vector ? unsqueeze(b, -1) : b
    const [m, n] = a.sizes.slice(-2)
    if (columns.ndim < 2 || columns.sizes[columns.ndim - 2] !== m)
      throw new RuntimeError(
        `${name}: input.size(-2) should match other.size(${vector || b.ndim === 1 ? -1 : -2})`,
      )
    const [matrix, right] = broadcastBatches(a, columns)
    const x = apply(lstsqOp, [matrix, right], rcond ?? null)
    const none = a.newEmpty([0])
    const rank = matrixRank(matrix, { rtol: rcond ?? epsilonOf(a.dtype) * Math.max(m, n) })
    const fullRank = m > n && which !== 'gelsy' && rank.eq(n).all().item() === true
    const difference = fullRank ? matmul(matrix, x).sub(right).abs().pow(2).sum(-2) : none
    return namedResult('linalg_lstsq', {
      solution: vector ? x.squeeze(-1) : x,
      residuals: difference,
      rank: which === 'gels' ? a.newEmpty([0], { dtype: int64 }) : rank,
      singularValues: which === 'gelsd' || which === 'gelss' ? singularVectors(matrix.detach()).S : none,
    })
  },
  { method: false, positional: 1 },
)
