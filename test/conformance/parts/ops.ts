// The parts `ops` and `ops-complex`: operators, forward and backward.

import { join } from 'node:path'
import { callFunction, callMethod } from '../adapt.ts'
import { type Case, isInternal, Mismatch, type Part, Unsupported } from '../case.ts'
import { compare, isTensor } from '../compare.ts'
import { decode, type Json } from '../decode.ts'
import { namesIn, readJsonLines } from '../files.ts'
import { type Tensor, torch } from '../library.ts'

/** A recorded call of an operator. */
export interface OpCase {
  id: string
  dtype?: string | null
  op: string
  args: Json[]
  kwargs: { [name: string]: Json }
  requires_grad?: (string | number)[][]
  out?: Json
  fields?: string[]
  grad_out?: Json
  grads?: Json[] | null
  inplace?: boolean
  mutated?: [(string | number)[], Json][]
  rtol?: number
  atol?: number
  error?: { type: string; message: string }
}

function opsPart(): Part {
  return {
    async *cases(folder, only) {
      for (const name of namesIn(folder, '.jsonl.gz')) {
        if (!only(name)) continue
        for await (const one of readJsonLines<OpCase>(join(folder, `${name}.jsonl.gz`)))
          yield { name, id: one.id, run: () => runOp(one) } satisfies Case
      }
    },
  }
}

export const part: Part = opsPart()

const properties = new Set(['T', 'H', 'mT', 'mH', 'shape', 'ndim', 'dtype'])

/** The functions that Python's reflected operators stand for: `x.__rsub__(y)` is `y - x`. */
const reflected: Readonly<Record<string, string>> = {
  __radd__: 'add',
  __rand__: 'bitwise_and',
  __rdiv__: 'div',
  __rmatmul__: 'matmul',
  __rmod__: 'remainder',
  __rmul__: 'mul',
  __ror__: 'bitwise_or',
  __rpow__: 'pow',
  __rsub__: 'sub',
  __rxor__: 'bitwise_xor',
}

/** Makes the call of a case. The in-place target is the first argument. */
export function call(op: string, args: unknown[], kwargs: Map<string, unknown>): unknown {
  if (!op.startsWith('Tensor.')) return callFunction(op, args, kwargs)
  const name = op.slice('Tensor.'.length)
  const [x, ...rest] = args as [Tensor, ...unknown[]]
  if (properties.has(name)) {
    if (!(name in x)) throw new Unsupported(op)
    return (x as unknown as Record<string, unknown>)[name]
  }
  if (name === '__getitem__') return x.at(...(rest[0] as Parameters<Tensor['at']>))
  if (name === '__setitem__') return x.setAt(...(rest as Parameters<Tensor['setAt']>))
  if (name in reflected) {
    // Python asks a number too; here only tensors have methods.
    if (!isTensor(x)) throw new Unsupported(op)
    const other = rest[0]
    // A number on the left has no methods; the reflected functions are commutative or take it as it is.
    if (isTensor(other)) return callMethod(other, reflected[name], [x])
    if (name === '__rsub__') return callFunction('torch.rsub', [x, other])
    if (name === '__rdiv__') return callMethod(x.reciprocal(), 'mul', [other])
    if (name === '__rpow__' || name === '__rmod__')
      return callFunction(`torch.${reflected[name]}`, [other, x])
    return callMethod(x, reflected[name], [other])
  }
  return callMethod(x, name, rest, kwargs)
}

/** The value at a recorded path such as `["args", 0, 2]`. */
export function at(root: Record<string, unknown>, path: readonly (string | number)[]): unknown {
  let value: unknown = root
  for (const key of path)
    value = value instanceof Map ? value.get(key) : (value as Record<string | number, unknown>)[key]
  return value
}

/** Runs one case of an operator. */
export async function runOp(one: OpCase): Promise<void> {
  const args = one.args.map((arg) => decode(arg))
  const kwargs = new Map(Object.entries(one.kwargs).map(([k, v]) => [k, decode(v)]))
  const root = { args, kwargs }
  if (one.error !== undefined) return expectError(() => call(one.op, args, kwargs), one.error.message)

  const leaves = (one.requires_grad ?? []).map((path) => at(root, path) as Tensor)
  for (const leaf of leaves) leaf.requiresGrad_()
  // Writing to a leaf that requires a gradient is an error, so an in-place case writes to a clone of it.
  if (one.inplace && leaves.includes(args[0] as Tensor)) args[0] = (args[0] as Tensor).clone()
  const out = await call(one.op, args, kwargs)

  const tolerance = { rtol: one.rtol ?? 0, atol: one.atol ?? 0 }
  if (one.inplace) await compare(args[0], one.out as Json, tolerance, 'args[0]')
  if (!one.inplace || out !== undefined) await compare(out, one.out as Json, tolerance, 'out', one.fields)
  for (const [path, value] of one.mutated ?? [])
    await compare(at(root, path), value, tolerance, path.join('.'))
  if (one.grads != null && one.grads.length > 0)
    await checkGradients(one.inplace ? args[0] : out, one, leaves, one.grads, tolerance)
}

/** Throws unless `f` throws an error of the library's own. */
export async function expectError(f: () => unknown, message: string): Promise<void> {
  try {
    await f()
  } catch (error) {
    if (error instanceof Unsupported) throw error
    if (error instanceof Error && !isInternal(error)) return
    throw error
  }
  throw new Mismatch(`expected an error, got a result (${message})`)
}

async function checkGradients(
  out: unknown,
  one: { grad_out?: Json; fields?: string[] },
  leaves: Tensor[],
  expected: Json[],
  tolerance: { rtol: number; atol: number },
): Promise<void> {
  const grads = gradients(out, decode(one.grad_out ?? null), leaves, one.fields)
  for (let i = 0; i < leaves.length; i++)
    await compareGradient(grads[i], expected[i], tolerance, `grads[${i}]`)
}

/** Gradients of `leaves` for the cotangents `gradOut`, which has the structure of `out`; null where none flows. */
export function gradients(
  out: unknown,
  gradOut: unknown,
  leaves: readonly Tensor[],
  fields?: readonly string[],
): (Tensor | null)[] {
  const outputs: Tensor[] = []
  const cotangents: Tensor[] = []
  collect(out, gradOut, outputs, cotangents, fields)
  if (outputs.length === 0) return leaves.map(() => null)
  const grads = torch.autograd.grad(outputs, [...leaves], { gradOutputs: cotangents, allowUnused: true })
  return grads.map((grad) => grad ?? null)
}

function collect(
  out: unknown,
  gradOut: unknown,
  outputs: Tensor[],
  cotangents: Tensor[],
  fields?: readonly string[],
): void {
  if (isTensor(gradOut)) {
    if (!isTensor(out)) throw new Mismatch('expected a tensor to differentiate')
    if (out.requiresGrad) {
      outputs.push(out)
      cotangents.push(gradOut)
    }
  } else if (Array.isArray(gradOut)) {
    const record = out as Record<string | number, unknown>
    gradOut.forEach((grad, i) => {
      collect(record[i] ?? record[fields?.[i] ?? i], grad, outputs, cotangents)
    })
  }
}

/** Where PyTorch has no gradient the library may have zeros. */
export async function compareGradient(
  actual: Tensor | null,
  expected: Json,
  tolerance: { rtol: number; atol: number },
  path: string,
): Promise<void> {
  if (expected === null) {
    if (actual !== null && actual.ne(0).any().item() === true)
      throw new Mismatch(`${path}: expected no gradient`)
    return
  }
  if (actual === null) throw new Mismatch(`${path}: expected a gradient, got none`)
  await compare(actual, expected, tolerance, path)
}
