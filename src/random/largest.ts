// Which elements are the k largest, in the order in which PyTorch's topk lists equal ones: that of the C++ library's
// introselect and introsort (Musser, 1997), whose steps are followed here on an array of indices.

/**
 * The indices of the `k` largest of `count` values from `start` on, largest first, NaN before all numbers. Equal
 * values come as from `torch.topk` on the CPU.
 * @returns indices relative to `start`.
 */
export function largestIndices(
  values: ArrayLike<number>,
  start: number,
  count: number,
  k: number,
): Uint32Array {
  const order = new Uint32Array(count)
  for (let i = 0; i < count; i++) order[i] = i
  const sorter = new Sorter(values, start, order)
  if (k * 64 <= count) sorter.partialSort(0, k, count)
  else {
    sorter.select(0, k - 1, count)
    sorter.sort(0, k - 1)
  }
  return order.subarray(0, k)
}

/** Ranges up to this length are left to insertion sort. */
const insertionLength = 16

class Sorter {
  constructor(
    readonly values: ArrayLike<number>,
    readonly start: number,
    readonly order: Uint32Array,
  ) {}

  /** Whether index `a` comes before index `b`. */
  private before(a: number, b: number): boolean {
    const x = this.values[this.start + a]
    const y = this.values[this.start + b]
    return x > y || (Number.isNaN(x) && !Number.isNaN(y))
  }

  private swap(i: number, j: number): void {
    const { order } = this
    const moved = order[i]
    order[i] = order[j]
    order[j] = moved
  }

  /** Puts the element that belongs there at `nth`, and before it those that come before it. */
  select(first: number, nth: number, last: number): void {
    let depth = 2 * log2(last - first)
    while (last - first > 3) {
      if (depth-- === 0) {
        this.heapSelect(first, nth + 1, last)
        this.swap(first, nth)
        return
      }
      const cut = this.partition(first, last)
      if (cut <= nth) first = cut
      else last = cut
    }
    this.insertionSort(first, last)
  }

  sort(first: number, last: number): void {
    if (first === last) return
    this.introsort(first, last, 2 * log2(last - first))
    const sorted = Math.min(last, first + insertionLength)
    this.insertionSort(first, sorted)
    for (let i = sorted; i < last; i++) this.insert(i)
  }

  private introsort(first: number, last: number, depth: number): void {
    while (last - first > insertionLength) {
      if (depth-- === 0) {
        this.partialSort(first, last, last)
        return
      }
      const cut = this.partition(first, last)
      this.introsort(cut, last, depth)
      last = cut
    }
  }

  /** Hoare's partition around the median of three, which waits at `first`. */
  private partition(first: number, last: number): number {
    const { order } = this
    this.medianToFirst(first, first + 1, first + ((last - first) >> 1), last - 1)
    const pivot = order[first]
    let left = first + 1
    let right = last
    for (;;) {
      while (this.before(order[left], pivot)) left++
      right--
      while (this.before(pivot, order[right])) right--
      if (left >= right) return left
      this.swap(left, right)
      left++
    }
  }

  private medianToFirst(first: number, a: number, b: number, c: number): void {
    const { order } = this
    const ab = this.before(order[a], order[b])
    const bc = this.before(order[b], order[c])
    const ac = this.before(order[a], order[c])
    const median = ab ? (bc ? b : ac ? c : a) : ac ? a : bc ? c : b
    this.swap(first, median)
  }

  private insertionSort(first: number, last: number): void {
    const { order } = this
    for (let i = first + 1; i < last; i++) {
      const moved = order[i]
      if (this.before(moved, order[first])) {
        order.copyWithin(first + 1, first, i)
        order[first] = moved
      } else this.insert(i)
    }
  }

  /** Moves the element at `at` down to its place; something before it must not come after it. */
  private insert(at: number): void {
    const { order } = this
    const moved = order[at]
    while (this.before(moved, order[at - 1])) {
      order[at] = order[at - 1]
      at--
    }
    order[at] = moved
  }

  /** Sorts the elements that belong before `middle`. */
  partialSort(first: number, middle: number, last: number): void {
    this.heapSelect(first, middle, last)
    for (let end = middle - 1; end > first; end--) this.popHeap(first, end, end)
  }

  private heapSelect(first: number, middle: number, last: number): void {
    const { order } = this
    const length = middle - first
    for (let parent = (length - 2) >> 1; parent >= 0; parent--)
      this.siftDown(first, parent, length, order[first + parent])
    for (let i = middle; i < last; i++)
      if (this.before(order[i], order[first])) this.popHeap(first, middle, i)
  }

  /** Moves the top of the heap to `to`, and what was there into the heap. */
  private popHeap(first: number, last: number, to: number): void {
    const { order } = this
    const moved = order[to]
    order[to] = order[first]
    this.siftDown(first, 0, last - first, moved)
  }

  /** Lets the hole sink to a leaf, and `value` rise from there. */
  private siftDown(first: number, hole: number, length: number, value: number): void {
    const { order } = this
    const top = hole
    let child = hole
    while (child < (length - 1) >> 1) {
      child = 2 * (child + 1)
      if (this.before(order[first + child], order[first + child - 1])) child--
      order[first + hole] = order[first + child]
      hole = child
    }
    if (length % 2 === 0 && child === (length - 2) >> 1) {
      child = 2 * child + 1
      order[first + hole] = order[first + child]
      hole = child
    }
    while (hole > top) {
      const parent = (hole - 1) >> 1
      if (!this.before(order[first + parent], value)) break
      order[first + hole] = order[first + parent]
      hole = parent
    }
    order[first + hole] = value
  }
}

/** The floor of the binary logarithm. */
function log2(n: number): number {
  return 31 - Math.clz32(n)
}
