// The form of an operation: how it runs, what it saves, its derivative, and how it becomes a function and a method.

import { gradMode } from '../autograd/mode.ts'
import { type Edge, Node, type OutputInfo } from '../autograd/node.ts'
import { alias, checkVersion, SavedTensor } from '../autograd/saved.ts'
import { forbiddenChange, setGradFn } from '../autograd/view-edge.ts'
import { RuntimeError, TypeError_ } from '../core/errors.ts'
import { pyRepr } from '../core/python.ts'
import { Tensor } from '../tensor/tensor.ts'

/** What a derivative may use. */
export interface BackwardContext<A> {
  readonly attributes: A
  /** An input listed in `saves`. Throws if it was changed in place since. */
  input(index: number): Tensor
  /** An output listed in `savesOutputs`. */
  output(index?: number): Tensor
  /** Whether the gradient of an input is wanted; null may be returned for others. */
  needs(index: number): boolean
  readonly inputSizes: readonly (readonly number[])[]
  readonly inputDTypes: readonly Tensor['dtype'][]
}

/** A differentiable operation, recorded as one node. Anything else is a composition: a plain function of tensors. */
export interface Op<A> {
  /** The node's name in PyTorch: `'MulBackward0'`. */
  readonly node: string | ((attributes: A) => string)
  /** Computes the results. Nothing is recorded while it runs. */
  forward(inputs: readonly Tensor[], attributes: A): Tensor | readonly Tensor[]
  /** Whether `forward` reads inputs that are conjugated lazily; otherwise it gets conjugated copies. */
  readonly readsConjugated?: boolean
  /** Inputs that the derivative uses. */
  readonly saves?: readonly number[]
  /** Outputs that the derivative uses. */
  readonly savesOutputs?: readonly number[]
  /** Results that no gradient flows through, such as indices. */
  readonly nonDifferentiable?: readonly number[]
  /**
   * The gradients of the inputs, written with differentiable operations, or null where there is none.
   * A gradient may be larger than its input where that was broadcast: it is summed down.
   */
  backward(grads: readonly (Tensor | null)[], context: BackwardContext<A>): readonly (Tensor | null)[]
}

class OpNode<A> extends Node implements BackwardContext<A> {
  private saved: (SavedTensor | null)[] | null
  private savedOutputs: (SavedTensor | null)[] | null
  private given: A | null
  /** The tensors among the attributes, such as indices, with the versions at which they were given. */
  private held: readonly Held[] | null
  readonly inputSizes: readonly (readonly number[])[]
  readonly inputDTypes: readonly Tensor['dtype'][]

  constructor(
    private readonly op: Op<A>,
    name: string,
    inputs: readonly Tensor[],
    savedInputs: readonly Tensor[],
    attributes: A,
  ) {
    super(name)
    this.given = attributes
    this.held = tensorsIn(attributes)
    this.inputSizes = inputs.map((x) => x.sizes)
    this.inputDTypes = inputs.map((x) => x.dtype)
    this.edges = inputs.map(gradientEdge)
    const { saves } = op
    this.saved =
      saves === undefined
        ? []
        : inputs.map((_, i) => (saves.includes(i) ? new SavedTensor(savedInputs[i], false) : null))
    this.savedOutputs = []
  }

  saveOutputs(outputs: readonly Tensor[]): void {
    const { savesOutputs } = this.op
    if (savesOutputs !== undefined)
      this.savedOutputs = outputs.map((x, i) => (savesOutputs.includes(i) ? new SavedTensor(x, true) : null))
  }

  get attributes(): A {
    return this.given as A
  }

  input(index: number): Tensor {
    if (this.saved === null) throw freedError()
    const saved = this.saved[index]
    if (saved === null || saved === undefined) throw new Error(`${this.name()}: input ${index} is not saved`)
    return saved.unpack(this)
  }

  output(index = 0): Tensor {
    if (this.savedOutputs === null) throw freedError()
    const saved = this.savedOutputs[index]
    if (saved === null || saved === undefined) throw new Error(`${this.name()}: output ${index} is not saved`)
    return saved.unpack(this)
  }

  needs(index: number): boolean {
    return this.edges[index] !== null
  }

  override apply(grads: readonly (Tensor | null)[]): readonly (Tensor | null)[] {
    if (grads.every((g) => g === null)) return this.edges.map(() => null)
    // PyTorch complains only where something was saved.
    const { saves, savesOutputs } = this.op
    if (this.held === null || (this.saved === null && (saves !== undefined || savesOutputs !== undefined)))
      throw freedError()
    // Statistics, which are floats, may go on changing; an index or a mask must be what it was.
    for (const { tensor, version } of this.held)
      if (!tensor.dtype.isInexact) checkVersion(tensor, version, this)
    return this.op.backward(grads, this)
  }

  override release(): void {
    this.saved = null
    this.savedOutputs = null
    if (this.held !== none) {
      this.given = null
      this.held = null
    }
  }
}

interface Held {
  readonly tensor: Tensor
  readonly version: number
}

const none: readonly Held[] = []

// Tensors that are fields of an operation's attributes, or in lists there.
function tensorsIn(attributes: unknown): readonly Held[] {
  if (typeof attributes !== 'object' || attributes === null || ArrayBuffer.isView(attributes)) return none
  if (attributes instanceof Tensor) return [hold(attributes)]
  let found: Held[] | null = null
  for (const key in attributes) {
    const value = (attributes as Record<string, unknown>)[key]
    if (typeof value !== 'object' || value === null) continue
    if (value instanceof Tensor) {
      found ??= []
      found.push(hold(value))
    } else if (Array.isArray(value))
      for (let i = 0; i < value.length; i++)
        if (value[i] instanceof Tensor) {
          found ??= []
          found.push(hold(value[i]))
        }
  }
  return found ?? none
}

function hold(tensor: Tensor): Held {
  return { tensor, version: tensor.storage.version }
}

export function freedError(): RuntimeError {
  return new RuntimeError(
    'Trying to backward through the graph a second time (or directly access saved tensors after they have already been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors after calling backward.',
  )
}

/** Adds the gradients that reach it to a leaf's `grad`. */
export class AccumulateGrad extends Node {
  // Gradients are added to leaves as soon as they are complete.
  override readonly sequence = Number.POSITIVE_INFINITY

  constructor(readonly variable: Tensor) {
    super('torch::autograd::AccumulateGrad')
    this.outputs = [infoOf(variable)]
  }

  override apply(): readonly (Tensor | null)[] {
    return []
  }
}

export function infoOf(x: Tensor): OutputInfo {
  return { sizes: x.sizes, dtype: x.dtype, device: x.device }
}

/** Where the gradient of a tensor goes: its node, or the accumulator of a leaf; null if it requires none. */
export function gradientEdge(x: Tensor): Edge | null {
  const node = x.gradFn
  if (node !== null) return { node, outputNumber: x.autograd!.outputNumber }
  const state = x.autograd
  if (state === null || !state.requiresGrad) return null
  state.accumulator ??= new AccumulateGrad(x)
  return { node: state.accumulator, outputNumber: 0 }
}

/** Makes `outputs` the results of `node`. */
export function setHistory(
  node: Node,
  outputs: readonly Tensor[],
  nonDifferentiable?: readonly number[],
): void {
  node.outputs = outputs.map(infoOf)
  outputs.forEach((output, i) => {
    if (!output.dtype.isInexact || nonDifferentiable?.includes(i)) return
    setGradFn(output, node, i)
    output.viewVersion = output.storage.version
  })
}

export function anyRequiresGrad(inputs: readonly Tensor[]): boolean {
  for (let i = 0; i < inputs.length; i++) {
    const x = inputs[i]
    // Tensors that no autograd touched, and views of such, are by far the most.
    if (x.autograd === null && x.base === null) continue
    if (x.requiresGrad) return true
  }
  return false
}

/** Runs an operation with several results and records it where a gradient may be asked for. */
export function applyMany<A>(op: Op<A>, given: readonly Tensor[], attributes: A): readonly Tensor[] {
  const inputs = op.readsConjugated ? given : resolved(given)
  if (!gradMode.enabled || !anyRequiresGrad(inputs))
    return withOwnMemory(op.forward(inputs, attributes), inputs)
  gradMode.enabled = false
  let results: Tensor | readonly Tensor[]
  try {
    results = op.forward(inputs, attributes)
  } finally {
    gradMode.enabled = true
  }
  const outputs = withOwnMemory(results, inputs)
  record(op, inputs, attributes, outputs)
  return outputs
}

// Operations read memory as it is: what is conjugated lazily is conjugated now.
function resolved(inputs: readonly Tensor[]): readonly Tensor[] {
  for (const x of inputs) if (x.conjugated) return inputs.map((y) => (y.conjugated ? y.clone() : y))
  return inputs
}

// A result that `forward` made as a view of memory of its own is no view to anybody else.
function withOwnMemory(results: Tensor | readonly Tensor[], inputs: readonly Tensor[]): readonly Tensor[] {
  const outputs = results instanceof Tensor ? [results] : results
  for (const output of outputs)
    if (output.base !== null && !inputs.some((x) => x.storage === output.storage)) {
      output.base = null
      output.viewOrigin = 'one'
    }
  return outputs
}

/** Runs an operation with one result and records it where a gradient may be asked for. */
export function apply<A>(op: Op<A>, inputs: readonly Tensor[], attributes: A): Tensor {
  return applyMany(op, inputs, attributes)[0]
}

/** Records an operation that has run. */
export function record<A>(
  op: Op<A>,
  inputs: readonly Tensor[],
  attributes: A,
  outputs: readonly Tensor[],
): void {
  const node = new OpNode(op, nodeName(op, attributes), inputs, inputs, attributes)
  setHistory(node, outputs, op.nonDifferentiable)
  node.saveOutputs(outputs)
}

function nodeName<A>(op: Op<A>, attributes: A): string {
  return typeof op.node === 'string' ? op.node : op.node(attributes)
}

let makeCopySlices: ((base: Tensor, view: Tensor, inner: Node) => Node) | null = null

/** Set by the module that can write into slices; see there. */
export function setCopySlicesMaker(maker: (base: Tensor, view: Tensor, inner: Node) => Node): void {
  makeCopySlices = maker
}

/** Throws PyTorch's error if a tensor may not be changed in place where that is to be recorded. */
export function checkInPlace(x: Tensor): void {
  const { base } = x
  if (base !== null) {
    if (x.viewOrigin !== 'one') throw forbiddenChange(x)
    if (base.isLeaf && base.requiresGrad)
      throw new RuntimeError(
        'a view of a leaf Variable that requires grad is being used in an in-place operation.',
      )
  }
  if (x.isLeaf && x.requiresGrad)
    throw new RuntimeError('a leaf Variable that requires grad is being used in an in-place operation.')
}

/**
 * Runs an operation whose result replaces the contents of `inputs[0]`. `write` puts the result into that tensor's
 * memory. Records the change, for views in their base as well.
 */
export function applyInPlace<A>(
  op: Op<A>,
  inputs: readonly Tensor[],
  attributes: A,
  write: () => void,
): Tensor {
  const self = inputs[0]
  const differentiable = gradMode.enabled && (anyRequiresGrad(inputs) || (self.base?.requiresGrad ?? false))
  if (differentiable) checkInPlace(self)
  const recording = differentiable && self.dtype.isInexact
  let node: OpNode<A> | null = null
  if (recording) {
    // What the derivative needs of the old contents is copied before they go.
    const saved = op.saves?.includes(0) ? [keptCopy(self), ...inputs.slice(1)] : inputs
    node = new OpNode(op, nodeName(op, attributes), inputs, saved, attributes)
  }
  const before = gradMode.enabled
  gradMode.enabled = false
  try {
    write()
  } finally {
    gradMode.enabled = before
  }
  self.storage.version++
  if (node !== null) rebaseHistory(self, node)
  node?.saveOutputs([self])
  return self
}

let copy: ((x: Tensor) => Tensor) | null = null

/** Set by the module of `clone`. */
export function setCopier(copier: (x: Tensor) => Tensor): void {
  copy = copier
}

// A copy of what a tensor is before it changes, with its place in the graph.
function keptCopy(x: Tensor): Tensor {
  const edge = gradientEdge(x)
  const kept = copy!(alias(x))
  if (edge !== null) {
    const state = kept.ensureAutograd()
    state.gradFn = edge.node
    state.outputNumber = edge.outputNumber
  }
  return kept
}

/** Makes `node` the history of a tensor changed in place; a view's base gets a node that differentiates the slice. */
export function rebaseHistory(self: Tensor, node: Node): void {
  node.outputs = [infoOf(self)]
  const { base } = self
  if (base === null) {
    setGradFn(self, node, 0)
    return
  }
  const slices = makeCopySlices!(base, self, node)
  slices.outputs = [infoOf(base)]
  setGradFn(base, slices, 0)
  base.ensureAutograd().requiresGrad = false
  // The view is recorded anew from its base when it is next asked: its version is no longer the storage's.
}

// ---- functions and methods ------------------------------------------------------------------------------------------

/** What the library knows about its own functions: argument names, for messages and for adapters. */
export interface FunctionInfo {
  readonly required: readonly string[]
  readonly optional: readonly string[]
  /** False for functions that are no methods of their first argument. */
  readonly method: boolean
}

const noOptions: Readonly<Record<string, unknown>> = Object.freeze({})

/** Whether a value is an options object rather than an argument. */
export function isOptions(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Throws a TypeError for a key that a function does not know. */
export function checkOptions(name: string, options: Record<string, unknown>, known: readonly string[]): void {
  for (const key of Object.keys(options))
    if (!known.includes(key)) {
      const hint = closest(key, known)
      throw new TypeError_(
        `${name}() got an unexpected option '${key}'${hint === null ? '' : `; did you mean '${hint}'?`} (options: ${known.join(', ') || 'none'})`,
      )
    }
}

function closest(word: string, candidates: readonly string[]): string | null {
  let best: string | null = null
  let bestDistance = 3
  for (const candidate of candidates) {
    const d = editDistance(word.toLowerCase(), candidate.toLowerCase())
    if (d < bestDistance) {
      best = candidate
      bestDistance = d
    }
  }
  return best
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1))
    row = next
  }
  return row[b.length]
}

/**
 * Makes a public function out of an implementation. Callers may give the optional arguments as one trailing options
 * object, and the first of them (for `positional` of them) by position. The implementation gets the required
 * arguments and one object with the optional ones.
 */
export function fn<F>(
  name: string,
  required: readonly string[],
  optional: readonly string[],
  implementation: (...args: never[]) => unknown,
  settings: { method?: boolean; positional?: number } = {},
): F & FunctionInfo {
  const run = implementation as (...args: unknown[]) => unknown
  const count = required.length
  const positional = settings.positional ?? optional.length
  const call = (...args: unknown[]): unknown => {
    if (args.length === count) {
      // Spelt out for what is called most: spreading costs more than a small operation.
      if (optional.length === 0) return count === 1 ? run(args[0]) : run(...args)
      if (count === 1) return run(args[0], noOptions)
      if (count === 2) return run(args[0], args[1], noOptions)
      return run(...args, noOptions)
    }
    if (args.length < count) throw missingArguments(name, required.slice(args.length))
    const last = args[args.length - 1]
    const hasOptions = isOptions(last)
    const extra = args.length - count - (hasOptions ? 1 : 0)
    if (extra > positional || (extra > 0 && optional.length === 0))
      throw new TypeError_(
        `${name}() takes ${count}${positional > 0 ? ` to ${count + positional}` : ''} arguments but ${args.length - (hasOptions ? 1 : 0)} were given`,
      )
    if (hasOptions) checkOptions(name, last, optional)
    if (extra === 0) return run(...args.slice(0, count), last)
    const options: Record<string, unknown> = hasOptions ? { ...last } : {}
    for (let i = 0; i < extra; i++) {
      if (optional[i] in options)
        throw new TypeError_(`${name}() got multiple values for argument '${optional[i]}'`)
      if (args[count + i] !== undefined) options[optional[i]] = args[count + i]
    }
    return run(...args.slice(0, count), options)
  }
  return Object.assign(call, { required, optional, method: settings.method ?? true }) as unknown as F &
    FunctionInfo
}

function missingArguments(name: string, missing: readonly string[]): TypeError_ {
  return new TypeError_(
    `${name}() missing ${missing.length} required argument${missing.length > 1 ? 's' : ''}: ${missing.map((m) => `'${m}'`).join(', ')}`,
  )
}

/** Throws unless a value is a tensor; `what` names the argument. */
export function checkTensor(name: string, what: string, value: unknown): asserts value is Tensor {
  if (!(value instanceof Tensor))
    throw new TypeError_(`${name}(): argument '${what}' must be Tensor, not ${describe(value)}`)
}

/** A value as an error message names it. */
export function describe(value: unknown): string {
  if (value === undefined) return 'undefined'
  if (value === null) return 'null'
  if (Array.isArray(value)) return `array ${pyRepr(value).slice(0, 40)}`
  if (typeof value === 'object' || typeof value === 'function') return value.constructor?.name ?? typeof value
  return `${typeof value} ${String(value).slice(0, 40)}`
}
