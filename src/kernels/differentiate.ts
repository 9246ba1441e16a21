// The chain rule for kernel expressions. Operations write down their first derivative as an expression (where it counts
// how it is computed); the derivatives of that, for second and higher orders, are made here.

import * as k from './expr.ts'
import { constant, type Expr, isFloat } from './expr.ts'

const isNumber = (e: Expr, value: number): boolean => e.kind === 'const' && Number(e.value) === value

const zero = (e: Expr): Expr => constant(0, e.type)

function sum(a: Expr, b: Expr): Expr {
  return isNumber(a, 0) ? b : isNumber(b, 0) ? a : k.add(a, b)
}

function difference(a: Expr, b: Expr): Expr {
  return isNumber(b, 0) ? a : isNumber(a, 0) ? k.neg(b) : k.sub(a, b)
}

/**
 * `a * b` without the work that constants spare. A choice between factors becomes a choice between products, so
 * that 0 times an infinity stays 0 where a branch is constant.
 */
export function scale(a: Expr, b: Expr): Expr {
  if (isNumber(a, 0) || isNumber(b, 1)) return a
  if (isNumber(b, 0) || isNumber(a, 1)) return b
  if (isNumber(a, -1)) return k.neg(b)
  if (isNumber(b, -1)) return k.neg(a)
  if (b.kind === 'select' && (b.a.kind === 'const' || b.b.kind === 'const'))
    return k.select(b.cond, scale(a, b.a), scale(a, b.b))
  return k.mul(a, b)
}

function choose(cond: Expr, a: Expr, b: Expr): Expr {
  return isNumber(a, 0) && isNumber(b, 0) ? a : k.select(cond, a, b)
}

/** The derivative of `expression` by the subexpression `variable`; all else counts as constant. */
export function differentiate(expression: Expr, variable: Expr): Expr {
  const known = new Map<Expr, Expr>()
  const by = (e: Expr): Expr => {
    if (e === variable) return constant(1, e.type)
    let result = known.get(e)
    if (result === undefined) {
      result = isFloat(e.type) ? rule(e, by) : zero(e)
      known.set(e, result)
    }
    return result
  }
  return by(expression)
}

function rule(e: Expr, by: (e: Expr) => Expr): Expr {
  switch (e.kind) {
    case 'unary':
      return unaryRule(e, by)
    case 'binary':
      return binaryRule(e, by)
    case 'select':
      return choose(e.cond, by(e.a), by(e.b))
    case 'cast':
      return isFloat(e.a.type) ? k.cast(by(e.a), e.type) : zero(e)
    case 'math':
      return mathRule(e, by)
    case 'const':
    case 'scalar':
    case 'load':
    case 'local':
    case 'index':
    case 'compare':
    case 'bitcast':
      return zero(e)
    default:
      e satisfies never
      return e
  }
}

function unaryRule(e: Extract<Expr, { kind: 'unary' }>, by: (e: Expr) => Expr): Expr {
  const d = by(e.a)
  if (isNumber(d, 0)) return d
  switch (e.fn) {
    case 'neg':
      return scale(constant(-1, e.type), d)
    case 'abs':
      return scale(d, sign(e.a))
    case 'sqrt':
      return scale(d, k.div(constant(0.5, e.type), e))
    default:
      // Rounding: constant between its steps.
      return zero(e)
  }
}

/** 1, -1 or 0 (for 0 and NaN). */
export function sign(x: Expr): Expr {
  return k.select(k.gt(x, 0), constant(1, x.type), k.select(k.lt(x, 0), constant(-1, x.type), zero(x)))
}

function binaryRule(e: Extract<Expr, { kind: 'binary' }>, by: (e: Expr) => Expr): Expr {
  const { a, b } = e
  const [da, db] = [by(a), by(b)]
  if (isNumber(da, 0) && isNumber(db, 0)) return da
  switch (e.fn) {
    case 'add':
      return sum(da, db)
    case 'sub':
      return difference(da, db)
    case 'mul':
      return sum(scale(da, b), scale(a, db))
    case 'div':
      return k.div(difference(da, scale(e, db)), b)
    case 'rem':
      return difference(da, scale(k.trunc(k.div(a, b)), db))
    case 'min':
      return choose(k.le(a, b), da, db)
    case 'max':
      return choose(k.ge(a, b), da, db)
    default:
      throw new Error(`kernel: ${e.fn} has no derivative`)
  }
}

function mathRule(e: Extract<Expr, { kind: 'math' }>, by: (e: Expr) => Expr): Expr {
  const [x, y] = e.args
  const [dx, dy] = [by(x), y === undefined ? zero(x) : by(y)]
  const c = (value: number): Expr => constant(value, e.type)
  // exp and the like are their own derivatives, but `e` must not be computed where nothing depends on the variable.
  if (isNumber(dx, 0) && isNumber(dy, 0)) return dx
  const square = k.mul(x, x)
  switch (e.fn) {
    case 'exp':
      return scale(dx, e)
    case 'exp2':
      return scale(dx, k.mul(e, c(Math.LN2)))
    case 'expm1':
      return scale(dx, k.add(e, c(1)))
    case 'log':
      return k.div(dx, x)
    case 'log2':
      return k.div(dx, k.mul(x, c(Math.LN2)))
    case 'log10':
      return k.div(dx, k.mul(x, c(Math.LN10)))
    case 'log1p':
      return k.div(dx, k.add(x, c(1)))
    case 'sin':
      return scale(dx, k.cos(x))
    case 'cos':
      return scale(dx, k.neg(k.sin(x)))
    case 'tan':
      return scale(dx, k.add(k.mul(e, e), c(1)))
    case 'asin':
      return k.div(dx, k.sqrt(k.sub(c(1), square)))
    case 'acos':
      return k.div(k.neg(dx), k.sqrt(k.sub(c(1), square)))
    case 'atan':
      return k.div(dx, k.add(square, c(1)))
    case 'sinh':
      return scale(dx, k.cosh(x))
    case 'cosh':
      return scale(dx, k.sinh(x))
    case 'tanh':
      return scale(dx, k.sub(c(1), k.mul(e, e)))
    case 'asinh':
      return k.div(dx, k.sqrt(k.add(square, c(1))))
    case 'acosh':
      return k.div(dx, k.sqrt(k.sub(square, c(1))))
    case 'atanh':
      return k.div(dx, k.sub(c(1), square))
    case 'erf':
      return scale(dx, k.mul(k.exp(k.neg(square)), c(2 / Math.sqrt(Math.PI))))
    case 'erfc':
      return scale(dx, k.mul(k.exp(k.neg(square)), c(-2 / Math.sqrt(Math.PI))))
    case 'erfinv':
      return scale(dx, k.mul(k.exp(k.mul(e, e)), c(Math.sqrt(Math.PI) / 2)))
    case 'lgamma':
      return scale(dx, k.digamma(x))
    case 'digamma':
      return scale(dx, k.polygamma(c(1), x))
    case 'polygamma':
      return scale(dy, k.polygamma(k.add(x, c(1)), y))
    case 'atan2':
      return k.div(difference(scale(dx, y), scale(dy, x)), k.add(square, k.mul(y, y)))
    case 'pow':
      return sum(
        scale(dx, k.mul(y, k.pow(x, k.sub(y, c(1))))),
        isNumber(dy, 0) ? dy : scale(dy, k.mul(e, k.log(x))),
      )
    case 'fmod':
      return difference(dx, scale(k.trunc(k.div(x, y)), dy))
    case 'i0':
      return scale(dx, k.i1(x))
    case 'i0e':
      return scale(dx, k.sub(k.i1e(x), k.mul(sign(x), e)))
    case 'i1':
      // i1(x) / x tends to 1/2 at 0.
      return scale(dx, k.sub(k.i0(x), k.select(k.eq(x, 0), c(0.5), k.div(e, x))))
    case 'i1e':
      return scale(
        dx,
        k.select(k.eq(x, 0), c(0.5), k.sub(k.i0e(x), k.mul(e, k.add(sign(x), k.div(c(1), x))))),
      )
    case 'erfcx':
      return scale(dx, k.sub(k.mul(k.mul(x, c(2)), e), c(2 / Math.sqrt(Math.PI))))
    case 'ndtri':
      return scale(dx, k.mul(k.exp(k.mul(k.mul(e, e), c(0.5))), c(Math.sqrt(2 * Math.PI))))
    case 'logNdtr':
      return k.div(scale(dx, c(Math.sqrt(2 / Math.PI))), k.erfcx(k.mul(x, c(-Math.SQRT1_2))))
    case 'zeta':
      return scale(dy, k.mul(k.neg(x), k.zeta(k.add(x, c(1)), y)))
    case 'gammainc':
    case 'gammaincc': {
      // x^(a - 1) e^-x / gamma(a), in logarithms; the derivative by a is not known to PyTorch either.
      const density = k.exp(k.sub(k.sub(k.mul(k.sub(x, c(1)), k.log(y)), y), k.lgamma(x)))
      return scale(dy, e.fn === 'gammainc' ? density : k.neg(density))
    }
    default:
      throw new Error(`kernel: ${e.fn} has no derivative`)
  }
}
