// Sums of products over several dimensions seen as matrix products: which dimensions are rows, columns, depth and batch.
// So convolutions over padded images become products whose operands have tables of offsets in place of strides.

import type { Launch } from '../../kernels/kernel.ts'

/** Several dimensions counted as one, the last one fastest; for each of up to two operands their strides in bytes. */
export interface Space {
  readonly count: number
  readonly extents: readonly number[]
  readonly strides: readonly (readonly number[])[]
}

/** `c[row, column] = sum over depth of a[row, depth] b[depth, column]`, for each item of the batch. */
export interface Contraction {
  /** Byte offsets of the three matrices. */
  readonly batch: readonly { readonly a: number; readonly b: number; readonly c: number }[]
  /** Strides of a. */
  readonly rows: Space
  /** Strides of b. */
  readonly columns: Space
  /** Strides of a, and of b. */
  readonly depth: Space
  /** Bytes between rows of c; its columns are neighbours. */
  readonly rowBytes: number
}

/** More items than this are left to the generated kernel: each costs a call. */
const MOST_ITEMS = 65536

/** A launch of the contraction kernel as matrix products, or null where its result's columns are no neighbours. */
export function contraction(
  launch: Launch,
  pointers: readonly number[],
  itemsize: number,
): Contraction | null {
  const { outer, loop } = launch
  const strides = launch.operands.map((o) => o.strides.map((s) => s * itemsize))
  const dims = outer.map((_, d) => d).filter((d) => outer[d] > 1)
  if (dims.length === 0 || loop.some((n) => n === 0)) return null
  // The columns are those dimensions of one operand along which the result's elements are neighbours.
  let right = -1
  const columns: number[] = []
  for (let next = itemsize; ; ) {
    const d = dims.find(
      (d) =>
        strides[2][d] === next &&
        !columns.includes(d) &&
        (right < 0
          ? (strides[0][d] === 0) !== (strides[1][d] === 0)
          : strides[right][d] !== 0 && strides[1 - right][d] === 0),
    )
    if (d === undefined) break
    if (right < 0) right = strides[0][d] === 0 ? 1 : 0
    columns.unshift(d)
    next *= outer[d]
  }
  if (right < 0) return null
  const left = 1 - right
  const rows: number[] = []
  for (let next = -1; ; ) {
    const d = dims.findLast(
      (d) =>
        strides[left][d] !== 0 &&
        strides[right][d] === 0 &&
        !rows.includes(d) &&
        (next < 0 || strides[2][d] === next),
    )
    if (d === undefined) break
    rows.unshift(d)
    next = strides[2][d] * outer[d]
  }
  if (rows.length === 0) return null
  const rest = dims.filter((d) => !rows.includes(d) && !columns.includes(d))
  if (rest.reduce((n, d) => n * outer[d], 1) > MOST_ITEMS) return null
  let batch = [{ a: pointers[left], b: pointers[right], c: pointers[2] }]
  for (const d of rest)
    batch = batch.flatMap(({ a, b, c }) =>
      Array.from({ length: outer[d] }, (_, i) => ({
        a: a + i * strides[left][d],
        b: b + i * strides[right][d],
        c: c + i * strides[2][d],
      })),
    )
  const space = (
    which: readonly number[],
    operands: readonly number[],
    extents: readonly number[],
  ): Space => ({
    count: which.reduce((n, d) => n * extents[d], 1),
    extents: which.map((d) => extents[d]),
    strides: operands.map((o) => which.map((d) => strides[o][d + (extents === loop ? outer.length : 0)])),
  })
  return {
    batch,
    rows: space(rows, [left], outer),
    columns: space(columns, [right], outer),
    depth: space(
      loop.map((_, d) => d),
      [left, right],
      loop,
    ),
    rowBytes: strides[2][rows[rows.length - 1]],
  }
}

/** Writes an operand's byte offsets at `count` positions from `begin` on; the last one again up to a multiple of `panel`. */
export function offsetsOf(
  space: Space,
  operand: number,
  begin: number,
  count: number,
  panel: number,
  target: Int32Array,
  at: number,
): void {
  const { extents } = space
  const strides = space.strides[operand]
  for (let i = 0; i < count; i++) {
    let rest = begin + i
    let offset = 0
    for (let d = extents.length - 1; d >= 0; d--) {
      offset += (rest % extents[d]) * strides[d]
      rest = Math.floor(rest / extents[d])
    }
    target[at + i] = offset
  }
  for (let i = count; i % panel !== 0; i++) target[at + i] = target[at + count - 1]
}
