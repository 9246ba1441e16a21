// Instance normalisation layers.

import { ValueError } from '../core/errors.ts'
import type { Tensor } from '../tensor/tensor.ts'
import * as F from './functional.ts'
import { hasUninitializedParams } from './lazy.ts'
import type { LoadReport } from './load-state-dict.ts'
import {
  expectDims,
  initializeNorm,
  lazyNormOptions,
  makeNormLazy,
  NormBase,
  type NormOptions,
  readNormOptions,
} from './norm.ts'
import { nameOf } from './registry.ts'
import type { LocalMetadata } from './state-dict.ts'

/** The forward pass that all instance normalisations share. */
export abstract class InstanceNormBase extends NormBase {
  constructor(numFeatures: number, options: NormOptions) {
    super(numFeatures, options, { affine: false, trackRunningStats: false })
  }

  /** How many dimensions an input without a batch has. */
  protected abstract readonly unbatchedDims: number

  protected override checkInputDim(input: Tensor): void {
    expectDims(input, [this.unbatchedDims, this.unbatchedDims + 1])
  }

  private normalize(input: Tensor): Tensor {
    return F.instanceNorm(input, {
      runningMean: this.running_mean,
      runningVar: this.running_var,
      weight: this.weight,
      bias: this.bias,
      useInputStats: this.training || !this.trackRunningStats,
      momentum: this.momentum ?? 0,
      eps: this.eps,
    })
  }

  override forward(input: Tensor): Tensor {
    this.checkInputDim(input)
    const featureDim = input.ndim - this.unbatchedDims
    const features = input.sizes[featureDim]
    if (features !== this.numFeatures) {
      if (this.affine)
        throw new ValueError(
          `expected input's size at dim=${featureDim} to match num_features (${this.numFeatures}), but got: ${features}.`,
        )
      console.warn(
        `input's size at dim=${featureDim} does not match num_features. You can silence this warning by not passing in num_features, which is not used because affine=False`,
      )
    }
    return featureDim === 0 ? this.normalize(input.unsqueeze(0)).squeeze(0) : this.normalize(input)
  }

  override _loadFromStateDict(
    stateDict: Map<string, unknown>,
    prefix: string,
    metadata: LocalMetadata,
    strict: boolean,
    report: LoadReport,
  ): void {
    if (!metadata.has('version') && !this.trackRunningStats) {
      const keys = ['running_mean', 'running_var']
        .map((name) => prefix + name)
        .filter((key) => stateDict.has(key))
      if (keys.length > 0) {
        const name = nameOf(this)
        report.errorMessages.push(
          `Unexpected running stats buffer(s) ${keys.map((key) => `"${key}"`).join(' and ')} for ${name} with track_running_stats=False. If state_dict is a checkpoint saved before 0.4.0, this may be expected because ${name} does not track running stats by default since 0.4.0. Please remove these keys from state_dict. If the running stats are actually needed, instead set track_running_stats=True in ${name} to enable them. See the documentation of ${name} for details.`,
        )
        for (const key of keys) stateDict.delete(key)
      }
    }
    super._loadFromStateDict(stateDict, prefix, metadata, strict, report)
  }
}

/** Normalises each channel of each sample of `[N, C, L]` (or without N) by itself. Ulyanov et al. 2016. */
export class InstanceNorm1d<C extends number = number> extends InstanceNormBase {
  constructor(numFeatures: C, eps?: number, options?: NormOptions)
  constructor(numFeatures: C, options?: NormOptions)
  constructor(numFeatures: C, first?: number | NormOptions, rest?: NormOptions) {
    super(numFeatures, readNormOptions('InstanceNorm1d', first, rest))
  }

  protected override get unbatchedDims(): number {
    return 2
  }
}

/** An InstanceNorm1d that takes its number of channels from its first input; then it is an `InstanceNorm1d`. */
export class LazyInstanceNorm1d extends InstanceNormBase {
  constructor(eps?: number, options?: NormOptions)
  constructor(options?: NormOptions)
  constructor(first?: number | NormOptions, rest?: NormOptions) {
    const options = readNormOptions('LazyInstanceNorm1d', first, rest)
    super(0, lazyNormOptions(options))
    makeNormLazy(this, options, { affine: true, trackRunningStats: true }, InstanceNorm1d)
  }

  override resetParameters(): void {
    if (!hasUninitializedParams(this) && this.numFeatures !== 0) super.resetParameters()
  }

  initializeParameters(input: Tensor): void {
    initializeNorm(this, input)
  }

  protected override get unbatchedDims(): number {
    return 2
  }
}

/** Normalises each channel of each sample of `[N, C, H, W]` (or without N) by itself. Ulyanov et al. 2016. */
export class InstanceNorm2d<C extends number = number> extends InstanceNormBase {
  constructor(numFeatures: C, eps?: number, options?: NormOptions)
  constructor(numFeatures: C, options?: NormOptions)
  constructor(numFeatures: C, first?: number | NormOptions, rest?: NormOptions) {
    super(numFeatures, readNormOptions('InstanceNorm2d', first, rest))
  }

  protected override get unbatchedDims(): number {
    return 3
  }
}

/** An InstanceNorm2d that takes its number of channels from its first input; then it is an `InstanceNorm2d`. */
export class LazyInstanceNorm2d extends InstanceNormBase {
  constructor(eps?: number, options?: NormOptions)
  constructor(options?: NormOptions)
  constructor(first?: number | NormOptions, rest?: NormOptions) {
    const options = readNormOptions('LazyInstanceNorm2d', first, rest)
    super(0, lazyNormOptions(options))
    makeNormLazy(this, options, { affine: true, trackRunningStats: true }, InstanceNorm2d)
  }

  override resetParameters(): void {
    if (!hasUninitializedParams(this) && this.numFeatures !== 0) super.resetParameters()
  }

  initializeParameters(input: Tensor): void {
    initializeNorm(this, input)
  }

  protected override get unbatchedDims(): number {
    return 3
  }
}

/** Normalises each channel of each sample of `[N, C, D, H, W]` (or without N) by itself. Ulyanov et al. 2016. */
export class InstanceNorm3d<C extends number = number> extends InstanceNormBase {
  constructor(numFeatures: C, eps?: number, options?: NormOptions)
  constructor(numFeatures: C, options?: NormOptions)
  constructor(numFeatures: C, first?: number | NormOptions, rest?: NormOptions) {
    super(numFeatures, readNormOptions('InstanceNorm3d', first, rest))
  }

  protected override get unbatchedDims(): number {
    return 4
  }
}

/** An InstanceNorm3d that takes its number of channels from its first input; then it is an `InstanceNorm3d`. */
export class LazyInstanceNorm3d extends InstanceNormBase {
  constructor(eps?: number, options?: NormOptions)
  constructor(options?: NormOptions)
  constructor(first?: number | NormOptions, rest?: NormOptions) {
    const options = readNormOptions('LazyInstanceNorm3d', first, rest)
    super(0, lazyNormOptions(options))
    makeNormLazy(this, options, { affine: true, trackRunningStats: true }, InstanceNorm3d)
  }

  override resetParameters(): void {
    if (!hasUninitializedParams(this) && this.numFeatures !== 0) super.resetParameters()
  }

  initializeParameters(input: Tensor): void {
    initializeNorm(this, input)
  }

  protected override get unbatchedDims(): number {
    return 4
  }
}
