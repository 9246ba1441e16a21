// The window functions at torch's top level, periodic unless told otherwise. Those of torch.signal.windows are in signal/.

import { getDefaultDtype } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import * as windows from '../signal/windows.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { resolveOptions, type TensorOptions, tensorOptionNames } from './creation.ts'
import { type FunctionInfo, fn } from './op.ts'

/** Options of a window. */
export interface PeriodicWindowOptions extends TensorOptions {
  /** Default true: the first of a symmetric window one longer, for spectra. */
  periodic?: boolean
}

export interface PeriodicWindow {
  (windowLength: number, periodic: boolean, options?: TensorOptions): Tensor
  (windowLength: number, options?: PeriodicWindowOptions): Tensor
}

function windowFunction<F, O extends PeriodicWindowOptions>(
  name: string,
  extra: readonly string[],
  make: (length: number, options: O & { sym: boolean }) => Tensor,
): F & FunctionInfo {
  return fn<F>(
    name,
    ['windowLength'],
    ['periodic', ...extra, ...tensorOptionNames],
    (length: number, { periodic = true, ...options }: O) => {
      const { dtype } = resolveOptions(name, options, getDefaultDtype())
      if (!(length >= 0))
        throw new RuntimeError(`${name} requires non-negative window_length, got window_length=${length}`)
      if (dtype.kind !== 'float')
        throw new RuntimeError(`${name} expects floating point dtypes, got: ${dtype}`)
      // The windows themselves know two dtypes; the half types are rounded from one of them.
      const wide = dtype.itemsize === 2 ? { ...options, dtype: undefined } : options
      const made = make(length, { ...wide, sym: !periodic } as unknown as O & { sym: boolean })
      return dtype.itemsize === 2 ? made.to(dtype) : made
    },
    { method: false, positional: 1 + extra.length },
  )
}

/** Hann's window. */
export const hannWindow: PeriodicWindow & FunctionInfo = windowFunction('hann_window', [], windows.hann)
/** Blackman's window. */
export const blackmanWindow: PeriodicWindow & FunctionInfo = windowFunction(
  'blackman_window',
  [],
  windows.blackman,
)
/** Bartlett's window, a triangle. */
export const bartlettWindow: PeriodicWindow & FunctionInfo = windowFunction(
  'bartlett_window',
  [],
  windows.bartlett,
)

export interface HammingWindow {
  (windowLength: number, periodic: boolean, alpha?: number, beta?: number, options?: TensorOptions): Tensor
  (windowLength: number, options?: PeriodicWindowOptions & { alpha?: number; beta?: number }): Tensor
}

/** Hamming's window, `alpha - beta cos`; 0.54 and 0.46 unless given. */
export const hammingWindow: HammingWindow & FunctionInfo = windowFunction(
  'hamming_window',
  ['alpha', 'beta'],
  (
    length,
    {
      alpha = 0.54,
      beta = 0.46,
      ...options
    }: PeriodicWindowOptions & {
      alpha?: number
      beta?: number
      sym: boolean
    },
  ) => windows.generalCosine(length, { ...options, a: [alpha, beta] }),
)

export interface KaiserWindow {
  (windowLength: number, periodic: boolean, beta?: number, options?: TensorOptions): Tensor
  (windowLength: number, options?: PeriodicWindowOptions & { beta?: number }): Tensor
}

/** Kaiser's window; `beta` is 12 unless given. */
export const kaiserWindow: KaiserWindow & FunctionInfo = windowFunction(
  'kaiser_window',
  ['beta'],
  windows.kaiser,
)
