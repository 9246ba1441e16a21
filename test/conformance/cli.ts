// The conformance runner: compares the library with results recorded from PyTorch.
//
//   npm run conformance -- <folder> [--part ...] [--device cpu|webgpu] [--every <n>] [--only <regex>] [--json <file>] [--list-failures]

import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type PartReport, total } from './case.ts'

const usage = `usage: npm run conformance -- <folder> [--part ops|ops-complex|modules|random|repr|optim|files|hf|training|lesson]
    [--device cpu|webgpu] [--every <n>: each n-th case only] [--only <regex on op or module name>] [--json <file>] [--list-failures]`

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      part: { type: 'string', multiple: true },
      device: { type: 'string', default: 'cpu' },
      only: { type: 'string' },
      every: { type: 'string', default: '1' },
      json: { type: 'string' },
      'list-failures': { type: 'boolean', default: false },
    },
  })
  if (positionals.length !== 1) throw new Error('name the folder with the conformance data')
  if (!existsSync(positionals[0])) throw new Error(`there is no folder ${positionals[0]}`)
  const every = Number(values.every)
  if (!(Number.isInteger(every) && every > 0))
    throw new Error(`--every takes a number from 1 on, got '${values.every}'`)
  const pattern = new RegExp(values.only ?? '')
  return { ...values, every, folder: positionals[0], only: (name: string) => pattern.test(name) }
}

async function main(): Promise<void> {
  const options = readArguments()
  const { partNames, requireDevice, runNamedPart } = await import('./run.ts')
  if (options.device !== 'cpu') await requireDevice(options.device)
  const wanted = options.part ?? partNames
  for (const name of wanted) if (!partNames.includes(name)) throw new Error(`there is no part ${name}`)
  const summaries: string[] = []
  const json: Record<string, unknown> = {}
  for (const name of wanted) {
    if (!existsSync(join(options.folder, name))) continue
    const report = await runNamedPart(name, options.folder, {
      only: options.only,
      device: options.device,
      every: options.every,
    })
    print(report, options['list-failures'])
    const { passed, failed, unsupported } = total(report)
    summaries.push(`${name}: ${passed} passed, ${failed} failed, ${unsupported} unsupported`)
    json[name] = Object.fromEntries(report)
  }
  console.log(summaries.join('\n'))
  if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(json, null, 1)}\n`)
}

function print(report: PartReport, listFailures: boolean): void {
  for (const [name, { passed, failed, unsupported, failures }] of report) {
    console.log(`${name}  ${passed}/${passed + failed + unsupported}  (unsupported ${unsupported})`)
    if (listFailures) for (const { id, reason } of failures) console.log(`    ${id}: ${reason}`)
  }
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : error)
  if (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))
    console.error(usage)
  process.exitCode = 1
})
