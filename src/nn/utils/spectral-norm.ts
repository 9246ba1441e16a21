// The older spectral normalisation of torch.nn.utils, by a pre-hook. The newer one is in parametrizations.ts.

import { noGrad } from '../../autograd/mode.ts'
import { RuntimeError, ValueError } from '../../core/errors.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { normalize } from '../composed-functions.ts'
import { addHook, type StateDictPostHook } from '../hooks.ts'
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
import { asMatrix, type SpectralNormOptions, spectralSettings } from './parametrizations.ts'

class SpectralNorm implements TensorComputer {
  /** The number of the hook that notes the version in state dicts. */
  stateDictHook: number | null = null

  constructor(
    readonly tensorName: string,
    readonly nPowerIterations: number,
    readonly dim: number,
    readonly eps: number,
  ) {
    if (!(nPowerIterations > 0))
      throw new ValueError(
        `Expected n_power_iterations to be positive, but got n_power_iterations=${nPowerIterations}`,
      )
  }

  compute(module: Module): Tensor {
    return this.weightOf(module, module.training)
  }

  weightOf(module: Module, iterate: boolean): Tensor {
    const part = (end: string) => tensorOf(module, this.tensorName + end)
    const weight = part('_orig')
    const matrix = asMatrix(weight, this.dim)
    const { eps } = this
    let [u, v] = [part('_u'), part('_v')]
    if (iterate) {
      noGrad(() => {
        for (let i = 0; i < this.nPowerIterations; i++) {
          v.copy_(normalize(matrix.t().mv(u), { dim: 0, eps }))
          u.copy_(normalize(matrix.mv(v), { dim: 0, eps }))
        }
      })
      // Copies, as the next call changes the vectors that this one's gradient needs.
      u = u.clone()
      v = v.clone()
    }
    return weight.div(u.dot(matrix.mv(v)))
  }
}

/**
 * Divides a weight by its largest singular value, which power iteration follows while training: parameter `weight_orig`, buffers
 * `weight_u` and `weight_v`. `parametrizations.spectralNorm` is the newer form. Miyato et al. 2018.
 * @returns the module
 * @throws RuntimeError if the tensor is normalised already
 */
export function spectralNorm<M extends Module>(
  module: M,
  name?: string | SpectralNormOptions,
  options: SpectralNormOptions = {},
): M {
  const given = spectralSettings(module, name, options)
  const key = given.name
  if (findComputer(module, SpectralNorm, key) !== null)
    throw new RuntimeError(`Cannot register two spectral_norm hooks on the same parameter ${key}`)
  const computer = new SpectralNorm(key, given.nPowerIterations, given.dim, given.eps)
  const weight = (module as unknown as Record<string, unknown>)[key]
  if (!(weight instanceof Parameter))
    throw new ValueError(`\`SpectralNorm\` cannot be applied as parameter \`${key}\` is None`)
  if (isLazy(weight))
    throw new ValueError(
      "The module passed to `SpectralNorm` can't have uninitialized parameters. Make sure to run the dummy forward before applying spectral normalization",
    )
  const { sizes } = asMatrix(weight.detach(), given.dim)
  const draw = (n: number) =>
    noGrad(() => normalize(weight.detach().newEmpty([n]).normal_(0, 1), { dim: 0, eps: given.eps }))
  const [u, v] = sizes.map(draw)
  removeSlot(module, key)
  module.registerParameter(`${key}_orig`, weight)
  setTensor(module, key, weight.detach())
  module.registerBuffer(`${key}_u`, u)
  module.registerBuffer(`${key}_v`, v)
  computeBeforeCalls(module, computer)
  const note: StateDictPostHook = (_, __, ___, metadata) => {
    const versions = (metadata.get('spectral_norm') ?? new Map()) as Map<string, unknown>
    metadata.set('spectral_norm', versions.set(`${key}.version`, 1))
  }
  computer.stateDictHook = addHook(hooksOf(module).stateDictPost, note).id
  return module
}

/** Makes a weight an ordinary parameter again, with the value that it has; returns the module. Throws ValueError. */
export function removeSpectralNorm<M extends Module>(module: M, name = 'weight'): M {
  const found = findComputer(module, SpectralNorm, name)
  if (found === null) throw new ValueError(`spectral_norm of '${name}' not found in ${module}`)
  const weight = noGrad(() => found.computer.weightOf(module, false)).detach()
  for (const end of ['', '_u', '_v', '_orig']) removeSlot(module, name + end)
  module.registerParameter(name, new Parameter(weight))
  const hooks = hooksOf(module)
  hooks.forwardPre.delete(found.id)
  if (found.computer.stateDictHook !== null) hooks.stateDictPost.delete(found.computer.stateDictHook)
  return module
}
