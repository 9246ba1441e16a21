// The command line of the benchmark.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { build } from './build.ts'
import { processWorkloads } from './processes.ts'
import { describeMachine, header, table } from './report.ts'
import { type Row, type RunOptions, runWorkload } from './run.ts'
import { Side } from './side.ts'
import { type Peer, pytorchMissing, type SideName, sidesOf } from './sides.ts'
import { quantile } from './statistics.ts'
import type { Description } from './workers/protocol.ts'
import { workloads } from './workloads/index.ts'

const usage = `npm run bench -- [options]

  --only <regex>          run the workloads whose name matches, ignoring case
  --threads <n[,n]>       thread counts, the same for antorcha and PyTorch (default 1)
  --native on|off|both    antorcha with its native addon, without it, or both (default both)
  --peers <names>         of pytorch, tfjs, jax (default all); PYTHON names the interpreter that has PyTorch
  --rounds <n>            how many turns each side takes (default 9; 5 for checkpoints)
  --quick                 3 short rounds: a look, not a measurement
  --minimum               the fastest round instead of the median, for a machine that does other work as well
  --json <file>           every sample as JSON as well; - for standard output, instead of the tables
  --list                  the names of the workloads
`

class UsageError extends Error {}

const options = {
  only: { type: 'string', default: '' },
  threads: { type: 'string', default: '1' },
  native: { type: 'string', default: 'both' },
  peers: { type: 'string', default: 'pytorch,tfjs,jax' },
  rounds: { type: 'string' },
  quick: { type: 'boolean', default: false },
  minimum: { type: 'boolean', default: false },
  json: { type: 'string' },
  list: { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

function oneOf<T extends string>(option: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((name) => name === value)
  if (found === undefined) throw new UsageError(`--${option} takes ${allowed.join(', ')}, not "${value}"`)
  return found
}

function count(option: string, value: string): number {
  const n = Number(value)
  if (!Number.isInteger(n) || n < 1)
    throw new UsageError(`--${option} takes positive whole numbers, not "${value}"`)
  return n
}

/** What the command line asks for. Throws UsageError. */
function settingsOf(args: readonly string[]) {
  let values: ReturnType<typeof parseArgs<{ options: typeof options }>>['values']
  try {
    values = parseArgs({ args: [...args], options }).values
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
  let only: RegExp
  try {
    only = new RegExp(values.only, 'i')
  } catch {
    throw new UsageError(`--only is not a regular expression: ${values.only}`)
  }
  const { quick } = values
  return {
    ...values,
    only,
    threads: values.threads.split(',').map((n) => count('threads', n)),
    native: oneOf('native', values.native, ['on', 'off', 'both']),
    peers: values.peers.split(',').map((peer) => oneOf<Peer>('peers', peer, ['pytorch', 'tfjs', 'jax'])),
    rounds: values.rounds === undefined ? (quick ? 3 : 9) : count('rounds', values.rounds),
    turn: quick ? 30 : 70,
  }
}

type Settings = ReturnType<typeof settingsOf>

function progress({ workload, samples, unit, disagreeing, differences }: Row): string {
  const sides = Object.entries(samples).map(([name, taken]) => {
    const wrong = disagreeing.includes(name as SideName)
      ? ` (differs by ${differences[name as SideName]})`
      : ''
    return `${name} ${quantile(taken, 0.5).toPrecision(3)}${wrong}`
  })
  return `${workload}, ${unit}: ${sides.join(', ')}`
}

async function runAll(settings: Settings, files: string) {
  const names = new Map<SideName, Description>()
  const tables: { threads: number; rows: Row[] }[] = []
  for (const threads of settings.threads) {
    const starts = sidesOf({ ...settings, threads, files })
    const options: RunOptions = { ...settings, files }
    const sides = new Map<SideName, Side>(starts.map((start) => [start.name, new Side(start)]))
    const rows: Row[] = []
    const add = (row: Row) => {
      rows.push(row)
      console.error(progress(row))
    }
    try {
      for (const [name, side] of sides) names.set(name, await side.describe())
      for (const workload of workloads)
        if (settings.only.test(workload.name)) add(await runWorkload(workload, sides, threads, options))
    } finally {
      for (const side of sides.values()) await side.close()
    }
    for (const workload of processWorkloads)
      if (settings.only.test(workload.name)) add(await workload.run(starts, threads, options))
    tables.push({ threads, rows })
  }
  return { names, tables }
}

/** Runs the benchmark; the exit status is 1 where results differ, 2 for a command line that makes no sense. */
export async function main(args: readonly string[]): Promise<number> {
  let settings: Settings
  try {
    settings = settingsOf(args)
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    console.error(`${error.message}\n\n${usage}`)
    return 2
  }
  if (settings.help) {
    console.log(usage)
    return 0
  }
  if (settings.list) {
    for (const { name } of [...workloads, ...processWorkloads]) console.log(name)
    return 0
  }
  if (settings.peers.includes('pytorch')) {
    const missing = pytorchMissing()
    if (missing !== null) {
      console.error(missing)
      settings = { ...settings, peers: settings.peers.filter((peer) => peer !== 'pytorch') }
    }
  }
  await build()
  const machine = describeMachine()
  const files = mkdtempSync(join(tmpdir(), 'antorcha-bench-'))
  try {
    const { names, tables } = await runAll(settings, files)
    const rows = tables.flatMap((table) => table.rows)
    if (settings.json !== undefined) {
      const text = `${JSON.stringify({ machine, sides: Object.fromEntries(names), rows }, null, 2)}\n`
      if (settings.json === '-') process.stdout.write(text)
      else writeFileSync(settings.json, text)
    }
    if (settings.json !== '-') {
      console.log(header(machine, names))
      for (const { threads, rows } of tables) {
        console.log(`\n${threads === 1 ? 'One thread' : `${threads} threads`}\n`)
        console.log(table(rows, [...names.keys()], machine, settings.minimum ? 0 : 0.5))
      }
    }
    const wrong = rows.filter((row) => row.disagreeing.length > 0)
    for (const { workload, disagreeing } of wrong)
      console.error(`${workload}: the results of ${disagreeing.join(' and ')} are not those of the others`)
    return wrong.length > 0 ? 1 : 0
  } finally {
    rmSync(files, { recursive: true, force: true })
  }
}
