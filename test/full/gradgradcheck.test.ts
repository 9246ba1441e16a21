// First and second derivatives of every operator against finite differences, at PyTorch's own sample inputs.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { gradcheck, gradgradcheck } from '../../src/autograd/gradcheck.ts'
import { type GradientCase, gradientCases } from '../support/gradient-cases.ts'

const folder = '../shared/conformance'
const present = existsSync(folder)
if (!present) console.warn(`\n*** Skipped: there are no sample inputs at ${folder}. ***\n`)

type Outcome = 'passed' | 'unsupported' | { readonly excluded: string } | { readonly failed: string }

function check(one: GradientCase): Outcome {
  if (one.excluded !== null) return { excluded: one.excluded }
  let outputs: unknown[]
  try {
    outputs = one.run(...one.inputs())
  } catch {
    // What a call of its own gives, the conformance test says.
    return 'unsupported'
  }
  if (one.inputs().length === 0 || outputs.length === 0)
    return { excluded: 'its arguments or results are of narrower types, whose differences are too coarse' }
  try {
    gradcheck(one.run, one.inputs(), { fastMode: true })
    if (!one.onlyOnce) gradgradcheck(one.run, one.inputs(), { fastMode: true })
    return 'passed'
  } catch (error) {
    return { failed: String(error) }
  }
}

async function checkAll(part: string) {
  const operators = new Set<string>()
  const excluded = new Map<string, Set<string>>()
  const unsupported = new Set<string>()
  const failures: string[] = []
  let calls = 0
  for await (const { op, cases } of gradientCases(join(folder, part)))
    for (const one of cases) {
      const outcome = check(one)
      if (outcome === 'passed') {
        operators.add(op)
        calls++
      } else if (outcome === 'unsupported') unsupported.add(op)
      else if ('failed' in outcome) failures.push(`${one.id}: ${outcome.failed}`)
      else {
        const ops = excluded.get(outcome.excluded) ?? new Set()
        excluded.set(outcome.excluded, ops.add(op))
      }
    }
  console.log(
    `${part}: ${calls} calls of ${operators.size} operators agree with finite differences, twice differentiated`,
  )
  for (const [reason, ops] of excluded) console.log(`  not compared (${reason}): ${[...ops].join(', ')}`)
  if (unsupported.size > 0) console.log(`  no such call yet: ${[...unsupported].join(', ')}`)
  return { calls, operators, failures }
}

describe.skipIf(!present)('derivatives agree with finite differences, the second ones, too', () => {
  test('operators on real numbers', async () => {
    const { failures, calls, operators } = await checkAll('ops')
    expect(failures).toEqual([])
    expect(calls).toBeGreaterThanOrEqual(3904)
    expect(operators.size).toBeGreaterThanOrEqual(735)
  })

  test('operators on complex numbers', async () => {
    const { failures } = await checkAll('ops-complex')
    expect(failures).toEqual([])
  })
})
