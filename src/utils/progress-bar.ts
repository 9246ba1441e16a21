// The bar of `progress`, in a terminal: the package cli-progress draws it.

import type * as CliProgress from 'cli-progress'
import { optionalPackage } from './optional-package.ts'
import type { ProgressOptions } from './progress.ts'

/** A bar that is being drawn. */
export type Bar = CliProgress.SingleBar

/** Draws a bar, or returns null where none is wanted, or possible. `total` is the number of items, where it is known. */
export function startBar(
  { description = '', enabled = null, leave = true, stream = globalThis.process?.stderr }: ProgressOptions,
  total: number | undefined,
): Bar | null {
  const isTerminal = stream?.isTTY === true
  if (stream === undefined || !(enabled ?? isTerminal)) return null
  const library = barLibrary()
  if (library === null) return null
  const counts =
    total === undefined
      ? '{value} items'
      : '{bar} {percentage}% {value}/{total} {duration_formatted}<{eta_formatted}'
  const bar = new library.SingleBar({
    format: `${description === '' ? '' : '{description} '}${counts}  {values}`,
    barCompleteChar: '\u2588',
    barIncompleteChar: '\u2591',
    barsize: 30,
    clearOnComplete: !leave,
    // The cursor and line wrapping stay as they are, so that Ctrl-C leaves the terminal in order.
    hideCursor: false,
    linewrap: true,
    // A loop that never awaits gives timers no turn: the bar is drawn as it is counted on.
    forceRedraw: true,
    synchronousUpdate: true,
    noTTYOutput: !isTerminal,
    stream: stream as NodeJS.WriteStream,
  })
  bar.start(total ?? 0, 0, { description, values: '' })
  return bar
}

let isMissing = false

function barLibrary(): typeof CliProgress | null {
  if (isMissing) return null
  const library = optionalPackage<typeof CliProgress>('cli-progress')
  if (library === null) {
    isMissing = true
    console.warn('torch.utils.progress draws its bar with the package cli-progress: npm install cli-progress')
  }
  return library
}
