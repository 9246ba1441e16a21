// Einstein summation: sums of products written as an equation of subscripts.

import { RuntimeError } from '../core/errors.ts'
import { promoteTypes } from '../core/promotion.ts'
import { formatSizes } from '../core/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { bmm } from './matmul.ts'
import { checkTensor } from './op.ts'
import { diagonal, expand, permute, reshape, unsqueeze } from './views.ts'

/** A tensor with a name for each dimension. Dimensions of an ellipsis are called `...0`, `...1` from its end. */
interface Labelled {
  readonly x: Tensor
  readonly labels: readonly string[]
}

const error = (text: string): RuntimeError => new RuntimeError(`einsum(): ${text}`)

/** The labels of one term, the ellipsis as `'...'`. */
function parseTerm(term: string): string[] {
  const labels: string[] = []
  for (let i = 0; i < term.length; i++) {
    const c = term[i]
    if (c === ' ') continue
    if (c === '.') {
      if (term.slice(i, i + 3) !== '...') throw error("found '.' that is not part of any ellipsis")
      if (labels.includes('...'))
        throw error("found '.' for an operand for which an ellipsis was already found")
      labels.push('...')
      i += 2
    } else if (/[a-zA-Z]/.test(c)) labels.push(c)
    else
      throw error(
        `invalid subscript given at index ${i} in the equation string, subscripts must be in [a-zA-Z]`,
      )
  }
  return labels
}

/** An operand with its labels, ellipses spelled out and repeated labels reduced to diagonals. */
function labelled(x: Tensor, term: readonly string[], which: number): Labelled {
  const named = term.filter((l) => l !== '...').length
  const hasEllipsis = term.includes('...')
  if (hasEllipsis ? named > x.ndim : named !== x.ndim)
    throw error(
      `the number of subscripts in the equation (${named}) ${hasEllipsis ? 'is more than the number of dimensions' : 'does not match the number of dimensions'} (${x.ndim}) for operand ${which}${hasEllipsis ? '' : ' and no ellipsis was given'}`,
    )
  const covered = x.ndim - named
  const labels = term.flatMap((l) =>
    l === '...' ? Array.from({ length: covered }, (_, i) => `...${covered - 1 - i}`) : [l],
  )
  let tensor = x
  for (let d = 0; d < labels.length; d++) {
    const again = labels.indexOf(labels[d], d + 1)
    if (again < 0) continue
    if (tensor.sizes[d] !== tensor.sizes[again])
      throw error(
        `subscript ${labels[d]} is repeated for operand ${which} but the sizes don't match, ${tensor.sizes[again]} != ${tensor.sizes[d]}`,
      )
    tensor = diagonal(tensor, 0, d, again)
    const label = labels[d]
    labels.splice(again, 1)
    labels.splice(d, 1)
    labels.push(label)
    d--
  }
  return { x: tensor, labels }
}

/** Sums over the dimensions whose labels are not kept. */
function sumOthers({ x, labels }: Labelled, keep: ReadonlySet<string>): Labelled {
  const dims = labels.map((_, d) => d).filter((d) => !keep.has(labels[d]))
  if (dims.length === 0) return { x, labels }
  return { x: x.sum(dims), labels: labels.filter((l) => keep.has(l)) }
}

/** The same tensor with its dimensions in this order. */
function ordered({ x, labels }: Labelled, order: readonly string[]): Tensor {
  const dims = order.map((l) => labels.indexOf(l))
  return dims.every((d, i) => d === i) ? x : permute(x, dims)
}

const product = (sizes: readonly number[]): number => sizes.reduce((p, n) => p * n, 1)

/** Multiplies two operands and sums over the labels that nothing after them needs. */
function contract(left: Labelled, right: Labelled, keep: ReadonlySet<string>): Labelled {
  const a = sumOthers(left, new Set([...keep, ...right.labels]))
  const b = sumOthers(right, new Set([...keep, ...left.labels]))
  const shared = a.labels.filter((l) => b.labels.includes(l))
  const batch = shared.filter((l) => keep.has(l))
  const summed = shared.filter((l) => !keep.has(l))
  const leftOnly = a.labels.filter((l) => !shared.includes(l))
  const rightOnly = b.labels.filter((l) => !shared.includes(l))
  const labels = [...batch, ...leftOnly, ...rightOnly]
  if (summed.length === 0) {
    let x = ordered(a, [...batch, ...leftOnly])
    for (const _ of rightOnly) x = unsqueeze(x, -1)
    let y = ordered(b, [...batch, ...rightOnly])
    for (const _ of leftOnly) y = unsqueeze(y, batch.length)
    return { x: x.mul(y), labels }
  }
  // A dimension of 1 stretches.
  const sizeOf = (l: string): number =>
    Math.max(a.x.sizes[a.labels.indexOf(l)], b.x.sizes[b.labels.indexOf(l)])
  const stretched = (t: Labelled): Labelled => {
    const sizes = t.labels.map((l, d) => (shared.includes(l) ? sizeOf(l) : t.x.sizes[d]))
    return sizes.every((n, d) => n === t.x.sizes[d]) ? t : { x: expand(t.x, sizes), labels: t.labels }
  }
  const [u, v] = [stretched(a), stretched(b)]
  const sizesOf = (t: Labelled, of: readonly string[]): number[] =>
    of.map((l) => t.x.sizes[t.labels.indexOf(l)])
  const [batchSizes, leftSizes, rightSizes] = [sizesOf(u, batch), sizesOf(u, leftOnly), sizesOf(v, rightOnly)]
  const [n, rows, inner, columns] = [
    product(batchSizes),
    product(leftSizes),
    product(sizesOf(u, summed)),
    product(rightSizes),
  ]
  const x = reshape(ordered(u, [...batch, ...leftOnly, ...summed]), [n, rows, inner])
  const y = reshape(ordered(v, [...batch, ...summed, ...rightOnly]), [n, inner, columns])
  // Sums of whole numbers are int64, whatever their dtype was.
  const dtype = promoteTypes(x.dtype, y.dtype)
  return { x: reshape(bmm(x.to(dtype), y.to(dtype)), [...batchSizes, ...leftSizes, ...rightSizes]), labels }
}

/** The labels of the result: those of the equation or, where it names none, the labels that occur once. */
function outputLabels(
  right: string | undefined,
  terms: readonly (readonly string[])[],
  ellipsis: readonly string[],
): string[] {
  const all = terms.flat()
  if (right === undefined) {
    const once = [...new Set(all)].filter((l) => l !== '...' && all.indexOf(l) === all.lastIndexOf(l)).sort()
    return [...ellipsis, ...once]
  }
  const labels = parseTerm(right).flatMap((l) => (l === '...' ? ellipsis : [l]))
  for (const l of labels) {
    if (labels.indexOf(l) !== labels.lastIndexOf(l))
      throw error(`output subscript ${l} appears more than once in the output`)
    if (!l.startsWith('...') && !all.includes(l))
      throw error(`output subscript ${l} does not appear in the equation for any input operand`)
  }
  return labels
}

function checkSizes(operands: readonly Labelled[]): void {
  const sizes = new Map<string, number>()
  operands.forEach(({ x, labels }, i) => {
    labels.forEach((l, d) => {
      const before = sizes.get(l) ?? 1
      const n = x.sizes[d]
      if (before !== 1 && n !== 1 && before !== n)
        throw error(
          `subscript ${l} has size ${n} for operand ${i} which does not broadcast with previously seen size ${before}`,
        )
      if (n !== 1) sizes.set(l, n)
    })
  })
}

/**
 * Sums of products by an equation: `einsum('ij,jk->ik', a, b)` is a matrix product, `'ii->'` a trace, `'...ij->...ji'` a
 * transpose. Labels that the result lacks are summed over; without `->` it has those that occur once, in order.
 * Operands are contracted from left to right.
 * @throws RuntimeError for an equation that does not fit the operands.
 */
export function einsum(equation: string, ...operands: (Tensor | readonly Tensor[])[]): Tensor {
  const tensors = operands.flat() as Tensor[]
  if (typeof equation !== 'string')
    throw error('the first argument must be an equation; lists of subscripts are not supported')
  for (const x of tensors) checkTensor('einsum', 'operands', x)
  const arrow = equation.indexOf('->')
  const left = arrow < 0 ? equation : equation.slice(0, arrow)
  const terms = left.split(',').map(parseTerm)
  if (tensors.length < terms.length)
    throw error('fewer operands were provided than specified in the equation')
  if (tensors.length > terms.length) throw error('more operands were provided than specified in the equation')
  const parts = tensors.map((x, i) => labelled(x, terms[i], i))
  checkSizes(parts)
  const covered = Math.max(
    0,
    ...parts.flatMap((p) => p.labels.filter((l) => l.startsWith('...')).map((l) => Number(l.slice(3)) + 1)),
  )
  const ellipsis = Array.from({ length: covered }, (_, i) => `...${covered - 1 - i}`)
  const output = outputLabels(arrow < 0 ? undefined : equation.slice(arrow + 2), terms, ellipsis)
  let result = parts[0]
  for (let i = 1; i < parts.length; i++) {
    const later = parts.slice(i + 1).flatMap((p) => p.labels)
    result = contract(result, parts[i], new Set([...output, ...later]))
  }
  const { x, labels } = sumOthers(result, new Set(output))
  // An ellipsis of the result that no operand has.
  if (output.some((l) => !labels.includes(l)))
    throw error(`cannot make ${formatSizes(x.sizes)} into ${output.join('')}`)
  return ordered({ x, labels }, output)
}
