// Activation functions of nn.functional. Each is one kernel and one node, as is its derivative. relu, sigmoid and tanh
// are methods as well; the random rrelu is in dropout.ts.

import type { Tensor } from '../tensor/tensor.ts'
import { celu, elu, hardtanh, leakyRelu, relu, selu, threshold } from './rectifiers.ts'

export type { Activation, InplaceOption } from './activation.ts'
export { sigmoid, tanh } from './math.ts'
export * from './rectifiers.ts'
export * from './smooth-activations.ts'

// ---- the in-place forms of nn.functional --------------------------------------------------------------------------------

/** `relu` in place: writes to `x` and returns it. */
export const relu_ = (x: Tensor): Tensor => relu.inPlace(x)
/** `elu` in place: writes to `x` and returns it. */
export const elu_ = (x: Tensor, alpha = 1): Tensor => elu(x, alpha, { inplace: true })
/** `celu` in place: writes to `x` and returns it. */
export const celu_ = (x: Tensor, alpha = 1): Tensor => celu(x, alpha, { inplace: true })
/** `selu` in place: writes to `x` and returns it. */
export const selu_ = (x: Tensor): Tensor => selu(x, { inplace: true })
/** `leakyRelu` in place: writes to `x` and returns it. */
export const leakyRelu_ = (x: Tensor, negativeSlope = 0.01): Tensor =>
  leakyRelu(x, negativeSlope, { inplace: true })
/** `hardtanh` in place: writes to `x` and returns it. */
export const hardtanh_ = (x: Tensor, minVal = -1, maxVal = 1): Tensor =>
  hardtanh(x, minVal, { maxVal, inplace: true })
/** `threshold` in place: writes to `x` and returns it. */
export const threshold_ = (x: Tensor, limit: number, value: number): Tensor =>
  threshold(x, limit, value, { inplace: true })
