// Muon: momentum whose step is made orthogonal, for the weight matrices of hidden layers.

import { float32 } from '../core/dtype.ts'
import { ValueError } from '../core/errors.ts'
import { pyRepr } from '../core/python.ts'
import * as k from '../kernels/expr.ts'
import { emptyLike, zerosLike } from '../ops/creation.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkLr } from './execution.ts'
import { Optimizer, type ParamGroup, type Params } from './optimizer.ts'
import { readOptions } from './options.ts'
import { isNearEnd, lerp, updateKernel, updateVariants } from './update-kernel.ts'

export interface MuonOptions {
  /** The learning rate; default 1e-3. */
  lr?: number
  /** Decay of the weights themselves; default 0.1. */
  weightDecay?: number
  /** How much the average of the gradient keeps; default 0.95. */
  momentum?: number
  /** Mixes the gradient once more into the average; default true. */
  nesterov?: boolean
  /** The coefficients of the Newton-Schulz iteration; default (3.4445, -4.775, 2.0315). */
  nsCoefficients?: readonly [number, number, number]
  /** The least norm by which the step is divided; default 1e-7. */
  eps?: number
  /** How many Newton-Schulz iterations; default 5. */
  nsSteps?: number
  /** How the rate follows the matrix's shape: `'original'` (null is the same) or `'match_rms_adamw'`. */
  adjustLrFn?: 'original' | 'match_rms_adamw' | null
}

interface MuonState {
  momentum_buffer: Tensor
}

const defaults: Required<MuonOptions> = {
  lr: 1e-3,
  weightDecay: 0.1,
  momentum: 0.95,
  nesterov: true,
  nsCoefficients: [3.4445, -4.775, 2.0315],
  eps: 1e-7,
  nsSteps: 5,
  adjustLrFn: null,
}

const averageUpdate = updateVariants((flags: { nesterov: boolean; nearEnd: boolean; mixNearEnd: boolean }) =>
  updateKernel({
    name: 'muon',
    reads: ['grad'],
    writes: ['buffer', 'update'],
    scalars: ['weight', 'momentum'],
    compute: ({ grad, buffer }, { weight, momentum }) => {
      const b = lerp(buffer, grad, weight, flags.nearEnd)
      return { buffer: b, update: flags.nesterov ? lerp(grad, b, momentum, flags.mixNearEnd) : b }
    },
  }),
)

const move = updateKernel({
  name: 'muon',
  reads: ['update'],
  writes: ['param'],
  scalars: ['kept', 'step'],
  compute: ({ param, update }, { kept, step }, axpy) => ({ param: axpy(k.mul(param, kept), step, update) }),
})

/**
 * Muon (Jordan et al., "Muon: An optimizer for hidden layers in neural networks", 2024). With G the gradient of a matrix:
 *
 *     B = momentum * B + (1 - momentum) * G
 *     p = (1 - lr * weightDecay) p - r * orthogonalized(momentum * B + (1 - momentum) * G)
 *
 * where r is `lr` times a factor of the matrix's shape. PyTorch iterates in bfloat16, here it is float32.
 * @throws ValueError for parameters that are no matrices
 */
export class Muon extends Optimizer<MuonOptions, MuonState> {
  constructor(params: Params<MuonOptions>, options?: MuonOptions)
  constructor(params: Params<MuonOptions>, lr: number, options?: Omit<MuonOptions, 'lr'>)
  constructor(params: Params<MuonOptions>, ...args: unknown[]) {
    const options = readOptions('Muon', defaults, 'lr', args)
    const { lr, momentum, weightDecay, adjustLrFn } = options
    checkLr(lr, 'Learning rate should be >= 0 but is')
    if (!(momentum >= 0)) throw new ValueError(`momentum should be >= 0 but is: ${pyRepr(momentum)}`)
    if (!(weightDecay >= 0))
      throw new ValueError(`weight decay should be >= 0 but is: ${pyRepr(weightDecay)}`)
    if (adjustLrFn !== null && adjustLrFn !== 'original' && adjustLrFn !== 'match_rms_adamw')
      throw new ValueError(`Adjust learning rate function ${String(adjustLrFn)} is not supported`)
    super(params, options)
    for (const { params: matrices } of this.paramGroups)
      for (const p of matrices)
        if (p.ndim !== 2)
          throw new ValueError(
            `Muon only supports 2D parameters whereas we found a parameter with size: ${p.shape}`,
          )
  }

  protected override updateGroup(group: ParamGroup<MuonOptions>): void {
    const { lr, weightDecay, momentum, nesterov } = group
    const averageInto = averageUpdate({
      nesterov,
      nearEnd: isNearEnd(1 - momentum),
      mixNearEnd: isNearEnd(momentum),
    })
    for (const param of group.params) {
      const { grad } = param
      if (grad === null) continue
      const { momentum_buffer: buffer } = this.stateOf(param, () => ({ momentum_buffer: zerosLike(grad) }))
      const direction = emptyLike(grad)
      averageInto({ buffer, update: direction, grad }, { weight: 1 - momentum, momentum })
      const update = orthogonalize(direction, group)
      move(
        { param, update },
        { kept: 1 - lr * weightDecay, step: -lr * shapeFactor(param.sizes, group.adjustLrFn) },
      )
    }
  }
}

/** A matrix with the singular vectors of `x` and singular values near 1, by Newton-Schulz iterations. */
function orthogonalize(x: Tensor, { nsCoefficients, nsSteps, eps }: ParamGroup<MuonOptions>): Tensor {
  if (nsSteps >= 100)
    throw new ValueError('Number of steps must be less than 100 for computational efficiency')
  if (nsCoefficients.length !== 3) throw new ValueError('Coefficients must be a tuple of exactly 3 values')
  const [a, b, c] = nsCoefficients
  const isTall = x.sizes[0] > x.sizes[1]
  let y = isTall ? x.to(float32).t() : x.to(float32)
  // The spectral norm is at most the Frobenius norm.
  const square = y.mul(y).sum()
  y = y.div(
    square.storage.isAsynchronous
      ? square.sqrt().clamp({ min: eps })
      : Math.max(Math.sqrt(Number(square.item())), eps),
  )
  for (let i = 0; i < nsSteps; i++) {
    const gram = y.matmul(y.t())
    const polynomial = gram.mul(b).add(gram.matmul(gram).mul(c))
    y = y.mul(a).add(polynomial.matmul(y))
  }
  return isTall ? y.t() : y
}

function shapeFactor([rows, columns]: readonly number[], rule: MuonOptions['adjustLrFn']): number {
  return rule === 'match_rms_adamw'
    ? 0.2 * Math.sqrt(Math.max(rows, columns))
    : Math.sqrt(Math.max(1, rows / columns))
}
