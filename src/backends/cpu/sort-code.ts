// The WebAssembly functions that sort a line of numbers by radix: keys of the same order as the elements, packed with
// their positions into 64-bit pairs that move together. How they are put together is sort.ts's.

import type { DType } from '../../core/dtype.ts'
import type { Arena } from './arena.ts'
import { encodeModule, FunctionBuilder, type MemoryInstruction } from './assembler.ts'
import { addLocal, elementAddress, increase, loop } from './code.ts'

/** Addresses are byte offsets in the arena; `step` counts bytes, `n` elements. */
export interface SortFunctions {
  /**
   * Writes the n signed 64-bit keys of a line, all bits inverted with `flip` = -1. At `span` it leaves the largest key
   * minus the smallest, the smallest, and how many elements are NaN, 64 bits each.
   */
  keys(source: number, step: number, n: number, flip: number, keys: number, span: number): void
  /**
   * Packs pairs of the bits of (key - smallest) from bit `shift` on, 32 of them, above the position. Keys and pairs may be
   * the same memory.
   */
  pack(keys: number, pairs: number, n: number, span: number, shift: number): void
  /** Replaces the bits in pairs by other bits of the key at the pair's position. */
  repack(keys: number, pairs: number, n: number, span: number, shift: number): void
  /** Writes how often each of 2^bits digits, that start at bit `shift` of the pair, occurs. */
  count(pairs: number, counts: number, n: number, shift: number, bits: number): void
  /** Moves pairs into the order of their digits, whose counts are replaced by places. */
  scatter(from: number, to: number, counts: number, n: number, shift: number, bits: number): void
  /** Copies the pairs whose digit lies in [first, last] and returns how many there are. */
  select(from: number, to: number, n: number, shift: number, first: number, last: number): number
  /** Sorts few pairs in place. */
  insert(pairs: number, n: number): void
  /** Sorts few pairs in place by the whole keys at their positions. */
  insertByKey(keys: number, pairs: number, n: number): void
  /** Writes elements (unless `values` is 0) and positions, in 64 bits or 32, along lines with steps. */
  write(
    pairs: number,
    n: number,
    source: number,
    step: number,
    values: number,
    valueStep: number,
    positions: number,
    positionStep: number,
    wide: number,
  ): void
}

type Load = Extract<MemoryInstruction, `i64.load${string}`>

const loads: Record<string, Load> = {
  bool: 'i64.load8_u',
  uint8: 'i64.load8_u',
  int8: 'i64.load8_s',
  int16: 'i64.load16_s',
  float16: 'i64.load16_s',
  bfloat16: 'i64.load16_s',
  int32: 'i64.load32_s',
  float32: 'i64.load32_s',
  int64: 'i64.load',
  float64: 'i64.load',
}

/** The bits of a floating-point dtype without its sign, and those of infinity. */
const floats: Record<string, { readonly magnitude: bigint; readonly infinity: bigint }> = {
  float16: { magnitude: 0x7fffn, infinity: 0x7c00n },
  bfloat16: { magnitude: 0x7fffn, infinity: 0x7f80n },
  float32: { magnitude: 0x7fffffffn, infinity: 0x7f800000n },
  float64: { magnitude: 0x7fffffffffffffffn, infinity: 0x7ff0000000000000n },
}

function builder(parameters: number, results: readonly 'i32'[] = []): FunctionBuilder {
  return new FunctionBuilder(
    Array.from({ length: parameters }, () => 'i32' as const),
    results,
  )
}

/** Turns the bits of a float in `key` into a number of its order: NaN above infinity, both zeros 0. */
function orderFloat(fn: FunctionBuilder, key: number, nans: number, dtype: string): void {
  const { magnitude, infinity } = floats[dtype]
  const size = fn.local('i64')
  fn.get(key)
  fn.i64(magnitude)
  fn.op('i64.and')
  fn.set(size)
  // Negative numbers have the order of their magnitude turned around; -1 would be -0.
  fn.get(key)
  fn.get(key)
  fn.i64(magnitude)
  fn.op('i64.xor')
  fn.i64(1n)
  fn.op('i64.add')
  fn.get(key)
  fn.i64(0n)
  fn.op('i64.ge_s')
  fn.select()
  fn.set(key)
  fn.get(size)
  fn.i64(infinity)
  fn.op('i64.gt_s')
  fn.if(() => {
    fn.i64(magnitude)
    fn.set(key)
    fn.get(nans)
    fn.i64(1n)
    fn.op('i64.add')
    fn.set(nans)
  })
}

function keysFunction(dtype: string): FunctionBuilder {
  const fn = builder(6)
  const [source, step, n, flip, keys, span] = [0, 1, 2, 3, 4, 5]
  const [i, to] = [fn.local('i32'), fn.local('i32')]
  const [key, inverted, least, most, nans] = Array.from({ length: 5 }, () => fn.local('i64'))
  fn.get(flip)
  fn.op('i64.extend_i32_s')
  fn.set(inverted)
  fn.i64(2n ** 63n - 1n)
  fn.set(least)
  fn.i64(-(2n ** 63n))
  fn.set(most)
  fn.get(keys)
  fn.set(to)
  loop(
    fn,
    i,
    () => fn.get(n),
    1,
    () => {
      fn.get(source)
      fn.memory(loads[dtype])
      fn.set(key)
      if (dtype in floats) orderFloat(fn, key, nans, dtype)
      fn.get(to)
      fn.get(key)
      fn.get(inverted)
      fn.op('i64.xor')
      fn.tee(key)
      fn.memory('i64.store')
      for (const [bound, comparison] of [
        [least, 'i64.lt_s'],
        [most, 'i64.gt_s'],
      ] as const) {
        fn.get(key)
        fn.get(bound)
        fn.get(key)
        fn.get(bound)
        fn.op(comparison)
        fn.select()
        fn.set(bound)
      }
      addLocal(fn, source, step)
      increase(fn, to, 8)
    },
  )
  fn.get(span)
  fn.get(most)
  fn.get(least)
  fn.op('i64.sub')
  fn.memory('i64.store')
  fn.get(span)
  fn.get(least)
  fn.memory('i64.store', 8)
  fn.get(span)
  fn.get(nans)
  fn.memory('i64.store', 16)
  return fn
}

function packFunction(again: boolean): FunctionBuilder {
  const fn = builder(5)
  const [keys, pairs, n, span, shift] = [0, 1, 2, 3, 4]
  const [i, at, position] = [0, 0, 0].map(() => fn.local('i32'))
  const [least, by] = [0, 0].map(() => fn.local('i64'))
  fn.get(span)
  fn.memory('i64.load', 8)
  fn.set(least)
  fn.get(shift)
  fn.op('i64.extend_i32_s')
  fn.set(by)
  fn.get(pairs)
  fn.set(at)
  loop(
    fn,
    i,
    () => fn.get(n),
    1,
    () => {
      if (again) {
        fn.get(at)
        fn.memory('i32.load')
      } else fn.get(i)
      fn.set(position)
      fn.get(at)
      elementAddress(fn, keys, position, 3)
      fn.memory('i64.load')
      fn.get(least)
      fn.op('i64.sub')
      fn.get(by)
      fn.op('i64.shr_u')
      fn.i64(32n)
      fn.op('i64.shl')
      fn.get(position)
      fn.op('i64.extend_i32_u')
      fn.op('i64.or')
      fn.memory('i64.store')
      increase(fn, at, 8)
    },
  )
  return fn
}

/** Leaves the digit of the pair at an address on the stack. */
function digitAt(fn: FunctionBuilder, address: () => void, shift: number, mask: number): void {
  address()
  // Digits lie in the upper half.
  fn.memory('i32.load', 4)
  fn.get(shift)
  fn.op('i32.shr_u')
  fn.get(mask)
  fn.op('i32.and')
}

function setMask(fn: FunctionBuilder, bits: number): number {
  const mask = fn.local('i32')
  fn.i32(1)
  fn.get(bits)
  fn.op('i32.shl')
  fn.i32(1)
  fn.op('i32.sub')
  fn.set(mask)
  return mask
}

function countFunction(): FunctionBuilder {
  const fn = builder(5)
  const [pairs, counts, n, shift, bits] = [0, 1, 2, 3, 4]
  const [i, digit, size, at] = [0, 0, 0, 0].map(() => fn.local('i32'))
  const mask = setMask(fn, bits)
  fn.get(mask)
  fn.i32(1)
  fn.op('i32.add')
  fn.set(size)
  loop(
    fn,
    i,
    () => fn.get(size),
    1,
    () => {
      elementAddress(fn, counts, i, 2)
      fn.i32(0)
      fn.memory('i32.store')
    },
  )
  loop(
    fn,
    i,
    () => fn.get(n),
    1,
    () => {
      digitAt(fn, () => elementAddress(fn, pairs, i, 3), shift, mask)
      fn.set(digit)
      elementAddress(fn, counts, digit, 2)
      fn.tee(at)
      fn.get(at)
      fn.memory('i32.load')
      fn.i32(1)
      fn.op('i32.add')
      fn.memory('i32.store')
    },
  )
  return fn
}

function scatterFunction(): FunctionBuilder {
  const fn = builder(6)
  const [from, to, counts, n, shift, bits] = [0, 1, 2, 3, 4, 5]
  const [i, digit, size, at, place, count] = Array.from({ length: 6 }, () => fn.local('i32'))
  const pair = fn.local('i64')
  const mask = setMask(fn, bits)
  fn.get(mask)
  fn.i32(1)
  fn.op('i32.add')
  fn.set(size)
  // Counts become the addresses of each digit's next pair.
  fn.get(to)
  fn.set(place)
  loop(
    fn,
    i,
    () => fn.get(size),
    1,
    () => {
      elementAddress(fn, counts, i, 2)
      fn.tee(at)
      fn.memory('i32.load')
      fn.set(count)
      fn.get(at)
      fn.get(place)
      fn.memory('i32.store')
      elementAddress(fn, place, count, 3)
      fn.set(place)
    },
  )
  loop(
    fn,
    i,
    () => fn.get(n),
    1,
    () => {
      elementAddress(fn, from, i, 3)
      fn.memory('i64.load')
      fn.set(pair)
      fn.get(pair)
      fn.i64(32n)
      fn.op('i64.shr_u')
      fn.op('i32.wrap_i64')
      fn.get(shift)
      fn.op('i32.shr_u')
      fn.get(mask)
      fn.op('i32.and')
      fn.set(digit)
      elementAddress(fn, counts, digit, 2)
      fn.tee(at)
      fn.memory('i32.load')
      fn.tee(place)
      fn.get(pair)
      fn.memory('i64.store')
      fn.get(at)
      fn.get(place)
      fn.i32(8)
      fn.op('i32.add')
      fn.memory('i32.store')
    },
  )
  return fn
}

function selectFunction(): FunctionBuilder {
  const fn = builder(6, ['i32'])
  const [from, to, n, shift, first, last] = [0, 1, 2, 3, 4, 5]
  const [i, at, digit] = [0, 0, 0].map(() => fn.local('i32'))
  fn.get(to)
  fn.set(at)
  loop(
    fn,
    i,
    () => fn.get(n),
    1,
    () => {
      // Written always, kept where the digit is wanted: no branch to guess.
      fn.get(at)
      elementAddress(fn, from, i, 3)
      fn.memory('i64.load')
      fn.memory('i64.store')
      elementAddress(fn, from, i, 3)
      fn.memory('i32.load', 4)
      fn.get(shift)
      fn.op('i32.shr_u')
      fn.set(digit)
      fn.get(at)
      fn.get(digit)
      fn.get(first)
      fn.op('i32.ge_u')
      fn.get(digit)
      fn.get(last)
      fn.op('i32.le_u')
      fn.op('i32.and')
      fn.i32(3)
      fn.op('i32.shl')
      fn.op('i32.add')
      fn.set(at)
    },
  )
  fn.get(at)
  fn.get(to)
  fn.op('i32.sub')
  fn.i32(3)
  fn.op('i32.shr_u')
  return fn
}

function insertFunction(byKey: boolean): FunctionBuilder {
  const fn = builder(byKey ? 3 : 2)
  const [keys, pairs, n] = byKey ? [0, 1, 2] : [0, 0, 1]
  const [i, at, position] = [0, 0, 0].map(() => fn.local('i32'))
  const [pair, key] = [0, 0].map(() => fn.local('i64'))
  const keyOf = () => {
    fn.set(position)
    elementAddress(fn, keys, position, 3)
    fn.memory('i64.load')
  }
  loop(
    fn,
    i,
    () => fn.get(n),
    1,
    () => {
      elementAddress(fn, pairs, i, 3)
      fn.tee(at)
      fn.memory('i64.load')
      fn.set(pair)
      if (byKey) {
        fn.get(pair)
        fn.op('i32.wrap_i64')
        keyOf()
        fn.set(key)
      }
      fn.while(
        () => {
          // Nothing lies below the first pair: what is read there does not count.
          fn.get(at)
          fn.get(pairs)
          fn.op('i32.gt_u')
          fn.get(at)
          fn.i32(8)
          fn.op('i32.sub')
          if (byKey) {
            fn.memory('i32.load')
            fn.set(position)
            // Below the first pair there may be any number: look at an element that exists instead.
            fn.get(position)
            fn.i32(0)
            fn.get(at)
            fn.get(pairs)
            fn.op('i32.gt_u')
            fn.select()
            keyOf()
            fn.get(key)
            fn.op('i64.gt_s')
          } else {
            fn.memory('i64.load')
            fn.get(pair)
            fn.op('i64.gt_u')
          }
          fn.op('i32.and')
        },
        () => {
          fn.get(at)
          fn.get(at)
          fn.i32(8)
          fn.op('i32.sub')
          fn.memory('i64.load')
          fn.memory('i64.store')
          increase(fn, at, -8)
        },
      )
      fn.get(at)
      fn.get(pair)
      fn.memory('i64.store')
    },
  )
  return fn
}

function writeFunction(itemsize: number): FunctionBuilder {
  const fn = builder(9)
  const [pairs, n, source, step, values, valueStep, positions, positionStep, wide] = Array.from(
    { length: 9 },
    (_, i) => i,
  )
  const [i, position, value] = [0, 0, 0].map(() => fn.local('i32'))
  fn.get(values)
  fn.set(value)
  const [load, store] =
    itemsize === 8
      ? (['i64.load', 'i64.store'] as const)
      : itemsize === 4
        ? (['i32.load', 'i32.store'] as const)
        : itemsize === 2
          ? (['i32.load16_u', 'i32.store16'] as const)
          : (['i32.load8_u', 'i32.store8'] as const)
  loop(
    fn,
    i,
    () => fn.get(n),
    1,
    () => {
      elementAddress(fn, pairs, i, 3)
      fn.memory('i32.load')
      fn.set(position)
      fn.get(values)
      fn.if(() => {
        fn.get(value)
        fn.get(source)
        fn.get(position)
        fn.get(step)
        fn.op('i32.mul')
        fn.op('i32.add')
        fn.memory(load)
        fn.memory(store)
      })
      fn.get(wide)
      fn.if(
        () => {
          fn.get(positions)
          fn.get(position)
          fn.op('i64.extend_i32_u')
          fn.memory('i64.store')
        },
        () => {
          fn.get(positions)
          fn.get(position)
          fn.memory('i32.store')
        },
      )
      addLocal(fn, value, valueStep)
      addLocal(fn, positions, positionStep)
    },
  )
  return fn
}

const compiled = new WeakMap<Arena, Map<DType, SortFunctions>>()

/** The functions for lines of a dtype. */
export function sortFunctions(arena: Arena, dtype: DType): SortFunctions {
  let known = compiled.get(arena)
  if (known === undefined) {
    known = new Map()
    compiled.set(arena, known)
  }
  let functions = known.get(dtype)
  if (functions === undefined) {
    const bytes = encodeModule(
      [],
      [
        { name: 'keys', body: keysFunction(dtype.name) },
        { name: 'pack', body: packFunction(false) },
        { name: 'repack', body: packFunction(true) },
        { name: 'count', body: countFunction() },
        { name: 'scatter', body: scatterFunction() },
        { name: 'select', body: selectFunction() },
        { name: 'insert', body: insertFunction(false) },
        { name: 'insertByKey', body: insertFunction(true) },
        { name: 'write', body: writeFunction(dtype.itemsize) },
      ],
      arena,
    )
    const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), {
      env: { memory: arena.memory },
    })
    functions = instance.exports as unknown as SortFunctions
    known.set(dtype, functions)
  }
  return functions
}
