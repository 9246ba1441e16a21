// Eigenvalues and eigenvectors of symmetric and Hermitian matrices.

import { type DType, realOf } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { real } from '../ops/complex.ts'
import { matmul } from '../ops/matmul.ts'
import { applyMany, type FunctionInfo, fn, type Op } from '../ops/op.ts'
import { unsqueeze } from '../ops/views.ts'
import { type NamedResult, namedResult } from '../tensor/return-types.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkSquare, eachItem } from './batches.ts'
import { hermitianEigen } from './complex-spectral.ts'
import { symmetricEigen } from './spectral.ts'
import { adjointOf } from './triangular.ts'

/** Which triangle of a symmetric matrix is read. */
export type Triangle = 'L' | 'U'

/** The symmetric or Hermitian matrices of one triangle: the other is never read, nor what is imaginary on the diagonal. */
export function fromTriangle(a: Tensor, upper = false): Tensor {
  const lower = upper ? adjointOf(a.triu(1)) : a.tril(-1)
  const diagonal = a.diagonal(0, -2, -1).diagEmbed()
  return lower.add(adjointOf(lower)).add(a.dtype.isComplex ? real(diagonal) : diagonal)
}

/** The eigenvalues [..., n] and eigenvectors (columns) [..., n, n] that an algorithm on the host finds, in these dtypes. */
export function decomposed(
  a: Tensor,
  dtypes: readonly [values: DType, vectors: DType],
  decompose: (matrix: Float64Array, n: number) => { values: Float64Array; vectors: Float64Array },
): Tensor[] {
  const n = a.sizes[a.ndim - 1]
  const outputs = [[n], [n, n]].map((sizes, i) => ({ sizes, dtype: dtypes[i] }))
  return eachItem([a], [2], outputs, ([matrix], [values, vectors]) => {
    const found = decompose(matrix, n)
    values.set(found.values)
    vectors.set(found.vectors)
  })
}

/** What is off the diagonal of matrices, divided by the (conjugate) differences of eigenvalues; zeros on the diagonal. */
export function overGaps(x: Tensor, values: Tensor): Tensor {
  const identity = values.detach().mul(0).add(1).diagEmbed()
  const differences = unsqueeze(values, -2).sub(unsqueeze(values, -1))
  const gaps = (values.dtype.isComplex ? differences.conj() : differences).add(identity)
  return x.sub(x.mul(identity)).div(gaps)
}

const eighOp: Op<{ readonly upper: boolean }> = {
  node: 'LinalgEighBackward0',
  forward: ([a], { upper }) =>
    decomposed(
      fromTriangle(a, upper),
      [realOf(a.dtype), a.dtype],
      a.dtype.isComplex ? hermitianEigen : symmetricEigen,
    ),
  savesOutputs: [0, 1],
  backward: ([gradValues, gradVectors], c) => {
    const [values, v] = [c.output(0), c.output(1)]
    const vt = adjointOf(v)
    if (gradVectors === null) return [matmul(v.mul(unsqueeze(gradValues!, -2)), vt)]
    let inner = overGaps(matmul(vt, gradVectors), values)
    if (gradValues !== null) inner = inner.add(gradValues.diagEmbed())
    return [matmul(matmul(v, inner), vt)]
  },
}

/** The eigenvalues of symmetric matrices already checked. */
export function symmetricEigenvalues(a: Tensor, upper = false): Tensor {
  return applyMany(eighOp, [a], { upper })[0]
}

function isUpper(triangle: string): boolean {
  const which = triangle.toUpperCase()
  if (which !== 'L' && which !== 'U')
    throw new RuntimeError(`Expected UPLO argument to be 'L' or 'U', but got ${triangle}`)
  return which === 'U'
}

/** The type of `eigh`. */
export interface Eigh {
  (a: Tensor, UPLO?: Triangle): NamedResult<{ eigenvalues: Tensor; eigenvectors: Tensor }>
  (a: Tensor, options?: { UPLO?: Triangle }): NamedResult<{ eigenvalues: Tensor; eigenvectors: Tensor }>
}

/**
 * Eigenvalues (ascending) and eigenvectors (columns) of symmetric matrices [..., n, n], of which one triangle is read.
 * Signs of vectors are arbitrary, and their gradients exist only where eigenvalues differ.
 */
export const eigh: Eigh & FunctionInfo = fn<Eigh>(
  'linalg.eigh',
  ['A'],
  ['UPLO'],
  (a: Tensor, { UPLO = 'L' }: { UPLO?: Triangle }) => {
    checkSquare('linalg.eigh', a)
    const [eigenvalues, eigenvectors] = applyMany(eighOp, [a], { upper: isUpper(UPLO) })
    return namedResult('linalg_eigh', { eigenvalues, eigenvectors })
  },
  { method: false, positional: 1 },
)

/** The type of `eigvalsh`. */
export interface Eigvalsh {
  (a: Tensor, UPLO?: Triangle): Tensor
  (a: Tensor, options?: { UPLO?: Triangle }): Tensor
}

/** The eigenvalues of symmetric matrices [..., n, n], ascending. */
export const eigvalsh: Eigvalsh & FunctionInfo = fn<Eigvalsh>(
  'linalg.eigvalsh',
  ['A'],
  ['UPLO'],
  (a: Tensor, { UPLO = 'L' }: { UPLO?: Triangle }) => {
    checkSquare('linalg.eigvalsh', a)
    return symmetricEigenvalues(a, isUpper(UPLO))
  },
  { method: false, positional: 1 },
)
