// float16 and bfloat16: rounding and bits. Expected bits are those of PyTorch's conversions.

import { describe, expect, test } from 'vitest'
import {
  bfloat16Bits,
  bfloat16FromBits,
  decodeBfloat16,
  decodeHalf,
  encodeBfloat16,
  encodeHalf,
  halfBits,
  halfFromBits,
  roundArrayToBfloat16,
  roundArrayToHalf,
  roundToBfloat16,
  roundToHalf,
} from '../../src/core/half.ts'

describe('float16', () => {
  test('every one of the 65536 bit patterns survives the way to a number and back', () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i)
    const numbers = decodeHalf(bits)
    const back = encodeHalf(numbers)
    for (let i = 0; i < 65536; i++) {
      if (Number.isNaN(numbers[i])) expect(back[i] & 0x7fff).toBe(0x7e00)
      else if (back[i] !== i) expect(back[i]).toBe(i)
      if (!Object.is(halfFromBits(i), numbers[i])) expect(halfFromBits(i)).toBe(numbers[i])
    }
  })

  test('rounds to nearest, ties to even, also between subnormals', () => {
    expect(roundToHalf(2049)).toBe(2048)
    expect(roundToHalf(2051)).toBe(2052)
    expect(roundToHalf(0.1)).toBe(0.0999755859375)
    expect(halfBits(2 ** -25)).toBe(0)
    expect(halfBits(2 ** -25 * 1.001)).toBe(1)
    expect(halfBits(3 * 2 ** -25)).toBe(2)
    expect(halfBits(2 ** -14 - 2 ** -26)).toBe(0x0400)
  })

  test('the largest number is 65504, what rounds beyond is infinite, zero keeps its sign', () => {
    expect(roundToHalf(65519)).toBe(65504)
    expect(roundToHalf(65520)).toBe(Infinity)
    expect(roundToHalf(-1e10)).toBe(-Infinity)
    expect(Object.is(roundToHalf(-1e-10), -0)).toBe(true)
    expect(roundToHalf(NaN)).toBeNaN()
  })

  test('a double is rounded to float32 first, as PyTorch does', () => {
    // above the tie between 1 and 1 + 2^-10 by less than a float32 shows: the tie goes to even
    expect(roundToHalf(1 + 2 ** -11 + 2 ** -40)).toBe(1)
  })
})

describe('bfloat16', () => {
  test('is the upper half of float32, rounded to even', () => {
    expect(bfloat16Bits(1)).toBe(0x3f80)
    expect(bfloat16Bits(-2.5)).toBe(0xc020)
    expect(roundToBfloat16(257)).toBe(256)
    expect(roundToBfloat16(259)).toBe(260)
    expect(roundToBfloat16(0.1)).toBe(0.10009765625)
    expect(bfloat16FromBits(0x4049)).toBe(3.140625)
  })

  test('NaN is 0x7fc0, and the largest float32 rounds to infinity', () => {
    expect(bfloat16Bits(NaN)).toBe(0x7fc0)
    expect(roundToBfloat16(3.4028234663852886e38)).toBe(Infinity)
    expect(roundToBfloat16(-3.3895313892515355e38)).toBe(-3.3895313892515355e38)
  })
})

describe('arrays', () => {
  const samples = Float32Array.from({ length: 4000 }, (_, i) => Math.sin(i * i) * 10 ** ((i % 40) - 25))

  test('are rounded in place like single numbers', () => {
    const half = roundArrayToHalf(samples.slice())
    const bfloat = roundArrayToBfloat16(samples.slice())
    samples.forEach((x, i) => {
      if (half[i] !== roundToHalf(x)) expect(half[i]).toBe(roundToHalf(x))
      if (bfloat[i] !== roundToBfloat16(x)) expect(bfloat[i]).toBe(roundToBfloat16(x))
    })
    expect(half).not.toEqual(samples)
  })

  test('a view into a larger buffer leaves its neighbours alone', () => {
    const buffer = Float32Array.of(0.1, 0.1, 0.1)
    roundArrayToHalf(buffer.subarray(1, 2))
    expect([...buffer]).toEqual([Math.fround(0.1), roundToHalf(0.1), Math.fround(0.1)])
  })

  test('are encoded into and decoded from 16 bits each', () => {
    const out = new Uint16Array(2)
    expect(encodeHalf([1, -2], out)).toBe(out)
    expect([...out]).toEqual([0x3c00, 0xc000])
    expect([...encodeBfloat16(Float64Array.of(1, -2))]).toEqual([0x3f80, 0xc000])
    expect([...decodeHalf([0x3c00, 0xfc00])]).toEqual([1, -Infinity])
    expect([...decodeBfloat16([0x3f80, 0xff80])]).toEqual([1, -Infinity])
  })
})
