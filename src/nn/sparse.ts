// Embedding layers: tables of vectors looked up by number.

import { noGrad } from '../autograd/mode.ts'
import { AssertionError } from '../core/errors.ts'
import { pyFloat, pyRepr } from '../core/python.ts'
import type { Tensor } from '../tensor/tensor.ts'
import * as F from './functional.ts'
import * as init from './init.ts'
import { Module } from './module.ts'
import { emptyParameter, type FactoryOptions, factory, readOptions } from './options.ts'
import { Parameter } from './parameter.ts'

/** Options that both embedding layers have. */
export interface EmbeddingBaseOptions extends FactoryOptions {
  /** A row that stays zero and gets no gradient; counted from the end where negative. */
  paddingIdx?: number | null
  /** Rows with a larger norm are scaled down to it when they are looked up. */
  maxNorm?: number | null
  /** The p of that norm; default 2. */
  normType?: number
  /** Whether gradients are divided by how often a row occurs in the batch. */
  scaleGradByFreq?: boolean
  /** PyTorch's sparse gradients, which do not exist here: gradients are always dense. */
  sparse?: boolean
  /** The table, shared instead of drawn. */
  _weight?: Tensor | null
}

// The row meant by `paddingIdx`, counted from the start.
function paddingRow(paddingIdx: number | null | undefined, rows: number, what: string): number | null {
  if (paddingIdx === null || paddingIdx === undefined) return null
  if (paddingIdx >= rows || paddingIdx < -rows)
    throw new AssertionError(`${what} must be within num_embeddings`)
  return paddingIdx < 0 ? paddingIdx + rows : paddingIdx
}

/** What both embedding layers have in common. */
abstract class EmbeddingBase extends Module {
  numEmbeddings: number
  embeddingDim: number
  paddingIdx: number | null
  maxNorm: number | null
  normType: number
  scaleGradByFreq: boolean
  sparse: boolean
  weight: Parameter

  constructor(
    rows: number,
    width: number,
    options: EmbeddingBaseOptions,
    freeze: boolean,
    paddingName: string,
  ) {
    super()
    this.numEmbeddings = rows
    this.embeddingDim = width
    this.paddingIdx = paddingRow(options.paddingIdx, rows, paddingName)
    this.maxNorm = options.maxNorm ?? null
    this.normType = options.normType ?? 2
    this.scaleGradByFreq = options.scaleGradByFreq ?? false
    this.sparse = options.sparse ?? false
    const given = options._weight ?? null
    if (given !== null) {
      if (given.ndim !== 2 || given.sizes[0] !== rows || given.sizes[1] !== width)
        throw new AssertionError('Shape of weight does not match num_embeddings and embedding_dim')
      this.weight = new Parameter(given, { requiresGrad: !freeze })
    } else {
      this.weight = emptyParameter([rows, width], factory(options)).requiresGrad_(!freeze)
      this.resetParameters()
    }
  }

  /** Draws the table from the standard normal distribution, the padding row zero. */
  resetParameters(): void {
    init.normal_(this.weight)
    const { paddingIdx } = this
    if (paddingIdx !== null) noGrad(() => this.weight.select(0, paddingIdx).fill_(0))
  }

  // What both print, in this order.
  protected settings(): string[] {
    return [
      ...(this.maxNorm === null ? [] : [`max_norm=${pyFloat(this.maxNorm)}`]),
      ...(this.normType === 2 ? [] : [`norm_type=${pyFloat(this.normType)}`]),
      ...(this.scaleGradByFreq ? ['scale_grad_by_freq=True'] : []),
    ]
  }
}

/** Options of `nn.Embedding`. */
export interface EmbeddingOptions extends EmbeddingBaseOptions {
  /** Whether the table is left untrained. */
  _freeze?: boolean
}

/** Looks up rows of a table: integers of any shape to vectors, `[...]` to `[..., embeddingDim]`. */
export class Embedding extends EmbeddingBase {
  constructor(
    numEmbeddings: number,
    embeddingDim: number,
    paddingIdx?: number | null,
    options?: EmbeddingOptions,
  )
  constructor(numEmbeddings: number, embeddingDim: number, options?: EmbeddingOptions)
  constructor(
    numEmbeddings: number,
    embeddingDim: number,
    first?: number | null | EmbeddingOptions,
    rest?: EmbeddingOptions,
  ) {
    const known = [
      'paddingIdx',
      'maxNorm',
      'normType',
      'scaleGradByFreq',
      'sparse',
      '_weight',
      '_freeze',
      'device',
      'dtype',
    ] as const
    const options = readOptions<EmbeddingOptions>('Embedding', known, first, rest)
    super(numEmbeddings, embeddingDim, options, options._freeze ?? false, 'Padding_idx')
  }

  /** An Embedding of a given table `[rows, width]`, not trained unless `freeze` is false. */
  static fromPretrained(
    embeddings: Tensor,
    { freeze = true, ...options }: EmbeddingBaseOptions & { freeze?: boolean } = {},
  ): Embedding {
    if (embeddings.ndim !== 2)
      throw new AssertionError('Embeddings parameter is expected to be 2-dimensional')
    const [rows, width] = embeddings.sizes
    return new Embedding(rows, width, { ...options, _weight: embeddings, _freeze: freeze })
  }

  override forward(input: Tensor): Tensor {
    const { paddingIdx, maxNorm, normType, scaleGradByFreq } = this
    return F.embedding(input, this.weight, { paddingIdx, maxNorm, normType, scaleGradByFreq })
  }

  override extraRepr(): string {
    return [
      `${this.numEmbeddings}, ${this.embeddingDim}`,
      ...(this.paddingIdx === null ? [] : [`padding_idx=${this.paddingIdx}`]),
      ...this.settings(),
      ...(this.sparse ? ['sparse=True'] : []),
    ].join(', ')
  }
}

/** How the rows of a bag become one. */
export type BagMode = 'sum' | 'mean' | 'max'

/** Options of `nn.EmbeddingBag`. */
export interface EmbeddingBagOptions extends EmbeddingBaseOptions {
  /** Default `'mean'`. */
  mode?: BagMode
  /** Whether the last offset is the number of indices rather than the start of a bag. */
  includeLastOffset?: boolean
}

/** Options of a call of `nn.EmbeddingBag`. */
export interface EmbeddingBagCall {
  /** Where each bag starts in a one-dimensional input. */
  offsets?: Tensor | null
  /** A factor for each index, with mode `'sum'`. */
  perSampleWeights?: Tensor | null
}

/** Looks up rows of a table and sums or averages them by bags: `[bags, n]`, or `[n]` with offsets, to `[bags, embeddingDim]`. */
export class EmbeddingBag extends EmbeddingBase {
  mode: BagMode
  includeLastOffset: boolean

  constructor(
    numEmbeddings: number,
    embeddingDim: number,
    maxNorm?: number | null,
    options?: EmbeddingBagOptions,
  )
  constructor(numEmbeddings: number, embeddingDim: number, options?: EmbeddingBagOptions)
  constructor(
    numEmbeddings: number,
    embeddingDim: number,
    first?: number | null | EmbeddingBagOptions,
    rest?: EmbeddingBagOptions,
  ) {
    const known = [
      'maxNorm',
      'normType',
      'scaleGradByFreq',
      'mode',
      'sparse',
      '_weight',
      'includeLastOffset',
      'paddingIdx',
      'device',
      'dtype',
    ] as const
    const options = readOptions<EmbeddingBagOptions>('EmbeddingBag', known, first, rest)
    super(numEmbeddings, embeddingDim, options, false, 'padding_idx')
    this.mode = options.mode ?? 'mean'
    this.includeLastOffset = options.includeLastOffset ?? false
  }

  /** An EmbeddingBag of a given table `[rows, width]`, not trained unless `freeze` is false. */
  static fromPretrained(
    embeddings: Tensor,
    { freeze = true, ...options }: EmbeddingBagOptions & { freeze?: boolean } = {},
  ): EmbeddingBag {
    if (embeddings.ndim !== 2)
      throw new AssertionError('Embeddings parameter is expected to be 2-dimensional')
    const [rows, width] = embeddings.sizes
    const bag = new EmbeddingBag(rows, width, { ...options, _weight: embeddings })
    bag.weight.requiresGrad_(!freeze)
    return bag
  }

  override forward(
    input: Tensor,
    offsets?: Tensor | null | EmbeddingBagCall,
    options?: EmbeddingBagCall,
  ): Tensor {
    const call = readOptions<EmbeddingBagCall>(
      'EmbeddingBag',
      ['offsets', 'perSampleWeights'],
      offsets,
      options,
    )
    const { maxNorm, normType, scaleGradByFreq, mode, includeLastOffset, paddingIdx } = this
    return F.embeddingBag(input, this.weight, {
      offsets: call.offsets,
      perSampleWeights: call.perSampleWeights,
      maxNorm,
      normType,
      scaleGradByFreq,
      mode,
      includeLastOffset,
      paddingIdx,
    })
  }

  override extraRepr(): string {
    return [
      `${this.numEmbeddings}, ${this.embeddingDim}`,
      ...this.settings(),
      `mode=${pyRepr(this.mode)}`,
      ...(this.paddingIdx === null ? [] : [`padding_idx=${this.paddingIdx}`]),
    ].join(', ')
  }
}
