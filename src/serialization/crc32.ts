// CRC-32 as zip archives use it (polynomial 0xEDB88320): Node's own where there is one, else sixteen bytes a step.

import { nodeModule } from '../core/node.ts'

// Made when first used: most programs never need them.
let tables: readonly Int32Array[] | null = null

function makeTables(count: number): Int32Array[] {
  const first = new Int32Array(256)
  for (let n = 0; n < 256; n++) {
    let c = n
    for (let k = 0; k < 8; k++) c = c & 1 ? (c >>> 1) ^ 0xedb88320 : c >>> 1
    first[n] = c
  }
  const all = [first]
  for (let t = 1; t < count; t++)
    all.push(all[t - 1].map((previous) => first[previous & 255] ^ (previous >>> 8)))
  return all
}

/** The same sum in plain JavaScript, by slicing-by-16 (Intel's "slicing-by-8", Kounavis and Berry 2005, doubled). */
export function crc32Portable(bytes: Uint8Array, crc = 0): number {
  tables ??= makeTables(16)
  const [t0, t1, t2, t3, t4, t5, t6, t7, t8, t9, ta, tb, tc, td, te, tf] = tables
  let c = ~crc
  let i = 0
  const sixteens = bytes.length & ~15
  for (; i < sixteens; i += 16) {
    c ^= bytes[i] | (bytes[i + 1] << 8) | (bytes[i + 2] << 16) | (bytes[i + 3] << 24)
    c =
      tf[c & 255] ^
      te[(c >>> 8) & 255] ^
      td[(c >>> 16) & 255] ^
      tc[c >>> 24] ^
      tb[bytes[i + 4]] ^
      ta[bytes[i + 5]] ^
      t9[bytes[i + 6]] ^
      t8[bytes[i + 7]] ^
      t7[bytes[i + 8]] ^
      t6[bytes[i + 9]] ^
      t5[bytes[i + 10]] ^
      t4[bytes[i + 11]] ^
      t3[bytes[i + 12]] ^
      t2[bytes[i + 13]] ^
      t1[bytes[i + 14]] ^
      t0[bytes[i + 15]]
  }
  for (; i < bytes.length; i++) c = t0[(c ^ bytes[i]) & 255] ^ (c >>> 8)
  return ~c >>> 0
}

type Crc32 = (bytes: Uint8Array, crc?: number) => number

/** Node's zlib.crc32 (20.15 and 22.2 on), many times as fast. */
function nativeCrc32(): Crc32 | null {
  const zlib = nodeModule<{ crc32?: Crc32 }>('node:zlib')
  return typeof zlib?.crc32 === 'function' ? zlib.crc32 : null
}

let chosen: Crc32 | null = null

/** The CRC-32 of bytes; give the sum so far as `crc` to go on from it. */
export function crc32(bytes: Uint8Array, crc = 0): number {
  chosen ??= nativeCrc32() ?? crc32Portable
  return chosen(bytes, crc)
}
