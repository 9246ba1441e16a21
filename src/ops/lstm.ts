// Long short-term memory over a sequence as one operation: two launches a step each way, and the gradients of the
// weights from one product over all steps. nn/rnn-functions.ts has the same step by step, for every device and dtype.

import { grad } from '../autograd/engine.ts'
import { gradMode } from '../autograd/mode.ts'
import { type DType, float32, float64 } from '../core/dtype.ts'
import * as k from '../kernels/expr.ts'
import { valueTypeOf } from '../kernels/expr.ts'
import { type Access, type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { zeros } from './creation.ts'
import { emptyTensor, launch, operand } from './launch.ts'
import { contractionKernel, mm } from './matmul.ts'
import { applyMany, type Op } from './op.ts'
import { narrow, select, t, view } from './views.ts'

const gates = [0, 1, 2, 3] as const

/** A kernel for each dtype and variant, made when it is first needed. */
function cached(
  make: (dtype: DType, variant: boolean) => Kernel,
): (dtype: DType, variant: boolean) => Kernel {
  const kernels = new Map<string, Kernel>()
  return (dtype, variant) => {
    const key = `${dtype.name} ${variant}`
    let kernel = kernels.get(key)
    if (kernel === undefined) {
      kernel = make(dtype, variant)
      kernels.set(key, kernel)
    }
    return kernel
  }
}

// Operands: the four gates of the hidden product, of the bias, of the input; the cell; the four activations, the cell
// and the hidden state after.
const stepKernel = cached((dtype, hasBias) => {
  const b = new KernelBuilder('lstm_step')
  const four = () => gates.map(() => b.input(dtype))
  const hidden = four()
  const bias = hasBias ? four() : null
  const input = four()
  const cell = b.input(dtype)
  const activations = gates.map(() => b.output(dtype))
  const [cellAfter, hiddenAfter] = [b.output(dtype), b.output(dtype)]
  const [i, f, g, o] = gates.map((n) => {
    const product = b.read(hidden[n])
    const sum = k.add(bias === null ? product : k.add(product, b.read(bias[n])), b.read(input[n]))
    return b.let(n === 2 ? k.tanh(sum) : k.sigmoid(sum))
  })
  const next = b.let(k.add(k.mul(f, b.read(cell)), k.mul(i, g)))
  const all = [i, f, g, o]
  for (const n of gates) b.write(activations[n], all[n])
  b.write(cellAfter, next)
  b.write(hiddenAfter, k.mul(o, k.tanh(next)))
  return b.build()
})

// Operands: the gradients of the hidden state from outside and from the step after, of the cell from the step after; the
// four activations; the cell after and before; the gradients of the four gates and of the cell before.
const stepGradKernel = cached((dtype) => {
  const b = new KernelBuilder('lstm_step_backward')
  const [outside, after, cellGrad] = [b.input(dtype), b.input(dtype), b.input(dtype)]
  const activations = gates.map(() => b.input(dtype))
  const [cell, cellBefore] = [b.input(dtype), b.input(dtype)]
  const gateGrads = gates.map(() => b.output(dtype))
  const cellBeforeGrad = b.output(dtype)
  const one = k.constant(1, valueTypeOf(dtype))
  const [i, f, g, o] = activations.map((a) => b.read(a))
  const hiddenGrad = b.let(k.add(b.read(outside), b.read(after)))
  const squashed = b.let(k.tanh(b.read(cell)))
  const total = b.let(
    k.add(b.read(cellGrad), k.mul(k.mul(hiddenGrad, o), k.sub(one, k.mul(squashed, squashed)))),
  )
  const throughSigmoid = (value: k.Expr, y: k.Expr) => k.mul(value, k.mul(k.sub(one, y), y))
  const results = [
    throughSigmoid(k.mul(total, g), i),
    throughSigmoid(k.mul(total, b.read(cellBefore)), f),
    k.mul(k.mul(total, i), k.sub(one, k.mul(g, g))),
    throughSigmoid(k.mul(hiddenGrad, squashed), o),
  ].map((e) => b.let(e))
  const before = b.let(k.mul(total, f))
  for (const n of gates) b.write(gateGrads[n], results[n])
  b.write(cellBeforeGrad, before)
  return b.build()
})

/** One step of a sequence as an operand over [N, H]. */
function stepOf(x: Tensor, step: number): Access {
  return { ...operand(x), offset: x.offset + step * x.strides[0], strides: x.strides.slice(1) }
}

/** The four gates in rows of 4 H elements, as operands over [N, H]. */
function gatesOf(rows: Access, size: number): Access[] {
  const { offset, strides } = rows
  return gates.map((n) => ({ ...rows, offset: offset + n * size * strides[1] }))
}

/** out = a Wᵀ, or a W, into memory that exists; `a` has `weight`'s rows or columns in its rows. */
function product(a: Access, weight: Tensor, transposed: boolean, out: Tensor): void {
  const [length, along] = transposed ? [1, 0] : [0, 1]
  launch(
    out.device,
    contractionKernel(out.dtype),
    [1, out.sizes[0], out.sizes[1]],
    [weight.sizes[length]],
    [
      { ...a, strides: [0, a.strides[0], 0, a.strides[1]] },
      operand(weight, [0, 0, weight.strides[along], weight.strides[length]]),
      operand(out, [0, out.strides[0], out.strides[1], 0]),
    ],
  )
}

interface LstmAttributes {
  /** Whether the last step comes first. */
  readonly reverse: boolean
  /** The same, step by step, from differentiable operations. */
  readonly composed: LstmLayer
}

/** The order of steps. */
const order = (steps: number, reverse: boolean) =>
  Array.from({ length: steps }, (_, i) => (reverse ? steps - 1 - i : i))

// Inputs: what the input contributes to the gates [T, N, 4H], hidden state and cell [N, H], the hidden weight [4H, H] and
// its bias [4H], if any. Results: hidden states [T, N, H], the last cell; cells and activations, kept for the gradient.
const lstmOp: Op<LstmAttributes> = {
  node: 'MkldnnRnnLayerBackward0',
  forward: ([input, hidden, cell, weight, bias], { reverse }) => {
    const { dtype, device } = input
    const [steps, batch] = input.sizes
    const size = hidden.sizes[1]
    const outputs = emptyTensor([steps, batch, size], dtype, device)
    const cells = emptyTensor([steps, batch, size], dtype, device)
    const activations = emptyTensor([steps, batch, 4 * size], dtype, device)
    const products = emptyTensor([batch, 4 * size], dtype, device)
    const kernel = stepKernel(dtype, bias !== undefined)
    const biases = bias === undefined ? [] : gatesOf(operand(bias, [0, bias.strides[0]]), size)
    let [h, c] = [operand(hidden), operand(cell)]
    const sequence = order(steps, reverse)
    for (const step of sequence) {
      product(h, weight, true, products)
      const [output, next] = [stepOf(outputs, step), stepOf(cells, step)]
      launch(
        device,
        kernel,
        [batch, size],
        [],
        [
          ...gatesOf(operand(products), size),
          ...biases,
          ...gatesOf(stepOf(input, step), size),
          c,
          ...gatesOf(stepOf(activations, step), size),
          next,
          output,
        ],
      )
      h = output
      c = next
    }
    return [outputs, select(cells, 0, sequence[steps - 1]).clone(), cells, activations]
  },
  saves: [0, 1, 2, 3, 4],
  savesOutputs: [0, 2, 3],
  nonDifferentiable: [2, 3],
  backward: ([outputGrad, cellGrad], c) => {
    const inputs = c.inputSizes.map((_, n) => c.input(n))
    const { reverse, composed } = c.attributes
    // To be differentiated again, the gradient is that of the steps.
    if (gradMode.enabled) {
      const [input, hidden, cell, weight, bias = null] = inputs
      const results = composed(input, hidden, cell, weight, bias, reverse)
      const given = [outputGrad, cellGrad]
      const wanted = inputs.filter((_, n) => c.needs(n))
      const found = grad(
        results.filter((_, n) => given[n] !== null),
        wanted,
        { gradOutputs: given.filter((g) => g !== null), createGraph: true, allowUnused: true },
      )
      return inputs.map((_, n) => (c.needs(n) ? (found.shift() ?? null) : null))
    }
    return gradients(inputs, [c.output(0), c.output(2), c.output(3)], outputGrad, cellGrad, reverse, (n) =>
      c.needs(n),
    )
  },
}

function gradients(
  [input, hidden, cell, weight]: readonly Tensor[],
  [outputs, cells, activations]: readonly Tensor[],
  outputGrad: Tensor | null,
  cellGrad: Tensor | null,
  reverse: boolean,
  needs: (input: number) => boolean,
): (Tensor | null)[] {
  const { dtype, device } = input
  const [steps, batch] = input.sizes
  const size = hidden.sizes[1]
  const zero = zeros([batch, size], { dtype, device })
  const gateGrads = emptyTensor([steps, batch, 4 * size], dtype, device)
  const hiddenGrad = emptyTensor([batch, size], dtype, device)
  const cellGrads = [0, 1].map(() => emptyTensor([batch, size], dtype, device))
  const kernel = stepGradKernel(dtype, false)
  const sequence = order(steps, reverse)
  let [fromAfter, fromCell] = [zero, cellGrad ?? zero]
  for (let n = steps - 1; n >= 0; n--) {
    const step = sequence[n]
    const before = n === 0 ? operand(cell) : stepOf(cells, sequence[n - 1])
    const stepGrads = stepOf(gateGrads, step)
    const cellBeforeGrad = cellGrads[n % 2]
    launch(
      device,
      kernel,
      [batch, size],
      [],
      [
        outputGrad === null ? operand(zero) : stepOf(outputGrad, step),
        operand(fromAfter),
        operand(fromCell),
        ...gatesOf(stepOf(activations, step), size),
        stepOf(cells, step),
        before,
        ...gatesOf(stepGrads, size),
        operand(cellBeforeGrad),
      ],
    )
    fromCell = cellBeforeGrad
    fromAfter = hiddenGrad
    if (n > 0 || needs(1)) product(stepGrads, weight, false, hiddenGrad)
  }
  return [
    gateGrads,
    needs(1) ? hiddenGrad : null,
    needs(2) ? fromCell : null,
    needs(3) ? weightGradient(gateGrads, outputs, hidden, reverse) : null,
    needs(4) ? gateGrads.sum([0, 1]) : null,
  ]
}

// Each step's gradient meets the hidden state before it: the output of the step before, and of the first, the initial one.
function weightGradient(gateGrads: Tensor, outputs: Tensor, hidden: Tensor, reverse: boolean): Tensor {
  const [steps, , width] = gateGrads.sizes
  const size = hidden.sizes[1]
  const first = mm(t(select(gateGrads, 0, reverse ? steps - 1 : 0)), hidden)
  if (steps === 1) return first
  const later = view(narrow(gateGrads, 0, reverse ? 0 : 1, steps - 1), [-1, width])
  const before = view(narrow(outputs, 0, reverse ? 1 : 0, steps - 1), [-1, size])
  return mm(t(later), before).add_(first)
}

/**
 * One layer in one direction. `input` is what the input contributes to the gates (input, forget, cell, output), `[T, N, 4H]`;
 * `hidden` and `cell` the states before, `[N, H]`; `weight` `[4H, H]` and `bias` `[4H]` belong to the hidden state. Returns the
 * hidden states of all steps, `[T, N, H]`, and the last cell, `[N, H]`.
 */
export type LstmLayer = (
  input: Tensor,
  hidden: Tensor,
  cell: Tensor,
  weight: Tensor,
  bias: Tensor | null,
  reverse: boolean,
) => [output: Tensor, cell: Tensor]

/** Whether `lstmLayer` takes such an input: the kernels have more operands than GPUs allow. */
export function hasLstmLayer({ device, dtype, sizes }: Tensor): boolean {
  return device.type === 'cpu' && (dtype === float32 || dtype === float64) && sizes[0] > 0
}

/** Long short-term memory (Hochreiter and Schmidhuber 1997); `composed` is the same from differentiable operations. */
export function lstmLayer(composed: LstmLayer): LstmLayer {
  return (input, hidden, cell, weight, bias, reverse) => {
    const inputs = [input, hidden, cell, weight]
    if (bias !== null) inputs.push(bias)
    const [output, last] = applyMany(lstmOp, inputs, { reverse, composed })
    return [output, last]
  }
}
