// Output layers that contain their loss: LinearCrossEntropyLoss, AdaptiveLogSoftmaxWithLoss.

import { RuntimeError, ValueError } from '../core/errors.ts'
import { pyFloat, pyRepr, Tuple } from '../core/python.ts'
import { emptyLike, zeros } from '../ops/creation.ts'
import { crossEntropy } from '../ops/cross-entropy.ts'
import { onHost } from '../ops/host.ts'
import { cat } from '../ops/joining.ts'
import { type FunctionInfo, fn } from '../ops/op.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { ModuleList, Sequential } from './containers.ts'
import { Linear } from './linear.ts'
import { linear } from './linear-functions.ts'
import { type Reduction, WeightedLoss } from './loss.ts'
import { Module } from './module.ts'
import { type FactoryOptions, readOptions } from './options.ts'
import { pyBool } from './text.ts'

/** Options of `linearCrossEntropy`. */
export interface LinearCrossEntropyOptions {
  linearBias?: Tensor | null
  /** A weight for each class. */
  weight?: Tensor | null
  reduction?: Reduction
  /** A target that counts for nothing. */
  ignoreIndex?: number | null
  labelSmoothing?: number
  /** PyTorch's settings of a computation in chunks, of which there is none here: null. */
  options?: null
}

export type LinearCrossEntropy = (
  input: Tensor,
  linearWeight: Tensor,
  target: Tensor,
  options?: LinearCrossEntropyOptions,
) => Tensor

const product = (sizes: readonly number[]) => sizes.reduce((a, b) => a * b, 1)

/** `crossEntropy` of `linear`: inputs `[N, in]` or `[in]`, a weight `[classes, ..., in]`, targets `[N, ...]`. */
export const linearCrossEntropy: LinearCrossEntropy & FunctionInfo = fn<LinearCrossEntropy>(
  'linear_cross_entropy',
  ['input', 'linearWeight', 'target'],
  ['linearBias', 'weight', 'reduction', 'ignoreIndex', 'labelSmoothing', 'options'],
  (input: Tensor, linearWeight: Tensor, target: Tensor, options: LinearCrossEntropyOptions) => {
    const { linearBias = null, weight, reduction, ignoreIndex = null, labelSmoothing } = options
    if (input.ndim < 1 || input.ndim > 2)
      throw new RuntimeError(`expected input with dimensionality 1 or 2, got ${input.ndim}`)
    if (linearWeight.ndim < 2)
      throw new RuntimeError(
        `expected linear_weight with dimensionality at least 2, got ${linearWeight.ndim}`,
      )
    const batch = input.sizes.slice(0, -1)
    const inFeatures = input.sizes[input.ndim - 1]
    const outputs = linearWeight.sizes.slice(0, -1)
    if (inFeatures !== linearWeight.sizes[linearWeight.ndim - 1])
      throw new RuntimeError(
        `expected equal input and linear_weight last dimensions (in_features), got ${inFeatures} and ${linearWeight.sizes[linearWeight.ndim - 1]}, respectively`,
      )
    if (linearBias !== null && linearBias.sizes.join() !== outputs.join())
      throw new RuntimeError(
        `expected linear_bias shape ${pyRepr(Tuple.of(...outputs))}, got ${pyRepr(Tuple.of(...linearBias.sizes))}`,
      )
    if (outputs.length > 1 && batch.length === 0)
      throw new RuntimeError(
        `K-dimensional loss defined by linear_weight shape ${pyRepr(Tuple.of(...linearWeight.sizes))} requires batched input, (N, ${inFeatures}), got unbatched input with shape ${pyRepr(Tuple.of(...input.sizes))}`,
      )
    const logitsShape = [...batch, ...outputs]
    if (ignoreIndex !== null && target.sizes.join() === logitsShape.join())
      throw new RuntimeError('ignore_index cannot be specified when target contains probabilities')
    const rows = product(outputs)
    const logits = linear(
      input,
      linearWeight.reshape([rows, inFeatures]),
      linearBias === null ? null : linearBias.reshape([rows]),
    )
    return crossEntropy(logits.reshape(logitsShape), target, {
      weight,
      reduction,
      ignoreIndex: ignoreIndex ?? -100,
      labelSmoothing,
    })
  },
  { method: false },
)

/** Options of `nn.LinearCrossEntropyLoss`. */
export interface LinearCrossEntropyLossOptions
  extends FactoryOptions,
    Omit<LinearCrossEntropyOptions, 'linearBias'> {
  /** Further dimensions of the output after the classes. */
  outFeatures?: readonly number[]
  /** Whether the linear layer has a bias; default false. */
  bias?: boolean
}

/** A linear layer and the cross entropy of its output. */
export class LinearCrossEntropyLoss extends WeightedLoss {
  numClasses: number
  outFeatures: readonly number[]
  ignoreIndex: number | null
  labelSmoothing: number
  linear: Linear

  constructor(inFeatures: number, numClasses: number, options: LinearCrossEntropyLossOptions = {}) {
    const known = [
      'outFeatures',
      'bias',
      'device',
      'dtype',
      'reduction',
      'weight',
      'ignoreIndex',
      'labelSmoothing',
      'options',
    ] as const
    readOptions<LinearCrossEntropyLossOptions>('LinearCrossEntropyLoss', known, undefined, options)
    const {
      outFeatures = [],
      bias = false,
      device,
      dtype,
      reduction,
      weight = null,
      ignoreIndex,
      labelSmoothing = 0,
    } = options
    if (weight !== null && (weight.ndim !== 1 || weight.sizes[0] !== numClasses))
      throw new RuntimeError(
        `expected weight shape to be (${numClasses},), got ${pyRepr(Tuple.of(...weight.sizes))}`,
      )
    if (labelSmoothing < 0 || labelSmoothing > 1)
      throw new RuntimeError(`expected label_smoothing to be in range [0, 1], got ${pyFloat(labelSmoothing)}`)
    super({ reduction, weight })
    this.numClasses = numClasses
    this.outFeatures = Tuple.of(...outFeatures)
    this.ignoreIndex = ignoreIndex ?? null
    this.labelSmoothing = labelSmoothing
    this.linear = new Linear(inFeatures, numClasses * product(outFeatures), { bias, device, dtype })
  }

  override forward(input: Tensor, target: Tensor): Tensor {
    const { weight, reduction, ignoreIndex, labelSmoothing } = this
    const outputs = [this.numClasses, ...this.outFeatures]
    return linearCrossEntropy(
      input,
      this.linear.weight.reshape([...outputs, this.linear.inFeatures]),
      target,
      {
        linearBias: this.linear.bias === null ? null : this.linear.bias.reshape(outputs),
        weight,
        reduction,
        ignoreIndex,
        labelSmoothing,
      },
    )
  }

  override extraRepr(): string {
    return `in_features=${this.linear.inFeatures}, num_classes=${this.numClasses}, out_features=${pyRepr(this.outFeatures)}, bias=${pyBool(this.linear.bias !== null)}, reduction=${this.reduction}, ignore_index=${pyRepr(this.ignoreIndex)}, label_smoothing=${pyFloat(this.labelSmoothing)}, options=None`
  }
}

/** Options of `nn.AdaptiveLogSoftmaxWithLoss`. */
export interface AdaptiveLogSoftmaxOptions extends FactoryOptions {
  /** By how much each further cluster is narrower; default 4. */
  divValue?: number
  /** Whether the head has a bias; default false. */
  headBias?: boolean
}

/** The log-probabilities of the targets and their mean, negated. */
export type AdaptiveLogSoftmaxResult = [output: Tensor, loss: Tensor] & {
  readonly output: Tensor
  readonly loss: Tensor
}

/**
 * A softmax over many classes, cheap because rare classes (the later ones) are in clusters of their own: inputs
 * `[N, inFeatures]`, targets `[N]`. Grave et al. 2017.
 */
export class AdaptiveLogSoftmaxWithLoss extends Module {
  inFeatures: number
  nClasses: number
  cutoffs: number[]
  divValue: number
  headBias: boolean
  shortlistSize: number
  nClusters: number
  headSize: number
  head: Linear
  tail: ModuleList<Sequential>

  constructor(
    inFeatures: number,
    nClasses: number,
    cutoffs: readonly number[],
    divValue?: number,
    options?: AdaptiveLogSoftmaxOptions,
  )
  constructor(
    inFeatures: number,
    nClasses: number,
    cutoffs: readonly number[],
    options?: AdaptiveLogSoftmaxOptions,
  )
  constructor(
    inFeatures: number,
    nClasses: number,
    cutoffs: readonly number[],
    first?: number | AdaptiveLogSoftmaxOptions,
    rest?: AdaptiveLogSoftmaxOptions,
  ) {
    super()
    const known = ['divValue', 'headBias', 'device', 'dtype'] as const
    const options = readOptions<AdaptiveLogSoftmaxOptions>('AdaptiveLogSoftmaxWithLoss', known, first, rest)
    const { divValue = 4, headBias = false, ...where } = options
    if (cutoffs.length === 0) throw new ValueError('cutoffs should be a sequence of length larger than 0')
    if (
      cutoffs.some((c, i) => !Number.isInteger(c) || c <= (i === 0 ? 0 : cutoffs[i - 1]) || c > nClasses - 1)
    )
      throw new ValueError(
        'cutoffs should be a sequence of unique, positive integers sorted in an increasing order, where each value is between 1 and n_classes-1',
      )
    this.inFeatures = inFeatures
    this.nClasses = nClasses
    this.cutoffs = [...cutoffs, nClasses]
    this.divValue = divValue
    this.headBias = headBias
    this.shortlistSize = cutoffs[0]
    this.nClusters = cutoffs.length
    this.headSize = this.shortlistSize + this.nClusters
    this.head = new Linear(inFeatures, this.headSize, { bias: headBias, ...where })
    this.tail = new ModuleList<Sequential>()
    for (let i = 0; i < this.nClusters; i++) {
      const hidden = Math.floor(inFeatures / divValue ** (i + 1))
      const size = this.cutoffs[i + 1] - this.cutoffs[i]
      const layers = [
        new Linear(inFeatures, hidden, { bias: false, ...where }),
        new Linear(hidden, size, { bias: false, ...where }),
      ]
      this.tail.append(new Sequential(...layers))
    }
  }

  resetParameters(): void {
    for (const module of this.modules()) if (module instanceof Linear) module.resetParameters()
  }

  override forward(input: Tensor, target: Tensor): AdaptiveLogSoftmaxResult {
    const batched = checkTarget(input, target)
    const x = batched ? input : input.unsqueeze(0)
    const y = batched ? target : target.unsqueeze(0)
    const n = y.sizes[0]
    let output = zeros([n], { dtype: x.dtype, device: x.device })
    // Where each target is in the head: itself, or its cluster.
    const inHead = emptyLike(y)
    let used = 0
    for (let i = 0; i <= this.nClusters; i++) {
      const low = i === 0 ? 0 : this.cutoffs[i - 1]
      const mask = y.ge(low).logicalAnd(y.lt(this.cutoffs[i]))
      const rows = mask.nonzero().view([-1])
      const count = rows.numel()
      if (count === 0) continue
      used += count
      const own = y.indexSelect(0, rows)
      if (i === 0) {
        inHead.indexCopy_(0, rows, own)
        continue
      }
      inHead.indexFill_(0, rows, this.shortlistSize + i - 1)
      const logProb = this.tail
        .at(i - 1)(x.indexSelect(0, rows))
        .logSoftmax(1)
      output = output.indexCopy(0, rows, logProb.gather(1, own.sub(low).unsqueeze(1)).squeeze(1))
    }
    if (used !== n)
      throw new RuntimeError(
        `Target values should be in [0, ${this.nClasses - 1}], but values in range [${y.min().item()}, ${y.max().item()}] were found. `,
      )
    const result = output.add(this.head(x).logSoftmax(1).gather(1, inHead.unsqueeze(1)).squeeze(1))
    const named = { output: batched ? result : result.squeeze(0), loss: result.neg().mean() }
    return Object.assign(Tuple.of(named.output, named.loss), named) as unknown as AdaptiveLogSoftmaxResult
  }

  /** The log-probabilities of all classes: `[N, inFeatures]` to `[N, nClasses]`. */
  logProb(input: Tensor): Tensor {
    const head = this.head(input).logSoftmax(1)
    const parts = [head.narrow(1, 0, this.shortlistSize)]
    for (let i = 0; i < this.nClusters; i++)
      parts.push(
        this.tail
          .at(i)(input)
          .logSoftmax(1)
          .add(head.narrow(1, this.shortlistSize + i, 1)),
      )
    return cat(parts, 1)
  }

  /** The most probable class of each row: `[N, inFeatures]` to `[N]`. */
  predict(input: Tensor): Tensor {
    const best = this.head(input).argmax(1)
    const rare = best.ge(this.shortlistSize)
    if (onHost(rare)?.any().item() === false) return best
    return rare.where(this.logProb(input).argmax(1), best)
  }
}

// Whether there is a batch. Throws where input and target do not belong together.
function checkTarget(input: Tensor, target: Tensor): boolean {
  if (target.ndim > 1) throw new RuntimeError('0D or 1D target tensor expected, multi-target not supported')
  if (target.ndim === 1 && input.sizes[0] !== target.sizes[0])
    throw new RuntimeError('Input and target should have the same size in the batch dimension.')
  if (input.ndim !== target.ndim + 1)
    throw new RuntimeError(
      `${target.ndim}D target tensor expects ${target.ndim + 1}D input tensors, but found inputs with size ${input.shape}`,
    )
  return target.ndim === 1
}
