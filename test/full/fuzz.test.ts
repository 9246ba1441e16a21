// Readers of files on damaged and random inputs: 10,000 here, more with
// FUZZ_INPUTS=1000000 npx vitest run --project full test/full/fuzz.test.ts (FUZZ_START to go on where another run ended).

import { existsSync } from 'node:fs'
import { expect, it } from 'vitest'
import { makeCorpus, makeInput, tryInput } from '../support/fuzz-readers.ts'

const folder = new URL('../../../shared/conformance/files', import.meta.url).pathname
const count = Number(process.env.FUZZ_INPUTS ?? 10_000)
const start = Number(process.env.FUZZ_START ?? 0)

it(`${count} inputs are loaded or refused in one clear error`, { timeout: 36_000_000 }, () => {
  const corpus = makeCorpus(existsSync(folder) ? folder : undefined)
  const failures: string[] = []
  let loaded = 0
  for (let number = start; number < start + count && failures.length < 20; number++)
    try {
      if (tryInput(makeInput(corpus, number))) loaded++
    } catch (error) {
      failures.push(`input ${number}: ${(error as Error).message}`)
    }
  expect(failures).toEqual([])
  // Mutations that no reader minds are needed, too: else nothing behind the first check was tried.
  expect(loaded).toBeGreaterThan(count / 20)
  console.log(`fuzzed ${count} inputs from ${start} on: ${loaded} loaded, ${count - loaded} refused`)
})
