// Products: powers and exponentials of matrices, chains, cross and dot products, tensors taken for matrices.

import { RuntimeError } from '../core/errors.ts'
import { broadcastSizes, formatSizes, numelOf, wrapDim } from '../core/shape.ts'
import { eye } from '../ops/creation.ts'
import { cat } from '../ops/joining.ts'
import { matmul } from '../ops/matmul.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from '../ops/op.ts'
import { recomputedOp } from '../ops/recomputed.ts'
import { diagonal as diagonalOf, expand, narrow, permute, reshape, unsqueeze, view } from '../ops/views.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { checkSquare, eachItem } from './batches.ts'
import { ofEmbedded } from './complex-matrices.ts'
import { inv, solve } from './systems.ts'
import { adjointOf } from './triangular.ts'

// ---- powers -----------------------------------------------------------------------------------------------------------

/** The type of `matrixPower`. */
export type MatrixPower = (a: Tensor, n: number) => Tensor

/** The n-th powers of square matrices; negative ones of their inverses. */
export const matrixPower: MatrixPower & FunctionInfo = fn<MatrixPower>(
  'matrix_power',
  ['A', 'n'],
  [],
  (a: Tensor, n: number) => {
    checkTensor('linalg.matrix_power', 'A', a)
    if (a.ndim < 2)
      throw new RuntimeError('linalg.matrix_power: The input tensor A must have at least 2 dimensions.')
    const [rows, columns] = a.sizes.slice(-2)
    if (rows !== columns)
      throw new RuntimeError(
        `linalg.matrix_power: A must be batches of square matrices, but they are ${rows} by ${columns} matrices`,
      )
    // A constant, but with a (zero) gradient as in PyTorch.
    if (n === 0) return a.clone().copy_(eye(rows, { dtype: a.dtype, device: a.device }))
    let square = n < 0 ? inv(a) : a
    if (n === 1) return a.clone()
    let result: Tensor | null = null
    for (let rest = Math.abs(n); rest > 0; rest = Math.floor(rest / 2)) {
      if (rest % 2 === 1) result = result === null ? square : matmul(result, square)
      if (rest > 1) square = matmul(square, square)
    }
    return result!
  },
)

// Taylor's series of a matrix scaled down to norm 1/2, then squared as often as it was halved.
function exponential(a: Float64Array, n: number): Float64Array {
  let norm = 0
  for (let j = 0; j < n; j++) {
    let sum = 0
    for (let i = 0; i < n; i++) sum += Math.abs(a[i * n + j])
    norm = Math.max(norm, sum)
  }
  if (!Number.isFinite(norm)) return new Float64Array(n * n).fill(Number.NaN)
  const halvings = norm > 0.5 ? Math.ceil(Math.log2(norm / 0.5)) : 0
  const scaled = a.map((x) => x / 2 ** halvings)
  let sum = new Float64Array(n * n)
  for (let i = 0; i < n; i++) sum[i * n + i] = 1
  let term = sum.slice()
  for (let k = 1; k <= 20; k++) {
    term = product(term, scaled, n).map((x) => x / k)
    sum = sum.map((x, i) => x + term[i])
  }
  for (let k = 0; k < halvings; k++) sum = product(sum, sum, n)
  return sum
}

function product(a: Float64Array, b: Float64Array, n: number): Float64Array<ArrayBuffer> {
  const c = new Float64Array(n * n)
  for (let i = 0; i < n; i++)
    for (let k = 0; k < n; k++) {
      const x = a[i * n + k]
      if (x !== 0) for (let j = 0; j < n; j++) c[i * n + j] += x * b[k * n + j]
    }
  return c
}

const exponentialOp: Op<null> = {
  node: 'LinalgMatrixExpBackward0',
  forward: ([a]) => {
    const n = a.sizes[a.ndim - 1]
    return eachItem([a], [2], [{ sizes: [n, n], dtype: a.dtype }], ([matrix], [out]) => {
      out.set(exponential(matrix, n))
    })
  },
  saves: [0],
  backward: ([g], c) => {
    // exp([[At, G], [0, At]]) has the derivative in its upper right (Mathias 1996).
    const turned = adjointOf(c.input(0))
    const n = turned.sizes[turned.ndim - 1]
    const upper = cat([turned, g!], -1)
    const lower = cat([turned.detach().mul(0), turned], -1)
    const both = apply(exponentialOp, [cat([upper, lower], -2)], null)
    return [narrow(narrow(both, -2, 0, n), -1, n, n)]
  },
}

/** The type of `matrixExp`. */
export type MatrixExp = (a: Tensor) => Tensor

/** The exponentials of square matrices: the sum of A^k / k!. */
export const matrixExp: MatrixExp & FunctionInfo = fn<MatrixExp>('matrix_exp', ['A'], [], (a: Tensor) => {
  checkSquare('linalg.matrix_exp', a)
  return a.numel() === 0 ? a.clone() : ofEmbedded(a, (matrix) => apply(exponentialOp, [matrix], null))
})

// ---- chains -----------------------------------------------------------------------------------------------------------

/** Where to split each chain of matrices so that the fewest numbers are multiplied (Cormen et al., 15.2). */
function bestSplits(sizes: readonly number[]): number[][] {
  const n = sizes.length - 1
  const cost = Array.from({ length: n }, () => new Array<number>(n).fill(0))
  const split = Array.from({ length: n }, () => new Array<number>(n).fill(0))
  for (let length = 1; length < n; length++)
    for (let i = 0; i + length < n; i++) {
      const j = i + length
      cost[i][j] = Number.POSITIVE_INFINITY
      for (let k = i; k < j; k++) {
        const here = cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1]
        if (here < cost[i][j]) {
          cost[i][j] = here
          split[i][j] = k
        }
      }
    }
  return split
}

/** The type of `multiDot`. */
export type MultiDot = (tensors: readonly Tensor[]) => Tensor

/** The product of several matrices in the cheapest order; the first and last may be vectors. */
export const multiDot: MultiDot & FunctionInfo = fn<MultiDot>(
  'linalg.multi_dot',
  ['tensors'],
  [],
  (tensors: readonly Tensor[]) => {
    const n = tensors.length
    if (n < 2) throw new RuntimeError(`multi_dot(): expected at least 2 tensors but got ${n}`)
    tensors.forEach((t, i) => {
      const edge = i === 0 || i === n - 1
      if (t.ndim !== 2 && !(edge && t.ndim === 1))
        throw new RuntimeError(
          edge
            ? `multi_dot(): the ${i === 0 ? 'first' : 'last'} tensor must be 1D or 2D but got ${t.ndim}D`
            : `multi_dot(): tensor ${i} must be 2D but got ${t.ndim}D`,
        )
    })
    const matrices = tensors.map((t, i) => (t.ndim === 2 ? t : unsqueeze(t, i === 0 ? 0 : 1)))
    for (let i = 0; i + 1 < n; i++)
      if (matrices[i].sizes[1] !== matrices[i + 1].sizes[0])
        throw new RuntimeError(
          `multi_dot(): tensors ${i} and ${i + 1} with shapes ${formatSizes(tensors[i].sizes)} and ${formatSizes(tensors[i + 1].sizes)} cannot be multiplied`,
        )
    const splits = bestSplits([matrices[0].sizes[0], ...matrices.map((t) => t.sizes[1])])
    const chain = (i: number, j: number): Tensor =>
      i === j ? matrices[i] : matmul(chain(i, splits[i][j]), chain(splits[i][j] + 1, j))
    const result = chain(0, n - 1)
    const sizes = [
      ...(tensors[0].ndim === 1 ? [] : [result.sizes[0]]),
      ...(tensors[n - 1].ndim === 1 ? [] : [result.sizes[1]]),
    ]
    return sizes.length === 2 ? result : view(result, sizes)
  },
  { method: false },
)

// ---- vectors ----------------------------------------------------------------------------------------------------------

const crossOp = recomputedOp<number>('LinalgCrossBackward0', 2, ([a, b], dim) =>
  a
    .roll(-1, dim)
    .mul(b.roll(-2, dim))
    .sub(a.roll(-2, dim).mul(b.roll(-1, dim))),
)

function crossProduct(a: Tensor, b: Tensor, dim: number): Tensor {
  const sizes = broadcastSizes(a.sizes, b.sizes)
  return apply(crossOp, [expand(a, sizes), expand(b, sizes)], dim)
}

/** The type of `cross`. */
export type Cross = (a: Tensor, b: Tensor, options?: { dim?: number }) => Tensor

/** The vector products of vectors of 3 elements along `dim` (the last); the rest broadcasts. */
export const cross: Cross & FunctionInfo = fn<Cross>(
  'linalg.cross',
  ['input', 'other'],
  ['dim'],
  (a: Tensor, b: Tensor, { dim = -1 }: { dim?: number }) => {
    checkTensor('linalg.cross', 'input', a)
    checkTensor('linalg.cross', 'other', b)
    if (a.ndim !== b.ndim)
      throw new RuntimeError(`linalg.cross: inputs must have the same number of dimensions.`)
    const d = wrapDim(dim, a.ndim)
    if (a.sizes[d] !== 3 || b.sizes[d] !== 3)
      throw new RuntimeError(
        `linalg.cross: inputs dimension ${dim} must have length 3. Got ${a.sizes[d]} and ${b.sizes[d]}`,
      )
    return crossProduct(a, b, d)
  },
  { method: false, positional: 0 },
)

/** The type of `torch.cross`. */
export interface TorchCross {
  (a: Tensor, b: Tensor, dim?: number): Tensor
  (a: Tensor, b: Tensor, options?: { dim?: number }): Tensor
}

/** The vector products along `dim`, where left out the first dimension of size 3. */
export const torchCross: TorchCross & FunctionInfo = fn<TorchCross>(
  'cross',
  ['input', 'other'],
  ['dim'],
  (a: Tensor, b: Tensor, { dim }: { dim?: number }) => {
    checkTensor('cross', 'input', a)
    checkTensor('cross', 'other', b)
    if (dim !== undefined) return cross(a, b, { dim })
    const found = a.sizes.indexOf(3)
    if (found < 0) throw new RuntimeError('no dimension of size 3 in input')
    return cross(a, b, { dim: found })
  },
)

/** The type of `vecdot`. */
export type Vecdot = (x: Tensor, y: Tensor, options?: { dim?: number }) => Tensor

/** The scalar products of vectors along `dim` (the last); the rest broadcasts. */
export const vecdot: Vecdot & FunctionInfo = fn<Vecdot>(
  'linalg.vecdot',
  ['x', 'y'],
  ['dim'],
  (x: Tensor, y: Tensor, { dim = -1 }: { dim?: number }) => {
    checkTensor('linalg.vecdot', 'x', x)
    checkTensor('linalg.vecdot', 'y', y)
    return x.conj().mul(y).sum(dim)
  },
  { method: false, positional: 0 },
)

/** The type of `linalg.vander`. */
export type Vander = (x: Tensor, options?: { N?: number | null }) => Tensor

function powers(x: Tensor, count: number): Tensor {
  const one = unsqueeze(x.detach().mul(0).add(1), -1)
  if (count === 0) return narrow(one, -1, 0, 0)
  const repeated = expand(unsqueeze(x, -1), [...x.sizes, count - 1])
  // Whole numbers multiply in int64, as their products do.
  return count === 1 ? one : cat([one, repeated.cumprod(-1)], -1)
}

/** Rows 1, x, x^2, ... of `N` (as many as x has) powers of each element. */
export const vander: Vander & FunctionInfo = fn<Vander>(
  'linalg.vander',
  ['x'],
  ['N'],
  (x: Tensor, { N }: { N?: number | null }) => {
    checkTensor('linalg.vander', 'x', x)
    const source = x.ndim === 0 ? unsqueeze(x, 0) : x
    const n = N ?? source.sizes[source.ndim - 1]
    if (n <= 1) throw new RuntimeError('N must be greater than 1.')
    return powers(source, n)
  },
  { method: false, positional: 0 },
)

/** Options of `torch.vander`. */
export interface VanderOptions {
  N?: number | null
  /** Powers ascending rather than descending. */
  increasing?: boolean
}

/** The type of `torch.vander`. */
export interface TorchVander {
  (x: Tensor, N?: number | null, options?: Omit<VanderOptions, 'N'>): Tensor
  (x: Tensor, options?: VanderOptions): Tensor
}

/** The powers of a vector's elements as columns, descending unless `increasing`. */
export const torchVander: TorchVander & FunctionInfo = fn<TorchVander>(
  'vander',
  ['x'],
  ['N', 'increasing'],
  (x: Tensor, { N, increasing = false }: VanderOptions) => {
    checkTensor('vander', 'x', x)
    if (x.ndim !== 1) throw new RuntimeError('x must be a one-dimensional tensor.')
    const n = N ?? x.sizes[0]
    if (n < 0) throw new RuntimeError('N must be non-negative.')
    const columns = powers(x, n)
    return increasing ? columns : columns.flip(-1)
  },
  { method: false, positional: 1 },
)

// ---- tensors as matrices ------------------------------------------------------------------------------------------------

/** The type of `tensorinv`. */
export interface Tensorinv {
  (a: Tensor, ind?: number): Tensor
  (a: Tensor, options?: { ind?: number }): Tensor
}

/** The inverse of a tensor taken for a matrix: its first `ind` dimensions (2) are rows, the others columns. */
export const tensorinv: Tensorinv & FunctionInfo = fn<Tensorinv>(
  'linalg.tensorinv',
  ['A'],
  ['ind'],
  (a: Tensor, { ind = 2 }: { ind?: number }) => {
    checkTensor('linalg.tensorinv', 'A', a)
    if (ind <= 0) throw new RuntimeError(`Expected a strictly positive integer for 'ind', but got ${ind}`)
    const [front, back] = [a.sizes.slice(0, ind), a.sizes.slice(ind)]
    const [rows, columns] = [numelOf(front), numelOf(back)]
    if (rows !== columns)
      throw new RuntimeError(
        `Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got ${columns} != ${rows}`,
      )
    return reshape(inv(reshape(a, [rows, columns])), [...back, ...front])
  },
  { method: false, positional: 1 },
)

/** The type of `tensorsolve`. */
export interface Tensorsolve {
  (a: Tensor, b: Tensor, dims?: readonly number[] | null): Tensor
  (a: Tensor, b: Tensor, options?: { dims?: readonly number[] | null }): Tensor
}

/** The X with `tensordot(A, X, X.ndim) = B`; dimensions `dims` of A are moved to its end first. */
export const tensorsolve: Tensorsolve & FunctionInfo = fn<Tensorsolve>(
  'linalg.tensorsolve',
  ['A', 'B'],
  ['dims'],
  (a: Tensor, b: Tensor, { dims }: { dims?: readonly number[] | null }) => {
    checkTensor('linalg.tensorsolve', 'A', a)
    checkTensor('linalg.tensorsolve', 'B', b)
    const last = (dims ?? []).map((d) => wrapDim(d, a.ndim))
    const order = [...a.sizes.map((_, d) => d).filter((d) => !last.includes(d)), ...last]
    const moved = last.length === 0 ? a : permute(a, order)
    const result = moved.sizes.slice(b.ndim)
    const [rows, columns] = [b.numel(), numelOf(result)]
    if (rows !== columns)
      throw new RuntimeError(
        `Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), but got ${columns} != ${rows}`,
      )
    return reshape(solve(reshape(moved, [rows, columns]), reshape(b, [rows])), result)
  },
  { method: false, positional: 1 },
)

/** Options of `linalg.diagonal`. */
export interface DiagonalOptions {
  offset?: number
  dim1?: number
  dim2?: number
}

/** The type of `linalg.diagonal`. */
export type LinalgDiagonal = (a: Tensor, options?: DiagonalOptions) => Tensor

/** The diagonals of matrices: of the last two dimensions unless told otherwise. */
export const diagonal: LinalgDiagonal & FunctionInfo = fn<LinalgDiagonal>(
  'linalg.diagonal',
  ['A'],
  ['offset', 'dim1', 'dim2'],
  (a: Tensor, { offset = 0, dim1 = -2, dim2 = -1 }: DiagonalOptions) => diagonalOf(a, offset, dim1, dim2),
  { method: false, positional: 0 },
)
