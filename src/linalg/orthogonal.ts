// QR factorisations and products of Householder reflections.

import { RuntimeError } from '../core/errors.ts'
import { real } from '../ops/complex.ts'
import { eye } from '../ops/creation.ts'
import { cat } from '../ops/joining.ts'
import { matmul } from '../ops/matmul.ts'
import { apply, applyMany, type FunctionInfo, fn, type Op } from '../ops/op.ts'
import { recomputedOp } from '../ops/recomputed.ts'
import { expand, narrow, unsqueeze } from '../ops/views.ts'
import { type NamedResult, namedResult } from '../tensor/return-types.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkMatrices, checkSameDtype, eachItem } from './batches.ts'
import { complexHouseholderColumns, complexHouseholderInPlace } from './complex-factorizations.ts'
import { householderColumns, householderInPlace } from './factorizations.ts'
import { adjointOf, triangularSystem } from './triangular.ts'

/** How much of the factors `qr` gives: Q [m, k] and R [k, n]; Q [m, m] and R [m, n]; R alone. */
export type QrMode = 'reduced' | 'complete' | 'r'

// The gradient of a matrix with at least as many rows as columns from those of its factors.
function tallGradient(q: Tensor, r: Tensor, gradQ: Tensor | null, gradR: Tensor | null): Tensor {
  const fromR = gradR === null ? null : matmul(r, adjointOf(gradR))
  const fromQ = gradQ === null ? null : matmul(adjointOf(gradQ), q)
  const m = fromR === null ? fromQ!.neg() : fromQ === null ? fromR : fromR.sub(fromQ)
  const lower = m.tril(-1)
  const diagonal = m.diagonal(0, -2, -1).diagEmbed()
  const symmetric = lower.add(adjointOf(lower)).add(diagonal.dtype.isComplex ? real(diagonal) : diagonal)
  const product = matmul(q, symmetric)
  return triangularSystem(adjointOf(r), gradQ === null ? product : gradQ.add(product), false, false)
}

const qrOp: Op<{ readonly mode: QrMode }> = {
  node: 'LinalgQrBackward0',
  forward: ([a], { mode }) => {
    const [m, n] = a.sizes.slice(-2)
    const k = mode === 'complete' ? m : Math.min(m, n)
    const outputs = [mode === 'r' ? [0] : [m, k], [k, n]].map((sizes) => ({ sizes, dtype: a.dtype }))
    return eachItem([a], [2], outputs, ([matrix], [q, r]) => {
      const [width, reduce, columns] = a.dtype.isComplex
        ? ([2, complexHouseholderInPlace, complexHouseholderColumns] as const)
        : ([1, householderInPlace, householderColumns] as const)
      const tau = new Float64Array(width * Math.min(m, n))
      reduce(matrix, m, n, tau)
      for (let i = 0; i < k; i++) {
        const row = matrix.subarray(width * i * n, width * (i + 1) * n)
        if (i < n) r.set(row.subarray(width * i), width * (i * n + i))
      }
      if (mode !== 'r') q.set(columns(matrix, m, n, tau, k))
    })
  },
  savesOutputs: [0, 1],
  backward: ([gradQ, gradR], c) => {
    const { mode } = c.attributes
    const [m, n] = c.inputSizes[0].slice(-2)
    if (mode === 'r')
      throw new RuntimeError(
        "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use linalg.qr(A, mode='reduced') if you are going to require gradients.",
      )
    if (mode === 'complete' && m > n)
      throw new RuntimeError(
        "The QR decomposition is not differentiable when mode='complete' and nrows > ncols.",
      )
    const [q, r] = [c.output(0), c.output(1)]
    if (m >= n) return [tallGradient(q, r, gradQ, gradR)]
    // The first columns make Q; the others are Q times their part of R.
    if (gradR === null) {
      const first = tallGradient(q, narrow(r, -1, 0, m), gradQ, null)
      return [cat([first, r.newZeros([...r.sizes.slice(0, -2), m, n - m])], -1)]
    }
    const rest = narrow(gradR, -1, m, n - m)
    const gradRest = matmul(q, rest)
    // With Y = Q R2, R2 = Qt Y.
    const throughQ = matmul(matmul(q, narrow(r, -1, m, n - m)), adjointOf(rest))
    const whole = gradQ === null ? throughQ : gradQ.add(throughQ)
    return [cat([tallGradient(q, narrow(r, -1, 0, m), whole, narrow(gradR, -1, 0, m)), gradRest], -1)]
  },
}

/** A = Q R. */
export type QrResult = NamedResult<{ Q: Tensor; R: Tensor }>

/** The type of `linalg.qr`. */
export interface Qr {
  (a: Tensor, mode?: QrMode): QrResult
  (a: Tensor, options?: { mode?: QrMode }): QrResult
}

/** A = Q R: Q orthogonal, R upper triangular, by Householder reflections (LAPACK's signs). */
export const qr: Qr & FunctionInfo = fn<Qr>(
  'linalg.qr',
  ['A'],
  ['mode'],
  (a: Tensor, { mode = 'reduced' }: { mode?: QrMode }) => {
    checkMatrices('linalg.qr', a)
    if (mode !== 'reduced' && mode !== 'complete' && mode !== 'r')
      throw new RuntimeError(
        `qr received unrecognized mode '${String(mode)}' but expected one of 'reduced' (default), 'r', or 'complete'`,
      )
    const [Q, R] = applyMany(qrOp, [a], { mode })
    return namedResult('linalg_qr', { Q: mode === 'r' ? a.newEmpty([0]) : Q, R })
  },
  { method: false, positional: 1 },
)

/** The type of `torch.qr`. */
export type TorchQr = (a: Tensor, options?: { some?: boolean }) => QrResult

/** The older form of `linalg.qr`: reduced unless `some` is false. */
export const torchQr: TorchQr & FunctionInfo = fn<TorchQr>(
  'qr',
  ['input'],
  ['some'],
  (a: Tensor, { some = true }: { some?: boolean }) => {
    checkMatrices('linalg.qr', a)
    const [Q, R] = applyMany(qrOp, [a], { mode: some ? 'reduced' : 'complete' })
    return namedResult('qr', { Q, R })
  },
  { positional: 0 },
)

/** A = Q R, Q as reflections. */
export type GeqrfResult = NamedResult<{ a: Tensor; tau: Tensor }>

/** The type of `geqrf`. */
export type Geqrf = (input: Tensor) => GeqrfResult

/**
 * LAPACK's own form of A = Q R: `a` has R on and above its diagonal and the vectors of the reflections below it, `tau` their
 * factors. `linalg.householderProduct` makes Q of it. Without a derivative, as in PyTorch.
 */
export const geqrf: Geqrf & FunctionInfo = fn<Geqrf>(
  'geqrf',
  ['input'],
  [],
  (input: Tensor) => {
    checkMatrices('geqrf', input, 'input')
    const [m, n] = input.sizes.slice(-2)
    const outputs = [[m, n], [Math.min(m, n)]].map((sizes) => ({ sizes, dtype: input.dtype }))
    const [a, tau] = eachItem([input], [2], outputs, ([matrix], [factors, scales]) => {
      if (input.dtype.isComplex) complexHouseholderInPlace(matrix, m, n, scales)
      else householderInPlace(matrix, m, n, scales)
      factors.set(matrix)
    })
    return namedResult('geqrf', { a, tau })
  },
  { positional: 0 },
)

// ---- reflections --------------------------------------------------------------------------------------------------------

/** The product of the first reflections (I - tau v vt), times a matrix; with `turned` the adjoint of the product. */
function reflect(a: Tensor, tau: Tensor, x: Tensor, turned: boolean): Tensor {
  const m = a.sizes[a.ndim - 2]
  const k = tau.sizes[tau.ndim - 1]
  const unit = eye(m, a.sizes[a.ndim - 1], { dtype: a.dtype, device: a.device })
  const vectors = a.tril(-1).add(unit)
  let result = x
  for (let step = 0; step < k; step++) {
    const i = turned ? step : k - 1 - step
    const v = narrow(vectors, -1, i, 1)
    const scale = unsqueeze(narrow(tau, -1, i, 1), -1)
    const scaled = v.mul(turned && scale.dtype.isComplex ? scale.conj() : scale)
    result = result.sub(matmul(scaled, matmul(adjointOf(v), result)))
  }
  return result
}

const productOp = recomputedOp<null>('LinalgHouseholderProductBackward0', 2, ([a, tau]) => {
  const [m, n] = a.sizes.slice(-2)
  const columns = expand(eye(m, n, { dtype: a.dtype, device: a.device }), a.sizes)
  return reflect(a, tau, columns, false)
})

/** The type of `householderProduct`. */
export type HouseholderProduct = (a: Tensor, tau: Tensor) => Tensor

function householderFunction(name: string, method: boolean): HouseholderProduct & FunctionInfo {
  return fn<HouseholderProduct>(
    name,
    ['input', 'tau'],
    [],
    (a: Tensor, tau: Tensor) => {
      checkMatrices('torch.linalg.householder_product', a, 'input')
      checkSameDtype('torch.linalg.householder_product', a, tau, ['input', 'tau'])
      const [m, n] = a.sizes.slice(-2)
      const k = tau.sizes[tau.ndim - 1]
      if (m < n)
        throw new RuntimeError(
          'torch.linalg.householder_product: input.shape[-2] must be greater than or equal to input.shape[-1]',
        )
      if (k > n)
        throw new RuntimeError(
          'torch.linalg.householder_product: input.shape[-1] must be greater than or equal to tau.shape[-1]',
        )
      return apply(productOp, [a, tau], null)
    },
    { method },
  )
}

/** The first n columns of the product of reflections, given as `torch.geqrf` gives them: [..., m, n]. */
export const householderProduct: HouseholderProduct & FunctionInfo = householderFunction(
  'linalg.householder_product',
  false,
)
/** The older name of `linalg.householderProduct`. */
export const orgqr: HouseholderProduct & FunctionInfo = householderFunction('orgqr', true)

/** Options of `ormqr`. */
export interface OrmqrOptions {
  /** Multiply from the left (default). */
  left?: boolean
  /** Multiply with the transpose of Q. */
  transpose?: boolean
}

const ormqrOp = recomputedOp<{ readonly left: boolean; readonly transpose: boolean }>(
  'OrmqrBackward0',
  3,
  ([a, tau, other], { left, transpose }) =>
    // X Q is the transpose of Qt Xt.
    left ? reflect(a, tau, other, transpose) : adjointOf(reflect(a, tau, adjointOf(other), !transpose)),
)

/** The type of `ormqr`. */
export type Ormqr = (a: Tensor, tau: Tensor, other: Tensor, options?: OrmqrOptions) => Tensor

/** A matrix times the square product Q of reflections, given as `torch.geqrf` gives them. */
export const ormqr: Ormqr & FunctionInfo = fn<Ormqr>(
  'ormqr',
  ['input', 'tau', 'other'],
  ['left', 'transpose'],
  (a: Tensor, tau: Tensor, other: Tensor, { left = true, transpose = false }: OrmqrOptions) => {
    checkMatrices('torch.ormqr', a, 'input')
    checkMatrices('torch.ormqr', other, 'other')
    const [rows, columns] = other.sizes.slice(-2)
    const k = tau.sizes[tau.ndim - 1]
    if ((left ? rows : columns) < k)
      throw new RuntimeError(
        `torch.ormqr: other.shape[${left ? -2 : -1}] must be greater than or equal to tau.shape[-1]`,
      )
    if (k > a.sizes[a.ndim - 1])
      throw new RuntimeError(
        'torch.ormqr: tau.shape[-1] must be equal to min(other.shape[-2], input.shape[-1])',
      )
    if ((left ? rows : columns) !== a.sizes[a.ndim - 2])
      throw new RuntimeError(`torch.ormqr: other.shape[${left ? -2 : -1}] must be equal to input.shape[-2]`)
    if (tau.ndim !== a.ndim - 1)
      throw new RuntimeError(
        `torch.ormqr: Expected tau to have one dimension less than input, but got tau.ndim equal to ${tau.ndim} and input.ndim is equal to ${a.ndim}`,
      )
    if (a.ndim !== other.ndim)
      throw new RuntimeError(
        `torch.ormqr: Expected other to have the same number of dimensions as input, but got other.ndim equal to ${other.ndim} and input.ndim is equal to ${a.ndim}`,
      )
    return apply(ormqrOp, [a, tau, other], { left, transpose })
  },
  { positional: 0 },
)
