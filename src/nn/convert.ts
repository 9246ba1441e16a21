// Moving a module to another dtype or device: every parameter stays the same object and gets new data.

import { noGrad } from '../autograd/mode.ts'
import { Device, type DeviceLike, device as toDevice } from '../core/device.ts'
import { DType } from '../core/dtype.ts'
import { TypeError_ } from '../core/errors.ts'
import { isOptions } from '../ops/op.ts'
import { setData, Tensor } from '../tensor/tensor.ts'
import type { Module } from './module.ts'
import type { Parameter } from './parameter.ts'
import { Buffer } from './parameter.ts'
import { entriesOf, slotsOf } from './registry.ts'
import { isLazy } from './uninitialized.ts'

/** What a module's `to` accepts besides a dtype, a device and a tensor. */
export interface ModuleToOptions {
  device?: DeviceLike | null
  dtype?: DType | null
}

export function convertModule(module: Module, target: DType | DeviceLike | Tensor | ModuleToOptions): void {
  const { device, dtype } = parseTarget(target)
  if (dtype !== null && dtype.kind !== 'float')
    throw new TypeError_(
      `nn.Module.to only accepts floating point or complex dtypes, but got desired dtype=${dtype}`,
    )
  applyToTensors(module, (tensor) => {
    const wanted = tensor.dtype.kind === 'float' ? dtype : null
    if (isLazy(tensor)) {
      tensor.retarget({ dtype: wanted, device })
      return tensor
    }
    if (device === null) return wanted === null ? tensor : tensor.to(wanted)
    return tensor.to({ device, ...(wanted === null ? {} : { dtype: wanted }) })
  })
}

function parseTarget(target: DType | DeviceLike | Tensor | ModuleToOptions): {
  device: Device | null
  dtype: DType | null
} {
  if (target instanceof DType) return { device: null, dtype: target }
  if (target instanceof Tensor) return { device: target.device, dtype: target.dtype }
  if (typeof target === 'string' || target instanceof Device) return { device: toDevice(target), dtype: null }
  if (!isOptions(target))
    throw new TypeError_('to() expects a dtype, a device, a Tensor or { device, dtype }')
  const { device, dtype } = target as ModuleToOptions
  return { device: device == null ? null : toDevice(device), dtype: dtype ?? null }
}

/** Moves a module to the CPU; a promise of it where values have to be waited for. */
export function toCpu<M extends Module>(module: M): M | Promise<M> {
  const waiting = new Set<Tensor>()
  applyToTensors(module, (tensor) => {
    if (!isLazy(tensor) && tensor.storage.isAsynchronous) waiting.add(tensor)
    return tensor
  })
  if (waiting.size === 0) {
    convertModule(module, 'cpu')
    return module
  }
  return fetchAll(module, [...waiting])
}

async function fetchAll<M extends Module>(module: M, tensors: readonly Tensor[]): Promise<M> {
  const copies = await Promise.all(tensors.map((tensor) => tensor.detach().cpu()))
  const copyOf = new Map(tensors.map((tensor, i) => [tensor, copies[i]]))
  applyToTensors(module, (tensor) => copyOf.get(tensor) ?? tensor)
  return module
}

/**
 * Replaces the data of every parameter (and of its gradient) and buffer of a module and its children by what `convert`
 * makes of it. The parameters stay the same objects, so that optimizers keep them.
 */
export function applyToTensors(module: Module, convert: (tensor: Tensor) => Tensor, recurse = true): void {
  if (recurse) for (const child of module.children()) child._apply(convert)
  for (const [, value] of entriesOf(module, 'parameter')) {
    if (value === null) continue
    const parameter = value as Parameter
    const converted = noGrad(() => convert(parameter))
    if (converted !== parameter) setData(parameter, converted)
    const { grad } = parameter
    if (grad === null) continue
    const convertedGrad = noGrad(() => convert(grad))
    if (convertedGrad !== grad) setData(grad, convertedGrad)
  }
  const slots = slotsOf(module)
  for (const [name, value] of entriesOf(module, 'buffer')) {
    if (value === null) continue
    const converted = convert(value as Tensor)
    if (converted === value) continue
    // A new tensor, as in PyTorch; marked as a buffer so that its slot says the same as before.
    const { persistent } = slots.get(name)!
    ;(module as unknown as Record<string, unknown>)[name] =
      converted instanceof Buffer ? converted : new Buffer(converted, { persistent })
  }
}
