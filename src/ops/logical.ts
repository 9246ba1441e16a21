// Logic on truth values and on the bits of integers.

import type { Expr } from '../kernels/expr.ts'
import * as k from '../kernels/expr.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { withZeroGradient } from './partials.ts'
import {
  type Binary,
  type BinaryOfEither,
  binaryOfEither,
  type PointwiseSpec,
  pointwise,
  type TensorOrScalar,
  type Unary,
} from './pointwise.ts'

// ---- truth values ---------------------------------------------------------------------------------------------------

// Operands are tested each in its own dtype; written in place the result takes the tensor's, and has no derivative.
function logical(name: string, kernel: (a: Expr, b: Expr) => Expr): Binary {
  const spec = {
    name,
    result: 'bool',
    kernel: ([a, b]: readonly Expr[]) => kernel(k.cast(a, 'bool'), k.cast(b, 'bool')),
  } as const
  const run = pointwise(spec)
  const writing = pointwise(withZeroGradient(spec))
  return Object.assign((x: Tensor, other: TensorOrScalar) => run([x, other]), {
    required: ['input', 'other'],
    optional: [],
    method: true,
    inPlace: (x: Tensor, other: TensorOrScalar) => writing.inPlace([x, other]),
  })
}

/** Whether both elements are different from 0: a bool tensor. */
export const logicalAnd: Binary = logical('logical_and', k.and)
/** Whether at least one of two elements is different from 0. */
export const logicalOr: Binary = logical('logical_or', k.or)
/** Whether exactly one of two elements is different from 0. */
export const logicalXor: Binary = logical('logical_xor', k.xor)

/** Whether an element is 0. */
export const logicalNot: Unary = makeLogicalNot()

function makeLogicalNot(): Unary {
  const spec: PointwiseSpec = {
    name: 'logical_not',
    result: 'bool',
    kernel: ([x]) => (x.type === 'bool' ? k.not(x) : k.eq(x, 0)),
  }
  const run = pointwise(spec)
  const writing = pointwise(withZeroGradient(spec))
  return Object.assign((x: Tensor) => run([x]), {
    required: ['input'],
    optional: [],
    method: true,
    inPlace: (x: Tensor) => writing.inPlace([x]),
  })
}

// ---- bits -----------------------------------------------------------------------------------------------------------

function bitwise(name: string, kernel: (a: Expr, b: Expr) => Expr): BinaryOfEither {
  return binaryOfEither(pointwise({ name, refuses: ['float'], kernel: ([a, b]) => kernel(a, b) }))
}

/** The bits set in both integers; for bools the logical and. */
export const bitwiseAnd: BinaryOfEither = bitwise('bitwise_and', k.and)
/** The bits set in at least one of two integers. */
export const bitwiseOr: BinaryOfEither = bitwise('bitwise_or', k.or)
/** The bits set in exactly one of two integers. */
export const bitwiseXor: BinaryOfEither = bitwise('bitwise_xor', k.xor)

const bitwiseNotRun = pointwise({ name: 'bitwise_not', refuses: ['float'], kernel: ([x]) => k.not(x) })

/** All bits of an integer inverted; for bools the logical not. */
export const bitwiseNot: Unary = Object.assign((x: Tensor) => bitwiseNotRun([x]), {
  required: ['input'],
  optional: [],
  method: true,
  inPlace: (x: Tensor) => bitwiseNotRun.inPlace([x]),
})

// Kernels take shift counts modulo the width; here all bits are gone by then.
const width = (x: Expr): number => (x.type === 'i64' ? 64 : 32)
const outside = (count: Expr): Expr => k.or(k.lt(count, 0), k.ge(count, width(count)))

/** `x` times 2 to the power `other`, in integers: its bits shifted to the left; 0 where the count is out of range. */
export const bitwiseLeftShift: BinaryOfEither = binaryOfEither(
  pointwise({
    name: 'lshift',
    refuses: ['bool', 'float'],
    kernel: ([a, b]) => k.select(outside(b), k.constant(0, a.type), k.shl(a, b)),
  }),
)

/** The bits of `x` shifted to the right, the sign filling up. */
export const bitwiseRightShift: BinaryOfEither = binaryOfEither(
  pointwise({
    name: 'rshift',
    refuses: ['bool', 'float'],
    kernel: ([a, b]) => k.select(outside(b), k.shr(a, width(a) - 1), k.shr(a, b)),
  }),
)
