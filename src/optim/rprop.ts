// Rprop: resilient backpropagation, steps whose sizes follow the signs of the gradient alone.

import { ValueError } from '../core/errors.ts'
import { pyRepr } from '../core/python.ts'
import * as k from '../kernels/expr.ts'
import { fullLike, zerosLike } from '../ops/creation.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type CapturableOptions, checkLr } from './execution.ts'
import { Optimizer, type ParamGroup, type Params } from './optimizer.ts'
import { readOptions } from './options.ts'
import { nextStep, scalarState } from './state.ts'
import { updateKernel, updateVariants } from './update-kernel.ts'

export interface RpropOptions extends CapturableOptions {
  /** The size of the first step; default 1e-2. */
  lr?: number
  /** The factors by which a step shrinks and grows; default (0.5, 1.2). */
  etas?: readonly [number, number]
  /** The smallest and the largest step; default (1e-6, 50). */
  stepSizes?: readonly [number, number]
}

interface RpropState {
  step: Tensor
  prev: Tensor
  step_size: Tensor
}

const defaults: Required<RpropOptions> = {
  lr: 1e-2,
  etas: [0.5, 1.2],
  stepSizes: [1e-6, 50],
  foreach: null,
  maximize: false,
  differentiable: false,
  capturable: false,
}

const rpropUpdate = updateVariants((flags: { maximize: boolean }) =>
  updateKernel({
    name: 'rprop',
    reads: ['grad'],
    writes: ['param', 'prev', 'stepSize'],
    scalars: ['shrink', 'grow', 'smallest', 'largest'],
    compute: ({ param, grad, prev, stepSize }, { shrink, grow, smallest, largest }) => {
      const g = flags.maximize ? k.neg(grad) : grad
      const agreement = k.mul(g, prev)
      const turned = k.lt(agreement, 0)
      const factor = k.select(k.gt(agreement, 0), grow, k.select(turned, shrink, 1))
      const size = k.min(k.max(k.mul(stepSize, factor), smallest), largest)
      const followed = k.select(turned, 0, g)
      const sign = k.select(
        k.gt(followed, 0),
        k.constant(1, g.type),
        k.select(k.lt(followed, 0), k.constant(-1, g.type), 0),
      )
      return { param: k.sub(param, k.mul(sign, size)), prev: followed, stepSize: size }
    },
  }),
)

/**
 * Rprop (Riedmiller and Braun, "A Direct Adaptive Method for Faster Backpropagation Learning: The RPROP Algorithm",
 * 1993). For each element, with g its gradient and g' the last one:
 *
 *     g g' > 0:  size = min(size * etas[1], stepSizes[1])
 *     g g' < 0:  size = max(size * etas[0], stepSizes[0]), and g = 0
 *     p = p - sign(g) * size
 */
export class Rprop extends Optimizer<RpropOptions, RpropState> {
  constructor(params: Params<RpropOptions>, options?: RpropOptions)
  constructor(params: Params<RpropOptions>, lr: number, options?: Omit<RpropOptions, 'lr'>)
  constructor(params: Params<RpropOptions>, ...args: unknown[]) {
    const options = readOptions('Rprop', defaults, 'lr', args)
    checkLr(options.lr)
    const [shrink, grow] = options.etas
    if (!(shrink > 0 && shrink < 1 && grow > 1))
      throw new ValueError(`Invalid eta values: ${pyRepr(shrink)}, ${pyRepr(grow)}`)
    super(params, options, {
      scalars: ['step'],
      upgrades: { foreach: null, maximize: false, differentiable: false, capturable: false },
    })
  }

  protected override updateGroup(group: ParamGroup<RpropOptions>): void {
    const [shrink, grow] = group.etas
    const [smallest, largest] = group.stepSizes
    const update = rpropUpdate({ maximize: group.maximize })
    for (const param of group.params) {
      const { grad } = param
      if (grad === null) continue
      const state = this.stateOf(param, () => ({
        step: scalarState(0),
        prev: zerosLike(param),
        step_size: fullLike(grad, group.lr),
      }))
      nextStep(state.step)
      update(
        { param, grad, prev: state.prev, stepSize: state.step_size },
        { shrink, grow, smallest, largest },
      )
    }
  }
}
