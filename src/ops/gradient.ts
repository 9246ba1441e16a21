// What the engine does with gradients on their way: summing, bringing them to the shape and dtype of what they are for.

import type { Node, OutputInfo } from '../autograd/node.ts'
import { RuntimeError } from '../core/errors.ts'
import { formatSizes, sameSizes } from '../core/shape.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { add } from './arithmetic.ts'
import { clone, to } from './conversion.ts'
import { sum } from './reductions.ts'
import { view } from './views.ts'

/** The sum of two gradients of the same thing. */
export function accumulate(a: Tensor, b: Tensor): Tensor {
  return add(a, b)
}

/** Sums a tensor over the dimensions in which `sizes` was broadcast to its shape. */
export function sumToSize(x: Tensor, sizes: readonly number[]): Tensor {
  if (sameSizes(x.sizes, sizes)) return x
  const extra = x.ndim - sizes.length
  const dims: number[] = []
  for (let d = 0; d < x.ndim; d++) if (d < extra || (sizes[d - extra] === 1 && x.sizes[d] !== 1)) dims.push(d)
  // Where only leading dimensions go, what is left has the shape already, as for a bias.
  if (dims.length === extra && dims.length > 0) return sum(x, dims)
  const summed = dims.length === 0 ? x : sum(x, dims, { keepdim: true })
  return extra === 0 ? summed : view(summed, sizes)
}

/** A gradient in the shape and dtype of the result that it belongs to. Throws where they have nothing to do with each other. */
export function matchGradient(grad: Tensor, info: OutputInfo, from: Node, index: number): Tensor {
  let result = grad
  if (!sameSizes(result.sizes, info.sizes)) {
    if (!expandable(info.sizes, result.sizes))
      throw new RuntimeError(
        `Function ${from.name()} returned an invalid gradient at index ${index} - got ${formatSizes(grad.sizes)} but expected shape compatible with ${formatSizes(info.sizes)}`,
      )
    result = sumToSize(result, info.sizes)
  }
  // The gradient of a real number is real: `to` keeps the real part.
  if (result.dtype !== info.dtype) return to(result, info.dtype)
  return result.conjugated ? clone(result) : result
}

function expandable(from: readonly number[], toSizes: readonly number[]): boolean {
  if (from.length > toSizes.length) return false
  const shift = toSizes.length - from.length
  return from.every((n, i) => n === 1 || n === toSizes[i + shift])
}
