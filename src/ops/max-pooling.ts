// Pooling by the largest element: sliding, adaptive and fractional windows, and the way back, maxUnpool.

import { type DType, float64, int64 } from '../core/dtype.ts'
import { NotImplementedError, RuntimeError, ValueError } from '../core/errors.ts'
import { pyRepr, Tuple } from '../core/python.ts'
import { formatSizes, numelOf, sameSizes } from '../core/shape.ts'
import { data } from '../tensor/data.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { fullTensor } from './creation.ts'
import { needHost, onHost } from './host.ts'
import { apply, applyMany, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import {
  adaptiveWindows,
  outputCount,
  perDimension,
  placedWindows,
  readPlanes,
  slidingWindows,
  type WindowDim,
  windowMax,
  writePlanes,
} from './pooling-windows.ts'
import { rand } from './random.ts'
import { squeeze, unsqueeze } from './views.ts'

// ---- the op ------------------------------------------------------------------------------------------------------------

interface PlaneAttributes {
  readonly node: string
  readonly indices: Tensor
  readonly rank: number
  /** The shape of the result. */
  readonly sizes: readonly number[]
  readonly mode: 'set' | 'add'
}

// Values put (or added) where they belong in planes of zeros: the derivative of picking them, and unpooling.
const spreadOp: Op<PlaneAttributes> = {
  node: ({ node }) => node,
  forward: ([g], { indices, rank, sizes, mode }) => {
    const out = fullTensor(sizes, 0, g.dtype, g.device)
    writePlanes(out, indices, g, rank, mode)
    return out
  },
  backward: ([gg], c) => [apply(pickOp, [gg!], { ...c.attributes, sizes: c.inputSizes[0] })],
}

const pickOp: Op<PlaneAttributes> = {
  node: ({ node }) => node,
  forward: ([x], { indices, rank }) => readPlanes(x.contiguous(), indices, rank),
  backward: ([g], c) => [apply(spreadOp, [g!], { ...c.attributes, sizes: c.inputSizes[0], mode: 'add' })],
}

interface MaxAttributes {
  readonly node: string
  readonly windows: readonly WindowDim[]
}

const windowMaxOp: Op<MaxAttributes> = {
  node: ({ node }) => node,
  forward: ([x], { windows }) => windowMax(x, windows),
  nonDifferentiable: [1],
  savesOutputs: [1],
  backward: ([g], c) => {
    const { node, windows } = c.attributes
    const attributes: PlaneAttributes = {
      node: node.replace('Backward0', 'BackwardBackward0'),
      indices: c.output(1),
      rank: windows.length,
      sizes: c.inputSizes[0],
      mode: 'add',
    }
    return [apply(spreadOp, [g!], attributes)]
  },
}

const legacyNames: Readonly<Record<string, string>> = {
  bool: 'Bool',
  uint8: 'Byte',
  int8: 'Char',
  int16: 'Short',
  int32: 'Int',
  int64: 'Long',
}

/** Throws PyTorch's error where an op does not exist for a dtype. */
export function checkFloating(name: string, dtype: DType): void {
  if (dtype.kind !== 'float')
    throw new NotImplementedError(`"${name}" not implemented for '${legacyNames[dtype.name]}'`)
}

// ---- sliding windows ---------------------------------------------------------------------------------------------------

type NumberOrList = number | readonly number[]

/** Options of the max poolings: one number for all dimensions, or one for each. */
export interface MaxPoolOptions {
  /** The distance between windows; default the window's size. */
  stride?: NumberOrList | null
  /** Elements of minus infinity added on both sides; at most half the window. */
  padding?: NumberOrList
  /** The distance between the elements of a window. */
  dilation?: NumberOrList
  /** Let the last window reach over the end. */
  ceilMode?: boolean
  /** Return `[output, indices]`, the indices flat in each plane, for `maxUnpool`. */
  returnIndices?: boolean
}

export interface MaxPool {
  (x: Tensor, kernelSize: NumberOrList, options: MaxPoolOptions & { returnIndices: true }): [Tensor, Tensor]
  (
    x: Tensor,
    kernelSize: NumberOrList,
    stride?: NumberOrList | null,
    options?: Omit<MaxPoolOptions, 'stride'>,
  ): Tensor
  (x: Tensor, kernelSize: NumberOrList, options?: MaxPoolOptions & { returnIndices?: false }): Tensor
  (x: Tensor, kernelSize: NumberOrList, options?: MaxPoolOptions): Tensor | [Tensor, Tensor]
}

/** What a pooling's window is, one number for each dimension. */
export interface Window {
  readonly size: number[]
  readonly stride: number[]
  readonly padding: number[]
  readonly dilation: number[]
}

/** Reads and checks the numbers that describe sliding windows. */
export function readWindow(
  name: string,
  rank: number,
  kernelSize: NumberOrList,
  { stride, padding = 0, dilation = 1 }: Pick<MaxPoolOptions, 'stride' | 'padding' | 'dilation'>,
): Window {
  const size = perDimension(name, 'kernel_size', kernelSize, rank)
  const noStride =
    stride === undefined || stride === null || (typeof stride === 'object' && stride.length === 0)
  const w: Window = {
    size,
    stride: noStride ? size : perDimension(name, 'stride', stride, rank),
    padding: perDimension(name, 'padding', padding, rank),
    dilation: perDimension(name, 'dilation', dilation, rank),
  }
  if (w.stride.some((s) => s <= 0)) throw new RuntimeError('stride should not be zero')
  if (w.size.some((s) => s <= 0))
    throw new RuntimeError(`kernel size should be greater than zero, but got ${pyRepr(w.size)}`)
  if (w.dilation.some((s) => s <= 0))
    throw new RuntimeError(`dilation should be greater than zero, but got ${pyRepr(w.dilation)}`)
  w.padding.forEach((p, i) => {
    if (p < 0) throw new RuntimeError(`pad must be non-negative, but got pad: ${p}`)
    if (p > Math.floor((w.dilation[i] * (w.size[i] - 1) + 1) / 2))
      throw new RuntimeError(
        `pad should be at most half of effective kernel size, but got pad=${p}, kernel_size=${w.size[i]} and dilation=${w.dilation[i]}`,
      )
  })
  return w
}

/** The windows over the last dimensions of x. Throws where an input has the wrong rank or is too small. */
export function windowsOver(x: Tensor, rank: number, w: Window, ceilMode: boolean): WindowDim[] {
  if ((x.ndim !== rank + 1 && x.ndim !== rank + 2) || x.sizes.slice(x.ndim - rank - 1).some((n) => n === 0))
    throw new RuntimeError(
      `Expected ${rank + 1}D or ${rank + 2}D (batch mode) tensor with optional 0 dim batch size for input, but got:${formatSizes(x.sizes)}`,
    )
  const spatial = x.sizes.slice(x.ndim - rank)
  const outputs = spatial.map((n, i) =>
    outputCount(n, w.size[i], w.stride[i], w.padding[i], w.dilation[i], ceilMode),
  )
  if (outputs.some((n) => n < 1)) {
    const channels = x.sizes[x.ndim - rank - 1]
    const shown = outputs.map((n) => Math.max(n, 0))
    throw new RuntimeError(
      `Given input size: (${[channels, ...spatial].join('x')}). Calculated output size: (${[channels, ...shown].join('x')}). Output size is too small`,
    )
  }
  return spatial.map((n, i) =>
    slidingWindows(n, w.size[i], w.stride[i], w.padding[i], w.dilation[i], outputs[i]),
  )
}

const result = (pair: readonly Tensor[], returnIndices: boolean): Tensor | [Tensor, Tensor] =>
  returnIndices ? [pair[0], pair[1]] : pair[0]

function maxPoolFunction(rank: number): MaxPool & FunctionInfo {
  const name = `max_pool${rank}d`
  return fn<MaxPool>(
    name,
    ['input', 'kernelSize'],
    ['stride', 'padding', 'dilation', 'ceilMode', 'returnIndices'],
    (
      x: Tensor,
      kernelSize: NumberOrList,
      { ceilMode = false, returnIndices = false, ...options }: MaxPoolOptions,
    ) => {
      checkTensor(name, 'input', x)
      if (x.dtype.name === 'bool' || (rank === 1 && !returnIndices && !x.requiresGrad))
        checkFloating(name, x.dtype)
      const w = readWindow(name, rank, kernelSize, options)
      if (rank !== 1) {
        const node = `MaxPool${rank}DWithIndicesBackward0`
        return result(
          applyMany(windowMaxOp, [x], { node, windows: windowsOver(x, rank, w, ceilMode) }),
          returnIndices,
        )
      }
      checkSequence(name, x)
      const flat = {
        size: [1, ...w.size],
        stride: [1, ...w.stride],
        padding: [0, ...w.padding],
        dilation: [1, ...w.dilation],
      }
      const planes = unsqueeze(x, -2)
      const windows = windowsOver(planes, 2, flat, ceilMode)
      const pair = applyMany(windowMaxOp, [planes], { node: 'MaxPool2DWithIndicesBackward0', windows })
      return result(
        pair.map((t) => squeeze(t, -2)),
        returnIndices,
      )
    },
    { method: false, positional: 1 },
  )
}

/** Throws unless x is [c, l] or [n, c, l]. */
export function checkSequence(name: string, x: Tensor): void {
  if (x.ndim !== 2 && x.ndim !== 3)
    throw new RuntimeError(
      `${name}: Expected 2D or 3D (batch mode) tensor with optional 0 dim batch size for input, but got:${formatSizes(x.sizes)}`,
    )
}

/** The largest element of each window of [n, c, l] or [c, l]. Throws RuntimeError for an input smaller than the window. */
export const maxPool1d: MaxPool & FunctionInfo = maxPoolFunction(1)
/** The largest element of each window of [n, c, h, w] or [c, h, w]. */
export const maxPool2d: MaxPool & FunctionInfo = maxPoolFunction(2)
/** The largest element of each window of [n, c, d, h, w] or [c, d, h, w]. */
export const maxPool3d: MaxPool & FunctionInfo = maxPoolFunction(3)

// ---- adaptive windows ---------------------------------------------------------------------------------------------------

/** The size of a result: one number for all dimensions or one for each; null keeps the input's. */
export type OutputSize = number | null | readonly (number | null)[]

/** One number for each dimension of an adaptive pooling's result. */
export function outputSizes(name: string, x: Tensor, outputSize: OutputSize, rank: number): number[] {
  const spatial = x.sizes.slice(x.ndim - rank)
  const list =
    typeof outputSize === 'object' && outputSize !== null
      ? outputSize
      : new Array<number | null>(rank).fill(outputSize)
  if (list.length !== rank) throw new RuntimeError(`${name}: output_size must be ${rank}`)
  const sizes = list.map((n, i) => n ?? spatial[i])
  if (sizes.some((n) => n < 0))
    throw new RuntimeError(
      `${name}: elements of output_size must be greater than or equal to 0 but received {${sizes.join(', ')}}`,
    )
  return sizes
}

/** Throws unless x has `rank` dimensions after channels and perhaps samples, none of them empty. */
export function checkAdaptive(name: string, x: Tensor, rank: number): void {
  checkTensor(name, 'input', x)
  if (x.ndim !== rank + 1 && x.ndim !== rank + 2)
    throw new RuntimeError(
      `${name}(): Expected ${rank + 1}D or ${rank + 2}D tensor, but got: ${formatSizes(x.sizes)}`,
    )
  const empty = x.sizes.findIndex((n, d) => n === 0 && d >= x.ndim - rank)
  if (empty >= 0)
    throw new RuntimeError(
      `${name}(): Expected input to have non-zero size for non-batch dimensions, but input has sizes ${formatSizes(x.sizes)} with dimension ${empty} being empty`,
    )
}

/** Options of the adaptive max poolings. */
export interface AdaptiveMaxPoolOptions {
  /** Return `[output, indices]`. */
  returnIndices?: boolean
}

export interface AdaptiveMaxPool {
  (x: Tensor, outputSize: OutputSize, options: { returnIndices: true }): [Tensor, Tensor]
  (x: Tensor, outputSize: OutputSize, options?: { returnIndices?: false }): Tensor
  (x: Tensor, outputSize: OutputSize, options?: AdaptiveMaxPoolOptions): Tensor | [Tensor, Tensor]
}

function adaptiveMaxFunction(rank: number): AdaptiveMaxPool & FunctionInfo {
  const name = `adaptive_max_pool${rank}d`
  return fn<AdaptiveMaxPool>(
    name,
    ['input', 'outputSize'],
    ['returnIndices'],
    (x: Tensor, outputSize: OutputSize, { returnIndices = false }: AdaptiveMaxPoolOptions) => {
      checkAdaptive(name, x, rank)
      checkFloating(name, x.dtype)
      const sizes = outputSizes(name, x, outputSize, rank)
      const planes = rank === 1 ? unsqueeze(x, -2) : x
      const inner = rank === 1 ? [1, ...sizes] : sizes
      const windows = inner.map((n, i) => adaptiveWindows(planes.sizes[planes.ndim - inner.length + i], n))
      const pair = applyMany(windowMaxOp, [planes], {
        node: `AdaptiveMaxPool${inner.length}DBackward0`,
        windows,
      })
      return result(rank === 1 ? pair.map((t) => squeeze(t, -2)) : pair, returnIndices)
    },
    { method: false, positional: 0 },
  )
}

/** The largest elements of as many windows of [n, c, l] or [c, l] as `outputSize` says. */
export const adaptiveMaxPool1d: AdaptiveMaxPool & FunctionInfo = adaptiveMaxFunction(1)
/** The largest elements of as many windows of [n, c, h, w] or [c, h, w] as `outputSize` says. */
export const adaptiveMaxPool2d: AdaptiveMaxPool & FunctionInfo = adaptiveMaxFunction(2)
/** The largest elements of as many windows of [n, c, d, h, w] or [c, d, h, w] as `outputSize` says. */
export const adaptiveMaxPool3d: AdaptiveMaxPool & FunctionInfo = adaptiveMaxFunction(3)

// ---- fractional windows -------------------------------------------------------------------------------------------------

/** Options of the fractional max poolings. One of `outputSize` and `outputRatio` is needed. */
export interface FractionalMaxPoolOptions {
  outputSize?: NumberOrList | null
  /** The result's size as a fraction of the input's. */
  outputRatio?: NumberOrList | null
  /** Return `[output, indices]`. */
  returnIndices?: boolean
  /** [n, c, rank] numbers in [0, 1) that place the windows; drawn from the generator where left out. */
  _randomSamples?: Tensor | null
}

export interface FractionalMaxPool {
  (
    x: Tensor,
    kernelSize: NumberOrList,
    options: FractionalMaxPoolOptions & { returnIndices: true },
  ): [Tensor, Tensor]
  (x: Tensor, kernelSize: NumberOrList, options: FractionalMaxPoolOptions & { returnIndices?: false }): Tensor
  (x: Tensor, kernelSize: NumberOrList, options: FractionalMaxPoolOptions): Tensor | [Tensor, Tensor]
}

// Where windows begin for one random number, in the arithmetic of the input's dtype.
function intervals(sample: number, n: number, outputs: number, size: number, dtype: DType): number[] {
  const round = dtype === float64 ? (v: number) => v : Math.fround
  const starts: number[] = []
  if (outputs > 1) {
    const alpha = round((n - size) / (outputs - 1))
    const shift = Math.trunc(round(sample * alpha))
    for (let i = 0; i < outputs - 1; i++) starts.push(Math.trunc(round(round(i + sample) * alpha)) - shift)
  }
  if (outputs > 0) starts.push(n - size)
  return starts
}

function fractionalFunction(rank: number): FractionalMaxPool & FunctionInfo {
  const name = `fractional_max_pool${rank}d`
  return fn<FractionalMaxPool>(
    name,
    ['input', 'kernelSize'],
    ['outputSize', 'outputRatio', 'returnIndices', '_randomSamples'],
    (x: Tensor, kernelSize: NumberOrList, options: FractionalMaxPoolOptions) => {
      const { outputSize, outputRatio, returnIndices = false, _randomSamples } = options
      checkTensor(name, 'input', x)
      const noSize = outputSize === undefined || outputSize === null
      if (noSize && (outputRatio === undefined || outputRatio === null))
        throw new ValueError(`${name} requires specifying either an output_size or an output_ratio`)
      if (x.ndim !== rank + 1 && x.ndim !== rank + 2)
        throw new RuntimeError(
          `${name}(): Expected ${rank + 1}D or ${rank + 2}D tensor, but got: ${formatSizes(x.sizes)}`,
        )
      const spatial = x.sizes.slice(x.ndim - rank)
      const outputs = noSize
        ? perDimension(name, 'output_ratio', outputRatio!, rank).map((r, i) => Math.trunc(spatial[i] * r))
        : perDimension(name, 'output_size', outputSize, rank)
      const size = perDimension(name, 'kernel_size', kernelSize, rank)
      const channels = x.sizes[x.ndim - rank - 1]
      const batch = x.ndim === rank + 2 ? x.sizes[0] : 1
      const samples = _randomSamples ?? rand([batch, channels, rank], { dtype: x.dtype })
      if (samples.ndim !== 3)
        throw new RuntimeError(`Expect _random_samples to have 3 dimensions, got ${samples.ndim}`)
      if (samples.sizes[0] < batch)
        throw new RuntimeError('Expect _random_samples.size(0) no less then input batch size.')
      if (samples.sizes[1] !== channels)
        throw new RuntimeError('Expect _random_samples.size(1) equals to input channel size.')
      if (samples.sizes[2] !== rank)
        throw new RuntimeError(`Expect _random_samples.size(2) equals to ${rank}; got ${samples.sizes[2]}.`)
      const axes = rank === 2 ? ['height', 'width'] : ['time', 'height', 'width']
      outputs.forEach((n, i) => {
        if (n + size[i] - 1 > spatial[i])
          throw new RuntimeError(
            `${name}(): pool ${axes[i]} ${size[i]} too large relative to input ${axes[i]} ${spatial[i]}`,
          )
      })
      const values = data(needHost(name, samples).to(float64)) as Float64Array
      const windows = spatial.map((n, d) => {
        // PyTorch's images take the width's number first, its volumes go in order.
        const which = rank === 2 ? 1 - d : d
        const starts: number[] = []
        for (let plane = 0; plane < batch * channels; plane++)
          for (const start of intervals(values[plane * rank + which], n, outputs[d], size[d], x.dtype))
            starts.push(start)
        return placedWindows(starts, size[d], outputs[d])
      })
      return result(
        applyMany(windowMaxOp, [x], { node: `FractionalMaxPool${rank}DBackward0`, windows }),
        returnIndices,
      )
    },
    { method: false, positional: 0 },
  )
}

/** The largest elements of windows at random places of [n, c, h, w] or [c, h, w]. Graham 2014. */
export const fractionalMaxPool2d: FractionalMaxPool & FunctionInfo = fractionalFunction(2)
/** The largest elements of windows at random places of [n, c, d, h, w] or [c, d, h, w]. Graham 2014. */
export const fractionalMaxPool3d: FractionalMaxPool & FunctionInfo = fractionalFunction(3)

// ---- unpooling ----------------------------------------------------------------------------------------------------------

/** Options of the unpoolings. */
export interface MaxUnpoolOptions {
  /** The distance between windows; default the window's size. */
  stride?: NumberOrList | null
  padding?: NumberOrList
  /** The size of the result, where the window's leaves several open. */
  outputSize?: readonly number[] | null
}

export interface MaxUnpool {
  (
    x: Tensor,
    indices: Tensor,
    kernelSize: NumberOrList,
    stride?: NumberOrList | null,
    options?: Omit<MaxUnpoolOptions, 'stride'>,
  ): Tensor
  (x: Tensor, indices: Tensor, kernelSize: NumberOrList, options?: MaxUnpoolOptions): Tensor
}

function unpooledSizes(
  x: Tensor,
  rank: number,
  w: Pick<Window, 'size' | 'stride' | 'padding'>,
  given: readonly number[] | null | undefined,
): number[] {
  const standard = x.sizes
    .slice(x.ndim - rank)
    .map((n, d) => (n - 1) * w.stride[d] + w.size[d] - 2 * w.padding[d])
  if (given === undefined || given === null) return standard
  const sizes = given.length === rank + 2 ? given.slice(2) : [...given]
  if (sizes.length !== rank)
    throw new ValueError(
      `output_size should be a sequence containing ${rank} or ${rank + 2} elements, but it has a length of '${given.length}'`,
    )
  sizes.forEach((n, d) => {
    const [low, high] = [standard[d] - w.stride[d], standard[d] + w.stride[d]]
    if (n <= low || n >= high)
      throw new ValueError(
        `invalid output_size "${pyRepr(Tuple.from(sizes))}" (dim ${d} must be between ${low} and ${high})`,
      )
  })
  return sizes
}

function maxUnpoolFunction(rank: number): MaxUnpool & FunctionInfo {
  const name = `max_unpool${rank}d`
  return fn<MaxUnpool>(
    name,
    ['input', 'indices', 'kernelSize'],
    ['stride', 'padding', 'outputSize'],
    (
      x: Tensor,
      indices: Tensor,
      kernelSize: NumberOrList,
      { stride, padding = 0, outputSize }: MaxUnpoolOptions,
    ) => {
      checkTensor(name, 'input', x)
      checkTensor(name, 'indices', indices)
      if (indices.dtype !== int64)
        throw new RuntimeError(`elements in indices should be type int64 but got: ${indices.dtype.name}`)
      if (x.ndim !== rank + 1 && x.ndim !== rank + 2)
        throw new RuntimeError(
          `Input to max_unpooling${rank}d should be a ${rank + 1}d or ${rank + 2}d Tensor, but got a tensor with ${x.ndim} dimensions.`,
        )
      if (!sameSizes(x.sizes, indices.sizes))
        throw new RuntimeError(
          `Expected shape of indices to be same as that of the input tensor (${formatSizes(x.sizes)}) but got indices tensor with shape: ${formatSizes(indices.sizes)}`,
        )
      const size = perDimension(name, 'kernel_size', kernelSize, rank)
      const w = {
        size,
        stride: stride === undefined || stride === null ? size : perDimension(name, 'stride', stride, rank),
        padding: perDimension(name, 'padding', padding, rank),
      }
      const sizes = unpooledSizes(x, rank, w, outputSize)
      checkUnpoolIndices(indices, sizes)
      const inner = Math.max(rank, 2)
      const node = `MaxUnpool${inner}DBackward0`
      const planes = rank === 1 ? unsqueeze(x, -1) : x
      const places = rank === 1 ? unsqueeze(indices, -1) : indices
      const full = [...x.sizes.slice(0, x.ndim - rank), ...sizes, ...(rank === 1 ? [1] : [])]
      const out = apply(spreadOp, [planes], { node, indices: places, rank: inner, sizes: full, mode: 'set' })
      return rank === 1 ? squeeze(out, -1) : out
    },
    { method: false, positional: 1 },
  )
}

function checkUnpoolIndices(indices: Tensor, sizes: readonly number[]): void {
  if (indices.numel() === 0 || indices.device.type === 'meta') return
  const values = onHost(indices)
  if (values === null) return
  const [low, high] = [Number(values.min().item()), Number(values.max().item())]
  if (low < 0 || high >= numelOf(sizes))
    throw new RuntimeError(
      `Found an invalid max index: ${low < 0 ? low : high} (output volumes are of size ${sizes.join('x')})`,
    )
}

/** Puts the results of `maxPool1d` back to where `indices` says they came from, zeros elsewhere. */
export const maxUnpool1d: MaxUnpool & FunctionInfo = maxUnpoolFunction(1)
/** Puts the results of `maxPool2d` back to where `indices` says they came from, zeros elsewhere. */
export const maxUnpool2d: MaxUnpool & FunctionInfo = maxUnpoolFunction(2)
/** Puts the results of `maxPool3d` back to where `indices` says they came from, zeros elsewhere. */
export const maxUnpool3d: MaxUnpool & FunctionInfo = maxUnpoolFunction(3)
