// Tells the formats of checkpoint files apart and hands each to its reader.

import type { ByteSource } from './byte-source.ts'
import { UnpicklingError } from './errors.ts'
import { readLegacyCheckpoint } from './legacy-reader.ts'
import type { ReadOptions } from './read-options.ts'
import { readTorchArchive } from './torch-archive.ts'

const pickleProtocolOpcode = 0x80

/** What files begin with that are often mistaken for checkpoints, and what to do with them. */
const otherFormats: readonly (readonly [string, string])[] = [
  ['\x1f\x8b', 'gzip data: decompress it first'],
  ['\x89PNG', 'a PNG image'],
  ['\x89HDF', 'an HDF5 file (Keras): checkpoints of PyTorch are what torch.save writes'],
  ['\x93NUMPY', 'a NumPy file (.npy): use torch.npy.load'],
  ['GGUF', 'a GGUF file'],
  ['BZh', 'bzip2 data: decompress it first'],
  ['\xfd7zXZ', 'xz data: decompress it first'],
  ['\x28\xb5\x2f\xfd', 'zstd data: decompress it first'],
  ['version https://git-lfs', 'a pointer of Git LFS: fetch the file itself (git lfs pull)'],
  ['<!DOCTYPE', 'a web page: the download went wrong'],
  ['<html', 'a web page: the download went wrong'],
]

/** Reads a checkpoint of torch.save in whichever format. Throws UnpicklingError for everything else. */
export function readCheckpoint(source: ByteSource, options: ReadOptions): unknown {
  if (source.size === 0) throw new UnpicklingError(`${source.name}: the file is empty`)
  const start = source.read(0, Math.min(source.size, 264))
  const text = String.fromCharCode(...start)
  if (text.startsWith('PK')) return readTorchArchive(source, options)
  if (start[0] === pickleProtocolOpcode) return readLegacyCheckpoint(source, options)
  throw new UnpicklingError(
    `${source.name}: not a checkpoint of torch.save, but ${recognize(text, source.size)}`,
  )
}

function recognize(text: string, size: number): string {
  for (const [prefix, what] of otherFormats) if (text.startsWith(prefix)) return what
  if (text.slice(257, 262) === 'ustar') return 'a tar archive (PyTorch before 0.1.10 wrote those)'
  // safetensors: the length of a JSON header, then the header.
  if (text[8] === '{' && text.charCodeAt(0) + 256 * text.charCodeAt(1) < size)
    return 'a safetensors file: use torch.safetensors.loadFile'
  return /^[\t\n\r\x20-\x7e]*$/.test(text) ? 'a text file' : 'a file of an unknown format'
}
