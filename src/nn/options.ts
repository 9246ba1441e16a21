// What layers share: reading their options, making their parameters, sizes given as one number or several.

import type { Device } from '../core/device.ts'
import type { DType } from '../core/dtype.ts'
import { ValueError } from '../core/errors.ts'
import { Tuple } from '../core/python.ts'
import { emptyTensor } from '../ops/launch.ts'
import { checkOptions, isOptions } from '../ops/op.ts'
import { Parameter } from './parameter.ts'

export { type FactoryOptions, factory } from './uninitialized.ts'

/**
 * The options of a constructor whose first option may also be given by position. Throws a TypeError for names that the
 * layer does not know.
 */
export function readOptions<O extends object>(
  layer: string,
  known: readonly (keyof O & string)[],
  first?: unknown,
  rest?: O,
): O {
  if (isOptions(first)) {
    checkOptions(layer, first, known)
    return first as O
  }
  if (rest !== undefined) checkOptions(layer, rest as Record<string, unknown>, known)
  return first === undefined ? (rest ?? ({} as O)) : ({ ...rest, [known[0]]: first } as O)
}

/** A parameter with unspecified contents, to be initialised. */
export function emptyParameter(
  sizes: readonly number[],
  { device, dtype }: { device: Device; dtype: DType },
): Parameter {
  return new Parameter(emptyTensor(sizes, dtype, device))
}

/** One number for every dimension, or one for each. */
export type SizeLike = number | readonly number[]

/** A size as a tuple of `n` numbers. Throws ValueError for another count. */
export function expandSize(size: SizeLike, n: number, what = 'size'): number[] {
  if (typeof size === 'number') return tuple(new Array<number>(n).fill(size))
  if (size.length === 1 && n > 1) return tuple(new Array<number>(n).fill(size[0]))
  if (size.length !== n)
    throw new ValueError(`${what} must be a number or ${n} numbers, got [${size.join(', ')}]`)
  return tuple(size)
}

/** The numbers as an array that prints as Python's tuple. */
export function tuple(values: readonly number[]): number[] {
  return Tuple.of(...values)
}

/** Each number `n` times: `[1, 2]` gives `[1, 1, 2, 2]`. */
export function repeatEach(values: readonly number[], n: number): number[] {
  return tuple(values.flatMap((v) => new Array<number>(n).fill(v)))
}
