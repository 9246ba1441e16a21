// The pointwise machinery: from one expression to a function over tensors of any shapes, strides and dtypes.

import { gradMode } from '../autograd/mode.ts'
import { backendFor } from '../backends/backend.ts'
import { Complex } from '../core/complex.ts'
import { bool, type DType, realOf, scalarTypeName } from '../core/dtype.ts'
import { NotImplementedError, RuntimeError } from '../core/errors.ts'
import { canCast, floatResult, resultType } from '../core/promotion.ts'
import {
  broadcastSizes,
  contiguousStrides,
  denseStridesLike,
  formatSizes,
  isContiguous,
  numelOf,
  sameSizes,
} from '../core/shape.ts'
import { partType } from '../kernels/complex.ts'
import * as k from '../kernels/expr.ts'
import { type Expr, type ValueType, valueTypeOf } from '../kernels/expr.ts'
import { type Kernel, KernelBuilder } from '../kernels/kernel.ts'
import { Tensor } from '../tensor/tensor.ts'
import { broadcastOperand, commonDevice, emptyTensor, launch, operand } from './launch.ts'
import {
  anyRequiresGrad,
  apply,
  applyInPlace,
  type BackwardContext,
  checkTensor,
  type FunctionInfo,
  type Op,
} from './op.ts'

/** A number where a tensor could be. */
export type Scalar = number | bigint | boolean | Complex
export type TensorOrScalar = Tensor | Scalar

/** What a pointwise operation is. */
export interface PointwiseSpec {
  readonly name: string
  /** PyTorch's node name. Where the name depends on which operands are numbers: a function of that. */
  readonly node?: string | ((scalars: readonly (Scalar | null)[]) => string)
  /** One element's result. Operands and result are of the type that the dtype rule says. */
  readonly kernel: (operands: readonly Expr[], parameters: readonly Expr[]) => Expr
  /**
   * The dtype rule. `same`: that of the promoted operands. `float`: likewise, integers become the default float.
   * `bool`: computed in the promoted dtype, the result is bool. `real`: as `same`, but complex numbers give real ones.
   */
  readonly result?: 'same' | 'float' | 'bool' | 'real'
  /** Kinds of dtype that PyTorch refuses for it. */
  readonly refuses?: readonly DType['kind'][]
  readonly saves?: readonly number[]
  readonly savesOutput?: boolean
  /** The gradient of each operand; absent for operations without derivative (their results never require grad). */
  readonly backward?: (
    grad: Tensor,
    context: BackwardContext<PointwiseAttributes>,
  ) => readonly (Tensor | null)[]
}

/** What a call of a pointwise operation is, its tensors aside: number operands (null for tensors), parameters. */
export interface PointwiseAttributes {
  readonly operands: readonly (Scalar | null)[]
  readonly parameters: readonly number[]
  /** Where the result is to be written; null for a new tensor. */
  readonly out: Tensor | null
}

/** A pointwise operation that can be called with tensors and numbers. */
export interface Pointwise {
  readonly spec: PointwiseSpec
  (operands: readonly TensorOrScalar[], parameters?: readonly number[]): Tensor
  /** Writes the result to the first operand. */
  inPlace(operands: readonly TensorOrScalar[], parameters?: readonly number[]): Tensor
}

interface PreparedKernel {
  readonly kernel: Kernel
  readonly out: DType
}

const noParameters: readonly number[] = []

/** Makes a pointwise operation of a specification. */
export function pointwise(spec: PointwiseSpec): Pointwise {
  const kernels = new Map<number, PreparedKernel>()

  // Kernels differ by the dtypes of the tensors, by which operands are numbers, and by the common dtype.
  const prepare = (
    tensors: readonly Tensor[],
    operands: readonly (Scalar | null)[],
    common: DType,
    parameterCount: number,
    outDtype: DType | null,
  ): PreparedKernel => {
    let key = common.index + 16 * (outDtype === null ? 15 : outDtype.index)
    let t = 0
    for (let i = 0; i < operands.length; i++)
      key = key * 16 + (operands[i] === null ? tensors[t++].dtype.index : 15)
    const known = kernels.get(key)
    if (known !== undefined) return known
    const prepared = build(spec, tensors, operands, common, parameterCount, outDtype)
    kernels.set(key, prepared)
    return prepared
  }

  const forward = (
    tensors: readonly Tensor[],
    { operands, parameters, out }: PointwiseAttributes,
  ): Tensor => {
    const common = commonDType(spec, tensors, operands)
    const { kernel, out: dtype } = prepare(
      tensors,
      operands,
      common,
      parameters.length,
      out === null ? null : out.dtype,
    )
    const device = commonDevice(spec.name, tensors)
    const isComplex = common.kind === 'complex'
    const scalars: Scalar[] = []
    for (const o of operands) if (o !== null) scalars.push(isComplex ? Complex.of(o) : o)
    for (const p of parameters) scalars.push(p)

    const first = tensors[0]
    let sizes = first.sizes
    let same = true
    for (let i = 1; i < tensors.length; i++)
      if (!sameSizes(tensors[i].sizes, sizes)) {
        same = false
        sizes = broadcastSizes(sizes, tensors[i].sizes)
      }
    if (out !== null && !sameSizes(out.sizes, sizes))
      throw new RuntimeError(
        `output with shape ${formatSizes(out.sizes)} doesn't match the broadcast shape ${formatSizes(sizes)}`,
      )
    // Complex elements are two real ones with a step of two, which `launch` knows to take apart.
    if (
      same &&
      !isComplex &&
      !hasComplex(tensors) &&
      allContiguous(tensors) &&
      (out === null || (out.dtype.kind !== 'complex' && isContiguous(out.sizes, out.strides)))
    ) {
      const result = out ?? emptyTensor(sizes, dtype, device)
      if (device.type === 'meta') return result
      const storages = []
      const offsets = []
      for (const x of tensors) {
        storages.push(x.storage.allocation)
        offsets.push(x.offset)
      }
      storages.push(result.storage.allocation)
      offsets.push(result.offset)
      backendFor(device.type).launchFlat(
        kernel,
        numelOf(sizes),
        storages,
        offsets,
        scalars as (number | bigint | boolean)[],
      )
      return result
    }
    const result = out ?? emptyTensor(sizes, dtype, device, resultStrides(tensors, sizes))
    launch(
      device,
      kernel,
      sizes,
      [],
      [...tensors.map((x) => broadcastOperand(x, sizes)), operand(result)],
      scalars,
    )
    return result
  }

  const op: Op<PointwiseAttributes> = {
    node: (attributes) =>
      typeof spec.node === 'function'
        ? spec.node(attributes.operands)
        : (spec.node ?? `${pascal(spec.name)}Backward0`),
    forward,
    saves: spec.saves,
    savesOutputs: spec.savesOutput ? [0] : undefined,
    backward: (grads, context) => spec.backward!(grads[0]!, context),
  }

  const split = (all: readonly TensorOrScalar[]): { tensors: Tensor[]; operands: (Scalar | null)[] } => {
    const tensors: Tensor[] = []
    const operands: (Scalar | null)[] = []
    for (let i = 0; i < all.length; i++) {
      const x = all[i]
      if (x instanceof Tensor) {
        tensors.push(x.conjugated ? x.clone() : x)
        operands.push(null)
      } else if (
        typeof x === 'number' ||
        typeof x === 'boolean' ||
        typeof x === 'bigint' ||
        x instanceof Complex
      )
        operands.push(x)
      else checkTensor(spec.name, i === 0 ? 'input' : 'other', x)
    }
    if (tensors.length === 0) checkTensor(spec.name, 'input', all[0])
    return { tensors, operands }
  }

  const call = (all: readonly TensorOrScalar[], parameters: readonly number[] = noParameters): Tensor => {
    const { tensors, operands } = split(all)
    const attributes = { operands, parameters, out: null }
    if (spec.backward === undefined || !gradMode.enabled || !anyRequiresGrad(tensors))
      return forward(tensors, attributes)
    return apply(op, tensors, attributes)
  }

  const inPlace = (all: readonly TensorOrScalar[], parameters: readonly number[] = noParameters): Tensor => {
    checkTensor(spec.name, 'input', all[0])
    const target = all[0]
    const { tensors, operands } = split(all)
    const self = target.conjugated ? target : tensors[0]
    const common = commonDType(spec, tensors, operands)
    const resultDType = resultOf(spec, common)
    if (!canCast(resultDType, self.dtype))
      throw new RuntimeError(
        `result type ${scalarTypeName(resultDType)} can't be cast to the desired output type ${scalarTypeName(self.dtype)}`,
      )
    let sizes = self.sizes
    for (const x of tensors) sizes = broadcastSizes(sizes, x.sizes)
    if (!sameSizes(sizes, self.sizes))
      throw new RuntimeError(
        `output with shape ${formatSizes(self.sizes)} doesn't match the broadcast shape ${formatSizes(sizes)}`,
      )
    checkWritable(self)
    // What is conjugated as it is read cannot be written in place.
    if (self.conjugated) return self.copy_(call(all, parameters))
    // An operand that overlaps the target in another order must be read before it is overwritten.
    const inputs = tensors.map((x) =>
      x !== self && x.storage === self.storage && !sameLayout(x, self) ? x.clone() : x,
    )
    const attributes = { operands, parameters, out: self }
    return applyInPlace(op, inputs, attributes, () => {
      forward(inputs, attributes)
    })
  }

  return Object.assign(call, { spec, inPlace })
}

// The other operand of a binary operation in its derivative: the saved tensor, or the number.
export function operandOf(
  context: { input(i: number): Tensor; attributes: { operands: readonly (Scalar | null)[] } },
  index: number,
): TensorOrScalar {
  const scalar = context.attributes.operands[index]
  if (scalar !== null) return scalar
  // Tensors are counted without the numbers among the operands.
  let tensorIndex = 0
  for (let i = 0; i < index; i++) if (context.attributes.operands[i] === null) tensorIndex++
  return context.input(tensorIndex)
}

/** The complex conjugate of an operand; real ones as they are. */
export function conjugateOf<T extends TensorOrScalar>(x: T): T {
  if (x instanceof Tensor) return x.dtype.kind === 'complex' ? (x.conj() as T) : x
  return x instanceof Complex ? (new Complex(x.re, -x.im) as T) : x
}

/** Throws where several elements of a tensor share memory, so that writing to it has no meaning. */
export function checkWritable(x: Tensor): void {
  for (let d = 0; d < x.ndim; d++)
    if (x.strides[d] === 0 && x.sizes[d] > 1)
      throw new RuntimeError(
        'unsupported operation: more than one element of the written-to tensor refers to a single memory location. Please clone() the tensor before performing the operation.',
      )
}

function sameLayout(a: Tensor, b: Tensor): boolean {
  return a.offset === b.offset && sameSizes(a.sizes, b.sizes) && sameSizes(a.strides, b.strides)
}

function hasComplex(tensors: readonly Tensor[]): boolean {
  for (const x of tensors) if (x.dtype.kind === 'complex') return true
  return false
}

function allContiguous(tensors: readonly Tensor[]): boolean {
  for (const x of tensors) if (!isContiguous(x.sizes, x.strides)) return false
  return true
}

// The strides of the result: the layout of the first operand that has the result's shape, as TensorIterator keeps it.
function resultStrides(tensors: readonly Tensor[], sizes: readonly number[]): readonly number[] {
  for (const x of tensors) if (sameSizes(x.sizes, sizes)) return denseStridesLike(sizes, x.strides)
  return contiguousStrides(sizes)
}

function commonDType(
  spec: PointwiseSpec,
  tensors: readonly Tensor[],
  operands: readonly (Scalar | null)[],
): DType {
  let common: DType
  if (tensors.length === 1 && operands.length === 1) common = tensors[0].dtype
  else if (operands.length === 2 && tensors.length === 2 && tensors[0].dtype === tensors[1].dtype)
    common = tensors[0].dtype
  else {
    let t = 0
    common = resultType(operands.map((o) => (o === null ? tensors[t++] : o)))
  }
  if (spec.result === 'float') common = floatResult(common)
  if (spec.refuses?.includes(common.kind))
    throw new NotImplementedError(
      `"${spec.name}" not implemented for '${scalarTypeName(common)}'${common.kind === 'int' && !spec.refuses.includes('float') ? ': a floating tensor is needed; convert it with .float(), or make it with { dtype: torch.float32 }' : ''}`,
    )
  return common
}

function resultOf(spec: PointwiseSpec, common: DType): DType {
  return spec.result === 'bool' ? bool : spec.result === 'real' ? realOf(common) : common
}

function build(
  spec: PointwiseSpec,
  tensors: readonly Tensor[],
  operands: readonly (Scalar | null)[],
  common: DType,
  parameterCount: number,
  outDtype: DType | null,
): PreparedKernel {
  const builder = new KernelBuilder(spec.name)
  const type: ValueType = valueTypeOf(common)
  const inputs = tensors.map((x) => builder.input(x.dtype))
  const resultDtype = resultOf(spec, common)
  const dtype = outDtype ?? resultDtype
  const output = builder.output(dtype)
  let t = 0
  const expressions = operands.map((o) => {
    if (o !== null) return builder.scalar(type === 'bool' ? 'bool' : type)
    return k.cast(builder.read(inputs[t++]), type)
  })
  const parameters = Array.from({ length: parameterCount }, () =>
    builder.scalar(partType(type) === 'f64' ? 'f64' : 'f32'),
  )
  const value = spec.kernel(expressions, parameters)
  builder.write(output, k.cast(wrapTo(value, resultDtype, dtype), valueTypeOf(dtype)))
  return { kernel: builder.build(), out: dtype }
}

// A result computed in 32 bits for a narrow integer dtype wraps before it is converted to a wider one.
function wrapTo(e: Expr, computed: DType, stored: DType): Expr {
  if (computed === stored || e.type !== 'i32') return e
  switch (computed.name) {
    case 'uint8':
      return k.and(e, 0xff)
    case 'int8':
      return k.shr(k.shl(e, 24), 24)
    case 'int16':
      return k.shr(k.shl(e, 16), 16)
    default:
      return e
  }
}

/** A name with its first letter large, as nodes are called: `exp` → `Exp`. */
export function pascal(name: string): string {
  return name[0].toUpperCase() + name.slice(1)
}

// ---- the public forms -------------------------------------------------------------------------------------------------

/** A function of one tensor, with an in-place form. */
export interface Unary extends FunctionInfo {
  (x: Tensor): Tensor
  /** Writes the result to the tensor itself. */
  readonly inPlace: (x: Tensor) => Tensor
}

/** A function of one tensor without an in-place form. */
export interface UnaryOnly extends FunctionInfo {
  (x: Tensor): Tensor
}

/** A function of two tensors (or a tensor and a number), broadcast against each other, with an in-place form. */
export interface Binary extends FunctionInfo {
  (x: Tensor, other: TensorOrScalar): Tensor
  readonly inPlace: (x: Tensor, other: TensorOrScalar) => Tensor
}

const info = (required: readonly string[]): FunctionInfo => ({ required, optional: [], method: true })

/** A unary function of a specification. */
export function unary(spec: PointwiseSpec): Unary {
  const run = pointwise(spec)
  return Object.assign((x: Tensor) => run([x]), info(['input']), { inPlace: (x: Tensor) => run.inPlace([x]) })
}

/** A binary function of a specification. */
export function binary(spec: PointwiseSpec): Binary {
  const run = pointwise(spec)
  return Object.assign((x: Tensor, other: TensorOrScalar) => run([x, other]), info(['input', 'other']), {
    inPlace: (x: Tensor, other: TensorOrScalar) => run.inPlace([x, other]),
  })
}

/** A function of two operands, either of which may be a number, with an in-place form. */
export interface BinaryOfEither extends FunctionInfo {
  (x: TensorOrScalar, other: TensorOrScalar): Tensor
  readonly inPlace: (x: Tensor, other: TensorOrScalar) => Tensor
}

/** Makes the public form of a pointwise operation whose operands may both be numbers. */
export function binaryOfEither(run: Pointwise): BinaryOfEither {
  return Object.assign((x: TensorOrScalar, other: TensorOrScalar) => run([x, other]), {
    required: ['input', 'other'],
    optional: [],
    method: true,
    inPlace: (x: Tensor, other: TensorOrScalar) => run.inPlace([x, other]),
  })
}

/** Adds an in-place form to a function made by `fn`. */
export function withInPlace<F extends FunctionInfo, G>(f: F, inPlace: G): F & { readonly inPlace: G } {
  return Object.assign(f, { inPlace })
}
