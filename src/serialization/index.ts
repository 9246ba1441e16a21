// What `torch` exports of serialization.

export {
  type LoadOptions,
  load,
  loadAsync,
  type MapLocation,
  save,
  saveAsync,
  saveToBytes,
} from './checkpoint.ts'
export { FileError, FormatError, NpyError, SafetensorError, UnpicklingError } from './errors.ts'
export type { AsyncLoadSource, FileHandleLike, LoadSource } from './file-sources.ts'
export * as npy from './npy.ts'
export type { ProgressListener } from './partial-source.ts'
export { Complex, FrozenSet, Namespace, OrderedDict, TypedStorage } from './python-objects.ts'
export * as safetensors from './safetensors.ts'
