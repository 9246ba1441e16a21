// Writes scalar expressions as WGSL. Values used more than once get a name. Expressions in f64 do not come here
// (kernels/single-precision.ts); 64-bit integers are pairs of words (int64.ts).

import { UnsupportedKernelError } from '../../core/errors.ts'
import type { BinaryName, Expr, ValueType } from '../../kernels/expr.ts'
import type { Kernel } from '../../kernels/kernel.ts'
import { loadText } from './elements.ts'
import { functionFor } from './functions.ts'
import { int64Binary, int64Compare, int64Text } from './int64.ts'

/** The WGSL type of a value. */
export function wgslType(type: ValueType): string {
  switch (type) {
    case 'bool':
      return 'bool'
    case 'i32':
      return 'i32'
    case 'i64':
      return 'vec2<u32>'
    default:
      return 'f32'
  }
}

const operators: Partial<Record<BinaryName, string>> = {
  add: '+',
  sub: '-',
  mul: '*',
  and: '&',
  or: '|',
  xor: '^',
}

const comparisons = { eq: '==', ne: '!=', lt: '<', le: '<=', gt: '>', ge: '>=' } as const

/** What a renderer tells of the shader around the expressions. */
export interface ShaderNames {
  /** The text of a launch parameter. */
  readonly offset: (operand: number) => string
  readonly stride: (operand: number, dim: number) => string
  readonly atStride: (operand: number, coordinate: number) => string
  readonly scalar: (slot: number, word: number) => string
  /** The array that an operand lies in, and whether its words are atomic. */
  readonly array: (operand: number) => string
  readonly isAtomic: (operand: number) => boolean
}

export class ExpressionWriter {
  private named = new Map<Expr, string>()
  private loopRank = 0
  private outerRank = 0
  private inLoop = false
  private counter = 0

  constructor(
    private readonly kernel: Kernel,
    private readonly names: ShaderNames,
    private readonly line: (text: string) => void,
  ) {}

  enterLoop(loopRank: number, outerRank: number): void {
    this.inLoop = true
    this.loopRank = loopRank
    this.outerRank = outerRank
  }

  leaveLoop(): void {
    this.inLoop = false
  }

  /** Forgets the names given so far, where they no longer hold. */
  forget(): void {
    this.named = new Map()
  }

  /** The element index of an operand's current position, an i32. */
  address(operand: number, level: 'outer' | 'loop', at: readonly Expr[]): string {
    const terms = [`p${operand}`]
    if (level === 'loop' && this.inLoop)
      for (let d = 0; d < this.loopRank; d++)
        terms.push(`l${d} * ${this.names.stride(operand, this.outerRank + d)}`)
    at.forEach((coordinate, i) => {
      const text = this.write(coordinate)
      const place = coordinate.type === 'i64' ? `bitcast<i32>(${text}.x)` : text
      terms.push(`${place} * ${this.names.atStride(operand, i)}`)
    })
    return terms.join(' + ')
  }

  /** A short text as a name, so that it is computed once. */
  name(text: string): string {
    const name = `t${this.counter++}`
    this.line(`let ${name} = ${text};`)
    return name
  }

  /** An expression's text. Anything longer than a name is first given one. */
  write(e: Expr): string {
    const known = this.named.get(e)
    if (known !== undefined) return known
    const text = this.compute(e)
    if (e.kind === 'const' || e.kind === 'local' || e.kind === 'index') return text
    const name = text.startsWith('t') && /^t\d+$/.test(text) ? text : this.name(text)
    this.named.set(e, name)
    return name
  }

  private compute(e: Expr): string {
    switch (e.kind) {
      case 'const':
        return constantText(e.type, e.value)
      case 'scalar': {
        const word = this.names.scalar(e.slot, 0)
        if (e.type === 'i32') return word
        if (e.type === 'bool') return `(${word} != 0)`
        if (e.type === 'i64') return `bitcast<vec2<u32>>(vec2<i32>(${word}, ${this.names.scalar(e.slot, 1)}))`
        return `bitcast<f32>(${word})`
      }
      case 'index':
        return e.level === 'outer' ? `o${e.dim}` : `l${e.dim}`
      case 'local':
        return `v${e.id}`
      case 'load':
        return this.load(e)
      case 'unary':
        return unaryText(e.fn, e.type, this.write(e.a))
      case 'binary': {
        const whole = nearestWholeOf(e)
        if (whole !== null) return `round(${this.write(whole)})`
        const [a, b] = [this.write(e.a), this.write(e.b)]
        return e.type === 'i64' ? int64Binary(e.fn, a, b) : binaryText(e.fn, e.type, a, b)
      }
      case 'compare': {
        const [a, b] = [this.write(e.a), this.write(e.b)]
        if (e.a.type === 'i64') return int64Compare(e.fn, a, b)
        if (e.a.type === 'bool' && e.fn !== 'eq' && e.fn !== 'ne')
          return `(u32(${a}) ${comparisons[e.fn]} u32(${b}))`
        // NaN is unequal to everything, which compilers do not keep for != itself.
        if (e.a.type === 'f32' && e.fn === 'ne') return e.a === e.b ? `isNan(${a})` : `(!(${a} == ${b}))`
        return `(${a} ${comparisons[e.fn]} ${b})`
      }
      case 'select': {
        const [a, b, cond] = [this.write(e.a), this.write(e.b), this.write(e.cond)]
        return `select(${b}, ${a}, ${cond})`
      }
      case 'cast':
        return castText(e.a.type, e.type, this.write(e.a))
      case 'bitcast':
        return `bitcast<${wgslType(e.type)}>(${this.write(e.a)})`
      case 'math': {
        const form = functionFor(e)
        if (form === null)
          throw new UnsupportedKernelError(
            `${this.kernel.name}: the function ${e.fn} is not available on WebGPU; compute it on the CPU: await x.cpu()`,
          )
        return typeof form === 'string'
          ? `${form}(${e.args.map((a) => this.write(a)).join(', ')})`
          : this.write(form)
      }
      default:
        e satisfies never
        return ''
    }
  }

  private load(e: Extract<Expr, { kind: 'load' }>): string {
    const { dtype } = this.kernel.operands[e.operand]
    let index = this.address(e.operand, e.level, e.at)
    const where = e.where === null ? null : this.write(e.where)
    if (where !== null) index = `select(0, ${index}, ${where})`
    if (index.includes(' ') && dtype.itemsize !== 4) index = this.name(index)
    const value = loadText(dtype, this.names.array(e.operand), index, this.names.isAtomic(e.operand))
    return where === null ? value : `select(${constantText(e.type, 0)}, ${value}, ${where})`
  }
}

/**
 * `x` where an expression is (x + c) - c with a c that rounds x to a whole number: compilers that calculate as if numbers
 * were real would make x of it.
 */
function nearestWholeOf(e: Extract<Expr, { kind: 'binary' }>): Expr | null {
  const { a, b } = e
  if (e.type !== 'f32' || e.fn !== 'sub' || a.kind !== 'binary' || a.fn !== 'add' || b.kind !== 'const')
    return null
  const same = a.b.kind === 'const' && a.b.value === b.value && b.value === 1.5 * 2 ** 23
  return same ? a.a : null
}

/** A constant of a type. */
export function constantText(type: ValueType, value: number | bigint | boolean): string {
  if (type === 'bool') return value ? 'true' : 'false'
  if (type === 'i64') return int64Text(BigInt(value))
  if (type === 'i32') {
    // -2147483648 cannot be written as one literal.
    const whole = Number(value) | 0
    return whole === -(2 ** 31) ? 'i32(-2147483647 - 1)' : `i32(${whole})`
  }
  const x = Math.fround(Number(value))
  if (Number.isNaN(x)) return 'nan_()'
  if (!Number.isFinite(x)) return x > 0 ? 'inf_()' : '(-inf_())'
  if (x !== 0 && Math.abs(x) < 2 ** -126) return `bits_(${bitsOf(x)}u)`
  if (Object.is(x, -0)) return 'bits_(0x80000000u)'
  // All digits: the nearest float32 of this text is the number itself.
  return x < 0 ? `(${x.toExponential()}f)` : `${x.toExponential()}f`
}

const words = new DataView(new ArrayBuffer(4))

function bitsOf(x: number): number {
  words.setFloat32(0, x)
  return words.getUint32(0)
}

function unaryText(fn: Extract<Expr, { kind: 'unary' }>['fn'], type: ValueType, a: string): string {
  if (type === 'i64') return fn === 'not' ? `(~${a})` : fn === 'neg' ? `neg64(${a})` : `abs64(${a})`
  switch (fn) {
    case 'neg':
      // By its sign bit, so that 0 becomes -0 and NaN stays.
      return type === 'f32' ? `bitcast<f32>(bitcast<u32>(${a}) ^ 0x80000000u)` : `(0 - ${a})`
    case 'abs':
      return type === 'f32' ? `bitcast<f32>(bitcast<u32>(${a}) & 0x7fffffffu)` : `abs(${a})`
    case 'not':
      return type === 'bool' ? `(!${a})` : `(~${a})`
    case 'nearest':
      return `round(${a})`
    default:
      return `${fn}(${a})`
  }
}

function binaryText(fn: BinaryName, type: ValueType, a: string, b: string): string {
  const float = type === 'f32' || type === 'f64'
  if (type === 'bool')
    return fn === 'and' ? `(${a} && ${b})` : fn === 'or' ? `(${a} || ${b})` : `(${a} != ${b})`
  const operator = operators[fn]
  if (operator !== undefined) return `(${a} ${operator} ${b})`
  switch (fn) {
    case 'div':
      return float ? `quotient(${a}, ${b})` : `divide(${a}, ${b})`
    case 'rem':
      return float ? `fmod_(${a}, ${b})` : `remain(${a}, ${b})`
    case 'min':
    case 'max':
      return float ? `${fn}Nan(${a}, ${b})` : `${fn}(${a}, ${b})`
    case 'shl':
      return `(${a} << (u32(${b}) & 31u))`
    case 'shr':
      return `(${a} >> (u32(${b}) & 31u))`
    case 'shrUnsigned':
      return `bitcast<i32>(bitcast<u32>(${a}) >> (u32(${b}) & 31u))`
    default:
      throw new Error(`WGSL: no ${fn}`)
  }
}

function castText(from: ValueType, to: ValueType, a: string): string {
  if (wgslType(from) === wgslType(to)) return a
  if (from === 'bool') return `select(${constantText(to, 0)}, ${constantText(to, 1)}, ${a})`
  switch (to) {
    case 'i64':
      return from === 'i32' ? `widen(${a})` : `int64Of(${a})`
    case 'i32':
      return from === 'i64' ? `bitcast<i32>(${a}.x)` : `int32Of(${a})`
    case 'bool':
      return from === 'i64' ? `any(${a} != vec2<u32>(0u, 0u))` : `(!(${a} == ${constantText(from, 0)}))`
    default:
      return from === 'i64' ? `floatOf64(${a})` : `f32(${a})`
  }
}
