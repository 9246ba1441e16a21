// A call that fails changes nothing: PyTorch's error cases, and the tensors that were given to them.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { isTensor } from '../conformance/compare.ts'
import { decode } from '../conformance/decode.ts'
import { namesIn, readJsonLines } from '../conformance/files.ts'
import type { Tensor } from '../conformance/library.ts'
import { call, type OpCase } from '../conformance/parts/ops.ts'

const folder = '../shared/conformance/ops'
const present = existsSync(folder)
if (!present) console.warn(`\n*** Skipped: there are no error cases at ${folder}. ***\n`)

function tensorsIn(value: unknown): Tensor[] {
  if (isTensor(value)) return [value]
  if (value instanceof Map) return [...value.values()].flatMap(tensorsIn)
  return Array.isArray(value) ? value.flatMap(tensorsIn) : []
}

const stateOf = (x: Tensor) => ({
  bytes: [...x.storage.bytes()],
  version: x.storage.version,
  sizes: [...x.sizes],
  dtype: x.dtype.name,
  requiresGrad: x.requiresGrad,
})

describe.skipIf(!present)('a call that fails', () => {
  test('leaves the bytes, versions, shapes and types of all tensors as they were', async () => {
    let calls = 0
    const changed: string[] = []
    for (const name of namesIn(folder, '.jsonl.gz'))
      for await (const one of readJsonLines<OpCase>(join(folder, `${name}.jsonl.gz`))) {
        if (one.error === undefined) continue
        const args = one.args.map((arg) => decode(arg))
        const kwargs = new Map(Object.entries(one.kwargs).map(([k, v]) => [k, decode(v)]))
        const given = tensorsIn([args, kwargs])
        const before = JSON.stringify(given.map(stateOf))
        try {
          call(one.op, args, kwargs)
        } catch {
          calls++
          if (JSON.stringify(given.map(stateOf)) !== before) changed.push(`${one.id}: ${one.error.message}`)
        }
      }
    console.log(`${calls} failing calls`)
    expect(calls).toBeGreaterThan(400)
    expect(changed).toEqual([])
  })
})
