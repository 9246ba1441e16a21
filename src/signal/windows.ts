// The windows of torch.signal.windows: how much each of M samples counts. Computed in float64, then rounded.

import { float64, getDefaultDtype } from '../core/dtype.ts'
import { ValueError } from '../core/errors.ts'
import { resolveOptions, type TensorOptions, tensor, tensorOptionNames } from '../ops/creation.ts'
import { type FunctionInfo, fn } from '../ops/op.ts'
import { i0 } from '../ops/special-math.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** Options of every window. */
export interface WindowOptions extends TensorOptions {
  /** Symmetric (default), for filters; else periodic, for spectra: the first M of a symmetric one of M + 1. */
  sym?: boolean
}

export type Window = (m: number, options?: WindowOptions) => Tensor

// A window from the weight of sample n, where the last of the symmetric window is number `last`.
function build(
  name: string,
  m: number,
  { sym = true, ...options }: WindowOptions,
  weights: (last: number) => (n: number) => number,
): Tensor {
  const { dtype, device, requiresGrad } = resolveOptions(name, options, getDefaultDtype())
  if (!(m >= 0)) throw new ValueError(`${name} requires non-negative window length, got M=${m}`)
  if (dtype.name !== 'float32' && dtype.name !== 'float64')
    throw new ValueError(`${name} expects float32 or float64 dtypes, got: ${dtype}`)
  const weight = m === 1 ? () => 1 : weights(sym ? m - 1 : m)
  return tensor(
    Float64Array.from({ length: m }, (_, n) => weight(n)),
    { dtype, device, requiresGrad },
  )
}

const common = ['sym', ...tensorOptionNames]

function windowFunction<O extends WindowOptions>(
  name: string,
  extra: readonly string[],
  run: (m: number, options: O) => Tensor,
): ((m: number, options?: O) => Tensor) & FunctionInfo {
  return fn<(m: number, options?: O) => Tensor>(name, ['M'], [...extra, ...common], run, {
    method: false,
    positional: 0,
  })
}

function cosineSum(m: number, a: readonly number[], options: WindowOptions): Tensor {
  return build('general_cosine', m, options, (last) => (n) => {
    const angle = (2 * Math.PI * n) / last
    return a.reduce((total, c, i) => total + (i % 2 === 0 ? c : -c) * Math.cos(i * angle), 0)
  })
}

/** A sum of cosines with the coefficients `a`, their signs alternating. */
export const generalCosine: ((m: number, options: WindowOptions & { a: readonly number[] }) => Tensor) &
  FunctionInfo = fn<(m: number, options: WindowOptions & { a: readonly number[] }) => Tensor>(
  'general_cosine',
  ['M'],
  ['a', ...common],
  (m: number, { a, ...options }: WindowOptions & { a?: readonly number[] }) => {
    if (!Array.isArray(a)) throw new ValueError('Coefficients must be a list/tuple')
    if (a.length === 0) throw new ValueError('Coefficients cannot be empty')
    return cosineSum(m, a, options)
  },
  { method: false, positional: 0 },
)

/** `alpha - (1 - alpha) cos`; `alpha` is 0.54 unless given. */
export const generalHamming: ((m: number, options?: WindowOptions & { alpha?: number }) => Tensor) &
  FunctionInfo = windowFunction(
  'general_hamming',
  ['alpha'],
  (m, { alpha = 0.54, ...options }: WindowOptions & { alpha?: number }) =>
    cosineSum(m, [alpha, 1 - alpha], options),
)
/** Hamming's window. */
export const hamming: Window & FunctionInfo = windowFunction('hamming', [], (m, options) =>
  cosineSum(m, [0.54, 1 - 0.54], options),
)
/** Hann's window. */
export const hann: Window & FunctionInfo = windowFunction('hann', [], (m, options) =>
  cosineSum(m, [0.5, 0.5], options),
)
/** Blackman's window. */
export const blackman: Window & FunctionInfo = windowFunction('blackman', [], (m, options) =>
  cosineSum(m, [0.42, 0.5, 0.08], options),
)
/** Nuttall's window of least sidelobes (Blackman and Harris, four terms). */
export const nuttall: Window & FunctionInfo = windowFunction('nuttall', [], (m, options) =>
  cosineSum(m, [0.3635819, 0.4891775, 0.1365995, 0.0106411], options),
)
/** A triangle. */
export const bartlett: Window & FunctionInfo = windowFunction('bartlett', [], (m, options) =>
  build('bartlett', m, options, (last) => (n) => 1 - Math.abs((2 * n) / last - 1)),
)
/** Half a period of a sine. */
export const cosine: Window & FunctionInfo = windowFunction('cosine', [], (m, options) =>
  build('cosine', m, options, (last) => (n) => Math.sin((Math.PI / (last + 1)) * (n + 0.5))),
)

/** A bell curve of standard deviation `std` (1). */
export const gaussian: ((m: number, options?: WindowOptions & { std?: number }) => Tensor) & FunctionInfo =
  windowFunction('gaussian', ['std'], (m, { std = 1, ...options }: WindowOptions & { std?: number }) => {
    if (std <= 0) throw new ValueError(`Standard deviation must be positive, got: ${std} instead.`)
    return build('gaussian', m, options, (last) => (n) => Math.exp(-0.5 * ((n - last / 2) / std) ** 2))
  })

/** Options of `exponential`. */
export interface ExponentialOptions extends WindowOptions {
  /** Where a periodic window is highest; default: its middle. */
  center?: number | null
  /** How fast it falls: to 1/e over `tau` (1) samples. */
  tau?: number
}

/** Falls exponentially from its centre. */
export const exponential: ((m: number, options?: ExponentialOptions) => Tensor) & FunctionInfo =
  windowFunction(
    'exponential',
    ['center', 'tau'],
    (m, { center = null, tau = 1, ...options }: ExponentialOptions) => {
      if (tau <= 0) throw new ValueError(`Tau must be positive, got: ${tau} instead.`)
      if ((options.sym ?? true) && center !== null)
        throw new ValueError('Center must be None for symmetric windows')
      return build(
        'exponential',
        m,
        options,
        (last) => (n) => Math.exp(-Math.abs(n - (center ?? last / 2)) / tau),
      )
    },
  )

/** Kaiser's window: `I0(beta sqrt(1 - x²)) / I0(beta)`, x from -1 to 1; `beta` is 12 unless given. */
export const kaiser: ((m: number, options?: WindowOptions & { beta?: number }) => Tensor) & FunctionInfo =
  windowFunction('kaiser', ['beta'], (m, { beta = 12, ...options }: WindowOptions & { beta?: number }) => {
    if (beta < 0) throw new ValueError(`beta must be non-negative, got: ${beta} instead.`)
    return build('kaiser', m, options, (last) => {
      const points = Array.from({ length: m }, (_, n) => {
        const x = (2 * n) / last - 1
        return beta * Math.sqrt(Math.max(1 - x * x, 0))
      })
      const bessel = i0(tensor([...points, beta], { dtype: float64, device: 'cpu' })).tolist() as number[]
      return (n) => bessel[n] / bessel[m]
    })
  })
