// The engine: walks the graph from the results to the leaves, without recursion, later operations first.

import { recording } from '../backends/recording.ts'
import { RuntimeError, TypeError_ } from '../core/errors.ts'
import { formatSizes, sameSizes } from '../core/shape.ts'
import { ones } from '../ops/creation.ts'
import { accumulate, matchGradient } from '../ops/gradient.ts'
import { AccumulateGrad, gradientEdge } from '../ops/op.ts'
import { Storage } from '../tensor/storage.ts'
import { Tensor } from '../tensor/tensor.ts'
import { gradMode } from './mode.ts'
import type { Edge, GradientHook, Node, NodeHook } from './node.ts'
import { alias } from './saved.ts'

/** A heap of nodes, the latest (highest sequence number) first. */
class ReadyQueue {
  private readonly heap: Node[] = []

  get length(): number {
    return this.heap.length
  }

  push(node: Node): void {
    const { heap } = this
    let i = heap.push(node) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (heap[parent].sequence >= node.sequence) break
      heap[i] = heap[parent]
      i = parent
    }
    heap[i] = node
  }

  pop(): Node {
    const { heap } = this
    const top = heap[0]
    const last = heap.pop()!
    if (heap.length > 0) {
      let i = 0
      for (;;) {
        let child = 2 * i + 1
        if (child >= heap.length) break
        if (child + 1 < heap.length && heap[child + 1].sequence > heap[child].sequence) child++
        if (heap[child].sequence <= last.sequence) break
        heap[i] = heap[child]
        i = child
      }
      heap[i] = last
    }
    return top
  }
}

/** How many edges of the graph reached from `roots` lead to each node. */
function countDependencies(roots: readonly Edge[]): Map<Node, number> {
  const dependencies = new Map<Node, number>()
  const stack: Node[] = []
  for (const { node } of roots)
    if (!dependencies.has(node)) {
      dependencies.set(node, 0)
      stack.push(node)
    }
  while (stack.length > 0) {
    for (const edge of stack.pop()!.edges) {
      if (edge === null) continue
      const count = dependencies.get(edge.node)
      if (count === undefined) stack.push(edge.node)
      dependencies.set(edge.node, (count ?? 0) + 1)
    }
  }
  return dependencies
}

/** The nodes from which some of `targets` can be reached. */
function nodesLeadingTo(targets: ReadonlySet<Node>, dependencies: ReadonlyMap<Node, number>): Set<Node> {
  const needed = new Set<Node>(targets)
  const users = new Map<Node, Node[]>()
  for (const node of dependencies.keys())
    for (const edge of node.edges) {
      if (edge === null) continue
      const list = users.get(edge.node)
      if (list === undefined) users.set(edge.node, [node])
      else list.push(node)
    }
  const stack = [...targets]
  while (stack.length > 0)
    for (const user of users.get(stack.pop()!) ?? [])
      if (!needed.has(user)) {
        needed.add(user)
        stack.push(user)
      }
  return needed
}

interface Capture {
  readonly edge: Edge
  readonly tensor: Tensor
  grad: Tensor | null
}

interface Settings {
  readonly retainGraph: boolean
  readonly createGraph: boolean
  /** Null: accumulate into all leaves. Else only these are wanted. */
  readonly captures: readonly Capture[] | null
  /** Whether captured leaves accumulate instead (`backward(inputs=...)`). */
  readonly accumulateCaptured: boolean
}

function run(roots: readonly Edge[], rootGrads: readonly Tensor[], settings: Settings): void {
  const dependencies = countDependencies(roots)
  const { captures, createGraph } = settings
  const captured = new Map<Node, Capture[]>()
  let needed: Set<Node> | null = null
  if (captures !== null) {
    for (const capture of captures)
      captured.set(capture.edge.node, [...(captured.get(capture.edge.node) ?? []), capture])
    needed = nodesLeadingTo(new Set(captured.keys()), dependencies)
  }
  const pending = new Map<Node, Pending>()
  const ready = new ReadyQueue()
  const queued = new Set<Node>()

  // `from` and `index` say whose gradient it is: number `index` of those that a node returned, or a root's own.
  const deliver = (edge: Edge, grad: Tensor | null, owned: boolean, from: Node, index: number): void => {
    let arrived = pending.get(edge.node)
    const n = edge.outputNumber
    if (arrived === undefined) {
      const count = edge.node.outputs.length
      arrived = {
        grads: new Array<Tensor | null>(count).fill(null),
        owned: new Array<boolean>(count).fill(false),
      }
      pending.set(edge.node, arrived)
    }
    if (grad === null) return
    const matched = matchGradient(grad, edge.node.outputs[n], from, index)
    const present = arrived.grads[n]
    if (present === null) {
      arrived.grads[n] = matched
      arrived.owned[n] = owned || matched !== grad
    } else {
      arrived.grads[n] =
        arrived.owned[n] && !createGraph && isWritable(present)
          ? present.add_(matched)
          : accumulate(present, matched)
      arrived.owned[n] = true
    }
  }

  roots.forEach((edge, i) => {
    deliver(edge, rootGrads[i], false, edge.node, edge.outputNumber)
    if (!queued.has(edge.node) && dependencies.get(edge.node) === 0) {
      queued.add(edge.node)
      ready.push(edge.node)
    }
  })

  while (ready.length > 0) {
    const node = ready.pop()
    const { grads, owned } = pending.get(node) ?? { grads: [], owned: [] }
    pending.delete(node)
    if (runTensorHooks(node, grads, createGraph)) owned.fill(false)
    if (!settings.accumulateCaptured)
      for (const capture of captured.get(node) ?? []) {
        capture.grad = grads[capture.edge.outputNumber] ?? null
        owned[capture.edge.outputNumber] = false
      }
    const mark = Storage.created
    let results: readonly (Tensor | null)[] = []
    const wanted = needed === null || needed.has(node)
    if (node instanceof AccumulateGrad) {
      if (captures === null || (settings.accumulateCaptured && captured.has(node)))
        runAccumulator(node, grads, owned[0], createGraph)
    } else if (wanted && node.edges.some((e) => e !== null && (needed === null || needed.has(e.node)))) {
      results = createGraph ? runNode(node, grads) : runAndFree(node, grads, owned)
      if (!settings.retainGraph) node.release()
    }
    for (let i = 0; i < node.edges.length; i++) {
      const edge = node.edges[i]
      if (edge === null) continue
      const grad = results[i] ?? null
      if (grad !== null || dependencies.has(edge.node))
        deliver(
          edge,
          grad,
          grad !== null &&
            node.ownsResults &&
            isOnly(grad, results) &&
            (grad.storage.id > mark ||
              (!createGraph && node.preHooks === null && isPassedOn(grad, grads, owned))),
          node,
          i,
        )
      const left = dependencies.get(edge.node)! - 1
      dependencies.set(edge.node, left)
      if (left === 0 && !queued.has(edge.node)) {
        queued.add(edge.node)
        ready.push(edge.node)
      }
    }
  }
}

interface Pending {
  readonly grads: (Tensor | null)[]
  /** Whether nothing but the engine can see the gradient's memory, so that it may be written to or given away. */
  readonly owned: boolean[]
}

// A gradient belongs to the engine if its memory was made while its node ran, or was the engine's own before the node
// passed it on in another shape; and if it was returned once.
function isOnly(grad: Tensor, results: readonly (Tensor | null)[]): boolean {
  if (grad.autograd !== null) return false
  let count = 0
  for (const other of results) if (other !== null && other.storage === grad.storage) count++
  return count === 1
}

function isPassedOn(grad: Tensor, grads: readonly (Tensor | null)[], owned: readonly boolean[]): boolean {
  for (let i = 0; i < grads.length; i++) if (owned[i] && grads[i]?.storage === grad.storage) return true
  return false
}

// Calls the hooks of the tensors that are a node's results, and keeps the gradients of those that retain them.
// Says whether a user's code may have seen the gradients.
function runTensorHooks(node: Node, grads: (Tensor | null)[], createGraph: boolean): boolean {
  const leafHooks = node instanceof AccumulateGrad ? (node.variable.autograd?.hooks ?? null) : null
  if (leafHooks !== null && grads[0]) grads[0] = callHooks(leafHooks, grads[0])
  for (const [output, hooks] of node.tensorHooks ?? []) {
    const grad = grads[output]
    if (grad) grads[output] = callHooks(hooks, grad)
  }
  for (const [output, tensor] of node.retained ?? []) {
    const grad = grads[output]
    if (grad) retain(tensor, grad, createGraph)
  }
  return leafHooks !== null || node.tensorHooks !== null || node.retained !== null
}

function callHooks(hooks: ReadonlyMap<number, GradientHook>, grad: Tensor): Tensor {
  let value = grad
  for (const hook of [...hooks.values()]) {
    const replaced = hook(value) ?? value
    const name = hook.name || 'anonymous'
    if (!(replaced instanceof Tensor))
      throw new TypeError_(`expected a Tensor, but hook '${name}' returned ${typeof replaced}`)
    if (replaced.dtype !== value.dtype)
      throw new RuntimeError(
        `hook '${name}' has changed the type of value (was ${value.dtype} got ${replaced.dtype})`,
      )
    if (!sameSizes(replaced.sizes, value.sizes))
      throw new RuntimeError(`hook '${name}' has changed the size of value`)
    value = replaced
  }
  return value
}

function retain(tensor: Tensor, grad: Tensor, createGraph: boolean): void {
  const state = tensor.ensureAutograd()
  const value = createGraph ? grad : alias(grad)
  state.grad = state.grad === null ? value.clone() : accumulate(state.grad, value)
}

// Runs a node and gives back at once what it made on the way, and the gradients that it used up: a training loop would
// otherwise fill the memory with them before the garbage collector hears of it. Not where a user's code may keep them.
function runAndFree(
  node: Node,
  grads: (Tensor | null)[],
  owned: readonly boolean[],
): readonly (Tensor | null)[] {
  if (!node.ownsResults || node.preHooks !== null || Storage.made !== null) return runNode(node, grads)
  const made: Storage[] = []
  Storage.made = made
  let results: readonly (Tensor | null)[]
  try {
    results = runNode(node, grads)
  } finally {
    Storage.made = null
  }
  const isReturned = (storage: Storage) =>
    results.some((r) => r !== null && r !== undefined && r.storage === storage)
  for (const storage of made) if (!isReturned(storage)) storage.free()
  grads.forEach((grad, i) => {
    if (grad !== null && owned[i] && !isReturned(grad.storage)) grad.storage.free()
  })
  return results
}

function runNode(node: Node, grads: (Tensor | null)[]): readonly (Tensor | null)[] {
  let incoming: readonly (Tensor | null)[] = grads
  if (node.preHooks !== null)
    for (const hook of [...node.preHooks.values()]) incoming = hook(incoming) ?? incoming
  let results = node.apply(incoming)
  if (node.hooks !== null)
    for (const hook of [...node.hooks.values()]) results = (hook as NodeHook)(results, incoming) ?? results
  return results
}

function runAccumulator(
  node: AccumulateGrad,
  grads: readonly (Tensor | null)[],
  owned: boolean,
  createGraph: boolean,
): void {
  let incoming = grads
  for (const hook of [...(node.preHooks?.values() ?? [])]) incoming = hook(incoming) ?? incoming
  const grad = incoming[0]
  const unseen = node.preHooks === null && node.hooks === null
  if (grad) accumulateLeaf(node.variable, grad, owned && unseen, createGraph)
  for (const hook of [...(node.hooks?.values() ?? [])]) hook([], incoming)
}

function accumulateLeaf(variable: Tensor, grad: Tensor, owned: boolean, createGraph: boolean): void {
  const state = variable.ensureAutograd()
  if (recording.recorder !== null) recording.recorder.accumulates(variable)
  if (createGraph) state.grad = state.grad === null ? grad.clone() : accumulate(state.grad, grad)
  else if (state.grad !== null) accumulateInto(state.grad, grad)
  else state.grad = owned && grad.isContiguous() ? alias(grad) : copyFor(variable, alias(grad))
  for (const hook of [...(state.postAccumulateHooks?.values() ?? [])]) hook(variable)
}

// Memory of its own for a leaf's gradient: what arrived may be seen, or given to another leaf, by somebody else.
function copyFor(variable: Tensor, grad: Tensor): Tensor {
  return variable.isContiguous() && !grad.isContiguous() ? grad.contiguous() : grad.clone()
}

// Where several elements share memory, as after `expand`, nothing can be added in place.
function isWritable(x: Tensor): boolean {
  return x.sizes.every((n, d) => n <= 1 || x.strides[d] !== 0)
}

function accumulateInto(into: Tensor, grad: Tensor): Tensor {
  // Another tensor may be looking at the old gradient's memory only if a user kept it: PyTorch adds in place there too.
  const before = gradMode.enabled
  gradMode.enabled = false
  try {
    into.add_(grad)
    return into
  } finally {
    gradMode.enabled = before
  }
}

/** Options of `backward`. */
export interface BackwardOptions {
  /** Keeps saved tensors so that the graph can be walked again; default: the value of `createGraph`. */
  retainGraph?: boolean
  /** Records the backward pass itself, for second derivatives. */
  createGraph?: boolean
  /** Accumulate into these leaves only. */
  inputs?: Tensor | readonly Tensor[]
}

function rootGradient(
  output: Tensor,
  grad: Tensor | null | undefined,
  index: number,
  createGraph: boolean,
): Tensor {
  if (grad === null || grad === undefined) {
    if (output.numel() !== 1) throw new RuntimeError('grad can be implicitly created only for scalar outputs')
    return ones(output.sizes, { dtype: output.dtype, device: output.device })
  }
  if (!(grad instanceof Tensor))
    throw new TypeError_(`gradients can be either Tensors or None, but got ${typeof grad}`)
  if (!sameSizes(grad.sizes, output.sizes))
    throw new RuntimeError(
      `Mismatch in shape: grad_output[${index}] has a shape of torch.Size(${formatSizes(grad.sizes)}) and output[${index}] has a shape of torch.Size(${formatSizes(output.sizes)}).`,
    )
  return createGraph ? grad : grad.detach()
}

function rootGradients(
  outputs: readonly Tensor[],
  given: readonly (Tensor | null)[] | null,
  createGraph: boolean,
): Tensor[] {
  if (given !== null && given.length !== outputs.length)
    throw new RuntimeError(`got ${outputs.length} tensors and ${given.length} gradients`)
  return outputs.map((output, i) => rootGradient(output, given?.[i], i, createGraph))
}

function rootEdge(output: Tensor, index: number): Edge {
  const edge = output.requiresGrad ? gradientEdge(output) : null
  if (edge === null)
    throw new RuntimeError(`element ${index} of tensors does not require grad and does not have a grad_fn`)
  return edge
}

function execute(body: () => void, createGraph: boolean): void {
  const before = gradMode.enabled
  gradMode.enabled = createGraph
  try {
    body()
  } finally {
    gradMode.enabled = before
  }
}

function capturesOf(inputs: readonly Tensor[]): Capture[] {
  return inputs.map((tensor) => {
    const edge = tensor.requiresGrad ? gradientEdge(tensor) : null
    if (edge === null) throw new RuntimeError('One of the differentiated Tensors does not require grad')
    return { edge, tensor, grad: null }
  })
}

/**
 * Computes the gradients of `output` with respect to the leaves of its graph and adds them to their `grad`.
 *
 * @param gradient The gradient of some scalar with respect to `output`, of its shape; may be left out for a scalar.
 * @throws RuntimeError for a non-scalar without `gradient`, for a tensor without graph, for a graph whose saved
 * tensors were freed or changed in place.
 */
export function backward(
  output: Tensor,
  gradient: Tensor | null = null,
  options: BackwardOptions = {},
): void {
  backwardMany([output], [gradient], options)
}

/** `backward` of several tensors at once, as `torch.autograd.backward`. */
export function backwardMany(
  outputs: readonly Tensor[],
  gradients: readonly (Tensor | null)[] | null,
  options: BackwardOptions = {},
): void {
  const createGraph = options.createGraph ?? false
  const roots = outputs.map(rootEdge)
  const grads = rootGradients(outputs, gradients, createGraph)
  const inputs =
    options.inputs === undefined ? null : options.inputs instanceof Tensor ? [options.inputs] : options.inputs
  if (inputs !== null && inputs.length === 0)
    throw new RuntimeError('`inputs` argument to `backward()` cannot be empty.')
  for (const input of inputs ?? []) if (!input.isLeaf || !input.requiresGrad) input.retainGrad()
  const captures = inputs === null ? null : capturesOf(inputs)
  execute(
    () =>
      run(roots, grads, {
        retainGraph: options.retainGraph ?? createGraph,
        createGraph,
        captures,
        accumulateCaptured: true,
      }),
    createGraph,
  )
}

/** Options of `torch.autograd.grad`. */
export interface GradOptions {
  gradOutputs?: Tensor | readonly (Tensor | null)[] | null
  retainGraph?: boolean
  createGraph?: boolean
  /** Give null for inputs that the outputs do not depend on, instead of an error. */
  allowUnused?: boolean
  /** Give zeros for them. */
  materializeGrads?: boolean
}

/**
 * The gradients of the sum of `outputs` with respect to each of `inputs`, as `torch.autograd.grad`: nothing is
 * accumulated anywhere. With `createGraph` they can be differentiated again.
 *
 * @throws RuntimeError if an input does not require grad or, unless `allowUnused`, was not used.
 */
export function grad(
  outputs: Tensor | readonly Tensor[],
  inputs: Tensor | readonly Tensor[],
  options: GradOptions = {},
): (Tensor | null)[] {
  const outputList = outputs instanceof Tensor ? [outputs] : outputs
  const inputList = inputs instanceof Tensor ? [inputs] : inputs
  const createGraph = options.createGraph ?? false
  const given = options.gradOutputs instanceof Tensor ? [options.gradOutputs] : options.gradOutputs
  const roots = outputList.map(rootEdge)
  const grads = rootGradients(outputList, given ?? null, createGraph)
  const captures = capturesOf(inputList)
  execute(
    () =>
      run(roots, grads, {
        retainGraph: options.retainGraph ?? createGraph,
        createGraph,
        captures,
        accumulateCaptured: false,
      }),
    createGraph,
  )
  return captures.map(({ grad: result, tensor }, i) => {
    if (result !== null) return result
    if (options.materializeGrads) return tensor.zerosLike()
    if (options.allowUnused) return null
    throw new RuntimeError(
      `The differentiated Tensor at index ${i} appears to not have been used in the graph. Set allow_unused=True if this is the desired behavior.`,
    )
  })
}
