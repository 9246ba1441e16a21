// The part `modules`: classes of torch.nn, their printed form, state, forward and backward.

import { join } from 'node:path'
import { callModule, construct } from '../adapt.ts'
import { type Case, Mismatch, type Part, Unsupported } from '../case.ts'
import { compare } from '../compare.ts'
import { type Decoding, decode, decodeDType, type Json, target } from '../decode.ts'
import { namesIn, readJsonLines } from '../files.ts'
import { find, type Module, type Tensor, torch } from '../library.ts'
import { compareGradient, gradients } from './ops.ts'

interface ModuleCase {
  id: string
  module: string
  args: Json[]
  kwargs: { [name: string]: Json }
  dtype: string
  training: boolean
  lazy?: boolean
  state: { [key: string]: Json }
  keys: string[]
  inputs: Json[] | null
  input_kwargs: { [name: string]: Json } | null
  requires_grad?: (string | number)[][]
  out?: Json
  fields?: string[]
  grad_out?: Json
  grads?: { inputs: Json[]; params: { [name: string]: Json } } | null
  state_after?: { [key: string]: Json }
  repr: string
  repr_after?: string
  rtol: number
  atol: number
}

export const part: Part = {
  async *cases(folder, only) {
    for (const name of namesIn(folder, '.jsonl.gz')) {
      if (!only(name)) continue
      for await (const one of readJsonLines<ModuleCase>(join(folder, `${name}.jsonl.gz`)))
        yield { name, id: one.id, run: () => runModule(one) } satisfies Case
    }
  },
}

interface ModuleSpec {
  module: string
  args: Json[]
  kwargs: { [name: string]: Json }
}

/** Decoding of constructor arguments: a module among them is built with its own. */
const withModules: Decoding = { kinds: { $module: (spec) => build(spec as unknown as ModuleSpec) } }

function build({ module, args, kwargs }: ModuleSpec): Module {
  const values = args.map((arg) => decode(arg, withModules))
  const options = new Map(Object.entries(kwargs).map(([k, v]) => [k, decode(v, withModules)]))
  return construct(module, values, options) as Module
}

function expectText(actual: string, expected: string, what: string): void {
  if (actual !== expected)
    throw new Mismatch(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`)
}

async function runModule(one: ModuleCase): Promise<void> {
  if (find(one.module) === undefined) throw new Unsupported(one.module)
  const module = build(one)
  expectText(String(module), one.repr, 'repr')
  module.to(decodeDType(one.dtype))
  if (target.device !== 'cpu') module.to(target.device)

  const root = {
    inputs: (one.inputs ?? []).map((input) => decode(input)),
    input_kwargs: new Map(Object.entries(one.input_kwargs ?? {}).map(([k, v]) => [k, decode(v)])),
  }
  const forward = () => callModule(module, one.module, root.inputs, root.input_kwargs)
  if (one.lazy) torch.noGrad(forward)
  if (one.repr_after !== undefined) expectText(String(module), one.repr_after, 'repr after the first call')
  const state = new Map(Object.entries(one.state).map(([k, v]) => [k, decode(v) as Tensor]))
  module.loadStateDict(state)
  const keys = [...module.stateDict().keys()]
  if (JSON.stringify(keys) !== JSON.stringify(one.keys))
    throw new Mismatch(`keys: expected ${JSON.stringify(one.keys)}, got ${JSON.stringify(keys)}`)
  module.train(one.training)
  if (one.inputs === null) return

  const leaves = (one.requires_grad ?? []).map((path) => leafAt(root, path))
  for (const leaf of leaves) leaf.requiresGrad_()
  const out = await forward()
  await compare(out, one.out as Json, one, 'out', one.fields)
  const after = module.stateDict()
  for (const [key, value] of Object.entries(one.state_after ?? {}))
    await compare(after.get(key), value, one, `state_after.${key}`)
  if (one.grads == null) return

  const parameters = new Map(module.namedParameters())
  const names = Object.keys(one.grads.params)
  const all = [...leaves, ...names.map((name) => parameters.get(name) as Tensor)]
  const grads = gradients(out, decode(one.grad_out ?? null), all, one.fields)
  for (let i = 0; i < leaves.length; i++)
    await compareGradient(grads[i], one.grads.inputs[i], one, `grads.inputs[${i}]`)
  for (let i = 0; i < names.length; i++)
    await compareGradient(grads[leaves.length + i], one.grads.params[names[i]], one, `grads.${names[i]}`)
}

function leafAt(root: Record<string, unknown>, path: readonly (string | number)[]): Tensor {
  let value: unknown = root
  for (const key of path)
    value = value instanceof Map ? value.get(key) : (value as Record<string | number, unknown>)[key]
  return value as Tensor
}
