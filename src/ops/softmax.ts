// Softmax and log-softmax.

import type { DType } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { wrapDim } from '../core/shape.ts'
import * as k from '../kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { to } from './conversion.ts'
import { emptyTensor, launch, loopOperand, operand, splitDims } from './launch.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'

const softmaxKernels = new Map<string, Kernel>()

// Three passes over a row: its largest element, the sum of exponentials, the results. The exponentials are kept where the
// results will be, unless that would round them.
function softmaxKernel(dtype: DType, log: boolean): Kernel {
  const key = `${dtype.name} ${log}`
  let kernel = softmaxKernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder(log ? 'log_softmax' : 'softmax')
    const x = b.input(dtype)
    const keeps = !log && dtype.itemsize >= 4
    const out = b.output(dtype, keeps ? 'readwrite' : 'write')
    const largest = b.loop((l) => l.reduce('max', l.read(x)))
    const total = b.loop((l) => {
      const e = k.exp(k.sub(l.read(x), largest))
      if (keeps) l.write(out, e)
      return l.reduce('sum', e)
    })
    const shift = b.let(log ? k.log(total) : k.div(k.constant(1, total.type), total))
    b.loop((l) => {
      if (keeps) return l.write(out, k.mul(l.read(out), shift))
      const centred = k.sub(l.read(x), largest)
      l.write(out, log ? k.sub(centred, shift) : k.mul(k.exp(centred), shift))
    })
    kernel = b.build()
    softmaxKernels.set(key, kernel)
  }
  return kernel
}

const softmaxGradKernels = new Map<string, Kernel>()

function softmaxGradKernel(dtype: DType, log: boolean): Kernel {
  const key = `${dtype.name} ${log}`
  let kernel = softmaxGradKernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder(log ? 'log_softmax_backward' : 'softmax_backward')
    const g = b.input(dtype)
    const y = b.input(dtype)
    const out = b.output(dtype)
    const total = b.loop((l) => l.reduce('sum', log ? l.read(g) : k.mul(l.read(g), l.read(y))))
    b.loop((l) => {
      const [grad, value] = [l.read(g), l.read(y)]
      l.write(out, log ? k.sub(grad, k.mul(k.exp(value), total)) : k.mul(k.sub(grad, total), value))
    })
    kernel = b.build()
    softmaxGradKernels.set(key, kernel)
  }
  return kernel
}

function launchRows(kernel: Kernel, tensors: readonly Tensor[], dim: number): void {
  const [x] = tensors
  if (x.ndim === 0) {
    launch(
      x.device,
      kernel,
      [],
      [1],
      tensors.map((t) => operand(t, [0])),
    )
    return
  }
  const { outer, loop } = splitDims(x.sizes, [dim])
  launch(
    x.device,
    kernel,
    outer,
    loop,
    tensors.map((t) => loopOperand(t, [dim])),
  )
}

interface SoftmaxAttributes {
  readonly dim: number
  readonly log: boolean
}

const softmaxOp: Op<SoftmaxAttributes> = {
  node: ({ log }) => (log ? 'LogSoftmaxBackward0' : 'SoftmaxBackward0'),
  forward: ([x], { dim, log }) => {
    const out = emptyTensor(x.sizes, x.dtype, x.device)
    launchRows(softmaxKernel(x.dtype, log), [x, out], dim)
    return out
  },
  savesOutputs: [0],
  backward: ([g], c) => [apply(softmaxGradOp, [g!, c.output()], c.attributes)],
}

const softmaxGradOp: Op<SoftmaxAttributes> = {
  node: ({ log }) => (log ? 'LogSoftmaxBackwardBackward0' : 'SoftmaxBackwardBackward0'),
  forward: ([g, y], { dim, log }) => {
    const out = emptyTensor(g.sizes, g.dtype, g.device)
    launchRows(softmaxGradKernel(g.dtype, log), [g, y, out], dim)
    return out
  },
  saves: [0, 1],
  backward: ([gg], c) => {
    const { dim, log } = c.attributes
    const [g, y] = [c.input(0), c.input(1)]
    const sumOf = (x: Tensor) => (x.ndim === 0 ? x : x.sum(dim, { keepdim: true }))
    if (log) return [gg!.sub(sumOf(gg!.mul(y.exp()))), sumOf(g).mul(y.exp()).mul(gg!).neg()]
    const s = sumOf(g.mul(y))
    const ggY = sumOf(gg!.mul(y))
    return [y.mul(gg!.sub(ggY)), gg!.mul(g.sub(s)).sub(g.mul(ggY))]
  },
}

/** Options of `softmax` and `logSoftmax`. */
export interface SoftmaxOptions {
  /** The dtype to convert to first. */
  dtype?: DType
}

export type Softmax = (x: Tensor, dim: number, options?: SoftmaxOptions) => Tensor

function softmaxFunction(name: string, log: boolean): Softmax & FunctionInfo {
  return fn<Softmax>(
    name,
    ['input', 'dim'],
    ['dtype'],
    (x: Tensor, dim: number, { dtype }: SoftmaxOptions) => {
      checkTensor(name, 'input', x)
      const source = dtype === undefined ? x : to(x, dtype)
      if (source.dtype.kind !== 'float')
        throw new RuntimeError(
          `"${name}_lastdim_kernel_impl" not implemented for '${source.dtype.name === 'int64' ? 'Long' : source.dtype.name}'`,
        )
      return apply(softmaxOp, [source], { dim: wrapDim(dim, source.ndim), log })
    },
    { positional: 0 },
  )
}

/** `exp(x) / sum(exp(x))` along `dim`. */
export const softmax: Softmax & FunctionInfo = softmaxFunction('softmax', false)
/** `log(softmax(x))` along `dim`, computed without overflow. */
export const logSoftmax: Softmax & FunctionInfo = softmaxFunction('log_softmax', true)
