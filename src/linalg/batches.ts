// From tensors of matrices to host algorithms and back, and the checks and errors that linear algebra shares.

import { complex128, type DType, float64, int32, scalarTypeName } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { broadcastSizes, formatSizes, numelOf } from '../core/shape.ts'
import { resolveConj } from '../ops/complex.ts'
import { to } from '../ops/conversion.ts'
import { computeLater, onHost } from '../ops/host.ts'
import { emptyTensor } from '../ops/launch.ts'
import { checkTensor } from '../ops/op.ts'
import { expand, viewAsReal } from '../ops/views.ts'
import { data } from '../tensor/data.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** A matrix that an algorithm cannot work with: singular, not positive definite. PyTorch's `torch.linalg.LinAlgError`. */
export class LinAlgError extends RuntimeError {
  override name = 'LinAlgError'
}

/** One result of a host algorithm: its shape without the batch, and its dtype. */
export interface Output {
  readonly sizes: readonly number[]
  readonly dtype: DType
}

/**
 * Runs `f` on each item of a batch. Inputs have the same batch dimensions and then `ranks[i]` dimensions of their own;
 * `f` gets them as float64 (its own copies), complex numbers as pairs, and fills the results.
 */
export function eachItem(
  inputs: readonly Tensor[],
  ranks: readonly number[],
  outputs: readonly Output[],
  f: (inputs: readonly Float64Array[], outputs: readonly Float64Array[]) => void,
): Tensor[] {
  const [first] = inputs
  const batch = first.sizes.slice(0, first.ndim - ranks[0])
  if (first.device.type === 'meta')
    return outputs.map((o) => emptyTensor([...batch, ...o.sizes], o.dtype, first.device))
  const known = inputs.map((x) => onHost(x.detach()))
  if (known.includes(null))
    return computeLater(
      inputs.map((x) => x.detach()),
      outputs.map(({ sizes, dtype }) => ({ sizes: [...batch, ...sizes], dtype })),
      (values) => eachItem(values, ranks, outputs, f),
    )
  const sources = known.map((x) => toHost(x!))
  const width = (dtype: DType) => (dtype.isComplex ? 2 : 1)
  const inputCounts = inputs.map((x, i) => width(x.dtype) * numelOf(x.sizes.slice(x.ndim - ranks[i])))
  const counts = outputs.map((o) => width(o.dtype) * numelOf(o.sizes))
  const n = numelOf(batch)
  const results = counts.map((count) => new Float64Array(n * count))
  for (let item = 0; item < n; item++)
    f(
      sources.map((s, i) => s.subarray(item * inputCounts[i], (item + 1) * inputCounts[i])),
      results.map((r, i) => r.subarray(item * counts[i], (item + 1) * counts[i])),
    )
  return outputs.map((o, i) => to(fromHost(results[i], [...batch, ...o.sizes], o.dtype), first.device))
}

// Its numbers, complex ones as pairs.
function toHost(x: Tensor): Float64Array {
  if (!x.dtype.isComplex) return data(to(x, float64)) as Float64Array
  return data(viewAsReal(resolveConj(to(x, complex128)))) as Float64Array
}

/** A tensor of these numbers, complex ones being pairs. */
export function fromHost(values: Float64Array, sizes: readonly number[], dtype: DType): Tensor {
  const wide = emptyTensor(sizes, dtype.isComplex ? complex128 : float64)
  const bytes = wide.storage.bytes()
  new Float64Array(bytes.buffer, bytes.byteOffset, values.length).set(values)
  return dtype === wide.dtype ? wide : to(wide, dtype)
}

/**
 * Throws where a derivative depends on the phases of complex vectors, which are arbitrary.
 * @param turns how the loss changes with each vector's phase: zeros for a loss that is well defined
 */
export function checkPhases(turns: Tensor, message: string): void {
  const known = onHost(turns.detach())
  if (known === null || known.numel() === 0) return
  if ((known.abs().max().item() as number) > 1e-2) throw new RuntimeError(message)
}

/** What an algorithm says about success, one number for each matrix. */
export const info: Output = { sizes: [], dtype: int32 }

/** Throws unless A holds matrices of a dtype in which linear algebra is done. */
export function checkMatrices(name: string, a: Tensor, what = 'A'): void {
  checkTensor(name, what, a)
  if (a.ndim < 2) throw new RuntimeError(`${name}: The input tensor ${what} must have at least 2 dimensions.`)
  checkPrecision(name, a)
}

/** Throws for half precision and whole numbers. */
export function checkPrecision(name: string, a: Tensor): void {
  if (a.dtype.isComplex) return
  if (a.dtype.kind !== 'float')
    throw new RuntimeError(
      `${name}: Expected a floating point or complex tensor as input. Got ${scalarTypeName(a.dtype)}`,
    )
  if (a.dtype.itemsize < 4)
    throw new RuntimeError(`${name}: Low precision dtypes not supported. Got ${scalarTypeName(a.dtype)}`)
}

/** Throws unless A holds square matrices. */
export function checkSquare(name: string, a: Tensor, what = 'A'): void {
  checkMatrices(name, a, what)
  const [m, n] = a.sizes.slice(-2)
  if (m !== n)
    throw new RuntimeError(
      `${name}: ${what} must be batches of square matrices, but they are ${m} by ${n} matrices`,
    )
}

/** Two tensors with their batch dimensions broadcast. `ranks` are their own dimensions, after the batch. */
export function broadcastBatches(
  a: Tensor,
  b: Tensor,
  ranks: readonly [number, number] = [2, 2],
): [Tensor, Tensor] {
  const split = (x: Tensor, rank: number) => [x.sizes.slice(0, x.ndim - rank), x.sizes.slice(x.ndim - rank)]
  const [batchA, ownA] = split(a, ranks[0])
  const [batchB, ownB] = split(b, ranks[1])
  const batch = broadcastSizes(batchA, batchB)
  return [expand(a, [...batch, ...ownA]), expand(b, [...batch, ...ownB])]
}

/** Throws a LinAlgError for the first matrix about which an algorithm complained. */
export function checkInfo(infos: Tensor, message: (code: number) => string): void {
  if (infos.device.type === 'meta') return
  const known = onHost(infos)
  if (known === null) {
    // As PyTorch does on a GPU, except that it waits: the next value that is awaited tells.
    computeLater([infos], [], ([values]) => {
      checkInfo(values, message)
      return []
    })
    return
  }
  const codes = data(known) as Int32Array
  const bad = codes.findIndex((code) => code !== 0)
  if (bad < 0) return
  const [name, ...rest] = message(codes[bad]).split(': ')
  const place = infos.ndim === 0 ? '' : `(Batch element ${bad}): `
  throw new LinAlgError(`${name}: ${place}${rest.join(': ')}`)
}

/** Throws where two tensors differ in dtype. */
export function checkSameDtype(
  name: string,
  a: Tensor,
  b: Tensor,
  names: readonly [string, string] = ['A', 'B'],
): void {
  if (a.dtype !== b.dtype)
    throw new RuntimeError(
      `${name}: Expected ${names[0]} and ${names[1]} to have the same dtype, but found ${names[0]} of type ${scalarTypeName(a.dtype)} and ${names[1]} of type ${scalarTypeName(b.dtype)} instead`,
    )
}

/** Throws where shapes do not go together. */
export function shapeError(name: string, a: Tensor, b: Tensor): RuntimeError {
  return new RuntimeError(`${name}: Incompatible shapes ${formatSizes(a.sizes)} and ${formatSizes(b.sizes)}`)
}
