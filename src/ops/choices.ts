// Choices between elements: where, clamp, maskedFill.

import { Complex } from '../core/complex.ts'
import { bool, scalarTypeName, uint8 } from '../core/dtype.ts'
import { NotImplementedError, RuntimeError, TypeError_ } from '../core/errors.ts'
import { realPart } from '../kernels/complex.ts'
import type { Expr } from '../kernels/expr.ts'
import * as k from '../kernels/expr.ts'
import { Tensor } from '../tensor/tensor.ts'
import { asElement } from './elements.ts'
import { onHost } from './host.ts'
import { checkTensor, describe, type FunctionInfo, fn } from './op.ts'
import { withPartials } from './partials.ts'
import { type Pointwise, pointwise, type Scalar, type TensorOrScalar, withInPlace } from './pointwise.ts'
import { nonzero } from './selecting.ts'

// A condition comes to the kernel converted to the common dtype; the comparison is with what it was before.
function truthOf(given: Expr): Expr {
  const condition = realPart(given)
  if (condition.kind === 'cast' && condition.a.type === 'bool') return condition.a
  return k.cast(condition, 'bool')
}

const whereRun: Pointwise = pointwise({
  name: 'where',
  kernel: ([condition, a, b]) => k.select(truthOf(condition), a, b),
  saves: [0],
  backward: (g, c) => {
    const condition = c.input(0)
    const result: (Tensor | null)[] = [null]
    let t = 1
    if (c.attributes.operands[1] === null) result.push(c.needs(t++) ? whereRun([condition, g, 0]) : null)
    if (c.attributes.operands[2] === null) result.push(c.needs(t) ? whereRun([condition, 0, g]) : null)
    return result
  },
})

/** The type of `where`. */
export interface Where extends FunctionInfo {
  (condition: Tensor, input: TensorOrScalar, other: TensorOrScalar): Tensor
  (condition: Tensor): Tensor[]
}

/**
 * `input` where `condition` is true, `other` elsewhere; all three broadcast. With a condition alone: the indices of
 * its true elements, one tensor for each dimension. The method is `x.where(condition, other)`.
 * @throws RuntimeError where the condition is not a bool tensor.
 */
export const where: Where = Object.assign(
  ((condition: Tensor, ...values: TensorOrScalar[]) => {
    checkTensor('where', 'condition', condition)
    if (values.length === 0) return nonzero(condition).unbind(1)
    if (values.length !== 2 || values.some((v) => v === undefined))
      throw new TypeError_(`where() takes 1 or 3 arguments but ${1 + values.length} were given`)
    if (condition.dtype !== bool && condition.dtype !== uint8)
      throw new RuntimeError(
        `where expected condition to be a boolean tensor, but got a tensor with dtype ${scalarTypeName(condition.dtype)}`,
      )
    const truth = condition.dtype === bool ? condition : condition.ne(0)
    return whereRun([truth, values[0], values[1]])
  }) as {
    (condition: Tensor, input: TensorOrScalar, other: TensorOrScalar): Tensor
    (condition: Tensor): Tensor[]
  },
  { required: ['condition', 'input', 'other'], optional: [], method: false },
)

/** The method form of `where`: the tensor's elements where `condition` is true, `other` elsewhere. */
export const whereMethod = (x: Tensor, condition: Tensor, other: TensorOrScalar): Tensor =>
  where(condition, x, other)

/** Bounds of `clamp`; null or left out: none on that side. */
export interface ClampOptions {
  min?: TensorOrScalar | null
  max?: TensorOrScalar | null
}

/** The type of `clamp`. */
export interface Clamp {
  (x: Tensor, min: TensorOrScalar | null, max?: TensorOrScalar | null): Tensor
  (x: Tensor, options: ClampOptions): Tensor
}

function checkClampType(x: Expr, name: string): void {
  if (x.type === 'bool') throw new NotImplementedError(`"${name}" not implemented for 'Bool'`)
}

const unit = (x: Expr): Expr => k.constant(1, x.type)
const nothing = (x: Expr): Expr => k.constant(0, x.type)

const clampNode = ([, ...bounds]: readonly (Scalar | null)[]): string =>
  bounds.includes(null) ? 'ClampBackward0' : 'ClampBackward1'

const clampBoth = pointwise(
  withPartials(
    {
      name: 'clamp',
      node: clampNode,
      kernel: ([x, low, high]) => {
        checkClampType(x, 'clamp')
        return k.min(k.max(x, low), high)
      },
    },
    [
      ([x, low, high]) => k.select(k.and(k.ge(x, low), k.le(x, high)), unit(x), nothing(x)),
      ([x, low, high]) => k.select(k.and(k.lt(x, low), k.lt(low, high)), unit(x), nothing(x)),
      ([x, low, high]) => k.select(k.or(k.gt(x, high), k.lt(high, low)), unit(x), nothing(x)),
    ],
  ),
)

function clampOneSide(name: string, node: typeof clampNode, side: 'min' | 'max'): Pointwise {
  const inside = side === 'min' ? k.ge : k.le
  const outside = side === 'min' ? k.lt : k.gt
  return pointwise(
    withPartials(
      {
        name,
        node,
        kernel: ([x, bound]) => {
          if (x.type === 'bool') return side === 'min' ? k.or(x, bound) : k.and(x, bound)
          return side === 'min' ? k.max(x, bound) : k.min(x, bound)
        },
      },
      [
        ([x, bound]) => k.select(inside(x, bound), unit(x), nothing(x)),
        ([x, bound]) => k.select(outside(x, bound), unit(x), nothing(x)),
      ],
    ),
  )
}

const clampLow = clampOneSide('clamp', clampNode, 'min')
const clampHigh = clampOneSide('clamp', clampNode, 'max')

function chooseClamp(x: Tensor, { min = null, max = null }: ClampOptions): [Pointwise, TensorOrScalar[]] {
  checkTensor('clamp', 'input', x)
  if (min === null && max === null)
    throw new RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
  if (min === null) return [clampHigh, [x, max!]]
  return max === null ? [clampLow, [x, min]] : [clampBoth, [x, min, max]]
}

/**
 * Each element limited to the range from `min` to `max`: numbers or tensors, either may be null or left out.
 * `x.clamp(0, 1)`, `x.clamp(0)`, `x.clamp({ max: 1 })`. NaN stays NaN.
 */
export const clamp: Clamp & FunctionInfo & { readonly inPlace: Clamp } = withInPlace(
  fn<Clamp>('clamp', ['input'], ['min', 'max'], (x: Tensor, options: ClampOptions) => {
    const [run, operands] = chooseClamp(x, options)
    return run(operands)
  }),
  fn<Clamp>('clamp_', ['input'], ['min', 'max'], (x: Tensor, options: ClampOptions) => {
    const [run, operands] = chooseClamp(x, options)
    return run.inPlace(operands)
  }),
)

/** The same as `clamp`. */
export const clip: Clamp & FunctionInfo & { readonly inPlace: Clamp } = clamp

/** The type of `clampMin`. */
export interface ClampMin extends FunctionInfo {
  (x: Tensor, min: TensorOrScalar): Tensor
  readonly inPlace: (x: Tensor, min: TensorOrScalar) => Tensor
}

/** The type of `clampMax`. */
export interface ClampMax extends FunctionInfo {
  (x: Tensor, max: TensorOrScalar): Tensor
  readonly inPlace: (x: Tensor, max: TensorOrScalar) => Tensor
}

function clampSide(side: 'min' | 'max'): (x: Tensor, bound: TensorOrScalar) => Tensor {
  const title = side === 'min' ? 'ClampMin' : 'ClampMax'
  const run = clampOneSide(`clamp_${side}`, ([, bound]) => `${title}Backward${bound === null ? 1 : 0}`, side)
  return Object.assign((x: Tensor, bound: TensorOrScalar) => run([x, bound]), {
    required: ['input', side],
    optional: [],
    method: true,
    inPlace: (x: Tensor, bound: TensorOrScalar) => run.inPlace([x, bound]),
  })
}

/** Each element, or `min` where that is larger. */
export const clampMin: ClampMin = clampSide('min') as ClampMin

/** Each element, or `max` where that is smaller. */
export const clampMax: ClampMax = clampSide('max') as ClampMax

// The value takes the dtype of the tensor that is filled.
const maskedFillRun: Pointwise = pointwise({
  name: 'masked_fill',
  node: ([, , value]) => (value === null ? 'MaskedFillBackward1' : 'MaskedFillBackward0'),
  kernel: ([x, mask, value]) => k.select(truthOf(mask), value, x),
  saves: [1],
  backward: (g, c) => {
    const mask = c.input(1)
    const result = [c.needs(0) ? maskedFillRun([g, mask, 0]) : null, null]
    if (c.attributes.operands[2] === null) result.push(c.needs(2) ? whereRun([mask, g, 0]) : null)
    return result
  },
})

const cNames: Partial<Record<string, string>> = {
  uint8: 'unsigned char',
  int8: 'signed char',
  int16: 'short',
  int32: 'int',
  int64: 'long int',
  float16: 'c10::Half',
  bfloat16: 'c10::BFloat16',
  float32: 'float',
  float64: 'double',
}

function maskedFillOperands(x: Tensor, mask: Tensor, value: TensorOrScalar): TensorOrScalar[] {
  checkTensor('masked_fill', 'input', x)
  checkTensor('masked_fill', 'mask', mask)
  if (mask.dtype !== bool)
    throw new RuntimeError(
      `masked_fill_ only supports boolean masks, but got mask with dtype ${cNames[mask.dtype.name]}`,
    )
  if (value instanceof Tensor) {
    if (value.ndim !== 0)
      throw new RuntimeError(
        `masked_fill_ only supports a 0-dimensional value tensor, but got tensor with ${value.ndim} dimension(s).`,
      )
    // A number that the dtype cannot hold is refused; its value must be known for that.
    if (value.dtype.isComplex && !x.dtype.isComplex) {
      const known = value.device.type === 'meta' ? null : onHost(value.detach())
      if (known !== null) asElement(known.item() as Complex, x.dtype)
    }
    return [x, mask, value.to(x.dtype)]
  }
  if (
    typeof value !== 'number' &&
    typeof value !== 'boolean' &&
    typeof value !== 'bigint' &&
    !(value instanceof Complex)
  )
    throw new TypeError_(
      `masked_fill(): argument 'value' must be a number or a tensor, not ${describe(value)}`,
    )
  return [x, mask, asElement(value, x.dtype)]
}

/** The type of `maskedFill`. */
export interface MaskedFill extends FunctionInfo {
  (x: Tensor, mask: Tensor, value: TensorOrScalar): Tensor
  readonly inPlace: (x: Tensor, mask: Tensor, value: TensorOrScalar) => Tensor
}

/**
 * `value` (a number or a tensor without dimensions) where `mask` is true, the tensor's elements elsewhere. The
 * result has the tensor's dtype; the two shapes broadcast.
 * @throws RuntimeError where the mask is not a bool tensor.
 */
export const maskedFill: MaskedFill = Object.assign(
  (x: Tensor, mask: Tensor, value: TensorOrScalar) => maskedFillRun(maskedFillOperands(x, mask, value)),
  {
    required: ['input', 'mask', 'value'],
    optional: [],
    method: true,
    inPlace: (x: Tensor, mask: Tensor, value: TensorOrScalar) =>
      maskedFillRun.inPlace(maskedFillOperands(x, mask, value)),
  },
)
