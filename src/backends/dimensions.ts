// The dimensions of a launch: fewer of them, and in a better order. Works on strides in any unit; knows no device.

/**
 * Merges neighbouring dimensions that every operand walks as one and drops those of one element, in place; leaves at
 * least one dimension.
 * @param extents the dimensions' lengths
 * @param strides for each operand a stride for every dimension
 */
export function collapse(extents: number[], strides: number[][]): void {
  let kept = 0
  for (let d = 0; d < extents.length; d++) {
    if (extents[d] === 1) continue
    if (kept > 0) {
      const previous = kept - 1
      if (strides.every((s) => s[previous] === s[d] * extents[d])) {
        extents[previous] *= extents[d]
        for (const s of strides) s[previous] = s[d]
        continue
      }
    }
    extents[kept] = extents[d]
    for (const s of strides) s[kept] = s[d]
    kept++
  }
  extents.length = kept
  for (const s of strides) s.length = kept
  if (kept === 0) {
    extents.push(1)
    for (const s of strides) s.push(0)
  }
}

/** Sorts dimensions, in place, so that the smallest stride of the operand `reference` is innermost. */
export function sortByStride(extents: number[], strides: number[][], reference: number): void {
  const order = extents.map((_, d) => d)
  const key = strides[reference]
  for (let i = 1; i < order.length; i++)
    for (let j = i; j > 0; j--) {
      const [a, b] = [order[j - 1], order[j]]
      if (key[a] === 0 || key[b] === 0 || Math.abs(key[a]) >= Math.abs(key[b])) break
      order[j - 1] = b
      order[j] = a
    }
  const copyExtents = [...extents]
  const copyStrides = strides.map((s) => [...s])
  order.forEach((from, to) => {
    extents[to] = copyExtents[from]
    for (let o = 0; o < strides.length; o++) strides[o][to] = copyStrides[o][from]
  })
}
