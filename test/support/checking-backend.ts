// A CPU backend that runs every kernel twice, compiled and interpreted, and compares all bytes of what they write.

import type { Allocation, Backend } from '../../src/backends/backend.ts'
import { registerBackend } from '../../src/backends/backend.ts'
import { cpuBackend } from '../../src/backends/cpu/cpu.ts'
import type { DType } from '../../src/core/dtype.ts'
import { bfloat16Bits, bfloat16FromBits, halfBits, halfFromBits } from '../../src/core/half.ts'
import { type ElementMemory, interpret } from '../../src/kernels/interpreter.ts'
import type { Kernel, Launch } from '../../src/kernels/kernel.ts'

/** One launch that ran: the kernel, its geometry, and the memory of each operand before and after. */
export interface RecordedLaunch {
  readonly kernel: Kernel
  readonly launch: Launch
  readonly before: readonly Uint8Array[]
  readonly after: readonly Uint8Array[]
  /** Which operands share memory: the index of the first operand with the same storage. */
  readonly shared: readonly number[]
}

/** Elements of a copy of an operand's bytes. */
export class ByteMemory implements ElementMemory {
  private readonly view: DataView

  constructor(readonly bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  read(dtype: DType, index: number): number | bigint | boolean {
    const at = index * dtype.itemsize
    switch (dtype.name) {
      case 'bool':
        return this.view.getUint8(at) !== 0
      case 'uint8':
        return this.view.getUint8(at)
      case 'int8':
        return this.view.getInt8(at)
      case 'int16':
        return this.view.getInt16(at, true)
      case 'int32':
        return this.view.getInt32(at, true)
      case 'int64':
        return this.view.getBigInt64(at, true)
      case 'float16':
        return halfFromBits(this.view.getUint16(at, true))
      case 'bfloat16':
        return bfloat16FromBits(this.view.getUint16(at, true))
      case 'float32':
        return this.view.getFloat32(at, true)
      case 'float64':
        return this.view.getFloat64(at, true)
      default:
        throw new Error(`no ${dtype}`)
    }
  }

  write(dtype: DType, index: number, value: number | bigint | boolean): void {
    const at = index * dtype.itemsize
    switch (dtype.name) {
      case 'bool':
        this.view.setUint8(at, value ? 1 : 0)
        return
      case 'uint8':
      case 'int8':
        this.view.setUint8(at, Number(value) & 0xff)
        return
      case 'int16':
        this.view.setUint16(at, Number(value) & 0xffff, true)
        return
      case 'int32':
        this.view.setInt32(at, Number(value), true)
        return
      case 'int64':
        this.view.setBigInt64(at, BigInt(value), true)
        return
      case 'float16':
        this.view.setUint16(at, halfBits(Number(value)), true)
        return
      case 'bfloat16':
        this.view.setUint16(at, bfloat16Bits(Number(value)), true)
        return
      case 'float32':
        this.view.setFloat32(at, Number(value), true)
        return
      case 'float64':
        this.view.setFloat64(at, Number(value), true)
        return
      default:
        throw new Error(`no ${dtype}`)
    }
  }
}

/** How far two floats may lie apart: a few ulp for transcendental functions and sums in another order. */
export function closeEnough(
  dtype: DType,
  a: number | bigint | boolean,
  b: number | bigint | boolean,
): boolean {
  if (typeof a !== 'number' || typeof b !== 'number' || dtype.kind !== 'float') return a === b
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) === Number.isNaN(b)
  if (a === b) return true
  if (!Number.isFinite(a) || !Number.isFinite(b)) return false
  const relative =
    { float64: 1e-13, float32: 1e-6, float16: 2 ** -10, bfloat16: 2 ** -7 }[dtype.name as 'float32'] ?? 0
  return (
    Math.abs(a - b) <=
    relative * Math.max(Math.abs(a), Math.abs(b)) +
      (dtype.itemsize === 8 ? 1e-14 : 1e-6) * (dtype.itemsize >= 4 ? 1 : 1e-2)
  )
}

// Packed and small float32 products add up in float32, as everyone's do; the interpreter's sums are float64. The rounding
// of a sum is relative to what is added, not to the result: these products are of some dozens of numbers around 1.
function closeProduct(dtype: DType, a: number | bigint | boolean, b: number | bigint | boolean): boolean {
  if (closeEnough(dtype, a, b)) return true
  return dtype.name === 'float32' && Math.abs(Number(a) - Number(b)) <= 1e-5
}

/** The differences between two runs of a launch, as text. */
export function differences(
  kernel: Kernel,
  compiled: readonly Uint8Array[],
  interpreted: readonly Uint8Array[],
  agree: typeof closeEnough = kernel.name === 'matmul' ? closeProduct : closeEnough,
): string[] {
  const found: string[] = []
  kernel.operands.forEach(({ dtype, access }, o) => {
    if (access === 'read') return
    const a = new ByteMemory(compiled[o])
    const b = new ByteMemory(interpreted[o])
    for (let i = 0; i < Math.floor(compiled[o].byteLength / dtype.itemsize); i++) {
      const [x, y] = [a.read(dtype, i), b.read(dtype, i)]
      if (!agree(dtype, x, y) && found.length < 3)
        found.push(
          `${kernel.name}: operand ${o} (${dtype.name}) element ${i}: compiled ${x}, interpreted ${y}`,
        )
    }
  })
  return found
}

/**
 * Runs `body` with every launch checked against the interpreter.
 * @returns what was launched, and all differences.
 */
export function checkLaunches(body: () => void): { launches: RecordedLaunch[]; differences: string[] } {
  const launches: RecordedLaunch[] = []
  const found: string[] = []

  const checked = (kernel: Kernel, launch: Launch, run: () => void): void => {
    const allocations = launch.operands.map((o) => o.storage as Allocation)
    const shared = allocations.map((a) => allocations.indexOf(a))
    const copy = () => allocations.map((a) => Uint8Array.from(cpuBackend.bytes(a)))
    const before = copy()
    run()
    const after = copy()
    launches.push({ kernel, launch, before, after, shared })
    const memories = before.map((bytes) => new ByteMemory(Uint8Array.from(bytes)))
    interpret(
      kernel,
      launch,
      shared.map((o) => memories[o]),
    )
    found.push(
      ...differences(
        kernel,
        after,
        shared.map((o) => memories[o].bytes),
      ),
    )
  }

  const checking: Backend = {
    type: 'cpu',
    allocate: (n) => cpuBackend.allocate(n),
    free: (a) => cpuBackend.free(a),
    bytes: (a) => cpuBackend.bytes(a),
    sort: (request) => cpuBackend.sort(request),
    launch: (kernel, launch) => checked(kernel, launch, () => cpuBackend.launch(kernel, launch)),
    launchFlat: (kernel, n, storages, offsets, scalars) => {
      const operands = storages.map((storage, i) => ({ storage, offset: offsets[i], strides: [1] }))
      checked(kernel, { outer: [n], loop: [], operands, scalars }, () =>
        cpuBackend.launchFlat(kernel, n, storages, offsets, scalars),
      )
    },
  }
  registerBackend(checking)
  try {
    body()
  } finally {
    registerBackend(cpuBackend)
  }
  return { launches, differences: found }
}
