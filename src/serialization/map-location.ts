// Where the storages of a checkpoint go: the option mapLocation of torch.load.

import { cpu, Device, type DeviceLike, device } from '../core/device.ts'
import { NotImplementedError, TypeError_ } from '../core/errors.ts'

/**
 * A device for everything; or a Map or plain object from the locations in the file (`'cuda:0'`) to devices; or a function
 * from a location to a device, where null means "as without mapLocation". Without it everything lands on the CPU.
 */
export type MapLocation =
  | DeviceLike
  | ReadonlyMap<string, DeviceLike>
  | Readonly<Record<string, DeviceLike>>
  | ((location: string) => DeviceLike | null | undefined)

/** The device that a location of the file leads to. Throws NotImplementedError for devices that are not there (CUDA). */
export function deviceFor(mapLocation: MapLocation | undefined, location: string): Device {
  const target = resolve(mapLocation, location) ?? cpu
  if (target.type === 'cuda')
    throw new NotImplementedError(
      `loading to the device '${target}' is not supported; there are cpu, webgpu and meta`,
    )
  return target
}

function resolve(mapLocation: MapLocation | undefined, location: string): Device | null {
  if (mapLocation === undefined || mapLocation === null) return null
  if (typeof mapLocation === 'string') return device(mapLocation)
  if (typeof mapLocation === 'function') return optionalDevice(mapLocation(location))
  if (mapLocation instanceof Map) return optionalDevice(mapLocation.get(location))
  if (mapLocation instanceof Device) return mapLocation
  if (typeof mapLocation === 'object')
    return Object.hasOwn(mapLocation, location)
      ? device((mapLocation as Record<string, DeviceLike>)[location])
      : null
  throw new TypeError_(
    `mapLocation must be a device, a Map, an object or a function, but got ${typeof mapLocation}`,
  )
}

function optionalDevice(target: DeviceLike | null | undefined): Device | null {
  return target === null || target === undefined ? null : device(target)
}
