// Turns kernels into programs for the native addon (native/evaluate.cc): a list of instructions on blocks of elements.
// Kernels with computed addresses or functions that no instruction computes have none; they stay with WebAssembly.

import { childrenOf, constant, type Expr, type ValueType } from '../../kernels/expr.ts'
import { type Accumulator, identityOf, type Kernel, type Store } from '../../kernels/kernel.ts'
import { lowerMath } from '../../kernels/lowering.ts'
import { compoundOf, type Matching } from './native-compounds.ts'
import { type NumberType, opcode } from './native-opcodes.ts'
import { changesInLoop, expand, storedValue } from './vectorize.ts'

/** What a program is made for: the ranks of a launch's spaces and whether blocks run along the loop. */
export interface ProgramShape {
  readonly outerRank: number
  readonly loopRank: number
  readonly inner: boolean
}

export interface ProgramCode {
  readonly code: Int32Array
  readonly constants: BigInt64Array
  /** About how many instructions an element costs. */
  readonly cost: number
}

/** One instruction; `d`, `a`, `b`, `c` are values until slots are given out. */
interface Line {
  readonly name: string
  readonly d: number
  readonly args: readonly number[]
  /** Numbers that are not values, by field. */
  readonly fields: { a?: number; b?: number; c?: number; x?: number }
}

/** Thrown where a kernel has no native form. */
class Unsupported extends Error {}

const dtypeCodes: Record<string, number> = {
  bool: 0,
  uint8: 1,
  int8: 2,
  int16: 3,
  float16: 4,
  bfloat16: 4,
  int32: 5,
  int64: 6,
  float32: 7,
  float64: 8,
}

/** The dtypes from this number on are computed with in the form in which they are stored. */
const FIRST_WIDE_DTYPE = dtypeCodes.int32

/** Bytes that the values' blocks may take together: a part of a first-level cache, through which the operands pass, too. */
const BLOCK_BYTES = 8 * 1024
const [SMALLEST_BLOCK, LARGEST_BLOCK] = [512, 16384]

/** How reductions along a block say of what and to what (native/evaluate.h). */
const [REDUCTION_OF_ROWS, FINISHES_ROWS] = [0x10000, 0x100]
const alongRows = (from: ValueType, to: ValueType) => REDUCTION_OF_ROWS | (width(from) << 4) | width(to)

const width = (type: ValueType) => (type === 'i64' || type === 'f64' ? 8 : 4)
const numberType = (type: ValueType): NumberType => (type === 'bool' ? 'i32' : type)
const expensive = new Set(['div', 'sqrt', 'rem'])

/** The program of a kernel, or null where it has none. */
export function programOf(kernel: Kernel, shape: ProgramShape): ProgramCode | null {
  if (!kernel.parallel || shape.outerRank > 32) return null
  try {
    return new ProgramWriter(kernel, shape).finish()
  } catch (error) {
    if (error instanceof Unsupported) return null
    throw error
  }
}

class ProgramWriter {
  private readonly prologue: Line[] = []
  private readonly lines: Line[] = []
  private readonly constants: bigint[] = []
  private readonly named = new Map<string, number>()
  /** Values computed at the outer level, those of the loop that is being written, and what locals stand for. */
  private readonly outer = new Map<Expr, number>()
  private inLoop: Map<Expr, number> | null = null
  private readonly locals = new Map<number, number>()
  /** Locals that are folded in the loop that is being written. */
  private own: ReadonlySet<number> = new Set()
  /** How many other expressions use each one: what one alone uses may become a part of its instruction. */
  private readonly uses = new Map<Expr, number>()
  private readonly matching: Matching
  private values = 0
  private cost = 0

  constructor(
    private readonly kernel: Kernel,
    private readonly shape: ProgramShape,
  ) {
    this.matching = {
      expand: (e) => expandNative(e, kernel),
      isOwn: (e, times) => this.uses.get(e) === times && !this.inLoop?.has(e) && !this.outer.has(e),
    }
    for (const root of rootsOf(kernel)) this.countUses(root)
    for (const stage of kernel.stages)
      if (stage.kind === 'let') this.locals.set(stage.id, this.value(stage.value))
      else if (stage.kind === 'store') this.store(stage)
      else this.loop(stage.accumulators, stage.stores)
  }

  private line(name: string, args: readonly number[] = [], fields: Line['fields'] = {}): number {
    if (opcode(name) === undefined) throw new Unsupported(name)
    const d = this.values++
    this.lines.push({ name, d, args, fields })
    this.cost += expensive.has(name.split('_')[0]) ? 4 : 1
    return d
  }

  private countUses(original: Expr): void {
    const e = expandNative(original, this.kernel)
    const before = this.uses.get(e) ?? 0
    this.uses.set(e, before + 1)
    if (before === 0) for (const child of childrenOf(e)) this.countUses(child)
  }

  /** The value of an expression that one instruction computes as a whole, or null. */
  private compound(e: Expr): number | null {
    const found = compoundOf(e, this.matching)
    if (found === null) return null
    const { compound, args } = found
    const name = `${compound.fn}_${compound.type}`
    if (opcode(name) === undefined) return null
    if (compound.arity < 3) this.cost += 10
    return this.line(
      name,
      args.map((x) => this.value(x)),
    )
  }

  // Constants and scalars fill a block once per launch.
  private once(key: string, name: 'constant' | 'scalar', type: ValueType, x: number): number {
    let value = this.named.get(key)
    if (value === undefined) {
      value = this.values++
      this.named.set(key, value)
      this.prologue.push({ name, d: value, args: [], fields: { a: width(type), x } })
    }
    return value
  }

  private constant(e: Extract<Expr, { kind: 'const' }>): number {
    const bits = bitsOf(e.value, e.type)
    let index = this.constants.indexOf(bits)
    if (index < 0) index = this.constants.push(bits) - 1
    return this.once(`c${bits}:${width(e.type)}`, 'constant', e.type, index)
  }

  private changes(e: Expr): boolean {
    if (changesInLoop(e, this.kernel)) return true
    return this.own.size > 0 && this.mentionsOwn(e)
  }

  private mentionsOwn(e: Expr, seen = new Set<Expr>()): boolean {
    const x = expandNative(e, this.kernel)
    if (seen.has(x)) return false
    seen.add(x)
    return (x.kind === 'local' && this.own.has(x.id)) || childrenOf(x).some((c) => this.mentionsOwn(c, seen))
  }

  private value(original: Expr): number {
    const e = expandNative(original, this.kernel)
    if (e.kind === 'const') return this.constant(e)
    if (e.kind === 'scalar') return this.once(`s${e.slot}`, 'scalar', e.type, e.slot)
    const known = this.inLoop?.get(e) ?? this.outer.get(e)
    if (known !== undefined) return known
    const value = e.kind === 'local' ? this.local(e.id) : (this.compound(e) ?? this.compute(e))
    if (e.kind !== 'local') (this.inLoop ?? this.outer).set(e, value)
    return value
  }

  private local(id: number): number {
    const value = this.locals.get(id)
    if (value === undefined) throw new Unsupported('an unknown local')
    return value
  }

  private compute(e: Exclude<Expr, { kind: 'const' | 'scalar' | 'local' }>): number {
    switch (e.kind) {
      case 'load':
        if (e.at.length > 0 || e.where !== null) throw new Unsupported('a computed address')
        return this.line('load', [], { a: e.level === 'loop' ? 1 : 0, x: e.operand })
      case 'index':
        return this.line('index', [], { a: e.level === 'loop' ? 1 : 0, x: e.dim })
      case 'unary':
        if (e.type === 'bool') return this.line('not_bool', [this.value(e.a)])
        return this.line(`${e.fn}_${e.type}`, [this.value(e.a)])
      case 'binary':
        return this.line(`${e.fn}_${numberType(e.type)}`, [this.value(e.a), this.value(e.b)])
      case 'compare':
        return this.line(`${e.fn}_${numberType(e.a.type)}`, [this.value(e.a), this.value(e.b)])
      case 'select':
        return this.line(
          `select_${width(e.type)}`,
          [e.cond, e.a, e.b].map((x) => this.value(x)),
        )
      case 'cast': {
        const [from, to] = [numberType(e.a.type), numberType(e.type)]
        return from === to ? this.value(e.a) : this.line(`cast_${from}_${to}`, [this.value(e.a)])
      }
      case 'bitcast':
        return this.value(e.a)
      case 'math':
        this.cost += 10
        return this.line(
          `${e.fn}_${e.type}`,
          e.args.map((x) => this.value(x)),
        )
      default:
        e satisfies never
        throw new Error('unreachable')
    }
  }

  private store(store: Store): void {
    if (store.at.length > 0) throw new Unsupported('a computed address')
    let value: Expr = store.value
    if (store.mode === 'add') {
      const old: Expr = {
        kind: 'load',
        type: value.type,
        operand: store.operand,
        level: store.level,
        at: [],
        where: null,
      }
      value = { kind: 'binary', type: value.type, fn: value.type === 'bool' ? 'or' : 'add', a: old, b: value }
    }
    const stored = this.value(storedValue(value, store.operand, this.kernel))
    this.line('store', [stored], { b: store.level === 'loop' ? 1 : 0, x: store.operand })
  }

  private loop(accumulators: readonly Accumulator[], stores: readonly Store[]): void {
    const { inner } = this.shape
    const folded = accumulators.filter((a) => a.reduction === null)
    if (inner && folded.length > 0) throw new Unsupported('a fold along blocks')
    const types = accumulators.map((a) => (a.reduction === 'sum' && a.type === 'f32' ? 'f64' : a.type))
    const states = accumulators.map((a, i) => {
      const init = a.reduction === null ? a.init! : identityOf(a.reduction, a.type)
      const first = types[i] === a.type ? this.value(init) : this.constant(constant(0, 'f64') as never)
      return this.line('start', [first], { b: width(types[i]), c: inner ? 1 : 0 })
    })
    this.own = new Set(folded.map((a) => a.id))
    const roots = [
      ...accumulators.map((a) => a.value),
      ...stores.map((s) => storedValue(s.value, s.operand, this.kernel)),
    ]
    this.inLoop = new Map(this.invariants(roots))
    accumulators.forEach((a, i) => {
      if (a.reduction === null) this.locals.set(a.id, states[i])
    })
    const costBefore = this.cost
    const begin = this.line('loop')
    const next = accumulators.map((a, i) => {
      const value = this.value(a.value)
      if (a.reduction === null)
        return states.includes(value) ? this.line(`copy_${width(a.type)}`, [value]) : value
      const name = `${inner ? 'lanes' : 'each'}_${a.reduction}_${numberType(a.type)}`
      this.change(name, states[i], value, inner ? { x: alongRows(a.type, types[i]) } : {})
      return -1
    })
    accumulators.forEach((a, i) => {
      if (a.reduction === null) this.change(`copy_${width(a.type)}`, states[i], next[i])
    })
    if (folded.length > 0) this.forgetSteps()
    for (const s of stores) this.store(s)
    this.line('end', [begin])
    if (this.cost === costBefore) this.cost++
    this.inLoop = null
    this.own = new Set()
    accumulators.forEach((a, i) => {
      let result = states[i]
      if (inner)
        result = this.line(`finish_${a.reduction}_${numberType(a.type)}`, [result], {
          x: alongRows(types[i], a.type) | FINISHES_ROWS,
        })
      else if (types[i] !== a.type) result = this.line('narrow_sum_f32', [result])
      this.locals.set(a.id, result)
    })
  }

  /** An instruction that changes the block of a value that exists. */
  private change(name: string, target: number, source: number, fields: Line['fields'] = {}): void {
    if (opcode(name) === undefined) throw new Unsupported(name)
    this.lines.push({ name, d: target, args: [source], fields })
    this.cost++
  }

  // Stores see the new values of what is folded: nothing that was computed from the old ones is used again.
  private forgetSteps(): void {
    for (const e of [...this.inLoop!.keys()]) if (this.changes(e)) this.inLoop!.delete(e)
  }

  /** Computes before a loop what does not change in it; in blocks along the loop, each fills a block. */
  private invariants(roots: readonly Expr[]): [Expr, number][] {
    const found: [Expr, number][] = []
    const seen = new Set<Expr>()
    const visit = (original: Expr): void => {
      const e = expandNative(original, this.kernel)
      if (seen.has(e) || e.kind === 'const' || e.kind === 'scalar') return
      seen.add(e)
      if (this.changes(e)) for (const child of childrenOf(e)) visit(child)
      else {
        const value = this.value(e)
        found.push([e, this.shape.inner ? this.spread(value, e.type) : value])
      }
    }
    for (const root of roots) visit(root)
    return found
  }

  private spread(value: number, type: ValueType): number {
    // Constants and scalars fill their blocks already.
    if (this.prologue.some((line) => line.d === value)) return value
    return this.line('spread', [value], { b: width(type) })
  }

  finish(): ProgramCode {
    const { prologue, lines } = this
    const [direct, copied] = this.memoryUse()
    const slots = this.slots()
    const { outerRank, loopRank, inner } = this.shape
    const code: number[] = [
      this.kernel.operands.length,
      outerRank,
      loopRank,
      inner ? 1 : 0,
      slots.count,
      this.blockSize(direct, slots.of),
      prologue.length,
      this.cost,
      ...this.kernel.operands.map((o) => dtypeCodes[o.dtype.name] ?? unsupported(o.dtype.name)),
    ]
    const ends = new Map<number, number>()
    lines.forEach((line, i) => {
      if (line.name === 'end') ends.set(line.args[0], prologue.length + i)
    })
    const all = [...prologue, ...lines]
    all.forEach((line, i) => {
      const { name, d, args, fields } = line
      const at = i - prologue.length
      let x = fields.x ?? 0
      if (name === 'loop') x = ends.get(d)!
      if (direct.has(at)) x = direct.get(at)!
      const b = copied.has(at) ? 1 : fields.b
      const s = (k: number) => (args[k] === undefined || name === 'end' ? 0 : slots.of(args[k]))
      code.push(opcode(name)!, slots.of(d), fields.a ?? s(0), b ?? s(1), fields.c ?? s(2), x)
    })
    return { code: Int32Array.from(code), constants: BigInt64Array.from(this.constants), cost: this.cost }
  }

  /**
   * Elements that an instruction computes at a time: as many as let the blocks of all values that need one stay in the
   * first-level cache. Operands whose elements lie side by side need none; they are used where they are.
   */
  private blockSize(direct: ReadonlyMap<number, number>, slotOf: (value: number) => number): number {
    const bytes = new Map<number, number>()
    const hold = (value: number, width: number) =>
      bytes.set(slotOf(value), Math.max(width, bytes.get(slotOf(value)) ?? 0))
    for (const { d, fields } of this.prologue) hold(d, fields.a ?? 8)
    this.lines.forEach(({ name, d, fields }, i) => {
      const inPlace =
        name === 'load' && dtypeCodes[this.kernel.operands[fields.x!].dtype.name] >= FIRST_WIDE_DTYPE
      if (!inPlace && !direct.has(i) && !/^(store|loop|end)$/.test(name))
        hold(d, /(8|64)$/.test(name) ? 8 : 4)
    })
    const perElement = [...bytes.values()].reduce((a, b) => a + b, 0)
    let size = LARGEST_BLOCK
    while (size > SMALLEST_BLOCK && size * perElement > BLOCK_BYTES) size /= 2
    return size
  }

  /**
   * Which operations write straight to the memory of an operand (its number, negative in loops), and which loads must
   * copy: those whose value is still used after something was stored, which may be the same memory.
   */
  private memoryUse(): [Map<number, number>, Set<number>] {
    const { lines } = this
    const last = this.lastUses()
    const written = new Map<number, number>()
    lines.forEach((line, i) => {
      written.set(line.d, written.has(line.d) ? -1 : i)
    })
    const direct = new Map<number, number>()
    const storesAt: number[] = []
    lines.forEach((line, i) => {
      if (line.name !== 'store') return
      const from = written.get(line.args[0]) ?? -1
      const operand = line.fields.x!
      const dtype = this.kernel.operands[operand].dtype.name
      const isOperation =
        from >= 0 && lines[from].name.includes('_') && !/^(copy|finish|narrow)/.test(lines[from].name)
      const between = lines.slice(from + 1, i)
      const plain = between.every(
        (l) => l.name !== 'load' && l.name !== 'store' && l.name !== 'loop' && l.name !== 'end',
      )
      const loadsLater = lines.some((l, j) => l.name === 'load' && j < from && last.get(l.d)! > from)
      if (
        isOperation &&
        plain &&
        !loadsLater &&
        (dtypeCodes[dtype] ?? 0) >= FIRST_WIDE_DTYPE &&
        !direct.has(from)
      ) {
        direct.set(from, line.fields.b === 1 ? -(operand + 1) : operand + 1)
        storesAt.push(from)
      } else storesAt.push(i)
    })
    const copied = new Set<number>()
    lines.forEach((line, i) => {
      if (line.name === 'load' && storesAt.some((s) => s > i && s < last.get(line.d)!)) copied.add(i)
    })
    return [direct, copied]
  }

  /** The last line that uses each value; inside a loop, of what was made before it, the loop's last line. */
  private lastUses(): Map<number, number> {
    const last = new Map<number, number>()
    const made = new Map<number, number>()
    let loopStart = -1
    let usedInLoop: number[] = []
    this.lines.forEach((line, i) => {
      if (line.name === 'loop') loopStart = i
      if (line.name === 'end') {
        for (const value of usedInLoop) last.set(value, i)
        usedInLoop = []
        loopStart = -1
        return
      }
      if (!made.has(line.d)) made.set(line.d, i)
      for (const value of [...line.args, line.d]) {
        last.set(value, i)
        if (loopStart >= 0 && (made.get(value) ?? -1) < loopStart) usedInLoop.push(value)
      }
    })
    return last
  }

  /** Gives values slots, each to several values whose lives do not meet. */
  private slots(): { count: number; of: (value: number) => number } {
    const last = this.lastUses()
    const slot = new Map<number, number>()
    const free: number[] = []
    let count = 0
    for (const line of this.prologue) slot.set(line.d, count++)
    this.lines.forEach((line, i) => {
      if (!slot.has(line.d)) slot.set(line.d, free.pop() ?? count++)
      for (const [value, at] of last)
        if (at === i && !this.prologue.some((p) => p.d === value)) free.push(slot.get(value)!)
    })
    return { count, of: (value) => slot.get(value) ?? 0 }
  }
}

function unsupported(what: string): never {
  throw new Unsupported(what)
}

/** What a kernel's stages compute. */
function rootsOf(kernel: Kernel): Expr[] {
  const stored = (s: Store) => storedValue(s.value, s.operand, kernel)
  return kernel.stages.flatMap((stage) => {
    if (stage.kind === 'let') return [stage.value]
    if (stage.kind === 'store') return [stored(stage)]
    const folds = stage.accumulators.flatMap((a) => (a.init === null ? [a.value] : [a.init, a.value]))
    return [...folds, ...stage.stores.map(stored)]
  })
}

/** Functions with an instruction of their own stay; others are written out. */
function expandNative(e: Expr, kernel: Kernel): Expr {
  if (e.kind === 'math' && opcode(`${e.fn}_${e.type}`) === undefined) {
    const lowered = lowerMath(e)
    if (lowered === null) throw new Unsupported(e.fn)
    return expandNative(lowered, kernel)
  }
  return e.kind === 'math' ? e : expand(e, kernel)
}

function bitsOf(value: number | bigint | boolean, type: ValueType): bigint {
  const view = new DataView(new ArrayBuffer(8))
  if (type === 'f64') view.setFloat64(0, Number(value), true)
  else if (type === 'f32') view.setFloat32(0, Number(value), true)
  else if (type === 'i64') view.setBigInt64(0, BigInt(value), true)
  else view.setInt32(0, Number(value), true)
  return view.getBigInt64(0, true)
}
