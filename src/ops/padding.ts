// Padding of the last dimensions: with a constant, the mirror image, the border repeated, or wrapping around.

import { NotImplementedError, RuntimeError } from '../core/errors.ts'
import { formatSizes } from '../core/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { copyRaw } from './conversion.ts'
import { fullTensor } from './creation.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import type { Scalar } from './pointwise.ts'
import { takeByTables } from './table-gather.ts'

/** Amounts before and after each dimension, first dimension first. Negative ones cut. */
interface Amounts {
  readonly before: readonly number[]
  readonly after: readonly number[]
}

// PyTorch's list has the last dimension first.
function amountsOf(x: Tensor, pad: readonly number[]): Amounts {
  const before = new Array<number>(x.ndim).fill(0)
  const after = new Array<number>(x.ndim).fill(0)
  for (let i = 0; 2 * i < pad.length; i++) {
    before[x.ndim - 1 - i] = pad[2 * i]
    after[x.ndim - 1 - i] = pad[2 * i + 1]
  }
  return { before, after }
}

// ---- constant -----------------------------------------------------------------------------------------------------------

const constantOp: Op<Amounts & { readonly value: Scalar }> = {
  node: 'ConstantPadNdBackward0',
  forward: ([x], { before, after, value }) => {
    const sizes = x.sizes.map((n, d) => n + before[d] + after[d])
    const out = fullTensor(sizes, value, x.dtype, x.device)
    // What both tensors have in common, as a view of either.
    const common = x.sizes.map((n, d) => Math.max(0, n + Math.min(before[d], 0) + Math.min(after[d], 0)))
    if (common.some((n) => n === 0) || x.device.type === 'meta') return out
    const offsetIn = x.strides.reduce((sum, s, d) => sum + s * Math.max(-before[d], 0), x.offset)
    const offsetOut = out.strides.reduce((sum, s, d) => sum + s * Math.max(before[d], 0), out.offset)
    copyRaw(
      new Tensor(out.storage, common, out.strides, offsetOut, out.dtype),
      new Tensor(x.storage, common, x.strides, offsetIn, x.dtype),
    )
    return out
  },
  backward: ([g], { attributes: { before, after } }) => [
    apply(constantOp, [g!], { before: before.map((n) => -n), after: after.map((n) => -n), value: 0 }),
  ],
}

/**
 * x with numbers before and after its last dimensions.
 * @param pad Amounts, the last dimension first: `[left, right, top, bottom, ...]`. Negative ones cut.
 * @throws RuntimeError for an odd number of amounts, or more than x has dimensions, or where nothing could be left.
 */
function constantPad(x: Tensor, pad: readonly number[], value: Scalar): Tensor {
  const { before, after } = amountsOf(x, pad)
  x.sizes.forEach((n, d) => {
    const length = n + Math.min(before[d], 0) + Math.min(after[d], 0)
    if (length < 0) throw new RuntimeError('narrow(): length must be non-negative.')
    if (n + before[d] + after[d] < 0)
      throw new RuntimeError(
        `The input size ${n}, plus negative padding ${before[d]} and ${after[d]} resulted in a negative output size, which is invalid. Check dimension ${d} of your input.`,
      )
  })
  return apply(constantOp, [x], { before, after, value })
}

function checkPad(x: Tensor, pad: readonly number[]): void {
  if (pad.length % 2 !== 0) throw new RuntimeError('Padding length must be divisible by 2')
  if (pad.length > 2 * x.ndim)
    throw new RuntimeError(
      `Padding length should be less than or equal to two times the input dimension but got padding length ${pad.length} and input of dimension ${x.ndim}`,
    )
}

export interface ConstantPadNd {
  (x: Tensor, pad: readonly number[], value?: Scalar): Tensor
  (x: Tensor, pad: readonly number[], options?: { value?: Scalar }): Tensor
}

/** `pad` with a constant (default 0). */
export const constantPadNd: ConstantPadNd & FunctionInfo = fn<ConstantPadNd>(
  'constant_pad_nd',
  ['input', 'pad'],
  ['value'],
  (x: Tensor, pad: readonly number[], { value = 0 }: { value?: Scalar }) => {
    checkTensor('constant_pad_nd', 'input', x)
    checkPad(x, pad)
    return constantPad(x, pad, value)
  },
  { method: false },
)

// ---- by the input's own elements ------------------------------------------------------------------------------------------

/** How a tensor goes on beyond its border. */
export type PadMode = 'constant' | 'reflect' | 'replicate' | 'circular'

function source(mode: PadMode, i: number, n: number): number {
  if (mode === 'replicate') return Math.min(Math.max(i, 0), n - 1)
  if (mode === 'circular') return ((i % n) + n) % n
  return i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i
}

function checkAmounts(x: Tensor, mode: PadMode, { before, after }: Amounts, dims: readonly number[]): void {
  for (const d of dims) {
    const [n, p, q] = [x.sizes[d], before[d], after[d]]
    if (mode === 'reflect' && (p >= n || q >= n))
      throw new RuntimeError(
        `Argument #${4 + 2 * (x.ndim - 1 - d)}: Padding size should be less than the corresponding input dimension, but got: padding (${p}, ${q}) at dimension ${d} of input ${formatSizes(x.sizes)}`,
      )
    if (mode === 'circular' && (p > n || q > n))
      throw new RuntimeError('Padding value causes wrapping around more than once.')
    if (n === 0)
      throw new RuntimeError(
        `Expected ${dims.length + 1}D or ${dims.length + 2}D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, but got: ${formatSizes(x.sizes)}`,
      )
    const axis = ['D', 'H', 'W'][d - x.ndim + 3]
    if (n + p + q < (mode === 'circular' ? 0 : 1))
      throw new RuntimeError(`input (${axis}: ${n}) is too small. Calculated output ${axis}: ${n + p + q}`)
  }
}

const names = { reflect: 'ReflectionPad', replicate: 'ReplicationPad' }

function padByItself(x: Tensor, pad: readonly number[], mode: Exclude<PadMode, 'constant'>): Tensor {
  const rank = pad.length / 2
  if (rank < 1 || rank > 3 || (x.ndim !== rank + 1 && x.ndim !== rank + 2))
    throw new NotImplementedError(
      `Padding size ${pad.length} is not supported for ${x.ndim}D input tensor.\nSupported combinations for non-constant padding:\n  - 2D or 3D input: padding size = 2 (pads last dimension)\n  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)`,
    )
  if (x.dtype.name === 'bool' && mode !== 'circular')
    throw new NotImplementedError(
      `"${mode === 'reflect' ? 'reflection' : 'replication'}_pad${rank}d" not implemented for 'Bool'`,
    )
  const amounts = amountsOf(x, pad)
  const dims = Array.from({ length: rank }, (_, i) => x.ndim - rank + i)
  checkAmounts(x, mode, amounts, dims)
  const sizes = x.sizes.map((n, d) => n + amounts.before[d] + amounts.after[d])
  const sources = dims.map((d) =>
    Array.from({ length: sizes[d] }, (_, i) => source(mode, i - amounts.before[d], x.sizes[d])),
  )
  // PyTorch copies slices to wrap around.
  const node = mode === 'circular' ? 'torch::autograd::CopySlices' : `${names[mode]}${rank}DBackward0`
  return takeByTables(x, node, sources)
}

/** Options of `pad`. */
export interface PadOptions {
  /** Default `'constant'`. The others pad the last one to three dimensions, after channels and perhaps samples. */
  mode?: PadMode
  /** The constant; default 0. */
  value?: Scalar | null
}

export interface Pad {
  (x: Tensor, pad: readonly number[], mode?: PadMode, options?: Omit<PadOptions, 'mode'>): Tensor
  (x: Tensor, pad: readonly number[], options?: PadOptions): Tensor
}

/**
 * x with more elements before and after its last dimensions.
 * @param pad Amounts, the last dimension first: `[left, right, top, bottom, ...]`. Negative ones cut.
 * @throws RuntimeError where the amounts do not fit the shape; NotImplementedError for ranks that a mode does not have.
 */
export const pad: Pad & FunctionInfo = fn<Pad>(
  'pad',
  ['input', 'pad'],
  ['mode', 'value'],
  (x: Tensor, amounts: readonly number[], { mode = 'constant', value }: PadOptions) => {
    checkTensor('pad', 'input', x)
    checkPad(x, amounts)
    if (mode === 'constant') return constantPad(x, amounts, value ?? 0)
    if (value !== undefined && value !== null && value !== 0)
      throw new RuntimeError(`Padding mode "${mode}" doesn't take in value argument`)
    if (mode !== 'reflect' && mode !== 'replicate' && mode !== 'circular')
      throw new NotImplementedError(`Unrecognised padding mode ${String(mode)}`)
    return padByItself(x, amounts, mode)
  },
  { method: false, positional: 1 },
)
