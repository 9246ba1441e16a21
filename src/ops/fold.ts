// Sliding blocks of images as columns of a matrix, and back: F.unfold (im2col) and F.fold (col2im).

import { RuntimeError } from '../core/errors.ts'
import { Tensor } from '../tensor/tensor.ts'
import { copyRaw } from './conversion.ts'
import { fullTensor } from './creation.ts'
import { emptyTensor } from './launch.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { perDimension } from './pooling-windows.ts'
import { squeeze, unsqueeze, view } from './views.ts'

type NumberOrPair = number | readonly number[]

/** Options of `unfold` and `fold`: one number for both dimensions, or one for each. */
export interface FoldOptions {
  /** The distance between the elements of a block. */
  dilation?: NumberOrPair
  /** Zeros around the image. */
  padding?: NumberOrPair
  /** The distance between blocks. */
  stride?: NumberOrPair
}

interface Blocks {
  readonly kernel: readonly number[]
  readonly dilation: readonly number[]
  readonly padding: readonly number[]
  readonly stride: readonly number[]
  /** Height and width of the image. */
  readonly image: readonly number[]
}

const counts = ({ kernel, dilation, padding, stride, image }: Blocks): number[] =>
  image.map((n, i) => Math.floor((n + 2 * padding[i] - dilation[i] * (kernel[i] - 1) - 1) / stride[i]) + 1)

/** The image with its padding, seen as [n, c, kernel height, kernel width, rows of blocks, columns of blocks]. */
function blocksView(padded: Tensor, b: Blocks): Tensor {
  const [n, c, h, w] = padded.strides
  const sizes = [padded.sizes[0], padded.sizes[1], ...b.kernel, ...counts(b)]
  const strides = [n, c, h * b.dilation[0], w * b.dilation[1], h * b.stride[0], w * b.stride[1]]
  return new Tensor(padded.storage, sizes, strides, padded.offset, padded.dtype)
}

// The part of a padded image that is the image.
function inner(padded: Tensor, b: Blocks): Tensor {
  const offset = padded.offset + b.padding[0] * padded.strides[2] + b.padding[1] * padded.strides[3]
  return new Tensor(
    padded.storage,
    [padded.sizes[0], padded.sizes[1], ...b.image],
    padded.strides,
    offset,
    padded.dtype,
  )
}

const paddedSizes = (b: Blocks): number[] => b.image.map((n, i) => n + 2 * b.padding[i])

const unfoldOp: Op<Blocks> = {
  node: 'Im2ColBackward0',
  forward: ([x], b) => {
    let source = x
    if (b.padding.some((p) => p > 0)) {
      source = fullTensor([x.sizes[0], x.sizes[1], ...paddedSizes(b)], 0, x.dtype, x.device)
      copyRaw(inner(source, b), x)
    }
    const blocks = blocksView(source, b)
    const out = copyRaw(emptyTensor(blocks.sizes, x.dtype, x.device), blocks)
    const [n, c, kh, kw, rows, columns] = blocks.sizes
    return view(out, [n, c * kh * kw, rows * columns])
  },
  backward: ([g], { attributes }) => [apply(foldOp, [g!], attributes)],
}

const foldOp: Op<Blocks> = {
  node: 'Col2ImBackward0',
  forward: ([x], b) => {
    const [kh, kw] = b.kernel
    const [n, c] = [x.sizes[0], x.sizes[1] / (kh * kw)]
    const padded = fullTensor([n, c, ...paddedSizes(b)], 0, x.dtype, x.device)
    const into = blocksView(padded, b)
    const from = x.contiguous().view([n, c, kh, kw, ...counts(b)])
    // Blocks overlap; elements at the same place of all blocks do not.
    for (let i = 0; i < kh; i++)
      for (let j = 0; j < kw; j++) into.select(2, i).select(2, j).add_(from.select(2, i).select(2, j))
    const image = inner(padded, b)
    return image.isContiguous() ? image : copyRaw(emptyTensor(image.sizes, x.dtype, x.device), image)
  },
  backward: ([g], { attributes }) => [apply(unfoldOp, [g!], attributes)],
}

function readBlocks(
  name: string,
  kernelSize: NumberOrPair,
  options: FoldOptions,
  image: readonly number[],
): Blocks {
  const pair = (what: string, value: NumberOrPair) => perDimension(name, what, value, 2)
  const kernel = pair('kernel_size', kernelSize)
  const dilation = pair('dilation', options.dilation ?? 1)
  const padding = pair('padding', options.padding ?? 0)
  const stride = pair('stride', options.stride ?? 1)
  const words = ([a, b]: readonly number[]) => `height: ${a} width: ${b}`
  const positive = (what: string, values: readonly number[]) => {
    if (values.some((v) => v <= 0))
      throw new RuntimeError(`${what} should be greater than zero, but got ${words(values)}`)
  }
  positive('kernel size', kernel)
  positive('dilation', dilation)
  positive('stride', stride)
  if (padding.some((p) => p < 0))
    throw new RuntimeError(`padding should be non-negative, but got ${words(padding)}`)
  return { kernel, dilation, padding, stride, image }
}

const tuple = (values: readonly number[]): string => `(${values.join(', ')})`

export interface UnfoldBlocks {
  (
    x: Tensor,
    kernelSize: NumberOrPair,
    dilation?: NumberOrPair,
    options?: Omit<FoldOptions, 'dilation'>,
  ): Tensor
  (x: Tensor, kernelSize: NumberOrPair, options?: FoldOptions): Tensor
}

/**
 * The sliding blocks of images [n, c, h, w] (or [c, h, w]) as columns: [n, c * kh * kw, blocks], blocks in reading order.
 * @throws RuntimeError where no block fits.
 */
export const unfoldBlocks: UnfoldBlocks & FunctionInfo = fn<UnfoldBlocks>(
  'unfold',
  ['input', 'kernelSize'],
  ['dilation', 'padding', 'stride'],
  (x: Tensor, kernelSize: NumberOrPair, options: FoldOptions) => {
    checkTensor('im2col', 'input', x)
    if ((x.ndim !== 3 && x.ndim !== 4) || x.sizes.slice(x.ndim - 3).some((n) => n === 0))
      throw new RuntimeError(
        `Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions for input, but got: [${x.sizes.join(', ')}]`,
      )
    const b = readBlocks('unfold', kernelSize, options, x.sizes.slice(-2))
    const blocks = counts(b)
    if (blocks.some((n) => n < 1))
      throw new RuntimeError(
        `Given input with spatial size ${tuple(b.image)}, kernel_size=${tuple(b.kernel)}, dilation=${tuple(b.dilation)}, padding=${tuple(b.padding)}, calculated shape of the array of sliding blocks as ${tuple(blocks)}, but its components must be at least one.`,
      )
    if (x.ndim === 4) return apply(unfoldOp, [x], b)
    return squeeze(apply(unfoldOp, [unsqueeze(x, 0)], b), 0)
  },
  { method: false, positional: 1 },
)

export interface Fold {
  (
    x: Tensor,
    outputSize: NumberOrPair,
    kernelSize: NumberOrPair,
    dilation?: NumberOrPair,
    options?: Omit<FoldOptions, 'dilation'>,
  ): Tensor
  (x: Tensor, outputSize: NumberOrPair, kernelSize: NumberOrPair, options?: FoldOptions): Tensor
}

/**
 * Adds up blocks [n, c * kh * kw, blocks] (or without n) where `unfold` takes them from, in images of `outputSize`:
 * [n, c, h, w]. Where blocks overlap their values are summed.
 * @throws RuntimeError where the numbers of rows or blocks do not fit.
 */
export const fold: Fold & FunctionInfo = fn<Fold>(
  'fold',
  ['input', 'outputSize', 'kernelSize'],
  ['dilation', 'padding', 'stride'],
  (x: Tensor, outputSize: NumberOrPair, kernelSize: NumberOrPair, options: FoldOptions) => {
    checkTensor('col2im', 'input', x)
    const b = readBlocks('fold', kernelSize, options, perDimension('fold', 'output_size', outputSize, 2))
    if (x.ndim !== 2 && x.ndim !== 3)
      throw new RuntimeError(
        `Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for input, but got: [${x.sizes.join(', ')}]`,
      )
    const batched = x.ndim === 3 ? x : unsqueeze(x, 0)
    const size = b.kernel[0] * b.kernel[1]
    if (batched.sizes[1] % size !== 0)
      throw new RuntimeError(
        `Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)=${batched.sizes[1]} and kernel_size=${tuple(b.kernel)}.`,
      )
    const blocks = counts(b)
    const expected = blocks[0] * blocks[1]
    if (batched.sizes[2] !== expected || blocks.some((n) => n < 1))
      throw new RuntimeError(
        `Given output_size=${tuple(b.image)}, kernel_size=${tuple(b.kernel)}, dilation=${tuple(b.dilation)}, padding=${tuple(b.padding)}, stride=${tuple(b.stride)}, expected size of input's dimension 2 to match the calculated number of sliding blocks ${blocks[0]} * ${blocks[1]} = ${expected}, but got input.size(2)=${batched.sizes[2]}.`,
      )
    const out = apply(foldOp, [batched], b)
    return x.ndim === 3 ? out : squeeze(out, 0)
  },
  { method: false, positional: 1 },
)
