// How optimizers and schedulers take their options, and how option names are written in TypeScript and in checkpoints.

import { TypeError_ } from '../core/errors.ts'
import { checkOptions, describe, isOptions } from '../ops/op.ts'

/** PyTorch's name of an option: `weightDecay` → `weight_decay`. */
export function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}

/** The TypeScript name of one of PyTorch's options: `weight_decay` → `weightDecay`. */
export function camelCase(name: string): string {
  return name.replace(/(?<=[A-Za-z0-9])_+([A-Za-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

/**
 * The options of a call whose first option may stand alone: `f({ lr: 0.1 })`, `f(0.1)` or `f(0.1, { momentum: 0.9 })`.
 * What is not given (or undefined) has the value in `defaults`, whose order the result keeps.
 * @throws TypeError for an option that is not in `defaults`, and for anything else than options.
 */
export function readOptions<O extends object>(
  name: string,
  defaults: O,
  first: keyof O & string,
  args: readonly unknown[],
): O {
  const given: Record<string, unknown> = {}
  let rest = args
  if (rest.length > 0 && rest[0] !== undefined && !isOptions(rest[0])) {
    given[first] = rest[0]
    rest = rest.slice(1)
  } else if (rest.length > 1 && rest[0] === undefined) rest = rest.slice(1)
  if (rest.length > 1 || (rest.length === 1 && rest[0] !== undefined && !isOptions(rest[0])))
    throw new TypeError_(
      `${name}() takes its options as one object, but got ${describe(rest[rest.length - 1])}`,
    )
  const options = rest[0] as Record<string, unknown> | undefined
  if (options !== undefined) {
    checkOptions(name, options, Object.keys(defaults))
    for (const [key, value] of Object.entries(options)) {
      if (value === undefined) continue
      if (key in given) throw new TypeError_(`${name}() got multiple values for argument '${key}'`)
      given[key] = value
    }
  }
  return { ...defaults, ...given }
}

/** What a dict of a checkpoint holds under a key, whether it is a Map or a plain object. */
export function entry(dict: unknown, key: string): unknown {
  return dict instanceof Map ? dict.get(key) : (dict as Record<string, unknown>)[key]
}

/** The pairs of a dict of a checkpoint, whether it is a Map or a plain object. Throws TypeError for anything else. */
export function entriesOf(dict: unknown, what: string): [unknown, unknown][] {
  if (dict instanceof Map) return [...dict]
  if (typeof dict === 'object' && dict !== null && !Array.isArray(dict)) return Object.entries(dict)
  throw new TypeError_(`${what} must be a Map or an object, but got ${describe(dict)}`)
}
