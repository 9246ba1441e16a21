// The results recorded from PyTorch: what the project claims to have must pass, and no count may fall below its floor.

import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { type PartReport, total } from '../conformance/case.ts'
import { runNamedPart } from '../conformance/run.ts'

const folder = '../shared/conformance'
const present = existsSync(folder)

/** The least number of cases that have to pass, by part; raised whenever more do. */
const floors = JSON.parse(
  readFileSync(new URL('./conformance-floor.json', import.meta.url), 'utf8'),
) as Record<string, number>

function failuresOf(report: PartReport): string[] {
  return total(report).failures.map(({ id, reason }) => `${id}: ${reason}`)
}

if (!present) {
  console.warn(
    `\n*** Skipped: the conformance data are not at ${folder}, so nothing was compared with PyTorch. ***\n`,
  )
  test.skip(`conformance (there is no ${folder})`, () => {})
}

describe.skipIf(!present)('conformance', () => {
  test('lesson: 21 of 21 cells', async () => {
    const report = await runNamedPart('lesson', folder)
    expect(failuresOf(report)).toEqual([])
    expect(total(report).passed).toBe(21)
  })

  test('random: every sequence', async () => {
    const report = await runNamedPart('random', folder)
    const { passed, unsupported } = total(report)
    expect(failuresOf(report)).toEqual([])
    expect({ passed, unsupported }).toEqual({ passed: 477, unsupported: 0 })
  })

  test('training: every run, loss by loss', async () => {
    const report = await runNamedPart('training', folder)
    expect(failuresOf(report)).toEqual([])
    expect(total(report).passed).toBe(18)
  })

  test('repr: everything of real dtypes prints as in PyTorch, but for what JavaScript cannot tell apart', async () => {
    // There the data give an int where PyTorch declares a float and prints it as given: LPPool2d(2, 3) has norm_type=2,
    // and norm_type=2.0 where it is given 2.0 (as in the part `modules`, which passes).
    const sameInJavaScript = ['24: LPPool2d', '75: Threshold', '136: LPPool3d', '137: LPPool1d']
    const { failures, passed } = total(await runNamedPart('repr', folder))
    const others = failures.filter(({ id }) => !sameInJavaScript.includes(id))
    expect(others.map(({ id, reason }) => `${id}: ${reason}`)).toEqual([])
    expect(passed).toBeGreaterThanOrEqual(1214)
  })

  for (const [part, floor] of Object.entries(floors))
    test(`${part}: at least ${floor} cases pass`, async () => {
      const { passed } = total(await runNamedPart(part, folder))
      expect(passed).toBeGreaterThanOrEqual(floor)
    })
})
