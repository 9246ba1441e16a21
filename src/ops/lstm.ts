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
import { cat } from './joining.ts'
import { emptyTensor, launch, operand } from './launch.ts'
import { contractionKernel } from './matmul.ts'
import { applyMany, type Op } from './op.ts'
import { expand, narrow, select, unsqueeze, view } from './views.ts'

const gates = [0, 1, 2, 3] as const

/** A kernel for each dtype and variant, made when it is first needed. */
function cached(
  make: (dtype: DType, variant: boolean) => Kernel,
): (dtype: DType, variant?: boolean) => Kernel {
  const kernels = new Map<string, Kernel>()
  return (dtype, variant = false) => {
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

// Gates come first in all memory of this file's own, [4, ..., N, H]: so what a step does to each is one run of elements.

/** The four gates of `[4, N, H]`, or of a step of `[4, T, N, H]`, as operands over `[N, H]`. */
function gatesOf(x: Tensor, step = 0): Access[] {
  const [rows, columns] = x.strides.slice(-2)
  const first = x.offset + (x.ndim === 4 ? step * x.strides[1] : 0)
  return gates.map((n) => ({ ...operand(x, [rows, columns]), offset: first + n * x.strides[0] }))
}

/** One step of `[T, N, H]` as an operand over `[N, H]`. */
function stepOf(x: Tensor, step: number): Access {
  return { ...operand(x, x.strides.slice(1)), offset: x.offset + step * x.strides[0] }
}

/** Sums of products into memory that exists: `outer` are the dimensions of the result, `loop` those summed over. */
function contract(out: Tensor, outer: readonly number[], loop: readonly number[], operands: Access[]): void {
  launch(out.device, contractionKernel(out.dtype), outer, loop, operands)
}

/** out[gate] = a times the gate's rows of the weight, transposed: `[rows, I]` and `[4H, I]` to `[4, rows, H]`. */
function multiplyByGates(a: Access, rows: number, weight: Tensor, out: Tensor): void {
  const [across, along] = weight.strides
  const size = weight.sizes[0] / 4
  contract(
    out,
    [4, rows, size],
    [weight.sizes[1]],
    [
      { ...a, strides: [0, a.strides[0], 0, a.strides[1]] },
      operand(weight, [size * across, 0, across, along]),
      operand(out, [rows * size, size, 1, 0]),
    ],
  )
}

/** The gradient of what was multiplied: the sum over gates of `[rows, H]` and the gate's rows of the weight. */
function multiplyBack(
  gateGrads: Access,
  rows: number,
  gateStride: number,
  weight: Tensor,
  out: Tensor,
): void {
  const [across, along] = weight.strides
  const size = weight.sizes[0] / 4
  contract(
    out,
    [1, rows, weight.sizes[1]],
    [4, size],
    [
      { ...gateGrads, strides: [0, size, 0, gateStride, 1] },
      operand(weight, [0, 0, along, size * across, across]),
      operand(out, [0, weight.sizes[1], 1, 0, 0]),
    ],
  )
}

/** The gradient of a weight `[4H, I]`: gates `[4, rows, H]` and what they were computed from, `[rows, I]`. */
function weightGradient(gateGrads: Tensor, from: Tensor, weight: Tensor): Tensor {
  const [rows, length] = from.sizes
  const size = weight.sizes[0] / 4
  const out = emptyTensor(weight.sizes, weight.dtype, weight.device)
  contract(
    out,
    [4, size, length],
    [rows],
    [
      operand(gateGrads, [rows * size, 1, 0, size]),
      operand(from, [0, 0, from.strides[1], from.strides[0]]),
      operand(out, [size * length, length, 1, 0]),
    ],
  )
  return out
}

interface LstmAttributes {
  /** Whether the last step comes first. */
  readonly reverse: boolean
  /** The same, step by step, from differentiable operations. */
  readonly composed: LstmLayer
}

/** The steps in the order in which they are taken. */
const order = (steps: number, reverse: boolean) =>
  Array.from({ length: steps }, (_, i) => (reverse ? steps - 1 - i : i))

/** The steps of a sequence below each other: `[T, N, I]` to `[T N, I]`. */
const rowsOf = (x: Tensor): Tensor => view(x.contiguous(), [x.sizes[0] * x.sizes[1], x.sizes[2]])

// Inputs: the sequence [T, N, I], hidden state and cell [N, H], the weights of both [4H, I] and [4H, H], the bias [4H], if
// any. Results: hidden states [T, N, H], the last cell; cells [T, N, H] and activations [4, T, N, H], kept for the gradient.
const lstmOp: Op<LstmAttributes> = {
  node: 'MkldnnRnnLayerBackward0',
  forward: ([input, hidden, cell, inputWeight, hiddenWeight, bias], { reverse }) => {
    const { dtype, device } = input
    const [steps, batch] = input.sizes
    const size = hidden.sizes[1]
    const outputs = emptyTensor([steps, batch, size], dtype, device)
    const cells = emptyTensor([steps, batch, size], dtype, device)
    const activations = emptyTensor([4, steps, batch, size], dtype, device)
    // The input's part of all steps is one product; the activations take its place.
    multiplyByGates(operand(rowsOf(input)), steps * batch, inputWeight, activations)
    const products = emptyTensor([4, batch, size], dtype, device)
    const biases =
      bias === undefined
        ? []
        : gatesOf(expand(view(bias.contiguous(), [4, 1, size]), [4, batch, size]).contiguous())
    const kernel = stepKernel(dtype, bias !== undefined)
    let [h, c] = [operand(hidden), operand(cell)]
    const sequence = order(steps, reverse)
    for (const step of sequence) {
      multiplyByGates(h, batch, hiddenWeight, products)
      const [output, next] = [stepOf(outputs, step), stepOf(cells, step)]
      const own = gatesOf(activations, step)
      const operands = [...gatesOf(products), ...biases, ...own, c, ...own, next, output]
      launch(device, kernel, [batch, size], [], operands)
      h = output
      c = next
    }
    return [outputs, select(cells, 0, sequence[steps - 1]).clone(), cells, activations]
  },
  saves: [0, 1, 2, 3, 4, 5],
  savesOutputs: [0, 2, 3],
  nonDifferentiable: [2, 3],
  backward: ([outputGrad, cellGrad], c) => {
    const inputs = c.inputSizes.map((_, n) => c.input(n))
    const { reverse, composed } = c.attributes
    if (!gradMode.enabled) {
      const outputs = [c.output(0), c.output(2), c.output(3)]
      return gradients(inputs, outputs, [outputGrad, cellGrad], reverse, (n) => c.needs(n))
    }
    // To be differentiated again, the gradient is that of the steps.
    const [input, hidden, cell, inputWeight, hiddenWeight, bias = null] = inputs
    const results = composed(input, hidden, cell, { inputWeight, hiddenWeight, bias }, reverse)
    const given = [outputGrad, cellGrad]
    const found = grad(
      results.filter((_, n) => given[n] !== null),
      inputs.filter((_, n) => c.needs(n)),
      { gradOutputs: given.filter((g) => g !== null), createGraph: true, allowUnused: true },
    )
    return inputs.map((_, n) => (c.needs(n) ? (found.shift() ?? null) : null))
  },
}

function gradients(
  [input, hidden, cell, inputWeight, hiddenWeight]: readonly Tensor[],
  [outputs, cells, activations]: readonly Tensor[],
  [outputGrad, cellGrad]: readonly (Tensor | null)[],
  reverse: boolean,
  needs: (input: number) => boolean,
): (Tensor | null)[] {
  const { dtype, device } = input
  const [steps, batch] = input.sizes
  const size = hidden.sizes[1]
  const zero = zeros([batch, size], { dtype, device })
  const gateGrads = emptyTensor([4, steps, batch, size], dtype, device)
  const gateStride = steps * batch * size
  const hiddenGrad = emptyTensor([batch, size], dtype, device)
  const cellGrads = [0, 1].map(() => emptyTensor([batch, size], dtype, device))
  const kernel = stepGradKernel(dtype)
  const sequence = order(steps, reverse)
  let [fromAfter, fromCell] = [zero, cellGrad ?? zero]
  for (let n = steps - 1; n >= 0; n--) {
    const step = sequence[n]
    const stepGrads = gatesOf(gateGrads, step)
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
        ...gatesOf(activations, step),
        stepOf(cells, step),
        n === 0 ? operand(cell) : stepOf(cells, sequence[n - 1]),
        ...stepGrads,
        operand(cellBeforeGrad),
      ],
    )
    fromCell = cellBeforeGrad
    fromAfter = hiddenGrad
    if (n > 0 || needs(1)) multiplyBack(stepGrads[0], batch, gateStride, hiddenWeight, hiddenGrad)
  }
  const inputGrad = needs(0) ? emptyTensor(input.sizes, dtype, device) : null
  if (inputGrad !== null) multiplyBack(operand(gateGrads), steps * batch, gateStride, inputWeight, inputGrad)
  // Each step's gradient meets the hidden state before it: that of the step before, and the initial one.
  const before = () => {
    const first = unsqueeze(hidden, 0)
    const others = narrow(outputs, 0, reverse ? 1 : 0, steps - 1)
    return rowsOf(cat(reverse ? [others, first] : [first, others], 0))
  }
  return [
    inputGrad,
    needs(1) ? hiddenGrad : null,
    needs(2) ? fromCell : null,
    needs(3) ? weightGradient(gateGrads, rowsOf(input), inputWeight) : null,
    needs(4) ? weightGradient(gateGrads, before(), hiddenWeight) : null,
    needs(5) ? view(gateGrads.sum([1, 2]), [4 * size]) : null,
  ]
}

/** The weights of an LSTM layer: for the input `[4H, I]`, for the hidden state `[4H, H]`, and the bias `[4H]` of both. */
export interface LstmWeights {
  readonly inputWeight: Tensor
  readonly hiddenWeight: Tensor
  readonly bias: Tensor | null
}

/**
 * One layer in one direction over `input`, `[T, N, I]`, from the states `hidden` and `cell`, `[N, H]`. The gates are input,
 * forget, cell, output. Returns the hidden states of all steps, `[T, N, H]`, and the last cell, `[N, H]`.
 */
export type LstmLayer = (
  input: Tensor,
  hidden: Tensor,
  cell: Tensor,
  weights: LstmWeights,
  reverse: boolean,
) => [output: Tensor, cell: Tensor]

/** Whether `lstmLayer` takes such an input: its kernels have more operands than GPUs allow. */
export function hasLstmLayer({ device, dtype, sizes }: Tensor): boolean {
  return device.type === 'cpu' && (dtype === float32 || dtype === float64) && sizes[0] > 0
}

/** Long short-term memory (Hochreiter and Schmidhuber 1997); `composed` is the same from differentiable operations. */
export function lstmLayer(composed: LstmLayer): LstmLayer {
  return (input, hidden, cell, { inputWeight, hiddenWeight, bias }, reverse) => {
    const inputs = [input, hidden, cell, inputWeight, hiddenWeight]
    if (bias !== null) inputs.push(bias)
    const [output, last] = applyMany(lstmOp, inputs, { reverse, composed })
    return [output, last]
  }
}
