// Recorded calls of operators as functions of the tensors that they are differentiated by, for gradcheck.

import { join } from 'node:path'
import { isTensor } from '../conformance/compare.ts'
import { type Decoding, decode, decodeTensor, type Json, marker } from '../conformance/decode.ts'
import type { RecordedTensor } from '../conformance/elements.ts'
import { namesIn, readJsonLines } from '../conformance/files.ts'
import { type Tensor, torch } from '../conformance/library.ts'
import { at, call, type OpCase } from '../conformance/parts/ops.ts'

/** A call that can be differentiated. */
export interface GradientCase {
  readonly id: string
  /** Why finite differences say nothing about this call; null where they do. */
  readonly excluded: string | null
  /** Whether PyTorch has no second derivative of it, nor is there one here. */
  readonly onlyOnce: boolean
  /** The tensors that gradients are wanted of, as leaves. */
  inputs(): Tensor[]
  /** The differentiable results, given the inputs. Everything else is made anew for each call. */
  run(...inputs: Tensor[]): Tensor[]
}

type Path = readonly (string | number)[]

function put(root: Record<string, unknown>, path: Path, value: Tensor): void {
  const holder = at(root, path.slice(0, -1))
  const key = path[path.length - 1]
  if (holder instanceof Map) holder.set(key, value)
  else (holder as Record<string | number, unknown>)[key] = value
}

// The results that PyTorch has a gradient for are those with a recorded cotangent.
function differentiable(out: unknown, cotangents: Json, fields?: readonly string[]): Tensor[] {
  if (marker(cotangents)?.[0] === '$t') return isTensor(out) ? [out] : []
  if (!Array.isArray(cotangents)) return []
  const record = out as Record<string | number, unknown>
  return cotangents.flatMap((cotangent, i) =>
    differentiable(record[i] ?? record[fields?.[i] ?? i], cotangent),
  )
}

// A softmax over nothing, the largest of no elements: infinity less infinity is no difference.
function finitePart(out: Tensor): Tensor {
  return out.isfinite().all().item() === true ? out : torch.where(out.isfinite(), out, torch.zerosLike(out))
}

// Complex cases are recorded in complex64 only.
const inDoubles: Decoding = {
  kinds: {
    $t: (content) => {
      const x = decodeTensor(content as unknown as RecordedTensor)
      if (x.dtype === torch.complex64) return x.to(torch.complex128)
      return x.dtype === torch.float32 ? x.to(torch.float64) : x
    },
  },
}

const isDouble = (x: Tensor): boolean => x.dtype === torch.float64 || x.dtype === torch.complex128

type Projection = (x: Tensor, options: ReadonlyMap<string, unknown>) => Tensor

const hermitian: Projection = (x) => x.add(x.mH).mul(0.5)
const triangular: Projection = (x, options) => (options.get('upper') === true ? x.triu() : x.tril())

/** Functions that are defined on some inputs only, which a small step would leave: the argument is brought back first. */
const domains: Readonly<Record<string, readonly [argument: number, projection: Projection]>> = {
  'torch.cholesky': [0, hermitian],
  'torch.linalg.cholesky': [0, hermitian],
  'torch.linalg.cholesky_ex': [0, hermitian],
  'torch.linalg.eigh': [0, hermitian],
  'torch.linalg.eigvalsh': [0, hermitian],
  'torch.linalg.pinv': [0, (x, options) => (options.get('hermitian') === true ? hermitian(x, options) : x)],
  'torch.cholesky_inverse': [0, triangular],
  'torch.cholesky_solve': [1, triangular],
  // So steep next to one that it bends within a step.
  'torch.erfinv': [0, (x) => x.clamp(-0.99, 0.99)],
  'Tensor.__rpow__': [1, (x) => x.abs()],
  // Its gradient is meant for log-probabilities, whose exponentials add up to one (as PyTorch's).
  'torch.nn.functional.ctc_loss': [0, (x) => x.logSoftmax(-1)],
}

const roundsQuotients = (one: OpCase): boolean =>
  /^(Tensor|torch)\.(__rmod__|floor_divide|fmod|remainder)_?$/.test(one.op) ||
  one.kwargs.rounding_mode != null

const outOfReach = (x: Tensor): boolean => {
  const sizes = x.abs()
  return (
    sizes
      .gt(1e9)
      .logicalOr(sizes.lt(1e-12).logicalAnd(sizes.ne(0)))
      .any()
      .item() === true
  )
}

/** Why an operator or a call cannot be compared with finite differences; null if it can. */
function exclusion(one: OpCase): string | null {
  if (one.op === 'torch.as_strided_scatter')
    return "PyTorch's own gradient, which is repeated here, fails PyTorch's gradcheck, too"
  if (one.op === 'torch.masked.logaddexp' && Object.keys(one.kwargs).length > 0)
    return "where one term is masked (minus infinity), PyTorch's second derivative is NaN, as it is here"
  if (one.id.includes('subgradients_at_zero')) return 'a norm has no derivative at zero, only subgradients'
  if (
    one.op.endsWith('abs') &&
    one.args.some((arg) => isTensor(decode(arg)) && outOfReach(decode(arg) as Tensor))
  )
    return 'a step is much larger or smaller than the numbers'
  const [first, second] = one.args.slice(0, 2).map((arg) => decode(arg))
  if (one.op.startsWith('torch.nn.functional.max_unpool')) {
    const rows = (second as Tensor).flatten(2).flatten(0, 1).tolist() as number[][]
    if (rows.some((row) => new Set(row).size < row.length))
      return 'two elements are put into one place, so one of them is lost'
  }
  if (roundsQuotients(one) && isTensor(first)) {
    const divisor = torch.asTensor(second as Tensor)
    const quotients = first.div(divisor)
    const moved = quotients.abs().add(1).div(divisor.abs()).mul(3e-6)
    if (quotients.sub(quotients.round()).abs().le(moved).any().item() === true)
      return 'a rounded quotient jumps at whole numbers'
  }
  return null
}

function gradientCase(one: OpCase): GradientCase {
  const decoded = () => ({
    args: one.args.map((arg) => decode(arg, inDoubles)),
    kwargs: new Map(Object.entries(one.kwargs).map(([k, v]) => [k, decode(v, inDoubles)])),
  })
  const given = decoded()
  // Differences of narrower numbers are too coarse to say anything.
  const paths = (one.requires_grad as Path[]).filter((path) => isDouble(at(given, path) as Tensor))
  return {
    id: one.id,
    excluded: exclusion(one),
    onlyOnce: one.op === 'torch.nn.functional.ctc_loss',
    inputs: () => {
      const root = decoded()
      return paths.map((path) => (at(root, path) as Tensor).requiresGrad_())
    },
    run(...inputs) {
      const root = decoded()
      for (const [i, path] of paths.entries()) put(root, path, inputs[i])
      const { args, kwargs } = root
      if (one.op in domains) {
        const [argument, projection] = domains[one.op]
        args[argument] = projection(torch.asTensor(args[argument] as Tensor), kwargs)
      }
      if (one.inplace && inputs.includes(args[0] as Tensor)) args[0] = (args[0] as Tensor).clone()
      const out = call(one.op, args, kwargs)
      const outputs = differentiable(one.inplace ? args[0] : out, one.grad_out ?? null, one.fields)
      return outputs.filter(isDouble).map(finitePart)
    },
  }
}

/** The recorded cases with gradients, in float64 or complex128, operator by operator. */
export async function* gradientCases(
  folder: string,
  only: (name: string) => boolean = () => true,
): AsyncIterable<{ readonly op: string; readonly cases: readonly GradientCase[] }> {
  for (const op of namesIn(folder, '.jsonl.gz')) {
    if (!only(op)) continue
    const cases: GradientCase[] = []
    for await (const one of readJsonLines<OpCase>(join(folder, `${op}.jsonl.gz`)))
      if (
        (one.dtype === 'float64' || one.dtype === 'complex64') &&
        one.error === undefined &&
        one.grads != null &&
        one.grads.length > 0
      )
        cases.push(gradientCase(one))
    yield { op, cases }
  }
}
