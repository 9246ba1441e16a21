// Recurrent layers: RNN, LSTM, GRU. Their single steps as layers are in rnn-cells.ts.

import { RuntimeError, TypeError_, ValueError } from '../core/errors.ts'
import { pyFloat, pyRepr, Tuple } from '../core/python.ts'
import { zeros } from '../ops/creation.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { relu } from './functional.ts'
import * as init from './init.ts'
import { Module } from './module.ts'
import { emptyParameter, type FactoryOptions, factory, readOptions } from './options.ts'
import type { Parameter } from './parameter.ts'
import { typeName } from './registry.ts'
import {
  type CellWeights,
  gruStep,
  lstmStep,
  type RnnSettings,
  type RnnState,
  runLayers,
  type Step,
  simpleStep,
} from './rnn-functions.ts'
import { PackedSequence } from './utils/rnn.ts'

/** The kinds of recurrent networks. */
export type RnnMode = 'LSTM' | 'GRU' | 'RNN_TANH' | 'RNN_RELU'

/** Options of the recurrent layers. */
export interface RnnOptions extends FactoryOptions {
  /** How many layers lie on top of each other; default 1. */
  numLayers?: number
  /** Default true. */
  bias?: boolean
  /** Whether the batch is the first dimension rather than the second; default false. */
  batchFirst?: boolean
  /** Dropout after each layer but the last; default 0. */
  dropout?: number
  /** Whether a second network runs backwards; default false. */
  bidirectional?: boolean
}

/** Options of `nn.LSTM` and `nn.RNNBase`. */
export interface LSTMOptions extends RnnOptions {
  /** To how many numbers the hidden state is projected; default 0, not at all. */
  projSize?: number
}

const rnnOptions = ['numLayers', 'bias', 'batchFirst', 'dropout', 'bidirectional', 'device', 'dtype'] as const
const lstmOptions = [...rnnOptions, 'projSize'] as const

const gateCounts: Readonly<Record<RnnMode, number>> = { LSTM: 4, GRU: 3, RNN_TANH: 1, RNN_RELU: 1 }
const steps: Readonly<Record<RnnMode, Step>> = {
  LSTM: lstmStep,
  GRU: gruStep,
  RNN_TANH: simpleStep((x) => x.tanh()),
  RNN_RELU: simpleStep((x) => relu(x)),
}

function checkSettings(
  inputSize: number,
  hiddenSize: number,
  settings: Required<Omit<LSTMOptions, 'device' | 'dtype'>>,
): void {
  const { numLayers, bias, batchFirst, dropout, projSize } = settings
  if (typeof dropout !== 'number' || !(dropout >= 0 && dropout <= 1))
    throw new ValueError(
      'dropout should be a number in range [0, 1] representing the probability of an element being zeroed',
    )
  if (dropout > 0 && numLayers === 1)
    console.warn(
      `dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers greater than 1, but got dropout=${dropout} and num_layers=${numLayers}`,
    )
  if (typeof bias !== 'boolean') throw new TypeError_(`bias should be of type bool, got: ${typeName(bias)}`)
  if (typeof batchFirst !== 'boolean')
    throw new TypeError_(`batch_first should be of type bool, got: ${typeName(batchFirst)}`)
  if (!Number.isInteger(inputSize))
    throw new TypeError_(`input_size should be of type int, got: ${typeName(inputSize)}`)
  if (inputSize <= 0) throw new ValueError('input_size must be greater than zero')
  if (!Number.isInteger(hiddenSize))
    throw new TypeError_(`hidden_size should be of type int, got: ${typeName(hiddenSize)}`)
  if (hiddenSize <= 0) throw new ValueError('hidden_size must be greater than zero')
  if (numLayers <= 0) throw new ValueError('num_layers must be greater than zero')
  if (projSize < 0)
    throw new ValueError('proj_size should be a positive integer or zero to disable projections')
  if (projSize >= hiddenSize) throw new ValueError('proj_size has to be smaller than hidden_size')
}

/** What the recurrent layers have in common: weights `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, ... and their checks. */
export class RNNBase extends Module {
  [name: `weight_${string}` | `bias_${string}`]: Parameter
  mode: RnnMode
  inputSize: number
  hiddenSize: number
  numLayers: number
  bias: boolean
  batchFirst: boolean
  dropout: number
  bidirectional: boolean
  projSize: number

  constructor(mode: RnnMode, inputSize: number, hiddenSize: number, numLayers?: number, options?: LSTMOptions)
  constructor(mode: RnnMode, inputSize: number, hiddenSize: number, options?: LSTMOptions)
  constructor(
    mode: RnnMode,
    inputSize: number,
    hiddenSize: number,
    first?: number | LSTMOptions,
    rest?: LSTMOptions,
  ) {
    super()
    const options = readOptions<LSTMOptions>(new.target.name, lstmOptions, first, rest)
    const {
      numLayers = 1,
      bias = true,
      batchFirst = false,
      dropout = 0,
      bidirectional = false,
      projSize = 0,
    } = options
    checkSettings(inputSize, hiddenSize, { numLayers, bias, batchFirst, dropout, bidirectional, projSize })
    if (gateCounts[mode] === undefined) throw new ValueError(`Unrecognized RNN mode: ${mode}`)
    this.mode = mode
    this.inputSize = inputSize
    this.hiddenSize = hiddenSize
    this.numLayers = numLayers
    this.bias = bias
    this.batchFirst = batchFirst
    this.dropout = dropout
    this.bidirectional = bidirectional
    this.projSize = projSize
    const made = factory(options)
    const gates = gateCounts[mode] * hiddenSize
    const outputSize = projSize > 0 ? projSize : hiddenSize
    for (let layer = 0; layer < numLayers; layer++)
      for (const suffix of this.suffixes(layer)) {
        const width = layer === 0 ? inputSize : outputSize * (bidirectional ? 2 : 1)
        const add = (name: string, sizes: readonly number[]) =>
          this.registerParameter(`${name}${suffix}`, emptyParameter(sizes, made))
        add('weight_ih', [gates, width])
        add('weight_hh', [gates, outputSize])
        if (bias) add('bias_ih', [gates])
        if (bias) add('bias_hh', [gates])
        if (projSize > 0) add('weight_hr', [projSize, hiddenSize])
      }
    this.resetParameters()
  }

  /** The ends of the names of a layer's weights: `_l0`, and `_l0_reverse` for the other direction. */
  private suffixes(layer: number): string[] {
    return this.bidirectional ? [`_l${layer}`, `_l${layer}_reverse`] : [`_l${layer}`]
  }

  /** Draws all weights uniformly within 1 / sqrt(hiddenSize). */
  resetParameters(): void {
    const bound = 1 / Math.sqrt(this.hiddenSize)
    for (const parameter of this.parameters()) init.uniform_(parameter, { a: -bound, b: bound })
  }

  /** Nothing to do on the CPU; PyTorch joins the weights in memory on GPUs. */
  flattenParameters(): void {}

  private weights(): CellWeights[] {
    const fields = this as unknown as Record<string, Parameter>
    const result: CellWeights[] = []
    for (let layer = 0; layer < this.numLayers; layer++)
      for (const suffix of this.suffixes(layer))
        result.push({
          inputWeight: fields[`weight_ih${suffix}`],
          hiddenWeight: fields[`weight_hh${suffix}`],
          inputBias: this.bias ? fields[`bias_ih${suffix}`] : null,
          hiddenBias: this.bias ? fields[`bias_hh${suffix}`] : null,
          projection: this.projSize > 0 ? fields[`weight_hr${suffix}`] : null,
        })
    return result
  }

  /** Checks input and states, runs the layers; both come back with a batch only if the input had one. */
  private run(name: string, input: Tensor, given: RnnState | null): { output: Tensor; state: Tensor[] } {
    if (input.ndim !== 2 && input.ndim !== 3)
      throw new ValueError(
        `${name}: Expected input to be 2D or 3D, got ${input.ndim}D${name === 'RNN' ? ' tensor' : ''} instead`,
      )
    const batched = input.ndim === 3
    const batchDim = this.batchFirst ? 0 : 1
    const x = batched ? input : input.unsqueeze(batchDim)
    const weights = this.weights()
    this.checkInput(x, weights[0].inputWeight)
    const state = this.initialState(x, x.sizes[batchDim], batched, given)
    const result = runLayers(this.batchFirst ? x.transpose(0, 1) : x, state, weights, this.settings())
    const output = this.batchFirst ? result.output.transpose(0, 1) : result.output
    return batched
      ? { output, state: result.state }
      : { output: output.squeeze(batchDim), state: result.state.map((s) => s.squeeze(1)) }
  }

  /** Whichever of the two the input asks for. */
  protected runAny(
    name: string,
    input: Tensor | PackedSequence,
    given: RnnState | null,
  ): { output: Tensor | PackedSequence; state: Tensor[] } {
    return input instanceof PackedSequence ? this.runPacked(input, given) : this.run(name, input, given)
  }

  /** The same for packed sequences. States come in the order that the sequences had before packing, and go so. */
  private runPacked(
    input: PackedSequence,
    given: RnnState | null,
  ): { output: PackedSequence; state: Tensor[] } {
    const { data, batchSizes, sortedIndices, unsortedIndices } = input
    const weights = this.weights()
    this.checkInput(data, weights[0].inputWeight)
    const sizes = batchSizes.tolist() as number[]
    const initial = this.initialState(data, sizes[0], true, given)
    const sorted = sortedIndices === null ? initial : initial.map((s) => s.indexSelect(1, sortedIndices))
    const result = runLayers(data, sorted, weights, this.settings(), sizes)
    return {
      output: new PackedSequence(result.output, batchSizes, sortedIndices, unsortedIndices),
      state:
        unsortedIndices === null ? result.state : result.state.map((s) => s.indexSelect(1, unsortedIndices)),
    }
  }

  private settings(): RnnSettings {
    return {
      step: steps[this.mode],
      numLayers: this.numLayers,
      bidirectional: this.bidirectional,
      dropout: this.dropout,
      training: this.training,
    }
  }

  private checkInput(x: Tensor, weight: Tensor): void {
    if (x.dtype !== weight.dtype)
      throw new ValueError(
        `RNN input dtype (${x.dtype}) does not match weight dtype (${weight.dtype}). Convert input: input.to(${weight.dtype}), or convert model: model.to(${x.dtype})`,
      )
    const width = x.sizes[x.ndim - 1]
    if (width !== this.inputSize)
      throw new RuntimeError(
        `input.size(-1) must be equal to input_size. Expected ${this.inputSize}, got ${width}`,
      )
  }

  private initialState(x: Tensor, batch: number, batched: boolean, given: RnnState | null): RnnState {
    const count = this.numLayers * (this.bidirectional ? 2 : 1)
    const widths = [
      this.projSize > 0 ? this.projSize : this.hiddenSize,
      ...(this.mode === 'LSTM' ? [this.hiddenSize] : []),
    ]
    if (given === null)
      return widths.map((width) => zeros([count, batch, width], { dtype: x.dtype, device: x.device }))
    const dims = batched ? 3 : 2
    if (given.some((s) => s.ndim !== dims)) throw new RuntimeError(wrongStateDims(given, batched))
    const state = batched ? given : given.map((s) => s.unsqueeze(1))
    state.forEach((s, i) => {
      const expected = [count, batch, widths[i]]
      if (s.sizes.join() !== expected.join())
        throw new RuntimeError(
          `Expected hidden${this.mode === 'LSTM' ? `[${i}]` : ''} size ${pyRepr(Tuple.of(...expected))}, got ${pyRepr([...s.sizes])}`,
        )
    })
    return state
  }

  override extraRepr(): string {
    return [
      `${this.inputSize}, ${this.hiddenSize}`,
      ...(this.projSize === 0 ? [] : [`proj_size=${this.projSize}`]),
      ...(this.numLayers === 1 ? [] : [`num_layers=${this.numLayers}`]),
      ...(this.bias ? [] : ['bias=False']),
      ...(this.batchFirst ? ['batch_first=True'] : []),
      ...(this.dropout === 0 ? [] : [`dropout=${pyFloat(this.dropout)}`]),
      ...(this.bidirectional ? ['bidirectional=True'] : []),
    ].join(', ')
  }
}

function wrongStateDims(given: RnnState, batched: boolean): string {
  const kind = batched ? 'batched 3-D' : 'unbatched 2-D'
  const wanted = batched ? 3 : 2
  if (given.length === 1)
    return `For ${kind} input, hx should also be ${wanted}-D but got ${given[0].ndim}-D tensor`
  return `For ${kind} input, hx and cx should also be ${wanted}-D but got (${given.map((s) => `${s.ndim}-D`).join(', ')}) tensors`
}

/** The state may also come in an options object, `{ hx }`. */
export function stateOf<S>(name: string, hx: S | null | undefined | { hx?: S | null }): S | null {
  return readOptions<{ hx?: S | null }>(name, ['hx'], hx).hx ?? null
}

/** A hidden state, given by position or as an option. */
export type HiddenState = Tensor | null | { hx?: Tensor | null }

/** What a recurrent layer makes of packed sequences. */
type PackedCall<Given, State> = (input: PackedSequence, hx?: Given) => [output: PackedSequence, state: State]

/** The output of a recurrent layer and its last hidden state. */
export type RnnResult<X = Tensor> = [output: X, hidden: Tensor]

function pair<X, T>(output: X, state: T): [X, T] {
  return Tuple.of<unknown>(output, state) as unknown as [X, T]
}

/** Options of `nn.RNN`. */
export interface RNNOptions extends RnnOptions {
  /** Default `'tanh'`. */
  nonlinearity?: 'tanh' | 'relu'
}

/** h' = tanh(W x + b + U h + c), step by step: `[T, N, inputSize]` to `[T, N, hiddenSize]` and the last h. Elman 1990. */
export class RNN extends RNNBase {
  nonlinearity: 'tanh' | 'relu'

  constructor(inputSize: number, hiddenSize: number, numLayers?: number, options?: RNNOptions)
  constructor(inputSize: number, hiddenSize: number, options?: RNNOptions)
  constructor(inputSize: number, hiddenSize: number, first?: number | RNNOptions, rest?: RNNOptions) {
    const known = [...rnnOptions, 'nonlinearity'] as const
    const { nonlinearity = 'tanh', ...options } = readOptions<RNNOptions>('RNN', known, first, rest)
    if (nonlinearity !== 'tanh' && nonlinearity !== 'relu')
      throw new ValueError(`Unknown nonlinearity '${String(nonlinearity)}'. Select from 'tanh' or 'relu'.`)
    super(nonlinearity === 'tanh' ? 'RNN_TANH' : 'RNN_RELU', inputSize, hiddenSize, options)
    this.nonlinearity = nonlinearity
  }

  override forward(input: PackedSequence, hx?: HiddenState): RnnResult<PackedSequence>
  override forward(input: Tensor, hx?: HiddenState): RnnResult
  override forward(input: Tensor | PackedSequence, hx?: HiddenState): RnnResult<Tensor | PackedSequence> {
    const given = stateOf('RNN', hx)
    const { output, state } = this.runAny('RNN', input, given === null ? null : [given])
    return pair(output, state[0])
  }
}

/** A call with packed sequences gives packed sequences. */
export interface RNN extends PackedCall<HiddenState, Tensor> {}

/** A gated recurrent unit over time: `[T, N, inputSize]` to `[T, N, hiddenSize]` and the last h. Cho et al. 2014. */
export class GRU extends RNNBase {
  constructor(inputSize: number, hiddenSize: number, numLayers?: number, options?: RnnOptions)
  constructor(inputSize: number, hiddenSize: number, options?: RnnOptions)
  constructor(inputSize: number, hiddenSize: number, first?: number | RnnOptions, rest?: RnnOptions) {
    super('GRU', inputSize, hiddenSize, readOptions<RnnOptions>('GRU', rnnOptions, first, rest))
  }

  override forward(input: PackedSequence, hx?: HiddenState): RnnResult<PackedSequence>
  override forward(input: Tensor, hx?: HiddenState): RnnResult
  override forward(input: Tensor | PackedSequence, hx?: HiddenState): RnnResult<Tensor | PackedSequence> {
    const given = stateOf('GRU', hx)
    const { output, state } = this.runAny('GRU', input, given === null ? null : [given])
    return pair(output, state[0])
  }
}

/** A call with packed sequences gives packed sequences. */
export interface GRU extends PackedCall<HiddenState, Tensor> {}

/** The hidden and the cell state of an LSTM. */
export type LSTMState = readonly [hidden: Tensor, cell: Tensor]

/** The states of an LSTM, given by position or as an option. */
export type LSTMStates = LSTMState | null | { hx?: LSTMState | null }

/**
 * Long short-term memory over time: `[T, N, inputSize]` to `[T, N, hiddenSize]` and the last hidden and cell states.
 * Hochreiter and Schmidhuber 1997.
 */
export class LSTM extends RNNBase {
  constructor(inputSize: number, hiddenSize: number, numLayers?: number, options?: LSTMOptions)
  constructor(inputSize: number, hiddenSize: number, options?: LSTMOptions)
  constructor(inputSize: number, hiddenSize: number, first?: number | LSTMOptions, rest?: LSTMOptions) {
    super('LSTM', inputSize, hiddenSize, readOptions<LSTMOptions>('LSTM', lstmOptions, first, rest))
  }

  override forward(input: PackedSequence, hx?: LSTMStates): [output: PackedSequence, state: LSTMState]
  override forward(input: Tensor, hx?: LSTMStates): [output: Tensor, state: LSTMState]
  override forward(
    input: Tensor | PackedSequence,
    hx?: LSTMStates,
  ): [output: Tensor | PackedSequence, state: LSTMState] {
    const { output, state } = this.runAny('LSTM', input, stateOf('LSTM', hx))
    return pair(output, Tuple.of(state[0], state[1]) as unknown as LSTMState)
  }
}

/** A call with packed sequences gives packed sequences. */
export interface LSTM extends PackedCall<LSTMStates, LSTMState> {}
