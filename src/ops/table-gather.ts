// Results whose last dimensions are looked up in tables: element i of a dimension is element sources[i] of the input's.
// Padding by the input's own elements and nearest-neighbour interpolation are of this kind.

import { type DType, int32 } from '../core/dtype.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { fullTensor } from './creation.ts'
import { emptyTensor, launch, operand } from './launch.ts'
import { apply, type Op } from './op.ts'

interface TakenAttributes {
  readonly node: string
  /** For each of the last dimensions, where each element of the result comes from. */
  readonly sources: readonly (readonly number[])[]
  /** The shape of the result. */
  readonly sizes: readonly number[]
}

const kernels = new Map<string, Kernel>()

function takeKernel(dtype: DType, rank: number, back: boolean): Kernel {
  const key = `${dtype.name} ${rank} ${back}`
  let kernel = kernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder(back ? 'take_by_tables_backward' : 'take_by_tables')
    const at = Array.from({ length: rank }, () => b.read(b.input(int32)))
    const x = b.input(dtype)
    if (back) b.write(b.output(dtype, 'readwrite'), b.read(x), { at, mode: 'add' })
    else b.write(b.output(dtype), b.read(x, { at }))
    kernel = b.build()
    kernels.set(key, kernel)
  }
  return kernel
}

/** An int32 vector of these numbers. */
export function int32Vector(values: readonly number[]): Tensor {
  const table = emptyTensor([values.length], int32)
  const bytes = table.storage.bytes()
  new Int32Array(bytes.buffer, bytes.byteOffset, values.length).set(values)
  return table
}

function tableOperands(sources: readonly (readonly number[])[], rank: number): ReturnType<typeof operand>[] {
  return sources.map((values, i) =>
    operand(
      int32Vector(values),
      Array.from({ length: rank }, (_, d) => (d === rank - sources.length + i ? 1 : 0)),
    ),
  )
}

// The smaller tensor is addressed by tables in its last dimensions, by position in the others.
function tabled(x: Tensor, count: number): ReturnType<typeof operand> {
  return operand(
    x,
    x.strides.map((s, d) => (d < x.ndim - count ? s : 0)),
    x.strides.slice(x.ndim - count),
  )
}

const takenOp: Op<TakenAttributes> = {
  node: ({ node }) => node,
  forward: ([x], { sources, sizes }) => {
    const out = emptyTensor(sizes, x.dtype, x.device)
    const operands = [...tableOperands(sources, x.ndim), tabled(x, sources.length), operand(out)]
    if (out.numel() > 0) launch(x.device, takeKernel(x.dtype, sources.length, false), sizes, [], operands)
    return out
  },
  backward: ([g], c) => [apply(returnedOp, [g!], { ...c.attributes, sizes: c.inputSizes[0] })],
}

// The derivative: each element of the gradient is added where its value came from.
const returnedOp: Op<TakenAttributes> = {
  node: ({ node }) => node.replace('Backward0', 'BackwardBackward0'),
  forward: ([g], { sources, sizes }) => {
    const out = fullTensor(sizes, 0, g.dtype, g.device)
    const operands = [...tableOperands(sources, g.ndim), operand(g), tabled(out, sources.length)]
    if (g.numel() > 0) launch(g.device, takeKernel(g.dtype, sources.length, true), g.sizes, [], operands)
    return out
  },
  backward: ([gg], c) => [apply(takenOp, [gg!], { ...c.attributes, sizes: c.inputSizes[0] })],
}

/**
 * The elements of x at `sources[d]` along each of the last dimensions. No bounds are checked.
 * @param node The name of the node that records it.
 */
export function takeByTables(x: Tensor, node: string, sources: readonly (readonly number[])[]): Tensor {
  const sizes = x.sizes.map((n, d) => sources[d - x.ndim + sources.length]?.length ?? n)
  return apply(takenOp, [x], { node, sources, sizes })
}
