// Methods and properties of Tensor that are no functions of `torch`.

import { backward } from '../autograd/engine.ts'
import { registerHook, registerPostAccumulateGradHook } from '../autograd/tensor-hooks.ts'
import { whereMethod } from '../ops/choices.ts'
import { imag, real } from '../ops/complex.ts'
import { inPlaceOnly } from '../ops/conversion.ts'
import { newEmpty, newFull, newOnes, newTensor, newZeros } from '../ops/new.ts'
import { randomInPlace } from '../ops/random-in-place.ts'
import { inPlaceShapes } from '../ops/resize.ts'
import { transposeInPlace } from '../ops/view-in-place.ts'
import { adjoint, conjugateTranspose, matrixTranspose, reversed } from '../ops/views.ts'
import { data, dataAsync, item, itemAsync, tolist, tolistAsync } from './data.ts'
import type { Tensor } from './tensor.ts'

/** The tensor itself. Throws where it cannot be read synchronously. */
function readable(x: Tensor): Tensor {
  if (x.storage.isAsynchronous) x.storage.bytes()
  return x
}

/** Methods that are no functions of `torch`. */
export const methodsOnly = {
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

/** Properties that are views of the tensor. */
export const viewProperties = {
  T: reversed,
  mT: matrixTranspose,
  H: conjugateTranspose,
  mH: adjoint,
  real,
  imag,
}
