import { gunzipSync } from 'node:zlib'
import { existsSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { registerBackend, type Allocation, type Backend } from '../../src/backends/backend.ts'
import { dtypeByName } from '../../src/core/dtype.ts'
import { contiguousStrides } from '../../src/core/shape.ts'
import { Storage } from '../../src/tensor/storage.ts'
import { Tensor } from '../../src/tensor/tensor.ts'
import { data } from '../../src/tensor/data.ts'
import * as sorting from '../../src/ops/sorting.ts'
import * as unique from '../../src/ops/unique.ts'
import * as binning from '../../src/ops/binning.ts'
registerBackend({ type: 'cpu', allocate: (nbytes: number): Allocation => Object.assign(new Uint8Array(nbytes), { nbytes }), bytes: (a: Allocation): Uint8Array => a as Allocation & Uint8Array } as unknown as Backend)
const f: any = { ...sorting, ...unique, ...binning }
const camel = (s: string) => s.replace(/_([a-z])/g, (_: string, c: string) => c.toUpperCase())
function decode(v: any): any {
  if (v === null || typeof v !== 'object') return v
  if (Array.isArray(v)) return v.map(decode)
  if (v.$t) { const d = dtypeByName(v.$t.dtype)!; return new Tensor(Storage.fromBytes(new Uint8Array(Buffer.from(v.$t.data, 'base64'))), v.$t.shape, contiguousStrides(v.$t.shape), 0, d) }
  if ('$f' in v) return Number(v.$f === 'inf' ? Infinity : v.$f === '-inf' ? -Infinity : v.$f)
  if ('$i' in v) return BigInt(v.$i)
  if ('$skip' in v) return undefined
  throw new Error(JSON.stringify(v))
}
function check(a: any, e: any) {
  if (e === undefined) return
  if (Array.isArray(e)) { expect(a.length).toBe(e.length); e.forEach((x, i) => check(a[i], x)); return }
  expect([...a.sizes]).toEqual([...e.sizes]); expect(a.dtype).toBe(e.dtype)
  const A = Array.from(data(a) as any, Number), E = Array.from(data(e) as any, Number)
  A.forEach((x, i) => { if (!(Object.is(x, E[i]) || Math.abs(x - E[i]) <= 1e-4 * Math.abs(E[i]) + 1e-5)) throw new Error(`${i}: ${x} vs ${E[i]} ${A.slice(0,20)} ${E.slice(0,20)}`) })
}
for (const op of 'sort argsort topk kthvalue median nanmedian mode unique unique_consecutive searchsorted bucketize histc bincount msort'.split(' '))
  test(op, () => {
    const bad: string[] = []; let n = 0
    for (const pre of ['torch', 'Tensor']) {
      const p = `/work/shared/conformance/ops/${pre}.${op}.jsonl.gz`
      if (!existsSync(p)) continue
      for (const line of gunzipSync(readFileSync(p)).toString().trim().split('\n')) {
        const c = JSON.parse(line); n++
        try {
          const fn = f[camel(op)]
          const args = c.args.map(decode)
          const req = fn.required ?? ['input'], opt = fn.optional ?? []
          const o: any = {}
          const pos = args.slice(0, req.length)
          args.slice(req.length).forEach((x: any, i: number) => (o[opt[i]] = x))
          for (const [k, v] of Object.entries(c.kwargs)) { const i = req.indexOf(camel(k)); if (i >= 0) pos[i] = decode(v); else o[camel(k)] = decode(v) }
          let out
          try { out = fn(...pos, ...(Object.keys(o).length ? [o] : [])) } catch (e: any) {
            if (c.error && new RegExp(c.error.message_regex).test(e.message)) continue
            throw e
          }
          if (c.error) throw new Error('no error')
          check(out, decode(c.out))
        } catch (e: any) { bad.push(c.id + ': ' + e.message.split('\n')[0] + ' ' + JSON.stringify(c.kwargs).slice(0, 80)) }
      }
    }
    console.log(op, n - bad.length, '/', n, bad.slice(0, 6).join('\n   '))
  })
