// Complex matrices as real ones of twice the size, [[Re, -Im], [Im, Re]]: sums, products, inverses and exponentials
// of these are those of the complex matrices. So one real algorithm serves both, derivatives included.

import { complex, imag, real } from '../ops/complex.ts'
import { cat } from '../ops/joining.ts'
import { narrow } from '../ops/views.ts'
import type { Tensor } from '../tensor/tensor.ts'

/** The real matrices [..., 2m, 2n] of complex ones [..., m, n]. */
export function embedded(a: Tensor): Tensor {
  const [re, im] = [real(a), imag(a)]
  return cat([cat([re, im.neg()], -1), cat([im, re], -1)], -2)
}

/** The complex matrices of real ones of this form. */
export function extracted(a: Tensor): Tensor {
  const [rows, columns] = a.sizes.slice(-2).map((n) => n / 2)
  const left = narrow(a, -1, 0, columns)
  return complex(narrow(left, -2, 0, rows), narrow(left, -2, rows, rows))
}

/**
 * The same with each element as a square of its own, [[Re, -Im], [Im, Re]]: triangles stay triangles, so that the Cholesky
 * factor of these, whose diagonal is real, is that of the complex matrices.
 */
export function interleaved(a: Tensor): Tensor {
  return reordered(embedded(a), false)
}

/** The complex matrices of real ones of this form. */
export function deinterleaved(a: Tensor): Tensor {
  return extracted(reordered(a, true))
}

// Between halves of elements and elements of halves, in rows and columns.
function reordered(a: Tensor, apart: boolean): Tensor {
  const lead = a.sizes.slice(0, -2)
  const [rows, columns] = a.sizes.slice(-2)
  const split = apart ? [rows / 2, 2, columns / 2, 2] : [2, rows / 2, 2, columns / 2]
  return a
    .reshape([...lead, ...split])
    .transpose(-4, -3)
    .transpose(-2, -1)
    .reshape(a.sizes)
}

/** A function of matrices to matrices, of complex ones too. */
export function ofEmbedded(a: Tensor, f: (a: Tensor) => Tensor): Tensor {
  return a.dtype.isComplex ? extracted(f(embedded(a))) : f(a)
}
