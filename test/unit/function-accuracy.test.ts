// How far float32 functions that are written out in arithmetic lie from the exact values, in units in the last place.
// The reference is float64, which the host's functions (and, for erf, the double-precision kernel) compute.

import { describe, expect, test } from 'vitest'
import * as torch from '../../src/index.ts'

const bits = new DataView(new ArrayBuffer(4))

/** The distance from a float32 to the next larger in magnitude. */
function ulp(value: number): number {
  bits.setFloat32(0, Math.min(Math.abs(value), 3.4e38))
  const low = bits.getFloat32(0)
  bits.setUint32(0, bits.getUint32(0) + 1)
  return bits.getFloat32(0) - low
}

const special = [Number.NaN, Infinity, -Infinity, 0, -0, 1e-45, -1e-40, 1, -1, 88.9, -104, 710.5, 3e38, -3e38]

function arguments_(): Float32Array {
  const values: number[] = [...special]
  for (const range of [1e-3, 1, 10, 110, 1e5, 3e38])
    for (let i = -3000; i <= 3000; i++) values.push((range * (i + Math.sin(i) / 3)) / 3001)
  return Float32Array.from(values)
}

// Worst of 3 million samples: exp 0.96, exp2 1.20, expm1 1.43, log 0.88, log2 1.29, log10 1.99, log1p 0.91, sin 1.43,
// cos 1.42, tan 2.36, asin 1.32, acos 1.09, atan 1.21, sinh 1.54, cosh 1.41, tanh 1.31, erf 1.35, erfc 0.51.
const bounds = {
  ...{ exp: 2, exp2: 2, expm1: 2, log: 2, log2: 2, log10: 2, log1p: 2, sin: 2, cos: 2, tan: 2.5 },
  ...{
    asin: 2,
    acos: 2,
    atan: 2,
    sinh: 2,
    cosh: 2,
    tanh: 2,
    erf: 2,
    erfc: 1,
    sqrt: 0.5,
    rsqrt: 2,
    reciprocal: 0.5,
  },
}

describe('float32 functions are as exact as they say', () => {
  test.each(Object.entries(bounds))('%s: within %d ulp', (name, bound) => {
    const x = torch.tensor(arguments_())
    const method = name as keyof typeof bounds
    const values = x[method]().data() as Float32Array
    const exact = x.double()[method]().data() as Float64Array
    const wrong: string[] = []
    values.forEach((value, i) => {
      const rounded = Math.fround(exact[i])
      if (Object.is(value, rounded)) return
      const off = Math.abs(value - exact[i]) / ulp(exact[i])
      if (!(off <= bound))
        wrong.push(`${name}(${x.at(i).item()}) is ${value}, exactly ${exact[i]}: ${off} ulp`)
    })
    expect(wrong.slice(0, 5)).toEqual([])
  })

  // Each special value with each, and sizes from the smallest to the largest with both signs.
  const pairs = (): [number, number][] => {
    const found: [number, number][] = []
    const some = [...special, 0.5, -0.5, 2, -2, 3, -3, 2.5, 1e-20, -1e20]
    for (const a of some) for (const b of some) found.push([a, b])
    for (let i = 1; i < 20000; i++) {
      const [u, v] = [Math.sin(i * 1.7) * 1.0001, Math.sin(i * 2.3)]
      found.push(
        [Math.sign(u) * 10 ** (u * 4), v * 10],
        [u, v],
        [1 + u * 1e-3, v * 1e4],
        [u * 10, Math.round(v * 9)],
      )
      found.push([10 ** (u * 37), v], [u * 1e-3, 10 ** (v * 8)])
    }
    return found.map(([a, b]) => [Math.fround(a), Math.fround(b)])
  }
  const binary = {
    pow: {
      bound: 0.51,
      exact: (x: number, y: number) =>
        x === 1 || (x === -1 && !Number.isFinite(y) && !Number.isNaN(y)) ? 1 : x ** y,
    },
    atan2: { bound: 2, exact: Math.atan2 },
    fmod: { bound: 0, exact: (x: number, y: number) => x % y },
  }
  test.each(Object.entries(binary))('%s of two tensors', (name, { bound, exact }) => {
    const given = pairs()
    const [x, y] = [0, 1].map((i) => torch.tensor(Float32Array.from(given, (pair) => pair[i])))
    const values = x[name as keyof typeof binary](y).data() as Float32Array
    const wrong: string[] = []
    values.forEach((value, i) => {
      const expected = exact(...given[i])
      if (Object.is(value, Math.fround(expected))) return
      const off = Math.abs(value - expected) / ulp(expected)
      if (!(off <= bound)) wrong.push(`${name}(${given[i]}) is ${value}, exactly ${expected}: ${off} ulp`)
    })
    expect(wrong.slice(0, 5)).toEqual([])
  })
})
