// Whole modules in pickles: the names that `weightsOnly: false` adds to those of weights, and how a module of torch.nn is
// put together from its pickled state. Still no code of the file runs: the classes are this library's own.

import { pyFloat } from '../core/python.ts'
import * as nn from '../nn/index.ts'
import type { Module } from '../nn/module.ts'
import { slotsOf } from '../nn/registry.ts'
import { Tensor } from '../tensor/tensor.ts'
import { type ModuleMaker, moduleFunctions, moduleMakers, type PickledModule } from './module-classes.ts'
import {
  BuildableObject,
  Namespace,
  PickleGlobal,
  pythonTypeName,
  type UnpicklingContext,
} from './python-objects.ts'

/** A module between NEWOBJ and BUILD, which brings its state. */
class PickledModuleObject extends BuildableObject {
  constructor(
    readonly className: string,
    readonly make: ModuleMaker,
  ) {
    super()
  }

  override build(state: unknown, context: UnpicklingContext): object {
    try {
      return buildModule(this.make, state, context)
    } catch (error) {
      // Whatever a constructor finds wrong is the file's fault.
      throw new Error(`cannot rebuild ${this.className}: ${(error as Error).message}`, { cause: error })
    }
  }
}

/** An object that means nothing here, such as the handle of a hook. */
class Ignored extends BuildableObject {
  override build(): this {
    return this
  }
}

/** A namespace between NEWOBJ and BUILD. */
class PickledNamespace extends BuildableObject {
  override build(state: unknown): Namespace {
    if (!(state instanceof Map) || ![...state.keys()].every((key) => typeof key === 'string'))
      throw new Error('the state of a namespace must be a dict of names')
    return new Namespace(state)
  }
}

function buildModule(make: ModuleMaker, state: unknown, context: UnpicklingContext): Module {
  if (!(state instanceof Map)) throw new Error(`its state must be a dict, but is ${pythonTypeName(state)}`)
  const part = (name: string): ReadonlyMap<unknown, unknown> => {
    const value = state.get(name) ?? new Map()
    if (!(value instanceof Map)) throw new Error(`${name} must be a dict, but is ${pythonTypeName(value)}`)
    return value
  }
  const pickled: PickledModule = {
    attributes: state,
    parameters: part('_parameters'),
    buffers: part('_buffers'),
    modules: part('_modules'),
  }
  context.spend(10)
  refuseHooks(state)
  const module = make(pickled)
  register(module, pickled, state.get('_non_persistent_buffers_set'))
  printInts(module, state, context)
  if (typeof state.get('training') === 'boolean') module.training = state.get('training') as boolean
  return module
}

/**
 * Layers print numbers that are floats in Python as such (`beta=1.0`). Where the file has an int, PyTorch prints an
 * int: whoever made the module gave one, or an older release had it as a default.
 */
function printInts(module: Module, state: ReadonlyMap<unknown, unknown>, context: UnpicklingContext): void {
  const text = module.extraRepr()
  const isPrinted = (name: unknown, value: unknown): name is string =>
    typeof name === 'string' &&
    Number.isInteger(value) &&
    text.includes(`${name}=${pyFloat(value as number)}`)
  const names = [...state].flatMap(([name, value]) =>
    isPrinted(name, value) && !context.isWholeFloat(state, name) ? [name] : [],
  )
  if (names.length === 0) return
  const { extraRepr } = Object.getPrototypeOf(module) as Module
  module.extraRepr = function (this: Module) {
    return extraRepr
      .call(this)
      .replace(/(\w+)=(-?\d+)\.0(?!\d|e)/g, (whole, name: string, digits: string) =>
        names.includes(name) ? `${name}=${digits}` : whole,
      )
  }
}

const hookNames = ['_forward_hooks', '_forward_pre_hooks', '_backward_hooks', '_backward_pre_hooks']

/** Hooks are functions of the program that saved the module; only those of lazy modules are known here. */
function refuseHooks(state: ReadonlyMap<unknown, unknown>): void {
  for (const name of hookNames) {
    const hooks = state.get(name)
    if (hooks instanceof Map && [...hooks.values()].some((hook) => !(hook instanceof Ignored)))
      throw new Error(`it has hooks (${name}), which cannot be loaded: remove them before saving`)
  }
}

function register(module: Module, pickled: PickledModule, transient: unknown): void {
  // What the constructor has put into fields is known to the module from here on.
  slotsOf(module)
  for (const [name, value] of pickled.parameters) {
    if (value !== null && !(value instanceof nn.Parameter))
      throw new Error(`the parameter '${String(name)}' is ${pythonTypeName(value)}`)
    module.registerParameter(name as string, value)
  }
  for (const [name, value] of pickled.buffers) {
    if (value !== null && !(value instanceof Tensor))
      throw new Error(`the buffer '${String(name)}' is ${pythonTypeName(value)}`)
    const persistent = !(transient instanceof Set && transient.has(name))
    module.registerBuffer(name as string, value, { persistent })
  }
  for (const [name, value] of pickled.modules) {
    if (value !== null && !(value instanceof nn.Module))
      throw new Error(`the module '${String(name)}' is ${pythonTypeName(value)}`)
    module.registerModule(name as string, value)
  }
  // What the constructor made without memory and the file does not have.
  for (const [name, parameter] of module.namedParameters({ recurse: false }))
    if (!pickled.parameters.has(name)) refuseUnfilled(name, parameter)
  for (const [name, buffer] of module.namedBuffers({ recurse: false }))
    if (!pickled.buffers.has(name)) refuseUnfilled(name, buffer)
}

function refuseUnfilled(name: string, tensor: Tensor): void {
  if (tensor.device.type === 'meta') throw new Error(`'${name}' is missing`)
}

const lazyMethods: readonly unknown[] = ['_infer_parameters', '_lazy_load_hook']

/** The names of the methods that a lazy module's own hooks are; no other attribute of anything can be reached. */
function getAttribute(args: readonly unknown[]): Ignored {
  const [target, name] = args
  if (args.length !== 2 || !(target instanceof PickledModuleObject) || !lazyMethods.includes(name))
    throw new Error('getattr() is possible for the hooks of lazy modules only')
  return new Ignored()
}

function uninitializedParameter(args: readonly unknown[]): object {
  const [requiresGrad] = args
  if (args.length > 3 || typeof requiresGrad !== 'boolean')
    throw new Error('UninitializedParameter() needs requires_grad')
  return new nn.UninitializedParameter({ requiresGrad })
}

function noArguments(args: readonly unknown[]): void {
  if (args.length > 0) throw new Error('expected no arguments')
}

function plainClass(fullName: string, make: () => object): [string, PickleGlobal] {
  const call = (args: readonly unknown[]) => {
    noArguments(args)
    return make()
  }
  return [fullName, new PickleGlobal(fullName, call, true)]
}

function refuseCall(): never {
  throw new Error('this function cannot be called')
}

const moduleGlobals: ReadonlyMap<string, PickleGlobal> = new Map<string, PickleGlobal>([
  ...[...moduleMakers].map(([name, make]) =>
    plainClass(name, () => new PickledModuleObject(name.slice(name.lastIndexOf('.') + 1), make)),
  ),
  ...[...moduleFunctions.keys()].map((name): [string, PickleGlobal] => [
    name,
    new PickleGlobal(name, refuseCall, false),
  ]),
  plainClass('torch.nn.modules.module._WrappedHook', () => new Ignored()),
  plainClass('torch.utils.hooks.RemovableHandle', () => new Ignored()),
  plainClass('argparse.Namespace', () => new PickledNamespace()),
  plainClass('types.SimpleNamespace', () => new PickledNamespace()),
  ['builtins.getattr', new PickleGlobal('builtins.getattr', getAttribute, false)],
  [
    'torch.nn.parameter.UninitializedParameter',
    new PickleGlobal('torch.nn.parameter.UninitializedParameter', uninitializedParameter, true),
  ],
])

/** The names that a pickle may use with `weightsOnly: false`, besides those in pickle-globals.ts. */
export function findModuleGlobal(fullName: string): PickleGlobal | undefined {
  return moduleGlobals.get(fullName)
}
