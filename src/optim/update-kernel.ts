// Update kernels: one pass over a parameter, its gradient and its state that computes and writes all their new values.

import { backendFor } from '../backends/backend.ts'
import { RuntimeError } from '../core/errors.ts'
import { broadcastSizes, formatSizes, isContiguous, numelOf, sameSizes } from '../core/shape.ts'
import type { Expr } from '../kernels/expr.ts'
import * as k from '../kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import { broadcastOperand, commonDevice, launch, operand } from '../ops/launch.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** What an update computes for one element. */
export interface UpdateSpec<R extends string, W extends string, S extends string> {
  readonly name: string
  /** Tensors that are only read; they may be smaller and are broadcast. */
  readonly reads: readonly R[]
  /** Tensors that are read and written. The first decides the shape and the type in which is computed. */
  readonly writes: readonly W[]
  /** Numbers given at each step. */
  readonly scalars: readonly S[]
  /** The new values, from the old ones. Nothing is written before all of them are known. */
  readonly compute: (
    tensors: Readonly<Record<R | W, Expr>>,
    scalars: Readonly<Record<S, Expr>>,
    axpy: Axpy,
  ) => Readonly<Partial<Record<W, Expr>>>
}

/** `y + a x`, PyTorch's `add` with `alpha`. */
export type Axpy = (y: Expr, a: Expr, x: Expr) => Expr

const plainAxpy: Axpy = (y, a, x) => k.add(y, k.mul(a, x))

// PyTorch rounds once here, with a fused multiply-add. WebAssembly's lanes have none; the few elements of a tiny
// tensor are computed one by one anyway, and float64 holds the product of two float32 numbers exactly.
const fusedAxpy: Axpy = (y, a, x) =>
  y.type === 'f32'
    ? k.cast(k.add(k.cast(y, 'f64'), k.mul(k.cast(a, 'f64'), k.cast(x, 'f64'))), 'f32')
    : plainAxpy(y, a, x)

/** Below this number of elements kernels do not run in lanes. */
const tiny = 4

/** Runs an update on tensors, in place. The numbers are rounded to the type in which is computed. */
export type Update<R extends string, W extends string, S extends string> = (
  tensors: Readonly<Record<R | W, Tensor>>,
  scalars: Readonly<Record<S, number>>,
) => void

/** Makes an update; its kernel is built once for each combination of dtypes. */
export function updateKernel<R extends string, W extends string, S extends string>(
  spec: UpdateSpec<R, W, S>,
): Update<R, W, S> {
  const names: readonly (R | W)[] = [...spec.writes, ...spec.reads]
  const writes = spec.writes.length
  const kernels = new Map<number, Kernel>()

  return (tensors, scalars) => {
    const operands: Tensor[] = []
    let key = 0
    let flat = true
    const { sizes } = tensors[names[0]]
    for (let i = 0; i < names.length; i++) {
      const x = tensors[names[i]]
      operands.push(x)
      key = key * 16 + x.dtype.index
      if (i > 0 && !sameSizes(x.sizes, sizes)) {
        if (i < writes || !sameSizes(broadcastSizes(x.sizes, sizes), sizes))
          throw new RuntimeError(
            `${spec.name}: the ${names[i]} of shape ${formatSizes(x.sizes)} doesn't match the ${names[0]} of shape ${formatSizes(sizes)}`,
          )
        flat = false
      } else if (!isContiguous(x.sizes, x.strides)) flat = false
    }
    const n = numelOf(sizes)
    key = key * 2 + (n < tiny ? 1 : 0)
    let kernel = kernels.get(key)
    if (kernel === undefined) {
      kernel = build(spec, names, operands, n < tiny ? fusedAxpy : plainAxpy)
      kernels.set(key, kernel)
    }
    const numbers: number[] = []
    for (const name of spec.scalars) numbers.push(scalars[name])
    const device = commonDevice(spec.name, operands)
    if (device.type !== 'meta') {
      if (flat) {
        const storages = []
        const offsets = []
        for (const x of operands) {
          storages.push(x.storage.allocation)
          offsets.push(x.offset)
        }
        backendFor(device.type).launchFlat(kernel, n, storages, offsets, numbers)
      } else {
        const accesses = operands.map((x, i) => (i < writes ? operand(x) : broadcastOperand(x, sizes)))
        launch(device, kernel, sizes, [], accesses, numbers)
      }
    }
    for (let i = 0; i < writes; i++) operands[i].storage.version++
  }
}

function build<R extends string, W extends string, S extends string>(
  spec: UpdateSpec<R, W, S>,
  names: readonly (R | W)[],
  operands: readonly Tensor[],
  axpy: Axpy,
): Kernel {
  const builder = new KernelBuilder(spec.name)
  const type = k.valueTypeOf(operands[0].dtype)
  const values = {} as Record<R | W, Expr>
  names.forEach((name, i) => {
    const { dtype } = operands[i]
    const number = i < spec.writes.length ? builder.output(dtype, 'readwrite') : builder.input(dtype)
    values[name] = k.cast(builder.read(number), type)
  })
  const scalars = {} as Record<S, Expr>
  for (const name of spec.scalars) scalars[name] = builder.scalar(type)
  const results = spec.compute(values, scalars, axpy)
  // Named before the first is written: an expression may still read what another one replaces.
  const written = spec.writes.map((name) => {
    const value = results[name]
    return value === undefined ? null : builder.let(value)
  })
  written.forEach((value, i) => {
    if (value !== null) builder.write(i, k.cast(value, k.valueTypeOf(operands[i].dtype)))
  })
  return builder.build()
}

/** One update for each combination of flags, made when it is first asked for. */
export function updateVariants<F extends Readonly<Record<string, boolean>>, U>(
  make: (flags: F) => U,
): (flags: F) => U {
  const variants = new Map<number, U>()
  return (flags) => {
    let key = 1
    for (const name in flags) key = key * 2 + (flags[name] ? 1 : 0)
    let variant = variants.get(key)
    if (variant === undefined) {
      variant = make(flags)
      variants.set(key, variant)
    }
    return variant
  }
}

/** `start + weight (end - start)`, from the nearer end, as PyTorch computes it. */
export function lerp(start: Expr, end: Expr, weight: Expr, nearEnd: boolean): Expr {
  const difference = k.sub(end, start)
  return nearEnd ? k.sub(end, k.mul(difference, k.sub(1, weight))) : k.add(start, k.mul(weight, difference))
}

/** Whether a weight of `lerp` lies nearer to the end. */
export function isNearEnd(weight: number): boolean {
  return Math.abs(weight) >= 0.5
}

/** `x + value a b`, PyTorch's `addcmul`. */
export function addcmul(x: Expr, a: Expr, b: Expr, value: Expr): Expr {
  return k.add(x, k.mul(k.mul(value, a), b))
}

/** `x + value a / b`, PyTorch's `addcdiv`. */
export function addcdiv(x: Expr, a: Expr, b: Expr, value: Expr): Expr {
  return k.add(x, k.div(k.mul(value, a), b))
}

/** The gradient that descends: negated under `maximize`, with the pull of an L2 penalty where there is one. */
export function descent(
  grad: Expr,
  param: Expr,
  flags: { maximize: boolean; penalty: boolean },
  decay: Expr,
  axpy: Axpy,
): Expr {
  const down = flags.maximize ? k.neg(grad) : grad
  return flags.penalty ? axpy(down, decay, param) : down
}
