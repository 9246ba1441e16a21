// The part `random`: what the generator draws, call after call without reseeding.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Generator } from '../../../src/random/generator.ts'
import { callFunction, callMethod, construct } from '../adapt.ts'
import { type Case, Mismatch, type Part } from '../case.ts'
import { bytesOf, compare, exact, isTensor, show, type Tolerance } from '../compare.ts'
import { type Decoding, decode, type Json, marker } from '../decode.ts'
import { namesIn, readJsonLines } from '../files.ts'
import { type AnyFunction, findFunction, type Module, type Tensor, torch } from '../library.ts'

interface Call {
  op: string
  args: Json[]
  kwargs: { [name: string]: Json }
  out: Json
}

interface RandomCase {
  name: string
  seed: number
  calls: Call[]
}

export const part: Part = {
  async *cases(folder, only) {
    for (const name of namesIn(folder, '.jsonl')) {
      for await (const one of readJsonLines<RandomCase>(join(folder, `${name}.jsonl`)))
        if (only(name) || only(one.name) || one.calls.some((call) => only(call.op)))
          yield { name, id: one.name, run: () => runSequence(one) } satisfies Case
    }
  },
}

/** What the calls of one case share: generators and saved states, by name. */
class Session {
  readonly generators = new Map<string, Generator>()
  readonly states = new Map<string, Tensor>()
  readonly decoding: Decoding = { kinds: { $gen: (name) => this.generators.get(name as string) } }

  run({ op, args: jsonArgs, kwargs: jsonKwargs }: Call): unknown {
    const args = jsonArgs.map((arg) => decode(arg, this.decoding))
    const kwargs = new Map(Object.entries(jsonKwargs).map(([k, v]) => [k, decode(v, this.decoding)]))
    const special = this.specials[op]
    if (special !== undefined) return special(args, kwargs)
    if (op.startsWith('Tensor.')) return callMethod(args[0] as Tensor, op.slice(7), args.slice(1), kwargs)
    if (op.startsWith('nn.init.')) return callFunction(`torch.${op}`, args, kwargs)
    if (op.startsWith('nn.')) return (construct(`torch.${op}`, args, kwargs) as Module).stateDict()
    if (op.startsWith('F.')) return callFunction(`torch.nn.functional.${op.slice(2)}`, args, kwargs)
    return callFunction(`torch.${op}`, args, kwargs)
  }

  /** Operations that are not plain functions of PyTorch's. */
  private readonly specials: Readonly<
    Record<string, (args: unknown[], kwargs: Map<string, unknown>) => unknown>
  > = {
    Generator: (_, kwargs) => {
      const generator = construct('torch.Generator', []) as Generator
      generator.manualSeed(kwargs.get('seed') as number)
      this.generators.set(kwargs.get('name') as string, generator)
      return null
    },
    'Generator.get_state': (_, kwargs) => this.generators.get(kwargs.get('name') as string)?.getState(),
    'Generator.set_state': (_, kwargs) => {
      const state = this.states.get(kwargs.get('state') as string) as Tensor
      this.generators.get(kwargs.get('name') as string)?.setState(state)
      return null
    },
    initial_seed: (_, kwargs) => {
      const name = kwargs.get('generator_name')
      return name === undefined ? torch.initialSeed() : this.generators.get(name as string)?.initialSeed()
    },
    get_rng_state: (_, kwargs) => {
      const state = callFunction('torch.get_rng_state', []) as Tensor
      this.states.set(kwargs.get('name') as string, state)
      return kwargs.get('show') === false ? null : state
    },
    set_rng_state: (_, kwargs) => {
      callFunction('torch.set_rng_state', [this.states.get(kwargs.get('name') as string)])
      return null
    },
    manual_seed: ([seed]) => {
      callFunction('torch.manual_seed', [seed])
      return null
    },
    Sequential: ([triples]) => {
      const layers = (triples as [string, unknown[], Map<string, unknown>][]).map(([name, args, kwargs]) =>
        construct(`torch.nn.${name}`, args, kwargs),
      )
      return (construct('torch.nn.Sequential', layers) as Module).stateDict()
    },
    'DataLoader.order': ([n, batchSize, epochs], kwargs) => {
      const sampler = kwargs.get('sampler')
      const options = new Map(kwargs).set('batch_size', batchSize)
      if (sampler === undefined) options.set('shuffle', true)
      else options.set('sampler', construct('torch.utils.data.SubsetRandomSampler', [sampler]))
      const loader = construct('torch.utils.data.DataLoader', [countTo(n)], options) as Iterable<[Tensor]>
      return Array.from({ length: epochs as number }, () => Array.from(loader, ([batch]) => batch.tolist()))
    },
    RandomSampler: ([n], kwargs) => [
      ...(construct('torch.utils.data.RandomSampler', [countTo(n)], kwargs) as Iterable<number>),
    ],
    SubsetRandomSampler: (args) => [
      ...(construct('torch.utils.data.SubsetRandomSampler', args) as Iterable<number>),
    ],
    WeightedRandomSampler: (args, kwargs) => [
      ...(construct('torch.utils.data.WeightedRandomSampler', args, kwargs) as Iterable<number>),
    ],
    BatchSampler: ([n, batchSize, dropLast]) => {
      const sampler = construct('torch.utils.data.RandomSampler', [countTo(n)])
      return [
        ...(construct('torch.utils.data.BatchSampler', [sampler, batchSize, dropLast]) as Iterable<number[]>),
      ]
    },
    random_split: ([n, lengths], kwargs) =>
      (
        callFunction('torch.utils.data.random_split', [countTo(n), lengths], kwargs) as {
          indices: number[]
        }[]
      ).map((subset) => [...subset.indices]),
  }
}

/** The data set 0, 1, ..., n - 1. */
function countTo(n: unknown): unknown {
  return construct('torch.utils.data.TensorDataset', [(findFunction('torch.arange') as AnyFunction)(n)])
}

async function runSequence(one: RandomCase): Promise<void> {
  const session = new Session()
  torch.manualSeed(one.seed)
  for (const [i, call] of one.calls.entries()) {
    const out = session.run(call)
    const path = `call ${i}, ${call.op}`
    const marked = marker(call.out)
    if (marked?.[0] === '$t_digest') await compareDigest(out, marked[1] as unknown as Digest, path)
    else if (isDraw(call)) await compare(out, call.out, toleranceOf(call), path)
  }
}

/** Whether a call has a result of its own to compare. */
function isDraw(call: Call): boolean {
  return call.out !== null
}

interface Digest {
  dtype: string
  shape: number[]
  sha256: string
}

async function compareDigest(out: unknown, expected: Digest, path: string): Promise<void> {
  if (!isTensor(out)) throw new Mismatch(`${path}: expected a tensor, got ${show(out)}`)
  if (out.dtype.name !== expected.dtype || [...out.shape].join() !== expected.shape.join())
    throw new Mismatch(`${path}: expected ${expected.dtype} [${expected.shape}], got ${show(out)}`)
  const sha256 = createHash('sha256')
    .update(await bytesOf(out))
    .digest('hex')
  if (sha256 !== expected.sha256) throw new Mismatch(`${path}: other numbers than recorded (sha256 differs)`)
}

/** Draws that pass through log, sin, cos, exp, tan or erfinv. All others must be equal to the bit. */
const transcendental =
  /^(randn|randn_like|normal|Tensor\.(normal_|exponential_|log_normal_|cauchy_)|nn\.init\.(normal_|xavier_normal_|kaiming_normal_|trunc_normal_|sparse_)|nn\.Embedding(Bag)?|F\.alpha_dropout|F\.feature_alpha_dropout)$/

const ulps: Readonly<Record<string, number>> = {
  float16: 2 ** -10,
  bfloat16: 2 ** -7,
  float32: 2 ** -23,
  float64: 2 ** -52,
}

/** How close a draw has to be, by the README: equal, or 2 ulp of the value before a shift, or as close as a matrix product. */
function toleranceOf(call: Call): Tolerance {
  if (call.op === 'nn.init.orthogonal_')
    return { rtol: 0, atol: dtypeOf(call.out) === 'float64' ? 1e-12 : 1e-5 }
  if (call.op === 'F.scaled_dot_product_attention') return { rtol: 1e-6, atol: 1e-6 }
  if (call.op === 'F.gumbel_softmax') return { rtol: 1e-6, atol: 1e-6 }
  if (!transcendental.test(call.op)) return exact
  const ulp = ulps[dtypeOf(call.out)] ?? 0
  const bounds = call.args.map((arg) => (marker(arg)?.[0] === '$f' ? Math.abs(decode(arg) as number) : 0))
  return { rtol: 2 * ulp, atol: 2 * ulp * Math.max(0, ...bounds) }
}

function dtypeOf(out: Json): string {
  const marked = marker(out)
  if (marked?.[0] === '$t') return (marked[1] as { dtype: string }).dtype
  if (marked?.[0] === '$odict') return dtypeOf((marked[1] as [string, Json][])[0][1])
  return ''
}
