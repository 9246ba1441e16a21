// Options that most optimizers share, and the checks of their arguments.

import { RuntimeError, TypeError_, ValueError } from '../core/errors.ts'
import { pyRepr } from '../core/python.ts'
import { needHost } from '../ops/host.ts'
import { describe } from '../ops/op.ts'
import { Tensor } from '../tensor/tensor.ts'

/** Options of most optimizers. */
export interface SharedOptions {
  /** Climbs instead of descending; default false. */
  maximize?: boolean
  /** How PyTorch runs the step on a GPU. Kept, printed and saved; here every step is one pass for each parameter. */
  foreach?: boolean | null
  /** Steps that can themselves be differentiated: not supported, a step throws. */
  differentiable?: boolean
}

/** `SharedOptions` of the optimizers that PyTorch can capture in a CUDA graph. */
export interface CapturableOptions extends SharedOptions {
  /** For CUDA graphs in PyTorch. Kept, printed and saved, without effect here. */
  capturable?: boolean
}

/** Throws a ValueError `${what}: ${value}` unless the value is valid. */
export function checkValue(valid: boolean, what: string, value: unknown): void {
  if (!valid) throw new ValueError(`${what}: ${pyRepr(value)}`)
}

/** Throws unless the learning rate is a number (or a tensor of one) of 0 or more. */
export function checkLr(lr: unknown, what = 'Invalid learning rate'): void {
  if (lr instanceof Tensor) {
    if (lr.numel() !== 1) throw new ValueError('Tensor lr must be 1-element')
    checkLr(Number(needHost('optimizer', lr).item()), what)
    return
  }
  if (typeof lr !== 'number')
    throw new TypeError_(`the learning rate must be a number, but got ${describe(lr)}`)
  checkValue(lr >= 0, what, lr)
}

/** Throws unless both are in [0, 1). */
export function checkBetas(betas: readonly number[]): void {
  if (!Array.isArray(betas) || betas.length !== 2)
    throw new ValueError(`betas must be a pair of numbers, but got ${describe(betas)}`)
  betas.forEach((beta, i) => {
    checkValue(beta >= 0 && beta < 1, `Invalid beta parameter at index ${i}`, beta)
  })
}

/** Throws for options that PyTorch cannot combine. */
export function checkFused(options: {
  fused: boolean | null
  foreach: boolean | null
  differentiable: boolean
}): void {
  if (!options.fused) return
  if (options.differentiable) throw new RuntimeError('`fused` does not support `differentiable`')
  if (options.foreach) throw new RuntimeError('`fused` and `foreach` cannot be `True` together.')
}
