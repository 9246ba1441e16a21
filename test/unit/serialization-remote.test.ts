// Checkpoints from URLs and Blobs: by ranges where that is possible, with progress, and with clear errors.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { zipSync } from 'fflate'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import * as torch from '../../src/index.ts'

const tensors = {
  a: torch.rand(700_000),
  b: torch.arange(10),
  c: torch.rand(500_000),
}
const checkpoint = torch.saveToBytes({ ...tensors, again: tensors.a, epoch: 3 })

/** A large file whose pickle asks for a call. */
const hostile = zipSync(
  {
    'archive/data.pkl': new TextEncoder().encode('cos\nsystem\nX\x04\0\0\0true\x85R.'),
    'archive/data/0': new Uint8Array(5_000_000),
  },
  { level: 0 },
)

interface Served {
  readonly bytes: Uint8Array
  readonly ranges: boolean
  etag?: () => string
}
const files: Record<string, Served> = {
  '/model.pt': { bytes: checkpoint, ranges: true },
  '/plain.pt': { bytes: checkpoint, ranges: false },
  '/hostile.pt': { bytes: hostile, ranges: true },
  '/weights.safetensors': { bytes: torch.safetensors.save(tensors), ranges: true },
  '/empty.pt': { bytes: new Uint8Array(0), ranges: true },
}
let server: Server
let sent = 0
let requests = 0
const url = (path: string) => `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`

beforeAll(async () => {
  let version = 0
  files['/changing.pt'] = { bytes: checkpoint, ranges: true, etag: () => `"${version++}"` }
  server = createServer((request, response) => {
    requests++
    const file = files[request.url ?? '']
    if (file === undefined) {
      response.writeHead(404).end()
      return
    }
    const { bytes } = file
    const tag = file.etag?.() ?? '"same"'
    const condition = request.headers['if-range']
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')
    const send = (status: number, part: Uint8Array, headers: Record<string, string> = {}) => {
      sent += part.length
      response.writeHead(status, { etag: tag, 'content-length': String(part.length), ...headers }).end(part)
    }
    if (!file.ranges || range === null || (condition !== undefined && condition !== tag)) send(200, bytes)
    else if (Number(range[1]) >= bytes.length) response.writeHead(416).end()
    else {
      const end = Math.min(Number(range[2]) + 1, bytes.length)
      const part = bytes.subarray(Number(range[1]), end)
      send(206, part, { 'content-range': `bytes ${range[1]}-${end - 1}/${bytes.length}` })
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
})

afterAll(() => server.close())

function expectSame(state: Map<string, unknown>): void {
  for (const [name, tensor] of Object.entries(tensors))
    expect(torch.equal(state.get(name) as torch.Tensor, tensor)).toBe(true)
  expect(state.get('epoch')).toBe(3)
  expect((state.get('again') as torch.Tensor).storage).toBe((state.get('a') as torch.Tensor).storage)
}

describe('a URL', () => {
  it('is read by ranges, every byte once', async () => {
    sent = 0
    requests = 0
    const progress: number[] = []
    let total: number | null = null
    const state = await torch.loadAsync<Map<string, unknown>>(url('/model.pt'), {
      onProgress: (event) => {
        progress.push(event.loaded)
        total = event.total
      },
    })
    expectSame(state)
    expect(requests).toBeGreaterThan(2)
    // The beginning is asked for twice: before it is known how large the file is.
    expect(sent).toBeLessThan(checkpoint.length + 2 ** 21)
    expect(total).toBe(checkpoint.length)
    expect(progress).toEqual([...progress].sort((x, y) => x - y))
    expect(progress.at(-1)).toBe(checkpoint.length)
  })

  it('is read as a whole where the server knows no ranges', async () => {
    const progress: number[] = []
    const onProgress = ({ loaded }: { loaded: number }) => progress.push(loaded)
    expectSame(await torch.loadAsync(url('/plain.pt'), { onProgress }))
    expect(progress.at(-1)).toBe(checkpoint.length)
  })

  it('that cannot be loaded is refused before its data are fetched', async () => {
    sent = 0
    await expect(torch.loadAsync(url('/hostile.pt'))).rejects.toThrow(/os\.system.*do not trust it/)
    expect(sent).toBeLessThan(hostile.length)
  })

  it('that changes meanwhile is an error', async () => {
    await expect(torch.loadAsync(url('/changing.pt'))).rejects.toThrow(/changed while it was read/)
  })

  it('holds safetensors, too', async () => {
    const state = await torch.safetensors.loadFileAsync(url('/weights.safetensors'))
    expect(torch.equal(state.get('c')!, tensors.c)).toBe(true)
  })

  it('that does not exist, or is empty, is said to', async () => {
    await expect(torch.loadAsync(url('/none.pt'))).rejects.toThrow(/the server answered 404/)
    await expect(torch.loadAsync(url('/empty.pt'))).rejects.toThrow(/the file is empty/)
    await expect(torch.loadAsync('http://127.0.0.1:1/x.pt')).rejects.toThrow(torch.FileError)
  })
})

describe('a Blob', () => {
  it('is read in parts', async () => {
    expectSame(await torch.loadAsync(new Blob([checkpoint])))
  })

  it('with a damaged storage is refused', async () => {
    const damaged = checkpoint.slice()
    damaged[2_500_000] ^= 1
    await expect(torch.loadAsync(new Blob([damaged]))).rejects.toThrow(/is damaged/)
  })

  it('cannot be mapped', async () => {
    await expect(torch.loadAsync(new Blob([checkpoint]), { mmap: true })).rejects.toThrow(
      /mmap needs the path/,
    )
  })
})

it('a stream tells its progress without a total', async () => {
  const seen: (number | null)[] = []
  const state = await torch.loadAsync<Map<string, unknown>>(new Blob([checkpoint]).stream(), {
    onProgress: ({ loaded, total }) => seen.push(loaded, total),
  })
  expectSame(state)
  expect(seen.slice(-2)).toEqual([checkpoint.length, null])
})
