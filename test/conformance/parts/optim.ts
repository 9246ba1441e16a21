// The part `optim`: optimizers, resumed optimizers, LBFGS, schedulers, gradient clipping.

import { join } from 'node:path'
import { callFunction, construct } from '../adapt.ts'
import { type Case, Mismatch, type Part } from '../case.ts'
import { close, compare, type Tolerance } from '../compare.ts'
import { decode, decodeFloat, type Json, marker } from '../decode.ts'
import { namesIn, readJsonLines } from '../files.ts'
import { camelCase, findClass, findFunction, type Tensor } from '../library.ts'
import { evaluatePython } from '../python-evaluator.ts'

type Row = { [key: string]: Json }

/** What the runner needs of an optimizer. */
interface Optimizer {
  readonly paramGroups: { lr: number; momentum?: number; betas?: number[] }[]
  step(closure?: () => Tensor): unknown
  zeroGrad(): void
  stateDict(): unknown
  loadStateDict(state: unknown): void
}

interface Scheduler {
  step(argument?: number): void
  getLastLr(): number[]
  stateDict(): unknown
  loadStateDict(state: unknown): void
}

const runners: Readonly<Record<string, (row: Row) => Promise<void>>> = {
  optimizers: runOptimizer,
  resume: runOptimizer,
  lbfgs: runLbfgs,
  schedulers: runScheduler,
  utils: runUtility,
}

export const part: Part = {
  async *cases(folder, only) {
    for (const file of namesIn(folder, '.jsonl')) {
      const run = runners[file]
      if (run === undefined) continue
      for await (const row of readJsonLines<Row>(join(folder, `${file}.jsonl`))) {
        const subject = (row.spec as Row | undefined)?.scheduler ?? row.optimizer ?? row.op
        const name = `${file}/${subject}`
        if (only(name)) yield { name, id: row.name as string, run: () => run(row) } satisfies Case
      }
    }
  },
}

const plain = new Set(['SGD', 'ASGD', 'Rprop', 'Muon'])

function toleranceOf(row: Row): Tolerance {
  const dtype = ((row.params as Row[])[0].$t as Row).dtype
  const relative = dtype === 'float64' ? 1e-10 : plain.has(row.optimizer as string) ? 1e-5 : 1e-4
  return {
    rtol: relative,
    atol: row.atol === undefined ? 0 : (decode(row.atol) as number),
    ofLargest: relative,
  }
}

function leaves(json: Json): Tensor[] {
  return (decode(json) as Tensor[]).map((x) => x.requiresGrad_())
}

function options(row: Json): Map<string, unknown> {
  return new Map(Object.entries((row ?? {}) as Row).map(([k, v]) => [k, decode(v)]))
}

function makeOptimizer(row: Row, params: readonly Tensor[]): Optimizer {
  const groups = (row.groups as Row[]).map(({ params: indices, ...rest }) => ({
    ...Object.fromEntries(Object.entries(rest).map(([k, v]) => [camelCase(k), decode(v)])),
    params: (indices as number[]).map((i) => params[i]),
  }))
  return construct(`torch.optim.${row.optimizer}`, [groups], options(row.kwargs)) as Optimizer
}

/** Ten steps from scratch, or three from a checkpoint. */
async function runOptimizer(row: Row): Promise<void> {
  findClass(`torch.optim.${row.optimizer}`)
  const tolerance = toleranceOf(row)
  const params = leaves(row.params)
  const optimizer = makeOptimizer(row, params)
  const resumed = row.state_dict_after !== undefined
  if (resumed) optimizer.loadStateDict(decode(row.state_dict))
  const after = row.after as Json[][]
  for (const [t, grads] of (row.grads as Json[][]).entries()) {
    for (const [i, grad] of grads.entries()) params[i].grad = decode(grad) as Tensor | null
    optimizer.step()
    for (const [i, expected] of after[t].entries())
      await compare(params[i].detach(), expected, tolerance, `after[${t}][${i}]`)
  }
  const expected = resumed ? row.state_dict_after : row.state_dict
  await compare(optimizer.stateDict(), expected, tolerance, 'state_dict')
}

function lbfgsLoss(name: string, x: Tensor, A: Tensor, b: Tensor): Tensor {
  switch (name) {
    case 'quadratic':
      return x.matmul(A.matmul(x)).mul(0.5).sub(b.matmul(x))
    case 'rosenbrock': {
      const [head, tail] = [x.at(':-1'), x.at('1:')]
      return tail.sub(head.pow(2)).pow(2).mul(100).add(head.neg().add(1).pow(2)).sum()
    }
    case 'tanh':
      return A.matmul(x).tanh().sub(b).pow(2).sum()
    default:
      throw new Error(`unknown function ${name}`)
  }
}

async function runLbfgs(row: Row): Promise<void> {
  const tolerance = toleranceOf(row)
  const [x] = leaves(row.params)
  const [A, b] = [decode(row.A) as Tensor, decode(row.b) as Tensor]
  const optimizer = construct('torch.optim.LBFGS', [[x]], options(row.kwargs)) as Optimizer
  // Losses shrink by orders of magnitude; like parameters they are compared relative to the largest.
  const losses = (row.losses as Json[]).map((json) => decode(json) as number)
  const lossTolerance = { rtol: 0, atol: tolerance.rtol * Math.max(...losses.map(Math.abs)) }
  for (let step = 0; step < (row.steps as number); step++) {
    const returned = optimizer.step(() => {
      optimizer.zeroGrad()
      const loss = lbfgsLoss(row.function as string, x, A, b)
      loss.backward()
      return loss
    })
    const loss = typeof returned === 'number' ? returned : (returned as Tensor).item()
    await compare(loss, (row.losses as Json[])[step], lossTolerance, `losses[${step}]`)
    await compare([x.detach()], (row.after as Json[])[step], tolerance, `after[${step}]`)
  }
  const state = at(at(optimizer.stateDict(), 'state'), 0)
  await compare(at(state, 'func_evals'), row.func_evals, tolerance, 'func_evals')
  await compare(at(state, 'n_iter'), row.n_iter, tolerance, 'n_iter')
}

function at(value: unknown, key: string | number): unknown {
  return value instanceof Map
    ? value.get(key)
    : (value as Record<string | number, unknown> | undefined)?.[key]
}

// Learning rates are doubles.
const rates: Tolerance = { rtol: 1e-12, atol: 0 }

function makeScheduler(spec: Row, optimizer: Optimizer): Scheduler {
  const name =
    spec.scheduler === 'SWALR' ? 'torch.optim.swa_utils.SWALR' : `torch.optim.lr_scheduler.${spec.scheduler}`
  findClass(name)
  const kwargs = options(spec.kwargs)
  if (spec.schedulers !== undefined) {
    const inner = (spec.schedulers as Row[]).map((one) => makeScheduler(one, optimizer))
    const args = spec.scheduler === 'ChainedScheduler' ? [inner] : [optimizer, inner]
    return construct(name, args, kwargs) as Scheduler
  }
  const args: unknown[] = [optimizer]
  if (spec.lambda !== undefined)
    args.push(Array.isArray(spec.lambda) ? spec.lambda.map(formula) : formula(spec.lambda))
  return construct(name, args, kwargs) as Scheduler
}

/** A Python formula in `epoch` as a function. */
function formula(source: Json): (epoch: number) => number {
  return (epoch) => evaluatePython(source as string, new Map([['epoch', epoch]])) as number
}

/** An optimizer with a group for each learning rate, and its scheduler. */
function makePair(row: Row): [Optimizer, Scheduler] {
  const groups = (row.lrs as Json[]).map((lr) => ({
    params: [(decode({ $zeros: { dtype: 'float32', shape: [1] } }) as Tensor).requiresGrad_()],
    lr: decode(lr),
  }))
  const optimizer = construct(
    `torch.optim.${row.optimizer}`,
    [groups],
    options(row.optimizer_kwargs),
  ) as Optimizer
  return [optimizer, makeScheduler(row.spec as Row, optimizer)]
}

function expectRates(optimizer: Optimizer, row: Row, epoch: number): void {
  const momenta = row.momentum === undefined ? undefined : (row.momentum as Json[][])[epoch]
  for (const [i, group] of optimizer.paramGroups.entries()) {
    expectNumber(group.lr, (row.lr as Json[][])[epoch][i], `lr[${epoch}][${i}]`)
    if (momenta !== undefined)
      expectNumber(group.momentum ?? group.betas?.[0], momenta[i], `momentum[${epoch}][${i}]`)
  }
}

function expectNumber(actual: unknown, json: Json, path: string): void {
  const expected = marker(json) === null ? (json as number) : decodeFloat((json as Row).$f)
  if (typeof actual !== 'number' || !close(actual, expected, rates))
    throw new Mismatch(`${path}: expected ${expected}, got ${actual}`)
}

function advance(optimizer: Optimizer, scheduler: Scheduler, row: Row, epoch: number): void {
  optimizer.step()
  const series = (row.metrics ?? row.step_arguments) as Json[] | undefined
  if (series === undefined) scheduler.step()
  else scheduler.step(decode(series[epoch]) as number)
}

async function runScheduler(row: Row): Promise<void> {
  findClass(`torch.optim.${row.optimizer}`)
  const [optimizer, scheduler] = makePair(row)
  const epochs = row.epochs as number
  expectRates(optimizer, row, 0)
  for (let epoch = 0; epoch < epochs; epoch++) {
    advance(optimizer, scheduler, row, epoch)
    expectRates(optimizer, row, epoch + 1)
  }
  await compare(scheduler.getLastLr(), row.last_lr, rates, 'last_lr')
  await compareState(scheduler.stateDict(), row.state_dict)

  // A fresh pair that takes up the checkpoint goes on in the same way.
  const checkpoint = row.checkpoint as Row | undefined
  if (checkpoint === undefined) return
  const [optimizer2, scheduler2] = makePair(row)
  scheduler2.loadStateDict(decode(checkpoint.scheduler))
  optimizer2.loadStateDict(decode(checkpoint.optimizer))
  for (let epoch = checkpoint.epoch as number; epoch < epochs; epoch++) {
    expectRates(optimizer2, row, epoch)
    advance(optimizer2, scheduler2, row, epoch)
  }
  expectRates(optimizer2, row, epochs)
}

/** Private entries change between releases, so they count only where the library writes them. Functions are left out. */
async function compareState(actual: unknown, expected: Json): Promise<void> {
  for (const [key, value] of (expected as { $dict: [string, Json][] }).$dict) {
    const got = at(actual, key)
    if (key.startsWith('_') && got === undefined) continue
    if (key === '_schedulers')
      for (const [i, inner] of (value as Json[]).entries()) await compareState((got as unknown[])[i], inner)
    else await compare(got, value, rates, `state_dict.${key}`)
  }
}

async function runUtility(row: Row): Promise<void> {
  const name = `torch.nn.utils.${row.op}`
  findFunction(name)
  const tolerance = toleranceOf(row)
  const params = leaves(row.params)
  const grads = (row.grads as Json[]).map((grad) => decode(grad) as Tensor | null)
  params.forEach((param, i) => {
    param.grad = grads[i]
  })
  const vector = row.vector === undefined ? [] : [decode(row.vector)]
  const args: Readonly<Record<string, unknown[]>> = {
    get_total_norm: [grads.filter((grad) => grad !== null)],
    vector_to_parameters: [...vector, params],
  }
  const returned = callFunction(name, args[row.op as string] ?? [params], options(row.kwargs))
  if (row.returned !== undefined) await compare(returned, row.returned, tolerance, 'returned')
  if (row.op === 'parameters_to_vector') await compare(returned, row.vector, tolerance, 'vector')
  for (const [i, expected] of ((row.grads_after ?? []) as Json[]).entries())
    await compare(params[i].grad, expected, tolerance, `grads_after[${i}]`)
  for (const [i, expected] of ((row.params_after ?? []) as Json[]).entries())
    await compare(params[i].detach(), expected, tolerance, `params_after[${i}]`)
}
