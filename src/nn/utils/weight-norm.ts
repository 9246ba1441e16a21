// The older weight normalisation of torch.nn.utils, by a pre-hook. The newer one is in parametrizations.ts.

import { RuntimeError, ValueError } from '../../core/errors.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { hooksOf, type Module } from '../module.ts'
import { Parameter } from '../parameter.ts'
import { removeSlot } from '../registry.ts'
import { isLazy } from '../uninitialized.ts'
import {
  computeBeforeCalls,
  findComputer,
  setTensor,
  type TensorComputer,
  tensorOf,
} from './module-tensors.ts'
import { named, normDim, normExceptDim, type WeightNormOptions, weightFrom } from './parametrizations.ts'

class WeightNorm implements TensorComputer {
  constructor(
    readonly tensorName: string,
    readonly dim: number | null,
  ) {}

  compute(module: Module): Tensor {
    const part = (end: string) => tensorOf(module, this.tensorName + end)
    return weightFrom(part('_v'), part('_g'), this.dim)
  }
}

/**
 * Trains length and direction of a weight apart: w = g v / ||v||, as the parameters `weight_g` and `weight_v`.
 * `parametrizations.weightNorm` is the newer form. Salimans and Kingma 2016.
 * @returns the module
 * @throws RuntimeError if the tensor is normalised already
 */
export function weightNorm<M extends Module>(
  module: M,
  name?: string | WeightNormOptions,
  options: WeightNormOptions = {},
): M {
  const given = named('weight_norm', ['name', 'dim'], name, options)
  const key = given.name ?? 'weight'
  if (findComputer(module, WeightNorm, key) !== null)
    throw new RuntimeError(`Cannot register two weight_norm hooks on the same parameter ${key}`)
  const computer = new WeightNorm(key, normDim(given.dim === undefined ? 0 : given.dim))
  const weight = tensorOf(module, key)
  if (isLazy(weight))
    throw new ValueError(
      "The module passed to `WeightNorm` can't have uninitialized parameters. Make sure to run the dummy forward before applying weight normalization",
    )
  const data = weight.detach()
  const g = new Parameter(normExceptDim(data, computer.dim))
  removeSlot(module, key)
  module.registerParameter(`${key}_g`, g)
  module.registerParameter(`${key}_v`, new Parameter(data))
  setTensor(module, key, computer.compute(module))
  computeBeforeCalls(module, computer)
  return module
}

/** Makes a weight an ordinary parameter again, with the value that it has; returns the module. Throws ValueError. */
export function removeWeightNorm<M extends Module>(module: M, name = 'weight'): M {
  const found = findComputer(module, WeightNorm, name)
  if (found === null) throw new ValueError(`weight_norm of '${name}' not found in ${module}`)
  const weight = found.computer.compute(module).detach()
  for (const end of ['', '_g', '_v']) removeSlot(module, name + end)
  module.registerParameter(name, new Parameter(weight))
  hooksOf(module).forwardPre.delete(found.id)
  return module
}
