// The methods of Tensor that come from functions: their types by a mapped type, the methods themselves by installing all.

import * as ops from '../ops/tensor-functions.ts'
import { installMethods, installProperties } from './install.ts'
import { methodsOnly, viewProperties } from './methods-only.ts'
import type { Tensor } from './tensor.ts'

type Functions = typeof ops

/** Functions that are methods of another form. */
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

installMethods(ops)
installMethods(methodsOnly)
installProperties(viewProperties)
