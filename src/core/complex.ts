// Complex numbers as JavaScript values: what `item` gives for a complex tensor, and what takes a number's place.

import { pyFloat } from './python.ts'

/**
 * A complex number, Python's `complex`: `new Complex(1, 2)` prints as `(1+2j)`. May stand wherever a number may where
 * tensors are complex: `x.mul(new Complex(0, 1))`.
 */
export class Complex {
  /** The real part. */
  readonly re: number
  /** The imaginary part. */
  readonly im: number

  constructor(re: number, im = 0) {
    this.re = Number(re)
    this.im = Number(im)
  }

  /** A number as a complex one; a complex one as it is. */
  static of(value: number | bigint | boolean | Complex): Complex {
    return value instanceof Complex ? value : new Complex(Number(value))
  }

  /** Whether both parts are equal. */
  equals(other: Complex): boolean {
    return this.re === other.re && this.im === other.im
  }

  /** Python's text: `(1+2j)`, `2j` where the real part is positive zero. */
  toString(): string {
    const part = (x: number): string => pyFloat(x).replace(/\.0$/, '')
    if (Object.is(this.re, 0)) return `${part(this.im)}j`
    const negative = this.im < 0 || Object.is(this.im, -0)
    return `(${part(this.re)}${negative ? '' : '+'}${part(this.im)}j)`
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return this.toString()
  }
}
