// The texts of tensors: all of the recorded ones where their folder is beside this one, and a few inline.

import { existsSync, readFileSync } from 'node:fs'
import { afterEach, describe, expect, test } from 'vitest'
import { type Allocation, type Backend, registerBackend } from '../../src/backends/backend.ts'
import { meta } from '../../src/core/device.ts'
import {
  bool,
  type DType,
  dtypeByName,
  float16,
  float32,
  float64,
  int64,
  uint8,
} from '../../src/core/dtype.ts'
import { pyExponential, pyFixed } from '../../src/core/python-numbers.ts'
import { contiguousStrides, numelOf } from '../../src/core/shape.ts'
import { encodeValues, inferNested, type NestedValues } from '../../src/tensor/data.ts'
import { formatParameter, formatTensor } from '../../src/tensor/print.ts'
import {
  getPrintoptions,
  type PrintOptions,
  printoptions,
  setPrintoptions,
} from '../../src/tensor/print-options.ts'
import { Storage } from '../../src/tensor/storage.ts'
import { Tensor } from '../../src/tensor/tensor.ts'

// Printing needs nothing of a backend but its bytes.
class PlainMemory {
  readonly type = 'cpu'
  allocate(nbytes: number): Allocation {
    return Object.assign(new Uint8Array(nbytes), { nbytes })
  }
  bytes(allocation: Allocation): Uint8Array {
    return allocation as Allocation & Uint8Array
  }
}
registerBackend(new PlainMemory() as unknown as Backend)

const folder = new URL('../../../shared/conformance/repr/', import.meta.url)

function tensorOf(bytes: Uint8Array, sizes: readonly number[], dtype: DType): Tensor {
  return new Tensor(Storage.fromBytes(bytes), sizes, contiguousStrides(sizes), 0, dtype)
}

function tensor(values: NestedValues, dtype?: DType): Tensor {
  const nested = inferNested(values)
  const wanted = dtype ?? nested.dtype
  return tensorOf(encodeValues(nested.values, wanted), nested.sizes, wanted)
}

function range(n: number, sizes: readonly number[] = [n]): Tensor {
  return tensorOf(
    encodeValues(
      Array.from({ length: n }, (_, i) => i),
      int64,
    ),
    sizes,
    int64,
  )
}

afterEach(() => setPrintoptions({ profile: 'default' }))

interface Recorded {
  name: string
  value: { $t: { dtype: string; shape: number[]; data: string } }
  parameter?: boolean
  requires_grad?: boolean
  transpose?: [number, number]
  printoptions?: Partial<Omit<PrintOptions, 'sciMode'>> & { sci_mode?: boolean; profile?: 'short' | 'full' }
  text: string
}

function textOf(recorded: Recorded, dtype: DType): string {
  const { shape, data } = recorded.value.$t
  const x = tensorOf(new Uint8Array(Buffer.from(data, 'base64')), shape, dtype)
  if (recorded.requires_grad ?? recorded.parameter) x.requiresGrad_()
  if (recorded.transpose) {
    // All of them exchange the first two dimensions.
    const swapped = <T>([a, b, ...rest]: readonly T[]) => [b, a, ...rest]
    x.sizes = swapped(x.sizes)
    x.strides = swapped(x.strides)
  }
  if (recorded.printoptions) {
    const { sci_mode: sciMode, ...options } = recorded.printoptions
    setPrintoptions({ ...options, sciMode: sciMode ?? null })
  }
  const text = recorded.parameter ? formatParameter(x) : formatTensor(x)
  setPrintoptions({ profile: 'default' })
  return text
}

describe.skipIf(!existsSync(folder))('recorded texts', () => {
  const recorded: Recorded[] = existsSync(folder)
    ? readFileSync(new URL('tensors.jsonl', folder), 'utf8')
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
    : []
  const real = recorded.filter(({ value }) => dtypeByName(value.$t.dtype) !== undefined)

  test('all dtypes but the complex ones are there', () => {
    expect(real.length).toBeGreaterThan(600)
    for (const { value } of recorded)
      if (!real.some((r) => r.value === value)) expect(value.$t.dtype).toMatch(/^complex/)
  })

  test.each(real.map((r) => [r.name, r] as const))('%s', (_, r) => {
    expect(textOf(r, dtypeByName(r.value.$t.dtype)!)).toBe(r.text)
  })

  test('tensors on meta', () => {
    const cases = readFileSync(new URL('values.jsonl', folder), 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { kind: string; shape: number[]; dtype: string; text: string })
      .filter(({ kind }) => kind === 'meta tensor')
    expect(cases.length).toBeGreaterThan(0)
    for (const { shape, dtype, text } of cases) {
      const type = dtypeByName(dtype)!
      const storage = Storage.allocate(numelOf(shape) * type.itemsize, meta)
      expect(formatTensor(new Tensor(storage, shape, contiguousStrides(shape), 0, type))).toBe(text)
    }
  })
})

describe('tensors', () => {
  test('floats that are whole numbers print with a point only', () => {
    expect(formatTensor(tensor([1, 2, 30], float32))).toBe('tensor([ 1.,  2., 30.])')
    expect(formatTensor(tensor([1, NaN, -Infinity, -0], float32))).toBe('tensor([1., nan, -inf, -0.])')
  })

  test('fractions get four digits, large ranges scientific notation', () => {
    expect(formatTensor(tensor([0.5, 2.25]))).toBe('tensor([0.5000, 2.2500])')
    expect(formatTensor(tensor([0.00001, 2.25]))).toBe('tensor([1.0000e-05, 2.2500e+00])')
  })

  test('dtypes that the elements do not tell are named', () => {
    expect(formatTensor(tensor([1, 2], uint8))).toBe('tensor([1, 2], dtype=torch.uint8)')
    expect(formatTensor(tensor([true, false]))).toBe('tensor([ True, False])')
    expect(formatTensor(tensor(2.5, float16))).toBe('tensor(2.5000, dtype=torch.float16)')
    expect(formatTensor(tensor([], int64))).toBe('tensor([], dtype=torch.int64)')
    expect(formatTensor(tensor([[], []], bool))).toBe('tensor([], size=(2, 0), dtype=torch.bool)')
  })

  test('a matrix has a line for each row', () => {
    expect(
      formatTensor(
        tensor([
          [1, 2],
          [3, 40],
        ]),
      ),
    ).toBe('tensor([[ 1,  2],\n        [ 3, 40]])')
  })

  test('int64 beyond 2^53 keeps all digits', () => {
    expect(formatTensor(tensor([9223372036854775807n]))).toBe('tensor([9223372036854775807])')
  })

  test('more than a thousand elements are summarised', () => {
    expect(formatTensor(range(1001))).toBe('tensor([   0,    1,    2,  ...,  998,  999, 1000])')
    expect(formatTensor(range(2000, [2, 1000]))).toBe(
      'tensor([[   0,    1,    2,  ...,  997,  998,  999],\n        [1000, 1001, 1002,  ..., 1997, 1998, 1999]])',
    )
  })

  test('without edge items a summary is an ellipsis and the size is named', () => {
    setPrintoptions({ edgeitems: 0, threshold: 3 })
    expect(formatTensor(range(4))).toBe('tensor([...], size=(4,))')
    expect(formatTensor(range(4, [2, 2]))).toBe('tensor([...], size=(2, 2))')
  })

  test('a tensor that requires a gradient says so', () => {
    const x = tensor([1.5]).requiresGrad_()
    expect(formatTensor(x)).toBe('tensor([1.5000], requires_grad=True)')
    expect(formatParameter(x)).toBe('Parameter containing:\ntensor([1.5000], requires_grad=True)')
  })

  test('a view prints its own elements', () => {
    const x = range(6, [2, 3])
    expect(formatTensor(new Tensor(x.storage, [2], [3], 1, int64))).toBe('tensor([1, 4])')
  })
})

describe('print options', () => {
  test('last for the time of a call', () => {
    const x = tensor([0.123456], float64)
    expect(printoptions({ precision: 2 }, () => formatTensor(x))).toBe('tensor([0.12], dtype=torch.float64)')
    expect(getPrintoptions().precision).toBe(4)
  })

  test('what is not given stays, but sciMode becomes automatic', () => {
    setPrintoptions({ linewidth: 100, sciMode: true })
    setPrintoptions({ precision: 2 })
    expect(getPrintoptions()).toEqual({
      precision: 2,
      threshold: 1000,
      edgeitems: 3,
      linewidth: 100,
      sciMode: null,
    })
  })

  test('an unknown profile or option is refused', () => {
    expect(() => setPrintoptions({ profile: 'wide' as 'full' })).toThrow(/profile 'wide'/)
    expect(() => setPrintoptions({ width: 3 } as object)).toThrow(/unexpected option 'width'/)
  })
})

describe('numbers as Python formats them', () => {
  test('halves go to the even digit', () => {
    expect([0.5, 1.5, 2.5, -2.5].map((x) => pyFixed(x, 0))).toEqual(['0', '2', '2', '-2'])
    expect([0.125, 0.375, 9.995].map((x) => pyFixed(x, 2))).toEqual(['0.12', '0.38', '9.99'])
    expect([12.5, 13.5, 9.5, 25e20].map((x) => pyExponential(x, x < 10 || x > 1e20 ? 0 : 1))).toEqual([
      '1.2e+01',
      '1.4e+01',
      '1e+01',
      '2e+21',
    ])
  })

  test('large and special numbers', () => {
    expect(pyFixed(1e22, 1)).toBe('10000000000000000000000.0')
    expect(pyFixed(-0, 0)).toBe('-0')
    expect(pyExponential(0, 4)).toBe('0.0000e+00')
    expect(pyExponential(-1e-300, 2)).toBe('-1.00e-300')
    expect([NaN, Infinity, -Infinity].map((x) => pyExponential(x, 1))).toEqual(['nan', 'inf', '-inf'])
  })
})
