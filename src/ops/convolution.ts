// Convolutions of 1 to 3 dimensions and their transposes. The three products that belong together (output, gradient of
// the input, gradient of the weight) are contractions of the same kernel over differently strided operands.

import { float32 } from '../core/dtype.ts'
import { RuntimeError, TypeError_ } from '../core/errors.ts'
import { formatSizes } from '../core/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { bilinearOfParts } from './complex-parts.ts'
import { copyRaw, to } from './conversion.ts'
import { fullTensor } from './creation.ts'
import { emptyTensor, launch, operand } from './launch.ts'
import { contractionKernel } from './matmul.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { view } from './views.ts'

interface Geometry {
  readonly stride: readonly number[]
  readonly padding: readonly number[]
  readonly dilation: readonly number[]
  readonly groups: number
}

const spatial = (x: Tensor): readonly number[] => x.sizes.slice(2)

/** The input with zeros around it. Negative amounts cut. */
function padded(x: Tensor, before: readonly number[], after: readonly number[]): Tensor {
  if (before.every((n) => n === 0) && after.every((n) => n === 0)) return x
  const sizes = x.sizes.map((n, d) => (d < 2 ? n : n + before[d - 2] + after[d - 2]))
  const out = fullTensor(sizes, 0, x.dtype, x.device)
  place(
    out,
    x,
    before,
    before.map(() => 1),
  )
  return out
}

/** Writes x into `out`, its first element at `start` and its neighbours `step` apart; what falls outside is cut. */
function place(out: Tensor, x: Tensor, start: readonly number[], step: readonly number[]): void {
  let from = x
  let offset = out.offset
  const sizes = [...x.sizes]
  const strides = [...out.strides]
  for (let i = 0; i < start.length; i++) {
    const d = i + 2
    const first = Math.max(0, Math.ceil(-start[i] / step[i]))
    const last = Math.min(x.sizes[d] - 1, Math.floor((out.sizes[d] - 1 - start[i]) / step[i]))
    sizes[d] = Math.max(0, last - first + 1)
    from = new Tensor(from.storage, sizes, from.strides, from.offset + first * from.strides[d], from.dtype)
    offset += (start[i] + first * step[i]) * out.strides[d]
    strides[d] = out.strides[d] * step[i]
  }
  if (sizes.some((n) => n === 0)) return
  copyRaw(
    new Tensor(out.storage, sizes, strides, offset, out.dtype),
    new Tensor(from.storage, sizes, from.strides, from.offset, from.dtype),
  )
}

/** The sizes that a convolution gives. */
function outputSizes(x: readonly number[], kernel: readonly number[], g: Geometry): number[] {
  return kernel.map(
    (k, i) => Math.floor((x[i] + 2 * g.padding[i] - g.dilation[i] * (k - 1) - 1) / g.stride[i]) + 1,
  )
}

/** out[n, co, o] = sum over ci, k of x[n, ci, o * stride + k * dilation - padding] * weight[co, ci, k] */
function convolve(x: Tensor, weight: Tensor, g: Geometry): Tensor {
  const kernel = spatial(weight)
  const sizes = outputSizes(spatial(x), kernel, g)
  const source = padded(x, g.padding, g.padding)
  const { groups } = g
  const [outChannels, inPerGroup] = weight.sizes
  const perGroup = outChannels / groups
  const out = emptyTensor([x.sizes[0], outChannels, ...sizes], x.dtype, x.device)
  const [xs, ws, os] = [source.strides, weight.strides, out.strides]
  const none = kernel.map(() => 0)
  launch(
    x.device,
    contractionKernel(x.dtype),
    [x.sizes[0], groups, perGroup, ...sizes],
    [inPerGroup, ...kernel],
    [
      operand(source, [
        xs[0],
        inPerGroup * xs[1],
        0,
        ...kernel.map((_, i) => xs[i + 2] * g.stride[i]),
        xs[1],
        ...kernel.map((_, i) => xs[i + 2] * g.dilation[i]),
      ]),
      operand(weight, [0, perGroup * ws[0], ws[0], ...none, ws[1], ...kernel.map((_, i) => ws[i + 2])]),
      operand(out, [os[0], perGroup * os[1], os[1], ...kernel.map((_, i) => os[i + 2]), 0, ...none]),
    ],
  )
  return out
}

/** The gradient of a convolution's input: the gradient spread by the stride, convolved with the weight turned around. */
function convolveInputGradient(
  grad: Tensor,
  weight: Tensor,
  inputSizes: readonly number[],
  g: Geometry,
): Tensor {
  const kernel = spatial(weight)
  const [outChannels, inPerGroup] = weight.sizes
  const { groups } = g
  const perGroup = outChannels / groups
  const sizes = inputSizes.slice(2)
  // Position p of `spread` holds the gradient of output (p - reach + padding) / stride.
  const reach = kernel.map((k, i) => g.dilation[i] * (k - 1))
  const spreadSizes = sizes.map((n, i) => n + reach[i])
  const spread = fullTensor([grad.sizes[0], outChannels, ...spreadSizes], 0, grad.dtype, grad.device)
  place(
    spread,
    grad,
    reach.map((r, i) => r - g.padding[i]),
    g.stride,
  )
  const out = emptyTensor(inputSizes, grad.dtype, grad.device)
  const [gs, ws, os] = [spread.strides, weight.strides, out.strides]
  const none = kernel.map(() => 0)
  const turned = kernel.reduce((sum, k, i) => sum + (k - 1) * ws[i + 2], 0)
  launch(
    grad.device,
    contractionKernel(grad.dtype),
    [inputSizes[0], groups, inPerGroup, ...sizes],
    [perGroup, ...kernel],
    [
      operand(spread, [
        gs[0],
        perGroup * gs[1],
        0,
        ...kernel.map((_, i) => gs[i + 2]),
        gs[1],
        ...kernel.map((_, i) => gs[i + 2] * g.dilation[i]),
      ]),
      {
        ...operand(weight, [0, perGroup * ws[0], ws[1], ...none, ws[0], ...kernel.map((_, i) => -ws[i + 2])]),
        offset: weight.offset + turned,
      },
      operand(out, [os[0], inPerGroup * os[1], os[1], ...kernel.map((_, i) => os[i + 2]), 0, ...none]),
    ],
  )
  return out
}

/** The gradient of a convolution's weight: input and gradient contracted over samples and positions. */
function convolveWeightGradient(
  grad: Tensor,
  x: Tensor,
  weightSizes: readonly number[],
  g: Geometry,
): Tensor {
  const kernel = weightSizes.slice(2)
  const [outChannels, inPerGroup] = weightSizes
  const { groups } = g
  const perGroup = outChannels / groups
  const source = padded(x, g.padding, g.padding)
  const out = emptyTensor(weightSizes, grad.dtype, grad.device)
  const [xs, gs, os] = [source.strides, grad.strides, out.strides]
  const none = kernel.map(() => 0)
  launch(
    grad.device,
    contractionKernel(grad.dtype),
    [groups, perGroup, inPerGroup, ...kernel],
    [grad.sizes[0], ...spatial(grad)],
    [
      operand(source, [
        inPerGroup * xs[1],
        0,
        xs[1],
        ...kernel.map((_, i) => xs[i + 2] * g.dilation[i]),
        xs[0],
        ...kernel.map((_, i) => xs[i + 2] * g.stride[i]),
      ]),
      operand(grad, [perGroup * gs[1], gs[1], 0, ...none, gs[0], ...kernel.map((_, i) => gs[i + 2])]),
      operand(out, [perGroup * os[0], os[0], os[1], ...kernel.map((_, i) => os[i + 2]), 0, ...none]),
    ],
  )
  return out
}

// A product and its bias; in the half types rounded once, after the bias, as in PyTorch.
function withBias(
  product: (x: Tensor, weight: Tensor) => Tensor,
  [x, weight, bias]: readonly Tensor[],
): Tensor {
  if (bias === undefined || x.dtype.itemsize !== 2) return addBias(product(x, weight), bias)
  const [a, w, b] = [x, weight, bias].map((t) => to(t, float32))
  return to(addBias(product(a, w), b), x.dtype)
}

function addBias(out: Tensor, bias: Tensor | undefined): Tensor {
  return bias === undefined ? out : out.add_(view(bias, [-1, ...new Array<number>(out.ndim - 2).fill(1)]))
}

const biasGradient = (g: Tensor): Tensor => g.sum(g.sizes.map((_, d) => d).filter((d) => d !== 1))

const convolutionOp: Op<Geometry> = {
  node: 'ConvolutionBackward0',
  forward: (inputs, g) => withBias((x, weight) => convolve(x, weight, g), inputs),
  saves: [0, 1],
  backward: ([grad], c) => {
    const [x, weight] = [c.input(0), c.input(1)]
    const g = c.attributes
    return [
      c.needs(0) ? apply(inputGradientOp, [grad!, weight], { ...g, sizes: x.sizes }) : null,
      c.needs(1) ? apply(weightGradientOp, [grad!, x], { ...g, sizes: weight.sizes }) : null,
      c.inputSizes.length > 2 && c.needs(2) ? biasGradient(grad!) : null,
    ].slice(0, c.inputSizes.length)
  },
}

interface SizedGeometry extends Geometry {
  /** The shape of the result. */
  readonly sizes: readonly number[]
}

// A convolution of a padded output can give more positions than the input had; those see only padding.
function narrowed(x: Tensor, sizes: readonly number[]): Tensor {
  return sizes.reduce((part, n, d) => (part.sizes[d] === n ? part : part.narrow(d, 0, n)), x)
}

// Also the transposed convolution: x takes the place of the gradient.
const inputGradientOp: Op<SizedGeometry> = {
  node: 'ConvolutionBackward0',
  forward: (inputs, g) => withBias((grad, weight) => convolveInputGradient(grad, weight, g.sizes, g), inputs),
  saves: [0, 1],
  backward: ([gg], c) => {
    const [grad, weight] = [c.input(0), c.input(1)]
    const { sizes: _, ...g } = c.attributes
    return [
      c.needs(0) ? narrowed(apply(convolutionOp, [gg!, weight], g), grad.sizes) : null,
      c.needs(1) ? apply(weightGradientOp, [grad, gg!], { ...g, sizes: weight.sizes }) : null,
      c.inputSizes.length > 2 && c.needs(2) ? biasGradient(gg!) : null,
    ].slice(0, c.inputSizes.length)
  },
}

const weightGradientOp: Op<SizedGeometry> = {
  node: 'ConvolutionBackwardBackward0',
  forward: ([grad, x], g) => convolveWeightGradient(grad, x, g.sizes, g),
  saves: [0, 1],
  backward: ([gg], c) => {
    const [grad, x] = [c.input(0), c.input(1)]
    const { sizes: _, ...g } = c.attributes
    return [
      c.needs(0) ? narrowed(apply(convolutionOp, [x, gg!], g), grad.sizes) : null,
      c.needs(1) ? apply(inputGradientOp, [grad, gg!], { ...g, sizes: x.sizes }) : null,
    ]
  },
}

/** Options of a convolution: one number for all dimensions, or one for each. */
export interface ConvOptions {
  bias?: Tensor | null
  stride?: number | readonly number[]
  /** Zeros around the input, or 'valid' (none), or 'same' (as many as keep the size; stride 1). */
  padding?: number | readonly number[] | 'valid' | 'same'
  dilation?: number | readonly number[]
  groups?: number
}

export interface Conv {
  (x: Tensor, weight: Tensor, bias?: Tensor | null, options?: Omit<ConvOptions, 'bias'>): Tensor
  (x: Tensor, weight: Tensor, options?: ConvOptions): Tensor
}

/** One number for each of `rank` dimensions. */
function expandOption(name: string, value: number | readonly number[], rank: number): number[] {
  if (typeof value === 'number') return new Array<number>(rank).fill(value)
  if (value.length === 1) return new Array<number>(rank).fill(value[0])
  if (value.length !== rank)
    throw new RuntimeError(
      `expected ${name} to be a single integer value or a list of ${rank} values to match the convolution dimensions, but got ${name}=${formatSizes(value)}`,
    )
  return [...value]
}

function checkConvInputs(
  name: string,
  rank: number,
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null | undefined,
  inChannels: number,
  g: { groups: number },
  transposed: boolean,
): void {
  checkTensor(name, 'input', x)
  checkTensor(name, 'weight', weight)
  if (weight.ndim !== rank + 2 || (x.ndim !== rank + 2 && x.ndim !== rank + 1))
    throw new RuntimeError(
      `Expected ${rank + 1}D (unbatched) or ${rank + 2}D (batched) input to ${name}, but got input of size: ${formatSizes(x.sizes)}`,
    )
  if (x.dtype !== weight.dtype)
    throw new RuntimeError(
      `Input type (${x.dtype.name}) and weight type (${weight.dtype.name}) should be the same${x.dtype.kind === 'float' ? '' : '; write x.float(), or torch.tensor(..., { dtype: torch.float32 })'}`,
    )
  const channels = x.sizes[x.ndim - rank - 1]
  if (channels !== inChannels)
    throw new RuntimeError(
      transposed
        ? `Given transposed=1, weight of size ${formatSizes(weight.sizes)}, expected input${formatSizes(x.sizes)} to have ${inChannels} channels, but got ${channels} channels instead`
        : `Given groups=${g.groups}, weight of size ${formatSizes(weight.sizes)}, expected input${formatSizes(x.sizes)} to have ${inChannels} channels, but got ${channels} channels instead`,
    )
  if (weight.sizes[0] % g.groups !== 0)
    throw new RuntimeError(
      `Given groups=${g.groups}, expected weight to be at least ${g.groups} at dimension 0, but got weight of size ${formatSizes(weight.sizes)} instead`,
    )
  const outChannels = transposed ? weight.sizes[1] * g.groups : weight.sizes[0]
  if (bias && (bias.ndim !== 1 || bias.sizes[0] !== outChannels))
    throw new RuntimeError(
      `Given ${transposed ? 'transposed=1' : `groups=${g.groups}`}, weight of size ${formatSizes(weight.sizes)}, expected bias to be 1-dimensional with ${outChannels} elements, but got bias of size ${formatSizes(bias.sizes)} instead`,
    )
}

function checkPositive(name: string, values: readonly number[], least: number): void {
  if (values.some((v) => v < least))
    throw new RuntimeError(
      least === 0 ? `negative ${name} is not supported` : `non-positive ${name} is not supported`,
    )
}

const isComplexPair = (x: Tensor, weight: Tensor): boolean =>
  x instanceof Tensor && weight instanceof Tensor && x.dtype.isComplex && weight.dtype.isComplex

function convFunction(rank: number): Conv & FunctionInfo {
  const name = `conv${rank}d`
  const convolution: Conv & FunctionInfo = fn<Conv>(
    name,
    ['input', 'weight'],
    ['bias', 'stride', 'padding', 'dilation', 'groups'],
    (x: Tensor, weight: Tensor, options: ConvOptions): Tensor => {
      if (isComplexPair(x, weight)) return bilinearOfParts<ConvOptions>(convolution, x, weight, options)
      const { bias, groups = 1 } = options
      const stride = expandOption('stride', options.stride ?? 1, rank)
      const dilation = expandOption('dilation', options.dilation ?? 1, rank)
      checkTensor(name, 'weight', weight)
      checkConvInputs(name, rank, x, weight, bias, (weight.sizes[1] ?? 0) * groups, { groups }, false)
      checkPositive('stride', stride, 1)
      checkPositive('dilation', dilation, 1)
      let source = x.ndim === rank + 1 ? x.unsqueeze(0) : x
      let padding: number[]
      const given = options.padding ?? 0
      if (given === 'valid') padding = new Array<number>(rank).fill(0)
      else if (given === 'same') {
        if (stride.some((s) => s !== 1))
          throw new RuntimeError("padding='same' is not supported for strided convolutions")
        const total = spatial(weight).map((k, i) => dilation[i] * (k - 1))
        padding = total.map((n) => Math.floor(n / 2))
        // What does not divide evenly goes to the end.
        if (total.some((n) => n % 2 > 0))
          source = apply(
            padEndOp,
            [source],
            total.map((n) => n % 2),
          )
      } else if (typeof given === 'string')
        throw new TypeError_(`Invalid padding string '${String(given)}', should be one of {'valid', 'same'}`)
      else padding = expandOption('padding', given, rank)
      checkPositive('padding', padding, 0)
      const reach = spatial(weight).map((k, i) => dilation[i] * (k - 1) + 1)
      const available = spatial(source).map((n, i) => n + 2 * padding[i])
      if (reach.some((r, i) => r > available[i]))
        throw new RuntimeError(
          `Calculated padded input size per channel: (${available.join(' x ')}). Kernel size: (${reach.join(' x ')}). Kernel size can't be greater than actual input size`,
        )
      const out = apply(convolutionOp, bias ? [source, weight, bias] : [source, weight], {
        stride,
        padding,
        dilation,
        groups,
      })
      return x.ndim === rank + 1 ? out.squeeze(0) : out
    },
    { method: false },
  )
  return convolution
}

const padEndOp: Op<readonly number[]> = {
  node: 'ConstantPadNdBackward0',
  forward: ([x], after) =>
    padded(
      x,
      after.map(() => 0),
      after,
    ),
  backward: ([g], { inputSizes }) => [narrowed(g!, inputSizes[0])],
}

/** Convolution over one dimension: input [n, c, l], weight [out, c / groups, k]. */
export const conv1d: Conv & FunctionInfo = convFunction(1)
/** Convolution over two dimensions: input [n, c, h, w], weight [out, c / groups, kh, kw]. (Strictly: a cross-correlation.) */
export const conv2d: Conv & FunctionInfo = convFunction(2)
/** Convolution over three dimensions: input [n, c, d, h, w], weight [out, c / groups, kd, kh, kw]. */
export const conv3d: Conv & FunctionInfo = convFunction(3)

/** Options of a transposed convolution. */
export interface ConvTransposeOptions {
  bias?: Tensor | null
  stride?: number | readonly number[]
  padding?: number | readonly number[]
  /** Extra size of the output at the end of each dimension. */
  outputPadding?: number | readonly number[]
  groups?: number
  dilation?: number | readonly number[]
}

export interface ConvTranspose {
  (x: Tensor, weight: Tensor, bias?: Tensor | null, options?: Omit<ConvTransposeOptions, 'bias'>): Tensor
  (x: Tensor, weight: Tensor, options?: ConvTransposeOptions): Tensor
}

function convTransposeFunction(rank: number): ConvTranspose & FunctionInfo {
  const name = `conv_transpose${rank}d`
  const convolution: ConvTranspose & FunctionInfo = fn<ConvTranspose>(
    name,
    ['input', 'weight'],
    ['bias', 'stride', 'padding', 'outputPadding', 'groups', 'dilation'],
    (x: Tensor, weight: Tensor, options: ConvTransposeOptions): Tensor => {
      if (isComplexPair(x, weight))
        return bilinearOfParts<ConvTransposeOptions>(convolution, x, weight, options)
      const { bias, groups = 1 } = options
      const stride = expandOption('stride', options.stride ?? 1, rank)
      const padding = expandOption('padding', options.padding ?? 0, rank)
      const outputPadding = expandOption('output_padding', options.outputPadding ?? 0, rank)
      const dilation = expandOption('dilation', options.dilation ?? 1, rank)
      checkTensor(name, 'weight', weight)
      checkConvInputs(name, rank, x, weight, bias, weight.sizes[0], { groups }, true)
      checkPositive('stride', stride, 1)
      checkPositive('dilation', dilation, 1)
      checkPositive('padding', padding, 0)
      outputPadding.forEach((p, i) => {
        if (p >= stride[i] && p >= dilation[i])
          throw new RuntimeError(
            `output padding must be smaller than either stride or dilation, but got output_padding: ${formatSizes(outputPadding)} stride: ${formatSizes(stride)} dilation: ${formatSizes(dilation)}`,
          )
      })
      const source = x.ndim === rank + 1 ? x.unsqueeze(0) : x
      const sizes = spatial(source).map(
        (n, i) =>
          (n - 1) * stride[i] -
          2 * padding[i] +
          dilation[i] * (weight.sizes[i + 2] - 1) +
          outputPadding[i] +
          1,
      )
      if (sizes.some((n) => n < 1))
        throw new RuntimeError(
          `Given input size per channel: (${spatial(source).join(' x ')}). Calculated output size per channel: (${sizes.join(' x ')}). Output size is too small`,
        )
      const attributes = {
        stride,
        padding,
        dilation,
        groups,
        sizes: [source.sizes[0], weight.sizes[1] * groups, ...sizes],
      }
      const out = apply(inputGradientOp, bias ? [source, weight, bias] : [source, weight], attributes)
      return x.ndim === rank + 1 ? out.squeeze(0) : out
    },
    { method: false },
  )
  return convolution
}

/** The transpose of `conv1d`: input [n, c, l], weight [c, out / groups, k]. */
export const convTranspose1d: ConvTranspose & FunctionInfo = convTransposeFunction(1)
/** The transpose of `conv2d`: input [n, c, h, w], weight [c, out / groups, kh, kw]. */
export const convTranspose2d: ConvTranspose & FunctionInfo = convTransposeFunction(2)
/** The transpose of `conv3d`: input [n, c, d, h, w], weight [c, out / groups, kd, kh, kw]. */
export const convTranspose3d: ConvTranspose & FunctionInfo = convTransposeFunction(3)
