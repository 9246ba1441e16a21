// Smooth activation functions: gelu, silu, softplus and others, gates.

import type { DType } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { wrapDim } from '../core/shape.ts'
import type { Expr } from '../kernels/expr.ts'
import * as k from '../kernels/expr.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type Activation, activate, logistic, one, plain, runs, zero } from './activation.ts'
import { add, div, neg, sub } from './arithmetic.ts'
import { cat } from './joining.ts'
import { abs, tanh } from './math.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { gradientKernel, type Partial } from './partials.ts'
import { type Pointwise, type PointwiseSpec, pointwise } from './pointwise.ts'
import { softmax } from './softmax.ts'
import { narrow } from './views.ts'

// ---- smooth gates -------------------------------------------------------------------------------------------------------

/** Options of `gelu`. */
export interface GeluOptions {
  /** `'tanh'` for the approximation by tanh; default `'none'`. */
  approximate?: 'none' | 'tanh'
}

/** The type of `gelu`. */
export type Gelu = (x: Tensor, options?: GeluOptions) => Tensor

const normalCdf = (x: Expr): Expr => k.mul(k.add(k.erf(k.mul(x, Math.SQRT1_2)), 1), 0.5)
const normalPdf = (x: Expr): Expr => k.mul(k.exp(k.mul(k.mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI))

const geluRuns = runs({
  name: 'gelu',
  node: 'GeluBackward0',
  kernel: (x) => k.mul(x, normalCdf(x)),
  derivative: (x) => k.add(normalCdf(x), k.mul(x, normalPdf(x))),
})

const geluTanh = (x: Expr): Expr => {
  const cubic = k.add(k.mul(k.mul(k.mul(x, x), x), 0.044715), x)
  return k.tanh(k.mul(cubic, Math.sqrt(2 / Math.PI)))
}

const geluTanhRuns = runs({
  name: 'gelu',
  node: 'GeluBackward0',
  kernel: (x) => k.mul(k.mul(x, 0.5), k.add(geluTanh(x), 1)),
  derivative: (x) => {
    const t = geluTanh(x)
    const slope = k.mul(k.add(k.mul(k.mul(x, x), 3 * 0.044715), 1), Math.sqrt(2 / Math.PI))
    const curved = k.mul(k.mul(k.mul(x, 0.5), k.sub(one(x), k.mul(t, t))), slope)
    return k.add(k.mul(k.add(t, 1), 0.5), curved)
  },
})

/** `x` times the probability that a standard normal number is below `x` (Hendrycks and Gimpel, 2016). */
export const gelu: Gelu & FunctionInfo = fn<Gelu>(
  'gelu',
  ['input'],
  ['approximate'],
  (x: Tensor, { approximate = 'none' }: GeluOptions) => {
    if (approximate !== 'none' && approximate !== 'tanh')
      throw new RuntimeError('approximate argument must be either none or tanh.')
    return activate(approximate === 'tanh' ? geluTanhRuns : geluRuns, x, [])
  },
  { method: false },
)

/** `x sigmoid(x)`, also called swish. */
export const silu: Activation = plain(
  'silu',
  runs({
    name: 'silu',
    node: 'SiluBackward0',
    kernel: (x) => k.div(x, k.add(one(x), k.exp(k.neg(x)))),
    derivative: (x) => {
      const s = logistic(x)
      return k.mul(s, k.add(k.mul(x, k.sub(one(x), s)), 1))
    },
  }),
)

// log(1 + exp(x)), which is x beyond the bound.
const softplusOf = (x: Expr): Expr => k.select(k.gt(x, 80), x, k.log1p(k.exp(k.min(x, 80))))

/** `x tanh(softplus(x))` (Misra, 2019). */
export const mish: Activation = plain(
  'mish',
  runs({
    name: 'mish',
    node: 'MishBackward0',
    kernel: (x) => k.mul(x, k.tanh(softplusOf(x))),
    derivative: (x) => {
      const t = k.tanh(softplusOf(x))
      return k.add(t, k.mul(k.mul(x, logistic(x)), k.sub(one(x), k.mul(t, t))))
    },
  }),
)

/** Options of `softplus`. */
export interface SoftplusOptions {
  /** How sharp the bend is; default 1. */
  beta?: number
  /** Where `beta x` is above this the result is `x` itself; default 20. */
  threshold?: number
}

/** The type of `softplus`. */
export interface Softplus {
  (x: Tensor, beta: number, options?: Omit<SoftplusOptions, 'beta'>): Tensor
  (x: Tensor, options?: SoftplusOptions): Tensor
}

const softplusRuns = runs({
  name: 'softplus',
  node: 'SoftplusBackward0',
  kernel: (x, [beta, limit]) => {
    const scaled = k.mul(x, beta)
    return k.select(k.gt(scaled, limit), x, k.div(k.log1p(k.exp(scaled)), beta))
  },
  derivative: (x, [beta, limit]) => {
    const scaled = k.mul(x, beta)
    return k.select(k.gt(scaled, limit), one(x), logistic(scaled))
  },
})

/** `log(1 + exp(beta x)) / beta`, a smooth relu. */
export const softplus: Softplus & FunctionInfo = fn<Softplus>(
  'softplus',
  ['input'],
  ['beta', 'threshold'],
  (x: Tensor, { beta = 1, threshold: limit = 20 }: SoftplusOptions) =>
    activate(softplusRuns, x, [beta, limit]),
  { method: false },
)

/** An activation without parameters and without an in-place form. */
export interface PlainActivation extends FunctionInfo {
  (x: Tensor): Tensor
}

const noMethod = { required: ['input'], optional: [], method: false } as const

const logsigmoidRuns = runs({
  name: 'log_sigmoid',
  node: 'LogSigmoidBackward0',
  kernel: (x) => k.sub(k.min(x, zero(x)), k.log1p(k.exp(k.neg(k.abs(x))))),
  derivative: (x) => logistic(k.neg(x)),
})

/** `log(sigmoid(x))`, computed without overflow. */
export const logsigmoid: PlainActivation = Object.assign(
  (x: Tensor) => activate(logsigmoidRuns, x, []),
  noMethod,
)

// ---- compositions -------------------------------------------------------------------------------------------------------

/** `x / (1 + |x|)`. */
export const softsign: PlainActivation = Object.assign((x: Tensor) => div(x, add(abs(x), 1)), noMethod)

/** `x - tanh(x)`. */
export const tanhshrink: PlainActivation = Object.assign((x: Tensor) => sub(x, tanh(x)), noMethod)

/** Options of `softmin`. */
export interface SoftminOptions {
  /** The dtype to convert to first. */
  dtype?: DType
}

/** The type of `softmin`. */
export interface Softmin {
  (x: Tensor, dim: number, options?: SoftminOptions): Tensor
  (x: Tensor, options: SoftminOptions & { dim: number }): Tensor
}

/** `softmax(-x)` along `dim`. */
export const softmin: Softmin & FunctionInfo = fn<Softmin>(
  'softmin',
  ['input'],
  ['dim', 'dtype'],
  (x: Tensor, { dim, dtype }: SoftminOptions & { dim?: number }) => {
    // As PyTorch chooses where no dimension is named.
    const chosen = dim ?? (x.ndim === 0 || x.ndim === 1 || x.ndim === 3 ? 0 : 1)
    return dtype === undefined ? softmax(neg(x), chosen) : softmax(neg(x), chosen, { dtype })
  },
  { method: false },
)

const gatePartials: { spec: PointwiseSpec; byValue: Pointwise; byGate: Pointwise } = (() => {
  const byValue: Partial = ([, gate]) => logistic(gate)
  const byGate: Partial = ([value, gate]) => {
    const s = logistic(gate)
    return k.mul(k.mul(value, s), k.sub(one(s), s))
  }
  return {
    spec: { name: 'glu', refuses: ['bool', 'int'], kernel: ([value, gate]) => k.mul(value, k.sigmoid(gate)) },
    byValue: gradientKernel('glu', byValue),
    byGate: gradientKernel('glu', byGate),
  }
})()

const gate = pointwise(gatePartials.spec)

const gluOp: Op<{ readonly dim: number }> = {
  node: 'GluBackward0',
  forward: ([x], { dim }) => gate(halves(x, dim)),
  saves: [0],
  backward: ([g], c) => {
    const operands = [g!, ...halves(c.input(0), c.attributes.dim)]
    return [cat([gatePartials.byValue(operands), gatePartials.byGate(operands)], c.attributes.dim)]
  },
}

function halves(x: Tensor, dim: number): Tensor[] {
  const half = x.sizes[dim] / 2
  return [narrow(x, dim, 0, half), narrow(x, dim, half, half)]
}

/** The type of `glu`. */
export interface Glu {
  (x: Tensor, dim?: number): Tensor
  (x: Tensor, options: { dim?: number }): Tensor
}

/** The first half of `x` along `dim` times the sigmoid of the second half: gated linear units. */
export const glu: Glu & FunctionInfo = fn<Glu>(
  'glu',
  ['input'],
  ['dim'],
  (x: Tensor, { dim = -1 }: { dim?: number }) => {
    checkTensor('glu', 'input', x)
    if (x.ndim === 0) throw new RuntimeError('glu does not support 0-dimensional tensors')
    const d = wrapDim(dim, x.ndim)
    if (x.sizes[d] % 2 !== 0)
      throw new RuntimeError(`Halving dimension must be even, but dimension ${d} is size ${x.sizes[d]}`)
    return apply(gluOp, [x], { dim: d })
  },
  { method: false },
)
