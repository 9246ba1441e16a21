// The part `repr`: how tensors, modules, values and results with a history print, character by character.

import { join } from 'node:path'
import { pyFloat, pyRepr, Tuple } from '../../../src/core/python.ts'
import { StateDict } from '../../../src/nn/state-dict.ts'
import { construct } from '../adapt.ts'
import { type Case, Mismatch, type Part, Unsupported } from '../case.ts'
import { compare } from '../compare.ts'
import { decode, decodeDType, decodeTensor, type Json } from '../decode.ts'
import type { RecordedTensor } from '../elements.ts'
import { namesIn, readJsonLines } from '../files.ts'
import { camelCase, find, findClass, findMethod, type Module, type Tensor, torch } from '../library.ts'
import { evaluatePython } from '../python-evaluator.ts'

type Row = { [key: string]: Json }

const runners: Readonly<Record<string, (row: Row) => void | Promise<void>>> = {
  tensors: runTensor,
  grad_fn: runGradFn,
  modules: runModule,
  values: runValue,
}

export const part: Part = {
  async *cases(folder, only) {
    for (const name of namesIn(folder, '.jsonl')) {
      let i = 0
      for await (const row of readJsonLines<Row>(join(folder, `${name}.jsonl`))) {
        const id = `${i++}: ${[row.kind, row.name ?? row.cls ?? ''].filter(Boolean).join(' ')}`
        if (only(name) || only(id)) yield { name, id, run: () => runners[name](row) } satisfies Case
      }
    }
  },
}

function expectText(actual: string, expected: Json): void {
  if (actual !== expected)
    throw new Mismatch(`expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`)
}

function runTensor(row: Row): void {
  let x = decode(row.value) as Tensor
  if (row.parameter === true)
    x = construct(
      'torch.nn.Parameter',
      [x],
      new Map([['requires_grad', row.requires_grad ?? true]]),
    ) as Tensor
  else if (row.requires_grad === true) x.requiresGrad_()
  if (row.transpose !== undefined) x = x.transpose(...(row.transpose as [number, number]))
  const options = Object.entries((row.printoptions as Row | undefined) ?? {}).map(([k, v]) => [
    camelCase(k),
    v,
  ])
  torch.setPrintoptions({ profile: 'default' })
  try {
    if (options.length > 0) torch.setPrintoptions(Object.fromEntries(options))
    expectText(String(x), row.text)
  } finally {
    torch.setPrintoptions({ profile: 'default' })
  }
}

async function runGradFn(row: Row): Promise<void> {
  const variables = new Map<string, unknown>()
  for (const [name, value] of Object.entries(row.leaves as Row))
    variables.set(name, (decode(value) as Tensor).requiresGrad_())
  for (const [name, value] of Object.entries(row.constants as Row)) variables.set(name, decode(value))
  if (row.setup !== undefined) evaluatePython(row.setup as string, variables)
  const value = evaluatePython(row.name as string, variables)
  const result = (row.setup === undefined ? value : variables.get('x')) as Tensor
  await compare(result, row.value, { rtol: 1e-4, atol: 1e-5 }, 'value')
  const name = result.gradFn?.name() ?? null
  if (name !== row.grad_fn) throw new Mismatch(`expected grad_fn ${row.grad_fn}, got ${name}`)
  expectText(String(result), row.text)
}

interface Spec {
  class: string
  args?: Json[]
  kwargs?: Row
  children?: [string, Spec | null][]
  custom?: boolean
  extra_repr?: string
}

function build(spec: Spec): Module {
  if (spec.custom) return buildCustom(spec)
  if (spec.children === undefined) {
    const kwargs = new Map(Object.entries(spec.kwargs ?? {}).map(([k, v]) => [k, decode(v)]))
    return construct(
      `torch.nn.${spec.class}`,
      (spec.args ?? []).map((arg) => decode(arg)),
      kwargs,
    ) as Module
  }
  const children = spec.children.map(([name, child]) => [name, build(child as Spec)] as const)
  const inOrder = children.every(([name], i) => name === String(i))
  const modules = children.map(([, child]) => child)
  const list = spec.class === 'ModuleList' ? [modules] : modules
  return construct(
    `torch.nn.${spec.class}`,
    inOrder && spec.class !== 'ModuleDict' ? list : [new Map(children)],
  ) as Module
}

/** An instance of a user's own class, with the children as its fields. */
function buildCustom(spec: Spec): Module {
  const Base = findClass('torch.nn.Module') as typeof torch.nn.Module
  const text = spec.extra_repr ?? ''
  const classes = {
    [spec.class]: class extends Base {
      override extraRepr(): string {
        return text
      }
    },
  }
  const module = new classes[spec.class]() as Module & Record<string, unknown>
  for (const [name, child] of spec.children ?? [])
    (module as Record<string, unknown>)[name] = child === null ? null : build(child)
  return module
}

function runModule(row: Row): void {
  expectText(String(build(row.spec as unknown as Spec)), row.text)
}

/** Stands for a Python float where a list holds one that JavaScript cannot tell from an int. */
class Float {
  constructor(readonly value: number) {}

  repr(): string {
    return pyFloat(this.value)
  }
}

function stateOf(json: Json): [string, Tensor][] {
  return [...(decode(json) as Map<string, Tensor>)]
}

function parameterOf(value: Tensor): Tensor {
  return construct('torch.nn.Parameter', [value]) as Tensor
}

const values: Readonly<Record<string, (row: Row) => string>> = {
  'torch.Size': (row) => String(decode({ $size: row.value })),
  dtype: (row) => String(decodeDType(row.value as string)),
  device: (row) => {
    const device = torch.device(row.value as string)
    if (String(device) !== row.str) throw new Mismatch(`str: expected ${row.str}, got ${device}`)
    return device.repr()
  },
  UninitializedParameter: () => uninitialized('UninitializedParameter'),
  UninitializedBuffer: () => uninitialized('UninitializedBuffer'),
  'meta tensor': (row) =>
    String(torch.empty(row.shape as number[], { dtype: decodeDType(row.dtype as string), device: 'meta' })),
  container: (row) => pyRepr(decode(row.value, { float: (x) => new Float(x) })),
  return_types: (row) => {
    const input = decodeTensor((row.input as Row).$t as unknown as RecordedTensor)
    return String(findMethod(input, row.op as string)(row.argument))
  },
  state_dict: (row) => String(new StateDict(stateOf(row.state))),
  'list of parameters': (row) => pyRepr(stateOf(row.state).map(([, value]) => parameterOf(value))),
  named_parameters: (row) =>
    pyRepr(stateOf(row.state).map(([name, value]) => Tuple.of(name, parameterOf(value)))),
  load_state_dict: (row) => {
    const linear = construct('torch.nn.Linear', [2, 2]) as Module
    const known = linear.stateDict()
    const state = new Map((row.keys as string[]).map((key) => [key, known.get(key) ?? torch.zeros(1)]))
    return String(linear.loadStateDict(state, { strict: row.strict as boolean }))
  },
  'load_state_dict error': (row) => {
    const module = build(row.spec as unknown as Spec)
    try {
      module.loadStateDict(new Map(stateOf(row.state)))
    } catch (error) {
      if (error instanceof Error) return error.message
    }
    return 'no error'
  },
  optimizer: (row) => String(makeOptimizer(row)),
}

function uninitialized(name: string): string {
  const cls = find(`torch.nn.parameter.${name}`) ?? find(`torch.nn.${name}`)
  if (cls === undefined) throw new Unsupported(name)
  return String(new (cls as new () => unknown)())
}

function makeOptimizer(row: Row): unknown {
  const name = `torch.optim.${row.cls}`
  findClass(name)
  const linear = construct('torch.nn.Linear', [2, 1]) as Module
  const [weight, bias] = [...linear.parameters()]
  const kwargs = new Map(Object.entries(row.kwargs as Row).map(([k, v]) => [k, decode(v)]))
  let params: unknown = row.parameters === 'weight' ? [weight] : linear.parameters()
  if (row.groups !== undefined)
    params = (row.groups as Row[]).map((group, i) => ({
      params: [[weight, bias][i]],
      ...Object.fromEntries(Object.entries(group).map(([k, v]) => [camelCase(k), decode(v)])),
    }))
  const optimizer = construct(name, [params], kwargs)
  if (row.scheduler !== undefined) {
    const [scheduler, ...args] = row.scheduler as [string, ...Json[]]
    construct(`torch.optim.lr_scheduler.${scheduler}`, [optimizer, ...args.map((arg) => decode(arg))])
  }
  return optimizer
}

function runValue(row: Row): void {
  const make = values[row.kind as string]
  if (make === undefined) throw new Error(`unknown kind of value: ${row.kind}`)
  expectText(make(row), row.text)
}
