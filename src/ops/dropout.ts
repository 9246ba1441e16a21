// Random regularisers of nn.functional: dropout and its kin, rrelu, gumbelSoftmax. They draw from the default
// generator and change nothing outside of training.

import { type DType, scalarTypeName } from '../core/dtype.ts'
import { RuntimeError, ValueError } from '../core/errors.ts'
import { contiguousStrides, denseStridesLike } from '../core/shape.ts'
import * as k from '../kernels/expr.ts'
import * as draw from '../random/distributions.ts'
import { defaultGenerator } from '../random/generator.ts'
import { data } from '../tensor/data.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { add, div, mul, sub } from './arithmetic.ts'
import { contiguous, copyRaw, detach } from './conversion.ts'
import { fullTensor } from './creation.ts'
import { emptyTensor } from './launch.ts'
import { apply, applyInPlace, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { checkWritable, pointwise } from './pointwise.ts'
import { fillRandom } from './random-in-place.ts'
import { squeeze, unsqueeze } from './views.ts'

/** Options of the dropout functions. */
export interface DropoutOptions {
  /** The probability of zeroing; default 0.5. */
  p?: number
  /** Whether to drop at all: outside of training the input is returned as it is. */
  training?: boolean
  /** Writes the result to the input. */
  inplace?: boolean
}

/** A dropout function: `dropout(x, { p: 0.1 })`, `dropout(x, 0.1, { training: false })`. */
export interface Dropout extends FunctionInfo {
  (x: Tensor, options?: DropoutOptions): Tensor
  (x: Tensor, p: number, options?: Omit<DropoutOptions, 'p'>): Tensor
}

/** Whether the input is returned as it is. */
function isIdentity(x: Tensor, p: number, training: boolean): boolean {
  return p === 0 || !training || x.numel() === 0
}

function multiply(x: Tensor, noise: Tensor, inplace: boolean): Tensor {
  return inplace ? mul.inPlace(x, noise) : mul(x, noise)
}

function checkNoiseDType(dtype: DType): void {
  if (dtype.kind !== 'float')
    throw new RuntimeError(
      `result type Float can't be cast to the desired output type ${scalarTypeName(dtype)}`,
    )
}

/** Shape and layout of the noise: those of the input, or one value for each channel of each sample. */
function emptyNoise(x: Tensor, byChannel: boolean): Tensor {
  if (!byChannel) return emptyTensor(x.sizes, x.dtype, x.device, denseStridesLike(x.sizes, x.strides))
  if (x.ndim < 2) throw new RuntimeError('Feature dropout requires at least 2 dimensions in the input')
  return emptyTensor(
    x.sizes.map((n, dim) => (dim < 2 ? n : 1)),
    x.dtype,
    x.device,
  )
}

/** Zeroes elements (or channels) with probability p and scales the others by 1 / (1 - p). */
function drop(x: Tensor, p: number, training: boolean, inplace: boolean, byChannel: boolean): Tensor {
  if (isIdentity(x, p, training)) return x
  if (p === 1) return multiply(x, fullTensor([], 0, x.dtype, x.device), inplace)
  checkNoiseDType(x.dtype)
  const noise = fillRandom(emptyNoise(x, byChannel), (n) =>
    draw.dropoutNoise(defaultGenerator, n, x.dtype, p),
  )
  return multiply(x, noise, inplace)
}

/** The value at which SELU saturates, negated. */
const alpha = 1.7580993408473766

/** Sets elements (or channels) to SELU's saturation value, then scales and shifts back to mean 0 and variance 1. */
function dropToSaturation(
  x: Tensor,
  p: number,
  training: boolean,
  inplace: boolean,
  byChannel: boolean,
): Tensor {
  if (isIdentity(x, p, training)) return x
  if (p === 1) return multiply(x, fullTensor([], 0, x.dtype, x.device), inplace)
  checkNoiseDType(x.dtype)
  const noise = fillRandom(emptyNoise(x, byChannel), (n) => draw.bernoulli(defaultGenerator, n, 1 - p))
  const a = 1 / Math.sqrt((alpha * alpha * p + 1) * (1 - p))
  // One rounding after the other, as PyTorch has them.
  const shift = add(noise, -1)
  mul.inPlace(shift, alpha * a)
  add.inPlace(shift, alpha * a * p)
  mul.inPlace(noise, a)
  return add.inPlace(multiply(x, noise, inplace), shift)
}

interface Settings {
  p: number
  training: boolean
  inplace: boolean
}

/** A function of the family: checks its arguments, then calls `run`. */
function family(
  name: string,
  trainingByDefault: boolean,
  run: (x: Tensor, settings: Settings) => Tensor,
): Dropout {
  return fn<Dropout>(
    name,
    ['input'],
    ['p', 'training', 'inplace'],
    (x: Tensor, { p = 0.5, training = trainingByDefault, inplace = false }: DropoutOptions) => {
      checkTensor(name, 'input', x)
      if (!(p >= 0 && p <= 1))
        throw new ValueError(`dropout probability has to be between 0 and 1, but got ${p}`)
      return run(x, { p, training, inplace })
    },
    { method: false },
  )
}

/**
 * During training zeroes each element with probability `p` (0.5) and multiplies the others by 1 / (1 - p).
 * `training` is true unless said otherwise.
 * @throws ValueError where `p` is not in [0, 1], RuntimeError for dtypes that are not floating.
 */
export const dropout: Dropout = family('dropout', true, (x, { p, training, inplace }) =>
  drop(x, p, training, inplace, false),
)

/** Runs channel-wise dropout on an input without batch dimension. */
function dropUnbatched(x: Tensor, { p, training, inplace }: Settings): Tensor {
  const result = drop(unsqueeze(x, 0), p, training, inplace, true)
  return inplace ? x : squeeze(result, 0)
}

/**
 * Dropout of whole channels of (N, C, L) or (C, L).
 * @throws RuntimeError for inputs of other than 2 or 3 dimensions; else as `dropout`.
 */
export const dropout1d: Dropout = family('dropout1d', true, (x, settings) => {
  if (x.ndim !== 2 && x.ndim !== 3)
    throw new RuntimeError(
      `dropout1d: Expected 2D or 3D input, but received a ${x.ndim}D input. ` +
        'Note that dropout1d exists to provide channel-wise dropout on inputs with 1 ' +
        'spatial dimension, a channel dimension, and an optional batch dimension ' +
        '(i.e. 2D or 3D inputs).',
    )
  if (x.ndim === 2) return dropUnbatched(x, settings)
  return drop(x, settings.p, settings.training, settings.inplace, true)
})

function warnOfDimensions(name: string, x: Tensor, spatial: number): void {
  console.warn(
    `${name}: Received a ${x.ndim}-D input to ${name}, which is deprecated ` +
      'and will result in an error in a future release. To retain the behavior ' +
      `and silence this warning, please use dropout instead. Note that ${name} ` +
      `exists to provide channel-wise dropout on inputs with ${spatial} spatial dimensions, ` +
      `a channel dimension, and an optional batch dimension (i.e. ${spatial + 1}D or ${spatial + 2}D inputs).`,
  )
}

/**
 * Dropout of whole channels of (N, C, H, W). An input of three dimensions is taken as (N, C, L), with PyTorch's warning.
 * @throws RuntimeError for inputs of fewer than 2 dimensions; else as `dropout`.
 */
export const dropout2d: Dropout = family('dropout2d', true, (x, { p, training, inplace }) => {
  if (x.ndim === 3)
    console.warn(
      'dropout2d: Received a 3D input to dropout2d and assuming that channel-wise ' +
        '1D dropout behavior is desired - input is interpreted as shape (N, C, L), where C ' +
        'is the channel dim. This behavior will change in a future release to interpret the ' +
        'input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D ' +
        'channel-wise dropout behavior, please switch to using dropout1d instead.',
    )
  else if (x.ndim !== 4) warnOfDimensions('dropout2d', x, 2)
  return drop(x, p, training, inplace, true)
})

/** Dropout of whole channels of (N, C, D, H, W) or (C, D, H, W). Warns and throws as `dropout2d`. */
export const dropout3d: Dropout = family('dropout3d', true, (x, settings) => {
  if (x.ndim !== 4 && x.ndim !== 5) warnOfDimensions('dropout3d', x, 3)
  if (x.ndim !== 5) return dropUnbatched(x, settings)
  return drop(x, settings.p, settings.training, settings.inplace, true)
})

/**
 * During training sets each element with probability `p` (0.5) to the value at which SELU saturates, and keeps mean
 * and variance (Klambauer et al., 2017). `training` is false unless said otherwise. Throws as `dropout`.
 */
export const alphaDropout: Dropout = family('alpha_dropout', false, (x, { p, training, inplace }) =>
  dropToSaturation(x, p, training, inplace, false),
)

/** `alphaDropout` of whole channels of (N, C, ...). */
export const featureAlphaDropout: Dropout = family(
  'feature_alpha_dropout',
  false,
  (x, { p, training, inplace }) => dropToSaturation(x, p, training, inplace, true),
)

/** Dropout of whole channels of (N, C, ...), `training` true unless said otherwise. */
export const featureDropout: Dropout = family('feature_dropout', true, (x, { p, training, inplace }) =>
  drop(x, p, training, inplace, true),
)

// ---- rrelu ----------------------------------------------------------------------------------------------------------

/** Options of `rrelu`. */
export interface RreluOptions {
  /** The smallest slope; default 1/8. */
  lower?: number
  /** The largest slope; default 1/3. */
  upper?: number
  /** Whether slopes are random; otherwise all are (lower + upper) / 2. Default false. */
  training?: boolean
  /** Writes the result to the input. */
  inplace?: boolean
}

/** `rrelu(x)`, with options. */
export interface Rrelu extends FunctionInfo {
  (x: Tensor, options?: RreluOptions): Tensor
  (x: Tensor, lower: number, options?: Omit<RreluOptions, 'lower'>): Tensor
}

interface RreluAttributes {
  readonly lower: number
  readonly upper: number
  /** The slope of each element, null outside of training. */
  readonly slopes: Tensor | null
  readonly inplace: boolean
}

const scaleNegatives = pointwise({
  name: 'leaky_relu_cpu',
  refuses: ['bool', 'int'],
  kernel: ([x], [slope]) => k.select(k.gt(x, 0), x, k.mul(x, k.cast(slope, x.type))),
})

const scaleWhereNegative = pointwise({
  name: 'leaky_relu_backward',
  kernel: ([g, x], [slope]) => k.select(k.gt(x, 0), g, k.mul(g, k.cast(slope, g.type))),
  saves: [0, 1],
  backward: (g, c) => [scaleWhereNegativeOf(g, c.input(1), c.attributes.parameters[0]), null],
})

function scaleWhereNegativeOf(g: Tensor, x: Tensor, slope: number): Tensor {
  return scaleWhereNegative([g, x], [slope])
}

function rreluValue(x: Tensor, { lower, upper, slopes }: RreluAttributes): Tensor {
  return slopes === null ? scaleNegatives([contiguous(x)], [(lower + upper) / 2]) : mul(contiguous(x), slopes)
}

const rreluOp: Op<RreluAttributes> = {
  node: ({ inplace }) => (inplace ? 'RreluWithNoiseBackward1' : 'RreluWithNoiseBackward0'),
  forward: ([x], attributes) => rreluValue(x, attributes),
  saves: [0],
  backward: ([g], context) => {
    const { lower, upper, slopes } = context.attributes
    // Slopes all but equal are not random to PyTorch.
    if (slopes !== null && upper - lower > 1e-6) return [mul(g!, slopes)]
    return [scaleWhereNegativeOf(g!, context.input(0), (lower + upper) / 2)]
  },
}

/**
 * Leaky ReLU whose slope in training is drawn for each element, uniformly between `lower` and `upper`, and otherwise is
 * their mean (Xu et al., 2015).
 * @throws RuntimeError where `lower` > `upper`, NotImplementedError for float16 in training and dtypes that are not
 *   floating.
 */
export const rrelu: Rrelu = fn<Rrelu>(
  'rrelu',
  ['input'],
  ['lower', 'upper', 'training', 'inplace'],
  (x: Tensor, { lower = 1 / 8, upper = 1 / 3, training = false, inplace = false }: RreluOptions) => {
    checkTensor('rrelu', 'input', x)
    if (inplace) checkWritable(x)
    if (!(lower <= upper))
      throw new RuntimeError('Lower bound should be less than or equal to the upper bound')
    const slopes = training ? drawSlopes(x, lower, upper) : null
    const attributes = { lower, upper, slopes, inplace }
    if (!inplace) return apply(rreluOp, [x], attributes)
    return applyInPlace(rreluOp, [x], attributes, () => {
      copyRaw(x, rreluValue(x, attributes))
    })
  },
  { method: false, positional: 2 },
)

/** A slope for each element, drawn index by index. */
function drawSlopes(x: Tensor, lower: number, upper: number): Tensor {
  const slopes = emptyTensor(x.sizes, x.dtype, x.device, contiguousStrides(x.sizes))
  return fillRandom(slopes, () =>
    draw.rreluSlopes(defaultGenerator, data(x) as Float64Array, x.dtype, lower, upper),
  )
}

// ---- gumbelSoftmax --------------------------------------------------------------------------------------------------

/** Options of `gumbelSoftmax`. */
export interface GumbelSoftmaxOptions {
  /** The temperature; default 1. */
  tau?: number
  /** Whether the result is one-hot, with the gradient of the soft one; default false. */
  hard?: boolean
  /** Has no effect; PyTorch keeps it for old code. */
  eps?: number
  /** The dimension of the categories; default the last. */
  dim?: number
}

/** `gumbelSoftmax(logits)`, with options. */
export interface GumbelSoftmax extends FunctionInfo {
  (logits: Tensor, options?: GumbelSoftmaxOptions): Tensor
  (logits: Tensor, tau: number, options?: Omit<GumbelSoftmaxOptions, 'tau'>): Tensor
}

/**
 * Samples from the Gumbel-Softmax distribution: softmax((logits + gumbel noise) / tau) (Jang et al. and Maddison et
 * al., 2016). With `hard` one-hot samples, differentiated as if they were the soft ones.
 */
export const gumbelSoftmax: GumbelSoftmax = fn<GumbelSoftmax>(
  'gumbel_softmax',
  ['logits'],
  ['tau', 'hard', 'eps', 'dim'],
  (logits: Tensor, { tau = 1, hard = false, dim = -1 }: GumbelSoftmaxOptions) => {
    checkTensor('gumbel_softmax', 'logits', logits)
    const noise = fillRandom(emptyTensor(logits.sizes, logits.dtype, logits.device), (n) =>
      draw.gumbel(defaultGenerator, n, logits.dtype),
    )
    const soft = div(add(logits, noise), tau).softmax(dim)
    if (!hard) return soft
    const index = soft.argmax(dim, { keepdim: true })
    const oneHot = fullTensor(logits.sizes, 0, logits.dtype, logits.device).scatter(dim, index, 1)
    return add(sub(oneHot, detach(soft)), soft)
  },
  { method: false, positional: 1 },
)
