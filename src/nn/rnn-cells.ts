// Single steps of recurrent networks as layers: RNNCell, LSTMCell, GRUCell.

import { RuntimeError, ValueError } from '../core/errors.ts'
import { Tuple } from '../core/python.ts'
import { zeros } from '../ops/creation.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { relu } from './functional.ts'
import * as init from './init.ts'
import { linear } from './linear-functions.ts'
import { Module } from './module.ts'
import { emptyParameter, type FactoryOptions, factory, readOptions } from './options.ts'
import type { Parameter } from './parameter.ts'
import { type LSTMState, stateOf } from './rnn.ts'
import { gruStep, lstmStep, type RnnState, type Step, simpleStep } from './rnn-functions.ts'

/** Options of the cells. */
export interface CellOptions extends FactoryOptions {
  /** Default true. */
  bias?: boolean
}

const cellOptions = ['bias', 'device', 'dtype'] as const

/** What the cells have in common. */
export class RNNCellBase extends Module {
  inputSize: number
  hiddenSize: number
  bias: boolean
  weight_ih: Parameter
  weight_hh: Parameter
  bias_ih: Parameter | null
  bias_hh: Parameter | null

  constructor(
    inputSize: number,
    hiddenSize: number,
    bias: boolean,
    numChunks: number,
    options: FactoryOptions = {},
  ) {
    super()
    const made = factory(readOptions<FactoryOptions>('RNNCellBase', ['device', 'dtype'], undefined, options))
    const rows = numChunks * hiddenSize
    this.inputSize = inputSize
    this.hiddenSize = hiddenSize
    this.bias = bias
    this.weight_ih = emptyParameter([rows, inputSize], made)
    this.weight_hh = emptyParameter([rows, hiddenSize], made)
    this.bias_ih = bias ? emptyParameter([rows], made) : null
    this.bias_hh = bias ? emptyParameter([rows], made) : null
    for (const name of ['weight_ih', 'weight_hh', 'bias_ih', 'bias_hh'] as const)
      this.registerParameter(name, this[name])
    this.resetParameters()
  }

  /** Draws all weights uniformly within 1 / sqrt(hiddenSize). */
  resetParameters(): void {
    const bound = this.hiddenSize > 0 ? 1 / Math.sqrt(this.hiddenSize) : 0
    for (const parameter of this.parameters()) init.uniform_(parameter, { a: -bound, b: bound })
  }

  /** One step from a state, zero where none is given; unbatched if the input is. */
  protected step(name: string, step: Step, input: Tensor, given: RnnState | null, states: number): RnnState {
    if (input.ndim !== 1 && input.ndim !== 2)
      throw new ValueError(`${name}: Expected input to be 1D or 2D, got ${input.ndim}D instead`)
    given?.forEach((s, i) => {
      if (s.ndim !== 1 && s.ndim !== 2)
        throw new ValueError(
          `${name}: Expected ${states > 1 ? `hx[${i}]` : 'hidden'} to be 1D or 2D, got ${s.ndim}D instead`,
        )
    })
    const batched = input.ndim === 2
    const x = batched ? input : input.unsqueeze(0)
    if (x.sizes[1] !== this.inputSize)
      throw new RuntimeError(
        `input has inconsistent input_size: got ${x.sizes[1]}, expected ${this.inputSize}`,
      )
    const fresh = () => zeros([x.sizes[0], this.hiddenSize], { dtype: x.dtype, device: x.device })
    const state =
      given === null
        ? Array.from({ length: states }, fresh)
        : batched
          ? given
          : given.map((s) => s.unsqueeze(0))
    for (const [i, s] of state.entries()) {
      if (s.sizes[0] !== x.sizes[0])
        throw new RuntimeError(
          `Input batch size ${x.sizes[0]} doesn't match hidden${i} batch size ${s.sizes[0]}`,
        )
      if (s.sizes[1] !== this.hiddenSize)
        throw new RuntimeError(
          `hidden${i} has inconsistent hidden_size: got ${s.sizes[1]}, expected ${this.hiddenSize}`,
        )
    }
    const result = step(linear(x, this.weight_ih, this.bias_ih), state, {
      inputWeight: this.weight_ih,
      hiddenWeight: this.weight_hh,
      inputBias: this.bias_ih,
      hiddenBias: this.bias_hh,
      projection: null,
    })
    return batched ? result : result.map((s) => s.squeeze(0))
  }

  protected settings(): string[] {
    return [`${this.inputSize}, ${this.hiddenSize}`, ...(this.bias ? [] : ['bias=False'])]
  }

  override extraRepr(): string {
    return this.settings().join(', ')
  }
}

/** Options of `nn.RNNCell`. */
export interface RNNCellOptions extends CellOptions {
  /** Default `'tanh'`. */
  nonlinearity?: 'tanh' | 'relu'
}

const activations = { tanh: (x: Tensor) => x.tanh(), relu: (x: Tensor) => relu(x) }

/** h' = tanh(W x + b + U h + c): `[N, inputSize]` and `[N, hiddenSize]` to `[N, hiddenSize]`. */
export class RNNCell extends RNNCellBase {
  nonlinearity: 'tanh' | 'relu'

  constructor(inputSize: number, hiddenSize: number, options: RNNCellOptions = {}) {
    const known = [...cellOptions, 'nonlinearity'] as const
    const {
      bias = true,
      nonlinearity = 'tanh',
      ...where
    } = readOptions<RNNCellOptions>('RNNCell', known, undefined, options)
    super(inputSize, hiddenSize, bias, 1, where)
    this.nonlinearity = nonlinearity
  }

  override forward(input: Tensor, hx?: Tensor | null | { hx?: Tensor | null }): Tensor {
    const given = stateOf('RNNCell', hx)
    const activation = activations[this.nonlinearity]
    if (activation === undefined) throw new RuntimeError(`Unknown nonlinearity: ${this.nonlinearity}`)
    return this.step('RNNCell', simpleStep(activation), input, given === null ? null : [given], 1)[0]
  }

  override extraRepr(): string {
    return [
      ...this.settings(),
      ...(this.nonlinearity === 'tanh' ? [] : [`nonlinearity=${this.nonlinearity}`]),
    ].join(', ')
  }
}

/** One step of an LSTM: `[N, inputSize]` and the states `[N, hiddenSize]` to the next states. */
export class LSTMCell extends RNNCellBase {
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    const { bias = true, ...where } = readOptions<CellOptions>('LSTMCell', cellOptions, undefined, options)
    super(inputSize, hiddenSize, bias, 4, where)
  }

  override forward(input: Tensor, hx?: LSTMState | null | { hx?: LSTMState | null }): LSTMState {
    const [h, c] = this.step('LSTMCell', lstmStep, input, stateOf('LSTMCell', hx), 2)
    return Tuple.of(h, c) as unknown as LSTMState
  }
}

/** One step of a GRU: `[N, inputSize]` and `[N, hiddenSize]` to `[N, hiddenSize]`. */
export class GRUCell extends RNNCellBase {
  constructor(inputSize: number, hiddenSize: number, options: CellOptions = {}) {
    const { bias = true, ...where } = readOptions<CellOptions>('GRUCell', cellOptions, undefined, options)
    super(inputSize, hiddenSize, bias, 3, where)
  }

  override forward(input: Tensor, hx?: Tensor | null | { hx?: Tensor | null }): Tensor {
    const given = stateOf('GRUCell', hx)
    return this.step('GRUCell', gruStep, input, given === null ? null : [given], 1)[0]
  }
}
