// Operations with a derivative written by the user: torch.autograd.Function.

import { NotImplementedError, RuntimeError } from '../core/errors.ts'
import { anyRequiresGrad, freedError, gradientEdge, setHistory } from '../ops/op.ts'
import { Tensor } from '../tensor/tensor.ts'
import { gradMode } from './mode.ts'
import { Node } from './node.ts'
import { alias, SavedTensor } from './saved.ts'

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
) => Tensor | null | readonly (Tensor | null)[]

class FunctionNode extends Node {
  private saved: (SavedTensor | null)[] | null = []

  constructor(
    name: string,
    private readonly context: Context,
    private readonly derivative: Derivative,
    private readonly tensorPositions: readonly number[],
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
    if (this.saved === null) throw freedError()
    const { materialize } = states.get(this.context)!
    const given = grads.map((g, i) => {
      if (g !== null || !materialize) return g
      const { sizes, dtype } = this.outputs[i]
      return gradSource(grads).newZeros(sizes, { dtype })
    })
    const result = this.derivative(this.context, ...given)
    const list = result instanceof Tensor || result === null ? [result] : result
    const last = Math.max(-1, ...this.tensorPositions)
    if (list.length < last + 1)
      throw new RuntimeError(
        `function ${this.name()} returned an incorrect number of gradients (expected ${last + 1}, got ${list.length})`,
      )
    return this.tensorPositions.map((p) => list[p] ?? null)
  }

  override release(): void {
    this.saved = null
  }
}

function gradSource(grads: readonly (Tensor | null)[]): Tensor {
  const found = grads.find((g) => g !== null)
  if (!found) throw new RuntimeError('no gradient arrived')
  return found
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
    // An argument handed back as it is becomes a result of its own.
    const own = (t: unknown) => (t instanceof Tensor && tensors.includes(t) ? alias(t) : t)
    const outputs = (Array.isArray(result) ? result.map(own) : own(result)) as R
    const outputTensors = (Array.isArray(outputs) ? outputs : [outputs]).filter(
      (t): t is Tensor => t instanceof Tensor,
    )
    const derivative = (this as unknown as { backward: Derivative }).backward.bind(this)
    const node = new FunctionNode(`${this.name}Backward`, context, derivative as Derivative, positions)
    node.edges = tensors.map(gradientEdge)
    state.node = node
    const skipped = outputTensors
      .map((t, i) => (state.nonDifferentiable.includes(t) ? i : -1))
      .filter((i) => i >= 0)
    setHistory(node, outputTensors, skipped)
    node.save(state.toSave, outputTensors)
    return outputs
  }
}
