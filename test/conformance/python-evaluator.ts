// Evaluates parsed Python expressions with the library: PyTorch's calls become the TypeScript calls that stand for them.

import { callFunction, callMethod } from './adapt.ts'
import { Unsupported } from './case.ts'
import { isTensor } from './compare.ts'
import { camelCase, find, type Tensor } from './library.ts'
import { type Expression, type Index, parsePython } from './python-parser.ts'

/** A dotted name such as `torch.linalg` or `F.relu`, not looked up yet. */
class DottedName {
  constructor(readonly name: string) {}
}

/** A method that is about to be called. */
class BoundMethod {
  constructor(
    readonly receiver: object,
    readonly name: string,
  ) {}
}

/** Runs one line of Python over variables. Returns the value of an expression, undefined for an assignment. */
export function evaluatePython(source: string, variables: Map<string, unknown>): unknown {
  const { target, value } = parsePython(source)
  const result = evaluate(value, variables)
  if (target === null) return result
  if (target.kind === 'name') variables.set(target.name, result)
  else if (target.kind === 'subscript') {
    const x = evaluate(target.object, variables) as Tensor
    x.setAt(indexOf(target.index, variables) as Parameters<Tensor['setAt']>[0], result as number)
  } else throw new SyntaxError(`cannot assign in ${source}`)
  return undefined
}

function evaluate(expression: Expression, variables: ReadonlyMap<string, unknown>): unknown {
  const value = raw(expression, variables)
  if (!(value instanceof DottedName)) return value
  const found = find(value.name)
  if (found === undefined) throw new Unsupported(value.name)
  return found
}

function raw(expression: Expression, variables: ReadonlyMap<string, unknown>): unknown {
  switch (expression.kind) {
    case 'constant':
      return expression.value
    case 'name':
      if (variables.has(expression.name)) return variables.get(expression.name)
      return new DottedName(expression.name === 'F' ? 'torch.nn.functional' : expression.name)
    case 'attribute':
      return attribute(raw(expression.object, variables), expression.name)
    case 'call':
      return call(expression, variables)
    case 'subscript':
      return subscript(evaluate(expression.object, variables), expression.index, variables)
    case 'unary': {
      const operand = evaluate(expression.operand, variables)
      return isTensor(operand) ? callMethod(operand, 'neg', []) : -(operand as number)
    }
    case 'binary':
      return binary(
        expression.operator,
        evaluate(expression.left, variables),
        evaluate(expression.right, variables),
      )
    case 'conditional':
      return evaluate(expression.condition, variables)
        ? evaluate(expression.yes, variables)
        : evaluate(expression.no, variables)
    case 'sequence':
      return expression.items.map((item) => evaluate(item, variables))
  }
}

function attribute(object: unknown, name: string): unknown {
  if (object instanceof DottedName) return new DottedName(`${object.name}.${name}`)
  const value = (object as Record<string, unknown>)[camelCase(name)]
  if (isTensor(object) && typeof value !== 'function' && value !== undefined) return value
  return isTensor(object) ? new BoundMethod(object, name) : value
}

function call(
  { callee, args }: Extract<Expression, { kind: 'call' }>,
  variables: ReadonlyMap<string, unknown>,
): unknown {
  const f = raw(callee, variables)
  const positional: unknown[] = []
  const named = new Map<string, unknown>()
  for (const argument of args) {
    const value = evaluate(argument.value, variables)
    if (argument.name !== undefined) named.set(argument.name, value)
    else if (argument.spread) positional.push(...(value as Iterable<unknown>))
    else positional.push(value)
  }
  if (f instanceof DottedName) return callFunction(f.name, positional, named)
  if (f instanceof BoundMethod) return callMethod(f.receiver, f.name, positional, named)
  throw new SyntaxError('only functions and methods of tensors can be called')
}

function indexOf(index: readonly Index[], variables: ReadonlyMap<string, unknown>): unknown[] {
  return index.map((component) => {
    if (component.kind !== 'slice') return evaluate(component, variables)
    return component.parts.map((part) => (part === null ? '' : String(evaluate(part, variables)))).join(':')
  })
}

function subscript(
  object: unknown,
  index: readonly Index[],
  variables: ReadonlyMap<string, unknown>,
): unknown {
  const components = indexOf(index, variables)
  if (isTensor(object)) return object.at(...(components as Parameters<Tensor['at']>))
  const list = [...(object as Iterable<unknown>)]
  const [component] = components
  if (typeof component === 'number') return list.at(component)
  const [start, stop] = String(component)
    .split(':')
    .map((part) => (part === '' ? undefined : Number(part)))
  return list.slice(start, stop)
}

const methods: Readonly<Record<string, string>> = {
  '+': 'add',
  '-': 'sub',
  '*': 'mul',
  '/': 'div',
  '**': 'pow',
  '%': 'remainder',
  '@': 'matmul',
  '<': 'lt',
  '>': 'gt',
  '==': 'eq',
}

/** An operator. With a number on its left, Python's reflected method is what the tensor on the right is asked. */
function binary(operator: string, left: unknown, right: unknown): unknown {
  if (isTensor(left)) return callMethod(left, methods[operator], [right])
  if (isTensor(right))
    switch (operator) {
      case '+':
      case '*':
        return callMethod(right, methods[operator], [left])
      case '-':
        return callFunction('torch.rsub', [right, left])
      case '/':
        return callMethod(callMethod(right, 'reciprocal', []) as Tensor, 'mul', [left])
      case '**':
        return callFunction('torch.pow', [left, right])
      default:
        throw new SyntaxError(`no reflected ${operator}`)
    }
  const [a, b] = [left as number, right as number]
  switch (operator) {
    case '+':
      return a + b
    case '-':
      return a - b
    case '*':
      return a * b
    case '/':
      return a / b
    case '//':
      return Math.floor(a / b)
    case '**':
      return a ** b
    case '%':
      return ((a % b) + b) % b
    case '==':
      return a === b
    default:
      throw new SyntaxError(`${operator} of numbers`)
  }
}
