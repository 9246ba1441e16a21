// LBFGS: a quasi-Newton method that remembers a few past steps instead of a matrix.

import { enableGrad } from '../autograd/mode.ts'
import { float32, float64 } from '../core/dtype.ts'
import { RuntimeError, TypeError_, ValueError } from '../core/errors.ts'
import { fullTensor, zeros } from '../ops/creation.ts'
import { cat } from '../ops/joining.ts'
import { Tensor } from '../tensor/tensor.ts'
import { checkLr } from './execution.ts'
import { type Evaluation, strongWolfe } from './line-search.ts'
import { type Closure, Optimizer, type Params } from './optimizer.ts'
import { readOptions } from './options.ts'
import { updateKernel } from './update-kernel.ts'

export interface LBFGSOptions {
  /** The learning rate; default 1. */
  lr?: number
  /** Most iterations of a step; default 20. */
  maxIter?: number
  /** Most evaluations of the closure in a step; default 5/4 of `maxIter`. */
  maxEval?: number | null
  /** Stops where no gradient is larger; default 1e-7. */
  toleranceGrad?: number
  /** Stops where the parameters and the loss change by less; default 1e-9. */
  toleranceChange?: number
  /** How many past steps are remembered; default 100. */
  historySize?: number
  /** `'strong_wolfe'` searches along each direction; null (the default) takes steps of length `lr`. */
  lineSearchFn?: 'strong_wolfe' | null
}

interface LBFGSState {
  func_evals: number
  n_iter: number
  /** Scratch numbers of the last iteration; PyTorch keeps them, nobody reads them. */
  al?: (Tensor | number | null)[]
  d?: Tensor
  t?: Tensor | number
  old_dirs?: Tensor[]
  old_stps?: Tensor[]
  ro?: (Tensor | number)[]
  H_diag?: Tensor | number
  prev_flat_grad?: Tensor
  prev_loss?: number
}

const defaults: Required<LBFGSOptions> = {
  lr: 1,
  maxIter: 20,
  maxEval: null,
  toleranceGrad: 1e-7,
  toleranceChange: 1e-9,
  historySize: 100,
  lineSearchFn: null,
}

const addScaled = updateKernel({
  name: 'lbfgs',
  reads: ['x'],
  writes: ['y'],
  scalars: ['a'],
  compute: ({ y, x }, { a }, axpy) => ({ y: axpy(y, a, x) }),
})

const numberOf = (value: unknown): number => (value instanceof Tensor ? Number(value.item()) : Number(value))
const largest = (x: Tensor): number => Number(x.abs().max().item())

/**
 * L-BFGS (Nocedal, "Updating Quasi-Newton Matrices with Limited Storage", 1980), after Schmidt's minFunc. A step calls
 * the closure several times: it must zero the gradients, compute the loss, call `backward` and return the loss.
 *
 *     optimizer.step(() => {
 *       optimizer.zeroGrad()
 *       const loss = criterion(model(x), y)
 *       loss.backward()
 *       return loss
 *     })
 *
 * @throws ValueError for more than one parameter group
 */
export class LBFGS extends Optimizer<LBFGSOptions, LBFGSState> {
  constructor(params: Params<LBFGSOptions>, options?: LBFGSOptions)
  constructor(params: Params<LBFGSOptions>, lr: number, options?: Omit<LBFGSOptions, 'lr'>)
  constructor(params: Params<LBFGSOptions>, ...args: unknown[]) {
    const options = readOptions('LBFGS', defaults, 'lr', args)
    checkLr(options.lr)
    super(params, { ...options, maxEval: options.maxEval ?? Math.floor((options.maxIter * 5) / 4) })
    if (this.paramGroups.length !== 1)
      throw new ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
  }

  private get params(): readonly Tensor[] {
    return this.paramGroups[0].params
  }

  private flatGradient(): Tensor {
    const parts = this.params.map(
      (p) => p.grad?.reshape(-1) ?? zeros([p.numel()], { dtype: p.dtype, device: p.device }),
    )
    // A copy also of a single part: the next backward may add to the gradient itself.
    return parts.length === 1 ? parts[0].detach().clone() : cat(parts)
  }

  // Moves all parameters along a direction.
  private move(distance: number, direction: Tensor): void {
    let offset = 0
    for (const p of this.params) {
      const n = p.numel()
      addScaled({ y: p, x: direction.narrow(0, offset, n).reshape(p.sizes) }, { a: distance })
      offset += n
    }
  }

  protected override run<R>(closure: Closure<R> | null): R {
    if (typeof closure !== 'function')
      throw new TypeError_("LBFGS.step() missing 1 required positional argument: 'closure'")
    const group = this.paramGroups[0]
    const { maxIter, toleranceGrad, toleranceChange, historySize, lineSearchFn } = group
    const lr = numberOf(group.lr)
    const maxEval = group.maxEval ?? Math.floor((maxIter * 5) / 4)
    if (lineSearchFn !== null && lineSearchFn !== 'strong_wolfe')
      throw new RuntimeError("only 'strong_wolfe' is supported")
    const { dtype } = this.params[0]
    // PyTorch keeps these numbers as tensors of the parameters' dtype: they are rounded to it.
    const round = dtype === float64 ? (x: number) => x : Math.fround
    const dot = (a: Tensor, b: Tensor): number => Number(a.mul(b).sum().item())
    const scalar = (x: number) => fullTensor([], x, dtype === float64 ? float64 : float32)
    const evaluate = () => {
      const result = enableGrad(closure)
      return { result, loss: numberOf(result) }
    }

    // As in PyTorch the state of all parameters is that of the first.
    const state = this.stateOf(this.params[0], () => ({ func_evals: 0, n_iter: 0 }))
    let { result, loss } = evaluate()
    const firstResult = result
    let evaluations = 1
    state.func_evals++
    let gradient = this.flatGradient()
    let isOptimal = largest(gradient) <= toleranceGrad
    if (isOptimal) return firstResult

    let direction = state.d
    let t = state.t === undefined ? 0 : numberOf(state.t)
    let changes = state.old_dirs ?? []
    let steps = state.old_stps ?? []
    let inverses = (state.ro ?? []).map(numberOf)
    let scale = numberOf(state.H_diag ?? 1)
    let lastGradient = state.prev_flat_grad
    let lastLoss = state.prev_loss ?? loss
    const factors: number[] = []

    for (let iteration = 1; iteration <= maxIter; iteration++) {
      state.n_iter++
      if (state.n_iter === 1 || direction === undefined || lastGradient === undefined) {
        direction = gradient.neg()
        changes = []
        steps = []
        inverses = []
        scale = 1
      } else {
        const change = gradient.sub(lastGradient)
        const step = direction.mul(t)
        const curvature = dot(change, step)
        if (curvature > 1e-10) {
          if (changes.length === historySize) {
            changes.shift()
            steps.shift()
            inverses.shift()
          }
          changes.push(change)
          steps.push(step)
          inverses.push(round(1 / curvature))
          scale = round(curvature / dot(change, change))
        }
        // The inverse Hessian times the gradient, without forming it (the two-loop recursion).
        const q = gradient.neg()
        for (let i = changes.length - 1; i >= 0; i--) {
          factors[i] = round(dot(steps[i], q) * inverses[i])
          addScaled({ y: q, x: changes[i] }, { a: -factors[i] })
        }
        direction = q.mul(scale)
        for (let i = 0; i < changes.length; i++) {
          const factor = round(dot(changes[i], direction) * inverses[i])
          addScaled({ y: direction, x: steps[i] }, { a: round(factors[i] - factor) })
        }
      }
      lastGradient = gradient
      lastLoss = loss

      t = state.n_iter === 1 ? round(Math.min(1, round(1 / Number(gradient.abs().sum().item()))) * lr) : lr
      const slope = dot(gradient, direction)
      if (slope > -toleranceChange) break

      let used = 0
      if (lineSearchFn === 'strong_wolfe') {
        const start = this.params.map((p) => p.clone())
        const along = direction
        const at = (distance: number): Evaluation => {
          this.move(distance, along)
          const { loss: value } = evaluate()
          const slopeGradient = this.flatGradient()
          this.params.forEach((p, i) => {
            p.copy_(start[i])
          })
          return { loss: value, gradient: slopeGradient, slope: dot(slopeGradient, along) }
        }
        const found = strongWolfe(at, {
          t,
          origin: { loss, gradient, slope },
          reach: largest(along),
          toleranceChange,
          maxEvaluations: maxEval - evaluations,
          round,
        })
        loss = found.loss
        gradient = found.gradient
        t = found.t
        used = found.evaluations
        this.move(t, along)
        isOptimal = largest(gradient) <= toleranceGrad
      } else {
        this.move(t, direction)
        if (iteration !== maxIter) {
          // After the last move nobody asks for the loss.
          loss = evaluate().loss
          gradient = this.flatGradient()
          isOptimal = largest(gradient) <= toleranceGrad
          used = 1
        }
      }
      evaluations += used
      state.func_evals += used

      if (iteration === maxIter || evaluations >= maxEval || isOptimal) break
      if (largest(direction.mul(t)) <= toleranceChange) break
      if (Math.abs(loss - lastLoss) < toleranceChange) break
    }

    if (factors.length > 0)
      state.al = Array.from({ length: historySize }, (_, i) =>
        factors[i] === undefined ? null : scalar(factors[i]),
      )
    state.d = direction
    state.t = t
    state.old_dirs = changes
    state.old_stps = steps
    state.ro = inverses.map(scalar)
    state.H_diag = changes.length === 0 ? scale : scalar(scale)
    state.prev_flat_grad = lastGradient
    state.prev_loss = lastLoss
    return firstResult
  }
}
