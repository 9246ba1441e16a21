// First and second derivatives of the mathematical functions, activations and losses, against differences.

import { expect, test } from 'vitest'
import * as torch from '../../src/index.ts'
import { autograd, float64, nn, special, type Tensor, tensor } from '../../src/index.ts'

const F = nn.functional
const specials = { ...special }
const double = { dtype: float64 }
const goal = tensor([0.2, 0.9, 0.1], double)
const oneOfThree = tensor([1])

type Case = [name: string, f: (x: Tensor) => Tensor, at: number[]]

const everywhere = [0.3, 0.8, 1.7, -0.4]
const positive = [0.3, 0.8, 1.7]
const inside = [0.3, 0.8, -0.5]
const unit = [0.3, 0.6, 0.8]

const cases: Case[] = [
  ...(
    ['exp', 'exp2', 'expm1', 'sin', 'cos', 'tan', 'sinh', 'cosh', 'tanh', 'asinh', 'atan', 'erf'] as const
  ).map((name): Case => [name, (x) => x[name](), everywhere]),
  ...(['erfc', 'sigmoid', 'sinc', 'square', 'i0', 'deg2rad', 'abs', 'frac'] as const).map(
    (name): Case => [name, (x) => x[name](), everywhere],
  ),
  ...(['log', 'log2', 'log10', 'log1p', 'sqrt', 'rsqrt', 'reciprocal', 'lgamma', 'digamma'] as const).map(
    (name): Case => [name, (x) => x[name](), positive],
  ),
  ...(['asin', 'acos', 'atanh', 'erfinv'] as const).map((name): Case => [name, (x) => x[name](), inside]),
  ['acosh', (x) => x.acosh(), [1.5, 3]],
  ['logit', (x) => x.logit(), unit],
  ['polygamma', (x) => torch.polygamma(2, x), positive],
  ...(['i0e', 'i1', 'i1e', 'erfcx', 'ndtr', 'ndtri', 'logNdtr', 'entr'] as const).map(
    (name): Case => [name, (x) => specials[name](x), unit],
  ),
  ...(['silu', 'mish', 'softplus', 'logsigmoid', 'elu', 'selu', 'celu', 'gelu', 'hardswish'] as const).map(
    (name): Case => [name, (x) => F[name](x), [...everywhere, -2, 15]],
  ),
  ...(['softsign', 'tanhshrink', 'leakyRelu', 'relu', 'hardsigmoid', 'softshrink'] as const).map(
    (name): Case => [name, (x) => F[name](x), [...everywhere, -2]],
  ),
  ['gelu by tanh', (x) => F.gelu(x, { approximate: 'tanh' }), everywhere],
  ['glu', (x) => F.glu(x), everywhere],
  ['prelu', (x) => F.prelu(x, x.at(0).reshape(1)), [0.3, -0.6, 0.8]],
  ...(['atan2', 'hypot', 'logaddexp', 'logaddexp2', 'xlogy', 'ldexp'] as const).map(
    (name): Case => [name, (x) => x[name](x.mul(0.5).add(1)), [0.3, 1.2, -0.7]],
  ),
  ['lerp', (x) => torch.lerp(x, x.mul(x), x.sin()), [0.3, 1.2, -0.7]],
  ['addcmul', (x) => torch.addcmul(x, x.sin(), x.exp(), { value: 0.5 }), positive],
  ['addcdiv', (x) => torch.addcdiv(x, x.sin(), x.exp(), { value: 0.5 }), positive],
  ['where', (x) => torch.where(x.gt(0.5), x.exp(), x.sin()), positive],
  ['clamp', (x) => x.mul(x).clamp(x.sub(0.1), x.add(0.1)), [0.3, 0.95]],
  ['maskedFill', (x) => x.mul(x).maskedFill(x.gt(0.5), x.at(0).mul(x.at(1))), unit],
  ['mseLoss', (x) => F.mseLoss(x, goal), unit],
  ['huberLoss', (x) => F.huberLoss(x, goal, { delta: 0.5 }), unit],
  ['smoothL1Loss', (x) => F.smoothL1Loss(x, goal), unit],
  ['binaryCrossEntropy', (x) => F.binaryCrossEntropy(x, goal), unit],
  [
    'binaryCrossEntropyWithLogits',
    (x) => F.binaryCrossEntropyWithLogits(x, x.mul(x), { weight: goal, posWeight: goal.add(1) }),
    unit,
  ],
  ['crossEntropy', (x) => F.crossEntropy(x.reshape(1, 3), oneOfThree), unit],
  [
    'crossEntropy, smoothed',
    (x) =>
      F.crossEntropy(x.reshape(1, 3), oneOfThree, { labelSmoothing: 0.2, weight: goal, reduction: 'sum' }),
    unit,
  ],
  ['crossEntropy of probabilities', (x) => F.crossEntropy(x, x.mul(x)), unit],
  ['nllLoss', (x) => F.nllLoss(x.mul(x).reshape(1, 3), oneOfThree, { weight: goal }), unit],
  ['nllLoss, not reduced', (x) => F.nllLoss(x.mul(x).reshape(1, 3), oneOfThree, { reduction: 'none' }), unit],
  ['softMarginLoss', (x) => F.softMarginLoss(x, goal), unit],
  ['klDiv', (x) => F.klDiv(x, x.exp()), unit],
  ['gaussianNllLoss', (x) => F.gaussianNllLoss(x, goal, x.mul(x).add(0.1)), unit],
  ['poissonNllLoss', (x) => F.poissonNllLoss(x, goal, { full: true }), unit],
  ['cosineSimilarity', (x) => F.cosineSimilarity(x, goal, 0), unit],
  ['pairwiseDistance', (x) => F.pairwiseDistance(x, goal), unit],
  ['tripletMarginLoss', (x) => F.tripletMarginLoss(x.mul(x), goal, x, { margin: 3 }), unit],
  ['multiMarginLoss', (x) => F.multiMarginLoss(x.mul(x).reshape(1, 3), oneOfThree, { p: 2 }), unit],
]

/** A weighted sum of the results, and its gradient as a function that can be differentiated. */
function evaluate(
  f: (x: Tensor) => Tensor,
  at: readonly number[],
): { x: Tensor; value: number; gradient: Tensor } {
  const x = tensor([...at], { ...double, requiresGrad: true })
  const y = f(x)
  const weights = tensor(
    Array.from({ length: y.numel() }, (_, i) => Math.sin(i + 1)),
    double,
  ).reshape([...y.sizes])
  const sum = y.mul(weights).sum()
  const [gradient] = autograd.grad([sum], [x], { createGraph: true })
  return { x, value: sum.item() as number, gradient: gradient! }
}

const replaced = (list: readonly number[], i: number, value: number): number[] =>
  list.map((old, j) => (i === j ? value : old))

test.each(cases)('%s has right first and second derivatives', (_, f, at) => {
  const { x, gradient } = evaluate(f, at)
  const first = gradient.tolist() as number[]
  const direction = tensor(
    at.map((_, i) => Math.cos(i)),
    double,
  )
  const along = gradient.mul(direction).sum()
  // A function of straight pieces has a gradient that depends on nothing.
  const [second] = along.requiresGrad ? autograd.grad([along], [x], { allowUnused: true }) : [null]
  const analytic = second === null ? at.map(() => 0) : (second.tolist() as number[])
  const h = 1e-5
  at.forEach((p, i) => {
    const above = evaluate(f, replaced(at, i, p + h))
    const below = evaluate(f, replaced(at, i, p - h))
    const slope = (above.value - below.value) / (2 * h)
    expect(Math.abs(slope - first[i]), `first derivative at ${p}`).toBeLessThan(
      1e-6 * Math.max(1, Math.abs(slope)),
    )
    const change = above.gradient.sub(below.gradient).mul(direction).sum().item() as number
    const bend = change / (2 * h)
    expect(Math.abs(bend - analytic[i]), `second derivative at ${p}`).toBeLessThan(
      2e-5 * Math.max(1, Math.abs(bend)),
    )
  })
})

test.each(['silu', 'mish', 'softplus', 'logsigmoid', 'elu', 'gelu', 'hardswish'] as const)(
  'the first and second derivatives of %s are finite for large numbers',
  (name) => {
    const x = tensor([-1000, -100, 100, 1000], { dtype: torch.float32, requiresGrad: true })
    const [first] = autograd.grad([F[name](x).sum()], [x], { createGraph: true })
    expect(first!.isfinite().all().item()).toBe(true)
    const [second] = autograd.grad([first!.sum()], [x], { allowUnused: true })
    expect(second === null || second.isfinite().all().item()).toBe(true)
  },
)
