// Comparisons, and tests for NaN and infinity.

import { bfloat16, type DType, float16, int64, scalarTypeName, uint8 } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { roundToBfloat16, roundToHalf } from '../core/half.ts'
import { sameSizes } from '../core/shape.ts'
import { imaginaryPart, isComplex, realPart } from '../kernels/complex.ts'
import * as k from '../kernels/expr.ts'
import { type Expr, isFloat } from '../kernels/expr.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { needHost } from './host.ts'
import { checkTensor, type FunctionInfo, fn } from './op.ts'
import { withZeroGradient } from './partials.ts'
import { type Binary, type Pointwise, pointwise, type TensorOrScalar, type UnaryOnly } from './pointwise.ts'

// ---- comparisons ----------------------------------------------------------------------------------------------------

// A number meets a tensor in the tensor's dtype, as in PyTorch: half(0.1) equals 0.1, and uint8(255) equals -1.
function inPrecisionOf(dtype: DType, value: TensorOrScalar): TensorOrScalar {
  if (typeof value !== 'number') return value
  if (dtype === float16) return roundToHalf(value)
  if (dtype === bfloat16) return roundToBfloat16(value)
  if (dtype.kind !== 'int' || dtype === int64 || !Number.isSafeInteger(value)) return value
  const bits = 8 * dtype.itemsize
  return Number(dtype === uint8 ? BigInt.asUintN(bits, BigInt(value)) : BigInt.asIntN(bits, BigInt(value)))
}

function comparison(name: string, kernel: (a: Expr, b: Expr) => Expr): Binary {
  const spec = { name, result: 'bool', kernel: ([a, b]: readonly Expr[]) => kernel(a, b) } as const
  const run = pointwise(spec)
  const title = name[0].toUpperCase() + name.slice(1)
  const writing = pointwise(
    withZeroGradient({ ...spec, node: ([, other]) => `${title}Backward${other === null ? 1 : 0}` }),
  )
  return Object.assign(
    (x: Tensor, other: TensorOrScalar) => {
      checkTensor(name, 'input', x)
      return run([x, inPrecisionOf(x.dtype, other)])
    },
    {
      required: ['input', 'other'],
      optional: [],
      method: true,
      inPlace: (x: Tensor, other: TensorOrScalar) => writing.inPlace([x, inPrecisionOf(x.dtype, other)]),
    },
  )
}

/** `x == other`, element by element: a bool tensor. NaN equals nothing. */
export const eq: Binary = comparison('eq', k.eq)
/** `x != other`, element by element. */
export const ne: Binary = comparison('ne', k.ne)
/** `x < other`, element by element. */
export const lt: Binary = comparison('lt', k.lt)
/** `x <= other`, element by element. */
export const le: Binary = comparison('le', k.le)
/** `x > other`, element by element. */
export const gt: Binary = comparison('gt', k.gt)
/** `x >= other`, element by element. */
export const ge: Binary = comparison('ge', k.ge)

/** The same as `ne`. */
export const notEqual: Binary = ne
/** The same as `lt`. */
export const less: Binary = lt
/** The same as `le`. */
export const lessEqual: Binary = le
/** The same as `gt`. */
export const greater: Binary = gt
/** The same as `ge`. */
export const greaterEqual: Binary = ge

// ---- NaN and infinity -----------------------------------------------------------------------------------------------

function test(name: string, ofFloat: (x: Expr) => Expr, ofInteger: boolean): UnaryOnly {
  const run = pointwise({
    name,
    result: 'bool',
    kernel: ([x]) => (isFloat(x.type) ? ofFloat(x) : k.constant(ofInteger, 'bool')),
  })
  return Object.assign((x: Tensor) => run([x]), { required: ['input'], optional: [], method: true })
}

const isFinite_ = (x: Expr): Expr => k.lt(k.abs(x), Number.POSITIVE_INFINITY)
const isInfinite = (x: Expr): Expr => k.eq(k.abs(x), Number.POSITIVE_INFINITY)

function ofParts(x: Expr, of: (x: Expr) => Expr, join: (a: Expr, b: Expr) => Expr): Expr {
  return isComplex(x) ? join(of(realPart(x)), of(imaginaryPart(x))) : of(x)
}

/** Whether an element is NaN. */
export const isnan: UnaryOnly = test('isnan', k.isNaN_, false)
/** Whether an element is an infinity. */
export const isinf: UnaryOnly = test('isinf', (x) => ofParts(x, isInfinite, k.or), false)
/** Whether an element is neither NaN nor an infinity. */
export const isfinite: UnaryOnly = test('isfinite', (x) => ofParts(x, isFinite_, k.and), true)
/** Whether an element is positive infinity. Not a method. */
export const isposinf: UnaryOnly = test('isposinf', (x) => k.eq(x, Number.POSITIVE_INFINITY), false)
/** Whether an element is negative infinity. Not a method. */
export const isneginf: UnaryOnly = test('isneginf', (x) => k.eq(x, Number.NEGATIVE_INFINITY), false)
/** Whether an element has no imaginary part: always, for real numbers. */
export const isreal: UnaryOnly = test('isreal', (x) => k.eq(imaginaryPart(x), 0), true)

/** Options of `isclose` and `allclose`. */
export interface CloseOptions {
  /** How far apart numbers may be, relative to `other`; default 1e-5. */
  rtol?: number
  /** How far apart they may be in addition; default 1e-8. */
  atol?: number
  /** Whether NaN is close to NaN; default false. */
  equalNan?: boolean
}

/** The type of `isclose`. */
export interface IsClose {
  (x: Tensor, other: Tensor, rtol: number, options?: Omit<CloseOptions, 'rtol'>): Tensor
  (x: Tensor, other: Tensor, options?: CloseOptions): Tensor
}

function closeRun(equalNan: boolean): Pointwise {
  return pointwise({
    name: 'isclose',
    result: 'bool',
    kernel: ([a, b], [rtol, atol]) => {
      if (a.type === 'bool') return k.eq(a, b)
      let close = k.eq(a, b)
      if (equalNan && isFloat(a.type)) close = k.or(close, k.and(k.isNaN_(a), k.isNaN_(b)))
      const type = isComplex(a) ? a.type : rtol.type
      const [x, y] = [k.cast(a, type), k.cast(b, type)]
      const difference = k.abs(k.sub(x, y))
      const finite = k.lt(difference, Number.POSITIVE_INFINITY)
      return k.or(close, k.and(finite, k.le(difference, k.add(atol, k.abs(k.mul(rtol, y))))))
    },
  })
}

const closeRuns = { strict: closeRun(false), nan: closeRun(true) }

/** Whether `|x - other| <= atol + rtol |other|`, element by element. Both must have one dtype. */
export const isclose: IsClose & FunctionInfo = fn<IsClose>(
  'isclose',
  ['input', 'other'],
  ['rtol', 'atol', 'equalNan'],
  (x: Tensor, other: Tensor, { rtol = 1e-5, atol = 1e-8, equalNan = false }: CloseOptions) => {
    checkTensor('isclose', 'input', x)
    checkTensor('isclose', 'other', other)
    if (x.dtype !== other.dtype)
      throw new RuntimeError(`${scalarTypeName(x.dtype)} did not match ${scalarTypeName(other.dtype)}`)
    for (const [name, value] of [
      ['rtol', rtol],
      ['atol', atol],
    ] as const)
      if (!(value >= 0))
        throw new RuntimeError(`${name} must be greater than or equal to zero, but got ${value}`)
    return (equalNan ? closeRuns.nan : closeRuns.strict)([x, other], [rtol, atol])
  },
)

/** The type of `allclose`. */
export interface AllClose {
  (x: Tensor, other: Tensor, rtol: number, options?: Omit<CloseOptions, 'rtol'>): boolean
  (x: Tensor, other: Tensor, options?: CloseOptions): boolean
}

/** Whether all elements are close, see `isclose`: a JavaScript boolean. */
export const allclose: AllClose & FunctionInfo = fn<AllClose>(
  'allclose',
  ['input', 'other'],
  ['rtol', 'atol', 'equalNan'],
  (x: Tensor, other: Tensor, options: CloseOptions) =>
    isclose(needHost('allclose', x), needHost('allclose', other), options).all().item() as boolean,
)

/** The type of `equal`. */
export interface Equal extends FunctionInfo {
  (x: Tensor, other: Tensor): boolean
}

/** Whether two tensors have the same shape and the same elements: a JavaScript boolean. */
export const equal: Equal = Object.assign(
  (x: Tensor, other: Tensor) => {
    checkTensor('equal', 'input', x)
    checkTensor('equal', 'other', other)
    return (
      sameSizes(x.sizes, other.sizes) &&
      (eq(needHost('equal', x), needHost('equal', other)).all().item() as boolean)
    )
  },
  { required: ['input', 'other'], optional: [], method: true },
)
