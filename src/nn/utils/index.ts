// The namespace torch.nn.utils.

export { fuseConvBnEval, fuseConvBnWeights, fuseLinearBnEval, fuseLinearBnWeights } from './fusion.ts'
export * from './gradients.ts'
export * as parametrizations from './parametrizations-namespace.ts'
export * as parametrize from './parametrize.ts'
export * as prune from './prune.ts'
export * as rnn from './rnn.ts'
export { removeSpectralNorm, spectralNorm } from './spectral-norm.ts'
export { removeWeightNorm, weightNorm } from './weight-norm.ts'
