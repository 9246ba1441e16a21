// Reading a file of any of the formats for the command line: checkpoints, safetensors (also in shards), NumPy's files.

import * as torch from '../index.ts'

export type FileFormat = 'torch' | 'safetensors' | 'npy' | 'npz'

/** What a file holds. */
export interface FileContent {
  readonly path: string
  readonly format: FileFormat
  /** A Map of tensors, a tensor, or whatever `torch.save` was given. */
  readonly value: unknown
  /** Texts that a safetensors file says of itself. */
  readonly metadata: ReadonlyMap<string, string> | null
}

/** Reads a file; what format it is in, its first bytes tell. Tensors of large checkpoints are read when they are used. */
export async function readFile(path: string): Promise<FileContent> {
  const start = await firstBytes(path)
  const text = String.fromCharCode(...start)
  if (/\.index\.json$/.test(path)) {
    const value = torch.safetensors.loadSharded(path)
    return { path, format: 'safetensors', value, metadata: null }
  }
  if (text.startsWith('\x93NUMPY'))
    return { path, format: 'npy', value: torch.npy.load(path), metadata: null }
  if (text[8] === '{') {
    const { safetensors } = torch
    const metadata = safetensors.safeOpen(path).metadata()
    return { path, format: 'safetensors', value: safetensors.loadFile(path), metadata }
  }
  if (/\.npz$/i.test(path)) return { path, format: 'npz', value: torch.npy.load(path), metadata: null }
  // Modules of torch.nn are shown, too; no code is run either way. The legacy format cannot be read in parts.
  const value = torch.load(path, { weightsOnly: false, mmap: text.startsWith('PK') })
  return { path, format: 'torch', value, metadata: null }
}

async function firstBytes(path: string): Promise<Uint8Array> {
  const { open } = await import('node:fs/promises')
  let file: Awaited<ReturnType<typeof open>> | null = null
  try {
    file = await open(path, 'r')
    const { buffer, bytesRead } = await file.read(new Uint8Array(16), 0, 16, 0)
    return buffer.subarray(0, bytesRead)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new torch.FileError(
      `cannot open '${path}': ${code === 'ENOENT' ? 'No such file or directory' : message}`,
      code ?? null,
    )
  } finally {
    await file?.close()
  }
}

/** A tensor and where in the content it stands. */
export interface FoundTensor {
  /** Keys and indices joined by dots; empty for the content itself. */
  readonly name: string
  readonly tensor: torch.Tensor
}

/** A plain value and where it stands. */
export interface FoundValue {
  readonly name: string
  readonly value: unknown
}

/** What is in a value, in order. */
export interface Contents {
  readonly tensors: readonly FoundTensor[]
  readonly values: readonly FoundValue[]
  /** How modules print. */
  readonly modules: readonly FoundValue[]
}

/** Finds tensors and plain values in containers and modules, however they are nested. */
export function contentsOf(value: unknown): Contents {
  const tensors: FoundTensor[] = []
  const values: FoundValue[] = []
  const modules: FoundValue[] = []
  // The containers around what is looked at, so that one that contains itself ends the walk.
  const visit = (item: unknown, path: readonly string[], around: readonly unknown[]): void => {
    const name = path.join('.')
    if (around.includes(item)) return
    const inside = [...around, item]
    if (item instanceof torch.Tensor) tensors.push({ name, tensor: item })
    else if (item instanceof torch.nn.Module) {
      modules.push({ name, value: String(item) })
      for (const [key, tensor] of item.stateDict()) tensors.push({ name: [...path, key].join('.'), tensor })
    } else if (item instanceof Map) {
      if (item.size === 0) values.push({ name, value: item })
      for (const [key, inner] of item) visit(inner, [...path, String(key)], inside)
    } else if (Array.isArray(item) && item.some((inner) => typeof inner === 'object' && inner !== null))
      for (const [i, inner] of item.entries()) visit(inner, [...path, String(i)], inside)
    else values.push({ name, value: item })
  }
  visit(value, [], [])
  return { tensors, values, modules }
}
