// What files are written to: paths in Node, files of the browser, memory. Each is replaced as a whole or not at all.

import { TypeError_ } from '../core/errors.ts'
import type { WriteBytes } from './byte-source.ts'
import { type FileHandleLike, localPath, nameOf } from './file-sources.ts'
import { prepareNode, replaceFile, stemOf } from './node-files.ts'

/** A file that is ready to be written: nothing in it can fail any more but the writing. */
export interface PreparedFile {
  /** How many bytes `write` will write. */
  readonly size: number
  /** Writes the file piece by piece; a piece must be used up before the next is written. */
  write(write: WriteBytes): void
}

/** Makes the file; `stem` is its name without folder and extension. */
export type PrepareFile = (stem: string) => PreparedFile

/** The path of a target. Throws a TypeError for everything that is none; `alternatives` says what to use instead. */
export function targetPath(target: string | URL, caller: string, alternatives: string): string {
  const isText = typeof target === 'string' || target instanceof URL
  const path = isText ? localPath(target) : null
  if (path === null)
    throw new TypeError_(
      `${caller}: expected a path or a file: URL, but got ${isText ? `'${target}'` : nameOf(target)}; ${alternatives}`,
    )
  return path
}

/** Replaces the file at `path`, once what is to be written has been prepared. Throws FileError. */
export function writeFile(path: string, prepare: PrepareFile): void {
  const file = prepare(stemOf(path))
  replaceFile(path, (write) => file.write(write))
}

/** Replaces a file of the browser, or one by its path. */
export async function writeFileAsync(
  target: string | URL | FileHandleLike,
  caller: string,
  alternatives: string,
  prepare: PrepareFile,
): Promise<void> {
  await prepareNode()
  if (typeof target === 'string' || target instanceof URL)
    return writeFile(targetPath(target, caller, alternatives), prepare)
  if (typeof target?.createWritable !== 'function')
    throw new TypeError_(
      `${caller}Async: expected a path, a URL or a FileSystemFileHandle, but got ${nameOf(target)}`,
    )
  const bytes = collect(prepare(stemOf(target.name)))
  // The browser swaps the file in at close.
  const writable = await target.createWritable()
  try {
    await writable.write(bytes)
    await writable.close()
  } catch (error) {
    await writable.abort(error).catch(() => {})
    throw error
  }
}

/** The bytes of a file in memory. */
export function collect(file: PreparedFile): Uint8Array<ArrayBuffer> {
  const result = new Uint8Array(file.size)
  let position = 0
  file.write((bytes) => {
    result.set(bytes, position)
    position += bytes.byteLength
  })
  return result
}
