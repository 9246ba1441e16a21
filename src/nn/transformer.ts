// Stacks of transformer layers: TransformerEncoder, TransformerDecoder, Transformer.

import type { DeviceLike } from '../core/device.ts'
import { type DType, getDefaultDtype } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { fullTensor } from '../ops/creation.ts'
import { onHost } from '../ops/host.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { canonicalMask } from './attention-functions.ts'
import { ModuleList } from './containers.ts'
import { deepcopy } from './deepcopy.ts'
import * as init from './init.ts'
import { LayerNorm } from './layer-norm.ts'
import { type Layer, Module } from './module.ts'
import { factory, readOptions } from './options.ts'
import {
  type DecoderLayerCall,
  decoderCallOptions,
  type EncoderLayerCall,
  TransformerDecoderLayer,
  TransformerEncoderLayer,
  type TransformerLayerOptions,
  transformerLayerOptions,
} from './transformer-layers.ts'

/** What a TransformerEncoder stacks: a TransformerEncoderLayer or something that is called as one. */
export interface EncoderLayer extends Module {
  (src: Tensor, options?: EncoderLayerCall): Tensor
  forward(src: Tensor, options?: EncoderLayerCall): Tensor
}

/** What a TransformerDecoder stacks: a TransformerDecoderLayer or something that is called as one. */
export interface DecoderLayer extends Module {
  (tgt: Tensor, memory: Tensor, options?: DecoderLayerCall): Tensor
  forward(tgt: Tensor, memory: Tensor, options?: DecoderLayerCall): Tensor
}

function clones<M extends Module>(module: M, n: number): ModuleList<M> {
  return new ModuleList(Array.from({ length: n }, () => deepcopy(module)))
}

/** 0 up to and including the diagonal, -infinity above it. */
function subsequentMask(size: number, dtype: DType, device: DeviceLike | null | undefined): Tensor {
  return fullTensor([size, size], Number.NEGATIVE_INFINITY, dtype, factory({ device }).device).triu(1)
}

// Whether a mask is the causal one, where nobody said.
function isCausalMask(mask: Tensor | null, hint: boolean | null | undefined, length: number): boolean {
  if (hint !== null && hint !== undefined) return hint
  if (mask === null || mask.dtype.kind !== 'float') return false
  const causal = subsequentMask(length, mask.dtype, null)
  return mask.sizes.join() === causal.sizes.join() && onHost(mask)?.eq(causal).all().item() === true
}

function sequenceLength(x: Tensor, batchFirst: boolean): number {
  return x.sizes[x.ndim === 2 || !batchFirst ? 0 : 1]
}

// Layers of a user's own need not say.
function batchFirstOf(layer: Module): boolean {
  return (layer as { self_attn?: { batchFirst?: boolean } }).self_attn?.batchFirst ?? false
}

/** Options of `nn.TransformerEncoder`. */
export interface TransformerEncoderOptions {
  /** Applied to the result. */
  norm?: Layer | null
  /** Without meaning here: there are no nested tensors. */
  enableNestedTensor?: boolean
  maskCheck?: boolean
}

/** Options of a call of `nn.TransformerEncoder`. */
export interface EncoderCall {
  mask?: Tensor | null
  srcKeyPaddingMask?: Tensor | null
  /** Whether `mask` is the causal one; found out where not said. */
  isCausal?: boolean | null
}

/** Copies of an encoder layer, one after the other: `[S, N, dModel]` to the same. */
export class TransformerEncoder extends Module {
  layers: ModuleList<EncoderLayer>
  numLayers: number
  norm: Layer | null

  constructor(
    encoderLayer: EncoderLayer,
    numLayers: number,
    norm?: Layer | null,
    options?: TransformerEncoderOptions,
  )
  constructor(encoderLayer: EncoderLayer, numLayers: number, options?: TransformerEncoderOptions)
  constructor(
    encoderLayer: EncoderLayer,
    numLayers: number,
    first?: Layer | null | TransformerEncoderOptions,
    rest?: TransformerEncoderOptions,
  ) {
    super()
    const known = ['norm', 'enableNestedTensor', 'maskCheck'] as const
    const options = readOptions<TransformerEncoderOptions>('TransformerEncoder', known, first, rest)
    this.layers = clones(encoderLayer, numLayers)
    this.numLayers = numLayers
    this.norm = options.norm ?? null
  }

  override forward(src: Tensor, mask?: Tensor | null | EncoderCall, options?: EncoderCall): Tensor {
    const call = readOptions<EncoderCall>(
      'TransformerEncoder',
      ['mask', 'srcKeyPaddingMask', 'isCausal'],
      mask,
      options,
    )
    const srcKeyPaddingMask = canonicalMask(call.srcKeyPaddingMask, 'src_key_padding_mask', src.dtype)
    const srcMask = canonicalMask(call.mask, 'mask', src.dtype)
    const length = sequenceLength(src, batchFirstOf(this.layers.at(0)))
    const isCausal = isCausalMask(srcMask, call.isCausal, length)
    let output = src
    for (const layer of this.layers) output = layer(output, { srcMask, srcKeyPaddingMask, isCausal })
    return this.norm === null ? output : this.norm(output)
  }
}

/** Options of `nn.TransformerDecoder`. */
export interface TransformerDecoderOptions {
  /** Applied to the result. */
  norm?: Layer | null
}

/** Options of a call of `nn.TransformerDecoder`. */
export interface DecoderCall extends Omit<DecoderLayerCall, 'tgtIsCausal'> {
  /** Whether `tgtMask` is the causal one; found out where not said. */
  tgtIsCausal?: boolean | null
}

/** Copies of a decoder layer, one after the other. */
export class TransformerDecoder extends Module {
  layers: ModuleList<DecoderLayer>
  numLayers: number
  norm: Layer | null

  constructor(
    decoderLayer: DecoderLayer,
    numLayers: number,
    norm?: Layer | null | TransformerDecoderOptions,
  ) {
    super()
    const options = readOptions<TransformerDecoderOptions>('TransformerDecoder', ['norm'], norm)
    this.layers = clones(decoderLayer, numLayers)
    this.numLayers = numLayers
    this.norm = options.norm ?? null
  }

  override forward(
    tgt: Tensor,
    memory: Tensor,
    tgtMask?: Tensor | null | DecoderCall,
    options?: DecoderCall,
  ): Tensor {
    const call = readOptions<DecoderCall>('TransformerDecoder', decoderCallOptions, tgtMask, options)
    const length = sequenceLength(tgt, batchFirstOf(this.layers.at(0)))
    const tgtIsCausal = isCausalMask(call.tgtMask ?? null, call.tgtIsCausal, length)
    let output = tgt
    for (const layer of this.layers) output = layer(output, memory, { ...call, tgtIsCausal })
    return this.norm === null ? output : this.norm(output)
  }
}

/** An encoder as `nn.Transformer` calls it. */
export interface Encoder extends Module {
  (src: Tensor, options?: EncoderCall): Tensor
  forward(src: Tensor, options?: EncoderCall): Tensor
}

/** A decoder as `nn.Transformer` calls it. */
export interface Decoder extends Module {
  (tgt: Tensor, memory: Tensor, options?: DecoderCall): Tensor
  forward(tgt: Tensor, memory: Tensor, options?: DecoderCall): Tensor
}

/** Options of `nn.Transformer`. */
export interface TransformerOptions extends TransformerLayerOptions {
  /** The width; default 512. */
  dModel?: number
  /** Heads of each attention; default 8. */
  nhead?: number
  /** Default 6. */
  numEncoderLayers?: number
  /** Default 6. */
  numDecoderLayers?: number
  customEncoder?: Encoder | null
  customDecoder?: Decoder | null
}

/** Options of a call of `nn.Transformer`. */
export interface TransformerCall {
  srcMask?: Tensor | null
  tgtMask?: Tensor | null
  memoryMask?: Tensor | null
  srcKeyPaddingMask?: Tensor | null
  tgtKeyPaddingMask?: Tensor | null
  memoryKeyPaddingMask?: Tensor | null
  srcIsCausal?: boolean | null
  tgtIsCausal?: boolean | null
  memoryIsCausal?: boolean
}

const callOptions = [
  'srcMask',
  'tgtMask',
  'memoryMask',
  'srcKeyPaddingMask',
  'tgtKeyPaddingMask',
  'memoryKeyPaddingMask',
  'srcIsCausal',
  'tgtIsCausal',
  'memoryIsCausal',
] as const

/** Encoder and decoder: sources `[S, N, dModel]` and targets `[T, N, dModel]` to `[T, N, dModel]`. Vaswani et al. 2017. */
export class Transformer extends Module {
  encoder: Encoder
  decoder: Decoder
  dModel: number
  nhead: number
  batchFirst: boolean

  constructor(dModel?: number, options?: TransformerOptions)
  constructor(options?: TransformerOptions)
  constructor(first?: number | TransformerOptions, rest?: TransformerOptions) {
    super()
    const own = [
      'dModel',
      'nhead',
      'numEncoderLayers',
      'numDecoderLayers',
      'customEncoder',
      'customDecoder',
    ] as const
    const options = readOptions<TransformerOptions>(
      'Transformer',
      [...own, ...transformerLayerOptions],
      first,
      rest,
    )
    const {
      dModel = 512,
      nhead = 8,
      numEncoderLayers = 6,
      numDecoderLayers = 6,
      customEncoder,
      customDecoder,
      ...layer
    } = options
    const { layerNormEps: eps = 1e-5, bias = true, device, dtype } = layer
    const norm = () => new LayerNorm(dModel, { eps, bias, device, dtype })
    if (customEncoder != null) this.encoder = customEncoder
    else {
      const encoderLayer = new TransformerEncoderLayer(dModel, nhead, layer)
      this.encoder = new TransformerEncoder(encoderLayer, numEncoderLayers, norm())
    }
    if (customDecoder != null) this.decoder = customDecoder
    else {
      const decoderLayer = new TransformerDecoderLayer(dModel, nhead, layer)
      this.decoder = new TransformerDecoder(decoderLayer, numDecoderLayers, norm())
    }
    this.dModel = dModel
    this.nhead = nhead
    this.batchFirst = layer.batchFirst ?? false
    for (const parameter of this.parameters()) if (parameter.ndim > 1) init.xavierUniform_(parameter)
  }

  /** The causal mask: 0 up to and including the diagonal, -infinity above it. */
  static generateSquareSubsequentMask(
    size: number,
    { device, dtype }: { device?: DeviceLike | null; dtype?: DType | null } = {},
  ): Tensor {
    return subsequentMask(size, dtype ?? getDefaultDtype(), device)
  }

  override forward(
    src: Tensor,
    tgt: Tensor,
    srcMask?: Tensor | null | TransformerCall,
    options?: TransformerCall,
  ): Tensor {
    const call = readOptions<TransformerCall>('Transformer', callOptions, srcMask, options)
    const batchDim = this.batchFirst ? 0 : 1
    if (src.ndim === 3 && src.sizes[batchDim] !== tgt.sizes[batchDim])
      throw new RuntimeError('the batch number of src and tgt must be equal')
    if (src.sizes[src.ndim - 1] !== this.dModel || tgt.sizes[tgt.ndim - 1] !== this.dModel)
      throw new RuntimeError('the feature number of src and tgt must be equal to d_model')
    const { srcMask: mask, srcKeyPaddingMask, srcIsCausal, ...decoding } = call
    const memory = this.encoder(src, { mask, srcKeyPaddingMask, isCausal: srcIsCausal })
    return this.decoder(tgt, memory, decoding)
  }
}
