// Connectionist temporal classification (Graves et al., 2006): the probability of a sequence of classes under
// independent predictions at every step, summed over all ways to stretch it, with blanks between.

import { int32, int64, scalarTypeName } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { data } from '../tensor/data.ts'
import { Tensor } from '../tensor/tensor.ts'
import { fromArray } from './creation.ts'
import { areKnown, computeLater, onHost } from './host.ts'
import { checkFloating, checkReduction, type LossReduction, type ReductionOption } from './loss.ts'
import { applyMany, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'

/** Options of `ctcLoss`. */
export interface CtcLossOptions extends ReductionOption {
  /** The class that stands for nothing; default 0. */
  blank?: number
  /** Whether infinite losses (targets longer than their input) and their gradients count as 0; default false. */
  zeroInfinity?: boolean
}

/** Lengths of sequences, one for each sample. */
export type Lengths = Tensor | readonly number[]

/** The type of `ctcLoss`. */
export type CtcLoss = (
  logProbs: Tensor,
  targets: Tensor,
  inputLengths: Lengths,
  targetLengths: Lengths,
  options?: CtcLossOptions,
) => Tensor

interface CtcAttributes {
  readonly blank: number
  readonly zeroInfinity: boolean
  readonly inputLengths: readonly number[]
  /** The classes of each sample. */
  readonly labels: readonly (readonly number[])[]
}

const minusInfinity = Number.NEGATIVE_INFINITY

function logSum(a: number, b: number): number {
  const m = Math.max(a, b)
  return m === minusInfinity ? m : m + Math.log(Math.exp(a - m) + Math.exp(b - m))
}

/** A target with blanks before, between and after its classes. */
function extended(labels: readonly number[], blank: number): number[] {
  return [blank, ...labels.flatMap((label) => [label, blank])]
}

// The logarithms of the probabilities of all beginnings: alpha[t][s] is that of the first s + 1 symbols after t + 1 steps.
function beginnings(
  steps: number,
  symbols: readonly number[],
  score: (t: number, c: number) => number,
): number[][] {
  const alpha: number[][] = []
  for (let t = 0; t < steps; t++) {
    const previous = alpha[t - 1]
    alpha.push(
      symbols.map((c, s) => {
        if (t === 0) return s < 2 ? score(0, c) : minusInfinity
        let sum = previous[s]
        if (s > 0) sum = logSum(sum, previous[s - 1])
        // A blank between two classes may be left out, unless they are the same.
        if (s > 1 && c !== symbols[s - 2]) sum = logSum(sum, previous[s - 2])
        return sum + score(t, c)
      }),
    )
  }
  return alpha
}

function totalOf(alpha: readonly (readonly number[])[], symbols: readonly number[]): number {
  // Without any step only the empty target is possible.
  if (alpha.length === 0) return symbols.length === 1 ? 0 : minusInfinity
  const last = alpha[alpha.length - 1]
  return symbols.length === 1 ? last[0] : logSum(last[last.length - 1], last[last.length - 2])
}

interface Scores {
  readonly values: ArrayLike<number>
  readonly batch: number
  readonly classes: number
}

function scoresOf(logProbs: Tensor): Scores {
  return {
    values: data(onHost(logProbs)!.double()) as Float64Array,
    batch: logProbs.sizes[1],
    classes: logProbs.sizes[2],
  }
}

function scoreOf({ values, batch, classes }: Scores, n: number): (t: number, c: number) => number {
  return (t, c) => values[(t * batch + n) * classes + c]
}

const ctcOp: Op<CtcAttributes> = {
  node: 'CtcLossBackward0',
  forward: ([logProbs], attributes) => {
    const { blank, zeroInfinity, inputLengths, labels } = attributes
    if (!areKnown([logProbs]))
      return computeLater([logProbs], [{ sizes: [labels.length], dtype: logProbs.dtype }], (known) => [
        ctcOp.forward(known, attributes) as Tensor,
      ])[0]
    const scores = scoresOf(logProbs)
    const losses = labels.map((classes, n) => {
      const symbols = extended(classes, blank)
      const loss = -totalOf(beginnings(inputLengths[n], symbols, scoreOf(scores, n)), symbols)
      return zeroInfinity && loss === Number.POSITIVE_INFINITY ? 0 : loss
    })
    return fromArray(new Float64Array(losses)).to(logProbs.dtype).to(logProbs.device)
  },
  saves: [0],
  backward: ([g], c) => [applyMany(ctcGradientOp, [g!, c.input(0)], c.attributes)[0]],
}

const ctcGradientOp: Op<CtcAttributes> = {
  node: 'CtcLossBackwardBackward0',
  forward: ([g, logProbs], attributes) => {
    const { blank, zeroInfinity, inputLengths, labels } = attributes
    if (!areKnown([g, logProbs]))
      return computeLater([g, logProbs], [{ sizes: logProbs.sizes, dtype: logProbs.dtype }], (known) => [
        ctcGradientOp.forward(known, attributes) as Tensor,
      ])[0]
    const scores = scoresOf(logProbs)
    const { batch, classes } = scores
    const flow = data(onHost(g)!.double()) as Float64Array
    const out = new Float64Array(logProbs.numel())
    labels.forEach((target, n) => {
      const symbols = extended(target, blank)
      const steps = inputLengths[n]
      const score = scoreOf(scores, n)
      const alpha = beginnings(steps, symbols, score)
      const total = totalOf(alpha, symbols)
      if (total === minusInfinity && zeroInfinity) return
      // The endings are the beginnings of the reversed sequence.
      const endings = beginnings(steps, [...symbols].reverse(), (t, s) => score(steps - 1 - t, s))
      for (let t = 0; t < steps; t++) {
        // All the ways through each class at this step, of which one score is counted twice.
        const through = new Array<number>(classes).fill(minusInfinity)
        symbols.forEach((c, s) => {
          const both = alpha[t][s] + endings[steps - 1 - t][symbols.length - 1 - s]
          through[c] = logSum(through[c], both)
        })
        for (let c = 0; c < classes; c++) {
          // As PyTorch: in terms of the logits behind a log-softmax, exp(score) is what the normalisation adds.
          const share = Math.exp(through[c] - score(t, c) - total)
          out[(t * batch + n) * classes + c] = flow[n] * (Math.exp(score(t, c)) - share)
        }
      }
    })
    return fromArray(out).reshape(logProbs.sizes).to(logProbs.dtype).to(logProbs.device)
  },
  backward: () => {
    throw new RuntimeError('the derivative for _ctc_loss_backward is not implemented')
  },
}

function lengthsOf(name: string, lengths: Lengths, batch: number): number[] {
  const list =
    lengths instanceof Tensor
      ? Array.from(data(lengths.reshape(-1)) as ArrayLike<number>, Number)
      : [...lengths]
  if (list.length !== batch) throw new RuntimeError(`${name} must be of size batch_size`)
  return list
}

// Targets come as one row for each sample, or all in one row, one after the other.
function labelsOf(targets: Tensor, lengths: readonly number[], batch: number): number[][] {
  const values = Array.from(data(targets) as ArrayLike<number>, Number)
  if (targets.ndim === 1) {
    const total = lengths.reduce((a, b) => a + b, 0)
    if (values.length < total)
      throw new RuntimeError(
        `Expected tensor to have size ${total} at dimension 0, but got size ${values.length} for argument #2 'targets' (while checking arguments for ctc_loss_cpu)`,
      )
    let start = 0
    return lengths.map((n) => {
      start += n
      return values.slice(start - n, start)
    })
  }
  const width = targets.sizes[1]
  if (targets.sizes[0] !== batch || lengths.some((n) => n > width))
    throw new RuntimeError(
      `Expected tensor to have size at least ${Math.max(...lengths)} at dimension 1, but got size ${width} for argument #2 'targets' (while checking arguments for ctc_loss_cpu)`,
    )
  return lengths.map((n, i) => values.slice(i * width, i * width + n))
}

function reduceLengths(losses: Tensor, lengths: readonly number[], reduction: LossReduction): Tensor {
  if (reduction === 'sum') return losses.sum()
  if (reduction === 'none') return losses
  const divisors = fromArray(new Float64Array(lengths.map((n) => Math.max(n, 1))))
    .to(losses.dtype)
    .to(losses.device)
  return losses.div(divisors).mean()
}

/**
 * The negative log likelihood of the targets, over all alignments.
 * @param logProbs log-probabilities, shape [T, N, C] or [T, C].
 * @param targets int64 classes without blanks: shape [N, S], or [sum of the target lengths].
 * @param inputLengths how many of the T steps belong to each sample.
 * @param targetLengths how many classes belong to each target; the mean divides by them.
 */
export const ctcLoss: CtcLoss & FunctionInfo = fn<CtcLoss>(
  'ctc_loss',
  ['logProbs', 'targets', 'inputLengths', 'targetLengths'],
  ['blank', 'reduction', 'zeroInfinity'],
  (
    logProbs: Tensor,
    targets: Tensor,
    inputLengths: Lengths,
    targetLengths: Lengths,
    { blank = 0, reduction = 'mean', zeroInfinity = false }: CtcLossOptions,
  ) => {
    checkTensor('ctc_loss', 'log_probs', logProbs)
    checkTensor('ctc_loss', 'targets', targets)
    checkReduction(reduction)
    checkFloating(logProbs, 'ctc_loss_cpu')
    if (targets.dtype !== int64 && targets.dtype !== int32)
      throw new RuntimeError(`ctc_loss: targets must be int64 or int32, not ${scalarTypeName(targets.dtype)}`)
    const batched = logProbs.ndim === 3
    if (!batched && logProbs.ndim !== 2)
      throw new RuntimeError(`ctc_loss: log_probs must have shape [T, N, C] or [T, C], got ${logProbs.shape}`)
    const x = batched ? logProbs : logProbs.unsqueeze(1)
    const [steps, batch, classes] = x.sizes
    if (!(blank >= 0 && blank < classes)) throw new RuntimeError('blank must be in label range')
    const lengths = lengthsOf('input_lengths', inputLengths, batch)
    const sizes = lengthsOf('target_lengths', targetLengths, batch)
    lengths.forEach((n) => {
      if (n < 0 || n > steps)
        throw new RuntimeError(
          `Expected input_lengths to have value at most ${steps}, but got value ${n} (while checking arguments for ctc_loss_cpu)`,
        )
    })
    const labels = labelsOf(targets, sizes, batch)
    for (const row of labels)
      for (const c of row)
        if (c < 0 || c >= classes)
          throw new RuntimeError(`ctc_loss: target ${c} is out of range for ${classes} classes`)
    const losses = applyMany(ctcOp, [x], { blank, zeroInfinity, inputLengths: lengths, labels })[0]
    const reduced = reduceLengths(losses, sizes, reduction)
    return !batched && reduction === 'none' ? reduced.squeeze(0) : reduced
  },
  { method: false },
)
