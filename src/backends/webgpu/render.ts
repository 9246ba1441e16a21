// Renders a kernel to WGSL: one invocation per position of the outer space. Expressions: emit.ts.
// https://www.w3.org/TR/WGSL/

import type { DType } from '../../core/dtype.ts'
import { RuntimeError } from '../../core/errors.ts'
import type { ValueType } from '../../kernels/expr.ts'
import { identityOf, type Kernel, type Reduction, type Stage, type Store } from '../../kernels/kernel.ts'
import { ExpressionWriter, wgslType } from './emit.ts'
import { helpersFor } from './helpers.ts'

/** Invocations of one workgroup. */
export const WORKGROUP = 64

/** Where each launch parameter lies in the block of 32-bit words. */
export interface WordLayout {
  readonly offset: (operand: number) => number
  readonly outerExtent: (dim: number) => number
  readonly loopExtent: (dim: number) => number
  readonly stride: (operand: number, dim: number) => number
  readonly atStride: (operand: number, coordinate: number) => number
  readonly scalar: (slot: number) => number
  readonly words: number
}

const maximumAt = 4

/** The parameter block of a kernel for so many dimensions: offsets, extents, strides (in elements), scalars. */
export function wordLayout(kernel: Kernel, outerRank: number, loopRank: number): WordLayout {
  const n = kernel.operands.length
  const rank = outerRank + loopRank
  const strides = n + rank
  const at = strides + n * rank
  const scalars = at + n * maximumAt
  return {
    offset: (operand) => operand,
    outerExtent: (dim) => n + dim,
    loopExtent: (dim) => n + outerRank + dim,
    stride: (operand, dim) => strides + operand * rank + dim,
    atStride: (operand, coordinate) => at + operand * maximumAt + coordinate,
    scalar: (slot) => scalars + slot,
    words: scalars + kernel.scalars.length,
  }
}

/** Throws for dtypes that WebGPU cannot compute with. */
function checkOperands(kernel: Kernel): void {
  kernel.operands.forEach(({ dtype }) => {
    if (dtype.name === 'float64')
      throw new RuntimeError(
        `${kernel.name}: float64 does not exist on WebGPU, whose shaders have no 64-bit floating numbers; use float32`,
      )
  })
}

/**
 * The shader of a kernel for an outer and a loop space of these ranks. Binding 0 is the parameter block, binding
 * i + 1 operand i. int64 is computed in 32 bits; narrow types lie several to a word.
 * @throws RuntimeError for float64 operands.
 */
export function renderWgsl(kernel: Kernel, outerRank: number, loopRank: number): string {
  checkOperands(kernel)
  return new Renderer(kernel, outerRank, loopRank).render()
}

class Renderer {
  private readonly lines: string[] = []
  private readonly layout: WordLayout
  private readonly writer: ExpressionWriter
  private depth = 1

  constructor(
    private readonly kernel: Kernel,
    private readonly outerRank: number,
    private readonly loopRank: number,
  ) {
    this.layout = wordLayout(kernel, outerRank, loopRank)
    this.writer = new ExpressionWriter(kernel, this.layout, (line) => this.line(line))
  }

  private line(text: string): void {
    this.lines.push('  '.repeat(this.depth) + text)
  }

  render(): string {
    const { kernel } = this
    this.line('let position = group.x * 64u + local.x + group.y * 4194240u;')
    const extents = Array.from(
      { length: this.outerRank },
      (_, d) => `u32(params[${this.layout.outerExtent(d)}])`,
    )
    this.line(`if (position >= ${extents.length === 0 ? '1u' : extents.join(' * ')}) { return; }`)
    this.line('var rest = position;')
    for (let d = this.outerRank - 1; d >= 0; d--) {
      this.line(`let o${d} = i32(rest % ${extents[d]});`)
      if (d > 0) this.line(`rest = rest / ${extents[d]};`)
    }
    kernel.operands.forEach((_, o) => {
      const terms = Array.from(
        { length: this.outerRank },
        (_, d) => `o${d} * params[${this.layout.stride(o, d)}]`,
      )
      this.line(`let p${o} = ${[`params[${this.layout.offset(o)}]`, ...terms].join(' + ')};`)
    })
    for (const stage of kernel.stages) this.stage(stage)
    const body = this.lines.join('\n')
    const bindings = kernel.operands.map(
      ({ dtype, access }, o) =>
        `@group(0) @binding(${o + 1}) var<storage, ${access === 'read' ? 'read' : 'read_write'}> x${o}: array<${elementType(dtype, access, this.isAtomic(o))}>;`,
    )
    return [
      '@group(0) @binding(0) var<storage, read> params: array<i32>;',
      ...bindings,
      ...helpersFor(body),
      `@compute @workgroup_size(${WORKGROUP})`,
      'fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_id) local: vec3<u32>) {',
      body,
      '}',
      '',
    ].join('\n')
  }

  /** Whether stores to an operand can meet, so that they must be atomic: scatters that add, and shared words. */
  private isAtomic(operand: number): boolean {
    const stores: Store[] = this.kernel.stages.flatMap((s) =>
      s.kind === 'store' ? [s] : s.kind === 'loop' ? s.stores : [],
    )
    return stores.some(
      (s) => s.operand === operand && (s.mode === 'add' || this.kernel.operands[operand].dtype.itemsize < 4),
    )
  }

  private stage(stage: Stage): void {
    switch (stage.kind) {
      case 'let':
        this.line(`let v${stage.id} = ${this.writer.write(stage.value)};`)
        return
      case 'store':
        this.store(stage)
        return
      case 'loop':
        this.loop(stage)
        return
      default:
        stage satisfies never
    }
  }

  private loop(stage: Extract<Stage, { kind: 'loop' }>): void {
    for (const a of stage.accumulators) {
      const init = a.init ?? identityOf(a.reduction!, a.type)
      this.line(`var v${a.id}: ${wgslType(a.type)} = ${this.writer.write(init)};`)
    }
    this.writer.forget()
    for (let d = 0; d < this.loopRank; d++) {
      this.line(`for (var l${d} = 0; l${d} < params[${this.layout.loopExtent(d)}]; l${d}++) {`)
      this.depth++
    }
    this.writer.enterLoop(this.loopRank, this.outerRank)
    const next = stage.accumulators.map((a) => this.writer.write(a.value))
    const named = next.map((value, i) => {
      if (stage.accumulators.length === 1) return value
      const name = `n${stage.accumulators[i].id}`
      this.line(`let ${name} = ${value};`)
      return name
    })
    stage.accumulators.forEach((a, i) => {
      this.line(
        `v${a.id} = ${a.reduction === null ? named[i] : combine(a.reduction, a.type, `v${a.id}`, named[i])};`,
      )
    })
    this.writer.forget()
    for (const s of stage.stores) this.store(s)
    this.writer.leaveLoop()
    this.writer.forget()
    for (let d = 0; d < this.loopRank; d++) {
      this.depth--
      this.line('}')
    }
  }

  private store(store: Store): void {
    const index = this.writer.address(store.operand, store.level, store.at)
    const value = this.writer.write(store.value)
    const { dtype } = this.kernel.operands[store.operand]
    this.line(storeStatement(store, dtype, index, value, this.isAtomic(store.operand)))
  }
}

function elementType(dtype: DType, access: string, atomic: boolean): string {
  if (atomic) return 'atomic<u32>'
  if (dtype.name === 'int64') return 'vec2<u32>'
  if (dtype.name === 'float32') return 'f32'
  if (dtype.name === 'int32') return 'i32'
  return access === 'read' ? 'u32' : 'atomic<u32>'
}

function storeStatement(store: Store, dtype: DType, index: string, value: string, atomic: boolean): string {
  const x = `x${store.operand}`
  switch (dtype.name) {
    case 'float32':
      return atomic ? `addFloat(&${x}[${index}], ${value});` : `${x}[${index}] = ${value};`
    case 'int32':
      return atomic ? `atomicAdd(&${x}[${index}], u32(${value}));` : `${x}[${index}] = ${value};`
    case 'int64':
      if (atomic)
        throw new RuntimeError(
          'adding to int64 elements by index is not possible on WebGPU: no 64-bit atomics; use int32',
        )
      return `${x}[${index}] = widen(${value});`
    case 'float16':
      return `putBits(&${x}[(${index}) >> 1u], (${index}) & 1, 16u, pack2x16float(vec2<f32>(${value}, 0.0)));`
    case 'bfloat16':
      return `putBits(&${x}[(${index}) >> 1u], (${index}) & 1, 16u, roundToBfloat16(${value}));`
    case 'int16':
      return `putBits(&${x}[(${index}) >> 1u], (${index}) & 1, 16u, u32(${value}) & 0xffffu);`
    case 'bool':
      return `putBits(&${x}[(${index}) >> 2u], (${index}) & 3, 8u, select(0u, 1u, ${value}));`
    default:
      return `putBits(&${x}[(${index}) >> 2u], (${index}) & 3, 8u, u32(${value}) & 0xffu);`
  }
}

function combine(reduction: Reduction, type: ValueType, a: string, b: string): string {
  switch (reduction) {
    case 'sum':
      return `${a} + ${b}`
    case 'prod':
      return `${a} * ${b}`
    case 'max':
      return type === 'f32' || type === 'f64' ? `maxNan(${a}, ${b})` : `max(${a}, ${b})`
    case 'min':
      return type === 'f32' || type === 'f64' ? `minNan(${a}, ${b})` : `min(${a}, ${b})`
    case 'any':
      return `(${a} || ${b})`
    case 'all':
      return `(${a} && ${b})`
    default:
      reduction satisfies never
      return a
  }
}
