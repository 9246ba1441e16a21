// The numbers given to a launch, as its compiled code reads them.

import type { ValueType } from '../../kernels/expr.ts'
import type { Heap } from './arena.ts'

/** Writes a number of a type at a byte offset. */
export function putScalar(
  heap: Heap,
  type: ValueType,
  offset: number,
  value: number | bigint | boolean,
): void {
  switch (type) {
    case 'f32':
      heap.f32[offset >> 2] = Number(value)
      return
    case 'f64':
      heap.f64[offset >> 3] = Number(value)
      return
    case 'i64':
      heap.i64[offset >> 3] = typeof value === 'bigint' ? value : BigInt(Math.trunc(Number(value)))
      return
    default:
      heap.i32[offset >> 2] = Number(value)
  }
}
