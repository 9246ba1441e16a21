// The functions that move elements between channels and space: pixelShuffle, pixelUnshuffle, channelShuffle.

import { RuntimeError } from '../core/errors.ts'
import { formatSizes } from '../core/shape.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from '../ops/op.ts'
import type { Tensor } from '../tensor/tensor.ts'

function shuffled(x: Tensor, r: number): Tensor {
  const [leading, [c, h, w]] = [x.sizes.slice(0, -3), x.sizes.slice(-3)]
  const n = leading.length
  const order = [...leading.keys(), n, n + 3, n + 1, n + 4, n + 2]
  return x
    .reshape([...leading, c / (r * r), r, r, h, w])
    .permute(order)
    .reshape([...leading, c / (r * r), h * r, w * r])
}

function unshuffled(x: Tensor, r: number): Tensor {
  const [leading, [c, h, w]] = [x.sizes.slice(0, -3), x.sizes.slice(-3)]
  const n = leading.length
  const order = [...leading.keys(), n, n + 2, n + 4, n + 1, n + 3]
  return x
    .reshape([...leading, c, h / r, r, w / r, r])
    .permute(order)
    .reshape([...leading, c * r * r, h / r, w / r])
}

const shuffleOp: Op<number> = {
  node: 'PixelShuffleBackward0',
  forward: ([x], r) => shuffled(x, r).contiguous(),
  backward: ([g], { attributes }) => [pixelUnshuffle(g!, attributes)],
}

const unshuffleOp: Op<number> = {
  node: 'PixelUnshuffleBackward0',
  forward: ([x], r) => unshuffled(x, r).contiguous(),
  backward: ([g], { attributes }) => [pixelShuffle(g!, attributes)],
}

type Shuffle = (input: Tensor, factor: number) => Tensor

/** Rearranges `[*, C * r², H, W]` to `[*, C, H * r, W * r]`. Shi et al. 2016. */
export const pixelShuffle: Shuffle & FunctionInfo = fn<Shuffle>(
  'pixel_shuffle',
  ['input', 'upscaleFactor'],
  [],
  (x: Tensor, r: number) => {
    checkTensor('pixel_shuffle', 'input', x)
    if (x.ndim < 3)
      throw new RuntimeError(
        `pixel_shuffle expects input to have at least 3 dimensions, but got input with ${x.ndim} dimension(s)`,
      )
    if (!(r > 0)) throw new RuntimeError(`pixel_shuffle expects a positive upscale_factor, but got ${r}`)
    const c = x.sizes[x.ndim - 3]
    if (c % (r * r) !== 0)
      throw new RuntimeError(
        `pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but input.size(-3)=${c} is not divisible by ${r * r}`,
      )
    return apply(shuffleOp, [x], r)
  },
  { method: false },
)

/** Rearranges `[*, C, H * r, W * r]` to `[*, C * r², H, W]`: the inverse of `pixelShuffle`. */
export const pixelUnshuffle: Shuffle & FunctionInfo = fn<Shuffle>(
  'pixel_unshuffle',
  ['input', 'downscaleFactor'],
  [],
  (x: Tensor, r: number) => {
    checkTensor('pixel_unshuffle', 'input', x)
    if (x.ndim < 3)
      throw new RuntimeError(
        `pixel_unshuffle expects input to have at least 3 dimensions, but got input with ${x.ndim} dimension(s)`,
      )
    if (!(r > 0)) throw new RuntimeError(`pixel_unshuffle expects a positive downscale_factor, but got ${r}`)
    const [h, w] = x.sizes.slice(-2)
    if (h % r !== 0)
      throw new RuntimeError(
        `pixel_unshuffle expects height to be divisible by downscale_factor, but input.size(-2)=${h} is not divisible by ${r}`,
      )
    if (w % r !== 0)
      throw new RuntimeError(
        `pixel_unshuffle expects width to be divisible by downscale_factor, but input.size(-1)=${w} is not divisible by ${r}`,
      )
    return apply(unshuffleOp, [x], r)
  },
  { method: false },
)

/** Interleaves the channels of `groups` groups of `[N, C, ...]`. */
export const channelShuffle: Shuffle & FunctionInfo = fn<Shuffle>(
  'channel_shuffle',
  ['input', 'groups'],
  [],
  (x: Tensor, groups: number) => {
    checkTensor('channel_shuffle', 'input', x)
    if (x.ndim < 3)
      throw new RuntimeError(
        `channel_shuffle expects input with > 2 dims, but got input with sizes ${formatSizes(x.sizes)}`,
      )
    const [n, c, ...rest] = x.sizes
    if (!(groups > 0))
      throw new RuntimeError(
        `Number of groups to divide channels in must be positive. Value of groups:${groups}`,
      )
    if (c % groups !== 0)
      throw new RuntimeError(
        `Number of channels must be divisible by groups. Got ${c} channels and ${groups} groups.`,
      )
    return x
      .reshape([n, groups, c / groups, -1])
      .transpose(1, 2)
      .reshape([n, c, ...rest])
  },
  { method: false },
)
