// Initialisers, torch.nn.init: each fills a tensor in place, without recording it, and returns the tensor.

import { noGrad } from '../autograd/mode.ts'
import { cpu } from '../core/device.ts'
import { scalarTypeName } from '../core/dtype.ts'
import { NotImplementedError, ValueError } from '../core/errors.ts'
import { denseStridesLike } from '../core/shape.ts'
import { copyRaw, inPlaceOnly, to } from '../ops/conversion.ts'
import { fillRaw } from '../ops/creation.ts'
import { emptyTensor } from '../ops/launch.ts'
import { checkTensor, type FunctionInfo, fn } from '../ops/op.ts'
import { checkWritable, type Scalar } from '../ops/pointwise.ts'
import { fillRandom, type GeneratorOption, generatorOf, randomInPlace } from '../ops/random-in-place.ts'
import * as draw from '../random/distributions.ts'
import { defaultGenerator } from '../random/generator.ts'
import { writeData } from '../tensor/data.ts'
import { Tensor } from '../tensor/tensor.ts'
import { orthonormalize } from './orthonormal.ts'

/** What `calculateGain` and the Kaiming initialisers know the gain of. */
export type Nonlinearity =
  | 'linear'
  | 'conv1d'
  | 'conv2d'
  | 'conv3d'
  | 'conv_transpose1d'
  | 'conv_transpose2d'
  | 'conv_transpose3d'
  | 'sigmoid'
  | 'tanh'
  | 'relu'
  | 'leaky_relu'
  | 'selu'

/**
 * The factor by which weights before a nonlinearity are scaled: 1 for linear layers, convolutions and sigmoid, 5/3 for
 * tanh, sqrt(2) for relu, sqrt(2 / (1 + slope^2)) for leaky_relu, 3/4 for selu.
 * @param param the negative slope of leaky_relu, default 0.01
 * @throws ValueError for anything else.
 */
export function calculateGain(nonlinearity: Nonlinearity, param?: number | null): number {
  switch (nonlinearity) {
    case 'linear':
    case 'conv1d':
    case 'conv2d':
    case 'conv3d':
    case 'conv_transpose1d':
    case 'conv_transpose2d':
    case 'conv_transpose3d':
    case 'sigmoid':
      return 1
    case 'tanh':
      return 5 / 3
    case 'relu':
      return Math.SQRT2
    case 'leaky_relu': {
      const slope = param ?? 0.01
      if (typeof slope !== 'number')
        throw new ValueError(`negative_slope ${String(slope)} not a valid number`)
      return Math.sqrt(2 / (1 + slope ** 2))
    }
    case 'selu':
      return 3 / 4
    default:
      nonlinearity satisfies never
      throw new ValueError(`Unsupported nonlinearity ${String(nonlinearity)}`)
  }
}

/** An initialiser with options only. */
export interface Initializer<Options> extends FunctionInfo {
  <T extends Tensor>(tensor: T, options?: Options): T
}

/** An initialiser whose two parameters may also be given by position. */
export interface TwoParameterInitializer<Options> extends FunctionInfo {
  <T extends Tensor>(tensor: T, options?: Options): T
  <T extends Tensor>(tensor: T, first: number, options?: Options): T
  <T extends Tensor>(tensor: T, first: number, second: number, options?: GeneratorOption): T
}

/** An initialiser whose first parameter may also be given by position. */
export interface OneParameterInitializer<Options> extends FunctionInfo {
  <T extends Tensor>(tensor: T, options?: Options): T
  <T extends Tensor>(tensor: T, first: number, options?: Options): T
}

/** Makes an initialiser that fills under `noGrad`. */
function initializer<F>(
  name: string,
  optional: readonly string[],
  positional: number,
  fill: (tensor: Tensor, options: never) => void,
): F & FunctionInfo {
  const run = fill as (tensor: Tensor, options: unknown) => void
  return fn<F>(
    name,
    ['tensor'],
    optional,
    (tensor: Tensor, options: unknown) => {
      checkTensor(name, 'tensor', tensor)
      noGrad(() => run(tensor, options))
      return tensor
    },
    { method: false, positional },
  )
}

// ---- constants ------------------------------------------------------------------------------------------------------

/** Fills with one number. */
export function constant_<T extends Tensor>(tensor: T, val: Scalar): T {
  checkTensor('constant_', 'tensor', tensor)
  noGrad(() => inPlaceOnly.fill_(tensor, val))
  return tensor
}

/** Fills with ones. */
export function ones_<T extends Tensor>(tensor: T): T {
  return constant_(tensor, 1)
}

/** Fills with zeros. */
export function zeros_<T extends Tensor>(tensor: T): T {
  checkTensor('zeros_', 'tensor', tensor)
  noGrad(() => inPlaceOnly.zero_(tensor))
  return tensor
}

/**
 * Fills a matrix with the identity, as much of it as there is room for.
 * @throws ValueError for other than 2 dimensions.
 */
export function eye_<T extends Tensor>(tensor: T): T {
  checkTensor('eye_', 'tensor', tensor)
  checkMatrix(tensor)
  zeros_(tensor)
  fillDiagonal(tensor, 0, 0, Math.min(tensor.sizes[0], tensor.sizes[1]))
  return tensor
}

function checkMatrix(tensor: Tensor): void {
  if (tensor.ndim !== 2) throw new ValueError('Only tensors with 2 dimensions are supported')
}

/** Writes ones to `n` elements that lie diagonally in the first two dimensions, from `row` on and `offset` further. */
function fillDiagonal(tensor: Tensor, row: number, offset: number, n: number): void {
  const [rowStride, columnStride] = tensor.strides
  const start = tensor.offset + row * rowStride + offset
  fillRaw(new Tensor(tensor.storage, [n], [rowStride + columnStride], start, tensor.dtype), 1)
}

/**
 * Fills the weights of a convolution so that each input channel is passed on as it is, as many as there is room for
 * in each of `groups` (1): ones in the middle of the kernels.
 * @throws ValueError for other than 3, 4 or 5 dimensions, or where `groups` does not divide the first.
 */
export const dirac_: OneParameterInitializer<{ groups?: number }> = initializer<
  OneParameterInitializer<{ groups?: number }>
>('dirac_', ['groups'], 1, (tensor, { groups = 1 }: { groups?: number }) => {
  const { sizes, strides, ndim } = tensor
  if (ndim < 3 || ndim > 5) throw new ValueError('Only tensors with 3, 4, or 5 dimensions are supported')
  if (sizes[0] % groups !== 0) throw new ValueError('dim 0 must be divisible by groups')
  zeros_(tensor)
  const perGroup = sizes[0] / groups
  let middle = 0
  for (let dim = 2; dim < ndim; dim++) middle += Math.floor(sizes[dim] / 2) * strides[dim]
  for (let group = 0; group < groups; group++)
    fillDiagonal(tensor, group * perGroup, middle, Math.min(perGroup, sizes[1]))
})

// ---- plain distributions --------------------------------------------------------------------------------------------

/** Options of `uniform_`: the bounds, by default 0 and 1. */
export interface UniformOptions extends GeneratorOption {
  a?: number
  b?: number
}

/** Fills with uniform samples on [a, b). */
export const uniform_: TwoParameterInitializer<UniformOptions> = initializer<
  TwoParameterInitializer<UniformOptions>
>('uniform_', ['a', 'b', 'generator'], 2, (tensor, { a = 0, b = 1, generator }: UniformOptions) => {
  randomInPlace.uniform_(tensor, a, b, { generator })
})

/** Options of `normal_`: by default mean 0 and standard deviation 1. */
export interface NormalOptions extends GeneratorOption {
  mean?: number
  std?: number
}

/** Fills with normal samples. */
export const normal_: TwoParameterInitializer<NormalOptions> = initializer<
  TwoParameterInitializer<NormalOptions>
>('normal_', ['mean', 'std', 'generator'], 2, (tensor, { mean = 0, std = 1, generator }: NormalOptions) => {
  randomInPlace.normal_(tensor, mean, std, { generator })
})

/** Options of `truncNormal_`: by default mean 0, standard deviation 1, bounds -2 and 2. */
export interface TruncNormalOptions extends NormalOptions {
  a?: number
  b?: number
}

/** `truncNormal_(tensor)`, with options. */
export interface TruncNormal extends TwoParameterInitializer<TruncNormalOptions> {
  <T extends Tensor>(tensor: T, mean: number, std: number, a: number, b: number, options?: GeneratorOption): T
}

/**
 * Fills with normal samples cut to [a, b]: those outside are drawn again. Works best with the mean inside the bounds,
 * which are not scaled by `std`.
 */
export const truncNormal_: TruncNormal = initializer<TruncNormal>(
  'trunc_normal_',
  ['mean', 'std', 'a', 'b', 'generator'],
  4,
  (tensor, { mean = 0, std = 1, a = -2, b = 2, ...rest }: TruncNormalOptions) => {
    if (tensor.device.type === 'meta') return
    if (mean < a - 2 * std || mean > b + 2 * std)
      console.warn(
        'mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of values may be incorrect.',
      )
    const generator = generatorOf('trunc_normal_', rest)
    fillSamples(tensor, (n, contiguous) =>
      draw.truncNormal(generator, n, tensor.dtype, mean, std, a, b, contiguous),
    )
  },
)

/** Replaces all elements by samples, and says so to autograd. */
function fillSamples(tensor: Tensor, samples: Parameters<typeof fillRandom>[1]): void {
  checkWritable(tensor)
  fillRandom(tensor, samples)
  tensor.storage.version++
}

// ---- scaled by the number of connections ----------------------------------------------------------------------------

/** How many inputs each output depends on, and the reverse. */
function fans(tensor: Tensor): { fanIn: number; fanOut: number } {
  if (tensor.ndim < 2)
    throw new ValueError('Fan in and fan out can not be computed for tensor with fewer than 2 dimensions')
  let receptiveField = 1
  for (let dim = 2; dim < tensor.ndim; dim++) receptiveField *= tensor.sizes[dim]
  return { fanIn: tensor.sizes[1] * receptiveField, fanOut: tensor.sizes[0] * receptiveField }
}

/** `[fanIn, fanOut]` of weights (out, in, ...), PyTorch's `_calculate_fan_in_and_fan_out`. */
export function calculateFanInAndFanOut(tensor: Tensor): [number, number] {
  const { fanIn, fanOut } = fans(tensor)
  return [fanIn, fanOut]
}

/** Options of the Xavier initialisers. */
export interface XavierOptions extends GeneratorOption {
  /** A factor, such as `calculateGain('relu')`; default 1. */
  gain?: number
}

function xavierStd(tensor: Tensor, gain: number): number {
  const { fanIn, fanOut } = fans(tensor)
  return gain * Math.sqrt(2 / (fanIn + fanOut))
}

/**
 * Fills with uniform samples on [-a, a), a = gain * sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, 2010).
 * @throws ValueError for fewer than 2 dimensions.
 */
export const xavierUniform_: OneParameterInitializer<XavierOptions> = initializer<
  OneParameterInitializer<XavierOptions>
>('xavier_uniform_', ['gain', 'generator'], 1, (tensor, { gain = 1, generator }: XavierOptions) => {
  const a = Math.sqrt(3) * xavierStd(tensor, gain)
  randomInPlace.uniform_(tensor, -a, a, { generator })
})

/**
 * Fills with normal samples of standard deviation gain * sqrt(2 / (fan_in + fan_out)) (Glorot and Bengio, 2010).
 * @throws ValueError for fewer than 2 dimensions.
 */
export const xavierNormal_: OneParameterInitializer<XavierOptions> = initializer<
  OneParameterInitializer<XavierOptions>
>('xavier_normal_', ['gain', 'generator'], 1, (tensor, { gain = 1, generator }: XavierOptions) => {
  randomInPlace.normal_(tensor, 0, xavierStd(tensor, gain), { generator })
})

/** Options of the Kaiming initialisers. */
export interface KaimingOptions extends GeneratorOption {
  /** The negative slope of the rectifier that follows, for 'leaky_relu' only; default 0. */
  a?: number
  /** Whether the variance is kept forward ('fan_in', the default) or backward. */
  mode?: 'fan_in' | 'fan_out'
  /** What follows the layer; default 'leaky_relu'. */
  nonlinearity?: Nonlinearity
}

/** gain / sqrt(fan), or null where there are no elements. */
function kaimingStd(tensor: Tensor, options: KaimingOptions): number | null {
  const { a = 0, mode = 'fan_in', nonlinearity = 'leaky_relu' } = options
  if (tensor.sizes.includes(0)) {
    console.warn('Initializing zero-element tensors is a no-op')
    return null
  }
  const lower = mode.toLowerCase()
  if (lower !== 'fan_in' && lower !== 'fan_out')
    throw new ValueError(`Mode ${lower} not supported, please use one of ['fan_in', 'fan_out']`)
  const { fanIn, fanOut } = fans(tensor)
  return calculateGain(nonlinearity, a) / Math.sqrt(lower === 'fan_in' ? fanIn : fanOut)
}

const kaimingOptionNames = ['a', 'mode', 'nonlinearity', 'generator']

/**
 * Fills with uniform samples on [-b, b), b = gain * sqrt(3 / fan) (He et al., 2015).
 * @throws ValueError for fewer than 2 dimensions, or an unknown mode or nonlinearity.
 */
export const kaimingUniform_: OneParameterInitializer<KaimingOptions> = initializer<
  OneParameterInitializer<KaimingOptions>
>('kaiming_uniform_', kaimingOptionNames, 3, (tensor, options: KaimingOptions) => {
  const std = kaimingStd(tensor, options)
  if (std === null) return
  const bound = Math.sqrt(3) * std
  randomInPlace.uniform_(tensor, -bound, bound, { generator: options.generator })
})

/**
 * Fills with normal samples of standard deviation gain / sqrt(fan) (He et al., 2015).
 * @throws ValueError for fewer than 2 dimensions, or an unknown mode or nonlinearity.
 */
export const kaimingNormal_: OneParameterInitializer<KaimingOptions> = initializer<
  OneParameterInitializer<KaimingOptions>
>('kaiming_normal_', kaimingOptionNames, 3, (tensor, options: KaimingOptions) => {
  const std = kaimingStd(tensor, options)
  if (std !== null) randomInPlace.normal_(tensor, 0, std, { generator: options.generator })
})

// ---- orthogonal and sparse ------------------------------------------------------------------------------------------

/**
 * Fills with a matrix of orthonormal rows or columns, whichever are fewer, times `gain` (1); dimensions from the
 * second on count as one (Saxe et al., 2013).
 * @throws ValueError for fewer than 2 dimensions, NotImplementedError for dtypes but float32 and float64.
 */
export const orthogonal_: OneParameterInitializer<XavierOptions> = initializer<
  OneParameterInitializer<XavierOptions>
>('orthogonal_', ['gain', 'generator'], 1, (tensor, { gain = 1, ...rest }: XavierOptions) => {
  if (tensor.ndim < 2) throw new ValueError('Only tensors with 2 or more dimensions are supported')
  const n = tensor.numel()
  if (n === 0 || tensor.device.type === 'meta') return
  checkWritable(tensor)
  const { dtype } = tensor
  const drawn = draw.normal(generatorOf('orthogonal_', rest), n, dtype)
  if (dtype.itemsize < 4)
    throw new NotImplementedError(`"geqrf_cpu" not implemented for '${scalarTypeName(dtype)}'`)
  const q = orthogonalFrom(drawn, tensor.sizes[0])
  const rounded = drawn.fill(0)
  // The basis is rounded to the dtype before it is scaled, as in PyTorch.
  rounded.set(q)
  const factor = dtype.itemsize === 4 ? Math.fround(gain) : gain
  for (let i = 0; i < n; i++) rounded[i] *= factor
  const result = emptyTensor(tensor.sizes, dtype, cpu)
  writeData(result, rounded)
  copyRaw(tensor, tensor.device.type === 'cpu' ? result : to(result, tensor.device))
  tensor.storage.version++
})

/** The rows or columns of a matrix (given row by row), whichever are fewer, made orthonormal; row by row. */
function orthogonalFrom(matrix: ArrayLike<number>, rows: number): Float64Array {
  const cols = matrix.length / rows
  // Rows of a wide matrix are the columns of its transpose, which lie one after the other already.
  if (rows < cols) return orthonormalize(Float64Array.from(matrix), cols, rows)
  const q = orthonormalize(transposed(matrix, rows, cols), rows, cols)
  return transposed(q, cols, rows)
}

/** A matrix of `rows` rows of `cols` elements, column by column. */
function transposed(matrix: ArrayLike<number>, rows: number, cols: number): Float64Array {
  const result = new Float64Array(rows * cols)
  for (let i = 0; i < rows; i++) for (let j = 0; j < cols; j++) result[j * rows + i] = matrix[i * cols + j]
  return result
}

/** Options of `sparse_`. */
export interface SparseOptions extends GeneratorOption {
  /** The standard deviation of the elements that are not zero; default 0.01. */
  std?: number
}

/** `sparse_(tensor, sparsity)`, with options. */
export interface Sparse extends FunctionInfo {
  <T extends Tensor>(tensor: T, sparsity: number, options?: SparseOptions): T
  <T extends Tensor>(tensor: T, sparsity: number, std: number, options?: GeneratorOption): T
}

/**
 * Fills a matrix with normal samples of which the share `sparsity` of each column is zero (Martens, 2010). As in
 * PyTorch, `generator` draws the samples; which are zero is drawn from the default generator.
 * @throws ValueError for other than 2 dimensions.
 */
export const sparse_: Sparse = fn<Sparse>(
  'sparse_',
  ['tensor', 'sparsity'],
  ['std', 'generator'],
  (tensor: Tensor, sparsity: number, { std = 0.01, ...rest }: SparseOptions) => {
    checkTensor('sparse_', 'tensor', tensor)
    checkMatrix(tensor)
    const generator = generatorOf('sparse_', rest)
    const [rows, cols] = tensor.sizes
    const zeros = Math.min(Math.ceil(sparsity * rows), rows)
    // Samples come in the order of memory, which these strides describe.
    const [rowStride, columnStride] = denseStridesLike(tensor.sizes, tensor.strides)
    fillSamples(tensor, (n, contiguous) => {
      const samples = draw.normal(generator, n, tensor.dtype, 0, std, contiguous)
      for (let col = 0; col < cols; col++) {
        const order = draw.permutation(defaultGenerator, rows)
        for (let i = 0; i < zeros; i++) samples[order[i] * rowStride + col * columnStride] = 0
      }
      return samples
    })
    return tensor
  },
  { method: false, positional: 1 },
)
