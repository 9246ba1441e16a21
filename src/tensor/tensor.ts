// The Tensor class: a strided view of a storage, and what autograd knows about it. Its operations are functions in
// ops/ that methods.ts installs as methods; TensorMethods gives them their types.

import type { GradientHook, Node } from '../autograd/node.ts'
import { refreshView, type ViewOrigin } from '../autograd/view-edge.ts'
import type { Device } from '../core/device.ts'
import type { DType } from '../core/dtype.ts'
import { RuntimeError, TypeError_ } from '../core/errors.ts'
import { isContiguous, makeSize, numelOf, type Size, wrapDim } from '../core/shape.ts'
import type { TensorMethods } from './methods.ts'
import { formatTensor, formatTensorAsync } from './print.ts'
import type { Storage } from './storage.ts'

/** What autograd keeps about a tensor that takes part in it. */
export interface AutogradState {
  requiresGrad: boolean
  grad: Tensor | null
  gradFn: Node | null
  /** Which of the node's results this tensor is. */
  outputNumber: number
  /** The node that adds gradients to this leaf; made on demand. */
  accumulator: Node | null
  hooks: Map<number, GradientHook> | null
  postAccumulateHooks: Map<number, (tensor: Tensor) => void> | null
  retainsGrad: boolean
}

/**
 * An n-dimensional array of one dtype on one device, PyTorch's `torch.Tensor`. Make one with `torch.tensor`,
 * `torch.zeros`, ...; every operation is both a function and a method: `torch.add(x, y)`, `x.add(y)`.
 */
export class Tensor {
  readonly storage: Storage
  readonly dtype: DType
  /** The shape as a plain array; `shape` is the same as a printable `Size`. */
  sizes: readonly number[]
  /** Steps between neighbours of each dimension, in elements. */
  strides: readonly number[]
  /** The first element's position in the storage, in elements. */
  offset: number
  /** The tensor whose memory this is a view of, null for tensors that are no view. */
  base: Tensor | null = null
  /** For views: the storage's version at which what autograd knows of them was right. */
  viewVersion = 0
  /** For views: what made them. */
  viewOrigin: ViewOrigin = 'one'
  /** Whether the elements are the conjugates of what is in memory: those of `conj()`, a view. */
  readonly conjugated: boolean
  /** Null until the tensor takes part in autograd. */
  autograd: AutogradState | null = null

  constructor(
    storage: Storage,
    sizes: readonly number[],
    strides: readonly number[],
    offset: number,
    dtype: DType,
    conjugated = false,
  ) {
    this.storage = storage
    this.sizes = sizes
    this.strides = strides
    this.offset = offset
    this.dtype = dtype
    this.conjugated = conjugated
  }

  get device(): Device {
    return this.storage.device
  }

  get shape(): Size {
    return makeSize(this.sizes)
  }

  get ndim(): number {
    return this.sizes.length
  }

  dim(): number {
    return this.sizes.length
  }

  ndimension(): number {
    return this.sizes.length
  }

  numel(): number {
    return numelOf(this.sizes)
  }

  nelement(): number {
    return numelOf(this.sizes)
  }

  /** Bytes of one element. */
  elementSize(): number {
    return this.dtype.itemsize
  }

  size(): Size
  size(dim: number): number
  size(dim?: number): Size | number {
    return dim === undefined ? this.shape : this.sizes[wrapDim(dim, this.ndim)]
  }

  stride(): number[]
  stride(dim: number): number
  stride(dim?: number): number[] | number {
    return dim === undefined ? [...this.strides] : this.strides[wrapDim(dim, this.ndim)]
  }

  storageOffset(): number {
    return this.offset
  }

  isContiguous(): boolean {
    return isContiguous(this.sizes, this.strides)
  }

  isFloatingPoint(): boolean {
    return this.dtype.kind === 'float'
  }

  isComplex(): boolean {
    return this.dtype.kind === 'complex'
  }

  /** Whether the elements are the conjugates of those in memory, as of `x.conj()`; `resolveConj` makes a copy. */
  isConj(): boolean {
    return this.conjugated
  }

  /** Whether the elements are the negatives of those in memory: never here. */
  isNeg(): boolean {
    return false
  }

  isSigned(): boolean {
    return this.dtype.isSigned
  }

  /** How often the memory of this tensor was changed in place. */
  get version(): number {
    return this.storage.version
  }

  // ---- autograd -------------------------------------------------------------------------------------------------

  /** The state of autograd, made now where there is none. */
  ensureAutograd(): AutogradState {
    this.autograd ??= {
      requiresGrad: false,
      grad: null,
      gradFn: null,
      outputNumber: 0,
      accumulator: null,
      hooks: null,
      postAccumulateHooks: null,
      retainsGrad: false,
    }
    return this.autograd
  }

  /** The node that computed this tensor, null for leaves. */
  get gradFn(): Node | null {
    if (this.base !== null && this.viewVersion !== this.storage.version) refreshView(this)
    return this.autograd === null ? null : this.autograd.gradFn
  }

  get requiresGrad(): boolean {
    if (this.autograd?.requiresGrad) return true
    return this.gradFn !== null
  }

  set requiresGrad(value: boolean) {
    this.requiresGrad_(value)
  }

  /** Whether gradients are recorded for this tensor; set in place, returns the tensor. Throws for integers and non-leaves. */
  requiresGrad_(value = true): this {
    if (value && !this.dtype.isInexact)
      throw new RuntimeError('only Tensors of floating point dtype can require gradients')
    if (!value && this.gradFn !== null)
      throw new RuntimeError(
        "you can only change requires_grad flags of leaf variables. If you want to use a computed variable in a subgraph that doesn't require differentiation use var_no_grad = var.detach().",
      )
    if (value || this.autograd !== null) this.ensureAutograd().requiresGrad = value
    return this
  }

  /** Whether this tensor was not computed by a recorded operation. */
  get isLeaf(): boolean {
    return this.gradFn === null
  }

  /** The gradient that `backward` accumulated, null where there is none. */
  get grad(): Tensor | null {
    return this.autograd === null ? null : this.autograd.grad
  }

  set grad(value: Tensor | null) {
    if (value === null) {
      if (this.autograd !== null) this.autograd.grad = null
      return
    }
    if (!(value instanceof Tensor))
      throw new TypeError_(
        `assigned grad expected to be a Tensor or null but got grad of type ${typeof value}`,
      )
    if (value === this) throw new RuntimeError("can't assign Variable as its own grad")
    if (value.dtype !== this.dtype)
      throw new RuntimeError(
        `attempting to assign a gradient with dtype '${value.dtype}' to a tensor with grad_dtype '${this.dtype}'. The gradient must match the tensor's grad_dtype (defaults to the tensor's dtype).`,
      )
    if (value.sizes.length !== this.sizes.length || value.sizes.some((n, i) => n !== this.sizes[i]))
      throw new RuntimeError(
        `attempting to assign a gradient of size '[${value.sizes.join(', ')}]' to a tensor of size '[${this.sizes.join(', ')}]'. Please ensure that the gradient and the tensor are the same size`,
      )
    this.ensureAutograd().grad = value
  }

  /** Keeps the gradient of a tensor that is no leaf in `grad` as well. */
  retainGrad(): void {
    if (!this.requiresGrad) throw new RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
    if (this.isLeaf) return
    this.ensureAutograd().retainsGrad = true
    const node = this.gradFn!
    node.retained ??= new Map()
    node.retained.set(this.autograd!.outputNumber, this)
  }

  get retainsGrad(): boolean {
    return this.autograd?.retainsGrad ?? false
  }

  // ---- text -----------------------------------------------------------------------------------------------------

  /** PyTorch's text: `tensor([1., 2.], requires_grad=True)`. */
  toString(): string {
    return formatTensor(this)
  }

  /**
   * PyTorch's text with the values also where they have to be waited for: `tensor([1., 2.], device='webgpu')`.
   * @throws RuntimeError where something went wrong on the device, or the device was lost.
   */
  toStringAsync(): Promise<string> {
    return formatTensorAsync(this)
  }

  /** The tensor's text, as containers print their elements. */
  repr(): string {
    return this.toString()
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }

  /** Iterates over the first dimension. Throws a TypeError for a tensor without dimensions. */
  [Symbol.iterator](): IterableIterator<Tensor> {
    if (this.ndim === 0) throw new TypeError_('iteration over a 0-d tensor')
    return this.unbind(0)[Symbol.iterator]()
  }
}

// The operations, as methods: their types follow from the functions.
export interface Tensor extends TensorMethods {}

/** A tensor over a storage, as checkpoints need it. */
export function tensorFromStorage(
  storage: Storage,
  sizes: readonly number[],
  strides: readonly number[],
  offset: number,
  dtype: DType,
): Tensor {
  return new Tensor(storage, sizes, strides, offset, dtype)
}

/**
 * Makes `x` show the data of `from`: memory, shape, dtype. The object, its `requiresGrad` and its hooks stay, as with
 * PyTorch's `x.data = from`. Used where a parameter must remain the same object while its data changes: conversion of
 * a module to another dtype, materialising a lazy parameter.
 */
export function setData(x: Tensor, from: Tensor): void {
  const changed =
    x.dtype !== from.dtype || !x.device.equals(from.device) || x.sizes.join() !== from.sizes.join()
  const target = x as { -readonly [K in 'storage' | 'dtype' | 'conjugated']: Tensor[K] }
  target.storage = from.storage
  target.dtype = from.dtype
  target.conjugated = from.conjugated
  x.sizes = from.sizes
  x.strides = from.strides
  x.offset = from.offset
  x.base = null
  if (x.autograd === null) return
  // The accumulator knows what a gradient of the old data looked like; the next one is made on demand.
  if (changed) x.autograd.accumulator = null
}
