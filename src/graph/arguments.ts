// The arguments of a captured function: tensors of its own into which each call's tensors are copied, and what must stay.

import { RuntimeError } from '../core/errors.ts'
import { denseStridesLike, formatSizes, isContiguous, sameSizes } from '../core/shape.ts'
import { copyRaw } from '../ops/conversion.ts'
import { emptyTensor } from '../ops/launch.ts'
import { describe, isOptions } from '../ops/op.ts'
import type { Storage } from '../tensor/storage.ts'
import { Tensor } from '../tensor/tensor.ts'

/** A value with the same structure, each tensor in it replaced. Arrays and plain objects are looked into. */
export function mapTensors(value: unknown, map: (x: Tensor) => unknown): unknown {
  if (value instanceof Tensor) return map(value)
  if (Array.isArray(value)) {
    const copy = value.map((item) => mapTensors(item, map))
    // A Tuple, or a result with named fields, stays one.
    return Object.getPrototypeOf(value) === Array.prototype
      ? copy
      : Object.setPrototypeOf(copy, Object.getPrototypeOf(value))
  }
  if (isOptions(value))
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTensors(item, map)]))
  return value
}

export class StaticArguments {
  /** The memory of the tensors in them. */
  readonly storages = new Set<Storage>()
  /** The arguments that the function is called with. */
  readonly values: readonly unknown[]

  constructor(args: readonly unknown[]) {
    this.values = args.map((arg, i) => mapTensors(arg, (x) => this.add(staticTensor(x, `argument ${i}`))))
  }

  private add(x: Tensor): Tensor {
    this.storages.add(x.storage)
    return x
  }

  /**
   * Copies the tensors of a call.
   * @throws RuntimeError where something is not of the form that was captured; nothing is copied then.
   */
  fill(args: readonly unknown[]): void {
    const { values } = this
    if (args.length !== values.length)
      throw new RuntimeError(
        `torch.graph.capture: the captured call had ${values.length} arguments, this one has ${args.length}`,
      )
    for (let i = 0; i < args.length; i++) check(values[i], args[i], i)
    for (let i = 0; i < args.length; i++) fill(values[i], args[i])
  }
}

function staticTensor(x: Tensor, name: string): Tensor {
  if (x.requiresGrad)
    throw new RuntimeError(
      `torch.graph.capture: ${name} requires grad, but a captured function works on a copy of it. Give it detached, and call requiresGrad_() on it inside where its gradient is wanted.`,
    )
  return emptyTensor(x.sizes, x.dtype, x.device, denseStridesLike(x.sizes, x.strides))
}

function check(known: unknown, given: unknown, name: number | string): void {
  if (known instanceof Tensor && given instanceof Tensor) {
    if (
      given.dtype === known.dtype &&
      sameSizes(given.sizes, known.sizes) &&
      given.device.type === known.device.type &&
      !given.requiresGrad
    )
      return
    throw changed(name, known, given)
  }
  if (Object.is(known, given)) return
  if (Array.isArray(known) && Array.isArray(given) && known.length === given.length)
    for (let i = 0; i < known.length; i++) check(known[i], given[i], `${name}[${i}]`)
  else if (isOptions(known) && isOptions(given) && Object.keys(known).join() === Object.keys(given).join())
    for (const key of Object.keys(known)) check(known[key], given[key], `${name}.${key}`)
  else throw changed(name, known, given)
}

function changed(name: number | string, known: unknown, given: unknown): RuntimeError {
  return new RuntimeError(
    `torch.graph.capture: argument ${name} was ${describeArguments([known])} at capture and is ${describeArguments([given])} now. A graph is captured for one form of its arguments; capture another for this one.`,
  )
}

function fill(into: unknown, from: unknown): void {
  if (into instanceof Tensor) {
    const x = from as Tensor
    if (x === into || into.device.type === 'meta') return
    if (isContiguous(x.sizes, x.strides) && isContiguous(into.sizes, into.strides)) copyBytes(into, x)
    else copyRaw(into, x)
    into.storage.version++
  } else if (Array.isArray(into)) for (let i = 0; i < into.length; i++) fill(into[i], (from as unknown[])[i])
  else if (isOptions(into))
    for (const key of Object.keys(into)) fill(into[key], (from as Record<string, unknown>)[key])
}

/** Copies the elements between contiguous tensors of the same shape and dtype. */
export function copyBytes(into: Tensor, from: Tensor): void {
  if (into.storage.isAsynchronous) {
    // What JavaScript knows of the one it then knows of the other, too: indices can be checked.
    const known = from.storage.knownBytes()
    if (known !== null && known.byteLength === into.storage.nbytes && from.offset === 0)
      into.storage.write(known)
    else copyRaw(into, from)
    return
  }
  // Bytes of both are there at once where both fit in; a launch sees to that for any size.
  if (into.storage.nbytes + from.storage.nbytes > 2 ** 30) {
    copyRaw(into, from)
    return
  }
  const { itemsize } = into.dtype
  const nbytes = into.numel() * itemsize
  // Both are brought into the arena first, because that may replace the views of its memory.
  from.storage.bytes()
  const target = into.storage.bytes()
  const source = from.storage.bytes()
  const start = from.offset * itemsize
  target.set(source.subarray(start, start + nbytes), into.offset * itemsize)
}

/** Arguments for an error message: tensors by dtype and shape. */
export function describeArguments(args: readonly unknown[]): string {
  return args
    .map((arg) =>
      arg instanceof Tensor
        ? `a ${arg.dtype} tensor of shape ${formatSizes(arg.sizes)} on ${arg.device}${arg.requiresGrad ? ' that requires grad' : ''}`
        : describe(arg),
    )
    .join(', ')
}
