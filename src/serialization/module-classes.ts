// The classes of torch.nn that a pickled module may have, and how each is made again: its constructor is called with
// arguments read from the attributes. Nothing of the file is run, and no class is looked up but in these tables.

import * as nn from '../nn/index.ts'
import { NonDynamicallyQuantizableLinear } from '../nn/linear.ts'
import type { Module } from '../nn/module.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { PickleGlobal, pythonTypeName } from './python-objects.ts'

/** The state of a pickled module. */
export interface PickledModule {
  /** Its attributes by their names in Python. */
  readonly attributes: ReadonlyMap<unknown, unknown>
  readonly parameters: ReadonlyMap<unknown, unknown>
  readonly buffers: ReadonlyMap<unknown, unknown>
  readonly modules: ReadonlyMap<unknown, unknown>
}

/** Makes a module without its parameters, buffers and children, which come after. Throws plain Errors. */
export type ModuleMaker = (state: PickledModule) => Module

type Constructor = new (...args: unknown[]) => Module

/**
 * Calls a constructor with the attributes named in `required` by position and those in `optional` as options. `bias?`
 * stands for whether there is a parameter of that name. `+` at the end: the class has parameters, which are
 * made without memory.
 */
function fromAttributes(cls: unknown, required: string, optional = ''): ModuleMaker {
  const positional = words(required)
  const options = words(optional).map((name) => ({ name, camelCase: camelCase(name.replace('?', '')) }))
  return (state) => {
    const { attributes, parameters } = state
    const args = positional.map((name) => {
      if (!attributes.has(name)) throw new Error(`the attribute '${name}' is missing`)
      return argument(attributes.get(name))
    })
    const given: Record<string, unknown> = {}
    for (const { name, camelCase } of options) {
      if (name === '+') given.device = 'meta'
      else if (name.endsWith('?')) given[camelCase] = (parameters.get(name.slice(0, -1)) ?? null) !== null
      // Older releases lack the newer attributes.
      else if (attributes.has(name)) given[camelCase] = argument(attributes.get(name))
    }
    return new (cls as Constructor)(...args, ...(options.length === 0 ? [] : [given]))
  }
}

function words(text: string): string[] {
  return text === '' ? [] : text.split(' ')
}

function camelCase(name: string): string {
  return name.replace(/_+([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
}

/** A value that a constructor may get: constants, functions of the table below, tuples of numbers. */
function argument(value: unknown): unknown {
  if (value instanceof PickleGlobal) {
    const known = moduleFunctions.get(value.fullName)
    if (known === undefined) throw new Error(`${value.fullName} cannot be an attribute of a module`)
    return known
  }
  const isConstant = value === null || ['number', 'boolean', 'string'].includes(typeof value)
  const isTuple = Array.isArray(value) && value.every((item) => item === null || typeof item === 'number')
  if (isConstant || isTuple) return value
  throw new Error(`a module cannot have an attribute of type ${pythonTypeName(value)} there`)
}

/** Functions that attributes of modules may be. */
export const moduleFunctions: ReadonlyMap<string, unknown> = new Map<string, unknown>(
  (['relu', 'gelu', 'elu', 'leaky_relu', 'silu', 'mish', 'selu', 'softplus', 'hardswish'] as const).map(
    (name) => [
      `torch.nn.functional.${name}`,
      (nn.functional as unknown as Record<string, unknown>)[camelCase(name)],
    ],
  ),
)
  .set('torch._C._nn.gelu', nn.functional.gelu)
  .set('torch.tanh', (x: Tensor) => x.tanh())
  .set('torch.sigmoid', (x: Tensor) => x.sigmoid())
  .set('torch.relu', nn.functional.relu)

const bias = 'bias?'
const conv = 'stride padding dilation groups bias? padding_mode +'
const transposed = 'stride padding output_padding groups bias? dilation padding_mode +'
const norm = 'eps momentum affine track_running_stats bias? +'
const recurrent = 'num_layers bias batch_first dropout bidirectional +'
const maxPool = 'stride padding dilation return_indices ceil_mode'
const avgPool = 'stride padding ceil_mode count_include_pad'

/** Layers with parameters are limited by those that the file has: what a constructor makes must not exceed them. */
function limited(make: ModuleMaker): ModuleMaker {
  return (state) => {
    const layers = state.attributes.get('num_layers')
    if (!Number.isSafeInteger(layers) || (layers as number) > state.parameters.size)
      throw new Error(`num_layers is ${String(layers)}, but there are ${state.parameters.size} parameters`)
    return make(state)
  }
}

/** The same module with other attributes, for constructors that are told what the attributes only imply. */
function withAttributes(state: PickledModule, attributes: Readonly<Record<string, unknown>>): PickledModule {
  return { ...state, attributes: new Map([...state.attributes, ...Object.entries(attributes)]) }
}

function attention(state: PickledModule): Module {
  const { attributes, parameters } = state
  const biasKv = (parameters.get('bias_k') ?? attributes.get('bias_k') ?? null) !== null
  const hasBias = (parameters.get('in_proj_bias') ?? null) !== null
  const make = fromAttributes(
    nn.MultiheadAttention,
    'embed_dim num_heads',
    'dropout bias add_bias_kv add_zero_attn kdim vdim batch_first +',
  )
  return make(withAttributes(state, { bias: hasBias, add_bias_kv: biasKv }))
}

/** A child that has been rebuilt already. */
function child(state: PickledModule, name: string): Module & Record<string, never> {
  const module = state.modules.get(name)
  if (!(module instanceof nn.Module)) throw new Error(`the module '${name}' is missing`)
  return module as Module & Record<string, never>
}

/** A layer of a transformer, whose sizes are those of its children. */
function transformerLayer(cls: unknown): ModuleMaker {
  return (state) => {
    const attention = child(state, 'self_attn') as unknown as nn.MultiheadAttention
    const linear = child(state, 'linear1') as unknown as nn.Linear
    const { embedDim, numHeads, batchFirst, dropout } = attention
    const activation = state.modules.get('activation') ?? state.attributes.get('activation')
    return new (cls as Constructor)(embedDim, numHeads, {
      dimFeedforward: linear.outFeatures,
      dropout,
      batchFirst,
      normFirst: argument(state.attributes.get('norm_first') ?? false),
      bias: linear.bias !== null,
      layerNormEps: (child(state, 'norm1') as unknown as nn.LayerNorm).eps,
      // 1.13 leaves the function out where it is the default one.
      activation: activation instanceof nn.Module ? activation : argument(activation ?? relu),
      device: 'meta',
    })
  }
}

const relu = new PickleGlobal('torch.nn.functional.relu', () => null, false)

/** A stack of transformer layers. Its own constructor would copy the first layer as often as it is told to. */
function transformerStack(cls: { readonly prototype: object }): ModuleMaker {
  return (state) => {
    const module = new (cls as unknown as Constructor)(new nn.Identity(), 0)
    ;(module as unknown as { numLayers: unknown }).numLayers = argument(
      state.attributes.get('num_layers') ?? null,
    )
    return module
  }
}

function transformer(state: PickledModule): Module {
  // Made of empty parts: the constructor draws new weights for whatever it is given.
  const module = new nn.Transformer({
    customEncoder: new nn.Identity() as never,
    customDecoder: new nn.Identity() as never,
  })
  const { attributes } = state
  const fields = module as unknown as Record<string, unknown>
  fields.dModel = argument(attributes.get('d_model') ?? null)
  fields.nhead = argument(attributes.get('nhead') ?? null)
  fields.batchFirst = argument(attributes.get('batch_first') ?? false)
  return module
}

function recurrentNetwork(state: PickledModule): Module {
  const nonlinearity = state.attributes.get('mode') === 'RNN_RELU' ? 'relu' : 'tanh'
  const make = fromAttributes(nn.RNN, 'input_size hidden_size', `nonlinearity ${recurrent}`)
  return make(withAttributes(state, { nonlinearity }))
}

function adaptiveSoftmax(state: PickledModule): Module {
  const cutoffs = state.attributes.get('cutoffs')
  if (!Array.isArray(cutoffs)) throw new Error("the attribute 'cutoffs' is missing")
  const make = fromAttributes(
    nn.AdaptiveLogSoftmaxWithLoss,
    'in_features n_classes cutoffs',
    'div_value head_bias +',
  )
  return make(withAttributes(state, { cutoffs: cutoffs.slice(0, -1) }))
}

function linearCrossEntropy(state: PickledModule): Module {
  const linear = child(state, 'linear') as unknown as nn.Linear
  const make = fromAttributes(
    nn.LinearCrossEntropyLoss,
    'in_features num_classes',
    'out_features reduction ignore_index label_smoothing +',
  )
  return make(withAttributes(state, { in_features: linear.inFeatures }))
}

function pairwiseDistance(state: PickledModule): Module {
  const make = fromAttributes(nn.PairwiseDistance, '', 'p eps keepdim')
  return make(withAttributes(state, { p: state.attributes.get('norm') ?? 2 }))
}

/** A list of parameters: the constructor would count what is registered afterwards twice. */
function parameterList(state: PickledModule): Module {
  return new nn.ParameterList([...state.parameters.values()] as never)
}

function parameterDict(state: PickledModule): Module {
  return new nn.ParameterDict([...state.parameters] as never)
}

type Row = readonly [cls: unknown, required?: string, optional?: string]

function rows(module: string, table: Readonly<Record<string, Row | ModuleMaker>>): [string, ModuleMaker][] {
  return Object.entries(table).map(([name, row]) => [
    `torch.nn.modules.${module}.${name}`,
    typeof row === 'function' ? row : fromAttributes(...(row as [unknown, string, string])),
  ])
}

/** The same row for classes whose names differ in a number. */
function numbered(names: readonly string[], required: string, optional = ''): Readonly<Record<string, Row>> {
  const classes = nn as unknown as Record<string, unknown>
  return Object.fromEntries(names.map((name) => [name, [classes[name], required, optional] as const]))
}

const dimensions = (name: string): string[] => [1, 2, 3].map((n) => name.replace('#', String(n)))

/** How to make a module, by the full name of its class. */
export const moduleMakers: ReadonlyMap<string, ModuleMaker> = new Map<string, ModuleMaker>([
  ...rows('linear', {
    Identity: [nn.Identity, ''],
    Linear: [nn.Linear, 'in_features out_features', `${bias} +`],
    NonDynamicallyQuantizableLinear: [
      NonDynamicallyQuantizableLinear,
      'in_features out_features',
      `${bias} +`,
    ],
    Bilinear: [nn.Bilinear, 'in1_features in2_features out_features', `${bias} +`],
    LazyLinear: [nn.LazyLinear, 'out_features', bias],
  }),
  ...rows('conv', {
    ...numbered(dimensions('Conv#d'), 'in_channels out_channels kernel_size', conv),
    ...numbered(dimensions('ConvTranspose#d'), 'in_channels out_channels kernel_size', transposed),
    ...numbered(dimensions('LazyConv#d'), 'out_channels kernel_size', conv.replace(' +', '')),
    ...numbered(dimensions('LazyConvTranspose#d'), 'out_channels kernel_size', transposed.replace(' +', '')),
  }),
  ...rows('batchnorm', {
    ...numbered([...dimensions('BatchNorm#d'), 'SyncBatchNorm'], 'num_features', norm),
    ...numbered(dimensions('LazyBatchNorm#d'), '', norm.replace(' +', '')),
  }),
  ...rows('instancenorm', {
    ...numbered(dimensions('InstanceNorm#d'), 'num_features', norm),
    ...numbered(dimensions('LazyInstanceNorm#d'), '', norm.replace(' +', '')),
  }),
  ...rows('normalization', {
    LocalResponseNorm: [nn.LocalResponseNorm, 'size', 'alpha beta k'],
    CrossMapLRN2d: [nn.CrossMapLRN2d, 'size', 'alpha beta k'],
    LayerNorm: [nn.LayerNorm, 'normalized_shape', 'eps elementwise_affine bias? +'],
    GroupNorm: [nn.GroupNorm, 'num_groups num_channels', 'eps affine bias? +'],
    RMSNorm: [nn.RMSNorm, 'normalized_shape', 'eps elementwise_affine +'],
  }),
  ...rows('activation', {
    ...numbered(['ReLU', 'ReLU6', 'Hardsigmoid', 'SiLU', 'Mish', 'Hardswish', 'SELU'], '', 'inplace'),
    ...numbered(['Sigmoid', 'Tanh', 'LogSigmoid', 'Softsign', 'Tanhshrink', 'Softmax2d'], ''),
    ...numbered(['ELU', 'CELU'], '', 'alpha inplace'),
    ...numbered(['Hardshrink', 'Softshrink'], '', 'lambd'),
    ...numbered(['Softmin', 'Softmax', 'LogSoftmax', 'GLU'], '', 'dim'),
    Threshold: [nn.Threshold, 'threshold value', 'inplace'],
    RReLU: [nn.RReLU, '', 'lower upper inplace'],
    Hardtanh: [nn.Hardtanh, '', 'min_val max_val inplace'],
    GELU: [nn.GELU, '', 'approximate'],
    LeakyReLU: [nn.LeakyReLU, '', 'negative_slope inplace'],
    Softplus: [nn.Softplus, '', 'beta threshold'],
    PReLU: [nn.PReLU, '', 'num_parameters init +'],
    MultiheadAttention: attention,
  }),
  ...rows('dropout', {
    ...numbered(
      [...dimensions('Dropout#d'), 'Dropout', 'AlphaDropout', 'FeatureAlphaDropout'],
      '',
      'p inplace',
    ),
  }),
  ...rows('container', {
    ...numbered(['Sequential', 'ModuleList', 'ModuleDict'], ''),
    ParameterList: parameterList,
    ParameterDict: parameterDict,
  }),
  ...rows('flatten', {
    Flatten: [nn.Flatten, '', 'start_dim end_dim'],
    Unflatten: [nn.Unflatten, 'dim unflattened_size'],
  }),
  ...rows('padding', {
    ...numbered(
      ['CircularPad#d', 'ReflectionPad#d', 'ReplicationPad#d', 'ZeroPad#d'].flatMap(dimensions),
      'padding',
    ),
    ...numbered(dimensions('ConstantPad#d'), 'padding value'),
  }),
  ...rows('pooling', {
    ...numbered(dimensions('MaxPool#d'), 'kernel_size', maxPool),
    ...numbered(dimensions('MaxUnpool#d'), 'kernel_size', 'stride padding'),
    AvgPool1d: [nn.AvgPool1d, 'kernel_size', avgPool],
    ...numbered(['AvgPool2d', 'AvgPool3d'], 'kernel_size', `${avgPool} divisor_override`),
    ...numbered(
      ['FractionalMaxPool2d', 'FractionalMaxPool3d'],
      'kernel_size',
      'output_size output_ratio return_indices',
    ),
    ...numbered(dimensions('LPPool#d'), 'norm_type kernel_size', 'stride ceil_mode'),
    ...numbered(dimensions('AdaptiveMaxPool#d'), 'output_size', 'return_indices'),
    ...numbered(dimensions('AdaptiveAvgPool#d'), 'output_size'),
  }),
  ...rows('rnn', {
    RNN: limited(recurrentNetwork),
    GRU: limited(fromAttributes(nn.GRU, 'input_size hidden_size', recurrent)),
    LSTM: limited(fromAttributes(nn.LSTM, 'input_size hidden_size', `proj_size ${recurrent}`)),
    RNNCell: [nn.RNNCell, 'input_size hidden_size', 'bias nonlinearity +'],
    ...numbered(['LSTMCell', 'GRUCell'], 'input_size hidden_size', 'bias +'),
  }),
  ...rows('sparse', {
    Embedding: [
      nn.Embedding,
      'num_embeddings embedding_dim',
      'padding_idx max_norm norm_type scale_grad_by_freq sparse +',
    ],
    EmbeddingBag: [
      nn.EmbeddingBag,
      'num_embeddings embedding_dim',
      'max_norm norm_type scale_grad_by_freq mode sparse include_last_offset padding_idx +',
    ],
  }),
  ...rows('transformer', {
    Transformer: transformer,
    TransformerEncoder: transformerStack(nn.TransformerEncoder),
    TransformerDecoder: transformerStack(nn.TransformerDecoder),
    TransformerEncoderLayer: transformerLayer(nn.TransformerEncoderLayer),
    TransformerDecoderLayer: transformerLayer(nn.TransformerDecoderLayer),
  }),
  ...rows('upsampling', {
    Upsample: [nn.Upsample, '', 'size scale_factor mode align_corners recompute_scale_factor'],
    ...numbered(['UpsamplingNearest2d', 'UpsamplingBilinear2d'], '', 'size scale_factor'),
  }),
  ...rows('pixelshuffle', {
    PixelShuffle: [nn.PixelShuffle, 'upscale_factor'],
    PixelUnshuffle: [nn.PixelUnshuffle, 'downscale_factor'],
  }),
  ...rows('channelshuffle', { ChannelShuffle: [nn.ChannelShuffle, 'groups'] }),
  ...rows('fold', {
    Fold: [nn.Fold, 'output_size kernel_size', 'dilation padding stride'],
    Unfold: [nn.Unfold, 'kernel_size', 'dilation padding stride'],
  }),
  ...rows('distance', {
    PairwiseDistance: pairwiseDistance,
    CosineSimilarity: [nn.CosineSimilarity, '', 'dim eps'],
  }),
  ...rows('loss', {
    ...numbered(
      [
        'L1Loss',
        'MSELoss',
        'BCELoss',
        'BCEWithLogitsLoss',
        'SoftMarginLoss',
        'MultiLabelMarginLoss',
        'MultiLabelSoftMarginLoss',
      ],
      '',
      'reduction',
    ),
    ...numbered(['NLLLoss', 'NLLLoss2d'], '', 'ignore_index reduction'),
    ...numbered(['HingeEmbeddingLoss', 'CosineEmbeddingLoss', 'MarginRankingLoss'], '', 'margin reduction'),
    CrossEntropyLoss: [nn.CrossEntropyLoss, '', 'ignore_index reduction label_smoothing'],
    PoissonNLLLoss: [nn.PoissonNLLLoss, '', 'log_input full eps reduction'],
    GaussianNLLLoss: [nn.GaussianNLLLoss, '', 'full eps reduction'],
    KLDivLoss: [nn.KLDivLoss, '', 'reduction log_target'],
    SmoothL1Loss: [nn.SmoothL1Loss, '', 'reduction beta'],
    HuberLoss: [nn.HuberLoss, '', 'reduction delta'],
    MultiMarginLoss: [nn.MultiMarginLoss, '', 'p margin reduction'],
    TripletMarginLoss: [nn.TripletMarginLoss, '', 'margin p eps swap reduction'],
    CTCLoss: [nn.CTCLoss, '', 'blank reduction zero_infinity'],
    LinearCrossEntropyLoss: linearCrossEntropy,
  }),
  ...rows('adaptive', { AdaptiveLogSoftmaxWithLoss: adaptiveSoftmax }),
  [
    'torch.nn.parallel.data_parallel.DataParallel',
    (state: PickledModule) => new nn.DataParallel(child(state, 'module') as never),
  ],
])
