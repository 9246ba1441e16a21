// The Mersenne Twister mt19937 (Matsumoto and Nishimura, 1998) with the classic seeding: the source of all
// random bits. How bits become samples is said in the distributions, how states are saved in generator.ts.

const size = 624
const shift = 397

/**
 * The engine. `outputs` holds a whole period of 624 tempered words, of which those from `next` to `end - 1` are
 * still to be used, so that loops over many samples can read them without a call each.
 */
export class Mt19937 {
  /** The untempered state, as saved. */
  readonly words: Int32Array = new Int32Array(size)
  /** The tempered words. */
  readonly outputs: Uint32Array = new Uint32Array(size)
  /** Index of the next word of `outputs`. */
  next = 0
  /** One past the last word of `outputs` that may be used before a refill. */
  end = 0

  constructor(seed: number) {
    this.seed(seed)
  }

  /** Restarts the sequence from `seed`, of which the low 32 bits count. */
  seed(seed: number): void {
    const words = this.words
    let word = seed | 0
    words[0] = word
    for (let i = 1; i < size; i++) {
      word = (Math.imul(1812433253, word ^ (word >>> 30)) + i) | 0
      words[i] = word
    }
    this.next = 0
    this.end = 0
  }

  /** Puts the engine where `words`, `next` and `end` say, as saved before. */
  restore(words: ArrayLike<number>, next: number, end: number): void {
    for (let i = 0; i < size; i++) this.words[i] = words[i]
    this.temper()
    this.next = next
    this.end = end
  }

  /** Makes the next 624 words. */
  refill(): void {
    const s = this.words
    const last = size - 1
    let i = 0
    for (; i < size - shift; i++) s[i] = s[i + shift] ^ twist(s[i], s[i + 1])
    for (; i < last; i++) s[i] = s[i + shift - size] ^ twist(s[i], s[i + 1])
    s[last] = s[shift - 1] ^ twist(s[last], s[0])
    this.temper()
    this.next = 0
    this.end = size
  }

  private temper(): void {
    const words = this.words
    const outputs = this.outputs
    for (let i = 0; i < size; i++) {
      let y = words[i]
      y ^= y >>> 11
      y ^= (y << 7) & 0x9d2c5680
      y ^= (y << 15) & 0xefc60000
      outputs[i] = y ^ (y >>> 18)
    }
  }

  /** The next 32 bits, 0 to 2^32 - 1. */
  random(): number {
    if (this.next === this.end) this.refill()
    return this.outputs[this.next++]
  }

  /** Two outputs as one number of 64 bits, the first on top. */
  random64(): bigint {
    const high = this.random()
    return (BigInt(high) << 32n) | BigInt(this.random())
  }

  /** A uniform float32 in [0, 1): the low 24 bits of one output. */
  uniform24(): number {
    return (this.random() & 0xffffff) * 2 ** -24
  }

  /** A uniform double in [0, 1): the low 53 bits of two outputs. */
  uniform53(): number {
    const next = this.next
    if (next + 2 <= this.end) {
      this.next = next + 2
      return ((this.outputs[next] & 0x1fffff) * 2 ** 32 + this.outputs[next + 1]) * 2 ** -53
    }
    const high = this.random() & 0x1fffff
    return (high * 2 ** 32 + this.random()) * 2 ** -53
  }
}

function twist(u: number, v: number): number {
  return (((u & 0x80000000) | (v & 0x7fffffff)) >>> 1) ^ (-(v & 1) & 0x9908b0df)
}
