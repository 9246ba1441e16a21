// Windows over the last dimensions of a tensor: where each begins, how many elements it has, and the kernels that find
// the largest element of each, or the sum. Every pooling is one of these two over windows of its own.

import { type DType, float32, float64, int32, int64 } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { numelOf } from '../core/shape.ts'
import * as k from '../kernels/expr.ts'
import { type Expr, valueTypeOf } from '../kernels/expr.ts'
import { identityOf, type Kernel, KernelBuilder, type LoopBuilder } from '../kernels/kernel.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { emptyTensor, launch, operand } from './launch.ts'
import { int32Vector } from './table-gather.ts'

/** The windows along one dimension. */
export interface WindowDim {
  /** Where each window begins; one list for all planes, or with `perPlane` one after the other for each. */
  readonly starts: readonly number[]
  /** How many elements each window has (not beyond the input). */
  readonly counts: readonly number[]
  readonly perPlane: boolean
  /** The number of windows. */
  readonly outputs: number
  /** Elements of the largest window. */
  readonly extent: number
  /** The distance between the elements of a window. */
  readonly dilation: number
  /** The distance between windows that are all of full size and begin at 0; null where they are not so regular. */
  readonly step: number | null
}

function windowDim(
  starts: readonly number[],
  counts: readonly number[],
  dilation: number,
  step: number | null,
): WindowDim {
  const extent = Math.max(1, ...counts)
  const regular = step !== null && starts.every((s, i) => s === i * step) && counts.every((c) => c === extent)
  return {
    starts,
    counts,
    perPlane: false,
    outputs: starts.length,
    extent,
    dilation,
    step: regular ? step : null,
  }
}

/** Windows of `size` elements, `stride` apart, over an input of `n` elements; those that reach beyond it are cut. */
export function slidingWindows(
  n: number,
  size: number,
  stride: number,
  padding: number,
  dilation: number,
  outputs: number,
): WindowDim {
  const starts: number[] = []
  const counts: number[] = []
  for (let o = 0; o < outputs; o++) {
    const from = o * stride - padding
    const skipped = from < 0 ? Math.ceil(-from / dilation) : 0
    const start = from + skipped * dilation
    starts.push(start)
    counts.push(Math.max(0, Math.min(size - skipped, Math.ceil((n - start) / dilation))))
  }
  return windowDim(starts, counts, dilation, stride)
}

/** As many windows as there are outputs, of nearly the same size, that together cover the input. */
export function adaptiveWindows(n: number, outputs: number): WindowDim {
  const starts = Array.from({ length: outputs }, (_, o) => Math.floor((o * n) / outputs))
  const counts = starts.map((start, o) => Math.ceil(((o + 1) * n) / outputs) - start)
  return windowDim(starts, counts, 1, outputs > 0 && n % outputs === 0 ? n / outputs : null)
}

/** Windows of one size at given places, different ones for each plane. */
export function placedWindows(starts: readonly number[], size: number, outputs: number): WindowDim {
  return {
    starts,
    counts: starts.map(() => size),
    perPlane: true,
    outputs,
    extent: size,
    dilation: 1,
    step: null,
  }
}

/** For each of the `n` elements of the input the windows that it is in: windows over the outputs. (Without dilation.) */
export function transposedWindows({ starts, counts }: WindowDim, n: number): WindowDim {
  const first = new Array<number>(n).fill(-1)
  const number_ = new Array<number>(n).fill(0)
  starts.forEach((start, o) => {
    for (let i = start; i < start + counts[o]; i++) {
      if (first[i] < 0) first[i] = o
      number_[i]++
    }
  })
  return windowDim(
    first.map((o) => Math.max(o, 0)),
    number_,
    1,
    null,
  )
}

/** The number of windows that fit, PyTorch's rule: in `ceilMode` one more that reaches over the end, if it begins inside. */
export function outputCount(
  n: number,
  size: number,
  stride: number,
  padding: number,
  dilation: number,
  ceilMode: boolean,
): number {
  const reach = dilation * (size - 1) + 1
  const outputs = Math.floor((n + 2 * padding - reach + (ceilMode ? stride - 1 : 0)) / stride) + 1
  return ceilMode && (outputs - 1) * stride >= n + padding ? outputs - 1 : outputs
}

/** One number for each of `rank` dimensions. Throws PyTorch's error for another count. */
export function perDimension(
  name: string,
  what: string,
  value: number | readonly number[],
  rank: number,
): number[] {
  if (typeof value === 'number') return new Array<number>(rank).fill(value)
  if (value.length === 1) return new Array<number>(rank).fill(value[0])
  if (value.length !== rank) {
    const words = ['', 'one', 'two', 'three'][rank]
    const omitted = what === 'stride' ? 'be omitted, ' : 'be '
    throw new RuntimeError(`${name}: ${what} must either ${omitted}a single int, or a tuple of ${words} ints`)
  }
  return [...value]
}

// ---- kernels ----------------------------------------------------------------------------------------------------------

interface Places {
  /** Where this position's window begins, for each dimension. */
  readonly starts: Expr[]
  /** An element of the window, 0 where it has none. */
  read(loop: LoopBuilder): Expr
  /** Whether the window has this element; null where it always does. */
  valid(loop: LoopBuilder): Expr | null
}

// Declares the operands that say where windows are. Regular ones are found by strides alone, others by tables.
function declareWindows(b: KernelBuilder, x: number, rank: number, prefix: number, regular: boolean): Places {
  const dims = Array.from({ length: rank }, (_, i) => i)
  if (regular) {
    const starts = dims.map((d) => k.mul(b.index(prefix + d), b.scalar('i32')))
    return { starts, read: (l) => l.read(x), valid: () => null }
  }
  const starts = dims.map(() => b.input(int32))
  const counts = dims.map(() => b.input(int32))
  const dilations = dims.map(() => b.scalar('i32'))
  const begin = starts.map((s) => b.let(b.read(s)))
  const valid = (l: LoopBuilder) =>
    dims.map((d) => k.lt(l.index(d), b.read(counts[d]))).reduce((p, q) => k.and(p, q))
  return {
    starts: begin,
    read: (l) =>
      l.read(x, { at: dims.map((d) => k.add(begin[d], k.mul(l.index(d), dilations[d]))), where: valid(l) }),
    valid,
  }
}

interface WindowLaunch {
  readonly outer: number[]
  readonly loop: number[]
  readonly source: ReturnType<typeof operand>
  readonly tables: ReturnType<typeof operand>[]
  readonly scalars: number[]
  readonly regular: boolean
}

function windowLaunch(x: Tensor, windows: readonly WindowDim[]): WindowLaunch {
  const prefix = x.ndim - windows.length
  const regular = windows.every((w) => w.step !== null)
  const front = x.strides.slice(0, prefix)
  const back = x.strides.slice(prefix)
  const none = windows.map(() => 0)
  const outer = [...x.sizes.slice(0, prefix), ...windows.map((w) => w.outputs)]
  const loop = windows.map((w) => w.extent)
  if (regular) {
    const strides = [
      ...front,
      ...windows.map((w, i) => w.step! * back[i]),
      ...windows.map((w, i) => w.dilation * back[i]),
    ]
    return {
      outer,
      loop,
      source: operand(x, strides),
      tables: [],
      scalars: windows.map((w) => w.step!),
      regular,
    }
  }
  const planes = x.sizes.slice(0, prefix)
  const table = (values: readonly number[], d: number, perPlane: boolean) => {
    const own = windows[d].outputs
    const steps = planes.map((_, i) => (perPlane ? own * numelOf(planes.slice(i + 1)) : 0))
    return operand(int32Vector(values), [...steps, ...windows.map((_, i) => (i === d ? 1 : 0)), ...none])
  }
  const tables = [
    ...windows.map((w, d) => table(w.starts, d, w.perPlane)),
    ...windows.map((w, d) => table(w.counts, d, w.perPlane)),
  ]
  const source = operand(x, [...front, ...none, ...none], back)
  return { outer, loop, source, tables, scalars: windows.map((w) => w.dilation), regular }
}

const maxKernels = new Map<string, Kernel>()

// The largest element of each window (the last NaN, if there is one) and where it stands in its plane: the first element,
// until a larger one is met.
function maxKernel(dtype: DType, rank: number, prefix: number, regular: boolean): Kernel {
  const key = `${dtype.name} ${rank} ${prefix} ${regular}`
  let kernel = maxKernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder('max_pool')
    const x = b.input(dtype)
    const places = declareWindows(b, x, rank, prefix, regular)
    const values = b.output(dtype)
    const indices = b.output(int64)
    const planeStrides = Array.from({ length: rank }, () => b.scalar('i32'))
    const windowStrides = Array.from({ length: rank }, () => b.scalar('i32'))
    const inner = (terms: readonly Expr[]) => terms.reduce((p, q) => k.add(p, q))
    const [best, at] = b.loop((l) =>
      l.fold([identityOf('max', valueTypeOf(dtype)), k.constant(0, 'i32')], ([best, at]) => {
        const value = places.read(l)
        let take = k.gt(value, best)
        if (dtype.kind === 'float') take = k.or(take, k.isNaN_(value))
        const valid = places.valid(l)
        if (valid !== null) take = k.and(valid, take)
        const offset = inner(windowStrides.map((s, d) => k.mul(l.index(d), s)))
        return [k.select(take, value, best), k.select(take, offset, at)]
      }),
    )
    b.write(values, best)
    b.write(indices, k.cast(k.add(at, inner(planeStrides.map((s, d) => k.mul(places.starts[d], s)))), 'i64'))
    kernel = b.build()
    maxKernels.set(key, kernel)
  }
  return kernel
}

/** The largest element of each window of the last dimensions, and where it stands in its (flattened) plane. */
export function windowMax(x: Tensor, windows: readonly WindowDim[]): [values: Tensor, indices: Tensor] {
  const w = windowLaunch(x, windows)
  const values = emptyTensor(w.outer, x.dtype, x.device)
  const indices = emptyTensor(w.outer, int64, x.device)
  if (values.numel() === 0) return [values, indices]
  const prefix = x.ndim - windows.length
  const still = windows.map(() => 0)
  const plane = windows.map((_, d) => numelOf(x.sizes.slice(prefix + d + 1)))
  launch(
    x.device,
    maxKernel(x.dtype, windows.length, prefix, w.regular),
    w.outer,
    w.loop,
    [
      w.source,
      ...w.tables,
      operand(values, [...values.strides, ...still]),
      operand(indices, [...indices.strides, ...still]),
    ],
    [...w.scalars, ...plane, ...windows.map((d, i) => d.dilation * plane[i])],
  )
  return [values, indices]
}

const sumKernels = new Map<string, Kernel>()

function sumKernel(dtype: DType, divisor: DType, rank: number, prefix: number, regular: boolean): Kernel {
  const key = `${dtype.name} ${rank} ${prefix} ${regular}`
  let kernel = sumKernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder('avg_pool')
    const x = b.input(dtype)
    const places = declareWindows(b, x, rank, prefix, regular)
    const divisors = b.input(divisor)
    const out = b.output(dtype)
    const total = b.loop((l) => l.reduce('sum', places.read(l)))
    b.write(out, k.div(total, b.read(divisors)))
    kernel = b.build()
    sumKernels.set(key, kernel)
  }
  return kernel
}

/** The sum of each window of the last dimensions divided by a number: one for all, or one for each window of a plane. */
export function windowSum(x: Tensor, windows: readonly WindowDim[], divisors: readonly number[]): Tensor {
  const w = windowLaunch(x, windows)
  const out = emptyTensor(w.outer, x.dtype, x.device)
  if (out.numel() === 0) return out
  const type = valueTypeOf(x.dtype)
  const dtype = type === 'f64' ? float64 : type === 'f32' ? float32 : type === 'i64' ? int64 : int32
  const prefix = x.ndim - windows.length
  const table = divisorTable(divisors, dtype)
  const sizes = windows.map((d) => d.outputs)
  const steps = sizes.map((_, d) => (divisors.length === 1 ? 0 : numelOf(sizes.slice(d + 1))))
  const still = windows.map(() => 0)
  const front = new Array<number>(prefix).fill(0)
  launch(
    x.device,
    sumKernel(x.dtype, dtype, windows.length, prefix, w.regular),
    w.outer,
    w.loop,
    [
      w.source,
      ...w.tables,
      operand(table, [...front, ...steps, ...still]),
      operand(out, [...out.strides, ...still]),
    ],
    w.scalars,
  )
  return out
}

/** Numbers to divide by, as a vector of the dtype given. */
export function divisorTable(values: readonly number[], dtype: DType): Tensor {
  const table = emptyTensor([values.length], dtype)
  const bytes = table.storage.bytes()
  const [at, n] = [bytes.byteOffset, values.length]
  if (dtype === int64) new BigInt64Array(bytes.buffer, at, n).set(values.map(BigInt))
  else if (dtype === float64) new Float64Array(bytes.buffer, at, n).set(values)
  else if (dtype === float32) new Float32Array(bytes.buffer, at, n).set(values)
  else new Int32Array(bytes.buffer, at, n).set(values)
  return table
}

// ---- planes -----------------------------------------------------------------------------------------------------------

const planeKernels = new Map<string, Kernel>()

function planeKernel(dtype: DType, what: 'gather' | 'set' | 'add'): Kernel {
  const key = `${dtype.name} ${what}`
  let kernel = planeKernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder(`plane_${what}`)
    const at = [b.read(b.input(int64))]
    if (what === 'gather') {
      const value = b.read(b.input(dtype), { at })
      b.write(b.output(dtype), value)
    } else {
      const value = b.read(b.input(dtype))
      b.write(b.output(dtype, 'readwrite'), value, { at, mode: what })
    }
    kernel = b.build()
    planeKernels.set(key, kernel)
  }
  return kernel
}

// A contiguous tensor whose planes (the last `rank` dimensions) are addressed by one flat coordinate.
function planesOperand(x: Tensor, rank: number): ReturnType<typeof operand> {
  return operand(
    x,
    x.strides.map((s, d) => (d < x.ndim - rank ? s : 0)),
    [1],
  )
}

/** Writes (or adds) values [..., windows] into zeroed or given planes `out` [..., plane] at flat positions. */
export function writePlanes(
  out: Tensor,
  indices: Tensor,
  values: Tensor,
  rank: number,
  mode: 'set' | 'add',
): void {
  if (values.numel() === 0) return
  launch(
    out.device,
    planeKernel(out.dtype, mode),
    values.sizes,
    [],
    [operand(indices), operand(values), planesOperand(out, rank)],
  )
}

/** The elements of (contiguous) planes at flat positions, in the shape of `indices`. */
export function readPlanes(x: Tensor, indices: Tensor, rank: number): Tensor {
  const out = emptyTensor(indices.sizes, x.dtype, x.device)
  if (out.numel() > 0)
    launch(
      x.device,
      planeKernel(x.dtype, 'gather'),
      indices.sizes,
      [],
      [operand(indices), planesOperand(x, rank), operand(out)],
    )
  return out
}
