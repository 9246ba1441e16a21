// Where a tensor lives. Backends are looked up by `type`; this file knows no backend.

import { RuntimeError } from './errors.ts'

export type DeviceType = 'cpu' | 'webgpu' | 'meta' | 'cuda'

const knownTypes: readonly string[] = ['cpu', 'webgpu', 'meta', 'cuda']

/** A device such as `cpu`, `webgpu` or `meta` (shapes without data). `cuda` parses, so that checkpoints print it. */
export class Device {
  readonly type: DeviceType
  /** Which of several devices of that type; null where not said. */
  readonly index: number | null

  constructor(type: DeviceType, index: number | null = null) {
    this.type = type
    this.index = index
  }

  toString(): string {
    return this.index === null ? this.type : `${this.type}:${this.index}`
  }

  /** Python's repr: `device(type='cuda', index=0)`. */
  repr(): string {
    return `device(type='${this.type}'${this.index === null ? '' : `, index=${this.index}`})`
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.repr()
  }

  equals(other: Device): boolean {
    return this.type === other.type && this.index === other.index
  }
}

export const cpu: Device = new Device('cpu')
export const meta: Device = new Device('meta')
/** The one GPU in use: `webgpu` and `webgpu:0` are the same. */
export const webgpu: Device = new Device('webgpu')

let defaultDevice = cpu

/** The device on which functions that make tensors, and layers, make them where none is given: `cpu` unless it was set. */
export function getDefaultDevice(): Device {
  return defaultDevice
}

/**
 * Sets the device of new tensors and layers, for programs that should run elsewhere with no other change; null is `cpu`.
 * Tensors that exist stay where they are. https://docs.pytorch.org/docs/stable/generated/torch.set_default_device.html
 * @throws RuntimeError for an unknown device, and for `cuda`, on which nothing can be computed here.
 */
export function setDefaultDevice(target: DeviceLike | null): void {
  const wanted = target === null ? cpu : device(target)
  if (wanted.type === 'cuda')
    throw new RuntimeError(`setDefaultDevice(): there is no ${wanted} here; use cpu, webgpu or meta`)
  defaultDevice = wanted
}

/** A device, or its name: `'cpu'`, `'webgpu'`, `'cuda:1'`. */
export type DeviceLike = Device | string

/** Makes a device from its name, as `torch.device`. Throws RuntimeError for an unknown one. */
export function device(name: DeviceLike, index?: number): Device {
  if (name instanceof Device) return name
  const match = /^([a-z]+)(?::(\d+))?$/.exec(name)
  if (match === null || !knownTypes.includes(match[1]))
    throw new RuntimeError(
      `Expected one of ${knownTypes.join(', ')} device type at start of device string: ${name}`,
    )
  const number = match[2] === undefined ? (index ?? null) : Number(match[2])
  if (number === null && match[1] === 'cpu') return cpu
  if (number === null && match[1] === 'meta') return meta
  if ((number === null || number === 0) && match[1] === 'webgpu') return webgpu
  return new Device(match[1] as DeviceType, number)
}
