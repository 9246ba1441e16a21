// Emits scalar expressions as WebAssembly, one element at a time or in SIMD lanes. Each shared value is computed once.

import type { RealDTypeName } from '../../core/dtype.ts'
import { childrenOf, constant, type Expr, isFloat, type ValueType } from '../../kernels/expr.ts'
import type { Kernel, Reduction } from '../../kernels/kernel.ts'
import type { FunctionBuilder, ImportedFunction, Instruction, WasmType } from './assembler.ts'
import type { Layout, ParameterBlock } from './layout.ts'
import { expand } from './vectorize.ts'

export type Mode = 'scalar' | 'vector'

/** A stretch of code in which computed values are remembered. */
export interface Scope {
  readonly mode: Mode
  readonly level: 'outer' | 'loop'
  readonly computed: Map<Expr, number>
  readonly uses: Map<Expr, number>
}

/** The instructions of a lane type: `f32x4.` and so on. */
export function vectorPrefix(type: ValueType, lanes: number): 'f32x4' | 'f64x2' | 'i32x4' | 'i64x2' {
  if (type === 'f32') return 'f32x4'
  if (type === 'f64') return 'f64x2'
  if (type === 'i64') return 'i64x2'
  return type === 'bool' && lanes === 2 ? 'i64x2' : 'i32x4'
}

export class ExpressionEmitter {
  /** Per operand, the local that holds its current address. */
  readonly pointers: number[] = []
  readonly outerIndex: number[] = []
  readonly loopIndex: number[] = []
  /** Named values and accumulators, by id. */
  readonly locals = new Map<number, number>()
  private readonly parameters = new Map<string, number>()
  private readonly splats = new Map<string, number>()

  constructor(
    private readonly kernel: Kernel,
    private readonly layout: Layout,
    private readonly fn: FunctionBuilder,
    private readonly block: ParameterBlock,
    private readonly params: number,
    /** Host functions that the module calls; functions of one module share the list. */
    readonly imports: ImportedFunction[],
    /** Launch parameters that are known already, by their place in the block. */
    private readonly known: ReadonlyMap<number, number> | null,
  ) {}

  wasmType(type: ValueType): WasmType {
    return type === 'bool' ? 'i32' : type
  }

  /** A local that holds a launch parameter, loaded when the function starts. */
  parameter(type: Exclude<WasmType, 'v128'>, offset: number): number {
    const key = `${type}@${offset}`
    let local = this.parameters.get(key)
    if (local === undefined) {
      local = this.fn.local(type)
      const target = local
      const known = type === 'i32' ? this.known?.get(offset) : undefined
      this.fn.inPrologue(() => {
        if (known !== undefined) this.fn.i32(known)
        else {
          this.fn.get(this.params)
          this.fn.memory(`${type}.load`, offset)
        }
        this.fn.set(target)
      })
      this.parameters.set(key, local)
    }
    return local
  }

  scope(mode: Mode, level: 'outer' | 'loop', roots: readonly Expr[]): Scope {
    return { mode, level, computed: new Map(), uses: this.countUses(roots) }
  }

  /** The scope of a loop's step: what was computed before the loop is known in it. */
  loopScope(mode: Mode, outer: Scope, roots: readonly Expr[], broadcast: Map<Expr, number> | null): Scope {
    return {
      mode,
      level: 'loop',
      computed: new Map(broadcast ?? outer.computed),
      uses: this.countUses(roots),
    }
  }

  /** The same scope with nothing remembered but what was known before the step. */
  fresh(scope: Scope): Scope {
    const computed = new Map<Expr, number>()
    for (const [e, local] of scope.computed) if (!this.isStep(e)) computed.set(e, local)
    return { ...scope, computed }
  }

  private isStep(e: Expr): boolean {
    return this.some(
      e,
      (x) => x.kind === 'local' || ((x.kind === 'load' || x.kind === 'index') && x.level === 'loop'),
    )
  }

  private countUses(roots: readonly Expr[]): Map<Expr, number> {
    const uses = new Map<Expr, number>()
    const visit = (original: Expr): void => {
      const e = expand(original, this.kernel)
      const n = uses.get(e) ?? 0
      uses.set(e, n + 1)
      if (n === 0) for (const child of childrenOf(e)) visit(child)
    }
    for (const root of roots) visit(root)
    return uses
  }

  private some(root: Expr, test: (e: Expr) => boolean): boolean {
    const seen = new Set<Expr>()
    const visit = (original: Expr): boolean => {
      const e = expand(original, this.kernel)
      if (seen.has(e)) return false
      seen.add(e)
      return test(e) || childrenOf(e).some(visit)
    }
    return visit(root)
  }

  /** Computes a value and gives it a name. */
  define(id: number, value: Expr, scope: Scope): void {
    const local = this.fn.local(scope.mode === 'vector' ? 'v128' : this.wasmType(value.type))
    this.emit(value, scope)
    this.fn.set(local)
    this.locals.set(id, local)
  }

  private changes(e: Expr, own: ReadonlySet<number>): boolean {
    return this.some(
      e,
      (x) =>
        ((x.kind === 'load' || x.kind === 'index') && x.level === 'loop') ||
        (x.kind === 'local' && own.has(x.id)),
    )
  }

  private invariants(roots: readonly Expr[], own: ReadonlySet<number>): Set<Expr> {
    const found = new Set<Expr>()
    const seen = new Set<Expr>()
    const visit = (original: Expr): void => {
      const e = expand(original, this.kernel)
      if (seen.has(e) || e.kind === 'const') return
      seen.add(e)
      if (!this.changes(e, own)) found.add(e)
      else for (const child of childrenOf(e)) visit(child)
    }
    for (const root of roots) visit(root)
    return found
  }

  /** Computes before a loop what does not change in it. */
  hoist(roots: readonly Expr[], outer: Scope, own: ReadonlySet<number>): void {
    for (const e of this.invariants(roots, own)) {
      if (e.kind === 'scalar' || e.kind === 'local' || e.kind === 'index' || outer.computed.has(e)) continue
      this.emit(e, outer)
      const local = this.fn.local(outer.mode === 'vector' ? 'v128' : this.wasmType(e.type))
      this.fn.set(local)
      outer.computed.set(e, local)
    }
  }

  /** Fills vectors with the values that do not change in a loop whose steps are vectors. */
  broadcastHoisted(roots: readonly Expr[], outer: Scope, own: ReadonlySet<number>): Map<Expr, number> {
    const broadcast = new Map<Expr, number>()
    for (const e of this.invariants(roots, own)) {
      this.emit(e, outer)
      this.splat(e.type)
      const local = this.fn.local('v128')
      this.fn.set(local)
      broadcast.set(e, local)
    }
    return broadcast
  }

  /** Turns the scalar on the stack into a vector of it; a bool into a mask. */
  private splat(type: ValueType): void {
    if (type === 'bool') {
      const local = this.fn.local('i32')
      this.fn.set(local)
      this.fn.i32(0)
      this.fn.get(local)
      this.fn.op('i32.sub')
      this.fn.op('i32x4.splat')
    } else this.fn.op(`${vectorPrefix(type, this.layout.lanes)}.splat`)
  }

  /** Leaves a vector of a constant on the stack, made once when the function starts. */
  splatConstant(e: Expr): void {
    if (e.kind !== 'const') throw new Error('kernel: a constant was expected')
    const key = `${e.type}:${Object.is(e.value, -0) ? '-0' : String(e.value)}`
    let local = this.splats.get(key)
    if (local === undefined) {
      local = this.fn.local('v128')
      const target = local
      this.fn.inPrologue(() => {
        this.scalarConstant(e)
        this.splat(e.type)
        this.fn.set(target)
      })
      this.splats.set(key, local)
    }
    this.fn.get(local)
  }

  private scalarConstant(e: Extract<Expr, { kind: 'const' }>): void {
    switch (e.type) {
      case 'bool':
        this.fn.i32(e.value ? 1 : 0)
        return
      case 'i32':
        this.fn.i32(Number(e.value))
        return
      case 'i64':
        this.fn.i64(BigInt(e.value))
        return
      case 'f32':
        this.fn.f32(Number(e.value))
        return
      case 'f64':
        this.fn.f64(Number(e.value))
        return
      default:
        e.type satisfies never
    }
  }

  /** Leaves an expression's value on the stack. */
  emit(original: Expr, scope: Scope): void {
    const e = expand(original, this.kernel)
    const known = scope.computed.get(e)
    if (known !== undefined) {
      this.fn.get(known)
      return
    }
    this.compute(e, scope)
    const trivial =
      e.kind === 'const' || e.kind === 'local' || (e.kind === 'scalar' && scope.mode === 'scalar')
    if (trivial || (scope.uses.get(e) ?? 0) < 2) return
    const local = this.fn.local(scope.mode === 'vector' ? 'v128' : this.wasmType(e.type))
    this.fn.tee(local)
    scope.computed.set(e, local)
  }

  private compute(e: Expr, scope: Scope): void {
    const vector = scope.mode === 'vector'
    switch (e.kind) {
      case 'const':
        if (vector) this.splatConstant(e)
        else this.scalarConstant(e)
        return
      case 'scalar':
        this.fn.get(this.parameter(this.wasmType(e.type) as 'i32', this.block.scalar(e.slot)))
        if (vector) this.splat(e.type)
        return
      case 'local':
        this.fn.get(this.locals.get(e.id)!)
        return
      case 'index':
        this.index(e, vector)
        return
      case 'load':
        this.load(e, scope)
        return
      case 'unary':
        this.emit(e.a, scope)
        this.unary(e, vector)
        return
      case 'binary':
        this.binary(e, scope)
        return
      case 'compare':
        this.emit(e.a, scope)
        this.emit(e.b, scope)
        this.compare(e, vector)
        return
      case 'select':
        if (e.rare) {
          this.rarely(e, scope)
          return
        }
        this.emit(e.a, scope)
        this.emit(e.b, scope)
        this.emit(e.cond, scope)
        if (vector) this.fn.op('v128.bitselect')
        else this.fn.select()
        return
      case 'cast':
        this.emit(e.a, scope)
        this.cast(e.a.type, e.type, vector)
        return
      case 'bitcast':
        this.emit(e.a, scope)
        if (!vector && e.a.type !== e.type) this.fn.op(`${e.type}.reinterpret_${e.a.type}` as Instruction)
        return
      case 'math':
        if (vector) this.callHostForLanes(e, scope)
        else this.callHost(e, scope)
        return
      default:
        e satisfies never
    }
  }

  /** Passes over the rare value where no lane needs it. What is computed on the way is known nowhere else. */
  private rarely(e: Extract<Expr, { kind: 'select' }>, scope: Scope): void {
    const { fn } = this
    const vector = scope.mode === 'vector'
    const result = fn.local(vector ? 'v128' : this.wasmType(e.type))
    const condition = fn.local(vector ? 'v128' : 'i32')
    this.emit(e.b, scope)
    fn.set(result)
    this.emit(e.cond, scope)
    fn.tee(condition)
    if (vector) fn.op('v128.any_true')
    fn.if(() => {
      this.emit(e.a, { ...scope, computed: new Map(scope.computed) })
      if (vector) {
        fn.get(result)
        fn.get(condition)
        fn.op('v128.bitselect')
      }
      fn.set(result)
    })
    fn.get(result)
  }

  private index(e: Extract<Expr, { kind: 'index' }>, vector: boolean): void {
    this.fn.get(e.level === 'outer' ? this.outerIndex[e.dim] : this.loopIndex[e.dim])
    if (!vector) return
    this.fn.op('i32x4.splat')
    const { vector: plan, outerRank, loopRank } = this.layout
    const along =
      plan === 'outer'
        ? e.level === 'outer' && e.dim === outerRank - 1
        : e.level === 'loop' && e.dim === loopRank - 1
    if (!along) return
    this.fn.i32(0)
    this.fn.op('i32x4.splat')
    for (let lane = 1; lane < 4; lane++) {
      this.fn.i32(lane)
      this.fn.lane('i32x4.replace_lane', lane)
    }
    this.fn.op('i32x4.add')
  }

  private address(operand: number, at: readonly Expr[], scope: Scope): void {
    this.fn.get(this.pointers[operand])
    at.forEach((coordinate, i) => {
      this.emit(coordinate, scope)
      if (coordinate.type === 'i64') this.fn.op('i32.wrap_i64')
      this.fn.get(this.parameter('i32', this.block.atStride(operand, i)))
      this.fn.op('i32.mul')
      this.fn.op('i32.add')
    })
  }

  private load(e: Extract<Expr, { kind: 'load' }>, scope: Scope): void {
    const dtype = this.kernel.operands[e.operand].dtype.name
    if (scope.mode === 'vector') {
      this.fn.get(this.pointers[e.operand])
      this.vectorLoad(e.operand, e.type)
      return
    }
    this.address(e.operand, e.at, scope)
    if (e.where !== null) {
      // Where the condition is false, any valid address will do: the value is replaced.
      this.fn.get(this.params)
      this.emit(e.where, scope)
      this.fn.select()
    }
    this.fn.memory(scalarLoads[dtype as RealDTypeName])
    if (e.where !== null) {
      this.scalarConstant({ kind: 'const', type: e.type, value: e.type === 'i64' ? 0n : 0 })
      this.emit(e.where, scope)
      this.fn.select()
    }
  }

  private vectorLoad(operand: number, type: ValueType): void {
    const { fn } = this
    const dtype = this.kernel.operands[operand].dtype
    if (this.layout.steps[operand] === 0) {
      fn.memory(scalarLoads[dtype.name as RealDTypeName])
      this.splat(type)
      return
    }
    switch (dtype.itemsize) {
      case 8:
      case 4:
        fn.memory('v128.load')
        return
      case 2:
        fn.memory(dtype.name === 'int16' ? 'v128.load16x4_s' : 'v128.load16x4_u')
        return
      default:
        fn.memory('v128.load32_zero')
        fn.op(dtype.name === 'int8' ? 'i16x8.extend_low_i8x16_s' : 'i16x8.extend_low_i8x16_u')
        fn.op(dtype.name === 'int8' ? 'i32x4.extend_low_i16x8_s' : 'i32x4.extend_low_i16x8_u')
        if (dtype.name !== 'bool') return
        fn.i32(0)
        fn.op('i32x4.splat')
        fn.op('i32x4.ne')
    }
  }

  store(operand: number, at: readonly Expr[], value: Expr, scope: Scope): void {
    const { fn } = this
    const dtype = this.kernel.operands[operand].dtype
    if (scope.mode === 'scalar') {
      this.address(operand, at, scope)
      this.emit(value, scope)
      fn.memory(scalarStores[dtype.name as RealDTypeName])
      return
    }
    fn.get(this.pointers[operand])
    this.emit(value, scope)
    if (dtype.itemsize >= 4) {
      fn.memory('v128.store')
      return
    }
    // Narrowing saturates, so the bits that are dropped are cleared first. A mask has all bits set: its lowest is 1.
    fn.i32(dtype.name === 'bool' ? 1 : dtype.itemsize === 1 ? 0xff : 0xffff)
    fn.op('i32x4.splat')
    fn.op('v128.and')
    const low = fn.local('v128')
    fn.tee(low)
    fn.get(low)
    fn.op('i16x8.narrow_i32x4_u')
    if (dtype.itemsize === 2) {
      fn.storeLane(64)
      return
    }
    fn.tee(low)
    fn.get(low)
    fn.op('i8x16.narrow_i16x8_u')
    fn.storeLane(32)
  }

  private unary(e: Extract<Expr, { kind: 'unary' }>, vector: boolean): void {
    const { fn } = this
    const { type } = e
    if (e.fn === 'not') {
      if (vector) fn.op('v128.not')
      else if (type === 'bool') fn.op('i32.eqz')
      else {
        this.scalarConstant({ kind: 'const', type, value: type === 'i64' ? -1n : -1 })
        fn.op(`${type as 'i32' | 'i64'}.xor`)
      }
      return
    }
    if (vector) {
      fn.op(`${vectorPrefix(type, this.layout.lanes)}.${e.fn}` as Instruction)
      return
    }
    if (type === 'f32' || type === 'f64') {
      fn.op(`${type}.${e.fn}`)
      return
    }
    const t = type as 'i32' | 'i64'
    const value = fn.local(t)
    fn.set(value)
    this.scalarConstant({ kind: 'const', type: t, value: t === 'i64' ? 0n : 0 })
    fn.get(value)
    fn.op(`${t}.sub`)
    if (e.fn === 'neg') return
    fn.get(value)
    fn.get(value)
    this.scalarConstant({ kind: 'const', type: t, value: t === 'i64' ? 0n : 0 })
    fn.op(`${t}.lt_s`)
    fn.select()
  }

  private binary(e: Extract<Expr, { kind: 'binary' }>, scope: Scope): void {
    const { fn } = this
    const vector = scope.mode === 'vector'
    const { type } = e
    if (!vector && (e.fn === 'div' || e.fn === 'rem') && (type === 'i32' || type === 'i64')) {
      this.integerDivision(e, type, scope)
      return
    }
    if (e.fn === 'shl' || e.fn === 'shr' || e.fn === 'shrUnsigned') {
      this.emit(e.a, scope)
      const name = e.fn === 'shl' ? 'shl' : e.fn === 'shr' ? 'shr_s' : 'shr_u'
      if (vector) {
        fn.i32(Number((e.b as Extract<Expr, { kind: 'const' }>).value))
        fn.op(`${vectorPrefix(type, this.layout.lanes) as 'i32x4' | 'i64x2'}.${name}`)
      } else {
        this.emit(e.b, scope)
        fn.op(`${type as 'i32' | 'i64'}.${name}`)
      }
      return
    }
    if (vector && (e.fn === 'min' || e.fn === 'max') && isFloat(type)) {
      this.vectorExtremum(e, scope)
      return
    }
    this.emit(e.a, scope)
    this.emit(e.b, scope)
    if (vector) this.vectorBinary(e.fn, type)
    else this.scalarBinary(e.fn, type)
  }

  /** The larger or smaller of floats. With a number other than 0 on one side the short instructions (`a < b ? b : a`) hand NaN on and cannot confuse the zeros. */
  private vectorExtremum(e: Extract<Expr, { kind: 'binary' }>, scope: Scope): void {
    const isNumber = (x: Expr) => x.kind === 'const' && !Number.isNaN(x.value) && x.value !== 0
    const [a, b] = isNumber(e.a) ? [e.b, e.a] : [e.a, e.b]
    this.emit(a, scope)
    this.emit(b, scope)
    this.vectorBinary(isNumber(b) ? (e.fn === 'min' ? 'pmin' : 'pmax') : e.fn, e.type)
  }

  private scalarBinary(name: string, type: ValueType): void {
    const { fn } = this
    if ((name === 'min' || name === 'max') && (type === 'i32' || type === 'i64')) {
      const [a, b] = [fn.local(type), fn.local(type)]
      fn.set(b)
      fn.tee(a)
      fn.get(b)
      fn.get(a)
      fn.get(b)
      fn.op(name === 'min' ? `${type}.lt_s` : `${type}.gt_s`)
      fn.select()
      return
    }
    fn.op(`${this.wasmType(type)}.${name}` as Instruction)
  }

  private vectorBinary(name: string, type: ValueType): void {
    const { fn } = this
    if (name === 'and' || name === 'or' || name === 'xor') fn.op(`v128.${name}`)
    else {
      const signed = type === 'i32' && (name === 'min' || name === 'max') ? '_s' : ''
      fn.op(`${vectorPrefix(type, this.layout.lanes)}.${name}${signed}` as Instruction)
    }
  }

  /** Truncating division without traps: a zero divisor gives 0, and the one overflow wraps. */
  private integerDivision(e: Extract<Expr, { kind: 'binary' }>, type: 'i32' | 'i64', scope: Scope): void {
    const { fn } = this
    const number = (value: number) =>
      this.scalarConstant({ kind: 'const', type, value: type === 'i64' ? BigInt(value) : value })
    const [a, b, result] = [fn.local(type), fn.local(type), fn.local(type)]
    this.emit(e.a, scope)
    fn.set(a)
    this.emit(e.b, scope)
    fn.set(b)
    const isUnsafe = () => {
      fn.get(b)
      fn.op(`${type}.eqz`)
      fn.get(b)
      number(-1)
      fn.op(`${type}.eq`)
      fn.op('i32.or')
    }
    fn.get(a)
    number(1)
    fn.get(b)
    isUnsafe()
    fn.select()
    fn.op(e.fn === 'div' ? `${type}.div_s` : `${type}.rem_s`)
    fn.set(result)
    if (e.fn === 'rem') {
      number(0)
      fn.get(result)
      isUnsafe()
      fn.select()
      return
    }
    number(0)
    number(0)
    fn.get(a)
    fn.op(`${type}.sub`)
    fn.get(result)
    fn.get(b)
    number(-1)
    fn.op(`${type}.eq`)
    fn.select()
    fn.get(b)
    fn.op(`${type}.eqz`)
    fn.select()
  }

  private compare(e: Extract<Expr, { kind: 'compare' }>, vector: boolean): void {
    const { fn } = this
    const type = e.a.type
    if (vector && type === 'bool') {
      // A mask that holds is -1, so what is more as a number is less as a condition.
      const reversed = { lt: 'gt', le: 'ge', gt: 'lt', ge: 'le', eq: null, ne: null }[e.fn]
      if (reversed !== null) {
        fn.op(`i32x4.${reversed}_s` as Instruction)
        return
      }
      fn.op('v128.xor')
      if (e.fn === 'eq') fn.op('v128.not')
      return
    }
    const signed =
      (type === 'i32' || type === 'i64' || type === 'bool') && e.fn !== 'eq' && e.fn !== 'ne' ? '_s' : ''
    const prefix = vector ? vectorPrefix(type, this.layout.lanes) : this.wasmType(type)
    fn.op(`${prefix}.${e.fn}${signed}` as Instruction)
  }

  private cast(from: ValueType, to: ValueType, vector: boolean): void {
    const { fn } = this
    if (from === to) return
    if (vector) {
      if (from === 'bool') {
        this.splatConstant(constant(1, to))
        fn.op('v128.and')
      } else fn.op(to === 'f32' ? 'f32x4.convert_i32x4_s' : 'i32x4.trunc_sat_f32x4_s')
      return
    }
    for (const instruction of conversions[`${from === 'bool' ? 'i32u' : from}>${to}`] ?? [])
      fn.op(instruction)
  }

  private hostFunction({ fn, args }: Extract<Expr, { kind: 'math' }>): number {
    const index = this.imports.findIndex((f) => f.name === fn)
    if (index >= 0) return index
    return this.imports.push({ name: fn, params: args.map(() => 'f64' as const), results: ['f64'] }) - 1
  }

  private callHost(e: Extract<Expr, { kind: 'math' }>, scope: Scope): void {
    for (const arg of e.args) {
      this.emit(arg, scope)
      if (arg.type === 'f32') this.fn.op('f64.promote_f32')
    }
    this.fn.call(this.hostFunction(e))
    if (e.type === 'f32') this.fn.op('f32.demote_f64')
  }

  private callHostForLanes(e: Extract<Expr, { kind: 'math' }>, scope: Scope): void {
    const { fn } = this
    const args = e.args.map((arg) => {
      const local = fn.local('v128')
      this.emit(arg, scope)
      fn.set(local)
      return local
    })
    const result = fn.local('v128')
    for (let lane = 0; lane < this.layout.lanes; lane++) {
      fn.get(result)
      for (const arg of args) {
        fn.get(arg)
        fn.lane(e.type === 'f32' ? 'f32x4.extract_lane' : 'f64x2.extract_lane', lane)
        if (e.type === 'f32') fn.op('f64.promote_f32')
      }
      fn.call(this.hostFunction(e))
      if (e.type === 'f32') fn.op('f32.demote_f64')
      fn.lane(e.type === 'f32' ? 'f32x4.replace_lane' : 'f64x2.replace_lane', lane)
      fn.set(result)
    }
    fn.get(result)
  }

  combineScalar(reduction: Reduction, type: ValueType): void {
    this.scalarBinary(combiners[reduction], type)
  }

  combineVector(reduction: Reduction, type: ValueType): void {
    this.vectorBinary(combiners[reduction], type)
  }

  /** Takes one lane of the vector on the stack; of a mask, its truth. */
  extractLane(type: ValueType, lane: number): void {
    const { fn } = this
    if (type === 'bool') {
      if (this.layout.lanes === 2) {
        fn.lane('i64x2.extract_lane', lane)
        fn.op('i32.wrap_i64')
      } else fn.lane('i32x4.extract_lane', lane)
      fn.i32(1)
      fn.op('i32.and')
    } else fn.lane(`${vectorPrefix(type, this.layout.lanes)}.extract_lane`, lane)
  }
}

const combiners: Record<Reduction, string> = {
  sum: 'add',
  prod: 'mul',
  max: 'max',
  min: 'min',
  any: 'or',
  all: 'and',
}

const scalarLoads = {
  bool: 'i32.load8_u',
  uint8: 'i32.load8_u',
  int8: 'i32.load8_s',
  int16: 'i32.load16_s',
  int32: 'i32.load',
  int64: 'i64.load',
  float16: 'i32.load16_u',
  bfloat16: 'i32.load16_u',
  float32: 'f32.load',
  float64: 'f64.load',
} as const

const scalarStores = {
  bool: 'i32.store8',
  uint8: 'i32.store8',
  int8: 'i32.store8',
  int16: 'i32.store16',
  int32: 'i32.store',
  int64: 'i64.store',
  float16: 'i32.store16',
  bfloat16: 'i32.store16',
  float32: 'f32.store',
  float64: 'f64.store',
} as const

const conversions: Record<string, readonly Instruction[]> = {
  'i32u>i32': [],
  'i32u>i64': ['i64.extend_i32_u'],
  'i32u>f32': ['f32.convert_i32_s'],
  'i32u>f64': ['f64.convert_i32_s'],
  'i32>i64': ['i64.extend_i32_s'],
  'i32>f32': ['f32.convert_i32_s'],
  'i32>f64': ['f64.convert_i32_s'],
  'i64>i32': ['i32.wrap_i64'],
  'i64>f32': ['f32.convert_i64_s'],
  'i64>f64': ['f64.convert_i64_s'],
  'f32>i32': ['i32.trunc_sat_f32_s'],
  'f32>i64': ['i64.trunc_sat_f32_s'],
  'f32>f64': ['f64.promote_f32'],
  'f64>i32': ['i32.trunc_sat_f64_s'],
  'f64>i64': ['i64.trunc_sat_f64_s'],
  'f64>f32': ['f32.demote_f64'],
}
