// The graph that backward walks: nodes, the edges between them, and handles that remove hooks.

import type { Device } from '../core/device.ts'
import type { DType } from '../core/dtype.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** Called with a gradient; what it returns (if anything) replaces the gradient. */
export type GradientHook = (grad: Tensor) => Tensor | null | undefined | void

/** Called before a node runs, with the gradients of its outputs. */
export type NodePreHook = (
  gradOutputs: readonly (Tensor | null)[],
) => readonly (Tensor | null)[] | null | undefined | void

/** Called after a node ran, with the gradients of its inputs and of its outputs. */
export type NodeHook = (
  gradInputs: readonly (Tensor | null)[],
  gradOutputs: readonly (Tensor | null)[],
) => readonly (Tensor | null)[] | null | undefined | void

/** Points at one output of a node. */
export interface Edge {
  readonly node: Node
  readonly outputNumber: number
}

/** What a gradient arriving at an output must look like. */
export interface OutputInfo {
  readonly sizes: readonly number[]
  readonly dtype: DType
  readonly device: Device
}

let sequence = 0
let hookId = 0

/** A number that no other hook has. */
export function nextHookId(): number {
  return ++hookId
}

/** Removes a hook; calling `remove` again does nothing. */
export class RemovableHandle {
  constructor(
    private readonly hooks: Map<number, unknown>,
    readonly id: number,
  ) {}

  remove(): void {
    this.hooks.delete(this.id)
  }
}

/** A node as PyTorch's messages name it: the operation, not its derivative (`Mul` for `MulBackward0`). */
export function operationName(node: Node): string {
  return node.name().replace(/Backward(\d*)$/, (_, variant: string) => (variant === '0' ? '' : variant))
}

/** One recorded operation: given the gradients of its results, it computes those of its inputs. */
export abstract class Node {
  /** Later operations have higher numbers and are differentiated first. */
  readonly sequence: number = ++sequence
  edges: readonly (Edge | null)[] = []
  outputs: readonly OutputInfo[] = []
  preHooks: Map<number, NodePreHook> | null = null
  hooks: Map<number, NodeHook> | null = null
  /** Hooks and grad retention of the tensors that are this node's outputs, by output number. */
  tensorHooks: Map<number, Map<number, GradientHook>> | null = null
  retained: Map<number, Tensor> | null = null

  /** Whether gradients that `apply` makes can be seen by nobody else; false where a user's code made them. */
  get ownsResults(): boolean {
    return this.hooks === null
  }

  constructor(private nodeName: string) {}

  /** Changes the name that is printed; for operations that PyTorch names after their variant. */
  rename(name: string): void {
    this.nodeName = name
  }

  /** PyTorch's name of the node: `AddBackward0`. */
  name(): string {
    return this.nodeName
  }

  /** The gradients of the inputs, in the order of `edges`. `gradOutputs` has null where no gradient arrived. */
  abstract apply(gradOutputs: readonly (Tensor | null)[]): readonly (Tensor | null)[]

  /** Forgets saved tensors after a backward that does not retain the graph. */
  release(): void {}

  get nextFunctions(): readonly (readonly [Node | null, number])[] {
    return this.edges.map((edge) => (edge === null ? [null, 0] : [edge.node, edge.outputNumber]))
  }

  /** Calls `hook(gradInputs, gradOutputs)` after this node ran. */
  registerHook(hook: NodeHook): RemovableHandle {
    this.hooks ??= new Map()
    const id = nextHookId()
    this.hooks.set(id, hook)
    return new RemovableHandle(this.hooks, id)
  }

  /** Calls `hook(gradOutputs)` before this node runs. */
  registerPrehook(hook: NodePreHook): RemovableHandle {
    this.preHooks ??= new Map()
    const id = nextHookId()
    this.preHooks.set(id, hook)
    return new RemovableHandle(this.preHooks, id)
  }

  toString(): string {
    // Some nodes have a C++ namespace in their name, which Python's class does not show.
    return `<${this.name().replace(/^.*::/, '')}>`
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}
