// A model as a graph for TensorBoard: the operations that autograd recorded during one call, in boxes by module.

import { enableGrad } from '../../autograd/mode.ts'
import { type Node, operationName } from '../../autograd/node.ts'
import { ValueError } from '../../core/errors.ts'
import type { Module } from '../../nn/module.ts'
import { nameOf } from '../../nn/registry.ts'
import { tensorsIn } from '../../nn/summary-layer.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { Message } from './protobuf.ts'

/** Calls the model and returns the message GraphDef. Throws ValueError where nothing of the result needs a gradient. */
export function graphOf(model: Module, inputs: readonly unknown[]): Message {
  const scopes = new Map<Node, string>()
  const assign = (output: unknown, scope: string): void => {
    const waiting = tensorsIn(output).map((x) => x.gradFn)
    while (waiting.length > 0) {
      const node = waiting.pop()
      if (node === null || node === undefined || scopes.has(node)) continue
      scopes.set(node, scope)
      for (const [next] of node.nextFunctions) waiting.push(next)
    }
  }
  const root = nameOf(model)
  const names = new Map(Array.from(model.namedModules(), ([name, module]) => [module, name] as const))
  const handles = [...names].map(([module, name]) =>
    module.registerForwardHook((_, __, output) => {
      // Modules inside return first, so what has no scope yet is this module's own.
      assign(output, name === '' ? root : `${root}/${name.replaceAll('.', '/')}`)
      return undefined
    }),
  )
  let outputs: Tensor[]
  try {
    outputs = tensorsIn(enableGrad(() => (model as unknown as (...args: unknown[]) => unknown)(...inputs)))
  } finally {
    for (const handle of handles) handle.remove()
  }
  if (scopes.size === 0)
    throw new ValueError(
      `addGraph(): autograd recorded nothing of ${root}: none of its parameters requires gradients`,
    )
  return graphMessage(model, scopes, outputs)
}

function graphMessage(model: Module, scopes: ReadonlyMap<Node, string>, outputs: readonly Tensor[]): Message {
  const parameters = new Map(Array.from(model.namedParameters(), ([name, p]) => [p as Tensor, name] as const))
  const root = nameOf(model)
  const labels = new Map<Node, string>()
  const used = new Map<string, number>()
  for (const [node, scope] of scopes) {
    const variable = (node as { variable?: Tensor | null }).variable
    const parameter = variable == null ? undefined : parameters.get(variable)
    const label =
      parameter === undefined ? `${scope}/${opOf(node)}` : `${root}/${parameter.replaceAll('.', '/')}`
    const count = used.get(label) ?? 0
    used.set(label, count + 1)
    labels.set(node, count === 0 ? label : `${label}_${count}`)
  }
  const graph = new Message()
  for (const [node, label] of labels) {
    const definition = new Message().string(1, label).string(2, opOf(node))
    for (const [next] of node.nextFunctions) {
      const input = next === null ? undefined : labels.get(next)
      if (input !== undefined) definition.string(3, input)
    }
    graph.message(1, definition)
  }
  outputs.forEach((output, i) => {
    const from = output.gradFn === null ? undefined : labels.get(output.gradFn)
    if (from !== undefined)
      graph.message(1, new Message().string(1, `output_${i}`).string(2, 'output').string(3, from))
  })
  const producer = new Message().integer(1, 22)
  return graph.message(4, producer)
}

/** `Addmm` for autograd's `AddmmBackward0`. */
function opOf(node: Node): string {
  return node.name().endsWith('AccumulateGrad') ? 'Parameter' : operationName(node)
}
