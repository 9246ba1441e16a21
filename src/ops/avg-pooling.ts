// Pooling by means (sliding and adaptive windows) and by p-norms.

import { float32, float64 } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { numelOf } from '../core/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { relu } from './activations.ts'
import { to } from './conversion.ts'
import {
  checkAdaptive,
  checkFloating,
  maxPool1d,
  maxPool2d,
  maxPool3d,
  type OutputSize,
  outputSizes,
  readWindow,
  windowsOver,
} from './max-pooling.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import {
  adaptiveWindows,
  divisorTable,
  transposedWindows,
  type WindowDim,
  windowSum,
} from './pooling-windows.ts'
import { squeeze, unsqueeze, view } from './views.ts'

interface MeanAttributes {
  readonly node: string
  readonly windows: readonly WindowDim[]
  /** What each window's sum is divided by: one number, or one for each window. */
  readonly divisors: readonly number[]
}

const windowMeanOp: Op<MeanAttributes> = {
  node: ({ node }) => node,
  forward: ([x], { windows, divisors }) => windowSum(x, windows, divisors),
  backward: ([g], c) => {
    const { node, windows, divisors } = c.attributes
    const spatial = c.inputSizes[0].slice(c.inputSizes[0].length - windows.length)
    const share =
      divisors.length === 1
        ? g!.div(divisors[0])
        : g!.div(
            view(
              to(divisorTable(divisors, g!.dtype === float64 ? float64 : float32), g!.device),
              windows.map((w) => w.outputs),
            ),
          )
    // Each element collects from the windows that it is in.
    const attributes: MeanAttributes = {
      node: node.replace('Backward0', 'BackwardBackward0'),
      windows: windows.map((w, d) => transposedWindows(w, spatial[d])),
      divisors: [1],
    }
    return [apply(windowMeanOp, [share], attributes)]
  },
}

// The product over the dimensions, for each window of a plane.
function products(perDim: readonly (readonly number[])[]): number[] {
  return perDim.reduce<number[]>((all, own) => all.flatMap((p) => own.map((q) => p * q)), [1])
}

// One number where all are the same.
const condensed = (values: readonly number[]): readonly number[] =>
  values.every((v) => v === values[0]) ? values.slice(0, 1) : values

// ---- sliding windows ---------------------------------------------------------------------------------------------------

type NumberOrList = number | readonly number[]

/** Options of the average poolings: one number for all dimensions, or one for each. */
export interface AvgPoolOptions {
  /** The distance between windows; default the window's size. */
  stride?: NumberOrList | null
  /** Zeros added on both sides; at most half the window. */
  padding?: NumberOrList
  /** Let the last window reach over the end. */
  ceilMode?: boolean
  /** Whether the zeros of the padding count (default). */
  countIncludePad?: boolean
  /** What to divide by, in place of the number of elements (not in one dimension). */
  divisorOverride?: number | null
}

export interface AvgPool {
  (
    x: Tensor,
    kernelSize: NumberOrList,
    stride?: NumberOrList | null,
    options?: Omit<AvgPoolOptions, 'stride'>,
  ): Tensor
  (x: Tensor, kernelSize: NumberOrList, options?: AvgPoolOptions): Tensor
}

function avgPool(
  name: string,
  rank: number,
  x: Tensor,
  kernelSize: NumberOrList,
  options: AvgPoolOptions,
): Tensor {
  const { ceilMode = false, countIncludePad = true, divisorOverride, ...rest } = options
  const w = readWindow(name, rank, kernelSize, rest)
  const windows = windowsOver(x, rank, w, ceilMode)
  if (divisorOverride === 0) throw new RuntimeError('divisor must be not zero')
  const spatial = x.sizes.slice(x.ndim - rank)
  const counts = windows.map((dim, d) =>
    countIncludePad
      ? Array.from({ length: dim.outputs }, (_, o) => {
          const start = o * w.stride[d] - w.padding[d]
          return Math.min(start + w.size[d], spatial[d] + w.padding[d]) - start
        })
      : dim.counts,
  )
  const divisors = divisorOverride ? [divisorOverride] : condensed(products(counts))
  return apply(windowMeanOp, [x], { node: `AvgPool${rank}DBackward0`, windows, divisors })
}

const withLeading = (value: NumberOrList | null | undefined, first: number): number[] | null =>
  value === null || value === undefined ? null : [first, ...(typeof value === 'number' ? [value] : value)]

function avgPoolFunction(rank: number): AvgPool & FunctionInfo {
  const name = `avg_pool${rank}d`
  const optional = ['stride', 'padding', 'ceilMode', 'countIncludePad']
  return fn<AvgPool>(
    name,
    ['input', 'kernelSize'],
    rank === 1 ? optional : [...optional, 'divisorOverride'],
    (x: Tensor, kernelSize: NumberOrList, options: AvgPoolOptions) => {
      checkTensor(name, 'input', x)
      if (x.dtype.name !== 'int64') checkFloating(name, x.dtype)
      if (rank > 1) return avgPool(name, rank, x, kernelSize, options)
      if (x.ndim !== 2 && x.ndim !== 3)
        throw new RuntimeError(
          `Expected 2 to 3 dimensions, but got ${x.ndim}-dimensional tensor for argument #1 'self' (while checking arguments for avg_pool1d)`,
        )
      const flat = {
        ...options,
        stride: withLeading(options.stride, 1),
        padding: withLeading(options.padding, 0) ?? 0,
      }
      return squeeze(avgPool(name, 2, unsqueeze(x, -2), withLeading(kernelSize, 1)!, flat), -2)
    },
    { method: false, positional: 1 },
  )
}

/** The mean of each window of [n, c, l] or [c, l]. Throws RuntimeError for an input smaller than the window. */
export const avgPool1d: AvgPool & FunctionInfo = avgPoolFunction(1)
/** The mean of each window of [n, c, h, w] or [c, h, w]. */
export const avgPool2d: AvgPool & FunctionInfo = avgPoolFunction(2)
/** The mean of each window of [n, c, d, h, w] or [c, d, h, w]. */
export const avgPool3d: AvgPool & FunctionInfo = avgPoolFunction(3)

// ---- adaptive windows ---------------------------------------------------------------------------------------------------

export type AdaptiveAvgPool = (x: Tensor, outputSize: OutputSize) => Tensor

function adaptiveAvgFunction(rank: number): AdaptiveAvgPool & FunctionInfo {
  const name = `adaptive_avg_pool${rank}d`
  return fn<AdaptiveAvgPool>(
    name,
    ['input', 'outputSize'],
    [],
    (x: Tensor, outputSize: OutputSize) => {
      checkAdaptive(name, x, rank)
      const sizes = outputSizes(name, x, outputSize, rank)
      if (rank > 1 && sizes.every((n) => n === 1))
        return x.mean(
          sizes.map((_, i) => i - rank),
          { keepdim: true },
        )
      checkFloating(name, x.dtype)
      const planes = rank === 1 ? unsqueeze(x, -2) : x
      const inner = rank === 1 ? [1, ...sizes] : sizes
      if (inner.every((n) => n === 1)) return squeeze(planes.mean([-2, -1], { keepdim: true }), -2)
      const windows = inner.map((n, i) => adaptiveWindows(planes.sizes[planes.ndim - inner.length + i], n))
      const divisors = condensed(products(windows.map((w) => w.counts)))
      const out = apply(windowMeanOp, [planes], {
        node: `AdaptiveAvgPool${inner.length}DBackward0`,
        windows,
        divisors,
      })
      return rank === 1 ? squeeze(out, -2) : out
    },
    { method: false },
  )
}

/** The means of as many windows of [n, c, l] or [c, l] as `outputSize` says. */
export const adaptiveAvgPool1d: AdaptiveAvgPool & FunctionInfo = adaptiveAvgFunction(1)
/** The means of as many windows of [n, c, h, w] or [c, h, w] as `outputSize` says. */
export const adaptiveAvgPool2d: AdaptiveAvgPool & FunctionInfo = adaptiveAvgFunction(2)
/** The means of as many windows of [n, c, d, h, w] or [c, d, h, w] as `outputSize` says. */
export const adaptiveAvgPool3d: AdaptiveAvgPool & FunctionInfo = adaptiveAvgFunction(3)

// ---- p-norms --------------------------------------------------------------------------------------------------------------

/** Options of the p-norm poolings. */
export interface LpPoolOptions {
  /** The distance between windows; default the window's size. */
  stride?: NumberOrList | null
  /** Let the last window reach over the end. */
  ceilMode?: boolean
}

export interface LpPool {
  (
    x: Tensor,
    normType: number,
    kernelSize: NumberOrList,
    stride?: NumberOrList | null,
    options?: Omit<LpPoolOptions, 'stride'>,
  ): Tensor
  (x: Tensor, normType: number, kernelSize: NumberOrList, options?: LpPoolOptions): Tensor
}

function lpPoolFunction(rank: number): LpPool & FunctionInfo {
  const name = `lp_pool${rank}d`
  const average = [avgPool1d, avgPool2d, avgPool3d][rank - 1]
  const largest = [maxPool1d, maxPool2d, maxPool3d][rank - 1]
  return fn<LpPool>(
    name,
    ['input', 'normType', 'kernelSize'],
    ['stride', 'ceilMode'],
    (x: Tensor, p: number, kernelSize: NumberOrList, { stride, ceilMode = false }: LpPoolOptions) => {
      checkTensor(name, 'input', x)
      if (p === Infinity) return largest(x.abs(), kernelSize, { stride, ceilMode })
      if (p === -Infinity) return largest(x.abs().neg(), kernelSize, { stride, ceilMode }).neg()
      const mean = average(x.pow(p), kernelSize, { stride, ceilMode })
      const count = typeof kernelSize === 'number' ? kernelSize ** rank : numelOf(kernelSize)
      return mean
        .sign()
        .mul(relu(mean.abs()))
        .mul(count)
        .pow(1 / p)
    },
    { method: false, positional: 1 },
  )
}

/** The p-norm of each window of [n, c, l] or [c, l]; at infinity the largest magnitude. */
export const lpPool1d: LpPool & FunctionInfo = lpPoolFunction(1)
/** The p-norm of each window of [n, c, h, w] or [c, h, w]. */
export const lpPool2d: LpPool & FunctionInfo = lpPoolFunction(2)
/** The p-norm of each window of [n, c, d, h, w] or [c, d, h, w]. */
export const lpPool3d: LpPool & FunctionInfo = lpPoolFunction(3)
