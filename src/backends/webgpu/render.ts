// Renders a kernel to WGSL: the loops and stages. Expressions: emit.ts; how elements lie in memory: elements.ts.
// https://www.w3.org/TR/WGSL/

import { RuntimeError } from '../../core/errors.ts'
import type { Expr, ValueType } from '../../kernels/expr.ts'
import { childrenOf } from '../../kernels/expr.ts'
import {
  type Accumulator,
  identityOf,
  type Kernel,
  type Reduction,
  type Stage,
  type Store,
} from '../../kernels/kernel.ts'
import { singlePrecision } from '../../kernels/single-precision.ts'
import { type Features, noFeatures } from './device.ts'
import { addText, storeText } from './elements.ts'
import { ExpressionWriter, wgslType } from './emit.ts'
import { helpersFor, usesHalves } from './helpers.ts'
import { type WordLayout, wordLayout, wordText } from './parameters.ts'
import { assemble, type ShaderText } from './shader-text.ts'

/** Invocations of one workgroup. */
export const WORKGROUP = 64
/** Workgroups along x; further ones are along y. */
export const MOST_GROUPS = 65535

/**
 * Who computes an outer position: an invocation of its own (`each`), a workgroup that shares its loops (`group`), or one
 * invocation all of them in order (`serial`), where one position's stores are read at another.
 */
export type Mode = 'each' | 'group' | 'serial'

/** What a shader is specialised on. */
export interface Variant {
  readonly outerRank: number
  readonly loopRank: number
  readonly mode: Mode
  /** For each operand the number of the memory that it lies in; operands in the same memory share a binding. */
  readonly memories: readonly number[]
  /** What the device has beyond the standard; default nothing. */
  readonly features?: Features
}

/** A shader and what it binds: the parameter block at 0, then the memories. */
export interface Shader {
  readonly code: string
  /** For each memory whether it is written to. */
  readonly written: readonly boolean[]
  readonly layout: WordLayout
  /** Its parts, where several dispatches of it may become one. */
  readonly text: ShaderText | null
}

/** Whether positions of a kernel must be computed one after the other. */
export function isSerial(kernel: Kernel): boolean {
  if (kernel.parallel) return false
  return storesOf(kernel).some((s) => s.at.length > 0 && s.mode === 'set' && reads(s.value, s.operand))
}

/** Whether a workgroup can share the loops of a kernel: none of them carries values from step to step. */
export function isShareable(kernel: Kernel): boolean {
  let loops = 0
  for (const stage of kernel.stages)
    if (stage.kind === 'loop') {
      loops++
      if (stage.accumulators.some((a) => a.reduction === null)) return false
    }
  return loops > 0
}

function storesOf(kernel: Kernel): Store[] {
  return kernel.stages.flatMap((s) => (s.kind === 'store' ? [s] : s.kind === 'loop' ? s.stores : []))
}

function reads(e: Expr, operand: number): boolean {
  return (e.kind === 'load' && e.operand === operand) || childrenOf(e).some((child) => reads(child, operand))
}

/**
 * The shader of a kernel. Binding 0 is the parameter block, binding i + 1 memory i.
 * @throws RuntimeError for float64 operands and for functions that WebGPU does not have.
 */
export function renderWgsl(kernel: Kernel, variant: Variant): Shader {
  for (const { dtype } of kernel.operands)
    if (dtype.name === 'float64')
      throw new RuntimeError(
        `${kernel.name}: float64 does not exist on WebGPU, whose shaders have no 64-bit floating numbers; use float32`,
      )
  return new Renderer(kernel, variant).render()
}

class Renderer {
  private readonly lines: string[] = []
  private readonly layout: WordLayout
  private readonly writer: ExpressionWriter
  private readonly stages: readonly Stage[]
  private readonly atomic: readonly boolean[]
  private readonly shared = new Map<string, string>()
  private depth = 1

  constructor(
    private readonly kernel: Kernel,
    private readonly variant: Variant,
  ) {
    const layout = wordLayout(kernel, variant.outerRank, variant.loopRank)
    this.layout = layout
    this.stages = singlePrecision(kernel)
    this.atomic = this.atomicMemories()
    this.writer = new ExpressionWriter(
      kernel,
      {
        offset: (operand) => wordText(layout.offset(operand)),
        stride: (operand, dim) => wordText(layout.stride(operand, dim)),
        atStride: (operand, coordinate) => wordText(layout.atStride(operand, coordinate)),
        scalar: (slot, word) => wordText(layout.scalar(slot) + word),
        array: (operand) => `x${variant.memories[operand]}`,
        isAtomic: (operand) => this.atomic[variant.memories[operand]],
      },
      (line) => this.line(line),
    )
  }

  /** The memories whose words several invocations may change: scatters that add, and words of several elements. */
  private atomicMemories(): boolean[] {
    const { memories } = this.variant
    const atomic: boolean[] = memories.map(() => false)
    for (const s of storesOf(this.kernel))
      if (s.mode === 'add' || this.kernel.operands[s.operand].dtype.itemsize < 4)
        atomic[memories[s.operand]] = true
    return atomic
  }

  private line(text: string): void {
    this.lines.push('  '.repeat(this.depth) + text)
  }

  render(): Shader {
    const { kernel, layout, variant } = this
    const { outerRank, mode } = variant
    const extents = Array.from({ length: outerRank }, (_, d) => `u32(${wordText(layout.outerExtent(d))})`)
    const total = extents.length === 0 ? '1u' : extents.join(' * ')
    if (mode === 'serial') {
      this.line(`for (var position = 0u; position < ${total}; position++) {`)
      this.depth++
    } else {
      this.line(
        mode === 'each'
          ? `let position = group.x * ${WORKGROUP}u + local.x + group.y * ${MOST_GROUPS * WORKGROUP}u;`
          : `let position = group.x + group.y * ${MOST_GROUPS}u;`,
      )
      this.line(`if (position >= ${total}) { return; }`)
    }
    this.line('var rest = position;')
    for (let d = outerRank - 1; d >= 0; d--) {
      this.line(d === 0 ? 'let o0 = i32(rest);' : `let o${d} = i32(rest % ${extents[d]});`)
      if (d > 0) this.line(`rest = rest / ${extents[d]};`)
    }
    kernel.operands.forEach((_, o) => {
      const terms = Array.from({ length: outerRank }, (_, d) => `o${d} * ${wordText(layout.stride(o, d))}`)
      this.line(`let p${o} = ${[wordText(layout.offset(o)), ...terms].join(' + ')};`)
    })
    for (const stage of this.stages) this.stage(stage)
    if (mode === 'serial') {
      this.depth--
      this.line('}')
    }
    return this.shader()
  }

  private shader(): Shader {
    const { kernel, variant, layout } = this
    const count = Math.max(-1, ...variant.memories) + 1
    const body = this.lines.join('\n')
    const written = Array.from({ length: count }, (_, m) =>
      kernel.operands.some(({ access }, o) => access !== 'read' && variant.memories[o] === m),
    )
    const { features = noFeatures } = variant
    const text: ShaderText = {
      words: layout.words,
      memories: written.map((isWritten, m) => ({
        word: this.atomic[m] ? 'atomic<u32>' : 'u32',
        written: isWritten,
      })),
      declarations: [
        ...[...this.shared].map(
          ([type, name]) => `var<workgroup> ${name}: array<${type === 'bool' ? 'u32' : type}, ${WORKGROUP}>;`,
        ),
        ...helpersFor(body, features),
      ],
      size: variant.mode === 'serial' ? 1 : WORKGROUP,
      subgroups: this.shared.size > 0 && features.subgroups,
      f16: usesHalves(body, features),
      body,
    }
    return { code: assemble(text), written, layout, text: variant.mode === 'serial' ? null : text }
  }

  private stage(stage: Stage): void {
    switch (stage.kind) {
      case 'let':
        this.line(`let v${stage.id} = ${this.writer.write(stage.value)};`)
        return
      case 'store':
        if (this.variant.mode === 'group') {
          // Written down by all, so that the values are known to all; stored by one.
          const value = this.writer.write(stage.value)
          const index = this.writer.address(stage.operand, stage.level, stage.at)
          this.line('if (local.x == 0u) {')
          this.depth++
          this.putElement(stage, index, value)
          this.depth--
          this.line('}')
        } else this.store(stage)
        return
      case 'loop':
        this.loop(stage)
        return
      default:
        stage satisfies never
    }
  }

  private loop(stage: Extract<Stage, { kind: 'loop' }>): void {
    const { loopRank, outerRank, mode } = this.variant
    for (const a of stage.accumulators) {
      const init = a.init ?? identityOf(a.reduction!, a.type)
      this.line(`var r${a.id}: ${wgslType(a.type)} = ${this.writer.write(init)};`)
      if (isCompensated(a)) this.line(`var e${a.id}: f32 = 0.0;`)
    }
    this.writer.forget()
    const extents = Array.from({ length: loopRank }, (_, d) => wordText(this.layout.loopExtent(d)))
    if (mode === 'group') {
      const total = extents.map((e) => `u32(${e})`).join(' * ') || '1u'
      this.line(`for (var step = local.x; step < ${total}; step += ${WORKGROUP}u) {`)
      this.depth++
      this.line('var left = step;')
      for (let d = loopRank - 1; d >= 0; d--) {
        this.line(d === 0 ? 'let l0 = i32(left);' : `let l${d} = i32(left % u32(${extents[d]}));`)
        if (d > 0) this.line(`left = left / u32(${extents[d]});`)
      }
    } else
      for (let d = 0; d < loopRank; d++) {
        this.line(`for (var l${d} = 0; l${d} < ${extents[d]}; l${d}++) {`)
        this.depth++
      }
    for (const a of stage.accumulators) if (a.reduction === null) this.line(`var v${a.id} = r${a.id};`)
    this.writer.enterLoop(loopRank, outerRank)
    const next = stage.accumulators.map((a) => this.writer.name(this.writer.write(a.value)))
    stage.accumulators.forEach((a, i) => {
      this.accumulate(a, next[i])
      if (a.reduction === null) this.line(`v${a.id} = r${a.id};`)
    })
    this.writer.forget()
    for (const s of stage.stores) this.store(s)
    this.writer.leaveLoop()
    this.writer.forget()
    for (let d = 0; d < (mode === 'group' ? 1 : loopRank); d++) {
      this.depth--
      this.line('}')
    }
    for (const a of stage.accumulators) this.finish(a)
  }

  /** Combines a value into an accumulator; sums of floats keep what rounding loses in a second number. */
  private accumulate(a: Accumulator, value: string): void {
    if (a.reduction === null) this.line(`r${a.id} = ${value};`)
    else if (isCompensated(a)) {
      const sum = this.writer.name(`r${a.id} + ${value}`)
      const part = this.writer.name(`${sum} - r${a.id}`)
      this.line(`e${a.id} += (r${a.id} - (${sum} - ${part})) + (${value} - ${part});`)
      this.line(`r${a.id} = ${sum};`)
    } else this.line(`r${a.id} = ${combine(a.reduction, a.type, `r${a.id}`, value)};`)
  }

  /** Gives the result of a loop its name; in a workgroup the invocations' results are combined first. */
  private finish(a: Accumulator): void {
    let result = `r${a.id}`
    // The rest is no number where the sum is infinite.
    if (isCompensated(a)) result = `select(r${a.id} + e${a.id}, r${a.id}, isNan(e${a.id}))`
    if (this.variant.mode !== 'group') {
      this.line(`let v${a.id} = ${result};`)
      return
    }
    const type = wgslType(a.type)
    const name = `shared${type === 'vec2<u32>' ? 'Int64' : type}`
    this.shared.set(type, name)
    const put = (text: string) => (type === 'bool' ? `select(0u, 1u, ${text})` : text)
    const get = (place: string) => (type === 'bool' ? `(${name}[${place}] != 0u)` : `${name}[${place}]`)
    if (this.variant.features?.subgroups) {
      this.finishInSubgroups(a, result, name, put, get)
      return
    }
    this.line(`${name}[local.x] = ${put(result)};`)
    this.line('workgroupBarrier();')
    this.line(`for (var half = ${WORKGROUP / 2}u; half > 0u; half = half >> 1u) {`)
    const combined = combine(a.reduction!, a.type, get('local.x'), get('local.x + half'))
    this.line(`  if (local.x < half) { ${name}[local.x] = ${put(combined)}; }`)
    this.line('  workgroupBarrier();')
    this.line('}')
    this.line(`let v${a.id} = ${get('0')};`)
    this.line('workgroupBarrier();')
  }

  /** Combines the results within subgroups, by exchanging them, and then the few that are left through workgroup memory. */
  private finishInSubgroups(
    a: Accumulator,
    result: string,
    name: string,
    put: (text: string) => string,
    get: (place: string) => string,
  ): void {
    const isBool = a.type === 'bool'
    let own = this.writer.name(result)
    for (let distance = 1; distance < WORKGROUP; distance *= 2) {
      const sent = `subgroupShuffleXor(${put(own)}, ${distance}u)`
      const other = this.writer.name(isBool ? `(${sent} != 0u)` : sent)
      // Beyond the end of the subgroup there is nobody to exchange with.
      own = this.writer.name(
        `select(${own}, ${combine(a.reduction!, a.type, own, other)}, lanes > ${distance}u)`,
      )
    }
    this.line(`if (lane == 0u) { ${name}[local.x / lanes] = ${put(own)}; }`)
    this.line('workgroupBarrier();')
    this.line(`var s${a.id} = ${get('0')};`)
    this.line(`for (var part = 1u; part * lanes < ${WORKGROUP}u; part++) {`)
    this.line(`  s${a.id} = ${combine(a.reduction!, a.type, `s${a.id}`, get('part'))};`)
    this.line('}')
    this.line(`let v${a.id} = s${a.id};`)
    this.line('workgroupBarrier();')
  }

  private store(store: Store): void {
    const value = this.writer.write(store.value)
    this.putElement(store, this.writer.address(store.operand, store.level, store.at), value)
    // What was loaded from there may have changed.
    if (this.kernel.operands[store.operand].access === 'readwrite') this.writer.forget()
  }

  private putElement(store: Store, index: string, value: string): void {
    const { dtype } = this.kernel.operands[store.operand]
    const memory = this.variant.memories[store.operand]
    const place = this.writer.name(index)
    const statements =
      store.mode === 'add'
        ? addText(dtype, `x${memory}`, place, value)
        : storeText(dtype, `x${memory}`, place, value, this.atomic[memory])
    for (const statement of statements) this.line(statement)
  }
}

const isCompensated = (a: Accumulator): boolean => a.reduction === 'sum' && a.type === 'f32'

function combine(reduction: Reduction, type: ValueType, a: string, b: string): string {
  const float = type === 'f32' || type === 'f64'
  switch (reduction) {
    case 'sum':
      return type === 'i64' ? `add64(${a}, ${b})` : `${a} + ${b}`
    case 'prod':
      return type === 'i64' ? `mul64(${a}, ${b})` : `${a} * ${b}`
    case 'max':
    case 'min':
      return type === 'i64' ? `${reduction}64(${a}, ${b})` : `${reduction}${float ? 'Nan' : ''}(${a}, ${b})`
    case 'any':
      return `(${a} || ${b})`
    case 'all':
      return `(${a} && ${b})`
    default:
      reduction satisfies never
      return a
  }
}
