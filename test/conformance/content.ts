// Comparing the content of a checkpoint with what is recorded of it: kinds of containers, values, tensors that share memory.

import { Tuple } from '../../src/core/python.ts'
import { Mismatch } from './case.ts'
import { compare, exact, isTensor, show } from './compare.ts'
import { decode, decodeFloat, type Json, marker } from './decode.ts'
import { bytesOfBase64, itemSize } from './elements.ts'
import { find, type Module, type Tensor, torch } from './library.ts'

/** Throws `Unsupported` if recorded content has a dtype or a kind of value that the library lacks. */
export function requireKinds(json: Json): void {
  if (json === null || typeof json !== 'object') return
  if (Array.isArray(json)) {
    for (const item of json) requireKinds(item)
    return
  }
  const marked = marker(json)
  if (marked?.[0] === '$t') itemSize((marked[1] as { dtype: string }).dtype)
  else for (const value of Object.values(json)) requireKinds(value)
}

function mismatch(path: string, expected: string, actual: unknown): Mismatch {
  return new Mismatch(`${path || '/'}: expected ${expected}, got ${show(actual)}`)
}

/** Throws a `Mismatch` unless a loaded value is the recorded one: the same kinds, values and order. */
export async function compareContent(actual: unknown, expected: Json, path = ''): Promise<void> {
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual instanceof Tuple) throw mismatch(path, 'a list', actual)
    return compareItems(actual, expected, path)
  }
  const marked = marker(expected)
  if (marked === null) {
    const value = typeof actual === 'bigint' ? Number(actual) : actual
    if (!Object.is(value, expected)) throw mismatch(path, JSON.stringify(expected), actual)
    return
  }
  const [kind, content] = marked
  switch (kind) {
    case '$t':
    case '$dtype':
      return compare(actual, expected, exact, path)
    case '$f':
      if (!Object.is(actual, decodeFloat(content))) throw mismatch(path, `the float ${content}`, actual)
      return
    case '$i':
      if (
        (typeof actual !== 'bigint' && typeof actual !== 'number') ||
        BigInt(actual) !== BigInt(content as string)
      )
        throw mismatch(path, `the int ${content}`, actual)
      return
    case '$c': {
      const { re, im } = (actual ?? {}) as { re?: unknown; im?: unknown }
      const [wantRe, wantIm] = (content as Json[]).map(decodeFloat)
      if (!Object.is(re, wantRe) || !Object.is(im, wantIm))
        throw mismatch(path, `complex(${wantRe}, ${wantIm})`, actual)
      return
    }
    case '$tuple':
      if (!(actual instanceof Tuple)) throw mismatch(path, 'a tuple', actual)
      return compareItems(actual, content as Json[], path)
    case '$size':
      if (String(actual) !== `torch.Size([${(content as number[]).join(', ')}])`)
        throw mismatch(path, `torch.Size([${content}])`, actual)
      return
    case '$device':
      if (String(actual) !== content) throw mismatch(path, `the device ${content}`, actual)
      return
    case '$bytes': {
      const want = Buffer.from(bytesOfBase64(content as string))
      if (!(actual instanceof Uint8Array) || want.compare(actual) !== 0) throw mismatch(path, 'bytes', actual)
      return
    }
    case '$set':
      return compareSet(actual, content as Json[], path)
    case '$dict':
    case '$odict':
      return compareDict(actual, content as [Json, Json][], kind === '$odict', path)
    case '$namespace':
      return compareNamespace(actual, content, path)
    case '$parameter': {
      const { requires_grad, value } = content as { requires_grad: boolean; value: Json }
      const Parameter = find('torch.nn.Parameter') as new () => Tensor
      if (!(actual instanceof Parameter)) throw mismatch(path, 'a parameter', actual)
      if (actual.requiresGrad !== requires_grad)
        throw mismatch(path, `requires_grad=${requires_grad}`, actual)
      return compare(actual.detach(), value, exact, path)
    }
    case '$module':
      return compareModule(actual, content as unknown as RecordedModule, path)
    default:
      throw new Error(`unknown kind of recorded content: ${kind}`)
  }
}

interface RecordedModule {
  class: string
  training: boolean
  text: string
  parameters: [string, Json][]
  buffers: [string, Json][]
}

async function compareModule(actual: unknown, expected: RecordedModule, path: string): Promise<void> {
  const className = expected.class.slice(expected.class.lastIndexOf('.') + 1)
  if (!(actual instanceof torch.nn.Module) || actual.constructor.name !== className)
    throw mismatch(path, `a module ${className}`, actual)
  if (actual.training !== expected.training)
    throw mismatch(path, `training=${expected.training}`, !expected.training)
  if (String(actual) !== expected.text) throw mismatch(path, expected.text, String(actual))
  // Parameters without a shape yet are not recorded.
  const parameters = [...actual.namedParameters()].filter(([, parameter]) => !torch.nn.isLazy(parameter))
  await compareDict(new Map(parameters), expected.parameters, false, path)
  await compareDict(new Map(actual.namedBuffers()), expected.buffers, false, path)
}

async function compareItems(
  actual: readonly unknown[],
  expected: readonly Json[],
  path: string,
): Promise<void> {
  if (actual.length !== expected.length) throw mismatch(path, `${expected.length} items`, actual)
  for (const [i, item] of expected.entries()) await compareContent(actual[i], item, `${path}/${i}`)
}

async function compareSet(actual: unknown, expected: readonly Json[], path: string): Promise<void> {
  if (!(actual instanceof Set)) throw mismatch(path, 'a set', actual)
  const sorted = (items: Iterable<unknown>) => Array.from(items, (item) => show(item)).sort()
  const want = sorted(expected.map((item) => decode(item)))
  if (sorted(actual).join('\n') !== want.join('\n')) throw mismatch(path, `the set ${want}`, [...actual])
}

async function compareDict(
  actual: unknown,
  expected: readonly [Json, Json][],
  ordered: boolean,
  path: string,
): Promise<void> {
  if (!(actual instanceof Map)) throw mismatch(path, 'a dict', actual)
  if (ordered === (actual.constructor === Map))
    throw mismatch(path, ordered ? 'an OrderedDict' : 'a dict', actual)
  const entries = [...actual]
  if (entries.length !== expected.length)
    throw mismatch(path, `${expected.length} entries`, [...actual.keys()])
  for (const [i, [key, value]] of expected.entries()) {
    await compareContent(entries[i][0], key, `${path} (key ${i})`)
    await compareContent(entries[i][1], value, `${path}/${show(entries[i][0])}`)
  }
}

/** An `argparse.Namespace`: its attributes, whether they are kept in a Map or as fields. */
async function compareNamespace(actual: unknown, expected: Json, path: string): Promise<void> {
  if (actual === null || typeof actual !== 'object') throw mismatch(path, 'a namespace', actual)
  const marked = marker(expected)
  const pairs = (
    marked === null ? (Array.isArray(expected) ? expected : Object.entries(expected as object)) : marked[1]
  ) as [Json, Json][]
  const attributes = actual instanceof Map ? actual : new Map(Object.entries(actual))
  for (const [key, value] of pairs) {
    const name = typeof key === 'string' ? key : String(decode(key))
    await compareContent(attributes.get(name), value, `${path}/${name}`)
  }
}

/** The value at a path of keys and indices; undefined where there is none. Keys of dicts need not be strings. */
export function follow(root: unknown, path: readonly string[]): unknown {
  if (path.length === 0) return root
  const match = (child: unknown, used: number) => follow(child, path.slice(used))
  if (root instanceof Map) {
    // A key may itself contain the separator: take whichever key leads on.
    for (const [key, value] of root) {
      const parts = String(key).split('/')
      if (parts.every((part, i) => part === path[i])) {
        const found = match(value, parts.length)
        if (found !== undefined) return found
      }
    }
    return undefined
  }
  if (Array.isArray(root)) return match(root[Number(path[0])], 1)
  if (root instanceof torch.nn.Module) return stateOf(root).get(path.join('/'))
  if (root !== null && typeof root === 'object' && !isTensor(root))
    return match((root as Record<string, unknown>)[path[0]], 1)
  return undefined
}

function stateOf(module: Module): Map<string, Tensor> {
  const parameters = module.namedParameters({ removeDuplicate: false })
  return new Map<string, Tensor>([...parameters, ...module.namedBuffers({ removeDuplicate: false })])
}

/** What is recorded of a tensor besides its elements. */
export interface TensorFacts {
  dtype: string
  shape: number[]
  stride?: number[]
  offset?: number
  storage?: number
  requires_grad?: boolean
  parameter?: boolean
}

/** Checks layouts, and that exactly the tensors with equal storage numbers share their memory. */
export class StorageCheck {
  private readonly storages = new Map<number, unknown>()
  private readonly numbers = new Map<unknown, number>()

  check(actual: unknown, facts: TensorFacts, path: string): asserts actual is Tensor {
    if (!isTensor(actual)) throw mismatch(path, 'a tensor', actual)
    const got: Record<string, unknown> = {
      dtype: actual.dtype.name,
      shape: [...actual.shape],
      stride: actual.stride(),
      offset: actual.storageOffset(),
      requires_grad: actual.requiresGrad,
    }
    for (const key of ['dtype', 'shape', 'stride', 'offset', 'requires_grad'] as const)
      if (facts[key] !== undefined && JSON.stringify(facts[key]) !== JSON.stringify(got[key]))
        throw new Mismatch(
          `${path}: expected ${key} ${JSON.stringify(facts[key])}, got ${JSON.stringify(got[key])}`,
        )
    if (facts.storage === undefined) return
    const { storage } = actual
    if (!this.storages.has(facts.storage)) this.storages.set(facts.storage, storage)
    if (!this.numbers.has(storage)) this.numbers.set(storage, facts.storage)
    if (this.storages.get(facts.storage) !== storage) throw new Mismatch(`${path}: should share its storage`)
    if (this.numbers.get(storage) !== facts.storage)
      throw new Mismatch(`${path}: shares its storage and should not`)
  }
}
