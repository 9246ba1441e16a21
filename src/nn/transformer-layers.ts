// The layers of a transformer: TransformerEncoderLayer and TransformerDecoderLayer. Stacks of them are in transformer.ts.

import { RuntimeError } from '../core/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { canonicalMask } from './attention-functions.ts'
import { Dropout } from './dropout.ts'
import { gelu, relu } from './functional.ts'
import { LayerNorm } from './layer-norm.ts'
import { Linear } from './linear.ts'
import { Module } from './module.ts'
import { MultiheadAttention } from './multihead-attention.ts'
import { type FactoryOptions, readOptions } from './options.ts'

/** `'relu'`, `'gelu'`, or a function or module of one tensor. */
export type TransformerActivation = 'relu' | 'gelu' | ((input: Tensor) => Tensor)

/** Options of the transformer layers. */
export interface TransformerLayerOptions extends FactoryOptions {
  /** The width between the two linear layers; default 2048. */
  dimFeedforward?: number
  /** Default 0.1. */
  dropout?: number
  /** Default `'relu'`. */
  activation?: TransformerActivation
  /** Default 1e-5. */
  layerNormEps?: number
  /** Whether the batch is the first dimension rather than the second; default false. */
  batchFirst?: boolean
  /** Whether normalisation comes before attention and feed-forward rather than after; default false. */
  normFirst?: boolean
  /** Default true. */
  bias?: boolean
}

export const transformerLayerOptions = [
  'dimFeedforward',
  'dropout',
  'activation',
  'layerNormEps',
  'batchFirst',
  'normFirst',
  'bias',
  'device',
  'dtype',
] as const

/** The function that an activation's name stands for. */
export function activationFunction(activation: TransformerActivation): (input: Tensor) => Tensor {
  if (typeof activation === 'function') return activation
  if (activation === 'relu') return relu as (input: Tensor) => Tensor
  if (activation === 'gelu') return gelu as (input: Tensor) => Tensor
  throw new RuntimeError(`activation should be relu/gelu, not ${String(activation)}`)
}

/** Options of a call of `nn.TransformerEncoderLayer`. */
export interface EncoderLayerCall {
  srcMask?: Tensor | null
  srcKeyPaddingMask?: Tensor | null
  isCausal?: boolean
}

/** Attention of a sequence to itself, then a feed-forward network, each with a residual: `[S, N, dModel]`. */
export class TransformerEncoderLayer extends Module {
  self_attn: MultiheadAttention
  linear1: Linear
  dropout: Dropout
  linear2: Linear
  normFirst: boolean
  norm1: LayerNorm
  norm2: LayerNorm
  dropout1: Dropout
  dropout2: Dropout
  activation: (input: Tensor) => Tensor

  constructor(dModel: number, nhead: number, dimFeedforward?: number, options?: TransformerLayerOptions)
  constructor(dModel: number, nhead: number, options?: TransformerLayerOptions)
  constructor(
    dModel: number,
    nhead: number,
    first?: number | TransformerLayerOptions,
    rest?: TransformerLayerOptions,
  ) {
    super()
    const options = readOptions<TransformerLayerOptions>(
      'TransformerEncoderLayer',
      transformerLayerOptions,
      first,
      rest,
    )
    const {
      dimFeedforward = 2048,
      dropout = 0.1,
      layerNormEps: eps = 1e-5,
      batchFirst = false,
      bias = true,
    } = options
    const where = { device: options.device, dtype: options.dtype }
    this.self_attn = new MultiheadAttention(dModel, nhead, { dropout, bias, batchFirst, ...where })
    this.linear1 = new Linear(dModel, dimFeedforward, { bias, ...where })
    this.dropout = new Dropout(dropout)
    this.linear2 = new Linear(dimFeedforward, dModel, { bias, ...where })
    this.normFirst = options.normFirst ?? false
    this.norm1 = new LayerNorm(dModel, { eps, bias, ...where })
    this.norm2 = new LayerNorm(dModel, { eps, bias, ...where })
    this.dropout1 = new Dropout(dropout)
    this.dropout2 = new Dropout(dropout)
    this.activation = activationFunction(options.activation ?? 'relu')
  }

  override forward(
    src: Tensor,
    srcMask?: Tensor | null | EncoderLayerCall,
    options?: EncoderLayerCall,
  ): Tensor {
    const known = ['srcMask', 'srcKeyPaddingMask', 'isCausal'] as const
    const call = readOptions<EncoderLayerCall>('TransformerEncoderLayer', known, srcMask, options)
    const padding = canonicalMask(call.srcKeyPaddingMask, 'src_key_padding_mask', src.dtype)
    const mask = canonicalMask(call.srcMask, 'src_mask', src.dtype)
    const attend = (x: Tensor) => this.attend(x, mask, padding, call.isCausal ?? false)
    if (this.normFirst) {
      const x = src.add(attend(this.norm1(src)))
      return x.add(this.feedForward(this.norm2(x)))
    }
    const x = this.norm1(src.add(attend(src)))
    return this.norm2(x.add(this.feedForward(x)))
  }

  private attend(
    x: Tensor,
    attnMask: Tensor | null,
    keyPaddingMask: Tensor | null,
    isCausal: boolean,
  ): Tensor {
    const [output] = this.self_attn(x, x, x, { attnMask, keyPaddingMask, needWeights: false, isCausal })
    return this.dropout1(output)
  }

  private feedForward(x: Tensor): Tensor {
    return this.dropout2(this.linear2(this.dropout(this.activation(this.linear1(x)))))
  }
}

/** Options of a call of `nn.TransformerDecoderLayer`. */
export interface DecoderLayerCall {
  tgtMask?: Tensor | null
  memoryMask?: Tensor | null
  tgtKeyPaddingMask?: Tensor | null
  memoryKeyPaddingMask?: Tensor | null
  tgtIsCausal?: boolean
  memoryIsCausal?: boolean
}

export const decoderCallOptions = [
  'tgtMask',
  'memoryMask',
  'tgtKeyPaddingMask',
  'memoryKeyPaddingMask',
  'tgtIsCausal',
  'memoryIsCausal',
] as const

/** Attention of a sequence to itself and to an encoder's output, then a feed-forward network, each with a residual. */
export class TransformerDecoderLayer extends Module {
  self_attn: MultiheadAttention
  multihead_attn: MultiheadAttention
  linear1: Linear
  dropout: Dropout
  linear2: Linear
  normFirst: boolean
  norm1: LayerNorm
  norm2: LayerNorm
  norm3: LayerNorm
  dropout1: Dropout
  dropout2: Dropout
  dropout3: Dropout
  activation: (input: Tensor) => Tensor

  constructor(dModel: number, nhead: number, dimFeedforward?: number, options?: TransformerLayerOptions)
  constructor(dModel: number, nhead: number, options?: TransformerLayerOptions)
  constructor(
    dModel: number,
    nhead: number,
    first?: number | TransformerLayerOptions,
    rest?: TransformerLayerOptions,
  ) {
    super()
    const options = readOptions<TransformerLayerOptions>(
      'TransformerDecoderLayer',
      transformerLayerOptions,
      first,
      rest,
    )
    const {
      dimFeedforward = 2048,
      dropout = 0.1,
      layerNormEps: eps = 1e-5,
      batchFirst = false,
      bias = true,
    } = options
    const where = { device: options.device, dtype: options.dtype }
    this.self_attn = new MultiheadAttention(dModel, nhead, { dropout, bias, batchFirst, ...where })
    this.multihead_attn = new MultiheadAttention(dModel, nhead, { dropout, bias, batchFirst, ...where })
    this.linear1 = new Linear(dModel, dimFeedforward, { bias, ...where })
    this.dropout = new Dropout(dropout)
    this.linear2 = new Linear(dimFeedforward, dModel, { bias, ...where })
    this.normFirst = options.normFirst ?? false
    this.norm1 = new LayerNorm(dModel, { eps, bias, ...where })
    this.norm2 = new LayerNorm(dModel, { eps, bias, ...where })
    this.norm3 = new LayerNorm(dModel, { eps, bias, ...where })
    this.dropout1 = new Dropout(dropout)
    this.dropout2 = new Dropout(dropout)
    this.dropout3 = new Dropout(dropout)
    this.activation = activationFunction(options.activation ?? 'relu')
  }

  override forward(
    tgt: Tensor,
    memory: Tensor,
    tgtMask?: Tensor | null | DecoderLayerCall,
    options?: DecoderLayerCall,
  ): Tensor {
    const call = readOptions<DecoderLayerCall>(
      'TransformerDecoderLayer',
      decoderCallOptions,
      tgtMask,
      options,
    )
    if (this.normFirst) {
      let x = tgt.add(this.attend(this.norm1(tgt), call))
      x = x.add(this.attendTo(this.norm2(x), memory, call))
      return x.add(this.feedForward(this.norm3(x)))
    }
    let x = this.norm1(tgt.add(this.attend(tgt, call)))
    x = this.norm2(x.add(this.attendTo(x, memory, call)))
    return this.norm3(x.add(this.feedForward(x)))
  }

  private attend(
    x: Tensor,
    { tgtMask: attnMask, tgtKeyPaddingMask: keyPaddingMask, tgtIsCausal }: DecoderLayerCall,
  ): Tensor {
    const call = { attnMask, keyPaddingMask, isCausal: tgtIsCausal ?? false, needWeights: false }
    return this.dropout1(this.self_attn(x, x, x, call)[0])
  }

  private attendTo(x: Tensor, memory: Tensor, call: DecoderLayerCall): Tensor {
    const { memoryMask: attnMask, memoryKeyPaddingMask: keyPaddingMask, memoryIsCausal } = call
    const options = { attnMask, keyPaddingMask, isCausal: memoryIsCausal ?? false, needWeights: false }
    return this.dropout2(this.multihead_attn(x, memory, memory, options)[0])
  }

  private feedForward(x: Tensor): Tensor {
    return this.dropout3(this.linear2(this.dropout(this.activation(this.linear1(x)))))
  }
}
