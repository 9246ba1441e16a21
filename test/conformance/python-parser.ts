// A parser of the Python expressions that the data contain: names, numbers, strings, calls, attributes, subscripts with
// slices, operators, conditionals and assignments. What they mean is in python-evaluator.ts.

export type Expression =
  | { readonly kind: 'constant'; readonly value: unknown }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'attribute'; readonly object: Expression; readonly name: string }
  | {
      readonly kind: 'call'
      readonly callee: Expression
      readonly args: readonly Argument[]
    }
  | { readonly kind: 'subscript'; readonly object: Expression; readonly index: readonly Index[] }
  | { readonly kind: 'unary'; readonly operand: Expression }
  | {
      readonly kind: 'binary'
      readonly operator: string
      readonly left: Expression
      readonly right: Expression
    }
  | {
      readonly kind: 'conditional'
      readonly condition: Expression
      readonly yes: Expression
      readonly no: Expression
    }
  | { readonly kind: 'sequence'; readonly items: readonly Expression[] }

/** An argument of a call: `x`, `name=x` or `*x`. */
export interface Argument {
  readonly value: Expression
  readonly name?: string
  readonly spread?: boolean
}

/** A component of an index: an expression or a slice. */
export type Index = Expression | { readonly kind: 'slice'; readonly parts: readonly (Expression | null)[] }

/** An expression, or an assignment of one to a name or a subscript. */
export interface Statement {
  readonly target: Expression | null
  readonly value: Expression
}

const token =
  /\s*(?:(\d+\.?\d*(?:e[-+]?\d+)?|\.\d+)|([A-Za-z_]\w*)|('[^']*'|"[^"]*")|(\*\*|\/\/|==|[-+*/%@<>=()[\],.:]))/y

const constants: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['True', true],
  ['False', false],
  ['None', null],
])

// Lower binds weaker.
const precedence: Readonly<Record<string, number>> = {
  '<': 1,
  '>': 1,
  '==': 1,
  '+': 2,
  '-': 2,
  '*': 3,
  '/': 3,
  '//': 3,
  '%': 3,
  '@': 3,
}

class Parser {
  private readonly tokens: string[] = []
  private position = 0

  constructor(private readonly source: string) {
    token.lastIndex = 0
    while (token.lastIndex < source.trimEnd().length) {
      const start = token.lastIndex
      const match = token.exec(source)
      if (match === null) throw new SyntaxError(`cannot read ${source.slice(start)}`)
      this.tokens.push(match[0].trim())
    }
  }

  statement(): Statement {
    const first = this.expression()
    const statement = this.accept('=')
      ? { target: first, value: this.expression() }
      : { target: null, value: first }
    if (this.position < this.tokens.length) throw new SyntaxError(`cannot read the end of ${this.source}`)
    return statement
  }

  private get next(): string | undefined {
    return this.tokens[this.position]
  }

  private accept(text: string): boolean {
    if (this.next !== text) return false
    this.position++
    return true
  }

  private expect(text: string): void {
    if (!this.accept(text)) throw new SyntaxError(`expected ${text} in ${this.source}, got ${this.next}`)
  }

  private expression(): Expression {
    const yes = this.binary(1)
    if (!this.accept('if')) return yes
    const condition = this.binary(1)
    this.expect('else')
    return { kind: 'conditional', condition, yes, no: this.expression() }
  }

  private binary(level: number): Expression {
    if (level > 3) return this.unary()
    let left = this.binary(level + 1)
    while (this.next !== undefined && precedence[this.next] === level) {
      const operator = this.tokens[this.position++]
      left = { kind: 'binary', operator, left, right: this.binary(level + 1) }
    }
    return left
  }

  private unary(): Expression {
    if (this.accept('-')) return { kind: 'unary', operand: this.unary() }
    const base = this.postfix(this.atom())
    return this.accept('**') ? { kind: 'binary', operator: '**', left: base, right: this.unary() } : base
  }

  private postfix(start: Expression): Expression {
    let object = start
    for (;;) {
      if (this.accept('.')) object = { kind: 'attribute', object, name: this.tokens[this.position++] }
      else if (this.accept('(')) object = { kind: 'call', callee: object, args: this.args() }
      else if (this.accept('[')) object = { kind: 'subscript', object, index: this.index() }
      else return object
    }
  }

  private args(): Argument[] {
    const args: Argument[] = []
    while (!this.accept(')')) {
      if (this.accept('*')) args.push({ value: this.expression(), spread: true })
      else if (this.tokens[this.position + 1] === '=') {
        const name = this.tokens[this.position]
        this.position += 2
        args.push({ name, value: this.expression() })
      } else args.push({ value: this.expression() })
      if (this.next !== ')') this.expect(',')
    }
    return args
  }

  private index(): Index[] {
    const components: Index[] = []
    while (!this.accept(']')) {
      components.push(this.slice())
      if (this.next !== ']') this.expect(',')
    }
    return components
  }

  private slice(): Index {
    const parts: (Expression | null)[] = []
    for (;;) {
      const empty = this.next === ':' || this.next === ',' || this.next === ']'
      parts.push(empty ? null : this.expression())
      if (!this.accept(':')) break
    }
    return parts.length === 1 && parts[0] !== null ? parts[0] : { kind: 'slice', parts }
  }

  private atom(): Expression {
    const text = this.tokens[this.position++]
    if (text === undefined) throw new SyntaxError(`${this.source} ends too early`)
    if (text === '(') return this.parenthesised()
    if (text === '[') return { kind: 'sequence', items: this.items(']') }
    if (/^[\d.]/.test(text)) return { kind: 'constant', value: Number(text) }
    if (/^['"]/.test(text)) return { kind: 'constant', value: text.slice(1, -1) }
    if (constants.has(text)) return { kind: 'constant', value: constants.get(text) }
    return { kind: 'name', name: text }
  }

  private parenthesised(): Expression {
    if (this.accept(')')) return { kind: 'sequence', items: [] }
    const first = this.expression()
    if (this.accept(')')) return first
    this.expect(',')
    return { kind: 'sequence', items: [first, ...this.items(')')] }
  }

  private items(end: string): Expression[] {
    const items: Expression[] = []
    while (!this.accept(end)) {
      items.push(this.expression())
      if (this.next !== end) this.expect(',')
    }
    return items
  }
}

/** Parses one line of Python. Throws a SyntaxError for what it does not know. */
export function parsePython(source: string): Statement {
  return new Parser(source).statement()
}
