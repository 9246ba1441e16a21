// The functions of linear algebra that `torch` has at its top level and tensors have as methods.

export { luUnpack, torchLu as lu, torchLuSolve as luSolve } from './lu.ts'
export { geqrf, orgqr, ormqr, torchQr as qr } from './orthogonal.ts'
export { matrixExp, matrixPower, torchCross as cross } from './products.ts'
export { pinverse, torchSvd as svd } from './singular.ts'
export { inverse, logdet, torchDet as det, torchSlogdet as slogdet } from './systems.ts'
export { choleskyInverse, choleskySolve, torchCholesky as cholesky, triangularSolve } from './triangular.ts'
