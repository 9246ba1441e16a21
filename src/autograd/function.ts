// Operations with a derivative written by the user: torch.autograd.Function.

import { NotImplementedError, RuntimeError } from '../core/errors.ts'
import { fullTensor } from '../ops/creation.ts'
import { anyRequiresGrad, freedError, gradientEdge, setHistory } from '../ops/op.ts'
import { Tensor } from '../tensor/tensor.ts'
import { gradMode } from './mode.ts'
import { Node } from './node.ts'
import { alias, SavedTensor } from './saved.ts'
import { markView } from './view-edge.ts'

/** What `forward` leaves for `backward`: saved tensors, and any further fields. */
export class FunctionContext {
  [field: string]: unknown
  /** For each argument of `forward`, whether its gradient is wanted. */
  needsInputGrad: readonly boolean[] = []
}

interface ContextState {
  toSave: readonly (Tensor | null)[]
  node: FunctionNode | null
  nonDifferentiable: readonly Tensor[]
  materialize: boolean
}

const states = new WeakMap<FunctionContext, ContextState>()

/** The context that `forward` and `backward` get. */
export class Context extends FunctionContext {
  constructor() {
    super()
    states.set(this, { toSave: [], node: null, nonDifferentiable: [], materialize: true })
  }

  /** Keeps tensors for `backward`, where `savedTensors` gives them back. */
  saveForBackward(...tensors: (Tensor | null)[]): void {
    states.get(this)!.toSave = tensors
  }

  get savedTensors(): readonly (Tensor | null)[] {
    return states.get(this)!.node!.savedTensors()
  }

  /** Names results that no gradient flows through. */
  markNonDifferentiable(...tensors: Tensor[]): void {
    states.get(this)!.nonDifferentiable = tensors
  }

  /** Whether gradients that did not arrive are given to `backward` as zeros (default) or as null. */
  setMaterializeGrads(value: boolean): void {
    states.get(this)!.materialize = value
  }
}

type Derivative = (
  context: Context,
  ...grads: (Tensor | null)[]
) => Tensor | null | undefined | readonly (Tensor | null | undefined)[]

class FunctionNode extends Node {
  private saved: (SavedTensor | null)[] | null = []

  constructor(
    name: string,
    private readonly context: Context,
    private readonly derivative: Derivative,
    private readonly tensorPositions: readonly number[],
    private readonly argumentCount: number,
  ) {
    super(name)
  }

  // What a user's code returns, the user may keep.
  override get ownsResults(): boolean {
    return false
  }

  save(tensors: readonly (Tensor | null)[], outputs: readonly Tensor[]): void {
    this.saved = tensors.map((t) => (t === null ? null : new SavedTensor(t, outputs.includes(t))))
  }

  savedTensors(): readonly (Tensor | null)[] {
    if (this.saved === null) throw freedError()
    return this.saved.map((s) => s?.unpack(this) ?? null)
  }

  override apply(grads: readonly (Tensor | null)[]): readonly (Tensor | null)[] {
    const { materialize } = states.get(this.context)!
    const given = grads.map((g, i) => {
      if (g !== null || !materialize) return g
      const { sizes, dtype, device } = this.outputs[i]
      return fullTensor(sizes, 0, dtype, device)
    })
    const result = this.derivative(this.context, ...given)
    const list = Array.isArray(result) ? result : [result]
    const surplus = list.slice(this.argumentCount).some((g) => g !== null && g !== undefined)
    if (list.length < this.argumentCount || surplus)
      throw new RuntimeError(
        `function ${this.name()} returned an incorrect number of gradients (expected ${this.argumentCount}, got ${list.length})`,
      )
    return this.tensorPositions.map((p) => list[p] ?? null)
  }

  override release(): void {
    this.saved = null
  }
}

interface FunctionClass<A extends unknown[], R> {
  new (): Function
  forward(context: Context, ...args: A): R
}

/**
 * An operation with a derivative of its own. Subclass it with static `forward(context, ...args)` and
 * `backward(context, ...gradOutputs)`, the latter returning one gradient (or null) for each argument of `forward`,
 * and call `MyFunction.apply(...args)`. https://pytorch.org/docs/stable/autograd.html#function
 */
export class Function {
  static forward(_context: Context, ..._args: never[]): unknown {
    throw new NotImplementedError('You must implement the forward function for custom autograd.Function.')
  }

  static backward(_context: Context, ..._grads: never[]): Tensor | null | readonly (Tensor | null)[] {
    throw new NotImplementedError(
      'You must implement either the backward or vjp method for your custom autograd.Function to use it with backward mode AD.',
    )
  }

  /** Runs `forward` without recording its inside, and records the whole as one node. */
  static apply<A extends unknown[], R>(this: FunctionClass<A, R>, ...args: A): R {
    const context = new Context()
    const positions = args.map((a, i) => (a instanceof Tensor ? i : -1)).filter((i) => i >= 0)
    const tensors = positions.map((i) => args[i] as Tensor)
    const recording = gradMode.enabled && anyRequiresGrad(tensors)
    context.needsInputGrad = args.map((a) => a instanceof Tensor && a.requiresGrad)
    const before = gradMode.enabled
    gradMode.enabled = false
    let result: R
    try {
      result = this.forward(context, ...args)
    } finally {
      gradMode.enabled = before
    }
    if (!recording) return result
    const state = states.get(context)!
    // An argument handed back as it is becomes a result of its own, which looks at the argument's memory.
    const own = (t: unknown) => {
      if (!(t instanceof Tensor) || !tensors.includes(t)) return t
      const result = alias(t)
      markView(result, t, 'function')
      return result
    }
    const outputs = (Array.isArray(result) ? result.map(own) : own(result)) as R
    const outputTensors = (Array.isArray(outputs) ? outputs : [outputs]).filter(
      (t): t is Tensor => t instanceof Tensor,
    )
    const derivative = (this as unknown as { backward: Derivative }).backward.bind(this)
    const node = new FunctionNode(
      `${this.name}Backward`,
      context,
      derivative as Derivative,
      positions,
      args.length,
    )
    node.edges = tensors.map(gradientEdge)
    state.node = node
    const skipped = outputTensors
      .map((t, i) => (state.nonDifferentiable.includes(t) ? i : -1))
      .filter((i) => i >= 0)
    for (const t of outputTensors) if (t.base !== null) markView(t, t, 'function')
    setHistory(node, outputTensors, skipped)
    node.save(state.toSave, outputTensors)
    return outputs
  }
}
