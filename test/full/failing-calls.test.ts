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

/** Cases whose shapes and types are right: meta tensors have no values that could be wrong. */
const wrongValues: ReadonlySet<string> = new Set(['torch.cov:error:8', 'torch.gather:error:4'])

const onMeta = (value: unknown): unknown => {
  if (isTensor(value)) return value.to('meta')
  if (value instanceof Map) return new Map([...value].map(([k, v]) => [k, onMeta(v)]))
  return Array.isArray(value) ? value.map(onMeta) : value
}

function errorOf(body: () => unknown): string | null {
  try {
    body()
    return null
  } catch (error) {
    return String(error)
  }
}

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

  test('fails on meta tensors with the same error, where it is not the values that are wrong', async () => {
    let same = 0
    const different: string[] = []
    for (const name of namesIn(folder, '.jsonl.gz'))
      for await (const one of readJsonLines<OpCase>(join(folder, `${name}.jsonl.gz`))) {
        if (one.error === undefined) continue
        const decoded = () => one.args.map((arg) => decode(arg))
        const kwargs = new Map(Object.entries(one.kwargs).map(([k, v]) => [k, decode(v)]))
        const expected = errorOf(() => call(one.op, decoded(), kwargs))
        const actual = errorOf(() =>
          call(one.op, onMeta(decoded()) as unknown[], onMeta(kwargs) as Map<string, unknown>),
        )
        if (actual === expected) same++
        else if (!wrongValues.has(one.id)) different.push(`${one.id}: ${expected} | ${actual}`)
      }
    console.log(`${same} failing calls fail on meta, too`)
    expect(same).toBeGreaterThan(400)
    expect(different).toEqual([])
  })
})
