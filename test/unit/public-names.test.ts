// What the library exports: every name is documented, and the list of names in docs/ is that of the code.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as torch from '../../src/index.ts'
import { namesPage } from '../names/page.ts'
import { publicNames } from '../support/public-names.ts'

const names = publicNames()

function runtimeNames(namespace: object, prefix = ''): string[] {
  return Object.entries(namespace).flatMap(([name, value]) =>
    Object.prototype.toString.call(value) === '[object Module]'
      ? runtimeNames(value as object, `${prefix}${name}.`)
      : [prefix + name],
  )
}

test('every public name is found in the sources', () => {
  const found = new Set(names.map(({ name }) => name))
  expect(runtimeNames(torch).filter((name) => !found.has(name))).toEqual([])
})

test('every public function, class and constant has its documentation', () => {
  expect(names.length).toBeGreaterThan(1400)
  expect(names.filter(({ isDocumented }) => !isDocumented)).toEqual([])
})

test('docs/names.md lists the names as they are (npm run names writes it)', () => {
  expect(readFileSync(new URL('../../docs/names.md', import.meta.url), 'utf8')).toBe(namesPage())
})
