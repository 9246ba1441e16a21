// A program that is killed while it saves: the path holds the old file or the new one, whole.

import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import * as torch from '../../src/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'antorcha-interrupted-'))
afterAll(() => rmSync(folder, { recursive: true }))

const library = new URL('../../src/index.ts', import.meta.url).href

/** Saves again and again, and is killed some time after the first file is there. */
function saveUntilKilled(path: string, milliseconds: number): Promise<void> {
  const program = `
    const torch = await import(${JSON.stringify(library)})
    for (let i = 0; ; i++) {
      torch.save({ a: torch.full([2_000_000], i), i, b: torch.full([2_000_000], i) }, ${JSON.stringify(path)})
      if (i === 0) console.log('saved')
    }`
  const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  child.stdout.once('data', () => setTimeout(() => child.kill('SIGKILL'), milliseconds))
  return new Promise((resolve) => child.once('exit', () => resolve()))
}

it('the file is whole whenever that happens', { timeout: 120_000 }, async () => {
  const path = join(folder, 'model.pt')
  for (const milliseconds of [0, 5, 17, 40, 91]) {
    await saveUntilKilled(path, milliseconds)
    const saved = torch.load<Map<string, unknown>>(path)
    const i = saved.get('i') as number
    for (const name of ['a', 'b']) {
      const tensor = saved.get(name) as torch.Tensor
      expect([tensor.min().item(), tensor.max().item()]).toEqual([i, i])
    }
  }
  // What was being written stays behind under another name.
  const others = readdirSync(folder).filter((name) => name !== 'model.pt')
  for (const name of others) expect(name).toMatch(/^\.model\.pt\..*\.tmp$/)
})
