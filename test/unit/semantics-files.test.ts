// Behaviours of checkpoints that ports usually get wrong, numbered 43 to 52.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'
import { MemorySource } from '../../src/serialization/byte-source.ts'
import { ZipReader } from '../../src/serialization/zip-reader.ts'
import { ZipWriter } from '../../src/serialization/zip-writer.ts'
import { tensorFromStorage } from '../../src/tensor/tensor.ts'

const { nn } = torch
const roundTrip = <T>(value: T): T => torch.load<T>(torch.saveToBytes(value))
/** A pickle of protocol 2 that calls a global with no arguments. */
const calling = (module: string, name: string) =>
  Uint8Array.of(0x80, 2, ...new TextEncoder().encode(`c${module}\n${name}\n)R.`))
const text = (bytes: Uint8Array) => new TextDecoder('latin1').decode(bytes)

describe('archives', () => {
  test("43. are stored zips with PyTorch's entries, payloads at multiples of 64 bytes", () => {
    const bytes = torch.saveToBytes(new Map([['a', torch.ones(3)]]))
    const zip = new ZipReader(new MemorySource(bytes))
    expect([...zip.entries.keys()].sort()).toEqual(
      [
        'archive/.data/serialization_id',
        'archive/.format_version',
        'archive/.storage_alignment',
        'archive/byteorder',
        'archive/data.pkl',
        'archive/data/0',
        'archive/version',
      ].sort(),
    )
    expect(text(zip.read('archive/version'))).toBe('3\n')
    expect(text(zip.read('archive/byteorder'))).toBe('little')
    const payload = Buffer.from(torch.ones(3).storage.bytes())
    expect(Buffer.from(bytes).indexOf(payload) % 64).toBe(0)
  })

  test('44. hold a pickle of protocol 2 whose storages are persistent ids', () => {
    const zip = new ZipReader(new MemorySource(torch.saveToBytes(torch.ones(3))))
    const pickle = zip.read('archive/data.pkl')
    expect([...pickle.subarray(0, 2)]).toEqual([0x80, 2])
    for (const part of ['storage', 'FloatStorage', 'cpu']) expect(text(pickle)).toContain(part)
    // BINPERSID
    expect(text(pickle)).toContain('Q')
  })

  test('45. hold a whole storage once: a small view costs all of it, and sharing, offset and strides survive', () => {
    const base = torch.arange(1000, { dtype: torch.float32 })
    const view = base.narrow(0, 10, 2)
    expect(roundTrip(view).storage.nbytes).toBe(4000)
    const [a, b] = roundTrip([base, base.view(10, 100).t().narrow(0, 3, 2)])
    expect(b.strides).toEqual([1, 100])
    expect(b.storageOffset()).toBe(3)
    a.fill_(5)
    expect(b.eq(5).all().item()).toBe(true)
  })

  test('46. give the same tensor twice as one object', () => {
    const x = torch.ones(2)
    const [a, b, c] = roundTrip([x, x, torch.ones(2)])
    expect(a === b).toBe(true)
    expect(a === c).toBe(false)
  })

  test('47. refuse one storage under two dtypes', () => {
    const x = torch.ones(2)
    const sameBytes = tensorFromStorage(x.storage, [2], [1], 0, torch.int32)
    expect(() => torch.saveToBytes([x, sameBytes])).toThrow(
      'Cannot save multiple tensors or storages that view the same data as different types',
    )
  })

  test('48. give parameters back as parameters, and what was computed as a leaf', () => {
    const p = new nn.Parameter(torch.ones(1))
    const [parameter, computed] = roundTrip([p, p.mul(2)])
    expect(parameter).toBeInstanceOf(nn.Parameter)
    expect(computed.isLeaf).toBe(true)
    expect(computed.requiresGrad).toBe(true)
  })

  test('49. name the storages of dtypes as PyTorch does, and read them back', () => {
    const storages = [
      [torch.float16, 'HalfStorage'],
      [torch.bfloat16, 'BFloat16Storage'],
      [torch.int64, 'LongStorage'],
      [torch.bool, 'BoolStorage'],
    ] as const
    for (const [dtype, storage] of storages) {
      const bytes = torch.saveToBytes(torch.ones(2).to(dtype))
      const pickle = text(new ZipReader(new MemorySource(bytes)).read('archive/data.pkl'))
      expect(pickle).toContain('_rebuild_tensor_v2')
      expect(pickle).toContain(storage)
      expect(torch.load<torch.Tensor>(bytes).dtype).toBe(dtype)
    }
  })

  test('50. hold only what is known to be harmless: other names are refused with what to do', () => {
    const harmless = new Map<unknown, unknown>([
      ['size', torch.ones(2, 3).shape],
      ['dtype', torch.float16],
      ['set', new Set([1, 2])],
      ['bytes', Uint8Array.of(1, 2)],
    ])
    expect([...roundTrip(harmless).keys()]).toEqual([...harmless.keys()])
    expect(() => torch.load(calling('builtins', 'eval'))).toThrow(
      /Unsupported global: GLOBAL eval was not an allowed global by default\..*save model\.state_dict\(\)/,
    )
    expect(() => torch.load(calling('posix', 'system'))).toThrow(
      /unsupported GLOBAL posix\.system whose module posix is blocked/,
    )
  })

  test('51. of whole modules and of TorchScript are refused by default, saying what they are', () => {
    expect(() => torch.load(calling('torch.nn.modules.linear', 'Linear'))).toThrow(
      /Unsupported global: GLOBAL torch\.nn\.modules\.linear\.Linear.*The file holds a whole module/,
    )
    const parts: Uint8Array[] = []
    const zip = new ZipWriter('net', (bytes) => void parts.push(bytes.slice()))
    for (const name of ['constants.pkl', 'code/__torch__.py', 'data.pkl']) zip.add(name, Uint8Array.of(46))
    zip.finish()
    const script = new Uint8Array(Buffer.concat(parts))
    expect(() => torch.load(script)).toThrow(/this is a TorchScript archive/)
  })

  test('52. legacy files load, keys keep kind and order, large integers are exact', () => {
    const value = new Map<unknown, unknown>([
      [10, 'ten'],
      [2, 'two'],
      ['big', 2 ** 40],
    ])
    const loaded = roundTrip(value)
    expect([...loaded.keys()]).toEqual([10, 2, 'big'])
    expect(loaded.get('big')).toBe(1099511627776)
    // Files from before the zip format are pickles one after the other: a magic number, the version of the format, the
    // system, the value and the keys of its storages.
    const legacy = [
      [0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19],
      [0x4d, 0xe9, 0x03],
      [0x7d],
      [0x7d, 0x4b, 10, 0x8a, 6, 0, 0, 0, 0, 0, 1, 0x73, 0x4b, 2, 0x4e, 0x73],
      [0x5d],
    ].flatMap((pickle) => [0x80, 2, ...pickle, 0x2e])
    expect([...torch.load<Map<number, unknown>>(Uint8Array.from(legacy))]).toEqual([
      [10, 2 ** 40],
      [2, null],
    ])
  })
})
