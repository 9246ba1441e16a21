// A small WebAssembly assembler: instructions by name, locals by number, one module of imports and functions.

export type WasmType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128'

const typeCodes: Record<WasmType, number> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b }

// Opcodes: https://webassembly.github.io/spec/core/appendix/index-instructions.html. Those above 0xff are
// prefixed: 0xfcNN saturating conversions, 0xfd00 + NN vector instructions.
const opcodes = {
  'i32.eqz': 0x45, 'i32.eq': 0x46, 'i32.ne': 0x47, 'i32.lt_s': 0x48, 'i32.lt_u': 0x49, 'i32.gt_s': 0x4a, 'i32.gt_u': 0x4b,
  'i32.le_s': 0x4c, 'i32.le_u': 0x4d, 'i32.ge_s': 0x4e, 'i32.ge_u': 0x4f,
  'i64.eqz': 0x50, 'i64.eq': 0x51, 'i64.ne': 0x52, 'i64.lt_s': 0x53, 'i64.gt_s': 0x55, 'i64.gt_u': 0x56, 'i64.le_s': 0x57, 'i64.ge_s': 0x59,
  'f32.eq': 0x5b, 'f32.ne': 0x5c, 'f32.lt': 0x5d, 'f32.gt': 0x5e, 'f32.le': 0x5f, 'f32.ge': 0x60,
  'f64.eq': 0x61, 'f64.ne': 0x62, 'f64.lt': 0x63, 'f64.gt': 0x64, 'f64.le': 0x65, 'f64.ge': 0x66,
  'i32.add': 0x6a, 'i32.sub': 0x6b, 'i32.mul': 0x6c, 'i32.div_s': 0x6d, 'i32.rem_s': 0x6f, 'i32.and': 0x71, 'i32.or': 0x72,
  'i32.xor': 0x73, 'i32.shl': 0x74, 'i32.shr_s': 0x75, 'i32.shr_u': 0x76,
  'i64.add': 0x7c, 'i64.sub': 0x7d, 'i64.mul': 0x7e, 'i64.div_s': 0x7f, 'i64.rem_s': 0x81, 'i64.and': 0x83, 'i64.or': 0x84,
  'i64.xor': 0x85, 'i64.shl': 0x86, 'i64.shr_s': 0x87, 'i64.shr_u': 0x88,
  'f32.abs': 0x8b, 'f32.neg': 0x8c, 'f32.ceil': 0x8d, 'f32.floor': 0x8e, 'f32.trunc': 0x8f, 'f32.nearest': 0x90, 'f32.sqrt': 0x91,
  'f32.add': 0x92, 'f32.sub': 0x93, 'f32.mul': 0x94, 'f32.div': 0x95, 'f32.min': 0x96, 'f32.max': 0x97,
  'f64.abs': 0x99, 'f64.neg': 0x9a, 'f64.ceil': 0x9b, 'f64.floor': 0x9c, 'f64.trunc': 0x9d, 'f64.nearest': 0x9e, 'f64.sqrt': 0x9f,
  'f64.add': 0xa0, 'f64.sub': 0xa1, 'f64.mul': 0xa2, 'f64.div': 0xa3, 'f64.min': 0xa4, 'f64.max': 0xa5,
  'i32.wrap_i64': 0xa7, 'i64.extend_i32_s': 0xac, 'i64.extend_i32_u': 0xad, 'f32.convert_i32_s': 0xb2, 'f32.convert_i64_s': 0xb4,
  'f32.demote_f64': 0xb6, 'f64.convert_i32_s': 0xb7, 'f64.convert_i64_s': 0xb9, 'f64.promote_f32': 0xbb,
  'i32.reinterpret_f32': 0xbc, 'i64.reinterpret_f64': 0xbd, 'f32.reinterpret_i32': 0xbe, 'f64.reinterpret_i64': 0xbf,
  'i32.trunc_sat_f32_s': 0xfc00, 'i32.trunc_sat_f64_s': 0xfc02, 'i64.trunc_sat_f32_s': 0xfc04, 'i64.trunc_sat_f64_s': 0xfc06,
  'i16x8.extend_low_i8x16_s': 0xfd87, 'i16x8.extend_low_i8x16_u': 0xfd89, 'i32x4.extend_low_i16x8_s': 0xfda7, 'i32x4.extend_low_i16x8_u': 0xfda9,
  'i8x16.narrow_i16x8_u': 0xfd66, 'i16x8.narrow_i32x4_u': 0xfd86,
  'i32x4.splat': 0xfd11, 'i64x2.splat': 0xfd12, 'f32x4.splat': 0xfd13, 'f64x2.splat': 0xfd14,
  'i32x4.eq': 0xfd37, 'i32x4.ne': 0xfd38, 'i32x4.lt_s': 0xfd39, 'i32x4.gt_s': 0xfd3b, 'i32x4.le_s': 0xfd3d, 'i32x4.ge_s': 0xfd3f,
  'f32x4.eq': 0xfd41, 'f32x4.ne': 0xfd42, 'f32x4.lt': 0xfd43, 'f32x4.gt': 0xfd44, 'f32x4.le': 0xfd45, 'f32x4.ge': 0xfd46,
  'f64x2.eq': 0xfd47, 'f64x2.ne': 0xfd48, 'f64x2.lt': 0xfd49, 'f64x2.gt': 0xfd4a, 'f64x2.le': 0xfd4b, 'f64x2.ge': 0xfd4c,
  'v128.not': 0xfd4d, 'v128.and': 0xfd4e, 'v128.or': 0xfd50, 'v128.xor': 0xfd51, 'v128.bitselect': 0xfd52, 'v128.andnot': 0xfd4f, 'v128.any_true': 0xfd53,
  'f32x4.demote_f64x2_zero': 0xfd5e, 'f64x2.promote_low_f32x4': 0xfd5f,
  'f32x4.ceil': 0xfd67, 'f32x4.floor': 0xfd68, 'f32x4.trunc': 0xfd69, 'f32x4.nearest': 0xfd6a,
  'f64x2.ceil': 0xfd74, 'f64x2.floor': 0xfd75, 'f64x2.trunc': 0xfd7a, 'f64x2.nearest': 0xfd94,
  'i32x4.abs': 0xfda0, 'i32x4.neg': 0xfda1, 'i32x4.shl': 0xfdab, 'i32x4.shr_s': 0xfdac, 'i32x4.shr_u': 0xfdad, 'i32x4.add': 0xfdae,
  'i32x4.sub': 0xfdb1, 'i32x4.mul': 0xfdb5, 'i32x4.min_s': 0xfdb6, 'i32x4.max_s': 0xfdb8,
  'i64x2.abs': 0xfdc0, 'i64x2.neg': 0xfdc1, 'i64x2.shl': 0xfdcb, 'i64x2.shr_s': 0xfdcc, 'i64x2.shr_u': 0xfdcd, 'i64x2.add': 0xfdce,
  'i64x2.sub': 0xfdd1, 'i64x2.mul': 0xfdd5, 'i64x2.eq': 0xfdd6, 'i64x2.ne': 0xfdd7, 'i64x2.lt_s': 0xfdd8, 'i64x2.gt_s': 0xfdd9,
  'i64x2.le_s': 0xfdda, 'i64x2.ge_s': 0xfddb,
  'f32x4.abs': 0xfde0, 'f32x4.neg': 0xfde1, 'f32x4.sqrt': 0xfde3, 'f32x4.add': 0xfde4, 'f32x4.sub': 0xfde5, 'f32x4.mul': 0xfde6,
  'f32x4.div': 0xfde7, 'f32x4.min': 0xfde8, 'f32x4.max': 0xfde9, 'f32x4.pmin': 0xfdea, 'f32x4.pmax': 0xfdeb,
  'f64x2.abs': 0xfdec, 'f64x2.neg': 0xfded, 'f64x2.sqrt': 0xfdef, 'f64x2.add': 0xfdf0, 'f64x2.sub': 0xfdf1, 'f64x2.mul': 0xfdf2,
  'f64x2.div': 0xfdf3, 'f64x2.min': 0xfdf4, 'f64x2.max': 0xfdf5, 'f64x2.pmin': 0xfdf6, 'f64x2.pmax': 0xfdf7,
  'i32x4.trunc_sat_f32x4_s': 0xfdf8, 'f32x4.convert_i32x4_s': 0xfdfa,
} as const // biome-ignore format: a table

const memoryOpcodes = {
  'i32.load': 0x28, 'i64.load': 0x29, 'f32.load': 0x2a, 'f64.load': 0x2b, 'i32.load8_s': 0x2c, 'i32.load8_u': 0x2d,
  'i32.load16_s': 0x2e, 'i32.load16_u': 0x2f,
  'i64.load8_s': 0x30, 'i64.load8_u': 0x31, 'i64.load16_s': 0x32, 'i64.load32_s': 0x34, 'i32.store': 0x36, 'i64.store': 0x37, 'f32.store': 0x38, 'f64.store': 0x39,
  'i32.store8': 0x3a, 'i32.store16': 0x3b,
  'v128.load': 0xfd00, 'v128.load16x4_s': 0xfd03, 'v128.load16x4_u': 0xfd04, 'v128.load32_splat': 0xfd09, 'v128.load64_splat': 0xfd0a,
  'v128.store': 0xfd0b, 'v128.load32_zero': 0xfd5c, 'v128.load64_zero': 0xfd5d,
} as const // biome-ignore format: a table

const laneOpcodes = {
  'i32x4.extract_lane': 0xfd1b, 'i64x2.extract_lane': 0xfd1d, 'f32x4.extract_lane': 0xfd1f, 'f64x2.extract_lane': 0xfd21,
  'i32x4.replace_lane': 0xfd1c, 'f32x4.replace_lane': 0xfd20, 'f64x2.replace_lane': 0xfd22,
} as const // biome-ignore format: a table

export type Instruction = keyof typeof opcodes
export type MemoryInstruction = keyof typeof memoryOpcodes
export type LaneInstruction = keyof typeof laneOpcodes

function pushUnsigned(out: number[], value: number): void {
  let v = value
  do {
    const byte = v & 0x7f
    v = Math.floor(v / 128)
    out.push(v === 0 ? byte : byte | 0x80)
  } while (v !== 0)
}

function pushSigned(out: number[], value: bigint): void {
  let v = value
  for (;;) {
    const byte = Number(v & 0x7fn)
    v >>= 7n
    if ((v === 0n && (byte & 0x40) === 0) || (v === -1n && (byte & 0x40) !== 0)) {
      out.push(byte)
      return
    }
    out.push(byte | 0x80)
  }
}

const scratch = new DataView(new ArrayBuffer(16))

/** Writes one function's body. Locals are numbered, the parameters first. */
export class FunctionBuilder {
  private code: number[] = []
  private readonly prologue: number[] = []
  private readonly locals: WasmType[] = []

  constructor(
    readonly params: readonly WasmType[],
    readonly results: readonly WasmType[] = [],
  ) {}

  local(type: WasmType): number {
    return this.params.length + this.locals.push(type) - 1
  }

  private opcode(code: number | undefined): void {
    if (code === undefined) throw new Error('assembler: there is no such instruction')
    if (code < 0x100) this.code.push(code)
    else {
      this.code.push(code >> 8)
      pushUnsigned(this.code, code & 0xff)
    }
  }

  op(name: Instruction): void {
    this.opcode(opcodes[name])
  }

  /** A load or store; `offset` is added to the address on the stack. */
  memory(name: MemoryInstruction, offset = 0): void {
    this.opcode(memoryOpcodes[name])
    this.code.push(0)
    pushUnsigned(this.code, offset)
  }

  /** Stores the lowest `bits` bits of a vector. */
  storeLane(bits: 32 | 64, offset = 0): void {
    this.opcode(bits === 32 ? 0xfd5a : 0xfd5b)
    this.code.push(0)
    pushUnsigned(this.code, offset)
    this.code.push(0)
  }

  lane(name: LaneInstruction, lane: number): void {
    this.opcode(laneOpcodes[name])
    this.code.push(lane)
  }

  /** i8x16.shuffle: byte i of the result is byte `lanes[i]` of the two vectors on the stack. */
  shuffle(lanes: readonly number[]): void {
    this.opcode(0xfd0d)
    this.code.push(...lanes)
  }

  get(local: number): void {
    this.code.push(0x20)
    pushUnsigned(this.code, local)
  }

  set(local: number): void {
    this.code.push(0x21)
    pushUnsigned(this.code, local)
  }

  tee(local: number): void {
    this.code.push(0x22)
    pushUnsigned(this.code, local)
  }

  i32(value: number): void {
    this.code.push(0x41)
    pushSigned(this.code, BigInt(value | 0))
  }

  i64(value: bigint): void {
    this.code.push(0x42)
    pushSigned(this.code, BigInt.asIntN(64, value))
  }

  f32(value: number): void {
    scratch.setFloat32(0, value, true)
    this.code.push(0x43)
    for (let i = 0; i < 4; i++) this.code.push(scratch.getUint8(i))
  }

  f64(value: number): void {
    scratch.setFloat64(0, value, true)
    this.code.push(0x44)
    for (let i = 0; i < 8; i++) this.code.push(scratch.getUint8(i))
  }

  select(): void {
    this.code.push(0x1b)
  }

  call(index: number): void {
    this.code.push(0x10)
    pushUnsigned(this.code, index)
  }

  /** `if (the i32 on the stack) { then } else { otherwise }`. */
  if(then: () => void, otherwise?: () => void): void {
    this.code.push(0x04, 0x40)
    then()
    if (otherwise !== undefined) {
      this.code.push(0x05)
      otherwise()
    }
    this.code.push(0x0b)
  }

  /** `while (condition) { body }`, the condition left on the stack as an i32. */
  while(condition: () => void, body: () => void): void {
    this.code.push(0x02, 0x40, 0x03, 0x40)
    condition()
    this.op('i32.eqz')
    this.code.push(0x0d, 0x01)
    body()
    this.code.push(0x0c, 0x00, 0x0b, 0x0b)
  }

  encode(): number[] {
    const body: number[] = []
    pushUnsigned(body, this.locals.length)
    for (const type of this.locals) body.push(0x01, typeCodes[type])
    // Not one spread: a large body would overflow the argument stack.
    for (const byte of this.prologue) body.push(byte)
    for (const byte of this.code) body.push(byte)
    body.push(0x0b)
    return body
  }

  /** What `emit` writes comes before all else, in the order of the calls. */
  inPrologue(emit: () => void): void {
    const { code } = this
    this.code = this.prologue
    emit()
    this.code = code
  }
}

export interface ImportedFunction {
  readonly name: string
  readonly params: readonly WasmType[]
  readonly results: readonly WasmType[]
}

function section(out: number[], id: number, items: readonly number[][]): void {
  const content: number[] = []
  pushUnsigned(content, items.length)
  for (const item of items) for (const byte of item) content.push(byte)
  out.push(id)
  pushUnsigned(out, content.length)
  for (const byte of content) out.push(byte)
}

function name(text: string): number[] {
  const bytes = [...new TextEncoder().encode(text)]
  const out: number[] = []
  pushUnsigned(out, bytes.length)
  return out.concat(bytes)
}

function functionType(params: readonly WasmType[], results: readonly WasmType[]): number[] {
  return [
    0x60,
    params.length,
    ...params.map((t) => typeCodes[t]),
    results.length,
    ...results.map((t) => typeCodes[t]),
  ]
}

/**
 * A module that imports the memory `env.memory` and the functions given, and exports the functions given.
 * Imported functions are numbered first, in order.
 */
export function encodeModule(
  imports: readonly ImportedFunction[],
  functions: readonly { readonly name: string; readonly body: FunctionBuilder }[],
  memory: { readonly shared: boolean; readonly maximumPages: number },
): Uint8Array<ArrayBuffer> {
  const out: number[] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00]
  const types = [
    ...imports.map((f) => functionType(f.params, f.results)),
    ...functions.map((f) => functionType(f.body.params, f.body.results)),
  ]
  section(out, 1, types)
  const limits: number[] = [memory.shared ? 0x03 : 0x01, 0x00]
  pushUnsigned(limits, memory.maximumPages)
  section(out, 2, [
    [...name('env'), ...name('memory'), 0x02, ...limits],
    ...imports.map((f, i) => {
      const item = [...name('env'), ...name(f.name), 0x00]
      pushUnsigned(item, i)
      return item
    }),
  ])
  const indices = functions.map((_, i) => {
    const item: number[] = []
    pushUnsigned(item, imports.length + i)
    return item
  })
  section(out, 3, indices)
  section(
    out,
    7,
    functions.map((f, i) => [...name(f.name), 0x00, ...indices[i]]),
  )
  section(
    out,
    10,
    functions.map((f) => {
      const body = f.body.encode()
      const item: number[] = []
      pushUnsigned(item, body.length)
      for (const byte of body) item.push(byte)
      return item
    }),
  )
  return new Uint8Array(out)
}
