// Numbers of an optimizer's state that PyTorch keeps as tensors without dimensions: made, read, written, counted.

import { float32, float64, getDefaultDtype } from '../core/dtype.ts'
import { fillRaw, fullTensor } from '../ops/creation.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** A number as the state keeps it: a tensor without dimensions, float32 unless the default dtype is float64. */
export function scalarState(value: number): Tensor {
  return fullTensor([], value, getDefaultDtype() === float64 ? float64 : float32)
}

/** The number in such a tensor. */
export function readScalar(scalar: Tensor): number {
  if (scalar.dtype === float32) return viewOf(scalar).getFloat32(0, true)
  if (scalar.dtype === float64) return viewOf(scalar).getFloat64(0, true)
  return Number(scalar.item())
}

/** Writes a number to such a tensor, rounded to its dtype. */
export function writeScalar(scalar: Tensor, value: number): void {
  if (scalar.dtype === float32) viewOf(scalar).setFloat32(0, value, true)
  else if (scalar.dtype === float64) viewOf(scalar).setFloat64(0, value, true)
  else fillRaw(scalar, value)
  scalar.storage.version++
}

/** Counts a step on and returns its number. */
export function nextStep(step: Tensor): number {
  const n = readScalar(step) + 1
  writeScalar(step, n)
  return n
}

function viewOf(scalar: Tensor): DataView {
  const bytes = scalar.storage.bytes()
  return new DataView(bytes.buffer, bytes.byteOffset + scalar.offset * scalar.dtype.itemsize)
}
