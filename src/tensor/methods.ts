// Turns functions of ops/ into methods of Tensor: their types by a mapped type, the methods themselves by one loop.

import { backward } from '../autograd/engine.ts'
import { registerHook, registerPostAccumulateGradHook } from '../autograd/tensor-hooks.ts'
import { whereMethod } from '../ops/choices.ts'
import { inPlaceOnly } from '../ops/conversion.ts'
import { newEmpty, newFull, newOnes, newTensor, newZeros } from '../ops/new.ts'
import { randomInPlace } from '../ops/random-in-place.ts'
import { inPlaceShapes } from '../ops/resize.ts'
import * as ops from '../ops/tensor-functions.ts'
import { transposeInPlace } from '../ops/view-in-place.ts'
import { conjugateTranspose, matrixTranspose, reversed } from '../ops/views.ts'
import { data, dataAsync, item, itemAsync, tolist, tolistAsync } from './data.ts'
import { Tensor } from './tensor.ts'

type Functions = typeof ops

/** Functions that are no methods, or methods of another form. */
type NotMethods = 'where'

/** The method of a function: its signatures without the first argument. Up to three overloads are kept. */
type Method<F> = F extends {
  (x: Tensor, ...args: infer A): infer R
  (x: Tensor, ...args: infer B): infer S
  (x: Tensor, ...args: infer C): infer U
}
  ? unknown[] extends A
    ? unknown[] extends B
      ? (...args: C) => U
      : { (...args: B): S; (...args: C): U }
    : { (...args: A): R; (...args: B): S; (...args: C): U }
  : F extends (x: Tensor, ...args: infer A) => infer R
    ? (...args: A) => R
    : never

type MethodNames = Exclude<keyof Functions, NotMethods | 'real' | 'imag'>

type InPlaceNames = {
  [K in MethodNames]: Functions[K] extends { readonly inPlace: unknown } ? K : never
}[MethodNames]

type FunctionMethods = { [K in MethodNames]: Method<Functions[K]> }
type InPlaceMethods = {
  [K in InPlaceNames as `${K & string}_`]: Functions[K] extends { readonly inPlace: infer G }
    ? Method<G>
    : never
}

/** The tensor itself. Throws where it cannot be read synchronously. */
function readable(x: Tensor): Tensor {
  if (x.storage.isAsynchronous) x.storage.bytes()
  return x
}

/** Methods that are no functions of `torch`. */
const methodsOnly = {
  ...inPlaceOnly,
  ...randomInPlace,
  ...transposeInPlace,
  ...inPlaceShapes,
  backward,
  registerHook,
  registerPostAccumulateGradHook,
  where: whereMethod,
  data: (x: Tensor) => data(readable(x)),
  dataAsync,
  item: (x: Tensor) => item(readable(x)),
  itemAsync,
  tolist: (x: Tensor) => tolist(readable(x)),
  tolistAsync,
  newEmpty,
  newFull,
  newOnes,
  newTensor,
  newZeros,
}

type MethodsOnly = { [K in keyof typeof methodsOnly]: Method<(typeof methodsOnly)[K]> }

/** All methods that come from functions. */
export interface TensorMethods extends FunctionMethods, InPlaceMethods, MethodsOnly {
  /** The transpose of a matrix; all dimensions reversed. */
  readonly T: Tensor
  /** The last two dimensions swapped. */
  readonly mT: Tensor
  /** The transpose of a matrix, conjugated if complex. */
  readonly H: Tensor
  /** The last two dimensions swapped, conjugated if complex. */
  readonly mH: Tensor
  /** The real part: a view of a complex tensor, a real tensor itself. */
  readonly real: Tensor
  /** The imaginary part, a view. Throws for real tensors. */
  readonly imag: Tensor
}

const notMethods: ReadonlySet<string> = new Set<NotMethods>(['where'])

type AnyFunction = ((...args: unknown[]) => unknown) & {
  method?: boolean
  inPlace?: (...args: unknown[]) => unknown
}

function install(name: string, f: (...args: unknown[]) => unknown): void {
  Object.defineProperty(Tensor.prototype, name, {
    value(this: Tensor, ...args: unknown[]) {
      return f(this, ...args)
    },
    writable: true,
    configurable: true,
  })
}

for (const [name, value] of Object.entries(ops) as [string, unknown][]) {
  if (typeof value !== 'function' || notMethods.has(name)) continue
  const f = value as AnyFunction
  if (f.method === false) continue
  install(name, f)
  if (f.inPlace !== undefined) install(`${name}_`, f.inPlace)
}
for (const [name, f] of Object.entries(methodsOnly)) install(name, f as (...args: unknown[]) => unknown)

for (const [name, f] of [
  ['T', reversed],
  ['mT', matrixTranspose],
  ['H', conjugateTranspose],
  ['mH', ops.adjoint],
  ['real', ops.real],
  ['imag', ops.imag],
] as const)
  Object.defineProperty(Tensor.prototype, name, {
    get(this: Tensor) {
      return f(this)
    },
    configurable: true,
  })
