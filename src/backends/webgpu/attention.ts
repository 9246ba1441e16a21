// Attention in tiles (Dao et al. 2022, "FlashAttention"): each invocation has a row of queries (or of keys, for their gradients) in
// registers; the rows that it meets pass through workgroup memory, and the scores are stored nowhere. The ops: ops/attention.ts.

import type { Kernel, Launch } from '../../kernels/kernel.ts'
import { loadText } from './elements.ts'
import { type WordLayout, wordLayout, wordText } from './parameters.ts'
import { MOST_GROUPS, type Shader } from './render.ts'

/** Invocations of a workgroup, and so rows. */
const ROWS = 64
/** Bytes of workgroup memory that every device has. */
const SHARED_BYTES = 16384

/** What a launch's shader depends on. */
export interface AttentionVariant {
  /** Dimensions before rows; the loop space has keys, features and depth. */
  readonly batchRank: number
  readonly features: number
  readonly depth: number
  readonly memories: readonly number[]
}

/** The names of the kernels that shaders are written for here, and their operands (`mask` may be missing). */
const operandNames: Readonly<Record<string, readonly string[]>> = {
  attention: ['q', 'k', 'v', 'mask', 'out', 'sums'],
  attention_queries_backward: ['q', 'k', 'v', 'g', 'sums', 'result', 'mask', 'gradQ', 'products'],
  attention_keys_backward: ['q', 'k', 'v', 'g', 'sums', 'products', 'mask', 'gradK', 'gradV'],
}

/** How a launch of one of these kernels is rendered, and into how many workgroups it is cut; null for other kernels. */
export function planAttention(
  kernel: Kernel,
  { outer, loop }: Launch,
  memories: readonly number[],
): { readonly variant: AttentionVariant; readonly groups: number } | null {
  if (!Object.hasOwn(operandNames, kernel.name)) return null
  const rows = kernel.name === 'attention_keys_backward' ? loop[0] : outer[outer.length - 1]
  const batches = outer.slice(0, -1).reduce((n, extent) => n * extent, 1)
  const [, features, depth] = loop
  const variant = { batchRank: outer.length - 1, features, depth, memories }
  return { variant, groups: batches * Math.ceil(rows / ROWS) }
}

const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i)
const sum = (terms: readonly string[]): string => terms.join(' + ')

/** Writes the text of one of these shaders. */
class AttentionWriter {
  readonly layout: WordLayout
  /** Vectors of four in a row of queries and keys, and of values. */
  readonly across: Readonly<Record<'features' | 'depth', number>>
  /** Rows in workgroup memory at a time. */
  readonly tile: number
  readonly hasMask: boolean
  private readonly lines: string[] = []
  private readonly names: readonly string[]
  private readonly functions: string[] = []

  constructor(
    private readonly kernel: Kernel,
    private readonly variant: AttentionVariant,
  ) {
    const { batchRank, features, depth } = variant
    this.layout = wordLayout(kernel, batchRank + 1, 3)
    this.across = { features: Math.ceil(features / 4), depth: Math.ceil(depth / 4) }
    const bytes = 16 * (this.across.features + this.across.depth) + 8
    this.tile = 2 ** Math.min(6, Math.floor(Math.log2(SHARED_BYTES / bytes)))
    const all = operandNames[kernel.name]
    this.hasMask = kernel.operands.length === all.length
    this.names = this.hasMask ? all : all.filter((name) => name !== 'mask')
  }

  line(...texts: string[]): void {
    this.lines.push(...texts.map((text) => `  ${text}`))
  }

  number(operand: string): number {
    return this.names.indexOf(operand)
  }

  /** How far an operand steps along rows, keys, features or depth. */
  stride(operand: string, axis: 'rows' | 'keys' | 'features' | 'depth'): string {
    const dim = this.variant.batchRank + ['rows', 'keys', 'features', 'depth'].indexOf(axis)
    return wordText(this.layout.stride(this.number(operand), dim))
  }

  array(operand: string): string {
    return `x${this.variant.memories[this.number(operand)]}`
  }

  /** The element of an operand at an index. */
  load(operand: string, index: string): string {
    return loadText(this.kernel.operands[this.number(operand)].dtype, this.array(operand), index, false)
  }

  store(operand: string, index: string, value: string): string {
    return `${this.array(operand)}[${index}] = bitcast<u32>(${value});`
  }

  /** A function that gives vector `c` of the row of an operand that starts at an index. */
  rowLoader(operand: string, axis: 'features' | 'depth'): void {
    const extent = this.variant[axis]
    const step = this.stride(operand, axis)
    const parts = upTo(4).map((i) => {
      const text = this.load(operand, `at + ${i} * ${step}`)
      return extent % 4 === 0 || i < extent % 4 ? text : `select(0.0, ${text}, 4u * c + ${i}u < ${extent}u)`
    })
    this.functions.push(
      `fn ${operand}Row(start: i32, c: u32) -> vec4<f32> {`,
      `  let at = start + i32(4u * c) * ${step};`,
      `  return vec4<f32>(${parts.join(', ')});`,
      '}',
    )
  }

  /** Where the rows of a workgroup lie: `row`, whether it is one (`live`), and where each operand's batch starts. */
  begin(axis: 'rows' | 'keys'): void {
    const { layout, line } = { layout: this.layout, line: (...t: string[]) => this.line(...t) }
    const { batchRank } = this.variant
    line(
      `let rows = u32(${wordText(layout.outerExtent(batchRank))});`,
      `let keys = u32(${wordText(layout.loopExtent(0))});`,
      `let scale = bitcast<f32>(${wordText(layout.scalar(0))});`,
      `let isCausal = ${wordText(layout.scalar(1))} != 0;`,
      `let groupsDown = (${axis} + ${ROWS - 1}u) / ${ROWS}u;`,
      `let tile = group.x + group.y * ${MOST_GROUPS}u;`,
      'let batch = tile / groupsDown;',
      `if (batch >= ${
        upTo(batchRank)
          .map((d) => `u32(${wordText(layout.outerExtent(d))})`)
          .join(' * ') || '1u'
      }) { return; }`,
      `let first = (tile % groupsDown) * ${ROWS}u;`,
      'let row = first + local;',
      `let live = row < ${axis};`,
    )
    for (const name of this.names) {
      const terms: string[] = [wordText(layout.offset(this.number(name)))]
      let rest = 'batch'
      for (let d = batchRank - 1; d >= 0; d--) {
        const extent = `u32(${wordText(layout.outerExtent(d))})`
        const place = d === 0 ? rest : `(${rest} % ${extent})`
        terms.push(`i32(${place}) * ${wordText(layout.stride(this.number(name), d))}`)
        rest = `(${rest} / ${extent})`
      }
      line(`let ${name}Base = ${sum(terms)};`)
    }
  }

  /** Variables `name0`, `name1` ... with the invocation's row of an operand, or zeros. */
  registers(name: string, axis: 'features' | 'depth', start: string | null, factor = ''): void {
    for (const c of upTo(this.across[axis])) {
      this.line(`var ${name}${c} = vec4<f32>();`)
      if (start !== null) this.line(`if (live) { ${name}${c} = ${name}Row(${start}, ${c}u)${factor}; }`)
    }
  }

  /** Fills workgroup memory `shared_<operand>` with the rows from `start` on. */
  fill(operand: string, axis: 'features' | 'depth', along: 'rows' | 'keys', factor = ''): void {
    const n = this.across[axis]
    this.line(
      `for (var i = local; i < ${this.tile * n}u; i += ${ROWS}u) {`,
      `  let other = start + i / ${n}u;`,
      '  var value = vec4<f32>();',
      `  if (other < ${along}) { value = ${operand}Row(${operand}Base + i32(other) * ${this.stride(operand, along)}, i % ${n}u)${factor}; }`,
      `  shared_${operand}[i] = value;`,
      '}',
    )
  }

  /** The scalar product of the invocation's row with row `j` of workgroup memory. */
  dot(name: string, operand: string, axis: 'features' | 'depth'): string {
    const n = this.across[axis]
    return sum(upTo(n).map((c) => `dot(${name}${c}, shared_${operand}[j * ${n}u + ${c}u])`))
  }

  /** `name` += `factor` times row `j` of workgroup memory. */
  addRow(name: string, factor: string, operand: string, axis: 'features' | 'depth'): string[] {
    const n = this.across[axis]
    return upTo(n).map(
      (c) => `${name}${c} = fma(vec4<f32>(${factor}), shared_${operand}[j * ${n}u + ${c}u], ${name}${c});`,
    )
  }

  /** Leaves out what is masked, and adds a mask of numbers to `score`. */
  mask(row: string, key: string): void {
    this.line(`if (isCausal && ${key} > ${row}) { continue; }`)
    if (!this.hasMask) return
    const at = `maskBase + i32(${row}) * ${this.stride('mask', 'rows')} + i32(${key}) * ${this.stride('mask', 'keys')}`
    if (this.kernel.operands[this.number('mask')].dtype.name === 'bool')
      this.line(`if (!${this.load('mask', at)}) { continue; }`)
    else {
      this.line(`score += ${this.load('mask', at)};`)
      // Minus infinity.
      this.line('if (bitcast<u32>(score) == 0xff800000u) { continue; }')
    }
  }

  storeRow(
    operand: string,
    axis: 'features' | 'depth',
    along: 'rows' | 'keys',
    value: (c: number) => string,
  ): void {
    const start = `${operand}Base + i32(row) * ${this.stride(operand, along)}`
    for (const e of upTo(this.variant[axis]))
      this.line(
        this.store(
          operand,
          `${start} + ${e} * ${this.stride(operand, axis)}`,
          `(${value(e >> 2)}).${'xyzw'[e & 3]}`,
        ),
      )
  }

  shader(shared: readonly string[]): Shader {
    const { memories } = this.variant
    const written = upTo(Math.max(...memories) + 1).map((memory) =>
      this.kernel.operands.some(({ access }, o) => access !== 'read' && memories[o] === memory),
    )
    const code = [
      `@group(0) @binding(0) var<uniform> params: array<vec4<i32>, ${Math.ceil(this.layout.words / 4)}>;`,
      ...written.map(
        (isWritten, memory) =>
          `@group(0) @binding(${memory + 1}) var<storage, ${isWritten ? 'read_write' : 'read'}> x${memory}: array<u32>;`,
      ),
      ...shared.map((name) => `var<workgroup> ${name};`),
      ...this.functions,
      `@compute @workgroup_size(${ROWS})`,
      'fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {',
      ...this.lines,
      '}',
      '',
    ].join('\n')
    return { code, written, layout: this.layout, text: null }
  }
}

/** The shader of one of the kernels. */
export function renderAttention(kernel: Kernel, variant: AttentionVariant): Shader {
  const writer = new AttentionWriter(kernel, variant)
  return kernel.name === 'attention_keys_backward'
    ? keyGradients(writer)
    : overKeys(writer, kernel.name === 'attention')
}

// The result, or the gradient of the queries: every row of queries meets all keys.
function overKeys(w: AttentionWriter, isForward: boolean): Shader {
  const { features, depth } = w.across
  w.rowLoader('q', 'features')
  w.rowLoader('k', 'features')
  w.rowLoader('v', 'depth')
  w.begin('rows')
  w.registers('q', 'features', `qBase + i32(row) * ${w.stride('q', 'rows')}`, ' * scale')
  if (isForward) {
    w.registers('total', 'depth', null)
    w.line('var most = -3.4028234e38;', 'var weights = 0.0;')
  } else {
    w.rowLoader('g', 'depth')
    w.rowLoader('result', 'depth')
    w.registers('g', 'depth', `gBase + i32(row) * ${w.stride('g', 'rows')}`)
    w.registers('total', 'features', null)
    w.line('var product = 0.0;', 'var rowSum = 0.0;', 'if (live) {')
    w.line(`  let start = resultBase + i32(row) * ${w.stride('result', 'rows')};`)
    for (const c of upTo(depth)) w.line(`  product += dot(g${c}, resultRow(start, ${c}u));`)
    w.line(`  rowSum = ${w.load('sums', `sumsBase + i32(row) * ${w.stride('sums', 'rows')}`)};`, '}')
  }
  // No row of the workgroup looks further.
  w.line(`let limit = select(keys, min(keys, first + ${ROWS}u), isCausal);`)
  w.line(`for (var start = 0u; start < limit; start += ${w.tile}u) {`)
  w.fill('k', 'features', 'keys')
  w.fill('v', 'depth', 'keys')
  w.line('workgroupBarrier();', `let count = min(${w.tile}u, keys - start);`)
  w.line('if (live) {', 'for (var j = 0u; j < count; j++) {', 'let key = start + j;')
  w.line(`var score = ${w.dot('q', 'k', 'features')};`)
  w.mask('row', 'key')
  if (isForward) {
    w.line(
      'if (score > most) {',
      '  let shrink = exp(most - score);',
      '  most = score;',
      '  weights *= shrink;',
    )
    for (const c of upTo(depth)) w.line(`  total${c} *= shrink;`)
    w.line('}', 'let weight = exp(score - most);', 'weights += weight;')
    w.line(...w.addRow('total', 'weight', 'v', 'depth'))
  } else {
    w.line(`let change = exp(score - rowSum) * (${w.dot('g', 'v', 'depth')} - product);`)
    w.line(...w.addRow('total', 'change', 'k', 'features'))
  }
  w.line('}', '}', 'workgroupBarrier();', '}', 'if (!live) { return; }')
  if (isForward) {
    // A row in which everything is masked gives zeros.
    w.line('let isEmpty = weights == 0.0;', 'let factor = 1.0 / select(weights, 1.0, isEmpty);')
    w.storeRow('out', 'depth', 'rows', (c) => `total${c} * factor`)
    const logarithm = 'select(most + log(weights), 0.0, isEmpty)'
    w.line(w.store('sums', `sumsBase + i32(row) * ${w.stride('sums', 'rows')}`, logarithm))
  } else {
    w.storeRow('gradQ', 'features', 'rows', (c) => `total${c} * scale`)
    w.line(w.store('products', `productsBase + i32(row) * ${w.stride('products', 'rows')}`, 'product'))
  }
  return w.shader([
    `shared_k: array<vec4<f32>, ${w.tile * features}>`,
    `shared_v: array<vec4<f32>, ${w.tile * depth}>`,
  ])
}

// The gradients of keys and values: every row of keys meets all queries.
function keyGradients(w: AttentionWriter): Shader {
  const { features, depth } = w.across
  w.rowLoader('q', 'features')
  w.rowLoader('k', 'features')
  w.rowLoader('v', 'depth')
  w.rowLoader('g', 'depth')
  w.begin('keys')
  w.registers('k', 'features', `kBase + i32(row) * ${w.stride('k', 'keys')}`)
  w.registers('v', 'depth', `vBase + i32(row) * ${w.stride('v', 'keys')}`)
  w.registers('keyTotal', 'features', null)
  w.registers('valueTotal', 'depth', null)
  // No earlier query looks at a key of the workgroup.
  w.line(`let begin = select(0u, first / ${w.tile}u * ${w.tile}u, isCausal);`)
  w.line(`for (var start = begin; start < rows; start += ${w.tile}u) {`)
  w.fill('q', 'features', 'rows', ' * scale')
  w.fill('g', 'depth', 'rows')
  w.line(`for (var i = local; i < ${w.tile}u; i += ${ROWS}u) {`, '  let other = i32(start + i);')
  w.line('  if (start + i < rows) {')
  w.line(`    shared_sums[i] = ${w.load('sums', `sumsBase + other * ${w.stride('sums', 'rows')}`)};`)
  w.line(
    `    shared_products[i] = ${w.load('products', `productsBase + other * ${w.stride('products', 'rows')}`)};`,
  )
  w.line('  }', '}', 'workgroupBarrier();', `let count = min(${w.tile}u, rows - start);`)
  w.line('if (live) {', 'for (var j = 0u; j < count; j++) {', 'let query = start + j;')
  w.line(`var score = ${w.dot('k', 'q', 'features')};`)
  w.mask('query', 'row')
  w.line('let weight = exp(score - shared_sums[j]);')
  w.line(...w.addRow('valueTotal', 'weight', 'g', 'depth'))
  w.line(`let change = weight * (${w.dot('v', 'g', 'depth')} - shared_products[j]);`)
  w.line(...w.addRow('keyTotal', 'change', 'q', 'features'))
  w.line('}', '}', 'workgroupBarrier();', '}', 'if (!live) { return; }')
  w.storeRow('gradK', 'features', 'keys', (c) => `keyTotal${c}`)
  w.storeRow('gradV', 'depth', 'keys', (c) => `valueTotal${c}`)
  return w.shader([
    `shared_q: array<vec4<f32>, ${w.tile * features}>`,
    `shared_g: array<vec4<f32>, ${w.tile * depth}>`,
    `shared_sums: array<f32, ${w.tile}>`,
    `shared_products: array<f32, ${w.tile}>`,
  ])
}
