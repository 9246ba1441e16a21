// The part `files`: checkpoints to read and files to refuse, among them hostile and damaged ones.

import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Case, isInternal, Mismatch, type Part } from '../case.ts'
import { compare } from '../compare.ts'
import { compareContent, follow, requireKinds, StorageCheck, type TensorFacts } from '../content.ts'
import { decode, type Json } from '../decode.ts'
import { readJsonLines } from '../files.ts'
import { type AnyFunction, findFunction } from '../library.ts'

interface Entry {
  file: string
  format: string
  expect: 'content' | 'error' | 'content-or-error' | 'load-or-error' | 'same-content-or-error'
  expected?: string
  mention?: string[]
  whole_module?: boolean
  content?: Json
}

interface Expected {
  content: Json
  /** For a whole module in evaluation mode: an input and what the module makes of it. */
  check?: { input: Json; output: Json }
  tensors?: (TensorFacts & { path: string })[]
  metadata?: { [path: string]: Json }
}

interface Mutation {
  base: string
  truncate_to?: number
  flip_byte?: number
  flip_bit?: number
  expect: Entry['expect']
}

export const part: Part = {
  async *cases(folder, only) {
    for await (const entry of readJsonLines<Entry>(join(folder, 'index.jsonl')))
      yield* caseOf(folder, entry, only)
    for await (const entry of readJsonLines<Entry>(join(folder, 'hostile/index.jsonl')))
      yield* caseOf(folder, entry, only)
    const contents = new Map<string, Json>()
    for await (const entry of readJsonLines<Entry>(join(folder, 'hostile/index.jsonl')))
      if (entry.content !== undefined) contents.set(entry.file, entry.content)
    let i = 0
    for await (const mutation of readJsonLines<Mutation>(join(folder, 'hostile/mutations.jsonl'))) {
      const id = `${i++}: ${JSON.stringify(mutation)}`
      const run = () => runMutation(folder, mutation, contents.get(mutation.base) ?? null)
      if (only('mutations')) yield { name: 'mutations', id, run } satisfies Case
    }
  },
}

function* caseOf(folder: string, entry: Entry, only: (name: string) => boolean): Generator<Case> {
  const name = entry.file.split('/')[0]
  if (only(name) || only(entry.file)) yield { name, id: entry.file, run: () => runFile(folder, entry) }
}

/** The function that reads a format. Throws `Unsupported` where the library has none. */
export function loaderOf(format: string): AnyFunction {
  if (format === 'safetensors') return findFunction('torch.safetensors.load_file')
  if (format === 'npy' || format === 'npz') return findFunction('torch.npy.load')
  return findFunction('torch.load')
}

const sentinel = '/tmp/hostile-checkpoint-ran'
const secondsAllowed = 20

/** Loads, and checks that nothing else happened. */
async function attempt(load: () => unknown): Promise<{ value: unknown } | { error: Error }> {
  const before = Reflect.ownKeys(Object.prototype).length
  const start = performance.now()
  let outcome: { value: unknown } | { error: Error }
  try {
    outcome = { value: await load() }
  } catch (error) {
    if (!(error instanceof Error)) throw new Mismatch(`threw ${String(error)}`)
    outcome = { error }
  }
  const seconds = (performance.now() - start) / 1000
  if (existsSync(sentinel)) throw new Mismatch(`code of a checkpoint ran: ${sentinel} exists`)
  if (Reflect.ownKeys(Object.prototype).length !== before) throw new Mismatch('Object.prototype has changed')
  if (seconds > secondsAllowed) throw new Mismatch(`took ${seconds.toFixed(1)} s`)
  if ('error' in outcome && isInternal(outcome.error)) throw outcome.error
  return outcome
}

async function runFile(folder: string, entry: Entry): Promise<void> {
  const load = loaderOf(entry.format)
  const expected: Expected | null =
    entry.expected !== undefined
      ? (JSON.parse(readFileSync(join(folder, entry.expected), 'utf8')) as Expected)
      : entry.content !== undefined
        ? { content: entry.content }
        : null
  const options = entry.whole_module ? [{ weightsOnly: false }] : []
  const outcome = await attempt(() => load(join(folder, entry.file), ...options))
  if ('error' in outcome) {
    if (entry.expect === 'content') {
      if (expected !== null) requireKinds(expected.content)
      throw outcome.error
    }
    for (const word of entry.mention ?? [])
      if (entry.expect === 'error' && !outcome.error.message.includes(word))
        throw new Mismatch(`the error does not mention ${word}: ${outcome.error.message}`)
    return
  }
  if (entry.expect === 'error') throw new Mismatch('expected an error, but it was loaded')
  if (entry.expect === 'load-or-error' || expected === null) return
  await checkContent(outcome.value, expected)
}

async function checkContent(value: unknown, expected: Expected): Promise<void> {
  await compareContent(value, expected.content)
  const storages: StorageCheck = new StorageCheck()
  for (const { path, ...facts } of expected.tensors ?? []) {
    const keys = path === '' || path === '/' ? [] : path.slice(1).split('/')
    storages.check(follow(value, keys), facts, path)
  }
  if (expected.check !== undefined) await checkModule(value as AnyFunction, expected.check)
  if (expected.tensors === undefined) return
  for (const [path, metadata] of Object.entries(expected.metadata ?? {})) {
    const keys = path === '' || path === '/' ? [] : path.slice(1).split('/')
    const state = follow(value, keys) as { _metadata?: unknown } | undefined
    const got = JSON.stringify(plain(state?._metadata))
    if (got !== JSON.stringify(metadata))
      throw new Mismatch(`${path}: expected _metadata ${JSON.stringify(metadata)}, got ${got}`)
  }
}

// What kernels of other libraries add up in another order.
const tolerance = { rtol: 1e-5, atol: 1e-6 }

async function checkModule(module: AnyFunction, check: { input: Json; output: Json }): Promise<void> {
  const result = module(decode(check.input))
  // Of a recurrent network the first result is recorded.
  await compare(Array.isArray(result) ? result[0] : result, check.output, tolerance, 'the output')
}

function plain(value: unknown): unknown {
  if (value instanceof Map) return Object.fromEntries([...value].map(([k, v]) => [k, plain(v)]))
  return value
}

async function runMutation(folder: string, mutation: Mutation, content: Json): Promise<void> {
  const load = loaderOf('zip')
  let bytes = new Uint8Array(readFileSync(join(folder, mutation.base)))
  if (mutation.truncate_to !== undefined) bytes = bytes.slice(0, mutation.truncate_to)
  if (mutation.flip_byte !== undefined) bytes[mutation.flip_byte] ^= 1 << (mutation.flip_bit ?? 0)
  const outcome = await attempt(() => load(bytes))
  if ('error' in outcome || mutation.expect === 'load-or-error') return
  if (mutation.expect === 'error') throw new Mismatch('expected an error, but it was loaded')
  await compareContent(outcome.value, content)
}
