// The layer MultiheadAttention.

import { AssertionError, ValueError } from '../core/errors.ts'
import { Tuple } from '../core/python.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type AttentionResult, canonicalMask, multiHeadAttentionForward } from './attention-functions.ts'
import * as init from './init.ts'
import { NonDynamicallyQuantizableLinear } from './linear.ts'
import { Module } from './module.ts'
import { emptyParameter, type FactoryOptions, factory, readOptions } from './options.ts'
import type { Parameter } from './parameter.ts'

/** Options of `nn.MultiheadAttention`. */
export interface MultiheadAttentionOptions extends FactoryOptions {
  /** The probability of an attention weight to be zeroed; default 0. */
  dropout?: number
  /** Default true. */
  bias?: boolean
  /** Whether a learned key and value are added to the sources. */
  addBiasKv?: boolean
  /** Whether a source of zeros is added. */
  addZeroAttn?: boolean
  /** The widths of keys and values; default `embedDim`. */
  kdim?: number | null
  vdim?: number | null
  /** Whether the batch is the first dimension rather than the second; default false. */
  batchFirst?: boolean
}

/** Options of a call of `nn.MultiheadAttention`. */
export interface MultiheadAttentionCall {
  /** `[N, S]` (or `[S]`): true for keys to be ignored. */
  keyPaddingMask?: Tensor | null
  /** Whether the attention weights are returned; default true. */
  needWeights?: boolean
  /** `[L, S]` or `[N * numHeads, L, S]`: true where a query may not look, or numbers added to the scores. */
  attnMask?: Tensor | null
  /** Whether the weights are averaged over the heads; default true. */
  averageAttnWeights?: boolean
  /** A hint that `attnMask` is the causal one. */
  isCausal?: boolean
}

/**
 * Lets every query look at all sources, in several heads at once: queries `[L, N, embedDim]`, keys `[S, N, kdim]` and
 * values `[S, N, vdim]` to `[L, N, embedDim]` and the weights `[N, L, S]`. Vaswani et al. 2017.
 */
export class MultiheadAttention extends Module {
  embedDim: number
  kdim: number
  vdim: number
  _qkvSameEmbedDim: boolean
  numHeads: number
  dropout: number
  batchFirst: boolean
  headDim: number
  in_proj_weight: Parameter | null = null
  q_proj_weight: Parameter | null = null
  k_proj_weight: Parameter | null = null
  v_proj_weight: Parameter | null = null
  in_proj_bias: Parameter | null = null
  out_proj: NonDynamicallyQuantizableLinear
  bias_k: Parameter | null = null
  bias_v: Parameter | null = null
  addZeroAttn: boolean

  constructor(embedDim: number, numHeads: number, dropout?: number, options?: MultiheadAttentionOptions)
  constructor(embedDim: number, numHeads: number, options?: MultiheadAttentionOptions)
  constructor(
    embedDim: number,
    numHeads: number,
    first?: number | MultiheadAttentionOptions,
    rest?: MultiheadAttentionOptions,
  ) {
    super()
    if (embedDim <= 0 || numHeads <= 0)
      throw new ValueError(
        `embed_dim and num_heads must be greater than 0, got embed_dim=${embedDim} and num_heads=${numHeads} instead`,
      )
    const known = [
      'dropout',
      'bias',
      'addBiasKv',
      'addZeroAttn',
      'kdim',
      'vdim',
      'batchFirst',
      'device',
      'dtype',
    ] as const
    const options = readOptions<MultiheadAttentionOptions>('MultiheadAttention', known, first, rest)
    const {
      dropout = 0,
      bias = true,
      addBiasKv = false,
      addZeroAttn = false,
      batchFirst = false,
      device,
      dtype,
    } = options
    const made = factory(options)
    this.embedDim = embedDim
    this.kdim = options.kdim ?? embedDim
    this.vdim = options.vdim ?? embedDim
    this._qkvSameEmbedDim = this.kdim === embedDim && this.vdim === embedDim
    this.numHeads = numHeads
    this.dropout = dropout
    this.batchFirst = batchFirst
    this.headDim = Math.floor(embedDim / numHeads)
    if (this.headDim * numHeads !== embedDim)
      throw new AssertionError('embed_dim must be divisible by num_heads')
    const same = this._qkvSameEmbedDim
    const separate = (width: number) => (same ? null : emptyParameter([embedDim, width], made))
    this.registerParameter('q_proj_weight', separate(embedDim))
    this.registerParameter('k_proj_weight', separate(this.kdim))
    this.registerParameter('v_proj_weight', separate(this.vdim))
    this.registerParameter('in_proj_weight', same ? emptyParameter([3 * embedDim, embedDim], made) : null)
    this.registerParameter('in_proj_bias', bias ? emptyParameter([3 * embedDim], made) : null)
    this.out_proj = new NonDynamicallyQuantizableLinear(embedDim, embedDim, { bias, device, dtype })
    if (addBiasKv) {
      this.bias_k = emptyParameter([1, 1, embedDim], made)
      this.bias_v = emptyParameter([1, 1, embedDim], made)
    }
    this.addZeroAttn = addZeroAttn
    this.resetParameters()
  }

  /** Draws the projections (Xavier); biases are zero. */
  resetParameters(): void {
    for (const weight of [this.in_proj_weight, this.q_proj_weight, this.k_proj_weight, this.v_proj_weight])
      if (weight !== null) init.xavierUniform_(weight)
    if (this.in_proj_bias !== null) {
      init.constant_(this.in_proj_bias, 0)
      init.constant_(this.out_proj.bias!, 0)
    }
    if (this.bias_k !== null) init.xavierNormal_(this.bias_k)
    if (this.bias_v !== null) init.xavierNormal_(this.bias_v)
  }

  override forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    keyPaddingMask?: Tensor | null | MultiheadAttentionCall,
    options?: MultiheadAttentionCall,
  ): AttentionResult {
    const known = ['keyPaddingMask', 'needWeights', 'attnMask', 'averageAttnWeights', 'isCausal'] as const
    const call = readOptions<MultiheadAttentionCall>('MultiheadAttention', known, keyPaddingMask, options)
    const { needWeights = true, averageAttnWeights = true, isCausal = false } = call
    const swap = this.batchFirst && query.ndim === 3
    const q = swap ? query.transpose(0, 1) : query
    // The same tensors stay the same, which decides how they are projected.
    const k = key === query ? q : swap ? key.transpose(0, 1) : key
    const v = value === key ? k : swap ? value.transpose(0, 1) : value
    const [output, weights] = multiHeadAttentionForward(
      q,
      k,
      v,
      this.embedDim,
      this.numHeads,
      this.in_proj_weight,
      this.in_proj_bias,
      this.bias_k,
      this.bias_v,
      this.addZeroAttn,
      this.dropout,
      this.out_proj.weight,
      this.out_proj.bias,
      {
        training: this.training,
        keyPaddingMask: canonicalMask(call.keyPaddingMask, 'key_padding_mask', query.dtype),
        needWeights,
        attnMask: canonicalMask(call.attnMask, 'attn_mask', query.dtype),
        useSeparateProjWeight: !this._qkvSameEmbedDim,
        qProjWeight: this.q_proj_weight,
        kProjWeight: this.k_proj_weight,
        vProjWeight: this.v_proj_weight,
        averageAttnWeights,
        isCausal,
      },
    )
    return Tuple.of<Tensor | null>(
      swap ? output.transpose(0, 1) : output,
      weights,
    ) as unknown as AttentionResult
  }
}
