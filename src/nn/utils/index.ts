// The namespace torch.nn.utils.

export { fuseConvBnEval, fuseConvBnWeights, fuseLinearBnEval, fuseLinearBnWeights } from './fusion.ts'
export * from './gradients.ts'
export * as rnn from './rnn.ts'
