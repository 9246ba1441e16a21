// The random generator and its distributions. Expected numbers were recorded from PyTorch 2.13 on the CPU.

import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { bfloat16, bool, float16, float32, float64, int8, int32, int64, uint8 } from '../../src/core/dtype.ts'
import { NotImplementedError, RuntimeError, TypeError_, ValueError } from '../../src/core/errors.ts'
import * as d from '../../src/random/distributions.ts'
import { fma } from '../../src/random/fma.ts'
import { defaultGenerator, Generator, initialSeed, manualSeed, seed } from '../../src/random/generator.ts'
import { largestIndices } from '../../src/random/largest.ts'

const seeded = (value: number | bigint): Generator => new Generator().manualSeed(value)

/** The numbers as float32 prints them, recorded with nine digits or fewer. */
const f32 = (...values: number[]): number[] => values.map(Math.fround)

/** What `torch.rand(1)` gives next: how tests see how many outputs were used. */
const nextRand = (gen: Generator): number => d.uniform(gen, 1, float32)[0]

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describe('Generator', () => {
  test('an unseeded generator starts from the default seed of PyTorch', () => {
    const gen = new Generator()
    expect(gen.initialSeed()).toBe(67280421310721)
    expect([...d.uniform(gen, 2, float32)]).toEqual(f32(0.26729524, 0.8725283))
  })

  test('only the low 32 bits of the seed decide the numbers, but all are remembered', () => {
    const gen = seeded(2 ** 32 + 7)
    expect(gen.initialSeed()).toBe(2 ** 32 + 7)
    expect(nextRand(gen)).toBe(Math.fround(0.53492254))
    expect(nextRand(seeded(7))).toBe(Math.fround(0.53492254))
  })

  test('a seed beyond 2^53 is a bigint, a negative one counts from 2^64', () => {
    const gen = seeded(-1)
    expect(gen.initialSeed()).toBe(2n ** 64n - 1n)
    expect(nextRand(gen)).toBe(Math.fround(0.9937994))
    expect(nextRand(seeded(2n ** 63n + 5n))).toBe(Math.fround(0.8302519))
  })

  test('a seed that is no whole number or out of range is refused', () => {
    const gen = new Generator()
    expect(() => gen.manualSeed(1.5)).toThrow(TypeError_)
    expect(() => gen.manualSeed(2n ** 64n)).toThrow(ValueError)
    expect(() => gen.manualSeed(-(2n ** 63n) - 1n)).toThrow(ValueError)
  })

  test('seed() draws a new seed of at most 53 bits and starts from it', () => {
    const gen = new Generator()
    const first = gen.seed()
    expect(gen.initialSeed()).toBe(first)
    expect(first).toBeLessThan(2 ** 53)
    expect(gen.seed()).not.toBe(first)
  })

  test('the exported functions are about the default generator', () => {
    expect(manualSeed(0)).toBe(defaultGenerator)
    expect(initialSeed()).toBe(0)
    expect(d.uniform(defaultGenerator, 5, float32)).toEqual(
      Float32Array.of(0.4962566, 0.7682218, 0.08847743, 0.13203049, 0.30742282),
    )
    expect(initialSeed()).not.toBe(seed())
  })

  test('a fresh state has the bytes of PyTorch', () => {
    const state = seeded(5).stateBytes()
    expect(state.length).toBe(5056)
    expect(sha256(state)).toBe('f4ef6f460154679cfe881f5d260e16f8ed904898fabc025c755a71e2692eb75c')
  })

  test('a state with all 624 words used, and one with a cached normal sample, have the bytes of PyTorch', () => {
    const gen = seeded(5)
    d.uniform(gen, 624, float32)
    expect(sha256(gen.stateBytes())).toBe('7447755f70b7c1784d39e5cfca8fb9d7f9402df4c6310341075f5ab62572db34')
    gen.manualSeed(5)
    d.normal(gen, 3, float32)
    const state = gen.stateBytes()
    const view = new DataView(state.buffer)
    expect([view.getInt32(8, true), view.getInt32(16, true), view.getInt32(5040, true)]).toEqual([617, 8, 1])
    expect(view.getFloat64(5024, true)).toBeCloseTo(0.6675243, 6)
  })

  test('setState continues where the state was taken, cached normal sample included', () => {
    const gen = seeded(11)
    d.uniform(gen, 1000, float32)
    d.normal(gen, 3, float32)
    const state = gen.stateBytes()
    const expected = [d.normal(gen, 4, float64), d.uniform(gen, 700, float32)]
    const other = new Generator().setState(state)
    expect([d.normal(other, 4, float64), d.uniform(other, 700, float32)]).toEqual(expected)
    expect(other.initialSeed()).toBe(11)
  })

  test('cloneState makes a generator of its own', () => {
    const gen = seeded(3)
    const clone = gen.cloneState()
    expect(nextRand(clone)).toBe(nextRand(gen))
    nextRand(clone)
    expect(nextRand(clone)).not.toBe(nextRand(gen))
  })

  test('what is no state is refused and changes nothing', () => {
    const gen = seeded(1)
    const before = gen.stateBytes()
    expect(() => gen.setState(new Uint8Array(5))).toThrow(
      'Expected a CPUGeneratorImplState of size 5056 but found the input RNG state size to be 5',
    )
    expect(() => gen.setState(new Uint8Array(5056))).toThrow('Invalid mt19937 state')
    expect(() => gen.setState(new Float32Array(5056) as unknown as Uint8Array)).toThrow(TypeError_)
    const tooFar = before.slice()
    tooFar[16] = 3
    tooFar[8] = 0x70
    tooFar[9] = 2
    expect(() => gen.setState(tooFar)).toThrow(RuntimeError)
    expect(gen.stateBytes()).toEqual(before)
  })

  test('random64 joins two outputs, the first on top', () => {
    const gen = seeded(5)
    const [high, low] = [gen.random(), gen.random()]
    expect(seeded(5).random64()).toBe((BigInt(high) << 32n) | BigInt(low))
    expect(high).not.toBe(low)
  })
})

describe('uniform', () => {
  test('float64 takes two outputs for a sample, float32 one', () => {
    const gen = seeded(0)
    d.uniform(gen, 5, float32)
    expect([...d.uniform(gen, 2, float64)]).toEqual([0.07262971157225484, 0.17155810530414428])
  })

  test('bounds are applied with one rounding in every dtype', () => {
    const gen = seeded(1)
    expect([...d.uniform(gen, 3, float64, -0.1, 0.3)]).toEqual([
      -0.07557869011215056, -0.010178197372939835, -0.006298994422064253,
    ])
    expect([...d.uniform(gen, 3, float32, -0.1, 0.3)]).toEqual(f32(0.058854938, 0.20174877, 0.1278034))
    expect([...d.uniform(gen, 3, float16, -0.1, 0.3)]).toEqual([
      0.07550048828125, 0.155517578125, 0.10986328125,
    ])
  })

  test('a sample that rounds to the upper bound becomes the lower one', () => {
    const samples = d.uniform(seeded(0), 20000, bfloat16)
    expect(samples.includes(1)).toBe(false)
    expect(samples.filter((x) => x === 0).length).toBeGreaterThan(5)
  })

  test('bounds out of order or beyond the dtype are refused', () => {
    const gen = new Generator()
    expect(() => d.uniform(gen, 3, float32, 2, 1)).toThrow(
      'uniform_ expects to return a [from, to) range, but found from=2 > to=1',
    )
    expect(() => d.uniform(gen, 3, float32, -Infinity, 1)).toThrow('from is out of bounds for float')
    expect(() => d.uniform(gen, 3, float32, -3e38, 3e38)).toThrow(
      'uniform_ expects to-from <= std::numeric_limits<Float>::max(), but found to=3e+38 and from=-3e+38 ' +
        'which result in to-from to exceed the limit',
    )
    expect(() => d.uniform(gen, 3, int64)).toThrow(NotImplementedError)
  })
})

describe('normal', () => {
  test('below 16 elements the second sample of a pair waits for the next call, whatever its dtype', () => {
    const gen = seeded(42)
    const first = d.normal(gen, 5, float32)
    expect([...first]).toEqual(f32(0.33669037, 0.1288094, 0.23446237, 0.23033303, -1.1228564))
    expect(nextRand(gen)).toBe(Math.fround(0.86940444))
    expect(d.normal(gen, 1, float64)[0]).toBeCloseTo(-0.18632829929177447, 14)
  })

  test('seeding forgets the waiting sample', () => {
    const gen = seeded(42)
    d.normal(gen, 1, float32)
    gen.manualSeed(42)
    expect(d.normal(gen, 1, float32)[0]).toBe(Math.fround(0.33669037))
  })

  test('16 contiguous float32 elements are one block of 16 outputs', () => {
    const gen = seeded(42)
    const samples = d.normal(gen, 16, float32)
    expect([...samples.subarray(0, 4)]).toEqual(f32(1.9269153, 1.4872841, 0.9007172, -2.105521))
    expect(nextRand(gen)).toBe(Math.fround(0.8854429))
  })

  test('a tail that is no whole block makes the last 16 elements be drawn anew', () => {
    const gen = seeded(42)
    const samples = d.normal(gen, 20, float32)
    expect([...samples.subarray(3, 6)]).toEqual(f32(-2.105521, -0.75813115, 1.0783176))
    expect([...samples.subarray(18)]).toEqual(f32(0.80340934, -0.6215954))
    expect(nextRand(gen)).toBe(Math.fround(0.5779254))
    const doubles = d.normal(seeded(42), 20, float64)
    const expected = [-0.23294220898382634, -0.03720300727052493, 1.0352472972512925]
    expected.forEach((x, i) => {
      expect(doubles[3 + i]).toBeCloseTo(x, 14)
    })
  })

  test('33 elements take 49 outputs in float32, and 48 in float16 and bfloat16', () => {
    const gen = seeded(42)
    expect([...d.normal(gen, 33, float16).subarray(0, 3)]).toEqual(f32(1.9267578, 1.4873047, 0.9008789))
    expect(nextRand(gen)).toBe(Math.fround(0.7539175))
    gen.manualSeed(42)
    expect([...d.normal(gen, 33, bfloat16).subarray(0, 3)]).toEqual(f32(1.9296875, 1.484375, 0.90234375))
    expect(nextRand(gen)).toBe(Math.fround(0.7539175))
    gen.manualSeed(42)
    d.normal(gen, 33, float32)
    expect(nextRand(gen)).toBe(Math.fround(0.19524747))
  })

  test('a strided tensor is drawn pair by pair at any size', () => {
    const samples = d.normal(seeded(3), 20, float32, 0, 1, false)
    expect([...samples.subarray(0, 3)]).toEqual(f32(0.80327606, 0.17483339, 0.0889781))
  })

  test('blocks go on across refills of the engine that do not start on one', () => {
    const gen = seeded(9)
    nextRand(gen)
    const samples = d.normal(gen, 16 * 100, float32)
    const other = seeded(9)
    nextRand(other)
    const pieces = Array.from({ length: 100 }, () => [...d.normal(other, 16, float32)]).flat()
    expect([...samples]).toEqual(pieces)
  })

  test('with tensors of means and deviations a standard sample is scaled, then shifted', () => {
    const samples = d.normalFrom(seeded(5), 3, float32, f32(1, 2, 3), f32(0.1, 0.2, 0.3))
    expect([...samples]).toEqual(f32(0.9513219, 1.8792357, 2.832571))
  })

  test('a negative deviation is refused', () => {
    const gen = new Generator()
    expect(() => d.normal(gen, 3, float32, 0, -1)).toThrow('normal expects std >= 0.0, but found std -1')
    expect(() => d.normalFrom(gen, 2, float32, 0, [1, -1])).toThrow(
      'normal expects all elements of std >= 0.0',
    )
    expect(() => d.normal(gen, 3, int64)).toThrow(`"normal_kernel_cpu" not implemented for 'Long'`)
  })
})

describe('other continuous distributions', () => {
  test('exponential, log-normal and Cauchy samples are those of PyTorch', () => {
    const gen = seeded(5)
    expect([...d.exponential(gen, 3, float32, 2)]).toEqual(f32(0.5136321, 0.150389, 0.22379054))
    expect([...d.logNormal(gen, 3, float32, 0.5, 0.25)]).toEqual(f32(1.5246211, 1.9747106, 2.005216))
    expect([...d.cauchy(gen, 3, float32, 1, 2)]).toEqual(f32(2.6550336, 4.847679, 0.7029845))
  })

  test('gumbel samples are minus the logarithms of exponential ones', () => {
    const gumbel = d.gumbel(seeded(5), 100, float64)
    const exponential = d.exponential(seeded(5), 100, float64)
    gumbel.forEach((x, i) => {
      expect(Math.exp(-x)).toBeCloseTo(exponential[i], 12)
    })
  })

  test('parameters out of range are refused with the words of PyTorch', () => {
    const gen = new Generator()
    expect(() => d.exponential(gen, 1, float32, 0)).toThrow(
      'exponential_ expects lambda > 0.0, but found lambda=0',
    )
    expect(() => d.exponential(gen, 1, int64)).toThrow(
      'dtype must be a floating point but you specified Long',
    )
    expect(() => d.logNormal(gen, 1, float32, 0, 0)).toThrow('log_normal_ expects std > 0.0, but found std=0')
    expect(() => d.cauchy(gen, 1, float32, 0, -1e-7)).toThrow(
      'cauchy_ expects sigma > 0.0, but found sigma=-1e-07',
    )
  })

  test('trunc_normal rejects whole tensors of normal samples where enough mass lies inside', () => {
    const gen = seeded(5)
    const samples = d.truncNormal(gen, 6, float32, 0, 1, -1, 1)
    expect([...samples]).toEqual(f32(-0.48678076, -0.6038216, -0.55809623, 0.6675243, -0.1974151, 0.69071877))
    expect(nextRand(gen)).toBe(Math.fround(0.9751613))
  })

  test('trunc_normal rejects uniform candidates in a tail', () => {
    const gen = seeded(5)
    d.truncNormal(gen, 6, float32, 0, 1, -1, 1)
    nextRand(gen)
    const samples = d.truncNormal(gen, 4, float32, 0, 1, 2, 4)
    expect([...samples]).toEqual(f32(2.1806884, 2.3780472, 2.399929, 2.5277615))
    expect(nextRand(gen)).toBe(Math.fround(0.7826092))
  })
})

describe('integers', () => {
  test('a range from 2^28 on takes two outputs for a sample', () => {
    const gen = seeded(5)
    expect([...d.randint(gen, 6, int64, 0, 10)]).toEqual([1n, 4n, 7n, 5n, 6n, 0n])
    expect([...d.randint(gen, 2, int64, 0, 2 ** 28 - 1)]).toEqual([187307422n, 180152408n])
    expect([...d.randint(gen, 2, int64, 0, 2 ** 28)]).toEqual([117342948n, 93358014n])
    expect([...d.randint(gen, 2, int64, -(2n ** 62n), 2n ** 62n)]).toEqual([
      293448226066451056n,
      -4271934045726421296n,
    ])
  })

  test('without bounds each dtype has its own range', () => {
    const gen = seeded(5)
    expect([...d.randomIntegers(gen, 2, int64)]).toEqual([4095051218741643470n, 6838803925648402109n])
    expect([...d.randomIntegers(gen, 2, float32)]).toEqual([15436722, 1956889])
    expect([...d.randomIntegers(gen, 2, float64)]).toEqual([2838462193262832, 2396970094067452])
    expect([...d.randomIntegers(gen, 3, uint8)]).toEqual([231, 190, 155])
    expect([...d.randomIntegers(gen, 4, bool)]).toEqual([0, 0, 0, 1])
    expect([...d.randomIntegers(gen, 2, int64, -(2n ** 63n), null)]).toEqual([
      -169323913697919089n,
      -3536578665063418443n,
    ])
    expect([...d.randomIntegers(gen, 3, int8, -5, null)]).toEqual([31, 121, 62])
    expect([...d.randomIntegers(gen, 3, float16, 0, 5000)]).toEqual([1224, 2144, 75])
  })

  test('empty ranges and bounds beyond the dtype are refused', () => {
    const gen = new Generator()
    expect(() => d.randint(gen, 3, int64, 5, 5)).toThrow(
      "random_ expects 'from' to be less than 'to', but got from=5 >= to=5",
    )
    expect(() => d.randint(gen, 3, uint8, 0, 300)).toThrow('to - 1 is out of bounds for unsigned char')
    expect(() => d.randint(gen, 3, uint8, -1, 20)).toThrow('from is out of bounds for unsigned char')
    expect(() => d.randomIntegers(gen, 3, bfloat16, 2n ** 62n, null)).toThrow(
      "random_ expects 'from' casted to dtype to be less than or equal to 'to_inc' casted to dtype, " +
        'but got from=4611686018427387904 > to_inc=256',
    )
    expect(() => d.randomIntegers(gen, 3, float16, -(2n ** 63n), null)).toThrow(NotImplementedError)
    expect(() => d.randomIntegers(gen, 3, int8, -(2n ** 63n), null)).toThrow(
      'random_full_64_bits_range_kernel_cpu handles only int64, double, float and bfloat16',
    )
  })

  test('a permutation takes n - 1 outputs and does not depend on the dtype', () => {
    const gen = seeded(5)
    expect([...d.randperm(gen, 8, int64)]).toEqual([3n, 6n, 0n, 2n, 1n, 4n, 5n, 7n])
    expect(nextRand(gen)).toBe(Math.fround(0.7379194))
    expect([...d.randperm(seeded(5), 8, float16)]).toEqual([3, 6, 0, 2, 1, 4, 5, 7])
    expect([...d.permutation(seeded(5), 8)]).toEqual([3, 6, 0, 2, 1, 4, 5, 7])
    expect(d.randperm(gen, 0, int64).length).toBe(0)
  })

  test('a permutation longer than its dtype can count is refused', () => {
    const gen = new Generator()
    expect(() => d.randperm(gen, -1, int64)).toThrow('negative dimension -1')
    expect(() => d.randperm(gen, 300, int8)).toThrow(
      'value cannot be converted to type int8_t without overflow',
    )
    expect(() => d.randperm(gen, 2050, float16)).toThrow('n cannot be greater than 2049 for Half type.')
    expect(() => d.randperm(gen, 3, bool)).toThrow(`"randperm" not implemented for 'Bool'`)
  })
})

describe('discrete distributions', () => {
  test('bernoulli takes two outputs with a number, one with float32 probabilities', () => {
    const gen = seeded(5)
    expect([...d.bernoulli(gen, 8, 0.3)]).toEqual([0, 1, 0, 0, 1, 0, 0, 0])
    expect(nextRand(gen)).toBe(Math.fround(0.98092693))
    gen.manualSeed(5)
    const p = new Float32Array(8).fill(0.3)
    expect([...d.bernoulliFrom(gen, p, float32)]).toEqual([0, 1, 0, 0, 0, 1, 1, 0])
    expect(nextRand(gen)).toBe(Math.fround(0.033264637))
    gen.manualSeed(5)
    expect([...d.bernoulliFrom(gen, new Float64Array(8).fill(0.3), float64)]).toEqual([
      0, 1, 0, 0, 1, 0, 0, 0,
    ])
  })

  test('a probability out of range is refused', () => {
    const gen = new Generator()
    expect(() => d.bernoulli(gen, 1, 2)).toThrow('bernoulli_ expects p to be in [0, 1], but got p=2')
    expect(() => d.bernoulliFrom(gen, [NaN], float32)).toThrow('Expected p_in >= 0 && p_in <= 1 to be true')
    expect(() => d.bernoulliFrom(gen, [1], int64)).toThrow(NotImplementedError)
  })

  test('the noise of dropout scales what is kept', () => {
    const scale = Math.fround(1.4285715)
    expect([...d.dropoutNoise(seeded(5), 6, float32, 0.3)]).toEqual([scale, scale, scale, scale, scale, 0])
    expect(d.dropoutNoise(seeded(5), 20, float16, 0.3)).toContain(1.4287109375)
  })

  test('dropout draws nothing with probability 0 or 1', () => {
    const gen = seeded(5)
    expect([...d.dropoutNoise(gen, 3, float32, 0)]).toEqual([1, 1, 1])
    expect([...d.dropoutNoise(gen, 3, float32, 1)]).toEqual([0, 0, 0])
    expect(nextRand(gen)).toBe(nextRand(seeded(5)))
    expect(() => d.dropoutNoise(gen, 3, float32, 1.5)).toThrow(
      'dropout probability has to be between 0 and 1, but got 1.5',
    )
  })

  test('rrelu draws a slope only for elements that are not positive', () => {
    const gen = seeded(5)
    const slopes = d.rreluSlopes(gen, [-1, 2, 0, -3, 4], float32, 0.1, 0.3)
    expect([...slopes]).toEqual(f32(0.22840302, 1, 0.15195158, 0.17216553, 1))
    expect(nextRand(gen)).toBe(Math.fround(0.16439152))
  })

  test('geometric samples are those of PyTorch in every dtype', () => {
    const gen = seeded(5)
    d.exponential(gen, 3, float32, 2)
    d.logNormal(gen, 3, float32, 0.5, 0.25)
    d.cauchy(gen, 3, float32, 1, 2)
    const state = gen.stateBytes()
    expect([...d.geometric(gen, 5, int32, 0.2)]).toEqual([5, 6, 1, 7, 10])
    expect([...d.geometric(gen.setState(state), 5, int64, 0.2)]).toEqual([5n, 6n, 1n, 7n, 10n])
    expect([...d.geometric(gen.setState(state), 5, float16, 0.2)]).toEqual([5, 6, 1, 7, 10])
    expect(() => d.geometric(gen, 1, float32, 1)).toThrow('geometric_ expects p to be in (0, 1), but got p=1')
  })

  test('poisson multiplies uniforms below a rate of 10 and rejects from there on', () => {
    const gen = seeded(5)
    const rates = Float32Array.of(0, 0.5, 3, 9.9, 10, 50, 1000, 1e6)
    expect([...d.poisson(gen, rates, float32)]).toEqual([0, 1, 2, 11, 9, 50, 991, 999562])
    expect(nextRand(gen)).toBe(Math.fround(0.9060595))
    expect(() => d.poisson(gen, [-1], float32)).toThrow(
      'invalid Poisson rate, expected rate to be non-negative',
    )
  })
})

describe('multinomial', () => {
  const weights = Float32Array.of(1, 2, 3, 4)

  test('one sample, several without and several with replacement, from one stream', () => {
    const gen = seeded(5)
    expect([...d.multinomial(gen, weights, float32, 1, 4, 1)]).toEqual([3n])
    expect([...d.multinomial(gen, weights, float32, 1, 4, 3)]).toEqual([2n, 0n, 3n])
    const repeated = d.multinomial(gen, weights, float32, 1, 4, 6, { replacement: true })
    expect([...repeated]).toEqual([3n, 2n, 2n, 2n, 3n, 1n])
    // categories of weight zero come last, in the order of PyTorch's sort
    const tied = d.multinomial(gen, Float32Array.of(1, 2, 0, 0, 0, 0, 0, 0), float32, 1, 8, 8)
    expect([...tied]).toEqual([0n, 1n, 7n, 6n, 5n, 4n, 3n, 2n])
    const rows = Float32Array.of(1, 2, 3, 3, 2, 1)
    expect([...d.multinomial(gen, rows, float32, 2, 3, 2)]).toEqual([0n, 1n, 0n, 1n])
    expect([...d.multinomial(gen, rows, float32, 2, 3, 2, { transposed: true })]).toEqual([2n, 1n, 2n, 0n])
  })

  test('weights that are no distribution are refused', () => {
    const gen = new Generator()
    const draw = (w: number[], samples: number, replacement = false) =>
      d.multinomial(gen, w, float32, 1, w.length, samples, { replacement })
    expect(() => draw([1, 2], 3)).toThrow(
      'cannot sample n_sample > prob_dist.size(-1) samples without replacement',
    )
    expect(() => draw([1, 2], 0)).toThrow('cannot sample n_sample <= 0 samples')
    expect(() => draw([1, -2], 1)).toThrow('probability tensor contains either `inf`, `nan` or element < 0')
    expect(() => draw([1, -2], 2, true)).toThrow('(encountering probability entry < 0)')
    expect(() => draw([1, Infinity], 2, true)).toThrow('(encountering probability entry = infinity or NaN)')
    expect(() => draw([0, 0], 1)).toThrow('invalid multinomial distribution (sum of probabilities <= 0)')
    expect(() => draw([0, 0], 2, true)).toThrow(
      'invalid multinomial distribution (sum of probabilities <= 0)',
    )
    expect(() => d.multinomial(gen, [1], int64, 1, 1, 1)).toThrow(
      'floating-point dtypes for input, got: Long',
    )
  })
})

describe('helpers', () => {
  test('largestIndices finds the largest values in order, NaN first', () => {
    const gen = seeded(1)
    for (const [n, k] of [
      [5, 2],
      [300, 300],
      [300, 37],
      [1000, 3],
    ]) {
      const values = d.uniform(gen, n, float64)
      values[n - 2] = NaN
      const expected = [...values.keys()].sort((i, j) =>
        i === n - 2 ? -1 : j === n - 2 ? 1 : values[j] - values[i],
      )
      expect([...largestIndices(values, 0, n, k)]).toEqual(expected.slice(0, k))
    }
  })

  test('fma rounds once', () => {
    expect(fma(2 ** 27 + 1, 2 ** 27 + 1, -(2 ** 54 + 2 ** 28))).toBe(1)
    const gen = seeded(2)
    for (let i = 0; i < 2000; i++) {
      const [a, b] = [0, 0].map(() => Math.floor(gen.engine.uniform53() * 2 ** 53) - 2 ** 52)
      const c =
        Math.floor((gen.engine.uniform53() - 0.5) * 2 ** 53) * 2 ** Math.floor(gen.engine.uniform53() * 60)
      // Number() of a bigint rounds to nearest, ties to even
      expect(fma(a, b, c)).toBe(Number(BigInt(a) * BigInt(b) + BigInt(c)))
    }
  })

  test('fma passes infinities and NaN on', () => {
    expect(fma(Infinity, 1, 2)).toBe(Infinity)
    expect(fma(1, 2, -Infinity)).toBe(-Infinity)
    expect(fma(Infinity, 0, 1)).toBeNaN()
    expect(fma(1e-300, 1e-10, 1)).toBe(1)
  })
})
