// Normalisations with their statistics as results: nativeLayerNorm, nativeGroupNorm, nativeBatchNorm.

import { numelOf } from '../core/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { batchNorm, groupNorm, layerNorm } from './normalization.ts'
import { checkTensor, type FunctionInfo, fn } from './op.ts'
import { mean } from './reductions.ts'
import { var_ } from './variance.ts'
import { reshape } from './views.ts'

// The mean and 1 / sqrt(variance + eps) over dimensions.
function statistics(x: Tensor, dims: readonly number[], eps: number, keepdim: boolean): [Tensor, Tensor] {
  return [mean(x, dims, { keepdim }), var_(x, dims, { correction: 0, keepdim }).add(eps).rsqrt()]
}

/** `layerNorm`, with the mean and the reciprocal deviation of each sample (no gradient flows through those). */
export const nativeLayerNorm: NativeLayerNorm & FunctionInfo = fn<NativeLayerNorm>(
  'native_layer_norm',
  ['input', 'normalizedShape', 'weight', 'bias', 'eps'],
  [],
  (
    x: Tensor,
    normalizedShape: readonly number[],
    weight: Tensor | null,
    bias: Tensor | null,
    eps: number,
  ) => {
    checkTensor('native_layer_norm', 'input', x)
    const out = layerNorm(x, normalizedShape, { weight, bias, eps })
    const dims = normalizedShape.map((_, i) => x.ndim - normalizedShape.length + i)
    return [out, ...statistics(x.detach(), dims, eps, true)]
  },
  { method: false },
)

export type NativeLayerNorm = (
  x: Tensor,
  normalizedShape: readonly number[],
  weight: Tensor | null,
  bias: Tensor | null,
  eps: number,
) => Tensor[]

/**
 * `groupNorm` of `n` samples of `channels` channels with `positions` positions each, with the mean and the reciprocal
 * deviation of each group.
 */
export const nativeGroupNorm: NativeGroupNorm & FunctionInfo = fn<NativeGroupNorm>(
  'native_group_norm',
  ['input', 'weight', 'bias', 'N', 'C', 'HxW', 'group', 'eps'],
  [],
  (
    x: Tensor,
    weight: Tensor | null,
    bias: Tensor | null,
    n: number,
    channels: number,
    positions: number,
    group: number,
    eps: number,
  ) => {
    checkTensor('native_group_norm', 'input', x)
    const out = groupNorm(x, group, { weight, bias, eps })
    const grouped = reshape(x, [n, group, (channels * positions) / group])
    return [out, ...statistics(grouped, [2], eps, false)]
  },
  { method: false },
)

export type NativeGroupNorm = (
  x: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  n: number,
  channels: number,
  positions: number,
  group: number,
  eps: number,
) => Tensor[]

/**
 * `batchNorm`, with the mean and the reciprocal deviation of each channel (no gradient flows through those; two empty
 * tensors where the running statistics are used).
 */
export const nativeBatchNorm: NativeBatchNorm & FunctionInfo = fn<NativeBatchNorm>(
  'native_batch_norm',
  ['input', 'weight', 'bias', 'runningMean', 'runningVar', 'training', 'momentum', 'eps'],
  [],
  (
    x: Tensor,
    weight: Tensor | null,
    bias: Tensor | null,
    runningMean: Tensor | null,
    runningVar: Tensor | null,
    training: boolean,
    momentum: number,
    eps: number,
  ) => {
    checkTensor('native_batch_norm', 'input', x)
    const out = batchNorm(x, runningMean, runningVar, { weight, bias, training, momentum, eps })
    if (!training || numelOf(x.sizes) === 0) return [out, x.newZeros([0]), x.newZeros([0])]
    const dims = x.sizes.map((_, d) => d).filter((d) => d !== 1)
    return [out, ...statistics(x.detach(), dims, eps, false)]
  },
  { method: false },
)

export type NativeBatchNorm = (
  x: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  training: boolean,
  momentum: number,
  eps: number,
) => Tensor[]
