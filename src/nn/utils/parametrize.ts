// The namespace torch.nn.utils.parametrize: a parameter as a function of others, computed whenever it is read.

import { noGrad } from '../../autograd/mode.ts'
import { ValueError } from '../../core/errors.ts'
import { sameSizes } from '../../core/shape.ts'
import { setData, Tensor } from '../../tensor/tensor.ts'
import { ModuleDict } from '../containers.ts'
import type { Module } from '../module.ts'
import { Parameter } from '../parameter.ts'
import { moduleState, removeSlot, slotsOf, typeName } from '../registry.ts'
import { type Parametrization, ParametrizationList } from './parametrization-list.ts'

export { type Parametrization, ParametrizationList } from './parametrization-list.ts'

type Fields = Record<string, unknown>
type ModuleClass = new (...args: never[]) => Module

// While `cached` runs: for each module the tensors computed so far.
let cache: WeakMap<Module, Map<string, Tensor>> | null = null

/**
 * Runs `body` with every parametrized tensor computed at most once, for recurrent networks and the like that read a weight
 * many times. `body` must be synchronous.
 */
export function cached<R>(body: () => R): R {
  if (cache !== null) return body()
  cache = new WeakMap()
  try {
    return body()
  } finally {
    cache = null
  }
}

function listOf(module: Module, name: string): ParametrizationList {
  return ((module as unknown as Fields).parametrizations as Fields)[name] as ParametrizationList
}

function read(module: Module, name: string): Tensor {
  const known = cache?.get(module)?.get(name)
  if (known !== undefined) return known
  const value = listOf(module, name)()
  if (cache !== null) {
    const tensors = cache.get(module) ?? new Map<string, Tensor>()
    cache.set(module, tensors.set(name, value))
  }
  return value
}

// Which class a class made here stands for.
const originals = new WeakMap<object, ModuleClass>()

/**
 * Gives a module a class of its own, with a property for each parametrized tensor, or its original class for none. Classes are
 * never changed, as copies of the module have the same one.
 */
function giveClass(module: Module, names: readonly string[]): void {
  const Original = typeBeforeParametrizations(module)
  if (names.length === 0) {
    Object.setPrototypeOf(module, Original.prototype)
    return
  }
  const Parametrized = class extends (Original as new () => Module) {}
  Object.defineProperty(Parametrized, 'name', { value: `Parametrized${Original.name}` })
  originals.set(Parametrized, Original)
  for (const name of names)
    Object.defineProperty(Parametrized.prototype, name, {
      configurable: true,
      get(this: Module) {
        return read(this, name)
      },
      set(this: Module, value: Tensor) {
        cache?.get(this)?.delete(name)
        listOf(this, name).rightInverse(value)
      },
    })
  Object.setPrototypeOf(module, Parametrized.prototype)
}

/** The class that a module had before any of its tensors were parametrized. */
export function typeBeforeParametrizations(module: Module): ModuleClass {
  return originals.get(module.constructor) ?? (module.constructor as ModuleClass)
}

/** Whether a module has parametrized tensors, or one of this name. */
export function isParametrized(module: Module, tensorName?: string): boolean {
  const { parametrizations } = module as unknown as Fields
  if (!(parametrizations instanceof ModuleDict)) return false
  return tensorName === undefined ? parametrizations.size > 0 : parametrizations.has(tensorName)
}

function register(module: Module, name: string, value: Tensor): void {
  if (value instanceof Parameter) module.registerParameter(name, value)
  else module.registerBuffer(name, value)
}

/** Options of `registerParametrization`. */
export interface RegisterParametrizationOptions {
  /** Skips the checks that dtype and shape stay as they are; default false. */
  unsafe?: boolean
}

/**
 * Makes a parameter or buffer a function of another tensor: `module[tensorName]` is from now on what `parametrization` makes of
 * `module.parametrizations.get(tensorName).original`, which is what an optimizer trains. Several on one tensor are applied in turn.
 * With a `rightInverse` the tensor may also be assigned to.
 *
 *     class Symmetric extends nn.Module {
 *       forward(x: Tensor) { return x.triu().add(x.triu(1).transpose(-1, -2)) }
 *     }
 *     parametrize.registerParametrization(new nn.Linear(3, 3), 'weight', new Symmetric())
 *
 * @returns the module
 * @throws ValueError if there is no such tensor, or if its dtype or shape would change without `unsafe`
 */
export function registerParametrization<M extends Module>(
  module: M,
  tensorName: string,
  parametrization: Parametrization,
  { unsafe = false }: RegisterParametrizationOptions = {},
): M {
  parametrization.train(module.training)
  const kind = slotsOf(module).get(tensorName)?.kind
  if (isParametrized(module, tensorName)) {
    if (!unsafe) checkAddition(module, tensorName, parametrization)
    const list = listOf(module, tensorName)
    list.append(parametrization)
    list.unsafe ||= unsafe
    return module
  }
  const original = (module as unknown as Fields)[tensorName]
  if ((kind !== 'parameter' && kind !== 'buffer') || !(original instanceof Tensor))
    throw new ValueError(
      `Module '${module}' does not have a parameter, a buffer, or a parametrized element with name '${tensorName}'`,
    )
  const list = new ParametrizationList([parametrization], original, { unsafe })
  removeSlot(module, tensorName)
  const dict = isParametrized(module)
    ? ((module as unknown as Fields).parametrizations as ModuleDict<Module>)
    : new ModuleDict<Module>()
  if (dict.size === 0) module.registerModule('parametrizations', dict)
  dict.set(tensorName, list)
  giveClass(module, dict.keys())
  return module
}

function checkAddition(module: Module, name: string, parametrization: Parametrization): void {
  const before = read(module, name)
  const check = (what: string, value: unknown) => {
    if (!(value instanceof Tensor))
      throw new ValueError(`A parametrization must return a tensor. Got ${typeName(value)}.`)
    if (value.dtype !== before.dtype)
      throw new ValueError(
        `Registering a parametrization may not change the dtype of the tensor, unless the \`unsafe\` flag is enabled.\nmodule.${name}.dtype: ${before.dtype}\n${what}.dtype: ${value.dtype}`,
      )
    if (!sameSizes(value.sizes, before.sizes))
      throw new ValueError(
        `Registering a parametrization may not change the shape of the tensor, unless the \`unsafe\` flag is enabled.\nmodule.${name}.shape: ${before.shape}\n${what}.shape: ${value.shape}`,
      )
    return value
  }
  const after = check(
    `parametrization(module.${name})`,
    (parametrization as unknown as (x: Tensor) => unknown)(before),
  )
  if (parametrization.rightInverse !== undefined)
    check('parametrization.rightInverse', parametrization.rightInverse(after))
}

/** Options of `removeParametrizations`. */
export interface RemoveParametrizationsOptions {
  /** Whether the tensor keeps the value that the parametrization gave it (default), or goes back to the original one. */
  leaveParametrized?: boolean
}

/**
 * Makes a parametrized tensor an ordinary parameter or buffer again; returns the module.
 * @throws ValueError if it is not parametrized, or if there is no one original tensor to go back to
 */
export function removeParametrizations<M extends Module>(
  module: M,
  tensorName: string,
  { leaveParametrized = true }: RemoveParametrizationsOptions = {},
): M {
  if (!isParametrized(module, tensorName))
    throw new ValueError(`Module ${module} does not have a parametrization on ${tensorName}`)
  const list = listOf(module, tensorName)
  let value: Tensor
  if (list.isTensor) {
    value = list.original
    if (leaveParametrized) setData(value, noGrad(() => read(module, tensorName)).detach())
  } else {
    if (!leaveParametrized)
      throw new ValueError(
        'Cannot leave unparametrized (`leaveParametrized: false`) a tensor that is parametrized in terms of a sequence of tensors.',
      )
    const result = read(module, tensorName)
    value = result.requiresGrad ? new Parameter(result.detach()) : result
  }
  const dict = (module as unknown as Fields).parametrizations as ModuleDict<Module>
  dict.delete(tensorName)
  if (dict.size === 0) removeSlot(module, 'parametrizations')
  giveClass(module, dict.keys())
  module[moduleState].scanned = false
  register(module, tensorName, value)
  return module
}

/**
 * Registers the parametrizations of one module's tensors (or of one tensor) on another module, with the same original tensors;
 * returns the other module.
 */
export function transferParametrizationsAndParams<M extends Module>(
  fromModule: Module,
  toModule: M,
  tensorName?: string,
): M {
  if (!isParametrized(fromModule)) return toModule
  const dict = (fromModule as unknown as Fields).parametrizations as ModuleDict<Module>
  for (const name of tensorName === undefined ? dict.keys() : [tensorName]) {
    const source = listOf(fromModule, name)
    if (!(name in toModule)) register(toModule, name, new Parameter(read(fromModule, name).detach()))
    for (const parametrization of source) registerParametrization(toModule, name, parametrization)
    const target = listOf(toModule, name)
    for (const key of source.originalNames())
      register(target, key, (source as unknown as Fields)[key] as Tensor)
  }
  return toModule
}
