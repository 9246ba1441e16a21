// The parts of a floating number: mantissa and exponent, the next number that can be represented.

import { bfloat16, type DType, float16, int32 } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import type { Expr } from '../kernels/expr.ts'
import * as k from '../kernels/expr.ts'
import { bfloat16ToFloat, floatToBfloat16, floatToHalf, halfToFloat } from '../kernels/half-bits.ts'
import { type NamedResult, namedResult } from '../tensor/return-types.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { applyMany, checkTensor, type FunctionInfo, type Op } from './op.ts'
import { type Binary, type Pointwise, pointwise, type TensorOrScalar } from './pointwise.ts'

const zero = (x: Expr): Expr => k.constant(0, x.type)

const exponentRun = pointwise({
  name: 'frexp',
  // The exponent's bits; denormals are scaled up first.
  kernel: ([x]) => {
    const isDouble = x.type === 'f64'
    const [bitsType, mantissaBits, bias] = isDouble
      ? (['i64', 52, 1022] as const)
      : (['i32', 23, 126] as const)
    const shift = isDouble ? 54 : 25
    const isSmall = k.lt(k.abs(x), 2 ** (1 - bias))
    const scaled = k.select(isSmall, k.mul(x, 2 ** shift), x)
    const mask = isDouble ? 0x7ff : 0xff
    const biased = k.and(k.shrUnsigned(k.bitcast(scaled, bitsType), mantissaBits), mask)
    const exponent = k.sub(k.cast(biased, x.type), k.select(isSmall, k.constant(bias + shift, x.type), bias))
    const special = k.or(k.eq(x, 0), k.not(k.lt(k.abs(x), Number.POSITIVE_INFINITY)))
    return k.select(special, zero(x), exponent)
  },
})

// x * 2^-exponent, in halves so that neither factor overflows. PyTorch's derivative divides by 2^exponent.
const mantissaRun: Pointwise = pointwise({
  name: 'frexp',
  node: 'DivBackward0',
  saves: [1],
  backward: (g, c) => [mantissaRun([g, c.input(1)]), null],
  kernel: ([x, exponent]) => {
    const half = k.trunc(k.mul(exponent, -0.5))
    const rest = k.sub(k.neg(exponent), half)
    return k.mul(k.mul(x, k.exp2(half)), k.exp2(rest))
  },
})

const frexpOp: Op<null> = {
  node: 'FrexpBackward0',
  forward: ([x]) => {
    const exponent = exponentRun([x])
    return [mantissaRun([x, exponent]), exponent.to(int32)]
  },
  savesOutputs: [1],
  nonDifferentiable: [1],
  backward: ([g], c) => [g === null ? null : mantissaRun([g, c.output(1).to(g.dtype)])],
}

/** The result of `frexp`. */
export type MantissaExponent = NamedResult<{ mantissa: Tensor; exponent: Tensor }>

/** The type of `frexp`. */
export interface Frexp extends FunctionInfo {
  (x: Tensor): MantissaExponent
}

/** The mantissa, between 0.5 and 1 in size, and the int32 exponent of floats: `x = mantissa * 2^exponent`. */
export const frexp: Frexp = Object.assign(
  (x: Tensor) => {
    checkTensor('frexp', 'input', x)
    if (x.dtype.kind !== 'float') throw new RuntimeError('torch.frexp() only supports floating-point dtypes')
    const [mantissa, exponent] = applyMany(frexpOp, [x], null)
    return namedResult('frexp', { mantissa, exponent })
  },
  { required: ['input'], optional: [], method: true },
)

// Numbers as bits: how those of a dtype are had from what kernels compute with, and back.
interface Encoding {
  readonly encode: (x: Expr) => Expr
  readonly decode: (bits: Expr) => Expr
}

const ownBits: Encoding = {
  encode: (x) => k.bitcast(x, x.type === 'f64' ? 'i64' : 'i32'),
  decode: (bits) => k.bitcast(bits, bits.type === 'i64' ? 'f64' : 'f32'),
}

function nextafterOf({ encode, decode }: Encoding): Pointwise {
  return pointwise({
    name: 'nextafter',
    refuses: ['bool', 'int'],
    kernel: ([x, y]) => {
      const bits = encode(x)
      // Away from zero the bits count up, toward it down; from zero to the smallest number of the wanted sign.
      const away = k.eq(k.gt(y, x), k.gt(x, 0))
      const moved = decode(k.select(away, k.add(bits, 1), k.sub(bits, 1)))
      const smallest = decode(k.constant(1, bits.type))
      const fromZero = k.select(k.gt(y, 0), smallest, k.neg(smallest))
      const step = k.select(k.eq(x, 0), fromZero, moved)
      const isNaN_ = k.or(k.isNaN_(x), k.isNaN_(y))
      return k.select(isNaN_, Number.NaN, k.select(k.eq(x, y), y, step))
    },
    saves: [0, 1],
    // As PyTorch: the neighbour moves with `x`, unless there is none on the way.
    backward: (g, c) => [
      c.needs(0) ? g.maskedFill(c.input(0).eq(c.input(1)), 0) : null,
      c.needs(1) ? g.mul(0) : null,
    ],
  })
}

const nextafterRuns = {
  own: nextafterOf(ownBits),
  half: nextafterOf({ encode: floatToHalf, decode: halfToFloat }),
  bfloat16: nextafterOf({ encode: floatToBfloat16, decode: bfloat16ToFloat }),
}

function chooseNextafter(dtype: DType): Pointwise {
  return dtype === float16
    ? nextafterRuns.half
    : dtype === bfloat16
      ? nextafterRuns.bfloat16
      : nextafterRuns.own
}

/** The next number that the dtype can represent after `x` toward `other`. Floats only. */
export const nextafter: Binary = Object.assign(
  (x: Tensor, other: TensorOrScalar) => {
    checkTensor('nextafter', 'input', x)
    return chooseNextafter(x.dtype)([x, other])
  },
  {
    required: ['input', 'other'],
    optional: [],
    method: true,
    inPlace: (x: Tensor, other: TensorOrScalar) => chooseNextafter(x.dtype).inPlace([x, other]),
  },
)
