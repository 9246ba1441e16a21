// Zip archives: what is written, what is read back, and every way in which a damaged one is refused.

import { zipSync } from 'fflate'
import { describe, expect, it } from 'vitest'
import { MemorySource } from '../../src/serialization/byte-source.ts'
import { crc32, crc32Portable } from '../../src/serialization/crc32.ts'
import { UnpicklingError } from '../../src/serialization/errors.ts'
import { ZipReader } from '../../src/serialization/zip-reader.ts'
import { ZipWriter } from '../../src/serialization/zip-writer.ts'

const text = (s: string) => new TextEncoder().encode(s)

function archive(entries: Record<string, Uint8Array>, root = 'r'): Uint8Array {
  const pieces: Uint8Array[] = []
  const zip = new ZipWriter(root, (bytes) => pieces.push(bytes.slice()))
  for (const [name, bytes] of Object.entries(entries)) zip.add(name, bytes)
  zip.finish()
  return new Uint8Array(Buffer.concat(pieces))
}

const open = (bytes: Uint8Array) => new ZipReader(new MemorySource(bytes, 'x.pt'))
const find = (bytes: Uint8Array, signature: number) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).indexOf(
    Buffer.from([0x50, 0x4b, signature & 255, signature >> 8]),
  )

/** A copy with the bytes at `at` replaced. */
function patched(bytes: Uint8Array, at: number, ...values: number[]): Uint8Array {
  const copy = bytes.slice()
  copy.set(values, at)
  return copy
}

describe('CRC-32', () => {
  it('has the check value of the standard', () => {
    expect(crc32(text('123456789'))).toBe(0xcbf43926)
    expect(crc32Portable(text('123456789'))).toBe(0xcbf43926)
    expect(crc32(new Uint8Array(0))).toBe(0)
  })

  it('is the same natively and portably for every length and alignment, also continued', () => {
    const bytes = Uint8Array.from({ length: 200 }, (_, i) => (i * 7919) >> 3)
    for (let start = 0; start < 5; start++)
      for (let end = start; end < bytes.length; end += 3)
        expect(crc32Portable(bytes.subarray(start, end))).toBe(crc32(bytes.subarray(start, end)))
    expect(crc32Portable(bytes.subarray(50), crc32Portable(bytes.subarray(0, 50)))).toBe(crc32(bytes))
  })
})

describe('the zip writer', () => {
  it('starts the data of every entry at a multiple of 64 bytes', () => {
    const bytes = archive({ a: text('A'), 'data/0': new Uint8Array(100).fill(7), 'data/1': text('BB') })
    for (const content of [text('A'), new Uint8Array(100).fill(7), text('BB')]) {
      const at = Buffer.from(bytes).indexOf(Buffer.from(content))
      expect(at % 64).toBe(0)
    }
  })

  it('writes archives that the reader reads', () => {
    const entries = {
      'data.pkl': text('hello'),
      'data/0': new Uint8Array(1000).fill(3),
      empty: new Uint8Array(0),
    }
    const zip = open(archive(entries))
    expect([...zip.entries.keys()]).toEqual(['r/data.pkl', 'r/data/0', 'r/empty'])
    for (const [name, bytes] of Object.entries(entries)) expect(zip.read(`r/${name}`)).toEqual(bytes)
    const target = new Uint8Array(1000)
    zip.readInto('r/data/0', target)
    expect(target).toEqual(entries['data/0'])
  })

  it('gives different contents different ids of forty digits', () => {
    const id = (bytes: Uint8Array) => {
      const zip = new ZipWriter('r', () => {})
      zip.add('data.pkl', bytes)
      return zip.serializationId()
    }
    expect(id(text('a'))).toMatch(/^\d{40}$/)
    expect(id(text('a'))).toBe(id(text('a')))
    expect(id(text('a'))).not.toBe(id(text('b')))
  })
})

describe('the zip reader', () => {
  const content = new Uint8Array(5000).map((_, i) => (i * i) >> 4)
  const good = archive({ 'data.pkl': text('pickle'), 'data/0': content })
  const deflated = zipSync({ 'r/data.pkl': content }, { level: 9 })

  const refuses = (bytes: Uint8Array, message: RegExp) => {
    const readAll = () => {
      const zip = open(bytes)
      for (const name of zip.entries.keys()) zip.read(name)
    }
    expect(readAll).toThrow(UnpicklingError)
    expect(readAll).toThrow(message)
  }

  it('reads deflated entries', () => {
    expect(open(deflated).entries.get('r/data.pkl')?.method).toBe('deflated')
    expect(open(deflated).read('r/data.pkl')).toEqual(content)
  })

  it('refuses every truncation', () => {
    for (let n = 0; n < good.length; n += n < 200 || n > good.length - 200 ? 1 : 97)
      expect(() => open(good.subarray(0, n))).toThrow(UnpicklingError)
  })

  it('names the entry whose bytes were changed', () => {
    const at = Buffer.from(good).indexOf('pickle')
    refuses(patched(good, at, 0x50), /x\.pt: entry 'r\/data\.pkl' is damaged: its CRC-32 is/)
  })

  it('takes sums of 0 for "not computed" only where every sum is 0', () => {
    const directory = find(good, 0x0201)
    const second = directory + 46 + 'r/data.pkl'.length
    refuses(patched(good, directory + 16, 0, 0, 0, 0), /damaged/)
    const none = patched(patched(good, directory + 16, 0, 0, 0, 0), second + 16, 0, 0, 0, 0)
    expect(open(none).read('r/data/0')).toEqual(content)
  })

  it('refuses two entries of one name', () => {
    const pieces: Uint8Array[] = []
    const zip = new ZipWriter('r', (bytes) => pieces.push(bytes.slice()))
    zip.add('data.pkl', text('a'))
    zip.add('data.pkl', text('b'))
    zip.finish()
    refuses(Buffer.concat(pieces), /two entries are called 'r\/data\.pkl'/)
  })

  it('refuses entries that overlap', () => {
    const directory = find(good, 0x0201)
    const second = directory + 46 + 'r/data.pkl'.length
    refuses(patched(good, second + 42, 0, 0, 0, 0), /overlap/)
  })

  it('refuses encrypted entries and unknown methods', () => {
    const directory = find(good, 0x0201)
    refuses(patched(good, directory + 8, 0x09), /entry 'r\/data\.pkl' is encrypted/)
    refuses(patched(good, directory + 10, 12), /compressed by method 12/)
  })

  it('refuses an entry that inflates to more or less than it claims', () => {
    const directory = find(deflated, 0x0201)
    refuses(patched(deflated, directory + 24, 10, 0, 0, 0), /inflates to more than the 10 bytes/)
    refuses(patched(deflated, directory + 24, 0x89, 0x13), /inflates to 5000 bytes, not to the 5001/)
  })

  it('refuses a claim that deflate cannot reach before allocating anything', () => {
    const directory = find(deflated, 0x0201)
    refuses(
      patched(deflated, directory + 24, 255, 255, 255, 127),
      /claims to inflate from \d+ to 2147483647 bytes/,
    )
  })

  it('refuses two end records that disagree', () => {
    const end = find(good, 0x0605)
    refuses(patched(good, end + 10, 1), /end records of the zip archive disagree/)
  })

  it('refuses an entry that has another name in its own header', () => {
    refuses(patched(good, 30, 0x71), /entry 'r\/data\.pkl' is called 'q\/data\.pkl' in its own header/)
  })

  it('reads an archive padded with zeros, but not one followed by other bytes', () => {
    expect(open(Buffer.concat([good, new Uint8Array(50)])).entries.size).toBe(2)
    refuses(Buffer.concat([good, text('more')]), /no end record/)
  })
})
