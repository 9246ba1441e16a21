// Runs workloads: the sides take turns in rounds, so that whatever slows the machine slows all of them.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as torch from '../src/index.ts'
import type { Side } from './side.ts'
import type { SideName } from './sides.ts'
import { difference } from './statistics.ts'
import type { TensorFile } from './workers/protocol.ts'
import type { Workload } from './workload.ts'

export interface RunOptions {
  readonly rounds: number
  /** How long one side's turn takes, in milliseconds. */
  readonly turn: number
  readonly files: string
}

/** What was measured for one workload. */
export interface Row {
  readonly workload: string
  readonly threads: number
  readonly unit: 'ms' | 'MB'
  readonly target: Workload['target']
  /** For each side one number a round: the time of one repetition, or memory. */
  readonly samples: Partial<Record<SideName, number[]>>
  /** How far a side's results are from the first side's, as a share of the largest number. */
  readonly differences: Partial<Record<SideName, number>>
  /** The sides whose results are not those of the others. */
  readonly disagreeing: readonly SideName[]
}

/** Writes the inputs to files that all workers read. */
export function writeInputs(workload: Workload, folder: string): Record<string, TensorFile> {
  torch.manualSeed(1)
  const files: Record<string, TensorFile> = {}
  for (const [name, tensor] of Object.entries(workload.inputs?.(torch) ?? {})) {
    const path = join(folder, `${name}.bin`)
    writeFileSync(path, new Uint8Array((tensor.data() as Float32Array).buffer))
    files[name] = { dtype: tensor.dtype.name as TensorFile['dtype'], shape: [...tensor.shape], path }
  }
  return files
}

/** Repetitions that fill a turn; finding them warms the side up. */
async function calibrate(side: Side, turn: number): Promise<number> {
  let repetitions = 1
  for (;;) {
    const elapsed = await side.block(repetitions)
    if (elapsed >= turn / 2) return Math.max(1, Math.round((repetitions * turn) / elapsed))
    repetitions *= Math.max(2, Math.min(10, Math.ceil(turn / Math.max(elapsed, 0.01))))
  }
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** Measures one workload on all sides that know it. */
export async function runWorkload(
  workload: Workload,
  sides: ReadonlyMap<SideName, Side>,
  threads: number,
  { rounds, turn, files }: RunOptions,
): Promise<Row> {
  const inputs = writeInputs(workload, files)
  const { calls = 1, tolerance = 2e-5 } = workload.compare ?? {}
  const taking: { name: SideName; side: Side; repetitions: number }[] = []
  const samples: Row['samples'] = {}
  const differences: Row['differences'] = {}
  const disagreeing: SideName[] = []
  // PyTorch is what the others are compared with, where it takes part.
  const order = [...sides].sort(([a], [b]) => Number(b === 'PyTorch') - Number(a === 'PyTorch'))
  let reference: readonly (readonly number[])[] | undefined
  for (const [name, side] of order) {
    try {
      const request = { workload: workload.name, python: workload.pytorch, inputs, calls }
      const results = await side.prepare({ type: 'prepare', ...request })
      if (results === null) continue
      reference ??= results
      const apart = difference(reference, results)
      differences[name] = apart
      if (!(apart <= tolerance)) disagreeing.push(name)
      const repetitions = workload.kind === 'once' ? 1 : await calibrate(side, turn)
      taking.push({ name, side, repetitions })
      samples[name] = []
    } catch (error) {
      console.error(`${workload.name}: ${error instanceof Error ? error.message : error}`)
    }
  }
  for (let round = -1; round < rounds; round++) {
    const turns = round % 2 === 0 ? taking : [...taking].reverse()
    for (const { name, side, repetitions } of turns) {
      const elapsed = await side.block(repetitions)
      // The first round warms up. Between turns the threads of the last one fall asleep.
      if (round >= 0) samples[name]!.push(elapsed / repetitions)
      await sleep(5)
    }
  }
  return {
    workload: workload.name,
    threads,
    unit: 'ms',
    target: workload.target,
    samples,
    differences,
    disagreeing,
  }
}
