// Activation functions of nn.functional. Each is one kernel and one node, as is its derivative. relu, sigmoid and tanh
// are methods as well; the random rrelu is in dropout.ts.

import type { DType } from '../core/dtype.ts'
import { scalarTypeName } from '../core/dtype.ts'
import { RuntimeError, ValueError } from '../core/errors.ts'
import { wrapDim } from '../core/shape.ts'
import type { Expr } from '../kernels/expr.ts'
import * as k from '../kernels/expr.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { add, div, neg, sub } from './arithmetic.ts'
import { cat } from './joining.ts'
import { abs, sigmoid, tanh } from './math.ts'
import { softmax } from './normalization.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { gradientKernel, type Partial, withOutputPartial, withPartials } from './partials.ts'
import { type Pointwise, type PointwiseSpec, pointwise, withInPlace } from './pointwise.ts'
import { narrow, reshape } from './views.ts'

export { sigmoid, tanh }

/** The option that all activations with an in-place form have. */
export interface InplaceOption {
  /** Writes the result to the input. */
  inplace?: boolean
}

/** An activation without parameters. */
export interface Activation extends FunctionInfo {
  (x: Tensor, options?: InplaceOption): Tensor
}

const one = (x: Expr): Expr => k.constant(1, x.type)
const zero = (x: Expr): Expr => k.constant(0, x.type)

// The logistic function in derivatives: the bound keeps exp finite, so that derivatives of it in turn are not NaN.
const logistic = (x: Expr): Expr => k.div(one(x), k.add(one(x), k.exp(k.neg(k.max(x, -80)))))

interface ActivationSpec {
  readonly name: string
  readonly node: string
  /** The node of the in-place form, where PyTorch gives it another name. */
  readonly inPlaceNode?: string
  /** Integers are refused unless this is set. */
  readonly integers?: boolean
  readonly kernel: (x: Expr, parameters: readonly Expr[]) => Expr
  readonly derivative: (x: Expr, parameters: readonly Expr[]) => Expr
}

interface Runs {
  readonly run: Pointwise
  readonly runInPlace: Pointwise
}

function runs(spec: ActivationSpec): Runs {
  const { name, node, inPlaceNode, integers, kernel, derivative } = spec
  const make = (nodeName: string): Pointwise =>
    pointwise(
      withPartials(
        {
          name,
          node: nodeName,
          refuses: integers ? ['bool'] : ['bool', 'int'],
          kernel: ([x], parameters) => kernel(x, parameters),
        },
        [([x], parameters) => derivative(x, parameters)],
      ),
    )
  const run = make(node)
  return { run, runInPlace: inPlaceNode === undefined ? run : make(inPlaceNode) }
}

function activate(
  { run, runInPlace }: Runs,
  x: Tensor,
  parameters: readonly number[],
  inplace = false,
): Tensor {
  return inplace ? runInPlace.inPlace([x], parameters) : run([x], parameters)
}

function plain(name: string, spec: Runs): Activation {
  return fn(
    name,
    ['input'],
    ['inplace'],
    (x: Tensor, { inplace }: InplaceOption) => activate(spec, x, [], inplace),
    {
      method: false,
    },
  )
}

// ---- relu and its kin -----------------------------------------------------------------------------------------------

const reluRun = pointwise(
  withOutputPartial({ name: 'relu', kernel: ([x]) => k.max(x, zero(x)) }, ([y]) =>
    k.select(k.le(y, 0), zero(y), one(y)),
  ),
)

function checkRelu(x: Tensor): Tensor {
  checkTensor('relu', 'input', x)
  if (x.dtype.kind === 'bool') throw new RuntimeError('Boolean inputs not supported for relu')
  return x
}

/** `max(x, 0)`. Its derivative needs the result only. */
export const relu: Activation & { readonly inPlace: (x: Tensor) => Tensor } = withInPlace(
  fn<Activation>('relu', ['input'], ['inplace'], (x: Tensor, { inplace = false }: InplaceOption) =>
    inplace ? reluRun.inPlace([checkRelu(x)]) : reluRun([checkRelu(x)]),
  ),
  (x: Tensor) => reluRun.inPlace([checkRelu(x)]),
)

/** Options of `leakyRelu`. */
export interface LeakyReluOptions extends InplaceOption {
  /** The slope for negative numbers; default 0.01. */
  negativeSlope?: number
}

/** The type of `leakyRelu`. */
export interface LeakyRelu {
  (x: Tensor, negativeSlope: number, options?: InplaceOption): Tensor
  (x: Tensor, options?: LeakyReluOptions): Tensor
}

const leakyReluRuns = runs({
  name: 'leaky_relu',
  node: 'LeakyReluBackward0',
  inPlaceNode: 'LeakyReluBackward1',
  kernel: (x, [slope]) => k.select(k.gt(x, 0), x, k.mul(x, slope)),
  derivative: (x, [slope]) => k.select(k.gt(x, 0), one(x), slope),
})

/** `x` where positive, `negativeSlope * x` elsewhere. */
export const leakyRelu: LeakyRelu & FunctionInfo = fn<LeakyRelu>(
  'leaky_relu',
  ['input'],
  ['negativeSlope', 'inplace'],
  (x: Tensor, { negativeSlope = 0.01, inplace }: LeakyReluOptions) =>
    activate(leakyReluRuns, x, [negativeSlope], inplace),
  { method: false },
)

const preluRun = pointwise(
  withPartials(
    {
      name: 'prelu',
      node: 'PreluKernelBackward0',
      refuses: ['bool', 'int'],
      kernel: ([x, weight]) => k.select(k.gt(x, 0), x, k.mul(x, weight)),
    },
    [([x, weight]) => k.select(k.gt(x, 0), one(x), weight), ([x]) => k.select(k.gt(x, 0), zero(x), x)],
  ),
)

/** The type of `prelu`. */
export interface Prelu extends FunctionInfo {
  (x: Tensor, weight: Tensor): Tensor
}

/**
 * `x` where positive, `weight * x` elsewhere.
 * @param weight one slope, or one for each channel (dimension 1).
 * @throws RuntimeError where the number of slopes is neither.
 */
export const prelu: Prelu = Object.assign(
  (x: Tensor, weight: Tensor) => {
    checkTensor('prelu', 'input', x)
    checkTensor('prelu', 'weight', weight)
    if (weight.ndim > 1)
      throw new RuntimeError(
        `prelu: Expected \`weight\` to be a scalar or 1D tensor, but got: ndim = ${weight.ndim}`,
      )
    if (x.dtype !== weight.dtype)
      throw new RuntimeError(
        `prelu: Type promoting not supported. Got ${scalarTypeName(x.dtype)} and ${scalarTypeName(weight.dtype)}`,
      )
    const count = weight.numel()
    if (count !== 1) {
      if (x.ndim === 0) throw new RuntimeError('Not allow zero-dim input tensor.')
      const channels = x.ndim > 1 ? x.sizes[1] : 1
      if (channels !== count)
        throw new RuntimeError(
          `Mismatch of parameter numbers and input channel size. Found parameter numbers = ${count} and channel size = ${channels}.`,
        )
    }
    if (x.ndim === weight.ndim || (x.ndim === 0 && count === 1))
      return preluRun([x, weight.ndim > x.ndim ? reshape(weight, []) : weight])
    return preluRun([
      x,
      reshape(
        weight,
        x.sizes.map((_, d) => (d === 1 || x.ndim === 1 ? count : 1)),
      ),
    ])
  },
  { required: ['input', 'weight'], optional: [], method: true },
)

/** Options of `threshold`. */
export type Threshold = (x: Tensor, threshold: number, value: number, options?: InplaceOption) => Tensor

// Bounds are operands, not parameters: integers are compared as integers.
function thresholdRun(node: string): Pointwise {
  return pointwise(
    withPartials(
      {
        name: 'threshold',
        node,
        refuses: ['bool'],
        kernel: ([x, threshold, value]) => k.select(k.le(x, threshold), value, x),
      },
      [([x, threshold]) => k.select(k.le(x, threshold), zero(x), one(x))],
    ),
  )
}

const thresholdRuns: Runs = {
  run: thresholdRun('ThresholdBackward0'),
  runInPlace: thresholdRun('ThresholdBackward1'),
}

/** A bound in the dtype of the input: integers know whole numbers only. */
function bound(x: Tensor, value: number): number {
  return x.dtype.kind === 'float' ? value : Math.trunc(value)
}

/** `x` where above `threshold`, `value` elsewhere. */
export const threshold: Threshold & FunctionInfo = fn<Threshold>(
  'threshold',
  ['input', 'threshold', 'value'],
  ['inplace'],
  (x: Tensor, limit: number, value: number, { inplace }: InplaceOption) => {
    checkTensor('threshold', 'input', x)
    const operands = [x, bound(x, limit), bound(x, value)]
    return inplace ? thresholdRuns.runInPlace.inPlace(operands) : thresholdRuns.run(operands)
  },
  { method: false },
)

/** Options of `hardtanh`. */
export interface HardtanhOptions extends InplaceOption {
  /** The lower bound; default -1. */
  minVal?: number
  /** The upper bound; default 1. */
  maxVal?: number
}

/** The type of `hardtanh`. */
export interface Hardtanh {
  (x: Tensor, minVal: number, options?: Omit<HardtanhOptions, 'minVal'>): Tensor
  (x: Tensor, options?: HardtanhOptions): Tensor
}

const hardtanhRun = pointwise(
  withPartials(
    {
      name: 'hardtanh',
      node: 'HardtanhBackward0',
      refuses: ['bool'],
      kernel: ([x, low, high]) => k.min(k.max(x, low), high),
    },
    [([x, low, high]) => k.select(k.or(k.le(x, low), k.ge(x, high)), zero(x), one(x))],
  ),
)

function runHardtanh(x: Tensor, low: number, high: number, inplace = false): Tensor {
  checkTensor('hardtanh', 'input', x)
  if (low > high) throw new ValueError('min_val cannot be greater than max_val')
  const operands = [x, bound(x, low), bound(x, high)]
  return inplace ? hardtanhRun.inPlace(operands) : hardtanhRun(operands)
}

/** `x` limited to the range from `minVal` to `maxVal`. The gradient at the bounds is 0. */
export const hardtanh: Hardtanh & FunctionInfo = fn<Hardtanh>(
  'hardtanh',
  ['input'],
  ['minVal', 'maxVal', 'inplace'],
  (x: Tensor, { minVal = -1, maxVal = 1, inplace }: HardtanhOptions) =>
    runHardtanh(x, minVal, maxVal, inplace),
  { method: false },
)

/** `x` limited to the range from 0 to 6. */
export const relu6: Activation = fn<Activation>(
  'relu6',
  ['input'],
  ['inplace'],
  (x: Tensor, { inplace }: InplaceOption) => runHardtanh(x, 0, 6, inplace),
  { method: false },
)

// ---- exponential linear units -----------------------------------------------------------------------------------------

/** Options of `elu` and `celu`. */
export interface EluOptions extends InplaceOption {
  /** The value approached for very negative numbers is `-alpha`; default 1. */
  alpha?: number
}

/** The type of `elu` and `celu`. */
export interface Elu {
  (x: Tensor, alpha: number, options?: InplaceOption): Tensor
  (x: Tensor, options?: EluOptions): Tensor
}

// scale * (x > 0 ? x : alpha * (exp(inputScale * x) - 1))
function eluRuns(name: string, node: string): Runs {
  return runs({
    name,
    node: `${node}0`,
    inPlaceNode: `${node}1`,
    kernel: (x, [alpha, scale, inputScale]) =>
      k.mul(k.select(k.gt(x, 0), x, k.mul(k.expm1(k.mul(x, inputScale)), alpha)), scale),
    derivative: (x, [alpha, scale, inputScale]) =>
      k.mul(
        k.select(k.gt(x, 0), one(x), k.mul(k.mul(k.exp(k.mul(x, inputScale)), alpha), inputScale)),
        scale,
      ),
  })
}

const eluRun = eluRuns('elu', 'EluBackward')
const celuRun = eluRuns('celu', 'CeluBackward')

/** `x` where positive, `alpha (exp(x) - 1)` elsewhere. */
export const elu: Elu & FunctionInfo = fn<Elu>(
  'elu',
  ['input'],
  ['alpha', 'inplace'],
  (x: Tensor, { alpha = 1, inplace }: EluOptions) => activate(eluRun, x, [alpha, 1, 1], inplace),
  { method: false },
)

/** `x` where positive, `alpha (exp(x / alpha) - 1)` elsewhere: continuously differentiable for every alpha. */
export const celu: Elu & FunctionInfo = fn<Elu>(
  'celu',
  ['input'],
  ['alpha', 'inplace'],
  (x: Tensor, { alpha = 1, inplace }: EluOptions) => {
    if (alpha === 0) throw new RuntimeError('ZeroDivisionError: alpha cannot be 0 for CELU')
    return activate(celuRun, x, [alpha, 1, 1 / alpha], inplace)
  },
  { method: false },
)

const seluParameters = [1.6732632423543772, 1.0507009873554805, 1]

/** `elu` with the alpha and the scale that keep mean 0 and variance 1 from layer to layer (Klambauer et al., 2017). */
export const selu: Activation = fn<Activation>(
  'selu',
  ['input'],
  ['inplace'],
  (x: Tensor, { inplace }: InplaceOption) => activate(eluRun, x, seluParameters, inplace),
  { method: false },
)

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

// ---- pieces of straight lines -------------------------------------------------------------------------------------------

/** `x relu6(x + 3) / 6`. */
export const hardswish: Activation = plain(
  'hardswish',
  runs({
    name: 'hardswish',
    node: 'HardswishBackward0',
    kernel: (x) => k.div(k.mul(x, k.min(k.max(k.add(x, 3), zero(x)), 6)), k.constant(6, x.type)),
    derivative: (x) =>
      k.select(
        k.le(x, -3),
        zero(x),
        k.select(k.lt(x, 3), k.add(k.div(x, k.constant(3, x.type)), 0.5), one(x)),
      ),
  }),
)

/** `relu6(x + 3) / 6`. */
export const hardsigmoid: Activation = plain(
  'hardsigmoid',
  runs({
    name: 'hardsigmoid',
    node: 'HardsigmoidBackward0',
    kernel: (x) => k.div(k.min(k.max(k.add(x, 3), zero(x)), 6), k.constant(6, x.type)),
    derivative: (x) => k.select(k.and(k.gt(x, -3), k.lt(x, 3)), k.constant(1 / 6, x.type), zero(x)),
  }),
)

/** Options of `softshrink` and `hardshrink`. */
export interface ShrinkOptions {
  /** Numbers of at most this size become 0; default 0.5. */
  lambd?: number
}

/** The type of `softshrink` and `hardshrink`. */
export interface Shrink {
  (x: Tensor, lambd: number): Tensor
  (x: Tensor, options?: ShrinkOptions): Tensor
}

const isSmall = (x: Expr, lambd: Expr): Expr => k.and(k.ge(x, k.neg(lambd)), k.le(x, lambd))

const softshrinkRuns = runs({
  name: 'softshrink',
  node: 'SoftshrinkBackward0',
  // Times 0 in between, so that NaN stays NaN.
  kernel: (x, [lambd]) =>
    k.select(k.gt(x, lambd), k.sub(x, lambd), k.select(k.lt(x, k.neg(lambd)), k.add(x, lambd), k.mul(x, 0))),
  derivative: (x, [lambd]) => k.select(isSmall(x, lambd), zero(x), one(x)),
})

/** `x` moved toward 0 by `lambd`, 0 where it would cross. */
export const softshrink: Shrink & FunctionInfo = fn<Shrink>(
  'softshrink',
  ['input'],
  ['lambd'],
  (x: Tensor, { lambd = 0.5 }: ShrinkOptions) => {
    if (!(lambd >= 0))
      throw new RuntimeError(
        `lambda must be in range [0, 3.40282e+38] for input dtype ${scalarTypeName(x.dtype)}, but found ${lambd}`,
      )
    return activate(softshrinkRuns, x, [lambd])
  },
  { method: false },
)

const hardshrinkRuns = runs({
  name: 'hardshrink',
  node: 'HardshrinkBackward0',
  kernel: (x, [lambd]) => k.select(isSmall(x, lambd), zero(x), x),
  derivative: (x, [lambd]) => k.select(isSmall(x, lambd), zero(x), one(x)),
})

/** `x`, or 0 where it is between `-lambd` and `lambd`. */
export const hardshrink: Shrink & FunctionInfo = fn<Shrink>(
  'hardshrink',
  ['input'],
  ['lambd'],
  (x: Tensor, { lambd = 0.5 }: ShrinkOptions) => activate(hardshrinkRuns, x, [lambd]),
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

// ---- the in-place forms of nn.functional --------------------------------------------------------------------------------

export const relu_ = (x: Tensor): Tensor => relu.inPlace(x)
export const elu_ = (x: Tensor, alpha = 1): Tensor => elu(x, alpha, { inplace: true })
export const celu_ = (x: Tensor, alpha = 1): Tensor => celu(x, alpha, { inplace: true })
export const selu_ = (x: Tensor): Tensor => selu(x, { inplace: true })
export const leakyRelu_ = (x: Tensor, negativeSlope = 0.01): Tensor =>
  leakyRelu(x, negativeSlope, { inplace: true })
export const hardtanh_ = (x: Tensor, minVal = -1, maxVal = 1): Tensor =>
  hardtanh(x, minVal, { maxVal, inplace: true })
export const threshold_ = (x: Tensor, limit: number, value: number): Tensor =>
  threshold(x, limit, value, { inplace: true })
