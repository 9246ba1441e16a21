// What hand-written WebAssembly functions have in common: counted loops, and arithmetic on locals.

import type { FunctionBuilder } from './assembler.ts'

/** `for (counter = 0; counter < end; counter += step) body`. */
export function loop(
  fn: FunctionBuilder,
  counter: number,
  end: () => void,
  step: number,
  body: () => void,
): void {
  setTo(fn, counter, 0)
  fn.while(
    () => {
      fn.get(counter)
      end()
      fn.op('i32.lt_s')
    },
    () => {
      body()
      increase(fn, counter, step)
    },
  )
}

/** `while (counter + step <= end) { body; counter += step }`, which leaves a remainder of less than a step. */
export function steps(
  fn: FunctionBuilder,
  counter: number,
  end: number,
  step: number,
  body: () => void,
): void {
  fn.while(
    () => {
      fn.get(counter)
      fn.i32(step)
      fn.op('i32.add')
      fn.get(end)
      fn.op('i32.le_s')
    },
    () => {
      body()
      increase(fn, counter, step)
    },
  )
}

/** Adds what `amount` leaves on the stack to an i32 local. */
export function addTo(fn: FunctionBuilder, local: number, amount: () => void): void {
  fn.get(local)
  amount()
  fn.op('i32.add')
  fn.set(local)
}

/** Adds a number to an i32 local. */
export function increase(fn: FunctionBuilder, local: number, by: number): void {
  addTo(fn, local, () => fn.i32(by))
}

/** Adds one i32 local to another. */
export function addLocal(fn: FunctionBuilder, local: number, by: number): void {
  addTo(fn, local, () => fn.get(by))
}

/** Sets an i32 local to a number. */
export function setTo(fn: FunctionBuilder, local: number, value: number): void {
  fn.i32(value)
  fn.set(local)
}

/** Sets a local to another. */
export function copyLocal(fn: FunctionBuilder, local: number, from: number): void {
  fn.get(from)
  fn.set(local)
}

/** Leaves the address of element `index` (an i32 local) of an array at `base` on the stack. */
export function elementAddress(fn: FunctionBuilder, base: number, index: number, shift: number): void {
  fn.get(base)
  fn.get(index)
  fn.i32(shift)
  fn.op('i32.shl')
  fn.op('i32.add')
}
