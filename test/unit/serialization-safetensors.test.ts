// .safetensors files: their layout, what is refused, models and shards. Malformed files are in the conformance data, too.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import * as torch from '../../src/index.ts'

const { safetensors } = torch
const folder = mkdtempSync(join(tmpdir(), 'antorcha-safetensors-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** A file with this header, and zeros after it. */
function fileWith(header: string, dataSize: number): Uint8Array {
  const text = new TextEncoder().encode(header)
  const bytes = new Uint8Array(8 + text.length + dataSize)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true)
  bytes.set(text, 8)
  return bytes
}

const headerOf = (bytes: Uint8Array) =>
  new TextDecoder().decode(bytes.subarray(8, 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true))))

describe('layout', () => {
  it('is that of the Python package: larger dtypes first, then by name, the header padded to 8 bytes', () => {
    const bytes = safetensors.save(
      {
        b: torch.tensor([1, 2]),
        a: torch.tensor([1.5]),
        small: torch.tensor([true]),
        ñ: torch.tensor([2.5]),
      },
      { metadata: { format: 'pt' } },
    )
    expect(headerOf(bytes).trimEnd()).toBe(
      '{"__metadata__":{"format":"pt"},"b":{"dtype":"I64","shape":[2],"data_offsets":[0,16]},' +
        '"a":{"dtype":"F32","shape":[1],"data_offsets":[16,20]},"ñ":{"dtype":"F32","shape":[1],"data_offsets":[20,24]},' +
        '"small":{"dtype":"BOOL","shape":[1],"data_offsets":[24,25]}}',
    )
    expect(new DataView(bytes.buffer).getBigUint64(0, true) % 8n).toBe(0n)
  })

  it('what was saved is loaded again, odd names and all', () => {
    const names = ['', '__proto__', 'constructor', '10', '2', 'a/b c', '"\\\n']
    const saved = new Map(names.map((name, i) => [name, torch.full([i], i)]))
    const loaded = safetensors.load(safetensors.save(saved))
    expect([...loaded.keys()].sort()).toEqual([...names].sort())
    for (const name of names) expect(torch.equal(loaded.get(name)!, saved.get(name)!)).toBe(true)
    expect(({} as Record<string, unknown>).dtype).toBeUndefined()
  })

  it('a view of part of a storage is saved without the rest', () => {
    const bytes = safetensors.save({ x: torch.arange(1000).slice(0, 10, 12) })
    expect(bytes.length).toBeLessThan(100)
    expect(safetensors.load(bytes).get('x')!.tolist()).toEqual([10, 11])
  })

  it('keys keep the order of the header even where they look like numbers', () => {
    const header =
      '{"10":{"dtype":"U8","shape":[1],"data_offsets":[1,2]},"2":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    expect([...safetensors.load(fileWith(header, 2)).keys()]).toEqual(['10', '2'])
  })
})

describe('refusals', () => {
  it.each([
    [
      'a key that occurs twice',
      '{"1":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"1":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
      /duplicate key "1"/,
    ],
    [
      'a hole between tensors',
      '{"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
      /invalid offset for tensor 'a'/,
    ],
    [
      'a dtype that does not exist',
      '{"a":{"dtype":"constructor","shape":[1],"data_offsets":[0,1]}}',
      /unknown dtype "constructor"/,
    ],
    [
      'a dtype that is narrower than a byte',
      '{"a":{"dtype":"F4","shape":[4],"data_offsets":[0,2]}}',
      /dtype F4, which is not supported/,
    ],
    [
      'a shape that would overflow',
      '{"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,2]}}',
      /overflow/,
    ],
  ])('%s', (_, header, message) => {
    const load = () => safetensors.load(fileWith(header, 2))
    expect(load).toThrow(torch.SafetensorError)
    expect(load).toThrow(message)
  })

  it('tensors that share memory, are not contiguous or no tensors cannot be saved, and no file is touched', () => {
    const path = join(folder, 'kept.safetensors')
    writeFileSync(path, 'old')
    const x = torch.arange(6).reshape(2, 3)
    const attempts: [Record<string, unknown>, RegExp][] = [
      [{ a: x, b: x.select(0, 1) }, /share memory.*`a` and `b`.*saveModel/],
      [{ a: x.t() }, /non contiguous tensor: `a`/],
      [{ a: [1] }, /Key `a` is invalid/],
      [{ __metadata__: x }, /cannot be the name/],
    ]
    for (const [tensors, message] of attempts)
      expect(() => safetensors.saveFile(tensors as never, path)).toThrow(message)
    expect(readFileSync(path, 'utf8')).toBe('old')
  })

  it('parts of one storage that do not overlap can be saved', () => {
    const x = torch.arange(6).reshape(2, 3)
    const loaded = safetensors.load(safetensors.save({ a: x.select(0, 0), b: x.select(0, 1) }))
    expect(loaded.get('b')!.tolist()).toEqual([3, 4, 5])
  })
})

it('safeOpen reads names, shapes and metadata at once and tensors one by one', () => {
  const path = join(folder, 'open.safetensors')
  safetensors.saveFile({ x: torch.ones(2, 3), y: torch.zeros(4) }, path, { metadata: { format: 'pt' } })
  const file = safetensors.safeOpen(path)
  expect(file.keys()).toEqual(['x', 'y'])
  expect(file.metadata()).toEqual(new Map([['format', 'pt']]))
  expect([file.shape('x'), file.dtype('x')]).toEqual([[2, 3], 'F32'])
  expect(file.getTensor('y').tolist()).toEqual([0, 0, 0, 0])
  expect(() => file.getTensor('z')).toThrow("no tensor 'z'")
  safetensors.saveFile({ y: torch.ones(1) }, path)
  expect(file.getTensor('y').tolist()).toEqual([1])
  expect(() => file.getTensor('x')).toThrow("no tensor 'x'")
})

class Tied extends torch.nn.Module {
  embedding: torch.nn.Embedding = new torch.nn.Embedding(5, 3)
  head: torch.nn.Linear = new torch.nn.Linear(3, 5, { bias: false })

  constructor() {
    super()
    this.head.weight = this.embedding.weight
  }
}

it('saveModel writes a tied weight once and loadModel restores both', () => {
  const path = join(folder, 'tied.safetensors')
  const model = new Tied()
  safetensors.saveModel(model, path)
  const file = safetensors.safeOpen(path)
  expect(file.keys()).toEqual(['embedding.weight'])
  expect(file.metadata()).toEqual(new Map([['head.weight', 'embedding.weight']]))
  const other = new Tied()
  expect(safetensors.loadModel(other, path)).toEqual([[], []])
  expect(torch.equal(other.head.weight, model.embedding.weight)).toBe(true)
})

it('loadModel names what is missing and changes nothing then', () => {
  const path = join(folder, 'other.safetensors')
  safetensors.saveFile({ weight: torch.ones(2, 2), extra: torch.ones(1) }, path)
  const layer = new torch.nn.Linear(2, 2)
  const before = layer.weight.clone()
  expect(() => safetensors.loadModel(layer, path)).toThrow(/Missing.*'bias'[\s\S]*Unexpected.*'extra'/)
  expect(torch.equal(layer.weight, before)).toBe(true)
  expect(safetensors.loadModel(layer, path, { strict: false })).toEqual([['bias'], ['extra']])
  expect(layer.weight.tolist()).toEqual([
    [1, 1],
    [1, 1],
  ])
})

describe('shards', () => {
  it('a model is written in shards of at most the given size, and loaded through their index', () => {
    const target = join(folder, 'shards')
    const tensors = new Map(
      ['10', 'a', 'b', 'c'].map((name, i) => [name, torch.full([100], i, { dtype: torch.float32 })]),
    )
    const index = safetensors.saveSharded(tensors, target, { maxShardSize: 800 })
    expect(readdirSync(target).sort()).toEqual([
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      'model.safetensors.index.json',
    ])
    const { metadata, weight_map: weightMap } = JSON.parse(readFileSync(index, 'utf8'))
    expect(metadata).toEqual({ total_size: 1600 })
    expect(weightMap.c).toBe('model-00002-of-00002.safetensors')
    const loaded = safetensors.loadSharded(index)
    for (const [name, tensor] of tensors) expect(torch.equal(loaded.get(name)!, tensor)).toBe(true)
  })

  it('one file is enough for a small model', () => {
    const path = safetensors.saveSharded({ x: torch.ones(1) }, join(folder, 'one'))
    expect(readdirSync(join(folder, 'one'))).toEqual(['model.safetensors'])
    expect(safetensors.loadFile(path).get('x')!.tolist()).toEqual([1])
  })

  it.each(['../secret.safetensors', '/etc/passwd', 'a\\b', '..', ''])(
    'an index cannot lead to %j',
    (file) => {
      const path = join(folder, 'hostile.index.json')
      writeFileSync(path, JSON.stringify({ weight_map: { x: file } }))
      expect(() => safetensors.loadSharded(path)).toThrow(/must be the name of a file beside the index/)
    },
  )

  it('a shard without the tensor that it should have is named', () => {
    const index = safetensors.saveSharded(
      { a: torch.ones(2), b: torch.ones(2) },
      join(folder, 'incomplete'),
      {
        maxShardSize: 8,
      },
    )
    safetensors.saveFile({ c: torch.ones(2) }, join(folder, 'incomplete/model-00002-of-00002.safetensors'))
    expect(() => safetensors.loadSharded(index)).toThrow("'b' should be in model-00002-of-00002.safetensors")
  })
})
