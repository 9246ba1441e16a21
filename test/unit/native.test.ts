// The native addon computes what WebAssembly computes: the same bits, but for the order of sums.

import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

const script = fileURLToPath(new URL('../support/native-values.ts', import.meta.url))
const loaded = torch.config().native !== null
if (!loaded) console.log(`native addon: not tested (${torch.config().nativeReason})`)

function valuesWith(setting: Record<string, string>): Map<string, { dtype: string; bytes: Buffer }> {
  const output = execFileSync(process.execPath, ['--import', 'tsx', script], {
    encoding: 'utf8',
    env: { ...process.env, ...setting },
    maxBuffer: 2 ** 30,
  })
  const rows = output
    .trim()
    .split('\n')
    .map((line) => line.split('\t'))
  return new Map(
    rows.map(([name, dtype, bytes]) => [name, { dtype, bytes: Buffer.from(bytes ?? '', 'base64') }]),
  )
}

function numbers(dtype: string, bytes: Buffer): ArrayLike<number> {
  const buffer = new Uint8Array(bytes).buffer
  if (dtype === 'float64') return new Float64Array(buffer)
  if (dtype === 'float32') return new Float32Array(buffer)
  return new Uint16Array(buffer)
}

// The largest difference, relative to the largest magnitude.
function difference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let worst = 0
  let largest = 1e-30
  for (let i = 0; i < a.length; i++) {
    worst = Math.max(worst, Math.abs(a[i] - b[i]))
    largest = Math.max(largest, Math.abs(b[i]))
  }
  return worst / largest
}

describe.skipIf(!loaded)('the native addon', () => {
  const plain = loaded ? valuesWith({ ANTORCHA_NATIVE: '0' }) : new Map()

  test.each(['avx512', 'avx2', 'baseline'])('gives the bits that WebAssembly gives (%s)', (isa) => {
    const native = valuesWith({ ANTORCHA_ISA: isa })
    expect([...native.keys()]).toEqual([...plain.keys()])
    const different = [...native].filter(([name, { dtype, bytes }]) => {
      const expected = plain.get(name)!
      if (!name.startsWith('reduction')) return !sameBits(dtype, bytes, expected.bytes)
      const tolerance = dtype === 'float64' ? 1e-14 : dtype === 'float32' ? 2e-7 : 1e-4
      return !(difference(numbers(dtype, bytes), numbers(dtype, expected.bytes)) <= tolerance)
    })
    expect(different.map(([name]) => name)).toEqual([])
  })

  test('gives the same bits on any number of threads', () => {
    const [one, three] = ['1', '3'].map((OMP_NUM_THREADS) => valuesWith({ OMP_NUM_THREADS }))
    expect([...three].filter(([name, { bytes }]) => !bytes.equals(one.get(name)!.bytes))).toEqual([])
  })
})

// NaN has many bit patterns, all the same to everyone.
function sameBits(dtype: string, a: Buffer, b: Buffer): boolean {
  if (a.equals(b)) return true
  if (!/float/.test(dtype)) return false
  const [x, y] = [numbers(dtype, a), numbers(dtype, b)]
  const exponent = { float16: 0x7c00, bfloat16: 0x7f80 }[dtype]
  const isNaN_ = (value: number) =>
    exponent === undefined ? Number.isNaN(value) : (value & 0x7fff) > exponent
  return (
    x.length === y.length &&
    Array.from(x).every((value, i) => Object.is(value, y[i]) || (isNaN_(value) && isNaN_(y[i])))
  )
}
