// Functions that compute with real numbers only. What is not written for complex numbers yet says so, instead of giving
// results without their imaginary part.

import { NotImplementedError } from '../core/errors.ts'
import { Tensor } from '../tensor/tensor.ts'

const families = /^conv/

// A tensor, or options that ask for a dtype.
const isComplex = (x: unknown): boolean => {
  if (x instanceof Tensor) return x.dtype.isComplex
  const dtype = (x as { dtype?: { isComplex?: boolean } } | null | undefined)?.dtype
  return dtype?.isComplex === true
}

/** Throws where one of the arguments is complex, or asks for a complex result. */
export function refuseComplex(name: string, args: readonly unknown[]): void {
  if (args.some(isComplex))
    throw new NotImplementedError(`${name}() is not there for complex numbers yet; take real and imag apart`)
}

/** A function that takes real numbers only, if it is one of those; otherwise as it is. */
export function realOnly<F extends (...args: unknown[]) => unknown>(name: string, run: F): F {
  const plain = name.replace(/_$/, '')
  if (!families.test(plain)) return run
  return ((...args: unknown[]) => {
    refuseComplex(name, args)
    return run(...args)
  }) as F
}
