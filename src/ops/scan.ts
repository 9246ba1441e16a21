// Running totals along a dimension: cumsum, cumprod, cummax, cummin, logcumsumexp, diff.

import { type DType, finfo, int64 } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { sumDType } from '../core/promotion.ts'
import { wrapDim } from '../core/shape.ts'
import { c128, complexOf, imaginaryPart, isComplexType, realPart } from '../kernels/complex.ts'
import { complexLogaddexp } from '../kernels/complex-functions.ts'
import * as k from '../kernels/expr.ts'
import { type Expr, isFloat, type ValueType, valueTypeOf } from '../kernels/expr.ts'
import { identityOf, type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import { namedResult } from '../tensor/return-types.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { where } from './choices.ts'
import { complex, imag, real } from './complex.ts'
import { applyOver, clone, to } from './conversion.ts'
import { onHost } from './host.ts'
import { cat } from './joining.ts'
import { emptyTensor, launch, loopOperand, splitDims } from './launch.ts'
import { apply, applyMany, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { withInPlace } from './pointwise.ts'
import { flip } from './rearranging.ts'
import type { ValuesIndices } from './reductions.ts'
import { narrow } from './views.ts'

interface ScanSpec {
  readonly name: string
  /** What is carried from step to step: start, next value, what is stored. */
  readonly start: (type: ValueType) => Expr
  readonly step: (previous: Expr, value: Expr) => Expr
}

class Scanner {
  private readonly kernels = new Map<string, Kernel>()
  constructor(private readonly spec: ScanSpec) {}

  private kernelFor(from: DType, dtype: DType): Kernel {
    const key = `${from.name} ${dtype.name}`
    let kernel = this.kernels.get(key)
    if (kernel === undefined) {
      const b = new KernelBuilder(this.spec.name)
      const x = b.input(from)
      const out = b.output(dtype)
      // Totals are carried in float64, as PyTorch does on the CPU.
      const stored = valueTypeOf(dtype)
      const type: ValueType = isComplexType(stored) ? c128 : isFloat(stored) ? 'f64' : stored
      const parts = (e: Expr) => (isComplexType(type) ? [realPart(e), imaginaryPart(e)] : [e])
      const whole = ([re, im]: readonly Expr[]) => (isComplexType(type) ? complexOf(re, im) : re)
      b.loop((l) => {
        const total = l.fold(parts(this.spec.start(type)), (previous) =>
          parts(this.spec.step(whole(previous), k.cast(l.read(x), type))),
        )
        l.write(out, k.cast(whole(total), stored))
      })
      kernel = b.build()
      this.kernels.set(key, kernel)
    }
    return kernel
  }

  run(x: Tensor, dim: number, dtype: DType): Tensor {
    const out = emptyTensor(x.sizes, dtype, x.device)
    const dims = x.ndim === 0 ? [] : [dim]
    const { outer, loop } = splitDims(x.sizes, dims)
    const [a, b] = [loopOperand(x, dims), loopOperand(out, dims)]
    if (x.ndim === 0)
      launch(
        x.device,
        this.kernelFor(x.dtype, dtype),
        [],
        [1],
        [
          { ...a, strides: [0] },
          { ...b, strides: [0] },
        ],
      )
    else launch(x.device, this.kernelFor(x.dtype, dtype), outer, loop, [a, b])
    return out
  }
}

interface ScanAttributes {
  readonly dim: number
  readonly dtype: DType
}

/** Options of `cumsum` and `cumprod`. */
export interface ScanOptions {
  /** The dtype to convert to first; integers use int64 unless it says otherwise. */
  dtype?: DType
}

export type Scan = (x: Tensor, dim: number, options?: ScanOptions) => Tensor

function scanFunction(
  name: string,
  op: Op<ScanAttributes>,
): Scan & FunctionInfo & { readonly inPlace: Scan } {
  const attributesOf = (x: Tensor, dim: number, { dtype }: ScanOptions) => {
    checkTensor(name, 'input', x)
    return { dim: wrapDim(dim, x.ndim), dtype: dtype ?? sumDType(x.dtype) }
  }
  const ofComplex = name === 'cumsum' ? cumsumOfParts : cumprodByDoubling
  const run = (x: Tensor, dim: number, options: ScanOptions): Tensor => {
    const attributes = attributesOf(x, dim, options)
    return attributes.dtype.isComplex
      ? ofComplex(to(x, attributes.dtype), attributes.dim)
      : apply(op, [x], attributes)
  }
  return withInPlace(
    fn<Scan>(name, ['input', 'dim'], ['dtype'], run, { positional: 0 }),
    (x, dim, options = {}) =>
      x.dtype.isComplex
        ? x.copy_(run(x.clone(), dim, options))
        : applyOver(op, [x], attributesOf(x, dim, options)),
  )
}

function cumsumOfParts(x: Tensor, dim: number): Tensor {
  return complex(cumsum(real(x), dim), cumsum(imag(x), dim))
}

// Products of 2, 4, 8, ... neighbours, each of two of half the length.
function cumprodByDoubling(x: Tensor, dim: number): Tensor {
  if (x.ndim === 0) return x.clone()
  const n = x.sizes[dim]
  let products = x.mul(1)
  for (let length = 1; length < n; length *= 2) {
    const ones = narrow(x, dim, 0, length).detach().mul(0).add(1)
    products = products.mul(cat([ones, narrow(products, dim, 0, n - length)], dim))
  }
  return products
}

const cumsumScanner = new Scanner({
  name: 'cumsum',
  start: (t) => k.constant(0, t),
  step: (p, v) => k.add(p, v),
})

const cumsumOp: Op<ScanAttributes> = {
  node: 'CumsumBackward0',
  forward: ([x], { dim, dtype }) => cumsumScanner.run(x, dim, dtype),
  backward: ([g], { attributes: { dim } }) => [reverseCumsum(g!, dim)],
}

// The sum of an element and all that follow it.
function reverseCumsum(x: Tensor, dim: number): Tensor {
  return x.ndim === 0 ? x : flip(cumsum(flip(x, dim), dim), dim)
}

/** Running sum along `dim`. */
export const cumsum: Scan & FunctionInfo & { readonly inPlace: Scan } = scanFunction('cumsum', cumsumOp)

const cumprodScanner = new Scanner({
  name: 'cumprod',
  start: (t) => k.constant(1, t),
  step: (p, v) => k.mul(p, v),
})

const cumprodOp: Op<ScanAttributes> = {
  node: 'CumprodBackward0',
  forward: ([x], { dim, dtype }) => cumprodScanner.run(x, dim, dtype),
  saves: [0],
  savesOutputs: [0],
  backward: ([g], c) => {
    const { dim } = c.attributes
    const x = c.input(0)
    if (x.numel() === 0 || x.ndim === 0) return [g]
    const out = c.output()
    // Where only the device knows x, there may be zeros.
    const values = onHost(x)
    if (values !== null && !values.eq(0).any().item() && !g!.requiresGrad && !x.requiresGrad)
      return [reverseCumsum(g!.mul(out.conj()), dim).div(x.conj())]
    // With zeros (or to be differentiated again): for each i the sum over j >= i of g_j times the product without x_i.
    const n = x.sizes[dim]
    const parts: Tensor[] = []
    for (let i = 0; i < n; i++) {
      const before =
        i === 0 ? narrow(x, dim, 0, 1).mul(0).add(1) : narrow(x, dim, 0, i).prod(dim, { keepdim: true })
      const after =
        i === n - 1
          ? narrow(x, dim, 0, 1).mul(0).add(1)
          : cat([narrow(x, dim, 0, 1).mul(0).add(1), cumprod(narrow(x, dim, i + 1, n - i - 1), dim)], dim)
      parts.push(
        narrow(g!, dim, i, n - i)
          .mul(after.conj())
          .sum(dim, { keepdim: true })
          .mul(before.conj()),
      )
    }
    return [cat(parts, dim)]
  },
}

/** Running product along `dim`. */
export const cumprod: Scan & FunctionInfo & { readonly inPlace: Scan } = scanFunction('cumprod', cumprodOp)

const logcumsumexpScanner = new Scanner({
  name: 'logcumsumexp',
  start: (t) => k.constant(Number.NEGATIVE_INFINITY, t),
  step: (p, v) => {
    if (isComplexType(p.type)) return complexLogaddexp(p, v)
    const high = k.max(p, v)
    const low = k.min(p, v)
    const combined = k.add(high, k.log1p(k.exp(k.sub(low, high))))
    return k.select(k.eq(k.abs(high), Number.POSITIVE_INFINITY), high, combined)
  },
})

const logcumsumexpOp: Op<ScanAttributes> = {
  node: 'LogcumsumexpBackward0',
  forward: ([x], { dim, dtype }) => logcumsumexpScanner.run(x, dim, dtype),
  saves: [0],
  savesOutputs: [0],
  backward: ([g], c) => {
    const { dim } = c.attributes
    const x = c.input(0)
    const out = c.output()
    const part = (logGrad: Tensor) =>
      x.ndim === 0
        ? logGrad.sub(out).add(x).exp()
        : flip(logcumsumexp(flip(logGrad.sub(out), dim), dim), dim)
            .add(x)
            .exp()
    if (x.dtype.isComplex) return [part(g!.conj().log()).conj()]
    // The lowest finite number stands for log 0, so that differences of it are no NaN.
    const logAbs = g!.abs().log()
    const positive = where(g!.gt(0), logAbs, finfo(x.dtype).min)
    const negative = where(g!.lt(0), logAbs, finfo(x.dtype).min)
    return [part(positive).sub(part(negative))]
  },
}

/** `log` of the running sum of `exp` along `dim`, without overflow. */
export function logcumsumexp(x: Tensor, dim: number): Tensor {
  if (!x.dtype.isFloatingPoint && !x.dtype.isComplex)
    throw new RuntimeError(`"logcumsumexp_out_cpu" not implemented for '${x.dtype.name}'`)
  return apply(logcumsumexpOp, [x], { dim: wrapDim(dim, x.ndim), dtype: x.dtype })
}

const extremumKernels = new Map<string, Kernel>()

function runningExtremumKernel(dtype: DType, largest: boolean): Kernel {
  const key = `${dtype.name} ${largest}`
  let kernel = extremumKernels.get(key)
  if (kernel === undefined) {
    const b = new KernelBuilder(largest ? 'cummax' : 'cummin')
    const x = b.input(dtype)
    const values = b.output(dtype)
    const indices = b.output(int64)
    const stored = valueTypeOf(dtype)
    const type: ValueType = stored === 'bool' ? 'i32' : stored
    b.loop((l) => {
      const [best, at] = l.fold(
        [identityOf(largest ? 'max' : 'min', type), k.constant(-1, 'i32')],
        ([best, at]) => {
          const value = k.cast(l.read(x), type)
          let take = k.or(largest ? k.ge(value, best) : k.le(value, best), k.lt(at, 0))
          if (isFloat(type)) take = k.or(k.isNaN_(value), k.and(take, k.not(k.isNaN_(best))))
          return [k.select(take, value, best), k.select(take, l.index(0), at)]
        },
      )
      l.write(values, k.cast(best, stored))
      l.write(indices, k.cast(at, 'i64'))
    })
    kernel = b.build()
    extremumKernels.set(key, kernel)
  }
  return kernel
}

function runningExtremumOp(largest: boolean): Op<number> {
  return {
    node: largest ? 'CummaxBackward0' : 'CumminBackward0',
    forward: ([x], dim) => {
      const values = emptyTensor(x.sizes, x.dtype, x.device)
      const indices = emptyTensor(x.sizes, int64, x.device)
      const dims = x.ndim === 0 ? [] : [dim]
      const { outer, loop } = splitDims(x.sizes, dims)
      const operands = [x, values, indices].map((t) => {
        const access = loopOperand(t, dims)
        return x.ndim === 0 ? { ...access, strides: [0] } : access
      })
      launch(x.device, runningExtremumKernel(x.dtype, largest), outer, x.ndim === 0 ? [1] : loop, operands)
      return [values, indices]
    },
    nonDifferentiable: [1],
    savesOutputs: [1],
    backward: ([g], c) => {
      const sizes = c.inputSizes[0]
      if (sizes.length === 0) return [g]
      return [g!.newZeros(sizes).scatterAdd(c.attributes, c.output(1), g!)]
    },
  }
}

function runningExtremum(name: 'cummax' | 'cummin'): (x: Tensor, dim: number) => ValuesIndices {
  const op = runningExtremumOp(name === 'cummax')
  return (x, dim) => {
    checkTensor(name, 'input', x)
    const [values, indices] = applyMany(op, [x], wrapDim(dim, x.ndim))
    return namedResult(name, { values, indices })
  }
}

/** The largest element so far along `dim`, and where it stands. */
export const cummax: (x: Tensor, dim: number) => ValuesIndices = runningExtremum('cummax')
/** The smallest element so far along `dim`, and where it stands. */
export const cummin: (x: Tensor, dim: number) => ValuesIndices = runningExtremum('cummin')

/** Options of `diff`. */
export interface DiffOptions {
  n?: number
  dim?: number
  prepend?: Tensor | null
  append?: Tensor | null
}

export interface Diff {
  (x: Tensor, n?: number, dim?: number): Tensor
  (x: Tensor, options?: DiffOptions): Tensor
}

/** Differences of neighbours along `dim` (-1), `n` (1) times over. */
export const diff: Diff & FunctionInfo = fn<Diff>(
  'diff',
  ['input'],
  ['n', 'dim', 'prepend', 'append'],
  (x: Tensor, { n = 1, dim = -1, prepend, append }: DiffOptions) => {
    if (x.ndim === 0) throw new RuntimeError('diff expects input to be at least one-dimensional')
    if (n < 0) throw new RuntimeError(`order must be non-negative but got ${n}`)
    const d = wrapDim(dim, x.ndim)
    if (n === 0) return clone(x)
    let result =
      prepend || append
        ? cat(
            [prepend, x, append].filter((t): t is Tensor => !!t),
            d,
          )
        : x
    for (let i = 0; i < n; i++) {
      const length = result.sizes[d]
      const high = narrow(result, d, Math.min(1, length), Math.max(length - 1, 0))
      const low = narrow(result, d, 0, Math.max(length - 1, 0))
      result = result.dtype.name === 'bool' ? high.logicalXor(low) : high.sub(low)
    }
    return result
  },
)
