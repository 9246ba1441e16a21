// Functions of complex numbers by way of their real and imaginary parts.

import type { Tensor } from '../tensor/tensor.ts'
import { complex, imag, real } from './complex.ts'

type Bilinear<O> = (x: Tensor, weight: Tensor, options: O) => Tensor

/**
 * A function that is linear in its input and in its weight, such as a convolution, of complex ones: four times that of the parts.
 * `options.bias`, if there is one, is added once.
 */
export function bilinearOfParts<O extends { bias?: Tensor | null }>(
  run: Bilinear<O>,
  x: Tensor,
  weight: Tensor,
  options: O,
): Tensor {
  const { bias } = options
  const withBias = (part: Tensor | null): O => ({ ...options, bias: part })
  const [xRe, xIm, wRe, wIm] = [real(x), imag(x), real(weight), imag(weight)]
  const re = run(xRe, wRe, withBias(bias ? real(bias) : null)).sub(run(xIm, wIm, withBias(null)))
  const im = run(xRe, wIm, withBias(bias ? imag(bias) : null)).add(run(xIm, wRe, withBias(null)))
  return complex(re, im)
}
