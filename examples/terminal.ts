// What the examples share at the terminal: a little colour where there is one, wrapped prose, options and exit codes.

import { type ParseArgsConfig, parseArgs } from 'node:util'
import * as torch from '../src/index.ts'

/** Exit codes: 1 for what went wrong on the way, 2 for a command line that cannot be understood. */
export const exitCode = { failure: 1, usage: 2 } as const

/** A wrong command line; its message is shown with the usage. */
export class UsageError extends Error {}

/** Whether a person is looking: colour, cursor movements and progress bars are for them only. */
export const isTerminal: boolean = process.stdout.isTTY === true && process.env.TERM !== 'dumb'

const hasColor = isTerminal && !process.env.NO_COLOR

// util.styleText does this too, but only from Node 20.12 on.
const style =
  (on: number, off: number) =>
  (text: string): string =>
    hasColor ? `\x1b[${on}m${text}\x1b[${off}m` : text

export const bold: (text: string) => string = style(1, 22)
export const dim: (text: string) => string = style(2, 22)
export const red: (text: string) => string = style(31, 39)
export const green: (text: string) => string = style(32, 39)
export const yellow: (text: string) => string = style(33, 39)
export const cyan: (text: string) => string = style(36, 39)

/** Prose in lines of the terminal's width, at most 88 characters; paragraphs are separated by empty lines. */
export function wrap(prose: string, width = Math.min(88, process.stdout.columns || 88)): string {
  const wrapParagraph = (paragraph: string): string => {
    let result = ''
    let column = 0
    for (const word of paragraph.split(/\s+/).filter(Boolean)) {
      if (column > 0 && column + 1 + word.length > width) {
        result += '\n'
        column = 0
      } else if (column > 0) {
        result += ' '
        column++
      }
      result += word
      column += word.length
    }
    return result
  }
  return prose
    .trim()
    .split(/\n\s*\n/)
    .map(wrapParagraph)
    .join('\n\n')
}

/** Prints a line, or an empty one. */
export function say(line = ''): void {
  process.stdout.write(`${line}\n`)
}

/** The command line's options, `--help` among them. Throws UsageError for unknown ones and for stray arguments. */
export function readOptions<K extends string>(
  defaults: Readonly<Record<K, string>>,
): Record<K, string> & { help: boolean } {
  const options: NonNullable<ParseArgsConfig['options']> = { help: { type: 'boolean', default: false } }
  for (const name of Object.keys(defaults)) options[name] = { type: 'string', default: defaults[name as K] }
  try {
    return parseArgs({ options }).values as Record<K, string> & { help: boolean }
  } catch (error) {
    // What follows its first sentence explains positional arguments, of which there are none here.
    throw new UsageError((error as Error).message.split('. ')[0])
  }
}

/** What the short examples take: how long to train, and where. */
export interface ShortOptions {
  readonly count: number
  readonly device: 'cpu' | 'webgpu'
}

/**
 * The command line of the short examples, `[count] [--device cpu|webgpu]`. Where the device is not to be had, or the command
 * line makes no sense, says why and ends the program.
 */
export async function readShortOptions(defaultCount: number): Promise<ShortOptions> {
  const { values, positionals } = parseArgs({
    options: { device: { type: 'string', default: 'cpu' } },
    allowPositionals: true,
  })
  try {
    const count = wholeNumber('count', positionals[0] ?? String(defaultCount), 1, 1_000_000)
    return { count, device: await readyDevice(values.device) }
  } catch (error) {
    process.stderr.write(`${red('error:')} ${(error as Error).message}\n`)
    return process.exit(error instanceof UsageError ? exitCode.usage : exitCode.failure)
  }
}

/** Checks the name of a device, and has the GPU ready. Throws UsageError, or the reason why there is no GPU. */
export async function readyDevice(name: string): Promise<'cpu' | 'webgpu'> {
  if (name !== 'cpu' && name !== 'webgpu') throw new UsageError(`--device takes cpu or webgpu, got '${name}'`)
  if (name === 'webgpu') await torch.webgpu.init()
  return name
}

/** A whole number given as an option. Throws UsageError for anything else. */
export function wholeNumber(option: string, text: string, minimum: number, maximum: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < minimum || value > maximum)
    throw new UsageError(`--${option} takes a whole number from ${minimum} to ${maximum}, got '${text}'`)
  return value
}

/** Runs a program: errors become a message and an exit code instead of a stack trace. */
export async function runProgram(usage: string, main: () => void | Promise<void>): Promise<void> {
  // The reader of a pipe may leave early (`npm start | head`).
  process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
  try {
    await main()
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${red('error:')} ${error.message}\n\n${usage}\n`)
      process.exitCode = exitCode.usage
    } else {
      const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
      process.stderr.write(`${red('error:')} ${text}\n`)
      if (process.env.DEBUG && error instanceof Error) process.stderr.write(`${error.stack}\n`)
      process.exitCode = exitCode.failure
    }
  }
}
