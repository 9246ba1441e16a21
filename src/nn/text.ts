// How modules print.

import { pyFloat, pyRepr, Tuple } from '../core/python.ts'
import type { Module } from './module.ts'
import { entriesOf, nameOf } from './registry.ts'

/** Indents all lines but the first. */
export function indentRest(text: string, spaces = 2): string {
  return text.includes('\n') ? text.split('\n').join(`\n${' '.repeat(spaces)}`) : text
}

/** A module's name, its `extraRepr` and its children. */
export function describeModule(module: Module): string {
  const extra = module.extraRepr()
  const extraLines = extra === '' ? [] : extra.split('\n')
  const childLines: string[] = []
  for (const [name, child] of entriesOf(module, 'module'))
    childLines.push(`(${name}): ${indentRest(child === null ? 'None' : String(child))}`)
  return assemble(nameOf(module), extraLines, childLines)
}

/** `Name(extra)` on one line, or with each line on its own where there are children. */
export function assemble(name: string, extraLines: readonly string[], childLines: readonly string[]): string {
  if (extraLines.length === 0 && childLines.length === 0) return `${name}()`
  if (extraLines.length === 1 && childLines.length === 0) return `${name}(${extraLines[0]})`
  return `${name}(\n  ${[...extraLines, ...childLines].join('\n  ')}\n)`
}

/** A boolean as Python prints it. */
export function pyBool(value: boolean): string {
  return value ? 'True' : 'False'
}

/** A number that PyTorch's own code declares a float (a default such as `1.0`). */
export { pyFloat }

/** A size given as one number or several: several print as a tuple. */
export function pySize(value: number | readonly (number | null)[] | null): string {
  if (value === null || typeof value === 'number') return pyRepr(value)
  return pyRepr(Tuple.of(...value))
}
