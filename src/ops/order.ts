// Sorting numbers in linear time: elements become unsigned keys of the same order, which a radix sort moves together with
// their positions. Stable; NaN is the largest, -0 equals 0. Knows typed arrays only, no tensors.

import type { TypedArray } from '../tensor/data.ts'

/** Lines this short are sorted by insertion: cheaper than counting digits. */
const INSERTION_LIMIT = 32

/** Selection looks at the upper 12 bits of a key first. */
const DIGIT_SHIFT = 20

/**
 * Finds the order of lines of `n` elements each. Keeps its memory from line to line, so that sorting many short lines
 * allocates nothing.
 */
export class LineSorter {
  private readonly elements: TypedArray
  private readonly n: number
  private readonly flip: number
  private order: Int32Array
  private otherOrder: Int32Array
  /** The upper 32 bits of each element's key, and of 64-bit elements the lower ones. */
  private readonly high: Uint32Array
  private readonly low: Uint32Array | null
  private keys: Uint32Array
  private otherKeys: Uint32Array
  private readonly digits: Int32Array = new Int32Array(1 << (32 - DIGIT_SHIFT))
  private readonly fill: (base: number, step: number) => void

  constructor(elements: TypedArray, n: number, descending: boolean) {
    this.elements = elements
    this.n = n
    // Inverted keys sort downwards and leave equal elements in their order.
    this.flip = descending ? -1 : 0
    this.order = new Int32Array(n)
    this.otherOrder = new Int32Array(n)
    this.high = new Uint32Array(n)
    this.low = elements.BYTES_PER_ELEMENT === 8 ? new Uint32Array(n) : null
    this.keys = new Uint32Array(n)
    this.otherKeys = new Uint32Array(n)
    this.fill = this.filler()
  }

  /**
   * The positions 0 ... n-1 in sorted order, of the line that starts at `base` with `step` between neighbours. Valid until
   * the next call.
   */
  sort(base: number, step: number): Int32Array {
    const { n } = this
    this.fill(base, step)
    for (let i = 0; i < n; i++) this.order[i] = i
    this.sortPositions(n)
    return this.order
  }

  /** The first `k` positions of the sorted order. Sorts no more elements than it must. */
  first(base: number, step: number, k: number): Int32Array {
    if (k > this.n / 4 || this.n <= INSERTION_LIMIT) return this.sort(base, step)
    this.fill(base, step)
    this.countDigits()
    let bin = 0
    for (let seen = this.digits[0]; seen < k; seen += this.digits[bin]) bin++
    this.sortPositions(this.collect(0, bin))
    return this.order
  }

  /** The position of the element that has place `rank` in the sorted order. */
  at(base: number, step: number, rank: number): number {
    if (this.n <= INSERTION_LIMIT) return this.sort(base, step)[rank]
    this.fill(base, step)
    this.countDigits()
    let bin = 0
    let before = 0
    for (; before + this.digits[bin] <= rank; bin++) before += this.digits[bin]
    this.sortPositions(this.collect(bin, bin))
    return this.order[rank - before]
  }

  private countDigits(): void {
    const { high, digits } = this
    digits.fill(0)
    for (let i = 0; i < high.length; i++) digits[high[i] >>> DIGIT_SHIFT]++
  }

  /** Puts the positions of keys whose first digit lies in a range into `order` and returns how many there are. */
  private collect(from: number, to: number): number {
    const { high, order } = this
    let count = 0
    for (let i = 0; i < high.length; i++) {
      const digit = high[i] >>> DIGIT_SHIFT
      if (digit >= from && digit <= to) order[count++] = i
    }
    return count
  }

  /** Sorts the first `count` positions in `order` by their keys. */
  private sortPositions(count: number): void {
    if (count <= INSERTION_LIMIT) {
      this.insertionSort(count)
      return
    }
    const { low, high } = this
    if (low !== null) {
      for (let i = 0; i < count; i++) this.keys[i] = low[this.order[i]]
      this.radixSort(count)
    }
    for (let i = 0; i < count; i++) this.keys[i] = high[this.order[i]]
    this.radixSort(count)
  }

  private insertionSort(count: number): void {
    const { order, high, low } = this
    for (let i = 1; i < count; i++) {
      const position = order[i]
      const h = high[position]
      const l = low === null ? 0 : low[position]
      let j = i - 1
      for (; j >= 0; j--) {
        const other = order[j]
        if (high[other] < h || (high[other] === h && (low === null || low[other] <= l))) break
        order[j + 1] = other
      }
      order[j + 1] = position
    }
  }

  /** Sorts the first `n` of `keys` and `order` together by four digits of eight bits, least significant first. */
  private radixSort(n: number): void {
    const counts = new Int32Array(1024)
    for (let i = 0; i < n; i++) {
      const key = this.keys[i]
      counts[key & 255]++
      counts[256 + ((key >>> 8) & 255)]++
      counts[512 + ((key >>> 16) & 255)]++
      counts[768 + (key >>> 24)]++
    }
    for (let digit = 0; digit < 4; digit++) {
      const { keys, order, otherKeys, otherOrder } = this
      const shift = digit * 8
      const places = counts.subarray(digit * 256, digit * 256 + 256)
      // All elements share this digit: nothing moves.
      if (places[(keys[0] >>> shift) & 255] === n) continue
      let place = 0
      for (let d = 0; d < 256; d++) {
        const count = places[d]
        places[d] = place
        place += count
      }
      for (let i = 0; i < n; i++) {
        const key = keys[i]
        const to = places[(key >>> shift) & 255]++
        otherKeys[to] = key
        otherOrder[to] = order[i]
      }
      this.keys = otherKeys
      this.otherKeys = keys
      this.order = otherOrder
      this.otherOrder = order
    }
  }

  /** What computes the keys of a line, by the type of the elements. */
  private filler(): (base: number, step: number) => void {
    const { elements, n, high, low, flip } = this
    const { buffer, byteOffset, length } = elements
    if (elements instanceof Float32Array) {
      const bits = new Uint32Array(buffer, byteOffset, length)
      return (base, step) => {
        for (let i = 0, p = base; i < n; i++, p += step) high[i] = floatKey(bits[p]) ^ flip
      }
    }
    if (elements instanceof Float64Array) {
      const words = new Uint32Array(buffer, byteOffset, length * 2)
      return (base, step) => {
        for (let i = 0, p = base; i < n; i++, p += step) {
          let l = words[2 * p]
          let h = words[2 * p + 1]
          if (Number.isNaN(elements[p])) h = l = 0xffffffff
          else if (elements[p] === 0) {
            h = 0x80000000
            l = 0
          } else if (h >>> 31) {
            h = ~h
            l = ~l
          } else h |= 0x80000000
          high[i] = h ^ flip
          low![i] = l ^ flip
        }
      }
    }
    if (elements instanceof BigInt64Array) {
      const words = new Uint32Array(buffer, byteOffset, length * 2)
      return (base, step) => {
        for (let i = 0, p = base; i < n; i++, p += step) {
          high[i] = words[2 * p + 1] ^ 0x80000000 ^ flip
          low![i] = words[2 * p] ^ flip
        }
      }
    }
    return (base, step) => {
      for (let i = 0, p = base; i < n; i++, p += step) high[i] = elements[p] ^ 0x80000000 ^ flip
    }
  }
}

/** The order of float32 values as the order of unsigned numbers, given their bits. */
function floatKey(bits: number): number {
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return 0xffffffff
  if (magnitude === 0) return 0x80000000
  return bits >>> 31 ? ~bits : bits | 0x80000000
}

/** How many elements of a line are NaN. */
export function countNaN(elements: TypedArray, n: number, base: number, step: number): number {
  if (!(elements instanceof Float32Array || elements instanceof Float64Array)) return 0
  let count = 0
  for (let i = 0, p = base; i < n; i++, p += step) if (Number.isNaN(elements[p])) count++
  return count
}
