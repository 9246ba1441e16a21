// Writes the parts of the addon's source that follow from the library's: the numbers of the instructions, and the
// mathematical functions, operation by operation as lowering.ts has them, so that native and WebAssembly results agree
// to the last bit. Run by native/build.js; what it writes is not kept in the repository.

import { mkdirSync, writeFileSync } from 'node:fs'
import { addonInterface, controls, functions, operations } from '../src/backends/cpu/native-opcodes.ts'
import type { Expr, ValueType } from '../src/kernels/expr.ts'
import { lowerMath } from '../src/kernels/lowering.ts'

const cType: Record<ValueType, string> = {
  bool: 'bool',
  i32: 'int32_t',
  i64: 'int64_t',
  f32: 'float',
  f64: 'double',
}

function literal(value: number | bigint | boolean, type: ValueType): string {
  if (type === 'bool') return String(Boolean(value))
  if (type === 'i32') return `int32_t(${value}ll)`
  if (type === 'i64') return value === -(2n ** 63n) ? 'INT64_MIN' : `int64_t(${value}ll)`
  const number = Number(value)
  if (Number.isNaN(number)) return `${cType[type]}(NAN)`
  if (!Number.isFinite(number)) return `${cType[type]}(${number < 0 ? '-' : ''}INFINITY)`
  const bits = new DataView(new ArrayBuffer(8))
  if (type === 'f32') {
    bits.setFloat32(0, number)
    return `fromBits<float>(0x${bits.getUint32(0).toString(16)}u)`
  }
  bits.setFloat64(0, number)
  return `fromBits<double>(0x${bits.getBigUint64(0).toString(16)}ull)`
}

const operators: Partial<Record<string, string>> = {
  add: '+',
  sub: '-',
  mul: '*',
  and: '&',
  or: '|',
  xor: '^',
}
const comparisons: Record<string, string> = { eq: '==', ne: '!=', lt: '<', le: '<=', gt: '>', ge: '>=' }

// A constant's value, where it is an ordinary number.
const numberOf = (e: Expr): number =>
  e.kind === 'const' && !Number.isNaN(Number(e.value)) ? Number(e.value) : 0

/** The statements that compute an expression, each shared value once. */
class Writer {
  readonly lines: string[] = []
  private readonly names = new Map<Expr, string>()

  name(e: Expr): string {
    let name = this.names.get(e)
    if (name !== undefined) return name
    if (e.kind === 'const') name = literal(e.value, e.type)
    else if (e.kind === 'local') name = `x${e.id}`
    else {
      const text = this.text(e)
      name = `t${this.lines.length}`
      this.lines.push(`const ${cType[e.type]} ${name} = ${text};`)
    }
    this.names.set(e, name)
    return name
  }

  private text(e: Expr): string {
    switch (e.kind) {
      case 'unary':
        if (e.fn === 'neg')
          return e.a.type === 'f32' || e.a.type === 'f64' ? `-${this.name(e.a)}` : `neg(${this.name(e.a)})`
        return e.type === 'bool' ? `!${this.name(e.a)}` : `${e.fn}_(${this.name(e.a)})`
      case 'binary': {
        const [a, b] = [this.name(e.a), this.name(e.b)]
        const operator = operators[e.fn]
        const float = e.type === 'f32' || e.type === 'f64'
        const [first, second] = [e.a, e.b].map(numberOf)
        // With a constant that is neither NaN nor 0, one instruction does it; NaN is handed on all the same.
        if (float && (e.fn === 'min' || e.fn === 'max') && (first || second)) {
          const [c, x] = second ? [b, a] : [a, b]
          return `${c} ${e.fn === 'min' ? '<' : '>'} ${x} ? ${c} : ${x}`
        }
        if (operator !== undefined && (float || e.type === 'bool' || 'and or xor'.includes(e.fn)))
          return `${a} ${operator} ${b}`
        return float && e.fn === 'div' ? `${a} / ${b}` : `${e.fn}_(${a}, ${b})`
      }
      case 'compare':
        return `${this.name(e.a)} ${comparisons[e.fn]} ${this.name(e.b)}`
      case 'select':
        return `${this.name(e.cond)} ? ${this.name(e.a)} : ${this.name(e.b)}`
      case 'cast':
        return `cast_<${cType[e.type]}>(${this.name(e.a)})`
      case 'bitcast':
        return `bits_<${cType[e.type]}>(${this.name(e.a)})`
      case 'math': {
        const lowered = lowerMath(e)
        if (lowered === null) throw new Error(`${e.fn} of ${e.type} is not written out`)
        return this.name(lowered)
      }
      default:
        throw new Error(`an expression of kind ${e.kind} in a function`)
    }
  }
}

function definition({ fn, type, arity, expr }: ReturnType<typeof functions>[number]): string {
  const writer = new Writer()
  const result = writer.name(expr)
  const parameters = Array.from({ length: arity }, (_, i) => `${cType[type]} x${i}`).join(', ')
  const body = [...writer.lines, `return ${result};`].map((line) => `  ${line}\n`).join('')
  return `static inline ${cType[type]} math_${fn}(${parameters}) {\n${body}}\n`
}

const folder = new URL('generated/', import.meta.url)
mkdirSync(folder, { recursive: true })
writeFileSync(
  new URL('opcodes.inc', folder),
  [...controls.map((name) => `CONTROL(${name})`), ...operations().map((name) => `OPERATION(${name})`)].join(
    '\n',
  ),
)
writeFileSync(new URL('interface.inc', folder), `"${addonInterface()}"\n`)
writeFileSync(new URL('functions.inc', folder), functions().map(definition).join('\n'))
writeFileSync(
  new URL('function-list.inc', folder),
  functions()
    .map(({ fn, type, arity }) => `FUNCTION_${arity}(${fn}, ${type}, ${cType[type]})`)
    .join('\n'),
)
