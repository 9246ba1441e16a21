// The namespace torch.nn.utils.parametrizations: weight and spectral normalisation, orthogonal matrices.

import { noGrad } from '../../autograd/mode.ts'
import { finfo } from '../../core/dtype.ts'
import { IndexError, NotImplementedError, ValueError } from '../../core/errors.ts'
import { sameSizes } from '../../core/shape.ts'
import { geqrf, householderProduct } from '../../linalg/orthogonal.ts'
import { matrixExp } from '../../linalg/products.ts'
import { solve } from '../../linalg/systems.ts'
import { eye } from '../../ops/creation.ts'
import { cat } from '../../ops/joining.ts'
import { checkOptions } from '../../ops/op.ts'
import { randn } from '../../ops/random.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { normalize } from '../composed-functions.ts'
import { ConvTranspose1d, ConvTranspose2d, ConvTranspose3d } from '../conv-transpose.ts'
import { addHook, type LoadStateDictPreHook } from '../hooks.ts'
import { hooksOf, Module } from '../module.ts'
import { registerParametrization } from './parametrize.ts'

/** The norm of all slices along `dim`, that dimension kept; of everything for null. */
export function normExceptDim(v: Tensor, dim: number | null): Tensor {
  if (dim === null) return v.norm()
  const kept = dim < 0 ? dim + v.ndim : dim
  const dims = v.sizes.map((_, d) => d).filter((d) => d !== kept)
  return dims.length === 0 ? v.abs() : v.norm({ p: 2, dim: dims, keepdim: true })
}

/** The direction of `v` with the lengths `g`. */
export function weightFrom(v: Tensor, g: Tensor, dim: number | null): Tensor {
  return v.mul(g.div(normExceptDim(v, dim)))
}

/** The dimension that a normalisation is about; -1 stands for none, as in PyTorch. */
export function normDim(dim: number | null): number | null {
  return dim === -1 ? null : dim
}

/** Which dimension of a module's weight counts its outputs. */
export function outputDim(module: Module): number {
  return module instanceof ConvTranspose1d ||
    module instanceof ConvTranspose2d ||
    module instanceof ConvTranspose3d
    ? 1
    : 0
}

/** A weight as a matrix with one row for each index of `dim`. */
export function asMatrix(weight: Tensor, dim: number): Tensor {
  return (dim === 0 ? weight : weight.movedim(dim, 0)).flatten(1)
}

class _WeightNorm extends Module {
  constructor(readonly dim: number | null) {
    super()
  }

  override forward(g: Tensor, v: Tensor): Tensor {
    return weightFrom(v, g, this.dim)
  }

  rightInverse(weight: Tensor): [Tensor, Tensor] {
    return [normExceptDim(weight, this.dim), weight]
  }
}

/** Options of `weightNorm`. */
export interface WeightNormOptions {
  /** The name of the tensor; default `'weight'`. */
  name?: string
  /** The dimension whose slices have a length of their own; default 0. With null the tensor has one length. */
  dim?: number | null
}

/**
 * Trains length and direction of a weight apart: w = g v / ||v||, as `original0` (g) and `original1` (v). State dicts of the older
 * `nn.utils.weightNorm` can be loaded. Salimans and Kingma 2016.
 * @returns the module
 */
export function weightNorm<M extends Module>(
  module: M,
  name?: string | WeightNormOptions,
  options: WeightNormOptions = {},
): M {
  const given = named('weight_norm', ['name', 'dim'], name, options)
  const { dim = 0 } = given
  const key = given.name ?? 'weight'
  registerParametrization(module, key, new _WeightNorm(normDim(dim)), { unsafe: true })
  const rename: LoadStateDictPreHook = (_, stateDict, prefix) => {
    const [g, v] = [`${prefix}${key}_g`, `${prefix}${key}_v`]
    if (!stateDict.has(g) || !stateDict.has(v)) return
    stateDict.set(`${prefix}parametrizations.${key}.original0`, stateDict.get(g))
    stateDict.set(`${prefix}parametrizations.${key}.original1`, stateDict.get(v))
    stateDict.delete(g)
    stateDict.delete(v)
  }
  addHook(hooksOf(module).loadPre, rename)
  return module
}

/** Options whose `name` may also be given by position. */
export function named<O extends { name?: string }>(
  fn: string,
  known: readonly string[],
  name: string | O | undefined,
  options: O,
): O {
  const given = typeof name === 'object' ? name : { ...options, ...(name === undefined ? {} : { name }) }
  checkOptions(fn, given as Record<string, unknown>, known)
  return given as O
}

class _SpectralNorm extends Module {
  declare _u: Tensor
  declare _v: Tensor
  readonly dim: number

  constructor(
    weight: Tensor,
    readonly nPowerIterations: number,
    dim: number,
    readonly eps: number,
  ) {
    super()
    const { ndim } = weight
    if (dim >= ndim || dim < -ndim)
      throw new IndexError(
        `Dimension out of range (expected to be in range of [-${ndim}, ${ndim - 1}] but got ${dim})`,
      )
    if (!(nPowerIterations > 0))
      throw new ValueError(
        `Expected n_power_iterations to be positive, but got n_power_iterations=${nPowerIterations}`,
      )
    this.dim = dim < 0 ? dim + ndim : dim
    if (ndim === 1) return
    const matrix = asMatrix(weight.detach(), this.dim)
    const [u, v] = matrix.sizes.map((n) => matrix.newEmpty([n]).normal_(0, 1))
    this.registerBuffer('_u', normalize(u, { dim: 0, eps }))
    this.registerBuffer('_v', normalize(v, { dim: 0, eps }))
    this.iterate(matrix, 15)
  }

  private iterate(matrix: Tensor, times: number): void {
    const { eps } = this
    noGrad(() => {
      for (let i = 0; i < times; i++) {
        this._u.copy_(normalize(matrix.mv(this._v), { dim: 0, eps }))
        this._v.copy_(normalize(matrix.t().mv(this._u), { dim: 0, eps }))
      }
    })
  }

  override forward(weight: Tensor): Tensor {
    if (weight.ndim === 1) return normalize(weight, { dim: 0, eps: this.eps })
    const matrix = asMatrix(weight, this.dim)
    if (this.training) this.iterate(matrix, this.nPowerIterations)
    // Copies, as the next call changes the vectors that this one's gradient needs.
    const [u, v] = [this._u.clone(), this._v.clone()]
    return weight.div(u.dot(matrix.mv(v)))
  }

  rightInverse(value: Tensor): Tensor {
    return value
  }
}

/** Options of `spectralNorm`. */
export interface SpectralNormOptions {
  /** The name of the tensor; default `'weight'`. */
  name?: string
  /** How many steps of power iteration a call in training mode makes; default 1. */
  nPowerIterations?: number
  /** The smallest norm that is divided by; default 1e-12. */
  eps?: number
  /** The dimension of the outputs; default 1 for transposed convolutions, else 0. */
  dim?: number | null
}

const spectralOptions = ['name', 'nPowerIterations', 'eps', 'dim']

/** The options of `spectralNorm`, those not given filled in. */
export function spectralSettings(
  module: Module,
  name: string | SpectralNormOptions | undefined,
  options: SpectralNormOptions,
): { name: string; nPowerIterations: number; eps: number; dim: number } {
  const given = named('spectral_norm', spectralOptions, name, options)
  return {
    name: given.name ?? 'weight',
    nPowerIterations: given.nPowerIterations ?? 1,
    eps: given.eps ?? 1e-12,
    dim: given.dim ?? outputDim(module),
  }
}

function weightOf(module: Module, name: string): Tensor {
  const weight = (module as unknown as Record<string, unknown>)[name]
  if (!(weight instanceof Tensor))
    throw new ValueError(`Module '${module}' has no parameter or buffer with name '${name}'`)
  return weight
}

/**
 * Divides a weight by its largest singular value, which power iteration follows while training. Miyato et al. 2018.
 * @returns the module
 */
export function spectralNorm<M extends Module>(
  module: M,
  name?: string | SpectralNormOptions,
  options: SpectralNormOptions = {},
): M {
  const given = spectralSettings(module, name, options)
  const weight = weightOf(module, given.name)
  return registerParametrization(
    module,
    given.name,
    new _SpectralNorm(weight, given.nPowerIterations, given.dim, given.eps),
  )
}

/** How `orthogonal` makes an orthogonal matrix of any matrix. */
export type OrthogonalMap = 'matrix_exp' | 'cayley' | 'householder'

// The orthogonal factor of a matrix, with the signs that keep an orthogonal matrix as it is.
function makeOrthogonal(a: Tensor): Tensor {
  const { a: factors, tau } = geqrf(a)
  return householderProduct(factors, tau).mul(factors.diagonal(0, -2, -1).sgn().unsqueeze(-2))
}

function isOrthogonal(q: Tensor): boolean {
  const [n, k] = q.sizes.slice(-2)
  const identity = eye(k, { dtype: q.dtype, device: q.device }).expand([...q.sizes.slice(0, -2), k, k])
  return q.mT.matmul(q).allclose(identity, { atol: 10 * n * finfo(q.dtype).eps })
}

class _Orthogonal extends Module {
  declare base: Tensor
  readonly shape: readonly number[]

  constructor(
    weight: Tensor,
    readonly orthogonalMap: OrthogonalMap,
    readonly useTrivialization: boolean,
  ) {
    super()
    this.shape = weight.sizes
    if (useTrivialization) this.registerBuffer('base', null)
  }

  override forward(given: Tensor): Tensor {
    const transposed = given.sizes[given.ndim - 2] < given.sizes[given.ndim - 1]
    let x = transposed ? given.mT : given
    const [n, k] = x.sizes.slice(-2)
    let q: Tensor
    if (this.orthogonalMap === 'householder') {
      const a = x.tril(-1)
      const tau = a.mul(a).sum(-2).add(1).reciprocal().mul(2)
      q = householderProduct(a, tau).mul(x.diagonal(0, -2, -1).int().unsqueeze(-2))
    } else {
      x = x.tril()
      if (n !== k) x = cat([x, x.newZeros([...x.sizes.slice(0, -1), n - k])], -1)
      const skew = x.sub(x.mT)
      if (this.orthogonalMap === 'matrix_exp') q = matrixExp(skew)
      else {
        const identity = eye(n, { dtype: x.dtype, device: x.device })
        q = solve(identity.sub(skew.mul(0.5)), identity.add(skew.mul(0.5)))
      }
      if (n !== k) q = q.narrow(-1, 0, k)
    }
    if (this.useTrivialization) q = this.base.matmul(q)
    return transposed ? q.mT : q
  }

  rightInverse(value: Tensor): Tensor {
    if (!sameSizes(value.sizes, this.shape))
      throw new ValueError(
        `Expected a matrix or batch of matrices of shape [${this.shape.join(', ')}]. Got a tensor of shape [${value.sizes.join(', ')}].`,
      )
    return noGrad(() => {
      const transposed = value.sizes[value.ndim - 2] < value.sizes[value.ndim - 1]
      let q = transposed ? value.mT : value
      const [n, k] = q.sizes.slice(-2)
      if (!this.useTrivialization) {
        if (this.orthogonalMap !== 'householder')
          throw new NotImplementedError(
            'It is not possible to assign to the matrix exponential or the Cayley parametrizations when use_trivialization=False.',
          )
        const { a, tau } = geqrf(q)
        const diagonal = a.diagonal(0, -2, -1)
        diagonal.copy_(diagonal.sign().mul(tau.eq(0).mul(-2).add(1)))
        return transposed ? a.mT : a
      }
      if (n === k) q = isOrthogonal(q) ? q.clone() : makeOrthogonal(q)
      else {
        const rest = randn([...q.sizes.slice(0, -2), n, n - k], { dtype: q.dtype, device: q.device })
        q = makeOrthogonal(cat([q, rest], -1))
      }
      this.base = q
      return eye(...(value.sizes.slice(-2) as [number, number]), { dtype: value.dtype, device: value.device })
        .neg()
        .expand(value.sizes)
        .clone()
    })
  }
}

/** Options of `orthogonal`. */
export interface OrthogonalOptions {
  /** The name of the tensor; default `'weight'`. */
  name?: string
  /** Default: `'matrix_exp'` for square matrices, else `'householder'`. */
  orthogonalMap?: OrthogonalMap | null
  /** Whether the tensor may be assigned to, at the cost of a second matrix; default true. */
  useTrivialization?: boolean
}

/**
 * Keeps a weight `[..., m, n]` orthogonal: its columns (its rows if m < n) are orthonormal, whatever is trained. Lezcano-Casado 2019.
 * @returns the module
 * @throws ValueError for tensors that are no matrices
 */
export function orthogonal<M extends Module>(
  module: M,
  name?: string | OrthogonalOptions,
  options: OrthogonalOptions = {},
): M {
  const given = named('orthogonal', ['name', 'orthogonalMap', 'useTrivialization'], name, options)
  const key = given.name ?? 'weight'
  const weight = weightOf(module, key)
  if (weight.ndim < 2)
    throw new ValueError(`Expected a matrix or batch of matrices. Got a tensor of ${weight.ndim} dimensions.`)
  const [m, n] = weight.sizes.slice(-2)
  const map = given.orthogonalMap ?? (m === n ? 'matrix_exp' : 'householder')
  if (map !== 'matrix_exp' && map !== 'cayley' && map !== 'householder')
    throw new ValueError(
      `orthogonal_map has to be one of "matrix_exp", "cayley", "householder". Got: ${String(map)}`,
    )
  return registerParametrization(module, key, new _Orthogonal(weight, map, given.useTrivialization ?? true), {
    unsafe: true,
  })
}
