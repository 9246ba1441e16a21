// The namespace torch.nn. Values are named one by one: what layers share among themselves stays inside.

export type * from './activation.ts'
export {
  CELU,
  ELU,
  GELU,
  GLU,
  Hardshrink,
  Hardsigmoid,
  Hardswish,
  Hardtanh,
  LeakyReLU,
  LogSigmoid,
  Mish,
  PReLU,
  ReLU,
  ReLU6,
  RReLU,
  SELU,
  Sigmoid,
  SiLU,
  Softplus,
  Softshrink,
  Softsign,
  Tanh,
  Tanhshrink,
  Threshold,
} from './activation.ts'
export type * from './adaptive-pooling.ts'
export {
  AdaptiveAvgPool1d,
  AdaptiveAvgPool2d,
  AdaptiveAvgPool3d,
  AdaptiveMaxPool1d,
  AdaptiveMaxPool2d,
  AdaptiveMaxPool3d,
  FractionalMaxPool2d,
  FractionalMaxPool3d,
} from './adaptive-pooling.ts'
export type * from './containers.ts'
export { ModuleDict, ModuleList, Sequential } from './containers.ts'
export type * from './conv.ts'
export { Conv1d, Conv2d, Conv3d } from './conv.ts'
export type * from './conv-lazy.ts'
export {
  LazyConv1d,
  LazyConv2d,
  LazyConv3d,
  LazyConvTranspose1d,
  LazyConvTranspose2d,
  LazyConvTranspose3d,
} from './conv-lazy.ts'
export type * from './conv-transpose.ts'
export { ConvTranspose1d, ConvTranspose2d, ConvTranspose3d } from './conv-transpose.ts'
export { CrossMapLRN2d } from './cross-map-lrn.ts'
export type * from './data-parallel.ts'
export { DataParallel } from './data-parallel.ts'
export type * from './distance.ts'
export { CosineSimilarity, PairwiseDistance } from './distance.ts'
export type * from './dropout.ts'
export { AlphaDropout, Dropout, Dropout1d, Dropout2d, Dropout3d, FeatureAlphaDropout } from './dropout.ts'
export type * from './flatten.ts'
export { ChannelShuffle, Flatten, Fold, PixelShuffle, PixelUnshuffle, Unflatten, Unfold } from './flatten.ts'
export * as functional from './functional.ts'
export * as modules from './global-hooks.ts'
export * as init from './init.ts'
export type * from './instance-norm.ts'
export {
  InstanceNorm1d,
  InstanceNorm2d,
  InstanceNorm3d,
  LazyInstanceNorm1d,
  LazyInstanceNorm2d,
  LazyInstanceNorm3d,
} from './instance-norm.ts'
export type * from './large-output.ts'
export { AdaptiveLogSoftmaxWithLoss, LinearCrossEntropyLoss } from './large-output.ts'
export type * from './layer-norm.ts'
export { GroupNorm, LayerNorm, LocalResponseNorm, RMSNorm } from './layer-norm.ts'
export { makeLazy } from './lazy.ts'
export type * from './linear.ts'
export { Bilinear, Identity, LazyLinear, Linear } from './linear.ts'
export { IncompatibleKeys } from './load-state-dict.ts'
export type * from './loss.ts'
export {
  BCELoss,
  BCEWithLogitsLoss,
  CrossEntropyLoss,
  CTCLoss,
  GaussianNLLLoss,
  HuberLoss,
  KLDivLoss,
  L1Loss,
  MSELoss,
  MultiLabelMarginLoss,
  MultiLabelSoftMarginLoss,
  NLLLoss,
  NLLLoss2d,
  PoissonNLLLoss,
  SmoothL1Loss,
  SoftMarginLoss,
} from './loss.ts'
export type * from './module.ts'
export { Module } from './module.ts'
export type * from './multihead-attention.ts'
export { MultiheadAttention } from './multihead-attention.ts'
export {
  BatchNorm1d,
  BatchNorm2d,
  BatchNorm3d,
  LazyBatchNorm1d,
  LazyBatchNorm2d,
  LazyBatchNorm3d,
  type NormOptions,
  SyncBatchNorm,
} from './norm.ts'
export type * from './padding.ts'
export {
  CircularPad1d,
  CircularPad2d,
  CircularPad3d,
  ConstantPad1d,
  ConstantPad2d,
  ConstantPad3d,
  ReflectionPad1d,
  ReflectionPad2d,
  ReflectionPad3d,
  ReplicationPad1d,
  ReplicationPad2d,
  ReplicationPad3d,
  ZeroPad1d,
  ZeroPad2d,
  ZeroPad3d,
} from './padding.ts'
export type * from './parameter.ts'
export { Buffer, Parameter } from './parameter.ts'
export type * from './parameter-containers.ts'
export { Container, ParameterDict, ParameterList } from './parameter-containers.ts'
export * as parameter from './parameter-namespace.ts'
export type * from './pooling.ts'
export {
  AvgPool1d,
  AvgPool2d,
  AvgPool3d,
  LPPool1d,
  LPPool2d,
  LPPool3d,
  MaxPool1d,
  MaxPool2d,
  MaxPool3d,
  MaxUnpool1d,
  MaxUnpool2d,
  MaxUnpool3d,
} from './pooling.ts'
export type * from './ranking-loss.ts'
export {
  CosineEmbeddingLoss,
  HingeEmbeddingLoss,
  MarginRankingLoss,
  MultiMarginLoss,
  TripletMarginLoss,
  TripletMarginWithDistanceLoss,
} from './ranking-loss.ts'
export type * from './rnn.ts'
export { GRU, LSTM, RNN, RNNBase } from './rnn.ts'
export type * from './rnn-cells.ts'
export { GRUCell, LSTMCell, RNNCell, RNNCellBase } from './rnn-cells.ts'
export type { CellWeights } from './rnn-functions.ts'
export type * from './softmax.ts'
export { LogSoftmax, Softmax, Softmax2d, Softmin } from './softmax.ts'
export type * from './sparse.ts'
export { Embedding, EmbeddingBag } from './sparse.ts'
export { StateDict, type StateDictOptions } from './state-dict.ts'
export type * from './transformer.ts'
export { Transformer, TransformerDecoder, TransformerEncoder } from './transformer.ts'
export type * from './transformer-layers.ts'
export { TransformerDecoderLayer, TransformerEncoderLayer } from './transformer-layers.ts'
export type { NamedOptions } from './traversal.ts'
export { isLazy, UninitializedBuffer, UninitializedParameter } from './uninitialized.ts'
export type * from './upsampling.ts'
export { Upsample, UpsamplingBilinear2d, UpsamplingNearest2d } from './upsampling.ts'
export * as utils from './utils/index.ts'
