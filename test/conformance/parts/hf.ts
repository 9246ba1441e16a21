// The part `hf`: checkpoints as transformers, torchvision, timm and training scripts write them.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Case, Mismatch, type Part } from '../case.ts'
import { bytesOf } from '../compare.ts'
import { compareContent, follow, StorageCheck, type TensorFacts } from '../content.ts'
import type { Json } from '../decode.ts'
import { readJsonLines } from '../files.ts'
import { loaderOf } from './files.ts'

interface Entry {
  file: string
  format: string
  expect: 'content' | 'content-or-error'
  expected: string
  mention?: string[]
}

interface Expected {
  tensors: (TensorFacts & { name: string; sha256: string })[]
  values: [string, Json][]
}

export const part: Part = {
  async *cases(folder, only) {
    for await (const entry of readJsonLines<Entry>(join(folder, 'index.jsonl'))) {
      const name = entry.file.split('/')[0]
      if (only(name) || only(entry.file))
        yield { name, id: entry.file, run: () => runFile(folder, entry) } satisfies Case
    }
  },
}

async function runFile(folder: string, entry: Entry): Promise<void> {
  const load = loaderOf(entry.format)
  const expected = JSON.parse(readFileSync(join(folder, entry.expected), 'utf8')) as Expected
  let value: unknown
  try {
    value = await load(join(folder, entry.file))
  } catch (error) {
    if (entry.expect !== 'content-or-error' || !(error instanceof Error)) throw error
    for (const word of entry.mention ?? [])
      if (!error.message.includes(word))
        throw new Mismatch(`the error does not mention ${word}: ${error.message}`)
    return
  }
  const storages: StorageCheck = new StorageCheck()
  for (const { name, sha256, ...facts } of expected.tensors) {
    const tensor = follow(value, name.split('/'))
    storages.check(tensor, facts, name)
    const got = createHash('sha256')
      .update(await bytesOf(tensor))
      .digest('hex')
    if (got !== sha256) throw new Mismatch(`${name}: other elements than recorded (sha256 differs)`)
  }
  for (const [path, json] of expected.values) await compareContent(follow(value, path.split('/')), json, path)
}
