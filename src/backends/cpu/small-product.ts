// float32 matrix products too small or too narrow for the packed kernel of gemm.ts: four rows at a time where the right
// matrix's rows can be read in lanes, dot products where both matrices lie along the depth. With or without an addend.

import { float32 } from '../../core/dtype.ts'
import type { Kernel, Launch } from '../../kernels/kernel.ts'
import type { Arena } from './arena.ts'
import { encodeModule, FunctionBuilder } from './assembler.ts'
import { addLocal, copyLocal, increase, setTo, steps } from './code.ts'
import { registerTuned } from './tuned.ts'

/** Products of more multiplications, with at least so many rows and columns, are gemm.ts's. */
const MOST_WORK = 16384
const NARROW = 4
/** The depth from which dot products in lanes are worth their ends. */
const LEAST_DEPTH = 16
/** The most that is copied to have the right matrix's rows in lanes. */
const MOST_COPIED = 8192

interface Functions {
  /** c = a b + addend: b's and c's columns are neighbours, strides are in bytes; addend 0 for none. */
  rows(
    a: number,
    b: number,
    c: number,
    n: number,
    m: number,
    depth: number,
    aRow: number,
    aColumn: number,
    bRow: number,
    cRow: number,
    addend: number,
    addendRow: number,
  ): void
  /** The same of matrices whose elements are neighbours along the depth. */
  dots(
    a: number,
    b: number,
    c: number,
    n: number,
    m: number,
    depth: number,
    aRow: number,
    bColumn: number,
    cRow: number,
    cColumn: number,
    addend: number,
    addendRow: number,
    addendColumn: number,
  ): void
  /** Copies a matrix of any strides to rows of `width` elements, the rest of each row zero. */
  copy(
    source: number,
    target: number,
    rows: number,
    columns: number,
    width: number,
    row: number,
    column: number,
  ): void
}

// ---- code -----------------------------------------------------------------------------------------------------------

function zero(fn: FunctionBuilder, vectors: readonly number[]): void {
  for (const v of vectors) {
    fn.i32(0)
    fn.op('i32x4.splat')
    fn.set(v)
  }
}

function rowsFunction(): FunctionBuilder {
  const fn = new FunctionBuilder(Array.from({ length: 12 }, () => 'i32' as const))
  const [a, b, c, n, m, depth, aRow, aColumn, bRow, cRow, addend, addendRow] = Array.from(
    { length: 12 },
    (_, i) => i,
  )
  const [i, j, k, pb, out, bytes, plus, left] = Array.from({ length: 8 }, () => fn.local('i32'))
  const pointers = Array.from({ length: 4 }, () => fn.local('i32'))
  const sums = Array.from({ length: 8 }, () => fn.local('v128'))
  const [splat, b0, b1] = [0, 0, 0].map(() => fn.local('v128'))

  // Sums of `rows` x `vectors` times four elements at column byte j, left in `sums`.
  const accumulate = (rows: number, vectors: number) => {
    zero(fn, sums.slice(0, rows * vectors))
    for (let r = 0; r < rows; r++)
      if (r === 0) copyLocal(fn, pointers[0], a)
      else {
        fn.get(pointers[r - 1])
        fn.get(aRow)
        fn.op('i32.add')
        fn.set(pointers[r])
      }
    fn.get(b)
    fn.get(j)
    fn.op('i32.add')
    fn.set(pb)
    setTo(fn, k, 0)
    steps(fn, k, depth, 1, () => {
      // One row has eight vectors of its own; several rows share what they read of b.
      if (rows > 1)
        for (let v = 0; v < vectors; v++) {
          fn.get(pb)
          fn.memory('v128.load', 16 * v)
          fn.set(v === 0 ? b0 : b1)
        }
      for (let r = 0; r < rows; r++) {
        fn.get(pointers[r])
        fn.memory('v128.load32_splat')
        fn.set(splat)
        for (let v = 0; v < vectors; v++) {
          const sum = sums[r * vectors + v]
          fn.get(sum)
          fn.get(splat)
          if (rows > 1) fn.get(v === 0 ? b0 : b1)
          else {
            fn.get(pb)
            fn.memory('v128.load', 16 * v)
          }
          fn.op('f32x4.mul')
          fn.op('f32x4.add')
          fn.set(sum)
        }
        addLocal(fn, pointers[r], aColumn)
      }
      addLocal(fn, pb, bRow)
    })
  }

  const finish = (rows: number, vectors: number, store: (sum: number, offset: number) => void) => {
    fn.get(addend)
    fn.if(() => {
      fn.get(addend)
      fn.get(j)
      fn.op('i32.add')
      fn.set(plus)
      for (let r = 0; r < rows; r++) {
        for (let v = 0; v < vectors; v++) {
          const sum = sums[r * vectors + v]
          fn.get(sum)
          fn.get(plus)
          fn.memory('v128.load', 16 * v)
          fn.op('f32x4.add')
          fn.set(sum)
        }
        if (r < rows - 1) addLocal(fn, plus, addendRow)
      }
    })
    fn.get(c)
    fn.get(j)
    fn.op('i32.add')
    fn.set(out)
    for (let r = 0; r < rows; r++) {
      for (let v = 0; v < vectors; v++) store(sums[r * vectors + v], 16 * v)
      if (r < rows - 1) addLocal(fn, out, cRow)
    }
  }

  const storeWhole = (sum: number, offset: number) => {
    fn.get(out)
    fn.get(sum)
    fn.memory('v128.store', offset)
  }
  // The last one, two or three columns.
  const storeEdge = (sum: number) => {
    fn.get(left)
    fn.i32(8)
    fn.op('i32.and')
    fn.if(
      () => {
        fn.get(out)
        fn.get(sum)
        fn.storeLane(64)
        fn.get(left)
        fn.i32(4)
        fn.op('i32.and')
        fn.if(() => {
          fn.get(out)
          fn.get(sum)
          fn.get(sum)
          fn.shuffle(upperHalf)
          fn.storeLane(32, 8)
        })
      },
      () => {
        fn.get(out)
        fn.get(sum)
        fn.storeLane(32)
      },
    )
  }

  const strip = (rows: number, widest: number) => {
    setTo(fn, j, 0)
    for (const vectors of widest === 1 ? [1] : [widest, 1])
      steps(fn, j, bytes, 16 * vectors, () => {
        accumulate(rows, vectors)
        finish(rows, vectors, storeWhole)
      })
    fn.get(bytes)
    fn.get(j)
    fn.op('i32.sub')
    fn.tee(left)
    fn.if(() => {
      accumulate(rows, 1)
      finish(rows, 1, storeEdge)
    })
    for (const [pointer, stride] of [
      [a, aRow],
      [c, cRow],
      [addend, addendRow],
    ]) {
      fn.get(pointer)
      fn.get(stride)
      fn.i32(rows)
      fn.op('i32.mul')
      fn.op('i32.add')
      fn.set(pointer)
    }
  }

  fn.get(m)
  fn.i32(2)
  fn.op('i32.shl')
  fn.set(bytes)
  setTo(fn, i, 0)
  steps(fn, i, n, 4, () => strip(4, 2))
  steps(fn, i, n, 1, () => strip(1, 8))
  return fn
}

function dotsFunction(): FunctionBuilder {
  const fn = new FunctionBuilder(Array.from({ length: 13 }, () => 'i32' as const))
  const [a, b, c, n, m, depth, aRow, bColumn, cRow, cColumn, addend, addendRow, addendColumn] = Array.from(
    { length: 13 },
    (_, i) => i,
  )
  const [i, j, k, pa, row, out, outRow, plus, plusRow, whole] = Array.from({ length: 10 }, () =>
    fn.local('i32'),
  )
  const pointers = Array.from({ length: 8 }, () => fn.local('i32'))
  const sums = Array.from({ length: 8 }, () => fn.local('v128'))
  const x = fn.local('v128')
  const total = fn.local('f32')

  const multiply = (sum: number, pointer: number, offset: number) => {
    fn.get(sum)
    fn.get(x)
    fn.get(pointer)
    fn.memory('v128.load', offset)
    fn.op('f32x4.mul')
    fn.op('f32x4.add')
    fn.set(sum)
  }
  const loadA = (offset: number) => {
    fn.get(pa)
    fn.memory('v128.load', offset)
    fn.set(x)
  }
  const advance = (lines: number, bytes: number) => {
    increase(fn, pa, bytes)
    for (let l = 0; l < lines; l++) increase(fn, pointers[l], bytes)
  }

  // One row of a with `lines` columns of b, whose sums are vectors of partial sums.
  const block = (lines: number) => {
    copyLocal(fn, pa, row)
    for (let l = 0; l < lines; l++)
      if (l === 0) copyLocal(fn, pointers[0], b)
      else {
        fn.get(pointers[l - 1])
        fn.get(bColumn)
        fn.op('i32.add')
        fn.set(pointers[l])
      }
    // One line alone has four vectors of partial sums, so that additions need not wait for each other.
    const parts = lines === 1 ? 4 : 1
    zero(fn, sums.slice(0, lines * parts))
    setTo(fn, k, 0)
    const unrolled = lines === 1 ? 4 : 2
    steps(fn, k, depth, 4 * unrolled, () => {
      for (let u = 0; u < unrolled; u++) {
        loadA(16 * u)
        for (let l = 0; l < lines; l++) multiply(sums[l + (u % parts)], pointers[l], 16 * u)
      }
      advance(lines, 16 * unrolled)
    })
    steps(fn, k, depth, 4, () => {
      loadA(0)
      for (let l = 0; l < lines; l++) multiply(sums[l], pointers[l], 0)
      advance(lines, 16)
    })
    for (let p = 1; p < parts; p++) {
      fn.get(sums[0])
      fn.get(sums[p])
      fn.op('f32x4.add')
      fn.set(sums[0])
    }
    copyLocal(fn, out, outRow)
    copyLocal(fn, plus, plusRow)
    copyLocal(fn, whole, k)
    for (let l = 0; l < lines; l++) {
      for (const lanes of [
        [0, 1],
        [2, 3],
      ]) {
        for (const lane of lanes) {
          fn.get(sums[l])
          fn.lane('f32x4.extract_lane', lane)
        }
        fn.op('f32.add')
      }
      fn.op('f32.add')
      fn.set(total)
      // What is left of the depth.
      copyLocal(fn, k, whole)
      if (l > 0) {
        fn.get(pa)
        fn.get(depth)
        fn.get(whole)
        fn.op('i32.sub')
        fn.i32(2)
        fn.op('i32.shl')
        fn.op('i32.sub')
        fn.set(pa)
      }
      steps(fn, k, depth, 1, () => {
        fn.get(total)
        fn.get(pa)
        fn.memory('f32.load')
        fn.get(pointers[l])
        fn.memory('f32.load')
        fn.op('f32.mul')
        fn.op('f32.add')
        fn.set(total)
        increase(fn, pa, 4)
        increase(fn, pointers[l], 4)
      })
      fn.get(addend)
      fn.if(() => {
        fn.get(total)
        fn.get(plus)
        fn.memory('f32.load')
        fn.op('f32.add')
        fn.set(total)
        addLocal(fn, plus, addendColumn)
      })
      fn.get(out)
      fn.get(total)
      fn.memory('f32.store')
      addLocal(fn, out, cColumn)
    }
  }

  // All rows of a for some columns of b, which stay in the cache meanwhile.
  const columns = (lines: number) => {
    copyLocal(fn, row, a)
    copyLocal(fn, outRow, c)
    copyLocal(fn, plusRow, addend)
    setTo(fn, i, 0)
    steps(fn, i, n, 1, () => {
      block(lines)
      addLocal(fn, row, aRow)
      addLocal(fn, outRow, cRow)
      addLocal(fn, plusRow, addendRow)
    })
    for (const [pointer, stride] of [
      [b, bColumn],
      [c, cColumn],
    ])
      advanceBy(pointer, stride, lines)
    fn.get(addend)
    fn.if(() => advanceBy(addend, addendColumn, lines))
  }
  const advanceBy = (pointer: number, stride: number, times: number) => {
    fn.get(pointer)
    fn.get(stride)
    fn.i32(times)
    fn.op('i32.mul')
    fn.op('i32.add')
    fn.set(pointer)
  }

  setTo(fn, j, 0)
  steps(fn, j, m, 8, () => columns(8))
  steps(fn, j, m, 1, () => columns(1))
  return fn
}

function copyFunction(): FunctionBuilder {
  const fn = new FunctionBuilder(Array.from({ length: 7 }, () => 'i32' as const))
  const [source, target, rows, columns, width, row, column] = [0, 1, 2, 3, 4, 5, 6]
  const [i, j, from] = [0, 0, 0].map(() => fn.local('i32'))
  setTo(fn, i, 0)
  steps(fn, i, rows, 1, () => {
    copyLocal(fn, from, source)
    setTo(fn, j, 0)
    steps(fn, j, columns, 1, () => {
      fn.get(target)
      fn.get(from)
      fn.memory('i32.load')
      fn.memory('i32.store')
      increase(fn, target, 4)
      addLocal(fn, from, column)
    })
    steps(fn, j, width, 1, () => {
      fn.get(target)
      fn.i32(0)
      fn.memory('i32.store')
      increase(fn, target, 4)
    })
    addLocal(fn, source, row)
  })
  return fn
}

const upperHalf = [8, 9, 10, 11, 12, 13, 14, 15, 8, 9, 10, 11, 12, 13, 14, 15]

const compiled = new WeakMap<Arena, Functions>()

function functionsFor(arena: Arena): Functions {
  let functions = compiled.get(arena)
  if (functions === undefined) {
    const bytes = encodeModule(
      [],
      [
        { name: 'rows', body: rowsFunction() },
        { name: 'dots', body: dotsFunction() },
        { name: 'copy', body: copyFunction() },
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

// ---- launches -------------------------------------------------------------------------------------------------------

// Runs a launch whose operands are, from `first` on, a, b and c; before them comes the addend, if there is one.
function multiply(arena: Arena, launch: Launch, pointers: readonly number[], first: 0 | 1): boolean {
  if (launch.outer.length !== 3 || launch.loop.length !== 1) return false
  let [batch, n, m] = launch.outer
  const depth = launch.loop[0]
  if (n >= NARROW && m >= NARROW && n * m * depth >= MOST_WORK) return false
  let a = launch.operands[first].strides
  let b = launch.operands[first + 1].strides
  const c = launch.operands[first + 2].strides
  const x = first === 1 ? launch.operands[0].strides : noStrides
  let [aAt, bAt, cAt, xAt] = [pointers[first], pointers[first + 1], pointers[first + 2], first * pointers[0]]
  let [aRow, aDepth, bDepth, bColumn] = [a[1], a[3], b[3], b[2]]
  let [cRow, cColumn, xRow, xColumn] = [c[1], c[2], x[1], x[2]]
  const alongDepth = depth >= LEAST_DEPTH && aDepth === 1 && bDepth === 1
  // The same product seen from the other side: fewer rows, more columns.
  if (m < n && (alongDepth || (m === 1 && aRow === 1))) {
    ;[a, b, aAt, bAt, n, m] = [b, a, bAt, aAt, m, n]
    ;[aRow, aDepth, bDepth, bColumn] = [bColumn, bDepth, aDepth, aRow]
    ;[cRow, cColumn, xRow, xColumn] = [cColumn, cRow, xColumn, xRow]
  }
  const run = functionsFor(arena)
  if (alongDepth) {
    for (; batch > 0; batch--) {
      run.dots(
        aAt,
        bAt,
        cAt,
        n,
        m,
        depth,
        4 * aRow,
        4 * bColumn,
        4 * cRow,
        4 * cColumn,
        xAt,
        4 * xRow,
        4 * xColumn,
      )
      aAt += 4 * a[0]
      bAt += 4 * b[0]
      cAt += 4 * c[0]
      xAt += 4 * x[0]
    }
    return true
  }
  // A single column is a row of one element, whatever its strides.
  if (m > 1 && (cColumn !== 1 || (first === 1 && xColumn !== 1))) return false
  const copied = m > 1 && bColumn !== 1
  if (copied && depth * m > MOST_COPIED) return false
  // Lanes read past the ends of rows, by up to three elements.
  const width = (m + 3) & ~3
  const end = arena.heap.u8.byteLength
  if (!copied && bAt + 4 * ((batch - 1) * b[0] + (depth - 1) * bDepth + width) > end) return false
  if (first === 1 && xAt + 4 * ((batch - 1) * x[0] + (n - 1) * xRow + width) > end) return false
  const buffer = copied ? arena.allocate(4 * depth * width) : null
  const copyAt = buffer === null ? 0 : arena.locate(buffer)
  for (; batch > 0; batch--) {
    if (copied) run.copy(bAt, copyAt, depth, m, width, 4 * bDepth, 4 * bColumn)
    run.rows(
      aAt,
      copied ? copyAt : bAt,
      cAt,
      n,
      m,
      depth,
      4 * aRow,
      4 * aDepth,
      4 * (copied ? width : bDepth),
      4 * cRow,
      xAt,
      4 * xRow,
    )
    aAt += 4 * a[0]
    bAt += 4 * b[0]
    cAt += 4 * c[0]
    xAt += 4 * x[0]
  }
  if (buffer !== null) arena.free(buffer)
  return true
}

const noStrides: readonly number[] = [0, 0, 0, 0]

const isFloat32 = (kernel: Kernel): boolean => kernel.operands[0].dtype === float32

registerTuned(
  'matmul',
  (arena, kernel, launch, pointers) => isFloat32(kernel) && multiply(arena, launch, pointers, 0),
)
registerTuned(
  'addmm',
  (arena, kernel, launch, pointers) => isFloat32(kernel) && multiply(arena, launch, pointers, 1),
)
