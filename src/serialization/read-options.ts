// What the readers of checkpoints are told besides the file.

import type { MapLocation } from './map-location.ts'
import type { ExtraGlobals } from './pickle-globals.ts'
import type { TensorBridge } from './storage-table.ts'

export interface ReadOptions {
  readonly bridge: TensorBridge
  readonly mapLocation?: MapLocation
  /** Whether storages are read when they are first used. */
  readonly mmap?: boolean
  /** Names that pickles may use besides those of weights; undefined for weights only. */
  readonly extraGlobals?: ExtraGlobals
}
