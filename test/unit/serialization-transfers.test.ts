// Large storages on their way between files and memory: by the native addon where there is one, with the same sums and
// the same errors.

import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { cpuBackend } from '../../src/backends/cpu/cpu.ts'
import * as torch from '../../src/index.ts'
import { crc32Portable } from '../../src/serialization/crc32.ts'

const folder = mkdtempSync(join(tmpdir(), 'antorcha-transfers-'))
afterAll(() => rmSync(folder, { recursive: true }))
const transfers = cpuBackend.fileTransfers()

const noise = (length: number) =>
  Uint8Array.from({ length }, (_, i) => (Math.imul(i + 1, 0x9e3779b1) ^ (i >>> 7)) >>> 24)

describe.skipIf(transfers === null)('the addon', () => {
  it.each([0, 1, 15, 16, 63, 64, 65, 1000, 524288, 524289, 3 * 524288 + 77])('sums %i bytes', (length) => {
    const bytes = noise(length)
    const path = join(folder, 'bytes')
    const descriptor = openSync(path, 'w+')
    try {
      const sum = crc32Portable(bytes)
      expect(transfers!.writeSummed(descriptor, 5, bytes)).toBe(sum)
      const back = new Uint8Array(length)
      expect(transfers!.readSummed(descriptor, 5, back)).toBe(sum)
      expect(Buffer.compare(back, bytes)).toBe(0)
    } finally {
      closeSync(descriptor)
    }
  })

  it('says when a file is shorter than what is to be read, or cannot be used', () => {
    const path = join(folder, 'short')
    writeFileSync(path, noise(100))
    const descriptor = openSync(path, 'r')
    expect(transfers!.readSummed(descriptor, 50, new Uint8Array(51))).toBeLessThan(0)
    expect(transfers!.writeSummed(descriptor, 0, new Uint8Array(1))).toBeLessThan(0)
    closeSync(descriptor)
  })
})

describe('a checkpoint of several megabytes', () => {
  // Named as what is made in memory.
  const path = join(folder, 'archive.pt')
  const state = { a: torch.rand(600_000), b: torch.arange(300_001), small: torch.ones(2) }

  it('is the same file as the one made in memory, and loads again', () => {
    torch.save(state, path)
    expect(Buffer.compare(readFileSync(path), torch.saveToBytes(state))).toBe(0)
    const loaded = torch.load<Map<string, torch.Tensor>>(path)
    for (const [name, tensor] of Object.entries(state))
      expect(torch.equal(loaded.get(name)!, tensor)).toBe(true)
  })

  it('is refused when a bit of it has changed, and when its end is missing', () => {
    torch.save(state, path)
    const bytes = readFileSync(path)
    bytes[2_000_000] ^= 4
    writeFileSync(path, bytes)
    expect(() => torch.load(path)).toThrow(/'archive\/data\/0' is damaged/)
    truncateSync(path, 3_000_000)
    expect(() => torch.load(path)).toThrow(torch.UnpicklingError)
  })
})
