// `npm run lesson -- --lang es|en`: walks through the lesson on torch.nn.Module: words, code, and what the code prints.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as torch from '../src/index.ts'
import { type CellOutcome, lessonCells, runCell } from './lesson-cells.ts'
import { closing, type Language, labels, languages, prose } from './lesson-prose.ts'
import {
  bold,
  cyan,
  dim,
  green,
  readOptions,
  readyDevice,
  red,
  runProgram,
  say,
  UsageError,
  wrap,
  yellow,
} from './terminal.ts'

const usage = `Usage: npm run lesson -- [--lang es|en] [--device cpu|webgpu]

Walks through the lesson on torch.nn.Module, cell by cell.

  --lang <es|en>  the language of the words (default: that of $LANG, else English)
  --device <d>    where tensors and layers are made: cpu (default) or webgpu
  --help          this text`

function languageOfSystem(): Language {
  const { LC_ALL, LC_MESSAGES, LANG } = process.env
  return (LC_ALL || LC_MESSAGES || LANG || '').toLowerCase().startsWith('es') ? 'es' : 'en'
}

function languageOf(option: string): Language {
  const language = languages.find((one) => one === option)
  if (language === undefined) throw new UsageError(`--lang takes ${languages.join(' or ')}, got '${option}'`)
  return language
}

/**
 * A cell's function body as a notebook would have it: the imports are code, classes are declared (here they are
 * variables that later cells share), and a cell ends with the value that it shows.
 */
function asInNotebook(code: string): string {
  return code
    .replace(/^\/\/ (?=import|const)/gm, '')
    .replace(/^(\w+) = class \1\b/gm, 'class $1')
    .replace(/^return /gm, '')
}

/** The code of every cell as it stands in lesson-cells.ts, so that what is shown is what runs. */
function sourcesOfCells(): Map<number, string> {
  const file = readFileSync(fileURLToPath(new URL('./lesson-cells.ts', import.meta.url)), 'utf8')
  const sources = new Map<number, string>()
  for (const [, cell, body] of file.matchAll(
    /^ {4}cell: (\d+),\n {4}(?:async )?run\([^)]*\) \{\n(.*?)^ {4}\},$/gms,
  )) {
    const lines = body.trimEnd().split('\n')
    const code = lines.map((line) => line.replace(/^ {6}/, '')).join('\n')
    sources.set(Number(cell), asInNotebook(code))
  }
  return sources
}

const indent = (text: string): string => text.replace(/^(?=.)/gm, '    ')

/** Code with its comments dimmed. */
function highlight(code: string): string {
  return code.replace(/^( *)(\/\/.*)$/gm, (_, space: string, comment: string) => space + dim(comment))
}

function sayOutcome(
  cell: number,
  outcome: CellOutcome,
  warnings: readonly string[],
  language: Language,
): void {
  for (const warning of warnings) say(`${yellow(`${labels.warning[language]}:`)} ${wrap(warning)}\n`)
  if (outcome.stdout !== '') say(`${green(outcome.stdout.trimEnd())}\n`)
  if (outcome.result !== null) say(`${dim(`Out [${cell}]`)} ${green(outcome.result)}\n`)
  if (outcome.error !== null) say(`${red(`${outcome.error.type}:`)} ${outcome.error.message}\n`)
}

/** Runs a cell and collects what the library warns of on the way. */
async function runWithWarnings(
  cell: (typeof lessonCells)[number],
  directory: string,
): Promise<[CellOutcome, string[]]> {
  const warnings: string[] = []
  const { warn } = console
  console.warn = (...args: unknown[]) => void warnings.push(args.join(' '))
  try {
    return [await runCell(cell, directory), warnings]
  } finally {
    console.warn = warn
  }
}

async function main(): Promise<void> {
  const options = readOptions({ lang: languageOfSystem(), device: 'cpu' })
  if (options.help) {
    say(usage)
    return
  }
  const language = languageOf(options.lang)
  torch.setDefaultDevice(await readyDevice(options.device))
  const sources = sourcesOfCells()
  const directory = mkdtempSync(join(tmpdir(), 'antorcha-lesson-'))
  try {
    say(`${bold(labels.title[language])}\n`)
    say(`${dim(wrap(labels.source[language]))}\n`)
    for (const cell of lessonCells) {
      const words = prose.get(cell.cell)
      if (words !== undefined) say(`${wrap(words[language])}\n`)
      const source = sources.get(cell.cell)
      if (source === undefined)
        throw new Error(`the code of cell ${cell.cell} was not found in lesson-cells.ts`)
      say(cyan(`In [${cell.cell}]`))
      say(`${highlight(indent(source))}\n`)
      const [outcome, warnings] = await runWithWarnings(cell, directory)
      sayOutcome(cell.cell, outcome, warnings, language)
      // One cell fails on purpose; any other error is a defect.
      if (outcome.error !== null && cell.cell !== 161) throw new Error(`cell ${cell.cell} failed`)
    }
    say(`${wrap(closing[language])}\n\n${dim(labels.end[language])}`)
  } finally {
    // The folder that was made above, with the lesson's mlp.pt.
    rmSync(directory, { recursive: true })
  }
}

await runProgram(usage, main)
