// Products: matmul and its kin, all one contraction kernel (sum over k of a[i,k] b[k,j]); backends may have faster forms.

import type { Complex } from '../core/complex.ts'
import { bool, type DType, float32, float64 } from '../core/dtype.ts'
import { RuntimeError } from '../core/errors.ts'
import { broadcastSizes, broadcastStrides, formatSizes } from '../core/shape.ts'
import * as k from '../kernels/expr.ts'
import { valueTypeOf } from '../kernels/expr.ts'
import { type Access, type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import { Tensor } from '../tensor/tensor.ts'
import { applyOver, to } from './conversion.ts'
import { commonDevice, emptyTensor, launch, operand } from './launch.ts'
import { apply, checkTensor, type FunctionInfo, fn, type Op } from './op.ts'
import { conjugateOf, withInPlace } from './pointwise.ts'
import { expand, reshape, t, transpose, unsafeView, unsqueeze, view } from './views.ts'

const contractionKernels = new Map<DType, Kernel>()

/** `out = sum over the loop of a * b`: the kernel of matrix products and convolutions. */
export function contractionKernel(dtype: DType): Kernel {
  let kernel = contractionKernels.get(dtype)
  if (kernel === undefined) {
    const b = new KernelBuilder('matmul')
    const x = b.input(dtype)
    const y = b.input(dtype)
    const out = b.output(dtype)
    const type = valueTypeOf(dtype)
    const total = b.loop((l) => {
      const [u, v] = [l.read(x), l.read(y)]
      return l.reduce(type === 'bool' ? 'any' : 'sum', type === 'bool' ? k.and(u, v) : k.mul(u, v))
    })
    b.write(out, total)
    kernel = b.build()
    contractionKernels.set(dtype, kernel)
  }
  return kernel
}

const addedKernels = new Map<DType, Kernel>()

// The same plus an addend: one launch where the product is small.
function addedContractionKernel(dtype: DType): Kernel {
  let kernel = addedKernels.get(dtype)
  if (kernel === undefined) {
    const b = new KernelBuilder('addmm')
    const [addend, x, y] = [b.input(dtype), b.input(dtype), b.input(dtype)]
    const out = b.output(dtype)
    const total = b.loop((l) => l.reduce('sum', k.mul(l.read(x), l.read(y))))
    b.write(out, k.add(total, b.read(addend)))
    kernel = b.build()
    addedKernels.set(dtype, kernel)
  }
  return kernel
}

/** Products of more multiplications have faster kernels, which add nothing; those of very few rows or columns gain by it later. */
const smallProduct = 16384

function isSmall(a: Tensor, b: Tensor): boolean {
  // A GPU adds wherever it multiplies.
  if (a.device.type === 'webgpu') return true
  const n = a.sizes[0]
  const m = b.sizes[1]
  return n * m * a.sizes[1] < (n < 4 || m < 4 ? 4 * smallProduct : smallProduct)
}

/** The product of two matrices, of a new tensor's memory. */
function multiply(name: string, a: Tensor, b: Tensor): Tensor {
  const sizes = [a.sizes[0], b.sizes[1]]
  const out = emptyTensor(sizes, a.dtype, commonDevice(name, [a, b]))
  launch(
    out.device,
    contractionKernel(a.dtype),
    [1, sizes[0], sizes[1]],
    [a.sizes[1]],
    [leftOperand(a), rightOperand(b), resultOperand(out)],
  )
  return out
}

/** The product of two matrices plus a tensor that broadcasts to its shape, in one launch. */
function multiplyAdd(x: Tensor, a: Tensor, b: Tensor): Tensor {
  const sizes = [a.sizes[0], b.sizes[1]]
  const out = emptyTensor(sizes, a.dtype, commonDevice('addmm', [x, a, b]))
  const strides = broadcastStrides(x.sizes, x.strides, sizes)
  launch(
    out.device,
    addedContractionKernel(a.dtype),
    [1, sizes[0], sizes[1]],
    [a.sizes[1]],
    [operand(x, [0, strides[0], strides[1], 0]), leftOperand(a), rightOperand(b), resultOperand(out)],
  )
  return out
}

// Matrices as operands of a batch of one.
const leftOperand = (a: Tensor): Access => operand(a, [0, a.strides[0], 0, a.strides[1]])
const rightOperand = (b: Tensor): Access => operand(b, [0, 0, b.strides[1], b.strides[0]])
const resultOperand = (c: Tensor): Access => operand(c, [0, c.strides[0], c.strides[1], 0])

// The gradients of a product's sides (given conjugated) lie in memory as the sides do, as in PyTorch: then a weight's needs
// no copy.
function gradientOfLeft(g: Tensor, a: Tensor, b: Tensor): Tensor {
  return isColumnMajor(a) ? t(mm(b, t(g))) : mm(g, t(b))
}

function gradientOfRight(g: Tensor, a: Tensor, b: Tensor): Tensor {
  return isColumnMajor(b) ? t(mm(t(g), a)) : mm(t(a), g)
}

function isColumnMajor(x: Tensor): boolean {
  return x.strides[0] === 1 && x.strides[1] === x.sizes[0]
}

/** Products of a batch of matrices: `a` [b, n, k], `b` [b, k, m], written to `out` [b, n, m]. Strides are free. */
function contract(a: Tensor, b: Tensor, out: Tensor): Tensor {
  const [batch, n, inner] = a.sizes
  const m = b.sizes[2]
  launch(
    out.device,
    contractionKernel(a.dtype),
    [batch, n, m],
    [inner],
    [
      operand(a, [a.strides[0], a.strides[1], 0, a.strides[2]]),
      operand(b, [b.strides[0], 0, b.strides[2], b.strides[1]]),
      operand(out, [...out.strides, 0]),
    ],
  )
  return out
}

function checkDTypes(a: Tensor, b: Tensor): void {
  if (a.dtype === b.dtype) return
  const words = (x: Tensor) =>
    x.dtype.name === 'int64'
      ? 'long int'
      : x.dtype.name === 'float64'
        ? 'double'
        : x.dtype.name === 'float32'
          ? 'float'
          : x.dtype.name
  const hint =
    a.dtype.kind !== b.dtype.kind
      ? `. Whole numbers make an int64 tensor: write torch.tensor(..., { dtype: torch.float32 }) or x.float()`
      : ''
  throw new RuntimeError(
    `expected m1 and m2 to have the same dtype, but got: ${words(a)} != ${words(b)}${hint}`,
  )
}

const addBatch = (x: Tensor): Tensor => unsqueeze(x, 0)

const mmOp: Op<null> = {
  node: 'MmBackward0',
  forward: ([a, b]) => multiply('mm', a, b),
  saves: [0, 1],
  backward: ([g], c) => {
    const [a, b] = [conjugateOf(c.input(0)), conjugateOf(c.input(1))]
    return [c.needs(0) ? gradientOfLeft(g!, a, b) : null, c.needs(1) ? gradientOfRight(g!, a, b) : null]
  },
}

/** The product of two matrices, [n, k] and [k, m]. */
export function mm(a: Tensor, b: Tensor): Tensor {
  checkTensor('mm', 'input', a)
  checkTensor('mm', 'mat2', b)
  if (a.ndim !== 2) throw new RuntimeError('self must be a matrix')
  if (b.ndim !== 2) throw new RuntimeError('mat2 must be a matrix')
  checkMultiplicable(a, b)
  checkDTypes(a, b)
  return apply(mmOp, [a, b], null)
}

function checkMultiplicable(a: Tensor, b: Tensor): void {
  if (a.sizes[1] !== b.sizes[0])
    throw new RuntimeError(
      `mat1 and mat2 shapes cannot be multiplied (${a.sizes[0]}x${a.sizes[1]} and ${b.sizes[0]}x${b.sizes[1]})`,
    )
}

const mvOp: Op<null> = {
  node: 'MvBackward0',
  forward: ([a, v]) => {
    const out = emptyTensor([a.sizes[0]], a.dtype, commonDevice('mv', [a, v]))
    contract(addBatch(a), addBatch(unsqueeze(v, 1)), addBatch(unsqueeze(out, 1)))
    return out
  },
  saves: [0, 1],
  backward: ([g], c) => [
    c.needs(0) ? outer(g!, conjugateOf(c.input(1))) : null,
    c.needs(1) ? mv(t(conjugateOf(c.input(0))), g!) : null,
  ],
}

/** A matrix [n, m] times a vector [m]. */
export function mv(a: Tensor, v: Tensor): Tensor {
  checkTensor('mv', 'input', a)
  checkTensor('mv', 'vec', v)
  if (a.ndim !== 2 || v.ndim !== 1)
    throw new RuntimeError(`vector + matrix @ vector expected, got ${v.ndim}, ${a.ndim}, ${v.ndim}`)
  if (a.sizes[1] !== v.sizes[0])
    throw new RuntimeError(
      `size mismatch, got input (${a.sizes[0]}), mat (${a.sizes[0]}x${a.sizes[1]}), vec (${v.sizes[0]})`,
    )
  checkDTypes(a, v)
  return apply(mvOp, [a, v], null)
}

const dotOp: Op<null> = {
  node: 'DotBackward0',
  forward: ([a, b]) => {
    const out = emptyTensor([], a.dtype, commonDevice('dot', [a, b]))
    contract(unsqueeze(addBatch(a), 1), unsqueeze(addBatch(b), 2), view(out, [1, 1, 1]))
    return out
  },
  saves: [0, 1],
  backward: ([g], c) => [
    c.needs(0) ? g!.mul(conjugateOf(c.input(1))) : null,
    c.needs(1) ? g!.mul(conjugateOf(c.input(0))) : null,
  ],
}

/** The scalar product of two vectors. */
export function dot(a: Tensor, b: Tensor): Tensor {
  checkTensor('dot', 'input', a)
  checkTensor('dot', 'tensor', b)
  if (a.ndim !== 1 || b.ndim !== 1)
    throw new RuntimeError(`1D tensors expected, but got ${a.ndim}D and ${b.ndim}D tensors`)
  if (a.dtype !== b.dtype)
    throw new RuntimeError(
      `dot : expected both vectors to have same dtype, but found ${a.dtype.name} and ${b.dtype.name}`,
    )
  if (a.sizes[0] !== b.sizes[0])
    throw new RuntimeError(
      `inconsistent tensor size, expected tensor [${a.sizes[0]}] and src [${b.sizes[0]}] to have the same number of elements, but got ${a.sizes[0]} and ${b.sizes[0]} elements respectively`,
    )
  return apply(dotOp, [a, b], null)
}

/** The scalar product of two vectors, the first conjugated. */
export function vdot(a: Tensor, b: Tensor): Tensor {
  checkTensor('vdot', 'input', a)
  return dot(conjugateOf(a), b)
}

/** The products of all pairs of elements of two vectors. */
export function outer(a: Tensor, b: Tensor): Tensor {
  if (a.ndim !== 1) throw new RuntimeError(`outer: Expected 1-D argument self, but got ${a.ndim}-D`)
  if (b.ndim !== 1) throw new RuntimeError(`outer: Expected 1-D argument vec2, but got ${b.ndim}-D`)
  return reshape(a, [a.sizes[0], 1]).mul(b)
}

/** The same as `outer`. */
export const ger: typeof outer = outer

const bmmOp: Op<null> = {
  node: 'BmmBackward0',
  forward: ([a, b]) =>
    contract(a, b, emptyTensor([a.sizes[0], a.sizes[1], b.sizes[2]], a.dtype, commonDevice('bmm', [a, b]))),
  saves: [0, 1],
  backward: ([g], c) => [
    c.needs(0) ? bmm(g!, transpose(conjugateOf(c.input(1)), 1, 2)) : null,
    c.needs(1) ? bmm(transpose(conjugateOf(c.input(0)), 1, 2), g!) : null,
  ],
}

/** The products of two batches of matrices, [b, n, k] and [b, k, m]. */
export function bmm(a: Tensor, b: Tensor): Tensor {
  checkTensor('bmm', 'input', a)
  checkTensor('bmm', 'mat2', b)
  if (a.ndim !== 3) throw new RuntimeError('batch1 must be a 3D tensor')
  if (b.ndim !== 3) throw new RuntimeError('batch2 must be a 3D tensor')
  if (a.sizes[0] !== b.sizes[0] || a.sizes[2] !== b.sizes[1])
    throw new RuntimeError(
      `Expected size for first two dimensions of batch2 tensor to be: [${a.sizes[0]}, ${a.sizes[2]}] but got: [${b.sizes[0]}, ${b.sizes[1]}].`,
    )
  checkDTypes(a, b)
  return apply(bmmOp, [a, b], null)
}

/**
 * The matrix product: of vectors (dot), of matrices, of a matrix and a vector, of batches (their leading dimensions
 * broadcast).
 * @throws RuntimeError where the shapes do not fit or the dtypes differ.
 */
export function matmul(a: Tensor, b: Tensor): Tensor {
  checkTensor('matmul', 'input', a)
  checkTensor('matmul', 'other', b)
  if (a.ndim === 0 || b.ndim === 0)
    throw new RuntimeError(
      `both arguments to matmul need to be at least 1D, but they are ${a.ndim}D and ${b.ndim}D`,
    )
  if (a.ndim === 1 && b.ndim === 1) return dot(a, b)
  if (a.ndim === 2 && b.ndim === 1) return mv(a, b)
  if (a.ndim === 1 && b.ndim === 2) return mm(unsqueeze(a, 0), b).squeeze(0)
  if (a.ndim === 2 && b.ndim === 2) return mm(a, b)
  checkDTypes(a, b)
  if (a.ndim >= 3 && b.ndim <= 2) {
    // Rows of all batches in one matrix.
    const inner = a.sizes[a.ndim - 1]
    const flat = reshape(
      a,
      [-1, inner === 0 ? 0 : inner].map((n, i) => (i === 0 && inner === 0 ? a.numel() : n)),
    )
    if (inner !== b.sizes[0]) checkMultiplicable(flat, b.ndim === 1 ? unsqueeze(b, 1) : b)
    if (inner > 0) {
      const product = b.ndim === 1 ? mv(flat, b) : mm(flat, b)
      return unsafeView(product, [...a.sizes.slice(0, -1), ...(b.ndim === 1 ? [] : [b.sizes[1]])])
    }
  }
  const left = a.ndim === 1 ? unsqueeze(a, 0) : a
  const right = b.ndim === 1 ? unsqueeze(b, 1) : b
  const [n, inner] = left.sizes.slice(-2)
  const [innerRight, m] = right.sizes.slice(-2)
  const batch = broadcastSizes(left.sizes.slice(0, -2), right.sizes.slice(0, -2))
  const count = batch.reduce((p, x) => p * x, 1)
  if (inner !== innerRight)
    throw new RuntimeError(
      `Expected size for first two dimensions of batch2 tensor to be: [${count}, ${inner}] but got: [${count}, ${innerRight}].`,
    )
  const flatLeft = reshape(expand(left, [...batch, n, inner]), [count, n, inner])
  const flatRight = reshape(expand(right, [...batch, inner, m]), [count, inner, m])
  const product = bmm(flatLeft, flatRight)
  return unsafeView(product, [...batch, ...(a.ndim === 1 ? [] : [n]), ...(b.ndim === 1 ? [] : [m])])
}

/** Options of the functions that add a product to something. */
export interface AddProductOptions {
  /** Factor of what is added to; 0 ignores it, NaN included. */
  beta?: number | Complex
  /** Factor of the product. */
  alpha?: number | Complex
}

export type AddProduct = (x: Tensor, a: Tensor, b: Tensor, options?: AddProductOptions) => Tensor

interface AddProductAttributes {
  readonly alpha: number | Complex
  readonly beta: number | Complex
}

// beta * x + alpha * (a b), the product's own gradients scaled by alpha; these get the factors conjugated.
function addProductOp(
  node: string,
  multiply: (a: Tensor, b: Tensor) => Tensor,
  gradients: (g: Tensor, a: Tensor, b: Tensor, c: { needs(i: number): boolean }) => (Tensor | null)[],
): Op<AddProductAttributes> {
  return {
    node,
    forward: ([x, a, b], attributes) => {
      const { dtype } = a
      // The half types are rounded once, at the end, as in PyTorch.
      if (dtype.itemsize === 2 && dtype.kind === 'float')
        return to(combine(multiply, to(x, float32), to(a, float32), to(b, float32), attributes), dtype)
      return combine(multiply, x, a, b, attributes)
    },
    saves: [1, 2],
    backward: ([g], c) => {
      const { alpha, beta } = c.attributes
      const scaled = alpha === 1 ? g! : g!.mul(conjugateOf(alpha))
      const own = c.needs(0) ? (beta === 1 ? g : g!.mul(conjugateOf(beta))) : null
      return [own, ...gradients(scaled, conjugateOf(c.input(1)), conjugateOf(c.input(2)), c)]
    },
  }
}

function combine(
  multiply: (a: Tensor, b: Tensor) => Tensor,
  x: Tensor,
  a: Tensor,
  b: Tensor,
  { alpha, beta }: AddProductAttributes,
): Tensor {
  const product = multiply(a, b)
  // Products of booleans are and'ed and or'ed: there, a factor is a condition.
  if (alpha !== 1) product.mul_(a.dtype === bool ? alpha !== 0 : alpha)
  if (beta === 0) return product
  return product.add_(x, { alpha: a.dtype === bool ? true : beta })
}

const addmmWhole = addProductOp('AddmmBackward0', mm, (g, a, b, c) => [
  c.needs(1) ? gradientOfLeft(g, a, b) : null,
  c.needs(2) ? gradientOfRight(g, a, b) : null,
])
const addmmOp: Op<AddProductAttributes> = {
  ...addmmWhole,
  forward: (inputs, attributes) => {
    const [x, a, b] = inputs
    const plain = attributes.alpha === 1 && attributes.beta === 1
    return plain && (a.dtype === float32 || a.dtype === float64) && isSmall(a, b)
      ? multiplyAdd(x, a, b)
      : addmmWhole.forward(inputs, attributes)
  },
}
const addmvOp = addProductOp('AddmvBackward0', mv, (g, a, v, c) => [
  c.needs(1) ? outer(g, v) : null,
  c.needs(2) ? mv(t(a), g) : null,
])
const baddbmmOp = addProductOp('BaddbmmBackward0', bmm, (g, a, b, c) => [
  c.needs(1) ? bmm(g, transpose(b, 1, 2)) : null,
  c.needs(2) ? bmm(transpose(a, 1, 2), g) : null,
])
const addrOp = addProductOp('AddrBackward0', outer, (g, a, b, c) => [
  c.needs(1) ? mv(g, b) : null,
  c.needs(2) ? mv(t(g), a) : null,
])
const addbmmWhole = addProductOp(
  'AddbmmBackward0',
  (a, b) => bmm(a, b).sum(0, { dtype: a.dtype }),
  (g, a, b, c) => {
    const each = expand(unsqueeze(g, 0), [a.sizes[0], ...g.sizes])
    return [
      c.needs(1) ? bmm(each, transpose(b, 1, 2)) : null,
      c.needs(2) ? bmm(transpose(a, 1, 2), each) : null,
    ]
  },
)
const addbmmOp: Op<AddProductAttributes> = {
  ...addbmmWhole,
  forward: (inputs, attributes) => {
    const [x, a, b] = inputs
    if (a.dtype.itemsize !== 2 || a.dtype.kind !== 'float' || a.sizes[0] === 0)
      return addbmmWhole.forward(inputs, attributes)
    // In the half types PyTorch adds, and rounds, one product after the other.
    let total = x
    for (let i = 0; i < a.sizes[0]; i++) {
      const { alpha, beta } = attributes
      const addend = { alpha, beta: i === 0 ? beta : 1 }
      total = addmmOp.forward([total, a.select(0, i), b.select(0, i)], addend) as Tensor
    }
    return total
  },
}

function addProduct(
  name: string,
  argumentNames: readonly string[],
  op: Op<AddProductAttributes>,
  check: (x: Tensor, a: Tensor, b: Tensor) => readonly number[],
): AddProduct & FunctionInfo & { readonly inPlace: AddProduct } {
  const attributesOf = (x: Tensor, a: Tensor, b: Tensor, { alpha = 1, beta = 1 }: AddProductOptions) => {
    for (const [i, v] of [x, a, b].entries()) checkTensor(name, ['input', ...argumentNames][i], v)
    checkDTypes(a, b)
    if (x.dtype !== a.dtype)
      throw new RuntimeError(
        `self and mat2 must have the same dtype, but got ${x.dtype.name} and ${a.dtype.name}`,
      )
    const sizes = check(x, a, b)
    if (x.ndim > sizes.length || formatSizes(broadcastSizes(x.sizes, sizes)) !== formatSizes(sizes))
      expand(x, sizes)
    // Factors of integers are integers.
    return a.dtype.isInexact
      ? { alpha, beta }
      : { alpha: Math.trunc(Number(alpha)), beta: Math.trunc(Number(beta)) }
  }
  const run = (x: Tensor, a: Tensor, b: Tensor, options: AddProductOptions) =>
    apply(op, [x, a, b], attributesOf(x, a, b, options))
  return withInPlace(
    fn<AddProduct>(name, ['input', ...argumentNames], ['beta', 'alpha'], run, { positional: 0 }),
    (x, a, b, options = {}) => applyOver(op, [x, a, b], attributesOf(x, a, b, options)),
  )
}

/** `beta * x + alpha * (mat1 @ mat2)`. */
export const addmm: AddProduct & FunctionInfo & { readonly inPlace: AddProduct } = addProduct(
  'addmm',
  ['mat1', 'mat2'],
  addmmOp,
  (_, a, b) => {
    if (a.ndim !== 2) throw new RuntimeError(`mat1 must be a matrix, got ${a.ndim}-D tensor`)
    if (b.ndim !== 2) throw new RuntimeError(`mat2 must be a matrix, got ${b.ndim}-D tensor`)
    checkMultiplicable(a, b)
    return [a.sizes[0], b.sizes[1]]
  },
)

/** `beta * x + alpha * (mat @ vec)`. */
export const addmv: AddProduct & FunctionInfo & { readonly inPlace: AddProduct } = addProduct(
  'addmv',
  ['mat', 'vec'],
  addmvOp,
  (_, a, v) => {
    if (a.ndim !== 2 || v.ndim !== 1)
      throw new RuntimeError(`vector + matrix @ vector expected, got 1, ${a.ndim}, ${v.ndim}`)
    return [a.sizes[0]]
  },
)

/** `beta * x + alpha * (batch1 @ batch2)`, matrix by matrix. */
export const baddbmm: AddProduct & FunctionInfo & { readonly inPlace: AddProduct } = addProduct(
  'baddbmm',
  ['batch1', 'batch2'],
  baddbmmOp,
  (_, a, b) => {
    if (a.ndim !== 3) throw new RuntimeError('batch1 must be a 3D tensor')
    if (b.ndim !== 3) throw new RuntimeError('batch2 must be a 3D tensor')
    return [a.sizes[0], a.sizes[1], b.sizes[2]]
  },
)

/** `beta * x + alpha * outer(vec1, vec2)`. */
export const addr: AddProduct & FunctionInfo & { readonly inPlace: AddProduct } = addProduct(
  'addr',
  ['vec1', 'vec2'],
  addrOp,
  (_, a, b) => [a.numel(), b.numel()],
)

/** `beta * x + alpha *` the sum over the batch of the products. */
export const addbmm: AddProduct & FunctionInfo & { readonly inPlace: AddProduct } = addProduct(
  'addbmm',
  ['batch1', 'batch2'],
  addbmmOp,
  (_, a, b) => {
    if (a.ndim !== 3) throw new RuntimeError('batch1 must be a 3D tensor')
    if (b.ndim !== 3) throw new RuntimeError('batch2 must be a 3D tensor')
    return [a.sizes[1], b.sizes[2]]
  },
)

/** Sums of products over the last dimension of both. */
export function inner(a: Tensor, b: Tensor): Tensor {
  if (a.ndim === 0 || b.ndim === 0) return a.mul(b)
  if (a.sizes[a.ndim - 1] !== b.sizes[b.ndim - 1])
    throw new RuntimeError(
      `inner() the last dimension must match on both input tensors but got shapes ${formatSizes(a.sizes)} and ${formatSizes(b.sizes)}`,
    )
  return tensordot(a, b, [[-1], [-1]])
}

/** What `tensordot` sums over: so many dimensions, or the dimensions of each. */
export type TensordotDims = number | Tensor | readonly (number | readonly number[])[]

export interface Tensordot {
  (a: Tensor, b: Tensor, dims?: TensordotDims): Tensor
  (a: Tensor, b: Tensor, options: { dims?: TensordotDims }): Tensor
}

/** Sums of products over several dimensions: the last n (2) of `a` with the first n of `b`, or pairs that are named. */
export const tensordot: Tensordot & FunctionInfo = fn<Tensordot>(
  'tensordot',
  ['a', 'b'],
  ['dims'],
  (a: Tensor, b: Tensor, { dims = 2 }: { dims?: TensordotDims }) => {
    const given = dims instanceof Tensor ? (dims.tolist() as number | (number | readonly number[])[]) : dims
    return typeof given === 'number'
      ? contractAlong(a, b, given)
      : contractAlong(
          a,
          b,
          given.map((d) => (typeof d === 'number' ? [d] : d)),
        )
  },
)

function contractAlong(a: Tensor, b: Tensor, dims: number | readonly (readonly number[])[]): Tensor {
  const listA =
    typeof dims === 'number'
      ? Array.from({ length: dims }, (_, i) => a.ndim - dims + i)
      : dims[0].map((d) => (d < 0 ? d + a.ndim : d))
  const listB =
    typeof dims === 'number'
      ? Array.from({ length: dims }, (_, i) => i)
      : dims[1].map((d) => (d < 0 ? d + b.ndim : d))
  if (typeof dims === 'number' && dims < 0)
    throw new RuntimeError(`tensordot expects dims >= 0, but got dims=${dims}`)
  if (listA.length !== listB.length) throw new RuntimeError('both dimension lists should have same length')
  // A dimension of size 1 stretches: then the other is summed.
  let [x, y] = [a, b]
  listA.forEach((d, i) => {
    const e = listB[i]
    if (a.sizes[d] === b.sizes[e]) return
    if (a.sizes[d] === 1) y = y.sum(e, { keepdim: true, dtype: b.dtype })
    else if (b.sizes[e] === 1) x = x.sum(d, { keepdim: true, dtype: a.dtype })
    else
      throw new RuntimeError(
        `contracted dimensions need to match, but first has size ${a.sizes[d]} in dim ${d} and second has size ${b.sizes[e]} in dim ${e}`,
      )
  })
  const freeA = a.sizes.map((_, d) => d).filter((d) => !listA.includes(d))
  const freeB = b.sizes.map((_, d) => d).filter((d) => !listB.includes(d))
  const count = listA.reduce((n, d) => n * x.sizes[d], 1)
  const sizesA = freeA.map((d) => a.sizes[d])
  const sizesB = freeB.map((d) => b.sizes[d])
  const left = reshape(x.permute([...freeA, ...listA]), [sizesA.reduce((n, x) => n * x, 1), count])
  const right = reshape(y.permute([...listB, ...freeB]), [count, sizesB.reduce((n, x) => n * x, 1)])
  return view(mm(left, right), [...sizesA, ...sizesB])
}

/** A product of matrices, in the order that is cheapest. */
export function chainMatmul(...matrices: Tensor[]): Tensor {
  return matrices.reduce((product, m) => matmul(product, m))
}

/** The Kronecker product. */
export function kron(a: Tensor, b: Tensor): Tensor {
  const rank = Math.max(a.ndim, b.ndim)
  const pad = (x: Tensor) => [...new Array<number>(rank - x.ndim).fill(1), ...x.sizes]
  const [sa, sb] = [pad(a), pad(b)]
  const left = reshape(
    a,
    sa.flatMap((n) => [n, 1]),
  )
  const right = reshape(
    b,
    sb.flatMap((n) => [1, n]),
  )
  return unsafeView(
    left.mul(right),
    sa.map((n, i) => n * sb[i]),
  )
}
