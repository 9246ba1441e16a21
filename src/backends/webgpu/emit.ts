// Writes scalar expressions as WGSL. Values used more than once get a name.

import type { BinaryName, Expr, MathName, ValueType } from '../../kernels/expr.ts'
import type { Kernel } from '../../kernels/kernel.ts'
import type { WordLayout } from './render.ts'

/** The WGSL type of a value: 64-bit numbers are computed in 32 bits. */
export function wgslType(type: ValueType): string {
  return type === 'f64' || type === 'f32' ? 'f32' : type === 'bool' ? 'bool' : 'i32'
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

// Functions that WGSL has under the same name; the others are helpers of the same name.
const helperNames: Partial<Record<MathName, string>> = {
  expm1: 'expm1_',
  log1p: 'log1p_',
  log10: 'log10_',
  pow: 'pow_',
  fmod: 'fmod_',
  erf: 'erf_',
  erfc: 'erfc_',
  erfinv: 'erfinv_',
  lgamma: 'lgamma_',
  digamma: 'digamma_',
  tanh: 'tanh_',
}

export class ExpressionWriter {
  private named = new Map<Expr, string>()
  private loopRank = 0
  private outerRank = 0
  private inLoop = false
  private counter = 0

  constructor(
    private readonly kernel: Kernel,
    private readonly layout: WordLayout,
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

  /** The element index of an operand's current position. */
  address(operand: number, level: 'outer' | 'loop', at: readonly Expr[]): string {
    const terms = [`p${operand}`]
    if (level === 'loop' && this.inLoop)
      for (let d = 0; d < this.loopRank; d++)
        terms.push(`l${d} * params[${this.layout.stride(operand, this.outerRank + d)}]`)
    at.forEach((coordinate, i) => {
      terms.push(`${this.write(coordinate)} * params[${this.layout.atStride(operand, i)}]`)
    })
    return terms.join(' + ')
  }

  /** An expression's text. Anything longer than a name is first given one. */
  write(e: Expr): string {
    const known = this.named.get(e)
    if (known !== undefined) return known
    const text = this.compute(e)
    if (e.kind === 'const' || e.kind === 'local' || e.kind === 'index' || e.kind === 'scalar') return text
    const name = `t${this.counter++}`
    this.line(`let ${name} = ${text};`)
    this.named.set(e, name)
    return name
  }

  private compute(e: Expr): string {
    switch (e.kind) {
      case 'const':
        return constantText(e.type, e.value)
      case 'scalar': {
        const word = `params[${this.layout.scalar(e.slot)}]`
        return e.type === 'f32' || e.type === 'f64'
          ? `bitcast<f32>(${word})`
          : e.type === 'bool'
            ? `(${word} != 0)`
            : word
      }
      case 'index':
        return e.level === 'outer' ? `o${e.dim}` : `l${e.dim}`
      case 'local':
        return `v${e.id}`
      case 'load':
        return this.load(e)
      case 'unary':
        return unaryText(e.fn, e.type, this.write(e.a))
      case 'binary':
        return binaryText(e.fn, e.type, this.write(e.a), this.write(e.b))
      case 'compare':
        return `(${this.write(e.a)} ${comparisons[e.fn]} ${this.write(e.b)})`
      case 'select': {
        const [a, b, cond] = [this.write(e.a), this.write(e.b), this.write(e.cond)]
        return `select(${b}, ${a}, ${cond})`
      }
      case 'cast':
        return castText(e.a.type, e.type, this.write(e.a))
      case 'bitcast':
        return `bitcast<${wgslType(e.type)}>(${this.write(e.a)})`
      case 'math':
        return `${helperNames[e.fn] ?? e.fn}(${e.args.map((a) => this.write(a)).join(', ')})`
      default:
        e satisfies never
        return ''
    }
  }

  private load(e: Extract<Expr, { kind: 'load' }>): string {
    const { dtype, access } = this.kernel.operands[e.operand]
    let index = this.address(e.operand, e.level, e.at)
    if (e.where !== null) index = `select(0, ${index}, ${this.write(e.where)})`
    const cell = (shift: number) => {
      const word = `x${e.operand}[(${index}) >> ${shift}u]`
      return access === 'read' ? word : `atomicLoad(&${word})`
    }
    const bits16 = () => `((${cell(1)} >> (u32((${index}) & 1) * 16u)) & 0xffffu)`
    const bits8 = () => `((${cell(2)} >> (u32((${index}) & 3) * 8u)) & 0xffu)`
    let value: string
    switch (dtype.name) {
      case 'int64':
        value = `i32(x${e.operand}[${index}].x)`
        break
      case 'float16':
        value = `unpack2x16float(${bits16()}).x`
        break
      case 'bfloat16':
        value = `bitcast<f32>(${bits16()} << 16u)`
        break
      case 'int16':
        value = `(i32(${bits16()} << 16u) >> 16u)`
        break
      case 'int8':
        value = `(i32(${bits8()} << 24u) >> 24u)`
        break
      case 'uint8':
        value = `i32(${bits8()})`
        break
      case 'bool':
        value = `(${bits8()} != 0u)`
        break
      default:
        value = `x${e.operand}[${index}]`
    }
    if (e.where === null) return value
    return `select(${constantText(e.type, e.type === 'bool' ? false : 0)}, ${value}, ${this.write(e.where)})`
  }
}

function constantText(type: ValueType, value: number | bigint | boolean): string {
  if (type === 'bool') return value ? 'true' : 'false'
  if (type === 'i32' || type === 'i64') {
    const clamped =
      Number(value) > 2 ** 31 - 1 ? 2 ** 31 - 1 : Number(value) < -(2 ** 31) ? -(2 ** 31) : Number(value)
    // -2147483648 cannot be written as one literal.
    return clamped === -(2 ** 31) ? '(-2147483647 - 1)' : `${clamped < 0 ? `(${clamped})` : clamped}`
  }
  const x = Math.fround(Number(value))
  if (Number.isNaN(x)) return 'nan_()'
  if (!Number.isFinite(x)) return x > 0 ? 'inf_()' : '(-inf_())'
  const text = Math.abs(x) < 2 ** -126 && x !== 0 ? '0.0' : x.toExponential()
  return x < 0 || Object.is(x, -0) ? `(${Object.is(x, -0) ? '-0.0' : text}f)` : `${text}f`
}

function unaryText(fn: Extract<Expr, { kind: 'unary' }>['fn'], type: ValueType, a: string): string {
  switch (fn) {
    case 'neg':
      return `(-${a})`
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
      return float ? `(${a} / ${b})` : `divide(${a}, ${b})`
    case 'rem':
      return float ? `(${a} % ${b})` : `remain(${a}, ${b})`
    case 'min':
    case 'max':
      return float ? `${fn}Nan(${a}, ${b})` : `${fn}(${a}, ${b})`
    case 'shl':
      return `(${a} << u32(${b}))`
    case 'shr':
      return `(${a} >> u32(${b}))`
    case 'shrUnsigned':
      return `bitcast<i32>(bitcast<u32>(${a}) >> u32(${b}))`
    default:
      throw new Error(`WGSL: no ${fn}`)
  }
}

function castText(from: ValueType, to: ValueType, a: string): string {
  if (wgslType(from) === wgslType(to)) return a
  if (from === 'bool') return `select(${constantText(to, 0)}, ${constantText(to, 1)}, ${a})`
  return `${wgslType(to)}(${a})`
}
