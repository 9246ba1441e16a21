// Eigenvalues and eigenvectors of matrices without symmetry. eigen.ts has symmetric and Hermitian ones.

import { complexOf } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { imag, real } from '../ops/complex.ts'
import { onHost } from '../ops/host.ts'
import { matmul } from '../ops/matmul.ts'
import { applyMany, type FunctionInfo, fn, type Op } from '../ops/op.ts'
import { unsqueeze } from '../ops/views.ts'
import { type NamedResult, namedResult } from '../tensor/return-types.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkSquare, eachItem } from './batches.ts'
import { generalEigen, realEigen } from './general-spectral.ts'
import { solve } from './systems.ts'
import { adjointOf } from './triangular.ts'

const eigOp: Op<{ readonly isReal: boolean }> = {
  node: 'LinalgEigBackward0',
  forward: ([a], { isReal }) => {
    const n = a.sizes[a.ndim - 1]
    const dtype = complexOf(a.dtype)
    const decompose = isReal ? realEigen : generalEigen
    return eachItem(
      [a],
      [2],
      [[n], [n, n]].map((sizes) => ({ sizes, dtype })),
      ([matrix], [values, vectors]) => {
        if (!matrix.every(Number.isFinite))
          throw new RuntimeError('torch.linalg.eig: input tensor should not contain infs or NaNs.')
        const found = decompose(matrix, n)
        values.set(found.values)
        vectors.set(found.vectors)
      },
    )
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
  checkPhase(diagonal)
  // Vectors keep their length.
  const tangent = product.sub(matmul(vh, v.mul(unsqueeze(real(diagonal), -2))))
  const identity = values.detach().mul(0).add(1).diagEmbed()
  const gaps = unsqueeze(values, -2).sub(unsqueeze(values, -1)).conj().add(identity)
  const outside = tangent.sub(tangent.mul(identity)).div(gaps)
  return gradValues === null ? outside : outside.add(gradValues.diagEmbed())
}

/** Throws where a derivative depends on the phases of the vectors, which are arbitrary. */
function checkPhase(diagonal: Tensor): void {
  const known = onHost(imag(diagonal.detach()))
  if (known === null || known.numel() === 0 || !((known.abs().max().item() as number) > 1e-2)) return
  throw new RuntimeError(
    'linalg_eig_backward: The eigenvectors in the complex case are specified up to multiplication by e^{i phi}. The specified loss function depends on this quantity, so it is ill-defined.',
  )
}

function run(name: string, a: Tensor): readonly Tensor[] {
  checkSquare(name, a, 'A', true)
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
