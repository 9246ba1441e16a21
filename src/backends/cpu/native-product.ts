// Matrix products and convolutions through the native addon: a faster form of the kernel called `matmul`.

import { float32, float64 } from '../../core/dtype.ts'
import { native } from './native.ts'
import { registerTuned } from './tuned.ts'

/** Multiplications below which a call of the addon costs more than it saves. */
const LEAST_WORK = 16384
/** Where the launch is written: in the first page of the arena, as all parameters are. */
const LAUNCH = 64

registerTuned('matmul', (arena, kernel, { outer, loop, operands }, pointers) => {
  const { dtype } = kernel.operands[0]
  if (operands.length !== 3 || (dtype !== float32 && dtype !== float64)) return false
  let work = 1
  for (let d = 0; d < outer.length; d++) work *= outer[d]
  for (let d = 0; d < loop.length; d++) work *= loop[d]
  if (work < LEAST_WORK) return false
  const addon = native(arena)
  if (addon === null) return false
  const { i32 } = arena.heap
  let at = LAUNCH >> 2
  i32[at++] = dtype.itemsize
  i32[at++] = outer.length
  i32[at++] = loop.length
  for (let o = 0; o < 3; o++) i32[at++] = pointers[o]
  for (let d = 0; d < outer.length; d++) i32[at++] = outer[d]
  for (let d = 0; d < loop.length; d++) i32[at++] = loop[d]
  for (let o = 0; o < 3; o++)
    for (let d = 0; d < outer.length + loop.length; d++) i32[at++] = operands[o].strides[d]
  return addon.multiply(LAUNCH)
})
