// The files that TensorBoard reads: records with masked checksums, as TensorFlow's TFRecord format has them. What is in a
// record is in summaries.ts.

import type * as Fs from 'node:fs'
import type * as Path from 'node:path'
import { RuntimeError } from '../../core/errors.ts'
import { nodeModule } from '../../core/node.ts'
import { Message } from './protobuf.ts'

let table: Uint32Array | null = null

function castagnoliTable(): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, n) => {
    let c = n
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0x82f63b78 : c >>> 1
    return c
  })
}

/** CRC-32C (Castagnoli), rotated and offset, so that a checksum of data that holds checksums keeps its strength. */
function maskedChecksum(bytes: Uint8Array): number {
  table ??= castagnoliTable()
  let c = 0xffffffff
  for (const byte of bytes) c = table[(c ^ byte) & 255] ^ (c >>> 8)
  const sum = ~c >>> 0
  return (((sum >>> 15) | (sum << 17)) + 0xa282ead8) >>> 0
}

/** A record: the length of the data, its checksum, the data, its checksum. */
function record(data: Uint8Array): Uint8Array {
  const result = new Uint8Array(16 + data.length)
  const view = new DataView(result.buffer)
  view.setBigUint64(0, BigInt(data.length), true)
  view.setUint32(8, maskedChecksum(result.subarray(0, 8)), true)
  result.set(data, 12)
  view.setUint32(12 + data.length, maskedChecksum(data), true)
  return result
}

/** Field numbers of the message Event. */
const eventFields = { wallTime: 1, step: 2, fileVersion: 3, graph: 4, summary: 5 } as const

let filesMade = 0

/** One event file, open for appending. Records are kept back until `flush`, `close` or 64 KiB of them. */
export class EventFile {
  readonly path: string
  readonly #fs: typeof Fs
  #descriptor: number | null
  #pending: Uint8Array[] = []
  #pendingBytes = 0

  /** Makes the folder where there is none, and a file in it whose name no other writer has. */
  constructor(folder: string, suffix: string) {
    const fs = nodeModule<typeof Fs>('node:fs')
    const path = nodeModule<typeof Path>('node:path')
    const os = nodeModule<{ hostname(): string }>('node:os')
    if (fs === undefined || path === undefined || os === undefined)
      throw new RuntimeError('SummaryWriter writes files: it needs Node 20.16, 22.3 or later')
    fs.mkdirSync(folder, { recursive: true })
    const seconds = String(Math.floor(Date.now() / 1000)).padStart(10, '0')
    const name = `events.out.tfevents.${seconds}.${os.hostname()}.${process.pid}.${filesMade++}${suffix}`
    this.#fs = fs
    this.path = path.join(folder, name)
    this.#descriptor = fs.openSync(this.path, 'ax')
    this.#append(
      new Message()
        .double(eventFields.wallTime, Date.now() / 1000)
        .string(eventFields.fileVersion, 'brain.Event:2'),
    )
    this.flush()
  }

  /** Adds a summary or a graph. `wallTime` is in seconds since 1970. */
  add(kind: 'summary' | 'graph', content: Message, step: number, wallTime: number): void {
    if (this.#descriptor === null) throw new RuntimeError(`the event file ${this.path} is closed`)
    this.#append(
      new Message()
        .double(eventFields.wallTime, wallTime)
        .integer(eventFields.step, step)
        .message(eventFields[kind], content),
    )
  }

  #append(event: Message): void {
    const bytes = record(event.encode())
    this.#pending.push(bytes)
    this.#pendingBytes += bytes.length
    if (this.#pendingBytes > 2 ** 16) this.flush()
  }

  flush(): void {
    if (this.#descriptor === null) return
    while (this.#pending.length > 0) {
      // A full disk throws here: what is not written yet stays pending.
      const bytes = this.#pending[0]
      let written = 0
      while (written < bytes.length) written += this.#fs.writeSync(this.#descriptor, bytes, written)
      this.#pending.shift()
      this.#pendingBytes -= bytes.length
    }
  }

  close(): void {
    if (this.#descriptor === null) return
    this.flush()
    this.#fs.closeSync(this.#descriptor)
    this.#descriptor = null
  }
}
