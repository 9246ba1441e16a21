// Functions of nn.functional that are compositions of a few others: normalize, localResponseNorm.

import { ValueError } from '../core/errors.ts'
import { zeros } from '../ops/creation.ts'
import { cat } from '../ops/joining.ts'
import { type FunctionInfo, fn } from '../ops/op.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** Options of `localResponseNorm`. */
export interface LocalResponseNormSettings {
  alpha?: number
  beta?: number
  k?: number
}

export interface LocalResponseNormFunction {
  (input: Tensor, size: number, alpha?: number, options?: LocalResponseNormSettings): Tensor
  (input: Tensor, size: number, options?: LocalResponseNormSettings): Tensor
}

/** Divides by a power of the mean of squares over `size` neighbouring channels. Krizhevsky et al. 2012. */
export const localResponseNorm: LocalResponseNormFunction & FunctionInfo = fn<LocalResponseNormFunction>(
  'local_response_norm',
  ['input', 'size'],
  ['alpha', 'beta', 'k'],
  (input: Tensor, size: number, { alpha = 1e-4, beta = 0.75, k = 1 }: LocalResponseNormSettings) => {
    if (input.ndim < 3)
      throw new ValueError(`Expected 3D or higher dimensionality input (got ${input.ndim} dimensions)`)
    if (input.numel() === 0) return input
    const [n, c, ...rest] = input.sizes
    const border = (channels: number) =>
      zeros([n, channels, ...rest], { dtype: input.dtype, device: input.device })
    const squares = cat(
      [border(Math.floor(size / 2)), input.mul(input), border(Math.floor((size - 1) / 2))],
      1,
    )
    // The sum over a window of channels, as a sum of shifted views.
    let sum = squares.narrow(1, 0, c)
    for (let i = 1; i < size; i++) sum = sum.add(squares.narrow(1, i, c))
    return input.div(sum.div(size).mul(alpha).add(k).pow(beta))
  },
  { method: false },
)

/** Options of `normalize`. */
export interface NormalizeOptions {
  /** Of the norm; default 2. */
  p?: number
  /** The dimension that holds the vectors; default 1. */
  dim?: number | readonly number[]
  /** The smallest norm that is divided by; default 1e-12. */
  eps?: number
}

export interface Normalize {
  (input: Tensor, p?: number, options?: NormalizeOptions): Tensor
  (input: Tensor, options?: NormalizeOptions): Tensor
}

/** Divides vectors along `dim` by their p-norm. */
export const normalize: Normalize & FunctionInfo = fn<Normalize>(
  'normalize',
  ['input'],
  ['p', 'dim', 'eps'],
  (input: Tensor, { p = 2, dim = 1, eps = 1e-12 }: NormalizeOptions) =>
    input.div(input.norm({ p, dim, keepdim: true }).clampMin(eps).expandAs(input)),
  { method: false },
)
