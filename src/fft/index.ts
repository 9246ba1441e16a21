// The namespace torch.fft: discrete Fourier transforms, frequencies, and shifts.

import { getDefaultDtype } from '../core/dtype.ts'
import { IndexError, RuntimeError } from '../core/errors.ts'
import { numelOf, wrapDim, wrapDims } from '../core/shape.ts'
import { complex, imag, real } from '../ops/complex.ts'
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

export interface Fft {
  (x: Tensor, n?: number | null, dim?: number, norm?: FftNorm): Tensor
  (x: Tensor, options?: FftOptions): Tensor
}

export interface Fftn {
  (x: Tensor, s?: readonly number[] | null, dim?: Dims, norm?: FftNorm): Tensor
  (x: Tensor, options?: FftnOptions): Tensor
}

// The parts of the input: whole numbers and bools become the default dtype.
function partsOf(name: string, x: Tensor): Complex {
  checkTensor(name, 'input', x)
  if (x.dtype.isComplex) return { re: real(x), im: imag(x) }
  if (x.dtype.kind !== 'float') return { re: x.to(getDefaultDtype()), im: null }
  if (x.dtype.itemsize === 2) throw new RuntimeError(`Unsupported dtype ${x.dtype.name}`)
  return { re: x, im: null }
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

// The lengths and the dimensions of a transform of several; the length of the last one where none is given.
function shapeOf(
  x: Tensor,
  s: readonly number[] | null | undefined,
  dim: Dims | undefined,
  lastLength: (size: number) => number = (size) => size,
): [number[], number[]] {
  const dims =
    (dim === undefined || dim === null) && s
      ? s.map((_, i) => wrapDim(x.ndim - s.length + i, x.ndim))
      : wrapDims(dim, x.ndim)
  if (s && s.length !== dims.length)
    throw new RuntimeError('When given, dim and shape arguments must have the same length')
  if (dims.length === 0) throw new RuntimeError('transform must have at least one dimension')
  const lengths = dims.map((d, i) => {
    const given = s?.[i] ?? -1
    if (given !== -1) return given
    return i === dims.length - 1 ? lastLength(x.sizes[d]) : x.sizes[d]
  })
  for (const n of lengths) if (n < 1) throw new RuntimeError(`Invalid number of data points (${n}) specified`)
  return [lengths, dims]
}

function checkHasDimensions(x: Tensor, dim: Dims | undefined): void {
  if (x.ndim === 0) throw new IndexError(`Dimension specified as ${dim ?? 0} but tensor has no dimensions`)
}

const mapParts = ({ re, im }: Complex, f: (x: Tensor) => Tensor): Complex => ({
  re: f(re),
  im: im === null ? null : f(im),
})

const together = ({ re, im }: Complex): Tensor => complex(re, im ?? re.mul(0))

/** How a transform goes: from which numbers to which. */
type Kind = 'complex' | 'to real' | 'from real'

// `inverse` decides the sign of the exponents and the scale.
const transforms: Readonly<
  Record<Kind, (name: string, input: Tensor, options: FftnOptions, inverse: boolean) => Tensor>
> = {
  complex: (name, input, { s, dim, norm }, inverse) => {
    let values = partsOf(name, input)
    checkHasDimensions(input, dim)
    const [lengths, dims] = shapeOf(input, s, dim)
    dims.forEach((d, i) => {
      values = transform(
        mapParts(values, (x) => resized(x, d, lengths[i])),
        d,
        inverse ? 1 : -1,
      )
    })
    return together(mapParts(values, (x) => x.mul(scaleOf(norm, numelOf(lengths), inverse))))
  },
  // Half of the spectrum: the other half mirrors it.
  'from real': (name, input, { s, dim, norm }, inverse) => {
    let values = partsOf(name, input)
    if (values.im !== null)
      throw new RuntimeError(
        `${name.replace('fft_', '')} expects a real input tensor, but got ${input.dtype.name === 'complex64' ? 'ComplexFloat' : 'ComplexDouble'}`,
      )
    checkHasDimensions(input, dim)
    const [lengths, dims] = shapeOf(input, s, dim)
    const last = dims.length - 1
    for (let i = last; i >= 0; i--) {
      values = transform(
        mapParts(values, (x) => resized(x, dims[i], lengths[i])),
        dims[i],
        inverse ? 1 : -1,
      )
      if (i === last)
        values = mapParts(values, (x) => x.narrow(dims[last], 0, Math.floor(lengths[last] / 2) + 1))
    }
    return together(mapParts(values, (x) => x.mul(scaleOf(norm, numelOf(lengths), inverse))))
  },
  // From half a Hermitian spectrum: complex transforms over all dimensions but the last, then a real one.
  'to real': (name, input, { s, dim, norm }, inverse) => {
    let values = partsOf(name, input)
    checkHasDimensions(input, dim)
    const [lengths, dims] = shapeOf(input, s, dim, (size) => 2 * (size - 1))
    const [last, n] = [dims[dims.length - 1], lengths[dims.length - 1]]
    dims.forEach((d, i) => {
      const length = d === last ? Math.floor(n / 2) + 1 : lengths[i]
      values = mapParts(values, (x) => resized(x, d, length))
    })
    const sign = inverse ? 1 : -1
    for (const d of dims.slice(0, -1)) values = transform(values, d, sign)
    return realTransform(values, last, n, sign).mul(scaleOf(norm, numelOf(lengths), inverse))
  },
}

function one(name: string, kind: Kind, inverse: boolean): Fft & FunctionInfo {
  return fn<Fft>(
    `fft_${name}`,
    ['input'],
    ['n', 'dim', 'norm'],
    (x: Tensor, { n, dim = -1, norm }: FftOptions) =>
      transforms[kind](
        `fft_${name}`,
        x,
        { s: n === undefined || n === null ? null : [n], dim: [dim], norm },
        inverse,
      ),
    { method: false },
  )
}

function several(
  name: string,
  kind: Kind,
  inverse: boolean,
  defaultDim: readonly number[] | null,
): Fftn & FunctionInfo {
  return fn<Fftn>(
    `fft_${name}`,
    ['input'],
    ['s', 'dim', 'norm'],
    (x: Tensor, { s, dim, norm }: FftnOptions) =>
      transforms[kind](
        `fft_${name}`,
        x,
        { s, dim: dim ?? (s && defaultDim === null ? null : defaultDim), norm },
        inverse,
      ),
    { method: false },
  )
}

/** X[k] = sum over j of x[j] exp(-2 pi i j k / n), of real or complex numbers. Cooley and Tukey 1965. */
export const fft: Fft & FunctionInfo = one('fft', 'complex', false)
/** The inverse of `fft`. */
export const ifft: Fft & FunctionInfo = one('ifft', 'complex', true)
/** `fft` over two dimensions. */
export const fft2: Fftn & FunctionInfo = several('fft2', 'complex', false, [-2, -1])
/** `ifft` over two dimensions. */
export const ifft2: Fftn & FunctionInfo = several('ifft2', 'complex', true, [-2, -1])
/** `fft` over several dimensions, all by default. */
export const fftn: Fftn & FunctionInfo = several('fftn', 'complex', false, null)
/** `ifft` over several dimensions, all by default. */
export const ifftn: Fftn & FunctionInfo = several('ifftn', 'complex', true, null)
/** The first half of the transform of real numbers; the rest mirrors it. Throws RuntimeError for complex numbers. */
export const rfft: Fft & FunctionInfo = one('rfft', 'from real', false)
/** `rfft` over the last dimension, `fft` over the others (two in all). */
export const rfft2: Fftn & FunctionInfo = several('rfft2', 'from real', false, [-2, -1])
/** `rfft` over the last dimension, `fft` over the others. */
export const rfftn: Fftn & FunctionInfo = several('rfftn', 'from real', false, null)
/** The inverse of `hfft`: one half of a Hermitian signal. Throws RuntimeError for complex numbers. */
export const ihfft: Fft & FunctionInfo = one('ihfft', 'from real', true)
/** `ihfft` over the last dimension, `ifft` over the others (two in all). */
export const ihfft2: Fftn & FunctionInfo = several('ihfft2', 'from real', true, [-2, -1])
/** `ihfft` over the last dimension, `ifft` over the others. */
export const ihfftn: Fftn & FunctionInfo = several('ihfftn', 'from real', true, null)
/** The inverse of `rfft`: from one half of a Hermitian spectrum to real numbers. */
export const irfft: Fft & FunctionInfo = one('irfft', 'to real', true)
/** The transform of one half of a Hermitian signal: real numbers. */
export const hfft: Fft & FunctionInfo = one('hfft', 'to real', false)
/** `irfft` over the last dimension, inverse transforms over the others (two in all). */
export const irfft2: Fftn & FunctionInfo = several('irfft2', 'to real', true, [-2, -1])
/** `hfft` over the last dimension, transforms over the others (two in all). */
export const hfft2: Fftn & FunctionInfo = several('hfft2', 'to real', false, [-2, -1])
/** `irfft` over the last dimension, inverse transforms over the others. */
export const irfftn: Fftn & FunctionInfo = several('irfftn', 'to real', true, null)
/** `hfft` over the last dimension, transforms over the others. */
export const hfftn: Fftn & FunctionInfo = several('hfftn', 'to real', false, null)

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
