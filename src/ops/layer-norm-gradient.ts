// The gradients of layer norm where nobody differentiates them again: one kernel for the input, one for weight and bias.
// The differentiable form: normalization.ts.

import type { DType } from '../core/dtype.ts'
import { numelOf } from '../core/shape.ts'
import * as k from '../kernels/expr.ts'
import { type Expr, valueTypeOf } from '../kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { emptyTensor, launch, operand } from './launch.ts'

const inputKernels = new Map<string, Kernel>()

// For each row, with y = (x - mean) / std and s = g weight: (s - mean(s) - y mean(s y)) / std.
function inputKernel(dtype: DType, weight: DType | null): Kernel {
  const key = `${dtype.name} ${weight?.name}`
  let kernel = inputKernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder('layer_norm_gradient')
    const [g, x, mean, rstd] = Array.from({ length: 4 }, () => b.input(dtype))
    const w = weight === null ? null : b.input(weight)
    const out = b.output(dtype)
    const type = valueTypeOf(dtype)
    const count = b.scalar(type)
    const center = b.let(b.read(mean))
    const scale = b.let(b.read(rstd))
    const [sum, product] = b.loop((l) => {
      const s = scaled(l.read(g), w === null ? null : l.read(w), type)
      return [l.reduce('sum', s), l.reduce('sum', k.mul(s, k.mul(k.sub(l.read(x), center), scale)))]
    })
    const [sumMean, productMean] = [b.let(k.div(sum, count)), b.let(k.div(product, count))]
    b.loop((l) => {
      const s = scaled(l.read(g), w === null ? null : l.read(w), type)
      const y = k.mul(k.sub(l.read(x), center), scale)
      l.write(out, k.mul(k.sub(k.sub(s, sumMean), k.mul(y, productMean)), scale))
    })
    kernel = b.build()
    inputKernels.set(key, kernel)
  }
  return kernel
}

function scaled(g: Expr, w: Expr | null, type: Expr['type']): Expr {
  return w === null ? g : k.mul(g, k.cast(w, type))
}

const weightKernels = new Map<string, Kernel>()

// For each column the sums of g y and of g over the rows.
function weightKernel(dtype: DType, weight: DType): Kernel {
  const key = `${dtype.name} ${weight.name}`
  let kernel = weightKernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder('layer_norm_gradient_sums')
    const [g, x, mean, rstd] = Array.from({ length: 4 }, () => b.input(dtype))
    const [products, sums] = [b.output(weight), b.output(weight)]
    const [product, sum] = b.loop((l) => {
      const value = l.read(g)
      const y = k.mul(k.sub(l.read(x), l.read(mean)), l.read(rstd))
      return [l.reduce('sum', k.mul(value, y)), l.reduce('sum', value)]
    })
    const type = valueTypeOf(weight)
    b.write(products, k.cast(product, type))
    b.write(sums, k.cast(sum, type))
    kernel = b.build()
    weightKernels.set(key, kernel)
  }
  return kernel
}

/** The gradient of the input; `mean` and `rstd` have the sizes of the dimensions before the last `rank`. */
export function layerNormInputGradient(
  g: Tensor,
  x: Tensor,
  mean: Tensor,
  rstd: Tensor,
  weight: Tensor | null,
  rank: number,
): Tensor {
  const out = emptyTensor(x.sizes, x.dtype, x.device)
  const outer = x.sizes.slice(0, x.ndim - rank)
  const loop = x.sizes.slice(x.ndim - rank)
  const still = outer.map(() => 0)
  const perRow = (t: Tensor) => operand(t, [...t.strides, ...loop.map(() => 0)])
  launch(
    x.device,
    inputKernel(x.dtype, weight?.dtype ?? null),
    outer,
    loop,
    [
      operand(g),
      operand(x),
      perRow(mean),
      perRow(rstd),
      ...(weight === null ? [] : [operand(weight, [...still, ...weight.strides])]),
      operand(out),
    ],
    [numelOf(loop)],
  )
  return out
}

/** The gradients of weight and bias, of the dtype and the sizes of the weight. */
export function layerNormWeightGradients(
  g: Tensor,
  x: Tensor,
  mean: Tensor,
  rstd: Tensor,
  dtype: DType,
  rank: number,
): [weight: Tensor, bias: Tensor] {
  const split = x.ndim - rank
  const columns = x.sizes.slice(split)
  const rows = x.sizes.slice(0, split)
  const results: [Tensor, Tensor] = [
    emptyTensor(columns, dtype, x.device),
    emptyTensor(columns, dtype, x.device),
  ]
  // The columns are the positions here, the rows the loop.
  const turned = (t: Tensor) => operand(t, [...t.strides.slice(split), ...t.strides.slice(0, split)])
  const perRow = (t: Tensor) => operand(t, [...columns.map(() => 0), ...t.strides])
  const perColumn = (t: Tensor) => operand(t, [...t.strides, ...rows.map(() => 0)])
  launch(x.device, weightKernel(x.dtype, dtype), columns, rows, [
    turned(g),
    turned(x),
    perRow(mean),
    perRow(rstd),
    ...results.map(perColumn),
  ])
  return results
}
