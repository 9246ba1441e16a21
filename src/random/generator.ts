// Generator: a seeded stream of random numbers and its saved state, as torch.Generator on the CPU, and the default one.

import { cpu, type Device } from '../core/device.ts'
import { uint8 } from '../core/dtype.ts'
import { RuntimeError, TypeError_, ValueError } from '../core/errors.ts'
import { data } from '../tensor/data.ts'
import { Storage } from '../tensor/storage.ts'
import { Tensor } from '../tensor/tensor.ts'
import { Mt19937 } from './mt19937.ts'

/** PyTorch's seed of a generator that nobody seeded. */
const defaultSeed = 67280421310721n

/** Bytes of a saved state. */
const stateSize = 5056

// Where the parts of a saved state lie (little-endian).
const leftAt = 8
const seededAt = 12
const nextAt = 16
const wordsAt = 24
const wordCount = 624
const normalAt = 5024
const normalValidAt = 5040

/**
 * A source of random numbers, `torch.Generator`: mt19937 and the half of a Box-Muller pair that waits for the next
 * call. The same seed and the same calls give the same numbers as PyTorch's CPU generator.
 *
 *     const g = new Generator().manualSeed(42)
 *     torch.rand([2, 3], { generator: g })
 */
export class Generator {
  readonly device: Device = cpu
  /** The raw bits, for the code that draws samples. */
  readonly engine: Mt19937 = new Mt19937(0)
  /** The standard normal sample kept for the next call that wants one; counts where `hasCachedNormal`. */
  cachedNormal = 0
  hasCachedNormal = false
  private seedBits = 0n

  constructor() {
    this.reseed(defaultSeed)
  }

  /**
   * Restarts the sequence from `seed` and returns the generator.
   * @param seed a whole number from -2^63 to 2^64 - 1; a negative one means 2^64 + seed. Only its low 32 bits decide
   *   the numbers drawn.
   * @throws TypeError for anything but a whole number, ValueError where it is out of range.
   */
  manualSeed(seed: number | bigint): this {
    this.reseed(checkedSeed(seed))
    return this
  }

  /** Seeds from the system's entropy (53 bits) and returns that seed. */
  seed(): number {
    const words = crypto.getRandomValues(new Uint32Array(2))
    const seed = (words[0] & 0x1fffff) * 2 ** 32 + words[1]
    this.reseed(BigInt(seed))
    return seed
  }

  /** The seed last given: a number, or a bigint where it is beyond 2^53 - 1. */
  initialSeed(): number | bigint {
    return this.seedBits <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(this.seedBits) : this.seedBits
  }

  private reseed(seed: bigint): void {
    this.seedBits = seed
    this.engine.seed(Number(seed & 0xffffffffn))
    this.cachedNormal = 0
    this.hasCachedNormal = false
  }

  /** The state as PyTorch saves it: a uint8 tensor of 5056 elements, which `setState` here and there accepts. */
  getState(): Tensor {
    return new Tensor(Storage.fromBytes(this.stateBytes()), [stateSize], [1], 0, uint8)
  }

  /** The bytes of `getState`, without a tensor. */
  stateBytes(): Uint8Array {
    const bytes = new Uint8Array(stateSize)
    const view = new DataView(bytes.buffer)
    const { words, next, end } = this.engine
    view.setBigUint64(0, this.seedBits, true)
    view.setInt32(leftAt, end - next + 1, true)
    view.setInt32(seededAt, 1, true)
    view.setUint32(nextAt, next, true)
    for (let i = 0; i < wordCount; i++) view.setInt32(wordsAt + 8 * i, words[i], true)
    if (this.hasCachedNormal) {
      view.setFloat64(normalAt, this.cachedNormal, true)
      view.setInt32(normalValidAt, 1, true)
    }
    return bytes
  }

  /**
   * Goes back to a state saved by `getState`, or by PyTorch's `get_state`, and returns the generator.
   * @param saved a uint8 tensor on the CPU, or its bytes
   * @throws TypeError where `saved` is neither, RuntimeError where it holds no state; nothing changes then.
   */
  setState(saved: Tensor | Uint8Array): this {
    const state = bytesOfState(saved)
    if (state.length !== stateSize)
      throw new RuntimeError(
        `Expected a CPUGeneratorImplState of size ${stateSize} but found the input RNG state size to be ${state.length}`,
      )
    const view = new DataView(state.buffer, state.byteOffset, stateSize)
    const left = view.getInt32(leftAt, true)
    const next = Number(view.getBigUint64(nextAt, true))
    const end = next + left - 1
    if (view.getInt32(seededAt, true) !== 1 || left < 1 || left > wordCount || end > wordCount)
      throw new RuntimeError('Invalid mt19937 state')
    const words = new Int32Array(wordCount)
    for (let i = 0; i < wordCount; i++) words[i] = view.getInt32(wordsAt + 8 * i, true)
    this.seedBits = view.getBigUint64(0, true)
    this.engine.restore(words, next, end)
    this.hasCachedNormal = view.getInt32(normalValidAt, true) !== 0
    this.cachedNormal = this.hasCachedNormal ? view.getFloat64(normalAt, true) : 0
    return this
  }

  /** A generator in the same state, which goes its own way from here. */
  cloneState(): Generator {
    return new Generator().setState(this.stateBytes())
  }

  /** The next 32 bits, 0 to 2^32 - 1. */
  random(): number {
    return this.engine.random()
  }

  /** The next 64 bits (two outputs, the first on top), 0n to 2^64 - 1. */
  random64(): bigint {
    return this.engine.random64()
  }
}

/** The bytes of a saved state, however they come. */
function bytesOfState(saved: unknown): Uint8Array {
  if (saved instanceof Uint8Array) return saved
  if (!(saved instanceof Tensor) || saved.dtype !== uint8 || saved.device.type !== 'cpu')
    throw new TypeError_('RNG state must be a torch.ByteTensor')
  return data(saved) as Uint8Array
}

/** The seed as the 64 bits that PyTorch makes of it. */
function checkedSeed(seed: number | bigint): bigint {
  if (typeof seed !== 'bigint' && !Number.isInteger(seed))
    throw new TypeError_(`manualSeed expects a whole number, but got ${String(seed)}`)
  const value = BigInt(seed)
  if (value < -(2n ** 63n) || value >= 2n ** 64n)
    throw new ValueError(
      `Overflow when unpacking long long: a seed lies between -2^63 and 2^64 - 1, got ${value}`,
    )
  return BigInt.asUintN(64, value)
}

/** The generator that every random function uses unless it is given another. */
export const defaultGenerator: Generator = new Generator()

/** Seeds the default generator, `torch.manual_seed`, and returns it. See `Generator.manualSeed`. */
export function manualSeed(seed: number | bigint): Generator {
  return defaultGenerator.manualSeed(seed)
}

/** Seeds the default generator from the system's entropy and returns that seed. */
export function seed(): number {
  return defaultGenerator.seed()
}

/** The seed last given to the default generator. */
export function initialSeed(): number | bigint {
  return defaultGenerator.initialSeed()
}
