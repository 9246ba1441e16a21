// Normalisations over chosen dimensions: layer, batch, group, instance, RMS norms.

import { gradMode } from '../autograd/mode.ts'
import { type DType, float32 } from '../core/dtype.ts'
import { RuntimeError, ValueError } from '../core/errors.ts'
import { formatSizes, numelOf } from '../core/shape.ts'
import * as k from '../kernels/expr.ts'
import { type Expr, valueTypeOf } from '../kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { to } from './conversion.ts'
import { emptyTensor, launch, loopOperand, operand } from './launch.ts'
import { layerNormInputGradient, layerNormWeightGradients } from './layer-norm-gradient.ts'
import { addcmul } from './math-binary.ts'
import { applyMany, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { reshape, view } from './views.ts'

// ---- layer norm ---------------------------------------------------------------------------------------------------------------

const layerNormKernels = new Map<string, Kernel>()

// Mean and variance of a row, then the normalised row times weight plus bias; mean and 1/std are kept for backward.
function layerNormKernel(dtype: DType, weight: DType | null, bias: DType | null): Kernel {
  const key = `${dtype.name} ${weight?.name} ${bias?.name}`
  let kernel = layerNormKernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder('layer_norm')
    const x = b.input(dtype)
    const w = weight === null ? null : b.input(weight)
    const c = bias === null ? null : b.input(bias)
    const out = b.output(dtype)
    const means = b.output(dtype)
    const rstds = b.output(dtype)
    const type = valueTypeOf(dtype)
    const count = b.scalar(type)
    const eps = b.scalar(type)
    const mean = b.let(
      k.div(
        b.loop((l) => l.reduce('sum', l.read(x))),
        count,
      ),
    )
    const squares = b.loop((l) => {
      const d = k.sub(l.read(x), mean)
      return l.reduce('sum', k.mul(d, d))
    })
    const rstd = b.let(k.div(k.constant(1, type), k.sqrt(k.add(k.div(squares, count), eps))))
    b.write(means, mean)
    b.write(rstds, rstd)
    b.loop((l) => {
      let y: Expr = k.mul(k.sub(l.read(x), mean), rstd)
      if (w !== null) y = k.mul(y, k.cast(l.read(w), type))
      if (c !== null) y = k.add(y, k.cast(l.read(c), type))
      l.write(out, y)
    })
    kernel = b.build()
    layerNormKernels.set(key, kernel)
  }
  return kernel
}

interface LayerNormAttributes {
  /** How many trailing dimensions are normalised. */
  readonly rank: number
  readonly eps: number
  readonly hasWeight: boolean
  readonly hasBias: boolean
}

const layerNormOp: Op<LayerNormAttributes> = {
  node: 'NativeLayerNormBackward0',
  forward: ([x, ...rest], { rank, eps, hasWeight, hasBias }) => {
    const split = x.ndim - rank
    const outer = x.sizes.slice(0, split)
    const loop = x.sizes.slice(split)
    const out = emptyTensor(x.sizes, x.dtype, x.device)
    const mean = emptyTensor(outer, x.dtype, x.device)
    const rstd = emptyTensor(outer, x.dtype, x.device)
    const weight = hasWeight ? rest[0] : null
    const bias = hasBias ? rest[hasWeight ? 1 : 0] : null
    const still = outer.map(() => 0)
    const kernel = layerNormKernel(x.dtype, weight?.dtype ?? null, bias?.dtype ?? null)
    launch(
      x.device,
      kernel,
      outer,
      loop,
      [
        operand(x),
        ...(weight === null ? [] : [operand(weight, [...still, ...weight.strides])]),
        ...(bias === null ? [] : [operand(bias, [...still, ...bias.strides])]),
        operand(out),
        operand(mean, [...mean.strides, ...loop.map(() => 0)]),
        operand(rstd, [...rstd.strides, ...loop.map(() => 0)]),
      ],
      [numelOf(loop), eps],
    )
    return [out, mean, rstd]
  },
  saves: [0, 1],
  nonDifferentiable: [1, 2],
  savesOutputs: [1, 2],
  backward: ([g], c) => {
    const { rank, hasWeight, hasBias } = c.attributes
    const x = c.input(0)
    const wanted = { weight: hasWeight && c.needs(1), bias: hasBias && c.needs(hasWeight ? 2 : 1) }
    if (!gradMode.enabled && x.numel() > 0) {
      const [mean, rstd] = [c.output(1), c.output(2)]
      const weight = hasWeight ? c.input(1) : null
      const gradients = [c.needs(0) ? layerNormInputGradient(g!, x, mean, rstd, weight, rank) : null]
      if (!hasWeight && !hasBias) return gradients
      const dtype = weight?.dtype ?? x.dtype
      const [ofWeight, ofBias] =
        wanted.weight || wanted.bias ? layerNormWeightGradients(g!, x, mean, rstd, dtype, rank) : [null, null]
      if (hasWeight) gradients.push(wanted.weight ? ofWeight : null)
      if (hasBias) gradients.push(wanted.bias ? ofBias : null)
      return gradients
    }
    const inner = Array.from({ length: rank }, (_, i) => x.ndim - rank + i)
    const leading = Array.from({ length: x.ndim - rank }, (_, i) => i)
    const spread = (stat: Tensor) => reshape(stat, [...stat.sizes, ...inner.map(() => 1)])
    // To be differentiated again, the statistics must depend on x.
    const centred = gradMode.enabled ? x.sub(x.mean(inner, { keepdim: true })) : x.sub(spread(c.output(1)))
    const rstd = gradMode.enabled ? recomputedRstd(centred, inner, spread(c.output(2))) : spread(c.output(2))
    const normalised = centred.mul(rstd)
    const scaled = hasWeight ? g!.mul(c.input(1)) : g!
    const results: (Tensor | null)[] = []
    if (c.needs(0)) {
      const meanOf = (t: Tensor) => t.mean(inner, { keepdim: true })
      results.push(
        scaled
          .sub(meanOf(scaled))
          .sub(normalised.mul(meanOf(scaled.mul(normalised))))
          .mul(rstd),
      )
    } else results.push(null)
    const overRows = (t: Tensor) => (leading.length === 0 ? t : t.sum(leading))
    if (hasWeight) results.push(wanted.weight ? overRows(g!.mul(normalised)) : null)
    if (hasBias) results.push(wanted.bias ? overRows(g!) : null)
    return results
  },
}

// 1 / sqrt(var + eps) as a function of x: eps is what the saved value implies.
function recomputedRstd(centred: Tensor, inner: readonly number[], saved: Tensor): Tensor {
  const variance = centred.mul(centred).mean(inner, { keepdim: true })
  const eps = saved.pow(-2).sub(variance.detach())
  return variance.add(eps).rsqrt()
}

/** Options of `layerNorm`. */
export interface LayerNormOptions {
  weight?: Tensor | null
  bias?: Tensor | null
  /** Added to the variance; default 1e-5. */
  eps?: number
}

export type LayerNorm = (x: Tensor, normalizedShape: readonly number[], options?: LayerNormOptions) => Tensor

function checkNormalizedShape(
  x: Tensor,
  shape: readonly number[],
  weight?: Tensor | null,
  bias?: Tensor | null,
): void {
  if (shape.length === 0)
    throw new RuntimeError(
      'Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element, but got normalized_shape = []',
    )
  for (const [name, p] of [
    ['weight', weight],
    ['bias', bias],
  ] as const)
    if (p && formatSizes(p.sizes) !== formatSizes(shape))
      throw new RuntimeError(
        `Expected ${name} to be of same shape as normalized_shape, but got ${name} of shape ${formatSizes(p.sizes)} and normalized_shape = ${formatSizes(shape)}`,
      )
  const own = x.sizes.slice(x.ndim - shape.length)
  if (x.ndim < shape.length || formatSizes(own) !== formatSizes(shape))
    throw new RuntimeError(
      `Given normalized_shape=${formatSizes(shape)}, expected input with shape [*, ${shape.join(', ')}], but got input of size${formatSizes(x.sizes)}`,
    )
}

/** Normalises over the last dimensions (of shape `normalizedShape`) to mean 0 and variance 1, then scales and shifts. Ba et al. 2016. */
export const layerNorm: LayerNorm & FunctionInfo = fn<LayerNorm>(
  'layer_norm',
  ['input', 'normalizedShape'],
  ['weight', 'bias', 'eps'],
  (x: Tensor, shape: readonly number[], { weight, bias, eps = 1e-5 }: LayerNormOptions) => {
    checkTensor('layer_norm', 'input', x)
    checkNormalizedShape(x, shape, weight, bias)
    const inputs = [x, weight, bias].filter((t): t is Tensor => t !== undefined && t !== null)
    return applyMany(layerNormOp, inputs, {
      rank: shape.length,
      eps,
      hasWeight: !!weight,
      hasBias: !!bias,
    })[0]
  },
  { method: false },
)

/** Options of `rmsNorm`. */
export interface RmsNormOptions {
  weight?: Tensor | null
  /** Added to the mean square; default: the smallest step of the dtype. */
  eps?: number | null
}

export type RmsNorm = (x: Tensor, normalizedShape: readonly number[], options?: RmsNormOptions) => Tensor

/** Divides by the root of the mean square over the last dimensions, then scales. Zhang and Sennrich 2019. */
export const rmsNorm: RmsNorm & FunctionInfo = fn<RmsNorm>(
  'rms_norm',
  ['input', 'normalizedShape'],
  ['weight', 'eps'],
  (x: Tensor, shape: readonly number[], { weight, eps }: RmsNormOptions) => {
    checkNormalizedShape(x, shape, weight)
    const dims = shape.map((_, i) => x.ndim - shape.length + i)
    // PyTorch's default is the dtype's epsilon, of float32 for the half types in which it computes.
    const epsilon = eps ?? (x.dtype.name === 'float64' ? 2 ** -52 : 2 ** -23)
    const wide = x.dtype.itemsize === 2 ? x.float() : x
    const normalised = wide.mul(wide.pow(2).mean(dims, { keepdim: true }).add(epsilon).rsqrt())
    const result = weight ? normalised.mul(weight) : normalised
    return result.dtype === x.dtype ? result : to(result, x.dtype)
  },
  { method: false },
)

// ---- batch norm ---------------------------------------------------------------------------------------------------------------

interface BatchNormAttributes {
  readonly training: boolean
  readonly eps: number
  readonly hasWeight: boolean
  readonly hasBias: boolean
  /** Statistics to use where not training. */
  readonly mean: Tensor | null
  readonly variance: Tensor | null
}

const channelStatKernels = new Map<string, Kernel>()

function channelStatKernel(dtype: DType): Kernel {
  let kernel = channelStatKernels.get(dtype.name)
  if (kernel === undefined) {
    const b = new KernelBuilder('batch_norm_statistics')
    const x = b.input(dtype)
    const means = b.output(dtype)
    const variances = b.output(dtype)
    const count = b.scalar(valueTypeOf(dtype))
    const mean = b.let(
      k.div(
        b.loop((l) => l.reduce('sum', l.read(x))),
        count,
      ),
    )
    const squares = b.loop((l) => {
      const d = k.sub(l.read(x), mean)
      return l.reduce('sum', k.mul(d, d))
    })
    b.write(means, mean)
    b.write(variances, k.div(squares, count))
    kernel = b.build()
    channelStatKernels.set(dtype.name, kernel)
  }
  return kernel
}

const gradientKernels = new Map<string, { sums: Kernel; input: Kernel }>()

// What the gradient of training takes: for each channel the sums of g and of g (x - mean), in one pass over both; then
// a g + b (x - mean) + c, with three numbers per channel.
function gradientKernelsOf(dtype: DType): { sums: Kernel; input: Kernel } {
  let kernels = gradientKernels.get(dtype.name)
  if (kernels === undefined) {
    const s = new KernelBuilder('batch_norm_gradient_sums')
    const [g, x, mean] = [s.input(dtype), s.input(dtype), s.input(dtype)]
    const [sums, products] = [s.output(dtype), s.output(dtype)]
    const center = s.let(s.read(mean))
    const [sum, product] = s.loop((l) => {
      const value = l.read(g)
      return [l.reduce('sum', value), l.reduce('sum', k.mul(value, k.sub(l.read(x), center)))]
    })
    s.write(sums, sum)
    s.write(products, product)
    const d = new KernelBuilder('batch_norm_gradient')
    const [dg, dx, dMean, a, b, c] = Array.from({ length: 6 }, () => d.input(dtype))
    const out = d.output(dtype)
    const deviation = k.sub(d.read(dx), d.read(dMean))
    d.write(out, k.add(k.add(k.mul(d.read(dg), d.read(a)), k.mul(deviation, d.read(b))), d.read(c)))
    kernels = { sums: s.build(), input: d.build() }
    gradientKernels.set(dtype.name, kernels)
  }
  return kernels
}

/** The gradients of input, weight and bias in training, where nobody differentiates them again: two passes over memory. */
function trainingGradients(
  g: Tensor,
  x: Tensor,
  mean: Tensor,
  rstd: Tensor,
  weight: Tensor | null,
  needsInput: boolean,
): { input: Tensor | null; weight: Tensor; bias: Tensor } {
  const { sums, input } = gradientKernelsOf(x.dtype)
  const channels = x.sizes[1]
  const count = x.numel() / channels
  const loopDims = x.sizes.map((_, d) => d).filter((d) => d !== 1)
  const still = loopDims.map(() => 0)
  const [sum, product] = [
    emptyTensor([channels], x.dtype, x.device),
    emptyTensor([channels], x.dtype, x.device),
  ]
  const perChannel = (t: Tensor) => operand(t, [1, ...still])
  launch(
    x.device,
    sums,
    [channels],
    loopDims.map((d) => x.sizes[d]),
    [
      loopOperand(g, loopDims),
      loopOperand(x, loopDims),
      perChannel(mean),
      perChannel(sum),
      perChannel(product),
    ],
    [],
  )
  const weightGradient = product.mul(rstd)
  if (!needsInput) return { input: null, weight: weightGradient, bias: sum }
  const a = weight === null ? rstd : rstd.mul(weight)
  const b = a
    .mul(rstd)
    .mul(weightGradient)
    .mul(-1 / count)
  const c = a.mul(sum).mul(-1 / count)
  const out = emptyTensor(x.sizes, x.dtype, x.device)
  const along = x.sizes.map((_, d) => (d === 1 ? 1 : 0))
  launch(
    x.device,
    input,
    x.sizes,
    [],
    [
      operand(g, g.strides),
      operand(x, x.strides),
      ...[mean, a, b, c].map((t) => operand(t, along)),
      operand(out, out.strides),
    ],
    [],
  )
  return { input: out, weight: weightGradient, bias: sum }
}

/** Mean and (biased) variance of each channel (dimension 1). */
function channelStatistics(x: Tensor): [Tensor, Tensor] {
  const channels = x.sizes[1]
  const mean = emptyTensor([channels], x.dtype, x.device)
  const variance = emptyTensor([channels], x.dtype, x.device)
  const loopDims = x.sizes.map((_, d) => d).filter((d) => d !== 1)
  const still = loopDims.map(() => 0)
  launch(
    x.device,
    channelStatKernel(x.dtype),
    [channels],
    loopDims.map((d) => x.sizes[d]),
    [loopOperand(x, loopDims), operand(mean, [1, ...still]), operand(variance, [1, ...still])],
    [x.numel() / channels],
  )
  return [mean, variance]
}

const channelWise = (stat: Tensor, rank: number): Tensor =>
  view(stat, [1, -1, ...new Array<number>(rank - 2).fill(1)])

const batchNormOp: Op<BatchNormAttributes> = {
  node: 'NativeBatchNormBackward0',
  forward: (
    [x, ...rest],
    { training, eps, hasWeight, hasBias, mean: fixedMean, variance: fixedVariance },
  ) => {
    const [mean, variance] = training
      ? channelStatistics(x)
      : [fixedMean!.to(x.dtype), fixedVariance!.to(x.dtype)]
    const rstd = variance.add(eps).rsqrt()
    const weight = hasWeight ? rest[0] : null
    const bias = hasBias ? rest[hasWeight ? 1 : 0] : null
    // y = x * scale + shift, with one scale and shift per channel.
    const scale = weight === null ? rstd : rstd.mul(weight)
    const shift = bias === null ? mean.mul(scale).neg() : bias.sub(mean.mul(scale))
    const out = addcmul(channelWise(shift, x.ndim), x, channelWise(scale, x.ndim))
    return [out, mean, rstd, variance]
  },
  saves: [0, 1],
  nonDifferentiable: [1, 2, 3],
  savesOutputs: [1, 2],
  backward: ([g], c) => {
    const { training, hasWeight, hasBias, eps } = c.attributes
    const x = c.input(0)
    const dims = x.sizes.map((_, d) => d).filter((d) => d !== 1)
    const again = gradMode.enabled
    if (training && !again && g!.dtype === x.dtype) {
      const weight = hasWeight ? c.input(1) : null
      if (weight === null || weight.dtype === x.dtype) {
        const found = trainingGradients(g!, x, c.output(1), c.output(2), weight, c.needs(0))
        return [found.input, ...(hasWeight ? [found.weight] : []), ...(hasBias ? [found.bias] : [])]
      }
    }
    let mean = channelWise(c.output(1), x.ndim)
    let rstd = channelWise(c.output(2), x.ndim)
    if (training && again) {
      mean = x.mean(dims, { keepdim: true })
      const d = x.sub(mean)
      rstd = d.mul(d).mean(dims, { keepdim: true }).add(eps).rsqrt()
    }
    const normalised = x.sub(mean).mul(rstd)
    const scaled = hasWeight ? g!.mul(channelWise(c.input(1), x.ndim)) : g!
    const results: (Tensor | null)[] = []
    if (!c.needs(0)) results.push(null)
    else if (!training) results.push(scaled.mul(rstd))
    else {
      const meanOf = (t: Tensor) => t.mean(dims, { keepdim: true })
      results.push(
        scaled
          .sub(meanOf(scaled))
          .sub(normalised.mul(meanOf(scaled.mul(normalised))))
          .mul(rstd),
      )
    }
    if (hasWeight) results.push(c.needs(1) ? g!.mul(normalised).sum(dims) : null)
    if (hasBias) results.push(c.needs(hasWeight ? 2 : 1) ? g!.sum(dims) : null)
    return results
  },
}

const isHalf = (x: Tensor): boolean => x.dtype.itemsize === 2 && x.dtype.kind === 'float'

const widened = (x: Tensor | null | undefined): Tensor | null | undefined => (x ? to(x, float32) : x)

/** Options of `batchNorm`. */
export interface BatchNormOptions {
  weight?: Tensor | null
  bias?: Tensor | null
  /** Use the batch's own statistics and update the running ones. */
  training?: boolean
  /** How far running statistics move toward the batch's; default 0.1. */
  momentum?: number
  eps?: number
}

export type BatchNorm = (
  x: Tensor,
  runningMean: Tensor | null,
  runningVar: Tensor | null,
  options?: BatchNormOptions,
) => Tensor

/**
 * Normalises each channel (dimension 1) by the statistics of the batch (`training`) or the running ones, then scales
 * and shifts. Training updates the running statistics in place, the variance unbiased. Ioffe and Szegedy 2015.
 * @throws ValueError for a batch with one value per channel in training.
 */
export const batchNorm: BatchNorm & FunctionInfo = fn<BatchNorm>(
  'batch_norm',
  ['input', 'runningMean', 'runningVar'],
  ['weight', 'bias', 'training', 'momentum', 'eps'],
  (x: Tensor, runningMean: Tensor | null, runningVar: Tensor | null, options: BatchNormOptions) => {
    const { weight, bias, training = false, momentum = 0.1, eps = 1e-5 } = options
    checkTensor('batch_norm', 'input', x)
    // The half types are computed with in float32, and rounded once.
    if (isHalf(x))
      return to(
        batchNorm(to(x, float32), runningMean, runningVar, {
          ...options,
          weight: widened(weight),
          bias: widened(bias),
        }),
        x.dtype,
      )
    if (x.numel() === 0) {
      const scaled = weight && weight.numel() > 0 ? x.mul(weight.select(0, 0)) : x.mul(1)
      return bias && bias.numel() > 0 ? scaled.add(bias.select(0, 0)) : scaled
    }
    if (x.ndim < 2)
      throw new RuntimeError(`batch_norm(): expected an input of at least 2 dimensions, got ${x.ndim}`)
    const channels = x.sizes[1]
    const count = x.numel() / channels
    if (training && count === 1)
      throw new ValueError(
        `Expected more than 1 value per channel when training, got input size torch.Size(${formatSizes(x.sizes)})`,
      )
    for (const [name, t] of [
      ['running_mean', runningMean],
      ['running_var', runningVar],
      ['weight', weight],
      ['bias', bias],
    ] as const)
      if (t && t.numel() !== channels)
        throw new RuntimeError(`${name} should contain ${channels} elements not ${t.numel()}`)
    if (!training && (!runningMean || !runningVar))
      throw new RuntimeError('Expected running_mean and running_var to be defined when training=False')
    const inputs = [x, weight, bias].filter((t): t is Tensor => t !== undefined && t !== null)
    const attributes = {
      training,
      eps,
      hasWeight: !!weight,
      hasBias: !!bias,
      mean: runningMean,
      variance: runningVar,
    }
    const [out, mean, , variance] = applyMany(batchNormOp, inputs, attributes)
    if (training) {
      updateRunning(runningMean, mean, momentum)
      updateRunning(runningVar, variance.mul(count / (count - 1)), momentum)
    }
    return out
  },
  { method: false },
)

function updateRunning(running: Tensor | null, batch: Tensor, momentum: number): void {
  if (running === null || running === undefined) return
  const before = gradMode.enabled
  gradMode.enabled = false
  try {
    running.mul_(1 - momentum).add_(batch.to(running.dtype), { alpha: momentum })
  } finally {
    gradMode.enabled = before
  }
}

/** Options of `groupNorm`. */
export interface GroupNormOptions {
  weight?: Tensor | null
  bias?: Tensor | null
  eps?: number
}

export type GroupNorm = (x: Tensor, numGroups: number, options?: GroupNormOptions) => Tensor

// Samples, groups, and the elements of a group: a number that cannot be inferred where there are no samples.
function groupedSizes(sizes: readonly number[], groups: number): number[] {
  return [sizes[0], groups, numelOf(sizes.slice(1)) / groups]
}

const groupNormOp: Op<{ groups: number; eps: number; hasWeight: boolean; hasBias: boolean }> = {
  node: 'NativeGroupNormBackward0',
  forward: ([x, ...rest], { groups, eps, hasWeight, hasBias }) => {
    // The half types are computed in float32 throughout, as PyTorch does.
    const wide = x.dtype.itemsize === 2 ? to(x, float32) : x
    const grouped = reshape(wide, groupedSizes(x.sizes, groups))
    const [normal, mean, rstd] = layerNormOp.forward([grouped], {
      rank: 1,
      eps,
      hasWeight: false,
      hasBias: false,
    }) as Tensor[]
    let out = reshape(normal, x.sizes)
    if (hasWeight) out = out.mul(channelWise(rest[0], x.ndim))
    if (hasBias) out = out.add(channelWise(rest[hasWeight ? 1 : 0], x.ndim))
    return [to(out, x.dtype), to(mean, x.dtype), to(rstd, x.dtype)]
  },
  saves: [0, 1],
  nonDifferentiable: [1, 2],
  savesOutputs: [1, 2],
  backward: ([g], c) => {
    const { groups, hasWeight, hasBias, eps } = c.attributes
    const x = c.input(0)
    const shape = groupedSizes(x.sizes, groups)
    const grouped = reshape(x, shape)
    const again = gradMode.enabled
    const mean = again ? grouped.mean(2, { keepdim: true }) : reshape(c.output(1), [x.sizes[0], groups, 1])
    const centred = grouped.sub(mean)
    const rstd = again
      ? centred.mul(centred).mean(2, { keepdim: true }).add(eps).rsqrt()
      : reshape(c.output(2), [x.sizes[0], groups, 1])
    const normalised = centred.mul(rstd)
    const scaled = reshape(hasWeight ? g!.mul(channelWise(c.input(1), x.ndim)) : g!, shape)
    const meanOf = (t: Tensor) => t.mean(2, { keepdim: true })
    const dims = x.sizes.map((_, d) => d).filter((d) => d !== 1)
    const results: (Tensor | null)[] = [
      c.needs(0)
        ? reshape(
            scaled
              .sub(meanOf(scaled))
              .sub(normalised.mul(meanOf(scaled.mul(normalised))))
              .mul(rstd),
            x.sizes,
          )
        : null,
    ]
    if (hasWeight) results.push(c.needs(1) ? g!.mul(reshape(normalised, x.sizes)).sum(dims) : null)
    if (hasBias) results.push(c.needs(hasWeight ? 2 : 1) ? g!.sum(dims) : null)
    return results
  },
}

/** Normalises groups of channels of each sample, then scales and shifts each channel. Wu and He 2018. */
export const groupNorm: GroupNorm & FunctionInfo = fn<GroupNorm>(
  'group_norm',
  ['input', 'numGroups'],
  ['weight', 'bias', 'eps'],
  (x: Tensor, groups: number, { weight, bias, eps = 1e-5 }: GroupNormOptions) => {
    if (x.ndim < 2)
      throw new RuntimeError(`Expected at least 2 dimensions for input tensor but received ${x.ndim}`)
    if (x.sizes[1] % groups !== 0)
      throw new RuntimeError(
        `Expected number of channels in input to be divisible by num_groups, but got input of shape ${formatSizes(x.sizes)} and num_groups=${groups}`,
      )
    if (isHalf(x)) {
      const options = { weight: widened(weight), bias: widened(bias), eps }
      return to(groupNorm(to(x, float32), groups, options), x.dtype)
    }
    const inputs = [x, weight, bias].filter((t): t is Tensor => t !== undefined && t !== null)
    return applyMany(groupNormOp, inputs, { groups, eps, hasWeight: !!weight, hasBias: !!bias })[0]
  },
  { method: false },
)

/** Options of `instanceNorm`. */
export interface InstanceNormOptions {
  runningMean?: Tensor | null
  runningVar?: Tensor | null
  weight?: Tensor | null
  bias?: Tensor | null
  /** Use each sample's own statistics (default) rather than the running ones. */
  useInputStats?: boolean
  momentum?: number
  eps?: number
}

export type InstanceNorm = (x: Tensor, options?: InstanceNormOptions) => Tensor

/** Normalises each channel of each sample, then scales and shifts. Ulyanov et al. 2016. */
export const instanceNorm: InstanceNorm & FunctionInfo = fn<InstanceNorm>(
  'instance_norm',
  ['input'],
  ['runningMean', 'runningVar', 'weight', 'bias', 'useInputStats', 'momentum', 'eps'],
  (x: Tensor, options: InstanceNormOptions) => {
    const {
      runningMean,
      runningVar,
      weight,
      bias,
      useInputStats = true,
      momentum = 0.1,
      eps = 1e-5,
    } = options
    const [n, channels, ...rest] = x.sizes
    if (useInputStats && numelOf(rest) === 1)
      throw new ValueError(
        `Expected more than 1 spatial element when training, got input size torch.Size(${formatSizes(x.sizes)})`,
      )
    const spread = (t: Tensor | null | undefined) => (t ? t.repeat(n) : t)
    // Samples become channels of one batch.
    const [mean, variance] = [runningMean, runningVar].map((t) => (t ? t.detach().repeat(n) : null))
    const out = batchNorm(reshape(x, [1, n * channels, ...rest]), mean, variance, {
      weight: spread(weight),
      bias: spread(bias),
      training: useInputStats,
      momentum,
      eps,
    })
    if (useInputStats) {
      if (runningMean && mean) runningMean.detach().copy_(view(mean, [n, channels]).mean(0))
      if (runningVar && variance) runningVar.detach().copy_(view(variance, [n, channels]).mean(0))
    }
    return view(out, x.sizes)
  },
  { method: false },
)
