// Eigenvalues and eigenvectors of symmetric matrices.

import { RuntimeError } from '../core/errors.ts'
import { matmul } from '../ops/matmul.ts'
import { applyMany, type FunctionInfo, fn, type Op } from '../ops/op.ts'
import { unsqueeze } from '../ops/views.ts'
import { type NamedResult, namedResult } from '../tensor/return-types.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkSquare, eachItem } from './batches.ts'
import { symmetricEigen } from './spectral.ts'
import { adjointOf } from './triangular.ts'

/** Which triangle of a symmetric matrix is read. */
export type Triangle = 'L' | 'U'

const eighOp: Op<{ readonly upper: boolean }> = {
  node: 'LinalgEighBackward0',
  forward: ([a], { upper }) => {
    const n = a.sizes[a.ndim - 1]
    const outputs = [[n], [n, n]].map((sizes) => ({ sizes, dtype: a.dtype }))
    return eachItem([a], [2], outputs, ([matrix], [values, vectors]) => {
      for (let i = 0; i < n; i++)
        for (let j = 0; j < i; j++) {
          if (upper) matrix[i * n + j] = matrix[j * n + i]
          else matrix[j * n + i] = matrix[i * n + j]
        }
      const found = symmetricEigen(matrix, n)
      values.set(found.values)
      vectors.set(found.vectors)
    })
  },
  savesOutputs: [0, 1],
  backward: ([gradValues, gradVectors], c) => {
    const [values, v] = [c.output(0), c.output(1)]
    const vt = adjointOf(v)
    if (gradVectors === null) return [matmul(v.mul(unsqueeze(gradValues!, -2)), vt)]
    const identity = values.detach().mul(0).add(1).diagEmbed()
    // Differences of eigenvalues; the diagonal never counts.
    const gaps = unsqueeze(values, -2).sub(unsqueeze(values, -1)).add(identity)
    const product = matmul(vt, gradVectors)
    let inner = product.sub(product.mul(identity)).div(gaps)
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
