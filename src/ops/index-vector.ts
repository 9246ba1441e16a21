// A vector of indices made on the host.

import { int64 } from '../core/dtype.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { emptyTensor } from './launch.ts'

/** An int64 vector of these whole numbers. */
export function indexVector(values: readonly number[]): Tensor {
  const result = emptyTensor([values.length], int64)
  const bytes = result.storage.bytes()
  const view = new BigInt64Array(bytes.buffer, bytes.byteOffset, values.length)
  for (let i = 0; i < values.length; i++) view[i] = BigInt(values[i])
  return result
}
