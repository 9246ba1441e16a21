// Sorting numbers in linear time: elements become unsigned keys of the same order, which a radix sort moves together with
// their positions. Stable; NaN is the largest, -0 equals 0. Knows typed arrays only, no tensors.

import type { TypedArray } from '../tensor/data.ts'

/** Lines this short are sorted by insertion: cheaper than counting digits. */
const INSERTION_LIMIT = 32

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
    if (n <= INSERTION_LIMIT) return this.insertionSort()
    if (this.low !== null) {
      this.keys.set(this.low)
      this.radixSort()
      for (let i = 0; i < n; i++) this.keys[i] = this.high[this.order[i]]
    } else this.keys.set(this.high)
    this.radixSort()
    return this.order
  }

  private insertionSort(): Int32Array {
    const { n, order, high, low } = this
    for (let i = 1; i < n; i++) {
      const h = high[i]
      const l = low === null ? 0 : low[i]
      let j = i - 1
      for (; j >= 0; j--) {
        const other = order[j]
        if (high[other] < h || (high[other] === h && (low === null || low[other] <= l))) break
        order[j + 1] = other
      }
      order[j + 1] = i
    }
    return order
  }

  /** Sorts `keys` and `order` together by four digits of eight bits, least significant first. */
  private radixSort(): void {
    const { n } = this
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
      if (n === 0 || places[(keys[0] >>> shift) & 255] === n) continue
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
