// The float32 matrix product in WebAssembly: packed panels and a 4 x 8 register tile, after K. Goto and R. van de Geijn,
// "Anatomy of High-Performance Matrix Multiplication" (2008). A faster form of the kernel called `matmul`.

import { float32 } from '../../core/dtype.ts'
import type { Kernel, Launch } from '../../kernels/kernel.ts'
import type { Arena } from './arena.ts'
import { encodeModule, FunctionBuilder } from './assembler.ts'
import { addTo, loop } from './code.ts'
import { type Contraction, contraction, offsetsOf } from './contraction.ts'
import { registerTuned } from './tuned.ts'

/**
 * Rows and columns of the register tile, which 8 of the 16 vector registers hold. With 12 of them, V8 moves some to memory and back
 * in each step: the product then takes half as long again. So it does where several steps are written out.
 */
const ROWS = 4
const COLUMNS = 8
/** Sizes of the blocks that stay in the caches, in elements: depth, rows, columns. */
const DEPTH = 256
const BLOCK_ROWS = 96
const BLOCK_COLUMNS = 512
/** Products of fewer multiplications, or with so few rows or columns, are not worth packing. */
const LEAST_WORK = 16384
const LEAST_SIDE = 4

type Pack = (
  source: number,
  target: number,
  count: number,
  depth: number,
  stride: number,
  depthStride: number,
) => void
type Multiply = (
  a: number,
  b: number,
  c: number,
  rows: number,
  columns: number,
  depth: number,
  rowBytes: number,
  accumulate: number,
  scratch: number,
) => void

interface Functions {
  readonly packRows: Pack
  readonly packColumns: Pack
  readonly packRowTable: Pack
  readonly packColumnTable: Pack
  readonly multiply: Multiply
}

/** Copies `count` lines of `depth` elements into panels of `width` lines, the lines of a panel side by side, zero-padded. */
function packFunction(width: number): FunctionBuilder {
  const fn = new FunctionBuilder(['i32', 'i32', 'i32', 'i32', 'i32', 'i32'])
  const [source, target, count, depth, stride, depthStride] = [0, 1, 2, 3, 4, 5]
  const [panel, k, lane, at, from] = [0, 0, 0, 0, 0].map(() => fn.local('i32'))
  loop(
    fn,
    panel,
    () => fn.get(count),
    width,
    () => {
      fn.get(source)
      fn.get(panel)
      fn.get(stride)
      fn.op('i32.mul')
      fn.op('i32.add')
      fn.set(from)
      const lanes = (load: () => void) =>
        loop(
          fn,
          k,
          () => fn.get(depth),
          1,
          () => {
            load()
            addTo(fn, target, () => fn.i32(4 * width))
            addTo(fn, from, () => fn.get(depthStride))
          },
        )
      // Whole panels of neighbouring elements move as vectors, other whole ones without a test for the edge.
      fn.get(panel)
      fn.i32(width)
      fn.op('i32.add')
      fn.get(count)
      fn.op('i32.le_s')
      fn.if(
        () => {
          fn.get(stride)
          fn.i32(4)
          fn.op('i32.eq')
          fn.if(
            () =>
              lanes(() => {
                for (let i = 0; i + 4 <= width; i += 4) {
                  fn.get(target)
                  fn.get(from)
                  fn.memory('v128.load', 4 * i)
                  fn.memory('v128.store', 4 * i)
                }
                for (let i = width - (width % 4); i < width; i++) {
                  fn.get(target)
                  fn.get(from)
                  fn.memory('i32.load', 4 * i)
                  fn.memory('i32.store', 4 * i)
                }
              }),
            () =>
              lanes(() => {
                fn.get(from)
                fn.set(at)
                for (let i = 0; i < width; i++) {
                  fn.get(target)
                  fn.get(at)
                  fn.memory('i32.load')
                  fn.memory('i32.store', 4 * i)
                  if (i < width - 1) addTo(fn, at, () => fn.get(stride))
                }
              }),
          )
        },
        () =>
          lanes(() => {
            fn.get(from)
            fn.set(at)
            loop(
              fn,
              lane,
              () => fn.i32(width),
              1,
              () => {
                fn.get(target)
                fn.get(lane)
                fn.i32(2)
                fn.op('i32.shl')
                fn.op('i32.add')
                // Past the edge any readable address will do: the value is replaced by 0.
                fn.get(at)
                fn.get(source)
                fn.get(panel)
                fn.get(lane)
                fn.op('i32.add')
                fn.get(count)
                fn.op('i32.lt_s')
                fn.select()
                fn.memory('i32.load')
                fn.i32(0)
                fn.get(panel)
                fn.get(lane)
                fn.op('i32.add')
                fn.get(count)
                fn.op('i32.lt_s')
                fn.select()
                fn.memory('i32.store')
                addTo(fn, at, () => fn.get(stride))
              },
            )
          }),
      )
    },
  )
  return fn
}

/** Packs lines that start at offsets in a table, one for each line up to a whole panel; depths have a table, too. */
function packTableFunction(width: number): FunctionBuilder {
  const fn = new FunctionBuilder(['i32', 'i32', 'i32', 'i32', 'i32', 'i32'])
  const [source, target, count, depth, lines, depths] = [0, 1, 2, 3, 4, 5]
  const [panel, k, line, from] = [0, 0, 0, 0].map(() => fn.local('i32'))
  loop(
    fn,
    panel,
    () => fn.get(count),
    width,
    () => {
      fn.get(lines)
      fn.get(panel)
      fn.i32(2)
      fn.op('i32.shl')
      fn.op('i32.add')
      fn.set(line)
      loop(
        fn,
        k,
        () => fn.get(depth),
        1,
        () => {
          fn.get(source)
          fn.get(depths)
          fn.get(k)
          fn.i32(2)
          fn.op('i32.shl')
          fn.op('i32.add')
          fn.memory('i32.load')
          fn.op('i32.add')
          fn.set(from)
          for (let i = 0; i < width; i++) {
            fn.get(target)
            fn.get(from)
            fn.get(line)
            fn.memory('i32.load', 4 * i)
            fn.op('i32.add')
            fn.memory('i32.load')
            fn.memory('i32.store', 4 * i)
          }
          addTo(fn, target, () => fn.i32(4 * width))
        },
      )
    },
  )
  return fn
}

/** Multiplies packed blocks: c (+)= a b, tile by tile. Tiles over the edge are computed aside and copied. */
function multiplyFunction(): FunctionBuilder {
  const fn = new FunctionBuilder(['i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32', 'i32'])
  const [a, b, c, rows, columns, depth, rowBytes, accumulate, scratch] = [0, 1, 2, 3, 4, 5, 6, 7, 8]
  const [i, j, k, pa, pb, tile, target, step, full, x, y] = Array.from({ length: 11 }, () => fn.local('i32'))
  const sums = Array.from({ length: ROWS * 2 }, () => fn.local('v128'))
  const [b0, b1, splat] = [0, 0, 0].map(() => fn.local('v128'))

  const forEachRow = (body: (row: number) => void) => {
    fn.get(target)
    fn.set(x)
    for (let row = 0; row < ROWS; row++) {
      body(row)
      if (row < ROWS - 1) addTo(fn, x, () => fn.get(step))
    }
  }
  // Copies the part of a tile that lies inside the matrix, one way or the other.
  const copyEdge = (intoScratch: boolean) =>
    loop(
      fn,
      x,
      () => fn.i32(ROWS),
      1,
      () => {
        fn.get(i)
        fn.get(x)
        fn.op('i32.add')
        fn.get(rows)
        fn.op('i32.lt_s')
        fn.if(() =>
          loop(
            fn,
            y,
            () => fn.i32(COLUMNS),
            1,
            () => {
              fn.get(j)
              fn.get(y)
              fn.op('i32.add')
              fn.get(columns)
              fn.op('i32.lt_s')
              fn.if(() => {
                const inScratch = () => {
                  fn.get(scratch)
                  fn.get(x)
                  fn.i32(COLUMNS)
                  fn.op('i32.mul')
                  fn.get(y)
                  fn.op('i32.add')
                  fn.i32(2)
                  fn.op('i32.shl')
                  fn.op('i32.add')
                }
                const inMatrix = () => {
                  fn.get(tile)
                  fn.get(x)
                  fn.get(rowBytes)
                  fn.op('i32.mul')
                  fn.op('i32.add')
                  fn.get(y)
                  fn.i32(2)
                  fn.op('i32.shl')
                  fn.op('i32.add')
                }
                if (intoScratch) inScratch()
                else inMatrix()
                if (intoScratch) inMatrix()
                else inScratch()
                fn.memory('f32.load')
                fn.memory('f32.store')
              })
            },
          ),
        )
      },
    )

  loop(
    fn,
    j,
    () => fn.get(columns),
    COLUMNS,
    () =>
      loop(
        fn,
        i,
        () => fn.get(rows),
        ROWS,
        () => {
          const panel = (base: number, index: number, into: number) => {
            fn.get(base)
            fn.get(index)
            fn.get(depth)
            fn.op('i32.mul')
            fn.i32(2)
            fn.op('i32.shl')
            fn.op('i32.add')
            fn.set(into)
          }
          panel(a, i, pa)
          panel(b, j, pb)
          fn.get(c)
          fn.get(i)
          fn.get(rowBytes)
          fn.op('i32.mul')
          fn.op('i32.add')
          fn.get(j)
          fn.i32(2)
          fn.op('i32.shl')
          fn.op('i32.add')
          fn.set(tile)
          fn.get(i)
          fn.i32(ROWS)
          fn.op('i32.add')
          fn.get(rows)
          fn.op('i32.le_s')
          fn.get(j)
          fn.i32(COLUMNS)
          fn.op('i32.add')
          fn.get(columns)
          fn.op('i32.le_s')
          fn.op('i32.and')
          fn.tee(full)
          fn.if(
            () => {
              fn.get(tile)
              fn.set(target)
              fn.get(rowBytes)
              fn.set(step)
            },
            () => {
              fn.get(scratch)
              fn.set(target)
              fn.i32(4 * COLUMNS)
              fn.set(step)
              fn.get(accumulate)
              fn.if(() => copyEdge(true))
            },
          )
          fn.get(accumulate)
          fn.if(
            () =>
              forEachRow((row) => {
                for (const half of [0, 1]) {
                  fn.get(x)
                  fn.memory('v128.load', 16 * half)
                  fn.set(sums[2 * row + half])
                }
              }),
            () => {
              for (const sum of sums) {
                fn.i32(0)
                fn.op('i32x4.splat')
                fn.set(sum)
              }
            },
          )
          loop(
            fn,
            k,
            () => fn.get(depth),
            1,
            () => {
              for (const [half, local] of [b0, b1].entries()) {
                fn.get(pb)
                fn.memory('v128.load', 16 * half)
                fn.set(local)
              }
              for (let row = 0; row < ROWS; row++) {
                fn.get(pa)
                fn.memory('v128.load32_splat', 4 * row)
                fn.set(splat)
                for (const [half, local] of [b0, b1].entries()) {
                  fn.get(sums[2 * row + half])
                  fn.get(splat)
                  fn.get(local)
                  fn.op('f32x4.mul')
                  fn.op('f32x4.add')
                  fn.set(sums[2 * row + half])
                }
              }
              addTo(fn, pa, () => fn.i32(4 * ROWS))
              addTo(fn, pb, () => fn.i32(4 * COLUMNS))
            },
          )
          forEachRow((row) => {
            for (const half of [0, 1]) {
              fn.get(x)
              fn.get(sums[2 * row + half])
              fn.memory('v128.store', 16 * half)
            }
          })
          fn.get(full)
          fn.op('i32.eqz')
          fn.if(() => copyEdge(false))
        },
      ),
  )
  return fn
}

const compiled = new WeakMap<Arena, Functions>()

function functionsFor(arena: Arena): Functions {
  let functions = compiled.get(arena)
  if (functions === undefined) {
    const bytes = encodeModule(
      [],
      [
        { name: 'packRows', body: packFunction(ROWS) },
        { name: 'packColumns', body: packFunction(COLUMNS) },
        { name: 'packRowTable', body: packTableFunction(ROWS) },
        { name: 'packColumnTable', body: packTableFunction(COLUMNS) },
        { name: 'multiply', body: multiplyFunction() },
      ],
      arena,
    )
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      env: { memory: arena.memory },
    })
    functions = instance.exports as unknown as Functions
    compiled.set(arena, functions)
  }
  return functions
}

interface Matrix {
  readonly pointer: number
  /** Bytes between rows, and between columns. */
  readonly rowStride: number
  readonly columnStride: number
}

/** c = a b for matrices of n x depth and depth x m; c's columns are neighbours. */
function multiply(arena: Arena, a: Matrix, b: Matrix, c: Matrix, n: number, depth: number, m: number): void {
  const run = functionsFor(arena)
  const align = (x: number, to: number) => Math.ceil(x / to) * to
  const deepest = Math.min(depth, DEPTH)
  const rowBytes = 4 * deepest * align(Math.min(n, BLOCK_ROWS), ROWS)
  const columnBytes = 4 * deepest * align(Math.min(m, BLOCK_COLUMNS), COLUMNS)
  const buffer = arena.allocate(rowBytes + columnBytes + 4 * ROWS * COLUMNS + 16)
  const packedA = arena.locate(buffer)
  const packedB = packedA + rowBytes
  const scratch = packedB + columnBytes
  for (let j = 0; j < m; j += BLOCK_COLUMNS) {
    const columns = Math.min(BLOCK_COLUMNS, m - j)
    for (let k = 0; k < depth; k += DEPTH) {
      const d = Math.min(DEPTH, depth - k)
      const bAt = b.pointer + k * b.rowStride + j * b.columnStride
      run.packColumns(bAt, packedB, columns, d, b.columnStride, b.rowStride)
      for (let i = 0; i < n; i += BLOCK_ROWS) {
        const rows = Math.min(BLOCK_ROWS, n - i)
        run.packRows(
          a.pointer + i * a.rowStride + k * a.columnStride,
          packedA,
          rows,
          d,
          a.rowStride,
          a.columnStride,
        )
        run.multiply(
          packedA,
          packedB,
          c.pointer + i * c.rowStride + 4 * j,
          rows,
          columns,
          d,
          c.rowStride,
          k > 0 ? 1 : 0,
          scratch,
        )
      }
    }
  }
  arena.free(buffer)
}

registerTuned('matmul', (arena, kernel: Kernel, launch: Launch, pointers) => {
  if (kernel.operands[0].dtype !== float32 || launch.outer.length !== 3 || launch.loop.length !== 1)
    return false
  const [batch, n, m] = launch.outer
  const depth = launch.loop[0]
  if (n < LEAST_SIDE || m < LEAST_SIDE || n * m * depth < LEAST_WORK) return false
  const [a, b, c] = launch.operands.map((o) => o.strides.map((s) => s * 4))
  if (c[2] !== 4) return false
  for (let i = 0; i < batch; i++)
    multiply(
      arena,
      { pointer: pointers[0] + i * a[0], rowStride: a[1], columnStride: a[3] },
      { pointer: pointers[1] + i * b[0], rowStride: b[3], columnStride: b[2] },
      { pointer: pointers[2] + i * c[0], rowStride: c[1], columnStride: c[2] },
      n,
      depth,
      m,
    )
  return true
})

/** A contraction's products, one after the other, operands packed through tables of their offsets. */
function contract(arena: Arena, p: Contraction): void {
  const run = functionsFor(arena)
  const align = (x: number, to: number) => Math.ceil(x / to) * to
  const [n, m, depth] = [p.rows.count, p.columns.count, p.depth.count]
  const deepest = Math.min(depth, DEPTH)
  const height = align(Math.min(n, BLOCK_ROWS), ROWS)
  const width = align(Math.min(m, BLOCK_COLUMNS), COLUMNS)
  const buffer = arena.allocate(4 * (deepest * (height + width + 2) + height + width + ROWS * COLUMNS) + 64)
  const packedA = arena.locate(buffer)
  const packedB = packedA + 4 * deepest * height
  const scratch = packedB + 4 * deepest * width
  const rowTable = scratch + 4 * ROWS * COLUMNS
  const columnTable = rowTable + 4 * height
  const depthTableA = columnTable + 4 * width
  const depthTableB = depthTableA + 4 * deepest
  const { i32 } = arena.heap
  for (let j = 0; j < m; j += BLOCK_COLUMNS) {
    const columns = Math.min(BLOCK_COLUMNS, m - j)
    offsetsOf(p.columns, 0, j, columns, COLUMNS, i32, columnTable >> 2)
    for (let k = 0; k < depth; k += DEPTH) {
      const d = Math.min(DEPTH, depth - k)
      offsetsOf(p.depth, 0, k, d, 1, i32, depthTableA >> 2)
      offsetsOf(p.depth, 1, k, d, 1, i32, depthTableB >> 2)
      for (let item = 0; item < p.batch.length; item++) {
        const { a, b, c } = p.batch[item]
        run.packColumnTable(b, packedB, columns, d, columnTable, depthTableB)
        for (let i = 0; i < n; i += BLOCK_ROWS) {
          const rows = Math.min(BLOCK_ROWS, n - i)
          offsetsOf(p.rows, 0, i, rows, ROWS, i32, rowTable >> 2)
          run.packRowTable(a, packedA, rows, d, rowTable, depthTableA)
          const target = c + i * p.rowBytes + 4 * j
          run.multiply(packedA, packedB, target, rows, columns, d, p.rowBytes, k > 0 ? 1 : 0, scratch)
        }
      }
    }
  }
  arena.free(buffer)
}

registerTuned('matmul', (arena, kernel: Kernel, launch: Launch, pointers) => {
  if (kernel.operands[0].dtype !== float32 || launch.loop.length < 2) return false
  const p = contraction(launch, pointers, 4)
  if (p === null || p.rows.count < LEAST_SIDE || p.columns.count < LEAST_SIDE) return false
  if (p.depth.count < LEAST_SIDE || p.rows.count * p.columns.count * p.depth.count < LEAST_WORK) return false
  contract(arena, p)
  return true
})
