// The layer CrossMapLRN2d: PyTorch's older local response normalisation, with its own edges.

import { ValueError } from '../core/errors.ts'
import { pyFloat } from '../core/python.ts'
import { zeros } from '../ops/creation.ts'
import { cat } from '../ops/joining.ts'
import { applyMany, type Op } from '../ops/op.ts'
import type { Tensor } from '../tensor/tensor.ts'
import type { LocalResponseNormOptions } from './layer-norm.ts'
import { Module } from './module.ts'
import { readOptions } from './options.ts'
import type { keepsWidth } from './sequential-types.ts'

interface Settings {
  readonly size: number
  readonly alpha: number
  readonly beta: number
  readonly k: number
}

// Sums over windows of channels: channel c gets those from c - before to c + after.
function windowSums(x: Tensor, before: number, after: number): Tensor[] {
  const channels = x.sizes[1]
  return Array.from({ length: channels }, (_, c) => {
    const first = Math.max(0, c - before)
    const last = Math.min(channels - 1, c + after)
    return last < first
      ? zeros([x.sizes[0], 1, ...x.sizes.slice(2)], { dtype: x.dtype, device: x.device })
      : x.narrow(1, first, last - first + 1).sum(1, { keepdim: true })
  })
}

const crossMapOp: Op<Settings> = {
  node: 'CrossMapLRN2dBackward',
  forward: ([x], { size, alpha, beta, k }) => {
    const reach = Math.floor((size - 1) / 2)
    const squares = x.pow(2)
    // PyTorch's running sum never lets go of channel 0.
    const sums = windowSums(squares, reach, reach).map((sum, c) =>
      c > reach ? sum.add(squares.narrow(1, 0, 1)) : sum,
    )
    const scale = cat(sums, 1)
      .mul(alpha / size)
      .add(k)
    return [scale.pow(-beta).mul(x), scale]
  },
  saves: [0],
  savesOutputs: [0, 1],
  nonDifferentiable: [1],
  // PyTorch's own windows again: for most sizes they lie one channel off those of the forward pass.
  backward: ([g], c) => {
    const { size, alpha, beta } = c.attributes
    const [x, out, scale] = [c.input(0), c.output(0), c.output(1)]
    const before = Math.trunc(size - (size - 1) / 2)
    const ratios = cat(windowSums(g!.mul(out).div(scale), before, size - 1 - before), 1)
    return [
      scale
        .pow(-beta)
        .mul(g!)
        .sub(x.mul(ratios).mul((2 * alpha * beta) / size)),
    ]
  },
}

/** As LocalResponseNorm, over two-dimensional images `[N, C, H, W]` only. */
export class CrossMapLRN2d extends Module {
  declare readonly [keepsWidth]?: true
  size: number
  alpha: number
  beta: number
  k: number

  constructor(size: number, alpha?: number, options?: LocalResponseNormOptions)
  constructor(size: number, options?: LocalResponseNormOptions)
  constructor(size: number, first?: number | LocalResponseNormOptions, rest?: LocalResponseNormOptions) {
    super()
    const options = readOptions<LocalResponseNormOptions>(
      'CrossMapLRN2d',
      ['alpha', 'beta', 'k'],
      first,
      rest,
    )
    this.size = size
    this.alpha = options.alpha ?? 1e-4
    this.beta = options.beta ?? 0.75
    this.k = options.k ?? 1
  }

  override forward(input: Tensor): Tensor {
    if (input.ndim !== 4)
      throw new ValueError(`CrossMapLRN2d: Expected input to be 4D, got ${input.ndim}D instead.`)
    const { size, alpha, beta, k } = this
    return applyMany(crossMapOp, [input], { size, alpha, beta, k })[0]
  }

  override extraRepr(): string {
    // PyTorch's default for k is an int here.
    const k = this.k === 1 ? '1' : pyFloat(this.k)
    return `${this.size}, alpha=${pyFloat(this.alpha)}, beta=${pyFloat(this.beta)}, k=${k}`
  }
}
