// What stands for torch._utils._rebuild_tensor_v2 and its like: tensors from a storage, sizes and strides, all of them checked
// against the bytes that the storage has.

import { DType } from '../core/dtype.ts'
import { Tuple } from '../core/python.ts'
import { Size } from '../core/shape.ts'
import { PickleGlobal, pythonTypeName, TypedStorage, type UnpicklingContext } from './python-objects.ts'
import { supportedDtype } from './storage-types.ts'

// PyTorch's kernels take no more (at::TensorIterator, numpy's limit too).
const maxRank = 64

interface RebuildFunction {
  readonly name: string
  readonly call: (args: readonly unknown[], context: UnpicklingContext) => unknown
}

/** The rebuilding functions by their full names. */
export const rebuildFunctions: readonly RebuildFunction[] = [
  { name: 'torch._utils._rebuild_tensor', call: rebuildTensor },
  { name: 'torch._utils._rebuild_tensor_v2', call: rebuildTensorV2 },
  { name: 'torch._utils._rebuild_tensor_v3', call: rebuildTensorV3 },
  { name: 'torch._utils._rebuild_parameter', call: rebuildParameter },
  { name: 'torch._utils._rebuild_parameter_with_state', call: rebuildParameter },
  { name: 'torch._utils._rebuild_device_tensor_from_cpu_tensor', call: rebuildDeviceTensor },
  { name: 'torch._tensor._rebuild_from_type_v2', call: rebuildFromType },
]

/** (storage, offset, size, stride) */
function rebuildTensor(args: readonly unknown[], context: UnpicklingContext): object {
  needs(args, 4, 4)
  return makeTensor(args, false, null, context)
}

/** (storage, offset, size, stride, requires_grad, backward_hooks, metadata?) */
function rebuildTensorV2(args: readonly unknown[], context: UnpicklingContext): object {
  needs(args, 5, 7)
  refuseMetadata(args[6])
  return makeTensor(args, boolean(args[4], 'requires_grad'), null, context)
}

/** (storage, offset, size, stride, requires_grad, backward_hooks, dtype, metadata?) over an untyped storage */
function rebuildTensorV3(args: readonly unknown[], context: UnpicklingContext): object {
  needs(args, 7, 8)
  refuseMetadata(args[7])
  const dtype = args[6]
  if (!(dtype instanceof DType)) throw new Error(`expected a dtype, but got ${pythonTypeName(dtype)}`)
  return makeTensor(args, boolean(args[4], 'requires_grad'), dtype, context)
}

/** (data, requires_grad, backward_hooks, state?) */
function rebuildParameter(args: readonly unknown[], context: UnpicklingContext): object {
  needs(args, 3, 4)
  return context.tensors.parameter(tensor(args[0], context), boolean(args[1], 'requires_grad'))
}

/** (data, dtype, device, requires_grad): tensors of devices that are saved by way of the CPU */
function rebuildDeviceTensor(args: readonly unknown[], context: UnpicklingContext): object {
  needs(args, 4, 4)
  return tensor(args[0], context)
}

/** (function, type, args, state): a tensor with Python attributes, which are left out */
function rebuildFromType(args: readonly unknown[], context: UnpicklingContext): unknown {
  needs(args, 4, 4)
  const [func, type, inner] = args
  const isPlain =
    type instanceof PickleGlobal &&
    (type.fullName === 'torch.Tensor' || type.fullName === 'torch.nn.parameter.Parameter')
  if (!isPlain) throw new Error('tensor subclasses are not supported')
  const isRebuild = func instanceof PickleGlobal && rebuildFunctions.some((f) => f.name === func.fullName)
  // One level is what PyTorch writes; more would be recursion at the file's command.
  if (!isRebuild || func.fullName === 'torch._tensor._rebuild_from_type_v2' || !(inner instanceof Tuple))
    throw new Error('expected a function that rebuilds a tensor, and its arguments')
  return func.call(inner, context)
}

function needs(args: readonly unknown[], min: number, max: number): void {
  if (args.length < min || args.length > max)
    throw new Error(`expected ${min === max ? min : `${min} to ${max}`} arguments, but got ${args.length}`)
}

function boolean(value: unknown, name: string): boolean {
  if (typeof value === 'boolean') return value
  throw new Error(`${name} must be a bool, but is ${pythonTypeName(value)}`)
}

function tensor(value: unknown, context: UnpicklingContext): object {
  if (context.tensors.isTensor(value)) return value as object
  throw new Error(`expected a tensor, but got ${pythonTypeName(value)}`)
}

/** The last argument holds the bits of lazy conjugation and negation. */
function refuseMetadata(metadata: unknown): void {
  if (metadata instanceof Map && [...metadata.values()].some((flag) => flag !== false))
    throw new Error('lazily conjugated or negated views are not supported: save tensor.resolve_neg() instead')
}

/** A tuple of whole numbers that are not negative, as `size` and `stride` must be. */
function counts(value: unknown, name: string, context: UnpicklingContext): number[] {
  if (!(value instanceof Tuple || value instanceof Size))
    throw new Error(`${name} must be a tuple, but is ${pythonTypeName(value)}`)
  if (context.hasWholeFloats(value)) throw new Error(`${name} must hold whole numbers, but has a float`)
  if (value.length > maxRank)
    throw new Error(`${name} has ${value.length} dimensions; at most ${maxRank} are supported`)
  return Array.from(value as ArrayLike<unknown>, (n) => count(n, name))
}

function count(value: unknown, name: string): number {
  if (typeof value === 'bigint') throw new Error(`${name} holds ${value}, which no file can fill`)
  if (!Number.isSafeInteger(value) || (value as number) < 0 || Object.is(value, -0))
    throw new Error(
      `${name} must hold whole numbers from 0 on, but has ${pythonTypeName(value)} ${String(value)}`,
    )
  return value as number
}

function makeTensor(
  args: readonly unknown[],
  requiresGrad: boolean,
  dtypeOfUntyped: DType | null,
  context: UnpicklingContext,
): object {
  const typed = args[0]
  if (!(typed instanceof TypedStorage))
    throw new Error(`expected a storage, but got ${pythonTypeName(typed)}`)
  if (context.hasWholeFloats(args)) throw new Error('storage_offset must be an int, but is a float')
  const dtype = dtypeOfUntyped ?? typed.dtype ?? supportedDtype(typed.dtypeName)
  const offset = count(args[1], 'storage_offset')
  const sizes = counts(args[2], 'size', context)
  const strides = counts(args[3], 'stride', context)
  if (sizes.length !== strides.length)
    throw new Error(`unequal size length (${sizes.length}) and stride length (${strides.length})`)
  context.spend(sizes.length)
  const available = Math.floor((typed.size * typed.itemsize) / dtype.itemsize)
  checkExtent(sizes, strides, offset, available)
  if (requiresGrad && !dtype.isFloatingPoint)
    throw new Error(`a tensor of dtype ${dtype} cannot require gradients`)
  return context.tensors.tensor(typed.storage, sizes, strides, offset, dtype, requiresGrad)
}

/** Throws unless every element lies within the storage and the number of elements can be counted. */
function checkExtent(sizes: number[], strides: number[], offset: number, available: number): void {
  let numel = 1
  let last = offset
  for (let i = 0; i < sizes.length; i++) {
    numel *= sizes[i]
    last += Math.max(sizes[i] - 1, 0) * strides[i]
  }
  if (!Number.isSafeInteger(numel)) throw new Error(`a tensor of size [${sizes}] has too many elements`)
  if (numel === 0 ? offset > available : !Number.isSafeInteger(last) || last >= available)
    throw new Error(
      `a tensor of size [${sizes}], stride [${strides}] and storage offset ${offset} reaches beyond its storage of ${available} elements`,
    )
}
