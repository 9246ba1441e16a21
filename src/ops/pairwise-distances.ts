// Distances of all pairs of vectors: cdist of two sets, pdist within one.

import type { DType } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { broadcastSizes } from '../core/shape.ts'
import * as k from '../kernels/expr.ts'
import { valueTypeOf } from '../kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { fullTensor } from './creation.ts'
import { indexVector } from './index-vector.ts'
import { emptyTensor, launch, operand } from './launch.ts'
import { matmul } from './matmul.ts'
import { vectorNorm } from './norms.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { recomputedOp } from './recomputed.ts'
import { expand, transpose, unsqueeze } from './views.ts'

const kernels = new Map<string, Kernel>()

function distanceKernel(dtype: DType, p: number): Kernel {
  const key = `${dtype.name} ${p}`
  let kernel = kernels.get(key)
  if (kernel === undefined) {
    const type = valueTypeOf(dtype)
    const b = new KernelBuilder('cdist')
    const x = b.input(dtype)
    const y = b.input(dtype)
    const out = b.output(dtype)
    const power = b.scalar(type)
    const inverse = b.scalar(type)
    const total = b.loop((l) => {
      const d = k.abs(k.sub(l.read(x), l.read(y)))
      if (p === Number.POSITIVE_INFINITY) return l.reduce('max', d)
      return l.reduce(
        'sum',
        p === 0 ? k.cast(k.ne(d, 0), type) : p === 1 ? d : p === 2 ? k.mul(d, d) : k.pow(d, power),
      )
    })
    const plain = p === 0 || p === 1 || p === Number.POSITIVE_INFINITY
    b.write(out, plain ? total : p === 2 ? k.sqrt(total) : k.pow(total, inverse))
    kernel = b.build()
    kernels.set(key, kernel)
  }
  return kernel
}

/** The distances of rows of a [b, n, m] and of b [b, k, m]: [b, n, k]. */
function distances(a: Tensor, b: Tensor, p: number): Tensor {
  const batch = a.sizes.slice(0, -2)
  const [n, m] = a.sizes.slice(-2)
  const rows = b.sizes[b.ndim - 2]
  if (m === 0) return fullTensor([...batch, n, rows], 0, a.dtype, a.device)
  const out = emptyTensor([...batch, n, rows], a.dtype, a.device)
  if (out.numel() === 0) return out
  const front = (x: Tensor) => x.strides.slice(0, -2)
  const [an, am] = a.strides.slice(-2)
  const [bn, bm] = b.strides.slice(-2)
  // p = 0, 1, 2 and infinity have kernels of their own; the rest differ by a number.
  const kind = p === 0 || p === 1 || p === 2 || p === Number.POSITIVE_INFINITY ? p : -1
  launch(
    a.device,
    distanceKernel(a.dtype, kind),
    out.sizes,
    [m],
    [
      operand(a, [...front(a), an, 0, am]),
      operand(b, [...front(b), 0, bn, bm]),
      operand(out, [...out.strides, 0]),
    ],
    Number.isFinite(p) ? [p, 1 / p] : [1, 1],
  )
  return out
}

const composed = recomputedOp<number>('CdistBackward0', 2, ([a, b], p) =>
  vectorNorm(unsqueeze(a, -2).sub(unsqueeze(b, -3)), p, { dim: -1 }),
)

const cdistOp: Op<number> = {
  node: 'CdistBackward0',
  forward: ([a, b], p) => distances(a, b, p),
  saves: [0, 1],
  savesOutputs: [0],
  backward: (grads, c) => {
    if (c.attributes !== 2) return composed.backward(grads, c)
    const [a, b, d] = [c.input(0), c.input(1), c.output()]
    // The gradient of a distance is the direction; of none, 0.
    const weight = grads[0]!.div(d).maskedFill(d.eq(0), 0)
    const turned = transpose(weight, -2, -1)
    return [
      c.needs(0) ? a.mul(weight.sum(-1, { keepdim: true })).sub(matmul(weight, b)) : null,
      c.needs(1) ? b.mul(turned.sum(-1, { keepdim: true })).sub(matmul(turned, a)) : null,
    ]
  },
}

/** Options of `cdist`. */
export interface CdistOptions {
  /** Which norm; default 2. */
  p?: number
  /** PyTorch's choice of method; here distances are always computed from differences. */
  computeMode?: string
}

/** The type of `cdist`. */
export interface Cdist {
  (x1: Tensor, x2: Tensor, p?: number, options?: Omit<CdistOptions, 'p'>): Tensor
  (x1: Tensor, x2: Tensor, options?: CdistOptions): Tensor
}

/** The p-norm distances of all pairs of rows of x1 [..., n, m] and x2 [..., k, m]: [..., n, k]. */
export const cdist: Cdist & FunctionInfo = fn<Cdist>(
  'cdist',
  ['x1', 'x2'],
  ['p', 'computeMode'],
  (x1: Tensor, x2: Tensor, { p = 2 }: CdistOptions) => {
    for (const [i, x] of [x1, x2].entries()) {
      checkTensor('cdist', `x${i + 1}`, x)
      if (x.dtype.kind !== 'float')
        throw new RuntimeError(`cdist only supports floating-point dtypes, X${i + 1} got: ${x.dtype.name}`)
      if (x.ndim < 2)
        throw new RuntimeError(`cdist only supports at least 2D tensors, X${i + 1} got: ${x.ndim}D`)
    }
    const [m1, m2] = [x1.sizes[x1.ndim - 1], x2.sizes[x2.ndim - 1]]
    if (m1 !== m2)
      throw new RuntimeError(`X1 and X2 must have the same number of columns. X1: ${m1} X2: ${m2}`)
    if (p < 0) throw new RuntimeError('cdist only supports non-negative p values')
    const batch = broadcastSizes(x1.sizes.slice(0, -2), x2.sizes.slice(0, -2))
    const over = (x: Tensor) => expand(x, [...batch, ...x.sizes.slice(-2)])
    return apply(cdistOp, [over(x1), over(x2)], p)
  },
  { method: false, positional: 1 },
)

const pdistOp = recomputedOp<number>('PdistBackward0', 1, ([x], p) => {
  const n = x.sizes[0]
  const [first, second]: number[][] = [[], []]
  for (let i = 0; i < n; i++)
    for (let j = i + 1; j < n; j++) {
      first.push(i)
      second.push(j)
    }
  return vectorNorm(x.indexSelect(0, indexVector(first)).sub(x.indexSelect(0, indexVector(second))), p, {
    dim: -1,
  })
})

/** The type of `pdist`. */
export interface Pdist {
  (x: Tensor, p?: number): Tensor
  (x: Tensor, options?: { p?: number }): Tensor
}

/** The p-norm distances of all pairs of different rows of x [n, m], in the order (0, 1), (0, 2), ..., (n - 2, n - 1). */
export const pdist: Pdist & FunctionInfo = fn<Pdist>(
  'pdist',
  ['input'],
  ['p'],
  (x: Tensor, { p = 2 }: { p?: number }) => {
    checkTensor('pdist', 'input', x)
    if (x.ndim !== 2) throw new RuntimeError(`pdist only supports 2D tensors, got: ${x.ndim}D`)
    if (x.dtype.kind !== 'float') throw new RuntimeError('pdist only supports floating-point dtypes')
    if (p < 0) throw new RuntimeError('pdist only supports non-negative p values')
    return apply(pdistOp, [x], p)
  },
  { method: false, positional: 1 },
)
