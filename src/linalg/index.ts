// The namespace torch.linalg.

export { matmul } from '../ops/matmul.ts'
export { LinAlgError } from './batches.ts'
export { eigh, eigvalsh } from './eigen.ts'
export { eig, eigvals } from './general-eigen.ts'
export { lu, luFactor, luFactorEx, luSolve } from './lu.ts'
export { cond, matrixNorm, norm, vectorNorm } from './norms.ts'
export { householderProduct, qr } from './orthogonal.ts'
export {
  cross,
  diagonal,
  matrixExp,
  matrixPower,
  multiDot,
  tensorinv,
  tensorsolve,
  vander,
  vecdot,
} from './products.ts'
export { lstsq, matrixRank, pinv, svd, svdvals } from './singular.ts'
export { det, inv, invEx, slogdet, solve, solveEx } from './systems.ts'
export { cholesky, choleskyEx, solveTriangular } from './triangular.ts'
