// Numbers as elements of a dtype.

import { Complex } from '../core/complex.ts'
import { bool, type DType, iinfo } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import type { Scalar } from './pointwise.ts'

const cName = (dtype: DType): string =>
  ({ float64: 'double', float32: 'float', bool: 'bool' })[dtype.name as string] ?? `${dtype.name}_t`

/** A number as an element of a dtype. Throws PyTorch's error where an integer type cannot hold it. */
export function asElement(value: Scalar, dtype: DType): Scalar {
  if (dtype.kind === 'complex') return Complex.of(value)
  if (value instanceof Complex) {
    if (value.im !== 0)
      throw new RuntimeError(`value cannot be converted to type ${cName(dtype)} without overflow`)
    return asElement(value.re, dtype)
  }
  if (dtype === bool) return Boolean(value)
  if (dtype.kind === 'float') return typeof value === 'boolean' ? Number(value) : value
  const { max } = iinfo(dtype)
  const whole = typeof value === 'bigint' || Number.isInteger(Number(value))
  // A negative whole number stands for its two's complement where the dtype has no sign.
  const least = dtype.isSigned || !whole ? Number(iinfo(dtype).min) : -Number(max)
  const inRange =
    typeof value === 'bigint'
      ? value >= BigInt(least) && value <= max
      : Number(value) >= least && Number(value) <= Number(max)
  if (!inRange) throw new RuntimeError(`value cannot be converted to type ${dtype.name}_t without overflow`)
  return typeof value === 'bigint' ? value : Math.trunc(Number(value))
}
