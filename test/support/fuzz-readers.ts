// Damaged and random inputs for every reader of files, from a seed, and what must hold whatever comes of each: a value or
// an error of the library's own, quickly, with memory in proportion to the input.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { unzipSync, zipSync } from 'fflate'
import * as torch from '../../src/index.ts'

/** Files that readers accept, from which inputs are made. */
export interface Corpus {
  readonly zip: readonly Uint8Array[]
  readonly legacy: readonly Uint8Array[]
  readonly safetensors: readonly Uint8Array[]
  readonly npy: readonly Uint8Array[]
  readonly npz: readonly Uint8Array[]
}

/** What to read an input with. */
export type ReaderName = keyof Corpus | 'modules'

const readers: Readonly<Record<ReaderName, (bytes: Uint8Array) => unknown>> = {
  zip: (bytes) => torch.load(bytes),
  legacy: (bytes) => torch.load(bytes),
  modules: (bytes) => torch.load(bytes, { weightsOnly: false }),
  safetensors: (bytes) => torch.safetensors.load(bytes),
  npy: (bytes) => torch.npy.load(bytes),
  npz: (bytes) => torch.npy.load(bytes),
}
const readerNames = Object.keys(readers) as ReaderName[]

/** Files made by the library itself; with a folder of the conformance data, also small ones that others wrote. */
export function makeCorpus(folder?: string): Corpus {
  const state = new torch.nn.Sequential(new torch.nn.Linear(3, 2), new torch.nn.BatchNorm1d(2)).stateDict()
  const optimizer = { step: 3, lr: 0.1, betas: torch.Tuple.of(0.9, 0.999), name: 'adam', big: 2n ** 80n }
  const tensors = { x: torch.rand(3, 4), y: torch.arange(5), z: torch.tensor([true, false]) }
  const file = torch.saveToBytes({ state, optimizer, bytes: new Uint8Array([1, 2]), set: new Set(['a']) })
  const corpus = {
    zip: [file, torch.saveToBytes([torch.ones(2).expand(3, 2), null, 'text'])],
    legacy: [] as Uint8Array[],
    safetensors: [
      torch.safetensors.save(tensors, { metadata: { format: 'pt' } }),
      torch.safetensors.save({ 'a.weight': torch.rand(2, 2) }),
    ],
    npy: [torch.npy.saveToBytes(tensors.x), torch.npy.saveToBytes(tensors.y)],
    npz: [
      torch.npy.savezToBytes(tensors),
      zipSync({ 'x.npy': torch.npy.saveToBytes(tensors.x) }, { level: 6 }),
    ],
  }
  if (folder === undefined) return corpus
  const recorded = (part: string, ending: string) =>
    readdirSync(join(folder, part))
      .filter((name) => name.endsWith(ending) && !name.startsWith('bad_'))
      .map((name) => readFileSync(join(folder, part, name)))
      .filter((bytes) => bytes.length < 40_000)
  return {
    zip: [...corpus.zip, ...recorded('zip', '.pt'), ...recorded('zip_1_13', '.pt')],
    legacy: [...recorded('legacy', '.pt'), ...recorded('legacy_1_13', '.pt')],
    safetensors: [...corpus.safetensors, ...recorded('safetensors', '.safetensors')],
    npy: [...corpus.npy, ...recorded('numpy', '.npy')],
    npz: [...corpus.npz, ...recorded('numpy', '.npz')],
  }
}

/** A small generator of random numbers (mulberry32), so that an input can be made again from its number. */
function randomOf(seed: number): (below: number) => number {
  let a = seed >>> 0
  return (below) => {
    a = (a + 0x6d2b79f5) | 0
    let t = Math.imul(a ^ (a >>> 15), 1 | a)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
}

type Random = (below: number) => number

// Numbers at which readers go wrong: lengths and counts near limits, signs, opcodes of pickles.
const telling = [
  0, 1, 2, 0x7f, 0x80, 0xfe, 0xff, 0x28, 0x29, 0x2e, 0x51, 0x52, 0x62, 0x63, 0x74, 0x81, 0x85, 0x86, 0x93,
  0x94,
]
const tellingWords = [
  0, 1, 0xff, 0xffff, 0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff, 0x04034b50, 0x02014b50,
]

const mutations: readonly ((bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array)[] = [
  // One bit.
  (bytes, random) => {
    bytes[random(bytes.length)] ^= 1 << random(8)
    return bytes
  },
  // One byte.
  (bytes, random) => {
    bytes[random(bytes.length)] = random(2) === 0 ? random(256) : telling[random(telling.length)]
    return bytes
  },
  // A number of four or eight bytes.
  (bytes, random) => {
    const wide = random(2) === 0
    if (bytes.length < 8) return bytes
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const at = random(bytes.length - 7)
    view.setUint32(at, tellingWords[random(tellingWords.length)], true)
    if (wide) view.setUint32(at + 4, tellingWords[random(tellingWords.length)], true)
    return bytes
  },
  // Cut off.
  (bytes, random) => bytes.slice(0, random(bytes.length)),
  // A part taken out, or repeated.
  (bytes, random) => {
    const start = random(bytes.length)
    const end = Math.min(bytes.length, start + 1 + random(64))
    const rest = bytes.subarray(random(2) === 0 ? end : start)
    return concatenated(bytes.subarray(0, end), rest)
  },
  // A part of another file.
  (bytes, random, other) => {
    const start = random(other.length)
    const part = other.subarray(start, start + 1 + random(200))
    const at = random(bytes.length)
    return concatenated(bytes.subarray(0, at), part, bytes.subarray(at + random(200)))
  },
]

function concatenated(...parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let position = 0
  for (const part of parts) {
    result.set(part, position)
    position += part.length
  }
  return result
}

const unpacked = new WeakMap<Uint8Array, Record<string, Uint8Array> | null>()

function entriesOf(file: Uint8Array): Record<string, Uint8Array> | null {
  let entries = unpacked.get(file)
  if (entries === undefined) {
    try {
      entries = unzipSync(file)
    } catch {
      entries = null
    }
    unpacked.set(file, entries)
  }
  return entries
}

/**
 * The entries of a zip file are guarded by sums, so one of them is changed and all are packed again: mostly the
 * pickle, which says what the others mean. Null for what no other reader of zip files opens.
 */
function repacked(
  file: Uint8Array,
  random: Random,
  change: (bytes: Uint8Array) => Uint8Array,
): Uint8Array | null {
  const entries = entriesOf(file)
  if (entries === null) return null
  const names = Object.keys(entries)
  const pickle = names.find((name) => name.endsWith('data.pkl'))
  const name = pickle !== undefined && random(8) > 0 ? pickle : names[random(names.length)]
  if (name === undefined) return null
  return zipSync({ ...entries, [name]: change(entries[name]) }, { level: random(20) === 0 ? 1 : 0 })
}

/** One input, and the reader that it is for. */
export interface FuzzInput {
  readonly reader: ReaderName
  readonly bytes: Uint8Array
}

/** The input of a number: always the same from the same corpus. */
export function makeInput(corpus: Corpus, number: number): FuzzInput {
  const random = randomOf(Math.imul(number, 0x9e3779b1) ^ 0x5bd1e995)
  const reader = readerNames[random(readerNames.length)]
  const files = corpus[reader === 'modules' ? 'zip' : reader]
  if (files.length === 0 || random(40) === 0) {
    const bytes = Uint8Array.from({ length: random(400) }, () => random(256))
    // What the reader looks at first.
    const magic = {
      zip: 'PK\x03\x04',
      modules: '\x80\x02',
      legacy: '\x80\x02',
      npy: '\x93NUMPY\x01\0',
      npz: 'PK',
      safetensors: '',
    }
    for (let i = 0; i < Math.min(bytes.length, magic[reader].length); i++)
      bytes[i] = magic[reader].charCodeAt(i)
    return { reader, bytes }
  }
  const other = files[random(files.length)]
  const change = (original: Uint8Array): Uint8Array => {
    let bytes: Uint8Array = original.slice()
    for (let times = random(3) === 0 ? 1 + random(5) : 1; times > 0 && bytes.length > 0; times--)
      bytes = mutations[random(mutations.length)](bytes, random, other)
    return bytes
  }
  const file = files[random(files.length)]
  if (reader !== 'legacy' && random(3) > 0) {
    const bytes = repacked(file, random, change)
    if (bytes !== null) return { reader, bytes }
  }
  return { reader, bytes: change(file) }
}

/** How much of the processor's time one input may take, in milliseconds; most take less than one. */
const timeAllowed = 5000
/** Bytes of memory that an input may take, besides a fixed amount, for each of its own. */
const memoryAllowed = 64

/** Reads an input. Returns whether it was loaded; throws an Error that says what must not happen and did. */
export function tryInput({ reader, bytes }: FuzzInput): boolean {
  const original = bytes.slice()
  const start = process.cpuUsage()
  let loaded = true
  try {
    checkMemory(readers[reader](bytes), bytes.length)
  } catch (error) {
    loaded = false
    const isOwn = error instanceof torch.TorchError && !(error instanceof torch.OutOfMemoryError)
    if (!isOwn) throw new Error(`${reader}: threw ${describe(error)}`, { cause: error })
    if (error.message.length < 10 || error.message.length > 3000)
      throw new Error(
        `${reader}: a message of ${error.message.length} characters: ${error.message.slice(0, 200)}`,
      )
  }
  const { user, system } = process.cpuUsage(start)
  const time = (user + system) / 1000
  if (time > timeAllowed) throw new Error(`${reader}: took ${time.toFixed(0)} ms of processor time`)
  if (Buffer.compare(original, bytes) !== 0) throw new Error(`${reader}: changed its input`)
  const added = Reflect.ownKeys(Object.prototype).filter((key) => !ownKeys.has(key))
  if (added.length > 0) throw new Error(`${reader}: Object.prototype has ${String(added)}`)
  return loaded
}

const ownKeys = new Set(Reflect.ownKeys(Object.prototype))

function describe(error: unknown): string {
  return error instanceof Error
    ? `${error.constructor.name}: ${error.message}\n${error.stack}`
    : String(error)
}

/** What was loaded may hold no more memory than the input explains; views of one storage count once. */
function checkMemory(value: unknown, length: number): void {
  const storages = new Set<{ nbytes: number }>()
  const seen = new Set<unknown>()
  const open: unknown[] = [value]
  while (open.length > 0) {
    const item = open.pop()
    if (item === null || typeof item !== 'object' || seen.has(item)) continue
    seen.add(item)
    if (item instanceof torch.Tensor) storages.add(item.storage)
    else if (item instanceof Map) for (const pair of item) open.push(...pair)
    else if (Array.isArray(item) || item instanceof Set) for (const inner of item) open.push(inner)
  }
  let total = 0
  for (const { nbytes } of storages) total += nbytes
  // Deflated entries may grow a thousandfold.
  if (total > 1100 * length) throw new Error(`${total} bytes of tensors from a file of ${length}`)
  if (seen.size > memoryAllowed * length + 10_000) throw new Error(`${seen.size} values from ${length} bytes`)
}
