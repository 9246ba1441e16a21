// Every one of the 58 behaviours that ports of PyTorch usually get wrong has a test, titled with its number.

import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

test('all 58 behaviours are tested', () => {
  const folder = new URL('.', import.meta.url)
  const numbers = readdirSync(folder)
    .filter((name) => /^semantics-.*\.test\.ts$/.test(name))
    .flatMap((name) => [
      ...readFileSync(new URL(name, folder), 'utf8').matchAll(/^ {2}test\(\s*['"`](\d+)\. /gm),
    ])
    .map(([, number]) => Number(number))
  expect(numbers.sort((a, b) => a - b)).toEqual(Array.from({ length: 58 }, (_, i) => i + 1))
})
