// Matrix products and convolutions in tiles: a workgroup computes a square of the result, of which each invocation has
// 4 x 4 elements; both factors pass through workgroup memory. Kernels that are no products: render.ts.

import type { Expr } from '../../kernels/expr.ts'
import type { Kernel, Launch, Stage } from '../../kernels/kernel.ts'
import { features as deviceFeatures, type Features, noFeatures } from './device.ts'
import { loadText, storeText } from './elements.ts'
import { ExpressionWriter } from './emit.ts'
import { helpersFor, usesHalves } from './helpers.ts'
import { wordLayout, wordText } from './parameters.ts'
import { MOST_GROUPS, type Shader } from './render.ts'

type Load = Extract<Expr, { kind: 'load' }>

/** A kernel that sums products of two operands and writes the sum, or an expression of it. */
interface Contraction {
  readonly left: number
  readonly right: number
  readonly total: number
  /** What is made of the sum, and stored. */
  readonly tail: readonly Exclude<Stage, { kind: 'loop' }>[]
}

/** Elements of the result along a side of a tile, for each of the invocations along it. */
const EACH = 4
/** Steps of the sum that are in workgroup memory at a time. */
const DEPTH = 16
/** Multiplications below which a tile is not worth its barriers. */
const LEAST_WORK = 16384
/** Rows and columns below which a tile is mostly empty. */
const LEAST_SIDE = 8

const contractions = new WeakMap<Kernel, Contraction | null>()

function isPlainLoad(e: Expr): e is Load {
  return e.kind === 'load' && e.type === 'f32' && e.level === 'loop' && e.at.length === 0 && e.where === null
}

function contractionOf(kernel: Kernel): Contraction | null {
  let found = contractions.get(kernel)
  if (found === undefined) {
    found = match(kernel)
    contractions.set(kernel, found)
  }
  return found
}

function match(kernel: Kernel): Contraction | null {
  const [loop, ...rest] = kernel.stages
  if (loop?.kind !== 'loop') return null
  const tail = rest.filter((stage) => stage.kind !== 'loop')
  const stores = tail.filter((stage) => stage.kind === 'store')
  if (tail.length < rest.length || stores.length === 0) return null
  if (!kernel.parallel || kernel.usesOuterIndex || kernel.usesLoopIndex) return null
  if (loop.stores.length > 0 || loop.accumulators.length !== 1) return null
  const [{ id, reduction, value }] = loop.accumulators
  if (reduction !== 'sum' || value.kind !== 'binary' || value.fn !== 'mul') return null
  const { a, b } = value
  if (!isPlainLoad(a) || !isPlainLoad(b) || a.operand === b.operand) return null
  if (
    stores.some((s) => s.mode !== 'set' || s.at.length > 0 || kernel.operands[s.operand].dtype.itemsize < 2)
  )
    return null
  return { left: a.operand, right: b.operand, total: id, tail }
}

/** A launch of a product with its dimensions in the order batch, rows, columns, depth. */
export interface ProductPlan {
  readonly outer: readonly number[]
  readonly loop: readonly number[]
  /** For each operand, the strides of all these dimensions. */
  readonly strides: readonly (readonly number[])[]
  readonly variant: ProductVariant
  readonly groups: number
}

export interface ProductVariant {
  readonly batchRank: number
  readonly rowRank: number
  readonly columnRank: number
  readonly loopRank: number
  /** Invocations along a side. */
  readonly side: number
  /** Whether neighbours along the depth lie side by side, for the two factors; else those along rows or columns do. */
  readonly depthFirst: readonly [boolean, boolean]
  readonly memories: readonly number[]
  /** What the device has beyond the standard; default nothing. */
  readonly features?: Features
}

const product = (extents: readonly number[]): number => extents.reduce((n, extent) => n * extent, 1)

/** The plan of a launch as a tiled product, or null where it is none or too small. Dimensions come merged. */
export function planProduct(
  kernel: Kernel,
  launch: Launch,
  outer: readonly number[],
  outerStrides: readonly (readonly number[])[],
  loop: readonly number[],
  loopStrides: readonly (readonly number[])[],
  memories: readonly number[],
): ProductPlan | null {
  const contraction = contractionOf(kernel)
  if (contraction === null || launch.loop.length === 0) return null
  const { left, right } = contraction
  const [batch, rows, columns]: number[][] = [[], [], []]
  outer.forEach((_, d) => {
    const [movesLeft, movesRight] = [outerStrides[left][d] !== 0, outerStrides[right][d] !== 0]
    ;(movesLeft === movesRight ? batch : movesLeft ? rows : columns).push(d)
  })
  const [m, n, depth] = [
    product(rows.map((d) => outer[d])),
    product(columns.map((d) => outer[d])),
    product(loop),
  ]
  if (m < LEAST_SIDE || n < LEAST_SIDE || m * n * depth < LEAST_WORK) return null
  const order = [...batch, ...rows, ...columns]
  const batches = product(batch.map((d) => outer[d]))
  // Large tiles where there are enough of them to keep a GPU busy.
  const side = Math.ceil(m / 64) * Math.ceil(n / 64) * batches >= 64 ? 16 : 8
  const tile = side * EACH
  const last = loop.length - 1
  return {
    outer: order.map((d) => outer[d]),
    loop,
    strides: outerStrides.map((s, o) => [...order.map((d) => s[d]), ...loopStrides[o]]),
    variant: {
      batchRank: batch.length,
      rowRank: rows.length,
      columnRank: columns.length,
      loopRank: loop.length,
      side,
      depthFirst: [loopStrides[left][last] === 1, loopStrides[right][last] === 1],
      memories,
      features: deviceFeatures(),
    },
    groups: Math.ceil(m / tile) * Math.ceil(n / tile) * batches,
  }
}

/** The shader of a product. */
export function renderProduct(kernel: Kernel, variant: ProductVariant): Shader {
  const { left, right, total, tail } = contractionOf(kernel)!
  const {
    batchRank,
    rowRank,
    columnRank,
    loopRank,
    side,
    depthFirst,
    memories,
    features = noFeatures,
  } = variant
  const outerRank = batchRank + rowRank + columnRank
  const layout = wordLayout(kernel, outerRank, loopRank)
  const tile = side * EACH
  const invocations = side * side
  const lines: string[] = []
  const line = (text: string) => lines.push(`  ${text}`)
  const array = (operand: number): string => `x${memories[operand]}`
  // Neighbours of the half types share a word.
  const isAtomic = (memory: number): boolean =>
    kernel.operands.some((o, i) => o.access !== 'read' && o.dtype.itemsize < 4 && memories[i] === memory)

  const extent = (dim: number): string =>
    `u32(${wordText(dim < outerRank ? layout.outerExtent(dim) : layout.loopExtent(dim - outerRank))})`
  const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i)
  const count = (dims: readonly number[]): string => dims.map(extent).join(' * ') || '1u'
  // How far the number `name` of a flattened position along `dims` is, for an operand: innermost dimension first.
  const distance = (operand: number, dims: readonly number[], name: string): string => {
    const terms: string[] = []
    let rest = name
    for (let i = dims.length - 1; i >= 0; i--) {
      const place = i === 0 ? rest : `(${rest} % ${extent(dims[i])})`
      terms.push(`i32(${place}) * ${wordText(layout.stride(operand, dims[i]))}`)
      rest = `(${rest} / ${extent(dims[i])})`
    }
    return terms.join(' + ') || '0'
  }
  const batchDims = range(0, batchRank)
  const rowDims = range(batchRank, rowRank)
  const columnDims = range(batchRank + rowRank, columnRank)
  const depthDims = range(outerRank, loopRank)

  line(`let rows = ${count(rowDims)};`)
  line(`let columns = ${count(columnDims)};`)
  line(`let depth = ${count(depthDims)};`)
  line(`let tilesAcross = (columns + ${tile - 1}u) / ${tile}u;`)
  line(`let tilesDown = (rows + ${tile - 1}u) / ${tile}u;`)
  line(`let tile = group.x + group.y * ${MOST_GROUPS}u;`)
  line(`if (tile >= tilesAcross * tilesDown * (${count(batchDims)})) { return; }`)
  line(`let firstColumn = (tile % tilesAcross) * ${tile}u;`)
  line(`let firstRow = (tile / tilesAcross % tilesDown) * ${tile}u;`)
  line('let batch = tile / tilesAcross / tilesDown;')
  kernel.operands.forEach((_, o) => {
    line(`let base${o} = ${wordText(layout.offset(o))} + ${distance(o, batchDims, 'batch')};`)
  })
  line(`let across = (local % ${side}u) * ${EACH}u;`)
  line(`let down = (local / ${side}u) * ${EACH}u;`)
  for (let i = 0; i < EACH; i++) for (let j = 0; j < EACH; j++) line(`var sum${i}${j} = 0.0;`)
  // Where rows, columns and steps lie is worked out once for all that is read of them: divisions are slow.
  line(`for (var i = local; i < ${tile}u; i += ${invocations}u) {`)
  line('  let row = firstRow + i; let column = firstColumn + i;')
  line(`  rowPlaces[i] = base${left} + ${distance(left, rowDims, 'row')};`)
  line(`  columnPlaces[i] = base${right} + ${distance(right, columnDims, 'column')};`)
  line('}')
  const placeSteps = (start: string): void => {
    line(`if (local < ${DEPTH}u) {`)
    line(`  let inward = ${start} + local;`)
    line(`  leftSteps[local] = ${distance(left, depthDims, 'inward')};`)
    line(`  rightSteps[local] = ${distance(right, depthDims, 'inward')};`)
    line('}')
  }
  placeSteps('0u')
  line('workgroupBarrier();')
  line(`for (var start = 0u; start < depth; start += ${DEPTH}u) {`)
  const fill = (name: string, operand: number, places: string, isDepthFirst: boolean): void => {
    const [first, limit] = name === 'left' ? ['firstRow', 'rows'] : ['firstColumn', 'columns']
    line(`  for (var i = local; i < ${DEPTH * tile}u; i += ${invocations}u) {`)
    line(
      isDepthFirst
        ? `    let step = i % ${DEPTH}u; let place = i / ${DEPTH}u;`
        : `    let step = i / ${tile}u; let place = i % ${tile}u;`,
    )
    line(`    let along = ${first} + place; let inward = start + step;`)
    line('    var value = 0.0;')
    line(`    if (along < ${limit} && inward < depth) {`)
    line(`      let index = ${places}[place] + ${name}Steps[step];`)
    line(
      `      value = ${loadText(kernel.operands[operand].dtype, array(operand), 'index', isAtomic(memories[operand]))};`,
    )
    line('    }')
    line(`    ${name}[step * ${tile}u + place] = value;`)
    line('  }')
  }
  fill('left', left, 'rowPlaces', depthFirst[0])
  fill('right', right, 'columnPlaces', depthFirst[1])
  line('  workgroupBarrier();')
  line(`  for (var step = 0u; step < ${DEPTH}u; step++) {`)
  for (let i = 0; i < EACH; i++) {
    line(`    let a${i} = left[step * ${tile}u + down + ${i}u];`)
    line(`    let b${i} = right[step * ${tile}u + across + ${i}u];`)
  }
  for (let i = 0; i < EACH; i++)
    for (let j = 0; j < EACH; j++) line(`    sum${i}${j} = fma(a${i}, b${j}, sum${i}${j});`)
  line('  }')
  placeSteps(`start + ${DEPTH}u`)
  line('  workgroupBarrier();')
  line('}')

  const names = {
    offset: (o: number) => wordText(layout.offset(o)),
    stride: (o: number, d: number) => wordText(layout.stride(o, d)),
    atStride: (o: number, c: number) => wordText(layout.atStride(o, c)),
    scalar: (slot: number, word: number) => wordText(layout.scalar(slot) + word),
    array,
    isAtomic: (operand: number) => isAtomic(memories[operand]),
  }
  const writer = new ExpressionWriter(kernel, names, line)
  for (let i = 0; i < EACH; i++)
    for (let j = 0; j < EACH; j++) {
      line(`if (firstRow + down + ${i}u < rows && firstColumn + across + ${j}u < columns) {`)
      line(`  let row = firstRow + down + ${i}u; let column = firstColumn + across + ${j}u;`)
      kernel.operands.forEach((_, o) => {
        if (o !== left && o !== right)
          line(
            `  let p${o} = base${o} + ${distance(o, rowDims, 'row')} + ${distance(o, columnDims, 'column')};`,
          )
      })
      line(`  let v${total} = sum${i}${j};`)
      writer.forget()
      for (const stage of tail) {
        const value = writer.write(stage.value)
        if (stage.kind === 'let') {
          line(`  let v${stage.id} = ${value};`)
          continue
        }
        const { dtype } = kernel.operands[stage.operand]
        const atomic = isAtomic(memories[stage.operand])
        for (const text of storeText(dtype, array(stage.operand), `p${stage.operand}`, value, atomic))
          line(`  ${text}`)
        if (kernel.operands[stage.operand].access === 'readwrite') writer.forget()
      }
      line('}')
    }

  const written = Array.from({ length: Math.max(...memories) + 1 }, (_, memory) =>
    kernel.operands.some(({ access }, o) => access !== 'read' && memories[o] === memory),
  )
  const body = lines.join('\n')
  const code = [
    ...(usesHalves(body, features) ? ['enable f16;'] : []),
    `@group(0) @binding(0) var<uniform> params: array<vec4<i32>, ${Math.ceil(layout.words / 4)}>;`,
    ...written.map(
      (isWritten, memory) =>
        `@group(0) @binding(${memory + 1}) var<storage, ${isWritten ? 'read_write' : 'read'}> x${memory}: array<${isAtomic(memory) ? 'atomic<u32>' : 'u32'}>;`,
    ),
    `var<workgroup> left: array<f32, ${DEPTH * tile}>;`,
    `var<workgroup> right: array<f32, ${DEPTH * tile}>;`,
    `var<workgroup> rowPlaces: array<i32, ${tile}>;`,
    `var<workgroup> columnPlaces: array<i32, ${tile}>;`,
    `var<workgroup> leftSteps: array<i32, ${DEPTH}>;`,
    `var<workgroup> rightSteps: array<i32, ${DEPTH}>;`,
    ...helpersFor(body, features),
    `@compute @workgroup_size(${invocations})`,
    'fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {',
    body,
    '}',
    '',
  ].join('\n')
  return { code, written, layout, text: null }
}
