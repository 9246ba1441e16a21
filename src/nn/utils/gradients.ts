// Clipping of gradients, and parameters as one vector.

import { noGrad } from '../../autograd/mode.ts'
import { float32 } from '../../core/dtype.ts'
import { RuntimeError, TypeError_ } from '../../core/errors.ts'
import { pyFloat } from '../../core/python.ts'
import { fullTensor } from '../../ops/creation.ts'
import { cat, stack } from '../../ops/joining.ts'
import { setData, Tensor } from '../../tensor/tensor.ts'
import { readOptions } from '../options.ts'

type Tensors = Tensor | Iterable<Tensor>

const listOf = (tensors: Tensors): Tensor[] => (tensors instanceof Tensor ? [tensors] : [...tensors])

const gradsOf = (parameters: readonly Tensor[]): Tensor[] =>
  parameters.map((p) => p.grad).filter((g): g is Tensor => g !== null)

/** Options of `clipGradNorm_` and `getTotalNorm`. */
export interface NormOptions {
  /** The p of the norm, or Infinity; default 2. */
  normType?: number
  /** Whether a norm that is infinite or NaN is an error; default false. */
  errorIfNonfinite?: boolean
  /** Without meaning here. */
  foreach?: boolean | null
}

const normOptions = ['normType', 'errorIfNonfinite', 'foreach'] as const

/** The p-norm of a tensor's elements, a tensor without dimensions. */
function vectorNorm(x: Tensor, p: number): Tensor {
  if (p === Number.POSITIVE_INFINITY) return x.abs().max()
  if (p === Number.NEGATIVE_INFINITY) return x.abs().min()
  if (p === 0) return x.ne(0).sum().to(x.dtype)
  if (p === 1) return x.abs().sum()
  if (p === 2) return x.mul(x).sum().sqrt()
  return x
    .abs()
    .pow(p)
    .sum()
    .pow(1 / p)
}

function totalNorm(
  tensors: readonly Tensor[],
  { normType = 2, errorIfNonfinite = false }: NormOptions,
): Tensor {
  if (tensors.length === 0) return fullTensor([], 0, float32)
  const norms = tensors.map((t) => vectorNorm(t.detach(), normType).to(tensors[0].device))
  const dtype = norms.some((n) => n.dtype !== norms[0].dtype)
    ? norms.reduce((a, b) => a.add(b)).dtype
    : norms[0].dtype
  const norm = vectorNorm(stack(norms.map((n) => n.to(dtype))), normType)
  if (errorIfNonfinite && !Number.isFinite(Number(norm.item())))
    throw new RuntimeError(
      `The total norm of order ${pyFloat(normType)} for gradients from \`parameters\` is non-finite, so it cannot be clipped. To disable this error and scale the gradients by the non-finite norm anyway, set \`error_if_nonfinite=False\``,
    )
  return norm
}

/** The norm of all elements of several tensors, as if they were one vector. */
export function getTotalNorm(
  tensors: Tensors,
  normType?: number | NormOptions,
  options?: NormOptions,
): Tensor {
  return noGrad(() =>
    totalNorm(listOf(tensors), readOptions<NormOptions>('get_total_norm', normOptions, normType, options)),
  )
}

/** Multiplies the gradients of parameters so that a total norm already known becomes at most `maxNorm`. */
export function clipGradsWithNorm_(parameters: Tensors, maxNorm: number, total: Tensor): void {
  noGrad(() => {
    const grads = gradsOf(listOf(parameters))
    if (grads.length === 0) return
    const factor = total.add(1e-6).reciprocal().mul(maxNorm).clamp(null, 1)
    for (const grad of grads) grad.mul_(factor.to(grad.device))
  })
}

/**
 * Scales the gradients of parameters in place so that their total norm is at most `maxNorm`; returns the norm that they
 * had. To be called between `backward` and the optimizer's step.
 *
 * @throws RuntimeError for a norm that is not finite, with `errorIfNonfinite`.
 */
export function clipGradNorm_(
  parameters: Tensors,
  maxNorm: number,
  normType?: number | NormOptions,
  options?: NormOptions,
): Tensor {
  const list = listOf(parameters)
  if (list.length === 0 && !Array.isArray(parameters))
    console.warn('`parameters` is an empty generator, no gradient clipping will occur.')
  const total = getTotalNorm(
    gradsOf(list),
    readOptions<NormOptions>('clip_grad_norm_', normOptions, normType, options),
  )
  clipGradsWithNorm_(list, maxNorm, total)
  return total
}

/** Cuts the gradients of parameters off at -clipValue and clipValue, in place. */
export function clipGradValue_(parameters: Tensors, clipValue: number): void {
  noGrad(() => {
    for (const grad of gradsOf(listOf(parameters))) grad.clamp_(-clipValue, clipValue)
  })
}

/** All elements of parameters, one after the other, as one vector. */
export function parametersToVector(parameters: Iterable<Tensor>): Tensor {
  return cat([...parameters].map((p) => p.reshape([-1])))
}

/** Gives parameters the elements of a vector, one after the other; they share its memory afterwards. */
export function vectorToParameters(vector: Tensor, parameters: Iterable<Tensor>): void {
  if (!(vector instanceof Tensor)) throw new TypeError_(`expected torch.Tensor, but got: ${typeof vector}`)
  let start = 0
  for (const parameter of parameters) {
    const n = parameter.numel()
    setData(parameter, vector.detach().narrow(0, start, n).view(parameter.sizes))
    start += n
  }
}
