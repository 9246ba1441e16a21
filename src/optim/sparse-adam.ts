// SparseAdam: Adam for sparse gradients. There are none in this library yet, so it can be made, saved and printed only.

import { RuntimeError } from '../core/errors.ts'
import { checkBetas, checkLr, checkValue } from './execution.ts'
import { Optimizer, type ParamGroup, type Params } from './optimizer.ts'
import { readOptions } from './options.ts'

export interface SparseAdamOptions {
  /** The learning rate; default 1e-3. */
  lr?: number
  /** How much the averages of the gradient and of its square keep; default (0.9, 0.999). */
  betas?: readonly [number, number]
  /** Added to the denominator; default 1e-8. */
  eps?: number
  /** Climbs instead of descending; default false. */
  maximize?: boolean
}

const defaults: Required<SparseAdamOptions> = { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, maximize: false }

/**
 * Adam that changes only the rows for which a sparse gradient has entries. A step throws RuntimeError for a dense
 * gradient, as in PyTorch: use `Adam` for those.
 */
export class SparseAdam extends Optimizer<SparseAdamOptions> {
  constructor(params: Params<SparseAdamOptions>, options?: SparseAdamOptions)
  constructor(params: Params<SparseAdamOptions>, lr: number, options?: Omit<SparseAdamOptions, 'lr'>)
  constructor(params: Params<SparseAdamOptions>, ...args: unknown[]) {
    const options = readOptions('SparseAdam', defaults, 'lr', args)
    checkLr(options.lr)
    checkValue(Number(options.lr) !== 0, 'Invalid learning rate', options.lr)
    checkValue(options.eps > 0, 'Invalid epsilon value', options.eps)
    checkBetas(options.betas)
    super(params, options, { floats: ['betas'] })
  }

  protected override updateGroup(group: ParamGroup<SparseAdamOptions>): void {
    for (const p of group.params)
      if (p.grad !== null)
        throw new RuntimeError('SparseAdam does not support dense gradients, please consider Adam instead')
  }
}
