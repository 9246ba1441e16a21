// Scalar expressions of the kernel language: what is computed for one element. Renderers give them a device's form.

import type { Complex } from '../core/complex.ts'
import type { DType } from '../core/dtype.ts'
import {
  byParts,
  c64,
  c128,
  castComplex,
  complexBinary,
  complexCompare,
  complexConstant,
  complexMath,
  complexUnary,
  isComplex,
  isComplexType,
  partType,
} from './complex.ts'

/** The types in which kernels compute. Narrower dtypes are widened when loaded and narrowed when stored. */
export type ValueType = 'bool' | 'i32' | 'i64' | 'f32' | 'f64'

export type UnaryName = 'neg' | 'abs' | 'sqrt' | 'floor' | 'ceil' | 'trunc' | 'nearest' | 'not'
/** `div` and `rem` of integers truncate (a zero divisor gives 0, never a trap); `min` and `max` hand NaN on. */
export type BinaryName =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'rem'
  | 'min'
  | 'max'
  | 'and'
  | 'or'
  | 'xor'
  | 'shl'
  | 'shr'
  | 'shrUnsigned'
export type CompareName = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge'

/** Special functions that no device has: Bessel functions (bessel.ts) and orthogonal polynomials (polynomials.ts). */
export type RareName =
  | 'besselJ0'
  | 'besselJ1'
  | 'besselY0'
  | 'besselY1'
  | 'modifiedBesselI0'
  | 'modifiedBesselI1'
  | 'modifiedBesselK0'
  | 'modifiedBesselK1'
  | 'scaledModifiedBesselK0'
  | 'scaledModifiedBesselK1'
  | 'sphericalBesselJ0'
  | 'airyAi'
  | 'chebyshevT'
  | 'chebyshevU'
  | 'chebyshevV'
  | 'chebyshevW'
  | 'shiftedChebyshevT'
  | 'shiftedChebyshevU'
  | 'shiftedChebyshevV'
  | 'shiftedChebyshevW'
  | 'hermiteH'
  | 'hermiteHe'
  | 'laguerreL'
  | 'legendreP'

/** Functions that a device has of its own, that `lowering.ts` writes out in arithmetic, or that kernels call. */
export type MathName =
  | RareName
  | 'exp'
  | 'exp2'
  | 'expm1'
  | 'log'
  | 'log2'
  | 'log10'
  | 'log1p'
  | 'sin'
  | 'cos'
  | 'tan'
  | 'asin'
  | 'acos'
  | 'atan'
  | 'sinh'
  | 'cosh'
  | 'tanh'
  | 'asinh'
  | 'acosh'
  | 'atanh'
  | 'erf'
  | 'erfc'
  | 'erfinv'
  | 'lgamma'
  | 'digamma'
  | 'polygamma'
  | 'zeta'
  | 'i0'
  | 'i0e'
  | 'i1'
  | 'i1e'
  | 'erfcx'
  | 'ndtri'
  | 'logNdtr'
  | 'gammainc'
  | 'gammaincc'
  | 'gcd'
  | 'atan2'
  | 'pow'
  | 'fmod'

/** Where an expression's value changes: once per outer position, or at every step of the loop. */
export type Level = 'outer' | 'loop'

export type Expr =
  | { readonly kind: 'const'; readonly type: ValueType; readonly value: number | bigint | boolean }
  | { readonly kind: 'scalar'; readonly type: ValueType; readonly slot: number }
  | { readonly kind: 'index'; readonly type: 'i32'; readonly level: Level; readonly dim: number }
  | {
      readonly kind: 'load'
      readonly type: ValueType
      readonly operand: number
      readonly level: Level
      /** Further coordinates, each times a stride of its own, added to the operand's position. */
      readonly at: readonly Expr[]
      /** Where this is false the memory is not touched and the value is 0. */
      readonly where: Expr | null
    }
  | { readonly kind: 'unary'; readonly type: ValueType; readonly fn: UnaryName; readonly a: Expr }
  | {
      readonly kind: 'binary'
      readonly type: ValueType
      readonly fn: BinaryName
      readonly a: Expr
      readonly b: Expr
    }
  | {
      readonly kind: 'compare'
      readonly type: 'bool'
      readonly fn: CompareName
      readonly a: Expr
      readonly b: Expr
    }
  | {
      readonly kind: 'select'
      readonly type: ValueType
      readonly cond: Expr
      readonly a: Expr
      readonly b: Expr
      /** The condition hardly ever holds: a renderer may pass over `a` where it holds nowhere. */
      readonly rare?: true
    }
  | { readonly kind: 'cast'; readonly type: ValueType; readonly a: Expr }
  | { readonly kind: 'bitcast'; readonly type: ValueType; readonly a: Expr }
  | {
      readonly kind: 'math'
      readonly type: ValueType
      readonly fn: MathName
      readonly args: readonly Expr[]
      /** Called on doubles even if it could be written out in arithmetic. */
      readonly called?: true
    }
  | { readonly kind: 'local'; readonly type: ValueType; readonly id: number }

/** The type in which values of a dtype are computed with. */
export function valueTypeOf(dtype: DType): ValueType {
  switch (dtype.name) {
    case 'bool':
      return 'bool'
    case 'int64':
      return 'i64'
    case 'float64':
      return 'f64'
    case 'float16':
    case 'bfloat16':
    case 'float32':
      return 'f32'
    case 'complex64':
      return c64
    case 'complex128':
      return c128
    default:
      return 'i32'
  }
}

/** Whether values of a type are floating point numbers, real or complex. */
export const isFloat = (type: ValueType): boolean => type === 'f32' || type === 'f64' || isComplexType(type)

type Operand = Expr | number | bigint | boolean

/** A constant of a type. Whole numbers become bigints for i64. */
export function constant(value: number | bigint | boolean | Complex, type: ValueType): Expr {
  if (isComplexType(type)) return complexConstant(value, type)
  if (typeof value === 'object') throw new Error('kernel: a complex constant of a real type')
  if (type === 'i64') return { kind: 'const', type, value: toBigInt(value) }
  if (type === 'bool') return { kind: 'const', type, value: Boolean(value) }
  return { kind: 'const', type, value: type === 'i32' ? Math.trunc(Number(value)) : Number(value) }
}

function toBigInt(value: number | bigint | boolean): bigint {
  return typeof value === 'bigint' ? value : BigInt(Math.trunc(Number(value)))
}

function like(value: Operand, type: ValueType): Expr {
  return typeof value === 'object' ? value : constant(value, type)
}

function pair(a: Operand, b: Operand, what: string): [Expr, Expr] {
  const type = typeof a === 'object' ? a.type : (b as Expr).type
  const x = like(a, type)
  const y = like(b, type)
  if (x.type !== y.type && partType(x.type) !== partType(y.type))
    throw new Error(`kernel: ${what} of ${x.type} and ${y.type}`)
  return [x, y]
}

function binary(fn: BinaryName): (a: Operand, b: Operand) => Expr {
  return (a, b) => {
    const [x, y] = pair(a, b, fn)
    if (isComplex(x) || isComplex(y)) return complexBinary(fn, x, y)
    return { kind: 'binary', type: x.type, fn, a: x, b: y }
  }
}

function compare(fn: CompareName): (a: Operand, b: Operand) => Expr {
  return (a, b) => {
    const [x, y] = pair(a, b, fn)
    if (isComplex(x) || isComplex(y)) return complexCompare(fn, x, y)
    return { kind: 'compare', type: 'bool', fn, a: x, b: y }
  }
}

function unary(fn: UnaryName): (a: Expr) => Expr {
  return (a) => (isComplex(a) ? complexUnary(fn, a) : { kind: 'unary', type: a.type, fn, a })
}

function math(fn: MathName): (...args: Expr[]) => Expr {
  return (...args) =>
    args.some(isComplex) ? complexMath(fn, args) : { kind: 'math', type: args[0].type, fn, args }
}

export const add: (a: Operand, b: Operand) => Expr = binary('add')
export const sub: (a: Operand, b: Operand) => Expr = binary('sub')
export const mul: (a: Operand, b: Operand) => Expr = binary('mul')
export const div: (a: Operand, b: Operand) => Expr = binary('div')
export const rem: (a: Operand, b: Operand) => Expr = binary('rem')
export const min: (a: Operand, b: Operand) => Expr = binary('min')
export const max: (a: Operand, b: Operand) => Expr = binary('max')
export const and: (a: Operand, b: Operand) => Expr = binary('and')
export const or: (a: Operand, b: Operand) => Expr = binary('or')
export const xor: (a: Operand, b: Operand) => Expr = binary('xor')
export const shl: (a: Operand, b: Operand) => Expr = binary('shl')
export const shr: (a: Operand, b: Operand) => Expr = binary('shr')
export const shrUnsigned: (a: Operand, b: Operand) => Expr = binary('shrUnsigned')

export const eq: (a: Operand, b: Operand) => Expr = compare('eq')
export const ne: (a: Operand, b: Operand) => Expr = compare('ne')
export const lt: (a: Operand, b: Operand) => Expr = compare('lt')
export const le: (a: Operand, b: Operand) => Expr = compare('le')
export const gt: (a: Operand, b: Operand) => Expr = compare('gt')
export const ge: (a: Operand, b: Operand) => Expr = compare('ge')

export const neg: (a: Expr) => Expr = unary('neg')
export const abs: (a: Expr) => Expr = unary('abs')
export const sqrt: (a: Expr) => Expr = unary('sqrt')
export const floor: (a: Expr) => Expr = unary('floor')
export const ceil: (a: Expr) => Expr = unary('ceil')
export const trunc: (a: Expr) => Expr = unary('trunc')
/** Rounds half to even, as PyTorch's `round`. */
export const nearest: (a: Expr) => Expr = unary('nearest')
/** Logical for bool, bitwise for integers. */
export const not: (a: Expr) => Expr = unary('not')

export const exp: (a: Expr) => Expr = math('exp')
export const exp2: (a: Expr) => Expr = math('exp2')
export const expm1: (a: Expr) => Expr = math('expm1')
export const log: (a: Expr) => Expr = math('log')
export const log2: (a: Expr) => Expr = math('log2')
export const log10: (a: Expr) => Expr = math('log10')
export const log1p: (a: Expr) => Expr = math('log1p')
export const sin: (a: Expr) => Expr = math('sin')
export const cos: (a: Expr) => Expr = math('cos')
export const tan: (a: Expr) => Expr = math('tan')
export const asin: (a: Expr) => Expr = math('asin')
export const acos: (a: Expr) => Expr = math('acos')
export const atan: (a: Expr) => Expr = math('atan')
export const sinh: (a: Expr) => Expr = math('sinh')
export const cosh: (a: Expr) => Expr = math('cosh')
export const tanh: (a: Expr) => Expr = math('tanh')
export const asinh: (a: Expr) => Expr = math('asinh')
export const acosh: (a: Expr) => Expr = math('acosh')
export const atanh: (a: Expr) => Expr = math('atanh')
export const erf: (a: Expr) => Expr = math('erf')
export const erfc: (a: Expr) => Expr = math('erfc')
export const erfinv: (a: Expr) => Expr = math('erfinv')
export const lgamma: (a: Expr) => Expr = math('lgamma')
export const digamma: (a: Expr) => Expr = math('digamma')
/** The n-th derivative of digamma; n is a whole number. */
export const polygamma: (n: Expr, a: Expr) => Expr = math('polygamma')
/** Hurwitz' zeta function. */
export const zeta: (a: Expr, q: Expr) => Expr = math('zeta')
export const i0: (a: Expr) => Expr = math('i0')
export const i0e: (a: Expr) => Expr = math('i0e')
export const i1: (a: Expr) => Expr = math('i1')
export const i1e: (a: Expr) => Expr = math('i1e')
/** exp(x^2) erfc(x). */
export const erfcx: (a: Expr) => Expr = math('erfcx')
export const ndtri: (a: Expr) => Expr = math('ndtri')
export const logNdtr: (a: Expr) => Expr = math('logNdtr')
export const gammainc: (a: Expr, b: Expr) => Expr = math('gammainc')
export const gammaincc: (a: Expr, b: Expr) => Expr = math('gammaincc')
/** A special function by its name. */
export const rare = (fn: RareName, ...args: Expr[]): Expr => math(fn)(...args)
/** The greatest common divisor of whole numbers held in floats. */
export const gcd: (a: Expr, b: Expr) => Expr = math('gcd')
export const atan2: (a: Expr, b: Expr) => Expr = math('atan2')
/** The floating remainder with the sign of the dividend (C's `fmod`). */
export const fmod: (a: Expr, b: Expr) => Expr = math('fmod')
export const pow: (a: Expr, b: Operand) => Expr = (a, b) => math('pow')(a, like(b, a.type))

/** `cond ? a : b`; both are computed. */
export function select(cond: Expr, a: Operand, b: Operand): Expr {
  const [x, y] = pair(a, b, 'select')
  if (isComplex(x) || isComplex(y)) return byParts(x, y, (p, q) => select(cond, p, q))
  return { kind: 'select', type: x.type, cond, a: x, b: y }
}

/** `cond ? a : b` where `cond` hardly ever holds, so that `a` may take long: renderers compute it only where it is needed. */
export function rarely(cond: Expr, a: Operand, b: Operand): Expr {
  return { ...(select(cond, a, b) as Extract<Expr, { kind: 'select' }>), rare: true }
}

/** A function computed on doubles, one element at a time, even if it could be written out in arithmetic. */
export function called(fn: MathName, ...args: Expr[]): Expr {
  return { kind: 'math', type: args[0].type, fn, args, called: true }
}

/** Converts a value: floats to integers by truncation (saturating), anything to bool by comparing with 0. */
export function cast(a: Expr, type: ValueType): Expr {
  if (a.type === type) return a
  if (isComplexType(type) || isComplex(a)) return castComplex(a, type)
  if (a.kind === 'const') return constant(a.value, type)
  if (type === 'bool') return ne(a, 0)
  return { kind: 'cast', type, a }
}

/** The same bits seen as another type of the same width. */
export function bitcast(a: Expr, type: ValueType): Expr {
  return { kind: 'bitcast', type, a }
}

/** 1 / (1 + exp(-x)), written so that no intermediate overflows to NaN. */
export function sigmoid(x: Expr): Expr {
  return div(constant(1, x.type), add(constant(1, x.type), exp(neg(x))))
}

/** Whether a floating value is NaN. */
export function isNaN_(x: Expr): Expr {
  return ne(x, x)
}

/** The sign bit of an element: of a float or an integer. */
export function signBit(x: Expr): Expr {
  switch (x.type) {
    case 'bool':
      return constant(false, 'bool')
    case 'f32':
      return lt(bitcast(x, 'i32'), 0)
    case 'f64':
      return lt(bitcast(x, 'i64'), 0)
    default:
      return lt(x, 0)
  }
}

/** The expressions that an expression is made of, one step down. */
export function childrenOf(e: Expr): readonly Expr[] {
  switch (e.kind) {
    case 'load':
      return e.where === null ? e.at : [...e.at, e.where]
    case 'unary':
    case 'cast':
    case 'bitcast':
      return [e.a]
    case 'binary':
    case 'compare':
      return [e.a, e.b]
    case 'select':
      return [e.cond, e.a, e.b]
    case 'math':
      return e.args
    case 'const':
    case 'scalar':
    case 'index':
    case 'local':
      return []
    default:
      e satisfies never
      return []
  }
}
