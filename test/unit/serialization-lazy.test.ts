// torch.load with mmap: storages are read when they are first used.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { cpuBackend } from '../../src/backends/cpu/cpu.ts'
import * as torch from '../../src/index.ts'
import { filesFolder, hasFiles } from './serialization-expected.ts'

const folder = mkdtempSync(join(tmpdir(), 'antorcha-lazy-'))
afterAll(() => rmSync(folder, { recursive: true }))

const path = join(folder, 'model.pt')
const save = () => {
  const base = torch.arange(100_000, { dtype: torch.float32 })
  torch.save({ base, view: base.slice(0, 5, 8), other: torch.ones(3) }, path)
}
const load = () => torch.load<Map<string, torch.Tensor>>(path, { mmap: true })

describe('a checkpoint loaded with mmap', () => {
  it('takes memory only for what is used', () => {
    save()
    const before = cpuBackend.arena.statistics().inUse
    const state = load()
    expect([...state.get('base')!.shape]).toEqual([100_000])
    expect(state.get('base')!.dtype).toBe(torch.float32)
    expect(cpuBackend.arena.statistics().inUse - before).toBeLessThan(400_000)
    expect(state.get('base')!.at(99_999).item()).toBe(99_999)
  })

  it('shares storages, and keeps what was written to them', () => {
    save()
    const state = load()
    state.get('base')!.add_(1)
    expect(state.get('view')!.tolist()).toEqual([6, 7, 8])
  })

  it('reads the file that was opened, even after another has taken its place', () => {
    save()
    const state = load()
    torch.save({ base: torch.zeros(1) }, path)
    expect(state.get('other')!.tolist()).toEqual([1, 1, 1])
  })

  it('damage is found at the first use, and again at the next; other tensors are not concerned', () => {
    save()
    const bytes = readFileSync(path)
    bytes[100_000] ^= 1
    writeFileSync(path, bytes)
    expect(() => torch.load(path)).toThrow(/is damaged/)
    const state = load()
    expect(() => state.get('base')!.add(1)).toThrow(/data\/0' is damaged/)
    expect(() => state.get('view')!.tolist()).toThrow(torch.UnpicklingError)
    expect(state.get('other')!.tolist()).toEqual([1, 1, 1])
  })

  it('goes into a model and into another file', () => {
    const layer = new torch.nn.Linear(4, 3)
    torch.save(layer.stateDict(), path)
    const state = load()
    const copy = new torch.nn.Linear(4, 3)
    copy.loadStateDict(state)
    expect(torch.equal(copy.weight, layer.weight)).toBe(true)
    expect(torch.saveToBytes(load())).toEqual(torch.saveToBytes(layer.stateDict()))
  })

  it.skipIf(!hasFiles)('must be in the zip format', () => {
    expect(() => torch.load(`${filesFolder}legacy/bare_tensor_0.pt`, { mmap: true })).toThrow(
      /mmap can only be used with files in the zip format/,
    )
  })
})
