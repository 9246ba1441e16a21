// LU factorisations and systems solved with them.

import { int32 } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { eye } from '../ops/creation.ts'
import { cat } from '../ops/joining.ts'
import { matmul } from '../ops/matmul.ts'
import { apply, applyMany, checkTensor, type FunctionInfo, fn, type Op } from '../ops/op.ts'
import { constantPadNd } from '../ops/padding.ts'
import { recomputedOp } from '../ops/recomputed.ts'
import { narrow } from '../ops/views.ts'
import { type NamedResult, namedResult } from '../tensor/return-types.ts'
import type { Tensor } from '../tensor/tensor.ts'
import {
  broadcastBatches,
  checkInfo,
  checkMatrices,
  checkSameDtype,
  checkSquare,
  eachItem,
  info,
} from './batches.ts'
import { complexLuInPlace } from './complex-factorizations.ts'
import { luInPlace } from './factorizations.ts'
import { adjointOf, checkEquation, triangularSystem } from './triangular.ts'

/** The permutation matrices P [..., m, m] of LAPACK's pivots (from 1). */
function permutations(pivots: Tensor, m: number, like: Tensor): Tensor {
  return eachItem([pivots], [1], [{ sizes: [m, m], dtype: like.dtype }], ([swaps], [p]) => {
    const order = Array.from({ length: m }, (_, i) => i)
    swaps.forEach((one, i) => {
      const other = one - 1
      ;[order[i], order[other]] = [order[other], order[i]]
    })
    const width = p.length / (m * m)
    order.forEach((from, i) => {
      p[(from * m + i) * width] = 1
    })
  })[0]
}

// The parts of packed factors: L [m, k] with a diagonal of ones, U [k, n].
function unpack(packed: Tensor): [l: Tensor, u: Tensor] {
  const [m, n] = packed.sizes.slice(-2)
  const k = Math.min(m, n)
  const unit = eye(m, k, { dtype: packed.dtype, device: packed.device })
  return [narrow(packed, -1, 0, k).tril(-1).add(unit), narrow(packed, -2, 0, k).triu()]
}

/** The gradient of A = P L U from those of L (strictly lower) and U (upper). */
function luGradient(p: Tensor, l: Tensor, u: Tensor, gradL: Tensor, gradU: Tensor): Tensor {
  const m = l.sizes[l.ndim - 2]
  const n = u.sizes[u.ndim - 1]
  const k = Math.min(m, n)
  const [l1, u1] = [narrow(l, -2, 0, k), narrow(u, -1, 0, k)]
  let [gl, gu] = [narrow(gradL, -2, 0, k), narrow(gradU, -1, 0, k)]
  let rest: Tensor | null = null
  if (n > k) {
    // U2 = L^-1 A2
    const gu2 = narrow(gradU, -1, k, n - k)
    rest = triangularSystem(adjointOf(l1), gu2, true, true, true)
    gl = gl.sub(matmul(rest, adjointOf(narrow(u, -1, k, n - k))))
  } else if (m > k) {
    // L2 = A2 U^-1
    rest = triangularSystem(adjointOf(u1), narrow(gradL, -2, k, m - k), false, false)
    gu = gu.sub(matmul(adjointOf(narrow(l, -2, k, m - k)), rest))
  }
  const middle = matmul(adjointOf(l1), gl.tril(-1))
    .tril(-1)
    .add(matmul(gu.triu(), adjointOf(u1)).triu())
  const left = triangularSystem(adjointOf(l1), middle, true, true, true)
  const square = triangularSystem(adjointOf(u1), left, false, false)
  const whole = rest === null ? square : cat([square, rest], n > k ? -1 : -2)
  return matmul(p, whole)
}

const factorOp: Op<boolean> = {
  node: 'LinalgLuFactorExBackward0',
  forward: ([a], pivot) => {
    const [m, n] = a.sizes.slice(-2)
    const k = Math.min(m, n)
    const outputs = [{ sizes: [m, n], dtype: a.dtype }, { sizes: [k], dtype: int32 }, info]
    return eachItem([a], [2], outputs, ([matrix], [packed, pivots, code]) => {
      code[0] = a.dtype.isComplex
        ? complexLuInPlace(matrix, m, n, pivots)
        : luInPlace(matrix, m, n, pivots, pivot)
      packed.set(matrix)
      for (let i = 0; i < k; i++) pivots[i] += 1
    })
  },
  nonDifferentiable: [1, 2],
  savesOutputs: [0, 1],
  backward: ([g], c) => {
    const packed = c.output(0)
    const [m, n] = packed.sizes.slice(-2)
    const k = Math.min(m, n)
    const [l, u] = unpack(packed)
    const p = permutations(c.output(1), m, packed)
    return [luGradient(p, l, u, narrow(g!, -1, 0, k), narrow(g!, -2, 0, k))]
  },
}

function checkPivot(name: string, pivot: boolean): void {
  if (!pivot) throw new RuntimeError(`${name}: LU without pivoting is not implemented on the CPU`)
}

/** Options of the LU functions. */
export interface LuOptions {
  /** Swap rows (the only choice on the CPU). */
  pivot?: boolean
}

/** The type of `luFactorEx`. */
export type LuFactorEx = (
  a: Tensor,
  options?: LuOptions & { checkErrors?: boolean },
) => NamedResult<{ LU: Tensor; pivots: Tensor; info: Tensor }>

/** `luFactor` that says in `info` which pivot (from 1) is zero, or 0. */
export const luFactorEx: LuFactorEx & FunctionInfo = fn<LuFactorEx>(
  'linalg.lu_factor_ex',
  ['A'],
  ['pivot', 'checkErrors'],
  (a: Tensor, { pivot = true, checkErrors = false }: LuOptions & { checkErrors?: boolean }) => {
    checkMatrices('linalg.lu_factor_ex', a)
    checkPivot('linalg.lu_factor_ex', pivot)
    const [LU, pivots, infos] = applyMany(factorOp, [a], pivot)
    if (checkErrors) checkInfo(infos, zeroPivot)
    return namedResult('linalg_lu_factor_ex', { LU, pivots, info: infos })
  },
  { method: false, positional: 0 },
)

const zeroPivot = (code: number): string =>
  `torch.linalg.lu_factor: U[${code},${code}] is zero and using it on lu_solve would result in a division by zero. If you still want to perform the factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)`

/** The type of `luFactor`. */
export type LuFactor = (a: Tensor, options?: LuOptions) => NamedResult<{ LU: Tensor; pivots: Tensor }>

/** L and U packed in one matrix, and LAPACK's pivots: row i was swapped with row `pivots[i]` (from 1). */
export const luFactor: LuFactor & FunctionInfo = fn<LuFactor>(
  'linalg.lu_factor',
  ['A'],
  ['pivot'],
  (a: Tensor, { pivot = true }: LuOptions) => {
    checkMatrices('linalg.lu_factor', a)
    checkPivot('linalg.lu_factor', pivot)
    const [LU, pivots, infos] = applyMany(factorOp, [a], pivot)
    checkInfo(infos, zeroPivot)
    return namedResult('linalg_lu_factor', { LU, pivots })
  },
  { method: false, positional: 0 },
)

const luOp: Op<boolean> = {
  node: 'LinalgLuBackward0',
  forward: ([a], pivot) => {
    const [packed, pivots] = factorOp.forward([a], pivot) as Tensor[]
    return [permutations(pivots, a.sizes[a.ndim - 2], packed), ...unpack(packed)]
  },
  nonDifferentiable: [0],
  savesOutputs: [0, 1, 2],
  backward: ([, gradL, gradU], c) => {
    const [p, l, u] = [c.output(0), c.output(1), c.output(2)]
    return [luGradient(p, l, u, gradL ?? l.detach().mul(0), gradU ?? u.detach().mul(0))]
  },
}

/** The type of `lu`. */
export type Lu = (a: Tensor, options?: LuOptions) => NamedResult<{ P: Tensor; L: Tensor; U: Tensor }>

/** A = P L U: a permutation, a lower triangle with a diagonal of ones, an upper triangle. */
export const lu: Lu & FunctionInfo = fn<Lu>(
  'linalg.lu',
  ['A'],
  ['pivot'],
  (a: Tensor, { pivot = true }: LuOptions) => {
    checkMatrices('linalg.lu', a)
    checkPivot('linalg.lu', pivot)
    const [P, L, U] = applyMany(luOp, [a], pivot)
    return namedResult('linalg_lu', { P, L, U })
  },
  { method: false, positional: 0 },
)

/** The type of `torch.lu`. */
export type TorchLu = (a: Tensor, options?: { pivot?: boolean; getInfos?: boolean }) => readonly Tensor[]

/** The older form of `linalg.luFactor`: `[LU, pivots]`, with `getInfos` `[LU, pivots, info]`. */
export const torchLu: TorchLu & FunctionInfo = fn<TorchLu>(
  'lu',
  ['A'],
  ['pivot', 'getInfos'],
  (a: Tensor, { pivot = true, getInfos = false }: { pivot?: boolean; getInfos?: boolean }) => {
    checkMatrices('lu', a)
    checkPivot('lu', pivot)
    const results = applyMany(factorOp, [a], pivot)
    if (!getInfos) checkInfo(results[2], zeroPivot)
    return getInfos ? results : results.slice(0, 2)
  },
  { positional: 0 },
)

const unpackOp: Op<Tensor> = {
  node: 'LuUnpackBackward0',
  forward: ([packed], pivots) => [
    permutations(pivots, packed.sizes[packed.ndim - 2], packed),
    ...unpack(packed),
  ],
  nonDifferentiable: [0],
  backward: ([, gradL, gradU], c) => {
    const [m, n] = c.inputSizes[0].slice(-2)
    const k = Math.min(m, n)
    const parts = [
      ...(gradL === null ? [] : [constantPadNd(gradL.tril(-1), [0, n - k])]),
      ...(gradU === null ? [] : [constantPadNd(gradU.triu(), [0, 0, 0, m - k])]),
    ]
    return [parts.length === 0 ? null : parts.reduce((p, q) => p.add(q))]
  },
}

/** Options of `luUnpack`: what to give; an empty tensor stands for what is left out. */
export interface LuUnpackOptions {
  unpackData?: boolean
  unpackPivots?: boolean
}

/** The type of `luUnpack`. */
export type LuUnpack = (
  packed: Tensor,
  pivots: Tensor,
  options?: LuUnpackOptions,
) => NamedResult<{ P: Tensor; L: Tensor; U: Tensor }>

/** P, L and U of what `luFactor` gives. */
export const luUnpack: LuUnpack & FunctionInfo = fn<LuUnpack>(
  'lu_unpack',
  ['LU_data', 'LU_pivots'],
  ['unpackData', 'unpackPivots'],
  (packed: Tensor, pivots: Tensor, { unpackData = true, unpackPivots = true }: LuUnpackOptions) => {
    checkTensor('lu_unpack', 'LU_data', packed)
    checkTensor('lu_unpack', 'LU_pivots', pivots)
    if (pivots.dtype !== int32)
      throw new RuntimeError(
        'torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.\nNote: this function is intended to be used with the output produced by torch.linalg.lu_factor',
      )
    const [P, L, U] = applyMany(unpackOp, [packed], pivots)
    const none = packed.newEmpty([0])
    return namedResult('lu_unpack', {
      P: unpackPivots ? P : none,
      L: unpackData ? L : none,
      U: unpackData ? U : none,
    })
  },
  { method: false, positional: 0 },
)

interface LuSolveAttributes {
  readonly pivots: Tensor
  readonly left: boolean
  readonly adjoint: boolean
}

const luSolveOp = recomputedOp<LuSolveAttributes>(
  'LinalgLuSolveBackward0',
  2,
  ([packed, b], { pivots, left, adjoint }) => {
    const [l, u] = unpack(packed)
    const p = permutations(pivots, packed.sizes[packed.ndim - 2], packed)
    const right = left ? b : adjointOf(b)
    // XA = B is the transpose of At Xt = Bt.
    const x =
      adjoint === left
        ? matmul(
            p,
            triangularSystem(adjointOf(l), triangularSystem(adjointOf(u), right, false), true, true, true),
          )
        : triangularSystem(u, triangularSystem(l, matmul(adjointOf(p), right), false, true, true), true)
    return left ? x : adjointOf(x)
  },
)

/** Options of `luSolve`. */
export interface LuSolveOptions {
  /** Solve AX = B (default) rather than XA = B. */
  left?: boolean
  /** Solve with the transpose of A. */
  adjoint?: boolean
}

/** The type of `linalg.luSolve`. */
export type LuSolve = (packed: Tensor, pivots: Tensor, b: Tensor, options?: LuSolveOptions) => Tensor

function runLuSolve(
  name: string,
  packed: Tensor,
  pivots: Tensor,
  b: Tensor,
  options: LuSolveOptions,
): Tensor {
  const { left = true, adjoint = false } = options
  checkSquare(name, packed, 'LU')
  checkMatrices(name, b, 'B')
  checkSameDtype(name, packed, b, ['LU', 'B'])
  checkEquation(name, packed, b, left)
  const [matrix, right] = broadcastBatches(packed, b)
  const swaps = pivots.expand([...matrix.sizes.slice(0, -2), pivots.sizes[pivots.ndim - 1]])
  return apply(luSolveOp, [matrix, right], { pivots: swaps, left, adjoint })
}

/** Solves AX = B, given what `luFactor` makes of A. */
export const luSolve: LuSolve & FunctionInfo = fn<LuSolve>(
  'linalg.lu_solve',
  ['LU', 'pivots', 'B'],
  ['left', 'adjoint'],
  (packed: Tensor, pivots: Tensor, b: Tensor, options: LuSolveOptions) =>
    runLuSolve('linalg.lu_solve', packed, pivots, b, options),
  { method: false, positional: 0 },
)

/** The type of `torch.luSolve`. */
export type TorchLuSolve = (b: Tensor, packed: Tensor, pivots: Tensor) => Tensor

/** The older form of `linalg.luSolve`: b first. */
export const torchLuSolve: TorchLuSolve & FunctionInfo = fn<TorchLuSolve>(
  'lu_solve',
  ['b', 'LU_data', 'LU_pivots'],
  [],
  (b: Tensor, packed: Tensor, pivots: Tensor) => runLuSolve('lu_solve', packed, pivots, b, {}),
)
