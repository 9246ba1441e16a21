// Recurrent networks as functions: one step of each kind, and layers of steps in one or both directions.

import { dropout } from '../ops/dropout.ts'
import { cat, stack } from '../ops/joining.ts'
import { hasLstmLayer, lstmLayer } from '../ops/lstm.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { linear } from './linear-functions.ts'

/** The weights of one layer in one direction. */
export interface CellWeights {
  readonly inputWeight: Tensor
  readonly hiddenWeight: Tensor
  readonly inputBias: Tensor | null
  readonly hiddenBias: Tensor | null
  /** Projects the hidden state of an LSTM to fewer numbers. */
  readonly projection: Tensor | null
}

/** A recurrent state: the hidden state, and for LSTMs the cell state. */
export type RnnState = readonly Tensor[]

/** One step: what the input contributes to the gates (already multiplied), and the state before, give the state after. */
export type Step = (inputGates: Tensor, state: RnnState, weights: CellWeights) => RnnState

/** h' = tanh(W x + b + U h + c) or the same with another non-linearity. */
export function simpleStep(activation: (x: Tensor) => Tensor): Step {
  return (gates, [h], { hiddenWeight, hiddenBias }) => [
    activation(linear(h, hiddenWeight, hiddenBias).add(gates)),
  ]
}

/** Long short-term memory. Hochreiter and Schmidhuber 1997. */
export const lstmStep: Step = (inputGates, [h, c], { hiddenWeight, hiddenBias, projection }) => {
  const gates = linear(h, hiddenWeight, hiddenBias).add(inputGates)
  const [input, forget, cell, output] = gates.chunk(4, 1)
  const next = forget.sigmoid().mul(c).add(input.sigmoid().mul(cell.tanh()))
  const hidden = output.sigmoid().mul(next.tanh())
  return [projection === null ? hidden : linear(hidden, projection), next]
}

/** A gated recurrent unit. Cho et al. 2014. */
export const gruStep: Step = (inputGates, [h], { hiddenWeight, hiddenBias }) => {
  const [inputReset, inputUpdate, inputNew] = inputGates.chunk(3, 1)
  const [hiddenReset, hiddenUpdate, hiddenNew] = linear(h, hiddenWeight, hiddenBias).chunk(3, 1)
  const reset = hiddenReset.add(inputReset).sigmoid()
  const update = hiddenUpdate.add(inputUpdate).sigmoid()
  const fresh = inputNew.add(hiddenNew.mul(reset)).tanh()
  return [h.sub(fresh).mul(update).add(fresh)]
}

/** What `runLayers` needs to know. */
export interface RnnSettings {
  readonly step: Step
  readonly numLayers: number
  readonly bidirectional: boolean
  /** Between the layers, while training. */
  readonly dropout: number
  readonly training: boolean
}

/** Hidden states and last cell of an LSTM, step by step: what `lstmLayer` does at once. */
const lstmLayerOfSteps = lstmLayer((input, hidden, cell, { inputWeight, hiddenWeight, bias }, reverse) => {
  const weights = { inputWeight, hiddenWeight, inputBias: null, hiddenBias: bias, projection: null }
  const { output, state } = runSteps(linear(input, inputWeight), [hidden, cell], weights, lstmStep, reverse)
  return [output, state[1]]
})

function runDirection(input: Tensor, state: RnnState, weights: CellWeights, step: Step, reverse: boolean) {
  const { inputWeight, inputBias, hiddenWeight, hiddenBias, projection } = weights
  // The input's part of all steps is one product.
  if (step !== lstmStep || projection !== null || !hasLstmLayer(input))
    return runSteps(linear(input, inputWeight, inputBias), state, weights, step, reverse)
  const bias = inputBias === null || hiddenBias === null ? null : inputBias.add(hiddenBias)
  const [hidden, cell] = state
  const [output, last] = lstmLayerOfSteps(input, hidden, cell, { inputWeight, hiddenWeight, bias }, reverse)
  return { output, state: [output.select(0, reverse ? 0 : output.sizes[0] - 1), last] }
}

function runSteps(input: Tensor, state: RnnState, weights: CellWeights, step: Step, reverse: boolean) {
  const gates = input.unbind(0)
  const outputs = new Array<Tensor>(gates.length)
  let current = state
  for (let i = 0; i < gates.length; i++) {
    const t = reverse ? gates.length - 1 - i : i
    current = step(gates[t], current, weights)
    outputs[t] = current[0]
  }
  return { output: stack(outputs, 0), state: current }
}

/** The same over packed sequences `[sum of lengths, input]`: of which `batchSizes[t]` have step t, the longest first. */
function runPackedDirection(
  input: Tensor,
  initial: RnnState,
  weights: CellWeights,
  step: Step,
  reverse: boolean,
  batchSizes: readonly number[],
) {
  const gates = linear(input, weights.inputWeight, weights.inputBias).split(batchSizes, 0)
  const outputs = new Array<Tensor>(gates.length)
  const rows = (state: RnnState, start: number, end: number) =>
    start === 0 && end === state[0].sizes[0] ? state : state.map((s) => s.narrow(0, start, end - start))
  const join = (parts: readonly RnnState[]) =>
    parts.length === 1 ? parts[0] : initial.map((_, k) => cat(parts.map((part) => part[k])))
  const finished: RnnState[] = []
  let size = reverse ? batchSizes[batchSizes.length - 1] : batchSizes[0]
  let current = rows(initial, 0, size)
  for (let i = 0; i < gates.length; i++) {
    const t = reverse ? gates.length - 1 - i : i
    // Forwards, sequences end; backwards, sequences begin.
    if (batchSizes[t] < size) {
      finished.unshift(rows(current, batchSizes[t], size))
      current = rows(current, 0, batchSizes[t])
    } else if (batchSizes[t] > size) current = join([current, rows(initial, size, batchSizes[t])])
    size = batchSizes[t]
    current = step(gates[t], current, weights)
    outputs[t] = current[0]
  }
  return { output: cat(outputs), state: join([current, ...finished]) }
}

/**
 * Runs layers of recurrent steps over `[T, N, input]`, or with `batchSizes` over packed sequences. `initial` are the states of all layers and directions, each
 * `[layers * directions, N, size]`; `weights` those of each layer and direction.
 */
export function runLayers(
  input: Tensor,
  initial: RnnState,
  weights: readonly CellWeights[],
  { step, numLayers, bidirectional, dropout: p, training }: RnnSettings,
  batchSizes: readonly number[] | null = null,
): { output: Tensor; state: Tensor[] } {
  const directions = bidirectional ? 2 : 1
  const last: RnnState[] = []
  let x = input
  for (let layer = 0; layer < numLayers; layer++) {
    const outputs: Tensor[] = []
    for (let direction = 0; direction < directions; direction++) {
      const i = layer * directions + direction
      const before = initial.map((s) => s.select(0, i))
      const reverse = direction === 1
      const { output, state } =
        batchSizes === null
          ? runDirection(x, before, weights[i], step, reverse)
          : runPackedDirection(x, before, weights[i], step, reverse, batchSizes)
      outputs.push(output)
      last.push(state)
    }
    x = outputs.length === 1 ? outputs[0] : cat(outputs, -1)
    if (p > 0 && training && layer < numLayers - 1) x = dropout(x, p)
  }
  return {
    output: x,
    state: initial.map((_, k) =>
      stack(
        last.map((state) => state[k]),
        0,
      ),
    ),
  }
}
