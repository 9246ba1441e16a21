// Eigenvalues and eigenvectors of matrices without symmetry. eigen.ts has symmetric and Hermitian ones.

import { complexOf } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { imag, real } from '../ops/complex.ts'
import { matmul } from '../ops/matmul.ts'
import { applyMany, type FunctionInfo, fn, type Op } from '../ops/op.ts'
import { unsqueeze } from '../ops/views.ts'
import { type NamedResult, namedResult } from '../tensor/return-types.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkPhases, checkSquare } from './batches.ts'
import { decomposed, overGaps } from './eigen.ts'
import { generalEigen, realEigen } from './general-spectral.ts'
import { solve } from './systems.ts'
import { adjointOf } from './triangular.ts'

const eigOp: Op<{ readonly isReal: boolean }> = {
  node: 'LinalgEigBackward0',
  forward: ([a], { isReal }) => {
    const dtype = complexOf(a.dtype)
    return decomposed(a, [dtype, dtype], (matrix, n) => {
      if (!matrix.every(Number.isFinite))
        throw new RuntimeError('torch.linalg.eig: input tensor should not contain infs or NaNs.')
      return isReal ? realEigen(matrix, n) : generalEigen(matrix, n)
    })
  },
  savesOutputs: [0, 1],
  backward: ([gradValues, gradVectors], c) => {
    // Boeddeker et al. 2017, "On the computation of complex-valued gradients with application to statistically optimum beamforming".
    const [values, v] = [c.output(0), c.output(1)]
    const vh = adjointOf(v)
    const inner =
      gradVectors === null ? gradValues!.diagEmbed() : innerGradient(values, v, gradValues, gradVectors)
    const result = solve(vh, matmul(inner, vh))
    return [c.attributes.isReal ? real(result) : result]
  },
}

function innerGradient(values: Tensor, v: Tensor, gradValues: Tensor | null, gradVectors: Tensor): Tensor {
  const vh = adjointOf(v)
  const product = matmul(vh, gradVectors)
  const diagonal = product.diagonal(0, -2, -1)
  checkPhases(imag(diagonal), illDefined)
  // Vectors keep their length.
  const tangent = product.sub(matmul(vh, v.mul(unsqueeze(real(diagonal), -2))))
  const outside = overGaps(tangent, values)
  return gradValues === null ? outside : outside.add(gradValues.diagEmbed())
}

const illDefined =
  'linalg_eig_backward: The eigenvectors in the complex case are specified up to multiplication by e^{i phi}. The specified loss function depends on this quantity, so it is ill-defined.'

function run(name: string, a: Tensor): readonly Tensor[] {
  checkSquare(name, a)
  return applyMany(eigOp, [a], { isReal: !a.dtype.isComplex })
}

/** The type of `eig`. */
export type Eig = (a: Tensor) => NamedResult<{ eigenvalues: Tensor; eigenvectors: Tensor }>

/**
 * Eigenvalues [..., n] and eigenvectors (columns of unit length) [..., n, n] of square matrices [..., n, n]: complex, in no
 * particular order. Phases of vectors are arbitrary, and their gradients exist only where eigenvalues differ.
 * See https://docs.pytorch.org/docs/stable/generated/torch.linalg.eig.html
 * @throws RuntimeError for matrices that are not square or hold infinities or NaN.
 */
export const eig: Eig & FunctionInfo = fn<Eig>(
  'linalg.eig',
  ['A'],
  [],
  (a: Tensor) => {
    const [eigenvalues, eigenvectors] = run('linalg.eig', a)
    return namedResult('linalg_eig', { eigenvalues, eigenvectors })
  },
  { method: false },
)

/** The type of `eigvals`. */
export type Eigvals = (a: Tensor) => Tensor

/**
 * The eigenvalues [..., n] of square matrices [..., n, n]: complex, in no particular order.
 * See https://docs.pytorch.org/docs/stable/generated/torch.linalg.eigvals.html
 * @throws RuntimeError for matrices that are not square or hold infinities or NaN.
 */
export const eigvals: Eigvals & FunctionInfo = fn<Eigvals>(
  'linalg.eigvals',
  ['A'],
  [],
  (a: Tensor) => run('linalg.eigvals', a)[0],
  { method: false },
)
