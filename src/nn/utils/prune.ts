// The namespace torch.nn.utils.prune: parts of a parameter set to zero for good, by a mask applied before each call.

import { noGrad } from '../../autograd/mode.ts'
import { AssertionError, IndexError, TypeError_, ValueError } from '../../core/errors.ts'
import { sameSizes } from '../../core/shape.ts'
import { onesLike, zerosLike } from '../../ops/creation.ts'
import { indexVector } from '../../ops/index-vector.ts'
import { rand } from '../../ops/random.ts'
import { setData, Tensor } from '../../tensor/tensor.ts'
import { hooksOf, type Module } from '../module.ts'
import { Parameter } from '../parameter.ts'
import { removeSlot } from '../registry.ts'
import { parametersToVector } from './gradients.ts'
import {
  computeBeforeCalls,
  computersOf,
  findComputer,
  setTensor,
  type TensorComputer,
  tensorOf,
} from './module-tensors.ts'

/** What a method's mask is computed from: single elements, whole channels, or all of a tensor. */
export type PruningType = 'unstructured' | 'structured' | 'global'

/**
 * A way to prune. A method of your own says which elements stay (1) and which go (0):
 *
 *     class EveryOther extends prune.BasePruningMethod {
 *       pruningType = 'unstructured' as const
 *       computeMask(t: Tensor, defaultMask: Tensor) { ... }
 *     }
 *     new EveryOther().applyTo(layer, 'weight')
 */
export abstract class BasePruningMethod implements TensorComputer {
  abstract readonly pruningType: PruningType
  /** For structured methods: the dimension of the channels. */
  readonly dim?: number
  tensorName = ''

  /** The mask for a tensor of importances, given the mask so far. */
  abstract computeMask(t: Tensor, defaultMask: Tensor): Tensor

  compute(module: Module): Tensor {
    return this.applyMask(module)
  }

  /** The original parameter of a pruned module with the mask applied. */
  applyMask(module: Module): Tensor {
    const original = tensorOf(module, `${this.tensorName}_orig`)
    return tensorOf(module, `${this.tensorName}_mask`).to(original.dtype).mul(original)
  }

  /** A tensor with the method's mask applied; no module is changed. */
  prune(t: Tensor, options: { defaultMask?: Tensor | null; importanceScores?: Tensor | null } = {}): Tensor {
    const scores = options.importanceScores ?? t
    checkScores(scores, t, 'tensor t')
    return t.mul(this.computeMask(scores, options.defaultMask ?? onesLike(t)))
  }

  /**
   * Prunes a parameter: it becomes `name_orig`, the mask the buffer `name_mask`, and `name` their product, computed before each
   * call. On a parameter that is pruned already the method works on what is left.
   */
  applyTo(module: Module, name: string, importanceScores: Tensor | null = null): this {
    const found = findComputer(module, BasePruningMethod, name)
    const current = tensorOf(module, name)
    const scores = importanceScores ?? current
    checkScores(scores, current, `parameter ${name} of ${module}`)
    this.tensorName = name
    let method: BasePruningMethod = this
    if (found !== null) {
      const earlier = found.computer
      method = new PruningContainer(
        ...(earlier instanceof PruningContainer ? earlier.methods : [earlier]),
        this,
      )
      method.tensorName = name
    } else if (!(current instanceof Parameter))
      throw new TypeError_(`prune: '${name}' is no parameter of ${module}`)
    // What can fail comes before the module changes.
    const before = found === null ? onesLike(current.detach()) : tensorOf(module, `${name}_mask`).clone()
    const mask = noGrad(() => method.computeMask(scores.detach(), before))
    if (found === null) {
      removeSlot(module, name)
      module.registerParameter(`${name}_orig`, current as Parameter)
    } else hooksOf(module).forwardPre.delete(found.id)
    module.registerBuffer(`${name}_mask`, mask)
    setTensor(module, name, method.applyMask(module))
    computeBeforeCalls(module, method)
    return this
  }
}

function checkScores(scores: Tensor, t: Tensor, what: string): void {
  if (!sameSizes(scores.sizes, t.sizes))
    throw new AssertionError(
      `importance_scores should have the same shape as ${what}, got ${scores.shape} vs ${t.shape}`,
    )
}

/** Several methods in turn, each on what those before it left. */
export class PruningContainer extends BasePruningMethod {
  readonly pruningType = 'global'
  readonly methods: BasePruningMethod[] = []

  constructor(...methods: BasePruningMethod[]) {
    super()
    for (const method of methods) this.addPruningMethod(method)
  }

  /** Throws TypeError for anything else, ValueError for a method on another parameter. */
  addPruningMethod(method: BasePruningMethod): void {
    if (!(method instanceof BasePruningMethod))
      throw new TypeError_(`${String(method)} is not a BasePruningMethod subclass`)
    if (this.methods.length === 0) this.tensorName = method.tensorName
    else if (method.tensorName !== this.tensorName)
      throw new ValueError(
        `Can only add pruning methods acting on the parameter named '${this.tensorName}' to PruningContainer. Found '${method.tensorName}'`,
      )
    this.methods.push(method)
  }

  get length(): number {
    return this.methods.length
  }

  [Symbol.iterator](): Iterator<BasePruningMethod> {
    return this.methods[Symbol.iterator]()
  }

  /** The mask of the last method, on the part of the tensor that the mask so far has left. */
  computeMask(t: Tensor, mask: Tensor): Tensor {
    const method = this.methods[this.methods.length - 1]
    const result = mask.to(t.dtype).clone()
    if (method.pruningType === 'unstructured') {
      const left = mask.eq(1)
      const part = method.computeMask(t.maskedSelect(left), mask.maskedSelect(left))
      return result.maskedScatter_(left, part.to(result.dtype))
    }
    if (method.pruningType === 'global') return method.computeMask(t, mask).to(result.dtype)
    const dim = wrapChannel(t, method.dim ?? -1)
    const others = t.sizes.map((_, d) => d).filter((d) => d !== dim)
    const kept = (mask.sum(others).tolist() as number[]).flatMap((n, i) => (n === 0 ? [] : [i]))
    const index = indexVector(kept)
    const part = method.computeMask(t.indexSelect(dim, index), mask.indexSelect(dim, index))
    return result.indexCopy(dim, index, part.to(result.dtype))
  }
}

function wrapChannel(t: Tensor, dim: number): number {
  if (t.ndim <= 1)
    throw new ValueError(
      `Structured pruning can only be applied to multidimensional tensors. Found tensor of shape ${t.shape} with ${t.ndim} dims`,
    )
  if (dim >= t.ndim || dim < -t.ndim)
    throw new IndexError(`Invalid index ${dim} for tensor of size ${t.shape}`)
  return dim < 0 ? dim + t.ndim : dim
}

function checkAmount(amount: number): void {
  if (typeof amount !== 'number' || Number.isNaN(amount))
    throw new TypeError_(`Invalid type for amount: ${String(amount)}. Must be int or float.`)
  if (amount < 0 || (!Number.isInteger(amount) && amount > 1))
    throw new ValueError(
      `amount=${amount} should either be a float in the range [0, 1] or a non-negative integer`,
    )
}

/** How many of `n` go: a whole number is that many, any other a share of them, rounded as Python rounds. */
function countOf(amount: number, n: number): number {
  if (Number.isInteger(amount)) {
    if (amount > n)
      throw new ValueError(`amount=${amount} should be smaller than the number of parameters to prune=${n}`)
    return amount
  }
  const exact = amount * n
  const down = Math.floor(exact)
  if (exact - down !== 0.5) return Math.round(exact)
  return down % 2 === 0 ? down : down + 1
}

/** A method that takes how much goes: a whole number of elements or channels, or a share between 0 and 1. */
abstract class AmountMethod extends BasePruningMethod {
  constructor(readonly amount: number) {
    super()
    checkAmount(amount)
  }
}

/** Prunes nothing, but puts the mask in place. */
export class Identity extends BasePruningMethod {
  readonly pruningType = 'unstructured'

  computeMask(_: Tensor, defaultMask: Tensor): Tensor {
    return defaultMask
  }
}

// The mask without the elements at these positions.
function without(mask: Tensor, positions: Tensor): Tensor {
  const result = mask.clone()
  result.view(-1).indexFill_(0, positions, 0)
  return result
}

/** Prunes elements at random. */
export class RandomUnstructured extends AmountMethod {
  readonly pruningType = 'unstructured'

  computeMask(t: Tensor, defaultMask: Tensor): Tensor {
    const count = countOf(this.amount, t.numel())
    if (count === 0) return defaultMask.clone()
    const chances = rand(t.sizes, { dtype: t.dtype, device: t.device })
    return without(defaultMask, chances.view(-1).topk(count)[1])
  }
}

/** Prunes the elements with the smallest absolute values. */
export class L1Unstructured extends AmountMethod {
  readonly pruningType = 'unstructured'

  computeMask(t: Tensor, defaultMask: Tensor): Tensor {
    const count = countOf(this.amount, t.numel())
    if (count === 0) return defaultMask.clone()
    return without(defaultMask, t.abs().reshape(-1).topk(count, { largest: false })[1])
  }
}

// The mask with these channels only.
function onlyChannels(t: Tensor, mask: Tensor, dim: number, channels: Tensor): Tensor {
  return zerosLike(t).indexFill(dim, channels, 1).mul(mask.to(t.dtype))
}

/** A method that prunes whole channels of one dimension. */
abstract class ChannelMethod extends AmountMethod {
  readonly pruningType = 'structured'

  constructor(
    amount: number,
    override readonly dim: number,
  ) {
    super(amount)
  }

  computeMask(t: Tensor, defaultMask: Tensor): Tensor {
    const dim = wrapChannel(t, this.dim)
    const count = countOf(this.amount, t.sizes[dim])
    if (count === 0) return defaultMask
    return onlyChannels(t, defaultMask, dim, this.kept(t, dim, count))
  }

  /** The numbers of the channels that stay where `count` go. */
  protected abstract kept(t: Tensor, dim: number, count: number): Tensor
}

/** Prunes channels at random. */
export class RandomStructured extends ChannelMethod {
  constructor(amount: number, dim = -1) {
    super(amount, dim)
  }

  protected kept(t: Tensor, dim: number, count: number): Tensor {
    const chances = rand([t.sizes[dim]])
    return chances.gt(chances.kthvalue(count)[0]).nonzero().view(-1)
  }
}

/** Prunes the channels with the smallest n-norm. */
export class LnStructured extends ChannelMethod {
  constructor(
    amount: number,
    readonly n: number | 'fro' | 'nuc',
    dim = -1,
  ) {
    super(amount, dim)
  }

  protected kept(t: Tensor, dim: number, count: number): Tensor {
    const others = t.sizes.map((_, d) => d).filter((d) => d !== dim)
    return t.norm({ p: this.n, dim: others }).topk(t.sizes[dim] - count)[1]
  }
}

/** Prunes what a given mask says. */
export class CustomFromMask extends BasePruningMethod {
  readonly pruningType = 'global'

  constructor(readonly mask: Tensor) {
    super()
  }

  computeMask(_: Tensor, defaultMask: Tensor): Tensor {
    if (!sameSizes(defaultMask.sizes, this.mask.sizes))
      throw new AssertionError(
        `default_mask shape ${defaultMask.shape} must match self.mask shape ${this.mask.shape}`,
      )
    return defaultMask.mul(this.mask.to(defaultMask.dtype))
  }
}

/** Options of methods that go by importance. */
export interface ImportanceOptions {
  /** What decides in place of the parameter's own values; of the same shape. */
  importanceScores?: Tensor | null
}

/** Puts a mask of ones in place; returns the module. */
export function identity<M extends Module>(module: M, name: string): M {
  new Identity().applyTo(module, name)
  return module
}

/** Prunes elements at random: `amount` of them, or a share; returns the module. */
export function randomUnstructured<M extends Module>(module: M, name: string, amount: number): M {
  new RandomUnstructured(amount).applyTo(module, name)
  return module
}

/** Prunes the elements with the smallest absolute values; returns the module. */
export function l1Unstructured<M extends Module>(
  module: M,
  name: string,
  amount: number,
  { importanceScores = null }: ImportanceOptions = {},
): M {
  new L1Unstructured(amount).applyTo(module, name, importanceScores)
  return module
}

/** Prunes channels along `dim` at random; returns the module. */
export function randomStructured<M extends Module>(module: M, name: string, amount: number, dim: number): M {
  new RandomStructured(amount, dim).applyTo(module, name)
  return module
}

/** Prunes the channels along `dim` with the smallest n-norm; returns the module. */
export function lnStructured<M extends Module>(
  module: M,
  name: string,
  amount: number,
  n: number | 'fro' | 'nuc',
  dim: number,
  { importanceScores = null }: ImportanceOptions = {},
): M {
  new LnStructured(amount, n, dim).applyTo(module, name, importanceScores)
  return module
}

/** Prunes what is 0 in a mask; returns the module. */
export function customFromMask<M extends Module>(module: M, name: string, mask: Tensor): M {
  new CustomFromMask(mask).applyTo(module, name)
  return module
}

/**
 * Prunes several parameters as if they were one, so that some lose more than others:
 * `globalUnstructured([[net.fc1, 'weight'], [net.fc2, 'weight']], prune.L1Unstructured, { amount: 0.2 })`.
 * @param options.importanceScores for each pair, in the same order, what decides in place of the values, or null
 * @throws TypeError for a method that is not unstructured
 */
export function globalUnstructured(
  parameters: Iterable<readonly [module: Module, name: string]>,
  pruningMethod: new (amount: number) => BasePruningMethod,
  { amount, importanceScores = [] }: { amount: number; importanceScores?: readonly (Tensor | null)[] },
): void {
  const pairs = [...parameters]
  const method = new pruningMethod(amount)
  if (method.pruningType !== 'unstructured')
    throw new TypeError_(
      `Only "unstructured" PRUNING_TYPE supported for the \`pruning_method\`. Found method ${pruningMethod.name} of type ${method.pruningType}`,
    )
  const tensors = pairs.map(([module, name]) => tensorOf(module, name).detach())
  const scores = parametersToVector(tensors.map((t, i) => importanceScores[i] ?? t))
  const before = parametersToVector(
    pairs.map(([module, name], i) => {
      const mask = (module as unknown as Record<string, unknown>)[`${name}_mask`]
      return mask instanceof Tensor ? mask : onesLike(tensors[i])
    }),
  )
  const mask = noGrad(() => new PruningContainer(method).computeMask(scores, before))
  let start = 0
  pairs.forEach(([module, name], i) => {
    const n = tensors[i].numel()
    customFromMask(module, name, mask.narrow(0, start, n).view(tensors[i].sizes))
    start += n
  })
}

/** Makes pruning permanent: the parameter is ordinary again, with zeros where it was pruned; returns the module. Throws ValueError. */
export function remove<M extends Module>(module: M, name: string): M {
  const found = findComputer(module, BasePruningMethod, name)
  if (found === null)
    throw new ValueError(
      `Parameter '${name}' of module ${module} has to be pruned before pruning can be removed`,
    )
  const original = tensorOf(module, `${name}_orig`) as Parameter
  setData(original, noGrad(() => found.computer.applyMask(module)).detach())
  for (const end of ['', '_orig', '_mask']) removeSlot(module, name + end)
  module.registerParameter(name, original)
  hooksOf(module).forwardPre.delete(found.id)
  return module
}

/** Whether a module, or one in it, is pruned. */
export function isPruned(module: Module): boolean {
  for (const part of module.modules())
    for (const [, computer] of computersOf(part)) if (computer instanceof BasePruningMethod) return true
  return false
}
