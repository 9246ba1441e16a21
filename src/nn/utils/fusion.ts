// Batch normalisation folded into the layer before it, for inference.

import { AssertionError } from '../../core/errors.ts'
import { onesLike, zerosLike } from '../../ops/creation.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { deepcopy } from '../deepcopy.ts'
import type { Module } from '../module.ts'
import { Parameter } from '../parameter.ts'

/** A layer with a weight, as convolutions and Linear are. */
interface WeightedLayer extends Module {
  weight: Parameter
  bias: Parameter | null
}

/** What is read of a batch normalisation. */
interface BatchNormLayer extends Module {
  readonly running_mean: Tensor | null
  readonly running_var: Tensor | null
  readonly weight: Tensor | null
  readonly bias: Tensor | null
  readonly eps: number
  readonly numFeatures: number
}

function statisticsOf(layer: Module, bn: BatchNormLayer): { mean: Tensor; variance: Tensor } {
  if (layer.training || bn.training) throw new AssertionError('Fusion only for eval!')
  const { running_mean: mean, running_var: variance } = bn
  if (mean === null || variance === null)
    throw new AssertionError('bn.running_mean and bn.running_var must not be None')
  return { mean, variance }
}

// New parameters that require gradients where what they were made of does.
function parametersLike(
  weight: Tensor,
  weightBefore: Tensor,
  bias: Tensor,
  biasBefore: Tensor,
): [weight: Parameter, bias: Parameter] {
  return [
    new Parameter(weight.detach(), { requiresGrad: weightBefore.requiresGrad }),
    new Parameter(bias.detach(), { requiresGrad: biasBefore.requiresGrad }),
  ]
}

/**
 * A copy of a convolution that does what the convolution and the batch normalisation after it do together.
 * @param options.transpose whether the convolution is a transposed one
 * @throws AssertionError unless both are in eval mode and the normalisation has running statistics
 */
export function fuseConvBnEval<C extends WeightedLayer>(
  conv: C,
  bn: BatchNormLayer,
  { transpose = false }: { transpose?: boolean } = {},
): C {
  const { mean, variance } = statisticsOf(conv, bn)
  const fused = deepcopy(conv)
  const [weight, bias] = fuseConvBnWeights(
    fused.weight,
    fused.bias,
    mean,
    variance,
    bn.eps,
    bn.weight,
    bn.bias,
    {
      transpose,
    },
  )
  fused.weight = weight
  fused.bias = bias
  return fused
}

/** The weight and bias of a convolution with a batch normalisation folded in; null stands for none. */
export function fuseConvBnWeights(
  convWeight: Tensor,
  convBias: Tensor | null,
  runningMean: Tensor,
  runningVar: Tensor,
  eps: number,
  bnWeight: Tensor | null,
  bnBias: Tensor | null,
  { transpose = false }: { transpose?: boolean } = {},
): [weight: Parameter, bias: Parameter] {
  const bias = convBias ?? zerosLike(runningMean)
  const scale = runningVar.add(eps).rsqrt()
  const gamma = bnWeight ?? onesLike(runningMean)
  const shape = convWeight.sizes.map(() => 1)
  shape[transpose ? 1 : 0] = -1
  const weight = convWeight.mul(gamma.mul(scale).reshape(shape)).to(convWeight.dtype)
  const shifted = bias
    .sub(runningMean)
    .mul(scale)
    .mul(gamma)
    .add(bnBias ?? zerosLike(runningMean))
    .to((convBias ?? convWeight).dtype)
  return parametersLike(weight, convWeight, shifted, bias)
}

/**
 * A copy of a Linear that does what it and the batch normalisation after it do together.
 * @throws AssertionError unless both are in eval mode and their numbers of features fit
 */
export function fuseLinearBnEval<L extends WeightedLayer & { readonly outFeatures: number }>(
  linear: L,
  bn: BatchNormLayer,
): L {
  const { mean, variance } = statisticsOf(linear, bn)
  if (linear.outFeatures !== bn.numFeatures && bn.numFeatures !== 1)
    throw new AssertionError(
      `To fuse, linear.out_features == bn.num_features or bn.num_features == 1, got linear.out_features=${linear.outFeatures} and bn.num_features=${bn.numFeatures}`,
    )
  const fused = deepcopy(linear)
  const [weight, bias] = fuseLinearBnWeights(
    fused.weight,
    fused.bias,
    mean,
    variance,
    bn.eps,
    bn.weight ?? onesLike(mean),
    bn.bias ?? zerosLike(mean),
  )
  fused.weight = weight
  fused.bias = bias
  return fused
}

/** The weight and bias of a Linear with a batch normalisation folded in; a null bias stands for none. */
export function fuseLinearBnWeights(
  linearWeight: Tensor,
  linearBias: Tensor | null,
  runningMean: Tensor,
  runningVar: Tensor,
  eps: number,
  bnWeight: Tensor,
  bnBias: Tensor,
): [weight: Parameter, bias: Parameter] {
  const bias = linearBias ?? zerosLike(runningMean)
  const scale = bnWeight.mul(runningVar.add(eps).rsqrt())
  const weight = linearWeight.mul(scale.unsqueeze(-1).to(linearWeight.dtype))
  const shifted = bias
    .sub(runningMean)
    .mul(scale)
    .add(bnBias)
    .to((linearBias ?? linearWeight).dtype)
  return parametersLike(weight, linearWeight, shifted, bias)
}
