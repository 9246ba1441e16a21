// Resizing the last dimensions of [n, c, ...]: F.interpolate and the older names for it.

import { type DType, float32, float64, int32, uint8 } from '../core/dtype.ts'
import { NotImplementedError, RuntimeError, ValueError } from '../core/errors.ts'
import { formatSizes } from '../core/shape.ts'
import * as k from '../kernels/expr.ts'
import { valueTypeOf } from '../kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d } from './avg-pooling.ts'
import {
  antialiasTaps,
  fixedPointTaps,
  interpolationTaps,
  type Kernel1d,
  nearestSources,
  type Taps,
  transposedTaps,
} from './interpolation-weights.ts'
import { emptyTensor, launch, operand } from './launch.ts'
import { checkFloating } from './max-pooling.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { divisorTable } from './pooling-windows.ts'
import { int32Vector, takeByTables } from './table-gather.ts'

// ---- weighted sums of neighbours ----------------------------------------------------------------------------------------

const kernels = new Map<string, Kernel>()

// out[o] = sum over the taps of all dimensions of weight * x[index]
function resampleKernel(dtype: DType, rank: number): Kernel {
  const key = `${dtype.name} ${rank}`
  let kernel = kernels.get(key)
  if (kernel === undefined) {
    const type = dtype.kind === 'float' ? valueTypeOf(dtype) : 'i32'
    const b = new KernelBuilder('interpolate')
    const indices = Array.from({ length: rank }, () => b.input(int32))
    const weights = Array.from({ length: rank }, () => b.input(weightDType(dtype)))
    const x = b.input(dtype)
    const out = b.output(dtype)
    const total = b.loop((l) => {
      const weight = weights.map((w) => l.read(w)).reduce((p, q) => k.mul(p, q))
      const value = l.read(x, { at: indices.map((i) => l.read(i)), where: k.ne(weight, 0) })
      return l.reduce('sum', k.mul(weight, k.cast(value, type)))
    })
    if (dtype.kind === 'float') b.write(out, total)
    else {
      // Weights are whole numbers of 2^-shift; 8 bits hold 0 to 255.
      const shift = b.scalar('i32')
      const rounded = k.shr(k.add(total, k.shl(k.constant(1, 'i32'), k.sub(shift, 1))), shift)
      b.write(out, k.min(k.max(rounded, 0), 255))
    }
    kernel = b.build()
    kernels.set(key, kernel)
  }
  return kernel
}

const weightDType = (dtype: DType): DType =>
  dtype.kind !== 'float' ? int32 : dtype === float64 ? float64 : float32

function resample(x: Tensor, taps: readonly Taps[], shift: number | null = null): Tensor {
  const rank = taps.length
  const prefix = x.ndim - rank
  const sizes = [...x.sizes.slice(0, prefix), ...taps.map((t) => t.outputs)]
  const out = emptyTensor(sizes, x.dtype, x.device)
  if (out.numel() === 0) return out
  const none = taps.map(() => 0)
  const table = (values: Tensor, d: number) => {
    const own = (step: number) => taps.map((_, i) => (i === d ? step : 0))
    return operand(values, [...new Array<number>(prefix).fill(0), ...own(taps[d].taps), ...own(1)])
  }
  launch(
    x.device,
    resampleKernel(x.dtype, rank),
    sizes,
    taps.map((t) => t.taps),
    [
      ...taps.map((t, d) => table(int32Vector(t.indices), d)),
      ...taps.map((t, d) => table(divisorTable(t.weights, weightDType(x.dtype)), d)),
      operand(x, [...x.strides.slice(0, prefix), ...none, ...none], x.strides.slice(prefix)),
      operand(out, [...out.strides, ...none]),
    ],
    shift === null ? [] : [shift],
  )
  return out
}

const resampleOp: Op<{ readonly node: string; readonly taps: readonly Taps[] }> = {
  node: ({ node }) => node,
  forward: ([x], { taps }) => resample(x, taps),
  backward: ([g], c) => {
    const { node, taps } = c.attributes
    const sizes = c.inputSizes[0].slice(-taps.length)
    const back = taps.map((t, d) => transposedTaps(t, sizes[d]))
    return [apply(resampleOp, [g!], { node: node.replace('Backward0', 'BackwardBackward0'), taps: back })]
  },
}

// 8-bit images: rows first, then columns, each rounded, as PyTorch does it.
function resampleBytes(x: Tensor, [vertical, horizontal]: readonly Taps[]): Tensor {
  const still = (n: number): Taps => ({
    taps: 1,
    outputs: n,
    indices: Array.from({ length: n }, (_, i) => i),
    weights: new Array<number>(n).fill(1),
  })
  const [h, w] = x.sizes.slice(-2)
  let out = x
  if (horizontal.outputs !== w) {
    const fixed = fixedPointTaps(horizontal)
    out = resample(out, [still(h), fixed], fixed.precision)
  }
  if (vertical.outputs !== h) {
    const fixed = fixedPointTaps(vertical)
    out = resample(out, [fixed, still(horizontal.outputs)], fixed.precision)
  }
  return out === x ? x.clone() : out
}

// ---- interpolate ----------------------------------------------------------------------------------------------------------

type NumberOrList = number | readonly number[]

/** How values between the input's are found. */
export type InterpolateMode =
  | 'nearest'
  | 'nearest-exact'
  | 'linear'
  | 'bilinear'
  | 'bicubic'
  | 'trilinear'
  | 'area'
  | 'lanczos'

/** Options of `interpolate`; one of `size` and `scaleFactor` is needed. */
export interface InterpolateOptions {
  /** The size of the result's spatial dimensions. */
  size?: NumberOrList | null
  /** How much larger the result is. */
  scaleFactor?: NumberOrList | null
  /** Default `'nearest'`. `linear` goes with 3 dimensions, `bilinear`, `bicubic` and `lanczos` with 4, `trilinear` with 5. */
  mode?: InterpolateMode
  /** Whether the centres of the corner elements of input and result are the same points; with the linear modes and bicubic. */
  alignCorners?: boolean | null
  /** Compute places from the sizes rather than from `scaleFactor`. */
  recomputeScaleFactor?: boolean | null
  /** Smooth when shrinking; with `bilinear`, `bicubic` and `lanczos`. */
  antialias?: boolean
}

export interface Interpolate {
  (x: Tensor, size?: NumberOrList | null, options?: Omit<InterpolateOptions, 'size'>): Tensor
  (x: Tensor, options: InterpolateOptions): Tensor
}

interface Target {
  readonly sizes: number[]
  readonly factors: (number | null)[]
}

function targetOf(x: Tensor, { size, scaleFactor, mode, recomputeScaleFactor }: InterpolateOptions): Target {
  const spatial = x.sizes.slice(2)
  const hasSize = size !== undefined && size !== null
  const hasFactor = scaleFactor !== undefined && scaleFactor !== null
  if (hasSize && hasFactor) throw new ValueError('only one of size or scale_factor should be defined')
  if (!hasSize && !hasFactor) throw new ValueError('either size or scale_factor should be defined')
  const each = (value: NumberOrList, what: string): number[] => {
    if (typeof value === 'number') return spatial.map(() => value)
    if (value.length === spatial.length) return [...value]
    throw new ValueError(
      what === 'size'
        ? `Input and output must have the same number of spatial dimensions, but got input with spatial dimensions of ${formatSizes(spatial)} and output size of ${formatSizes(value)}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and output size in (o1, o2, ...,oK) format.`
        : `Input and scale_factor must have the same number of spatial dimensions, but got input with spatial dimensions of ${formatSizes(spatial)} and scale_factor of shape ${formatSizes(value)}. Please provide input tensor in (N, C, d1, d2, ...,dK) format and scale_factor in (s1, s2, ...,sK) format.`,
    )
  }
  if (hasSize) {
    if (recomputeScaleFactor)
      throw new ValueError('recompute_scale_factor is not meaningful with an explicit size.')
    return { sizes: each(size, 'size'), factors: spatial.map(() => null) }
  }
  const factors = each(scaleFactor!, 'scale_factor')
  const sizes = spatial.map((n, i) => Math.trunc(n * factors[i]))
  return { sizes, factors: recomputeScaleFactor || mode === 'area' ? spatial.map(() => null) : factors }
}

const axes = ['D', 'H', 'W']

function checkPositive(x: Tensor, sizes: readonly number[]): void {
  const spatial = x.sizes.slice(2)
  if ([...spatial, ...sizes].every((n) => n > 0)) return
  const words = (list: readonly number[]) =>
    list.map((n, i) => `${axes[i + 3 - list.length]}: ${n}`).join(', ')
  throw new RuntimeError(
    `Input and output sizes should be greater than 0, but got input (${words(spatial)}) output (${words(sizes)})`,
  )
}

const ranks: Partial<Record<InterpolateMode, number>> = {
  linear: 1,
  bilinear: 2,
  bicubic: 2,
  lanczos: 2,
  trilinear: 3,
}
const nodes: Partial<Record<InterpolateMode, string>> = {
  linear: 'UpsampleLinear1D',
  bilinear: 'UpsampleBilinear2D',
  bicubic: 'UpsampleBicubic2D',
  lanczos: 'UpsampleLanczos2D',
  trilinear: 'UpsampleTrilinear3D',
}
const kernelOf: Partial<Record<InterpolateMode, Kernel1d>> = {
  linear: 'linear',
  bilinear: 'linear',
  trilinear: 'linear',
  bicubic: 'cubic',
  lanczos: 'lanczos',
}

function runInterpolate(x: Tensor, options: InterpolateOptions): Tensor {
  const { mode = 'nearest', antialias = false } = options
  checkTensor('interpolate', 'input', x)
  const plain = mode === 'nearest' || mode === 'nearest-exact' || mode === 'area'
  if (plain && options.alignCorners !== undefined && options.alignCorners !== null)
    throw new ValueError(
      'align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear',
    )
  const alignCorners = options.alignCorners ?? false
  const rank = x.ndim - 2
  const { sizes, factors } = targetOf(x, { ...options, mode })
  if (antialias && !((mode === 'bilinear' || mode === 'bicubic' || mode === 'lanczos') && x.ndim === 4))
    throw new ValueError(
      'Anti-alias option is restricted to bilinear, bicubic, and lanczos modes and requires a 4-D tensor as input',
    )
  if (
    rank < 1 ||
    rank > 3 ||
    (!plain && ranks[mode] === undefined) ||
    ((mode === 'bicubic' || mode === 'lanczos') && rank !== 2)
  )
    throw new NotImplementedError(
      `Input Error: Only 3D, 4D and 5D input Tensors supported (got ${x.ndim}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | lanczos | area | nearest-exact (got ${mode})`,
    )
  if (mode === 'area') return [adaptiveAvgPool1d, adaptiveAvgPool2d, adaptiveAvgPool3d][rank - 1](x, sizes)
  checkPositive(x, sizes)
  const spatial = x.sizes.slice(2)
  if (plain) {
    const exact = mode === 'nearest-exact'
    if (x.dtype !== uint8) checkFloating(`upsample_nearest${rank}d`, x.dtype)
    const sources = spatial.map((n, d) => nearestSources(n, sizes[d], factors[d], exact))
    return takeByTables(x, `UpsampleNearest${exact ? 'Exact' : ''}${rank}DBackward0`, sources)
  }
  if (ranks[mode] !== rank)
    throw new NotImplementedError(`Got ${x.ndim}D input, but ${mode} mode needs ${ranks[mode]! + 2}D input`)
  if (mode === 'lanczos') {
    if (alignCorners) throw new ValueError('Lanczos mode does not support align_corners=True')
    if (!antialias) throw new ValueError('Lanczos mode requires antialias=True')
  }
  const bytes = x.dtype === uint8 && rank === 2
  if (!bytes) checkFloating(`upsample_${mode}${rank}d`, x.dtype)
  const round = x.dtype === float64 || bytes ? (v: number) => v : Math.fround
  const kernel = kernelOf[mode]!
  const taps = spatial.map((n, d) =>
    antialias
      ? antialiasTaps(kernel, n, sizes[d], alignCorners, factors[d], round)
      : interpolationTaps(kernel as 'linear' | 'cubic', n, sizes[d], alignCorners, factors[d], round),
  )
  if (bytes) return resampleBytes(x, taps)
  return apply(resampleOp, [x], { node: `${nodes[mode]}${antialias ? 'Aa' : ''}Backward0`, taps })
}

/**
 * Resizes the spatial dimensions of [n, c, l], [n, c, h, w] or [n, c, d, h, w], to a size or by a factor.
 * @throws ValueError for options that do not go together; NotImplementedError for a mode that does not go with the rank.
 */
export const interpolate: Interpolate & FunctionInfo = fn<Interpolate>(
  'interpolate',
  ['input'],
  ['size', 'scaleFactor', 'mode', 'alignCorners', 'recomputeScaleFactor', 'antialias'],
  runInterpolate,
  { method: false, positional: 1 },
)

/** The older name of `interpolate`. */
export const upsample: Interpolate & FunctionInfo = fn<Interpolate>(
  'upsample',
  ['input'],
  ['size', 'scaleFactor', 'mode', 'alignCorners'],
  runInterpolate,
  { method: false, positional: 1 },
)

/** Options of `upsampleNearest` and `upsampleBilinear`. */
export type UpsampleOptions = Pick<InterpolateOptions, 'size' | 'scaleFactor'>

export interface Upsample {
  (x: Tensor, size?: NumberOrList | null, options?: Omit<UpsampleOptions, 'size'>): Tensor
  (x: Tensor, options: UpsampleOptions): Tensor
}

/** `interpolate` with mode `'nearest'`. */
export const upsampleNearest: Upsample & FunctionInfo = fn<Upsample>(
  'upsample_nearest',
  ['input'],
  ['size', 'scaleFactor'],
  (x: Tensor, options: UpsampleOptions) => runInterpolate(x, { ...options, mode: 'nearest' }),
  { method: false, positional: 1 },
)

/** `interpolate` with mode `'bilinear'` and aligned corners. */
export const upsampleBilinear: Upsample & FunctionInfo = fn<Upsample>(
  'upsample_bilinear',
  ['input'],
  ['size', 'scaleFactor'],
  (x: Tensor, options: UpsampleOptions) =>
    runInterpolate(x, { ...options, mode: 'bilinear', alignCorners: true }),
  { method: false, positional: 1 },
)
