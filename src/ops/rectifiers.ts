// Activation functions made of straight lines and exponentials: relu and its kin, elu, hard versions of smooth functions.

import { scalarTypeName } from '../core/dtype.ts'
import { RuntimeError, ValueError } from '../core/errors.ts'
import type { Expr } from '../kernels/expr.ts'
import * as k from '../kernels/expr.ts'
import type { Tensor } from '../tensor/tensor.ts'
import {
  type Activation,
  activate,
  type InplaceOption,
  one,
  plain,
  type Runs,
  runs,
  zero,
} from './activation.ts'
import { checkTensor, type FunctionInfo, fn } from './op.ts'
import { withOutputPartial, withPartials } from './partials.ts'
import { type Pointwise, pointwise, withInPlace } from './pointwise.ts'
import { reshape } from './views.ts'

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
