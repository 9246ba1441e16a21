// Special functions: the members of torch.special that are not in math.ts, and those that torch has besides
// (polygamma, igamma, mvlgamma).

import { scalarTypeName } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import type { Expr, RareName } from '../kernels/expr.ts'
import * as k from '../kernels/expr.ts'
import { Tensor } from '../tensor/tensor.ts'
import { arange } from './creation.ts'
import { checkTensor, type FunctionInfo } from './op.ts'
import { withPartials } from './partials.ts'
import {
  type Binary,
  type BinaryOfEither,
  binary,
  type Pointwise,
  type PointwiseSpec,
  pointwise,
  type TensorOrScalar,
  type Unary,
  type UnaryOnly,
  unary,
} from './pointwise.ts'

const one = (x: Expr): Expr => k.constant(1, x.type)
const zero = (x: Expr): Expr => k.constant(0, x.type)

// A function of torch.special: not a method of tensors.
function notMethod(spec: PointwiseSpec): UnaryOnly {
  const run = pointwise(spec)
  return Object.assign((x: Tensor) => run([x]), { required: ['input'], optional: [], method: false })
}

function differentiable(
  name: string,
  node: string,
  kernel: (x: Expr) => Expr,
  derivative: ((x: Expr) => Expr) | null = null,
): PointwiseSpec {
  return withPartials({ name, node, result: 'float', kernel: ([x]) => kernel(x) }, [
    derivative === null ? null : ([x]) => derivative(x),
  ])
}

// ---- Bessel functions of the normal range -----------------------------------------------------------------------------

/** The modified Bessel function of the first kind, order 0. */
export const i0: Unary = unary(differentiable('i0', 'I0Backward0', k.i0))

/** `exp(-|x|) i0(x)`. */
export const i0e: UnaryOnly = notMethod(differentiable('special_i0e', 'SpecialI0EBackward0', k.i0e))

/** The modified Bessel function of the first kind, order 1. */
export const i1: UnaryOnly = notMethod(differentiable('special_i1', 'SpecialI1Backward0', k.i1))

/** `exp(-|x|) i1(x)`. */
export const i1e: UnaryOnly = notMethod(differentiable('special_i1e', 'SpecialI1EBackward0', k.i1e))

// ---- the normal distribution, entropy ---------------------------------------------------------------------------------

/** `-x log(x)`: 0 at 0, minus infinity below. */
export const entr: UnaryOnly = notMethod(
  differentiable(
    'special_entr',
    'SpecialEntrBackward0',
    (x) => {
      const positive = k.neg(k.mul(x, k.log(x)))
      const rest = k.select(k.eq(x, 0), zero(x), k.constant(Number.NEGATIVE_INFINITY, x.type))
      return k.select(k.isNaN_(x), x, k.select(k.gt(x, 0), positive, rest))
    },
    (x) => k.sub(k.neg(k.log(x)), one(x)),
  ),
)

/** `exp(x^2) erfc(x)`. */
export const erfcx: UnaryOnly = notMethod(differentiable('special_erfcx', 'SpecialErfcxBackward0', k.erfcx))

/** The probability that a standard normal number is below `x`. */
export const ndtr: UnaryOnly = notMethod(
  differentiable(
    'special_ndtr',
    'SpecialNdtrBackward0',
    (x) => k.mul(k.erfc(k.mul(x, -Math.SQRT1_2)), 0.5),
    (x) => k.mul(k.exp(k.mul(k.mul(x, x), -0.5)), 1 / Math.sqrt(2 * Math.PI)),
  ),
)

/** The inverse of `ndtr`. */
export const ndtri: UnaryOnly = notMethod(differentiable('special_ndtri', 'SpecialNdtriBackward0', k.ndtri))

/** The logarithm of `ndtr`, accurate far below 0. */
export const logNdtr: UnaryOnly = notMethod(
  differentiable('special_log_ndtr', 'SpecialLogNdtrBackward0', k.logNdtr),
)

// ---- gamma and zeta functions -------------------------------------------------------------------------------------------

/** The type of `polygamma`: the order comes first in the function, second in the method `x.polygamma(n)`. */
export interface Polygamma extends FunctionInfo {
  (x: Tensor, n: number): Tensor
  (n: number, x: Tensor): Tensor
  readonly inPlace: (x: Tensor, n: number) => Tensor
}

const polygammaRuns = new Map<number, Pointwise>()

function polygammaRun(n: number): Pointwise {
  if (!Number.isInteger(n) || n < 0)
    throw new RuntimeError(`polygamma(n, x) does not support negative n. (n is ${n})`)
  let run = polygammaRuns.get(n)
  if (run === undefined) {
    const node = n === 0 ? 'DigammaBackward0' : 'PolygammaBackward0'
    const order = (x: Expr): Expr => (n === 0 ? k.digamma(x) : k.polygamma(k.constant(n, x.type), x))
    run = pointwise(differentiable('polygamma', node, order))
    polygammaRuns.set(n, run)
  }
  return run
}

/** The n-th derivative of `digamma`. */
export const polygamma: Polygamma = Object.assign(
  (a: Tensor | number, b: Tensor | number) => {
    const [n, x] = a instanceof Tensor ? [b, a] : [a, b]
    checkTensor('polygamma', 'input', x)
    return polygammaRun(n as number)([x])
  },
  {
    required: ['n', 'input'],
    optional: [],
    method: true,
    inPlace: (x: Tensor, n: number) => polygammaRun(n).inPlace([x]),
  },
)

function igammaOf(name: 'igamma' | 'igammac', kernel: (a: Expr, x: Expr) => Expr): Binary {
  return binary(
    withPartials({ name, refuses: ['bool', 'int'], kernel: ([a, x]) => kernel(a, x) }, ['none', null]),
  )
}

/** The regularised lower incomplete gamma function of order `x` at `other`. Differentiable by `other` only. */
export const igamma: Binary = igammaOf('igamma', k.gammainc)

/** The regularised upper incomplete gamma function of order `x` at `other`. Differentiable by `other` only. */
export const igammac: Binary = igammaOf('igammac', k.gammaincc)

/** The type of `mvlgamma`. */
export interface Mvlgamma extends FunctionInfo {
  (x: Tensor, p: number): Tensor
  readonly inPlace: (x: Tensor, p: number) => Tensor
}

function multivariate(x: Tensor, p: number): Tensor {
  checkTensor('mvlgamma', 'input', x)
  if (!(p >= 1)) throw new RuntimeError('p has to be greater than or equal to 1')
  const floating = x.dtype.kind === 'float' ? x : x.float()
  const shifts = arange(0, p, { dtype: floating.dtype, device: x.device }).mul(-0.5)
  return floating
    .unsqueeze(-1)
    .add(shifts)
    .lgamma()
    .sum(-1)
    .add((p * (p - 1) * Math.log(Math.PI)) / 4)
}

/** The logarithm of the multivariate gamma function of dimension `p`. */
export const mvlgamma: Mvlgamma = Object.assign(multivariate, {
  required: ['input', 'p'],
  optional: [],
  method: true,
  inPlace: (x: Tensor, p: number) => {
    if (x.dtype.kind !== 'float')
      throw new RuntimeError(
        `mvlgamma: result type ${scalarTypeName(x.dtype)} can't be cast to the desired output type Float`,
      )
    return x.copy_(multivariate(x, p))
  },
})

const zetaRun = pointwise(
  withPartials(
    { name: 'special_zeta', node: 'SpecialZetaBackward0', result: 'float', kernel: ([x, q]) => k.zeta(x, q) },
    ['none', null],
  ),
)

// A function of two operands, tensors or numbers, that is no method.
function specialBinary(run: Pointwise, names: readonly string[] = ['input', 'other']): BinaryOfEither {
  return Object.assign((x: TensorOrScalar, other: TensorOrScalar) => run([x, other]), {
    required: names,
    optional: [],
    method: false,
    inPlace: (x: Tensor, other: TensorOrScalar) => run.inPlace([x, other]),
  })
}

/** Hurwitz' zeta function: the sum of `(other + k)^-x` over k from 0 on. Differentiable by `other` only. */
export const zeta: BinaryOfEither = specialBinary(zetaRun)

const xlog1pyRun = pointwise(
  withPartials(
    {
      name: 'special_xlog1py',
      node: ([x, other]) => `SpecialXlog1PyBackward${x !== null ? 1 : other !== null ? 2 : 0}`,
      result: 'float',
      kernel: ([x, y]) => k.select(k.isNaN_(y), y, k.select(k.eq(x, 0), zero(x), k.mul(x, k.log1p(y)))),
    },
    [
      ([x, y]) => k.select(k.and(k.eq(x, 0), k.le(y, -1)), zero(x), k.log1p(y)),
      ([x, y]) => k.div(x, k.add(y, 1)),
    ],
  ),
)

/** `x log(1 + other)`, 0 where `x` is 0. */
export const xlog1py: BinaryOfEither = specialBinary(xlog1pyRun)

// ---- rarely used, and without derivatives -------------------------------------------------------------------------------

function rare(name: string, fnName: RareName): UnaryOnly {
  return notMethod({ name, result: 'float', kernel: ([x]) => k.rare(fnName, x) })
}

/** The Bessel function of the first kind, order 0. */
export const besselJ0: UnaryOnly = rare('special_bessel_j0', 'besselJ0')
/** The Bessel function of the first kind, order 1. */
export const besselJ1: UnaryOnly = rare('special_bessel_j1', 'besselJ1')
/** The Bessel function of the second kind, order 0. */
export const besselY0: UnaryOnly = rare('special_bessel_y0', 'besselY0')
/** The Bessel function of the second kind, order 1. */
export const besselY1: UnaryOnly = rare('special_bessel_y1', 'besselY1')
/** The modified Bessel function of the first kind, order 0. */
export const modifiedBesselI0: UnaryOnly = rare('special_modified_bessel_i0', 'modifiedBesselI0')
/** The modified Bessel function of the first kind, order 1. */
export const modifiedBesselI1: UnaryOnly = rare('special_modified_bessel_i1', 'modifiedBesselI1')
/** The modified Bessel function of the second kind, order 0. */
export const modifiedBesselK0: UnaryOnly = rare('special_modified_bessel_k0', 'modifiedBesselK0')
/** The modified Bessel function of the second kind, order 1. */
export const modifiedBesselK1: UnaryOnly = rare('special_modified_bessel_k1', 'modifiedBesselK1')
/** `exp(x) modifiedBesselK0(x)`. */
export const scaledModifiedBesselK0: UnaryOnly = rare(
  'special_scaled_modified_bessel_k0',
  'scaledModifiedBesselK0',
)
/** `exp(x) modifiedBesselK1(x)`. */
export const scaledModifiedBesselK1: UnaryOnly = rare(
  'special_scaled_modified_bessel_k1',
  'scaledModifiedBesselK1',
)
/** `sin(x) / x`. */
export const sphericalBesselJ0: UnaryOnly = rare('special_spherical_bessel_j0', 'sphericalBesselJ0')
/** Airy's function Ai. */
export const airyAi: UnaryOnly = rare('special_airy_ai', 'airyAi')

function polynomial(name: string, fnName: RareName): BinaryOfEither {
  const run = pointwise({
    name: `special_${name}`,
    result: 'float',
    kernel: ([x, n]) => k.rare(fnName, x, n),
  })
  return specialBinary(run, ['input', 'n'])
}

/** The Chebyshev polynomial of the first kind, of degree `n`. */
export const chebyshevPolynomialT: BinaryOfEither = polynomial('chebyshev_polynomial_t', 'chebyshevT')
/** The Chebyshev polynomial of the second kind, of degree `n`. */
export const chebyshevPolynomialU: BinaryOfEither = polynomial('chebyshev_polynomial_u', 'chebyshevU')
/** The Chebyshev polynomial of the third kind, of degree `n`. */
export const chebyshevPolynomialV: BinaryOfEither = polynomial('chebyshev_polynomial_v', 'chebyshevV')
/** The Chebyshev polynomial of the fourth kind, of degree `n`. */
export const chebyshevPolynomialW: BinaryOfEither = polynomial('chebyshev_polynomial_w', 'chebyshevW')
/** The Chebyshev polynomial of the first kind at `2 x - 1`. */
export const shiftedChebyshevPolynomialT: BinaryOfEither = polynomial(
  'shifted_chebyshev_polynomial_t',
  'shiftedChebyshevT',
)
/** The Chebyshev polynomial of the second kind at `2 x - 1`. */
export const shiftedChebyshevPolynomialU: BinaryOfEither = polynomial(
  'shifted_chebyshev_polynomial_u',
  'shiftedChebyshevU',
)
/** The Chebyshev polynomial of the third kind at `2 x - 1`. */
export const shiftedChebyshevPolynomialV: BinaryOfEither = polynomial(
  'shifted_chebyshev_polynomial_v',
  'shiftedChebyshevV',
)
/** The Chebyshev polynomial of the fourth kind at `2 x - 1`. */
export const shiftedChebyshevPolynomialW: BinaryOfEither = polynomial(
  'shifted_chebyshev_polynomial_w',
  'shiftedChebyshevW',
)
/** The physicists' Hermite polynomial of degree `n`. */
export const hermitePolynomialH: BinaryOfEither = polynomial('hermite_polynomial_h', 'hermiteH')
/** The probabilists' Hermite polynomial of degree `n`. */
export const hermitePolynomialHe: BinaryOfEither = polynomial('hermite_polynomial_he', 'hermiteHe')
/** The Laguerre polynomial of degree `n`. */
export const laguerrePolynomialL: BinaryOfEither = polynomial('laguerre_polynomial_l', 'laguerreL')
/** The Legendre polynomial of degree `n`. */
export const legendrePolynomialP: BinaryOfEither = polynomial('legendre_polynomial_p', 'legendreP')
