// The engine: walks the graph from the results to the leaves, without recursion, later operations first.

import { RuntimeError, TypeError_ } from '../core/errors.ts'
import { formatSizes, sameSizes } from '../core/shape.ts'
import { ones } from '../ops/creation.ts'
import { accumulate, matchGradient } from '../ops/gradient.ts'
import { AccumulateGrad, gradientEdge } from '../ops/op.ts'
import { Storage } from '../tensor/storage.ts'
import { Tensor } from '../tensor/tensor.ts'
import { gradMode } from './mode.ts'
import type { Edge, Node, NodeHook } from './node.ts'
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

  const deliver = (edge: Edge, grad: Tensor | null, owned: boolean): void => {
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
    const matched = matchGradient(grad, edge.node.outputs[n], edge.node)
    const present = arrived.grads[n]
    if (present === null) {
      arrived.grads[n] = matched
      arrived.owned[n] = owned || matched !== grad
    } else {
      arrived.grads[n] =
        arrived.owned[n] && !createGraph ? present.add_(matched) : accumulate(present, matched)
      arrived.owned[n] = true
    }
  }

  roots.forEach((edge, i) => {
    deliver(edge, rootGrads[i], false)
    if (!queued.has(edge.node) && dependencies.get(edge.node) === 0) {
      queued.add(edge.node)
      ready.push(edge.node)
    }
  })

  while (ready.length > 0) {
    const node = ready.pop()
    const { grads, owned } = pending.get(node) ?? { grads: [], owned: [] }
    pending.delete(node)
    if (node.tensorHooks !== null || node.retained !== null) owned.fill(false)
    const mark = Storage.created
    runTensorHooks(node, grads)
    for (const capture of captured.get(node) ?? [])
      if (!settings.accumulateCaptured) capture.grad = grads[capture.edge.outputNumber]
    let results: readonly (Tensor | null)[] = []
    const wanted = needed === null || needed.has(node)
    if (node instanceof AccumulateGrad) {
      if (captures === null || (settings.accumulateCaptured && captured.has(node)))
        accumulateLeaf(node.variable, grads[0], owned[0], createGraph)
    } else if (wanted && node.edges.some((e) => e !== null && (needed === null || needed.has(e.node)))) {
      results = createGraph ? runNode(node, grads) : runAndFree(node, grads, owned)
      if (!settings.retainGraph) node.release()
    }
    for (let i = 0; i < node.edges.length; i++) {
      const edge = node.edges[i]
      if (edge === null) continue
      const grad = results[i] ?? null
      if (grad !== null || dependencies.has(edge.node))
        deliver(edge, grad, grad !== null && node.ownsResults && isFresh(grad, results, mark))
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

// A gradient whose memory was made while its node ran, and that was returned once, belongs to the engine.
function isFresh(grad: Tensor, results: readonly (Tensor | null)[], mark: number): boolean {
  if (grad.storage.id <= mark || grad.autograd !== null) return false
  let count = 0
  for (const other of results) if (other !== null && other.storage === grad.storage) count++
  return count === 1
}

function runTensorHooks(node: Node, grads: (Tensor | null)[]): void {
  if (node.tensorHooks !== null)
    for (const [output, hooks] of node.tensorHooks)
      for (const hook of [...hooks.values()]) {
        const grad = grads[output]
        if (grad === null || grad === undefined) continue
        const replaced = hook(grad)
        if (replaced instanceof Tensor) grads[output] = matchGradient(replaced, node.outputs[output], node)
      }
  if (node.retained !== null)
    for (const [output, tensor] of node.retained)
      if (grads[output]) accumulateLeaf(tensor, grads[output], false, true)
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

function accumulateLeaf(variable: Tensor, grad: Tensor | null, owned: boolean, createGraph: boolean): void {
  if (grad === null) return
  let value = grad
  const state = variable.ensureAutograd()
  if (state.gradFn === null && state.hooks !== null)
    for (const hook of [...state.hooks.values()]) value = hook(value) ?? value
  const mine = owned && value === grad && (state.hooks === null || state.hooks.size === 0)
  if (state.grad === null) state.grad = createGraph ? value : ownGradient(value, mine)
  else state.grad = createGraph ? accumulate(state.grad, value) : accumulateInto(state.grad, value)
  if (state.postAccumulateHooks !== null)
    for (const hook of [...state.postAccumulateHooks.values()]) hook(variable)
}

// Memory that only the engine sees becomes the leaf's own gradient; anything else is copied.
function ownGradient(grad: Tensor, owned: boolean): Tensor {
  if (owned && grad.isContiguous()) return alias(grad)
  return alias(grad).clone()
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

function rootGradient(output: Tensor, grad: Tensor | null | undefined, createGraph: boolean): Tensor {
  if (grad === null || grad === undefined) {
    if (output.numel() !== 1) throw new RuntimeError('grad can be implicitly created only for scalar outputs')
    return ones(output.sizes, { dtype: output.dtype, device: output.device })
  }
  if (!(grad instanceof Tensor))
    throw new TypeError_(`gradients can be either Tensors or None, but got ${typeof grad}`)
  if (!sameSizes(grad.sizes, output.sizes))
    throw new RuntimeError(
      `Mismatch in shape: grad_output[0] has a shape of torch.Size(${formatSizes(grad.sizes)}) and output[0] has a shape of torch.Size(${formatSizes(output.sizes)}).`,
    )
  return createGraph ? grad : grad.detach()
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
  const grads = outputs.map((o, i) => rootGradient(o, gradients?.[i], createGraph))
  const inputs =
    options.inputs === undefined ? null : options.inputs instanceof Tensor ? [options.inputs] : options.inputs
  if (inputs !== null && inputs.length === 0)
    throw new RuntimeError("'inputs' argument to backward() cannot be empty.")
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
  const grads = outputList.map((o, i) => rootGradient(o, given?.[i], createGraph))
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
  return captures.map(({ grad: result, tensor }) => {
    if (result !== null) return result
    if (options.materializeGrads) return tensor.zerosLike()
    if (options.allowUnused) return null
    throw new RuntimeError(
      'One of the differentiated Tensors appears to not have been used in the graph. Set allow_unused=True if this is the desired behavior.',
    )
  })
}
