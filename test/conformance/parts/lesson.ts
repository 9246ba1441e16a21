// The part `lesson`: the notebook's cells, run in order, with their output, result and error.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lessonCells, runCell } from '../../../examples/lesson-cells.ts'
import { type Case, Mismatch, type Part } from '../case.ts'

interface Expected {
  cell: number
  stdout: string
  result: string | null
  error: { type: string; message: string } | null
}

export const part: Part = {
  async *cases(folder, only) {
    const expected = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8')) as Expected[]
    const directory = mkdtempSync(join(tmpdir(), 'antorcha-lesson-'))
    try {
      for (const one of expected) {
        const name = `cell ${one.cell}`
        const run = () => runAndCompare(one, directory)
        // Later cells need what earlier ones leave, so those that were not asked for run as well.
        if (only(name)) yield { name, id: name, run } satisfies Case
        else await run().catch(() => undefined)
      }
    } finally {
      rmSync(directory, { recursive: true })
    }
  },
}

async function runAndCompare(expected: Expected, directory: string): Promise<void> {
  const cell = lessonCells.find((one) => one.cell === expected.cell)
  if (cell === undefined) throw new Mismatch(`there is no cell ${expected.cell} in examples/lesson-cells.ts`)
  const outcome = await runCell(cell, directory)
  for (const key of ['error', 'stdout', 'result'] as const) {
    const [want, got] = [expected[key], outcome[key]].map((value) => JSON.stringify(value))
    if (want !== got) throw new Mismatch(`${key}: expected ${want}, got ${got}`)
  }
}
