// Norms of vectors and matrices as torch.linalg has them, and condition numbers.

import type { DType } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { wrapDim } from '../core/shape.ts'
import { where } from '../ops/choices.ts'
import { to } from '../ops/conversion.ts'
import { setNuclearNorm, vectorNorm as vectorNormOf } from '../ops/norms.ts'
import { checkTensor, type FunctionInfo, fn } from '../ops/op.ts'
import type { Dims } from '../ops/reduce.ts'
import { movedim, narrow, squeeze, unsqueeze } from '../ops/views.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkMatrices, checkPrecision, checkSquare } from './batches.ts'
import { singularVectors } from './singular.ts'
import { invEx } from './systems.ts'

/** Which norm of a vector: p of `(sum |x|^p)^(1/p)`. */
export type VectorOrder = number
/** Which norm of a matrix: Frobenius, the sum of singular values, or sums of rows (±Infinity), columns (±1), singular values (±2). */
export type MatrixOrder = 'fro' | 'nuc' | number

/** Options of the norms. */
export interface NormOptions {
  keepdim?: boolean
  /** The dtype to compute in. */
  dtype?: DType | null
}

/** The type of `linalg.vectorNorm`. */
export interface VectorNorm {
  (x: Tensor, ord?: number, options?: NormOptions & { dim?: Dims }): Tensor
  (x: Tensor, options?: NormOptions & { ord?: number; dim?: Dims }): Tensor
}

/** The p-norm (2 where left out) of the elements along `dim` (all where left out). */
export const vectorNorm: VectorNorm & FunctionInfo = fn<VectorNorm>(
  'linalg.vector_norm',
  ['x'],
  ['ord', 'dim', 'keepdim', 'dtype'],
  (x: Tensor, { ord = 2, dim, keepdim, dtype }: NormOptions & { ord?: number; dim?: Dims }) =>
    vectorNormOf(x, ord, { dim: dim ?? null, keepdim, dtype: dtype ?? undefined }),
  { method: false, positional: 1 },
)

// The largest of no numbers is 0, as a norm.
const largest = (x: Tensor, dim: number, keepdim: boolean): Tensor =>
  x.sizes[wrapDim(dim, x.ndim)] === 0 ? x.sum(dim, { keepdim }) : x.amax(dim, { keepdim })

/** The norms of the matrices in two dimensions of x. */
function normOfMatrices(x: Tensor, ord: MatrixOrder, dims: readonly number[], keepdim: boolean): Tensor {
  if (ord === 'fro') return vectorNormOf(x, 2, { dim: dims, keepdim })
  const [rows, columns] = dims.map((d) => wrapDim(d, x.ndim))
  const size = typeof ord === 'number' ? Math.abs(ord) : 0
  if (ord === 'nuc' || size === 2) {
    checkPrecision('linalg.matrix_norm', x)
    const s = singularVectors(movedim(x, [rows, columns], [-2, -1])).S
    const result = ord === 'nuc' ? s.sum(-1) : (ord as number) > 0 ? largest(s, -1, false) : s.amin(-1)
    if (!keepdim) return result
    const [first, second] = [rows, columns].sort((a, b) => a - b)
    return unsqueeze(unsqueeze(result, first), second)
  }
  if (size !== 1 && size !== Number.POSITIVE_INFINITY)
    throw new RuntimeError(`linalg.matrix_norm: Order ${String(ord)} not supported.`)
  // Sums of columns or of rows.
  const [along, across] = size === 1 ? [rows, columns] : [columns, rows]
  const sums = vectorNormOf(x, 1, { dim: along, keepdim })
  const left = !keepdim && along < across ? across - 1 : across
  return (ord as number) > 0 ? largest(sums, left, keepdim) : sums.amin(left, { keepdim })
}

function runMatrixNorm(x: Tensor, ord: MatrixOrder, dim: readonly number[], options: NormOptions): Tensor {
  const name = 'linalg.matrix_norm'
  checkTensor(name, 'A', x)
  if (x.ndim < 2) throw new RuntimeError(`${name}: The input tensor A must have at least 2 dimensions.`)
  if (dim.length !== 2) throw new RuntimeError(`${name}: dim must be a 2-tuple. Got ${dim.join(' ')}`)
  if (wrapDim(dim[0], x.ndim) === wrapDim(dim[1], x.ndim))
    throw new RuntimeError(`${name}: dims must be different. Got (${dim.join(', ')})`)
  if (typeof ord === 'string' && ord !== 'fro' && ord !== 'nuc')
    throw new RuntimeError(`${name}: Order ${String(ord)} not supported.`)
  if (x.dtype.kind !== 'float' && !x.dtype.isComplex)
    throw new RuntimeError(
      `${name}: Expected a floating point or complex tensor as input. Got ${x.dtype.name}`,
    )
  const source = options.dtype ? to(x, options.dtype) : x
  return normOfMatrices(source, ord, dim, options.keepdim ?? false)
}

setNuclearNorm((x, dims, options) => runMatrixNorm(x, 'nuc', dims, options))

/** The type of `linalg.matrixNorm`. */
export interface MatrixNorm {
  (a: Tensor, ord?: MatrixOrder, options?: NormOptions & { dim?: readonly number[] }): Tensor
  (a: Tensor, options?: NormOptions & { ord?: MatrixOrder; dim?: readonly number[] }): Tensor
}

/** The norms (Frobenius where left out) of matrices: the last two dimensions, or those of `dim`. */
export const matrixNorm: MatrixNorm & FunctionInfo = fn<MatrixNorm>(
  'linalg.matrix_norm',
  ['A'],
  ['ord', 'dim', 'keepdim', 'dtype'],
  (
    a: Tensor,
    { ord = 'fro', dim = [-2, -1], ...options }: NormOptions & { ord?: MatrixOrder; dim?: readonly number[] },
  ) => runMatrixNorm(a, ord, dim, options),
  { method: false, positional: 1 },
)

/** The type of `linalg.norm`. */
export interface LinalgNorm {
  (a: Tensor, ord?: MatrixOrder | null, options?: NormOptions & { dim?: Dims }): Tensor
  (a: Tensor, options?: NormOptions & { ord?: MatrixOrder | null; dim?: Dims }): Tensor
}

/**
 * A norm of a vector (one `dim`, or a tensor of one dimension) or of matrices (two). Without `ord` and `dim`: the
 * 2-norm of all elements.
 */
export const norm: LinalgNorm & FunctionInfo = fn<LinalgNorm>(
  'linalg.norm',
  ['A'],
  ['ord', 'dim', 'keepdim', 'dtype'],
  (a: Tensor, { ord, dim, ...options }: NormOptions & { ord?: MatrixOrder | null; dim?: Dims }) => {
    checkTensor('linalg.norm', 'A', a)
    const dims = dim === undefined || dim === null ? null : typeof dim === 'number' ? [dim] : dim
    if (dims !== null && dims.length !== 1 && dims.length !== 2)
      throw new RuntimeError(
        `linalg.norm: If dim is specified, it must be of length 1 or 2. Got [${dims.join(', ')}]`,
      )
    const vector = (p: number): Tensor =>
      vectorNormOf(a, p, { dim: dims, keepdim: options.keepdim, dtype: options.dtype ?? undefined })
    if (ord === undefined || ord === null) return vector(2)
    if (dims === null && a.ndim !== 1 && a.ndim !== 2)
      throw new RuntimeError(
        `linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got ${a.ndim}D.`,
      )
    const matrix = dims === null ? a.ndim === 2 : dims.length === 2
    if (typeof ord === 'number' && !matrix) return vector(ord)
    return runMatrixNorm(a, ord, dims ?? [0, 1], options)
  },
  { method: false, positional: 1 },
)

/** The type of `cond`. */
export interface Condition {
  (a: Tensor, p?: MatrixOrder | null): Tensor
  (a: Tensor, options?: { p?: MatrixOrder | null }): Tensor
}

/** Condition numbers: the largest singular value over the smallest or, for other norms, that of A times that of its inverse. */
export const cond: Condition & FunctionInfo = fn<Condition>(
  'linalg.cond',
  ['A'],
  ['p'],
  (a: Tensor, { p }: { p?: MatrixOrder | null }) => {
    checkMatrices('linalg.cond', a)
    if (p === undefined || p === null || p === 2 || p === -2) {
      const s = singularVectors(a).S
      const largest = narrow(s, -1, 0, 1)
      const smallest = narrow(s, -1, s.sizes[s.ndim - 1] - 1, 1)
      return squeeze(p === -2 ? smallest.div(largest) : largest.div(smallest), -1)
    }
    checkSquare('linalg.cond', a)
    const { inverse, info } = invEx(a)
    const product = runMatrixNorm(a, p, [-2, -1], {}).mul(runMatrixNorm(inverse, p, [-2, -1], {}))
    // A singular matrix has an infinite condition number.
    return where(info.eq(0), product, product.newFull([], Number.POSITIVE_INFINITY))
  },
  { method: false, positional: 1 },
)
