// The namespace torch.fft, as far as it goes without complex numbers: transforms from real numbers to real numbers,
// frequencies, and shifts.

import { getDefaultDtype } from '../core/dtype.ts'
import { IndexError, RuntimeError } from '../core/errors.ts'
import { numelOf, wrapDim, wrapDims } from '../core/shape.ts'
import { arange, resolveOptions, type TensorOptions, tensorOptionNames } from '../ops/creation.ts'
import { cat } from '../ops/joining.ts'
import { checkTensor, type FunctionInfo, fn } from '../ops/op.ts'
import { roll } from '../ops/rearranging.ts'
import type { Dims } from '../ops/reduce.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type Complex, realTransform, transform } from './transform.ts'

/** How a transform is scaled: 'backward' (default): by 1/n on the way back; 'forward': on the way there; 'ortho': by 1/sqrt(n) both ways. */
export type FftNorm = 'backward' | 'forward' | 'ortho' | null

/** Options of a transform of one dimension. */
export interface FftOptions {
  /** The length of the result; the input is cut, or filled up with zeros, to fit. */
  n?: number | null
  /** Default -1. */
  dim?: number
  norm?: FftNorm
}

/** Options of a transform of several dimensions. */
export interface FftnOptions {
  /** The lengths of the result; -1: as in the input. */
  s?: readonly number[] | null
  dim?: Dims
  norm?: FftNorm
}

export interface RealFft {
  (x: Tensor, n?: number | null, dim?: number, norm?: FftNorm): Tensor
  (x: Tensor, options?: FftOptions): Tensor
}

export interface RealFftn {
  (x: Tensor, s?: readonly number[] | null, dim?: Dims, norm?: FftNorm): Tensor
  (x: Tensor, options?: FftnOptions): Tensor
}

function floating(name: string, x: Tensor): Tensor {
  checkTensor(name, 'input', x)
  if (x.dtype.kind !== 'float') return x.to(getDefaultDtype())
  if (x.dtype.itemsize === 2) throw new RuntimeError(`Unsupported dtype ${x.dtype.name}`)
  return x
}

// Cut, or filled up with zeros at the end, to a length.
function resized(x: Tensor, dim: number, n: number): Tensor {
  const size = x.sizes[dim]
  if (size === n) return x
  if (size > n) return x.narrow(dim, 0, n)
  return cat([x, x.newZeros(x.sizes.map((k, d) => (d === dim ? n - size : k)))], dim)
}

function scaleOf(norm: FftNorm | undefined, n: number, inverse: boolean): number {
  if (norm === 'ortho') return 1 / Math.sqrt(n)
  if (norm !== undefined && norm !== null && norm !== 'backward' && norm !== 'forward')
    throw new RuntimeError(`Invalid normalization mode: "${String(norm)}"`)
  return ((norm ?? 'backward') === 'backward') === inverse ? 1 / n : 1
}

// The lengths and the dimensions of a transform of several.
function shapeOf(
  x: Tensor,
  s: readonly number[] | null | undefined,
  dim: Dims | undefined,
): [number[], number[]] {
  const dims =
    (dim === undefined || dim === null) && s
      ? s.map((_, i) => wrapDim(x.ndim - s.length + i, x.ndim))
      : wrapDims(dim, x.ndim)
  if (s && s.length !== dims.length)
    throw new RuntimeError('When given, dim and shape arguments must have the same length')
  if (dims.length === 0) throw new RuntimeError('transform must have at least one dimension')
  // The last length is that of the real result, of which the input holds one half.
  const lengths = dims.map((d, i) => {
    const given = s?.[i] ?? -1
    if (given !== -1) return given
    return i === dims.length - 1 ? 2 * (x.sizes[d] - 1) : x.sizes[d]
  })
  for (const n of lengths) if (n < 1) throw new RuntimeError(`Invalid number of data points (${n}) specified`)
  return [lengths, dims]
}

// From half a Hermitian spectrum: complex transforms over all dimensions but the last, then a real one. `sign` is that
// of the exponents.
function toReal(name: string, input: Tensor, options: FftnOptions, inverse: boolean): Tensor {
  let x = floating(name, input)
  if (x.ndim === 0)
    throw new IndexError(`Dimension specified as ${options.dim ?? 0} but tensor has no dimensions`)
  const [lengths, dims] = shapeOf(x, options.s, options.dim)
  const [last, n] = [dims[dims.length - 1], lengths[dims.length - 1]]
  dims.forEach((d, i) => {
    x = resized(x, d, d === last ? Math.floor(n / 2) + 1 : lengths[i])
  })
  const sign = inverse ? 1 : -1
  let values: Complex = { re: x, im: null }
  for (const d of dims.slice(0, -1)) values = transform(values, d, sign)
  return realTransform(values, last, n, sign).mul(scaleOf(options.norm, numelOf(lengths), inverse))
}

function one(name: string, inverse: boolean): RealFft & FunctionInfo {
  return fn<RealFft>(
    `fft_${name}`,
    ['input'],
    ['n', 'dim', 'norm'],
    (x: Tensor, { n, dim = -1, norm }: FftOptions) =>
      toReal(`fft_${name}`, x, { s: n === undefined || n === null ? null : [n], dim: [dim], norm }, inverse),
    { method: false },
  )
}

function several(
  name: string,
  inverse: boolean,
  defaultDim: readonly number[] | null,
): RealFftn & FunctionInfo {
  return fn<RealFftn>(
    `fft_${name}`,
    ['input'],
    ['s', 'dim', 'norm'],
    (x: Tensor, { s, dim, norm }: FftnOptions) =>
      toReal(
        `fft_${name}`,
        x,
        { s, dim: dim ?? (s && defaultDim === null ? null : defaultDim), norm },
        inverse,
      ),
    { method: false },
  )
}

/** The inverse of `rfft`: from one half of a Hermitian spectrum (here of real numbers) to real numbers. */
export const irfft: RealFft & FunctionInfo = one('irfft', true)
/** The transform of one half of a Hermitian signal: real numbers. */
export const hfft: RealFft & FunctionInfo = one('hfft', false)
/** `irfft` over the last dimension, inverse transforms over the others (two in all). */
export const irfft2: RealFftn & FunctionInfo = several('irfft2', true, [-2, -1])
/** `hfft` over the last dimension, transforms over the others (two in all). */
export const hfft2: RealFftn & FunctionInfo = several('hfft2', false, [-2, -1])
/** `irfft` over the last dimension, inverse transforms over the others. */
export const irfftn: RealFftn & FunctionInfo = several('irfftn', true, null)
/** `hfft` over the last dimension, transforms over the others. */
export const hfftn: RealFftn & FunctionInfo = several('hfftn', false, null)

// ---- frequencies and shifts -------------------------------------------------------------------------------------------

export interface Fftfreq {
  (n: number, d: number, options?: TensorOptions): Tensor
  (n: number, options?: TensorOptions & { d?: number }): Tensor
}

function frequencies(
  name: string,
  make: (n: number, options: TensorOptions) => Tensor,
): Fftfreq & FunctionInfo {
  return fn<Fftfreq>(
    name,
    ['n'],
    ['d', ...tensorOptionNames],
    (n: number, { d = 1, ...options }: TensorOptions & { d?: number }) => {
      const { dtype, device, requiresGrad } = resolveOptions(name, options, getDefaultDtype())
      return make(n, { dtype, device })
        .div(n * d)
        .requiresGrad_(requiresGrad)
    },
    { method: false, positional: 1 },
  )
}

/** The frequencies of a transform of n samples that are `d` (1) apart: the positive ones, then the negative. */
export const fftfreq: Fftfreq & FunctionInfo = frequencies('fftfreq', (n, options) =>
  cat([arange(0, Math.ceil(n / 2), options), arange(-Math.floor(n / 2), 0, options)]),
)
/** The frequencies of a transform of n real samples that are `d` (1) apart. */
export const rfftfreq: Fftfreq & FunctionInfo = frequencies('rfftfreq', (n, options) =>
  arange(0, Math.floor(n / 2) + 1, options),
)

export interface FftShift {
  (x: Tensor, dim?: Dims): Tensor
  (x: Tensor, options?: { dim?: Dims }): Tensor
}

function shift(name: string, by: (n: number) => number): FftShift & FunctionInfo {
  return fn<FftShift>(
    name,
    ['input'],
    ['dim'],
    (x: Tensor, { dim }: { dim?: Dims }) => {
      checkTensor(name, 'input', x)
      const dims = wrapDims(dim, x.ndim)
      if (dims.length === 0) return x.clone()
      return roll(
        x,
        dims.map((d) => by(x.sizes[d])),
        dims,
      )
    },
    { method: false },
  )
}

/** Moves the frequency 0 to the middle of each dimension. */
export const fftshift: FftShift & FunctionInfo = shift('fftshift', (n) => Math.floor(n / 2))
/** The inverse of `fftshift`. */
export const ifftshift: FftShift & FunctionInfo = shift('ifftshift', (n) => Math.floor((n + 1) / 2))
