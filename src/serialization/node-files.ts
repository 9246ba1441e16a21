// Files by path in Node: reading parts of them, and replacing them atomically. Node's modules are asked for at run time,
// so browsers can load this file; there, every function says what to use instead.

import type * as Fs from 'node:fs'
import type * as Path from 'node:path'
import type * as Url from 'node:url'
import type { FileTransfers } from '../backends/backend.ts'
import { nodeModule } from '../core/node.ts'
import { type ByteSource, checkRange, MemorySource, type Summed, type WriteBytes } from './byte-source.ts'
import { FileError } from './errors.ts'

interface NodeModules {
  readonly fs: typeof Fs
  readonly path: typeof Path
  readonly url: typeof Url
}

let modules: NodeModules | null = null

/** From this size on bytes are moved the faster way, if there is one. */
const largeTransfer = 2 ** 20

const transfers: { find: () => FileTransfers | null } = { find: () => null }

/** Says where the faster way between files and memory is to be had. */
export function setFileTransfers(find: () => FileTransfers | null): void {
  transfers.find = find
}

function transfersFor(bytes: Uint8Array): FileTransfers | null {
  return bytes.byteLength >= largeTransfer ? transfers.find() : null
}

/** Whether there are paths here at all. */
export function isNode(): boolean {
  return typeof globalThis.process?.versions?.node === 'string'
}

function node(): NodeModules {
  if (modules !== null) return modules
  if (!isNode())
    throw new FileError(
      'there is no file system here: give bytes, or use loadAsync with a URL, File, Blob or Response',
    )
  const fs = nodeModule<typeof Fs>('node:fs')
  if (fs === undefined)
    throw new FileError(
      'paths need Node 20.16, 22.3 or later in synchronous calls: update Node, or use loadAsync and saveAsync',
    )
  modules = {
    fs,
    path: nodeModule<typeof Path>('node:path')!,
    url: nodeModule<typeof Url>('node:url')!,
  }
  return modules
}

/** Gets Node's modules where `process.getBuiltinModule` does not exist yet; synchronous calls work after that, too. */
export async function prepareNode(): Promise<void> {
  if (modules !== null || !isNode()) return
  const [fs, path, url] = await Promise.all([import('node:fs'), import('node:path'), import('node:url')])
  modules = { fs, path, url }
}

/** The path of a `file:` URL. */
export function pathOfUrl(url: URL): string {
  return node().url.fileURLToPath(url)
}

/** The file's name without folder and last extension, which PyTorch gives the archive's root; `archive` where nothing is left. */
export function stemOf(path: string): string {
  const name = path.replace(/^.*[/\\]/s, '')
  const dot = name.lastIndexOf('.')
  return (dot < 0 ? name : name.slice(0, dot)) || 'archive'
}

/** The path of a file in the folder in which another lies. */
export function siblingPath(path: string, name: string): string {
  const { path: paths } = node()
  return paths.join(paths.dirname(path), name)
}

/** Makes a folder and those above it, where they are missing. Throws FileError. */
export function makeFolder(path: string): void {
  try {
    node().fs.mkdirSync(path, { recursive: true })
  } catch (error) {
    throw systemError(error, 'make the folder', path)
  }
}

function systemError(error: unknown, action: string, path: string): FileError {
  const { code, message } = error as NodeJS.ErrnoException
  const reason = code === 'ENOENT' ? 'No such file or directory' : message
  return new FileError(`cannot ${action} '${path}': ${reason}`, code ?? null, { cause: error })
}

/** Closes files that were kept open, once nothing refers to them. */
const unused = new FinalizationRegistry<number>((descriptor) => node().fs.closeSync(descriptor))

/** An open file, of which only the parts asked for are read. */
class FileSource implements ByteSource {
  readonly name: string
  readonly size: number
  readonly #descriptor: number
  isKept = false

  constructor(name: string, size: number, descriptor: number) {
    this.name = name
    this.size = size
    this.#descriptor = descriptor
  }

  keep(): void {
    if (this.isKept) return
    this.isKept = true
    unused.register(this, this.#descriptor)
  }

  read(offset: number, length: number): Uint8Array {
    checkRange(this, offset, length, 'a read')
    const bytes = new Uint8Array(length)
    this.readInto(offset, bytes)
    return bytes
  }

  readInto(offset: number, target: Uint8Array): number | undefined {
    checkRange(this, offset, target.byteLength, 'a read')
    const sum = transfersFor(target)?.readSummed(this.#descriptor, offset, target) ?? -1
    if (sum >= 0) return sum
    // Also after a failure of the faster way: this one says what is wrong.
    // One call reads at most 2 GB.
    for (let done = 0; done < target.byteLength; ) {
      const count = Math.min(target.byteLength - done, 2 ** 30)
      const got = node().fs.readSync(this.#descriptor, target, done, count, offset + done)
      if (got === 0) throw new FileError(`'${this.name}' became shorter while it was read`)
      done += got
    }
    return undefined
  }
}

/** Calls `use` with the opened file, and closes it unless `use` asked to keep it. Throws FileError. */
export function withFile<T>(path: string, use: (source: ByteSource) => T): T {
  const { fs } = node()
  let descriptor: number
  try {
    descriptor = fs.openSync(path, 'r')
  } catch (error) {
    throw systemError(error, 'open', path)
  }
  let file: FileSource | null = null
  try {
    const stat = fs.fstatSync(descriptor)
    if (stat.isDirectory()) throw new FileError(`cannot open '${path}': it is a directory`, 'EISDIR')
    // A pipe has no size and no places.
    if (!stat.isFile()) return use(new MemorySource(fs.readFileSync(descriptor), path))
    file = new FileSource(path, stat.size, descriptor)
    return use(file)
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw systemError(error, 'read', path)
    throw error
  } finally {
    if (file?.isKept !== true) fs.closeSync(descriptor)
  }
}

/**
 * Writes a file so that its path holds either the old content or the whole new one: into a temporary file in the
 * same folder, flushed to the disk, then renamed. A failure leaves the old file and no other.
 */
export function replaceFile(path: string, writeAll: (write: WriteBytes) => void): void {
  const { fs } = node()
  try {
    const target = resolveLink(path)
    const stat = fs.statSync(target, { throwIfNoEntry: false })
    if (stat?.isDirectory()) throw new FileError(`cannot write '${path}': it is a directory`, 'EISDIR')
    // What is no file (a pipe, /dev/null) cannot be replaced, only written to.
    if (stat !== undefined && !stat.isFile()) {
      const descriptor = fs.openSync(target, 'w')
      try {
        writeAll((bytes) => writeFully(descriptor, bytes))
      } finally {
        fs.closeSync(descriptor)
      }
    } else replaceRegularFile(target, stat?.mode, writeAll)
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw systemError(error, 'write', path)
    throw error
  }
}

function replaceRegularFile(
  target: string,
  mode: number | undefined,
  writeAll: (write: WriteBytes) => void,
): void {
  const { fs, path } = node()
  const folder = path.dirname(target)
  const temporary = path.join(folder, `.${path.basename(target).slice(0, 200)}.${randomName()}.tmp`)
  const descriptor = fs.openSync(temporary, 'wx')
  let isOpen = true
  try {
    if (mode !== undefined) fs.fchmodSync(descriptor, mode & 0o7777)
    let position = 0
    writeAll((bytes) => {
      const sum = writeAt(descriptor, position, bytes)
      position += bytes.byteLength
      return sum
    })
    fs.fsyncSync(descriptor)
    isOpen = false
    fs.closeSync(descriptor)
    fs.renameSync(temporary, target)
  } catch (error) {
    if (isOpen) fs.closeSync(descriptor)
    fs.rmSync(temporary, { force: true })
    throw error
  }
  flushFolder(folder)
}

/** The path that a symbolic link leads to: the link stays, what it names is replaced. */
function resolveLink(path: string): string {
  const { fs } = node()
  if (fs.lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return path
  try {
    return fs.realpathSync(path)
  } catch {
    // It leads nowhere yet: the link itself is replaced.
    return path
  }
}

function writeFully(descriptor: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.byteLength; )
    done += node().fs.writeSync(descriptor, bytes, done, Math.min(bytes.byteLength - done, 2 ** 30))
}

/** Writes bytes at a place of a file; returns their CRC-32 where it was computed on the way. */
function writeAt(descriptor: number, position: number, bytes: Uint8Array): Summed | undefined {
  const sum = transfersFor(bytes)?.writeSummed(descriptor, position, bytes) ?? -1
  if (sum >= 0) return { crc32: sum }
  for (let done = 0; done < bytes.byteLength; )
    done += node().fs.writeSync(
      descriptor,
      bytes,
      done,
      Math.min(bytes.byteLength - done, 2 ** 30),
      position + done,
    )
  return undefined
}

/** Makes the renaming itself durable, where the system lets folders be flushed (Windows does not). */
function flushFolder(folder: string): void {
  const { fs } = node()
  let descriptor: number | null = null
  try {
    descriptor = fs.openSync(folder, 'r')
    fs.fsyncSync(descriptor)
  } catch {
    // The new file is complete either way.
  } finally {
    if (descriptor !== null) fs.closeSync(descriptor)
  }
}

function randomName(): string {
  const bytes = globalThis.crypto.getRandomValues(new Uint8Array(8))
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')
}
