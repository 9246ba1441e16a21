// Sorting lines of numbers in linear time, in the arena: which digits are looked at, and in which order. The loops
// themselves are sort-code.ts's.

import type { SortRequest } from '../backend.ts'
import type { Arena } from './arena.ts'
import { type SortFunctions, sortFunctions } from './sort-code.ts'

/** Lines this short are sorted by insertion: cheaper than counting digits. */
const INSERTION_LIMIT = 32
/** Bits of a digit: counts of the larger fill half of the first-level cache, which only long lines pay back. */
const LONG_DIGIT = 11
const SHORT_DIGIT = 8
const LONG = 8192

/** Sorts one line after the other in the same memory. */
class LineSorter {
  private readonly functions: SortFunctions
  /** Where the line's span lies (see `SortFunctions.keys`), the counts of digits, the pairs and room to move them to. */
  private readonly span: number
  private readonly counts: number
  private pairs: number
  private other: number
  /** The bits of a digit. */
  private readonly digit: number
  /** The largest difference of keys: its lower and upper 32 bits. */
  private low = 0
  private high = 0

  constructor(
    private readonly arena: Arena,
    private readonly request: SortRequest,
    memory: number,
  ) {
    this.functions = sortFunctions(arena, request.dtype)
    this.digit = request.n >= LONG ? LONG_DIGIT : SHORT_DIGIT
    this.span = memory
    this.counts = memory + 32
    this.pairs = this.counts + 4 * 2 ** LONG_DIGIT
    this.other = this.pairs + 8 * request.n
  }

  /** How much memory sorting needs: of 64-bit elements the keys are kept, others fit into the pairs. */
  static bytes({ n, dtype }: SortRequest): number {
    return 32 + 4 * 2 ** LONG_DIGIT + (dtype.itemsize === 8 ? 24 : 16) * n
  }

  /** Sorts the line at `source` and returns where the pairs of the places asked for lie. */
  sort(source: number): number {
    const { functions, span } = this
    const { n, step, dtype, descending, count, from } = this.request
    const keys = dtype.itemsize === 8 ? this.counts + 4 * 2 ** LONG_DIGIT + 16 * n : this.pairs
    functions.keys(source, step * dtype.itemsize, n, descending ? -1 : 0, keys, span)
    const { i32 } = this.arena.heap
    this.low = i32[span >> 2] >>> 0
    this.high = i32[(span >> 2) + 1] >>> 0
    const first = from(i32[(span >> 2) + 4])
    // Where keys differ in their upper halves, these come first, and mostly suffice to narrow the choice down.
    functions.pack(keys, this.pairs, n, span, this.high === 0 ? 0 : 32)
    const { kept, before } =
      count <= n / 4 && n > INSERTION_LIMIT ? this.narrow(first, first + count) : { kept: n, before: 0 }
    if (kept <= INSERTION_LIMIT && this.high === 0) functions.insert(this.pairs, kept)
    else if (kept <= INSERTION_LIMIT) functions.insertByKey(keys, this.pairs, kept)
    else {
      if (this.high !== 0) {
        functions.repack(keys, this.pairs, kept, span, 0)
        this.radix(kept, 0xffffffff)
        functions.repack(keys, this.pairs, kept, span, 32)
      }
      this.radix(kept, this.high === 0 ? this.low : this.high)
    }
    return this.pairs + 8 * (first - before)
  }

  /** Keeps the pairs whose first digit can have one of the places; tells how many, and how many come before them. */
  private narrow(from: number, to: number): { kept: number; before: number } {
    const { functions, counts } = this
    const { n } = this.request
    const bits = bitsOf(this.high === 0 ? this.low : this.high)
    const width = Math.min(bits, this.digit)
    const shift = bits - width
    functions.count(this.pairs, counts, n, shift, width)
    const { i32 } = this.arena.heap
    let at = counts >> 2
    let before = 0
    for (; before + i32[at] <= from && before + i32[at] < n; at++) before += i32[at]
    const first = at - (counts >> 2)
    for (let seen = before + i32[at]; seen < to; seen += i32[at]) at++
    const kept = functions.select(this.pairs, this.other, n, shift, first, at - (counts >> 2))
    this.swap()
    return { kept, before }
  }

  /** Sorts the first `n` pairs by the digits that the upper half of a pair can have, least significant first. */
  private radix(n: number, largest: number): void {
    const { functions, counts } = this
    const bits = bitsOf(largest)
    const passes = Math.ceil(bits / this.digit)
    const width = Math.ceil(bits / passes)
    for (let pass = 0; pass < passes; pass++) {
      functions.count(this.pairs, counts, n, pass * width, width)
      functions.scatter(this.pairs, this.other, counts, n, pass * width, width)
      this.swap()
    }
  }

  private swap(): void {
    const { pairs } = this
    this.pairs = this.other
    this.other = pairs
  }
}

const bitsOf = (largest: number): number => 32 - Math.clz32(largest)

/** Carries out a request whose operands lie at these addresses. */
export function sortLines(
  arena: Arena,
  request: SortRequest,
  source: number,
  values: number,
  positions: number,
): void {
  const { dtype, outer, n, step, count } = request
  const memory = arena.allocate(LineSorter.bytes(request))
  try {
    const sorter = new LineSorter(arena, request, arena.locate(memory))
    const { write } = sortFunctions(arena, dtype)
    const { itemsize } = dtype
    const positionSize = request.narrow ? 4 : 8
    for (let o = 0; o < outer; o++)
      for (let i = 0; i < step; i++) {
        const line = source + (o * n * step + i) * itemsize
        const pairs = sorter.sort(line)
        const to = o * count * step + i
        write(
          pairs,
          count,
          line,
          step * itemsize,
          values === 0 ? 0 : values + to * itemsize,
          step * itemsize,
          positions + to * positionSize,
          step * positionSize,
          request.narrow ? 0 : 1,
        )
      }
  } finally {
    arena.free(memory)
  }
}
