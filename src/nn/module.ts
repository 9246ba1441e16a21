// Module, the base of all layers and models: callable, walks its own fields for parameters, buffers and children.

import type { RemovableHandle } from '../autograd/node.ts'
import type { DeviceLike } from '../core/device.ts'
import { bfloat16, type DType, float16, float32, float64 } from '../core/dtype.ts'
import { AttributeError, NotImplementedError, TypeError_, ValueError } from '../core/errors.ts'
import { emptyLike } from '../ops/creation.ts'
import { Tensor } from '../tensor/tensor.ts'
import { createCallable } from './callable.ts'
import { applyToTensors, convertModule, type ModuleToOptions, toCpu } from './convert.ts'
import { deepcopy } from './deepcopy.ts'
import {
  addHook,
  type BackwardHook,
  type BackwardPreHook,
  type ForwardHook,
  type ForwardHookOptions,
  type ForwardHookWithKwargs,
  type ForwardPreHook,
  type ForwardPreHookOptions,
  type ForwardPreHookWithKwargs,
  type LoadStateDictPostHook,
  type LoadStateDictPreHook,
  ModuleHooks,
  type StateDictPostHook,
  type StateDictPreHook,
  type WithKwargs,
  type WithoutKwargs,
} from './hooks.ts'
import {
  type IncompatibleKeys,
  type LoadReport,
  type LoadStateDictOptions,
  loadOwnState,
  loadStateDictInto,
  type StateDictLike,
} from './load-state-dict.ts'
import { Buffer, Parameter } from './parameter.ts'
import {
  checkLeaf,
  checkName,
  isModule,
  type ModuleState,
  moduleState,
  nameOf,
  registerChild,
  setSlot,
  slotsOf,
  typeName,
} from './registry.ts'
import {
  collectStateDict,
  type LocalMetadata,
  type StateDict,
  type StateDictOptions,
  saveOwnState,
} from './state-dict.ts'
import { describeModule } from './text.ts'
import { listChildren, listMembers, listModules, listNamedMembers, type NamedOptions } from './traversal.ts'

/**
 * The base class of layers and models. A subclass assigns parameters, buffers and other modules to its fields and
 * defines `forward`; an instance is called like a function, which runs `forward` and the hooks around it:
 *
 *     class Line extends nn.Module {
 *       m = new nn.Parameter(torch.rand(1))
 *       forward(x: Tensor) { return this.m.mul(x) }
 *     }
 *     const line = new Line()
 *     line(torch.tensor([2.5]))
 *
 * Fields are looked at at the first call and at every traversal (`parameters()`, `stateDict()`, `to()`, ...), as nothing
 * can watch an assignment to them: what cannot take the place of a parameter, buffer or child is refused then, with
 * PyTorch's TypeError. New fields register in the order in which the object has them.
 *
 * A trailing plain object among the arguments of a call is what hooks see as keyword arguments.
 */
export class Module {
  /** The version of the state dict's layout, kept in its `_metadata`. */
  static readonly _version: number = 1

  /** Whether the module is in training mode, which dropout and batch normalisation look at. */
  declare training: boolean
  declare readonly [moduleState]: ModuleState

  constructor() {
    // biome-ignore lint/correctness/noConstructorReturn: an instance is a function, which `new` alone cannot make.
    return createCallable(new.target.prototype) as this
  }

  /** What the module computes. Call the module, not this method: hooks and lazy layers need the call. */
  forward(...args: never[]): unknown {
    void args
    throw new NotImplementedError(`Module [${nameOf(this)}] is missing the required "forward" function`)
  }

  // ---- registration ---------------------------------------------------------------------------------------------------

  /** Adds a parameter under a name, or an empty slot for one. Throws KeyError for names that are taken or have a dot. */
  registerParameter(name: string, parameter: Parameter | null): void {
    checkName(this, name, 'parameter', parameter)
    if (parameter !== null && !(parameter instanceof Parameter))
      throw new TypeError_(
        `cannot assign '${typeName(parameter)}' object to parameter '${name}' (torch.nn.Parameter or None required)`,
      )
    if (parameter !== null) checkLeaf(name, parameter)
    setSlot(this, name, { kind: 'parameter', persistent: true }, parameter)
  }

  /** Adds a buffer under a name; `persistent` ones are part of the state dict. */
  registerBuffer(
    name: string,
    tensor: Tensor | null,
    { persistent = true }: { persistent?: boolean } = {},
  ): void {
    checkName(this, name, 'buffer', tensor)
    if (tensor !== null && !(tensor instanceof Tensor))
      throw new TypeError_(
        `cannot assign '${typeName(tensor)}' object to buffer '${name}' (torch Tensor or None required)`,
      )
    if (tensor instanceof Buffer) tensor.persistent = persistent
    setSlot(this, name, { kind: 'buffer', persistent }, tensor)
  }

  /** Adds a child under a name, or an empty slot for one. */
  registerModule(name: string, module: Module | null): void {
    registerChild(this, name, module)
  }

  /** The same as `registerModule`. */
  addModule(name: string, module: Module | null): void {
    this.registerModule(name, module)
  }

  // ---- traversal ------------------------------------------------------------------------------------------------------

  /** The direct children with their names, each once. */
  namedChildren(): IterableIterator<[string, Module]> {
    return listChildren(this)[Symbol.iterator]()
  }

  children(): IterableIterator<Module> {
    return listChildren(this)
      .map(([, child]) => child)
      [Symbol.iterator]()
  }

  /** This module and all below it with their dotted names, parents first. */
  namedModules({
    prefix = '',
    removeDuplicate = true,
  }: Omit<NamedOptions, 'recurse'> = {}): IterableIterator<[string, Module]> {
    return listModules(this, prefix, removeDuplicate)[Symbol.iterator]()
  }

  modules({ removeDuplicate = true }: { removeDuplicate?: boolean } = {}): IterableIterator<Module> {
    return listModules(this, '', removeDuplicate)
      .map(([, module]) => module)
      [Symbol.iterator]()
  }

  /** The parameters with their dotted names, in the order of registration, children after their parent's own. */
  namedParameters(options: NamedOptions = {}): IterableIterator<[string, Parameter]> {
    return (listNamedMembers(this, 'parameter', options) as [string, Parameter][])[Symbol.iterator]()
  }

  /** All parameters, those of children included; what an optimizer is given. */
  parameters({ recurse = true }: { recurse?: boolean } = {}): IterableIterator<Parameter> {
    return (listMembers(this, 'parameter', recurse) as Parameter[])[Symbol.iterator]()
  }

  namedBuffers(options: NamedOptions = {}): IterableIterator<[string, Tensor]> {
    return listNamedMembers(this, 'buffer', options)[Symbol.iterator]()
  }

  buffers({ recurse = true }: { recurse?: boolean } = {}): IterableIterator<Tensor> {
    return listMembers(this, 'buffer', recurse)[Symbol.iterator]()
  }

  /** The module at a dotted path, this one for `''`. Throws AttributeError where there is none. */
  getSubmodule(target: string): Module {
    let module: Module = this
    if (target === '') return module
    for (const name of target.split('.')) {
      const value = fieldOf(module, name)
      if (!isModule(value)) throw new AttributeError(`\`${name}\` is not an nn.Module`)
      module = value
    }
    return module
  }

  /** Puts a module at a dotted path. Throws AttributeError if the path leads through something else. */
  setSubmodule(target: string, module: Module, { strict = false }: { strict?: boolean } = {}): void {
    if (target === '') throw new ValueError('Cannot set the submodule without a target name!')
    if (!isModule(module)) throw new ValueError(`\`module\` is not an nn.Module, found ${typeName(module)}`)
    const [path, name] = splitPath(target)
    const parent = this.getSubmodule(path)
    if (strict || name in parent) {
      const present = fieldOf(parent, name)
      if (!isModule(present)) throw new AttributeError(`\`${name}\` is not an nn.Module`)
      setSlot(parent, name, { kind: 'module', persistent: true }, module)
    } else parent.registerModule(name, module)
  }

  /** The parameter at a dotted path. Throws AttributeError where there is none. */
  getParameter(target: string): Parameter {
    const [path, name] = splitPath(target)
    const value = fieldOf(this.getSubmodule(path), name)
    if (!(value instanceof Parameter)) throw new AttributeError(`\`${name}\` is not an nn.Parameter`)
    return value
  }

  /** The buffer at a dotted path. Throws AttributeError where there is none. */
  getBuffer(target: string): Tensor {
    const [path, name] = splitPath(target)
    const module = this.getSubmodule(path)
    const value = fieldOf(module, name)
    if (slotsOf(module).get(name)?.kind !== 'buffer') throw new AttributeError(`\`${name}\` is not a buffer`)
    return value as Tensor
  }

  /** Calls `fn` with every module below this one, then with this one; returns the module. */
  apply(fn: (module: Module) => void): this {
    for (const child of this.children()) child.apply(fn)
    fn(this)
    return this
  }

  // ---- dtype, device, mode --------------------------------------------------------------------------------------------

  /**
   * Converts the floating parameters and buffers to a dtype, moves all to a device. In place; returns the module, and
   * every parameter stays the same object. Throws TypeError for dtypes that are not floating.
   */
  to(target: DType | DeviceLike | Tensor | ModuleToOptions): this {
    convertModule(this, target)
    return this
  }

  double(): this {
    return this.to(float64)
  }

  float(): this {
    return this.to(float32)
  }

  half(): this {
    return this.to(float16)
  }

  bfloat16(): this {
    return this.to(bfloat16)
  }

  /**
   * Moves all parameters and buffers to the CPU. From a device that cannot be read synchronously they have to be waited for,
   * so that `await model.cpu()` works everywhere.
   */
  cpu(): this | Promise<this> {
    return toCpu(this)
  }

  /** Converts all parameters and buffers to a dtype, integer ones too. */
  type(dtype: DType): this {
    return this._apply((tensor) => tensor.to(dtype))
  }

  /** Moves the module to a device without copying the contents, which are unspecified afterwards. */
  toEmpty({ device, recurse = true }: { device: DeviceLike; recurse?: boolean }): this {
    return this._apply((tensor) => emptyLike(tensor, { device }), { recurse })
  }

  /** Replaces the data of parameters and buffers by what `convert` makes of it; for subclasses that hold more tensors. */
  _apply(convert: (tensor: Tensor) => Tensor, { recurse = true }: { recurse?: boolean } = {}): this {
    applyToTensors(this, convert, recurse)
    return this
  }

  /** Sets training mode for this module and all below it; returns the module. */
  train(mode = true): this {
    if (typeof mode !== 'boolean') throw new ValueError('training mode is expected to be boolean')
    this.training = mode
    for (const child of this.children()) child.train(mode)
    return this
  }

  /** The same as `train(false)`. */
  eval(): this {
    return this.train(false)
  }

  /** Switches gradients on or off for all parameters; returns the module. */
  requiresGrad_(requiresGrad = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad_(requiresGrad)
    return this
  }

  /** Drops all gradients, or fills them with zeros where `setToNone` is false. */
  zeroGrad({ setToNone = true }: { setToNone?: boolean } = {}): void {
    for (const parameter of this.parameters()) {
      const { grad } = parameter
      if (grad === null) continue
      if (setToNone) parameter.grad = null
      else if (grad.gradFn === null) grad.requiresGrad_(false).zero_()
      else parameter.grad = grad.detach().zero_()
    }
  }

  /** A copy that shares no memory with this module; tied parameters stay tied. */
  clone(): this {
    return deepcopy(this)
  }

  // ---- state ----------------------------------------------------------------------------------------------------------

  /** The parameters and persistent buffers of this module and all below it by name: detached, but of the same memory. */
  stateDict(options: StateDictOptions = {}): StateDict {
    return collectStateDict(this, options)
  }

  /**
   * Copies the tensors of a state dict into this module's.
   *
   * @throws RuntimeError listing missing and unexpected names (unless `strict` is false) and tensors of other sizes;
   * those that fit have been copied by then.
   */
  loadStateDict(stateDict: StateDictLike, options: LoadStateDictOptions = {}): IncompatibleKeys {
    return loadStateDictInto(this, stateDict, options)
  }

  /** Adds this module's own state to a state dict; overridden where that is more than parameters and buffers. */
  _saveToStateDict(destination: StateDict, prefix: string, keepVars: boolean): void {
    saveOwnState(this, destination, prefix, keepVars)
  }

  /** Loads this module's own state; overridden where old checkpoints have another layout. */
  _loadFromStateDict(
    stateDict: Map<string, unknown>,
    prefix: string,
    localMetadata: LocalMetadata,
    strict: boolean,
    report: LoadReport,
  ): void {
    loadOwnState(this, stateDict, prefix, localMetadata, strict, report)
  }

  // ---- hooks ----------------------------------------------------------------------------------------------------------

  /** Runs `hook(module, args)` before `forward`; what it returns replaces the arguments. */
  registerForwardPreHook(
    hook: ForwardPreHookWithKwargs,
    options: WithKwargs<ForwardPreHookOptions>,
  ): RemovableHandle
  registerForwardPreHook(
    hook: ForwardPreHook,
    options?: WithoutKwargs<ForwardPreHookOptions>,
  ): RemovableHandle
  registerForwardPreHook(
    hook: ForwardPreHook | ForwardPreHookWithKwargs,
    { prepend = false, withKwargs = false }: ForwardPreHookOptions = {},
  ): RemovableHandle {
    return addHook(hooksOf(this).forwardPre, { hook, withKwargs }, prepend)
  }

  /** Runs `hook(module, args, output)` after `forward`; what it returns replaces the output. */
  registerForwardHook(hook: ForwardHookWithKwargs, options: WithKwargs<ForwardHookOptions>): RemovableHandle
  registerForwardHook(hook: ForwardHook, options?: WithoutKwargs<ForwardHookOptions>): RemovableHandle
  registerForwardHook(
    hook: ForwardHook | ForwardHookWithKwargs,
    { prepend = false, withKwargs = false, alwaysCall = false }: ForwardHookOptions = {},
  ): RemovableHandle {
    return addHook(hooksOf(this).forward, { hook, withKwargs, alwaysCall }, prepend)
  }

  /** Runs `hook(module, gradOutput)` before gradients flow through this module. */
  registerFullBackwardPreHook(
    hook: BackwardPreHook,
    { prepend = false }: { prepend?: boolean } = {},
  ): RemovableHandle {
    return addHook(hooksOf(this).backwardPre, hook, prepend)
  }

  /** Runs `hook(module, gradInput, gradOutput)` when the gradients of the module's inputs are known. */
  registerFullBackwardHook(
    hook: BackwardHook,
    { prepend = false }: { prepend?: boolean } = {},
  ): RemovableHandle {
    return addHook(hooksOf(this).backward, hook, prepend)
  }

  /** Runs `hook(module, prefix, keepVars)` before the module's state is collected. */
  registerStateDictPreHook(hook: StateDictPreHook): RemovableHandle {
    return addHook(hooksOf(this).stateDictPre, hook)
  }

  /** Runs `hook(module, stateDict, prefix, localMetadata)` after it was; the hook changes the state dict in place. */
  registerStateDictPostHook(hook: StateDictPostHook): RemovableHandle {
    return addHook(hooksOf(this).stateDictPost, hook)
  }

  /** Runs before the module's own state is loaded. */
  registerLoadStateDictPreHook(hook: LoadStateDictPreHook): RemovableHandle {
    return addHook(hooksOf(this).loadPre, hook)
  }

  /** Runs `hook(module, incompatibleKeys)` after the module and its children were loaded. */
  registerLoadStateDictPostHook(hook: LoadStateDictPostHook): RemovableHandle {
    return addHook(hooksOf(this).loadPost, hook)
  }

  // ---- text -----------------------------------------------------------------------------------------------------------

  /** What stands between the parentheses when the module is printed; for subclasses to override. */
  extraRepr(): string {
    return ''
  }

  /** PyTorch's text: `Linear(in_features=1, out_features=2, bias=True)`, children on lines of their own. */
  toString(): string {
    return describeModule(this)
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}

/** Modules are called with the arguments of their own `forward` and give what it gives. */
export interface Module {
  (...args: Parameters<this['forward']>): ReturnType<this['forward']>

  /** Anything else that belongs to the state dict, under the name `_extra_state`; with `setExtraState`. */
  getExtraState?(): unknown
  setExtraState?(state: unknown): void
}

/** A module that maps one tensor to one tensor, as the members of generic containers do. */
export interface Layer extends Module {
  (input: Tensor): Tensor
  forward(input: Tensor): Tensor
}

/** The hooks of a module, made now where it has none. */
export function hooksOf(module: Module): ModuleHooks {
  const state = module[moduleState]
  state.hooks ??= new ModuleHooks()
  return state.hooks
}

function splitPath(target: string): [string, string] {
  const dot = target.lastIndexOf('.')
  return dot < 0 ? ['', target] : [target.slice(0, dot), target.slice(dot + 1)]
}

function fieldOf(module: Module, name: string): unknown {
  if (!(name in module)) throw new AttributeError(`${nameOf(module)} has no attribute \`${name}\``)
  return (module as unknown as Record<string, unknown>)[name]
}
