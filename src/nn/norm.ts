// Batch normalisation, and what it shares with instance normalisation (instance-norm.ts).

import { int64 } from '../core/dtype.ts'
import { ValueError } from '../core/errors.ts'
import { pyFloat } from '../core/python.ts'
import { fullTensor } from '../ops/creation.ts'
import { needHost } from '../ops/host.ts'
import { writeData } from '../tensor/data.ts'
import type { Tensor } from '../tensor/tensor.ts'
import * as F from './functional.ts'
import * as init from './init.ts'
import { hasUninitializedParams, makeLazy } from './lazy.ts'
import type { LoadReport } from './load-state-dict.ts'
import { Module } from './module.ts'
import { emptyParameter, type FactoryOptions, factory, readOptions } from './options.ts'
import { Buffer, type Parameter } from './parameter.ts'
import { isModule } from './registry.ts'
import type { LocalMetadata } from './state-dict.ts'
import { pyBool } from './text.ts'
import { UninitializedBuffer, UninitializedParameter } from './uninitialized.ts'

/** Options of batch and instance normalisation. */
export interface NormOptions extends FactoryOptions {
  /** Added to the variance; default 1e-5. */
  eps?: number
  /** How far running statistics move toward the batch's; default 0.1. Null: the average of all batches. */
  momentum?: number | null
  /** Whether the result is scaled and shifted by learned factors. */
  affine?: boolean
  /** Whether running statistics are kept. */
  trackRunningStats?: boolean
  /** Whether there is a learned shift besides the factor; default true. */
  bias?: boolean
}

export const normOptions = [
  'eps',
  'momentum',
  'affine',
  'trackRunningStats',
  'device',
  'dtype',
  'bias',
] as const

/** What batch and instance normalisation have in common: factors, running statistics, their text and state. */
export abstract class NormBase extends Module {
  static override readonly _version: number = 2
  numFeatures: number
  eps: number
  momentum: number | null
  affine: boolean
  trackRunningStats: boolean
  weight: Parameter | null
  bias: Parameter | null
  running_mean: Tensor | null
  running_var: Tensor | null
  num_batches_tracked: Tensor | null

  constructor(
    numFeatures: number,
    options: NormOptions,
    defaults: { affine: boolean; trackRunningStats: boolean },
  ) {
    super()
    const { eps = 1e-5, momentum = 0.1, bias = true } = options
    const { affine = defaults.affine, trackRunningStats = defaults.trackRunningStats } = options
    const made = factory(options)
    this.numFeatures = numFeatures
    this.eps = eps
    this.momentum = momentum
    this.affine = affine
    this.trackRunningStats = trackRunningStats
    this.weight = affine ? emptyParameter([numFeatures], made) : null
    this.bias = affine && bias ? emptyParameter([numFeatures], made) : null
    const tracked = (value: number) =>
      trackRunningStats ? fullTensor([numFeatures], value, made.dtype, made.device) : null
    this.running_mean = tracked(0)
    this.running_var = tracked(1)
    this.num_batches_tracked = trackRunningStats ? fullTensor([], 0, int64, made.device) : null
    this.registerParameter('weight', this.weight)
    this.registerParameter('bias', this.bias)
    this.registerBuffer('running_mean', this.running_mean)
    this.registerBuffer('running_var', this.running_var)
    this.registerBuffer('num_batches_tracked', this.num_batches_tracked)
    this.resetParameters()
  }

  /** Sets the running mean to 0, the variance to 1, the count to 0. */
  resetRunningStats(): void {
    this.running_mean?.zero_()
    this.running_var?.fill_(1)
    this.num_batches_tracked?.zero_()
  }

  resetParameters(): void {
    this.resetRunningStats()
    if (this.weight !== null) init.ones_(this.weight)
    if (this.bias !== null) init.zeros_(this.bias)
  }

  /** Throws ValueError for an input of another number of dimensions. */
  protected abstract checkInputDim(input: Tensor): void

  override extraRepr(): string {
    const momentum = this.momentum === null ? 'None' : pyFloat(this.momentum)
    return `${this.numFeatures}, eps=${pyFloat(this.eps)}, momentum=${momentum}, affine=${pyBool(this.affine)}, bias=${pyBool(this.bias !== null)}, track_running_stats=${pyBool(this.trackRunningStats)}`
  }

  override _loadFromStateDict(
    stateDict: Map<string, unknown>,
    prefix: string,
    metadata: LocalMetadata,
    strict: boolean,
    report: LoadReport,
  ): void {
    const version = metadata.get('version')
    const key = `${prefix}num_batches_tracked`
    // Version 1 had no count of batches.
    if ((version === undefined || Number(version) < 2) && this.trackRunningStats && !stateDict.has(key))
      stateDict.set(key, this.num_batches_tracked ?? fullTensor([], 0, int64))
    super._loadFromStateDict(stateDict, prefix, metadata, strict, report)
  }
}

/** Throws ValueError unless the input has one of these numbers of dimensions. */
export function expectDims(input: Tensor, dims: readonly number[]): void {
  if (!dims.includes(input.ndim))
    throw new ValueError(`expected ${dims.map((d) => `${d}D`).join(' or ')} input (got ${input.ndim}D input)`)
}

/** Counts a batch on, where JavaScript needs the number: it writes it, so that it is known on every device. */
function countOn(count: Tensor): number {
  const n = Number(needHost('batch_norm', count).item()) + 1
  if (count.storage.isAsynchronous) writeData(count, [n])
  else count.add_(1)
  return n
}

/** The forward pass that all batch normalisations share. */
export abstract class BatchNormBase extends NormBase {
  constructor(numFeatures: number, options: NormOptions) {
    super(numFeatures, options, { affine: true, trackRunningStats: true })
  }

  override forward(input: Tensor): Tensor {
    this.checkInputDim(input)
    const { training, trackRunningStats, num_batches_tracked: count } = this
    let momentum = this.momentum ?? 0
    if (training && trackRunningStats && count !== null) {
      if (this.momentum !== null) count.add_(1)
      else momentum = 1 / countOn(count)
    }
    const useBatch = training || (this.running_mean === null && this.running_var === null)
    const useRunning = !training || trackRunningStats
    return F.batchNorm(input, useRunning ? this.running_mean : null, useRunning ? this.running_var : null, {
      weight: this.weight,
      bias: this.bias,
      training: useBatch,
      momentum,
      eps: this.eps,
    })
  }
}

/** Reads the options of a normalisation whose first may be `eps` by position. */
export function readNormOptions(
  layer: string,
  first?: number | NormOptions,
  rest?: NormOptions,
): NormOptions {
  return readOptions<NormOptions>(layer, normOptions, first, rest)
}

/** Makes a normalisation built without features lazy. */
export function makeNormLazy(
  layer: NormBase & { initializeParameters(input: Tensor): void },
  options: NormOptions,
  defaults: { affine: boolean; trackRunningStats: boolean },
  usual: { readonly prototype: object },
): void {
  const { affine = defaults.affine, trackRunningStats = defaults.trackRunningStats, bias = true } = options
  const where = { device: options.device, dtype: options.dtype }
  layer.affine = affine
  layer.trackRunningStats = trackRunningStats
  if (affine) layer.weight = new UninitializedParameter(where)
  if (affine && bias) layer.bias = new UninitializedParameter(where)
  if (trackRunningStats) {
    layer.running_mean = new UninitializedBuffer(where)
    layer.running_var = new UninitializedBuffer(where)
    layer.num_batches_tracked = new Buffer(fullTensor([], 0, int64, factory(where).device))
  }
  makeLazy(layer, usual)
}

/** Gives a lazy normalisation its parameters and statistics. */
export function initializeNorm(layer: NormBase, input: Tensor): void {
  if (!hasUninitializedParams(layer)) return
  layer.numFeatures = input.sizes[1]
  for (const value of [layer.weight, layer.bias, layer.running_mean, layer.running_var])
    if (value instanceof UninitializedParameter || value instanceof UninitializedBuffer)
      value.materialize([layer.numFeatures])
  layer.resetParameters()
}

/** Lazy normalisations are built without factors and statistics. */
export function lazyNormOptions(options: NormOptions): NormOptions {
  return { ...options, affine: false, trackRunningStats: false, bias: false }
}

/**
 * Normalises each channel over the batch `[N, C]` or `[N, C, L]`, then scales and shifts. While training with the batch's own mean and
 * variance, which also move the running ones; in evaluation with the running ones. Ioffe and Szegedy 2015.
 */
export class BatchNorm1d<C extends number = number> extends BatchNormBase {
  constructor(numFeatures: C, eps?: number, options?: NormOptions)
  constructor(numFeatures: C, options?: NormOptions)
  constructor(numFeatures: C, first?: number | NormOptions, rest?: NormOptions) {
    super(numFeatures, readNormOptions('BatchNorm1d', first, rest))
  }

  protected override checkInputDim(input: Tensor): void {
    expectDims(input, [2, 3])
  }
}

/** A BatchNorm1d that takes its number of channels from its first input; then it is a `BatchNorm1d`. */
export class LazyBatchNorm1d extends BatchNormBase {
  constructor(eps?: number, options?: NormOptions)
  constructor(options?: NormOptions)
  constructor(first?: number | NormOptions, rest?: NormOptions) {
    const options = readNormOptions('LazyBatchNorm1d', first, rest)
    super(0, lazyNormOptions(options))
    makeNormLazy(this, options, { affine: true, trackRunningStats: true }, BatchNorm1d)
  }

  override resetParameters(): void {
    if (!hasUninitializedParams(this) && this.numFeatures !== 0) super.resetParameters()
  }

  initializeParameters(input: Tensor): void {
    initializeNorm(this, input)
  }

  protected override checkInputDim(input: Tensor): void {
    expectDims(input, [2, 3])
  }
}

/**
 * Normalises each channel over the batch `[N, C, H, W]`, then scales and shifts. While training with the batch's own mean and
 * variance, which also move the running ones; in evaluation with the running ones. Ioffe and Szegedy 2015.
 */
export class BatchNorm2d<C extends number = number> extends BatchNormBase {
  constructor(numFeatures: C, eps?: number, options?: NormOptions)
  constructor(numFeatures: C, options?: NormOptions)
  constructor(numFeatures: C, first?: number | NormOptions, rest?: NormOptions) {
    super(numFeatures, readNormOptions('BatchNorm2d', first, rest))
  }

  protected override checkInputDim(input: Tensor): void {
    expectDims(input, [4])
  }
}

/** A BatchNorm2d that takes its number of channels from its first input; then it is a `BatchNorm2d`. */
export class LazyBatchNorm2d extends BatchNormBase {
  constructor(eps?: number, options?: NormOptions)
  constructor(options?: NormOptions)
  constructor(first?: number | NormOptions, rest?: NormOptions) {
    const options = readNormOptions('LazyBatchNorm2d', first, rest)
    super(0, lazyNormOptions(options))
    makeNormLazy(this, options, { affine: true, trackRunningStats: true }, BatchNorm2d)
  }

  override resetParameters(): void {
    if (!hasUninitializedParams(this) && this.numFeatures !== 0) super.resetParameters()
  }

  initializeParameters(input: Tensor): void {
    initializeNorm(this, input)
  }

  protected override checkInputDim(input: Tensor): void {
    expectDims(input, [4])
  }
}

/**
 * Normalises each channel over the batch `[N, C, D, H, W]`, then scales and shifts. While training with the batch's own mean and
 * variance, which also move the running ones; in evaluation with the running ones. Ioffe and Szegedy 2015.
 */
export class BatchNorm3d<C extends number = number> extends BatchNormBase {
  constructor(numFeatures: C, eps?: number, options?: NormOptions)
  constructor(numFeatures: C, options?: NormOptions)
  constructor(numFeatures: C, first?: number | NormOptions, rest?: NormOptions) {
    super(numFeatures, readNormOptions('BatchNorm3d', first, rest))
  }

  protected override checkInputDim(input: Tensor): void {
    expectDims(input, [5])
  }
}

/** A BatchNorm3d that takes its number of channels from its first input; then it is a `BatchNorm3d`. */
export class LazyBatchNorm3d extends BatchNormBase {
  constructor(eps?: number, options?: NormOptions)
  constructor(options?: NormOptions)
  constructor(first?: number | NormOptions, rest?: NormOptions) {
    const options = readNormOptions('LazyBatchNorm3d', first, rest)
    super(0, lazyNormOptions(options))
    makeNormLazy(this, options, { affine: true, trackRunningStats: true }, BatchNorm3d)
  }

  override resetParameters(): void {
    if (!hasUninitializedParams(this) && this.numFeatures !== 0) super.resetParameters()
  }

  initializeParameters(input: Tensor): void {
    initializeNorm(this, input)
  }

  protected override checkInputDim(input: Tensor): void {
    expectDims(input, [5])
  }
}

/** Batch normalisation over several processes; in one process, which is all there is here, the same as BatchNorm. */
export class SyncBatchNorm extends BatchNormBase {
  constructor(numFeatures: number, eps?: number, options?: NormOptions & { processGroup?: null })
  constructor(numFeatures: number, options?: NormOptions & { processGroup?: null })
  constructor(numFeatures: number, first?: number | NormOptions, rest?: NormOptions) {
    const { processGroup, ...options } = readOptions<NormOptions & { processGroup?: null }>(
      'SyncBatchNorm',
      ['eps', 'processGroup', ...normOptions.slice(1)],
      first,
      rest,
    )
    void processGroup
    super(numFeatures, options)
  }

  /** Replaces the batch normalisations in a module by SyncBatchNorms with the same parameters and statistics. */
  static convertSyncBatchnorm(module: Module): Module {
    let result = module
    if (module instanceof BatchNormBase) {
      const { numFeatures, eps, momentum, affine, trackRunningStats } = module
      const sync = new SyncBatchNorm(numFeatures, {
        eps,
        momentum,
        affine,
        trackRunningStats,
        bias: module.bias !== null,
      })
      sync.weight = module.weight
      sync.bias = module.bias
      sync.running_mean = module.running_mean
      sync.running_var = module.running_var
      sync.num_batches_tracked = module.num_batches_tracked
      sync.training = module.training
      result = sync
    }
    for (const [name, child] of [...module.namedChildren()])
      if (isModule(child)) result.registerModule(name, SyncBatchNorm.convertSyncBatchnorm(child))
    return result
  }

  protected override checkInputDim(input: Tensor): void {
    if (input.ndim < 2) throw new ValueError(`expected at least 2D input (got ${input.ndim}D input)`)
    if (input.sizes[1] === 0)
      throw new ValueError('SyncBatchNorm number of input channels should be non-zero')
  }
}
