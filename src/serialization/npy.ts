// torch.npy: NumPy's files of one array (.npy) and of several (.npz), with the names of NumPy's functions.

import { TypeError_, ValueError } from '../core/errors.ts'
import { contiguousStrides } from '../core/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { type ByteSource, MemorySource } from './byte-source.ts'
import { FormatError, NpyError } from './errors.ts'
import {
  type AsyncLoadSource,
  type FileHandleLike,
  type LoadSource,
  nameOf,
  withSource,
  withSourceAsync,
} from './file-sources.ts'
import { collect, type PreparedFile, targetPath, writeFile, writeFileAsync } from './file-targets.ts'
import { isNpy, readNpyHeader, writeNpyHeader } from './npy-header.ts'
import { tensorBridge } from './tensor-bridge.ts'
import { ZipReader } from './zip-reader.ts'
import { ZipWriter } from './zip-writer.ts'

/** The arrays of a `.npz` file by name. */
export type NamedArrays = ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>

/**
 * Reads a `.npy` file as a tensor, or a `.npz` file as a Map of tensors by name; which of the two it is, the bytes tell.
 * Arrays in Fortran order come with reversed strides, as in `torch.from_numpy`; big-endian ones are swapped.
 *
 *     const x = torch.npy.load('x.npy') as Tensor
 *     const { images } = Object.fromEntries(torch.npy.load('mnist.npz') as Map<string, Tensor>)
 *
 * Throws NpyError for files that are damaged or hold anything but numbers and bools (no pickle is ever read), FileError
 * where the file cannot be read.
 */
export function load(source: LoadSource): Tensor | Map<string, Tensor> {
  return withSource(source, 'load', loadFrom)
}

/** `load` for what takes time to read: URLs, Blobs and Files, Responses, streams. */
export function loadAsync(source: AsyncLoadSource): Promise<Tensor | Map<string, Tensor>> {
  return withSourceAsync(source, 'load', loadFrom)
}

/** Writes a tensor to a `.npy` file, which is replaced as a whole or not at all. Throws ValueError for dtypes that NumPy lacks. */
export function save(tensor: Tensor, target: string | URL): void {
  writeFile(targetPath(target, 'save', alternatives), () => prepareArray(tensor))
}

/** Saves to a path or `file:` URL, or to a file of the browser (`FileSystemFileHandle`). */
export function saveAsync(tensor: Tensor, target: string | URL | FileHandleLike): Promise<void> {
  return writeFileAsync(target, 'save', alternatives, () => prepareArray(tensor))
}

/** The bytes of the file that `save` would write. */
export function saveToBytes(tensor: Tensor): Uint8Array<ArrayBuffer> {
  return collect(prepareArray(tensor))
}

/** Writes tensors to a `.npz` file, uncompressed, each as `<name>.npy`; the file is replaced as a whole or not at all. */
export function savez(tensors: NamedArrays, target: string | URL): void {
  writeFile(targetPath(target, 'savez', alternatives), () => prepareArchive(tensors))
}

/** The bytes of the file that `savez` would write. */
export function savezToBytes(tensors: NamedArrays): Uint8Array<ArrayBuffer> {
  return collect(prepareArchive(tensors))
}

const alternatives = 'saveToBytes gives the bytes, saveAsync writes to browser files'

function loadFrom(source: ByteSource): Tensor | Map<string, Tensor> {
  const start = source.read(0, Math.min(source.size, 6))
  if (start[0] === 0x50 && start[1] === 0x4b) return loadArchive(source)
  if (isNpy(start) || source.size < 10) return readArray(source)
  throw new NpyError(`${source.name}: neither a .npy nor a .npz file`)
}

function loadArchive(source: ByteSource): Map<string, Tensor> {
  try {
    const zip = new ZipReader(source)
    const tensors = new Map<string, Tensor>()
    for (const name of zip.entries.keys()) {
      if (!name.endsWith('.npy'))
        throw new NpyError(`${source.name}: the entry '${name}' is no array, so this is no .npz file`)
      const array = new MemorySource(zip.read(name), `${source.name}: ${name}`)
      tensors.set(name.slice(0, -'.npy'.length), readArray(array))
    }
    return tensors
  } catch (error) {
    // What is wrong with the archive itself.
    if (error instanceof FormatError && !(error instanceof NpyError))
      throw new NpyError(error.message, { cause: error })
    throw error
  }
}

function readArray(source: ByteSource): Tensor {
  const { dtype, shape, isFortran, swapped, dataStart, nbytes } = readNpyHeader(source)
  const storage = tensorBridge.allocate(nbytes)
  try {
    const bytes = tensorBridge.bytes(storage)
    source.readInto(dataStart, bytes)
    if (swapped > 1) swapBytes(bytes, swapped)
    // Any byte but 0 is true for NumPy; in memory a bool is 0 or 1.
    if (dtype.name === 'bool') for (let i = 0; i < bytes.length; i++) if (bytes[i] > 1) bytes[i] = 1
  } catch (error) {
    tensorBridge.free(storage)
    throw error
  }
  const strides = isFortran ? contiguousStrides([...shape].reverse()).reverse() : contiguousStrides(shape)
  return tensorBridge.tensor(storage, [...shape], strides, 0, dtype, false) as Tensor
}

/** Reverses each group of `size` bytes. */
function swapBytes(bytes: Uint8Array, size: number): void {
  for (let start = 0; start < bytes.length; start += size)
    for (let i = start, j = start + size - 1; i < j; i++, j--) {
      const byte = bytes[i]
      bytes[i] = bytes[j]
      bytes[j] = byte
    }
}

/** A `.npy` file with the elements in C order. */
function prepareArray(value: Tensor): PreparedFile {
  const description = typeof value === 'object' && value !== null ? tensorBridge.describe(value) : null
  if (description === null) throw new TypeError_(`expected a tensor, but got ${nameOf(value)}`)
  const header = writeNpyHeader(description.dtype, description.sizes)
  const nbytes = value.numel() * description.dtype.itemsize
  return {
    size: header.length + nbytes,
    write(write) {
      write(header)
      write(elementsOf(value, nbytes))
    },
  }
}

/** The bytes of a tensor's elements in C order, valid until the next allocation. */
function elementsOf(tensor: Tensor, nbytes: number): Uint8Array {
  const { storage, offset, dtype } = tensorBridge.describe(tensor.detach().contiguous())!
  const start = offset * dtype.itemsize
  return tensorBridge.bytes(storage).subarray(start, start + nbytes)
}

function prepareArchive(tensors: NamedArrays): PreparedFile {
  const entries = tensors instanceof Map ? [...tensors] : Object.entries(tensors)
  const files = entries.map(([name, tensor]) => {
    if (typeof name !== 'string' || name === '' || /[\0\ud800-\udfff]/u.test(name))
      throw new ValueError(`${JSON.stringify(name)} cannot be the name of an array in a .npz file`)
    return { name: `${name}.npy`, file: prepareArray(tensor as Tensor) }
  })
  const writeTo = (zip: ZipWriter) => {
    for (const { name, file } of files) zip.add(name, collect(file))
    zip.finish()
  }
  return {
    get size() {
      let size = 0
      const count = (bytes: Uint8Array) => {
        size += bytes.length
      }
      writeTo(new ZipWriter(null, count, () => 0))
      return size
    },
    write: (write) => writeTo(new ZipWriter(null, write)),
  }
}
