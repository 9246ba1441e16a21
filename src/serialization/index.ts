// What `torch` exports of serialization.

export {
  type AsyncLoadSource,
  type FileHandleLike,
  type LoadOptions,
  type LoadSource,
  load,
  loadAsync,
  type MapLocation,
  save,
  saveAsync,
  saveToBytes,
} from './checkpoint.ts'
export { FileError, UnpicklingError } from './errors.ts'
export { Complex, FrozenSet, OrderedDict, TypedStorage } from './python-objects.ts'
