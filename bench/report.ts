// The header and the table: Markdown that reads well in a terminal.

import { readFileSync } from 'node:fs'
import { availableParallelism, cpus, type as operatingSystem, release, totalmem } from 'node:os'
import { markdownTable } from 'markdown-table'
import type { Row } from './run.ts'
import type { SideName } from './sides.ts'
import { quantile, type Ratio, ratioOf } from './statistics.ts'
import type { Description } from './workers/protocol.ts'

/** What is known of the machine. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  /** The instruction sets that matter here, where the system tells. */
  readonly instructions: readonly string[]
}

function instructionSets(): string[] {
  let flags: string[] = []
  try {
    const line = readFileSync('/proc/cpuinfo', 'utf8').match(/^(?:flags|Features)\s*:(.*)$/m)
    flags = line?.[1].trim().split(' ') ?? []
  } catch {
    // Not Linux.
  }
  return ['avx512f', 'avx2', 'fma', 'asimd', 'sve'].filter((name) => flags.includes(name))
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? process.arch,
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${operatingSystem()} ${release()} ${process.arch}`,
    node: process.version,
    instructions: instructionSets(),
  }
}

/** The lines above the tables. */
export function header(machine: Machine, descriptions: ReadonlyMap<SideName, Description>): string {
  const { cpu, cores, memoryGiB, instructions, system, node } = machine
  const sets = instructions.length > 0 ? `, ${instructions.join(' ')}` : ''
  const lines = [`${cpu}, ${cores} cores, ${memoryGiB} GiB${sets}; ${system}; Node ${node}`]
  for (const [name, { version, configuration }] of descriptions)
    lines.push(`${name} ${version}: ${configuration.trim().replace(/\s+/g, ' ')}`)
  return lines.join('\n')
}

const formatted = (value: number): string => {
  if (value >= 100) return value.toFixed(0)
  if (value >= 1) return value.toPrecision(3)
  return value >= 0.001 ? value.toPrecision(3) : value.toFixed(5)
}

const formatRatio = ({ ratio, quartiles }: Ratio): string =>
  `${ratio.toFixed(2)} (${quartiles.map((q) => q.toFixed(2)).join('-')})`

/** The bound that holds on this machine. */
function targetOf(row: Row, peer: 'PyTorch' | 'TensorFlow.js', machine: Machine): number | undefined {
  const { target } = row
  if (peer === 'TensorFlow.js') return target?.tfjs
  const bound = target?.pytorch
  if (bound === undefined || typeof bound === 'number') return bound
  return bound[machine.instructions.includes('avx512f') ? 0 : 1]
}

interface Column {
  readonly title: string
  cell(row: Row): string
}

/** `own` is the side whose time is divided by the peer's. `q` is 0.5 for medians, 0 for the fastest rounds. */
function columnsOf(sides: readonly SideName[], machine: Machine, q: number): Column[] {
  const value = (name: SideName): Column => ({
    title: name,
    cell: ({ samples, disagreeing }) => {
      const own = samples[name]
      if (own === undefined || own.length === 0) return '-'
      return `${formatted(quantile(own, q))}${disagreeing.includes(name) ? ' !' : ''}`
    },
  })
  const ratio = (name: SideName, peer: SideName): Column => ({
    title: `${name} / ${peer}`,
    cell: ({ samples }) => {
      const [own, other] = [samples[name], samples[peer]]
      return own?.length && other?.length ? formatRatio(ratioOf(own, other, q)) : '-'
    },
  })
  const target = (peer: 'PyTorch' | 'TensorFlow.js'): Column => ({
    title: 'wanted',
    cell: (row) => {
      const bound = targetOf(row, peer, machine)
      return bound === undefined ? '' : `<= ${bound}`
    },
  })
  const own = sides.filter((name) => name.startsWith('antorcha'))
  const first = own[0]
  // The peers in JavaScript are what the WebAssembly kernels are measured against.
  const last = own[own.length - 1]
  const columns: Column[] = [{ title: 'workload', cell: ({ workload, unit }) => `${workload}, ${unit}` }]
  columns.push(...own.map(value))
  for (const peer of sides) {
    if (own.includes(peer)) continue
    columns.push(value(peer))
    columns.push(ratio(peer === 'PyTorch' ? first : last, peer))
    if (peer === 'PyTorch' || peer === 'TensorFlow.js') columns.push(target(peer))
  }
  return columns
}

/** One table for the rows of one thread count. */
export function table(rows: readonly Row[], sides: readonly SideName[], machine: Machine, q: number): string {
  const columns = columnsOf(sides, machine, q)
  return markdownTable(
    [columns.map(({ title }) => title), ...rows.map((row) => columns.map((c) => c.cell(row)))],
    {
      align: columns.map((_, i) => (i === 0 ? 'l' : 'r')),
    },
  )
}
