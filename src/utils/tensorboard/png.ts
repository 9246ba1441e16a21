// Images as PNG files (https://www.w3.org/TR/png-3/): eight bits a channel, no filter.

import type * as Zlib from 'node:zlib'
import { RuntimeError } from '../../core/errors.ts'
import { nodeModule } from '../../core/node.ts'
import { crc32 } from '../../serialization/crc32.ts'

const signature = Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10)
/** PNG's colour types by the number of channels: grey, grey and alpha, RGB, RGBA. */
const colourTypes = [0, 4, 2, 6] as const

/** The bytes of a PNG file. `pixels` has the rows from the top, each pixel's 1 to 4 channels together. */
export function encodePng(pixels: Uint8Array, height: number, width: number, channels: number): Uint8Array {
  const zlib = nodeModule<typeof Zlib>('node:zlib')
  if (zlib === undefined) throw new RuntimeError('images are written in Node 20.16, 22.3 or later')
  const stride = width * channels
  // Each row begins with the number of its filter, 0 for none.
  const rows = new Uint8Array(height * (stride + 1))
  for (let y = 0; y < height; y++)
    rows.set(pixels.subarray(y * stride, (y + 1) * stride), y * (stride + 1) + 1)
  const header = new Uint8Array(13)
  const view = new DataView(header.buffer)
  view.setUint32(0, width)
  view.setUint32(4, height)
  header.set([8, colourTypes[channels - 1], 0, 0, 0], 8)
  const chunks = [
    signature,
    chunk('IHDR', header),
    chunk('IDAT', zlib.deflateSync(rows)),
    chunk('IEND', new Uint8Array()),
  ]
  const result = new Uint8Array(chunks.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of chunks) {
    result.set(part, offset)
    offset += part.length
  }
  return result
}

function chunk(type: string, content: Uint8Array): Uint8Array {
  const result = new Uint8Array(12 + content.length)
  const view = new DataView(result.buffer)
  view.setUint32(0, content.length)
  result.set(new TextEncoder().encode(type), 4)
  result.set(content, 8)
  view.setUint32(8 + content.length, crc32(result.subarray(4, 8 + content.length)) >>> 0)
  return result
}
