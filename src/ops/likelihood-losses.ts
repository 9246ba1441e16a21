// Divergences and likelihoods of nn.functional: Kullback-Leibler, Poisson, Gaussian.

import { noGrad } from '../autograd/mode.ts'
import { RuntimeError, ValueError } from '../core/errors.ts'
import { sameSizes } from '../core/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import {
  checkReduction,
  type LossReduction,
  noMethod,
  pair,
  type ReductionOption,
  reduceLoss,
} from './loss.ts'
import { xlogy } from './math-binary.ts'
import { checkTensor, type FunctionInfo, fn } from './op.ts'

/** Options of `klDiv`. */
export interface KlDivOptions {
  /** 'batchmean' divides the sum by the batch size, which is what the divergence means; default 'mean'. */
  reduction?: LossReduction | 'batchmean'
  /** Whether the target holds logarithms; default false. */
  logTarget?: boolean
}

/** The type of `klDiv`. */
export type KlDiv = (input: Tensor, target: Tensor, options?: KlDivOptions) => Tensor

/** `target (log(target) - input)`: the Kullback-Leibler divergence, the input in logarithms. */
export const klDiv: KlDiv & FunctionInfo = fn<KlDiv>(
  'kl_div',
  pair,
  ['reduction', 'logTarget'],
  (input: Tensor, target: Tensor, { reduction = 'mean', logTarget = false }: KlDivOptions) => {
    checkTensor('kl_div', 'input', input)
    checkTensor('kl_div', 'target', target)
    if (reduction !== 'batchmean') checkReduction(reduction)
    if (input.dtype.kind !== 'float' || target.dtype.kind !== 'float')
      throw new RuntimeError('kl_div: Integral inputs not supported. Convert them with .float().')
    const losses = logTarget
      ? target.exp().mul(target.sub(input))
      : xlogy(target, target).sub(target.mul(input))
    if (reduction !== 'batchmean') return reduceLoss(losses, reduction)
    return input.ndim === 0 ? losses.sum() : losses.sum().div(input.sizes[0])
  },
  noMethod,
)

/** Options of `poissonNllLoss`. */
export interface PoissonNllOptions extends ReductionOption {
  /** Whether the input is the logarithm of the rate; default true. */
  logInput?: boolean
  /** Whether to add Stirling's approximation of the constant term; default false. */
  full?: boolean
  /** Keeps the logarithm of a rate of 0 finite; default 1e-8. */
  eps?: number
}

/** The type of `poissonNllLoss`. */
export type PoissonNllLoss = (input: Tensor, target: Tensor, options?: PoissonNllOptions) => Tensor

/** The negative log likelihood of counts under a Poisson distribution: `exp(input) - target input`. */
export const poissonNllLoss: PoissonNllLoss & FunctionInfo = fn<PoissonNllLoss>(
  'poisson_nll_loss',
  pair,
  ['logInput', 'full', 'eps', 'reduction'],
  (
    input: Tensor,
    target: Tensor,
    { logInput = true, full = false, eps = 1e-8, reduction = 'mean' }: PoissonNllOptions,
  ) => {
    checkTensor('poisson_nll_loss', 'input', input)
    checkTensor('poisson_nll_loss', 'target', target)
    checkReduction(reduction)
    let losses = logInput ? input.exp().sub(target.mul(input)) : input.sub(target.mul(input.add(eps).log()))
    if (full) {
      const stirling = target
        .mul(target.log())
        .sub(target)
        .add(
          target
            .mul(2 * Math.PI)
            .log()
            .mul(0.5),
        )
      losses = losses.add(stirling.maskedFill(target.le(1), 0))
    }
    return reduceLoss(losses, reduction)
  },
  noMethod,
)

/** Options of `gaussianNllLoss`. */
export interface GaussianNllOptions extends ReductionOption {
  /** Whether to add the constant term; default false. */
  full?: boolean
  /** The least variance; default 1e-6. */
  eps?: number
}

/** The type of `gaussianNllLoss`. */
export type GaussianNllLoss = (
  input: Tensor,
  target: Tensor,
  variance: Tensor | number,
  options?: GaussianNllOptions,
) => Tensor

/**
 * The negative log likelihood under a normal distribution: `(log(var) + (input - target)^2 / var) / 2`.
 * @param variance of the input's shape, with a last dimension of 1 or none, or one number for all.
 */
export const gaussianNllLoss: GaussianNllLoss & FunctionInfo = fn<GaussianNllLoss>(
  'gaussian_nll_loss',
  ['input', 'target', 'var'],
  ['full', 'eps', 'reduction'],
  (
    input: Tensor,
    target: Tensor,
    variance: Tensor | number,
    { full = false, eps = 1e-6, reduction = 'mean' }: GaussianNllOptions,
  ) => {
    checkTensor('gaussian_nll_loss', 'input', input)
    checkTensor('gaussian_nll_loss', 'target', target)
    let spread = variance instanceof Tensor ? variance : input.detach().mul(0).add(1).mul(variance)
    const negative =
      variance instanceof Tensor
        ? variance.device.type === 'cpu' && variance.lt(0).any().item() === true
        : variance < 0
    if (negative) throw new ValueError('var has negative entry/entries')
    // One variance for each row: its last dimension may be missing, or one of its dimensions may be 1.
    if (!sameSizes(spread.sizes, input.sizes)) {
      const differing = spread.sizes.filter((n, d) => n !== input.sizes[d])
      if (input.ndim > 0 && sameSizes(input.sizes.slice(0, -1), spread.sizes)) spread = spread.unsqueeze(-1)
      else if (spread.ndim !== input.ndim || differing.length !== 1 || differing[0] !== 1)
        throw new ValueError('var is of incorrect size')
    }
    if (!['none', 'mean', 'sum'].includes(reduction))
      throw new ValueError(`${String(reduction)} is not valid`)
    // The bound is not differentiated: the gradient reaches small variances too.
    const bounded = spread.clone()
    noGrad(() => bounded.clamp_(eps))
    const losses = bounded.log().add(input.sub(target).pow(2).div(bounded)).mul(0.5)
    return reduceLoss(full ? losses.add(0.5 * Math.log(2 * Math.PI)) : losses, reduction)
  },
  noMethod,
)
