// What is measured of whole processes: how long the import takes, and the peak memory of one that trains.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Row, type RunOptions, writeInputs } from './run.ts'
import { Side } from './side.ts'
import type { SideName, SideStart } from './sides.ts'
import { workloadNamed } from './workloads/index.ts'

const execute = promisify(execFile)

/** One measurement that starts fresh processes. */
export interface ProcessWorkload {
  readonly name: string
  run(starts: readonly SideStart[], threads: number, options: RunOptions): Promise<Row>
}

function record(samples: Row['samples'], name: SideName, value: number): void {
  const taken = samples[name] ?? []
  taken.push(value)
  samples[name] = taken
}

const importing: ProcessWorkload = {
  name: 'import',
  async run(starts, threads, { rounds }) {
    const samples: Row['samples'] = {}
    for (let round = -1; round < rounds; round++) {
      for (const { name, env, importProgram } of starts) {
        const { command, args } = importProgram
        const { stdout } = await execute(command, [...args], { env: { ...process.env, ...env } })
        // The first round fills the caches of the file system.
        if (round >= 0) record(samples, name, Number(stdout.trim().split('\n').at(-1)))
      }
    }
    return { ...nothing, workload: 'import', threads, unit: 'ms', samples }
  },
}

const nothing = { target: undefined, differences: {}, disagreeing: [] }
const memoryName = 'MLP training, peak memory'

const memory: ProcessWorkload = {
  name: memoryName,
  async run(starts, threads, { rounds, files }) {
    const workload = workloadNamed('MLP step')
    const inputs = writeInputs(workload, files)
    const samples: Row['samples'] = {}
    for (let round = 0; round < Math.min(rounds, 3); round++) {
      for (const start of starts) {
        const side = new Side(start)
        try {
          const request = { workload: workload.name, python: workload.pytorch, inputs, calls: 1 }
          if ((await side.prepare({ type: 'prepare', ...request })) === null) continue
          // The event loop never turns within a block.
          await side.block(rounds < 5 ? 50 : 300)
          record(samples, start.name, (await side.memory()) / 2 ** 20)
        } finally {
          await side.close()
        }
      }
    }
    return { ...nothing, workload: memoryName, threads, unit: 'MB', target: { pytorch: 1 }, samples }
  },
}

export const processWorkloads: readonly ProcessWorkload[] = [memory, importing]
